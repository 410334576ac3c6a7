//! What people ask of the ledger: its reports and one ballot's story. Read beside a running daemon, and never by reading a
//! million rows: what is counted is kept in `tally` as it changes.

mod batch;
mod day;
mod exceptions;
mod imports;
mod pages;
mod pulled;
mod reconciliation;
mod story;
mod undoable;

pub use self::batch::BatchSheet;
pub use self::day::{DayReport, HourScans, NamedScans};
pub use self::exceptions::{After, Exception, Exceptions, Mover, Pulled};
pub use self::imports::{FieldDifference, ImportDifference, ImportEntry, ImportPage, ImportSheet};
pub use self::pages::{
    BatchPage, CheckpointEntry, CheckpointPage, ClerkScans, DaySheet, OutboxPage, QuarterScans,
};
pub use self::reconciliation::{BatchDay, Flow, HandCounts, Reconciliation, ScanSums};
pub use self::story::{BallotStory, Chapter, VoterChange};
pub use self::undoable::Undoable;

use super::apply::State;
use super::fact::{Fact, Opened};
use super::judge::REPEATS;
use super::outbox::{self, OutboxEntry};
use super::rows;
use super::schema::{self, SchemaError};
use super::tally::{self, Scope};
use crate::ballot::{ElectionId, Status};
use crate::clock::{Micros, Zone};
use crate::scan::Verdict;
use rusqlite::{Connection, OptionalExtension as _};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Why the ledger gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It cannot be opened.
    #[error(transparent)]
    Open(SchemaError),
    /// SQLite failed.
    #[error("cannot read the ledger {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
}

/// The ledger, opened to read.
#[derive(Debug)]
pub struct Reader {
    pub(super) conn: Connection,
    path: PathBuf,
    pub(super) zone: Zone,
}

/// The station's report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The election that the ballots are counted of.
    pub election: Option<String>,
    /// When, in local time with offset.
    pub as_of: String,
    /// Ballots by status, zeros too.
    pub ballots: BTreeMap<&'static str, i64>,
    /// Scans by verdict, zeros too.
    pub scans: BTreeMap<&'static str, i64>,
    /// Repeats, which are no scans.
    pub repeats: i64,
    /// Half frames that were dropped.
    pub no_reads: i64,
    /// The batches, in order.
    pub batches: Vec<BatchReport>,
    /// Changes for the relay by where they stand.
    pub outbox: BTreeMap<&'static str, i64>,
}

/// One batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchReport {
    /// `<station>-<n>`.
    pub batch: String,
    /// The station's running batch of this local date; null for one that was opened by hand.
    pub day: Option<String>,
    /// What its scans do.
    pub mode: String,
    /// How its envelopes came.
    pub received_by: String,
    /// When it was opened, in local time with offset.
    pub opened: String,
    /// When it was closed, likewise; null while it takes scans.
    pub closed: Option<String>,
    /// Whether all that its scans moved was taken back.
    pub reversed: bool,
    /// Its scans by verdict, without zeros.
    pub scans: BTreeMap<String, i64>,
}

impl Reader {
    /// Opens the ledger at `path`; times are told in `zone`.
    pub fn open(path: &Path, zone: Zone) -> Result<Self, ReadError> {
        let conn = schema::open_reader(path).map_err(ReadError::Open)?;
        Ok(Self { conn, path: path.to_owned(), zone })
    }

    /// The report; of `election`, else of the whole ledger's scans with no ballots.
    pub fn report(
        &self,
        election: Option<&ElectionId>,
        as_of: Micros,
    ) -> Result<Report, ReadError> {
        self.snapshot(|| self.report_of(election, as_of))
    }

    /// Whether the ledger has ballots of this election.
    pub fn knows(&self, election: &ElectionId) -> Result<bool, ReadError> {
        let scope = Scope::Ballots(election.clone()).text();
        self.snapshot(|| {
            self.conn.prepare_cached("SELECT 1 FROM tally WHERE scope = ?")?.exists([scope])
        })
    }

    /// Every change that is not yet with the relay, in order.
    pub fn outbox(&self, each: &mut dyn FnMut(OutboxEntry)) -> Result<(), ReadError> {
        self.snapshot(|| outbox::list(&self.conn, &self.zone, outbox::ALL, each))
    }

    /// All that `ask` reads is of one moment.
    pub(super) fn snapshot<T>(
        &self,
        ask: impl FnOnce() -> rusqlite::Result<T>,
    ) -> Result<T, ReadError> {
        let read = || {
            self.conn.execute_batch("BEGIN")?;
            let answer = ask();
            self.conn.execute_batch("COMMIT")?;
            answer
        };
        read().map_err(|source| ReadError::Read { path: self.path.clone(), source })
    }

    fn report_of(&self, election: Option<&ElectionId>, as_of: Micros) -> rusqlite::Result<Report> {
        let ballots = self.ballots(election)?;
        let outbox = tally::read(&self.conn, &Scope::Outbox)?;
        let working = tally::read(&self.conn, &Scope::Working)?;
        let batches = self.batches()?;
        let mut scans = zeros();
        for of_batch in tally::of_batches(&self.conn)?.values() {
            add(&mut scans, of_batch);
        }
        Ok(Report {
            election: election.map(ToString::to_string),
            as_of: self.zone.date_time(as_of),
            ballots,
            scans,
            repeats: count(&working, REPEATS),
            no_reads: count(&working, super::writer::NO_READS),
            batches,
            outbox: State::ALL.map(|s| (s.name(), count(&outbox, s.name()))).into(),
        })
    }

    /// The ballots of an election by status.
    fn ballots(
        &self,
        election: Option<&ElectionId>,
    ) -> rusqlite::Result<BTreeMap<&'static str, i64>> {
        let ballots = match election {
            Some(election) => tally::read(&self.conn, &Scope::Ballots(election.clone()))?,
            None => HashMap::new(),
        };
        Ok(Status::ALL.map(|s| (s.name(), count(&ballots, s.name()))).into())
    }

    fn batches(&self) -> rusqlite::Result<Vec<BatchReport>> {
        let station = self.station()?;
        let mut scans = tally::of_batches(&self.conn)?;
        let mut batches = self.conn.prepare(
            "SELECT number, day, mode, received_by, opening.body ->> 'at', closing.body ->> 'at', \
             reversed IS NOT NULL \
             FROM batch JOIN event AS opening ON opening.seq = batch.seq \
             LEFT JOIN event AS closing ON closing.seq = batch.closed ORDER BY number",
        )?;
        let mut rows = batches.query([])?;
        let mut reports = Vec::new();
        while let Some(row) = rows.next()? {
            let number: u32 = row.get(0)?;
            let closed: Option<i64> = row.get(5)?;
            reports.push(BatchReport {
                batch: format!("{station}-{number}"),
                day: row.get(1)?,
                mode: row.get(2)?,
                received_by: row.get(3)?,
                opened: self.zone.date_time(Micros(row.get(4)?)),
                closed: closed.map(|at| self.zone.date_time(Micros(at))),
                reversed: row.get(6)?,
                scans: scans.remove(&number).unwrap_or_default(),
            });
        }
        Ok(reports)
    }

    /// The station whose ledger it is.
    pub(super) fn station(&self) -> rusqlite::Result<String> {
        Ok(self.opened()?.map(|opened| opened.station).unwrap_or_default())
    }

    /// Whose ledger it is.
    pub(super) fn opened(&self) -> rusqlite::Result<Option<Opened>> {
        let first = self
            .conn
            .query_row("SELECT body FROM event WHERE seq = 1", [], |row| rows::event_in(row, 0))
            .optional()?;
        Ok(match first.map(|event| event.fact) {
            Some(Fact::Opened(opened)) => Some(opened),
            _ => None,
        })
    }
}

/// One row more than a page has says whether there is a next page.
fn rows_and_one(limit: usize) -> i64 {
    i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX)
}

/// Leaves a page's rows; the last of them, where there is a next page.
fn cut<T>(rows: &mut Vec<T>, limit: usize, number: impl Fn(&T) -> i64) -> Option<i64> {
    let more = rows.len() > limit;
    rows.truncate(limit);
    rows.last().filter(|_| more).map(number)
}

/// A count of a scope; none is zero.
fn count(of: &HashMap<String, i64>, name: &str) -> i64 {
    of.get(name).copied().unwrap_or(0)
}

/// Every verdict, not once.
fn zeros() -> BTreeMap<&'static str, i64> {
    Verdict::ALL.map(|verdict| (verdict.name(), 0)).into()
}

/// Adds counts by verdict.
fn add(sums: &mut BTreeMap<&'static str, i64>, counts: &BTreeMap<String, i64>) {
    for (verdict, n) in counts {
        if let Some(sum) = sums.get_mut(verdict.as_str()) {
            *sum += n;
        }
    }
}
