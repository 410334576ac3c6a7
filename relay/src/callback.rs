//! What providers tell us by themselves: statuses of attempts, texts of voters, bounces of e-mails.
//!
//! Nothing is believed that is not signed with the account's token over the URL as the provider knows it, which is configured, never
//! taken from the request. A signature has no time in it, so a replay is told by what it says: each word is kept once. It is answered
//! 2xx after its commit, else the provider's one retry, or our own asking, brings it again.

pub mod bounce;

use crate::key::Purpose;
use crate::news::{Channel, Kind};
use crate::receipt::{Word, word};
use crate::relay::Relay;
use crate::suppress::{Heard, Reply, hear, is_spanish, pressed};
use crate::template::{Facts, Templates, escaped};
use crate::told::chain;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use std::sync::Arc;

/// The header with the signature.
const SIGNATURE: &str = "x-twilio-signature";
/// Longest status or code that is kept.
const WORD_CHARACTERS_MAX: usize = 40;

/// A form as it came.
type Form = axum::Form<Vec<(String, String)>>;

/// The routes.
pub fn routes() -> Router<Arc<Relay>> {
    Router::new()
        .route("/provider/status/{attempt}/{tag}", post(status))
        .route("/provider/keys/{attempt}/{tag}", post(keys))
        .route("/provider/inbound", post(inbound))
}

async fn status(
    State(relay): State<Arc<Relay>>,
    Path((attempt, tag)): Path<(String, String)>,
    (uri, headers): (Uri, HeaderMap),
    axum::Form(form): Form,
) -> Response {
    if !relay.config.keys.verify(Purpose::Receipt, &attempt, &tag)
        || !is_signed(&relay, &uri, &headers, &form)
    {
        return refused();
    }
    let value = |names: [&str; 2]| {
        let found = form.iter().find(|(name, _)| names.contains(&name.as_str()));
        found.map(|(_, value)| value.chars().take(WORD_CHARACTERS_MAX).collect::<String>())
    };
    let (Some(provider_id), Some(status)) =
        (value(["MessageSid", "CallSid"]), value(["MessageStatus", "CallStatus"]))
    else {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    };
    let code = value(["ErrorCode", "ErrorCode"]).filter(|code| code != "0").unwrap_or_default();
    let (shared, now) = (Arc::clone(&relay), relay.clock.now());
    let heard = relay
        .store
        .write(move |tx| {
            let said = Word { provider_id: &provider_id, status: &status, code: &code };
            word(tx, &shared.config, &attempt, said, now)
        })
        .await;
    match heard {
        Ok(_) => {
            relay.owed.notify_waiters();
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => away(&error),
    }
}

/// A key was pressed during a call: 9 ends the calls to that number, 7 says that it was not the voter.
async fn keys(
    State(relay): State<Arc<Relay>>,
    Path((attempt, tag)): Path<(String, String)>,
    (uri, headers): (Uri, HeaderMap),
    axum::Form(form): Form,
) -> Response {
    if !relay.config.keys.verify(Purpose::Receipt, &attempt, &tag)
        || !is_signed(&relay, &uri, &headers, &form)
    {
        return refused();
    }
    let digits = form.iter().find(|(name, _)| name == "Digits").map(|(_, value)| value.as_str());
    let reply = match digits {
        Some("9") => Reply::Stop,
        Some("7") => Reply::NotMe,
        _ => return answer(None),
    };
    let now = relay.clock.now();
    match relay.store.write(move |tx| pressed(tx, &attempt, reply, now)).await {
        Ok(Some(heard)) => {
            let said = answered(&relay, (reply, Channel::Voice), heard.language.as_deref(), &heard);
            let say = |text: String| format!("<Say>{}</Say>", escaped(&text));
            twiml(&said.map(say).unwrap_or_default())
        }
        Ok(None) => answer(None),
        Err(error) => away(&error),
    }
}

async fn inbound(
    State(relay): State<Arc<Relay>>,
    (uri, headers): (Uri, HeaderMap),
    axum::Form(form): Form,
) -> Response {
    if !is_signed(&relay, &uri, &headers, &form) {
        return refused();
    }
    let value =
        |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let (Some(id), Some(from)) = (value("MessageSid"), value("From")) else {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    };
    let text = value("Body").unwrap_or_default();
    let opt_out = value("OptOutType").filter(|kind| !kind.is_empty());
    let reply = match opt_out.as_deref() {
        Some("STOP") => Reply::Stop,
        Some("START") => Reply::Start,
        Some("HELP") => Reply::Help,
        _ => Reply::of(&text),
    };
    let now = relay.clock.now();
    let heard = relay.store.write(move |tx| hear(tx, (&id, &from), reply, now)).await;
    match heard {
        // The provider answered itself, or it was answered before: two answers to one text are one too many.
        Ok(heard) => {
            relay.owed.notify_waiters();
            let heard = heard.filter(|_| opt_out.is_none());
            let spanish = is_spanish(&text).then_some("es");
            answer(heard.and_then(|heard| {
                let wanted = spanish.or(heard.language.as_deref());
                answered(&relay, (reply, Channel::Text), wanted, &heard)
            }))
        }
        Err(error) => away(&error),
    }
}

/// What is said to a reply.
fn answered(
    relay: &Relay,
    (reply, channel): (Reply, Channel),
    wanted: Option<&str>,
    heard: &Heard,
) -> Option<String> {
    let kind = match reply {
        Reply::Stop | Reply::NotMeStop => Kind::Stopped,
        Reply::Yes | Reply::Start => Kind::Confirmed,
        Reply::Help => Kind::Help,
        Reply::NotMe | Reply::Other => return None,
    };
    // Of a number that nobody gave, any county can say who we are.
    let county = heard.county.as_deref().and_then(|id| relay.config.county(id));
    let is_known = county.is_some();
    let county = county.or_else(|| relay.config.counties.values().next())?;
    if !is_known && kind == Kind::Confirmed {
        return None;
    }
    let language = Templates::language(county, wanted.unwrap_or("en"));
    let said = relay.templates.say(county, language, (kind, channel), &Facts::default());
    said.ok().map(|said| said.body)
}

/// The answer to a text, as the provider reads it.
fn answer(text: Option<String>) -> Response {
    twiml(&text.map(|text| format!("<Message>{}</Message>", escaped(&text))).unwrap_or_default())
}

fn twiml(inside: &str) -> Response {
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>{inside}</Response>");
    ([(header::CONTENT_TYPE, "text/xml")], body).into_response()
}

fn refused() -> Response {
    tracing::warn!("A callback was refused: it is not signed by the provider.");
    StatusCode::FORBIDDEN.into_response()
}

fn away(error: &crate::store::StoreError) -> Response {
    tracing::error!(
        error = chain(error),
        "A callback could not be kept; the provider is asked later."
    );
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}

/// Whether the provider of texts or that of calls signed the request.
fn is_signed(relay: &Relay, uri: &Uri, headers: &HeaderMap, form: &[(String, String)]) -> bool {
    let given = headers.get(SIGNATURE).and_then(|value| STANDARD.decode(value.as_bytes()).ok());
    let Some(given) = given else { return false };
    let account = form.iter().find(|(name, _)| name == "AccountSid").map(|(_, value)| value);
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    let url = format!("{}{path}", relay.config.public_url);
    let providers = [&relay.config.text, &relay.config.voice];
    providers.into_iter().flatten().any(|provider| {
        account == Some(&provider.account)
            && signature(&provider.token, &url, form)
                .is_some_and(|mac| mac.verify_slice(&given).is_ok())
    })
}

/// HMAC-SHA1 under the token, over the URL and each field's name and value, sorted by name.
fn signature(token: &str, url: &str, form: &[(String, String)]) -> Option<Hmac<Sha1>> {
    let mut mac = Hmac::new_from_slice(token.as_bytes()).ok()?;
    mac.update(url.as_bytes());
    let mut fields: Vec<_> = form.iter().collect();
    fields.sort();
    for (name, value) in fields {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_providers_example_verifies() {
        // From the documentation of the provider's webhooks.
        let form: Vec<_> = [
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+14158675309"),
            ("Digits", "1234"),
            ("From", "+14158675309"),
            ("To", "+18005551212"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        let mac = signature("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", &form).unwrap();
        let tag = STANDARD.encode(mac.finalize().into_bytes());
        assert_eq!(tag, "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
    }
}
