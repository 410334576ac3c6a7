//! What a provider says of an attempt, however it is said: by a callback, by an answer to a question, in a list.
//!
//! # Rules
//!
//! - Words come late, twice, in any order, or never. Each is kept once; a lower one never replaces a higher one, and the first final one
//!   stands, but for this: a time-out is no word, and a receipt that comes after it corrects it.
//! - Any word proves that the provider took the message, even before our own call returned, or after it did not list it.
//! - `delivered` means the number or the mailbox, not the person.
//! - What says that the account or its number is refused is about every message: the notice is owed again, and its sender rests.

use crate::alarm::{Alarm, raise};
use crate::channel::code::{
    DAY_FULL, QUEUE_FULL, class, is_final, is_of_account, is_success, rank,
};
use crate::channel::{Class, bucket};
use crate::clock::Micros;
use crate::config::Config;
use crate::hours::Hours;
use crate::news::Channel;
use crate::notice::next_contact;
use crate::params;
use crate::store::{StoreError, Tx};
use crate::suppress::suppress;
use crate::voter::set_off;
use jiff::tz::TimeZone;
use std::time::Duration;

/// How often a phone that was busy or not answered is called in all.
const CALLS_MAX: i64 = 3;
/// Between two such calls, and after a text that the provider's queue had no room for.
const AGAIN: Duration = Duration::from_mins(20);
/// The carriers' day begins at midnight there.
const CARRIERS_ZONE: &str = "America/Los_Angeles";
/// How long a number rests whose texts the provider takes and then refuses.
const SENDER_REST: Duration = Duration::from_mins(10);

/// A word of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word<'a> {
    /// Its id of the message.
    pub provider_id: &'a str,
    /// The status.
    pub status: &'a str,
    /// The code of a failure; empty if there is none.
    pub code: &'a str,
}

/// What became of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It changed something.
    Changed,
    /// It was known, or said less than what was.
    Known,
    /// There is no such attempt.
    Nobody,
}

/// Takes a word about an attempt.
pub fn word(
    tx: &mut Tx<'_>,
    config: &Config,
    attempt: &str,
    word: Word<'_>,
    now: Micros,
) -> Result<Heard, StoreError> {
    let sql = format!(
        "SELECT notice, number, state, COALESCE(status, ''), provider_id FROM attempt WHERE id = $1{}",
        tx.for_update()
    );
    let Some(row) = tx.row(&sql, params![attempt])? else { return Ok(Heard::Nobody) };
    let (notice, number, state) = (row.text(0)?, row.int(1)?, row.text(2)?);
    let (status, known_id) = (row.text(3)?, row.maybe_text(4)?);
    if known_id.is_some_and(|known| known != word.provider_id) {
        // A path of ours that came back with another message's id.
        return Ok(Heard::Nobody);
    }
    tx.run(
        "INSERT INTO receipt (provider_id, status, code, attempt, received_at)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (provider_id, status, code) DO NOTHING",
        params![word.provider_id, word.status, word.code, attempt, now],
    )?;
    if state == "absent" {
        let what = "The provider had taken a message that it did not list when it was asked. Some voter may have got it twice.";
        raise(tx, Alarm { county: "*", kind: "channel", subject: "late listing", what }, now)?;
    }
    let is_higher = rank(word.status) > rank(&status);
    if !is_higher && matches!(state.as_str(), "accepted") {
        return Ok(Heard::Known);
    }
    tx.run(
        "UPDATE attempt SET state = 'accepted', provider_id = $2, status = $3, code = $4, body = NULL,
         ended_at = COALESCE(ended_at, $5) WHERE id = $1",
        params![
            attempt,
            word.provider_id,
            if is_higher { word.status } else { status.as_str() },
            word.code,
            now,
        ],
    )?;
    apply(tx, config, (attempt, &notice, number, state == "absent"), word, now)?;
    Ok(Heard::Changed)
}

/// Moves the notice to where the word says.
fn apply(
    tx: &mut Tx<'_>,
    config: &Config,
    (attempt, notice, number, was_absent): (&str, &str, i64, bool),
    word: Word<'_>,
    now: Micros,
) -> Result<(), StoreError> {
    if is_success(word.status) {
        return tx
            .run(
                "UPDATE notice SET state = 'delivered', why = NULL, handed_at = COALESCE(handed_at, $2),
                 changed_at = $2 WHERE id = $1 AND state <> 'delivered'",
                params![notice, now],
            )
            .map(drop);
    }
    let is_latest = tx.count(
        "SELECT COUNT(*) FROM attempt WHERE notice = $1 AND number > $2",
        params![notice, number],
    )? == 0;
    let ask_at = now.plus(config.sending.ask_after);
    if !is_final(word.status) {
        // What was owed again because the provider did not list it is not sent once more.
        let open = if was_absent && is_latest {
            "'calling', 'unknown', 'owed'"
        } else {
            "'calling', 'unknown'"
        };
        let sql = format!(
            "UPDATE notice SET state = 'sent', handed_at = COALESCE(handed_at, $2), next_at = $3,
             changed_at = $2 WHERE id = $1 AND state IN ({open})"
        );
        return tx.run(&sql, params![notice, now, ask_at]).map(drop);
    }
    // A failure of an attempt that another one followed says nothing of the notice.
    if is_latest {
        let code = if word.code.is_empty() { word.status } else { word.code };
        if is_of_account(code) {
            return refused_account(tx, (attempt, notice), code, now);
        }
        let of = if word.code.is_empty() && word.status == "undelivered" {
            Class::TryLater
        } else {
            class(code)
        };
        failed(tx, notice, (of, code), now)?;
    }
    Ok(())
}

/// The office hears that an account, or its number, is refused.
pub(crate) fn account_alarm(tx: &mut Tx<'_>, code: &str, now: Micros) -> Result<(), StoreError> {
    let what = "A provider refuses the relay's account. Nothing is lost: look at the account, its number and its token.";
    raise(tx, Alarm { county: "*", kind: "channel", subject: code, what }, now)
}

/// The provider took the message and says only now that it refuses the account or its number. The notice is owed again, and the sender's
/// bucket stays empty for a while: else one notice after the other would be spent.
fn refused_account(
    tx: &mut Tx<'_>,
    (attempt, notice): (&str, &str),
    code: &str,
    now: Micros,
) -> Result<(), StoreError> {
    account_alarm(tx, code, now)?;
    tx.run(
        "UPDATE notice SET state = 'owed', why = $2, next_at = $3, changed_at = $3
         WHERE id = $1 AND state IN ('calling', 'unknown', 'sent', 'unconfirmed')",
        params![notice, code, now],
    )?;
    let sent = tx.row("SELECT channel, sender FROM attempt WHERE id = $1", params![attempt])?;
    let Some(sent) = sent else { return Ok(()) };
    let channel = Channel::from_name(&sent.text(0)?).ok_or(StoreError::Column(0))?;
    tx.run(
        "UPDATE bucket SET tokens = 0, filled_at = $2 WHERE filled_at < $2 AND name = $1",
        params![bucket(channel, &sent.text(1)?), now.plus(SENDER_REST)],
    )
    .map(drop)
}

/// What a failed notice was.
struct Failed {
    contact: String,
    channel: Channel,
    address: String,
    not_after: Micros,
    tries: i64,
}

fn read(tx: &mut Tx<'_>, notice: &str) -> Result<Option<Failed>, StoreError> {
    let row = tx.row(
        "SELECT contact, channel, address, not_after, tries FROM notice WHERE id = $1
         AND state IN ('owed', 'calling', 'unknown', 'sent', 'unconfirmed')",
        params![notice],
    )?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Failed {
        contact: row.text(0)?,
        channel: Channel::from_name(&row.text(1)?).ok_or(StoreError::Column(1))?,
        address: row.text(2)?,
        not_after: row.at(3)?,
        tries: row.int(4)?,
    }))
}

/// A notice failed for good: its state says who must act, and the voter's next contact is tried.
pub(crate) fn failed(
    tx: &mut Tx<'_>,
    id: &str,
    (class, code): (Class, &str),
    now: Micros,
) -> Result<(), StoreError> {
    let Some(notice) = read(tx, id)? else { return Ok(()) };
    if code == DAY_FULL {
        let what = "A carrier took as many texts as it takes in a day. The rest waits for its next day: ask for more, or set per_day so \
                    that reminders leave room for news.";
        raise(tx, Alarm { county: "*", kind: "channel", subject: code, what }, now)?;
    }
    if let Some(at) = again_at(&notice, (class, code), now).filter(|at| *at < notice.not_after) {
        return tx
            .run(
                "UPDATE notice SET state = 'owed', why = $2, next_at = $3, tries = tries + 1,
                 changed_at = $4 WHERE id = $1",
                params![id, code, at, now],
            )
            .map(drop);
    }
    tx.run(
        "UPDATE notice SET state = $2, why = $3, changed_at = $4 WHERE id = $1",
        params![id, class.state(), code, now],
    )?;
    match class {
        Class::BadAddress if !notice.contact.is_empty() => {
            set_off(tx, &notice.contact, ("parked", code), now)?;
        }
        Class::OptedOut => suppress(tx, (notice.channel, &notice.address), "provider", now)?,
        Class::Ours => {
            let what = format!(
                "The provider refuses messages of the {} channel: code {code}.",
                notice.channel
            );
            let subject = format!("{} {code}", notice.channel);
            raise(tx, Alarm { county: "*", kind: "channel", subject: &subject, what: &what }, now)?;
        }
        Class::BadAddress | Class::TryLater => {}
    }
    next_contact(tx, id, now)
}

/// When a failed notice is tried again, if it is.
fn again_at(notice: &Failed, (class, code): (Class, &str), now: Micros) -> Option<Micros> {
    match (notice.channel, code) {
        (Channel::Text, QUEUE_FULL) => Some(now.plus(AGAIN)),
        (Channel::Text, DAY_FULL) => {
            let day = Hours { from: 0, until: 24 * 60 };
            let zone = TimeZone::get(CARRIERS_ZONE).ok();
            Some(now.plus(zone.map_or(AGAIN, |zone| day.left(now, &zone))))
        }
        (Channel::Voice, _) if class == Class::TryLater && notice.tries + 1 < CALLS_MAX => {
            Some(now.plus(AGAIN))
        }
        _ => None,
    }
}
