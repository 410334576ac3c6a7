//! Code 39 from edges (ISO/IEC 16388), with the pairs of full ASCII expanded.
#![expect(clippy::indexing_slicing, reason = "edges are indexed behind a check of their count")]

use super::Row;
use super::widths::{Levels, QUIET_MODULES};
use crate::decode::patterns::CODE_39;
use crate::scan::SymbologyIdentifier;

/// Elements of a character and the gap after it.
const ELEMENTS: usize = 10;

/// The most characters of a symbol, both asterisks included.
const CHARACTERS_MAX: usize = 130;

/// A gap between two characters is at most so many narrow ones wide.
const GAP_MAX: f32 = 4.0;

/// A character's width may differ from the one before by this share.
const DRIFT_SHARE: f32 = 0.16;

/// The wide elements of an asterisk.
const ASTERISK: u16 = 0b0_1001_0100;

/// Reads the symbol that starts with the bar at `edges[0]`; there are `quiet` pixels of white before it.
pub(super) fn read(edges: &[f32], quiet: f32) -> Option<Row> {
    // Three wide elements of at least one and a half: no narrow one is wider than this.
    if quiet < QUIET_MODULES * (edges.get(9)? - edges[0]) / 15.0 {
        return None;
    }
    let levels = asterisk(edges)?;
    if quiet < QUIET_MODULES * levels.narrow() {
        return None;
    }
    let mut text = Vec::new();
    let mut last = edges[9] - edges[0];
    let mut scaled = levels;
    let mut at = ELEMENTS;
    loop {
        let gap = edges.get(at)? - edges[at - 1];
        if gap > scaled.narrow() * GAP_MAX {
            return None;
        }
        let elements = edges.get(at..at + ELEMENTS)?;
        let width = elements[9] - elements[0];
        if (width / last - 1.0).abs() > DRIFT_SHARE {
            return None;
        }
        scaled = scaled.scaled(width / last);
        last = width;
        let character = character(elements, &scaled)?;
        at += ELEMENTS;
        if character == b'*' {
            break;
        }
        text.push(character);
        if text.len() > CHARACTERS_MAX {
            return None;
        }
    }
    let after = edges.get(at).map_or(f32::INFINITY, |edge| edge - edges[at - 1]);
    if text.is_empty() || after < QUIET_MODULES * scaled.narrow() {
        return None;
    }
    let (text, modifier) = match full_ascii(&text) {
        Some(full) => (full, b'4'),
        None => (text, b'0'),
    };
    let identifier = SymbologyIdentifier::new(b'A', modifier)?;
    Some(Row { text, identifier, from: edges[0], to: edges[at - 1], edges: at })
}

fn asterisk(edges: &[f32]) -> Option<Levels> {
    let elements = edges.get(..ELEMENTS)?;
    let levels = Levels::of(elements, ASTERISK)?;
    (character(elements, &levels)? == b'*').then_some(levels)
}

fn character(elements: &[f32], levels: &Levels) -> Option<u8> {
    let mut wide = 0_u16;
    for i in 0..9 {
        wide = wide << 1 | u16::from(levels.is_wide(elements[i + 1] - elements[i], i)?);
    }
    CODE_39.iter().find(|(_, pattern)| *pattern == wide).map(|(character, _)| *character)
}

/// The text in full ASCII, when every `$`, `%`, `/` and `+` makes a pair with a letter after it, and there is one.
pub(crate) fn full_ascii(text: &[u8]) -> Option<Vec<u8>> {
    let mut full = Vec::new();
    let mut rest = text.iter().copied();
    while let Some(character) = rest.next() {
        let byte = match character {
            b'$' | b'%' | b'/' | b'+' => pair(character, rest.next()?)?,
            other => other,
        };
        full.push(byte);
    }
    (full.len() < text.len()).then_some(full)
}

/// Table A.1 of ISO/IEC 16388, annex A.
const fn pair(shift: u8, letter: u8) -> Option<u8> {
    Some(match (shift, letter) {
        (b'$', b'A'..=b'Z') => letter - 64,
        (b'+', b'A'..=b'Z') => letter + 32,
        (b'/', b'A'..=b'O') => letter - 32,
        (b'/', b'Z') => b':',
        (b'%', b'A'..=b'E') => letter - 38,
        (b'%', b'F'..=b'J') => letter - 11,
        (b'%', b'K'..=b'O') => letter + 16,
        (b'%', b'P'..=b'T') => letter + 43,
        (b'%', b'U') => 0,
        (b'%', b'V') => b'@',
        (b'%', b'W') => b'`',
        (b'%', b'X'..=b'Z') => 127,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::bars::edges_of;

    fn edges(text: &str, ratio: f32) -> Vec<f32> {
        let mut widths = Vec::new();
        for character in text.bytes() {
            let wide = CODE_39.iter().find(|(known, _)| *known == character).unwrap().1;
            let bits = (0..9).rev().map(|bit| wide >> bit & 1 == 1);
            widths.extend(bits.map(|is_wide| if is_wide { 2.0 * ratio } else { 2.0 }));
            widths.push(2.0);
        }
        widths.pop();
        edges_of(widths.into_iter())
    }

    #[test]
    fn every_character_is_read_at_every_ratio() {
        for ratio in [2.0, 2.5, 3.0] {
            let row = read(&edges("*0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%*", ratio), 99.0);
            assert_eq!(row.unwrap().text, b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%");
        }
    }

    #[test]
    fn full_ascii_is_expanded_only_when_every_pair_is_one() {
        let texts = [
            ("*+A/B$C%D*", Some("a\"\u{3}\u{1e}")),
            ("*E+X+T/A%J*", Some("Ext!?")),
            ("*A+*", None),
            ("*A+1*", None),
            ("*AB*", None),
        ];
        for (bars, full) in texts {
            let row = read(&edges(bars, 2.5), 99.0).unwrap();
            let (text, modifier) = match full {
                Some(full) => (full, b'4'),
                None => (bars.trim_matches('*'), b'0'),
            };
            assert_eq!(String::from_utf8_lossy(&row.text), text);
            assert_eq!(row.identifier, SymbologyIdentifier::new(b'A', modifier).unwrap());
        }
    }

    #[test]
    fn an_element_between_narrow_and_wide_is_no_symbol() {
        let mut torn = edges("*20261104*", 2.5);
        torn[24] += 1.5;
        assert_eq!(read(&torn, 99.0), None);
    }

    #[test]
    fn a_symbol_cut_anywhere_is_none() {
        let whole = edges("*20261104*", 2.5);
        for count in 0..whole.len() {
            assert_eq!(read(&whole[..count], 99.0), None, "{count}");
        }
        assert_eq!(read(&whole, 6.0), None);
    }
}
