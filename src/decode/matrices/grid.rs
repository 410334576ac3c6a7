//! Square grids of modules (QR Code, Data Matrix) by their outline: the box that white surrounds, its sides as lines, the count of
//! modules by the fixed patterns, and then every module where it must stand.
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

use std::ops::Range;

use super::super::quad::Corners;
use super::crop::Crop;
use crate::scan::Symbology;

/// The narrowest module, in pixels.
const MODULE_MIN: f32 = 1.7;

/// The fewest modules of a side: an oblong Data Matrix is 8 high.
const SIDE_MIN: usize = 8;

/// White this wide, in pixels, bounds a symbol; and more than this share of the crop's shorter side: in the smallest QR Code, of 21
/// modules, a whole row may be white.
const QUIET_MIN: usize = 2;
const QUIET_SHARE: f32 = 0.055;

/// A column or row that has less than this share of dark is white.
const WHITE_SHARE: f32 = 0.025;

/// The share of a symbol's box that is dark, and how far from one of its aspects a box on a coarse crop may be.
const BOX_DARK_MIN: f32 = 0.33;
const BOX_DARK_MAX: f32 = 0.70;
const COARSE_ASPECT_MAX: f32 = 0.25;

/// Where a side may lie away from the box that was found first, in pixels.
const SIDE_REACH: f32 = 5.0;

/// How many candidates of a box are tried, the likeliest; and how much of what is seen at the fixed modules must fit.
const CANDIDATES_MAX: usize = 5;
const SIZE_LIKENESS_MIN: f32 = 0.3;

/// The share of a symbology's fixed patterns that must be there: before anything is done about blur, to look closer, and to decode.
const GLANCED_MIN: f32 = 0.62;
const PROMISING_MIN: f32 = 0.68;
const LIKENESS_MIN: f32 = 0.76;

/// How much of its light a module may have given to each neighbor on a line, the likeliest first.
pub(super) const NEIGHBOR_SHARES: [f32; 3] = [0.10, 0.0, 0.17];

/// A module may be wider than high by this share, or the other way round: the picture was taken from a side.
const OBLIQUE_MAX: f32 = 0.15;

/// The symbologies that are grids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Qr,
    DataMatrix,
}

/// Data Matrix that is square, and the oblong ones, columns first (ISO/IEC 16022, table 7).
const SQUARE: [usize; 24] = [
    10, 12, 14, 16, 18, 20, 22, 24, 26, 32, 36, 40, 44, 48, 52, 64, 72, 80, 88, 96, 104, 120, 132,
    144,
];
const OBLONG: [[usize; 2]; 6] = [[18, 8], [32, 8], [26, 12], [36, 12], [36, 16], [48, 16]];

impl Kind {
    pub(super) const fn symbology(self) -> Symbology {
        match self {
            Self::Qr => Symbology::Qr,
            Self::DataMatrix => Symbology::DataMatrix,
        }
    }

    /// How much longer than the other a side may be.
    const fn aspects(self) -> &'static [f32] {
        match self {
            Self::Qr => &[1.0],
            Self::DataMatrix => &[1.0, 2.2, 3.0, 4.0],
        }
    }

    /// Its sizes in modules, columns first.
    fn sizes(self) -> Vec<[usize; 2]> {
        match self {
            Self::Qr => (21..=177).step_by(4).map(|side| [side, side]).collect(),
            Self::DataMatrix => SQUARE.into_iter().map(|side| [side, side]).chain(OBLONG).collect(),
        }
    }

    /// Whether a module of an upright symbol is dark, where the symbology says so: of a QR Code the three finder patterns
    /// (ISO/IEC 18004, 6.3.3), of a Data Matrix the border (ISO/IEC 16022, 5.2), left and bottom dark, top and right by turns.
    fn fixed(self, [x, y]: [usize; 2], [columns, rows]: [usize; 2]) -> Option<bool> {
        match self {
            Self::Qr => {
                let near = |at: usize, side: usize| {
                    if at < 7 { Some(at) } else { (at + 7).checked_sub(side) }
                };
                let (across, down) = (near(x, columns)?, near(y, rows)?);
                let ring = across.abs_diff(3).max(down.abs_diff(3));
                (x < 7 || y < 7).then_some(ring != 2)
            }
            Self::DataMatrix if x == 0 || y == rows - 1 => Some(true),
            Self::DataMatrix if y == 0 => Some(x.is_multiple_of(2)),
            Self::DataMatrix if x == columns - 1 => Some(y % 2 == 1),
            Self::DataMatrix => None,
        }
    }
}

impl Kind {
    /// Where its fixed modules are, each finder pattern and each side on its own.
    fn fixed_modules(self, [columns, rows]: [usize; 2]) -> impl Iterator<Item = [usize; 2]> {
        let blocks = match self {
            Self::Qr => {
                [(0..7, 0..7), (columns - 7..columns, 0..7), (0..7, rows - 7..rows), (0..0, 0..0)]
            }
            Self::DataMatrix => [
                (0..columns, 0..1),
                (0..1, 1..rows),
                (columns - 1..columns, 1..rows),
                (1..columns - 1, rows - 1..rows),
            ],
        };
        blocks
            .into_iter()
            .flat_map(|(across, down)| down.flat_map(move |y| across.clone().map(move |x| [x, y])))
    }
}

/// The modules of a symbol, row by row from the top; `true` is dark.
#[derive(Debug, Default)]
pub(super) struct Grid {
    pub(super) columns: usize,
    rows: usize,
    pub(super) is_dark: Vec<bool>,
    levels: Vec<f32>,
    sharp: Vec<f32>,
    across: Vec<f32>,
    mixed: Vec<f32>,
}

/// A box on a crop that white surrounds, by its corners: clockwise from the top left, where the first pixel reaches from 0 to 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outline {
    pub(super) corners: Corners,
    middle: f32,
}

/// What a box may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) kind: Kind,
    size: [usize; 2],
    pub(super) outline: Outline,
    likeness: f32,
}

impl Candidate {
    /// Takes the modules into the grid; whether enough of them are as the symbology has them to look closer.
    pub(super) fn take(&mut self, crop: &Crop, grid: &mut Grid) -> bool {
        self.outline.fit(crop, self.size, self.kind);
        self.outline.sample(crop, self.size, grid);
        grid.decide(0.0);
        if grid.likeness(self.kind) < GLANCED_MIN {
            return false;
        }
        grid.decide(NEIGHBOR_SHARES[0]);
        grid.likeness(self.kind) > PROMISING_MIN
    }

    /// Takes the modules anew, where they are told best.
    pub(super) fn settle(&mut self, crop: &Crop, grid: &mut Grid) {
        self.outline.settle(crop, self.size, self.kind, grid);
    }
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
    let [columns, rows] = boxed(crop, middle)?;
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

/// The columns and rows of what stands in the middle of the crop, as far as white surrounds it.
fn boxed(crop: &Crop, middle: f32) -> Option<[Range<usize>; 2]> {
    let middle = middle as u8;
    let (mut columns, mut rows) = (0..crop.width, crop.height / 3..crop.height - crop.height / 3);
    let quiet = QUIET_MIN.max((crop.width.min(crop.height) as f32 * QUIET_SHARE).ceil() as usize);
    let mut n_dark = vec![0_u16; crop.width];
    for _round in 0..3 {
        n_dark.fill(0);
        for row in crop.luma.chunks_exact(crop.width).take(rows.end).skip(rows.start) {
            for (n_dark, luma) in n_dark.iter_mut().zip(row) {
                *n_dark += u16::from(*luma < middle);
            }
        }
        let share = |n_dark: u16, all: usize| f32::from(n_dark) / all.max(1) as f32;
        columns = bounded(crop.width, quiet, |x| share(n_dark[x], rows.len()))?;
        rows = bounded(crop.height, quiet, |y| {
            let row = &crop.luma[y * crop.width..][..crop.width][columns.clone()];
            share(row.iter().map(|luma| u16::from(*luma < middle)).sum(), columns.len())
        })?;
    }
    Some([columns, rows])
}

/// The box in the middle of a crop that may be coarse, its middle and its size in pixels of the crop, where it is as high and wide
/// as some size of these symbologies, and half dark.
pub(super) fn glance(crop: &Crop, kinds: &[Kind]) -> Option<[[f32; 2]; 2]> {
    let middle = middle_level(crop);
    let [columns, rows] = boxed(crop, middle)?;
    let (mut dark, mut all) = (0_u32, 0_u32);
    for row in crop.luma.chunks_exact(crop.width).take(rows.end).skip(rows.start) {
        let row = &row[columns.clone()];
        dark += row.iter().map(|luma| u32::from(f32::from(*luma) < middle)).sum::<u32>();
        all += row.len() as u32;
    }
    let share = dark as f32 / all.max(1) as f32;
    let size @ [width, height] = [&columns, &rows].map(|side| side.len() as f32);
    let center = [&columns, &rows].map(|side| (side.start + side.end - 1) as f32 / 2.0);
    let aspect = width.max(height) / width.min(height).max(1.0);
    let is_shape =
        |kind: &Kind| kind.aspects().iter().any(|of| (aspect / of - 1.0).abs() < COARSE_ASPECT_MAX);
    let is_box = (BOX_DARK_MIN..BOX_DARK_MAX).contains(&share) && kinds.iter().any(is_shape);
    is_box.then_some([center, size])
}

/// The stretch around the middle that white bounds on both sides.
fn bounded(length: usize, quiet: usize, dark: impl Fn(usize) -> f32) -> Option<Range<usize>> {
    let middle = length / 2;
    let reach = |places: &mut dyn Iterator<Item = usize>| {
        let (mut last, mut white) = (middle, 0);
        for place in places {
            if dark(place) < WHITE_SHARE {
                white += 1;
                if white >= quiet {
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

/// The level of the pixel there.
fn nearest(crop: &Crop, x: f32, y: f32) -> f32 {
    let (x, y) =
        ((x.max(0.0) as usize).min(crop.width - 1), (y.max(0.0) as usize).min(crop.height - 1));
    f32::from(crop.luma[y * crop.width + x])
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

    /// What a symbol of these symbologies may be here, the likeliest first: its size in modules, and this outline turned until it
    /// stands upright. What is seen at the fixed modules tells.
    pub(super) fn candidates(&self, crop: &Crop, kinds: &[Kind]) -> Vec<Candidate> {
        let mut candidates: Vec<Candidate> = Vec::new();
        for kind in kinds {
            for [columns, rows] in kind.sizes() {
                // Upright, and lying on a side.
                for (quarters, size) in [
                    (0, [columns, rows]),
                    (1, [rows, columns]),
                    (2, [columns, rows]),
                    (3, [rows, columns]),
                ] {
                    if self.is_possible(size) {
                        let mut outline = *self;
                        outline.corners.rotate_right(quarters);
                        let size = [columns, rows];
                        let likeness = outline.fixed_likeness(crop, size, *kind, nearest);
                        candidates.push(Candidate { kind: *kind, size, outline, likeness });
                    }
                }
            }
        }
        candidates.retain(|candidate| candidate.likeness > SIZE_LIKENESS_MIN);
        candidates.sort_by(|one, other| other.likeness.total_cmp(&one.likeness));
        candidates.truncate(CANDIDATES_MAX);
        candidates
    }

    /// Whether modules of that size would be wide enough, and about as wide as high, either way round.
    fn is_possible(&self, [columns, rows]: [usize; 2]) -> bool {
        let [width, height] = self.size();
        let [wide, high] = [width / columns as f32, height / rows as f32];
        wide > MODULE_MIN && (wide / high - 1.0).abs() < OBLIQUE_MAX
    }

    /// How much of what is seen at the fixed modules is as it must be: from -1 to 1, less where the first of them say that it is
    /// too little.
    fn fixed_likeness(
        &self,
        crop: &Crop,
        size: [usize; 2],
        kind: Kind,
        level: impl Fn(&Crop, f32, f32) -> f32,
    ) -> f32 {
        const ASKED_EVERY: usize = 32;
        let (mut sum, mut all) = (0.0, 0.0);
        for (i, [x, y]) in kind.fixed_modules(size).enumerate() {
            let Some(must) = kind.fixed([x, y], size) else { continue };
            let [u, v] = [(x, size[0]), (y, size[1])].map(|(at, of)| (at as f32 + 0.5) / of as f32);
            let [at_x, at_y] = self.at(u, v);
            let level = level(crop, at_x, at_y) - self.middle;
            sum += if must { -level } else { level };
            all += level.abs();
            if i % ASKED_EVERY == ASKED_EVERY - 1 && sum < 0.0 {
                break;
            }
        }
        sum / f32::max(all, 1.0)
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

    /// Moves its sides to where the fixed modules are seen best, for blur hides a little of them, and takes all modules.
    fn fit(&mut self, crop: &Crop, size: [usize; 2], kind: Kind) {
        let mut best = self.fixed_likeness(crop, size, kind, level);
        // Each side twice, for the others have moved meanwhile.
        for side in [0, 1, 2, 3, 0, 1, 2, 3] {
            let kept = self.corners;
            let mut corners = kept;
            for by in [-0.5, 0.5, 1.0] {
                self.corners = moved(&kept, side, by);
                let likeness = self.fixed_likeness(crop, size, kind, level);
                if likeness > best {
                    (best, corners) = (likeness, self.corners);
                }
            }
            self.corners = corners;
        }
    }

    /// Moves its corners to where the modules are told best: far from half way between dark and light, and fixed ones as they
    /// have to be.
    fn settle(&mut self, crop: &Crop, size: [usize; 2], kind: Kind, grid: &mut Grid) {
        let mut best = self.clearness(crop, size, kind, grid);
        if kind == Kind::Qr {
            best = self.find_last(crop, size, grid, best);
        }
        for step in [0.8, 0.8, 0.4, 0.4, 0.2] {
            for i in 0..16_usize {
                let (corner, axis) = (i / 4, i / 2 % 2);
                let kept = self.corners;
                self.corners[corner][axis] += if i.is_multiple_of(2) { step } else { -step };
                let clearness = self.clearness(crop, size, kind, grid);
                if clearness > best {
                    best = clearness;
                } else {
                    self.corners = kept;
                }
            }
        }
        self.sample(crop, size, grid);
    }

    /// Finds the last corner of a QR Code, where no finder pattern stands and the outline may have missed it, from the others.
    fn find_last(&mut self, crop: &Crop, size: [usize; 2], grid: &mut Grid, clearness: f32) -> f32 {
        const STEPS: i8 = 4;
        const STEP_MODULES: f32 = 0.4;
        let [a, b, last, d] = self.corners;
        let step = self.size()[0] / size[0] as f32 * STEP_MODULES;
        let mut best = (clearness, last);
        for down in -STEPS..=STEPS {
            for across in -STEPS..=STEPS {
                let by = [f32::from(across) * step, f32::from(down) * step];
                self.corners[2] = [0, 1].map(|i| b[i] + d[i] - a[i] + by[i]);
                let clearness = self.clearness(crop, size, Kind::Qr, grid);
                if clearness > best.0 {
                    best = (clearness, self.corners[2]);
                }
            }
        }
        self.corners[2] = best.1;
        best.0
    }

    fn clearness(&self, crop: &Crop, size: [usize; 2], kind: Kind, grid: &mut Grid) -> f32 {
        self.sample(crop, size, grid);
        grid.clearness(kind)
    }

    fn sample(&self, crop: &Crop, [columns, rows]: [usize; 2], grid: &mut Grid) {
        (grid.columns, grid.rows) = (columns, rows);
        grid.levels.clear();
        for row in 0..rows {
            let v = (row as f32 + 0.5) / rows as f32;
            let [from, to] = [0.0, 1.0].map(|u| self.at(u, v));
            for column in 0..columns {
                let u = (column as f32 + 0.5) / columns as f32;
                let [x, y] = [0, 1].map(|i| from[i] + (to[i] - from[i]) * u);
                grid.levels.push(level(crop, x, y) - self.middle);
            }
        }
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

impl Grid {
    /// Dark or light, where each neighbor on a line has given so much of its light to a module: as long as the modules, mixed
    /// the same way, differ from what was seen, they are moved by the difference, and none is lighter than light or darker than
    /// dark.
    pub(super) fn decide(&mut self, share: f32) {
        const ROUNDS: usize = 6;
        let n = self.levels.len().max(1) as f32;
        // On average, what is dark and what is light, sharpened as much as half way to the extremes.
        let reach = self.levels.iter().map(|level| level.abs()).sum::<f32>() / n * 1.3;
        self.sharp.clear();
        self.sharp.extend_from_slice(&self.levels);
        let rounds = if share > 0.0 { ROUNDS } else { 0 };
        for _round in 0..rounds {
            self.mix(share, reach);
            for ((sharp, mixed), level) in self.sharp.iter_mut().zip(&self.mixed).zip(&self.levels)
            {
                *sharp = (*sharp + level - mixed).clamp(-reach, reach);
            }
        }
        self.is_dark.clear();
        self.is_dark.extend(self.sharp.iter().map(|level| *level < 0.0));
    }

    /// What is seen of the sharp modules where each gives such a share to its neighbors, and light stands around all of them.
    fn mix(&mut self, share: f32, light: f32) {
        let (columns, rows) = (self.columns, self.rows);
        let own = 1.0 - 2.0 * share;
        let around = |before: Option<f32>, here: f32, after: Option<f32>| {
            here * own + (before.unwrap_or(light) + after.unwrap_or(light)) * share
        };
        self.across.clear();
        for row in self.sharp.chunks_exact(columns.max(1)) {
            for (x, here) in row.iter().enumerate() {
                let before = x.checked_sub(1).map(|x| row[x]);
                self.across.push(around(before, *here, row.get(x + 1).copied()));
            }
        }
        self.mixed.clear();
        for y in 0..rows {
            for x in 0..columns {
                let at = |y: usize| self.across.get(y * columns + x).copied();
                let before = y.checked_sub(1).and_then(at);
                self.mixed.push(around(before, self.across[y * columns + x], at(y + 1)));
            }
        }
    }

    /// How far the modules are from half way between dark and light, those of the fixed patterns only where they are as they must
    /// be.
    fn clearness(&self, kind: Kind) -> f32 {
        const FIXED_WEIGHT: f32 = 2.0;
        let mut sum = 0.0;
        for (i, level) in self.levels.iter().enumerate() {
            let at = [i % self.columns, i / self.columns];
            sum += match kind.fixed(at, [self.columns, self.rows]) {
                Some(true) => -level * FIXED_WEIGHT,
                Some(false) => level * FIXED_WEIGHT,
                None => level.abs(),
            };
        }
        sum
    }

    /// Whether enough of the symbology's fixed patterns is there to decode it.
    pub(super) fn is_likely(&self, kind: Kind) -> bool {
        self.likeness(kind) > LIKENESS_MIN
    }

    /// The share of the symbology's fixed modules that are as they must be.
    fn likeness(&self, kind: Kind) -> f32 {
        let (mut right, mut all) = (0, 0);
        for (i, is_dark) in self.is_dark.iter().enumerate() {
            let at = [i % self.columns, i / self.columns];
            if let Some(must) = kind.fixed(at, [self.columns, self.rows]) {
                all += 1;
                right += usize::from(must == *is_dark);
            }
        }
        right as f32 / all.max(1) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::super::crop::Frame;
    use super::*;
    use crate::decode::gray::Gray;
    use crate::decode::image::draw_symbol;

    fn crop(symbology: Symbology) -> Crop {
        let picture = draw_symbol(symbology, "20261100000011", 4).unwrap();
        let size = [picture.width(), picture.height()].map(|side| side as f32);
        let center = size.map(|side| (side - 1.0) / 2.0);
        let mut crop = Crop::default();
        crop.take(Gray::of(&picture), &Frame { center, across: [1.0, 0.0], size });
        crop
    }

    #[test]
    fn a_box_is_told_by_its_fixed_patterns() {
        for (symbology, kind) in
            [(Symbology::Qr, Kind::Qr), (Symbology::DataMatrix, Kind::DataMatrix)]
        {
            let crop = crop(symbology);
            let outline = outline(&crop).unwrap();
            let candidates = outline.candidates(&crop, &[Kind::Qr, Kind::DataMatrix]);
            let first = candidates.first().unwrap();
            assert_eq!(first.kind, kind);
            let modules = first.size.map(|side| side as f32 * 4.0);
            let [width, height] = outline.size();
            let off = (width - modules[0]).abs().max((height - modules[1]).abs());
            assert!(off < 1.0, "{symbology}: {modules:?} is not {width} x {height}");
        }
    }

    #[test]
    fn bars_are_no_box_of_modules() {
        let crop = crop(Symbology::Code128);
        assert_eq!(glance(&crop, &[Kind::Qr]), None);
    }

    #[test]
    fn modules_that_gave_their_light_to_neighbors_are_told_again() {
        let dark = |x: usize, y: usize| (x * 5 + y * 3) % 7 < 3;
        let mut grid = Grid { columns: 12, rows: 10, ..Grid::default() };
        grid.sharp = (0..120).map(|i| if dark(i % 12, i / 12) { -80.0 } else { 80.0 }).collect();
        grid.mix(0.17, 80.0);
        grid.levels.clone_from(&grid.mixed);
        grid.decide(0.17);
        let told = (0..120).map(|i| dark(i % 12, i / 12)).collect::<Vec<_>>();
        assert_eq!(grid.is_dark, told);
    }
}
