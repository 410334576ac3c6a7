//! The care of the ledger: copies of it, a second record of its events, and the way back from both.
//!
//! Constraints, on which the design stands:
//!
//! - Nothing here ever writes into a ledger that is in use, and no scan waits for any of it: everything is read by connections
//!   beside the writer's, in pieces, from one snapshot that is given up before the write-ahead log grows beyond a bound.
//! - A backup gets its name only once it was synced and proved as `ledger verify` proves a ledger; a half one never has it.
//! - Nothing of what there is gets lost by going back: `restore` keeps the ledger that it replaces, and wants to be told how
//!   many events are given up.
//! - The live ledger's file is never opened but by SQLite: closing it would take the locks of this process with it (POSIX).

mod copy;
mod events;
mod keeper;
mod nightly;
mod partial;
mod replay;
mod restore;
mod retention;
mod state;
mod stop;

pub use events::EventLogError;
pub use keeper::{Keeper, Plan};
pub use nightly::Nightly;
pub use restore::{Gap, Loss, RestoreError, Restored, Wanted, restore};
pub use retention::{Kept, retention};
pub use state::{Care, LastBackup, LastEvents, state};
pub use stop::Stop;

pub(super) use copy::before_migration;

use super::fact::{Event, Fact, Opened};
use super::key::hex;
use super::schema::{self, SchemaError};
use super::verify::{self, VerifyError};
use partial::Partial;
use rusqlite::{Connection, OptionalExtension as _};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Bytes hashed at a time.
const HASH_BYTES: usize = 64 * 1024;

/// Faults of the file's structure that are told.
const FAULTS_SHOWN_MAX: u32 = 1;

/// Why there is no backup. What stood under its name before stands there still.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The ledger cannot be opened.
    #[error(transparent)]
    Open(SchemaError),
    /// SQLite failed while reading the ledger.
    #[error("cannot read the ledger {path}")]
    Read {
        /// The ledger.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// SQLite failed while writing the copy.
    #[error("cannot write the copy {path}")]
    Copy {
        /// The copy.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The operating system refused a file.
    #[error("cannot use {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// So much was written meanwhile that going on would have filled the disk with the write-ahead log.
    #[error(
        "the ledger {path} is written faster than it is copied; try again when less is imported"
    )]
    Outrun {
        /// The ledger.
        path: PathBuf,
    },
    /// Somebody else is writing the same file.
    #[error("another process is writing {path}")]
    Underway {
        /// The half copy.
        path: PathBuf,
    },
    /// Asked to stop.
    #[error("the backup was stopped")]
    Stopped,
    /// The name is that of the ledger, or of what belongs to it.
    #[error("{path} belongs to the ledger itself")]
    Itself {
        /// The name.
        path: PathBuf,
    },
    /// Something else has the name.
    #[error("{path} is there and is no backup of this ledger: {what}; --force replaces it")]
    Other {
        /// The name.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// The copy does not hold, so the ledger does not, either.
    #[error("the ledger {path} is not backed up, for it does not hold: {what}")]
    Faulty {
        /// The ledger.
        path: PathBuf,
        /// The fault.
        what: String,
    },
    /// The copy cannot be proved.
    #[error(transparent)]
    Verify(VerifyError),
}

/// What may be replaced by a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// An earlier backup of the same ledger.
    Earlier,
    /// Whatever has the name.
    Anything,
}

/// A backup that was made, synced and proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backup {
    /// The file.
    pub path: PathBuf,
    /// Its events: the row number of the last.
    pub events: i64,
    /// The hash of the last event, hexadecimal.
    pub head: String,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
}

/// Copies the ledger at `ledger` to `to` beside a running daemon, proves the copy, and gives it its name.
pub fn backup(ledger: &Path, to: &Path, over: Over, stop: &Stop) -> Result<Backup, BackupError> {
    let to = absolute(to)?;
    let source = schema::open_reader(ledger).map_err(BackupError::Open)?;
    check_name(ledger, &source, &to, over)?;
    let half = Partial::begin(&to, mode_of(ledger)?)?;
    copy::copy(&source, ledger, &half, stop)?;
    drop(source);
    let (events, head) = prove(half.path(), ledger)?;
    stop.check()?;
    let (sha256, bytes) = digest(half.path())?;
    half.finish()?;
    Ok(Backup { path: to, events, head, sha256, bytes })
}

/// Proves a copy of `ledger`: SQLite's own check of the file, then the chain and all that derives from it. Its last row and hash.
fn prove(copy: &Path, ledger: &Path) -> Result<(i64, String), BackupError> {
    let faulty = |what| BackupError::Faulty { path: ledger.to_owned(), what };
    if let Some(what) = structure_fault(copy).map_err(BackupError::Verify)? {
        return Err(faulty(what));
    }
    let verified = verify::verify(copy).map_err(BackupError::Verify)?;
    match verified.fault {
        None => Ok((verified.events, verified.head)),
        Some(fault) => Err(faulty(fault.what)),
    }
}

/// What SQLite finds wrong in the structure of a ledger's file.
fn structure_fault(path: &Path) -> Result<Option<String>, VerifyError> {
    let conn = schema::open_reader(path).map_err(VerifyError::Open)?;
    let said: rusqlite::Result<String> =
        conn.query_row(&format!("PRAGMA integrity_check({FAULTS_SHOWN_MAX})"), [], |row| {
            row.get(0)
        });
    match said {
        Ok(said) => Ok(Some(said).filter(|said| said != "ok")),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseCorrupt) => {
            Ok(Some(error.to_string()))
        }
        Err(source) => Err(VerifyError::Read { path: path.to_owned(), source }),
    }
}

/// Refuses a name that something else has.
fn check_name(
    ledger: &Path,
    source: &Connection,
    to: &Path,
    over: Over,
) -> Result<(), BackupError> {
    refuse_own(ledger, &[], to)?;
    if identity(to)?.is_none() {
        return Ok(());
    }
    if over == Over::Anything {
        return Ok(());
    }
    match earlier(source, to) {
        Ok(None) => Ok(()),
        Ok(Some(what)) => Err(BackupError::Other { path: to.to_owned(), what }),
        Err(source) => Err(BackupError::Read { path: ledger.to_owned(), source }),
    }
}

/// Refuses a name, however it is spelled, that is the ledger's, its companions', its lock's, or that of one of `others`.
pub fn refuse_own(ledger: &Path, others: &[&Path], to: &Path) -> Result<(), BackupError> {
    let ends = ["", "-wal", "-shm", "-journal", ".lock"];
    let own = ends.map(|end| with_end(ledger, end));
    let (name, file) = (spelled(to)?, identity(to)?);
    for own in own.iter().map(PathBuf::as_path).chain(others.iter().copied()) {
        if spelled(own)? == name || (file.is_some() && identity(own)? == file) {
            return Err(BackupError::Itself { path: to.to_owned() });
        }
    }
    Ok(())
}

/// A file's one name, whether there is one or not: its folder without links, and what it is called there.
fn spelled(path: &Path) -> Result<PathBuf, BackupError> {
    let path = absolute(path)?;
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    Ok(match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path,
    })
}

/// Why the file at `path` is no earlier state of this ledger, if it is none.
fn earlier(ledger: &Connection, path: &Path) -> rusqlite::Result<Option<String>> {
    let theirs = match schema::open_any(path).map(|conn| last_row(&conn)) {
        Ok(Ok(Some(row))) => row,
        Ok(Ok(None)) => return Ok(Some("it has no events".to_owned())),
        Ok(Err(error)) => return Ok(Some(error.to_string())),
        Err(error) => return Ok(Some(error.to_string())),
    };
    let ours: Option<Vec<u8>> = ledger
        .query_row("SELECT hash FROM event WHERE seq = ?", [theirs.0], |row| row.get(0))
        .optional()?;
    let is_earlier = ours.as_ref() == Some(&theirs.1);
    let what = || format!("its last event, {}, is none of this ledger's", theirs.0);
    Ok((!is_earlier).then(what))
}

/// The last row and its hash.
fn last_row(conn: &Connection) -> rusqlite::Result<Option<(i64, Vec<u8>)>> {
    conn.query_row("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1", [], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })
    .optional()
}

/// Whose ledger it is, by its first event; nothing when there is none, or it is of no known kind.
fn owner(conn: &Connection) -> rusqlite::Result<Option<Opened>> {
    let body: Option<String> =
        conn.query_row("SELECT body FROM event WHERE seq = 1", [], |row| row.get(0)).optional()?;
    Ok(body.and_then(|body| match Event::from_body(&body).map(|event| event.fact) {
        Ok(Fact::Opened(opened)) => Some(opened),
        _ => None,
    }))
}

/// What tells one file from another; nothing where there is no file.
fn identity(path: &Path) -> Result<Option<(u64, u64)>, BackupError> {
    match fs::metadata(path) {
        Ok(found) => Ok(Some((found.dev(), found.ino()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(BackupError::File { path: path.to_owned(), source }),
    }
}

/// The ledger's permissions: its owner's, and its group's to read.
fn mode_of(ledger: &Path) -> Result<u32, BackupError> {
    let found = fs::metadata(ledger)
        .map_err(|source| BackupError::File { path: ledger.to_owned(), source })?;
    Ok(0o600 | (found.permissions().mode() & 0o040))
}

/// SHA-256 and length of a file that is no live ledger.
fn digest(path: &Path) -> Result<(String, u64), BackupError> {
    let at = |source| BackupError::File { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(at)?;
    let (mut sha, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; HASH_BYTES]);
    loop {
        let n = file.read(&mut buffer).map_err(at)?;
        let Some(read) = buffer.get(..n).filter(|read| !read.is_empty()) else { break };
        sha.update(read);
        bytes += u64::try_from(n).unwrap_or(0);
    }
    Ok((hex(&sha.finalize()), bytes))
}

fn absolute(path: &Path) -> Result<PathBuf, BackupError> {
    std::path::absolute(path).map_err(|source| BackupError::File { path: path.to_owned(), source })
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// Makes what was renamed or made in a folder durable.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
