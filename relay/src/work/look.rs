//! Finds out what became of attempts whose outcome is not known, asks for receipts that did not come, and hands on what is owed on a
//! channel that is not configured.

use super::claim::end;
use super::{Sender, due};
use crate::alarm::{Alarm, raise};
use crate::channel::Channels;
use crate::channel::provider::{Listed, Provider};
use crate::clock::Micros;
use crate::config::Config;
use crate::news::Channel;
use crate::params;
use crate::receipt::{Word, word};
use crate::relay::Relay;
use crate::store::{StoreError, Tx};
use crate::told::chain;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// Attempts that are looked into at once.
const AT_ONCE: usize = 32;
/// A receipt is asked for after so many times `ask_after`: 5 minutes, 1 hour, 1 day.
const ASK: [u32; 3] = [1, 12, 288];

/// After so many looks that told nothing the office hears of it.
const LOOKS: u32 = 5;

/// The loop of one channel.
pub(super) struct Look {
    pub(super) relay: Arc<Relay>,
    pub(super) channels: Channels,
    pub(super) channel: Channel,
}

/// An attempt whose outcome is not known, or whose receipt did not come.
#[derive(Debug, Clone)]
struct Open {
    notice: String,
    attempt: String,
    address: String,
    sender: Sender,
    body: Option<String>,
    started_at: Micros,
    provider_id: Option<String>,
}

impl Look {
    pub(super) async fn run(self, mut stopping: watch::Receiver<bool>) {
        while !*stopping.borrow() {
            let is_busy = self.turn().await.unwrap_or_else(|error| {
                tracing::error!(channel = %self.channel, error = chain(&error), "Unknown outcomes could not be looked into.");
                false
            });
            if is_busy {
                continue;
            }
            tokio::select! {
                () = sleep(super::LOOK) => {}
                changed = stopping.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Looks into all that there is to look into; whether there may be more.
    async fn turn(&self) -> Result<bool, StoreError> {
        let is_busy = match (self.provider(), self.channel) {
            (None, Channel::Email) => self.give_back().await?,
            (provider, _) => self.look(provider.as_ref()).await?,
        };
        let is_configured = self.relay.config.has(self.channel);
        Ok((!is_configured && self.hand_on().await?) || is_busy)
    }

    fn provider(&self) -> Option<Provider> {
        match self.channel {
            Channel::Email => None,
            Channel::Text => self.channels.text.clone(),
            Channel::Voice => self.channels.voice.clone(),
        }
    }

    /// Looks into some; whether there may be more.
    async fn look(&self, provider: Option<&Provider>) -> Result<bool, StoreError> {
        let (relay, channel, now) = (Arc::clone(&self.relay), self.channel, self.relay.clock.now());
        let (unknown, silent) = self
            .relay
            .store
            .write(move |tx| {
                let unknown = unknown(tx, &relay.config, channel, now)?;
                Ok((unknown, silent(tx, &relay.config, channel, now)?))
            })
            .await?;
        let is_busy = unknown.len() >= AT_ONCE || silent.len() >= AT_ONCE;
        let mut n_found = 0;
        for open in unknown {
            n_found += u64::from(self.resolve(provider, open).await?);
        }
        if let Some(provider) = provider {
            for open in silent {
                self.ask(provider, open).await?;
            }
        }
        if n_found > 0 {
            self.relay.owed.notify_waiters();
        }
        Ok(is_busy)
    }

    /// Whether it is owed again.
    async fn resolve(&self, provider: Option<&Provider>, open: Open) -> Result<bool, StoreError> {
        let listed = self.listed(provider, &open).await;
        let (relay, channel, now) = (Arc::clone(&self.relay), self.channel, self.relay.clock.now());
        let found = move |tx: &mut Tx<'_>| match &listed {
            Some(listed) => adopt(tx, &relay.config, &open, listed, now),
            None => nobody_says(tx, &relay.config, (channel, &open), now).map(|()| false),
        };
        self.relay.store.write(found).await
    }

    /// What the provider took about then; nothing if it does not say.
    async fn listed(&self, provider: Option<&Provider>, open: &Open) -> Option<Vec<Listed>> {
        // Only the account that it was handed over to can say what became of it.
        let own = Sender::of(&self.relay.config, self.channel).account;
        let provider = provider.filter(|_| open.sender.account == own)?;
        match provider.list(&open.address, &open.sender.name, open.started_at).await {
            Ok(listed) => Some(listed),
            Err(error) => {
                tracing::warn!(channel = %self.channel, error = chain(&error.without_url()), "The provider does not say what it took.");
                None
            }
        }
    }

    async fn ask(&self, provider: &Provider, open: Open) -> Result<(), StoreError> {
        let Some(id) = &open.provider_id else { return Ok(()) };
        let listed = match provider.fetch(id).await {
            Ok(Some(listed)) => listed,
            Ok(None) => return Ok(()),
            Err(error) => {
                tracing::debug!(
                    error = chain(&error.without_url()),
                    "A receipt could not be asked for."
                );
                return Ok(());
            }
        };
        let (relay, now) = (Arc::clone(&self.relay), self.relay.clock.now());
        let said = move |tx: &mut Tx<'_>| {
            let Listed { id, status, code, .. } = &listed;
            word(tx, &relay.config, &open.attempt, Word { provider_id: id, status, code }, now)
        };
        self.relay.store.write(said).await.map(drop)
    }

    /// The channel is not configured, perhaps not any more: nothing would ever go there, so that the voters' next contacts are told.
    async fn hand_on(&self) -> Result<bool, StoreError> {
        let (channel, now) = (self.channel, self.relay.clock.now());
        let given_up = move |tx: &mut Tx<'_>| {
            let ids = due(tx, (channel, "owed"), AT_ONCE, now)?;
            for id in &ids {
                end(tx, id, "ours", "not configured", now)?;
            }
            if !ids.is_empty() {
                let what = format!(
                    "Voters asked for the {channel} channel, which is not configured. What is owed there goes to their next contacts, \
                     if they have any. Configure it, or tell those voters."
                );
                let subject = format!("{channel} not configured");
                raise(
                    tx,
                    Alarm { county: "*", kind: "channel", subject: &subject, what: &what },
                    now,
                )?;
            }
            Ok(ids.len())
        };
        let n_ended = self.relay.store.write(given_up).await?;
        if n_ended > 0 {
            self.relay.owed.notify_waiters();
        }
        Ok(n_ended >= AT_ONCE)
    }

    /// Of e-mail no server can be asked: what is unknown is sent once more, and then left unconfirmed.
    async fn give_back(&self) -> Result<bool, StoreError> {
        let (relay, channel, now) = (Arc::clone(&self.relay), self.channel, self.relay.clock.now());
        let n_back = self
            .relay
            .store
            .write(move |tx| {
                let open = unknown(tx, &relay.config, channel, now)?;
                for one in &open {
                    once_more(tx, one, now)?;
                }
                Ok(open.len())
            })
            .await?;
        if n_back > 0 {
            self.relay.owed.notify_waiters();
        }
        Ok(n_back >= AT_ONCE)
    }
}

/// Attempts whose lease ran out. They are ours for another lease.
fn unknown(
    tx: &mut Tx<'_>,
    config: &Config,
    channel: Channel,
    now: Micros,
) -> Result<Vec<Open>, StoreError> {
    let mut found = Vec::new();
    for state in ["unknown", "calling"] {
        for id in due(tx, (channel, state), AT_ONCE, now)? {
            tx.run(
                "UPDATE notice SET state = 'unknown', next_at = $2 WHERE id = $1",
                params![&id, now.plus(config.sending.settle_after)],
            )?;
            tx.run(
                "UPDATE attempt SET state = 'unknown' WHERE notice = $1 AND state = 'calling'",
                params![&id],
            )?;
            found.extend(open(tx, &id, "unknown")?);
        }
    }
    Ok(found)
}

/// Notices that were handed over and of which nothing was heard. The last time, it is given up.
fn silent(
    tx: &mut Tx<'_>,
    config: &Config,
    channel: Channel,
    now: Micros,
) -> Result<Vec<Open>, StoreError> {
    let mut found = Vec::new();
    for id in due(tx, (channel, "sent"), AT_ONCE, now)? {
        let handed_at = Micros(tx.count(
            "SELECT COALESCE(handed_at, changed_at) FROM notice WHERE id = $1",
            params![&id],
        )?);
        let age = now.since(handed_at);
        let give_up = config.sending.give_up_after;
        if age >= give_up {
            tx.run(
                "UPDATE notice SET state = 'unconfirmed', why = 'no receipt', timed_out = 1, changed_at = $2
                 WHERE id = $1",
                params![&id, now],
            )?;
        } else {
            let next = ASK
                .iter()
                .map(|times| config.sending.ask_after.saturating_mul(*times))
                .find(|after| *after > age)
                .unwrap_or(give_up)
                .min(give_up);
            let next_at = handed_at.plus(next).max(now.plus(Duration::from_millis(100)));
            tx.run("UPDATE notice SET next_at = $2 WHERE id = $1", params![&id, next_at])?;
        }
        found.extend(open(tx, &id, "accepted")?);
    }
    Ok(found)
}

/// The notice's last attempt in that state.
fn open(tx: &mut Tx<'_>, notice: &str, state: &str) -> Result<Option<Open>, StoreError> {
    let row = tx.row(
        "SELECT notice, id, address, body, started_at, provider_id, account, sender FROM attempt
         WHERE notice = $1 AND state = $2 ORDER BY number DESC LIMIT 1",
        params![notice, state],
    )?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Open {
        notice: row.text(0)?,
        attempt: row.text(1)?,
        address: row.text(2)?,
        sender: Sender { account: row.text(6)?, name: row.text(7)? },
        body: row.maybe_text(3)?,
        started_at: row.at(4)?,
        provider_id: row.maybe_text(5)?,
    }))
}

/// Adopts the message that the provider took, or owes it again. Whether it is owed.
fn adopt(
    tx: &mut Tx<'_>,
    config: &Config,
    open: &Open,
    listed: &[Listed],
    now: Micros,
) -> Result<bool, StoreError> {
    let is_open = tx.count(
        "SELECT COUNT(*) FROM attempt WHERE id = $1 AND state = 'unknown'",
        params![&open.attempt],
    )? > 0;
    if !is_open {
        // A callback was faster.
        return Ok(false);
    }
    for one in listed {
        let is_it = open.body.is_none() || one.body == open.body;
        let is_known =
            tx.count("SELECT COUNT(*) FROM attempt WHERE provider_id = $1", params![&one.id])? > 0;
        if is_it && !is_known {
            let said = Word { provider_id: &one.id, status: &one.status, code: &one.code };
            word(tx, config, &open.attempt, said, now)?;
            return Ok(false);
        }
    }
    tx.run(
        "UPDATE attempt SET state = 'absent', body = NULL, ended_at = $2 WHERE id = $1",
        params![&open.attempt, now],
    )?;
    tx.run(
        "UPDATE notice SET state = 'owed', why = 'absent', next_at = $2, changed_at = $2
         WHERE id = $1 AND state = 'unknown'",
        params![&open.notice, now],
    )?;
    Ok(true)
}

/// Its time comes again. After some looks the office hears of it, and where nobody could say it for that long, it is left unconfirmed.
fn nobody_says(
    tx: &mut Tx<'_>,
    config: &Config,
    (channel, open): (Channel, &Open),
    now: Micros,
) -> Result<(), StoreError> {
    let age = now.since(open.started_at);
    if age >= config.sending.settle_after.saturating_mul(LOOKS) {
        let what = "The provider does not say what became of messages whose outcome is not known; they wait, so that none is sent \
                    twice. Look at the provider, and whether its account is still the one that is configured.";
        let subject = format!("{channel} unknown");
        raise(tx, Alarm { county: "*", kind: "channel", subject: &subject, what }, now)?;
    }
    if age >= config.sending.give_up_after {
        tx.run(
            "UPDATE notice SET state = 'unconfirmed', why = 'unknown', timed_out = 1, changed_at = $2
             WHERE id = $1 AND state = 'unknown'",
            params![&open.notice, now],
        )?;
    }
    Ok(())
}

fn once_more(tx: &mut Tx<'_>, open: &Open, now: Micros) -> Result<(), StoreError> {
    let n_unknown = tx.count(
        "SELECT COUNT(*) FROM attempt WHERE notice = $1 AND state = 'unknown'",
        params![&open.notice],
    )?;
    tx.run("UPDATE attempt SET ended_at = $2 WHERE id = $1", params![&open.attempt, now])?;
    let state = if n_unknown > 1 { "unconfirmed" } else { "owed" };
    tx.run(
        "UPDATE notice SET state = $2, why = 'unknown', next_at = $3, changed_at = $3
         WHERE id = $1 AND state = 'unknown'",
        params![&open.notice, state, now],
    )?;
    if n_unknown > 1 {
        let what = "An e-mail was handed over twice and neither time is it known whether the server took it. Look at the server.";
        raise(tx, Alarm { county: "*", kind: "unconfirmed", subject: "email", what }, now)?;
    }
    Ok(())
}
