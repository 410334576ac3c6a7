//! Every built-in profile has a recording, and every recording comes to what it says when the daemon plays it.
#![cfg(test)]

use ballot_intake::scanner::profile::Profile;
use ballot_intake::scanner::recording::{Expect, Recording};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const FOLDER: &str = "fixtures/sessions/profiles";

fn path(profile: &str) -> PathBuf {
    PathBuf::from(FOLDER).join(format!("{profile}.jsonl"))
}

fn recording(profile: &str) -> Recording {
    let text = fs::read(path(profile)).unwrap_or_else(|error| panic!("{profile}: {error}"));
    Recording::parse(&text).unwrap_or_else(|error| panic!("{profile}: {error}"))
}

#[test]
fn every_profile_has_a_recording_with_good_and_bad_and_what_is_neither() {
    for profile in Profile::names() {
        let recording = recording(profile);
        assert_eq!(recording.profile.as_deref(), Some(profile));
        let expected: Vec<Expect> = recording.steps.iter().filter_map(|step| step.expect).collect();
        for wanted in [Expect::Good, Expect::Bad, Expect::Notice] {
            assert!(expected.contains(&wanted), "{profile} has no {wanted}");
        }
    }
    let recordings = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path());
    let recordings = recordings.filter(|path| path.extension().is_some_and(|e| e == "jsonl"));
    assert_eq!(recordings.count(), Profile::names().count(), "a recording is of no profile");
}

#[test]
fn every_recording_comes_to_what_it_says() {
    let temp = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ballot-intake"))
        .args(["replay", "--config", "fixtures/sessions/office.toml"])
        .args(["--ballots", "fixtures/sessions/office.csv"])
        .args(Profile::names().map(path))
        .env("TMPDIR", temp.path())
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    // So many as the recordings have, and none was left out.
    let steps = Profile::names().map(|profile| recording(profile).steps.len()).sum::<usize>();
    let scans = said.lines().filter(|line| line.starts_with(FOLDER)).count();
    let last = said.lines().last().unwrap_or_default();
    let repeats = last.split(", ").find_map(|part| part.strip_suffix(" repeats")).unwrap();
    assert_eq!(scans + repeats.parse::<usize>().unwrap(), steps, "{said}");
}

/// A night's backup that was due was made of a replay's ledger, and the oldest of the station's own made room for it.
#[test]
fn a_replay_touches_nothing_of_the_station() {
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name);
    for folder in ["backups", "log", "tmp"] {
        fs::create_dir(at(folder)).unwrap();
    }
    let earlier = at("backups").join("demo-county-demo-1-20200101T090000Z.sqlite");
    fs::write(&earlier, "a backup").unwrap();
    let office = fs::read_to_string("fixtures/sessions/office.toml").unwrap();
    let ledger = format!(
        "[ledger]\npath = '{0}/ledger.sqlite'\nbackup_dir = '{0}/backups'\nbackup_keep = 1\nlog_dir = '{0}/log'\n",
        temp.path().display()
    );
    let relay = "[relay]\nurl = 'http://127.0.0.1:9/'\nsecret_file = '/nowhere'\n";
    fs::write(at("station.toml"), format!("{office}{ledger}{relay}")).unwrap();
    for more in [&[][..], &["--practice"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_ballot-intake"))
            .args(["replay", "--ballots", "fixtures/sessions/office.csv", "--config"])
            .args([at("station.toml"), path("generic-serial")])
            .args(more)
            .env("TMPDIR", at("tmp"))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let mut left: Vec<_> = walk(temp.path());
        left.sort();
        assert_eq!(left, [earlier.clone(), at("station.toml")]);
    }
}

/// The files below a folder.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
