//! Scans of the Postal Service (Informed Visibility, Mail Tracking & Reporting): a ballot is on its way out, or back.
//!
//! What an operation code means is configuration: no list of them is public. Scans are sent again and again, and some are assumed:
//! the container was seen, not the piece. Neither repeats nor assumed scans nor unknown codes are news. A scan that could not be placed,
//! because the ballot file or the code's meaning came later, is looked at again when it is told again.

use super::digest;
use crate::ballot::{self, Change, Origin, Stand};
use crate::clock::Micros;
use crate::config::{Config, Way};
use crate::hours::instant;
use crate::params;
use crate::store::{StoreError, Tx};
use crate::voter::VoterId;
use jiff::civil;
use serde::Deserialize;
use std::time::Duration;

/// Digits of a tracking code: two of bar code id, three of service type, fifteen that name the piece.
const TRACKING_DIGITS: usize = 20;
/// Service types of ballots to voters (USPS table of 2024-01-21).
const OUTBOUND: [&str; 9] = ["715", "716", "717", "718", "713", "720", "722", "723", "725"];
/// And of ballots to the office.
const RETURN: [&str; 4] = ["777", "778", "779", "780"];

/// A scan's time is its facility's, and is read in the county's zone: so far east of a county a facility can stand (Eastern daylight time,
/// Hawaii).
const ZONES_APART: Duration = Duration::from_hours(6);

/// One scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// What tells a repeat.
    pub key: String,
    /// The tracking code.
    pub tracking: String,
    /// The operation.
    pub operation: String,
    /// Where the scanner stood it was this time.
    pub local: civil::DateTime,
}

/// Why a push cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// It is no such JSON.
    #[error("the push is not JSON with a list of events")]
    Json(#[source] serde_json::Error),
}

#[derive(Deserialize)]
struct Push {
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(rename = "eventId")]
    id: Option<String>,
    imb: Option<String>,
    imb_tracking_code: Option<String>,
    scan_event_code: Option<String>,
    scan_datetime: Option<String>,
}

/// The scans of a JSON push. What is no scan of a piece is left out.
pub fn pushed(body: &[u8]) -> Result<Vec<Scan>, PushError> {
    let push: Push = serde_json::from_slice(body).map_err(PushError::Json)?;
    Ok(push.events.into_iter().filter_map(scan).collect())
}

fn scan(event: Event) -> Option<Scan> {
    let tracking = tracking(event.imb_tracking_code.as_deref().or(event.imb.as_deref())?)?;
    let (operation, moment) = (event.scan_event_code?, event.scan_datetime?);
    let key = event
        .id
        .filter(|id| !id.is_empty())
        .unwrap_or_else(|| digest(format!("{tracking}|{moment}|{operation}").as_bytes()));
    let local = moment.get(..19)?.parse().ok()?;
    Some(Scan { key, tracking, operation, local })
}

/// A row of the legacy file: ZIP code of the facility, operation, local time, routing code, tracking code.
pub fn legacy(row: &[&str]) -> Option<Scan> {
    let [_, operation, moment, _, code] = row else { return None };
    let tracking = tracking(code)?;
    let local = civil::DateTime::strptime("%m/%d/%Y %H:%M:%S", moment.trim()).ok()?;
    let key = digest(format!("{tracking}|{local}|{operation}").as_bytes());
    Some(Scan { key, tracking, operation: operation.trim().to_owned(), local })
}

fn tracking(code: &str) -> Option<String> {
    let digits: String = code.chars().filter(char::is_ascii_digit).collect();
    digits.get(..TRACKING_DIGITS).map(str::to_owned)
}

/// What names the piece in a tracking code.
pub fn piece(code: &str) -> Option<String> {
    tracking(code)?.get(5..).map(str::to_owned)
}

/// Takes a scan. What became of it: `applied`, `behind`, `assumed`, `unknown_code`, `unknown_piece`, `future`, or `repeat` of one of the
/// first three.
pub fn take(
    tx: &mut Tx<'_>,
    config: &Config,
    scan: &Scan,
    now: Micros,
) -> Result<&'static str, StoreError> {
    let is_new = tx.run(
        "INSERT INTO postal_scan (key, imb, operation, scanned_at, received_at, outcome)
         VALUES ($1, $2, $3, 0, $4, 'new') ON CONFLICT (key) DO NOTHING",
        params![&scan.key, &scan.tracking, &scan.operation, now],
    )?;
    let known = format!("SELECT outcome FROM postal_scan WHERE key = $1{}", tx.for_update());
    if is_new == 0
        && let Some(row) = tx.row(&known, params![&scan.key])?
        && ["applied", "behind", "assumed"].contains(&row.text(0)?.as_str())
    {
        return Ok("repeat");
    }
    let (outcome, scanned_at) = judge(tx, config, scan, now)?;
    tx.run(
        "UPDATE postal_scan SET outcome = $2, scanned_at = $3 WHERE key = $1",
        params![&scan.key, outcome, scanned_at],
    )?;
    Ok(outcome)
}

fn judge(
    tx: &mut Tx<'_>,
    config: &Config,
    scan: &Scan,
    now: Micros,
) -> Result<(&'static str, Micros), StoreError> {
    let way = config.postal.as_ref().and_then(|postal| postal.operations.get(&scan.operation));
    match way {
        None => return Ok(("unknown_code", now)),
        Some(Way::Assumed) => return Ok(("assumed", now)),
        Some(Way::Moving) => {}
    }
    let (Some(piece), Some(service)) = (scan.tracking.get(5..), scan.tracking.get(2..5)) else {
        return Ok(("unknown_piece", now));
    };
    let stand = match service {
        _ if OUTBOUND.contains(&service) => Stand::OnItsWay,
        _ if RETURN.contains(&service) => Stand::OnItsWayBack,
        _ => return Ok(("unknown_piece", now)),
    };
    let row = tx.row(
        "SELECT p.county, p.election, p.ballot, b.voter FROM mail_piece p
         JOIN ballot b ON b.county = p.county AND b.election = p.election AND b.ballot = p.ballot
         WHERE p.imb = $1",
        params![piece],
    )?;
    let Some(row) = row else { return Ok(("unknown_piece", now)) };
    let (county, election, ballot) = (row.text(0)?, row.text(1)?, row.text(2)?);
    let zone = config.county(&county).map_or(jiff::tz::TimeZone::UTC, crate::config::County::zone);
    let latest = now.plus(super::AHEAD).plus(ZONES_APART);
    let Some(happened_at) = instant(scan.local, &zone).filter(|at| *at <= latest) else {
        return Ok(("future", now));
    };
    let happened_at = happened_at.min(now);
    let voter = VoterId { county, voter: row.text(3)? };
    let change = Change {
        cause: &format!("postal/{}/{election}/{ballot}/{}", voter.county, stand.name()),
        origin: Origin::Postal,
        source: "",
        voter: &voter,
        election: &election,
        ballot: &ballot,
        status: stand,
        reason: None,
        happened_at,
        corrects: None,
    };
    let applied = ballot::apply(tx, config, &change, now)?;
    let outcome = if applied == ballot::Applied::Moved { "applied" } else { "behind" };
    Ok((outcome, happened_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_name_the_piece_and_tell_repeats() {
        let json =
            br#"{"msgGrpId":"1","events":[{"eventId":"e1","imbTrackingCode":"00777123456789123456",
            "scanEventCode":"893","scanDatetime":"2026-10-27T12:38:20"},{"scanEventCode":"893"}]}"#;
        let scans = pushed(json).unwrap();
        assert_eq!(scans.len(), 1);
        assert_eq!(piece(&scans[0].tracking).as_deref(), Some("123456789123456"));
        let row = ["80204", "893", "10/27/2026 12:38:20", "80204123456", "00777123456789123456"];
        let legacy_scan = legacy(&row).unwrap();
        assert_eq!(
            (&legacy_scan.tracking, legacy_scan.local),
            (&scans[0].tracking, scans[0].local)
        );
        assert_eq!(legacy(&row).unwrap().key, legacy_scan.key);
        assert_eq!(legacy(&row[..4]), None);
        assert!(pushed(b"no").is_err());
        assert_eq!(pushed(br#"{"events":[]}"#).unwrap(), []);
    }
}
