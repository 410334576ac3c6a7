//! Interleaved 2 of 5 from edges (ISO/IEC 16390). It has no check of its own, so everything about it must fit.
#![expect(
    clippy::indexing_slicing,
    reason = "edges are indexed behind a check of their count"
)]

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
