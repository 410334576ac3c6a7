//! What a station and a notification relay say to each other: event types and signing.
//!
//! A change of a ballot's status travels as a [`ChangeEvent`], and the signed head of a station's ledger as a
//! [`CheckpointEvent`]: each a `CloudEvents` 1.0 JSON object, in a `POST` whose three headers sign it as Standard Webhooks
//! 1.0.0 says. `fixtures/` holds what receivers were built against; a test keeps it so.

mod checkpoint;
mod event;
mod signing;

pub use checkpoint::CheckpointEvent;
pub use event::{CONTENT_TYPE, ChangeEvent, Method, ParseError, Status};
pub use signing::{
    HEADER_ID, HEADER_SIGNATURE, HEADER_TIMESTAMP, SIGNATURES_MAX, Secret, SecretError, Signed,
    TIMESTAMP_TOLERANCE_SECONDS, VerifyError, verify,
};

use serde_json::Value;

/// Anything that a station sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The status of a ballot changed.
    Change(ChangeEvent),
    /// The head of a ledger was signed.
    Checkpoint(CheckpointEvent),
}

impl Event {
    /// Reads a body by its type; what is no checkpoint is held for a change.
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        let value: Value = serde_json::from_slice(body).map_err(ParseError::Json)?;
        match value.as_object() {
            Some(members) if members.get("type").is_some_and(|t| t == checkpoint::TYPE) => {
                CheckpointEvent::read(members).map(Self::Checkpoint)
            }
            _ => ChangeEvent::parse(body).map(Self::Change),
        }
    }

    /// The event's id.
    pub fn id(&self) -> &str {
        match self {
            Self::Change(change) => &change.id,
            Self::Checkpoint(checkpoint) => &checkpoint.id,
        }
    }
}
