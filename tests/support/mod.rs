//! What the tests of the whole program share: a station in a temporary folder, its daemon, its scanners and its ledger.
#![expect(dead_code, reason = "each test binary uses a part")]

pub(crate) mod daemon;
pub(crate) mod disk;
pub(crate) mod disk_log;
pub(crate) mod ledger;
pub(crate) mod own_ledger;
pub(crate) mod pty;
pub(crate) mod recorded;
pub(crate) mod relay;
pub(crate) mod station;
pub(crate) mod web;

use ballot_intake::clock::{Clock as _, SystemClock};
use rustix::event::Timespec;
use std::time::Duration;

/// How long a test waits for what must come; only a failing test waits so long.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// Between two looks at a level that cannot be waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The answers of the generic profiles.
pub(crate) const GOOD: u8 = 0x06;
/// Nothing to change.
pub(crate) const NOTICE: u8 = 0x07;
/// Not taken.
pub(crate) const BAD: u8 = 0x15;
/// Not known to be on disk.
pub(crate) const FAULT: u8 = 0x18;

/// A deadline on the clock that never goes back.
#[derive(Debug)]
pub(crate) struct Deadline {
    clock: SystemClock,
}

impl Deadline {
    /// Begins now.
    pub(crate) fn new() -> Self {
        Self { clock: SystemClock::new() }
    }

    /// What is left of it.
    pub(crate) fn left(&self) -> Duration {
        DEADLINE.saturating_sub(self.clock.elapsed())
    }

    /// Fails once nothing is left.
    #[track_caller]
    pub(crate) fn check(&self, what: &str) {
        assert!(!self.left().is_zero(), "{what} did not come");
    }
}

/// Waits until the level is reached.
#[track_caller]
pub(crate) fn eventually(what: &str, mut reached: impl FnMut() -> bool) {
    let deadline = Deadline::new();
    while !reached() {
        deadline.check(what);
        look_again();
    }
}

/// Lets others run before the next look.
pub(crate) fn look_again() {
    let pause = timespec(LOOK_AGAIN);
    assert_eq!(rustix::event::poll(&mut [], Some(&pause)), Ok(0));
}

/// For `poll`.
pub(crate) fn timespec(while_: Duration) -> Timespec {
    Timespec::try_from(while_).unwrap()
}

/// The payload of an envelope of the `county` format: election, ballot, check digit.
pub(crate) fn payload(ballot: u32) -> String {
    let body = format!("202611{ballot:09}");
    let digit = luhn(&body);
    format!("{body}{digit}")
}

/// The same with a check digit that does not hold.
pub(crate) fn wrong_payload(ballot: u32) -> String {
    let body = format!("202611{ballot:09}");
    let digit = (luhn(&body) + 1) % 10;
    format!("{body}{digit}")
}

/// The frames of these ballots, one after the other.
pub(crate) fn frames(ballots: impl IntoIterator<Item = u32>) -> Vec<u8> {
    let frames = ballots.into_iter().map(|ballot| payload(ballot) + "\r");
    frames.collect::<String>().into_bytes()
}

fn luhn(body: &str) -> u32 {
    let sum: u32 = body
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0');
            let doubled = if place % 2 == 0 { digit * 2 } else { digit };
            doubled / 10 + doubled % 10
        })
        .sum();
    (10 - sum % 10) % 10
}

/// Numbers that look random and come again with the same seed: a linear congruential generator (Knuth's MMIX).
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % n
    }
}
