//! The way back: what is refused, what is kept, and that a kill leaves one whole ledger or the other.

use crate::office::{back_up, cared_for, chain, check, listed, restore};
use crate::support::station::Station;
use crate::support::{Dice, eventually, own_ledger, timespec};
use ballot_intake::ledger::backup::{
    self, Loss, Over, RestoreError, Restored, Stop, Wanted, backup,
};
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Kills of a restore, at moments that are spread over what one takes.
const KILLS: u64 = 25;

fn set(station: &Station, ballot: u32) {
    let ballot = format!("{ballot:09}");
    station.json(&["ballot", "set", &ballot, "received", "--reason", "by hand"]);
}

/// A station with a backup, and two events more in its ledger.
fn ahead() -> (Station, PathBuf) {
    let station = cared_for(&[]);
    station.import(10);
    let (file, _) = back_up(&station, "copy");
    set(&station, 1);
    set(&station, 2);
    (station, file)
}

#[test]
fn a_worse_ledger_is_put_in_place_only_with_the_number_that_is_lost() {
    let (station, file) = ahead();
    let before = chain(&station.ledger());
    check(&restore(&station, &file, &[]), 1, "--lose-events 2");
    check(&restore(&station, &file, &["--lose-events", "1"]), 1, "2 events of the ledger in place");
    assert_eq!(chain(&station.ledger()), before);
    let said = station.json(&["ledger", "restore", file.to_str().unwrap(), "--lose-events", "2"]);
    assert_eq!((said[0]["lost"].as_i64(), said[0]["has_key"].as_bool()), (Some(2), Some(true)));
    assert_eq!(chain(&station.ledger()), chain(&file));
    station.verify();
    let kept = station.state().join(format!("ledger.sqlite.before-restore-{}", before.len()));
    assert_eq!(chain(&kept), before);
    set(&station, 3);
    station.verify();
    // The one that was kept is the better one for what it had, and goes back over what came since in the same way.
    check(&restore(&station, &kept, &[]), 1, "--lose-events 1");
}

#[test]
fn a_backup_that_has_all_events_needs_no_word() {
    let (station, _) = ahead();
    let (file, _) = back_up(&station, "second");
    let before = chain(&station.ledger());
    check(&restore(&station, &file, &[]), 0, "");
    assert_eq!(chain(&station.ledger()), before);
}

#[test]
fn a_ledger_that_is_gone_or_cannot_be_read_is_no_obstacle() {
    let (station, file) = ahead();
    fs::remove_file(station.ledger()).unwrap();
    let log = fs::read(station.state().join("ledger.sqlite-wal")).unwrap();
    check(&restore(&station, &file, &[]), 0, "");
    assert_eq!(chain(&station.ledger()), chain(&file));
    let kept = station.state().join("ledger.sqlite.before-restore-0");
    assert_eq!(fs::read(kept.with_extension("before-restore-0-wal")).unwrap(), log);
    let garbage = "dear diary, ".repeat(1_000);
    fs::write(station.ledger(), &garbage).unwrap();
    fs::write(station.state().join("ledger.sqlite-wal"), "and so on").unwrap();
    check(&restore(&station, &file, &[]), 1, "--lose-events unknown gives them up");
    check(&restore(&station, &file, &["--lose-events", "0"]), 1, "an unknown number of events");
    check(&restore(&station, &file, &["--lose-events", "some"]), 64, "neither a number nor");
    check(&restore(&station, &file, &["--lose-events", "unknown"]), 0, "");
    let kept = station.state().join("ledger.sqlite.before-restore-0.2");
    assert_eq!(fs::read_to_string(&kept).unwrap(), garbage);
    assert_eq!(fs::read_to_string(kept.with_extension("2-wal")).unwrap(), "and so on");
    station.verify();
}

/// A closed ledger of 60 scans, and a backup that ends after the first 50.
fn half_backed_up() -> (own_ledger::Station, PathBuf) {
    let mut station = own_ledger::Station::default();
    station.import(&(1..=60).map(own_ledger::row).collect::<Vec<_>>());
    (1..=50).for_each(|n| drop(station.scan_ballot("left", n)));
    let file = station.dir.path().join("copy");
    backup(&station.path(), &file, Over::Earlier, &Stop::never()).unwrap();
    (51..=60).for_each(|n| drop(station.scan_ballot("left", n)));
    station.close();
    (station, file)
}

fn put_back(
    station: &own_ledger::Station,
    file: &Path,
    lose_events: Option<Loss>,
) -> Result<Restored, RestoreError> {
    let wanted = Wanted { backup: file, log: None, lose_events };
    backup::restore(&station.settings, &wanted)
}

/// Overwrites the page of the ledger's file that has the first event which the backup lacks.
fn damage(ledger: &Path, backup: &Path) {
    let conn = Connection::open(ledger).unwrap();
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let page: u32 = conn.query_row("PRAGMA page_size", [], |row| row.get(0)).unwrap();
    let page = usize::try_from(page).unwrap();
    let (_, hash) = chain(ledger).remove(chain(backup).len());
    drop(conn);
    let mut bytes = fs::read(ledger).unwrap();
    let at = bytes.windows(hash.len()).position(|found| found == hash).unwrap();
    bytes[at / page * page..][..page].fill(0xff);
    fs::write(ledger, bytes).unwrap();
}

/// What could be read of a damaged ledger was once taken for all that it had: when the backup had that much, the rest was
/// replaced without a word.
#[test]
fn a_damaged_ledger_is_replaced_only_with_a_word_for_what_nobody_knows() {
    let (station, file) = half_backed_up();
    let whole = put_back(&station, &file, Some(Loss::Unknown)).unwrap_err();
    assert_eq!(whole.to_string(), "10 events of the ledger in place would be lost, not unknown");
    damage(&station.path(), &file);
    let damaged = fs::read(station.path()).unwrap();
    for (said, answer) in [
        (None, "--lose-events unknown gives them up"),
        (None, "of which the backup lacks 0"),
        (Some(Loss::Events(0)), "an unknown number of events of the ledger in place"),
        (Some(Loss::Events(10)), "an unknown number of events of the ledger in place"),
    ] {
        let refused = put_back(&station, &file, said).unwrap_err().to_string();
        assert!(refused.contains(answer), "{refused}");
        assert_eq!(fs::read(station.path()).unwrap(), damaged);
    }
    let restored = put_back(&station, &file, Some(Loss::Unknown)).unwrap();
    assert_eq!(restored.lost, None);
    assert_eq!(chain(&station.path()), chain(&file));
    assert_eq!(fs::read(restored.kept.unwrap()).unwrap(), damaged);
    assert!(station.verify().ok);
}

/// A row that is missing in the middle is damage, too; so is a log whose ledger is empty, which SQLite would remove.
#[test]
fn what_has_lost_its_rows_is_not_taken_for_a_ledger_that_had_none() {
    let (station, file) = half_backed_up();
    let conn = Connection::open(station.path()).unwrap();
    conn.execute_batch("DELETE FROM event WHERE seq > 50 AND seq < 62").unwrap();
    drop(conn);
    let refused = put_back(&station, &file, None).unwrap_err().to_string();
    assert!(refused.contains("row 50 only") && refused.contains("missing"), "{refused}");
    fs::write(station.path(), "").unwrap();
    let log = station.dir.path().join("ledger.sqlite-wal");
    fs::write(&log, "a log").unwrap();
    let refused = put_back(&station, &file, None).unwrap_err().to_string();
    assert!(refused.contains("empty, but for its log"), "{refused}");
    let kept = put_back(&station, &file, Some(Loss::Unknown)).unwrap().kept.unwrap();
    assert_eq!(fs::read_to_string(kept.with_extension("before-restore-0-wal")).unwrap(), "a log");
    assert!(station.verify().ok && !log.exists());
}

/// Whoever cannot look says so: that is no damage. A ledger that somebody held for five seconds was once given up.
#[test]
fn a_ledger_that_cannot_be_looked_at_now_stays_in_place() {
    let (station, file) = half_backed_up();
    let before = chain(&station.path());
    let conn = Connection::open(station.path()).unwrap();
    conn.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    for said in [None, Some(Loss::Unknown)] {
        let refused = put_back(&station, &file, said).unwrap_err();
        assert!(matches!(refused, RestoreError::Busy { .. }), "{refused:?}");
    }
    drop(conn);
    assert_eq!(chain(&station.path()), before);
    let elsewhere = station.dir.path().join("elsewhere");
    fs::rename(station.path(), &elsewhere).unwrap();
    fs::create_dir(station.path()).unwrap();
    let refused = put_back(&station, &file, Some(Loss::Unknown)).unwrap_err();
    assert!(matches!(refused, RestoreError::Look { .. }), "{refused:?}");
}

#[test]
fn what_is_no_backup_of_the_station_is_refused() {
    let (station, file) = ahead();
    let other = Station::with_scanners(&[], "");
    other.import(10);
    let (foreign, _) = back_up(&other, "copy");
    check(&restore(&station, &foreign, &[]), 1, "made under the key");
    check(&restore(&station, &station.ledger(), &[]), 1, "belongs to the ledger itself");
    check(&restore(&station, &station.path("none"), &[]), 66, "none");
    let note = station.path("note");
    fs::write(&note, "dear diary, ".repeat(1_000)).unwrap();
    check(&restore(&station, &note, &[]), 1, "note");
    for sql in [
        "UPDATE event SET body = replace(body, 'boulder', 'bouldex') WHERE seq = 1",
        "UPDATE ballot SET status = 5 WHERE key = 3",
        "PRAGMA user_version = 99",
    ] {
        let changed = station.path("changed");
        fs::copy(&file, &changed).unwrap();
        Connection::open(&changed).unwrap().execute_batch(sql).unwrap();
        let output = restore(&station, &changed, &["--lose-events", "2"]);
        assert_eq!(output.status.code(), Some(1), "{sql}: {output:?}");
    }
    station.verify();
    assert!(!station.state().join("ledger.sqlite.partial").exists());
}

#[test]
fn nothing_is_restored_under_a_running_daemon() {
    let (station, file) = ahead();
    let daemon = station.start();
    check(&restore(&station, &file, &["--lose-events", "2"]), 69, &daemon.pid().to_string());
    daemon.stop();
    station.verify();
}

#[test]
fn the_log_of_events_leads_beyond_the_backup_up_to_an_import() {
    let (station, file) = ahead();
    station.start().stop();
    let before = chain(&station.ledger());
    let log = station.path("log");
    let log = log.to_str().unwrap();
    check(&restore(&station, &file, &[]), 1, &format!("--log {log}"));
    fs::remove_file(station.ledger()).unwrap();
    let args = ["ledger", "restore", file.to_str().unwrap(), "--log", log];
    let said = station.json(&args).remove(0);
    assert_eq!((said["from_log"].as_i64(), &said["gap"]), (Some(2), &serde_json::Value::Null));
    assert_eq!(chain(&station.ledger()), before);
    station.verify();

    let daemon = station.start();
    let applied = "SELECT min(applied) FROM import";
    let look = || Connection::open(station.ledger()).unwrap();
    eventually("all of the import", || {
        look().query_row(applied, [], |row| row.get::<_, bool>(0)).unwrap()
    });
    daemon.stop();
    // Ten ballots more, and one of them set by hand: neither can come back from the log alone.
    let rows: String =
        (10..20).fold(String::new(), |text, n| format!("{text}{n:09},V{n:08},mailed\n"));
    let more = station.path("more.csv");
    fs::write(&more, format!("ballot,voter,status\n{rows}")).unwrap();
    station.json(&["import", more.to_str().unwrap(), "--layout", "generic"]);
    set(&station, 15);
    station.start().stop();
    let all = chain(&station.ledger());
    check(&restore(&station, &file, &["--log", log]), 1, "--lose-events 2");
    fs::remove_file(station.ledger()).unwrap();
    let said = station.json(&args).remove(0);
    assert_eq!(said["gap"]["to"], all.len());
    assert_eq!(said["gap"]["from"], before.len() + 1);
    assert_eq!(chain(&station.ledger()), before);
}

/// Restores, and kills that at a moment that nobody foresees.
fn restore_and_kill(station: &Station, file: &Path, lost: &str, dice: &mut Dice) {
    let mut restore = Command::new(env!("CARGO_BIN_EXE_ballot-intake"))
        .args(["ledger", "restore", "--lose-events", lost, "--config"])
        .arg(station.config())
        .arg(file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pause = timespec(Duration::from_millis(dice.below(120)));
    assert_eq!(rustix::event::poll(&mut [], Some(&pause)), Ok(0));
    restore.kill().unwrap();
    restore.wait().unwrap();
}

/// What cannot be read is never without its log, and its log is never with the backup: what stands in between is no ledger.
#[test]
fn a_kill_never_parts_what_cannot_be_read_from_its_log() {
    let (station, file) = ahead();
    let log = station.state().join("ledger.sqlite-wal");
    let garbage = "dear diary, ".repeat(1_000);
    let mut dice = Dice(9);
    for _ in 0..KILLS {
        fs::write(station.ledger(), &garbage).unwrap();
        fs::write(&log, "and so on").unwrap();
        restore_and_kill(&station, &file, "unknown", &mut dice);
        let found = fs::read(station.ledger()).unwrap();
        if found == garbage.as_bytes() {
            assert_eq!(fs::read_to_string(&log).unwrap(), "and so on");
        } else if !found.starts_with(b"A restore was cut short here") {
            assert!(!log.exists() && !station.state().join("ledger.sqlite-journal").exists());
            assert_eq!(chain(&station.ledger()), chain(&file));
        }
    }
    fs::write(station.ledger(), &garbage).unwrap();
    check(&restore(&station, &file, &["--lose-events", "unknown"]), 0, "");
    station.verify();
}

#[test]
fn a_kill_at_any_moment_leaves_one_whole_ledger_or_the_other() {
    let (station, file) = ahead();
    let (old, new) = (chain(&station.ledger()), chain(&file));
    let (second, _) = back_up(&station, "second");
    let mut dice = Dice(5);
    for n in 0..KILLS {
        let (from, lost) = if n % 2 == 0 { (&file, "2") } else { (&second, "0") };
        let lost = if chain(&station.ledger()) == new { "0" } else { lost };
        restore_and_kill(&station, from, lost, &mut dice);
        let found = chain(&station.ledger());
        assert!(found == old || found == new, "{} events", found.len());
        station.verify();
    }
    let kept = |path: &PathBuf| path.to_str().unwrap().contains(".before-restore-");
    let kept: Vec<_> = listed(&station.state()).into_iter().filter(kept).collect();
    assert!(kept.iter().all(|path| path.to_str().unwrap().ends_with("-shm")
        || path.to_str().unwrap().ends_with("-wal")
        || [&old, &new].contains(&&chain(path))));
}
