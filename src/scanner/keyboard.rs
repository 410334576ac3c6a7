//! A scanner that types: input events of the kernel to bytes.

use serde::Deserialize;

/// Which character a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// ANSI INCITS 154 as in the United States: what scanners are shipped with.
    Us,
}
