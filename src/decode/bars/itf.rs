//! Interleaved 2 of 5 from edges (ISO/IEC 16390). It has no check of its own, so everything about it must fit.
#![expect(clippy::indexing_slicing, reason = "edges are indexed behind a check of their count")]

use super::Row;
use super::widths::{Levels, QUIET_MODULES};
use crate::decode::patterns::ITF;
use crate::scan::SymbologyIdentifier;

/// The fewest digits that are believed: shorter ones are read out of anything striped.
const DIGITS_MIN: usize = 6;

/// The most digits.
const DIGITS_MAX: usize = 80;

/// Elements of a pair of digits.
const ELEMENTS: usize = 10;

/// A pair's width may differ from the one before by this share.
const DRIFT_SHARE: f32 = 0.14;

/// Reads the symbol that starts with the bar at `edges[0]`; there are `quiet` pixels of white before it.
pub(super) fn read(edges: &[f32], quiet: f32) -> Option<Row> {
    if quiet < QUIET_MODULES * (edges.get(4)? - edges[0]) / 4.0 {
        return None;
    }
    let mut levels = start(edges)?;
    let mut text = Vec::new();
    let mut at = 4;
    let mut last = None;
    loop {
        if is_stop(edges.get(at..)?, &levels) {
            break;
        }
        let elements = edges.get(at..=at + ELEMENTS)?;
        let width = elements[ELEMENTS] - elements[0];
        if let Some(last) = last.replace(width) {
            let share: f32 = width / last;
            if (share - 1.0).abs() > DRIFT_SHARE {
                return None;
            }
            levels = levels.scaled(share);
        }
        text.extend(pair(elements, &levels)?);
        at += ELEMENTS;
        if text.len() > DIGITS_MAX {
            return None;
        }
    }
    let end = at + 3;
    if text.len() < DIGITS_MIN {
        return None;
    }
    let identifier = SymbologyIdentifier::new(b'I', b'0')?;
    Some(Row { text, identifier, from: edges[0], to: edges[end], edges: end + 1 })
}

/// The levels that the first pair of digits gives, when the four narrow elements before fit them.
fn start(edges: &[f32]) -> Option<Levels> {
    let edges = edges.get(..=4 + ELEMENTS)?;
    let pair = &edges[4..];
    // Two of five are wide, among bars and among spaces.
    let levels = Levels::ranked(pair)?;
    // Printers make the first bar fat: the four need only be narrow together.
    let narrow = (edges[4] - edges[0]) / 4.0;
    let is_narrow = (0..4).all(|i| levels.place(edges[i + 1] - edges[i], i) < 0.75);
    let is_even = (narrow / levels.narrow() - 1.0).abs() < 0.35;
    (is_narrow && is_even).then_some(levels)
}

/// A wide bar, two narrow elements, and white. Without the white it is the beginning of another digit.
fn is_stop(edges: &[f32], levels: &Levels) -> bool {
    let Some(stop) = edges.get(..4) else { return false };
    let is_wide = |i: usize| levels.is_wide(stop[i + 1] - stop[i], i);
    let after = edges.get(4).map_or(f32::INFINITY, |edge| edge - stop[3]);
    [is_wide(0), is_wide(1), is_wide(2)] == [Some(true), Some(false), Some(false)]
        && after >= QUIET_MODULES * levels.narrow()
}

fn pair(elements: &[f32], levels: &Levels) -> Option<[u8; 2]> {
    let mut wide = [0_u8; 2];
    for i in 0..ELEMENTS {
        let is_wide = levels.is_wide(elements[i + 1] - elements[i], i)?;
        wide[i % 2] = wide[i % 2] << 1 | u8::from(is_wide);
    }
    let digit = |wide: u8| {
        let digit = (b'0'..).zip(ITF).find(|(_, pattern)| *pattern == wide);
        digit.map(|(digit, _)| digit)
    };
    Some([digit(wide[0])?, digit(wide[1])?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::bars::edges_of;

    fn edges(digits: &[u8], ratio: f32) -> Vec<f32> {
        let width = |is_wide: bool| if is_wide { 2.0 * ratio } else { 2.0 };
        let mut widths = vec![2.0; 4];
        for pair in digits.chunks(2) {
            for bit in (0..5).rev() {
                let digit = |i: usize| ITF[usize::from(pair[i] - b'0')] >> bit & 1 == 1;
                widths.extend([width(digit(0)), width(digit(1))]);
            }
        }
        widths.extend([width(true), 2.0, 2.0]);
        edges_of(widths.into_iter())
    }

    #[test]
    fn digits_are_read_at_every_ratio() {
        for ratio in [2.0, 2.5, 3.0] {
            let row = read(&edges(b"00123456789505", ratio), 99.0).unwrap();
            assert_eq!(row.text, b"00123456789505");
        }
    }

    #[test]
    fn fewer_than_six_digits_are_none() {
        assert!(read(&edges(b"123456", 2.5), 99.0).is_some());
        assert_eq!(read(&edges(b"1234", 2.5), 99.0), None);
    }

    /// The classical wrong number: a line that leaves the bars early finds an end in any digit. What gives it away is that the
    /// bars go on; an end that is followed by nothing but paper is for the envelope format's length to refuse.
    #[test]
    fn a_symbol_whose_bars_go_on_is_none() {
        let whole = edges(b"00123456789505", 2.5);
        for count in 0..whole.len() {
            let mut cut = whole[..count].to_vec();
            cut.extend(whole[..count].last().map(|edge| edge + 6.0));
            assert_eq!(read(&cut, 99.0), None, "{count}");
        }
    }
}
