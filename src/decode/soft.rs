//! Bars whose edges run into each other: a symbol is found by comparing averaged rows with what every text would look like blurred.
//!
//! For Code 128, Code 39 and Interleaved 2 of 5, where the blur is about as wide as a module. The caller averages rows along the
//! bars into bands; the bands are laid on one another, what covers some of them counts less, and a pose (place, module, blur,
//! light, growth of ink, ratio) and a text are fitted in turn. A text is believed only when
//!
//! - it explains the profile down to the noise, over every character and over both quiet zones,
//! - every other text explains it far worse, and for Code 128 the check character holds,
//! - at least [`BANDS_AGREEING`] bands, each for itself, want no other character at any place.
//!
//! Anything else is no symbol: nothing is guessed, and a covered character leaves the symbol unread.

mod blend;
mod blur;
mod ends;
mod fit;
mod judge;
mod letters;
mod pose;
mod text;
mod trellis;

use self::blend::Blend;
use self::blur::Blur;
use self::letters::Letters;
use crate::scan::Symbology;

/// Bands that must each confirm every character.
const BANDS_AGREEING: usize = 2;

/// Bands that are looked at; more are not.
const BANDS_MAX: usize = 8;

/// Longer profiles are not looked into: the diagonal of 12 megapixels is 5,000.
const SAMPLES_MAX: usize = 8192;

/// An average of rows along the bars.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Band<'a> {
    /// Gray levels, 0 to 255, a pixel apart.
    pub(crate) levels: &'a [f32],
    /// Standard deviation of each level: the sensor's over the root of the rows.
    pub(crate) noise: f32,
}

/// A symbol that was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Soft {
    pub(crate) symbology: Symbology,
    /// Code 128 without start, check and stop; Code 39 without asterisks, not expanded; ITF's digits.
    pub(crate) payload: Vec<u8>,
    /// Code 128's FNC1 in first place, which makes it GS1-128.
    pub(crate) has_fnc1_first: bool,
    /// Sample of the first bar's left edge; right of `to` when the symbol stands on its head.
    pub(crate) from: f32,
    /// Sample of the last bar's right edge.
    pub(crate) to: f32,
    /// How much worse the next best text explains the profile, in squared units of the noise.
    pub(crate) margin: f32,
}

/// Reads symbols; made once, and then shared.
#[derive(Debug)]
pub(crate) struct SoftReader {
    blur: Blur,
    alphabets: [(Symbology, Letters); 3],
}

impl SoftReader {
    pub(crate) fn new() -> Self {
        Self {
            blur: Blur::new(),
            alphabets: [
                (Symbology::Code128, Letters::code_128()),
                (Symbology::Code39, Letters::code_39()),
                (Symbology::Itf, Letters::itf()),
            ],
        }
    }

    /// The symbol on these bands of one region, which all begin at the same line across them.
    pub(crate) fn read(&self, bands: &[Band<'_>], wanted: &[Symbology]) -> Option<Soft> {
        let bands = bands.get(..bands.len().min(BANDS_MAX))?;
        let length = bands.iter().map(|band| band.levels.len()).min()?;
        if bands.len() < BANDS_AGREEING || !(QUIETEST..=SAMPLES_MAX).contains(&length) {
            return None;
        }
        let sound = |band: &Band<'_>| {
            band.noise.is_finite() && band.levels.iter().all(|level| level.is_finite())
        };
        if !bands.iter().all(sound) {
            return None;
        }
        let blend = Blend::of(bands);
        if blend.contrast < CONTRAST_MIN {
            return None;
        }
        let reversed = blend.reversed();
        let (blends, extents) = ([&blend, &reversed], ends::extents(&blend));
        let wanted = self.alphabets.iter().filter(|(symbology, _)| wanted.contains(symbology));
        wanted
            .map(|alphabet| {
                let guesses = pose::guesses(&extents, blends, alphabet, &self.blur);
                judge::readings(&guesses, blends, &self.blur)
            })
            .find_map(only)
    }
}

/// A profile shorter than this holds no symbol with its quiet zones.
const QUIETEST: usize = 48;

/// Gray levels between ink and paper.
const CONTRAST_MIN: f32 = 12.0;

/// The reading, when all that were found say the same.
fn only(readings: Vec<Soft>) -> Option<Soft> {
    let mut readings = readings.into_iter();
    let first = readings.next()?;
    readings.all(|other| other.payload == first.payload).then_some(first)
}
