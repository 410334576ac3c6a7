//! What is answered when a request is not done, and the headers that every answer has.

use super::server::Way;
use super::view::refused;
use super::words::Words;
use crate::coded::Coded;
use axum::body::Body;
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{Response, StatusCode};
use serde::Serialize;

/// Nothing but what the station serves itself, and nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      media-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// On every answer. A referrer within the site keeps the `Origin` of its forms.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=(), usb=(), serial=(), hid=()",
    ),
];

/// So long a browser that came by TLS comes by nothing else, in seconds: a year.
const TRANSPORT: &str = "max-age=31536000";

/// The answer with the headers that every answer has.
pub(super) fn secured(mut response: Response<Body>, way: Way) -> Response<Body> {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if way == Way::Tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(TRANSPORT));
    }
    response
}

/// Why the rules do not allow something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Why {
    /// In English.
    pub(super) why: String,
    /// By its code, for every language.
    pub(super) coded: Option<Coded>,
}

impl Why {
    /// The code, where it has one.
    pub(super) fn code(&self) -> Option<&str> {
        self.coded.as_ref().map(|coded| coded.code.as_str())
    }

    /// In the words of a language; what has none says that it is English.
    pub(super) fn told(&self, words: Words<'_>) -> String {
        let told = self.coded.as_ref().and_then(|coded| refused(coded, words));
        told.unwrap_or_else(|| words.with("refused.in_english", &[("why", &self.why)]))
    }
}

/// Why a request is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It takes somebody who signed in.
    NotSignedIn,
    /// It takes another role.
    WrongRole,
    /// It comes from another site, or the form is not of this session.
    Forged,
    /// It is addressed to a name that is none of this station's.
    WrongHost,
    /// There is no such page, batch or ballot.
    NotFound,
    /// The page is not asked in that way.
    WrongMethod,
    /// The form or the query cannot be read: the key of what is wrong.
    Malformed(&'static str),
    /// The rules do not allow it; nothing changed: why.
    Rules(Why),
    /// What was sent is none of what the API takes: what is wrong.
    Invalid(String),
    /// What was sent is of another type.
    WrongType,
    /// It was tried too often: why it waits.
    TooOften(Why),
    /// The form is too long.
    TooLong,
    /// The form did not come in time.
    TooSlow,
    /// Too many are being served.
    Busy,
    /// What was asked for was not done in time, and may yet be.
    Unsure,
    /// The station cannot: why, for the log.
    Failed(String),
}

/// A refusal as JSON (RFC 9457).
#[derive(Debug, Serialize)]
struct Problem<'a> {
    title: &'a str,
    status: u16,
    /// Which refusal it is, in whatever language it is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl Refusal {
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::NotSignedIn => StatusCode::UNAUTHORIZED,
            Self::WrongRole | Self::Forged => StatusCode::FORBIDDEN,
            Self::WrongHost => StatusCode::MISDIRECTED_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Rules(_) => StatusCode::CONFLICT,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::WrongType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Busy | Self::Unsure | Self::Failed(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The name of its words, and in the log.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::NotSignedIn => "not_signed_in",
            Self::WrongRole => "wrong_role",
            Self::Forged => "forged",
            Self::WrongHost => "wrong_host",
            Self::NotFound => "not_found",
            Self::WrongMethod => "wrong_method",
            Self::Malformed(_) => "malformed",
            Self::Rules(_) => "rules",
            Self::Invalid(_) => "invalid",
            Self::WrongType => "wrong_type",
            Self::TooOften(_) => "too_often",
            Self::TooLong => "too_long",
            Self::TooSlow => "too_slow",
            Self::Busy => "busy",
            Self::Unsure => "unsure",
            Self::Failed(_) => "failed",
        }
    }

    /// What may be told of it.
    pub(super) fn detail(&self, words: Words<'_>) -> Option<String> {
        match self {
            Self::Malformed(what) => Some(words.of(&format!("malformed.{what}")).to_owned()),
            Self::Rules(why) | Self::TooOften(why) => Some(why.told(words)),
            Self::Invalid(what) => Some(what.clone()),
            _ => None,
        }
    }

    /// The code of what the rules do not allow, or of what is malformed.
    fn code(&self) -> Option<&str> {
        match self {
            Self::Malformed(what) => Some(what),
            Self::Rules(why) | Self::TooOften(why) => why.code(),
            _ => None,
        }
    }

    /// Whether somebody tried what they may not.
    pub(super) const fn is_suspect(&self) -> bool {
        matches!(self, Self::NotSignedIn | Self::WrongRole | Self::Forged | Self::WrongHost)
    }

    /// As JSON.
    pub(super) fn problem(&self, words: Words<'_>) -> Response<Body> {
        let key = format!("refusal.{}", self.name());
        let problem = Problem {
            title: words.of(&key),
            status: self.status().as_u16(),
            code: self.code(),
            detail: self.detail(words),
        };
        let text = serde_json::to_string(&problem).unwrap_or_default();
        answer(self.status(), "application/problem+json", text)
    }
}

/// An answer with that status and type.
pub(super) fn answer(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Body>,
) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
