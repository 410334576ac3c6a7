//! Ledgers of all schema versions: `fixtures/ledger/v<n>.sqlite`, each made by the program of its time, with its key.
//!
//! A new schema version gets its own: `BALLOT_INTAKE_WRITE=1 cargo nextest run --test care a_ledger_of_this_version`. Ballots and
//! voters are made up.

use crate::office::chain;
use crate::support::eventually;
use crate::support::own_ledger::{HOLD_BACK, Station, row, set};
use ballot_intake::ballot::Status;
use ballot_intake::ledger::backup::{Over, Stop, Wanted, backup, restore, retention};
use ballot_intake::ledger::{ImportRow, Request, rebuild, verify};
use ballot_intake::scan::Verdict;
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/ledger");

const DAY: Duration = Duration::from_hours(24);

const FIXTURE_BYTES_MAX: u64 = 256 * 1024;

/// A day with a bit of everything: each state of a change, imports that issue, change and void, a correction, a refusal.
fn day() -> Station {
    let mut station = Station::corrected(8);
    let styled = ImportRow { style: Some("7".to_owned()), ..row(4) };
    station.import(&[ImportRow { status: Status::Voided, ..row(5) }, styled, row(9)]);
    let found = set(6, Status::Received, "found in the drop box", "supervisor");
    station.ledger().ask(|reply| Request::Set(found, reply)).unwrap().unwrap();
    station.pass(HOLD_BACK);
    station.scan_ballot("left", 7);
    station.close();
    station
}

fn version(path: &Path) -> i64 {
    let conn = Connection::open(path).unwrap();
    conn.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

fn fixtures() -> Vec<PathBuf> {
    let files = fs::read_dir(FIXTURES).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|end| end == "sqlite")).collect();
    files.sort();
    files
}

/// A station that goes on with a fixture.
fn taken_over(fixture: &Path) -> Station {
    Station::with(|settings| {
        fs::copy(fixture, &settings.path).unwrap();
        fs::copy(fixture.with_extension("key"), &settings.key_file).unwrap();
        settings.announce_imports = vec![Status::Voided];
    })
}

#[test]
fn a_ledger_of_this_version_is_among_the_fixtures() {
    let made = day();
    let fixture = Path::new(FIXTURES).join(format!("v{}.sqlite", version(&made.path())));
    if std::env::var_os("BALLOT_INTAKE_WRITE").is_some() {
        backup(&made.path(), &fixture, Over::Anything, &Stop::never()).unwrap();
        fs::copy(&made.settings.key_file, fixture.with_extension("key")).unwrap();
    }
    assert!(fixture.exists(), "{fixture:?} is not there: write it with BALLOT_INTAKE_WRITE=1");
    assert!(fs::metadata(&fixture).unwrap().len() <= FIXTURE_BYTES_MAX);
}

#[test]
fn every_version_is_brought_to_the_newest_and_gone_on_with() {
    for fixture in fixtures() {
        let before = chain(&fixture);
        let mut station = taken_over(&fixture);
        assert_eq!(station.verify().fault, None, "{fixture:?}");
        assert!(chain(&station.path()).starts_with(&before), "{fixture:?}");
        // A ledger may have been closed before all that its last import changes was applied.
        eventually("all of the import", || station.report().ballots["voided"] == 1);
        let report = station.report();
        assert_eq!((report.ballots["received"], report.ballots["voided"]), (4, 1), "{fixture:?}");
        for state in ["owed", "delivered", "set_aside", "withdrawn"] {
            assert!(report.outbox[state] > 0, "{fixture:?}: {state}");
        }
        assert_eq!(station.scan_ballot("right", 8).verdict, Verdict::Received, "{fixture:?}");
        assert_eq!(station.scan_ballot("right", 1).verdict, Verdict::AlreadyReceived);
        station.close();
        assert!(rebuild(&station.settings).unwrap().verified.ok, "{fixture:?}");
        assert_eq!(station.verify().fault, None, "{fixture:?}");
    }
}

#[test]
fn an_older_ledger_is_kept_beside() {
    for fixture in fixtures() {
        let old = version(&fixture);
        let station = taken_over(&fixture);
        let new = version(&station.path());
        let kept = station.dir.path().join(format!("ledger.sqlite.v{old}-before-v{new}"));
        assert_eq!(kept.exists(), old < new, "{fixture:?}");
        if kept.exists() {
            assert_eq!((version(&kept), chain(&kept)), (old, chain(&fixture)));
        }
    }
}

#[test]
fn an_older_ledger_is_not_read_and_says_what_brings_it_to_the_newest() {
    let newest = version(&day().path());
    for fixture in fixtures() {
        match verify(&fixture) {
            Ok(verified) => assert_eq!((version(&fixture), verified.ok), (newest, true)),
            Err(error) => {
                assert!(version(&fixture) < newest);
                assert!(error.to_string().contains("ballot-intake ledger rebuild"), "{error}");
            }
        }
    }
}

#[test]
fn a_backup_of_every_version_can_be_put_in_place() {
    for fixture in fixtures() {
        let mut station = taken_over(&fixture);
        station.close();
        fs::remove_file(station.path()).unwrap();
        let wanted = Wanted { backup: &fixture, log: None, lose_events: None };
        let restored = restore(&station.settings, &wanted).unwrap();
        assert_eq!(restored.events, i64::try_from(chain(&fixture).len()).unwrap());
        assert!(restored.has_key && station.verify().ok, "{fixture:?}");
        station.reopen();
        assert_eq!(station.scan_ballot("right", 8).verdict, Verdict::Received);
    }
}

#[test]
fn a_ledger_is_kept_as_long_as_the_law_says() {
    let station = day();
    let kept = retention(&station.path(), &station.settings.zone, &[]).unwrap();
    let [kept] = kept.as_slice() else { panic!("{kept:?}") };
    assert_eq!((kept.election.as_str(), kept.counted_from.as_str()), ("202611", "2026-11-02"));
    assert_eq!((kept.federal.as_str(), kept.colorado.as_str()), ("2028-09-02", "2028-12-02"));
    let until = station.settings.zone.instant("2026-11-12T19:00").unwrap();
    let deadlines = [(row(1).election, until)];
    let kept = retention(&station.path(), &station.settings.zone, &deadlines).unwrap();
    assert_eq!(kept[0].federal, "2028-09-12");
}

/// The election's last event was once the last import that issued a ballot: one that only moved ballots counted for nothing, and
/// one that was never decided hid those before it.
#[test]
fn a_file_that_only_moves_ballots_counts_and_one_that_was_not_decided_does_not() {
    let station = Station::default();
    let counted_from = || {
        let kept = retention(&station.path(), &station.settings.zone, &[]).unwrap();
        kept.into_iter().map(|kept| kept.counted_from).collect::<Vec<_>>()
    };
    station.import(&[row(1), row(2)]);
    station.pass(DAY);
    station.import(&[ImportRow { status: Status::Received, ..row(1) }]);
    eventually("all of the import", || station.status(1) == Status::Received);
    assert_eq!(counted_from(), ["2026-11-03"]);
    station.import(&[row(3)]);
    station.pass(DAY);
    let import = station.begin_import();
    let until = station.settings.zone.instant("2027-11-02T19:00").ok();
    let rows = vec![ImportRow { receive_until: until, ..row(4) }];
    station.ledger().ask(|reply| Request::ImportRows { import, rows, reply }).unwrap().unwrap();
    assert_eq!(counted_from(), ["2026-11-03"]);
}
