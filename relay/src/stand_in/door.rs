//! The door behind which the stand-in is told what goes wrong, and through which somebody answers a text, presses a key, or reads
//! what came. The real provider has none.

use super::api::{new_sid, now};
use super::book::{Entry, Kind};
use super::callbacks::owned;
use super::post_box::Mail;
use super::settings::Settings;
use super::{Shared, xml};
use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::{Form, Json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Texts, calls and letters on the page.
const SHOWN_MAX: usize = 100;

/// Words that the provider itself acts on.
const STOP: [&str; 6] = ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"];
const START: [&str; 3] = ["START", "YES", "UNSTOP"];

/// Nothing but what is served here, and nothing inline.
const POLICY: &str =
    "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Something that was accepted, as the door tells it.
#[derive(Debug, Serialize)]
struct Accepted<'b> {
    sid: &'b str,
    kind: Kind,
    to: &'b str,
    from: &'b str,
    body: &'b str,
    status: &'b str,
    created: i64,
    is_reply: bool,
}

/// A text that somebody sends to the relay.
#[derive(Debug, Deserialize)]
pub(super) struct Inbound {
    from: String,
    to: String,
    body: String,
}

/// Keys that somebody presses during a call.
#[derive(Debug, Deserialize)]
pub(super) struct Press {
    sid: String,
    digits: String,
}

/// A text or a call, as the page shows it.
#[derive(Debug)]
struct Shown {
    sid: String,
    from: String,
    to: String,
    text: String,
    at: String,
    status: String,
    takes_keys: bool,
}

#[derive(Template)]
#[template(path = "stand_in.html")]
struct Page {
    texts: Vec<Shown>,
    calls: Vec<Shown>,
    mail: Vec<Mail>,
}

pub(super) async fn settings(State(shared): State<Shared>) -> Json<Settings> {
    Json(shared.book.borrow().settings.clone())
}

pub(super) async fn set(
    State(shared): State<Shared>,
    Json(mut settings): Json<Settings>,
) -> Json<Settings> {
    shared.book.send_modify(|book| {
        // So many more than were accepted up to now.
        if settings.die_after > 0 {
            settings.die_after += book.n_accepted;
        }
        book.settings = settings.clone();
    });
    Json(settings)
}

#[expect(clippy::significant_drop_tightening, reason = "what is told is of one moment")]
pub(super) async fn accepted(State(shared): State<Shared>) -> Response {
    let written = {
        let book = shared.book.borrow();
        let accepted: Vec<_> = book.newest_first(None).map(accepted_of).collect();
        serde_json::to_string(&accepted)
    };
    match written {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(_unwritten) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn accepted_of(entry: &Entry) -> Accepted<'_> {
    let Entry { sid, kind, from, to, body, status, created, is_reply, .. } = entry;
    Accepted { sid, kind: *kind, to, from, body, status, created: *created, is_reply: *is_reply }
}

/// A text comes in: the provider hears STOP and START, the relay is told, and what it answers is a text, too.
pub(super) async fn inbound(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Form(Inbound { from, to, body }): Form<Inbound>,
) -> Response {
    if !is_from_here(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    hear(&shared, &from, &body);
    let Some(url) = &shared.options.inbound else {
        return (StatusCode::CONFLICT, "nobody is told of texts that come in").into_response();
    };
    let sid = new_sid(Kind::Text);
    let fields = owned(&[
        ("MessageSid", sid.as_str()),
        ("SmsSid", &sid),
        ("AccountSid", &shared.options.account),
        ("ApiVersion", "2010-04-01"),
        ("From", &from),
        ("To", &to),
        ("Body", &body),
        ("NumMedia", "0"),
        ("NumSegments", "1"),
    ]);
    match shared.caller.post(url, &fields).await {
        Ok(answer) => {
            reply(&shared, (to, from), &answer);
            back(&headers)
        }
        Err(error) => (StatusCode::BAD_GATEWAY, format!("the relay {error}")).into_response(),
    }
}

/// The provider itself hears STOP and START.
fn hear(shared: &Shared, from: &str, body: &str) {
    let word = body.trim().to_ascii_uppercase();
    shared.book.send_modify(|book| {
        let heard = match word.as_str() {
            word if book.settings.opt_out && STOP.contains(&word) => book.block(from.to_owned()),
            word if book.settings.opt_out && START.contains(&word) => book.admit(from.to_owned()),
            _ => Ok(()),
        };
        if let Err(error) = heard {
            tracing::error!(%error, "An opt-out of the stand-in could not be written.");
        }
    });
}

fn reply(shared: &Shared, (from, to): (String, String), answer: &str) {
    let Some(body) = xml::text_of(answer, "Message") else { return };
    let entry = Entry {
        sid: new_sid(Kind::Text),
        kind: Kind::Text,
        from,
        to,
        body,
        created: now(shared),
        status: "delivered".to_owned(),
        error_code: None,
        callback: None,
        is_reply: true,
    };
    shared.book.send_modify(|book| {
        if let Err(error) = book.accept(entry) {
            tracing::error!(%error, "A reply could not be written.");
        }
    });
}

/// A key is pressed during a call: the relay hears it where the call's own words say.
pub(super) async fn press(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Form(Press { sid, digits }): Form<Press>,
) -> Response {
    if !is_from_here(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let Some(call) = shared.book.borrow().find(&sid).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Some(url) = xml::attribute_of(&call.body, "Gather", "action") else {
        return (StatusCode::CONFLICT, "the call listens to no keys").into_response();
    };
    let fields = owned(&[
        ("CallSid", sid.as_str()),
        ("AccountSid", &shared.options.account),
        ("ApiVersion", "2010-04-01"),
        ("CallStatus", "in-progress"),
        ("From", &call.from),
        ("To", &call.to),
        ("Digits", &digits),
    ]);
    match shared.caller.post(&url, &fields).await {
        Ok(_spoken) => back(&headers),
        Err(error) => (StatusCode::BAD_GATEWAY, format!("the relay {error}")).into_response(),
    }
}

/// The mail that came, the newest first.
pub(super) async fn mail(State(shared): State<Shared>) -> Json<Vec<Mail>> {
    Json(shared.mail.newest_first())
}

pub(super) async fn page(State(shared): State<Shared>) -> Response {
    let page = {
        let book = shared.book.borrow();
        let of = |kind: Kind| -> Vec<Shown> {
            let entries = book.newest_first(None).filter(|entry| entry.kind == kind);
            entries.take(SHOWN_MAX).map(shown).collect()
        };
        let mut mail = shared.mail.newest_first();
        mail.truncate(SHOWN_MAX);
        Page { texts: of(Kind::Text), calls: of(Kind::Call), mail }
    };
    match page.render() {
        Ok(text) => ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(text)).into_response(),
        Err(_unwritten) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn shown(entry: &Entry) -> Shown {
    let text = match entry.kind {
        Kind::Text => entry.body.clone(),
        Kind::Call => xml::spoken(&entry.body),
    };
    let at =
        Timestamp::from_microsecond(entry.created).map(|at| format!("{at:.0}")).unwrap_or_default();
    Shown {
        sid: entry.sid.clone(),
        from: entry.from.clone(),
        to: entry.to.clone(),
        text,
        at,
        status: entry.status.clone(),
        takes_keys: xml::attribute_of(&entry.body, "Gather", "action").is_some(),
    }
}

/// A page of another site cannot press keys here.
fn is_from_here(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin" || site == "none")
}

/// To the page, for a browser.
fn back(headers: &HeaderMap) -> Response {
    if headers.contains_key("sec-fetch-site") {
        Redirect::to("/").into_response()
    } else {
        StatusCode::NO_CONTENT.into_response()
    }
}
