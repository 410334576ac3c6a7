//! What somebody has to look at: envelopes that moved no ballot though they were meant to, and batches whose counts differ.
//!
//! Envelopes that must be pulled come first; then what waits for a supervisor, the oldest first; then all others, the newest
//! first. A page has a bound, and says where the next one begins.

use super::{ReadError, Reader};
use crate::ballot::Status;
use crate::clock::Micros;
use crate::ledger::batches;
use crate::ledger::fact::{Event, Fact, Who};
use crate::ledger::rows;
use rusqlite::{Row, params};
use serde::Serialize;

/// A page of exceptions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are the report's in JSON")]
pub struct Exceptions {
    /// When it was asked, in local time with offset.
    pub as_of: String,
    /// The exceptions.
    pub exceptions: Vec<Exception>,
    /// What `--after` takes to go on; null on the last page.
    pub next: Option<String>,
}

/// An exception.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exception {
    /// Row number of its event.
    pub seq: i64,
    /// The event's id.
    pub id: String,
    /// The verdict of the scan, `difference`, or `to_pull`.
    pub what: String,
    /// When, in local time with offset.
    pub at: String,
    /// The scanner.
    pub scanner: Option<String>,
    /// The batch, `<station>-<n>`.
    pub batch: String,
    /// The ballot's election.
    pub election: Option<String>,
    /// The ballot, where one is named.
    pub ballot: Option<String>,
    /// Why, in words.
    pub reason: Option<String>,
    /// What was counted by hand less what was scanned.
    pub difference: Option<i64>,
    /// Whether the ballot of a scan that was held or late was moved on since; null where nothing in the ledger could say so.
    pub settled: Option<bool>,
    /// Of an envelope to pull, what `reason` says, for those who tell it in another language.
    #[serde(skip)]
    pub pulled: Option<Pulled>,
}

/// What moved a ballot out after its envelope had come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// Where the ballot stands.
    pub status: Status,
    /// Why.
    pub reason: Option<String>,
    /// Who or what moved it.
    pub by: Mover,
}

/// Who or what moved a ballot out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mover {
    /// A mail ballot file of that name.
    File(String),
    /// Somebody.
    Person(Who),
}

impl Exception {
    /// Whether it waits for somebody.
    pub fn is_open(&self) -> bool {
        self.pulled.is_some() || self.settled == Some(false)
    }
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Among those to pull, after this ballot's row.
    ToPull(i64),
    /// Among those that wait, after this row.
    Waiting(i64),
    /// Among the others, before this row.
    Other(i64),
}

impl After {
    /// The first page.
    pub const START: Self = Self::ToPull(0);

    /// Reads what `next` said.
    pub fn parse(text: &str) -> Option<Self> {
        let (part, seq) = text.split_once('-')?;
        let seq = seq.parse().ok()?;
        match part {
            "pull" => Some(Self::ToPull(seq)),
            "open" => Some(Self::Waiting(seq)),
            "other" => Some(Self::Other(seq)),
            _ => None,
        }
    }

    fn text(self) -> String {
        match self {
            Self::ToPull(key) => format!("pull-{key}"),
            Self::Waiting(seq) => format!("open-{seq}"),
            Self::Other(seq) => format!("other-{seq}"),
        }
    }
}

impl Reader {
    /// At most `limit` exceptions.
    pub fn exceptions(
        &self,
        after: After,
        limit: usize,
        as_of: Micros,
    ) -> Result<Exceptions, ReadError> {
        self.snapshot(|| {
            let station = self.station()?;
            // One more says whether there is a next page.
            let wanted = limit.saturating_add(1);
            let mut found = Vec::new();
            if let After::ToPull(key) = after {
                let to_pull = self.to_pull(key, wanted)?;
                found.extend(to_pull.into_iter().map(|(key, one)| (After::ToPull(key), one)));
            }
            let after_seq = match after {
                After::ToPull(_) => 0,
                After::Waiting(seq) => seq,
                After::Other(_) => i64::MAX,
            };
            if found.len() < wanted {
                let waiting = self.waiting(&station, after_seq, wanted - found.len())?;
                found.extend(waiting.into_iter().map(|one| (After::Waiting(one.seq), one)));
            }
            if found.len() < wanted {
                let before = if let After::Other(seq) = after { seq } else { i64::MAX };
                let others = self.others(&station, before, wanted - found.len())?;
                found.extend(others.into_iter().map(|one| (After::Other(one.seq), one)));
            }
            let more = found.len() > limit;
            found.truncate(limit);
            let next = found.last().filter(|_| more).map(|(at, _)| at.text());
            let found = found.into_iter().map(|(_, one)| one).collect();
            Ok(Exceptions { as_of: self.zone.date_time(as_of), exceptions: found, next })
        })
    }

    /// Those of a batch in order, at most `limit`.
    pub(super) fn exceptions_in(
        &self,
        batch: u32,
        limit: usize,
    ) -> rusqlite::Result<Vec<Exception>> {
        let station = self.station()?;
        self.conn
            .prepare_cached(
                "SELECT seq, waits, event.body FROM exception JOIN event USING (seq) \
                 WHERE exception.batch = ? ORDER BY exception.seq LIMIT ?",
            )?
            .query_map(params![batch, rows_of(limit)], |row| self.exception(&station, row))?
            .collect()
    }

    fn waiting(&self, station: &str, after: i64, limit: usize) -> rusqlite::Result<Vec<Exception>> {
        self.conn
            .prepare_cached(
                "SELECT seq, waits, event.body FROM exception JOIN event USING (seq) \
                 WHERE exception.waits = 1 AND exception.seq > ? ORDER BY exception.seq LIMIT ?",
            )?
            .query_map(params![after, rows_of(limit)], |row| self.exception(station, row))?
            .collect()
    }

    /// Scans and differences before that row, the newest first.
    fn others(&self, station: &str, before: i64, limit: usize) -> rusqlite::Result<Vec<Exception>> {
        let mut scans = self.conn.prepare_cached(
            "SELECT seq, waits, event.body FROM exception JOIN event USING (seq) \
             WHERE exception.waits = 0 AND exception.seq < ? ORDER BY exception.seq DESC LIMIT ?",
        )?;
        let mut differences = self.conn.prepare_cached(
            "SELECT closed, 0, event.body FROM batch JOIN event ON event.seq = batch.closed \
             WHERE difference <> 0 AND closed < ? ORDER BY closed DESC LIMIT ?",
        )?;
        let mut found = Vec::new();
        for statement in [&mut scans, &mut differences] {
            let mut rows = statement.query(params![before, rows_of(limit)])?;
            while let Some(row) = rows.next()? {
                found.push(self.exception(station, row)?);
            }
        }
        found.sort_by_key(|exception| std::cmp::Reverse(exception.seq));
        found.truncate(limit);
        Ok(found)
    }

    fn exception(&self, station: &str, row: &Row<'_>) -> rusqlite::Result<Exception> {
        let (seq, waits) = (row.get(0)?, row.get::<_, bool>(1)?);
        let Event { id, at, fact, .. } = rows::event_in(row, 2)?;
        let at = self.zone.date_time(at);
        let batch = |number: u32| batches::name(station, number);
        match fact {
            Fact::Scan(scan) => Ok(Exception {
                seq,
                id,
                what: scan.verdict.name().to_owned(),
                at,
                scanner: Some(scan.scanner),
                batch: batch(scan.batch),
                election: scan.election.map(String::from),
                ballot: scan.ballot.map(String::from),
                reason: scan.reason,
                difference: None,
                settled: scan.verdict.is_decided_later().then_some(!waits),
                pulled: None,
            }),
            Fact::BatchClosed(closed) => Ok(Exception {
                seq,
                id,
                what: "difference".to_owned(),
                at,
                scanner: None,
                batch: batch(closed.batch),
                election: None,
                ballot: None,
                reason: closed.explanation,
                difference: Some(i64::from(closed.counted) - i64::from(closed.envelopes)),
                settled: None,
                pulled: None,
            }),
            _ => Err(rows::foreign(2, "the row of an exception is none")),
        }
    }
}

fn rows_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
