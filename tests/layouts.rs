//! Mail ballot and status files of every layout with every kind of dirt: what is taken and what is refused, row by row; and a
//! county's own layout.
#![cfg(test)]

use ballot_intake::ballot::ElectionId;
use ballot_intake::clock::{Micros, Zone};
use ballot_intake::ledger::{ImportRow, Layout, RefusedRows, Rows, Rules};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// The files, and the columns of each that mean nothing in its layout.
const FILES: [(&str, &str, &[&str]); 5] = [
    ("ce-068", "ce-068/dirt.txt", &["county"]),
    ("ce-068", "ce-068/comma.csv", &["county"]),
    ("vr-systems", "vr-systems/dirt.csv", &[]),
    ("nc-absentee", "nc-absentee/dirt.csv", &[]),
    ("ballottrax-status", "ballottrax-status/dirt.csv", &[]),
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/import").join(name)
}

fn rules() -> Rules {
    Rules {
        election: Some(ElectionId::new("202611").unwrap()),
        election_day: Some("2026-11-03".to_owned()),
        named: None,
        codes: Vec::new(),
        zone: Zone::named("America/Denver").unwrap(),
        now: Micros::parse_rfc3339("2026-10-20T12:00:00-06:00").unwrap(),
    }
}

/// The rows that are taken, one a line behind the line of the file, and the file of those that are refused.
fn read(layout: &Layout, file: &[u8]) -> (String, String) {
    let mut rows = Rows::open(file, layout, rules()).unwrap();
    let mut refused = RefusedRows::begin(Vec::new(), rows.header()).unwrap();
    let piece = rows.piece(10_000).unwrap();
    piece.refused.iter().for_each(|row| refused.write(row).unwrap());
    let mut taken = String::new();
    for (origin, row) in piece.origins.iter().zip(&piece.rows) {
        writeln!(taken, "{} {}", origin.line, serde_json::to_string(row).unwrap()).unwrap();
    }
    (taken, String::from_utf8(refused.end().unwrap()).unwrap())
}

fn run(dir: &TempDir, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ballot-intake"))
        .args(arguments)
        .args(["--config", "config.toml", "--json"])
        .current_dir(dir.path())
        .output()
        .unwrap()
}

/// A station of a county with layouts of its own.
fn county(layouts: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    let config = "[election]\nid = '202611'\n[ledger]\npath = 'ledger.sqlite'\n";
    let config =
        config.replace("'ledger.sqlite'", &format!("{:?}", dir.path().join("ledger.sqlite")));
    fs::write(dir.path().join("config.toml"), config).unwrap();
    fs::create_dir(dir.path().join("layouts")).unwrap();
    for (name, text) in layouts {
        fs::write(dir.path().join("layouts").join(format!("{name}.toml")), text).unwrap();
    }
    dir
}

/// The layout that the README shows.
fn readme_layout() -> &'static str {
    let readme = include_str!("../README.md");
    let block = readme.split("```toml layout\n").nth(1).unwrap();
    block.split("```").next().unwrap()
}

#[test]
fn a_file_with_every_kind_of_dirt_is_taken_as_far_as_it_can_be() {
    for (layout, name, unknown) in FILES {
        let layout = Layout::named(layout).unwrap();
        let file = fs::read(fixture(name)).unwrap();
        let header = Rows::open(&file[..], &layout, rules()).unwrap();
        assert_eq!(header.header().unknown(), unknown, "{name}");
        let (taken, refused) = read(&layout, &file);
        let stem = name.rsplit_once('.').unwrap().0;
        let expected = fs::read_to_string(fixture(&format!("{stem}.rows.txt"))).unwrap();
        assert_eq!(taken, expected, "{name}");
        let expected = fs::read_to_string(fixture(&format!("{stem}.refused.csv"))).unwrap();
        assert_eq!(refused, expected, "{name}");
    }
}

#[test]
fn every_row_is_taken_or_refused() {
    for (layout, name, _) in FILES {
        let layout = Layout::named(layout).unwrap();
        let file = fs::read(fixture(name)).unwrap();
        let mut rows = Rows::open(&file[..], &layout, rules()).unwrap();
        let piece = rows.piece(10_000).unwrap();
        let mut lines: Vec<u64> = piece.origins.iter().map(|origin| origin.line).collect();
        lines.extend(piece.refused.iter().map(|refused| refused.origin.line));
        lines.sort_unstable();
        let records = lines.len();
        lines.dedup();
        assert_eq!(lines.len(), records, "{name}: a line is told twice");
        let text = String::from_utf8_lossy(&file);
        // An address may stand in two lines.
        let begins_one = |line: &&str| !line.is_empty() && !line.starts_with("REAR");
        assert_eq!(records, text.lines().skip(1).filter(begins_one).count(), "{name}");
    }
}

#[test]
fn no_name_of_a_voter_is_in_a_row_or_a_reason() {
    for (layout, name, _) in FILES {
        let layout = Layout::named(layout).unwrap();
        let file = fs::read(fixture(name)).unwrap();
        let piece = Rows::open(&file[..], &layout, rules()).unwrap().piece(10_000).unwrap();
        let rows = serde_json::to_string::<Vec<ImportRow>>(&piece.rows).unwrap();
        let reasons = piece.refused.into_iter().map(|refused| refused.reason);
        for text in reasons.chain([rows]) {
            let upper = text.to_uppercase();
            assert!(
                !["ANA", "EXAMPLE", "TEST ST"].iter().any(|name| upper.contains(name)),
                "{text}"
            );
        }
    }
}

#[test]
fn a_county_adds_a_layout_without_a_compiler() {
    let text = readme_layout();
    let layout = Layout::parse(text).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let name = layout.name();
    let dir = county(&[(name, text)]);
    let file = "VOTER NO\tIssue\tLabel\tOut\tState\r\n\
                600000007\t1\tA1\t10/9/2020 8:15\tout\r\n\
                600000008\t2\tA2\t2/31/2020 8:15\tout\r\n\
                600000009\t3\tA3\t\tLost\r\n";
    fs::write(dir.path().join("list.txt"), file).unwrap();
    assert!(run(&dir, &["check-config"]).status.success());
    let import = run(&dir, &["import", "list.txt", "--layout", name]);
    let told = String::from_utf8(import.stdout).unwrap();
    let said = String::from_utf8(import.stderr).unwrap();
    assert!(told.starts_with(r#"{"rows":3,"issued":1,"#), "{told} {said}");
    let refused = fs::read_to_string(dir.path().join("list.txt.refused.csv")).unwrap();
    let lines: Vec<_> = refused.lines().skip(1).collect();
    assert!(lines[0].starts_with("3\t4 (out)\tthe time is neither"), "{refused}");
    assert!(lines[1].starts_with("4\t5 (state)\t\"status \"\"Lost\"\" is unknown\""), "{refused}");
}

#[test]
fn a_layout_that_is_none_is_told_with_its_place() {
    let dir = county(&[
        ("own", "name = 'own'\n[columns]\nvoter = 'v'\nvoted = 'x'\n"),
        ("generic", "name = 'generic'\n[columns]\nvoter = 'v'"),
    ]);
    fs::write(dir.path().join("list.csv"), "v\n1\n").unwrap();
    let check = run(&dir, &["check-config"]);
    let told: serde_json::Value = serde_json::from_slice(&check.stdout).unwrap();
    assert_eq!((check.status.code(), &told["ok"]), (Some(1), &false.into()));
    let broken = told["layouts"].as_array().unwrap();
    assert_eq!(broken.len(), 2, "{told}");
    assert_eq!((&broken[1]["line"], &broken[1]["column"]), (&4.into(), &1.into()));
    for (layout, exit, why) in [
        ("own", 78, "own.toml:4:1: unknown column \"voted\""),
        ("owm", 64, "there is no layout owm; there are ballottrax-status, ce-068, generic"),
        (
            "ce-068",
            1,
            "its header row has no column `VOTER_ID`; columns are separated by `|` or commas",
        ),
    ] {
        let import = run(&dir, &["import", "list.csv", "--layout", layout]);
        let said = String::from_utf8(import.stderr).unwrap();
        assert_eq!(import.status.code(), Some(exit), "{said}");
        assert!(said.contains(why), "{said}");
    }
}
