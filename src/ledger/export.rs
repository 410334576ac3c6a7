//! What leaves the station as a file: tables for people, a status file for `BallotTrax`, an event log for auditors.
//!
//! Constraints:
//!
//! - Memory does not grow with the ledger: rows are read in pages of [`PAGE_ROWS`] and written one by one.
//! - Each page is a read of its own, and nothing is read while something is written, so the write-ahead log of a running daemon
//!   can be copied into the ledger meanwhile, however slow whoever takes the file is.
//! - Events up to the newest one at the start are exported, in order; they never change. A ballot is exported as it stood when its
//!   page was read, which is at the start or later; ballots that are issued after the start are left out.
//! - Ids only: no name, no address, no payload that names no ballot.

mod ballottrax;
mod nist;
mod sheet;
mod tables;

use super::batches;
use super::fact::{By, Event, Fact, ScanFact, SetFact};
use super::report::{ReadError, Reader};
use super::rows;
use crate::ballot::{ElectionId, Status};
use crate::clock::Micros;
use rusqlite::{Row, params};
use std::collections::HashMap;
use std::io;

/// Rows read at a time.
const PAGE_ROWS: i64 = 2_000;

/// Events of one ballot that are looked at for the one that took its envelope in.
const LOOK_BACK_MAX: usize = 1_000;

/// Batches whose time of receipt is remembered while ballots are exported.
const BATCHES_KEPT_MAX: usize = 10_000;

/// What is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Export {
    /// Every ballot of the election, as CSV.
    Ballots,
    /// Every scan, as CSV.
    Scans,
    /// Every batch, as CSV.
    Batches,
    /// Every scan that somebody may have to look at, and every batch whose counts differ, as CSV.
    Exceptions,
    /// The ballots of the election as VR Systems' Ballot Status File for `BallotTrax`.
    BallottraxStatus,
    /// Every event, as NIST SP 1500-101 has election event logs.
    Nist1500101,
    /// What the event log's types and ids mean, in the form of the same standard.
    Nist1500101Documentation,
}

/// What was exported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// Rows, or events.
    pub rows: u64,
    /// Ballots that the file has no word for.
    pub left_out: u64,
    /// Ballots whose voter's id the file cannot carry: a spreadsheet could take it for a formula, and a changed id is another's.
    pub formulas: u64,
    /// The first of those ids.
    pub formula_ids: Vec<String>,
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The ledger cannot be read.
    #[error(transparent)]
    Read(ReadError),
    /// Whoever takes the file is gone, or the disk is full.
    #[error("the export could not be written")]
    Write(#[source] io::Error),
    /// A value has no JSON form.
    #[error("an event has no JSON form")]
    Json(#[source] serde_json::Error),
}

impl Reader {
    /// Writes an export. Ballots are those of `election`.
    pub fn export(
        &self,
        what: Export,
        election: Option<&ElectionId>,
        as_of: Micros,
        out: &mut dyn io::Write,
    ) -> Result<Exported, ExportError> {
        let exported = match what {
            Export::Ballots => tables::ballots(self, election, out)?,
            Export::Scans => tables::scans(self, out)?,
            Export::Batches => tables::batches(self, out)?,
            Export::Exceptions => tables::exceptions(self, as_of, out)?,
            Export::BallottraxStatus => ballottrax::export(self, election, out)?,
            Export::Nist1500101 => nist::export(self, election, as_of, out)?,
            Export::Nist1500101Documentation => nist::documentation(self, as_of, out)?,
        };
        out.flush().map_err(ExportError::Write)?;
        Ok(exported)
    }

    /// Every event up to the newest one, in order.
    fn each_event(
        &self,
        each: &mut dyn FnMut(Record) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        let head = self.number("SELECT coalesce(max(seq), 0) FROM event")?;
        let mut last = 0;
        while last < head {
            let until = head.min(last + PAGE_ROWS);
            let page = self.page(
                "SELECT seq, body, hash FROM event WHERE seq > ? AND seq <= ? ORDER BY seq",
                (last, until),
                &mut |row| {
                    Ok(Record {
                        seq: row.get(0)?,
                        event: rows::event_in(row, 1)?,
                        hash: row.get(2)?,
                    })
                },
            )?;
            last = until;
            page.into_iter().try_for_each(&mut *each)?;
        }
        Ok(())
    }

    /// Every ballot of the election, in the order in which they were issued.
    fn each_ballot(
        &self,
        election: Option<&ElectionId>,
        each: &mut dyn FnMut(Standing) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        let Some(election) = election else { return Ok(()) };
        let newest = self.number("SELECT coalesce(max(key), 0) FROM ballot")?;
        let mut receipts = Receipts { reader: self, of_batch: HashMap::new() };
        let mut last = 0;
        // Keys have hardly a gap, so that a page of keys is about a page of rows.
        while last < newest {
            let until = newest.min(last + PAGE_ROWS);
            let page = self.page(
                "SELECT election, ballot, voter, imb, style, status, reason, mailed, receive_until, \
                 (SELECT body ->> 'at' FROM event WHERE seq = status_seq), returned, last_seq FROM ballot \
                 WHERE key > ? AND key <= ? AND since NOT IN (SELECT number FROM import WHERE seq IS NULL) \
                 ORDER BY key",
                (last, until),
                &mut |row| {
                    if row.get_ref(0)?.as_str()? != election.as_str() {
                        return Ok(None);
                    }
                    let mut ballot = Standing::read(row)?;
                    ballot.returned = if ballot.status.is_in() {
                        receipts.returned(row.get(11)?, ballot.returned)?
                    } else {
                        None
                    };
                    Ok(Some(ballot))
                },
            )?;
            last = until;
            page.into_iter().flatten().try_for_each(&mut *each)?;
        }
        Ok(())
    }

    /// One page: what `read` makes of the rows between two numbers.
    fn page<T>(
        &self,
        sql: &str,
        (after, until): (i64, i64),
        read: &mut dyn FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, ExportError> {
        self.snapshot(|| {
            let mut statement = self.conn.prepare_cached(sql)?;
            let mut rows = statement.query(params![after, until])?;
            let mut page = Vec::new();
            while let Some(row) = rows.next()? {
                page.push(read(row)?);
            }
            Ok(page)
        })
        .map_err(ExportError::Read)
    }

    fn number(&self, sql: &str) -> Result<i64, ExportError> {
        self.snapshot(|| self.conn.query_row(sql, [], |row| row.get(0))).map_err(ExportError::Read)
    }
}

/// An event with its place in the chain.
struct Record {
    seq: i64,
    event: Event,
    hash: [u8; 32],
}

/// A ballot as it stands.
struct Standing {
    election: String,
    ballot: String,
    voter: String,
    imb: Option<String>,
    style: Option<String>,
    status: Status,
    reason: Option<String>,
    mailed: Option<Micros>,
    receive_until: Option<Micros>,
    /// When it came to stand there, unless it was issued so.
    since: Option<Micros>,
    /// When its envelope was received, while it is in the building: as the station recorded it, else as a file says.
    returned: Option<Micros>,
}

impl Standing {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let micros = |column| row.get::<_, Option<i64>>(column).map(|at| at.map(Micros));
        Ok(Self {
            election: row.get(0)?,
            ballot: row.get(1)?,
            voter: row.get(2)?,
            imb: row.get(3)?,
            style: row.get(4)?,
            status: Status::from_number(row.get(5)?)
                .ok_or_else(|| rows::foreign(5, "no status"))?,
            reason: row.get(6)?,
            mailed: micros(7)?,
            receive_until: micros(8)?,
            since: micros(9)?,
            returned: micros(10)?,
        })
    }
}

/// When envelopes were received: at their scan, unless their batch had been received before; else when a file says.
struct Receipts<'a> {
    reader: &'a Reader,
    of_batch: HashMap<u32, Option<Micros>>,
}

impl Receipts<'_> {
    /// When the ballot whose last event is that one came in; `by_file` is what a file says of it.
    fn returned(
        &mut self,
        last_seq: i64,
        by_file: Option<Micros>,
    ) -> rusqlite::Result<Option<Micros>> {
        let mut seq = last_seq;
        let mut looked = 0;
        while seq != 0 && looked < LOOK_BACK_MAX {
            looked += 1;
            let (event, prev) = self
                .reader
                .conn
                .prepare_cached("SELECT body, coalesce(ballot_prev, 0) FROM event WHERE seq = ?")?
                .query_row([seq], |row| Ok((rows::event_in(row, 0)?, row.get::<_, i64>(1)?)))?;
            match Passage::of(&event.fact) {
                Passage::Within => {}
                Passage::InByScan(batch) => {
                    return Ok(Some(self.of_batch(batch)?.unwrap_or(event.at)));
                }
                Passage::InByHand => return Ok(Some(event.at)),
                Passage::InByFile => return Ok(by_file.or(Some(event.at))),
                // What came in before that was taken back, so a file has brought it in since.
                Passage::Out => return Ok(by_file),
            }
            // The chain of a ballot's events only ever leads back.
            seq = if prev < seq { prev } else { 0 };
        }
        Ok(by_file)
    }

    fn of_batch(&mut self, number: u32) -> rusqlite::Result<Option<Micros>> {
        if let Some(known) = self.of_batch.get(&number) {
            return Ok(*known);
        }
        let opened = batches::opened(&self.reader.conn, number)?;
        let received_at = opened.and_then(|opened| opened.received_at);
        if self.of_batch.len() >= BATCHES_KEPT_MAX {
            self.of_batch.clear();
        }
        self.of_batch.insert(number, received_at);
        Ok(received_at)
    }
}

/// How an event takes a ballot in or out.
enum Passage {
    Within,
    /// By a scan of that batch.
    InByScan(u32),
    InByHand,
    /// By an import that announced it.
    InByFile,
    Out,
}

impl Passage {
    fn of(fact: &Fact) -> Self {
        let (from, to, way_in) = match fact {
            Fact::Scan(ScanFact { from: Some(from), to: Some(to), batch, .. }) => {
                (from, to, Self::InByScan(*batch))
            }
            Fact::Set(SetFact { from, to, method: By::Import, .. }) => (from, to, Self::InByFile),
            Fact::Set(SetFact { from, to, .. }) => (from, to, Self::InByHand),
            _ => return Self::Within,
        };
        match (from.is_in(), to.is_in()) {
            (false, true) => way_in,
            (true, false) => Self::Out,
            _ => Self::Within,
        }
    }
}
