//! What goes wrong at the stand-in, and how often; nothing does by default.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What goes wrong. `..._every` is every how many-th, 0 for never.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    /// Between accepting and answering, in milliseconds.
    pub answer_delay_ms: u64,
    /// Is accepted and never answered.
    pub stall_every: u64,
    /// Is answered 500 and not accepted.
    pub fail_before_every: u64,
    /// Is accepted and answered 500.
    pub fail_after_every: u64,
    /// The process dies right after so many more are accepted, before it answers; 0 for never.
    pub die_after: u64,
    /// More in a second are answered 429 and not accepted; 0 for no limit.
    pub rate_per_second: u32,
    /// Whether statuses are called back at all.
    pub callbacks: bool,
    /// Before each status, in milliseconds.
    pub callback_delay_ms: u64,
    /// How often each callback comes again.
    pub callback_repeats: u32,
    /// Whether the last status is told first.
    pub callback_reorder: bool,
    /// How many of a hundred callbacks are lost.
    pub callback_lose_percent: u8,
    /// How texts and calls to a number end, where not well.
    pub ends: BTreeMap<String, End>,
    /// Numbers to which nothing is accepted, with the code of the refusal.
    pub refused: BTreeMap<String, u32>,
    /// Whether the provider itself hears STOP and START, as the real one does.
    pub opt_out: bool,
    /// Seconds that its clock is ahead.
    pub clock_ahead_s: i64,
}

/// How a text or a call ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// The last status: `undelivered`, `failed`, `busy`, `no-answer`, or `sent` where no receipt ever comes.
    pub status: String,
    /// The code of the failure.
    pub error_code: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            answer_delay_ms: 0,
            stall_every: 0,
            fail_before_every: 0,
            fail_after_every: 0,
            die_after: 0,
            rate_per_second: 0,
            callbacks: true,
            callback_delay_ms: 20,
            callback_repeats: 0,
            callback_reorder: false,
            callback_lose_percent: 0,
            ends: BTreeMap::new(),
            refused: BTreeMap::new(),
            opt_out: true,
            clock_ahead_s: 0,
        }
    }
}
