//! What an event does to everything that derives from it: one function, run when the event is appended and when a ledger is
//! derived anew.

mod waits;

use super::body::{self, Origin};
use super::fact::{
    BatchClosed, BatchOpened, By, Checkpointed, Event, Fact, Imported, OperatorAdded, Release,
    ScanFact, SetFact,
};
use super::import::{ImportRow, current_row};
use super::rows::{self, BallotRow};
use super::tally::{Means, Scope, Tally};
use crate::ballot::{Status, import_moves};
use crate::clock::Micros;
use rusqlite::{Connection, params};
use std::time::Duration;

/// The name under which it is counted how often command sheets were made stale.
pub(super) const SHEETS: &str = "sheets";

/// Where a change stands on its way to the relay. The numbers are what the outbox holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
pub(super) enum State {
    /// Held back: a correction now means that it is never sent.
    Held = 0,
    /// Owed to the relay; number and body are frozen.
    Owed = 1,
    /// Refused by the relay; waits for a supervisor.
    SetAside = 2,
    /// Taken by the relay.
    Delivered = 3,
    /// Corrected while it was held back.
    Withdrawn = 4,
    /// Given up by a supervisor after the relay had refused it.
    Dropped = 5,
}

impl State {
    pub(super) const ALL: [Self; 6] =
        [Self::Held, Self::Owed, Self::SetAside, Self::Delivered, Self::Withdrawn, Self::Dropped];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Owed => "owed",
            Self::SetAside => "set_aside",
            Self::Delivered => "delivered",
            Self::Withdrawn => "withdrawn",
            Self::Dropped => "dropped",
        }
    }

    pub(super) fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| *state as i64 == number)
    }
}

/// What derives from events, as it is written.
pub(super) struct Projection<'a> {
    pub(super) conn: &'a Connection,
    pub(super) tally: &'a mut Tally,
    pub(super) hold_back: Duration,
    pub(super) origin: &'a Origin,
}

impl Projection<'_> {
    /// Applies the event of row `seq`. `row` is the ballot that it names, as it stood before.
    pub(super) fn apply(
        &mut self,
        seq: i64,
        event: &Event,
        row: Option<&BallotRow>,
    ) -> rusqlite::Result<()> {
        match &event.fact {
            Fact::Opened(_) | Fact::Refused(_) | Fact::Acted(_) | Fact::Tokens { .. } => Ok(()),
            Fact::BatchOpened(batch) => self.batch_opened(seq, batch),
            Fact::Scan(scan) => self.scanned(seq, event.at, scan, row),
            Fact::Set(set) => self.set(seq, event.at, set, row),
            Fact::Imported(imported) => self.imported(seq, imported),
            Fact::Released { changes } => {
                changes.iter().try_for_each(|release| self.released(*release))
            }
            Fact::Delivered { of } => {
                of.iter().try_for_each(|seq| self.moved(*seq, State::Delivered, None))
            }
            Fact::SetAside { of, why } => self.moved(*of, State::SetAside, Some(why)),
            Fact::Retried { of, .. } => {
                of.iter().try_for_each(|seq| self.moved(*seq, State::Owed, None))
            }
            Fact::Dropped { of, reason, .. } => self.dropped(*of, reason),
            Fact::BatchClosed(closed) => self.batch_closed(seq, closed),
            Fact::BatchReversed(reversed) => self.batch_reversed(seq, reversed.batch),
            Fact::OperatorAdded(added) => self.operator_added(seq, added),
            Fact::OperatorDisabled { operator, .. } => self.operator_disabled(seq, operator),
            Fact::Proposed { .. } => self.proposed(seq),
            Fact::Decided(decided) => self.decided(seq, decided.proposal),
            Fact::Checkpointed(checkpoint) => self.checkpointed(seq, checkpoint),
            Fact::SheetsRenewed { .. } => {
                self.tally.add(Scope::Counted, SHEETS, 1);
                Ok(())
            }
            Fact::Witnessed { of } => of.iter().try_for_each(|of| self.witnessed(seq, *of)),
        }
    }

    fn batch_opened(&self, seq: i64, batch: &BatchOpened) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached(
                "INSERT INTO batch (number, seq, mode, received_by, day) VALUES (?, ?, ?, ?, ?)",
            )?
            .execute(params![batch.batch, seq, batch.mode.name(), batch.received_by, batch.day])?;
        Ok(())
    }

    fn batch_closed(&mut self, seq: i64, closed: &BatchClosed) -> rusqlite::Result<()> {
        let (counted, envelopes) = (i64::from(closed.counted), i64::from(closed.envelopes));
        for (name, n) in [("batches", 1), ("counted", counted), ("envelopes", envelopes)] {
            self.tally.add(Scope::Counted, name, n);
        }
        self.conn
            .prepare_cached("UPDATE batch SET closed = ?, difference = ? WHERE number = ?")?
            .execute(params![seq, counted - envelopes, closed.batch])?;
        Ok(())
    }

    fn batch_reversed(&self, seq: i64, batch: u32) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached("UPDATE batch SET reversed = ? WHERE number = ?")?
            .execute(params![seq, batch])?;
        Ok(())
    }

    fn operator_added(&self, seq: i64, added: &OperatorAdded) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached(
                "INSERT INTO operator (name, seq, role, password, badge) VALUES (?, ?, ?, ?, ?)",
            )?
            .execute(params![
                added.operator,
                seq,
                added.role.name(),
                added.password,
                added.badge
            ])?;
        Ok(())
    }

    fn operator_disabled(&self, seq: i64, name: &str) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached("UPDATE operator SET disabled = ? WHERE name = ?")?
            .execute(params![seq, name])?;
        Ok(())
    }

    fn proposed(&self, seq: i64) -> rusqlite::Result<()> {
        self.conn.prepare_cached("INSERT INTO proposal (seq) VALUES (?)")?.execute([seq])?;
        Ok(())
    }

    fn decided(&self, seq: i64, proposal: i64) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached("UPDATE proposal SET decided = ? WHERE seq = ?")?
            .execute([seq, proposal])?;
        Ok(())
    }

    fn checkpointed(&self, seq: i64, checkpoint: &Checkpointed) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached("INSERT INTO checkpoint (seq, of, note) VALUES (?, ?, ?)")?
            .execute(params![seq, checkpoint.of, checkpoint.note])?;
        Ok(())
    }

    fn witnessed(&self, seq: i64, of: i64) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached("UPDATE checkpoint SET witnessed = ? WHERE seq = ?")?
            .execute([seq, of])?;
        Ok(())
    }

    fn scanned(
        &mut self,
        seq: i64,
        at: Micros,
        scan: &ScanFact,
        row: Option<&BallotRow>,
    ) -> rusqlite::Result<()> {
        self.tally.add(Scope::Batch(scan.batch), scan.verdict.name(), 1);
        let at_scanner = Scope::at(at, scan.batch, &scan.scanner, scan.operator());
        self.tally.add(at_scanner, scan.verdict.name(), 1);
        if scan.verdict.is_exception() {
            self.excepted(seq, scan, row)?;
        }
        match (row, scan.to) {
            (Some(row), Some(to)) => {
                // What a scan moves gets the batch's reason; a `voided` or `refused` reason is not the ballot's.
                self.owes(seq, at, row.key, row.owed_seq)?;
                let reason = scan.reason.as_deref();
                let stand = Stand { to, reason, owed_seq: seq, means: Means::Scan };
                self.stands(seq, row, &stand)
            }
            (Some(row), None) => self.named(seq, row),
            (None, _) => Ok(()),
        }
    }

    fn set(
        &mut self,
        seq: i64,
        at: Micros,
        set: &SetFact,
        row: Option<&BallotRow>,
    ) -> rusqlite::Result<()> {
        let Some(row) = row else { return Ok(()) };
        let mut owed_seq = match set.withdraws {
            Some(held) => self.withdrawn(held)?,
            None => row.owed_seq,
        };
        if set.previous.is_some() {
            self.owes(seq, at, row.key, owed_seq)?;
            owed_seq = seq;
        }
        let means = match set.method {
            By::Manual => Means::Undo,
            By::Supervisor => Means::Hand,
            By::Import => Means::Import,
        };
        self.stands(seq, row, &Stand { to: set.to, reason: set.reason.as_deref(), owed_seq, means })
    }

    /// The change of row `held` is never sent; the one before it, which whatever comes next waits for.
    fn withdrawn(&mut self, held: i64) -> rusqlite::Result<i64> {
        self.moved(held, State::Withdrawn, None)?;
        self.conn
            .prepare_cached("SELECT prev FROM outbox WHERE seq = ?")?
            .query_row([held], |row| row.get(0))
    }

    /// The ballot stands there from here on.
    fn stands(&mut self, seq: i64, row: &BallotRow, stand: &Stand<'_>) -> rusqlite::Result<()> {
        let Stand { to, reason, owed_seq, means } = stand;
        self.conn
            .prepare_cached(
                "UPDATE ballot SET status = ?, reason = ?, status_seq = ?, last_seq = ?, owed_seq = ? \
                 WHERE key = ?",
            )?
            .execute(params![to.number(), reason, seq, seq, owed_seq, row.key])?;
        self.passed(row, *to, *means)
    }

    /// The ballot was moved to another status: in every count.
    fn passed(&mut self, row: &BallotRow, to: Status, means: Means) -> rusqlite::Result<()> {
        self.tally.add(Scope::Ballots(row.election.clone()), row.status.name(), -1);
        self.tally.add(Scope::Ballots(row.election.clone()), to.name(), 1);
        self.tally.add(Scope::Moves(means, row.status, row.election.clone()), to.name(), 1);
        self.waits_on(row, to)
    }

    fn named(&self, seq: i64, row: &BallotRow) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached("UPDATE ballot SET last_seq = ? WHERE key = ?")?
            .execute(params![seq, row.key])?;
        Ok(())
    }

    /// The relay is owed the change of row `seq`, after the one of row `prev`.
    fn owes(&mut self, seq: i64, at: Micros, ballot: i64, prev: i64) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached(
                "INSERT INTO outbox (seq, ballot, prev, state, due) VALUES (?, ?, ?, 0, ?)",
            )?
            .execute(params![seq, ballot, prev, at.plus(self.hold_back).0])?;
        self.tally.add(Scope::Outbox, State::Held.name(), 1);
        Ok(())
    }

    fn released(&mut self, release: Release) -> rusqlite::Result<()> {
        let row = self.ballot_of(release.of)?;
        self.moved(release.of, State::Owed, None)?;
        self.freeze(release.of, &row, release.sequence)?;
        self.sent(row.key, release.sequence)
    }

    /// The relay never gets the change of row `of`. Numbers of what is sent have no gap, so those of what waits behind it, of
    /// which nothing was sent yet, become one lower.
    fn dropped(&mut self, of: i64, reason: &str) -> rusqlite::Result<()> {
        let row = self.ballot_of(of)?;
        self.moved(of, State::Dropped, Some(reason))?;
        self.conn
            .prepare_cached("UPDATE outbox SET sequence = NULL WHERE seq = ?")?
            .execute([of])?;
        let behind: Vec<(i64, u32)> = self
            .conn
            .prepare_cached(
                "SELECT seq, sequence FROM outbox WHERE state IN (1, 2) AND state < 3 AND ballot = ? AND seq > ?",
            )?
            .query_map([row.key, of], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        for (seq, sequence) in behind {
            self.freeze(seq, &row, sequence.saturating_sub(1))?;
        }
        self.sent(row.key, row.sent.saturating_sub(1))
    }

    /// The ballot of the change of row `seq`.
    fn ballot_of(&self, seq: i64) -> rusqlite::Result<BallotRow> {
        let ballot = self
            .conn
            .prepare_cached("SELECT ballot FROM outbox WHERE seq = ?")?
            .query_row([seq], |row| row.get(0))?;
        rows::by_key(self.conn, ballot)
    }

    /// The change of row `seq` gets that number, and its body with it.
    fn freeze(&self, seq: i64, row: &BallotRow, sequence: u32) -> rusqlite::Result<()> {
        let mut change = rows::event(self.conn, seq)?;
        if let Fact::Set(SetFact { corrects: Some(id), unheard, .. }) = &mut change.fact {
            *unheard |= self.follows_dropped(seq, id)?;
        }
        let body = body::of_change(self.origin, &change, row, sequence);
        self.conn
            .prepare_cached("UPDATE outbox SET sequence = ?, body = ? WHERE seq = ?")?
            .execute(params![sequence, body, seq])?;
        Ok(())
    }

    /// Whether the change before that of row `seq` has this id and was given up, so that the relay never heard of it.
    fn follows_dropped(&self, seq: i64, id: &str) -> rusqlite::Result<bool> {
        self.conn
            .prepare_cached(
                "SELECT 1 FROM outbox JOIN outbox AS before ON before.seq = outbox.prev \
                 JOIN event ON event.seq = before.seq \
                 WHERE outbox.seq = ? AND before.state = 5 AND event.body ->> 'id' = ?",
            )?
            .exists(params![seq, id])
    }

    /// So many changes of the ballot were released to the relay and not given up.
    fn sent(&self, ballot: i64, n: u32) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached("UPDATE ballot SET sent = ? WHERE key = ?")?
            .execute(params![n, ballot])?;
        Ok(())
    }

    /// The change of row `seq` stands at `state` from here on. One that needs no sending any more needs no body either.
    fn moved(&mut self, seq: i64, state: State, why: Option<&str>) -> rusqlite::Result<()> {
        let before: i64 = self
            .conn
            .prepare_cached("SELECT state FROM outbox WHERE seq = ?")?
            .query_row([seq], |row| row.get(0))?;
        self.conn
            .prepare_cached(
                "UPDATE outbox SET state = ?2, last_error = ?3, \
                 body = CASE WHEN ?2 < 3 THEN body END WHERE seq = ?1",
            )?
            .execute(params![seq, state as i64, why])?;
        if let Some(before) = State::from_number(before) {
            self.tally.add(Scope::Outbox, before.name(), -1);
        }
        self.tally.add(Scope::Outbox, state.name(), 1);
        Ok(())
    }

    /// Ballots that an import staged count from its event on.
    fn imported(&mut self, seq: i64, imported: &Imported) -> rusqlite::Result<()> {
        self.conn.execute("UPDATE import SET seq = ? WHERE number = ?", [seq, imported.import])?;
        self.tally.take_over(self.conn, imported.import)
    }

    /// What an import, decided at row `seq`, says of a ballot that was there already. A status that it announces is left to the
    /// event that announces it.
    pub(super) fn imported_change(
        &mut self,
        seq: i64,
        change: &Change<'_>,
    ) -> rusqlite::Result<()> {
        let Change { key, row: new, imported } = change;
        let row = rows::by_key(self.conn, *key)?;
        let before = current_row(self.conn, *key)?;
        let mut after = if imported.keeps_unsaid { new.upon(&before) } else { (*new).clone() };
        let is_overtaken = imported.overtook(&row.election, &row.ballot);
        if is_overtaken && row.status.may_count() {
            after.voter = before.voter.clone();
        }
        let before = before.canonical().map_err(|e| rows::foreign(0, &e.to_string()))?;
        self.conn
            .prepare_cached(
                "UPDATE ballot SET voter = ?, imb = ?, style = ?, mailed = ?, receive_until = ?, codes = ?, returned = ? \
                 WHERE key = ?",
            )?
            .execute(params![
                after.voter.as_str(),
                after.imb,
                after.style,
                after.mailed.map(|at| at.0),
                after.receive_until.map(|at| at.0),
                rows::codes_text(&after.codes)?,
                after.returned.map(|at| at.0),
                key
            ])?;
        if import_moves(row.status, new.status)
            && !imported.announces.contains(&new.status)
            && !is_overtaken
        {
            self.conn
                .prepare_cached(
                    "UPDATE ballot SET status = ?, reason = ?, status_seq = ? WHERE key = ?",
                )?
                .execute(params![new.status.number(), new.reason, seq, key])?;
            self.passed(&row, new.status, Means::Import)?;
        }
        self.conn
            .prepare_cached(
                "UPDATE import_change SET done = 1, before = coalesce(before, ?) WHERE ballot = ? AND import = ?",
            )?
            .execute(params![before, key, imported.import])?;
        Ok(())
    }
}

/// Where a ballot stands from an event on.
struct Stand<'a> {
    to: Status,
    reason: Option<&'a str>,
    /// The last change of it that the relay is owed.
    owed_seq: i64,
    /// What moved it there.
    means: Means,
}

/// A row of an import that changes a ballot.
pub(super) struct Change<'a> {
    pub(super) key: i64,
    pub(super) row: &'a ImportRow,
    pub(super) imported: &'a Imported,
}
