//! What stands on an envelope beside its symbols.

use super::dice::Dice;
use super::letters::{self, Pen, Type};
use super::sheet::{Ink, Point, Rect, Sheet};

/// A piece of clutter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    ReturnAddress,
    Address,
    Window,
    SmallPrint,
    Logo,
    Signature,
    Boxes,
    Fim,
    Postnet,
    Stamp,
    Postmark,
}

impl Piece {
    /// The order in which they look for room.
    pub(super) const ALL: [Self; 11] = [
        Self::Window,
        Self::Address,
        Self::ReturnAddress,
        Self::Stamp,
        Self::Fim,
        Self::Logo,
        Self::Signature,
        Self::SmallPrint,
        Self::Postnet,
        Self::Boxes,
        Self::Postmark,
    ];

    /// Width and height in inches.
    pub(super) fn inches(self, dice: &mut Dice) -> Point {
        match self {
            Self::ReturnAddress => [dice.between(1.4, 2.2), 0.55],
            Self::Address => [dice.between(2.2, 3.2), 0.8],
            Self::Window => [dice.between(2.6, 3.6), 1.0],
            Self::SmallPrint => [dice.between(1.6, 3.6), dice.between(0.4, 1.1)],
            Self::Logo => [1.5, 0.7],
            Self::Signature => [dice.between(2.4, 3.6), 0.5],
            Self::Boxes => [dice.between(1.5, 2.5), 0.55],
            Self::Fim => [0.6, 0.625],
            Self::Postnet => [2.4, 0.14],
            Self::Stamp => [0.8, 0.9],
            Self::Postmark => [1.9, 0.8],
        }
    }

    /// Draws it.
    pub(super) fn draw(self, sheet: &mut Sheet, place: Rect, ppi: f32, dice: &mut Dice) {
        let mut desk = Desk { sheet, ppi, dice };
        match self {
            Self::ReturnAddress => desk.lines(place, 8.0, 3),
            Self::Address => desk.lines(place, 11.0, 4),
            Self::Window => desk.window(place),
            Self::SmallPrint => desk.lines(place, 5.0, 40),
            Self::Logo => desk.logo(place),
            Self::Signature => desk.signature(place),
            Self::Boxes => desk.boxes(place),
            Self::Fim => desk.fim(place),
            Self::Postnet => desk.postnet(place),
            Self::Stamp => desk.stamp(place),
            Self::Postmark => desk.postmark(place),
        }
    }
}

/// Where a piece is drawn and with what.
struct Desk<'a> {
    sheet: &'a mut Sheet,
    ppi: f32,
    dice: &'a mut Dice,
}

impl Desk<'_> {
    fn black(&mut self) -> Ink {
        Ink::solid([30, 45, 60, 80].get(self.dice.below(4)).copied().unwrap_or(30))
    }

    /// Lines of text of so many points, as many as there is room for.
    fn lines(&mut self, place: Rect, points: f32, most: usize) {
        let weight = self.dice.between(0.1, 0.2);
        let set = Type { height: points / 72.0 * 0.7 * self.ppi, weight, ink: self.black() };
        let mut top = place.top;
        for _line in 0..most {
            if top + set.height > place.bottom {
                return;
            }
            let width = place.width() * self.dice.between(0.6, 1.0);
            letters::line(self.sheet, [place.left, top], width, set, self.dice);
            top += set.leading();
        }
    }

    /// A window: film over an insert that has an address on it, with a shadow at its upper edge.
    fn window(&mut self, place: Rect) {
        let insert = Ink { luma: 226, strength: 1.0 };
        self.sheet.fill(place, insert);
        let shadow = Ink { luma: 90, strength: 0.5 };
        self.sheet.outline(place, 0.012 * self.ppi, shadow);
        let below = Rect { bottom: place.top + 0.04 * self.ppi, ..place };
        self.sheet.fill(below, Ink { luma: 110, strength: 0.4 });
        self.lines(place.grown(-0.15 * self.ppi), 10.0, 4);
    }

    fn logo(&mut self, place: Rect) {
        let ink = self.black();
        self.sheet.outline(place, 0.03 * self.ppi, ink);
        let middle = [place.left + place.height() * 0.45, f32::midpoint(place.top, place.bottom)];
        let radius = place.height() * 0.36;
        let star: Vec<Point> = (0..=5_u8)
            .map(|corner| {
                let (sine, cosine) =
                    (f32::from(corner) * 4.0 * std::f32::consts::PI / 5.0).sin_cos();
                [middle[0] + radius * sine, middle[1] - radius * cosine]
            })
            .collect();
        self.sheet.curve(&star, 0.03 * self.ppi, ink);
        let words =
            Rect { left: place.left + place.height(), top: place.top + 0.14 * self.ppi, ..place };
        self.lines(words, 13.0, 3);
        for stripe in 0..4_u8 {
            let top = place.bottom - (0.05 + 0.035 * f32::from(stripe)) * self.ppi;
            let (left, right) = (place.left, place.left + place.height() * 0.9);
            self.sheet.stroke([left, top], [right, top], 0.015 * self.ppi, ink);
        }
    }

    fn signature(&mut self, place: Rect) {
        let ink = self.black();
        let base = place.bottom - 0.1 * self.ppi;
        self.sheet.stroke([place.left, base], [place.right, base], 0.01 * self.ppi, ink);
        let label =
            Rect { top: place.bottom - 0.07 * self.ppi, bottom: place.bottom + self.ppi, ..place };
        self.lines(label, 5.0, 1);
        let pen = self.pen();
        let from = [place.left + 0.3 * self.ppi, base - 0.15 * self.ppi];
        let to = [place.right - self.dice.between(0.3, 1.2) * self.ppi, base - 0.2 * self.ppi];
        letters::hand(self.sheet, from, to, pen, self.dice);
    }

    fn pen(&mut self) -> Pen {
        Pen {
            height: self.dice.between(0.25, 0.4) * self.ppi,
            thickness: self.dice.between(0.012, 0.025) * self.ppi,
            ink: Ink {
                luma: [40, 70, 95].get(self.dice.below(3)).copied().unwrap_or(40),
                strength: 0.9,
            },
        }
    }

    fn boxes(&mut self, place: Rect) {
        let ink = self.black();
        let (side, step) = (0.12 * self.ppi, 0.2 * self.ppi);
        for (row, top) in [0.0, 1.0, 2.0].map(|row| place.top + row * step).into_iter().enumerate()
        {
            let check = Rect::sized([place.left, top], [side, side]);
            self.sheet.outline(check, 0.01 * self.ppi, ink);
            if row == 1 {
                let pen = self.pen();
                let [from, bottom, to] = [[-0.2, 0.4], [0.4, 1.0], [1.3, -0.5]]
                    .map(|[x, y]| [place.left + x * side, top + y * side]);
                self.sheet.curve(&[from, bottom, to], pen.thickness, pen.ink);
            }
            let text = Rect { left: place.left + 2.0 * side, top, ..place };
            self.lines(text, 7.0, 1);
        }
    }

    /// Facing identification mark A, B, C or D: bars 0.031 in wide, 0.0625 in apart.
    fn fim(&mut self, place: Rect) {
        let ink = self.black();
        let marks = ["110010011", "101101101", "110101011", "111010111"];
        let mark = self.dice.pick(&marks).copied().unwrap_or_default();
        let mut left = place.left;
        for bar in mark.bytes() {
            if bar == b'1' {
                self.sheet.fill(Rect { left, right: left + 0.031 * self.ppi, ..place }, ink);
            }
            left += 0.0625 * self.ppi;
        }
    }

    /// POSTNET: tall and short bars on one base line, 22 to the inch.
    fn postnet(&mut self, place: Rect) {
        let ink = self.black();
        for bar in 0..52_u8 {
            let left = place.left + f32::from(bar) * self.ppi / 22.0;
            let is_tall = bar == 0 || bar == 51 || self.dice.below(5) < 2;
            let height = if is_tall { 0.125 } else { 0.05 } * self.ppi;
            let stripe = Rect {
                left,
                top: place.bottom - height,
                right: left + 0.02 * self.ppi,
                bottom: place.bottom,
            };
            self.sheet.fill(stripe, ink);
        }
    }

    /// Postage: a perforated stamp, or a printed square of blots that is no symbol.
    fn stamp(&mut self, place: Rect) {
        let ink = self.black();
        if self.dice.one_in(2) {
            self.sheet.outline(place, 0.01 * self.ppi, Ink { luma: 120, strength: 0.8 });
            let picture = place.grown(-0.08 * self.ppi);
            self.sheet.fill(picture, Ink { luma: 150, strength: 0.7 });
            for _blot in 0..40 {
                let at = self.inside(picture);
                let to = self.inside(picture);
                let soft = Ink { luma: 70, strength: 0.25 };
                self.sheet.stroke(at, to, 0.03 * self.ppi, soft);
            }
            self.lines(picture.grown(-0.05 * self.ppi), 12.0, 1);
            return;
        }
        let module = 0.025 * self.ppi;
        let mut top = place.top;
        while top < place.bottom - 0.15 * self.ppi {
            let mut left = place.left;
            while left < place.right {
                if self.dice.one_in(2) {
                    self.sheet.fill(Rect::sized([left, top], [module, module]), ink);
                }
                left += module;
            }
            top += module;
        }
        self.lines(Rect { top: top + 0.04 * self.ppi, ..place }, 6.0, 1);
    }

    fn postmark(&mut self, place: Rect) {
        let ink = Ink { luma: 60, strength: self.dice.between(0.4, 0.8) };
        let radius = place.height() / 2.0;
        let middle = [place.left + radius, place.top + radius];
        for radius in [radius, radius * 0.7] {
            let circle: Vec<Point> = (0..=48_u8)
                .map(|step| {
                    let (sine, cosine) = (f32::from(step) * std::f32::consts::TAU / 48.0).sin_cos();
                    [middle[0] + radius * cosine, middle[1] + radius * sine]
                })
                .collect();
            self.sheet.curve(&circle, 0.015 * self.ppi, ink);
        }
        let left = middle[0] + radius * 1.1;
        for wave in 0..6_u8 {
            let top = place.top + place.height() * (f32::from(wave) + 0.5) / 6.0;
            let points: Vec<Point> = (0..=30_u8)
                .map(|step| {
                    let x = left + (place.right - left) * f32::from(step) / 30.0;
                    [x, top + 0.03 * self.ppi * (f32::from(step) * 0.6).sin()]
                })
                .collect();
            self.sheet.curve(&points, 0.02 * self.ppi, ink);
        }
    }

    fn inside(&mut self, place: Rect) -> Point {
        [self.dice.between(place.left, place.right), self.dice.between(place.top, place.bottom)]
    }
}
