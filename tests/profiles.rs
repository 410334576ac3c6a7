//! A site's own scanner profiles, beside the configuration: used, and checked with it.
#![cfg(test)]

mod support;

use serde_json::{Value, json};
use std::fs;
use std::process::Output;
use support::station::Station;

const OWN: &str = "name = 'own'\nmaker = 'A'\nmodel = 'B'\ntransport = 'serial'\nverified = 'documentation'\n\
                   sources = ['C']\n";

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A station with one profile of its own, and a scanner that wants `profile`.
fn station(own: &str, profile: &str) -> Station {
    let station = Station::new("");
    station
        .add(&format!("[[scanner]]\nname = 'left'\nprofile = '{profile}'\npath = '/dev/null'\n"));
    fs::create_dir(station.path("scanners")).unwrap();
    fs::write(station.path("scanners/own.toml"), own).unwrap();
    station
}

#[test]
fn a_profile_beside_the_configuration_can_be_used() {
    let check = station(OWN, "own").run(&["check-config"]);
    assert_eq!(check.status.code(), Some(0), "{}", said(&check));
}

#[test]
fn a_broken_profile_is_a_fault_where_it_is_used() {
    let station = station(&format!("{OWN}[serial]\nbaud = 0\n"), "own");
    let check = station.run(&["check-config"]);
    assert_eq!(check.status.code(), Some(1), "{}", said(&check));
    let told = said(&check);
    let place = format!("{}:8:1: baud is 0", station.path("scanners/own.toml").display());
    let why = format!("that profile cannot be used: {place}");
    assert!(told.contains(&why), "{told}");
    assert!(told.lines().any(|line| line.starts_with(&place)), "{told}");
}

#[test]
fn a_broken_profile_that_nobody_uses_is_told_all_the_same() {
    let check = station("name = ", "generic-serial").run(&["check-config", "--json"]);
    assert_eq!(check.status.code(), Some(1), "{}", said(&check));
    let told: Value = serde_json::from_slice(&check.stdout).unwrap();
    let profile = &told["profiles"][0];
    assert_eq!((&told["ok"], &told["faults"]), (&json!(false), &json!([])));
    assert_eq!((&profile["line"], &profile["column"]), (&json!(1), &json!(8)), "{told}");
}
