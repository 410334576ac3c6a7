//! Every verdict of the ledger with the rule that it comes from, and what a scan leaves behind.

use crate::station::{NOON, Station, ballot_code, capture, row};
use ballot_intake::ballot::{BallotId, Mode, Status};
use ballot_intake::clock::Micros;
use ballot_intake::ledger::ImportRow;
use ballot_intake::scan::{CodeKind, Direction, Earlier, Face, Judged, Unreadable, Verdict};
use std::path::Path;
use std::time::Duration;

/// A licence that was scanned by mistake.
const LICENSE: &str = "@ANSI 636020090002DLDAQ940001234 MUSTERMANN";

fn codes(captures: &[(CodeKind, &str)]) -> Face {
    Face::Names(captures.iter().map(|(names, code)| capture(names.clone(), code)).collect())
}

fn ballots(rows: &[(u32, u32, Status)]) -> Vec<ImportRow> {
    rows.iter()
        .map(|(ballot, voter, status)| ImportRow {
            voter: row(*voter).voter,
            status: *status,
            ..row(*ballot)
        })
        .collect()
}

#[test]
fn each_mode_moves_what_its_line_of_the_table_says() {
    use Status::{
        Accepted, Issued, Mailed, NeedsAttention, Received, Rejected, Undeliverable, Voided,
    };
    use Verdict as V;
    let line =
        [Issued, Mailed, Received, Accepted, NeedsAttention, Rejected, Undeliverable, Voided];
    let (r, a, n, u) = (V::Received, V::Accepted, V::NeedsAttention, V::Undeliverable);
    let (already, no, void, found) = (V::AlreadyReceived, V::Refused, V::Voided, V::Found);
    for (mode, verdicts) in [
        (Mode::Receive, [r, r, already, already, already, already, r, void]),
        (Mode::Accept, [no, no, a, already, a, no, no, void]),
        (Mode::NeedsAttention, [no, no, n, no, already, no, no, void]),
        (Mode::Undeliverable, [u, u, no, no, no, no, already, void]),
        (Mode::Lookup, [found; 8]),
    ] {
        let station = Station::with(|settings| settings.mode = mode);
        let rows: Vec<_> = (1..).zip(line).map(|(n, status)| (n, n, status)).collect();
        station.import(&ballots(&rows));
        for ((n, _, from), verdict) in rows.into_iter().zip(verdicts) {
            let judged = station.scan_ballot("left", n);
            assert_eq!(judged.verdict, verdict, "{mode:?} {from}");
            assert_eq!(judged.status, Some(station.status(n)), "{mode:?} {from}");
            let moved =
                matches!(verdict, V::Received | V::Accepted | V::NeedsAttention | V::Undeliverable);
            assert_eq!(station.status(n) != from, moved, "{mode:?} {from}");
        }
        assert!(station.verify().ok);
    }
}

#[test]
fn codes_on_one_face_agree_or_are_ambiguous() {
    use CodeKind::{Ballot, Imb, Voter};
    let station = Station::with(|settings| settings.mode = Mode::Lookup);
    station.import(&ballots(&[
        (1, 1, Status::Mailed),
        (2, 2, Status::Mailed),
        // Voter 3 has two that are out; voter 4 one that is in and one that is out; voter 5 only voided ones.
        (3, 3, Status::Mailed),
        (4, 3, Status::Issued),
        (5, 4, Status::Received),
        (6, 4, Status::Mailed),
        (7, 5, Status::Voided),
    ]));
    let (one, two, five) = ("000000001", "000000002", "000000005");
    let (imb_one, imb_two, imb_unknown) = ("901234567000001", "901234567000002", "901234567999999");
    for (captures, verdict, ballot) in [
        (vec![(Ballot, one)], Verdict::Found, Some(one)),
        (vec![(Imb, imb_one)], Verdict::Found, Some(one)),
        (vec![(Voter, "V1")], Verdict::Found, Some(one)),
        (vec![(Ballot, one), (Imb, imb_one), (Voter, "V1")], Verdict::Found, Some(one)),
        (vec![(Ballot, one), (Ballot, two)], Verdict::Ambiguous, None),
        (vec![(Ballot, one), (Imb, imb_two)], Verdict::Ambiguous, None),
        (vec![(Ballot, one), (Voter, "V2")], Verdict::Ambiguous, None),
        (vec![(Voter, "V2"), (Ballot, one)], Verdict::Ambiguous, None),
        (vec![(Voter, "V1"), (Voter, "V2")], Verdict::Ambiguous, None),
        (vec![(Voter, "V3")], Verdict::Held, None),
        (vec![(Voter, "V3"), (Ballot, "000000003")], Verdict::Found, Some("000000003")),
        (vec![(Voter, "V4")], Verdict::Found, Some("000000006")),
        // The voter's id agrees with the ballot that is in, whatever else is out.
        (vec![(Voter, "V4"), (Ballot, five)], Verdict::Found, Some(five)),
        (vec![(Ballot, five), (Voter, "V4")], Verdict::Found, Some(five)),
        (vec![(Voter, "V5")], Verdict::Found, Some("000000007")),
        (vec![(Voter, "V6")], Verdict::NotIssued, None),
        (vec![(Ballot, "000000099")], Verdict::NotIssued, None),
        (vec![(Ballot, "000000099"), (Imb, imb_one)], Verdict::Ambiguous, None),
        (vec![(Imb, imb_unknown), (Ballot, one)], Verdict::Ambiguous, None),
    ] {
        let judged = station.scan("left", codes(&captures), "x");
        let named = judged.ballot.as_ref().map(BallotId::as_str);
        assert_eq!((judged.verdict, named), (verdict, ballot), "{captures:?}");
    }
}

#[test]
fn an_unknown_code_is_passed_over_where_the_ballot_has_none_of_its_kind() {
    let station = Station::default();
    station.import(&[ImportRow { imb: None, ..row(1) }]);
    let face = codes(&[(CodeKind::Imb, "901234567000009"), (CodeKind::Ballot, "000000001")]);
    assert_eq!(station.scan("left", face, "x").verdict, Verdict::Received);
}

#[test]
fn a_face_that_names_no_ballot_of_this_election_is_told_why() {
    let station = Station::default();
    let check_failed = Face::Unreadable(Unreadable::CheckFailed("county".into()));
    for (face, verdict, reason) in [
        (Face::WrongElection("county".into()), Verdict::WrongElection, "by county"),
        (Face::Mixed, Verdict::Ambiguous, "codes of two elections"),
        (check_failed, Verdict::Unreadable, "the check of county fails"),
    ] {
        let judged = station.scan("left", face, "x");
        assert_eq!((judged.verdict, judged.reason.as_deref()), (verdict, Some(reason)));
    }
}

#[test]
fn without_an_election_nothing_is_marked() {
    let station = Station::with(|settings| settings.election = None);
    station.import(&[row(1)]);
    assert_eq!(station.scan_ballot("left", 1).verdict, Verdict::NotIssued);
    assert_eq!(station.status(1), Status::Mailed);
}

#[test]
fn an_outbound_piece_moves_a_ballot_only_to_undeliverable() {
    for (mode, verdict) in [
        (Mode::Receive, Verdict::OutboundPiece),
        (Mode::Accept, Verdict::OutboundPiece),
        (Mode::Undeliverable, Verdict::Undeliverable),
        (Mode::Lookup, Verdict::Found),
    ] {
        let station = Station::with(|settings| settings.mode = mode);
        station.import(&[row(1)]);
        let mut piece = capture(CodeKind::Imb, "901234567000001");
        piece.direction = Direction::Outbound;
        // The ballot's own code beside it makes it no return envelope.
        let judged = station.scan("left", Face::Names(vec![ballot_code(1), piece]), "x");
        assert_eq!(judged.verdict, verdict, "{mode:?}");
    }
}

#[test]
fn an_envelope_after_its_deadline_is_late() {
    let second = Duration::from_secs(1);
    for (election, ballot, verdict) in [
        (Some(NOON), None, Verdict::Received),
        (Some(Micros(NOON.0 - 1)), None, Verdict::Late),
        (Some(NOON.plus(second)), Some(Micros(NOON.0 - 1)), Verdict::Late),
        (Some(Micros(NOON.0 - 1)), Some(NOON), Verdict::Received),
    ] {
        let station = Station::with(|settings| settings.receive_until = election);
        station.import(&[ImportRow { receive_until: ballot, ..row(1) }]);
        let judged = station.scan_ballot("left", 1);
        assert_eq!(judged.verdict, verdict, "{election:?} {ballot:?}");
        assert_eq!(station.status(1) == Status::Received, verdict == Verdict::Received);
    }
}

#[test]
fn an_envelope_is_held_when_the_voter_has_another_ballot_that_is_out_or_in() {
    for (other, verdict) in [
        (Status::Issued, Verdict::Held),
        (Status::Mailed, Verdict::Held),
        (Status::Undeliverable, Verdict::Held),
        (Status::Received, Verdict::Held),
        (Status::Rejected, Verdict::Held),
        (Status::Voided, Verdict::Received),
    ] {
        let station = Station::default();
        station.import(&ballots(&[(1, 1, Status::Mailed), (2, 1, other)]));
        assert_eq!(station.scan_ballot("left", 1).verdict, verdict, "{other}");
    }
}

#[test]
fn a_second_envelope_hears_when_where_and_in_which_batch_the_first_was() {
    let station = Station::default();
    station.import(&[row(1), row(2)]);
    let first = station.scan_ballot("left", 1);
    assert_eq!((first.verdict, first.batch, first.position), (Verdict::Received, 1, 1));
    station.pass(Duration::from_mins(1));
    assert_eq!(station.scan_ballot("right", 2).position, 2);
    let second = station.scan_ballot("right", 1);
    assert_eq!(second.verdict, Verdict::AlreadyReceived);
    let earlier = Earlier { at: NOON, by: "left".to_owned(), batch: Some(1) };
    assert_eq!((second.earlier, second.position), (Some(earlier), 3));
}

#[test]
fn a_day_and_a_mode_have_their_own_running_batch() {
    let mut station = Station::default();
    station.import(&[row(1), row(2), row(3), row(4)]);
    let batch = |judged: Judged| (judged.batch, judged.position);
    assert_eq!(batch(station.scan_ballot("left", 1)), (1, 1));
    // 23:59:58 and 00:00:02 in Denver.
    station.pass(Duration::from_secs(12 * 3_600 - 2));
    assert_eq!(batch(station.scan_ballot("left", 2)), (1, 2));
    station.pass(Duration::from_secs(4));
    assert_eq!(batch(station.scan_ballot("left", 3)), (2, 1));
    station.close();
    station.settings.mode = Mode::Accept;
    station.reopen();
    assert_eq!(batch(station.scan_ballot("left", 3)), (3, 1));
    station.settings.mode = Mode::Receive;
    station.reopen();
    assert_eq!(batch(station.scan_ballot("left", 4)), (2, 2));
    let days: Vec<_> = station.report().batches.into_iter().map(|batch| batch.day).collect();
    let day = |day: &str| Some(day.to_owned());
    assert_eq!(days, [day("2026-11-02"), day("2026-11-03"), day("2026-11-03")]);
}

#[test]
fn a_payload_that_names_no_ballot_leaves_no_text_behind() {
    let mut station = Station::default();
    station.import(&[row(1)]);
    station.scan("left", Face::Unreadable(Unreadable::NoFormat), LICENSE);
    station.scan("left", codes(&[(CodeKind::Ballot, "000000099")]), LICENSE);
    station.scan(
        "left",
        codes(&[(CodeKind::Voter, "V1"), (CodeKind::Ballot, "000000001")]),
        LICENSE,
    );
    let kept = bodies(&station.path());
    assert_eq!(kept.iter().filter(|body| body.contains("\"mac\":\"")).count(), 2);
    let about = "\"length\":43,";
    assert_eq!(kept.iter().filter(|body| body.contains(about)).count(), 3, "{kept:?}");
    station.close();
    for word in [LICENSE, "MUSTERMANN", "940001234", "000000099"] {
        for entry in std::fs::read_dir(station.dir.path()).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(word.len()).any(|window| window == word.as_bytes());
            assert!(!found, "{word} stands in {}", path.display());
        }
    }
}

#[test]
fn the_report_has_every_status_and_verdict_and_its_sums_hold() {
    let station = Station::default();
    station.import(&[row(1), row(2), row(3)]);
    station.scan_ballot("left", 1);
    station.scan_ballot("left", 1);
    station.scan_ballot("left", 9);
    let report = station.report();
    assert_eq!(report.ballots.len(), Status::ALL.len());
    assert_eq!(report.scans.len(), Verdict::ALL.len());
    assert_eq!(report.ballots.values().sum::<i64>(), 3);
    assert_eq!((report.ballots["mailed"], report.ballots["received"]), (2, 1));
    assert_eq!(report.scans.values().sum::<i64>(), 3);
    for verdict in ["received", "already_received", "not_issued"] {
        assert_eq!(report.scans[verdict], 1, "{verdict}");
    }
    let outbox: Vec<_> = report.outbox.into_iter().collect();
    let zeros = [
        ("delivered", 0),
        ("dropped", 0),
        ("held", 1),
        ("owed", 0),
        ("set_aside", 0),
        ("withdrawn", 0),
    ];
    assert_eq!(outbox, zeros);
}

/// The bodies of every row.
fn bodies(path: &Path) -> Vec<String> {
    let conn = rusqlite::Connection::open(path).unwrap();
    let mut bodies = conn.prepare("SELECT body FROM event ORDER BY seq").unwrap();
    bodies.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}
