//! The words of what voters are told: kinds of notices, channels, and which change of a ballot is which news.

use relay_wire::Status;
use std::fmt;

/// The reason of a ballot that was voided because its voter voted in person.
pub const VOTED_IN_PERSON: &str = "voted_in_person";

macro_rules! names {
    ($(#[$type_doc:meta])* $type:ident { $($(#[$doc:meta])* $name:ident = $text:literal,)* }) => {
        $(#[$type_doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $type {
            $($(#[$doc])* $name,)*
        }

        impl $type {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name in the store and in files.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The one of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

names! {
    /// What a notice is about.
    Kind {
        /// The ballot was mailed to the voter.
        Mailed = "mailed",
        /// The Postal Service has it on its way to the voter.
        OnItsWay = "on_its_way",
        /// The Postal Service has it on its way back.
        OnItsWayBack = "on_its_way_back",
        /// Its envelope is in the building; no more is known.
        Received = "received",
        /// The envelope passed the signature review.
        Accepted = "accepted",
        /// The voter must do something.
        NeedsAttention = "needs_attention",
        /// It will not be counted.
        Rejected = "rejected",
        /// It came back undeliverable.
        Undeliverable = "undeliverable",
        /// It no longer counts: replaced, cancelled.
        Voided = "voided",
        /// What was said before was wrong.
        Correction = "correction",
        /// The office reminds those whose ballot is not back yet.
        Reminder = "reminder",
        /// The office takes back a reminder.
        Retraction = "retraction",
        /// A one-time code.
        Code = "code",
        /// Asks whether texts are wanted: to be answered with YES.
        Confirm = "confirm",
        /// Texts are wanted now.
        Confirmed = "confirmed",
        /// Texts are no longer wanted.
        Stopped = "stopped",
        /// Who this is, and how to stop.
        Help = "help",
    }
}

names! {
    /// By which way.
    Channel {
        /// E-mail.
        Email = "email",
        /// Text message.
        Text = "text",
        /// Phone call.
        Voice = "voice",
    }
}

impl Kind {
    /// The kinds among which a voter chooses.
    pub const CHOICES: [Self; 10] = [
        Self::Mailed,
        Self::OnItsWay,
        Self::OnItsWayBack,
        Self::Received,
        Self::Accepted,
        Self::NeedsAttention,
        Self::Rejected,
        Self::Undeliverable,
        Self::Voided,
        Self::Reminder,
    ];

    /// Whether it answers what the voter did just now: it is wanted at once, at any hour.
    pub const fn is_answer(self) -> bool {
        matches!(self, Self::Code | Self::Confirm | Self::Confirmed | Self::Stopped | Self::Help)
    }

    /// Whether it speaks of a ballot of the voter's.
    pub const fn is_about_a_ballot(self) -> bool {
        !self.is_answer() && !matches!(self, Self::Reminder | Self::Retraction)
    }

    /// What the change of a ballot is news of, if voters hear of it.
    pub fn of(status: Status, reason: Option<&str>) -> Option<Self> {
        Some(match status {
            Status::Issued => return None,
            Status::Mailed => Self::Mailed,
            Status::Received => Self::Received,
            Status::Accepted => Self::Accepted,
            Status::NeedsAttention => Self::NeedsAttention,
            Status::Rejected => Self::Rejected,
            Status::Undeliverable => Self::Undeliverable,
            // The ballot that counts is another one; nothing about mail is said any more.
            Status::Voided if reason == Some(VOTED_IN_PERSON) => return None,
            Status::Voided => Self::Voided,
        })
    }
}

/// How far along a status is, so that a file that lags behind takes nothing back.
pub fn rank(status: &str) -> u8 {
    match status {
        "mailed" => 1,
        "on_its_way" => 2,
        "undeliverable" => 3,
        "on_its_way_back" => 4,
        "received" => 5,
        "needs_attention" => 6,
        "accepted" | "rejected" => 7,
        "voided" => 8,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_of_a_ballot_whose_voter_voted_in_person() {
        assert_eq!(Kind::of(Status::Voided, Some(VOTED_IN_PERSON)), None);
        assert_eq!(Kind::of(Status::Voided, Some("replaced")), Some(Kind::Voided));
        assert_eq!(Kind::of(Status::Issued, None), None);
    }

    #[test]
    fn names_lead_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(*kind));
        }
        for status in Status::ALL {
            assert!(*status == Status::Issued || rank(status.name()) > 0, "{status}");
        }
    }
}
