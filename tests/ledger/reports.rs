//! Reports of a ledger that is read beside its writer: they add up, to the last ballot, and say what somebody has to look at.

use crate::station::{NOON, Station, ballot_code, capture, row};
use ballot_intake::ballot::{ElectionId, Mode, Status};
use ballot_intake::clock::{Clock as _, Micros};
use ballot_intake::ledger::{
    After, Exception, ImportRow, NewOperator, Party, PeopleRequest, Person, Proof, Reconciliation,
    Request, Role, Secret, SetRequest, Who,
};
use ballot_intake::scan::{CodeKind, Face, Payload, Verdict};
use rusqlite::Connection;
use std::time::Duration;

fn reconciled(station: &Station) -> Reconciliation {
    let election = ElectionId::new("202611").unwrap();
    let report = station.reader().reconciliation(&election, NOON).unwrap();
    assert!(report.balanced, "{report:#?}");
    report
}

fn exceptions(station: &Station) -> Vec<Exception> {
    station.reader().exceptions(After::START, 100, NOON).unwrap().exceptions
}

fn set(station: &Station, n: u32, status: Status) {
    let request = SetRequest {
        election: row(n).election,
        ballot: row(n).ballot.unwrap(),
        status,
        reason: "looked at it".to_owned(),
        from: None,
        party: Party::of(Person::os_user("supervisor".to_owned())),
    };
    station.ledger().ask(|reply| Request::Set(request, reply)).unwrap().unwrap();
}

fn undo(station: &Station) {
    let who = Who::os_user("clerk".to_owned());
    station.ledger().ask(|reply| Request::Undo { who, of: None, reply }).unwrap().unwrap();
}

/// Ballots 1 to 6; 4 was due yesterday, 5 and 6 are of one voter.
fn issue(station: &Station) {
    let late = Some(Micros(NOON.0 - 86_400_000_000));
    let rows: Vec<ImportRow> = (1..=6)
        .map(|n| ImportRow {
            receive_until: late.filter(|_| n == 4),
            voter: row(n.min(5)).voter,
            ..row(n)
        })
        .collect();
    station.import(&rows);
}

/// A day with everything in it.
fn busy_day() -> Station {
    let station = Station::with(|settings| settings.announce_imports = vec![Status::Voided]);
    issue(&station);
    for n in [1, 2, 3, 4, 5, 1, 99] {
        station.scan_ballot("left", n);
    }
    undo(&station);
    set(&station, 2, Status::NeedsAttention);
    station.pass(Duration::from_mins(20));
    station.import(&[
        ImportRow { status: Status::Accepted, ..row(1) },
        ImportRow { status: Status::Voided, voter: row(5).voter, ..row(6) },
        ImportRow { status: Status::Voided, ..row(7) },
    ]);
    station.begin_import();
    station.scan_ballot("right", 5);
    station
}

#[test]
fn every_ballot_is_in_one_status_and_every_move_is_counted() {
    let report = reconciled(&busy_day());
    assert_eq!((report.issued, report.sum), (7, 7));
    let received = &report.moves[usize::from(Status::Received.number())];
    assert_eq!(received.status, "received");
    // 1, 2, 3 and 5 came by scans; 3 was taken back, 2 was set on by hand, 1 by a file.
    assert_eq!(received.came["scans"], 4);
    assert_eq!(
        (received.left["undone"], received.left["by_hand"], received.left["imports"]),
        (1, 1, 1)
    );
    assert_eq!((received.issued, received.now), (0, 1));
    // 1 accepted, 2 needs attention, 5 received: in the building.
    assert_eq!((report.taken_in.came["scans"], report.taken_in.now), (4, 3));
    let voided = &report.moves[usize::from(Status::Voided.number())];
    assert_eq!((voided.came["imports"], voided.now), (2, 2));
    assert_eq!(report.scans.sum, 8);
    assert_eq!(report.scans.days.iter().map(|day| day.scans).sum::<i64>(), 8);
}

#[test]
fn a_held_ballot_waits_until_it_is_moved_and_again_when_that_was_wrong() {
    let station = Station::default();
    issue(&station);
    assert_eq!(station.scan_ballot("left", 5).verdict, Verdict::Held);
    assert_eq!(station.scan_ballot("right", 5).verdict, Verdict::Held);
    assert_eq!(station.scan_ballot("left", 4).verdict, Verdict::Late);
    let waiting = |station: &Station| {
        let waiting = reconciled(station).waiting;
        (waiting["held"]["mailed"], waiting["late"]["mailed"])
    };
    let settled = |station: &Station| {
        exceptions(station).iter().filter(|one| one.settled == Some(true)).count()
    };
    assert_eq!((waiting(&station), settled(&station)), ((1, 1), 0));
    set(&station, 5, Status::Received);
    assert_eq!((waiting(&station), settled(&station)), ((0, 1), 2));
    set(&station, 5, Status::Mailed);
    assert_eq!((waiting(&station), settled(&station)), ((1, 1), 0));
    set(&station, 4, Status::Rejected);
    set(&station, 5, Status::Voided);
    assert_eq!((waiting(&station), settled(&station)), ((0, 0), 3));
    assert_eq!(station.verify().fault, None);
}

#[test]
fn what_waits_comes_first_and_pages_leave_nothing_out() {
    let station = busy_day();
    let whole = exceptions(&station);
    let what: Vec<_> = whole.iter().map(|one| (one.what.as_str(), one.settled)).collect();
    assert_eq!(
        what,
        [
            ("late", Some(false)),
            ("not_issued", None),
            ("already_received", None),
            ("held", Some(true)),
        ]
    );
    assert!(whole.iter().all(|one| one.at.ends_with("-07:00") && one.batch == "intake-1-1"));
    assert_eq!(whole[0].ballot.as_deref(), Some("000000004"));
    let mut paged = Vec::new();
    let mut after = Some(After::START);
    while let Some(from) = after {
        let page = station.reader().exceptions(from, 1, NOON).unwrap();
        assert_eq!(page.exceptions.len(), 1);
        paged.extend(page.exceptions);
        after = page.next.as_deref().and_then(After::parse);
    }
    assert_eq!(paged, whole);
}

#[test]
fn a_held_scan_that_names_no_ballot_waits() {
    let station = Station::default();
    issue(&station);
    let face = Face::Names(vec![capture(CodeKind::Voter, "V5")]);
    assert_eq!(station.scan("left", face, "V5").verdict, Verdict::Held);
    let [held] = exceptions(&station).try_into().unwrap();
    assert_eq!((held.settled, held.ballot), (Some(false), None));
    assert_eq!(reconciled(&station).waiting["held"]["mailed"], 0);
}

#[test]
fn a_day_is_the_local_one_and_the_hour_that_comes_twice_is_two() {
    let station = Station::default();
    issue(&station);
    // The night of 2026-11-01 in Denver: 01:30 comes at 07:30Z and at 08:30Z; the day has 25 hours.
    for (at, n) in [
        ("2026-11-01T05:59:59Z", 1),
        ("2026-11-01T06:00:00Z", 2),
        ("2026-11-01T07:30:00Z", 3),
        ("2026-11-01T08:30:00Z", 4),
        ("2026-11-02T06:59:59Z", 5),
        ("2026-11-02T07:00:00Z", 99),
    ] {
        station.clock.set(Micros::parse_rfc3339(at).unwrap());
        station.scan("left", Face::Names(vec![ballot_code(n)]), "x");
    }
    let day = station.reader().day("2026-11-01", NOON).unwrap().unwrap();
    assert_eq!(
        (day.from.as_str(), day.until.as_str()),
        ("2026-11-01T00:00:00-06:00", "2026-11-02T00:00:00-07:00")
    );
    let hours: Vec<_> = day.hours.iter().map(|hour| hour.hour.as_str()).collect();
    assert_eq!(
        hours,
        [
            "2026-11-01T00:00:00-06:00",
            "2026-11-01T01:00:00-06:00",
            "2026-11-01T01:00:00-07:00",
            "2026-11-01T23:00:00-07:00",
        ]
    );
    assert_eq!(day.scans.values().sum::<i64>(), 4);
    assert_eq!(day.scanners[0].scans.values().sum::<i64>(), 4);
    assert_eq!(day.batches.len(), 1);
    assert_eq!(station.reader().day("2026-11-31", NOON).unwrap(), None);
    assert_eq!(station.reader().day("2026-11-01T12:00", NOON).unwrap(), None);
    assert_eq!(station.verify().fault, None);
}

#[test]
fn a_batch_says_all_of_itself() {
    let station = busy_day();
    let sheet = station.reader().batch_sheet(1, NOON).unwrap().unwrap();
    assert_eq!(sheet.exceptions.len(), 4);
    let batch = sheet.story;
    assert_eq!(station.reader().batch(1, 0).unwrap().unwrap().story, batch);
    assert_eq!((batch.mode, batch.received_by.as_str()), (Mode::Receive, "mail"));
    assert_eq!(batch.scans["received"], 4);
    assert_eq!(batch.scans.values().sum::<i64>(), 8);
    assert_eq!((batch.closed, batch.opened_by), (None, None));
    assert_eq!(station.reader().batch_sheet(2, NOON).unwrap(), None);
}

/// Counts by the names that they had before schema version 3.
const OLD_SCOPES: &str = "UPDATE tally SET scope = 'outbox' WHERE scope = 'ballot_outbox'; \
     UPDATE tally SET scope = 'batch/' || (4294967295 - substr(scope, 7)) WHERE scope LIKE 'batch/%';";

/// A ledger of the first schema is what today's would be: `verify` derives every count anew, and finds the migration's right.
#[test]
fn a_ledger_of_the_first_schema_gets_every_count() {
    let mut station = busy_day();
    let before = reconciled(&station);
    let exceptions_before = exceptions(&station);
    station.close();
    let old = station.dir.path().join("v1.sqlite");
    let conn = Connection::open(&old).unwrap();
    conn.execute_batch(include_str!("../../src/ledger/schema/v1.sql")).unwrap();
    conn.execute("ATTACH ? AS new", [station.path().to_str().unwrap()]).unwrap();
    for table in ["event", "ballot", "import", "import_change", "batch", "outbox", "tally"] {
        let columns: String = conn
            .query_row("SELECT group_concat(name) FROM pragma_table_info(?)", [table], |row| {
                row.get(0)
            })
            .unwrap();
        let known = if table == "tally" {
            "scope = 'ballot_outbox' OR scope = 'working' OR scope LIKE 'ballots/%' OR scope LIKE 'batch/%'"
        } else {
            "true"
        };
        let copy = format!(
            "INSERT INTO main.{table} ({columns}) SELECT {columns} FROM new.{table} WHERE {known}"
        );
        conn.execute_batch(&copy).unwrap();
    }
    conn.execute_batch(&[OLD_SCOPES, "DETACH new; PRAGMA user_version = 1"].concat()).unwrap();
    drop(conn);
    station.settings.path = old;
    station.reopen();
    station.pass(Duration::ZERO);
    assert_eq!(station.verify().fault, None);
    assert_eq!(reconciled(&station), before);
    assert_eq!(exceptions(&station), exceptions_before);
    assert!(station.clock.now() > NOON);
}

/// A ledger of the second schema counted the scans of whoever had signed in with everybody's: they are told apart anew.
#[test]
fn a_ledger_of_the_second_schema_tells_operators_apart() {
    let mut station = Station::default();
    station.import(&(1..=4).map(row).collect::<Vec<_>>());
    let badge = Secret::badge([7; 16]);
    let (operator, proof) = ("root".to_owned(), Proof::Badge(badge.clone()));
    let new = NewOperator { operator, role: Role::Administrator, proof };
    let by = Person::os_user("clerk".to_owned());
    let add = |reply| Request::People(PeopleRequest::Add { new, by, reply });
    station.ledger().ask(add).unwrap().unwrap();
    station.scan_ballot("left", 1);
    let face = Face::Command(Payload(badge.as_str().as_bytes().to_vec()));
    station.scan("left", face, badge.as_str());
    station.scan_ballot("left", 2);
    station.scan_ballot("right", 3);
    let clerks = |station: &Station| {
        let (reader, zone) = (station.reader(), station.settings.zone.clone());
        reader.day_sheet(&zone.date(NOON), NOON).unwrap().unwrap().clerks
    };
    let before = clerks(&station);
    let received: Vec<_> =
        before.iter().map(|of| (of.operator.as_deref(), of.scans["received"])).collect();
    assert_eq!(received, [(None, 2), (Some("root"), 1)]);
    station.close();
    let conn = Connection::open(station.path()).unwrap();
    conn.execute_batch(
        "CREATE TEMP TABLE together AS SELECT CASE instr(scope, char(9)) WHEN 0 THEN scope \
             ELSE substr(scope, 1, instr(scope, char(9)) - 1) END AS scope, name, sum(n) AS n \
         FROM tally WHERE scope LIKE 'at/%' GROUP BY 1, 2; \
         DELETE FROM tally WHERE scope LIKE 'at/%'; \
         INSERT INTO tally SELECT scope, name, n FROM temp.together; \
         DROP TRIGGER code_added; DROP TRIGGER code_removed; DROP TABLE voter_of_several; \
         DROP INDEX ballot_out; PRAGMA user_version = 2",
    )
    .unwrap();
    conn.execute_batch(OLD_SCOPES).unwrap();
    drop(conn);
    station.reopen();
    assert_eq!(clerks(&station), before);
    assert_eq!(station.verify().fault, None);
}

/// Whoever voids or rejects a ballot whose envelope is in leaves an envelope in the building that must not be counted.
#[test]
fn an_envelope_whose_ballot_is_voided_after_it_came_in_is_to_be_pulled() {
    for announced in [Vec::new(), vec![Status::Voided]] {
        let station = Station::with(|settings| settings.announce_imports = announced);
        station.import(&(1..=7).map(row).collect::<Vec<_>>());
        for n in 1..=5 {
            station.scan_ballot("left", n);
        }
        station.scan_ballot("left", 1);
        set(&station, 3, Status::NeedsAttention);
        set(&station, 4, Status::Voided);
        set(&station, 7, Status::Voided);
        let gone = |n: u32, status| ImportRow { status, ..row(n) };
        station.import(&[
            gone(2, Status::Voided),
            gone(3, Status::Rejected),
            gone(6, Status::Voided),
        ]);
        station.begin_import();
        let found = exceptions(&station);
        let pulled: Vec<_> = found.iter().take_while(|one| one.what == "to_pull").collect();
        let ballots: Vec<_> = pulled.iter().filter_map(|one| one.ballot.as_deref()).collect();
        assert_eq!(ballots, ["000000002", "000000003", "000000004"]);
        assert!(pulled.iter().all(|one| one.batch == "intake-1-1"), "{pulled:#?}");
        assert_eq!(
            pulled[0].reason.as_deref(),
            Some("voided by the file ballots.csv after it came in")
        );
        assert_eq!(found.len(), 4, "and a second envelope of ballot 1: {found:#?}");
        let first = station.reader().exceptions(After::START, 1, NOON).unwrap();
        let after = After::parse(&first.next.unwrap()).unwrap();
        let rest = station.reader().exceptions(after, 100, NOON).unwrap().exceptions;
        assert_eq!([first.exceptions, rest].concat(), found);
        assert!(station.verify().ok);
    }
}

/// The clerk's page shows the last scans: an import that moved hundreds of ballots left none of them there.
#[test]
fn the_last_scans_are_found_behind_all_that_an_import_moved() {
    let station = Station::with(|settings| settings.announce_imports = vec![Status::Voided]);
    station.import(&(1..=600).map(row).collect::<Vec<_>>());
    for n in [1, 2, 99] {
        station.scan_ballot("left", n + 600);
    }
    station.scan_ballot("left", 1);
    let gone = |n| ImportRow { status: Status::Voided, ..row(n) };
    station.import(&(2..=600).map(gone).collect::<Vec<_>>());
    station.begin_import();
    let last = station.reader().last_scans(3).unwrap();
    let shown: Vec<_> = last.iter().map(|scan| (scan.verdict, scan.position)).collect();
    let not_issued = Verdict::NotIssued;
    assert_eq!(shown, [(Verdict::Received, 4), (not_issued, 3), (not_issued, 2)]);
    assert!(station.verify().ok);
}
