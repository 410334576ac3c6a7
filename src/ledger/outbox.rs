//! What the relay is owed: released when hold-back ends, claimed by the forwarder, settled by the relay's answer.

use super::apply::State;
use super::book::{Book, WriteError};
use super::fact::{Fact, Person, Release, Who};
use super::operators::{NotAllowed, checked_reason};
use super::proposals::NotDone;
use super::rows;
use crate::ballot::{BallotId, ElectionId, Status};
use crate::clock::{Micros, Zone};
use crate::delivery::{Answer, Delivery};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::HashSet;
use std::time::Duration;

/// Changes released in one transaction.
const RELEASES_MAX: usize = 256;

/// The oldest owed changes among which those with the fewest attempts go first.
const CLAIM_LOOK: usize = 16;

/// Attempts are counted no further.
const ATTEMPTS_MAX: u32 = 1_000_000;

/// A change that is not yet with the relay, for people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OutboxEntry {
    /// Row number of the change.
    pub seq: i64,
    /// Its event's id.
    pub id: String,
    /// `held`, `owed` or `set_aside`.
    pub state: String,
    /// The ballot's election.
    pub election: String,
    /// The ballot.
    pub ballot: String,
    /// The status it tells.
    pub status: String,
    /// When it happened, in local time with offset.
    pub at: String,
    /// When hold-back ends, likewise.
    pub due: String,
    /// Its number among what is sent about the ballot, once it is owed.
    pub sequence: Option<u32>,
    /// Attempts so far.
    pub attempts: u32,
    /// What the relay said last.
    pub last_error: Option<String>,
}

/// A change that the relay never gets.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Dropped {
    /// Row number of the change.
    pub change: i64,
    /// The ballot's election.
    pub election: ElectionId,
    /// The ballot.
    pub ballot: BallotId,
    /// The status that it would have told.
    pub status: Status,
}

impl Book {
    /// Releases what is due; whether anything was.
    pub(super) fn release(&mut self, now: Micros) -> Result<bool, WriteError> {
        self.bring_near(now)?;
        let changes = self.due(now)?;
        self.import_to(changes.iter().map(|release| release.of))?;
        let released = !changes.is_empty();
        if released {
            self.append(now, Fact::Released { changes }, None)?;
        }
        self.next_due = self.first_due()?;
        Ok(released)
    }

    /// Whether [`Book::release`] has something to do: hold-back ended, or the clock was set back behind it.
    pub(super) fn is_due(&self, now: Micros) -> bool {
        self.next_due.is_some_and(|due| due <= now || due > now.plus(self.settings.hold_back))
    }

    /// A clock that was set forward must not end the hold-back of what is held: a person may still be about to correct it.
    pub(super) fn hold_longer(&mut self, by: Duration) -> Result<(), WriteError> {
        if by.is_zero() {
            return Ok(());
        }
        let by = Micros(0).plus(by).0;
        self.conn.execute("UPDATE outbox SET due = due + ? WHERE state = 0 AND state < 3", [by])?;
        self.next_due = self.first_due()?;
        Ok(())
    }

    /// A clock that was set back must not hold a change longer than the hold-back.
    fn bring_near(&self, now: Micros) -> Result<(), WriteError> {
        let latest = now.plus(self.settings.hold_back);
        if self.first_due()?.is_some_and(|due| due > latest) {
            self.conn.execute(
                "UPDATE outbox SET due = ?1 WHERE state = 0 AND state < 3 AND due > ?1",
                [latest.0],
            )?;
        }
        Ok(())
    }

    /// An import that is rolling forward comes to the ballots of these changes first: what the relay is told of them is frozen.
    fn import_to(&mut self, changes: impl Iterator<Item = i64>) -> Result<(), WriteError> {
        let Some(import) = self.applying else { return Ok(()) };
        for of in changes {
            let ballot = self
                .conn
                .prepare_cached("SELECT ballot FROM outbox WHERE seq = ?")?
                .query_row([of], |row| row.get(0))?;
            self.apply_change(import, ballot)?;
        }
        Ok(())
    }

    fn due(&self, now: Micros) -> Result<Vec<Release>, WriteError> {
        // In order of the changes up to the first that is not due, so that no ballot's later change goes before an earlier one.
        let mut held = self.conn.prepare_cached(
            "SELECT outbox.seq, outbox.due, outbox.ballot, ballot.sent FROM outbox \
             JOIN ballot ON ballot.key = outbox.ballot \
             WHERE outbox.state = 0 AND outbox.state < 3 ORDER BY outbox.seq LIMIT ?",
        )?;
        let mut rows = held.query([i64::try_from(RELEASES_MAX).unwrap_or(i64::MAX)])?;
        let mut sent = std::collections::HashMap::new();
        let mut changes = Vec::new();
        while let Some(row) = rows.next()? {
            if Micros(row.get(1)?) > now {
                break;
            }
            let sequence = sent.entry(row.get::<_, i64>(2)?).or_insert(row.get::<_, u32>(3)?);
            *sequence += 1;
            changes.push(Release { of: row.get(0)?, sequence: *sequence });
        }
        Ok(changes)
    }

    /// When the oldest change that is held back becomes due. (`state < 3` names the index, here as elsewhere.)
    pub(super) fn first_due(&self) -> rusqlite::Result<Option<Micros>> {
        self.conn
            .prepare_cached(
                "SELECT due FROM outbox WHERE state = 0 AND state < 3 ORDER BY seq LIMIT 1",
            )?
            .query_row([], |row| row.get(0).map(Micros))
            .optional()
    }

    /// The oldest changes that are owed, not in flight, and of ballots whose earlier changes are all settled. Among the very
    /// oldest those with the fewest attempts go first, so that one change that breaks the relay does not stop all others.
    pub(super) fn claim(
        &self,
        max: usize,
        in_flight: &HashSet<i64>,
    ) -> rusqlite::Result<Vec<Delivery>> {
        let mut owed = self.conn.prepare_cached(
            "SELECT outbox.seq, outbox.body, outbox.attempts, event.body FROM outbox \
             JOIN event ON event.seq = outbox.seq \
             WHERE outbox.state = 1 AND outbox.state < 3 AND NOT EXISTS ( \
                 SELECT 1 FROM outbox AS before WHERE before.seq = outbox.prev AND before.state < 3) \
             ORDER BY outbox.seq",
        )?;
        let mut rows = owed.query([])?;
        let mut deliveries = Vec::new();
        while deliveries.len() < max.max(CLAIM_LOOK)
            && let Some(row) = rows.next()?
        {
            let seq = row.get(0)?;
            if !in_flight.contains(&seq) {
                let id = rows::event_in(row, 3)?.id;
                deliveries.push(Delivery { seq, id, body: row.get(1)?, attempts: row.get(2)? });
            }
        }
        deliveries.sort_by_key(|delivery| (delivery.attempts, delivery.seq));
        deliveries.truncate(max);
        Ok(deliveries)
    }

    /// Records the relay's answers.
    pub(super) fn settle(
        &mut self,
        now: Micros,
        settled: &[(i64, Answer)],
    ) -> Result<(), WriteError> {
        let mut delivered = Vec::new();
        for (seq, answer) in settled {
            if self.state_of(*seq)? != Some(State::Owed) {
                continue;
            }
            self.attempted(*seq, answer.why())?;
            match answer {
                Answer::Delivered => delivered.push(*seq),
                Answer::ChangeRefused { why } => {
                    self.append(now, Fact::SetAside { of: *seq, why: why.clone() }, None)?;
                }
                Answer::RelayAway { .. } | Answer::RelayGone { .. } => {}
            }
        }
        if !delivered.is_empty() {
            self.append(now, Fact::Delivered { of: delivered }, None)?;
        }
        Ok(())
    }

    fn attempted(&self, seq: i64, why: Option<&str>) -> Result<(), WriteError> {
        self.conn
            .prepare_cached(
                "UPDATE outbox SET attempts = min(attempts + 1, ?3), last_error = ?2 WHERE seq = ?1",
            )?
            .execute(params![seq, why, ATTEMPTS_MAX])?;
        Ok(())
    }

    pub(super) fn state_of(&self, seq: i64) -> rusqlite::Result<Option<State>> {
        state_of(&self.conn, seq)
    }

    /// Owes again what was set aside; how many that is.
    pub(super) fn retry(
        &mut self,
        now: Micros,
        who: Who,
    ) -> Result<Result<usize, NotAllowed>, WriteError> {
        if let Err(why) = self.may_still(&who)? {
            return Ok(Err(why));
        }
        let of: Vec<i64> = self
            .conn
            .prepare_cached("SELECT seq FROM outbox WHERE state = 2 AND state < 3 ORDER BY seq")?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let n = of.len();
        if n > 0 {
            self.append(now, Fact::Retried { of, who }, None)?;
        }
        Ok(Ok(n))
    }

    /// Gives up a change that the relay refused; what waited behind it goes on.
    pub(super) fn drop_change(
        &mut self,
        now: Micros,
        of: i64,
        reason: String,
        by: &Person,
    ) -> Result<Result<Dropped, NotDone>, WriteError> {
        let allowed = checked_reason(&reason).and(self.supervises(by)?);
        if let Err(why) = allowed {
            return Ok(Err(why.into()));
        }
        let Some(state) = self.state_of(of)? else { return Ok(Err(NotDone::NoChange(of))) };
        if state != State::SetAside {
            return Ok(Err(NotDone::NotSetAside { of, state: state.name() }));
        }
        let Some((election, ballot, status)) = told(rows::event(&self.conn, of)?.fact) else {
            return Ok(Err(NotDone::NoChange(of)));
        };
        self.import_to([of].into_iter())?;
        self.append(now, Fact::Dropped { of, reason, who: by.who.clone() }, None)?;
        Ok(Ok(Dropped { change: of, election, ballot, status }))
    }
}

/// What a change tells the relay: the ballot, and where it stands from then on.
fn told(change: Fact) -> Option<(ElectionId, BallotId, Status)> {
    match change {
        Fact::Scan(scan) => Some((scan.election?, scan.ballot?, scan.to?)),
        Fact::Set(set) => Some((set.election, set.ballot, set.to)),
        _ => None,
    }
}

/// From the first, without a bound.
pub(super) const ALL: (i64, i64) = (0, -1);

/// The changes that are not yet with the relay, in order: after that row, at most so many.
pub(super) fn list(
    conn: &Connection,
    zone: &Zone,
    (after, limit): (i64, i64),
    each: &mut dyn FnMut(OutboxEntry),
) -> rusqlite::Result<()> {
    let mut pending = conn.prepare(
        "SELECT outbox.seq, outbox.state, outbox.due, outbox.sequence, outbox.attempts, \
         outbox.last_error, event.body FROM outbox INDEXED BY outbox_pending \
         JOIN event ON event.seq = outbox.seq \
         WHERE outbox.state < 3 AND outbox.seq > ? ORDER BY outbox.seq LIMIT ?",
    )?;
    let mut rows = pending.query([after, limit])?;
    while let Some(row) = rows.next()? {
        let event = rows::event_in(row, 6)?;
        let Some((election, ballot, status)) = told(event.fact) else { continue };
        each(OutboxEntry {
            seq: row.get(0)?,
            id: event.id,
            state: State::from_number(row.get(1)?).map_or("?", State::name).to_owned(),
            election: election.into(),
            ballot: ballot.into(),
            status: status.name().to_owned(),
            at: zone.date_time(event.at),
            due: zone.date_time(Micros(row.get(2)?)),
            sequence: row.get(3)?,
            attempts: row.get(4)?,
            last_error: row.get(5)?,
        });
    }
    Ok(())
}

/// Where the change of row `seq` stands; none where it is not for the relay.
pub(super) fn state_of(conn: &Connection, seq: i64) -> rusqlite::Result<Option<State>> {
    let state: Option<i64> = conn
        .prepare_cached("SELECT state FROM outbox WHERE seq = ?")?
        .query_row([seq], |row| row.get(0))
        .optional()?;
    Ok(state.and_then(State::from_number))
}
