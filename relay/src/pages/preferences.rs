//! What a voter is told, in which language, and between which hours.

use crate::config::{LANGUAGES, minute_of_day};
use crate::hours::Hours;
use crate::news::Kind;
use crate::voter::{self, Enrolment};
use crate::web::{Frame, Outcome, Refusal, Visit};
use askama::Template;
use axum::http::StatusCode;

/// Time zones of the United States and its territories.
const ZONES: [&str; 10] = [
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "Pacific/Honolulu",
    "America/Puerto_Rico",
    "Pacific/Guam",
    "Pacific/Pago_Pago",
];

/// The end of the day, which clocks show as its last minute.
const MIDNIGHT: u32 = 24 * 60;

/// The wishes as the form shows them.
#[derive(Debug)]
struct Wishes {
    language: String,
    timezone: String,
    from_minute: u32,
    until_minute: u32,
    kinds: Vec<Kind>,
    /// The hours within which the county may contact anybody.
    widest: Hours,
}

impl Wishes {
    fn from(&self) -> String {
        clock(self.from_minute)
    }

    fn until(&self) -> String {
        clock(self.until_minute)
    }

    fn earliest(&self) -> String {
        clock(self.widest.from)
    }

    fn latest(&self) -> String {
        clock(self.widest.until)
    }

    fn has(&self, kind: &str) -> bool {
        self.kinds.iter().any(|known| known.name() == kind)
    }
}

fn clock(minute: u32) -> String {
    let minute = minute.min(MIDNIGHT - 1);
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

#[derive(Template)]
#[template(path = "preferences.html")]
struct Preferences<'v> {
    frame: Frame<'v>,
    wishes: Wishes,
    languages: Vec<String>,
    zones: Vec<String>,
    kinds: Vec<&'static str>,
    is_wrong: bool,
}

impl Preferences<'_> {
    fn hours(&self) -> String {
        let (from, until) = (self.wishes.earliest(), self.wishes.latest());
        self.frame.with_two("preferences.hours", ("from", &from), ("until", &until))
    }
}

/// `GET /me/preferences`.
pub(super) async fn form(visit: Visit) -> Outcome {
    let wishes = wishes(&visit).await?;
    visit.page(&page(&visit, wishes)?)
}

async fn wishes(visit: &Visit) -> Result<Wishes, Refusal> {
    let id = visit.voter()?;
    let county = visit.site.relay.config.county(&id.county).ok_or(Refusal::NotFound)?;
    let widest = Hours { from: county.contact_from, until: county.contact_until };
    let wanted = visit.read(move |tx| voter::wishes(tx, &id)).await?;
    let wanted = wanted.unwrap_or_else(|| Enrolment {
        language: visit.lang.name().to_owned(),
        timezone: county.timezone.clone(),
        from_minute: widest.from,
        until_minute: widest.until,
        kinds: Kind::CHOICES.to_vec(),
    });
    let Enrolment { language, timezone, from_minute, until_minute, kinds } = wanted;
    Ok(Wishes { language, timezone, from_minute, until_minute, kinds, widest })
}

fn page(visit: &Visit, wishes: Wishes) -> Result<Preferences<'_>, Refusal> {
    let id = visit.voter()?;
    let languages =
        visit.site.relay.config.county(&id.county).map(|county| county.languages.clone());
    let languages = languages.unwrap_or_else(|| LANGUAGES.map(str::to_owned).to_vec());
    let mut zones = ZONES.map(str::to_owned).to_vec();
    if !zones.contains(&wishes.timezone) {
        zones.push(wishes.timezone.clone());
    }
    let kinds = Kind::CHOICES.iter().map(|kind| kind.name()).collect();
    let frame = visit.frame("title.preferences");
    Ok(Preferences { frame, wishes, languages, zones, kinds, is_wrong: false })
}

/// `POST /me/preferences`.
pub(super) async fn save(visit: Visit) -> Outcome {
    let id = visit.voter()?;
    let former = wishes(&visit).await?;
    let mut offered = page(&visit, former)?;
    let one_of = |name: &str, known: &[String]| {
        let value = visit.field(name).filter(|value| known.iter().any(|one| one == value));
        value.map(str::to_owned).ok_or(Refusal::Malformed("this was not among the choices"))
    };
    let minute = |name: &str| visit.field(name).and_then(|text| minute_of_day(text.get(..5)?));
    let end_of_day = |minute| if minute == MIDNIGHT - 1 { MIDNIGHT } else { minute };
    let hours = minute("from").zip(minute("until").map(end_of_day));
    let widest = offered.wishes.widest;
    let is_within =
        |(from, until): &(u32, u32)| widest.from <= *from && from < until && *until <= widest.until;
    let Some((from_minute, until_minute)) = hours.filter(is_within) else {
        offered.is_wrong = true;
        return visit.page_with(StatusCode::BAD_REQUEST, &offered);
    };
    let wanted = Enrolment {
        language: one_of("language", &offered.languages)?,
        timezone: one_of("zone", &offered.zones)?,
        from_minute,
        until_minute,
        kinds: visit.all("kind").into_iter().filter_map(Kind::from_name).collect(),
    };
    let now = visit.now();
    visit.write(move |tx| voter::enrol(tx, &id, &wanted, now)).await?;
    Visit::see_other("/me/preferences?done=saved")
}
