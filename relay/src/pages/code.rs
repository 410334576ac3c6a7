//! One-time codes: asked for, sent, entered. Six digits, good for ten minutes, five tries, once.

use super::who;
use crate::clock::Micros;
use crate::config::{Config, LANGUAGES};
use crate::id::new_id;
use crate::key::Keys;
use crate::news::{Channel, Kind};
use crate::notice;
use crate::params;
use crate::relay::Relay;
use crate::store::{StoreError, Tx};
use crate::suppress;
use crate::told::chain;
use crate::voter::{self, Contact, Enrolment, FirstOrNext, VoterId};
use crate::web::{
    Frame, Limit, Outcome, Refusal, Visit, Visitor, admits, begin, strike, with_session,
};
use askama::Template;
use axum::http::StatusCode;
use std::sync::Arc;
use std::time::Duration;

/// A code is good for so long.
const LASTS: Duration = Duration::from_mins(10);

/// And for so many tries.
const TRIES_MAX: i64 = 5;

/// Codes for one identity.
const CODES: Limit = Limit { name: "codes", n_max: 5, within: Duration::from_mins(30) };

/// Wrong codes for one voter, and from one address.
const WRONG_FOR_ONE: Limit = Limit { name: "wrong", n_max: 10, within: Duration::from_hours(1) };
const WRONG_FROM_ONE: Limit =
    Limit { name: "wrong-from", n_max: 30, within: Duration::from_mins(10) };

/// What a code to sign in with is for.
const SIGN_IN: &str = "signin";

/// The page on which a code is asked for; without a channel it says that there is none yet.
#[derive(Template)]
#[template(path = "signin.html")]
struct Ask<'v> {
    frame: Frame<'v>,
    channels: Vec<&'static str>,
    wrong: Vec<&'static str>,
}

impl<'v> Ask<'v> {
    fn new(visit: &'v Visit, wrong: Vec<&'static str>) -> Self {
        let channels = visit.channels([Channel::Email, Channel::Text, Channel::Voice]);
        Self { frame: visit.frame("title.signin"), channels, wrong }
    }
}

/// The page on which it is entered.
#[derive(Template)]
#[template(path = "code.html")]
struct Enter<'v> {
    frame: Frame<'v>,
    id: &'v str,
    is_wrong: bool,
}

/// `GET /signin`.
pub(super) fn ask(visit: &Visit) -> Outcome {
    visit.page(&Ask::new(visit, Vec::new()))
}

/// `POST /signin`. Answered before anybody is looked for, so that the time tells nothing.
pub(super) async fn send(visit: Visit) -> Outcome {
    let identity = who::identity(&visit);
    let (identity, (channel, address)) = match (identity, visit.place()) {
        (Ok(identity), Some(to)) => (identity, to),
        (identity, to) => {
            let mut wrong = identity.err().unwrap_or_default();
            if to.is_none() {
                wrong.push("signin.wrong_where");
            }
            let page = Ask::new(&visit, wrong);
            let is_possible = !page.channels.is_empty();
            let status =
                if is_possible { StatusCode::BAD_REQUEST } else { StatusCode::SERVICE_UNAVAILABLE };
            return visit.page_with(status, &page);
        }
    };
    who::within_limits(&visit, (CODES, &identity)).await?;
    let now = visit.now();
    let id = new_id(now);
    let asked = Asked {
        id: id.clone(),
        identity,
        channel,
        address,
        language: visit.lang.name(),
        now,
        relay: Arc::clone(&visit.site.relay),
    };
    let place = Arc::clone(&visit.site.afterwards).try_acquire_owned();
    let place = place.map_err(|_full| Refusal::Busy)?;
    drop(tokio::spawn(async move {
        asked.look_for().await;
        drop(place);
    }));
    Visit::see_other(&format!("/code?id={id}"))
}

/// Somebody asked for a code.
struct Asked {
    id: String,
    identity: String,
    channel: Channel,
    address: String,
    language: &'static str,
    now: Micros,
    relay: Arc<Relay>,
}

impl Asked {
    async fn look_for(self) {
        let relay = Arc::clone(&self.relay);
        let written = relay.store.write(move |tx| self.write(tx)).await;
        match written {
            Ok(()) => relay.owed.notify_waiters(),
            Err(error) => tracing::error!(error = chain(&error), "A code could not be made."),
        }
    }

    /// Who may not have a code there gets a row that no code fits.
    fn write(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let found = match voter::find(tx, &self.identity)? {
            Some(id) if self.may_be_told(&voter::contacts(tx, &id)?) => Some(id),
            _ => None,
        };
        let nobody = VoterId { county: String::new(), voter: String::new() };
        let made = Made {
            id: &self.id,
            voter: found.as_ref().unwrap_or(&nobody),
            to: (self.channel, &self.address),
            purpose: SIGN_IN,
        };
        made.write(tx, self.now)?;
        if found.is_some() { made.owe(tx, self.language, self.now) } else { Ok(()) }
    }

    /// At an own contact; anywhere where there is none at which somebody ever showed to be. A text's counts before its YES.
    fn may_be_told(&self, contacts: &[Contact]) -> bool {
        let mut proven = contacts.iter().filter(|contact| contact.proven_at.is_some()).peekable();
        proven.peek().is_none()
            || proven.any(|own| own.channel == self.channel && own.address == self.address)
    }
}

/// A code that is made.
pub(super) struct Made<'a> {
    pub(super) id: &'a str,
    pub(super) voter: &'a VoterId,
    pub(super) to: (Channel, &'a str),
    pub(super) purpose: &'a str,
}

impl Made<'_> {
    pub(super) fn write(&self, tx: &mut Tx<'_>, now: Micros) -> Result<(), StoreError> {
        tx.run("DELETE FROM one_time_code WHERE expires_at < $1", params![now.minus(LASTS)])?;
        let (VoterId { county, voter }, (channel, address)) = (self.voter, self.to);
        tx.run(
            "INSERT INTO one_time_code (id, county, voter, channel, address, purpose, created_at, expires_at, tries) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)",
            params![
                self.id,
                county,
                voter,
                channel.name(),
                address,
                self.purpose,
                now,
                now.plus(LASTS)
            ],
        )?;
        Ok(())
    }

    /// Has it sent, at once.
    pub(super) fn owe(
        &self,
        tx: &mut Tx<'_>,
        language: &str,
        now: Micros,
    ) -> Result<(), StoreError> {
        notice::owe_code(tx, self.id, self.voter, self.to, language, now)
    }
}

/// `GET /code`.
pub(super) fn form(visit: &Visit) -> Outcome {
    let id = visit.query("id").unwrap_or_default();
    visit.page(&Enter { frame: visit.frame("title.code"), id, is_wrong: false })
}

/// `POST /code`.
pub(super) async fn enter(visit: Visit) -> Outcome {
    let entered = Entered {
        id: visit.field("id").unwrap_or_default().to_owned(),
        code: visit.field("code").unwrap_or_default().to_owned(),
        purpose: SIGN_IN.to_owned(),
        from: visit.from.to_string(),
        keys: visit.site.keys().clone(),
        now: visit.now(),
    };
    let relay = Arc::clone(&visit.site.relay);
    let (language, words) = (visit.lang.name(), visit.words().of("signin.by_signing").to_owned());
    let token = visit
        .write(move |tx| {
            let Some(proven) = entered.check(tx)? else { return Ok(None) };
            sign_up(tx, &relay, &proven, (language, &words))?;
            let VoterId { county, voter } = proven.voter;
            begin(tx, &Visitor::Voter { county, voter }, entered.now)
        })
        .await?;
    visit.site.relay.owed.notify_waiters();
    if let Some(token) = token {
        return Ok(with_session(&visit, Visit::see_other("/me")?, Some(&token)));
    }
    let id = visit.field("id").unwrap_or_default();
    let page = Enter { frame: visit.frame("title.code"), id, is_wrong: true };
    visit.page_with(StatusCode::FORBIDDEN, &page)
}

/// Signs up whoever has not, in the language of the page; the contact that was proven is used from now on, a text's once it was
/// answered with YES.
fn sign_up(
    tx: &mut Tx<'_>,
    relay: &Relay,
    proven: &Proven,
    (language, words): (&str, &str),
) -> Result<(), StoreError> {
    let now = relay.clock.now();
    let Proven { voter, channel, address } = proven;
    let is_known = "SELECT COUNT(*) FROM enrolment WHERE county = $1 AND voter = $2";
    if tx.count(is_known, params![&voter.county, &voter.voter])? == 0 {
        voter::enrol(tx, voter, &first_wishes(&relay.config, &voter.county, language), now)?;
    }
    let contacts = voter::contacts(tx, voter)?;
    if contacts.iter().any(|known| {
        known.channel == *channel && known.address == *address && known.state != "pending"
    }) {
        return Ok(());
    }
    let order = if contacts.iter().any(|known| known.is_first && known.state == "confirmed") {
        FirstOrNext::Next
    } else {
        FirstOrNext::First
    };
    let contact = voter::add_contact(tx, voter, (*channel, address), order, now)?;
    match channel {
        Channel::Text => {
            voter::prove(tx, &contact, now)?;
            voter::show(tx, &contact, words)?;
            notice::owe_confirm(tx, voter, &contact, language, now)
        }
        Channel::Email | Channel::Voice => {
            voter::confirm(tx, &contact, ("page", words), now)?;
            suppress::want_again(tx, (*channel, address))
        }
    }
}

/// What a voter wants who said nothing else: everything, in the county's hours.
fn first_wishes(config: &Config, county: &str, language: &str) -> Enrolment {
    let county = config.county(county);
    let speaks =
        |county: &&crate::config::County| county.languages.iter().any(|known| known == language);
    let [otherwise, ..] = LANGUAGES;
    Enrolment {
        language: county.filter(speaks).map_or(otherwise, |_| language).to_owned(),
        timezone: county.map_or_else(|| "UTC".to_owned(), |county| county.timezone.clone()),
        from_minute: county.map_or(0, |county| county.contact_from),
        until_minute: county.map_or(0, |county| county.contact_until),
        kinds: Kind::CHOICES.to_vec(),
    }
}

/// Who proved to be at an address.
#[derive(Debug)]
pub(super) struct Proven {
    pub(super) voter: VoterId,
    pub(super) channel: Channel,
    pub(super) address: String,
}

/// A code that somebody entered.
#[derive(Debug)]
pub(super) struct Entered {
    pub(super) id: String,
    pub(super) code: String,
    pub(super) purpose: String,
    pub(super) from: String,
    pub(super) keys: Keys,
    pub(super) now: Micros,
}

impl Entered {
    /// Whom it proves to be there; none where it is wrong, too old, used, or was tried too often.
    pub(super) fn check(&self, tx: &mut Tx<'_>) -> Result<Option<Proven>, StoreError> {
        let from = (WRONG_FROM_ONE, self.from.as_str());
        if !admits(tx, &self.keys, from, self.now)? {
            return Ok(None);
        }
        let select = format!(
            "SELECT county, voter, channel, address, tries FROM one_time_code \
             WHERE id = $1 AND purpose = $2 AND expires_at > $3 AND used_at IS NULL{}",
            tx.for_update()
        );
        let found = tx.row(&select, params![&self.id, &self.purpose, self.now])?;
        let Some(row) = found else {
            strike(tx, &self.keys, from, self.now)?;
            return Ok(None);
        };
        let (county, voter) = (row.text(0)?, row.text(1)?);
        let about = format!("{county}/{voter}");
        let own = (WRONG_FOR_ONE, about.as_str());
        let may =
            row.int(4)? < TRIES_MAX && !voter.is_empty() && admits(tx, &self.keys, own, self.now)?;
        let typed: String = self.code.chars().filter(char::is_ascii_digit).collect();
        let fits = is_same(&typed, &self.keys.one_time_code(&self.id));
        if !(may && fits) {
            strike(tx, &self.keys, from, self.now)?;
            strike(tx, &self.keys, own, self.now)?;
            tx.run("UPDATE one_time_code SET tries = tries + 1 WHERE id = $1", params![&self.id])?;
            return Ok(None);
        }
        tx.run("UPDATE one_time_code SET used_at = $2 WHERE id = $1", params![&self.id, self.now])?;
        let channel = Channel::from_name(&row.text(2)?).ok_or(StoreError::Column(2))?;
        let voter = VoterId { county, voter };
        Ok(Some(Proven { voter, channel, address: row.text(3)? }))
    }
}

/// Compares without telling by time where they differ.
fn is_same(a: &str, b: &str) -> bool {
    let differs = a.bytes().zip(b.bytes()).fold(0, |sum, (x, y)| sum | (x ^ y));
    a.len() == b.len() && differs == 0
}
