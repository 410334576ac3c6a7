//! What the relay is told of a change: the frozen body of a delivery.

use super::fact::{By, Event, Fact};
use super::rows::BallotRow;
use crate::ballot::Status;
use crate::scan::Method;
use relay_wire::ChangeEvent;

/// Who tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Origin {
    /// `[facility] id`.
    pub(super) facility: String,
    /// `[station] id`.
    pub(super) station: String,
}

/// The body for the change in `event`, number `sequence` of what is sent about the ballot; nothing when it changes no ballot.
pub(super) fn of_change(
    origin: &Origin,
    event: &Event,
    row: &BallotRow,
    sequence: u32,
) -> Option<String> {
    let (status, previous, reason, method, corrects) = match &event.fact {
        Fact::Scan(scan) => {
            let method = match scan.method {
                Method::Scanner => relay_wire::Method::Scanner,
                Method::Camera => relay_wire::Method::Camera,
                Method::Manual => relay_wire::Method::Manual,
            };
            (scan.to?, scan.from?, &scan.reason, method, None)
        }
        Fact::Set(set) => {
            let method = match set.method {
                By::Manual => relay_wire::Method::Manual,
                By::Supervisor => relay_wire::Method::Supervisor,
                By::Import => relay_wire::Method::Import,
            };
            let corrects = set.corrects.clone().filter(|_| !set.unheard);
            (set.to, set.previous?, &set.reason, method, corrects)
        }
        _ => return None,
    };
    let change = ChangeEvent {
        id: event.id.clone(),
        facility: origin.facility.clone(),
        station: origin.station.clone(),
        time: event.at.rfc3339(),
        election: row.election.to_string(),
        ballot: row.ballot.to_string(),
        voter: row.voter.clone(),
        status: wire(status),
        previous: wire(previous),
        reason: reason.clone(),
        sequence: u64::from(sequence),
        method,
        corrects,
    };
    Some(change.to_body())
}

const fn wire(status: Status) -> relay_wire::Status {
    match status {
        Status::Issued => relay_wire::Status::Issued,
        Status::Mailed => relay_wire::Status::Mailed,
        Status::Received => relay_wire::Status::Received,
        Status::Accepted => relay_wire::Status::Accepted,
        Status::NeedsAttention => relay_wire::Status::NeedsAttention,
        Status::Rejected => relay_wire::Status::Rejected,
        Status::Undeliverable => relay_wire::Status::Undeliverable,
        Status::Voided => relay_wire::Status::Voided,
    }
}
