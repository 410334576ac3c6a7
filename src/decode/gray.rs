//! The pixels of a picture, borrowed, and how one is taken between them.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "pixel loops: every index is clamped to the sides first, and no side has 2^24 pixels"
)]

use super::image::Picture;

/// Pixels row by row from the top, 0 black to 255 white; at least one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gray<'a> {
    luma: &'a [u8],
    width: usize,
    height: usize,
}

impl<'a> Gray<'a> {
    pub(crate) fn of(picture: &'a Picture) -> Self {
        Self {
            luma: picture.luma(),
            width: picture.width() as usize,
            height: picture.height() as usize,
        }
    }

    /// In pixels, at least 1.
    pub(crate) const fn width(self) -> usize {
        self.width
    }

    /// In pixels, at least 1.
    pub(crate) const fn height(self) -> usize {
        self.height
    }

    /// All pixels.
    pub(crate) const fn luma(self) -> &'a [u8] {
        self.luma
    }

    /// A row; the last one for any below.
    pub(crate) fn row(self, y: usize) -> &'a [u8] {
        let start = y.min(self.height - 1) * self.width;
        &self.luma[start..start + self.width]
    }

    /// The pixel there, or the nearest one on the picture. The middle of the first pixel is at (0, 0).
    pub(crate) fn at(self, x: f32, y: f32) -> u8 {
        let x = (x.max(0.0) + 0.5) as usize;
        let y = (y.max(0.0) + 0.5) as usize;
        self.luma[y.min(self.height - 1) * self.width + x.min(self.width - 1)]
    }

    /// Between the four pixels around, in proportion. The middle of the first pixel is at (0, 0).
    pub(crate) fn between(self, x: f32, y: f32) -> f32 {
        let x = x.clamp(0.0, (self.width - 1) as f32);
        let y = y.clamp(0.0, (self.height - 1) as f32);
        let (left, top) = (x as usize, y as usize);
        let (right, below) = ((left + 1).min(self.width - 1), (top + 1).min(self.height - 1));
        let (dx, dy) = (x - left as f32, y - top as f32);
        let pixel = |x: usize, y: usize| f32::from(self.luma[y * self.width + x]);
        let upper = pixel(left, top) + (pixel(right, top) - pixel(left, top)) * dx;
        let lower = pixel(left, below) + (pixel(right, below) - pixel(left, below)) * dx;
        upper + (lower - upper) * dy
    }
}
