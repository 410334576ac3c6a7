//! Why an envelope needs attention, was rejected or was voided: the words that every county's own codes are mapped on.
//!
//! A ballot's reason stays a text in the ledger: one of these names, or what an operator or a file wrote in its place. The list
//! is what published vocabularies have in common: the rejection reasons of the Election Administration and Voting Survey (EAVS
//! 2016), North Carolina's return statuses, Washington's challenge reasons, New Jersey's rejection codes.

use std::fmt;

/// Why a ballot stands where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Nobody signed the envelope (EAVS "no signature", NC `VOTER SIGNATURE MISSING`, WA `Unsigned`, NJ CNS).
    SignatureMissing,
    /// The signature is not like the one on file (EAVS "non-matching signature", NC `SIGNATURE DIFFERENT`, NJ SNM).
    SignatureDiffers,
    /// A copy of an identity document is missing (EAVS "first-time without ID", NC `ID NOT PROVIDED`, WA `ID Required`).
    IdRequired,
    /// A witness did not sign (EAVS "no witness signature", NC `WITNESS INFO INCOMPLETE`).
    WitnessMissing,
    /// The ballot came in another envelope than its own, or without one of its envelopes (NJ OEU, BEU).
    WrongEnvelope,
    /// There was no ballot in the envelope (EAVS "ballot missing from envelope", WA `Empty Envelope`, NJ BNE).
    EmptyEnvelope,
    /// It came after the deadline (EAVS "late", NC `RETURNED AFTER DEADLINE`, NJ BAP).
    Late,
    /// Somebody else sent it in or signed it (NC `WRONG VOTER`, WA `Other than Voter`).
    WrongVoter,
    /// The voter has died (EAVS "deceased", WA `Deceased`).
    Deceased,
    /// The voter has moved away (WA `Marked Moved`, NJ MOC).
    Moved,
    /// Another ballot of the voter counts (NC `DUPLICATE`).
    Duplicate,
    /// The voter voted in person (EAVS "voted in person").
    VotedInPerson,
    /// The voter was given another ballot in its place (NC `SPOILED`); no rejection.
    Replaced,
    /// The request for the ballot was withdrawn (NC `CANCELLED`).
    Cancelled,
    /// None of these, or nobody said.
    Other,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 15] = [
        Self::SignatureMissing,
        Self::SignatureDiffers,
        Self::IdRequired,
        Self::WitnessMissing,
        Self::WrongEnvelope,
        Self::EmptyEnvelope,
        Self::Late,
        Self::WrongVoter,
        Self::Deceased,
        Self::Moved,
        Self::Duplicate,
        Self::VotedInPerson,
        Self::Replaced,
        Self::Cancelled,
        Self::Other,
    ];

    /// The name in the ledger, in layouts and in events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignatureMissing => "signature_missing",
            Self::SignatureDiffers => "signature_differs",
            Self::IdRequired => "id_required",
            Self::WitnessMissing => "witness_missing",
            Self::WrongEnvelope => "wrong_envelope",
            Self::EmptyEnvelope => "empty_envelope",
            Self::Late => "late",
            Self::WrongVoter => "wrong_voter",
            Self::Deceased => "deceased",
            Self::Moved => "moved",
            Self::Duplicate => "duplicate",
            Self::VotedInPerson => "voted_in_person",
            Self::Replaced => "replaced",
            Self::Cancelled => "cancelled",
            Self::Other => "other",
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_lead_back_to_their_reason() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_name(reason.name()), Some(reason));
            assert!(reason.name().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
        }
        assert_eq!(Reason::ALL.map(Reason::name).iter().collect::<BTreeSet<_>>().len(), 15);
        assert_eq!(Reason::from_name("Late"), None);
    }
}
