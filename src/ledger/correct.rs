//! What people do to a ballot: set it by hand, or take the last scan back. A correction is a new event; nothing is rewritten.

use super::apply::State;
use super::book::{Book, WriteError};
use super::fact::{By, Event, Fact, ScanFact, SetFact, Who};
use super::rows::{self, BallotRow};
use crate::ballot::{BallotId, ElectionId, SetMove, Status, set_move};
use crate::clock::Micros;

/// Rows that `undo` looks back over for the station's last scan that changed something.
const UNDO_ROWS_MAX: i64 = 100_000;

/// A ballot as a correction left it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Moved {
    /// The ballot's election.
    pub election: ElectionId,
    /// The ballot.
    pub ballot: BallotId,
    /// Where it stood.
    pub previous: Status,
    /// Where it stands.
    pub status: Status,
    /// The id of the event that this one says was wrong.
    pub corrects: Option<String>,
    /// Whether the change that was wrong was still held back, so that the relay never hears of it.
    pub withdrawn: bool,
}

/// Why a correction was not made. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotMoved {
    /// The ledger has no such ballot.
    #[error("ballot {ballot} was not issued in election {election}")]
    NotIssued {
        /// The election.
        election: ElectionId,
        /// The ballot.
        ballot: BallotId,
    },
    /// It stands there.
    #[error("ballot {0} is {1} already")]
    Same(BallotId, Status),
    /// Leaving this status needs a second person, and there are no operators yet.
    #[error("ballot {0} is {1}: leaving that status takes two operators")]
    TakesTwo(BallotId, Status),
    /// No scan of this station changed anything, or all were taken back.
    #[error("there is no scan to take back")]
    NothingToUndo,
    /// The ballot was moved by something else since.
    #[error("ballot {0} was moved again after its scan, to {1}")]
    MovedSince(BallotId, Status),
}

/// What a person asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetRequest {
    /// The ballot's election.
    pub election: ElectionId,
    /// The ballot.
    pub ballot: BallotId,
    /// Where it shall stand.
    pub status: Status,
    /// Why.
    pub reason: String,
    /// Who asks.
    pub who: Who,
}

impl Book {
    /// Sets a ballot by hand.
    pub(super) fn set(
        &mut self,
        now: Micros,
        request: &SetRequest,
    ) -> Result<Result<Moved, NotMoved>, WriteError> {
        let SetRequest { election, ballot, status, .. } = request;
        let Some(row) = self.visible(election, ballot)? else {
            let (election, ballot) = (election.clone(), ballot.clone());
            return Ok(Err(NotMoved::NotIssued { election, ballot }));
        };
        let corrected = match set_move(row.status, *status) {
            SetMove::Same => return Ok(Err(NotMoved::Same(row.ballot, row.status))),
            SetMove::TakesTwo => return Ok(Err(NotMoved::TakesTwo(row.ballot, row.status))),
            SetMove::Forward => None,
            SetMove::Correction => self.last_change(&row)?,
        };
        let reason = Some(request.reason.clone());
        let fact = self.set_fact(&row, *status, corrected.as_ref())?;
        let fact = SetFact { reason, method: By::Supervisor, who: request.who.clone(), ..fact };
        self.moved_by(now, &row, fact).map(Ok)
    }

    /// Takes back the station's last scan that changed something.
    pub(super) fn undo(
        &mut self,
        now: Micros,
        who: Who,
    ) -> Result<Result<Moved, NotMoved>, WriteError> {
        let Some(last) = self.last_scan_not_taken_back()? else {
            return Ok(Err(NotMoved::NothingToUndo));
        };
        let MovingScan { seq, event, fact: scan, election, ballot } = last;
        let Some(row) = self.visible(&election, &ballot)? else {
            return Ok(Err(NotMoved::NotIssued { election, ballot }));
        };
        let Some(from) = scan.from.filter(|_| row.status_seq == seq) else {
            return Ok(Err(NotMoved::MovedSince(row.ballot, row.status)));
        };
        let fact = self.set_fact(&row, from, Some(&(seq, event)))?;
        let fact = SetFact { reason: scan.from_reason, method: By::Manual, who, ..fact };
        self.moved_by(now, &row, fact).map(Ok)
    }

    pub(super) fn moved_by(
        &mut self,
        now: Micros,
        row: &BallotRow,
        fact: SetFact,
    ) -> Result<Moved, WriteError> {
        let moved = Moved {
            election: fact.election.clone(),
            ballot: fact.ballot.clone(),
            previous: row.status,
            status: fact.to,
            corrects: fact.corrects.clone(),
            withdrawn: fact.withdraws.is_some(),
        };
        self.append(now, Fact::Set(fact), Some(row))?;
        if moved.withdrawn {
            self.next_due = self.first_due()?;
        }
        Ok(moved)
    }

    /// A move to `to`. When it corrects a change that is still held back, that one is never sent; and when this leaves the
    /// ballot where the relay believes it to be, the relay is owed nothing.
    pub(super) fn set_fact(
        &self,
        row: &BallotRow,
        to: Status,
        corrected: Option<&(i64, Event)>,
    ) -> Result<SetFact, WriteError> {
        let mut previous = Some(row.status);
        let mut withdraws = None;
        let mut unheard = false;
        if let Some((seq, event)) = corrected {
            let state = self.state_of(*seq)?;
            unheard = matches!(state, None | Some(State::Held | State::Withdrawn));
            if state == Some(State::Held) {
                withdraws = Some(*seq);
                previous = before(&event.fact);
            }
        }
        Ok(SetFact {
            election: row.election.clone(),
            ballot: row.ballot.clone(),
            from: row.status,
            to,
            reason: None,
            method: By::Supervisor,
            who: Who::station(),
            confirmed_by: None,
            corrects: corrected.map(|(_, event)| event.id.clone()),
            unheard,
            withdraws,
            previous: previous.filter(|previous| *previous != to),
        })
    }

    /// The ballot of that id, unless it is of an import that is not decided.
    pub(super) fn visible(
        &mut self,
        election: &ElectionId,
        ballot: &BallotId,
    ) -> Result<Option<BallotRow>, WriteError> {
        let row = rows::by_id(&self.conn, election.as_str(), ballot.as_str())?
            .filter(|row| Some(row.since) != self.staging);
        match (row, self.applying) {
            (Some(row), Some(import)) => {
                self.apply_change(import, row.key)?;
                Ok(Some(rows::by_key(&self.conn, row.key)?))
            }
            (row, _) => Ok(row),
        }
    }

    fn last_change(&self, row: &BallotRow) -> Result<Option<(i64, Event)>, WriteError> {
        if row.status_seq == 0 {
            return Ok(None);
        }
        Ok(Some((row.status_seq, rows::event(&self.conn, row.status_seq)?)))
    }

    /// The last scan that moved a ballot and was not taken back.
    fn last_scan_not_taken_back(&self) -> Result<Option<MovingScan>, WriteError> {
        let mut events =
            self.conn.prepare_cached("SELECT seq, body FROM event ORDER BY seq DESC LIMIT ?")?;
        let mut rows = events.query([UNDO_ROWS_MAX])?;
        let mut taken_back = std::collections::HashSet::new();
        while let Some(row) = rows.next()? {
            let (seq, event) = (row.get(0)?, rows::event_in(row, 1)?);
            match &event.fact {
                Fact::Set(SetFact { corrects: Some(id), .. }) => {
                    taken_back.insert(id.clone());
                }
                Fact::Scan(scan) if scan.to.is_some() && !taken_back.contains(&event.id) => {
                    let (Some(election), Some(ballot)) = (&scan.election, &scan.ballot) else {
                        continue;
                    };
                    let (election, ballot) = (election.clone(), ballot.clone());
                    let fact = scan.clone();
                    return Ok(Some(MovingScan { seq, event, fact, election, ballot }));
                }
                _ => {}
            }
        }
        Ok(None)
    }
}

/// A scan that moved a ballot.
struct MovingScan {
    seq: i64,
    event: Event,
    fact: ScanFact,
    election: ElectionId,
    ballot: BallotId,
}

/// Where a ballot stood before this change, as far as the relay knows.
fn before(fact: &Fact) -> Option<Status> {
    match fact {
        Fact::Scan(scan) => scan.from,
        Fact::Set(set) => set.previous,
        _ => None,
    }
}
