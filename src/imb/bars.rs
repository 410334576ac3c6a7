//! The bars of an Intelligent Mail bar code as they are printed: four heights, 65 in a row, either way up.

use std::fmt;

/// Bars of a code.
pub const BARS: usize = 65;

/// The bars of a code, from left to right.
pub type Bars = [Bar; BARS];

/// A bar, by which of its halves are there beside the tracker that all have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bar {
    /// Neither half.
    Tracker,
    /// The upper half.
    Ascender,
    /// The lower half.
    Descender,
    /// Both halves.
    Full,
}

/// Which way up a code is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Turn {
    /// As it is printed.
    Upright,
    /// Turned by half a circle: the bars from right to left, ascenders and descenders exchanged.
    UpsideDown,
}

impl Bar {
    /// The bar with these halves.
    #[must_use]
    #[expect(clippy::fn_params_excessive_bools, reason = "two halves, each there or not")]
    pub const fn with(ascends: bool, descends: bool) -> Self {
        match (ascends, descends) {
            (false, false) => Self::Tracker,
            (true, false) => Self::Ascender,
            (false, true) => Self::Descender,
            (true, true) => Self::Full,
        }
    }

    /// Whether it has the upper half.
    #[must_use]
    pub const fn ascends(self) -> bool {
        matches!(self, Self::Ascender | Self::Full)
    }

    /// Whether it has the lower half.
    #[must_use]
    pub const fn descends(self) -> bool {
        matches!(self, Self::Descender | Self::Full)
    }

    /// The letter that stands for it in the specification: T, A, D or F.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Tracker => 'T',
            Self::Ascender => 'A',
            Self::Descender => 'D',
            Self::Full => 'F',
        }
    }

    /// The bar of a letter.
    #[must_use]
    pub const fn of_letter(letter: char) -> Option<Self> {
        match letter {
            'T' => Some(Self::Tracker),
            'A' => Some(Self::Ascender),
            'D' => Some(Self::Descender),
            'F' => Some(Self::Full),
            _ => None,
        }
    }

    /// What it is when the code is turned by half a circle.
    #[must_use]
    pub const fn turned(self) -> Self {
        match self {
            Self::Ascender => Self::Descender,
            Self::Descender => Self::Ascender,
            Self::Tracker | Self::Full => self,
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Write::write_char(f, self.letter())
    }
}

/// The bars of 65 letters T, A, D or F.
#[must_use]
pub fn bars_of_letters(letters: &str) -> Option<Bars> {
    let mut bars = [Bar::Tracker; BARS];
    let mut letters = letters.chars();
    for bar in &mut bars {
        *bar = Bar::of_letter(letters.next()?)?;
    }
    letters.next().is_none().then_some(bars)
}

/// The bars as they stand when the code is turned by half a circle.
#[must_use]
pub fn turned(bars: &Bars) -> Bars {
    let mut turned = bars.map(Bar::turned);
    turned.reverse();
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_its_letter_and_its_halves() {
        for letter in ['T', 'A', 'D', 'F'] {
            let bar = Bar::of_letter(letter).unwrap();
            assert_eq!((bar.letter(), bar.to_string()), (letter, letter.to_string()));
            assert_eq!(Bar::with(bar.ascends(), bar.descends()), bar);
            assert_eq!(Bar::with(bar.descends(), bar.ascends()), bar.turned());
        }
        assert_eq!(Bar::of_letter('t'), None);
    }

    #[test]
    fn letters_are_65_or_no_bars() {
        let letters = "F".repeat(32) + &"A".repeat(33);
        let bars = bars_of_letters(&letters).unwrap();
        assert_eq!((bars[31], bars[32]), (Bar::Full, Bar::Ascender));
        assert_eq!(turned(&bars)[..33], [Bar::Descender; 33]);
        for wrong in ["F".repeat(64), "F".repeat(66), "X".repeat(65)] {
            assert_eq!(bars_of_letters(&wrong), None, "{wrong}");
        }
    }
}
