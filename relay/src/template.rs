//! What voters read and hear: one template for each county, language, kind of notice and channel.
//!
//! # Rules
//!
//! - A template that names a field which its kind does not have, or that is not there in a language which a county speaks, is refused
//!   when the relay starts. A field that has nothing in it is refused when a message is written: nothing is sent with a hole in it.
//! - What comes from outside (names) is cleaned: nothing steers a header, a terminal or a reading direction, and nothing in it is a link.
//! - A reason is one of a list, said in the reader's language. Free text of an operator is never sent: it may say anything.

mod words;

pub use words::{escaped, segments, spoken};

use crate::clock::Micros;
use crate::config::{Config, County};
use crate::hours::{instant, local};
use crate::news::{Channel, Kind};
use jiff::civil;
use jiff::tz::TimeZone;
use minijinja::{Environment, UndefinedBehavior};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;
use words::{Language, cleaned, unlinked};

/// The built-in languages.
const BUILT_IN: [(&str, &str); 2] =
    [("en", include_str!("template/en.toml")), ("es", include_str!("template/es.toml"))];
/// Longest text (the provider's own limit for a message in segments).
const TEXT_CHARACTERS_MAX: usize = 1_600;
/// Its segments, at most: 1,600 characters of 67 a segment. A sender's bucket holds as many.
pub const SEGMENTS_MAX: u32 = 24;
/// Longest spoken text: with its markup within the provider's 4,000.
const SPOKEN_CHARACTERS_MAX: usize = 1_500;
/// Longest body of an e-mail.
const EMAIL_CHARACTERS_MAX: usize = 20_000;

const EVERYWHERE: [&str; 2] = ["county", "phone"];
const OF_A_VOTER: [&str; 3] = ["first_name", "last_name", "status_url"];
const OF_A_BALLOT: [&str; 3] = ["election", "happened", "not_me_url"];

/// What is said, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Of an e-mail.
    pub subject: String,
    /// The text.
    pub body: String,
}

/// What is known when a message is written, as it stands in the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// First name and last name.
    pub name: Option<(String, String)>,
    /// The election's id.
    pub election: Option<String>,
    /// When it happened.
    pub happened_at: Option<Micros>,
    /// Status page, page of "this wasn't me", page that ends the e-mails.
    pub status_url: String,
    /// See there.
    pub not_me_url: String,
    /// See there.
    pub unsubscribe_url: String,
    /// What else the kind needs, by name: `reason`, `status`, `earlier`, `code`.
    pub more: BTreeMap<String, String>,
}

/// Why nothing can be said. It names the field, never what stands in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SayError {
    /// The county does not speak that language.
    #[error("there are no words in {0:?}")]
    Language(String),
    /// A field has nothing in it.
    #[error("the field {0} is empty")]
    Empty(&'static str),
    /// The county has no such election.
    #[error("the election is not configured")]
    Election,
    /// The template cannot be filled.
    #[error("the template of {0} cannot be filled")]
    Fill(String),
    /// What comes out is empty or too long.
    #[error("the message has {0} characters")]
    Length(usize),
}

/// What is wrong with the files of words, a line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the words have {} fault(s): {}", .0.len(), .0.join("; "))]
pub struct WordFaults(pub Vec<String>);

/// All words, by county and language.
#[derive(Debug)]
pub struct Templates(HashMap<(String, String), Set>);

#[derive(Debug)]
struct Set {
    language: Language,
    environment: Environment<'static>,
}

impl Templates {
    /// Reads the words of every county, in every language that it speaks.
    pub fn load(config: &Config) -> Result<Self, WordFaults> {
        let (mut sets, mut faults) = (HashMap::new(), Vec::new());
        for county in config.counties.values() {
            for name in &county.languages {
                let made = words(county, name).and_then(Set::new);
                match made {
                    Ok(set) => drop(sets.insert((county.id.clone(), name.clone()), set)),
                    Err(found) => {
                        let about = |fault| format!("county {:?}, {name}: {fault}", county.id);
                        faults.extend(found.into_iter().map(about));
                    }
                }
            }
        }
        if faults.is_empty() { Ok(Self(sets)) } else { Err(WordFaults(faults)) }
    }

    /// The language, if the county speaks it, else the county's first.
    pub fn language<'a>(county: &'a County, wanted: &'a str) -> &'a str {
        if county.languages.iter().any(|language| language == wanted) {
            return wanted;
        }
        county.languages.first().map_or("en", String::as_str)
    }

    /// Writes a message.
    pub fn say(
        &self,
        county: &County,
        language: &str,
        (kind, channel): (Kind, Channel),
        facts: &Facts,
    ) -> Result<Said, SayError> {
        let set = self
            .0
            .get(&(county.id.clone(), language.to_owned()))
            .ok_or_else(|| SayError::Language(language.to_owned()))?;
        let fields = set.fields(county, language, kind, facts)?;
        let fill = |name: String| {
            let template = set.environment.get_template(&name);
            match template.and_then(|template| template.render(&fields)) {
                Ok(filled) => Ok(filled),
                // The engine's own message could show a value.
                Err(_) => Err(SayError::Fill(name)),
            }
        };
        let mut body = fill(part(kind, channel.name()))?.trim().to_owned();
        let mut subject = String::new();
        if channel == Channel::Email {
            subject = fill(part(kind, "subject"))?;
            if !kind.is_answer() {
                body = format!("{body}\n\n{}", fill("footer".to_owned())?.trim());
            }
        }
        if channel == Channel::Voice && !kind.is_answer() {
            body = format!("{body} {}", set.language.keys.call);
        }
        let n_characters = body.chars().count();
        let most = match channel {
            Channel::Text => TEXT_CHARACTERS_MAX,
            Channel::Voice => SPOKEN_CHARACTERS_MAX,
            Channel::Email => EMAIL_CHARACTERS_MAX,
        };
        let is_too_long =
            n_characters > most || (channel == Channel::Text && segments(&body) > SEGMENTS_MAX);
        if n_characters == 0 || is_too_long {
            return Err(SayError::Length(n_characters));
        }
        Ok(Said { subject, body })
    }

    /// The moment in the reader's words.
    pub fn moment(&self, county: &County, language: &str, at: Micros) -> Option<String> {
        let set = self.0.get(&(county.id.clone(), language.to_owned()))?;
        set.moment(local(at, &county.zone())?)
    }
}

impl Set {
    fn new(language: Language) -> Result<Self, Vec<String>> {
        let mut faults = language.faults();
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut add = |name: String, text: &str, fields: &[&str]| {
            if let Err(error) = environment.add_template_owned(name.clone(), text.to_owned()) {
                faults.push(format!("{name}: {error}"));
                return;
            }
            let named = environment
                .get_template(&name)
                .map(|template| template.undeclared_variables(false))
                .unwrap_or_default();
            for field in named {
                if !fields.contains(&field.as_str()) {
                    faults.push(format!("{name}: there is no field {field:?} in such a notice"));
                }
            }
        };
        for kind in Kind::ALL {
            let Some(notice) = language.notices.get(kind.name()) else { continue };
            let fields = fields_of(*kind);
            let parts = [
                ("subject", &notice.subject),
                ("email", &notice.email),
                ("text", &notice.text),
                ("voice", &notice.voice),
            ];
            for (name, text) in parts {
                add(part(*kind, name), text, &fields);
            }
        }
        let footer = [&EVERYWHERE[..], &["status_url", "unsubscribe_url"]].concat();
        add("footer".to_owned(), &language.footer.email, &footer);
        let moment = ["month", "day", "year", "hour", "minute", "half"];
        add("moment".to_owned(), &language.dates.moment, &moment);
        add("day".to_owned(), &language.dates.day, &["month", "day", "year"]);
        for kind in Kind::ALL {
            let name = part(*kind, "text");
            // As short as it can be: every field one character.
            let least: BTreeMap<_, _> =
                fields_of(*kind).into_iter().map(|field| (field, "x")).collect();
            let shortest =
                environment.get_template(&name).and_then(|template| template.render(&least));
            if let Ok(text) = shortest
                && (segments(&text) > SEGMENTS_MAX || text.chars().count() > TEXT_CHARACTERS_MAX)
            {
                faults.push(format!(
                    "{name}: it is longer than {SEGMENTS_MAX} segments or {TEXT_CHARACTERS_MAX} characters, whatever is filled in"
                ));
            }
        }
        if faults.is_empty() { Ok(Self { language, environment }) } else { Err(faults) }
    }

    /// The kind's fields, none of them empty but those that may be.
    fn fields(
        &self,
        county: &County,
        language: &str,
        kind: Kind,
        facts: &Facts,
    ) -> Result<BTreeMap<&'static str, String>, SayError> {
        let mut fields = BTreeMap::new();
        for field in fields_of(kind).into_iter().chain(["unsubscribe_url"]) {
            let value = self.field(field, county, language, facts)?;
            let may_be_empty = matches!(field, "cure_until" | "unsubscribe_url");
            if value.trim().is_empty() && !may_be_empty {
                return Err(SayError::Empty(field));
            }
            fields.insert(field, value);
        }
        Ok(fields)
    }

    fn field(
        &self,
        field: &'static str,
        county: &County,
        language: &str,
        facts: &Facts,
    ) -> Result<String, SayError> {
        let election = || {
            let id = facts.election.as_deref().unwrap_or_default();
            county.elections.get(id).ok_or(SayError::Election)
        };
        let more = |name: &str| facts.more.get(name).cloned().unwrap_or_default();
        let until = |local: Option<civil::DateTime>| local.and_then(|local| self.moment(local));
        Ok(match field {
            "county" => county.name.clone(),
            "phone" => county.phone.clone(),
            "first_name" => name(facts.name.as_ref().map(|(first, _)| first)),
            "last_name" => name(facts.name.as_ref().map(|(_, last)| last)),
            "status_url" => facts.status_url.clone(),
            "not_me_url" => facts.not_me_url.clone(),
            "unsubscribe_url" => facts.unsubscribe_url.clone(),
            "election" => election()?.name.get(language).cloned().unwrap_or_default(),
            "happened" => facts
                .happened_at
                .and_then(|at| local(at, &county.zone()))
                .and_then(|local| self.moment(local))
                .unwrap_or_default(),
            "receive_until" => until(Some(election()?.receive_until)).unwrap_or_default(),
            "cure_until" => until(election()?.cure_until).unwrap_or_default(),
            "reason" => self.language.reason(&more("reason")),
            "status" | "earlier" => self.language.status(&more(field)),
            _ => cleaned(&more(field)),
        })
    }

    /// A local time in words; midnight to the second is a day that came without a time.
    fn moment(&self, local: civil::DateTime) -> Option<String> {
        let name = if local.time() == civil::Time::midnight() { "day" } else { "moment" };
        let half = usize::from(local.hour() >= 12);
        let month = usize::try_from(local.month()).ok()?.checked_sub(1)?;
        let fields: BTreeMap<&str, String> = BTreeMap::from([
            ("month", self.language.dates.months.get(month)?.clone()),
            ("day", local.day().to_string()),
            ("year", local.year().to_string()),
            ("hour", (i32::from(local.hour() + 11) % 12 + 1).to_string()),
            ("minute", format!("{:02}", local.minute())),
            ("half", self.language.dates.halves.get(half)?.clone()),
        ]);
        self.environment.get_template(name).ok()?.render(fields).ok()
    }
}

fn part(kind: Kind, part: &str) -> String {
    format!("{kind}.{part}")
}

fn name(name: Option<&String>) -> String {
    name.map(|name| unlinked(&cleaned(name))).unwrap_or_default()
}

/// The fields of a kind.
fn fields_of(kind: Kind) -> Vec<&'static str> {
    let mut fields = EVERYWHERE.to_vec();
    match kind {
        Kind::Code => fields.push("code"),
        Kind::Reminder => fields.extend([&OF_A_VOTER[..], &["election", "receive_until"]].concat()),
        Kind::Retraction => fields.extend([&OF_A_VOTER[..], &["election"]].concat()),
        _ if kind.is_answer() => {}
        _ => fields.extend([OF_A_VOTER, OF_A_BALLOT].concat()),
    }
    match kind {
        Kind::NeedsAttention => fields.extend(["reason", "cure_until"]),
        Kind::Rejected | Kind::Voided => fields.push("reason"),
        Kind::Correction => fields.extend(["earlier", "status"]),
        _ => {}
    }
    fields
}

/// The county's words in a language: the built-in ones, each replaced by its own where it has one.
fn words(county: &County, name: &str) -> Result<Language, Vec<String>> {
    let built_in = BUILT_IN.iter().find(|(built_in, _)| *built_in == name);
    let mut tables = Vec::new();
    let mut take = |text: &str, from: &str| match text.parse::<toml::Table>() {
        Ok(table) => {
            tables.push(table);
            Ok(())
        }
        Err(error) => Err(vec![format!("{from}: {error}")]),
    };
    if let Some((_, text)) = built_in {
        take(text, "built-in words")?;
    }
    let file = county.templates.as_ref().map(|folder| folder.join(format!("{name}.toml")));
    if let Some(file) = file.filter(|file| built_in.is_none() || file.exists()) {
        take(&read(&file)?, &file.display().to_string())?;
    }
    let merged = tables.into_iter().fold(toml::Table::new(), |mut merged, table| {
        lay_over(&mut merged, table);
        merged
    });
    merged.try_into().map_err(|error| vec![error.to_string()])
}

fn read(file: &PathBuf) -> Result<String, Vec<String>> {
    fs::read_to_string(file)
        .map_err(|error| vec![format!("cannot read {}: {error}", file.display())])
}

fn lay_over(below: &mut toml::Table, above: toml::Table) {
    for (key, value) in above {
        let (under, over) = (below.get_mut(&key), value);
        if let (Some(toml::Value::Table(under)), toml::Value::Table(over)) = (under, &over) {
            lay_over(under, over.clone());
        } else {
            below.insert(key, over);
        }
    }
}

/// The moment from which a date of a file counts: its first instant in the zone.
pub fn start_of(date: civil::Date, zone: &TimeZone) -> Option<Micros> {
    instant(date.to_datetime(civil::Time::midnight()), zone)
}
