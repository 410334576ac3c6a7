//! What is said between the station and one scanner: its bytes to symbols, tones to its bytes.
//!
//! One seam for every transport and protocol. A dialog does no I/O and reads no clock: whoever drives it moves the bytes, and
//! says how long it has been driving. So each is tested byte by byte.

use super::framing::{Framed, Framing};
use super::hid_pos::HidPos;
use super::keyboard::Keyboard;
use super::profile::{Profile, Protocol};
use super::ssi::Ssi;
use super::text::Text;
use crate::scan::Tone;
use std::fmt;
use std::time::Duration;

/// What a scanner is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Say {
    /// How a scan ended, after its commit.
    Tone(Tone),
    /// Scan nothing until further notice.
    Lock,
    /// Scan again.
    Unlock,
}

impl Say {
    /// The tone, if it is one.
    pub const fn tone(self) -> Option<Tone> {
        match self {
            Self::Tone(tone) => Some(tone),
            Self::Lock | Self::Unlock => None,
        }
    }
}

/// The dialog of a scanner of that profile. What sends pictures has no line, and none of its own.
pub fn of(profile: &Profile) -> Box<dyn Dialog> {
    let text = |framing: Framing| {
        Box::new(Text::new(framing, profile.answers.clone(), profile.lock.clone()))
    };
    match &profile.protocol {
        Protocol::Text(framing) => text(framing.clone()),
        Protocol::Keys { layout, framing } => Box::new(Keyboard::new(*layout, framing.clone())),
        Protocol::Reports { settings, framing } => {
            Box::new(HidPos::new(settings, framing.frame_bytes_max, framing.silence))
        }
        Protocol::Ssi { frame_bytes_max } => {
            let (answers, lock) = (profile.answers.clone(), profile.lock.clone());
            Box::new(Ssi::new(answers, lock, *frame_bytes_max))
        }
        Protocol::Pictures(_) | Protocol::Files => text(Framing::default()),
    }
}

/// Both sides of what is said on one scanner's line.
pub trait Dialog: fmt::Debug + Send {
    /// Takes bytes up to the end of the first whole symbol, so that the caller may hold the rest back. Returns how many were
    /// taken, which is all of them when no symbol ended. `bytes` are what one read of the line returned, or the rest of it: of
    /// a HID device one report, of an input device whole events.
    fn push(&mut self, bytes: &[u8], now: Duration) -> (usize, Option<Framed>);

    /// When [`Dialog::expired`] is to be called if nothing comes before.
    fn deadline(&self) -> Option<Duration>;

    /// The deadline has passed: a half symbol is dropped, or a packet is sent again.
    fn expired(&mut self, now: Duration) -> Option<Framed>;

    /// Queues what the scanner is told; nothing where nothing can be told. Called only while [`Dialog::is_idle`].
    fn say(&mut self, _say: Say, _now: Duration) {}

    /// The bytes to send next, with a protocol's own replies among them; empty for none.
    fn outgoing(&self) -> &[u8] {
        &[]
    }

    /// So many of them were taken by the line.
    fn sent(&mut self, _n: usize, _now: Duration) {}

    /// Whether all that was said has left, and was acknowledged where the protocol has that, or was given up.
    fn is_idle(&self) -> bool {
        true
    }

    /// Whether what was last said was given up: the scanner did not acknowledge it, or cannot do it.
    fn gave_up(&self) -> bool {
        false
    }

    /// The line is gone: halves, and what was to be sent, have nothing to do with what comes next. The next line is opened at time
    /// zero, as the first was.
    fn reset(&mut self);
}
