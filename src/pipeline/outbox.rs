//! The forwarder's way to the ledger.

use crate::delivery::{Answer, Delivery};
use crate::forward::{Outbox, Wake};
use crate::ledger::{Ledger, News, Request, Unsent};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::sleep;

/// Between two attempts to hand the ledger what found its queue full.
const SEND_AGAIN: Duration = Duration::from_millis(5);

/// The outbox of the ledger.
#[derive(Debug)]
pub struct LedgerOutbox {
    ledger: Ledger,
    news: News,
}

impl LedgerOutbox {
    /// The outbox of this ledger.
    pub fn new(ledger: Ledger) -> Self {
        Self { news: ledger.news(), ledger }
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        let mut request = request(reply);
        loop {
            match self.ledger.try_send(request) {
                Ok(()) => return answer.await.ok(),
                Err(Unsent::Full(again)) => request = *again,
                Err(Unsent::Closed) => return None,
            }
            sleep(SEND_AGAIN).await;
        }
    }
}

impl Outbox for LedgerOutbox {
    async fn claim(&mut self, max: usize) -> Option<Vec<Delivery>> {
        // No answer: the ledger could not be read. It will be.
        Some(self.ask(|reply| Request::Claim { max, reply }).await.unwrap_or_default())
    }

    async fn settle(&mut self, settled: Vec<(i64, Answer)>) -> Option<()> {
        // Not recorded: these are owed still, and the relay knows their ids.
        if self.ask(|reply| Request::Settle { settled, reply }).await.is_none() {
            self.news.owed.notify_one();
        }
        Some(())
    }

    async fn changed(&mut self) -> Wake {
        tokio::select! {
            () = self.news.owed.notified() => Wake::Owed,
            () = self.news.retry.notified() => Wake::Retry,
        }
    }
}
