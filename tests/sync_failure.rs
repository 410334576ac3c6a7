//! A disk that fails under the daemon: no good tone for what may not be there, nothing twice, and it comes back by itself.
//!
//! Why: after a sync that failed, the kernel may have dropped the pages and says nothing at the next one. A daemon that tried
//! again on the same file would tell the clerk "received" of a scan that a power cut takes back.
#![cfg(test)]

mod support;

use support::daemon::Daemon;
use support::disk::Disk;
use support::pty::Pty;
use support::station::Station;
use support::{Deadline, FAULT, GOOD, look_again, payload};

/// A station whose disk fails when it is told to.
struct Setup {
    station: Station,
    disk: Disk,
    scanner: Pty,
    daemon: Daemon,
}

impl Setup {
    fn new() -> Self {
        let mut station = Station::with_scanners(&["left"], "");
        station.import(100);
        let disk = Disk::under(&mut station);
        let scanner = station.plug("left");
        let daemon = station.start();
        Self { station, disk, scanner, daemon }
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
            self.disk.tell("sync.0");
            match self.ask(ballot) {
                FAULT => return ballot,
                answer => assert_eq!(answer, GOOD, "ballot {ballot}"),
            }
            assert!(self.disk.is_used_up("sync.0"), "a good answer without a sync");
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
    assert!(setup.disk.is_used_up("sync.0"));
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
        setup.disk.tell(&format!("sync.{token}"));
    }
    let mut next = 0;
    while !setup.disk.is_used_up("sync.7") {
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
    setup.disk.tell(name);
    for ballot in [1, 2, 1, 3] {
        assert_eq!(setup.ask(ballot), FAULT, "ballot {ballot}");
    }
    setup.disk.mend(name);
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
    let Setup { station, disk, scanner, daemon } = setup;
    daemon.kill9();
    let daemon = station.start();
    let setup = Setup { station, disk, scanner, daemon };
    assert_eq!(setup.ask(ballot), GOOD);
    setup.finish(ballot + 1);
}

#[test]
fn a_daemon_can_be_stopped_while_its_disk_fails() {
    let setup = Setup::new();
    assert_eq!(setup.ask(0), GOOD);
    setup.disk.tell("sync.always");
    assert_eq!(setup.ask(1), FAULT);
    let Setup { station, disk, scanner, daemon } = setup;
    daemon.stop();
    disk.mend("sync.always");
    let daemon = station.start();
    let setup = Setup { station, disk, scanner, daemon };
    setup.insist(1);
    setup.finish(2);
}
