//! The second record of events: whole after every stop, mended where it is torn, and an alarm where it was changed.

use crate::office::{cared_for, chain, hex, listed};
use crate::support::eventually;
use crate::support::station::Station;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;

fn set(station: &Station, ballot: u32) {
    let ballot = format!("{ballot:09}");
    station.json(&["ballot", "set", &ballot, "received", "--reason", "by hand"]);
}

/// A station whose daemon ran once, and the file that it wrote.
fn written() -> (Station, PathBuf) {
    let station = cared_for(&[]);
    station.import(10);
    station.start().stop();
    let file = listed(&station.path("log")).remove(0);
    (station, file)
}

/// Row and hash of every line, each checked as the format is described.
#[track_caller]
fn lines(station: &Station) -> Vec<(i64, Vec<u8>)> {
    let (mut found, mut before) = (Vec::new(), vec![0; 32]);
    for file in listed(&station.path("log")) {
        for line in fs::read_to_string(file).unwrap().lines() {
            let whole: Value = serde_json::from_str(line).unwrap();
            let (_, body) = line.split_once("\"body\":").unwrap();
            let body = body.strip_suffix('}').unwrap();
            before = Sha256::new().chain_update(&before).chain_update(body).finalize().to_vec();
            assert_eq!(whole["hash"], hex(&before), "{line}");
            found.push((whole["seq"].as_i64().unwrap(), before.clone()));
        }
    }
    found
}

#[test]
fn every_event_has_its_line_once_the_daemon_has_stopped() {
    let (station, _) = written();
    set(&station, 1);
    station.start().stop();
    assert_eq!(lines(&station), chain(&station.ledger()));
}

#[test]
fn a_torn_end_is_cut_off_and_written_anew() {
    let (station, file) = written();
    for (n, torn) in (1..).zip([&b"{\"seq\":99"[..], b"\0\0\0\0\n{\"seq\":4,", b"\0"]) {
        File::options().append(true).open(&file).unwrap().write_all(torn).unwrap();
        set(&station, n);
        station.start().stop();
        assert_eq!(lines(&station), chain(&station.ledger()));
    }
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 7]).unwrap();
    station.start().stop();
    assert_eq!(fs::read(&file).unwrap(), whole);
    assert_eq!(station.logged("EventLogDiverged"), 0);
}

#[test]
fn a_line_that_was_changed_is_an_alarm_and_stays() {
    let (station, file) = written();
    let text = fs::read_to_string(&file).unwrap();
    let more = "{\"seq\":99,\"hash\":\"00\",\"body\":{}}\n";
    for changed in [text.replacen("boulder", "bouldex", 1), text.clone() + more] {
        fs::write(&file, &changed).unwrap();
        let alarms = station.logged("EventLogDiverged");
        let daemon = station.start();
        eventually("the alarm", || station.logged("EventLogDiverged") > alarms);
        daemon.stop();
        assert_eq!(fs::read_to_string(&file).unwrap(), changed);
    }
}

#[test]
fn a_log_that_is_ahead_of_its_ledger_is_an_alarm() {
    let (station, _) = written();
    let (copy, _) = crate::office::back_up(&station, "copy");
    set(&station, 1);
    station.start().stop();
    let back = crate::office::restore(&station, &copy, &["--lose-events", "1"]);
    crate::office::check(&back, 0, "");
    station.start().stop();
    assert!(station.logged("EventLogDiverged") > 0);
}
