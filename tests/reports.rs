//! Reports and exports as people get them: through the command line, beside a running daemon.
#![cfg(test)]

#[path = "reports/schema.rs"]
mod schema;
mod support;

use serde_json::Value;
use std::fs;
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
    let said = &station.json(&["export", "ballottrax-status", "--out", path.to_str().unwrap()])[0];
    assert_eq!((&said["rows"], &said["left_out"]), (&23.into(), &1.into()));
    let rows = cells(&fs::read_to_string(&path).unwrap());
    assert_eq!(rows[0][..3], ["ElectionNumber", "VoterID", "BallotStatus"]);
    let of = |voter: &str| rows.iter().find(|row| row[1] == voter).unwrap();
    let received = of("V00000001");
    assert_eq!((received[2].as_str(), received[3].as_str()), ("Outbound", ""));
    assert!(received[4].contains('T'), "a returned date: {received:?}");
    assert_eq!(of("V00000005")[2..5], ["Outbound", "", ""]);
    assert_eq!(of("V23")[2..4], ["Rejected", "2026-10-05T00:00:00-06:00"]);
    assert_eq!(of("V23")[7..], ["N", "signature_missing", "FALSE", "TRUE"]);
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
