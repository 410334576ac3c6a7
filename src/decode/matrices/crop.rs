//! A turned piece of a picture, set upright.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "pixel loops: every index is clamped to the sides first, and no side has 2^24 pixels"
)]

use super::super::gray::Gray;
use super::super::quad::Corners;

/// The most pixels of a crop: beyond, it is taken more coarsely.
const PIXELS_MAX: usize = 1 << 20;

/// The longest side of a crop, in its own pixels.
const SIDE_MAX: f32 = 4096.0;

/// What is cut out: a rectangle on the picture. The middle of the picture's first pixel is at (0, 0).
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) center: [f32; 2],
    /// Where the crop's x axis points, of length 1.
    pub(super) across: [f32; 2],
    /// In the picture's pixels, along the crop's x and y axes.
    pub(super) size: [f32; 2],
}

/// The pixels of a crop; the buffer is used again for the next.
#[derive(Debug, Default, Clone)]
pub(super) struct Crop {
    pub(super) luma: Vec<u8>,
    pub(super) width: usize,
    pub(super) height: usize,
    origin: [f32; 2],
    right: [f32; 2],
    down: [f32; 2],
}

impl Crop {
    /// Cuts a piece out. What lies off the picture is as its nearest edge.
    pub(super) fn take(&mut self, gray: Gray<'_>, frame: &Frame) {
        self.take_coarsely(gray, frame, 1.0);
    }

    /// The same with pixels of the crop that are so many of the picture apart.
    pub(super) fn take_coarsely(&mut self, gray: Gray<'_>, frame: &Frame, step: f32) {
        self.place(frame, step);
        for row in 0..self.height {
            let lying = self.lying(row);
            extend_with_row(&mut self.luma, gray, lying);
        }
    }

    /// Says where a piece lies, and takes none of its pixels.
    pub(super) fn place(&mut self, frame: &Frame, step: f32) {
        let area = frame.size[0] * frame.size[1];
        let step = (area / PIXELS_MAX as f32).sqrt().max(step);
        let [width, height] = frame.size.map(|side| (side / step).clamp(1.0, SIDE_MAX));
        (self.width, self.height) = (width as usize, height as usize);
        let [x, y] = frame.across;
        (self.right, self.down) = ([x * step, y * step], [-y * step, x * step]);
        let [columns, rows] = [self.width, self.height].map(|side| (side - 1) as f32 / 2.0);
        self.origin =
            [0, 1].map(|i| frame.center[i] - self.right[i] * columns - self.down[i] * rows);
        self.luma.clear();
    }

    /// Adds one row of pixels to `luma`.
    pub(super) fn add_row(&self, luma: &mut Vec<u8>, gray: Gray<'_>, row: usize) {
        extend_with_row(luma, gray, self.lying(row));
    }

    fn lying(&self, row: usize) -> Row {
        let [start, end] =
            [0, self.width - 1].map(|column| self.on_picture([column as f32, row as f32]));
        Row { start, end, right: self.right, columns: self.width }
    }

    /// Lets the crop begin at that column, and be so many pixels wide; it has no pixels then.
    pub(super) fn reach(&mut self, x: f32, width: f32) {
        self.origin = self.on_picture([x, 0.0]);
        self.width = width.clamp(1.0, SIDE_MAX) as usize;
        self.luma.clear();
    }

    /// How many pixels of the picture lie from one of its pixels to the next.
    pub(super) fn step(&self) -> f32 {
        self.right[0].hypot(self.right[1])
    }

    /// The place on the picture of a place on the crop; both count from the middle of their first pixel.
    pub(super) fn on_picture(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        [0, 1].map(|i| self.origin[i] + self.right[i] * x + self.down[i] * y)
    }

    /// Corners on the picture of corners on the crop; both count from the outer corner of their first pixel.
    pub(super) fn corners_on_picture(&self, corners: &Corners) -> Corners {
        corners.map(|[x, y]| self.on_picture([x - 0.5, y - 0.5]).map(|side| side + 0.5))
    }

    /// Turns the crop upside down; it has no pixels then.
    pub(super) fn turn_over(&mut self) {
        self.luma.clear();
        self.origin = self.on_picture([(self.width - 1) as f32, (self.height - 1) as f32]);
        (self.right, self.down) = (self.right.map(|side| -side), self.down.map(|side| -side));
    }
}

/// Where a row of a crop lies on the picture.
#[derive(Debug, Clone, Copy)]
struct Row {
    start: [f32; 2],
    end: [f32; 2],
    /// From one pixel to the next.
    right: [f32; 2],
    columns: usize,
}

fn extend_with_row(luma: &mut Vec<u8>, gray: Gray<'_>, row: Row) {
    let Row { start, end, right, columns } = row;
    let limits = [gray.width() as f32 - 1.001, gray.height() as f32 - 1.001];
    let is_inside = [start, end].iter().all(|at| (0..2).all(|i| at[i] >= 0.0 && at[i] < limits[i]));
    if !is_inside {
        luma.extend((0..columns).map(|column| {
            let [x, y] = [0, 1].map(|i| start[i] + right[i] * column as f32);
            (gray.between(x, y) + 0.5) as u8
        }));
        return;
    }
    // Whole pixels and 65,536ths of one: both ends lie on the picture, so what is between does, but for what rounding adds up to.
    let fixed = |place: f32| (place * 65_536.0) as i32;
    let [mut x, mut y] = start.map(fixed);
    let [step_x, step_y] = right.map(fixed);
    let last = [(gray.width() - 2) as u32, (gray.height() - 2) as u32];
    let (all, width) = (gray.luma(), gray.width());
    luma.extend((0..columns).map(|_column| {
        let left = ((x.max(0) >> 16) as u32).min(last[0]) as usize;
        let top = ((y.max(0) >> 16) as u32).min(last[1]) as usize;
        let (dx, dy) = ((x >> 9 & 127) as u32, (y >> 9 & 127) as u32);
        let at = top * width + left;
        let pixels = &all[at..at + width + 2];
        let upper = u32::from(pixels[0]) * (128 - dx) + u32::from(pixels[1]) * dx;
        let lower = u32::from(pixels[width]) * (128 - dx) + u32::from(pixels[width + 1]) * dx;
        (x, y) = (x.wrapping_add(step_x), y.wrapping_add(step_y));
        ((upper * (128 - dy) + lower * dy + (1 << 13)) >> 14) as u8
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::image::Picture;

    /// 16 x 16 pixels, each its row times 16 plus its column.
    fn numbered() -> Picture {
        Picture::from_luma(16, 16, (0..=255).collect()).unwrap()
    }

    #[test]
    fn a_crop_turned_by_a_quarter_has_columns_for_rows() {
        let picture = numbered();
        let mut crop = Crop::default();
        let frame = Frame { center: [7.5, 7.5], across: [0.0, 1.0], size: [4.0, 2.0] };
        crop.take(Gray::of(&picture), &frame);
        assert_eq!([crop.width, crop.height], [4, 2]);
        assert_eq!(crop.luma, [0x68, 0x78, 0x88, 0x98, 0x67, 0x77, 0x87, 0x97]);
        assert_eq!(crop.on_picture([0.0, 0.0]).map(|side| side as i32), [8, 6]);
    }

    #[test]
    fn what_lies_off_the_picture_is_as_its_edge() {
        let picture = numbered();
        let mut crop = Crop::default();
        let frame = Frame { center: [0.0, 0.0], across: [1.0, 0.0], size: [5.0, 1.0] };
        crop.take(Gray::of(&picture), &frame);
        assert_eq!(crop.luma, [0, 0, 0, 1, 2]);
    }

    #[test]
    fn a_crop_turned_over_ends_where_it_began() {
        let picture = numbered();
        let mut crop = Crop::default();
        let frame = Frame { center: [7.0, 7.0], across: [1.0, 0.0], size: [5.0, 3.0] };
        crop.take(Gray::of(&picture), &frame);
        crop.turn_over();
        assert_eq!(crop.on_picture([0.0, 0.0]).map(|side| side as i32), [9, 8]);
        assert_eq!(crop.on_picture([4.0, 2.0]).map(|side| side as i32), [5, 6]);
    }
}
