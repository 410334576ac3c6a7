//! What must hold of a scanner that types, for any bytes; the fuzz target and the replay of its corpus share it.

use ballot_intake::scan::Symbol;
use ballot_intake::scanner::dialog::Dialog as _;
use ballot_intake::scanner::framing::{Framed, Framing, Identifier, Stx};
use ballot_intake::scanner::keyboard::{Keyboard, Layout};
use std::num::NonZeroU16;
use std::time::Duration;

const FRAME_BYTES_MAX: u16 = 64;
const SILENCE: Duration = Duration::from_millis(500);

/// Whether the scanner was silent after its line was opened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    JustOpen,
    Silent,
}

/// The symbols in the bytes on a keyboard of the United States, which are the same however the bytes are split.
pub(crate) fn typed(bytes: &[u8]) -> Vec<Symbol> {
    for layout in [Layout::De, Layout::Fr] {
        symbols(layout, bytes, usize::MAX, Line::Silent);
    }
    assert_eq!(symbols(Layout::Us, bytes, usize::MAX, Line::JustOpen), []);
    let whole = symbols(Layout::Us, bytes, usize::MAX, Line::Silent);
    for piece in [1, 7, 24, 100] {
        assert_eq!(symbols(Layout::Us, bytes, piece, Line::Silent), whole, "in pieces of {piece}");
    }
    whole
}

fn symbols(layout: Layout, bytes: &[u8], piece: usize, line: Line) -> Vec<Symbol> {
    let mut keyboard = Keyboard::new(
        layout,
        Framing {
            terminators: b"\r\n\t\x03".to_vec(),
            stx: Stx::Strip,
            identifier: Identifier::Use,
            frame_bytes_max: NonZeroU16::new(FRAME_BYTES_MAX).unwrap(),
            silence: SILENCE,
        },
    );
    if line == Line::Silent {
        assert_eq!(keyboard.expired(SILENCE), None);
    }
    let mut found = Vec::new();
    for mut rest in bytes.chunks(piece) {
        while !rest.is_empty() {
            let (taken, framed) = keyboard.push(rest, SILENCE);
            rest = &rest[taken..];
            assert!(framed.is_some() || rest.is_empty(), "bytes were left without a frame");
            if let Some(Framed::Symbol(symbol)) = framed {
                assert!((1..=FRAME_BYTES_MAX.into()).contains(&symbol.payload.0.len()));
                found.push(symbol);
            }
        }
    }
    let is_pending = keyboard.deadline().is_some_and(|deadline| deadline > SILENCE);
    assert_eq!(keyboard.expired(SILENCE * 2).is_some(), is_pending);
    assert_eq!(keyboard.deadline(), None);
    found
}
