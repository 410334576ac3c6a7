//! The pages for clerk and supervisor, and the same as JSON.
//!
//! Constraints, on which the design stands:
//!
//! - Scanning comes first. The pages are served by a thread and a runtime of their own; connections, heads, bodies, event streams
//!   and readers of the ledger each have a named bound and a time-out. Whoever does not read is dropped, never waited for.
//! - The pages change something as the socket does: by a [`Command`](crate::control::Command), carried out by
//!   [`Within`]. They read by `ledger::Reader`, on threads that may block. Nothing else.
//! - Every route stands in one table, `routes`, with the role that it takes. The router is made of the table alone, and each of
//!   its routes goes through `gate`: no page can forget its check.
//! - On this machine's own addresses the station's user looks and acts until there are operators. Elsewhere it takes TLS and
//!   operators, else the daemon does not start.
//! - No framework, no inline script, no inline style, nothing from elsewhere: what is served is compiled in.
//! - There is no lock: sessions and the board are values in watches, and one task writes the board.
//!
//! # How to add
//!
//! - A page: a template in `templates/` that begins with `{% extends "base.html" %}`, a struct beside its handler that derives
//!   `Template` and has the field `frame: Frame<'_>`, a handler that ends in `visit.page(&page)`, and one line in
//!   `routes::ROUTES`: `done(handler(&visit))` for a `fn(&Visit) -> Outcome` that waits for nothing, as `clerk::page`, and
//!   `Box::pin(handler(visit))` for an `async fn(Visit) -> Outcome`, which may `visit.read(|reader| ..).await`.
//! - A form: `post` in the table; `<input type="hidden" name="csrf" value="{{ frame.csrf }}">` in the template;
//!   `visit.field("name")`, `visit.command(command).await` and `Visit::see_other("/where")` in the handler.
//! - An answer in JSON: the same under `/api/v1/`, with `Visit::json(&value)` at its end. Refusals there are JSON by themselves.
//! - A word: a key in `words/en.toml` and in `words/es.toml`, `{{ frame.t("key") }}` in a template, `words.of("key")` in
//!   code. A test holds the files together, and finds keys that are used and not there.
//! - Something that pages are told at once: `board`, which makes frames of what it hears, and `events`, which sends them.

mod act;
mod assets;
mod ballots;
mod batches;
mod board;
mod clerk;
mod day;
mod events;
mod fields;
mod gate;
mod manual;
mod openapi;
mod page;
mod printing;
mod proof;
mod records;
mod refusal;
mod routes;
mod server;
mod sessions;
mod signin;
mod station;
mod story;
mod tls;
pub mod tokens;
mod undo;
mod view;
mod visit;
mod words;

use crate::ballot::{ElectionId, Mode};
use crate::clock::{Clock, Zone};
use crate::config::{Config, Page, Reasons, Run, Tls};
use crate::control::Within;
use crate::envelope::Formats;
use crate::event::often::Often;
use crate::event::{LogEvent, chain};
use crate::labels::{self, Print, Purpose};
use crate::ledger::{OperatorEntry, ReadError, Reader, Role};
use assets::Assets;
use board::{Board, Frame, Looker, Standing};
use proof::Proving;
use sessions::Sessions;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::{Semaphore, broadcast, oneshot, watch};
use words::{Lexicon, WordsError};

pub use routes::{Access, Method, ROUTES, Route};

/// Frames that a stream may lag behind before it is dropped.
const FRAMES_MAX: usize = 128;

/// Connections to the ledger that read, and sheets that are drawn, at a time.
const READERS_MAX: usize = 2;

/// Event streams at a time.
const STREAMS_MAX: usize = 256;

/// How far the pages step back behind scans for a processor (setpriority(2)).
const NICE: i32 = 10;

/// Threads for what blocks: readers, the board's own reader, a password's hash, and a proof.
const BLOCKING_MAX: usize = READERS_MAX + 3;

/// What the pages need of the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    address: SocketAddr,
    tls: Option<Tls>,
    station: String,
    facility: String,
    zone: Zone,
    ledger: PathBuf,
    run: Run,
    /// How long a change is held back from the relay; none where nothing is forwarded.
    hold_back: Option<Duration>,
    marks_nothing: bool,
    election: Option<ElectionId>,
    formats: Arc<Formats>,
    /// Scans from which on the clerk is warned, 0 for never.
    batch_cap: u32,
    /// What a batch's scans do where nothing else is said.
    mode: Mode,
    /// How labels are printed.
    print: Print,
    /// The county's own codes of reasons.
    reasons: Reasons,
}

impl Settings {
    /// Those of a configuration; none where no pages are served.
    pub fn of(config: &Config) -> Option<Self> {
        let Page::Listen(address) = config.station.page else { return None };
        Some(Self {
            address,
            tls: config.tls.clone(),
            station: config.station.id.clone(),
            facility: config.facility.id.clone(),
            zone: config.facility.timezone.clone(),
            ledger: config.ledger.path.clone(),
            run: config.run,
            hold_back: config.relay.as_ref().map(|relay| relay.hold_back),
            marks_nothing: config.election.is_none() || config.envelopes.is_empty(),
            election: config.election.as_ref().map(|election| election.id.clone()),
            formats: Arc::new(Formats::new(
                config.election.as_ref().map(|election| &election.id),
                config.envelopes.clone(),
            )),
            batch_cap: config.station.batch_cap,
            mode: config.station.mode,
            print: Print {
                symbologies: labels::symbologies(&config.envelopes),
                purpose: match config.run {
                    Run::Real => Purpose::Work,
                    Run::Practice => Purpose::Practice,
                },
            },
            reasons: config.reasons.clone(),
        })
    }

    /// Whether only this machine reaches the pages.
    const fn is_local(&self) -> bool {
        self.address.ip().is_loopback()
    }
}

/// Why there are no pages.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// Nobody could be known there.
    #[error(
        "the pages at {0} are for other machines, too, but nobody can sign in: add an administrator first, \
         with `ballot-intake operators add NAME --role administrator`"
    )]
    NoOperators(SocketAddr),
    /// The certificate or its key does not do.
    #[error(transparent)]
    Tls(tls::TlsError),
    /// The address cannot be used.
    #[error("cannot serve the pages at {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(ReadError),
    /// The words that are compiled in are none.
    #[error("the words of the pages cannot be used")]
    Words(#[source] WordsError),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random(#[source] getrandom::Error),
    /// The operating system gave no thread or runtime.
    #[error("cannot start the thread of the pages")]
    Thread(#[source] io::Error),
}

/// What is ready to serve the pages.
pub struct Opening {
    settings: Settings,
    listener: std::net::TcpListener,
    acceptor: Option<tls::Acceptor>,
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opening").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The pages, while they are served.
#[derive(Debug)]
pub struct Desk {
    url: String,
    stop: watch::Sender<()>,
    ended: oneshot::Receiver<()>,
    thread: JoinHandle<()>,
}

/// What every request finds.
#[derive(Debug, Clone)]
struct Shared(Arc<State>);

#[derive(Debug)]
struct State {
    settings: Settings,
    within: Within,
    clock: Arc<dyn Clock>,
    lexicon: Lexicon,
    assets: Assets,
    sessions: Sessions,
    board: watch::Receiver<Board>,
    frames: broadcast::Sender<Frame>,
    readers: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    refusals: watch::Sender<Often>,
    stopped: watch::Receiver<()>,
    proving: watch::Sender<Proving>,
}

impl std::ops::Deref for Shared {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}

impl Opening {
    /// Reads the certificate, makes sure that somebody can sign in where that is needed, and takes the address. Nobody is served
    /// yet; the ledger must be there.
    pub fn open(settings: Settings) -> Result<Self, DeskError> {
        let address = settings.address;
        let acceptor = settings.tls.as_ref().map(tls::acceptor).transpose();
        let acceptor = acceptor.map_err(DeskError::Tls)?;
        if !settings.is_local() {
            let reader = Reader::open(&settings.ledger, settings.zone.clone());
            let operators = reader.and_then(|reader| reader.operators());
            let is_administrator = |entry: &OperatorEntry| {
                entry.role == Role::Administrator && entry.disabled.is_none()
            };
            if !operators.map_err(DeskError::Ledger)?.iter().any(is_administrator) {
                return Err(DeskError::NoOperators(address));
            }
        }
        let at = |source| DeskError::Listen { address, source };
        let listener = server::listen(address).map_err(at)?;
        let address = listener.local_addr().map_err(at)?;
        Ok(Self { settings: Settings { address, ..settings }, listener, acceptor })
    }

    /// Reads the ledger once, and serves from a thread of its own.
    pub fn start(self, within: Within, clock: Arc<dyn Clock>) -> Result<Desk, DeskError> {
        let Self { settings, listener, acceptor } = self;
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}/", settings.address);
        // Subscribed before the ledger is read: nothing falls between.
        let looker = Looker::new(&within, &settings, &clock).map_err(DeskError::Ledger)?;
        let (stop, stopped) = watch::channel(());
        let (board, board_rx) = watch::channel(looker.board().clone());
        let lexicon = Lexicon::built_in().map_err(DeskError::Words)?;
        let frames = broadcast::Sender::new(FRAMES_MAX);
        let standing = Standing { board, frames: frames.clone(), lexicon: lexicon.clone() };
        let shared = Shared(Arc::new(State {
            sessions: Sessions::new(Arc::clone(&clock)).map_err(DeskError::Random)?,
            settings,
            within,
            clock,
            lexicon,
            assets: Assets::new(),
            board: board_rx,
            frames,
            readers: Arc::new(Semaphore::new(READERS_MAX)),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            refusals: watch::Sender::new(Often::new(tokio::time::Instant::now())),
            stopped,
            proving: watch::Sender::new(Proving::default()),
        }));
        let (end, ended) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_MAX)
            .build()
            .map_err(DeskError::Thread)?;
        let serve = move || {
            // Linux takes it for this thread and those that it starts.
            if let Err(error) = rustix::process::setpriority_process(None, NICE) {
                tracing::warn!(
                    event = LogEvent::PagesServed.name(),
                    %error,
                    "The pages take as much of a processor as scans do."
                );
            }
            runtime.block_on(serve(shared, looker, standing, (listener, acceptor)));
            runtime.shutdown_background();
            // Nobody waits for it once the daemon stops by itself.
            drop(end);
        };
        let thread = thread::Builder::new().name("scan-desk".to_owned()).spawn(serve);
        let thread = thread.map_err(DeskError::Thread)?;
        tracing::info!(event = LogEvent::PagesServed.name(), url, "The pages are served.");
        Ok(Desk { url, stop, ended, thread })
    }
}

impl Desk {
    /// Where the pages are.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns when the thread has ended, which it does not before it is stopped. Cancel safe.
    pub async fn ended(&mut self) {
        // Closed: the thread is gone.
        drop((&mut self.ended).await);
    }

    /// Ends the event streams, lets what is being answered be answered, and waits for the thread.
    pub fn stop(self) {
        drop(self.stop);
        // A thread that panicked has said so.
        drop(self.thread.join());
    }
}

/// Serves until the stop is asked for.
async fn serve(
    shared: Shared,
    looker: Looker,
    standing: Standing,
    (listener, acceptor): (std::net::TcpListener, Option<tls::Acceptor>),
) {
    let mut stopped = shared.stopped.clone();
    let sessions = shared.sessions.clone();
    let looking = tokio::spawn(looker.look(standing, sessions, stopped.clone()));
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(
                event = LogEvent::PagesFailed.name(),
                error = chain(&error),
                "No pages are served."
            );
            return;
        }
    };
    let stop = async move { while stopped.changed().await.is_ok() {} };
    server::serve(listener, acceptor, routes::service(shared), stop).await;
    looking.abort();
}

impl State {
    /// Reads the ledger on a thread that may block; so many at a time.
    async fn read<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, refusal::Refusal> {
        let (path, zone) = (self.settings.ledger.clone(), self.settings.zone.clone());
        let read = move || Reader::open(&path, zone).and_then(|reader| ask(&reader));
        self.beside(read).await?.map_err(|error| refusal::Refusal::Failed(chain(&error)))
    }

    /// Does what takes its time on a thread that may block; so many at a time.
    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, refusal::Refusal> {
        let busy = |_closed| refusal::Refusal::Busy;
        let turn = Arc::clone(&self.readers).acquire_owned().await.map_err(busy)?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        done.await.map_err(|panicked| refusal::Refusal::Failed(chain(&panicked)))
    }
}
