//! Configurations on disk: each refused one yields exactly the faults that stand beside it, each accepted one works.
#![cfg(test)]

use ballot_intake::ballot::{Mode, Status};
use ballot_intake::clock::{Micros, TimeOfDay};
use ballot_intake::config::{
    Config, ConfigWorld, Faults, Link, Page, ProfileLookup, RelayConfig, SecretSource, Tls,
};
use ballot_intake::scanner::plugged::Which;
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/config");
const WHOLE: &str = include_str!("../fixtures/config/accepted/whole.toml");

fn parse(bytes: &[u8]) -> Result<Config, Faults> {
    let world = ConfigWorld { state_dir: Path::new("/state"), profile: &ProfileLookup::built_in };
    Config::parse_bytes(bytes, &world)
}

fn accepted(name: &str) -> Config {
    let path = Path::new(FIXTURES).join("accepted").join(name);
    match parse(&fs::read(path).unwrap()) {
        Ok(config) => config,
        Err(faults) => panic!("{}", faults.render(name)),
    }
}

/// The `.toml` files of a folder; at least one.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(Path::new(FIXTURES).join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{folder} is empty");
    files
}

#[test]
fn a_refused_file_yields_the_faults_beside_it() {
    for file in files("refused") {
        let name = file.file_name().unwrap().to_str().unwrap();
        let expected = fs::read_to_string(file.with_extension("txt")).unwrap_or_default();
        let faults = parse(&fs::read(&file).unwrap()).map(|_| ()).unwrap_err();
        assert_eq!(faults.render(name), expected, "{name}");
    }
}

#[test]
fn an_accepted_file_has_no_fault() {
    for file in files("accepted") {
        accepted(file.file_name().unwrap().to_str().unwrap());
    }
}

#[test]
fn every_key_arrives_as_it_was_written() {
    let config = accepted("whole.toml");
    assert_eq!((config.facility.id.as_str(), config.station.id.as_str()), ("boulder", "intake-1"));
    assert_eq!(config.facility.timezone_name, "America/Denver");
    assert_eq!(config.station.mode, Mode::Undeliverable);
    assert_eq!(config.station.page, Page::Listen("[::1]:0".parse().unwrap()));
    assert_eq!(config.station.repeat_window, Duration::ZERO);
    let election = config.election.unwrap();
    assert_eq!(election.id.as_str(), "202611");
    assert_eq!(election.day.as_deref(), Some("2026-11-03"));
    let deadline = election.receive_until.map(|until| config.facility.timezone.date_time(until));
    assert_eq!(deadline.as_deref(), Some("2026-11-03T19:00:00-07:00"));
    let later = election.postmarked_receive_until.map(Micros::rfc3339);
    assert_eq!(later.as_deref(), Some("2026-11-11T02:00:00.000000Z"));
    let cured = election.cure_until.map(Micros::rfc3339);
    assert_eq!(cured.as_deref(), Some("2026-11-13T06:59:59.000000Z"));
    assert_eq!(config.station.batch_cap, 0);
    assert_eq!(config.ledger.path, Path::new("/srv/ballots/ledger.sqlite"));
    assert_eq!(config.ledger.signing_key_file, Path::new("/srv/ballots/signing.key"));
    assert_eq!(config.ledger.backup_dir.as_deref(), Some(Path::new("/srv/backups")));
    assert_eq!(config.ledger.backup_at, TimeOfDay::new(23, 59));
    assert_eq!(config.ledger.backup_keep.get(), 400);
    assert_eq!(config.ledger.log_dir.as_deref(), Some(Path::new("/srv/log")));
    assert_eq!(config.envelopes.len(), 2);
    let relay = RelayConfig {
        url: "https://relay.example.gov/events".to_owned(),
        secret_file: SecretSource::Credential("relay-secret".to_owned()),
        hold_back: Duration::from_secs(90),
        announce_imports: Vec::new(),
        witness: false,
        client: Some(Tls {
            certificate_file: PathBuf::from("/srv/relay.crt"),
            key_file: PathBuf::from("/srv/relay.key"),
        }),
    };
    assert_eq!(config.relay, Some(relay));
}

#[test]
fn every_scanner_is_reached_as_it_was_written() {
    let links: Vec<_> = accepted("whole.toml")
        .scanners
        .into_iter()
        .map(|scanner| (scanner.name, scanner.profile_name, scanner.link))
        .collect();
    let port = "/dev/serial/by-id/usb-Example_Scanner_0001-if00";
    let allow = ["192.0.2.7", "2001:db8::7"].map(|address| address.parse().unwrap()).to_vec();
    let listen = |address: &str, allow| Link::Listen { address: address.parse().unwrap(), allow };
    let expected = [
        ("left", "generic-serial", Link::Device { which: Which::Path(PathBuf::from(port)) }),
        ("tunnel", "generic-tcp", Link::Connect { address: "tunnel.example.gov:51236".to_owned() }),
        ("gate", "generic-tcp", listen("0.0.0.0:51236", Some(allow))),
        ("bench", "generic-tcp", listen("127.0.0.1:51237", None)),
        ("pictures", "folder", Link::Folder { path: PathBuf::from("/srv/pictures") }),
    ]
    .map(|(name, profile, link)| (name.to_owned(), profile.to_owned(), link));
    assert_eq!(links, expected);
}

#[test]
fn nothing_written_is_the_default() {
    let config = accepted("empty.toml");
    assert_eq!(config.station.mode, Mode::Receive);
    assert_eq!(config.station.page, Page::Listen("127.0.0.1:8760".parse().unwrap()));
    assert_eq!(config.ledger.path, Path::new("/state/ledger.sqlite"));
    assert_eq!(config.ledger.signing_key_file, Path::new("/state/signing.key"));
    assert_eq!(
        (config.ledger.backup_at, config.ledger.backup_keep.get()),
        (TimeOfDay::new(2, 30), 14)
    );
    assert!(config.ledger.backup_dir.is_none() && config.ledger.log_dir.is_none());
    assert!(config.election.is_none() && config.relay.is_none());
    assert!(config.envelopes.is_empty() && config.scanners.is_empty());
}

#[test]
fn other_spellings_of_toml_mean_the_same() {
    let config = accepted("other-spellings.toml");
    assert_eq!((config.station.id.as_str(), config.station.page), ("West.Side_2", Page::Off));
    assert_eq!(config.election.unwrap().id.as_str(), "2026-G");
    assert_eq!(config.relay.unwrap().announce_imports, [Status::Voided]);
    assert_eq!(config.scanners.len(), 1);
}

#[test]
fn a_file_beyond_the_bound_is_refused_unread() {
    let text = "#".repeat(ballot_intake::config::CONFIG_BYTES_MAX + 1);
    let faults = parse(text.as_bytes()).map(|_| ()).unwrap_err();
    assert_eq!(faults.render("big"), "big:1:1048577: longer than 1048576 bytes\n");
}

/// Fails when a fault points outside the text.
#[track_caller]
fn check_positions(text: &str, faults: &Faults) {
    assert!(!faults.as_slice().is_empty());
    for fault in faults.as_slice() {
        let line = text.split('\n').nth(fault.line - 1);
        let characters = line.map(|line| line.chars().count());
        assert!(
            characters.is_some_and(|count| (1..=count + 1).contains(&fault.column)),
            "{fault:?} is outside of {text:?}"
        );
    }
}

#[test]
fn a_missing_character_is_harmless_or_a_fault_inside_the_file() {
    let mut n_refused = 0;
    for (offset, c) in WHOLE.char_indices() {
        let mut text = WHOLE.to_owned();
        text.remove(offset);
        if let Err(faults) = parse(text.as_bytes()) {
            check_positions(&text, &faults);
            n_refused += 1;
        } else {
            assert_ne!(c, '[', "a missing bracket at {offset} went through");
        }
    }
    assert!(n_refused > WHOLE.len() / 4, "only {n_refused} were refused");
}

/// Text made of what configurations are made of.
fn toml_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("[station]\n".to_owned()),
        Just("[[scanner]]\n".to_owned()),
        Just("[[envelope]]\n".to_owned()),
        Just("[relay]\n".to_owned()),
        "(id|name|profile|path|listen|allow|pattern|hold_back|symbologies) = ",
        "\"[a-z0-9:.]{0,8}\"\n",
        Just("\"generic-tcp\"\n".to_owned()),
        "[\\[\\]{}=\"'#,.\\n\u{e9}\u{1f5f3} -]{1,3}",
        "[0-9]{1,20}\n",
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_bytes_stop_the_reader(bytes: Vec<u8>) {
        if let Err(faults) = parse(&bytes) {
            check_positions(&String::from_utf8_lossy(&bytes), &faults);
        }
    }

    #[test]
    fn no_text_stops_the_reader(text in toml_like()) {
        if let Err(faults) = parse(text.as_bytes()) {
            check_positions(&text, &faults);
        }
    }
}
