//! What is owed: one row for each cause and contact, made in the transaction of its cause.
//!
//! # States
//!
//! | state | meaning | who must act |
//! | --- | --- | --- |
//! | `owed` | to be sent from `next_at` on, not after `not_after` | nobody |
//! | `calling` | an attempt is committed and the provider is being called | nobody |
//! | `unknown` | the outcome of that call is not known; nothing is sent until it is | nobody |
//! | `sent` | the provider took it | nobody |
//! | `delivered` | the network says that it arrived at the number or mailbox | nobody |
//! | `bad_address` | it cannot arrive there | the voter |
//! | `try_later` | it did not arrive, as of a phone that is off | nobody: another channel, if there is one |
//! | `ours` | the relay or the provider's account is at fault | the office |
//! | `opted_out` | the voter stopped it | nobody |
//! | `too_late` | it was not sent before `not_after` | nobody |
//! | `withdrawn` | what it says is no longer so, or was never to be said | nobody |
//! | `unconfirmed` | no word came in time; a late one still corrects it | nobody |

use crate::alarm::{Alarm, raise};
use crate::clock::Micros;
use crate::config::Config;
use crate::id::new_id;
use crate::news::{Channel, Kind};
use crate::params;
use crate::store::{StoreError, Tx};
use crate::voter::VoterId;
use std::collections::BTreeMap;
use std::time::Duration;

/// A notice that was sent, or may have been.
pub const SENT_STATES: &str =
    "'calling', 'unknown', 'sent', 'delivered', 'try_later', 'unconfirmed'";

/// Which of a voter's contacts `c` hear first: the first ones, or all of them where no first one can be used.
pub(crate) const HEARS_FIRST: &str = "(c.first = 1 OR NOT EXISTS (SELECT 1 FROM contact f
    WHERE f.county = c.county AND f.voter = c.voter AND f.first = 1 AND f.state = 'confirmed'
    AND NOT EXISTS (SELECT 1 FROM suppression fs WHERE fs.channel = f.channel AND fs.address = f.address)))";

/// How long an answer to what somebody just did is worth sending: a code's own time.
pub const ANSWER_LASTS: Duration = Duration::from_mins(10);

/// What a voter is owed.
#[derive(Debug, Clone)]
pub struct Owed<'a> {
    /// What it is for: an id that is the same at every replay.
    pub cause: &'a str,
    /// What kind of news.
    pub kind: Kind,
    /// Whom.
    pub voter: &'a VoterId,
    /// About which election and ballot.
    pub about: Option<(&'a str, &'a str)>,
    /// The bulk that it belongs to.
    pub bulk: Option<&'a str>,
    /// Only those contacts that were sent this cause before, or may have been.
    pub heard: Option<&'a str>,
    /// Codes for the template: `reason`, `status`, `earlier`.
    pub more: BTreeMap<String, String>,
    /// When it happened.
    pub happened_at: Micros,
    /// From when it may be sent; it is worth sending until `not_after`.
    pub from: Micros,
    /// See there.
    pub not_after: Micros,
}

/// Owes a notice to each of the voter's first contacts, or to the next ones where no first one can be used, if they want that kind.
/// How many are new.
pub fn owe(tx: &mut Tx<'_>, owed: &Owed<'_>, now: Micros) -> Result<u64, StoreError> {
    let which = if owed.heard.is_some() { String::new() } else { format!("AND {HEARS_FIRST}") };
    owe_at(tx, owed, &which, now)
}

/// Owes it to the contacts that come after the first ones, unless one of the others has it, or still may. A bulk goes to those contacts
/// only for which it was counted.
fn owe_next(tx: &mut Tx<'_>, owed: &Owed<'_>, now: Micros) -> Result<u64, StoreError> {
    if owed.bulk.is_some() {
        return Ok(0);
    }
    // Two first contacts may fail at once, each in a transaction of its own: the second one waits, and sees that the first failed.
    let held = format!("SELECT 1 FROM voter WHERE county = $1 AND voter = $2{}", tx.for_update());
    tx.row(&held, params![&owed.voter.county, &owed.voter.voter])?;
    let alive = tx.count(
        "SELECT COUNT(*) FROM notice WHERE cause = $1 AND county = $2 AND voter = $3
         AND state IN ('owed', 'calling', 'unknown', 'sent', 'delivered', 'unconfirmed', 'withdrawn')",
        params![owed.cause, &owed.voter.county, &owed.voter.voter],
    )?;
    if alive > 0 { Ok(0) } else { owe_at(tx, owed, "AND c.first = 0", now) }
}

/// Why it is not to be said any more, if so: it was corrected, or the voter voted in person. What was on its way when that was said is
/// owed again only now, and a next contact is found only now.
pub(crate) fn overtaken(tx: &mut Tx<'_>, id: &str) -> Result<Option<&'static str>, StoreError> {
    let row = tx.row(
        "SELECT (SELECT COUNT(*) FROM ballot_news b WHERE b.county = n.county AND b.election = n.election
             AND b.ballot = n.ballot AND b.corrects = n.cause),
         (SELECT COUNT(*) FROM in_person p WHERE p.county = n.county AND p.election = n.election
             AND p.voter = n.voter)
         FROM notice n WHERE n.id = $1",
        params![id],
    )?;
    let Some(row) = row else { return Ok(None) };
    Ok(match (row.int(0)?, row.int(1)?) {
        (0, 0) => None,
        (0, _) => Some("voted_in_person"),
        _ => Some("corrected"),
    })
}

/// A notice ended without having been heard: the voter's next contacts are tried, while it is worth it.
pub(crate) fn next_contact(tx: &mut Tx<'_>, id: &str, now: Micros) -> Result<(), StoreError> {
    let row = tx.row(
        "SELECT cause, kind, county, voter, election, ballot, bulk, fields, happened_at, not_after
         FROM notice WHERE id = $1",
        params![id],
    )?;
    let Some(row) = row else { return Ok(()) };
    let kind = Kind::from_name(&row.text(1)?).ok_or(StoreError::Column(1))?;
    let not_after = row.at(9)?;
    if kind.is_answer() || now > not_after || overtaken(tx, id)?.is_some() {
        return Ok(());
    }
    let (cause, voter) = (row.text(0)?, VoterId { county: row.text(2)?, voter: row.text(3)? });
    let (election, ballot, bulk) = (row.maybe_text(4)?, row.maybe_text(5)?, row.maybe_text(6)?);
    let owed = Owed {
        cause: &cause,
        kind,
        voter: &voter,
        about: election
            .as_deref()
            .map(|election| (election, ballot.as_deref().unwrap_or_default())),
        bulk: bulk.as_deref(),
        heard: None,
        more: serde_json::from_str(&row.text(7)?).unwrap_or_default(),
        happened_at: row.at(8)?,
        from: now,
        not_after,
    };
    owe_next(tx, &owed, now).map(drop)
}

fn owe_at(tx: &mut Tx<'_>, owed: &Owed<'_>, which: &str, now: Micros) -> Result<u64, StoreError> {
    let (election, ballot) = owed.about.unzip();
    // A retraction or a correction goes to whoever got what it is about, whatever they want to hear of.
    let wanted = match owed.kind {
        Kind::Correction | Kind::Retraction => "",
        _ => "AND (',' || e.kinds || ',') LIKE $5",
    };
    let heard = match owed.heard {
        None => String::new(),
        Some(_) => format!(
            "AND EXISTS (SELECT 1 FROM notice h WHERE h.contact = c.id AND h.cause = $5
             AND h.state IN ({SENT_STATES}))"
        ),
    };
    let sql = format!(
        "SELECT c.id, c.channel, c.address, e.language FROM contact c
         JOIN enrolment e ON e.county = c.county AND e.voter = c.voter AND e.ended_at IS NULL
         JOIN voter v ON v.county = c.county AND v.voter = c.voter AND v.confidential = 0
         WHERE c.county = $1 AND c.voter = $2 AND c.state = 'confirmed' {which}
         AND NOT EXISTS (SELECT 1 FROM notice n WHERE n.cause = $3 AND n.contact = c.id)
         AND NOT EXISTS (SELECT 1 FROM in_person p WHERE p.county = c.county AND p.voter = c.voter
             AND p.election = $4)
         AND NOT EXISTS (SELECT 1 FROM suppression s WHERE s.channel = c.channel
             AND s.address = c.address) {wanted} {heard} ORDER BY c.id"
    );
    let mut values =
        params![&owed.voter.county, &owed.voter.voter, owed.cause, election.unwrap_or_default(),]
            .to_vec();
    match owed.heard {
        // Who heard of it hears of its correction, so that no other condition needs the place.
        Some(cause) => values.push(cause.into()),
        None if !wanted.is_empty() => values.push(format!("%,{},%", owed.kind).into()),
        None => {}
    }
    let contacts = tx.rows(&sql, &values)?;
    let mut n_new = 0;
    for row in contacts {
        let contact = Place {
            contact: row.text(0)?,
            channel: Channel::from_name(&row.text(1)?).ok_or(StoreError::Column(1))?,
            address: row.text(2)?,
            language: row.text(3)?,
        };
        n_new += insert(tx, owed, (election, ballot), &contact, now)?;
    }
    Ok(n_new)
}

/// Where a notice goes.
struct Place {
    contact: String,
    channel: Channel,
    address: String,
    language: String,
}

fn insert(
    tx: &mut Tx<'_>,
    owed: &Owed<'_>,
    (election, ballot): (Option<&str>, Option<&str>),
    place: &Place,
    now: Micros,
) -> Result<u64, StoreError> {
    let priority: i64 = match owed.kind {
        kind if kind.is_answer() => 0,
        Kind::Reminder | Kind::Retraction => 2,
        _ => 1,
    };
    tx.run(
        "INSERT INTO notice (id, cause, kind, county, voter, election, ballot, bulk, contact, channel,
         address, language, fields, happened_at, created_at, priority, state, next_at, not_after, tries,
         timed_out, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
         $16, 'owed', $17, $18, 0, 0, $15) ON CONFLICT (cause, contact) DO NOTHING",
        params![
            new_id(now),
            owed.cause,
            owed.kind.name(),
            &owed.voter.county,
            &owed.voter.voter,
            election,
            ballot.filter(|ballot| !ballot.is_empty()),
            owed.bulk,
            &place.contact,
            place.channel.name(),
            &place.address,
            &place.language,
            fields(&owed.more),
            owed.happened_at,
            now,
            priority,
            owed.from.max(now),
            owed.not_after,
        ],
    )
}

/// The codes as they stand in a row.
fn fields(more: &BTreeMap<String, String>) -> String {
    // Texts by name always have a JSON form.
    serde_json::to_string(more).unwrap_or_else(|_| "{}".to_owned())
}

/// Owes a one-time code at once: its row is there, under `id`.
#[expect(clippy::too_many_arguments, reason = "what, to whom, where, in which words, when")]
pub fn owe_code(
    tx: &mut Tx<'_>,
    id: &str,
    voter: &VoterId,
    (channel, address): (Channel, &str),
    language: &str,
    now: Micros,
) -> Result<(), StoreError> {
    let more = BTreeMap::from([("code_id".to_owned(), id.to_owned())]);
    answer(tx, (id, Kind::Code), voter, (channel, address, language), more, now)
}

/// Asks at a contact whether it is wanted: YES to a text confirms it.
pub fn owe_confirm(
    tx: &mut Tx<'_>,
    voter: &VoterId,
    contact: &str,
    language: &str,
    now: Micros,
) -> Result<(), StoreError> {
    let row = tx.row(
        "SELECT channel, address FROM contact WHERE id = $1 AND county = $2 AND voter = $3",
        params![contact, &voter.county, &voter.voter],
    )?;
    let Some(row) = row else { return Ok(()) };
    let channel = Channel::from_name(&row.text(0)?).ok_or(StoreError::Column(0))?;
    let place = (channel, row.text(1)?);
    let place = (place.0, place.1.as_str(), language);
    answer(tx, (&new_id(now), Kind::Confirm), voter, place, BTreeMap::new(), now)
}

#[expect(clippy::too_many_arguments, reason = "what, to whom, where, with what, when")]
fn answer(
    tx: &mut Tx<'_>,
    (cause, kind): (&str, Kind),
    voter: &VoterId,
    (channel, address, language): (Channel, &str, &str),
    more: BTreeMap<String, String>,
    now: Micros,
) -> Result<(), StoreError> {
    let owed = Owed {
        cause,
        kind,
        voter,
        about: None,
        bulk: None,
        heard: None,
        more,
        happened_at: now,
        from: now,
        not_after: now.plus(ANSWER_LASTS),
    };
    let place = Place {
        // It may go to an address that is no contact yet.
        contact: String::new(),
        channel,
        address: address.to_owned(),
        language: language.to_owned(),
    };
    insert(tx, &owed, (None, None), &place, now).map(drop)
}

/// Withdraws what is still owed for a cause. How many had been sent, or may have been, by then.
pub fn withdraw(tx: &mut Tx<'_>, cause: &str, why: &str, now: Micros) -> Result<i64, StoreError> {
    tx.run(
        "UPDATE notice SET state = 'withdrawn', why = $2, changed_at = $3
         WHERE cause = $1 AND state = 'owed'",
        params![cause, why, now],
    )?;
    tx.count(
        &format!("SELECT COUNT(*) FROM notice WHERE cause = $1 AND state IN ({SENT_STATES})"),
        params![cause],
    )
}

/// A template that cannot be filled is the office's: nothing is sent until it can.
pub fn cannot_say(
    tx: &mut Tx<'_>,
    (county, kind): (&str, Kind),
    why: &str,
    now: Micros,
) -> Result<(), StoreError> {
    let what = format!(
        "A notice of the kind {kind} is not sent: {why}. Put the words or the data right: what is still worth sending is sent then."
    );
    raise(tx, Alarm { county, kind: "template", subject: kind.name(), what: &what }, now)
}

/// How long news of a ballot is worth sending. What a voter must act on is worth it until it is too late to act.
pub fn lasts_until(
    config: &Config,
    county: &str,
    election: &str,
    kind: Kind,
    now: Micros,
) -> Micros {
    let usual = now.plus(config.sending.news_lasts);
    let Some(county) = config.county(county) else { return usual };
    let Some(election) = county.elections.get(election) else { return usual };
    let end = match kind {
        Kind::NeedsAttention => election.cure_until.unwrap_or(election.receive_until),
        Kind::Mailed | Kind::OnItsWay | Kind::Undeliverable | Kind::Reminder => {
            election.receive_until
        }
        _ => return usual,
    };
    match crate::hours::instant(end, &county.zone()) {
        Some(end) if end > now => end,
        // After the end it is no use to the voter, but it is still the truth.
        _ => usual,
    }
}
