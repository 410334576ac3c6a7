//! Code 128 from edges: widths to characters, characters to bytes (ISO/IEC 15417).
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "edges are indexed behind a check of their count, character values are below 128"
)]

use super::Row;
use crate::decode::patterns::{CODE_128, CODE_128_STOP};
use crate::scan::SymbologyIdentifier;

/// The most characters of a symbol, start and check included.
const CHARACTERS_MAX: usize = 128;

const START_A: u8 = 103;
const START_C: u8 = 105;
const STOP: u8 = 106;

/// The squares of the differences between a character's widths and its pattern's may sum to so much, in modules squared.
const MISFIT_MAX: f32 = 1.3;

/// The second best pattern must fit worse by so much.
const LEAD_MIN: f32 = 0.25;

/// White before and after, in modules; the standard asks for 10.
const QUIET_MODULES: f32 = 4.5;

/// A character's width may differ from the one before by this share.
const DRIFT_SHARE: f32 = 0.16;

/// Reads the symbol that starts with the bar at `edges[0]`; there are `quiet` pixels of white before it.
pub(super) fn read(edges: &[f32], quiet: f32) -> Option<Row> {
    if quiet < QUIET_MODULES * (edges.get(6)? - edges[0]) / 11.0 {
        return None;
    }
    let first = character(edges, 0.0)?;
    if !(START_A..=START_C).contains(&first.value) {
        return None;
    }
    let mut values = [0_u8; CHARACTERS_MAX];
    values[0] = first.value;
    let (mut count, mut at, mut last) = (1, 6, first);
    loop {
        let next = character(edges.get(at..)?, last.gain)?;
        if (next.width / last.width - 1.0).abs() > DRIFT_SHARE {
            return None;
        }
        if next.value == STOP {
            break;
        }
        *values.get_mut(count)? = next.value;
        (count, at, last) =
            (count + 1, at + 6, Fit { gain: f32::midpoint(last.gain, next.gain), ..next });
    }
    let end = at + 7;
    let closing = edges.get(end)? - edges[end - 1];
    let after = edges.get(end + 1).map_or(f32::INFINITY, |edge| edge - edges[end]);
    let module = last.width / 11.0;
    if after < QUIET_MODULES * module || !(1.0..3.2).contains(&(closing / module)) {
        return None;
    }
    let (text, identifier) = text(&values[..count])?;
    Some(Row { text, identifier, from: edges[0], to: edges[end], edges: end + 1 })
}

#[derive(Debug, Clone, Copy)]
struct Fit {
    value: u8,
    /// In pixels.
    width: f32,
    /// What every bar is wider than its pattern, and every space narrower, in modules: ink that spread, a threshold off the
    /// middle.
    gain: f32,
}

/// The character whose first bar begins at `edges[0]`, if one fits and no other does nearly as well.
fn character(edges: &[f32], gain: f32) -> Option<Fit> {
    let edges = edges.get(..7)?;
    let width = edges[6] - edges[0];
    let mut widths = [0.0; 6];
    for (i, width_in_modules) in widths.iter_mut().enumerate() {
        *width_in_modules = (edges[i + 1] - edges[i]) * 11.0 / width;
    }
    let (mut best, mut second) = ((f32::INFINITY, 0, 0.0), f32::INFINITY);
    let stop = [&CODE_128_STOP[..6]];
    let patterns = CODE_128.iter().map(|pattern| &pattern[..]).chain(stop);
    for (value, pattern) in patterns.enumerate() {
        let (misfit, own_gain) = misfit(&widths, pattern, gain);
        if misfit < best.0 {
            second = best.0;
            best = (misfit, value as u8, own_gain);
        } else {
            second = second.min(misfit);
        }
    }
    let (misfit, value, gain) = best;
    (misfit < MISFIT_MAX && second - misfit > LEAD_MIN).then_some(Fit { value, width, gain })
}

/// How badly widths fit a pattern when bars and spaces may differ by a gain of their own; a gain unlike the one before costs.
fn misfit(widths: &[f32; 6], pattern: &[u8], gain: f32) -> (f32, f32) {
    let mut off = [0.0; 6];
    for i in 0..6 {
        off[i] = widths[i] - f32::from(pattern[i]);
    }
    let own = (off[0] + off[2] + off[4] - off[1] - off[3] - off[5]) / 6.0;
    let mut sum = (own - gain) * (own - gain) * 2.0;
    for (i, off) in off.iter().enumerate() {
        let rest = if i % 2 == 0 { off - own } else { off + own };
        sum += rest * rest;
    }
    (sum, own)
}

/// Characters to bytes, when the check character holds.
fn text(values: &[u8]) -> Option<(Vec<u8>, SymbologyIdentifier)> {
    let (check, values) = values.split_last()?;
    let (start, characters) = values.split_first()?;
    let weighted = characters.iter().zip(1_u32..).map(|(value, weight)| u32::from(*value) * weight);
    let sum = u32::from(*start) + weighted.sum::<u32>();
    if characters.is_empty() || sum % 103 != u32::from(*check) {
        return None;
    }
    let mut speller = Speller { set: *start - START_A, text: Vec::new(), ..Speller::default() };
    for value in characters {
        speller.take(*value)?;
    }
    if speller.shifted_from.is_some() {
        return None;
    }
    let identifier = SymbologyIdentifier::new(b'C', speller.modifier)?;
    (!speller.text.is_empty()).then_some((speller.text, identifier))
}

/// The state between characters.
#[derive(Debug)]
struct Speller {
    /// 0 is code set A, 1 is B, 2 is C.
    set: u8,
    /// The set to go back to after one shifted character.
    shifted_from: Option<u8>,
    /// What characters have added, 128 or nothing, and what turns that round for the next one (FNC4).
    high: u8,
    next_high: u8,
    /// The symbology identifier's modifier: 0, 1 after FNC1 in the first place, 2 in the second.
    modifier: u8,
    text: Vec<u8>,
}

impl Default for Speller {
    fn default() -> Self {
        Self { set: 0, shifted_from: None, high: 0, next_high: 0, modifier: b'0', text: Vec::new() }
    }
}

impl Speller {
    fn take(&mut self, value: u8) -> Option<()> {
        let unshifted = self.shifted_from.take();
        if unshifted.is_some() && value > 95 {
            return None;
        }
        match (self.set, value) {
            (_, 102) => self.function_1(),
            (2, 0..=99) => self.text.extend([b'0' + value / 10, b'0' + value % 10]),
            (0 | 2, 100) => self.set = 1,
            (1 | 2, 101) => self.set = 0,
            (0, 101) | (1, 100) => self.function_4(),
            (0 | 1, 99) => self.set = 2,
            (0 | 1, 98) => {
                self.shifted_from = Some(self.set);
                self.set = 1 - self.set;
                return Some(());
            }
            // FNC2 and FNC3 speak to the scanner and are no text.
            (0 | 1, 96 | 97) => {}
            (0, 64..=95) => self.push(value - 64),
            (0 | 1, 0..=95) => self.push(value + 32),
            _ => return None,
        }
        if let Some(set) = unshifted {
            self.set = set;
        }
        Some(())
    }

    fn push(&mut self, byte: u8) {
        self.text.push(byte | (self.high ^ self.next_high));
        self.next_high = 0;
    }

    /// In the first place a mark of GS1; in the second, after a letter or a pair of digits, one of AIM; else a separator.
    fn function_1(&mut self) {
        let is_second = match *self.text.as_slice() {
            [letter] => self.set != 2 && letter.is_ascii_alphabetic(),
            [first, second] => self.set == 2 && first.is_ascii_digit() && second.is_ascii_digit(),
            _ => false,
        };
        match self.modifier {
            b'0' if self.text.is_empty() => self.modifier = b'1',
            b'0' if is_second => self.modifier = b'2',
            _ => self.text.push(0x1d),
        }
    }

    fn function_4(&mut self) {
        self.high ^= self.next_high;
        self.next_high ^= 0x80;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::bars::edges_of;

    /// The edges of a symbol of these characters, its check character worked out unless it is given.
    fn edges(values: &[u8], check: Option<u8>) -> Vec<f32> {
        let weighted = values.iter().enumerate();
        let sum: usize = weighted.map(|(i, value)| i.max(1) * usize::from(*value)).sum();
        let check = check.unwrap_or((sum % 103) as u8);
        let characters = values.iter().chain([&check]).map(|value| CODE_128[usize::from(*value)]);
        let widths: Vec<u8> = characters.flatten().chain(CODE_128_STOP).collect();
        edges_of(widths.iter().map(|width| 2.3 * f32::from(*width)))
    }

    #[track_caller]
    fn check(values: &[u8], text: &[u8], modifier: u8) {
        let edges = edges(values, None);
        let row = read(&edges, f32::INFINITY).unwrap();
        assert_eq!(row.text, text);
        assert_eq!(row.identifier, SymbologyIdentifier::new(b'C', modifier).unwrap());
        assert_eq!((row.from, row.to, row.edges), (edges[0], edges[edges.len() - 1], edges.len()));
    }

    #[test]
    fn code_sets_shifts_and_functions_are_spelled() {
        check(&[104, 33, 65, 16], b"Aa0", b'0');
        check(&[105, 20, 26, 11], b"202611", b'0');
        check(&[105, 20, 100, 33, 99, 7], b"20A07", b'0');
        check(&[103, 33, 64 + 9, 98, 65, 34], b"A\taB", b'0');
        check(&[105, 102, 1, 2, 102, 3], b"0102\x1d03", b'1');
        check(&[104, 33, 102, 34], b"AB", b'2');
        check(&[104, 33, 34, 102, 35], b"AB\x1dC", b'0');
        check(&[105, 20, 102, 26], b"2026", b'2');
        check(&[104, 96, 33, 97, 34], b"AB", b'0');
        check(&[104, 100, 105 - 32, 33], &[b'i' | 0x80, b'A'], b'0');
        check(&[104, 100, 100, 65, 100, 65, 65], &[b'a' | 0x80, b'a', b'a' | 0x80], b'0');
    }

    #[test]
    fn shifts_to_nowhere_are_no_text() {
        for values in [[104, 33, 98, 96], [104, 33, 98, 98], [104, 33, 98, 99]] {
            assert_eq!(read(&edges(&values, None), f32::INFINITY), None, "{values:?}");
        }
        assert_eq!(read(&edges(&[104, 33, 34, 98], None), f32::INFINITY), None);
    }

    #[test]
    fn a_wrong_check_character_is_no_symbol() {
        let values = [105, 20, 26, 11];
        let right = (105 + 20 + 2 * 26 + 3 * 11) % 103;
        assert!(read(&edges(&values, Some(right)), f32::INFINITY).is_some());
        for wrong in (0..103).filter(|wrong| *wrong != right) {
            assert_eq!(read(&edges(&values, Some(wrong)), f32::INFINITY), None, "{wrong}");
        }
    }

    #[test]
    fn a_symbol_cut_anywhere_or_without_its_quiet_zone_is_none() {
        let whole = edges(&[105, 20, 26, 11], None);
        for count in 0..whole.len() {
            assert_eq!(read(&whole[..count], f32::INFINITY), None, "{count}");
        }
        assert_eq!(read(&whole, 2.3 * 3.0), None);
        let mut followed = whole.clone();
        followed.push(whole[whole.len() - 1] + 2.3 * 3.0);
        assert_eq!(read(&followed, f32::INFINITY), None);
    }

    #[test]
    fn ink_that_spread_half_a_module_is_read() {
        let spread = |edges: Vec<f32>| -> Vec<f32> {
            let signs = [-0.55, 0.55].into_iter().cycle();
            edges.into_iter().zip(signs).map(|(edge, sign)| edge + sign).collect()
        };
        let row = read(&spread(edges(&[105, 20, 26, 11], None)), f32::INFINITY).unwrap();
        assert_eq!(row.text, b"202611");
    }
}
