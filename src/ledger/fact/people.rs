//! Events about the people who work with the ledger: who they are, and what takes two of them.

use crate::ballot::{BallotId, ElectionId, Status};
use serde::{Deserialize, Serialize};

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// The operator who signed in; else the operating system's user; `station` where nobody asked.
    pub by: String,
    /// The operating system's user, where `by` is an operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_user: Option<String>,
}

impl Who {
    /// The station itself: nobody asked.
    pub fn station() -> Self {
        Self::os_user("station".to_owned())
    }

    /// A user of the operating system, who signed in as nobody.
    pub const fn os_user(name: String) -> Self {
        Self { by: name, os_user: None }
    }

    /// Who it was, for people: nobody takes a user of the operating system for the operator of that name.
    pub fn in_words(&self) -> String {
        let by = &self.by;
        match &self.os_user {
            Some(os_user) => format!("{by} (signed in by user {os_user})"),
            None if *self == Self::station() => "the station".to_owned(),
            None => format!("user {by}"),
        }
    }
}

/// What an operator may do; each may do what those before may, but for the auditor, who only reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads everything and changes nothing.
    Auditor,
    /// Opens and closes batches, scans, takes the last scan back.
    Clerk,
    /// Sets ballots, opens batches that were received earlier, proposes and confirms what takes two.
    Supervisor,
    /// Adds and disables operators.
    Administrator,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Auditor, Self::Clerk, Self::Supervisor, Self::Administrator];

    /// The name on the command line and in the ledger.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auditor => "auditor",
            Self::Clerk => "clerk",
            Self::Supervisor => "supervisor",
            Self::Administrator => "administrator",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// Somebody who asks for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who it is.
    pub who: Who,
    /// What they may do, once they signed in as an operator.
    pub role: Option<Role>,
}

impl Person {
    /// A user of the operating system, who signed in as nobody.
    pub const fn os_user(name: String) -> Self {
        Self { who: Who::os_user(name), role: None }
    }

    /// Whether this is an operator who may do what that role may; an auditor only reads.
    pub fn may(&self, role: Role) -> bool {
        self.role.is_some_and(|own| own >= role)
    }
}

/// An operator, from here on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::ledger) struct OperatorAdded {
    /// Their name.
    pub operator: String,
    /// What they may do.
    pub role: Role,
    /// Argon2id hash of the password, in the PHC string format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// HMAC-SHA256 of the badge's code under the station's key; hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub badge: Option<String>,
    /// Who added them.
    #[serde(flatten)]
    pub who: Who,
}

/// What was done about the tokens with which an operator's own programs read the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum TokenAct {
    /// One was made.
    Made,
    /// All that there were ended.
    Revoked {
        /// How many; none where they had ended before, and that was not written down.
        n: u32,
    },
}

/// What one operator proposes and another must confirm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum TwoPersonAct {
    /// A ballot leaves `accepted`, `rejected` or `voided`.
    SetBallot {
        /// The ballot's election.
        election: ElectionId,
        /// The ballot.
        ballot: BallotId,
        /// Where it stood when this was proposed.
        from: Status,
        /// Where it shall stand.
        to: Status,
        /// Why.
        reason: String,
        /// Another ballot of the voter that may be counted beside this one then, as it was when this was proposed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        beside: Option<BallotId>,
    },
    /// All that a batch's scans moved is taken back.
    ReverseBatch {
        /// The batch's number.
        batch: u32,
        /// Why.
        reason: String,
    },
}

/// Somebody did what leaves no other event: signed in or out on a page, let a scanner scan again, printed the sheets once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// What: `sign_in`, `sign_out`, `acknowledge` or `print_sheets`.
    pub what: String,
    /// Of which scanner, where it was of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Who; the user of the operating system, or the place of the page, says where.
    #[serde(flatten)]
    pub who: Who,
}

/// Somebody was refused what they asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What they asked for: a command's name, or a page's path.
    pub what: String,
    /// Why they did not get it, in words; at most 300 bytes.
    pub why: String,
    /// How many refusals of operators, or of others, before it have no event: a minute has twenty of each at most.
    #[serde(default, skip_serializing_if = "is_none")]
    pub left_out: u32,
    /// Who asked; the user of the operating system, or the place of the page, says where.
    #[serde(flatten)]
    pub who: Who,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn is_none(n: &u32) -> bool {
    *n == 0
}

/// What came of a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::ledger) struct Decided {
    /// Row number of the proposal.
    pub proposal: i64,
    /// Whether it is done; the events before this one in the same transaction did it.
    pub decision: Decision,
    /// Who decided.
    #[serde(flatten)]
    pub who: Who,
}

/// What the second person says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It is right: it is done now.
    Confirmed,
    /// It is not: nothing is done. Whoever proposed may say so too.
    Declined,
}
