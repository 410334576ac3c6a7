//! Styles and pictures, compiled in, each under the hash of what it is, so that a browser keeps it for good.

use super::refusal::{Refusal, answer};
use super::visit::{Outcome, Visit};
use axum::body::Body;
use axum::http::header::{self, HeaderValue};
use axum::http::{Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// Bytes of the hash that stand in the address.
const HASH_BYTES: usize = 9;

/// For as long as the browser likes: another content has another address.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// A file: its name, its type, and what it is.
type File = (&'static str, &'static str, &'static [u8]);

/// All files. A page names one with `{{ frame.asset("name") }}`.
const FILES: &[File] = &[
    ("relay.css", "text/css; charset=utf-8", include_bytes!("assets/relay.css")),
    ("relay.svg", "image/svg+xml", include_bytes!("assets/relay.svg")),
];

/// The files with their addresses.
#[derive(Debug)]
pub(super) struct Assets(Vec<(String, File)>);

impl Assets {
    pub(super) fn new() -> Self {
        let addressed = |file: &File| (format!("{}-{}", hash(file.2), file.0), *file);
        Self(FILES.iter().map(addressed).collect())
    }

    /// The address of a file; one that leads nowhere when there is none, which a test does not let happen.
    pub(super) fn address(&self, name: &str) -> String {
        let found = self.0.iter().find(|(_, file)| file.0 == name);
        format!("/assets/{}", found.map_or(name, |(address, _)| address))
    }
}

fn hash(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    URL_SAFE_NO_PAD.encode(digest.get(..HASH_BYTES).unwrap_or_default())
}

/// `GET /assets/{name}`.
pub(super) fn asset(visit: &Visit) -> Outcome {
    let name = visit.param("name")?;
    let found = visit.site.assets.0.iter().find(|(address, _)| address == name);
    let (address, (_, kind, bytes)) = found.ok_or(Refusal::NotFound)?;
    let tag =
        HeaderValue::from_str(&format!("\"{address}\"")).map_err(|_none| Refusal::NotFound)?;
    let mut response = if visit.has_already.as_ref() == Some(&tag) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        answer(StatusCode::OK, kind, *bytes)
    };
    response.headers_mut().insert(header::ETAG, tag);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(FOR_GOOD));
    Ok(response)
}
