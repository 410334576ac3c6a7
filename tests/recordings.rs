//! Every built-in profile has a recording, and every recording comes to what it says when the daemon plays it.
#![cfg(test)]

use ballot_intake::scanner::profile::Profile;
use ballot_intake::scanner::recording::{Expect, Recording};
use std::fs;
use std::path::PathBuf;
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
