//! `deploy/relay.toml` is the documentation of every key: all of it is read, and what it shows as a default is one.

use crate::rig::{Rig, written};
use ballot_relay::config::Config;
use ballot_relay::key::Keys;

const TEXT: &str = include_str!("../../../deploy/relay.toml");

/// The documented text with every example taken up and its secrets in the folder.
fn taken_up(rig: &Rig) -> String {
    let dir = rig.folder.path();
    for (name, text) in [
        ("key", Keys::generate().unwrap()),
        ("store.url", "postgres://relay@localhost/relay".to_owned()),
        ("usps.password", "secret".to_owned()),
        ("mail.password", "secret".to_owned()),
        ("text.token", "secret".to_owned()),
        ("dkim.pem", "a key".to_owned()),
        ("boulder.secret", std::fs::read_to_string(rig.path("secret")).unwrap()),
    ] {
        written(dir, name, &text);
    }
    let is_example = |line: &str| {
        let line = line.strip_prefix('#').unwrap_or_default();
        line.starts_with('[')
            || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ') && !key.is_empty())
    };
    let lines: Vec<_> = TEXT
        .lines()
        .map(|line| if is_example(line) { line.trim_start_matches('#') } else { line })
        .collect();
    lines.join("\n").replace("/etc/ballot-relay", &dir.display().to_string())
}

#[test]
fn every_documented_key_is_read() {
    let rig = Rig::sqlite();
    let text = taken_up(&rig);
    let config = Config::parse(&text).unwrap_or_else(|faults| panic!("{faults:?}"));
    assert!(config.email.is_some() && config.text.is_some() && config.voice.is_some());
    assert!(config.postal.is_some() && !config.senders.is_empty());
    assert!(config.email.unwrap().dkim.is_some());
}

#[test]
fn what_is_shown_as_a_default_is_one() {
    let rig = Rig::sqlite();
    let whole = taken_up(&rig);
    let (without, _) = whole.split_once("[sending]").unwrap();
    let shown = Config::parse(&whole).unwrap();
    let bare = without
        .replace("connections = 4\n", "")
        .replace("per_second = 3.0\n", "")
        .replace("contact_from = \"08:00\"\ncontact_until = \"21:00\"\n", "");
    let default = Config::parse(&bare).unwrap();
    assert_eq!(default.sending, shown.sending);
    assert_eq!(default.connections, shown.connections);
    assert_eq!(default.email.unwrap().rate, shown.email.unwrap().rate);
    let hours = |config: &Config| {
        let county = config.county("boulder").unwrap();
        (county.contact_from, county.contact_until)
    };
    assert_eq!(hours(&Config::parse(&bare).unwrap()), hours(&Config::parse(&whole).unwrap()));
}
