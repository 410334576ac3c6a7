//! The whole flow, top to bottom: lock, ledger, scanners, forwarder, commands; and the draining of them in that order.

mod scanners;

use crate::clock::Clock;
use crate::config::{Config, RelayConfig, SecretSource, Tls};
use crate::control::roster::Roster;
use crate::control::{Socket, Within};
use crate::decode::DecodeError;
use crate::desk::{self, Desk, DeskError};
use crate::event::{LogEvent, chain};
use crate::forward::{self, Relay, RelayError, Timeouts, shown};
use crate::ledger::backup::{Keeper, Nightly, Plan};
use crate::ledger::{Ledger, Lock, LockError, Request, Settings, StartError, Told, Unsent};
use crate::pipeline::{LedgerCheckpoints, LedgerOutbox, Shutdown};
use crate::scanner::recording::{Payloads, RecordError};
use crate::scanner::speaker::Speaker;
use scanners::{Common, Scanners};
use std::convert::Infallible;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, oneshot};

/// How often a transaction is asked to pass through the ledger's thread, where systemd does not ask for more.
const PULSE: Duration = Duration::from_secs(10);

/// Before the ledger's thread is asked again when its queue was full.
const PULSE_AGAIN: Duration = Duration::from_millis(100);

/// Longest secret file, in bytes.
const SECRET_BYTES_MAX: usize = 1_024;

/// What the daemon finds around it.
pub struct World {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// systemd's directory for sockets.
    pub runtime_dir: Option<PathBuf>,
    /// systemd's directory for secrets.
    pub credentials_dir: Option<PathBuf>,
    /// Where what scanners say is recorded, if it is.
    pub record: Option<Record>,
    /// Called once every scanner was opened or reported away; not at all when it is asked to stop before.
    pub on_ready: Box<dyn FnOnce(Ready) + Send>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("runtime_dir", &self.runtime_dir).finish_non_exhaustive()
    }
}

/// What is recorded of the scanners on lines.
#[derive(Debug)]
pub struct Record {
    /// Gets a recording a scanner.
    pub folder: PathBuf,
    /// What is kept of payloads.
    pub payloads: Payloads,
}

/// A daemon that is ready.
#[derive(Debug)]
pub struct Ready {
    /// What happens from here on.
    pub feed: broadcast::Receiver<Told>,
    /// Why no ballot is marked, if none is.
    pub marks_nothing: Option<&'static str>,
    /// Where the pages are, if they are served.
    pub page: Option<String>,
}

/// Why the daemon did not run, or stopped unasked.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Another process has the ledger, or the lock cannot be used.
    #[error(transparent)]
    Lock(LockError),
    /// The ledger cannot be opened.
    #[error(transparent)]
    Ledger(StartError),
    /// The ledger's thread ended.
    #[error("the ledger's thread ended")]
    LedgerEnded,
    /// What drives a scanner panicked: it would be away for good.
    #[error("what drives a scanner ended")]
    DriverEnded,
    /// The forwarder panicked: the relay would not hear of anything any more.
    #[error("the forwarder ended")]
    ForwarderEnded,
    /// The pages cannot be served.
    #[error(transparent)]
    Desk(DeskError),
    /// The thread of the pages panicked.
    #[error("the thread of the pages ended")]
    DeskEnded,
    /// The operating system gave no runtime.
    #[error("cannot start the runtime")]
    Runtime(#[source] io::Error),
    /// The operating system gave no thread.
    #[error("cannot start the thread of scanner {scanner}")]
    Thread {
        /// The scanner.
        scanner: String,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// The decoders cannot be started.
    #[error(transparent)]
    Decoders(DecodeError),
    /// The operating system gave no thread for the station's tones.
    #[error("cannot start the thread of the speaker")]
    Speaker(#[source] io::Error),
    /// The operating system gave no thread for the care of the ledger.
    #[error("cannot start the thread that backs the ledger up")]
    Keeper(#[source] io::Error),
    /// A scanner cannot be recorded.
    #[error(transparent)]
    Record(RecordError),
    /// Commands cannot be taken.
    #[error("cannot take commands for the ledger {ledger}")]
    Socket {
        /// The ledger.
        ledger: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The relay's secret cannot be read.
    #[error("cannot read the relay's secret {path}")]
    SecretFile {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// It is no secret as Standard Webhooks writes it.
    #[error("the relay's secret {path} is none")]
    Secret {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: relay_wire::SecretError,
    },
    /// The certificate that the relay asks for, or its key, cannot be read.
    #[error("cannot read what is shown to the relay, {path}")]
    CertificateFile {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The relay cannot be asked at all.
    #[error(transparent)]
    Relay(RelayError),
}

/// Runs until `shutdown` is requested, then drains: scanners first, the ledger last. Nothing that was acknowledged is lost, and
/// nothing is left half read.
pub fn run(config: Config, world: World, shutdown: Shutdown) -> Result<(), DaemonError> {
    let settings = ledger_settings(&config);
    let plan = care_plan(&config);
    let ledger_path = settings.path.clone();
    let mut lock = Lock::take(&ledger_path).map_err(DaemonError::Lock)?;
    let relay = config.relay.as_ref().map(|relay| open_relay(relay, &world)).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(DaemonError::Runtime)?;
    let scans_max =
        config.scanners.iter().map(|s| usize::from(s.profile.in_flight_max.get())).sum();
    let (ledger, ledger_thread) = Ledger::start(settings, Arc::clone(&world.clock), scans_max)
        .map_err(DaemonError::Ledger)?;
    let begun = desk::Settings::of(&config)
        .map(desk::Opening::open)
        .transpose()
        .map_err(DaemonError::Desk)
        .and_then(|opening| {
            let keeper = Keeper::start(plan, Arc::clone(&world.clock));
            Ok((opening, keeper.map_err(DaemonError::Keeper)?))
        });
    let (opening, keeper) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            // The lock is not given back before the ledger is closed.
            drop(ledger);
            drop(ledger_thread.join());
            return Err(error);
        }
    };
    let outcome = {
        let _entered = runtime.enter();
        take_commands(&ledger_path, world.runtime_dir.as_deref(), &mut lock)
    };
    let outcome = outcome.and_then(|socket| {
        let World { clock, record, on_ready, .. } = world;
        let station = Station { config, ledger: &ledger, clock, record, socket, relay, opening };
        runtime.block_on(async {
            tokio::select! {
                outcome = station.run(on_ready, shutdown) => outcome,
                never = log_at_checkpoints(keeper.as_ref(), &ledger) => match never {},
            }
        })
    });
    // A name that is being looked up for the relay or a scanner must not keep the ledger open.
    runtime.shutdown_background();
    drop(ledger);
    let ended = ledger_thread.join().map_err(|_panic| DaemonError::LedgerEnded);
    // The last events get their lines once there are no more.
    if let Some(keeper) = keeper {
        keeper.stop();
    }
    drop(lock);
    outcome.and(ended)?;
    tracing::info!(event = LogEvent::DaemonStopped.name(), "The daemon has stopped.");
    Ok(())
}

/// Listens for commands, and says in the lock where.
fn take_commands(
    ledger: &Path,
    runtime_dir: Option<&Path>,
    lock: &mut Lock,
) -> Result<Socket, DaemonError> {
    let at = |source| DaemonError::Socket { ledger: ledger.to_owned(), source };
    let socket = Socket::bind(ledger, runtime_dir).map_err(at)?;
    lock.announce(socket.path()).map_err(at)?;
    Ok(socket)
}

/// The ledger's part of the configuration.
pub fn ledger_settings(config: &Config) -> Settings {
    let election = config.election.as_ref();
    Settings {
        path: config.ledger.path.clone(),
        key_file: config.ledger.signing_key_file.clone(),
        facility: config.facility.id.clone(),
        station: config.station.id.clone(),
        zone: config.facility.timezone.clone(),
        election: election.map(|election| election.id.clone()),
        receive_until: election.and_then(|election| election.receive_until),
        postmarked_receive_until: election.and_then(|election| election.postmarked_receive_until),
        cure_until: election.and_then(|election| election.cure_until),
        mode: config.station.mode,
        hold_back: config.relay.as_ref().map_or(crate::config::HOLD_BACK, |relay| relay.hold_back),
        announce_imports: config
            .relay
            .as_ref()
            .map_or_else(Vec::new, |relay| relay.announce_imports.clone()),
        batch_cap: config.station.batch_cap,
    }
}

/// What is taken care of beside the ledger's thread.
pub fn care_plan(config: &Config) -> Plan {
    let nightly = config.ledger.backup_dir.clone().map(|folder| Nightly {
        folder,
        at: config.ledger.backup_at,
        keep: config.ledger.backup_keep,
        zone: config.facility.timezone.clone(),
        facility: config.facility.id.clone(),
        station: config.station.id.clone(),
    });
    Plan {
        ledger: config.ledger.path.clone(),
        facility: config.facility.id.clone(),
        station: config.station.id.clone(),
        zone: config.facility.timezone.clone(),
        nightly,
        log_dir: config.ledger.log_dir.clone(),
    }
}

struct Station<'a> {
    config: Config,
    ledger: &'a Ledger,
    clock: Arc<dyn Clock>,
    record: Option<Record>,
    socket: Socket,
    relay: Option<Relay>,
    opening: Option<desk::Opening>,
}

impl Station<'_> {
    async fn run(
        self,
        on_ready: Box<dyn FnOnce(Ready) + Send>,
        mut shutdown: Shutdown,
    ) -> Result<(), DaemonError> {
        let marks_nothing = self.marks_nothing();
        let Self { config, ledger, clock, record, socket, relay, opening } = self;
        let (stop_scanners, scanners_stopped) = Shutdown::channel();
        let (stop_services, services_stopped) = Shutdown::channel();

        let device = config.station.speaker.clone();
        let speaker = device.map(Speaker::start).transpose().map_err(DaemonError::Speaker)?;
        let common = Common {
            ledger,
            clock: &clock,
            record: record.as_ref(),
            shutdown: &scanners_stopped,
            speaker: speaker.as_ref(),
        };
        let is_witness = config.relay.as_ref().is_some_and(|relay| relay.witness);
        let scanners = Scanners::start(config, &common)?;
        let within =
            Within::new(ledger.clone(), scanners.roster.clone(), Arc::clone(&scanners.formats));
        let mut desk = start_desk(opening, &within, &clock)?;
        let page = desk.as_ref().map(|desk| desk.url().to_owned());
        let witness = relay.clone().filter(|_| is_witness);
        let mut forwarder = tokio::spawn(forward_all(
            relay,
            witness,
            ledger.clone(),
            clock,
            services_stopped.clone(),
        ));
        let mut stopped = services_stopped;
        let commands = tokio::spawn(socket.serve(within, async move { stopped.requested().await }));

        let Scanners { mut drivers, stop_folders, settled, roster, formats: _ } = scanners;
        let ready = async {
            for settled in settled {
                // A driver that ended has nothing more to settle.
                drop(settled.await);
            }
            on_ready(Ready { feed: ledger.feed(), marks_nothing, page });
            notify(&[sd_notify::NotifyState::Ready]);
            pulse(ledger).await
        };
        let outcome = tokio::select! {
            biased;
            () = shutdown.requested() => Ok(()),
            () = desk_ended(desk.as_mut()) => Err(DaemonError::DeskEnded),
            ended = ready => Err(ended),
            Some(_) = drivers.join_next() => Err(DaemonError::DriverEnded),
            never = unlock_at_codes(ledger, &roster) => match never {},
            Err(_) = &mut forwarder => Err(DaemonError::ForwarderEnded),
        };

        notify(&[sd_notify::NotifyState::Stopping]);
        stop_scanners.stop();
        drop(stop_folders);
        while drivers.join_next().await.is_some() {}
        stop_services.stop();
        // Pages hear the last verdicts before they go.
        desk.into_iter().for_each(Desk::stop);
        if !forwarder.is_finished() {
            drop(forwarder.await);
        }
        drop(commands.await);
        outcome
    }

    fn marks_nothing(&self) -> Option<&'static str> {
        match (&self.config.election, self.config.envelopes.is_empty()) {
            (None, _) => Some("no election is configured"),
            (_, true) => Some("no envelope format is configured"),
            _ => None,
        }
    }
}

/// Serves the pages, if there are to be some.
fn start_desk(
    opening: Option<desk::Opening>,
    within: &Within,
    clock: &Arc<dyn Clock>,
) -> Result<Option<Desk>, DaemonError> {
    let start = |opening: desk::Opening| opening.start(within.clone(), Arc::clone(clock));
    opening.map(start).transpose().map_err(DaemonError::Desk)
}

/// Returns when the thread of the pages has ended, if there is one.
async fn desk_ended(desk: Option<&mut Desk>) {
    match desk {
        Some(desk) => desk.ended().await,
        None => std::future::pending().await,
    }
}

fn open_relay(config: &RelayConfig, world: &World) -> Result<Relay, DaemonError> {
    let path = match &config.secret_file {
        SecretSource::Path(path) => path.clone(),
        SecretSource::Credential(name) => {
            world.credentials_dir.clone().unwrap_or_default().join(name)
        }
    };
    let read = read_secret(&path);
    let text = read.map_err(|source| DaemonError::SecretFile { path: path.clone(), source })?;
    let secret = relay_wire::Secret::parse(&text)
        .map_err(|source| DaemonError::Secret { path: path.clone(), source })?;
    let timeouts = Timeouts::default();
    let relay = match &config.client {
        None => Relay::new(&config.url, secret, timeouts),
        Some(Tls { certificate_file, key_file }) => {
            let pem = shown(certificate_file, key_file)
                .map_err(|(path, source)| DaemonError::CertificateFile { path, source })?;
            Relay::showing(&config.url, secret, timeouts, &pem)
        }
    };
    relay.map_err(DaemonError::Relay)
}

fn read_secret(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let limit = u64::try_from(SECRET_BYTES_MAX).unwrap_or(u64::MAX);
    std::fs::File::open(path)?.take(limit).read_to_string(&mut text)?;
    Ok(text)
}

/// Changes to the relay, and checkpoints beside them.
async fn forward_all(
    relay: Option<Relay>,
    witness: Option<Relay>,
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    stopped: Shutdown,
) {
    let changes = forward(relay, ledger.clone(), Arc::clone(&clock), stopped.clone());
    tokio::join!(changes, have_witnessed(witness, ledger, clock, stopped));
}

/// What a checkpoint covers gets its lines on the second path at once: a batch was closed.
async fn log_at_checkpoints(keeper: Option<&Keeper>, ledger: &Ledger) -> Infallible {
    let logged = ledger.news().logged;
    loop {
        logged.notified().await;
        if let Some(keeper) = keeper {
            keeper.flush();
        }
    }
}

/// A code that acknowledges has every scanner scan on that stopped: the one that is locked cannot scan it.
async fn unlock_at_codes(ledger: &Ledger, scanners: &Roster) -> Infallible {
    let acknowledged = ledger.news().acknowledged;
    loop {
        acknowledged.notified().await;
        let n_locked = scanners.acknowledge(None).unwrap_or(0);
        tracing::debug!(n_locked, "Scanners were unlocked by a code.");
    }
}

async fn have_witnessed(
    relay: Option<Relay>,
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    mut stopped: Shutdown,
) {
    let Some(relay) = relay else { return };
    let checkpoints = LedgerCheckpoints::new(ledger);
    forward::witness(checkpoints, relay, clock, async move { stopped.requested().await }).await;
}

/// Forwards until the services stop; without a relay changes are held.
async fn forward(
    relay: Option<Relay>,
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    mut stopped: Shutdown,
) {
    let Some(relay) = relay else { return };
    let outbox = LedgerOutbox::new(ledger);
    // Without random bytes every probe waits its longest, which is no worse than late.
    let random = || getrandom::u64().unwrap_or(u64::MAX);
    let outcome =
        forward::run(outbox, relay, clock, random, async move { stopped.requested().await }).await;
    if let Err(error) = outcome {
        tracing::error!(
            event = LogEvent::RelayAway.name(),
            error = chain(&error),
            "Nothing is forwarded any more."
        );
    }
}

/// Asks the ledger's thread for a transaction again and again, and tells systemd's watchdog of each answer. Returns when the
/// thread has ended.
async fn pulse(ledger: &Ledger) -> DaemonError {
    let every = sd_notify::watchdog_enabled().map_or(PULSE, |watchdog| PULSE.min(watchdog / 2));
    loop {
        let (reply, answer) = oneshot::channel();
        match ledger.try_send(Request::Probe(reply)) {
            Ok(()) => {
                // While the ledger cannot be written its thread drops what it is asked, and answers scanners with the alarm:
                // it lives.
                drop(answer.await);
                notify(&[sd_notify::NotifyState::Watchdog]);
                tokio::time::sleep(every).await;
            }
            Err(Unsent::Full(_)) => tokio::time::sleep(PULSE_AGAIN).await,
            Err(Unsent::Closed) => return DaemonError::LedgerEnded,
        }
    }
}

fn notify(state: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(error = chain(&error), "The service manager was not told.");
    }
}
