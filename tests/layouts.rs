//! Mail ballot and status files of every layout with every kind of dirt: what is taken of them, row by row; a county's own layout
//! and its own codes; and an election that is named by its day.
#![cfg(test)]

use ballot_intake::ballot::ElectionId;
use ballot_intake::clock::{Micros, Zone};
use ballot_intake::ledger::{ImportRow, Layout, Rows, Rules};
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

/// The rows that are taken, one a line behind the line of the file.
fn read(layout: &Layout, file: &[u8]) -> String {
    let piece = Rows::open(file, layout, rules()).unwrap().piece(10_000).unwrap();
    let mut taken = String::new();
    for (origin, row) in piece.origins.iter().zip(&piece.rows) {
        writeln!(taken, "{} {}", origin.line, serde_json::to_string(row).unwrap()).unwrap();
    }
    taken
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
        let taken = read(&layout, &file);
        let stem = name.rsplit_once('.').unwrap().0;
        let expected = fs::read_to_string(fixture(&format!("{stem}.rows.txt"))).unwrap();
        assert_eq!(taken, expected, "{name}");
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

/// A code of the county's own kind, from the column of the list to the envelope that carries it.
#[test]
fn a_code_that_a_column_of_the_list_names_makes_its_envelope_known() {
    let dir = county(&[]);
    let envelope = "\n[[envelope]]\nname = 'county'\nsymbologies = ['code128']\n\
                    pattern = '^P(?<packet>\\d{4})$'\nnames = 'packet'\n";
    let config = fs::read_to_string(dir.path().join("config.toml")).unwrap() + envelope;
    fs::write(dir.path().join("config.toml"), config).unwrap();
    fs::write(dir.path().join("list.csv"), "ballot,voter,packet\n1,2,0042\n3,4,0043\n").unwrap();
    let session = r#"{"ms": 0, "in": "]C0P0043\r"}
{"ms": 9000, "in": "]C0P0042\r"}
{"ms": 18000, "in": "]C0P0044\r"}
"#;
    fs::write(dir.path().join("session.jsonl"), session).unwrap();
    let played = run(&dir, &["replay", "session.jsonl", "--ballots", "list.csv"]);
    let said = String::from_utf8([played.stdout, played.stderr].concat()).unwrap();
    let told = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let told: Vec<_> = told.map(|scan| (scan["verdict"].clone(), scan["ballot"].clone())).collect();
    let received = |ballot: &str| ("received".into(), ballot.into());
    let unknown = ("not_issued".into(), serde_json::Value::Null);
    assert_eq!(told.get(..3), Some(&[received("3"), received("1"), unknown][..]), "{said}");
}

/// Where a postmark counts, envelopes come in for days after the election.
#[test]
fn an_election_s_day_is_the_configured_one() {
    let file = "ncid,election_dt,ballot_req_dt,ballot_rtn_status\nZZ1,11/03/2026,09/01/2020,\n";
    for (id, day, deadline, taken) in [
        ("202611", Some("2026-11-03"), Some("2026-11-06T17:00"), true),
        ("general", Some("2026-11-03"), Some("2026-11-06T17:00"), true),
        ("202611", Some("2026-11-17"), Some("2026-11-03T19:00"), false),
        ("202611", None, Some("2026-11-03T19:00"), true),
        ("202611", None, Some("2026-11-17T19:00"), false),
        ("2026-11-03", None, Some("2026-11-06T17:00"), true),
        ("202611", None, None, true),
        ("general", None, None, false),
    ] {
        let dir = county(&[]);
        let key = |name: &str, value: Option<&str>| {
            value.map_or_else(String::new, |value| format!("\n{name} = '{value}'"))
        };
        let keys = key("day", day) + &key("receive_until", deadline);
        let config = fs::read_to_string(dir.path().join("config.toml")).unwrap();
        let config = config.replace("id = '202611'", &format!("id = '{id}'{keys}"));
        fs::write(dir.path().join("config.toml"), config).unwrap();
        fs::write(dir.path().join("list.csv"), file).unwrap();
        let import = run(&dir, &["import", "list.csv", "--layout", "nc-absentee", "--dry-run"]);
        let told: serde_json::Value = serde_json::from_slice(&import.stdout).unwrap();
        assert_eq!(told["issued"] == 1, taken, "{id} {day:?} {deadline:?} {told}");
    }
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
