//! Cuts the bytes of a serial or TCP scanner into frames, and each frame into identifier and payload.
//!
//! What holds here, whatever is on the line:
//! - However the bytes are split on their way, the same frames come out.
//! - No more than `frame_bytes_max` bytes are ever buffered. A longer frame is skipped to its end and is one symbol, cut
//!   off at the bound, with its true length: it is told, and names nothing.
//! - Empty frames are ignored, so CR LF is one end.
//! - A frame without an end is dropped when the line falls silent, and counted as a no-read; never joined with the next.
//!
//! There is no clock in here: the driver says when the silence is over.

use super::profile::FRAME_BYTES_MAX;
use crate::scan::{Named, Payload, Symbol, SymbologyIdentifier};
use serde::Deserialize;
use std::num::NonZeroU16;
use std::time::Duration;

/// ASCII start of text, which many scanners can be told to send before each symbol.
const STX: u8 = 0x02;

/// How one scanner frames its symbols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Framing {
    /// The bytes of which each ends a frame.
    pub terminators: Vec<u8>,
    /// What to do with an STX before a frame.
    pub stx: Stx,
    /// What to do with a symbology identifier before a payload.
    pub identifier: Identifier,
    /// Longest payload, in bytes.
    pub frame_bytes_max: NonZeroU16,
    /// How long the line must be silent for a half frame to be dropped.
    pub silence: Duration,
}

impl Default for Framing {
    /// What any scanner sends that is set up as its maker ships it.
    fn default() -> Self {
        Self {
            terminators: b"\r\n\t\x03".to_vec(),
            stx: Stx::Strip,
            identifier: Identifier::Use,
            frame_bytes_max: NonZeroU16::new(FRAME_BYTES_MAX).unwrap_or(NonZeroU16::MIN),
            silence: Duration::from_millis(500),
        }
    }
}

/// What to do with an STX before a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stx {
    /// It is no part of the payload.
    Strip,
    /// It is a byte like any other.
    Keep,
}

/// What to do with a symbology identifier before a payload (`]` and two characters, ISO/IEC 15424).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Identifier {
    /// It is no part of the payload; it tells the symbology.
    Use,
    /// It is bytes like any others.
    Keep,
}

/// What the framer made of the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Framed {
    /// A whole frame.
    Symbol(Symbol),
    /// A half frame that was dropped.
    NoRead,
}

/// The framer of one port.
#[derive(Debug)]
pub struct Framer {
    framing: Framing,
    partial: Partial,
}

/// A frame that has not ended yet.
#[derive(Debug, Default)]
struct Partial {
    has_stx: bool,
    identifier: Option<SymbologyIdentifier>,
    /// At most `frame_bytes_max` bytes.
    payload: Vec<u8>,
    /// How many bytes there were, buffered or not.
    length: u32,
}

impl Framer {
    /// Starts between two frames.
    pub fn new(framing: Framing) -> Self {
        Self { framing, partial: Partial::default() }
    }

    /// Takes bytes up to the end of the first whole frame, so that the caller may hold the rest back. Returns how many were
    /// taken, which is all of them when no frame ended.
    pub fn push(&mut self, bytes: &[u8]) -> (usize, Option<Framed>) {
        for (taken, byte) in (1..).zip(bytes) {
            if !self.framing.terminators.contains(byte) {
                self.add(*byte);
            } else if let Some(symbol) = std::mem::take(&mut self.partial).into_symbol() {
                return (taken, Some(Framed::Symbol(symbol)));
            }
        }
        (bytes.len(), None)
    }

    /// Whether a frame has begun and not ended: only then does silence mean something.
    pub fn is_partial(&self) -> bool {
        let Partial { has_stx, identifier, payload: _, length } = &self.partial;
        *has_stx || identifier.is_some() || *length > 0
    }

    /// The line was silent for as long as `Framing::silence` says: a half frame is dropped.
    pub fn silence(&mut self) -> Option<Framed> {
        let is_dropped = self.is_partial();
        self.reset();
        is_dropped.then_some(Framed::NoRead)
    }

    /// The port is gone: what comes next has nothing to do with what came before.
    pub fn reset(&mut self) {
        self.partial = Partial::default();
    }

    fn add(&mut self, byte: u8) {
        let Self { framing, partial } = self;
        let is_at_start = partial.length == 0 && partial.identifier.is_none();
        if framing.stx == Stx::Strip && byte == STX && is_at_start && !partial.has_stx {
            partial.has_stx = true;
            return;
        }
        if framing.identifier == Identifier::Use && partial.take_identifier(byte) {
            return;
        }
        partial.length = partial.length.saturating_add(1);
        if partial.payload.len() < usize::from(framing.frame_bytes_max.get()) {
            partial.payload.push(byte);
        }
    }
}

impl Partial {
    /// Whether this byte ends the identifier at the start of the frame.
    fn take_identifier(&mut self, byte: u8) -> bool {
        if self.identifier.is_some() || self.length != 2 {
            return false;
        }
        if let [b']', code] = self.payload.as_slice() {
            self.identifier = SymbologyIdentifier::new(*code, byte);
        }
        if self.identifier.is_some() {
            self.payload.clear();
            self.length = 0;
        }
        self.identifier.is_some()
    }

    /// The frame has ended; an empty one is none.
    fn into_symbol(self) -> Option<Symbol> {
        (self.length > 0).then(|| Symbol {
            symbology: self.identifier.map_or(Named::Untold, SymbologyIdentifier::symbology),
            identifier: self.identifier,
            payload: Payload(self.payload),
            length: self.length,
            repaired: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::Symbology;
    use proptest::prelude::*;

    fn generic(frame_bytes_max: u16) -> Framing {
        Framing {
            terminators: b"\r\n\t\x03".to_vec(),
            stx: Stx::Strip,
            identifier: Identifier::Use,
            frame_bytes_max: NonZeroU16::new(frame_bytes_max).unwrap(),
            silence: Duration::from_millis(500),
        }
    }

    /// All symbols in the bytes, pushed in pieces of this size.
    fn symbols(framer: &mut Framer, bytes: &[u8], piece: usize) -> Vec<Symbol> {
        let mut found = Vec::new();
        for mut rest in bytes.chunks(piece) {
            while !rest.is_empty() {
                let (taken, whole) = framer.push(rest);
                match whole {
                    Some(Framed::Symbol(symbol)) => found.push(symbol),
                    Some(Framed::NoRead) => panic!("bytes are no silence"),
                    None => assert_eq!(taken, rest.len()),
                }
                rest = &rest[taken..];
            }
        }
        found
    }

    fn payloads(bytes: &[u8]) -> Vec<Vec<u8>> {
        let found = symbols(&mut Framer::new(generic(4096)), bytes, usize::MAX);
        found.into_iter().map(|symbol| symbol.payload.0).collect()
    }

    #[test]
    fn any_of_the_terminators_ends_a_frame_and_empty_frames_are_ignored() {
        assert_eq!(
            payloads(b"\r\n1\r2\n3\r\n4\t5\x03\x02\x03\r\r6\r]C0\r7"),
            [b"1", b"2", b"3", b"4", b"5", b"6"]
        );
    }

    #[test]
    fn an_stx_is_stripped_before_a_frame_and_nowhere_else() {
        assert_eq!(payloads(b"\x021\x03"), [b"1"]);
        assert_eq!(payloads(b"1\x022\x03"), [b"1\x022"]);
        assert_eq!(payloads(b"\x02\x021\x03"), [b"\x021"]);
        assert_eq!(payloads(b"]C0\x021\x03"), [b"\x021"]);
    }

    #[test]
    fn an_identifier_tells_the_symbology_and_is_stripped() {
        for (bytes, symbology, payload) in [
            (&b"17\r"[..], Named::Untold, &b"17"[..]),
            (b"]C017\r", Named::One(Symbology::Code128), b"17"),
            (b"\x02]A017\x03", Named::One(Symbology::Code39), b"17"),
            (b"]X017\r", Named::Untold, b"17"),
            (b"]E017\r", Named::Foreign, b"17"),
            (b"]C0]C017\r", Named::One(Symbology::Code128), b"]C017"),
            (b"]C\r", Named::Untold, b"]C"),
            (b"]--17\r", Named::Untold, b"]--17"),
            (b"1]C0\r", Named::Untold, b"1]C0"),
        ] {
            let found = symbols(&mut Framer::new(generic(4096)), bytes, 1);
            let [symbol] = found.as_slice() else { panic!("{bytes:?}: {found:?}") };
            assert_eq!(symbol.symbology, symbology, "{bytes:?}");
            assert_eq!(symbol.payload.0, payload, "{bytes:?}");
            assert_eq!(symbol.identifier.is_some(), symbology != Named::Untold || bytes[1] == b'X');
        }
    }

    #[test]
    fn what_is_to_be_kept_is_payload() {
        let framing = Framing { stx: Stx::Keep, identifier: Identifier::Keep, ..generic(4096) };
        let found = symbols(&mut Framer::new(framing), b"\x02]C017\r", 1);
        assert_eq!(found, [Symbol::untold(b"\x02]C017")]);
    }

    #[test]
    fn all_other_bytes_are_payload() {
        let others: Vec<u8> = (0..=255).filter(|byte| !b"\r\n\t\x03".contains(byte)).collect();
        assert_eq!(payloads(&[&others[..], b"\r"].concat()), [others]);
    }

    #[test]
    fn push_stops_after_the_first_whole_frame() {
        let mut framer = Framer::new(generic(4096));
        assert_eq!(framer.push(b"\r1\r2\r"), (3, Some(Framed::Symbol(Symbol::untold(b"1")))));
        assert_eq!(framer.push(b""), (0, None));
        assert_eq!(framer.push(b"2"), (1, None));
        assert_eq!(framer.push(b"\r3"), (1, Some(Framed::Symbol(Symbol::untold(b"2")))));
    }

    #[test]
    fn a_frame_beyond_the_bound_is_one_cut_off_symbol_with_its_true_length() {
        for (n_bytes, is_overlong) in [(7, false), (8, false), (9, true), (5000, true)] {
            let bytes = [&b"\x02]C0"[..], &vec![b'7'; n_bytes], b"\r8\r"].concat();
            let found = symbols(&mut Framer::new(generic(8)), &bytes, 3);
            assert_eq!(found.len(), 2, "{n_bytes}");
            assert_eq!(found[0].payload.0, vec![b'7'; n_bytes.min(8)]);
            assert_eq!(usize::try_from(found[0].length).unwrap(), n_bytes);
            assert_eq!(found[0].is_overlong(), is_overlong);
            assert_eq!(found[0].symbology, Named::One(Symbology::Code128));
            assert_eq!(found[1], Symbol::untold(b"8"));
        }
    }

    #[test]
    fn no_more_is_buffered_than_a_frame_may_have() {
        let mut framer = Framer::new(generic(8));
        for _ in 0..1000 {
            assert_eq!(framer.push(&[b'7'; 100]), (100, None));
            assert_eq!(framer.partial.payload.len(), 8);
        }
        assert_eq!(framer.silence(), Some(Framed::NoRead));
        assert_eq!(framer.push(b"8\r"), (2, Some(Framed::Symbol(Symbol::untold(b"8")))));
    }

    #[test]
    fn silence_drops_a_half_frame_and_nothing_else() {
        for (half, expected) in [
            (&b"12"[..], Some(Framed::NoRead)),
            (b"\x02", Some(Framed::NoRead)),
            (b"]C0", Some(Framed::NoRead)),
            (b"", None),
            (b"\r\n", None),
        ] {
            let mut framer = Framer::new(generic(8));
            framer.push(half);
            assert_eq!(framer.is_partial(), expected.is_some(), "{half:?}");
            assert_eq!(framer.silence(), expected, "{half:?}");
            assert!(!framer.is_partial());
            assert_eq!(framer.push(b"3\r"), (2, Some(Framed::Symbol(Symbol::untold(b"3")))));
        }
        let mut framer = Framer::new(generic(8));
        assert_eq!(framer.push(b"3\r"), (2, Some(Framed::Symbol(Symbol::untold(b"3")))));
        assert!(!framer.is_partial());
    }

    #[test]
    fn a_port_that_comes_back_starts_a_new_frame() {
        let mut framer = Framer::new(generic(8));
        framer.push(b"\x02]C012");
        framer.reset();
        assert!(!framer.is_partial());
        assert_eq!(framer.push(b"3\r"), (2, Some(Framed::Symbol(Symbol::untold(b"3")))));
    }

    /// Bytes among which frames, prefixes and long frames are likely.
    fn line() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![prop::sample::select(b"\r\n\t\x03\x02]C0A17".to_vec()), any::<u8>()];
        prop::collection::vec(byte, 0..200)
    }

    proptest! {
        #[test]
        fn however_the_bytes_are_split_the_same_symbols_come_out(
            bytes in line(),
            cuts in prop::collection::vec(0_usize..200, 0..10),
            frame_bytes_max in 1_u16..20,
        ) {
            let mut whole = Framer::new(generic(frame_bytes_max));
            let expected = symbols(&mut whole, &bytes, usize::MAX);
            let mut single = Framer::new(generic(frame_bytes_max));
            prop_assert_eq!(&symbols(&mut single, &bytes, 1), &expected);
            prop_assert_eq!(single.is_partial(), whole.is_partial());

            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut split = Framer::new(generic(frame_bytes_max));
            let mut found = Vec::new();
            for cut in cuts.windows(2) {
                found.extend(symbols(&mut split, &bytes[cut[0]..cut[1]], usize::MAX));
            }
            prop_assert_eq!(&found, &expected);
            prop_assert_eq!(split.is_partial(), whole.is_partial());
        }

        #[test]
        fn no_byte_is_lost_or_made_up(bytes in line()) {
            let framing = Framing { stx: Stx::Keep, identifier: Identifier::Keep, ..generic(4096) };
            let line = [&bytes[..], b"\r"].concat();
            let found = symbols(&mut Framer::new(framing), &line, 7);
            let found: Vec<_> = found.into_iter().map(|symbol| symbol.payload.0).collect();
            let expected: Vec<_> = bytes
                .split(|byte| b"\r\n\t\x03".contains(byte))
                .filter(|frame| !frame.is_empty())
                .map(<[u8]>::to_vec)
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}
