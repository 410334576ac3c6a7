//! Where a symbol may begin and end on a profile: between quiet zones.
#![expect(
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "places are indices of the profile"
)]

use super::blend::Blend;

/// A quiet zone is flat over at least so many samples.
const QUIET_MIN: usize = 9;

/// What is flat changes less than this share of the contrast, and so many times the noise.
const FLAT_SHARE: f32 = 0.15;
const FLAT_NOISE: f32 = 4.0;

/// Paper is at most this share of the contrast darker than the brightest within so many samples.
const PAPER_SHARE: f32 = 0.3;
const PAPER_WITHIN: usize = 80;

/// A symbol is at least so many samples long.
const LENGTH_MIN: f32 = 40.0;

/// No quiet stretch within a symbol is so many times as long as the quiet zones around it.
const INNER_SHARE_MAX: f32 = 1.6;

/// So many pairs of ends are looked into, the longest first.
pub(super) const EXTENTS_MAX: usize = 6;

/// Quiet zones that are looked at, from either end.
const QUIETS_MAX: usize = 24;

/// A stretch between two quiet zones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Extent {
    /// Samples of the first and the last edge, roughly.
    pub(super) from: f32,
    pub(super) to: f32,
    /// The shorter one of its quiet zones, in samples.
    pub(super) quiet: f32,
    /// The longest quiet stretch within it.
    pub(super) inner: f32,
}

impl Extent {
    pub(super) const fn reversed(&self, length: usize) -> Self {
        let last = length as f32 - 1.0;
        Self { from: last - self.to, to: last - self.from, ..*self }
    }
}

/// The stretches in which a symbol may lie.
pub(super) fn extents(blend: &Blend) -> Vec<Extent> {
    let levels = smooth(&blend.all.levels);
    let mut quiets = quiets(blend, &levels);
    quiets.truncate(QUIETS_MAX);
    let mut extents = Vec::new();
    for (place, left) in quiets.iter().enumerate() {
        let mut inner = 0;
        for right in quiets.iter().skip(place + 1) {
            let (from, to) = (falls(&levels, left[1]), rises(&levels, right[0]));
            let quiet = (left[1] - left[0]).min(right[1] - right[0]) as f32;
            if to - from >= LENGTH_MIN {
                extents.push(Extent { from, to, quiet, inner: inner as f32 });
            }
            inner = inner.max(right[1] - right[0]);
        }
    }
    extents.retain(|extent| extent.inner < INNER_SHARE_MAX * extent.quiet);
    extents.sort_by(|one, other| (other.to - other.from).total_cmp(&(one.to - one.from)));
    extents.truncate(EXTENTS_MAX);
    extents
}

fn smooth(levels: &[f32]) -> Vec<f32> {
    (0..levels.len())
        .map(|at| {
            let near = &levels[at.saturating_sub(1)..(at + 2).min(levels.len())];
            near.iter().sum::<f32>() / near.len() as f32
        })
        .collect()
}

/// First and last sample of every flat stretch of paper.
fn quiets(blend: &Blend, levels: &[f32]) -> Vec<[usize; 2]> {
    let brightest = brightest(levels);
    let mut quiets: Vec<[usize; 2]> = Vec::new();
    for (from, window) in levels.windows(QUIET_MIN).enumerate() {
        let (low, high) =
            window.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), level| {
                (low.min(*level), high.max(*level))
            });
        let noise = blend.all.noise[from + QUIET_MIN / 2];
        let paper = brightest[from + QUIET_MIN / 2] - PAPER_SHARE * blend.contrast;
        if low < paper || high - low > FLAT_SHARE * blend.contrast + FLAT_NOISE * noise {
            continue;
        }
        let to = from + QUIET_MIN - 1;
        match quiets.last_mut() {
            Some(last) if from <= last[1] => last[1] = to,
            _ => quiets.push([from, to]),
        }
    }
    quiets
}

/// The brightest level near each sample, by blocks.
fn brightest(levels: &[f32]) -> Vec<f32> {
    let block = PAPER_WITHIN / 4;
    let blocks: Vec<f32> = levels
        .chunks(block)
        .map(|levels| levels.iter().copied().fold(f32::NEG_INFINITY, f32::max))
        .collect();
    (0..levels.len())
        .map(|at| {
            let own = at / block;
            let near = &blocks[own.saturating_sub(4)..(own + 5).min(blocks.len())];
            near.iter().copied().fold(f32::NEG_INFINITY, f32::max)
        })
        .collect()
}

/// Samples behind a quiet zone in which the first edge lies.
const EDGE_WITHIN: usize = 10;

/// The first steep fall from this sample on.
fn falls(levels: &[f32], from: usize) -> f32 {
    let from = from.saturating_sub(2);
    steepest((from..from + EDGE_WITHIN).map(|at| (at, slope(levels, at))))
}

/// The last steep rise before this sample.
fn rises(levels: &[f32], before: usize) -> f32 {
    let before = before + 2;
    steepest((before.saturating_sub(EDGE_WITHIN)..before).rev().map(|at| (at, -slope(levels, at))))
}

fn slope(levels: &[f32], at: usize) -> f32 {
    let near = levels.get(at..at + 3).unwrap_or_default();
    if let [before, _, after] = near { before - after } else { 0.0 }
}

/// The first place whose slope is the steepest one near it.
fn steepest(slopes: impl Iterator<Item = (usize, f32)>) -> f32 {
    let mut best = (0, 0.0);
    for (at, slope) in slopes {
        if slope > best.1 {
            best = (at, slope);
        } else if slope < 0.6 * best.1 {
            break;
        }
    }
    best.0 as f32 + 1.0
}
