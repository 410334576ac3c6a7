//! Where a point of the paper stands on the picture, and back.

use super::sheet::{Point, Rect};

/// Rounds of the search for the pixel that shows a point; each has the error of the one before squared.
const ROUNDS: usize = 8;

/// How the camera looks at the paper, and how the paper lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lens {
    /// The picture's sides in pixels.
    pub(super) size: Point,
    /// How far the paper is turned, clockwise, in degrees.
    pub(super) turn_deg: f32,
    /// How much smaller the right and the lower edge are than the middle of the picture, as shares.
    pub(super) tilt: Point,
    /// How far the paper's ends bend toward the camera, as a share of the picture's width.
    pub(super) curl: f32,
    /// Where the picture's middle lies on the paper.
    pub(super) middle: Point,
}

impl Lens {
    /// The point of the paper that stands at this place of the picture.
    pub(super) fn paper(&self, at: Point) -> Point {
        let half = [self.size[0] / 2.0, self.size[1] / 2.0];
        let [x, y] = [at[0] - half[0], at[1] - half[1]];
        let depth = 1.0 + self.tilt[0] * x / half[0] + self.tilt[1] * y / half[1];
        let [x, y] = [x / depth, y / depth];
        let (sine, cosine) = self.turn_deg.to_radians().sin_cos();
        let [u, v] = [x * cosine + y * sine, y * cosine - x * sine];
        // A cylinder seen from above and a little from the side: what bends up is larger, and moved.
        let bend = u / half[0];
        let rise = self.curl * bend * bend;
        let larger = 1.0 - rise / 2.0;
        [u * larger + self.middle[0], (v - rise * half[0]) * larger + self.middle[1]]
    }

    /// The place of the picture that shows this point of the paper (Newton's method).
    pub(super) fn picture(&self, target: Point) -> Point {
        let mut at = [self.size[0] / 2.0, self.size[1] / 2.0];
        for _round in 0..ROUNDS {
            let here = self.paper(at);
            let right = self.paper([at[0] + 1.0, at[1]]);
            let below = self.paper([at[0], at[1] + 1.0]);
            let [a, c] = [right[0] - here[0], right[1] - here[1]];
            let [b, d] = [below[0] - here[0], below[1] - here[1]];
            let area = a * d - b * c;
            if area.abs() < 1e-6 {
                break;
            }
            let [ex, ey] = [target[0] - here[0], target[1] - here[1]];
            at = [at[0] + (d * ex - b * ey) / area, at[1] + (a * ey - c * ex) / area];
        }
        at
    }

    /// What the picture shows of the paper, as an upright rectangle.
    pub(super) fn view(&self) -> Rect {
        let [width, height] = self.size;
        let mut view = Rect {
            left: f32::INFINITY,
            top: f32::INFINITY,
            right: f32::NEG_INFINITY,
            bottom: f32::NEG_INFINITY,
        };
        // The edges of curved paper reach beyond the corners.
        for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
            let (x, y) = (share * width, share * height);
            for point in [[x, 0.0], [x, height], [0.0, y], [width, y]] {
                let [u, v] = self.paper(point);
                view.left = view.left.min(u);
                view.top = view.top.min(v);
                view.right = view.right.max(u);
                view.bottom = view.bottom.max(v);
            }
        }
        view.grown(4.0)
    }

    /// Whether the picture shows this rectangle whole, with some room around it.
    pub(super) fn shows(&self, rect: Rect, room: f32) -> bool {
        rect.corners().iter().all(|corner| {
            let [x, y] = self.picture(*corner);
            (room..self.size[0] - room).contains(&x) && (room..self.size[1] - room).contains(&y)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_of_the_paper_is_found_on_the_picture_and_back() {
        for (turn_deg, tilt, curl) in [
            (0.0, [0.0, 0.0], 0.0),
            (15.0, [0.02, -0.02], 0.0),
            (90.0, [0.0, 0.05], 0.06),
            (180.0, [-0.05, 0.05], 0.03),
            (45.0, [0.02, 0.02], 0.06),
        ] {
            let lens = Lens { size: [1920.0, 1080.0], turn_deg, tilt, curl, middle: [30.0, -20.0] };
            for at in [[0.0, 0.0], [1919.0, 3.0], [960.0, 540.0], [100.5, 1079.0]] {
                let [x, y] = lens.picture(lens.paper(at));
                let away = (x - at[0]).hypot(y - at[1]);
                assert!(away < 0.02, "{turn_deg} degrees: {at:?} came back {away} pixels away");
            }
        }
    }

    #[test]
    fn the_view_holds_what_the_picture_shows() {
        let lens = Lens {
            size: [800.0, 600.0],
            turn_deg: 30.0,
            tilt: [0.02, 0.01],
            curl: 0.05,
            middle: [0.0; 2],
        };
        let view = lens.view();
        for x in 0..=80_u8 {
            for y in [0.0, 300.0, 600.0] {
                let [u, v] = lens.paper([f32::from(x) * 10.0, y]);
                let spot = Rect::sized([u, v], [0.01, 0.01]);
                assert!(view.overlaps(spot), "{u}, {v} is outside {view:?}");
            }
        }
    }
}
