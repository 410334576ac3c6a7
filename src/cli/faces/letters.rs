//! Letters as pen strokes: text on a face has the edges of text, but nobody's name.

use super::dice::Dice;
use super::sheet::{Ink, Point, Sheet};

/// Strokes of capital letters and digits on a grid 4 wide and 6 high: points of two digits, column and row, strokes parted by
/// a bar.
const LETTERS: [&str; 34] = [
    "06 20 46|14 34",
    "06 00 30 41 42 33 03|33 44 45 36 06",
    "41 30 10 01 05 16 36 45",
    "06 00 20 42 44 26 06",
    "40 00 06 46|03 33",
    "40 00 06|03 33",
    "41 30 10 01 05 16 36 45 43 23",
    "00 06|40 46|03 43",
    "10 30|20 26|16 36",
    "40 45 36 16 05",
    "00 06|40 03 46",
    "00 06 46",
    "06 00 23 40 46",
    "06 00 46 40",
    "10 30 41 45 36 16 05 01 10",
    "06 00 30 41 42 33 03",
    "06 00 30 41 42 33 03|23 46",
    "41 30 10 01 02 13 33 44 45 36 16 05",
    "00 40|20 26",
    "00 05 16 36 45 40",
    "00 26 40",
    "00 16 22 36 40",
    "00 46|40 06",
    "00 23 40|23 26",
    "00 40 06 46",
    "10 30 41 45 36 16 05 01 10|41 05",
    "11 20 26|16 36",
    "01 10 30 41 42 06 46",
    "00 40 22 33 44 45 36 16 05",
    "36 30 04 44",
    "40 00 03 33 44 45 36 06",
    "40 10 01 05 16 36 45 44 33 03",
    "00 40 16",
    "10 30 41 42 33 13 02 01 10|13 04 05 16 36 45 44 33",
];

/// How a line of text is set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Type {
    /// The height of a capital, in pixels.
    pub(super) height: f32,
    /// The strokes' thickness, as a share of the height.
    pub(super) weight: f32,
    pub(super) ink: Ink,
}

impl Type {
    /// From one line to the next.
    pub(super) const fn leading(self) -> f32 {
        self.height * 1.7
    }

    const fn advance(self) -> f32 {
        self.height * 0.86
    }
}

/// Sets words of random letters from `at`, the top left, up to the width; answers where the line ends.
pub(super) fn line(sheet: &mut Sheet, at: Point, width: f32, set: Type, dice: &mut Dice) -> f32 {
    let mut x = at[0];
    let end = at[0] + width - set.advance();
    while x < end {
        for _letter in 0..2 + dice.below(8) {
            if x >= end {
                return x;
            }
            letter(sheet, [x, at[1]], set, dice);
            x += set.advance();
        }
        x += set.advance() * 0.7;
    }
    x
}

fn letter(sheet: &mut Sheet, at: Point, set: Type, dice: &mut Dice) {
    let cell = set.height / 6.0;
    let Some(strokes) = dice.pick(&LETTERS) else { return };
    // Half of the letters are small ones: lower and narrower.
    let (size, low) = if dice.one_in(2) { (cell, 0.0) } else { (cell * 0.72, 0.28 * set.height) };
    for stroke in strokes.split('|') {
        let points: Vec<Point> = stroke
            .split(' ')
            .filter_map(|point| {
                let mut places = point.bytes().map(|digit| f32::from(digit - b'0'));
                let (column, row) = (places.next()?, places.next()?);
                Some([at[0] + column * size, at[1] + low + row * size])
            })
            .collect();
        sheet.curve(&points, set.height * set.weight, set.ink);
    }
}

/// Handwriting from left to right: loops of a pen of this thickness.
pub(super) fn hand(sheet: &mut Sheet, from: Point, to: Point, pen: Pen, dice: &mut Dice) {
    let [dx, dy] = [to[0] - from[0], to[1] - from[1]];
    let long = dx.hypot(dy).max(1.0);
    let (along, across) = ([dx / long, dy / long], [-dy / long, dx / long]);
    let mut points = Vec::new();
    let mut gone = 0.0;
    let mut swing = 0.0;
    let mut reach = pen.height * 0.5;
    while gone < long {
        let angle: f32 = swing;
        if points.len() % 24 == 0 {
            reach = pen.height * dice.between(0.2, 0.5);
        }
        let side = reach * angle.sin();
        let lead = gone + reach * 0.6 * (angle * 1.0 + 1.1).cos();
        points.push([
            from[0] + along[0] * lead + across[0] * side,
            from[1] + along[1] * lead + across[1] * side,
        ]);
        swing += 0.42;
        gone += pen.height * dice.between(0.015, 0.06);
    }
    sheet.curve(&points, pen.thickness, pen.ink);
}

/// A pen and how large it is written with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pen {
    pub(super) height: f32,
    pub(super) thickness: f32,
    pub(super) ink: Ink,
}
