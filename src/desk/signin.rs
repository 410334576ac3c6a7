//! Signing in and out, and the choice of the language.

use super::gate::{LANG_COOKIE, guests_at};
use super::page::Frame;
use super::refusal::Refusal;
use super::server::Way;
use super::sessions::{SESSION_MAX, Sign, key_of};
use super::visit::{Outcome, Visit};
use super::words::Lang;
use crate::control::{Answer, Command, Guests, Hand, PASSWORD_BYTES_MAX, SIGN_IN_LOCKED};
use crate::event::LogEvent;
use crate::ledger::Role;
use askama::Template;
use axum::body::Body;
use axum::http::header::{self, HeaderValue};
use axum::http::{Response, StatusCode};
use serde::Serialize;

/// How long a language is remembered, in seconds: a year.
const LANG_SECONDS: u32 = 31_536_000;

/// The page on which somebody signs in.
#[derive(Template)]
#[template(path = "signin.html")]
struct SignIn<'v> {
    frame: Frame<'v>,
    next: &'v str,
    /// Why nobody did.
    refused: Option<&'v str>,
}

/// The session's cookie: a name that only TLS from this very host may set, where there is TLS.
pub(super) const fn cookie_name(way: Way) -> &'static str {
    match way {
        Way::Plain => "desk",
        Way::Tls => "__Host-desk",
    }
}

fn cookie(name: &str, value: &str, (way, seconds): (Way, u64)) -> Option<HeaderValue> {
    let secure = if way == Way::Tls { "; Secure" } else { "" };
    let text =
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text).ok()
}

/// Keeps who looked a number up until they confirm it, once; the cookie of the session that begins with it, where there was none.
pub(super) fn put_by(visit: &Visit) -> Result<Option<HeaderValue>, Refusal> {
    let (sessions, guests) = (&visit.desk.sessions, &visit.visitor.guests);
    if let Some(session) = &visit.visitor.session {
        sessions.put_by(session, guests.clone());
        return Ok(None);
    }
    let begun = sessions.begin(guests.clone());
    let token = begun.map_err(|error| Refusal::Failed(error.to_string()))?;
    sessions.put_by(&key_of(&token), guests.clone());
    let way = visit.peer.way;
    Ok(cookie(cookie_name(way), &token, (way, SESSION_MAX.as_secs())))
}

/// Who looked a number up last in the visitor's session; nobody a second time.
pub(super) fn take_up(visit: &Visit) -> Option<Guests> {
    visit.visitor.session.and_then(|session| visit.desk.sessions.take_up(&session))
}

/// The answer with a cookie.
pub(super) fn with_cookie(
    mut response: Response<Body>,
    cookie: Option<HeaderValue>,
) -> Response<Body> {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// A place on this station: a path and nothing that leads elsewhere.
fn place(next: Option<&str>) -> &str {
    let is_path = |next: &&str| {
        next.starts_with('/')
            && !next.starts_with("//")
            && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    };
    next.filter(is_path).unwrap_or("/")
}

/// Leads whoever is not signed in to the page on which they do.
pub(super) fn lead_there(target: &str) -> Response<Body> {
    let next: String = target
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect();
    Visit::see_other(&format!("/signin?next={next}")).unwrap_or_default()
}

/// `GET /signin`.
pub(super) fn form(visit: &Visit) -> Outcome {
    let next = place(visit.query("next"));
    visit.page(&SignIn { frame: visit.frame("title.signin"), next, refused: None })
}

/// `POST /signin`.
pub(super) async fn sign_in(mut visit: Visit) -> Outcome {
    let secret = visit.secret("secret").filter(|typed| typed.as_str().len() <= PASSWORD_BYTES_MAX);
    let secret = secret.ok_or(Refusal::Malformed("no_secret"))?;
    let operator = visit.field("operator").filter(|_| !secret.is_badge()).map(str::to_owned);
    let former = visit.visitor.session.take();
    // Whoever was signed in here before has nothing to do with it.
    visit.visitor.guests = guests_at(visit.peer);
    let command = Command::SignIn { operator, secret, hand: Hand::First };
    match visit.command(command).await {
        Ok(Answer::SignedIn { operator, role }) => {
            if let Some(former) = former {
                visit.desk.sessions.end(&former);
            }
            let begun = visit.desk.sessions.begin(visit.visitor.guests.clone());
            let token = begun.map_err(|error| Refusal::Failed(error.to_string()))?;
            let from = visit.peer.address.ip().to_string();
            tracing::info!(
                event = LogEvent::SignedIn.name(),
                operator,
                role = role.name(),
                from,
                "An operator signed in."
            );
            let who = visit.visitor.guests.party().by.who.clone();
            visit.desk.within.acted("sign_in", None, who).await;
            let way = visit.peer.way;
            let cookie = cookie(cookie_name(way), &token, (way, SESSION_MAX.as_secs()));
            if visit.is_api() {
                let found = visit.desk.sessions.find(&token, Sign::OfLife);
                let csrf = found.map(|found| found.csrf).unwrap_or_default();
                let session = Session { operator: Some(&operator), role: Some(role), csrf: &csrf };
                return Ok(with_cookie(Visit::json(&session)?, cookie));
            }
            Ok(with_cookie(Visit::see_other(place(visit.field("next")))?, cookie))
        }
        Ok(_) => Err(Refusal::Malformed("no_sign_in")),
        Err(Refusal::Rules(why)) if visit.is_api() => Err(if why.code() == Some(SIGN_IN_LOCKED) {
            Refusal::TooOften(why)
        } else {
            Refusal::Rules(why)
        }),
        Err(Refusal::Rules(_)) => {
            let page = SignIn {
                frame: visit.frame("title.signin"),
                next: place(visit.field("next")),
                refused: Some(visit.words().of("signin.refused")),
            };
            visit.page_with(StatusCode::FORBIDDEN, &page)
        }
        Err(refusal) => Err(refusal),
    }
}

/// Who is signed in, and what the header `x-csrf-token` of acts must have.
#[derive(Debug, Serialize)]
struct Session<'a> {
    operator: Option<&'a str>,
    role: Option<Role>,
    csrf: &'a str,
}

/// `GET /api/v1/session`.
pub(super) fn session(visit: &Visit) -> Outcome {
    let operator = visit.visitor.guests.operator();
    Visit::json(&Session {
        operator: operator.map(|(name, _)| name),
        role: operator.map(|(_, role)| role),
        csrf: &visit.visitor.csrf,
    })
}

/// `POST /signout`.
pub(super) async fn sign_out(visit: Visit) -> Outcome {
    if let (Some(session), Some((operator, _))) =
        (&visit.visitor.session, visit.visitor.guests.operator())
    {
        visit.desk.sessions.end(session);
        tracing::info!(event = LogEvent::SignedOut.name(), operator, "An operator signed out.");
        let who = visit.visitor.guests.party().by.who.clone();
        visit.desk.within.acted("sign_out", None, who).await;
    }
    let way = visit.peer.way;
    let response = if visit.is_api() {
        let csrf = visit.desk.sessions.csrf();
        Visit::json(&Session { operator: None, role: None, csrf })?
    } else {
        Visit::see_other("/")?
    };
    Ok(with_cookie(response, cookie(cookie_name(way), "", (way, 0))))
}

/// `POST /language`.
pub(super) fn language(visit: &Visit) -> Outcome {
    let chosen = visit.field("lang").and_then(Lang::from_name);
    let lang = chosen.ok_or(Refusal::Malformed("no_language"))?;
    let cookie = cookie(LANG_COOKIE, lang.name(), (visit.peer.way, u64::from(LANG_SECONDS)));
    Ok(with_cookie(Visit::see_other(place(visit.field("next")))?, cookie))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_elsewhere() {
        for (next, expected) in [
            (None, "/"),
            (Some("/day?from=1"), "/day?from=1"),
            (Some("//evil.example"), "/"),
            (Some("/\\evil.example"), "/"),
            (Some("https://evil.example"), "/"),
            (Some("/a\r\nSet-Cookie: x"), "/"),
            (Some(""), "/"),
        ] {
            assert_eq!(place(next), expected, "{next:?}");
        }
    }
}
