//! What must hold of the framer for any bytes; the fuzz target and the replay of its corpus share it.

use ballot_intake::scan::Symbol;
use ballot_intake::scanner::framing::{Framed, Framer};
use ballot_intake::scanner::profile::Profile;

/// The symbols in the bytes, which are the same however the bytes are split.
pub(crate) fn framed(bytes: &[u8]) -> Vec<Symbol> {
    let whole = symbols(bytes, usize::MAX);
    for piece in [1, 2, 3, 7, 64] {
        assert_eq!(symbols(bytes, piece), whole, "in pieces of {piece}");
    }
    for symbol in &whole {
        assert!((1..=4096).contains(&symbol.payload.0.len()));
        assert_eq!(symbol.is_overlong(), symbol.length > 4096);
    }
    whole
}

fn symbols(bytes: &[u8], piece: usize) -> Vec<Symbol> {
    let profile = Profile::parse(Profile::built_in("generic-serial").unwrap()).unwrap();
    let mut framer = Framer::new(profile.framing().unwrap().clone());
    let mut found = Vec::new();
    for mut rest in bytes.chunks(piece) {
        while !rest.is_empty() {
            let (taken, whole) = framer.push(rest);
            rest = &rest[taken..];
            match whole {
                Some(Framed::Symbol(symbol)) => found.push(symbol),
                Some(Framed::NoRead) => panic!("bytes are no silence"),
                None => assert!(rest.is_empty(), "bytes were left without a frame"),
            }
        }
    }
    assert_eq!(framer.is_partial(), framer.silence().is_some());
    assert!(!framer.is_partial());
    found
}
