//! Commands: one type for the socket and, later, for the page and the command sheets, and the ways in which it is carried out.
//!
//! Most change the ledger. Those about scanners are for a running daemon alone: [`roster`] has its scanners.
//!
//! With a daemon a command goes through its Unix socket, found through the ledger's lock; without one the command takes the
//! lock and runs the ledger's thread itself. Either way the same function carries it out. One line of JSON each way.

pub mod batch;
pub mod roster;

use crate::ballot::{BallotId, ElectionId, Status};
use crate::clock::Clock;
use crate::event::{LogEvent, chain};
use crate::ledger::{
    Counts, ImportRefused, ImportRow, ImportedFile, Ledger, Lock, LockError, Moved, NotKnown,
    NotMoved, Person, RefusedRow, Reply, Request, SetRequest, Settings, StartError, Unsent, Who,
};
use batch::{BatchAnswer, BatchCommand};
use roster::{Roster, ScannerState};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Semaphore, oneshot};

/// Longest command or answer, in bytes; a piece of an import is the longest.
pub const LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Commands carried out at a time.
const CONNECTIONS_MAX: usize = 16;

/// How long the daemon waits for a connection's next command, and for it to take an answer: whoever does neither must not keep
/// others out.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a command waits for the daemon's answer.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

/// Between two attempts to hand the ledger a command that found its queue full.
const SEND_AGAIN: Duration = Duration::from_millis(5);

/// Between two attempts to accept when the operating system refuses.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What somebody wants done, or told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// `ballot set`.
    BallotSet {
        /// The ballot's election.
        election: ElectionId,
        /// The ballot.
        ballot: BallotId,
        /// Where it shall stand.
        status: Status,
        /// Why.
        reason: String,
    },
    /// `batch`.
    Batch(BatchCommand),
    /// `undo`.
    Undo {},
    /// `outbox retry`.
    OutboxRetry {},
    /// `import` begins.
    ImportBegin {},
    /// `import` stages rows.
    ImportRows {
        /// Which import.
        import: i64,
        /// The rows.
        rows: Vec<ImportRow>,
    },
    /// `import` decides.
    ImportCommit {
        /// Which import.
        import: i64,
        /// The file.
        #[serde(flatten)]
        file: ImportedFile,
    },
    /// `import --dry-run` gives up; so does a connection that ends.
    ImportAbandon {
        /// Which import.
        import: i64,
        /// Rows refused before they were sent.
        refused: u64,
    },
    /// `devices`: how each scanner is.
    Scanners {},
    /// `acknowledge`: what was bad was seen.
    Acknowledge {
        /// Which scanner may scan again; all of them when none is named.
        scanner: Option<String>,
    },
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// The ballot was moved.
    Moved(Moved),
    /// The rules do not allow it; nothing changed.
    Refused {
        /// Why.
        why: String,
    },
    /// A batch was opened or closed.
    Batch(BatchAnswer),
    /// So many changes are owed again.
    Retried {
        /// How many.
        n: usize,
    },
    /// The import has this number.
    ImportBegun {
        /// Its number.
        import: i64,
    },
    /// Another import is under way: try again.
    ImportBusy {},
    /// The rows were staged but for these.
    ImportStaged {
        /// Those that were not taken.
        refused: Vec<RefusedRow>,
    },
    /// The import is decided, or given up.
    ImportDone(Counts),
    /// So each scanner is, in the order of the configuration.
    Scanners {
        /// One each.
        scanners: Vec<ScannerState>,
    },
    /// So many of the scanners that may scan again were locked.
    Acknowledged {
        /// How many.
        n: usize,
    },
    /// The ledger could not be written, or the command not be read.
    Failed {
        /// Why.
        why: String,
    },
}

/// Why a command found no one to carry it out.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Another command has the ledger, and takes none itself.
    #[error(transparent)]
    Lock(LockError),
    /// The ledger cannot be opened.
    #[error(transparent)]
    Ledger(StartError),
    /// The daemon does not answer.
    #[error(
        "the daemon (process {pid}) does not answer at {socket}; look before you repeat a command, for it may yet be done"
    )]
    Daemon {
        /// The process that holds the lock.
        pid: u32,
        /// Its socket.
        socket: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
}

/// Whoever carries commands out.
#[derive(Debug)]
pub enum Desk {
    /// The running daemon.
    Daemon {
        /// The connection.
        connection: BufReader<UnixStream>,
        /// The process.
        pid: u32,
        /// Its socket.
        socket: PathBuf,
    },
    /// This process, which holds the lock.
    Here {
        /// The ledger.
        ledger: Ledger,
        /// Its thread.
        thread: JoinHandle<()>,
        /// The lock.
        lock: Lock,
        /// Who asks.
        who: Who,
    },
}

impl Desk {
    /// Finds the daemon that has the ledger, or opens the ledger here.
    pub fn find(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, ControlError> {
        match Lock::take(&settings.path) {
            Ok(lock) => {
                let (ledger, thread) =
                    Ledger::start(settings, clock, 0).map_err(ControlError::Ledger)?;
                Ok(Self::Here {
                    ledger,
                    thread,
                    lock,
                    who: Who::os_user(user_name(process_user())),
                })
            }
            Err(LockError::Held(holder)) => {
                let Some(socket) = holder.socket.clone() else {
                    return Err(ControlError::Lock(LockError::Held(holder)));
                };
                let at = |source| ControlError::Daemon {
                    pid: holder.pid,
                    socket: socket.clone(),
                    source,
                };
                let stream = UnixStream::connect(&socket).map_err(at)?;
                stream.set_read_timeout(Some(ANSWER_TIMEOUT)).map_err(at)?;
                Ok(Self::Daemon {
                    connection: BufReader::new(stream),
                    pid: holder.pid,
                    socket: socket.clone(),
                })
            }
            Err(error) => Err(ControlError::Lock(error)),
        }
    }

    /// The daemon that has the ledger; none when nobody answers. Nothing is opened or locked.
    pub fn of_daemon(ledger: &Path) -> Option<Self> {
        let holder = Lock::holder(ledger)?;
        let socket = holder.socket?;
        let stream = UnixStream::connect(&socket).ok()?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT)).ok()?;
        Some(Self::Daemon { connection: BufReader::new(stream), pid: holder.pid, socket })
    }

    /// Has a command carried out.
    pub fn ask(&mut self, command: Command) -> Result<Answer, ControlError> {
        match self {
            Self::Here { ledger, who, .. } => Ok(blocking(ledger, command, who)),
            Self::Daemon { connection, pid, socket } => {
                exchange(connection, &command).map_err(|source| ControlError::Daemon {
                    pid: *pid,
                    socket: socket.clone(),
                    source,
                })
            }
        }
    }

    /// Closes the ledger, if it was opened here, and gives the lock back.
    pub fn close(self) {
        if let Self::Here { ledger, thread, lock, .. } = self {
            drop(ledger);
            // A thread that panicked has said so.
            drop(thread.join());
            drop(lock);
        }
    }
}

fn exchange(connection: &mut BufReader<UnixStream>, command: &Command) -> io::Result<Answer> {
    let mut line = serde_json::to_string(command).map_err(io::Error::other)?;
    line.push('\n');
    connection.get_mut().write_all(line.as_bytes())?;
    let mut answer = String::new();
    connection.take(LINE_BYTES_MAX).read_line(&mut answer)?;
    if answer.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    serde_json::from_str(&answer).map_err(io::Error::other)
}

/// Who can carry a command out.
enum Asked {
    /// The ledger, which sends its answer to where the request says.
    Ledger(Request),
    /// Whoever has the scanners.
    Scanners(OfScanners),
}

/// What is asked about scanners.
enum OfScanners {
    States,
    Acknowledge(Option<String>),
}

/// What a command asks, and of whom; the ledger's answer goes to `reply`.
fn asked(command: Command, who: &Who, reply: oneshot::Sender<Answer>) -> Asked {
    let who = who.clone();
    Asked::Ledger(match command {
        Command::Scanners {} => return Asked::Scanners(OfScanners::States),
        Command::Acknowledge { scanner } => {
            return Asked::Scanners(OfScanners::Acknowledge(scanner));
        }
        Command::BallotSet { election, ballot, status, reason } => {
            Request::Set(SetRequest { election, ballot, status, reason, who }, read(reply, moved))
        }
        Command::Batch(command) => Request::Batch(command.asked(Person { who, role: None }, reply)),
        Command::Undo {} => Request::Undo { who, reply: read(reply, moved) },
        Command::OutboxRetry {} => {
            Request::Retry { who, reply: read(reply, |n| Answer::Retried { n }) }
        }
        Command::ImportBegin {} => Request::ImportBegin(read(reply, |begun| match begun {
            Ok(import) => Answer::ImportBegun { import },
            Err(ImportRefused::Busy) => Answer::ImportBusy {},
            Err(why) => Answer::Refused { why: why.to_string() },
        })),
        Command::ImportRows { import, rows } => {
            let reply = read(reply, |staged| match staged {
                Ok(refused) => Answer::ImportStaged { refused },
                Err(why) => Answer::Refused { why: ImportRefused::to_string(&why) },
            });
            Request::ImportRows { import, rows, reply }
        }
        Command::ImportCommit { import, file } => {
            let Who { by, os_user } = who;
            let file = ImportedFile { by, os_user, ..file };
            Request::ImportCommit { import, file, reply: read(reply, done) }
        }
        Command::ImportAbandon { import, refused } => {
            Request::ImportAbandon { import, refused, reply: read(reply, done) }
        }
    })
}

/// Sends the ledger's answer on as `reads` reads it.
fn read<T: Send + 'static>(
    reply: oneshot::Sender<Answer>,
    reads: impl FnOnce(T) -> Answer + Send + 'static,
) -> Reply<T> {
    Reply::new(move |answer| {
        let answer = answer.map_or_else(|_not_known| failed(), reads);
        if reply.send(answer).is_err() {
            tracing::debug!("Nobody waits for an answer any more.");
        }
    })
}

fn moved(moved: Result<Moved, NotMoved>) -> Answer {
    match moved {
        Ok(moved) => Answer::Moved(moved),
        Err(why) => Answer::Refused { why: why.to_string() },
    }
}

fn done(done: Result<Counts, ImportRefused>) -> Answer {
    match done {
        Ok(counts) => Answer::ImportDone(counts),
        Err(why) => Answer::Refused { why: why.to_string() },
    }
}

fn failed() -> Answer {
    Answer::Failed { why: NotKnown.to_string() }
}

/// Carries a command out and waits on this thread, which has no scanners.
fn blocking(ledger: &Ledger, command: Command, who: &Who) -> Answer {
    let (reply, answer) = oneshot::channel();
    match asked(command, who, reply) {
        Asked::Ledger(request) => match ledger.send(request) {
            Some(()) => answer.blocking_recv().unwrap_or_else(|_closed| failed()),
            None => failed(),
        },
        Asked::Scanners(_) => Answer::Refused { why: "no daemon runs".to_owned() },
    }
}

/// Carries a command out on a runtime.
async fn carried_out(daemon: &Within, command: Command, who: &Who) -> Answer {
    let (reply, answer) = oneshot::channel();
    let mut request = match asked(command, who, reply) {
        Asked::Ledger(request) => request,
        Asked::Scanners(what) => return of_scanners(&daemon.scanners, what),
    };
    loop {
        match daemon.ledger.try_send(request) {
            Ok(()) => return answer.await.unwrap_or_else(|_closed| failed()),
            Err(Unsent::Full(again)) => request = *again,
            Err(Unsent::Closed) => return failed(),
        }
        tokio::time::sleep(SEND_AGAIN).await;
    }
}

fn of_scanners(roster: &Roster, what: OfScanners) -> Answer {
    match what {
        OfScanners::States => Answer::Scanners { scanners: roster.states() },
        OfScanners::Acknowledge(scanner) => match roster.acknowledge(scanner.as_deref()) {
            Some(n) => Answer::Acknowledged { n },
            None => Answer::Refused { why: "there is no scanner of that name".to_owned() },
        },
    }
}

/// What a running daemon has, for commands.
#[derive(Debug, Clone)]
pub struct Within {
    /// The ledger.
    pub ledger: Ledger,
    /// The scanners.
    pub scanners: Roster,
}

/// The daemon's socket.
#[derive(Debug)]
pub struct Socket {
    listener: tokio::net::UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Listens in systemd's runtime directory, else beside the ledger, else, where a file system takes no sockets or the path is
    /// too long for one, in the directory for temporary files. The caller holds the ledger's lock, so what lies there is
    /// nobody's.
    pub fn bind(ledger: &Path, runtime_dir: Option<&Path>) -> io::Result<Self> {
        let of_this_process = format!("ballot-intake-{}.sock", std::process::id());
        let place = runtime_dir
            .map_or_else(|| ledger.with_extension("sock"), |dir| dir.join("control.sock"));
        Self::bind_at(place)
            .or_else(|_elsewhere| Self::bind_at(std::env::temp_dir().join(of_this_process)))
    }

    fn bind_at(path: PathBuf) -> io::Result<Self> {
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let listener = tokio::net::UnixListener::bind(&path)?;
        let socket = Self { listener, path };
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o660);
        std::fs::set_permissions(&socket.path, mode)?;
        Ok(socket)
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes commands until `shutdown` completes.
    pub async fn serve(self, daemon: Within, shutdown: impl Future<Output = ()>) {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = tokio::task::JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                accepted = accept(&self.listener, &room) => accepted,
            };
            match accepted {
                Ok((stream, permit)) => {
                    let daemon = daemon.clone();
                    connections.spawn(async move {
                        if let Err(error) = answer_all(stream, &daemon).await {
                            tracing::warn!(
                                event = LogEvent::CommandFailed.name(),
                                error = chain(&error),
                                "A command could not be carried out."
                            );
                        }
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(
                        event = LogEvent::CommandFailed.name(),
                        error = chain(&error),
                        "No command can be taken."
                    );
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if std::fs::remove_file(&self.path).is_err() {
            tracing::debug!("The socket was gone already.");
        }
    }
}

async fn accept(
    listener: &tokio::net::UnixListener,
    room: &Arc<Semaphore>,
) -> io::Result<(tokio::net::UnixStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

/// Every command of one connection, each answered. An import that the connection does not decide is given up with it.
async fn answer_all(stream: tokio::net::UnixStream, daemon: &Within) -> io::Result<()> {
    let who = Who::os_user(user_name(stream.peer_cred()?.uid()));
    let (read, mut write) = stream.into_split();
    let mut read = tokio::io::BufReader::new(read);
    let mut import = None;
    let mut line = String::new();
    let outcome = loop {
        line.clear();
        let mut bounded = (&mut read).take(LINE_BYTES_MAX);
        match in_time(bounded.read_line(&mut line)).await {
            Ok(0) => break Ok(()),
            Ok(_) => {}
            Err(error) => break Err(error),
        }
        let answer = match serde_json::from_str::<Command>(&line) {
            Ok(command) => {
                let ends =
                    matches!(command, Command::ImportCommit { .. } | Command::ImportAbandon { .. });
                let answer = carried_out(daemon, command, &who).await;
                match &answer {
                    Answer::ImportBegun { import: number } => import = Some(*number),
                    _ if ends => import = None,
                    _ => {}
                }
                answer
            }
            Err(error) => Answer::Failed { why: format!("this is no command: {error}") },
        };
        let mut text = serde_json::to_string(&answer).map_err(io::Error::other)?;
        text.push('\n');
        if let Err(error) = in_time(write.write_all(text.as_bytes())).await {
            break Err(error);
        }
    };
    if let Some(import) = import {
        carried_out(daemon, Command::ImportAbandon { import, refused: 0 }, &who).await;
    }
    outcome
}

async fn in_time<T>(done: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match tokio::time::timeout(COMMAND_TIMEOUT, done).await {
        Ok(outcome) => outcome,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

fn process_user() -> u32 {
    // The owner of this process' own entry is the user it acts as.
    std::fs::metadata("/proc/self")
        .map_or(u32::MAX, |own| std::os::unix::fs::MetadataExt::uid(&own))
}

/// The name of the operating system's user, or `uid N` where there is none.
fn user_name(uid: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?);
        (id == uid.to_string()).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("uid {uid}"))
}
