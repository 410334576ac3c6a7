//! Paper that is printed and written on, in texels: each is inked by the share of it that the ink covers.

#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "texels are reached by ranges that were clamped to the sheet"
)]

use std::ops::Range;

/// A point on the paper, in pixels of the picture that is taken of it straight from above.
pub(super) type Point = [f32; 2];

/// An upright rectangle on the paper.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rect {
    pub(super) left: f32,
    pub(super) top: f32,
    pub(super) right: f32,
    pub(super) bottom: f32,
}

impl Rect {
    pub(super) const fn sized([left, top]: Point, [width, height]: Point) -> Self {
        Self { left, top, right: left + width, bottom: top + height }
    }

    /// The rectangle, wider by so much on each side.
    pub(super) const fn grown(self, by: f32) -> Self {
        Self {
            left: self.left - by,
            top: self.top - by,
            right: self.right + by,
            bottom: self.bottom + by,
        }
    }

    pub(super) fn overlaps(self, other: Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    pub(super) const fn width(self) -> f32 {
        self.right - self.left
    }

    pub(super) const fn height(self) -> f32 {
        self.bottom - self.top
    }

    /// Clockwise from the top left.
    pub(super) const fn corners(self) -> [Point; 4] {
        let Self { left, top, right, bottom } = self;
        [[left, top], [right, top], [right, bottom], [left, bottom]]
    }
}

/// What is printed at one go: how much of each texel it inks.
#[derive(Debug, Clone)]
pub(super) struct Stamp {
    width: usize,
    height: usize,
    cover: Vec<u8>,
}

/// A quarter turn, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    None,
    Right,
}

/// Ink: what it reflects and how much of the paper shows through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ink {
    pub(super) luma: u8,
    pub(super) strength: f32,
}

impl Ink {
    pub(super) const fn solid(luma: u8) -> Self {
        Self { luma, strength: 1.0 }
    }
}

/// The paper and what lies around it.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) luma: Vec<u8>,
    pub(super) width: usize,
    pub(super) height: usize,
    /// Texels for a pixel.
    pub(super) scale: f32,
    /// Where its first texel lies.
    pub(super) origin: Point,
}

impl Stamp {
    /// Cells between column and row edges, in texels; `is_inked` is asked for column and row. Inked cells are wider than their
    /// edges by `gain` texels at both sides.
    pub(super) fn new(
        columns: &[f32],
        rows: &[f32],
        gain: f32,
        is_inked: impl Fn(usize, usize) -> bool,
    ) -> Self {
        let [width, height] =
            [columns, rows].map(|edges| edges.last().map_or(0, |edge| edge.ceil() as usize + 1));
        let mut cover = vec![0.0_f32; width * height];
        let mut line = vec![0.0_f32; width];
        for (row, edges) in rows.windows(2).enumerate() {
            line.fill(0.0);
            for run in runs(columns.len().saturating_sub(1), |column| is_inked(column, row)) {
                let ends = columns[run.start] - gain..columns[run.end] + gain;
                for (at, part) in parts(&ends, width) {
                    line[at] += part;
                }
            }
            for (y, part) in parts(&(edges[0]..edges[1]), height) {
                let texels = &mut cover[y * width..(y + 1) * width];
                texels.iter_mut().zip(&line).for_each(|(texel, inked)| *texel += inked * part);
            }
        }
        let cover = cover.into_iter().map(|share| (share.min(1.0) * 255.0).round() as u8).collect();
        Self { width, height, cover }
    }
}

impl Sheet {
    /// A bare desk under `view`.
    pub(super) fn new(view: Rect, scale: f32, desk: u8) -> Self {
        let width = ((view.width() * scale).ceil() as usize).max(2);
        let height = ((view.height() * scale).ceil() as usize).max(2);
        let luma = vec![desk; width * height];
        Self { luma, width, height, scale, origin: [view.left, view.top] }
    }

    /// Inks a rectangle.
    pub(super) fn fill(&mut self, rect: Rect, ink: Ink) {
        let [left, top] = self.texel([rect.left, rect.top]);
        let [right, bottom] = self.texel([rect.right, rect.bottom]);
        for (y, rows) in parts(&(top..bottom), self.height) {
            for (x, columns) in parts(&(left..right), self.width) {
                self.mix(y * self.width + x, ink, rows * columns);
            }
        }
    }

    /// Inks the edges of a rectangle.
    pub(super) fn outline(&mut self, rect: Rect, thickness: f32, ink: Ink) {
        let corners = rect.corners();
        for (from, to) in corners.iter().zip(corners.iter().cycle().skip(1)) {
            self.stroke(*from, *to, thickness, ink);
        }
    }

    /// Draws a line with round ends.
    pub(super) fn stroke(&mut self, from: Point, to: Point, thickness: f32, ink: Ink) {
        let (from, to) = (self.texel(from), self.texel(to));
        let radius = thickness * self.scale / 2.0;
        let reach = radius + 1.0;
        let columns = span(from[0].min(to[0]) - reach, from[0].max(to[0]) + reach, self.width);
        let rows = span(from[1].min(to[1]) - reach, from[1].max(to[1]) + reach, self.height);
        for y in rows {
            for x in columns.clone() {
                let away = distance([x as f32 + 0.5, y as f32 + 0.5], from, to);
                let cover = (radius + 0.5 - away).clamp(0.0, 1.0).min(2.0 * radius);
                if cover > 0.0 {
                    self.mix(y * self.width + x, ink, cover);
                }
            }
        }
    }

    /// Draws lines from point to point.
    pub(super) fn curve(&mut self, points: &[Point], thickness: f32, ink: Ink) {
        for pair in points.windows(2) {
            self.stroke(pair[0], pair[1], thickness, ink);
        }
    }

    /// Prints a stamp with its top left corner at `at`, moved to the texel before it; answers where that is.
    pub(super) fn print(&mut self, stamp: &Stamp, at: Point, turn: Turn, ink: Ink) -> Point {
        let [left, top] = self.texel(at).map(|part| part.floor() as isize);
        for (row, covers) in stamp.cover.chunks_exact(stamp.width).enumerate() {
            for (column, cover) in covers.iter().enumerate().filter(|(_, cover)| **cover > 0) {
                let (dx, dy) = match turn {
                    Turn::None => (column, row),
                    Turn::Right => (stamp.height - 1 - row, column),
                };
                let (x, y) = (left + dx as isize, top + dy as isize);
                let is_inside =
                    (0..self.width as isize).contains(&x) && (0..self.height as isize).contains(&y);
                if is_inside {
                    let at = y as usize * self.width + x as usize;
                    self.mix(at, ink, f32::from(*cover) / 255.0);
                }
            }
        }
        // A turned stamp keeps its spare texel on the other side.
        let spare = if turn == Turn::Right { stamp.height as f32 } else { 0.0 };
        [
            (left as f32 + spare) / self.scale + self.origin[0],
            top as f32 / self.scale + self.origin[1],
        ]
    }

    fn texel(&self, point: Point) -> Point {
        [(point[0] - self.origin[0]) * self.scale, (point[1] - self.origin[1]) * self.scale]
    }

    fn mix(&mut self, at: usize, ink: Ink, cover: f32) {
        let paper = f32::from(self.luma[at]);
        let luma = paper + (f32::from(ink.luma) - paper) * cover * ink.strength;
        self.luma[at] = (luma + 0.5) as u8;
    }
}

/// The runs of inked cells.
fn runs(cells: usize, is_inked: impl Fn(usize) -> bool) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut start = None;
    for cell in 0..=cells {
        let inked = cell < cells && is_inked(cell);
        match (start, inked) {
            (None, true) => start = Some(cell),
            (Some(from), false) => {
                runs.push(from..cell);
                start = None;
            }
            _ => {}
        }
    }
    runs
}

/// The texels under a stretch, each with the share of it that is covered.
fn parts(stretch: &Range<f32>, texels: usize) -> impl Iterator<Item = (usize, f32)> + use<> {
    let (start, end) = (stretch.start, stretch.end);
    span(start, end, texels).map(move |at| {
        let texel = at as f32;
        (at, (end.min(texel + 1.0) - start.max(texel)).clamp(0.0, 1.0))
    })
}

fn span(start: f32, end: f32, texels: usize) -> Range<usize> {
    start.floor().max(0.0) as usize..(end.ceil().max(0.0) as usize).min(texels)
}

fn distance(at: Point, from: Point, to: Point) -> f32 {
    let [dx, dy] = [to[0] - from[0], to[1] - from[1]];
    let [px, py] = [at[0] - from[0], at[1] - from[1]];
    let long = (dx * dx + dy * dy).max(f32::MIN_POSITIVE);
    let along = ((px * dx + py * dy) / long).clamp(0.0, 1.0);
    (px - along * dx).hypot(py - along * dy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet() -> Sheet {
        let view = Rect::sized([0.0, 0.0], [20.0, 10.0]);
        Sheet::new(view, 3.0, 255)
    }

    /// The ink on a sheet, in square pixels.
    fn inked(sheet: &Sheet) -> f32 {
        let dark: f32 = sheet.luma.iter().map(|luma| f32::from(255 - luma)).sum();
        dark / 255.0 / sheet.scale / sheet.scale
    }

    #[test]
    fn bars_have_their_width_to_a_part_of_a_texel() {
        for module in [1.8_f32, 2.4, 3.1] {
            let edges: Vec<f32> = (0..=5_u8).map(|at| f32::from(at) * module * 3.0).collect();
            let stamp = Stamp::new(&edges, &[0.0, 12.0], 0.0, |column, _| column % 2 == 0);
            for turn in [Turn::None, Turn::Right] {
                let mut sheet = Sheet::new(Rect::sized([0.0, 0.0], [20.0, 20.0]), 3.0, 255);
                sheet.print(&stamp, [1.0, 1.0], turn, Ink::solid(0));
                let area = 3.0 * module * 4.0;
                assert!((inked(&sheet) - area).abs() < 0.1, "{module}: {}", inked(&sheet));
            }
        }
    }

    #[test]
    fn a_stroke_is_as_thick_as_it_is_told() {
        let mut sheet = sheet();
        sheet.stroke([5.0, 5.0], [15.0, 5.0], 2.0, Ink::solid(0));
        let area = 20.0 + std::f32::consts::PI;
        assert!((inked(&sheet) - area).abs() < 0.5, "{}", inked(&sheet));
    }

    #[test]
    fn what_lies_beside_the_sheet_is_cut_off() {
        let mut sheet = sheet();
        sheet.fill(Rect::sized([-5.0, -5.0], [10.0, 10.0]), Ink::solid(0));
        assert!((inked(&sheet) - 25.0).abs() < 0.1, "{}", inked(&sheet));
        sheet.stroke([-50.0, 90.0], [400.0, 90.0], 4.0, Ink::solid(0));
        let stamp = Stamp::new(&[0.0, 90.0], &[0.0, 90.0], 0.0, |_, _| true);
        sheet.print(&stamp, [-100.0, 4.0], Turn::Right, Ink::solid(0));
        assert!((inked(&sheet) - 25.0).abs() < 0.1, "{}", inked(&sheet));
    }
}
