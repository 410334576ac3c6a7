//! Events of a batch: a pile of envelopes that came together, from its opening to its count.

use super::Who;
use crate::ballot::Mode;
use crate::clock::Micros;
use serde::{Deserialize, Serialize};

/// How a batch begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::ledger) struct BatchOpened {
    /// Its number at this station, from 1.
    pub batch: u32,
    /// What its scans do.
    pub mode: Mode,
    /// How its envelopes came: `mail`, `drop_box`, `in_person` or `other`.
    pub received_by: String,
    /// The local date of the station's running batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// When its envelopes were received, where that was before they are scanned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_at: Option<Micros>,
    /// Why `received_at` is earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Every envelope of it was postmarked in time, so the later deadline of such envelopes holds.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub postmarked: bool,
    /// In mode `needs_attention`: what the voters must do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention: Option<String>,
    /// The drop box or the mail tray.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The numbers of its seals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seals: Vec<String>,
    /// Envelopes from which on the clerk is warned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<u32>,
    /// Who opened it; absent for the running batch, which the station opens.
    #[serde(flatten)]
    pub who: Option<Who>,
}

/// How a batch ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::ledger) struct BatchClosed {
    /// Its number.
    pub batch: u32,
    /// Envelopes counted by hand.
    pub counted: u32,
    /// Different envelopes that were scanned and not taken back.
    pub envelopes: u32,
    /// Why the two differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
    /// Who closed it.
    #[serde(flatten)]
    pub who: Who,
}

/// Everything that a batch's scans moved is taken back by the events that follow in the same transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::ledger) struct BatchReversed {
    /// Its number.
    pub batch: u32,
    /// Why.
    pub reason: String,
    /// Who proposed it.
    #[serde(flatten)]
    pub who: Who,
    /// The operator who confirmed it.
    pub confirmed_by: String,
}
