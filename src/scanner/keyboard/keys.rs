//! The keys that are down, and what one more makes of them.

use super::map::{self, Level, Map, RightAlt, Typed};

// Codes of linux/input-event-codes.h.
const LEFT_CTRL: u16 = 29;
const LEFT_SHIFT: u16 = 42;
const RIGHT_SHIFT: u16 = 54;
const LEFT_ALT: u16 = 56;
const SPACE: u16 = 57;
const CAPS_LOCK: u16 = 58;
const RIGHT_CTRL: u16 = 97;
const RIGHT_ALT: u16 = 100;
const LEFT_META: u16 = 125;
const RIGHT_META: u16 = 126;

const MODIFIERS: [u16; 8] =
    [LEFT_CTRL, LEFT_SHIFT, RIGHT_SHIFT, LEFT_ALT, RIGHT_CTRL, RIGHT_ALT, LEFT_META, RIGHT_META];

/// Longest code that is typed on the keypad with Alt held: a leading zero and three digits.
const ALT_DIGITS_MAX: u8 = 4;

/// What came of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stroke {
    /// Nothing yet, or nothing at all.
    Nothing,
    /// A character.
    Typed(u8),
    /// A character, while a Ctrl key was down that had made another one already: its release may be what is missing.
    Held(u8),
    /// What no scanner means by a character, and the one that its key would be by itself.
    Meaningless(Option<u8>),
    /// What cannot follow what came before, so that something between is missing; and the character of the key by itself.
    Missing(Option<u8>),
}

/// The state of all keys.
#[derive(Debug)]
pub(super) struct Keys {
    map: &'static Map,
    down: Codes,
    /// Those that were down before a silence, or before events were dropped.
    forgotten: Codes,
    caps_lock: Lock,
    /// Caps Lock as it was when all was silent.
    resting_caps_lock: Lock,
    is_ctrl_used: bool,
    alt: Alt,
    /// The accent that waits for a space.
    dead: Option<u8>,
}

/// A key that stays as it is when it is released.
#[derive(Debug, Clone, Copy)]
enum Lock {
    Off,
    On,
}

/// What is being typed on the keypad with Alt held.
#[derive(Debug, Clone, Copy, Default)]
enum Alt {
    /// Alt is up.
    #[default]
    Up,
    /// So many digits, and what they are.
    Code { digits: u8, value: u16 },
    /// Something else was typed.
    Spoiled,
}

impl Keys {
    /// No key is down, Caps Lock is off and Num Lock is on: a scanner types what is right for such a host.
    pub(super) fn new(map: &'static Map) -> Self {
        Self {
            map,
            down: Codes::default(),
            forgotten: Codes::default(),
            caps_lock: Lock::Off,
            resting_caps_lock: Lock::Off,
            is_ctrl_used: false,
            alt: Alt::default(),
            dead: None,
        }
    }

    /// A key went down.
    pub(super) fn press(&mut self, code: u16) -> Stroke {
        let was_down = self.down.has(code);
        self.forgotten.remove(code);
        let is_known = self.down.insert(code);
        let stroke = self.pressed(code);
        if was_down {
            Stroke::Missing(self.by_itself(code))
        } else if is_known {
            stroke
        } else {
            Stroke::Meaningless(None)
        }
    }

    /// A key went up.
    pub(super) fn release(&mut self, code: u16) -> Stroke {
        if self.down.remove(code) {
            return if self.is_alt(code) { self.alt_released() } else { Stroke::Nothing };
        }
        // A modifier that was thought to be up was down for what has been typed since.
        let was_forgotten = self.forgotten.remove(code);
        if was_forgotten && !MODIFIERS.contains(&code) {
            Stroke::Nothing
        } else {
            Stroke::Missing(None)
        }
    }

    /// A key is still down. A scanner presses a key for each character, so this is none.
    pub(super) fn repeat(&self, code: u16) -> Stroke {
        let is_known = self.down.has(code) || self.forgotten.has(code);
        if is_known { Stroke::Nothing } else { Stroke::Missing(None) }
    }

    /// Whether a character has begun and not ended.
    pub(super) fn is_mid_character(&self) -> bool {
        !matches!(self.alt, Alt::Up) || self.dead.is_some()
    }

    /// What is down is no longer known: events were dropped.
    pub(super) fn lose(&mut self) {
        self.forgotten.add_all(&self.down);
        self.down = Codes::default();
        self.alt = Alt::Up;
        self.dead = None;
    }

    /// The scanner is silent. It has let go of every key, whether that was seen or not.
    pub(super) fn rest(&mut self) {
        self.lose();
        self.resting_caps_lock = self.caps_lock;
    }

    /// The scanner is silent after events were dropped: Caps Lock is taken to be as it was, since a scanner that presses it
    /// does so before and after what it types.
    pub(super) fn recover(&mut self) {
        self.lose();
        self.caps_lock = self.resting_caps_lock;
    }

    fn pressed(&mut self, code: u16) -> Stroke {
        match code {
            LEFT_SHIFT | RIGHT_SHIFT => {}
            LEFT_CTRL | RIGHT_CTRL => self.is_ctrl_used = false,
            CAPS_LOCK => {
                self.caps_lock = match self.caps_lock {
                    Lock::Off => Lock::On,
                    Lock::On => Lock::Off,
                };
            }
            _ if self.is_alt(code) => self.alt = Alt::Code { digits: 0, value: 0 },
            RIGHT_ALT => {}
            _ => return self.character(code),
        }
        Stroke::Nothing
    }

    fn character(&mut self, code: u16) -> Stroke {
        let has_ctrl = self.down.has(LEFT_CTRL) || self.down.has(RIGHT_CTRL);
        let has_alt =
            self.down.has(LEFT_ALT) || (self.is_alt(RIGHT_ALT) && self.down.has(RIGHT_ALT));
        let has_meta = self.down.has(LEFT_META) || self.down.has(RIGHT_META);
        let level = match (self.is_shifted(), self.down.has(RIGHT_ALT) && !self.is_alt(RIGHT_ALT)) {
            (false, false) => Some(Level::Plain),
            (true, false) => Some(Level::Shifted),
            (false, true) => Some(Level::Third),
            (true, true) => None,
        };
        let dead = self.dead.take();
        let stroke = match (has_ctrl, has_alt, level) {
            _ if has_meta => None,
            (false, false, Some(Level::Plain)) if dead.is_some() && code == SPACE => {
                dead.map(Stroke::Typed)
            }
            _ if dead.is_some() => None,
            (false, false, Some(level)) => self.at_level(code, level),
            (true, false, Some(level)) => self.control(code, level),
            (false, true, Some(Level::Plain)) => self.alt_digit(code),
            _ => None,
        };
        stroke.unwrap_or_else(|| self.meaningless(code))
    }

    fn at_level(&mut self, code: u16, level: Level) -> Option<Stroke> {
        let level = match self.caps_lock {
            Lock::Off => level,
            Lock::On => self.map.caps_locked(code, level)?,
        };
        match self.map.typed(code, level)? {
            Typed::Byte(byte) => Some(Stroke::Typed(byte)),
            Typed::Dead(accent) => {
                self.dead = Some(accent);
                Some(Stroke::Nothing)
            }
        }
    }

    /// Ctrl with a letter or one of the signs that ASCII has in the same column is a control character: so makers send what
    /// has no key. A sign that needs Shift is sent with it or without. Capitals are nothing: Shift may be what was not
    /// released.
    fn control(&mut self, code: u16, level: Level) -> Option<Stroke> {
        let byte = match self.map.typed(code, level)? {
            Typed::Byte(byte @ (b'a'..=b'z' | b'@' | b'['..=b'_')) => byte,
            Typed::Byte(_) if level == Level::Plain => self.sign_above(code)?,
            _ => return None,
        };
        let byte = byte & 0x1f;
        let is_first = !std::mem::replace(&mut self.is_ctrl_used, true);
        Some(if is_first { Stroke::Typed(byte) } else { Stroke::Held(byte) })
    }

    fn sign_above(&self, code: u16) -> Option<u8> {
        match self.map.typed(code, Level::Shifted)? {
            Typed::Byte(byte @ (b'@' | b'^' | b'_')) => Some(byte),
            _ => None,
        }
    }

    fn alt_digit(&mut self, code: u16) -> Option<Stroke> {
        let digit = map::keypad_digit(code)?;
        let Alt::Code { digits, value } = self.alt else { return None };
        let value = value.checked_mul(10)?.checked_add(u16::from(digit.checked_sub(b'0')?))?;
        self.alt = Alt::Code { digits: digits.checked_add(1)?, value };
        Some(Stroke::Nothing)
    }

    fn alt_released(&mut self) -> Stroke {
        match std::mem::take(&mut self.alt) {
            Alt::Code { digits: 1..=ALT_DIGITS_MAX, value } => {
                u8::try_from(value).map_or(Stroke::Meaningless(None), Stroke::Typed)
            }
            _ => Stroke::Meaningless(None),
        }
    }

    fn meaningless(&mut self, code: u16) -> Stroke {
        if !matches!(self.alt, Alt::Up) {
            self.alt = Alt::Spoiled;
        }
        Stroke::Meaningless(self.by_itself(code))
    }

    fn by_itself(&self, code: u16) -> Option<u8> {
        match self.map.typed(code, Level::Plain)? {
            Typed::Byte(byte) => Some(byte),
            Typed::Dead(_) => None,
        }
    }

    fn is_shifted(&self) -> bool {
        self.down.has(LEFT_SHIFT) || self.down.has(RIGHT_SHIFT)
    }

    fn is_alt(&self, code: u16) -> bool {
        code == LEFT_ALT || (code == RIGHT_ALT && self.map.right_alt == RightAlt::Alt)
    }
}

/// A set of key codes, of which the kernel has less than this many (`KEY_CNT`).
#[derive(Debug, Default)]
struct Codes([u64; 0x300 / 64]);

impl Codes {
    fn has(&self, code: u16) -> bool {
        self.0.get(usize::from(code / 64)).is_some_and(|word| word & bit(code) != 0)
    }

    /// Whether there is such a code.
    fn insert(&mut self, code: u16) -> bool {
        let word = self.0.get_mut(usize::from(code / 64));
        word.map(|word| *word |= bit(code)).is_some()
    }

    /// Whether it was there.
    fn remove(&mut self, code: u16) -> bool {
        let was_there = self.has(code);
        if let Some(word) = self.0.get_mut(usize::from(code / 64)) {
            *word &= !bit(code);
        }
        was_there
    }

    fn add_all(&mut self, other: &Self) {
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }
}

fn bit(code: u16) -> u64 {
    1 << (code % 64)
}
