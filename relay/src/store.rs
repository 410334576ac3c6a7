//! The one seam to the database: transactions in plain SQL that two engines read alike.
//!
//! # Constraints
//!
//! - SQLite for a county: one thread owns the writing connection and puts all writes that wait into one transaction, each under a
//!   savepoint of its own, so that a burst costs one sync; readers have connections of their own. PostgreSQL for a state: a few
//!   threads with a connection each, a transaction a write; several relay processes share one database.
//! - A write is answered after its commit. A commit whose outcome is not known is [`StoreError::Unknown`]: who asked looks again,
//!   or leaves it to the lease that it took.
//! - A job may be run again before it is answered (a deadlock, a connection that broke before the commit), so it only reads and
//!   writes through its [`Tx`].
//! - No transaction is open while anything else is waited for: jobs are plain functions, without await.
//! - A queue holds `JOBS_MAX` jobs of tasks; a task that asks beyond that waits for room. A plain thread has one job at a time.
//!
//! Parameters are written `$1` to `$n`; every number is `BIGINT`. [`Tx::skip_locked`] is the one place where the engines differ.

mod postgres;
mod schema;
mod sqlite;
mod value;

pub use value::{Row, Value};

use crossbeam_channel::{Sender, bounded};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Jobs of tasks that wait or run.
const JOBS_MAX: usize = 1_024;
/// Plain threads that ask at once.
const THREADS_MAX: usize = 1_024;

/// Parameters of a statement.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::store::Value::from($value)),*][..] };
}

/// Which database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// A file.
    Sqlite(PathBuf),
    /// A server, in PostgreSQL's own form. `sslmode=require` is the strictest mode there is: TLS with a server whose certificate is good
    /// for its name. Without a mode only a server on this machine is spoken to; `sslmode=disable` speaks in the clear to any.
    Postgres(String),
}

impl StoreUrl {
    /// Reads `sqlite:FILE` or `postgres://...`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(file) = text.strip_prefix("sqlite:") {
            return (!file.is_empty()).then(|| Self::Sqlite(PathBuf::from(file)));
        }
        let is_server = text.starts_with("postgres://") || text.starts_with("postgresql://");
        is_server.then(|| Self::Postgres(text.to_owned()))
    }
}

/// What an engine said, without the values that it speaks of: those are voters'.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct EngineError(pub(crate) String);

/// Why a job was not done.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be opened.
    #[error("cannot open the database {0}")]
    Open(String, #[source] EngineError),
    /// Its schema is of a later relay.
    #[error("the database has schema {0}, later than this relay's: run the newer relay")]
    Later(i64),
    /// It cannot be reached; nothing was changed.
    #[error("the database is away")]
    Away(#[source] EngineError),
    /// The connection broke while it was committing: it may have been done or not.
    #[error("it is not known whether the database did it")]
    Unknown(#[source] EngineError),
    /// It refuses.
    #[error("the database refuses")]
    Refused(#[source] EngineError),
    /// A row holds what it cannot.
    #[error("column {0} of a row is not what it must be")]
    Column(usize),
    /// The relay is stopping.
    #[error("the store is closed")]
    Closed,
}

/// A transaction.
pub struct Tx<'c>(Engine<'c>);

enum Engine<'c> {
    Sqlite(&'c rusqlite::Connection),
    Postgres(postgres::Session<'c>),
}

impl Tx<'_> {
    /// Runs a statement; how many rows it touched.
    pub fn run(&mut self, sql: &str, values: &[Value]) -> Result<u64, StoreError> {
        match &mut self.0 {
            Engine::Sqlite(connection) => sqlite::run(connection, sql, values),
            Engine::Postgres(session) => session.run(sql, values),
        }
    }

    /// The rows that a statement gives.
    pub fn rows(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, StoreError> {
        match &mut self.0 {
            Engine::Sqlite(connection) => sqlite::rows(connection, sql, values),
            Engine::Postgres(session) => session.rows(sql, values),
        }
    }

    /// The first row, if there is one.
    pub fn row(&mut self, sql: &str, values: &[Value]) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(sql, values)?.into_iter().next())
    }

    /// The number in the first row, 0 when there is none.
    pub fn count(&mut self, sql: &str, values: &[Value]) -> Result<i64, StoreError> {
        self.row(sql, values)?.map_or(Ok(0), |row| row.int(0))
    }

    /// Ends a `SELECT` whose rows this transaction will change: others pass over them.
    pub const fn skip_locked(&self) -> &'static str {
        match &self.0 {
            // There is one writer.
            Engine::Sqlite(_) => "",
            Engine::Postgres(_) => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// Ends a `SELECT` whose row this transaction will change: others wait.
    pub const fn for_update(&self) -> &'static str {
        match &self.0 {
            Engine::Sqlite(_) => "",
            Engine::Postgres(_) => " FOR UPDATE",
        }
    }
}

impl fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Engine::Sqlite(_) => "Tx(sqlite)",
            Engine::Postgres(_) => "Tx(postgres)",
        })
    }
}

/// What one of the store's threads is asked to do.
pub(crate) trait Job: Send {
    /// Does it, perhaps again.
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError>;
    /// Tells who asked.
    fn end(self: Box<Self>, outcome: Result<(), StoreError>);
}

struct Asked<T, F> {
    job: F,
    found: Option<T>,
    answer: oneshot::Sender<Result<T, StoreError>>,
    /// A task's place in the queue.
    _place: Option<OwnedSemaphorePermit>,
}

impl<T, F> Job for Asked<T, F>
where
    T: Send,
    F: FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        self.found = Some((self.job)(tx)?);
        Ok(())
    }

    fn end(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { found, answer, .. } = *self;
        let found = outcome.and_then(|()| found.ok_or(StoreError::Closed));
        if answer.send(found).is_err() {
            tracing::trace!("Nobody waits for the answer any more.");
        }
    }
}

/// The database. Clones share its threads, which end with the last of them.
#[derive(Clone)]
pub struct Store {
    writes: Queue,
    reads: Queue,
}

/// Jobs on their way to the threads.
#[derive(Clone)]
struct Queue {
    jobs: Sender<Box<dyn Job>>,
    /// For tasks, which must not block.
    room: Arc<Semaphore>,
}

impl Store {
    /// Opens the database and brings its schema up to date. `threads` is how many transactions run beside one another.
    pub fn open(url: &StoreUrl, threads: usize) -> Result<Self, StoreError> {
        let (writes, writes_rx) = bounded(JOBS_MAX + THREADS_MAX);
        let (reads, reads_rx) = bounded(JOBS_MAX + THREADS_MAX);
        match url {
            StoreUrl::Sqlite(file) => sqlite::start(file, threads, writes_rx, &reads_rx)?,
            // A connection does either.
            StoreUrl::Postgres(url) => postgres::start(url, threads, &writes_rx, &reads_rx)?,
        }
        let queue = |jobs| Queue { jobs, room: Arc::new(Semaphore::new(JOBS_MAX)) };
        Ok(Self { writes: queue(writes), reads: queue(reads) })
    }

    /// Writes, in one transaction; returns after the commit.
    pub async fn write<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.writes.ask(job).await
    }

    /// Reads, all from one moment.
    pub async fn read<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.reads.ask(job).await
    }

    /// [`Store::write`] for plain threads.
    pub fn write_now<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.writes.ask_now(job)
    }

    /// [`Store::read`] for plain threads.
    pub fn read_now<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.reads.ask_now(job)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("writes", &self.writes.jobs.len()).finish_non_exhaustive()
    }
}

impl Queue {
    /// Asks as a task does: what it waits for is awaited.
    async fn ask<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let place = Arc::clone(&self.room).acquire_owned().await;
        let place = Some(place.map_err(|_closed| StoreError::Closed)?);
        let (answer, answered) = oneshot::channel();
        // There is room: tasks have places, and threads are fewer than the rest.
        self.jobs
            .try_send(Box::new(Asked { job, found: None, answer, _place: place }))
            .map_err(|_closed| StoreError::Closed)?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Asks as a plain thread does: it blocks.
    fn ask_now<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.jobs
            .send(Box::new(Asked { job, found: None, answer, _place: None }))
            .map_err(|_closed| StoreError::Closed)?;
        answered.blocking_recv().unwrap_or(Err(StoreError::Closed))
    }
}
