//! From bar to bar along the row: a phase-locked walk that follows pitch, slope, slant and curl.
//!
//! A patch of one pitch around where the next bar is expected is held against one period of a cosine: the phase of its dark
//! middle says how far beside the bar stands, row by row how it slants, and the lengths of the dark part where the row's middle
//! runs. Bars that are covered move nothing: the walk goes on as the bars before told it.
#![expect(
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "small fixed arrays, indexed by their own bounds"
)]

use std::f32::consts::TAU;

use super::super::gray::Gray;
use super::{Point, plus, times};

/// Samples across one pitch.
const ACROSS: usize = 8;

/// Where they are, in pitches from the bar's middle.
const PLACES: [f32; ACROSS] = [-0.4375, -0.3125, -0.1875, -0.0625, 0.0625, 0.1875, 0.3125, 0.4375];

/// What a sample counts in the sums that are the amplitudes of a cosine and a sine of one period, dark upward.
const COS: [f32; ACROSS] =
    [0.230_97, 0.095_671, -0.095_671, -0.230_97, -0.230_97, -0.095_671, 0.095_671, 0.230_97];
const SIN: [f32; ACROSS] =
    [0.095_671, 0.230_97, 0.230_97, 0.095_671, -0.095_671, -0.230_97, -0.230_97, -0.095_671];

/// A smaller pitch, in pixels, is sampled between the pixels.
const FINE_PITCH: f32 = 8.0;

/// Rows of a patch, a quarter of a pitch apart, the middle one on the row of bars.
pub(super) const ROWS: usize = 35;
pub(super) const MIDDLE: usize = ROWS / 2;
pub(super) const ROWS_PER_PITCH: f32 = 4.0;

/// Offsets of the row's middle that are tried, in rows: from so many up to so many down.
const REACH: usize = 4;
pub(super) const OFFSETS: usize = 2 * REACH + 1;

/// The most bars that are walked over to one side.
const BARS_MAX: usize = 96;

/// A walk ends behind so many pitches without a bar.
const ABSENT_MAX: usize = 6;

/// Less contrast, in gray levels, is nothing that could be walked along.
const CONTRAST_MIN: f32 = 3.0;

/// A bar less dark than this share of the others is absent or covered.
const CONTRAST_SHARE_MIN: f32 = 0.45;

/// A bar may stand so far beside where it is expected, in pitches: low resolutions round to whole pixels.
const BESIDE_MAX: f32 = 0.25;

/// A frame in which bars stand: where one is, the step to the next, and one pitch down along it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Comb {
    pub(super) at: Point,
    pub(super) step: Point,
    pub(super) down: Point,
}

impl Comb {
    /// The point so many pitches across and down.
    pub(super) fn place(&self, across: f32, down: f32) -> Point {
        plus(self.at, plus(times(self.step, across), times(self.down, down)))
    }
}

/// One row of a patch: how dark its middle is against its sides, and beside which side.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wave {
    pub(super) cos: f32,
    pub(super) sin: f32,
    /// The gray level of the sides.
    pub(super) gap: f32,
    /// False off the picture.
    pub(super) is_seen: bool,
}

/// The wave on the row through a point, one pitch wide.
fn wave(gray: Gray<'_>, [x, y]: Point, step: Point) -> Wave {
    let place = |i: usize| [x + step[0] * PLACES[i], y + step[1] * PLACES[i]];
    let is_whole = is_on(gray, place(0)) && is_on(gray, place(ACROSS - 1));
    if !is_whole && !is_on(gray, [x, y]) {
        return Wave::default();
    }
    let is_fine = step[0].hypot(step[1]) < FINE_PITCH;
    let mut samples = [0.0; ACROSS];
    for (i, sample) in samples.iter_mut().enumerate() {
        let mut at = place(i);
        if !is_whole && !is_on(gray, at) {
            // At the picture's edge one side stands for the other.
            at = place(ACROSS - 1 - i);
        }
        *sample =
            if is_fine { gray.between(at[0], at[1]) } else { f32::from(gray.at(at[0], at[1])) };
    }
    let against = |period: &[f32; ACROSS]| {
        samples.iter().zip(period).map(|(sample, part)| sample * part).sum::<f32>()
    };
    Wave {
        cos: against(&COS),
        sin: against(&SIN),
        gap: f32::midpoint(samples[0], samples[ACROSS - 1]),
        is_seen: true,
    }
}

/// Whether a point is on the picture.
fn is_on(gray: Gray<'_>, [x, y]: Point) -> bool {
    let (right, bottom) = (gray.width() as f32 - 0.5, gray.height() as f32 - 0.5);
    x >= -0.5 && y >= -0.5 && x <= right && y <= bottom
}

/// A bar that was walked over, or the place where one should stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) comb: Comb,
    /// Its contrast as a share of what bars around have, 0 to 1.
    pub(super) presence: f32,
    /// How well a bar fits with the row's middle at each offset.
    pub(super) fits: [f32; OFFSETS],
    pub(super) patch: Patch,
}

/// How many pitches down an offset means.
pub(super) fn offset_pitches(offset: usize) -> f32 {
    (offset as f32 - REACH as f32) / ROWS_PER_PITCH
}

/// What the walk knows while it goes.
#[derive(Debug, Clone, Copy)]
struct State {
    comb: Comb,
    /// What bars' contrast is here.
    contrast: f32,
    shape: Shape,
    fits: [f32; OFFSETS],
    slant: [f32; 2],
}

/// Walks from a bar to both sides; the steps from left to right.
pub(super) fn walk(gray: Gray<'_>, seed: Comb, steps: &mut Vec<Step>) {
    steps.clear();
    let Some(start) = lock(gray, seed) else {
        return;
    };
    let reverse = |comb: Comb| Comb { step: times(comb.step, -1.0), ..comb };
    let comb = start.comb;
    let back = State { comb: reverse(comb), slant: [start.slant[0], -start.slant[1]], ..start };
    side(gray, back, steps);
    steps.reverse();
    for step in steps.iter_mut() {
        step.comb = reverse(step.comb);
    }
    side(gray, State { comb: Comb { at: plus(comb.at, comb.step), ..comb }, ..start }, steps);
}

/// The first fit looks at so many places to either side of the seed, so many bars apart in turn.
const LOCK_PLACES: usize = 5;
const LOCK_SPACINGS: [f32; 4] = [1.0, 1.0, 2.0, 4.0];

/// Fits the comb to the bars around it, from near to far.
fn lock(gray: Gray<'_>, seed: Comb) -> Option<State> {
    let mut comb = seed;
    let mut state = None;
    for spacing in LOCK_SPACINGS {
        let patches: [Patch; 2 * LOCK_PLACES + 1] = std::array::from_fn(|i| {
            let at = comb.place((i as f32 - LOCK_PLACES as f32) * spacing, 0.0);
            Patch::of(gray, Comb { at, ..comb })
        });
        let contrast = follow_row(&mut comb, &patches, spacing)?;
        let slant = patches.iter().map(Patch::slant).fold([0.0; 2], plus);
        let lean = slant[1].atan2(slant[0]) / TAU * ROWS_PER_PITCH;
        comb.down = plus(comb.down, times(comb.step, lean.clamp(-0.2, 0.2)));
        let shape = follow_middle(&mut comb, &patches, [contrast, spacing]);
        state = Some(State { comb, contrast, shape, fits: [0.0; OFFSETS], slant });
    }
    state
}

/// Moves and stretches the comb onto the bars' places; the bars' contrast, if there are any.
fn follow_row(comb: &mut Comb, patches: &[Patch], spacing: f32) -> Option<f32> {
    let (mut sum, mut turn) = ([0.0; 2], [0.0; 2]);
    let mut before = [0.0; 2];
    for (i, patch) in patches.iter().enumerate() {
        let [cos, sin] = patch.middle();
        if i.abs_diff(LOCK_PLACES) <= 2 {
            sum = plus(sum, [cos, sin]);
        }
        turn = plus(turn, [before[0] * cos + before[1] * sin, before[0] * sin - before[1] * cos]);
        before = [cos, sin];
    }
    let contrast = sum[0].hypot(sum[1]) / 5.0;
    if contrast < CONTRAST_MIN {
        return None;
    }
    let beside = sum[1].atan2(sum[0]) / TAU;
    // Far apart, the phase of a pitch that changes is not told from that of another one.
    let stretch = if spacing > 2.0 { 0.0 } else { turn[1].atan2(turn[0]) / TAU / spacing };
    comb.at = plus(comb.at, times(comb.step, beside));
    comb.step = times(comb.step, 1.0 + stretch.clamp(-0.1, 0.1));
    Some(contrast)
}

/// Moves and turns the comb onto the row's middle; the shape of the bars.
fn follow_middle(comb: &mut Comb, patches: &[Patch], [contrast, spacing]: [f32; 2]) -> Shape {
    let mut best = (f32::NEG_INFINITY, SHAPES[0], [[0.0; OFFSETS]; 2]);
    for shape in SHAPES {
        let mut halves = [[0.0; OFFSETS]; 2];
        for (i, patch) in patches.iter().enumerate() {
            let far = (i as f32 - LOCK_PLACES as f32) / LOCK_PLACES as f32;
            let weight = (patch.middle()[0] / contrast).clamp(0.0, 1.0);
            for (j, fit) in patch.fits(contrast, shape).iter().enumerate() {
                halves[0][j] += weight * fit * (0.6 - far * 0.4);
                halves[1][j] += weight * fit * (0.6 + far * 0.4);
            }
        }
        let whole: [f32; OFFSETS] = std::array::from_fn(|j| halves[0][j] + halves[1][j]);
        let fit = whole.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if fit > best.0 {
            best = (fit, shape, halves);
        }
    }
    let (_, shape, halves) = best;
    let [left, right] = halves.map(|fits| peak(&fits, 0));
    comb.at = plus(comb.at, times(comb.down, f32::midpoint(left, right)));
    let slope = (right - left) / (LOCK_PLACES as f32 * spacing);
    comb.step = plus(comb.step, times(comb.down, slope.clamp(-0.06, 0.06)));
    shape
}

/// Walks to one side.
fn side(gray: Gray<'_>, mut state: State, steps: &mut Vec<Step>) {
    let mut absent = 0;
    for _ in 0..BARS_MAX {
        let mut patch = Patch::of(gray, state.comb);
        let [cos, sin] = patch.middle();
        let presence = (cos / state.contrast.max(1.0)).clamp(0.0, 1.0);
        let fits = patch.fits(state.contrast.max(1.0), state.shape);
        let mut comb = state.comb;
        if presence < CONTRAST_SHARE_MIN {
            absent += 1;
        } else {
            absent = 0;
            let beside = (sin.atan2(cos) / TAU).clamp(-BESIDE_MAX, BESIDE_MAX);
            comb.at = plus(comb.at, times(comb.step, beside));
            state.follow(&patch, beside, &fits);
            state.contrast += (cos.hypot(sin) - state.contrast) * 0.1;
            patch.turn(beside);
        }
        steps.push(Step { comb, presence, fits, patch });
        if absent == ABSENT_MAX {
            break;
        }
        state.comb.at = plus(state.comb.at, state.comb.step);
    }
    steps.truncate(steps.len() - absent);
}

impl State {
    /// Takes what a clear bar says.
    fn follow(&mut self, patch: &Patch, beside: f32, fits: &[f32; OFFSETS]) {
        let comb = &mut self.comb;
        comb.at = plus(comb.at, times(comb.step, beside * 0.5));
        comb.step = times(comb.step, 1.0 + beside * 0.1);
        for (sum, fit) in self.fits.iter_mut().zip(fits) {
            *sum = *sum * 0.75 + fit;
        }
        let below = peak(&self.fits, 2);
        comb.at = plus(comb.at, times(comb.down, below * 0.2));
        comb.step = plus(comb.step, times(comb.down, below * 0.01));
        let [real, turned] = patch.slant();
        self.slant = [self.slant[0] * 0.92 + real, self.slant[1] * 0.92 + turned];
        let lean = self.slant[1].atan2(self.slant[0]) / TAU * ROWS_PER_PITCH;
        comb.down = plus(comb.down, times(comb.step, lean.clamp(-0.1, 0.1) * 0.08));
    }
}

/// The largest of the fits but for so many at either end, between them, in pitches down.
fn peak(fits: &[f32; OFFSETS], margin: usize) -> f32 {
    let mut best = REACH;
    for i in margin..OFFSETS - margin {
        if fits[i] > fits[best] {
            best = i;
        }
    }
    let beside = if best > 0 && best + 1 < OFFSETS {
        let [left, middle, right] = [fits[best - 1], fits[best], fits[best + 1]];
        let bend = 2.0 * middle - left - right;
        if bend > 0.0 { ((right - left) / (2.0 * bend)).clamp(-0.5, 0.5) } else { 0.0 }
    } else {
        0.0
    };
    offset_pitches(best) + beside / ROWS_PER_PITCH
}

/// One pitch of the row of bars, and above and below it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patch {
    pub(super) rows: [Wave; ROWS],
}

/// How long bars are, in rows from their middle outward.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shape {
    /// The last row of the tracker.
    tracker: usize,
    /// The first and the last row of an extender.
    extender: [usize; 2],
    /// Rows of bare paper beyond.
    paper: [usize; 2],
}

/// Full bars of 2.5 to 3.3, to 4.1, and to 5 pitches: 0.125 to 0.230 in of a pitch of 0.0416 to 0.050 in.
const SHAPES: [Shape; 3] = [
    Shape { tracker: 1, extender: [3, 5], paper: [8, 9] },
    Shape { tracker: 1, extender: [3, 6], paper: [9, 10] },
    Shape { tracker: 2, extender: [4, 8], paper: [12, 13] },
];

const _: () = assert!(MIDDLE == REACH + 13, "the farthest row is the first or last of a patch");

impl Patch {
    fn of(gray: Gray<'_>, comb: Comb) -> Self {
        let mut rows = [Wave::default(); ROWS];
        for (i, row) in rows.iter_mut().enumerate() {
            let down = (i as f32 - MIDDLE as f32) / ROWS_PER_PITCH;
            *row = wave(gray, comb.place(0.0, down), comb.step);
        }
        Self { rows }
    }

    /// Looks at the same rows from so many pitches beside.
    fn turn(&mut self, beside: f32) {
        let (sin, cos) = (beside * TAU).sin_cos();
        for row in &mut self.rows {
            (row.cos, row.sin) = (row.cos * cos + row.sin * sin, row.sin * cos - row.cos * sin);
        }
    }

    /// The wave of the tracker.
    fn middle(&self) -> [f32; 2] {
        let rows = &self.rows[MIDDLE - 1..=MIDDLE + 1];
        let count = rows.len() as f32;
        [
            rows.iter().map(|row| row.cos).sum::<f32>() / count,
            rows.iter().map(|row| row.sin).sum::<f32>() / count,
        ]
    }

    /// How far the phase turns from row to row: the sum of the products of neighbors.
    fn slant(&self) -> [f32; 2] {
        let mut sum = [0.0; 2];
        for pair in self.rows[MIDDLE - 5..=MIDDLE + 5].windows(2) {
            let (upper, lower) = (pair[0], pair[1]);
            if upper.cos > 0.0 && lower.cos > 0.0 {
                sum[0] += upper.cos * lower.cos + upper.sin * lower.sin;
                sum[1] += upper.cos * lower.sin - upper.sin * lower.cos;
            }
        }
        sum
    }

    /// How well one of the four bars of a shape fits at each offset: the mean of its rows, 1 at best.
    fn fits(&self, contrast: f32, shape: Shape) -> [f32; OFFSETS] {
        let ink = self.rows.map(|row| (row.cos / contrast).clamp(-0.2, 1.2) * 2.0 - 1.0);
        let [from, to] = shape.extender;
        let [near, far] = shape.paper;
        let rows = 2 * shape.tracker + 1 + 2 * (to - from + 1) + 2 * (far - near + 1);
        let mut fits = [0.0; OFFSETS];
        for (i, fit) in fits.iter_mut().enumerate() {
            let middle = MIDDLE + i - REACH;
            let sum = |from: usize, to: usize| ink[from..=to].iter().sum::<f32>();
            let ascender = sum(middle - to, middle - from).abs();
            let descender = sum(middle + from, middle + to).abs();
            let tracker = sum(middle - shape.tracker, middle + shape.tracker);
            let paper = sum(middle - far, middle - near) + sum(middle + near, middle + far);
            *fit = (tracker + ascender + descender - paper) / rows as f32;
        }
        fits
    }
}
