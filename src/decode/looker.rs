//! Every symbol on a picture: one pass finds regions, and each region goes to the readers that may know it.
//!
//! In this order, the strongest check first: bar codes of the regions, Intelligent Mail bar codes, two-dimensional symbols, and the
//! soft reader for bars that the others could not tell. A picture on which nothing was found although something is there, and a
//! small picture, is looked at as a whole, within bounds.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::bars::{Bars, BarsReader};
use super::gray::Gray;
use super::image::{Found, Picture, PictureError, SYMBOLS_MAX};
use super::locate::{Locator, Region};
use super::profile::Aligner;
use super::quad::is_same_place;
use super::tiles::Tiles;
use crate::scan::{Named, Payload, Symbol, Symbology};

/// A picture of at most so many pixels is read row by row when no region gave anything.
const ROWS_PIXELS_MAX: usize = 400_000;

/// The same where a region had as many edges as a symbol.
const PROMISING_ROWS_PIXELS_MAX: usize = 1_500_000;

/// Looks at pictures, one after the other; its buffers are used again.
#[derive(Debug, Default)]
pub struct Looker {
    tiles: Tiles,
    locator: Locator,
    aligner: Aligner,
    bars: BarsReader,
}

impl Looker {
    /// Looks for symbols of the wanted symbologies; a picture without one is an empty answer. At most [`SYMBOLS_MAX`] are
    /// returned.
    ///
    /// Payloads are the bytes of the symbol's text, check digits included; FNC1 inside a Code 128 is GS (ASCII 29).
    pub fn look(
        &mut self,
        picture: &Picture,
        wanted: &[Symbology],
    ) -> Result<Vec<Found>, PictureError> {
        catch_unwind(AssertUnwindSafe(|| self.look_at(Gray::of(picture), wanted))).map_err(
            |_panic| {
                // The panic's own text may quote the payload: it goes no further than the panic hook. What it left behind in
                // the buffers is thrown away.
                *self = Self::default();
                PictureError::Panicked
            },
        )
    }
}

impl Looker {
    fn look_at(&mut self, gray: Gray<'_>, wanted: &[Symbology]) -> Vec<Found> {
        self.tiles.measure(gray);
        let sigma = (self.tiles.noise() / 2.0).sqrt();
        let mut found = Vec::new();
        if wanted.iter().any(|symbology| is_bars(*symbology)) {
            self.look_for_bars(gray, sigma, wanted, &mut found);
        }
        found.truncate(SYMBOLS_MAX);
        found
    }

    fn look_for_bars(
        &mut self,
        gray: Gray<'_>,
        sigma: f32,
        wanted: &[Symbology],
        found: &mut Vec<Found>,
    ) {
        let mut is_promising = false;
        for region in self.locator.bars(&self.tiles) {
            for run in self.aligner.align(gray, *region, sigma) {
                let reading = self.bars.read(gray, *run, sigma, wanted);
                is_promising |= reading.is_promising;
                reading.found.into_iter().for_each(|bars| add(found, symbol(bars)));
            }
        }
        let pixels = gray.width() * gray.height();
        let pixels_max = if is_promising { PROMISING_ROWS_PIXELS_MAX } else { ROWS_PIXELS_MAX };
        if found.is_empty() && pixels <= pixels_max {
            let rows = self.bars.read_rows(gray, sigma, wanted);
            rows.into_iter().for_each(|bars| add(found, symbol(bars)));
        }
    }
}

/// Adds a symbol that was not found before at the same place.
fn add(found: &mut Vec<Found>, next: Found) {
    let is_known = found.iter().any(|known| {
        known.symbol.symbology == next.symbol.symbology
            && known.symbol.payload == next.symbol.payload
            && is_same_place(&known.corners, &next.corners)
    });
    if !is_known {
        found.push(next);
    }
}
