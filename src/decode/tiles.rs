//! One pass over a picture: how strongly, and in which direction, its pixels change in every tile of 16 x 16.
//!
//! The structure tensor of a tile sums the products of the gradients along x and y. Bars give a large sum across them and none
//! along them; print and two-dimensional symbols give both; paper gives what the sensor's noise gives.
#![expect(
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "pixel loops: rows are cut to the picture's width first, and sums stay below 2^24"
)]

use super::gray::Gray;

/// The side of a tile in pixels.
pub(crate) const TILE: usize = 16;

/// The rows of a tile that are looked at. Unevenly spaced: bars that lie across would else be met at one phase only.
const ROWS: [usize; 4] = [1, 4, 9, 14];

/// The pixels of a tile that are looked at.
const PIXELS: usize = TILE * ROWS.len();

/// The share of tiles that are taken for bare paper where the noise is estimated.
const PAPER_SHARE: usize = 5;

/// Gradients of one tile: along x squared, along y squared, and one times the other, each the mean of its pixels. A gradient is
/// the difference of the two neighbors' gray levels.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) xx: f32,
    pub(crate) yy: f32,
    pub(crate) xy: f32,
}

impl Tensor {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { xx: self.xx + other.xx, yy: self.yy + other.yy, xy: self.xy + other.xy }
    }

    /// How much the strongest direction is stronger than the weakest.
    pub(crate) fn excess(self) -> f32 {
        let difference = self.xx - self.yy;
        (difference * difference + 4.0 * self.xy * self.xy).sqrt()
    }

    /// Both directions together.
    pub(crate) fn energy(self) -> f32 {
        self.xx + self.yy
    }

    /// What the weakest direction has: along bars, the noise.
    pub(crate) fn weakest(self) -> f32 {
        (self.energy() - self.excess()) / 2.0
    }

    /// The angle of the strongest direction against the x axis, clockwise on the picture (y is down), in radians from -pi/2 to
    /// pi/2.
    pub(crate) fn angle(self) -> f32 {
        (2.0 * self.xy).atan2(self.xx - self.yy) / 2.0
    }
}

/// The tiles of one picture; the buffer is used again for the next. What is left of a tile at the right and lower edge is not
/// looked at.
#[derive(Debug, Default)]
pub(crate) struct Tiles {
    columns: usize,
    rows: usize,
    tensors: Vec<Tensor>,
    sorted: Vec<f32>,
    noise: f32,
}

impl Tiles {
    /// Looks at a picture.
    pub(crate) fn measure(&mut self, gray: Gray<'_>) {
        // The gradient needs a pixel on either side.
        self.columns = gray.width().saturating_sub(2) / TILE;
        self.rows = gray.height() / TILE;
        self.tensors.clear();
        for row in 0..self.rows {
            let lines = ROWS.map(|offset| row * TILE + offset);
            let lines = lines.map(|y| [gray.row(y - 1), gray.row(y), gray.row(y + 1)]);
            self.tensors.extend((0..self.columns).map(|column| tensor(&lines, column * TILE)));
        }
        self.noise = self.quiet_level();
    }

    pub(crate) const fn columns(&self) -> usize {
        self.columns
    }

    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }

    /// All tiles, row by row from the top.
    pub(crate) fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// What the sensor's noise gives in one direction: bare paper has no more, and bars have no more along them.
    pub(crate) const fn noise(&self) -> f32 {
        self.noise
    }

    fn quiet_level(&mut self) -> f32 {
        self.sorted.clear();
        self.sorted.extend(self.tensors.iter().map(|tensor| tensor.weakest()));
        let place = self.sorted.len() / PAPER_SHARE;
        if self.sorted.is_empty() {
            return 0.0;
        }
        let (_, quiet, _) = self.sorted.select_nth_unstable_by(place, f32::total_cmp);
        *quiet
    }
}

/// The tensor of the tile that begins at `x`, on some of its rows, each between the row above and the row below.
fn tensor(lines: &[[&[u8]; 3]; ROWS.len()], x: usize) -> Tensor {
    let mut along_x = [0; PIXELS];
    let mut along_y = [0; PIXELS];
    for (i, [above, row, below]) in lines.iter().enumerate() {
        let pixels = i * TILE..(i + 1) * TILE;
        // From the picture's second pixel on, for the one to the left.
        differences(&row[x + 2..], &row[x..], &mut along_x[pixels.clone()]);
        differences(&below[x + 1..], &above[x + 1..], &mut along_y[pixels]);
    }
    let mean = |sum: i32| sum as f32 / PIXELS as f32;
    Tensor {
        xx: mean(dot(&along_x, &along_x)),
        yy: mean(dot(&along_y, &along_y)),
        xy: mean(dot(&along_x, &along_y)),
    }
}

#[inline]
fn differences(one: &[u8], other: &[u8], to: &mut [i16]) {
    for (difference, (one, other)) in to.iter_mut().zip(one.iter().zip(other)) {
        *difference = i16::from(*one) - i16::from(*other);
    }
}

/// The sum of the products. A loop of its own, that the compiler can multiply and add in pairs: inlined it is taken apart.
#[inline(never)]
fn dot(one: &[i16], other: &[i16]) -> i32 {
    one.iter().zip(other).map(|(one, other)| i32::from(*one) * i32::from(*other)).sum()
}
