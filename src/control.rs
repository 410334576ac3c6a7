//! Commands: one type for the socket, the page and, later, the command sheets, and the ways in which it is carried out.
//!
//! Most change the ledger. Those about scanners are for a running daemon alone: [`roster`] has its scanners.
//!
//! With a daemon a command goes through its Unix socket, found through the ledger's lock; without one the command takes the
//! lock and runs the ledger's thread itself. Either way the same function carries it out. One line of JSON each way.
//!
//! Whoever asks is a user of the operating system, and from `sign_in` on an operator, for as long as the connection lasts.

pub mod batch;
pub mod manual;
pub mod roster;

mod password;
mod people;
mod socket;
mod within;

pub use password::PASSWORD_BYTES_MAX;
pub use people::{Guests, Hand, SIGN_IN_LOCKED};
pub use socket::Socket;
pub use within::Within;

use crate::ballot::{BallotId, ElectionId, Status};
use crate::clock::Clock;
use crate::coded::{Coded, Refuses, coded};
use crate::envelope::Formats;
use crate::ledger::{
    Checkpoint, Compared, Counts, Decision, Done, Dropped, ImportRefused, ImportRow, ImportedFile,
    Ledger, Lock, LockError, LookedUp, Moved, NoSheet, NotAllowed, NotDone, NotKnown, NotMoved,
    Party, PeopleRequest, ProofRequest, Renewal, Repeats, Reply, Request, Reversed, Role, Secret,
    SetRequest, Settings, SheetCodes, SheetRequest, StartError, TokenAct, UnnamedPiece, Who,
    packed,
};
use batch::{BatchAnswer, BatchCommand};
use manual::{ManualCommand, Marked};
use people::Slow;
use roster::ScannerState;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// Longest command or answer, in bytes; a piece of an import is the longest.
pub const LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How long a command waits for the daemon's answer.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

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
        /// Where it was shown to stand: standing elsewhere, it is left there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Status>,
    },
    /// `batch`.
    Batch(BatchCommand),
    /// `--operator`: what follows on this connection is asked, or confirmed, by that operator.
    SignIn {
        /// Their name; a badge says it, too.
        operator: Option<String>,
        /// The password, or the badge's code.
        secret: Secret,
        /// Who asks, or who confirms.
        #[serde(default)]
        hand: Hand,
    },
    /// `operators add`.
    OperatorAdd {
        /// Their name.
        operator: String,
        /// What they may do.
        role: Role,
        /// The password, or the badge's code.
        secret: Secret,
    },
    /// `operators disable`.
    OperatorDisable {
        /// Their name.
        operator: String,
    },
    /// `operators token`: before a token is made, and after they ended.
    OperatorTokens {
        /// Whose.
        operator: String,
        /// What is done.
        act: TokenAct,
    },
    /// `batch reverse`.
    BatchReverse {
        /// The batch's number.
        batch: u32,
        /// Why.
        reason: String,
    },
    /// `proposals confirm` and `proposals decline`.
    Decide {
        /// The proposal.
        proposal: i64,
        /// What the second person says.
        decision: Decision,
    },
    /// `outbox drop`.
    OutboxDrop {
        /// Row number of the change.
        change: i64,
        /// Why.
        reason: String,
    },
    /// `undo`.
    Undo {
        /// The id of the scan that was shown: no other is taken back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<String>,
    },
    /// `outbox retry`.
    OutboxRetry {},
    /// `ledger checkpoint`.
    LedgerCheckpoint {},
    /// `import` begins.
    ImportBegin {},
    /// `import` stages rows.
    ImportRows {
        /// Which import.
        import: i64,
        /// The rows.
        #[serde(with = "packed")]
        rows: Vec<ImportRow>,
    },
    /// `import` says what is done with rows that say what an earlier one said.
    ImportRepeats {
        /// Which import.
        import: i64,
        /// What is done.
        repeats: Repeats,
    },
    /// `import --dry-run` stages rows, and hears what became of each.
    ImportCompare {
        /// Which import.
        import: i64,
        /// The rows.
        #[serde(with = "packed")]
        rows: Vec<ImportRow>,
    },
    /// `import` has a piece of its codes written, after the last row.
    ImportIndex {
        /// Which import.
        import: i64,
    },
    /// `import` asks for the next ballots that the file does not name.
    ImportUnnamed {
        /// Which import.
        import: i64,
        /// The election that is meant by a file without rows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        election: Option<ElectionId>,
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
    /// `labels commands`: the codes of command sheets.
    Sheet {
        /// What becomes of earlier sheets.
        #[serde(default)]
        renewal: Renewal,
        /// The generation that was shown to become stale: where another one is good by now, nothing does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<u32>,
    },
    /// `receive`: an envelope's number that somebody types.
    Manual(ManualCommand),
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
    /// It waits for a second operator.
    Proposed {
        /// Its number.
        proposal: i64,
    },
    /// The proposal was declined; nothing is done.
    Declined {
        /// Its number.
        proposal: i64,
    },
    /// The batch was reversed.
    Reversed(Reversed),
    /// The relay never gets that change.
    Dropped(Dropped),
    /// It is that operator.
    SignedIn {
        /// Their name.
        operator: String,
        /// What they may do.
        role: Role,
    },
    /// There is a new operator.
    OperatorAdded {
        /// Their name.
        operator: String,
        /// What they may do.
        role: Role,
    },
    /// That operator may do nothing any more.
    OperatorDisabled {
        /// Their name.
        operator: String,
    },
    /// What is done about their tokens stands in the ledger.
    TokensNoted {
        /// Whose they are.
        operator: String,
    },
    /// The rules do not allow it; nothing changed.
    Refused {
        /// Why.
        why: String,
        /// The same by its code, of what people are refused.
        #[serde(flatten)]
        coded: Option<Coded>,
    },
    /// A batch was opened or closed.
    Batch(BatchAnswer),
    /// So many changes are owed again.
    Retried {
        /// How many.
        n: usize,
    },
    /// The ledger was signed.
    Checkpointed(Checkpoint),
    /// The import has this number.
    ImportBegun {
        /// Its number.
        import: i64,
    },
    /// Another import is under way: try again.
    ImportBusy {},
    /// The import goes on.
    ImportGoesOn {},
    /// The rows were staged; what became of them, or what of that somebody must hear.
    ImportCompared(Compared),
    /// A piece of the codes was written.
    ImportIndexed {
        /// How many are left.
        left: u64,
    },
    /// The next ballots that the file does not name.
    ImportUnnamed(UnnamedPiece),
    /// The import is decided, or given up.
    ImportDone(Counts),
    /// The codes of command sheets.
    Sheet(SheetCodes),
    /// The number is this ballot's; nothing changed.
    LookedUp(LookedUp),
    /// The number was recorded as a scan.
    Marked(Marked),
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
        guests: Box<Guests>,
        /// The envelope formats by which typed numbers are read.
        formats: Formats,
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
                    guests: Box::new(Guests::os_user(user_name(process_user()))),
                    formats: Formats::new(None, Vec::new()),
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

    /// The same, where numbers are typed: without a daemon, which has its own, they are read by these formats.
    #[must_use]
    pub fn with_formats(mut self, of_station: Formats) -> Self {
        if let Self::Here { formats, .. } = &mut self {
            *formats = of_station;
        }
        self
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
            Self::Here { ledger, guests, formats, .. } => {
                Ok(blocking(ledger, command, guests, formats))
            }
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
    /// Whoever has time.
    Slow(Slow),
    /// Whoever has the scanners.
    Scanners(OfScanners),
    /// Nobody: this is the answer.
    Refused(Answer),
}

/// What is asked about scanners.
enum OfScanners {
    States,
    Acknowledge(Option<String>),
}

/// What a command asks, and of whom; the ledger's answer goes to `reply`.
fn asked(
    command: Command,
    guests: &mut Guests,
    formats: &Formats,
    reply: oneshot::Sender<Answer>,
) -> Asked {
    let party = &guests.party;
    match command {
        Command::Scanners {} => Asked::Scanners(OfScanners::States),
        Command::SignIn { operator, secret, hand } => {
            Asked::Slow(Slow::SignIn { operator, secret, hand })
        }
        _ if party.by.role == Some(Role::Auditor) => {
            Asked::Refused(refused(&NotAsked::AuditorReads))
        }
        Command::Manual(command) => command.asked(guests, formats, reply),
        Command::Sheet { renewal, of } => {
            let reply = read(reply, |codes| match codes {
                Ok(codes) => Answer::Sheet(codes),
                Err(why) => refused::<NoSheet>(&why),
            });
            let person = party.by.clone();
            Asked::Ledger(Request::Sheet(SheetRequest { renewal, of, person, reply }))
        }
        Command::Acknowledge { scanner } => Asked::Scanners(OfScanners::Acknowledge(scanner)),
        Command::OperatorAdd { operator, role, secret } => {
            Asked::Slow(Slow::Add { operator, role, secret })
        }
        Command::BallotSet { .. }
        | Command::OperatorDisable { .. }
        | Command::OperatorTokens { .. }
        | Command::BatchReverse { .. }
        | Command::Decide { .. }
        | Command::OutboxDrop { .. } => of_people(command, party, reply),
        Command::Undo { of } => {
            let who = party.by.who.clone();
            Asked::Ledger(Request::Undo { who, of, reply: read(reply, moved) })
        }
        Command::Batch(command) => {
            Asked::Ledger(Request::Batch(command.asked(party.by.clone(), reply)))
        }
        Command::OutboxRetry {} => {
            let who = party.by.who.clone();
            Asked::Ledger(Request::Retry { who, reply: read(reply, retried) })
        }
        Command::LedgerCheckpoint {} => Asked::Ledger(Request::Proof(ProofRequest::Checkpoint(
            read(reply, Answer::Checkpointed),
        ))),
        Command::ImportBegin {}
        | Command::ImportRows { .. }
        | Command::ImportRepeats { .. }
        | Command::ImportCompare { .. }
        | Command::ImportIndex { .. }
        | Command::ImportUnnamed { .. }
        | Command::ImportCommit { .. }
        | Command::ImportAbandon { .. } => of_import(command, &party.by.who, reply),
    }
}

/// Why a command is asked of nobody.
#[derive(Debug, thiserror::Error)]
enum NotAsked {
    #[error("an auditor reads everything and changes nothing")]
    AuditorReads,
    #[error("there is no scanner of that name")]
    NoScanner,
    #[error("no daemon runs")]
    NoDaemon,
    #[error("this is no command of that kind")]
    AnotherKind,
}

impl Refuses for NotAsked {
    fn coded(&self) -> Coded {
        match self {
            Self::AuditorReads => coded("auditor_reads", &[]),
            Self::NoScanner => coded("no_scanner", &[]),
            Self::NoDaemon => coded("no_daemon", &[]),
            Self::AnotherKind => coded("another_kind", &[]),
        }
    }
}

/// What an import asks of the ledger.
fn of_import(command: Command, who: &Who, reply: oneshot::Sender<Answer>) -> Asked {
    Asked::Ledger(match command {
        Command::ImportBegin {} => Request::ImportBegin(read(reply, |begun| match begun {
            Ok(import) => Answer::ImportBegun { import },
            Err(ImportRefused::Busy) => Answer::ImportBusy {},
            Err(why) => refused_import(&why),
        })),
        Command::ImportRows { import, rows } => {
            let reply = read(reply, |done| unless_refused(done, Answer::ImportCompared));
            Request::ImportRows { import, rows, reply }
        }
        Command::ImportRepeats { import, repeats } => {
            let reply = read(reply, |done| unless_refused(done, |()| Answer::ImportGoesOn {}));
            Request::ImportRepeats { import, repeats, reply }
        }
        Command::ImportCompare { import, rows } => {
            let reply = read(reply, |done| unless_refused(done, Answer::ImportCompared));
            Request::ImportCompare { import, rows, reply }
        }
        Command::ImportIndex { import } => {
            let reply =
                read(reply, |done| unless_refused(done, |left| Answer::ImportIndexed { left }));
            Request::ImportIndex { import, reply }
        }
        Command::ImportUnnamed { import, election } => {
            let reply = read(reply, |done| unless_refused(done, Answer::ImportUnnamed));
            Request::ImportUnnamed { import, election, reply }
        }
        Command::ImportCommit { import, file } => {
            let Who { by, os_user } = who.clone();
            let file = ImportedFile { by, os_user, ..file };
            Request::ImportCommit { import, file, reply: read(reply, done) }
        }
        Command::ImportAbandon { import, refused } => {
            Request::ImportAbandon { import, refused, reply: read(reply, done) }
        }
        _ => return Asked::Refused(refused(&NotAsked::AnotherKind)),
    })
}

/// What is asked of the ledger where it matters who asks.
fn of_people(command: Command, party: &Party, reply: oneshot::Sender<Answer>) -> Asked {
    let by = party.by.clone();
    Asked::Ledger(Request::People(match command {
        Command::BallotSet { election, ballot, status, reason, from } => {
            let party = party.clone();
            let request = SetRequest { election, ballot, status, reason, from, party };
            return Asked::Ledger(Request::Set(request, read(reply, decided)));
        }
        Command::OperatorDisable { operator } => {
            let name = operator.clone();
            let reply = read(reply, |disabled| match disabled {
                Ok(()) => Answer::OperatorDisabled { operator: name },
                Err(why) => refused(&why),
            });
            PeopleRequest::Disable { operator, by, reply }
        }
        Command::OperatorTokens { operator, act } => {
            let name = operator.clone();
            let reply = read(reply, |noted| match noted {
                Ok(()) => Answer::TokensNoted { operator: name },
                Err(why) => refused(&why),
            });
            PeopleRequest::Tokens { operator, act, by, reply }
        }
        Command::BatchReverse { batch, reason } => {
            let (party, reply) = (party.clone(), read(reply, decided));
            PeopleRequest::ReverseBatch { batch, reason, party, reply }
        }
        Command::Decide { proposal, decision } => {
            PeopleRequest::Decide { proposal, decision, by, reply: read(reply, decided) }
        }
        Command::OutboxDrop { change, reason } => {
            let reply = read(reply, |dropped| match dropped {
                Ok(dropped) => Answer::Dropped(dropped),
                Err(why) => refused::<NotDone>(&why),
            });
            PeopleRequest::Drop { change, reason, by, reply }
        }
        _ => return Asked::Refused(refused(&NotAsked::AnotherKind)),
    }))
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

fn retried(n: Result<usize, NotAllowed>) -> Answer {
    n.map_or_else(|why| refused(&why), |n| Answer::Retried { n })
}

fn moved(moved: Result<Moved, NotMoved>) -> Answer {
    match moved {
        Ok(moved) => Answer::Moved(moved),
        Err(why) => refused(&why),
    }
}

fn decided(done: Result<Done, NotDone>) -> Answer {
    match done {
        Ok(Done::Moved(moved)) => Answer::Moved(moved),
        Ok(Done::Reversed(reversed)) => Answer::Reversed(reversed),
        Ok(Done::Proposed(proposal)) => Answer::Proposed { proposal },
        Ok(Done::Declined(proposal)) => Answer::Declined { proposal },
        Err(why) => refused(&why),
    }
}

fn refused<E: Refuses>(why: &E) -> Answer {
    Answer::Refused { why: why.to_string(), coded: Some(why.coded()) }
}

/// Imports are for the command line alone, in English.
fn refused_import(why: &ImportRefused) -> Answer {
    Answer::Refused { why: why.to_string(), coded: None }
}

fn done(done: Result<Counts, ImportRefused>) -> Answer {
    unless_refused(done, Answer::ImportDone)
}

fn unless_refused<T>(done: Result<T, ImportRefused>, answer: impl FnOnce(T) -> Answer) -> Answer {
    match done {
        Ok(done) => answer(done),
        Err(why) => refused_import(&why),
    }
}

fn failed() -> Answer {
    Answer::Failed { why: NotKnown.to_string() }
}

/// Carries a command out and waits on this thread, which has no scanners.
fn blocking(ledger: &Ledger, command: Command, guests: &mut Guests, formats: &Formats) -> Answer {
    let (reply, answer) = oneshot::channel();
    let noted = command.noted().map(|what| (what, guests.party.by.who.clone()));
    let answer = match asked(command, guests, formats, reply) {
        Asked::Ledger(request) => match ledger.send(request) {
            Some(()) => answer.blocking_recv().unwrap_or_else(|_closed| failed()),
            None => failed(),
        },
        Asked::Slow(slow) => people::carry_out(ledger, slow, guests),
        Asked::Scanners(_) => return refused(&NotAsked::NoDaemon),
        Asked::Refused(answer) => answer,
    };
    if let (Some((what, who)), Answer::Refused { why, .. }) = (noted, &answer)
        && ledger.send(people::note(what, why, who)).is_none()
    {
        return failed();
    }
    answer
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
