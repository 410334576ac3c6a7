//! Forwarding against a relay that misbehaves in every way we know: all changes arrive, in each ballot's order, under one id.
#![cfg(test)]

#[path = "support/relay.rs"]
mod relay;

use ballot_intake::clock::{Clock, SystemClock};
use ballot_intake::delivery::{Answer, Delivery};
use ballot_intake::forward::{self, ForwardError, Outbox, Timeouts, Wake};
use relay::{Attempt, Behavior, DEADLINE};
use relay_wire::{ChangeEvent, Method, Secret, Status};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot, watch};

/// Short, so that a hanging relay costs the tests little; long enough for a busy machine.
const TIMEOUTS: Timeouts =
    Timeouts { connect: Duration::from_secs(1), total: Duration::from_secs(2) };

/// Five ballots with four changes each, as a day brings them: one ballot after the other, again and again.
const BALLOTS: u64 = 5;
const CHANGES: u64 = 4;

fn changes() -> Vec<Delivery> {
    let clock = SystemClock::new();
    let mut owed = Vec::new();
    for sequence in 1..=CHANGES {
        for ballot in 1..=BALLOTS {
            let event = ChangeEvent {
                id: format!("event-{ballot}-{sequence}"),
                facility: "boulder".to_owned(),
                station: "intake-1".to_owned(),
                time: clock.now().rfc3339(),
                election: "202611".to_owned(),
                ballot: format!("{ballot:09}"),
                voter: format!("6{ballot:08}"),
                status: Status::Received,
                previous: Status::Mailed,
                reason: None,
                sequence,
                method: Method::Scanner,
                corrects: None,
            };
            let seq = i64::try_from(owed.len()).unwrap() + 1;
            owed.push(Delivery { seq, body: event.to_body(), id: event.id, attempts: 0 });
        }
    }
    owed
}

fn event(body: &str) -> ChangeEvent {
    ChangeEvent::parse(body.as_bytes()).unwrap()
}

/// What was settled, in order.
type Answers = Vec<(i64, Answer)>;

/// What is owed, in memory.
struct Shelf {
    owed: Vec<Delivery>,
    in_hand: HashSet<i64>,
    set_aside: HashSet<i64>,
    news: mpsc::Receiver<Wake>,
    settled: watch::Sender<Answers>,
}

impl Outbox for Shelf {
    async fn claim(&mut self, max: usize) -> Option<Vec<Delivery>> {
        let mut subjects = HashSet::new();
        let mut claimed = Vec::new();
        for delivery in &self.owed {
            let is_first = subjects.insert(event(&delivery.body).subject());
            let waits =
                self.in_hand.contains(&delivery.seq) || self.set_aside.contains(&delivery.seq);
            if is_first && !waits && claimed.len() < max {
                claimed.push(delivery.clone());
            }
        }
        self.in_hand.extend(claimed.iter().map(|delivery| delivery.seq));
        Some(claimed)
    }

    async fn settle(&mut self, settled: Answers) -> Option<()> {
        for (seq, answer) in &settled {
            assert!(self.in_hand.remove(seq), "{seq} was not in hand");
            match answer {
                Answer::Delivered => self.owed.retain(|delivery| delivery.seq != *seq),
                Answer::ChangeRefused { .. } => assert!(self.set_aside.insert(*seq)),
                Answer::RelayAway { .. } | Answer::RelayGone { .. } => {}
            }
        }
        self.settled.send_modify(|all| all.extend(settled));
        Some(())
    }

    async fn changed(&mut self) -> Wake {
        self.news.recv().await.unwrap_or(Wake::Closed)
    }
}

/// A station's forwarder on its own thread.
struct Station {
    news: mpsc::Sender<Wake>,
    settled: watch::Receiver<Answers>,
    stop: oneshot::Sender<()>,
    thread: thread::JoinHandle<Result<(), ForwardError>>,
}

impl Station {
    fn start(relay: &relay::Relay) -> Self {
        let secret = Secret::parse(relay::SECRET).unwrap();
        let way = forward::Relay::new(&relay.url(), secret, TIMEOUTS).unwrap();
        let (news, news_rx) = mpsc::channel(1);
        let (settled_tx, settled) = watch::channel(Vec::new());
        let (stop, stopped) = oneshot::channel();
        let shelf = Shelf {
            owed: changes(),
            in_hand: HashSet::new(),
            set_aside: HashSet::new(),
            news: news_rx,
            settled: settled_tx,
        };
        let thread = thread::Builder::new()
            .name("test-forward".to_owned())
            .spawn(move || {
                let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
                let runtime = Builder::new_current_thread().enable_all().build().unwrap();
                // The dice always say the shortest wait.
                runtime.block_on(forward::run(shelf, way, clock, || 0, async {
                    assert_eq!(stopped.await, Ok(()));
                }))
            })
            .unwrap();
        Self { news, settled, stop, thread }
    }

    /// Waits until the answers fit.
    #[track_caller]
    fn until(&self, what: &str, fits: impl Fn(&[(i64, Answer)]) -> bool) -> Answers {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let mut settled = self.settled.clone();
        let waited = runtime.block_on(async {
            let waiting = settled.wait_for(|settled| fits(settled));
            tokio::time::timeout(DEADLINE, waiting).await.map(|seen| seen.unwrap().clone())
        });
        waited.unwrap_or_else(|_| panic!("{what} did not come: {:#?}", self.settled.borrow()))
    }

    fn until_delivered(&self, n: u64) -> Answers {
        self.until("every delivery", |settled| {
            settled.iter().filter(|(_, answer)| *answer == Answer::Delivered).count() as u64 == n
        })
    }

    fn stop(self) {
        self.stop.send(()).unwrap();
        assert_eq!(self.thread.join().unwrap(), Ok(()));
    }
}

/// Every attempt is signed and as it was the first time, and each ballot's events were taken one after the other.
#[track_caller]
fn check(attempts: &[Attempt], n_events: u64) {
    let mut bodies: BTreeMap<&str, &str> = BTreeMap::new();
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    for attempt in attempts {
        assert_eq!(attempt.forgery, None, "{attempt:?}");
        assert_eq!(*bodies.entry(&attempt.id).or_insert(&attempt.body), attempt.body);
        let event = event(&attempt.body);
        assert_eq!(event.id, attempt.id);
        if attempt.accepted {
            let last = last.entry(event.subject()).or_default();
            let in_order = event.sequence == *last || event.sequence == *last + 1;
            assert!(in_order, "{attempt:?} after {last}");
            *last = event.sequence;
        }
    }
    assert_eq!(last.values().sum::<u64>(), n_events);
}

/// The relay is in trouble, is asked again at least twice, recovers, and has everything.
#[track_caller]
fn recovers_from(trouble: Behavior) -> (Vec<Attempt>, Answers) {
    let relay = relay::Relay::start(trouble);
    let station = Station::start(&relay);
    relay.until("two probes", |attempts| attempts.len() >= 7);
    relay.behave(Behavior::Ok);
    let settled = station.until_delivered(BALLOTS * CHANGES);
    station.stop();
    let attempts = relay.attempts();
    check(&attempts, BALLOTS * CHANGES);
    drained_at_once(&attempts);
    (attempts, settled)
}

/// Once the relay was back, nothing was asked for twice: the first success ended the outage for all.
#[track_caller]
fn drained_at_once(attempts: &[Attempt]) {
    let after: Vec<_> =
        attempts.iter().filter(|attempt| attempt.behavior == Behavior::Ok).collect();
    let distinct: BTreeSet<_> = after.iter().map(|attempt| &attempt.id).collect();
    assert_eq!(distinct.len(), after.len(), "{after:?}");
}

#[track_caller]
fn none_is_set_aside(settled: &[(i64, Answer)]) {
    for (seq, answer) in settled {
        let fits = matches!(answer, Answer::Delivered | Answer::RelayAway { .. });
        assert!(fits, "{seq}: {answer:?}");
    }
}

#[test]
fn an_error_of_the_relay_holds_everything_back_and_loses_nothing() {
    for status in [500, 503, 401, 403, 404, 405] {
        let (attempts, settled) = recovers_from(Behavior::Refuse(status));
        none_is_set_aside(&settled);
        let probes: BTreeSet<_> = attempts.get(5..7).unwrap().iter().map(|a| &a.id).collect();
        assert_eq!(probes.len(), 1, "the oldest is the probe: {probes:?}");
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let (_, settled) = recovers_from(Behavior::Redirect);
    none_is_set_aside(&settled);
    let (_, first) = settled.first().unwrap();
    assert_eq!(first.why(), Some("307 Temporary Redirect"));
}

#[test]
fn a_relay_that_asks_for_a_second_is_left_alone_for_it() {
    let (attempts, settled) = recovers_from(Behavior::RetryAfter(1));
    none_is_set_aside(&settled);
    let seconds = |at: usize| attempts.get(at).unwrap().timestamp.parse::<i64>().unwrap();
    assert!(seconds(6) > seconds(0), "two waits of a second");
}

#[test]
fn a_relay_that_never_answers_costs_no_change() {
    let (_, settled) = recovers_from(Behavior::Hang);
    none_is_set_aside(&settled);
}

#[test]
fn a_relay_that_dies_after_it_took_a_change_gets_it_again_under_its_id() {
    let (attempts, settled) = recovers_from(Behavior::CloseAfterAccept);
    none_is_set_aside(&settled);
    let n_accepted = relay::accepted(&attempts).len() as u64;
    assert!(n_accepted > BALLOTS * CHANGES, "some were taken twice");
}

#[test]
fn a_closed_port_holds_everything_back_and_loses_nothing() {
    let relay = relay::Relay::start(Behavior::Ok);
    relay.down();
    let station = Station::start(&relay);
    station.until("two probes", |settled| settled.len() >= 7);
    relay.up();
    let settled = station.until_delivered(BALLOTS * CHANGES);
    none_is_set_aside(&settled);
    station.stop();
    check(&relay.attempts(), BALLOTS * CHANGES);
    assert_eq!(relay.accepted().len() as u64, BALLOTS * CHANGES);
}

#[test]
fn a_relay_that_goes_down_between_changes_gets_the_rest_when_it_is_back() {
    let relay = relay::Relay::start(Behavior::RefuseOne("event-3-2".to_owned(), 503));
    let station = Station::start(&relay);
    relay.until("the trouble", |attempts| attempts.iter().any(|a| a.id == "event-3-2"));
    relay.down();
    relay.behave(Behavior::Ok);
    relay.up();
    let settled = station.until_delivered(BALLOTS * CHANGES);
    none_is_set_aside(&settled);
    station.stop();
    check(&relay.attempts(), BALLOTS * CHANGES);
}

#[test]
fn a_refused_change_is_set_aside_with_what_follows_of_its_ballot() {
    for status in [400, 409, 413, 415, 422] {
        let relay = relay::Relay::start(Behavior::RefuseOne("event-2-3".to_owned(), status));
        let station = Station::start(&relay);
        // Of ballot 2 only the first two changes can go.
        let n_delivered = (BALLOTS - 1) * CHANGES + 2;
        station.until("all answers", |settled| settled.len() as u64 == n_delivered + 1);
        station.stop();
        check(&relay.attempts(), n_delivered);
        assert_eq!(relay.attempts().iter().filter(|a| a.id == "event-2-3").count(), 1);
    }
}

#[test]
fn a_relay_that_is_gone_is_asked_again_when_a_person_wants_it() {
    let relay = relay::Relay::start(Behavior::Refuse(410));
    let station = Station::start(&relay);
    let settled = station.until("the goodbye", |settled| settled.len() as u64 == BALLOTS);
    let why = "410 Gone".to_owned();
    assert!(settled.iter().all(|(_, answer)| *answer == Answer::RelayGone { why: why.clone() }));
    relay.behave(Behavior::Ok);
    station.news.blocking_send(Wake::Owed).unwrap();
    station.news.blocking_send(Wake::Retry).unwrap();
    station.until_delivered(BALLOTS * CHANGES);
    station.stop();
    check(&relay.attempts(), BALLOTS * CHANGES);
}
