//! A provider of texts and calls that stands in for a real one: in the demonstration, and as a process of its own in tests, which
//! kill it and start it again.
//!
//! It speaks the Messages and Calls of the API that providers compatible with Twilio have: create, list, fetch, callbacks that
//! are signed, texts that come in. As the real one it has **no idempotency key**: whoever creates twice sends twice. What it
//! accepted is in its log before it answers, so that a killed one knows it still. What may go wrong there goes wrong here when
//! the settings say so: it delays, repeats, reorders and loses callbacks, fails before and after it accepted, never answers, and
//! dies right after it accepted.
//!
//! It listens on the loopback interface only: nothing that it is told leaves the machine.

mod api;
mod book;
mod callbacks;
mod door;
mod post_box;
mod settings;
mod sign;
mod xml;

pub use book::BookError;
pub use post_box::{Mail, PostBox};
pub use settings::{End, Settings};

use crate::clock::Clock;
use crate::config::Listener;
use crate::serve::{Door, ServeError};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use book::Book;
use callbacks::Caller;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

/// Longest form.
const BODY_BYTES_MAX: usize = 64 << 10;

/// Who may use it, what it remembers, and where it tells what came in.
#[derive(Debug, Clone)]
pub struct Options {
    /// The account's name, as it stands in every path.
    pub account: String,
    /// The account's token: its password, and the key of the signatures.
    pub token: String,
    /// The file with everything that was accepted.
    pub log: PathBuf,
    /// Where texts that come in are posted to.
    pub inbound: Option<String>,
    /// What goes wrong from the beginning.
    pub settings: Settings,
}

/// Why there is no stand-in.
#[derive(Debug, thiserror::Error)]
pub enum StandInError {
    /// It would be reached from elsewhere.
    #[error("{0} is not on the loopback interface")]
    Elsewhere(SocketAddr),
    /// The port cannot be had.
    #[error("the stand-in cannot listen")]
    Listen(#[source] ServeError),
    /// Its log cannot be read or written.
    #[error("the log cannot be used")]
    Log(#[source] BookError),
    /// No client for the callbacks can be made.
    #[error("no client for the callbacks")]
    Client(#[source] reqwest::Error),
}

/// What every request has.
#[derive(Debug, Clone)]
struct Shared {
    options: Arc<Options>,
    clock: Arc<dyn Clock>,
    /// There is no lock: who changes the book does so within the channel.
    book: Arc<watch::Sender<Book>>,
    caller: Caller,
    mail: PostBox,
}

/// A stand-in that has its port.
#[derive(Debug)]
pub struct StandIn {
    door: Door,
    shared: Shared,
}

impl StandIn {
    /// Takes a port of the loopback interface, and reads what it knew before.
    pub async fn bind(
        address: SocketAddr,
        options: Options,
        clock: Arc<dyn Clock>,
        mail: PostBox,
    ) -> Result<Self, StandInError> {
        if !address.ip().is_loopback() {
            return Err(StandInError::Elsewhere(address));
        }
        let listener = Listener { listen: address, tls: None, proxies: Vec::new() };
        let door = Door::open(&listener).await.map_err(StandInError::Listen)?;
        let book = Book::open(&options.log, options.settings.clone()).map_err(StandInError::Log)?;
        let book = Arc::new(watch::Sender::new(book));
        let options = Arc::new(options);
        let caller = Caller::new(&options, Arc::clone(&book)).map_err(StandInError::Client)?;
        Ok(Self { door, shared: Shared { options, clock, book, caller, mail } })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.door.address)
    }

    /// Serves until `shutdown` completes; what was accepted before and not yet told to its end is told on.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        self.shared.caller.go_on();
        self.door.serve(router(self.shared), shutdown).await;
    }
}

fn router(shared: Shared) -> Router {
    let account = "/2010-04-01/Accounts/{account}";
    Router::new()
        .route(&format!("{account}/Messages.json"), post(api::create_text).get(api::list_texts))
        .route(&format!("{account}/Messages/{{sid}}"), get(api::fetch))
        .route(&format!("{account}/Calls.json"), post(api::create_call).get(api::list_calls))
        .route(&format!("{account}/Calls/{{sid}}"), get(api::fetch))
        .route("/control/settings", get(door::settings).post(door::set))
        .route("/control/accepted", get(door::accepted))
        .route("/control/inbound", post(door::inbound))
        .route("/control/press", post(door::press))
        .route("/control/mail", get(door::mail))
        .route("/", get(door::page))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(shared)
}
