//! Connections: so many at a time, each with a bounded head and a time for everything. One that has not yet said all that it has to
//! say makes way for a new one, so whoever opens many and sends no whole request keeps nobody out for long. Another machine has a
//! share of the places, and all others together leave some to this machine: its clerk is kept out by nobody else.

use super::refusal::secured;
use super::tls::Acceptor;
use crate::event::chain;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{Domain, Socket, Type};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
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

/// Connections of one other machine at a time: a browser has six for all its pages, and several may come by one address.
const SHARE_MAX: usize = 96;

/// Connections of all other machines at a time.
const OTHERS_MAX: usize = 320;

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

/// Whether the last request of a connection is there, with its body; what it asks for is then being done.
#[derive(Debug, Clone, Default)]
pub(super) struct Whole(Arc<AtomicBool>);

impl Whole {
    /// The body came.
    pub(super) fn is_there(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A connection, for the one who decides which has to make way.
struct Guest {
    from: IpAddr,
    whole: Whole,
    abort: AbortHandle,
}

impl Guest {
    fn is_elsewhere(&self) -> bool {
        !self.from.is_loopback()
    }

    fn may_make_way(&self) -> bool {
        !self.whole.0.load(Ordering::Relaxed)
    }
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
        let from = address.ip().to_canonical();
        if !makes_room(&mut guests, from) {
            // All of them are being answered: this one comes again.
            drop(stream);
            continue;
        }
        let whole = Whole::default();
        let connection = Connection {
            address,
            acceptor: acceptor.clone(),
            router: router.clone(),
            whole: whole.clone(),
            draining: draining.clone(),
        };
        let abort = connections.spawn(connection.attend(stream));
        guests.push_back(Guest { from, whole, abort });
    }
    drop(drain);
    if timeout(DRAIN, async { while connections.join_next().await.is_some() {} }).await.is_err() {
        connections.abort_all();
    }
}

/// Whose places are all taken, for one that comes from there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Crowd {
    Nobodys,
    Everybodys,
    Others,
    ItsOwn,
}

fn crowd(guests: &VecDeque<Guest>, from: IpAddr) -> Crowd {
    let n = |is: &dyn Fn(&Guest) -> bool| guests.iter().filter(|guest| is(guest)).count();
    if !from.is_loopback() {
        if n(&|guest: &Guest| guest.from == from) >= SHARE_MAX {
            return Crowd::ItsOwn;
        }
        if n(&Guest::is_elsewhere) >= OTHERS_MAX {
            return Crowd::Others;
        }
    }
    if guests.len() >= CONNECTIONS_MAX { Crowd::Everybodys } else { Crowd::Nobodys }
}

/// Forgets who is gone; when all places are taken that one from there may have, the oldest of them goes that has sent no whole
/// request. Whether there is a place.
fn makes_room(guests: &mut VecDeque<Guest>, from: IpAddr) -> bool {
    if crowd(guests, from) == Crowd::Nobodys {
        return true;
    }
    guests.retain(|guest| !guest.abort.is_finished());
    let crowd = crowd(guests, from);
    let is_in_it = |guest: &Guest| match crowd {
        Crowd::Nobodys => false,
        Crowd::Everybodys => from.is_loopback() || guest.is_elsewhere(),
        Crowd::Others => guest.is_elsewhere(),
        Crowd::ItsOwn => guest.from == from,
    };
    if crowd == Crowd::Nobodys {
        return true;
    }
    let oldest = guests.iter().position(|guest| guest.may_make_way() && is_in_it(guest));
    match oldest.and_then(|place| guests.remove(place)) {
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
    whole: Whole,
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
        let whole = self.whole.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            whole.0.store(request.body().is_end_stream(), Ordering::Relaxed);
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(whole.clone());
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Of who has sent all of a request.
    fn all_sent() -> Whole {
        let whole = Whole::default();
        whole.is_there();
        whole
    }

    fn guest(from: &str, whole: Whole) -> Guest {
        let abort = tokio::spawn(std::future::pending::<()>()).abort_handle();
        Guest { from: from.parse().unwrap(), whole, abort }
    }

    /// So many from each address.
    fn guests(of: &[(usize, &str)], whole: fn() -> Whole) -> VecDeque<Guest> {
        of.iter().flat_map(|(n, from)| (0..*n).map(move |_| guest(from, whole()))).collect()
    }

    const HERE: &str = "127.0.0.1";
    const OTHERS: [(usize, &str); 4] =
        [(96, "10.0.0.1"), (96, "10.0.0.2"), (96, "10.0.0.3"), (32, "10.0.0.4")];

    #[tokio::test]
    async fn another_machine_has_its_share_and_this_one_is_kept_out_by_nobody() {
        let finds_room =
            |guests: &mut VecDeque<Guest>, from: &str| makes_room(guests, from.parse().unwrap());
        let mut one = guests(&OTHERS[..1], all_sent);
        assert!(!finds_room(&mut one, "10.0.0.1") && finds_room(&mut one, "10.0.0.2"));
        let mut all = guests(&OTHERS, all_sent);
        assert_eq!(all.len(), OTHERS_MAX);
        assert!(!finds_room(&mut all, "10.0.0.5") && finds_room(&mut all, HERE));
        let mut here = guests(&[(CONNECTIONS_MAX, HERE)], Whole::default);
        assert!(!finds_room(&mut here, "10.0.0.5") && finds_room(&mut here, HERE));
        assert_eq!(here.len(), CONNECTIONS_MAX - 1);
    }

    #[tokio::test]
    async fn whoever_makes_way_has_sent_no_whole_request_and_is_of_those_that_crowd() {
        let mut all = guests(&[&OTHERS[..], &[(64, HERE)]].concat(), all_sent);
        all[0].whole = Whole::default();
        all[100].whole = Whole::default();
        assert!(makes_room(&mut all, "10.0.0.2".parse().unwrap()));
        assert_eq!((all.len(), all[100].may_make_way()), (383, false));
        all.push_back(guest("10.0.0.2", all_sent()));
        assert!(makes_room(&mut all, HERE.parse().unwrap()));
        assert_eq!(all.iter().filter(|guest| guest.may_make_way()).count(), 0);
        all.push_back(guest(HERE, all_sent()));
        assert!(!makes_room(&mut all, HERE.parse().unwrap()));
    }
}
