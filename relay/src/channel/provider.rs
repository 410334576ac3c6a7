//! The one door to reqwest: texts and calls through an API compatible with Twilio's (2010-04-01).
//!
//! What a list shows is compared by sender, recipient, exact body and time of creation. The list is not narrowed by `DateSent`: a text that
//! still stands in the provider's queue has none, and would look as if it had never been taken.

use super::code::{class, is_of_account};
use super::{Message, Outcome, Trouble};
use crate::clock::Micros;
use crate::config::{self, Config};
use crate::key::{Keys, Purpose};
use crate::news::Channel;
use crate::template::spoken;
use jiff::fmt::rfc2822;
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect};
use serde::Deserialize;
use std::fmt;
use std::time::Duration;

const USER_AGENT: &str = concat!("ballot-relay/", env!("CARGO_PKG_VERSION"));
/// For a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Entries of one page of a list.
const PAGE: usize = 50;
/// Pages that are read: an address gets so many messages an hour at most.
const PAGES_MAX: usize = 20;
/// How far the provider's clock may be off.
const CLOCK_SLACK: Duration = Duration::from_mins(10);
/// Longest that the provider may hold a text back (its own limit).
const VALIDITY_SECONDS_MAX: u64 = 36_000;

/// A provider of texts or of calls. Clones share their connections.
#[derive(Clone)]
pub struct Provider {
    client: Client,
    api: config::Provider,
    channel: Channel,
    lease: Duration,
    public_url: String,
    keys: Keys,
}

/// What the provider knows of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id there.
    pub id: String,
    /// Its status.
    pub status: String,
    /// The code of its failure.
    pub code: String,
    /// What was said, of a text.
    pub body: Option<String>,
}

#[derive(Deserialize)]
struct Resource {
    sid: String,
    status: Option<String>,
    error_code: Option<u32>,
    body: Option<String>,
    date_created: Option<String>,
    direction: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    #[serde(alias = "calls")]
    messages: Vec<Resource>,
    next_page_uri: Option<String>,
}

#[derive(Deserialize)]
struct Problem {
    code: Option<u32>,
}

impl Provider {
    /// A client for the provider. Redirects are not followed and no proxy is taken from the environment.
    pub fn new(
        config: &Config,
        api: &config::Provider,
        channel: Channel,
    ) -> Result<Self, reqwest::Error> {
        let builder = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(config.sending.call_timeout);
        let builder = if api.api_url.starts_with("https:") {
            builder.https_only(true)
        } else {
            // Without TLS nothing needs the machine's authorities.
            builder.tls_certs_only([])
        };
        Ok(Self {
            client: builder.build()?,
            api: api.clone(),
            channel,
            lease: config.sending.settle_after,
            public_url: config.public_url.clone(),
            keys: config.keys.clone(),
        })
    }

    /// Creates a text or a call.
    pub(super) async fn create(&self, message: &Message) -> Outcome {
        let tag = self.keys.tag(Purpose::Receipt, &message.attempt);
        let callback = format!("{}/provider/status/{}/{tag}", self.public_url, message.attempt);
        let mut form = vec![
            ("To", message.address.clone()),
            ("From", self.api.from.clone()),
            ("StatusCallback", callback),
        ];
        if self.channel == Channel::Text {
            let seconds = message.valid_for.as_secs().clamp(1, VALIDITY_SECONDS_MAX);
            form.push(("Body", message.said.body.clone()));
            form.push(("ValidityPeriod", seconds.to_string()));
        } else {
            let keys_url = format!("{}/provider/keys/{}/{tag}", self.public_url, message.attempt);
            let keys_url = Some(keys_url.as_str()).filter(|_| !message.kind.is_answer());
            form.push(("Twiml", spoken(&message.said.body, &message.language, keys_url)));
        }
        match self.signed(self.client.post(self.url("")).form(&form)).send().await {
            Ok(response) => judged(response).await,
            Err(error) if error.is_builder() => {
                Outcome::Refused { code: "request".to_owned(), class: super::Class::Ours }
            }
            Err(error) if error.is_connect() => {
                Outcome::NotSent { why: "connect".to_owned(), after: None, of: Trouble::Way }
            }
            Err(error) => Outcome::Unknown {
                why: if error.is_timeout() { "timeout" } else { "broken" }.to_owned(),
            },
        }
    }

    /// What was created from that number of ours to that address about then, newest first: by a call that began then and ended within
    /// its lease. Our answers to texts are left out.
    pub async fn list(
        &self,
        to: &str,
        from: &str,
        started_at: Micros,
    ) -> Result<Vec<Listed>, reqwest::Error> {
        let since = started_at.minus(CLOCK_SLACK);
        let until = started_at.plus(self.lease).plus(CLOCK_SLACK);
        let mut found = Vec::new();
        for page in 0..PAGES_MAX {
            let query = [
                ("To", to.to_owned()),
                ("From", from.to_owned()),
                ("PageSize", PAGE.to_string()),
                ("Page", page.to_string()),
            ];
            let request = self.client.get(self.url("")).query(&query);
            let response = self.signed(request).send().await?.error_for_status()?;
            let listed: Page = response.json().await?;
            let has_more = listed.next_page_uri.is_some();
            let n_listed = listed.messages.len();
            let new = listed.messages.into_iter().filter(|one| {
                let created = one.date_created.as_deref().and_then(created);
                created.is_none_or(|created| created >= since)
            });
            let before = found.len();
            found.extend(new);
            if !has_more || found.len() - before < n_listed {
                break;
            }
        }
        let is_ours = |one: &Resource| {
            let created = one.date_created.as_deref().and_then(created);
            one.direction.as_deref() != Some("outbound-reply")
                && created.is_none_or(|created| created <= until)
        };
        Ok(found.into_iter().filter(is_ours).map(Listed::from).collect())
    }

    /// What the provider knows of one; nothing if it knows nothing.
    pub async fn fetch(&self, id: &str) -> Result<Option<Listed>, reqwest::Error> {
        let response = self.signed(self.client.get(self.url(&format!("/{id}")))).send().await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let found: Resource = response.error_for_status()?.json().await?;
        Ok(Some(found.into()))
    }

    fn url(&self, rest: &str) -> String {
        let what = if self.channel == Channel::Text { "Messages" } else { "Calls" };
        let config::Provider { api_url, account, .. } = &self.api;
        format!("{api_url}/2010-04-01/Accounts/{account}/{what}{rest}.json")
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        request.basic_auth(&self.api.account, Some(&self.api.token))
    }
}

impl From<Resource> for Listed {
    fn from(one: Resource) -> Self {
        Self {
            id: one.sid,
            status: one.status.unwrap_or_default(),
            code: one.error_code.map(|code| code.to_string()).unwrap_or_default(),
            body: one.body,
        }
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("channel", &self.channel).finish_non_exhaustive()
    }
}

fn created(text: &str) -> Option<Micros> {
    let at = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Micros(at.as_microsecond()))
}

/// What the answer to a creation means. A 5xx says nothing: the message may be on its way all the same.
async fn judged(response: Response) -> Outcome {
    let status = response.status();
    let after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    if status.is_success() {
        return match response.json::<Resource>().await {
            Ok(made) => {
                Outcome::Accepted { provider_id: made.sid, status: made.status.unwrap_or_default() }
            }
            Err(_) => Outcome::Unknown { why: "answer".to_owned() },
        };
    }
    let said = response.json::<Problem>().await.ok().and_then(|problem| problem.code);
    let code = said.map_or_else(|| status.as_u16().to_string(), |code| code.to_string());
    match status {
        // It is said to be not processed, and always safe to try again.
        StatusCode::TOO_MANY_REQUESTS => Outcome::NotSent { why: code, after, of: Trouble::Way },
        // Somebody on the way waited too long: it may have come through.
        StatusCode::REQUEST_TIMEOUT => Outcome::Unknown { why: code },
        // The token, or the account's place: so it goes with every message.
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::NOT_FOUND
        | StatusCode::METHOD_NOT_ALLOWED => {
            Outcome::NotSent { why: code, after, of: Trouble::Account }
        }
        _ if is_of_account(&code) => Outcome::NotSent { why: code, after, of: Trouble::Account },
        // Not the API itself, which always says a code: something that stands before it.
        _ if status.is_client_error() && said.is_none() => {
            Outcome::NotSent { why: code, after, of: Trouble::Account }
        }
        _ if status.is_client_error() => Outcome::Refused { class: class(&code), code },
        _ => Outcome::Unknown { why: code },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Class;
    use axum::http;

    #[tokio::test]
    async fn an_answer_says_whether_it_may_have_been_taken_and_whose_fault_it_is() {
        let not_sent = |why: &str, after: Option<u64>, of| Outcome::NotSent {
            why: why.to_owned(),
            after: after.map(Duration::from_secs),
            of,
        };
        let refused = |code: &str, class| Outcome::Refused { code: code.to_owned(), class };
        let unknown = |why: &str| Outcome::Unknown { why: why.to_owned() };
        for (status, body, expected) in [
            (429, r#"{"code":20429}"#, not_sent("20429", Some(7), Trouble::Way)),
            (401, r#"{"code":20003}"#, not_sent("20003", Some(7), Trouble::Account)),
            (404, r#"{"code":20404}"#, not_sent("20404", Some(7), Trouble::Account)),
            (405, "", not_sent("405", Some(7), Trouble::Account)),
            (413, "<html>", not_sent("413", Some(7), Trouble::Account)),
            (400, r#"{"code":30034}"#, not_sent("30034", Some(7), Trouble::Account)),
            (400, r#"{"code":21211}"#, refused("21211", Class::BadAddress)),
            (400, r#"{"code":99999}"#, refused("99999", Class::Ours)),
            (408, "", unknown("408")),
            (502, "<html>", unknown("502")),
            (201, "<html>", unknown("answer")),
        ] {
            let answer = http::Response::builder().status(status).header("retry-after", "7");
            let answer = Response::from(answer.body(body).unwrap());
            assert_eq!(judged(answer).await, expected, "{status} {body}");
        }
    }
}
