//! How a symbol lies on a profile: place, width, blur, ratio and light, by least squares against what it would look like.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "samples are clamped to the profile and columns are counted by constants"
)]

use super::blur::{Blur, REACH};
use super::letters::Edge;

/// What a fit may change, most needed first.
const COLUMNS: usize = 14;
/// With two that stay zero, so that rows fill whole registers.
const WIDE: usize = 16;

/// For the two ends alone: light, place, width, blur.
pub(super) const ENDS: &[usize] = &[PAPER, PAPER + 1, INK, INK + 1, SHIFT, SHIFT + 1, SIGMA];
/// For the ends of symbologies with a ratio.
pub(super) const ENDS_AND_RATIO: &[usize] =
    &[PAPER, PAPER + 1, INK, INK + 1, SHIFT, SHIFT + 1, SIGMA, RATIO];
/// For a whole symbol.
pub(super) const WHOLE: &[usize] = &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
/// For a whole symbol of a symbology with a ratio.
pub(super) const WHOLE_AND_RATIO: &[usize] = &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];

const PAPER: usize = 0;
const INK: usize = 3;
const SHIFT: usize = 6;
const SIGMA: usize = 11;
const SPREAD: usize = 12;
const RATIO: usize = 13;

/// The blur that is believed, in samples.
const SIGMA_RANGE: [f32; 2] = [0.4, 3.4];
/// How much wider bars may be printed, in modules at either edge.
const SPREAD_MAX: f32 = 0.2;
/// Wide to narrow, as the standards have it and a little more.
const RATIO_RANGE: [f32; 2] = [1.8, 3.3];

/// Where the symbol is thought to lie and how it is lit and blurred.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pose {
    /// Sample of the first edge.
    pub(super) start: f32,
    /// Samples for one module.
    pub(super) module: f32,
    /// How its middle is displaced, in samples: of `t^2-1`, `t^3-t`, `t^4-t^2`, with t from -1 to 1 along it.
    pub(super) bend: [f32; 3],
    /// In samples.
    pub(super) sigma: f32,
    /// So many samples do bars grow at either edge.
    pub(super) spread: f32,
    /// Wide to narrow.
    pub(super) ratio: f32,
    /// Level of paper, along t: 1, t, t^2.
    pub(super) paper: [f32; 3],
    /// How much darker ink is, along t.
    pub(super) ink: [f32; 3],
    /// The symbol's width, in modules and in wide elements.
    pub(super) total: [f32; 2],
}

impl Pose {
    /// The symbol's width in modules.
    pub(super) fn modules(&self) -> f32 {
        self.total[0] + self.total[1] * self.ratio
    }

    /// Where along it a place in modules is: -1 to 1.
    pub(super) fn along(&self, modules: f32) -> f32 {
        2.0 * modules / self.modules() - 1.0
    }

    /// The sample of a place in modules.
    pub(super) fn sample(&self, modules: f32) -> f32 {
        let shapes = bends(self.along(modules));
        let displaced: f32 = self.bend.iter().zip(shapes).map(|(bend, shape)| bend * shape).sum();
        self.start + self.module * modules + displaced
    }

    pub(super) fn end(&self) -> f32 {
        self.start + self.module * self.modules()
    }

    pub(super) fn paper_at(&self, along: f32) -> f32 {
        quadratic(&self.paper, along)
    }

    pub(super) fn ink_at(&self, along: f32) -> f32 {
        quadratic(&self.ink, along)
    }

    fn is_plausible(&self) -> bool {
        let finite = [self.start, self.module, self.sigma, self.ratio, self.spread];
        finite.iter().all(|value| value.is_finite())
            && self.module > 0.5
            && [-1.0, 0.0, 1.0].iter().all(|along| self.ink_at(*along) > 1.0)
    }
}

fn quadratic(of: &[f32; 3], along: f32) -> f32 {
    of[0] + along * (of[1] + along * of[2])
}

/// What the three bends look like along a symbol; beyond its ends nothing bends.
fn bends(along: f32) -> [f32; 3] {
    let along = along.clamp(-1.0, 1.0);
    let square = along * along;
    [square - 1.0, along * (square - 1.0), square * (square - 1.0)]
}

/// A sample that a fit looks at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// Place on the profile.
    pub(super) at: f32,
    pub(super) level: f32,
    /// One over its squared noise.
    pub(super) weight: f32,
    /// -1 to 1 within the symbol.
    pub(super) along: f32,
}

/// Edges where a pose puts them, in order.
#[derive(Debug, Default)]
pub(super) struct Placed {
    edges: Vec<PlacedEdge>,
}

#[derive(Debug, Clone, Copy)]
struct PlacedEdge {
    at: f32,
    sign: f32,
    along: f32,
    /// By how much it moves when the ratio grows by one and the symbol keeps its ends.
    by_ratio: f32,
}

/// How much ink a sample sees, and how that changes.
struct Seen {
    ink: f32,
    by: [f32; WIDE],
}

impl Placed {
    pub(super) fn place(&mut self, edges: &[Edge], pose: &Pose) {
        let total = pose.modules();
        self.edges.clear();
        self.edges.extend(edges.iter().map(|edge| {
            let modules = edge.modules(pose.ratio);
            PlacedEdge {
                at: pose.sample(modules) - edge.sign * pose.spread,
                sign: edge.sign,
                along: pose.along(modules),
                by_ratio: pose.module * (edge.at[1] - modules * pose.total[1] / total),
            }
        }));
    }

    /// How much ink is seen at a sample: 0 to 1. `first` is where to look from, and moves on with the samples.
    pub(super) fn ink(&self, at: f32, sigma: f32, blur: &Blur, first: &mut usize) -> f32 {
        let mut ink = self.skip(at, sigma, first);
        for edge in &self.edges[*first..] {
            let away = (at - edge.at) / sigma;
            if away < -REACH {
                break;
            }
            ink += edge.sign * blur.edge(away)[0];
        }
        ink
    }

    /// The ink of the edges that lie so far back that nothing of them is seen any more.
    fn skip(&self, at: f32, sigma: f32, first: &mut usize) -> f32 {
        while self.edges.get(*first).is_some_and(|edge| at - edge.at > REACH * sigma) {
            *first += 1;
        }
        if *first % 2 == 1 { 1.0 } else { 0.0 }
    }

    fn seen(&self, at: f32, pose: &Pose, blur: &Blur, first: &mut usize) -> Seen {
        let mut by = [0.0; WIDE];
        let mut ink = self.skip(at, pose.sigma, first);
        for edge in &self.edges[*first..] {
            let away = (at - edge.at) / pose.sigma;
            if away < -REACH {
                break;
            }
            let [done, steep] = blur.edge(away);
            ink += edge.sign * done;
            let moved = -edge.sign * steep / pose.sigma;
            let bent = bends(edge.along);
            by[SHIFT] += moved;
            by[SHIFT + 1] += moved * edge.along;
            by[SHIFT + 2] += moved * bent[0];
            by[SHIFT + 3] += moved * bent[1];
            by[SHIFT + 4] += moved * bent[2];
            by[SIGMA] += moved * away;
            by[SPREAD] -= moved * edge.sign;
            by[RATIO] += moved * edge.by_ratio;
        }
        Seen { ink, by }
    }
}

/// Changes these columns of a pose once toward what the samples show; what is left per sample then, in units of the noise.
pub(super) fn step(
    pose: &mut Pose,
    placed: &Placed,
    samples: &[Sample],
    columns: &[usize],
    blur: &Blur,
) -> Option<f32> {
    let mut normal = Normal::default();
    let mut first = 0;
    for sample in samples {
        let seen = placed.seen(sample.at, pose, blur, &mut first);
        let ink = pose.ink_at(sample.along);
        let missing = sample.level - pose.paper_at(sample.along) + ink * seen.ink;
        let mut row = seen.by.map(|by| -ink * by);
        let along = [1.0, sample.along, sample.along * sample.along];
        for power in 0..3 {
            row[PAPER + power] = along[power];
            row[INK + power] = -seen.ink * along[power];
        }
        normal.add(&row, missing, sample.weight);
    }
    let change = normal.solve(pose, columns)?;
    pose.apply(&change, columns);
    pose.is_plausible().then(|| normal.left(&change, columns, samples.len()))
}

/// What is left per sample, in units of the noise, when nothing is changed.
pub(super) fn misfit(pose: &Pose, placed: &Placed, samples: &[Sample], blur: &Blur) -> f32 {
    let mut first = 0;
    let sum: f32 = samples
        .iter()
        .map(|sample| {
            let ink = placed.ink(sample.at, pose.sigma, blur, &mut first);
            let expected = pose.paper_at(sample.along) - pose.ink_at(sample.along) * ink;
            (sample.level - expected).powi(2) * sample.weight
        })
        .sum();
    sum / samples.len().max(1) as f32
}

impl Pose {
    fn apply(&mut self, change: &[f64; COLUMNS], columns: &[usize]) {
        let total = self.modules();
        for (slot, column) in columns.iter().enumerate() {
            let change = change[slot] as f32;
            let most = 0.4 * self.module;
            let moved = change.clamp(-most, most);
            match *column {
                power @ ..INK => self.paper[power] += change,
                power @ INK..SHIFT => self.ink[power - INK] += change,
                SHIFT => self.start += moved,
                7 => {
                    self.start -= moved;
                    self.module += 2.0 * moved / total;
                }
                bend @ 8..SIGMA => self.bend[bend - 8] += moved,
                SIGMA => {
                    let sigma = self.sigma + change.clamp(-0.3 * self.sigma, 0.4 * self.sigma);
                    self.sigma = sigma.clamp(SIGMA_RANGE[0], SIGMA_RANGE[1]);
                }
                SPREAD => {
                    let most = SPREAD_MAX * self.module;
                    self.spread = (self.spread + change).clamp(-most, most);
                }
                _ratio => {
                    let ratio = self.ratio + change.clamp(-0.3, 0.3);
                    self.ratio = ratio.clamp(RATIO_RANGE[0], RATIO_RANGE[1]);
                    self.module *= total / self.modules();
                }
            }
        }
    }

    /// How far from usual a column may be, as (value now, one standard deviation).
    fn usual(&self, column: usize) -> Option<[f32; 2]> {
        let ink = self.ink[0].abs().max(1.0);
        match column {
            1 | 2 => Some([self.paper[column], 0.4 * ink]),
            4 | 5 => Some([self.ink[column - INK], 0.3 * ink]),
            8 => Some([self.bend[0], self.module]),
            9 | 10 => Some([self.bend[column - 8], 0.4 * self.module]),
            SPREAD => Some([self.spread, 0.1 * self.module]),
            SIGMA => Some([0.0, 0.5 * self.sigma]),
            RATIO => Some([0.0, 0.3]),
            SHIFT | 7 => Some([0.0, self.module]),
            _ => None,
        }
    }
}

/// The normal equations of one step.
#[derive(Default)]
struct Normal {
    matrix: [[f32; WIDE]; COLUMNS],
    right: [f32; WIDE],
    square: f32,
}

impl Normal {
    fn add(&mut self, row: &[f32; WIDE], missing: f32, weight: f32) {
        for (column, sums) in self.matrix.iter_mut().enumerate() {
            let weighted = row[column] * weight;
            for (sum, other) in sums.iter_mut().zip(row) {
                *sum += weighted * other;
            }
        }
        for (sum, value) in self.right.iter_mut().zip(row) {
            *sum += value * weight * missing;
        }
        self.square += missing * missing * weight;
    }

    /// By how much to change each of these columns.
    fn solve(&self, pose: &Pose, columns: &[usize]) -> Option<[f64; COLUMNS]> {
        let n = columns.len();
        let mut lower = [[0.0; COLUMNS]; COLUMNS];
        let mut right = [0.0; COLUMNS];
        for (i, column) in columns.iter().enumerate() {
            right[i] = f64::from(self.right[*column]);
            for (entry, other) in lower[i].iter_mut().zip(columns) {
                *entry = f64::from(self.matrix[*column][*other]);
            }
        }
        for (i, column) in columns.iter().enumerate() {
            lower[i][i] += 1e-9 * lower[i][i] + 1e-12;
            if let Some([now, sd]) = pose.usual(*column) {
                let firm = 1.0 / f64::from(sd * sd);
                lower[i][i] += firm;
                right[i] -= firm * f64::from(now);
            }
        }
        for i in 0..n {
            for j in 0..=i {
                let dot: f64 = (0..j).map(|k| lower[i][k] * lower[j][k]).sum();
                let rest = lower[i][j] - dot;
                lower[i][j] = if i == j {
                    if rest <= 0.0 {
                        return None;
                    }
                    rest.sqrt()
                } else {
                    rest / lower[j][j]
                };
            }
        }
        for i in 0..n {
            let dot: f64 = (0..i).map(|k| lower[i][k] * right[k]).sum();
            right[i] = (right[i] - dot) / lower[i][i];
        }
        for i in (0..n).rev() {
            let dot: f64 = (i + 1..n).map(|k| lower[k][i] * right[k]).sum();
            right[i] = (right[i] - dot) / lower[i][i];
        }
        Some(right)
    }

    /// What is left per sample after a change.
    fn left(&self, change: &[f64; COLUMNS], columns: &[usize], samples: usize) -> f32 {
        let mut left = f64::from(self.square);
        for (one, column) in change.iter().zip(columns) {
            left -= 2.0 * one * f64::from(self.right[*column]);
            for (two, other) in change.iter().zip(columns) {
                left += one * two * f64::from(self.matrix[*column][*other]);
            }
        }
        (left / samples.max(1) as f64) as f32
    }
}
