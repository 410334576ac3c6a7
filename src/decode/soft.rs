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

#[cfg(test)]
mod tests {
    #![expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few hundred samples"
    )]

    use super::*;
    use crate::decode::patterns::{CODE_128, CODE_128_STOP};

    const WANTED: [Symbology; 3] = [Symbology::Code128, Symbology::Code39, Symbology::Itf];

    /// A symbol on paper: module and blur in samples.
    struct Printed {
        widths: Vec<f32>,
        module: f32,
        sigma: f32,
    }

    impl Printed {
        /// Levels of the symbol between two quiet zones of 12 modules.
        fn profile(&self) -> Vec<f32> {
            let blur = Blur::new();
            let quiet = 12.0 * self.module;
            let length = 2.0 * quiet + self.module * self.widths.iter().sum::<f32>();
            (0..length as usize)
                .map(|sample| {
                    let (mut at, mut sign, mut ink) = (quiet, 1.0, 0.0);
                    for width in self.widths.iter().chain([&0.0]) {
                        ink += sign * blur.edge((sample as f32 - at) / self.sigma)[0];
                        (at, sign) = (at + width * self.module, -sign);
                    }
                    200.0 - 140.0 * ink
                })
                .collect()
        }

        /// Four bands of it with noise of 3 levels.
        fn bands(&self) -> Vec<Vec<f32>> {
            let profile = self.profile();
            (0..4)
                .map(|band| profile.iter().zip(noise(band)).map(|(level, by)| level + by).collect())
                .collect()
        }
    }

    /// Noise with a standard deviation of 3: sums of uniform numbers.
    fn noise(seed: u32) -> impl Iterator<Item = f32> {
        let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as f32 / u32::MAX as f32 - 0.5
        };
        std::iter::from_fn(move || Some((0..12).map(|_| next()).sum::<f32>() * 3.0))
    }

    fn code_128(values: &[usize]) -> Vec<f32> {
        let characters = values.iter().flat_map(|value| CODE_128[*value]);
        characters.chain(CODE_128_STOP).map(f32::from).collect()
    }

    fn wide(letters: &Letters, text: &[usize], ratio: f32) -> Vec<f32> {
        let characters = text.iter().flat_map(|letter| &letters.all[*letter]);
        let all = letters.head.iter().chain(characters).chain(&letters.tail);
        all.map(|width| f32::from(width[0]) + f32::from(width[1]) * ratio).collect()
    }

    fn read(bands: &[Vec<f32>]) -> Option<Soft> {
        let bands: Vec<_> = bands.iter().map(|levels| Band { levels, noise: 3.0 }).collect();
        SoftReader::new().read(&bands, &WANTED)
    }

    fn payload(soft: Option<Soft>) -> Option<(Symbology, String)> {
        soft.map(|soft| (soft.symbology, String::from_utf8(soft.payload).unwrap()))
    }

    /// 1234567890 in code set C.
    const DIGITS: [usize; 7] = [105, 12, 34, 56, 78, 90, 85];

    fn digits() -> Printed {
        Printed { widths: code_128(&DIGITS), module: 2.0, sigma: 2.0 }
    }

    #[test]
    fn a_symbol_is_read_under_a_blur_as_wide_as_its_modules() {
        let [code_39, itf] = [Letters::code_39(), Letters::itf()];
        let cases = [
            (code_128(&DIGITS), Symbology::Code128, "1234567890"),
            (wide(&code_39, &[1, 2, 10, 35, 7, 24], 2.5), Symbology::Code39, "12AZ7O"),
            (wide(&itf, &[12, 34, 5, 67, 98], 2.5), Symbology::Itf, "1234056798"),
        ];
        for (widths, symbology, text) in cases {
            let printed = Printed { widths, module: 2.2, sigma: 2.0 };
            assert_eq!(payload(read(&printed.bands())), Some((symbology, text.to_owned())));
        }
    }

    #[test]
    fn its_place_is_told_from_either_side() {
        let mut bands = digits().bands();
        let soft = read(&bands).unwrap();
        assert!((soft.from - 24.0).abs() < 0.5, "{soft:?}");
        assert!((soft.to - 24.0 - 2.0 * 90.0).abs() < 0.5, "{soft:?}");
        let last = bands[0].len() as f32 - 1.0;
        for band in &mut bands {
            band.reverse();
        }
        let turned = read(&bands).unwrap();
        assert_eq!(turned.payload, soft.payload);
        assert!((turned.from - (last - soft.from)).abs() < 0.5, "{turned:?}");
    }

    #[test]
    fn a_stroke_across_one_band_hides_nothing() {
        let mut bands = digits().bands();
        bands[1][70..85].fill(40.0);
        assert_eq!(payload(read(&bands)), Some((Symbology::Code128, "1234567890".to_owned())));
    }

    #[test]
    fn a_stroke_across_all_bands_leaves_it_unread() {
        let mut bands = digits().bands();
        for band in &mut bands {
            band[70..85].fill(40.0);
        }
        assert_eq!(read(&bands), None);
    }

    #[test]
    fn a_wrong_check_character_leaves_it_unread() {
        let widths = code_128(&[105, 12, 34, 56, 78, 90, 86]);
        assert_eq!(read(&Printed { widths, ..digits() }.bands()), None);
    }

    #[test]
    fn one_band_is_not_enough() {
        assert_eq!(read(&digits().bands()[..1]), None);
    }

    #[test]
    fn noise_and_broken_profiles_hold_nothing() {
        let noisy: Vec<Vec<f32>> = (0..4)
            .map(|band| noise(band).take(300).map(|by| 120.0 + 10.0 * by).collect())
            .collect();
        let broken = vec![vec![f32::NAN; 300]; 4];
        for bands in [noisy, broken, vec![Vec::new(); 4], vec![vec![0.0; 9000]; 4], Vec::new()] {
            assert_eq!(read(&bands), None);
        }
    }
}
