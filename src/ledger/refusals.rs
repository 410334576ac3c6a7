//! What the ledger refuses, by code, for those who tell it in another language. Every kind has one.

use super::batches::{Difference, NotBatched, NotReversed, SEALS_MAX, TEXT_CHARACTERS_MAX};
use super::correct::NotMoved;
use super::judge::NotMarked;
use super::operators::{NotAllowed, OPERATOR_BYTES_MAX, REASON_BYTES_MAX};
use super::proposals::NotDone;
use super::sheets::NoSheet;
use crate::coded::{Coded, Refuses, coded};

impl Refuses for NotAllowed {
    fn coded(&self) -> Coded {
        match self {
            Self::SignIn(role) => coded("sign_in", &[("role", &role.name())]),
            Self::Role { operator, has, needs } => coded(
                "role",
                &[("operator", operator), ("has", &has.name()), ("needs", &needs.name())],
            ),
            Self::Disabled(operator) => coded("disabled", &[("operator", operator)]),
            Self::NoOperators => coded("no_operators", &[]),
            Self::SamePerson(operator) => coded("same_person", &[("operator", operator)]),
            Self::ProposerDisabled(operator) => {
                coded("proposer_disabled", &[("operator", operator)])
            }
            Self::Reason => coded("reason", &[("most", &REASON_BYTES_MAX)]),
            Self::Name => coded("name", &[("most", &OPERATOR_BYTES_MAX)]),
            Self::NameTaken(operator) => coded("name_taken", &[("operator", operator)]),
            Self::Badge => coded("badge", &[]),
            Self::FirstIsAdministrator => coded("first_is_administrator", &[]),
            Self::NoOperator(operator) => coded("no_operator", &[("operator", operator)]),
            Self::LastAdministrator(operator) => {
                coded("last_administrator", &[("operator", operator)])
            }
        }
    }
}

impl Refuses for NotMoved {
    fn coded(&self) -> Coded {
        match self {
            Self::NotIssued { election, ballot } => {
                coded("ballot_not_issued", &[("ballot", ballot), ("election", election)])
            }
            Self::Same(ballot, status) => {
                coded("ballot_stands_there", &[("ballot", ballot), ("status", status)])
            }
            Self::OtherCounts { ballot, other, status } => {
                coded("other_counts", &[("ballot", ballot), ("other", other), ("status", status)])
            }
            Self::MovedSinceProposed { ballot, proposal, status } => coded(
                "moved_since_proposed",
                &[("ballot", ballot), ("proposal", proposal), ("status", status)],
            ),
            Self::CountsSinceProposed { proposal, other, status } => coded(
                "counts_since_proposed",
                &[("proposal", proposal), ("other", other), ("status", status)],
            ),
            Self::ScannedSince(ballot) => coded("scanned_since", &[("ballot", ballot)]),
            Self::TakenBackAlready(ballot) => coded("taken_back_already", &[("ballot", ballot)]),
            Self::NothingToUndo => coded("nothing_to_undo", &[]),
            Self::NothingNearToUndo => coded("nothing_near_to_undo", &[]),
            Self::InClosedBatch { ballot, batch } => {
                coded("in_closed_batch", &[("ballot", ballot), ("batch", batch)])
            }
            Self::TakesTwo(ballot, status) => {
                coded("takes_two", &[("ballot", ballot), ("status", status)])
            }
            Self::People(why) => why.coded(),
            Self::MovedSinceShown(ballot, status) => {
                coded("moved_since_shown", &[("ballot", ballot), ("status", status)])
            }
            Self::MovedSince(ballot, status) => {
                coded("moved_since", &[("ballot", ballot), ("status", status)])
            }
        }
    }
}

impl Refuses for NoSheet {
    fn coded(&self) -> Coded {
        match self {
            Self::People(why) => why.coded(),
            Self::RenewedSince(generation) => {
                coded("sheets_renewed_since", &[("generation", generation)])
            }
        }
    }
}

impl Refuses for NotReversed {
    fn coded(&self) -> Coded {
        match self {
            Self::NotThere(batch) => coded("no_batch", &[("batch", batch)]),
            Self::Open(batch) => coded("batch_open", &[("batch", batch)]),
            Self::Already(batch) => coded("batch_reversed", &[("batch", batch)]),
        }
    }
}

impl Refuses for NotDone {
    fn coded(&self) -> Coded {
        match self {
            Self::People(why) => why.coded(),
            Self::Ballot(why) => why.coded(),
            Self::Batch(why) => why.coded(),
            Self::NoProposal(proposal) => coded("no_proposal", &[("proposal", proposal)]),
            Self::Decided(proposal) => coded("proposal_decided", &[("proposal", proposal)]),
            Self::NoChange(change) => coded("no_change", &[("change", change)]),
            Self::NotSetAside { of, state } => {
                coded("not_set_aside", &[("change", of), ("state", state)])
            }
        }
    }
}

impl Refuses for NotBatched {
    fn coded(&self) -> Coded {
        match self {
            Self::StillOpen(batch) => coded("batch_open", &[("batch", batch)]),
            Self::NotThere(batch) => coded("no_batch", &[("batch", batch)]),
            Self::Closed(batch) => coded("batch_closed", &[("batch", batch)]),
            Self::Differs(batch, Difference { counted, envelopes, .. }) => coded(
                "batch_differs",
                &[("batch", batch), ("counted", counted), ("scanned", envelopes)],
            ),
            Self::AttentionMissing => coded("attention_missing", &[]),
            Self::AttentionUnused => coded("attention_unused", &[]),
            Self::OnlyReads => coded("auditor_reads", &[]),
            Self::People(why) => why.coded(),
            Self::NeedsSupervisor => coded("earlier_needs_supervisor", &[]),
            Self::ReasonMissing => coded("earlier_needs_reason", &[]),
            Self::Future(at) => coded("in_the_future", &[("at", at)]),
            Self::Text(text) => {
                coded("batch_text", &[("most", &TEXT_CHARACTERS_MAX), ("text", text)])
            }
            Self::Seals(n) => coded("too_many_seals", &[("most", &SEALS_MAX), ("n", n)]),
        }
    }
}

impl Refuses for NotMarked {
    fn coded(&self) -> Coded {
        match self {
            Self::People(why) => why.coded(),
            Self::NotIssued => coded("number_not_issued", &[]),
            Self::Several => coded("number_of_several", &[]),
        }
    }
}
