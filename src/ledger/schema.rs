//! The ledger's tables, how its file is opened, and the runner of its migrations.
//!
//! `event` is the record. Everything else derives from it and from the imported rows, but for the columns marked *working*,
//! which a rebuild keeps.

use super::backup::{BackupError, before_migration};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// SQLite before this can lose committed rows of a write-ahead log that two connections use (fixed in 3.51.3).
const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// Memory that the pages in cache may take, in KiB.
const CACHE_KIB: i32 = 16_384;

/// Prepared statements kept; more than there are.
const STATEMENTS_MAX: usize = 64;

/// The write-ahead log is cut back to this once a checkpoint has emptied it.
const WAL_BYTES_KEPT: i64 = 16 * 1024 * 1024;

/// Of the write-ahead log that is written anew, so much is in memory at a time.
const LOG_PIECE_BYTES: usize = 256 * 1024;

/// How long a reader or a foreign writer may hold the file before opening or a look-up fails.
const BUSY: Duration = Duration::from_secs(5);

/// One step per schema version; the file's `user_version` says how many it has taken.
const MIGRATIONS: &[&str] =
    &[include_str!("schema/v1.sql"), include_str!("schema/v2.sql"), include_str!("schema/v3.sql")];

/// Why the ledger's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The SQLite that was linked can lose committed rows.
    #[error("SQLite {0} can lose committed rows; 3.51.3 or later is needed")]
    OldSqlite(&'static str),
    /// The file could not be opened, or is no SQLite file.
    #[error("cannot open the ledger {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The file could not be made.
    #[error("cannot make the ledger {path}")]
    Make {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// Its write-ahead log could not be made durable.
    #[error("cannot sync the write-ahead log of the ledger {path}")]
    Sync {
        /// The ledger.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The file system or another program's setting forbids a write-ahead log.
    #[error("the ledger {path} cannot have a write-ahead log: its journal mode is {mode}")]
    NoWal {
        /// The file.
        path: PathBuf,
        /// The mode it stayed in.
        mode: String,
    },
    /// A newer program wrote it.
    #[error(
        "the ledger {path} has schema version {found}; this program knows up to {known}: use the newer program"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: usize,
        /// The newest this program knows.
        known: usize,
    },
    /// An older program wrote it, and whoever reads does not change it.
    #[error(
        "the ledger {path} has schema version {found}; start the daemon once, or run `ballot-intake ledger rebuild`, to bring it to version {known}"
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: usize,
        /// The version that is read.
        known: usize,
    },
    /// Not a ledger, or one that no daemon has opened yet.
    #[error("{path} holds no ledger")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The copy that is kept of an older ledger could not be made; the file is as it was.
    #[error("cannot keep a copy of the ledger {path} before it is changed")]
    Keep {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<BackupError>,
    },
    /// A migration failed; the file is as it was.
    #[error("cannot bring the ledger {path} to schema version {version}")]
    Migrate {
        /// The file.
        path: PathBuf,
        /// The version that was being made.
        version: usize,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
}

/// What is done with an older ledger before it is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Older {
    /// A copy is kept beside it.
    IsKept,
    /// Nothing: it is a copy itself.
    IsCopy,
}

/// Opens the file for the one writer, makes it if there is none, and brings it to the newest schema; of an older one that has
/// events a copy is kept beside it.
pub(super) fn open_writer(path: &Path) -> Result<Connection, SchemaError> {
    open_to_write(path, Older::IsKept)
}

/// Opens a copy of a ledger to bring it to the newest schema.
pub(super) fn open_copy(path: &Path) -> Result<Connection, SchemaError> {
    open_to_write(path, Older::IsCopy)
}

fn open_to_write(path: &Path, older: Older) -> Result<Connection, SchemaError> {
    check_sqlite()?;
    let at = |source| SchemaError::Open { path: path.to_owned(), source };
    let sync = |source| SchemaError::Sync { path: path.to_owned(), source };
    make(path).map_err(|source| SchemaError::Make { path: path.to_owned(), source })?;
    write_log_anew(path).map_err(sync)?;
    let mut conn = Connection::open(path).map_err(at)?;
    settle(&conn).map_err(at)?;
    let mode = use_log(&conn).map_err(at)?;
    if mode != "wal" {
        return Err(SchemaError::NoWal { path: path.to_owned(), mode });
    }
    conn.execute_batch(&format!(
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; \
         PRAGMA journal_size_limit = {WAL_BYTES_KEPT};"
    ))
    .map_err(at)?;
    // A checkpoint on close would sync and truncate behind the back of the recovery from a failed commit.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(at)?;
    migrate(&mut conn, path, MIGRATIONS, older)?;
    // SQLite does so, too, but does not say when it failed.
    sync_folder(path).map_err(sync)?;
    Ok(conn)
}

/// Sets the journal mode; what it is then. SQLite says so before it has written it, and whether that failed after its answer.
fn use_log(conn: &Connection) -> rusqlite::Result<String> {
    let mut pragma = conn.prepare("PRAGMA journal_mode = WAL")?;
    let modes: Vec<String> = pragma.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(modes.concat())
}

/// Writes the write-ahead log over itself and syncs it. A sync that failed, perhaps under a daemon that was killed since, may have
/// dropped pages that can still be read; no later sync would write them or say so, and a power cut would take them and
/// with them all that was appended after.
fn write_log_anew(path: &Path) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    let log = match OpenOptions::new().read(true).write(true).open(name) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        log => log?,
    };
    let mut piece = vec![0; LOG_PIECE_BYTES];
    let mut at = 0;
    loop {
        let n = log.read_at(&mut piece, at)?;
        match piece.get(..n) {
            None | Some([]) => return log.sync_all(),
            Some(read) => log.write_all_at(read, at)?,
        }
        at += u64::try_from(n).unwrap_or(u64::MAX);
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    // The parent of a bare name is the empty path.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// Makes an empty file, which is an empty database, if there is none: SQLite's own would be for everybody to read.
fn make(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o640).open(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
        _ => Ok(()),
    }
}

/// Opens the file to read beside a running daemon.
pub(super) fn open_reader(path: &Path) -> Result<Connection, SchemaError> {
    let (conn, found) = open_to_read(path)?;
    let known = MIGRATIONS.len();
    if found < known {
        return Err(SchemaError::Older { path: path.to_owned(), found, known });
    }
    Ok(conn)
}

/// Opens a ledger of this schema or of an older one to read what all have: the chain.
pub(super) fn open_any(path: &Path) -> Result<Connection, SchemaError> {
    open_to_read(path).map(|(conn, _)| conn)
}

/// The ledger, and its schema version.
fn open_to_read(path: &Path) -> Result<(Connection, usize), SchemaError> {
    check_sqlite()?;
    let at = |source| SchemaError::Open { path: path.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(at)?;
    settle(&conn).map_err(at)?;
    match version(&conn).map_err(at)? {
        0 => Err(SchemaError::Empty { path: path.to_owned() }),
        found if found > MIGRATIONS.len() => {
            Err(SchemaError::Newer { path: path.to_owned(), found, known: MIGRATIONS.len() })
        }
        found => Ok((conn, found)),
    }
}

/// An empty ledger of the newest schema in a temporary file of SQLite's own, to derive a ledger anew beside the old one.
pub(super) fn open_scratch() -> rusqlite::Result<Connection> {
    let conn = Connection::open("")?;
    settle(&conn)?;
    // Looking on must not write the log into a ledger that is attached, either.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    conn.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF;")?;
    conn.execute_batch("BEGIN")?;
    for step in MIGRATIONS {
        conn.execute_batch(step)?;
    }
    conn.execute_batch("COMMIT")?;
    Ok(conn)
}

fn settle(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(BUSY)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    conn.execute_batch(&format!("PRAGMA cache_size = -{CACHE_KIB};"))
}

fn check_sqlite() -> Result<(), SchemaError> {
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        return Err(SchemaError::OldSqlite(rusqlite::version()));
    }
    Ok(())
}

fn version(conn: &Connection) -> rusqlite::Result<usize> {
    conn.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
        .map(|version| usize::try_from(version).unwrap_or(usize::MAX))
}

/// Takes the steps that the file has not taken, each in a transaction of its own, with the version it leads to.
fn migrate(
    conn: &mut Connection,
    path: &Path,
    steps: &[&str],
    older: Older,
) -> Result<(), SchemaError> {
    let at = |source| SchemaError::Open { path: path.to_owned(), source };
    let found = version(conn).map_err(at)?;
    let known = steps.len();
    if found > known {
        return Err(SchemaError::Newer { path: path.to_owned(), found, known });
    }
    if older == Older::IsKept && found > 0 && found < known && has_events(conn).map_err(at)? {
        before_migration(path, found, known)
            .map_err(|e| SchemaError::Keep { path: path.to_owned(), source: Box::new(e) })?;
    }
    for (n, step) in steps.iter().enumerate().skip(found) {
        let version = n + 1;
        let run = |conn: &mut Connection| {
            let tx = conn.transaction()?;
            tx.execute_batch(step)?;
            tx.pragma_update(None, "user_version", i64::try_from(version).unwrap_or(i64::MAX))?;
            tx.commit()
        };
        run(conn).map_err(|source| SchemaError::Migrate {
            path: path.to_owned(),
            version,
            source,
        })?;
    }
    Ok(())
}

fn has_events(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row("SELECT EXISTS (SELECT 1 FROM event)", [], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ledger of schema version 1 with an event, and the step that would make it one of version 2.
    fn old(path: &Path) -> Connection {
        let mut conn = Connection::open(path).unwrap();
        migrate(&mut conn, path, &MIGRATIONS[..1], Older::IsKept).unwrap();
        conn.execute_batch("INSERT INTO event (seq, body, hash) VALUES (1, '{}', x'00')").unwrap();
        conn
    }

    #[test]
    fn a_step_that_fails_leaves_the_ledger_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.sqlite");
        let mut conn = old(&path);
        let bad = [MIGRATIONS[0], "CREATE TABLE novel (x); INSERT INTO event (seq) VALUES (2);"];
        let error = migrate(&mut conn, &path, &bad, Older::IsKept).unwrap_err();
        assert!(matches!(error, SchemaError::Migrate { version: 2, .. }), "{error}");
        assert_eq!(version(&conn).unwrap(), 1);
        assert!(conn.prepare("SELECT x FROM novel").is_err());
        assert!(has_events(&conn).unwrap());
    }

    #[test]
    fn an_older_ledger_is_kept_beside_before_it_is_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.sqlite");
        let mut conn = old(&path);
        let steps = [MIGRATIONS[0], "CREATE TABLE novel (x);"];
        migrate(&mut conn, &path, &steps, Older::IsKept).unwrap();
        assert_eq!(version(&conn).unwrap(), 2);
        let kept = Connection::open(dir.path().join("ledger.sqlite.v1-before-v2")).unwrap();
        assert_eq!(version(&kept).unwrap(), 1);
        assert!(has_events(&kept).unwrap());
        migrate(&mut conn, &path, &steps, Older::IsKept).unwrap();
    }

    #[test]
    fn an_empty_ledger_and_a_copy_leave_nothing_beside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.sqlite");
        let mut conn = old(&path);
        let steps = [MIGRATIONS[0], "CREATE TABLE novel (x);", "CREATE TABLE newer (x);"];
        migrate(&mut conn, &path, &steps[..2], Older::IsCopy).unwrap();
        conn.execute_batch("DELETE FROM event").unwrap();
        migrate(&mut conn, &path, &steps, Older::IsKept).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_newer_ledger_is_refused_by_both_doors() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.sqlite");
        let conn = open_writer(&path).unwrap();
        conn.pragma_update(None, "user_version", 99).unwrap();
        drop(conn);
        for refused in [open_writer(&path), open_reader(&path)] {
            let error = refused.map(|_| ()).unwrap_err();
            assert!(matches!(error, SchemaError::Newer { found: 99, .. }), "{error}");
        }
    }

    #[test]
    fn a_file_of_something_else_is_no_ledger() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.sqlite");
        std::fs::write(&path, "dear diary, ".repeat(100)).unwrap();
        let error = open_writer(&path).map(|_| ()).unwrap_err();
        assert!(matches!(error, SchemaError::Open { .. }), "{error}");
    }

    #[test]
    fn a_reader_needs_a_ledger_that_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.sqlite");
        assert!(open_reader(&path).is_err());
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t(x)").unwrap();
        let error = open_reader(&path).map(|_| ()).unwrap_err();
        assert!(matches!(error, SchemaError::Empty { .. }), "{error}");
    }
}
