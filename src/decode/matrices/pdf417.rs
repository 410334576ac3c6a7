//! PDF417 by its modules (ISO/IEC 15438): start and stop patterns tell where every column stands, the row indicators how many rows
//! there are, and each codeword is the one of its cluster's 929 that looks most like the pixels.
//!
//! Nothing is thresholded: rows are averaged along their bars, and patterns are compared as blurred as the picture is. What is
//! still read wrong is corrected by the symbol's own error correction, of which [`SPARE`] codewords must be left over.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "pixel loops: every index is clamped or counted by the loop itself, and no side has 2^24 pixels"
)]

use super::super::gray::Gray;
use super::super::image::Found;
use super::super::image::matrix::{pdf417_patterns, pdf417_symbol};
use super::crop::Crop;
use super::guards::{self, Guard};

/// How many pixels of a crop above and below the symbol are no part of it.
pub(super) const MARGIN: f32 = 12.0;

/// Modules of a codeword.
const MODULES: usize = 17;

/// Codewords of a cluster.
const CODEWORDS: usize = 929;

const COLUMNS_MAX: usize = 30;
const ROWS_MIN: usize = 3;
const ROWS_MAX: usize = 90;

/// The standard says at least 3 modules; printers are as good as they are.
const ROW_MODULES_MIN: f32 = 1.5;
const ROW_MODULES_MAX: f32 = 14.0;

/// Bands of a crop in which start and stop are looked for each on its own.
const BANDS: usize = 4;

/// So many rows of a band are averaged: noise is a third of what it was.
const BAND_ROWS_MAX: usize = 10;

/// A guard may lean by so much against the crop, and its module differ by this share from one band to another.
const DRIFT_MAX: f32 = 0.06;
const STRETCH_MAX: f32 = 0.12;

/// How far a symbol is looked for beyond the crop: modules of 20 columns, and rows of pixels up and down.
const REACH_MODULES: f32 = 17.0 * 24.0;
const REACH_ROWS: u16 = 600;

/// A bar may be interrupted for so many rows of pixels.
const GAP_ROWS_MAX: usize = 2;

/// The lowest symbol, in pixels.
const HEIGHT_MIN: f32 = 8.0;

/// The most lines that a symbol is sampled at.
const LINES_MAX: usize = 512;

/// How well the row indicators must look like what they have to say.
const INDICATORS_MIN: f32 = 0.5;

/// So many pairs of error correction codewords are not used up: each makes a chance reading 900,000 times less likely.
const SPARE: usize = 1;

/// Levels of blur that codewords are compared at, and how much of a module's light each adds to a neighbor.
const BLURS: usize = 5;
const BLUR_STEP: f32 = 0.06;

/// The column averages of one band.
#[derive(Debug, Default, Clone)]
struct Band {
    y: f32,
    sums: Vec<u16>,
    levels: Vec<f32>,
}

/// Where the symbol stands on its crop: the left ends of start and stop as lines `x = at + slope * y`, and their upper and lower
/// ends.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: Edge,
    stop: Edge,
    module: f32,
    columns: usize,
    blur: usize,
}

#[derive(Debug, Clone, Copy)]
struct Edge {
    at: f32,
    slope: f32,
    module: f32,
    top: f32,
    bottom: f32,
}

impl Edge {
    const fn x(&self, y: f32) -> f32 {
        self.at + self.slope * y
    }
}

/// How a symbol is divided.
#[derive(Debug, Clone, Copy)]
struct Shape {
    rows: usize,
    level: u32,
    score: f32,
}

/// Reads PDF417; its buffers are used again for the next.
#[derive(Debug, Default)]
pub(super) struct Reader {
    row: Vec<u8>,
    bands: Vec<Band>,
    /// By band.
    guards: Vec<(usize, Guard)>,
    sharpness: f32,
    patterns: Option<[Vec<u32>; 3]>,
    /// By blur: for each cluster and each module, how dark it is in each codeword.
    templates: [Vec<f32>; BLURS],
    /// Sums of the lines from the first on, each a module of every codeword column.
    sums: Vec<f32>,
    lines: usize,
    width: usize,
    scores: Vec<f32>,
}

impl Reader {
    /// The symbol on a crop whose x axis lies across the bars, whichever way up; its corners in pixels of the picture. The crop
    /// needs no pixels.
    pub(super) fn read(&mut self, gray: Gray<'_>, crop: &mut Crop) -> Option<Found> {
        self.average(gray, crop);
        let whole = (crop.clone(), self.bands.clone());
        self.read_upright(gray, crop).or_else(|| {
            (*crop, self.bands) = whole;
            self.turn_over(crop);
            self.read_upright(gray, crop)
        })
    }

    fn turn_over(&mut self, crop: &mut Crop) {
        crop.turn_over();
        for band in &mut self.bands {
            band.y = crop.height as f32 - band.y;
            band.levels.reverse();
        }
    }

    fn read_upright(&mut self, gray: Gray<'_>, crop: &mut Crop) -> Option<Found> {
        let (mut start, module) = self.starts()?;
        let mut stop = self.stops(start, module);
        if stop.is_none() {
            // Only a part of the symbol was found: what is to the right of it may be the rest.
            let y = crop.height as f32 / 2.0;
            crop.reach(start.x(y) - 3.0 * module, REACH_MODULES * module);
            self.average(gray, crop);
            start = self.starts()?.0;
            stop = self.stops(start, module);
        }
        let place = self.locate(View { gray, crop }, start, stop?)?;
        self.build_templates(place.blur);
        self.sample(View { gray, crop }, &place);
        let shape = self.shape(&place)?;
        let mut codewords = self.codewords(&place, &shape);
        let total = codewords.len() as u32;
        let corrections = 2 << shape.level;
        let (symbol, n_wrong) = pdf417_symbol(&mut codewords, shape.level)?;
        // The first codeword says how many there are without the corrections.
        let is_whole = codewords.first() == Some(&(total - corrections));
        let is_sure = n_wrong + SPARE <= corrections as usize / 2;
        (is_whole && is_sure)
            .then(|| Found { symbol, corners: crop.corners_on_picture(&corners(&place)) })
    }

    /// The left end of the start pattern, and how wide a module is.
    fn starts(&mut self) -> Option<(Edge, f32)> {
        self.guards.clear();
        for (i, band) in self.bands.iter().enumerate() {
            self.guards.extend(guards::start(&band.levels).map(|guard| (i, guard)));
        }
        let (edge, module) = self.line()?;
        let sharpness =
            |(band, guard): &(usize, Guard)| guards::sharpness(&self.bands[*band].levels, guard);
        self.sharpness = self.guards.iter().map(sharpness).fold(0.0, f32::max);
        Some((edge, module))
    }

    /// The left end of the stop pattern.
    fn stops(&mut self, start: Edge, module: f32) -> Option<Edge> {
        self.guards.clear();
        for (i, band) in self.bands.iter().enumerate() {
            let start = Guard { x: start.x(band.y), module, score: 0.0 };
            self.guards.extend(guards::stop(&band.levels, &start).map(|guard| (i, guard)));
        }
        self.line().map(|(edge, _)| edge)
    }

    fn locate(&self, view: View<'_>, start: Edge, stop: Edge) -> Option<Place> {
        let middle = view.crop.height as f32 / 2.0;
        let width = stop.x(middle) - start.x(middle);
        let columns = (width / (MODULES as f32 * start.module)).round() as usize;
        let columns =
            columns.checked_sub(3).filter(|columns| (1..=COLUMNS_MAX).contains(columns))?;
        let module = width / (MODULES * (columns + 3)) as f32;
        let blur = (((1.0 - self.sharpness) / 4.0 / BLUR_STEP).round() as usize).min(BLURS - 1);
        let start = ends(view, start, module, 8.0)?;
        let stop = ends(view, stop, module, 7.0)?;
        Some(Place { start, stop, module, columns, blur })
    }

    /// Averages the crop's columns over some rows of each band.
    fn average(&mut self, gray: Gray<'_>, crop: &Crop) {
        self.bands.resize_with(BANDS, Band::default);
        let margin = MARGIN as usize;
        let height = crop.height.saturating_sub(2 * margin).max(1);
        for (i, band) in self.bands.iter_mut().enumerate() {
            let [from, to] = [i, i + 1].map(|end| margin + height * end / BANDS);
            let from = from.min(crop.height - 1);
            let to = to.clamp(from + 1, crop.height.max(from + 1));
            let n_rows = (to - from).min(BAND_ROWS_MAX);
            band.sums.clear();
            band.sums.resize(crop.width, 0);
            for row in 0..n_rows {
                self.row.clear();
                crop.add_row(
                    &mut self.row,
                    gray,
                    from + (2 * row + 1) * (to - from) / (2 * n_rows),
                );
                for (sum, luma) in band.sums.iter_mut().zip(&self.row) {
                    *sum += u16::from(*luma);
                }
            }
            band.y = (from + to) as f32 / 2.0;
            band.levels.clear();
            band.levels.extend(band.sums.iter().map(|sum| f32::from(*sum) / n_rows as f32));
        }
    }

    /// The line through those guards that agree, at least half of the bands, and their module.
    fn line(&mut self) -> Option<(Edge, f32)> {
        let guards = &mut self.guards;
        let agree = |(i, one): &(usize, Guard), (j, other): &(usize, Guard)| {
            let far = (self.bands[*i].y - self.bands[*j].y).abs() * DRIFT_MAX + one.module;
            (other.module / one.module - 1.0).abs() < STRETCH_MAX && (other.x - one.x).abs() < far
        };
        let support = |one: &(usize, Guard)| {
            guards
                .iter()
                .filter(|other| agree(one, other))
                .map(|(_, other)| other.score)
                .sum::<f32>()
        };
        let best = *guards.iter().max_by(|one, other| support(one).total_cmp(&support(other)))?;
        guards.retain(|guard| agree(&best, guard));
        if guards.len() * 2 < BANDS {
            return None;
        }
        let n = guards.len() as f32;
        let mean_y = guards.iter().map(|(i, _)| self.bands[*i].y).sum::<f32>() / n;
        let mean_x = guards.iter().map(|(_, guard)| guard.x).sum::<f32>() / n;
        let (mut product, mut square) = (0.0, 0.0);
        for (i, guard) in guards.iter() {
            let y = self.bands[*i].y - mean_y;
            product += y * (guard.x - mean_x);
            square += y * y;
        }
        let slope = product / square.max(1.0);
        let module = guards.iter().map(|(_, guard)| guard.module).sum::<f32>() / n;
        Some((Edge { at: mean_x - slope * mean_y, slope, module, top: 0.0, bottom: 0.0 }, module))
    }

    fn build_templates(&mut self, blur: usize) {
        let templates = &mut self.templates[blur];
        if !templates.is_empty() {
            return;
        }
        let patterns = self.patterns.get_or_insert_with(pdf417_patterns);
        templates.resize(3 * MODULES * CODEWORDS, 0.0);
        let aside = blur as f32 * BLUR_STEP;
        for (cluster, codewords) in patterns.iter().enumerate() {
            for (codeword, pattern) in codewords.iter().enumerate() {
                for (module, level) in blurred(*pattern, aside).into_iter().enumerate() {
                    templates[(cluster * MODULES + module) * CODEWORDS + codeword] = level;
                }
            }
        }
    }

    /// Samples every module of every codeword along lines through the symbol, about a pixel apart.
    fn sample(&mut self, view: View<'_>, place: &Place) {
        let Place { start, stop, columns, .. } = *place;
        let height = f32::midpoint(start.bottom - start.top, stop.bottom - stop.top);
        self.lines = (height.round() as usize).clamp(1, LINES_MAX);
        self.width = MODULES * (columns + 2);
        self.sums.clear();
        self.sums.resize(self.width * (self.lines + 1), 0.0);
        let all = (MODULES * (columns + 3)) as f32;
        let aside = if place.module < 2.5 { 0.0 } else { 0.22 / all };
        for line in 0..self.lines {
            let share = (line as f32 + 0.5) / self.lines as f32;
            let [y, right_y] =
                [start, stop].map(|edge| edge.top + (edge.bottom - edge.top) * share);
            let (x, right_x) = (start.x(y), stop.x(right_y));
            let (before, here) = self.sums.split_at_mut(self.width * (line + 1));
            let before = &before[self.width * line..];
            for (i, (sum, above)) in here.iter_mut().zip(before).enumerate() {
                let along = ((MODULES + i) as f32 + 0.5) / all;
                let at =
                    |along: f32| view.level(x + (right_x - x) * along, y + (right_y - y) * along);
                let level = if aside > 0.0 {
                    f32::midpoint(at(along - aside), at(along + aside))
                } else {
                    at(along)
                };
                *sum = above - level;
            }
        }
    }

    /// How dark the modules of a codeword column are in a row, on average 0.
    fn modules(&self, rows: usize, row: usize, column: usize) -> [f32; MODULES] {
        let height = self.lines as f32 / rows as f32;
        let inset = (height * 0.22).max(0.0);
        let from = (row as f32 * height + inset).round() as usize;
        let to = ((row + 1) as f32 * height - inset).round() as usize;
        let from = from.min(self.lines - 1);
        let to = to.clamp(from + 1, self.lines);
        let [upper, lower] =
            [from, to].map(|line| &self.sums[line * self.width + column * MODULES..][..MODULES]);
        let mut modules = [0.0; MODULES];
        let mut mean = 0.0;
        for (module, (upper, lower)) in modules.iter_mut().zip(upper.iter().zip(lower)) {
            *module = lower - upper;
            mean += *module / MODULES as f32;
        }
        let mut square = 0.0;
        for module in &mut modules {
            *module -= mean;
            square += *module * *module;
        }
        let scale = 1.0 / square.max(1e-3).sqrt();
        modules.map(|module| module * scale)
    }

    /// How much modules look like a codeword.
    fn likeness(
        &self,
        blur: usize,
        modules: &[f32; MODULES],
        cluster: usize,
        codeword: usize,
    ) -> f32 {
        let templates = &self.templates[blur];
        let at = |module: usize| templates[(cluster * MODULES + module) * CODEWORDS + codeword];
        modules.iter().enumerate().map(|(i, level)| level * at(i)).sum()
    }

    /// The count of rows and the level of correction for which the row indicators look most like what they have to say.
    fn shape(&self, place: &Place) -> Option<Shape> {
        let mut best: Option<Shape> = None;
        for rows in ROWS_MIN..=ROWS_MAX {
            let height = self.lines as f32 / rows as f32 / place.module;
            let is_possible = (ROW_MODULES_MIN..ROW_MODULES_MAX).contains(&height)
                && rows * place.columns < CODEWORDS;
            if !is_possible {
                continue;
            }
            let shape = self.shape_of(place, rows);
            if best.is_none_or(|best| best.score < shape.score) {
                best = Some(shape);
            }
        }
        best.filter(|shape| shape.score > INDICATORS_MIN)
            .filter(|shape| (2_usize << shape.level) + 1 < shape.rows * place.columns)
    }

    fn shape_of(&self, place: &Place, rows: usize) -> Shape {
        let thirds = (rows - 1) / 3;
        let rest = (rows - 1) % 3;
        let mut sum = 0.0;
        let mut levels = [0.0_f32; 9];
        for row in 0..rows {
            let (cluster, base) = (row % 3, row / 3 * 30);
            let left = self.modules(rows, row, 0);
            let right = self.modules(rows, row, place.columns + 1);
            let columns = place.columns - 1;
            let known = match cluster {
                0 => [(&left, thirds), (&right, columns)],
                1 => [(&right, thirds), (&right, thirds)],
                _ => [(&left, columns), (&left, columns)],
            };
            let likeness = |(modules, says): (&[f32; MODULES], usize)| {
                self.likeness(place.blur, modules, cluster, base + says)
            };
            let n_known = if cluster == 0 { 2 } else { 1 };
            sum += known.into_iter().take(n_known).map(likeness).sum::<f32>();
            let leveled = match cluster {
                0 => continue,
                1 => &left,
                _ => &right,
            };
            for (level, sum) in levels.iter_mut().enumerate() {
                *sum += likeness((leveled, level * 3 + rest));
            }
        }
        let (level, of_level) = levels
            .iter()
            .enumerate()
            .max_by(|(_, one), (_, other)| one.total_cmp(other))
            .map_or((0, 0.0), |(level, sum)| (level, *sum));
        Shape { rows, level: level as u32, score: (sum + of_level) / (2 * rows) as f32 }
    }

    fn codewords(&mut self, place: &Place, shape: &Shape) -> Vec<u32> {
        let mut codewords = Vec::with_capacity(shape.rows * place.columns);
        let mut scores = std::mem::take(&mut self.scores);
        for row in 0..shape.rows {
            for column in 1..=place.columns {
                let modules = self.modules(shape.rows, row, column);
                let cluster = &self.templates[place.blur][row % 3 * MODULES * CODEWORDS..];
                scores.clear();
                scores.resize(CODEWORDS, 0.0);
                for (level, templates) in modules.iter().zip(cluster.chunks_exact(CODEWORDS)) {
                    for (score, template) in scores.iter_mut().zip(templates) {
                        *score += level * template;
                    }
                }
                codewords.push(highest(&scores) as u32);
            }
        }
        self.scores = scores;
        codewords
    }
}

fn highest(scores: &[f32]) -> usize {
    let mut best = 0;
    for (i, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = i;
        }
    }
    best
}

/// A codeword's modules after each gave `aside` of itself to each neighbor; on average 0, of length 1. A space stands before
/// every codeword and a bar after it.
fn blurred(pattern: u32, aside: f32) -> [f32; MODULES] {
    let dark = |module: usize| (pattern >> (MODULES - 1 - module) & 1) as f32;
    let mut levels = [0.0; MODULES];
    for (module, level) in levels.iter_mut().enumerate() {
        let before = if module == 0 { 0.0 } else { dark(module - 1) };
        let after = if module == MODULES - 1 { 1.0 } else { dark(module + 1) };
        *level = dark(module) * (1.0 - 2.0 * aside) + (before + after) * aside;
    }
    let mean = levels.iter().sum::<f32>() / MODULES as f32;
    let levels = levels.map(|level| level - mean);
    let scale = 1.0 / levels.iter().map(|level| level * level).sum::<f32>().max(1e-3).sqrt();
    levels.map(|level| level * scale)
}

/// A picture as a crop lies on it; places off the crop too.
#[derive(Clone, Copy)]
struct View<'a> {
    gray: Gray<'a>,
    crop: &'a Crop,
}

impl View<'_> {
    /// The gray level at a place; the crop's first pixel reaches from 0 to 1.
    fn level(self, x: f32, y: f32) -> f32 {
        let [x, y] = self.crop.on_picture([x - 0.5, y - 0.5]);
        self.gray.between(x, y)
    }
}

/// Follows the wide bar of a guard up and down to where it ends.
fn ends(view: View<'_>, edge: Edge, module: f32, wide: f32) -> Option<Edge> {
    let darkness = |y: f32| {
        let x = edge.x(y) + module;
        let step = (wide - 2.0) * module / 3.0;
        (0..4_u8).map(|i| view.level(x + step * f32::from(i), y)).sum::<f32>() / 4.0
    };
    let middle = view.crop.height as f32 / 2.0;
    let rows = [-6.0, -3.0, 0.0, 3.0, 6.0].map(|offset| middle + offset);
    let mut dark = rows.map(darkness);
    let mut quiet = rows.map(|y| view.level(edge.x(y) - 0.8 * module, y));
    dark.sort_by(f32::total_cmp);
    quiet.sort_by(f32::total_cmp);
    let limit = f32::midpoint(dark[2], quiet[2]);
    let reach = |sign: f32| {
        let (mut last, mut light) = (0.0, 0);
        for step in 1..=REACH_ROWS {
            let step = sign * f32::from(step);
            if darkness(middle + step) <= limit {
                (last, light) = (step, 0);
            } else {
                light += 1;
                if light > GAP_ROWS_MAX {
                    break;
                }
            }
        }
        middle + last + sign / 2.0
    };
    let (top, bottom) = (reach(-1.0), reach(1.0));
    (bottom - top > HEIGHT_MIN).then_some(Edge { top, bottom, ..edge })
}

fn corners(place: &Place) -> super::super::quad::Corners {
    let Place { start, stop, module, .. } = *place;
    let right = 18.0 * module;
    [
        [start.x(start.top), start.top],
        [stop.x(stop.top) + right, stop.top],
        [stop.x(stop.bottom) + right, stop.bottom],
        [start.x(start.bottom), start.bottom],
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codeword_looks_most_like_itself_however_blurred() {
        let [patterns, ..] = pdf417_patterns();
        for aside in [0.0, 0.12, 0.24] {
            let templates: Vec<_> =
                patterns.iter().map(|pattern| blurred(*pattern, aside)).collect();
            for (codeword, seen) in templates.iter().enumerate().step_by(37) {
                let likeness: Vec<f32> = templates
                    .iter()
                    .map(|template| template.iter().zip(seen).map(|(one, two)| one * two).sum())
                    .collect();
                assert_eq!(highest(&likeness), codeword, "blurred by {aside}");
            }
        }
    }
}
