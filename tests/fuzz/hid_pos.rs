//! What must hold of a HID point-of-sale scanner, for any reports; the fuzz target and the replay of its corpus share it.

use ballot_intake::scan::Symbol;
use ballot_intake::scanner::dialog::Dialog as _;
use ballot_intake::scanner::framing::Framed;
use ballot_intake::scanner::hid_pos::{CodeIds, HidPos, Reports, Settings};
use std::num::NonZeroU16;
use std::time::Duration;

const FRAME_BYTES_MAX: u16 = 128;
const REPORT_BYTES: usize = 64;
const SILENCE: Duration = Duration::from_millis(500);

/// The symbols of a scanner whose reports have identifiers; the last report may be too short.
pub(crate) fn reported(bytes: &[u8]) -> Vec<Symbol> {
    symbols(Reports::Bare, bytes);
    symbols(Reports::Identified, bytes)
}

fn symbols(reports: Reports, bytes: &[u8]) -> Vec<Symbol> {
    let settings = Settings { feature: Vec::new(), reports, code_ids: CodeIds::Honeywell };
    let mut dialog = HidPos::new(&settings, NonZeroU16::new(FRAME_BYTES_MAX).unwrap(), SILENCE);
    assert_eq!(dialog.expired(SILENCE), None);
    let mut found = Vec::new();
    for report in bytes.chunks(REPORT_BYTES) {
        let (taken, framed) = dialog.push(report, SILENCE);
        assert_eq!(taken, report.len());
        if let Some(Framed::Symbol(symbol)) = framed {
            assert!((1..=FRAME_BYTES_MAX.into()).contains(&symbol.payload.0.len()));
            found.push(symbol);
        }
    }
    let is_pending = dialog.deadline().is_some();
    assert_eq!(dialog.expired(SILENCE * 2).is_some(), is_pending);
    assert_eq!(dialog.deadline(), None);
    found
}
