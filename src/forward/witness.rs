//! Witnessing: the relay keeps the newest checkpoint of the ledger, so that whoever cuts or rewrites the ledger is found out.
//!
//! It goes beside the ballots' changes and after them, on its own: whatever the relay answers to a checkpoint holds up no change
//! and sets none aside. A checkpoint that is refused is not sent again; the next one is. One attempt is in hand at a time.

use super::Deliver;
use crate::clock::Clock;
use crate::delivery::{Answer, Delivery, Unwitnessed};
use crate::event::LogEvent;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Between two questions whether the ballots' changes are through.
const LATER: Duration = Duration::from_mins(1);

/// Between two attempts while the relay is away.
const AWAY: Duration = Duration::from_mins(5);

/// The longest that the relay may ask us to wait.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

/// Where checkpoints come from: the ledger, or a test's double.
pub trait Checkpoints: Send {
    /// The newest one that the relay does not keep.
    fn unwitnessed(&mut self) -> impl Future<Output = Unwitnessed> + Send;

    /// Records that the relay keeps the one of that row.
    fn witnessed(&mut self, seq: i64) -> impl Future<Output = ()> + Send;

    /// Waits for a new one. Safe to drop before it is done.
    fn changed(&mut self) -> impl Future<Output = ()> + Send;
}

/// Has the relay witness every checkpoint, until `shutdown` completes. What had no answer by then is sent again after the start.
pub async fn witness(
    mut checkpoints: impl Checkpoints,
    relay: impl Deliver,
    clock: Arc<dyn Clock>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let mut shutdown = pin!(shutdown);
    let mut refused = None;
    loop {
        let round = async {
            let wait = ask(&mut checkpoints, &relay, &*clock, &mut refused).await;
            tokio::select! {
                () = checkpoints.changed() => {}
                () = until(wait) => {}
            }
        };
        tokio::select! {
            biased;
            () = &mut shutdown => return,
            () = round => {}
        }
    }
}

/// Sends what there is to send; how long to wait for the next time, if not for a new checkpoint.
async fn ask(
    checkpoints: &mut impl Checkpoints,
    relay: &impl Deliver,
    clock: &dyn Clock,
    refused: &mut Option<i64>,
) -> Option<Duration> {
    let delivery = match checkpoints.unwitnessed().await {
        Unwitnessed::Nothing => return None,
        Unwitnessed::Later => return Some(LATER),
        Unwitnessed::Send(delivery) if *refused == Some(delivery.seq) => return None,
        Unwitnessed::Send(delivery) => delivery,
    };
    let seq = delivery.seq;
    match attempt(relay.clone(), delivery, clock).await {
        Answer::Delivered => {
            checkpoints.witnessed(seq).await;
            None
        }
        Answer::ChangeRefused { why } | Answer::RelayGone { why } => {
            let event = LogEvent::CheckpointRefused;
            tracing::warn!(event = event.name(), seq, why, "{}", event.meaning());
            *refused = Some(seq);
            None
        }
        Answer::RelayAway { why, retry_after } => {
            // That the relay is away is said where the changes are sent.
            tracing::debug!(seq, why, "A checkpoint waits for the relay.");
            Some(retry_after.unwrap_or_default().clamp(AWAY, RETRY_AFTER_MAX))
        }
    }
}

/// A panic of the HTTP client costs one attempt.
async fn attempt(relay: impl Deliver, delivery: Delivery, clock: &dyn Clock) -> Answer {
    let now = clock.now();
    let attempt = tokio::spawn(async move { relay.deliver(&delivery, now).await });
    attempt.await.unwrap_or_else(|_panic| {
        let why = "the attempt ended in a panic".to_owned();
        Answer::RelayAway { why, retry_after: None }
    })
}

async fn until(wait: Option<Duration>) {
    match wait {
        Some(wait) => sleep(wait).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, Micros};
    use std::collections::VecDeque;
    use tokio::sync::mpsc;
    use tokio::time::{Instant, sleep_until};

    const DAY: Duration = Duration::from_hours(24);

    /// Checkpoints that come one after the other; ballots' changes are owed until a moment.
    struct Shelf {
        newest: Option<i64>,
        news: VecDeque<(Duration, i64)>,
        owing_until: Duration,
        started: Instant,
        kept: mpsc::Sender<i64>,
    }

    impl Checkpoints for Shelf {
        async fn unwitnessed(&mut self) -> Unwitnessed {
            match self.newest {
                None => Unwitnessed::Nothing,
                Some(_) if self.started.elapsed() < self.owing_until => Unwitnessed::Later,
                Some(seq) => Unwitnessed::Send(Delivery {
                    seq,
                    id: seq.to_string(),
                    body: String::new(),
                    attempts: 0,
                }),
            }
        }

        async fn witnessed(&mut self, seq: i64) {
            self.kept.send(seq).await.unwrap();
            self.newest = self.newest.filter(|newest| *newest != seq);
        }

        async fn changed(&mut self) {
            let Some((at, seq)) = self.news.front().copied() else {
                return std::future::pending().await;
            };
            sleep_until(self.started + at).await;
            self.news.pop_front();
            self.newest = Some(seq);
        }
    }

    type Manner = fn(&str, Duration) -> Answer;

    #[derive(Clone)]
    struct Scripted {
        manner: Manner,
        started: Instant,
        sent: mpsc::Sender<(Duration, String)>,
    }

    impl Deliver for Scripted {
        async fn deliver(&self, delivery: &Delivery, _: Micros) -> Answer {
            let at = self.started.elapsed();
            self.sent.send((at, delivery.id.clone())).await.unwrap();
            (self.manner)(&delivery.id, at)
        }
    }

    /// What was sent, at which second, and what the relay keeps.
    async fn day(
        news: &[(u64, i64)],
        owing_until: u64,
        manner: Manner,
    ) -> (Vec<(u64, String)>, Vec<i64>) {
        let (kept, mut kept_rx) = mpsc::channel(100);
        let (sent, mut sent_rx) = mpsc::channel(1_000);
        let started = Instant::now();
        let shelf = Shelf {
            newest: None,
            news: news.iter().map(|(at, seq)| (Duration::from_secs(*at), *seq)).collect(),
            owing_until: Duration::from_secs(owing_until),
            started,
            kept,
        };
        let relay = Scripted { manner, started, sent };
        witness(shelf, relay, Arc::new(ManualClock::new(Micros(0))), sleep(DAY)).await;
        let sent = std::iter::from_fn(|| sent_rx.try_recv().ok());
        let sent = sent.map(|(at, id)| (at.as_secs(), id)).collect();
        (sent, std::iter::from_fn(|| kept_rx.try_recv().ok()).collect())
    }

    fn sends(of: &[(u64, &str)]) -> Vec<(u64, String)> {
        of.iter().map(|(at, id)| (*at, (*id).to_owned())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn each_new_checkpoint_is_witnessed_once() {
        let (sent, kept) = day(&[(5, 7), (9, 11)], 0, |_, _| Answer::Delivered).await;
        assert_eq!((sent, kept), (sends(&[(5, "7"), (9, "11")]), vec![7, 11]));
    }

    #[tokio::test(start_paused = true)]
    async fn ballots_changes_go_first() {
        let (sent, kept) = day(&[(5, 7)], 100, |_, _| Answer::Delivered).await;
        assert_eq!((sent, kept), (sends(&[(125, "7")]), vec![7]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_checkpoint_is_not_sent_again_and_the_next_one_is() {
        let (sent, kept) = day(&[(5, 7), (500, 11)], 0, |id, _| match id {
            "7" => Answer::ChangeRefused { why: "422".to_owned() },
            _ => Answer::Delivered,
        })
        .await;
        assert_eq!((sent, kept), (sends(&[(5, "7"), (500, "11")]), vec![11]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_relay_that_is_away_is_asked_every_five_minutes() {
        let (sent, kept) = day(&[(0, 7)], 0, |_, at| match at.as_secs() {
            0..600 => Answer::RelayAway { why: "503".to_owned(), retry_after: None },
            _ => Answer::Delivered,
        })
        .await;
        assert_eq!((sent, kept), (sends(&[(0, "7"), (300, "7"), (600, "7")]), vec![7]));
    }
}
