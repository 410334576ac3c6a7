//! Whether a camera still shows what it showed: the same scene up to the noise of the sensor need not be looked at again.
//!
//! Every eighth row of a picture is compared with the last picture that was not the same, another eighth each time, so that after
//! [`ROW_STEP`] pictures every row was. The squares of the differences are summed up in small blocks, for a ballot's last digit
//! changes a few bars and no more. What the noise is tells the quarter of the blocks that differ least: a block, or four side by
//! side, that differs by more than that noise can is a change, and so is more of it than a sensor makes. In doubt a picture has
//! changed: that costs a look, the other mistake costs an envelope.
//!
//! A change is seen at once where it is as tall as the rows are apart; lines that lie flat between them, at the latest with the
//! [`ROW_STEP`]th picture. What is not told from noise: a change that is spread over three quarters of the picture evenly and is
//! nowhere larger than [`NOISE_MAX`].

#![expect(
    clippy::indexing_slicing,
    reason = "blocks of a picture that are counted from its sides; bounds checks in this loop double its time"
)]

/// Rows from one that is compared to the next, and pictures until every row was compared.
pub const ROW_STEP: usize = 8;

/// The largest noise that is taken for noise: a standard deviation of 9 shades in each of the two pictures.
pub const NOISE_MAX: u32 = 9;

/// The sides of a block, in pixels of a row and in rows that are compared.
const BLOCK: [usize; 2] = [16, 4];

/// Pixels of a block.
const BLOCK_PIXELS: u32 = 64;

/// Noise below a standard deviation of 2 shades is taken for so much: what packing and rounding make.
const NOISE_MIN: u32 = 2;

/// Blocks, spread over the picture, of which the noise is told.
const SAMPLE_BLOCKS: usize = 1024;

/// How much more than the noise a block may differ, in tenths. Sums of squares of 64 differences exceed it once in 10^8.
const BLOCK_TENTHS: u64 = 24;

/// The same for four blocks side by side, of 256 differences.
const FOUR_TENTHS: u64 = 17;

/// The picture that the next ones are compared with. Its memory is kept.
#[derive(Debug, Default)]
pub struct Unchanged {
    luma: Vec<u8>,
    width: usize,
    height: usize,
    /// The first row that is compared next.
    phase: usize,
    blocks: Vec<u32>,
    sample: Vec<u32>,
}

impl Unchanged {
    /// Nothing was seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether this picture, `width` pixels a row, shows what the last one showed that did not. If not, it is what the next ones are
    /// compared with. Pictures of less than a few blocks always have changed.
    pub fn is_same(&mut self, luma: &[u8], width: usize) -> bool {
        let height = luma.len().checked_div(width).unwrap_or(0);
        let is_comparable = (self.width, self.height, self.luma.len())
            == (width, height, luma.len())
            && width >= 2 * BLOCK[0]
            && height >= (2 * BLOCK[1] + 1) * ROW_STEP;
        if is_comparable {
            self.phase = (self.phase + 3) % ROW_STEP;
            self.sum_blocks(luma);
            if self.is_noise() {
                return true;
            }
        }
        (self.width, self.height) = (width, height);
        self.luma.clear();
        self.luma.extend_from_slice(luma);
        false
    }

    /// How many blocks there are in a row, the last of them reaching back over the one before.
    const fn columns(&self) -> usize {
        self.width.div_ceil(BLOCK[0])
    }

    fn sum_blocks(&mut self, luma: &[u8]) {
        let (width, columns) = (self.width, self.columns());
        let n_rows = (self.height - self.phase).div_ceil(ROW_STEP);
        self.blocks.clear();
        self.blocks.reserve(n_rows.div_ceil(BLOCK[1]) * columns);
        for first in (0..n_rows).step_by(BLOCK[1]) {
            // The last rows are compared with the ones before them.
            let first = first.min(n_rows - BLOCK[1]);
            let at = |row: usize| (self.phase + (first + row) * ROW_STEP) * width;
            let rows = [at(0), at(1), at(2), at(3)];
            let ours = rows.map(|at| &self.luma[at..at + width]);
            let theirs = rows.map(|at| &luma[at..at + width]);
            let whole = width / BLOCK[0];
            for column in 0..whole {
                self.blocks.push(block(ours, theirs, column * BLOCK[0]));
            }
            if whole < columns {
                self.blocks.push(block(ours, theirs, width - BLOCK[0]));
            }
        }
    }

    fn is_noise(&mut self) -> bool {
        let step = self.blocks.len().div_ceil(SAMPLE_BLOCKS).max(1);
        self.sample.clear();
        self.sample.extend(self.blocks.iter().step_by(step));
        let quarter = self.sample.len() / 4;
        let (_, noise, _) = self.sample.select_nth_unstable(quarter);
        // The two pictures' noise adds up: twice the variance of one.
        let [least, most] = [NOISE_MIN, NOISE_MAX].map(|noise| 2 * noise * noise * BLOCK_PIXELS);
        if *noise > most {
            return false;
        }
        let noise = u64::from((*noise).max(least));
        let [one, four] = [noise * BLOCK_TENTHS / 10, 4 * noise * FOUR_TENTHS / 10]
            .map(|limit| u32::try_from(limit).unwrap_or(u32::MAX));
        if self.blocks.iter().copied().max().is_some_and(|most| most > one) {
            return false;
        }
        let columns = self.columns();
        let bands =
            self.blocks.chunks_exact(columns).zip(self.blocks[columns..].chunks_exact(columns));
        bands.map(|(upper, lower)| most_of_four(upper, lower)).max().is_none_or(|most| most <= four)
    }
}

/// The sum of the squares of the differences in the block whose left is there.
fn block(ours: [&[u8]; BLOCK[1]], theirs: [&[u8]; BLOCK[1]], left: usize) -> u32 {
    let mut sum = 0;
    for (ours, theirs) in ours.iter().zip(theirs) {
        for (our, their) in ours[left..left + BLOCK[0]].iter().zip(&theirs[left..left + BLOCK[0]]) {
            let difference = i32::from(*our) - i32::from(*their);
            sum += (difference * difference).unsigned_abs();
        }
    }
    sum
}

/// The most that two neighbors of one band and those under them make.
fn most_of_four(upper: &[u32], lower: &[u32]) -> u32 {
    let right = upper[1..].iter().zip(&lower[1..]);
    let left = upper.iter().zip(lower);
    left.zip(right).map(|((a, b), (c, d))| a + b + c + d).max().unwrap_or(0)
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "shades")]
mod tests {
    use super::*;

    const WIDTH: usize = 330;
    const HEIGHT: usize = 291;
    const PAPER: u8 = 190;

    /// The bars of the pictures below, in pixels: a small code of few dots an inch.
    const MODULE_PX: usize = 2;
    const BAR_PX: usize = 40;
    const MODULES: usize = 88;

    /// Numbers that are the same at every run (xorshift).
    struct Dice(u64);

    impl Dice {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }

        fn below(&mut self, n: usize) -> usize {
            self.next() as usize % n
        }

        /// Nearly a normal distribution of standard deviation 1: the sum of twelve even ones.
        fn normal(&mut self) -> f64 {
            let words = [self.next(), self.next(), self.next()];
            let shorts =
                words.iter().flat_map(|word| [0, 16, 32, 48].map(|by| (word >> by) as u16));
            shorts.map(|short| f64::from(short) / 65_536.0).sum::<f64>() - 6.0
        }
    }

    /// Noise of one standard deviation, from another place of one long row at each picture: making it is slow.
    struct Noise {
        dice: Dice,
        row: Vec<f64>,
    }

    impl Noise {
        fn new(seed: u64) -> Self {
            let mut dice = Dice(seed);
            let row = (0..20_011).map(|_| dice.normal()).collect();
            Self { dice, row }
        }

        fn on(&mut self, scene: &[u8], sigma: f64) -> Vec<u8> {
            let (before, after) = self.row.split_at(self.dice.below(self.row.len()));
            let noise = after.iter().chain(before).cycle();
            scene
                .iter()
                .zip(noise)
                .map(|(shade, noise)| (f64::from(*shade) + noise * sigma) as u8)
                .collect()
        }
    }

    #[derive(Debug, Clone, Copy)]
    enum Bars {
        Upright,
        Lying,
    }

    /// Bars of this contrast on paper, their first corner there.
    fn scene(modules: &[bool], bars: Bars, [left, top]: [usize; 2], contrast: u8) -> Vec<u8> {
        let mut luma = vec![PAPER; WIDTH * HEIGHT];
        let along = (0..MODULES * MODULE_PX).filter(|px| modules[px / MODULE_PX]);
        for (along, across) in along.flat_map(|px| (0..BAR_PX).map(move |across| (px, across))) {
            let (x, y) = match bars {
                Bars::Upright => (left + along, top + across),
                Bars::Lying => (left + across, top + along),
            };
            luma[y * WIDTH + x] = PAPER - contrast;
        }
        luma
    }

    /// A code and the one whose last character and check character have four other modules each, as far as they differ.
    fn two_codes(dice: &mut Dice) -> [Vec<bool>; 2] {
        let one: Vec<bool> = (0..MODULES).map(|_| dice.below(2) == 1).collect();
        let mut other = one.clone();
        for character in [6, 7] {
            let first = dice.below(8);
            for module in first..first + 4 {
                let module = &mut other[character * 11 + module];
                *module = !*module;
            }
        }
        [one, other]
    }

    /// How many pictures of the other code are taken for the first before one is not.
    fn overlooked(noise: &mut Noise, bars: Bars, sigma: f64, contrast: u8) -> usize {
        let [one, other] = two_codes(&mut noise.dice);
        let corner = [50 + noise.dice.below(100), 50 + noise.dice.below(60)];
        let [before, after] = [one, other].map(|code| scene(&code, bars, corner, contrast));
        let mut unchanged = Unchanged::new();
        for _picture in 0..=noise.dice.below(ROW_STEP) {
            unchanged.is_same(&noise.on(&before, sigma), WIDTH);
        }
        (0..20).take_while(|_| unchanged.is_same(&noise.on(&after, sigma), WIDTH)).count()
    }

    /// What a window's film leaves of the contrast, and the noise that goes with it.
    const FILMS: [(f64, u8); 6] =
        [(0.0, 20), (2.0, 20), (3.0, 30), (5.0, 40), (8.0, 40), (8.0, 90)];

    #[test]
    fn another_last_digit_is_seen_at_once() {
        let mut noise = Noise::new(1);
        for (sigma, contrast) in FILMS {
            for round in 0..4 {
                let overlooked = overlooked(&mut noise, Bars::Upright, sigma, contrast);
                assert_eq!(overlooked, 0, "round {round}: noise {sigma}, contrast {contrast}");
            }
        }
    }

    #[test]
    fn another_last_digit_of_lying_bars_is_seen_before_every_row_was_twice() {
        let mut noise = Noise::new(2);
        for (sigma, contrast) in FILMS {
            for round in 0..4 {
                let overlooked = overlooked(&mut noise, Bars::Lying, sigma, contrast);
                let what = format!("round {round}: noise {sigma}, contrast {contrast}");
                assert!(overlooked < ROW_STEP, "{what}: {overlooked}");
            }
        }
    }

    #[test]
    fn the_same_scene_is_the_same_through_the_noise_of_a_sensor() {
        let mut noise = Noise::new(3);
        let [code, _] = two_codes(&mut noise.dice);
        let scene = scene(&code, Bars::Upright, [100, 100], 120);
        for sigma in [0.0, 1.0, 2.0, 4.0, 8.0] {
            let mut unchanged = Unchanged::new();
            assert!(!unchanged.is_same(&noise.on(&scene, sigma), WIDTH), "the first one");
            let same =
                (0..12).filter(|_| unchanged.is_same(&noise.on(&scene, sigma), WIDTH)).count();
            assert!(same >= 11, "noise {sigma}: {same} of 12");
        }
    }

    #[test]
    fn more_noise_than_a_sensor_makes_and_other_light_are_changes() {
        let mut noise = Noise::new(4);
        let mut unchanged = Unchanged::new();
        for shades in [0, 12, 0, 14] {
            assert!(!unchanged.is_same(&vec![PAPER - 2 * shades; WIDTH * HEIGHT], WIDTH));
        }
        let paper = vec![PAPER; WIDTH * HEIGHT];
        assert!(!unchanged.is_same(&noise.on(&paper, 12.0), WIDTH));
        assert!(!unchanged.is_same(&noise.on(&paper, 12.0), WIDTH));
    }

    /// Each picture is compared with the last that was looked at, not with the last that came.
    #[test]
    fn what_changes_slowly_has_changed_in_the_end() {
        let mut unchanged = Unchanged::new();
        let is_same = (0..40).map(|shade| unchanged.is_same(&vec![PAPER - shade; 200 * 200], 200));
        let n_changed = is_same.filter(|is_same| !is_same).count();
        assert!((2..10).contains(&n_changed), "{n_changed}");
    }

    #[test]
    fn other_sizes_and_tiny_pictures_have_changed() {
        let mut unchanged = Unchanged::new();
        let luma = vec![PAPER; 200 * 200];
        for width in [200, 100, 200, 0, 1, 40_000, 7] {
            assert!(!unchanged.is_same(&luma, width), "{width}");
        }
        for width in [1, 2, 15, 16, 17, 31] {
            assert!(!unchanged.is_same(&luma[..width * 100], width), "{width}");
            assert!(!unchanged.is_same(&luma[..width * 100], width), "{width}");
        }
        for height in [0, 1, 8, 31, 32, 71] {
            assert!(!unchanged.is_same(&luma[..height * 200], 200), "{height}");
            assert!(!unchanged.is_same(&luma[..height * 200], 200), "{height}");
        }
        for (width, height) in [(32, 72), (33, 73), (47, 79), (48, 80)] {
            assert!(!unchanged.is_same(&luma[..width * height], width), "{width} x {height}");
            for _phase in 0..ROW_STEP {
                assert!(unchanged.is_same(&luma[..width * height], width), "{width} x {height}");
            }
        }
    }

    /// Every pixel is in a block of some phase, also the last ones.
    #[test]
    fn no_corner_is_left_out() {
        let (width, height) = (50, 77);
        for at in [0, width - 1, width * (height - 1), width * height - 1] {
            let mut luma = vec![PAPER; width * height];
            let mut unchanged = Unchanged::new();
            unchanged.is_same(&luma, width);
            luma[at] = 0;
            let same = (0..20).take_while(|_| unchanged.is_same(&luma, width)).count();
            assert!(same < ROW_STEP, "{at}");
        }
    }
}
