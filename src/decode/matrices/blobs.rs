//! Tiles to blobs: where on a picture something changes much in every direction, as two-dimensional symbols do.
//!
//! Print and handwriting do too. What tells them from a symbol is that ink covers a small share of them, while half of a
//! symbol's modules are dark, and that their strokes do not keep to two directions.
#![expect(
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "pixel loops: tiles lie on the picture and are indexed by their own count, which is below 2^24"
)]

use super::super::gray::Gray;
use super::super::quad::{Corners, is_inside};
use super::super::tiles::{TILE, Tensor, Tiles};

/// How many groups of tiles of one picture are looked at, and how many that may be symbols are read: those with the most tiles.
const GROUPS_MAX: usize = 96;
pub(super) const BLOBS_MAX: usize = 32;

/// A blob has at least so many tiles: the smallest Data Matrix of 10 x 10 modules at 2.5 pixels touches four, most
/// of them enough.
const TILES_MIN: usize = 3;

/// A tile that changes less than this in its weakest direction is no part of a symbol, in squares of gray levels.
const WEAKEST_MIN: f32 = 100.0;

/// The weakest direction of a symbol's tile has at least this share of what changes: rows of PDF417 are high.
const WEAKEST_SHARE_MIN: f32 = 0.10;

/// At least this share of a symbol's tiles is dark.
const DARK_SHARE_MIN: f32 = 0.24;
const DARK_SHARE_MAX: f32 = 0.80;

/// Dark and light of a symbol differ by at least so many gray levels.
const CONTRAST_MIN: usize = 24;

/// The edges of a symbol keep to two directions at least so well; those of print stay below.
const SQUARENESS_MIN: f32 = 0.27;

/// Of a small square on a blurred picture there is less to go by, and reading it costs little.
const SMALL_SQUARENESS_MIN: f32 = 0.08;
const SMALL_TILES_MAX: usize = 40;
const SMALL_ASPECT_MAX: usize = 2;

/// How many tiles of a blob are looked at closely: first to tell it from print, then for its direction.
const TILES_GLANCED: usize = 12;
const TILES_STUDIED: usize = 48;

/// Something that changes in every direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blob {
    /// Where its first direction points, of length 1: of PDF417 across the bars, of others along one of their sides.
    pub(super) across: [f32; 2],
    pub(super) center: [f32; 2],
    /// In pixels, along and at right angles to `across`, up to a tile too large.
    pub(super) size: [f32; 2],
    /// How much more changes in one direction than in the other, as a share of all: 0 where both change alike.
    pub(super) lean: f32,
    pub(super) n_tiles: usize,
}

impl Blob {
    /// Whether its middle stands within these corners.
    pub(super) fn is_within(&self, corners: &Corners) -> bool {
        is_inside(corners, self.center)
    }
}

/// Finds blobs; its buffers are used again for the next picture.
#[derive(Debug, Default)]
pub(super) struct Finder {
    is_open: Vec<bool>,
    stack: Vec<usize>,
    groups: Vec<Vec<usize>>,
}

impl Finder {
    /// The blobs of a picture, those with the most tiles first, at most [`BLOBS_MAX`].
    pub(super) fn blobs(&mut self, gray: Gray<'_>, tiles: &Tiles) -> Vec<Blob> {
        let noise = tiles.noise();
        self.is_open.clear();
        self.is_open.extend(tiles.tensors().iter().map(|tensor| is_busy(*tensor, noise)));
        self.groups.clear();
        for start in 0..self.is_open.len() {
            if self.is_open[start] {
                let group = self.gather(start, tiles);
                if group.len() >= TILES_MIN {
                    self.groups.push(group);
                }
            }
        }
        self.groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
        let groups = self.groups.iter().take(GROUPS_MAX);
        groups.filter_map(|group| blob(group, gray, tiles)).take(BLOBS_MAX).collect()
    }

    /// The tiles that hang together with this one.
    fn gather(&mut self, start: usize, tiles: &Tiles) -> Vec<usize> {
        let mut group = Vec::new();
        self.stack.clear();
        self.stack.push(start);
        self.is_open[start] = false;
        let (columns, rows) = (tiles.columns(), tiles.rows());
        while let Some(tile) = self.stack.pop() {
            group.push(tile);
            let (column, row) = (tile % columns, tile / columns);
            for row in row.saturating_sub(1)..(row + 2).min(rows) {
                for column in column.saturating_sub(1)..(column + 2).min(columns) {
                    let next = row * columns + column;
                    if self.is_open[next] {
                        self.is_open[next] = false;
                        self.stack.push(next);
                    }
                }
            }
        }
        group
    }
}

fn is_busy(tensor: Tensor, noise: f32) -> bool {
    let weakest = tensor.weakest() - noise;
    let energy = tensor.energy() - 2.0 * noise;
    weakest > WEAKEST_MIN.max(noise * 0.6) && weakest > energy * WEAKEST_SHARE_MIN
}

fn blob(group: &[usize], gray: Gray<'_>, tiles: &Tiles) -> Option<Blob> {
    let least = if is_small_square(group, tiles) { SMALL_SQUARENESS_MIN } else { SQUARENESS_MIN };
    let is_square = || directions(group, TILES_GLANCED, gray, tiles).1 > least;
    if !is_half_dark(group, gray, tiles) || !is_square() {
        return None;
    }
    let noise = tiles.noise() * group.len() as f32;
    let sum = group.iter().map(|tile| tiles.tensors()[*tile]).fold(Tensor::default(), Tensor::plus);
    let lean = sum.excess() / (sum.energy() - 2.0 * noise).max(1.0);
    let (quarter_angle, _) = directions(group, TILES_STUDIED, gray, tiles);
    let angle = nearest_quarter(sum.angle(), quarter_angle, lean);
    let across = [angle.cos(), angle.sin()];
    let (center, size) = extents(group, across, tiles);
    Some(Blob { across, center, size, lean, n_tiles: group.len() })
}

fn is_small_square(group: &[usize], tiles: &Tiles) -> bool {
    if group.len() > SMALL_TILES_MAX {
        return false;
    }
    let (mut from, mut to) = ([usize::MAX; 2], [0; 2]);
    for tile in group {
        for (i, place) in [tile % tiles.columns(), tile / tiles.columns()].into_iter().enumerate() {
            from[i] = from[i].min(place);
            to[i] = to[i].max(place);
        }
    }
    let [width, height] = [0, 1].map(|i| to[i] - from[i] + 1);
    width.max(height) <= SMALL_ASPECT_MAX * width.min(height)
}

/// The direction of the edges is told modulo a quarter; of bars, which of the two it is.
fn nearest_quarter(strongest: f32, quarter_angle: f32, lean: f32) -> f32 {
    const LEANING: f32 = 0.15;
    if lean < LEANING {
        return quarter_angle;
    }
    let quarter = std::f32::consts::FRAC_PI_2;
    quarter_angle + ((strongest - quarter_angle) / quarter).round() * quarter
}

/// The top left pixel of a tile.
fn corner(tile: usize, columns: usize) -> [usize; 2] {
    [tile % columns * TILE + 1, tile / columns * TILE]
}

fn sampled(group: &[usize], n_tiles: usize) -> impl Iterator<Item = usize> {
    group.iter().copied().step_by(group.len().div_ceil(n_tiles))
}

fn is_half_dark(group: &[usize], gray: Gray<'_>, tiles: &Tiles) -> bool {
    let mut counts = [0_usize; 256];
    let mut all = 0;
    for tile in sampled(group, TILES_GLANCED) {
        let [x, y] = corner(tile, tiles.columns());
        for row in (y..y + TILE).step_by(3) {
            for luma in gray.row(row)[x..x + TILE].iter().step_by(3) {
                counts[usize::from(*luma)] += 1;
                all += 1;
            }
        }
    }
    let level = |share: usize| {
        let mut below = 0;
        counts.iter().position(|count| {
            below += count;
            below * 100 > all * share
        })
    };
    let (dark, light) = (level(4).unwrap_or(0), level(96).unwrap_or(255));
    let middle = usize::midpoint(dark, light);
    let share = counts[..middle].iter().sum::<usize>() as f32 / all.max(1) as f32;
    light - dark >= CONTRAST_MIN && (DARK_SHARE_MIN..DARK_SHARE_MAX).contains(&share)
}

/// The angle of the edges modulo a quarter turn, and how well they keep to it: gradients raised to the fourth power point the
/// same way for all four directions, and those of noise nowhere.
fn directions(group: &[usize], n_tiles: usize, gray: Gray<'_>, tiles: &Tiles) -> (f32, f32) {
    let (mut real, mut imaginary, mut all) = (0.0, 0.0, 0.0);
    for tile in sampled(group, n_tiles) {
        let [x, y] = corner(tile, tiles.columns());
        for row in (y.max(1)..y + TILE).step_by(2) {
            let (above, on, below) = (gray.row(row - 1), gray.row(row), gray.row(row + 1));
            for column in x..x + TILE {
                let dx = f32::from(i16::from(on[column + 1]) - i16::from(on[column - 1]));
                let dy = f32::from(i16::from(below[column]) - i16::from(above[column]));
                let square = dx * dx + dy * dy;
                let (cos, sin) = (dx * dx - dy * dy, 2.0 * dx * dy);
                real += (cos * cos - sin * sin) / square.max(1.0);
                imaginary += 2.0 * cos * sin / square.max(1.0);
                all += square - 2.0 * tiles.noise();
            }
        }
    }
    (imaginary.atan2(real) / 4.0, (real.hypot(imaginary) / all.max(1.0)).min(1.0))
}

fn extents(group: &[usize], across: [f32; 2], tiles: &Tiles) -> ([f32; 2], [f32; 2]) {
    let half = TILE as f32 / 2.0;
    let down = [-across[1], across[0]];
    let (mut from, mut to) = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
    for tile in group {
        let [x, y] = corner(*tile, tiles.columns()).map(|side| side as f32 + half - 0.5);
        let place = [x * across[0] + y * across[1], x * down[0] + y * down[1]];
        for side in 0..2 {
            from[side] = from[side].min(place[side]);
            to[side] = to[side].max(place[side]);
        }
    }
    let [u, v] = [0, 1].map(|i| f32::midpoint(from[i], to[i]));
    let center = [u * across[0] + v * down[0], u * across[1] + v * down[1]];
    (center, [to[0] - from[0] + 2.0 * half, to[1] - from[1] + 2.0 * half])
}
