//! Sets of faces that the benchmark and the tests measure on: the same number is the same face, everywhere.

use super::dice::Dice;
use super::{Camera, Face, FaceError, Harm, Mark, Print, photograph};
use crate::scan::Symbology;

/// Which faces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// What a camera at a mail desk sees on a good day.
    Normal,
    /// The same, with one or two of [`Harm::ALL`].
    Harder,
    /// All the clutter, no symbol.
    NoCode,
    /// An Intelligent Mail bar code on each.
    Imb,
}

impl Set {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Harder => "harder",
            Self::NoCode => "nocode",
            Self::Imb => "imb",
        }
    }
}

/// An Intelligent Mail bar code: its digits, and its bars as T, D, A and F.
pub type Imb<'a> = (&'a str, &'a str);

/// The pictures of a camera.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Format {
    /// Width and height in pixels.
    pub size: [u16; 2],
    /// Pixels for an inch of paper.
    pub ppi: f32,
}

/// The two cameras that are measured with.
pub const FORMATS: [Format; 2] =
    [Format { size: [1920, 1080], ppi: 183.0 }, Format { size: [2464, 1648], ppi: 235.0 }];

/// Bar widths in inches: 10 and 13.3 mil.
const MODULES_IN: [f32; 2] = [0.010, 0.0133];

/// A face and how it was taken.
#[derive(Debug)]
pub struct Shot {
    /// The picture and what is on it.
    pub face: Face,
    /// The camera.
    pub camera: Camera,
}

/// Takes a face of the set. Without Intelligent Mail bar codes to choose from, none carries one.
pub fn shot(set: Set, format: Format, number: u16, imbs: &[Imb<'_>]) -> Result<Shot, FaceError> {
    let seed = (u64::from(number) << 32) ^ (u64::from(format.size[0]) << 8) ^ set as u64;
    let mut dice = Dice::new(seed);
    let camera = camera(set, format, usize::from(number), &mut dice);
    let prints = prints(set, &camera, imbs, &mut dice);
    let face = photograph(&prints, &camera, dice.next())?;
    Ok(Shot { face, camera })
}

fn camera(set: Set, format: Format, number: usize, dice: &mut Dice) -> Camera {
    let nth = |of: &[f32], at: usize| of.get(at % of.len().max(1)).copied().unwrap_or(0.0);
    let blurs: &[f32] = if set == Set::Imb { &[0.0, 0.5, 1.0] } else { &[0.0, 0.7, 1.2] };
    let mut camera = Camera {
        turn_deg: nth(&[0.0, 5.0, 15.0, 90.0, 180.0], number),
        blur_px: nth(blurs, number / 5),
        noise: nth(&[2.0, 8.0], number / 15),
        dim: dice.between(0.6, 1.0),
        tilt: if dice.one_in(2) {
            [0.0; 2]
        } else {
            [0.0; 2].map(|_: f32| dice.between(-0.02, 0.02))
        },
        ..Camera::above(format.size, format.ppi)
    };
    if set == Set::Harder {
        let first = dice.below(Harm::ALL.len());
        let mut kinds = vec![first];
        if dice.one_in(2) {
            kinds.push((first + 1 + dice.below(Harm::ALL.len() - 1)) % Harm::ALL.len());
        }
        let harms: Vec<Harm> =
            kinds.iter().filter_map(|kind| Harm::ALL.get(*kind).copied()).collect();
        for harm in harms {
            harm.befall(&mut camera, dice);
        }
    }
    camera
}

fn prints(set: Set, camera: &Camera, imbs: &[Imb<'_>], dice: &mut Dice) -> Vec<Print> {
    let mut prints = Vec::new();
    let n_symbols = match set {
        Set::NoCode => return prints,
        Set::Imb => dice.below(2),
        Set::Normal | Set::Harder => 3 + dice.below(2),
    };
    let carries_imb = set == Set::Imb || (camera.blur_px <= 1.0 && dice.one_in(2));
    if let Some((digits, bars)) = dice.pick(imbs).filter(|_| carries_imb) {
        let mark = Mark::Imb { digits: (*digits).to_owned(), bars: (*bars).to_owned() };
        prints.push(Print { mark, module_px: (camera.ppi / dice.between(20.0, 24.0)).max(7.0) });
    }
    let first = dice.below(6);
    for at in 0..n_symbols {
        let symbology = Symbology::ALL.get((first + at * 5) % 6).copied().unwrap_or(Symbology::Qr);
        let module = dice.pick(&MODULES_IN).copied().unwrap_or(0.01) * camera.ppi;
        let module_px = match symbology {
            Symbology::Qr | Symbology::DataMatrix => dice.between(2.5, 4.0),
            _ => module,
        };
        let mark = Mark::Symbol(symbology, payload(symbology, dice));
        prints.push(Print { mark, module_px });
    }
    prints
}

/// What a county's symbol may say.
fn payload(symbology: Symbology, dice: &mut Dice) -> String {
    const DIGITS: &str = "0123456789";
    const PLAIN: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-";
    match symbology {
        Symbology::Code128 if dice.one_in(2) => {
            let letters = dice.text("ABCDEFGHJKLMNPRSTUVWXYZabcdefghij-", 3);
            let length = 7 + dice.below(7);
            letters + &dice.text(DIGITS, length)
        }
        Symbology::Code128 => {
            let length = 10 + dice.below(7);
            dice.text(DIGITS, length)
        }
        Symbology::Itf => {
            let length = 10 + 2 * dice.below(4);
            dice.text(DIGITS, length)
        }
        Symbology::Code39 => {
            let length = 10 + dice.below(7);
            dice.text(PLAIN, length)
        }
        Symbology::Pdf417 => {
            let length = 20 + dice.below(41);
            dice.text(PLAIN, length)
        }
        _ => {
            let length = 15 + dice.below(26);
            dice.text(PLAIN, length)
        }
    }
}
