//! Digits to bars and back, as USPS-B-3200 says: one number, its frame check, ten codewords, ten characters, 65 bars.
//!
//! Nothing is allocated. Long divisions are by numbers below 2^32 and known to the compiler, so that they become multiplications.
#![expect(
    clippy::indexing_slicing,
    reason = "places are below 10, codewords below 1,365, characters below 8,192: the tables' own tests hold it"
)]

use super::bars::{self, BARS, Bar, Bars, Turn};
use super::tables::{
    CHARACTER_MASK, CHARACTER_OF, CHARACTERS, CODEWORD_OF, CODEWORDS, INVERTED, NO_CODEWORD,
    PLACES, frame_check,
};
use std::fmt;

/// Most digits of a code: tracking code and delivery point.
pub const DIGITS_MAX: usize = 31;

/// Digits of a tracking code.
const TRACKING_DIGITS: usize = 20;

/// Tracking codes: ten first digits, five second ones, 18 more digits. A routing code counts these.
const TRACKINGS_HIGH: u128 = 50;
const BILLION: u32 = 1_000_000_000;

/// What routing codes of 0, 5, 9 and 11 digits count from, and where the last ends.
const ROUTING_STARTS: [(usize, u64); 4] = [(0, 0), (5, 1), (9, 100_001), (11, 1_000_100_001)];
const ROUTING_END: u64 = 101_000_100_001;

/// Codeword A without what it says of the frame check, and the codeword J of an upright code, which is doubled.
const FIRST_CODEWORDS: u32 = 659;
const LAST_CODEWORDS: u32 = 636;

#[expect(clippy::cast_possible_truncation, reason = "1,365")]
const BASE: u32 = CODEWORDS as u32;

/// Three codewords at once still fit 32 bits.
const BASE_CUBED: u32 = BASE * BASE * BASE;

/// Set in the frame check when codeword A is raised; the other bits invert characters.
const CHECK_IN_FIRST: u16 = 1 << CHARACTERS;

/// Why digits cannot be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The tracking code has 20 digits.
    #[error("the tracking code has {0} digits, not 20")]
    TrackingLength(usize),
    /// Something other than an ASCII digit.
    #[error("the tracking code holds something other than digits")]
    TrackingDigits,
    /// The second digit of the barcode identifier is 0 to 4.
    #[error("the second digit of the tracking code is {0}, above 4")]
    BarcodeId(char),
    /// The routing code has 0, 5, 9 or 11 digits.
    #[error("the routing code has {0} digits, not 0, 5, 9 or 11")]
    RoutingLength(usize),
    /// Something other than an ASCII digit.
    #[error("the routing code holds something other than digits")]
    RoutingDigits,
}

impl EncodeError {
    /// The number that the Postal Service's encoder gives to the error.
    #[must_use]
    pub const fn number(&self) -> u8 {
        match self {
            Self::TrackingLength(_) => 9,
            Self::TrackingDigits => 10,
            Self::BarcodeId(_) => 11,
            Self::RoutingLength(_) => 12,
            Self::RoutingDigits => 13,
        }
    }
}

/// Why bars are no code, by the first rule that they break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A bar was misread, or these are not the bars of a code.
    #[error("character {0} is none")]
    Character(char),
    /// A codeword, or the number that all make, is too large, or the last codeword is odd.
    #[error("a codeword is out of its range")]
    Range,
    /// The characters are characters, but do not belong together.
    #[error("the frame check fails")]
    Check,
}

/// The 20, 25, 29 or 31 digits of a code.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digits {
    /// Zeros where there are no digits, so that equal digits are equal.
    ascii: [u8; DIGITS_MAX],
    length: usize,
}

impl Digits {
    /// All of them: the tracking code, then the routing code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.ascii.get(..self.length).and_then(|digits| str::from_utf8(digits).ok()).unwrap_or("")
    }

    /// The tracking code, and the routing code of 0, 5, 9 or 11 digits.
    #[must_use]
    pub fn split(&self) -> (&str, &str) {
        self.as_str().split_at_checked(TRACKING_DIGITS).unwrap_or(("", ""))
    }
}

impl AsRef<str> for Digits {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digits({self})")
    }
}

/// The bars of a tracking code of 20 digits and a routing code of 0, 5, 9 or 11. Of several errors the first is told in the order
/// in which the Postal Service's own encoder looks for them.
pub fn encode(tracking: &str, routing: &str) -> Result<Bars, EncodeError> {
    let number = number_of(tracking, routing)?;
    let characters = characters_of(number);
    Ok(std::array::from_fn(|bar| {
        let [descender, ascender] = PLACES[bar];
        let is_set =
            |(character, bit): (u8, u8)| characters[usize::from(character)] >> bit & 1 == 1;
        Bar::with(is_set(ascender), is_set(descender))
    }))
}

/// The digits of upright bars.
pub fn decode(bars: &Bars) -> Result<Digits, DecodeError> {
    let characters = gather(|bar| (bars[bar].descends(), bars[bar].ascends()));
    let mut codewords = [0; CHARACTERS];
    let mut check = 0;
    for (place, character) in characters.iter().enumerate() {
        let entry = CODEWORD_OF[usize::from(*character)];
        if entry == NO_CODEWORD {
            return Err(DecodeError::Character(name_of(place)));
        }
        codewords[place] = entry & !INVERTED;
        check |= u16::from(entry & INVERTED != 0) << place;
    }
    digits_of(&codewords, check)
}

/// The digits of bars that may be upside down. No bars are a code both ways: the last codeword of a code is even, and upside down
/// it is odd or none.
pub fn decode_either_way(bars: &Bars) -> Result<(Digits, Turn), DecodeError> {
    decode(bars).map(|digits| (digits, Turn::Upright)).or_else(|error| {
        decode(&bars::turned(bars))
            .map(|digits| (digits, Turn::UpsideDown))
            .map_err(|_turned| error)
    })
}

/// The characters whose bits are set for the descenders and ascenders that `halves` says.
#[inline]
pub(super) fn gather(halves: impl Fn(usize) -> (bool, bool)) -> [u16; CHARACTERS] {
    let mut characters = [0; CHARACTERS];
    for (bar, [descender, ascender]) in PLACES.iter().enumerate().take(BARS) {
        let (descends, ascends) = halves(bar);
        characters[usize::from(descender.0)] |= u16::from(descends) << descender.1;
        characters[usize::from(ascender.0)] |= u16::from(ascends) << ascender.1;
    }
    characters
}

/// The digits of ten codewords as printed, if they are in range and their frame check, of which the lowest ten bits came by the
/// characters, holds.
pub(super) fn digits_of(
    codewords: &[u16; CHARACTERS],
    inversions: u16,
) -> Result<Digits, DecodeError> {
    let [first, middle @ .., last] = codewords.map(u32::from);
    if first >= 2 * FIRST_CODEWORDS || last >= 2 * LAST_CODEWORDS || last % 2 == 1 {
        return Err(DecodeError::Range);
    }
    let is_raised = first >= FIRST_CODEWORDS;
    let first = u128::from(if is_raised { first - FIRST_CODEWORDS } else { first });
    let number = middle
        .iter()
        .fold(first, |number, codeword| number * u128::from(BASE) + u128::from(*codeword));
    let number = number * u128::from(LAST_CODEWORDS) + u128::from(last / 2);
    let check = inversions | if is_raised { CHECK_IN_FIRST } else { 0 };
    if frame_check(number) != check {
        return Err(DecodeError::Check);
    }
    digits_of_number(number).ok_or(DecodeError::Range)
}

fn number_of(tracking: &str, routing: &str) -> Result<u128, EncodeError> {
    let is_number = |digits: &[u8]| digits.iter().all(u8::is_ascii_digit);
    let tracking = tracking.as_bytes();
    // Blanks around it are no part of its length there (cases 191 and 194), and no digits.
    let length = tracking.trim_ascii().len();
    if length != TRACKING_DIGITS {
        return Err(EncodeError::TrackingLength(length));
    }
    let [first, second, rest @ ..] = tracking else { return Err(EncodeError::TrackingDigits) };
    if !is_number(tracking) {
        return Err(EncodeError::TrackingDigits);
    }
    if *second > b'4' {
        return Err(EncodeError::BarcodeId(char::from(*second)));
    }
    let start = ROUTING_STARTS.iter().find(|(length, _)| *length == routing.len());
    let Some((_, start)) = start else {
        return Err(EncodeError::RoutingLength(routing.len()));
    };
    if !is_number(routing.as_bytes()) {
        return Err(EncodeError::RoutingDigits);
    }
    let routing = start + integer(routing.as_bytes());
    let high = (routing * 10 + u64::from(first - b'0')) * 5 + u64::from(second - b'0');
    Ok(u128::from(high) * u128::from(BILLION) * u128::from(BILLION) + u128::from(integer(rest)))
}

/// At most 18 digits.
fn integer(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

fn characters_of(number: u128) -> [u16; CHARACTERS] {
    let check = frame_check(number);
    let mut codewords = [0_u32; CHARACTERS];
    let (number, last) = divide::<LAST_CODEWORDS>(number);
    codewords[9] = last * 2;
    let (number, group) = divide::<BASE_CUBED>(number);
    codewords[6..9].copy_from_slice(&three(group));
    let (number, group) = divide::<BASE_CUBED>(number);
    codewords[3..6].copy_from_slice(&three(group));
    let (number, group) = divide::<{ BASE * BASE }>(number);
    codewords[1] = group / BASE;
    codewords[2] = group % BASE;
    let (_, first) = divide::<FIRST_CODEWORDS>(number);
    codewords[0] = first + if check & CHECK_IN_FIRST == 0 { 0 } else { FIRST_CODEWORDS };
    std::array::from_fn(|place| {
        let inversion = if check >> place & 1 == 1 { CHARACTER_MASK } else { 0 };
        CHARACTER_OF[codewords[place] as usize] ^ inversion
    })
}

const fn three(group: u32) -> [u32; 3] {
    [group / BASE / BASE, group / BASE % BASE, group % BASE]
}

/// The quotient and the remainder of a long division in digits of 32 bits; every number here has at most 102.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "a digit, and a remainder below the divisor")]
fn divide<const BY: u32>(number: u128) -> (u128, u32) {
    let (mut quotient, mut rest) = (0_u128, 0_u64);
    for shift in [96, 64, 32, 0] {
        let part = rest << 32 | u64::from((number >> shift) as u32);
        quotient |= u128::from(part / u64::from(BY)) << shift;
        rest = part % u64::from(BY);
    }
    (quotient, rest as u32)
}

/// None when the routing code would have more than 11 digits.
fn digits_of_number(number: u128) -> Option<Digits> {
    let (number, low) = divide::<BILLION>(number);
    let (number, high) = divide::<BILLION>(number);
    let routing = u64::try_from(number / TRACKINGS_HIGH).ok()?;
    if routing >= ROUTING_END {
        return None;
    }
    let identifier = u64::try_from(number % TRACKINGS_HIGH).ok()?;
    let (length, start) = ROUTING_STARTS.iter().rev().find(|(_, start)| *start <= routing)?;
    let mut ascii = [0; DIGITS_MAX];
    ascii[0] = digit(identifier / 5);
    ascii[1] = digit(identifier % 5);
    write_digits(&mut ascii[2..11], u64::from(high));
    write_digits(&mut ascii[11..TRACKING_DIGITS], u64::from(low));
    write_digits(&mut ascii[TRACKING_DIGITS..TRACKING_DIGITS + length], routing - start);
    Some(Digits { ascii, length: TRACKING_DIGITS + length })
}

fn write_digits(ascii: &mut [u8], mut number: u64) {
    for place in ascii.iter_mut().rev() {
        *place = digit(number % 10);
        number /= 10;
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a digit")]
const fn digit(number: u64) -> u8 {
    b'0' + number as u8
}

#[expect(clippy::cast_possible_truncation, reason = "one of ten")]
const fn name_of(place: usize) -> char {
    (b'A' + place as u8) as char
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imb::bars::{bars_of_letters, turned};

    /// The examples of the specification and what is between digits and bars.
    #[test]
    fn the_characters_are_those_of_the_specification() {
        let tracking = "01234567094987654321";
        for (routing, number, characters) in [
            (
                "",
                0x1122_103b_5c20_04b1,
                [0x1fe0, 0x1f, 0x1f, 0x1f, 0xadb, 0x1a3, 0x1bc3, 0x1838, 0x12b, 0x76],
            ),
            (
                "01234567891",
                0x1_6907_b2a2_4abc_16a2_e5c0_04b1_u128,
                [0xdcb, 0x85c, 0x8e4, 0xb06, 0x6dd, 0x1740, 0x17c6, 0x1200, 0x123f, 0x1b2b],
            ),
        ] {
            assert_eq!(number_of(tracking, routing), Ok(number));
            assert_eq!(characters_of(number), characters, "{routing}");
        }
    }

    #[test]
    fn the_last_number_has_a_code_and_the_next_has_none() {
        let (tracking, routing) = ("94999999999999999999", "99999999999");
        let last = number_of(tracking, routing).unwrap();
        assert_eq!(digits_of_number(last).unwrap().split(), (tracking, routing));
        assert_eq!(digits_of_number(last + 1), None);
        assert!(last >> 102 == 0);
    }

    #[test]
    fn routing_codes_of_each_length_follow_one_another() {
        for (lower, higher) in [("", "00000"), ("99999", "000000000"), ("999999999", "00000000000")]
        {
            let tracking = "00000000000000000000";
            let next = number_of("94999999999999999999", lower).unwrap() + 1;
            assert_eq!(number_of(tracking, higher), Ok(next), "{lower:?}");
            assert_eq!(digits_of_number(next).unwrap().split(), (tracking, higher));
        }
    }

    #[test]
    fn each_rule_that_bars_break_is_told() {
        let letters = "AADTFFDFTDADTAADAATFDTDDAAADDTDTTDAFADADDDTFFFDDTTTADFAAADFTDAADA";
        let bars = bars_of_letters(letters).unwrap();
        assert_eq!(decode(&bars).unwrap().as_str(), "0123456709498765432101234567891");
        let mut misread = bars;
        misread[0] = Bar::Tracker;
        assert_eq!(decode(&misread), Err(DecodeError::Character('E')));
        assert_eq!(decode(&turned(&bars)), Err(DecodeError::Character('A')));
        assert_eq!(decode_either_way(&turned(&bars)).unwrap().1, Turn::UpsideDown);
        assert_eq!(digits_of(&[1318, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0), Err(DecodeError::Range));
        assert_eq!(digits_of(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1272], 0), Err(DecodeError::Range));
        assert_eq!(digits_of(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 0), Err(DecodeError::Range));
        assert_eq!(digits_of(&[0; CHARACTERS], 0), Err(DecodeError::Check));
    }
}
