//! Bars across a region to text: Code 128, Code 39 and Interleaved 2 of 5.
//!
//! A line across the bars is the mean of neighboring lines, sharpened more and more until its edges spell a symbol. A misread
//! line is not rare, and Code 39 and Interleaved 2 of 5 have no check of their own: a text counts when lines that share no pixel
//! agree on it, two for Code 128, three for the others, and no line between them says something else at the same place.

mod code128;
mod code39;
mod itf;
mod widths;

use super::edges::EdgeFinder;
use super::gray::Gray;
use super::locate::Region;
use super::profile::{Lines, sharpened};
use super::quad::Corners;
use crate::scan::{Symbology, SymbologyIdentifier};

/// The most bands of lines that are read across one region.
const BANDS_MAX: usize = 15;

/// Bands without a text after which a region is given up.
const BARREN_BANDS_MAX: usize = 3;

/// The most single rows that are read of a small picture, and as many columns.
const ROWS_MAX: usize = 48;

/// Lines that one band averages, for regions low and high.
const BAND_LINES: std::ops::RangeInclusive<usize> = 1..=9;

/// How much a band is sharpened, as [`sharpened`] has it: for blur of about 1, 0, 1.5 and 2.2 pixels.
const SHARPNESS: [f32; 4] = [0.5, 0.0, 1.2, 2.4];

/// So many symbols are read on one line.
const SYMBOLS_PER_LINE_MAX: usize = 4;

/// The edges of the shortest symbol: two characters of Code 39, six digits of Interleaved 2 of 5.
const EDGES_MIN: usize = 32;

/// White beside the region that belongs to its quiet zones, in pixels, and as a share of its length.
const MARGIN: f32 = 32.0;
const MARGIN_SHARE: f32 = 0.08;

/// Regions shorter than this hold no symbol that lines could tell, in pixels.
const LENGTH_MIN: f32 = 40.0;

/// Bars that lean by this much against a right angle to their row are read along the row, as a sine: 8 to 50 degrees.
const SLANTS: std::ops::Range<f32> = 0.14..0.77;

/// How far apart lines are compared to see how far a symbol reaches, in pixels, and how many unlike ones end it.
const REACH_STEP: f32 = 5.0;
const REACH_MISSES_MAX: usize = 3;

/// Places of two lines that differ by more than this share of their length are not across the same bars.
const DRIFT_SHARE: f32 = 0.1;

/// What one line says: a symbol's text and where its first and last bar end, in the unit of the edges.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    text: Vec<u8>,
    identifier: SymbologyIdentifier,
    from: f32,
    to: f32,
    /// How many edges it takes up.
    edges: usize,
}

/// A symbol of bars.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bars {
    pub(crate) symbology: Symbology,
    pub(crate) identifier: SymbologyIdentifier,
    pub(crate) text: Vec<u8>,
    pub(crate) corners: Corners,
}

/// What one band of lines said.
#[derive(Debug, Clone, PartialEq)]
struct Vote {
    symbology: Symbology,
    row: Row,
    /// Of the band's middle.
    along: f32,
}

/// Reads bars; its buffers are used again.
#[derive(Debug, Default)]
pub(crate) struct BarsReader {
    sums: Vec<u32>,
    mean: Vec<f32>,
    sharp: Vec<f32>,
    fine: Vec<f32>,
    turned: Vec<f32>,
    finder: EdgeFinder,
    votes: Vec<Vote>,
    /// Which of [`SHARPNESS`] the last line needed.
    choice: usize,
    /// The most edges that the last line had at any sharpness.
    most_edges: usize,
    /// Whether the last line without a text had as many edges as a symbol.
    pub is_promising: bool,
}

impl BarsReader {
    /// The symbols in a region that was turned upright; `sigma` is the sensor's noise in gray levels.
    pub(crate) fn read(
        &mut self,
        gray: Gray<'_>,
        region: Region,
        sigma: f32,
        wanted: &[Symbology],
    ) -> Vec<Bars> {
        if region.length < LENGTH_MIN {
            return Vec::new();
        }
        let margin = MARGIN + region.length * MARGIN_SHARE;
        let region = Region { length: region.length + 2.0 * margin, ..region };
        let bands = Bands::across(region.height);
        let found = self.read_lines(&Lines::new(gray, region), bands, sigma, wanted);
        let slant = region.axis[0] * region.across[1] - region.axis[1] * region.across[0];
        if found.is_empty() && self.is_promising && SLANTS.contains(&slant.abs()) {
            return self.read_lines(&Lines::slanted(gray, region), bands, sigma, wanted);
        }
        found
    }

    /// The symbols on single rows and columns of a small picture: what is too low, too fine or too odd for a region.
    pub(crate) fn read_rows(
        &mut self,
        gray: Gray<'_>,
        sigma: f32,
        wanted: &[Symbology],
    ) -> Vec<Bars> {
        let [width, height] = [gray.width() as f32, gray.height() as f32];
        let across = |across: [f32; 2], [length, height]: [f32; 2]| Region {
            center: [(width - 1.0) / 2.0, (gray.height() - 1) as f32 / 2.0],
            across,
            length: length + 2.0 * MARGIN,
            height,
            strength: 0.0,
            axis: across,
        };
        let mut found = Vec::new();
        for region in [across([1.0, 0.0], [width, height]), across([0.0, 1.0], [height, width])] {
            let bands = Bands::rows(region.height);
            found.extend(self.read_lines(&Lines::new(gray, region), bands, sigma, wanted));
        }
        found
    }

    fn read_lines(
        &mut self,
        lines: &Lines<'_>,
        bands: Bands,
        sigma: f32,
        wanted: &[Symbology],
    ) -> Vec<Bars> {
        let mut found: Vec<Bars> = Vec::new();
        let mut covered: Vec<[f32; 2]> = Vec::new();
        let mut barren = 0;
        self.votes.clear();
        self.is_promising = false;
        for along in bands.middles() {
            if covered.iter().any(|[from, to]| (*from..*to).contains(&along)) {
                continue;
            }
            lines.mean(along, bands.lines, &mut self.sums, &mut self.mean);
            let noise = sigma / (bands.lines as f32).sqrt();
            if self.vote(&bands, noise, along, wanted) {
                for vote in self.agreed() {
                    let reach = self.reach(lines, &vote);
                    covered.push(reach);
                    found.push(symbol(lines, vote, reach));
                }
            } else {
                self.is_promising = self.most_edges >= EDGES_MIN;
                barren += 1;
                let is_barren = !self.is_promising || barren >= bands.barren_max;
                if self.votes.is_empty() && is_barren && barren >= bands.barren_min {
                    break;
                }
            }
        }
        found
    }

    /// Reads the band in `mean`, sharpened more and more until it says something.
    fn vote(&mut self, bands: &Bands, noise: f32, along: f32, wanted: &[Symbology]) -> bool {
        let before = self.votes.len();
        self.most_edges = 0;
        let first = self.choice.min(bands.sharpness.len() - 1);
        for round in 0..bands.sharpness.len() {
            // What the last line needed comes first.
            let choice = if round == 0 { first } else { round - usize::from(round <= first) };
            let sharpness = bands.sharpness[choice];
            sharpened(&self.mean, sharpness, &mut self.sharp, &mut self.fine);
            let gain = ((1.0 + 2.0 * sharpness).powi(2) + 2.0 * sharpness * sharpness).sqrt();
            let edges = self.finder.find(&self.fine, (4.0 * noise * gain).max(3.0));
            self.most_edges = self.most_edges.max(edges.len());
            if edges.len() < EDGES_MIN {
                // Sharpening finds a few more, not twice as many.
                if round == 0 && 2 * edges.len() < EDGES_MIN {
                    return false;
                }
                continue;
            }
            scan(edges, wanted, &mut |symbology, row| {
                self.votes.push(Vote { symbology, row, along });
            });
            if self.votes.len() > before {
                self.choice = choice;
                return true;
            }
            let length = self.mean.len() as f32;
            let paired = edges.len() / 2 * 2;
            self.turned.clear();
            self.turned.extend(edges[..paired].iter().rev().map(|edge| length - edge));
            scan(&self.turned, wanted, &mut |symbology, row| {
                let row = Row { from: length - row.from, to: length - row.to, ..row };
                self.votes.push(Vote { symbology, row, along });
            });
            if self.votes.len() > before {
                self.choice = choice;
                return true;
            }
        }
        false
    }

    /// Takes out the votes that agree with the last ones, when there are enough of them.
    fn agreed(&mut self) -> Vec<Vote> {
        let mut agreed = Vec::new();
        let mut at = 0;
        while at < self.votes.len() {
            let vote = &self.votes[at];
            let same = |other: &&Vote| {
                other.symbology == vote.symbology
                    && other.row.text == vote.row.text
                    && is_same_place(&other.row, &vote.row)
            };
            let along: Vec<f32> = self.votes.iter().filter(same).map(|vote| vote.along).collect();
            let (first, last) = (along.iter().copied().fold(f32::INFINITY, f32::min), along.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            let disputed = self.votes.iter().any(|other| {
                other.row.text != vote.row.text
                    && overlaps(&other.row, &vote.row)
                    && (first..=last).contains(&other.along)
            });
            let needed = if vote.symbology == Symbology::Code128 { 2 } else { 3 };
            if along.len() >= needed && !disputed {
                let vote = vote.clone();
                self.votes.retain(|other| other.row.text != vote.row.text || !is_same_place(&other.row, &vote.row));
                agreed.push(vote);
                at = 0;
            } else {
                at += 1;
            }
        }
        agreed
    }

    /// From where to where along the bars the lines look like the one that was read.
    fn reach(&mut self, lines: &Lines<'_>, vote: &Vote) -> [f32; 2] {
        let (from, to) = (vote.row.from.min(vote.row.to), vote.row.from.max(vote.row.to));
        let model: Vec<f32> = {
            lines.mean(vote.along, 3, &mut self.sums, &mut self.mean);
            part(&self.mean, from, to).to_vec()
        };
        let mut reach = [vote.along; 2];
        for (end, step) in reach.iter_mut().zip([-REACH_STEP, REACH_STEP]) {
            let mut missed = 0;
            let mut along = vote.along;
            while missed < REACH_MISSES_MAX && (along - vote.along).abs() < lines.region().length {
                along += step;
                lines.mean(along, 1, &mut self.sums, &mut self.mean);
                if likeness(&model, part(&self.mean, from, to)) > 0.6 {
                    *end = along;
                    missed = 0;
                } else {
                    missed += 1;
                }
            }
        }
        reach
    }
}

/// Bands of lines across a region.
#[derive(Debug, Clone, Copy)]
struct Bands {
    count: usize,
    lines: usize,
    height: f32,
    /// How much they are sharpened, in this order.
    sharpness: &'static [f32],
    /// So many bands without a text end it: at once where there are too few edges for one, and in any case.
    barren_min: usize,
    barren_max: usize,
}

impl Bands {
    fn across(height: f32) -> Self {
        let lines = ((height / 10.0) as usize).clamp(*BAND_LINES.start(), *BAND_LINES.end());
        let count = ((height / (lines as f32 + 1.0)) as usize).clamp(1, BANDS_MAX);
        let barren_max = BARREN_BANDS_MAX;
        Self { count, lines, height, sharpness: &SHARPNESS, barren_min: 1, barren_max }
    }

    /// Single rows that share no pixel, over the whole height.
    fn rows(height: f32) -> Self {
        let count = (height as usize).clamp(1, ROWS_MAX);
        let sharpness = &SHARPNESS[..2];
        Self { count, lines: 1, height, sharpness, barren_min: count, barren_max: count }
    }

    /// The middles of the bands, from the region's middle outwards.
    fn middles(self) -> impl Iterator<Item = f32> {
        let step = self.height / self.count as f32;
        let middle = (self.count - 1) / 2;
        (0..self.count).map(move |i| {
            let out = i.div_ceil(2);
            let band = if i % 2 == 0 { middle - out.min(middle) } else { middle + out };
            (band as f32 + 0.5) * step - self.height / 2.0
        })
    }
}

/// Tells every symbol on a line, from left to right.
fn scan(edges: &[f32], wanted: &[Symbology], tell: &mut dyn FnMut(Symbology, Row)) {
    let mut told = 0;
    let mut at = 0;
    while at + 6 < edges.len() && told < SYMBOLS_PER_LINE_MAX {
        let quiet = if at == 0 { f32::INFINITY } else { edges[at] - edges[at - 1] };
        let rest = &edges[at..];
        let row = wanted.iter().find_map(|symbology| {
            let row = match symbology {
                Symbology::Code128 => code128::read(rest, quiet),
                Symbology::Code39 => code39::read(rest, quiet),
                Symbology::Itf => itf::read(rest, quiet),
                _ => None,
            };
            row.map(|row| (*symbology, row))
        });
        if let Some((symbology, row)) = row {
            at += row.edges;
            told += 1;
            tell(symbology, row);
        } else {
            at += 2;
        }
    }
}

fn is_same_place(one: &Row, other: &Row) -> bool {
    let length = (one.to - one.from).abs();
    let drift = (one.from - other.from).abs().max((one.to - other.to).abs());
    drift < length * DRIFT_SHARE + 4.0
}

fn overlaps(one: &Row, other: &Row) -> bool {
    let ends = |row: &Row| [row.from.min(row.to), row.from.max(row.to)];
    let ([a, b], [c, d]) = (ends(one), ends(other));
    a < d && c < b
}

fn part(levels: &[f32], from: f32, to: f32) -> &[f32] {
    let to = (to as usize + 2).min(levels.len());
    &levels[(from as usize).min(to)..to]
}

/// The correlation of two equally long stretches.
fn likeness(one: &[f32], other: &[f32]) -> f32 {
    let n = one.len().min(other.len()).max(1) as f32;
    let mean = |levels: &[f32]| levels.iter().sum::<f32>() / n;
    let (a, b) = (mean(one), mean(other));
    let (mut both, mut of_one, mut of_other) = (0.0, 0.0, 0.0);
    for (x, y) in one.iter().zip(other) {
        both += (x - a) * (y - b);
        of_one += (x - a) * (x - a);
        of_other += (y - b) * (y - b);
    }
    both / (of_one * of_other).sqrt().max(1.0)
}

fn symbol(lines: &Lines<'_>, vote: Vote, [top, bottom]: [f32; 2]) -> Bars {
    let Vote { symbology, row, .. } = vote;
    // Read from right to left it stands on its head.
    let [top, bottom] = if row.from < row.to { [top, bottom] } else { [bottom, top] };
    let corners =
        [[row.from, top], [row.to, top], [row.to, bottom], [row.from, bottom]].map(|[across, along]| lines.at(across, along));
    Bars { symbology, identifier: row.identifier, text: row.text, corners }
}
