//! Envelopes whose symbol is torn: their number is typed, looked up and confirmed.
#![cfg(test)]

mod support;

use serde_json::Value;
use support::station::Station;
use support::{GOOD, NOTICE, payload, wrong_payload};

/// Runs `receive` with these lines on its standard input; its exit code and what it said.
fn receive(station: &Station, arguments: &[&str], lines: &[&str]) -> (Option<i32>, String) {
    run(station, &[&["receive"], arguments].concat(), lines)
}

fn run(station: &Station, arguments: &[&str], lines: &[&str]) -> (Option<i32>, String) {
    let output = station.run_with(arguments, &[lines, &[""]].concat().join("\n"));
    let said = [&*output.stdout, &*output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[track_caller]
fn refused((code, said): (Option<i32>, String), why: &str) {
    assert_eq!((code, said.contains(why)), (Some(1), true), "{said}");
    drop(said);
}

#[track_caller]
fn done(answer: (Option<i32>, String)) -> String {
    assert_eq!(answer.0, Some(0), "{}", answer.1);
    answer.1
}

fn last(station: &Station) -> Value {
    station.look().scans().pop().unwrap().body
}

#[test]
fn a_torn_envelope_is_received_by_its_number_once_somebody_has_looked() {
    let station = Station::with_scanners(&["left"], "");
    station.import(10);
    let scanner = station.plug("left");
    let daemon = station.start();
    let number = payload(3);
    refused(receive(&station, &[&number], &[""]), "nothing was marked");
    refused(receive(&station, &[&number], &["y"]), "nothing was marked");
    assert!(station.look().scans().is_empty());
    let (election, rest) = number.split_at(6);
    let grouped = format!("{election} {rest}");
    let said = done(receive(&station, &[&grouped], &["yes"]));
    assert!(said.contains("ballot 000000003 in election 202611: mailed"), "{said}");
    assert!(said.contains("received (number 1 of batch 1)"), "{said}");
    let scan = last(&station);
    assert_eq!((&scan["method"], &scan["scanner"]), (&"manual".into(), &"by hand".into()));
    assert!(scan["by"].is_string() && scan["code"] == "000000003", "{scan}");
    // The same verdicts as of a scan, whichever way it comes.
    refused(receive(&station, &[&number], &["yes"]), "already_received");
    assert_eq!(scanner.ask(number.as_bytes()), NOTICE);
    assert_eq!(scanner.ask(payload(4).as_bytes()), GOOD);
    refused(receive(&station, &[&payload(4)], &["yes"]), "already_received");
    assert_eq!(run(&station, &["undo"], &[]).0, Some(0));
    done(receive(&station, &[&payload(4)], &["yes"]));
    daemon.stop();
    // Without a daemon, too.
    done(receive(&station, &[&payload(5)], &["yes"]));
    assert_eq!(station.report()["ballots"]["received"], 3);
    assert_eq!(run(&station, &["ledger", "rebuild"], &[]).0, Some(0));
    station.verify();
}

#[test]
fn what_is_no_number_of_an_envelope_is_refused_and_leaves_nothing() {
    let station = Station::new("");
    station.import(3);
    let daemon = station.start();
    let marked = || {
        let events = station.look().events_after(0);
        events.iter().filter(|event| event.text("kind") != "refused").count()
    };
    let before = marked();
    let long = "1".repeat(5_000);
    for (number, why) in [
        (wrong_payload(1).as_str(), "the check of county fails"),
        ("2024110000000179", "another election"),
        (payload(77).as_str(), "no ballot with this number"),
        ("", "1 to 128 characters"),
        (long.as_str(), "1 to 128 characters"),
        ("\u{1b}[2J", "matches no envelope format"),
        ("=1+1", "matches no envelope format"),
        ("BIS1:4Q7K:1:U:0123456789ABCDEF", "scanned and not typed"),
        ("BIB-7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "scanned and not typed"),
    ] {
        refused(receive(&station, &[number], &["yes"]), why);
    }
    assert_eq!(marked(), before);
    daemon.stop();
    station.verify();
}

#[test]
fn a_number_without_a_check_digit_is_typed_twice() {
    let config = "[facility]\nid = 'boulder'\n[station]\nid = 'intake-1'\n[election]\nid = '202611'\n[[envelope]]\n\
                  name = 'plain'\nsymbologies = ['code39']\npattern = '^(?<ballot>\\d{9})$'\nnames = 'ballot'\n";
    let station = Station::with(config);
    station.import(3);
    let daemon = station.start();
    refused(receive(&station, &["000000001"], &["yes"]), "type it twice");
    refused(receive(&station, &["000000001", "--again", "000000002"], &["yes"]), "differ");
    done(receive(&station, &["000000001", "--again", "000000001"], &["yes"]));
    assert_eq!(station.report()["ballots"]["received"], 1);
    daemon.stop();
    station.verify();
}

#[test]
fn a_clerk_who_signs_in_types_numbers_and_nobody_else_once_there_are_operators() {
    let station = Station::new("");
    station.import(3);
    let daemon = station.start();
    let root = ["operators", "add", "root", "--role", "administrator"];
    done(run(&station, &root, &["root-password"]));
    for (name, role) in [("kim", "clerk"), ("ann", "auditor")] {
        let add = ["operators", "add", name, "--role", role, "--operator", "root"];
        done(run(&station, &add, &["root-password", &format!("{name}-password")]));
    }
    let number = payload(1);
    refused(receive(&station, &[&number], &["yes"]), "--operator NAME");
    let by = |name: &str| {
        let password = format!("{name}-password");
        receive(&station, &[&number, "--operator", name], &[&password, "yes"])
    };
    refused(by("ann"), "auditor");
    done(by("kim"));
    assert_eq!(last(&station)["by"], "kim");
    daemon.stop();
    station.verify();
}

/// A confirmation is of what the same session looked up last, and is good once.
#[test]
fn only_what_was_looked_up_is_confirmed() {
    use ballot_intake::control::manual::ManualCommand;
    use ballot_intake::control::{Answer, Command as Asked, Desk};
    let station = Station::new("");
    station.import(3);
    let daemon = station.start();
    let session = || Desk::of_daemon(&station.ledger()).unwrap();
    let confirm = |ballot| Asked::Manual(ManualCommand::Confirm { number: payload(ballot) });
    let look_up =
        |ballot| Asked::Manual(ManualCommand::LookUp { number: payload(ballot), again: None });
    let mut desk = session();
    let is_refused = |answer: &Answer| matches!(answer, Answer::Refused { why, .. } if why.contains("look the number up"));
    assert!(is_refused(&desk.ask(confirm(1)).unwrap()));
    let found = desk.ask(look_up(1)).unwrap();
    assert!(matches!(&found, Answer::LookedUp(found) if found.ballot.as_str() == "000000001"));
    assert!(is_refused(&session().ask(confirm(1)).unwrap()));
    assert!(is_refused(&desk.ask(confirm(2)).unwrap()));
    assert!(is_refused(&desk.ask(confirm(1)).unwrap()));
    desk.ask(look_up(1)).unwrap();
    let marked = desk.ask(confirm(1)).unwrap();
    assert!(matches!(&marked, Answer::Marked(marked) if marked.position == 1), "{marked:?}");
    assert!(is_refused(&desk.ask(confirm(1)).unwrap()));
    assert_eq!(station.look().received().len(), 1);
    drop(desk);
    daemon.stop();
    station.verify();
}
