//! Envelope faces that nobody mailed: what the demonstration and the tests scan.

use crate::decode::image::{DrawError, Picture, PictureError, draw_symbol};
use crate::scan::Symbology;

/// The width of a face in pixels: a No. 10 envelope, 9.5 inches, at 200 dots an inch.
const WIDTH: usize = 1900;

/// White between what stands on a face, in pixels.
const MARGIN: usize = 40;

/// Pixels for the narrowest bar: 15 mil at 200 dots an inch.
const MODULE_PX: u8 = 3;

/// The letters of an address line, in pixels: as high, as wide and as far apart as 10 point type.
const LETTER: [usize; 3] = [22, 12, 5];

/// Lines of the return address and of the address.
const ADDRESS_LINES: usize = 3;

/// Why a face was not drawn.
#[derive(Debug, thiserror::Error)]
pub enum FaceError {
    /// One of its symbols cannot be drawn.
    #[error("a symbol of the face cannot be drawn")]
    Symbol(#[source] DrawError),
    /// The symbols leave no picture, or a symbol is wider than an envelope.
    #[error("the face makes no picture")]
    Picture(#[source] PictureError),
    /// The symbol does not fit.
    #[error("a symbol of {0} pixels is wider than the face")]
    Wide(u32),
}

/// Draws the face of an envelope with these symbols and two addresses that are no letters, as a PNG file. The same seed gives
/// the same face.
pub fn draw(symbols: &[(Symbology, &str)], seed: u64) -> Result<Vec<u8>, FaceError> {
    let mut dice = Dice(seed);
    let mut sheet = Sheet { luma: Vec::new() };
    sheet.write_lines(MARGIN, &mut dice);
    sheet.write_lines(WIDTH / 2, &mut dice);
    let mut row = Row { x: MARGIN, top: sheet.height() + MARGIN };
    for (symbology, payload) in symbols {
        let symbol = draw_symbol(*symbology, payload, MODULE_PX).map_err(FaceError::Symbol)?;
        let width = size(symbol.width());
        if width + 2 * MARGIN > WIDTH {
            return Err(FaceError::Wide(symbol.width()));
        }
        if row.x + width + MARGIN > WIDTH {
            row = Row { x: MARGIN, top: sheet.height() };
        }
        let jitter = dice.below(MARGIN);
        sheet.paste(&symbol, row.x, row.top + jitter);
        row.x += width + MARGIN;
    }
    sheet.grow(sheet.height() + MARGIN);
    sheet.packed()
}

/// Where the next symbol goes.
struct Row {
    x: usize,
    top: usize,
}

/// Numbers that are the same at every run (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % 0x1_0000).unwrap_or(0) % bound.max(1)
    }
}

/// White paper [`WIDTH`] wide, as long as what is on it.
struct Sheet {
    luma: Vec<u8>,
}

impl Sheet {
    const fn height(&self) -> usize {
        self.luma.len() / WIDTH
    }

    fn grow(&mut self, height: usize) {
        if height > self.height() {
            self.luma.resize(height * WIDTH, u8::MAX);
        }
    }

    /// Blocks of ink as words of an address.
    fn write_lines(&mut self, left: usize, dice: &mut Dice) {
        let [height, width, gap] = LETTER;
        for _line in 0..ADDRESS_LINES {
            let top = self.height() + gap;
            self.grow(top + height + gap);
            let mut x = left + dice.below(MARGIN);
            for _word in 0..2 + dice.below(3) {
                for _letter in 0..2 + dice.below(7) {
                    let low = dice.below(height / 2);
                    self.ink(x..x + width, top + low..top + height);
                    x += width + gap;
                }
                x += width;
            }
        }
    }

    fn ink(&mut self, columns: std::ops::Range<usize>, rows: std::ops::Range<usize>) {
        for row in self.luma.chunks_exact_mut(WIDTH).take(rows.end).skip(rows.start) {
            row.iter_mut().take(columns.end).skip(columns.start).for_each(|luma| *luma = 60);
        }
    }

    fn paste(&mut self, symbol: &Picture, left: usize, top: usize) {
        self.grow(top + size(symbol.height()));
        let rows = self.luma.chunks_exact_mut(WIDTH).skip(top);
        for (row, from) in rows.zip(symbol.luma().chunks_exact(size(symbol.width()))) {
            row.iter_mut().skip(left).zip(from).for_each(|(luma, ink)| *luma = *ink);
        }
    }

    fn packed(self) -> Result<Vec<u8>, FaceError> {
        let height = u32::try_from(self.height()).unwrap_or(u32::MAX);
        let width = u32::try_from(WIDTH).unwrap_or(u32::MAX);
        let picture = Picture::from_luma(width, height, self.luma).map_err(FaceError::Picture)?;
        picture.to_png().map_err(FaceError::Picture)
    }
}

fn size(side: u32) -> usize {
    usize::try_from(side).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::image::find;

    type Symbols<'a> = &'a [(Symbology, &'a str)];

    fn payloads(face: &[u8]) -> Vec<String> {
        let found = find(&Picture::load(face).unwrap(), &Symbology::ALL).unwrap();
        let mut payloads: Vec<_> = found
            .into_iter()
            .map(|found| String::from_utf8(found.symbol.payload.0).unwrap())
            .collect();
        payloads.sort();
        payloads
    }

    #[test]
    fn every_symbol_on_a_face_is_found_once() {
        let faces: [Symbols<'_>; 8] = [
            &[(Symbology::Code128, "2026110000000011")],
            &[(Symbology::Code39, "BALLOT-17")],
            &[(Symbology::Itf, "20261100000001")],
            &[(Symbology::Pdf417, "202611,000000001")],
            &[(Symbology::Qr, "202611000000001")],
            &[(Symbology::DataMatrix, "202611000000001")],
            &[(Symbology::Code128, "2026110000000011"), (Symbology::Qr, "other")],
            &[
                (Symbology::Code128, "2026110000000011"),
                (Symbology::Code128, "2026110000000029"),
                (Symbology::Itf, "20261100000001"),
                (Symbology::DataMatrix, "b"),
                (Symbology::Qr, "c"),
            ],
        ];
        for (seed, symbols) in (1..).zip(faces) {
            let mut expected: Vec<&str> = symbols.iter().map(|(_, payload)| *payload).collect();
            expected.sort_unstable();
            assert_eq!(payloads(&draw(symbols, seed).unwrap()), expected);
        }
    }

    #[test]
    fn a_seed_is_a_face() {
        let face = |seed| draw(&[(Symbology::Qr, "1")], seed).unwrap();
        assert_eq!(face(7), face(7));
        assert_ne!(face(7), face(8));
    }

    #[test]
    fn addresses_are_no_symbols() {
        for seed in 0..4 {
            assert_eq!(payloads(&draw(&[], seed).unwrap()), [""; 0], "seed {seed}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let error = draw(&[(Symbology::Code39, &"W".repeat(60))], 1).unwrap_err();
        assert!(matches!(error, FaceError::Wide(_)), "{error:?}");
    }
}
