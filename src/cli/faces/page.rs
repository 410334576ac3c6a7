//! An envelope on a desk: what is on it finds a place of its own.

use super::Camera;
use super::clutter::Piece;
use super::dice::Dice;
use super::exposure::{Exposure, Glare};
use super::lens::Lens;
use super::letters::{self, Pen};
use super::prints::Plate;
use super::sheet::{Ink, Point, Rect, Sheet, Turn};
use crate::decode::image::Corners;

/// Places that are tried for a piece before it is left out.
const TRIES_MAX: usize = 400;

/// How far a symbol stays from the picture's edge, in pixels.
const EDGE_PX: f32 = 12.0;

/// How much of a piece the picture must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Whole,
    Middle,
}

/// An envelope under a camera.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) sheet: Sheet,
    lens: Lens,
    paper: Rect,
    ppi: f32,
    taken: Vec<Rect>,
}

impl Page {
    /// A bare envelope of so many inches, its middle at the middle of the sheet.
    pub(super) fn new(lens: Lens, inches: Point, ppi: f32, scale: f32, dice: &mut Dice) -> Self {
        let [width, height] = inches.map(|side| side * ppi);
        let envelope = Rect::sized([-width / 2.0, -height / 2.0], [width, height]);
        let desk = dice.pick(&[35, 60, 90, 130]).copied().unwrap_or(60);
        let white = dice.pick(&[245, 235, 225, 205]).copied().unwrap_or(235);
        let mut sheet = Sheet::new(lens.view(), scale, desk);
        sheet.fill(envelope, Ink::solid(white));
        sheet.outline(envelope, 0.01 * ppi, Ink { luma: 20, strength: 0.4 });
        Self { sheet, lens, paper: envelope, ppi, taken: Vec::new() }
    }

    /// Whether the envelope is wide enough for a piece.
    pub(super) fn is_wider_than(&self, width: f32) -> bool {
        width < self.paper.width()
    }

    /// Prints a symbol where there is room; answers its corners on the paper.
    pub(super) fn print(&mut self, symbol: &Plate, dice: &mut Dice) -> Option<Corners> {
        let turn = if dice.one_in(7) { Turn::Right } else { Turn::None };
        let ink = Ink::solid(dice.pick(&[20, 35, 50, 70]).copied().unwrap_or(35));
        let place = self.room(symbol.room(turn), Shown::Whole, dice)?;
        self.taken.push(place);
        Some(symbol.print(&mut self.sheet, place, turn, ink))
    }

    /// Puts what stands on an envelope wherever there is still room.
    pub(super) fn clutter(&mut self, dice: &mut Dice) {
        for piece in Piece::ALL {
            let size = piece.inches(dice).map(|side| side * self.ppi);
            if let Some(place) = self.room([size[0] + 16.0, size[1] + 16.0], Shown::Middle, dice) {
                self.taken.push(place);
                piece.draw(&mut self.sheet, place.grown(-8.0), self.ppi, dice);
            }
        }
    }

    /// Somebody writes across a symbol.
    pub(super) fn write_across(&mut self, corners: &Corners, dice: &mut Dice) {
        let [top_left, top_right, _, bottom_left] = *corners;
        let along = [top_right[0] - top_left[0], top_right[1] - top_left[1]];
        let down = [bottom_left[0] - top_left[0], bottom_left[1] - top_left[1]];
        let mut at = |share: f32| {
            let low = dice.between(0.2, 0.8);
            [
                top_left[0] + along[0] * share + down[0] * low,
                top_left[1] + along[1] * share + down[1] * low,
            ]
        };
        let (from, to) = (at(-0.15), at(1.1));
        let pen = Pen {
            height: down[0].hypot(down[1]) * dice.between(0.4, 0.7),
            thickness: dice.between(0.012, 0.025) * self.ppi,
            ink: Ink { luma: dice.pick(&[40, 70, 95]).copied().unwrap_or(40), strength: 0.9 },
        };
        letters::hand(&mut self.sheet, from, to, pen, dice);
    }

    /// Lays film over a symbol: less contrast, and streaks of light.
    pub(super) fn veil(&mut self, corners: &Corners, dice: &mut Dice) {
        let [one, _, other, _] = *corners;
        let place = Rect {
            left: one[0].min(other[0]),
            top: one[1].min(other[1]),
            right: one[0].max(other[0]),
            bottom: one[1].max(other[1]),
        };
        let room = place.grown(dice.between(0.1, 0.3) * self.ppi);
        self.sheet.fill(room, Ink { luma: 205, strength: dice.between(0.15, 0.4) });
        for _streak in 0..6 {
            let left = dice.between(room.left, room.right);
            let lean = dice.between(-0.5, 0.5) * room.height();
            let light = Ink { luma: 250, strength: dice.between(0.1, 0.4) };
            let thickness = dice.between(0.01, 0.06) * self.ppi;
            self.sheet.stroke([left, room.top], [left + lean, room.bottom], thickness, light);
        }
    }

    /// Folds the paper once: a dark and a light line across it.
    pub(super) fn crease(&mut self, dice: &mut Dice) {
        let (low, high) = (self.paper.top, self.paper.bottom);
        let [from, to] = [dice.between(low, high), dice.between(low, high)];
        let thickness = 0.012 * self.ppi;
        for (luma, away) in [(90, 0.0), (255, thickness)] {
            let ink = Ink { luma, strength: 0.35 };
            let (left, right) = ([self.paper.left, from + away], [self.paper.right, to + away]);
            self.sheet.stroke(left, right, thickness, ink);
        }
    }

    /// The picture that the camera makes of it.
    pub(super) fn exposed(&self, camera: &Camera, glares: Vec<Glare>, dice: &mut Dice) -> Vec<u8> {
        let exposure = Exposure {
            blur_px: camera.blur_px,
            noise: camera.noise,
            dim: camera.dim,
            dim_deg: dice.between(0.0, 360.0),
            glares,
        };
        exposure.take(&self.sheet, &self.lens, dice)
    }

    /// A free rectangle on the envelope; all of it on the picture, or its middle only.
    fn room(&self, [width, height]: Point, shown: Shown, dice: &mut Dice) -> Option<Rect> {
        let view = self.lens.view();
        let margin = 0.06 * self.ppi;
        let left = self.paper.left.max(view.left) + margin;
        let top = self.paper.top.max(view.top) + margin;
        let right = self.paper.right.min(view.right) - margin - width;
        let bottom = self.paper.bottom.min(view.bottom) - margin - height;
        if right < left || bottom < top {
            return None;
        }
        (0..TRIES_MAX).find_map(|_| {
            let corner = [dice.between(left, right), dice.between(top, bottom)];
            let place = Rect::sized(corner, [width, height]);
            let is_free = !self.taken.iter().any(|other| other.overlaps(place));
            let is_shown = if shown == Shown::Whole {
                self.lens.shows(place, EDGE_PX)
            } else {
                let middle = [corner[0] + width / 2.0, corner[1] + height / 2.0];
                self.lens.shows(Rect::sized(middle, [0.0, 0.0]), 0.0)
            };
            (is_free && is_shown).then_some(place)
        })
    }
}
