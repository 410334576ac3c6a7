//! The check characters that envelope formats end with: what must stand there, and whether it does.

use std::fmt;

/// ISO/IEC 16388: the characters of Code 39 in the order of their values. The first 36 are those of ISO 7064 MOD 37,36.
const CODE39: &[u8; 43] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%";

/// How many of [`CODE39`] are digits or capital letters.
const ALPHANUMERIC: u32 = 36;

/// A way to compute check characters over all that stands before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Check {
    /// No check at all.
    None,
    /// One digit over digits (ISO/IEC 7812-1, annex B). Finds every wrong digit, and every swap of neighbors but 09 and 90.
    Luhn,
    /// One digit over digits, weights 3 and 1 from the right (GS1 General Specifications, section 7.9). Finds every wrong
    /// digit, and every swap of neighbors that do not differ by 5.
    Gs1Mod10,
    /// One digit or `X` over digits, weights 2 to 7 repeating from the right. Finds every wrong digit and every swap of
    /// neighbors.
    Mod11,
    /// Two digits over digits (ISO 7064, MOD 97-10); a capital letter counts as two digits, A as 10, as ISO 17442 has it.
    /// Finds every wrong digit and every swap of neighbors.
    Mod97,
    /// One digit or capital letter over the same (ISO 7064, MOD 37,36). Finds every wrong character.
    Mod37_36,
    /// One character over the 43 of Code 39 (ISO/IEC 16388, annex A). Finds every wrong character.
    Mod43,
}

impl Check {
    /// Every check.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Luhn,
        Self::Gs1Mod10,
        Self::Mod11,
        Self::Mod97,
        Self::Mod37_36,
        Self::Mod43,
    ];

    /// The name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Luhn => "luhn",
            Self::Gs1Mod10 => "gs1_mod10",
            Self::Mod11 => "mod11",
            Self::Mod97 => "mod97",
            Self::Mod37_36 => "mod37_36",
            Self::Mod43 => "mod43",
        }
    }

    /// The check of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|check| check.name() == name)
    }

    /// Whether `check` is right for `body`, which is all that stands before it. Nothing is right for an empty body.
    pub fn holds(self, body: &str, check: &str) -> bool {
        match (self, check.as_bytes()) {
            (Self::None, found) => found.is_empty(),
            // ISO 7064 asks for the congruence, so 00 and 01, which some printers write for 97 and 98, are right too.
            (Self::Mod97, [tens @ b'0'..=b'9', ones @ b'0'..=b'9']) => {
                mod97(body.bytes().chain([*tens, *ones])) == Some(1) && !body.is_empty()
            }
            (_, [found]) => self.character(body) == Some(*found),
            _ => false,
        }
    }

    /// The check characters for `body`, for labels and tests; none when it is empty or holds a character outside the
    /// alphabet.
    pub fn characters(self, body: &str) -> Option<String> {
        match self {
            Self::None => Some(String::new()),
            Self::Mod97 if body.is_empty() => None,
            Self::Mod97 => {
                mod97(body.bytes().chain(*b"00")).map(|rest| format!("{:02}", 98 - rest))
            }
            _ => self.character(body).map(|character| char::from(character).to_string()),
        }
    }

    fn character(self, body: &str) -> Option<u8> {
        if body.is_empty() {
            return None;
        }
        match self {
            Self::None | Self::Mod97 => None,
            Self::Luhn => luhn(body).and_then(code39),
            Self::Gs1Mod10 => gs1_mod10(body).and_then(code39),
            Self::Mod11 => match mod11(body)? {
                10 => Some(b'X'),
                digit => code39(digit),
            },
            Self::Mod37_36 => mod37_36(body).and_then(code39),
            Self::Mod43 => mod43(body).and_then(code39),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn mod97(mut text: impl Iterator<Item = u8>) -> Option<u32> {
    text.try_fold(0, |rest, byte| {
        let value = value(byte).filter(|value| *value < ALPHANUMERIC)?;
        let shift = if value < 10 { 10 } else { 100 };
        Some((rest * shift + value) % 97)
    })
}

fn luhn(body: &str) -> Option<u32> {
    let sum = body.bytes().rev().enumerate().try_fold(0, |sum, (idx, byte)| {
        let digit = digit(byte)?;
        let doubled = if digit < 5 { digit * 2 } else { digit * 2 - 9 };
        Some((sum + if idx % 2 == 0 { doubled } else { digit }) % 10)
    })?;
    Some((10 - sum) % 10)
}

fn gs1_mod10(body: &str) -> Option<u32> {
    let sum = body.bytes().rev().enumerate().try_fold(0, |sum, (idx, byte)| {
        let weight = if idx % 2 == 0 { 3 } else { 1 };
        Some((sum + digit(byte)? * weight) % 10)
    })?;
    Some((10 - sum) % 10)
}

fn mod11(body: &str) -> Option<u32> {
    let weights = (2..=7).cycle();
    let sum = body
        .bytes()
        .rev()
        .zip(weights)
        .try_fold(0, |sum, (byte, weight)| Some((sum + digit(byte)? * weight) % 11))?;
    Some((11 - sum) % 11)
}

fn mod37_36(body: &str) -> Option<u32> {
    let product = body.bytes().try_fold(ALPHANUMERIC, |product, byte| {
        let value = value(byte).filter(|value| *value < ALPHANUMERIC)?;
        let sum = (product + value) % ALPHANUMERIC;
        // ISO 7064 counts a zero here as the modulus itself.
        let sum = if sum == 0 { ALPHANUMERIC } else { sum };
        Some(sum * 2 % (ALPHANUMERIC + 1))
    })?;
    Some((ALPHANUMERIC + 1 - product) % ALPHANUMERIC)
}

fn mod43(body: &str) -> Option<u32> {
    body.bytes().try_fold(0, |sum, byte| Some((sum + value(byte)?) % 43))
}

fn digit(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(10)
}

fn value(byte: u8) -> Option<u32> {
    CODE39.iter().position(|c| *c == byte).and_then(|at| u32::try_from(at).ok())
}

fn code39(value: u32) -> Option<u8> {
    usize::try_from(value).ok().and_then(|at| CODE39.get(at).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A check, a body, and the check characters.
    type Vector = (Check, &'static str, &'static str);

    /// Published examples, each with where it is from.
    const VECTORS: &[Vector] = &[
        (Check::Luhn, "7992739871", "3"),       // Wikipedia, Luhn algorithm
        (Check::Luhn, "453201511283036", "6"),  // a Visa test number
        (Check::Gs1Mod10, "629104150021", "3"), // GS1, how to calculate a check digit
        (Check::Gs1Mod10, "03600029145", "2"),  // Wikipedia, Universal Product Code
        (Check::Mod11, "30686957", "4"),        // Wikipedia, RUT of Chile: the same weights
        (Check::Mod11, "12531909", "2"),        // python-stdnum, cl.rut
        (Check::Mod11, "6", "X"),               // 12 mod 11 = 1
        (Check::Mod97, "794", "44"),            // ISO 7064, MOD 97-10
        (Check::Mod97, "99991234567890121414", "90"), // python-stdnum, iso7064.mod_97_10
        (Check::Mod97, "213800KUD8LAJWSQ9D", "15"), // a Legal Entity Identifier, ISO 17442
        (Check::Mod37_36, "A12425GABC1234002", "M"), // IFPI, Global Release Identifier standard
        (Check::Mod37_36, "0000000189470000", "8"), // ISO 15706, ISAN
        (Check::Mod37_36, "000000018947000000000000", "D"),
        (Check::Mod43, "12345ABCDE/", "T"), // ISO/IEC 16388, annex A
        (Check::Mod43, "+A123BJC5D6E71", "G"), // HIBCC, supplier labeling standard
    ];

    #[test]
    fn published_examples_hold() {
        for (check, body, expected) in VECTORS {
            assert_eq!(check.characters(body).as_deref(), Some(*expected), "{check} of {body}");
            assert!(check.holds(body, expected), "{check} of {body}");
        }
    }

    #[test]
    fn every_check_has_its_own_name() {
        for check in Check::ALL {
            assert_eq!(Check::from_name(check.name()), Some(check));
        }
        assert_eq!(Check::from_name("Luhn"), None);
    }

    fn alphabet(check: Check) -> &'static [u8] {
        match check {
            Check::None => &[],
            Check::Luhn | Check::Gs1Mod10 | Check::Mod11 | Check::Mod97 => &CODE39[..10],
            Check::Mod37_36 => &CODE39[..36],
            Check::Mod43 => CODE39,
        }
    }

    /// A body with every character of the alphabet in it, and its check.
    fn whole(check: Check) -> (Vec<u8>, usize) {
        let mut text: Vec<u8> = alphabet(check).to_vec();
        text.extend_from_slice(b"7204615839");
        let n_body = text.len();
        let body = str::from_utf8(&text).unwrap();
        let characters = check.characters(body).unwrap();
        text.extend_from_slice(characters.as_bytes());
        (text, n_body)
    }

    fn holds(check: Check, text: &[u8], n_body: usize) -> bool {
        let (body, found) = str::from_utf8(text).unwrap().split_at(n_body);
        check.holds(body, found)
    }

    #[test]
    fn every_wrong_character_is_found() {
        for check in Check::ALL.into_iter().skip(1) {
            let (right, n_body) = whole(check);
            assert!(holds(check, &right, n_body));
            for at in 0..right.len() {
                for other in alphabet(check).iter().chain(b"X") {
                    let mut wrong = right.clone();
                    wrong[at] = *other;
                    assert_eq!(holds(check, &wrong, n_body), wrong == right, "{check} {wrong:?}");
                }
            }
        }
    }

    /// Whether the check promises to find that these two neighbors were swapped.
    fn finds_swap(check: Check, left: u8, right: u8) -> bool {
        match check {
            Check::Luhn => !matches!((left, right), (b'0', b'9') | (b'9', b'0')),
            Check::Gs1Mod10 => left.abs_diff(right) != 5,
            Check::Mod11 | Check::Mod97 => true,
            Check::None | Check::Mod37_36 | Check::Mod43 => false,
        }
    }

    #[test]
    fn every_swap_of_neighbors_that_can_be_found_is() {
        for check in [Check::Luhn, Check::Gs1Mod10, Check::Mod11, Check::Mod97] {
            for pair in 0..100_u32 {
                let body = format!("58{pair:02}31");
                let text = format!("{body}{}", check.characters(&body).unwrap()).into_bytes();
                for at in 0..text.len() - 1 {
                    let (left, right) = (text[at], text[at + 1]);
                    let mut swapped = text.clone();
                    swapped.swap(at, at + 1);
                    if left != right && finds_swap(check, left, right) {
                        assert!(!holds(check, &swapped, body.len()), "{check} {swapped:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_character_outside_the_alphabet_has_no_check() {
        for check in [Check::Luhn, Check::Gs1Mod10, Check::Mod11] {
            assert_eq!(check.characters("12A4"), None, "{check}");
        }
        for check in Check::ALL.into_iter().skip(1) {
            for body in ["", "12a4", "12\u{661}4", "12\n4"] {
                assert_eq!(check.characters(body), None, "{check} of {body:?}");
                for found in ["", "0", "1", "01", "X"] {
                    assert!(!check.holds(body, found), "{check} of {body:?}");
                }
            }
        }
        assert_eq!(Check::Mod37_36.characters("12-4"), None);
        assert_eq!(Check::Mod97.characters("12-4"), None);
    }

    #[test]
    fn a_check_of_another_length_is_wrong() {
        assert!(!Check::Luhn.holds("7992739871", ""));
        assert!(!Check::Luhn.holds("7992739871", "33"));
        assert!(!Check::Mod97.holds("794", "4"));
        assert!(!Check::Mod97.holds("794", "A4"));
        assert!(!Check::Mod11.holds("6", "x"));
        assert!(!Check::None.holds("794", "4"));
        assert!(Check::None.holds("794", ""));
    }

    #[test]
    fn both_spellings_of_the_two_highest_checks_of_mod97_hold() {
        let ending = |wanted: &str| {
            (0..1000)
                .map(|n| format!("{n:03}"))
                .find(|body| Check::Mod97.characters(body).as_deref() == Some(wanted))
        };
        assert!(Check::Mod97.holds(&ending("97").unwrap(), "00"));
        assert!(Check::Mod97.holds(&ending("98").unwrap(), "01"));
        assert!(Check::Mod97.holds(&ending("02").unwrap(), "99"));
    }
}
