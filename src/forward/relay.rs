//! The one door to reqwest: one attempt to hand one change to the relay, and what its answer means.

use super::Deliver;
use crate::clock::Micros;
use crate::delivery::{Answer, Delivery};
use crate::event::{chain, printable};
use relay_wire::{CONTENT_TYPE, HEADER_ID, HEADER_SIGNATURE, HEADER_TIMESTAMP, Secret};
use reqwest::header::{CONTENT_TYPE as CONTENT_TYPE_HEADER, HeaderMap, RETRY_AFTER};
use reqwest::{Client, Identity, Response, StatusCode, Url, redirect};
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest file with a certificate and those that it stands on, in bytes.
const PEM_BYTES_MAX: u64 = 256 << 10;

/// How long a connection may take, name look-up and TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an attempt may take from first to last: within the 15 to 30 s that Standard Webhooks recommends.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a connection is kept for the next attempt: less than what relays and what stands between commonly keep it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// How much of an answer's body is read.
const ANSWER_BYTES_MAX: usize = 4 * 1024;

const USER_AGENT: &str = concat!("ballot-intake/", env!("CARGO_PKG_VERSION"));

/// How long an attempt may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// The connection, name look-up and TLS included.
    pub connect: Duration,
    /// The attempt from first to last.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: CONNECT_TIMEOUT, total: TOTAL_TIMEOUT }
    }
}

/// Why there is no way to the relay.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// What is configured is no URL.
    #[error("the relay's address is no URL")]
    Url(#[source] reqwest::Error),
    /// It is one, but neither `http` nor `https`.
    #[error("the relay's address begins with {0:?}, not with https or http")]
    Scheme(String),
    /// The client cannot be made; with `https`, the machine's certificate authorities are missing, or the station's own certificate and
    /// key are not of each other.
    #[error("the connection to the relay cannot be set up")]
    Client(#[source] reqwest::Error),
    /// What the station should show the relay is no certificate with its key.
    #[error("the station's certificate for the relay, or its key, is none")]
    Certificate(#[source] reqwest::Error),
}

/// The relay. Clones share their connections.
#[derive(Clone)]
pub struct Relay {
    client: Client,
    url: Url,
    secret: Secret,
}

impl Relay {
    /// The relay at `url`, `https` or `http`. Certificates are checked against the machine's authorities. Redirects are not
    /// followed and no proxy is taken from the environment: changes go where the configuration says, or nowhere.
    pub fn new(url: &str, secret: Secret, timeouts: Timeouts) -> Result<Self, RelayError> {
        Self::open(url, secret, timeouts, None)
    }

    /// The same, shown the station's certificate when it asks for one: `pem` has the certificate, those that it stands on, and its key.
    pub fn showing(
        url: &str,
        secret: Secret,
        timeouts: Timeouts,
        pem: &[u8],
    ) -> Result<Self, RelayError> {
        Self::open(url, secret, timeouts, Some(identity(pem)?))
    }

    fn open(
        url: &str,
        secret: Secret,
        timeouts: Timeouts,
        identity: Option<Identity>,
    ) -> Result<Self, RelayError> {
        // Of its own kind of client, so that a fault of the address is not mixed with one of the machine.
        let url = client(Security::None, timeouts, None)?
            .post(url)
            .build()
            .map(|request| request.url().clone())
            .map_err(|error| RelayError::Url(error.without_url()))?;
        let security = match url.scheme() {
            "https" => Security::Tls,
            "http" => Security::None,
            other => return Err(RelayError::Scheme(printable(other))),
        };
        Ok(Self { client: client(security, timeouts, identity)?, url, secret })
    }

    async fn attempt(&self, delivery: &Delivery, now: Micros) -> reqwest::Result<Response> {
        let seconds = now.0.div_euclid(1_000_000);
        let signature = self.secret.sign(&delivery.id, seconds, delivery.body.as_bytes());
        self.client
            .post(self.url.clone())
            .header(CONTENT_TYPE_HEADER, CONTENT_TYPE)
            .header(HEADER_ID, &delivery.id)
            .header(HEADER_TIMESTAMP, seconds)
            .header(HEADER_SIGNATURE, signature)
            .body(delivery.body.clone())
            .send()
            .await
    }
}

impl Deliver for Relay {
    async fn deliver(&self, delivery: &Delivery, now: Micros) -> Answer {
        match self.attempt(delivery, now).await {
            Ok(response) => {
                let status = response.status();
                let retry_after = retry_after(response.headers(), now);
                read_out(response).await;
                judged(status, retry_after)
            }
            // Its own id or body cannot be sent, so it must not hold up the others.
            Err(error) if error.is_builder() => Answer::ChangeRefused { why: told(error) },
            // Whether the relay took it before it fell silent cannot be known: the id tells it.
            Err(error) => Answer::RelayAway { why: told(error), retry_after: None },
        }
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A URL's path and query may hold a token.
        f.debug_struct("Relay").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Security {
    None,
    Tls,
}

/// A certificate with those that it stands on and its key after them, as a relay is shown them; else which file cannot be read. Of a
/// file no more than 256 KiB are read.
pub fn shown(certificate: &Path, key: &Path) -> Result<Vec<u8>, (PathBuf, io::Error)> {
    let mut pem = Vec::new();
    for path in [certificate, key] {
        let read = File::open(path).and_then(|file| file.take(PEM_BYTES_MAX).read_to_end(&mut pem));
        read.map_err(|error| (path.to_owned(), error))?;
        pem.push(b'\n');
    }
    Ok(pem)
}

/// Whether the certificates and the key of `pem` can be shown to a relay.
pub fn can_show(pem: &[u8]) -> Result<(), RelayError> {
    client(Security::None, Timeouts::default(), Some(identity(pem)?)).map(drop)
}

fn identity(pem: &[u8]) -> Result<Identity, RelayError> {
    Identity::from_pem(pem).map_err(RelayError::Certificate)
}

fn client(
    security: Security,
    timeouts: Timeouts,
    identity: Option<Identity>,
) -> Result<Client, RelayError> {
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(timeouts.connect)
        .timeout(timeouts.total)
        .pool_idle_timeout(IDLE_TIMEOUT);
    let builder = match security {
        Security::Tls => builder.https_only(true),
        // Without TLS nothing needs the machine's authorities, and a machine that has none can still run the demo.
        Security::None => builder.tls_certs_only([]),
    };
    let builder = match identity {
        Some(identity) => builder.identity(identity),
        None => builder,
    };
    builder.build().map_err(RelayError::Client)
}

/// What an answer means. What is not listed is the relay's: then everything waits and nothing is set aside by mistake. Why is the
/// status and no more: a relay's own words may name a voter, and what is told here stays in the ledger.
fn judged(status: StatusCode, retry_after: Option<Duration>) -> Answer {
    let why = status.to_string();
    match status.as_u16() {
        200..=299 => Answer::Delivered,
        400 | 409 | 413 | 415 | 422 => Answer::ChangeRefused { why },
        410 => Answer::RelayGone { why },
        _ => Answer::RelayAway { why, retry_after },
    }
}

/// Reads an answer's body, up to a bound, and forgets it: a connection whose answer was read to its end is used again.
async fn read_out(mut response: Response) {
    let mut read = 0;
    while read < ANSWER_BYTES_MAX
        && let Ok(Some(chunk)) = response.chunk().await
    {
        read += chunk.len();
    }
}

fn told(error: reqwest::Error) -> String {
    printable(&chain(&error.without_url()))
}

/// `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date in the one form that may still be sent (section 5.6.7).
fn retry_after(headers: &HeaderMap, now: Micros) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Some(http_date(value)?.since(now)),
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<Micros> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let parts: Vec<&str> = text.split_ascii_whitespace().collect();
    let [_, day, month, year, time, "GMT"] = parts.as_slice() else { return None };
    let month = MONTHS.iter().position(|name| name == month)? + 1;
    Micros::parse_rfc3339(&format!("{year}-{month:02}-{day}T{time}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn secret() -> Secret {
        Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()
    }

    fn judge(status: u16) -> Answer {
        judged(StatusCode::from_u16(status).unwrap(), None)
    }

    #[test]
    fn what_is_not_the_changes_fault_is_the_relays() {
        for status in 100..=999 {
            let answer = judge(status);
            let fits = match status {
                200..=299 => answer == Answer::Delivered,
                400 | 409 | 413 | 415 | 422 => matches!(answer, Answer::ChangeRefused { .. }),
                410 => matches!(answer, Answer::RelayGone { .. }),
                _ => matches!(answer, Answer::RelayAway { .. }),
            };
            assert!(fits, "{status}: {answer:?}");
        }
    }

    #[test]
    fn why_is_the_status() {
        let answer = judged(StatusCode::UNPROCESSABLE_ENTITY, None);
        assert_eq!(answer.why(), Some("422 Unprocessable Entity"));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Micros::parse_rfc3339("1994-11-06T08:48:37Z").unwrap();
        for (value, expected) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:40:00 GMT", Some(0)),
            ("Sun, 31 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]);
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn an_address_that_cannot_be_posted_to_is_refused() {
        let of = |url: &str| Relay::new(url, secret(), Timeouts::default()).unwrap_err();
        for url in ["", "relay.example.gov/events", "https://"] {
            let error = of(url);
            assert!(matches!(error, RelayError::Url(_)), "{url}: {error:?}");
        }
        let error = of("ftp://relay.example.gov/events");
        assert!(matches!(&error, RelayError::Scheme(scheme) if scheme == "ftp"), "{error:?}");
    }

    #[test]
    fn neither_secret_nor_path_is_in_its_debug_text() {
        let url = "http://relay.example.gov/events/token-7?key=8";
        let relay = Relay::new(url, secret(), Timeouts::default()).unwrap();
        assert_eq!(format!("{relay:?}"), r#"Relay { host: Some("relay.example.gov"), .. }"#);
    }

    #[tokio::test]
    async fn a_change_that_cannot_be_sent_holds_up_no_other() {
        let relay = Relay::new("http://127.0.0.1:9", secret(), Timeouts::default()).unwrap();
        let delivery = Delivery { seq: 1, id: "a\nb".to_owned(), body: String::new(), attempts: 0 };
        let answer = relay.deliver(&delivery, Micros(0)).await;
        assert!(matches!(answer, Answer::ChangeRefused { .. }), "{answer:?}");
    }
}
