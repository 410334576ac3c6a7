//! The tables of the Intelligent Mail bar code, made by the compiler from the rules that USPS-B-3200 gives for them.
#![expect(
    clippy::indexing_slicing,
    reason = "the compiler runs this, and an index out of range fails the build"
)]
#![expect(clippy::cast_possible_truncation, reason = "every number here has at most 13 bits")]

/// Characters of a code; the first, A, is the most significant.
pub(super) const CHARACTERS: usize = 10;

/// Bits of a character.
pub(super) const CHARACTER_BITS: u32 = 13;

/// All bits of a character; a set bit of the frame check inverts its character.
pub(super) const CHARACTER_MASK: u16 = (1 << CHARACTER_BITS) - 1;

/// Values of a codeword: those of table I, 5 bits of 13, and those of table II, 2 bits of 13.
pub(super) const CODEWORDS: usize = FIVE_OF_13 + TWO_OF_13;

/// No codeword: the 13 bits are no character.
pub(super) const NO_CODEWORD: u16 = u16::MAX;

/// Set in an entry of [`CODEWORD_OF`] whose character is inverted.
pub(super) const INVERTED: u16 = 1 << 15;

/// The frame check's bits.
pub(super) const CHECK_BITS: u32 = 11;

const FIVE_OF_13: usize = 1287;
const TWO_OF_13: usize = 78;
const CHARACTER_VALUES: usize = 1 << CHARACTER_BITS;

const CHECK_MASK: u16 = (1 << CHECK_BITS) - 1;
const CHECK_POLYNOMIAL: u16 = 0x0f35;
const CHECK_START: u16 = 0x07ff;

/// The character of each codeword: table I, then table II.
pub(super) static CHARACTER_OF: [u16; CODEWORDS] = characters();

/// The codeword of each 13 bits, [`INVERTED`] or not; [`NO_CODEWORD`] for the 5,462 of 8,192 that are no character.
pub(super) static CODEWORD_OF: [u16; CHARACTER_VALUES] = codewords();

/// What a byte does to the frame check when its 8 steps are taken at once.
static CHECK_OF: [u16; 256] = checks();

/// The check that becomes [`CHECK_START`] by two zero bits, so that 102 bits can be taken as 13 whole bytes.
const CHECK_START_OF_BYTES: u16 = start_of_bytes();

/// The frame check of the lowest 102 bits.
pub(super) fn frame_check(value: u128) -> u16 {
    let [_, _, _, bytes @ ..] = value.to_be_bytes();
    bytes.iter().fold(CHECK_START_OF_BYTES, |check, byte| {
        let top = (check >> (CHECK_BITS - 8)) as u8;
        ((check << 8) & CHECK_MASK) ^ CHECK_OF[usize::from(top ^ byte)]
    })
}

/// Where a half bar's bit stands: the character, 0 to 9, and the bit.
pub(super) type Place = (u8, u8);

const A: u8 = 0;
const B: u8 = 1;
const C: u8 = 2;
const D: u8 = 3;
const E: u8 = 4;
const F: u8 = 5;
const G: u8 = 6;
const H: u8 = 7;
const I: u8 = 8;
const J: u8 = 9;

/// Table IV: for each bar, from the left, the places of its descender and of its ascender.
#[rustfmt::skip]
pub(super) static PLACES: [[Place; 2]; 65] = [
    [(H, 2), (E, 3)], [(B, 10), (A, 0)], [(J, 12), (C, 8)], [(F, 5), (G, 11)], [(I, 9), (D, 1)],
    [(A, 1), (F, 12)], [(C, 5), (B, 8)], [(E, 4), (J, 11)], [(G, 3), (I, 10)], [(D, 9), (H, 6)],
    [(F, 11), (B, 4)], [(I, 5), (C, 12)], [(J, 10), (A, 2)], [(H, 1), (G, 7)], [(D, 6), (E, 9)],
    [(A, 3), (I, 6)], [(G, 4), (C, 7)], [(B, 1), (J, 9)], [(H, 10), (F, 2)], [(E, 0), (D, 8)],
    [(G, 2), (A, 4)], [(I, 11), (B, 0)], [(J, 8), (D, 12)], [(C, 6), (H, 7)], [(F, 1), (E, 10)],
    [(B, 12), (G, 9)], [(H, 3), (I, 0)], [(F, 8), (J, 7)], [(E, 6), (C, 10)], [(D, 4), (A, 5)],
    [(I, 4), (F, 7)], [(H, 11), (B, 9)], [(G, 0), (J, 6)], [(A, 6), (E, 8)], [(C, 1), (D, 2)],
    [(F, 9), (I, 12)], [(E, 11), (G, 1)], [(J, 5), (H, 4)], [(D, 3), (B, 2)], [(A, 7), (C, 0)],
    [(B, 3), (E, 1)], [(G, 10), (D, 5)], [(I, 7), (J, 4)], [(C, 11), (F, 6)], [(A, 8), (H, 12)],
    [(E, 2), (I, 1)], [(F, 10), (D, 0)], [(J, 3), (A, 9)], [(G, 5), (C, 4)], [(H, 8), (B, 7)],
    [(F, 0), (E, 5)], [(C, 3), (A, 10)], [(G, 12), (J, 2)], [(D, 11), (B, 6)], [(I, 8), (H, 9)],
    [(F, 4), (A, 11)], [(B, 5), (C, 2)], [(J, 1), (E, 12)], [(I, 3), (G, 6)], [(H, 0), (D, 7)],
    [(E, 7), (H, 5)], [(A, 12), (B, 11)], [(C, 9), (J, 0)], [(G, 8), (F, 3)], [(D, 10), (I, 2)],
];

const fn characters() -> [u16; CODEWORDS] {
    let table = fill([0; CODEWORDS], 5, 0, FIVE_OF_13);
    fill(table, 2, FIVE_OF_13, CODEWORDS)
}

/// Fills `first..end` with the characters of that many set bits: pairs of mirror images from the front, those that are their own
/// mirror image from the back (USPS-B-3200, appendix on tables I and II).
const fn fill(
    mut table: [u16; CODEWORDS],
    ones: u32,
    first: usize,
    end: usize,
) -> [u16; CODEWORDS] {
    let (mut low, mut high) = (first, end);
    let mut character: u16 = 0;
    while character <= CHARACTER_MASK {
        let mirrored = character.reverse_bits() >> (u16::BITS - CHARACTER_BITS);
        if character.count_ones() == ones && mirrored == character {
            high -= 1;
            table[high] = character;
        } else if character.count_ones() == ones && mirrored > character {
            table[low] = character;
            table[low + 1] = mirrored;
            low += 2;
        }
        character += 1;
    }
    assert!(low == high, "the table is full");
    table
}

const fn codewords() -> [u16; CHARACTER_VALUES] {
    let characters = characters();
    let mut table = [NO_CODEWORD; CHARACTER_VALUES];
    let mut codeword = 0;
    while codeword < CODEWORDS {
        let character = characters[codeword];
        table[character as usize] = codeword as u16;
        table[(character ^ CHARACTER_MASK) as usize] = codeword as u16 | INVERTED;
        codeword += 1;
    }
    table
}

const fn checks() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let mut check = (byte as u16) << (CHECK_BITS - 8);
        let mut n_steps = 0;
        while n_steps < 8 {
            check = step(check);
            n_steps += 1;
        }
        table[byte] = check;
        byte += 1;
    }
    table
}

const fn start_of_bytes() -> u16 {
    let mut start = 0;
    while step(step(start)) != CHECK_START {
        start += 1;
    }
    start
}

/// The check after a zero bit.
const fn step(check: u16) -> u16 {
    let shifted = check << 1;
    let carried = if shifted > CHECK_MASK { shifted ^ CHECK_POLYNOMIAL } else { shifted };
    carried & CHECK_MASK
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest as _, Sha256};

    fn sha256(table: &[u16]) -> String {
        let bytes: Vec<u8> = table.iter().flat_map(|character| character.to_be_bytes()).collect();
        let hex: Vec<_> = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        hex.concat()
    }

    #[test]
    fn the_tables_of_characters_are_those_that_others_print() {
        let (five, two) = CHARACTER_OF.split_at(FIVE_OF_13);
        assert_eq!(five[..6], [0x001f, 0x1f00, 0x002f, 0x1e80, 0x0037, 0x1d80]);
        assert_eq!(two[two.len() - 4..], [0x0404, 0x0208, 0x0110, 0x00a0]);
        let five_known = "a74ee962b4f72ea67a47bb37f244fd84d3efa98444b82ce0061d5a94e72f28d6";
        let two_known = "7ecb0c5f1a4742ecb92ec50a804eec51f557a3c938f738360e2391fd1b7a0dad";
        assert_eq!((sha256(five).as_str(), sha256(two).as_str()), (five_known, two_known));
    }

    #[test]
    fn a_third_of_all_bits_are_characters() {
        let n_characters = CODEWORD_OF.iter().filter(|codeword| **codeword != NO_CODEWORD).count();
        assert_eq!(n_characters, 2 * CODEWORDS);
        for (codeword, character) in CHARACTER_OF.iter().enumerate() {
            let upright = CODEWORD_OF[usize::from(*character)];
            let inverted = CODEWORD_OF[usize::from(character ^ CHARACTER_MASK)];
            assert_eq!(usize::from(upright), codeword);
            assert_eq!(inverted, upright | INVERTED);
        }
    }

    #[test]
    fn every_bit_of_every_character_has_one_half_bar() {
        let mut seen = [0_u16; CHARACTERS];
        for (character, bit) in PLACES.iter().flatten() {
            let seen = &mut seen[usize::from(*character)];
            assert_eq!(*seen >> bit & 1, 0, "{character}.{bit} twice");
            *seen |= 1 << bit;
        }
        assert_eq!(seen, [CHARACTER_MASK; CHARACTERS]);
    }

    /// Why upside down no code is one: J becomes its own mirror image, which in table I is the odd codeword beside the even one, or
    /// it has another middle bit, and then no number of set bits that a character has.
    #[test]
    fn upside_down_the_last_character_is_its_own_mirror_image() {
        let middle = u8::try_from(CHARACTER_BITS / 2).unwrap();
        let last = u8::try_from(CHARACTERS - 1).unwrap();
        for (bar, place) in PLACES.iter().enumerate() {
            for (half, (character, bit)) in place.iter().enumerate() {
                let turned = PLACES[PLACES.len() - 1 - bar][1 - half];
                let is_mirrored = *character == last && *bit != middle;
                assert!(
                    !is_mirrored || turned == (last, 2 * middle - bit),
                    "bar {bar}: {turned:?}"
                );
            }
        }
        for pair in CHARACTER_OF[..1272].chunks_exact(2) {
            assert_eq!(pair[1], pair[0].reverse_bits() >> 3);
        }
    }

    #[test]
    fn the_frame_check_of_the_specification_s_examples() {
        for (value, check) in [
            (0x1122_103b_5c20_04b1_u128, 0x051),
            (0x0d13_8a87_bab5_cf38_04b1, 0x065),
            (0x202_bdc0_9771_1204_d218_04b1, 0x606),
            (0x1_6907_b2a2_4abc_16a2_e5c0_04b1, 0x751),
        ] {
            assert_eq!(frame_check(value), check, "{value:x}");
        }
    }
}
