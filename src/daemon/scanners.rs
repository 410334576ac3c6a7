//! Starts what drives each configured scanner.

use super::{DaemonError, Record};
use crate::clock::Clock;
use crate::config::{Config, Link, ScannerConfig};
use crate::control::roster::{Acknowledgments, Roster};
use crate::decode::Decoders;
use crate::envelope::Formats;
use crate::ledger::Ledger;
use crate::pipeline::{
    CameraDriver, Driver, Lane, LaneSettings, OpenCamera, Patience, PictureDriver, Shutdown,
};
use crate::scan::{Judged, Method, ScannerId, Symbology};
use crate::scanner::camera::{self, Slides};
use crate::scanner::dialog::{self, Dialog};
use crate::scanner::hotplug::Hotplug;
use crate::scanner::line::{Kind, Opener, Place};
use crate::scanner::played::Played;
use crate::scanner::plugged::{Machine, Which};
use crate::scanner::profile::{Protocol, Transport};
use crate::scanner::recording::Recorder;
use crate::scanner::speaker::Speaker;
use crossbeam_channel::Receiver;
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
    /// The station's envelope formats.
    pub(super) formats: Arc<Formats>,
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
            formats: Arc::clone(&formats),
        };
        let mut eyes = Eyes { wanted, stop: folders_stopped, decoders: None };
        let hotplug = Hotplug::start();
        for (number, scanner) in config.scanners.into_iter().enumerate() {
            let mut settings = lane_settings(number, &scanner, config.station.repeat_window);
            if !matches!(scanner.link, Link::Folder { .. }) {
                settings.speaker = common.speaker.cloned();
            }
            let laid = scanners.lay(settings, &scanner, &formats, common)?;
            match spot(&scanner) {
                Spot::Line(place) => {
                    let driver = Driver {
                        lane: laid.lane,
                        verdicts: laid.verdicts,
                        dialog: dialog_of(&scanner),
                        opener: Opener::new(place),
                        hotplug: hotplug.clone(),
                        acknowledged: laid.acknowledged,
                        settled: Some(laid.settled),
                    };
                    scanners.drivers.spawn(driver.run(common.shutdown.clone()));
                }
                Spot::Folder(path) => {
                    let driver = eyes.folder(path, laid, common)?;
                    scanners.spawn_thread(&scanner.name, number, move || driver.run())?;
                }
                Spot::Camera(from, settings) => {
                    let driver = eyes.camera(from, settings, laid, common)?;
                    scanners.spawn_thread(&scanner.name, number, move || driver.run())?;
                }
            }
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
        if let Some(Record { folder, payloads }) = common.record
            && lane.method() == Method::Scanner
        {
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
            .name(format!("scan-eye-{number}"))
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
        _ if scanner.profile.transport == Transport::Camera => Method::Camera,
        Link::Device { .. } | Link::Connect { .. } | Link::Listen { .. } | Link::Played { .. } => {
            Method::Scanner
        }
    };
    LaneSettings {
        scanner: ScannerId(u16::try_from(number).unwrap_or(u16::MAX)),
        name: scanner.name.as_str().into(),
        method,
        answers: scanner.profile.answers.clone(),
        speaker: None,
        waits_for_answer: scanner.profile.waits_for_answer,
        patience: match scanner.link {
            Link::Played { .. } => Patience::Endless,
            _ => Patience::Ends,
        },
        in_flight_max: scanner.profile.in_flight_max,
        repeat_window,
        stop: scanner.stop,
    }
}

/// What drivers of pictures share.
struct Eyes {
    wanted: Vec<Symbology>,
    stop: Receiver<()>,
    decoders: Option<Arc<Decoders>>,
}

impl Eyes {
    fn folder(
        &mut self,
        path: PathBuf,
        laid: Laid,
        common: &Common<'_>,
    ) -> Result<PictureDriver, DaemonError> {
        Ok(PictureDriver {
            path,
            lane: laid.lane,
            verdicts: laid.verdicts,
            decoders: self.decoders(common)?,
            clock: Arc::clone(common.clock),
            stop: self.stop.clone(),
            settled: Some(laid.settled),
        })
    }

    fn camera(
        &mut self,
        from: Sees,
        settings: camera::Settings,
        laid: Laid,
        common: &Common<'_>,
    ) -> Result<CameraDriver, DaemonError> {
        let place = match &from {
            Sees::Device(which) => which.to_string(),
            Sees::Slides(path) => path.display().to_string(),
        };
        let readings = settings.readings;
        let open: OpenCamera = match from {
            Sees::Device(which) => {
                let machine = Machine::this();
                Box::new(move || camera::open(&machine, &which, &settings))
            }
            Sees::Slides(path) => Box::new(move || Ok(Box::new(Slides::at(path.clone())))),
        };
        Ok(CameraDriver {
            open,
            place,
            readings,
            lane: laid.lane,
            verdicts: laid.verdicts,
            decoders: self.decoders(common)?,
            clock: Arc::clone(common.clock),
            stop: self.stop.clone(),
            settled: Some(laid.settled),
        })
    }

    /// The threads that decode, which are started when they are first asked for.
    fn decoders(&mut self, common: &Common<'_>) -> Result<Arc<Decoders>, DaemonError> {
        if let Some(decoders) = &self.decoders {
            return Ok(Arc::clone(decoders));
        }
        let decoders = Decoders::start(DECODERS, self.wanted.clone(), common.clock);
        let decoders = Arc::new(decoders.map_err(DaemonError::Decoders)?);
        self.decoders = Some(Arc::clone(&decoders));
        Ok(decoders)
    }
}

/// How a scanner is reached.
enum Spot {
    Line(Place),
    Folder(PathBuf),
    Camera(Sees, camera::Settings),
}

/// Where a camera's pictures come from.
enum Sees {
    Device(Which),
    Slides(PathBuf),
}

fn spot(scanner: &ScannerConfig) -> Spot {
    match (&scanner.link, &scanner.profile.protocol) {
        (Link::Folder { path }, _) => Spot::Folder(path.clone()),
        (Link::Device { which }, Protocol::Pictures(settings)) => {
            Spot::Camera(Sees::Device(which.clone()), settings.clone())
        }
        (Link::Played { socket }, Protocol::Pictures(settings)) => {
            Spot::Camera(Sees::Slides(socket.clone()), settings.clone())
        }
        (Link::Device { which }, _) => {
            Spot::Line(Place::Device { which: which.clone(), kind: kind(scanner) })
        }
        (Link::Connect { address }, _) => Spot::Line(Place::Connect { address: address.clone() }),
        (Link::Listen { address, allow }, _) => Spot::Line(Place::Listen {
            address: *address,
            allow: allow.clone().unwrap_or_default(),
        }),
        (Link::Played { socket }, _) => Spot::Line(Place::Socket { path: socket.clone() }),
    }
}

fn dialog_of(scanner: &ScannerConfig) -> Box<dyn Dialog> {
    let dialog = dialog::of(&scanner.profile);
    match scanner.link {
        Link::Played { .. } => Box::new(Played::new(dialog)),
        _ => dialog,
    }
}

fn kind(scanner: &ScannerConfig) -> Kind {
    match &scanner.profile.protocol {
        Protocol::Keys { .. } => Kind::Keyboard,
        Protocol::Reports { settings, .. } => Kind::HidPos { feature: settings.feature.clone() },
        _ => Kind::Serial(scanner.profile.line.unwrap_or_default()),
    }
}
