//! What a ballot can be: its ids, its statuses, and the one table of the moves between them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest id of an election, ballot, voter or code, in bytes: what fits any county's scheme we know, and bounds every row.
pub const ID_BYTES_MAX: usize = 64;

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It is longer than [`ID_BYTES_MAX`].
    #[error("it has {0} bytes, more than {ID_BYTES_MAX}")]
    TooLong(usize),
    /// Ids are printed on envelopes, so they are visible ASCII without a space.
    #[error("it holds {0:?}, which is no visible ASCII character")]
    Character(char),
}

fn checked(text: &str) -> Result<&str, IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > ID_BYTES_MAX {
        return Err(IdError::TooLong(text.len()));
    }
    match text.chars().find(|c| !c.is_ascii_graphic()) {
        Some(c) => Err(IdError::Character(c)),
        None => Ok(text),
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes 1 to [`ID_BYTES_MAX`] visible ASCII characters.
            pub fn new(text: &str) -> Result<Self, IdError> {
                checked(text).map(|text| Self(text.to_owned()))
            }

            /// The id as it is printed.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                checked(&text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

id!(
    /// An election, as the county numbers it.
    ElectionId
);
id!(
    /// A ballot as it was issued to a voter; unique within its election.
    BallotId
);
id!(
    /// A voter, as the county's voter register numbers them. Never a name.
    VoterId
);

/// Where a ballot stands. The numbers are what the ledger's tables hold, so they never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Status {
    /// The voter was given a ballot; it is not known to have left.
    Issued = 0,
    /// It was mailed to the voter.
    Mailed = 1,
    /// Its envelope is in the building. Nothing is said of its signature, nor of counting.
    Received = 2,
    /// The envelope passed the signature review.
    Accepted = 3,
    /// The voter must do something, such as sign.
    NeedsAttention = 4,
    /// It will not be counted.
    Rejected = 5,
    /// The Postal Service could not deliver it to the voter.
    Undeliverable = 6,
    /// It no longer counts: voted in person, replaced, cancelled.
    Voided = 7,
}

impl Status {
    /// Every status, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Issued,
        Self::Mailed,
        Self::Received,
        Self::Accepted,
        Self::NeedsAttention,
        Self::Rejected,
        Self::Undeliverable,
        Self::Voided,
    ];

    /// The name in files, JSON and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Mailed => "mailed",
            Self::Received => "received",
            Self::Accepted => "accepted",
            Self::NeedsAttention => "needs_attention",
            Self::Rejected => "rejected",
            Self::Undeliverable => "undeliverable",
            Self::Voided => "voided",
        }
    }

    /// The status of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// The number in the ledger's tables.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The status of that number.
    pub fn from_number(number: i64) -> Option<Self> {
        usize::try_from(number).ok().and_then(|n| Self::ALL.get(n).copied())
    }

    /// Whether the voter may still send it in: it is out, or came back undelivered.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Issued | Self::Mailed | Self::Undeliverable)
    }

    /// Whether its envelope came back and was taken in.
    pub const fn is_in(self) -> bool {
        matches!(self, Self::Received | Self::Accepted | Self::NeedsAttention | Self::Rejected)
    }

    /// Whether it is in and may be counted: of a voter's ballots, one.
    pub const fn may_count(self) -> bool {
        matches!(self, Self::Received | Self::Accepted | Self::NeedsAttention)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a scan is meant to do; it belongs to the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The envelope came in.
    Receive,
    /// The envelope passed the signature review.
    Accept,
    /// The voter must do something; the batch says what.
    NeedsAttention,
    /// The Postal Service brought the outbound packet back.
    Undeliverable,
    /// Only look what stands in the ledger.
    Lookup,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 5] =
        [Self::Receive, Self::Accept, Self::NeedsAttention, Self::Undeliverable, Self::Lookup];

    /// The name in the configuration and in events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Accept => "accept",
            Self::NeedsAttention => "needs_attention",
            Self::Undeliverable => "undeliverable",
            Self::Lookup => "lookup",
        }
    }

    /// The mode of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// How the envelopes of a batch came into the building.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceivedBy {
    /// The Postal Service brought them.
    #[default]
    Mail,
    /// They lay in a drop box.
    DropBox,
    /// Voters handed them over.
    InPerson,
    /// Another way.
    Other,
}

impl ReceivedBy {
    /// Every way.
    pub const ALL: [Self; 4] = [Self::Mail, Self::DropBox, Self::InPerson, Self::Other];

    /// The name on the command line and in events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::DropBox => "drop_box",
            Self::InPerson => "in_person",
            Self::Other => "other",
        }
    }

    /// The way of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.name() == name)
    }
}

/// What a scan in some mode does to a ballot of some status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// The status changes to this.
    To(Status),
    /// It stands there already, or further.
    Already,
    /// It was voided; nothing brings it back but a supervisor.
    Voided,
    /// The rules do not allow it from here.
    Refused,
    /// Nothing is asked to change.
    Look,
}

/// The table of what scans do: one paragraph a mode.
#[expect(clippy::match_same_arms, reason = "the table is read mode by mode")]
pub const fn scan_move(mode: Mode, from: Status) -> Move {
    use Status::{Accepted, Issued, Mailed, NeedsAttention, Received, Undeliverable};
    match (mode, from) {
        (Mode::Lookup, _) => Move::Look,
        (_, Status::Voided) => Move::Voided,

        (Mode::Receive, Issued | Mailed | Undeliverable) => Move::To(Received),
        (Mode::Receive, _) => Move::Already,

        (Mode::Accept, Received | NeedsAttention) => Move::To(Accepted),
        (Mode::Accept, Accepted) => Move::Already,
        (Mode::Accept, _) => Move::Refused,

        (Mode::NeedsAttention, Received) => Move::To(NeedsAttention),
        (Mode::NeedsAttention, NeedsAttention) => Move::Already,
        (Mode::NeedsAttention, _) => Move::Refused,

        (Mode::Undeliverable, Issued | Mailed) => Move::To(Undeliverable),
        (Mode::Undeliverable, Undeliverable) => Move::Already,
        (Mode::Undeliverable, _) => Move::Refused,
    }
}

/// Whether a line of a mail ballot file may move a ballot: forward only, for the file is older than the scans of the day, and
/// never out of a status that two people must agree to leave.
pub const fn import_moves(from: Status, to: Status) -> bool {
    use Status::{Accepted, Issued, Mailed, NeedsAttention, Received, Rejected, Undeliverable};
    match to {
        Issued => false,
        Mailed => matches!(from, Issued),
        Undeliverable => matches!(from, Issued | Mailed),
        Received => from.is_open(),
        NeedsAttention => from.is_open() || matches!(from, Received),
        Accepted | Rejected | Status::Voided => {
            from.is_open() || matches!(from, Received | NeedsAttention)
        }
    }
}

/// What `ballot set` may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetMove {
    /// A step that a scan could have made, or a voiding: news of its own.
    Forward,
    /// A step that says the last change was wrong; its event names the one it corrects.
    Correction,
    /// It stands there already.
    Same,
    /// Leaving `accepted`, `rejected` or `voided` takes two people.
    TakesTwo,
}

/// Judges a supervisor's move of a ballot by hand.
pub const fn set_move(from: Status, to: Status) -> SetMove {
    if from.number() == to.number() {
        return SetMove::Same;
    }
    match from {
        Status::Accepted | Status::Rejected | Status::Voided => SetMove::TakesTwo,
        _ if import_moves(from, to) => SetMove::Forward,
        _ => SetMove::Correction,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_lead_back_to_their_status() {
        for status in Status::ALL {
            assert_eq!(Status::from_name(status.name()), Some(status));
            assert_eq!(Status::from_number(i64::from(status.number())), Some(status));
        }
        assert_eq!(Status::from_number(8), None);
        assert_eq!(Status::from_number(-1), None);
    }

    #[test]
    fn a_scan_moves_exactly_what_the_design_says() {
        use Status::{Accepted, Issued, Mailed, NeedsAttention, Received, Undeliverable};
        let moves = |mode| {
            Status::ALL
                .into_iter()
                .filter_map(|from| match scan_move(mode, from) {
                    Move::To(to) => Some((from, to)),
                    _ => None,
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(
            moves(Mode::Receive),
            [(Issued, Received), (Mailed, Received), (Undeliverable, Received)]
        );
        assert_eq!(moves(Mode::Accept), [(Received, Accepted), (NeedsAttention, Accepted)]);
        assert_eq!(moves(Mode::NeedsAttention), [(Received, NeedsAttention)]);
        assert_eq!(moves(Mode::Undeliverable), [(Issued, Undeliverable), (Mailed, Undeliverable)]);
        assert_eq!(moves(Mode::Lookup), []);
    }

    #[test]
    fn no_mode_brings_back_a_voided_ballot() {
        for mode in Mode::ALL.into_iter().filter(|mode| *mode != Mode::Lookup) {
            assert_eq!(scan_move(mode, Status::Voided), Move::Voided);
        }
    }

    #[test]
    fn a_file_never_moves_a_ballot_back() {
        for from in Status::ALL {
            for to in Status::ALL.into_iter().filter(|to| import_moves(from, *to)) {
                assert!(!import_moves(to, from), "{from} and {to} would go round for ever");
            }
        }
    }

    #[test]
    fn two_people_are_needed_to_leave_a_decision() {
        for from in [Status::Accepted, Status::Rejected, Status::Voided] {
            for to in Status::ALL.into_iter().filter(|to| *to != from) {
                assert_eq!(set_move(from, to), SetMove::TakesTwo);
                assert!(!import_moves(from, to));
            }
        }
        assert_eq!(set_move(Status::Received, Status::Mailed), SetMove::Correction);
        assert_eq!(set_move(Status::Received, Status::Accepted), SetMove::Forward);
    }

    #[test]
    fn an_id_is_visible_ascii_of_bounded_length() {
        assert_eq!(BallotId::new(""), Err(IdError::Empty));
        assert_eq!(BallotId::new("12 3"), Err(IdError::Character(' ')));
        assert_eq!(BallotId::new("12\u{1b}[2J"), Err(IdError::Character('\u{1b}')));
        assert_eq!(BallotId::new(&"9".repeat(65)), Err(IdError::TooLong(65)));
        assert_eq!(BallotId::new("000000001").map(|id| id.to_string()), Ok("000000001".to_owned()));
    }
}
