//! Makers' letters for symbologies.

use super::CodeIds;
use crate::scan::{Named, Symbology};

/// What a maker's letter says; nothing where it is none, or unknown.
pub(super) fn symbology(code_ids: CodeIds, letter: u8) -> Option<Named> {
    match code_ids {
        CodeIds::None => None,
        CodeIds::Honeywell => honeywell(letter),
    }
}

/// "Code ID" in the appendix "Symbology Charts" of Honeywell's user's guides, as in `src/main.js` of
/// `NielsLeenheer/WebHidBarcodeScanner`. `I` and `|` are GS1-128, in older and newer ones.
fn honeywell(letter: u8) -> Option<Named> {
    let symbology = match letter {
        b'j' | b'I' | b'|' => Symbology::Code128,
        b'b' => Symbology::Code39,
        b'e' => Symbology::Itf,
        b'r' => Symbology::Pdf417,
        b's' => Symbology::Qr,
        b'w' => Symbology::DataMatrix,
        b'M' => Symbology::Imb,
        b','
        | b'<'
        | b'?'
        | b'A'..=b'E'
        | b'H'
        | b'J'..=b'L'
        | b'N'
        | b'P'..=b'R'
        | b'T'
        | b'V'
        | b'Y'
        | b'a'
        | b'c'
        | b'd'
        | b'f'..=b'i'
        | b'l'
        | b'm'
        | b'q'
        | b't'
        | b'x'..=b'{'
        | b'}' => return Some(Named::Foreign),
        _ => return None,
    };
    Some(Named::One(symbology))
}
