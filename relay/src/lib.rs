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
//! - [`voter`]: who is told, where, and when.
//! - [`relay`]: what every part of a running relay shares. [`serve`]: connections and the router. [`cli`]: what people type.
//!
//! # Invariants
//!
//! - What was answered with a 2xx is committed; what is owed is committed with what it is owed for.
//! - An attempt is committed before the provider is called. What became of it is found out before anything is sent again.
//! - No transaction is open while a provider is called. There is no lock in this code and no unbounded queue.
//! - No voter's data is in a log line or in an error.

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
