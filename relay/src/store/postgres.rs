//! PostgreSQL: a few threads with a connection each. A connection that breaks is made anew, and what was not committing is run again.

use super::{Engine, EngineError, Job, Row, StoreError, Tx, Value, schema};
use bytes::BytesMut;
use crossbeam_channel::{Receiver, Select};
use postgres::config::{Host, SslMode};
use postgres::error::SqlState;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Config, NoTls, Statement};
use rustls_platform_verifier::BuilderVerifierExt;
use std::collections::HashMap;
use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::rustls::{ClientConfig, crypto::aws_lc_rs};

/// How often a job is run before its failure is believed.
const RUNS_MAX: u32 = 8;
/// How long a job waits for the server before it is told that it is away.
const CONNECTS_MAX: u32 = 25;
/// Between two tries to connect.
const RECONNECT: Duration = Duration::from_millis(200);
/// For a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What is committed is on disk, whatever the server is configured to. One that hangs must not hang the relay, nor a lock another relay.
const SETTINGS: &str =
    "SET synchronous_commit = on; SET statement_timeout = '60s'; SET lock_timeout = '20s';
    SET idle_in_transaction_session_timeout = '60s'; SET client_min_messages = warning";
/// Two relays that start together must not both make the schema.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(7203211)";

/// Connects and starts the threads.
pub(super) fn start(
    url: &str,
    threads: usize,
    writes: &Receiver<Box<dyn Job>>,
    reads: &Receiver<Box<dyn Job>>,
) -> Result<(), StoreError> {
    let mut server = Server::new(url)?;
    server.migrate()?;
    for thread_idx in 0..threads.max(2) {
        let server = server.another();
        let (writes, reads) = (writes.clone(), reads.clone());
        thread::Builder::new()
            .name(format!("store-{thread_idx}"))
            .spawn(move || serve(server, &writes, &reads))
            .map_err(|error| open_error(EngineError(error.to_string())))?;
    }
    Ok(())
}

fn open_error(error: EngineError) -> StoreError {
    // The URL may hold a password.
    StoreError::Open("of PostgreSQL".to_owned(), error)
}

/// Whether all its addresses are of this machine.
fn is_here(config: &Config) -> bool {
    let is_loopback = |host: &Host| match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        }
        Host::Unix(_) => true,
    };
    let addresses = config.get_hostaddrs();
    config.get_hosts().iter().all(is_loopback) && addresses.iter().all(IpAddr::is_loopback)
}

/// Where it is, and the connection while there is one.
struct Server {
    config: Config,
    open: Option<(Client, HashMap<String, Statement>)>,
}

impl Server {
    fn new(url: &str) -> Result<Self, StoreError> {
        let mut config: Config = url.parse().map_err(|error| open_error(told(&error)))?;
        config.connect_timeout(CONNECT_TIMEOUT).application_name("ballot-relay");
        if config.get_ssl_mode() == SslMode::Prefer && !is_here(&config) {
            let what = "it is on another machine, and what is kept of voters would go there in the clear: add sslmode=require, or \
                        sslmode=disable where the network itself is encrypted";
            return Err(open_error(EngineError(what.to_owned())));
        }
        Ok(Self { config, open: None })
    }

    fn another(&self) -> Self {
        Self { config: self.config.clone(), open: None }
    }

    fn connect(&mut self) -> Result<(), EngineError> {
        if self.open.as_ref().is_some_and(|(client, _)| !client.is_closed()) {
            return Ok(());
        }
        let mut client = match self.config.get_ssl_mode() {
            SslMode::Disable | SslMode::Prefer => self.config.connect(NoTls),
            _ => self.config.connect(tls()?),
        }
        .map_err(|error| told(&error))?;
        client.batch_execute(SETTINGS).map_err(|error| told(&error))?;
        self.open = Some((client, HashMap::new()));
        Ok(())
    }

    fn migrate(&mut self) -> Result<(), StoreError> {
        self.connect().map_err(open_error)?;
        let Some((client, statements)) = &mut self.open else { return Err(StoreError::Closed) };
        let mut tx = client.transaction().map_err(refused)?;
        for sql in [MIGRATION_LOCK, schema::VERSIONS] {
            tx.batch_execute(sql).map_err(refused)?;
        }
        let mut session = Tx(Engine::Postgres(Session { tx, statements }));
        for (version, step) in schema::lacking(&mut session)? {
            if let Engine::Postgres(session) = &mut session.0 {
                session.tx.batch_execute(step).map_err(refused)?;
            }
            schema::taken(&mut session, version)?;
        }
        let Engine::Postgres(Session { tx, .. }) = session.0 else {
            return Err(StoreError::Closed);
        };
        tx.commit().map_err(refused)
    }

    /// One run of the job.
    fn run(&mut self, job: &mut dyn Job) -> Run {
        let Some((client, statements)) = &mut self.open else {
            return Run::Again(EngineError("not connected".to_owned()));
        };
        let tx = match client.transaction() {
            Ok(tx) => tx,
            Err(error) => return Run::Again(told(&error)),
        };
        let mut session = Tx(Engine::Postgres(Session { tx, statements }));
        let outcome = job.run(&mut session);
        let Engine::Postgres(Session { tx, .. }) = session.0 else { return Run::Done(outcome) };
        match outcome {
            Ok(()) => match tx.commit() {
                Ok(()) => Run::Done(Ok(())),
                Err(error) if is_refusal(&error) => Run::Again(told(&error)),
                Err(error) => Run::Done(Err(StoreError::Unknown(told(&error)))),
            },
            Err(StoreError::Away(error)) => Run::Again(error),
            Err(error) => match tx.rollback() {
                Ok(()) => Run::Done(Err(error)),
                Err(broken) => Run::Again(told(&broken)),
            },
        }
    }
}

/// What came of one run.
enum Run {
    Done(Result<(), StoreError>),
    /// Nothing was committed, and it may go better next time.
    Again(EngineError),
}

/// Does what is asked until nobody asks any more.
fn serve(mut server: Server, writes: &Receiver<Box<dyn Job>>, reads: &Receiver<Box<dyn Job>>) {
    let mut open = [Some(writes), Some(reads)];
    loop {
        let mut select = Select::new();
        let queues: Vec<_> = open.iter().flatten().copied().collect();
        for queue in &queues {
            select.recv(queue);
        }
        if queues.is_empty() {
            return;
        }
        let chosen = select.select();
        let Some(queue) = queues.get(chosen.index()).copied() else { return };
        match chosen.recv(queue) {
            Ok(job) => attend(&mut server, job),
            Err(_closed) => {
                for slot in &mut open {
                    if slot.is_some_and(|one| one.same_channel(queue)) {
                        *slot = None;
                    }
                }
            }
        }
    }
}

fn attend(server: &mut Server, mut job: Box<dyn Job>) {
    let mut last = EngineError("not tried".to_owned());
    let (mut n_runs, mut n_connects) = (0, 0);
    while n_runs < RUNS_MAX && n_connects < CONNECTS_MAX {
        if let Err(error) = server.connect() {
            last = error;
            n_connects += 1;
            if crossbeam_channel::after(RECONNECT).recv().is_err() {
                break;
            }
            continue;
        }
        n_runs += 1;
        match server.run(job.as_mut()) {
            Run::Done(outcome) => return job.end(outcome),
            Run::Again(error) => last = error,
        }
    }
    job.end(Err(StoreError::Away(last)));
}

/// A transaction of one connection, and the statements that it has ready.
pub(super) struct Session<'c> {
    tx: postgres::Transaction<'c>,
    statements: &'c mut HashMap<String, Statement>,
}

impl Session<'_> {
    pub(super) fn run(&mut self, sql: &str, values: &[Value]) -> Result<u64, StoreError> {
        let statement = self.statement(sql)?;
        self.tx.execute(&statement, &borrowed(values)).map_err(refused)
    }

    pub(super) fn rows(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, StoreError> {
        let statement = self.statement(sql)?;
        let found = self.tx.query(&statement, &borrowed(values)).map_err(refused)?;
        found.iter().map(row).collect()
    }

    fn statement(&mut self, sql: &str) -> Result<Statement, StoreError> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.tx.prepare(sql).map_err(refused)?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

fn borrowed(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

fn row(row: &postgres::Row) -> Result<Row, StoreError> {
    let values = row.columns().iter().enumerate().map(|(column, about)| {
        let value = match *about.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(column).map(|n| n.map(Value::Int)),
            Type::INT4 => row
                .try_get::<_, Option<i32>>(column)
                .map(|n| n.map(|number| Value::Int(i64::from(number)))),
            Type::TEXT => row.try_get::<_, Option<String>>(column).map(|t| t.map(Value::Text)),
            _ => return Err(StoreError::Column(column)),
        };
        Ok(value.map_err(refused)?.unwrap_or(Value::Null))
    });
    Ok(Row(values.collect::<Result<_, _>>()?))
}

impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(number) if *ty == Type::INT4 => i32::try_from(*number)?.to_sql(ty, out),
            Self::Int(number) => number.to_sql(&Type::INT8, out),
            Self::Text(text) => text.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn tls() -> Result<MakeRustlsConnect, EngineError> {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(BuilderVerifierExt::with_platform_verifier)
        .map_err(|error| EngineError(error.to_string()))?;
    Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
}

/// Whether the server itself said that the transaction was not done, and may be run again.
fn is_refusal(error: &postgres::Error) -> bool {
    matches!(
        error.code(),
        Some(&(SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED))
    )
}

/// A failure before the commit: the transaction is not done.
#[expect(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn refused(error: postgres::Error) -> StoreError {
    let is_lasting = error.as_db_error().is_some_and(|said| {
        let code = said.code();
        // Classes 08 (connection), 40 (rolled back), 53 (resources), 57 (operator) pass; `55P03` is a lock that was waited for.
        let passes = ["08", "40", "53", "57"].iter().any(|class| code.code().starts_with(class));
        !passes && *code != SqlState::LOCK_NOT_AVAILABLE
    });
    if is_lasting { StoreError::Refused(told(&error)) } else { StoreError::Away(told(&error)) }
}

/// The server's message without its detail, which shows values.
fn told(error: &postgres::Error) -> EngineError {
    EngineError(match error.as_db_error() {
        Some(said) => format!("{} ({})", said.message(), said.code().code()),
        None => crate::told::chain(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_goes_to_another_machine_in_the_clear_by_default() {
        for (url, expected) in [
            ("postgres://relay@localhost/relay", true),
            ("postgres://relay@127.0.0.1/relay", true),
            ("postgres://relay@[::1]/relay", true),
            ("postgres:///relay?host=/run/postgresql", true),
            ("postgres://relay@db.example.gov/relay", false),
            ("postgres://relay@192.0.2.1/relay?sslmode=prefer", false),
            ("postgres://relay@localhost,db.example.gov/relay", false),
            ("postgres://relay@localhost/relay?hostaddr=192.0.2.1", false),
            ("postgres://relay@db.example.gov/relay?sslmode=require", true),
            ("postgres://relay@db.example.gov/relay?sslmode=disable", true),
        ] {
            assert_eq!(Server::new(url).is_ok(), expected, "{url}");
        }
    }
}
