//! Reversing a batch: one event for it, and one for each ballot that still stands where a scan of it put it.

use super::count;
use super::{BatchRow, name, row_of};
use crate::ballot::{BallotId, ElectionId, Status};
use crate::clock::Micros;
use crate::ledger::book::{Book, WriteError};
use crate::ledger::correct::stands_by;
use crate::ledger::fact::{BatchReversed, By, Event, Fact, SetFact, Who, Why};
use crate::ledger::rows;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

/// Ballots that are named among those left alone.
const LEFT_NAMED_MAX: usize = 1_000;

/// What two operators have agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ledger) struct Reversal {
    /// The batch's number.
    pub(in crate::ledger) batch: u32,
    /// Why.
    pub(in crate::ledger) reason: String,
    /// Who proposed it.
    pub(in crate::ledger) who: Who,
    /// The operator who confirmed it.
    pub(in crate::ledger) confirmed_by: String,
}

/// A batch that was reversed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reversed {
    /// `<station>-<n>`.
    pub batch: String,
    /// Ballots that stand again where they stood before its scans.
    pub moved: u32,
    /// Ballots that were moved on since, and so were left alone.
    pub left: u32,
    /// The first of those.
    pub left_alone: Vec<LeftAlone>,
}

/// A ballot that was moved on after its scan in the batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftAlone {
    /// The ballot's election.
    pub election: ElectionId,
    /// The ballot.
    pub ballot: BallotId,
    /// Where it stands.
    pub status: Status,
}

/// Why a batch was not reversed. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReversed {
    /// There is no such batch.
    #[error("there is no batch {0}")]
    NotThere(String),
    /// It still takes scans.
    #[error("batch {0} is open; close it first")]
    Open(String),
    /// It is done once.
    #[error("batch {0} is reversed already")]
    Already(String),
}

/// Whether a batch of that station can be reversed now.
pub(in crate::ledger) fn reversible(
    conn: &Connection,
    station: &str,
    batch: u32,
) -> rusqlite::Result<Result<(), NotReversed>> {
    let name = name(station, batch);
    Ok(match row_of(conn, batch)? {
        None => Err(NotReversed::NotThere(name)),
        Some(BatchRow { reversed: Some(_), .. }) => Err(NotReversed::Already(name)),
        Some(BatchRow { closed: None, .. }) => Err(NotReversed::Open(name)),
        Some(_) => Ok(()),
    })
}

impl Book {
    /// Whether a batch can be reversed now.
    pub(in crate::ledger) fn reversible(
        &self,
        batch: u32,
    ) -> rusqlite::Result<Result<(), NotReversed>> {
        reversible(&self.conn, &self.settings.station, batch)
    }

    /// Takes back all that the scans of a closed batch moved, in this transaction.
    pub(in crate::ledger) fn reverse_batch(
        &mut self,
        now: Micros,
        reversal: Reversal,
    ) -> Result<Result<Reversed, NotReversed>, WriteError> {
        let Reversal { batch, reason, who, confirmed_by } = reversal;
        if let Err(why) = self.reversible(batch)? {
            return Ok(Err(why));
        }
        let name = self.name_of(batch);
        let moving = self.moving_scans(batch)?;
        let mut reversed = Reversed { batch: name, moved: 0, left: 0, left_alone: Vec::new() };
        let fact =
            BatchReversed { batch, reason, who: who.clone(), confirmed_by: confirmed_by.clone() };
        self.append(now, Fact::BatchReversed(fact), None)?;
        let by = PutBackBy { reversal: self.head.seq, who, confirmed_by };
        // A ballot that was moved twice in it goes back the way that it came.
        for seq in moving.into_iter().rev() {
            let event = rows::event(&self.conn, seq)?;
            match self.put_back(now, (seq, event), &by)? {
                PutBack::Done => reversed.moved += 1,
                PutBack::MovedSince(left) => {
                    reversed.left += 1;
                    if reversed.left_alone.len() < LEFT_NAMED_MAX {
                        reversed.left_alone.push(left);
                    }
                }
                PutBack::TakenBack => {}
            }
        }
        self.checkpoint(now, Why::Batch)?;
        Ok(Ok(reversed))
    }

    /// Row numbers of the scans that moved a ballot.
    fn moving_scans(&mut self, batch: u32) -> Result<Vec<i64>, WriteError> {
        self.tally.flush(&self.conn)?;
        let mut moving = Vec::new();
        count::scans(&self.conn, batch, &mut |scanned| {
            moving.extend(scanned.scan.to.map(|_| scanned.seq));
            Ok(())
        })?;
        Ok(moving)
    }

    /// The ballot stands again where it stood before this scan, with the reason that it stood there with.
    fn put_back(
        &mut self,
        now: Micros,
        (seq, event): (i64, Event),
        by: &PutBackBy,
    ) -> Result<PutBack, WriteError> {
        let Fact::Scan(scan) = &event.fact else { return Ok(PutBack::TakenBack) };
        let (Some(election), Some(ballot)) = (&scan.election, &scan.ballot) else {
            return Ok(PutBack::TakenBack);
        };
        let Some(row) = self.visible(election, ballot)? else { return Ok(PutBack::TakenBack) };
        let stands_by_it = stands_by(&self.conn, &row)? == seq;
        let Some(from) = scan.from.filter(|_| stands_by_it) else {
            let correction = count::correction_of(&self.conn, &row, seq, &event.id)?;
            if correction.is_some_and(|(_, to)| Some(to) == scan.from) {
                return Ok(PutBack::TakenBack);
            }
            let (election, ballot) = (row.election, row.ballot);
            return Ok(PutBack::MovedSince(LeftAlone { election, ballot, status: row.status }));
        };
        let reason = scan.from_reason.clone();
        let fact = self.set_fact(&row, from, Some(&(seq, event)))?;
        let fact = SetFact {
            reason,
            method: By::Supervisor,
            who: by.who.clone(),
            confirmed_by: Some(by.confirmed_by.clone()),
            reversal: Some(by.reversal),
            ..fact
        };
        self.moved_by(now, &row, fact)?;
        Ok(PutBack::Done)
    }
}

/// What the events of a reversal have in common.
struct PutBackBy {
    /// The row number of the event of the batch.
    reversal: i64,
    who: Who,
    confirmed_by: String,
}

/// What came of a scan that moved a ballot.
enum PutBack {
    Done,
    /// The ballot was moved by something else since.
    MovedSince(LeftAlone),
    /// It was taken back before.
    TakenBack,
}
