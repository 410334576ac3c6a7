//! How long a mail ballot file takes to be imported, beside `sqlite3 .import` of the same file into a table with two indexes.
//!
//! `cargo bench --bench import`, with `-- --rows N` for another number of rows than 400,000, `-- --long` for 4,000,000, and
//! `-- --dir DIR` for another disk. The file is of the `generic` layout, in an order that is not that of its ballots:
//!
//! - *import* and *again*, with one row in a hundred changed: the command by itself, from its start to its end;
//! - *peak memory*: the most that the first of these had resident (`VmHWM` of proc(5));
//! - *scan during an import*: from a frame on a pseudo-terminal to its answer, while the command imports the file through the
//!   daemon that reads that scanner.
//!
//! The peer is Debian's `sqlite3`, as it comes.

#[path = "support/ballots.rs"]
mod ballots;
#[path = "support/place.rs"]
mod place;
#[path = "support/station.rs"]
mod station;

use anyhow::{Context as _, ensure};
use ballot_intake::clock::{Clock, SystemClock};
use place::{Many, Place};
use station::{Scanner, Station};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// Rows of the file; `--long` makes it ten times as many.
const ROWS: usize = 400_000;

/// Ballots that are scanned meanwhile; the file's numbers come after these.
const SCANNED: usize = 20_000;

/// One row in so many is changed the second time.
const CHANGED: usize = 100;

/// Between two looks at a command.
const LOOK: Duration = Duration::from_millis(20);

/// What is promised.
const IMPORT_MAX: f64 = 2.0;
const AGAIN_MAX: f64 = 0.7;
const MEMORY_MAX_MIB: f64 = 96.0;
const WAIT_MAX_MS: f64 = 50.0;

fn main() -> anyhow::Result<()> {
    let place = Place::make("import: a mail ballot file")?;
    let rows = place.count(Many { usual: ROWS, long: 10 * ROWS });
    let clock = SystemClock::new();
    let first = write_file(&place.dir().join("ballots.csv"), rows, None)?;
    let again = write_file(&place.dir().join("again.csv"), rows, Some(CHANGED))?;
    let peer = peer(place.dir(), &first, &clock)?;
    let config = place.dir().join("alone.toml");
    std::fs::write(&config, format!("[election]\nid = \"{}\"\n", ballots::ELECTION))?;
    let ledger = place.dir().join("alone.sqlite");
    let import = |file: &Path| finished(importing(&config, &ledger, file)?, &clock);
    let (time, peak) = import(&first)?;
    let (time_again, _) = import(&again)?;
    let waits = with_scans(&place, &first, &clock)?;
    tell(
        &format!("import of {rows} rows, of sqlite3's {:.1} s", peer.as_secs_f64()),
        time,
        peer,
        IMPORT_MAX,
    );
    tell("again, of the first", time_again, time, AGAIN_MAX);
    tell_limit("peak memory, MiB", peak, MEMORY_MAX_MIB);
    let wait = p99(&waits).as_secs_f64() * 1_000.0;
    tell_limit(&format!("p99 of {} scans during an import, ms", waits.len()), wait, WAIT_MAX_MS);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the figures are for whoever runs this")]
fn tell(what: &str, ours: Duration, peer: Duration, limit: f64) {
    let ratio = ours.as_secs_f64() / peer.as_secs_f64();
    println!("{what:<56} {:>7.1} s {ratio:>7.2}x, limit {limit}x", ours.as_secs_f64());
}

#[expect(clippy::print_stdout, reason = "the figures are for whoever runs this")]
fn tell_limit(what: &str, ours: f64, limit: f64) {
    println!("{what:<56} {ours:>9.1}, limit {limit}");
}

/// The time that 99 of 100 do not exceed.
fn p99(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() * 99 / 100).copied().unwrap_or_default()
}

/// A file of so many rows, of which one in `changed` has another style.
fn write_file(path: &Path, rows: usize, changed: Option<usize>) -> anyhow::Result<PathBuf> {
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "ballot,voter,imb,style,status,mailed")?;
    for place in ballots::as_they_come(rows) {
        let number = SCANNED + place;
        let style = if changed.is_some_and(|n| place % n == 0) { "new" } else { "old" };
        let voter = number * 7_919 % 1_000_000_007;
        writeln!(
            file,
            "{},V{voter:010},9012345{number:08},{style},mailed,2026-01-09",
            ballots::ballot(number)
        )?;
    }
    file.flush()?;
    Ok(path.to_owned())
}

/// The time that `sqlite3` takes.
fn peer(dir: &Path, file: &Path, clock: &dyn Clock) -> anyhow::Result<Duration> {
    let database = dir.join("peer.sqlite");
    let table = "CREATE TABLE ballot(ballot TEXT, voter TEXT, imb TEXT, style TEXT, status TEXT, mailed TEXT); \
                 CREATE UNIQUE INDEX ballot_id ON ballot(ballot); CREATE INDEX ballot_voter ON ballot(voter);";
    let run = |arguments: &[&str]| {
        let status = Command::new("sqlite3").arg(&database).args(arguments).status();
        status.context("sqlite3 is not there")
    };
    ensure!(run(&[table])?.success(), "sqlite3 made no table");
    let import = format!(".import --skip 1 {} ballot", file.display());
    let start = clock.elapsed();
    ensure!(run(&[".mode csv", &import])?.success(), "sqlite3 imported nothing");
    let time = clock.elapsed().saturating_sub(start);
    std::fs::remove_file(&database)?;
    Ok(time)
}

fn importing(config: &Path, ledger: &Path, file: &Path) -> anyhow::Result<Child> {
    Ok(Command::new(env!("CARGO_BIN_EXE_ballot-intake"))
        .args(["import", "--layout", "generic", "--json", "--config"])
        .arg(config)
        .arg("--ledger")
        .arg(ledger)
        .arg(file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?)
}

/// Waits for the command; its time, and the most memory that it had, in MiB.
fn finished(mut command: Child, clock: &dyn Clock) -> anyhow::Result<(Duration, f64)> {
    let start = clock.elapsed();
    let mut peak = 0.0;
    loop {
        peak = peak_mib(&command).unwrap_or(peak);
        if let Some(status) = command.try_wait()? {
            ensure!(status.success(), "the import ended with {status}");
            return Ok((clock.elapsed().saturating_sub(start), peak));
        }
        thread::park_timeout(LOOK);
    }
}

fn peak_mib(command: &Child) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", command.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib / 1_024.0)
}

/// Scans at a running daemon while the file is imported through it; how long each waited.
fn with_scans(place: &Place, file: &Path, clock: &dyn Clock) -> anyhow::Result<Vec<Duration>> {
    let dir = place.dir();
    ballots::issue(ballots::settings(dir)?, SCANNED)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut scanners = [Scanner::new()?];
        let station = Station::start(dir, &scanners)?;
        let [scanner] = &mut scanners;
        let mut command = importing(&dir.join("config.toml"), &dir.join("ledger.sqlite"), file)?;
        let mut waits = Vec::new();
        let mut pauses = tokio::time::interval(LOOK);
        for number in 0..SCANNED {
            if let Some(status) = command.try_wait()? {
                ensure!(status.success(), "the import ended with {status}");
                break;
            }
            let start = clock.elapsed();
            scanner.scan(station::frame(number).as_bytes(), 1).await?;
            waits.push(clock.elapsed().saturating_sub(start));
            pauses.tick().await;
        }
        ensure!(command.wait()?.success(), "the import was not carried out");
        drop(station);
        Ok(waits)
    })
}
