//! Mail ballot files: staged unseen, decided by one event, rolled forward while scans go on, cleared away when given up.

use crate::station::{HOLD_BACK, NOON, Station, capture, row};
use ballot_intake::ballot::{Status, VoterId};
use ballot_intake::clock::Micros;
use ballot_intake::ledger::{
    Counts, Export, ImportRefused, ImportRow, Layout, NotMoved, RefusedRow, Repeats, Request, Rows,
    Rules, UnnamedPiece, Who,
};
use ballot_intake::scan::{CodeKind, Face, Verdict};
use std::collections::BTreeMap;
use std::time::Duration;

fn stage(
    station: &Station,
    import: i64,
    rows: Vec<ImportRow>,
) -> Result<Vec<RefusedRow>, ImportRefused> {
    let staged = station.ledger().ask(|reply| Request::ImportRows { import, rows, reply }).unwrap();
    staged.map(|compared| compared.refused)
}

fn voided(n: u32) -> ImportRow {
    ImportRow { status: Status::Voided, reason: Some("voted in person".to_owned()), ..row(n) }
}

fn undo(station: &Station) -> Status {
    let undo = |reply| Request::Undo { who: Who::os_user("clerk".to_owned()), of: None, reply };
    station.ledger().ask(undo).unwrap().unwrap().status
}

#[test]
fn a_file_s_rows_are_counted_by_what_became_of_them() {
    let station = Station::default();
    let first = station.import(&[row(1), row(2), row(3), row(4)]);
    assert_eq!(first, Counts { rows: 4, issued: 4, ..Counts::default() });
    let styled = ImportRow { style: Some("12".to_owned()), ..row(2) };
    let again = station.import(&[row(1), styled, voided(3), row(5), voided(6)]);
    let counts = Counts { rows: 5, issued: 1, updated: 1, unchanged: 1, voided: 2, refused: 0 };
    assert_eq!(again, counts);
    for (n, verdict) in [(2, Verdict::Received), (3, Verdict::Voided), (6, Verdict::Voided)] {
        assert_eq!(station.scan_ballot("left", n).verdict, verdict, "{n}");
    }
    assert!(station.verify().ok);
}

#[test]
fn a_ballot_that_stands_in_the_file_twice_is_refused_the_second_time() {
    let station = Station::default();
    station.import(&[row(1)]);
    let import = station.begin_import();
    let refused = stage(&station, import, vec![row(2), row(2), voided(1), voided(1)]).unwrap();
    let places: Vec<_> = refused.iter().map(|refused| refused.index).collect();
    assert_eq!(places, [1, 3]);
    assert_eq!(station.decide_import(import).refused, 2);
}

/// Taken a second time, a file's first line of a ballot says nothing new; the line that contradicts it is refused all the same.
#[test]
fn a_second_time_a_file_that_contradicts_itself_changes_nothing() {
    let station = Station::default();
    for time in ["first", "second"] {
        let import = station.begin_import();
        let refused = stage(&station, import, vec![row(1), voided(1), row(2)]).unwrap();
        assert_eq!(refused.len(), 1, "the {time} time");
        let counts = station.decide_import(import);
        assert_eq!((counts.voided, counts.updated, counts.refused), (0, 0, 1), "the {time} time");
    }
    assert_eq!(station.scan_ballot("left", 1).verdict, Verdict::Received);
}

#[test]
fn nothing_of_a_file_counts_before_it_is_decided() {
    let mut station = Station::default();
    station.import(&[row(1)]);
    let import = station.begin_import();
    stage(&station, import, vec![row(2), voided(1)]).unwrap();
    assert_eq!(station.ledger().ask(Request::ImportBegin).unwrap(), Err(ImportRefused::Busy));
    assert_eq!(station.scan_ballot("left", 2).verdict, Verdict::NotIssued);
    assert!(station.reader().ballot("202611", "000000002").unwrap().is_none());
    assert!(station.verify().ok);
    station.crash();
    assert_eq!(stage(&station, import, vec![row(3)]), Err(ImportRefused::Abandoned(import)));
    assert_eq!(station.scan_ballot("left", 1).verdict, Verdict::Received);
    assert_eq!(station.import(&[row(2)]).issued, 1, "what was staged is cleared away");
    assert!(station.verify().ok);
}

#[test]
fn a_scan_right_after_the_decision_meets_the_changed_ballot() {
    let station = Station::default();
    station.import(&(1..=50).map(row).collect::<Vec<_>>());
    station.import(&(1..=50).map(voided).collect::<Vec<_>>());
    for n in (1..=50).rev() {
        let judged = station.scan_ballot("left", n);
        assert_eq!(judged.verdict, Verdict::Voided);
        assert_eq!(judged.reason.as_deref(), Some("voted in person"));
    }
    station.begin_import();
    assert!(station.verify().ok);
}

/// A look-up that found a ballot once did not look for those that the file gives the same code.
#[test]
fn a_scan_right_after_the_decision_meets_every_ballot_that_the_file_gives_that_code() {
    const BALLOTS: u32 = 3_000;
    let by = |names, code: &str| Face::Names(vec![capture(names, code)]);
    let of = |n: u32| ImportRow { voter: row(n - 1).voter, imb: row(n - 1).imb, ..row(n) };
    let piece = row(BALLOTS - 1).imb.unwrap();
    for (face, verdict) in [
        (by(CodeKind::Imb, &piece), Verdict::Ambiguous),
        (by(CodeKind::Voter, "V2999"), Verdict::Held),
        (by(CodeKind::Ballot, "000002999"), Verdict::Held),
    ] {
        let station = Station::default();
        station.import(&(1..=BALLOTS).map(row).collect::<Vec<_>>());
        let styled = |n| ImportRow { style: Some("7".to_owned()), ..row(n) };
        let mut rows: Vec<_> = (1..BALLOTS - 1).map(styled).collect();
        rows.push(of(BALLOTS));
        station.import(&rows);
        assert_eq!(station.scan("left", face, "x").verdict, verdict);
    }
}

#[test]
fn the_number_of_an_import_that_was_given_up_is_not_given_again() {
    let mut station = Station::default();
    let first = station.begin_import();
    station.crash();
    assert_eq!(station.begin_import(), first + 1);
    assert_eq!(stage(&station, first, vec![row(1)]), Err(ImportRefused::Abandoned(first)));
    assert!(station.verify().ok);
}

#[test]
fn a_crash_after_the_decision_loses_none_of_it() {
    let mut station = Station::default();
    station.import(&(1..=2_000).map(row).collect::<Vec<_>>());
    station.import(&(1..=2_000).map(voided).collect::<Vec<_>>());
    station.crash();
    assert!(station.verify().ok);
    station.begin_import();
    assert_eq!(station.report().ballots["voided"], 2_000);
    assert!(station.verify().ok);
}

/// The file said `mailed`, as before the scan; what was kept of that row once said `received`, and marked the ballot anew.
#[test]
fn a_file_never_marks_a_ballot_that_was_taken_back_while_it_was_staged() {
    let station = Station::default();
    station.import(&[row(1)]);
    station.scan_ballot("left", 1);
    let import = station.begin_import();
    let styled = ImportRow { style: Some("12".to_owned()), ..row(1) };
    stage(&station, import, vec![styled]).unwrap();
    assert_eq!(undo(&station), Status::Mailed);
    assert_eq!(station.decide_import(import).updated, 1);
    assert_eq!(station.scan_ballot("right", 2).verdict, Verdict::NotIssued);
    station.begin_import();
    assert_eq!(station.status(1), Status::Mailed);
    assert!(station.verify().ok);
}

#[test]
fn an_undo_meets_what_the_file_made_of_the_ballot() {
    let station = Station::default();
    station.import(&[row(1)]);
    station.scan_ballot("left", 1);
    station.import(&[voided(1)]);
    let undo = station.ledger().ask(|reply| Request::Undo {
        who: Who::os_user("clerk".to_owned()),
        of: None,
        reply,
    });
    assert_eq!(undo.unwrap(), Err(NotMoved::MovedSince(row(1).ballot.unwrap(), Status::Voided)));
    assert!(station.verify().ok);
}

#[test]
fn an_announced_status_is_owed_to_the_relay_and_others_are_not() {
    let station = Station::with(|settings| settings.announce_imports = vec![Status::Voided]);
    station.import(&[row(1), row(2), voided(3)]);
    station.import(&[voided(1), ImportRow { status: Status::Received, ..row(2) }]);
    station.begin_import();
    station.pass(HOLD_BACK);
    let told: Vec<_> = station
        .claim()
        .iter()
        .map(|delivery| serde_json::from_str::<serde_json::Value>(&delivery.body).unwrap())
        .map(|body| format!("{} {} {}", body["subject"], body["type"], body["data"]["method"]))
        .collect();
    let line = |n| format!("\"202611/00000000{n}\" \"ballot.voided\" \"import\"");
    assert_eq!(told, [line(3), line(1)]);
    assert!(station.verify().ok);
}

/// The body is made when the change is released, so the voter that the file corrected must be the one it tells.
#[test]
fn a_change_that_is_released_after_the_decision_tells_the_file_s_voter() {
    let station = Station::default();
    station.import(&(1..=3_000).map(row).collect::<Vec<_>>());
    station.scan_ballot("left", 3_000);
    let moved = |n| ImportRow { voter: row(n + 5_000).voter, ..row(n) };
    station.import(&(1..=3_000).map(moved).collect::<Vec<_>>());
    station.pass(HOLD_BACK);
    let body = station.claim().remove(0).body;
    assert!(body.contains("\"V8000\""), "{body}");
    station.begin_import();
    assert!(station.verify().ok);
}

#[test]
fn a_ballot_s_story_tells_what_moved_it() {
    let station = Station::default();
    station.import(&[row(1)]);
    station.scan_ballot("left", 1);
    station.import(&[ImportRow { style: Some("12".to_owned()), ..row(1) }]);
    station.begin_import();
    undo(&station);
    let story = station.reader().ballot("202611", "000000001").unwrap().unwrap();
    let told: Vec<_> = story.history.iter().map(|chapter| (chapter.what, chapter.to)).collect();
    let expected = [
        ("issued", Some(Status::Mailed)),
        ("scanned", Some(Status::Received)),
        ("imported", None),
        ("undone", Some(Status::Mailed)),
    ];
    assert_eq!(told, expected);
    assert_eq!(story.codes["imb"], "901234567000001");
    assert_eq!(station.reader().voter("202611", "V1").unwrap(), [story]);
}

fn of_voter(voter: u32, row: ImportRow) -> ImportRow {
    ImportRow { voter: VoterId::new(&format!("V{voter}")).unwrap(), ..row }
}

fn received(n: u32) -> ImportRow {
    ImportRow { status: Status::Received, ..row(n) }
}

/// A row that names the voter alone.
fn by_voter(voter: u32, status: Status) -> ImportRow {
    ImportRow { ballot: None, imb: None, status, ..row(voter) }
}

fn reasons(refused: Vec<RefusedRow>) -> Vec<(usize, String)> {
    refused.into_iter().map(|refused| (refused.index, refused.reason)).collect()
}

#[test]
fn a_row_without_a_ballot_is_about_the_voter_s_one_ballot() {
    let station = Station::default();
    station.import(&[row(1), of_voter(2, row(2)), of_voter(2, row(3)), voided(4)]);
    station.import(&[of_voter(5, voided(5)), of_voter(5, row(6)), row(7)]);
    let import = station.begin_import();
    let rows = [1, 2, 5, 9].map(|voter| by_voter(voter, Status::Received));
    let refused = stage(&station, import, rows.to_vec()).unwrap();
    let why = "voter V2 has several ballots: the file must say which";
    assert_eq!(reasons(refused), [(1, why.to_owned())]);
    let counts = station.decide_import(import);
    assert_eq!((counts.updated, counts.issued, counts.refused), (2, 1, 1));
    station.begin_import();
    for (n, status) in [(1, Status::Received), (5, Status::Voided), (6, Status::Received)] {
        assert_eq!(station.status(n), status, "{n}");
    }
    let issued = station.reader().ballot("202611", "V9").unwrap().unwrap();
    assert_eq!((issued.voter.as_str(), issued.status), ("V9", Status::Received));
    assert!(station.verify().ok);
}

#[test]
fn what_a_file_does_not_say_is_no_news() {
    let station = Station::default();
    let codes = BTreeMap::from([("packet".to_owned(), "P1".to_owned())]);
    let full = ImportRow { style: Some("12".to_owned()), codes, ..row(1) };
    station.import(&[full]);
    let bare = || ImportRow { imb: None, ..row(1) };
    assert_eq!(station.import(&[bare()]).unchanged, 1);
    station.import(&[ImportRow { status: Status::Received, ..bare() }]);
    station.begin_import();
    let story = station.reader().ballot("202611", "000000001").unwrap().unwrap();
    assert_eq!(story.status, Status::Received);
    assert_eq!(story.codes["imb"], "901234567000001");
    assert_eq!(story.codes["packet"], "P1");
    assert!(station.verify().ok);
}

#[test]
fn a_code_of_the_county_s_own_names_a_ballot_and_a_new_one_takes_its_place() {
    let station = Station::default();
    let packet = |code: &str, n| ImportRow {
        codes: BTreeMap::from([("packet".to_owned(), code.to_owned())]),
        ..row(n)
    };
    let scan = |code: &str| {
        let face = Face::Names(vec![capture(CodeKind::Other("packet".into()), code)]);
        let judged = station.scan("left", face, code);
        (judged.verdict, judged.ballot)
    };
    station.import(&[packet("P1", 1), packet("P2", 2)]);
    assert_eq!(scan("P1"), (Verdict::Received, row(1).ballot));
    station.import(&[packet("P3", 2)]);
    assert_eq!(scan("P3"), (Verdict::Received, row(2).ballot));
    assert_eq!(scan("P2"), (Verdict::NotIssued, None));
    station.begin_import();
    assert!(station.verify().ok);
}

#[test]
fn a_row_that_says_what_its_first_said_is_no_news_where_that_is_allowed() {
    let station = Station::default();
    for time in ["first", "second"] {
        let import = station.begin_import();
        let repeats = Repeats::Unchanged;
        let allow = |reply| Request::ImportRepeats { import, repeats, reply };
        assert_eq!(station.ledger().ask(allow).unwrap(), Ok(()));
        let rows = vec![row(1), row(1), received(1), row(2), row(1)];
        let refused = reasons(stage(&station, import, rows).unwrap());
        assert_eq!(refused, [(2, "ballot 000000001 stands in the file twice".to_owned())]);
        let counts = station.decide_import(import);
        assert_eq!((counts.rows, counts.refused), (5, 1), "the {time} time");
        assert_eq!(counts.unchanged + counts.issued, 4, "the {time} time");
    }
}

#[test]
fn two_ballots_of_one_voter_are_never_both_received_by_a_file() {
    let station = Station::default();
    station.import(&[of_voter(1, row(1)), of_voter(1, row(2)), row(3)]);
    let import = station.begin_import();
    let rows = vec![
        of_voter(1, received(2)),
        of_voter(1, received(1)),
        of_voter(8, received(8)),
        of_voter(8, received(9)),
    ];
    let other = |n| format!("the file takes in ballot 00000000{n} of this voter, too");
    let refused = reasons(stage(&station, import, rows).unwrap());
    assert_eq!(refused, [(1, other(2)), (3, other(8))]);
    station.decide_import(import);
    let import = station.begin_import();
    let refused = reasons(stage(&station, import, vec![of_voter(1, received(1))]).unwrap());
    assert_eq!(refused, [(0, "ballot 000000002 of this voter is received".to_owned())]);
    assert!(station.verify().ok);
}

/// The clerk scanned one ballot of the voter while the file that takes in the other was staged.
#[test]
fn a_ballot_that_a_scan_overtook_stays_where_it_was() {
    let mut station = Station::default();
    station.import(&[row(1), row(3)]);
    let import = station.begin_import();
    let rows = vec![of_voter(5, received(1)), of_voter(3, received(4)), row(6)];
    assert_eq!(stage(&station, import, rows), Ok(Vec::new()));
    assert_eq!(station.scan_ballot("left", 3).verdict, Verdict::Received);
    station.decide_import(import);
    station.begin_import();
    assert_eq!(station.status(4), Status::Issued);
    assert_eq!(station.status(1), Status::Received);
    assert!(station.verify().ok);
    station.crash();
    assert!(station.verify().ok);
}

#[test]
fn ballots_that_a_file_does_not_name_are_told_and_stay() {
    let station = Station::default();
    station.import(&[row(1), row(2), voided(3), row(4)]);
    let import = station.begin_import();
    stage(&station, import, vec![row(1), row(5)]).unwrap();
    let ask = |reply| Request::ImportUnnamed { import, election: None, reply };
    let UnnamedPiece { ballots, done } = station.ledger().ask(ask).unwrap().unwrap();
    let told: Vec<_> = ballots.iter().map(|unnamed| Some(unnamed.ballot.clone())).collect();
    assert_eq!((told, done), (vec![row(2).ballot, row(4).ballot], true));
    station.decide_import(import);
    assert_eq!(station.status(2), Status::Mailed);
    assert!(station.verify().ok);
}

/// What a row that was refused before it came to the ledger says of it.
fn refused(ballot: Option<u32>, voter: u32) -> ImportRow {
    let ImportRow { election, voter, .. } = row(voter);
    ImportRow::refused(election, ballot.and_then(|n| row(n).ballot), Some(voter)).unwrap()
}

/// A row with a slip in a date once made its ballot disappear, though the file names it.
#[test]
fn a_ballot_of_a_row_that_is_refused_has_not_disappeared() {
    let station = Station::default();
    station.import(&[row(1), row(2), row(3), of_voter(4, row(4)), of_voter(4, row(5)), row(6)]);
    let import = station.begin_import();
    let rows = vec![refused(Some(1), 9), refused(None, 2), by_voter(4, Status::Received), row(6)];
    let told = reasons(stage(&station, import, rows).unwrap());
    assert_eq!(told.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [2]);
    let ask = |reply| Request::ImportUnnamed { import, election: None, reply };
    let unnamed = station.ledger().ask(ask).unwrap().unwrap().ballots;
    let told: Vec<_> = unnamed.iter().map(|unnamed| unnamed.ballot.as_str()).collect();
    assert_eq!(told, ["000000003"]);
    let counts = station.decide_import(import);
    assert_eq!((counts.rows, counts.refused, counts.unchanged), (2, 1, 1));
    assert!(station.verify().ok);
}

/// The voter of a received ballot was once changed to one who had a received ballot, without any look.
#[test]
fn a_file_gives_no_voter_a_second_ballot_that_is_in() {
    let station = Station::default();
    station.import(&[row(1), row(2), row(3), row(4), row(5)]);
    for n in 1..=3 {
        assert_eq!(station.scan_ballot("left", n).verdict, Verdict::Received);
    }
    let import = station.begin_import();
    let rows = vec![of_voter(2, row(1)), of_voter(8, row(3)), of_voter(8, received(8)), row(4)];
    let told = reasons(stage(&station, import, rows).unwrap());
    let expected = [
        (0, "ballot 000000002 of this voter is received".to_owned()),
        (2, "the file takes in ballot 000000003 of this voter, too".to_owned()),
    ];
    assert_eq!(told, expected);
    station.decide_import(import);
    let import = station.begin_import();
    let told = reasons(stage(&station, import, vec![of_voter(8, received(4))]).unwrap());
    assert_eq!(told, [(0, "ballot 000000003 of this voter is received".to_owned())]);
    assert!(station.verify().ok);
}

/// The file makes a ballot another voter's, and it is scanned in before the file is decided.
#[test]
fn a_ballot_that_came_in_while_its_file_was_staged_keeps_its_voter() {
    let station = Station::default();
    station.import(&[row(1), row(2), row(3)]);
    station.scan_ballot("left", 2);
    let import = station.begin_import();
    let rows = vec![of_voter(2, row(1)), of_voter(7, row(3))];
    assert_eq!(stage(&station, import, rows), Ok(Vec::new()));
    assert_eq!(station.scan_ballot("left", 1).verdict, Verdict::Received);
    station.decide_import(import);
    station.begin_import();
    let voter = |ballot: &str| station.reader().ballot("202611", ballot).unwrap().unwrap().voter;
    assert_eq!(["000000001", "000000003"].map(voter), ["V1", "V7"].map(str::to_owned));
    assert!(station.verify().ok);
}

fn stands(status: Status, n: u32) -> ImportRow {
    of_voter(1, ImportRow { status, ..row(n) })
}

#[test]
fn of_two_ballots_of_a_voter_the_file_takes_those_in_that_may_both_count() {
    use Status::{Accepted, NeedsAttention, Received, Rejected};
    for (one, other, may_both) in [
        (Accepted, Rejected, true),
        (Received, Rejected, true),
        (NeedsAttention, Rejected, true),
        (Rejected, Rejected, true),
        (Accepted, NeedsAttention, false),
        (Received, NeedsAttention, false),
        (NeedsAttention, NeedsAttention, false),
        (Accepted, Accepted, false),
    ] {
        for [first, second] in [[one, other], [other, one]] {
            let (a, b) = (stands(first, 1), stands(second, 2));
            for is_known in [true, false] {
                let station = Station::default();
                if is_known {
                    station.import(&[stands(Status::Mailed, 1), stands(Status::Mailed, 2)]);
                }
                let counts = station.import(&[a.clone(), b.clone()]);
                let refused = u64::from(!may_both);
                assert_eq!(counts.refused, refused, "{first} {second} in one file");
                assert!(station.verify().ok);
            }
            let station = Station::default();
            station.import(&[a, stands(Status::Mailed, 2)]);
            assert_eq!(station.import(&[b]).refused, u64::from(!may_both), "{first} {second}");
            assert!(station.verify().ok);
        }
    }
}

#[test]
fn a_row_that_says_what_a_refused_one_said_is_refused_alike() {
    let station = Station::default();
    station.import(&[of_voter(1, received(1)), of_voter(1, row(2))]);
    let import = station.begin_import();
    let repeats = Repeats::Unchanged;
    let allow = |reply| Request::ImportRepeats { import, repeats, reply };
    assert_eq!(station.ledger().ask(allow).unwrap(), Ok(()));
    let second = of_voter(1, received(2));
    let told = reasons(stage(&station, import, vec![second.clone(), second]).unwrap());
    let why = "ballot 000000001 of this voter is received".to_owned();
    assert_eq!(told, [(0, why.clone()), (1, why)]);
    assert_eq!(station.decide_import(import).refused, 2);
}

/// A county's file has its own hour of return, which the scan's differs from.
#[test]
fn when_a_ballot_came_back_is_no_news_of_one_that_was_received_here() {
    let station = Station::default();
    station.import(&[row(1), row(2), received(3)]);
    station.scan_ballot("left", 1);
    let returned = |n| ImportRow { returned: Some(NOON), ..received(n) };
    let counts = station.import(&[returned(1), returned(2), returned(3)]);
    assert_eq!((counts.unchanged, counts.updated), (1, 2));
    // Accepted since, it is still known when it came.
    let accepted = ImportRow { status: Status::Accepted, returned: Some(NOON), ..row(1) };
    assert_eq!(station.import(&[accepted]).updated, 1);
    assert_eq!(station.import(&[returned(1)]).unchanged, 1);
    // Taken back, and received by the file's word alone.
    station.import(&[row(4)]);
    station.scan_ballot("left", 4);
    undo(&station);
    assert_eq!(station.import(&[returned(4)]).updated, 1);
    let later = ImportRow { returned: Some(Micros(NOON.0 + 1)), ..received(4) };
    assert_eq!(station.import(&[later]).updated, 1);
    assert!(station.verify().ok);
}

#[test]
fn what_is_exported_for_ballottrax_changes_nothing_when_it_is_imported() {
    let station = Station::default();
    let voter = |n: u32| VoterId::new(&format!("{:09}", 100_000_000 + n)).unwrap();
    let mailed = Some(Micros(NOON.0 - 86_400_000_000));
    let of = |n, status, reason: &str| {
        let reason = Some(reason.to_owned()).filter(|reason| !reason.is_empty());
        ImportRow { voter: voter(n), status, reason, mailed, ..row(n) }
    };
    let statuses = [
        (Status::Issued, ""),
        (Status::Mailed, ""),
        (Status::Mailed, ""),
        (Status::Received, ""),
        (Status::NeedsAttention, "signature_missing"),
        (Status::Rejected, "late"),
        (Status::Undeliverable, ""),
        (Status::Mailed, ""),
    ];
    let rows = statuses.iter().zip(1..).map(|((status, reason), n)| of(n, *status, reason));
    station.import(&rows.collect::<Vec<_>>());
    station.clock.advance(Duration::from_micros(1_234_567));
    for n in [3, 8] {
        assert_eq!(station.scan_ballot("left", n).verdict, Verdict::Received);
    }
    station.import(&[of(8, Status::Accepted, "")]);
    let applied = station.begin_import();
    let give_up = |reply| Request::ImportAbandon { import: applied, refused: 0, reply };
    station.ledger().ask(give_up).unwrap().unwrap();

    let mut file = Vec::new();
    let election = row(1).election;
    let reader = station.reader();
    reader.export(Export::BallottraxStatus, Some(&election), NOON, &mut file).unwrap();
    let rules = Rules {
        election: Some(election),
        election_day: None,
        named: None,
        codes: Vec::new(),
        zone: station.settings.zone.clone(),
        now: Micros(NOON.0 + 60_000_000),
    };
    let layout = Layout::named("ballottrax-status").unwrap();
    let piece = Rows::open(&file[..], &layout, rules).unwrap().piece(100).unwrap();
    assert_eq!((piece.rows.len(), piece.refused), (8, Vec::new()));
    let counts = station.import(&piece.rows);
    assert_eq!(counts, Counts { rows: 8, unchanged: 8, ..Counts::default() });
}

#[test]
fn an_import_takes_no_rows_once_its_codes_are_written_and_a_crash_clears_them_away() {
    let mut station = Station::default();
    station.import(&[row(1)]);
    let import = station.begin_import();
    let rows = (1..=3_000).map(|n| ImportRow { imb: row(n + 7).imb, ..row(n) }).collect();
    stage(&station, import, rows).unwrap();
    let index = |reply| Request::ImportIndex { import, reply };
    assert!(station.ledger().ask(index).unwrap().unwrap() > 0, "one piece is not all of them");
    assert_eq!(stage(&station, import, vec![row(1)]), Err(ImportRefused::Closed(import)));
    assert!(station.verify().ok);
    station.crash();
    assert!(station.verify().ok);
    assert_eq!(station.import(&[row(2)]).issued, 1);
    assert!(station.verify().ok, "no code of what was cleared away is left");
}

/// A received ballot that becomes another voter's is a change of the record, and its story says so.
#[test]
fn a_ballot_s_story_says_whose_it_was_before_a_file_made_it_another_voter_s() {
    let station = Station::default();
    station.import(&[row(1), row(2)]);
    station.scan_ballot("left", 1);
    let moved = ImportRow { voter: VoterId::new("V9").unwrap(), ..row(1) };
    let import = station.begin_import();
    let rows = vec![moved, row(2)];
    let staged = |reply| Request::ImportRows { import, rows, reply };
    let told = station.ledger().ask(staged).unwrap().unwrap().changed;
    assert_eq!((told.len(), told[0].is_of_voter(), told[0].is_to_pull()), (1, true, false));
    station.decide_import(import);
    station.begin_import();
    let story = station.reader().ballot("202611", "000000001").unwrap().unwrap();
    let changes: Vec<_> =
        story.history.iter().filter_map(|chapter| chapter.voter.as_ref()).collect();
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].before.as_str(), changes[0].after.as_str()), ("V1", "V9"));
    assert!(station.verify().ok);
}
