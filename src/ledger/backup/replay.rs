//! Beyond a backup: the events that the log on the second path has, applied to a copy of it.
//!
//! An import's event names its rows by their digest only, so the log cannot bring its ballots: nothing is applied from the first
//! such event on. How far the log proves the chain beyond that is said, so that it is known what is to be imported and scanned
//! again.

use super::events::{self, EventLogError, Found, Line, Lines};
use super::restore::RestoreError;
use super::{last_row, owner};
use crate::ledger::apply::Projection;
use crate::ledger::body::Origin;
use crate::ledger::book::Head;
use crate::ledger::fact::{Event, Fact, Opened};
use crate::ledger::key::hex;
use crate::ledger::tally::Tally;
use crate::ledger::verify;
use rusqlite::{Connection, params};
use serde::Serialize;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the log has beyond what could be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The first row that was not applied.
    pub from: i64,
    /// The last row that follows from it.
    pub to: i64,
    /// The hash of that, hexadecimal.
    pub head: String,
    /// Why it was not applied.
    pub why: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Replayed {
    /// Events that were applied.
    pub(super) events: i64,
    /// What was not.
    pub(super) gap: Option<Gap>,
}

/// Applies what the log in `folder` has beyond the copy, which `conn` writes, up to the first import.
pub(super) fn replay(
    conn: &mut Connection,
    copy: &Path,
    folder: &Path,
    hold_back: Duration,
) -> Result<Replayed, RestoreError> {
    let at = |source| RestoreError::Renew { path: copy.to_owned(), source };
    let Some(Opened { facility, station, .. }) = owner(conn).map_err(at)? else {
        return Ok(Replayed { events: 0, gap: None });
    };
    let prefix = format!("{facility}-{station}-events-");
    let origin = Origin { facility, station };
    let transaction = conn.transaction().map_err(at)?;
    let mut replay = Replay::begin(&transaction, origin, hold_back).map_err(at)?;
    let files = events::files(folder, &prefix).map_err(|source| {
        RestoreError::Log(EventLogError::File { path: folder.to_owned(), source })
    })?;
    for (n, (_, path)) in files.iter().enumerate() {
        let next = files.get(n + 1).map_or(i64::MAX, |(first, _)| *first);
        if next > replay.proved.seq {
            replay.file(path).map_err(|stop| match stop {
                Stop::Log(error) => RestoreError::Log(error),
                Stop::Sqlite(source) => at(source),
            })?;
        }
    }
    let replayed = replay.end().map_err(at)?;
    transaction.commit().map_err(at)?;
    Ok(replayed)
}

enum Stop {
    Log(EventLogError),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Stop {
    fn from(source: rusqlite::Error) -> Self {
        Self::Sqlite(source)
    }
}

struct Replay<'a> {
    conn: &'a Connection,
    origin: Origin,
    hold_back: Duration,
    tally: Tally,
    /// The last row of the backup.
    start: Head,
    /// The last row that was applied.
    head: Head,
    /// The last row that the log proves.
    proved: Head,
    /// Why nothing more is applied.
    why: Option<String>,
}

impl<'a> Replay<'a> {
    fn begin(conn: &'a Connection, origin: Origin, hold_back: Duration) -> rusqlite::Result<Self> {
        let start = match last_row(conn)? {
            Some((seq, hash)) => Head { seq, hash: hash.try_into().unwrap_or_default() },
            None => Head::START,
        };
        let is_applying = conn
            .prepare(
                "SELECT 1 FROM import_change JOIN import ON number = import \
                 WHERE done = 0 AND applied = 0 AND seq IS NOT NULL",
            )?
            .exists([])?;
        let why =
            is_applying.then(|| "the backup was made while an import was being applied".to_owned());
        let tally = Tally::default();
        Ok(Self { conn, origin, hold_back, tally, start, head: start, proved: start, why })
    }

    fn file(&mut self, path: &PathBuf) -> Result<(), Stop> {
        let failed = |source| Stop::Log(EventLogError::File { path: path.clone(), source });
        let mut lines = Lines::new(File::open(path).map_err(failed)?);
        // What is torn ends the file, and so the chain.
        while let Found::Line(line, _) = lines.next().map_err(failed)? {
            let diverged = |seq| Stop::Log(EventLogError::Diverged { path: path.clone(), seq });
            let Some(line) = line else { return Err(diverged(self.proved.seq + 1)) };
            if line.seq < self.proved.seq {
                continue;
            }
            if line.seq == self.proved.seq && line.hash == hex(&self.proved.hash) {
                continue;
            }
            let next = line.after(self.proved).ok_or_else(|| diverged(line.seq))?;
            self.take(&line, next)?;
            self.proved = next;
        }
        Ok(())
    }

    fn take(&mut self, line: &Line, next: Head) -> rusqlite::Result<()> {
        if self.why.is_some() {
            return Ok(());
        }
        match Event::from_body(&line.body) {
            Ok(Event { fact: Fact::Imported(imported), .. }) => {
                self.why = Some(format!("it is the import of {}", imported.file));
            }
            Ok(event) => {
                self.apply(&event, &line.body, next)?;
                self.head = next;
            }
            Err(_) => self.why = Some("it is of a kind that this program does not know".to_owned()),
        }
        Ok(())
    }

    fn apply(&mut self, event: &Event, body: &str, head: Head) -> rusqlite::Result<()> {
        let row = verify::named(self.conn, &event.fact)?;
        let prev = row.as_ref().map(|row| row.last_seq).filter(|seq| *seq != 0);
        self.conn
            .prepare_cached("INSERT INTO event (seq, body, hash, ballot_prev) VALUES (?, ?, ?, ?)")?
            .execute(params![head.seq, body, head.hash, prev])?;
        let mut projection = Projection {
            conn: self.conn,
            tally: &mut self.tally,
            hold_back: self.hold_back,
            origin: &self.origin,
        };
        projection.apply(head.seq, event, row.as_ref())
    }

    fn end(mut self) -> rusqlite::Result<Replayed> {
        self.tally.flush(self.conn)?;
        let gap = self.why.filter(|_| self.proved != self.head).map(|why| Gap {
            from: self.head.seq + 1,
            to: self.proved.seq,
            head: hex(&self.proved.hash),
            why,
        });
        Ok(Replayed { events: self.head.seq - self.start.seq, gap })
    }
}
