//! Command sheets: what the code of a command spells, so that a clerk needs no keyboard.
//!
//! `BIS1:<station>:<generation>:<order>:<seal>`: a version, a tag by which stations are told apart, which printing of the sheets it
//! is, the order, and 80 bits of an HMAC over all before it under the station's own secret, in Crockford's base32. Only the ledger
//! can say whether the seal is right. What merely looks like such a code, or like a badge, is nothing else, whatever envelope
//! formats a county has: a code that was misread or made up must never name a ballot.

use crate::ballot::{Mode, ReceivedBy};
use crate::reason::Reason;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a command's code begins with; a version follows.
const PREFIX: &str = "BIS";

/// The version of the codes that this program prints and reads.
const VERSION: &str = "BIS1";

/// What a badge's code begins with: a scanner that types it types it as a password.
pub const BADGE_PREFIX: &str = "BIB-";

/// Characters of a badge's code after that: 128 bits in base32.
pub const BADGE_DIGITS: usize = 26;

/// Characters of the tag of a station: 20 bits. It tells which sheet was taken; the seal is what proves.
pub const TAG_DIGITS: usize = 4;

/// Characters of a seal: 80 bits.
pub const SEAL_DIGITS: usize = 16;

/// Parts of a code between its colons: the order may have one of its own, and so may a wrong character.
const PARTS: std::ops::RangeInclusive<usize> = 5..=7;

/// The digits of Crockford's base32 (<https://www.crockford.com/base32.html>): no I, L, O or U.
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The lowest bits of a number as so many digits of Crockford's base32.
pub fn base32(mut bits: u128, digits: usize) -> String {
    let mut text = vec![b'0'; digits];
    for digit in text.iter_mut().rev() {
        let low = usize::try_from(bits & 31).unwrap_or(0);
        *digit = CROCKFORD.get(low).copied().unwrap_or(b'0');
        bits >>= 5;
    }
    text.into_iter().map(char::from).collect()
}

/// Whether the text is digits of Crockford's base32, capital letters only.
pub fn is_base32(text: &str) -> bool {
    text.bytes().all(|byte| CROCKFORD.contains(&byte))
}

/// The place of a digit in a hand count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// Hundreds.
    Hundreds,
    /// Tens.
    Tens,
    /// Ones.
    Ones,
}

impl Place {
    /// Every place, the highest first.
    pub const ALL: [Self; 3] = [Self::Hundreds, Self::Tens, Self::Ones];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hundreds => "hundreds",
            Self::Tens => "tens",
            Self::Ones => "ones",
        }
    }

    const fn letter(self) -> char {
        match self {
            Self::Hundreds => 'H',
            Self::Tens => 'T',
            Self::Ones => 'O',
        }
    }
}

/// What a batch that a sheet opens is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Opening {
    /// What its scans do.
    pub mode: Mode,
    /// How its envelopes came.
    pub received_by: ReceivedBy,
    /// In mode `needs_attention`, and only there, what the voters must do.
    pub attention: Option<Reason>,
}

/// What a clerk wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Order {
    /// Open a batch.
    Open(Opening),
    /// A digit of the hand count, 0 to 9.
    Digit(Place, u8),
    /// The hand count is whole: close the batch.
    Close,
    /// Take back the last scan that changed something.
    Undo,
    /// Sound the last envelope's tone again.
    RepeatTone,
    /// Call a supervisor.
    CallSupervisor,
    /// What was bad was seen: the scanners that stopped on it may scan again.
    Acknowledge,
    /// Whoever signed in at this scanner goes.
    SignOut,
}

impl Order {
    /// Those without more to say.
    const PLAIN: [(Self, &str, &str); 6] = [
        (Self::Close, "C", "close batch: the count is right"),
        (Self::Undo, "U", "undo last scan"),
        (Self::RepeatTone, "T", "repeat last tone"),
        (Self::CallSupervisor, "V", "call supervisor"),
        (Self::Acknowledge, "A", "acknowledge: scan on"),
        (Self::SignOut, "X", "sign out"),
    ];

    /// Every order that a sheet may have.
    pub fn all() -> impl Iterator<Item = Self> {
        let openings = Mode::ALL.into_iter().flat_map(|mode| {
            ReceivedBy::ALL.into_iter().flat_map(move |received_by| {
                attentions(mode)
                    .map(move |attention| Self::Open(Opening { mode, received_by, attention }))
            })
        });
        openings.chain(Self::digits()).chain(Self::PLAIN.map(|(order, ..)| order))
    }

    /// Every digit of a hand count, place by place.
    pub fn digits() -> impl Iterator<Item = Self> {
        Place::ALL.into_iter().flat_map(|place| (0..10).map(move |digit| Self::Digit(place, digit)))
    }

    /// How a code spells it.
    pub fn spelling(self) -> String {
        match self {
            Self::Open(Opening { mode, received_by, attention }) => {
                let attention = attention.map_or("", attention_letters);
                format!("O:{}{}{attention}", mode_letter(mode), way_letter(received_by))
            }
            Self::Digit(place, digit) => format!("D:{}{digit}", place.letter()),
            plain => plain.row().map_or("", |(_, spelling, _)| *spelling).to_owned(),
        }
    }

    /// The order that is spelled so; none for anything that no sheet has.
    pub fn from_spelling(spelling: &str) -> Option<Self> {
        Self::all().find(|order| order.spelling() == spelling)
    }

    fn row(self) -> Option<&'static (Self, &'static str, &'static str)> {
        Self::PLAIN.iter().find(|(order, ..)| *order == self)
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(Opening { mode, received_by, attention }) => {
                let words = |name: &str| name.replace('_', " ");
                write!(f, "open batch: {}, {}", words(mode.name()), words(received_by.name()))?;
                attention.map_or(Ok(()), |reason| write!(f, ", {}", words(reason.name())))
            }
            Self::Digit(place, digit) => write!(f, "{digit} {}", place.name()),
            plain => f.write_str(plain.row().map_or("", |(.., words)| words)),
        }
    }
}

impl TryFrom<String> for Order {
    type Error = &'static str;
    fn try_from(spelling: String) -> Result<Self, Self::Error> {
        Self::from_spelling(&spelling).ok_or("no order of a sheet")
    }
}

impl From<Order> for String {
    fn from(order: Order) -> Self {
        order.spelling()
    }
}

/// What the voters may be told in a batch of that mode: in `needs_attention` one of the reasons that a voter can mend.
pub fn attentions(mode: Mode) -> impl Iterator<Item = Option<Reason>> {
    let (none, some) = match mode {
        Mode::NeedsAttention => (None, &Reason::ALL[..]),
        _ => (Some(None), &[][..]),
    };
    let some = some.iter().filter(|reason| !attention_letters(**reason).is_empty());
    none.into_iter().chain(some.map(|reason| Some(*reason)))
}

const fn attention_letters(reason: Reason) -> &'static str {
    match reason {
        Reason::SignatureMissing => "SM",
        Reason::SignatureDiffers => "SD",
        Reason::IdRequired => "ID",
        Reason::WitnessMissing => "WM",
        Reason::WrongEnvelope => "WE",
        Reason::EmptyEnvelope => "EE",
        _ => "",
    }
}

const fn mode_letter(mode: Mode) -> char {
    match mode {
        Mode::Receive => 'R',
        Mode::Accept => 'A',
        Mode::NeedsAttention => 'N',
        Mode::Undeliverable => 'U',
        Mode::Lookup => 'L',
    }
}

const fn way_letter(way: ReceivedBy) -> char {
    match way {
        ReceivedBy::Mail => 'M',
        ReceivedBy::DropBox => 'D',
        ReceivedBy::InPerson => 'P',
        ReceivedBy::Other => 'O',
    }
}

/// A code whose form is right. Whether its seal is, only the station knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code<'a> {
    /// Whose sheet it is.
    pub tag: &'a str,
    /// Which printing.
    pub generation: u32,
    /// What is wanted.
    pub order: Order,
    /// What the seal is over.
    pub sealed: &'a str,
    /// The seal.
    pub seal: &'a str,
}

/// Why a payload that looks like a command's code is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misprint {
    /// Another program's sheet.
    #[error("a command sheet of another version: print a new one")]
    Version,
    /// It cannot be what was printed.
    #[error("a damaged command code: scan it again, or print a new sheet")]
    Damaged,
}

/// All of a code that its seal is over.
pub fn sealed(tag: &str, generation: u32, order: Order) -> String {
    format!("{VERSION}:{tag}:{generation}:{}", order.spelling())
}

impl<'a> Code<'a> {
    /// Reads what one code spells, to the letter.
    pub fn read(payload: &'a [u8]) -> Result<Self, Misprint> {
        let text = str::from_utf8(payload).map_err(|_binary| Misprint::Damaged)?;
        let version = text.split(':').next().unwrap_or_default();
        let is_other = version.strip_prefix(PREFIX).is_some_and(|n| n.parse::<u16>().is_ok());
        if version != VERSION && is_other {
            return Err(Misprint::Version);
        }
        Self::parse(text).filter(Self::is_canonical).ok_or(Misprint::Damaged)
    }

    fn parse(text: &'a str) -> Option<Self> {
        let (sealed, seal) = text.rsplit_once(':')?;
        let mut parts = sealed.splitn(4, ':').skip(1);
        let (tag, generation, order) = (parts.next()?, parts.next()?, parts.next()?);
        let generation = generation.parse().ok()?;
        let order = Order::from_spelling(order)?;
        Some(Self { tag, generation, order, sealed, seal })
    }

    /// Whether this is how it would be printed: no plus, no leading zero, no small letter.
    fn is_canonical(&self) -> bool {
        let is = |text: &str, digits| text.len() == digits && is_base32(text);
        is(self.tag, TAG_DIGITS)
            && is(self.seal, SEAL_DIGITS)
            && self.sealed == sealed(self.tag, self.generation, self.order)
    }
}

/// Whether a payload looks like a command's code or a badge's, right or not.
pub fn has_form(payload: &[u8]) -> bool {
    let text = String::from_utf8_lossy(payload);
    let text = text.trim();
    looks_like_badge(text) || looks_like_code(text)
}

/// Whether a payload looks like a badge's code, right or not.
pub fn has_form_of_badge(payload: &[u8]) -> bool {
    looks_like_badge(String::from_utf8_lossy(payload).trim())
}

/// By its beginning; or by all the rest, so that one wrong character of the beginning makes nothing else of it.
fn looks_like_code(text: &str) -> bool {
    let begins =
        begins_with(text, PREFIX) && text.as_bytes().get(3).is_some_and(u8::is_ascii_digit);
    let last = text.rsplit(':').next().unwrap_or_default();
    let ends = PARTS.contains(&text.split(':').count())
        && last.len() == SEAL_DIGITS
        && last.bytes().all(|byte| byte.is_ascii_alphanumeric());
    begins || ends
}

/// Likewise.
fn looks_like_badge(text: &str) -> bool {
    let rest = text.as_bytes().get(BADGE_PREFIX.len()..).unwrap_or_default();
    let ends = rest.len() == BADGE_DIGITS
        && text.as_bytes().get(BADGE_PREFIX.len() - 1) == Some(&b'-')
        && rest.iter().all(u8::is_ascii_alphanumeric);
    begins_with(text, BADGE_PREFIX) || ends
}

fn begins_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(generation: u32, order: Order) -> String {
        format!("{}:{}", sealed("4Q7K", generation, order), base32(u128::MAX, SEAL_DIGITS))
    }

    #[test]
    fn every_order_is_spelled_in_its_own_way() {
        let spellings: std::collections::BTreeSet<_> = Order::all().map(Order::spelling).collect();
        assert_eq!(spellings.len(), Order::all().count());
        let words: std::collections::BTreeSet<_> =
            Order::all().map(|order| order.to_string()).collect();
        assert_eq!(words.len(), spellings.len());
        for order in Order::all() {
            assert_eq!(Order::from_spelling(&order.spelling()), Some(order));
        }
    }

    #[test]
    fn what_has_the_form_of_a_code_and_is_none_says_why() {
        let code = printed(1, Order::Undo);
        for (payload, why) in [
            (code.replace("BIS1", "BIS2"), Misprint::Version),
            (code.replace("BIS1", "BIS"), Misprint::Damaged),
            (code.replace(":1:", ":01:"), Misprint::Damaged),
            (code.replace(":1:", ":+1:"), Misprint::Damaged),
            (code.replace(":U:", ":U::"), Misprint::Damaged),
            (code.replace(":U:", ":Q:"), Misprint::Damaged),
            (code.to_lowercase(), Misprint::Damaged),
            (format!(" {code}"), Misprint::Damaged),
            (format!("{code} "), Misprint::Damaged),
            (format!("{code}:"), Misprint::Damaged),
            ("BIS1".to_owned(), Misprint::Damaged),
            ("BIS1:::::".to_owned(), Misprint::Damaged),
        ] {
            assert!(has_form(payload.as_bytes()), "{payload}");
            assert_eq!(Code::read(payload.as_bytes()).unwrap_err(), why, "{payload}");
        }
    }

    #[test]
    fn what_counties_print_has_the_form_of_no_code() {
        for payload in ["2026110000000177", "BISMARCK-7", "BIB7", "urn:epc:id:sgtin:0614141", ""] {
            assert!(!has_form(payload.as_bytes()), "{payload}");
        }
        assert!(has_form(b"bib-7zzz") && has_form_of_badge(b" BIB-7ZZZ"));
        assert!(has_form_of_badge(b"CIB-7ZZZZZZZZZZZZZZZZZZZZZZZZZ"));
    }

    fn orders() -> impl proptest::strategy::Strategy<Value = Order> {
        proptest::sample::select(Order::all().collect::<Vec<_>>())
    }

    proptest::proptest! {
        #[test]
        fn a_code_reads_as_it_was_printed(generation in proptest::num::u32::ANY, order in orders()) {
            let text = printed(generation, order);
            let code = Code::read(text.as_bytes()).unwrap();
            proptest::prop_assert_eq!((code.tag, code.generation, code.order), ("4Q7K", generation, order));
            proptest::prop_assert!(has_form(text.as_bytes()));
            proptest::prop_assert!(text.len() <= 45, "{} is long for a bar code", text);
        }

        #[test]
        fn a_code_with_a_wrong_character_keeps_its_form_and_says_what_it_says(
            order in orders(), at in 0_usize..64, with in proptest::char::range(' ', '~')
        ) {
            let right = printed(7, order);
            let mut wrong: Vec<char> = right.chars().collect();
            let at = at % wrong.len();
            wrong[at] = with;
            let wrong: String = wrong.into_iter().collect();
            proptest::prop_assert!(has_form(wrong.as_bytes()), "{}", wrong);
            if let Ok(code) = Code::read(wrong.as_bytes()) {
                proptest::prop_assert_eq!(format!("{}:{}", code.sealed, code.seal), wrong.clone());
            }
        }

        #[test]
        fn no_bytes_stop_it(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            let _form = has_form(&bytes);
            let read = Code::read(&bytes).map(|code| format!("{}:{}", code.sealed, code.seal));
            proptest::prop_assert!(read.is_err() || read.is_ok_and(|text| text.as_bytes() == bytes));
        }
    }
}
