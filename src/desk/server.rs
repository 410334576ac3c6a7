//! Connections: so many at a time, each with a bounded head and a time for everything. One that has said nothing yet makes way for
//! a new one, so whoever opens many and says nothing keeps nobody out for long.

use super::refusal::secured;
use super::tls::Acceptor;
use crate::event::chain;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{Domain, Socket, Type};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, Sleep, sleep, timeout};

/// Connections at a time: with the event streams, and well below what a process may have open.
const CONNECTIONS_MAX: usize = 384;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 256;

/// For the handshake, and for the head of each request, also of the next one on the same connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// For the peer to take some of what is sent to it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest head, in bytes; hyper takes no less.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Most header lines.
const HEADERS_MAX: usize = 64;

/// What the operating system keeps for a peer that does not read, in bytes.
const SEND_BYTES: usize = 64 << 10;

/// For what is being answered when the stop is asked for.
const DRAIN: Duration = Duration::from_secs(2);

/// Between two connections while all places are taken.
const CROWDED: Duration = Duration::from_millis(5);

/// Between two attempts to accept when the operating system refuses.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// From where a request comes, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) way: Way,
}

/// Whether others on the way can read along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Plain,
    Tls,
}

/// A connection, for the one who decides which has to make way.
struct Guest {
    /// Whether the head of a request came.
    has_spoken: Arc<AtomicBool>,
    abort: AbortHandle,
}

/// Listens there.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Connections that are accepted have it from here.
    socket.set_send_buffer_size(SEND_BYTES)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Serves until `stop`, then lets what is being answered be answered.
pub(super) async fn serve(
    listener: tokio::net::TcpListener,
    acceptor: Option<Acceptor>,
    router: Router,
    stop: impl Future<Output = ()>,
) {
    let (drain, draining) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut guests: VecDeque<Guest> = VecDeque::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(error = chain(&error), "No connection can be taken.");
                sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        if guests.len() >= CONNECTIONS_MAX {
            // Whoever opens them by the thousand waits in the backlog, and does not keep the processors from the scans.
            sleep(CROWDED).await;
        }
        if !makes_room(&mut guests) {
            // All of them are being answered: this one comes again.
            drop(stream);
            continue;
        }
        let has_spoken = Arc::new(AtomicBool::new(false));
        let connection = Connection {
            address,
            acceptor: acceptor.clone(),
            router: router.clone(),
            has_spoken: Arc::clone(&has_spoken),
            draining: draining.clone(),
        };
        let abort = connections.spawn(connection.attend(stream));
        guests.push_back(Guest { has_spoken, abort });
    }
    drop(drain);
    if timeout(DRAIN, async { while connections.join_next().await.is_some() {} }).await.is_err() {
        connections.abort_all();
    }
}

/// Forgets who is gone; when all places are taken, the one that has said nothing for the longest goes. Whether there is a place.
fn makes_room(guests: &mut VecDeque<Guest>) -> bool {
    if guests.len() < CONNECTIONS_MAX {
        return true;
    }
    guests.retain(|guest| !guest.abort.is_finished());
    if guests.len() < CONNECTIONS_MAX {
        return true;
    }
    let silent = guests.iter().position(|guest| !guest.has_spoken.load(Ordering::Relaxed));
    match silent.and_then(|place| guests.remove(place)) {
        Some(guest) => {
            guest.abort.abort();
            true
        }
        None => false,
    }
}

struct Connection {
    address: SocketAddr,
    acceptor: Option<Acceptor>,
    router: Router,
    has_spoken: Arc<AtomicBool>,
    draining: watch::Receiver<()>,
}

impl Connection {
    async fn attend(self, stream: tokio::net::TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = chain(&error), "A connection is slower than it could be.");
        }
        let stream = Timed::new(stream);
        let outcome = match self.acceptor.clone() {
            None => self.answer(stream, Way::Plain).await,
            Some(acceptor) => match timeout(HEAD_TIMEOUT, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => self.answer(stream, Way::Tls).await,
                Ok(Err(error)) => Err(error.to_string()),
                Err(_late) => Err("no handshake in time".to_owned()),
            },
        };
        if let Err(error) = outcome {
            tracing::debug!(error, "A connection to the pages ended.");
        }
    }

    async fn answer(
        mut self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        way: Way,
    ) -> Result<(), String> {
        let router = TowerToHyperService::new(self.router.clone());
        let peer = Peer { address: self.address, way };
        let has_spoken = Arc::clone(&self.has_spoken);
        let service = service_fn(move |mut request: Request<Incoming>| {
            has_spoken.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(peer);
            let answered = router.call(request);
            async move {
                let response: Response<Body> = answered.await?;
                Ok::<_, Infallible>(secured(response, way))
            }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .half_close(false);
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            outcome = &mut connection => return outcome.map_err(|error| chain(&error)),
            _closed = self.draining.changed() => connection.as_mut().graceful_shutdown(),
        }
        connection.await.map_err(|error| chain(&error))
    }
}

/// A stream on which a write that takes nothing for too long is an error.
struct Timed<S> {
    stream: S,
    /// Until when the peer must take something, while it takes nothing.
    patience: Option<Pin<Box<Sleep>>>,
}

impl<S> Timed<S> {
    const fn new(stream: S) -> Self {
        Self { stream, patience: None }
    }

    fn in_time<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.patience = None;
            return polled;
        }
        let until = || Box::pin(tokio::time::sleep_until(Instant::now() + WRITE_TIMEOUT));
        let patience = self.patience.get_or_insert_with(until);
        match patience.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.in_time(cx, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.in_time(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.in_time(cx, polled)
    }
}
