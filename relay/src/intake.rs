//! What comes in: stations' events, the county's files, the Postal Service's scans.
//!
//! # Constraints
//!
//! - An event is taken once, by its id; a second body under one id is refused. It is answered 2xx only after its commit.
//! - A ballot's events of one source are applied in the order of their `sequence`, from 1 without a gap. One that comes before its turn
//!   is kept, answered 202, and applied with the one that was missing.
//! - What is said to happen in the future is refused: a date in a field is no event.

pub mod files;
pub mod http;
pub mod postal;

use crate::alarm::{Alarm, raise};
use crate::ballot::{self, Applied, Change, Origin, Stand};
use crate::clock::Micros;
use crate::config::Config;
use crate::params;
use crate::store::{StoreError, Tx};
use crate::voter::VoterId;
use relay_wire::{ChangeEvent, CheckpointEvent};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::time::Duration;

/// How far a station's clock may be ahead.
const AHEAD: Duration = Duration::from_mins(10);
/// How long a missing event is waited for before the office hears of it.
pub const GAP: Duration = Duration::from_mins(30);

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is applied.
    Applied,
    /// It is kept; one before it is missing.
    Waiting,
    /// It was taken before.
    Repeat,
    /// Another event came under its id or its number.
    Conflict,
    /// It says that it happens in the future.
    Future,
    /// It speaks for another station's ledger.
    Foreign,
}

/// Takes a station's event.
pub fn take(
    tx: &mut Tx<'_>,
    config: &Config,
    county: &str,
    (event, body): (&ChangeEvent, &str),
    now: Micros,
) -> Result<Taken, StoreError> {
    let digest = digest(body.as_bytes());
    let Some(happened_at) = Micros::parse_rfc3339(&event.time) else { return Ok(Taken::Future) };
    if happened_at > now.plus(AHEAD) {
        let what = "A station's event is dated in the future; it was refused. Look at the station's clock.";
        let subject = event.source();
        raise(tx, Alarm { county, kind: "future_date", subject: &subject, what }, now)?;
        return Ok(Taken::Future);
    }
    let source = event.source();
    let sequence = i64::try_from(event.sequence).unwrap_or(i64::MAX);
    let key = Key { source: &source, election: &event.election, ballot: &event.ballot };
    let applied = key.applied(tx)?;
    // Looked up behind the lock: the same event may be coming twice at once.
    if let Some(row) = tx.row("SELECT digest FROM event WHERE id = $1", params![&event.id])? {
        return Ok(if row.text(0)? == digest { Taken::Repeat } else { Taken::Conflict });
    }
    let kept = tx.run(
        "INSERT INTO event (id, county, source, election, ballot, sequence, happened_at, received_at,
         state, digest, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'waiting', $9, $10)
         ON CONFLICT DO NOTHING",
        params![
            &event.id,
            county,
            &source,
            &event.election,
            &event.ballot,
            sequence,
            happened_at,
            now,
            digest,
            body,
        ],
    )?;
    if kept == 0 || sequence <= applied {
        // The number is taken: by a row, or by one that was counted before.
        return Ok(Taken::Conflict);
    }
    if sequence > applied + 1 {
        return Ok(Taken::Waiting);
    }
    apply_from(tx, config, &key, sequence, now)?;
    Ok(Taken::Applied)
}

/// Keeps the newest checkpoint of a ledger: of the sender's own. One that contradicts it is told to the office: the ledger was cut or
/// rewritten.
pub fn witness(
    tx: &mut Tx<'_>,
    county: &str,
    event: &CheckpointEvent,
    now: Micros,
) -> Result<Taken, StoreError> {
    if !event.is_of_its_station() {
        return Ok(Taken::Foreign);
    }
    let seq = i64::try_from(event.seq).unwrap_or(i64::MAX);
    let known =
        tx.row("SELECT seq, hash FROM checkpoint WHERE origin = $1", params![&event.origin])?;
    if let Some(known) = known {
        let (known_seq, known_hash) = (known.int(0)?, known.text(1)?);
        if known_seq == seq && known_hash != event.hash {
            let what = "A station signed two different heads of its ledger: it was rewritten. Keep both and call its vendor.";
            raise(tx, Alarm { county, kind: "ledger", subject: &event.origin, what }, now)?;
            return Ok(Taken::Applied);
        }
    }
    tx.run(
        "INSERT INTO checkpoint (origin, seq, hash, note, received_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (origin) DO UPDATE SET seq = excluded.seq, hash = excluded.hash,
         note = excluded.note, received_at = excluded.received_at WHERE checkpoint.seq < excluded.seq",
        params![&event.origin, seq, &event.hash, &event.note, now],
    )?;
    Ok(Taken::Applied)
}

/// Raises an alarm about events that wait for one that does not come. How many wait.
pub fn watch_gaps(tx: &mut Tx<'_>, now: Micros) -> Result<i64, StoreError> {
    let waiting = tx.rows(
        "SELECT county, source, COUNT(*) FROM event WHERE state = 'waiting' AND received_at < $1
         GROUP BY county, source",
        params![now.minus(GAP)],
    )?;
    let mut n_waiting = 0;
    for row in waiting {
        n_waiting += row.int(2)?;
        let what =
            "Events of a station wait for one that is missing. Look at the station's outbox.";
        let (county, subject) = (row.text(0)?, row.text(1)?);
        raise(tx, Alarm { county: &county, kind: "gap", subject: &subject, what }, now)?;
    }
    Ok(n_waiting)
}

/// One ballot's events of one source.
struct Key<'a> {
    source: &'a str,
    election: &'a str,
    ballot: &'a str,
}

impl Key<'_> {
    /// How far they were applied. The row is there from the first event on, so that it can be locked.
    fn applied(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        let Self { source, election, ballot } = self;
        tx.run(
            "INSERT INTO stream (source, election, ballot, sequence) VALUES ($1, $2, $3, 0)
             ON CONFLICT (source, election, ballot) DO NOTHING",
            params![*source, *election, *ballot],
        )?;
        let sql = format!(
            "SELECT sequence FROM stream WHERE source = $1 AND election = $2 AND ballot = $3{}",
            tx.for_update()
        );
        tx.count(&sql, params![*source, *election, *ballot])
    }
}

/// Applies the event of that number and what waited for it.
fn apply_from(
    tx: &mut Tx<'_>,
    config: &Config,
    key: &Key<'_>,
    first: i64,
    now: Micros,
) -> Result<(), StoreError> {
    let mut sequence = first;
    loop {
        let waiting = tx.row(
            "SELECT id, county, body FROM event WHERE source = $1 AND election = $2 AND ballot = $3
             AND sequence = $4 AND state = 'waiting'",
            params![key.source, key.election, key.ballot, sequence],
        )?;
        let Some(row) = waiting else { break };
        let (id, county, body) = (row.text(0)?, row.text(1)?, row.text(2)?);
        // It was read before it was kept.
        let Ok(event) = ChangeEvent::parse(body.as_bytes()) else { break };
        let applied = apply(tx, config, &county, &event, now)?;
        let state = if applied == Applied::Moved { "applied" } else { "stale" };
        tx.run("UPDATE event SET state = $2 WHERE id = $1", params![id, state])?;
        sequence += 1;
    }
    tx.run(
        "UPDATE stream SET sequence = $4 WHERE source = $1 AND election = $2 AND ballot = $3",
        params![key.source, key.election, key.ballot, sequence - 1],
    )
    .map(drop)
}

fn apply(
    tx: &mut Tx<'_>,
    config: &Config,
    county: &str,
    event: &ChangeEvent,
    now: Micros,
) -> Result<Applied, StoreError> {
    let voter = VoterId { county: county.to_owned(), voter: event.voter.clone() };
    let source = event.source();
    let change = Change {
        cause: &event.id,
        origin: Origin::Station,
        source: &source,
        voter: &voter,
        election: &event.election,
        ballot: &event.ballot,
        status: Stand::Status(event.status),
        reason: event.reason.as_deref(),
        happened_at: Micros::parse_rfc3339(&event.time).unwrap_or(now),
        corrects: event.corrects.as_deref(),
    };
    ballot::apply(tx, config, &change, now)
}

/// SHA-256 in hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a `String` cannot fail.
        if write!(hex, "{byte:02x}").is_err() {
            hex.clear();
        }
        hex
    })
}
