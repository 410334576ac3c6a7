//! Until when a ledger must be kept, election by election. Nothing here deletes anything, and nothing else does.

use super::schema;
use crate::ballot::ElectionId;
use crate::clock::{Micros, Zone};
use crate::ledger::report::ReadError;
use crate::ledger::rows;
use rusqlite::Connection;
use serde::Serialize;
use std::path::Path;

/// Months after a federal election (52 U.S.C. 20701).
const FEDERAL_MONTHS: u16 = 22;

/// Months after an election in Colorado (C.R.S. 1-7-802).
const COLORADO_MONTHS: u16 = 25;

/// How long the ledger must be kept for one election.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// The election.
    pub election: String,
    /// From when it is counted: the last deadline or the last event of it, whichever is later. A local date.
    pub counted_from: String,
    /// Until then by 52 U.S.C. 20701, if it was a federal election.
    pub federal: String,
    /// Until then by C.R.S. 1-7-802, if it was one of Colorado's.
    pub colorado: String,
}

/// Every election of the ledger at `path`; `deadlines` are those that are configured.
pub fn retention(
    path: &Path,
    zone: &Zone,
    deadlines: &[(ElectionId, Micros)],
) -> Result<Vec<Kept>, ReadError> {
    let conn = schema::open_reader(path).map_err(ReadError::Open)?;
    let of = |election: String| -> rusqlite::Result<Option<Kept>> {
        let configured = deadlines.iter().filter(|(id, _)| id.as_str() == election);
        let from = configured.map(|(_, until)| *until).chain(latest(&conn, &election)?).max();
        Ok(from.and_then(|from| kept(election, zone, from)))
    };
    let read = || -> rusqlite::Result<Vec<Kept>> {
        elections(&conn)?.into_iter().filter_map(|election| of(election).transpose()).collect()
    };
    read().map_err(|source| ReadError::Read { path: path.to_owned(), source })
}

fn kept(election: String, zone: &Zone, from: Micros) -> Option<Kept> {
    Some(Kept {
        election,
        counted_from: zone.date(from),
        federal: zone.date_after(from, FEDERAL_MONTHS)?,
        colorado: zone.date_after(from, COLORADO_MONTHS)?,
    })
}

/// The elections of which there are ballots, one step of the index each.
fn elections(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    conn.prepare(
        "WITH RECURSIVE known(election) AS (
             SELECT min(election) FROM ballot
             UNION ALL
             SELECT (SELECT min(election) FROM ballot WHERE election > known.election) FROM known
                 WHERE known.election IS NOT NULL)
         SELECT election FROM known WHERE election IS NOT NULL",
    )?
    .query_map([], |row| row.get(0))?
    .collect()
}

/// The last deadline of a ballot, and the moment of the last event that names or moved one, or issued one. An import that is not
/// decided has issued nothing.
fn latest(conn: &Connection, election: &str) -> rusqlite::Result<Option<Micros>> {
    let (seq, until): (Option<i64>, Option<i64>) = conn.query_row(
        "SELECT max(max(last_seq, status_seq, import.seq)), max(receive_until)
         FROM ballot JOIN import ON import.number = since
         WHERE election = ? AND import.seq IS NOT NULL",
        [election],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let at = seq.map(|seq| rows::event(conn, seq).map(|event| event.at)).transpose()?;
    Ok(at.max(until.map(Micros)))
}
