//! What is installed beside the program: systemd finds no fault in the unit, and it stays hardened; the README's section names what
//! is there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Highest exposure that `systemd-analyze security` may find, in tenths; a unit without hardening has 96.
const EXPOSURE_TENTHS_MAX: u32 = 15;

const UNIT: &str = include_str!("../../../deploy/ballot-relay.service");
const TMPFILES: &str = include_str!("../../../deploy/ballot-relay.tmpfiles");
const CONFIG: &str = include_str!("../../../deploy/relay.toml");
const README: &str = include_str!("../../../README.md");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs a tool of systemd upon the unit as it is installed, but with the program that was built; nothing when it is not there.
fn systemd(arguments: &[&str]) -> Option<Output> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ballot-relay.service");
    let unit = UNIT.replace("/usr/bin/ballot-relay", env!("CARGO_BIN_EXE_ballot-relay"));
    assert_ne!(unit, UNIT, "the unit starts another program");
    fs::write(&path, unit).unwrap();
    match Command::new("systemd-analyze").args(arguments).arg(&path).output() {
        Ok(output) => Some(output),
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}");
            skipped();
            None
        }
    }
}

#[expect(clippy::print_stdout, reason = "a test that proves nothing says so")]
fn skipped() {
    println!("skipped: systemd-analyze is not installed");
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn systemd_finds_no_fault_in_the_relays_unit() {
    let Some(output) = systemd(&["verify", "--man=no"]) else { return };
    assert!(output.status.success() && said(&output).is_empty(), "{}", said(&output));
}

#[test]
fn systemd_finds_the_relays_unit_hardened() {
    let threshold = format!("--threshold={EXPOSURE_TENTHS_MAX}");
    let arguments = ["security", "--offline=true", "--no-pager", &threshold];
    let Some(output) = systemd(&arguments) else { return };
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("Overall exposure level"), "{}", said(&output));
}

/// Commands are typed before the service first starts: its folder, and the owner and mode of every secret, come from tmpfiles.
#[test]
fn the_folder_of_the_database_and_every_secret_are_the_relays_own() {
    let url = CONFIG.lines().find_map(|line| line.strip_prefix("url = \"sqlite:")).unwrap();
    let folder = Path::new(url).parent().unwrap().to_str().unwrap();
    let owned = |line: &&str| {
        let words: Vec<_> = line.split_whitespace().collect();
        words[..5] == ["d", folder, "0700", "ballot-relay", "ballot-relay"]
    };
    assert_eq!(TMPFILES.lines().filter(|line| !line.starts_with('#')).filter(owned).count(), 1);
    for key in ["User=ballot-relay", "StateDirectory=ballot-relay", "StateDirectoryMode=0700"] {
        assert!(UNIT.lines().any(|line| line == key), "{key}");
    }
    let named =
        CONFIG.lines().filter(|line| line.contains("_file")).flat_map(|line| line.split('"'));
    let files: Vec<_> = named.filter_map(|text| text.strip_prefix("/etc/ballot-relay/")).collect();
    assert!(files.len() > 8, "{files:?}");
    // Certificates are no secrets.
    for file in
        files.into_iter().filter(|file| file.rsplit_once('.').is_none_or(|(_, end)| end != "crt"))
    {
        let pattern = file.rsplit_once('.').map_or(file.to_owned(), |(_, end)| format!("*.{end}"));
        let line = format!("z /etc/ballot-relay/{pattern} ");
        assert!(TMPFILES.lines().any(|known| known.starts_with(&line)), "{file}");
    }
}

#[test]
fn every_test_and_file_of_the_relay_that_the_readme_names_is_there() {
    let quoted = README.split('`').skip(1).step_by(2);
    let named: Vec<&str> = quoted.filter(|place| place.starts_with("relay/")).collect();
    assert!(named.len() > 10, "{named:?}");
    for place in named {
        let (name, test) = place.split_once("::").unwrap_or((place, ""));
        let file = root().join(name);
        assert!(file.exists(), "{place} is not there");
        let source = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            test.is_empty() || source.contains(&format!("fn {test}(")),
            "there is no test {place}"
        );
    }
}

#[test]
fn every_command_of_the_relay_that_the_readme_names_is_one() {
    let rows = README.lines().skip_while(|line| !line.starts_with("| relay command |")).skip(2);
    let rows: Vec<&str> = rows.take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 6, "{rows:?}");
    for row in rows {
        let command = row.split('`').nth(1).unwrap();
        let words = command
            .split(' ')
            .skip(1)
            .take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
        let helped = Command::new(env!("CARGO_BIN_EXE_ballot-relay"))
            .args(words)
            .arg("--help")
            .output()
            .unwrap();
        assert!(helped.status.success(), "`{command}` is no command");
    }
}
