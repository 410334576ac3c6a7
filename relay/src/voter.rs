//! Voters: how they are found by what they say of themselves, where they are reached, what they want.
//!
//! A confidential voter is kept by id only. No name leads to them, nothing is owed to them, and every answer about them is the
//! answer about somebody unknown.

mod contact;

pub(crate) use contact::end_consents;
pub use contact::{
    Contact, FirstOrNext, add_contact, answer, confirm, contacts, normalized, normalized_email,
    normalized_phone, prove, set_off, show,
};

use crate::clock::Micros;
use crate::key::{Keys, Purpose};
use crate::news::Kind;
use crate::params;
use crate::store::{StoreError, Tx};
use jiff::civil::Date;

/// Longest name that is taken.
const NAME_CHARACTERS_MAX: usize = 100;

/// A voter, as the county numbers them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VoterId {
    /// The county's id.
    pub county: String,
    /// The voter's.
    pub voter: String,
}

/// A row of the voter file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voter {
    /// The voter.
    pub id: VoterId,
    /// First name, as it is written in messages.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// [`identity`]; empty of a confidential voter.
    pub identity: String,
    /// Whether nothing may be known of them.
    pub is_confidential: bool,
}

/// What a voter who signed up wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// Language of messages.
    pub language: String,
    /// Their time zone's name.
    pub timezone: String,
    /// Texts and calls come from this minute of their day on.
    pub from_minute: u32,
    /// Until before this one.
    pub until_minute: u32,
    /// What they want to hear of.
    pub kinds: Vec<Kind>,
}

/// What a voter is looked up by: names, birth date (`YYYY-MM-DD`) and ZIP code, without regard to case, accents, hyphens and
/// spaces. Nothing when one of them is none.
pub fn identity(keys: &Keys, names: (&str, &str), birth_date: &str, zip: &str) -> Option<String> {
    let (first, last) = (plain(names.0)?, plain(names.1)?);
    let birth_date: Date = birth_date.trim().parse().ok()?;
    let zip: String = zip.chars().filter(char::is_ascii_digit).take(5).collect();
    if zip.len() != 5 {
        return None;
    }
    Some(keys.look_up(Purpose::Identity, &format!("{last}|{first}|{birth_date}|{zip}")))
}

/// The letters of a name in lower case, without their accents.
fn plain(name: &str) -> Option<String> {
    if name.chars().count() > NAME_CHARACTERS_MAX {
        return None;
    }
    let plain: String = name
        .chars()
        .flat_map(char::to_lowercase)
        .filter(|c| c.is_alphanumeric())
        .map(base)
        .collect();
    (!plain.is_empty()).then_some(plain)
}

/// The letter without its accent, of those that names in the counties' files have.
fn base(letter: char) -> char {
    const BASES: [(&str, char); 8] = [
        ("\u{e0}\u{e1}\u{e2}\u{e3}\u{e4}\u{e5}", 'a'),
        ("\u{e8}\u{e9}\u{ea}\u{eb}", 'e'),
        ("\u{ec}\u{ed}\u{ee}\u{ef}", 'i'),
        ("\u{f2}\u{f3}\u{f4}\u{f5}\u{f6}\u{f8}", 'o'),
        ("\u{f9}\u{fa}\u{fb}\u{fc}", 'u'),
        ("\u{f1}", 'n'),
        ("\u{e7}", 'c'),
        ("\u{fd}\u{ff}", 'y'),
    ];
    BASES.iter().find(|(accented, _)| accented.contains(letter)).map_or(letter, |(_, base)| *base)
}

/// The one voter with that [`identity`], if there is exactly one and nothing about them is confidential. The same query whatever
/// is found.
pub fn find(tx: &mut Tx<'_>, identity: &str) -> Result<Option<VoterId>, StoreError> {
    let found = tx.rows(
        "SELECT county, voter FROM voter WHERE identity = $1 AND confidential = 0 LIMIT 2",
        params![identity],
    )?;
    match found.as_slice() {
        [row] => Ok(Some(VoterId { county: row.text(0)?, voter: row.text(1)? })),
        _ => Ok(None),
    }
}

/// The voter's row, unless nothing may be known of them.
pub fn voter(tx: &mut Tx<'_>, id: &VoterId) -> Result<Option<Voter>, StoreError> {
    let found = tx.row(
        "SELECT first_name, last_name, identity FROM voter
         WHERE county = $1 AND voter = $2 AND confidential = 0",
        params![&id.county, &id.voter],
    )?;
    found
        .map(|row| {
            Ok(Voter {
                id: id.clone(),
                first_name: row.text(0)?,
                last_name: row.text(1)?,
                identity: row.text(2)?,
                is_confidential: false,
            })
        })
        .transpose()
}

/// Takes over a row of the voter file. A voter who became confidential loses name, enrolment and contacts at once.
pub fn put(tx: &mut Tx<'_>, voter: &Voter, now: Micros) -> Result<(), StoreError> {
    let Voter { id, first_name, last_name, identity, is_confidential } = voter;
    let (first_name, last_name, identity) = if *is_confidential {
        ("", "", "")
    } else {
        (first_name.as_str(), last_name.as_str(), identity.as_str())
    };
    tx.run(
        "INSERT INTO voter (county, voter, first_name, last_name, identity, confidential, imported_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (county, voter) DO UPDATE SET first_name = excluded.first_name,
         last_name = excluded.last_name, identity = excluded.identity,
         confidential = excluded.confidential, imported_at = excluded.imported_at",
        params![&id.county, &id.voter, first_name, last_name, identity, *is_confidential, now],
    )?;
    if *is_confidential {
        forget(tx, id, now)?;
    }
    Ok(())
}

fn forget(tx: &mut Tx<'_>, id: &VoterId, now: Micros) -> Result<(), StoreError> {
    let own = params![&id.county, &id.voter];
    tx.run("DELETE FROM enrolment WHERE county = $1 AND voter = $2", own)?;
    forget_contacts(tx, id, "confidential", now)?;
    tx.run("UPDATE consent SET address = '' WHERE county = $1 AND voter = $2", own).map(drop)
}

/// A voter's contacts are removed, with codes and sessions, and what is owed there is not sent. Consents stay on record.
pub(crate) fn forget_contacts(
    tx: &mut Tx<'_>,
    id: &VoterId,
    why: &str,
    now: Micros,
) -> Result<(), StoreError> {
    for table in ["contact", "one_time_code"] {
        tx.run(
            &format!("DELETE FROM {table} WHERE county = $1 AND voter = $2"),
            params![&id.county, &id.voter],
        )?;
    }
    tx.run(
        "DELETE FROM session WHERE role = 'voter' AND county = $1 AND subject = $2",
        params![&id.county, &id.voter],
    )?;
    for sql in [
        "UPDATE notice SET state = 'withdrawn', why = $4, changed_at = $3
         WHERE county = $1 AND voter = $2 AND state = 'owed'",
        "UPDATE consent SET ended_at = $3, ended_how = $4
         WHERE county = $1 AND voter = $2 AND ended_at IS NULL",
    ] {
        tx.run(sql, params![&id.county, &id.voter, now, why])?;
    }
    Ok(())
}

/// Signs a voter up, or changes what they want; who ended all notices stays so. Whether they may: nobody signs up a confidential voter.
pub fn enrol(
    tx: &mut Tx<'_>,
    id: &VoterId,
    wanted: &Enrolment,
    now: Micros,
) -> Result<bool, StoreError> {
    if voter(tx, id)?.is_none() {
        return Ok(false);
    }
    let kinds: Vec<_> = wanted.kinds.iter().map(|kind| kind.name()).collect();
    tx.run(
        "INSERT INTO enrolment (county, voter, language, timezone, from_minute, until_minute, kinds,
         enrolled_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
         ON CONFLICT (county, voter) DO UPDATE SET language = excluded.language,
         timezone = excluded.timezone, from_minute = excluded.from_minute,
         until_minute = excluded.until_minute, kinds = excluded.kinds,
         changed_at = excluded.changed_at",
        params![
            &id.county,
            &id.voter,
            &wanted.language,
            &wanted.timezone,
            wanted.from_minute,
            wanted.until_minute,
            kinds.join(","),
            now,
        ],
    )?;
    Ok(true)
}

/// What the voter wants, if they are signed up and did not end it.
pub fn enrolment(tx: &mut Tx<'_>, id: &VoterId) -> Result<Option<Enrolment>, StoreError> {
    wanted(tx, id, "AND ended_at IS NULL")
}

/// What the voter wants, or wanted when they ended it.
pub fn wishes(tx: &mut Tx<'_>, id: &VoterId) -> Result<Option<Enrolment>, StoreError> {
    wanted(tx, id, "")
}

fn wanted(tx: &mut Tx<'_>, id: &VoterId, which: &str) -> Result<Option<Enrolment>, StoreError> {
    let sql = format!(
        "SELECT language, timezone, from_minute, until_minute, kinds FROM enrolment
         WHERE county = $1 AND voter = $2 {which}"
    );
    let found = tx.row(&sql, params![&id.county, &id.voter])?;
    let Some(row) = found else { return Ok(None) };
    let minute = |column| Ok(u32::try_from(row.int(column)?).unwrap_or(0));
    Ok(Some(Enrolment {
        language: row.text(0)?,
        timezone: row.text(1)?,
        from_minute: minute(2)?,
        until_minute: minute(3)?,
        kinds: row.text(4)?.split(',').filter_map(Kind::from_name).collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voter_is_found_however_the_name_is_written() {
        let keys = Keys::parse(&Keys::generate().unwrap()).unwrap();
        let of = |first, last, zip| identity(&keys, (first, last), "1980-02-29", zip);
        let stored = of("Jos\u{e9} Luis", "N\u{fa}\u{f1}ez-O'Brien", "80302");
        assert!(stored.is_some());
        assert_eq!(of("JOSE LUIS", "Nunez Obrien", "80302-1234"), stored);
        assert_eq!(of(" jose-luis ", "NU\u{d1}EZ OBRIEN", "80302"), stored);
        assert_ne!(of("Jose", "Nunez Obrien", "80302"), stored);
        assert_ne!(identity(&keys, ("Jose Luis", "Nunez Obrien"), "1980-03-01", "80302"), stored);
    }

    #[test]
    fn what_names_nobody_is_none() {
        let keys = Keys::parse(&Keys::generate().unwrap()).unwrap();
        let long = "x".repeat(101);
        for (first, birth_date, zip) in [
            ("", "1980-02-29", "80302"),
            ("--", "1980-02-29", "80302"),
            ("Ana", "1981-02-29", "80302"),
            ("Ana", "yesterday", "80302"),
            ("Ana", "1980-02-29", "8030"),
            (long.as_str(), "1980-02-29", "80302"),
        ] {
            assert_eq!(identity(&keys, (first, "Diaz"), birth_date, zip), None, "{first} {zip}");
        }
    }
}
