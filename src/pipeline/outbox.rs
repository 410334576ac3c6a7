//! The forwarder's way to the ledger, and the witness's.

use crate::delivery::{Answer, Delivery, Unwitnessed};
use crate::forward::{Checkpoints, Outbox, Wake};
use crate::ledger::{Ledger, News, ProofRequest, Reply, Request, Unsent};
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
        ask(&self.ledger, request).await
    }
}

async fn ask<T>(ledger: &Ledger, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
    let (reply, answer) = oneshot::channel();
    let mut request = request(reply);
    loop {
        match ledger.try_send(request) {
            Ok(()) => return answer.await.ok(),
            Err(Unsent::Full(again)) => request = *again,
            Err(Unsent::Closed) => return None,
        }
        sleep(SEND_AGAIN).await;
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

/// The checkpoints of the ledger.
#[derive(Debug)]
pub struct LedgerCheckpoints {
    ledger: Ledger,
    news: News,
}

impl LedgerCheckpoints {
    /// The checkpoints of this ledger.
    pub fn new(ledger: Ledger) -> Self {
        Self { news: ledger.news(), ledger }
    }
}

impl Checkpoints for LedgerCheckpoints {
    async fn unwitnessed(&mut self) -> Unwitnessed {
        let request = |reply| Request::Proof(ProofRequest::Unwitnessed(Reply::to(reply)));
        // No answer: the ledger cannot be written. It will be.
        ask(&self.ledger, request).await.and_then(Result::ok).unwrap_or(Unwitnessed::Later)
    }

    async fn witnessed(&mut self, seq: i64) {
        let request =
            |reply| Request::Proof(ProofRequest::Witnessed { seq, reply: Reply::to(reply) });
        // Not recorded: it is sent again, and the relay knows its id.
        if ask(&self.ledger, request).await.is_none_or(|recorded| recorded.is_err()) {
            self.news.checkpointed.notify_one();
        }
    }

    async fn changed(&mut self) {
        self.news.checkpointed.notified().await;
    }
}
