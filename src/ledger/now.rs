//! What the clerk's page always shows: the open batch, the day, the last scans, and what is not yet with the relay.

use super::apply::State;
use super::batches::{IN_NO_BATCH, NO_BATCH};
use super::fact::Fact;
use super::report::{DayReport, NamedScans, ReadError, Reader};
use super::rows;
use super::tally::{self, Scope};
use crate::ballot::BallotId;
use crate::clock::Micros;
use crate::scan::Verdict;
use rusqlite::{OptionalExtension as _, params};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// Events among which the last scans are looked for: an import may add thousands between two scans. Those are passed over by their
/// kind, unread.
const LOOK_BACK: i64 = 50_000;

/// The station at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Now {
    /// The local date.
    pub day: String,
    /// The day's scans by verdict, zeros too. Codes of commands and badges, which are in no batch, are none.
    pub scans: BTreeMap<&'static str, i64>,
    /// The batch that the next scan goes to; none while the day's own is yet to begin.
    pub batch: Option<OpenNow>,
    /// Changes for the relay by where they stand, without those that are settled.
    pub outbox: BTreeMap<&'static str, i64>,
    /// When the oldest of them happened.
    pub oldest: Option<Micros>,
}

/// The batch that takes scans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenNow {
    /// Its number.
    pub number: u32,
    /// `<station>-<n>`.
    pub batch: String,
    /// What its scans do.
    pub mode: String,
    /// How its envelopes came.
    pub received_by: String,
    /// Its scans.
    pub scans: i64,
    /// Whether somebody opened it.
    pub by_hand: bool,
}

/// One of the last scans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScanNow {
    /// When it was judged.
    pub at: Micros,
    /// The scanner's configured name.
    pub scanner: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The ballot, where there is one.
    pub ballot: Option<BallotId>,
    /// Why, in words.
    pub reason: Option<String>,
    /// Its batch.
    pub batch: u32,
    /// Its position there, from 1; 0 in no batch.
    pub position: i64,
}

/// The scans of a day that are in a batch, by verdict.
fn in_batches(day: DayReport) -> BTreeMap<&'static str, i64> {
    let DayReport { mut scans, batches, .. } = day;
    for NamedScans { scans: commands, .. } in batches.iter().filter(|of| of.name == IN_NO_BATCH) {
        for (verdict, n) in commands {
            if let Some(sum) = scans.get_mut(verdict.as_str()) {
                *sum -= n;
            }
        }
    }
    scans
}

impl Reader {
    /// The station at this moment, with what a batch of that mode is for where none is open.
    pub fn now(&self, at: Micros) -> Result<Now, ReadError> {
        let day = self.zone.date(at);
        let scans = self.day(&day, at)?.map_or_else(BTreeMap::new, in_batches);
        self.snapshot(|| {
            let outbox = tally::read(&self.conn, &Scope::Outbox)?;
            let unsettled = [State::Held, State::Owed, State::SetAside];
            let count = |state: State| outbox.get(state.name()).copied().unwrap_or(0);
            Ok(Now {
                batch: self.open_now(&day)?,
                outbox: unsettled.map(|state| (state.name(), count(state))).into(),
                oldest: self.oldest_unsettled()?,
                day,
                scans,
            })
        })
    }

    /// The last scans, the newest first.
    pub fn last_scans(&self, limit: usize) -> Result<Vec<ScanNow>, ReadError> {
        self.snapshot(|| {
            let mut events = self.conn.prepare_cached(
                "SELECT body FROM event WHERE seq > (SELECT max(seq) FROM event) - ? \
                 AND body ->> 'kind' = 'scan' ORDER BY seq DESC LIMIT ?",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut rows = events.query(params![LOOK_BACK, limit])?;
            let mut scans = Vec::new();
            // The position of the next scan of each batch that is met: no scan between the newest and it is passed over.
            let mut positions: HashMap<u32, i64> = HashMap::from([(NO_BATCH, 0)]);
            while let Some(row) = rows.next()? {
                let event = rows::event_in(row, 0)?;
                let Fact::Scan(scan) = event.fact else { continue };
                let position = match positions.get(&scan.batch) {
                    Some(position) => *position,
                    None => self.scans_of(scan.batch)?,
                };
                positions.insert(scan.batch, position.saturating_sub(1).max(0));
                scans.push(ScanNow {
                    at: event.at,
                    scanner: scan.scanner,
                    verdict: scan.verdict,
                    ballot: scan.ballot,
                    reason: scan.reason,
                    batch: scan.batch,
                    position,
                });
            }
            Ok(scans)
        })
    }

    fn scans_of(&self, batch: u32) -> rusqlite::Result<i64> {
        Ok(tally::read(&self.conn, &Scope::Batch(batch))?.values().sum())
    }

    /// The batch that was opened by hand, else the day's own.
    fn open_now(&self, day: &str) -> rusqlite::Result<Option<OpenNow>> {
        let row = self
            .conn
            .prepare_cached(
                "SELECT number, mode, received_by, day IS NULL FROM batch \
                 WHERE closed IS NULL AND (day IS NULL OR day = ?) ORDER BY day IS NULL DESC, number LIMIT 1",
            )?
            .query_row([day], |row| {
                let found: (u32, String, String, bool) =
                    (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
                Ok(found)
            })
            .optional()?;
        let Some((number, mode, received_by, by_hand)) = row else { return Ok(None) };
        let station = self.station()?;
        Ok(Some(OpenNow {
            number,
            batch: format!("{station}-{number}"),
            mode,
            received_by,
            scans: self.scans_of(number)?,
            by_hand,
        }))
    }

    /// When the oldest change happened that is not with the relay.
    fn oldest_unsettled(&self) -> rusqlite::Result<Option<Micros>> {
        let mut oldest = self
            .conn
            .prepare_cached("SELECT min(seq) FROM outbox WHERE state = ? AND state < 3")?;
        let mut first: Option<i64> = None;
        for state in [State::Held, State::Owed, State::SetAside] {
            let seq: Option<i64> = oldest.query_row([state as i64], |row| row.get(0))?;
            first = first.into_iter().chain(seq).min();
        }
        first.map(|seq| Ok(rows::event(&self.conn, seq)?.at)).transpose()
    }
}
