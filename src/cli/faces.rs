//! Envelope faces that nobody mailed: what the demonstration, the tests and the benchmark look at.
//!
//! A face is a sheet of paper with symbols and clutter, drawn finer than the picture, and then photographed: turned, tilted,
//! bent, unevenly lit, out of focus and noisy. The same seed is the same face.

pub mod sets;

mod clutter;
mod dice;
mod exposure;
mod lens;
mod letters;
mod page;
mod prints;
mod sheet;

use self::dice::Dice;
use self::exposure::Glare;
use self::lens::Lens;
use self::page::Page;
use self::prints::Plate;
use crate::decode::image::{Corners, DrawError, Picture, PictureError};
use crate::scan::Symbology;

/// Pixels for an inch, and for the narrowest bar, of a face that [`draw`] draws: 15 mil.
const DRAWN_PPI: f32 = 200.0;
const DRAWN_MODULE_PX: f32 = 3.0;

/// A No. 10 envelope, and how much higher it becomes while its symbols have no room, up to so many inches.
const NO_10_IN: [f32; 2] = [9.5, 4.125];
const HIGHER: f32 = 1.3;
const HEIGHT_MAX_IN: f32 = 24.0;

/// Envelopes from the smallest to the largest, in inches: No. 10, 11 and 14, a 6 x 9, a 9 x 12.
const ENVELOPES_IN: [[f32; 2]; 5] = [NO_10_IN, [10.375, 4.5], [11.5, 5.0], [9.0, 6.0], [12.0, 9.0]];

/// Texels of the sheet for a pixel of the picture.
const FINENESS: f32 = 3.0;

/// Why a face was not drawn.
#[derive(Debug, thiserror::Error)]
pub enum FaceError {
    /// One of its symbols cannot be drawn.
    #[error("a symbol of the face cannot be drawn")]
    Symbol(#[source] DrawError),
    /// The sides make no picture.
    #[error("the face makes no picture")]
    Picture(#[source] PictureError),
    /// The symbol does not fit.
    #[error("a symbol of {0} pixels is wider than the face")]
    Wide(u32),
    /// There are more symbols than an envelope has room for.
    #[error("{0} symbols have no room on an envelope")]
    Full(usize),
}

/// What is printed on a face.
#[derive(Debug, Clone, PartialEq)]
pub struct Print {
    /// The symbol.
    pub mark: Mark,
    /// The width of its narrowest bar or module in pixels; of an Intelligent Mail bar code, from one bar to the next.
    pub module_px: f32,
}

/// A symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// One that is drawn from its payload.
    Symbol(Symbology, String),
    /// An Intelligent Mail bar code.
    Imb {
        /// What it says.
        digits: String,
        /// Its bars: T, D, A and F.
        bars: String,
    },
}

/// How a face is taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Camera {
    /// Width and height of the picture in pixels.
    pub size: [u16; 2],
    /// Pixels for an inch of paper.
    pub ppi: f32,
    /// How far the paper is turned, clockwise.
    pub turn_deg: f32,
    /// How much smaller the right and the lower edge look than the middle, as shares; negative, larger.
    pub tilt: [f32; 2],
    /// How far the paper's ends bend up, as a share of half the picture's width.
    pub curl: f32,
    /// Standard deviation of the blur in pixels.
    pub blur_px: f32,
    /// Standard deviation of the sensor's noise in shades of 256.
    pub noise: f32,
    /// What the darkest corner has of the light: 1 is even light, which does not show the paper's grain either.
    pub dim: f32,
    /// What befell the face, in the order in which it did.
    pub harms: Vec<Harm>,
}

impl Camera {
    /// A camera straight above, sharp, in even light.
    pub const fn above(size: [u16; 2], ppi: f32) -> Self {
        Self {
            size,
            ppi,
            turn_deg: 0.0,
            tilt: [0.0; 2],
            curl: 0.0,
            blur_px: 0.0,
            noise: 0.0,
            dim: 1.0,
            harms: Vec::new(),
        }
    }

    fn lens(&self) -> Lens {
        Lens {
            size: self.size.map(f32::from),
            turn_deg: self.turn_deg,
            tilt: self.tilt,
            curl: self.curl,
            middle: [0.0; 2],
        }
    }
}

/// What makes a face harder to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// It lies at 45 degrees.
    Slant,
    /// It is out of focus: a blur of 2.0 pixels.
    Blur,
    /// It was dark: noise of 16 shades.
    Noise,
    /// Somebody wrote across a symbol.
    Pen,
    /// The paper is curved.
    Curl,
    /// The lamp is mirrored beside or on a symbol.
    Glare,
}

impl Harm {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Slant, Self::Blur, Self::Noise, Self::Pen, Self::Curl, Self::Glare];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Slant => "slant",
            Self::Blur => "blur",
            Self::Noise => "noise",
            Self::Pen => "pen",
            Self::Curl => "curl",
            Self::Glare => "glare",
        }
    }

    fn befall(self, camera: &mut Camera, dice: &mut Dice) {
        match self {
            Self::Slant => camera.turn_deg = 45.0,
            Self::Blur => camera.blur_px = 2.0,
            Self::Noise => camera.noise = 16.0,
            Self::Curl => camera.curl = dice.between(0.02, 0.06),
            Self::Pen | Self::Glare => {}
        }
        camera.harms.push(self);
    }
}

/// A symbol that is on a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    /// Its symbology.
    pub symbology: Symbology,
    /// What it says.
    pub payload: String,
    /// Where it is: its own top left, top right, bottom right and bottom left, in pixels.
    pub corners: Corners,
}

/// A picture, and what is on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Face {
    /// The picture.
    pub picture: Picture,
    /// Every symbol that found room.
    pub truths: Vec<Truth>,
}

/// Draws the face of an envelope with these symbols and two addresses that are no letters, as a PNG file: what a scanner with a
/// lid makes of it. The same seed gives the same face.
pub fn draw(symbols: &[(Symbology, &str)], seed: u64) -> Result<Vec<u8>, FaceError> {
    let plates = symbols
        .iter()
        .map(|(symbology, payload)| Print {
            mark: Mark::Symbol(*symbology, (*payload).to_owned()),
            module_px: DRAWN_MODULE_PX,
        })
        .map(|print| Plate::new(&print, 1.0, 0.0))
        .collect::<Result<Vec<_>, _>>()?;
    let mut inches = NO_10_IN;
    while inches[1] < HEIGHT_MAX_IN {
        let camera = Camera::above(inches.map(|side| whole(side * DRAWN_PPI)), DRAWN_PPI);
        let mut dice = Dice::new(seed);
        let mut page = Page::new(camera.lens(), inches, DRAWN_PPI, 1.0, &mut dice);
        for plate in &plates {
            let width = plate.upright_width();
            if !page.is_wider_than(width) {
                return Err(FaceError::Wide(u32::from(whole(width))));
            }
        }
        if plates.iter().all(|plate| page.print(plate, &mut dice).is_some()) {
            page.clutter(&mut dice);
            let luma = page.exposed(&camera, Vec::new(), &mut dice);
            return picture(camera.size, luma)?.to_png().map_err(FaceError::Picture);
        }
        inches[1] *= HIGHER;
    }
    Err(FaceError::Full(symbols.len()))
}

/// Takes a picture of an envelope with these symbols among addresses, marks and handwriting. Symbols that find no room on the
/// part of the envelope that the picture shows are left out. The same seed gives the same face.
pub fn photograph(prints: &[Print], camera: &Camera, seed: u64) -> Result<Face, FaceError> {
    let mut dice = Dice::new(seed);
    let gain = dice.between(-0.06, 0.08);
    let plates = prints
        .iter()
        .map(|print| Plate::new(print, FINENESS, gain))
        .collect::<Result<Vec<_>, _>>()?;
    let lens = camera.lens();
    let inches = dice.pick(&ENVELOPES_IN).copied().unwrap_or(NO_10_IN);
    let mut page = Page::new(lens, inches, camera.ppi, FINENESS, &mut dice);
    let mut truths: Vec<Truth> = Vec::new();
    for plate in &plates {
        if let Some(corners) = page.print(plate, &mut dice) {
            let (symbology, payload) = (plate.symbology, plate.payload.clone());
            truths.push(Truth { symbology, payload, corners });
        }
    }
    page.clutter(&mut dice);
    harm_paper(&mut page, &truths, &camera.harms, &mut dice);
    for truth in &mut truths {
        truth.corners = truth.corners.map(|corner| lens.picture(corner));
    }
    let glares = glares(&truths, camera, &mut dice);
    let luma = page.exposed(camera, glares, &mut dice);
    Ok(Face { picture: picture(camera.size, luma)?, truths })
}

/// What befalls the paper, as far as it is not the camera's doing.
fn harm_paper(page: &mut Page, truths: &[Truth], harms: &[Harm], dice: &mut Dice) {
    if harms.contains(&Harm::Pen) {
        for _stroke in 0..=dice.below(2) {
            if let Some(truth) = dice.pick(truths) {
                page.write_across(&truth.corners, dice);
            }
        }
    }
    if !harms.is_empty() && dice.one_in(4) {
        page.crease(dice);
    }
    if let Some(truth) = dice.pick(truths).filter(|_| !harms.is_empty() && dice.one_in(4)) {
        page.veil(&truth.corners, dice);
    }
}

/// A mirrored lamp near a symbol, or anywhere.
fn glares(truths: &[Truth], camera: &Camera, dice: &mut Dice) -> Vec<Glare> {
    if !camera.harms.contains(&Harm::Glare) {
        return Vec::new();
    }
    let [width, height] = camera.size.map(f32::from);
    let corner = dice.pick(truths).and_then(|truth| dice.pick(&truth.corners)).copied();
    let [x, y] = corner.unwrap_or([width * dice.share(), height * dice.share()]);
    let radius = dice.between(0.2, 0.6) * camera.ppi;
    let [dx, dy] = [0; 2].map(|_| dice.between(-1.0, 1.0) * radius);
    vec![Glare { at: [x + dx, y + dy], radius }]
}

fn picture(size: [u16; 2], luma: Vec<u8>) -> Result<Picture, FaceError> {
    let [width, height] = size.map(u32::from);
    Picture::from_luma(width, height, luma).map_err(FaceError::Picture)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a saturating cast: no symbol and no envelope is that long"
)]
const fn whole(length: f32) -> u16 {
    length as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::find;

    type Symbols<'a> = &'a [(Symbology, &'a str)];

    fn payloads(face: &[u8]) -> Vec<String> {
        let found = find(&Picture::load(face).unwrap(), &Symbology::ALL).unwrap();
        let mut payloads: Vec<_> = found
            .into_iter()
            .map(|found| String::from_utf8(found.symbol.payload.0).unwrap())
            .collect();
        payloads.sort();
        payloads
    }

    #[test]
    fn every_symbol_on_a_face_is_found_once() {
        let faces: [Symbols<'_>; 8] = [
            &[(Symbology::Code128, "2026110000000011")],
            &[(Symbology::Code39, "BALLOT-17")],
            &[(Symbology::Itf, "20261100000001")],
            &[(Symbology::Pdf417, "202611,000000001")],
            &[(Symbology::Qr, "202611000000001")],
            &[(Symbology::DataMatrix, "202611000000001")],
            &[(Symbology::Code128, "2026110000000011"), (Symbology::Qr, "other")],
            &[
                (Symbology::Code128, "2026110000000011"),
                (Symbology::Code128, "2026110000000029"),
                (Symbology::Itf, "20261100000001"),
                (Symbology::DataMatrix, "202611000000001"),
                (Symbology::Qr, "202611000000037"),
            ],
        ];
        for (seed, symbols) in (1..).zip(faces) {
            let mut expected: Vec<&str> = symbols.iter().map(|(_, payload)| *payload).collect();
            expected.sort_unstable();
            assert_eq!(payloads(&draw(symbols, seed).unwrap()), expected);
        }
    }

    #[test]
    fn a_seed_is_a_face() {
        let face = |seed| draw(&[(Symbology::Qr, "1")], seed).unwrap();
        assert_eq!(face(7), face(7));
        assert_ne!(face(7), face(8));
    }

    #[test]
    fn addresses_are_no_symbols() {
        for seed in 0..4 {
            assert_eq!(payloads(&draw(&[], seed).unwrap()), [""; 0], "seed {seed}");
        }
    }

    #[test]
    fn what_is_told_of_a_photograph_is_on_it() {
        let print = |symbology, payload: &str, module_px| {
            let mark = Mark::Symbol(symbology, payload.to_owned());
            Print { mark, module_px }
        };
        let prints = [
            print(Symbology::Code128, "20261100", 2.5),
            print(Symbology::DataMatrix, "202611000000001", 3.5),
        ];
        for turn_deg in [0.0, 90.0] {
            let camera = Camera { turn_deg, noise: 2.0, ..Camera::above([700, 700], 150.0) };
            let face = photograph(&prints, &camera, 5).unwrap();
            let found = find(&face.picture, &Symbology::ALL).unwrap();
            assert_eq!(face.truths.len(), prints.len());
            for truth in &face.truths {
                let found = found
                    .iter()
                    .find(|found| found.symbol.payload.0 == truth.payload.as_bytes())
                    .unwrap_or_else(|| panic!("{truth:?} is not in {found:?}"));
                let middle = |corners: &Corners, part: usize| {
                    corners.iter().map(|corner| corner[part]).sum::<f32>() / 4.0
                };
                let [dx, dy] =
                    [0, 1].map(|part| middle(&found.corners, part) - middle(&truth.corners, part));
                assert!(dx.hypot(dy) < 12.0, "{truth:?} is found at {:?}", found.corners);
            }
        }
    }

    #[test]
    fn a_number_of_a_set_is_a_face() {
        let bars: String = "TDAF".chars().cycle().take(65).collect();
        let imbs = [("00777123456000000001", bars.as_str())];
        let format = sets::Format { size: [480, 270], ppi: 46.0 };
        let face = |set, number| sets::shot(set, format, number, &imbs).unwrap().face;
        assert_eq!(face(sets::Set::Harder, 3), face(sets::Set::Harder, 3));
        assert_ne!(face(sets::Set::NoCode, 3).picture, face(sets::Set::NoCode, 4).picture);
        assert_eq!(face(sets::Set::NoCode, 3).truths, []);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let error = draw(&[(Symbology::Code39, &"W".repeat(60))], 1).unwrap_err();
        assert!(matches!(error, FaceError::Wide(_)), "{error:?}");
    }
}
