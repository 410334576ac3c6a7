//! The request to end a long piece of work early.

use super::BackupError;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded, never};
use std::convert::Infallible;
use std::time::Duration;

/// Seen by whoever works long: it is asked for once the other end is dropped.
#[derive(Debug, Clone)]
pub struct Stop(Receiver<Infallible>);

impl Stop {
    /// Nobody asks.
    pub fn never() -> Self {
        Self(never())
    }

    /// One that is asked for by dropping the other end.
    pub(super) fn channel() -> (Sender<Infallible>, Self) {
        let (asking, asked) = bounded(1);
        (asking, Self(asked))
    }

    /// An error once it is asked for.
    pub(super) fn check(&self) -> Result<(), BackupError> {
        match self.0.try_recv() {
            Err(TryRecvError::Disconnected) => Err(BackupError::Stopped),
            Err(TryRecvError::Empty) => Ok(()),
            Ok(never) => match never {},
        }
    }

    /// Leaves the disk to others for a while.
    pub(super) fn rest(&self, while_: Duration) -> Result<(), BackupError> {
        match self.0.recv_timeout(while_) {
            Err(RecvTimeoutError::Disconnected) => Err(BackupError::Stopped),
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Ok(never) => match never {},
        }
    }
}
