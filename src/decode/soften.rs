//! The door from regions to the soft reader: whether a region is worth its time, and the bands that it takes.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "heights are below 2^16"
)]

use super::bars::{Bars, Search};
use super::locate::Region;
use super::profile::Lines;
use super::soft::{Band, Soft, SoftReader};
use crate::decode::bars::full_ascii;
use crate::scan::{Symbology, SymbologyIdentifier};

/// Bands into which a region is averaged.
const BANDS: usize = 5;

/// Lines of a band.
const LINES_MAX: usize = 24;

/// Longer regions are left alone, in pixels: the time grows with the length, and bars that long are not blurred.
const LENGTH_MAX: f32 = 2000.0;

/// Lower regions have no five bands, in pixels.
const HEIGHT_MIN: f32 = 12.0;

/// White beside the region that belongs to its quiet zones, in pixels, and as a share of its length.
const MARGIN: f32 = 40.0;
const MARGIN_SHARE: f32 = 0.08;

/// What averaging between pixels leaves of the noise, and the least that is reckoned with, in gray levels.
const BETWEEN_SHARE: f32 = 0.8;
const NOISE_MIN: f32 = 0.5;

/// Reads regions whose edges run into each other; its buffers are used again.
#[derive(Debug)]
pub(crate) struct Softener {
    reader: SoftReader,
    sums: Vec<u32>,
    means: [Vec<f32>; BANDS],
}

impl Default for Softener {
    fn default() -> Self {
        Self { reader: SoftReader::new(), sums: Vec::new(), means: Default::default() }
    }
}

impl Softener {
    /// The symbol in a region that was turned upright and that lines alone could not read: Code 128 or Code 39. An Interleaved 2 of 5
    /// whose end is hidden is a shorter one, and blurred nothing gives that away.
    pub(crate) fn read(&mut self, search: &Search<'_>, region: Region) -> Option<Bars> {
        if region.length > LENGTH_MAX || region.height < HEIGHT_MIN {
            return None;
        }
        let margin = MARGIN + region.length * MARGIN_SHARE;
        let region = Region { length: region.length + 2.0 * margin, ..region };
        let lines = Lines::new(search.gray, region);
        let step = region.height / BANDS as f32;
        let each = (step as usize).clamp(1, LINES_MAX);
        for (i, mean) in self.means.iter_mut().enumerate() {
            let along = (i as f32 + 0.5) * step - region.height / 2.0;
            lines.mean(along, each, &mut self.sums, mean);
        }
        let noise = (search.sigma / (each as f32).sqrt() * BETWEEN_SHARE).max(NOISE_MIN);
        let bands = self.means.each_ref().map(|levels| Band { levels, noise });
        let checked = [Symbology::Code128, Symbology::Code39];
        let wanted = checked.map(|one| search.wanted.contains(&one).then_some(one));
        let wanted: Vec<Symbology> = wanted.into_iter().flatten().collect();
        let soft = self.reader.read(&bands, &wanted)?;
        symbol(&lines, soft)
    }
}

fn symbol(lines: &Lines<'_>, soft: Soft) -> Option<Bars> {
    let half = lines.region().height / 2.0;
    // Read from right to left it stands on its head.
    let [top, bottom] = if soft.from < soft.to { [-half, half] } else { [half, -half] };
    let corners = [[soft.from, top], [soft.to, top], [soft.to, bottom], [soft.from, bottom]]
        .map(|[across, along]| lines.at(across, along));
    let (text, [code, modifier]) = match soft.symbology {
        Symbology::Code128 if soft.has_fnc1_first => (soft.payload, *b"C1"),
        Symbology::Code128 => (soft.payload, *b"C0"),
        Symbology::Code39 => match full_ascii(&soft.payload) {
            Some(full) => (full, *b"A4"),
            None => (soft.payload, *b"A0"),
        },
        _ => (soft.payload, *b"I0"),
    };
    let identifier = SymbologyIdentifier::new(code, modifier)?;
    Some(Bars { symbology: soft.symbology, identifier, text, corners })
}
