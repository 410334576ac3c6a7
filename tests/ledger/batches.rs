//! Batches: which one scans go to, how they are opened, counted, closed and reversed, and what they make of a scan.

use crate::station::{NOON, Station, ballot_code, row};
use ballot_intake::ballot::{Mode, ReceivedBy, Status};
use ballot_intake::clock::{Clock as _, Micros};
use ballot_intake::ledger::{
    BatchRequest, ClosedBatch, Closing, Done, ImportRow, NewBatch, NewOperator, NotBatched,
    NotDone, NotReversed, OpenBatch, Party, PeopleRequest, Person, Proof, Request, Reversed, Role,
    Secret, SetRequest, Who, rebuild,
};
use ballot_intake::scan::{Earlier, Face, Fill, Judged, Unreadable, Verdict};
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);

fn clerk() -> Person {
    Person::os_user("clerk".to_owned())
}

fn operator(role: Role) -> Person {
    Person { who: Who::os_user(role.name().to_owned()), role: Some(role) }
}

/// Operators who are named as their roles are, and another supervisor, `second`.
fn staff(station: &Station) {
    let add = |operator: &str, role, by| {
        let proof = Proof::PasswordHash(Secret::new(format!("hash of {operator}")));
        let new = NewOperator { operator: operator.to_owned(), role, proof };
        let add = |reply| Request::People(PeopleRequest::Add { new, by, reply });
        station.ledger().ask(add).unwrap().unwrap();
    };
    add("administrator", Role::Administrator, clerk());
    for (name, role) in
        [("clerk", Role::Clerk), ("supervisor", Role::Supervisor), ("second", Role::Supervisor)]
    {
        add(name, role, operator(Role::Administrator));
    }
}

fn open_as(station: &Station, wanted: NewBatch, person: Person) -> Result<OpenBatch, NotBatched> {
    let open = |reply| Request::Batch(BatchRequest::Open { wanted, person, reply });
    station.ledger().ask(open).unwrap()
}

#[track_caller]
fn open(station: &Station, wanted: NewBatch) -> String {
    open_as(station, wanted, clerk()).unwrap().batch
}

fn of_mode(mode: Mode) -> NewBatch {
    NewBatch { mode: Some(mode), ..NewBatch::default() }
}

/// A batch that was received at that time.
fn received(at: Micros) -> NewBatch {
    let reason = Some("lay in the drop box".to_owned());
    NewBatch { received_at: Some(at), reason, ..NewBatch::default() }
}

fn close(
    station: &Station,
    batch: u32,
    counted: u32,
    explanation: Option<&str>,
) -> Result<ClosedBatch, NotBatched> {
    let closing = Closing { batch, counted, explanation: explanation.map(str::to_owned) };
    close_as(station, closing, clerk())
}

fn close_as(
    station: &Station,
    closing: Closing,
    person: Person,
) -> Result<ClosedBatch, NotBatched> {
    let close = |reply| Request::Batch(BatchRequest::Close { closing, person, reply });
    station.ledger().ask(close).unwrap()
}

/// By two of the staff.
fn reverse(station: &Station, batch: u32) -> Result<Reversed, NotReversed> {
    let reason = "scanned in the wrong mode".to_owned();
    let who = Who::os_user("second".to_owned());
    let second = Person { who, role: Some(Role::Supervisor) };
    let party = Party { by: operator(Role::Supervisor), second: Some(second) };
    let reverse =
        |reply| Request::People(PeopleRequest::ReverseBatch { batch, reason, party, reply });
    match station.ledger().ask(reverse).unwrap() {
        Ok(Done::Reversed(reversed)) => Ok(reversed),
        Err(NotDone::Batch(why)) => Err(why),
        other => panic!("{other:?}"),
    }
}

fn set(station: &Station, n: u32, status: Status) {
    set_as(station, n, status, Person::os_user("supervisor".to_owned()));
}

fn set_as(station: &Station, n: u32, status: Status, person: Person) {
    let request = SetRequest {
        election: row(n).election,
        ballot: row(n).ballot.unwrap(),
        status,
        reason: "decided".to_owned(),
        from: None,
        party: Party::of(person),
    };
    station.ledger().ask(|reply| Request::Set(request, reply)).unwrap().unwrap();
}

fn undo(station: &Station) {
    let undo = |reply| Request::Undo { who: Who::os_user("clerk".to_owned()), of: None, reply };
    station.ledger().ask(undo).unwrap().unwrap();
}

fn place(judged: &Judged) -> (u32, i64) {
    (judged.batch, judged.position)
}

/// Ballots 1 to `n`, each of its own voter, mailed.
fn station(n: u32) -> Station {
    let station = Station::default();
    station.import(&(1..=n).map(row).collect::<Vec<_>>());
    station
}

/// Ballots 1 and 2 of one voter.
fn two_of_one_voter(first: Status, second: Status) -> [ImportRow; 2] {
    let second = ImportRow { voter: row(1).voter, status: second, ..row(2) };
    [ImportRow { status: first, ..row(1) }, second]
}

#[test]
fn scans_go_to_the_batch_that_is_open_and_then_to_the_running_one() {
    let station = station(4);
    assert_eq!(place(&station.scan_ballot("left", 1)), (1, 1));
    assert_eq!(open(&station, NewBatch::default()), "intake-1-2");
    assert_eq!(place(&station.scan_ballot("left", 2)), (2, 1));
    // Midnight is no end of a batch that was opened by hand.
    station.pass(Duration::from_hours(30));
    assert_eq!(place(&station.scan_ballot("right", 3)), (2, 2));
    close(&station, 2, 2, None).unwrap();
    assert_eq!(place(&station.scan_ballot("left", 4)), (3, 1));
    assert!(station.verify().ok);
}

#[test]
fn one_batch_is_open_at_a_time() {
    let station = station(1);
    open(&station, NewBatch::default());
    let refused = open_as(&station, NewBatch::default(), clerk());
    assert_eq!(refused, Err(NotBatched::StillOpen("intake-1-1".to_owned())));
    close(&station, 1, 0, None).unwrap();
    assert_eq!(open(&station, NewBatch::default()), "intake-1-2");
}

#[test]
fn a_restart_changes_nothing_about_the_open_batch() {
    let mut station = station(4);
    open(&station, NewBatch { received_by: ReceivedBy::DropBox, ..of_mode(Mode::Undeliverable) });
    assert_eq!(place(&station.scan_ballot("left", 1)), (1, 1));
    station.reopen();
    assert_eq!(place(&station.scan_ballot("left", 2)), (1, 2));
    station.crash();
    let third = station.scan_ballot("left", 3);
    assert_eq!((place(&third), third.verdict), ((1, 3), Verdict::Undeliverable));
    close(&station, 1, 3, None).unwrap();
    station.crash();
    assert_eq!(station.scan_ballot("left", 4).verdict, Verdict::Received);
    rebuild_and_verify(station);
}

#[track_caller]
fn rebuild_and_verify(mut station: Station) {
    station.close();
    rebuild(&station.settings).unwrap();
    assert_eq!(station.verify().fault, None);
}

/// A batch in another mode was opened after a crash, and the scan before it once answered for the one in it.
#[test]
fn what_was_not_answered_in_one_batch_is_scanned_anew_in_another() {
    let mut station = station(1);
    assert_eq!(station.scan_ballot("left", 1).verdict, Verdict::Received);
    station.crash();
    open(&station, of_mode(Mode::Accept));
    assert_eq!(station.scan_ballot("left", 1).verdict, Verdict::Accepted);
    station.crash();
    let repeated = station.scan_ballot("left", 1);
    assert_eq!((repeated.verdict, repeated.batch), (Verdict::Accepted, 2));
    assert_eq!(station.report().repeats, 1);
}

#[test]
fn an_earlier_receipt_takes_a_supervisor_and_a_reason() {
    let station = station(1);
    let earlier = || received(Micros(NOON.0 - 1));
    let unreasoned = NewBatch { reason: None, ..earlier() };
    let supervisor = || operator(Role::Supervisor);
    for (wanted, person, refused) in [
        (earlier(), clerk(), NotBatched::NeedsSupervisor),
        (earlier(), operator(Role::Clerk), NotBatched::NeedsSupervisor),
        (earlier(), operator(Role::Auditor), NotBatched::OnlyReads),
        (NewBatch::default(), operator(Role::Auditor), NotBatched::OnlyReads),
        (unreasoned, supervisor(), NotBatched::ReasonMissing),
        (
            received(NOON.plus(Duration::from_secs(1))),
            supervisor(),
            NotBatched::Future("2026-11-02T12:00:01-07:00".to_owned()),
        ),
    ] {
        assert_eq!(open_as(&station, wanted, person), Err(refused));
    }
    assert!(open_as(&station, earlier(), supervisor()).is_ok());
    let story = station.reader().batch(1, 0).unwrap().unwrap().story;
    assert_eq!(story.received_at.as_deref(), Some("2026-11-02T11:59:59-07:00"));
    assert_eq!(story.reason.as_deref(), Some("lay in the drop box"));
}

#[test]
fn what_is_written_about_a_batch_is_short_and_steers_no_terminal() {
    let station = station(1);
    for text in ["", " ", "a\u{1b}[2J", &"x".repeat(201)] {
        let wanted = NewBatch { place: Some(text.to_owned()), ..NewBatch::default() };
        let refused = Err(NotBatched::Text(text.to_owned()));
        assert_eq!(open_as(&station, wanted, clerk()), refused);
    }
    let seals = NewBatch { seals: vec!["1".to_owned(); 65], ..NewBatch::default() };
    assert_eq!(open_as(&station, seals, clerk()), Err(NotBatched::Seals(65)));
}

#[test]
fn late_is_judged_by_when_the_envelopes_were_received() {
    for (at, verdict) in [
        (None, Verdict::Late),
        (Some(NOON), Verdict::Received),
        (Some(NOON.plus(HOUR)), Verdict::Received),
        (Some(NOON.plus(HOUR + Duration::from_micros(1))), Verdict::Late),
    ] {
        let station = Station::with(|settings| settings.receive_until = Some(NOON.plus(HOUR)));
        station.import(&[row(1)]);
        station.pass(HOUR * 2);
        let wanted = at.map_or_else(NewBatch::default, received);
        open_as(&station, wanted, operator(Role::Supervisor)).unwrap();
        let judged = station.scan_ballot("left", 1);
        assert_eq!(judged.verdict, verdict, "{at:?}");
        let why = (verdict == Verdict::Late).then_some("was due 2026-11-02T13:00:00-07:00");
        assert_eq!(judged.reason.as_deref(), why);
    }
}

#[test]
fn postmarked_envelopes_have_the_later_of_two_deadlines() {
    let later = |hours: u32| Some(NOON.plus(HOUR * hours));
    let earlier = Some(Micros(NOON.0 - 1));
    for (own, election, postmarked, is_postmarked, verdict) in [
        (None, earlier, later(1), true, Verdict::Received),
        (None, earlier, later(1), false, Verdict::Late),
        (later(1), earlier, earlier, true, Verdict::Received),
        (earlier, later(1), later(1), true, Verdict::Received),
        (earlier, later(1), None, true, Verdict::Late),
        (None, None, earlier, true, Verdict::Received),
    ] {
        let station = Station::with(|settings| {
            settings.receive_until = election;
            settings.postmarked_receive_until = postmarked;
        });
        station.import(&[ImportRow { receive_until: own, ..row(1) }]);
        open(&station, NewBatch { postmarked: is_postmarked, ..NewBatch::default() });
        let case = format!("{own:?} {election:?} {postmarked:?} {is_postmarked}");
        assert_eq!(station.scan_ballot("left", 1).verdict, verdict, "{case}");
    }
}

#[test]
fn after_the_cure_deadline_no_scan_accepts_what_needs_attention() {
    for (from, received_at, verdict) in [
        (Status::NeedsAttention, None, Verdict::Late),
        (Status::NeedsAttention, Some(NOON), Verdict::Accepted),
        (Status::Received, None, Verdict::Accepted),
    ] {
        let station = Station::with(|settings| settings.cure_until = Some(NOON));
        station.import(&[ImportRow { status: from, ..row(1) }]);
        station.pass(HOUR);
        let wanted = received_at.map_or_else(NewBatch::default, received);
        let wanted = NewBatch { mode: Some(Mode::Accept), ..wanted };
        open_as(&station, wanted, operator(Role::Supervisor)).unwrap();
        let judged = station.scan_ballot("left", 1);
        assert_eq!(judged.verdict, verdict, "{from} {received_at:?}");
        if verdict == Verdict::Late {
            let why = "was to be cured until 2026-11-02T12:00:00-07:00";
            assert_eq!(judged.reason.as_deref(), Some(why));
            assert_eq!(station.status(1), Status::NeedsAttention);
        }
    }
}

#[test]
fn what_voters_must_do_is_said_by_the_batch_and_goes_to_the_relay() {
    let station = Station::default();
    station.import(&[ImportRow { status: Status::Received, ..row(1) }]);
    let wanted = || of_mode(Mode::NeedsAttention);
    let missing = open_as(&station, wanted(), clerk());
    assert_eq!(missing, Err(NotBatched::AttentionMissing));
    let attention = Some("signature missing".to_owned());
    let unused = NewBatch { attention: attention.clone(), ..NewBatch::default() };
    assert_eq!(open_as(&station, unused, clerk()), Err(NotBatched::AttentionUnused));
    open(&station, NewBatch { attention, ..wanted() });
    let judged = station.scan_ballot("left", 1);
    assert_eq!(judged.verdict, Verdict::NeedsAttention);
    assert_eq!(judged.reason.as_deref(), Some("signature missing"));
    let story = station.reader().ballot("202611", "000000001").unwrap().unwrap();
    assert_eq!(story.reason.as_deref(), Some("signature missing"));
    station.pass(crate::station::HOLD_BACK);
    let told: serde_json::Value = serde_json::from_str(&station.claim()[0].body).unwrap();
    assert_eq!(told["data"]["reason"], "signature missing");
}

/// The scan that filled it was committed and answered with the alarm, or not at all.
#[test]
fn that_a_batch_is_full_is_said_once_though_the_scan_that_filled_it_was_not_answered() {
    let told = |judged: &Judged| (place(judged), judged.fill);
    for (next, expected) in [
        (2, ((1, 2), Fill::Full)),
        // It is another scanner's, or another envelope's turn.
        (3, ((1, 3), Fill::Full)),
    ] {
        let mut station = station(4);
        open(&station, NewBatch { cap: Some(2), ..NewBatch::default() });
        station.scan_ballot("left", 1);
        station.scan_ballot("left", 2);
        station.crash();
        // What was not answered before that one is told its own place.
        assert_eq!(told(&station.scan_ballot("left", 1)), ((1, 1), Fill::Room));
        assert_eq!(told(&station.scan_ballot("left", next)), expected);
        assert_eq!(station.scan_ballot("left", 4).fill, Fill::Room);
    }
}

#[test]
fn the_scan_that_fills_a_batch_says_so_once() {
    let mut station = station(4);
    open(&station, NewBatch { cap: Some(2), ..NewBatch::default() });
    let fill = |station: &Station, n| station.scan_ballot("left", n).fill;
    assert_eq!(fill(&station, 1), Fill::Room);
    station.crash();
    assert_eq!((fill(&station, 2), fill(&station, 3)), (Fill::Full, Fill::Room));
    close(&station, 1, 3, None).unwrap();
    open(&station, NewBatch { cap: Some(0), ..NewBatch::default() });
    assert_eq!(fill(&station, 4), Fill::Room);
}

#[test]
fn a_difference_is_explained_or_resolved_before_a_batch_is_closed() {
    let station = station(3);
    open(&station, NewBatch::default());
    let unreadable = |payload| {
        station.scan("left", Face::Unreadable(Unreadable::NoFormat), payload);
    };
    station.scan_ballot("left", 1);
    station.scan_ballot("right", 1);
    station.scan_ballot("left", 2);
    unreadable("D1");
    unreadable("D1");
    unreadable("D2");
    let refused = close(&station, 1, 5, None).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "batch intake-1-1: 5 envelopes were counted and 4 scanned; look at its scans that were already \
         received (second envelopes, or one scanned twice): 1, unreadable: 3; scan what is missing, or \
         say with --explain why the two figures differ"
    );
    // Resolved by scanning what was missed.
    station.scan_ballot("left", 3);
    let closed = close(&station, 1, 5, Some("not needed")).unwrap();
    assert_eq!((closed.counted, closed.envelopes, closed.explanation), (5, 5, None));
    assert_eq!(close(&station, 1, 5, None), Err(NotBatched::Closed("intake-1-1".to_owned())));
    assert_eq!(close(&station, 7, 5, None), Err(NotBatched::NotThere("intake-1-7".to_owned())));
    open(&station, NewBatch::default());
    let closed = close(&station, 2, 1, Some("one blank envelope")).unwrap();
    assert_eq!((closed.counted, closed.envelopes), (1, 0));
    assert_eq!(closed.explanation.as_deref(), Some("one blank envelope"));
    rebuild_and_verify(station);
}

#[test]
fn a_scan_that_was_taken_back_is_no_envelope_until_it_is_scanned_again() {
    let station = station(2);
    open(&station, NewBatch::default());
    station.scan_ballot("left", 1);
    station.scan_ballot("left", 2);
    undo(&station);
    let refused = close(&station, 1, 2, None).unwrap_err().to_string();
    assert!(refused.contains("2 envelopes were counted and 1 scanned"), "{refused}");
    assert!(refused.contains("taken back: 1"), "{refused}");
    station.scan_ballot("left", 2);
    // What a supervisor decides of a ballot later takes no envelope out of its batch.
    set(&station, 1, Status::Mailed);
    assert_eq!(close(&station, 1, 2, None).unwrap().envelopes, 2);
    let contents = station.reader().batch(1, 3).unwrap().unwrap();
    let counts: Vec<_> = contents.scanned.iter().map(|scan| scan.counts_as).collect();
    assert_eq!(counts, ["envelope", "taken_back", "envelope"]);
    let closed = contents.story.closed.unwrap();
    assert_eq!((contents.envelopes_now, closed.envelopes, contents.left_out), (2, 2, 0));
    // What is not shown is counted.
    let shown = station.reader().batch(1, 1).unwrap().unwrap();
    assert_eq!((shown.scanned.len(), shown.left_out, shown.envelopes_now), (1, 2, 2));
}

#[test]
fn a_running_batch_is_closed_by_hand_and_another_takes_its_place() {
    let mut station = station(3);
    station.scan_ballot("left", 1);
    assert_eq!(close(&station, 1, 1, None).unwrap().envelopes, 1);
    assert_eq!(place(&station.scan_ballot("left", 2)), (2, 1));
    station.crash();
    assert_eq!(place(&station.scan_ballot("right", 3)), (2, 2));
    let stories = station.reader().batch_list().unwrap();
    let told: Vec<_> = stories.iter().map(|batch| (batch.state, batch.day.as_deref())).collect();
    let day = Some("2026-11-02");
    assert_eq!(told, [("closed", day), ("open", day)]);
}

#[test]
fn a_reversed_batch_leaves_every_ballot_where_it_stood_or_was_moved_on_to() {
    let station = station(4);
    staff(&station);
    open_as(&station, NewBatch::default(), operator(Role::Clerk)).unwrap();
    (1..=4).for_each(|n| drop(station.scan_ballot("left", n)));
    undo(&station);
    assert_eq!(reverse(&station, 1), Err(NotReversed::Open("intake-1-1".to_owned())));
    assert_eq!(reverse(&station, 9), Err(NotReversed::NotThere("intake-1-9".to_owned())));
    let closing = Closing { batch: 1, counted: 3, explanation: None };
    close_as(&station, closing, operator(Role::Clerk)).unwrap();
    set_as(&station, 2, Status::Accepted, operator(Role::Supervisor));
    let reversed = reverse(&station, 1).unwrap();
    assert_eq!((reversed.moved, reversed.left), (2, 1));
    assert_eq!(reversed.left_alone[0].ballot, row(2).ballot.unwrap());
    assert_eq!(reversed.left_alone[0].status, Status::Accepted);
    let statuses: Vec<_> = (1..=4).map(|n| station.status(n)).collect();
    assert_eq!(statuses, [Status::Mailed, Status::Accepted, Status::Mailed, Status::Mailed]);
    assert_eq!(reverse(&station, 1), Err(NotReversed::Already("intake-1-1".to_owned())));
    let story = station.reader().batch(1, 0).unwrap().unwrap().story;
    let reversed = story.reversed.unwrap();
    assert_eq!((story.state, &*reversed.confirmed_by), ("reversed", "second"));
    // What was still held back is never sent: the relay hears of the ballot that was moved on only.
    station.pass(crate::station::HOLD_BACK);
    assert_eq!(station.claim().len(), 1);
    rebuild_and_verify(station);
}

#[test]
fn a_reversal_gives_a_ballot_its_reason_back_and_tells_the_relay_what_it_corrects() {
    let station = Station::default();
    let reason = Some("signature missing".to_owned());
    station.import(&[ImportRow { status: Status::NeedsAttention, reason, ..row(1) }]);
    staff(&station);
    open_as(&station, of_mode(Mode::Accept), operator(Role::Clerk)).unwrap();
    station.scan_ballot("left", 1);
    station.pass(crate::station::HOLD_BACK);
    let sent: serde_json::Value = serde_json::from_str(&station.claim()[0].body).unwrap();
    let closing = Closing { batch: 1, counted: 1, explanation: None };
    close_as(&station, closing, operator(Role::Clerk)).unwrap();
    assert_eq!(reverse(&station, 1).unwrap().moved, 1);
    let story = station.reader().ballot("202611", "000000001").unwrap().unwrap();
    assert_eq!(story.status, Status::NeedsAttention);
    assert_eq!(story.reason.as_deref(), Some("signature missing"));
    let last = story.history.last().unwrap();
    assert_eq!(last.corrects.as_deref(), sent["id"].as_str());
    rebuild_and_verify(station);
}

#[test]
fn two_ballots_of_a_voter_are_never_both_accepted_by_scans() {
    use Status::{Accepted, Mailed, NeedsAttention, Received, Rejected, Voided};
    for (other, verdict) in [
        (Received, Verdict::Held),
        (Accepted, Verdict::Held),
        (NeedsAttention, Verdict::Held),
        (Mailed, Verdict::Accepted),
        (Rejected, Verdict::Accepted),
        (Voided, Verdict::Accepted),
    ] {
        let station = Station::with(|settings| settings.mode = Mode::Accept);
        // A file alone never has both of them in.
        let counts = matches!(other, Received | Accepted | NeedsAttention);
        station.import(&two_of_one_voter(Received, if counts { Mailed } else { other }));
        if counts {
            set(&station, 2, other);
        }
        assert_eq!(station.scan_ballot("left", 1).verdict, verdict, "{other}");
    }
}

#[test]
fn a_held_envelope_stays_held_until_a_supervisor_decides() {
    let station = Station::default();
    station.import(&two_of_one_voter(Status::Mailed, Status::Issued));
    for _ in 0..2 {
        assert_eq!(station.scan_ballot("left", 1).verdict, Verdict::Held);
    }
    set(&station, 2, Status::Voided);
    assert_eq!(station.scan_ballot("left", 1).verdict, Verdict::Received);
    assert_eq!(station.scan_ballot("left", 2).verdict, Verdict::Voided);
}

#[test]
fn a_late_envelope_that_a_supervisor_received_is_in() {
    let station = Station::with(|settings| settings.receive_until = Some(Micros(NOON.0 - 1)));
    station.import(&[row(1)]);
    for _ in 0..2 {
        assert_eq!(station.scan_ballot("left", 1).verdict, Verdict::Late);
    }
    set(&station, 1, Status::Received);
    assert_eq!(station.scan_ballot("left", 1).verdict, Verdict::AlreadyReceived);
}

#[test]
fn what_a_file_received_says_which_file() {
    let station = station(1);
    station.import(&[ImportRow { status: Status::Received, ..row(1) }]);
    let earlier = Some(Earlier { at: NOON, by: "ballots.csv".to_owned(), batch: None });
    assert_eq!(station.scan_ballot("left", 1).earlier, earlier);
}

#[test]
fn what_a_supervisor_received_by_hand_says_who_and_in_which_batch_it_lies() {
    let station = Station::default();
    station.import(&two_of_one_voter(Status::Mailed, Status::Issued));
    open(&station, NewBatch::default());
    assert_eq!(station.scan_ballot("left", 1).verdict, Verdict::Held);
    station.pass(HOUR);
    let at = station.clock.now();
    set(&station, 1, Status::Received);
    station.pass(HOUR);
    let again = station.scan_ballot("left", 1);
    let by = "supervisor".to_owned();
    assert_eq!(again.verdict, Verdict::AlreadyReceived);
    assert_eq!(again.earlier, Some(Earlier { at, by, batch: Some(1) }));
}

#[test]
fn lookup_batches_change_nothing() {
    let station = station(1);
    open(&station, of_mode(Mode::Lookup));
    let face = Face::Names(vec![ballot_code(1)]);
    assert_eq!(station.scan("left", face, "x").verdict, Verdict::Found);
    assert_eq!(station.status(1), Status::Mailed);
    assert_eq!(close(&station, 1, 1, None).unwrap().envelopes, 1);
}
