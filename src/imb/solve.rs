//! The one code that doubtful bars can be: marks that are in doubt are filled in every possible way, clear ones are believed.
//!
//! # How much doubt is bearable
//!
//! 130 half bars carry 102 bits of digits, so that of all 2^130 rows of bars 1 in 2^28 (3.7e-9) is a code. A row that is none, noise
//! or print, with `n` marks in doubt can be filled in 2^n ways, and it is looked at both ways up: it passes for a code with a
//! probability of 2 * 2^n * 3.7e-9. With a bar missing it is looked at with a bar of two doubtful marks at each of 65 places, which
//! is another 65 * 4; with a bar too many, without each of 66. The bounds keep all three below 1e-5:
//!
//! | bars | marks in doubt at most | noise that passes for a code |
//! | --- | --- | --- |
//! | 65 | 10: five whole bars | 2 * 2^10 * 3.7e-9 = 7.6e-6 |
//! | 64 | 2 | 2 * 65 * 4 * 2^2 * 3.7e-9 = 7.7e-6 |
//! | 66 | 4 | 2 * 66 * 2^4 * 3.7e-9 = 7.8e-6 |
//!
//! A row that is a code but for a misread bar is no noise: most of its characters are right, and only the frame check of 11 bits is
//! between a wrong filling and a wrong number. So a repaired code counts only when it is one that was issued.
//!
//! # How long it takes
//!
//! A character has 2, 5, 8 or 11 set bits. Ten bits in doubt have at most 342 fillings that are characters, so that a row costs at
//! most 1,024 looks into a table for each way that the characters before can be filled, and 342 frame checks.
#![expect(
    clippy::indexing_slicing,
    reason = "characters have 13 bits, as the table; bars are counted before"
)]

use super::bars::{BARS, Bar, Bars, Turn};
use super::codec::{Digits, digits_of, gather};
use super::tables::{CHARACTERS, CODEWORD_OF, INVERTED, NO_CODEWORD};

/// Most marks in doubt of 65 bars.
pub const DOUBTFUL_MAX: usize = 10;

/// Most marks in doubt of 64 bars, beside the bar that is missing.
pub const DOUBTFUL_MAX_OF_64: usize = 2;

/// Most marks in doubt of 66 bars.
pub const DOUBTFUL_MAX_OF_66: usize = 4;

/// Whether half a bar is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mark {
    /// It is there.
    Present,
    /// It is not there.
    Absent,
    /// It cannot be told.
    Doubtful,
}

/// What was seen of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HalfBars {
    /// The half above the tracker.
    pub ascender: Mark,
    /// The half below the tracker.
    pub descender: Mark,
}

/// What bars are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Solved {
    /// One code, and no other.
    Code(Solution),
    /// No code, or none of 64 to 66 bars.
    Nothing,
    /// More than one code.
    Ambiguous,
    /// More marks are in doubt than can be borne.
    TooDoubtful,
}

/// A code, and how it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Solution {
    /// Its digits.
    pub digits: Digits,
    /// Which way up the bars were.
    pub turn: Turn,
    /// How many of the marks were in doubt, at most [`DOUBTFUL_MAX`].
    pub n_doubtful: usize,
    /// Whether bars were counted right.
    pub count: Count,
}

/// How many bars were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// All 65.
    Whole,
    /// 64: one is missing.
    Missing,
    /// 66: one is none of the code's.
    Surplus,
}

impl HalfBars {
    /// A bar of which nothing can be told.
    pub const DOUBTFUL: Self = Self { ascender: Mark::Doubtful, descender: Mark::Doubtful };

    const fn turned(self) -> Self {
        Self { ascender: self.descender, descender: self.ascender }
    }

    fn n_doubtful(self) -> usize {
        usize::from(self.ascender == Mark::Doubtful) + usize::from(self.descender == Mark::Doubtful)
    }
}

impl From<Bar> for HalfBars {
    fn from(bar: Bar) -> Self {
        let mark = |is_there| if is_there { Mark::Present } else { Mark::Absent };
        Self { ascender: mark(bar.ascends()), descender: mark(bar.descends()) }
    }
}

impl Solution {
    /// Whether something was filled in: such a code counts only when it is known to be issued.
    #[must_use]
    pub fn is_repaired(&self) -> bool {
        self.n_doubtful > 0 || self.count != Count::Whole
    }
}

/// The code that bars are, seen from left to right, upright or upside down. Of the fillings of the marks in doubt, of the places
/// of a missing bar and of the bars that may be too many, all are tried, and all that make a code must make the same.
#[must_use]
pub fn solve(seen: &[HalfBars]) -> Solved {
    let (count, n_readings, most) = match seen.len() {
        BARS => (Count::Whole, 1, DOUBTFUL_MAX),
        64 => (Count::Missing, BARS, DOUBTFUL_MAX_OF_64),
        66 => (Count::Surplus, 66, DOUBTFUL_MAX_OF_66),
        _ => return Solved::Nothing,
    };
    let n_doubtful = seen.iter().map(|bar| bar.n_doubtful()).sum();
    if n_doubtful > most {
        return Solved::TooDoubtful;
    }
    let mut search = Search::default();
    for at in 0..n_readings {
        let mut bars = reading(seen, count, at);
        search.fill(&bars, Turn::Upright);
        bars = bars.map(HalfBars::turned);
        bars.reverse();
        search.fill(&bars, Turn::UpsideDown);
    }
    match search.found {
        _ if search.is_ambiguous => Solved::Ambiguous,
        None => Solved::Nothing,
        Some((digits, turn)) => Solved::Code(Solution { digits, turn, n_doubtful, count }),
    }
}

/// Whether bars contradict none of the clear marks.
#[must_use]
pub fn agrees(bars: &Bars, seen: &[HalfBars; BARS]) -> bool {
    bars.iter().zip(seen).all(|(bar, seen)| {
        let clear = HalfBars::from(*bar);
        let agrees = |mark: Mark, of_bar: Mark| mark == Mark::Doubtful || mark == of_bar;
        agrees(seen.ascender, clear.ascender) && agrees(seen.descender, clear.descender)
    })
}

/// The bars with a doubtful one in the place `at`, or without that at `at`.
fn reading(seen: &[HalfBars], count: Count, at: usize) -> [HalfBars; BARS] {
    std::array::from_fn(|bar| match count {
        Count::Missing if bar == at => HalfBars::DOUBTFUL,
        Count::Missing => seen[bar - usize::from(bar > at)],
        Count::Surplus => seen[bar + usize::from(bar >= at)],
        Count::Whole => seen[bar],
    })
}

/// What was found so far.
#[derive(Debug, Default)]
struct Search {
    found: Option<(Digits, Turn)>,
    is_ambiguous: bool,
}

/// Bars that are being filled: by character, the bits that are set and those in doubt, and the codewords so far.
#[derive(Debug)]
struct Filling {
    set: [u16; CHARACTERS],
    doubtful: [u16; CHARACTERS],
    codewords: [u16; CHARACTERS],
    inversions: u16,
    turn: Turn,
}

impl Search {
    /// Tries every filling of the bars.
    fn fill(&mut self, bars: &[HalfBars; BARS], turn: Turn) {
        let is = |bar: &HalfBars, mark| (bar.descender == mark, bar.ascender == mark);
        let set = gather(|bar| is(&bars[bar], Mark::Present));
        let doubtful = gather(|bar| is(&bars[bar], Mark::Doubtful));
        let is_none = |(set, doubtful): (&u16, &u16)| {
            *doubtful == 0 && CODEWORD_OF[usize::from(*set)] == NO_CODEWORD
        };
        if set.iter().zip(&doubtful).any(is_none) {
            return;
        }
        let codewords = [0; CHARACTERS];
        self.fill_from(0, &mut Filling { set, doubtful, codewords, inversions: 0, turn });
    }

    /// Fills the characters from `place` on, as deep as there are characters.
    fn fill_from(&mut self, place: usize, filling: &mut Filling) {
        if place == CHARACTERS {
            self.meet(filling);
            return;
        }
        let doubtful = filling.doubtful[place];
        let mut filled = doubtful;
        loop {
            let entry = CODEWORD_OF[usize::from(filling.set[place] | filled)];
            if entry != NO_CODEWORD {
                filling.codewords[place] = entry & !INVERTED;
                let inversion = u16::from(entry & INVERTED != 0) << place;
                filling.inversions = filling.inversions & !(1 << place) | inversion;
                self.fill_from(place + 1, filling);
            }
            if filled == 0 || self.is_ambiguous {
                break;
            }
            filled = (filled - 1) & doubtful;
        }
    }

    fn meet(&mut self, filling: &Filling) {
        let Ok(digits) = digits_of(&filling.codewords, filling.inversions) else { return };
        match &self.found {
            None => self.found = Some((digits, filling.turn)),
            Some((found, _)) => self.is_ambiguous |= *found != digits,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imb::bars::{bars_of_letters, turned};
    use crate::imb::tables::CHARACTER_BITS;

    const LETTERS: &str = "AADTFFDFTDADTAADAATFDTDDAAADDTDTTDAFADADDDTFFFDDTTTADFAAADFTDAADA";
    const DIGITS: &str = "0123456709498765432101234567891";

    fn clear() -> Vec<HalfBars> {
        bars_of_letters(LETTERS).unwrap().map(HalfBars::from).into()
    }

    #[track_caller]
    fn check(seen: &[HalfBars], turn: Turn, n_doubtful: usize, count: Count) {
        let Solved::Code(solution) = solve(seen) else { panic!("{:?}", solve(seen)) };
        assert_eq!(solution.digits.as_str(), DIGITS);
        assert_eq!((solution.turn, solution.n_doubtful), (turn, n_doubtful));
        assert_eq!(solution.count, count);
        assert_eq!(solution.is_repaired(), n_doubtful > 0 || count != Count::Whole);
    }

    #[test]
    fn clear_bars_are_a_code_either_way_up() {
        check(&clear(), Turn::Upright, 0, Count::Whole);
        let turned = turned(&bars_of_letters(LETTERS).unwrap()).map(HalfBars::from);
        check(&turned, Turn::UpsideDown, 0, Count::Whole);
    }

    #[test]
    fn five_bars_in_doubt_are_filled_and_a_sixth_is_too_much() {
        let mut seen = clear();
        for bar in [3, 17, 18, 40, 64] {
            seen[bar] = HalfBars::DOUBTFUL;
        }
        check(&seen, Turn::Upright, 10, Count::Whole);
        seen[0].ascender = Mark::Doubtful;
        assert_eq!(solve(&seen), Solved::TooDoubtful);
    }

    #[test]
    fn a_bar_is_missing_or_too_many_anywhere() {
        for at in 0..BARS {
            let mut seen = clear();
            let bar = seen.remove(at);
            check(&seen, Turn::Upright, 0, Count::Missing);
            seen.insert(at, bar);
            seen.insert(at, HalfBars::from(Bar::Full));
            check(&seen, Turn::Upright, 0, Count::Surplus);
        }
    }

    #[test]
    fn more_doubt_than_is_bearable_beside_a_wrong_count_is_refused() {
        for (length, most) in [(64, DOUBTFUL_MAX_OF_64), (66, DOUBTFUL_MAX_OF_66)] {
            let mut seen = clear();
            seen.resize(length, HalfBars::from(Bar::Tracker));
            for bar in seen.iter_mut().take(most) {
                bar.ascender = Mark::Doubtful;
            }
            assert_ne!(solve(&seen), Solved::TooDoubtful, "{length}");
            seen[most].ascender = Mark::Doubtful;
            assert_eq!(solve(&seen), Solved::TooDoubtful, "{length}");
        }
    }

    #[test]
    fn a_clear_mark_is_believed() {
        let mut seen = clear();
        seen[0] = HalfBars::from(Bar::Tracker);
        assert_eq!(solve(&seen), Solved::Nothing);
        for length in [0, 1, 63, 67, 200] {
            assert_eq!(solve(&vec![HalfBars::from(Bar::Full); length]), Solved::Nothing);
        }
    }

    /// The most fillings of `n` bits of one character that are characters.
    fn fillings_max(n: u32) -> usize {
        let filled = (1_u16 << n) - 1;
        let known = (0..1_u16 << (CHARACTER_BITS - n)).map(|known| known << n);
        let is_character = |bits: u16| CODEWORD_OF[usize::from(bits)] != NO_CODEWORD;
        known
            .map(|known| (0..=filled).filter(|filling| is_character(known | filling)).count())
            .max()
            .unwrap()
    }

    #[test]
    fn ten_doubtful_marks_have_no_more_fillings_than_stated() {
        let most: Vec<_> = (0..=10).map(fillings_max).collect();
        assert_eq!(most, [1, 1, 2, 3, 6, 11, 22, 43, 86, 171, 342]);
        let shared = (1..10).map(|n| most[n] * most[10 - n]).max();
        assert!(shared < Some(342), "marks of several characters: {shared:?}");
    }
}
