//! What a package installs beside the binary: systemd finds no fault in the unit, and it stays hardened.
#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Highest exposure that `systemd-analyze security` may find, in tenths; a unit without hardening has 96.
const EXPOSURE_TENTHS_MAX: u32 = 15;

const UNIT: &str = include_str!("../deploy/ballot-intake.service");
const RULES: &str = include_str!("../deploy/60-ballot-intake.rules");
const SYSUSERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/ballot-intake.sysusers");

/// The unit as it is installed, but with the binary that was built.
fn installed(folder: &Path) -> PathBuf {
    let path = folder.join("ballot-intake.service");
    let unit = UNIT.replace("/usr/bin/ballot-intake", env!("CARGO_BIN_EXE_ballot-intake"));
    assert_ne!(unit, UNIT, "the unit starts another binary");
    fs::write(&path, unit).unwrap();
    path
}

/// Runs a tool of systemd; nothing when it is not installed.
fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    match Command::new(program).args(arguments).output() {
        Ok(output) => Some(output),
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{program}: {error}");
            skipped(program);
            None
        }
    }
}

#[expect(clippy::print_stdout, reason = "a test that proves nothing says so")]
fn skipped(program: &str) {
    println!("skipped: {program} is not installed");
}

/// Both streams, for the message of a failure.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The values of a key of the unit, drop-in examples left out.
fn values(key: &str) -> Vec<&'static str> {
    UNIT.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

#[test]
fn systemd_finds_no_fault_in_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let unit = installed(folder.path());
    let arguments = ["verify", "--man=no", unit.to_str().unwrap()];
    let Some(output) = run("systemd-analyze", &arguments) else { return };
    assert!(output.status.success() && said(&output).is_empty(), "{}", said(&output));
}

#[test]
fn systemd_finds_the_unit_hardened() {
    let folder = tempfile::tempdir().unwrap();
    let unit = installed(folder.path());
    let threshold = format!("--threshold={EXPOSURE_TENTHS_MAX}");
    let arguments =
        ["security", "--offline=true", "--no-pager", &threshold, unit.to_str().unwrap()];
    let Some(output) = run("systemd-analyze", &arguments) else { return };
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("Overall exposure level"), "{}", said(&output));
}

#[test]
fn systemd_can_make_the_user() {
    let Some(output) = run("systemd-sysusers", &["--dry-run", SYSUSERS]) else { return };
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(values("User"), ["ballot-intake"]);
}

#[test]
fn a_configuration_with_a_fault_is_not_tried_again() {
    assert_eq!(values("Restart"), ["on-failure"]);
    assert_eq!(values("RestartPreventExitStatus"), ["64 78"]);
    assert_eq!(values("StartLimitIntervalSec"), ["0"]);
    assert_eq!((values("Type"), values("WatchdogSec")), (vec!["notify"], vec!["30"]));
}

#[test]
fn the_daemon_has_serial_ports_and_the_network_and_no_other_device() {
    assert_eq!(values("DevicePolicy"), ["closed"]);
    assert_eq!(values("DeviceAllow"), ["char-ttyACM rw", "char-ttyUSB rw"]);
    // Patterns of drivers that are not loaded allow nothing.
    let modules = "modprobe@cdc_acm.service modprobe@usbserial.service";
    assert_eq!(values("Wants"), [modules]);
    assert!(values("After").contains(&modules));
    assert_eq!(values("RestrictAddressFamilies"), ["AF_UNIX AF_INET AF_INET6"]);
    assert_eq!(values("PrivateNetwork"), [""; 0]);
}

#[test]
fn every_vendor_of_the_rules_is_kept_from_the_modem_manager() {
    let ignored = RULES.lines().find(|line| line.contains("ID_MM_DEVICE_IGNORE")).unwrap();
    let vendors: Vec<_> = RULES
        .lines()
        .filter_map(|line| line.split_once("ATTRS{idVendor}==\"")?.1.split('"').next())
        .collect();
    assert!(!vendors.is_empty());
    for vendor in vendors {
        assert!(ignored.contains(vendor), "{vendor}");
    }
}
