//! Checkpoints from the outside: signing, keeping and holding a ledger against them, by the commands that people type.
#![cfg(test)]

mod support;

use rusqlite::Connection;
use serde_json::Value;
use std::fs;
use std::process::Output;
use support::relay::{Attempt, Behavior, Relay, SECRET};
use support::station::Station;
use support::{GOOD, eventually, payload};

fn text(output: &Output) -> (Option<i32>, String) {
    let said = String::from_utf8([&*output.stdout, &*output.stderr].concat()).unwrap();
    (output.status.code(), said)
}

/// The public key that `verify` names.
fn said_key(station: &Station) -> Option<String> {
    station.json(&["ledger", "verify"])[0]["key"].as_str().map(str::to_owned)
}

#[test]
fn a_checkpoint_in_a_file_or_on_paper_shows_a_cut_ledger() {
    let station = Station::new("");
    station.import(10);
    let output = station.run(&["ledger", "checkpoint"]);
    let note = station.path("checkpoint");
    fs::write(&note, &output.stdout).unwrap();
    let note = note.to_str().unwrap();
    let made = station.json(&["ledger", "checkpoint"]).remove(0);
    let paper = made["paper"].as_str().unwrap();
    assert_eq!(made["note"].as_str().unwrap().as_bytes(), output.stdout, "nothing is signed twice");
    assert!(String::from_utf8_lossy(&output.stderr).contains(paper));
    let key = made["key"].as_str().unwrap();
    assert_eq!((key.len(), said_key(&station).as_deref()), (64, Some(key)));
    let out = station.path("out");
    let printed = station.run(&["ledger", "checkpoint", "--out", out.to_str().unwrap()]);
    assert_eq!(String::from_utf8(printed.stdout).unwrap().trim(), paper);
    assert_eq!(fs::read(&out).unwrap(), output.stdout);

    station.json(&["ballot", "set", "000000003", "received", "--reason", "by hand"]);
    for held in [note, paper] {
        let said = station.json(&["ledger", "verify", "--checkpoint", held]).remove(0);
        let expected = serde_json::json!({"seq": made["seq"], "held": "you hold", "follow": 2});
        assert_eq!((&said["ok"], &said["tail"]), (&Value::Bool(true), &expected));
        assert_eq!(said["checkpoint"]["paper"].as_str(), Some(paper));
    }
    let last = if paper.ends_with('A') { "B" } else { "A" };
    let misread = format!("{}{last}", paper.strip_suffix(|_| true).unwrap());
    let (code, said) = text(&station.run(&["ledger", "verify", "--checkpoint", &misread]));
    assert_eq!(code, Some(1), "{said}");
    let group = misread.rsplit_once('-').unwrap().1;
    assert!(
        said.contains(&format!("the paper was misread, for it fits but for group 4 ({group})"))
    );
    let plain = text(&station.run(&["ledger", "verify"]));
    assert!(plain.1.contains("a cut tail is not found"), "{plain:?}");

    let conn = Connection::open(station.ledger()).unwrap();
    conn.execute_batch("DELETE FROM event WHERE seq >= 2").unwrap();
    drop(conn);
    for held in [note, paper] {
        let (code, said) = text(&station.run(&["ledger", "verify", "--checkpoint", held]));
        assert_eq!(code, Some(1), "{said}");
        let expected = format!("cut: it ends at row 1; the checkpoint covers row {}", made["seq"]);
        assert!(said.starts_with(&expected), "{said}");
    }
}

#[test]
fn what_is_no_checkpoint_or_no_key_is_refused() {
    let station = Station::new("");
    station.import(1);
    let other = station.path("other");
    fs::write(&other, "dear diary").unwrap();
    for (arguments, expected) in [
        (vec!["--checkpoint", other.to_str().unwrap()], 1),
        (vec!["--checkpoint", "/nowhere/checkpoint"], 66),
        (vec!["--checkpoint", "12 AAAA"], 64),
        (vec!["--key", "12"], 64),
        (vec!["--key", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"], 1),
    ] {
        let (code, said) = text(&station.run(&[&["ledger", "verify"], &*arguments].concat()));
        assert_eq!(code, Some(expected), "{arguments:?}: {said}");
    }
}

/// A relay that refuses checkpoints gets every change all the same, and the next checkpoint.
#[test]
fn the_relay_witnesses_checkpoints_and_a_refusal_holds_up_no_change() {
    let relay = Relay::start(Behavior::Ok);
    let station = Station::with_scanners(&["left"], "");
    let secret = station.path("secret");
    fs::write(&secret, SECRET).unwrap();
    let (url, secret) = (relay.url(), secret.display().to_string());
    station.add(&format!("[relay]\nurl = '{url}'\nsecret_file = '{secret}'\nhold_back = '0s'"));
    station.import(10);
    let scanner = station.plug("left");
    let daemon = station.start();
    let is_checkpoint = |attempt: &&Attempt| attempt.body.contains("ledger.checkpoint");
    let checkpoints = |all: &[Attempt]| all.iter().filter(is_checkpoint).count();

    let first = station.json(&["ledger", "checkpoint"]).remove(0);
    let attempts = relay.until("the checkpoint", |all| checkpoints(all) == 1);
    let sent = attempts.iter().find(is_checkpoint).unwrap();
    let body: Value = serde_json::from_str(&sent.body).unwrap();
    assert_eq!((&body["data"]["note"], &sent.forgery), (&first["note"], &None));
    eventually("the witness's event", || {
        let tail = &station.json(&["ledger", "verify"])[0]["tail"];
        tail["held"] == "the relay keeps" && tail["seq"] == first["seq"]
    });

    station.json(&["ballot", "set", "000000007", "undeliverable", "--reason", "by hand"]);
    relay.until("the change", |all| all.len() == 2);
    relay.behave(Behavior::Refuse(422));
    eventually("the end of the outbox", || station.look().pending() == 0);
    station.json(&["ledger", "checkpoint"]);
    relay.until("the refused one", |all| checkpoints(all) == 2);
    relay.behave(Behavior::Ok);
    assert_eq!(scanner.ask(payload(1).as_bytes()), GOOD);
    relay.until("a change after it", |all| all.len() == 4);
    eventually("the end of the outbox", || station.look().pending() == 0);
    let last = station.json(&["ledger", "checkpoint"]).remove(0);
    relay.until("the next one", |all| checkpoints(all) == 3);
    eventually("the witness's event", || {
        station.json(&["ledger", "verify"])[0]["tail"]["seq"] == last["seq"]
    });
    daemon.stop();
    assert_eq!(station.logged("CheckpointRefused"), 1);
    assert_eq!(station.logged("DeliveryRefused"), 0);
    station.verify();
}
