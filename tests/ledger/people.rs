//! Operators and what takes two of them, and changes that a supervisor gives up: with what `verify` says of all of it.

use crate::station::{HOLD_BACK, Station, row};
use ballot_intake::ballot::{Mode, Status, VoterId};
use ballot_intake::delivery::{Answer, Delivery};
use ballot_intake::ledger::{
    BatchRequest, Challenge, Claim, Closing, Decision, Done, Dropped, ImportRow, NewOperator,
    NotAllowed, NotDone, NotKnown, NotMoved, NotReversed, Party, PeopleRequest, Person, Proof,
    Reply, Request, Role, Secret, SetRequest, Who, rebuild,
};
use serde_json::Value;
use std::time::Duration;

pub(crate) fn people<T: Send + 'static>(
    station: &Station,
    request: impl FnOnce(Reply<T>) -> PeopleRequest,
) -> T {
    let asked: Result<T, NotKnown> = station.ledger().ask(|reply| Request::People(request(reply)));
    asked.unwrap()
}

pub(crate) fn os_user() -> Person {
    Person::os_user("intake".to_owned())
}

pub(crate) fn operator(name: &str, role: Role) -> Person {
    let who = Who { by: name.to_owned(), os_user: Some("intake".to_owned()) };
    Person { who, role: Some(role) }
}

pub(crate) fn supervisor(name: &str) -> Person {
    operator(name, Role::Supervisor)
}

fn add(station: &Station, name: &str, role: Role, by: Person) -> Result<(), NotAllowed> {
    let proof = Proof::PasswordHash(Secret::new(format!("hash of {name}")));
    let new = NewOperator { operator: name.to_owned(), role, proof };
    people(station, |reply| PeopleRequest::Add { new, by, reply })
}

pub(crate) fn disable(station: &Station, name: &str, by: Person) -> Result<(), NotAllowed> {
    people(station, |reply| PeopleRequest::Disable { operator: name.to_owned(), by, reply })
}

/// An administrator `root`, a clerk `carl`, an auditor `ada`, and the supervisors `sue` and `sam`.
pub(crate) fn staffed(n: u32) -> Station {
    let station = Station::default();
    station.import(&(1..=n).map(row).collect::<Vec<_>>());
    add(&station, "root", Role::Administrator, os_user()).unwrap();
    for (name, role) in [
        ("carl", Role::Clerk),
        ("ada", Role::Auditor),
        ("sue", Role::Supervisor),
        ("sam", Role::Supervisor),
    ] {
        add(&station, name, role, operator("root", Role::Administrator)).unwrap();
    }
    station
}

pub(crate) fn set(
    station: &Station,
    n: u32,
    status: Status,
    party: Party,
) -> Result<Done, NotDone> {
    let (election, ballot) = (row(n).election, row(n).ballot.unwrap());
    let reason = "by hand".to_owned();
    let request = SetRequest { election, ballot, status, reason, from: None, party };
    station.ledger().ask(|reply| Request::Set(request, reply)).unwrap()
}

fn decide(
    station: &Station,
    proposal: i64,
    decision: Decision,
    by: Person,
) -> Result<Done, NotDone> {
    people(station, |reply| PeopleRequest::Decide { proposal, decision, by, reply })
}

pub(crate) fn confirm(station: &Station, proposal: i64, by: Person) -> Result<Done, NotDone> {
    decide(station, proposal, Decision::Confirmed, by)
}

/// Ballot 1, once it was accepted by hand.
pub(crate) fn accepted(station: &Station) {
    set(station, 1, Status::Accepted, Party::of(supervisor("sue"))).unwrap();
}

#[track_caller]
pub(crate) fn proposed(done: Result<Done, NotDone>) -> i64 {
    match done {
        Ok(Done::Proposed(proposal)) => proposal,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn moved(done: Result<Done, NotDone>) -> Status {
    match done {
        Ok(Done::Moved(moved)) => moved.status,
        other => panic!("{other:?}"),
    }
}

fn not_allowed(why: NotAllowed) -> Result<Done, NotDone> {
    Err(NotDone::People(why))
}

/// What derives from events is what a rebuild makes of them, too.
#[track_caller]
pub(crate) fn holds(mut station: Station) {
    let verified = station.verify();
    assert!(verified.ok, "{:?}", verified.fault);
    station.close();
    rebuild(&station.settings).unwrap();
    let verified = station.verify();
    assert!(verified.ok, "{:?}", verified.fault);
}

#[test]
fn the_first_operator_is_an_administrator_who_adds_the_others() {
    let station = Station::default();
    let not_first = add(&station, "sue", Role::Supervisor, os_user());
    assert_eq!(not_first, Err(NotAllowed::FirstIsAdministrator));
    let root = || operator("root", Role::Administrator);
    assert_eq!(add(&station, "root", Role::Administrator, os_user()), Ok(()));
    for (by, why) in [
        (os_user(), NotAllowed::SignIn(Role::Administrator)),
        (root(), NotAllowed::NameTaken("root".to_owned())),
        (operator("ghost", Role::Administrator), NotAllowed::Disabled("ghost".to_owned())),
    ] {
        assert_eq!(add(&station, "root", Role::Clerk, by), Err(why));
    }
    assert_eq!(add(&station, "Sue O'Neil \"S\"", Role::Supervisor, root()), Ok(()));
    let has = Role::Supervisor;
    let (operator, needs) = ("Sue O'Neil \"S\"".to_owned(), Role::Administrator);
    let sue = supervisor(&operator);
    let why = NotAllowed::Role { operator, has, needs };
    assert_eq!(add(&station, "sam", Role::Clerk, sue), Err(why));
    for name in ["", " sam", "sa\u{1b}[2Jm", "sam\n", "sa\u{202e}m", &"x".repeat(65)] {
        assert_eq!(add(&station, name, Role::Clerk, root()), Err(NotAllowed::Name), "{name:?}");
    }
    let listed = station.reader().operators().unwrap();
    let names: Vec<_> = listed.iter().map(|entry| (&*entry.operator, &*entry.added_by)).collect();
    assert_eq!(names, [("root", "intake"), ("Sue O'Neil \"S\"", "root")]);
    assert!(listed[0].added.starts_with("2026-11-02T"), "{}", listed[0].added);
    holds(station);
}

#[test]
fn the_last_administrator_stays_and_no_name_comes_back() {
    let station = staffed(1);
    let root = || operator("root", Role::Administrator);
    let last = NotAllowed::LastAdministrator("root".to_owned());
    assert_eq!(disable(&station, "root", root()), Err(last));
    assert_eq!(disable(&station, "nobody", root()), Err(NotAllowed::NoOperator("nobody".into())));
    assert_eq!(disable(&station, "sue", os_user()), Err(NotAllowed::SignIn(Role::Administrator)));
    assert_eq!(disable(&station, "sue", root()), Ok(()));
    assert_eq!(disable(&station, "sue", root()), Err(NotAllowed::Disabled("sue".into())));
    let again = add(&station, "sue", Role::Clerk, root());
    assert_eq!(again, Err(NotAllowed::NameTaken("sue".to_owned())));
    add(&station, "rita", Role::Administrator, root()).unwrap();
    assert_eq!(disable(&station, "root", operator("rita", Role::Administrator)), Ok(()));
    // Whoever signed in before they were disabled may do no more.
    assert_eq!(disable(&station, "rita", root()), Err(NotAllowed::Disabled("root".into())));
    let entry = station.reader().operators().unwrap().remove(0);
    assert_eq!((entry.operator, entry.disabled_by), ("root".into(), Some("rita".into())));
    holds(station);
}

fn challenge(station: &Station, operator: Option<&str>, badge: Option<&Secret>) -> Challenge {
    let claim = Claim { operator: operator.map(str::to_owned), badge: badge.cloned() };
    people(station, |reply| PeopleRequest::Challenge { claim, reply })
}

#[test]
fn many_attempts_lock_a_name_until_a_while_has_passed() {
    let station = staffed(1);
    let asked = |name| challenge(&station, Some(name), None);
    for _ in 0..5 {
        assert!(matches!(asked("sue"), Challenge::Password { .. }));
    }
    let left = Duration::from_mins(10);
    assert_eq!(asked("sue"), Challenge::Locked { operator: "sue".to_owned(), left });
    assert!(matches!(asked("sam"), Challenge::Password { .. }), "others may");
    assert_eq!(asked("hunter2"), Challenge::Nobody { operator: None });
    station.clock.advance(Duration::from_mins(10));
    assert!(matches!(asked("sue"), Challenge::Password { .. }));
    for _ in 0..20 {
        let operator = "sue".to_owned();
        let role = people(&station, |reply| PeopleRequest::SignedIn { operator, reply });
        assert_eq!(role, Some(Role::Supervisor), "who knows it is not locked out");
        assert!(matches!(asked("sue"), Challenge::Password { .. }));
    }
    disable(&station, "sue", operator("root", Role::Administrator)).unwrap();
    let name = "sue".to_owned();
    let role = people(&station, |reply| PeopleRequest::SignedIn { operator: name, reply });
    assert_eq!(role, None);
    assert_eq!(asked("sue"), Challenge::Nobody { operator: None });
}

/// Only its HMAC is kept, so the ledger's file is no way to a badge.
#[test]
fn a_badge_is_its_holders_alone() {
    let station = staffed(1);
    let code = Secret::badge([7; 16]);
    let add = |name: &str, code: &Secret| {
        let proof = Proof::Badge(code.clone());
        let new = NewOperator { operator: name.to_owned(), role: Role::Clerk, proof };
        let by = operator("root", Role::Administrator);
        people(&station, |reply| PeopleRequest::Add { new, by, reply })
    };
    assert_eq!(add("bea", &code), Ok(()));
    assert_eq!(add("bob", &code), Err(NotAllowed::Badge));
    assert_eq!(add("bob", &Secret::new("1234".to_owned())), Err(NotAllowed::Badge));
    let bea = Challenge::Proven { operator: "bea".to_owned(), role: Role::Clerk };
    assert_eq!(challenge(&station, None, Some(&code)), bea);
    assert_eq!(challenge(&station, Some("bea"), Some(&code)), bea);
    let nobody = |name: &str| Challenge::Nobody { operator: Some(name.to_owned()) };
    assert_eq!(challenge(&station, Some("sue"), Some(&code)), nobody("sue"));
    assert_eq!(challenge(&station, Some("bea"), None), nobody("bea"));
    assert_eq!(
        challenge(&station, None, Some(&Secret::badge([8; 16]))),
        Challenge::Nobody { operator: None }
    );
    for file in ["ledger.sqlite", "ledger.sqlite-wal"] {
        let bytes = std::fs::read(station.dir.path().join(file)).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(code.as_str()), "{file}");
    }
    holds(station);
}

#[test]
fn leaving_a_decision_is_refused_until_there_are_operators() {
    let station = Station::default();
    station.import(&[row(1)]);
    set(&station, 1, Status::Accepted, Party::of(os_user())).unwrap();
    for party in [Party::of(os_user()), Party::of(supervisor("sue"))] {
        let refused = set(&station, 1, Status::Received, party);
        assert_eq!(refused, not_allowed(NotAllowed::NoOperators));
    }
    assert!(NotAllowed::NoOperators.to_string().contains("operators add NAME"));
    assert_eq!(station.reader().proposals().unwrap(), []);
}

#[test]
fn what_one_supervisor_proposes_another_confirms() {
    let mut station = staffed(1);
    accepted(&station);
    for (by, why) in [
        (os_user(), NotAllowed::SignIn(Role::Supervisor)),
        (operator("carl", Role::Clerk), lacks("carl", Role::Clerk)),
    ] {
        let refused = set(&station, 1, Status::Received, Party::of(by));
        assert_eq!(refused, not_allowed(why));
    }
    let proposal = proposed(set(&station, 1, Status::Received, Party::of(supervisor("sue"))));
    assert_eq!(station.status(1), Status::Accepted, "nothing is done yet");
    station.crash();
    for (by, why) in [
        (os_user(), NotAllowed::SignIn(Role::Supervisor)),
        (supervisor("sue"), NotAllowed::SamePerson("sue".to_owned())),
        (operator("carl", Role::Clerk), lacks("carl", Role::Clerk)),
        (operator("ada", Role::Auditor), lacks("ada", Role::Auditor)),
        // What somebody claims to be is not what counts.
        (operator("carl", Role::Administrator), lacks("carl", Role::Clerk)),
        (supervisor("nobody"), NotAllowed::Disabled("nobody".to_owned())),
    ] {
        assert_eq!(confirm(&station, proposal, by), not_allowed(why));
    }
    assert_eq!(confirm(&station, 1, supervisor("sam")), Err(NotDone::NoProposal(1)));
    assert_eq!(moved(confirm(&station, proposal, supervisor("sam"))), Status::Received);
    assert_eq!(confirm(&station, proposal, supervisor("sam")), Err(NotDone::Decided(proposal)));
    let story = station.reader().ballot("202611", "000000001").unwrap().unwrap();
    let last = story.history.last().unwrap();
    assert_eq!((&*last.by, last.confirmed_by.as_deref()), ("sue", Some("sam")));
    assert_eq!(last.os_user.as_deref(), Some("intake"));
    assert!(last.corrects.is_some());
    assert_eq!(station.reader().proposals().unwrap(), []);
    holds(station);
}

fn lacks(operator: &str, has: Role) -> NotAllowed {
    NotAllowed::Role { operator: operator.to_owned(), has, needs: Role::Supervisor }
}

#[test]
fn two_at_once_do_what_takes_two_in_one_transaction() {
    let station = staffed(1);
    accepted(&station);
    let both = |by, second| Party { by: supervisor(by), second: Some(second) };
    let same = both("sue", supervisor("sue"));
    let refused = set(&station, 1, Status::Rejected, same);
    assert_eq!(refused, not_allowed(NotAllowed::SamePerson("sue".to_owned())));
    let clerk = both("sue", operator("carl", Role::Clerk));
    let refused = set(&station, 1, Status::Rejected, clerk);
    assert_eq!(refused, not_allowed(lacks("carl", Role::Clerk)));
    assert_eq!(station.reader().proposals().unwrap(), [], "a refusal leaves nothing");
    let done = set(&station, 1, Status::Rejected, both("sue", supervisor("sam")));
    assert_eq!(moved(done), Status::Rejected);
    assert_eq!(station.reader().proposals().unwrap(), []);
    holds(station);
}

#[test]
fn a_proposal_is_void_once_the_ballot_has_moved_or_its_maker_is_gone() {
    let station = staffed(1);
    accepted(&station);
    let propose = |status| proposed(set(&station, 1, status, Party::of(supervisor("sue"))));
    let (first, second, third) =
        (propose(Status::Received), propose(Status::Voided), propose(Status::Rejected));
    assert_eq!(moved(confirm(&station, second, supervisor("sam"))), Status::Voided);
    let (ballot, status) = (row(1).ballot.unwrap(), Status::Voided);
    let why = NotMoved::MovedSinceProposed { ballot, proposal: first, status };
    assert_eq!(confirm(&station, first, supervisor("sam")), Err(NotDone::Ballot(why)));
    // Back where it stood, but not as it stood.
    let back = propose(Status::Accepted);
    moved(confirm(&station, back, supervisor("sam")));
    let moved_since = confirm(&station, third, supervisor("sam"));
    assert!(matches!(moved_since, Err(NotDone::Ballot(NotMoved::MovedSinceProposed { .. }))));
    let last = propose(Status::Received);
    let void = |station: &Station| -> Vec<_> {
        let open = station.reader().proposals().unwrap();
        open.into_iter().map(|open| (open.proposal, open.void_because)).collect()
    };
    let moved_on = |proposal| {
        let (ballot, status) = (row(1).ballot.unwrap(), Status::Accepted);
        Some(NotMoved::MovedSinceProposed { ballot, proposal, status }.to_string())
    };
    assert_eq!(void(&station), [(first, moved_on(first)), (third, moved_on(third)), (last, None)]);
    disable(&station, "sue", operator("root", Role::Administrator)).unwrap();
    let gone = confirm(&station, last, supervisor("sam"));
    assert_eq!(gone, not_allowed(NotAllowed::ProposerDisabled("sue".to_owned())));
    let disabled = Some(NotAllowed::ProposerDisabled("sue".to_owned()).to_string());
    assert_eq!(void(&station).pop(), Some((last, disabled)));
    for open in [first, third, last] {
        let declined = decide(&station, open, Decision::Declined, supervisor("sam"));
        assert_eq!(declined, Ok(Done::Declined(open)));
    }
    assert_eq!(station.reader().proposals().unwrap(), []);
    assert_eq!(station.status(1), Status::Accepted);
    let story = station.reader().ballot("202611", "000000001").unwrap().unwrap();
    let declined = story.history.iter().filter_map(|chapter| {
        let of = chapter.proposal.as_ref()?;
        Some((chapter.what, &*chapter.by, &*of.who.by, of.proposal, chapter.to))
    });
    let expected = [first, third, last].map(|n| ("declined", "sam", "sue", n, None));
    assert_eq!(declined.collect::<Vec<_>>(), expected);
    holds(station);
}

#[test]
fn a_batch_is_reversed_by_two() {
    let station = staffed(1);
    station.scan_ballot("left", 1);
    let reverse = |batch, party| {
        let reason = "scanned in the wrong mode".to_owned();
        people(&station, |reply| PeopleRequest::ReverseBatch { batch, reason, party, reply })
    };
    let sue = || Party::of(supervisor("sue"));
    let none = NotReversed::NotThere("intake-1-9".to_owned());
    assert_eq!(reverse(9, sue()), Err(NotDone::Batch(none)));
    let open = NotReversed::Open("intake-1-1".to_owned());
    assert_eq!(reverse(1, sue()), Err(NotDone::Batch(open)));
    let closing = Closing { batch: 1, counted: 1, explanation: None };
    let close = |reply| BatchRequest::Close { closing, person: supervisor("sue"), reply };
    station.ledger().ask(|reply| Request::Batch(close(reply))).unwrap().unwrap();
    let unsigned = reverse(1, Party::of(os_user()));
    assert_eq!(unsigned, not_allowed(NotAllowed::SignIn(Role::Supervisor)));
    let (proposal, other) = (proposed(reverse(1, sue())), proposed(reverse(1, sue())));
    let void = || -> Vec<_> {
        let open = station.reader().proposals().unwrap();
        open.into_iter().map(|open| (open.batch_name, open.void_because)).collect()
    };
    let batch = || Some("intake-1-1".to_owned());
    assert_eq!(void(), [(batch(), None), (batch(), None)]);
    let done = confirm(&station, proposal, supervisor("sam"));
    assert!(matches!(done, Ok(Done::Reversed(_))), "{done:?}");
    let already = NotReversed::Already("intake-1-1".to_owned());
    assert_eq!(void(), [(batch(), Some(already.to_string()))]);
    assert_eq!(confirm(&station, other, supervisor("sam")), Err(NotDone::Batch(already)));
    assert_eq!(
        reverse(1, sue()),
        Err(NotDone::Batch(NotReversed::Already("intake-1-1".to_owned())))
    );
}

/// A voter with two ballots, of which the first is received.
fn twice_issued(station: &Station) {
    let same = ImportRow { voter: VoterId::new("V1").unwrap(), ..row(2) };
    station.import(&[row(1), same]);
    set(station, 1, Status::Received, Party::of(os_user())).unwrap();
}

#[test]
fn a_second_ballot_of_a_voter_counts_by_a_supervisors_word_alone() {
    let station = Station::default();
    twice_issued(&station);
    add(&station, "root", Role::Administrator, os_user()).unwrap();
    let root = || operator("root", Role::Administrator);
    add(&station, "sue", Role::Supervisor, root()).unwrap();
    add(&station, "carl", Role::Clerk, root()).unwrap();
    for status in [Status::Received, Status::Accepted, Status::NeedsAttention] {
        let (ballot, other) = (row(2).ballot.unwrap(), row(1).ballot.unwrap());
        let why = NotMoved::OtherCounts { ballot, other, status: Status::Received };
        assert_eq!(set(&station, 2, status, Party::of(os_user())), Err(NotDone::Ballot(why)));
    }
    let clerk = set(&station, 2, Status::Received, Party::of(operator("carl", Role::Clerk)));
    assert_eq!(clerk, not_allowed(lacks("carl", Role::Clerk)));
    holds(station);
    let station = Station::default();
    twice_issued(&station);
    add(&station, "root", Role::Administrator, os_user()).unwrap();
    add(&station, "sue", Role::Supervisor, root()).unwrap();
    moved(set(&station, 2, Status::Received, Party::of(supervisor("sue"))));
    let story = station.reader().ballot("202611", "000000002").unwrap().unwrap();
    let note = "by hand; ballot 000000001 of the same voter is received, too";
    assert_eq!(story.reason.as_deref(), Some(note));
    holds(station);
}

#[test]
fn before_there_are_operators_whoever_is_there_decides_on_a_second_ballot() {
    let station = Station::default();
    twice_issued(&station);
    moved(set(&station, 2, Status::Received, Party::of(os_user())));
    let story = station.reader().ballot("202611", "000000002").unwrap().unwrap();
    assert!(story.reason.unwrap().contains("of the same voter is received, too"));
}

#[test]
fn a_supervisor_who_signed_in_sets_alone_what_one_may_set() {
    let station = staffed(1);
    let clerk = set(&station, 1, Status::Received, Party::of(operator("carl", Role::Clerk)));
    assert_eq!(clerk, not_allowed(lacks("carl", Role::Clerk)));
    let unsigned = set(&station, 1, Status::Received, Party::of(os_user()));
    assert_eq!(unsigned, not_allowed(NotAllowed::SignIn(Role::Supervisor)));
    moved(set(&station, 1, Status::Received, Party::of(supervisor("sue"))));
    moved(set(&station, 1, Status::Voided, Party::of(supervisor("sam"))));
    let story = station.reader().ballot("202611", "000000001").unwrap().unwrap();
    let by: Vec<_> = story.history.iter().map(|chapter| &*chapter.by).collect();
    assert_eq!(by, ["ballots.csv", "sue", "sam"]);
}

fn drop_change(station: &Station, change: i64, by: Person) -> Result<Dropped, NotDone> {
    let reason = "the voter asked for none".to_owned();
    people(station, |reply| PeopleRequest::Drop { change, reason, by, reply })
}

/// Status, number and what it corrects of everything that is handed out; all of it is delivered.
fn told(station: &Station) -> Vec<(String, i64, Value)> {
    let mut told = Vec::new();
    loop {
        let deliveries: Vec<Delivery> = station.claim();
        if deliveries.is_empty() {
            return told;
        }
        for delivery in deliveries {
            let mut body: Value = serde_json::from_str(&delivery.body).unwrap();
            let mut part = |name: &str| body["data"][name].take();
            let status = part("status").as_str().unwrap().to_owned();
            told.push((status, part("sequence").as_i64().unwrap(), part("corrects")));
            station.settle(delivery.seq, Answer::Delivered);
        }
    }
}

fn refuse_next(station: &Station) -> i64 {
    let delivery = station.claim().remove(0);
    station.settle(delivery.seq, Answer::ChangeRefused { why: "422".to_owned() });
    delivery.seq
}

#[test]
fn a_change_that_was_dropped_leaves_no_gap_and_what_waited_goes_on() {
    let station = staffed(1);
    station.scan_ballot("left", 1);
    station.pass(HOLD_BACK);
    let change = refuse_next(&station);
    moved(set(&station, 1, Status::Mailed, Party::of(supervisor("sue"))));
    moved(set(&station, 1, Status::Accepted, Party::of(supervisor("sue"))));
    station.pass(HOLD_BACK);
    assert_eq!(station.claim(), []);
    for (of, by, why) in [
        (change, os_user(), NotDone::People(NotAllowed::SignIn(Role::Supervisor))),
        (change, operator("carl", Role::Clerk), NotDone::People(lacks("carl", Role::Clerk))),
        (99, supervisor("sue"), NotDone::NoChange(99)),
        (change + 3, supervisor("sue"), NotDone::NotSetAside { of: change + 3, state: "owed" }),
    ] {
        assert_eq!(drop_change(&station, of, by), Err(why));
    }
    let dropped = drop_change(&station, change, supervisor("sue")).unwrap();
    assert_eq!((dropped.change, dropped.status), (change, Status::Received));
    let again = NotDone::NotSetAside { of: change, state: "dropped" };
    assert_eq!(drop_change(&station, change, supervisor("sue")), Err(again));
    assert!(station.verify().ok, "{:?}", station.verify().fault);
    // The relay never heard of what the first of them corrects.
    assert_eq!(
        told(&station),
        [("mailed".into(), 1, Value::Null), ("accepted".into(), 2, Value::Null)]
    );
    moved(set(&station, 1, Status::Voided, both()));
    station.pass(HOLD_BACK);
    assert_eq!(told(&station), [("voided".into(), 3, Value::Null)]);
    let outbox = station.report().outbox;
    assert_eq!((outbox["dropped"], outbox["delivered"], outbox["set_aside"]), (1, 3, 0));
    holds(station);
}

fn both() -> Party {
    Party { by: supervisor("sue"), second: Some(supervisor("sam")) }
}

#[test]
fn what_was_held_back_behind_a_dropped_change_gets_its_number_when_it_is_released() {
    let mut station = staffed(2);
    station.scan_ballot("left", 1);
    station.scan_ballot("left", 2);
    station.pass(HOLD_BACK);
    let deliveries = station.claim();
    let change = deliveries[0].seq;
    station.settle(change, Answer::ChangeRefused { why: "422".to_owned() });
    station.settle(deliveries[1].seq, Answer::Delivered);
    station.settings.mode = Mode::Accept;
    station.reopen();
    station.scan_ballot("left", 1);
    drop_change(&station, change, supervisor("sue")).unwrap();
    station.crash();
    station.pass(HOLD_BACK);
    assert_eq!(told(&station), [("accepted".into(), 1, Value::Null)]);
    holds(station);
}

#[test]
fn before_there_are_operators_whoever_is_there_drops_a_change() {
    let station = Station::default();
    station.import(&[row(1)]);
    station.scan_ballot("left", 1);
    station.pass(HOLD_BACK);
    let change = refuse_next(&station);
    assert!(drop_change(&station, change, os_user()).is_ok());
    assert_eq!(told(&station), []);
    holds(station);
}
