//! Forwarding: what the ledger owes the notification relay leaves the station.
//!
//! At least once, each ballot's in order, under one id for all attempts, through any outage; nothing is given up. The ledger
//! decides what is owed and keeps the attempts, so nothing here outlives the process: what had no answer when the station stopped
//! is sent again. At most eight (`CONCURRENT`) attempts are in hand, each bounded by [`Timeouts`]; while the relay is away
//! it is one, at most every five minutes, and between two of them nothing runs. An answer is settled in the ledger before the
//! ballot's next change may be claimed. No event of the log carries a body.

mod relay;
mod schedule;
mod witness;

pub use relay::{Relay, RelayError, Timeouts, can_show, shown};
pub use witness::{Checkpoints, witness};

use crate::clock::{Clock, Micros};
use crate::delivery::{Answer, Delivery};
use crate::event::LogEvent;
use schedule::{Moment, Schedule, Turn};
use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

/// How long attempts in hand may go on when the station stops.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// Where deliveries come from and answers go: the ledger, or a test's double.
pub trait Outbox: Send {
    /// Up to `max` deliveries, the oldest first: at most one of a ballot, none of a ballot that has one in hand or set aside.
    /// Each is in hand until it is settled. Nothing when the ledger is closed.
    fn claim(&mut self, max: usize) -> impl Future<Output = Option<Vec<Delivery>>> + Send;

    /// Records answers under their [`Delivery::seq`]; durable when it returns. Nothing when the ledger is closed.
    fn settle(&mut self, settled: Vec<(i64, Answer)>) -> impl Future<Output = Option<()>> + Send;

    /// Waits for news since the last call: it must not report the same twice. Safe to drop before it is done.
    fn changed(&mut self) -> impl Future<Output = Wake> + Send;
}

/// News from the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Something may have become owed.
    Owed,
    /// Somebody wants the relay to be asked now.
    Retry,
    /// The ledger is closed.
    Closed,
}

/// What carries a delivery: [`Relay`], or a test's double.
pub trait Deliver: Clone + Send + Sync + 'static {
    /// Makes one attempt, signed as of `now`.
    fn deliver(&self, delivery: &Delivery, now: Micros) -> impl Future<Output = Answer> + Send;
}

/// Why forwarding ended unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    /// The ledger closed before the forwarder was asked to stop. What is owed stays owed.
    #[error("the ledger is closed while changes are forwarded")]
    LedgerClosed,
}

/// Forwards until `shutdown` completes, then lets attempts in hand finish for up to five seconds. `random` draws evenly from
/// all of its numbers. The clock dates the signatures; waiting is on the runtime's own time, which no one can set back.
pub async fn run(
    mut outbox: impl Outbox,
    relay: impl Deliver,
    clock: Arc<dyn Clock>,
    random: impl FnMut() -> u64 + Send,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ForwardError> {
    let mut forward = Forward {
        relay,
        clock,
        random,
        started: Instant::now(),
        schedule: Schedule::default(),
        attempts: Attempts::default(),
        claimable: Claimable::Perhaps,
    };
    let mut shutdown = pin!(shutdown);
    loop {
        forward.claim(&mut outbox).await?;
        match forward.next(&mut outbox, shutdown.as_mut()).await {
            Happened::Answered(first) => forward.settle(&mut outbox, first).await?,
            Happened::Woken(Wake::Owed) => forward.claimable = Claimable::Perhaps,
            Happened::Woken(Wake::Retry) => {
                forward.claimable = Claimable::Perhaps;
                forward.schedule.retry(forward.clock.now());
            }
            Happened::Woken(Wake::Closed) => return Err(ForwardError::LedgerClosed),
            Happened::ProbeDue => {}
            Happened::Stopped => return forward.finish(&mut outbox).await,
        }
    }
}

struct Forward<R, D> {
    relay: R,
    clock: Arc<dyn Clock>,
    random: D,
    started: Instant,
    schedule: Schedule,
    attempts: Attempts,
    claimable: Claimable,
}

/// Whether it is worth asking the outbox. Without this an empty one would be asked in a circle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claimable {
    /// Nothing until there is news.
    Nothing,
    /// There was news.
    Perhaps,
}

enum Happened {
    Answered((i64, Answer)),
    Woken(Wake),
    ProbeDue,
    Stopped,
}

impl<R: Deliver, D: FnMut() -> u64 + Send> Forward<R, D> {
    /// Starts as many attempts as there is room for.
    async fn claim(&mut self, outbox: &mut impl Outbox) -> Result<(), ForwardError> {
        let room = self.schedule.room(self.attempts.len(), self.started.elapsed());
        if room == 0 || self.claimable == Claimable::Nothing {
            return Ok(());
        }
        let claimed = outbox.claim(room).await.ok_or(ForwardError::LedgerClosed)?;
        if claimed.len() < room {
            self.claimable = Claimable::Nothing;
        }
        for delivery in claimed {
            self.schedule.started();
            let (relay, now) = (self.relay.clone(), self.clock.now());
            self.attempts.start(delivery.seq, async move { relay.deliver(&delivery, now).await });
        }
        Ok(())
    }

    async fn next(
        &mut self,
        outbox: &mut impl Outbox,
        shutdown: Pin<&mut (impl Future<Output = ()> + Send)>,
    ) -> Happened {
        let probe = match self.schedule.due() {
            Some(due) if self.attempts.len() == 0 && self.claimable == Claimable::Perhaps => {
                self.started.checked_add(due)
            }
            _ => None,
        };
        tokio::select! {
            biased;
            () = shutdown => Happened::Stopped,
            Some(first) = self.attempts.next() => Happened::Answered(first),
            wake = outbox.changed() => Happened::Woken(wake),
            () = until(probe) => Happened::ProbeDue,
        }
    }

    /// Settles an answer and all that came with it: a burst costs the ledger one commit.
    async fn settle(
        &mut self,
        outbox: &mut impl Outbox,
        first: (i64, Answer),
    ) -> Result<(), ForwardError> {
        let mut settled = vec![first];
        settled.extend(std::iter::from_fn(|| self.attempts.try_next()));
        for (seq, answer) in &settled {
            self.note(*seq, answer);
        }
        // A ballot whose change is settled may have a next one.
        self.claimable = Claimable::Perhaps;
        outbox.settle(settled).await.ok_or(ForwardError::LedgerClosed)
    }

    fn note(&mut self, seq: i64, answer: &Answer) {
        let draw = (self.random)();
        let moment = Moment { now: self.clock.now(), at: self.started.elapsed(), draw };
        let why = answer.why().unwrap_or_default();
        if let Answer::ChangeRefused { .. } = answer {
            let event = LogEvent::DeliveryRefused;
            tracing::error!(event = event.name(), seq, why, "{}", event.meaning());
        }
        match self.schedule.answered(answer, moment) {
            None => {}
            Some(Turn::Away) => {
                let event = LogEvent::RelayAway;
                tracing::warn!(event = event.name(), why, "{}", event.meaning());
            }
            Some(Turn::Back { since }) => {
                let event = LogEvent::RelayBack;
                let since = since.rfc3339();
                tracing::info!(event = event.name(), away_since = since, "{}", event.meaning());
            }
            Some(Turn::Gone) => {
                let event = LogEvent::RelayGone;
                tracing::error!(event = event.name(), why, "{}", event.meaning());
            }
        }
    }

    /// Waits for the attempts in hand and settles what is known. The others stay owed.
    async fn finish(mut self, outbox: &mut impl Outbox) -> Result<(), ForwardError> {
        let mut settled = Vec::new();
        let all = timeout(SHUTDOWN_GRACE, async {
            while let Some(answered) = self.attempts.next().await {
                settled.push(answered);
            }
        });
        if all.await.is_err() {
            self.attempts.give_up().await;
        }
        if settled.is_empty() {
            return Ok(());
        }
        for (seq, answer) in &settled {
            self.note(*seq, answer);
        }
        outbox.settle(settled).await.ok_or(ForwardError::LedgerClosed)
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// The attempts in hand, each a task of its own.
#[derive(Default)]
struct Attempts {
    tasks: JoinSet<Answer>,
    seqs: HashMap<Id, i64>,
}

impl Attempts {
    fn len(&self) -> usize {
        self.tasks.len()
    }

    fn start(&mut self, seq: i64, attempt: impl Future<Output = Answer> + Send + 'static) {
        let task = self.tasks.spawn(attempt);
        self.seqs.insert(task.id(), seq);
    }

    /// The next answer; nothing when no attempt is in hand. Safe to drop before it is done.
    async fn next(&mut self) -> Option<(i64, Answer)> {
        let joined = self.tasks.join_next_with_id().await?;
        self.answered(joined)
    }

    fn try_next(&mut self) -> Option<(i64, Answer)> {
        let joined = self.tasks.try_join_next_with_id()?;
        self.answered(joined)
    }

    fn answered(
        &mut self,
        joined: Result<(Id, Answer), tokio::task::JoinError>,
    ) -> Option<(i64, Answer)> {
        let (id, answer) = match joined {
            Ok(answered) => answered,
            // A panic of the HTTP client costs one attempt, not the forwarder. Its message may quote the body.
            Err(error) => {
                let why = "the attempt ended in a panic".to_owned();
                (error.id(), Answer::RelayAway { why, retry_after: None })
            }
        };
        let seq = self.seqs.remove(&id);
        debug_assert!(seq.is_some(), "every task has its delivery");
        seq.map(|seq| (seq, answer))
    }

    async fn give_up(&mut self) {
        self.tasks.shutdown().await;
        self.seqs.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use std::collections::{HashSet, VecDeque};
    use tokio::sync::mpsc;

    const LOG_MAX: usize = 100_000;
    /// When the station stops, if a test does not say otherwise.
    const DAY: Duration = Duration::from_hours(24);

    /// What happened, and how long after the start.
    #[derive(Debug, Clone, PartialEq, Eq)]
    enum Seen {
        Claimed,
        Attempt(String),
        Settled(i64, Answer),
    }

    #[derive(Clone)]
    struct Log {
        tx: mpsc::Sender<(Duration, Seen)>,
        started: Instant,
    }

    impl Log {
        fn add(&self, seen: Seen) {
            self.tx.try_send((self.started.elapsed(), seen)).unwrap();
        }
    }

    /// What is owed, in memory. A delivery's id is `<ballot>-<n>`, its ballot the part before the hyphen.
    struct Shelf {
        owed: Vec<Delivery>,
        in_hand: HashSet<i64>,
        set_aside: HashSet<i64>,
        news: VecDeque<(Duration, Wake)>,
        dropped_at: Duration,
        open: bool,
        log: Log,
    }

    fn ballot(id: &str) -> &str {
        id.split('-').next().unwrap()
    }

    impl Outbox for Shelf {
        async fn claim(&mut self, max: usize) -> Option<Vec<Delivery>> {
            self.log.add(Seen::Claimed);
            if self.log.started.elapsed() >= self.dropped_at {
                self.owed.clear();
            }
            let mut ballots = HashSet::new();
            let mut claimed = Vec::new();
            for delivery in &self.owed {
                let is_first = ballots.insert(ballot(&delivery.id).to_owned());
                let waits =
                    self.in_hand.contains(&delivery.seq) || self.set_aside.contains(&delivery.seq);
                if is_first && !waits && claimed.len() < max {
                    claimed.push(delivery.clone());
                }
            }
            self.in_hand.extend(claimed.iter().map(|delivery| delivery.seq));
            self.open.then_some(claimed)
        }

        async fn settle(&mut self, settled: Vec<(i64, Answer)>) -> Option<()> {
            for (seq, answer) in settled {
                assert!(self.in_hand.remove(&seq), "{seq} was not in hand");
                match &answer {
                    Answer::Delivered => self.owed.retain(|delivery| delivery.seq != seq),
                    Answer::ChangeRefused { .. } => assert!(self.set_aside.insert(seq)),
                    Answer::RelayAway { .. } | Answer::RelayGone { .. } => {}
                }
                self.log.add(Seen::Settled(seq, answer));
            }
            self.open.then_some(())
        }

        async fn changed(&mut self) -> Wake {
            let Some((at, wake)) = self.news.front().copied() else {
                return std::future::pending().await;
            };
            sleep_until(self.log.started + at).await;
            self.news.pop_front();
            wake
        }
    }

    /// Answers as a function of the delivery and the time since the start, and how long that takes.
    type Manner = fn(&str, Duration) -> (Duration, Answer);

    #[derive(Clone)]
    struct Scripted {
        manner: Manner,
        log: Log,
    }

    impl Deliver for Scripted {
        async fn deliver(&self, delivery: &Delivery, _: Micros) -> Answer {
            assert_eq!(delivery.body, format!("body of {}", delivery.id));
            self.log.add(Seen::Attempt(delivery.id.clone()));
            let (takes, answer) = (self.manner)(&delivery.id, self.log.started.elapsed());
            tokio::time::sleep(takes).await;
            answer
        }
    }

    struct Case {
        owed: Vec<Delivery>,
        news: Vec<(Duration, Wake)>,
        manner: Manner,
        draw: u64,
        /// When a supervisor drops all that is owed.
        dropped_at: Duration,
        stop: Duration,
    }

    impl Case {
        fn new(ids: &[&str], manner: Manner) -> Self {
            let owed = ids.iter().zip(1..).map(|(id, seq)| owed(seq, id)).collect();
            Self { owed, news: Vec::new(), manner, draw: 0, dropped_at: DAY, stop: DAY }
        }

        async fn run(self) -> Vec<(Duration, Seen)> {
            let (tx, mut rx) = mpsc::channel(LOG_MAX);
            let log = Log { tx, started: Instant::now() };
            let outbox = Shelf {
                owed: self.owed,
                in_hand: HashSet::new(),
                set_aside: HashSet::new(),
                news: self.news.into(),
                dropped_at: self.dropped_at,
                open: true,
                log: log.clone(),
            };
            let relay = Scripted { manner: self.manner, log };
            let clock = Arc::new(ManualClock::new(Micros(0)));
            let stop = tokio::time::sleep(self.stop);
            // As the daemon does it, which takes a future that can be sent.
            let running = tokio::spawn(run(outbox, relay, clock, move || self.draw, stop));
            assert_eq!(running.await.unwrap(), Ok(()));
            std::iter::from_fn(|| rx.try_recv().ok()).collect()
        }
    }

    fn owed(seq: i64, id: &str) -> Delivery {
        Delivery { seq, id: id.to_owned(), body: format!("body of {id}"), attempts: 0 }
    }

    fn away() -> Answer {
        Answer::RelayAway { why: "500".to_owned(), retry_after: None }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn attempts(seen: &[(Duration, Seen)]) -> Vec<(Duration, &str)> {
        seen.iter()
            .filter_map(|(at, seen)| match seen {
                Seen::Attempt(id) => Some((*at, id.as_str())),
                Seen::Claimed | Seen::Settled(..) => None,
            })
            .collect()
    }

    fn delivered(seen: &[(Duration, Seen)]) -> Vec<i64> {
        seen.iter()
            .filter_map(|(_, seen)| match seen {
                Seen::Settled(seq, Answer::Delivered) => Some(*seq),
                _ => None,
            })
            .collect()
    }

    fn n_claims(seen: &[(Duration, Seen)]) -> usize {
        seen.iter().filter(|(_, seen)| *seen == Seen::Claimed).count()
    }

    #[tokio::test(start_paused = true)]
    async fn each_ballots_changes_go_in_order_and_ballots_side_by_side() {
        let case = Case::new(&["a-1", "a-2", "b-1", "a-3"], |_, _| (seconds(1), Answer::Delivered));
        let seen = case.run().await;
        let expected =
            [(0, "a-1"), (0, "b-1"), (1, "a-2"), (2, "a-3")].map(|(at, id)| (seconds(at), id));
        assert_eq!(attempts(&seen), expected);
        assert_eq!(delivered(&seen), [1, 3, 2, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_eight_are_in_hand() {
        let ids: Vec<String> = (0..20).map(|n| format!("{n}-1")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let seen = Case::new(&ids, |_, _| (seconds(1), Answer::Delivered)).run().await;
        let at = |second| attempts(&seen).iter().filter(|(at, _)| *at == seconds(second)).count();
        assert_eq!([at(0), at(1), at(2)], [8, 8, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_of_hours_is_single_probes_and_then_everything_at_once() {
        const BACK: Duration = Duration::from_hours(6);
        let ids: Vec<String> = (0..100).map(|n| format!("{n}-1")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut case = Case::new(&ids, |_, at| {
            (Duration::ZERO, if at < BACK { away() } else { Answer::Delivered })
        });
        case.draw = u64::MAX;
        let seen = case.run().await;
        assert_eq!(delivered(&seen).len(), 100);
        let attempts = attempts(&seen);
        let probes: Vec<_> = attempts.iter().skip(8).filter(|(at, _)| *at < BACK).collect();
        assert!(probes.iter().all(|(_, id)| *id == "0-1"), "the same change under the same id");
        assert!(probes.windows(2).all(|pair| pair[1].0 <= pair[0].0 + seconds(300)));
        assert!((72..1_000).contains(&probes.len()), "{} probes", probes.len());
        let (first, last) = (attempts[attempts.len() - 100].0, attempts[attempts.len() - 1].0);
        assert!(first >= BACK && first == last, "{first:?} to {last:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_relay_that_asks_for_time_gets_it() {
        let case = Case::new(&["a-1", "a-2"], |_, at| {
            let busy = Answer::RelayAway { why: "429".to_owned(), retry_after: Some(seconds(90)) };
            (Duration::ZERO, if at.is_zero() { busy } else { Answer::Delivered })
        });
        let seen = case.run().await;
        let expected = [(0, "a-1"), (90, "a-1"), (90, "a-2")].map(|(at, id)| (seconds(at), id));
        assert_eq!(attempts(&seen), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_change_is_set_aside_and_only_its_ballot_waits() {
        let case = Case::new(&["a-1", "a-2", "b-1", "c-1"], |id, _| {
            let refused = Answer::ChangeRefused { why: "422".to_owned() };
            (Duration::ZERO, if id == "a-1" { refused } else { Answer::Delivered })
        });
        let seen = case.run().await;
        assert_eq!(delivered(&seen), [3, 4]);
        let ids: Vec<_> = attempts(&seen).into_iter().map(|(_, id)| id).collect();
        assert_eq!(ids, ["a-1", "b-1", "c-1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_relay_that_is_gone_is_left_alone_until_a_person_asks() {
        let mut case = Case::new(&["a-1"], |_, at| {
            let gone = Answer::RelayGone { why: "410".to_owned() };
            (Duration::ZERO, if at < seconds(5_000) { gone } else { Answer::Delivered })
        });
        case.news = vec![
            (seconds(100), Wake::Owed),
            (seconds(4_000), Wake::Retry),
            (seconds(6_000), Wake::Retry),
        ];
        let seen = case.run().await;
        let expected = [0, 4_000, 6_000].map(|at| (seconds(at), "a-1"));
        assert_eq!(attempts(&seen), expected);
        assert_eq!(delivered(&seen), [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_person_need_not_wait_for_the_next_probe() {
        let mut case = Case::new(&["a-1"], |_, at| {
            let busy = Answer::RelayAway { why: "503".to_owned(), retry_after: Some(seconds(600)) };
            (Duration::ZERO, if at < seconds(30) { busy } else { Answer::Delivered })
        });
        case.news = vec![(seconds(30), Wake::Retry)];
        assert_eq!(attempts(&case.run().await), [(seconds(0), "a-1"), (seconds(30), "a-1")]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_outbox_is_asked_only_when_there_is_news() {
        let mut case = Case::new(&[], |_, _| (Duration::ZERO, Answer::Delivered));
        case.news = vec![(seconds(10), Wake::Owed), (seconds(20), Wake::Owed)];
        assert_eq!(n_claims(&case.run().await), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_waits_for_the_attempts_from_before_the_outage() {
        let case = Case::new(&["a-1", "b-1"], |id, at| match id {
            "b-1" => (seconds(20), Answer::Delivered),
            _ if at.is_zero() => (Duration::ZERO, away()),
            _ => (Duration::ZERO, Answer::Delivered),
        });
        let seen = case.run().await;
        let expected = [(0, "a-1"), (0, "b-1"), (20, "a-1")].map(|(at, id)| (seconds(at), id));
        assert_eq!(attempts(&seen), expected);
        assert_eq!(delivered(&seen), [2, 1]);
    }

    /// A probe that is due with nothing to send must not be tried in a circle.
    #[tokio::test(start_paused = true)]
    async fn an_outage_with_nothing_owed_waits_for_news() {
        let mut case = Case::new(&["a-1"], |_, _| (Duration::ZERO, away()));
        case.dropped_at = seconds(10);
        case.news = vec![(seconds(5_000), Wake::Owed)];
        let seen = case.run().await;
        let late: Vec<_> = seen.into_iter().filter(|(at, _)| *at >= seconds(10)).collect();
        assert!(late.iter().all(|(_, seen)| *seen == Seen::Claimed), "{late:?}");
        assert_eq!(late.len(), 2, "one when it was dropped, one for the news");
    }

    #[tokio::test(start_paused = true)]
    async fn news_during_an_outage_brings_no_probe_forward() {
        let mut case = Case::new(&["a-1"], |_, at| {
            let busy = Answer::RelayAway { why: "503".to_owned(), retry_after: Some(seconds(600)) };
            (Duration::ZERO, if at < seconds(600) { busy } else { Answer::Delivered })
        });
        case.news = (1..500).map(|at| (seconds(at), Wake::Owed)).collect();
        assert_eq!(attempts(&case.run().await), [(seconds(0), "a-1"), (seconds(600), "a-1")]);
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_waits_for_attempts_in_hand_but_not_for_long() {
        let mut case = Case::new(&["a-1", "b-1"], |id, _| {
            (seconds(if id == "a-1" { 12 } else { 60 }), Answer::Delivered)
        });
        case.stop = seconds(10);
        let begun = Instant::now();
        let seen = case.run().await;
        assert_eq!(begun.elapsed(), seconds(15));
        assert_eq!(delivered(&seen), [1], "the other stays owed");
        assert_eq!(attempts(&seen).len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_with_nothing_in_hand_is_at_once() {
        let mut case = Case::new(&["a-1"], |_, _| (Duration::ZERO, away()));
        case.draw = u64::MAX;
        case.stop = seconds(3_600);
        let begun = Instant::now();
        let seen = case.run().await;
        assert_eq!(begun.elapsed(), seconds(3_600));
        assert_eq!(delivered(&seen), [0; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_panics_is_made_again() {
        let case = Case::new(&["a-1"], |_, at| {
            assert!(!at.is_zero(), "a fault of the HTTP client");
            (Duration::ZERO, Answer::Delivered)
        });
        assert_eq!(delivered(&case.run().await), [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_ledger_ends_forwarding() {
        for (open, news) in [(false, vec![]), (true, vec![(seconds(1), Wake::Closed)])] {
            let (tx, _rx) = mpsc::channel(LOG_MAX);
            let log = Log { tx, started: Instant::now() };
            let outbox = Shelf {
                owed: Vec::new(),
                in_hand: HashSet::new(),
                set_aside: HashSet::new(),
                news: news.into(),
                dropped_at: DAY,
                open,
                log: log.clone(),
            };
            let relay = Scripted { manner: |_, _| (Duration::ZERO, Answer::Delivered), log };
            let clock = Arc::new(ManualClock::new(Micros(0)));
            let ended = run(outbox, relay, clock, || 0, tokio::time::sleep(DAY)).await;
            assert_eq!(ended, Err(ForwardError::LedgerClosed));
        }
    }
}
