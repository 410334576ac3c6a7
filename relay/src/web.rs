//! What the voters' pages and the office's have in common: the gate, sessions, forms, words, styles and refusals.
//!
//! Constraints, on which the design stands:
//!
//! - Every route stands in a table with who may ask it, and the router is made of the tables alone, so that no page can forget its
//!   check. A form is taken only from a page of ours: origin, fetch metadata, and a token that follows from the visitor's cookie.
//! - Sessions, codes and failed tries are in the database: they hold across restarts and for all processes of a relay.
//! - Whether a voter exists, is confidential, or has signed up is told by no answer, neither by its words nor by its time.
//! - No framework, no script, no inline style, nothing from elsewhere: what is served is compiled in.
//! - What a voter wrote stands in no log line and in no error: routes, names of refusals and counts do.
//!
//! # How to add
//!
//! - A page: a template that begins with `{% extends "base.html" %}`, a struct beside its handler that derives `Template` and has the
//!   field `frame: Frame<'_>`, a handler that ends in `visit.page(&page)`, and one line in the table of `pages` or `office`.
//! - A form: `post` in the table; `<input type="hidden" name="csrf" value="{{ frame.csrf() }}">` in the template;
//!   `visit.field("name")`, `visit.site.store.write(..)` and `Visit::see_other("/where")` in the handler.
//! - A word: a key in `words/en.toml` and in `words/es.toml`, `{{ frame.t("key") }}` in a template. A test holds the files together,
//!   and finds keys that are used and not there.

mod assets;
mod fields;
mod frame;
mod gate;
mod limits;
mod refusal;
mod routes;
mod sessions;
mod visit;
mod words;

pub use fields::encoded;
pub use frame::Frame;
pub use gate::with_session;
pub use limits::{Limit, admits, forgive, one_more, strike};
pub use refusal::{Refusal, Way, answer, secured};
pub use routes::{Access, Answering, Method, Route, done, get, link, post, router};
pub use sessions::{begin, end, end_all};
pub use visit::{Outcome, Role, Visit, Visitor};
pub use words::{Lang, Lexicon, Words, WordsError};

use crate::key::Keys;
use crate::relay::Relay;
use assets::Assets;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What is done at once after answers that tell nothing.
const AFTERWARDS_MAX: usize = 256;

/// Passwords that are hashed at once: each takes 19 MiB and a processor.
const HASHING_MAX: usize = 4;

/// What every request has.
#[derive(Debug, Clone)]
pub struct Site {
    /// The relay that the pages are of.
    pub relay: Arc<Relay>,
    /// Places for what is done after the answer.
    pub afterwards: Arc<Semaphore>,
    /// Places for passwords that are hashed.
    pub hashing: Arc<Semaphore>,
    lexicon: Lexicon,
    assets: Arc<Assets>,
}

impl Site {
    /// Everything that pages need.
    pub fn new(relay: Arc<Relay>) -> Result<Self, WordsError> {
        Ok(Self {
            relay,
            afterwards: Arc::new(Semaphore::new(AFTERWARDS_MAX)),
            hashing: Arc::new(Semaphore::new(HASHING_MAX)),
            lexicon: Lexicon::built_in()?,
            assets: Arc::new(Assets::new()),
        })
    }

    /// The words of a language.
    pub fn words(&self, lang: Lang) -> Words<'_> {
        self.lexicon.words(lang)
    }

    /// The relay's keys.
    pub fn keys(&self) -> &Keys {
        &self.relay.config.keys
    }

    /// How browsers come.
    pub fn way(&self) -> Way {
        if self.relay.config.public_url.starts_with("https://") { Way::Tls } else { Way::Plain }
    }
}
