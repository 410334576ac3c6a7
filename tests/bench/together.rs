//! How long a scan waits while all else goes on: two clerks, a supervisor's import and a backup at once.
//!
//! `cargo bench --bench together`, with `-- --dir DIR` for another disk and `-- --quick` for a tenth. On a ledger with 100,000
//! issued ballots two scanners at pseudo-terminals bring one envelope after another, each as soon as the one before is answered;
//! meanwhile 200,000 more ballots are imported through the daemon's socket, and the ledger is copied by `ledger backup`, over
//! and over. The wait is from the last byte of a frame to its answer byte.

#[path = "support/ballots.rs"]
mod ballots;
#[expect(dead_code, reason = "waits are told against a bound, not against a peer")]
#[path = "support/figures.rs"]
mod figures;
#[path = "support/place.rs"]
mod place;
#[path = "support/station.rs"]
mod station;

use anyhow::{Context as _, ensure};
use ballot_intake::clock::{Clock as _, SystemClock};
use figures::Times;
use place::Place;
use station::{Scanner, Station};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Ballots that are issued before, and scanned.
const BALLOTS: usize = 100_000;

/// Rows of the import.
const ROWS: usize = 200_000;

/// What is promised.
const LIMIT_MS: f64 = 50.0;

fn main() -> anyhow::Result<()> {
    let place = Place::make("together: a scan's wait beside an import and a backup")?;
    let (ballots, rows) = (place.count(BALLOTS), place.count(ROWS));
    ballots::issue(ballots::settings(place.dir())?, ballots)?;
    let file = mail_ballot_file(place.dir(), ballots, rows)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(&place, ballots, &file))
}

#[expect(clippy::print_stdout, reason = "the figures are for whoever runs this")]
async fn run(place: &Place, ballots: usize, file: &Path) -> anyhow::Result<()> {
    let scanners = [Scanner::new()?, Scanner::new()?];
    let _station = Station::start(place.dir(), &scanners)?;
    let has_backup = command(place.dir(), &["ledger", "backup", "--help"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?
        .success();
    if !has_backup {
        println!("this program has no `ledger backup`: measured without one");
    }
    let [left, right] = scanners;
    let numbers: Vec<_> = ballots::as_they_come(ballots).collect();
    let (of_left, of_right) = numbers.split_at(numbers.len() / 2);
    let (done, mut is_done) = tokio::sync::watch::channel(false);
    let at_left = tokio::spawn(scan(left, of_left.to_vec(), is_done.clone()));
    let at_right = tokio::spawn(scan(right, of_right.to_vec(), is_done.clone()));
    let dir = place.dir().to_owned();
    let backups = tokio::task::spawn_blocking(move || {
        let mut n = 0;
        while has_backup && !*is_done.borrow_and_update() {
            let copy = dir.join(format!("backup-{n}.sqlite"));
            let copy = copy.to_str().context("a folder without a name")?;
            ensure!(
                command(&dir, &["ledger", "backup", copy])
                    .stdout(Stdio::null())
                    .status()?
                    .success()
            );
            std::fs::remove_file(copy)?;
            n += 1;
        }
        Ok::<_, anyhow::Error>(n)
    });
    let mut import =
        command(place.dir(), &["import", file.to_str().context("no name")?, "--layout", "generic"]);
    let imported =
        tokio::task::spawn_blocking(move || import.stdout(Stdio::null()).status()).await??;
    ensure!(imported.success(), "the import ended with {imported}");
    done.send(true)?;
    let n_backups = backups.await??;
    for (clerk, times) in [("left", at_left.await??), ("right", at_right.await??)] {
        println!(
            "{clerk:<6} {} scans: median {:.2} ms, p99 {:.2} ms (limit {LIMIT_MS}), worst {:.1} ms",
            times.len(),
            times.median() / 1e3,
            times.quantile(0.99) / 1e3,
            times.quantile(1.0) / 1e3
        );
    }
    println!("beside an import of a file through the socket and {n_backups} backups");
    Ok(())
}

/// Scans until the import is done.
async fn scan(
    mut scanner: Scanner,
    numbers: Vec<usize>,
    is_done: tokio::sync::watch::Receiver<bool>,
) -> anyhow::Result<Times> {
    let clock = SystemClock::new();
    let mut times = Times::default();
    for number in numbers {
        if *is_done.borrow() {
            break;
        }
        let frame = station::frame(number);
        let start = clock.elapsed();
        scanner.scan(frame.as_bytes(), 1).await?;
        times.add(clock.elapsed().saturating_sub(start));
    }
    Ok(times)
}

fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ballot-intake"));
    command.args(arguments).arg("--config").arg(dir.join("config.toml"));
    command
}

/// A file of ballots that follow on those that are issued.
fn mail_ballot_file(dir: &Path, from: usize, rows: usize) -> anyhow::Result<PathBuf> {
    let mut text = "ballot,voter,status\n".to_owned();
    for number in from..from + rows {
        writeln!(text, "{},6{number:08},mailed", ballots::ballot(number))?;
    }
    let path = dir.join("ballots.csv");
    std::fs::write(&path, text)?;
    Ok(path)
}
