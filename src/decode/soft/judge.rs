//! From a guess to a text, and whether to believe it.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "samples are counted by the grid they are made for"
)]

use super::blend::{Blend, Profile};
use super::blur::Blur;
use super::fit::{self, Placed, Pose, Sample};
use super::letters::span;
use super::pose::{Guess, sample};
use super::text::{self, Payload, START_A};
use super::trellis::{Lens, Looks, Trellis, Want};
use super::{BANDS_AGREEING, Soft};
use crate::scan::Symbology;

/// Samples for a module, about.
const SAMPLES_PER_MODULE: f32 = 3.0;

/// How far the middle of a symbol may be displaced to either side, in modules: each is tried while it explains more.
const BENDS: [f32; 3] = [0.35, 0.7, 1.05];

/// So many guesses are tried out in full.
const TRIED_MAX: usize = 4;

/// Once one was read, only those are tried that looked at most so many times worse.
const RANK_RIVAL: f32 = 1.5;

/// A first text that leaves less than this per sample needs no other bend, and one that leaves more than that is dropped.
const GOOD: f32 = 1.5;
const HOPELESS: f32 = 30.0;

/// A text and a pose are fitted in turn so often.
const ROUNDS: usize = 4;
/// Steps of a fit in one round.
const STEPS: usize = 2;

/// What may be left per sample, in squared units of the noise: over all, and over any one character or quiet zone.
const MISFIT_MAX: f32 = 1.6;
const MISFIT_SLOT_MAX: f32 = 3.0;

/// Every other text must be so much worse, in squared units of the noise: with a check character and without.
const MARGIN_CHECKED: f32 = 40.0;
const MARGIN_UNCHECKED: f32 = 70.0;

/// Texts that are worse than the best one by more are not looked for.
const EXCESS_MAX: f32 = 100.0;

/// The noise is believed to be no smaller than its share by which misfits fall below what was expected.
const NOISE_SHARE_MIN: f32 = 0.5;

/// Under more blur than so many modules the rest of a torn character passes for start or stop, and no check character tells.
const BLUR_UNCHECKED_MAX: f32 = 1.15;

/// Quiet zone that is looked at, in modules.
const QUIET_CHECKED: f32 = 5.0;
const QUIET_UNCHECKED: f32 = 8.0;

/// The readings of the guesses that explain the whole profile best.
pub(super) fn readings(guesses: &[Guess<'_>], blends: [&Blend; 2], blur: &Blur) -> Vec<Soft> {
    let mut looked: Vec<_> = guesses
        .iter()
        .map(|guess| {
            let mut fitted = Fitted { guess, pose: guess.pose, text: Vec::new(), left: 0.0, blur };
            let of = blends[usize::from(guess.is_reversed)];
            (fitted.text, fitted.left) = fitted.decode(of, &fitted.looks());
            fitted
        })
        .collect();
    looked.sort_by(|one, other| one.rank().total_cmp(&other.rank()));
    let mut readings = Vec::new();
    let mut rank_max = f32::INFINITY;
    for fitted in looked.into_iter().take(TRIED_MAX) {
        let rank = fitted.rank();
        if rank > rank_max {
            break;
        }
        if let Some(soft) = fitted.read(blends) {
            rank_max = rank_max.min(RANK_RIVAL * rank);
            readings.push(soft);
        }
    }
    readings
}

struct Fitted<'a> {
    guess: &'a Guess<'a>,
    pose: Pose,
    text: Vec<usize>,
    /// What it leaves per sample.
    left: f32,
    blur: &'a Blur,
}

/// Where the samples of a symbol lie, in modules.
struct Grid {
    step: f32,
    slot: usize,
    head: f32,
}

impl Fitted<'_> {
    /// What it leaves at its ends and between them.
    fn rank(&self) -> f32 {
        self.left * self.guess.misfit.max(1.0)
    }

    /// Reads a guess, or finds that it does not hold.
    fn read(mut self, blends: [&Blend; 2]) -> Option<Soft> {
        let is_reversed = self.guess.is_reversed;
        let of = blends[usize::from(is_reversed)];
        self.bend(of)?;
        self.alternate(of)?;
        let (payload, margin) = self.believe(of)?;
        let length = of.all.levels.len() as f32 - 1.0;
        let place = |at: f32| if is_reversed { length - at } else { at };
        Some(Soft {
            symbology: self.guess.symbology,
            payload: payload.bytes,
            has_fnc1_first: payload.has_fnc1_first,
            from: place(self.pose.start),
            to: place(self.pose.end()),
            margin,
        })
    }

    fn grid(&self) -> Grid {
        let width = |of: [f32; 2]| of[0] + of[1] * self.pose.ratio;
        let slot = width(self.guess.letters.slot);
        let samples = (slot * SAMPLES_PER_MODULE).round().max(1.0);
        Grid {
            step: slot / samples,
            slot: samples as usize,
            head: width(span(&self.guess.letters.head)),
        }
    }

    fn looks(&self) -> Looks {
        let grid = self.grid();
        let lens = Lens {
            step: grid.step,
            slot: grid.slot,
            sigma: self.pose.sigma / self.pose.module,
            spread: self.pose.spread / self.pose.module,
            ratio: self.pose.ratio,
        };
        Looks::new(self.guess.letters, &lens, self.blur)
    }

    /// Whether a letter may stand at a place.
    fn may(&self) -> impl Fn(usize, usize) -> bool + use<> {
        let is_checked = self.guess.symbology == Symbology::Code128;
        move |place, letter| !is_checked || (place == 0) == (letter >= START_A)
    }

    /// The ink that is left to explain once head and tail are, and its squares.
    fn wants(&self, blend: &Blend, pad: usize) -> (Vec<Want>, f32) {
        let grid = self.grid();
        let letters = self.guess.letters;
        let (head, tail) = letters.ends(None, self.pose.total);
        let mut placed = Placed::default();
        placed.place(&head.into_iter().chain(tail).collect::<Vec<_>>(), &self.pose);
        let (mut first, mut squares) = (0, 0.0);
        let wants = (0..self.guess.slots * grid.slot + 2 * pad)
            .map(|n| {
                let modules = grid.head + (n as f32 - pad as f32) * grid.step;
                let sample = sample(&self.pose, blend, modules, grid.step);
                let ink = self.pose.ink_at(sample.along).max(1.0);
                let known = placed.ink(sample.at, self.pose.sigma, self.blur, &mut first);
                let want = Want {
                    ink: (self.pose.paper_at(sample.along) - sample.level) / ink - known,
                    weight: sample.weight * ink * ink,
                };
                squares += want.ink * want.ink * want.weight;
                want
            })
            .collect();
        (wants, squares)
    }

    /// The best text with the pose as it is, and what it leaves per sample.
    fn decode(&self, blend: &Blend, looks: &Looks) -> (Vec<usize>, f32) {
        let (wants, squares) = self.wants(blend, looks.pad);
        let trellis = Trellis::new(looks, &wants, self.guess.slots, self.may());
        let left = (squares + trellis.least()) / wants.len() as f32;
        (trellis.best(), left)
    }

    /// Bends the pose as explains the profile best.
    fn bend(&mut self, blend: &Blend) -> Option<()> {
        let looks = self.looks();
        let mut best = 0.0;
        for side in [self.pose.module, -self.pose.module] {
            for bend in BENDS.map(|bend| bend * side) {
                if self.left < GOOD {
                    break;
                }
                self.pose.bend = [bend, 0.0, 0.0];
                let (text, left) = self.decode(blend, &looks);
                if left > self.left {
                    break;
                }
                best = bend;
                (self.text, self.left) = (text, left);
            }
        }
        self.pose.bend = [best, 0.0, 0.0];
        (self.left < HOPELESS).then_some(())
    }

    /// Fits pose and text in turn until the text stays.
    fn alternate(&mut self, blend: &Blend) -> Option<()> {
        for round in 0..ROUNDS {
            self.settle(blend)?;
            let (text, _left) = self.decode(blend, &self.looks());
            let stays = text == self.text;
            self.text = text;
            if stays && round > 0 {
                break;
            }
        }
        self.settle(blend)
    }

    /// Fits the pose to the text.
    fn settle(&mut self, blend: &Blend) -> Option<()> {
        let edges = self.guess.letters.edges(&self.text);
        let columns = if self.guess.has_ratio() { fit::WHOLE_AND_RATIO } else { fit::WHOLE };
        let mut placed = Placed::default();
        for _step in 0..STEPS {
            let samples = self.samples(blend, QUIET_CHECKED);
            placed.place(&edges, &self.pose);
            fit::step(&mut self.pose, &placed, &samples, columns, self.blur)?;
        }
        Some(())
    }

    /// The samples of the symbol and so many modules around it.
    fn samples(&self, blend: &Blend, quiet: f32) -> Vec<Sample> {
        let step = self.grid().step;
        let n = ((self.pose.modules() + 2.0 * quiet) / step) as usize;
        (0..n).map(|n| sample(&self.pose, blend, n as f32 * step - quiet, step)).collect()
    }

    /// The payload and by how much it is the best one, if it is to be believed.
    fn believe(&self, blend: &Blend) -> Option<(Payload, f32)> {
        let is_checked = self.guess.symbology == Symbology::Code128;
        let (margin_min, quiet) = if is_checked {
            (MARGIN_CHECKED, QUIET_CHECKED)
        } else {
            (MARGIN_UNCHECKED, QUIET_UNCHECKED)
        };
        let payload = self.payload(&self.text)?;
        if !is_checked && self.pose.sigma > BLUR_UNCHECKED_MAX * self.pose.module {
            return None;
        }
        let left = self.explained(blend, quiet)?;
        let looks = self.looks();
        let (wants, _squares) = self.wants(blend, looks.pad);
        let trellis = Trellis::new(&looks, &wants, self.guess.slots, self.may());
        let texts = trellis.texts(EXCESS_MAX)?;
        let (best, others) = texts.split_first()?;
        let margin =
            others.first().map_or(EXCESS_MAX, |other| other.excess) / left.max(NOISE_SHARE_MIN);
        let confirmed = self.bands_agree(blend, &looks);
        (best.letters == self.text && margin >= margin_min && confirmed)
            .then_some((payload, margin))
    }

    fn payload(&self, text: &[usize]) -> Option<Payload> {
        match self.guess.symbology {
            Symbology::Code128 => text::code_128(text),
            Symbology::Code39 => text::code_39(text),
            _ => Some(text::itf(text)),
        }
    }

    /// What is left per sample, if that is noise alone, everywhere.
    fn explained(&self, blend: &Blend, quiet: f32) -> Option<f32> {
        let mut placed = Placed::default();
        placed.place(&self.guess.letters.edges(&self.text), &self.pose);
        let samples = self.samples(blend, quiet);
        let slot = self.grid().slot;
        let left = fit::misfit(&self.pose, &placed, &samples, self.blur);
        let is_noise = left < MISFIT_MAX
            && samples
                .chunks(slot / 2)
                .all(|chunk| fit::misfit(&self.pose, &placed, chunk, self.blur) < MISFIT_SLOT_MAX);
        is_noise.then_some(left)
    }

    /// Whether at every place enough bands want no other character.
    fn bands_agree(&self, blend: &Blend, looks: &Looks) -> bool {
        let mut agreeing = vec![0; self.guess.slots];
        for band in &blend.bands {
            for (place, agrees) in self.agrees(blend, band, looks).into_iter().enumerate() {
                agreeing[place] += usize::from(agrees);
            }
        }
        agreeing.iter().all(|bands| *bands >= BANDS_AGREEING)
    }

    /// Whether a band wants no other character, by place.
    fn agrees(&self, blend: &Blend, band: &Profile, looks: &Looks) -> Vec<bool> {
        let own = Blend { all: band.clone(), bands: Vec::new(), ..*blend };
        let (wants, _squares) = self.wants(&own, looks.pad);
        let trellis = Trellis::new(looks, &wants, self.guess.slots, self.may());
        trellis.prefers(&self.text)
    }
}
