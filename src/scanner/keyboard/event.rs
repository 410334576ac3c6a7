//! Cuts the bytes that an input device gives into the kernel's input events.

use std::time::Duration;

/// `struct input_event`: seconds and microseconds in a word each, type, code and value (linux/input.h). On a 64-bit kernel,
/// 24 bytes.
const EVENT_BYTES: usize = 2 * size_of::<usize>() + 2 + 2 + 4;

// Types and codes of linux/input-event-codes.h.
const EV_SYN: u16 = 0;
const EV_KEY: u16 = 1;
const SYN_DROPPED: u16 = 3;

/// What happened, and when the kernel says it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event {
    /// The time on the kernel's clock, whichever the device was told to use.
    pub(super) stamp: Duration,
    /// What happened.
    pub(super) kind: Kind,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A key, by its code, went down.
    Press(u16),
    /// A key went up.
    Release(u16),
    /// The kernel says again that a key is down.
    Repeat(u16),
    /// Nobody read in time, so the kernel dropped what was waiting (Documentation/input/event-codes.rst, `SYN_DROPPED`).
    Dropped,
    /// Lights, scan codes, ends of reports.
    Other,
}

/// What is left of the bytes between two reads: less than one event.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    half: Vec<u8>,
}

impl Cutter {
    /// Takes bytes up to the end of the first event. Returns how many were taken, which is all of them when no event ended.
    pub(super) fn take(&mut self, bytes: &[u8]) -> (usize, Option<Event>) {
        let missing = EVENT_BYTES.saturating_sub(self.half.len());
        let Some((rest, _)) = bytes.split_at_checked(missing) else {
            self.half.extend(bytes);
            return (bytes.len(), None);
        };
        self.half.extend(rest);
        let event = parse(&self.half);
        self.half.clear();
        (missing, event)
    }

    /// Whether an event has begun and not ended.
    pub(super) fn is_half(&self) -> bool {
        !self.half.is_empty()
    }

    /// The rest of the event will not come.
    pub(super) fn reset(&mut self) {
        self.half.clear();
    }
}

/// The event in its bytes; nothing if they are too few.
fn parse(bytes: &[u8]) -> Option<Event> {
    let (seconds, bytes) = bytes.split_first_chunk()?;
    let (micros, bytes) = bytes.split_first_chunk()?;
    let (kind, bytes) = bytes.split_first_chunk()?;
    let (code, bytes) = bytes.split_first_chunk()?;
    let (value, _) = bytes.split_first_chunk()?;
    let seconds = Duration::from_secs(usize::from_ne_bytes(*seconds) as u64);
    let micros = Duration::from_micros(usize::from_ne_bytes(*micros) as u64);
    let code = u16::from_ne_bytes(*code);
    let kind = match (u16::from_ne_bytes(*kind), i32::from_ne_bytes(*value)) {
        (EV_SYN, _) if code == SYN_DROPPED => Kind::Dropped,
        (EV_KEY, 0) => Kind::Release(code),
        (EV_KEY, 1) => Kind::Press(code),
        (EV_KEY, 2) => Kind::Repeat(code),
        // No kernel has another value; what it means for the scan is unknown, as if something had been lost.
        (EV_KEY, _) => Kind::Dropped,
        _ => Kind::Other,
    };
    Some(Event { stamp: seconds.saturating_add(micros), kind })
}
