//! `replay`: recorded scanner sessions through the whole pipeline, each on a ledger of its own.
//!
//! The daemon is the real one, and its scanner's dialog that of the recording's profile, on a socket; only its clock stands at the
//! recorded time, so that what was a repeat then is one now, however fast the session is played. The scanner waits for every
//! answer, so each frame has one.

use super::ask::{Import, import_into};
use super::deck::{Deck, Ended};
use super::import::Run;
use super::place::Place;
use super::player::PlayError;
use super::scratch::Scratch;
use super::slideshow::Slideshow;
use super::stand::Stand;
use super::{Common, Exit, Failure, print_json};
use crate::ballot::BallotId;
use crate::clock::ManualClock;
use crate::config::{Config, Election, Link, ProfileLookup, ScannerConfig, Stop};
use crate::event::printable;
use crate::ledger::Told;
use crate::pipeline::Shutdown;
use crate::scan::{Judged, Tone, Verdict};
use crate::scanner::dialog;
use crate::scanner::profile::{Profile, Protocol, WaitsForAnswer};
use crate::scanner::recording::{Came as Recorded, Expect, RECORDING_BYTES_MAX, Recording, Step};
use anyhow::{Context as _, anyhow};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{self, error::TryRecvError};
use tokio::time::{Instant, sleep, sleep_until};

/// Whose dialog a recording is that names no profile: its rules take any bytes.
const PROFILE: &str = "generic-serial";

/// The recorded scanner's name in the ledger.
const SCANNER: &str = "recorded";

/// How far the clock goes at a time while a picture is looked at.
const SETTLING: Duration = Duration::from_millis(20);

/// When the steps of a recording are sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pace {
    /// As soon as the step before it is answered.
    Answers,
    /// At the recorded times, if the answers come by then.
    Recorded,
}

/// What `replay` is asked for.
pub(super) struct Wanted {
    pub(super) recordings: Vec<PathBuf>,
    pub(super) ballots: Option<PathBuf>,
    pub(super) pace: Pace,
}

/// What the recordings came to.
#[derive(Debug, Serialize)]
struct Counts {
    scans: BTreeMap<&'static str, u64>,
    repeats: u64,
    no_reads: u64,
    unexpected: u64,
}

/// What a frame came to.
enum Came {
    Scan(Box<Judged>),
    Repeat,
    NoRead,
}

/// A scan, as it is printed.
#[derive(Serialize)]
struct Line<'a> {
    recording: &'a str,
    n: u64,
    verdict: Verdict,
    ballot: Option<&'a str>,
    reason: Option<&'a str>,
}

/// `ballot-intake replay RECORDING...`.
pub(super) fn replay(place: &Place, common: &Common, wanted: &Wanted) -> Result<Exit, Failure> {
    super::run::log_from("warn");
    if common.ledger.is_some() {
        let error = anyhow!("a recording is played on a ledger of its own: leave --ledger out");
        return Err(Failure::new(Exit::Usage, error));
    }
    let recordings = wanted
        .recordings
        .iter()
        .map(|path| Ok((path.display().to_string(), recording(path)?)))
        .collect::<Result<Vec<_>, Failure>>()?;
    let mut shutdown = super::run::on_signal().map_err(|e| Failure::new(Exit::Away, e))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Exit::Away, e))?;
    let mut session = Session { common, pace: wanted.pace, counts: Counts::default() };
    for (name, recording) in recordings {
        let bench = {
            let _entered = runtime.enter();
            Bench::set_up(place, common, wanted.ballots.as_deref(), &name, &recording)?
        };
        runtime.block_on(session.run(bench, &name, &recording, &mut shutdown))?;
    }
    session.counts.print(common)?;
    Ok(if session.counts.unexpected == 0 { Exit::Done } else { Exit::No })
}

fn recording(path: &Path) -> Result<Recording, Failure> {
    let bytes = read_bounded(path)?;
    Recording::parse(&bytes).map_err(|error| no_input(path, error))
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    // One byte more than may be shows that there is too much.
    let limit = u64::try_from(RECORDING_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    read.map_err(|error| no_input(path, error))?;
    if bytes.len() > RECORDING_BYTES_MAX {
        return Err(no_input(path, io::Error::from(io::ErrorKind::FileTooLarge)));
    }
    Ok(bytes)
}

fn no_input(path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    let error = anyhow::Error::new(error).context(format!("cannot use {}", path.display()));
    Failure::new(Exit::NoInput, error)
}

/// All that one recording is played on.
struct Bench {
    scratch: Scratch,
    config: Config,
    clock: Arc<ManualClock>,
    plays: Plays,
}

/// What a recording is played on.
enum Plays {
    Line(Box<Deck>),
    Pictures(Slideshow),
}

impl Bench {
    /// Within a runtime.
    fn set_up(
        place: &Place,
        common: &Common,
        ballots: Option<&Path>,
        name: &str,
        recording: &Recording,
    ) -> Result<Self, Failure> {
        let mut config = place.config(common)?;
        let scratch = Scratch::make(&place.temp_dir)?;
        let profile = waiting_profile(common, recording.profile.as_deref());
        let profile = profile.with_context(|| format!("cannot play {name}"));
        let profile = profile.map_err(|error| Failure::new(Exit::NoInput, error))?;
        let (plays, link) = plays(&scratch, &profile)?;
        config.play_in(scratch.path());
        if let Some(id) = &common.election {
            config.election = Some(Election::without_deadlines(id.clone()));
        }
        config.scanners = vec![ScannerConfig {
            name: SCANNER.to_owned(),
            profile_name: profile.name.clone(),
            profile,
            link,
            stop: Stop::Never,
        }];
        if let Some(file) = ballots {
            let wanted = Import { file, layout: "generic", run: Run::Real, lists: None };
            import_into(place, &config, common, wanted, &mut io::sink())?;
        }
        let clock = Arc::new(ManualClock::new(place.clock.now()));
        Ok(Self { scratch, config, clock, plays })
    }
}

/// What a scanner of that profile is played on, and how the daemon reaches it.
fn plays(scratch: &Scratch, profile: &Profile) -> Result<(Plays, Link), Failure> {
    let socket = scratch.path().join("scanner");
    Ok(match profile.protocol {
        Protocol::Files => {
            let path = scratch.folder("pictures")?;
            (Plays::Pictures(Slideshow::Folder(path.clone())), Link::Folder { path })
        }
        Protocol::Pictures(_) => {
            (Plays::Pictures(Slideshow::Camera(socket.clone())), Link::Played { socket })
        }
        _ => {
            let deck = Deck::listen(&socket, dialog::of(profile));
            let deck = deck.map_err(|e| Failure::new(Exit::Away, e))?;
            (Plays::Line(Box::new(deck)), Link::Played { socket })
        }
    })
}

/// The recorded profile, but waiting for every answer.
fn waiting_profile(common: &Common, name: Option<&str>) -> anyhow::Result<Profile> {
    let name = name.unwrap_or(PROFILE);
    let mut profile = match Place::profiles(common).find(name) {
        ProfileLookup::Found(profile) => *profile,
        ProfileLookup::Broken(why) => anyhow::bail!("the profile {name} cannot be used: {why}"),
        ProfileLookup::Unknown { .. } => anyhow::bail!("there is no profile {}", printable(name)),
    };
    profile.waits_for_answer = WaitsForAnswer::Yes;
    profile.in_flight_max = NonZeroU16::MIN;
    Ok(profile)
}

/// What is played, and what it came to so far.
struct Session<'a> {
    common: &'a Common,
    pace: Pace,
    counts: Counts,
}

impl Session<'_> {
    async fn run(
        &mut self,
        bench: Bench,
        name: &str,
        recording: &Recording,
        shutdown: &mut Shutdown,
    ) -> Result<(), Failure> {
        let Bench { scratch, config, clock, mut plays } = bench;
        let own_dir = scratch.path().to_owned();
        let (stand, ready) = Stand::start(config, Arc::clone(&clock) as _, own_dir).await?;
        if let Some(why) = ready.marks_nothing {
            super::complain(&format!("no ballot will be marked: {why}"));
        }
        let mut stage = Stage {
            name,
            recorded: &recording.came,
            folder: Path::new(name).parent().unwrap_or(Path::new("")),
            n: 0,
            repeats: 0,
            no_reads: 0,
            plays: &mut plays,
            feed: ready.feed,
            clock: &clock,
        };
        let outcome = tokio::select! {
            outcome = self.play(&mut stage, recording) => outcome,
            () = shutdown.requested() => {
                Err(Failure::new(Exit::No, anyhow!("stopped before the end")))
            }
        };
        stand.stop().await.and(outcome)
    }

    async fn play(&mut self, stage: &mut Stage<'_>, recording: &Recording) -> Result<(), Failure> {
        let started = Instant::now();
        let mut played = Duration::ZERO;
        let mut steps = recording.steps.iter().peekable();
        while let Some(step) = steps.next() {
            if matches!(self.pace, Pace::Recorded) {
                sleep_until(started + step.at).await;
            }
            stage.clock.advance(step.at.saturating_sub(played));
            played = step.at;
            let quiet = steps.peek().map(|next| next.at.saturating_sub(step.at));
            for came in stage.step(step, quiet).await? {
                self.came(stage, step, &came)?;
            }
        }
        self.compare(stage);
        Ok(())
    }

    /// With what was seen to come of the session when it was recorded.
    fn compare(&mut self, stage: &Stage<'_>) {
        let Recorded { scans: _, repeats, no_reads } = stage.recorded;
        let is_recorded = *stage.recorded != Recorded::default();
        for (what, recorded, now) in
            [("repeats", *repeats, stage.repeats), ("no-reads", *no_reads, stage.no_reads)]
        {
            if is_recorded && recorded != now {
                self.counts.unexpected += 1;
                super::complain(&format!("{}: {recorded} {what} then, {now} now", stage.name));
            }
        }
    }

    fn came(&mut self, stage: &mut Stage<'_>, step: &Step, came: &Came) -> Result<(), Failure> {
        match came {
            Came::Scan(judged) => {
                self.compare_scan(stage, judged);
                stage.n += 1;
                *self.counts.scans.entry(judged.verdict.name()).or_default() += 1;
                self.print_scan(stage, judged)?;
            }
            Came::Repeat => {
                stage.repeats += 1;
                self.counts.repeats += 1;
            }
            Came::NoRead => {
                stage.no_reads += 1;
                self.counts.no_reads += 1;
            }
        }
        if let Some(expect) = step.expect
            && !came.is(expect)
        {
            self.counts.unexpected += 1;
            let (name, line) = (stage.name, step.line);
            super::complain(&format!("{name}, line {line}: expected {expect}, came {came}"));
        }
        Ok(())
    }

    /// A fault then is none now: the disk is another.
    fn compare_scan(&mut self, stage: &Stage<'_>, judged: &Judged) {
        let (now, then) = (judged.verdict.tone().at_scanner(), stage.recorded.scans.get(&stage.n));
        if let Some(then) = then.filter(|then| **then != now && **then != Tone::Fault) {
            self.counts.unexpected += 1;
            let (name, n) = (stage.name, stage.n);
            super::complain(&format!("{name}, scan {n}: {then:?} then, {} now", judged.verdict));
        }
    }

    fn print_scan(&self, stage: &Stage<'_>, judged: &Judged) -> Result<(), Failure> {
        let reason = judged.reason.as_deref().map(printable);
        let line = Line {
            recording: stage.name,
            n: stage.n,
            verdict: judged.verdict,
            ballot: judged.ballot.as_ref().map(BallotId::as_str),
            reason: reason.as_deref(),
        };
        if self.common.json {
            return print_json(&line);
        }
        let ballot = line.ballot.map(|ballot| format!(" {ballot}")).unwrap_or_default();
        let reason = line.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        writeln!(
            io::stdout().lock(),
            "{} {}: {}{ballot}{reason}",
            line.recording,
            line.n,
            line.verdict
        )?;
        Ok(())
    }
}

/// Where one recording is played.
struct Stage<'a> {
    name: &'a str,
    /// What came of it when it was recorded.
    recorded: &'a Recorded,
    /// Where the recording lies.
    folder: &'a Path,
    /// Scans so far, and what was none.
    n: u64,
    repeats: u64,
    no_reads: u64,
    plays: &'a mut Plays,
    feed: broadcast::Receiver<Told>,
    clock: &'a ManualClock,
}

impl Stage<'_> {
    /// Plays a step, after which nothing is sent for so long; what came of it.
    async fn step(&mut self, step: &Step, quiet: Option<Duration>) -> Result<Vec<Came>, Failure> {
        let Self { plays, feed, folder, n, clock, .. } = self;
        match (plays, &step.picture) {
            (Plays::Line(deck), None) => play_bytes(deck, feed, &step.bytes, quiet).await,
            (Plays::Pictures(slides), Some(picture)) => {
                slides.show(*n, &folder.join(picture)).map_err(play_failure)?;
                // Whoever looks at pictures waits for them to settle, and time stands still otherwise.
                let passes = async {
                    loop {
                        sleep(SETTLING).await;
                        clock.advance(SETTLING);
                    }
                };
                let judged = tokio::select! {
                    judged = Slideshow::verdict(feed) => judged.map_err(play_failure)?,
                    () = passes => return Ok(Vec::new()),
                };
                Ok(vec![Came::Scan(Box::new(judged))])
            }
            (Plays::Line(_), Some(_)) => {
                Err(misplaced(step, "`picture`, and its profile sends none"))
            }
            (Plays::Pictures(_), None) => {
                Err(misplaced(step, "`in`, and its profile sends pictures"))
            }
        }
    }
}

fn misplaced(step: &Step, what: &str) -> Failure {
    Failure::new(Exit::NoInput, anyhow!("line {}: the recording has {what}", step.line))
}

async fn play_bytes(
    deck: &mut Deck,
    feed: &mut broadcast::Receiver<Told>,
    bytes: &[u8],
    quiet: Option<Duration>,
) -> Result<Vec<Came>, Failure> {
    let mut came = Vec::new();
    for ended in deck.send(bytes).await.map_err(play_failure)? {
        came.push(came_of(deck, feed, ended).await?);
    }
    if deck.silence().is_some_and(|silence| quiet.is_none_or(|quiet| quiet >= silence))
        && deck.falls_silent()
    {
        came.push(came_of(deck, feed, Ended::NoRead).await?);
    }
    Ok(came)
}

/// What the next frame came to. Its verdict is on the feed before its answer; without one it is a repeat.
async fn came_of(
    deck: &mut Deck,
    feed: &mut broadcast::Receiver<Told>,
    ended: Ended,
) -> Result<Came, Failure> {
    deck.answer().await.map_err(play_failure)?;
    if ended == Ended::NoRead {
        return Ok(Came::NoRead);
    }
    loop {
        match feed.try_recv() {
            Ok(Told::Judged { judged, .. }) => return Ok(Came::Scan(Box::new(judged))),
            Ok(Told::Ledger { .. }) => {}
            Err(TryRecvError::Empty) => return Ok(Came::Repeat),
            Err(error) => return Err(Failure::new(Exit::Away, error)),
        }
    }
}

fn play_failure(error: PlayError) -> Failure {
    Failure::new(Exit::Away, error)
}

impl Came {
    fn is(&self, expect: Expect) -> bool {
        match self {
            Self::Scan(judged) => expect.tone() == Some(judged.verdict.tone()),
            Self::Repeat => expect == Expect::Repeat,
            Self::NoRead => expect == Expect::NoRead,
        }
    }
}

impl fmt::Display for Came {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scan(judged) => write!(f, "{}", judged.verdict),
            Self::Repeat => write!(f, "{}", Expect::Repeat),
            Self::NoRead => write!(f, "{}", Expect::NoRead),
        }
    }
}

impl Default for Counts {
    fn default() -> Self {
        let scans = Verdict::ALL.map(|verdict| (verdict.name(), 0)).into();
        Self { scans, repeats: 0, no_reads: 0, unexpected: 0 }
    }
}

impl Counts {
    fn print(&self, common: &Common) -> Result<(), Failure> {
        if common.json {
            return print_json(self);
        }
        let scans: Vec<String> = self
            .scans
            .iter()
            .filter(|(_, n)| **n != 0)
            .map(|(verdict, n)| format!("{verdict} {n}"))
            .collect();
        writeln!(
            io::stdout().lock(),
            "{} scans ({}), {} repeats, {} half frames; {} came otherwise than expected",
            self.scans.values().sum::<u64>(),
            scans.join(", "),
            self.repeats,
            self.no_reads,
            self.unexpected
        )?;
        Ok(())
    }
}
