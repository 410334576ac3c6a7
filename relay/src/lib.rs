//! What tells voters where their mail ballot stands: by text, phone or e-mail, and on a page of their own.
//!
//! # Bird's eye
//!
//! Stations of a county's mail room send signed events; the county hands over its voter file and its mail ballot file, the Postal
//! Service its scans. Each change of a ballot becomes one notice per contact of a voter who signed up, in one transaction with the
//! change itself. Workers hand notices to an SMTP server or to a Twilio-compatible provider, and find out what became of them.
//!
//! # Flow
//!
//! ```text
//! stations, files, USPS --> intake --> ballot --> notice (owed) --> work --> channel --> provider
//!                              \________one transaction________/      ^                     |
//!                                                                     +---- callback <------+
//! ```
//!
//! # Code map
//!
//! - Words: [`clock`], [`hours`], [`id`], [`key`], [`news`], [`told`].
//! - [`store`]: the one seam to SQLite and PostgreSQL; `store/schema/v1.sql` is the page to read first. [`config`]: a file, checked.
//! - [`relay`]: what every part of a running relay shares. [`template`]: what voters read and hear.
//! - [`voter`]: who is told, where, and when. [`suppress`]: what must not be sent to. [`alarm`]: what the office must look at.
//! - [`intake`]: events, files, scans. [`ballot`]: where each ballot stands. [`notice`]: what is owed; its header has the table of states.
//!   [`bulk`]: reminders.
//! - [`work`]: sends what is owed, and finds out what became of it; its header is the design. [`channel`]: one call of one provider.
//!   [`receipt`]: what a provider says, by whichever way. [`callback`]: what providers tell by themselves.
//! - [`web`], [`pages`], [`office`]: what voters and the office see. [`stand_in`]: a provider for tests and for trying out.
//! - [`serve`]: connections and the router. [`cli`]: what people type.
//!
//! # Invariants
//!
//! - What was answered with a 2xx is committed; what is owed is committed with what it is owed for.
//! - An attempt is committed before the provider is called. What became of it is found out before anything is sent again.
//! - No transaction is open while a provider is called. There is no lock in this code and no unbounded queue.
//! - No voter's data is in a log line or in an error.
//!
//! # Where to start
//!
//! - A new kind of notice: [`news::Kind`], its words in `template/*.toml`, its fields in [`template`].
//! - A new language: a file like `template/es.toml` in the county's folder. A built-in one: `template/`, and `web/words/`.
//! - A new channel or provider: [`channel::Outcome`] says what must be told apart; then a line of [`channel::Line`].
//! - A new state of a notice: [`notice`], then [`receipt`] and `work::settle`.
//! - A new column: a step in `store/schema/`, and nothing in either engine.
//! - A new page: [`web`], then [`pages`] or [`office`].

// Words: values and pure rules.
pub mod clock;
pub mod hours;
pub mod id;
pub mod key;
pub mod news;
pub mod told;

// What everything stands on.
pub mod store;

pub mod config;

pub mod relay;

// The engine.
pub mod alarm;

pub mod template;

pub mod voter;

pub mod suppress;

pub mod bulk;
pub mod notice;

pub mod ballot;

pub mod intake;

pub mod channel;

pub mod receipt;

pub mod work;

pub mod callback;

// The edge.
pub mod serve;

// The faces.
pub mod web;

pub mod pages;

pub mod office;

pub mod stand_in;

pub mod cli;
