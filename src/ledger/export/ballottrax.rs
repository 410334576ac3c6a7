//! VR Systems' Ballot Status File, by which a county tells `BallotTrax` where its ballots stand.
//!
//! The columns and the values of `BallotStatus` are those of VR Systems' "`BallotTrax`: Export Ballot Status File". It has six
//! statuses for our eight:
//!
//! - a ballot that is received and not yet decided is `Outbound` with a returned date: no value says "received", and `Accepted`
//!   would tell the voter more than is known;
//! - a voided ballot is left out: `Rejected` would tell somebody who voted in person, or has a replacement, that the vote did not
//!   count. The other side keeps what it had until the voter's other ballot comes;
//! - a ballot is left out whose voter's id could be a formula to a program that opens the file: changed so that it is none, it would
//!   be another voter's. It is told by the id.
//!
//! What the ledger does not know (precinct, party) is empty.

use super::sheet::Sheet;
use super::{ExportError, Exported, Standing};
use crate::ballot::{ElectionId, Status};
use crate::clock::{Micros, Zone};
use crate::ledger::cell::is_formula;
use crate::ledger::report::Reader;
use crate::reason::Reason;
use std::io;

/// Ids that cannot be carried and are told; all are counted.
const FORMULAS_TOLD_MAX: usize = 100;

const HEADER: [&str; 11] = [
    "ElectionNumber",
    "VoterID",
    "BallotStatus",
    "MailedDate",
    "ReturnedDate",
    "VbmRequestPrecinct",
    "VbmParty",
    "RejectionReason",
    "RejectionDescription",
    "IsReinstated",
    "IsSignatureRelatedReason",
];

/// Every ballot of the election that the file has a status for.
pub(super) fn export(
    reader: &Reader,
    election: Option<&ElectionId>,
    out: &mut dyn io::Write,
) -> Result<Exported, ExportError> {
    let mut sheet = Sheet::begin(&HEADER, out)?;
    let mut exported = Exported::default();
    let time = |at: Option<Micros>| at.map(|at| exact(&reader.zone, at)).unwrap_or_default();
    reader.each_ballot(election, &mut |ballot| {
        let Some(status) = status(ballot.status) else {
            exported.left_out += 1;
            return Ok(());
        };
        if let Some(id) = [&ballot.voter, &ballot.election].into_iter().find(|id| is_formula(id)) {
            exported.formulas += 1;
            if exported.formula_ids.len() < FORMULAS_TOLD_MAX && !exported.formula_ids.contains(id)
            {
                exported.formula_ids.push(id.clone());
            }
            return Ok(());
        }
        let why = Why::of(&ballot);
        sheet.row(&[
            &ballot.election,
            &ballot.voter,
            status,
            &time(ballot.mailed),
            &time(ballot.returned),
            "",
            "",
            why.code,
            why.words,
            "FALSE",
            if why.is_signature { "TRUE" } else { "FALSE" },
        ])
    })?;
    Ok(Exported { rows: sheet.rows(), ..exported })
}

const fn status(status: Status) -> Option<&'static str> {
    match status {
        Status::Issued => Some("Requested"),
        Status::Mailed | Status::Received => Some("Outbound"),
        Status::Accepted => Some("Accepted"),
        Status::NeedsAttention => Some("RejectedCurable"),
        Status::Rejected => Some("Rejected"),
        Status::Undeliverable => Some("Undeliverable"),
        Status::Voided => None,
    }
}

/// Why a ballot is rejected, for now or for good.
struct Why<'a> {
    /// The referral codes of the same maker's "Return Ballots", where one means the same.
    code: &'static str,
    words: &'a str,
    is_signature: bool,
}

impl<'a> Why<'a> {
    fn of(ballot: &'a Standing) -> Self {
        let is_rejected = matches!(ballot.status, Status::NeedsAttention | Status::Rejected);
        let words = ballot.reason.as_deref().filter(|_| is_rejected).unwrap_or_default();
        let (code, is_signature) = match Reason::from_name(words) {
            Some(Reason::Late) => ("L", false),
            Some(Reason::Moved) => ("M", false),
            Some(Reason::SignatureMissing) => ("N", true),
            Some(Reason::SignatureDiffers) => ("S", true),
            Some(Reason::IdRequired) => ("X", false),
            _ => ("", false),
        };
        Self { code, words, is_signature }
    }
}

/// Characters of a local time before its offset.
const TIME_CHARACTERS: usize = "2026-11-02T12:00:00".len();

/// In local time with offset; to the microsecond where there is a part of a second, so that it reads back as it was.
fn exact(zone: &Zone, at: Micros) -> String {
    let whole = zone.date_time(at);
    let part = at.0.rem_euclid(1_000_000);
    match whole.split_at_checked(TIME_CHARACTERS) {
        Some((time, offset)) if part != 0 => format!("{time}.{part:06}{offset}"),
        _ => whole,
    }
}
