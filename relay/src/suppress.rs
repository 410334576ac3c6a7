//! What must not be sent to, whoever's it is, and what the words of a reply mean.
//!
//! The list is ours: a provider's own blocks stand behind one number of ours only. It is looked at in the transaction that commits an
//! attempt, so a STOP that was committed before is never overtaken.

use crate::alarm::{Alarm, raise};
use crate::clock::Micros;
use crate::news::Channel;
use crate::notice::next_contact;
use crate::params;
use crate::store::{StoreError, Tx};
use crate::voter::{answer, end_consents};
use std::time::Duration;

/// What "this wasn't me" is about: what was told in so long, an election's season.
const LATELY: Duration = Duration::from_hours(60 * 24);

/// Longest reply that is looked at.
const REPLY_CHARACTERS_MAX: usize = 1_600;

const STOP: [&str; 10] = [
    "stop",
    "stopall",
    "unsubscribe",
    "optout",
    "alto",
    "parar",
    "pare",
    "paren",
    "detener",
    "basta",
];
/// Words that are a stop where they stand first; beside "not me" they may speak of the ballot.
const STOP_FIRST: [&str; 10] = [
    "cancel",
    "end",
    "quit",
    "revoke",
    "cancelar",
    "baja",
    "terminar",
    "salir",
    "fin",
    "desuscribir",
];
const STOP_PHRASES: [&str; 8] = [
    "opt out",
    "no mas",
    "no more",
    "do not text",
    "dont text",
    "no me envien",
    "no envien",
    "leave me alone",
];
const HELP: [&str; 4] = ["help", "info", "ayuda", "informacion"];
const YES: [&str; 4] = ["yes", "y", "si", "confirmar"];
const START: [&str; 4] = ["start", "unstop", "comenzar", "iniciar"];
const NOT_ME: [&str; 14] = [
    "not me",
    "wasnt me",
    "was not me",
    "it wasnt me",
    "it was not me",
    "this wasnt me",
    "this was not me",
    "that wasnt me",
    "that was not me",
    "no fui yo",
    "no fui",
    "yo no fui",
    "esto no fui yo",
    "no era yo",
];
/// How such a reply begins in Spanish.
const SPANISH_PHRASES: [&str; 5] = ["no mas", "no fui", "yo no fui", "esto no fui", "no era yo"];
const SPANISH: [&str; 17] = [
    "alto",
    "parar",
    "pare",
    "paren",
    "detener",
    "basta",
    "cancelar",
    "baja",
    "terminar",
    "salir",
    "fin",
    "ayuda",
    "informacion",
    "si",
    "confirmar",
    "comenzar",
    "iniciar",
];

/// What a reply means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// No more.
    Stop,
    /// Again, after a stop.
    Start,
    /// Yes, texts are wanted.
    Yes,
    /// Who is this?
    Help,
    /// The ballot was not returned by the voter.
    NotMe,
    /// It was not, and no more.
    NotMeStop,
    /// Anything else.
    Other,
}

impl Reply {
    /// The name in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Yes => "yes",
            Self::Help => "help",
            Self::NotMe => "not_me",
            Self::NotMeStop => "not_me_stop",
            Self::Other => "other",
        }
    }

    /// Reads a reply, in English or Spanish. A stop is heard wherever it stands first, with whatever follows it; beside "not me" both are.
    pub fn of(text: &str) -> Self {
        let words = words(text);
        let first = words.split(' ').next().unwrap_or_default();
        let begins = |phrases: &[&str]| {
            phrases.iter().any(|phrase| {
                words
                    .strip_prefix(phrase)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
            })
        };
        let spaced = format!(" {words} ");
        let says =
            |phrases: &[&str]| phrases.iter().any(|phrase| spaced.contains(&format!(" {phrase} ")));
        if begins(&NOT_ME) {
            if says(&STOP) || says(&STOP_PHRASES) { Self::NotMeStop } else { Self::NotMe }
        } else if STOP.contains(&first) || STOP_FIRST.contains(&first) || begins(&STOP_PHRASES) {
            if says(&NOT_ME) { Self::NotMeStop } else { Self::Stop }
        } else if HELP.contains(&first) {
            Self::Help
        } else if START.contains(&first) {
            Self::Start
        } else if YES.contains(&first) {
            Self::Yes
        } else {
            Self::Other
        }
    }
}

/// Whether the reply is in Spanish.
pub fn is_spanish(text: &str) -> bool {
    let words = words(text);
    let first = words.split(' ').next().unwrap_or_default();
    SPANISH.contains(&first) || SPANISH_PHRASES.iter().any(|phrase| words.starts_with(phrase))
}

/// In lower case, without accents and signs, with one space between words.
fn words(text: &str) -> String {
    let plain: String = text
        .chars()
        .take(REPLY_CHARACTERS_MAX)
        .flat_map(char::to_lowercase)
        .filter_map(|c| match c {
            '\u{e1}' => Some('a'),
            '\u{e9}' => Some('e'),
            '\u{ed}' => Some('i'),
            '\u{f3}' => Some('o'),
            '\u{fa}' => Some('u'),
            '\'' | '\u{2019}' => None,
            c if c.is_alphanumeric() => Some(c),
            _ => Some(' '),
        })
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether nothing may go there, and why.
pub fn suppressed(
    tx: &mut Tx<'_>,
    channel: Channel,
    address: &str,
) -> Result<Option<String>, StoreError> {
    let row = tx.row(
        "SELECT why FROM suppression WHERE channel = $1 AND address = $2",
        params![channel.name(), address],
    )?;
    row.map(|row| row.text(0)).transpose()
}

/// Nothing more goes there, at once: what is owed there is opted out of and goes to the voter's next contacts, and every voter's contact
/// there is off.
pub fn suppress(
    tx: &mut Tx<'_>,
    (channel, address): (Channel, &str),
    why: &str,
    now: Micros,
) -> Result<(), StoreError> {
    tx.run(
        "INSERT INTO suppression (channel, address, why, since) VALUES ($1, $2, $3, $4)
         ON CONFLICT (channel, address) DO NOTHING",
        params![channel.name(), address, why, now],
    )?;
    tx.run(
        "UPDATE contact SET state = 'off', why = $3, changed_at = $4
         WHERE channel = $1 AND address = $2 AND state IN ('pending', 'confirmed')",
        params![channel.name(), address, why, now],
    )?;
    end_consents(tx, None, (channel, address), why, now)?;
    let waiting = tx.rows(
        "SELECT id FROM notice WHERE channel = $1 AND address = $2 AND state = 'owed'",
        params![channel.name(), address],
    )?;
    for row in waiting {
        let id = row.text(0)?;
        tx.run(
            "UPDATE notice SET state = 'opted_out', why = $2, changed_at = $3 WHERE id = $1",
            params![&id, why, now],
        )?;
        next_contact(tx, &id, now)?;
    }
    Ok(())
}

/// Whether the block yields to a code that is proven at the address, with renewed consent: the voter laid it, and has no other way to lift
/// it. A text's STOP is lifted by START, as the provider's own block is.
pub fn yields_to_code(channel: Channel, why: &str) -> bool {
    why == "unsubscribed" || (channel == Channel::Voice && why == "stop")
}

/// Somebody proved to be at the address, and consented anew: a block that yields is lifted. Contacts of other voters there stay off.
pub fn want_again(tx: &mut Tx<'_>, (channel, address): (Channel, &str)) -> Result<(), StoreError> {
    if suppressed(tx, channel, address)?.is_some_and(|why| yields_to_code(channel, &why)) {
        tx.run(
            "DELETE FROM suppression WHERE channel = $1 AND address = $2",
            params![channel.name(), address],
        )?;
    }
    Ok(())
}

/// The block that `stop` laid is lifted; contacts that it put off are confirmed again. What a voter turned off on the page stays off.
pub fn start_again(tx: &mut Tx<'_>, address: &str, now: Micros) -> Result<(), StoreError> {
    tx.run(
        "DELETE FROM suppression WHERE channel = 'text' AND address = $1 AND why IN ('stop', 'provider')",
        params![address],
    )?;
    let stopped = tx.rows(
        "SELECT id FROM contact WHERE channel = 'text' AND address = $1 AND state = 'off'
         AND why IN ('stop', 'provider') AND consented_at IS NOT NULL",
        params![address],
    )?;
    for contact in stopped {
        answer(tx, &contact.text(0)?, "START", now)?;
    }
    Ok(())
}

/// One-click unsubscribe from an e-mail: the address gets no more, at once. Whether there is such a notice; a second click changes nothing.
pub fn unsubscribe(tx: &mut Tx<'_>, notice: &str, now: Micros) -> Result<bool, StoreError> {
    let row =
        tx.row("SELECT address FROM notice WHERE id = $1 AND channel = 'email'", params![notice])?;
    let Some(row) = row else { return Ok(false) };
    suppress(tx, (Channel::Email, &row.text(0)?), "unsubscribed", now)?;
    Ok(true)
}

/// What a text message to us does. Nothing when it was heard before.
pub fn hear(
    tx: &mut Tx<'_>,
    (provider_id, from): (&str, &str),
    reply: Reply,
    now: Micros,
) -> Result<Option<Heard>, StoreError> {
    let is_new = tx.run(
        "INSERT INTO inbound (provider_id, meaning, received_at) VALUES ($1, $2, $3)
         ON CONFLICT (provider_id) DO NOTHING",
        params![provider_id, reply.name(), now],
    )?;
    if is_new == 0 {
        return Ok(None);
    }
    let owner = tx.row(
        "SELECT c.county, COALESCE(e.language, 'en') FROM contact c LEFT JOIN enrolment e
         ON e.county = c.county AND e.voter = c.voter
         WHERE c.channel = 'text' AND c.address = $1 ORDER BY c.created_at LIMIT 1",
        params![from],
    )?;
    let (county, language) = match owner {
        Some(row) => (Some(row.text(0)?), Some(row.text(1)?)),
        None => (None, None),
    };
    match reply {
        Reply::Stop => suppress(tx, (Channel::Text, from), "stop", now)?,
        Reply::Start => start_again(tx, from, now)?,
        Reply::Yes => {
            start_again(tx, from, now)?;
            let asked = tx.rows(
                "SELECT id FROM contact WHERE channel = 'text' AND address = $1 AND state = 'pending'",
                params![from],
            )?;
            for contact in &asked {
                answer(tx, &contact.text(0)?, "YES", now)?;
            }
            if !asked.is_empty() {
                want_again(tx, (Channel::Text, from))?;
            }
        }
        Reply::NotMe => not_me(tx, (Channel::Text, from), now)?,
        Reply::NotMeStop => {
            not_me(tx, (Channel::Text, from), now)?;
            suppress(tx, (Channel::Text, from), "stop", now)?;
        }
        Reply::Help | Reply::Other => {}
    }
    Ok(Some(Heard { county, language }))
}

/// What a key does that is pressed during a call. Nothing when there was no such call; pressed again, it changes nothing.
pub fn pressed(
    tx: &mut Tx<'_>,
    attempt: &str,
    reply: Reply,
    now: Micros,
) -> Result<Option<Heard>, StoreError> {
    let row = tx.row(
        "SELECT n.address, n.county, n.language FROM attempt a JOIN notice n ON n.id = a.notice
         WHERE a.id = $1 AND a.channel = 'voice'",
        params![attempt],
    )?;
    let Some(row) = row else { return Ok(None) };
    let place = (Channel::Voice, row.text(0)?);
    match reply {
        Reply::Stop => suppress(tx, (place.0, &place.1), "stop", now)?,
        Reply::NotMe => not_me(tx, (place.0, &place.1), now)?,
        _ => {}
    }
    Ok(Some(Heard { county: Some(row.text(1)?), language: Some(row.text(2)?) }))
}

/// Whose reply it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The county of the first contact at that number.
    pub county: Option<String>,
    /// The language that its voter chose.
    pub language: Option<String>,
}

/// "This wasn't me": an alarm about every ballot of which the address was told lately; where it was told of none, about each voter whose
/// contact it is.
fn not_me(
    tx: &mut Tx<'_>,
    (channel, address): (Channel, &str),
    now: Micros,
) -> Result<(), StoreError> {
    let told = tx.rows(
        "SELECT DISTINCT county, election || '/' || ballot FROM notice
         WHERE channel = $2 AND address = $1 AND ballot IS NOT NULL AND handed_at > $3",
        params![address, channel.name(), now.minus(LATELY)],
    )?;
    let about = if told.is_empty() {
        let voters =
            "SELECT DISTINCT county, voter FROM contact WHERE channel = $2 AND address = $1";
        tx.rows(voters, params![address, channel.name()])?
    } else {
        told
    };
    for row in &about {
        let (county, subject) = (row.text(0)?, row.text(1)?);
        let alarm = Alarm {
            county: &county,
            kind: "not_me",
            subject: &subject,
            what: "A voter answered: this wasn't me. If the ballot came back, set its envelope aside; call the voter.",
        };
        raise(tx, alarm, now)?;
    }
    tracing::warn!(about = about.len(), "Somebody answered: this wasn't me.");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_understood_as_people_write_it() {
        for (text, expected) in [
            ("STOP", Reply::Stop),
            (" stop please!", Reply::Stop),
            ("Stop.", Reply::Stop),
            ("No M\u{c1}S mensajes", Reply::Stop),
            ("\u{a1}Alto!", Reply::Stop),
            ("opt out", Reply::Stop),
            ("optional", Reply::Other),
            ("S\u{ed}", Reply::Yes),
            ("yes", Reply::Yes),
            ("yesterday", Reply::Other),
            ("START", Reply::Start),
            ("Ayuda", Reply::Help),
            ("That wasn't me", Reply::NotMe),
            ("This was not me", Reply::NotMe),
            ("Yo no fui", Reply::NotMe),
            ("this is me", Reply::Other),
            ("It wasn\u{2019}t me", Reply::NotMe),
            ("no fui yo", Reply::NotMe),
            ("Not me, STOP", Reply::NotMeStop),
            ("STOP this was not me", Reply::NotMeStop),
            ("No fui yo. \u{a1}No me env\u{ed}en m\u{e1}s!", Reply::NotMeStop),
            ("wasnt me, cancel that ballot", Reply::NotMe),
            ("", Reply::Other),
        ] {
            assert_eq!(Reply::of(text), expected, "{text}");
        }
        assert!(is_spanish("ALTO") && is_spanish("No m\u{e1}s") && !is_spanish("STOP"));
    }
}
