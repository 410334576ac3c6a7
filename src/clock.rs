//! Time as an argument: what a stage may know of now, and how instants are stored and spoken.

use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Timestamp, civil};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// An instant: microseconds since 1970-01-01T00:00:00Z. Everything the ledger stores is one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(pub i64);

impl Micros {
    /// This instant and a while.
    #[must_use]
    pub fn plus(self, while_: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(while_.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long from `earlier` to this; zero when it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
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

/// What tells the time. Tests own theirs.
pub trait Clock: std::fmt::Debug + Send + Sync {
    /// The wall clock. It may jump either way.
    fn now(&self) -> Micros;
    /// Time since some fixed moment; it never goes back, whatever happens to the wall clock.
    fn elapsed(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose [`Clock::elapsed`] counts from here.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    #[expect(clippy::new_without_default, reason = "a clock is started, not defaulted")]
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> Micros {
        let micros = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
        };
        Micros(micros)
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A clock that stands still until it is told otherwise.
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicI64,
    elapsed: AtomicI64,
}

impl ManualClock {
    /// A clock that says `now`.
    pub const fn new(now: Micros) -> Self {
        Self { now: AtomicI64::new(now.0), elapsed: AtomicI64::new(0) }
    }

    /// Time passes.
    pub fn advance(&self, while_: Duration) {
        let micros = i64::try_from(while_.as_micros()).unwrap_or(i64::MAX);
        self.now.fetch_add(micros, Ordering::SeqCst);
        self.elapsed.fetch_add(micros, Ordering::SeqCst);
    }

    /// Somebody sets the wall clock; no time passes.
    pub fn set(&self, now: Micros) {
        self.now.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Micros {
        Micros(self.now.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.elapsed.load(Ordering::SeqCst)).unwrap_or(0))
    }
}

/// Why a text is no local time.
#[derive(Debug, thiserror::Error)]
pub enum CivilError {
    /// Not `YYYY-MM-DD`, `YYYY-MM-DDTHH:MM` or the same with seconds.
    #[error("it is not a local time such as 2026-11-03T19:00")]
    Form(#[source] jiff::Error),
    /// The zone has no such instant that can be stored.
    #[error("that time cannot be placed in the zone")]
    Place(#[source] jiff::Error),
    /// Not to the minute, or with an offset.
    #[error("it is not a local time to the minute, such as 2026-11-03T19:00")]
    Shape,
    /// The clock is set back over it.
    #[error("the clock shows it twice that night: {first} or {second}")]
    Twice {
        /// With the offset before the change.
        first: String,
        /// With the offset after it.
        second: String,
    },
    /// The clock is set forward over it.
    #[error(
        "the clock skips it that night; with the offsets before and after it is {first} or {second}"
    )]
    Skipped {
        /// With the offset before the change.
        first: String,
        /// With the offset after it.
        second: String,
    },
}

/// A time of day on the wall, to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOfDay(civil::Time);

impl TimeOfDay {
    /// Reads `HH:MM`, from `00:00` to `23:59`.
    pub fn parse(text: &str) -> Option<Self> {
        let shape: String =
            text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        let time = text.parse().ok().filter(|_| shape == "00:00")?;
        Some(Self(time))
    }

    /// That time; an hour or a minute that there is none of is midnight's.
    pub const fn new(hour: i8, minute: i8) -> Self {
        if hour < 0 || hour > 23 || minute < 0 || minute > 59 {
            return Self(civil::Time::midnight());
        }
        Self(civil::time(hour, minute, 0, 0))
    }
}

/// The facility's time zone: deadlines are written, and reports are read, in local civil time.
#[derive(Debug, Clone)]
pub struct Zone(TimeZone);

impl Zone {
    /// The zone of an IANA name such as `America/Denver`, from the time zone database that is built in.
    pub fn named(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().map(Self)
    }

    /// Coordinated Universal Time.
    pub const fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The instant of a local date and time. One that a time change skips or repeats is taken as RFC 5545 does: the later
    /// clock reading before the gap, the first of the two in the fold.
    pub fn instant(&self, local: &str) -> Result<Micros, CivilError> {
        let local: civil::DateTime = local.parse().map_err(CivilError::Form)?;
        let zoned = local.to_zoned_datetime(self.0.clone()).map_err(CivilError::Place)?;
        Ok(Micros(zoned.timestamp().as_microsecond()))
    }

    /// The instant of `YYYY-MM-DDTHH:MM`, with or without seconds, if the clock shows it once: a deadline is one instant. A date
    /// alone would be its first midnight, and an offset would be ignored: neither is what a deadline means.
    pub fn exact(&self, local: &str) -> Result<Micros, CivilError> {
        if !is_to_the_minute(local) {
            return Err(CivilError::Shape);
        }
        let local: civil::DateTime = local.parse().map_err(CivilError::Form)?;
        let of = |offset: Offset| {
            let instant = offset.to_timestamp(local).map_err(CivilError::Place)?;
            Ok(Micros(instant.as_microsecond()))
        };
        match self.0.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => of(offset),
            AmbiguousOffset::Fold { before, after } => {
                let (first, second) = (of(before)?, of(after)?);
                let (first, second) = (self.date_time(first), self.date_time(second));
                Err(CivilError::Twice { first, second })
            }
            AmbiguousOffset::Gap { before, after } => {
                let (first, second) = (of(before)?, of(after)?);
                let (first, second) = (self.date_time(first), self.date_time(second));
                Err(CivilError::Skipped { first, second })
            }
        }
    }

    /// The local date, `2026-11-03`.
    pub fn date(&self, at: Micros) -> String {
        self.zoned(at).map_or_else(String::new, |zoned| zoned.date().to_string())
    }

    /// The local date and time with its offset, `2026-11-03T19:00:00-07:00`: what every form says.
    pub fn date_time(&self, at: Micros) -> String {
        self.zoned(at).map_or_else(
            || at.rfc3339(),
            |zoned| zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        )
    }

    /// The last moment up to `now` at which it was that time of day. Each date has one: a time that a time change skips is
    /// taken as [`Zone::instant`] takes it, and of one that it repeats the first.
    pub fn last(&self, time: TimeOfDay, now: Micros) -> Option<Micros> {
        let today = self.zoned(now)?.date();
        [Some(today), today.yesterday().ok()]
            .into_iter()
            .flatten()
            .filter_map(|date| date.to_datetime(time.0).to_zoned_datetime(self.0.clone()).ok())
            .map(|zoned| Micros(zoned.timestamp().as_microsecond()))
            .find(|at| *at <= now)
    }

    /// The local date that many months later, or the last of its month where that has no such day.
    pub fn date_after(&self, at: Micros, months: u16) -> Option<String> {
        let date = self.zoned(at)?.date();
        date.checked_add(jiff::Span::new().months(i64::from(months))).ok().map(|d| d.to_string())
    }

    fn zoned(&self, at: Micros) -> Option<jiff::ZonedDateTime> {
        Timestamp::from_microsecond(at.0)
            .ok()
            .map(|instant| instant.to_zoned_datetime(self.0.clone()))
    }
}

fn is_to_the_minute(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    matches!(shape.as_str(), "0000-00-00T00:00" | "0000-00-00T00:00:00")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_the_local_evening() {
        let denver = Zone::named("America/Denver").unwrap();
        let deadline = denver.instant("2026-11-03T19:00").unwrap();
        assert_eq!(deadline.rfc3339(), "2026-11-04T02:00:00.000000Z");
        assert_eq!(denver.date_time(deadline), "2026-11-03T19:00:00-07:00");
        assert_eq!(denver.date(deadline), "2026-11-03");
        assert_eq!(Micros::parse_rfc3339("2026-11-03T19:00:00-07:00"), Some(deadline));
    }

    #[test]
    fn the_night_of_the_time_change_has_an_answer_for_every_reading() {
        let denver = Zone::named("America/Denver").unwrap();
        let fold = denver.instant("2026-11-01T01:30").unwrap();
        assert_eq!(denver.date_time(fold), "2026-11-01T01:30:00-06:00");
        let gap = denver.instant("2027-03-14T02:30").unwrap();
        assert_eq!(denver.date_time(gap), "2027-03-14T03:30:00-06:00");
    }

    #[test]
    fn a_deadline_is_one_instant_or_says_which_two() {
        let denver = Zone::named("America/Denver").unwrap();
        let said = |text| match denver.exact(text) {
            Ok(instant) => denver.date_time(instant),
            Err(error) => error.to_string(),
        };
        for (text, expected) in [
            ("2026-11-03T19:00", "2026-11-03T19:00:00-07:00"),
            ("2026-11-01T00:59:59", "2026-11-01T00:59:59-06:00"),
            ("2026-11-01T02:00", "2026-11-01T02:00:00-07:00"),
            ("2027-03-14T03:00", "2027-03-14T03:00:00-06:00"),
        ] {
            assert_eq!(said(text), expected);
        }
        let twice = "twice that night: 2026-11-01T01:30:00-06:00 or 2026-11-01T01:30:00-07:00";
        assert!(said("2026-11-01T01:30").ends_with(twice));
        let skipped = "2027-03-14T03:30:00-06:00 or 2027-03-14T01:30:00-07:00";
        assert!(said("2027-03-14T02:30").ends_with(skipped));
        for text in ["2026-11-03", "2026-11-03T19:00-07:00", "2026-11-03T19:00Z", "2026-11-03 19"] {
            assert!(said(text).contains("to the minute"), "{text}: {}", said(text));
        }
        assert!(said("2026-11-31T19:00").starts_with("it is not a local time such as"));
    }

    #[test]
    fn every_date_has_each_time_of_day_once() {
        let denver = Zone::named("America/Denver").unwrap();
        let night = TimeOfDay::parse("02:30").unwrap();
        for (now, last) in [
            ("2026-11-03T02:29", "2026-11-02T02:30:00-07:00"),
            ("2026-11-03T02:30", "2026-11-03T02:30:00-07:00"),
            ("2026-11-02T00:30", "2026-11-01T02:30:00-07:00"),
            ("2027-03-14T03:29", "2027-03-13T02:30:00-07:00"),
            ("2027-03-14T03:30", "2027-03-14T03:30:00-06:00"),
            ("2027-03-15T00:30", "2027-03-14T03:30:00-06:00"),
        ] {
            let found = denver.last(night, denver.instant(now).unwrap()).unwrap();
            assert_eq!(denver.date_time(found), last, "{now}");
        }
        // 01:30 comes twice that night, an hour apart.
        let twice = TimeOfDay::new(1, 30);
        let first = denver.instant("2026-11-01T01:30").unwrap();
        let second = first.plus(Duration::from_hours(1));
        assert_eq!(denver.last(twice, second), Some(first));
    }

    #[test]
    fn a_time_of_day_is_five_characters() {
        for text in ["", "2:30", "02:30:00", "24:00", "02:60", "02.30", "T02:30"] {
            assert_eq!(TimeOfDay::parse(text), None, "{text}");
        }
        assert_eq!(TimeOfDay::parse("23:59"), Some(TimeOfDay::new(23, 59)));
    }

    #[test]
    fn months_later_is_a_date_of_that_month() {
        let denver = Zone::named("America/Denver").unwrap();
        let day = |text| denver.instant(text).unwrap();
        assert_eq!(denver.date_after(day("2026-11-03T19:00"), 22).unwrap(), "2028-09-03");
        assert_eq!(denver.date_after(day("2026-10-31T19:00"), 4).unwrap(), "2027-02-28");
    }

    #[test]
    fn what_is_no_local_time_is_refused() {
        let utc = Zone::utc();
        for text in ["", "tomorrow", "2026-13-01", "2026-11-03 7pm", "2026-02-30T00:00"] {
            let error = utc.instant(text).map(Micros::rfc3339).unwrap_err();
            assert!(matches!(error, CivilError::Form(_)), "{text}: {error:?}");
        }
        assert!(Zone::named("America/Nowhere").is_none());
    }

    #[test]
    fn setting_the_wall_clock_does_not_pass_time() {
        let clock = ManualClock::new(Micros(1_000));
        clock.set(Micros(5));
        assert_eq!((clock.now(), clock.elapsed()), (Micros(5), Duration::ZERO));
        clock.advance(Duration::from_micros(7));
        assert_eq!((clock.now(), clock.elapsed()), (Micros(12), Duration::from_micros(7)));
    }
}
