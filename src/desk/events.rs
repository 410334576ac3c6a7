//! `/events`: server-sent events. A stream that lags is dropped, one whose session ends is ended, and none is waited for.

use super::board::Frame;
use super::refusal::{Refusal, answer};
use super::sessions::SessionKey;
use super::view::Tell;
use super::visit::{Outcome, Visit};
use super::words::Lang;
use super::{Settings, Shared};
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use hyper::body::{Body as HttpBody, Frame as HttpFrame};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, broadcast, mpsc};
use tokio::time::{MissedTickBehavior, interval};

/// Events that wait for the connection.
const WAITING_MAX: usize = 32;

/// How often a stream says that it lives: a page that hears nothing for twice as long says so.
const BEAT: Duration = Duration::from_secs(5);

/// So long a browser waits before it comes again, and that it lives.
const FIRST: &[u8] = b"retry: 1000\n\n";
const ALIVE: &[u8] = b"event: beat\ndata: {}\n\n";

impl Tell {
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            zone: settings.zone.clone(),
            station: settings.station.clone(),
            run: settings.run,
            hold_back: settings.hold_back,
            marks_nothing: settings.marks_nothing,
        }
    }
}

/// `GET /events`.
pub(super) fn stream(visit: &Visit) -> Outcome {
    let (sender, events) = mpsc::channel(WAITING_MAX);
    let frames = visit.desk.frames.subscribe();
    // After the subscription: what comes between is told twice, and the page knows it by its number.
    let hello = Tell::of(visit.settings()).hello(&visit.desk.board.borrow(), visit.words());
    for first in [Bytes::from_static(FIRST), hello] {
        sender.try_send(first).map_err(|_full| Refusal::Busy)?;
    }
    let pump = Pump {
        desk: visit.desk.clone(),
        lang: visit.lang,
        // A session of nobody ends without anybody having gone.
        session: visit.visitor.session.filter(|_| visit.visitor.guests.operator().is_some()),
        frames,
        sender,
    };
    let of_session = |key| visit.desk.sessions.stream(&key).ok_or(Refusal::Busy);
    let of_session = visit.visitor.session.map(of_session).transpose();
    let permit = Arc::clone(&visit.desk.streams).try_acquire_owned();
    tokio::spawn(pump.run((permit.map_err(|_all_taken| Refusal::Busy)?, of_session?)));
    Ok(answer(StatusCode::OK, "text/event-stream", Body::new(Events(events))))
}

/// What a stream gets.
struct Pump {
    desk: Shared,
    lang: Lang,
    session: Option<SessionKey>,
    frames: broadcast::Receiver<Frame>,
    sender: mpsc::Sender<Bytes>,
}

impl Pump {
    async fn run(mut self, places: (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>)) {
        let mut stopped = self.desk.stopped.clone();
        let mut changes = self.desk.sessions.changes();
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let text = tokio::select! {
                _ = stopped.changed() => break,
                () = self.sender.closed() => break,
                () = changes.next() => {
                    if self.may_still() {
                        continue;
                    }
                    break;
                }
                frame = self.frames.recv() => match frame {
                    Ok(frame) => frame.text(self.lang),
                    Err(_lagged_or_closed) => break,
                },
                _ = beats.tick() => {
                    if !self.may_still() {
                        break;
                    }
                    Bytes::from_static(ALIVE)
                }
            };
            // Full: the page does not read. It comes again, if it lives.
            if self.sender.try_send(text).is_err() {
                break;
            }
        }
        drop(places);
    }

    fn may_still(&self) -> bool {
        self.session.is_none_or(|session| self.desk.sessions.lasts(&session))
    }
}

/// The body of a stream.
struct Events(mpsc::Receiver<Bytes>);

impl HttpBody for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<HttpFrame<Bytes>, Infallible>>> {
        // Between two pages of many, whoever judges a scan gets the processor.
        std::thread::yield_now();
        self.0.poll_recv(cx).map(|event| event.map(|bytes| Ok(HttpFrame::data(bytes))))
    }
}
