//! How long a clerk waits for one scan at a time, beside what the disk alone takes for as many bytes.
//!
//! `cargo bench --bench latency`, with `-- --dir DIR` for another disk and `-- --quick` for a tenth. Against 100,000 issued
//! ballots, which come back in an order that is not the file's:
//!
//! - *ledger input to verdict*: from handing a scan to the ledger's queue to its verdict in the scanner's channel;
//! - *pty to answer byte*: from the last byte of a frame written to a pseudo-terminal to the answer byte read from it, through
//!   the real daemon.
//!
//! The peer appends as many bytes as one such commit adds to the write-ahead log (its frames, counted in the log's index) to a
//! file beside the ledger, in one write, and calls `fdatasync`. Blocks of 50 of ours and 50 of the peer's take turns, so that
//! whatever else the machine does falls on both. Ratios are of medians.

#[path = "support/ballots.rs"]
mod ballots;
#[path = "support/figures.rs"]
mod figures;
#[path = "support/place.rs"]
mod place;
#[path = "support/station.rs"]
mod station;

use anyhow::{Context as _, ensure};
use ballot_intake::clock::{Clock, SystemClock};
use ballot_intake::ledger::{Ledger, Request};
use ballot_intake::scan::{
    Capture, CodeKind, Direction, Face, Judged, Method, Scan, ScanId, ScannerId, Symbol, Verdict,
};
use figures::Times;
use place::Place;
use station::{Scanner, Station};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Ballots that are issued.
const BALLOTS: usize = 100_000;

/// Scans of each of the two figures.
const SCANS: usize = 4_000;

/// Scans, or appends, in turn.
const BLOCK: usize = 50;

/// Bytes of a page in the write-ahead log, with its header (SQLite file format, section 4.1).
const FRAME_BYTES: usize = 4_096 + 24;

fn main() -> anyhow::Result<()> {
    let place = Place::make("latency: one scan at a time, against append and fdatasync")?;
    let scans = place.count(SCANS);
    let mut numbers = ballots::as_they_come(BALLOTS);
    ballots::issue(ballots::settings(place.dir())?, BALLOTS)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let at_ledger: Vec<_> = numbers.by_ref().take(scans).collect();
    let (ours, peer, commit_bytes) = at_the_ledger(&place, &clock, &at_ledger)?;
    tell_rounds(commit_bytes, scans / BLOCK);
    figures::print_head();
    figures::print_ratio("ledger input to verdict", 1.4, &ours, &peer);
    let at_pty: Vec<_> = numbers.take(scans).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (ours, peer) = runtime.block_on(at_the_pty(&place, &*clock, &at_pty, commit_bytes))?;
    figures::print_ratio("last byte on the pty to answer byte", 2.0, &ours, &peer);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the figures are for whoever runs this")]
fn tell_rounds(commit_bytes: usize, rounds: usize) {
    println!(
        "a commit adds {commit_bytes} bytes to the log; {rounds} rounds of {BLOCK} and {BLOCK}"
    );
}

fn at_the_ledger(
    place: &Place,
    clock: &Arc<dyn Clock>,
    numbers: &[usize],
) -> anyhow::Result<(Times, Times, usize)> {
    let settings = ballots::settings(place.dir())?;
    let log_index = settings.path.with_extension("sqlite-shm");
    let (ledger, thread) = Ledger::start(settings, Arc::clone(clock), 1)?;
    let mut lane = Lane::new(ledger);
    let (mut ours, mut theirs) = (Times::default(), Times::default());
    let (first, numbers) = numbers.split_at_checked(BLOCK).context("too few scans")?;
    let mut added = Vec::new();
    for number in first {
        let before = log_frames(&log_index)?;
        lane.judge(scan(*number, &**clock))?;
        added.push(log_frames(&log_index)?.saturating_sub(before));
    }
    added.sort_unstable();
    let frames = added.get(added.len() / 2).context("no commit was seen")?;
    let commit_bytes = usize::try_from(*frames)? * FRAME_BYTES;
    let mut peer = Peer::new(place.dir(), commit_bytes)?;
    for block in numbers.chunks(BLOCK) {
        for number in block {
            let scan = scan(*number, &**clock);
            let start = clock.elapsed();
            lane.judge(scan)?;
            ours.add(clock.elapsed().saturating_sub(start));
        }
        peer.turn(&**clock, &mut theirs)?;
    }
    drop(lane);
    ensure!(thread.join().is_ok(), "the ledger's thread panicked");
    Ok((ours, theirs, commit_bytes))
}

async fn at_the_pty(
    place: &Place,
    clock: &dyn Clock,
    numbers: &[usize],
    commit_bytes: usize,
) -> anyhow::Result<(Times, Times)> {
    let mut scanners = [Scanner::new()?];
    let station = Station::start(place.dir(), &scanners)?;
    let [scanner] = &mut scanners;
    let (mut ours, mut theirs) = (Times::default(), Times::default());
    let mut peer = Peer::new(place.dir(), commit_bytes)?;
    for block in numbers.chunks(BLOCK) {
        for number in block {
            let frame = station::frame(*number);
            let start = clock.elapsed();
            scanner.scan(frame.as_bytes(), 1).await?;
            ours.add(clock.elapsed().saturating_sub(start));
        }
        peer.turn(clock, &mut theirs)?;
    }
    drop(station);
    Ok((ours, theirs))
}

/// A scanner's way to the ledger and back.
struct Lane {
    ledger: Ledger,
    verdicts: mpsc::Sender<Judged>,
    judged: mpsc::Receiver<Judged>,
}

impl Lane {
    fn new(ledger: Ledger) -> Self {
        let (verdicts, judged) = mpsc::channel(1);
        Self { ledger, verdicts, judged }
    }

    fn judge(&mut self, scan: Scan) -> anyhow::Result<()> {
        let request = Request::Scan { scan: Box::new(scan), verdicts: self.verdicts.clone() };
        self.ledger.send(request).context("the ledger's thread has ended")?;
        let judged = self.judged.blocking_recv().context("a scan got no verdict")?;
        ensure!(judged.verdict == Verdict::Received, "a scan was judged {}", judged.verdict);
        Ok(())
    }
}

fn scan(number: usize, clock: &dyn Clock) -> Scan {
    let frame = station::frame(number);
    let capture = Capture {
        format: Arc::from("county"),
        names: CodeKind::Ballot,
        code: ballots::ballot(number),
        direction: Direction::Return,
    };
    Scan {
        id: ScanId(0),
        scanner: ScannerId(0),
        scanner_name: Arc::from("scanner-0"),
        at: clock.now(),
        method: Method::Scanner,
        face: Face::Names(vec![capture]),
        symbols: vec![Symbol::untold(frame.trim_end().as_bytes())],
    }
}

/// The frames in the write-ahead log: `mxFrame` of its index, the machine's own byte order (`walformat.html`, section 2.1).
fn log_frames(log_index: &Path) -> anyhow::Result<u32> {
    let index = fs::read(log_index)?;
    let field = index.get(16..20).context("the log has no index")?;
    Ok(u32::from_ne_bytes(field.try_into()?))
}

/// A file that grows by as many bytes as a commit, and a sync after each.
struct Peer {
    file: File,
    bytes: Vec<u8>,
}

impl Peer {
    fn new(dir: &Path, commit_bytes: usize) -> anyhow::Result<Self> {
        Ok(Self { file: tempfile::tempfile_in(dir)?, bytes: vec![0x5a; commit_bytes] })
    }

    fn turn(&mut self, clock: &dyn Clock, times: &mut Times) -> anyhow::Result<()> {
        for _ in 0..BLOCK {
            let start = clock.elapsed();
            self.file.write_all(&self.bytes)?;
            self.file.sync_data()?;
            times.add(clock.elapsed().saturating_sub(start));
        }
        Ok(())
    }
}
