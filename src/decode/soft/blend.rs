//! Bands of one symbol to one profile: shifted onto each other, and without what covers some of them.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "places are clamped to the profile before they index it"
)]

use super::Band;

/// A band may lie so many samples beside the others: its bars are not quite square to it.
const SHIFT_MAX: f32 = 3.0;

/// Steps to shift a band onto the others.
const SHIFT_STEPS: usize = 3;

/// A band is judged against the others over so many samples at either side.
const JUDGED: usize = 4;

/// A band whose squared difference is so many times its noise counts the less, the more it is.
const DIFFERENCE_USUAL: f32 = 2.0;

/// What is neither noise nor a symbol, as a share of the contrast: paper, print, interpolation.
pub(super) const UNEXPLAINED: f32 = 0.02;

/// A profile with its noise.
#[derive(Debug, Clone, Default)]
pub(super) struct Profile {
    pub(super) levels: Vec<f32>,
    /// Standard deviation of each level.
    pub(super) noise: Vec<f32>,
}

impl Profile {
    /// Level and noise at a place between samples; the outermost sample beyond the ends.
    pub(super) fn at(&self, place: f32) -> [f32; 2] {
        let most = (self.levels.len().max(2) - 2) as f32;
        let whole = place.floor().clamp(0.0, most);
        let (index, share) = (whole as usize, (place - whole).clamp(0.0, 1.0));
        match (self.levels.get(index..index + 2), self.noise.get(index)) {
            (Some(&[one, next]), Some(noise)) => [one + (next - one) * share, *noise],
            _ => [0.0, f32::INFINITY],
        }
    }

    /// As seen from the other end.
    pub(super) fn reversed(&self) -> Self {
        let reversed = |of: &[f32]| of.iter().rev().copied().collect();
        Self { levels: reversed(&self.levels), noise: reversed(&self.noise) }
    }
}

/// The bands on one another, and their common profile.
#[derive(Debug, Default)]
pub(super) struct Blend {
    pub(super) all: Profile,
    pub(super) bands: Vec<Profile>,
    /// From the dark to the bright parts.
    pub(super) contrast: f32,
    /// The dark level.
    pub(super) dark: f32,
}

impl Blend {
    pub(super) fn of(bands: &[Band<'_>]) -> Self {
        let length = bands.iter().map(|band| band.levels.len()).min().unwrap_or(0);
        let mut blend = Self::default();
        for band in bands {
            let levels = band.levels[..length].to_vec();
            blend.bands.push(Profile { levels, noise: vec![band.noise.max(0.3); length] });
        }
        blend.all = mean(&blend.bands, length);
        (blend.dark, blend.contrast) = contrast(&blend.all.levels);
        for band in &mut blend.bands {
            onto(band, &blend.all);
        }
        let first = median(&blend.bands, length);
        blend.weigh(&first);
        let second = mean(&blend.bands, length).levels;
        for (band, given) in blend.bands.iter_mut().zip(bands) {
            band.noise.fill(given.noise.max(0.3));
        }
        blend.weigh(&second);
        blend.all = mean(&blend.bands, length);
        blend
    }

    /// Raises the noise of a band where it differs from the others.
    fn weigh(&mut self, common: &[f32]) {
        let floor = (UNEXPLAINED * self.contrast).powi(2);
        for band in &mut self.bands {
            let squares: Vec<f32> = band
                .levels
                .iter()
                .zip(common)
                .zip(&band.noise)
                .map(|((level, common), noise)| (level - common).powi(2) / (noise * noise + floor))
                .collect();
            for (noise, square) in band.noise.iter_mut().zip(smooth(&smooth(&squares))) {
                *noise *= (square / DIFFERENCE_USUAL).max(1.0);
            }
        }
    }
}

/// Dark level and contrast of a profile: its 5th and 95th percentile.
fn contrast(levels: &[f32]) -> (f32, f32) {
    let mut sorted = levels.to_vec();
    sorted.sort_by(f32::total_cmp);
    let at = |share: usize| sorted.get(sorted.len() * share / 100).copied().unwrap_or_default();
    (at(5), at(95) - at(5))
}

fn mean(bands: &[Profile], length: usize) -> Profile {
    let mut profile = Profile { levels: vec![0.0; length], noise: vec![0.0; length] };
    for sample in 0..length {
        let mut sum = [0.0_f32; 2];
        for band in bands {
            let weight = 1.0 / (band.noise[sample] * band.noise[sample]);
            sum = [sum[0] + weight * band.levels[sample], sum[1] + weight];
        }
        profile.levels[sample] = sum[0] / sum[1];
        profile.noise[sample] = 1.0 / sum[1].sqrt();
    }
    profile
}

/// The median of the bands, the brighter one of two: what covers paper is mostly darker.
fn median(bands: &[Profile], length: usize) -> Vec<f32> {
    let mut column = Vec::with_capacity(bands.len());
    (0..length)
        .map(|sample| {
            column.clear();
            column.extend(bands.iter().map(|band| band.levels[sample]));
            column.sort_by(f32::total_cmp);
            column[column.len() / 2]
        })
        .collect()
}

/// The mean over [`JUDGED`] samples at either side.
fn smooth(of: &[f32]) -> Vec<f32> {
    let mut sums = vec![0.0_f32];
    let mut sum = 0.0;
    sums.extend(of.iter().map(|value| {
        sum += value;
        sum
    }));
    (0..of.len())
        .map(|at| {
            let (from, to) = (at.saturating_sub(JUDGED), (at + JUDGED + 1).min(of.len()));
            (sums[to] - sums[from]) / (to - from) as f32
        })
        .collect()
}

/// Shifts, brightens and stretches a band so that it lies best on the common profile.
fn onto(band: &mut Profile, common: &Profile) {
    let levels = &band.levels;
    let n = levels.len() as f32;
    let own = Profile { levels: levels.clone(), noise: band.noise.clone() };
    let mut shift = 0.0_f32;
    let (mut gain, mut offset) = (1.0_f32, 0.0_f32);
    for _step in 0..SHIFT_STEPS {
        let (mut sums, mut crossed) = ([0.0_f64; 5], [0.0_f64; 3]);
        for (sample, level) in common.levels.iter().enumerate() {
            let place = sample as f32 + shift;
            let here = f64::from(own.at(place)[0]);
            let slope = f64::from(own.at(place + 1.0)[0] - own.at(place - 1.0)[0]) / 2.0;
            let level = f64::from(*level);
            for (sum, value) in
                sums.iter_mut().zip([here, here * here, level, level * here, slope * slope])
            {
                *sum += value;
            }
            for (sum, value) in crossed.iter_mut().zip([slope, slope * here, slope * level]) {
                *sum += value;
            }
        }
        let n = f64::from(n.max(1.0));
        let [here, square, level, product, steep] = sums.map(|sum| sum / n);
        let own_gain = (product - here * level) / (square - here * here).max(1e-6);
        gain = own_gain.clamp(0.5, 2.0) as f32;
        offset = level as f32 - gain * here as f32;
        let [slope, with_here, with_level] = crossed.map(|sum| sum / n);
        let left = with_level - f64::from(gain) * with_here - f64::from(offset) * slope;
        let moved = left / (f64::from(gain) * steep).max(1e-6);
        shift = (shift + moved.clamp(-1.0, 1.0) as f32).clamp(-SHIFT_MAX, SHIFT_MAX);
    }
    for (sample, level) in band.levels.iter_mut().enumerate() {
        *level = own.at(sample as f32 + shift)[0] * gain + offset;
    }
    for noise in &mut band.noise {
        *noise *= gain;
    }
}

impl Blend {
    /// As seen from the other end.
    pub(super) fn reversed(&self) -> Self {
        let bands = self.bands.iter().map(Profile::reversed).collect();
        Self { all: self.all.reversed(), bands, ..*self }
    }
}
