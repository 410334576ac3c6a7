//! Symbols as a printer lays them down, at any module size.

#![expect(clippy::cast_precision_loss, reason = "no symbol has 2^24 modules")]

use super::sheet::{Ink, Point, Rect, Sheet, Stamp, Turn};
use super::{FaceError, Mark, Print};
use crate::decode::image::{Corners, Picture, draw_symbol};
use crate::scan::Symbology;

/// White around what [`draw_symbol`] draws, in modules.
const QUIET_MODULES: usize = 10;

/// The height of bars, in modules, where the symbology leaves it open: half an inch at 10 mil.
const BAR_MODULES: f32 = 50.0;

/// Clear paper around a symbol that nothing else is printed on, in modules (IMb: shares of the pitch), left and right, above
/// and below.
const CLEAR: [f32; 2] = [10.0, 4.0];

/// An Intelligent Mail bar code in pitches (USPS-B-3200: 0.020 in wide, 22 to the inch, 0.145 in full, 0.048 in tracker).
const IMB_BAR: f32 = 0.44;
const IMB_ROWS: [f32; 4] = [0.0, 1.07, 2.13, 3.2];
const IMB_CLEAR: [f32; 2] = [2.75, 0.8];

/// A symbol that is ready to be printed.
#[derive(Debug)]
pub(super) struct Plate {
    stamp: Stamp,
    /// Width and height, in pixels.
    pub(super) size: Point,
    /// Clear paper beside and above it, in pixels.
    pub(super) clear: Point,
    pub(super) symbology: Symbology,
    pub(super) payload: String,
}

impl Plate {
    /// Makes the plate for a sheet of so many texels a pixel; `gain` is how much wider ink runs at each edge, in modules.
    pub(super) fn new(print: &Print, scale: f32, gain: f32) -> Result<Self, FaceError> {
        let module = print.module_px * scale;
        match &print.mark {
            Mark::Symbol(symbology, payload) => {
                let picture = draw_symbol(*symbology, payload, 1).map_err(FaceError::Symbol)?;
                let cells = Cells::of(&picture);
                let height = match symbology {
                    Symbology::Code128 | Symbology::Code39 | Symbology::Itf => BAR_MODULES,
                    _ => 1.0,
                };
                let rows = if height > 1.0 { 1 } else { cells.height };
                let stamp = Stamp::new(
                    &edges(cells.width, module),
                    &edges(rows, module * height),
                    gain * module,
                    |column, row| cells.is_inked(column, row),
                );
                let size =
                    [cells.width as f32, rows as f32 * height].map(|side| side * print.module_px);
                let clear = CLEAR.map(|side| side * print.module_px);
                Ok(Self { stamp, size, clear, symbology: *symbology, payload: payload.clone() })
            }
            Mark::Imb { digits, bars } => {
                let columns: Vec<f32> = (0..bars.len())
                    .flat_map(|bar| [bar as f32, bar as f32 + IMB_BAR])
                    .map(|at| at * module)
                    .collect();
                let rows = IMB_ROWS.map(|at| at * module);
                let bars = bars.as_bytes();
                let stamp = Stamp::new(&columns, &rows, gain * module, |column, row| {
                    column % 2 == 0 && has_part(bars.get(column / 2).copied(), row)
                });
                let [last_column, last_row] = [&columns[..], &rows[..]]
                    .map(|edges| edges.last().copied().unwrap_or(0.0) / scale);
                Ok(Self {
                    stamp,
                    size: [last_column, last_row],
                    clear: IMB_CLEAR.map(|side| side * print.module_px),
                    symbology: Symbology::Imb,
                    payload: digits.clone(),
                })
            }
        }
    }

    /// Its width with its clear paper, in pixels.
    pub(super) fn upright_width(&self) -> f32 {
        self.room(Turn::None)[0]
    }

    /// The place it takes, with its clear paper.
    pub(super) fn room(&self, turn: Turn) -> Point {
        let sides = [self.size[0] + 2.0 * self.clear[0], self.size[1] + 2.0 * self.clear[1]];
        turned(sides, turn)
    }

    /// Prints it in the middle of that place; answers its corners on the paper.
    pub(super) fn print(&self, sheet: &mut Sheet, place: Rect, turn: Turn, ink: Ink) -> Corners {
        let clear = turned(self.clear, turn);
        let at = [place.left + clear[0], place.top + clear[1]];
        let [left, top] = sheet.print(&self.stamp, at, turn, ink);
        let [width, height] = self.size;
        [[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]].map(|[x, y]| match turn {
            Turn::None => [left + x, top + y],
            Turn::Right => [left - y, top + x],
        })
    }
}

/// Whether a bar has ink in its ascender (0), tracker (1) or descender (2).
const fn has_part(bar: Option<u8>, row: usize) -> bool {
    matches!((bar, row), (Some(_), 1) | (Some(b'F' | b'A'), 0) | (Some(b'F' | b'D'), 2))
}

fn turned([width, height]: Point, turn: Turn) -> Point {
    if turn == Turn::None { [width, height] } else { [height, width] }
}

fn edges(cells: usize, side: f32) -> Vec<f32> {
    (0..=cells).map(|cell| cell as f32 * side).collect()
}

/// The modules of a drawn symbol.
struct Cells<'a> {
    luma: &'a [u8],
    stride: usize,
    width: usize,
    height: usize,
}

impl<'a> Cells<'a> {
    fn of(picture: &'a Picture) -> Self {
        let [stride, height] =
            [picture.width(), picture.height()].map(|side| usize::try_from(side).unwrap_or(0));
        Self {
            luma: picture.luma(),
            stride,
            width: stride.saturating_sub(2 * QUIET_MODULES),
            height: height.saturating_sub(2 * QUIET_MODULES),
        }
    }

    fn is_inked(&self, column: usize, row: usize) -> bool {
        let at = (row + QUIET_MODULES) * self.stride + column + QUIET_MODULES;
        self.luma.get(at).is_some_and(|luma| *luma < 128)
    }
}
