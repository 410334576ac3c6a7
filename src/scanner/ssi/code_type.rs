//! Which symbology a code type is: the byte before the data of a read.

use crate::scan::{Named, Symbology};

/// The symbology of a code type.
///
/// The table is that of the guide's `DECODE_DATA`, "Bar Code Type" (72E-40451), as public programs for these scanners have
/// it: the constants `ST_*` of Zebra's own Scanner SDK samples, and the symbology table of a published SSI driver. What is a
/// part of several symbols (Macro PDF417), several symbols in one (ISBT concatenated, composites, 0x99) or no print at all
/// (parameters, signatures) is foreign: no envelope has it. What stands in no table is untold.
pub(super) const fn symbology(code_type: u8) -> Named {
    match code_type {
        // Code 39, and its full ASCII.
        0x01 | 0x13 => Named::One(Symbology::Code39),
        // Code 128, GS1-128, ISBT 128.
        0x03 | 0x0F | 0x19 => Named::One(Symbology::Code128),
        0x06 => Named::One(Symbology::Itf),
        0x11 => Named::One(Symbology::Pdf417),
        // Data Matrix, GS1 Data Matrix.
        0x1B | 0xC1 => Named::One(Symbology::DataMatrix),
        // QR Code, Micro QR, GS1 QR.
        0x1C | 0x2C | 0xC2 => Named::One(Symbology::Qr),
        // "USPS 4CB/One Code/Intelligent Mail".
        0x34 => Named::One(Symbology::Imb),
        // 2 of 5 of other kinds, 11, 16K, 32, 49, 93; UPC, EAN, MSI, trioptic, coupons, postal codes, PDF417 and QR Code in
        // parts, Aztec, GS1 DataBar, ISSN.
        0x02 | 0x04 | 0x05 | 0x07..=0x0E | 0x10 | 0x12 | 0x14..=0x18 | 0x1A | 0x1D..=0x29
        | 0x2D..=0x33 | 0x35..=0x39
        // With two digits beside them.
        | 0x48..=0x4B | 0x50
        // Composites, TLC 39, signatures, parameters, other 2 of 5.
        | 0x51..=0x5A | 0x61..=0x6A | 0x70 | 0x72..=0x75
        // With five digits beside them, structured messages, OCR, parsed texts, Han Xin.
        | 0x88..=0x8B | 0x90 | 0x99 | 0x9A | 0xA0 | 0xA1 | 0xB1..=0xB4 | 0xB6 | 0xB7 | 0xC0 => {
            Named::Foreign
        }
        _ => Named::Untold,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbology_of_an_envelope_has_a_code_type() {
        for wanted in Symbology::ALL {
            assert!((0..=255).any(|code_type| symbology(code_type) == Named::One(wanted)));
        }
    }

    #[test]
    fn what_no_table_has_is_untold() {
        for code_type in [0x00, 0x2A, 0x2B, 0x3A, 0x71, 0xB5, 0xC3, 0xFF] {
            assert_eq!(symbology(code_type), Named::Untold, "{code_type:#04x}");
        }
        for code_type in [0x02, 0x0B, 0x1E, 0x2D, 0x51, 0x99] {
            assert_eq!(symbology(code_type), Named::Foreign, "{code_type:#04x}");
        }
    }
}
