//! What was scanned on one local day: by hour, by scanner and by batch.

use super::{ReadError, Reader, zeros};
use crate::clock::Micros;
use crate::ledger::batches;
use crate::ledger::tally::{self, QUARTER_MICROS, ScansAt};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// From a midnight this is within the next day, however long the one is that ends: one to two hours around 24.
const INTO_NEXT_DAY: Duration = Duration::from_hours(30);

/// One local day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DayReport {
    /// The local date.
    pub day: String,
    /// Its first moment, in local time with offset.
    pub from: String,
    /// The first moment after it, likewise.
    pub until: String,
    /// When it was asked, likewise.
    pub as_of: String,
    /// Scans by verdict, zeros too.
    pub scans: BTreeMap<&'static str, i64>,
    /// The hours with a scan, in order. In the night of the time change one hour comes twice, with two offsets.
    pub hours: Vec<HourScans>,
    /// The scanners with a scan.
    pub scanners: Vec<NamedScans>,
    /// The batches with a scan.
    pub batches: Vec<NamedScans>,
}

/// The scans of an hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HourScans {
    /// Its first moment, in local time with offset.
    pub hour: String,
    /// Its scans by verdict, without zeros.
    pub scans: BTreeMap<String, i64>,
}

/// The scans of a scanner or of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedScans {
    /// The scanner's configured name, or `<station>-<n>`.
    pub name: String,
    /// Its scans of that day by verdict, without zeros.
    pub scans: BTreeMap<String, i64>,
}

impl Reader {
    /// What was scanned on the local day `day`, `YYYY-MM-DD`; none when that is no date.
    pub fn day(&self, day: &str, as_of: Micros) -> Result<Option<DayReport>, ReadError> {
        let Some((from, until)) = self.bounds(day) else { return Ok(None) };
        self.snapshot(|| {
            let mut sums = Sums::default();
            let mut scans = zeros();
            let quarters = (tally::quarter(from), tally::quarter(until));
            tally::scans_between(&self.conn, quarters, &mut |at| {
                if let Some(sum) = scans.get_mut(at.verdict) {
                    *sum += at.n;
                }
                sums.add(self, &at);
            })?;
            let station = self.station()?;
            let named = |(name, scans)| NamedScans { name, scans };
            let batch =
                |(number, scans)| NamedScans { name: batches::name(&station, number), scans };
            Ok(Some(DayReport {
                day: day.to_owned(),
                from: self.zone.date_time(from),
                until: self.zone.date_time(until),
                as_of: self.zone.date_time(as_of),
                scans,
                hours: sums.hours.into_values().collect(),
                scanners: sums.scanners.into_iter().map(named).collect(),
                batches: sums.batches.into_iter().map(batch).collect(),
            }))
        })
    }

    /// The first moment of a local day, and the first one after it.
    pub(super) fn bounds(&self, day: &str) -> Option<(Micros, Micros)> {
        let from = self.zone.instant(day).ok()?;
        // A date and nothing else, written as dates are.
        if self.zone.date(from) != day {
            return None;
        }
        let until = self.zone.instant(&self.zone.date(from.plus(INTO_NEXT_DAY))).ok()?;
        Some((from, until))
    }

    /// The hour in which a quarter begins, in local time with offset.
    pub(super) fn hour(&self, quarter: i64) -> String {
        let text = self.zone.date_time(Micros(quarter.saturating_mul(QUARTER_MICROS)));
        match (text.get(..13), text.get(19..)) {
            (Some(hour), Some(offset)) => format!("{hour}:00:00{offset}"),
            _ => text,
        }
    }
}

/// The day's counts in the making.
#[derive(Default)]
struct Sums {
    /// By the first quarter that was met in the hour.
    hours: BTreeMap<i64, HourScans>,
    scanners: BTreeMap<String, BTreeMap<String, i64>>,
    batches: BTreeMap<u32, BTreeMap<String, i64>>,
}

impl Sums {
    fn add(&mut self, reader: &Reader, at: &ScansAt<'_>) {
        let hour = reader.hour(at.quarter);
        let known =
            self.hours.last_entry().filter(|last| last.get().hour == hour).map(|last| *last.key());
        let hours = self
            .hours
            .entry(known.unwrap_or(at.quarter))
            .or_insert_with(|| HourScans { hour, scans: BTreeMap::new() });
        for scans in [
            &mut hours.scans,
            self.scanners.entry(at.scanner.to_owned()).or_default(),
            self.batches.entry(at.batch).or_default(),
        ] {
            *scans.entry(at.verdict.to_owned()).or_default() += at.n;
        }
    }
}
