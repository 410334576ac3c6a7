//! What the supervisor's pages read beside the reports: a day by quarters and clerks, batches and notices page by page,
//! checkpoints, and the ballots that a number names.

use super::batch::newest_checkpoint;
use super::day::DayReport;
use super::{BallotStory, ReadError, Reader};
use crate::clock::Micros;
use crate::ledger::batches::BatchStory;
use crate::ledger::checkpoint::on_paper;
use crate::ledger::outbox::{self, OutboxEntry};
use crate::ledger::rows::{self, BallotRow};
use crate::ledger::tally::{self, QUARTER_MICROS};
use crate::scan::{Capture, CodeKind};
use rusqlite::{OptionalExtension as _, params};
use serde::Serialize;
use std::collections::BTreeMap;

/// Kinds of codes that an election is searched for.
const KINDS_MAX: usize = 64;

/// One local day with more of its detail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DaySheet {
    /// Its counts.
    #[serde(flatten)]
    pub report: DayReport,
    /// Its quarters of an hour with a scan, in order.
    pub quarters: Vec<QuarterScans>,
    /// The scans of each operator, and those of nobody, where there are some.
    pub clerks: Vec<ClerkScans>,
    /// The newest checkpoint, as it stands on paper.
    pub checkpoint: Option<String>,
}

/// The scans of a quarter of an hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuarterScans {
    /// Minutes from the day's first moment to its own.
    pub minute: i64,
    /// Its first moment, in local time with offset.
    pub from: String,
    /// Its scans by verdict, without zeros.
    pub scans: BTreeMap<String, i64>,
}

/// The scans of somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClerkScans {
    /// The operator who had signed in at the scanner when each was scanned, or who typed its number; null for the scans while
    /// nobody had.
    pub operator: Option<String>,
    /// Their scans by verdict, without zeros.
    pub scans: BTreeMap<String, i64>,
}

/// Batches, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchPage {
    /// The batches.
    pub batches: Vec<BatchStory>,
    /// Before which number the next page begins; null on the last.
    pub next: Option<i64>,
}

/// Changes that are not yet with the relay, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutboxPage {
    /// How many there are by where they stand.
    pub counts: BTreeMap<&'static str, i64>,
    /// The changes. Times are local with offset.
    pub changes: Vec<OutboxEntry>,
    /// After which row number the next page begins; null on the last.
    pub next: Option<i64>,
}

/// Checkpoints, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckpointPage {
    /// The checkpoints.
    pub checkpoints: Vec<CheckpointEntry>,
    /// Before which row number the next page begins; null on the last.
    pub next: Option<i64>,
}

/// A checkpoint in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckpointEntry {
    /// Row number of its own event.
    pub seq: i64,
    /// The row that it covers, and with it all before.
    pub of: i64,
    /// When it was made, in local time with offset.
    pub at: String,
    /// What stands on paper.
    pub paper: String,
    /// Whether the relay keeps it.
    pub witnessed: bool,
    /// The signed note.
    pub note: String,
}

impl Reader {
    /// The local day `day`, `YYYY-MM-DD`, with its quarters and clerks; none when that is no date.
    pub fn day_sheet(&self, day: &str, as_of: Micros) -> Result<Option<DaySheet>, ReadError> {
        let Some(report) = self.day(day, as_of)? else { return Ok(None) };
        let Some((from, until)) = self.bounds(day) else { return Ok(None) };
        self.snapshot(|| {
            let mut quarters: BTreeMap<i64, BTreeMap<String, i64>> = BTreeMap::new();
            let mut clerks: BTreeMap<Option<String>, BTreeMap<String, i64>> = BTreeMap::new();
            let bounds = (tally::quarter(from), tally::quarter(until));
            tally::scans_between(&self.conn, bounds, &mut |at| {
                let clerk = clerks.entry(at.operator.map(str::to_owned)).or_default();
                let sums = [quarters.entry(at.quarter).or_default(), clerk];
                for scans in sums {
                    *scans.entry(at.verdict.to_owned()).or_default() += at.n;
                }
            })?;
            let quarter = |(quarter, scans): (i64, _)| {
                let at = Micros(quarter.saturating_mul(QUARTER_MICROS));
                let minute = i64::try_from(at.since(from).as_secs() / 60).unwrap_or(0);
                QuarterScans { minute, from: self.zone.date_time(at), scans }
            };
            let clerk = |(operator, scans)| ClerkScans { operator, scans };
            Ok(Some(DaySheet {
                quarters: quarters.into_iter().map(quarter).collect(),
                clerks: clerks.into_iter().map(clerk).collect(),
                checkpoint: newest_checkpoint(&self.conn)?,
                report,
            }))
        })
    }

    /// At most `limit` batches before that number.
    pub fn batch_page(&self, before: i64, limit: usize) -> Result<BatchPage, ReadError> {
        self.snapshot(|| {
            let mut list = self.conn.prepare_cached(
                "SELECT number FROM batch WHERE number < ? ORDER BY number DESC LIMIT ?",
            )?;
            let mut numbers = list
                .query_map(params![before, super::rows_and_one(limit)], |row| row.get(0))?
                .collect::<rusqlite::Result<Vec<u32>>>()?;
            let next = super::cut(&mut numbers, limit, |number| i64::from(*number));
            let mut batches = Vec::new();
            for number in numbers {
                batches.extend(self.batch_story(number)?);
            }
            Ok(BatchPage { batches, next })
        })
    }

    /// At most `limit` changes that are not yet with the relay, after that row.
    pub fn outbox_page(&self, after: i64, limit: usize) -> Result<OutboxPage, ReadError> {
        self.snapshot(|| {
            let counted = tally::read(&self.conn, &tally::Scope::Outbox)?;
            let states = crate::ledger::apply::State::ALL;
            let counts = states.map(|state| (state.name(), super::count(&counted, state.name())));
            let mut changes = Vec::new();
            let bounds = (after, super::rows_and_one(limit));
            outbox::list(&self.conn, &self.zone, bounds, &mut |entry| changes.push(entry))?;
            let next = super::cut(&mut changes, limit, |entry: &OutboxEntry| entry.seq);
            Ok(OutboxPage { counts: counts.into(), changes, next })
        })
    }

    /// At most `limit` checkpoints before that row.
    pub fn checkpoints(&self, before: i64, limit: usize) -> Result<CheckpointPage, ReadError> {
        self.snapshot(|| {
            let mut list = self.conn.prepare_cached(
                "SELECT checkpoint.seq, checkpoint.of, covered.hash, own.body, \
                 checkpoint.witnessed IS NOT NULL, checkpoint.note FROM checkpoint \
                 JOIN event AS covered ON covered.seq = checkpoint.of \
                 JOIN event AS own ON own.seq = checkpoint.seq \
                 WHERE checkpoint.seq < ? ORDER BY checkpoint.seq DESC LIMIT ?",
            )?;
            let mut rows = list.query(params![before, super::rows_and_one(limit)])?;
            let mut checkpoints = Vec::new();
            while let Some(row) = rows.next()? {
                let (of, hash): (i64, [u8; 32]) = (row.get(1)?, row.get(2)?);
                checkpoints.push(CheckpointEntry {
                    seq: row.get(0)?,
                    of,
                    at: self.zone.date_time(rows::event_in(row, 3)?.at),
                    paper: on_paper(of, &hash),
                    witnessed: row.get(4)?,
                    note: row.get(5)?,
                });
            }
            let next = super::cut(&mut checkpoints, limit, |entry| entry.seq);
            Ok(CheckpointPage { checkpoints, next })
        })
    }

    /// The newest checkpoint, as it stands on paper.
    pub fn checkpoint_on_paper(&self) -> Result<Option<String>, ReadError> {
        self.snapshot(|| newest_checkpoint(&self.conn))
    }

    /// The ballots of an election that a number names: a ballot's, a voter's, another code's, or what an envelope's code says.
    pub fn find(
        &self,
        election: &str,
        number: &str,
        captures: &[Capture],
    ) -> Result<Vec<BallotStory>, ReadError> {
        self.snapshot(|| {
            let mut found: BTreeMap<i64, BallotRow> = BTreeMap::new();
            let mut add = |rows: Vec<BallotRow>| {
                found.extend(rows.into_iter().map(|row| (row.key, row)));
            };
            add(rows::named(&self.conn, election, &CodeKind::Ballot, number)?);
            for kind in self.kinds(election)? {
                add(rows::named(&self.conn, election, &CodeKind::from_name(&kind), number)?);
            }
            for Capture { names, code, .. } in captures {
                add(rows::named(&self.conn, election, names, code)?);
            }
            let mut stories = Vec::new();
            for row in found.values() {
                if self.is_decided(row)? {
                    stories.push(self.story(row)?);
                }
            }
            Ok(stories)
        })
    }

    /// The kinds of codes that an election has: each is found after the one before it, so no code is read.
    fn kinds(&self, election: &str) -> rusqlite::Result<Vec<String>> {
        let mut after = self
            .conn
            .prepare_cached("SELECT min(kind) FROM code WHERE election = ? AND kind > ?")?;
        let mut kinds: Vec<String> = Vec::new();
        while kinds.len() < KINDS_MAX {
            let last = kinds.last().map_or("", String::as_str);
            let next: Option<String> =
                after.query_row([election, last], |row| row.get(0)).optional()?.flatten();
            let Some(next) = next else { break };
            kinds.push(next);
        }
        Ok(kinds)
    }
}
