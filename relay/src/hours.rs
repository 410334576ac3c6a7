//! When a voter may be texted or called: hours of their own day, within those that the county allows.
//!
//! Hours are local. On the night of a time change the day is shorter or longer, and a time that the clock skips or shows twice is
//! taken as the zone's rules say; a moment is within the hours when the clock on the wall says so.

use crate::clock::Micros;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, civil};

/// Days that are looked at until the next permitted moment: the rest of today, tomorrow, and one that a zone skipped whole.
const DAYS_MAX: i64 = 3;

/// From a minute of the day until before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// The first minute.
    pub from: u32,
    /// The minute after the last.
    pub until: u32,
}

impl Hours {
    /// What both allow; the other one alone where nothing is left.
    #[must_use]
    pub fn within(self, other: Self) -> Self {
        let both = Self { from: self.from.max(other.from), until: self.until.min(other.until) };
        if both.from < both.until { both } else { other }
    }

    /// Whether the clock on the wall of `zone` is within the hours.
    pub fn allow(self, now: Micros, zone: &TimeZone) -> bool {
        local(now, zone).is_some_and(|local| {
            let minute = minute(local.time());
            (self.from..self.until).contains(&minute)
        })
    }

    /// The first moment from `now` on that is within the hours.
    pub fn next(self, now: Micros, zone: &TimeZone) -> Micros {
        if self.allow(now, zone) {
            return now;
        }
        let Some(local) = local(now, zone) else { return now };
        let minutes = i64::from(self.from);
        (0..DAYS_MAX)
            .filter_map(|days| {
                let date = local.date().checked_add(days.days()).ok()?;
                let start = date.to_datetime(civil::Time::midnight());
                let wanted = start.checked_add(minutes.minutes()).ok()?;
                instant(wanted, zone)
            })
            .find(|at| *at > now && self.allow(*at, zone))
            // A day whose first permitted minute the clock skips, of hours that are that short: an hour later, look again.
            .unwrap_or_else(|| now.plus(std::time::Duration::from_hours(1)))
    }

    /// How long it stays within the hours.
    pub fn left(self, now: Micros, zone: &TimeZone) -> std::time::Duration {
        let end = local(now, zone).and_then(|local| {
            let start = local.date().to_datetime(civil::Time::midnight());
            instant(start.checked_add(i64::from(self.until).minutes()).ok()?, zone)
        });
        end.map_or(std::time::Duration::ZERO, |end| end.since(now))
    }
}

/// The local time.
pub fn local(now: Micros, zone: &TimeZone) -> Option<civil::DateTime> {
    Timestamp::from_microsecond(now.0).ok().map(|at| zone.to_datetime(at))
}

/// The instant of a local time; of one that the clock shows twice the first, of one that it skips the one after the gap.
pub fn instant(local: civil::DateTime, zone: &TimeZone) -> Option<Micros> {
    let at = zone.to_ambiguous_timestamp(local).compatible().ok()?;
    Some(Micros(at.as_microsecond()))
}

fn minute(time: civil::Time) -> u32 {
    u32::try_from(i32::from(time.hour()) * 60 + i32::from(time.minute())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Hours = Hours { from: 8 * 60, until: 21 * 60 };

    #[track_caller]
    fn check(hours: Hours, zone: &str, now: &str, expected: &str) {
        let zone = TimeZone::get(zone).unwrap();
        let now = Micros::parse_rfc3339(now).unwrap();
        let next = hours.next(now, &zone);
        assert_eq!(next, Micros::parse_rfc3339(expected).unwrap(), "{}", next.rfc3339());
        assert!(hours.allow(next, &zone));
    }

    #[test]
    fn what_comes_at_night_waits_for_the_voters_own_morning() {
        check(DAY, "America/Denver", "2026-10-20T12:00:00-06:00", "2026-10-20T12:00:00-06:00");
        check(DAY, "America/Denver", "2026-10-20T20:59:59-06:00", "2026-10-20T20:59:59-06:00");
        check(DAY, "America/Denver", "2026-10-20T21:00:00-06:00", "2026-10-21T08:00:00-06:00");
        check(DAY, "America/Denver", "2026-10-20T07:59:00-06:00", "2026-10-20T08:00:00-06:00");
        check(DAY, "Pacific/Honolulu", "2026-10-20T12:00:00-06:00", "2026-10-20T08:00:00-10:00");
    }

    #[test]
    fn the_night_of_the_time_change_keeps_the_hours() {
        // Clocks go back on 1 November 2026, forward on 8 March 2026.
        check(DAY, "America/Denver", "2026-10-31T22:00:00-06:00", "2026-11-01T08:00:00-07:00");
        check(DAY, "America/Denver", "2026-03-07T22:00:00-07:00", "2026-03-08T08:00:00-06:00");
        let early = Hours { from: 2 * 60 + 30, until: 5 * 60 };
        check(early, "America/Denver", "2026-03-08T00:00:00-07:00", "2026-03-08T03:30:00-06:00");
    }

    #[test]
    fn a_voter_narrows_the_countys_hours_and_never_widens_them() {
        let of = |from, until| Hours { from, until };
        assert_eq!(of(600, 700).within(DAY), of(600, 700));
        assert_eq!(of(0, 1_440).within(DAY), DAY);
        assert_eq!(of(1_300, 1_400).within(DAY), DAY);
    }
}
