//! Bar codes by scan lines: rxing's row readers over lines across the picture, upright and turned by a quarter.
//!
//! rxing's own loop over the rows stops at the first line that reads; here every line is read, so that `lines` can see whether
//! they agree.

use std::ops::Range;

use rxing::common::{BitArray, GlobalHistogramBinarizer};
use rxing::oned::{Code39Reader, Code128Reader, ITFReader, OneDReader as _};
use rxing::{Binarizer, Luma8Source, RXingResult};

use super::super::lines::{Bars, Line, agreed};
use super::{Picture, hints, identifier, real, turned_back, whole, wide};
use crate::scan::Symbology;

/// The most symbols that are looked for on one scan line.
const SYMBOLS_PER_LINE_MAX: usize = 4;

/// How many lines are scanned across a picture, each way: rxing's own number when it tries harder.
const LINES_PER_PICTURE: usize = 256;

/// At most one in so many pixels of a quiet zone may be dark: noise and specks are, bars are half.
const QUIET_DARK_SHARE: usize = 50;

/// Scans lines across the picture, then across the picture turned by a quarter.
pub(super) fn bars(picture: &Picture, luma: &[u8], wanted: &[Symbology]) -> Vec<Bars> {
    let (width, height) = (picture.width(), picture.height());
    let mut found = agreed(scan_lines(Sheet { luma, width, height }, wanted));
    let turned = quarter_turned(luma, wide(width), wide(height));
    let turned = Sheet { luma: &turned, width: height, height: width };
    let sides = [real(wide(width)), real(wide(height))];
    found.extend(agreed(scan_lines(turned, wanted)).into_iter().map(|lying| Bars {
        corners: lying.corners.map(|at| turned_back(at, 90, sides)),
        ..lying
    }));
    found
}

/// The picture turned a quarter counterclockwise: its last column becomes the first row.
pub(super) fn quarter_turned(luma: &[u8], width: usize, height: usize) -> Vec<u8> {
    let mut turned = Vec::with_capacity(luma.len());
    for x in (0..width).rev() {
        turned.extend(luma.iter().skip(x).step_by(width).take(height));
    }
    turned
}

/// The pixels that lines are scanned across: the picture, or the picture turned.
#[derive(Clone, Copy)]
struct Sheet<'a> {
    luma: &'a [u8],
    width: u32,
    height: u32,
}

fn scan_lines(sheet: Sheet<'_>, wanted: &[Symbology]) -> Vec<Line> {
    let Ok(source) = Luma8Source::new_with_slice(sheet.luma, sheet.width, sheet.height) else {
        return Vec::new();
    };
    let rows = GlobalHistogramBinarizer::new(source);
    let height = wide(sheet.height);
    let step = (height / LINES_PER_PICTURE).max(1);
    let mut lines = Vec::new();
    for y in (step / 2..height).step_by(step) {
        let above = scan_line(sheet, &rows, y, wanted);
        if !above.is_empty() && step > 1 && y + 1 < height {
            // A low symbol may be crossed only once: the row below is the second opinion.
            lines.extend(above);
            lines.extend(scan_line(sheet, &rows, y + 1, wanted));
        } else {
            lines.extend(above);
        }
    }
    lines
}

fn scan_line(sheet: Sheet<'_>, rows: &impl Binarizer, y: usize, wanted: &[Symbology]) -> Vec<Line> {
    let mut lines = Vec::new();
    let Ok(row) = rows.get_black_row(y) else { return lines };
    let mut row = row.into_owned();
    for _symbol in 0..SYMBOLS_PER_LINE_MAX {
        let Some(stretch) = read_row(&mut row, wanted) else { break };
        for x in stretch.pixels() {
            row.unset(x);
        }
        if stretch.symbology == Symbology::Itf && !is_quiet_around(sheet, y, &stretch) {
            continue;
        }
        lines.push(Line {
            symbology: stretch.symbology,
            identifier: identifier(&stretch.read),
            text: stretch.read.getText().to_owned(),
            start: real(stretch.start),
            end: real(stretch.end),
            y: real(y),
        });
    }
    lines
}

/// Whether the quiet zones at both ends of an Interleaved 2 of 5 stay quiet above and below the line. A line that leaves slanted
/// bars through their upper or lower edge finds an end pattern in any digit and white after it, and reads a shorter number
/// without a fault; a little above or below, the bars go on.
fn is_quiet_around(sheet: Sheet<'_>, y: usize, stretch: &Stretch) -> bool {
    let width = wide(sheet.width);
    let pixels = stretch.pixels();
    // A digit is three narrow and two wide bars, nine modules at the usual ratio; start and end take another nine.
    let module = (pixels.len() / (9 * stretch.read.getText().len() + 9)).max(1);
    let on_line = sheet.luma.iter().skip(y * width).take(width);
    let middle: usize =
        on_line.skip(pixels.start).take(pixels.len()).map(|luma| usize::from(*luma)).sum::<usize>()
            / pixels.len().max(1);
    let before = pixels.start.saturating_sub(8 * module)..pixels.start.saturating_sub(2 * module);
    let after = (pixels.end + 2 * module).min(width)..(pixels.end + 8 * module).min(width);
    let rows = y.saturating_sub(5 * module)..y + 5 * module + 1;
    [before, after].into_iter().all(|columns| {
        let (mut dark, mut all) = (0_usize, 0_usize);
        for row in sheet.luma.chunks_exact(width).take(rows.end).skip(rows.start) {
            for luma in row.iter().take(columns.end).skip(columns.start) {
                dark += usize::from(usize::from(*luma) < middle);
                all += 1;
            }
        }
        dark * QUIET_DARK_SHARE <= all
    })
}

/// A symbol on one row; `start` lies right of `end` when it was read from right to left.
struct Stretch {
    symbology: Symbology,
    read: RXingResult,
    start: usize,
    end: usize,
}

impl Stretch {
    const fn pixels(&self) -> Range<usize> {
        if self.start < self.end { self.start..self.end } else { self.end..self.start }
    }
}

/// The first symbol on the row, left to right or right to left; those with a check of their own first.
fn read_row(row: &mut BitArray, wanted: &[Symbology]) -> Option<Stretch> {
    let forward = read_forward(row, wanted);
    if forward.is_some() {
        return forward;
    }
    row.reverse();
    let backward = read_forward(row, wanted);
    row.reverse();
    let width = row.get_size();
    backward.map(|stretch| Stretch {
        start: width.saturating_sub(stretch.start),
        end: width.saturating_sub(stretch.end),
        ..stretch
    })
}

fn read_forward(row: &BitArray, wanted: &[Symbology]) -> Option<Stretch> {
    [Symbology::Code128, Symbology::Code39, Symbology::Itf]
        .into_iter()
        .filter(|symbology| wanted.contains(symbology))
        .find_map(|symbology| {
            let hints = hints(symbology)?;
            let read = match symbology {
                Symbology::Code128 => Code128Reader.decode_row(0, row, &hints),
                Symbology::Code39 => Code39Reader::new().decode_row(0, row, &hints),
                _ => ITFReader::default().decode_row(0, row, &hints),
            }
            .ok()?;
            let [left, right] = inner_ends(symbology, &read)?;
            let (start, end) = outer_ends(row, left, right);
            Some(Stretch { symbology, read, start, end })
        })
}

/// Two places within the symbol's first and last character, which is what rxing's readers tell.
fn inner_ends(symbology: Symbology, read: &RXingResult) -> Option<[usize; 2]> {
    let [left, right] = read.getPoints() else { return None };
    // rxing 0.9.3 halves the end of the stop character for Code 39 where it means to take the character's middle.
    let right = if symbology == Symbology::Code39 { right.x * 2.0 - 1.0 } else { right.x };
    Some([whole(left.x), whole(right)])
}

/// The ends of the symbol around some place within its first and last character: the first white on either side that is
/// wider than any white between, or the end of the row.
fn outer_ends(row: &BitArray, left: usize, right: usize) -> (usize, usize) {
    let width = row.get_size();
    let right = right.min(width.saturating_sub(1));
    let left = left.min(right);
    let (mut widest, mut white) = (0, 0);
    for x in left..=right {
        white = if row.get(x) { 0 } else { white + 1 };
        widest = widest.max(white);
    }
    let quiet = widest + widest / 4 + 1;
    let start = left - black_reach((0..left).rev().map(|x| row.get(x)), quiet);
    let end = right + 1 + black_reach((right + 1..width).map(|x| row.get(x)), quiet);
    (start, end)
}

/// How far it is to the last black before more than `quiet` white ones.
fn black_reach(pixels: impl Iterator<Item = bool>, quiet: usize) -> usize {
    let (mut reach, mut white) = (0, 0);
    for (steps, is_black) in pixels.enumerate() {
        white = if is_black { 0 } else { white + 1 };
        if white > quiet {
            break;
        }
        if is_black {
            reach = steps + 1;
        }
    }
    reach
}
