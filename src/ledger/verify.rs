//! Proof: the chain is recomputed from its first row, and everything that derives from it is derived anew and compared.

use super::apply::{Change, Projection};
use super::body::Origin;
use super::book::{Head, Settings};
use super::fact::{Event, Fact, Imported, Opened};
use super::import::{ImportRow, feed, import_row};
use super::key::hex;
use super::rows::{self, BallotRow};
use super::schema::{self, SchemaError};
use super::tally::{Scope, Tally};
use crate::ballot::Status;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Whether everything holds.
    pub ok: bool,
    /// Events that were checked and hold.
    pub events: i64,
    /// The hash of the last of them, hexadecimal.
    pub head: String,
    /// The first thing that does not hold.
    pub fault: Option<VerifyFault>,
}

/// What does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyFault {
    /// The row of the chain, where it is one.
    pub seq: Option<i64>,
    /// What is wrong, in words.
    pub what: String,
}

/// Why nothing could be said.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The ledger cannot be opened.
    #[error(transparent)]
    Open(SchemaError),
    /// SQLite failed on the way.
    #[error("cannot read the ledger {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// A rebuild of a ledger whose chain is broken would make the fault look right.
    #[error("the ledger {path} is not rebuilt: {what}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// The fault.
        what: String,
    },
}

/// Tables that derive from events, with what makes their rows comparable. Working columns are left out.
const DERIVED: &[(&str, &str)] = &[
    ("import", "number, seq"),
    (
        "ballot",
        "key, election, ballot, voter, imb, style, mailed, receive_until, codes, returned, status, reason, status_seq, \
         last_seq, owed_seq, sent",
    ),
    ("batch", "number, seq, mode, received_by, day, closed, reversed, difference"),
    ("exception", "seq, verdict, batch, ballot, waits"),
    ("operator", "name, seq, role, password, badge, disabled"),
    ("proposal", "seq, decided"),
    ("checkpoint", "seq, of, note, witnessed"),
    ("outbox", "seq, ballot, prev, state, sequence, CASE WHEN state < 3 THEN body END"),
    ("event", "seq, ballot_prev"),
    ("tally", "scope, name, n"),
    ("code", "ballot, code, election, kind"),
];

/// Counts that derive from events.
const COUNTS: &str = "n <> 0 AND scope <> 'working' AND scope NOT LIKE 'staged/%'";

/// Those that do not depend on how far an import was rolled forward.
const COUNTS_WHILE_APPLYING: &str =
    "n <> 0 AND (scope IN ('outbox', 'counted') OR scope LIKE 'batch/%' OR scope LIKE 'at/%')";

/// The codes of all ballots, as their index has them.
const CODES: &str = "
    INSERT INTO main.code SELECT election, 'imb', imb, key FROM main.ballot WHERE imb IS NOT NULL ORDER BY 1, 3, 4;
    INSERT INTO main.code SELECT election, 'voter', voter, key FROM main.ballot ORDER BY 1, 3, 4;
    INSERT OR IGNORE INTO main.code SELECT election, other.key, other.value, ballot.key
        FROM main.ballot, json_each(codes) AS other WHERE codes IS NOT NULL ORDER BY 1, 2, 3, 4;";

/// Imported rows read at a time.
const PIECE_ROWS: i64 = 1_000;

/// A fault, or SQLite's.
enum Stop {
    Fault(VerifyFault),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Stop {
    /// A stored value that is none of ours was put there by somebody else; anything else is SQLite's trouble.
    fn from(source: rusqlite::Error) -> Self {
        if is_foreign(&source) {
            let what = format!("a stored value is none of the ledger's: {source}");
            return Self::Fault(VerifyFault { seq: None, what });
        }
        Self::Sqlite(source)
    }
}

impl Stop {
    /// A fault that names no row is that of this one.
    fn at(self, seq: i64) -> Self {
        match self {
            Self::Fault(VerifyFault { seq: None, what }) => {
                Self::Fault(VerifyFault { seq: Some(seq), what })
            }
            other => other,
        }
    }
}

fn is_foreign(error: &rusqlite::Error) -> bool {
    use rusqlite::{Error, ErrorCode};
    matches!(
        error,
        Error::FromSqlConversionFailure(..)
            | Error::InvalidColumnType(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::Utf8Error(..)
    ) || error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt)
}

fn fault<T>(seq: Option<i64>, what: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Fault(VerifyFault { seq, what: what.into() }))
}

/// Checks the ledger at `path`, beside a running daemon too.
pub fn verify(path: &Path) -> Result<Verified, VerifyError> {
    drop(schema::open_reader(path).map_err(VerifyError::Open)?);
    let read = |source| VerifyError::Read { path: path.to_owned(), source };
    let mut anew = Anew::beside(path).map_err(read)?;
    let outcome = anew.derive().and_then(|()| anew.compare());
    let verified = |fault: Option<VerifyFault>| Verified {
        ok: fault.is_none(),
        events: anew.head.seq,
        head: hex(&anew.head.hash),
        fault,
    };
    match outcome {
        Ok(()) => Ok(verified(None)),
        Err(Stop::Fault(fault)) => Ok(verified(Some(fault))),
        Err(Stop::Sqlite(source)) => Err(read(source)),
    }
}

/// Derives every table anew and puts it in place of what stands there; attempts and due times are kept. Returns the events
/// it derives from. The caller holds the ledger's lock.
pub fn rebuild(settings: &Settings) -> Result<Verified, VerifyError> {
    let path = &settings.path;
    let read = |source| VerifyError::Read { path: path.clone(), source };
    drop(schema::open_writer(path).map_err(VerifyError::Open)?);
    let mut anew = Anew::beside(path).map_err(read)?;
    match anew.derive() {
        Ok(()) => {}
        Err(Stop::Fault(VerifyFault { what, .. })) => {
            return Err(VerifyError::Broken { path: path.clone(), what });
        }
        Err(Stop::Sqlite(source)) => return Err(read(source)),
    }
    anew.put_back().map_err(read)?;
    Ok(Verified { ok: true, events: anew.head.seq, head: hex(&anew.head.hash), fault: None })
}

/// A ledger derived anew, with the old one attached as `old`.
struct Anew {
    conn: Connection,
    tally: Tally,
    head: Head,
    origin: Origin,
}

impl Anew {
    fn beside(path: &Path) -> rusqlite::Result<Self> {
        let conn = schema::open_scratch()?;
        conn.execute("ATTACH ? AS old", [path.to_string_lossy()])?;
        // One snapshot of the old one, whatever a daemon writes meanwhile.
        conn.execute_batch("BEGIN; SELECT count(*) FROM old.import;")?;
        Ok(Self { conn, tally: Tally::default(), head: Head::START, origin: Origin::default() })
    }

    fn derive(&mut self) -> Result<(), Stop> {
        self.note_first_changes()?;
        let mut seq = 0;
        loop {
            let next = self
                .conn
                .prepare_cached(
                    "SELECT seq, body, hash FROM old.event WHERE seq > ? ORDER BY seq LIMIT 1",
                )?
                .query_row([seq], |row| {
                    Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, Vec<u8>>(2)?))
                })
                .optional();
            let next = match next {
                Ok(next) => next,
                Err(error) if is_foreign(&error) => {
                    return fault(Some(seq + 1), format!("row {} cannot be read", seq + 1));
                }
                Err(error) => return Err(error.into()),
            };
            let Some((found, body, hash)) = next else { break };
            if found != seq + 1 {
                return fault(Some(seq + 1), format!("row {} is missing", seq + 1));
            }
            seq = found;
            self.follow(&body, &hash)?;
        }
        self.tally.flush(&self.conn)?;
        self.conn.execute_batch(CODES)?;
        Ok(())
    }

    /// One more row of the chain.
    fn follow(&mut self, body: &str, hash: &[u8]) -> Result<(), Stop> {
        let head = self.head.follow(body);
        let seq = head.seq;
        if head.hash != hash {
            return fault(Some(seq), format!("row {seq} does not follow from the row before it"));
        }
        let Ok(event) = Event::from_body(body) else {
            return fault(Some(seq), format!("row {seq} has a body of no known kind"));
        };
        self.apply(seq, &event, body).map_err(|stop| stop.at(seq))?;
        self.head = head;
        Ok(())
    }

    fn apply(&mut self, seq: i64, event: &Event, body: &str) -> Result<(), Stop> {
        match &event.fact {
            Fact::Opened(Opened { facility, station, .. }) => {
                self.origin = Origin { facility: facility.clone(), station: station.clone() };
            }
            Fact::Imported(imported) => self.stage(seq, imported)?,
            _ => {}
        }
        let row = self.named(&event.fact)?;
        let prev = row.as_ref().map(|row| row.last_seq).filter(|seq| *seq != 0);
        self.conn
            .prepare_cached(
                "INSERT INTO event (seq, body, hash, ballot_prev) VALUES (?, ?, x'', ?)",
            )?
            .execute(params![seq, body, prev])?;
        self.projection().apply(seq, event, row.as_ref())?;
        if let Fact::Imported(imported) = &event.fact {
            self.apply_changes(seq, imported)?;
        }
        Ok(())
    }

    const fn projection(&mut self) -> Projection<'_> {
        Projection {
            conn: &self.conn,
            tally: &mut self.tally,
            hold_back: Duration::ZERO,
            origin: &self.origin,
        }
    }

    fn named(&self, fact: &Fact) -> rusqlite::Result<Option<BallotRow>> {
        let (election, ballot) = match fact {
            Fact::Scan(scan) => match (&scan.election, &scan.ballot) {
                (Some(election), Some(ballot)) => (election, ballot),
                _ => return Ok(None),
            },
            Fact::Set(set) => (&set.election, &set.ballot),
            _ => return Ok(None),
        };
        rows::by_id(&self.conn, election.as_str(), ballot.as_str())
    }

    /// How each ballot stood by the import that issued it, where a later one changed that.
    fn note_first_changes(&self) -> rusqlite::Result<()> {
        self.conn.execute_batch(
            "CREATE TEMP TABLE first_change AS
                 SELECT ballot, before, min(n) AS n FROM old.import_change WHERE before IS NOT NULL GROUP BY ballot;
             CREATE UNIQUE INDEX temp.first_change_ballot ON first_change (ballot);",
        )
    }

    /// The rows of this import, checked against its event's digests.
    fn stage(&mut self, seq: i64, imported: &Imported) -> Result<(), Stop> {
        let n = imported.import;
        self.conn.execute("INSERT INTO main.import (number) VALUES (?)", [n])?;
        if self.stage_issued(imported)? != imported.issued_sha256 {
            return fault(
                Some(seq),
                format!("the ballots that import {n} issued are not those of its event"),
            );
        }
        if self.stage_changed(n)? != imported.changed_sha256 {
            return fault(
                Some(seq),
                format!("the rows that import {n} changed are not those of its event"),
            );
        }
        Ok(())
    }

    /// Issues the ballots of this import; the digest of their rows.
    fn stage_issued(&mut self, imported: &Imported) -> Result<String, Stop> {
        let n = imported.import;
        let mut digest = Sha256::new();
        let mut last = 0;
        loop {
            let piece = self.issued(n, last)?;
            let Some((key, _)) = piece.last() else { break };
            last = *key;
            for (key, row) in &piece {
                let canonical = row.canonical().map_err(|e| rows::foreign(0, &e.to_string()))?;
                feed(&mut digest, &canonical);
                self.issue(imported, *key, row)?;
            }
        }
        Ok(hex(&digest.finalize()))
    }

    /// Takes over the rows by which this import changes ballots; their digest.
    fn stage_changed(&self, import: i64) -> Result<String, Stop> {
        self.conn.execute(
            "INSERT INTO main.import_change (n, import, ballot, row) \
             SELECT n, import, ballot, row FROM old.import_change WHERE import = ?",
            [import],
        )?;
        let mut digest = Sha256::new();
        let mut changes =
            self.conn.prepare("SELECT row FROM main.import_change WHERE import = ? ORDER BY n")?;
        let mut rows = changes.query([import])?;
        while let Some(row) = rows.next()? {
            feed(&mut digest, row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?);
        }
        Ok(hex(&digest.finalize()))
    }

    /// The next piece of the ballots that an import issued, after that key, as its file had them.
    fn issued(&self, import: i64, after: i64) -> rusqlite::Result<Vec<(i64, ImportRow)>> {
        self.conn
            .prepare_cached(
                "SELECT election, issued.ballot, voter, imb, style, issued_status, issued_reason, mailed, \
                 receive_until, codes, returned, key, before FROM old.ballot AS issued \
                 LEFT JOIN first_change ON first_change.ballot = key \
                 WHERE since = ? AND key > ? ORDER BY key LIMIT ?",
            )?
            .query_map([import, after, PIECE_ROWS], |row| {
                let mut issued = import_row(row)?;
                if let Some(before) = row.get::<_, Option<String>>(12)? {
                    let before: ImportRow = serde_json::from_str(&before)
                        .map_err(|e| rows::foreign(12, &e.to_string()))?;
                    issued = ImportRow { status: issued.status, reason: issued.reason, ..before };
                }
                Ok((row.get(11)?, issued))
            })?
            .collect()
    }

    fn issue(&mut self, imported: &Imported, key: i64, row: &ImportRow) -> rusqlite::Result<()> {
        let overtaken =
            row.ballot.as_ref().is_some_and(|ballot| imported.overtook(&row.election, ballot));
        let is_held = overtaken || imported.announces.contains(&row.status);
        let status = if is_held { Status::Issued } else { row.status };
        self.conn
            .prepare_cached(
                "INSERT INTO main.ballot (key, election, ballot, voter, imb, style, issued_status, issued_reason, \
                 mailed, receive_until, since, status, reason, codes, returned) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            )?
            .execute(params![
                key,
                row.election.as_str(),
                row.ballot_id(),
                row.voter.as_str(),
                row.imb,
                row.style,
                row.status.number(),
                row.reason,
                row.mailed.map(|at| at.0),
                row.receive_until.map(|at| at.0),
                imported.import,
                status.number(),
                row.reason.as_deref().filter(|_| !is_held),
                rows::codes_text(&row.codes)?,
                row.returned.map(|at| at.0),
            ])?;
        // The event takes them over, as it does in the ledger.
        let scope = Scope::Staged(imported.import, row.election.clone());
        self.tally.add(scope, status.name(), 1);
        Ok(())
    }

    fn apply_changes(&mut self, seq: i64, imported: &Imported) -> Result<(), Stop> {
        let mut last = 0;
        while let Some((n, key, row)) = self.next_change(imported.import, last)? {
            last = n;
            let Ok(row) = serde_json::from_str::<ImportRow>(&row) else {
                return fault(
                    Some(seq),
                    format!("a row of import {} cannot be read", imported.import),
                );
            };
            self.projection().imported_change(seq, &Change { key, row: &row, imported })?;
        }
        Ok(())
    }

    fn next_change(&self, import: i64, after: i64) -> rusqlite::Result<Option<(i64, i64, String)>> {
        self.conn
            .prepare_cached(
                "SELECT n, ballot, row FROM main.import_change WHERE import = ? AND n > ? ORDER BY n LIMIT 1",
            )?
            .query_row([import, after], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()
    }

    /// Compares what was derived with what stands in the ledger.
    fn compare(&self) -> Result<(), Stop> {
        let applying: bool = self
            .conn
            .prepare("SELECT 1 FROM old.import WHERE seq IS NOT NULL AND applied = 0")?
            .exists([])?;
        let counts = if applying { COUNTS_WHILE_APPLYING } else { COUNTS };
        for (table, columns) in DERIVED {
            self.compare_table(table, columns, only(table, counts))?;
        }
        Ok(())
    }

    fn compare_table(&self, table: &str, columns: &str, only: &str) -> Result<(), Stop> {
        let ours = format!("SELECT {columns} FROM main.{table} WHERE {only}");
        let theirs = format!("SELECT {columns} FROM old.{table} WHERE {only}");
        for (one, other) in [(&theirs, &ours), (&ours, &theirs)] {
            let different: Option<String> = self
                .conn
                .prepare(&format!("{one} EXCEPT {other} LIMIT 1"))?
                .query_row([], |row| {
                    let key: rusqlite::types::Value = row.get(0)?;
                    let name: rusqlite::types::Value = row.get(1)?;
                    Ok(format!("{} {}", shown(&key), shown(&name)))
                })
                .optional()?;
            if let Some(row) = different {
                return fault(
                    None,
                    format!("table {table} does not follow from the events: row {row}"),
                );
            }
        }
        Ok(())
    }

    /// What an import has yet to apply stays to be applied: it may owe the relay an event that is not there yet.
    fn put_back(&self) -> rusqlite::Result<()> {
        self.conn.execute_batch(
            "UPDATE old.ballot SET status = new.status, reason = new.reason, status_seq = new.status_seq,
                 last_seq = new.last_seq, owed_seq = new.owed_seq, sent = new.sent, voter = new.voter, imb = new.imb,
                 style = new.style, mailed = new.mailed, receive_until = new.receive_until, codes = new.codes,
                 returned = new.returned
                 FROM main.ballot AS new WHERE new.key = old.ballot.key;
             UPDATE old.import_change SET before = new.before
                 FROM main.import_change AS new WHERE new.n = old.import_change.n;
             DELETE FROM old.ballot WHERE key NOT IN (SELECT key FROM main.ballot)
                 AND since NOT IN (SELECT number FROM old.import WHERE seq IS NULL);
             INSERT INTO old.import (number, seq, applied) SELECT number, seq, NOT EXISTS (
                     SELECT 1 FROM old.import_change WHERE import = number AND done = 0) FROM main.import WHERE true
                 ON CONFLICT (number) DO UPDATE SET seq = excluded.seq;
             DELETE FROM old.code;
             INSERT INTO old.code SELECT * FROM main.code;
             DELETE FROM old.batch;
             INSERT INTO old.batch SELECT * FROM main.batch;
             DELETE FROM old.exception;
             INSERT INTO old.exception SELECT * FROM main.exception;
             DELETE FROM old.operator;
             INSERT INTO old.operator SELECT * FROM main.operator;
             DELETE FROM old.proposal;
             INSERT INTO old.proposal SELECT * FROM main.proposal;
             DELETE FROM old.checkpoint;
             INSERT INTO old.checkpoint SELECT * FROM main.checkpoint;
             UPDATE main.outbox SET due = kept.due, attempts = kept.attempts, last_error = kept.last_error
                 FROM old.outbox AS kept WHERE kept.seq = main.outbox.seq;
             DELETE FROM old.outbox;
             INSERT INTO old.outbox SELECT * FROM main.outbox;
             DELETE FROM old.tally WHERE scope <> 'working';
             INSERT INTO old.tally SELECT * FROM main.tally WHERE n <> 0;
             UPDATE old.event SET ballot_prev = new.ballot_prev
                 FROM main.event AS new WHERE new.seq = old.event.seq AND new.ballot_prev IS NOT old.event.ballot_prev;
             COMMIT;",
        )
    }
}

/// The rows of a table that are compared; of the counts `counts`. While an import is rolled forward, a ballot that it has yet
/// to change stands as before that.
fn only(table: &str, counts: &'static str) -> &'static str {
    match table {
        "import" => "seq IS NOT NULL",
        "ballot" => {
            "since NOT IN (SELECT number FROM old.import WHERE seq IS NULL) AND key NOT IN \
             (SELECT change.ballot FROM old.import_change AS change JOIN old.import ON number = import \
              WHERE done = 0 AND applied = 0)"
        }
        "exception" => {
            "ballot IS NULL OR ballot NOT IN \
             (SELECT change.ballot FROM old.import_change AS change JOIN old.import ON number = import \
              WHERE done = 0 AND applied = 0)"
        }
        // What an import is yet to change has the codes of both its rows.
        "code" => {
            "ballot NOT IN (SELECT key FROM old.ballot JOIN old.import ON number = since WHERE seq IS NULL) \
             AND ballot NOT IN (SELECT ballot FROM old.import_change WHERE done = 0)"
        }
        "tally" => counts,
        _ => "true",
    }
}

fn shown(value: &rusqlite::types::Value) -> String {
    use rusqlite::types::Value;
    match value {
        Value::Null => "-".to_owned(),
        Value::Integer(n) => n.to_string(),
        Value::Real(n) => n.to_string(),
        Value::Text(text) => crate::event::printable(text),
        Value::Blob(bytes) => hex(bytes),
    }
}
