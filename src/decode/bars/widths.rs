//! Narrow and wide: what the two widths of Code 39 and Interleaved 2 of 5 measure on a picture, bars and spaces apart.
#![expect(
    clippy::indexing_slicing,
    reason = "callers hand over as many elements as a character has"
)]

/// White before and after, in narrow widths; both standards ask for 10.
pub(super) const QUIET_MODULES: f32 = 4.5;

/// What wide is to narrow; the standards say 2 to 3, and narrow ones suffer most from blur.
const RATIO: std::ops::Range<f32> = 1.45..4.2;

/// An element within this share of the way from narrow to wide, either side of the middle, is neither.
const DOUBT_SHARE: f32 = 0.10;

/// The widths of narrow and wide elements in pixels, of bars and of spaces.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Levels {
    narrow: [f32; 2],
    wide: [f32; 2],
}

impl Levels {
    /// What a character gives whose wide elements are known: nine elements between ten edges, the first one is the highest bit.
    pub(super) fn of(edges: &[f32], wide: u16) -> Option<Self> {
        let mut sums = [[0.0_f32; 2]; 2];
        let mut counts = [[0.0_f32; 2]; 2];
        for i in 0..9 {
            let kind = usize::from(wide >> (8 - i) & 1);
            sums[kind][i % 2] += edges[i + 1] - edges[i];
            counts[kind][i % 2] += 1.0;
        }
        let mean = |kind: usize| [0, 1].map(|i| sums[kind][i] / counts[kind][i]);
        Self { narrow: mean(0), wide: mean(1) }.checked()
    }

    /// What ten elements between eleven edges give, of which two of five bars and two of five spaces are wide.
    pub(super) fn ranked(edges: &[f32]) -> Option<Self> {
        let mut levels = Self { narrow: [0.0; 2], wide: [0.0; 2] };
        for kind in 0..2 {
            let mut widths = [0, 1, 2, 3, 4].map(|i| edges[2 * i + kind + 1] - edges[2 * i + kind]);
            widths.sort_by(f32::total_cmp);
            levels.narrow[kind] = (widths[0] + widths[1] + widths[2]) / 3.0;
            levels.wide[kind] = f32::midpoint(widths[3], widths[4]);
        }
        levels.checked()
    }

    fn checked(self) -> Option<Self> {
        let is_sound = (0..2).all(|i| RATIO.contains(&(self.wide[i] / self.narrow[i])));
        let [bar, space] = self.narrow;
        (is_sound && (0.3..3.4).contains(&(bar / space))).then_some(self)
    }

    /// The mean width of narrow ones.
    pub(super) fn narrow(&self) -> f32 {
        f32::midpoint(self.narrow[0], self.narrow[1])
    }

    /// The same, larger or smaller by a factor.
    pub(super) fn scaled(&self, factor: f32) -> Self {
        Self {
            narrow: self.narrow.map(|width| width * factor),
            wide: self.wide.map(|width| width * factor),
        }
    }

    /// Where a width lies between narrow, 0, and wide, 1. Even elements are bars.
    pub(super) fn place(&self, width: f32, element: usize) -> f32 {
        let (narrow, wide) = (self.narrow[element % 2], self.wide[element % 2]);
        (width - narrow) / (wide - narrow)
    }

    /// Whether an element is wide; nothing when it is in between or far too wide.
    pub(super) fn is_wide(&self, width: f32, element: usize) -> Option<bool> {
        let off = self.place(width, element) - 0.5;
        (off.abs() > DOUBT_SHARE && off.abs() < 1.5).then_some(off > 0.0)
    }
}
