//! What takes two operators: one proposes, another confirms, and what is done stands beside their names in one transaction.

use super::batches::{NotReversed, Reversal, Reversed, name, reversible};
use super::book::{Book, WriteError};
use super::correct::{Moved, NotMoved, with_other};
use super::fact::{By, Decided, Decision, Fact, Person, Role, SetFact, TwoPersonAct, Who};
use super::operators::{NotAllowed, checked_reason};
use super::report::{ReadError, Reader};
use super::rows::{self, BallotRow};
use crate::ballot::Status;
use crate::clock::Micros;
use crate::coded::{Coded, Refuses as _};
use rusqlite::OptionalExtension as _;
use serde::Serialize;

/// Those who ask for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// Who asks.
    pub by: Person,
    /// Who confirms it there and then, where it takes two.
    pub second: Option<Person>,
}

impl Party {
    /// One person.
    pub const fn of(by: Person) -> Self {
        Self { by, second: None }
    }
}

/// What came of a request that may take two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// The ballot was moved.
    Moved(Moved),
    /// The batch was reversed.
    Reversed(Reversed),
    /// It waits for a second operator under this number.
    Proposed(i64),
    /// It was declined: nothing is done.
    Declined(i64),
}

/// Why it was not done. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    /// They may not.
    #[error(transparent)]
    People(NotAllowed),
    /// The ballot does not allow it.
    #[error(transparent)]
    Ballot(NotMoved),
    /// The batch does not allow it.
    #[error(transparent)]
    Batch(NotReversed),
    /// There is no such proposal.
    #[error("there is no proposal {0}; `ballot-intake proposals list` lists those that wait")]
    NoProposal(i64),
    /// Somebody decided on it.
    #[error("proposal {0} was decided already")]
    Decided(i64),
    /// There is no such change.
    #[error(
        "there is no change {0}; `ballot-intake outbox list` lists those that are not with the relay"
    )]
    NoChange(i64),
    /// Only what the relay refused can be given up.
    #[error("change {of} is {state}: only what is set aside can be dropped")]
    NotSetAside {
        /// Its row number.
        of: i64,
        /// Where it stands.
        state: &'static str,
    },
}

impl From<NotAllowed> for NotDone {
    fn from(why: NotAllowed) -> Self {
        Self::People(why)
    }
}

/// What was proposed, for people.
#[expect(clippy::struct_field_names, reason = "the names are those of its JSON")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proposal {
    /// Its number: the row number of its event.
    pub proposal: i64,
    /// When, in local time with offset.
    pub at: String,
    /// Who.
    #[serde(flatten)]
    pub who: Who,
    /// What.
    #[serde(flatten)]
    pub what: TwoPersonAct,
    /// `<station>-<n>` of the batch, where that is to be reversed.
    pub batch_name: Option<String>,
    /// While nobody decided: why it can never be confirmed any more; null while it can.
    pub void_because: Option<String>,
    /// The same by its code.
    #[serde(skip)]
    pub void_coded: Option<Coded>,
}

/// A proposal that waits, within the ledger.
struct Proposed {
    /// Its number.
    seq: i64,
    what: TwoPersonAct,
    /// Who made it.
    who: Who,
}

impl Book {
    /// Reverses a batch, or proposes to.
    pub(super) fn reverse(
        &mut self,
        now: Micros,
        batch: u32,
        reason: String,
        party: &Party,
    ) -> Result<Result<Done, NotDone>, WriteError> {
        if let Err(why) = checked_reason(&reason) {
            return Ok(Err(why.into()));
        }
        if let Err(why) = self.reversible(batch)? {
            return Ok(Err(NotDone::Batch(why)));
        }
        self.propose(now, TwoPersonAct::ReverseBatch { batch, reason }, party)
    }

    /// Proposes what was found to be possible; with a second operator it is done at once.
    pub(super) fn propose(
        &mut self,
        now: Micros,
        what: TwoPersonAct,
        party: &Party,
    ) -> Result<Result<Done, NotDone>, WriteError> {
        if let Err(why) = self.may_propose(party)? {
            return Ok(Err(why.into()));
        }
        let who = party.by.who.clone();
        self.append(now, Fact::Proposed { what: what.clone(), who: who.clone() }, None)?;
        let proposed = Proposed { seq: self.head.seq, what, who };
        match &party.second {
            Some(second) => self.confirm(now, proposed, second),
            None => Ok(Ok(Done::Proposed(proposed.seq))),
        }
    }

    fn may_propose(&self, party: &Party) -> Result<Result<(), NotAllowed>, WriteError> {
        if !self.has_operators()? {
            return Ok(Err(NotAllowed::NoOperators));
        }
        let by = self.allowed(&party.by, Role::Supervisor)?;
        let Some(second) = party.second.as_ref().filter(|_| by.is_ok()) else { return Ok(by) };
        Ok(self.may_confirm(&party.by.who.by, second)?)
    }

    /// Whether that person may confirm what somebody proposed.
    pub(super) fn may_confirm(
        &self,
        proposer: &str,
        second: &Person,
    ) -> rusqlite::Result<Result<(), NotAllowed>> {
        if let Err(why) = self.allowed(second, Role::Supervisor)? {
            return Ok(Err(why));
        }
        if second.who.by == proposer {
            return Ok(Err(NotAllowed::SamePerson(proposer.to_owned())));
        }
        if self.is_disabled(proposer)? {
            return Ok(Err(NotAllowed::ProposerDisabled(proposer.to_owned())));
        }
        Ok(Ok(()))
    }

    /// Decides on a proposal. Whoever made it may decline it, too.
    pub(super) fn decide(
        &mut self,
        now: Micros,
        proposal: i64,
        decision: Decision,
        by: &Person,
    ) -> Result<Result<Done, NotDone>, WriteError> {
        let proposed = match self.proposal(proposal)? {
            Ok(found) => found,
            Err(why) => return Ok(Err(why)),
        };
        let allowed = match decision {
            Decision::Confirmed => self.may_confirm(&proposed.who.by, by)?,
            Decision::Declined => self.allowed(by, Role::Supervisor)?,
        };
        if let Err(why) = allowed {
            return Ok(Err(why.into()));
        }
        match decision {
            Decision::Confirmed => self.confirm(now, proposed, by),
            Decision::Declined => {
                self.decided(now, proposal, decision, by)?;
                Ok(Ok(Done::Declined(proposal)))
            }
        }
    }

    /// A proposal that waits.
    fn proposal(&self, seq: i64) -> Result<Result<Proposed, NotDone>, rusqlite::Error> {
        let decided: Option<Option<i64>> = self
            .conn
            .prepare_cached("SELECT decided FROM proposal WHERE seq = ?")?
            .query_row([seq], |row| row.get(0))
            .optional()?;
        Ok(match decided {
            None => Err(NotDone::NoProposal(seq)),
            Some(Some(_)) => Err(NotDone::Decided(seq)),
            Some(None) => match rows::event(&self.conn, seq)?.fact {
                Fact::Proposed { what, who } => Ok(Proposed { seq, what, who }),
                _ => Err(NotDone::NoProposal(seq)),
            },
        })
    }

    /// Does it, in both names; if it cannot be done, it waits on.
    fn confirm(
        &mut self,
        now: Micros,
        proposed: Proposed,
        second: &Person,
    ) -> Result<Result<Done, NotDone>, WriteError> {
        let proposal = proposed.seq;
        let done = match &proposed.what {
            TwoPersonAct::SetBallot { .. } => self.set_by_two(now, proposed, second)?,
            TwoPersonAct::ReverseBatch { batch, reason } => {
                let reversal = Reversal {
                    batch: *batch,
                    reason: reason.clone(),
                    who: proposed.who,
                    confirmed_by: second.who.by.clone(),
                };
                let reversed = self.reverse_batch(now, reversal)?;
                reversed.map(Done::Reversed).map_err(NotDone::Batch)
            }
        };
        if done.is_ok() {
            self.decided(now, proposal, Decision::Confirmed, second)?;
        }
        Ok(done)
    }

    /// Sets the ballot, if all stands as it stood when that was proposed.
    fn set_by_two(
        &mut self,
        now: Micros,
        proposed: Proposed,
        second: &Person,
    ) -> Result<Result<Done, NotDone>, WriteError> {
        let Proposed { seq: proposal, what, who } = proposed;
        let TwoPersonAct::SetBallot { election, ballot, from, to, reason, beside } = what else {
            return Ok(Err(NotDone::NoProposal(proposal)));
        };
        let Some(row) = self.visible(&election, &ballot)? else {
            return Ok(Err(NotDone::Ballot(NotMoved::NotIssued { election, ballot })));
        };
        if let Some(why) = moved_since(&row, proposal, from) {
            return Ok(Err(NotDone::Ballot(why)));
        }
        let other = self.other_that_may_count(&row, to)?;
        if let Some(other) = other.as_ref().filter(|other| Some(&other.ballot) != beside.as_ref()) {
            let (other, status) = (other.ballot.clone(), other.status);
            return Ok(Err(NotDone::Ballot(NotMoved::CountsSinceProposed {
                proposal,
                other,
                status,
            })));
        }
        // That a voter voted in person after all is news; anything else says that the last change was wrong.
        let corrected = if to == Status::Voided { None } else { self.last_change(&row)? };
        let fact = SetFact {
            reason: Some(with_other(reason, other.as_ref())),
            method: By::Supervisor,
            who,
            confirmed_by: Some(second.who.by.clone()),
            ..self.set_fact(&row, to, corrected.as_ref())?
        };
        let moved = self.moved_by(now, &row, fact)?;
        Ok(Ok(Done::Moved(Moved { beside: other.map(|other| other.ballot), ..moved })))
    }

    fn decided(
        &mut self,
        now: Micros,
        proposal: i64,
        decision: Decision,
        by: &Person,
    ) -> Result<(), WriteError> {
        let decided = Decided { proposal, decision, who: by.who.clone() };
        self.append(now, Fact::Decided(decided), None).map(|_| ())
    }
}

/// Why a ballot is not any more as it was when it was proposed to move it from there.
fn moved_since(row: &BallotRow, proposal: i64, from: Status) -> Option<NotMoved> {
    (row.status != from || row.status_seq > proposal).then_some(NotMoved::MovedSinceProposed {
        ballot: row.ballot.clone(),
        proposal,
        status: row.status,
    })
}

impl Reader {
    /// The proposals that nobody decided on, in order.
    pub fn proposals(&self) -> Result<Vec<Proposal>, ReadError> {
        self.snapshot(|| self.undecided())
    }

    /// The same, within a snapshot.
    pub(super) fn undecided(&self) -> rusqlite::Result<Vec<Proposal>> {
        let mut open =
            self.conn.prepare("SELECT seq FROM proposal WHERE decided IS NULL ORDER BY seq")?;
        let mut rows = open.query([])?;
        let mut proposals = Vec::new();
        while let Some(row) = rows.next()? {
            if let Some(proposal) = self.proposed(row.get(0)?)? {
                let void = self.void_because(&proposal)?;
                let void_because = void.as_ref().map(ToString::to_string);
                let void_coded = void.map(|why| why.coded());
                proposals.push(Proposal { void_because, void_coded, ..proposal });
            }
        }
        Ok(proposals)
    }

    /// What was proposed at that row.
    pub(super) fn proposed(&self, proposal: i64) -> rusqlite::Result<Option<Proposal>> {
        let event = rows::event(&self.conn, proposal)?;
        let at = self.zone.date_time(event.at);
        let Fact::Proposed { what, who } = event.fact else { return Ok(None) };
        let batch_name = match &what {
            TwoPersonAct::ReverseBatch { batch, .. } => Some(name(&self.station()?, *batch)),
            TwoPersonAct::SetBallot { .. } => None,
        };
        Ok(Some(Proposal {
            proposal,
            at,
            who,
            what,
            batch_name,
            void_because: None,
            void_coded: None,
        }))
    }

    /// Why that can never be confirmed any more.
    fn void_because(&self, of: &Proposal) -> rusqlite::Result<Option<NotDone>> {
        let by = &of.who.by;
        let mut stays = self
            .conn
            .prepare_cached("SELECT 1 FROM operator WHERE name = ? AND disabled IS NULL")?;
        if !stays.exists([by])? {
            return Ok(Some(NotAllowed::ProposerDisabled(by.clone()).into()));
        }
        Ok(match &of.what {
            TwoPersonAct::SetBallot { election, ballot, from, .. } => {
                rows::by_id(&self.conn, election.as_str(), ballot.as_str())?
                    .and_then(|row| moved_since(&row, of.proposal, *from))
                    .map(NotDone::Ballot)
            }
            TwoPersonAct::ReverseBatch { batch, .. } => {
                let possible = reversible(&self.conn, &self.station()?, *batch)?;
                possible.err().map(NotDone::Batch)
            }
        })
    }
}
