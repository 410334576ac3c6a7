//! STOP and quiet hours hold: over restarts, in every zone, and in the nights of the time change.

use crate::rig::{COUNTY, Rig, World, at, event, eventually, number};
use crate::sink::Manners;
use ballot_relay::clock::{Clock as _, Micros};
use ballot_relay::hours::{Hours, local};
use ballot_relay::news::{Channel, Kind};
use ballot_relay::stand_in::Settings;
use ballot_relay::voter::{Enrolment, VoterId};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use relay_wire::Status;
use std::cell::Cell;
use std::collections::HashSet;
use std::time::Duration;

const VOTERS: usize = 4;
const ZONES: [&str; 4] =
    ["America/Denver", "America/New_York", "Pacific/Honolulu", "America/Phoenix"];
/// What the county allows.
const COUNTY_HOURS: Hours = Hours { from: 8 * 60, until: 21 * 60 };
/// The days before the clocks go back, and before they go forward.
const STARTS: [&str; 2] = ["2026-10-31T15:00:00-06:00", "2027-03-13T15:00:00-07:00"];

#[derive(Debug, Clone)]
enum Step {
    /// News of the voter's ballot.
    News(usize),
    Stop(usize),
    Start(usize),
    /// The voter chooses other hours and another zone.
    Choose(usize, u32, u32, usize),
    /// Minutes pass.
    Pass(u16),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let voter = 0..VOTERS;
    prop_oneof![
        5 => voter.clone().prop_map(Step::News),
        2 => voter.clone().prop_map(Step::Stop),
        1 => voter.clone().prop_map(Step::Start),
        2 => (voter, 0_u32..1_380, 30_u32..600, 0..ZONES.len())
            .prop_map(|(voter, from, length, zone)| Step::Choose(voter, from, from + length, zone)),
        5 => (5_u16..600).prop_map(Step::Pass),
        1 => Just(Step::Restart),
    ]
}

/// What a voter wants, as the test remembers it.
#[derive(Debug, Clone, Copy)]
struct Wish {
    hours: Hours,
    zone: usize,
    is_stopped: bool,
    sequence: u64,
}

#[test]
fn sqlite() {
    hold_on(Rig::sqlite, 24);
}

#[test]
fn postgres() {
    hold_on(Rig::postgres, 4);
}

fn hold_on(rig: fn() -> Rig, cases: u32) {
    let cases = if std::env::var_os("BALLOT_INTAKE_LONG").is_some() { cases * 20 } else { cases };
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 30, ..Config::default() };
    let strategy = (0..STARTS.len(), proptest::collection::vec(step(), 10..28));
    let n_sent = Cell::new(0);
    let outcome = TestRunner::new(config).run(&strategy, |(start, steps)| {
        n_sent.set(n_sent.get() + hold(&rig(), STARTS[start], &steps));
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    // What is never texted is never texted at night either.
    assert!(
        n_sent.get() > usize::try_from(cases).unwrap(),
        "only {} texts were sent",
        n_sent.get()
    );
}

/// Takes the steps; how many texts were sent.
fn hold(rig: &Rig, start: &str, steps: &[Step]) -> usize {
    // The provider itself hears no STOP: only our own list stands between.
    let settings = Settings { opt_out: false, callback_delay_ms: 0, ..Settings::default() };
    let mut world = rig.whole(start, settings, Manners::default());
    let mut wishes =
        [Wish { hours: COUNTY_HOURS, zone: 0, is_stopped: false, sequence: 0 }; VOTERS];
    for (n, wish) in wishes.iter().enumerate() {
        choose(&world, n, *wish);
    }
    let mut seen = HashSet::new();
    for step in steps {
        match *step {
            Step::News(n) => {
                wishes[n].sequence += 1;
                let sequence = wishes[n].sequence;
                let status =
                    if sequence.is_multiple_of(2) { Status::Mailed } else { Status::Undeliverable };
                world.take(&event(&n.to_string(), status, sequence, &world.clock.now().rfc3339()));
            }
            Step::Stop(n) => {
                world.text_from(&number(n), "STOP");
                wishes[n].is_stopped = true;
                let stopped = format!("suppressed {}", number(n));
                eventually(&stopped, || suppressed(&world, n));
            }
            Step::Start(n) => {
                world.text_from(&number(n), "START");
                wishes[n].is_stopped = false;
                eventually("a number that may be texted again", || !suppressed(&world, n));
            }
            Step::Choose(n, from, until, zone) => {
                wishes[n].hours = Hours { from, until };
                wishes[n].zone = zone;
                choose(&world, n, wishes[n]);
            }
            Step::Pass(minutes) => {
                world.clock.advance(Duration::from_secs(u64::from(minutes) * 60));
            }
            Step::Restart => world.restart(),
        }
        world.settled();
        let sent = world.accepted().into_iter().filter(|one| !one.is_reply);
        for one in sent.filter(|one| seen.insert(one.sid.clone())) {
            let n = (0..VOTERS).find(|n| number(*n) == one.to).unwrap();
            check(wishes[n], Micros(one.created));
        }
    }
    // Nothing that was owed was forgotten: it was sent, it is waiting for its hour, or somebody or something stopped it.
    let lost =
        world.count("SELECT COUNT(*) FROM notice WHERE state IN ('calling', 'unknown', 'ours')");
    assert_eq!(lost, 0);
    seen.len()
}

#[track_caller]
fn check(wish: Wish, at: Micros) {
    assert!(!wish.is_stopped, "texted after STOP");
    let zone = TimeZone::get(ZONES[wish.zone]).unwrap();
    let time = local(at, &zone).unwrap();
    let minute = u32::try_from(time.hour()).unwrap() * 60 + u32::try_from(time.minute()).unwrap();
    let allowed = wish.hours.within(COUNTY_HOURS);
    assert!((allowed.from..allowed.until).contains(&minute), "{time} is not within {allowed:?}");
}

fn suppressed(world: &World, n: usize) -> bool {
    let number = number(n);
    let count = world.relay.store.read_now(move |tx| {
        tx.count(
            "SELECT COUNT(*) FROM suppression WHERE address = $1",
            ballot_relay::params![&number],
        )
    });
    count.unwrap() > 0
}

fn choose(world: &World, n: usize, wish: Wish) {
    let enrolment = Enrolment {
        language: "en".to_owned(),
        timezone: ZONES[wish.zone].to_owned(),
        from_minute: wish.hours.from,
        until_minute: wish.hours.until,
        kinds: Kind::CHOICES.to_vec(),
    };
    if world.clock.now() == at(STARTS[0]) || world.clock.now() == at(STARTS[1]) {
        world.voter_of(&n.to_string(), &[(Channel::Text, &number(n))], enrolment);
        return;
    }
    let (voter, now) =
        (VoterId { county: COUNTY.to_owned(), voter: n.to_string() }, world.clock.now());
    assert!(world.write(move |tx| ballot_relay::voter::enrol(tx, &voter, &enrolment, now)));
}
