//! What must hold of an SSI scanner's line for any bytes; the fuzz target and the replay of its corpus share it.

use ballot_intake::scan::{Symbol, Tone};
use ballot_intake::scanner::dialog::{Dialog as _, Say};
use ballot_intake::scanner::framing::Framed;
use ballot_intake::scanner::profile::Answers;
use ballot_intake::scanner::ssi::Ssi;
use std::num::NonZeroU16;
use std::time::Duration;

/// Stands for a second of silence.
const SILENCE: &[u8] = b"~~~~";

const FRAME_BYTES_MAX: u16 = 1000;

/// More than this never waits to be sent.
const OUT_BYTES_MAX: usize = 600;

/// The symbols in the bytes, which are the same however the bytes are split.
pub(crate) fn told(bytes: &[u8]) -> Vec<Symbol> {
    let whole = symbols(bytes, usize::MAX);
    for piece in [1, 2, 7, 64] {
        assert_eq!(symbols(bytes, piece), whole, "in pieces of {piece}");
    }
    for symbol in &whole {
        assert!((1..=FRAME_BYTES_MAX.into()).contains(&symbol.payload.0.len()));
        assert_eq!(symbol.is_overlong(), symbol.length > FRAME_BYTES_MAX.into());
    }
    whole
}

fn symbols(bytes: &[u8], piece: usize) -> Vec<Symbol> {
    let answers = Answers { good: vec![0xE6, 0x00], ..Answers::default() };
    let mut ssi = Ssi::new(answers, None, NonZeroU16::new(FRAME_BYTES_MAX).unwrap());
    let mut now = Duration::ZERO;
    let mut found = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let silence = rest.windows(SILENCE.len()).position(|window| window == SILENCE);
        let (sounds, after) = rest.split_at(silence.unwrap_or(rest.len()));
        for bytes in sounds.chunks(piece) {
            push(&mut ssi, bytes, now, &mut found);
        }
        now = wait(&mut ssi, now, Duration::from_secs(1));
        if ssi.is_idle() {
            ssi.say(Say::Tone(Tone::Good), now);
        }
        rest = after.get(SILENCE.len()..).unwrap_or_default();
    }
    wait(&mut ssi, now, Duration::from_mins(1));
    assert!(ssi.is_idle() && ssi.deadline().is_none(), "it never ends");
    found
}

fn push(ssi: &mut Ssi, mut bytes: &[u8], now: Duration, found: &mut Vec<Symbol>) {
    while !bytes.is_empty() {
        let (taken, framed) = ssi.push(bytes, now);
        assert!(framed.is_some() || taken == bytes.len(), "bytes were left for nothing");
        bytes = &bytes[taken..];
        if let Some(Framed::Symbol(symbol)) = framed {
            found.push(symbol);
        }
        assert!(ssi.outgoing().len() <= OUT_BYTES_MAX);
    }
}

/// Silence for so long; what is to be sent is sent.
fn wait(ssi: &mut Ssi, mut now: Duration, silence: Duration) -> Duration {
    let end = now + silence;
    loop {
        ssi.sent(ssi.outgoing().len(), now);
        let Some(at) = ssi.deadline().filter(|at| *at <= end) else { return end };
        now = now.max(at);
        assert!(matches!(ssi.expired(now), None | Some(Framed::NoRead)), "silence is no read");
    }
}
