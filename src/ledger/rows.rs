//! Reading single rows of the ledger: a ballot by any code that names it, an event by its number.

use super::fact::Event;
use crate::ballot::{BallotId, ElectionId, Status};
use crate::clock::Micros;
use crate::scan::CodeKind;
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension as _, Row};
use std::collections::BTreeMap;

/// Ballots looked at for one code; a voter or a mail piece with more is a fault of the file.
const SAME_CODE_MAX: usize = 16;

/// Ballots that an import in force may yet give one code, beside those.
const CANDIDATES_MAX: usize = 64;

/// A ballot as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BallotRow {
    pub(super) key: i64,
    pub(super) election: ElectionId,
    pub(super) ballot: BallotId,
    pub(super) voter: String,
    pub(super) imb: Option<String>,
    pub(super) status: Status,
    pub(super) reason: Option<String>,
    /// The event that set the status; 0 when the import that issued it did.
    pub(super) status_seq: i64,
    /// The last event that names the ballot; 0 for none.
    pub(super) last_seq: i64,
    /// The last change of it that the relay was owed; 0 for none.
    pub(super) owed_seq: i64,
    /// How many changes of it were released to the relay.
    pub(super) sent: u32,
    pub(super) receive_until: Option<Micros>,
    /// The import that issued it.
    pub(super) since: i64,
    /// Other codes that name it, by kind.
    pub(super) codes: BTreeMap<String, String>,
}

/// A statement that selects whole ballots.
macro_rules! ballots {
    ($where:literal) => {
        concat!(
            "SELECT key, election, ballot, voter, imb, status, reason, status_seq, last_seq, owed_seq, sent, ",
            "receive_until, since, codes FROM ballot WHERE ",
            $where
        )
    };
}

/// A stored value that is none of ours: the file was changed by somebody else.
pub(super) fn foreign(column: usize, what: &str) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, what.to_owned().into())
}

impl BallotRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let id = |column, text: String| (column, text);
        let (at, election) = id(1, row.get(1)?);
        let election = ElectionId::new(&election).map_err(|e| foreign(at, &e.to_string()))?;
        let (at, ballot) = id(2, row.get(2)?);
        let ballot = BallotId::new(&ballot).map_err(|e| foreign(at, &e.to_string()))?;
        let status = Status::from_number(row.get(5)?).ok_or_else(|| foreign(5, "no status"))?;
        Ok(Self {
            key: row.get(0)?,
            election,
            ballot,
            voter: row.get(3)?,
            imb: row.get(4)?,
            status,
            reason: row.get(6)?,
            status_seq: row.get(7)?,
            last_seq: row.get(8)?,
            owed_seq: row.get(9)?,
            sent: row.get(10)?,
            receive_until: row.get::<_, Option<i64>>(11)?.map(Micros),
            since: row.get(12)?,
            codes: codes_in(row, 13)?,
        })
    }

    /// Its code of that kind.
    pub(super) fn code(&self, kind: &CodeKind) -> Option<&str> {
        match kind {
            CodeKind::Ballot => Some(self.ballot.as_str()),
            CodeKind::Imb => self.imb.as_deref(),
            CodeKind::Voter => Some(&self.voter),
            CodeKind::Other(kind) => self.codes.get(&**kind).map(String::as_str),
        }
    }
}

/// The codes in that column: a JSON object, or null for none.
pub(super) fn codes_in(row: &Row<'_>, column: usize) -> rusqlite::Result<BTreeMap<String, String>> {
    match row.get_ref(column)?.as_str_or_null().map_err(Error::from)? {
        None => Ok(BTreeMap::new()),
        Some(codes) => serde_json::from_str(codes).map_err(|e| foreign(column, &e.to_string())),
    }
}

/// The codes as that column has them.
pub(super) fn codes_text(codes: &BTreeMap<String, String>) -> rusqlite::Result<Option<String>> {
    if codes.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(codes).map(Some).map_err(|e| foreign(0, &e.to_string()))
}

/// The ballot of that id.
pub(super) fn by_id(
    conn: &Connection,
    election: &str,
    ballot: &str,
) -> rusqlite::Result<Option<BallotRow>> {
    conn.prepare_cached(ballots!("election = ? AND ballot = ?"))?
        .query_row([election, ballot], BallotRow::read)
        .optional()
}

/// The ballot of that row.
pub(super) fn by_key(conn: &Connection, key: i64) -> rusqlite::Result<BallotRow> {
    conn.prepare_cached(ballots!("key = ?"))?.query_row([key], BallotRow::read)
}

/// The ballot of that row, if there is one.
pub(super) fn at_key(conn: &Connection, key: i64) -> rusqlite::Result<Option<BallotRow>> {
    conn.prepare_cached(ballots!("key = ?"))?.query_row([key], BallotRow::read).optional()
}

/// The first ballot from that row on.
pub(super) fn from_key(conn: &Connection, key: i64) -> rusqlite::Result<Option<BallotRow>> {
    conn.prepare_cached(ballots!("key >= ? ORDER BY key LIMIT 1"))?
        .query_row([key], BallotRow::read)
        .optional()
}

/// The ballots that a code of that kind names.
pub(super) fn named(
    conn: &Connection,
    election: &str,
    names: &CodeKind,
    code: &str,
) -> rusqlite::Result<Vec<BallotRow>> {
    if *names == CodeKind::Ballot {
        return Ok(by_id(conn, election, code)?.into_iter().collect());
    }
    // The index has codes that an import is yet to give, too.
    let has = |row: &rusqlite::Result<BallotRow>| {
        row.as_ref().map_or(true, |row| row.code(names) == Some(code))
    };
    conn.prepare_cached(ballots!(
        "key IN (SELECT ballot FROM code WHERE election = ? AND kind = ? AND code = ?)"
    ))?
    .query_map([election, names.name(), code], BallotRow::read)?
    .filter(has)
    .take(SAME_CODE_MAX)
    .collect()
}

/// The ballots that have that code or that an import is yet to give it.
pub(super) fn candidates(
    conn: &Connection,
    election: &str,
    names: &CodeKind,
    code: &str,
) -> rusqlite::Result<Vec<i64>> {
    if *names == CodeKind::Ballot {
        return Ok(by_id(conn, election, code)?.into_iter().map(|row| row.key).collect());
    }
    conn.prepare_cached("SELECT ballot FROM code WHERE election = ? AND kind = ? AND code = ?")?
        .query_map([election, names.name(), code], |row| row.get(0))?
        .take(CANDIDATES_MAX)
        .collect()
}

/// The ballots of that voter.
pub(super) fn by_voter(
    conn: &Connection,
    election: &str,
    voter: &str,
) -> rusqlite::Result<Vec<BallotRow>> {
    named(conn, election, &CodeKind::Voter, voter)
}

/// Whether the voter may have a ballot beside this one; most have none.
pub(super) fn has_another(conn: &Connection, row: &BallotRow) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM voter_of_several WHERE election = ? AND voter = ?")?
        .exists([row.election.as_str(), &row.voter])
}

/// The event of that row.
pub(super) fn event(conn: &Connection, seq: i64) -> rusqlite::Result<Event> {
    conn.prepare_cached("SELECT body FROM event WHERE seq = ?")?
        .query_row([seq], |row| event_in(row, 0))
}

/// The event whose body stands in that column.
pub(super) fn event_in(row: &Row<'_>, column: usize) -> rusqlite::Result<Event> {
    let body = row.get_ref(column)?.as_str().map_err(Error::from)?;
    Event::from_body(body).map_err(|e| foreign(column, &e.to_string()))
}
