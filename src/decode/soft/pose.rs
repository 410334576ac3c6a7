//! Guesses at what a profile holds and how it lies there, from the known characters at both ends.
#![expect(
    clippy::cast_precision_loss,
    reason = "samples and characters are counted, far below 2^24"
)]

use super::blend::{Blend, UNEXPLAINED};
use super::blur::Blur;
use super::ends::Extent;
use super::fit::{self, Placed, Pose, Sample};
use super::letters::{Edge, Letters};
use super::text::{START_A, START_C};
use crate::scan::Symbology;

/// Modules that are looked for, in samples.
const MODULE_MIN: f32 = 1.2;
const MODULE_MAX: f32 = 8.5;

/// Quiet zone that a symbol has at least, in modules, and that the inside of none has.
const QUIET_MIN: f32 = 5.0;
const QUIET_INNER: f32 = 12.0;

/// Steps of a fit to the ends, and how many guesses are kept after them. ITF's ends are two narrow bars and a wide one, which
/// tell little: what lies between must choose.
const LOOKS: [(usize, usize); 3] = [(1, 24), (1, 10), (3, 6)];
const LOOKS_ITF: [(usize, usize); 2] = [(1, 64), (2, 32)];

/// What is left at the ends, in squared units of the noise, beyond which a guess is dropped.
const MISFIT_MAX: f32 = 40.0;

/// Under more blur than so many modules no text is told from the others.
const BLUR_MAX: f32 = 1.5;

/// Blur to begin with, in samples.
const SIGMA_GUESS: f32 = 1.7;

/// Wide to narrow, where it is not known yet.
const RATIOS: [f32; 2] = [2.25, 2.8];
const RATIOS_ITF: [f32; 4] = [2.0, 2.35, 2.7, 3.0];

/// Fewest and most characters of each symbology, without start and stop of Code 39 and ITF.
const CODE_128_SLOTS: [usize; 2] = [3, 40];
const CODE_39_SLOTS: [usize; 2] = [3, 40];
const ITF_SLOTS: [usize; 2] = [3, 24];

/// A symbology, a number of characters, a direction and a pose.
#[derive(Debug, Clone)]
pub(super) struct Guess<'a> {
    pub(super) symbology: Symbology,
    pub(super) letters: &'a Letters,
    pub(super) slots: usize,
    pub(super) is_reversed: bool,
    pub(super) pose: Pose,
    first: Option<usize>,
    pub(super) misfit: f32,
}

/// The best guesses for a symbology, the best one first.
pub(super) fn guesses<'a>(
    extents: &[Extent],
    blends: [&Blend; 2],
    (symbology, letters): &'a (Symbology, Letters),
    blur: &Blur,
) -> Vec<Guess<'a>> {
    let [blend, reversed] = blends;
    let length = blend.all.levels.len();
    let mut guesses = Vec::new();
    for extent in extents {
        let backward = all(*symbology, letters, &extent.reversed(length), reversed);
        guesses.extend(all(*symbology, letters, extent, blend));
        guesses.extend(backward.into_iter().map(|guess| Guess { is_reversed: true, ..guess }));
    }
    let looks = if *symbology == Symbology::Itf { &LOOKS_ITF[..] } else { &LOOKS[..] };
    for (steps, kept) in looks {
        for guess in &mut guesses {
            let of = if guess.is_reversed { reversed } else { blend };
            guess.misfit = guess.settle(of, *steps, blur).unwrap_or(f32::INFINITY);
            if guess.pose.sigma > BLUR_MAX * guess.pose.module {
                guess.misfit = f32::INFINITY;
            }
        }
        guesses.sort_by(|one, other| one.misfit.total_cmp(&other.misfit));
        once_each(&mut guesses);
        guesses.truncate(*kept);
    }
    guesses.retain(|guess| guess.misfit < MISFIT_MAX);
    guesses
}

/// Keeps of guesses that differ in their ratio alone the best two.
fn once_each(guesses: &mut Vec<Guess<'_>>) {
    let key = |guess: &Guess<'_>| (guess.slots, guess.is_reversed, guess.first);
    let keys: Vec<_> = guesses.iter().map(key).collect();
    let mut place = 0;
    guesses.retain(|guess| {
        let before = keys.iter().take(place).filter(|before| **before == key(guess)).count();
        place += 1;
        before < 2
    });
}

/// All guesses at an extent.
fn all<'a>(
    symbology: Symbology,
    letters: &'a Letters,
    extent: &Extent,
    blend: &Blend,
) -> Vec<Guess<'a>> {
    let (slots, ratios, firsts): (_, &[f32], Vec<_>) = match symbology {
        Symbology::Code128 => (CODE_128_SLOTS, &[1.0][..], (START_A..=START_C).map(Some).collect()),
        Symbology::Code39 => (CODE_39_SLOTS, &RATIOS[..], vec![None]),
        _ => (ITF_SLOTS, &RATIOS_ITF[..], vec![None]),
    };
    let module_max = MODULE_MAX.min(extent.quiet / QUIET_MIN);
    let module_min = MODULE_MIN.max(extent.inner / QUIET_INNER);
    let mut guesses = Vec::new();
    for slots in slots[0]..=slots[1] {
        for ratio in ratios {
            let total = letters.total(slots);
            let module = (extent.to - extent.from) / (total[0] + total[1] * ratio);
            if !(module_min..=module_max).contains(&module) {
                continue;
            }
            let pose = Pose {
                start: extent.from,
                module,
                bend: [0.0; 3],
                sigma: SIGMA_GUESS.min(module),
                spread: 0.0,
                ratio: *ratio,
                paper: [blend.dark + blend.contrast, 0.0, 0.0],
                ink: [blend.contrast, 0.0, 0.0],
                total,
            };
            guesses.extend(firsts.iter().map(|first| Guess {
                symbology,
                letters,
                slots,
                is_reversed: false,
                pose,
                first: *first,
                misfit: 0.0,
            }));
        }
    }
    guesses
}

impl Guess<'_> {
    pub(super) fn has_ratio(&self) -> bool {
        self.symbology != Symbology::Code128
    }

    /// Fits the pose to the two ends alone; what is left there.
    fn settle(&mut self, blend: &Blend, steps: usize, blur: &Blur) -> Option<f32> {
        let (head, tail) = self.letters.ends(self.first, self.pose.total);
        let edges: Vec<Edge> = head.iter().chain(&tail).copied().collect();
        let (mut samples, mut placed) = (Vec::new(), Placed::default());
        let columns =
            if self.symbology == Symbology::Code39 { fit::ENDS_AND_RATIO } else { fit::ENDS };
        let mut left = None;
        for _step in 0..steps {
            self.look(&head, &tail, blend, &mut samples);
            placed.place(&edges, &self.pose);
            let per_sample = fit::step(&mut self.pose, &placed, &samples, columns, blur)?;
            let n = samples.len() as f32;
            left = Some(per_sample * n / (n - columns.len() as f32).max(1.0));
        }
        left
    }

    /// The samples from the quiet zones up to the first and from the last character that is not known.
    fn look(&self, head: &[Edge], tail: &[Edge], blend: &Blend, samples: &mut Vec<Sample>) {
        let pose = &self.pose;
        let cut = (1.6 * pose.sigma / pose.module - 0.6).clamp(0.2, 2.2);
        let inner = |edge: Option<&Edge>| edge.map_or(0.0, |edge| edge.modules(pose.ratio));
        let ranges = [
            (-QUIET_MIN, inner(head.last()) + 1.0 - cut),
            (inner(tail.first()) - 1.0 + cut, pose.modules() + QUIET_MIN),
        ];
        let step = (1.0 / pose.module).max(1.0 / 3.0);
        samples.clear();
        for (from, to) in ranges {
            let n = (0..64).take_while(|n| from + *n as f32 * step <= to);
            samples.extend(n.map(|n| sample(pose, blend, from + n as f32 * step, step)));
        }
    }
}

/// What a profile shows at a place in modules; its neighbors are so many modules away.
pub(super) fn sample(pose: &Pose, blend: &Blend, modules: f32, step: f32) -> Sample {
    let at = pose.sample(modules);
    let [level, noise] = blend.all.at(at);
    let floor = UNEXPLAINED * blend.contrast;
    let apart = (pose.module * step).min(1.0);
    let along = pose.along(modules).clamp(-1.2, 1.2);
    Sample { at, level, weight: apart / (noise * noise + floor * floor), along }
}
