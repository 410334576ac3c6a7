//! Starts what drives each configured scanner.

use super::{DaemonError, Record};
use crate::clock::Clock;
use crate::config::{Config, Link, ScannerConfig};
use crate::control::roster::{Acknowledgments, Roster};
use crate::decode::Decoders;
use crate::envelope::Formats;
use crate::ledger::Ledger;
use crate::pipeline::{Driver, Lane, LaneSettings, PictureDriver, Shutdown};
use crate::scan::{Judged, Method, ScannerId, Symbology};
use crate::scanner::dialog::{self, Dialog};
use crate::scanner::line::{Kind, Opener, Place};
use crate::scanner::profile::{Protocol, Transport};
use crate::scanner::recording::Recorder;
use crate::scanner::speaker::Speaker;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// Threads that decode pictures.
const DECODERS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);

/// Everything that reads.
pub(super) struct Scanners {
    /// Each ends when the daemon stops, and not before.
    pub(super) drivers: JoinSet<()>,
    /// Closing it stops the folders.
    pub(super) stop_folders: crossbeam_channel::Sender<()>,
    /// Each is told once its scanner was opened or reported away.
    pub(super) settled: Vec<oneshot::Receiver<()>>,
    /// How each scanner is.
    pub(super) roster: Roster,
}

/// What all scanners have in common.
pub(super) struct Common<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) record: Option<&'a Record>,
    pub(super) shutdown: &'a Shutdown,
    /// The station's own tones.
    pub(super) speaker: Option<&'a Speaker>,
}

/// A scanner's lane, and what comes back to it.
struct Laid {
    lane: Lane,
    verdicts: mpsc::Receiver<Judged>,
    acknowledged: Acknowledgments,
    settled: oneshot::Sender<()>,
}

impl Scanners {
    /// Starts a driver for each.
    pub(super) fn start(config: Config, common: &Common<'_>) -> Result<Self, DaemonError> {
        let election = config.election.as_ref().map(|election| &election.id);
        let wanted = wanted(&config);
        let formats = Arc::new(Formats::new(election, config.envelopes));
        let (stop_folders, folders_stopped) = crossbeam_channel::bounded(1);
        let mut scanners = Self {
            drivers: JoinSet::new(),
            stop_folders,
            settled: Vec::new(),
            roster: Roster::default(),
        };
        let mut decoders = None;
        for (number, scanner) in config.scanners.into_iter().enumerate() {
            let mut settings = lane_settings(number, &scanner, config.station.repeat_window);
            settings.speaker =
                common.speaker.filter(|_| settings.method == Method::Scanner).cloned();
            let laid = scanners.lay(settings, &scanner, &formats, common)?;
            let (place, dialog) = match spot(&scanner) {
                Spot::Line(place, dialog) => (place, dialog),
                Spot::Folder(path) => {
                    let decoders = match &decoders {
                        Some(decoders) => Arc::clone(decoders),
                        None => Arc::clone(
                            decoders.insert(Arc::new(
                                Decoders::start(DECODERS, wanted.clone(), common.clock)
                                    .map_err(DaemonError::Decoders)?,
                            )),
                        ),
                    };
                    let driver = PictureDriver {
                        path,
                        lane: laid.lane,
                        verdicts: laid.verdicts,
                        decoders,
                        clock: Arc::clone(common.clock),
                        stop: folders_stopped.clone(),
                        settled: Some(laid.settled),
                    };
                    scanners.spawn_thread(&scanner.name, number, move || driver.run())?;
                    continue;
                }
            };
            let driver = Driver {
                lane: laid.lane,
                verdicts: laid.verdicts,
                dialog,
                opener: Opener::new(place),
                acknowledged: laid.acknowledged,
                settled: Some(laid.settled),
            };
            scanners.drivers.spawn(driver.run(common.shutdown.clone()));
        }
        Ok(scanners)
    }

    fn lay(
        &mut self,
        settings: LaneSettings,
        scanner: &ScannerConfig,
        formats: &Arc<Formats>,
        common: &Common<'_>,
    ) -> Result<Laid, DaemonError> {
        let (settled, settled_rx) = oneshot::channel();
        self.settled.push(settled_rx);
        let (entry, acknowledged) = self.roster.enter(&scanner.name);
        let (ledger, clock) = (common.ledger.clone(), Arc::clone(common.clock));
        let (mut lane, verdicts) = Lane::new(settings, Arc::clone(formats), ledger, clock, entry);
        let is_recorded = !matches!(scanner.link, Link::Folder { .. });
        if let Some(Record { folder, payloads }) = common.record.filter(|_| is_recorded) {
            let name = &scanner.name;
            let recorder =
                Recorder::start(folder, name, &scanner.profile_name, *payloads, common.clock);
            lane.record(recorder.map_err(DaemonError::Record)?);
        }
        Ok(Laid { lane, verdicts, acknowledged, settled })
    }

    /// A driver that waits on its own thread; a thread that panics ends for the daemon, too.
    fn spawn_thread(
        &mut self,
        scanner: &str,
        number: usize,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<(), DaemonError> {
        let (ended, has_ended) = oneshot::channel::<()>();
        thread::Builder::new()
            .name(format!("scan-folder-{number}"))
            .spawn(move || {
                run();
                drop(ended);
            })
            .map_err(|source| DaemonError::Thread { scanner: scanner.to_owned(), source })?;
        self.drivers.spawn(async { drop(has_ended.await) });
        Ok(())
    }
}

/// Symbologies that some envelope format asks for: nothing else is looked for in a picture.
fn wanted(config: &Config) -> Vec<Symbology> {
    Symbology::ALL
        .into_iter()
        .filter(|symbology| config.envelopes.iter().any(|format| format.reads(*symbology)))
        .collect()
}

fn lane_settings(number: usize, scanner: &ScannerConfig, repeat_window: Duration) -> LaneSettings {
    let method = match scanner.link {
        Link::Folder { .. } => Method::Camera,
        Link::Device { .. } if scanner.profile.transport == Transport::Camera => Method::Camera,
        Link::Device { .. } | Link::Connect { .. } | Link::Listen { .. } => Method::Scanner,
    };
    LaneSettings {
        scanner: ScannerId(u16::try_from(number).unwrap_or(u16::MAX)),
        name: scanner.name.as_str().into(),
        method,
        answers: scanner.profile.answers.clone(),
        speaker: None,
        waits_for_answer: scanner.profile.waits_for_answer,
        in_flight_max: scanner.profile.in_flight_max,
        repeat_window,
        stop: scanner.stop,
    }
}

enum Spot {
    Line(Place, Box<dyn Dialog>),
    Folder(PathBuf),
}

fn spot(scanner: &ScannerConfig) -> Spot {
    let place = match &scanner.link {
        Link::Folder { path } => return Spot::Folder(path.clone()),
        Link::Device { which } => Place::Device { which: which.clone(), kind: kind(scanner) },
        Link::Connect { address } => Place::Connect { address: address.clone() },
        Link::Listen { address, allow } => {
            Place::Listen { address: *address, allow: allow.clone().unwrap_or_default() }
        }
    };
    Spot::Line(place, dialog::of(&scanner.profile))
}

fn kind(scanner: &ScannerConfig) -> Kind {
    match &scanner.profile.protocol {
        Protocol::Keys { .. } => Kind::Keyboard,
        Protocol::Reports { settings, .. } => Kind::HidPos { feature: settings.feature.clone() },
        _ => Kind::Serial(scanner.profile.line.unwrap_or_default()),
    }
}
