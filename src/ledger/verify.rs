//! Proof: the chain is recomputed from its first row, and everything that derives from it is derived anew and compared.
//!
//! It runs beside a daemon that goes on scanning, and never keeps the write-ahead log from being emptied for longer than a piece
//! takes: the chain is read in pieces, each within a transaction of its own, for its rows never change. A table is compared in
//! pieces, too: within one transaction the events that came meanwhile are derived, and then a range of the table is compared with
//! what stands at that very moment. So every row is compared once with what it has to be at that time. Memory is bounded by the
//! cache of pages; what is derived lies in a temporary file of SQLite's own, as large as the ledger.
//!
//! What is content, and so is checked: the schema; `event`; every column of what derives from events; the imported rows, by the
//! digests in their events. What is not, for no event says it: the columns `outbox.due`, `attempts` and `last_error`;
//! `import.applied` and `import_change.done`, which say how far an import was rolled forward; the counts of scope `working`
//! (repeats, half frames, the last row that was answered); the rows of an import that was not decided, which nobody is shown;
//! the numbers `ballot.key` and `import_change.n`, of which their order counts, and that whatever refers to a ballot agrees.
//! While an import is rolled forward, the ballots that it has yet to change are compared with how they stood before it, and counts
//! by status wait until it is done. Last, SQLite checks the file itself, and each index against its table.

mod codes;
mod compare;
mod file;

use super::apply::{Change, Projection};
use super::body::Origin;
use super::book::{Head, Settings};
use super::checkpoint::{Held, Note, on_paper, origin};
use super::fact::{Checkpointed, Event, Fact, Imported, Opened};
use super::import::{ImportRow, feed, import_row};
use super::key::{PublicKey, hex};
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
    /// The public key that its first row names, 64 hexadecimal digits; null where that row does not hold.
    pub key: Option<String>,
    /// The first thing that does not hold.
    pub fault: Option<VerifyFault>,
    /// The newest checkpoint in the ledger.
    pub checkpoint: Option<Newest>,
    /// The newest checkpoint that is held elsewhere: back to it a cut tail is found.
    pub tail: Option<Tail>,
}

/// The newest checkpoint in a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Newest {
    /// The row that it covers.
    pub seq: i64,
    /// What stands on paper.
    pub paper: String,
    /// Events after that row.
    pub follow: i64,
}

/// A checkpoint that is held elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tail {
    /// The row that it covers.
    pub seq: i64,
    /// Who holds it: `the relay keeps`, by the ledger's own word, or `you hold`.
    pub held: &'static str,
    /// Events after that row.
    pub follow: i64,
}

/// What a ledger is held against.
#[derive(Debug, Clone, Default)]
pub struct Against {
    /// The station's public key; else the ledger's own word for it.
    pub key: Option<PublicKey>,
    /// Checkpoints that were kept elsewhere.
    pub held: Vec<Held>,
}

/// What a rebuild found and did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rebuilt {
    /// The ledger as it stands now.
    #[serde(flatten)]
    pub verified: Verified,
    /// The tables that did not follow from the events, before they were put right.
    pub differed: Vec<Differed>,
}

/// A table that did not follow from the events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Differed {
    /// Its name.
    pub table: &'static str,
    /// Rows that were lacking, too many, or other than they had to be.
    pub rows: i64,
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

/// Events derived within one transaction.
const PIECE_EVENTS: usize = 250;

/// Between two pieces while somebody writes: the write-ahead log begins anew only at a moment when nobody reads it.
const PAUSE: Duration = Duration::from_millis(5);

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
        if is_foreign(&source) && !is_damaged(&source) {
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
                Self::Fault(VerifyFault { seq: Some(seq), what: format!("row {seq}: {what}") })
            }
            other => other,
        }
    }

    /// A fault that came up in this table.
    fn in_table(self, table: &str) -> Self {
        match self {
            Self::Fault(VerifyFault { seq: None, what }) if !what.starts_with("table ") => {
                Self::Fault(VerifyFault { seq: None, what: format!("table {table}: {what}") })
            }
            other => other,
        }
    }
}

fn is_foreign(error: &rusqlite::Error) -> bool {
    use rusqlite::Error;
    matches!(
        error,
        Error::FromSqlConversionFailure(..)
            | Error::InvalidColumnType(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::Utf8Error(..)
    ) || is_damaged(error)
}

/// SQLite cannot make sense of the file.
fn is_damaged(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode;
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

fn fault<T>(seq: Option<i64>, what: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Fault(VerifyFault { seq, what: what.into() }))
}

/// Checks the ledger at `path`, beside a running daemon too.
pub fn verify(path: &Path) -> Result<Verified, VerifyError> {
    verify_against(path, &Against::default())
}

/// The same, and holds it against checkpoints that were kept elsewhere.
pub fn verify_against(path: &Path, against: &Against) -> Result<Verified, VerifyError> {
    let opened = schema::open_reader(path);
    // What is no SQLite file at all is no ledger that somebody changed.
    if let Err(SchemaError::Open { source, .. }) = &opened
        && is_foreign(source)
        && source.sqlite_error_code() != Some(rusqlite::ErrorCode::NotADatabase)
    {
        return Ok(Verified::damaged(path, source));
    }
    drop(opened.map_err(VerifyError::Open)?);
    let read = |source| VerifyError::Read { path: path.to_owned(), source };
    let mut anew = match Anew::beside(path, against) {
        Err(source) if is_foreign(&source) => return Ok(Verified::damaged(path, &source)),
        anew => anew.map_err(read)?,
    };
    let outcome = anew
        .check_schema()
        .and_then(|()| anew.derive())
        .and_then(|()| anew.compare())
        .and_then(|()| anew.compare_codes())
        .and_then(|()| anew.check_file());
    match outcome {
        Ok(()) => Ok(anew.verified(None)),
        Err(Stop::Fault(fault)) => Ok(anew.verified(Some(fault))),
        Err(Stop::Sqlite(source)) if is_damaged(&source) => {
            let what = file::damaged(path, &source.to_string());
            Ok(anew.verified(Some(VerifyFault { seq: None, what })))
        }
        Err(Stop::Sqlite(source)) => Err(read(source)),
    }
}

/// Derives every table anew, compares, and puts what was derived in place of what stands there; attempts and due times are kept.
/// The caller holds the ledger's lock.
pub fn rebuild(settings: &Settings) -> Result<Rebuilt, VerifyError> {
    let path = &settings.path;
    let read = |source| VerifyError::Read { path: path.clone(), source };
    drop(schema::open_writer(path).map_err(VerifyError::Open)?);
    let against = Against::default();
    let mut anew = Anew::beside(path, &against).map_err(read)?;
    let mut differed = match anew.derive().and_then(|()| anew.differing()) {
        Ok(differed) => differed,
        Err(Stop::Fault(VerifyFault { what, .. })) => {
            return Err(VerifyError::Broken { path: path.clone(), what });
        }
        Err(Stop::Sqlite(source)) if is_damaged(&source) => {
            let what = file::damaged(path, &source.to_string());
            return Err(VerifyError::Broken { path: path.clone(), what });
        }
        Err(Stop::Sqlite(source)) => return Err(read(source)),
    };
    anew.derive_codes().map_err(read)?;
    for (table, rows) in
        [("code", anew.differing_codes()), ("voter_of_several", anew.differing_voters())]
    {
        let rows = rows.map_err(read)?;
        if rows > 0 {
            differed.push(Differed { table, rows });
        }
    }
    anew.put_back().map_err(read)?;
    Ok(Rebuilt { verified: anew.verified(None), differed })
}

impl Verified {
    fn damaged(path: &Path, source: &rusqlite::Error) -> Self {
        let what = file::damaged(path, &source.to_string());
        Self {
            ok: false,
            events: 0,
            head: hex(&Head::START.hash),
            key: None,
            fault: Some(VerifyFault { seq: None, what }),
            checkpoint: None,
            tail: None,
        }
    }
}

/// The ballot that a fact names, as it stands.
pub(super) fn named(conn: &Connection, fact: &Fact) -> rusqlite::Result<Option<BallotRow>> {
    let (election, ballot) = match fact {
        Fact::Scan(scan) => match (&scan.election, &scan.ballot) {
            (Some(election), Some(ballot)) => (election, ballot),
            _ => return Ok(None),
        },
        Fact::Set(set) => (&set.election, &set.ballot),
        _ => return Ok(None),
    };
    rows::by_id(conn, election.as_str(), ballot.as_str())
}

/// A ledger derived anew, with the old one attached as `old`.
struct Anew<'a> {
    conn: Connection,
    path: &'a Path,
    against: &'a Against,
    tally: Tally,
    head: Head,
    origin: Origin,
    /// The station's key, once its first event is read.
    key: Option<PublicKey>,
    /// The newest checkpoint: the row that it covers, and what stands on paper.
    newest: Option<(i64, String)>,
    /// Changes whenever somebody else has written to the ledger.
    version: Option<i64>,
}

impl<'a> Anew<'a> {
    fn beside(path: &'a Path, against: &'a Against) -> rusqlite::Result<Self> {
        let conn = schema::open_scratch()?;
        conn.execute("ATTACH ? AS old", [path.to_string_lossy()])?;
        Ok(Self {
            conn,
            path,
            against,
            tally: Tally::default(),
            head: Head::START,
            origin: Origin::default(),
            key: None,
            newest: None,
            version: None,
        })
    }

    fn verified(&self, fault: Option<VerifyFault>) -> Verified {
        let end = self.head.seq;
        let newest = self.newest.clone();
        Verified {
            ok: fault.is_none(),
            events: end,
            head: hex(&self.head.hash),
            key: self.key.map(|key| key.to_string()),
            fault,
            checkpoint: newest.map(|(seq, paper)| Newest { seq, paper, follow: end - seq }),
            tail: self.tail(),
        }
    }

    /// The newest checkpoint that is held elsewhere and that the ledger reaches.
    fn tail(&self) -> Option<Tail> {
        let end = self.head.seq;
        let kept: rusqlite::Result<Option<i64>> = self.conn.query_row(
            "SELECT max(of) FROM main.checkpoint WHERE witnessed IS NOT NULL",
            [],
            |row| row.get(0),
        );
        let kept = kept.ok().flatten().map(|seq| (seq, "the relay keeps"));
        let held = self.against.held.iter().map(|held| (held.seq(), "you hold"));
        held.chain(kept)
            .filter(|(seq, _)| *seq <= end)
            .max_by_key(|(seq, _)| *seq)
            .map(|(seq, held)| Tail { seq, held, follow: end - seq })
    }

    /// Runs `piece` on one moment of the ledger.
    fn at_once<T>(&mut self, piece: impl FnOnce(&mut Self) -> Result<T, Stop>) -> Result<T, Stop> {
        self.conn.execute_batch("BEGIN")?;
        let outcome = piece(self);
        self.conn.execute_batch("COMMIT")?;
        self.make_way()?;
        outcome
    }

    /// Leaves the ledger alone for a moment if anybody has written to it since the last time.
    fn make_way(&mut self) -> rusqlite::Result<()> {
        let version: i64 =
            self.conn.prepare_cached("PRAGMA old.data_version")?.query_row([], |row| row.get(0))?;
        if self.version.replace(version).is_some_and(|before| before != version) {
            let waited = crossbeam_channel::never::<()>().recv_timeout(PAUSE);
            debug_assert!(waited.is_err(), "nothing is ever sent");
        }
        Ok(())
    }

    /// Lets the moment go and takes a later one, between two pieces of what does not change.
    fn let_go(&mut self) -> rusqlite::Result<()> {
        self.conn.execute_batch("COMMIT")?;
        self.make_way()?;
        self.conn.execute_batch("BEGIN")
    }

    /// Derives all events there are, and holds the chain against the checkpoints.
    fn derive(&mut self) -> Result<(), Stop> {
        while self.at_once(|anew| anew.derive_piece(PIECE_EVENTS))? == PIECE_EVENTS {}
        let end = self.head.seq;
        match self.against.held.iter().map(Held::seq).max() {
            Some(seq) if seq > end => fault(
                Some(end + 1),
                format!("cut: it ends at row {end}; the checkpoint covers row {seq}"),
            ),
            _ => Ok(()),
        }
    }

    /// Derives the next events, up to so many; how many there were.
    fn derive_piece(&mut self, events_max: usize) -> Result<usize, Stop> {
        let mut n = 0;
        while n < events_max && self.derive_next()? {
            n += 1;
        }
        self.tally.flush(&self.conn)?;
        Ok(n)
    }

    /// Derives all that this moment has.
    fn catch_up(&mut self) -> Result<(), Stop> {
        while self.derive_next()? {}
        self.tally.flush(&self.conn)?;
        Ok(())
    }

    /// Derives the next event; whether there was one.
    fn derive_next(&mut self) -> Result<bool, Stop> {
        let seq = self.head.seq + 1;
        let next = self
            .conn
            .prepare_cached(
                "SELECT seq, body, hash FROM old.event WHERE seq >= ? ORDER BY seq LIMIT 1",
            )?
            .query_row([seq], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, Vec<u8>>(2)?))
            })
            .optional();
        match next {
            Ok(None) => Ok(false),
            Ok(Some((found, body, hash))) if found == seq => {
                self.follow(&body, &hash)?;
                Ok(true)
            }
            Ok(Some(_)) => fault(Some(seq), format!("row {seq} is missing")),
            Err(error) if is_damaged(&error) => {
                let what = file::damaged(self.path, &error.to_string());
                fault(Some(seq), format!("row {seq} cannot be read: {what}"))
            }
            Err(error) if is_foreign(&error) => {
                fault(Some(seq), format!("row {seq} cannot be read"))
            }
            Err(error) => Err(error.into()),
        }
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
        self.check_signatures(head, &event)?;
        self.apply(seq, &event, body).map_err(|stop| stop.at(seq))?;
        self.head = head;
        Ok(())
    }

    /// Whose ledger it is, the notes in it, and what others hold of this row.
    fn check_signatures(&mut self, head: Head, event: &Event) -> Result<(), Stop> {
        let seq = head.seq;
        match &event.fact {
            Fact::Opened(opened) if seq == 1 => self.opened(opened)?,
            _ if seq == 1 => return fault(Some(1), "row 1 does not say whose ledger it is"),
            Fact::Checkpointed(checkpoint) => self.checkpointed(seq, checkpoint)?,
            _ => {}
        }
        let mut of_row = self.against.held.iter().filter(|held| held.seq() == seq);
        if let Some(held) = of_row.find(|held| !held.fits(&head.hash)) {
            let changed = format!(
                "row {seq} is not the one that the checkpoint covers: it, or one before it, was changed"
            );
            let what = match held.misread(&head.hash) {
                Some(groups) => format!(
                    "{changed}; or the paper was misread, for it fits but for group {groups}: read that again"
                ),
                None => changed,
            };
            return fault(Some(seq), what);
        }
        Ok(())
    }

    fn opened(&mut self, opened: &Opened) -> Result<(), Stop> {
        let Some(key) = PublicKey::from_hex(&opened.public_key) else {
            return fault(Some(1), "row 1 names no key of a station");
        };
        if self.against.key.is_some_and(|wanted| wanted != key) {
            return fault(Some(1), format!("the ledger is of the key {key}, not of that station"));
        }
        let name = origin(&opened.facility, &opened.station);
        for (theirs, is_signed) in self.against.held.iter().filter_map(|held| held.signer(&key)) {
            if theirs != name {
                return fault(None, format!("the checkpoint is of {theirs}, not of {name}"));
            }
            if !is_signed {
                return fault(None, "the checkpoint is not signed by the station's key");
            }
        }
        self.key = Some(key);
        Ok(())
    }

    /// A checkpoint's event signs the row before it.
    fn checkpointed(&mut self, seq: i64, checkpoint: &Checkpointed) -> Result<(), Stop> {
        let Head { seq: before, hash } = self.head;
        let name = origin(&self.origin.facility, &self.origin.station);
        let holds = checkpoint.of == before
            && Note::parse(&checkpoint.note).is_ok_and(|note| {
                (note.origin.as_str(), note.seq, note.hash) == (name.as_str(), before, hash)
                    && self.key.is_some_and(|key| note.is_signed_by(&key))
            });
        if !holds {
            let what = format!("the checkpoint in row {seq} is not signed over row {before}");
            return fault(Some(seq), what);
        }
        self.newest = Some((before, on_paper(before, &hash)));
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
        let row = named(&self.conn, &event.fact)?;
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
            self.let_go()?;
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

    /// The next piece of the ballots that an import issued, after that key, as its file had them: as the first import that changed
    /// a ballot found it, or as it stands.
    fn issued(&self, import: i64, after: i64) -> rusqlite::Result<Vec<(i64, ImportRow)>> {
        self.conn
            .prepare_cached(
                "SELECT election, ballot, voter, imb, style, issued_status, issued_reason, mailed, \
                 receive_until, codes, returned, key, (SELECT before FROM old.import_change AS change \
                     WHERE change.ballot = issued.key AND before IS NOT NULL ORDER BY import LIMIT 1) \
                 FROM old.ballot AS issued WHERE since = ? AND key > ? ORDER BY key LIMIT ?",
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

    /// What an import has yet to apply stays to be applied: it may owe the relay an event that is not there yet.
    fn put_back(&self) -> rusqlite::Result<()> {
        self.conn.execute_batch(
            "BEGIN IMMEDIATE;
             UPDATE old.ballot SET status = new.status, reason = new.reason, status_seq = new.status_seq,
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
             DELETE FROM old.voter_of_several;
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
