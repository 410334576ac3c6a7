//! Somebody sets the station's clock, and the night of the time change: order, deadlines, hold-back and windows hold.
#![cfg(test)]

#[path = "support/own_ledger.rs"]
#[expect(dead_code, reason = "each test binary uses a part")]
mod station;

use ballot_intake::clock::{Clock as _, ManualClock, Micros, Zone};
use ballot_intake::dedupe::{Met, Repeats};
use ballot_intake::scan::{ScanId, Verdict};
use rusqlite::Connection;
use serde_json::Value;
use station::{HOLD_BACK, NOON, Station, row, symbol};
use std::collections::BTreeSet;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);
const HALF: Duration = Duration::from_mins(5);

fn back(at: Micros) -> Micros {
    Micros(at.0 - 86_400_000_000)
}

fn station() -> Station {
    let station = Station::default();
    station.import(&(1..=9).map(row).collect::<Vec<_>>());
    station
}

/// A station at that moment, with a deadline in local time.
fn station_at(at: &str, receive_until: Option<&str>) -> Station {
    let denver = Zone::named("America/Denver").unwrap();
    let until = receive_until.map(|until| denver.instant(until).unwrap());
    let station = Station::with(|settings| settings.receive_until = until);
    set(&station, at);
    station.import(&(1..=9).map(row).collect::<Vec<_>>());
    station
}

fn set(station: &Station, at: &str) {
    station.clock.set(Micros::parse_rfc3339(at).unwrap());
}

fn held_and_owed(station: &Station) -> (i64, i64) {
    station.pass(Duration::ZERO);
    let outbox = station.report().outbox;
    (outbox["held"], outbox["owed"])
}

fn bodies(station: &Station) -> Vec<Value> {
    let ledger = Connection::open(station.path()).unwrap();
    let mut rows = ledger.prepare("SELECT body FROM event ORDER BY seq").unwrap();
    let bodies = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
    bodies.map(|body| serde_json::from_str(&body.unwrap()).unwrap()).collect()
}

#[test]
fn hold_back_does_not_end_early_when_the_clock_is_set_forward() {
    let station = station();
    station.scan_ballot("left", 1);
    station.pass(HALF);
    station.clock.set(NOON.plus(DAY));
    assert_eq!(held_and_owed(&station), (1, 0));
    station.scan_ballot("left", 2);
    station.pass(HALF.checked_sub(Duration::from_secs(1)).unwrap());
    assert_eq!(held_and_owed(&station), (2, 0));
    station.pass(Duration::from_secs(2));
    assert_eq!(held_and_owed(&station), (1, 1));
    station.pass(HALF);
    assert_eq!(held_and_owed(&station), (0, 2));
    assert!(station.verify().ok);
}

#[test]
fn hold_back_does_not_last_a_day_when_the_clock_is_set_back() {
    let station = station();
    station.scan_ballot("left", 1);
    station.pass(HALF);
    station.clock.set(back(NOON));
    assert_eq!(held_and_owed(&station), (1, 0));
    station.pass(HOLD_BACK);
    assert_eq!(held_and_owed(&station), (0, 1));
}

#[test]
fn a_clock_that_drifts_changes_nothing() {
    let station = station();
    station.scan_ballot("left", 1);
    let mut at = NOON;
    for _ in 0..10 {
        station.pass(Duration::from_mins(1));
        at = at.plus(Duration::from_millis(60_030));
        station.clock.set(at);
    }
    assert_eq!(held_and_owed(&station), (0, 1));
}

#[test]
fn order_is_that_of_the_scans_and_every_event_has_its_own_id_however_the_clock_is_set() {
    let station = station();
    station.scan_ballot("left", 1);
    station.clock.set(back(NOON));
    station.scan_ballot("left", 2);
    station.clock.set(NOON.plus(DAY));
    station.scan_ballot("left", 3);
    station.clock.set(NOON);
    station.scan_ballot("left", 4);
    for _ in 0..3 {
        station.pass(HOLD_BACK);
    }
    let bodies = bodies(&station);
    let ballots: Vec<&str> = bodies.iter().filter_map(|body| body["ballot"].as_str()).collect();
    assert_eq!(ballots, ["000000001", "000000002", "000000003", "000000004"]);
    let ids: BTreeSet<&str> = bodies.iter().map(|body| body["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), bodies.len());
    let claimed: Vec<i64> = station.claim().iter().map(|delivery| delivery.seq).collect();
    assert_eq!(claimed.len(), 4);
    assert!(claimed.is_sorted(), "{claimed:?}");
    assert!(station.verify().ok);
}

#[test]
fn scans_go_to_the_batch_of_the_day_that_the_clock_says() {
    let station = station();
    assert_eq!(station.scan_ballot("left", 1).batch, 1);
    station.clock.set(back(NOON));
    assert_eq!(station.scan_ballot("left", 2).batch, 2);
    station.clock.set(NOON);
    let judged = station.scan_ballot("left", 3);
    assert_eq!((judged.batch, judged.position), (1, 2));
}

#[test]
fn the_window_for_repeats_does_not_see_the_wall_clock() {
    let clock = ManualClock::new(NOON);
    let mut repeats = Repeats::new(Duration::from_secs(2));
    let symbols = [symbol("000000001")];
    assert_eq!(repeats.meet(&symbols, ScanId(1), clock.elapsed()), Met::New);
    clock.set(NOON.plus(DAY));
    clock.advance(Duration::from_secs(1));
    assert_eq!(repeats.meet(&symbols, ScanId(2), clock.elapsed()), Met::Pending(ScanId(1)));
    clock.set(back(NOON));
    clock.advance(Duration::from_secs(3));
    assert_eq!(repeats.meet(&symbols, ScanId(3), clock.elapsed()), Met::New);
}

#[test]
fn the_day_of_the_time_change_is_one_batch_of_25_or_23_hours() {
    let days = [
        ("2026-11-01T00:00:00-06:00", "2026-11-01T23:59:58-07:00", "2026-11-02T00:00:00-07:00"),
        ("2026-03-08T00:00:00-07:00", "2026-03-08T23:59:58-06:00", "2026-03-09T00:00:00-06:00"),
    ];
    for (first, last, next) in days {
        let station = station_at(first, None);
        assert_eq!(station.scan_ballot("left", 1).batch, 1, "{first}");
        set(&station, last);
        assert_eq!(station.scan_ballot("left", 2).batch, 1, "{last}");
        set(&station, next);
        assert_eq!(station.scan_ballot("left", 3).batch, 2, "{next}");
    }
}

#[test]
fn a_deadline_in_the_night_of_the_time_change_is_one_moment() {
    let deadlines = [
        // Twice: the first of the two.
        ("2026-11-01T01:30", "2026-11-01T01:30:00-06:00", "2026-11-01T01:30:01-06:00"),
        ("2026-11-01T01:30", "2026-11-01T01:29:59-06:00", "2026-11-01T01:00:00-07:00"),
        // Skipped: as if the clocks had not been set.
        ("2026-03-08T02:30", "2026-03-08T03:30:00-06:00", "2026-03-08T03:30:01-06:00"),
        // After it, by the new offset.
        ("2026-11-01T19:00", "2026-11-01T19:00:00-07:00", "2026-11-01T19:00:01-07:00"),
    ];
    for (until, in_time, late) in deadlines {
        let station = station_at(in_time, Some(until));
        assert_eq!(station.scan_ballot("left", 1).verdict, Verdict::Received, "{in_time}");
        set(&station, late);
        assert_eq!(station.scan_ballot("left", 2).verdict, Verdict::Late, "{late}");
    }
}
