//! Commands about batches.

use super::{Answer, read, refused};
use crate::ledger::{BatchRequest, ClosedBatch, Closing, NewBatch, NotBatched, OpenBatch, Person};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// What somebody wants done with a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum BatchCommand {
    /// `batch open`.
    Open(NewBatch),
    /// `batch close`.
    Close(Closing),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "done", rename_all = "snake_case")]
pub enum BatchAnswer {
    /// It is open: scans go to it.
    Opened(OpenBatch),
    /// It is closed.
    Closed(ClosedBatch),
}

impl BatchCommand {
    /// What it asks of the ledger, whose answer goes to `reply`.
    pub(super) fn asked(self, person: Person, reply: oneshot::Sender<Answer>) -> BatchRequest {
        match self {
            Self::Open(wanted) => {
                let reply = read(reply, |opened| answer(opened, BatchAnswer::Opened));
                BatchRequest::Open { wanted, person, reply }
            }
            Self::Close(closing) => {
                let reply = read(reply, |closed| answer(closed, BatchAnswer::Closed));
                BatchRequest::Close { closing, person, reply }
            }
        }
    }
}

fn answer<T>(outcome: Result<T, NotBatched>, done: impl FnOnce(T) -> BatchAnswer) -> Answer {
    match outcome {
        Ok(batch) => Answer::Batch(done(batch)),
        Err(why) => refused(&why),
    }
}
