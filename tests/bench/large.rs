//! Whether a ledger as large as the largest county's is as quick as an empty one.
//!
//! `cargo bench --bench large`, with `-- --dir DIR` for another disk, `-- --quick` for a tenth, and `-- --long` for 25,000,000
//! ballots and 10,000,000 scans in batches of 100, which takes 10 GB and some minutes. That ledger is written directly, table by
//! table in the order of its keys, with the chain that the events have; when it is small it is proved by `ledger verify`.
//!
//! Beside it stands a ledger with 1,000 ballots. A daemon runs on each, and blocks of 20 scans of the one and of the other take
//! turns: from the last byte of a frame written to a pseudo-terminal to the answer byte read from it. `ballot show` and
//! `report` are whole processes, from their start to their end.

#[path = "support/ballots.rs"]
mod ballots;
#[path = "large/build.rs"]
mod build;
#[path = "support/figures.rs"]
mod figures;
#[path = "support/place.rs"]
mod place;
#[path = "support/station.rs"]
mod station;

use anyhow::{Context as _, ensure};
use ballot_intake::clock::{Clock as _, SystemClock};
use ballot_intake::ledger::verify;
use figures::Times;
use place::{Many, Place};
use station::{Scanner, Station};
use std::path::Path;
use std::process::{Command, Stdio};

/// Ballots that are issued.
const BALLOTS: Many = Many { usual: 250_000, long: 25_000_000 };

/// Those of them that were scanned.
const SCANS: Many = Many { usual: 100_000, long: 10_000_000 };

/// Ballots of the small ledger.
const FEW: usize = 1_000;

/// A ledger of so many is proved, which takes a while.
const PROVED_MAX: usize = 250_000;

/// Scans of each ledger that are measured, and how many are in turn.
const MEASURED: usize = 800;
const BLOCK: usize = 20;

/// How often a command is run.
const RUNS: usize = 20;

/// What is promised.
const LIMIT_SCAN: f64 = 1.15;
const LIMIT_SHOW_MS: f64 = 10.0;
const LIMIT_REPORT_MS: f64 = 2_000.0;
const LIMIT_MIB: f64 = 64.0;

fn main() -> anyhow::Result<()> {
    let place = Place::make("large: a ledger of millions against one of a thousand")?;
    let (many, few) = (place.dir().join("many"), place.dir().join("few"));
    std::fs::create_dir(&many)?;
    std::fs::create_dir(&few)?;
    let clock = SystemClock::new();
    let size = build::Size { ballots: place.count(BALLOTS), scans: place.count(SCANS) };
    let unscanned = build::ledger(&many, size)?;
    tell_built(&many, size, &clock)?;
    ballots::issue(ballots::settings(&few)?, FEW)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure((&many, &unscanned), &few, &clock))
}

#[expect(clippy::print_stdout, reason = "the figures are for whoever runs this")]
fn tell_built(dir: &Path, size: build::Size, clock: &SystemClock) -> anyhow::Result<()> {
    let ledger = dir.join("ledger.sqlite");
    let bytes = std::fs::metadata(&ledger)?.len();
    let build::Size { ballots, scans } = size;
    println!(
        "{ballots} ballots, {scans} scans, {} MB, built in {:.0} s",
        bytes / 1_000_000,
        clock.elapsed().as_secs_f64()
    );
    if ballots <= PROVED_MAX {
        let verified = verify(&ledger)?;
        ensure!(verified.ok, "the ledger that was built is none: {:?}", verified.fault);
        println!("ledger verify: {} events hold", verified.events);
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the figures are for whoever runs this")]
async fn measure(
    (many, unscanned): (&Path, &[usize]),
    few: &Path,
    clock: &SystemClock,
) -> anyhow::Result<()> {
    let (mut at_many, mut at_few) = ([Scanner::new()?], [Scanner::new()?]);
    let (on_many, on_few) = (Station::start(many, &at_many)?, Station::start(few, &at_few)?);
    let ([at_many], [at_few]) = (&mut at_many, &mut at_few);
    let (mut ours, mut theirs) = (Times::default(), Times::default());
    let few_numbers: Vec<_> = ballots::as_they_come(FEW).collect();
    let pairs = unscanned.chunks(BLOCK).zip(few_numbers.chunks(BLOCK));
    for (of_many, of_few) in pairs.take(MEASURED / BLOCK) {
        block(at_many, of_many, clock, &mut ours).await?;
        block(at_few, of_few, clock, &mut theirs).await?;
    }
    figures::print_head();
    figures::print_ratio("one scan: many against 1,000 ballots", LIMIT_SCAN, &ours, &theirs);
    let shown = format!("{:09}", unscanned.first().context("no ballot is left")?);
    println!("{:<36} {:>10} {:>10} {:>10}", "milliseconds", "median", "worst", "limit");
    let show = ["ballot", "show", &shown, "--json"];
    tell("ballot show", &commands(many, &show, clock)?, LIMIT_SHOW_MS);
    tell("report", &commands(many, &["report", "--json"], clock)?, LIMIT_REPORT_MS);
    let reconciliation = ["report", "--reconciliation", "--json"];
    tell("report --reconciliation", &commands(many, &reconciliation, clock)?, LIMIT_REPORT_MS);
    tell(
        "report --exceptions",
        &commands(many, &["report", "--exceptions"], clock)?,
        LIMIT_REPORT_MS,
    );
    println!(
        "resident memory of the daemon: {:.1} MiB (limit {LIMIT_MIB}), of the one on 1,000 ballots {:.1} MiB",
        resident(&on_many)?,
        resident(&on_few)?
    );
    Ok(())
}

async fn block(
    scanner: &mut Scanner,
    numbers: &[usize],
    clock: &SystemClock,
    times: &mut Times,
) -> anyhow::Result<()> {
    for number in numbers {
        let frame = station::frame(*number);
        let start = clock.elapsed();
        scanner.scan(frame.as_bytes(), 1).await?;
        times.add(clock.elapsed().saturating_sub(start));
    }
    Ok(())
}

fn commands(dir: &Path, arguments: &[&str], clock: &SystemClock) -> anyhow::Result<Times> {
    let mut times = Times::default();
    for _ in 0..RUNS {
        let start = clock.elapsed();
        let status = Command::new(env!("CARGO_BIN_EXE_ballot-intake"))
            .args(arguments)
            .arg("--config")
            .arg(dir.join("config.toml"))
            .stdout(Stdio::null())
            .status()?;
        times.add(clock.elapsed().saturating_sub(start));
        ensure!(status.success(), "{arguments:?} ended with {status}");
    }
    Ok(times)
}

#[expect(clippy::print_stdout, reason = "the figures are for whoever runs this")]
fn tell(what: &str, times: &Times, limit: f64) {
    let (median, worst) = (times.median() / 1e3, times.quantile(1.0) / 1e3);
    println!("{what:<36} {median:>10.1} {worst:>10.1} {limit:>10.0}");
}

/// The daemon's resident set in MiB (`VmRSS` of proc(5)).
fn resident(station: &Station) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", station.daemon.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no daemon")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1_024.0)
}
