//! Tiles to regions: where on a picture bars stand side by side, and which way they run.
//!
//! Neighboring tiles that change much in one direction and little in the other, and agree on the direction, make a region: an
//! oriented rectangle. What it holds is for others to find out; a region of print costs time and no wrong number.
#![expect(
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "tiles are indexed by their own count, which is below 2^24"
)]

use super::tiles::{TILE, Tensor, Tiles};

/// How many regions of one picture are looked into: the strongest.
pub(crate) const REGIONS_MAX: usize = 24;

/// How many groups of tiles are looked at, the strongest, before they are joined.
const PARTS_MAX: usize = 64;

/// Regions are joined when their directions differ by less than 8 degrees (its cosine), and when the gap between them is less
/// than so many times their height, within so many pixels.
const TURN_MIN: f32 = 0.99;
const GAP_MIN: f32 = 24.0;
const GAP_MAX: f32 = 80.0;
const GAP_OF_HEIGHT: f32 = 0.5;

/// A tile that changes less than this in its direction is bare, in squares of gray levels.
const EXCESS_MIN: f32 = 40.0;

/// So many times the sensor's noise must a tile's direction stand out: what noise alone gives in 64 pixels stays below.
const EXCESS_OF_NOISE: f32 = 0.6;

/// At most this share of what stands out may be there in the other direction too.
const ACROSS_SHARE_MAX: f32 = 0.45;

/// Neighbors agree when their directions differ by less than 15 degrees: the cosine of twice that.
const AGREEMENT_MIN: f32 = 0.866;

/// A region has at least so many tiles.
const TILES_MIN: usize = 3;

/// A group of so many tiles that fill less than this share of their rectangle straggles: of it, tiles count that stand out at
/// least half as much as the one below which most are weaker.
const STRAGGLERS_MIN: usize = 12;
const FILL_MIN: f32 = 0.4;
const STRONG_SHARE: usize = 6;
const STRONG_MIN: f32 = 0.5;

/// An oriented rectangle in which bars may stand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Region {
    /// Its middle, in pixels; the middle of the picture's first pixel is at (0, 0).
    pub(crate) center: [f32; 2],
    /// The direction across the bars, of length 1.
    pub(crate) across: [f32; 2],
    /// In pixels across the bars.
    pub(crate) length: f32,
    /// In pixels along the bars.
    pub(crate) height: f32,
    /// The sum of what its tiles stand out by.
    pub(crate) strength: f32,
    /// The direction in which its tiles lie, of length 1; the same as across, or nearly, unless the bars are slanted.
    pub(crate) axis: [f32; 2],
}

impl Region {
    /// The direction along the bars: a quarter clockwise (y is down) from across.
    pub(crate) const fn along(&self) -> [f32; 2] {
        [-self.across[1], self.across[0]]
    }

    /// The point so far from the middle across and along the bars.
    pub(crate) fn at(&self, across: f32, along: f32) -> [f32; 2] {
        let down = self.along();
        [
            self.center[0] + self.across[0] * across + down[0] * along,
            self.center[1] + self.across[1] * across + down[1] * along,
        ]
    }
}

/// Finds regions; its buffers are used again for the next picture.
#[derive(Debug, Default)]
pub(crate) struct Locator {
    is_open: Vec<bool>,
    stack: Vec<usize>,
    group: Vec<usize>,
    regions: Vec<Region>,
}

impl Locator {
    /// The regions that were found last, the strongest first, at most [`REGIONS_MAX`].
    pub(crate) fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// Finds the regions of bars.
    pub(crate) fn locate(&mut self, tiles: &Tiles) {
        let noise = tiles.noise();
        self.is_open.clear();
        self.is_open.extend(tiles.tensors().iter().map(|tensor| is_directed(*tensor, noise)));
        self.regions.clear();
        for start in 0..self.is_open.len() {
            if self.is_open[start] {
                self.gather(start, tiles);
                self.settle(tiles);
            }
        }
        self.regions.sort_by(|one, other| other.strength.total_cmp(&one.strength));
        self.regions.truncate(PARTS_MAX);
        self.join();
        self.regions.truncate(REGIONS_MAX);
    }

    /// Makes a region of the group; of a straggling one, regions of its strongest tiles: bars that touch the envelope's edge or
    /// a line of print.
    fn settle(&mut self, tiles: &Tiles) {
        let Some(whole) = region(&self.group, tiles) else { return };
        let area = (self.group.len() * TILE * TILE) as f32;
        if self.group.len() < STRAGGLERS_MIN || area > whole.length * whole.height * FILL_MIN {
            self.regions.push(whole);
            return;
        }
        let excess = |tile: &usize| tiles.tensors()[*tile].excess();
        self.group.sort_by(|one, other| excess(other).total_cmp(&excess(one)));
        let least = excess(&self.group[self.group.len() / STRONG_SHARE]) * STRONG_MIN;
        let strong = self.group.partition_point(|tile| excess(tile) >= least);
        self.group.truncate(strong);
        let strong = std::mem::take(&mut self.group);
        for tile in &strong {
            self.is_open[*tile] = true;
        }
        for tile in &strong {
            if self.is_open[*tile] {
                self.gather(*tile, tiles);
                self.regions.extend(region(&self.group, tiles));
            }
        }
    }

    /// Joins what lies side by side: wide spaces, a pen stroke or a glare split a row of bars.
    fn join(&mut self) {
        let mut at = 0;
        while at < self.regions.len() {
            let next = (at + 1..self.regions.len()).find_map(|other| {
                let joined = joined(&self.regions[at], &self.regions[other])?;
                Some((other, joined))
            });
            if let Some((other, joined)) = next {
                self.regions[at] = joined;
                self.regions.remove(other);
            } else {
                at += 1;
            }
        }
    }

    /// The tiles that hang together with this one.
    fn gather(&mut self, start: usize, tiles: &Tiles) {
        self.group.clear();
        self.stack.clear();
        self.stack.push(start);
        self.is_open[start] = false;
        let (columns, rows) = (tiles.columns(), tiles.rows());
        while let Some(tile) = self.stack.pop() {
            self.group.push(tile);
            let (column, row) = (tile % columns, tile / columns);
            for row in row.saturating_sub(1)..(row + 2).min(rows) {
                for column in column.saturating_sub(1)..(column + 2).min(columns) {
                    let next = row * columns + column;
                    if self.is_open[next] && agree(tiles.tensors()[tile], tiles.tensors()[next]) {
                        self.is_open[next] = false;
                        self.stack.push(next);
                    }
                }
            }
        }
    }
}

/// The region around two that continue each other across the bars.
fn joined(one: &Region, other: &Region) -> Option<Region> {
    let turn = one.across[0] * other.across[0] + one.across[1] * other.across[1];
    let low = one.height.min(other.height);
    let offset = [other.center[0] - one.center[0], other.center[1] - one.center[1]];
    let along = one.along();
    let across = offset[0] * one.across[0] + offset[1] * one.across[1];
    let aside = offset[0] * along[0] + offset[1] * along[1];
    let gap = across.abs() - f32::midpoint(one.length, other.length);
    let is_level = aside.abs() < low * 0.5 && low * 2.5 > one.height.max(other.height);
    if turn.abs() < TURN_MIN || !is_level || gap > (low * GAP_OF_HEIGHT).clamp(GAP_MIN, GAP_MAX) {
        return None;
    }
    let from = (-one.length / 2.0).min(across - other.length / 2.0);
    let to = (one.length / 2.0).max(across + other.length / 2.0);
    let top = (-one.height / 2.0).min(aside - other.height / 2.0);
    let bottom = (one.height / 2.0).max(aside + other.height / 2.0);
    Some(Region {
        center: one.at(f32::midpoint(from, to), f32::midpoint(top, bottom)),
        length: to - from,
        height: bottom - top,
        strength: one.strength + other.strength,
        ..*one
    })
}

fn is_directed(tensor: Tensor, noise: f32) -> bool {
    let excess = tensor.excess();
    excess > EXCESS_MIN.max(noise * EXCESS_OF_NOISE)
        && tensor.weakest() - noise < excess * ACROSS_SHARE_MAX
}

fn agree(one: Tensor, other: Tensor) -> bool {
    let [a, b] = [one, other].map(|tensor| [tensor.xx - tensor.yy, 2.0 * tensor.xy]);
    let product = a[0] * b[0] + a[1] * b[1];
    product > AGREEMENT_MIN * one.excess() * other.excess()
}

fn region(group: &[usize], tiles: &Tiles) -> Option<Region> {
    if group.len() < TILES_MIN {
        return None;
    }
    let sum = group.iter().map(|tile| tiles.tensors()[*tile]).fold(Tensor::default(), Tensor::plus);
    let angle = sum.angle();
    let mut region = Region {
        center: [0.0; 2],
        across: [angle.cos(), angle.sin()],
        length: 0.0,
        height: 0.0,
        strength: sum.excess(),
        axis: [angle.cos(), angle.sin()],
    };
    region.axis = axis(group, tiles.columns(), region.across);
    let (mut from, mut to) = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
    for tile in group {
        let [x, y] = middle(*tile, tiles.columns());
        let (across, along) = (region.across, region.along());
        let place = [x * across[0] + y * across[1], x * along[0] + y * along[1]];
        for side in 0..2 {
            from[side] = from[side].min(place[side]);
            to[side] = to[side].max(place[side]);
        }
    }
    region.center = region.at(f32::midpoint(from[0], to[0]), f32::midpoint(from[1], to[1]));
    let tile = TILE as f32;
    (region.length, region.height) = (to[0] - from[0] + tile, to[1] - from[1] + tile);
    Some(region)
}

/// The direction in which most of the tiles lie, turned towards another one.
fn axis(group: &[usize], columns: usize, towards: [f32; 2]) -> [f32; 2] {
    let count = group.len() as f32;
    let places = || group.iter().map(|tile| middle(*tile, columns));
    let sum = places().fold([0.0, 0.0], |sum, [x, y]| [sum[0] + x, sum[1] + y]);
    let mean = sum.map(|sum| sum / count);
    let spread = places().fold(Tensor::default(), |spread, [x, y]| {
        let [x, y] = [x - mean[0], y - mean[1]];
        spread.plus(Tensor { xx: x * x, yy: y * y, xy: x * y })
    });
    let angle = spread.angle();
    let axis = [angle.cos(), angle.sin()];
    if axis[0] * towards[0] + axis[1] * towards[1] < 0.0 { axis.map(|part| -part) } else { axis }
}

/// The middle of a tile, in pixels: gradients are taken from the picture's second column on.
fn middle(tile: usize, columns: usize) -> [f32; 2] {
    let half = TILE as f32 / 2.0;
    [(tile % columns * TILE) as f32 + half + 0.5, (tile / columns * TILE) as f32 + half - 0.5]
}
