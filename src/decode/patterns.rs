//! The bars of Code 128, Code 39 and Interleaved 2 of 5, as their standards print them: what every decoder of ours matches.
#![expect(clippy::unreadable_literal, reason = "a digit of a mask is an element")]

/// Code 128 (ISO/IEC 15417): widths in modules of bar, space, bar, space, bar, space, by character value; every one is 11 wide.
///
/// Values 103, 104 and 105 are Start A, Start B and Start C.
pub(crate) const CODE_128: [[u8; 6]; 106] = [
    [2, 1, 2, 2, 2, 2],
    [2, 2, 2, 1, 2, 2],
    [2, 2, 2, 2, 2, 1],
    [1, 2, 1, 2, 2, 3],
    [1, 2, 1, 3, 2, 2],
    [1, 3, 1, 2, 2, 2],
    [1, 2, 2, 2, 1, 3],
    [1, 2, 2, 3, 1, 2],
    [1, 3, 2, 2, 1, 2],
    [2, 2, 1, 2, 1, 3],
    [2, 2, 1, 3, 1, 2],
    [2, 3, 1, 2, 1, 2],
    [1, 1, 2, 2, 3, 2],
    [1, 2, 2, 1, 3, 2],
    [1, 2, 2, 2, 3, 1],
    [1, 1, 3, 2, 2, 2],
    [1, 2, 3, 1, 2, 2],
    [1, 2, 3, 2, 2, 1],
    [2, 2, 3, 2, 1, 1],
    [2, 2, 1, 1, 3, 2],
    [2, 2, 1, 2, 3, 1],
    [2, 1, 3, 2, 1, 2],
    [2, 2, 3, 1, 1, 2],
    [3, 1, 2, 1, 3, 1],
    [3, 1, 1, 2, 2, 2],
    [3, 2, 1, 1, 2, 2],
    [3, 2, 1, 2, 2, 1],
    [3, 1, 2, 2, 1, 2],
    [3, 2, 2, 1, 1, 2],
    [3, 2, 2, 2, 1, 1],
    [2, 1, 2, 1, 2, 3],
    [2, 1, 2, 3, 2, 1],
    [2, 3, 2, 1, 2, 1],
    [1, 1, 1, 3, 2, 3],
    [1, 3, 1, 1, 2, 3],
    [1, 3, 1, 3, 2, 1],
    [1, 1, 2, 3, 1, 3],
    [1, 3, 2, 1, 1, 3],
    [1, 3, 2, 3, 1, 1],
    [2, 1, 1, 3, 1, 3],
    [2, 3, 1, 1, 1, 3],
    [2, 3, 1, 3, 1, 1],
    [1, 1, 2, 1, 3, 3],
    [1, 1, 2, 3, 3, 1],
    [1, 3, 2, 1, 3, 1],
    [1, 1, 3, 1, 2, 3],
    [1, 1, 3, 3, 2, 1],
    [1, 3, 3, 1, 2, 1],
    [3, 1, 3, 1, 2, 1],
    [2, 1, 1, 3, 3, 1],
    [2, 3, 1, 1, 3, 1],
    [2, 1, 3, 1, 1, 3],
    [2, 1, 3, 3, 1, 1],
    [2, 1, 3, 1, 3, 1],
    [3, 1, 1, 1, 2, 3],
    [3, 1, 1, 3, 2, 1],
    [3, 3, 1, 1, 2, 1],
    [3, 1, 2, 1, 1, 3],
    [3, 1, 2, 3, 1, 1],
    [3, 3, 2, 1, 1, 1],
    [3, 1, 4, 1, 1, 1],
    [2, 2, 1, 4, 1, 1],
    [4, 3, 1, 1, 1, 1],
    [1, 1, 1, 2, 2, 4],
    [1, 1, 1, 4, 2, 2],
    [1, 2, 1, 1, 2, 4],
    [1, 2, 1, 4, 2, 1],
    [1, 4, 1, 1, 2, 2],
    [1, 4, 1, 2, 2, 1],
    [1, 1, 2, 2, 1, 4],
    [1, 1, 2, 4, 1, 2],
    [1, 2, 2, 1, 1, 4],
    [1, 2, 2, 4, 1, 1],
    [1, 4, 2, 1, 1, 2],
    [1, 4, 2, 2, 1, 1],
    [2, 4, 1, 2, 1, 1],
    [2, 2, 1, 1, 1, 4],
    [4, 1, 3, 1, 1, 1],
    [2, 4, 1, 1, 1, 2],
    [1, 3, 4, 1, 1, 1],
    [1, 1, 1, 2, 4, 2],
    [1, 2, 1, 1, 4, 2],
    [1, 2, 1, 2, 4, 1],
    [1, 1, 4, 2, 1, 2],
    [1, 2, 4, 1, 1, 2],
    [1, 2, 4, 2, 1, 1],
    [4, 1, 1, 2, 1, 2],
    [4, 2, 1, 1, 1, 2],
    [4, 2, 1, 2, 1, 1],
    [2, 1, 2, 1, 4, 1],
    [2, 1, 4, 1, 2, 1],
    [4, 1, 2, 1, 2, 1],
    [1, 1, 1, 1, 4, 3],
    [1, 1, 1, 3, 4, 1],
    [1, 3, 1, 1, 4, 1],
    [1, 1, 4, 1, 1, 3],
    [1, 1, 4, 3, 1, 1],
    [4, 1, 1, 1, 1, 3],
    [4, 1, 1, 3, 1, 1],
    [1, 1, 3, 1, 4, 1],
    [1, 1, 4, 1, 3, 1],
    [3, 1, 1, 1, 4, 1],
    [4, 1, 1, 1, 3, 1],
    [2, 1, 1, 4, 1, 2],
    [2, 1, 1, 2, 1, 4],
    [2, 1, 1, 2, 3, 2],
];

/// Code 128's stop character with its closing bar: 13 modules.
pub(crate) const CODE_128_STOP: [u8; 7] = [2, 3, 3, 1, 1, 1, 2];

/// Code 39 (ISO/IEC 16388): each character and which of its nine elements are wide.
///
/// A character starts and ends with a bar; the first one is bit 8, the last one bit 0. A narrow space follows every character
/// but the last. The asterisk starts and stops a symbol.
pub(crate) const CODE_39: [(u8, u16); 44] = [
    (b'0', 0b000110100),
    (b'1', 0b100100001),
    (b'2', 0b001100001),
    (b'3', 0b101100000),
    (b'4', 0b000110001),
    (b'5', 0b100110000),
    (b'6', 0b001110000),
    (b'7', 0b000100101),
    (b'8', 0b100100100),
    (b'9', 0b001100100),
    (b'A', 0b100001001),
    (b'B', 0b001001001),
    (b'C', 0b101001000),
    (b'D', 0b000011001),
    (b'E', 0b100011000),
    (b'F', 0b001011000),
    (b'G', 0b000001101),
    (b'H', 0b100001100),
    (b'I', 0b001001100),
    (b'J', 0b000011100),
    (b'K', 0b100000011),
    (b'L', 0b001000011),
    (b'M', 0b101000010),
    (b'N', 0b000010011),
    (b'O', 0b100010010),
    (b'P', 0b001010010),
    (b'Q', 0b000000111),
    (b'R', 0b100000110),
    (b'S', 0b001000110),
    (b'T', 0b000010110),
    (b'U', 0b110000001),
    (b'V', 0b011000001),
    (b'W', 0b111000000),
    (b'X', 0b010010001),
    (b'Y', 0b110010000),
    (b'Z', 0b011010000),
    (b'-', 0b010000101),
    (b'.', 0b110000100),
    (b' ', 0b011000100),
    (b'$', 0b010101000),
    (b'/', 0b010100010),
    (b'+', 0b010001010),
    (b'%', 0b000101010),
    (b'*', 0b010010100),
];

/// Interleaved 2 of 5 (ISO/IEC 16390): which of a digit's five elements are wide, by digit; the first element is bit 4.
///
/// The bars of a pair hold its first digit, the spaces between them its second.
pub(crate) const ITF: [u8; 10] =
    [0b00110, 0b10001, 0b01001, 0b11000, 0b00101, 0b10100, 0b01100, 0b00011, 0b10010, 0b01010];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_128_character_is_11_modules_wide_with_an_even_sum_of_bars() {
        for pattern in CODE_128 {
            assert_eq!(pattern.iter().sum::<u8>(), 11, "{pattern:?}");
            assert_eq!((pattern[0] + pattern[2] + pattern[4]) % 2, 0, "{pattern:?}");
            assert!(pattern.iter().all(|width| (1..=4).contains(width)), "{pattern:?}");
        }
        assert_eq!(HashSet::from(CODE_128).len(), CODE_128.len());
        assert_eq!(CODE_128_STOP.iter().sum::<u8>(), 13);
    }

    #[test]
    fn every_code_39_character_has_three_wide_elements() {
        for (character, wide) in CODE_39 {
            assert_eq!(wide.count_ones(), 3, "{}", char::from(character));
        }
        assert_eq!(CODE_39.map(|(_, wide)| wide).into_iter().collect::<HashSet<_>>().len(), 44);
        assert_eq!(CODE_39.map(|(own, _)| own).into_iter().collect::<HashSet<_>>().len(), 44);
    }

    #[test]
    fn every_itf_digit_has_two_wide_elements() {
        for wide in ITF {
            assert_eq!(wide.count_ones(), 2, "{wide:05b}");
        }
        assert_eq!(HashSet::from(ITF).len(), 10);
    }
}
