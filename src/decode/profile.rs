//! Gray levels along lines across the bars of a region, averaged over neighboring lines: noise goes, bars stay.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "pixel loops: lines that leave the picture take the clamped path, lengths are below 2^16"
)]

use super::gray::Gray;
use super::locate::Region;

/// The most samples of a line: the diagonal of the largest picture is longer, no bar code is.
pub(crate) const SAMPLES_MAX: usize = 8192;

/// Samples between two pixels of a sharpened profile.
pub(crate) const FINE: usize = 3;

/// Lines are this far apart, in pixels, where they are averaged.
const LINE_STEP: f32 = 1.0;

/// Lines across one region: sample `i` lies `i` pixels from the left end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lines<'a> {
    gray: Gray<'a>,
    region: Region,
    samples: usize,
}

impl<'a> Lines<'a> {
    /// Lines as long as the region.
    pub(crate) fn new(gray: Gray<'a>, region: Region) -> Self {
        let samples = (region.length as usize + 1).clamp(2, SAMPLES_MAX);
        Self { gray, region, samples }
    }

    pub(crate) const fn region(&self) -> &Region {
        &self.region
    }

    /// Where sample `across` of the line so far from the region's middle lies on the picture.
    pub(crate) fn at(&self, across: f32, along: f32) -> [f32; 2] {
        self.region.at(across - (self.samples - 1) as f32 / 2.0, along)
    }

    /// The mean of so many lines around one, in gray levels.
    pub(crate) fn mean(&self, along: f32, lines: usize, sums: &mut Vec<u32>, mean: &mut Vec<f32>) {
        sums.clear();
        sums.resize(self.samples, 0);
        let first = along - (lines.max(1) - 1) as f32 * LINE_STEP / 2.0;
        for line in 0..lines.max(1) {
            self.add(first + line as f32 * LINE_STEP, sums);
        }
        let scale = 1.0 / (lines.max(1) * 256) as f32;
        mean.clear();
        mean.extend(sums.iter().map(|sum| *sum as f32 * scale));
    }

    /// Adds the levels of one line, in 256ths.
    fn add(&self, along: f32, sums: &mut [u32]) {
        let [left, right] = [self.at(0.0, along), self.at((self.samples - 1) as f32, along)];
        let inside = |[x, y]: [f32; 2]| {
            x >= 0.0
                && y >= 0.0
                && x < (self.gray.width() as f32) - 2.0
                && y < (self.gray.height() as f32) - 2.0
        };
        if inside(left) && inside(right) {
            self.add_inside(left, sums);
        } else {
            for (i, sum) in sums.iter_mut().enumerate() {
                let [x, y] = self.at(i as f32, along);
                *sum += (self.gray.between(x, y) * 256.0) as u32;
            }
        }
    }

    /// In whole numbers, 65,536ths of a pixel: the line does not leave the picture.
    fn add_inside(&self, start: [f32; 2], sums: &mut [u32]) {
        let fixed = |value: f32| (f64::from(value) * 65536.0) as i64;
        let [mut x, mut y] = start.map(fixed);
        let [dx, dy] = self.region.across.map(fixed);
        let (luma, width) = (self.gray.luma(), self.gray.width());
        for sum in sums {
            let at = (y >> 16) as usize * width + (x >> 16) as usize;
            let (fx, fy) = (((x >> 8) & 255) as u32, ((y >> 8) & 255) as u32);
            let [a, b] = [u32::from(luma[at]), u32::from(luma[at + 1])];
            let [c, d] = [u32::from(luma[at + width]), u32::from(luma[at + width + 1])];
            let upper = a * (256 - fx) + b * fx;
            let lower = c * (256 - fx) + d * fx;
            *sum += (upper * (256 - fy) + lower * fy) >> 8;
            x += dx;
            y += dy;
        }
    }
}

/// How well the region's upper and lower part agree, and the region turned so that they agree best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Aligned {
    pub(crate) region: Region,
    /// The correlation of upper and lower part, -1 to 1: near 1 for bars, near 0 for print.
    pub(crate) likeness: f32,
}

/// Turns regions upright; its buffers are used again.
#[derive(Debug, Default)]
pub(crate) struct Aligner {
    sums: Vec<u32>,
    upper: Vec<f32>,
    lower: Vec<f32>,
}

/// The lines that are averaged at the upper and at the lower part.
const ALIGN_LINES: usize = 3;

/// The largest tilt that is put right: 8 degrees, as a slope.
const SLOPE_MAX: f32 = 0.14;

/// The largest shift that is tried, in pixels.
const SHIFT_MAX: usize = 24;

impl Aligner {
    /// Compares the lines at a third of the height above and below the middle.
    pub(crate) fn align(&mut self, gray: Gray<'_>, region: Region) -> Aligned {
        let apart = region.height * 0.6;
        let lines = Lines::new(gray, region);
        lines.mean(-apart / 2.0, ALIGN_LINES, &mut self.sums, &mut self.upper);
        lines.mean(apart / 2.0, ALIGN_LINES, &mut self.sums, &mut self.lower);
        differences(&mut self.upper);
        differences(&mut self.lower);
        let reach = ((apart * SLOPE_MAX) as usize + 2).min(SHIFT_MAX).min(self.upper.len() / 4);
        let (shift, likeness) = best_shift(&self.upper, &self.lower, reach);
        let tilt = if likeness > 0.2 { (shift / apart.max(1.0)).atan() } else { 0.0 };
        Aligned { region: turned(region, -tilt), likeness }
    }
}

/// The region turned about its middle, clockwise on the picture, in radians.
fn turned(region: Region, angle: f32) -> Region {
    let ([x, y], (sin, cos)) = (region.across, angle.sin_cos());
    Region { across: [x * cos - y * sin, x * sin + y * cos], ..region }
}

/// Each level less the one before the last, so that uneven light does not count.
fn differences(levels: &mut [f32]) {
    for i in (2..levels.len()).rev() {
        levels[i] -= levels[i - 2];
    }
    levels[0] = 0.0;
    levels[1] = 0.0;
}

/// The shift of `lower` against `upper` at which they are most alike, to a fraction of a pixel, and how alike.
fn best_shift(upper: &[f32], lower: &[f32], reach: usize) -> (f32, f32) {
    let power = |levels: &[f32]| levels.iter().map(|level| level * level).sum::<f32>();
    let scale = (power(upper) * power(lower)).sqrt().max(1.0);
    let mut sums = [0.0_f32; 2 * SHIFT_MAX + 1];
    let inner = &upper[reach..upper.len() - reach];
    let mut best = 0;
    for shift in 0..=2 * reach {
        sums[shift] = product(inner, &lower[shift..shift + inner.len()]);
        if sums[shift] > sums[best] {
            best = shift;
        }
    }
    let mut shift = best as f32 - reach as f32;
    if best > 0 && best < 2 * reach {
        let (before, top, after) = (sums[best - 1], sums[best], sums[best + 1]);
        let curve = before - 2.0 * top + after;
        if curve < 0.0 {
            shift += ((before - after) / (2.0 * curve)).clamp(-0.5, 0.5);
        }
    }
    (shift, sums[best] / scale)
}

/// The sum of products, four at a time.
fn product(one: &[f32], other: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    for (one, other) in one.chunks_exact(8).zip(other.chunks_exact(8)) {
        for i in 0..8 {
            sums[i] += one[i] * other[i];
        }
    }
    sums.iter().sum()
}

/// Sharpens a profile and puts [`FINE`] samples in each pixel: `sharpness` times the second difference is taken away, then
/// cubic curves go through the samples. Blur of a standard deviation of s pixels asks for about s squared over two.
pub(crate) fn sharpened(mean: &[f32], sharpness: f32, sharp: &mut Vec<f32>, fine: &mut Vec<f32>) {
    let last = mean.len() - 1;
    sharp.clear();
    sharp.push(mean[0]);
    sharp.extend(mean.windows(3).map(|w| w[1] + sharpness * (2.0 * w[1] - w[0] - w[2])));
    sharp.push(mean[last]);
    fine.clear();
    let at = |i: usize| sharp[i.min(last)];
    for i in 0..last {
        let [a, b, c, d] = [at(i.saturating_sub(1)), at(i), at(i + 1), at(i + 2)];
        let slope = (c - a) / 2.0;
        let (square, cube) = (a - 2.5 * b + 2.0 * c - d / 2.0, (3.0 * (b - c) + d - a) / 2.0);
        fine.push(b);
        for step in 1..FINE {
            let t = step as f32 / FINE as f32;
            fine.push(((cube * t + square) * t + slope) * t + b);
        }
    }
    fine.push(sharp[last]);
}
