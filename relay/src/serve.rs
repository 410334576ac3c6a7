//! Connections: so many at a time, each with a bounded head, a bounded body and a time for everything; with TLS where it is
//! configured, and with certificates of both sides where stations need one.

mod tls;

pub use tls::{TlsError, acceptor};

use crate::config::Listener;
use crate::relay::Relay;
use crate::told::chain;
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// Connections at a time; more wait to be accepted.
const CONNECTIONS_MAX: usize = 1_024;
/// For the handshake, and for the head of each request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// For a request from its head to its answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest head.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Most header lines.
const HEADERS_MAX: usize = 64;
/// Longest body: Standard Webhooks asks senders to stay below 20 kB; the Postal Service's pushes are read apart.
pub const BODY_BYTES_MAX: usize = 64 << 10;
/// For what is being answered when the stop is asked for.
const DRAIN: Duration = Duration::from_secs(3);
/// Between two attempts to accept when the operating system refuses.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// From where a request comes; an extension of each request.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be had.
    #[error("cannot listen at {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// Certificate or key do not do.
    #[error("cannot serve with TLS at {0}")]
    Tls(SocketAddr, #[source] TlsError),
}

/// What voters, the office, providers and the Postal Service reach.
pub fn pages(relay: &Arc<Relay>) -> Router {
    let routes = crate::callback::routes().merge(crate::intake::http::postal_routes());
    within_bounds(routes).with_state(Arc::clone(relay))
}

/// What stations and the Postal Service reach.
pub fn stations(relay: &Arc<Relay>) -> Router {
    within_bounds(crate::intake::http::routes()).with_state(Arc::clone(relay))
}

/// Bounds that hold for every route.
fn within_bounds(router: Router<Arc<Relay>>) -> Router<Arc<Relay>> {
    router.layer(from_fn(in_time)).layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

async fn in_time(request: Request, next: Next) -> Response {
    match timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_late) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// A door that is open, and where.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    acceptor: Option<TlsAcceptorBox>,
    /// Where it is: the port is known now.
    pub address: SocketAddr,
}

/// An acceptor whose `Debug` says no more than that it is one.
#[derive(Clone)]
struct TlsAcceptorBox(TlsAcceptor);

impl std::fmt::Debug for TlsAcceptorBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsAcceptor")
    }
}

impl Door {
    /// Listens there.
    pub async fn open(listener: &Listener) -> Result<Self, ServeError> {
        let wanted = listener.listen;
        let acceptor = match &listener.tls {
            Some(tls) => {
                Some(TlsAcceptorBox(acceptor(tls).map_err(|error| ServeError::Tls(wanted, error))?))
            }
            None => None,
        };
        let listening = async {
            let listener = TcpListener::bind(wanted).await?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) =
            listening.await.map_err(|error| ServeError::Listen(wanted, error))?;
        Ok(Self { listener, acceptor, address })
    }

    /// Serves until `stop`, then lets what is being answered be answered.
    pub async fn serve(self, router: Router, stop: impl Future<Output = ()>) {
        let (drain, draining) = watch::channel(());
        let mut connections = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut stop => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                accepted = self.listener.accept(), if connections.len() < CONNECTIONS_MAX => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    let guest = Guest {
                        address,
                        router: router.clone(),
                        acceptor: self.acceptor.clone(),
                        draining: draining.clone(),
                    };
                    connections.spawn(guest.attend(stream));
                }
                Err(error) => {
                    tracing::debug!(error = chain(&error), "No connection can be taken.");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
        drop(drain);
        let drained = async { while connections.join_next().await.is_some() {} };
        if timeout(DRAIN, drained).await.is_err() {
            connections.abort_all();
        }
    }
}

struct Guest {
    address: SocketAddr,
    router: Router,
    acceptor: Option<TlsAcceptorBox>,
    draining: watch::Receiver<()>,
}

impl Guest {
    async fn attend(self, stream: tokio::net::TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = chain(&error), "A connection is slower than it could be.");
        }
        let outcome = match self.acceptor.clone() {
            None => self.answer(stream).await,
            Some(TlsAcceptorBox(acceptor)) => {
                match timeout(HEAD_TIMEOUT, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => self.answer(stream).await,
                    Ok(Err(error)) => Err(error.to_string()),
                    Err(_late) => Err("no handshake in time".to_owned()),
                }
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(error, "A connection ended.");
        }
    }

    async fn answer(mut self, stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), String> {
        let router = TowerToHyperService::new(self.router.clone());
        let peer = Peer(self.address);
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer);
            router.call(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let outcome = tokio::select! {
            outcome = connection.as_mut() => outcome,
            _ = self.draining.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        outcome.map_err(|error| chain(&error))
    }
}
