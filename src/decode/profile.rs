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

/// A line that turns away from a row or column by less than 9 degrees, as a sine, is read along it.
const STEEP_MIN: f32 = 0.15;

/// Lines across one region: sample `i` lies `i` pixels from the left end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lines<'a> {
    gray: Gray<'a>,
    region: Region,
    /// The direction of the lines, of length 1.
    direction: [f32; 2],
    samples: usize,
}

impl<'a> Lines<'a> {
    /// Lines at right angles to the bars, as long as the region.
    pub(crate) fn new(gray: Gray<'a>, region: Region) -> Self {
        Self::along(gray, region, region.across, region.length)
    }

    /// Lines in the direction in which the region's tiles lie: across slanted bars.
    pub(crate) fn slanted(gray: Gray<'a>, region: Region) -> Self {
        Self::along(gray, region, region.axis, region.length.hypot(region.height))
    }

    fn along(gray: Gray<'a>, region: Region, direction: [f32; 2], length: f32) -> Self {
        let samples = (length as usize + 1).clamp(2, SAMPLES_MAX);
        let mut lines = Self { gray, region, direction, samples };
        // Samples on pixels, not between them: where bars are a pixel wide, nothing is left between.
        let start = lines.at(0.0, 0.0);
        let axis = usize::from(direction[0].abs() < direction[1].abs());
        lines.region.center[axis] += start[axis].round() - start[axis];
        lines
    }

    pub(crate) const fn region(&self) -> &Region {
        &self.region
    }

    /// Where sample `across` of the line so far from the region's middle lies on the picture.
    pub(crate) fn at(&self, across: f32, along: f32) -> [f32; 2] {
        let across = across - (self.samples - 1) as f32 / 2.0;
        let ([x, y], down) = (self.region.center, self.region.along());
        let [dx, dy] = self.direction;
        [x + dx * across + down[0] * along, y + dy * across + down[1] * along]
    }

    /// Whether that place is on the picture.
    pub(crate) fn is_on(&self, across: f32, along: f32) -> bool {
        let [x, y] = self.at(across, along);
        let [right, bottom] = [self.gray.width() as f32 - 0.5, self.gray.height() as f32 - 0.5];
        (-0.5..right).contains(&x) && (-0.5..bottom).contains(&y)
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
            x >= 1.0
                && y >= 1.0
                && x < (self.gray.width() as f32) - 2.0
                && y < (self.gray.height() as f32) - 2.0
        };
        let [dx, dy] = self.direction.map(f32::abs);
        if !(inside(left) && inside(right)) {
            self.add_clipped(along, sums);
        } else if dy < STEEP_MIN {
            // Half a pixel along the bars makes no difference.
            self.add_nearly_straight::<false>([left[0], left[1] + 0.5], sums);
        } else if dx < STEEP_MIN {
            self.add_nearly_straight::<true>([left[0] + 0.5, left[1]], sums);
        } else {
            self.add_inside(left, sums);
        }
    }

    /// Between two pixels in the direction that the line nearly has, the nearest one in the other.
    fn add_nearly_straight<const IS_UPRIGHT: bool>(&self, start: [f32; 2], sums: &mut [u32]) {
        let [mut x, mut y] = start.map(fixed);
        let [dx, dy] = self.direction.map(fixed);
        let (luma, width) = (self.gray.luma(), self.gray.width());
        let next = if IS_UPRIGHT { width } else { 1 };
        for sum in sums {
            let at = (y >> 16) as usize * width + (x >> 16) as usize;
            let between = if IS_UPRIGHT { y } else { x };
            let part = ((between >> 8) & 255) as u32;
            *sum += u32::from(luma[at]) * (256 - part) + u32::from(luma[at + next]) * part;
            x += dx;
            y += dy;
        }
    }

    /// What lies off the picture is as light as the lightest of the line: symbols are cut out without their quiet zone.
    fn add_clipped(&self, along: f32, sums: &mut [u32]) {
        let sides = [self.gray.width() as f32, self.gray.height() as f32];
        let is_off =
            |[x, y]: [f32; 2]| x < -0.5 || y < -0.5 || x > sides[0] - 0.5 || y > sides[1] - 0.5;
        let mut lightest = 0;
        for (i, sum) in sums.iter_mut().enumerate() {
            let at = self.at(i as f32, along);
            if !is_off(at) {
                let level = (self.gray.between(at[0], at[1]) * 256.0) as u32;
                lightest = lightest.max(level);
                *sum += level;
            }
        }
        for (i, sum) in sums.iter_mut().enumerate() {
            if is_off(self.at(i as f32, along)) {
                *sum += lightest;
            }
        }
    }

    /// In whole numbers, 65,536ths of a pixel: the line does not leave the picture.
    fn add_inside(&self, start: [f32; 2], sums: &mut [u32]) {
        let [mut x, mut y] = start.map(fixed);
        let [dx, dy] = self.direction.map(fixed);
        let (luma, width) = (self.gray.luma(), self.gray.width());
        for sum in sums {
            let at = (y >> 16) as usize * width + (x >> 16) as usize;
            let [right, below] = [x, y].map(|place| ((place >> 8) & 255) as u32);
            let pair =
                |at: usize| u32::from(luma[at]) * (256 - right) + u32::from(luma[at + 1]) * right;
            *sum += (pair(at) * (256 - below) + pair(at + width) * below) >> 8;
            x += dx;
            y += dy;
        }
    }
}

/// In 65,536ths.
fn fixed(value: f32) -> i64 {
    (f64::from(value) * 65536.0) as i64
}

/// Finds the part of a region in which bars run through, and turns it upright; its buffers are used again.
#[derive(Debug, Default)]
pub(crate) struct Aligner {
    sums: Vec<u32>,
    upper: Vec<f32>,
    lower: Vec<f32>,
    runs: Vec<Region>,
}

/// The lines that are averaged at one place.
const ALIGN_LINES: usize = 2;

/// The most places at which a region is compared with the next, and how far apart they are, in pixels.
const PLACES_MAX: f32 = 12.0;
const APART_MIN: f32 = 5.0;
const APART_MAX: f32 = 24.0;

/// Two places are across the same bars when they are so much alike: print gives less.
const LIKENESS_MIN: f32 = 0.45;

/// The largest tilt that is put right: 8 degrees, as a slope.
const SLOPE_MAX: f32 = 0.14;

/// The largest shift from one place to the next that is tried, in pixels.
const SHIFT_MAX: usize = 12;

impl Aligner {
    /// The parts of a region through which bars run, each turned upright; `sigma` is the sensor's noise in gray levels.
    pub(crate) fn align(&mut self, gray: Gray<'_>, region: Region, sigma: f32) -> &[Region] {
        self.runs.clear();
        let lines = Lines::new(gray, region);
        let apart =
            (region.height / 4.0).clamp(APART_MIN, APART_MAX).max(region.height / PLACES_MAX);
        let places = (region.height / apart) as usize;
        let along = |place: usize| (place as f32 - (places.max(2) - 1) as f32 / 2.0) * apart;
        let noise = 2.0 * sigma * sigma / ALIGN_LINES as f32 * BETWEEN_SHARE;
        let reach = ((apart * SLOPE_MAX) as usize + 2).min(SHIFT_MAX).min(lines.samples / 4);
        lines.mean(along(0), ALIGN_LINES, &mut self.sums, &mut self.upper);
        differences(&mut self.upper);
        let mut run: Option<Run> = None;
        for place in 1..places.max(2) {
            lines.mean(along(place), ALIGN_LINES, &mut self.sums, &mut self.lower);
            differences(&mut self.lower);
            let (shift, likeness) = best_shift(&self.upper, &self.lower, reach, noise);
            std::mem::swap(&mut self.upper, &mut self.lower);
            if likeness >= LIKENESS_MIN {
                let run = run.get_or_insert(Run { first: place - 1, last: place, shift: 0.0 });
                (run.last, run.shift) = (place, run.shift + shift);
            } else if let Some(run) = run.take() {
                self.runs.push(run.region(region, apart, along));
            }
        }
        self.runs.extend(run.map(|run| run.region(region, apart, along)));
        &self.runs
    }
}

/// What averaging between pixels leaves of the noise, as a share of its power.
const BETWEEN_SHARE: f32 = 0.5;

/// Neighboring places that are alike.
#[derive(Debug, Clone, Copy)]
struct Run {
    first: usize,
    last: usize,
    /// How far the bars went to the right on the way down, in pixels.
    shift: f32,
}

impl Run {
    fn region(self, region: Region, apart: f32, along: impl Fn(usize) -> f32) -> Region {
        let (from, to) = (along(self.first), along(self.last));
        let part = Region {
            center: region.at(0.0, f32::midpoint(from, to)),
            height: (to - from + apart).min(region.height),
            ..region
        };
        turned(part, -(self.shift / (to - from).max(1.0)).atan())
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

/// The shift of `lower` against `upper` at which they are most alike, to a fraction of a pixel, and how alike: the correlation of
/// what is left without so much noise a sample.
fn best_shift(upper: &[f32], lower: &[f32], reach: usize, noise: f32) -> (f32, f32) {
    let power = |levels: &[f32]| (product(levels, levels) - noise * levels.len() as f32).max(1.0);
    let scale = (power(upper) * power(lower)).sqrt();
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
    let end = mean.len() - 1;
    sharp.clear();
    sharp.push(mean[0]);
    sharp.extend(mean.windows(3).map(|w| w[1] + sharpness * (2.0 * w[1] - w[0] - w[2])));
    sharp.push(mean[end]);
    fine.clear();
    let at = |i: usize| sharp[i.min(end)];
    for i in 0..end {
        let [first, from, to, last] = [at(i.saturating_sub(1)), at(i), at(i + 1), at(i + 2)];
        let slope = (to - first) / 2.0;
        let square = first - 2.5 * from + 2.0 * to - last / 2.0;
        let cube = (3.0 * (from - to) + last - first) / 2.0;
        fine.push(from);
        for step in 1..FINE {
            let part = step as f32 / FINE as f32;
            fine.push(((cube * part + square) * part + slope) * part + from);
        }
    }
    fine.push(sharp[end]);
}
