//! Reports and exports as people get them: through the command line, beside a running daemon.
#![cfg(test)]

#[path = "reports/schema.rs"]
mod schema;
mod support;

use ballot_intake::ballot::Status;
use ballot_intake::clock::Micros;
use ballot_intake::ledger::{Export, ImportRow, Request, Who};
use serde_json::Value;
use std::fs;
use support::own_ledger::{self, NOON, row};
use support::pty::{Manner, Pty};
use support::station::Station;
use support::{frames, payload, wrong_payload};

/// A mail ballot file: 20 mailed ballots of a voter each, one whose voter is a formula, one reason that is one.
const BALLOTS: &str = "ballot,voter,status,reason,mailed\n\
    000000021,=1+1,mailed,,2026-10-05\n\
    000000022,V22,rejected,\"@SUM(\"\"A1\"\")\",2026-10-05\n\
    000000023,V23,rejected,signature_missing,2026-10-05\n\
    000000024,V24,voided,voted_in_person,\n";

/// A station at which ballots 1 to 3 were received, 1 came twice, and two envelopes name nothing.
fn scanned() -> Station {
    let station = Station::with_scanners(&["left"], "");
    station.import(20);
    fs::write(station.path("ballots.csv"), BALLOTS).unwrap();
    let path = station.path("ballots.csv");
    let imported = station.run(&["import", path.to_str().unwrap(), "--layout", "generic"]);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    let scanner = station.plug("left");
    let daemon = station.start();
    scan(&scanner);
    daemon.stop();
    station
}

fn scan(scanner: &Pty) {
    scanner.exchange(&frames([1, 2, 3, 1, 500]), 5, Manner::ReadAsYouWrite);
    scanner.ask(wrong_payload(4).as_bytes());
    assert!(payload(4) != wrong_payload(4));
}

#[track_caller]
fn text(station: &Station, arguments: &[&str]) -> String {
    let output = station.run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The cells of a CSV file in which no quoted cell has a line end.
fn cells(csv: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn every_report_has_a_form_for_people_and_one_for_programs() {
    let station = scanned();
    let reconciliation = &station.json(&["report", "--reconciliation"])[0];
    assert_eq!(
        (&reconciliation["balanced"], &reconciliation["issued"]),
        (&true.into(), &24.into())
    );
    assert_eq!(reconciliation["ballots"]["received"], 3);
    assert_eq!(reconciliation["taken_in"]["came"]["scans"], 3);
    assert!(text(&station, &["report", "--reconciliation"]).contains("everything adds up"));

    let batch = &station.json(&["report", "--batch", "1"])[0];
    assert_eq!((&batch["batch"], &batch["scans"]["received"]), (&"intake-1-1".into(), &3.into()));
    let day = batch["day"].as_str().unwrap();
    let report = &station.json(&["report", "--day", day])[0];
    assert_eq!(report["scanners"][0]["name"], "left");
    assert_eq!(report["scans"], batch["scans"]);

    let page = &station.json(&["report", "--exceptions", "--limit", "2"])[0];
    assert_eq!(page["exceptions"].as_array().unwrap().len(), 2);
    assert_eq!(page["exceptions"][0]["what"], "unreadable");
    let next = page["next"].as_str().unwrap();
    let rest = &station.json(&["report", "--exceptions", "--after", next])[0];
    assert_eq!(rest["exceptions"][0]["what"], "already_received");
    assert_eq!(rest["next"], Value::Null);
    assert!(text(&station, &["report", "--exceptions"]).contains("a second envelope?"));

    for (arguments, code) in [
        (["report", "--batch", "9"], 1),
        (["report", "--batch", "intake-1-1"], 0),
        (["report", "--batch", "intake-2-1"], 64),
        (["report", "--batch", ""], 64),
        (["report", "--day", "yesterday"], 64),
        (["report", "--after", "open-1"], 64),
    ] {
        assert_eq!(station.run(&arguments).status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn every_time_is_told_with_its_offset() {
    let station = scanned();
    let time = regex::Regex::new(r"\d\d:\d\d:\d\d(.{6})").unwrap();
    let day = station.json(&["report", "--batch", "1"])[0]["day"].as_str().unwrap().to_owned();
    let reports: [&[&str]; 5] = [
        &["report"],
        &["report", "--day", &day],
        &["report", "--batch", "1"],
        &["report", "--exceptions"],
        &["report", "--reconciliation"],
    ];
    for report in reports {
        let text = text(&station, report);
        let offsets: Vec<_> = time.captures_iter(&text).map(|found| found[1].to_owned()).collect();
        assert!(!offsets.is_empty());
        assert!(offsets.iter().all(|offset| offset == "-06:00" || offset == "-07:00"), "{text}");
    }
}

#[test]
fn no_cell_of_any_table_is_a_formula() {
    let station = scanned();
    for what in ["ballots", "scans", "batches", "exceptions"] {
        let csv = text(&station, &["export", "csv", "--what", what]);
        assert!(csv.ends_with("\r\n") && !csv.replace("\r\n", "").contains('\n'));
        let rows = cells(&csv);
        assert!(rows.len() > 1, "{what}: {csv}");
        for cell in rows.iter().flatten() {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{what}: {cell}");
        }
    }
    let ballots = cells(&text(&station, &["export", "csv"]));
    assert_eq!(ballots.len(), 1 + 24);
    assert_eq!(ballots[21][..3], ["202611", "000000021", "'=1+1"]);
    assert_eq!(ballots[22][3..5], ["rejected", "'@SUM(\"A1\")"]);
    assert_eq!(cells(&text(&station, &["export", "csv", "--what", "scans"])).len(), 1 + 6);
}

#[test]
fn a_file_is_put_in_place_when_it_is_whole() {
    let station = scanned();
    let path = station.path("ballots-out.csv");
    fs::write(&path, "of yesterday").unwrap();
    let out = path.to_str().unwrap();
    let said = &station.json(&["export", "csv", "--out", out])[0];
    assert_eq!((&said["rows"], &said["left_out"]), (&24.into(), &0.into()));
    assert_eq!(fs::read_to_string(&path).unwrap(), text(&station, &["export", "csv"]));
    assert!(!station.path("ballots-out.csv.part").exists());
    let nowhere = station.path("no/such/folder.csv");
    let refused = station.run(&["export", "csv", "--out", nowhere.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(74));
}

#[test]
fn the_status_file_has_a_word_for_every_ballot_but_the_voided() {
    let station = scanned();
    let path = station.path("status.csv");
    let to = ["export", "ballottrax-status", "--json", "--out", path.to_str().unwrap()];
    let output = station.run(&to);
    assert_eq!(output.status.code(), Some(1), "a ballot is missing: {output:?}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&said["rows"], &said["left_out"]), (&22.into(), &1.into()));
    assert_eq!((&said["formulas"], &said["formula_ids"][0]), (&1.into(), &"=1+1".into()));
    let rows = cells(&fs::read_to_string(&path).unwrap());
    assert_eq!(rows[0][..3], ["ElectionNumber", "VoterID", "BallotStatus"]);
    let told = station.run(&to[..2]);
    assert_eq!(
        (told.status.code(), cells(&String::from_utf8(told.stdout).unwrap())),
        (Some(1), rows.clone())
    );
    let told = String::from_utf8(told.stderr).unwrap();
    assert!(told.contains("1 ballots are left out") && told.contains("\"=1+1\""), "{told}");
    assert!(rows.iter().all(|row| !row[1].ends_with("=1+1")), "no id is changed");
    let of = |voter: &str| rows.iter().find(|row| row[1] == voter).unwrap();
    let received = of("V00000001");
    assert_eq!((received[2].as_str(), received[3].as_str()), ("Outbound", ""));
    assert!(received[4].contains('T'), "a returned date: {received:?}");
    assert_eq!(of("V00000005")[2..5], ["Outbound", "", ""]);
    assert_eq!(of("V23")[2..4], ["Rejected", "2026-10-05T00:00:00-06:00"]);
    assert_eq!(of("V23")[7..], ["N", "signature_missing", "FALSE", "TRUE"]);
}

/// What is exported of a ledger, as the cells of its rows.
fn exported(station: &own_ledger::Station, what: Export) -> Vec<Vec<String>> {
    let mut out = Vec::new();
    let election = row(1).election;
    station.reader().export(what, Some(&election), NOON, &mut out).unwrap();
    cells(&String::from_utf8(out).unwrap())
}

/// A ballot that a file brought in was once exported as if it were still on its way to the voter; one that was scanned and taken
/// back, with the time of the scan that was taken back.
#[test]
fn a_ballot_came_back_when_the_station_or_else_a_file_says() {
    const BY_FILE: Micros = Micros(NOON.0 - 3_600_000_000);
    let station = own_ledger::Station::default();
    let undo = |reply| Request::Undo { who: Who::os_user("clerk".to_owned()), of: None, reply };
    station.import(&(1..=7).map(row).collect::<Vec<_>>());
    for ballot in [3, 6] {
        station.scan_ballot("left", ballot);
        station.ledger().ask(undo).unwrap().unwrap();
    }
    for ballot in [2, 4] {
        station.scan_ballot("left", ballot);
    }
    let file = |n, returned| ImportRow { status: Status::Received, returned, ..row(n) };
    station.import(&[
        file(1, Some(BY_FILE)),
        file(3, Some(BY_FILE)),
        file(4, Some(BY_FILE)),
        file(5, None),
        file(6, None),
        ImportRow { returned: Some(BY_FILE), ..row(7) },
    ]);
    station.begin_import();
    let (by_file, by_scan) = ("2026-11-02T11:00:00-07:00", "2026-11-02T12:00:00-07:00");
    let expected = [by_file, by_scan, by_file, by_scan, "", "", ""];
    let of = |rows: Vec<Vec<String>>, column: usize| -> Vec<String> {
        rows.into_iter().skip(1).map(|row| row[column].clone()).collect()
    };
    assert_eq!(of(exported(&station, Export::Ballots), 6), expected);
    let sent = exported(&station, Export::BallottraxStatus);
    assert_eq!(of(sent.clone(), 2), ["Outbound"; 7]);
    assert_eq!(of(sent, 4), expected);
    let station = own_ledger::Station::default();
    let exact = Micros(BY_FILE.0 + 250_000);
    station.import(&[ImportRow { returned: Some(exact), status: Status::Received, ..row(8) }]);
    station.begin_import();
    let sent = exported(&station, Export::BallottraxStatus);
    let last = of(sent, 4).pop().unwrap();
    assert_eq!(last, "2026-11-02T11:00:00.250000-07:00");
    assert_eq!(Micros::parse_rfc3339(&last), Some(exact));
}

/// `--out` once renamed an export over the ledger that it was made of.
#[test]
fn nothing_is_written_over_the_ledger_or_what_belongs_to_it() {
    let station = scanned();
    let state = station.state();
    let mut own: Vec<_> = ["", "-wal", "-shm", "-journal", ".lock"]
        .iter()
        .map(|end| state.join(format!("ledger.sqlite{end}")))
        .collect();
    let secret = station.path("relay.secret");
    fs::write(&secret, "whsec_").unwrap();
    let relay = "[relay]\nurl = 'http://127.0.0.1:9/'\nsecret_file";
    station.add(&format!("{relay} = '{}'", secret.display()));
    own.extend([state.join("signing.key"), station.config(), secret]);
    let (link, beside) = (station.path("link"), station.path("beside"));
    std::os::unix::fs::symlink(&state, &beside).unwrap();
    fs::hard_link(station.ledger(), &link).unwrap();
    own.extend([link, beside.join("ledger.sqlite-journal"), state.join("../state/ledger.sqlite")]);
    for path in own {
        let (before, name) = (fs::read(&path).ok(), path.to_str().unwrap());
        for arguments in [
            &["export", "csv", "--out", name][..],
            &["ledger", "checkpoint", "--out", name],
            &["ledger", "backup", name, "--force"],
        ] {
            let output = station.run(arguments);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
            assert!(said.contains("belongs to the ledger itself"), "{said}");
            assert_eq!(fs::read(&path).ok(), before, "{arguments:?}");
        }
    }
    station.verify();
}

#[test]
fn the_event_log_is_valid_and_has_every_event() {
    let station = scanned();
    let schema = schema::Schema::nist_1500_101();
    for arguments in
        [&["export", "nist-1500-101"][..], &["export", "nist-1500-101", "--documentation"]]
    {
        let log: Value = serde_json::from_str(&text(&station, arguments)).unwrap();
        assert_eq!(schema.faults(&log), Vec::<String>::new());
    }
    let mut log: Value =
        serde_json::from_str(&text(&station, &["export", "nist-1500-101"])).unwrap();
    let events = log["Device"][0]["Event"].as_array().unwrap().clone();
    let in_ledger = station.look().events_after(0).len();
    assert_eq!(events.len(), in_ledger);
    let sequences: Vec<_> =
        events.iter().map(|event| event["Sequence"].as_str().unwrap()).collect();
    let expected: Vec<_> = (1..=in_ledger).map(|seq| seq.to_string()).collect();
    assert_eq!(sequences, expected);
    // What is not valid is not taken for valid.
    log["Device"][0]["Event"][3]["Disposition"] = "good".into();
    log["Device"][0]["Event"][4]["TimeStamp"] = "2026-11-03".into();
    log["Device"][0]["Extra"] = 1.into();
    assert_eq!(schema.faults(&log).len(), 3, "{:?}", schema.faults(&log));
}

#[test]
fn an_event_log_documents_every_id_and_type_that_it_uses() {
    let station = scanned();
    let json =
        |arguments: &[&str]| serde_json::from_str::<Value>(&text(&station, arguments)).unwrap();
    let documentation = json(&["export", "nist-1500-101", "--documentation"]);
    let known = |list: &str, field: &str| -> Vec<Value> {
        let entries = documentation[list].as_array().unwrap();
        entries.iter().map(|entry| entry[field].clone()).collect()
    };
    let (ids, types) = (known("EventIdDescription", "Id"), known("EventTypeDescription", "Type"));
    for event in json(&["export", "nist-1500-101"])["Device"][0]["Event"].as_array().unwrap() {
        assert!(ids.contains(&event["Id"]) && types.contains(&event["Type"]), "{event}");
        assert!(!event["Description"].as_str().unwrap().is_empty(), "{event}");
    }
}

#[test]
fn an_election_of_which_the_ledger_knows_nothing_is_no_zero() {
    let station = scanned();
    for (arguments, exit) in [
        (&["report"][..], 1),
        (&["report", "--reconciliation"], 1),
        (&["export", "csv"], 66),
        (&["export", "ballottrax-status"], 66),
        (&["export", "nist-1500-101"], 66),
        (&["ledger", "retention"], 1),
    ] {
        let known = station.run(&[arguments, &["--election", "202611"]].concat());
        assert!(!known.stdout.is_empty(), "{arguments:?}");
        let unknown = station.run(&[arguments, &["--election", "209911"]].concat());
        let said = String::from_utf8_lossy(&unknown.stderr);
        assert_eq!(unknown.status.code(), Some(exit), "{arguments:?}: {said}");
        assert!(said.contains("the ledger has no ballot of election 209911"), "{said}");
        assert!(unknown.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_report_of_which_enough_was_heard_ends_quietly() {
    let station = scanned();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut report = std::process::Command::new(env!("CARGO_BIN_EXE_ballot-intake"));
    report.args(["report", "--config"]).arg(station.config()).stdout(writer);
    let output = report.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let output = output.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}
