//! An envelope whose symbol is torn: somebody types the number that is printed on it, sees which ballot that is, and confirms.

use super::Named;
use crate::ballot::{BallotId, ElectionId, Status};
use crate::clock::Micros;
use crate::ledger::book::{Book, WriteError};
use crate::ledger::fact::{Person, Role};
use crate::ledger::operators::NotAllowed;
use crate::ledger::writer::Reply;
use crate::scan::{Capture, Face, Judged, Method, Scan, ScanId, ScannerId, Symbol};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What stands in place of a scanner's name; none can have a space in it.
pub const BY_HAND: &str = "by hand";

/// What is asked about a typed number.
#[derive(Debug)]
pub enum ManualRequest {
    /// Say which ballot it is. Nothing changes.
    LookUp {
        /// What the number spells.
        typed: Typed,
        /// Who asks.
        person: Person,
        /// The ballot.
        reply: Reply<Result<LookedUp, NotMarked>>,
    },
    /// Record it as a scan.
    Mark {
        /// What the number spells.
        typed: Typed,
        /// Who asks.
        person: Person,
        /// The verdict.
        reply: Reply<Result<Judged, NotMarked>>,
    },
}

/// A number that somebody typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    /// The number.
    pub symbol: Symbol,
    /// What it spells.
    pub captures: Vec<Capture>,
}

/// The ballot that a number names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookedUp {
    /// Its election.
    pub election: ElectionId,
    /// The ballot.
    pub ballot: BallotId,
    /// Where it stands.
    pub status: Status,
    /// Why.
    pub reason: Option<String>,
}

/// Why nothing was marked. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotMarked {
    /// Whoever asked may not.
    #[error(transparent)]
    People(NotAllowed),
    /// No ballot has it.
    #[error("no ballot with this number was issued")]
    NotIssued,
    /// Not one ballot.
    #[error("the number names several ballots: set the envelope aside for a supervisor")]
    Several,
}

impl Book {
    /// Which ballot a typed number names.
    pub(in crate::ledger) fn look_up_typed(
        &mut self,
        typed: &Typed,
        person: &Person,
    ) -> Result<Result<LookedUp, NotMarked>, WriteError> {
        if let Err(why) = self.may_type(person)? {
            return Ok(Err(NotMarked::People(why)));
        }
        Ok(match self.named(&typed.captures)? {
            Named::One(row, _) => Ok(LookedUp {
                election: row.election.clone(),
                ballot: row.ballot.clone(),
                status: row.status,
                reason: row.reason.clone(),
            }),
            Named::None => Err(NotMarked::NotIssued),
            Named::Several | Named::SeveralOpen => Err(NotMarked::Several),
        })
    }

    /// Judges a typed number as a scan of the open batch.
    pub(in crate::ledger) fn mark_typed(
        &mut self,
        scan: &Scan,
        typed: &Typed,
        person: &Person,
    ) -> Result<Result<Judged, NotMarked>, WriteError> {
        if let Err(why) = self.look_up_typed(typed, person)? {
            return Ok(Err(why));
        }
        let batch = self.batch(scan.at)?;
        self.judged_anew(scan, &batch, Some(&person.who)).map(Ok)
    }

    /// Whether somebody may type numbers: any user of the operating system, and a clerk as soon as there are operators.
    fn may_type(&self, person: &Person) -> rusqlite::Result<Result<(), NotAllowed>> {
        if person.role.is_some() || self.has_operators()? {
            return self.allowed(person, Role::Clerk);
        }
        Ok(Ok(()))
    }
}

impl Typed {
    /// The scan that it is.
    pub(in crate::ledger) fn scan(&self, at: Micros) -> Scan {
        Scan {
            id: ScanId(0),
            scanner: ScannerId(u16::MAX),
            scanner_name: Arc::from(BY_HAND),
            at,
            method: Method::Manual,
            face: Face::Names(self.captures.clone()),
            symbols: vec![self.symbol.clone()],
        }
    }
}
