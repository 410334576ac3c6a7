//! What becomes of a change: held back, withdrawn, owed, delivered, set aside; each ballot's in order.

use crate::station::{HOLD_BACK, NOON, Station, row};
use ballot_intake::ballot::{Mode, Status};
use ballot_intake::clock::Micros;
use ballot_intake::delivery::{Answer, Delivery};
use ballot_intake::ledger::{
    Done, ImportRow, Moved, NotAllowed, NotDone, NotMoved, Party, Person, Request, SetRequest, Who,
};
use ballot_intake::scan::Verdict;
use std::time::Duration;

const MICROSECOND: Duration = Duration::from_micros(1);

const MINUTE: Duration = Duration::from_mins(1);

fn station_with(n: u32) -> Station {
    let station = Station::default();
    station.import(&(1..=n).map(row).collect::<Vec<_>>());
    station
}

fn undo(station: &Station) -> Result<Moved, NotMoved> {
    station
        .ledger()
        .ask(|reply| Request::Undo { who: Who::os_user("clerk".to_owned()), of: None, reply })
        .unwrap()
}

fn set(station: &Station, n: u32, status: Status) -> Result<Moved, NotDone> {
    let request = SetRequest {
        election: row(n).election,
        ballot: row(n).ballot.unwrap(),
        status,
        reason: "by hand".to_owned(),
        from: None,
        party: Party::of(Person::os_user("supervisor".to_owned())),
    };
    match station.ledger().ask(|reply| Request::Set(request, reply)).unwrap() {
        Ok(Done::Moved(moved)) => Ok(moved),
        Ok(other) => panic!("{other:?}"),
        Err(why) => Err(why),
    }
}

/// The word at that place of a delivery's body.
fn word(delivery: &Delivery, place: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(&delivery.body).unwrap();
    let word = body.pointer(place).unwrap();
    word.as_str().map_or_else(|| word.to_string(), str::to_owned)
}

/// What is handed out: ballot, status and number of each.
fn claimed(station: &Station) -> Vec<(String, String, String)> {
    let told = |delivery: &Delivery| {
        let part = |place| word(delivery, place);
        (part("/data/ballot"), part("/data/status"), part("/data/sequence"))
    };
    station.claim().iter().map(told).collect()
}

fn deliver_all(station: &Station) -> Vec<Delivery> {
    let mut delivered = Vec::new();
    loop {
        let deliveries = station.claim();
        if deliveries.is_empty() {
            return delivered;
        }
        for delivery in deliveries {
            station.settle(delivery.seq, Answer::Delivered);
            delivered.push(delivery);
        }
    }
}

fn away() -> Answer {
    Answer::RelayAway { why: "503".to_owned(), retry_after: None }
}

fn refused() -> Answer {
    Answer::ChangeRefused { why: "422".to_owned() }
}

#[test]
fn nothing_is_handed_out_before_hold_back_ends() {
    let station = station_with(1);
    station.scan_ballot("left", 1);
    station.pass(HOLD_BACK.checked_sub(MICROSECOND).unwrap());
    assert_eq!(claimed(&station), []);
    station.pass(MICROSECOND);
    let deliveries = station.claim();
    let delivery = deliveries.first().unwrap();
    for (place, expected) in [
        ("/id", delivery.id.as_str()),
        ("/source", "/facility/boulder/station/intake-1"),
        ("/type", "ballot.received"),
        ("/subject", "202611/000000001"),
        ("/time", NOON.rfc3339().as_str()),
        ("/data/voter", "V1"),
        ("/data/previous", "mailed"),
        ("/data/sequence", "1"),
        ("/data/method", "scanner"),
        ("/data/corrects", "null"),
        ("/data/reason", "null"),
    ] {
        assert_eq!(word(delivery, place), expected, "{place}");
    }
    assert!(station.verify().ok);
}

#[test]
fn a_body_is_the_same_at_every_attempt_and_after_a_restart() {
    let mut station = station_with(1);
    station.scan_ballot("left", 1);
    station.pass(HOLD_BACK);
    let first = station.claim().remove(0);
    assert_eq!(station.claim(), [], "it is in flight");
    station.settle(first.seq, away());
    let second = station.claim().remove(0);
    assert_eq!(second, Delivery { attempts: 1, ..first.clone() });
    station.reopen();
    assert_eq!(station.claim(), [second]);
}

#[test]
fn a_ballot_s_numbers_have_no_gap_for_what_was_withdrawn() {
    let mut station = station_with(1);
    station.scan_ballot("left", 1);
    station.pass(HOLD_BACK);
    station.settings.mode = Mode::Accept;
    station.reopen();
    station.scan_ballot("left", 1);
    undo(&station).unwrap();
    station.scan_ballot("left", 1);
    station.pass(HOLD_BACK);
    let told: Vec<_> = deliver_all(&station)
        .iter()
        .map(|delivery| (word(delivery, "/data/status"), word(delivery, "/data/sequence")))
        .collect();
    let pair = |status: &str, n: &str| (status.to_owned(), n.to_owned());
    assert_eq!(told, [pair("received", "1"), pair("accepted", "2")]);
    assert!(station.verify().ok);
}

#[test]
fn an_undo_within_hold_back_tells_the_relay_nothing() {
    let station = station_with(1);
    station.scan_ballot("left", 1);
    let moved = undo(&station).unwrap();
    assert_eq!((moved.previous, moved.status), (Status::Received, Status::Mailed));
    assert!(moved.withdrawn);
    station.pass(HOLD_BACK * 2);
    assert_eq!(claimed(&station), []);
    let outbox = station.report().outbox;
    assert_eq!((outbox["withdrawn"], outbox["held"]), (1, 0));
    assert_eq!(station.scan_ballot("right", 1).verdict, Verdict::Received);
}

#[test]
fn an_undo_after_it_was_sent_is_a_correction_that_names_it() {
    let station = station_with(1);
    station.scan_ballot("left", 1);
    station.pass(HOLD_BACK);
    let sent = deliver_all(&station).remove(0);
    assert!(!undo(&station).unwrap().withdrawn);
    station.pass(HOLD_BACK);
    let correction = deliver_all(&station).remove(0);
    for (place, expected) in [
        ("/type", "ballot.mailed"),
        ("/data/previous", "received"),
        ("/data/sequence", "2"),
        ("/data/method", "manual"),
        ("/data/corrects", sent.id.as_str()),
    ] {
        assert_eq!(word(&correction, place), expected, "{place}");
    }
}

#[test]
fn undoing_twice_takes_back_two_scans() {
    let station = station_with(2);
    station.scan_ballot("left", 1);
    station.scan_ballot("left", 2);
    station.scan_ballot("left", 2);
    let last = undo(&station).unwrap();
    assert_eq!(last.ballot, row(2).ballot.unwrap());
    let scan = last.scan.unwrap();
    assert_eq!((scan.scanner.as_str(), scan.later), ("left", 1), "the second envelope of 2");
    assert_eq!(undo(&station).unwrap().ballot, row(1).ballot.unwrap());
    assert_eq!(undo(&station), Err(NotMoved::NothingToUndo));
    assert_eq!((station.status(1), station.status(2)), (Status::Mailed, Status::Mailed));
}

#[test]
fn an_undo_refuses_when_the_ballot_moved_since() {
    let station = station_with(1);
    station.scan_ballot("left", 1);
    set(&station, 1, Status::Voided).unwrap();
    assert_eq!(undo(&station), Err(NotMoved::MovedSince(row(1).ballot.unwrap(), Status::Voided)));
    assert_eq!(station.status(1), Status::Voided);
}

#[test]
fn a_supervisor_sets_what_one_person_may() {
    let station = station_with(1);
    assert_eq!(
        set(&station, 1, Status::Mailed),
        Err(NotDone::Ballot(NotMoved::Same(row(1).ballot.unwrap(), Status::Mailed)))
    );
    let unknown = NotMoved::NotIssued { election: row(9).election, ballot: row(9).ballot.unwrap() };
    assert_eq!(set(&station, 9, Status::Received), Err(NotDone::Ballot(unknown)));
    assert_eq!(set(&station, 1, Status::Received).unwrap().corrects, None);
    // Back: it corrects what is still held back, so the relay hears of neither.
    let back = set(&station, 1, Status::Mailed).unwrap();
    assert!(back.withdrawn && back.corrects.is_some());
    set(&station, 1, Status::Received).unwrap();
    set(&station, 1, Status::Rejected).unwrap();
    let locked = NotDone::People(NotAllowed::NoOperators);
    assert_eq!(set(&station, 1, Status::Received), Err(locked));
    station.pass(HOLD_BACK);
    let told: Vec<_> = deliver_all(&station).iter().map(|d| word(d, "/type")).collect();
    assert_eq!(told, ["ballot.received", "ballot.rejected"]);
}

/// The relay would look for what it never got.
#[test]
fn a_correction_of_what_was_withdrawn_names_nothing_to_the_relay() {
    let station = station_with(1);
    station.scan_ballot("left", 1);
    let moved = set(&station, 1, Status::Issued).unwrap();
    assert!(moved.withdrawn && moved.corrects.is_some());
    station.pass(HOLD_BACK);
    let delivery = station.claim().remove(0);
    for (place, expected) in
        [("/type", "ballot.issued"), ("/data/previous", "mailed"), ("/data/corrects", "null")]
    {
        assert_eq!(word(&delivery, place), expected, "{place}");
    }
}

/// Neither what an import changed silently nor a correction that was owed to nobody was ever sent.
#[test]
fn a_correction_of_what_was_never_sent_names_nothing_to_the_relay() {
    let station = station_with(2);
    let unsigned = |n| ImportRow { status: Status::NeedsAttention, ..row(n) };
    station.import(&[unsigned(1)]);
    assert!(set(&station, 1, Status::Received).unwrap().corrects.is_some());
    station.scan_ballot("left", 2);
    undo(&station).unwrap();
    assert!(set(&station, 2, Status::Issued).unwrap().corrects.is_some());
    station.pass(HOLD_BACK);
    let told: Vec<_> = station.claim().iter().map(|d| word(d, "/data/corrects")).collect();
    assert_eq!(told, ["null", "null"]);
    assert!(station.verify().ok);
}

#[test]
fn a_later_change_waits_for_an_earlier_one_whatever_became_of_it() {
    let station = station_with(2);
    station.scan_ballot("left", 1);
    set(&station, 1, Status::Accepted).unwrap();
    station.scan_ballot("left", 2);
    station.pass(HOLD_BACK);
    let first = station.claim();
    assert_eq!(first.len(), 2, "one of each ballot");
    assert_eq!(claimed(&station), [], "in flight");
    station.settle(first[0].seq, away());
    assert_eq!(station.claim()[0].seq, first[0].seq, "owed");
    station.settle(first[0].seq, refused());
    assert_eq!(claimed(&station), [], "set aside");
    assert_eq!(station.report().outbox["set_aside"], 1);
    assert_eq!(retry(&station), 1);
    assert_eq!(retry(&station), 0);
    let again = station.claim();
    assert_eq!((again[0].seq, again[0].body.as_str()), (first[0].seq, first[0].body.as_str()));
    station.settle(first[0].seq, Answer::Delivered);
    let second = claimed(&station);
    assert_eq!(second, [("000000001".into(), "accepted".into(), "2".into())]);
    assert!(station.verify().ok);
}

fn retry(station: &Station) -> usize {
    station
        .ledger()
        .ask(|reply| Request::Retry { who: Who::os_user("supervisor".to_owned()), reply })
        .unwrap()
        .unwrap()
}

/// What was withdrawn is settled, but what stood before it may not be: a change after it once went out before the first.
#[test]
fn a_change_after_one_that_was_withdrawn_waits_for_the_one_before_that() {
    let mut station = station_with(1);
    station.scan_ballot("left", 1);
    station.pass(HOLD_BACK);
    station.settings.mode = Mode::Accept;
    station.reopen();
    station.scan_ballot("left", 1);
    undo(&station).unwrap();
    station.scan_ballot("left", 1);
    station.pass(HOLD_BACK);
    let first = station.claim();
    assert_eq!(first.len(), 1);
    assert_eq!(word(&first[0], "/data/status"), "received");
    assert_eq!(claimed(&station), []);
    station.settle(first[0].seq, Answer::Delivered);
    assert_eq!(claimed(&station), [("000000001".into(), "accepted".into(), "2".into())]);
}

#[test]
fn an_answer_to_what_is_not_owed_changes_nothing() {
    let station = station_with(1);
    station.scan_ballot("left", 1);
    station.settle(3, Answer::Delivered);
    station.settle(99, refused());
    assert_eq!(station.report().outbox["held"], 1);
}

/// Nothing else was held back, so nothing else made the ledger look: the change once waited until the old time came again.
#[test]
fn a_clock_that_is_set_back_holds_a_change_no_longer_than_hold_back() {
    let station = station_with(2);
    station.scan_ballot("left", 1);
    station.scan_ballot("left", 2);
    station.clock.set(Micros(NOON.0 - 24 * 3_600 * 1_000_000));
    station.pass(MINUTE);
    assert_eq!(claimed(&station), []);
    station.pass(HOLD_BACK);
    assert_eq!(claimed(&station).len(), 2);
}

/// Scans that never pause once kept what was due waiting.
#[test]
fn changes_are_released_while_scans_never_pause() {
    let station = station_with(2);
    station.scan_ballot("left", 1);
    station.clock.advance(HOLD_BACK);
    station.scan_ballot("left", 2);
    assert_eq!(station.report().outbox["owed"], 1);
}

#[test]
fn with_no_hold_back_a_change_is_owed_at_once() {
    let station = Station::with(|settings| settings.hold_back = Duration::ZERO);
    station.import(&[row(1)]);
    station.scan_ballot("left", 1);
    assert_eq!(claimed(&station), [("000000001".into(), "received".into(), "1".into())]);
}

#[test]
fn a_restart_keeps_what_is_held_owed_and_set_aside() {
    let mut station = station_with(3);
    station.scan_ballot("left", 1);
    station.scan_ballot("left", 2);
    station.pass(HOLD_BACK);
    let refused_one = station.claim().remove(0);
    station.settle(refused_one.seq, refused());
    station.scan_ballot("left", 3);
    let before = station.report().outbox;
    assert_eq!((before["held"], before["owed"], before["set_aside"]), (1, 1, 1));
    station.crash();
    assert_eq!(station.report().outbox, before);
    station.pass(HOLD_BACK);
    let told: Vec<_> = claimed(&station).into_iter().map(|(ballot, ..)| ballot).collect();
    assert_eq!(told, ["000000002", "000000003"]);
    let mut entries = Vec::new();
    station.reader().outbox(&mut |entry| entries.push(entry)).unwrap();
    let aside = entries.iter().find(|entry| entry.state == "set_aside").unwrap();
    assert_eq!((aside.last_error.as_deref(), aside.attempts), (Some("422"), 1));
}
