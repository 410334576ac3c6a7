//! Signing the head of the chain: at a batch's end, daily and on demand, and what the relay keeps of it.

use super::book::{Book, WriteError};
use super::checkpoint::{Checkpoint, Note, origin};
use super::fact::{Checkpointed, Fact, Why};
use super::rows;
use super::writer::{Desk, Reply, Taken};
use crate::clock::{Micros, Zone};
use crate::delivery::{Delivery, Unwitnessed};
use relay_wire::CheckpointEvent;
use rusqlite::{Connection, OptionalExtension as _};

/// Checkpoints that one answer of the relay is recorded for, the newest.
const WITNESSED_MAX: usize = 1_000;

/// What the ledger's thread may be asked about checkpoints.
#[derive(Debug)]
pub enum ProofRequest {
    /// Sign the head of the chain.
    Checkpoint(Reply<Checkpoint>),
    /// Hand out the newest checkpoint that the relay does not keep, once no change of a ballot is owed.
    Unwitnessed(Reply<Unwitnessed>),
    /// The relay keeps the checkpoint of this row number.
    Witnessed {
        /// Row number of the checkpoint's event.
        seq: i64,
        /// Answered when it is durable.
        reply: Reply<()>,
    },
}

impl ProofRequest {
    pub(super) fn take(self, desk: &mut Desk<'_>) -> Taken {
        let now = desk.now();
        match self {
            Self::Checkpoint(reply) => desk.with(reply, |book| book.checkpoint(now, Why::Asked)),
            Self::Unwitnessed(reply) => desk.with(reply, |book| Ok(book.unwitnessed()?)),
            Self::Witnessed { seq, reply } => desk.with(reply, |book| book.witnessed(now, seq)),
        }
    }
}

/// What the open ledger remembers of its checkpoints.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    /// The last row that needs no further checkpoint: a checkpoint, or that the relay keeps it.
    to: i64,
    /// The facility's date of the last transaction; after opening that of the last checkpoint, else of the ledger's beginning.
    day: Option<String>,
    /// There is one that the relay was not yet told of.
    fresh: bool,
}

impl Checkpoints {
    pub(super) fn read(conn: &Connection, zone: &Zone) -> rusqlite::Result<Self> {
        let last: Option<(i64, Option<i64>)> = conn
            .prepare_cached("SELECT seq, witnessed FROM checkpoint ORDER BY seq DESC LIMIT 1")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (to, of_day) = match last {
            Some((seq, Some(witnessed))) if witnessed == seq + 1 => (witnessed, seq),
            Some((seq, _)) => (seq, seq),
            None => (0, 1),
        };
        let begun = conn
            .prepare_cached("SELECT body FROM event WHERE seq = ?")?
            .query_row([of_day], |row| rows::event_in(row, 0))
            .optional()?;
        Ok(Self { to, day: begun.map(|event| zone.date(event.at)), fresh: false })
    }

    /// Whether there is news for the witness; it is told once.
    pub(super) const fn take_fresh(&mut self) -> bool {
        std::mem::replace(&mut self.fresh, false)
    }
}

impl Book {
    /// Signs the head of the chain, unless the last row does that already.
    pub(super) fn checkpoint(&mut self, now: Micros, why: Why) -> Result<Checkpoint, WriteError> {
        let last: Option<String> = self
            .conn
            .prepare_cached("SELECT note FROM checkpoint WHERE seq = ?")?
            .query_row([self.head.seq], |row| row.get(0))
            .optional()?;
        if let Some(note) = last {
            let note = Note::parse(&note).map_err(|e| rows::foreign(0, &e.to_string()))?;
            return Ok(note.to_checkpoint(&self.key.public()));
        }
        let origin = origin(&self.settings.facility, &self.settings.station);
        let checkpoint =
            Note::sign(&origin, self.head, &self.key).to_checkpoint(&self.key.public());
        let (of, note) = (checkpoint.seq, checkpoint.note.clone());
        self.append(now, Fact::Checkpointed(Checkpointed { of, note, why }), None)?;
        let day = Some(self.settings.zone.date(now));
        self.checkpoints = Checkpoints { to: self.head.seq, day, fresh: true };
        Ok(checkpoint)
    }

    /// Signs what there is of days before, when the facility's day has changed. To be called before anything of the new day is
    /// appended.
    pub(super) fn checkpoint_daily(&mut self, now: Micros) -> Result<(), WriteError> {
        if self.is_day_over(now) {
            self.checkpoint(now, Why::Daily)?;
        }
        self.checkpoints.day = Some(self.settings.zone.date(now));
        Ok(())
    }

    /// Whether [`Book::checkpoint_daily`] has something to sign: of a day without events it has not.
    pub(super) fn is_day_over(&self, now: Micros) -> bool {
        let is_signed = self.head.seq <= self.checkpoints.to;
        let day = self.checkpoints.day.as_deref();
        !is_signed && day.is_some_and(|day| self.settings.zone.date(now) != day)
    }

    /// The newest checkpoint that the relay does not keep.
    fn unwitnessed(&self) -> rusqlite::Result<Unwitnessed> {
        let newest: Option<(i64, Option<i64>)> = self
            .conn
            .prepare_cached("SELECT seq, witnessed FROM checkpoint ORDER BY seq DESC LIMIT 1")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((seq, None)) = newest else { return Ok(Unwitnessed::Nothing) };
        let is_owing = self
            .conn
            .prepare_cached("SELECT 1 FROM outbox WHERE state = 1 AND state < 3 LIMIT 1")?
            .exists([])?;
        if is_owing {
            return Ok(Unwitnessed::Later);
        }
        let event = rows::event(&self.conn, seq)?;
        let Fact::Checkpointed(Checkpointed { note, .. }) = &event.fact else {
            return Err(rows::foreign(0, "the row of a checkpoint is none"));
        };
        let note = Note::parse(note).map_err(|e| rows::foreign(0, &e.to_string()))?;
        let checkpoint = note.to_checkpoint(&self.key.public());
        let Checkpoint { origin, seq: of, hash, note, paper: _, key: _ } = checkpoint;
        let body = CheckpointEvent {
            id: event.id.clone(),
            facility: self.settings.facility.clone(),
            station: self.settings.station.clone(),
            time: event.at.rfc3339(),
            origin,
            seq: of.unsigned_abs(),
            hash,
            note,
        };
        let body = body.to_body();
        Ok(Unwitnessed::Send(Delivery { seq, id: event.id, body, attempts: 0 }))
    }

    /// The relay keeps this checkpoint, and so what those before it say.
    fn witnessed(&mut self, now: Micros, seq: i64) -> Result<(), WriteError> {
        let of: Vec<i64> = self
            .conn
            .prepare_cached(
                "SELECT seq FROM checkpoint WHERE witnessed IS NULL AND seq <= ? ORDER BY seq DESC LIMIT ?",
            )?
            .query_map([seq, i64::try_from(WITNESSED_MAX).unwrap_or(i64::MAX)], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        if of.is_empty() {
            return Ok(());
        }
        self.append(now, Fact::Witnessed { of }, None)?;
        if self.head.seq == self.checkpoints.to + 1 {
            self.checkpoints.to = self.head.seq;
        }
        Ok(())
    }
}
