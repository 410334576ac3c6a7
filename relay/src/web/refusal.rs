//! What is answered when a request is not done, and the headers that every answer has.

use axum::body::Body;
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{Response, StatusCode};

/// Nothing but what the relay serves itself, and nothing inline; no script at all.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; \
                      base-uri 'none'";

/// On every answer. The address of a page, which may hold the tag of a link, goes to nobody else.
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

/// Whether others on the way can read along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// They can.
    Plain,
    /// They cannot: TLS, here or at a proxy.
    Tls,
}

/// The answer with the headers that every answer has.
pub fn secured(mut response: Response<Body>, way: Way) -> Response<Body> {
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

/// Why a request is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It takes somebody who signed in.
    NotSignedIn,
    /// It takes another role.
    WrongRole,
    /// It comes from another site, or the form is not of this visitor: why, for the log.
    Forged(String),
    /// There is no such page.
    NotFound,
    /// The page is not asked in that way.
    WrongMethod,
    /// The form or the query cannot be read: what is wrong.
    Malformed(&'static str),
    /// The rules do not allow it; nothing changed: why.
    Rules(String),
    /// It was tried too often.
    TooOften,
    /// The form is too long.
    TooLong,
    /// The form did not come in time.
    TooSlow,
    /// Too many are being served.
    Busy,
    /// The relay cannot: why, for the log.
    Failed(String),
}

impl Refusal {
    /// Its status.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::NotSignedIn => StatusCode::UNAUTHORIZED,
            Self::WrongRole | Self::Forged(_) => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Rules(_) => StatusCode::CONFLICT,
            Self::TooOften => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Busy | Self::Failed(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The name of its words, and in the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotSignedIn => "not_signed_in",
            Self::WrongRole => "wrong_role",
            Self::Forged(_) => "forged",
            Self::NotFound => "not_found",
            Self::WrongMethod => "wrong_method",
            Self::Malformed(_) => "malformed",
            Self::Rules(_) => "rules",
            Self::TooOften => "too_often",
            Self::TooLong => "too_long",
            Self::TooSlow => "too_slow",
            Self::Busy => "busy",
            Self::Failed(_) => "failed",
        }
    }

    /// What may be told of it.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Malformed(what) => Some(what),
            Self::Rules(why) => Some(why),
            _ => None,
        }
    }

    /// Whether somebody tried what they may not.
    pub const fn is_suspect(&self) -> bool {
        matches!(self, Self::WrongRole | Self::Forged(_) | Self::TooOften)
    }
}

/// An answer with that status and type.
pub fn answer(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Body>,
) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
