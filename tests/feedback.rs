//! What a scanner is told by command of the host: after the commit, truthfully, and with "stop on bad" no more than one bad scan.
#![cfg(test)]

mod support;

use rustix::event::PollFlags;
use std::fs;
use support::disk::Disk;
use support::pty::{Manner, Pty};
use support::station::Station;
use support::{Deadline, GOOD, frames, payload, wrong_payload};

/// Honeywell's "Host ACK": ESC, a command, a comma.
const ESC_GOOD: &[u8] = b"\x1b7,";
const ESC_BAD: &[u8] = b"\x1b8,\x1b8,";
const ESC_FAULT: &[u8] = b"\x1b8,\x1b8,\x1b8,\x1b8,";

/// A station with one scanner of that profile.
fn station(profile: &str, more: &str) -> Station {
    let station = Station::new("");
    station.add(&format!(
        "[[scanner]]\nname = 'left'\nprofile = '{profile}'\npath = '{}'\n{more}",
        station.tty("left").display()
    ));
    station.import(10);
    station
}

#[track_caller]
fn asks(scanner: &Pty, frame: &[u8], answer: &[u8]) {
    let heard = scanner.exchange(frame, answer.len(), Manner::ReadAsYouWrite);
    assert_eq!(heard, answer, "{}", String::from_utf8_lossy(frame));
}

#[test]
fn a_host_ack_scanner_hears_good_only_after_the_commit() {
    let mut station = station("honeywell-xenon-1900", "");
    let disk = Disk::under(&mut station);
    let scanner = station.plug("left");
    let daemon = station.start();
    for ballot in 0..5 {
        disk.tell("sync.held");
        scanner.write(&frames([ballot]));
        disk.holds();
        // The row is written, and not yet safe. All that was said before the sync would be on the line.
        assert_eq!(scanner.read_some(usize::MAX), Some(Vec::new()), "said before the commit");
        disk.mend("sync.held");
        assert_eq!(scanner.read(ESC_GOOD.len()), ESC_GOOD);
    }
    daemon.stop();
    assert_eq!(station.look().received().len(), 5);
    station.verify();
}

#[test]
fn a_host_ack_scanner_that_gave_up_hears_no_answer_to_another_envelope() {
    let mut station = station("honeywell-xenon-1900", "");
    let disk = Disk::under(&mut station);
    let scanner = station.plug("left");
    let daemon = station.start();
    disk.tell("sync.held");
    scanner.write(&frames([1]));
    disk.holds();
    // It gave up, and the clerk scanned on: twice.
    scanner.write(&frames([2]));
    scanner.write(&frames([3]));
    disk.mend("sync.held");
    assert_eq!(scanner.read(ESC_GOOD.len()), ESC_GOOD);
    // That was for the third: the next is for the next.
    asks(&scanner, format!("{}\r", wrong_payload(4)).as_bytes(), ESC_BAD);
    daemon.stop();
    assert_eq!(station.look().received().len(), 3);
    station.verify();
}

#[test]
fn a_host_ack_scanner_hears_the_alarm_when_the_disk_fails() {
    let mut station = station("honeywell-xenon-1900", "");
    let disk = Disk::under(&mut station);
    let scanner = station.plug("left");
    let daemon = station.start();
    asks(&scanner, &frames([0]), ESC_GOOD);
    asks(&scanner, format!("{}\r", wrong_payload(1)).as_bytes(), ESC_BAD);
    disk.tell("sync.always");
    for ballot in [1, 2] {
        asks(&scanner, &frames([ballot]), ESC_FAULT);
    }
    disk.mend("sync.always");
    let deadline = Deadline::new();
    loop {
        deadline.check("a good answer");
        scanner.write(&frames([2]));
        let heard = scanner.read(ESC_GOOD.len());
        if heard == ESC_GOOD {
            break;
        }
        assert_eq!([heard, scanner.read(ESC_FAULT.len() - ESC_GOOD.len())].concat(), ESC_FAULT);
    }
    daemon.stop();
    station.verify();
}

#[test]
fn a_scanner_that_stops_on_bad_is_locked_until_somebody_acknowledges() {
    let station = station("cipherlab-1660", "stop_on = 'bad'\n");
    let scanner = station.plug("left");
    let daemon = station.start();
    let (good, lock, unlock) = (b"#@////\r", b"#@----\r", b"#@....\r");
    asks(&scanner, &frames([0]), good);
    // It has no tone for bad: the station has.
    asks(&scanner, format!("{}\r", wrong_payload(1)).as_bytes(), lock);
    let state = || station.json(&["devices"]).into_iter().find(|d| d["scanner"] == "left").unwrap();
    assert_eq!(state()["is_locked"], true);
    // It is asked again as it comes back.
    drop(scanner);
    let scanner = station.plug("left");
    assert_eq!(scanner.read(lock.len()), lock);
    assert_eq!(station.json(&["acknowledge"])[0]["acknowledged"], 1);
    assert_eq!(scanner.read(unlock.len()), unlock);
    assert_eq!(state()["is_locked"], false);
    // One that is not known to be locked may be from before the daemon, and is told all the same.
    assert_eq!(station.json(&["acknowledge"])[0]["acknowledged"], 0);
    assert_eq!(scanner.read(unlock.len()), unlock);
    let nobody = station.run(&["acknowledge", "right"]);
    assert_eq!(nobody.status.code(), Some(1));
    asks(&scanner, &frames([2]), good);
    daemon.stop();
    assert_eq!(station.run(&["acknowledge"]).status.code(), Some(69));
    station.verify();
}

/// What the daemon recorded of its one scanner.
fn recorded(station: &Station) -> String {
    let mut files = fs::read_dir(station.path("recordings")).unwrap();
    let path = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none(), "one scanner has one recording");
    fs::read_to_string(path).unwrap()
}

#[track_caller]
fn record(arguments: &[&str]) -> (Station, String) {
    let station = station("generic-serial", "");
    fs::create_dir(station.path("recordings")).unwrap();
    let folder = station.path("recordings").display().to_string();
    let scanner = station.plug("left");
    let daemon = station.start_with(&[&["--record", &*folder], arguments].concat());
    assert_eq!(scanner.exchange(&frames([1, 1, 2]), 2, Manner::ReadAsYouWrite), [GOOD, GOOD]);
    scanner.write(payload(3).as_bytes());
    assert_eq!(scanner.read(1).len(), 1);
    scanner.wait(PollFlags::OUT, &Deadline::new());
    daemon.stop();
    let text = recorded(&station);
    (station, text)
}

#[test]
fn a_recorded_session_is_played_as_it_was() {
    let (station, text) = record(&["--record-payloads"]);
    assert!(text.contains(&payload(1)), "{text}");
    let ballots = station.path("ballots.csv");
    fs::write(&ballots, "ballot,voter\n000000001,V1\n000000002,V2\n").unwrap();
    let path = station.path("session.jsonl");
    fs::write(&path, text).unwrap();
    let played =
        station.json(&["replay", path.to_str().unwrap(), "--ballots", ballots.to_str().unwrap()]);
    let counts = played.last().unwrap();
    assert_eq!(counts["scans"]["received"], 2, "{counts}");
    assert_eq!((&counts["repeats"], &counts["no_reads"]), (&1.into(), &1.into()));
    assert_eq!(counts["unexpected"], 0);
}

#[test]
fn a_recording_holds_no_payload_unless_asked() {
    let (station, text) = record(&[]);
    assert!(!text.contains("202611"), "{text}");
    let path = station.path("session.jsonl");
    fs::write(&path, text).unwrap();
    let played = station.json(&["replay", path.to_str().unwrap()]);
    let counts = played.last().unwrap();
    assert_eq!(counts["scans"]["unreadable"], 2, "{counts}");
    assert_eq!((&counts["repeats"], &counts["unexpected"]), (&1.into(), &0.into()));
}
