//! Corrections on top of one another: what can be taken back, by whom, and how far.

use crate::people::{
    confirm, disable, holds, moved, operator, os_user, people, proposed, set, staffed, supervisor,
};
use crate::station::{HOLD_BACK, Station, row};
use ballot_intake::ballot::{Mode, Status, VoterId};
use ballot_intake::ledger::{
    BatchRequest, Change, Closing, Done, ImportRow, LeftAlone, Moved, NewBatch, NotAllowed,
    NotBatched, NotDone, NotMoved, Party, PeopleRequest, Person, Request, Reversed, Role, Who,
};
use ballot_intake::scan::Verdict;
use tokio::sync::broadcast::error::TryRecvError;

fn undo(station: &Station, person: Person) -> Result<Moved, NotMoved> {
    station.ledger().ask(|reply| Request::Undo { who: person.who, of: None, reply }).unwrap()
}

/// Opens a batch of that mode; its number is the next one.
fn open(station: &Station, mode: Mode, person: Person) -> Result<(), NotBatched> {
    let wanted = NewBatch { mode: Some(mode), ..NewBatch::default() };
    let open = |reply| Request::Batch(BatchRequest::Open { wanted, person, reply });
    station.ledger().ask(open).unwrap().map(drop)
}

fn close(station: &Station, batch: u32, counted: u32, person: Person) -> Result<(), NotBatched> {
    let closing = Closing { batch, counted, explanation: None };
    let close = |reply| Request::Batch(BatchRequest::Close { closing, person, reply });
    station.ledger().ask(close).unwrap().map(drop)
}

/// What came of reversing that batch, by two.
fn reverse(station: &Station, batch: u32) -> Reversed {
    let party = Party { by: supervisor("sue"), second: Some(supervisor("sam")) };
    let reason = "scanned in the wrong mode".to_owned();
    let done = people(station, |reply| PeopleRequest::ReverseBatch { batch, reason, party, reply });
    match done {
        Ok(Done::Reversed(reversed)) => reversed,
        other => panic!("{other:?}"),
    }
}

/// Ballots 1 to `n` scanned in a batch of that mode, which is closed.
fn batch_of(station: &Station, batch: u32, mode: Mode, n: u32) {
    open(station, mode, os_user()).unwrap();
    (1..=n).for_each(|n| drop(station.scan_ballot("left", n)));
    close(station, batch, n, os_user()).unwrap();
}

#[test]
fn a_scan_of_a_closed_batch_is_not_taken_back() {
    let station = staffed(1);
    batch_of(&station, 1, Mode::Receive, 1);
    let ballot = row(1).ballot.unwrap();
    let why = NotMoved::InClosedBatch { ballot, batch: "intake-1-1".to_owned() };
    assert_eq!(undo(&station, os_user()), Err(why));
    assert_eq!(station.status(1), Status::Received);
    holds(station);
}

#[test]
fn what_takes_two_to_leave_is_taken_back_by_one_while_it_is_held_back() {
    let station = staffed(1);
    moved(set(&station, 1, Status::Received, Party::of(supervisor("sue"))));
    open(&station, Mode::Accept, os_user()).unwrap();
    station.scan_ballot("left", 1);
    assert_eq!(undo(&station, os_user()).unwrap().status, Status::Received);
    station.scan_ballot("right", 1);
    station.pass(HOLD_BACK);
    assert!(!station.claim().is_empty(), "the relay is being told");
    let why = NotMoved::TakesTwo(row(1).ballot.unwrap(), Status::Accepted);
    assert_eq!(undo(&station, os_user()), Err(why.clone()));
    assert_eq!(undo(&station, supervisor("sue")), Err(why));
    holds(station);
}

#[test]
fn what_two_put_back_stands_by_the_scan_before() {
    let station = staffed(1);
    open(&station, Mode::Receive, os_user()).unwrap();
    station.scan_ballot("left", 1);
    moved(set(&station, 1, Status::Accepted, Party::of(supervisor("sue"))));
    let both = Party { by: supervisor("sue"), second: Some(supervisor("sam")) };
    moved(set(&station, 1, Status::Received, both));
    assert_eq!(undo(&station, os_user()).unwrap().status, Status::Mailed);
    holds(station);
}

#[test]
fn a_batch_is_reversed_after_a_later_one_of_the_same_ballots() {
    let station = staffed(3);
    batch_of(&station, 1, Mode::Receive, 3);
    batch_of(&station, 2, Mode::Accept, 3);
    let both = Party { by: supervisor("sue"), second: Some(supervisor("sam")) };
    moved(set(&station, 3, Status::Rejected, both));
    let reversed = reverse(&station, 2);
    assert_eq!((reversed.moved, reversed.left), (2, 1));
    let reversed = reverse(&station, 1);
    let left = LeftAlone {
        election: row(3).election,
        ballot: row(3).ballot.unwrap(),
        status: Status::Rejected,
    };
    assert_eq!((reversed.moved, reversed.left_alone), (2, vec![left]));
    let statuses = [1, 2, 3].map(|n| station.status(n));
    assert_eq!(statuses, [Status::Mailed, Status::Mailed, Status::Rejected]);
    holds(station);
}

#[test]
fn a_ballot_that_was_scanned_twice_in_a_batch_goes_back_once() {
    let station = staffed(1);
    open(&station, Mode::Receive, os_user()).unwrap();
    station.scan_ballot("left", 1);
    moved(set(&station, 1, Status::Mailed, Party::of(supervisor("sue"))));
    assert_eq!(station.scan_ballot("right", 1).verdict, Verdict::Received);
    close(&station, 1, 1, os_user()).unwrap();
    let reversed = reverse(&station, 1);
    assert_eq!((reversed.moved, reversed.left), (1, 0));
    assert_eq!(station.status(1), Status::Mailed);
    holds(station);
}

#[test]
fn nobody_confirms_unawares_that_two_ballots_of_a_voter_count() {
    let station = staffed(1);
    let same = ImportRow { voter: VoterId::new("V1").unwrap(), ..row(2) };
    station.import(&[row(1), same]);
    moved(set(&station, 1, Status::Rejected, Party::of(supervisor("sue"))));
    let proposal = proposed(set(&station, 1, Status::Accepted, Party::of(supervisor("sue"))));
    moved(set(&station, 2, Status::Received, Party::of(supervisor("sam"))));
    let (other, status) = (row(2).ballot.unwrap(), Status::Received);
    let why = NotMoved::CountsSinceProposed { proposal, other: other.clone(), status };
    assert_eq!(confirm(&station, proposal, supervisor("sam")), Err(NotDone::Ballot(why)));
    assert_eq!(station.status(1), Status::Rejected);
    let anew = proposed(set(&station, 1, Status::Accepted, Party::of(supervisor("sue"))));
    match confirm(&station, anew, supervisor("sam")) {
        Ok(Done::Moved(moved)) => assert_eq!(moved.beside, Some(other)),
        other => panic!("{other:?}"),
    }
    holds(station);
}

#[test]
fn who_was_disabled_while_signed_in_does_nothing_more() {
    let station = staffed(1);
    station.scan_ballot("left", 1);
    disable(&station, "sue", operator("root", Role::Administrator)).unwrap();
    let sue = || supervisor("sue");
    let why = NotAllowed::Disabled("sue".to_owned());
    assert_eq!(undo(&station, sue()), Err(NotMoved::People(why.clone())));
    let not_batched = Err(NotBatched::People(why.clone()));
    assert_eq!(open(&station, Mode::Receive, sue()), not_batched);
    assert_eq!(close(&station, 1, 1, sue()), not_batched);
    let retried = station.ledger().ask(|reply| Request::Retry { who: sue().who, reply });
    assert_eq!(retried.unwrap(), Err(why));
    // A user of the operating system of that name is somebody else.
    let user = Person { who: Who::os_user("sue".to_owned()), role: None };
    assert_eq!(undo(&station, user).unwrap().status, Status::Mailed);
    holds(station);
}

#[test]
fn what_is_changed_by_hand_is_told_once_it_is_durable() {
    let station = staffed(2);
    let mut changes = station.ledger().changes();
    station.scan_ballot("left", 1);
    assert_eq!(changes.try_recv(), Err(TryRecvError::Empty));
    undo(&station, os_user()).unwrap();
    assert_eq!(changes.try_recv(), Ok(Change::Ballot(row(1).ballot.unwrap())));
    open(&station, Mode::Receive, os_user()).unwrap();
    close(&station, 2, 0, os_user()).unwrap();
    let mut told = || std::iter::from_fn(|| changes.try_recv().ok()).collect::<Vec<_>>();
    assert_eq!(told(), [Change::Batch, Change::Batch], "scans do what they did");
    open(&station, Mode::Accept, os_user()).unwrap();
    assert_eq!(told(), [Change::Batch, Change::Mode]);
    close(&station, 3, 0, os_user()).unwrap();
    assert_eq!(told(), [Change::Batch, Change::Mode]);
}
