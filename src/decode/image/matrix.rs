//! Two-dimensional symbols by rxing's readers: on a crop, on a whole picture, and the last steps of a PDF417 whose codewords are
//! known already.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rxing::common::{BitMatrix, HybridBinarizer};
use rxing::datamatrix::DataMatrixReader;
use rxing::datamatrix::decoder::Decoder as DataMatrixDecoder;
use rxing::pdf417::PDF417Reader;
use rxing::pdf417::decoder::{decoded_bit_stream_parser, ec::error_correction};
use rxing::pdf417::pdf_417_common::{CODEWORD_TABLE, NUMBER_OF_CODEWORDS, SYMBOL_TABLE};
use rxing::qrcode::QRCodeReader;
use rxing::qrcode::cpp_port::{QrReader, decoder::Decode as qr_decode};
use rxing::{
    BinaryBitmap, Luma8Source, RXingResult, RXingResultMetadataType, RXingResultMetadataValue,
    Reader as _,
};

use super::{Found, hints, identifier, narrow, real, symbol, turned_back};
use crate::decode::quad::Corners;
use crate::scan::{Symbol, Symbology, SymbologyIdentifier};

/// Pixels row by row from the top.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sheet<'a> {
    pub(super) luma: &'a [u8],
    pub(super) width: usize,
    pub(super) height: usize,
}

/// The first symbol of the symbology that is found; its corners in the sheet's pixels.
pub(super) fn read(sheet: Sheet<'_>, symbology: Symbology) -> Option<Found> {
    caught(|| search(sheet, symbology))
}

/// A panic of the library is no symbol: what else is on the picture counts all the same.
fn caught<T>(read: impl FnOnce() -> Option<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(read)).ok().flatten()
}

fn search(sheet: Sheet<'_>, symbology: Symbology) -> Option<Found> {
    let source =
        Luma8Source::new_with_slice(sheet.luma, narrow(sheet.width), narrow(sheet.height)).ok()?;
    let mut bitmap = BinaryBitmap::new(HybridBinarizer::new(source));
    let hints = hints(symbology)?;
    let (read, points) = match symbology {
        Symbology::Qr => match QrReader.decode_with_hints(&mut bitmap, &hints) {
            Ok(read) => (read, Points::Rows),
            Err(_) => (QRCodeReader.decode_with_hints(&mut bitmap, &hints).ok()?, Points::Finders),
        },
        Symbology::DataMatrix => {
            (DataMatrixReader.decode_with_hints(&mut bitmap, &hints).ok()?, Points::Clockwise)
        }
        Symbology::Pdf417 => {
            (PDF417Reader.decode_with_hints(&mut bitmap, &hints).ok()?, Points::Turned)
        }
        _ => return None,
    };
    Some(Found {
        symbol: symbol(symbology, identifier(&read), read.getText()),
        corners: corners(&read, points, sheet),
    })
}

/// The modules of PDF417's codewords, of 17 bits, the first module the highest: for each of the three clusters, the pattern of
/// each of its 929 codewords.
pub(in crate::decode) fn pdf417_patterns() -> [Vec<u32>; 3] {
    let mut clusters = [(); 3].map(|()| vec![0; NUMBER_OF_CODEWORDS as usize]);
    for (pattern, numbered) in SYMBOL_TABLE.iter().zip(&CODEWORD_TABLE) {
        let number = (numbered - 1) % NUMBER_OF_CODEWORDS;
        let cluster = (numbered - 1) / NUMBER_OF_CODEWORDS;
        let place = clusters
            .get_mut(cluster as usize)
            .and_then(|codewords| codewords.get_mut(number as usize));
        if let Some(place) = place {
            *place = *pattern;
        }
    }
    clusters
}

/// The symbol that these codewords spell, once what is wrong in them is corrected; the count of them that were wrong.
pub(in crate::decode) fn pdf417_symbol(
    codewords: &mut [u32],
    level: u32,
) -> Option<(Symbol, usize)> {
    let (n_wrong, read) = caught(|| {
        let n_wrong = error_correction::decode(codewords, 2 << level, &mut []).ok()?;
        Some((n_wrong, decoded_bit_stream_parser::decode(codewords, &level.to_string()).ok()?))
    })?;
    let modifier = u8::try_from(read.getSymbologyModifier()).ok()?;
    let identifier = SymbologyIdentifier::new(b'L', b'0' + modifier % 10);
    Some((symbol(Symbology::Pdf417, identifier, read.getText()), n_wrong))
}

/// The symbol that the modules of an upright grid spell, row by row from the top.
pub(in crate::decode) fn grid_symbol(
    is_dark: &[bool],
    columns: usize,
    symbology: Symbology,
) -> Option<Symbol> {
    let rows = is_dark.len() / columns.max(1);
    let mut bits = BitMatrix::new(narrow(columns), narrow(rows)).ok()?;
    for (i, _dark) in is_dark.iter().enumerate().filter(|(_, is_dark)| **is_dark) {
        bits.set(narrow(i % columns), narrow(i / columns));
    }
    let (text, letter, modifier) = caught(|| spelled(&bits, symbology))?;
    let modifier = modifier.bytes().last().unwrap_or(b'0');
    Some(symbol(symbology, SymbologyIdentifier::new(letter, modifier), &text))
}

/// The text of a grid, and the letter and the modifier of its symbology identifier.
fn spelled(bits: &BitMatrix, symbology: Symbology) -> Option<(String, u8, String)> {
    match symbology {
        Symbology::Qr => {
            let read = qr_decode(bits).ok()?;
            if !read.isValid() {
                return None;
            }
            Some((read.content().to_string(), b'Q', read.symbologyIdentifier()))
        }
        Symbology::DataMatrix => {
            let read = DataMatrixDecoder::new().decode(bits).ok()?;
            Some((read.getText().to_owned(), b'd', read.getSymbologyModifier().to_string()))
        }
        _ => None,
    }
}

/// What the points mean that a reader gives.
#[derive(Debug, Clone, Copy)]
enum Points {
    /// Four corners, clockwise from the symbol's own top left.
    Clockwise,
    /// Four corners: top left, top right, bottom left, bottom right.
    Rows,
    /// The middles of three finder patterns: bottom left, top left, top right.
    Finders,
    /// Top left, bottom left, top right, bottom right and four more, on a picture turned by the read's orientation.
    Turned,
}

fn corners(read: &RXingResult, points: Points, sheet: Sheet<'_>) -> Corners {
    let [right, bottom] = [real(sheet.width), real(sheet.height)];
    let told: Vec<[f32; 2]> = read.getPoints().iter().map(|at| [at.x, at.y]).collect();
    match (points, told.as_slice()) {
        (Points::Clockwise, [a, b, c, d, ..]) => [*a, *b, *c, *d],
        (Points::Rows, [left, right, below, last, ..]) => [*left, *right, *last, *below],
        (Points::Finders, [d, a, b, ..]) => around_finders(*a, *b, *d),
        (Points::Turned, [a, d, b, c, ..]) => {
            [*a, *b, *c, *d].map(|at| turned_back(at, orientation(read), [right, bottom]))
        }
        // A symbol that fills its picture is read without being located.
        _ => [[0.0, 0.0], [right, 0.0], [right, bottom], [0.0, bottom]],
    }
}

/// The corners of a QR Code around the middles of its three finder patterns. They stand 3.5 modules inside; how many modules
/// there are is not told, so those of a middling version are taken.
fn around_finders(a: [f32; 2], b: [f32; 2], d: [f32; 2]) -> Corners {
    const INSIDE_SHARE: f32 = 0.16;
    let across = [(b[0] - a[0]) * INSIDE_SHARE, (b[1] - a[1]) * INSIDE_SHARE];
    let down = [(d[0] - a[0]) * INSIDE_SHARE, (d[1] - a[1]) * INSIDE_SHARE];
    let c = [b[0] + d[0] - a[0], b[1] + d[1] - a[1]];
    [
        [a[0] - across[0] - down[0], a[1] - across[1] - down[1]],
        [b[0] + across[0] - down[0], b[1] + across[1] - down[1]],
        [c[0] + across[0] + down[0], c[1] + across[1] + down[1]],
        [d[0] - across[0] + down[0], d[1] - across[1] + down[1]],
    ]
}

/// How far the picture was turned counterclockwise before the symbol was found on it, in degrees.
fn orientation(read: &RXingResult) -> i32 {
    match read.getRXingResultMetadata().get(&RXingResultMetadataType::ORIENTATION) {
        Some(RXingResultMetadataValue::Orientation(degrees)) => *degrees,
        _ => 0,
    }
}
