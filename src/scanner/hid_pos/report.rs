//! One input report of a HID point-of-sale scanner, as hidraw gives it: the report's id, then what its descriptor says.
//!
//! The fields are those of "HID Point of Sale Usage Tables" 1.02, section 3: a length, three bytes of
//! symbology identifier (usages 0xFB to 0xFD), decoded data (0xFE), and whether more follows (0xFF). That document leaves their places
//! to each descriptor; makers agree on them:
//!
//! | byte | identified | identified, shifted | bare |
//! | --- | --- | --- | --- |
//! | 0 | id, 2 | id, 2 | id, 2 |
//! | 1 | length | length | length |
//! | 2 | `]` and two more | something else | data, 56 bytes |
//! | 3 | | `]` and two more | |
//! | 5 | data, 56 bytes | | |
//! | 6 | | data, 56 bytes | |
//! | 61 | maker's letter | | |
//! | 62 | reserved | | maker's letter |
//! | 63 | bit 0: more follows | the same | the same |
//!
//! - Identified: Hand Held Products "USB Interfaces User's Guide" 1-11; Access-IS LSR118 product manual, appendix B, with an example of
//!   two reports, in each of which the identifier stands.
//! - Shifted: only `inputreport` of `NielsLeenheer/WebHidBarcodeScanner` has it, for makers other than Honeywell.
//! - Bare: Newland NLS-FM420 integration guide, page 47; Unitech MS842N user manual; ID Tech FX100. Which scanners those are is for
//!   their profiles to say, since such a report may begin with a `]` that is data.
//!
//! The first two cannot be mistaken for each other: the byte after a `]` at byte 2 would have to be a letter, and a `]`.

use super::Reports;
use crate::scan::SymbologyIdentifier;

/// A report with its id.
const REPORT_BYTES: usize = 64;
const SCANNED_DATA_ID: u8 = 2;
const PAYLOAD_BYTES_MAX: u8 = 56;

/// What a bare report whose payload begins with an identifier, read as if it had one of its own, ends with: its length counts the
/// identifier. No symbol that matters ends so.
const PADDING: &[u8] = &[0; 3];

/// What one report says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Report<'a> {
    pub(super) prefix: Prefix,
    pub(super) payload: &'a [u8],
    /// The maker's letter; 0 for none.
    pub(super) code_id: u8,
    pub(super) more: More,
}

/// What stands before the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefix {
    Identified(SymbologyIdentifier),
    Shifted(SymbologyIdentifier),
    Bare,
}

/// Whether other reports of the same scan follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum More {
    No,
    Yes,
}

impl<'a> Report<'a> {
    /// Takes what one read returned; nothing if it is not as it should be.
    pub(super) fn parse(bytes: &'a [u8], reports: Reports) -> Option<Self> {
        let Ok([SCANNED_DATA_ID, length, fields @ .., identified_id, bare_id, flags]) =
            <&[u8; REPORT_BYTES]>::try_from(bytes)
        else {
            return None;
        };
        let more = match flags {
            0 => More::No,
            1 => More::Yes,
            _ => return None,
        };
        if *length > PAYLOAD_BYTES_MAX {
            return None;
        }
        let (prefix, code_id) = match (reports, fields) {
            (Reports::Bare, _) => (Prefix::Bare, *bare_id),
            (Reports::Identified, [b']', code, modifier, ..]) if code.is_ascii_alphabetic() => {
                let identifier = SymbologyIdentifier::new(*code, *modifier)?;
                (Prefix::Identified(identifier), *identified_id)
            }
            (Reports::Identified, [_, b']', code, modifier, ..]) => {
                let identifier = SymbologyIdentifier::new(*code, *modifier)?;
                (Prefix::Shifted(identifier), 0)
            }
            (Reports::Identified, _) => return None,
        };
        // A shifted report has data where the letter stands in one that is not.
        let start = 2 + prefix.bytes();
        let payload = bytes.get(start..).and_then(|rest| rest.get(..usize::from(*length)))?;
        let is_misread = prefix != Prefix::Bare && payload.ends_with(PADDING);
        (!is_misread).then_some(Self { prefix, payload, code_id, more })
    }
}

impl Prefix {
    /// The symbology identifier, where there is one.
    pub(super) fn identifier(self) -> Option<SymbologyIdentifier> {
        match self {
            Self::Identified(identifier) | Self::Shifted(identifier) => Some(identifier),
            Self::Bare => None,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Identified(_) => 3,
            Self::Shifted(_) => 4,
            Self::Bare => 0,
        }
    }
}
