//! Two-dimensional symbols (PDF417, QR Code, Data Matrix): where they may stand on a picture, and what they say.
//!
//! Tiles that change in every direction hang together as blobs. What is not half dark, or whose edges do not keep to two
//! directions at right angles, is refused at a glance; the rest is set upright and read by its modules, so that neither noise nor
//! blur nor the angle it was taken at stands in the way. Only a symbol whose fixed patterns are there is decoded, and its own
//! error correction has the last word.

mod blobs;
mod crop;
mod grid;
mod guards;
mod pdf417;

use self::blobs::{Blob, Finder, Guess};
use self::crop::{Crop, Frame};
use self::grid::{Grid, Kind, NEIGHBOR_SHARES};
use super::gray::Gray;
use super::image::{Found, matrix};
use super::tiles::Tiles;
use crate::scan::{Symbol, Symbology};

/// White around a grid that is cut out with it, in pixels: a blob may end within the symbol.
const GRID_MARGIN: f32 = 12.0;

/// How many pixels apart the first look at a grid is taken.
const GLANCE_STEP: f32 = 2.0;

/// The start and the stop of rows of bars have one direction only and are no part of the blob: of a single column, a third of what
/// is; and some white.
const ROWS_MARGIN_SHARE: f32 = 0.36;
const ROWS_MARGIN: f32 = 20.0;

/// The most pixels of one picture that are looked at closely: blobs of more than that are no symbols.
const PIXELS_MAX: f32 = 3_000_000.0;

/// How many grids of one picture may have their corners moved until the modules are clearest: large ones take ten milliseconds each.
const SETTLED_MAX: usize = 16;

/// Reads two-dimensional symbols; its buffers are used again for the next picture.
#[derive(Debug, Default)]
pub(crate) struct Matrices {
    finder: Finder,
    crop: Crop,
    grid: Grid,
    pdf417: pdf417::Reader,
    /// How many grids of the picture had their corners moved.
    settled: usize,
}

impl Matrices {
    /// The symbols of the wanted symbologies, looked for where the tiles say that one may be and none is known yet; each once.
    pub(crate) fn read(
        &mut self,
        gray: Gray<'_>,
        tiles: &Tiles,
        known: &[Found],
        wanted: &[Symbology],
    ) -> Vec<Found> {
        let is_wanted = [Symbology::Pdf417, Symbology::Qr, Symbology::DataMatrix]
            .iter()
            .any(|symbology| wanted.contains(symbology));
        if !is_wanted {
            return Vec::new();
        }
        self.settled = 0;
        let mut found: Vec<Found> = Vec::new();
        let mut left = PIXELS_MAX;
        for blob in self.finder.blobs(gray, tiles, known) {
            left -= blob.size[0] * blob.size[1];
            if left < 0.0 {
                break;
            }
            if found.iter().any(|known| blob.is_within(&known.corners)) {
                continue;
            }
            found.extend(self.read_blob(gray, &blob, wanted));
        }
        found
    }

    fn read_blob(&mut self, gray: Gray<'_>, blob: &Blob, wanted: &[Symbology]) -> Option<Found> {
        if blob.guess != Guess::Grid && wanted.contains(&Symbology::Pdf417) {
            let found = self.read_rows(gray, blob);
            if found.is_some() {
                return found;
            }
        }
        if blob.guess == Guess::Rows { None } else { self.read_grid(gray, blob, wanted) }
    }

    fn read_rows(&mut self, gray: Gray<'_>, blob: &Blob) -> Option<Found> {
        let margin = blob.size[0] * ROWS_MARGIN_SHARE + ROWS_MARGIN;
        let size = [blob.size[0] + 2.0 * margin, blob.size[1] + 2.0 * pdf417::MARGIN];
        self.crop.place(&Frame { center: blob.center, across: blob.across, size }, 1.0);
        self.pdf417.read(gray, &mut self.crop)
    }

    fn read_grid(&mut self, gray: Gray<'_>, blob: &Blob, wanted: &[Symbology]) -> Option<Found> {
        let size = blob.size.map(|side| side + 2.0 * GRID_MARGIN);
        let frame = Frame { center: blob.center, across: blob.across, size };
        let kinds: Vec<Kind> = [Kind::Qr, Kind::DataMatrix]
            .into_iter()
            .filter(|kind| wanted.contains(&kind.symbology()))
            .collect();
        self.crop.take_coarsely(gray, &frame, GLANCE_STEP);
        let [center, size] = grid::glance(&self.crop, &kinds)?;
        let center = self.crop.on_picture(center);
        let size = size.map(|side| side * self.crop.step() + 2.0 * GRID_MARGIN);
        self.crop.take(gray, &Frame { center, across: blob.across, size });
        let outline = grid::outline(&self.crop)?;
        for mut candidate in outline.candidates(&self.crop, &kinds) {
            if !candidate.take(&self.crop, &mut self.grid) {
                continue;
            }
            let kind = candidate.kind;
            let symbol = self.symbol(kind).or_else(|| {
                self.settled += 1;
                if self.settled > SETTLED_MAX {
                    return None;
                }
                candidate.settle(&self.crop, &mut self.grid);
                NEIGHBOR_SHARES.into_iter().find_map(|share| {
                    self.grid.decide(share);
                    self.symbol(kind)
                })
            });
            if let Some(symbol) = symbol {
                let corners = self.crop.corners_on_picture(&candidate.outline.corners);
                return Some(Found { symbol, corners });
            }
        }
        None
    }

    /// What the grid spells. A chance reading is rare: error correction lets one of a million grids of random modules pass.
    fn symbol(&self, kind: Kind) -> Option<Symbol> {
        if !self.grid.is_likely(kind) {
            return None;
        }
        matrix::grid_symbol(&self.grid.is_dark, self.grid.columns, kind.symbology())
    }
}
