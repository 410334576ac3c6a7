//! Square grids of modules (QR Code, Data Matrix) by their outline: the box that white surrounds, its sides as lines, the count of
//! modules by the rhythm of the edges between, and then every module where it must stand.
//!
//! What the fixed patterns of a symbology say has to be there before anything is decoded; so a square of random modules, a stamp
//! or a logo costs little and is never a number.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "pixel loops: every index is clamped or counted by the loop itself, and no side has 2^24 pixels"
)]

use super::super::quad::Corners;
use super::crop::Crop;

/// The narrowest module, in pixels.
const MODULE_MIN: f32 = 1.7;

/// The fewest and the most modules of a side: Data Matrix begins at 10 (8 high), the largest QR Code has 177.
const SIDE_MIN: usize = 8;
const SIDE_MAX: usize = 177;

/// White this wide, in pixels, bounds a symbol: a module or more.
const QUIET: usize = 3;

/// A column or row that has less than this share of dark is white.
const WHITE_SHARE: f32 = 0.025;

/// Where a side may lie away from the box that was found first, in pixels.
const SIDE_REACH: f32 = 5.0;

/// How many counts of modules are tried for each side: the best.
const COUNTS_TRIED: usize = 4;

/// The share of a symbology's fixed patterns that must be there: to look closer, to decode, and to look no further.
const PROMISING_MIN: f32 = 0.70;
const LIKENESS_MIN: f32 = 0.82;
const CERTAIN: f32 = 0.97;

/// A module may be wider than high by this share, or the other way round: the picture was taken from a side.
const OBLIQUE_MAX: f32 = 0.15;

/// The symbologies that are grids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Qr,
    DataMatrix,
}

/// The modules of a symbol, row by row from the top; `true` is dark.
#[derive(Debug, Default)]
pub(super) struct Grid {
    pub(super) columns: usize,
    rows: usize,
    pub(super) is_dark: Vec<bool>,
    levels: Vec<f32>,
}

/// A box on a crop that white surrounds, by its corners: clockwise from the top left, where the first pixel reaches from 0 to 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outline {
    pub(super) corners: Corners,
    middle: f32,
}

/// Half way between dark and light, of what changes on the crop's inner half.
fn middle_level(crop: &Crop) -> f32 {
    let mut counts = [0_u32; 256];
    let mut all = 0;
    let (left, right) = (crop.width / 4, crop.width - crop.width / 4);
    for y in (crop.height / 4..crop.height - crop.height / 4).step_by(2) {
        for luma in &crop.luma[y * crop.width + left..y * crop.width + right] {
            counts[usize::from(*luma)] += 1;
            all += 1;
        }
    }
    let level = |share: u32| {
        let mut below = 0;
        counts.iter().position(|count| {
            below += count;
            below * 100 > all * share
        })
    };
    let [dark, light] = [level(6).unwrap_or(0), level(94).unwrap_or(255)];
    (dark + light) as f32 / 2.0
}

/// The outline of what stands in the middle of the crop.
pub(super) fn outline(crop: &Crop) -> Option<Outline> {
    let middle = middle_level(crop);
    let (mut columns, mut rows) = (0..crop.width, crop.height / 3..crop.height - crop.height / 3);
    for _round in 0..3 {
        columns = bounded(crop.width, |x| {
            let dark =
                rows.clone().filter(|y| f32::from(crop.luma[y * crop.width + x]) < middle).count();
            dark as f32 / rows.len().max(1) as f32
        })?;
        rows = bounded(crop.height, |y| {
            let row = &crop.luma[y * crop.width..][..crop.width][columns.clone()];
            let dark = row.iter().filter(|luma| f32::from(**luma) < middle).count();
            dark as f32 / columns.len().max(1) as f32
        })?;
    }
    let [left, right] = [columns.start, columns.end].map(|side| side as f32);
    let [top, bottom] = [rows.start, rows.end].map(|side| side as f32);
    if right - left < SIDE_MIN as f32 * MODULE_MIN || bottom - top < SIDE_MIN as f32 * MODULE_MIN {
        return None;
    }
    // The sides as lines, each through the outermost dark of many scan lines across it.
    let across = |x: f32, y: f32| level(crop, x, y);
    let down = |y: f32, x: f32| level(crop, x, y);
    let left = side(&across, [left, 1.0], [top, bottom], middle)?;
    let right = side(&across, [right, -1.0], [top, bottom], middle)?;
    let top_line = side(&down, [top, 1.0], [columns.start as f32, columns.end as f32], middle)?;
    let bottom_line =
        side(&down, [bottom, -1.0], [columns.start as f32, columns.end as f32], middle)?;
    let corners = [(left, top_line), (right, top_line), (right, bottom_line), (left, bottom_line)]
        .map(|(upright, lying)| crossing(upright, lying));
    Some(Outline { corners, middle })
}

/// The stretch around the middle that white bounds on both sides.
fn bounded(length: usize, dark: impl Fn(usize) -> f32) -> Option<std::ops::Range<usize>> {
    let middle = length / 2;
    let reach = |places: &mut dyn Iterator<Item = usize>| {
        let (mut last, mut white) = (middle, 0);
        for place in places {
            if dark(place) < WHITE_SHARE {
                white += 1;
                if white >= QUIET {
                    return Some(last);
                }
            } else {
                (last, white) = (place, 0);
            }
        }
        (white > 0).then_some(last)
    };
    let start = reach(&mut (0..middle).rev())?;
    let end = reach(&mut (middle..length))?;
    Some(start..end + 1)
}

/// The line `at + slope * along` of a side: scan lines enter from outside, towards `sign`; where they first meet dark, the
/// outermost places make the line.
fn side(
    level: &impl Fn(f32, f32) -> f32,
    [near, sign]: [f32; 2],
    [from, to]: [f32; 2],
    middle: f32,
) -> Option<[f32; 2]> {
    let mut places: Vec<[f32; 2]> = Vec::new();
    let step = ((to - from) / 64.0).max(1.0);
    let mut along = from + 1.5;
    while along < to - 1.5 {
        let mut before = level(near - sign * SIDE_REACH, along);
        let mut depth = -SIDE_REACH;
        while depth < SIDE_REACH * 1.6 {
            depth += 1.0;
            let here = level(near + sign * depth, along);
            if before >= middle && here < middle {
                let share = (before - middle) / (before - here).max(1.0);
                places.push([along, depth - 1.0 + share]);
                break;
            }
            before = here;
        }
        along += step;
    }
    if places.len() < 6 {
        return None;
    }
    // The outermost line: again and again without those that lie deeper than most.
    let mut kept = places;
    let mut line = [0.0; 2];
    for tolerance in [4.0, 2.0, 1.2, 0.8, 0.6] {
        line = fit(&kept);
        let depth = |place: &[f32; 2]| place[1] - line[0] - line[1] * place[0];
        let inner: Vec<[f32; 2]> =
            kept.iter().copied().filter(|place| depth(place) < tolerance).collect();
        if inner.len() < 6 {
            break;
        }
        kept = inner;
    }
    if kept.len() >= 6 {
        line = fit(&kept);
    }
    Some([near + sign * line[0], sign * line[1]])
}

/// The sizes of ISO/IEC 16022, table 7: square ones, and six that are not.
fn is_data_matrix(columns: usize, rows: usize) -> bool {
    const SQUARE: [usize; 24] = [
        10, 12, 14, 16, 18, 20, 22, 24, 26, 32, 36, 40, 44, 48, 52, 64, 72, 80, 88, 96, 104, 120,
        132, 144,
    ];
    const OBLONG: [[usize; 2]; 6] = [[18, 8], [32, 8], [26, 12], [36, 12], [36, 16], [48, 16]];
    if columns == rows {
        SQUARE.contains(&columns)
    } else {
        OBLONG.contains(&[columns, rows]) || OBLONG.contains(&[rows, columns])
    }
}

/// The line of least squares through the places: at 0, and its slope.
fn fit(places: &[[f32; 2]]) -> [f32; 2] {
    let n = places.len() as f32;
    let mean = places.iter().fold([0.0; 2], |[x, y], place| [x + place[0] / n, y + place[1] / n]);
    let (mut product, mut square) = (0.0, 0.0);
    for [x, y] in places {
        product += (x - mean[0]) * (y - mean[1]);
        square += (x - mean[0]) * (x - mean[0]);
    }
    let slope = product / square.max(1.0);
    [mean[1] - slope * mean[0], slope]
}

/// Where an upright line `x = at + slope * y` meets a lying one `y = at + slope * x`.
fn crossing(upright: [f32; 2], lying: [f32; 2]) -> [f32; 2] {
    let y = (lying[0] + lying[1] * upright[0]) / (1.0 - lying[1] * upright[1]).max(0.1);
    [upright[0] + upright[1] * y, y]
}

/// The level at a place; the crop's first pixel reaches from 0 to 1.
fn level(crop: &Crop, x: f32, y: f32) -> f32 {
    let x = (x - 0.5).clamp(0.0, (crop.width - 1) as f32);
    let y = (y - 0.5).clamp(0.0, (crop.height - 1) as f32);
    let (left, top) = (x as usize, y as usize);
    let (right, below) = ((left + 1).min(crop.width - 1), (top + 1).min(crop.height - 1));
    let (dx, dy) = (x - left as f32, y - top as f32);
    let pixel = |x: usize, y: usize| f32::from(crop.luma[y * crop.width + x]);
    let upper = pixel(left, top) + (pixel(right, top) - pixel(left, top)) * dx;
    let lower = pixel(left, below) + (pixel(right, below) - pixel(left, below)) * dx;
    upper + (lower - upper) * dy
}

fn length(from: [f32; 2], to: [f32; 2]) -> f32 {
    (to[0] - from[0]).hypot(to[1] - from[1])
}

impl Outline {
    /// In pixels, along the upper and the left side.
    pub(super) fn size(&self) -> [f32; 2] {
        let [left, right, last, below] = self.corners;
        [
            f32::midpoint(length(left, right), length(below, last)),
            f32::midpoint(length(left, below), length(right, last)),
        ]
    }

    /// The sizes in modules that a symbol of the symbology may have here, the likeliest first.
    pub(super) fn sizes(&self, crop: &Crop, kind: Kind) -> Vec<[usize; 2]> {
        let [width, height] = self.size();
        let is_count = |count: usize| match kind {
            // ISO/IEC 18004, 6.1.1.
            Kind::Qr => count >= 21 && count % 4 == 1,
            Kind::DataMatrix => count.is_multiple_of(2) && count <= 144,
        };
        let is_size = |[columns, rows]: &[usize; 2]| {
            let module = (width / *columns as f32) / (height / *rows as f32);
            (module - 1.0).abs() < OBLIQUE_MAX
                && match kind {
                    Kind::Qr => columns == rows,
                    Kind::DataMatrix => is_data_matrix(*columns, *rows),
                }
        };
        let [along_x, along_y] = self.counts(crop, is_count);
        let pairs = along_x.iter().flat_map(|columns| along_y.iter().map(|rows| [*columns, *rows]));
        pairs.filter(is_size).collect()
    }

    /// The place in the box: (0, 0) is its top left corner, (1, 1) its lower right one. Perspective over one symbol is too
    /// little to matter.
    fn at(&self, u: f32, v: f32) -> [f32; 2] {
        let [left, right, last, below] = self.corners;
        [0, 1].map(|i| {
            let upper = left[i] + (right[i] - left[i]) * u;
            let lower = below[i] + (last[i] - below[i]) * u;
            upper + (lower - upper) * v
        })
    }

    /// The counts of modules along x and along y whose rhythm the edges keep best: they stand at whole modules.
    fn counts(&self, crop: &Crop, is_count: impl Fn(usize) -> bool) -> [Vec<usize>; 2] {
        let [width, height] = self.size();
        let fine = 2.0;
        let n_x = (width * fine) as usize;
        let n_y = (height * fine) as usize;
        let mut along_x = vec![0.0_f32; n_x];
        let mut along_y = vec![0.0_f32; n_y];
        let lines = 40;
        for line in 0..lines {
            let v = (line as f32 + 0.5) / lines as f32;
            differences(n_x, &mut along_x, |u| self.at(u, v), crop);
            differences(n_y, &mut along_y, |u| self.at(v, u), crop);
        }
        [(along_x, width), (along_y, height)].map(|(edges, size)| {
            let most = ((size / MODULE_MIN) as usize).min(SIDE_MAX);
            let mut counts: Vec<(f32, usize)> = (SIDE_MIN..=most)
                .filter(|count| is_count(*count))
                .map(|count| (rhythm(&edges, count), count))
                .collect();
            counts.sort_by(|one, other| other.0.total_cmp(&one.0));
            counts.into_iter().take(COUNTS_TRIED).map(|(_, count)| count).collect()
        })
    }

    /// Takes every module of a grid, turned until its fixed patterns are where they belong, its sides moved by what little blur
    /// hides of them; how many quarters it was turned, or nothing where too much is missing.
    pub(super) fn fit(
        &mut self,
        crop: &Crop,
        size: [usize; 2],
        kind: Kind,
        grid: &mut Grid,
    ) -> Option<usize> {
        self.sample(crop, size, grid);
        let (quarters, mut best) = grid.best_turn(kind);
        if best < PROMISING_MIN {
            return None;
        }
        // Each side twice, for the others have moved meanwhile.
        for side in [0, 1, 2, 3, 0, 1, 2, 3] {
            if best >= CERTAIN {
                break;
            }
            let kept = self.corners;
            let mut corners = kept;
            for by in [-0.5, 0.5, 1.0] {
                self.corners = moved(&kept, side, by);
                self.sample(crop, size, grid);
                let likeness = grid.turned(quarters, kind);
                if likeness > best {
                    (best, corners) = (likeness, self.corners);
                }
            }
            self.corners = corners;
        }
        self.sample(crop, size, grid);
        (grid.turned(quarters, kind) > LIKENESS_MIN).then_some(quarters)
    }

    fn sample(&self, crop: &Crop, [columns, rows]: [usize; 2], grid: &mut Grid) {
        (grid.columns, grid.rows) = (columns, rows);
        grid.levels.clear();
        for row in 0..rows {
            let v = (row as f32 + 0.5) / rows as f32;
            for column in 0..columns {
                let [x, y] = self.at((column as f32 + 0.5) / columns as f32, v);
                grid.levels.push(level(crop, x, y) - self.middle);
            }
        }
        grid.decide();
    }
}

/// Moves one side of a box outward by so many pixels: 0 is the upper one, and so on clockwise.
fn moved(corners: &Corners, side: usize, by: f32) -> Corners {
    let [[left_x, left_y], [right_x, right_y]] = [corners[side], corners[(side + 1) % 4]];
    let (dx, dy) = (right_x - left_x, right_y - left_y);
    let scale = by / dx.hypot(dy).max(1.0);
    let mut moved = *corners;
    for corner in [side, (side + 1) % 4] {
        moved[corner] = [corners[corner][0] + dy * scale, corners[corner][1] - dx * scale];
    }
    moved
}

/// Adds how much the picture changes along a line, place by place.
fn differences(n: usize, to: &mut [f32], at: impl Fn(f32) -> [f32; 2], crop: &Crop) {
    let mut before = None;
    for (i, difference) in to.iter_mut().enumerate() {
        let [x, y] = at(i as f32 / n as f32);
        let here = level(crop, x, y);
        if let Some(before) = before.replace(here) {
            *difference += (here - before).abs();
        }
    }
}

/// How much more the edges change at whole modules than between them.
fn rhythm(edges: &[f32], count: usize) -> f32 {
    let turn = std::f32::consts::TAU * count as f32 / edges.len() as f32;
    let (sin, cos) = turn.sin_cos();
    // The difference between two places stands half way between them.
    let (mut s, mut c) = (-turn / 2.0).sin_cos();
    let mut sum = 0.0;
    for edge in edges {
        sum += edge * c;
        (s, c) = (s * cos + c * sin, c * cos - s * sin);
    }
    sum
}

impl Grid {
    /// Dark or light: what the blur mixed in from the four neighbors is taken out again.
    fn decide(&mut self) {
        const SHARPEN: f32 = 0.17;
        let (columns, rows) = (self.columns, self.rows);
        // Around the symbol it is as light as its lightest module.
        let light = self.levels.iter().copied().fold(0.0, f32::max);
        let at = |x: usize, y: usize| {
            // One less than 0 is beyond the last.
            if x < columns && y < rows { self.levels[y * columns + x] } else { light }
        };
        self.is_dark.clear();
        for y in 0..rows {
            for x in 0..columns {
                let around = at(x.wrapping_sub(1), y)
                    + at(x + 1, y)
                    + at(x, y.wrapping_sub(1))
                    + at(x, y + 1);
                self.is_dark.push(at(x, y) * (1.0 + 4.0 * SHARPEN) - around * SHARPEN < 0.0);
            }
        }
    }

    fn at(&self, x: usize, y: usize) -> bool {
        self.is_dark[y * self.columns + x]
    }

    /// Turns it by a quarter clockwise.
    fn turn(&mut self) {
        let (columns, rows) = (self.columns, self.rows);
        let turned = (0..columns)
            .flat_map(|x| (0..rows).rev().map(move |y| (x, y)))
            .map(|(x, y)| self.is_dark[y * columns + x])
            .collect();
        (self.columns, self.rows, self.is_dark) = (rows, columns, turned);
    }

    /// The quarters after which it is most like the symbology, and how much so.
    fn best_turn(&mut self, kind: Kind) -> (usize, f32) {
        let mut best = (0, 0.0);
        for quarters in 0..4 {
            let likeness = self.likeness(kind);
            if likeness > best.1 {
                best = (quarters, likeness);
            }
            self.turn();
        }
        best
    }

    /// Turns it by so many quarters, and says how much it is like the symbology then.
    fn turned(&mut self, quarters: usize, kind: Kind) -> f32 {
        for _quarter in 0..quarters {
            self.turn();
        }
        self.likeness(kind)
    }

    fn likeness(&self, kind: Kind) -> f32 {
        match kind {
            Kind::Qr => self.likeness_to_qr(),
            Kind::DataMatrix => self.likeness_to_data_matrix(),
        }
    }

    /// The share of a Data Matrix's fixed border (ISO/IEC 16022, 5.2) that is there: left and bottom dark, top and right by turns.
    fn likeness_to_data_matrix(&self) -> f32 {
        let (columns, rows) = (self.columns, self.rows);
        let mut right = 0;
        for x in 0..columns {
            right += usize::from(self.at(x, rows - 1)) + usize::from(self.at(x, 0) == (x % 2 == 0));
        }
        for y in 0..rows {
            right +=
                usize::from(self.at(0, y)) + usize::from(self.at(columns - 1, y) == (y % 2 == 1));
        }
        right as f32 / (2 * (columns + rows)) as f32
    }

    /// The share of a QR Code's three finder patterns (ISO/IEC 18004, 6.3.3) that is there.
    fn likeness_to_qr(&self) -> f32 {
        let side = self.columns;
        let mut right = 0;
        for (left, top) in [(0, 0), (side - 7, 0), (0, side - 7)] {
            for y in 0..7_usize {
                for x in 0..7_usize {
                    let ring = x.abs_diff(3).max(y.abs_diff(3));
                    right += usize::from(self.at(left + x, top + y) == (ring != 2));
                }
            }
        }
        right as f32 / 147.0
    }
}
