//! Tiles to blobs: where on a picture something changes much in every direction, as two-dimensional symbols do.
//!
//! Print and handwriting do too. What tells them from a symbol is that ink covers a small share of them, while half of a
//! symbol's modules are dark, and that their strokes do not keep to two directions.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "pixel loops: tiles lie on the picture and are indexed by their own count, which is below 2^24"
)]

use super::super::gray::Gray;
use super::super::image::Found;
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

/// How dark a symbol is, between light and dark: as a whole, white around it included, and in its tiles that have more than so
/// many of it around them. Print is lighter.
const DARK_MIN: f32 = 0.24;
const DARK_MAX: f32 = 0.80;
const INNER_DARK_MIN: f32 = 0.36;
const INNER_DARK_MAX: f32 = 0.70;
const INNER_AROUND_MIN: usize = 7;

/// A group that is not half dark, of at least so many tiles, may have parts that are: around a tile of them the darkness of nine
/// adds up to more than this. So many parts are looked at.
const SPLIT_TILES_MIN: usize = 9;
const CORE_DARKNESS_MIN: f32 = 2.9;
const PARTS_MAX: usize = 8;

/// Of the tiles around such a part, at most this share belongs to the group.
const RING_BUSY_MAX: f32 = 0.45;

/// Dark and light of a symbol differ by at least so many gray levels.
const CONTRAST_MIN: usize = 24;

/// The edges of a symbol keep to two directions at least so well; those of print stay below.
const SQUARENESS_MIN: f32 = 0.27;

/// Of a small square on a blurred picture there is less to go by, and reading it costs little.
const SMALL_SQUARENESS_MIN: f32 = 0.05;
const SMALL_TILES_MAX: usize = 40;
const SMALL_ASPECT_MAX: usize = 2;

/// Rows of bars keep to their directions better, change more in one direction than in the other by this share, and cover at least
/// so many tiles.
const ROWS_SQUARENESS_MIN: f32 = 0.27;
const ROWS_LEAN_MIN: f32 = 0.15;
const ROWS_TILES_MIN: usize = 8;

/// A grid of modules changes alike in both directions, and where it is darkest, nine tiles together have this share of all its
/// tiles or more than that.
const GRID_LEAN_MAX: f32 = 0.6;
const GRID_DARK_SHARE: f32 = 0.25;
const GRID_DARK_MIN: f32 = 2.8;

/// How many tiles of a blob are looked at closely: first to tell it from print, then for its direction.
const TILES_GLANCED: usize = 12;
const TILES_STUDIED: usize = 48;

/// What a blob may be: rows of bars, as PDF417 has, or a grid of square modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guess {
    Rows,
    Grid,
    Either,
}

/// Something that changes in every direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blob {
    /// Where its first direction points, of length 1: of PDF417 across the bars, of others along one of their sides.
    pub(super) across: [f32; 2],
    pub(super) center: [f32; 2],
    /// In pixels, along and at right angles to `across`, up to a tile too large.
    pub(super) size: [f32; 2],
    pub(super) guess: Guess,
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
    /// By tile: how dark it is, while its group is looked at; 0 elsewhere.
    darkness: Vec<f32>,
}

impl Finder {
    /// The blobs of a picture beside what is known already, those with the most tiles first, at most [`BLOBS_MAX`].
    pub(super) fn blobs(&mut self, gray: Gray<'_>, tiles: &Tiles, known: &[Found]) -> Vec<Blob> {
        let noise = tiles.noise();
        self.is_open.clear();
        self.is_open.extend(tiles.tensors().iter().map(|tensor| is_busy(*tensor, noise)));
        for found in known {
            self.close(&found.corners, tiles);
        }
        let mut groups = self.groups(tiles);
        groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
        groups.truncate(GROUPS_MAX);
        let mut blobs = Vec::new();
        for group in groups {
            if blobs.len() >= BLOBS_MAX {
                break;
            }
            self.darkness.clear();
            self.darkness.resize(self.is_open.len(), 0.0);
            if !measure_darkness(&group, gray, tiles, &mut self.darkness) {
                continue;
            }
            let parts = if is_half_dark(&self.darkness, &group, tiles) {
                vec![group.clone()]
            } else if group.len() >= SPLIT_TILES_MIN {
                self.split(&group, tiles)
            } else {
                Vec::new()
            };
            for part in parts {
                blobs.extend(blob(&part, self.darkest(&part, tiles), gray, tiles));
            }
            for tile in group {
                self.darkness[tile] = 0.0;
            }
        }
        blobs.truncate(BLOBS_MAX);
        blobs
    }

    /// Tiles whose middle stands within the corners are no part of anything.
    fn close(&mut self, corners: &Corners, tiles: &Tiles) {
        let bound = |axis: usize, from: f32, pick: fn(f32, f32) -> f32| {
            (corners.iter().map(|at| at[axis]).fold(from, pick) / TILE as f32).max(0.0) as usize
        };
        let [left, top] = [0, 1].map(|axis| bound(axis, f32::INFINITY, f32::min));
        let [right, bottom] = [0, 1].map(|axis| bound(axis, 0.0, f32::max));
        for row in top..(bottom + 1).min(tiles.rows()) {
            for column in left..(right + 1).min(tiles.columns()) {
                let middle = [column, row].map(|side| (side * TILE + TILE / 2) as f32);
                if is_inside(corners, middle) {
                    self.is_open[row * tiles.columns() + column] = false;
                }
            }
        }
    }

    /// What hangs together of the open tiles, which are closed by it.
    fn groups(&mut self, tiles: &Tiles) -> Vec<Vec<usize>> {
        let mut groups = Vec::new();
        for start in 0..self.is_open.len() {
            if self.is_open[start] {
                let group = self.gather(start, tiles);
                if group.len() >= TILES_MIN {
                    groups.push(group);
                }
            }
        }
        groups
    }

    /// The parts of a group that are half dark, each with the tiles around it: a symbol that print comes close to.
    fn split(&mut self, group: &[usize], tiles: &Tiles) -> Vec<Vec<usize>> {
        for tile in group {
            let around: f32 = around(*tile, tiles).map(|next| self.darkness[next]).sum();
            self.is_open[*tile] = around > CORE_DARKNESS_MIN;
        }
        let mut parts = Vec::new();
        for start in group {
            if self.is_open[*start] && parts.len() < PARTS_MAX {
                let core = self.gather(*start, tiles);
                let mut part: Vec<usize> = core
                    .iter()
                    .flat_map(|tile| around(*tile, tiles))
                    .filter(|tile| self.darkness[*tile] > 0.0)
                    .collect();
                part.sort_unstable();
                part.dedup();
                if self.is_apart(&part, tiles) {
                    parts.push(part);
                }
            }
        }
        for tile in group {
            self.is_open[*tile] = false;
        }
        parts
    }

    /// Whether most of what lies around a part of a group is no part of the group.
    fn is_apart(&self, part: &[usize], tiles: &Tiles) -> bool {
        let mut ring: Vec<usize> = part
            .iter()
            .flat_map(|tile| around(*tile, tiles))
            .filter(|next| part.binary_search(next).is_err())
            .collect();
        ring.sort_unstable();
        ring.dedup();
        let busy = ring.iter().filter(|tile| self.darkness[**tile] > 0.0).count();
        busy as f32 <= ring.len() as f32 * RING_BUSY_MAX
    }

    /// The darkness of nine tiles together, where it is greatest.
    fn darkest(&self, group: &[usize], tiles: &Tiles) -> f32 {
        let nine = |tile: &usize| around(*tile, tiles).map(|next| self.darkness[next]).sum::<f32>();
        group.iter().map(nine).fold(0.0, f32::max)
    }

    /// The tiles that hang together with this one.
    fn gather(&mut self, start: usize, tiles: &Tiles) -> Vec<usize> {
        let mut group = Vec::new();
        self.stack.clear();
        self.stack.push(start);
        self.is_open[start] = false;
        while let Some(tile) = self.stack.pop() {
            group.push(tile);
            for next in around(tile, tiles) {
                if self.is_open[next] {
                    self.is_open[next] = false;
                    self.stack.push(next);
                }
            }
        }
        group
    }
}

/// A tile and its neighbors.
fn around(tile: usize, tiles: &Tiles) -> impl Iterator<Item = usize> {
    let (columns, rows) = (tiles.columns(), tiles.rows());
    let (column, row) = (tile % columns, tile / columns);
    (row.saturating_sub(1)..(row + 2).min(rows)).flat_map(move |row| {
        (column.saturating_sub(1)..(column + 2).min(columns))
            .map(move |column| row * columns + column)
    })
}

fn is_busy(tensor: Tensor, noise: f32) -> bool {
    let energy = tensor.energy() - 2.0 * noise;
    // Most tiles are paper.
    if energy < 2.0 * WEAKEST_MIN {
        return false;
    }
    let weakest = tensor.weakest() - noise;
    weakest > WEAKEST_MIN.max(noise * 0.6) && weakest > energy * WEAKEST_SHARE_MIN
}

fn blob(group: &[usize], darkest: f32, gray: Gray<'_>, tiles: &Tiles) -> Option<Blob> {
    let least = if is_small_square(group, tiles) { SMALL_SQUARENESS_MIN } else { SQUARENESS_MIN };
    let (_, squareness) = directions(group, TILES_GLANCED, gray, tiles);
    if squareness <= least {
        return None;
    }
    let noise = tiles.noise() * group.len() as f32;
    let sum = group.iter().map(|tile| tiles.tensors()[*tile]).fold(Tensor::default(), Tensor::plus);
    let lean = sum.excess() / (sum.energy() - 2.0 * noise).max(1.0);
    let may_be_rows =
        lean > ROWS_LEAN_MIN && group.len() >= ROWS_TILES_MIN && squareness > ROWS_SQUARENESS_MIN;
    let dark_min = (group.len() as f32 * GRID_DARK_SHARE).min(GRID_DARK_MIN);
    let may_be_grid = lean < GRID_LEAN_MAX && darkest > dark_min;
    let guess = match (may_be_rows, may_be_grid) {
        (true, true) => Guess::Either,
        (true, false) => Guess::Rows,
        (false, true) => Guess::Grid,
        (false, false) => return None,
    };
    let (quarter_angle, _) = directions(group, TILES_STUDIED, gray, tiles);
    let angle = nearest_quarter(sum.angle(), quarter_angle, lean);
    let across = [angle.cos(), angle.sin()];
    let (center, size) = extents(group, across, tiles);
    Some(Blob { across, center, size, guess })
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

/// How dark each tile of the group is, between the lightest and the darkest of it; whether they differ enough.
fn measure_darkness(group: &[usize], gray: Gray<'_>, tiles: &Tiles, darkness: &mut [f32]) -> bool {
    const PIXELS: usize = 16;
    let mut counts = [0_usize; 256];
    for tile in group {
        let [x, y] = corner(*tile, tiles.columns());
        let mut sum = 0;
        for row in (y + 1..y + TILE).step_by(4) {
            for luma in gray.row(row)[x..x + TILE].iter().step_by(4) {
                counts[usize::from(*luma)] += 1;
                sum += usize::from(*luma);
            }
        }
        darkness[*tile] = sum as f32 / PIXELS as f32;
    }
    let level = |share: usize| {
        let mut below = 0;
        counts.iter().position(|count| {
            below += count;
            below * 100 > group.len() * PIXELS * share
        })
    };
    let (dark, light) = (level(4).unwrap_or(0), level(96).unwrap_or(255));
    let scale = 1.0 / (light - dark).max(1) as f32;
    for tile in group {
        darkness[*tile] = ((light as f32 - darkness[*tile]) * scale).max(f32::MIN_POSITIVE);
    }
    light - dark >= CONTRAST_MIN
}

/// Whether it is as dark as a symbol: within, where it has an inside, else as a whole.
fn is_half_dark(darkness: &[f32], group: &[usize], tiles: &Tiles) -> bool {
    let is_inner = |tile: &&usize| {
        around(**tile, tiles).filter(|next| darkness[*next] > 0.0).count() > INNER_AROUND_MIN
    };
    let mean = |sum: f32, n: usize| sum / n.max(1) as f32;
    let (sum, n) = group
        .iter()
        .filter(is_inner)
        .fold((0.0, 0), |(sum, n), tile| (sum + darkness[*tile], n + 1));
    if n == 0 {
        let all = mean(group.iter().map(|tile| darkness[*tile]).sum(), group.len());
        return (DARK_MIN..DARK_MAX).contains(&all);
    }
    (INNER_DARK_MIN..INNER_DARK_MAX).contains(&mean(sum, n))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::image::draw_symbol;
    use crate::scan::{Named, Payload, Symbol, Symbology};

    fn known(corners: Corners) -> Found {
        let symbol = Symbol {
            symbology: Named::One(Symbology::Qr),
            identifier: None,
            length: 0,
            payload: Payload(Vec::new()),
            repaired: false,
        };
        Found { symbol, corners }
    }

    #[test]
    fn a_grid_is_one_blob_unless_it_is_known() {
        let picture = draw_symbol(Symbology::Qr, "20261100000011", 4).unwrap();
        let [width, height] = [picture.width(), picture.height()].map(|side| side as f32);
        let gray = Gray::of(&picture);
        let mut tiles = Tiles::default();
        tiles.measure(gray);
        let mut finder = Finder::default();
        let blobs = finder.blobs(gray, &tiles, &[]);
        assert_eq!(blobs.len(), 1, "{blobs:?}");
        assert_ne!(blobs[0].guess, Guess::Rows);
        assert!(blobs[0].is_within(
            &[[0.4, 0.4], [0.6, 0.4], [0.6, 0.6], [0.4, 0.6]].map(|[x, y]| [x * width, y * height])
        ));
        let all = known([[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]]);
        assert_eq!(finder.blobs(gray, &tiles, &[all]).len(), 0);
    }
}
