//! Patterns that are no symbols, for tests and benchmarks: each tells the shade of a pixel.

#![expect(clippy::cast_possible_truncation, reason = "the low bits of a place make the pattern")]

use ballot_intake::decode::image::{Picture, PictureError};

/// The shade at a column and a row.
pub(crate) type Shade = fn(u32, u32) -> u8;

/// Numbers that are the same at every run (`SplitMix64`).
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `n`.
    pub(crate) const fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed(self.0) as usize % n
    }
}

/// Bits that depend on every bit of the number.
const fn mixed(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// A picture of the pattern.
pub(crate) fn picture(
    width: u32,
    height: u32,
    shade: impl Fn(u32, u32) -> u8,
) -> Result<Picture, PictureError> {
    let luma = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    Picture::from_luma(width, height, luma.map(|(x, y)| shade(x, y)).collect())
}

/// Black and white stripes, as wide as half the period, or nearly.
pub(crate) const fn stripe(at: u32, period: u32) -> u8 {
    if at % period < period / 2 { 0 } else { 255 }
}

/// The same snow at every run.
const fn snow(x: u32, y: u32) -> [u8; 8] {
    mixed((x as u64) << 32 | y as u64).to_be_bytes()
}

const fn gaussian(x: u32, y: u32) -> u8 {
    let [first, second, third, fourth, ..] = snow(x, y);
    ((first as u16 + second as u16 + third as u16 + fourth as u16) / 4) as u8
}

const fn salt_and_pepper(x: u32, y: u32) -> u8 {
    match snow(x, y) {
        [0..=12, ..] => 0,
        [13..=25, ..] => 255,
        _ => 128,
    }
}

const fn board(x: u32, y: u32, side: u32) -> u8 {
    if (x / side + y / side).is_multiple_of(2) { 0 } else { 255 }
}

/// The patterns that matter on pictures of a few pixels.
pub(crate) fn small() -> [(&'static str, Shade); 6] {
    [
        ("black", |_, _| 0),
        ("white", |_, _| 255),
        ("noise", |x, y| snow(x, y)[0]),
        ("checkers", |x, y| board(x, y, 1)),
        ("stripes", |x, _| stripe(x, 2)),
        ("lying stripes", |_, y| stripe(y, 3)),
    ]
}

/// Those of large pictures.
pub(crate) fn large() -> [(&'static str, Shade); 14] {
    [
        ("black", |_, _| 0),
        ("white", |_, _| 255),
        ("uniform noise", |x, y| snow(x, y)[0]),
        ("gaussian noise", gaussian),
        ("salt and pepper", salt_and_pepper),
        ("slow gradient", |x, y| ((x + y) / 28) as u8),
        ("steep gradient", |x, _| (x % 256) as u8),
        ("checkers of 1 px", |x, y| board(x, y, 1)),
        ("checkers of 3 px", |x, y| board(x, y, 3)),
        ("checkers of 8 px", |x, y| board(x, y, 8)),
        ("upright stripes of 4 px", |x, _| stripe(x, 4)),
        ("lying stripes of 5 px", |_, y| stripe(y, 5)),
        ("rising stripes of 6 px", |x, y| stripe(x + y, 6)),
        ("random bars", |x, _| snow(x / 3, 7)[0] / 128 * 255),
    ]
}
