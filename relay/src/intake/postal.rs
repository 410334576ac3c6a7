//! Scans of the Postal Service (Informed Visibility, Mail Tracking & Reporting): a ballot is on its way out, or back.
//!
//! What an operation code means is configuration: no list of them is public. Scans are sent again and again, and some are assumed:
//! the container was seen, not the piece. Neither repeats nor assumed scans nor unknown codes are news. A scan whose piece nobody knew is
//! placed when the ballot file names the piece; one whose code meant nothing, or whose time had not come, when it is told again.

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
/// Those that name the piece: mailer id and serial number.
const PIECE_DIGITS: usize = 15;
/// Digits of a whole code: tracking code, and a routing code of 0, 5, 9 or 11 (USPS-B-3200).
const WHOLE_DIGITS: [usize; 4] = [20, 25, 29, 31];
/// Longest operation code and longest event id that are kept as they came.
const OPERATION_BYTES_MAX: usize = 16;
const KEY_BYTES_MAX: usize = 64;
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
    let operation = operation_code(&operation)?;
    let is_key = |id: &String| {
        (1..=KEY_BYTES_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let key = event
        .id
        .filter(is_key)
        .unwrap_or_else(|| digest(format!("{tracking}|{moment}|{operation}").as_bytes()));
    let local = moment.get(..19)?.parse().ok()?;
    Some(Scan { key, tracking, operation, local })
}

/// A row of the legacy file: ZIP code of the facility, operation, local time, routing code, tracking code.
pub fn legacy(row: &[&str]) -> Option<Scan> {
    let [_, operation, moment, _, code] = row else { return None };
    let tracking = tracking(code)?;
    let local = civil::DateTime::strptime("%m/%d/%Y %H:%M:%S", moment.trim()).ok()?;
    let operation = operation_code(operation)?;
    let key = digest(format!("{tracking}|{local}|{operation}").as_bytes());
    Some(Scan { key, tracking, operation, local })
}

/// The code of an operation, if it is one that can be kept.
fn operation_code(code: &str) -> Option<String> {
    let code = code.trim();
    let is_code = (1..=OPERATION_BYTES_MAX).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_graphic());
    is_code.then(|| code.to_owned())
}

fn tracking(code: &str) -> Option<String> {
    let digits: String = code.chars().filter(char::is_ascii_digit).collect();
    digits.get(..TRACKING_DIGITS).map(str::to_owned)
}

/// What names the piece in a ballot file's code: the tracking code, with a routing code or without, or those fifteen digits alone.
pub fn piece(code: &str) -> Option<String> {
    let digits: String = code.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match digits.len() {
        PIECE_DIGITS => Some(digits),
        n if WHOLE_DIGITS.contains(&n) => {
            digits.get(TRACKING_DIGITS - PIECE_DIGITS..TRACKING_DIGITS).map(str::to_owned)
        }
        _ => None,
    }
}

/// Places the scans that came before anybody knew their piece.
pub(super) fn place(
    tx: &mut Tx<'_>,
    config: &Config,
    piece: &str,
    now: Micros,
) -> Result<(), StoreError> {
    let waiting = tx.rows(
        "SELECT key, imb, operation, local FROM postal_scan
         WHERE piece = $1 AND outcome = 'unknown_piece' ORDER BY local, key",
        params![piece],
    )?;
    for row in waiting {
        // It was written as it is read.
        let Ok(local) = row.text(3)?.parse() else { continue };
        let (key, tracking, operation) = (row.text(0)?, row.text(1)?, row.text(2)?);
        take(tx, config, &Scan { key, tracking, operation, local }, now)?;
    }
    Ok(())
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
        "INSERT INTO postal_scan (key, imb, piece, local, operation, scanned_at, received_at, outcome)
         VALUES ($1, $2, $3, $4, $5, 0, $6, 'new') ON CONFLICT (key) DO NOTHING",
        params![
            &scan.key,
            &scan.tracking,
            scan.tracking.get(TRACKING_DIGITS - PIECE_DIGITS..).unwrap_or_default(),
            scan.local.to_string(),
            &scan.operation,
            now,
        ],
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
        assert_eq!(piece("123456789123456").as_deref(), Some("123456789123456"));
        let whole = "00 777 123456 789123456 80302-1234-56";
        assert_eq!(piece(whole).as_deref(), Some("123456789123456"));
        for none in ["", "12345678912345", "0077712345678912345", "0077712345678912345x", "none"] {
            assert_eq!(piece(none), None, "{none}");
        }
        let hostile = br#"{"events":[{"eventId":"a\u0000b","imbTrackingCode":"00777123456789123456",
            "scanEventCode":"893","scanDatetime":"2026-10-27T12:38:20"},
            {"imbTrackingCode":"00777123456789123456","scanEventCode":"8\u00003","scanDatetime":"2026-10-27T12:38:20"}]}"#;
        let scans = pushed(hostile).unwrap();
        assert_eq!(scans.len(), 1);
        assert!(!scans[0].key.contains('\0'));
        assert!(pushed(b"no").is_err());
        assert_eq!(pushed(br#"{"events":[]}"#).unwrap(), []);
    }
}
