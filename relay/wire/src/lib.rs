//! What a station and a notification relay say to each other: event types and signing.
//!
//! A change of a ballot's status travels as a [`ChangeEvent`], which is a `CloudEvents` 1.0 JSON object, in a `POST` whose three
//! headers sign it as Standard Webhooks 1.0.0 says. `fixtures/` holds what receivers were built against; a test keeps it so.

mod event;
mod signing;

pub use event::{CONTENT_TYPE, ChangeEvent, Method, ParseError, Status};
pub use signing::{
    HEADER_ID, HEADER_SIGNATURE, HEADER_TIMESTAMP, SIGNATURES_MAX, Secret, SecretError, Signed,
    TIMESTAMP_TOLERANCE_SECONDS, VerifyError, verify,
};
