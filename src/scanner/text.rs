//! The dialog of a scanner that sends plain frames and is answered in plain bytes.

use super::dialog::{Dialog, Say};
use super::framing::{Framed, Framer, Framing};
use super::profile::{Answers, LockCommands};
use std::time::Duration;

/// Frames in, the profile's bytes out.
#[derive(Debug)]
pub struct Text {
    framer: Framer,
    silence: Duration,
    answers: Answers,
    lock: Option<LockCommands>,
    /// When the half frame is given up.
    half_until: Option<Duration>,
    outgoing: Vec<u8>,
    /// How many of them have left.
    gone_out: usize,
}

impl Text {
    /// Starts between two frames.
    pub fn new(framing: Framing, answers: Answers, lock: Option<LockCommands>) -> Self {
        Self {
            silence: framing.silence,
            framer: Framer::new(framing),
            answers,
            lock,
            half_until: None,
            outgoing: Vec::new(),
            gone_out: 0,
        }
    }
}

impl Dialog for Text {
    fn push(&mut self, bytes: &[u8], now: Duration) -> (usize, Option<Framed>) {
        let pushed = self.framer.push(bytes);
        self.half_until = self.framer.is_partial().then(|| now.saturating_add(self.silence));
        pushed
    }

    fn deadline(&self) -> Option<Duration> {
        self.half_until
    }

    fn expired(&mut self, _now: Duration) -> Option<Framed> {
        self.half_until = None;
        self.framer.silence()
    }

    fn say(&mut self, say: Say, _now: Duration) {
        let bytes = match (say, &self.lock) {
            (Say::Tone(tone), _) => self.answers.bytes(tone),
            (Say::Lock, Some(commands)) => &commands.lock,
            (Say::Unlock, Some(commands)) => &commands.unlock,
            (Say::Lock | Say::Unlock, None) => &[],
        };
        self.outgoing.clear();
        self.outgoing.extend_from_slice(bytes);
        self.gone_out = 0;
    }

    fn outgoing(&self) -> &[u8] {
        self.outgoing.get(self.gone_out..).unwrap_or_default()
    }

    fn sent(&mut self, n: usize, _now: Duration) {
        self.gone_out = self.gone_out.saturating_add(n);
    }

    fn is_idle(&self) -> bool {
        self.outgoing().is_empty()
    }

    fn reset(&mut self) {
        self.framer.reset();
        self.half_until = None;
        self.outgoing.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::{Symbol, Tone};
    use crate::scanner::profile::Profile;

    const AT: Duration = Duration::from_secs(7);
    const SILENCE: Duration = Duration::from_millis(500);

    fn text(lock: Option<LockCommands>) -> Text {
        let profile = Profile::parse(Profile::built_in("generic-serial").unwrap()).unwrap();
        Text::new(profile.framing().unwrap().clone(), profile.answers, lock)
    }

    #[test]
    fn a_half_frame_is_given_up_after_the_silence_and_a_whole_one_is_not() {
        let mut text = text(None);
        assert_eq!(text.push(b"17\r18", AT), (3, Some(Framed::Symbol(Symbol::untold(b"17")))));
        assert_eq!(text.deadline(), None);
        assert_eq!(text.push(b"18", AT), (2, None));
        assert_eq!(text.deadline(), Some(AT + SILENCE));
        assert_eq!(text.push(b"9", 2 * AT), (1, None));
        assert_eq!(text.deadline(), Some(2 * AT + SILENCE));
        assert_eq!(text.expired(2 * AT + SILENCE), Some(Framed::NoRead));
        assert_eq!((text.deadline(), text.expired(3 * AT)), (None, None));
    }

    #[test]
    fn what_is_said_leaves_byte_by_byte() {
        let commands = LockCommands { lock: b"#@----\r".to_vec(), unlock: b"#@....\r".to_vec() };
        let mut text = text(Some(commands));
        for (say, bytes) in [
            (Say::Tone(Tone::Good), &b"\x06"[..]),
            (Say::Tone(Tone::Fault), b"\x18"),
            (Say::Lock, b"#@----\r"),
            (Say::Unlock, b"#@....\r"),
        ] {
            text.say(say, AT);
            assert_eq!(text.outgoing(), bytes);
            text.sent(bytes.len() - 1, AT);
            assert!(!text.is_idle(), "{say:?}");
            text.sent(1, AT);
            assert!(text.is_idle(), "{say:?}");
        }
    }

    #[test]
    fn a_line_that_is_gone_leaves_nothing_behind() {
        let mut text = text(None);
        text.push(b"17", AT);
        text.say(Say::Tone(Tone::Good), AT);
        text.reset();
        assert!(text.is_idle());
        assert_eq!(text.push(b"8\r", AT), (2, Some(Framed::Symbol(Symbol::untold(b"8")))));
    }

    #[test]
    fn a_scanner_without_a_lock_is_told_nothing() {
        let mut text = text(None);
        text.say(Say::Lock, AT);
        assert!(text.is_idle());
    }
}
