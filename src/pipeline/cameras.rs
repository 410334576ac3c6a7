//! Drives one camera: its newest picture is looked at, what was in view long enough is judged, and the tone is told.
//!
//! One picture at a time is looked at, on a decoder's thread; those that come meanwhile are let go of and counted, so that the next
//! one is never older than the look before it. Pictures that show what the last one showed are not looked at once all that is
//! there was told. While a face waits for its verdict nothing is looked at. In hand are one picture as it came, one in gray and the
//! one that others are compared with.

use super::judging::{Heard, judge, pause, settle};
use super::lane::Lane;
use super::sightings::{Scene, Sightings};
use crate::clock::Clock;
use crate::decode::image::{Found, Picture, PictureError};
use crate::decode::unchanged::Unchanged;
use crate::decode::{Decoded, Decoders, Given, Job};
use crate::event::often::Often;
use crate::event::{LogEvent, chain};
use crate::scan::{Judged, Symbol, Tone, Verdict};
use crate::scanner::camera::{CameraError, Frame, FrameSource, Pixels, Tally};
use crate::sheet;
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use std::fmt;
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Between two attempts to open a camera that is away.
const OPEN_AGAIN: Duration = Duration::from_millis(500);

/// How long a picture is waited for before it is asked whether the daemon stops.
const PICTURE_WAIT: Duration = Duration::from_millis(100);

/// Between two times that pictures are let go of while one is looked at: less than two pictures take to come, which is all that
/// a camera has room for.
const SKIP_EVERY: Duration = Duration::from_millis(10);

/// A camera that sends nothing for so long, or nothing that can be read, is away, and is opened anew.
const SILENT_MAX: Duration = Duration::from_secs(5);

/// Before a face whose scan was answered with the alarm is scanned anew.
const AFTER_FAULT: Duration = Duration::from_secs(1);

/// Between two lines in the log of how many pictures there were.
const COUNTED_EVERY: Duration = Duration::from_mins(1);

/// Opens a camera, wherever it is by now.
pub(crate) type OpenCamera = Box<dyn FnMut() -> Result<Box<dyn FrameSource>, CameraError> + Send>;

/// A camera and all that drives it; on a thread of its own.
pub(crate) struct CameraDriver {
    pub(crate) open: OpenCamera,
    /// Where it is looked for, for people.
    pub(crate) place: String,
    /// Equal readings that make a symbol.
    pub(crate) readings: NonZeroU8,
    pub(crate) lane: Lane,
    pub(crate) verdicts: mpsc::Receiver<Judged>,
    pub(crate) decoders: Arc<Decoders>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Closes when the daemon stops.
    pub(crate) stop: Receiver<()>,
    pub(crate) settled: Option<oneshot::Sender<()>>,
}

/// What is remembered of a camera, also while it is away: what lies before it does not go with it.
struct Eye {
    sightings: Sightings,
    unchanged: Unchanged,
    frame: Frame,
    /// The memory of the last picture.
    memory: Vec<u8>,
    counts: Counts,
    counted: Duration,
    has_failed: bool,
    sends: Sends,
}

/// What was said of the camera in the log, and how often lately.
struct Said {
    is: Option<Is>,
    lost: Often,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Open,
    Away,
}

/// Whether a camera that can be opened is also known to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sends {
    /// It is taken for granted until it sends nothing for long.
    Presumed,
    /// It sent nothing the last time: it is away until it does.
    Doubted,
}

/// What became of the pictures that were taken from the camera.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    looked_at: u64,
    unchanged: u64,
    failed: u64,
}

impl CameraDriver {
    /// Runs until the daemon stops; the face in hand is finished.
    pub(crate) fn run(mut self) {
        let mut eye = Eye::new(self.readings, self.clock.elapsed());
        let mut said = Said::new(Instant::now());
        loop {
            let outcome = (self.open)().and_then(|mut source| {
                if eye.sends == Sends::Presumed {
                    self.say_opened(&*source, &mut said);
                }
                settle(&mut self.settled);
                let outcome = self.watch(&mut *source, &mut eye, &mut said);
                self.say_counts(source.tally(), &mut eye);
                outcome
            });
            let Err(error) = outcome else { return };
            self.say_lost(&error, &mut said);
            eye.sends = match error {
                CameraError::Silent(_) | CameraError::Unreadable(_) => Sends::Doubted,
                _ => Sends::Presumed,
            };
            settle(&mut self.settled);
            if pause(&self.stop, OPEN_AGAIN) {
                return;
            }
        }
    }

    fn watch(
        &mut self,
        source: &mut dyn FrameSource,
        eye: &mut Eye,
        said: &mut Said,
    ) -> Result<(), CameraError> {
        let now = self.clock.elapsed();
        let mut heard = (source.tally().captured, now);
        let mut read = (eye.n_damaged(source), now);
        while !pause(&self.stop, Duration::ZERO) {
            if source.newest(&mut eye.frame, PICTURE_WAIT)?
                && let Some(picture) = self.unpacked(eye)
            {
                if std::mem::replace(&mut eye.sends, Sends::Presumed) == Sends::Doubted {
                    self.say_opened(source, said);
                }
                self.picture(picture, source, eye)?;
                read = (eye.n_damaged(source), self.clock.elapsed());
            }
            let (captured, now) = (source.tally().captured, self.clock.elapsed());
            if captured != heard.0 {
                heard = (captured, now);
            }
            if now.saturating_sub(heard.1) >= SILENT_MAX {
                return Err(CameraError::Silent(SILENT_MAX));
            }
            let is_damaged = eye.n_damaged(source) != read.0;
            if is_damaged && now.saturating_sub(read.1) >= SILENT_MAX {
                return Err(CameraError::Unreadable(SILENT_MAX));
            }
            if now.saturating_sub(eye.counted) >= COUNTED_EVERY {
                self.say_counts(source.tally(), eye);
            }
        }
        Ok(())
    }

    /// The picture in hand, unless it is damaged.
    fn unpacked(&self, eye: &mut Eye) -> Option<Picture> {
        let unpacked = eye.unpacked();
        unpacked.map_err(|error| self.failed(&error, eye)).ok()
    }

    /// Looks at a picture if there is something new on it.
    fn picture(
        &mut self,
        picture: Picture,
        source: &mut dyn FrameSource,
        eye: &mut Eye,
    ) -> Result<(), CameraError> {
        let width = usize::try_from(picture.width()).unwrap_or(usize::MAX);
        let scene = if eye.unchanged.is_same(picture.luma(), width) {
            Scene::Still
        } else {
            Scene::Changed
        };
        if scene == Scene::Still && eye.sightings.is_settled() {
            eye.counts.unchanged += 1;
            eye.sightings.unchanged(self.clock.elapsed());
            eye.memory = picture.into_memory();
            return Ok(());
        }
        let found = match self.look(picture, source)? {
            Ok(found) => {
                eye.counts.looked_at += 1;
                found
            }
            Err(error) => {
                // It tells as much as one on which nothing is.
                self.failed(&error, eye);
                Vec::new()
            }
        };
        match eye.sightings.looked(&found, scene, self.clock.elapsed()) {
            Some(face) => self.face(face, source, eye),
            None => Ok(()),
        }
    }

    /// Has a decoder look at the picture. Meanwhile the camera's are let go of.
    fn look(
        &self,
        picture: Picture,
        source: &mut dyn FrameSource,
    ) -> Result<Result<Vec<Found>, PictureError>, CameraError> {
        let (reply, decoded) = bounded(1);
        let job = Job { given: Given::Gray(picture), reply, number: 0 };
        if self.decoders.submit(job).is_err() {
            return Ok(Err(PictureError::Panicked));
        }
        // Handing it over may have taken long, where a folder's pictures wait.
        source.skip()?;
        loop {
            match decoded.recv_timeout(SKIP_EVERY) {
                Ok(Decoded { outcome, .. }) => return Ok(outcome),
                Err(RecvTimeoutError::Timeout) => source.skip()?,
                Err(RecvTimeoutError::Disconnected) => return Ok(Err(PictureError::Panicked)),
            }
        }
    }

    /// Has an accepted face judged, and tells the tone.
    fn face(
        &mut self,
        symbols: Vec<Symbol>,
        source: &mut dyn FrameSource,
        eye: &mut Eye,
    ) -> Result<(), CameraError> {
        // Of a command sheet that lies there each code would be carried out.
        let is_sheet = symbols.iter().any(|symbol| sheet::has_form(&symbol.payload.0));
        let heard = judge(symbols, &mut self.lane, &mut self.verdicts, &self.stop);
        match heard {
            Heard::Verdict(Verdict::Ambiguous) if !is_sheet => eye.sightings.divide(),
            heard if heard.tone() == Tone::Fault => {
                eye.sightings.forget();
                pause(&self.stop, AFTER_FAULT);
            }
            Heard::Verdict(_) | Heard::Repeat(_) => {}
        }
        // What came while the ledger wrote may be old.
        source.skip()
    }

    fn failed(&self, error: &PictureError, eye: &mut Eye) {
        eye.counts.failed += 1;
        if !std::mem::replace(&mut eye.has_failed, true) {
            tracing::warn!(
                event = LogEvent::PictureFailed.name(),
                scanner = self.lane.name(),
                error = chain(error),
                "A picture of a camera could not be read; others like it are only counted."
            );
        }
    }

    fn say_opened(&self, source: &dyn FrameSource, said: &mut Said) {
        self.lane.entry().opened(self.place.clone());
        if !said.opened() {
            return;
        }
        tracing::info!(
            event = LogEvent::ScannerOpened.name(),
            scanner = self.lane.name(),
            place = self.place,
            "A camera is open."
        );
        for unset in source.unset() {
            tracing::warn!(
                event = LogEvent::ScannerOpened.name(),
                scanner = self.lane.name(),
                error = chain(unset),
                "A camera cannot be set as its profile says; it is used as it is."
            );
        }
    }

    fn say_lost(&self, error: &CameraError, said: &mut Said) {
        self.lane.entry().away(self.place.clone(), chain(error));
        if said.lost(Instant::now()) {
            tracing::warn!(
                event = LogEvent::ScannerLost.name(),
                scanner = self.lane.name(),
                error = chain(error),
                "A camera cannot be used; it is tried again until it can."
            );
        }
    }

    fn say_counts(&self, tally: Tally, eye: &mut Eye) {
        eye.counted = self.clock.elapsed();
        let Counts { looked_at, unchanged, failed } = eye.counts;
        let Tally { captured, skipped, damaged } = tally;
        tracing::debug!(
            scanner = self.lane.name(),
            captured,
            skipped,
            damaged,
            looked_at,
            unchanged,
            failed,
            "Pictures of a camera."
        );
    }
}

impl fmt::Debug for CameraDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CameraDriver").field("lane", &self.lane).finish_non_exhaustive()
    }
}

impl Said {
    fn new(now: Instant) -> Self {
        Self { is: None, lost: Often::new(now) }
    }

    /// The camera is open; whether that is news.
    fn opened(&mut self) -> bool {
        self.is.replace(Is::Open) != Some(Is::Open)
    }

    /// The camera is away; whether that is to be said. Of one that comes and goes it is said only so often.
    fn lost(&mut self, now: Instant) -> bool {
        let is_news = self.is != Some(Is::Away) && self.lost.may_say(now);
        if is_news {
            self.is = Some(Is::Away);
        }
        is_news
    }
}

impl Eye {
    fn new(readings: NonZeroU8, now: Duration) -> Self {
        Self {
            sightings: Sightings::new(readings),
            unchanged: Unchanged::new(),
            frame: Frame::default(),
            memory: Vec::new(),
            counts: Counts::default(),
            counted: now,
            has_failed: false,
            sends: Sends::Presumed,
        }
    }

    /// Pictures so far that are of no use.
    fn n_damaged(&self, source: &dyn FrameSource) -> u64 {
        source.tally().damaged.saturating_add(self.counts.failed)
    }

    /// The frame in hand as a picture. Its memory goes with it.
    fn unpacked(&mut self) -> Result<Picture, PictureError> {
        let memory = std::mem::take(&mut self.memory);
        match self.frame.pixels {
            Pixels::Gray { width, height } => {
                let luma = std::mem::replace(&mut self.frame.bytes, memory);
                Picture::from_luma(width, height, luma)
            }
            Pixels::Packed => Picture::load_into(memory, &self.frame.bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ballot::{BallotId, ElectionId, Mode, Status, VoterId};
    use crate::cli::faces;
    use crate::clock::{ManualClock, Micros, Zone};
    use crate::config::Stop;
    use crate::control::roster::{Roster, Standing};
    use crate::envelope::{Check, Format, FormatSpec, Formats};
    use crate::ledger::{ImportRow, ImportedFile, Ledger, Reader, Request, Settings, Told};
    use crate::pipeline::{LaneSettings, Patience};
    use crate::scan::{CodeKind, Method, ScannerId, Symbology};
    use crate::scanner::profile::{Answers, WaitsForAnswer};
    use crossbeam_channel::Sender;
    use std::io;
    use std::num::{NonZeroU16, NonZeroUsize};
    use std::thread::{Builder, JoinHandle};
    use tempfile::TempDir;

    /// How long a test waits for what must come; only a failing test waits so long.
    const DEADLINE: Duration = Duration::from_mins(1);

    /// Between two pictures.
    const PICTURE_EVERY: Duration = Duration::from_millis(5);

    /// How much time passes from one picture to the next, for the camera.
    const TIME_EVERY: Duration = Duration::from_millis(50);

    /// What a test does with a camera.
    enum Act {
        /// Lays this picture before it, until the next one; an empty one is none.
        Show(Vec<u8>),
        Unplug,
    }

    /// A camera whose pictures a test lays before it. Its time is that of its pictures.
    #[derive(Debug)]
    struct Table {
        acts: Receiver<Act>,
        clock: Arc<ManualClock>,
        picture: Vec<u8>,
        tally: Tally,
    }

    impl FrameSource for Table {
        fn newest(&mut self, frame: &mut Frame, _wait: Duration) -> Result<bool, CameraError> {
            match self.acts.recv_timeout(PICTURE_EVERY) {
                Ok(Act::Show(picture)) => self.picture = picture,
                Ok(Act::Unplug) => return Err(gone()),
                Err(_) => {}
            }
            self.clock.advance(TIME_EVERY);
            if self.picture.is_empty() {
                return Ok(false);
            }
            self.tally.captured += 1;
            frame.pixels = Pixels::Packed;
            frame.bytes.clone_from(&self.picture);
            Ok(true)
        }

        fn skip(&mut self) -> Result<(), CameraError> {
            self.tally.captured += 1;
            self.tally.skipped += 1;
            Ok(())
        }

        fn tally(&self) -> Tally {
            self.tally
        }
    }

    fn gone() -> CameraError {
        let source = io::Error::from(io::ErrorKind::NotConnected);
        CameraError::Gone { path: "/dev/video0".into(), source }
    }

    /// A station with one camera and ballots 1 to 9.
    struct Station {
        dir: TempDir,
        ledger: Option<(Ledger, JoinHandle<()>)>,
        driver: Option<JoinHandle<()>>,
        stop: Option<Sender<()>>,
        acts: Sender<Act>,
        tones: Receiver<Tone>,
        roster: Roster,
    }

    impl Station {
        fn new() -> Self {
            let (_, refusals) = bounded(1);
            Self::refused(refusals)
        }

        /// One whose camera, once it was open, opens again only when there are no more refusals.
        fn refused(refusals: Receiver<CameraError>) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let manual = Arc::new(ManualClock::new(Micros(0)));
            let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&manual);
            let (ledger, thread) = Ledger::start(settings(&dir), Arc::clone(&clock), 16).unwrap();
            import(&ledger);
            let (stop, stopped) = bounded(1);
            let (acts, acts_rx) = bounded(1);
            let (tones_tx, tones) = bounded(100);
            let mut feed = ledger.feed();
            let hear = move || {
                while let Ok(told) = feed.blocking_recv() {
                    if let Told::Judged { judged, .. } = told {
                        tones_tx.send(judged.verdict.tone()).unwrap();
                    }
                }
            };
            // Ends with the ledger.
            Builder::new().name("hears".into()).spawn(hear).unwrap();
            let mut roster = Roster::default();
            let (entry, _acknowledged) = roster.enter("desk");
            let formats = Arc::new(formats());
            let (lane, verdicts) =
                Lane::new(lane(), formats, ledger.clone(), Arc::clone(&clock), entry);
            let (settled, has_settled) = oneshot::channel();
            let wanted = vec![Symbology::Code128];
            let mut was_open = false;
            let driver = CameraDriver {
                open: Box::new(move || {
                    let mut picture = blank();
                    if std::mem::replace(&mut was_open, true) {
                        if let Ok(refusal) = refusals.recv() {
                            return Err(refusal);
                        }
                        picture.clear();
                    }
                    let (acts, clock) = (acts_rx.clone(), Arc::clone(&manual));
                    let tally = Tally::default();
                    Ok(Box::new(Table { acts, clock, picture, tally }))
                }),
                place: "desk".to_owned(),
                readings: NonZeroU8::new(3).unwrap(),
                lane,
                verdicts,
                decoders: Arc::new(Decoders::start(NonZeroUsize::MIN, wanted, &clock).unwrap()),
                clock,
                stop: stopped,
                settled: Some(settled),
            };
            let driver =
                Builder::new().name("scan-camera-0".into()).spawn(|| driver.run()).unwrap();
            has_settled.blocking_recv().unwrap();
            let (ledger, driver) = (Some((ledger, thread)), Some(driver));
            Self { dir, ledger, driver, stop: Some(stop), acts, tones, roster }
        }

        fn act(&self, act: Act) {
            self.acts.send_timeout(act, DEADLINE).unwrap();
        }

        fn show(&self, ballot: u32) {
            let payload = format!("{ballot:09}");
            let symbols = [(Symbology::Code128, payload.as_str())];
            self.act(Act::Show(faces::draw(&symbols, 7).unwrap()));
        }

        /// How the camera is, and why.
        fn is(&self) -> (Standing, String) {
            let state = self.roster.states().remove(0);
            (state.state, state.why.unwrap_or_default())
        }

        /// Lays the same before it until it is so.
        #[track_caller]
        fn shows_until(&self, picture: &[u8], is: (Standing, &str)) {
            for _picture in 0..1_000 {
                self.act(Act::Show(picture.to_vec()));
                if self.is() == (is.0, is.1.to_owned()) {
                    return;
                }
            }
            panic!("{:?}", self.is());
        }

        #[track_caller]
        fn hears(&self, tone: Tone) {
            assert_eq!(self.tones.recv_timeout(DEADLINE), Ok(tone));
        }

        /// Stops; how many scans got each verdict.
        fn scans(mut self) -> Vec<(&'static str, i64)> {
            drop(self.stop.take());
            self.driver.take().unwrap().join().unwrap();
            assert!(self.tones.is_empty(), "a scan too many");
            let (ledger, thread) = self.ledger.take().unwrap();
            drop(ledger);
            thread.join().unwrap();
            let settings = settings(&self.dir);
            let reader = Reader::open(&settings.path, settings.zone).unwrap();
            let report = reader.report(settings.election.as_ref(), Micros(0));
            report.unwrap().scans.into_iter().filter(|(_, n)| *n > 0).collect()
        }
    }

    fn blank() -> Vec<u8> {
        Picture::from_luma(640, 480, vec![200; 640 * 480]).unwrap().to_png().unwrap()
    }

    fn settings(dir: &TempDir) -> Settings {
        Settings {
            path: dir.path().join("ledger.sqlite"),
            key_file: dir.path().join("signing.key"),
            facility: "boulder".to_owned(),
            station: "intake-1".to_owned(),
            zone: Zone::utc(),
            election: ElectionId::new("202611").ok(),
            receive_until: None,
            postmarked_receive_until: None,
            cure_until: None,
            mode: Mode::Receive,
            hold_back: Duration::from_mins(10),
            announce_imports: Vec::new(),
            batch_cap: 0,
        }
    }

    fn import(ledger: &Ledger) {
        let row = |n: u32| ImportRow {
            election: ElectionId::new("202611").unwrap(),
            ballot: Some(BallotId::new(&format!("{n:09}")).unwrap()),
            voter: VoterId::new(&format!("V{n}")).unwrap(),
            imb: None,
            codes: std::collections::BTreeMap::new(),
            style: None,
            status: Status::Mailed,
            reason: None,
            mailed: None,
            returned: None,
            receive_until: None,
        };
        let rows = (1..10).map(row).collect();
        let file = ImportedFile {
            file: "ballots.csv".to_owned(),
            sha256: "00".repeat(32),
            layout: "generic".to_owned(),
            refused: 0,
            by: "clerk".to_owned(),
            os_user: None,
        };
        let import = ledger.ask(Request::ImportBegin).unwrap().unwrap();
        ledger.ask(|reply| Request::ImportRows { import, rows, reply }).unwrap().unwrap();
        ledger.ask(|reply| Request::ImportCommit { import, file, reply }).unwrap().unwrap();
    }

    fn formats() -> Formats {
        let spec = FormatSpec {
            name: "county".to_owned(),
            symbologies: vec![Symbology::Code128],
            pattern: Some(r"(?<ballot>\d{9})".to_owned()),
            check: Check::None,
            names: CodeKind::Ballot,
            return_service_types: Vec::new(),
            outbound_service_types: Vec::new(),
            mailer_ids: Vec::new(),
        };
        let election = ElectionId::new("202611").unwrap();
        Formats::new(Some(&election), vec![Format::new(spec).unwrap()])
    }

    fn lane() -> LaneSettings {
        LaneSettings {
            scanner: ScannerId(0),
            name: "desk".into(),
            method: Method::Camera,
            answers: Answers::default(),
            speaker: None,
            stop: Stop::Never,
            patience: Patience::Ends,
            waits_for_answer: WaitsForAnswer::No,
            in_flight_max: NonZeroU16::MIN,
            repeat_window: Duration::from_secs(2),
        }
    }

    #[test]
    fn envelopes_one_over_the_other_are_received_once_each() {
        let station = Station::new();
        for ballot in [1, 2, 3] {
            station.show(ballot);
            station.hears(Tone::Good);
        }
        station.show(1);
        station.hears(Tone::Notice);
        station.act(Act::Show(blank()));
        station.show(99);
        station.hears(Tone::Bad);
        let expected = [("already_received", 1), ("not_issued", 1), ("received", 3)];
        assert_eq!(station.scans(), expected);
    }

    /// Two ballots on one face are looked at one by one from then on; of a command sheet each code would be carried out.
    #[test]
    fn a_command_sheet_that_lies_there_is_one_face() {
        let station = Station::new();
        let codes = ["BIS1:4Q7K:1:U:0123456789ABCDEF", "BIS1:4Q7K:1:C:0123456789ABCDEF"];
        let sheet = faces::draw(&codes.map(|code| (Symbology::Code128, code)), 7).unwrap();
        station.act(Act::Show(sheet.clone()));
        station.hears(Tone::Bad);
        for _picture in 0..5 {
            station.act(Act::Show(sheet.clone()));
        }
        assert_eq!(station.scans(), [("ambiguous", 1)]);
    }

    #[test]
    fn a_camera_that_is_unplugged_is_opened_again_and_what_lies_there_is_no_new_scan() {
        let station = Station::new();
        station.show(1);
        station.hears(Tone::Good);
        station.act(Act::Unplug);
        station.show(1);
        station.act(Act::Unplug);
        station.show(2);
        station.hears(Tone::Good);
        assert_eq!(station.scans(), [("received", 2)]);
    }

    #[test]
    fn a_picture_that_is_none_is_survived() {
        let station = Station::new();
        station.act(Act::Show(b"\xff\xd8\xff damaged".to_vec()));
        station.show(1);
        station.hears(Tone::Good);
        assert_eq!(station.scans(), [("received", 1)]);
    }

    #[test]
    fn a_camera_that_sends_nothing_of_use_is_away_until_it_does() {
        for (picture, why) in [
            (&b""[..], "no picture has come for 5 s"),
            (b"\xff\xd8\xff damaged", "no picture that can be read has come for 5 s"),
        ] {
            let station = Station::new();
            assert_eq!(station.is(), (Standing::Open, String::new()));
            station.shows_until(picture, (Standing::Away, why));
            for _picture in 0..150 {
                station.act(Act::Show(picture.to_vec()));
                assert_eq!(station.is(), (Standing::Away, why.to_owned()), "opened again in vain");
            }
            station.shows_until(&blank(), (Standing::Open, ""));
            station.show(1);
            station.hears(Tone::Good);
            assert_eq!(station.scans(), [("received", 1)]);
        }
    }

    #[test]
    fn why_a_camera_is_away_is_told_as_it_is_now() {
        let (refuse, refusals) = bounded(1);
        let station = Station::refused(refusals);
        station.act(Act::Unplug);
        let refuse = |error| refuse.send_timeout(error, DEADLINE).unwrap();
        let first = || CameraError::NoPictures { path: "/dev/video0".into() };
        // One waits, one was taken, and the one before that was told of.
        (0..3).for_each(|_| refuse(first()));
        assert_eq!(station.is(), (Standing::Away, chain(&first())));
        (0..3).for_each(|_| refuse(gone()));
        assert_eq!(station.is(), (Standing::Away, chain(&gone())));
    }

    #[test]
    fn a_camera_that_comes_and_goes_is_said_so_only_so_often() {
        let now = Instant::now();
        let mut said = Said::new(now);
        let times = (0..100).map(|_| (said.opened(), said.lost(now)));
        let (opened, lost): (Vec<_>, Vec<_>) = times.unzip();
        let n = |said: Vec<bool>| said.into_iter().filter(|said| *said).count();
        assert_eq!((n(opened), n(lost)), (11, 10));
        assert!(!said.opened() && said.lost(now + Duration::from_mins(2)));
        assert!(!said.lost(now + Duration::from_mins(4)), "it is away as before");
    }
}
