//! The thread that takes care of the ledger while the daemon runs: the nightly backup, and the events on the second path.

use super::events::{EventLogError, Log};
use super::nightly::Nightly;
use super::{BackupError, Stop, schema};
use crate::clock::{Clock, Micros, Zone};
use crate::event::{LogEvent, chain};
use crate::ledger::schema::SchemaError;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// How long the thread waits before it looks at the clock again.
const LOOK: Duration = Duration::from_secs(20);

/// Before a backup that failed is tried again.
const AGAIN: Duration = Duration::from_hours(1);

/// The longest that events wait for their line.
const EVENTS_WAIT_MAX: Duration = Duration::from_mins(15);

/// How long a daemon that stops waits for the thread; what it is in the middle of then is as good as killed, and left half.
const STOP_WAIT_MAX: Duration = Duration::from_secs(20);

/// What is taken care of.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The ledger.
    pub ledger: PathBuf,
    /// `[facility] id`.
    pub facility: String,
    /// `[station] id`.
    pub station: String,
    /// The facility's time zone.
    pub zone: Zone,
    /// The nightly backups, if there are to be any.
    pub nightly: Option<Nightly>,
    /// Where the events go a second time, if they do.
    pub log_dir: Option<PathBuf>,
}

/// The thread that takes care.
#[derive(Debug)]
pub struct Keeper {
    bell: Sender<()>,
    stop: Sender<Infallible>,
    ended: Receiver<Infallible>,
}

impl Keeper {
    /// Starts it; nothing when there is nothing to take care of.
    pub fn start(plan: Plan, clock: Arc<dyn Clock>) -> io::Result<Option<Self>> {
        if plan.nightly.is_none() && plan.log_dir.is_none() {
            return Ok(None);
        }
        let (bell, rung) = bounded(1);
        let (stop, asked) = Stop::channel();
        let (ending, ended) = bounded(1);
        let log = plan.log_dir.map(|folder| Log {
            folder,
            ledger: plan.ledger.clone(),
            zone: plan.zone,
            facility: plan.facility,
            station: plan.station,
            place: None,
        });
        let care = Care {
            ledger: plan.ledger,
            nightly: plan.nightly,
            made: Made::NotLookedFor,
            failed: None,
            log,
            flushed: None,
            clock,
            stop: asked,
        };
        thread::Builder::new().name("scan-backup".to_owned()).spawn(move || {
            care.run(&rung);
            drop::<Sender<Infallible>>(ending);
        })?;
        Ok(Some(Self { bell, stop, ended }))
    }

    /// Has the events written to the second path now, and not when their time comes: a batch was closed.
    pub fn flush(&self) {
        if self.bell.try_send(()).is_err() {
            tracing::debug!("One that was asked for and not begun takes these along.");
        }
    }

    /// Ends it, once nobody writes the ledger any more: a backup is left half, the last events get their lines.
    pub fn stop(self) {
        drop(self.stop);
        drop(self.bell);
        if self.ended.recv_timeout(STOP_WAIT_MAX) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!(
                event = LogEvent::EventLogFailed.name(),
                "The care of the ledger does not end; it is left as it is."
            );
        }
    }
}

/// When the last backup was made.
#[derive(Debug, Clone, Copy)]
enum Made {
    NotLookedFor,
    Never,
    At(Micros),
}

struct Care {
    ledger: PathBuf,
    nightly: Option<Nightly>,
    made: Made,
    /// When one failed.
    failed: Option<Duration>,
    log: Option<Log>,
    /// When the events were last written, or tried to be.
    flushed: Option<Duration>,
    clock: Arc<dyn Clock>,
    stop: Stop,
}

impl Care {
    fn run(mut self, bell: &Receiver<()>) {
        loop {
            let waited = self.flushed.map(|at| self.clock.elapsed().saturating_sub(at));
            if waited.is_none_or(|waited| waited >= EVENTS_WAIT_MAX) {
                self.flush(&self.stop.clone());
            }
            self.back_up();
            match bell.recv_timeout(LOOK) {
                Ok(()) => self.flush(&self.stop.clone()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.flush(&Stop::never());
    }

    fn back_up(&mut self) {
        let Some(nightly) = &self.nightly else { return };
        let waited = self.failed.map(|at| self.clock.elapsed().saturating_sub(at));
        if waited.is_some_and(|waited| waited < AGAIN) {
            return;
        }
        let now = self.clock.now();
        let made = self.made.or_look(nightly, now);
        self.made = made;
        if !nightly.is_due(made.at(), now) || is_empty(&self.ledger) {
            return;
        }
        match nightly.make(&self.ledger, now, &self.stop) {
            Ok(backup) => {
                (self.made, self.failed) = (Made::At(now), None);
                tracing::info!(
                    event = LogEvent::BackupMade.name(),
                    path = %backup.path.display(),
                    events = backup.events,
                    head = backup.head,
                    at = nightly.zone.date_time(now),
                    "The ledger was backed up."
                );
            }
            Err(BackupError::Stopped) => {}
            Err(error) => {
                (self.made, self.failed) = (Made::NotLookedFor, Some(self.clock.elapsed()));
                tracing::error!(
                    event = LogEvent::BackupFailed.name(),
                    folder = %nightly.folder.display(),
                    error = chain(&error),
                    "The ledger was not backed up."
                );
            }
        }
    }

    fn flush(&mut self, stop: &Stop) {
        let Some(log) = &mut self.log else { return };
        self.flushed = Some(self.clock.elapsed());
        match log.flush(self.clock.now(), stop) {
            Ok(seq) => tracing::debug!(seq, "The events are on the second path."),
            // There is no event yet, or no time left.
            Err(EventLogError::Stopped | EventLogError::Open(SchemaError::Empty { .. })) => {}
            Err(error @ EventLogError::Diverged { .. }) => tracing::error!(
                event = LogEvent::EventLogDiverged.name(),
                error = chain(&error),
                "The ledger and its second record differ."
            ),
            Err(error) => tracing::error!(
                event = LogEvent::EventLogFailed.name(),
                error = chain(&error),
                "The events are not on the second path."
            ),
        }
    }
}

impl Made {
    /// What is known, or what the folder says. One that is away has no backup; making one says what is wrong.
    fn or_look(self, nightly: &Nightly, now: Micros) -> Self {
        let Self::NotLookedFor = self else { return self };
        let found = nightly.list().unwrap_or_default();
        let last = found.into_iter().map(|(made, _)| made).rfind(|made| *made <= now);
        last.map_or(Self::Never, Self::At)
    }

    const fn at(self) -> Option<Micros> {
        match self {
            Self::NotLookedFor | Self::Never => None,
            Self::At(at) => Some(at),
        }
    }
}

/// Whether the ledger has no event yet, so that there is nothing to back up.
fn is_empty(ledger: &std::path::Path) -> bool {
    schema::open_reader(ledger).is_ok_and(|conn| matches!(super::last_row(&conn), Ok(None)))
}
