//! The truth of the README: its commands, tables, configuration and names of tests are those of the program.
#![cfg(test)]

use ballot_intake::ballot::{Mode, Move, Status, scan_move};
use ballot_intake::config::{Config, ConfigWorld, ProfileLookup};
use ballot_intake::event::LogEvent;
use ballot_intake::ledger::Layout;
use ballot_intake::reason::Reason;
use ballot_intake::scan::{Tone, Verdict};
use ballot_intake::scanner::profile::Profile;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

const README: &str = include_str!("../README.md");

/// As large as a page may load at once.
const PICTURE_SHOWN_BYTES_MAX: u64 = 200 << 10;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The first cells of the table whose header begins so, without their backquotes.
fn first_cells(header: &str) -> Vec<String> {
    let start = format!("| {header} |");
    README
        .lines()
        .skip_while(|line| !line.starts_with(&start))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .filter_map(|line| line.split('|').nth(1))
        .map(|cell| cell.trim().trim_matches('`').to_owned())
        .collect()
}

/// The cells of each row of the table whose header begins so, without their backquotes.
fn rows(header: &str) -> Vec<Vec<String>> {
    let start = format!("| {header} |");
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().replace('`', "")).collect();
    README
        .lines()
        .skip_while(|line| !line.starts_with(&start))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(cells)
        .collect()
}

/// The fenced blocks of that language.
fn blocks(language: &str) -> Vec<String> {
    README
        .split(&format!("```{language}\n"))
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .map(str::to_owned)
        .collect()
}

fn help_of(words: &[&str]) -> bool {
    Command::new(env!("CARGO_BIN_EXE_ballot-intake"))
        .args(words)
        .arg("--help")
        .output()
        .unwrap()
        .status
        .success()
}

#[test]
fn every_command_of_the_readme_is_one() {
    let commands = first_cells("command");
    assert!(commands.len() > 10, "{commands:?}");
    for command in commands {
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        assert!(help_of(&words), "`{command}` is no command");
    }
}

#[test]
fn what_a_scan_comes_to_is_what_the_readme_says() {
    let columns: [&[Status]; 7] = [
        &[Status::Issued, Status::Mailed],
        &[Status::Undeliverable],
        &[Status::Received],
        &[Status::NeedsAttention],
        &[Status::Accepted],
        &[Status::Rejected],
        &[Status::Voided],
    ];
    let modes = rows("mode | issued, mailed");
    assert_eq!(modes.len(), Mode::ALL.len());
    for (row, mode) in modes.iter().zip(Mode::ALL) {
        assert_eq!(row[1], mode.name());
        for (cell, status) in row[2..]
            .iter()
            .zip(columns)
            .flat_map(|(cell, of)| of.iter().map(move |status| (cell, *status)))
        {
            let verdict = match scan_move(mode, status) {
                Move::To(to) => to.name(),
                Move::Already => Verdict::AlreadyReceived.name(),
                Move::Voided => Verdict::Voided.name(),
                Move::Refused => Verdict::Refused.name(),
                Move::Look => Verdict::Found.name(),
            };
            assert_eq!(cell, verdict, "{mode:?} {status}");
        }
    }
    let told: BTreeMap<String, String> = rows("verdict | a scanner hears")
        .iter()
        .flat_map(|row| row[1].split(", ").map(|name| (name.to_owned(), row[2].clone())))
        .collect();
    assert_eq!(told.len(), Verdict::ALL.len());
    for verdict in Verdict::ALL {
        let hears = match verdict.tone().at_scanner() {
            Tone::Good => "good",
            Tone::Own | Tone::Notice => "notice",
            Tone::Bad => "bad",
            Tone::Fault => "the alarm",
        };
        assert_eq!(told[verdict.name()], hears, "{verdict}");
    }
}

#[test]
fn every_profile_stands_in_the_readme() {
    let mut written = first_cells("profile");
    let mut built_in: Vec<String> = Profile::names().map(str::to_owned).collect();
    written.sort();
    built_in.sort();
    assert_eq!(written, built_in);
}

#[test]
fn every_layout_and_every_reason_stands_in_the_readme() {
    let mut written = first_cells("layout");
    written.sort();
    assert_eq!(written, Layout::names().collect::<Vec<_>>());
    for reason in Reason::ALL {
        assert!(README.contains(&format!("`{reason}`")), "the README lacks {reason}");
    }
}

#[test]
fn every_log_event_stands_in_the_readme_with_its_meaning() {
    for event in LogEvent::ALL {
        let row = format!("| `{}` | {} |", event.name(), event.meaning());
        assert!(README.contains(&row), "the README lacks {row}");
    }
    assert_eq!(first_cells("event").len(), LogEvent::ALL.len());
}

#[test]
fn every_exit_code_stands_in_the_readme() {
    assert_eq!(first_cells("exit code"), ["0", "1", "64", "66", "69", "74", "78"]);
}

#[test]
fn the_configuration_of_the_readme_works() {
    let configs = blocks("toml");
    assert!(!configs.is_empty());
    let world = ConfigWorld { state_dir: Path::new("/state"), profile: &ProfileLookup::built_in };
    for config in configs {
        let parsed = Config::parse(&config, &world);
        assert!(parsed.is_ok(), "{}", parsed.unwrap_err().render("README.md"));
    }
}

#[test]
fn every_test_and_file_that_the_readme_names_is_there() {
    let named: Vec<&str> = README
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.starts_with("tests/") || name.starts_with("deploy/"))
        .collect();
    assert!(named.len() > 10, "{named:?}");
    for name in named {
        let mut parts = name.splitn(2, "::");
        let path = parts.next().unwrap().split(' ').next().unwrap();
        assert!(root().join(path).exists(), "{name}: {path} is not there");
        if let Some(test) = parts.next() {
            let text = fs::read_to_string(root().join(path)).unwrap();
            assert!(text.contains(&format!("fn {test}(")), "{path} has no test {test}");
        }
    }
}

#[test]
fn every_picture_of_the_readme_is_there_and_small() {
    let shown: Vec<&str> = README
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|link| Path::new(link).extension().is_some_and(|end| end == "png"))
        .collect();
    assert!(shown.len() >= 2, "{shown:?}");
    for picture in shown {
        let bytes = fs::metadata(root().join(picture)).unwrap().len();
        assert!(bytes <= PICTURE_SHOWN_BYTES_MAX, "{picture} has {bytes} bytes");
    }
}
