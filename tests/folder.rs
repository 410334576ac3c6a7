//! A folder of pictures at the real daemon: each becomes one scan and moves to where its fate belongs.
#![cfg(test)]

mod support;

use ballot_intake::cli::faces;
use ballot_intake::decode::image::{Picture, draw_symbol};
use ballot_intake::scan::Symbology;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use support::station::Station;
use support::{Dice, eventually, payload};

/// Kills of the daemon; `BALLOT_INTAKE_LONG=1` makes it 500.
const KILLS: u32 = 12;
const KILLS_LONG: u32 = 500;

/// Pictures that are dropped before each start.
const DROPPED: u32 = 4;

/// A station that looks at the pictures of a folder, with so many ballots issued.
fn station(ballots: u32) -> (Station, PathBuf) {
    let station = Station::new("");
    let folder = station.path("pictures");
    fs::create_dir(&folder).unwrap();
    station.add(&format!(
        "[[scanner]]\nname = 'pictures'\nprofile = 'folder'\npath = '{}'\n",
        folder.display()
    ));
    station.import(ballots);
    (station, folder)
}

fn face(ballot: u32) -> Vec<u8> {
    draw_symbol(Symbology::Code128, &payload(ballot), 3).unwrap().to_png().unwrap()
}

fn blank() -> Vec<u8> {
    blank_of(50)
}

fn blank_of(side: u32) -> Vec<u8> {
    let luma = vec![255; usize::try_from(side * side).unwrap()];
    Picture::from_luma(side, side, luma).unwrap().to_png().unwrap()
}

/// The symbol in the corner of a white picture of 12 megapixels, which takes a decoder long.
fn large_face(ballot: u32) -> Vec<u8> {
    let symbol = draw_symbol(Symbology::Code128, &payload(ballot), 3).unwrap();
    let mut luma = vec![255; 4_000 * 3_000];
    let rows = symbol.luma().chunks(usize::try_from(symbol.width()).unwrap());
    for (line, row) in luma.chunks_mut(4_000).zip(rows) {
        line[..row.len()].copy_from_slice(row);
    }
    Picture::from_luma(4_000, 3_000, luma).unwrap().to_png().unwrap()
}

/// The files of a folder with what is in them. Empty ones are places that a killed daemon had held for a picture.
fn pictures(folder: &Path) -> BTreeMap<Vec<u8>, usize> {
    let mut pictures = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            *pictures.entry(fs::read(path).unwrap()).or_default() += 1;
        }
    }
    pictures.remove(&Vec::new());
    pictures
}

#[test]
fn a_picture_is_a_scan_and_moves_to_where_its_fate_belongs() {
    let (station, folder) = station(10);
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

/// What else is on the face, other mail's codes among it, names nothing and does not matter.
#[test]
fn two_codes_of_one_ballot_agree_and_those_of_two_ballots_are_ambiguous() {
    let (station, folder) = station(10);
    let parcel = ("93612804213790".to_owned(), Symbology::Itf);
    let of = |ballot| (payload(ballot), Symbology::Code128);
    let envelopes = [
        ("a", vec![of(1), of(1)]),
        ("b", vec![of(2), of(3)]),
        ("c", vec![parcel.clone(), of(4)]),
        ("d", vec![of(5), parcel, of(5), of(6)]),
        ("e", vec![of(2)]),
    ];
    for (seed, (name, codes)) in (1..).zip(&envelopes) {
        let symbols: Vec<_> =
            codes.iter().map(|(payload, symbology)| (*symbology, payload.as_str())).collect();
        fs::write(folder.join(name), faces::draw(&symbols, seed).unwrap()).unwrap();
    }
    let daemon = station.start();
    for place in ["done/a", "failed/b", "done/c", "failed/d", "done/e"] {
        eventually(place, || folder.join(place).exists());
    }
    daemon.stop();
    let verdicts: Vec<String> = station.look().verdicts().into_iter().map(|(_, v)| v).collect();
    assert_eq!(verdicts, ["received", "ambiguous", "received", "ambiguous", "received"]);
    station.verify();
}

/// It was scanned anew with every attempt, and each was a row in the ledger and two in the log.
#[test]
fn a_picture_that_cannot_be_moved_is_scanned_once() {
    let (station, folder) = station(10);
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

#[test]
fn pictures_are_judged_in_name_order_however_long_each_takes() {
    let (station, folder) = station(10);
    fs::write(folder.join("0.png"), large_face(0)).unwrap();
    for ballot in 1..8 {
        fs::write(folder.join(format!("{ballot}.png")), face(ballot)).unwrap();
    }
    let daemon = station.start();
    eventually("the last picture", || folder.join("done/7.png").exists());
    daemon.stop();
    let ballots: Vec<_> =
        station.look().scans().iter().map(|scan| scan.text("ballot").to_owned()).collect();
    let in_order: Vec<_> = (0..8).map(|ballot| format!("{ballot:09}")).collect();
    assert_eq!(ballots, in_order);
}

/// Several pictures are in hand at once; a kill forgets which. Those that were judged and not moved are scanned again.
#[test]
#[expect(clippy::print_stdout, reason = "a failing run is run again with its seed")]
fn each_picture_is_received_once_and_moved_once_through_any_kill() {
    let is_long = std::env::var_os("BALLOT_INTAKE_LONG").is_some();
    let kills = if is_long { KILLS_LONG } else { KILLS };
    let seed = std::env::var("BALLOT_INTAKE_SEED")
        .map_or_else(|_| u64::from(std::process::id()), |seed| seed.parse().unwrap());
    println!("BALLOT_INTAKE_SEED={seed}");
    let mut dice = Dice(seed);
    let (station, folder) = station(kills * DROPPED);
    let (mut good, mut bad) = (BTreeMap::new(), BTreeMap::new());
    for kill in 0..kills {
        for ballot in kill * DROPPED..(kill + 1) * DROPPED {
            let picture = face(ballot);
            fs::write(folder.join(format!("{ballot:06}.png")), &picture).unwrap();
            good.insert(picture, 1);
        }
        let picture = blank_of(50 + kill);
        fs::write(folder.join(format!("{:06}.blank.png", kill * DROPPED)), &picture).unwrap();
        bad.insert(picture, 1);
        let daemon = station.start();
        let scanned = station.look().scans().len();
        let more = usize::try_from(dice.below(u64::from(DROPPED) + 1)).unwrap();
        eventually("more scans", || station.look().scans().len() >= scanned + more);
        daemon.kill9();
    }
    let daemon = station.start();
    eventually("the end of the folder", || pictures(&folder).is_empty());
    daemon.stop();
    assert!(pictures(&folder.join("done")) == good, "not every good picture is in `done` once");
    assert!(pictures(&folder.join("failed")) == bad, "not every blank picture is in `failed` once");
    let look = station.look();
    let received: Vec<_> =
        look.scans().into_iter().filter(|s| s.text("to") == "received").collect();
    let ballots: Vec<_> = received.iter().map(|scan| scan.text("ballot").to_owned()).collect();
    let each_in_order: Vec<_> = (0..kills * DROPPED).map(|ballot| format!("{ballot:09}")).collect();
    assert_eq!(ballots, each_in_order);
    station.verify();
}
