//! Backups: beside scanning, at night, refused, cut off by a kill, and with a second disk that is full.

use crate::office::{back_up, cared_for, chain, check, hex, listed};
use crate::support::disk::Disk;
use crate::support::station::Station;
use crate::support::{GOOD, eventually, payload};
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

#[test]
fn a_backup_beside_scanning_is_whole() {
    let station = Station::with_scanners(&["left"], "");
    station.import(3_000);
    let scanner = station.plug("left");
    let daemon = station.start();
    std::thread::scope(|scope| {
        let scanning = scope.spawn(|| {
            (0..400).for_each(|n| assert_eq!(scanner.ask(payload(n).as_bytes()), GOOD, "{n}"));
        });
        let mut n = 0;
        while !scanning.is_finished() || n < 2 {
            let (file, said) = back_up(&station, &format!("copy-{n}"));
            let events = chain(&file);
            assert_eq!(said["events"], events.len());
            let digest = Sha256::digest(fs::read(&file).unwrap());
            assert_eq!(said["sha256"], hex(&digest));
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
            n += 1;
        }
    });
    let copy = station.path("copy-0");
    let verified = station.json(&["ledger", "verify", "--ledger", copy.to_str().unwrap()]);
    assert_eq!(verified[0]["ok"], true);
    assert!(chain(&station.ledger()).starts_with(&chain(&copy)));
    daemon.stop();
    station.verify();
}

#[test]
fn a_night_that_was_missed_is_made_up_for_once() {
    let station = cared_for(&[]);
    station.import(10);
    let backups = station.path("backups");
    let daemon = station.start();
    eventually("a backup", || station.logged("BackupMade") == 1);
    daemon.stop();
    let daemon = station.start();
    daemon.stop();
    assert_eq!((station.logged("BackupMade"), listed(&backups).len()), (1, 1));
    let file = listed(&backups).remove(0);
    assert!(file.to_str().unwrap().contains("/boulder-intake-1-20"), "{file:?}");
    let care = &station.report()["care"];
    assert_eq!(care["backup"]["path"], file.to_str().unwrap());
    assert_eq!(care["backup"]["events"], chain(&file).len());
    assert_eq!(care["log"]["events"], chain(&station.ledger()).len());
}

#[test]
fn a_backup_replaces_only_an_earlier_one() {
    let station = Station::with_scanners(&[], "");
    station.import(10);
    let (file, first) = back_up(&station, "copy");
    station.json(&["ballot", "set", "000000001", "received", "--reason", "by hand"]);
    let (_, second) = back_up(&station, "copy");
    assert!(first["events"].as_i64() < second["events"].as_i64());

    let note = station.path("note");
    fs::write(&note, "not a ledger").unwrap();
    for (name, said) in [
        (note.clone(), "no backup of this ledger"),
        (station.ledger(), "belongs to the ledger itself"),
        (station.state().join("ledger.sqlite-wal"), "belongs to the ledger itself"),
        (station.state().join("ledger.sqlite.lock"), "belongs to the ledger itself"),
    ] {
        check(&station.run(&["ledger", "backup", name.to_str().unwrap()]), 1, said);
    }
    assert_eq!(fs::read(&note).unwrap(), b"not a ledger");
    let forced =
        |path: &Path| station.run(&["ledger", "backup", "--force", path.to_str().unwrap()]);
    check(&forced(&station.ledger()), 1, "belongs to the ledger itself");
    check(&forced(&note), 0, "");
    assert_eq!(chain(&note), chain(&file));
    check(&station.run(&["ledger", "backup", "/nowhere/copy"]), 74, "/nowhere/copy");
}

#[test]
fn a_ledger_that_was_changed_is_not_backed_up() {
    let station = Station::with_scanners(&[], "");
    station.import(10);
    let conn = Connection::open(station.ledger()).unwrap();
    conn.execute_batch("UPDATE ballot SET status = 5 WHERE key = 3").unwrap();
    drop(conn);
    let file = station.path("copy");
    check(
        &station.run(&["ledger", "backup", file.to_str().unwrap()]),
        1,
        "does not hold: table ballot",
    );
    assert!(!file.exists() && !station.path("copy.partial").exists());
}

/// A backup whose syncs are held, so that it is in its middle for as long as it takes.
fn held_backup(station: &Station, file: &Path) -> Child {
    let environment = station.environment.iter().map(|(name, value)| (name, value));
    Command::new(env!("CARGO_BIN_EXE_ballot-intake"))
        .args(["ledger", "backup"])
        .arg(file)
        .arg("--config")
        .arg(station.config())
        .envs(environment)
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_kill_in_the_middle_leaves_nothing_under_the_name() {
    let mut station = Station::with_scanners(&[], "");
    station.import(10);
    let disk = Disk::under(&mut station);
    let (file, _) = back_up(&station, "copy");
    let before = fs::read(&file).unwrap();
    disk.tell("sync.held");
    let mut backup = held_backup(&station, &file);
    disk.holds();
    check(&station.run(&["ledger", "backup", file.to_str().unwrap()]), 69, "another process");
    backup.kill().unwrap();
    backup.wait().unwrap();
    disk.mend("sync.held");
    assert_eq!(fs::read(&file).unwrap(), before);
    assert!(station.path("copy.partial").exists());
    back_up(&station, "copy");
    assert!(!station.path("copy.partial").exists());
}

#[test]
fn a_second_disk_that_is_full_does_not_disturb_scanning() {
    let mut station = cared_for(&["left"]);
    station.import(100);
    let disk = Disk::under(&mut station);
    disk.tell("write.second");
    let scanner = station.plug("left");
    let daemon = station.start();
    eventually("what failed", || {
        station.logged("BackupFailed") == 1 && station.logged("EventLogFailed") >= 1
    });
    for n in 0..20 {
        assert_eq!(scanner.ask(payload(n).as_bytes()), GOOD, "{n}");
    }
    assert_eq!(station.logged("CommitFailed"), 0);
    daemon.stop();
    assert!(listed(&station.path("backups")).is_empty());
    disk.mend("write.second");
    let daemon = station.start();
    eventually("a backup", || station.logged("BackupMade") == 1);
    daemon.stop();
    assert_eq!(station.report()["care"]["log"]["events"], chain(&station.ledger()).len());
}
