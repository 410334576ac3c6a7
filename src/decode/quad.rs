//! Where a symbol stands on a picture: four corners, and what can be asked of them.

/// The corners of a symbol, clockwise from its own top left, in pixels of the stored picture: x to the right, y down.
pub type Corners = [[f32; 2]; 4];

/// A band as wide as this share of the symbol's shorter side still belongs to the symbol: what is left of it when it was not
/// covered whole.
const MARGIN_SHARE: f32 = 0.25;

/// The upright box around some corners.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
}

impl Bounds {
    pub(super) fn of(corners: &Corners) -> Self {
        let start = Self {
            left: f32::INFINITY,
            top: f32::INFINITY,
            right: f32::NEG_INFINITY,
            bottom: f32::NEG_INFINITY,
        };
        corners.iter().fold(start, |bounds, [x, y]| Self {
            left: bounds.left.min(*x),
            top: bounds.top.min(*y),
            right: bounds.right.max(*x),
            bottom: bounds.bottom.max(*y),
        })
    }

    /// The box with its margin, in which a second find is the same symbol.
    fn with_margin(self) -> Self {
        let margin = (self.right - self.left).min(self.bottom - self.top) * MARGIN_SHARE + 2.0;
        Self {
            left: self.left - margin,
            top: self.top - margin,
            right: self.right + margin,
            bottom: self.bottom + margin,
        }
    }

    pub(super) fn overlaps(self, other: Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }
}

/// Whether two finds stand at the same place.
pub(super) fn is_same_place(one: &Corners, other: &Corners) -> bool {
    Bounds::of(one).with_margin().overlaps(Bounds::of(other).with_margin())
}

/// Paints the corners' quadrilateral and a little around it white, so that nothing is found there again.
pub(super) fn whiten(luma: &mut [u8], width: usize, corners: &Corners) {
    let grown = grown(corners);
    let Bounds { left, top, right, bottom } = Bounds::of(&grown);
    let (columns, rows) = (whole(left)..whole(right.ceil()), whole(top)..whole(bottom.ceil()));
    for (y, row) in luma.chunks_exact_mut(width.max(1)).enumerate() {
        if !rows.contains(&y) {
            continue;
        }
        for (x, pixel) in row.iter_mut().enumerate().take(columns.end).skip(columns.start) {
            if is_inside(&grown, [center(x), center(y)]) {
                *pixel = u8::MAX;
            }
        }
    }
}

/// The middle of the corners.
pub(super) fn middle(corners: &Corners) -> [f32; 2] {
    corners.iter().fold([0.0, 0.0], |[mx, my], [x, y]| [mx + x / 4.0, my + y / 4.0])
}

/// The corners moved away from their middle by an eighth, and at least by three pixels.
fn grown(corners: &Corners) -> Corners {
    let middle = middle(corners);
    corners.map(|[x, y]| {
        let (dx, dy) = (x - middle[0], y - middle[1]);
        let length = dx.hypot(dy).max(1.0);
        let scale = 1.0 + (3.0 / length).max(0.125);
        [middle[0] + dx * scale, middle[1] + dy * scale]
    })
}

/// Whether a point lies to the same side of all four edges.
pub(super) fn is_inside(corners: &Corners, point: [f32; 2]) -> bool {
    let mut ends = *corners;
    ends.rotate_left(1);
    let turns = corners.iter().zip(&ends).map(|(from, to)| {
        (to[0] - from[0]) * (point[1] - from[1]) - (to[1] - from[1]) * (point[0] - from[0])
    });
    let (mut is_left, mut is_right) = (true, true);
    for turn in turns {
        is_left &= turn <= 0.0;
        is_right &= turn >= 0.0;
    }
    is_left || is_right
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a saturating cast: off the picture's left is its first pixel"
)]
const fn whole(at: f32) -> usize {
    at as usize
}

#[expect(clippy::cast_precision_loss, reason = "no side has 2^24 pixels")]
const fn center(at: usize) -> f32 {
    at as f32 + 0.5
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARE: Corners = [[10.0, 10.0], [20.0, 10.0], [20.0, 20.0], [10.0, 20.0]];

    #[test]
    fn what_is_left_beside_a_symbol_is_the_same_place() {
        let beside = SQUARE.map(|[x, y]| [x, y + 11.0]);
        let apart = SQUARE.map(|[x, y]| [x, y + 20.0]);
        assert!(is_same_place(&SQUARE, &beside));
        assert!(!is_same_place(&SQUARE, &apart));
    }

    #[test]
    fn a_symbol_is_painted_over_and_its_surroundings_are_not() {
        let mut luma = vec![0; 40 * 40];
        whiten(&mut luma, 40, &SQUARE);
        let at = |x: usize, y: usize| luma[y * 40 + x];
        assert_eq!([at(10, 10), at(19, 19), at(15, 8)], [255; 3]);
        assert_eq!([at(3, 15), at(15, 3), at(27, 15), at(15, 27)], [0; 4]);
    }

    #[test]
    fn corners_off_the_picture_paint_what_is_on_it() {
        let mut luma = vec![0; 16];
        whiten(&mut luma, 4, &[[-9.0, -9.0], [99.0, -9.0], [99.0, 99.0], [-9.0, 99.0]]);
        assert_eq!(luma, [255; 16]);
        whiten(&mut luma, 4, &[[f32::NAN; 2]; 4]);
        assert_eq!(luma, [255; 16]);
    }
}
