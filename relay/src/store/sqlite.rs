//! SQLite: one writing thread that groups what waits into one transaction, and readers beside it.

use super::{Engine, EngineError, Job, Row, StoreError, Tx, Value, schema};
use crossbeam_channel::Receiver;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};
use std::path::Path;
use std::thread;
use std::time::Duration;

/// Writes in one transaction.
const GROUP_MAX: usize = 64;
/// How long another process may hold the file.
const BUSY: Duration = Duration::from_secs(10);
/// Statements that a connection keeps ready.
const STATEMENTS_MAX: usize = 256;
/// Between two tries to open the file anew after a commit failed.
const REOPEN: Duration = Duration::from_millis(200);

/// Opens the file and starts its threads.
pub(super) fn start(
    file: &Path,
    readers: usize,
    writes: Receiver<Box<dyn Job>>,
    reads: &Receiver<Box<dyn Job>>,
) -> Result<(), StoreError> {
    let connection = open(file)?;
    migrate(&connection)?;
    for reader_idx in 0..readers.max(1) {
        let connection = open(file)?;
        let reads = reads.clone();
        spawn(&format!("store-reader-{reader_idx}"), move || read(&connection, &reads))?;
    }
    let file = file.to_owned();
    spawn("store-writer", move || write(connection, &file, &writes))
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map(drop)
        .map_err(|error| StoreError::Open(name.to_owned(), EngineError(error.to_string())))
}

fn open(file: &Path) -> Result<Connection, StoreError> {
    let opened = || {
        let connection = Connection::open(file)?;
        connection.busy_timeout(BUSY)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;
             PRAGMA journal_size_limit = 67108864;",
        )?;
        Ok(connection)
    };
    opened().map_err(|error: rusqlite::Error| {
        StoreError::Open(file.display().to_string(), told(&error))
    })
}

fn migrate(connection: &Connection) -> Result<(), StoreError> {
    let batch = |sql: &str| connection.execute_batch(sql).map_err(refused);
    batch("BEGIN IMMEDIATE")?;
    batch(schema::VERSIONS)?;
    let mut tx = Tx(Engine::Sqlite(connection));
    for (version, step) in schema::lacking(&mut tx)? {
        batch(step)?;
        schema::taken(&mut tx, version)?;
    }
    batch("COMMIT")
}

/// Reads until nobody asks any more.
fn read(connection: &Connection, reads: &Receiver<Box<dyn Job>>) {
    for mut job in reads {
        let outcome = connection.execute_batch("BEGIN").map_err(refused).and_then(|()| {
            let found = job.run(&mut Tx(Engine::Sqlite(connection)));
            connection.execute_batch("COMMIT").map_err(refused)?;
            found
        });
        job.end(outcome);
    }
}

/// Writes until nobody asks any more.
fn write(mut connection: Connection, file: &Path, writes: &Receiver<Box<dyn Job>>) {
    for first in writes {
        let mut group = vec![first];
        group.extend(writes.try_iter().take(GROUP_MAX - 1));
        let Some(broken) = write_group(&connection, group) else { continue };
        tracing::error!(error = %broken, "A commit failed; the database is opened anew.");
        connection = loop {
            match open(file) {
                Ok(opened) => break opened,
                Err(error) => {
                    tracing::error!(error = crate::told::chain(&error), "It cannot be opened.");
                    if crossbeam_channel::after(REOPEN).recv().is_err() {
                        return;
                    }
                }
            }
        };
    }
}

/// Runs the jobs in one transaction and answers them after its commit. What broke, if it did.
fn write_group(connection: &Connection, group: Vec<Box<dyn Job>>) -> Option<String> {
    if let Err(error) = connection.execute_batch("BEGIN IMMEDIATE") {
        for job in group {
            job.end(Err(StoreError::Away(told(&error))));
        }
        return None;
    }
    let done: Vec<_> = group
        .into_iter()
        .map(|mut job| {
            let outcome = savepoint(connection, job.as_mut());
            (job, outcome)
        })
        .collect();
    let committed = connection.execute_batch("COMMIT");
    for (job, outcome) in done {
        job.end(match (&committed, outcome) {
            (Ok(()), outcome) => outcome,
            (Err(_), Err(error)) => Err(error),
            (Err(error), Ok(())) => Err(StoreError::Unknown(told(error))),
        });
    }
    committed.err().map(|error| error.to_string())
}

fn savepoint(connection: &Connection, job: &mut dyn Job) -> Result<(), StoreError> {
    connection.execute_batch("SAVEPOINT job").map_err(refused)?;
    let outcome = job.run(&mut Tx(Engine::Sqlite(connection)));
    let end = if outcome.is_ok() { "RELEASE job" } else { "ROLLBACK TO job; RELEASE job" };
    connection.execute_batch(end).map_err(refused)?;
    outcome
}

pub(super) fn run(connection: &Connection, sql: &str, values: &[Value]) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached(&numbered(sql)).map_err(refused)?;
    let n_rows = statement.execute(params_from_iter(values)).map_err(refused)?;
    Ok(n_rows as u64)
}

pub(super) fn rows(
    connection: &Connection,
    sql: &str,
    values: &[Value],
) -> Result<Vec<Row>, StoreError> {
    let mut statement = connection.prepare_cached(&numbered(sql)).map_err(refused)?;
    let n_columns = statement.column_count();
    let mut found = statement.query(params_from_iter(values)).map_err(refused)?;
    let mut rows = Vec::new();
    while let Some(row) = found.next().map_err(refused)? {
        let values = (0..n_columns).map(|column| match row.get_ref(column).map_err(refused)? {
            ValueRef::Null => Ok(Value::Null),
            ValueRef::Integer(number) => Ok(Value::Int(number)),
            ValueRef::Text(text) => Ok(Value::Text(String::from_utf8_lossy(text).into_owned())),
            ValueRef::Real(_) | ValueRef::Blob(_) => Err(StoreError::Column(column)),
        });
        rows.push(Row(values.collect::<Result<_, _>>()?));
    }
    Ok(rows)
}

/// SQLite counts `$1` as a name and would number it by where it first stands; `?1` it takes by its number.
fn numbered(sql: &str) -> String {
    sql.replace('$', "?")
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn refused(error: rusqlite::Error) -> StoreError {
    StoreError::Refused(told(&error))
}

/// SQLite's own messages name tables and columns, no values.
fn told(error: &rusqlite::Error) -> EngineError {
    EngineError(error.to_string())
}
