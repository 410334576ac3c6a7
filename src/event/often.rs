//! How often the log hears of something that may happen again and again, as of a port with a loose plug.

use std::time::Duration;
use tokio::time::Instant;

/// How long it takes until it may be said as often again.
const WHILE: Duration = Duration::from_mins(1);

/// How often it is said in that time.
const SAID_MAX: u32 = 10;

/// What was said lately.
#[derive(Debug)]
pub(crate) struct Often {
    since: Instant,
    said: u32,
}

impl Often {
    /// Nothing was said by `now`.
    pub(crate) const fn new(now: Instant) -> Self {
        Self { since: now, said: 0 }
    }

    /// Whether it may be said at `now`; then it counts as said.
    pub(crate) fn may_say(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) >= WHILE {
            *self = Self::new(now);
        }
        let may = self.said < SAID_MAX;
        self.said += u32::from(may);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_again_and_again_is_said_so_often_a_minute() {
        let start = Instant::now();
        let mut often = Often::new(start);
        let mut said = |from: u64, n: u64| {
            (0..n).filter(|i| often.may_say(start + Duration::from_millis(from + i))).count()
        };
        assert_eq!(said(0, 1_000), 10);
        assert_eq!(said(59_000, 999), 0);
        assert_eq!(said(60_000, 1_000), 10);
        assert_eq!(said(200_000, 3), 3);
    }
}
