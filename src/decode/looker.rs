//! Every symbol on a picture: one pass finds regions, and each region goes to the readers that may know it.
//!
//! A region is asked for a bar code first, then for an Intelligent Mail bar code, then for bars that edges cannot tell; two-dimensional
//! symbols are looked for where none of these stands. A picture on which nothing was found although something is there, and a
//! small picture, is looked at as a whole, within bounds.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::bars::{Bars, BarsReader, Search};
use super::gray::Gray;
use super::image::{Found, Picture, PictureError, SYMBOLS_MAX, look_whole};
use super::imb_reader::{ImbFound, ImbReader};
use super::locate::{Locator, Region};
use super::matrices::Matrices;
use super::profile::Aligner;
use super::quad::is_inside;
use super::soften::Softener;
use super::tiles::Tiles;
use crate::scan::{Named, Payload, Symbol, Symbology};

/// A picture of at most so many pixels is read row by row when no region gave anything.
const ROWS_PIXELS_MAX: usize = 400_000;

/// The same where a region had as many edges as a symbol; also, rxing's own detectors are tried up to this size: a last resort
/// takes up to a quarter of a second there.
const WHOLE_PIXELS_MAX: usize = 1_400_000;

/// So many regions of one picture go to the soft reader, which takes some milliseconds for each: those with bars on which no edge
/// is steeper than that of a blur of 1.6 pixels, or with a noise of more gray levels than this.
const SOFTENED_MAX: usize = 4;
const STEEP_MIN: f32 = 0.235;
const NOISY_MIN: f32 = 11.0;

/// Higher regions hold an Intelligent Mail bar code only where bars run through: at 600 dots an inch one is 100 pixels high, and
/// paragraphs of print are higher.
const IMB_HEIGHT_MAX: f32 = 200.0;

/// Looks at pictures, one after the other; its buffers are used again.
#[derive(Debug, Default)]
pub struct Looker {
    tiles: Tiles,
    locator: Locator,
    aligner: Aligner,
    bars: BarsReader,
    softener: Softener,
    imbs: ImbReader,
    matrices: Matrices,
    /// The parts of the region in hand that only the soft reader may know, and how many went to it.
    hard: Vec<Region>,
    softened: usize,
    /// Whether a region without a text had as many edges as a symbol.
    is_promising: bool,
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
        self.locator.locate(&self.tiles);
        let sigma = (self.tiles.noise() / 2.0).sqrt();
        let search = Search { gray, sigma, wanted };
        self.bars.begin();
        let mut found = Vec::new();
        (self.is_promising, self.softened) = (false, 0);
        for i in 0..self.locator.regions().len() {
            self.look_into(&search, i, &mut found);
        }
        if wanted.iter().any(|symbology| is_matrix(*symbology)) {
            let matrices = self.matrices.read(gray, &self.tiles, &found, wanted);
            for next in matrices {
                add(&mut found, next);
            }
        }
        if found.is_empty() {
            self.look_again(&search, &mut found);
        }
        found.truncate(SYMBOLS_MAX);
        found.sort_by(|one, other| reading_order(one).total_cmp(&reading_order(other)));
        found
    }

    /// Looks into one region: for bars first, then for an Intelligent Mail bar code, then for bars that edges cannot tell.
    fn look_into(&mut self, search: &Search<'_>, region: usize, found: &mut Vec<Found>) {
        let Some(region) = self.locator.regions().get(region) else { return };
        let runs = self.aligner.align(search.gray, *region, search.sigma);
        let wants_bars = search.wanted.iter().any(|symbology| is_bars(*symbology));
        self.hard.clear();
        for run in runs.iter().filter(|_| wants_bars) {
            let reading = self.bars.read(search, *run);
            self.is_promising |= reading.is_promising;
            let is_hard = reading.steepness < STEEP_MIN || search.sigma > NOISY_MIN;
            if reading.is_promising && reading.found.is_empty() && is_hard {
                self.hard.push(*run);
            }
            for bars in reading.found {
                add(found, symbol(&bars));
            }
        }
        let is_row = region.height <= IMB_HEIGHT_MAX || !runs.is_empty();
        let is_taken = found.iter().any(|known| is_inside(&known.corners, region.center));
        if search.wanted.contains(&Symbology::Imb)
            && is_row
            && !is_taken
            && let Some(imb) = self.imbs.read(search.gray, region)
        {
            add(found, imb_symbol(&imb));
            return;
        }
        for run in self.hard.drain(..) {
            let is_taken = found.iter().any(|known| is_inside(&known.corners, run.center));
            if !is_taken && self.softened < SOFTENED_MAX {
                self.softened += 1;
                if let Some(bars) = self.softener.read(search, run) {
                    add(found, symbol(&bars));
                }
            }
        }
    }

    /// The last resort, for small pictures: rows and columns, and rxing's own detectors.
    fn look_again(&mut self, search: &Search<'_>, found: &mut Vec<Found>) {
        let pixels = search.gray.luma().len();
        let rows_max = if self.is_promising { WHOLE_PIXELS_MAX } else { ROWS_PIXELS_MAX };
        if pixels <= rows_max && search.wanted.iter().any(|symbology| is_bars(*symbology)) {
            let rows = self.bars.read_rows(search);
            for bars in rows {
                add(found, symbol(&bars));
            }
        }
        if pixels <= ROWS_PIXELS_MAX && found.is_empty() && search.wanted.contains(&Symbology::Imb)
        {
            for imb in self.imbs.read_whole(search.gray) {
                add(found, imb_symbol(&imb));
            }
        }
        if pixels <= WHOLE_PIXELS_MAX && found.is_empty() {
            found.extend(look_whole(search.gray, search.wanted));
        }
    }
}

/// How far down its uppermost corner is.
fn reading_order(found: &Found) -> f32 {
    found.corners.iter().map(|[_, y]| *y).fold(f32::INFINITY, f32::min)
}

/// Adds a symbol that was not found before at the same place.
fn add(found: &mut Vec<Found>, next: Found) {
    if !found.iter().any(|known| known.is_same(&next)) {
        found.push(next);
    }
}

const fn is_matrix(symbology: Symbology) -> bool {
    matches!(symbology, Symbology::Pdf417 | Symbology::Qr | Symbology::DataMatrix)
}

const fn is_bars(symbology: Symbology) -> bool {
    matches!(symbology, Symbology::Code128 | Symbology::Code39 | Symbology::Itf)
}

fn symbol(bars: &Bars) -> Found {
    let payload = payload(&bars.text);
    let symbol = Symbol {
        symbology: Named::One(bars.symbology),
        identifier: Some(bars.identifier),
        length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
        payload: Payload(payload),
        repaired: false,
    };
    Found { symbol, corners: bars.corners }
}

fn imb_symbol(imb: &ImbFound) -> Found {
    let digits = imb.digits.as_str();
    let symbol = Symbol {
        symbology: Named::One(Symbology::Imb),
        identifier: None,
        length: u32::try_from(digits.len()).unwrap_or(u32::MAX),
        payload: Payload(digits.as_bytes().to_vec()),
        repaired: imb.is_repaired,
    };
    Found { symbol, corners: imb.corners }
}

/// Bytes above 127 (Code 128 with FNC4) are letters of ISO/IEC 8859-1; as text they are UTF-8, unless control characters say that
/// they are none.
fn payload(text: &[u8]) -> Vec<u8> {
    if text.is_ascii() || text.iter().any(|byte| (0x80..=0x9f).contains(byte)) {
        return text.to_vec();
    }
    text.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes()
}
