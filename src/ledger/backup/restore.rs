//! The way back: a ledger put in place of the one there is, or of none.
//!
//! All is made ready beside the ledger and proved there; what is changed in the end is one name. Before that the ledger in
//! place gets a second name, under which it stays, and everything in its write-ahead log is copied into it, so that at no moment
//! a log lies beside a ledger that it does not belong to. One that cannot be read keeps its log under the second name.

use super::partial::{Partial, remove};
use super::replay::{Replayed, replay};
use super::{
    BackupError, Stop, absolute, copy, identity, mode_of, owner, prove, sync_folder, with_end,
};
use crate::event::chain;
use crate::ledger::book::Settings;
use crate::ledger::fact::Opened;
use crate::ledger::key::{KeyError, StationKey};
use crate::ledger::schema::{self, SchemaError};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use serde::Serialize;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use super::replay::Gap;

/// Permissions of a ledger where there was none.
const MODE: u32 = 0o640;

/// Ledgers that were replaced at the same row and are kept.
const KEPT_MAX: u32 = 1_000;

/// What is wanted back.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The backup.
    pub backup: &'a Path,
    /// The folder of the log of events, to go beyond the backup.
    pub log: Option<&'a Path>,
    /// How many events of the ledger in place are given up.
    pub lose_events: Option<i64>,
}

/// What was put in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// The ledger.
    pub path: PathBuf,
    /// Its events.
    pub events: i64,
    /// The hash of the last, hexadecimal.
    pub head: String,
    /// How many of them came from the log of events.
    pub from_log: i64,
    /// What the log has beyond that.
    pub gap: Option<Gap>,
    /// Events of the ledger that was in place that this one lacks; null when that could not be read to its end.
    pub lost: Option<i64>,
    /// Where the ledger that was in place is kept.
    pub kept: Option<PathBuf>,
    /// Whether the station's key is there; without it the daemon does not start on this ledger.
    pub has_key: bool,
}

/// Why the ledger in place is still in place.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The backup cannot be opened as one.
    #[error(transparent)]
    Open(SchemaError),
    /// It could not be copied, or does not hold.
    #[error(transparent)]
    Backup(BackupError),
    /// The log of events could not be read, or is of another ledger.
    #[error(transparent)]
    Log(super::EventLogError),
    /// The copy could not be brought up to date.
    #[error("cannot bring the copy {path} up to date")]
    Renew {
        /// The copy.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The station's key cannot be read.
    #[error(transparent)]
    Key(KeyError),
    /// Events would be lost, and nobody said so.
    #[error(
        "{lost} events of the ledger in place would be lost, for {why}: --lose-events {lost} gives them up"
    )]
    Worse {
        /// How many.
        lost: i64,
        /// Why.
        why: String,
    },
    /// Another number would be lost than was said.
    #[error("{lost} events of the ledger in place would be lost, not {said}")]
    Miscounted {
        /// How many.
        lost: i64,
        /// How many were given up.
        said: i64,
    },
    /// Somebody reads the ledger in place.
    #[error("the ledger {path} is being read by another program")]
    Busy {
        /// The ledger.
        path: PathBuf,
    },
    /// What is in the write-ahead log of the ledger in place could not be copied into it.
    #[error("cannot settle the ledger {path} before it is set aside")]
    Settle {
        /// The ledger.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The ledger in place could not be set aside.
    #[error("cannot set the ledger {path} aside")]
    SetAside {
        /// The ledger.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
}

/// Puts a backup in place of the ledger. The caller holds the ledger's lock.
pub fn restore(settings: &Settings, wanted: &Wanted<'_>) -> Result<Restored, RestoreError> {
    let ledger = absolute(&settings.path).map_err(RestoreError::Backup)?;
    let half = ready(settings, &ledger, wanted)?;
    let Ready { half, replayed, events, head, owner } = half;
    let has_key = has_key(settings)?;
    let foreign = foreign(settings, owner.as_ref())?;
    let in_place = InPlace::look(&ledger, half.path())?;
    agree(&in_place, foreign, events, wanted.lose_events)?;
    let kept = in_place.set_aside(&ledger)?;
    half.finish().map_err(RestoreError::Backup)?;
    let (from_log, gap) = replayed.map_or((0, None), |replayed| (replayed.events, replayed.gap));
    let lost = match in_place {
        InPlace::Broken { .. } => None,
        InPlace::Nothing | InPlace::Whole { .. } => Some(in_place.lost()),
    };
    Ok(Restored { path: ledger, events, head, from_log, gap, lost, kept, has_key })
}

/// A ledger that could be put in place.
struct Ready {
    half: Partial,
    replayed: Option<Replayed>,
    events: i64,
    head: String,
    owner: Option<Opened>,
}

/// Copies the backup beside the ledger, brings it to the newest schema and as far as the log goes, and proves it.
fn ready(settings: &Settings, ledger: &Path, wanted: &Wanted<'_>) -> Result<Ready, RestoreError> {
    let backup = absolute(wanted.backup).map_err(RestoreError::Backup)?;
    let there = identity(ledger).map_err(RestoreError::Backup)?;
    if there.is_some() && identity(&backup).map_err(RestoreError::Backup)? == there {
        return Err(RestoreError::Backup(BackupError::Itself { path: backup }));
    }
    let source = schema::open_any(&backup).map_err(RestoreError::Open)?;
    let mode = match there {
        Some(_) => mode_of(ledger).map_err(RestoreError::Backup)?,
        None => MODE,
    };
    let half = Partial::begin(ledger, mode).map_err(RestoreError::Backup)?;
    copy::copy(&source, &backup, &half, &Stop::never()).map_err(RestoreError::Backup)?;
    drop(source);
    let replayed = renew(settings, half.path(), wanted.log)?;
    let (events, head) = prove(half.path(), &backup).map_err(RestoreError::Backup)?;
    let renewing = |source| RestoreError::Renew { path: half.path().to_owned(), source };
    let conn = schema::open_reader(half.path()).map_err(RestoreError::Open)?;
    let owner = owner(&conn).map_err(renewing)?;
    drop(conn);
    Ok(Ready { half, replayed, events, head, owner })
}

/// Brings a copy to the newest schema, and applies what the log has beyond it.
fn renew(
    settings: &Settings,
    copy: &Path,
    log: Option<&Path>,
) -> Result<Option<Replayed>, RestoreError> {
    let renewing = |source| RestoreError::Renew { path: copy.to_owned(), source };
    if log.is_none() && schema::open_reader(copy).is_ok() {
        return Ok(None);
    }
    let mut conn = schema::open_copy(copy).map_err(RestoreError::Open)?;
    let replayed =
        log.map(|folder| replay(&mut conn, copy, folder, settings.hold_back)).transpose()?;
    // One file again.
    conn.execute_batch("PRAGMA journal_mode = DELETE").map_err(renewing)?;
    conn.close().map_err(|(_, source)| renewing(source))?;
    Ok(replayed)
}

fn has_key(settings: &Settings) -> Result<bool, RestoreError> {
    settings.key_file.try_exists().map_err(|source| {
        RestoreError::Key(KeyError::Read { path: settings.key_file.clone(), source })
    })
}

/// Why the station would not take the ledger for its own.
fn foreign(settings: &Settings, owner: Option<&Opened>) -> Result<Option<String>, RestoreError> {
    let Some(owner) = owner else { return Ok(Some("the backup has no owner".to_owned())) };
    if (&owner.facility, &owner.station) != (&settings.facility, &settings.station) {
        return Ok(Some(format!(
            "the backup belongs to station {} of {}, not to {} of {}",
            owner.station, owner.facility, settings.station, settings.facility
        )));
    }
    if !has_key(settings)? {
        return Ok(None);
    }
    let key = StationKey::open(&settings.key_file).map_err(RestoreError::Key)?.public_key();
    let is_other = key != owner.public_key;
    Ok(is_other.then(|| format!("the backup was made under the key {}", owner.public_key)))
}

/// Refuses what loses events, or brings another station's, unless it was said how many are given up.
fn agree(
    in_place: &InPlace,
    foreign: Option<String>,
    events: i64,
    said: Option<i64>,
) -> Result<(), RestoreError> {
    let lost = in_place.lost();
    match said {
        Some(said) if said == lost => Ok(()),
        Some(said) => Err(RestoreError::Miscounted { lost, said }),
        None if lost == 0 && foreign.is_none() => Ok(()),
        None => {
            let behind = || format!("the backup ends at row {events}, or is of another chain");
            Err(RestoreError::Worse { lost, why: foreign.unwrap_or_else(behind) })
        }
    }
}

/// The ledger that stands where the backup is to stand.
#[derive(Debug)]
enum InPlace {
    Nothing,
    /// What could be read of it.
    Broken {
        lost: i64,
    },
    Whole {
        last: i64,
        lost: i64,
    },
}

impl InPlace {
    /// Looks at every event there is, and whether the backup has it.
    fn look(ledger: &Path, backup: &Path) -> Result<Self, RestoreError> {
        if identity(ledger).map_err(RestoreError::Backup)?.is_none() {
            return Ok(Self::Nothing);
        }
        let theirs = schema::open_reader(backup).map_err(RestoreError::Open)?;
        let mut n_lost = 0;
        Ok(match count_lost(ledger, &theirs, &mut n_lost) {
            Ok(last) => Self::Whole { last, lost: n_lost },
            Err(error) => {
                tracing::debug!(error = chain(&error), "The ledger in place cannot be read.");
                Self::Broken { lost: n_lost }
            }
        })
    }

    const fn lost(&self) -> i64 {
        match self {
            Self::Nothing => 0,
            Self::Broken { lost } | Self::Whole { lost, .. } => *lost,
        }
    }

    /// Gives it a second name; after this its first may be given to another.
    fn set_aside(&self, ledger: &Path) -> Result<Option<PathBuf>, RestoreError> {
        let last = match self {
            Self::Nothing | Self::Broken { .. } => 0,
            Self::Whole { last, .. } => {
                settle(ledger)?;
                *last
            }
        };
        second_name(ledger, last)
            .and_then(|kept| clear(ledger).map(|()| kept))
            .map_err(|source| RestoreError::SetAside { path: ledger.to_owned(), source })
    }
}

/// The last row of the ledger; on the way to it, `n_lost` gets how many of its events the backup lacks.
fn count_lost(ledger: &Path, backup: &Connection, n_lost: &mut i64) -> rusqlite::Result<i64> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(ledger, flags)?;
    // A file that no daemon has written to yet has no tables.
    if !conn.table_exists(None, "event")? {
        return Ok(0);
    }
    let mut rows = conn.prepare("SELECT seq, hash FROM event ORDER BY seq")?;
    let mut rows = rows.query([])?;
    let mut last = 0;
    while let Some(row) = rows.next()? {
        let hash: Vec<u8> = row.get(1)?;
        last = row.get(0)?;
        let same: Option<Vec<u8>> = backup
            .prepare_cached("SELECT hash FROM event WHERE seq = ?")?
            .query_row([last], |row| row.get(0))
            .optional()?;
        *n_lost += i64::from(same.as_ref() != Some(&hash));
    }
    Ok(last)
}

/// Copies everything in the write-ahead log into the ledger, and removes the log.
fn settle(ledger: &Path) -> Result<(), RestoreError> {
    let at = |source| RestoreError::Settle { path: ledger.to_owned(), source };
    let conn =
        Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(at)?;
    conn.execute_batch("PRAGMA synchronous = FULL").map_err(at)?;
    let busy: i64 =
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(at)?;
    conn.close().map_err(|(_, source)| at(source))?;
    if busy == 0 { Ok(()) } else { Err(RestoreError::Busy { path: ledger.to_owned() }) }
}

/// Gives the ledger, and the log that is left of one, a second name that nobody has; nothing when neither is there.
fn second_name(ledger: &Path, last: i64) -> io::Result<Option<PathBuf>> {
    let mut there = Vec::new();
    for end in ["", "-wal"] {
        if with_end(ledger, end).try_exists()? {
            there.push(end);
        }
    }
    if there.is_empty() {
        return Ok(None);
    }
    for n in 1..=KEPT_MAX {
        let again = if n == 1 { String::new() } else { format!(".{n}") };
        let kept = with_end(ledger, &format!(".before-restore-{last}{again}"));
        if kept.try_exists()? || with_end(&kept, "-wal").try_exists()? {
            continue;
        }
        for end in there {
            fs::hard_link(with_end(ledger, end), with_end(&kept, end))?;
        }
        sync_folder(folder_of(ledger))?;
        return Ok(Some(kept));
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Removes the companions of the name.
fn clear(ledger: &Path) -> io::Result<()> {
    for end in ["-wal", "-shm", "-journal"] {
        remove(&with_end(ledger, end))?;
    }
    sync_folder(folder_of(ledger))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}
