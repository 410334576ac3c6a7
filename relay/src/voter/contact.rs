//! Where voters are reached. Several voters may share one address; each has a contact of their own there.

use super::VoterId;
use crate::clock::Micros;
use crate::id::new_id;
use crate::news::Channel;
use crate::params;
use crate::store::{Row, StoreError, Tx};

/// Longest address (RFC 5321, section 4.5.3.1.3, without its brackets).
const EMAIL_BYTES_MAX: usize = 254;
/// Longest name of a mailbox (section 4.5.3.1.1).
const MAILBOX_BYTES_MAX: usize = 64;
/// Digits of a number of the North American Numbering Plan.
const NANP_DIGITS: usize = 10;
/// Area codes of the plan that are not in the United States or its territories, nor in Canada.
const FOREIGN_AREAS: [&str; 21] = [
    "242", "246", "264", "268", "284", "345", "441", "473", "649", "658", "664", "721", "758",
    "767", "784", "809", "829", "849", "868", "869", "876",
];
/// Area codes that cost the called party's or the caller's money, or are no subscriber's.
const SPECIAL_AREAS: [&str; 9] = ["900", "976", "800", "833", "844", "855", "866", "877", "888"];

/// One way to reach a voter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Its id.
    pub id: String,
    /// By which channel.
    pub channel: Channel,
    /// The normalized address.
    pub address: String,
    /// pending, confirmed, off or parked.
    pub state: String,
    /// Why it is off or parked.
    pub why: Option<String>,
    /// Whether it gets every notice; else only what the others could not be told.
    pub is_first: bool,
    /// Since when somebody is known to be there: entered a code that was sent there, or answered.
    pub proven_at: Option<Micros>,
}

/// The address as it is stored and compared; nothing when it is none of that channel.
pub fn normalized(channel: Channel, address: &str) -> Option<String> {
    match channel {
        Channel::Email => normalized_email(address),
        Channel::Text | Channel::Voice => normalized_phone(address),
    }
}

/// An e-mail address in lower case, if it is one that a header and a command can carry.
pub fn normalized_email(address: &str) -> Option<String> {
    let address = address.trim().to_lowercase();
    let (mailbox, host) = address.rsplit_once('@')?;
    let is_mailbox = !mailbox.is_empty()
        && mailbox.len() <= MAILBOX_BYTES_MAX
        && mailbox
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&b))
        && !mailbox.contains("..")
        && !mailbox.starts_with('.')
        && !mailbox.ends_with('.');
    let labels: Vec<_> = host.split('.').collect();
    let is_host = labels.len() >= 2
        && labels.iter().all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
        && labels
            .last()
            .is_some_and(|top| top.len() >= 2 && !top.bytes().all(|b| b.is_ascii_digit()));
    (address.len() <= EMAIL_BYTES_MAX && is_mailbox && is_host).then_some(address)
}

/// A number of the United States in E.164: `+13035550100`.
pub fn normalized_phone(number: &str) -> Option<String> {
    let number = number.trim();
    if !number.chars().all(|c| c.is_ascii_digit() || " ()-.+".contains(c)) {
        return None;
    }
    let is_international = number.starts_with('+');
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let national = match (digits.len(), digits.strip_prefix('1')) {
        (NANP_DIGITS, _) if !is_international => digits.as_str(),
        (11, Some(rest)) => rest,
        _ => return None,
    };
    let (area, rest) = national.split_at_checked(3)?;
    let is_open = |part: &str| !part.starts_with(['0', '1']);
    let may = is_open(area)
        && is_open(rest)
        && !FOREIGN_AREAS.contains(&area)
        && !SPECIAL_AREAS.contains(&area)
        && !area.ends_with("11");
    may.then(|| format!("+1{national}"))
}

/// A voter's contacts, first ones first.
pub fn contacts(tx: &mut Tx<'_>, id: &VoterId) -> Result<Vec<Contact>, StoreError> {
    let rows = tx.rows(
        "SELECT id, channel, address, state, why, first, proven_at FROM contact
         WHERE county = $1 AND voter = $2 ORDER BY first DESC, created_at, id",
        params![&id.county, &id.voter],
    )?;
    rows.iter().map(contact).collect()
}

fn contact(row: &Row) -> Result<Contact, StoreError> {
    Ok(Contact {
        id: row.text(0)?,
        channel: Channel::from_name(&row.text(1)?).ok_or(StoreError::Column(1))?,
        address: row.text(2)?,
        state: row.text(3)?,
        why: row.maybe_text(4)?,
        is_first: row.is(5)?,
        proven_at: row.maybe_at(6)?,
    })
}

/// Adds a contact that waits to be confirmed; its id. One that is there already is pending again unless it is confirmed.
pub fn add_contact(
    tx: &mut Tx<'_>,
    id: &VoterId,
    (channel, address): (Channel, &str),
    is_first: FirstOrNext,
    now: Micros,
) -> Result<String, StoreError> {
    tx.run(
        "INSERT INTO contact (id, county, voter, channel, address, state, first, created_at, changed_at)
         VALUES ($1, $2, $3, $4, $5, 'pending', $6, $7, $7)
         ON CONFLICT (county, voter, channel, address) DO UPDATE SET first = excluded.first,
         state = CASE WHEN contact.state = 'confirmed' THEN 'confirmed' ELSE 'pending' END,
         why = NULL, changed_at = excluded.changed_at",
        params![
            new_id(now),
            &id.county,
            &id.voter,
            channel.name(),
            address,
            is_first == FirstOrNext::First,
            now,
        ],
    )?;
    let row = tx.row(
        "SELECT id FROM contact WHERE county = $1 AND voter = $2 AND channel = $3 AND address = $4",
        params![&id.county, &id.voter, channel.name(), address],
    )?;
    row.ok_or(StoreError::Column(0))?.text(0)
}

/// Whether a contact gets every notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstOrNext {
    /// Every one.
    First,
    /// Only what could not be said at the first ones.
    Next,
}

/// Somebody is there: a code that was sent there was entered. It waits for its YES still.
pub fn prove(tx: &mut Tx<'_>, contact: &str, now: Micros) -> Result<(), StoreError> {
    let sql = "UPDATE contact SET proven_at = COALESCE(proven_at, $2) WHERE id = $1";
    tx.run(sql, params![contact, now]).map(drop)
}

/// The voter was shown these words, and is asked for a YES.
pub fn show(tx: &mut Tx<'_>, contact: &str, words: &str) -> Result<(), StoreError> {
    let sql = "UPDATE contact SET consent_words = $2 WHERE id = $1 AND state = 'pending'";
    tx.run(sql, params![contact, words]).map(drop)
}

/// The voter answered with that word at the contact: a consent in the words that were shown before.
pub fn answer(tx: &mut Tx<'_>, contact: &str, word: &str, now: Micros) -> Result<(), StoreError> {
    let row = tx.row("SELECT consent_words FROM contact WHERE id = $1", params![contact])?;
    let shown = row.map_or(Ok(None), |row| row.maybe_text(0))?.unwrap_or_default();
    let words = match shown.as_str() {
        "" => word.to_owned(),
        shown if shown.ends_with(word) => shown.to_owned(),
        shown => format!("{shown} / {word}"),
    };
    confirm(tx, contact, ("reply", &words), now)
}

/// Consents at the address end, of that voter or of everybody; they stay on record.
pub(crate) fn end_consents(
    tx: &mut Tx<'_>,
    of: Option<&VoterId>,
    (channel, address): (Channel, &str),
    how: &str,
    now: Micros,
) -> Result<(), StoreError> {
    let mut values = params![channel.name(), address, now, how].to_vec();
    let own = match of {
        Some(VoterId { county, voter }) => {
            values.extend([county.into(), voter.into()]);
            "AND county = $5 AND voter = $6"
        }
        None => "",
    };
    let sql = format!(
        "UPDATE consent SET ended_at = $3, ended_how = $4
         WHERE channel = $1 AND address = $2 AND ended_at IS NULL {own}"
    );
    tx.run(&sql, &values).map(drop)
}

/// The voter consented, in these words and in this way.
pub fn confirm(
    tx: &mut Tx<'_>,
    contact: &str,
    (how, words): (&str, &str),
    now: Micros,
) -> Result<(), StoreError> {
    tx.run(
        "UPDATE contact SET state = 'confirmed', why = NULL, consented_at = $2, consent_how = $3,
         consent_words = $4, changed_at = $2, proven_at = COALESCE(proven_at, $2) WHERE id = $1",
        params![contact, now, how, words],
    )?;
    let row = tx.row(
        "SELECT county, voter, channel, address FROM contact WHERE id = $1",
        params![contact],
    )?;
    let Some(row) = row else { return Ok(()) };
    tx.run(
        "INSERT INTO consent (id, county, voter, channel, address, how, words, given_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            new_id(now),
            row.text(0)?,
            row.text(1)?,
            row.text(2)?,
            row.text(3)?,
            how,
            words,
            now,
        ],
    )
    .map(drop)
}

/// Nothing more goes there: `off` by the voter's wish, `parked` because nothing arrives.
pub fn set_off(
    tx: &mut Tx<'_>,
    contact: &str,
    (state, why): (&str, &str),
    now: Micros,
) -> Result<(), StoreError> {
    tx.run(
        "UPDATE contact SET state = $2, why = $3, changed_at = $4 WHERE id = $1",
        params![contact, state, why, now],
    )
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_united_states() {
        for (written, expected) in [
            ("(303) 555-0100", Some("+13035550100")),
            ("+1 303.555.0100", Some("+13035550100")),
            ("13035550100", Some("+13035550100")),
            ("+3035550100", None),
            ("+44 20 7946 0000", None),
            ("303555010", None),
            ("1035550100", None),
            ("303-055-0100", None),
            ("(876) 555-0100", None),
            ("658 555 0100", None),
            ("809 555 0100", None),
            ("829 555 0100", None),
            ("849 555 0100", None),
            ("684 633 0100", Some("+16846330100")),
            ("340 555 0100", Some("+13405550100")),
            ("900 555 0100", None),
            ("303 555 0100 ext 2", None),
            ("303\n555 0100", None),
        ] {
            assert_eq!(normalized_phone(written).as_deref(), expected, "{written}");
        }
    }

    #[test]
    fn an_address_that_a_header_cannot_carry_is_none() {
        for (written, expected) in [
            (" Ana.Diaz+vote@Example.ORG ", Some("ana.diaz+vote@example.org")),
            ("a@b@example.org", None),
            ("ana@example", None),
            ("ana@-example.org", None),
            ("ana@example.org\r\nBcc: x@example.org", None),
            ("\"ana\"@example.org", None),
            ("ana..d@example.org", None),
            ("ana@exa mple.org", None),
            ("ana@192.0.2.1", None),
            ("@example.org", None),
        ] {
            assert_eq!(normalized_email(written).as_deref(), expected, "{written}");
        }
    }
}
