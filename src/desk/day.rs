//! `/day`: what was scanned on one local day, by verdict, scanner, clerk and batch, and how many a minute.

use super::page::Frame;
use super::refusal::Refusal;
use super::view::tone_of;
use super::visit::{Outcome, Visit};
use crate::clock::{Micros, Zone};
use crate::ledger::{DaySheet, NamedScans};
use crate::scan::Verdict;
use askama::Template;
use std::collections::BTreeMap;
use std::time::Duration;

/// Minutes that one bar stands for.
const BAR_MINUTES: i64 = 15;

/// A day without a time change, in minutes.
const DAY_MINUTES: i64 = 1_440;

/// Between two times on the plot's axis, in minutes.
const MARK_MINUTES: i64 = 180;

/// The plot's size within its axes, in its own units.
const WIDTH: i64 = 960;
const HEIGHT: i64 = 200;

/// A bar of one scan among thousands can still be seen.
const LEAST: i64 = 2;

#[derive(Template)]
#[template(path = "day.html")]
struct Day<'v> {
    frame: Frame<'v>,
    sheet: &'v DaySheet,
    plot: Plot,
    groups: [(&'static str, &'v [NamedScans]); 2],
}

/// The bars of a day.
struct Plot {
    bars: Vec<Bar>,
    /// Scans a minute at the top.
    most: String,
    /// Where each third hour begins, and what the clocks say then.
    hours: Vec<(i64, String)>,
}

/// The scans of a quarter of an hour with one tone.
struct Bar {
    tone: &'static str,
    x: i64,
    y: i64,
    width: i64,
    height: i64,
}

/// The scans of a tone.
fn of_tone(scans: &BTreeMap<String, i64>, tone: &str) -> i64 {
    let is_of =
        |name: &str| Verdict::from_name(name).is_some_and(|verdict| bar_tone(verdict) == tone);
    scans.iter().filter(|(name, _)| is_of(name)).map(|(_, n)| n).sum()
}

fn bar_tone(verdict: Verdict) -> &'static str {
    match tone_of(verdict) {
        "good" => "good",
        "bad" | "alarm" => "bad",
        _ => "notice",
    }
}

/// What the clocks say so many times three hours after the day began, hours and minutes: on the day of a time change they jump.
fn clock(zone: &Zone, begins: Micros, mark: i64) -> String {
    let after = Duration::from_mins(u64::try_from(mark * MARK_MINUTES).unwrap_or(0));
    let text = zone.date_time(begins.plus(after));
    text.get(11..16).unwrap_or_default().to_owned()
}

/// How tall a bar of so many scans is.
fn tall(scans: i64, top: i64) -> i64 {
    let least = if scans > 0 { LEAST } else { 0 };
    (scans * HEIGHT / top).max(least)
}

impl Plot {
    fn of(sheet: &DaySheet, zone: &Zone) -> Self {
        let last = sheet.quarters.last().map_or(0, |quarter| quarter.minute + BAR_MINUTES);
        let minutes = last.max(DAY_MINUTES);
        let sums = sheet.quarters.iter().map(|quarter| quarter.scans.values().sum::<i64>());
        let top = sums.max().unwrap_or(0).max(1);
        let x = |minute: i64| minute * WIDTH / minutes;
        let mut bars = Vec::new();
        for quarter in &sheet.quarters {
            let mut y = HEIGHT;
            for tone in ["good", "notice", "bad"] {
                let height = tall(of_tone(&quarter.scans, tone), top);
                y -= height;
                let width = x(quarter.minute + BAR_MINUTES) - x(quarter.minute) - 1;
                bars.push(Bar { tone, x: x(quarter.minute), y, width, height });
            }
        }
        bars.retain(|bar| bar.height > 0);
        let begins = Micros::parse_rfc3339(&sheet.report.from).unwrap_or(Micros(0));
        let hours = (0..8).map(|mark| (x(mark * MARK_MINUTES), mark));
        let hours = hours.map(|(x, mark)| (x, clock(zone, begins, mark))).collect();
        let tenths = top * 10 / BAR_MINUTES;
        Self { bars, most: format!("{}.{}", tenths / 10, tenths % 10), hours }
    }
}

/// `GET /day`, `GET /day/print` and `GET /api/v1/day`.
pub(super) async fn day(visit: Visit) -> Outcome {
    let now = visit.now();
    let day = visit.query("day").map_or_else(|| visit.settings().zone.date(now), str::to_owned);
    let sheet = visit.read(move |reader| reader.day_sheet(&day, now)).await?;
    let sheet = sheet.ok_or(Refusal::Malformed("day"))?;
    if visit.is_api() {
        return Visit::json(&sheet);
    }
    let report = &sheet.report;
    visit.page(&Day {
        frame: visit.frame("title.day"),
        sheet: &sheet,
        plot: Plot::of(&sheet, &visit.settings().zone),
        groups: [("day.by_scanner", &report.scanners), ("day.by_batch", &report.batches)],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_scan_in_a_full_quarter_can_be_seen() {
        assert_eq!(
            [(0, 2_000), (1, 2_000), (2_000, 2_000)].map(|(n, top)| tall(n, top)),
            [0, LEAST, HEIGHT]
        );
    }

    #[test]
    fn the_axis_says_what_the_clocks_say() {
        let zone = Zone::named("America/Denver").unwrap();
        let begins = Micros::parse_rfc3339("2026-11-01T00:00:00-06:00").unwrap();
        let marks: Vec<_> = (0..8).map(|mark| clock(&zone, begins, mark)).collect();
        assert_eq!(marks, ["00:00", "02:00", "05:00", "08:00", "11:00", "14:00", "17:00", "20:00"]);
    }
}
