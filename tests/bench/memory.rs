//! How much memory the daemon has in hand after a million scans against a million issued ballots, and whether it grows.
//!
//! `cargo bench --bench memory`, with `-- --dir DIR` for another disk and `-- --quick` for a tenth. The real daemon takes the
//! ballots in through its socket and the scans at four pseudo-terminals, one scan of each ballot in an order that is not the
//! file's. The resident set (`VmRSS`, and its peak `VmHWM`, of proc(5)) is told after the import and ten times on the way.

#[path = "support/ballots.rs"]
mod ballots;
#[path = "support/place.rs"]
mod place;
#[path = "support/station.rs"]
mod station;

use anyhow::Context as _;
use place::Place;
use station::{Scanner, Station};
use tokio::task::JoinSet;

/// Ballots that are issued, and scans.
const SCANS: usize = 1_000_000;

/// Scanners.
const SCANNERS: usize = 4;

/// How often memory is told.
const TOLD: usize = 10;

/// What is promised.
const LIMIT_MIB: usize = 48;

fn main() -> anyhow::Result<()> {
    let place = Place::make("memory: the daemon's resident set")?;
    let scans = place.count(SCANS);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(&place, scans))
}

#[expect(clippy::print_stdout, reason = "the figures are for whoever runs this")]
async fn run(place: &Place, scans: usize) -> anyhow::Result<()> {
    let mut scanners: Vec<_> = (0..SCANNERS).map(|_| Scanner::new()).collect::<Result<_, _>>()?;
    let station = Station::start(place.dir(), &scanners)?;
    println!("{:>9} {:>10} {:>10} {:>6}", "scans", "VmRSS MiB", "VmHWM MiB", "limit");
    tell(&station, "started")?;
    ballots::issue(ballots::settings(place.dir())?, scans)?;
    tell(&station, "imported")?;
    let numbers: Vec<_> = ballots::as_they_come(scans).collect();
    for (round, piece) in numbers.chunks(scans / TOLD).enumerate() {
        let mut feeding = JoinSet::new();
        let shares = piece.chunks(piece.len().div_ceil(SCANNERS));
        for (scanner, share) in scanners.drain(..).zip(shares) {
            let frames = share.iter().map(|number| station::frame(*number)).collect();
            feeding.spawn(feed(scanner, frames, share.len()));
        }
        while let Some(fed) = feeding.join_next().await {
            scanners.push(fed??);
        }
        tell(&station, &((round + 1) * piece.len()).to_string())?;
    }
    Ok(())
}

/// Sends the frames until each scan is answered; the scanner again.
async fn feed(mut scanner: Scanner, frames: String, scans: usize) -> anyhow::Result<Scanner> {
    scanner.scan(frames.as_bytes(), scans).await?;
    Ok(scanner)
}

#[expect(clippy::print_stdout, reason = "the figures are for whoever runs this")]
fn tell(station: &Station, when: &str) -> anyhow::Result<()> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", station.daemon.id()))?;
    let mib = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        let kib: f64 = line.trim_start_matches(':').trim_end_matches("kB").trim().parse().ok()?;
        Some(kib / 1_024.0)
    };
    let resident = mib("VmRSS").context("the daemon has ended")?;
    let peak = mib("VmHWM").context("the daemon has ended")?;
    println!("{when:>9} {resident:>10.1} {peak:>10.1} {LIMIT_MIB:>6}");
    Ok(())
}
