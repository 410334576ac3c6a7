//! Time as an argument: what the relay may know of now, and how instants are stored and spoken.

use jiff::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

/// An instant: microseconds since 1970-01-01T00:00:00Z. Everything that the store keeps is one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub i64);

impl Micros {
    /// This instant and a while.
    #[must_use]
    pub fn plus(self, while_: Duration) -> Self {
        Self(self.0.saturating_add(micros(while_)))
    }

    /// A while before this instant.
    #[must_use]
    pub fn minus(self, while_: Duration) -> Self {
        Self(self.0.saturating_sub(micros(while_)))
    }

    /// How long from `earlier` to this; zero when it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// RFC 3339 in UTC with microseconds: `2026-11-03T19:00:00.000000Z`.
    pub fn rfc3339(self) -> String {
        match Timestamp::from_microsecond(self.0) {
            Ok(instant) => format!("{instant:.6}"),
            Err(_) => format!("{}us", self.0),
        }
    }

    /// Reads RFC 3339 with an offset.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        text.parse::<Timestamp>().ok().map(|instant| Self(instant.as_microsecond()))
    }
}

fn micros(while_: Duration) -> i64 {
    i64::try_from(while_.as_micros()).unwrap_or(i64::MAX)
}

/// What tells the time. Tests own theirs.
pub trait Clock: std::fmt::Debug + Send + Sync {
    /// The wall clock. It may jump either way.
    fn now(&self) -> Micros;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> Micros {
        Micros(match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => micros(after),
            Err(before) => -micros(before.duration()),
        })
    }
}

/// A clock that stands still until it is told otherwise.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that says `now`.
    pub const fn new(now: Micros) -> Self {
        Self(AtomicI64::new(now.0))
    }

    /// Time passes.
    pub fn advance(&self, while_: Duration) {
        self.0.fetch_add(micros(while_), Ordering::SeqCst);
    }

    /// Somebody sets the clock.
    pub fn set(&self, now: Micros) {
        self.0.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Micros {
        Micros(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_as_it_is_read() {
        let text = "2026-11-03T19:00:00.000001Z";
        let instant = Micros::parse_rfc3339(text).unwrap();
        assert_eq!(instant.rfc3339(), text);
        assert_eq!(Micros::parse_rfc3339("2026-11-03T12:00:00.000001-07:00"), Some(instant));
        assert_eq!(instant.plus(Duration::from_secs(2)).since(instant), Duration::from_secs(2));
        assert_eq!(instant.since(instant.plus(Duration::from_secs(2))), Duration::ZERO);
        assert_eq!(Micros(-1).seconds(), -1);
    }
}
