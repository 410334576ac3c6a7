//! What stands around every page: its head, its links, who is there, and the words.

use super::Site;
use super::refusal::{Refusal, answer};
use super::visit::{Role, Visit, Visitor};
use super::words::{Lang, Words};
use crate::clock::Micros;
use crate::config::County;
use crate::key::Purpose;
use askama::Template;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use std::borrow::Borrow;

/// Where, and the key of its name.
type Link = (&'static str, &'static str);

const GUEST: [Link; 3] =
    [("/", "title.home"), ("/signin", "title.signin"), ("/status", "title.status")];
const VOTER: [Link; 3] = [
    ("/me", "title.me"),
    ("/me/contacts", "title.contacts"),
    ("/me/preferences", "title.preferences"),
];
const OFFICE: [Link; 7] = [
    ("/office", "title.overview"),
    ("/office/notices", "title.notices"),
    ("/office/unreached", "title.unreached"),
    ("/office/voters", "title.voters"),
    ("/office/bulks", "title.bulks"),
    ("/office/alarms", "title.alarms"),
    ("/office/people", "title.people"),
];

/// Months in Spanish, which the formatting library has in English only.
const MONTHS: [&str; 12] = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
];

/// What stands around every page.
#[derive(Debug, Clone)]
pub struct Frame<'v> {
    site: &'v Site,
    words: Words<'v>,
    /// The key of the page's title.
    pub title: &'v str,
    visit: Option<&'v Visit>,
    csrf: String,
    zone: TimeZone,
}

impl<'v> Frame<'v> {
    pub(super) fn new(visit: &'v Visit, title: &'v str) -> Self {
        let county = match &visit.visitor {
            Visitor::Voter { county, .. } | Visitor::Operator { county, .. } => county.as_str(),
            Visitor::Nobody => "*",
        };
        let csrf = visit.site.keys().tag(Purpose::Csrf, &visit.token);
        let zone = zone_of(&visit.site, county);
        Self { site: &visit.site, words: visit.words(), title, visit: Some(visit), csrf, zone }
    }

    /// The text of a key.
    pub fn t<'k>(&self, key: &'k str) -> &'k str
    where
        'v: 'k,
    {
        self.words.of(key)
    }

    /// The text of a key with one thing in it.
    pub fn with(&self, key: &str, name: &str, value: &str) -> String {
        self.words.with(key, &[(name, value)])
    }

    /// The text of a key with two things in it.
    pub fn with_two(&self, key: &str, one: (&str, &str), other: (&str, &str)) -> String {
        self.words.with(key, &[one, other])
    }

    /// The word of a name within a table of words; the name itself where there is none.
    pub fn word(&self, table: &str, name: &str) -> String {
        self.words.find(&format!("{table}.{name}")).unwrap_or(name).to_owned()
    }

    /// The words of a reason; of one that is in no list, as somebody typed it, no more than that there is one.
    pub fn reason(&self, code: &str) -> &str {
        let known = self.words.find(&format!("reason.{code}"));
        known.unwrap_or_else(|| self.words.of("reason.other"))
    }

    /// What was typed into a form that is shown once more; no code and no password.
    pub fn typed(&self, name: &str) -> &'v str {
        self.visit.and_then(|visit| visit.field(name)).unwrap_or_default()
    }

    /// What was done before the page was led to.
    pub fn done(&self) -> Option<&'v str> {
        let done = self.visit?.query("done")?;
        self.words.find(&format!("done.{done}"))
    }

    /// A time as people of the county read it; midnight to the second is a day that came without a time.
    pub fn time(&self, at: impl Borrow<Micros>) -> String {
        let Ok(instant) = Timestamp::from_microsecond(at.borrow().0) else { return String::new() };
        let local = instant.to_zoned_datetime(self.zone.clone());
        let (day, clock) = match self.words.lang {
            Lang::En => (local.strftime("%B %-d, %Y").to_string(), "%-I:%M %p %Z"),
            Lang::Es => {
                let month = MONTHS.get(usize::from(local.month().unsigned_abs()).saturating_sub(1));
                let (day, month) = (local.day(), month.copied().unwrap_or_default());
                (format!("{day} de {month} de {}", local.year()), "%-H:%M %Z")
            }
        };
        if local.time() == Time::midnight() {
            return day;
        }
        format!("{day}, {}", local.strftime(clock))
    }

    /// A text as part of an address.
    #[expect(clippy::unused_self, reason = "templates have the frame")]
    pub fn encoded(&self, text: &str) -> String {
        super::fields::encoded(text)
    }

    /// The pages that the visitor may open.
    pub fn links(&self) -> &'static [Link] {
        match self.visit.map(|visit| &visit.visitor) {
            Some(Visitor::Voter { .. }) => &VOTER,
            Some(Visitor::Operator { .. }) => &OFFICE,
            Some(Visitor::Nobody) | None => &GUEST,
        }
    }

    /// The name of somebody of the office; voters are greeted by none, for others may look on.
    pub fn who(&self) -> Option<&'v str> {
        match &self.visit?.visitor {
            Visitor::Voter { .. } => Some(""),
            Visitor::Operator { name, .. } => Some(name),
            Visitor::Nobody => None,
        }
    }

    /// Where the session ends.
    pub const fn signout(&self) -> &'static str {
        match self.visit {
            Some(Visit { visitor: Visitor::Operator { .. }, .. }) => "/office/signout",
            _ => "/signout",
        }
    }

    /// Whether somebody of the office may do what takes that role.
    pub fn may(&self, role: &str) -> bool {
        Role::from_name(role).zip(self.visit).is_some_and(|(role, visit)| visit.may(role))
    }

    /// What the page's forms carry.
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    /// Where the page is.
    pub fn target(&self) -> &str {
        match self.visit {
            Some(visit) if visit.route.method == super::Method::Get => &visit.target,
            _ => "/",
        }
    }

    /// The address of a style or a picture.
    pub fn asset(&self, name: &str) -> String {
        self.site.assets.address(name)
    }

    /// The page's language.
    pub const fn lang(&self) -> &'static str {
        self.words.lang.name()
    }

    /// What the service is called: with the county's name, where there is one county.
    pub fn service(&self) -> String {
        let name = self.t("frame.service");
        let counties = &self.site.relay.config.counties;
        match (counties.len(), counties.values().next()) {
            (1, Some(county)) => format!("{} \u{b7} {name}", county.name),
            _ => name.to_owned(),
        }
    }
}

/// The zone in which a county tells the time; of several counties, the first one's.
fn zone_of(site: &Site, county: &str) -> TimeZone {
    let counties = &site.relay.config.counties;
    let found = counties.get(county).or_else(|| counties.values().next());
    found.map_or(TimeZone::UTC, County::zone)
}

/// Why there is no page.
#[derive(Template)]
#[template(path = "message.html")]
struct Message<'v> {
    frame: Frame<'v>,
    says: &'v str,
    detail: Option<&'v str>,
}

/// The page that says why there is none.
pub(super) fn message(site: &Site, lang: Lang, refusal: &Refusal) -> Response<Body> {
    let words = site.words(lang);
    let key = format!("refusal.{}", refusal.name());
    let zone = TimeZone::UTC;
    let frame =
        Frame { site, words, title: "title.refused", visit: None, csrf: String::new(), zone };
    let page = Message { frame, says: words.of(&key), detail: refusal.detail() };
    match page.render() {
        Ok(text) => answer(refusal.status(), "text/html; charset=utf-8", text),
        Err(_unrendered) => answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", ""),
    }
}
