//! The doors of the intake: `POST /events` for stations, `POST /iv-mtr` for the Postal Service.
//!
//! The answers are those that the daemon's outbox understands: 2xx taken, 401 not signed by who it says, 409 and 422 this event will
//! not do, 503 try again.
//!
//! The Postal Service has no certificate of the county's: where stations need one, it pushes to the pages' door, which serves `/iv-mtr`, too.

use super::postal::{self, Scan};
use super::{Taken, take, witness};
use crate::config::Sender;
use crate::relay::Relay;
use crate::told::chain;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use relay_wire::{
    CONTENT_TYPE, Event, HEADER_ID, HEADER_SIGNATURE, HEADER_TIMESTAMP, Secret, Signed, verify,
};
use std::sync::Arc;

/// Longest push of the Postal Service.
const PUSH_BYTES_MAX: usize = 8 << 20;
/// Scans in one transaction.
const SCANS_MAX: usize = 200;

/// The routes of the stations' door.
pub fn routes() -> Router<Arc<Relay>> {
    postal_routes().route("/events", post(event))
}

/// The Postal Service's route alone.
pub fn postal_routes() -> Router<Arc<Relay>> {
    Router::new().route("/iv-mtr", post(push))
}

async fn event(State(relay): State<Arc<Relay>>, headers: HeaderMap, body: Bytes) -> Response {
    let is_event = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == CONTENT_TYPE));
    let parsed = Event::parse(&body);
    let (sender, event) = match parsed {
        Ok(event) => match sender(&relay, &event) {
            Some(sender) if is_signed(&relay, &sender.secrets, &headers, &body) => (sender, event),
            _ => return refused(StatusCode::UNAUTHORIZED, "not signed by that station"),
        },
        Err(error) => {
            // Only who can sign is told what is wrong.
            let secrets: Vec<_> =
                relay.config.senders.iter().flat_map(|sender| sender.secrets.clone()).collect();
            return if is_signed(&relay, &secrets, &headers, &body) {
                refused(StatusCode::BAD_REQUEST, &error.to_string())
            } else {
                refused(StatusCode::UNAUTHORIZED, "not signed by any station")
            };
        }
    };
    if !is_event {
        return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, CONTENT_TYPE);
    }
    if headers.get(HEADER_ID).and_then(|id| id.to_str().ok()) != Some(event.id()) {
        return refused(StatusCode::BAD_REQUEST, "webhook-id is not the event's id");
    }
    taken(&relay, sender.county.clone(), event, body).await
}

async fn taken(relay: &Arc<Relay>, county: String, event: Event, body: Bytes) -> Response {
    let Ok(body) = String::from_utf8(body.to_vec()) else {
        return refused(StatusCode::BAD_REQUEST, "the body is not UTF-8");
    };
    let (shared, now) = (Arc::clone(relay), relay.clock.now());
    let outcome = relay
        .store
        .write(move |tx| match &event {
            Event::Change(event) => take(tx, &shared.config, &county, (event, &body), now),
            Event::Checkpoint(event) => witness(tx, &county, event, now),
        })
        .await;
    match outcome {
        Ok(Taken::Applied) => {
            relay.owed.notify_waiters();
            StatusCode::OK.into_response()
        }
        Ok(Taken::Repeat) => StatusCode::OK.into_response(),
        Ok(Taken::Waiting) => StatusCode::ACCEPTED.into_response(),
        Ok(Taken::Conflict) => {
            refused(StatusCode::CONFLICT, "another event has its id or its number")
        }
        Ok(Taken::Foreign) => {
            refused(StatusCode::UNPROCESSABLE_ENTITY, "its origin is another station's")
        }
        Ok(Taken::Future) => refused(StatusCode::UNPROCESSABLE_ENTITY, "its time is in the future"),
        Err(error) => {
            tracing::error!(error = chain(&error), "An event could not be taken; it comes again.");
            refused(StatusCode::SERVICE_UNAVAILABLE, "try again")
        }
    }
}

fn refused(status: StatusCode, why: &str) -> Response {
    tracing::warn!(status = status.as_u16(), why, "Something that was sent was refused.");
    (status, why.to_owned()).into_response()
}

/// Who may send that event: the station's own entry before its facility's.
fn sender<'a>(relay: &'a Relay, event: &Event) -> Option<&'a Sender> {
    let (facility, station) = match event {
        Event::Change(event) => (&event.facility, &event.station),
        Event::Checkpoint(event) => (&event.facility, &event.station),
    };
    let of = |wanted: &str| {
        let mut senders = relay.config.senders.iter();
        senders.find(|sender| sender.facility == *facility && sender.station == wanted)
    };
    of(station).or_else(|| of("*"))
}

fn is_signed(relay: &Relay, secrets: &[Secret], headers: &HeaderMap, body: &[u8]) -> bool {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(id), Some(timestamp), Some(signature)) =
        (header(HEADER_ID), header(HEADER_TIMESTAMP), header(HEADER_SIGNATURE))
    else {
        return false;
    };
    let signed = Signed { id, timestamp, signature, body };
    match verify(secrets, &signed, relay.clock.now().seconds()) {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(error = %error, "A signature was refused.");
            false
        }
    }
}

/// A push. Nothing of its body is read before it is known who sends it.
async fn push(State(relay): State<Arc<Relay>>, headers: HeaderMap, body: Body) -> Response {
    let Some(postal) = &relay.config.postal else { return StatusCode::NOT_FOUND.into_response() };
    let expected =
        format!("Basic {}", STANDARD.encode(format!("{}:{}", postal.user, postal.password)));
    let given = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes().to_vec());
    // Digests are compared, so that the time tells nothing of the password.
    if given.is_none_or(|given| super::digest(&given) != super::digest(expected.as_bytes())) {
        return refused(StatusCode::UNAUTHORIZED, "user or password");
    }
    let Ok(body) = to_bytes(body, PUSH_BYTES_MAX).await else {
        return refused(StatusCode::PAYLOAD_TOO_LARGE, "the push broke off, or is too long");
    };
    let scans = match postal::pushed(&body) {
        Ok(scans) => scans,
        Err(error) => return refused(StatusCode::BAD_REQUEST, &chain(&error)),
    };
    for some in scans.chunks(SCANS_MAX) {
        let (some, shared, now) = (some.to_vec(), Arc::clone(&relay), relay.clock.now());
        let written = relay.store.write(move |tx| take_scans(tx, &shared, &some, now)).await;
        if let Err(error) = written {
            tracing::error!(error = chain(&error), "Postal scans could not be taken.");
            return refused(StatusCode::SERVICE_UNAVAILABLE, "try again");
        }
    }
    relay.owed.notify_waiters();
    StatusCode::OK.into_response()
}

fn take_scans(
    tx: &mut crate::store::Tx<'_>,
    relay: &Relay,
    scans: &[Scan],
    now: crate::clock::Micros,
) -> Result<(), crate::store::StoreError> {
    for scan in scans {
        postal::take(tx, &relay.config, scan, now)?;
    }
    Ok(())
}
