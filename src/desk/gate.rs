//! The gate: what is asked of every request before its handler sees it.
//!
//! In this order: that it is addressed to this station (a foreign name that leads here is somebody's trick), who asks, the
//! route's role, and of everything that may change something that it comes from a page of this station (`Origin`,
//! `Sec-Fetch-Site`, and the session's own token in the form or in `x-csrf-token`).

use super::page::message;
use super::refusal::Refusal;
use super::routes::{Access, Method, Route, page_of};
use super::server::{Peer, Way, Whole};
use super::sessions::Sign;
use super::visit::{Visit, Visitor};
use super::words::Lang;
use super::{Shared, signin, tokens};
use crate::control::Guests;
use crate::event::LogEvent;
use axum::body::Body;
use axum::extract::{FromRequestParts as _, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, Response, header};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Longest form, in bytes.
const BODY_BYTES_MAX: usize = 64 << 10;

/// For a form to come.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// For an answer to be made.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Fields of a form or a query.
const FIELDS_MAX: usize = 256;

/// Where the token of a session stands that is no form's.
const CSRF_HEADER: &str = "x-csrf-token";

/// The cookie with the language.
pub(super) const LANG_COOKIE: &str = "lang";

/// Lets a request through to its route's handler, or refuses it.
pub(super) async fn enter(
    desk: Shared,
    route: &'static Route,
    request: Request<Body>,
) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    let Some(peer) = parts.extensions.get::<Peer>().copied() else {
        return Response::new(Body::empty());
    };
    let target = match route.method {
        Method::Post if !route.is_api() => page_of(parts.uri.path()),
        _ => parts.uri.path_and_query().map_or("/", |target| target.as_str()),
    };
    let target = target.to_owned();
    let mut visit = Visit {
        visitor: visitor(&desk, route, peer, &parts.headers),
        lang: lang(&parts.headers),
        desk,
        route,
        peer,
        target,
        params: params(&mut parts).await,
        query: Vec::new(),
        form: Vec::new(),
        refused: None,
        has_already: parts.headers.get(header::IF_NONE_MATCH).cloned(),
    };
    let passed = pass(&mut visit, &parts, body).await;
    let page = Stranded::of(&visit);
    let outcome = match passed {
        Ok(()) => match timeout(ANSWER_TIMEOUT, (route.handler)(visit)).await {
            Ok(outcome) => outcome,
            Err(_late) => Err(too_late(route.method)),
        },
        Err(refusal) => {
            write_down(&visit, &refusal).await;
            Err(refusal)
        }
    };
    outcome.unwrap_or_else(|refusal| page.refused(&refusal))
}

/// Whoever only looked may look again; whoever wanted something done must not repeat it unseen.
const fn too_late(method: Method) -> Refusal {
    match method {
        Method::Get => Refusal::Busy,
        Method::Post => Refusal::Unsure,
    }
}

/// The ledger is told what somebody who signed in was refused; of others the log is.
async fn write_down(visit: &Visit, refusal: &Refusal) {
    if refusal.is_suspect() && visit.visitor.guests.operator().is_some() {
        let who = visit.visitor.guests.party().by.who.clone();
        visit.desk.within.refused(visit.route.path, refusal.name(), who).await;
    }
}

/// A request for what is not there.
pub(super) fn strand(desk: Shared, request: Request<Body>, refusal: &Refusal) -> Response<Body> {
    let (parts, _body) = request.into_parts();
    let peer = parts.extensions.get::<Peer>().copied();
    let target = parts.uri.path().to_owned();
    let page = Stranded { lang: lang(&parts.headers), desk, peer, target, route: "none" };
    page.refused(refusal)
}

/// What is kept of a visit for the case that it is refused.
struct Stranded {
    desk: Shared,
    lang: Lang,
    peer: Option<Peer>,
    target: String,
    route: &'static str,
}

impl Stranded {
    fn of(visit: &Visit) -> Self {
        let Visit { desk, lang, peer, target, route, .. } = visit;
        Self {
            desk: desk.clone(),
            lang: *lang,
            peer: Some(*peer),
            target: target.clone(),
            route: route.path,
        }
    }

    fn refused(&self, refusal: &Refusal) -> Response<Body> {
        self.log(refusal);
        let words = self.desk.lexicon.words(self.lang);
        let is_api = self.target.starts_with("/api/") || self.route == "/events";
        match refusal {
            _ if is_api => refusal.problem(words),
            Refusal::NotSignedIn => signin::lead_there(&self.target),
            _ => message(&self.desk, self.lang, refusal),
        }
    }

    fn log(&self, refusal: &Refusal) {
        let (route, why) = (self.route, refusal.name());
        if let Refusal::Failed(error) = refusal {
            tracing::error!(
                event = LogEvent::PagesFailed.name(),
                route,
                error,
                "A page could not be made."
            );
            return;
        }
        let now = Instant::now();
        let mut may_say = false;
        self.desk.refusals.send_if_modified(|often| {
            may_say = refusal.is_suspect() && often.may_say(now);
            false
        });
        if may_say {
            let from = self.peer.map(|peer| peer.address.ip().to_string());
            tracing::warn!(
                event = LogEvent::PageRefused.name(),
                route,
                why,
                from,
                "A request to the pages was refused."
            );
        }
    }
}

async fn params(parts: &mut Parts) -> Vec<(String, String)> {
    match RawPathParams::from_request_parts(parts, &()).await {
        Ok(params) => {
            params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        }
        Err(_none) => Vec::new(),
    }
}

/// Everything that is asked of the request.
async fn pass(visit: &mut Visit, parts: &Parts, body: Body) -> Result<(), Refusal> {
    addressed_here(visit, &parts.headers)?;
    may(visit)?;
    visit.query = fields(parts.uri.query().unwrap_or_default())?;
    if visit.route.method == Method::Get {
        return Ok(());
    }
    from_here(visit, &parts.headers)?;
    let whole = axum::body::to_bytes(body, BODY_BYTES_MAX);
    let body = match timeout(BODY_TIMEOUT, whole).await {
        Ok(Ok(body)) => body,
        Ok(Err(_too_long)) => return Err(Refusal::TooLong),
        Err(_late) => return Err(Refusal::TooSlow),
    };
    if let Some(whole) = parts.extensions.get::<Whole>() {
        whole.is_there();
    }
    if is_form(&parts.headers) {
        let text = std::str::from_utf8(&body).map_err(|_e| Refusal::Malformed("no_utf8"))?;
        visit.form = fields(text)?;
    }
    let sent = parts.headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok());
    let sent = visit.field("csrf").or(sent).unwrap_or_default();
    if !is_same(sent, &visit.visitor.csrf) {
        return Err(Refusal::Forged);
    }
    let has_its_type = if visit.is_api() {
        body.is_empty() || is_json(&parts.headers)
    } else {
        is_form(&parts.headers)
    };
    if !has_its_type {
        return Err(Refusal::WrongType);
    }
    if visit.is_api() {
        visit.form = super::fields::read(visit.route.fields, &body)?;
    }
    Ok(())
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| {
        kind.split(';').next().is_some_and(|kind| kind.trim() == "application/json")
    })
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

/// Compares without telling by time where they differ.
fn is_same(a: &str, b: &str) -> bool {
    let differs = a.bytes().zip(b.bytes()).fold(0, |sum, (x, y)| sum | (x ^ y));
    a.len() == b.len() && differs == 0
}

/// Without TLS, a name that somebody has lead to this machine must not make its pages that site's own.
fn addressed_here(visit: &Visit, headers: &HeaderMap) -> Result<(), Refusal> {
    if visit.peer.way == Way::Tls {
        return Ok(());
    }
    let host = host(headers).unwrap_or_default();
    let address = visit.settings().address;
    let port = address.port();
    let is_named = [format!("localhost:{port}"), address.to_string()].iter().any(|own| own == host);
    let is_plain = port == 80 && (host == "localhost" || host == address.ip().to_string());
    if is_named || is_plain { Ok(()) } else { Err(Refusal::WrongHost) }
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST).and_then(|value| value.to_str().ok())
}

/// Whether the visitor may have what the route is for.
fn may(visit: &Visit) -> Result<(), Refusal> {
    let operator = visit.visitor.guests.operator();
    let is_local = visit.settings().is_local();
    if !visit.visitor.is_known && visit.route.access != Access::Anyone {
        return Err(Refusal::NotSignedIn);
    }
    match (visit.route.access, operator) {
        (Access::Anyone, _) => Ok(()),
        (Access::Looker, operator) if is_local || operator.is_some() => Ok(()),
        (Access::Role(role), Some(_)) if visit.visitor.guests.party().by.may(role) => Ok(()),
        (Access::Role(_), Some(_)) => Err(Refusal::WrongRole),
        (Access::Role(_), None) if is_local && !visit.desk.board.borrow().has_operators() => Ok(()),
        (Access::Role(_) | Access::Looker, None | Some(_)) => Err(Refusal::NotSignedIn),
    }
}

/// What may change something comes from a page of this station.
fn from_here(visit: &Visit, headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if text("sec-fetch-site").is_some_and(|site| site != "same-origin") {
        return Err(Refusal::Forged);
    }
    let scheme = if visit.peer.way == Way::Tls { "https" } else { "http" };
    let own = format!("{scheme}://{}", host(headers).unwrap_or_default());
    match text("origin") {
        Some(origin) if origin != own => Err(Refusal::Forged),
        _ => Ok(()),
    }
}

/// Who asks: by the session's cookie, else nobody but the place.
fn visitor(desk: &Shared, route: &Route, peer: Peer, headers: &HeaderMap) -> Visitor {
    let sign = if route.path == "/events" { Sign::OfNothing } else { Sign::OfLife };
    if let Some(bearer) = bearer(headers).filter(|_| route.is_api()) {
        let csrf = desk.sessions.csrf().to_owned();
        return match tokens::holder(&desk.settings.ledger, bearer) {
            Some(name) if desk.board.borrow().is_operator(&name) => {
                let guests = Guests::reader(name, place_of(peer));
                Visitor { guests, session: None, csrf, is_known: true }
            }
            _ => Visitor { guests: guests_at(peer), session: None, csrf, is_known: false },
        };
    }
    let token = cookie(headers, signin::cookie_name(peer.way));
    if let Some(found) = token.and_then(|token| desk.sessions.find(token, sign)) {
        return Visitor {
            guests: found.guests,
            session: Some(found.key),
            csrf: found.csrf,
            is_known: true,
        };
    }
    let csrf = desk.sessions.csrf().to_owned();
    Visitor { guests: guests_at(peer), session: None, csrf, is_known: true }
}

/// The token of a request that has one.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Nobody but the place.
pub(super) fn guests_at(peer: Peer) -> Guests {
    Guests::os_user(place_of(peer))
}

fn place_of(peer: Peer) -> String {
    let ip = peer.address.ip();
    if ip.is_loopback() { "page".to_owned() } else { format!("page at {ip}") }
}

fn lang(headers: &HeaderMap) -> Lang {
    let chosen = cookie(headers, LANG_COOKIE).and_then(Lang::from_name);
    chosen.unwrap_or_else(|| Lang::accepted(headers))
}

fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs =
        lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// The fields of a form or a query as URLs have them.
fn fields(text: &str) -> Result<Vec<(String, String)>, Refusal> {
    let pairs: Vec<_> = text.split('&').filter(|pair| !pair.is_empty()).collect();
    if pairs.len() > FIELDS_MAX {
        return Err(Refusal::Malformed("too_many_fields"));
    }
    let decoded = pairs.into_iter().map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decoded(name)?, decoded(value)?))
    });
    decoded.collect::<Option<_>>().ok_or(Refusal::Malformed("field_encoding"))
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut plain = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_as_urls_have_them() {
        let pairs = |list: &[(&str, &str)]| -> Result<Vec<(String, String)>, Refusal> {
            Ok(list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect())
        };
        assert_eq!(
            fields("a=1&b=x+y%20z&c&=&a=%C3%A9"),
            pairs(&[("a", "1"), ("b", "x y z"), ("c", ""), ("", ""), ("a", "\u{e9}")])
        );
        assert_eq!(fields(""), pairs(&[]));
        for wrong in ["a=%", "a=%4", "a=%zz", "a=%ff", &"a&".repeat(257)] {
            assert!(fields(wrong).is_err(), "{wrong}");
        }
    }

    /// "Try again" after half a minute had the same done twice.
    #[test]
    fn whoever_waited_in_vain_for_an_act_is_told_to_look_before_it_is_repeated() {
        let lexicon = crate::desk::words::Lexicon::built_in().unwrap();
        let says = |method| {
            let refusal = too_late(method);
            let key = format!("refusal.{}", refusal.name());
            Lang::ALL.map(|lang| lexicon.words(lang).find(&key).unwrap().to_owned())
        };
        assert!(says(Method::Get)[0].contains("Try again"));
        let [english, spanish] = says(Method::Post);
        assert!(english.contains("Look before you repeat it"), "{english}");
        assert!(spanish.contains("Mire antes de repetirlo"), "{spanish}");
    }

    #[test]
    fn only_the_same_token_is_the_same() {
        for (a, b, expected) in
            [("", "", true), ("a", "a", true), ("a", "b", false), ("a", "ab", false)]
        {
            assert_eq!(is_same(a, b), expected);
        }
    }
}
