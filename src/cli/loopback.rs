//! The demo's own relay, on the loopback interface: what a receiver does, in small.
//!
//! It takes nothing that is not signed with its secret, knows an event that it had before, and refuses one that came before its
//! turn. It remembers what it took, up to `EVENTS_MAX` events, for as long as it runs.

use crate::clock::Clock;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE as CONTENT_TYPE_HEADER;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use relay_wire::{
    CONTENT_TYPE, ChangeEvent, CheckpointEvent, Event, HEADER_ID, HEADER_SIGNATURE,
    HEADER_TIMESTAMP, Secret, Signed, verify,
};
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How many connections are open at once; more wait to be accepted.
const CONNECTIONS_MAX: usize = 32;
/// How long a request's head may take, and an idle connection may stay: longer than senders keep one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest body: Standard Webhooks asks senders to stay below 20 kB.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// How many events wait for their place at once.
const ARRIVALS_MAX: usize = CONNECTIONS_MAX;
/// How many events are remembered, then no more are taken.
const EVENTS_MAX: usize = 100_000;

/// The type of a checkpoint.
pub const CHECKPOINT: &str = "ledger.checkpoint";

/// An event that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The event's id.
    pub id: String,
    /// `ballot.<status>`, or [`CHECKPOINT`].
    pub event_type: String,
    /// `<election>/<ballot>`; of a checkpoint whose ledger it covers.
    pub subject: String,
    /// Counts what was sent of the ballot; of a checkpoint the row that it covers.
    pub sequence: u64,
    /// Whether it had been taken before.
    pub repeat: bool,
}

/// Why there is no relay on the loopback interface.
#[derive(Debug, thiserror::Error)]
pub enum LoopbackError {
    /// No port could be had.
    #[error("no port on the loopback interface")]
    Bind(#[source] io::Error),
    /// Connections can no longer be accepted.
    #[error("the loopback relay cannot accept connections")]
    Accept(#[source] io::Error),
}

/// A relay that has its port.
#[derive(Debug)]
pub struct Loopback {
    listener: TcpListener,
    address: SocketAddr,
}

impl Loopback {
    /// Takes a free port of 127.0.0.1.
    pub async fn bind() -> Result<Self, LoopbackError> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(LoopbackError::Bind)?;
        let address = listener.local_addr().map_err(LoopbackError::Bind)?;
        Ok(Self { listener, address })
    }

    /// Where it takes events.
    pub fn url(&self) -> String {
        format!("http://{}/events", self.address)
    }

    /// Takes events until `shutdown` completes or nobody wants `receipts` any more. When they are not read, senders wait.
    pub async fn serve(
        self,
        secret: Secret,
        clock: Arc<dyn Clock>,
        receipts: mpsc::Sender<Receipt>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), LoopbackError> {
        let (arrivals, mut arrived) = mpsc::channel(ARRIVALS_MAX);
        let entrance = Arc::new(Entrance { secrets: [secret], clock, arrivals });
        let mut connections = JoinSet::new();
        let mut record = Record::default();
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => return Ok(()),
                accepted = self.listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                    let (stream, _) = accepted.map_err(LoopbackError::Accept)?;
                    connections.spawn(converse(stream, Arc::clone(&entrance)));
                }
                Some(_) = connections.join_next() => {}
                next = next_arrival(&mut arrived, &receipts) => match next {
                    Some((permit, arrival)) => arrival.place(&mut record, permit),
                    None => return Ok(()),
                },
            }
        }
    }
}

/// What every connection has.
struct Entrance {
    secrets: [Secret; 1],
    clock: Arc<dyn Clock>,
    arrivals: mpsc::Sender<Arrival>,
}

/// An event that was signed by the station, and who waits to hear of it.
struct Arrival {
    event: Event,
    placed: oneshot::Sender<Place>,
}

impl Arrival {
    fn place(self, record: &mut Record, permit: mpsc::Permit<'_, Receipt>) {
        let place = match &self.event {
            Event::Change(change) => record.place(change),
            Event::Checkpoint(checkpoint) => record.keep(checkpoint),
        };
        if matches!(place, Place::Next | Place::Repeat) {
            permit.send(receipt(self.event, &place));
        }
        if self.placed.send(place).is_err() {
            tracing::debug!("The sender did not wait for its answer.");
        }
    }
}

fn receipt(event: Event, place: &Place) -> Receipt {
    let repeat = *place == Place::Repeat;
    match event {
        Event::Change(change) => Receipt {
            event_type: change.event_type(),
            subject: change.subject(),
            id: change.id,
            sequence: change.sequence,
            repeat,
        },
        Event::Checkpoint(checkpoint) => Receipt {
            event_type: CHECKPOINT.to_owned(),
            subject: checkpoint.origin,
            id: checkpoint.id,
            sequence: checkpoint.seq,
            repeat,
        },
    }
}

/// The next event once there is room for its receipt; nothing when nobody wants receipts. Safe to drop before it is done.
async fn next_arrival<'a>(
    arrived: &mut mpsc::Receiver<Arrival>,
    receipts: &'a mpsc::Sender<Receipt>,
) -> Option<(mpsc::Permit<'a, Receipt>, Arrival)> {
    let permit = receipts.reserve().await.ok()?;
    let arrival = arrived.recv().await?;
    Some((permit, arrival))
}

/// Where an event stands among those of its ballot.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Next,
    Repeat,
    /// It came before its turn; this one was due.
    Early(u64),
    /// Another event came under its number.
    Taken,
    /// No more can be remembered.
    Full,
}

/// What was taken: of each ballot its events' ids in their order.
#[derive(Debug, Default)]
struct Record {
    ids: HashMap<String, Vec<String>>,
    /// The newest checkpoint of each ledger.
    checkpoints: HashMap<String, (u64, String)>,
    n_events: usize,
}

impl Record {
    /// Keeps the newest checkpoint of each ledger. One that goes back is none.
    fn keep(&mut self, checkpoint: &CheckpointEvent) -> Place {
        match self.checkpoints.get(&checkpoint.origin) {
            Some((_, id)) if *id == checkpoint.id => Place::Repeat,
            Some((seq, _)) if *seq > checkpoint.seq => Place::Taken,
            None if self.checkpoints.len() >= EVENTS_MAX => Place::Full,
            _ => {
                let kept = (checkpoint.seq, checkpoint.id.clone());
                self.checkpoints.insert(checkpoint.origin.clone(), kept);
                Place::Next
            }
        }
    }

    fn place(&mut self, event: &ChangeEvent) -> Place {
        let subject = event.subject();
        let ids = self.ids.get(&subject).map(Vec::as_slice).unwrap_or_default();
        let before = usize::try_from(event.sequence.saturating_sub(1)).unwrap_or(usize::MAX);
        match ids.get(before) {
            Some(id) if *id == event.id => Place::Repeat,
            Some(_) => Place::Taken,
            None if before > ids.len() => Place::Early(ids.len() as u64 + 1),
            None if self.n_events >= EVENTS_MAX => Place::Full,
            None => {
                self.ids.entry(subject).or_default().push(event.id.clone());
                self.n_events += 1;
                Place::Next
            }
        }
    }
}

async fn converse(stream: TcpStream, entrance: Arc<Entrance>) {
    let service = service_fn(move |request| answer(request, Arc::clone(&entrance)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(why = crate::event::chain(&error), "A connection ended early.");
    }
}

async fn answer(
    request: Request<Incoming>,
    entrance: Arc<Entrance>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, text) = match take(request, &entrance).await {
        Ok(()) => (StatusCode::NO_CONTENT, String::new()),
        Err(refusal) => refusal,
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    Ok(response)
}

type Refusal = (StatusCode, String);

fn refusal(status: StatusCode, text: impl Into<String>) -> Refusal {
    (status, text.into())
}

async fn take(request: Request<Incoming>, entrance: &Entrance) -> Result<(), Refusal> {
    if request.method() != Method::POST {
        return Err(refusal(StatusCode::METHOD_NOT_ALLOWED, "events are posted"));
    }
    let (head, body) = request.into_parts();
    if header(&head.headers, CONTENT_TYPE_HEADER.as_str()) != CONTENT_TYPE {
        return Err(refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, CONTENT_TYPE));
    }
    let event = opened(&head.headers, &collected(body).await?, entrance)?;
    let (placed, place) = oneshot::channel();
    let waits = "the relay stops";
    if entrance.arrivals.send(Arrival { event, placed }).await.is_err() {
        return Err(refusal(StatusCode::SERVICE_UNAVAILABLE, waits));
    }
    match place.await {
        Ok(Place::Next | Place::Repeat) => Ok(()),
        Ok(Place::Early(due)) => {
            Err(refusal(StatusCode::CONFLICT, format!("sequence {due} was due")))
        }
        Ok(Place::Taken) => {
            Err(refusal(StatusCode::CONFLICT, "another event came under this sequence"))
        }
        Ok(Place::Full) => Err(refusal(StatusCode::SERVICE_UNAVAILABLE, "no more is remembered")),
        Err(_) => Err(refusal(StatusCode::SERVICE_UNAVAILABLE, waits)),
    }
}

async fn collected(body: Incoming) -> Result<Bytes, Refusal> {
    match timeout(BODY_TIMEOUT, Limited::new(body, BODY_BYTES_MAX).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) => Err(refusal(StatusCode::PAYLOAD_TOO_LARGE, error.to_string())),
        Err(_) => Err(refusal(StatusCode::REQUEST_TIMEOUT, "the body took too long")),
    }
}

/// The event, if it is the station's.
fn opened(headers: &HeaderMap, body: &[u8], entrance: &Entrance) -> Result<Event, Refusal> {
    let signed = Signed {
        id: header(headers, HEADER_ID),
        timestamp: header(headers, HEADER_TIMESTAMP),
        signature: header(headers, HEADER_SIGNATURE),
        body,
    };
    let now_seconds = entrance.clock.now().0.div_euclid(1_000_000);
    verify(&entrance.secrets, &signed, now_seconds)
        .map_err(|error| refusal(StatusCode::UNAUTHORIZED, error.to_string()))?;
    let event =
        Event::parse(body).map_err(|error| refusal(StatusCode::BAD_REQUEST, error.to_string()))?;
    if event.id() != signed.id {
        return Err(refusal(StatusCode::BAD_REQUEST, "the event's id is not the webhook's"));
    }
    Ok(event)
}

/// The header's text; nothing if it is missing or no text, which fits nothing that is asked of it.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, Micros};
    use crate::delivery::{Answer, Delivery};
    use crate::forward::{Deliver as _, Relay, Timeouts};
    use relay_wire::{Method, Status};

    const NOW: Micros = Micros(1_793_300_000_000_000);
    const DEADLINE: Duration = Duration::from_secs(20);

    fn secret(byte: u8) -> Secret {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        Secret::parse(&format!("whsec_{}", STANDARD.encode([byte; 32]))).unwrap()
    }

    fn event(id: &str, sequence: u64) -> ChangeEvent {
        ChangeEvent {
            id: id.to_owned(),
            facility: "demo".to_owned(),
            station: "intake-1".to_owned(),
            time: NOW.rfc3339(),
            election: "202611".to_owned(),
            ballot: "000000001".to_owned(),
            voter: "601234567".to_owned(),
            status: Status::Received,
            previous: Status::Mailed,
            reason: None,
            sequence,
            method: Method::Scanner,
            corrects: None,
        }
    }

    fn delivery(id: &str, body: String) -> Delivery {
        Delivery { seq: 1, id: id.to_owned(), body, attempts: 0 }
    }

    /// Runs a loopback relay while `deliveries` are sent, one after the other.
    async fn sent(
        secret_of_station: Secret,
        now: Micros,
        deliveries: Vec<Delivery>,
    ) -> (Vec<Answer>, Vec<Receipt>) {
        let loopback = Loopback::bind().await.unwrap();
        let relay = Relay::new(&loopback.url(), secret_of_station, Timeouts::default()).unwrap();
        let (receipts, mut received) = mpsc::channel(16);
        let (stop, stopped) = oneshot::channel::<()>();
        let clock = Arc::new(ManualClock::new(NOW));
        let serving = loopback.serve(secret(1), clock, receipts, async {
            assert!(stopped.await.is_err(), "it is dropped");
        });
        let sending = async {
            let mut answers = Vec::new();
            for delivery in deliveries {
                answers.push(relay.deliver(&delivery, now).await);
            }
            drop(stop);
            answers
        };
        let (served, answers) =
            timeout(DEADLINE, async { tokio::join!(serving, sending) }).await.unwrap();
        served.unwrap();
        (answers, std::iter::from_fn(|| received.try_recv().ok()).collect())
    }

    fn taken((id, sequence, repeat): (&str, u64, bool)) -> Receipt {
        Receipt {
            id: id.to_owned(),
            event_type: "ballot.received".to_owned(),
            subject: "202611/000000001".to_owned(),
            sequence,
            repeat,
        }
    }

    #[tokio::test]
    async fn events_are_taken_in_order_and_known_when_they_come_again() {
        let of = |id, sequence| delivery(id, event(id, sequence).to_body());
        let (answers, receipts) =
            sent(secret(1), NOW, vec![of("a", 1), of("a", 1), of("b", 2), of("a", 1)]).await;
        assert_eq!(answers, vec![Answer::Delivered; 4]);
        let expected = [("a", 1, false), ("a", 1, true), ("b", 2, false), ("a", 1, true)];
        assert_eq!(receipts, expected.map(taken));
    }

    #[tokio::test]
    async fn a_checkpoint_is_kept_and_none_that_goes_back() {
        let of = |id: &str, seq| {
            let checkpoint = CheckpointEvent {
                id: id.to_owned(),
                facility: "demo".to_owned(),
                station: "intake-1".to_owned(),
                time: NOW.rfc3339(),
                origin: "ballot-intake/demo/intake-1".to_owned(),
                seq,
                hash: "0".repeat(64),
                note: "note".to_owned(),
            };
            delivery(id, checkpoint.to_body())
        };
        let (answers, receipts) =
            sent(secret(1), NOW, vec![of("a", 9), of("a", 9), of("b", 5), of("c", 12)]).await;
        let why = "409 Conflict".to_owned();
        let expected = [
            Answer::Delivered,
            Answer::Delivered,
            Answer::ChangeRefused { why },
            Answer::Delivered,
        ];
        assert_eq!(answers, expected);
        let seen: Vec<_> = receipts.iter().map(|r| (r.sequence, r.repeat)).collect();
        assert_eq!(seen, [(9, false), (9, true), (12, false)]);
        assert!(receipts.iter().all(|receipt| receipt.event_type == CHECKPOINT));
    }

    #[tokio::test]
    async fn what_is_out_of_order_or_no_event_is_refused() {
        let large = format!("{{\"x\":\"{}\"}}", "x".repeat(BODY_BYTES_MAX));
        for (delivery, why) in [
            (delivery("b", event("b", 2).to_body()), "409 Conflict"),
            (delivery("b", "{}".to_owned()), "400 Bad Request"),
            (delivery("b", event("c", 1).to_body()), "400 Bad Request"),
            (delivery("b", large), "413 Payload Too Large"),
        ] {
            let (answers, receipts) = sent(secret(1), NOW, vec![delivery]).await;
            assert_eq!(answers, [Answer::ChangeRefused { why: why.to_owned() }]);
            assert_eq!(receipts, []);
        }
        let of = |id: &str| delivery(id, event(id, 1).to_body());
        let (answers, _) = sent(secret(1), NOW, vec![of("a"), of("b")]).await;
        let why = "409 Conflict".to_owned();
        assert_eq!(answers, [Answer::Delivered, Answer::ChangeRefused { why }]);
    }

    #[tokio::test]
    async fn what_the_station_did_not_sign_now_is_not_taken() {
        let why = "401 Unauthorized";
        for (secret_of_station, now) in
            [(secret(2), NOW), (secret(1), NOW.plus(Duration::from_secs(301)))]
        {
            let delivery = delivery("a", event("a", 1).to_body());
            let (answers, receipts) = sent(secret_of_station, now, vec![delivery]).await;
            assert_eq!(answers, [Answer::RelayAway { why: why.to_owned(), retry_after: None }]);
            assert_eq!(receipts, []);
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut record = Record { n_events: EVENTS_MAX - 1, ..Record::default() };
        assert_eq!(record.place(&event("a", 1)), Place::Next);
        assert_eq!(record.place(&event("b", 2)), Place::Full);
        assert_eq!(record.place(&event("a", 1)), Place::Repeat);
    }
}
