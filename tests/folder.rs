//! A folder of pictures at the real daemon: each becomes one scan and moves to where its fate belongs.
#![cfg(test)]

mod support;

use ballot_intake::decode::image::{Picture, draw_symbol};
use ballot_intake::scan::Symbology;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use support::station::Station;
use support::{eventually, payload};

/// A station that looks at the pictures of a folder.
fn station() -> (Station, PathBuf) {
    let station = Station::new("");
    let folder = station.path("pictures");
    fs::create_dir(&folder).unwrap();
    station.add(&format!(
        "[[scanner]]\nname = 'pictures'\nprofile = 'folder'\npath = '{}'\n",
        folder.display()
    ));
    station.import(10);
    (station, folder)
}

fn face(ballot: u32) -> Vec<u8> {
    draw_symbol(Symbology::Code128, &payload(ballot), 3).unwrap().to_png().unwrap()
}

fn blank() -> Vec<u8> {
    Picture::from_luma(50, 50, vec![255; 2_500]).unwrap().to_png().unwrap()
}

#[test]
fn a_picture_is_a_scan_and_moves_to_where_its_fate_belongs() {
    let (station, folder) = station();
    let daemon = station.start();
    for (name, bytes) in [("a.png", face(1)), ("b.png", face(900_000_001)), ("c.png", blank())] {
        fs::write(folder.join(name), bytes).unwrap();
    }
    fs::write(folder.join("d.txt"), "no picture").unwrap();
    for place in ["done/a.png", "failed/b.png", "failed/c.png", "failed/d.txt"] {
        eventually(place, || folder.join(place).exists());
    }
    daemon.stop();
    let verdicts: Vec<String> = station.look().verdicts().into_iter().map(|(_, v)| v).collect();
    assert_eq!(verdicts, ["received", "not_issued", "unreadable", "unreadable"]);
    station.verify();
}

/// It was scanned anew with every attempt, and each was a row in the ledger and two in the log.
#[test]
fn a_picture_that_cannot_be_moved_is_scanned_once() {
    let (station, folder) = station();
    let failed = folder.join("failed");
    symlink("/proc", &failed).unwrap();
    let daemon = station.start();
    fs::write(folder.join("a.png"), blank()).unwrap();
    eventually("the refusal", || station.logged("ScannerLost") == 1);
    for _ in 0..60 {
        assert_eq!(station.report()["scans"]["unreadable"], 1);
    }
    assert_eq!(station.logged("ScannerLost"), 1);
    fs::remove_file(&failed).unwrap();
    eventually("the picture", || failed.join("a.png").exists());
    daemon.stop();
    assert_eq!(station.look().scans().len(), 1);
}
