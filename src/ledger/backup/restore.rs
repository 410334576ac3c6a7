//! The way back: a ledger put in place of the one there is, or of none.
//!
//! All is made ready beside the ledger and proved there; what is changed in the end is one name. Before that the ledger in
//! place gets a second name, under which it stays, and everything in its write-ahead log is copied into it, so that at no moment
//! a log lies beside a ledger that it does not belong to, or a ledger without its log. One of which SQLite cannot even copy the
//! log keeps it under the second name; from before its log is taken away until the backup has the name, what stands there is no
//! ledger at all, and no daemon starts on it.

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
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _};
use serde::Serialize;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

pub use super::replay::Gap;

/// Permissions of a ledger where there was none.
const MODE: u32 = 0o640;

/// Ledgers that were replaced at the same row and are kept.
const KEPT_MAX: u32 = 1_000;

/// What stands under the ledger's name while one that cannot be read is replaced, if that is cut short.
const UNDERWAY: &str =
    "A restore was cut short here: run it again. What stood here is kept beside it.\n";

/// How many events of the ledger in place the backup lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// So many.
    Events(i64),
    /// Nobody knows: the ledger cannot be read to its end.
    Unknown,
}

impl Loss {
    /// Reads what `--lose-events` was given: a number, or `unknown`.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text == "unknown" {
            return Ok(Self::Unknown);
        }
        text.parse().map(Self::Events).map_err(|_not_one| "neither a number nor `unknown`")
    }

    fn words(self) -> String {
        match self {
            Self::Events(n) => format!("{n} events"),
            Self::Unknown => "an unknown number of events".to_owned(),
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Events(n) => n.fmt(f),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// What is wanted back.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The backup.
    pub backup: &'a Path,
    /// The folder of the log of events, to go beyond the backup.
    pub log: Option<&'a Path>,
    /// How many events of the ledger in place are given up.
    pub lose_events: Option<Loss>,
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
        "{} of the ledger in place would be lost, for {why}: --lose-events {lost} gives them up",
        .lost.words()
    )]
    Worse {
        /// How many.
        lost: Loss,
        /// Why.
        why: String,
        /// Row at which the backup ends.
        events: i64,
    },
    /// Another number would be lost than was said.
    #[error("{} of the ledger in place would be lost, not {said}", .lost.words())]
    Miscounted {
        /// How many.
        lost: Loss,
        /// How many were given up.
        said: Loss,
    },
    /// Somebody uses the ledger in place.
    #[error("the ledger {path} is in use by another program")]
    Busy {
        /// The ledger.
        path: PathBuf,
    },
    /// The ledger in place could not be looked at; nothing says that it is broken.
    #[error("cannot read the ledger {path} that is in place")]
    Look {
        /// The ledger.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
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
    let lost = match in_place.lost() {
        Loss::Events(lost) => Some(lost),
        Loss::Unknown => None,
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
    said: Option<Loss>,
) -> Result<(), RestoreError> {
    let lost = in_place.lost();
    match said {
        Some(said) if said == lost => Ok(()),
        Some(said) => Err(RestoreError::Miscounted { lost, said }),
        None if lost == Loss::Events(0) && foreign.is_none() => Ok(()),
        None => {
            let why = foreign.unwrap_or_else(|| match in_place {
                InPlace::Broken { why } => why.clone(),
                _ => format!("the backup ends at row {events}, or is of another chain"),
            });
            Err(RestoreError::Worse { lost, why, events })
        }
    }
}

/// The ledger that stands where the backup is to stand.
#[derive(Debug)]
enum InPlace {
    Nothing,
    /// It is damaged, or no ledger.
    Broken {
        why: String,
    },
    Whole {
        last: i64,
        lost: i64,
    },
}

/// What was seen of a ledger, up to its end or to where it is damaged.
#[derive(Debug, Default)]
struct Seen {
    last: i64,
    lost: i64,
}

impl InPlace {
    /// Looks at every event there is, and whether the backup has it.
    fn look(ledger: &Path, backup: &Path) -> Result<Self, RestoreError> {
        if identity(ledger).map_err(RestoreError::Backup)?.is_none() {
            return Ok(Self::Nothing);
        }
        if is_only_log(ledger)? {
            return Ok(Self::Broken { why: "it is empty, but for its log".to_owned() });
        }
        let theirs = schema::open_reader(backup).map_err(RestoreError::Open)?;
        let mut seen = Seen::default();
        match count_lost(ledger, &theirs, &mut seen) {
            Ok(None) => Ok(Self::Whole { last: seen.last, lost: seen.lost }),
            Ok(Some(what)) => Ok(Self::broken(&seen, what)),
            Err(error) if is_damage(&error) => Ok(Self::broken(&seen, &chain(&error))),
            Err(error) if is_busy(&error) => Err(RestoreError::Busy { path: ledger.to_owned() }),
            Err(source) => Err(RestoreError::Look { path: ledger.to_owned(), source }),
        }
    }

    fn broken(seen: &Seen, what: &str) -> Self {
        let Seen { last, lost } = seen;
        Self::Broken {
            why: format!(
                "it can be read up to row {last} only, of which the backup lacks {lost} ({what})"
            ),
        }
    }

    const fn lost(&self) -> Loss {
        match self {
            Self::Nothing => Loss::Events(0),
            Self::Broken { .. } => Loss::Unknown,
            Self::Whole { lost, .. } => Loss::Events(*lost),
        }
    }

    /// Gives it a second name; after this its first may be given to another.
    fn set_aside(&self, ledger: &Path) -> Result<Option<PathBuf>, RestoreError> {
        let failed = |source| RestoreError::SetAside { path: ledger.to_owned(), source };
        let (last, is_settled) = match self {
            Self::Nothing => (0, true),
            Self::Whole { last, .. } => {
                settle(ledger)?;
                (*last, true)
            }
            Self::Broken { .. } => (0, settle_broken(ledger)?),
        };
        let kept = second_name(ledger, last).map_err(failed)?;
        if !is_settled {
            block(ledger).map_err(failed)?;
        }
        clear(ledger).map_err(failed)?;
        Ok(kept)
    }
}

/// Whether the ledger's file is empty and its log is not: SQLite would remove the log without a word.
fn is_only_log(ledger: &Path) -> Result<bool, RestoreError> {
    let is_empty = |path: &Path| {
        is_empty(path).map_err(|source| {
            RestoreError::Backup(BackupError::File { path: path.to_owned(), source })
        })
    };
    Ok(is_empty(ledger)? && !is_empty(&with_end(ledger, "-wal"))?)
}

/// Whether there is nothing in a file, or no file.
fn is_empty(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        found => Ok(found?.len() == 0),
    }
}

/// Looks at the events of the ledger, and at which of them the backup lacks; what is wrong with the ledger, if anything is.
fn count_lost(
    ledger: &Path,
    backup: &Connection,
    seen: &mut Seen,
) -> rusqlite::Result<Option<&'static str>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(ledger, flags)?;
    if !conn.table_exists(None, "event")? {
        // A file that no daemon has written to yet has no tables.
        let has_others: bool =
            conn.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?;
        return Ok(has_others.then_some("it has no events"));
    }
    let mut rows = conn.prepare("SELECT seq, hash FROM event ORDER BY seq")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let (seq, hash): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        if seq != seen.last + 1 {
            return Ok(Some("the row after it is missing"));
        }
        let same: Option<Vec<u8>> = backup
            .prepare_cached("SELECT hash FROM event WHERE seq = ?")?
            .query_row([seq], |row| row.get(0))
            .optional()?;
        seen.last = seq;
        seen.lost += i64::from(same.as_ref() != Some(&hash));
    }
    Ok(None)
}

/// Whether an error says that the file is damaged, or no ledger; not, that it could not be looked at.
fn is_damage(error: &rusqlite::Error) -> bool {
    match error.sqlite_error_code() {
        // `Unknown` is that a table has not the columns of ours.
        Some(code) => {
            matches!(
                code,
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown
            )
        }
        // A value is not of its column's type.
        None => true,
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Copies everything in the write-ahead log into the ledger, and empties the log.
fn settle(ledger: &Path) -> Result<(), RestoreError> {
    let at = |source| {
        let path = ledger.to_owned();
        if is_busy(&source) {
            RestoreError::Busy { path }
        } else {
            RestoreError::Settle { path, source }
        }
    };
    let conn =
        Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(at)?;
    // What this does not do itself, closing must not do behind its back: it would remove the log of what is no ledger.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(at)?;
    conn.execute_batch("PRAGMA synchronous = FULL").map_err(at)?;
    let busy: i64 =
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(at)?;
    conn.close().map_err(|(_, source)| at(source))?;
    if busy == 0 { Ok(()) } else { Err(RestoreError::Busy { path: ledger.to_owned() }) }
}

/// The same with a ledger that is damaged; whether it could be done.
fn settle_broken(ledger: &Path) -> Result<bool, RestoreError> {
    if is_only_log(ledger)? {
        return Ok(false);
    }
    match settle(ledger) {
        Ok(()) => Ok(true),
        Err(RestoreError::Settle { source, .. }) if is_damage(&source) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives the ledger, and the log that is left of one, a second name that nobody has; nothing when neither is there.
fn second_name(ledger: &Path, last: i64) -> io::Result<Option<PathBuf>> {
    let mut there = Vec::new();
    if ledger.try_exists()? {
        there.push("");
    }
    if !is_empty(&with_end(ledger, "-wal"))? {
        there.push("-wal");
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

/// Puts what is no ledger in place of one whose log is about to be taken away: without it an older state could be read.
fn block(ledger: &Path) -> io::Result<()> {
    let beside = with_end(ledger, ".restoring");
    let mut file = File::create(&beside)?;
    file.write_all(UNDERWAY.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, ledger)?;
    sync_folder(folder_of(ledger))
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
