//! The encodings of files that are no UTF-8: what a byte is as a character.

use std::borrow::Cow;

/// How a file's bytes are text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// What is not UTF-8 is no text.
    Utf8,
    /// ISO-8859-1: a byte is the character of its number.
    Latin1,
    /// Windows-1252: the same, with letters and signs where ISO-8859-1 has controls.
    Windows1252,
    /// Code page 437, of the IBM PC.
    Cp437,
}

impl Encoding {
    const ALL: [Self; 4] = [Self::Utf8, Self::Latin1, Self::Windows1252, Self::Cp437];

    /// The name in layouts.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Latin1 => "iso-8859-1",
            Self::Windows1252 => "windows-1252",
            Self::Cp437 => "cp437",
        }
    }

    /// Every name.
    pub(super) fn names() -> [&'static str; 4] {
        Self::ALL.map(Self::name)
    }

    /// The encoding of that name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|encoding| encoding.name().eq_ignore_ascii_case(name))
    }

    /// The bytes as text. Where they are UTF-8 they are taken as that whatever the layout says: a file that somebody mended was
    /// saved so, and no name spells UTF-8 by chance.
    pub(super) fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Cow::Borrowed(text);
        }
        let upper = match self {
            Self::Utf8 => return String::from_utf8_lossy(bytes),
            Self::Latin1 => return bytes.iter().copied().map(char::from).collect(),
            Self::Windows1252 => WINDOWS_1252,
            Self::Cp437 => CP437,
        };
        let upper: Vec<char> = upper.chars().collect();
        let decoded = bytes.iter().map(|byte| match byte.checked_sub(0x80) {
            // What the table does not have is as in ISO-8859-1.
            Some(place) => upper.get(usize::from(place)).copied().unwrap_or(char::from(*byte)),
            None => char::from(*byte),
        });
        Cow::Owned(decoded.collect())
    }
}

/// 80 to 9F; the five that mean nothing are controls, as the WHATWG's Encoding Standard has them.
const WINDOWS_1252: &str = "\u{20ac}\u{81}\u{201a}\u{192}\u{201e}\u{2026}\u{2020}\u{2021}\
    \u{2c6}\u{2030}\u{160}\u{2039}\u{152}\u{8d}\u{17d}\u{8f}\
    \u{90}\u{2018}\u{2019}\u{201c}\u{201d}\u{2022}\u{2013}\u{2014}\
    \u{2dc}\u{2122}\u{161}\u{203a}\u{153}\u{9d}\u{17e}\u{178}";

/// 80 to FF, as the Unicode Consortium's `CP437.TXT` has them.
const CP437: &str = "\u{c7}\u{fc}\u{e9}\u{e2}\u{e4}\u{e0}\u{e5}\u{e7}\u{ea}\u{eb}\u{e8}\u{ef}\u{ee}\u{ec}\u{c4}\u{c5}\
    \u{c9}\u{e6}\u{c6}\u{f4}\u{f6}\u{f2}\u{fb}\u{f9}\u{ff}\u{d6}\u{dc}\u{a2}\u{a3}\u{a5}\u{20a7}\u{192}\
    \u{e1}\u{ed}\u{f3}\u{fa}\u{f1}\u{d1}\u{aa}\u{ba}\u{bf}\u{2310}\u{ac}\u{bd}\u{bc}\u{a1}\u{ab}\u{bb}\
    \u{2591}\u{2592}\u{2593}\u{2502}\u{2524}\u{2561}\u{2562}\u{2556}\u{2555}\u{2563}\u{2551}\u{2557}\u{255d}\u{255c}\u{255b}\u{2510}\
    \u{2514}\u{2534}\u{252c}\u{251c}\u{2500}\u{253c}\u{255e}\u{255f}\u{255a}\u{2554}\u{2569}\u{2566}\u{2560}\u{2550}\u{256c}\u{2567}\
    \u{2568}\u{2564}\u{2565}\u{2559}\u{2558}\u{2552}\u{2553}\u{256b}\u{256a}\u{2518}\u{250c}\u{2588}\u{2584}\u{258c}\u{2590}\u{2580}\
    \u{3b1}\u{df}\u{393}\u{3c0}\u{3a3}\u{3c3}\u{b5}\u{3c4}\u{3a6}\u{398}\u{3a9}\u{3b4}\u{221e}\u{3c6}\u{3b5}\u{2229}\
    \u{2261}\u{b1}\u{2265}\u{2264}\u{2320}\u{2321}\u{f7}\u{2248}\u{b0}\u{2219}\u{b7}\u{221a}\u{207f}\u{b2}\u{25a0}\u{a0}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_encoding_has_its_own_letters() {
        for (encoding, bytes, text) in [
            (Encoding::Utf8, &b"Ren\xc3\xa9e"[..], "Ren\u{e9}e"),
            (Encoding::Utf8, b"Ren\xe9e", "Ren\u{fffd}e"),
            (Encoding::Latin1, b"Pe\xf1a", "Pe\u{f1}a"),
            (Encoding::Windows1252, b"O\x92Neil \xf1\x81", "O\u{2019}Neil \u{f1}\u{81}"),
            (Encoding::Cp437, b"Pe\xa4a \x81 \xff", "Pe\u{f1}a \u{fc} \u{a0}"),
            (Encoding::Cp437, b"plain", "plain"),
            (Encoding::Cp437, b"Ren\xc3\xa9e", "Ren\u{e9}e"),
        ] {
            assert_eq!(encoding.decode(bytes), text, "{encoding:?}");
        }
        let count = |table: &str| table.chars().count();
        assert_eq!((count(WINDOWS_1252), count(CP437)), (32, 128));
    }

    #[test]
    fn names_lead_back_to_their_encoding() {
        for encoding in Encoding::ALL {
            assert_eq!(Encoding::from_name(encoding.name()), Some(encoding));
        }
        assert_eq!(Encoding::from_name("CP437"), Some(Encoding::Cp437));
        assert_eq!(Encoding::from_name("ebcdic"), None);
    }
}
