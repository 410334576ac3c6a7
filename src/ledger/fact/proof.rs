//! Events that make the chain provable elsewhere.

use serde::{Deserialize, Serialize};

/// The station signed the head of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::ledger) struct Checkpointed {
    /// Row number of the last event that it covers.
    pub of: i64,
    /// The signed note: origin, row number and hash of that event, and the signature.
    pub note: String,
    /// Why it was made.
    pub why: Why,
}

/// Why a checkpoint is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// A batch was closed or reversed.
    Batch,
    /// A day has passed.
    Daily,
    /// Somebody asked.
    Asked,
}
