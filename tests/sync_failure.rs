//! A disk that fails under the daemon: no good tone for what may not be there, nothing twice, and it comes back by itself.
//!
//! Why: after a sync that failed, the kernel may have dropped the pages and says nothing at the next one. A daemon that tried
//! again on the same file would tell the clerk "received" of a scan that a power cut takes back.
#![cfg(test)]

mod support;

use std::fs;
use std::process::Command;
use support::daemon::Daemon;
use support::pty::Pty;
use support::station::Station;
use support::{Deadline, FAULT, GOOD, look_again, payload};

/// A station whose disk fails when it is told to.
struct Setup {
    station: Station,
    scanner: Pty,
    daemon: Daemon,
}

impl Setup {
    fn new() -> Self {
        let mut station = Station::with_scanners(&["left"], "");
        station.import(100);
        let disk = station.path("disk");
        fs::create_dir(&disk).unwrap();
        let library = station.path("failing_disk.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/failing_disk.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .arg(&library)
            .args([source, "-ldl"])
            .status();
        assert!(compiled.unwrap().success());
        station.environment =
            vec![("LD_PRELOAD", library.into_os_string()), ("FAILING_DISK", disk.into_os_string())];
        let scanner = station.plug("left");
        let daemon = station.start();
        Self { station, scanner, daemon }
    }

    fn fail(&self, name: &str) {
        fs::write(self.station.path("disk").join(name), "").unwrap();
    }

    fn mend(&self, name: &str) {
        fs::remove_file(self.station.path("disk").join(name)).unwrap();
    }

    fn is_used_up(&self, name: &str) -> bool {
        !self.station.path("disk").join(name).exists()
    }

    fn ask(&self, ballot: u32) -> u8 {
        self.scanner.ask(payload(ballot).as_bytes())
    }

    /// Scans the envelope until the answer is good; each before is the alarm.
    #[track_caller]
    fn insist(&self, ballot: u32) {
        let deadline = Deadline::new();
        loop {
            deadline.check("a good answer");
            match self.ask(ballot) {
                GOOD => return,
                answer => assert_eq!(answer, FAULT, "ballot {ballot}"),
            }
            look_again();
        }
    }

    /// Scans envelopes from this one on until a sync fails under one of them. Another sync may come first, that of a
    /// checkpoint: then the answer is good, and rightly.
    #[track_caller]
    fn fail_once(&self, from: u32) -> u32 {
        for ballot in from.. {
            self.fail("sync.0");
            match self.ask(ballot) {
                FAULT => return ballot,
                answer => assert_eq!(answer, GOOD, "ballot {ballot}"),
            }
            assert!(self.is_used_up("sync.0"), "a good answer without a sync");
        }
        from
    }

    /// Stops; the ballots below this were received, each once, and nothing else.
    #[track_caller]
    fn finish(self, ballots: u32) {
        self.daemon.stop();
        let received = self.station.look().received();
        let expected: Vec<String> = (0..ballots).map(|ballot| format!("{ballot:09}")).collect();
        assert!(received.keys().eq(&expected), "{received:?}");
        assert!(received.values().all(|times| *times == 1), "{received:?}");
        self.station.verify();
    }
}

#[test]
fn a_sync_that_fails_once_is_the_alarm_and_the_next_scan_is_received_once() {
    let setup = Setup::new();
    assert_eq!(setup.ask(0), GOOD);
    let ballot = setup.fail_once(1);
    assert!(setup.is_used_up("sync.0"));
    setup.insist(ballot);
    assert_eq!(setup.ask(ballot + 1), GOOD);
    assert!(setup.station.logged("CommitFailed") >= 1);
    assert!(setup.station.logged("LedgerReopened") >= 1);
    setup.finish(ballot + 2);
}

#[test]
fn syncs_that_fail_again_and_again_lose_and_double_nothing() {
    let setup = Setup::new();
    let mut next = 0;
    for _ in 0..10 {
        next = setup.fail_once(next);
        setup.insist(next);
        next += 1;
    }
    setup.finish(next);
}

#[test]
fn recovery_that_fails_itself_is_tried_again() {
    let setup = Setup::new();
    for token in 0..8 {
        setup.fail(&format!("sync.{token}"));
    }
    let mut next = 0;
    while !setup.is_used_up("sync.7") {
        setup.insist(next);
        next += 1;
    }
    setup.insist(next);
    setup.finish(next + 1);
}

#[track_caller]
fn fails_for_a_while(name: &str) {
    let setup = Setup::new();
    assert_eq!(setup.ask(0), GOOD);
    setup.fail(name);
    for ballot in [1, 2, 1, 3] {
        assert_eq!(setup.ask(ballot), FAULT, "ballot {ballot}");
    }
    setup.mend(name);
    for ballot in 1..4 {
        setup.insist(ballot);
    }
    for event in ["LedgerAway", "LedgerReopened"] {
        assert_eq!(setup.station.logged(event), 1, "{event}");
    }
    setup.finish(4);
}

#[test]
fn a_disk_that_cannot_sync_for_a_while_comes_back() {
    fails_for_a_while("sync.always");
}

#[test]
fn a_disk_that_is_full_for_a_while_comes_back() {
    fails_for_a_while("write.always");
}

#[test]
fn a_daemon_that_is_killed_after_a_failed_sync_doubles_nothing() {
    let setup = Setup::new();
    let ballot = setup.fail_once(0);
    let Setup { station, scanner, daemon } = setup;
    daemon.kill9();
    let daemon = station.start();
    let setup = Setup { station, scanner, daemon };
    assert_eq!(setup.ask(ballot), GOOD);
    setup.finish(ballot + 1);
}

#[test]
fn a_daemon_can_be_stopped_while_its_disk_fails() {
    let setup = Setup::new();
    assert_eq!(setup.ask(0), GOOD);
    setup.fail("sync.always");
    assert_eq!(setup.ask(1), FAULT);
    let Setup { station, scanner, daemon } = setup;
    daemon.stop();
    fs::remove_file(station.path("disk").join("sync.always")).unwrap();
    let daemon = station.start();
    let setup = Setup { station, scanner, daemon };
    setup.insist(1);
    setup.finish(2);
}
