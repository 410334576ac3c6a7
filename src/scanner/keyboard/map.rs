//! What the keys of a layout type.

/// A layout as data: one file of them for each.
#[derive(Debug)]
pub(super) struct Map {
    /// The keys that differ from layout to layout.
    pub(super) rows: &'static [Row],
    /// The keys that wait for the next one, and with which level: an accent, typed by itself before a space.
    pub(super) dead: &'static [(u16, Level)],
    /// Whether the right Alt key chooses the third level; otherwise it is an Alt key like the left one.
    pub(super) right_alt: RightAlt,
    /// Which keys Caps Lock is for.
    pub(super) caps_lock: CapsLock,
}

/// Keys whose codes follow each other, and the bytes they type in Windows code page 1252; 0 for none.
#[derive(Debug)]
pub(super) struct Row {
    /// The first key's code (linux/input-event-codes.h), which names the place of the key and not its print.
    pub(super) first: u16,
    /// Without a modifier.
    pub(super) plain: &'static [u8],
    /// With Shift.
    pub(super) shifted: &'static [u8],
    /// With the right Alt key, where that chooses the third level.
    pub(super) third: &'static [u8],
}

/// Which of its characters a key types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Plain,
    Shifted,
    Third,
}

/// What the right Alt key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RightAlt {
    /// The same as the left one.
    Alt,
    /// The third level.
    Third,
}

/// Which keys Caps Lock is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CapsLock {
    /// For letters.
    Letters,
    /// For letters, and for other keys on one system and not on another: of those nothing is known while it is on.
    LettersAtLeast,
}

/// What a key types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typed {
    /// A character.
    Byte(u8),
    /// An accent that waits for the next key.
    Dead(u8),
}

/// The keys that are the same on every layout. Backspace and Escape are what makers send for those control characters; the
/// keypad is one with Num Lock on, and its keys type nothing else than what is printed on them.
const COMMON: &[Row] = &[
    Row { first: 1, plain: b"\x1b", shifted: b"", third: b"" },
    Row { first: 14, plain: b"\x08\t", shifted: b"", third: b"" },
    Row { first: 28, plain: b"\r", shifted: b"", third: b"" },
    Row { first: 55, plain: b"*", shifted: b"", third: b"" },
    Row { first: 57, plain: b" ", shifted: b" ", third: b"" },
    Row { first: KEYPAD_FIRST, plain: KEYPAD, shifted: b"", third: b"" },
    Row { first: 96, plain: b"\r", shifted: b"", third: b"" },
    Row { first: 98, plain: b"/", shifted: b"", third: b"" },
    Row { first: 101, plain: b"\n", shifted: b"", third: b"" },
];

/// The keypad from its 7 to its 0.
const KEYPAD: &[u8] = b"789-456+1230";
const KEYPAD_FIRST: u16 = 71;

impl Map {
    /// What a key types; nothing where the layout does not say.
    pub(super) fn typed(&self, code: u16, level: Level) -> Option<Typed> {
        let byte = find(COMMON, code, level).or_else(|| find(self.rows, code, level))?;
        let is_dead = self.dead.contains(&(code, level));
        Some(if is_dead { Typed::Dead(byte) } else { Typed::Byte(byte) })
    }

    /// The level of a key while Caps Lock is on; nothing where systems differ.
    pub(super) fn caps_locked(&self, code: u16, level: Level) -> Option<Level> {
        let (plain, shifted) =
            (find(self.rows, code, Level::Plain), find(self.rows, code, Level::Shifted));
        let is_letter = plain.zip(shifted).is_some_and(|(plain, shifted)| is_pair(plain, shifted));
        match level {
            Level::Plain if is_letter => Some(Level::Shifted),
            Level::Shifted if is_letter => Some(Level::Plain),
            _ if self.caps_lock == CapsLock::Letters || plain.is_none() => Some(level),
            _ => None,
        }
    }
}

/// The digit on a key of the keypad.
pub(super) fn keypad_digit(code: u16) -> Option<u8> {
    let row = Row { first: KEYPAD_FIRST, plain: KEYPAD, shifted: b"", third: b"" };
    row.byte(code, Level::Plain).filter(u8::is_ascii_digit)
}

impl Row {
    fn byte(&self, code: u16, level: Level) -> Option<u8> {
        let bytes = match level {
            Level::Plain => self.plain,
            Level::Shifted => self.shifted,
            Level::Third => self.third,
        };
        let place = usize::from(code.checked_sub(self.first)?);
        bytes.get(place).copied().filter(|byte| *byte != 0)
    }
}

fn find(rows: &[Row], code: u16, level: Level) -> Option<u8> {
    rows.iter().find_map(|row| row.byte(code, level))
}

/// Whether two bytes of code page 1252 are the small and the capital of one letter.
fn is_pair(small: u8, capital: u8) -> bool {
    let is_small = small.is_ascii_lowercase() || (small >= 0xe0 && small != 0xf7);
    is_small && small.checked_sub(0x20) == Some(capital)
}
