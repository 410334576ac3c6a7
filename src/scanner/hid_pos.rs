//! A HID point-of-sale scanner (usage page 0x8C): input reports to symbols.

use serde::Deserialize;

/// What is particular to a HID point-of-sale scanner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// A feature report, its id first, that is sent as the device is opened; empty for none.
    pub feature: Vec<u8>,
    /// Which maker's symbology letters byte 60 of a report has.
    pub code_ids: CodeIds,
}

/// Whose letters for symbologies are read where no symbology identifier is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CodeIds {
    /// Nobody's.
    #[default]
    None,
    /// Honeywell's: `j` Code 128, `M` Intelligent Mail.
    Honeywell,
}
