//! What the relay's one secret is used for: look-ups that reveal nothing, links and return paths that nobody can make up, and
//! one-time codes that no table keeps.
//!
//! The key file has one key a line, each the base64 of 32 bytes. The first is used for what is made; all of them are tried on
//! what comes back, so that a key is rotated by a new first line. Look-ups of voters use the *last* line, which therefore stays.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::fmt;

const KEY_BYTES: usize = 32;
/// Keys of one file: a rotation needs two.
const KEYS_MAX: usize = 8;
/// Bytes of a tag in a link or an address: 128 bits cannot be guessed, and fit into the 64 characters of a mailbox name.
const TAG_BYTES: usize = 16;
/// Bytes of a tag in an address.
const ADDRESS_TAG_BYTES: usize = 10;
/// Digits of a one-time code.
const CODE_MODULUS: u64 = 1_000_000;
/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// What a tag is good for; a tag for one purpose is none for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Finds a voter by name, birth date and ZIP code.
    Identity,
    /// The number of a one-time code.
    Code,
    /// A link that ends what an address gets.
    Unsubscribe,
    /// A link that says "this wasn't me".
    NotMe,
    /// The return path of an e-mail.
    Bounce,
    /// What a form of a session carries.
    Csrf,
    /// The path to which a provider reports what became of an attempt.
    Receipt,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Code => "code",
            Self::Unsubscribe => "unsubscribe",
            Self::NotMe => "not-me",
            Self::Bounce => "bounce",
            Self::Csrf => "csrf",
            Self::Receipt => "receipt",
        }
    }
}

/// Why a text is no key file. It never says what the text was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A line is not the base64 of 32 bytes.
    #[error("line {0} is not the base64 of {KEY_BYTES} bytes")]
    Line(usize),
    /// There is no key, or too many.
    #[error("there are {0} keys, outside 1..={KEYS_MAX}")]
    Count(usize),
    /// The operating system gives no random bytes.
    #[error("the operating system gives no random bytes")]
    Random,
}

/// The relay's keys. Its `Debug` hides them.
#[derive(Clone)]
pub struct Keys(Vec<Hmac<Sha256>>);

impl Keys {
    /// Reads a key file's text.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut keys = Vec::new();
        for (line_idx, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty())
        {
            let wrong = KeyError::Line(line_idx + 1);
            let Ok(key) = STANDARD.decode(line.trim()) else { return Err(wrong) };
            if key.len() != KEY_BYTES {
                return Err(wrong);
            }
            let Ok(keyed) = Hmac::new_from_slice(&key) else { return Err(wrong) };
            keys.push(keyed);
        }
        if keys.is_empty() || keys.len() > KEYS_MAX {
            return Err(KeyError::Count(keys.len()));
        }
        Ok(Self(keys))
    }

    /// A new key file's text, with one key.
    pub fn generate() -> Result<String, KeyError> {
        let mut key = [0; KEY_BYTES];
        if getrandom::fill(&mut key).is_err() {
            return Err(KeyError::Random);
        }
        Ok(format!("{}\n", STANDARD.encode(key)))
    }

    /// What `text` is looked up by: the same for ever, and no way back to the text.
    pub fn look_up(&self, purpose: Purpose, text: &str) -> String {
        let tag = self.0.last().map(|key| mac(key, purpose, text).finalize().into_bytes());
        URL_SAFE_NO_PAD.encode(tag.unwrap_or_default())
    }

    /// A tag that shows that `text` is ours, of letters, digits, `-` and `_`.
    pub fn tag(&self, purpose: Purpose, text: &str) -> String {
        let tag = self.0.first().map(|key| mac(key, purpose, text).finalize().into_bytes());
        let tag = tag.unwrap_or_default();
        URL_SAFE_NO_PAD.encode(tag.get(..TAG_BYTES).unwrap_or_default())
    }

    /// Whether `tag` is that of `text`, under any of the keys. It takes the same time wherever it differs.
    pub fn verify(&self, purpose: Purpose, text: &str, tag: &str) -> bool {
        let Ok(tag) = URL_SAFE_NO_PAD.decode(tag) else { return false };
        tag.len() == TAG_BYTES
            && self.0.iter().any(|key| mac(key, purpose, text).verify_truncated_left(&tag).is_ok())
    }

    /// A tag for an address, whose case a mail server may change: hexadecimal.
    pub fn address_tag(&self, purpose: Purpose, text: &str) -> String {
        self.0.first().map(|key| hex(key, purpose, text)).unwrap_or_default()
    }

    /// Whether an address's tag is that of `text`.
    pub fn verify_address(&self, purpose: Purpose, text: &str, tag: &str) -> bool {
        let tag = tag.to_lowercase();
        // What is compared are tags of tags: the time tells nothing of where they differ.
        let seal = |tag: &str| self.tag(purpose, tag);
        self.0.iter().any(|key| seal(&hex(key, purpose, text)) == seal(&tag))
    }

    /// The six digits of the one-time code `id`. They follow from the id, so that no table keeps them: they stand in
    /// the words of an attempt until its outcome is known.
    pub fn one_time_code(&self, id: &str) -> String {
        let tag = self.0.first().map(|key| mac(key, Purpose::Code, id).finalize().into_bytes());
        let number = tag
            .unwrap_or_default()
            .iter()
            .take(8)
            .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        format!("{:06}", number % CODE_MODULUS)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.0.len())
    }
}

/// A token that nobody can guess, of letters, digits, `-` and `_`.
pub fn token() -> Result<String, KeyError> {
    let mut bytes = [0; TOKEN_BYTES];
    if getrandom::fill(&mut bytes).is_err() {
        return Err(KeyError::Random);
    }
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn mac(key: &Hmac<Sha256>, purpose: Purpose, text: &str) -> Hmac<Sha256> {
    let mut mac = key.clone();
    for part in [purpose.name(), "\0", text] {
        mac.update(part.as_bytes());
    }
    mac
}

fn hex(key: &Hmac<Sha256>, purpose: Purpose, text: &str) -> String {
    let tag = mac(key, purpose, text).finalize().into_bytes();
    tag.iter().take(ADDRESS_TAG_BYTES).fold(String::new(), |mut hex, byte| {
        for half in [byte >> 4, byte & 15] {
            hex.extend(char::from_digit(u32::from(half), 16));
        }
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Keys {
        let lines: Vec<_> = bytes.iter().map(|byte| STANDARD.encode([*byte; 32])).collect();
        Keys::parse(&lines.join("\n")).unwrap()
    }

    #[test]
    fn a_tag_is_for_one_text_and_one_purpose() {
        let ours = keys(&[1]);
        let tag = ours.tag(Purpose::Bounce, "a");
        assert!(ours.verify(Purpose::Bounce, "a", &tag));
        assert!(!ours.verify(Purpose::Bounce, "b", &tag));
        assert!(!ours.verify(Purpose::Receipt, "a", &tag));
        assert!(!keys(&[2]).verify(Purpose::Bounce, "a", &tag));
        assert!(!ours.verify(Purpose::Bounce, "a", ""));
        assert!(!ours.verify(Purpose::Bounce, "a", tag.get(..4).unwrap()));
        let tag = ours.address_tag(Purpose::Bounce, "a").to_uppercase();
        assert!(ours.verify_address(Purpose::Bounce, "a", &tag));
        assert!(!ours.verify_address(Purpose::Bounce, "b", &tag));
    }

    #[test]
    fn a_rotation_keeps_tags_and_look_ups() {
        let (old, both) = (keys(&[1]), keys(&[2, 1]));
        assert!(both.verify(Purpose::Bounce, "a", &old.tag(Purpose::Bounce, "a")));
        assert!(!old.verify(Purpose::Bounce, "a", &both.tag(Purpose::Bounce, "a")));
        let look_up = old.look_up(Purpose::Identity, "a");
        assert_eq!(both.look_up(Purpose::Identity, "a"), look_up);
    }

    #[test]
    fn a_code_has_six_digits_of_its_own() {
        let code = keys(&[1]).one_time_code("x");
        assert_eq!(code.len(), 6);
        assert!(code.bytes().all(|byte| byte.is_ascii_digit()));
        assert_ne!(code, keys(&[1]).one_time_code("y"));
    }

    #[test]
    fn what_is_no_key_file_is_refused() {
        for (text, expected) in [
            ("", KeyError::Count(0)),
            ("hunter2", KeyError::Line(1)),
            ("\nAAAA\n", KeyError::Line(2)),
        ] {
            assert_eq!(Keys::parse(text).err(), Some(expected), "{text}");
        }
        assert!(Keys::parse(&Keys::generate().unwrap()).is_ok());
        assert_eq!(format!("{:?}", keys(&[1, 2])), "Keys(2)");
    }
}
