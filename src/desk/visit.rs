//! One request that passed the gate, and what a handler may do with it.

use super::page::Frame;
use super::refusal::{Refusal, Why, answer};
use super::routes::Route;
use super::server::Peer;
use super::sessions::SessionKey;
use super::words::{Lang, Words};
use super::{Settings, Shared};
use crate::clock::Micros;
use crate::control::{Answer, Command, Guests};
use crate::ledger::{ReadError, Reader, Secret};
use askama::Template;
use axum::body::Body;
use axum::http::header::{self, HeaderValue};
use axum::http::{Response, StatusCode};
use serde::Serialize;

/// What comes of a request.
pub(super) type Outcome = Result<Response<Body>, Refusal>;

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    /// The place, and whoever signed in.
    pub(super) guests: Guests,
    /// Their session, once they signed in.
    pub(super) session: Option<SessionKey>,
    /// What their forms carry.
    pub(super) csrf: String,
    /// Whether they are whom they say to be; not where a token is nobody's.
    pub(super) is_known: bool,
}

/// A request that passed the gate.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) desk: Shared,
    pub(super) route: &'static Route,
    pub(super) peer: Peer,
    pub(super) visitor: Visitor,
    pub(super) lang: Lang,
    /// The path and the query as they were asked for; of a form, the page on which it stands.
    pub(super) target: String,
    /// What stands for the names in the route's path.
    pub(super) params: Vec<(String, String)>,
    pub(super) query: Vec<(String, String)>,
    /// The fields of the form.
    pub(super) form: Vec<(String, String)>,
    /// What was refused of a form that is shown once more.
    pub(super) refused: Option<Refusal>,
    /// What the browser has already, by its tag.
    pub(super) has_already: Option<HeaderValue>,
}

/// A control character is no text of a page, whoever wrote it: a file's name may have some.
fn without_controls(text: String) -> String {
    let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.contains(is_control) { text.replace(is_control, "\u{fffd}") } else { text }
}

fn find<'v>(values: &'v [(String, String)], name: &str) -> Option<&'v str> {
    values.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

impl Visit {
    /// What stands for a name in the route's path.
    pub(super) fn param(&self, name: &str) -> Result<&str, Refusal> {
        find(&self.params, name).ok_or(Refusal::NotFound)
    }

    /// A value of the query, if it was given.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        find(&self.query, name).filter(|value| !value.is_empty())
    }

    /// A field of the form, without white space around it; none where it was left empty.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        find(&self.form, name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// A password or a badge's code, as it was typed; none where nothing was.
    pub(super) fn secret(&self, name: &str) -> Option<Secret> {
        let typed = find(&self.form, name).filter(|typed| !typed.is_empty())?;
        // A reader may send more with a badge; what somebody chose as their password is that and no other.
        let badge = Secret::new(typed.trim().to_owned());
        Some(if badge.is_badge() { badge } else { Secret::new(typed.to_owned()) })
    }

    /// The lines of all fields of that name that are not empty.
    pub(super) fn lines(&self, name: &str) -> Vec<String> {
        let values = self.form.iter().filter(|(known, _)| known == name);
        let lines = values.flat_map(|(_, value)| value.lines().map(str::trim));
        lines.filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// A row number of the query.
    pub(super) fn row(&self, name: &str, otherwise: i64) -> Result<i64, Refusal> {
        self.query(name).map_or(Ok(otherwise), |text| {
            text.parse().map_err(|_none| Refusal::Malformed("no_page"))
        })
    }

    /// Whether JSON is asked for.
    pub(super) fn is_api(&self) -> bool {
        self.route.is_api()
    }

    /// The words of the visitor's language.
    pub(super) fn words(&self) -> Words<'_> {
        self.desk.lexicon.words(self.lang)
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.desk.settings
    }

    pub(super) fn now(&self) -> Micros {
        self.desk.clock.now()
    }

    /// A time as pages tell it: local date, time and offset.
    pub(super) fn time(&self, at: Micros) -> String {
        self.settings().zone.date_time(at)
    }

    /// Reads the ledger.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.desk.read(ask).await
    }

    /// Has a command carried out as whoever asks. A sign-in with `Hand::Second` has another confirm what follows in this visit.
    pub(super) async fn command(&mut self, command: Command) -> Result<Answer, Refusal> {
        match self.desk.within.carry_out(command, &mut self.visitor.guests).await {
            Answer::Refused { why, coded } => Err(Refusal::Rules(Why { why, coded })),
            Answer::Failed { why } => Err(Refusal::Failed(why)),
            answer => Ok(answer),
        }
    }

    /// What stands around every page; `title` is a key of the words.
    pub(super) fn frame<'v>(&'v self, title: &'v str) -> Frame<'v> {
        Frame::new(self, title)
    }

    /// The page.
    pub(super) fn page(&self, page: &impl Template) -> Outcome {
        let status = self.refused.as_ref().map_or(StatusCode::OK, Refusal::status);
        self.page_with(status, page)
    }

    /// The page with another status.
    pub(super) fn page_with(&self, status: StatusCode, page: &impl Template) -> Outcome {
        let text = page.render().map_err(|error| Refusal::Failed(error.to_string()))?;
        let mut response = answer(status, "text/html; charset=utf-8", without_controls(text));
        let lang = HeaderValue::from_static(self.lang.name());
        response.headers_mut().insert(header::CONTENT_LANGUAGE, lang);
        Ok(response)
    }

    /// The value as JSON.
    pub(super) fn json(value: &impl Serialize) -> Outcome {
        let text = serde_json::to_string(value).map_err(|e| Refusal::Failed(e.to_string()))?;
        Ok(answer(StatusCode::OK, "application/json", text))
    }

    /// Leads on to another page, after a form.
    pub(super) fn see_other(place: &str) -> Outcome {
        let place = HeaderValue::from_str(place).map_err(|_none| Refusal::NotFound)?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SEE_OTHER;
        response.headers_mut().insert(header::LOCATION, place);
        Ok(response)
    }
}
