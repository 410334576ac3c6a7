//! Where a sharpened profile turns from paper to ink and back.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "profiles are below 2^16 samples, and every index comes from their own length"
)]

use super::profile::FINE;

/// The samples of a block whose lightest and darkest stand for the levels around: 16 pixels.
const BLOCK: usize = 16 * FINE;

/// The contrast around is that of so many blocks either side: a quiet zone has none of its own.
const CONTRAST_BLOCKS: usize = 4;

/// A turn counts when it is at least this share of the contrast around.
const TURN_SHARE: f32 = 0.14;

/// An edge lies where the profile crosses the middle of the levels around, but within this share of its own rise or fall: the
/// peak of a thin bar in much white hardly reaches that middle.
const CROSSING_SHARE: f32 = 0.3;

/// Finds edges; its buffers are used again.
#[derive(Debug, Default)]
pub(crate) struct EdgeFinder {
    /// The darkest and the lightest level of every block, and of it and its neighbors.
    own: Vec<[f32; 2]>,
    blocks: Vec<[f32; 2]>,
    /// The smallest turn that counts in every block.
    turns: Vec<f32>,
    edges: Vec<f32>,
    /// Where paper begins, in pixels, when the profile begins with ink.
    paper_from: Option<f32>,
}

/// The extreme that the profile comes from.
#[derive(Debug, Clone, Copy)]
struct Extreme {
    at: usize,
    level: f32,
}

impl EdgeFinder {
    /// The edges of a profile in pixels from its start, from paper to ink first, then back, and so on. What changes by less than
    /// `noise` gray levels is none.
    pub(crate) fn find(&mut self, fine: &[f32], noise: f32) -> &[f32] {
        self.measure(fine);
        self.edges.clear();
        self.paper_from = None;
        let first = Extreme { at: 0, level: fine[0] };
        let (mut last, mut candidate) = (first, first);
        // Whether the profile rises towards paper from the last extreme; it starts on what it takes for paper.
        let mut is_rising = true;
        for (at, level) in fine.iter().copied().enumerate() {
            let is_further =
                if is_rising { level > candidate.level } else { level < candidate.level };
            if is_further {
                candidate = Extreme { at, level };
                continue;
            }
            let smallest = self.turns[at / BLOCK].max(self.turns[candidate.at / BLOCK]);
            if (level - candidate.level).abs() > noise.max(smallest) {
                // Nothing lies before the first paper.
                if !(self.edges.is_empty() && is_rising) {
                    self.edges.push(self.edge(fine, last, candidate));
                } else if candidate.level - last.level > noise.max(smallest) {
                    self.paper_from = Some(self.edge(fine, last, candidate));
                }
                last = candidate;
                candidate = Extreme { at, level };
                is_rising = !is_rising;
            }
        }
        let rest = (candidate.level - last.level).abs();
        if !self.edges.is_empty() && rest > noise.max(self.turns[candidate.at / BLOCK]) {
            self.edges.push(self.edge(fine, last, candidate));
        }
        &self.edges
    }

    /// Where the profile goes from one extreme to the next, in pixels.
    fn edge(&self, fine: &[f32], from: Extreme, to: Extreme) -> f32 {
        // The extreme of a quiet zone may be far away: the levels that count are those around the edge.
        let near = crossing(fine, [from, to], f32::midpoint(from.level, to.level));
        let [dark, light] = self.blocks[near as usize / BLOCK];
        let (low, high) = (from.level.min(to.level), from.level.max(to.level));
        let margin = (high - low) * CROSSING_SHARE;
        let middle = f32::midpoint(dark, light).clamp(low + margin, high - margin);
        crossing(fine, [from, to], middle) / FINE as f32
    }

    /// The edges that were found last.
    pub(crate) fn edges(&self) -> &[f32] {
        &self.edges
    }

    /// How much paper lies before the first edge, in pixels; without bound where the profile begins with paper.
    pub(crate) fn paper_before(&self) -> f32 {
        match (self.paper_from, self.edges.first()) {
            (Some(from), Some(edge)) => edge - from,
            _ => f32::INFINITY,
        }
    }

    fn measure(&mut self, fine: &[f32]) {
        self.own.clear();
        self.own.extend(fine.chunks(BLOCK).map(|block| {
            let start = [f32::INFINITY, f32::NEG_INFINITY];
            block.iter().fold(start, |[dark, light], level| [dark.min(*level), light.max(*level)])
        }));
        let around = |block: usize, reach: usize| {
            let near =
                &self.own[block.saturating_sub(reach)..(block + reach + 1).min(self.own.len())];
            near.iter().fold([f32::INFINITY, f32::NEG_INFINITY], |[dark, light], block| {
                [dark.min(block[0]), light.max(block[1])]
            })
        };
        self.blocks.clear();
        self.blocks.extend((0..self.own.len()).map(|block| around(block, 1)));
        self.turns.clear();
        self.turns.extend((0..self.own.len()).map(|block| {
            let [dark, light] = around(block, CONTRAST_BLOCKS);
            (light - dark) * TURN_SHARE
        }));
    }
}

/// Where the profile crosses a level between two extremes, in samples.
fn crossing(fine: &[f32], [from, to]: [Extreme; 2], level: f32) -> f32 {
    let falls = from.level > to.level;
    let mut at = to.at;
    // From the far end back: a shoulder on the way belongs to where the profile comes from.
    while at > from.at + 1 && (fine[at - 1] < level) == falls {
        at -= 1;
    }
    let (before, after) = (fine[at - 1], fine[at]);
    let step = (level - before) / (after - before);
    at as f32 - 1.0 + if step.is_finite() { step.clamp(0.0, 1.0) } else { 0.5 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::profile::sharpened;

    /// Bars between the given edges, their sides a pixel or two wide.
    fn profile(edges: &[f32], length: usize) -> Vec<f32> {
        let ink = |x: f32| {
            let covered = |at: f32| ((x - at) / 1.6).clamp(-0.5, 0.5) + 0.5;
            edges.chunks(2).map(|bar| covered(bar[0]) - covered(bar[1])).sum::<f32>()
        };
        (0..length).map(|x| 200.0 - 150.0 * ink(x as f32)).collect()
    }

    fn found(levels: &[f32], sharpness: f32, noise: f32) -> Vec<f32> {
        let (mut sharp, mut fine) = (Vec::new(), Vec::new());
        sharpened(levels, sharpness, &mut sharp, &mut fine);
        EdgeFinder::default().find(&fine, noise).to_vec()
    }

    #[test]
    fn edges_are_found_to_a_fraction_of_a_pixel() {
        let edges = [20.3, 23.1, 26.0, 28.2, 40.7, 49.9, 52.5, 54.8];
        let found = found(&profile(&edges, 90), 0.0, 3.0);
        assert_eq!(found.len(), edges.len(), "{found:?}");
        for (found, edge) in found.iter().zip(edges) {
            assert!((found - edge).abs() < 0.2, "{found} for {edge}");
        }
    }

    #[test]
    fn paper_and_what_is_below_the_noise_have_no_edges() {
        assert_eq!(found(&[180.0; 100], 0.5, 3.0), [0.0; 0]);
        let ripple: Vec<f32> = (0..100).map(|x| 180.0 + (x % 3) as f32).collect();
        assert_eq!(found(&ripple, 0.0, 4.0), [0.0; 0]);
    }

    #[test]
    fn the_first_edge_leads_to_ink_wherever_the_profile_starts() {
        let found = found(&profile(&[-5.0, 4.0, 20.0, 30.0], 60), 0.0, 3.0);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!((found[0] - 20.0).abs() < 0.2, "{found:?}");
    }

    #[test]
    fn a_profile_of_one_or_two_samples_is_none() {
        for length in 1..4 {
            assert_eq!(found(&vec![9.0; length], 0.5, 3.0), [0.0; 0]);
        }
    }
}
