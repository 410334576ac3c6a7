//! Two-dimensional symbols as a camera sees them: turned, blurred and noisy, and squares that only look like one.

#![cfg(test)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "pixel loops: every side is far below 2^24"
)]

use ballot_intake::decode::find;
use ballot_intake::decode::image::{Found, Picture, draw_symbol};
use ballot_intake::scan::Symbology;

const MATRICES: [(Symbology, &str); 3] = [
    (Symbology::Pdf417, "20261100000011"),
    (Symbology::Qr, "20261100000011"),
    (Symbology::DataMatrix, "20261100000011"),
];

const PAPER: f32 = 220.0;
const INK: f32 = 45.0;

/// Wider and higher than what rxing is let to look at as a whole.
const SIDES: [usize; 2] = [1400, 1010];

/// The noise repeats after so many pixels: a prime, so that no two rows are alike.
const NOISES: usize = 65_521;

/// splitmix64: the same seed gives the same noise.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Of deviation 1, nearly normal.
    fn noise(&mut self) -> f32 {
        let bytes = self.next().to_le_bytes();
        let sum: f32 = bytes.iter().map(|byte| f32::from(*byte) / 255.0 - 0.5).sum();
        sum / (8.0_f32 / 12.0).sqrt()
    }
}

/// How a symbol is seen.
#[derive(Debug, Clone, Copy)]
struct View {
    module_px: f32,
    degrees: f32,
    is_blurred: bool,
    noise: f32,
}

/// The symbol in the middle of an empty face.
fn face(modules: &Picture, view: View) -> Picture {
    let [width, height] = SIDES;
    let (sin, cos) = view.degrees.to_radians().sin_cos();
    let [columns, rows] = [modules.width(), modules.height()].map(|side| side as f32);
    let ink = |x: f32, y: f32| {
        let (dx, dy) = (x - width as f32 / 2.0, y - height as f32 / 2.0);
        let column = (dx * cos + dy * sin) / view.module_px + columns / 2.0;
        let row = (dy * cos - dx * sin) / view.module_px + rows / 2.0;
        let is_on = (0.0..columns).contains(&column) && (0.0..rows).contains(&row);
        let place = row as usize * modules.width() as usize + column as usize;
        if is_on && modules.luma()[place] == 0 { INK } else { PAPER }
    };
    let reach = if view.is_blurred { 1.0 } else { 0.33 };
    // Beyond it there is nothing but paper.
    let half = columns.hypot(rows) * view.module_px / 2.0 + 2.0;
    let mut dice = Dice(7);
    let noise: Vec<f32> = (0..NOISES).map(|_| view.noise * dice.noise()).collect();
    let mut luma = Vec::with_capacity(width * height);
    for y in 0..height {
        for x in 0..width {
            let mut level = PAPER;
            let [dx, dy] = [(x, width), (y, height)].map(|(at, of)| at as f32 - of as f32 / 2.0);
            if dx.abs() < half && dy.abs() < half {
                let offsets = [-reach, 0.0, reach];
                let place = |by: f32, at: usize| at as f32 + 0.5 + by;
                let inks = offsets.map(|down| {
                    offsets.map(|across| ink(place(across, x), place(down, y))).iter().sum::<f32>()
                });
                level = inks.iter().sum::<f32>() / 9.0;
            }
            luma.push((level + noise[luma.len() % NOISES]).clamp(0.0, 255.0) as u8);
        }
    }
    Picture::from_luma(width as u32, height as u32, luma).unwrap()
}

fn payloads(found: &[Found]) -> Vec<String> {
    found.iter().map(|found| String::from_utf8(found.symbol.payload.0.clone()).unwrap()).collect()
}

#[test]
fn they_are_read_at_every_angle_through_blur_and_noise() {
    for (symbology, payload) in MATRICES {
        let modules = draw_symbol(symbology, payload, 1).unwrap();
        for degrees in [0.0, 15.0, 45.0, 184.0] {
            for (is_blurred, noise) in [(false, 2.0), (true, 8.0)] {
                let view = View { module_px: 3.1, degrees, is_blurred, noise };
                let found = find(&face(&modules, view), &Symbology::ALL).unwrap();
                assert_eq!(payloads(&found), [payload], "{symbology} {view:?}");
            }
        }
    }
}

#[test]
fn corners_begin_at_the_symbols_own_top_left() {
    for (symbology, payload) in MATRICES {
        let modules = draw_symbol(symbology, payload, 1).unwrap();
        // Ten modules of quiet zone on either side are drawn with it.
        let half = [modules.width(), modules.height()].map(|side| (side as f32 / 2.0 - 10.0) * 3.0);
        for degrees in [30.0_f32, 200.0] {
            let view = View { module_px: 3.0, degrees, is_blurred: false, noise: 2.0 };
            let found = find(&face(&modules, view), &[symbology]).unwrap();
            let (sin, cos) = degrees.to_radians().sin_cos();
            let [x, y] = found[0].corners[0];
            let expected = [
                SIDES[0] as f32 / 2.0 - half[0] * cos + half[1] * sin,
                SIDES[1] as f32 / 2.0 - half[0] * sin - half[1] * cos,
            ];
            let off = (x - expected[0]).hypot(y - expected[1]);
            assert!(off < 3.0, "{symbology} at {degrees}: {x}, {y} is not {expected:?}");
        }
    }
}

#[test]
fn a_square_of_random_modules_is_no_symbol() {
    let mut dice = Dice(3);
    for side in [21_u32, 26, 33, 40] {
        let cells =
            (0..side * side).map(|_cell| if dice.next().is_multiple_of(2) { 0 } else { u8::MAX });
        let modules = Picture::from_luma(side, side, cells.collect()).unwrap();
        let view = View { module_px: 4.0, degrees: 3.0, is_blurred: false, noise: 2.0 };
        let found = find(&face(&modules, view), &Symbology::ALL).unwrap();
        assert_eq!(payloads(&found), [""; 0], "{side}");
    }
}
