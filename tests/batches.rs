//! Batches by command, beside a running daemon and without one: scans go to the one that is open, and it is closed by count.
#![cfg(test)]

mod support;

use serde_json::{Value, json};
use std::fs;
use std::process::Output;
use support::station::Station;
use support::{GOOD, NOTICE, eventually, payload};

/// A station with a scanner and ten ballots.
fn station(more: &str) -> Station {
    let station = Station::with_scanners(&["left"], more);
    station.import(10);
    station
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn show(station: &Station, batch: &str) -> Value {
    station.json(&["batch", "show", batch]).remove(0)
}

/// A command that is refused; why, and its exit code.
#[track_caller]
fn refused(station: &Station, arguments: &[&str], exit: i32) -> String {
    let output = station.run(arguments);
    assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {}", said(&output));
    said(&output)
}

#[test]
fn a_batch_is_opened_scanned_restarted_and_closed_by_count() {
    let station = station("");
    let scanner = station.plug("left");
    let daemon = station.start();
    let opened = station.run(&[
        "batch",
        "open",
        "--received-by",
        "drop_box",
        "--place",
        "Main St",
        "--seal",
        "A1",
        "--seal",
        "A2",
    ]);
    assert_eq!(String::from_utf8_lossy(&opened.stdout), "intake-1-1\n");
    assert_eq!(scanner.ask(payload(1).as_bytes()), GOOD);
    assert_eq!(scanner.ask(payload(2).as_bytes()), GOOD);
    let why = refused(&station, &["batch", "open"], 1);
    assert!(why.contains("intake-1-1 is open"), "{why}");
    daemon.kill9();
    let scanner = station.plug("left");
    let daemon = station.start();
    // The last answer may have been lost with the daemon.
    assert_eq!(scanner.ask(payload(2).as_bytes()), GOOD);
    assert_eq!(scanner.ask(payload(3).as_bytes()), GOOD);
    let batch = show(&station, "intake-1-1");
    assert_eq!(batch["seals"], json!(["A1", "A2"]));
    assert_eq!((&batch["place"], &batch["cap"]), (&json!("Main St"), &json!(100)));
    let positions: Vec<_> = batch["scanned"].as_array().unwrap().iter().collect();
    assert_eq!((positions.len(), &positions[2]["position"]), (3, &json!(3)));
    let why = refused(&station, &["batch", "close", "1", "--counted", "4"], 1);
    assert!(why.contains("4 envelopes were counted and 3 scanned"), "{why}");
    let close = ["batch", "close", "intake-1-1", "--counted", "4", "--explain", "one is blank"];
    let closed = station.json(&close).remove(0);
    let expected = json!({
        "batch": "intake-1-1", "counted": 4, "envelopes": 3, "explanation": "one is blank"
    });
    assert_eq!(closed, expected);
    assert_eq!(scanner.ask(payload(4).as_bytes()), GOOD);
    daemon.stop();
    assert_eq!(station.report()["batches"][1]["scans"]["received"], 1);
    station.verify();
}

#[test]
fn without_a_daemon_a_batch_waits_for_its_scans() {
    let station = station("");
    let open = station.json(&["batch", "open", "--mode", "lookup", "--cap", "0"]).remove(0);
    assert_eq!(open["batch"], "intake-1-1");
    assert_eq!((&open["mode"], &open["cap"]), (&json!("lookup"), &Value::Null));
    let scanner = station.plug("left");
    let daemon = station.start();
    assert_eq!(scanner.ask(payload(1).as_bytes()), NOTICE);
    daemon.stop();
    let list = station.json(&["batch", "list"]);
    assert_eq!(list.len(), 1);
    assert_eq!((&list[0]["state"], &list[0]["scans"]["found"]), (&json!("open"), &json!(1)));
    assert_eq!(station.json(&["batch", "close", "1", "--counted", "1"])[0]["envelopes"], 1);
    assert_eq!(show(&station, "1")["state"], "closed");
    station.verify();
}

#[test]
fn what_cannot_be_is_refused() {
    let station = station("");
    for (arguments, exit, why) in [
        (&["batch", "open", "--mode", "needs_attention"][..], 1, "--attention"),
        (&["batch", "open", "--received-by", "pigeon"], 64, "drop_box"),
        (&["batch", "open", "--postmarked"], 1, "postmarked_receive_until"),
        (&["batch", "show", "1"], 1, "there is no batch intake-1-1"),
        (&["batch", "show", "intake-2-1"], 64, "no batch of station intake-1"),
        (&["batch", "close", "1", "--counted", "1"], 1, "there is no batch intake-1-1"),
        (&["batch", "close", "1"], 64, "--counted"),
        (&["batch", "open", "--received-at", "2025-11-01T12:00"], 64, "--reason"),
    ] {
        let said = refused(&station, arguments, exit);
        assert!(said.contains(why), "{arguments:?}: {said}");
    }
    for (time, exit, why) in [
        // The night of the time change in Denver.
        ("2025-11-02T01:30", 64, "2025-11-02T01:30:00-06:00 or 2025-11-02T01:30:00-07:00"),
        ("2026-03-08T02:30", 64, "the clock skips it that night"),
        ("yesterday", 64, "such as 2026-11-03T19:00"),
        ("2999-01-01T00:00", 1, "2999-01-01T00:00:00-07:00 is in the future"),
        ("2025-11-02T01:30:00-07:00", 1, "only a supervisor who signed in"),
        ("2025-11-01T12:00", 1, "only a supervisor who signed in"),
    ] {
        let open = ["batch", "open", "--received-at", time, "--reason", "drop box"];
        let said = refused(&station, &open, exit);
        assert!(said.contains(why), "{time}: {said}");
    }
    assert!(station.json(&["batch", "list"]).is_empty());
}

#[test]
fn a_full_batch_is_told_by_the_station_and_the_scanner_has_one_answer_a_scan() {
    let station = station("");
    let speaker = station.path("speaker");
    fs::write(&speaker, "").unwrap();
    let config = fs::read_to_string(station.config()).unwrap();
    let speaks = format!("[station]\nbatch_cap = 2\nspeaker = '{}'\n", speaker.display());
    fs::write(station.config(), config.replace("[station]\n", &speaks)).unwrap();
    let scanner = station.plug("left");
    let daemon = station.start();
    assert_eq!(station.json(&["batch", "open"])[0]["cap"], 2);
    assert_eq!(scanner.ask(payload(1).as_bytes()), GOOD);
    assert_eq!((station.logged("BatchFull"), fs::read(&speaker).unwrap().len()), (0, 0));
    assert_eq!(scanner.ask(payload(2).as_bytes()), GOOD);
    eventually("the warning", || !fs::read(&speaker).unwrap().is_empty());
    assert_eq!(scanner.ask(payload(3).as_bytes()), GOOD);
    daemon.stop();
    assert_eq!(station.logged("BatchFull"), 1);
    // Nothing else was sent.
    assert_eq!(scanner.read_to_end(), Vec::<u8>::new());
}
