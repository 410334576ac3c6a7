//! Characters to bytes, and which sequences of characters are a symbol at all.

use crate::decode::patterns::CODE_39;

/// Code 128 values with a meaning of their own.
const SHIFT: usize = 98;
const CODE_C: usize = 99;
const CODE_B: usize = 100;
const CODE_A: usize = 101;
const FNC1: usize = 102;
pub(super) const START_A: usize = 103;
pub(super) const START_C: usize = 105;

/// How FNC1 stands in the payload when it is not the first character: GS, as ISO/IEC 15417 has it.
const SEPARATOR: u8 = 0x1d;

/// A payload, and whether FNC1 opened it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Payload {
    pub(super) bytes: Vec<u8>,
    pub(super) has_fnc1_first: bool,
}

/// Start, data and check characters to bytes; none when the check fails or a character means nothing where it stands.
pub(super) fn code_128(values: &[usize]) -> Option<Payload> {
    let [start @ START_A..=START_C, inner @ .., check] = values else { return None };
    let sum: usize = inner.iter().enumerate().map(|(place, value)| (place + 1) * value).sum();
    if inner.is_empty() || (start + sum) % 103 != *check {
        return None;
    }
    let mut payload = Payload { bytes: Vec::new(), has_fnc1_first: inner.first() == Some(&FNC1) };
    let mut set = start - START_A;
    let mut is_shifted = false;
    for (place, value) in inner.iter().enumerate() {
        let now = if is_shifted { 1 - set } else { set };
        is_shifted = false;
        match (now, *value) {
            // In the second place it is AIM's mark, which the reader of edges tells.
            (_, FNC1) if place == 1 => return None,
            (_, FNC1) if place > 0 => payload.bytes.push(SEPARATOR),
            (_, FNC1) => {}
            (2, pair @ 0..=99) => payload.bytes.extend([digit(pair / 10), digit(pair % 10)]),
            (0, value @ 0..64) | (1, value @ 0..96) => payload.bytes.push(byte(value + 32)),
            (0, value @ 64..96) => payload.bytes.push(byte(value - 64)),
            (0 | 1, SHIFT) => is_shifted = true,
            (0 | 1, CODE_C) => set = 2,
            (0 | 2, CODE_B) => set = 1,
            (1 | 2, CODE_A) => set = 0,
            // FNC2 to FNC4: messages in parts, reader programming and Latin-1, which no envelope has.
            _ => return None,
        }
    }
    (!is_shifted && !payload.bytes.is_empty()).then_some(payload)
}

/// Data characters by their place in the table.
pub(super) fn code_39(values: &[usize]) -> Option<Payload> {
    let bytes: Option<Vec<u8>> = values.iter().map(|value| Some(CODE_39.get(*value)?.0)).collect();
    bytes.map(|bytes| Payload { bytes, has_fnc1_first: false })
}

/// Pairs of digits.
pub(super) fn itf(values: &[usize]) -> Payload {
    let bytes = values.iter().flat_map(|pair| [digit(pair / 10), digit(pair % 10)]).collect();
    Payload { bytes, has_fnc1_first: false }
}

fn digit(value: usize) -> u8 {
    byte(value % 10) + b'0'
}

fn byte(value: usize) -> u8 {
    u8::try_from(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[usize], expected: Option<&[u8]>) {
        let start = values[0];
        let sum: usize = values[1..].iter().enumerate().map(|(at, value)| (at + 1) * value).sum();
        let all: Vec<_> = values.iter().copied().chain([(start + sum) % 103]).collect();
        assert_eq!(code_128(&all).map(|payload| payload.bytes).as_deref(), expected, "{values:?}");
    }

    #[test]
    fn code_128_reads_in_all_its_sets() {
        check(&[104, 33, 34, CODE_C, 12, CODE_A, 64, SHIFT, 65], Some(b"AB12\0a"));
        check(&[START_C, FNC1, 0, 99, FNC1, 42], Some(b"0099\x1d42"));
        check(&[START_C, CODE_B, 65, SHIFT, 33, 65], Some(b"aAa"));
    }

    #[test]
    fn code_128_characters_that_mean_nothing_make_it_none() {
        for values in
            [&[104][..], &[104, CODE_C], &[104, 33, SHIFT], &[START_C, 12, CODE_A, 97], &[104, 96]]
        {
            check(values, None);
        }
    }

    #[test]
    fn a_first_fnc1_is_told() {
        let payload = code_128(&[START_C, FNC1, 12, (105 + 102 + 24) % 103]).unwrap();
        assert!(payload.has_fnc1_first, "{payload:?}");
    }
}
