//! `run`, `check-config` and `read`.

use super::layouts::Layouts;
use super::machine::Machine;
use super::place::{self, Faulty, Place};
use super::profiles::Profiles;
use super::read::{self, Outcome, Output, Request};
use super::site::Broken;
use super::{Common, Exit, Failure};
use crate::config::{Fault, Run};
use crate::daemon::{self, DaemonError, Ready, Record, World};
use crate::desk::DeskError;
use crate::envelope::Formats;
use crate::event::LogEvent;
use crate::ledger::{LockError, OpenError, SchemaError, StartError};
use crate::pipeline::Shutdown;
use crate::scan::{Face, Symbol, Symbology};
use anyhow::Context as _;
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use tokio::signal::unix::{SignalKind, signal};

/// `ballot-intake run`.
pub(super) fn run(place: &Place, common: &Common, record: Option<Record>) -> Result<Exit, Failure> {
    log_to_stderr();
    let config = place.config(common)?;
    Place::make_ledger_dir(&config.ledger.path)?;
    if config.run == Run::Practice {
        let ledger = config.ledger.path.display().to_string();
        tracing::warn!(event = LogEvent::Practice.name(), ledger, "This is practice.");
    }
    let shutdown = on_signal().map_err(|e| Failure::new(Exit::Away, e))?;
    let world = World {
        clock: Arc::clone(&place.clock),
        runtime_dir: place.runtime_dir.clone(),
        credentials_dir: place.credentials_dir.clone(),
        record,
        on_ready: Box::new(say_ready),
    };
    match daemon::run(config, world, shutdown) {
        Ok(()) => Ok(Exit::Done),
        Err(error) => Err(Failure::new(exit_of(&error), error)),
    }
}

fn say_ready(Ready { marks_nothing, .. }: Ready) {
    if let Some(why) = marks_nothing {
        tracing::warn!(event = LogEvent::NothingMarked.name(), why, "No ballot will be marked.");
    }
    tracing::info!(event = LogEvent::DaemonReady.name(), "The daemon is ready.");
    // Whoever started it may not be listening.
    drop(writeln!(io::stdout().lock(), "ready"));
}

pub(super) const fn exit_of(error: &DaemonError) -> Exit {
    match error {
        DaemonError::SecretFile { .. }
        | DaemonError::CertificateFile { .. }
        | DaemonError::Secret { .. }
        | DaemonError::Desk(DeskError::NoOperators(_) | DeskError::Tls(_))
        | DaemonError::Relay(_)
        | DaemonError::Ledger(StartError::Open(
            OpenError::Key(_)
            | OpenError::Foreign { .. }
            | OpenError::Schema(SchemaError::Newer { .. } | SchemaError::NoWal { .. }),
        )) => Exit::Config,
        DaemonError::Lock(LockError::Held(_))
        | DaemonError::Runtime(_)
        | DaemonError::Thread { .. }
        | DaemonError::DriverEnded
        | DaemonError::ForwarderEnded
        | DaemonError::DeskEnded
        | DaemonError::Desk(_)
        | DaemonError::Decoders(_)
        | DaemonError::Speaker(_)
        | DaemonError::Keeper(_)
        | DaemonError::Socket { .. } => Exit::Away,
        DaemonError::Lock(LockError::File { .. })
        | DaemonError::Record(_)
        | DaemonError::Ledger(_)
        | DaemonError::LedgerEnded => Exit::Ledger,
    }
}

/// Sees to it that SIGTERM, SIGINT and the end of the terminal are the request to stop.
pub(super) fn on_signal() -> anyhow::Result<Shutdown> {
    let (stopper, shutdown) = Shutdown::channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot wait for signals")?;
    let (mut terminate, mut interrupt, mut hang_up) = {
        let _entered = runtime.enter();
        let listen = |kind| signal(kind).context("cannot wait for signals");
        let [terminate, interrupt, hang_up] =
            [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(listen);
        (terminate?, interrupt?, hang_up?)
    };
    thread::Builder::new()
        .name("scan-signals".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                    _ = hang_up.recv() => {}
                }
            });
            stopper.stop();
        })
        .context("cannot wait for signals")?;
    Ok(shutdown)
}

/// Log lines go to standard error, where systemd's journal takes them; `RUST_LOG` says which.
pub(super) fn log_to_stderr() {
    log_from("info");
}

/// The same, of this level and above.
pub(super) fn log_from(level: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .init();
    // What a library says as it panics over a picture may hold what stands on the picture.
    std::panic::set_hook(Box::new(|panic| {
        let thread = thread::current();
        tracing::error!(
            event = LogEvent::Panicked.name(),
            thread = thread.name(),
            place = panic.location().map(ToString::to_string),
            "A thread panicked."
        );
    }));
}

/// What `check-config` found.
#[derive(Serialize)]
struct Checked<'a> {
    file: Option<Cow<'a, str>>,
    ok: bool,
    faults: &'a [Fault],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    profiles: &'a [Broken],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    layouts: &'a [Broken],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    machine: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    notes: &'a [String],
}

/// `ballot-intake check-config [FILE]`: the configuration, every scanner profile and layout beside it, and what they need on
/// this machine.
pub(super) fn check_config(
    place: &Place,
    file: Option<PathBuf>,
    common: &Common,
) -> Result<Exit, Failure> {
    let file = file.or_else(|| common.config.clone()).or_else(place::default_config);
    let of = file.as_deref().map(Path::to_string_lossy);
    let (error, machine) = match place.config_in(file.as_deref(), Exit::No) {
        Ok(config) => (None, Machine::look(place, &config)),
        Err(Failure { exit: Exit::No, error }) => (Some(error), Machine::default()),
        Err(failure) => return Err(failure),
    };
    let broken = Profiles::beside(file.as_deref()).broken();
    let layouts = Layouts::beside(file.as_deref()).broken();
    let is_ok =
        error.is_none() && broken.is_empty() && layouts.is_empty() && machine.faults.is_empty();
    if common.json {
        let found = error.as_ref().and_then(|error| error.downcast_ref::<Faulty>());
        super::print_json(&Checked {
            file: of,
            ok: is_ok,
            faults: found.map_or(&[], |found| found.faults.as_slice()),
            profiles: &broken,
            layouts: &layouts,
            machine: &machine.faults,
            notes: &machine.notes,
        })?;
    } else {
        let mut stdout = io::stdout().lock();
        if let Some(error) = error {
            writeln!(stdout, "{error}")?;
        }
        for broken in broken.iter().chain(&layouts) {
            writeln!(stdout, "{broken}")?;
        }
        for line in &machine.faults {
            writeln!(stdout, "{line}")?;
        }
        for line in &machine.notes {
            writeln!(stdout, "note: {line}")?;
        }
        if is_ok {
            writeln!(stdout, "{}: no fault found", of.unwrap_or("the defaults".into()))?;
        }
    }
    Ok(if is_ok { Exit::Done } else { Exit::No })
}

/// What `read` was told.
pub(super) struct Pictures {
    pub(super) images: Vec<PathBuf>,
    pub(super) annotate: Option<PathBuf>,
    pub(super) jobs: NonZeroUsize,
}

/// `ballot-intake read IMAGE...`: with the configured envelope formats; without any, every symbology is looked for.
pub(super) fn read(place: &Place, common: &Common, pictures: &Pictures) -> Result<Exit, Failure> {
    let config = place.config(common)?;
    let wanted: Vec<Symbology> = Symbology::ALL
        .into_iter()
        .filter(|symbology| {
            config.envelopes.is_empty() || config.envelopes.iter().any(|f| f.reads(*symbology))
        })
        .collect();
    let election = common.election.as_ref().or(config.election.as_ref().map(|e| &e.id));
    let formats = Formats::new(election, config.envelopes);
    let envelope = |symbol: &Symbol| match formats.face(std::slice::from_ref(symbol)) {
        Face::Names(captures) => {
            captures.into_iter().next().map(|capture| (capture.format.to_string(), capture.code))
        }
        _ => None,
    };
    let request = Request {
        wanted: &wanted,
        envelope: &envelope,
        output: if common.json { Output::Json } else { Output::Text },
        annotate: pictures.annotate.as_deref(),
        jobs: pictures.jobs,
        clock: &*place.clock,
    };
    let images = &pictures.images;
    let outcome = read::read(images, &request, &mut io::stdout().lock(), &mut io::stderr().lock())?;
    Ok(match outcome {
        Outcome::Found => Exit::Done,
        Outcome::NothingFound => Exit::No,
        Outcome::NoPicture => Exit::NoInput,
        Outcome::Unwritten => Exit::Ledger,
    })
}
