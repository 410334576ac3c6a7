//! What names no ballot leaves no text behind: not in the ledger, its write-ahead log or any other file of the state folder, not
//! in the log, and not at the relay.
#![cfg(test)]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::fs;
use support::relay::{Behavior, Relay, SECRET};
use support::station::{Station, files};
use support::{BAD, GOOD, frames, payload, wrong_payload};

/// Payloads that name no ballot, each with a piece of its text by which it would be found.
fn secrets() -> Vec<(Vec<u8>, &'static str)> {
    vec![
        (b"@ANSI 636020090002DL00410270DCSDOEQUAYLE".to_vec(), "DOEQUAYLE"),
        (b"DAQ94-213-7788 DBB08141966".to_vec(), "94-213-7788"),
        (b"]L2DAG1776 SECRET HOLLOW RD".to_vec(), "SECRET HOLLOW"),
        (b"INNER-BALLOT-4417-STYLE-88231".to_vec(), "4417-STYLE"),
        (payload(987_654_321).into_bytes(), "987654321"),
        (wrong_payload(123_498_765).into_bytes(), "123498765"),
        (b"5558675309@example.net".to_vec(), "5558675309"),
        (b"https://track.example.net/?voter=Zyxwv".to_vec(), "Zyxwv"),
    ]
}

/// The text, and what it looks like in hexadecimal and base64.
fn disguises(payload: &[u8], text: &str) -> Vec<Vec<u8>> {
    let hex = text.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    vec![
        text.as_bytes().to_vec(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
        STANDARD.encode(payload).into_bytes(),
        URL_SAFE_NO_PAD.encode(payload).into_bytes(),
    ]
}

#[track_caller]
fn nothing_is_left(station: &Station, relay: &Relay) {
    let mut places: Vec<(String, Vec<u8>)> = files(&station.state())
        .into_iter()
        .filter(|path| path.is_file())
        .map(|path| (path.display().to_string(), fs::read(path).unwrap()))
        .collect();
    assert!(places.iter().any(|(path, _)| path.ends_with("ledger.sqlite-wal")));
    places.push(("the log".to_owned(), station.log().into_bytes()));
    for attempt in relay.attempts() {
        places.push(("the relay".to_owned(), attempt.body.into_bytes()));
    }
    for (payload, text) in secrets() {
        for disguise in disguises(&payload, text) {
            for (place, bytes) in &places {
                let found = bytes.windows(disguise.len()).any(|window| window == disguise);
                assert!(!found, "{text} stands in {place}");
            }
        }
    }
}

#[test]
fn what_names_no_ballot_leaves_no_text() {
    let relay = Relay::start(Behavior::Ok);
    let station = Station::with_scanners(&["left"], "");
    fs::write(station.path("secret"), SECRET).unwrap();
    station.add(&format!(
        "[relay]\nurl = '{}'\nsecret_file = '{}'\nhold_back = '0s'",
        relay.url(),
        station.path("secret").display()
    ));
    station.import(10);
    let scanner = station.plug("left");
    let daemon = station.start();
    for (payload, _) in secrets() {
        assert_eq!(scanner.ask(&payload), BAD);
    }
    // Half a frame, too.
    scanner.write(b"HALF-94-213-7788");
    assert_eq!(scanner.read(1), [BAD]);
    assert_eq!(scanner.exchange(&frames([1]), 1, support::pty::Manner::ReadAsYouWrite), [GOOD]);
    relay.until("the change", |attempts| attempts.len() == 1);
    nothing_is_left(&station, &relay);
    daemon.stop();
    nothing_is_left(&station, &relay);
    let scans = station.look().scans();
    assert_eq!(scans.len(), secrets().len() + 1);
    assert!(scans.iter().filter(|scan| scan.text("mac").len() == 64).count() == secrets().len());
    station.verify();
}
