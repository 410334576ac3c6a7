//! Bars across a region to text: Code 128, Code 39 and Interleaved 2 of 5.
//!
//! A line across the bars is the mean of neighboring lines, sharpened more and more until its edges spell a symbol. A misread
//! line is not rare, and Code 39 and Interleaved 2 of 5 have no check of their own: a text counts when lines that share no pixel
//! agree on it, two for Code 128, three for the others, and no line between them says something else at the same place.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "profiles are below 2^16 samples, and indices are cut to their length"
)]

mod code128;
mod code39;
mod itf;
mod widths;

pub(crate) use self::code39::full_ascii;

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

/// The edges of the shortest symbol that is read: two characters of Code 128.
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

/// The mean of so many lines around the one that was read is what others are compared with; they are across the same bars from this correlation
/// on.
const MODEL_LINES: usize = 3;
const LIKENESS_MIN: f32 = 0.6;

/// Bands that must say the same, and where the symbology has no check character.
const AGREEING_MIN: usize = 2;
const UNCHECKED_AGREEING_MIN: usize = 3;

/// Two lines across the same bars differ in their ends by less than this share of their length and so many pixels.
const DRIFT_SHARE: f32 = 0.1;
const DRIFT_MIN: f32 = 4.0;

/// Bars are at one pitch when so many of ten are within this share of the mean.
const EVEN_SHARE: f32 = 0.1;
const EVEN_OF_TEN: usize = 9;

/// So many lines over the height of a symbol must show the quiet zones of a symbol without a check: their levels differ by less
/// than this share of the bars' contrast, which is at least so many gray levels; and no zone is as light as a glare while the other
/// is darker by this step.
const QUIET_LINES: usize = 12;
const QUIET_SHARE: f32 = 0.6;
const QUIET_CONTRAST_MIN: f32 = 40.0;
const GLARE_MIN: f32 = 248.0;
const GLARE_STEP: f32 = 10.0;

/// A turn of a profile counts from so many times the noise on, and from so many gray levels.
const NOISE_TURN: f32 = 4.0;
const TURN_MIN: f32 = 3.0;

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

/// What was read of a region.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Reading {
    pub(crate) found: Vec<Bars>,
    /// Whether a line that said nothing has as many edges as a symbol.
    pub(crate) is_promising: bool,
    /// The steepest slope of the first line that said nothing, as a share of its contrast a pixel: 0.5 where it is sharp, 0.19
    /// at a blur of 2 pixels.
    pub(crate) steepness: f32,
}

/// What one band of lines said.
#[derive(Debug, Clone, PartialEq)]
struct Vote {
    symbology: Symbology,
    row: Row,
    /// Of the band's middle.
    along: f32,
}

/// What to look for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Search<'a> {
    pub(crate) gray: Gray<'a>,
    /// The sensor's noise, a standard deviation in gray levels.
    pub(crate) sigma: f32,
    pub(crate) wanted: &'a [Symbology],
}

/// Reads bars; its buffers are used again.
#[derive(Debug, Default)]
pub(crate) struct BarsReader {
    sums: Vec<u32>,
    mean: Vec<f32>,
    model: Vec<f32>,
    sharp: Vec<f32>,
    fine: Vec<f32>,
    turned: Vec<f32>,
    finder: EdgeFinder,
    votes: Vec<Vote>,
    /// Which of [`SHARPNESS`] the last line of the picture needed.
    choice: usize,
}

impl BarsReader {
    /// Forgets what the last picture needed: no picture is read otherwise because of the one before.
    pub(crate) const fn begin(&mut self) {
        self.choice = 0;
    }

    /// The symbols in a region that was turned upright.
    pub(crate) fn read(&mut self, search: &Search<'_>, region: Region) -> Reading {
        if region.length < LENGTH_MIN {
            return Reading::default();
        }
        let margin = MARGIN + region.length * MARGIN_SHARE;
        let region = Region { length: region.length + 2.0 * margin, ..region };
        let bands = Bands::across(region.height);
        let reading = self.read_lines(search, &Lines::new(search.gray, region), bands);
        let slant = region.axis[0] * region.across[1] - region.axis[1] * region.across[0];
        if reading.found.is_empty() && reading.is_promising && SLANTS.contains(&slant.abs()) {
            return self.read_lines(search, &Lines::slanted(search.gray, region), bands);
        }
        reading
    }

    /// The symbols on single rows and columns of a small picture: what is too low, too fine or too odd for a region.
    pub(crate) fn read_rows(&mut self, search: &Search<'_>) -> Vec<Bars> {
        let [width, height] = [search.gray.width() as f32, search.gray.height() as f32];
        let whole = |across: [f32; 2], [length, height]: [f32; 2]| Region {
            center: [(width - 1.0) / 2.0, (search.gray.height() - 1) as f32 / 2.0],
            across,
            length: length + 2.0 * MARGIN,
            height,
            strength: 0.0,
            axis: across,
        };
        let mut found = Vec::new();
        for region in [whole([1.0, 0.0], [width, height]), whole([0.0, 1.0], [height, width])] {
            let lines = Lines::new(search.gray, region);
            found.extend(self.read_lines(search, &lines, Bands::rows(region.height)).found);
        }
        found
    }

    fn read_lines(&mut self, search: &Search<'_>, lines: &Lines<'_>, bands: Bands) -> Reading {
        let mut reading = Reading::default();
        let mut covered: Vec<[f32; 2]> = Vec::new();
        let mut barren = 0;
        self.votes.clear();
        for along in bands.middles() {
            if covered.iter().any(|[from, to]| (*from..*to).contains(&along)) {
                continue;
            }
            lines.mean(along, bands.lines, &mut self.sums, &mut self.mean);
            let edges = match self.vote(search, &bands, along) {
                Line::Said => {
                    for vote in self.agreed() {
                        let reach = self.reach(lines, &vote);
                        covered.push(reach);
                        let is_checked = vote.symbology != Symbology::Itf;
                        if is_checked || self.stands_alone(lines, &vote.row, reach) {
                            reading.found.push(symbol(lines, vote, reach));
                        }
                    }
                    continue;
                }
                Line::Silent { edges } => edges,
            };
            if barren == 0 {
                reading.steepness = steepness(&self.mean);
            }
            barren += 1;
            reading.is_promising |= edges >= EDGES_MIN;
            let is_barren = edges < EDGES_MIN || barren >= bands.barren_max;
            if self.votes.is_empty() && is_barren && barren >= bands.barren_min {
                break;
            }
        }
        reading
    }

    /// Reads the band in `mean`, sharpened more and more until it says something.
    fn vote(&mut self, search: &Search<'_>, bands: &Bands, along: f32) -> Line {
        let noise = search.sigma / (bands.lines as f32).sqrt();
        let first = self.choice.min(bands.sharpness.len() - 1);
        let mut most = 0;
        for round in 0..bands.sharpness.len() {
            // What the last line needed comes first.
            let choice = if round == 0 { first } else { round - usize::from(round <= first) };
            let sharpness = bands.sharpness[choice];
            sharpened(&self.mean, sharpness, &mut self.sharp, &mut self.fine);
            let gain = ((1.0 + 2.0 * sharpness).powi(2) + 2.0 * sharpness * sharpness).sqrt();
            let floor = (NOISE_TURN * noise * gain).max(TURN_MIN);
            most = most.max(self.finder.find(&self.fine, floor).len());
            // Sharpening finds a few more, not twice as many; bars at one pitch are the Postal Service's.
            if round == 0 && (2 * most < EDGES_MIN || is_even(self.finder.edges())) {
                return Line::Silent { edges: 0 };
            }
            if most >= EDGES_MIN && self.scan_both_ways(search.wanted, along) {
                self.choice = choice;
                return Line::Said;
            }
        }
        Line::Silent { edges: most }
    }

    /// Takes down what the edges that were found last say, from left to right or from right to left.
    fn scan_both_ways(&mut self, wanted: &[Symbology], along: f32) -> bool {
        let before = self.votes.len();
        let edges = self.finder.edges();
        scan(edges, self.finder.paper_before(), wanted, &mut |symbology, row| {
            self.votes.push(Vote { symbology, row, along });
        });
        if self.votes.len() > before {
            return true;
        }
        let length = self.mean.len() as f32;
        let paired = edges.len() / 2 * 2;
        // The line ends in ink where an edge is left over.
        let paper = match edges.get(paired) {
            Some(edge) if paired > 0 => edge - edges[paired - 1],
            _ => f32::INFINITY,
        };
        self.turned.clear();
        self.turned.extend(edges[..paired].iter().rev().map(|edge| length - edge));
        scan(&self.turned, paper, wanted, &mut |symbology, row| {
            let row = Row { from: length - row.from, to: length - row.to, ..row };
            self.votes.push(Vote { symbology, row, along });
        });
        self.votes.len() > before
    }

    /// Takes out the votes that enough bands agree on.
    fn agreed(&mut self) -> Vec<Vote> {
        let mut agreed: Vec<Vote> = Vec::new();
        let mut at = 0;
        while let Some(vote) = self.votes.get(at) {
            if is_agreed(vote, &self.votes) {
                let vote = vote.clone();
                self.votes.retain(|other| !is_same(other, &vote));
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
        lines.mean(vote.along, MODEL_LINES, &mut self.sums, &mut self.mean);
        self.model.clear();
        self.model.extend(part(&self.mean, from, to));
        let mut reach = [vote.along; 2];
        for (end, way) in reach.iter_mut().zip([-1.0, 1.0]) {
            let mut missed = 0;
            let mut along = vote.along;
            while missed < REACH_MISSES_MAX && (along - vote.along).abs() < lines.region().length {
                along += way * REACH_STEP;
                if self.is_alike(lines, along, [from, to]) {
                    *end = along;
                    missed = 0;
                } else {
                    missed += 1;
                }
            }
            while (*end - along).abs() > 1.0 && self.is_alike(lines, *end + way, [from, to]) {
                *end += way;
            }
        }
        reach
    }

    /// Whether there is paper and nothing else before and after an Interleaved 2 of 5, as far as it reaches. Where the
    /// picture's edge or a glare cuts the bars, any digit may look like the end; above or below, or off the picture, they go on.
    fn stands_alone(&mut self, lines: &Lines<'_>, row: &Row, [top, bottom]: [f32; 2]) -> bool {
        let (from, to) = (row.from.min(row.to), row.from.max(row.to));
        // A digit is three narrow and two wide bars, nine modules at the usual ratio; start and end take another nine.
        let module = (to - from) / (9 * row.text.len() + 9) as f32;
        let quiet = [[from - 5.0 * module, from - module], [to + module, to + 5.0 * module]];
        (0..QUIET_LINES).all(|line| {
            let along = top + (line as f32 + 0.5) / QUIET_LINES as f32 * (bottom - top);
            if !lines.is_on(quiet[0][0], along) || !lines.is_on(quiet[1][1], along) {
                return false;
            }
            lines.mean(along, MODEL_LINES, &mut self.sums, &mut self.mean);
            let [dark, light] = range(part(&self.mean, from, to));
            let [before, after] = quiet.map(|[from, to]| range(part(&self.mean, from, to - 2.0)));
            let contrast = (light - dark).max(QUIET_CONTRAST_MIN);
            let is_even =
                [before, after].iter().all(|[dark, light]| light - dark < contrast * QUIET_SHARE);
            let glare =
                before[1].max(after[1]) > GLARE_MIN && (before[1] - after[1]).abs() > GLARE_STEP;
            is_even && !glare
        })
    }

    /// Whether a line looks like the one in `model`.
    fn is_alike(&mut self, lines: &Lines<'_>, along: f32, [from, to]: [f32; 2]) -> bool {
        lines.mean(along, 1, &mut self.sums, &mut self.mean);
        likeness(&self.model, part(&self.mean, from, to)) > LIKENESS_MIN
    }
}

/// What a line came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// It has votes.
    Said,
    /// It says nothing, and has so many edges.
    Silent { edges: usize },
}

/// Bands of lines across a region.
#[derive(Debug, Clone, Copy)]
struct Bands {
    count: usize,
    lines: usize,
    height: f32,
    /// How much they are sharpened, in this order.
    sharpness: &'static [f32],
    /// So many bands without a text end it: where there are too few edges for one, and in any case.
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

/// Whether enough bands say the same, and none between them something else at that place.
fn is_agreed(vote: &Vote, votes: &[Vote]) -> bool {
    let (mut first, mut last, mut count) = (f32::INFINITY, f32::NEG_INFINITY, 0);
    for other in votes.iter().filter(|other| is_same(other, vote)) {
        (first, last, count) = (first.min(other.along), last.max(other.along), count + 1);
    }
    let is_disputed = votes.iter().any(|other| {
        other.row.text != vote.row.text
            && overlaps(&other.row, &vote.row)
            && (first..=last).contains(&other.along)
    });
    let needed =
        if vote.symbology == Symbology::Code128 { AGREEING_MIN } else { UNCHECKED_AGREEING_MIN };
    count >= needed && !is_disputed
}

/// Whether nearly all bars follow each other at one pitch: POSTNET and Intelligent Mail do, no other symbol does.
fn is_even(edges: &[f32]) -> bool {
    let pitches = || edges.windows(3).step_by(2).map(|window| window[2] - window[0]);
    let count = pitches().count();
    if 2 * count < EDGES_MIN {
        return false;
    }
    let mean = pitches().sum::<f32>() / count as f32;
    let even = pitches().filter(|pitch| (pitch / mean - 1.0).abs() < EVEN_SHARE).count();
    EVEN_OF_TEN * count <= 10 * even
}

fn is_same(one: &Vote, other: &Vote) -> bool {
    let length = (one.row.to - one.row.from).abs();
    let drift = (one.row.from - other.row.from).abs().max((one.row.to - other.row.to).abs());
    one.symbology == other.symbology
        && one.row.text == other.row.text
        && drift < length * DRIFT_SHARE + DRIFT_MIN
}

/// Tells every symbol on a line, from left to right.
fn scan(
    edges: &[f32],
    paper_before: f32,
    wanted: &[Symbology],
    tell: &mut dyn FnMut(Symbology, Row),
) {
    let mut told = 0;
    let mut at = 0;
    while at + 6 < edges.len() && told < SYMBOLS_PER_LINE_MAX {
        let quiet = if at == 0 { paper_before } else { edges[at] - edges[at - 1] };
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

fn overlaps(one: &Row, other: &Row) -> bool {
    let ends = |row: &Row| [row.from.min(row.to), row.from.max(row.to)];
    let ([a, b], [c, d]) = (ends(one), ends(other));
    a < d && c < b
}

/// The darkest and the lightest of some levels.
fn range(levels: &[f32]) -> [f32; 2] {
    let start = [f32::INFINITY, f32::NEG_INFINITY];
    levels.iter().fold(start, |[dark, light], level| [dark.min(*level), light.max(*level)])
}

/// The steepest slope a pixel, as a share of the contrast.
fn steepness(levels: &[f32]) -> f32 {
    let range = [f32::INFINITY, f32::NEG_INFINITY];
    let [dark, light] =
        levels.iter().fold(range, |[dark, light], level| [dark.min(*level), light.max(*level)]);
    let slopes = levels.windows(3).map(|window| (window[2] - window[0]).abs() / 2.0);
    slopes.fold(0.0, f32::max) / (light - dark).max(1.0)
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
    let corners = [[row.from, top], [row.to, top], [row.to, bottom], [row.from, bottom]]
        .map(|[across, along]| lines.at(across, along));
    Bars { symbology, identifier: row.identifier, text: row.text, corners }
}

/// The edges between elements of these widths, a bar first.
#[cfg(test)]
fn edges_of(widths: impl Iterator<Item = f32>) -> Vec<f32> {
    let mut at = 30.0;
    let mut edges = vec![at];
    for width in widths {
        at += width;
        edges.push(at);
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::image::{Picture, draw_symbol};
    use crate::decode::profile::Aligner;

    fn drawn(symbology: Symbology, text: &str) -> Picture {
        draw_symbol(symbology, text, 3).unwrap()
    }

    /// Pictures one below the other.
    fn stacked(pictures: &[Picture]) -> Picture {
        let width = pictures.iter().map(Picture::width).max().unwrap();
        let rows = pictures.iter().flat_map(|picture| {
            let own = picture.width() as usize;
            picture.luma().chunks(own).flat_map(move |row| {
                let mut row = row.to_vec();
                row.resize(width as usize, u8::MAX);
                row
            })
        });
        let luma: Vec<u8> = rows.collect();
        Picture::from_luma(width, luma.len() as u32 / width, luma).unwrap()
    }

    fn whole(picture: &Picture) -> Region {
        let [width, height] = [picture.width() as f32, picture.height() as f32];
        Region {
            center: [(width - 1.0) / 2.0, (height - 1.0) / 2.0],
            across: [1.0, 0.0],
            length: width,
            height,
            strength: 0.0,
            axis: [1.0, 0.0],
        }
    }

    fn texts(picture: &Picture, region: Region) -> Vec<String> {
        let gray = Gray::of(picture);
        let search = Search { gray, sigma: 0.0, wanted: &Symbology::ALL };
        let (mut aligner, mut reader) = (Aligner::default(), BarsReader::default());
        let runs = aligner.align(gray, region, 0.0);
        let found = runs.iter().flat_map(|run| reader.read(&search, *run).found);
        found.map(|bars| String::from_utf8(bars.text).unwrap()).collect()
    }

    #[test]
    fn symbols_one_above_the_other_are_both_read() {
        let both = [drawn(Symbology::Code128, "20261104"), drawn(Symbology::Code39, "ABC123")];
        let picture = stacked(&both);
        let mut read = texts(&picture, whole(&picture));
        read.sort();
        assert_eq!(read, ["20261104", "ABC123"]);
    }

    #[test]
    fn corners_turn_with_the_symbol() {
        let upright = drawn(Symbology::Code128, "20261104");
        let turned: Vec<u8> = upright.luma().iter().rev().copied().collect();
        let turned = Picture::from_luma(upright.width(), upright.height(), turned).unwrap();
        let corners = |picture: &Picture| {
            let search =
                Search { gray: Gray::of(picture), sigma: 0.0, wanted: &[Symbology::Code128] };
            BarsReader::default().read(&search, whole(picture)).found[0].corners
        };
        let (one, other) = (corners(&upright), corners(&turned));
        let [width, height] = [upright.width() as f32 - 1.0, upright.height() as f32 - 1.0];
        for (one, other) in one.iter().zip(other) {
            let back = [width - other[0], height - other[1]];
            assert!(
                (one[0] - back[0]).abs() < 2.0 && (one[1] - back[1]).abs() < 8.0,
                "{one:?} {back:?}"
            );
        }
        assert!(one[0][0] < one[1][0] && one[0][1] < one[2][1], "{one:?}");
    }

    #[test]
    fn a_number_of_noughts_is_not_taken_for_a_postal_code() {
        for text in ["00000000", "1111111111", "0000000000000000"] {
            let picture = drawn(Symbology::Code128, text);
            assert_eq!(texts(&picture, whole(&picture)), [text]);
        }
    }

    #[test]
    fn lines_that_contradict_each_other_are_no_symbol() {
        let vote = |text: &[u8], along: f32| Vote {
            symbology: Symbology::Code128,
            row: Row {
                text: text.to_vec(),
                identifier: SymbologyIdentifier::new(b'C', b'0').unwrap(),
                from: 10.0,
                to: 200.0,
                edges: 50,
            },
            along,
        };
        let agreeing = [vote(b"1", 0.0), vote(b"1", 9.0)];
        assert!(is_agreed(&agreeing[0], &agreeing));
        let disputed = [vote(b"1", 0.0), vote(b"1", 9.0), vote(b"2", 4.0)];
        assert!(!is_agreed(&disputed[0], &disputed));
        let apart = [vote(b"1", 0.0), vote(b"1", 9.0), vote(b"2", 40.0)];
        assert!(is_agreed(&apart[0], &apart));
        let unchecked = agreeing.map(|vote| Vote { symbology: Symbology::Itf, ..vote });
        assert!(!is_agreed(&unchecked[0], &unchecked));
    }
}
