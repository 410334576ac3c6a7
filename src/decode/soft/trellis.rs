//! The characters that explain a profile best together, and all others that explain it nearly as well.
//!
//! The ink that a sample sees is the sum of what each character shows through the blur, and only neighbors overlap. So the squared
//! misfit of a whole text is a sum over characters and over pairs of neighbors, and its least value is found exactly.
#![expect(
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "texts, letters and samples are indexed by their own counts"
)]

use super::blur::Blur;
use super::letters::{Edge, Letters, edges};

/// Letters are padded to this many, so that loops over them have one length.
pub(super) const LANES: usize = 112;

/// More texts than this that are nearly as good: none of them is believed.
pub(super) const TEXTS_MAX: usize = 64;

/// The share of ink still to explain, sample by sample.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Want {
    pub(super) ink: f32,
    /// One over its squared noise.
    pub(super) weight: f32,
}

/// What the letters look like through a blur, sampled on the grid of the symbol.
#[derive(Debug)]
pub(super) struct Looks {
    /// Samples for one character.
    pub(super) slot: usize,
    /// Samples that a character shows before and behind itself.
    pub(super) pad: usize,
    letters: usize,
    /// By sample and letter.
    seen: Vec<[f32; LANES]>,
    /// Product of a letter's tail and the next one's head, by letter and next letter.
    overlap: Vec<[f32; LANES]>,
}

/// A text and by how much it explains the profile worse than the best one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Text {
    pub(super) letters: Vec<usize>,
    pub(super) excess: f32,
}

/// Grid and blur for [`Looks`]: all in modules.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lens {
    pub(super) step: f32,
    pub(super) slot: usize,
    pub(super) sigma: f32,
    pub(super) spread: f32,
    pub(super) ratio: f32,
}

impl Looks {
    pub(super) fn new(letters: &Letters, lens: &Lens, blur: &Blur) -> Self {
        let pad = pad(lens);
        let mut shown = Shown { lens, pad, blur, edges: Vec::new() };
        let mut seen = vec![[0.0; LANES]; lens.slot + 2 * pad];
        for (letter, widths) in letters.all.iter().enumerate().take(LANES) {
            for edge in edges(widths.iter().copied(), [0.0; 2]) {
                for (row, ink) in seen.iter_mut().zip(shown.of(&edge)) {
                    row[letter] += ink;
                }
            }
        }
        let mut looks = Self {
            slot: lens.slot,
            pad,
            letters: letters.all.len().min(LANES),
            seen,
            overlap: Vec::new(),
        };
        looks.overlap = looks.overlaps();
        looks
    }

    fn overlaps(&self) -> Vec<[f32; LANES]> {
        let mut overlap = vec![[0.0; LANES]; self.letters];
        for sample in 0..2 * self.pad {
            let (tails, heads) = (&self.seen[self.slot + sample], &self.seen[sample]);
            for (row, tail) in overlap.iter_mut().zip(tails) {
                for (entry, head) in row.iter_mut().zip(heads) {
                    *entry += tail * head;
                }
            }
        }
        overlap
    }

    /// What each letter costs on these samples, which begin [`Looks::pad`] before the character.
    pub(super) fn costs(&self, wants: &[Want]) -> [f32; LANES] {
        let mut costs = [0.0; LANES];
        for (want, row) in wants.iter().zip(&self.seen) {
            let pull = -2.0 * want.ink * want.weight;
            for (cost, seen) in costs.iter_mut().zip(row) {
                *cost += seen * (want.weight * seen + pull);
            }
        }
        costs
    }
}

/// What single edges look like: letters share most of theirs.
struct Shown<'a> {
    lens: &'a Lens,
    pad: usize,
    blur: &'a Blur,
    edges: Vec<(Edge, Vec<f32>)>,
}

impl Shown<'_> {
    fn of(&mut self, edge: &Edge) -> &[f32] {
        let known = self.edges.iter().position(|(known, _)| known == edge);
        let place = known.unwrap_or_else(|| {
            let ink = self.render(edge);
            self.edges.push((*edge, ink));
            self.edges.len() - 1
        });
        &self.edges[place].1
    }

    fn render(&self, edge: &Edge) -> Vec<f32> {
        let Lens { step, slot, sigma, spread, ratio } = *self.lens;
        let at = edge.modules(ratio) - edge.sign * spread;
        let place = |sample: usize| (sample as f32 - self.pad as f32) * step;
        (0..slot + 2 * self.pad)
            .map(|sample| edge.sign * self.blur.edge((place(sample) - at) / sigma)[0])
            .collect()
    }
}

/// A character shows to both sides at most half of its width.
fn pad(lens: &Lens) -> usize {
    let most = lens.slot / 2;
    (1..most).find(|pad| *pad as f32 * lens.step >= 3.3 * lens.sigma + lens.spread).unwrap_or(most)
}

/// What a text of so many characters costs, by place.
#[derive(Debug)]
pub(super) struct Trellis<'a> {
    looks: &'a Looks,
    costs: Vec<[f32; LANES]>,
    /// Weight of the samples between a character and the next.
    between: Vec<f32>,
    /// Least cost of all that follows, by place and letter.
    rest: Vec<[f32; LANES]>,
}

impl<'a> Trellis<'a> {
    /// Over so many characters; `may` says which letters may stand at a place.
    pub(super) fn new(
        looks: &'a Looks,
        wants: &[Want],
        slots: usize,
        may: impl Fn(usize, usize) -> bool,
    ) -> Self {
        let mut trellis = Self { looks, costs: Vec::new(), between: Vec::new(), rest: Vec::new() };
        for place in 0..slots {
            let from = place * looks.slot;
            let own = wants.get(from..).unwrap_or_default();
            let mut costs = looks.costs(&own[..own.len().min(looks.slot + 2 * looks.pad)]);
            for (letter, cost) in costs.iter_mut().enumerate() {
                if letter >= looks.letters || !may(place, letter) {
                    *cost = f32::INFINITY;
                }
            }
            trellis.costs.push(costs);
            let next = wants.get(from + looks.slot..).unwrap_or_default();
            let next = &next[..next.len().min(2 * looks.pad)];
            let sum: f32 = next.iter().map(|want| want.weight).sum();
            trellis.between.push(2.0 * sum / next.len().max(1) as f32);
        }
        trellis.back();
        trellis
    }

    fn back(&mut self) {
        let slots = self.costs.len();
        self.rest = vec![[0.0; LANES]; slots];
        for place in (0..slots.saturating_sub(1)).rev() {
            let next: [f32; LANES] =
                std::array::from_fn(|to| self.costs[place + 1][to] + self.rest[place + 1][to]);
            for (from, row) in self.looks.overlap.iter().enumerate() {
                self.rest[place][from] = least(&next, row, self.between[place]);
            }
        }
    }

    /// What the best text leaves: its cost, to be added to the squared wants.
    pub(super) fn least(&self) -> f32 {
        let Some((costs, rest)) = self.costs.first().zip(self.rest.first()) else { return 0.0 };
        costs.iter().zip(rest).map(|(cost, rest)| cost + rest).fold(f32::INFINITY, f32::min)
    }

    /// The best text.
    pub(super) fn best(&self) -> Vec<usize> {
        let mut text: Vec<usize> = Vec::new();
        for place in 0..self.costs.len() {
            let cost = |letter: usize| {
                self.costs[place][letter]
                    + self.rest[place][letter]
                    + self.join(place, text.last(), letter)
            };
            let best =
                (0..self.looks.letters).min_by(|one, other| cost(*one).total_cmp(&cost(*other)));
            text.push(best.unwrap_or(0));
        }
        text
    }

    /// Whether, at each place of a text, its letter is better than any other one between the same neighbors.
    pub(super) fn prefers(&self, text: &[usize]) -> Vec<bool> {
        let cost = |place: usize, letter: usize| {
            let next = text
                .get(place + 1)
                .map_or(0.0, |next| self.looks.overlap[letter][*next] * self.between[place]);
            let before = place.checked_sub(1).and_then(|before| text.get(before));
            self.costs[place][letter] + next + self.join(place, before, letter)
        };
        let best = |place: usize, own: usize| {
            let others = (0..self.looks.letters).filter(|letter| *letter != own);
            others.map(|letter| cost(place, letter)).fold(f32::INFINITY, f32::min)
        };
        text.iter().enumerate().map(|(place, own)| cost(place, *own) < best(place, *own)).collect()
    }

    fn join(&self, place: usize, from: Option<&usize>, to: usize) -> f32 {
        from.map_or(0.0, |from| self.looks.overlap[*from][to] * self.between[place - 1])
    }

    /// All texts that cost at most so much more than the best one; none if there are more than [`TEXTS_MAX`].
    pub(super) fn texts(&self, excess_max: f32) -> Option<Vec<Text>> {
        let least = self.least();
        let mut open = vec![(Vec::new(), 0.0)];
        let mut texts = Vec::new();
        while let Some((text, cost)) = open.pop() {
            let place = text.len();
            if place == self.costs.len() {
                texts.push(Text { letters: text, excess: cost - least });
                continue;
            }
            for letter in 0..self.looks.letters {
                let cost = cost + self.costs[place][letter] + self.join(place, text.last(), letter);
                if cost + self.rest[place][letter] - least <= excess_max {
                    let mut longer = text.clone();
                    longer.push(letter);
                    open.push((longer, cost));
                }
            }
            if open.len() + texts.len() > TEXTS_MAX {
                return None;
            }
        }
        texts.sort_by(|one, other| one.excess.total_cmp(&other.excess));
        Some(texts)
    }
}

fn least(next: &[f32; LANES], row: &[f32; LANES], between: f32) -> f32 {
    let mut least = [f32::INFINITY; 8];
    for (next, row) in next.chunks_exact(8).zip(row.chunks_exact(8)) {
        for ((least, next), row) in least.iter_mut().zip(next).zip(row) {
            let cost = next + row * between;
            *least = if cost < *least { cost } else { *least };
        }
    }
    least.into_iter().fold(f32::INFINITY, f32::min)
}
