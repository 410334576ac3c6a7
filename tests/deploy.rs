//! What a package installs beside the binary: systemd finds no fault in the unit, and it stays hardened.
#![cfg(test)]

use ballot_intake::scanner::profile::{Profile, Transport, udev};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Highest exposure that `systemd-analyze security` may find, in tenths; a unit without hardening has 96.
const EXPOSURE_TENTHS_MAX: u32 = 15;

const UNIT: &str = include_str!("../deploy/ballot-intake.service");
const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/60-ballot-intake.rules");
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

/// The socket's and the lock's own modes are held by `tests/people.rs`.
#[test]
fn the_group_reaches_the_socket_and_others_do_not() {
    assert_eq!((values("Group"), values("UMask")), (vec!["ballot-intake"], vec!["0077"]));
    assert_eq!(values("RuntimeDirectoryMode"), ["0750"]);
    assert_eq!(values("StateDirectoryMode"), ["0750"]);
}

#[test]
fn a_configuration_with_a_fault_is_not_tried_again() {
    assert_eq!(values("Restart"), ["on-failure"]);
    assert_eq!(values("RestartPreventExitStatus"), ["64 78"]);
    assert_eq!(values("StartLimitIntervalSec"), ["0"]);
    assert_eq!((values("Type"), values("WatchdogSec")), (vec!["notify"], vec!["30"]));
}

#[test]
fn the_daemon_has_scanners_and_the_network_and_no_other_device() {
    assert_eq!(values("DevicePolicy"), ["closed"]);
    let doors = ["ttyACM", "ttyUSB", "input", "hidraw", "video4linux"];
    assert_eq!(values("DeviceAllow"), doors.map(|door| format!("char-{door} rw")));
    // Patterns of drivers that are not loaded allow nothing.
    let modules = ["cdc_acm", "usbserial", "usbhid", "uvcvideo", "pcspkr"];
    let modules = modules.map(|module| format!("modprobe@{module}.service")).join(" ");
    assert_eq!(values("Wants"), [&*modules]);
    assert!(values("After").contains(&&*modules));
    assert_eq!(values("RestrictAddressFamilies"), ["AF_UNIX AF_INET AF_INET6"]);
    assert_eq!(values("PrivateNetwork"), [""; 0]);
}

/// Written anew by `BALLOT_INTAKE_WRITE=1 cargo nextest run --test deploy`.
#[test]
fn the_udev_rules_are_made_from_the_profiles() {
    let made = udev::rules(&Profile::all().collect::<Vec<_>>());
    if std::env::var_os("BALLOT_INTAKE_WRITE").is_some() {
        fs::write(RULES, &made).unwrap();
    }
    let written = fs::read_to_string(RULES).unwrap();
    assert!(
        made == written,
        "{RULES} is not what the profiles say; write it anew with BALLOT_INTAKE_WRITE=1"
    );
}

#[test]
fn a_sites_own_profile_has_its_rule() {
    let site = tempfile::tempdir().unwrap();
    fs::write(site.path().join("config.toml"), "").unwrap();
    fs::create_dir(site.path().join("scanners")).unwrap();
    let own = "name = 'own'\nmaker = 'A'\nmodel = 'B'\ntransport = 'hid_pos'\nverified = 'documentation'\n\
               sources = ['C']\n[[usb]]\nvendor = 0xabcd\nproduct = 0x0123\n";
    fs::write(site.path().join("scanners/own.toml"), own).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ballot-intake"))
        .args(["devices", "--udev-rules", "--config"])
        .arg(site.path().join("config.toml"))
        .output()
        .unwrap();
    let rules = String::from_utf8(output.stdout).unwrap();
    assert!(rules.contains(r#"ATTRS{idVendor}=="abcd", ATTRS{idProduct}=="0123""#), "{rules}");
    assert!(rules.starts_with(fs::read_to_string(RULES).unwrap().lines().next().unwrap()));
}

#[test]
fn no_keyboard_is_given_by_its_maker_alone() {
    let rules = fs::read_to_string(RULES).unwrap();
    let is_typed = |line: &&str| line.contains("LIBINPUT_IGNORE_DEVICE}");
    let keyboards: Vec<_> = rules.lines().filter(is_typed).collect();
    assert!(keyboards.iter().all(|line| line.contains("ATTRS{idProduct}==")), "{keyboards:#?}");
    // One of them is the header's example.
    let of_profiles = Profile::all().filter(|profile| profile.transport == Transport::Keyboard);
    assert_eq!(keyboards.len() - 1, of_profiles.filter(|profile| !profile.usb.is_empty()).count());
}
