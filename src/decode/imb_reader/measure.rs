//! From the walked row to half bars: how dark each bar is in the zones of ascender and descender, against the tracker.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "small fixed arrays and lists of bars, indexed by their own bounds"
)]

use super::walk::{self, MIDDLE, OFFSETS, Patch, ROWS, ROWS_PER_PITCH, Step, Wave};
use super::{plus, times};

/// What a change of the row's middle by a quarter of a pitch from one bar to the next costs, in bars that fit.
const BEND_COST: f32 = 0.4;

/// The row's middle is on a straight line through so many bars to either side.
const SMOOTH_BARS: usize = 8;

/// Contrast and paper are the median over so many bars to either side.
const LEVEL_BARS: usize = 4;

/// How dark the gaps beside an extender may be, as a share of the bars' contrast: print or a pen that crosses is darker.
const COVER_MAX: f32 = 0.5;

/// A tracker with less than this share of the contrast around is covered or gone.
const TRACKER_MIN: f32 = 0.5;

/// The mean over all bars, from the middle outward, is taken so many times a pitch, up to 2.75 pitches.
const PROFILE_PER_PITCH: f32 = 8.0;
const PROFILE: usize = 23;

/// How many of the extenders of a code are there.
const SHARES: std::ops::Range<f32> = 0.15..0.9;

/// Extenders are at least so long, in pitches: 0.039 to 0.057 in of a pitch of 0.0416 to 0.050 in.
const EXTENDER_MIN: f32 = 0.4;

/// How often the middle is looked for again with better ends.
const CENTER_ROUNDS: usize = 2;

/// Ink up to so far beyond the end of a full bar belongs to it, in pitches, and its ends may be so far off.
const BEYOND: f32 = 0.35;
const OFF_MAX: f32 = 0.4;

/// The share of an extender's zone that is left out at either end, where blur and slope mix it with what is beside, and the
/// rows that are looked at between.
const ZONE_MARGIN: f32 = 0.15;
const ZONE_ROWS: usize = 6;

/// The half of a bar above or below the tracker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Half {
    /// How dark it is: 0 like paper, 1 like the tracker.
    pub(super) ink: f32,
    /// The same of its inner and outer part, the lesser first.
    pub(super) parts: [f32; 2],
    /// Something crosses it, or it cannot be seen.
    pub(super) is_covered: bool,
}

/// A bar: ascender and descender.
pub(super) type Halves = [Half; 2];

/// Where the ends of bars are, in pitches from the row's middle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ends {
    pub(super) tracker: f32,
    pub(super) full: f32,
}

/// What is around a bar, and where its middle is.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    /// Contrast of its tracker, and of the trackers around.
    own: f32,
    contrast: f32,
    /// The gray level of the gaps around.
    paper: f32,
    /// In pitches below the middle row of its patch.
    middle: f32,
}

/// Measures bars; its buffers are used again.
#[derive(Debug, Default)]
pub(super) struct Measure {
    sums: Vec<[f32; OFFSETS]>,
    offsets: Vec<f32>,
    levels: Vec<Level>,
    halves: Vec<Halves>,
}

impl Measure {
    /// The halves of each bar, and where bars end; the steps are moved onto the row's middle.
    pub(super) fn take(&mut self, steps: &mut [Step]) -> Option<(&[Halves], Ends)> {
        self.levels.clear();
        self.levels.resize(steps.len(), Level::default());
        self.straighten(steps);
        self.level(steps);
        for _ in 0..CENTER_ROUNDS {
            let ends = self.ends(steps)?;
            self.center(steps, ends);
        }
        let ends = self.ends(steps)?;
        self.halves.clear();
        for (step, level) in steps.iter().zip(&self.levels) {
            self.halves.push([-1.0, 1.0].map(|side| Bar { step, level }.half(ends, side)));
        }
        for (step, level) in steps.iter_mut().zip(&self.levels) {
            step.comb.at = plus(step.comb.at, times(step.comb.down, level.middle));
        }
        Some((&self.halves, ends))
    }

    fn bars<'a>(&'a self, steps: &'a [Step]) -> impl Iterator<Item = Bar<'a>> {
        steps.iter().zip(&self.levels).map(|(step, level)| Bar { step, level })
    }

    /// Sets the middles to the line, bending little, that fits best.
    fn straighten(&mut self, steps: &[Step]) {
        self.sums.clear();
        let mut sums = [0.0; OFFSETS];
        for step in steps {
            let mut next = step.fits;
            for (at, fit) in next.iter_mut().enumerate() {
                *fit += sums[came_from(&sums, at)]
                    - if came_from(&sums, at) == at { 0.0 } else { BEND_COST };
            }
            sums = next;
            self.sums.push(sums);
        }
        let mut at = (0..OFFSETS).max_by(|a, b| sums[*a].total_cmp(&sums[*b])).unwrap_or(0);
        self.offsets.clear();
        for (i, _) in steps.iter().enumerate().rev() {
            self.offsets.push(walk::offset_pitches(at));
            if i > 0 {
                at = came_from(&self.sums[i - 1], at);
            }
        }
        self.offsets.reverse();
        for (i, level) in self.levels.iter_mut().enumerate() {
            level.middle = smooth(&self.offsets, i);
        }
    }

    /// Sets what contrast and paper are around each bar.
    fn level(&mut self, steps: &[Step]) {
        for (step, level) in steps.iter().zip(&mut self.levels) {
            let rows = |part: fn(&Wave) -> f32| mean_of(&step.patch, level.middle, part);
            (level.own, level.paper) = (rows(|row| row.cos), rows(|row| row.gap));
        }
        self.offsets.clear();
        for i in 0..self.levels.len() {
            let around = around(&self.levels, i, LEVEL_BARS);
            let contrast = median(around.iter().map(|level| level.own));
            self.offsets.push(median(around.iter().map(|level| level.paper)));
            self.levels[i].contrast = contrast.max(1.0);
        }
        for (level, paper) in self.levels.iter_mut().zip(&self.offsets) {
            level.paper = *paper;
        }
    }

    /// Where the mean over all bars falls from tracker to extenders, and from extenders to paper.
    fn ends(&self, steps: &[Step]) -> Option<Ends> {
        let mut profile = [0.0; PROFILE];
        let mut count = 0.0;
        for bar in self.bars(steps) {
            count += 2.0 * bar.step.presence;
            for (i, sum) in profile.iter_mut().enumerate() {
                let place = i as f32 / PROFILE_PER_PITCH;
                let ink = [-place, place].map(|place| bar.ink(place).clamp(-0.3, 1.3));
                *sum += (ink[0] + ink[1]) * bar.step.presence;
            }
        }
        fall(&profile.map(|sum| sum / f32::max(count, 1.0)))
    }

    /// Moves the middle of each bar to where its ends and those of the bars around say.
    fn center(&mut self, steps: &[Step], ends: Ends) {
        self.offsets.clear();
        for (step, level) in steps.iter().zip(&self.levels) {
            self.offsets.push(Bar { step, level }.below(ends));
        }
        for (i, level) in self.levels.iter_mut().enumerate() {
            level.middle += smooth(&self.offsets, i);
        }
    }
}

/// From which offset of the bar before the best line comes to one.
fn came_from(sums: &[f32; OFFSETS], at: usize) -> usize {
    let mut best = at;
    for beside in [at.wrapping_sub(1), at + 1] {
        if beside < OFFSETS && sums[beside] - BEND_COST > sums[at] && sums[beside] > sums[best] {
            best = beside;
        }
    }
    best
}

/// A list's part so far around a place.
fn around<T>(list: &[T], i: usize, reach: usize) -> &[T] {
    &list[i.saturating_sub(reach)..(i + reach + 1).min(list.len())]
}

/// The value at a place of the straight line through those around, which needs no neighbors on both sides.
fn smooth(list: &[f32], i: usize) -> f32 {
    let first = i.saturating_sub(SMOOTH_BARS);
    let around = around(list, i, SMOOTH_BARS);
    let middle = (around.len() - 1) as f32 / 2.0;
    let mean = around.iter().sum::<f32>() / around.len() as f32;
    let (mut rise, mut run) = (0.0, 0.01);
    for (k, value) in around.iter().enumerate() {
        let far = k as f32 - middle;
        (rise, run) = (rise + far * value, run + far * far);
    }
    mean + rise / run * ((i - first) as f32 - middle)
}

/// The median of a few levels around a bar.
fn median(levels: impl Iterator<Item = f32>) -> f32 {
    let mut sorted = [0.0; 2 * LEVEL_BARS + 1];
    let mut count = 0;
    for (place, level) in sorted.iter_mut().zip(levels) {
        *place = level;
        count += 1;
    }
    sorted[..count].sort_unstable_by(f32::total_cmp);
    sorted[count / 2]
}

/// The mean of three rows around a place.
fn mean_of(patch: &Patch, place: f32, part: fn(&Wave) -> f32) -> f32 {
    let row = (place * ROWS_PER_PITCH + MIDDLE as f32 + 0.5).max(1.0) as usize;
    let row = row.min(ROWS - 2);
    patch.rows[row - 1..=row + 1].iter().map(part).sum::<f32>() / 3.0
}

/// Where a profile from the middle outward falls from the tracker's ink to the extenders' share, and from there to paper.
fn fall(profile: &[f32; PROFILE]) -> Option<Ends> {
    // 0.87 to 1.13 pitches: within the extenders for all heights that are allowed.
    let inside = &profile[7..=9];
    let share = inside.iter().sum::<f32>() / inside.len() as f32;
    if !SHARES.contains(&share) {
        return None;
    }
    let crossing = |from: usize, level: f32| {
        let i = (from..PROFILE - 1).find(|i| profile[i + 1] < level)?;
        let part = (profile[i] - level) / (profile[i] - profile[i + 1]).max(0.01);
        Some((i as f32 + part.clamp(0.0, 1.0)) / PROFILE_PER_PITCH)
    };
    let tracker = crossing(0, f32::midpoint(profile[0].min(1.0), share))?;
    let full = crossing(8, share / 2.0)?;
    (full - tracker > EXTENDER_MIN).then_some(Ends { tracker, full })
}

/// A bar of the row.
#[derive(Debug, Clone, Copy)]
struct Bar<'a> {
    step: &'a Step,
    level: &'a Level,
}

impl Bar<'_> {
    /// The row so far below the middle, in pitches: between the two beside, in proportion.
    fn between(&self, place: f32) -> (&Wave, &Wave, f32) {
        let row = (place + self.level.middle) * ROWS_PER_PITCH + MIDDLE as f32;
        let row = row.clamp(0.0, (ROWS - 1) as f32);
        let upper = (row as usize).min(ROWS - 2);
        (&self.step.patch.rows[upper], &self.step.patch.rows[upper + 1], row - upper as f32)
    }

    /// How dark the bar is there: 0 like paper, 1 like the trackers around.
    fn ink(&self, place: f32) -> f32 {
        let (upper, lower, part) = self.between(place);
        (upper.cos + (lower.cos - upper.cos) * part) / self.level.contrast
    }

    /// How far below the middle the bar's own middle is, when its ends are where ends can be.
    fn below(&self, ends: Ends) -> f32 {
        let reach = (ends.full + BEYOND) * PROFILE_PER_PITCH;
        let sides = [-1.0, 1.0].map(|side| {
            let rows = 0..reach as usize;
            let dark = rows.map(|i| self.ink(side * (i as f32 + 0.5) / PROFILE_PER_PITCH));
            let length = dark.map(|ink| ink.clamp(0.0, 1.0)).sum::<f32>() / PROFILE_PER_PITCH;
            let is_long = length > f32::midpoint(ends.tracker, ends.full);
            length - if is_long { ends.full } else { ends.tracker }
        });
        if sides.iter().any(|side| side.abs() > OFF_MAX) {
            return 0.0;
        }
        (sides[1] - sides[0]) / 2.0
    }

    /// The half on a side: -1 up, 1 down.
    fn half(&self, ends: Ends, side: f32) -> Half {
        let zone = ends.full - ends.tracker;
        let (mut inks, mut dark, mut seen) = ([0.0; 2], 0.0_f32, 0);
        for i in 0..ZONE_ROWS {
            let part = (i as f32 + 0.5) / ZONE_ROWS as f32;
            let place = ends.tracker + zone * (ZONE_MARGIN + part * (1.0 - 2.0 * ZONE_MARGIN));
            let (upper, lower, _) = self.between(side * place);
            if upper.is_seen && lower.is_seen {
                seen += 1;
                dark += self.level.paper - f32::midpoint(upper.gap, lower.gap);
            }
            inks[2 * i / ZONE_ROWS] += self.ink(side * place) * 2.0 / ZONE_ROWS as f32;
        }
        dark /= f32::max(seen as f32, 1.0) * self.level.contrast;
        Half {
            ink: f32::midpoint(inks[0], inks[1]),
            parts: [inks[0].min(inks[1]), inks[0].max(inks[1])],
            is_covered: 2 * seen < ZONE_ROWS
                || dark > COVER_MAX
                || self.level.own < self.level.contrast * TRACKER_MIN,
        }
    }
}
