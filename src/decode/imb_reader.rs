//! Intelligent Mail bar codes out of pictures: 65 thin bars at equal pitch, of four heights.
//!
//! A few lines across a region settle that most hold none ([`seed`]). From a run of bars at equal pitch the row is walked to both
//! sides ([`walk`]), whatever the region said of its ends. Then each bar is measured above and below the tracker ([`measure`]):
//! what is clearly dark or clearly light is believed, all else is left to the code's own redundancy. Nothing is guessed: when the
//! bars that are in doubt can be filled in two ways, or the row counted in two, there is no answer.
#![expect(
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "bars are counted to below 200, and indexed by their own count; no side has 2^24 pixels"
)]

mod measure;
mod seed;
mod walk;

use super::gray::Gray;
use super::locate::Region;
use super::quad::{Corners, is_same_place};
use crate::imb::{BARS, Digits, HalfBars, Mark, Solved, Turn, solve};
use measure::{Ends, Half, Halves, Measure};
use seed::Seeds;
use walk::{Comb, Step};

/// A place, or a direction, in pixels.
type Point = [f32; 2];

fn plus(one: Point, other: Point) -> Point {
    [one[0] + other[0], one[1] + other[1]]
}

fn times(point: Point, factor: f32) -> Point {
    point.map(|part| part * factor)
}

/// So many bars at either end may be missing: what the solver bears.
const MISSING_MAX: usize = 5;

/// Places of the row that fit about as well as the best are tried too, up to so many.
const PLACES_MAX: usize = 6;

/// About as well: less than this share of a bar worse.
const PLACE_MARGIN: f32 = 0.75;

/// A half bar is clear when its ink is farther than this from the middle between paper and tracker: at first, and when that
/// makes no code.
const DOUBTS: [f32; 2] = [0.12, 0.28];

/// The parts of a whole picture that are looked at one by one, in pixels along and across the row.
const CELL: [usize; 2] = [1024, 288];

/// A code that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ImbFound {
    pub(crate) digits: Digits,
    /// Whether bars were in doubt or missing: such a code counts only when it is known to be issued.
    pub(crate) is_repaired: bool,
    /// Around all 65 bars, clockwise from the symbol's own top left.
    pub(crate) corners: Corners,
}

/// Reads codes; its buffers are used again for the next region.
#[derive(Debug, Default)]
pub(crate) struct ImbReader {
    seeds: Seeds,
    steps: Vec<Step>,
    measure: Measure,
}

impl ImbReader {
    /// The code of which a region shows at least some bars.
    pub(crate) fn read(&mut self, gray: Gray<'_>, region: &Region) -> Option<ImbFound> {
        let seed = self.seeds.find(gray, region)?;
        let down = times(region.along(), seed.step[0].hypot(seed.step[1]));
        self.read_from(gray, Comb { at: seed.at, step: seed.step, down })
    }

    /// The codes whose rows run within a few degrees of the picture's sides, looked for everywhere: for pictures so small, or
    /// bars so fine, that no regions are found. A cell gives one code.
    pub(crate) fn read_whole(&mut self, gray: Gray<'_>) -> Vec<ImbFound> {
        let mut found: Vec<ImbFound> = Vec::new();
        let sides = [gray.width(), gray.height()];
        for ([length, height], across) in [(CELL, [1.0, 0.0]), ([CELL[1], CELL[0]], [0.0, 1.0])] {
            for [x, y] in cells(sides, [length, height]) {
                let ends = [(x + length).min(sides[0]), (y + height).min(sides[1])];
                let region = cell([x, y], ends, across);
                let code = self.read(gray, &region);
                found.extend(code.filter(|code| found.iter().all(|other| !code.is_same(other))));
            }
        }
        found
    }

    fn read_from(&mut self, gray: Gray<'_>, comb: Comb) -> Option<ImbFound> {
        walk::walk(gray, comb, &mut self.steps);
        if self.steps.len() + MISSING_MAX < BARS {
            return None;
        }
        let (halves, ends) = self.measure.take(&mut self.steps)?;
        let places = Places::of(&self.steps);
        for doubt in DOUBTS {
            match answer(halves, &places, doubt) {
                Answer::Code(code) => return Some(code.found(&self.steps, ends)),
                Answer::Nothing => {}
                Answer::Several => return None,
            }
        }
        None
    }
}

impl ImbFound {
    fn is_same(&self, other: &Self) -> bool {
        self.digits == other.digits && is_same_place(&self.corners, &other.corners)
    }
}

/// The upper left corners of the cells that cover a picture.
fn cells(sides: [usize; 2], [length, height]: [usize; 2]) -> impl Iterator<Item = [usize; 2]> {
    let rows = (0..sides[1]).step_by(height);
    rows.flat_map(move |y| (0..sides[0]).step_by(length).map(move |x| [x, y]))
}

/// A part of the picture, with the direction in which rows run there.
fn cell(from: [usize; 2], to: [usize; 2], across: Point) -> Region {
    let [width, height] = [to[0] - from[0], to[1] - from[1]].map(|side| side as f32);
    let center = [from[0] as f32 + (width - 1.0) / 2.0, from[1] as f32 + (height - 1.0) / 2.0];
    let [length, height] = if across[0] > 0.0 { [width, height] } else { [height, width] };
    Region { center, across, length, height, strength: 0.0, axis: across }
}

/// Where the first of 65 bars may be among the steps: before them when bars are missing.
#[derive(Debug)]
struct Places {
    first: [isize; PLACES_MAX],
    count: usize,
}

impl Places {
    /// Those with the most bars.
    fn of(steps: &[Step]) -> Self {
        let missing = MISSING_MAX as isize;
        let starts = -missing..=steps.len() as isize + missing - BARS as isize;
        let bars = |start: isize| {
            let from = start.max(0) as usize;
            let to = ((start + BARS as isize).max(0) as usize).min(steps.len());
            steps[from.min(to)..to].iter().map(|step| step.presence).sum::<f32>()
        };
        let most = starts.clone().map(bars).fold(0.0, f32::max);
        let mut places = Self { first: [0; PLACES_MAX], count: 0 };
        let alike = starts.filter(|start| bars(*start) > most - PLACE_MARGIN);
        if alike.clone().count() > PLACES_MAX {
            // Not all could be asked, so none is.
            return places;
        }
        for (place, start) in places.first.iter_mut().zip(alike) {
            *place = start;
            places.count += 1;
        }
        places
    }

    fn iter(&self) -> impl Iterator<Item = isize> + '_ {
        self.first[..self.count].iter().copied()
    }
}

/// A code at a place.
#[derive(Debug, Clone, Copy)]
struct Code {
    digits: Digits,
    turn: Turn,
    is_repaired: bool,
    first: isize,
}

enum Answer {
    Code(Code),
    Nothing,
    /// Different ones, at one place or at two.
    Several,
}

/// What the bars say at any of the places.
fn answer(halves: &[Halves], places: &Places, doubt: f32) -> Answer {
    let mut answer: Option<Code> = None;
    for first in places.iter() {
        let seen: [HalfBars; BARS] = std::array::from_fn(|bar| {
            let bar = usize::try_from(first + bar as isize).ok().and_then(|bar| halves.get(bar));
            bar.map_or(HalfBars::DOUBTFUL, |[upper, lower]| HalfBars {
                ascender: mark(upper, doubt),
                descender: mark(lower, doubt),
            })
        });
        match (solve(&seen), answer) {
            (Solved::Ambiguous, _) => return Answer::Several,
            (Solved::Code(code), Some(other)) if code.digits != other.digits => {
                return Answer::Several;
            }
            (Solved::Code(code), None) => {
                let is_repaired = code.is_repaired();
                answer = Some(Code { digits: code.digits, turn: code.turn, is_repaired, first });
            }
            _ => {}
        }
    }
    answer.map_or(Answer::Nothing, Answer::Code)
}

fn mark(half: &Half, doubt: f32) -> Mark {
    let [least, most] = half.parts.map(|part| part - 0.5);
    let whole = half.ink - 0.5;
    if half.is_covered {
        Mark::Doubtful
    } else if whole > doubt && least > doubt / 2.0 {
        Mark::Present
    } else if whole < -doubt && most < -doubt / 2.0 {
        Mark::Absent
    } else {
        Mark::Doubtful
    }
}

impl Code {
    fn found(self, steps: &[Step], ends: Ends) -> ImbFound {
        let comb = |bar: isize| {
            let nearest = bar.clamp(0, steps.len() as isize - 1);
            let comb = steps[nearest as usize].comb;
            Comb { at: comb.place((bar - nearest) as f32, 0.0), ..comb }
        };
        let (first, last) = (comb(self.first), comb(self.first + BARS as isize - 1));
        let [top, bottom] = [-ends.full, ends.full];
        let mut corners = [
            first.place(-0.5, top),
            last.place(0.5, top),
            last.place(0.5, bottom),
            first.place(-0.5, bottom),
        ];
        if self.turn == Turn::UpsideDown {
            corners.rotate_left(2);
        }
        ImbFound { digits: self.digits, is_repaired: self.is_repaired, corners }
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "drawn pixels are clamped, and sides small")]
mod tests {
    use super::super::image::Picture;
    use super::super::locate::Locator;
    use super::super::tiles::Tiles;
    use super::*;
    use crate::imb::{Bars, encode};

    const TRACKING: &str = "01234567094987654321";
    const ROUTING: &str = "01234567891";

    /// How a code is drawn.
    #[derive(Debug, Clone, Copy)]
    struct Drawn {
        pitch: f32,
        degrees: f32,
        /// In gray levels, at most so far up and down.
        noise: u64,
        /// The paper from left to right, in gray levels.
        paper: [f32; 2],
        /// Bars that are cut off at the left end.
        cut: usize,
    }

    const CLEAR: Drawn = Drawn { pitch: 10.0, degrees: 0.0, noise: 0, paper: [230.0; 2], cut: 0 };

    impl Drawn {
        /// A square picture with the code in the middle.
        fn picture(self, bars: &Bars) -> Picture {
            let side = (self.pitch * 80.0) as usize;
            let (sin, cos) = self.degrees.to_radians().sin_cos();
            let mut random = 0x0049_4d62_u64;
            let mut luma = Vec::with_capacity(side * side);
            for i in 0..side * side {
                let [x, y] =
                    [i % side, i / side].map(|at| (at as f32 - side as f32 / 2.0) / self.pitch);
                let light = (i % side) as f32 / side as f32;
                let paper = self.paper[0] + (self.paper[1] - self.paper[0]) * light;
                let ink = self.ink(bars, x * cos + y * sin + 32.0, y * cos - x * sin);
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let noise = (random >> 33) % (2 * self.noise + 1);
                let gray = paper * (1.0 - 0.8 * ink) + noise as f32 - self.noise as f32;
                luma.push(gray.clamp(0.0, 255.0) as u8);
            }
            Picture::from_luma(side as u32, side as u32, luma).unwrap()
        }

        /// The ink at a place in pitches from the first bar's middle: 0 or 1, and between at the edges of bars.
        fn ink(self, bars: &Bars, across: f32, down: f32) -> f32 {
            let nearest = across.round();
            let Some(bar) = bars.get(nearest as usize).filter(|_| nearest >= self.cut as f32)
            else {
                return 0.0;
            };
            let is_long = if down < 0.0 { bar.ascends() } else { bar.descends() };
            let length = if is_long { 1.6 } else { 0.53 };
            let inside = |distance: f32| (distance * self.pitch + 0.5).clamp(0.0, 1.0);
            inside(0.22 - (across - nearest).abs()) * inside(length - down.abs())
        }
    }

    /// What is read on the regions of a picture.
    fn read(picture: &Picture) -> Vec<ImbFound> {
        let gray = Gray::of(picture);
        let (mut tiles, mut locator) = (Tiles::default(), Locator::default());
        tiles.measure(gray);
        let mut reader = ImbReader::default();
        locator.locate(&tiles);
        locator.regions().iter().filter_map(|region| reader.read(gray, region)).collect()
    }

    /// Whether bars had to be filled in.
    #[derive(Debug, PartialEq, Eq)]
    enum Read {
        Clear,
        Repaired,
    }

    #[track_caller]
    fn check(drawn: Drawn, how: &Read) {
        let found = read(&drawn.picture(&encode(TRACKING, ROUTING).unwrap()));
        assert!(!found.is_empty(), "{drawn:?}");
        for code in found {
            assert_eq!(code.digits.as_str(), format!("{TRACKING}{ROUTING}"), "{drawn:?}");
            let read = if code.is_repaired { Read::Repaired } else { Read::Clear };
            assert_eq!(read, *how, "{drawn:?}");
        }
    }

    #[test]
    fn a_code_is_read_at_any_angle_and_resolution() {
        for degrees in [0.0, 5.0, 15.0, 33.0, 45.0, 90.0, 135.0, 180.0, 270.0] {
            check(Drawn { degrees, ..CLEAR }, &Read::Clear);
        }
        for pitch in [5.0, 7.0, 15.0, 24.0] {
            check(Drawn { pitch, degrees: 3.0, ..CLEAR }, &Read::Clear);
        }
    }

    #[test]
    fn noise_and_uneven_light_are_borne() {
        check(Drawn { noise: 24, degrees: 12.0, ..CLEAR }, &Read::Clear);
        check(Drawn { paper: [230.0, 90.0], degrees: 188.0, ..CLEAR }, &Read::Clear);
    }

    #[test]
    fn five_bars_that_are_cut_off_are_repaired_and_six_are_not_read() {
        check(Drawn { cut: 1, ..CLEAR }, &Read::Repaired);
        check(Drawn { cut: 5, degrees: 20.0, ..CLEAR }, &Read::Repaired);
        let cut = Drawn { cut: 6, ..CLEAR }.picture(&encode(TRACKING, ROUTING).unwrap());
        assert_eq!(read(&cut), []);
    }

    #[test]
    fn corners_begin_at_the_code_s_own_top_left() {
        let bars = encode(TRACKING, ROUTING).unwrap();
        for (degrees, corner) in [(0.0, [75.0, 384.0]), (180.0, [725.0, 416.0])] {
            let found = read(&Drawn { degrees, ..CLEAR }.picture(&bars));
            let [x, y] = found.first().unwrap().corners[0];
            let near = (x - corner[0]).abs() < 5.0 && (y - corner[1]).abs() < 5.0;
            assert!(near, "{degrees}: {x}, {y}");
        }
    }

    #[test]
    fn real_pictures_say_what_is_written_beside_them() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/imb/pictures/");
        for (name, says) in [("01.png", "01.txt"), ("03.png", "03.txt"), ("05.gif", "05.txt")] {
            let picture =
                Picture::load(&std::fs::read(format!("{folder}{name}")).unwrap()).unwrap();
            let says = std::fs::read_to_string(format!("{folder}{says}")).unwrap();
            let found = read(&picture);
            assert!(!found.is_empty(), "{name}");
            for code in found {
                assert_eq!(
                    (code.digits.as_str(), code.is_repaired),
                    (says.trim(), false),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn a_small_picture_is_read_whole() {
        let drawn = Drawn { pitch: 4.0, ..CLEAR }.picture(&encode(TRACKING, ROUTING).unwrap());
        let found = ImbReader::default().read_whole(Gray::of(&drawn));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found.first().unwrap().digits.as_str(), format!("{TRACKING}{ROUTING}"));
    }

    #[test]
    fn pictures_without_a_code_give_none_at_any_size() {
        for (width, height) in [(1, 1), (2, 3), (20_000, 1), (1, 20_000), (300, 200)] {
            let sides = [width, height].map(|side: usize| u32::try_from(side).unwrap());
            let stripes = (0..width * height).map(|i| if i % 10 < 4 { 0 } else { 255 });
            for luma in [vec![0; width * height], vec![255; width * height], stripes.collect()] {
                let picture = Picture::from_luma(sides[0], sides[1], luma).unwrap();
                assert_eq!(ImbReader::default().read_whole(Gray::of(&picture)), []);
                assert_eq!(read(&picture), []);
            }
        }
    }
}
