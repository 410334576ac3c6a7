//! Scans that were committed but perhaps never answered: the same envelope gets its verdict, and no second row.

use crate::station::{HOLD_BACK, Station, row};
use ballot_intake::ballot::{ElectionId, Status};
use ballot_intake::ledger::{Request, Who};
use ballot_intake::scan::{Face, Unreadable, Verdict};
use std::time::Duration;

fn three_scans_then_a_crash() -> Station {
    let mut station = Station::default();
    station.import(&(1..=4).map(row).collect::<Vec<_>>());
    for n in 1..=3 {
        assert_eq!(station.scan_ballot("left", n).verdict, Verdict::Received);
    }
    station.crash();
    station
}

fn scans(station: &Station) -> (i64, i64) {
    let report = station.report();
    (report.scans.values().sum(), report.repeats)
}

#[test]
fn an_envelope_scanned_again_after_a_restart_gets_the_verdict_it_would_have_had() {
    let station = three_scans_then_a_crash();
    for n in [2, 3] {
        let judged = station.scan_ballot("left", n);
        assert_eq!((judged.verdict, judged.batch), (Verdict::Received, 1));
        assert_eq!(judged.ballot, row(n).ballot);
    }
    assert_eq!(scans(&station), (3, 2));
    assert_eq!(station.scan_ballot("left", 3).verdict, Verdict::AlreadyReceived, "only once");
    assert!(station.verify().ok);
}

#[test]
fn after_a_clean_stop_everything_was_answered() {
    let mut station = Station::default();
    station.import(&[row(1)]);
    assert_eq!(station.scan_ballot("left", 1).verdict, Verdict::Received);
    station.reopen();
    assert_eq!(station.scan_ballot("left", 1).verdict, Verdict::AlreadyReceived);
    assert_eq!(scans(&station), (2, 0));
}

#[test]
fn another_scanner_has_nothing_unanswered() {
    let station = three_scans_then_a_crash();
    assert_eq!(station.scan_ballot("right", 3).verdict, Verdict::AlreadyReceived);
    assert_eq!(station.scan_ballot("left", 3).verdict, Verdict::Received);
    assert_eq!(scans(&station), (4, 1));
}

#[test]
fn a_different_scan_says_that_all_were_answered() {
    let station = three_scans_then_a_crash();
    assert_eq!(station.scan_ballot("left", 4).verdict, Verdict::Received);
    assert_eq!(station.scan_ballot("left", 3).verdict, Verdict::AlreadyReceived);
    assert_eq!(scans(&station), (5, 0));
}

#[test]
fn a_payload_that_names_no_ballot_is_known_again_by_its_mac() {
    let mut station = Station::default();
    let scan = |station: &Station, payload| {
        station.scan("left", Face::Unreadable(Unreadable::NoFormat), payload).verdict
    };
    assert_eq!(scan(&station, "D1234567"), Verdict::Unreadable);
    station.crash();
    assert_eq!(scan(&station, "D1234567"), Verdict::Unreadable);
    assert_eq!(scans(&station), (1, 1));
    assert_eq!(scan(&station, "D1234568"), Verdict::Unreadable);
    assert_eq!(scans(&station), (2, 1));
}

/// The ballot stood at `mailed` again, and a good tone once said that it was received.
#[test]
fn a_scan_that_was_taken_back_is_no_answer_to_the_next_one() {
    let mut station = three_scans_then_a_crash();
    let undo = |reply| Request::Undo { who: Who::os_user("clerk".to_owned()), of: None, reply };
    station.ledger().ask(undo).unwrap().unwrap();
    station.crash();
    assert_eq!(station.scan_ballot("left", 3).verdict, Verdict::Received);
    assert_eq!(station.status(3), Status::Received);
    assert_eq!(scans(&station), (4, 0));
}

#[test]
fn a_ballot_that_was_issued_since_is_judged_anew() {
    let mut station = Station::default();
    assert_eq!(station.scan_ballot("left", 1).verdict, Verdict::NotIssued);
    station.import(&[row(1)]);
    station.crash();
    assert_eq!(station.scan_ballot("left", 1).verdict, Verdict::Received);
}

#[test]
fn another_election_s_scan_is_no_answer_to_one_of_this() {
    let mut station = Station::default();
    let next = ElectionId::new("202705").unwrap();
    let later = ballot_intake::ledger::ImportRow { election: next.clone(), ..row(1) };
    station.import(&[row(1), later]);
    assert_eq!(station.scan_ballot("left", 1).verdict, Verdict::Received);
    station.settings.election = Some(next);
    station.crash();
    assert_eq!(station.scan_ballot("left", 1).verdict, Verdict::Received);
    assert_eq!(scans(&station), (2, 0));
}

/// The forwarder, told meanwhile that nothing is owed, once waited for the next change to become owed.
#[test]
fn what_is_owed_is_asked_for_again_after_a_failed_commit() {
    let station = Station::default();
    station.import(&[row(1), row(2)]);
    station.scan_ballot("left", 1);
    station.pass(HOLD_BACK);
    let owed = station.ledger().news().owed;
    let news = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(30), owed.notified()).await.is_ok()
        })
    };
    assert!(news(), "a change is owed");
    let other = rusqlite::Connection::open(station.path()).unwrap();
    let fail = "CREATE TRIGGER fail BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'full'); END";
    other.execute_batch(fail).unwrap();
    assert_eq!(station.scan_ballot("left", 2).verdict, Verdict::Fault);
    assert!(news(), "the ledger is back");
    assert_eq!(station.claim().len(), 1);
    other.execute_batch("DROP TRIGGER fail").unwrap();
    assert_eq!(station.scan_ballot("left", 2).verdict, Verdict::Received);
    assert!(station.verify().ok);
}
