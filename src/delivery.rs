//! What is owed to the notification relay, and what the relay answers.

use std::time::Duration;

/// One change of a ballot's status, on its way to the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The number of the change's event in the ledger, under which the answer is settled.
    pub seq: i64,
    /// The change's event id, the same at every attempt: `webhook-id`.
    pub id: String,
    /// What is sent, the same at every attempt.
    pub body: String,
    /// How many attempts were made before.
    pub attempts: u32,
}

/// What the relay has yet to witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unwitnessed {
    /// Nothing: it keeps the newest checkpoint.
    Nothing,
    /// A checkpoint, but ballots' changes are owed and go first.
    Later,
    /// This checkpoint, now.
    Send(Delivery),
}

/// What became of one attempt. A `why` is short and printable; of the relay's own text it holds no more than
/// [`crate::event::printable`] lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The relay has it.
    Delivered,
    /// The relay takes nothing now, or it is not known whether it took this: the same again, later.
    RelayAway {
        /// What was seen of it.
        why: String,
        /// How long the relay asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The relay takes others, but not this one: a supervisor must look.
    ChangeRefused {
        /// What the relay says.
        why: String,
    },
    /// The relay says that it is gone for good.
    RelayGone {
        /// What the relay says.
        why: String,
    },
}

impl Answer {
    /// Why it was not delivered.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Delivered => None,
            Self::RelayAway { why, retry_after: _ }
            | Self::ChangeRefused { why }
            | Self::RelayGone { why } => Some(why),
        }
    }
}
