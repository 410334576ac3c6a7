//! Sends what is owed, and finds out what became of it.
//!
//! # Design
//!
//! - Each channel has a loop of its own, so that a slow one holds up no other. A turn of it is one transaction: it writes down what the
//!   calls that ended brought, and commits the attempts of the next ones. Then the calls are made, so many at once.
//! - An attempt is committed before its call, with a lease that is longer than the call may take. When the process dies between the
//!   provider's accepting and our commit, the lease runs out and the outcome is *unknown*: `look` asks the provider by recipient, text
//!   and time. Found: it is adopted. Not found: it is owed again. Texts and calls are therefore sent at most once, e-mails, of which no
//!   server can be asked, at most once more and with the same `Message-ID`.
//! - Leases are by the wall clock, which all processes that share a database must agree on: NTP keeps it, and neither a step nor a
//!   difference between machines may come near `settle_after` less `call_timeout`.
//! - What it cannot hold against: a process that is stopped (not killed) between its commit and its call for longer than the lease, a
//!   clock that jumps by as much, and a provider that lists a message only after `settle_after`. They are noticed when a word about the
//!   first attempt comes, and alarmed.
//! - Quiet hours, suppression, the contact's state, limits of sender and address, and the words are looked at in the transaction that
//!   commits the attempt, so that nothing overtakes a STOP.
//! - Several processes share one database: rows are claimed with `FOR UPDATE SKIP LOCKED`, tokens are in a row of their own.

mod bucket;
mod claim;
mod look;
mod settle;

use crate::bulk;
use crate::channel::{Channels, Line, Message, Outcome, Trouble};
use crate::clock::Micros;
use crate::config::{Config, Rate};
use crate::intake::watch_gaps;
use crate::news::Channel;
use crate::relay::Relay;
use crate::store::{StoreError, Tx};
use crate::told::chain;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

/// How often an idle loop looks by itself: another process may have owed something.
const IDLE: Duration = Duration::from_millis(500);
/// How often unknown outcomes and missing receipts are looked for.
const LOOK: Duration = Duration::from_millis(500);
/// How long a channel rests whose account is refused.
const ACCOUNT_REST: Duration = Duration::from_mins(1);
/// How often what is overdue is told to the office.
const WATCH: Duration = Duration::from_secs(10);

/// Sends until `stopping` says so, then lets the calls end that are being made.
pub async fn run(relay: Arc<Relay>, channels: Channels, stopping: watch::Receiver<bool>) {
    let mut loops = JoinSet::new();
    for channel in Channel::ALL.iter().copied() {
        if let Some((lines, rate)) = lines(&relay.config, &channels, channel) {
            loops.spawn(Dispatch::new(&relay, channel, lines, rate).run(stopping.clone()));
        }
        let look = look::Look { relay: Arc::clone(&relay), channels: channels.clone(), channel };
        loops.spawn(look.run(stopping.clone()));
    }
    loops.spawn(write_out(Arc::clone(&relay), stopping.clone()));
    loops.spawn(watch_over(relay, stopping));
    while let Some(ended) = loops.join_next().await {
        if let Err(error) = ended {
            tracing::error!(error = chain(&error), "A loop of the relay ended by itself.");
        }
    }
}

/// The lines of a channel, if it is configured.
fn lines(config: &Config, channels: &Channels, channel: Channel) -> Option<(Vec<Line>, Rate)> {
    let of_provider = |provider: &Option<crate::channel::provider::Provider>, rate: Rate| {
        let provider = provider.clone()?;
        Some(((0..rate.at_once).map(|_| Line::Provider(provider.clone())).collect(), rate))
    };
    match channel {
        Channel::Email => {
            let (mailer, rate) = (channels.email.as_ref()?, config.email.as_ref()?.rate);
            Some(((0..rate.at_once).map(|_| Line::Email(Box::new(mailer.line()))).collect(), rate))
        }
        Channel::Text => of_provider(&channels.text, config.text.as_ref()?.rate),
        Channel::Voice => of_provider(&channels.voice, config.voice.as_ref()?.rate),
    }
}

/// As whom a channel's messages are handed over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Sender {
    /// The provider's account; none of a mail server.
    account: String,
    /// The number, or the mail server.
    name: String,
}

impl Sender {
    fn of(config: &Config, channel: Channel) -> Self {
        let provider = match channel {
            Channel::Email => {
                let name = config.email.as_ref().map(|email| email.host.clone());
                return Self { account: String::new(), name: name.unwrap_or_default() };
            }
            Channel::Text => &config.text,
            Channel::Voice => &config.voice,
        };
        let of = |provider: &crate::config::Provider| Self {
            account: provider.account.clone(),
            name: provider.from.clone(),
        };
        provider.as_ref().map(of).unwrap_or_default()
    }
}

/// A call that ended.
#[derive(Debug, Clone)]
struct Ended {
    attempt: String,
    notice: String,
    outcome: Outcome,
}

/// What a turn brought.
#[derive(Debug, Default)]
struct Turn {
    messages: Vec<Message>,
    /// When there may be more, if it is known.
    wait: Option<Duration>,
}

/// The loop of one channel.
struct Dispatch {
    relay: Arc<Relay>,
    channel: Channel,
    rate: Rate,
    idle: Vec<Line>,
    running: JoinSet<(Line, Ended)>,
    ended: Vec<Ended>,
    /// Until when nothing is handed over.
    rest_until: Option<Instant>,
    /// Whether the last calls failed for a reason that would fail all of them: then one goes ahead.
    is_probing: bool,
}

impl Dispatch {
    fn new(relay: &Arc<Relay>, channel: Channel, idle: Vec<Line>, rate: Rate) -> Self {
        Self {
            relay: Arc::clone(relay),
            channel,
            rate,
            idle,
            running: JoinSet::new(),
            ended: Vec::new(),
            rest_until: None,
            is_probing: false,
        }
    }

    async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        let relay = Arc::clone(&self.relay);
        loop {
            let mut owed = std::pin::pin!(relay.owed.notified());
            owed.as_mut().enable();
            let is_stopping = *stopping.borrow();
            let wanted = if is_stopping { 0 } else { self.wanted() };
            let wait = match self.turn(wanted).await {
                Ok(turn) => self.start(turn),
                Err(error) => {
                    tracing::error!(channel = %self.channel, error = chain(&error), "A turn failed; it is tried again.");
                    IDLE
                }
            };
            if is_stopping && self.running.is_empty() && self.ended.is_empty() {
                return;
            }
            let is_listening = !is_stopping && self.wanted() > 0;
            tokio::select! {
                Some(done) = self.running.join_next(), if !self.running.is_empty() => {
                    self.note(done);
                    while let Some(done) = self.running.try_join_next() {
                        self.note(done);
                    }
                }
                () = &mut owed, if is_listening => {}
                () = sleep(wait), if is_listening || !self.ended.is_empty() => {}
                () = rest(self.rest_until), if self.rest_until.is_some() && !is_stopping => {
                    self.rest_until = None;
                }
                changed = stopping.changed(), if !is_stopping => {
                    if changed.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// How many more messages may be handed over now.
    fn wanted(&self) -> usize {
        if self.rest_until.is_some() {
            return 0;
        }
        let most = if self.is_probing { 1 } else { self.rate.at_once };
        most.saturating_sub(self.running.len()).min(self.idle.len())
    }

    /// Writes down what ended and commits the next attempts, so many.
    async fn turn(&mut self, wanted: usize) -> Result<Turn, StoreError> {
        if wanted == 0 && self.ended.is_empty() {
            return Ok(Turn::default());
        }
        let (relay, ended, now) =
            (Arc::clone(&self.relay), self.ended.clone(), self.relay.clock.now());
        let (channel, rate) = (self.channel, self.rate);
        let turn = self
            .relay
            .store
            .write(move |tx| {
                settle::settle(tx, &relay.config, &ended, now)?;
                claim::claim(tx, &relay, (channel, rate), wanted, now)
            })
            .await?;
        self.ended.clear();
        Ok(turn)
    }

    /// Starts the calls; how long to wait for more.
    fn start(&mut self, turn: Turn) -> Duration {
        for message in turn.messages {
            let Some(mut line) = self.idle.pop() else {
                // Never more than lines were claimed; its lease would run out.
                tracing::error!(attempt = message.attempt, "There is no line for an attempt.");
                continue;
            };
            if self.is_late(&message) {
                // Its lease may run out during the call, and somebody else find that the provider has nothing.
                self.idle.push(line);
                let outcome =
                    Outcome::NotSent { why: "lease".to_owned(), after: None, of: Trouble::Message };
                self.ended.push(Ended {
                    attempt: message.attempt,
                    notice: message.notice,
                    outcome,
                });
                continue;
            }
            self.running.spawn(async move {
                let outcome = line.hand_over(&message).await;
                (line, Ended { attempt: message.attempt, notice: message.notice, outcome })
            });
        }
        turn.wait.unwrap_or(IDLE)
    }

    /// Whether the commit took so long that a call could outlast the lease.
    fn is_late(&self, message: &Message) -> bool {
        let sending = &self.relay.config.sending;
        let age = self.relay.clock.now().since(message.at);
        age.saturating_add(sending.call_timeout) >= sending.settle_after
    }

    fn note(&mut self, done: Result<(Line, Ended), tokio::task::JoinError>) {
        let (line, ended) = match done {
            Ok(done) => done,
            Err(error) => {
                tracing::error!(
                    error = chain(&error),
                    "A call ended without an answer; its outcome is looked for."
                );
                return;
            }
        };
        self.idle.push(line);
        match &ended.outcome {
            Outcome::NotSent { of: Trouble::Message, .. } | Outcome::Unknown { .. } => {}
            Outcome::NotSent { why, after, of } => {
                let usual = match of {
                    Trouble::Account => ACCOUNT_REST,
                    _ => self.relay.config.sending.retry_after,
                };
                let after = after.unwrap_or(usual).min(ACCOUNT_REST);
                tracing::warn!(channel = %self.channel, why, "The provider takes nothing now; it is tried again.");
                self.is_probing = true;
                self.rest_until = Some(instant_after(after));
            }
            Outcome::Accepted { .. } | Outcome::Refused { .. } => self.is_probing = false,
        }
        self.ended.push(ended);
    }
}

fn instant_after(while_: Duration) -> Instant {
    // The runtime's own clock, which tests can hold: only to rest.
    Instant::now() + while_
}

async fn rest(until: Option<Instant>) {
    if let Some(until) = until {
        sleep_until(until).await;
    }
}

/// Writes out the reminders that were released, a piece at a time: news of ballots go between them.
async fn write_out(relay: Arc<Relay>, mut stopping: watch::Receiver<bool>) {
    while !*stopping.borrow() {
        let now = relay.clock.now();
        match relay.store.write(move |tx| bulk::write_out(tx, now)).await {
            Ok(true) => {
                relay.owed.notify_waiters();
                continue;
            }
            Ok(false) => {}
            Err(error) => {
                tracing::error!(
                    error = chain(&error),
                    "A reminder could not be written out; it is tried again."
                );
            }
        }
        tokio::select! {
            () = relay.owed.notified() => {}
            () = sleep(IDLE) => {}
            changed = stopping.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

/// Tells the office of events that wait too long.
async fn watch_over(relay: Arc<Relay>, mut stopping: watch::Receiver<bool>) {
    while !*stopping.borrow() {
        let now = relay.clock.now();
        if let Err(error) = relay.store.write(move |tx| watch_gaps(tx, now)).await {
            tracing::error!(error = chain(&error), "It could not be looked for gaps.");
        }
        tokio::select! {
            () = sleep(WATCH) => {}
            changed = stopping.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

/// Rows of a channel in a state whose time has come, those of the highest priority first.
fn due(
    tx: &mut Tx<'_>,
    (channel, state): (Channel, &str),
    n_max: usize,
    now: Micros,
) -> Result<Vec<String>, StoreError> {
    let mut ids = Vec::new();
    for priority in 0_i64..=2 {
        let n_left = i64::try_from(n_max.saturating_sub(ids.len())).unwrap_or(0);
        if n_left == 0 {
            break;
        }
        // One priority at a time: what is deferred in one does not stand in the way of the next.
        let sql = format!(
            "SELECT id FROM notice WHERE channel = $1 AND state = $2 AND priority = $3 AND next_at <= $4
             ORDER BY next_at, id LIMIT $5{}",
            tx.skip_locked()
        );
        let values = crate::params![channel.name(), state, priority, now, n_left];
        for row in tx.rows(&sql, values)? {
            ids.push(row.text(0)?);
        }
    }
    Ok(ids)
}
