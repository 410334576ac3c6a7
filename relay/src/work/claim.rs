//! Which notices are handed over next: looks at everything that may stand against it, writes the words, commits the attempt.

use super::bucket::Bucket;
use super::{Sender, Turn, due};
use crate::channel::{Message, bucket};
use crate::clock::Micros;
use crate::config::{County, Rate};
use crate::hours::Hours;
use crate::id::new_id;
use crate::key::Purpose;
use crate::news::{Channel, Kind};
use crate::notice::{cannot_say, next_contact, overtaken};
use crate::params;
use crate::relay::Relay;
use crate::store::{Row, StoreError, Tx};
use crate::suppress::{suppressed, yields_to_code};
use crate::template::{Facts, Templates, segments};
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

/// How long a notice waits whose address has another message on the way, or had as many as it may.
const ADDRESS_WAIT: Duration = Duration::from_secs(2);
const HOUR: Duration = Duration::from_hours(1);
const CAP_WAIT: Duration = Duration::from_mins(10);
/// How long a notice waits that cannot be said.
const WORDS_WAIT: Duration = Duration::from_mins(10);
/// Longest that a provider may hold a message back.
const VALID_MAX: Duration = Duration::from_hours(10);

/// Commits the attempts of up to `wanted` messages.
pub(super) fn claim(
    tx: &mut Tx<'_>,
    relay: &Relay,
    (channel, rate): (Channel, Rate),
    wanted: usize,
    now: Micros,
) -> Result<Turn, StoreError> {
    let mut turn = Turn::default();
    if wanted == 0 {
        return Ok(turn);
    }
    let ids = due(tx, (channel, "owed"), wanted, now)?;
    if ids.is_empty() {
        return Ok(turn);
    }
    let sender = Sender::of(&relay.config, channel);
    let mut tokens = Bucket::hold(tx, &bucket(channel, &sender.name), rate, now)?;
    let mut addresses = HashSet::new();
    for id in ids {
        let Some(owed) = read(tx, &id)? else { continue };
        match judge(tx, relay, &owed, &mut addresses, now)? {
            Verdict::Later(at, _) if at > owed.not_after => end(tx, &id, "too_late", "hours", now)?,
            Verdict::Later(at, why) => later(tx, &id, at, &why)?,
            Verdict::Never(state, why) => end(tx, &id, state, &why, now)?,
            Verdict::Now(message) => {
                let n_segments =
                    if channel == Channel::Text { segments(&message.said.body) } else { 1 };
                if !tokens.take(n_segments) {
                    turn.wait = Some(tokens.wait(n_segments));
                    break;
                }
                addresses.insert(owed.address.clone());
                commit(tx, relay, (&message, &sender), n_segments, now)?;
                turn.messages.push(*message);
            }
        }
    }
    tokens.put(tx)?;
    // There may be more, or what was deferred made room.
    turn.wait = turn.wait.or(Some(Duration::from_millis(5)));
    Ok(turn)
}

/// A notice and all that is known of where it goes.
struct Owed {
    id: String,
    kind: Kind,
    county: String,
    election: Option<String>,
    channel: Channel,
    address: String,
    language: String,
    more: BTreeMap<String, String>,
    happened_at: Micros,
    not_after: Micros,
    name: Option<(String, String)>,
    contact: Option<String>,
    bulk: Option<String>,
    bulk_state: Option<String>,
    /// The statuses that its bulk is about, and the ballot's own.
    bulk_statuses: Option<String>,
    ballot_status: Option<String>,
    timezone: Option<String>,
    hours: Option<Hours>,
}

fn read(tx: &mut Tx<'_>, id: &str) -> Result<Option<Owed>, StoreError> {
    let row = tx.row(
        "SELECT n.id, n.kind, n.county, n.election, n.channel, n.address, n.language, n.fields,
         n.happened_at, n.not_after, v.first_name, v.last_name, c.state, n.bulk, b.state, e.timezone,
         e.from_minute, e.until_minute, b.statuses, s.status
         FROM notice n
         LEFT JOIN voter v ON v.county = n.county AND v.voter = n.voter AND v.confidential = 0
         LEFT JOIN contact c ON c.id = n.contact AND c.address = n.address
         LEFT JOIN enrolment e ON e.county = n.county AND e.voter = n.voter AND e.ended_at IS NULL
         LEFT JOIN bulk b ON b.id = n.bulk
         LEFT JOIN ballot s ON s.county = n.county AND s.election = n.election AND s.ballot = n.ballot
         WHERE n.id = $1",
        params![id],
    )?;
    row.as_ref().map(owed).transpose()
}

fn owed(row: &Row) -> Result<Owed, StoreError> {
    let minute = |column| {
        Ok::<_, StoreError>(row.maybe_int(column)?.and_then(|minute| u32::try_from(minute).ok()))
    };
    Ok(Owed {
        id: row.text(0)?,
        kind: Kind::from_name(&row.text(1)?).ok_or(StoreError::Column(1))?,
        county: row.text(2)?,
        election: row.maybe_text(3)?,
        channel: Channel::from_name(&row.text(4)?).ok_or(StoreError::Column(4))?,
        address: row.text(5)?,
        language: row.text(6)?,
        more: serde_json::from_str(&row.text(7)?).unwrap_or_default(),
        happened_at: row.at(8)?,
        not_after: row.at(9)?,
        name: row.maybe_text(10)?.zip(row.maybe_text(11)?),
        contact: row.maybe_text(12)?,
        bulk: row.maybe_text(13)?,
        bulk_state: row.maybe_text(14)?,
        bulk_statuses: row.maybe_text(18)?,
        ballot_status: row.maybe_text(19)?,
        timezone: row.maybe_text(15)?,
        hours: minute(16)?.zip(minute(17)?).map(|(from, until)| Hours { from, until }),
    })
}

/// What is to become of a notice.
enum Verdict {
    Now(Box<Message>),
    Later(Micros, String),
    Never(&'static str, String),
}

fn never(state: &'static str, why: &str) -> Verdict {
    Verdict::Never(state, why.to_owned())
}

fn wait_until(at: Micros, why: &str) -> Verdict {
    Verdict::Later(at, why.to_owned())
}

fn judge(
    tx: &mut Tx<'_>,
    relay: &Relay,
    owed: &Owed,
    taken: &mut HashSet<String>,
    now: Micros,
) -> Result<Verdict, StoreError> {
    if now > owed.not_after {
        return Ok(never("too_late", "not_after"));
    }
    let Some(county) = relay.config.county(&owed.county) else {
        return unsaid(tx, owed, "the county is not configured", now);
    };
    if let Some(refusal) = unwanted(tx, owed)? {
        return Ok(refusal);
    }
    let mut valid_for = owed.not_after.since(now).min(VALID_MAX);
    if owed.channel != Channel::Email && !owed.kind.is_answer() {
        let (hours, zone) = hours(county, owed);
        if !hours.allow(now, &zone) {
            return Ok(wait_until(hours.next(now, &zone), "hours"));
        }
        valid_for = valid_for.min(hours.left(now, &zone));
    }
    if owed.channel != Channel::Email {
        if taken.contains(&owed.address) {
            return Ok(wait_until(now.plus(ADDRESS_WAIT), "address"));
        }
        if let Some(wait) = address_wait(tx, relay, owed, now)? {
            return Ok(wait);
        }
    }
    let language = Templates::language(county, &owed.language);
    let said =
        relay.templates.say(county, language, (owed.kind, owed.channel), &facts(relay, owed));
    match said {
        Ok(said) => Ok(Verdict::Now(Box::new(Message {
            attempt: new_id(now),
            notice: owed.id.clone(),
            kind: owed.kind,
            channel: owed.channel,
            address: owed.address.clone(),
            language: language.to_owned(),
            said,
            valid_for,
            at: now,
        }))),
        Err(error) => unsaid(tx, owed, &error.to_string(), now),
    }
}

/// The office hears of it, and the notice waits for the words, while it is worth it.
fn unsaid(tx: &mut Tx<'_>, owed: &Owed, why: &str, now: Micros) -> Result<Verdict, StoreError> {
    cannot_say(tx, (&owed.county, owed.kind), why, now)?;
    let again = now.plus(WORDS_WAIT);
    Ok(if again > owed.not_after { never("ours", why) } else { wait_until(again, why) })
}

/// Whether the voter, or the office, does not want it any more, or it is no longer so.
fn unwanted(tx: &mut Tx<'_>, owed: &Owed) -> Result<Option<Verdict>, StoreError> {
    if let Some(why) = suppressed(tx, owed.channel, &owed.address)? {
        // Who ended the e-mails can still sign in, and who ended the calls is called with a code for the own number; who said STOP is not
        // texted again.
        let may = owed.kind.is_answer()
            && (why == "unsubscribed"
                || (yields_to_code(owed.channel, &why) && is_own(tx, &owed.id)?));
        if !may {
            return Ok(Some(Verdict::Never("opted_out", why)));
        }
    }
    if owed.name.is_none() {
        // No such voter, or nothing may be known of them.
        return Ok(Some(never("withdrawn", "voter")));
    }
    match owed.contact.as_deref() {
        Some("confirmed") => {}
        _ if owed.kind.is_answer() => {}
        Some("parked" | "pending") => return Ok(Some(never("bad_address", "contact"))),
        _ => return Ok(Some(never("opted_out", "contact"))),
    }
    if !owed.kind.is_answer() && owed.hours.is_none() {
        return Ok(Some(never("withdrawn", "enrolment")));
    }
    if let Some(why) = overtaken(tx, &owed.id)? {
        return Ok(Some(never("withdrawn", why)));
    }
    let is_stopped = owed.bulk.is_some()
        && !matches!(owed.bulk_state.as_deref(), Some("released" | "running" | "done"));
    if is_stopped {
        return Ok(Some(never("withdrawn", "bulk")));
    }
    // The ballot may have come back since the reminder was written out.
    let is_past = owed.kind == Kind::Reminder
        && !owed
            .bulk_statuses
            .as_deref()
            .unwrap_or_default()
            .split(',')
            .any(|status| owed.ballot_status.as_deref() == Some(status));
    Ok(is_past.then(|| never("withdrawn", "ballot")))
}

/// Whether a notice goes to a contact of its voter's own.
fn is_own(tx: &mut Tx<'_>, notice: &str) -> Result<bool, StoreError> {
    let n = tx.count(
        "SELECT COUNT(*) FROM notice n JOIN contact c ON c.county = n.county AND c.voter = n.voter
         AND c.channel = n.channel AND c.address = n.address WHERE n.id = $1",
        params![notice],
    )?;
    Ok(n > 0)
}

/// The hours in which the voter may be texted or called, and their zone.
fn hours(county: &County, owed: &Owed) -> (Hours, TimeZone) {
    let allowed = Hours { from: county.contact_from, until: county.contact_until };
    let zone = owed.timezone.as_deref().and_then(|name| TimeZone::get(name).ok());
    (owed.hours.unwrap_or(allowed).within(allowed), zone.unwrap_or_else(|| county.zone()))
}

/// One message at a time to one address, and not too many an hour. One at a time, so that a list by recipient tells which one it shows, and
/// a voter's in the order in which they were owed.
fn address_wait(
    tx: &mut Tx<'_>,
    relay: &Relay,
    owed: &Owed,
    now: Micros,
) -> Result<Option<Verdict>, StoreError> {
    let row = tx.row(
        "SELECT COUNT(*), CAST(COALESCE(SUM(CASE WHEN state IN ('calling', 'unknown') THEN 1 ELSE 0 END), 0)
         AS BIGINT) FROM attempt WHERE channel = $1 AND address = $2 AND started_at > $3",
        params![owed.channel.name(), &owed.address, now.minus(HOUR)],
    )?;
    let Some(row) = row else { return Ok(None) };
    let (n_lately, n_open) = (row.int(0)?, row.int(1)?);
    Ok(if n_open > 0 || is_behind(tx, owed, now)? {
        Some(wait_until(now.plus(ADDRESS_WAIT), "address"))
    } else if n_lately >= i64::from(relay.config.sending.per_address_hour) {
        Some(wait_until(now.plus(CAP_WAIT), "address limit"))
    } else {
        None
    })
}

/// Whether an earlier one to the same voter waits for the same address. One that waits for something else holds up nothing.
fn is_behind(tx: &mut Tx<'_>, owed: &Owed, now: Micros) -> Result<bool, StoreError> {
    let n = tx.count(
        "SELECT COUNT(*) FROM notice n JOIN notice o ON o.address = n.address AND o.channel = n.channel
         AND o.county = n.county AND o.voter = n.voter AND o.priority <= n.priority AND o.id < n.id
         WHERE n.id = $1 AND o.state = 'owed' AND (o.next_at <= $2 OR o.why IN ('address', 'address limit'))",
        params![&owed.id, now],
    )?;
    Ok(n > 0)
}

fn facts(relay: &Relay, owed: &Owed) -> Facts {
    let url = &relay.config.public_url;
    let link = |path: &str, purpose| {
        format!("{url}/{path}/{}/{}", owed.id, relay.config.keys.tag(purpose, &owed.id))
    };
    let mut more = owed.more.clone();
    if let Some(id) = more.remove("code_id") {
        more.insert("code".to_owned(), relay.config.keys.one_time_code(&id));
    }
    Facts {
        name: owed.name.clone(),
        election: owed.election.clone(),
        happened_at: Some(owed.happened_at),
        status_url: format!("{url}/me"),
        not_me_url: link("not-me", Purpose::NotMe),
        unsubscribe_url: link("unsubscribe", Purpose::Unsubscribe),
        more,
    }
}

fn commit(
    tx: &mut Tx<'_>,
    relay: &Relay,
    (message, sender): (&Message, &Sender),
    n_segments: u32,
    now: Micros,
) -> Result<(), StoreError> {
    let number = tx.count(
        "SELECT COALESCE(MAX(number), 0) + 1 FROM attempt WHERE notice = $1",
        params![&message.notice],
    )?;
    // A list of calls does not show what was said.
    let body = (message.channel == Channel::Text).then(|| message.said.body.clone());
    tx.run(
        "INSERT INTO attempt (id, notice, number, channel, address, account, sender, state, body, segments,
         started_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'calling', $8, $9, $10)",
        params![
            &message.attempt,
            &message.notice,
            number,
            message.channel.name(),
            &message.address,
            &sender.account,
            &sender.name,
            body,
            n_segments,
            now,
        ],
    )?;
    tx.run(
        "UPDATE notice SET state = 'calling', why = NULL, next_at = $2, changed_at = $3 WHERE id = $1",
        params![&message.notice, now.plus(relay.config.sending.settle_after), now],
    )
    .map(drop)
}

fn later(tx: &mut Tx<'_>, id: &str, at: Micros, why: &str) -> Result<(), StoreError> {
    tx.run("UPDATE notice SET next_at = $2, why = $3 WHERE id = $1", params![id, at, why]).map(drop)
}

/// It is not sent here: the voter's next contact is tried, unless it was withdrawn.
pub(super) fn end(
    tx: &mut Tx<'_>,
    id: &str,
    state: &str,
    why: &str,
    now: Micros,
) -> Result<(), StoreError> {
    tx.run(
        "UPDATE notice SET state = $2, why = $3, changed_at = $4 WHERE id = $1",
        params![id, state, why, now],
    )?;
    next_contact(tx, id, now)
}
