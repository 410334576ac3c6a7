//! What the ledger's thread is asked by and about people: signing in, operators, and what takes two of them.

use super::super::at_scanners::SignedInAt;
use super::super::book::{Book, WriteError};
use super::super::fact::{Act, Decision, Person, Refusal, Role, TokenAct};
use super::super::operators::{Challenge, Claim, NewOperator, NotAllowed};
use super::super::outbox::Dropped;
use super::super::proposals::{Done, NotDone, Party};
use super::{Desk, Reply, Waiting, with};

/// What people may ask.
#[derive(Debug)]
pub enum PeopleRequest {
    /// Say what proves that somebody is who they say.
    Challenge {
        /// Who they say they are.
        claim: Claim,
        /// What proves it.
        reply: Reply<Challenge>,
    },
    /// Somebody knew an operator's password.
    SignedIn {
        /// The operator.
        operator: String,
        /// Their role, if they still are one.
        reply: Reply<Option<Role>>,
    },
    /// Say who is signed in at which scanner.
    AtScanners(Reply<Vec<SignedInAt>>),
    /// Add an operator.
    Add {
        /// Whom.
        new: NewOperator,
        /// Who asks.
        by: Person,
        /// What came of it.
        reply: Reply<Result<(), NotAllowed>>,
    },
    /// Let an operator do nothing any more.
    Disable {
        /// Whom.
        operator: String,
        /// Who asks.
        by: Person,
        /// What came of it.
        reply: Reply<Result<(), NotAllowed>>,
    },
    /// Write down what is done about an operator's tokens.
    Tokens {
        /// Whose.
        operator: String,
        /// What.
        act: TokenAct,
        /// Who asks.
        by: Person,
        /// What came of it.
        reply: Reply<Result<(), NotAllowed>>,
    },
    /// Reverse a batch, or propose to.
    ReverseBatch {
        /// Which.
        batch: u32,
        /// Why.
        reason: String,
        /// Who asks, and who confirms.
        party: Party,
        /// What came of it.
        reply: Reply<Result<Done, NotDone>>,
    },
    /// Decide on a proposal.
    Decide {
        /// Which.
        proposal: i64,
        /// How.
        decision: Decision,
        /// Who.
        by: Person,
        /// What came of it.
        reply: Reply<Result<Done, NotDone>>,
    },
    /// Somebody was refused what they asked for: it is written down.
    Refused(Refusal),
    /// Somebody did what leaves no other event: it is written down.
    Acted(Act),
    /// Give up a change that the relay refused.
    Drop {
        /// Its row number.
        change: i64,
        /// Why.
        reason: String,
        /// Who asks.
        by: Person,
        /// What came of it.
        reply: Reply<Result<Dropped, NotDone>>,
    },
}

impl Desk<'_> {
    pub(super) fn people(&mut self, request: PeopleRequest) -> (Waiting, Result<(), WriteError>) {
        let now = self.clock.now();
        let elapsed = self.clock.elapsed();
        let attempts = &mut *self.attempts;
        let refusals = &mut *self.refusals;
        let book: Option<&mut Book> = self.book.as_deref_mut();
        match request {
            PeopleRequest::Challenge { claim, reply } => {
                with(book, reply, |book| Ok(book.challenge(&claim, attempts, elapsed)?))
            }
            PeopleRequest::SignedIn { operator, reply } => {
                with(book, reply, |book| Ok(book.signed_in(&operator, attempts)?))
            }
            PeopleRequest::AtScanners(reply) => {
                with(book, reply, |book| book.signed_in_at(elapsed))
            }
            PeopleRequest::Add { new, by, reply } => {
                with(book, reply, |book| book.add_operator(now, new, &by))
            }
            PeopleRequest::Disable { operator, by, reply } => {
                with(book, reply, |book| book.disable_operator(now, operator, &by))
            }
            PeopleRequest::Tokens { operator, act, by, reply } => {
                with(book, reply, |book| book.note_tokens(now, operator, act, &by))
            }
            PeopleRequest::ReverseBatch { batch, reason, party, reply } => {
                with(book, reply, |book| book.reverse(now, batch, reason, &party))
            }
            PeopleRequest::Decide { proposal, decision, by, reply } => {
                with(book, reply, |book| book.decide(now, proposal, decision, &by))
            }
            PeopleRequest::Refused(refusal) => {
                let refusal = refusals.take(refusal, elapsed);
                with(book, Reply::new(drop), |book| book.note_refusal(now, refusal))
            }
            PeopleRequest::Acted(act) => {
                with(book, Reply::new(drop), |book| book.note_act(now, act))
            }
            PeopleRequest::Drop { change, reason, by, reply } => {
                with(book, reply, |book| book.drop_change(now, change, reason, &by))
            }
        }
    }
}
