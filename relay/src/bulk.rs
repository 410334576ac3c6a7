//! Reminders to many: counted, shown, released by a second person, written out in pieces, stopped at any time.
//!
//! # Rules
//!
//! - A reminder goes to whoever could get one when it was counted, and never to more contacts than that. More at its release: it is
//!   refused and made anew. More while it is written out: it stops itself, and the office is alarmed. Where a contact fails no other one
//!   is told instead: it was not counted.
//! - Whose ballot came back while the reminder waited is not reminded.
//! - Whoever made it does not release it.
//! - What it says comes from the templates and the election's own dates: nobody types anything that voters read.
//! - A reminder that was wrong is taken back by a retraction: another bulk, to whoever got it, released by a second person, too.
//! - It is written out a piece at a time by any process of the relay; a crash goes on where the last commit stood. A stop holds at
//!   once: what is owed and was not yet sent is withdrawn.

use crate::alarm::{Alarm, raise};
use crate::clock::Micros;
use crate::id::new_id;
use crate::news::Kind;
use crate::notice::{self, HEARS_FIRST, Owed, SENT_STATES};
use crate::params;
use crate::store::{Row, StoreError, Tx, Value};
use crate::voter::VoterId;
use std::collections::BTreeMap;

/// Ballots of a piece.
const PIECE: i64 = 500;

/// The statuses of a ballot about which a reminder can be made: it is not back yet.
pub const STATUSES: [&str; 3] = ["mailed", "on_its_way", "undeliverable"];

/// Who can be reminded, and of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aim {
    /// The county.
    pub county: String,
    /// The election.
    pub election: String,
    /// Where the ballots stand.
    pub statuses: Vec<String>,
}

/// A reminder, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bulk {
    /// Its id.
    pub id: String,
    /// A reminder, or a retraction.
    pub kind: Kind,
    /// Whom it is for.
    pub aim: Aim,
    /// The reminder that it takes back.
    pub takes_back: Option<String>,
    /// How many contacts it was counted for.
    pub target: i64,
    /// How many notices were written out.
    pub made: i64,
    /// draft, running, done, stopped or refused.
    pub state: String,
    /// Why it stopped or was refused.
    pub why: Option<String>,
    /// Who made it, and when.
    pub created_by: String,
    /// See there.
    pub created_at: Micros,
    /// Who released it.
    pub released_by: Option<String>,
    /// Until when its notices are worth sending.
    pub not_after: Micros,
    cursor: String,
}

/// What came of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// It is being written out.
    Running,
    /// There is no such draft any more.
    NoDraft,
    /// Whoever made it does not release it.
    SamePerson,
    /// It would go to so many now, which is more than was counted: it is refused.
    Grew(i64),
}

/// Whoever a ballot of these is told of a reminder: the same conditions as `notice::owe` has, which decides.
fn aimed(aim: &Aim, select: &str, more: &str) -> (String, Vec<Value>) {
    let mut values =
        params![&aim.county, &aim.election, format!("%,{},%", Kind::Reminder)].to_vec();
    let mut marks = Vec::new();
    for status in &aim.statuses {
        values.push(status.into());
        marks.push(format!("${}", values.len()));
    }
    let marks = if marks.is_empty() { "''".to_owned() } else { marks.join(", ") };
    let sql = format!(
        "SELECT {select} FROM ballot b
         JOIN voter v ON v.county = b.county AND v.voter = b.voter AND v.confidential = 0
         JOIN enrolment e ON e.county = b.county AND e.voter = b.voter AND e.ended_at IS NULL
             AND (',' || e.kinds || ',') LIKE $3
         JOIN contact c ON c.county = b.county AND c.voter = b.voter AND c.state = 'confirmed'
             AND {HEARS_FIRST}
         WHERE b.county = $1 AND b.election = $2 AND b.status IN ({marks})
         AND NOT EXISTS (SELECT 1 FROM in_person p WHERE p.county = b.county AND p.voter = b.voter
             AND p.election = b.election)
         AND NOT EXISTS (SELECT 1 FROM suppression s WHERE s.channel = c.channel AND s.address = c.address)
         {more}"
    );
    (sql, values)
}

/// How many contacts a reminder would go to now.
pub fn count(tx: &mut Tx<'_>, aim: &Aim) -> Result<i64, StoreError> {
    let (sql, values) = aimed(aim, "COUNT(DISTINCT c.id)", "");
    tx.count(&sql, &values)
}

/// Counts and keeps a reminder, to be released by somebody else; its id.
pub fn draft(
    tx: &mut Tx<'_>,
    aim: &Aim,
    (by, not_after): (&str, Micros),
    now: Micros,
) -> Result<String, StoreError> {
    let (id, target) = (new_id(now), count(tx, aim)?);
    tx.run(
        "INSERT INTO bulk (id, county, election, kind, statuses, fields, target, state, cursor, made,
         created_by, created_at, not_after) VALUES ($1, $2, $3, $4, $5, '{}', $6, 'draft', '', 0, $7, $8, $9)",
        params![
            &id,
            &aim.county,
            &aim.election,
            Kind::Reminder.name(),
            aim.statuses.join(","),
            target,
            by,
            now,
            not_after
        ],
    )?;
    Ok(id)
}

/// Keeps what takes a reminder back, to be released by somebody else; its id. Nothing where nobody got the reminder.
pub fn take_back(
    tx: &mut Tx<'_>,
    reminder: &Bulk,
    (by, not_after): (&str, Micros),
    now: Micros,
) -> Result<Option<String>, StoreError> {
    let (id, target) = (new_id(now), heard(tx, &reminder.id)?);
    if target == 0 || reminder.kind != Kind::Reminder {
        return Ok(None);
    }
    tx.run(
        "INSERT INTO bulk (id, county, election, kind, statuses, fields, target, state, cursor, made,
         created_by, created_at, not_after) VALUES ($1, $2, $3, $4, '', $5, $6, 'draft', '', 0, $7, $8, $9)",
        params![
            &id,
            &reminder.aim.county,
            &reminder.aim.election,
            Kind::Retraction.name(),
            &reminder.id,
            target,
            by,
            now,
            not_after
        ],
    )?;
    Ok(Some(id))
}

/// How many contacts got a reminder, or may have.
fn heard(tx: &mut Tx<'_>, reminder: &str) -> Result<i64, StoreError> {
    let sql = format!("SELECT COUNT(*) FROM notice WHERE cause = $1 AND state IN ({SENT_STATES})");
    tx.count(&sql, params![reminder])
}

/// A second person releases it.
pub fn release(tx: &mut Tx<'_>, id: &str, by: &str, now: Micros) -> Result<Release, StoreError> {
    let Some(bulk) = find(tx, id)?.filter(|bulk| bulk.state == "draft") else {
        return Ok(Release::NoDraft);
    };
    if bulk.created_by == by {
        return Ok(Release::SamePerson);
    }
    let n_now = match &bulk.takes_back {
        Some(reminder) => heard(tx, reminder)?,
        None => count(tx, &bulk.aim)?,
    };
    if n_now > bulk.target {
        end(tx, id, ("refused", Some("grew")))?;
        return Ok(Release::Grew(n_now));
    }
    tx.run(
        "UPDATE bulk SET state = 'running', released_by = $2, released_at = $3 WHERE id = $1",
        params![id, by, now],
    )?;
    Ok(Release::Running)
}

/// Stops it: what was not yet sent is withdrawn. Whether there was something to stop.
pub fn stop(tx: &mut Tx<'_>, id: &str, by: &str, now: Micros) -> Result<bool, StoreError> {
    let n = tx.run(
        "UPDATE bulk SET state = 'stopped', stopped_by = $2, stopped_at = $3
         WHERE id = $1 AND state IN ('draft', 'running', 'done')",
        params![id, by, now],
    )?;
    notice::withdraw(tx, id, "stopped", now)?;
    Ok(n > 0)
}

/// Writes out the next piece of one reminder that is running. Whether there may be more to do.
pub fn write_out(tx: &mut Tx<'_>, now: Micros) -> Result<bool, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM bulk WHERE state = 'running' ORDER BY released_at LIMIT 1{}",
        tx.skip_locked()
    );
    let Some(row) = tx.row(&sql, &[])? else { return Ok(false) };
    let mut bulk = bulk(&row)?;
    let rows = next_piece(tx, &bulk)?;
    let n_rows = i64::try_from(rows.len()).unwrap_or(PIECE);
    for row in rows {
        if !tell(tx, &mut bulk, &row, now)? {
            return Ok(true);
        }
    }
    tx.run(
        "UPDATE bulk SET cursor = $2, made = $3 WHERE id = $1",
        params![&bulk.id, &bulk.cursor, bulk.made],
    )?;
    if n_rows < PIECE {
        end(tx, &bulk.id, ("done", None))?;
    }
    Ok(true)
}

/// Whose turn it is: where the next piece begins after it, and the voter.
fn next_piece(tx: &mut Tx<'_>, bulk: &Bulk) -> Result<Vec<Row>, StoreError> {
    if let Some(reminder) = &bulk.takes_back {
        let sql = format!(
            "SELECT voter, voter FROM notice WHERE cause = $1 AND voter > $2
             AND state IN ({SENT_STATES}) GROUP BY voter ORDER BY voter LIMIT {PIECE}"
        );
        return tx.rows(&sql, params![reminder, &bulk.cursor]);
    }
    let (sql, mut values) = aimed(
        &bulk.aim,
        "b.ballot, b.voter",
        &format!(
            "AND b.ballot > ${} GROUP BY b.ballot, b.voter ORDER BY b.ballot LIMIT {PIECE}",
            4 + bulk.aim.statuses.len()
        ),
    );
    values.push(bulk.cursor.as_str().into());
    tx.rows(&sql, &values)
}

/// Owes one voter what it says. Whether it goes on: beyond its count it stops, with what this very transaction owes.
fn tell(tx: &mut Tx<'_>, bulk: &mut Bulk, row: &Row, now: Micros) -> Result<bool, StoreError> {
    let place = row.text(0)?;
    let voter = VoterId { county: bulk.aim.county.clone(), voter: row.text(1)? };
    // A retraction is about no ballot.
    let ballot = if bulk.takes_back.is_some() { "" } else { place.as_str() };
    let owed = Owed {
        cause: &bulk.id,
        kind: bulk.kind,
        voter: &voter,
        about: Some((&bulk.aim.election, ballot)),
        bulk: Some(&bulk.id),
        heard: bulk.takes_back.as_deref(),
        more: BTreeMap::new(),
        happened_at: now,
        from: now,
        not_after: bulk.not_after,
    };
    let made = notice::owe(tx, &owed, now)?;
    bulk.made = bulk.made.saturating_add_unsigned(made);
    bulk.cursor = place;
    if bulk.made <= bulk.target {
        return Ok(true);
    }
    end(tx, &bulk.id, ("stopped", Some("beyond_target")))?;
    notice::withdraw(tx, &bulk.id, "beyond_target", now)?;
    let alarm = Alarm {
        county: &bulk.aim.county,
        kind: "bulk",
        subject: &bulk.id,
        what: "A reminder would have gone to more contacts than were counted. It stopped; count it anew.",
    };
    raise(tx, alarm, now)?;
    Ok(false)
}

fn end(tx: &mut Tx<'_>, id: &str, (state, why): (&str, Option<&str>)) -> Result<(), StoreError> {
    tx.run("UPDATE bulk SET state = $2, why = $3 WHERE id = $1", params![id, state, why]).map(drop)
}

const COLUMNS: &str = "id, county, election, statuses, target, made, state, why, created_by, created_at, \
                       released_by, not_after, cursor, kind, fields";

fn bulk(row: &Row) -> Result<Bulk, StoreError> {
    let statuses = row.text(3)?.split(',').filter(|s| !s.is_empty()).map(str::to_owned).collect();
    let kind = Kind::from_name(&row.text(13)?).ok_or(StoreError::Column(13))?;
    let takes_back = row.text(14)?;
    Ok(Bulk {
        id: row.text(0)?,
        kind,
        takes_back: (kind == Kind::Retraction).then_some(takes_back),
        aim: Aim { county: row.text(1)?, election: row.text(2)?, statuses },
        target: row.int(4)?,
        made: row.int(5)?,
        state: row.text(6)?,
        why: row.maybe_text(7)?,
        created_by: row.text(8)?,
        created_at: row.at(9)?,
        released_by: row.maybe_text(10)?,
        not_after: row.at(11)?,
        cursor: row.text(12)?,
    })
}

/// One of them.
pub fn find(tx: &mut Tx<'_>, id: &str) -> Result<Option<Bulk>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM bulk WHERE id = $1{}", tx.for_update());
    tx.row(&sql, params![id])?.map(|row| bulk(&row)).transpose()
}

/// The newest of the counties that the pattern fits.
pub fn newest(tx: &mut Tx<'_>, counties: &str, n_max: i64) -> Result<Vec<Bulk>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM bulk WHERE county LIKE $1 ORDER BY id DESC LIMIT $2");
    tx.rows(&sql, params![counties, n_max])?.iter().map(bulk).collect()
}
