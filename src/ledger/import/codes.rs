//! The codes that an import gives its ballots, on their way into the index: gathered while rows are staged, then written in the
//! index's own order, for in the file's order each would touch a page of its own.

use super::super::book::WriteError;
use super::super::sort::{Record, Sorted, Sorter};
use super::row::ImportRow;
use rusqlite::{Connection, params};
use std::io;
use std::path::PathBuf;

/// Memory for a run of codes: what is sorted within a piece's time.
const RUN_BYTES: usize = 1024 * 1024;

/// Between the parts of a code's key. It stands before every character of an id, so keys are in the order of the index.
const BETWEEN: u8 = 0;

/// The codes of an import that are not in the index yet.
#[derive(Debug)]
pub(super) struct Codes {
    gathered: Option<Sorter>,
    merged: Option<Sorted>,
    left: u64,
    key: Vec<u8>,
}

/// Why codes could not be gathered or written.
#[derive(Debug)]
pub(super) enum CodesError {
    /// The file that they wait in cannot be written or read.
    Scratch(io::Error),
    /// The ledger cannot be written.
    Write(WriteError),
}

impl Codes {
    pub(super) fn new(folders: Vec<PathBuf>) -> Self {
        let gathered = Some(Sorter::new(folders, RUN_BYTES));
        Self { gathered, merged: None, left: 0, key: Vec::new() }
    }

    /// How many are left.
    pub(super) const fn left(&self) -> u64 {
        self.left
    }

    /// Takes the codes of this row of the ballot `key` that `current` has not. More codes come after the index is begun only if
    /// more rows do: then the rest is gathered with them.
    pub(super) fn gather(
        &mut self,
        key: i64,
        row: &ImportRow,
        current: Option<&ImportRow>,
    ) -> io::Result<()> {
        let Some(gathered) = &mut self.gathered else { return Err(io::ErrorKind::Other.into()) };
        for (kind, code) in row.codes() {
            let has = |row: &ImportRow| row.codes().any(|has| has == (kind, code));
            if current.is_some_and(has) {
                continue;
            }
            self.key.clear();
            for part in [row.election.as_str(), kind, code] {
                self.key.extend_from_slice(part.as_bytes());
                self.key.push(BETWEEN);
            }
            self.key.extend_from_slice(&key.to_be_bytes());
            gathered.push(&self.key, &[])?;
            self.left += 1;
        }
        Ok(())
    }

    /// Whether rows may still be staged.
    pub(super) const fn is_gathering(&self) -> bool {
        self.gathered.is_some()
    }

    /// Writes at most so many into the index.
    pub(super) fn write(&mut self, conn: &Connection, max: usize) -> Result<(), CodesError> {
        if let Some(gathered) = self.gathered.take() {
            self.merged = Some(gathered.sorted().map_err(CodesError::Scratch)?);
        }
        let Some(merged) = &mut self.merged else { return Ok(()) };
        let write = |error: rusqlite::Error| CodesError::Write(error.into());
        let mut insert = conn.prepare_cached(INSERT).map_err(write)?;
        for _ in 0..max {
            let Some(Record { key, .. }) = merged.take_next().map_err(CodesError::Scratch)? else {
                self.left = 0;
                break;
            };
            let (election, kind, code, ballot) = parts(&key).map_err(CodesError::Scratch)?;
            insert.execute(params![election, kind, code, ballot]).map_err(write)?;
            self.left = self.left.saturating_sub(1);
        }
        Ok(())
    }
}

const INSERT: &str =
    "INSERT OR IGNORE INTO code (election, kind, code, ballot) VALUES (?, ?, ?, ?)";

/// The ballot `key` has the codes of `after` and those of `before` no more.
pub(super) fn replace(
    conn: &Connection,
    key: i64,
    before: &ImportRow,
    after: &ImportRow,
) -> rusqlite::Result<()> {
    for (kind, code) in before.codes().filter(|code| !after.codes().any(|has| has == *code)) {
        remove(conn, key, before, (kind, code))?;
    }
    let mut insert = conn.prepare_cached(INSERT)?;
    for (kind, code) in after.codes().filter(|code| !before.codes().any(|has| has == *code)) {
        insert.execute(params![after.election.as_str(), kind, code, key])?;
    }
    Ok(())
}

/// The ballot `key` has not the codes of this row, but for those of `current`.
pub(super) fn withdraw(
    conn: &Connection,
    key: i64,
    row: &ImportRow,
    current: Option<&ImportRow>,
) -> rusqlite::Result<()> {
    for code in row.codes() {
        if !current.is_some_and(|current| current.codes().any(|has| has == code)) {
            remove(conn, key, row, code)?;
        }
    }
    Ok(())
}

fn remove(
    conn: &Connection,
    key: i64,
    row: &ImportRow,
    (kind, code): (&str, &str),
) -> rusqlite::Result<()> {
    conn.prepare_cached(
        "DELETE FROM code WHERE election = ? AND kind = ? AND code = ? AND ballot = ?",
    )?
    .execute(params![row.election.as_str(), kind, code, key])?;
    Ok(())
}

fn parts(key: &[u8]) -> io::Result<(&str, &str, &str, i64)> {
    let mut parts = key.splitn(4, |byte| *byte == BETWEEN);
    let mut text = || parts.next().and_then(|part| std::str::from_utf8(part).ok());
    let texts = (text(), text(), text());
    let ballot = parts.next().and_then(|part| part.try_into().ok()).map(i64::from_be_bytes);
    match (texts, ballot) {
        ((Some(election), Some(kind), Some(code)), Some(ballot)) => {
            Ok((election, kind, code, ballot))
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}
