//! The gate: what is asked of every request before its handler sees it.
//!
//! In this order: who asks, the route's access, and of everything that may change something that it comes from a page of ours
//! (`Origin`, `Sec-Fetch-Site`, and the token of the visitor's own cookie in the form). What stands behind a link that nobody can
//! make up needs no token: mail programs send it (RFC 8058).

use super::Site;
use super::fields;
use super::frame::message;
use super::refusal::{Refusal, Way, secured};
use super::routes::{Access, Method, Route};
use super::sessions;
use super::visit::{Outcome, Visit, Visitor};
use super::words::Lang;
use crate::key::{Purpose, token};
use crate::serve::Peer;
use axum::body::Body;
use axum::extract::{FromRequestParts as _, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Request, Response, header};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use tokio::time::timeout;

/// Longest form, in bytes.
const BODY_BYTES_MAX: usize = 16 << 10;

/// For a form to come.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// For an answer to be made.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// So much of the origin that a browser tells is logged, in characters.
const ORIGIN_CHARS_MAX: usize = 100;

/// The cookie with the language.
const LANG_COOKIE: &str = "lang";

/// How long a language is remembered, in seconds: a year.
const LANG_SECONDS: u32 = 31_536_000;

/// Whom a cookie is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Jar {
    /// A voter who signed in.
    Voter,
    /// Somebody of the office.
    Office,
    /// Whoever looks on; only for the tokens of forms.
    Guest,
}

impl Jar {
    /// Its cookie's name: one that only TLS from this very host may set, where there is TLS.
    const fn name(self, way: Way) -> &'static str {
        match (self, way) {
            (Self::Voter, Way::Plain) => "voter",
            (Self::Voter, Way::Tls) => "__Host-voter",
            (Self::Office, Way::Plain) => "office",
            (Self::Office, Way::Tls) => "__Host-office",
            (Self::Guest, Way::Plain) => "guest",
            (Self::Guest, Way::Tls) => "__Host-guest",
        }
    }

    /// `Lax`: who follows a link of a message is signed in still. The office follows none.
    const fn same_site(self) -> &'static str {
        match self {
            Self::Voter | Self::Guest => "Lax",
            Self::Office => "Strict",
        }
    }
}

/// Lets a request through to its route's handler, or refuses it.
pub(super) async fn enter(
    site: Site,
    route: &'static Route,
    request: Request<Body>,
) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    let (lang, way) = (lang(&parts.headers), site.way());
    let outcome = match arrived(site.clone(), route, &mut parts).await {
        Err(refusal) => Err(refusal),
        Ok(mut visit) => match pass(&mut visit, &parts, body).await {
            Err(refusal) => Err(refusal),
            Ok(()) => attended(visit).await,
        },
    };
    let response = outcome.unwrap_or_else(|refusal| refused(&site, route.path, lang, &refusal));
    secured(response, way)
}

/// The handler's answer, with the cookie of a guest who has none.
async fn attended(visit: Visit) -> Outcome {
    let guest = visit.is_new.then(|| cookie(&visit.site, Jar::Guest, &visit.token, None)).flatten();
    let route = visit.route;
    let mut response = match timeout(ANSWER_TIMEOUT, (route.handler)(visit)).await {
        Ok(outcome) => outcome?,
        Err(_late) => return Err(Refusal::Busy),
    };
    if let Some(guest) = guest {
        response.headers_mut().append(header::SET_COOKIE, guest);
    }
    Ok(response)
}

/// A request for what is not there.
pub(super) fn strand(site: &Site, request: &Request<Body>, refusal: &Refusal) -> Response<Body> {
    let response = refused(site, "none", lang(request.headers()), refusal);
    secured(response, site.way())
}

fn refused(site: &Site, route: &str, lang: Lang, refusal: &Refusal) -> Response<Body> {
    let why = refusal.name();
    if let Refusal::Failed(error) = refusal {
        tracing::error!(route, error, "A page could not be made.");
    } else if let Refusal::Forged(what) = refusal {
        tracing::warn!(route, why, what, "A request to the pages was refused.");
    } else if refusal.is_suspect() {
        tracing::warn!(route, why, "A request to the pages was refused.");
    }
    let is_office = route.starts_with("/office");
    match refusal {
        Refusal::NotSignedIn => {
            let place = if is_office { "/office/signin" } else { "/signin" };
            Visit::see_other(place).unwrap_or_default()
        }
        _ => message(site, lang, refusal),
    }
}

/// Who comes, and what for.
async fn arrived(site: Site, route: &'static Route, parts: &mut Parts) -> Result<Visit, Refusal> {
    let from = from(&site.relay.config.pages.proxies, parts);
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let jar = if route.path.starts_with("/office") { Jar::Office } else { Jar::Voter };
    let way = site.way();
    let given = cookie_of(&parts.headers, jar.name(way)).map(str::to_owned);
    let mut visitor = Visitor::Nobody;
    let mut own = None;
    if let Some(given) = given {
        let now = site.relay.clock.now();
        let looked = given.clone();
        let found = site.relay.store.read(move |tx| sessions::find(tx, &looked, now)).await;
        let found = found.map_err(|error| Refusal::Failed(crate::told::chain(&error)))?;
        let is_of_jar =
            |visitor: &Visitor| matches!(visitor, Visitor::Operator { .. }) == (jar == Jar::Office);
        if let Some((found, must_write)) = found.filter(|(visitor, _)| is_of_jar(visitor)) {
            if must_write {
                let seen = given.clone();
                let written =
                    site.relay.store.write(move |tx| sessions::seen(tx, &seen, now)).await;
                written.map_err(|error| Refusal::Failed(crate::told::chain(&error)))?;
            }
            visitor = found;
            own = Some(given);
        }
    }
    let guest = cookie_of(&parts.headers, Jar::Guest.name(way)).map(str::to_owned);
    let is_new = own.is_none() && guest.is_none();
    let token = match own.or(guest) {
        Some(token) => token,
        None => token().map_err(|error| Refusal::Failed(error.to_string()))?,
    };
    Ok(Visit {
        from,
        visitor,
        token,
        is_new,
        lang: lang(&parts.headers),
        site,
        route,
        target,
        params: params(parts).await,
        query: Vec::new(),
        form: Vec::new(),
        has_already: parts.headers.get(header::IF_NONE_MATCH).cloned(),
    })
}

/// Where the request comes from: a proxy that is ours tells for whom it asks, in the last place of the last line. What stands before
/// it may be the visitor's own invention.
fn from(proxies: &[IpAddr], parts: &Parts) -> IpAddr {
    let peer = parts.extensions.get::<Peer>().map(|peer| peer.0.ip().to_canonical());
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let lines = parts.headers.get_all("x-forwarded-for");
    let told = lines.iter().next_back().and_then(|value| value.to_str().ok());
    let last =
        told.and_then(|told| told.rsplit(',').next()).and_then(|last| last.trim().parse().ok());
    match last {
        Some(last) if proxies.contains(&peer) => network(last),
        _ => network(peer),
    }
}

/// The address; of IPv6 its network of 64 bits, for whoever has one has all of its addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
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
    may(visit)?;
    if visit.params.iter().any(|(_, value)| value.contains('\0')) {
        return Err(Refusal::NotFound);
    }
    visit.query = fields::read(parts.uri.query().unwrap_or_default())?;
    if visit.route.method == Method::Get {
        return Ok(());
    }
    let whole = axum::body::to_bytes(body, BODY_BYTES_MAX);
    let body = match timeout(BODY_TIMEOUT, whole).await {
        Ok(Ok(body)) => body,
        Ok(Err(_too_long)) => return Err(Refusal::TooLong),
        Err(_late) => return Err(Refusal::TooSlow),
    };
    if visit.route.access == Access::Link {
        return Ok(());
    }
    from_here(visit, &parts.headers)?;
    if !is_form(&parts.headers) {
        return Err(Refusal::Malformed("this is no form"));
    }
    let text = std::str::from_utf8(&body).map_err(|_e| Refusal::Malformed("no UTF-8"))?;
    visit.form = fields::read(text)?;
    let sent = visit.field("csrf").unwrap_or_default();
    if visit.is_new || !visit.site.keys().verify(Purpose::Csrf, &visit.token, sent) {
        return Err(forged(visit, &parts.headers, "the token of the form is not the cookie's"));
    }
    Ok(())
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

/// Whether the visitor may have what the route is for.
const fn may(visit: &Visit) -> Result<(), Refusal> {
    match (visit.route.access, &visit.visitor) {
        (Access::Anyone | Access::Link, _) | (Access::Voter, Visitor::Voter { .. }) => Ok(()),
        (Access::Office(least), Visitor::Operator { .. }) => {
            if visit.may(least) {
                Ok(())
            } else {
                Err(Refusal::WrongRole)
            }
        }
        (Access::Voter | Access::Office(_), _) => Err(Refusal::NotSignedIn),
    }
}

/// What may change something comes from a page of ours.
fn from_here(visit: &Visit, headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if text("sec-fetch-site").is_some_and(|site| site != "same-origin") {
        return Err(forged(visit, headers, "the page is another site's"));
    }
    let scheme = if visit.site.way() == Way::Tls { "https" } else { "http" };
    let own = format!("{scheme}://{}", text("host").unwrap_or_default());
    match text("origin") {
        Some(origin) if origin != own && origin != visit.site.relay.config.public_url => {
            Err(forged(visit, headers, "the page is another origin's"))
        }
        _ => Ok(()),
    }
}

/// A form that is not believed. Most often nobody forged it: the browser's bar has another address than `public_url`.
fn forged(visit: &Visit, headers: &HeaderMap, what: &str) -> Refusal {
    let came = headers.get("origin").map(|value| value.to_str().unwrap_or("?"));
    let came: String = came.unwrap_or("no origin").chars().take(ORIGIN_CHARS_MAX).collect();
    let own = &visit.site.relay.config.public_url;
    Refusal::Forged(format!("{what}: it came from {came}, and public_url is {own}"))
}

fn lang(headers: &HeaderMap) -> Lang {
    let chosen = cookie_of(headers, LANG_COOKIE).and_then(Lang::from_name);
    chosen.unwrap_or_else(|| Lang::accepted(headers))
}

fn cookie_of<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs =
        lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// A cookie; without `seconds` it goes with the browser.
fn cookie(site: &Site, jar: Jar, value: &str, seconds: Option<u32>) -> Option<HeaderValue> {
    let way = site.way();
    let secure = if way == Way::Tls { "; Secure" } else { "" };
    let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    let (name, same_site) = (jar.name(way), jar.same_site());
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite={same_site}{age}{secure}");
    HeaderValue::from_str(&text).ok()
}

/// The answer with the cookie of a session that begins, or of one that ended where there is no token.
pub fn with_session(
    visit: &Visit,
    mut response: Response<Body>,
    token: Option<&str>,
) -> Response<Body> {
    let jar = if visit.route.path.starts_with("/office") { Jar::Office } else { Jar::Voter };
    let cookie = match token {
        Some(token) => cookie(&visit.site, jar, token, None),
        None => cookie(&visit.site, jar, "", Some(0)),
    };
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// A place of ours: a path and nothing that leads elsewhere.
fn place(next: Option<&str>) -> &str {
    let is_path = |next: &&str| {
        next.starts_with('/')
            && !next.starts_with("//")
            && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    };
    next.filter(is_path).unwrap_or("/")
}

/// `POST /language`.
pub(super) fn language(visit: &Visit) -> Outcome {
    let chosen = visit.field("lang").and_then(Lang::from_name);
    let lang = chosen.ok_or(Refusal::Malformed("there is no such language"))?;
    let secure = if visit.site.way() == Way::Tls { "; Secure" } else { "" };
    let name = lang.name();
    let text =
        format!("{LANG_COOKIE}={name}; Path=/; SameSite=Lax; Max-Age={LANG_SECONDS}{secure}");
    let mut response = Visit::see_other(place(visit.field("next")))?;
    if let Ok(cookie) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_elsewhere() {
        for (next, expected) in [
            (None, "/"),
            (Some("/me?done=saved"), "/me?done=saved"),
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
