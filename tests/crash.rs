//! The daemon is killed again and again, at random moments, on one ledger: no acknowledged scan is lost, no ballot is received
//! twice, and the relay gets every change under one id, in order.
#![cfg(test)]

mod support;

use rustix::event::PollFlags;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use support::pty::Pty;
use support::relay::{Attempt, Behavior, Relay, SECRET};
use support::station::Station;
use support::{Deadline, Dice, GOOD, eventually, payload};

/// Kills; `BALLOT_INTAKE_LONG=1` makes it 5,000.
const CYCLES: u32 = 200;
const CYCLES_LONG: u32 = 5_000;

/// Most answers that come before a kill.
const ANSWERS_MAX: u64 = 40;

/// Frames that the player keeps in flight.
const IN_FLIGHT: usize = 16;

/// Cycles between two looks into the ledger.
const LOOK_EVERY: u32 = 10;

/// A clerk who scans one envelope after the other, and again what was not answered.
struct Player {
    unanswered: VecDeque<u32>,
    next: u32,
    /// Answered good.
    acknowledged: u32,
}

impl Player {
    /// Scans until so many answers have come.
    fn play(&mut self, scanner: &Pty, answers: u64) {
        let deadline = Deadline::new();
        let mut line: Vec<u8> = Vec::new();
        for ballot in &self.unanswered {
            line.extend(format!("{}\r", payload(*ballot)).bytes());
        }
        let mut left = answers;
        while left > 0 {
            deadline.check("an answer");
            while self.unanswered.len() < IN_FLIGHT {
                line.extend(format!("{}\r", payload(self.next)).bytes());
                self.unanswered.push_back(self.next);
                self.next += 1;
            }
            let out = if line.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
            scanner.wait(PollFlags::IN | out, &deadline);
            line.drain(..scanner.write_some(&line));
            let came = scanner.read_some(usize::MAX).unwrap();
            left = left.saturating_sub(came.len() as u64);
            self.hear(&came);
        }
    }

    fn hear(&mut self, answers: &[u8]) {
        for answer in answers {
            let ballot = self.unanswered.pop_front().unwrap();
            assert_eq!(*answer, GOOD, "ballot {ballot}");
            // Answers come in order, so those acknowledged are all below the first that is not.
            assert_eq!(ballot, self.acknowledged);
            self.acknowledged += 1;
        }
    }
}

/// What was seen in the ledger so far.
#[derive(Default)]
struct Seen {
    seq: i64,
    /// How often each ballot was received.
    received: BTreeMap<String, u32>,
    /// Rows of changes, in order, with the id of their event.
    changes: Vec<(i64, String)>,
}

impl Seen {
    fn look(&mut self, station: &Station, acknowledged: u32) {
        let look = station.look();
        for event in look.events_after(self.seq) {
            self.seq = event.seq;
            if event.text("to") == "received" {
                *self.received.entry(event.text("ballot").to_owned()).or_default() += 1;
            }
            if !event.text("to").is_empty() {
                self.changes.push((event.seq, event.text("id").to_owned()));
            }
        }
        for ballot in 0..acknowledged {
            let times = self.received.get(&format!("{ballot:09}"));
            assert_eq!(times, Some(&1), "ballot {ballot} was acknowledged");
        }
        assert!(self.received.values().all(|times| *times == 1), "a ballot was received twice");
        let owed = look.outbox();
        assert!(owed.iter().eq(self.changes.iter().map(|(seq, _)| seq)), "the outbox differs");
    }
}

/// The relay is well most of the time.
fn behave(relay: &Relay, dice: &mut Dice) {
    relay.up();
    match dice.below(6) {
        0 => relay.down(),
        1 => relay.behave(Behavior::CloseAfterAccept),
        2 => relay.behave(Behavior::Refuse(503)),
        _ => relay.behave(Behavior::Ok),
    }
}

/// Every change came, under the id of its event, each ballot's in order, numbered without a gap.
fn check_relay(attempts: &[Attempt], changes: &[(i64, String)]) {
    assert!(attempts.iter().all(|attempt| attempt.forgery.is_none()));
    let mut bodies: BTreeMap<&str, &str> = BTreeMap::new();
    let mut sequences: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for attempt in attempts {
        let first = bodies.entry(&attempt.id).or_insert(&attempt.body);
        assert_eq!(*first, attempt.body, "one id, one body");
        let body: serde_json::Value = serde_json::from_str(&attempt.body).unwrap();
        if attempt.accepted {
            let subject = body["subject"].as_str().unwrap().to_owned();
            sequences.entry(subject).or_default().push(body["data"]["sequence"].as_u64().unwrap());
        }
    }
    for (subject, mut sequence) in sequences {
        sequence.dedup();
        let expected: Vec<u64> = (1..=sequence.len() as u64).collect();
        assert_eq!(sequence, expected, "{subject}");
    }
    let accepted: BTreeSet<&str> =
        attempts.iter().filter(|a| a.accepted).map(|a| a.id.as_str()).collect();
    assert!(changes.iter().all(|(_, id)| accepted.contains(id.as_str())));
    assert_eq!(accepted.len(), changes.len());
}

#[test]
#[expect(clippy::print_stdout, reason = "a failing run is run again with its seed")]
fn no_kill_loses_an_acknowledged_scan_or_receives_a_ballot_twice() {
    let is_long = std::env::var_os("BALLOT_INTAKE_LONG").is_some();
    let cycles = if is_long { CYCLES_LONG } else { CYCLES };
    let seed = std::env::var("BALLOT_INTAKE_SEED")
        .map_or_else(|_| u64::from(std::process::id()), |seed| seed.parse().unwrap());
    println!("BALLOT_INTAKE_SEED={seed}");
    let mut dice = Dice(seed);
    let relay = Relay::start(Behavior::Ok);
    let station = Station::with_scanners(&["left"], "");
    fs::write(station.path("secret"), SECRET).unwrap();
    let secret = station.path("secret");
    station.add(&format!(
        "[relay]\nurl = '{}'\nsecret_file = '{}'\nhold_back = '0s'",
        relay.url(),
        secret.display()
    ));
    // After the answers that are waited for as many may come as are in flight.
    station.import(cycles * u32::try_from(ANSWERS_MAX + 2 * IN_FLIGHT as u64).unwrap());
    let scanner = station.plug("left");
    let mut player = Player { unanswered: VecDeque::new(), next: 0, acknowledged: 0 };
    let mut looked = Seen::default();
    for cycle in 1..=cycles {
        let daemon = station.start();
        player.play(&scanner, dice.below(ANSWERS_MAX) + 1);
        daemon.kill9();
        player.hear(&scanner.read_to_end());
        behave(&relay, &mut dice);
        if cycle % LOOK_EVERY == 0 {
            looked.look(&station, player.acknowledged);
        }
    }
    relay.up();
    relay.behave(Behavior::Ok);
    let daemon = station.start();
    player.play(&scanner, 1);
    eventually("the end of the outbox", || station.look().pending() == 0);
    daemon.stop();
    player.hear(&scanner.read_to_end());
    looked.look(&station, player.acknowledged);
    station.verify();
    check_relay(&relay.attempts(), &looked.changes);
}
