//! One writer, always: commands with and without the daemon, strangers at its socket, and how it refuses to start.
#![cfg(test)]

mod support;

use rusqlite::Connection;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::Output;
use support::station::Station;
use support::{BAD, DEADLINE, GOOD, NOTICE, payload};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A station with a scanner and ten ballots.
fn station() -> Station {
    let station = Station::with_scanners(&["left"], "");
    station.import(10);
    station
}

#[test]
fn a_second_daemon_names_the_first_and_leaves() {
    let station = station();
    let scanner = station.plug("left");
    let daemon = station.start();
    let second = station.run(&["run"]);
    assert_eq!(second.status.code(), Some(69));
    let holder = format!("process {}", daemon.pid());
    assert!(said(&second).contains(&holder), "{}", said(&second));
    assert_eq!(scanner.ask(payload(1).as_bytes()), GOOD);
    daemon.stop();
}

#[test]
fn commands_change_the_ledger_with_the_daemon_and_without() {
    let station = station();
    let set = |ballot: &str, status: &str| {
        station.json(&["ballot", "set", ballot, status, "--reason", "by hand"]).remove(0)
    };
    assert_eq!(set("000000001", "received")["previous"], "mailed");
    let scanner = station.plug("left");
    let daemon = station.start();
    assert_eq!(scanner.ask(payload(1).as_bytes()), NOTICE);
    assert_eq!(set("000000001", "needs_attention")["previous"], "received");
    assert_eq!(set("000000002", "received")["previous"], "mailed");
    assert_eq!(scanner.ask(payload(2).as_bytes()), NOTICE);
    assert_eq!(scanner.ask(payload(3).as_bytes()), GOOD);
    assert_eq!(station.json(&["undo"])[0]["ballot"], "000000003");
    let rebuild = station.run(&["ledger", "rebuild"]);
    assert_eq!(rebuild.status.code(), Some(69), "{}", said(&rebuild));
    assert_eq!(station.json(&["ballot", "show", "000000001"])[0]["status"], "needs_attention");
    daemon.stop();
    assert_eq!(station.json(&["ballot", "show", "000000003"])[0]["status"], "mailed");
    assert_eq!(station.run(&["ledger", "rebuild"]).status.code(), Some(0));
    station.verify();
}

#[test]
fn strangers_at_the_socket_leave_the_daemon_well() {
    let station = station();
    let scanner = station.plug("left");
    let daemon = station.start();
    let socket = station.ledger().with_extension("sock");
    let mut dice = support::Dice(3);
    let noise: Vec<u8> = (0..1 << 16).map(|_| u8::try_from(dice.below(256)).unwrap()).collect();
    let strangers: [Vec<u8>; 8] = [
        Vec::new(),
        b"\n".to_vec(),
        b"{\"command\":\"und".to_vec(),
        b"{\"command\":\"unknown\"}\n".to_vec(),
        b"{\"command\":\"undo\",\"extra\":1}\n".to_vec(),
        vec![b'x'; 1 << 20],
        [vec![b'['; 1 << 20], b"\n".to_vec()].concat(),
        noise,
    ];
    for line in &strangers {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        // The daemon may hang up before it has read all of it.
        drop(stream.write_all(line));
        drop(stream.shutdown(Shutdown::Write));
        for answer in BufReader::new(stream).lines().map_while(Result::ok) {
            let answer: Value = serde_json::from_str(&answer).unwrap();
            assert_eq!(answer["answer"], "failed", "{answer}");
        }
    }
    assert_eq!(scanner.ask(payload(1).as_bytes()), GOOD);
    assert_eq!(station.json(&["undo"])[0]["ballot"], "000000001");
    let peak = daemon.memory_peak();
    assert!(peak < 96 * 1024, "{peak} KiB");
    daemon.stop();
    assert!(!socket.exists());
}

#[test]
fn those_who_say_nothing_do_not_keep_others_out() {
    let station = station();
    let daemon = station.start();
    let socket = station.ledger().with_extension("sock");
    let silent: Vec<UnixStream> = (0..20).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    let retried = station.json(&["outbox", "retry"]);
    assert_eq!(retried[0]["retried"], 0);
    drop(silent);
    daemon.stop();
}

#[test]
fn what_a_killed_daemon_leaves_is_no_obstacle() {
    let station = station();
    let daemon = station.start();
    daemon.kill9();
    assert!(station.ledger().with_extension("sock").exists());
    assert_eq!(station.json(&["outbox", "retry"])[0]["retried"], 0);
    let scanner = station.plug("left");
    let daemon = station.start();
    assert_eq!(scanner.ask(payload(1).as_bytes()), GOOD);
    assert_eq!(station.json(&["undo"])[0]["ballot"], "000000001");
    daemon.stop();
}

#[test]
fn a_ledger_of_a_newer_program_is_refused() {
    let station = station();
    let ledger = Connection::open(station.ledger()).unwrap();
    ledger.pragma_update(None, "user_version", 99).unwrap();
    drop(ledger);
    let run = station.run(&["run"]);
    assert_eq!(run.status.code(), Some(78), "{}", said(&run));
    assert!(said(&run).contains("schema version 99"), "{}", said(&run));
}

#[test]
fn a_ledger_of_another_key_or_station_is_refused() {
    let station = station();
    let key = station.state().join("signing.key");
    let ours = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let run = station.run(&["run"]);
    assert_eq!(run.status.code(), Some(78), "{}", said(&run));
    // None is made in its place: what is missing is said, today and when it is tried again.
    assert!(said(&run).contains("is not there: put its copy back"), "{}", said(&run));
    assert!(!key.exists());
    fs::write(&key, [7; 32]).unwrap();
    let run = station.run(&["run"]);
    assert_eq!(run.status.code(), Some(78), "{}", said(&run));
    assert!(said(&run).contains("put the signing key's copy back"), "{}", said(&run));
    fs::write(&key, ours).unwrap();
    let config = fs::read_to_string(station.config()).unwrap();
    fs::write(station.config(), config.replace("intake-1", "intake-2")).unwrap();
    let run = station.run(&["run"]);
    assert_eq!(run.status.code(), Some(78), "{}", said(&run));
    assert!(said(&run).contains("intake-1"), "{}", said(&run));
}

#[test]
fn a_faulty_configuration_is_refused_with_its_place() {
    let station = Station::with("[station]\nmodde = 'receive'\n");
    let place = format!("{}:2:1: ", station.config().display());
    let run = station.run(&["run"]);
    assert_eq!(run.status.code(), Some(78));
    assert!(said(&run).contains(&place), "{}", said(&run));
    let check = station.run(&["check-config"]);
    assert_eq!(check.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&check.stdout).contains(&place));
    let check = station.run(&["check-config", "--json"]);
    assert_eq!(check.status.code(), Some(1));
    let mut said: Value = serde_json::from_slice(&check.stdout).unwrap();
    let message = said["faults"][0]["message"].take();
    assert!(message.as_str().unwrap().contains("did you mean `mode`?"), "{message}");
    let faults = json!([{ "line": 2, "column": 1, "message": null }]);
    assert_eq!(said, json!({ "file": station.config(), "ok": false, "faults": faults }));
    assert!(!station.ledger().exists());
}

#[test]
fn what_run_needs_on_the_machine_is_checked_with_the_configuration() {
    let station = Station::new("");
    let secret = station.path("relay.secret");
    let backups = station.path("backups");
    station.add(&format!("backup_dir = '{}'", backups.display()));
    let relay = "[relay]\nurl = 'http://127.0.0.1:9/'\nsecret_file";
    station.add(&format!("{relay} = '{}'", secret.display()));
    let check = |exit| {
        let check = station.run(&["check-config"]);
        let said = String::from_utf8(check.stdout).unwrap();
        assert_eq!(check.status.code(), Some(exit), "{said}");
        said
    };
    let said = check(1);
    assert!(said.contains(&format!("{} is not there", secret.display())), "{said}");
    assert!(said.contains(&format!("backup_dir {} is not there", backups.display())), "{said}");
    fs::create_dir(&backups).unwrap();
    fs::write(&secret, "a secret").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let said = check(1);
    assert!(said.contains("is none") && said.contains("by everybody"), "{said}");
    fs::write(&secret, format!("whsec_{}\n", "MDEy".repeat(8))).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(!check(0).contains("note:"));
    let station = Station::with("");
    let check = station.json(&["check-config"]).remove(0);
    let notes = ["there is no [election]", "there is no [[envelope]]"];
    let notes = notes.map(|note| format!("{note}: no ballot will be marked"));
    assert_eq!((&check["ok"], &check["notes"]), (&json!(true), &json!(notes)));
}

#[test]
fn the_key_goes_where_the_ledger_goes() {
    let station = Station::new("");
    let other = station.path("other").join("ledger.sqlite");
    let csv = station.path("ballots.csv");
    fs::write(&csv, "ballot,voter\n000000001,V1\n").unwrap();
    let [csv, ledger] = [&csv, &other].map(|path| path.to_str().unwrap());
    let import = station.run(&["import", csv, "--layout", "generic", "--ledger", ledger]);
    assert_eq!(import.status.code(), Some(0), "{}", said(&import));
    assert!(other.with_file_name("signing.key").exists());
    assert_eq!(fs::read_dir(station.state()).unwrap().count(), 0);
}

#[test]
fn without_an_election_nothing_is_marked_and_it_is_said() {
    let station = station();
    let config = fs::read_to_string(station.config()).unwrap();
    fs::write(station.config(), config.replace("[election]\nid = '202611'\n", "")).unwrap();
    let scanner = station.plug("left");
    let daemon = station.start();
    assert_eq!(station.logged("NothingMarked"), 1);
    assert_eq!(scanner.ask(payload(1).as_bytes()), BAD);
    daemon.stop();
    let look = station.look();
    assert_eq!((look.received().len(), look.outbox().len(), look.scans().len()), (0, 0, 1));
}

#[test]
fn arguments_and_files_that_are_none_have_their_exit_codes() {
    let station = Station::new("");
    for (arguments, code) in [
        (&["fly"][..], 64),
        (&["ballot", "set", "1", "eaten", "--reason", "dog"], 64),
        (&["ballot", "show"], 64),
        (&["report"], 66),
        (&["undo"], 66),
        (&["ledger", "verify"], 66),
        (&["read", "no-such-picture.png"], 66),
    ] {
        let output = station.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
    }
    fs::remove_file(station.config()).unwrap();
    assert_eq!(station.run(&["run"]).status.code(), Some(66));
}

#[test]
fn a_ledger_that_is_none_is_no_ledger() {
    let station = Station::new("");
    fs::write(station.ledger(), "dear diary, ".repeat(100)).unwrap();
    for arguments in [&["run"][..], &["report"], &["ledger", "verify"], &["undo"]] {
        let output = station.run(arguments);
        assert_eq!(output.status.code(), Some(74), "{arguments:?}: {}", said(&output));
    }
    assert!(fs::read_to_string(station.ledger()).unwrap().starts_with("dear diary"));
}
