//! Where each ballot stands, and which change of it is news.
//!
//! # Rules
//!
//! - A station's news are applied in their own order; of several sources the later happening counts. A file that lags behind, and
//!   the Postal Service, only ever move a ballot forward.
//! - What is corrected before anything was sent is never announced. If something was, whoever heard it gets a correction. What is on its
//!   way at that moment, and comes back, is looked at again before it is sent again (`notice::overtaken`).
//! - Who voted in person in an election hears nothing more about its mail ballots, however late that is said, until a correction of
//!   every word that said so.
//! - The state of the ballot and what is owed for it are one transaction.

use crate::alarm::{Alarm, raise};
use crate::clock::Micros;
use crate::config::Config;
use crate::news::{Kind, VOTED_IN_PERSON, rank};
use crate::notice::{self, Owed};
use crate::params;
use crate::store::{Row, StoreError, Tx};
use crate::voter::VoterId;
use relay_wire::Status;
use std::collections::BTreeMap;

/// From where a change is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A station's event.
    Station,
    /// A county's file.
    File,
    /// The Postal Service.
    Postal,
}

/// A change of a ballot.
#[derive(Debug, Clone)]
pub struct Change<'a> {
    /// The same at every replay: the event's id, or made of what it says.
    pub cause: &'a str,
    /// From where it is known.
    pub origin: Origin,
    /// A station's source; empty otherwise.
    pub source: &'a str,
    /// Whose ballot.
    pub voter: &'a VoterId,
    /// The election.
    pub election: &'a str,
    /// The ballot.
    pub ballot: &'a str,
    /// Where it stands now.
    pub status: Stand,
    /// Why.
    pub reason: Option<&'a str>,
    /// When that happened.
    pub happened_at: Micros,
    /// The cause that this one corrects.
    pub corrects: Option<&'a str>,
}

/// Where a ballot stands: a status of the wire, or what the Postal Service saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// A status.
    Status(Status),
    /// On its way to the voter.
    OnItsWay,
    /// On its way back.
    OnItsWayBack,
}

impl Stand {
    /// The name in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Status(status) => status.name(),
            Self::OnItsWay => "on_its_way",
            Self::OnItsWayBack => "on_its_way_back",
        }
    }

    fn kind(self, reason: Option<&str>) -> Option<Kind> {
        match self {
            Self::Status(status) => Kind::of(status, reason),
            Self::OnItsWay => Some(Kind::OnItsWay),
            Self::OnItsWayBack => Some(Kind::OnItsWayBack),
        }
    }
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The ballot stands elsewhere now.
    Moved,
    /// It stood there already, or further along.
    Behind,
    /// The ballot is another voter's: nothing was changed, and the office is told.
    Conflict,
}

/// Applies a change and owes what it is news of.
pub fn apply(
    tx: &mut Tx<'_>,
    config: &Config,
    change: &Change<'_>,
    now: Micros,
) -> Result<Applied, StoreError> {
    let before = standing(tx, change, now)?;
    if let Some(before) = &before
        && before.voter != change.voter.voter
    {
        let subject = format!("{}/{}", change.election, change.ballot);
        let what =
            "Two sources name different voters for one ballot. The later one was not believed.";
        let county = &change.voter.county;
        raise(tx, Alarm { county, kind: "conflict", subject: &subject, what }, now)?;
        return Ok(Applied::Conflict);
    }
    // It is true of the voter, even where the ballot has later news.
    in_person(tx, change, now)?;
    if let Some(before) = &before
        && !moves(tx, before, change)?
    {
        return Ok(Applied::Behind);
    }
    put(tx, change, now)?;
    announce(tx, config, change, now)?;
    Ok(Applied::Moved)
}

/// Notes that a voter voted in person, or that this was a mistake. What is owed about their mail ballots is withdrawn.
fn in_person(tx: &mut Tx<'_>, change: &Change<'_>, now: Micros) -> Result<(), StoreError> {
    let Change { voter, election, .. } = change;
    if let Some(corrected) = change.corrects {
        tx.run(
            "DELETE FROM in_person WHERE county = $1 AND election = $2 AND voter = $3 AND cause = $4",
            params![&voter.county, *election, &voter.voter, corrected],
        )?;
    }
    if change.status != Stand::Status(Status::Voided) || change.reason != Some(VOTED_IN_PERSON) {
        return Ok(());
    }
    tx.run(
        "INSERT INTO in_person (county, election, voter, cause, since) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (county, election, voter, cause) DO NOTHING",
        params![&voter.county, *election, &voter.voter, change.cause, now],
    )?;
    tx.run(
        "UPDATE notice SET state = 'withdrawn', why = 'voted_in_person', changed_at = $4
         WHERE county = $1 AND election = $2 AND voter = $3 AND state = 'owed'",
        params![&voter.county, *election, &voter.voter, now],
    )
    .map(drop)
}

/// Where the ballot stands.
struct Standing {
    voter: String,
    status: String,
    reason: Option<String>,
    happened_at: Micros,
    event: String,
}

/// Where the ballot stands, held by this transaction. Of a ballot of which nothing is known yet the row is made, so that another
/// transaction with first news of it waits, too.
fn standing(
    tx: &mut Tx<'_>,
    change: &Change<'_>,
    now: Micros,
) -> Result<Option<Standing>, StoreError> {
    let sql = format!(
        "SELECT voter, status, reason, happened_at, event FROM ballot
         WHERE county = $1 AND election = $2 AND ballot = $3{}",
        tx.for_update()
    );
    let read = |row: Row| {
        Ok(Standing {
            voter: row.text(0)?,
            status: row.text(1)?,
            reason: row.maybe_text(2)?,
            happened_at: row.at(3)?,
            event: row.text(4)?,
        })
    };
    let key = params![&change.voter.county, change.election, change.ballot];
    if let Some(row) = tx.row(&sql, key)? {
        return read(row).map(Some);
    }
    let n_new = tx.run(
        "INSERT INTO ballot (county, election, ballot, voter, status, happened_at, changed_at, event)
         VALUES ($1, $2, $3, $4, '', $5, $6, '') ON CONFLICT (county, election, ballot) DO NOTHING",
        params![
            &change.voter.county,
            change.election,
            change.ballot,
            &change.voter.voter,
            change.happened_at,
            now,
        ],
    )?;
    if n_new > 0 {
        return Ok(None);
    }
    tx.row(&sql, key)?.map(read).transpose()
}

/// Whether the change moves the ballot.
fn moves(tx: &mut Tx<'_>, before: &Standing, change: &Change<'_>) -> Result<bool, StoreError> {
    let (old, new) = (rank(&before.status), rank(change.status.name()));
    if change.origin != Origin::Station {
        return Ok(new > old);
    }
    if change.corrects.is_some() {
        return Ok(true);
    }
    if before.status == change.status.name() && before.reason.as_deref() == change.reason {
        return Ok(false);
    }
    if change.happened_at >= before.happened_at {
        return Ok(true);
    }
    // A station's own order counts, whatever its clock said; between stations, the clocks.
    let row = tx.row("SELECT source FROM event WHERE id = $1", params![&before.event])?;
    let source = row.map(|row| row.text(0)).transpose()?;
    Ok(source.as_deref() == Some(change.source) || (source.is_none() && new > old))
}

fn put(tx: &mut Tx<'_>, change: &Change<'_>, now: Micros) -> Result<(), StoreError> {
    tx.run(
        "UPDATE ballot SET status = $4, reason = $5, happened_at = $6, changed_at = $7, event = $8
         WHERE county = $1 AND election = $2 AND ballot = $3",
        params![
            &change.voter.county,
            change.election,
            change.ballot,
            change.status.name(),
            change.reason,
            change.happened_at,
            now,
            change.cause,
        ],
    )?;
    tx.run(
        "INSERT INTO ballot_news (id, county, election, ballot, kind, reason, happened_at, received_at,
         corrects) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING",
        params![
            change.cause,
            &change.voter.county,
            change.election,
            change.ballot,
            change.status.name(),
            change.reason,
            change.happened_at,
            now,
            change.corrects,
        ],
    )?;
    Ok(())
}

/// Owes what the change is news of, or its correction.
fn announce(
    tx: &mut Tx<'_>,
    config: &Config,
    change: &Change<'_>,
    now: Micros,
) -> Result<(), StoreError> {
    let kind = match change.corrects {
        None => change.status.kind(change.reason),
        Some(corrected) => {
            if notice::withdraw(tx, corrected, "corrected", now)? > 0 {
                return correct(tx, config, (change, corrected), now);
            }
            // Nobody heard the mistake; what is so now is news unless it was said before.
            match change.status.kind(change.reason) {
                Some(kind) if !was_said(tx, change, kind)? => Some(kind),
                _ => None,
            }
        }
    };
    let Some(kind) = kind else { return Ok(()) };
    let more = match change.reason {
        Some(reason) => BTreeMap::from([("reason".to_owned(), reason.to_owned())]),
        None => BTreeMap::new(),
    };
    notice::owe(tx, &owed(config, change, (kind, more, None), now), now).map(drop)
}

fn correct(
    tx: &mut Tx<'_>,
    config: &Config,
    (change, corrected): (&Change<'_>, &str),
    now: Micros,
) -> Result<(), StoreError> {
    let said = tx.row("SELECT kind FROM ballot_news WHERE id = $1", params![corrected])?;
    let Some(said) = said else { return Ok(()) };
    let more = BTreeMap::from([
        ("earlier".to_owned(), said.text(0)?),
        ("status".to_owned(), change.status.name().to_owned()),
    ]);
    let owed = owed(config, change, (Kind::Correction, more, Some(corrected)), now);
    notice::owe(tx, &owed, now).map(drop)
}

fn was_said(tx: &mut Tx<'_>, change: &Change<'_>, kind: Kind) -> Result<bool, StoreError> {
    let said = tx.count(
        "SELECT COUNT(*) FROM notice WHERE county = $1 AND election = $2 AND ballot = $3 AND kind = $4
         AND state <> 'withdrawn'",
        params![&change.voter.county, change.election, change.ballot, kind.name()],
    )?;
    Ok(said > 0)
}

fn owed<'a>(
    config: &Config,
    change: &Change<'a>,
    (kind, more, heard): (Kind, BTreeMap<String, String>, Option<&'a str>),
    now: Micros,
) -> Owed<'a> {
    let (county, election) = (&change.voter.county, change.election);
    Owed {
        cause: change.cause,
        kind,
        voter: change.voter,
        about: Some((election, change.ballot)),
        bulk: None,
        heard,
        more,
        happened_at: change.happened_at,
        from: now,
        not_after: notice::lasts_until(config, county, election, kind, now),
    }
}
