//! A copy of a ledger beside whoever writes it: one snapshot, page by page.
//!
//! SQLite begins a copy anew whenever another connection has written, which at a busy station is always; so the snapshot is
//! held. While it is, the write-ahead log only grows: when it has grown by [`Bounds::wal_growth_max`], the snapshot is given up
//! and the copy begun anew, and after [`Bounds::attempts_max`] of these it is left for later.

use super::partial::Partial;
use super::{BackupError, Stop, absolute, mode_of, schema, with_end};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use std::ffi::c_int;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Memory for pages, of both sides together twice that, in KiB: nothing is read twice.
const CACHE_KIB: i32 = 1_024;

/// Steps in a row that may find the copy locked by somebody who looks at it.
const BUSY_STEPS_MAX: u32 = 1_000;

/// How a copy is paced.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Pages copied at a time.
    step_pages: c_int,
    /// Steps after which what was copied is synced: whoever syncs the ledger must not find much more to write.
    sync_steps: u32,
    /// Between two steps.
    rest: Duration,
    /// Bytes by which the write-ahead log may grow meanwhile.
    wal_growth_max: u64,
    /// How often the copy is begun.
    attempts_max: u32,
    /// Before it is begun anew.
    attempt_rest: Duration,
}

const BOUNDS: Bounds = Bounds {
    step_pages: 64,
    sync_steps: 4,
    rest: Duration::from_millis(1),
    wal_growth_max: 256 * 1024 * 1024,
    attempts_max: 3,
    attempt_rest: Duration::from_secs(10),
};

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Done,
    Outrun,
}

/// Copies what stands in the ledger at `path`, which `source` reads, and syncs it.
pub(super) fn copy(
    source: &Connection,
    path: &Path,
    to: &Partial,
    stop: &Stop,
) -> Result<(), BackupError> {
    copy_within(&BOUNDS, source, path, to, stop)
}

/// Keeps the ledger at `path` as it is beside it, before it is brought from one schema version to another.
pub(crate) fn before_migration(path: &Path, from: usize, to: usize) -> Result<(), BackupError> {
    let path = absolute(path)?;
    let kept = with_end(&path, &format!(".v{from}-before-v{to}"));
    let source = schema::open_any(&path).map_err(BackupError::Open)?;
    let half = Partial::begin(&kept, mode_of(&path)?)?;
    copy(&source, &path, &half, &Stop::never())?;
    half.finish()
}

fn copy_within(
    bounds: &Bounds,
    source: &Connection,
    path: &Path,
    to: &Partial,
    stop: &Stop,
) -> Result<(), BackupError> {
    let reading = |source| BackupError::Read { path: path.to_owned(), source };
    let writing = |source| BackupError::File { path: to.path().to_owned(), source };
    source.execute_batch(&format!("PRAGMA cache_size = -{CACHE_KIB}")).map_err(reading)?;
    for attempt in 0..bounds.attempts_max {
        if attempt > 0 {
            stop.rest(bounds.attempt_rest)?;
            to.empty().map_err(writing)?;
        }
        // The snapshot begins with the first look.
        source.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;").map_err(reading)?;
        let attempted = copy_snapshot(bounds, source, path, to, stop);
        source.execute_batch("COMMIT").map_err(reading)?;
        if attempted? == Attempt::Done {
            to.be_one_file().and_then(|()| to.sync()).map_err(writing)?;
            return Ok(());
        }
    }
    Err(BackupError::Outrun { path: path.to_owned() })
}

fn copy_snapshot(
    bounds: &Bounds,
    source: &Connection,
    path: &Path,
    to: &Partial,
    stop: &Stop,
) -> Result<Attempt, BackupError> {
    let copying = |source| BackupError::Copy { path: to.path().to_owned(), source };
    let writing = |source| BackupError::File { path: to.path().to_owned(), source };
    let wal = with_end(path, "-wal");
    let wal_bytes_max = length(&wal).map_err(writing)?.saturating_add(bounds.wal_growth_max);
    let mut copy = Connection::open(to.path()).map_err(copying)?;
    // A copy that is not finished is thrown away, so nothing of it need survive but what is synced in the end.
    copy.execute_batch(&format!(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{CACHE_KIB};"
    ))
    .map_err(copying)?;
    let backup = Backup::new(source, &mut copy).map_err(copying)?;
    let (mut steps, mut busy) = (0_u32, 0);
    loop {
        match backup.step(bounds.step_pages).map_err(copying)? {
            StepResult::Done => break,
            StepResult::More => busy = 0,
            // Busy or locked: somebody looks at the copy.
            _ if busy == BUSY_STEPS_MAX => {
                return Err(BackupError::Underway { path: to.path().to_owned() });
            }
            _ => busy += 1,
        }
        steps = steps.wrapping_add(1);
        if steps % bounds.sync_steps == 0 {
            to.sync().map_err(writing)?;
        }
        if length(&wal).map_err(writing)? > wal_bytes_max {
            return Ok(Attempt::Outrun);
        }
        stop.rest(bounds.rest)?;
    }
    drop(backup);
    copy.close().map_err(|(_, source)| copying(source))?;
    Ok(Attempt::Done)
}

fn length(path: &Path) -> io::Result<u64> {
    match fs::metadata(path) {
        Ok(found) => Ok(found.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database with a write-ahead log and some pages.
    fn written(path: &Path) -> Connection {
        let conn = Connection::open(path).unwrap();
        conn.execute_batch(
            "PRAGMA journal_mode = WAL; CREATE TABLE t (x);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
             INSERT INTO t SELECT printf('%0200d', i) FROM n;",
        )
        .unwrap();
        conn
    }

    fn count(path: &Path) -> i64 {
        let conn = Connection::open(path).unwrap();
        conn.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
    }

    const SMALL: Bounds = Bounds {
        step_pages: 4,
        sync_steps: 8,
        rest: Duration::ZERO,
        wal_growth_max: 64 * 1024,
        attempts_max: 2,
        attempt_rest: Duration::ZERO,
    };

    #[test]
    fn a_copy_is_of_one_moment_and_one_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let writer = written(&path);
        let reader = Connection::open(&path).unwrap();
        let half = Partial::begin(&dir.path().join("b"), 0o600).unwrap();
        copy_within(&SMALL, &reader, &path, &half, &Stop::never()).unwrap();
        writer.execute_batch("DELETE FROM t").unwrap();
        half.finish().unwrap();
        assert_eq!(count(&dir.path().join("b")), 2_000);
        assert!(!with_end(&dir.path().join("b"), "-wal").exists());
    }

    #[test]
    fn a_log_that_grows_beyond_its_bound_ends_the_snapshot() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let writer = written(&path);
        let reader = Connection::open(&path).unwrap();
        let half = Partial::begin(&dir.path().join("b"), 0o600).unwrap();
        // Slow enough that the writer gets its turn.
        let rest = Duration::from_millis(5);
        let none = Bounds { wal_growth_max: 0, rest, ..SMALL };
        let (stop_writing, stopped) = Stop::channel();
        let copied = std::thread::scope(|scope| {
            scope.spawn(move || {
                while stopped.check().is_ok() {
                    writer.execute_batch("INSERT INTO t VALUES (randomblob(5000))").unwrap();
                }
            });
            let copied = copy_within(&none, &reader, &path, &half, &Stop::never());
            drop(stop_writing);
            copied
        });
        let error = copied.unwrap_err();
        assert!(matches!(error, BackupError::Outrun { .. }), "{error}");
        assert!(reader.is_autocommit(), "the snapshot is given up");
    }

    #[test]
    fn an_unfinished_copy_leaves_nothing_and_has_one_writer() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("b");
        let half = Partial::begin(&to, 0o600).unwrap();
        let error = Partial::begin(&to, 0o600).map(|_| ()).unwrap_err();
        assert!(matches!(error, BackupError::Underway { .. }), "{error}");
        drop(half);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
