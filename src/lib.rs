//! What stands between a returned ballot envelope and the voter who is told "received".
//!
//! # Bird's eye
//!
//! A workstation in the mail room reads envelopes and keeps the truth about them in one SQLite file. [`daemon::run`] is the whole
//! flow, top to bottom; everything else is one stage of it, the words that stages share, or the edge that people touch.
//!
//! # Flow
//!
//! ```text
//! scanner --bytes--> scanner::dialog --symbols--> pipeline::Lane --scan--> ledger::Ledger --delivery--> forward --> relay
//! camera, folder --picture--> decode --symbols-->  (envelope,        ^       one thread
//!                                                    dedupe)         |
//!                                                                    +-- verdict, after the commit
//! ```
//!
//! The main thread runs a single-threaded runtime with all that waits: scanners' lines, their lanes, the forwarder, the command
//! socket. The pages have a thread and a runtime of their own. The ledger, each folder, each camera and each decoder are plain
//! threads. Between them stand bounded queues.
//!
//! # Code map
//!
//! - Words: [`scan`], [`ballot`], [`reason`], [`imb`], [`clock`], [`event`], [`delivery`], [`coded`] (refusals in every language),
//!   [`sheet`] (what the codes of a command sheet spell): values and pure rules. The table of
//!   all moves of a ballot is in [`ballot`], the verdicts are in [`scan`], why a ballot stands where it stands is in [`reason`].
//! - Stages: [`scanner`] (profiles, dialogs, lines, cameras, folders, what is plugged in), [`decode`] (pictures to symbols), [`envelope`] (payload to ballot),
//!   [`dedupe`] (repeats), [`ledger`] (the record and what derives from it), [`forward`] (the relay). None imports another.
//! - What a scanner says becomes symbols in a [`scanner::dialog::Dialog`]: `text`, `ssi`, `keyboard` or `hid_pos`, by its profile.
//!   [`scanner::line`] opens what its bytes come from, `plugged` finds it, `hotplug` wakes whoever waits for it.
//! - A picture's way through [`decode`]: `looker` says the order. `tiles` passes over the pixels once and `locate` makes regions of
//!   them; `profile` averages lines along a region's bars and `bars` reads them; `soften` and `soft` read bars that run into each
//!   other; `imb_reader` reads Intelligent Mail bar codes, `matrices` two-dimensional symbols; `image` unpacks pictures and is the
//!   door to rxing. [`decode::unchanged`] tells a camera's picture that shows what the last one showed.
//! - [`config`] turns a file into a configuration that cannot be wrong; [`control`] is the one way in which a command changes
//!   something.
//! - [`labels`] draws what a station prints: command sheets, badges, test envelopes.
//! - [`pipeline`] joins the stages, [`desk`] serves the pages, [`daemon`] runs them, [`cli`] is what people type.
//! - `relay/wire`, a package of its own: event types and signing, shared with the relay and nothing else.
//!
//! # Invariants
//!
//! - No verdict leaves before its commit, and a failed commit is never answered good: `ledger::writer`.
//! - Only the ledger's thread writes; nothing else holds a writing connection, and the lock beside the file keeps it so.
//! - There is no lock in this code (`.clippy.toml` bans them), no unbounded queue, and no place where a scan is dropped.
//! - No payload is in a log line, and none that names no ballot is in the ledger.
//! - Nothing reads the time, the environment or random bytes but `clock`, `cli::place` and the callers of `getrandom`.
//! - Nothing of a scanner model is in the code: models are files in `scanners/`.
//!
//! # Where to start
//!
//! - A new scanner model: a file in `scanners/` and a recording, see [`scanner::profile`]. A new protocol: a
//!   [`scanner::dialog::Dialog`]. A new transport: [`scanner::line`].
//! - A new layout of mail ballot files: a file in `src/ledger/layouts/`, or beside the configuration, see [`ledger::Layout`].
//! - A new verdict or move: [`scan::Verdict`], [`ballot::scan_move`], `ledger::judge`.
//! - A new order of command sheets: [`sheet::Order`], then `ledger::judge::command`.
//! - A new kind of event: `ledger::fact`, then `ledger::apply`, which is run by the writer and by a rebuild alike.
//! - A symbol that is missed: `tests/bench/decode --misses DIR` draws it, then `decode::looker` from the top.
//! - A new report or export: `ledger::report`, `ledger::export`; what is counted, `ledger::tally`.
//! - A new command: [`control::Command`] if it changes something, then [`cli`].
//! - A new page, route or word of a page: [`desk`].
//! - A new configuration key: [`config`] and `deploy/config.toml`; a test holds the two together.

// Words: values and pure rules.
pub mod ballot;
pub mod clock;
pub mod coded;
pub mod delivery;
pub mod event;
pub mod imb;
pub mod reason;
pub mod scan;
pub mod sheet;

// Stages, in the order of the flow: none imports another.
pub mod scanner;

pub mod decode;

pub mod envelope;

pub mod dedupe;

pub mod ledger;

pub mod forward;

// What the stages are told.
pub mod config;

pub mod control;

// What is printed, for people and pages alike.
pub mod labels;

// The pages, beside what joins the stages.
pub mod desk;

// The stages, joined.
pub mod pipeline;

pub mod daemon;

// The edge.
pub mod cli;
