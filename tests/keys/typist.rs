//! A simulated scanner that types on a keyboard of the United States: payloads to input events, in every way that makers document.

use std::time::Duration;

/// `struct input_event`.
pub(crate) const EVENT_BYTES: usize = 2 * size_of::<usize>() + 8;

const EV_SYN: u16 = 0;
const EV_KEY: u16 = 1;
const EV_MSC: u16 = 4;
const EV_LED: u16 = 17;
const SYN_DROPPED: u16 = 3;

const CTRL: u16 = 29;
const SHIFT: u16 = 42;
const ALT: u16 = 56;
const CAPS_LOCK: u16 = 58;

/// The keys of the keypad's digits.
const KEYPAD: [u16; 10] = [82, 79, 80, 81, 75, 76, 77, 71, 72, 73];

/// Each key that types: its code, and what it types without and with Shift.
const KEYS: &[(u16, &[u8])] = &[
    (1, b"\x1b"),
    (2, b"1!"),
    (3, b"2@"),
    (4, b"3#"),
    (5, b"4$"),
    (6, b"5%"),
    (7, b"6^"),
    (8, b"7&"),
    (9, b"8*"),
    (10, b"9("),
    (11, b"0)"),
    (12, b"-_"),
    (13, b"=+"),
    (14, b"\x08"),
    (15, b"\t"),
    (16, b"qQ"),
    (17, b"wW"),
    (18, b"eE"),
    (19, b"rR"),
    (20, b"tT"),
    (21, b"yY"),
    (22, b"uU"),
    (23, b"iI"),
    (24, b"oO"),
    (25, b"pP"),
    (26, b"[{"),
    (27, b"]}"),
    (28, b"\r"),
    (30, b"aA"),
    (31, b"sS"),
    (32, b"dD"),
    (33, b"fF"),
    (34, b"gG"),
    (35, b"hH"),
    (36, b"jJ"),
    (37, b"kK"),
    (38, b"lL"),
    (39, b";:"),
    (40, b"'\""),
    (41, b"`~"),
    (43, b"\\|"),
    (44, b"zZ"),
    (45, b"xX"),
    (46, b"cC"),
    (47, b"vV"),
    (48, b"bB"),
    (49, b"nN"),
    (50, b"mM"),
    (51, b",<"),
    (52, b".>"),
    (53, b"/?"),
    (57, b" "),
    (101, b"\n"),
];

/// The sign above which a control character stands that is no letter's: its code, and whether Shift is needed for it.
const SIGNS: &[(u8, u16, bool)] = &[
    (0, 3, true),
    (27, 26, false),
    (28, 43, false),
    (29, 27, false),
    (30, 7, true),
    (31, 12, true),
];

/// An input event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) kind: u16,
    pub(crate) code: u16,
    pub(crate) value: i32,
}

/// The kernel dropped events.
pub(crate) const DROPPED: Event = Event { kind: EV_SYN, code: SYN_DROPPED, value: 0 };

/// How a character is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// By its key, with Shift where it needs one.
    Key,
    /// By its key while Caps Lock is on.
    CapsLocked,
    /// On the keypad, where it is a digit.
    Keypad,
    /// By its code with Alt held: three digits.
    Alt,
    /// The same, four digits.
    LongAlt,
    /// A control character by Ctrl and a sign.
    Ctrl,
    /// The same, without the Shift that the sign needs.
    BareCtrl,
}

pub(crate) const WAYS: [Way; 7] =
    [Way::Key, Way::CapsLocked, Way::Keypad, Way::Alt, Way::LongAlt, Way::Ctrl, Way::BareCtrl];

impl Event {
    pub(crate) fn key(code: u16, value: i32) -> Self {
        Self { kind: EV_KEY, code, value }
    }

    pub(crate) fn is_key(self) -> bool {
        self.kind == EV_KEY
    }

    /// What is of no meaning for the payload, chosen by a number.
    pub(crate) fn extra(choice: u8) -> Self {
        let (kind, code, value) = match choice % 5 {
            0 => (EV_MSC, 4, 0x0007_001e),
            1 => (EV_LED, 1, 1),
            2 => (EV_LED, 0, 0),
            3 => (EV_SYN, 1, 0),
            _ => (EV_SYN, 0, 0),
        };
        Self { kind, code, value }
    }

    pub(crate) fn bytes(self, stamp: Duration) -> Vec<u8> {
        let mut bytes = usize::try_from(stamp.as_secs()).unwrap().to_ne_bytes().to_vec();
        bytes.extend(usize::try_from(stamp.subsec_micros()).unwrap().to_ne_bytes());
        bytes.extend(self.kind.to_ne_bytes());
        bytes.extend(self.code.to_ne_bytes());
        bytes.extend(self.value.to_ne_bytes());
        bytes
    }
}

/// What a scanner sends for characters, each typed in its way; where that way has nothing for it, as Alt and its code.
pub(crate) fn typed(characters: &[(u8, Way)]) -> Vec<Event> {
    characters.iter().flat_map(|(byte, way)| character(*byte, *way)).collect()
}

/// A payload as most scanners send it, with Enter.
pub(crate) fn scan(payload: &[u8]) -> Vec<Event> {
    let characters: Vec<_> = payload.iter().map(|byte| (*byte, Way::Key)).collect();
    [typed(&characters), tap(28)].concat()
}

fn character(byte: u8, way: Way) -> Vec<Event> {
    let typed = match way {
        Way::Key => key(byte),
        Way::CapsLocked => caps_locked(byte),
        Way::Keypad => keypad(byte),
        Way::Alt => None,
        Way::LongAlt => Some(alt(&format!("{byte:04}"))),
        Way::Ctrl | Way::BareCtrl => ctrl(byte, way),
    };
    typed.unwrap_or_else(|| alt(&format!("{byte:03}")))
}

/// One key pressed and released, with the ends of the reports.
pub(crate) fn tap(code: u16) -> Vec<Event> {
    vec![
        Event { kind: EV_MSC, code: 4, value: 0x0007_0000 },
        Event::key(code, 1),
        Event { kind: EV_SYN, code: 0, value: 0 },
        Event::key(code, 0),
        Event { kind: EV_SYN, code: 0, value: 0 },
    ]
}

pub(crate) fn with(modifier: u16, taps: Vec<Event>) -> Vec<Event> {
    [vec![Event::key(modifier, 1)], taps, vec![Event::key(modifier, 0)]].concat()
}

/// A code on the keypad while Alt is held.
pub(crate) fn alt(digits: &str) -> Vec<Event> {
    let taps = digits.bytes().flat_map(|digit| tap(KEYPAD[usize::from(digit - b'0')]));
    with(ALT, taps.collect())
}

fn key(byte: u8) -> Option<Vec<Event>> {
    let (code, characters) = KEYS.iter().find(|(_, characters)| characters.contains(&byte))?;
    Some(if characters[0] == byte { tap(*code) } else { with(SHIFT, tap(*code)) })
}

fn caps_locked(byte: u8) -> Option<Vec<Event>> {
    let swapped = if byte.is_ascii_alphabetic() { byte ^ 0x20 } else { byte };
    Some([tap(CAPS_LOCK), key(swapped)?, tap(CAPS_LOCK)].concat())
}

fn keypad(byte: u8) -> Option<Vec<Event>> {
    let code = match byte {
        b'0'..=b'9' => KEYPAD[usize::from(byte - b'0')],
        b'*' => 55,
        b'-' => 74,
        b'+' => 78,
        b'.' => 83,
        b'\r' => 96,
        b'/' => 98,
        _ => return None,
    };
    Some(tap(code))
}

fn ctrl(byte: u8, way: Way) -> Option<Vec<Event>> {
    if (1..=26).contains(&byte) {
        return Some(with(CTRL, tap_of(byte | 0x60)));
    }
    let (_, code, needs_shift) = SIGNS.iter().find(|(control, ..)| *control == byte)?;
    let taps = if *needs_shift && way == Way::Ctrl { with(SHIFT, tap(*code)) } else { tap(*code) };
    Some(with(CTRL, taps))
}

fn tap_of(byte: u8) -> Vec<Event> {
    let (code, _) = KEYS.iter().find(|(_, characters)| characters[0] == byte).unwrap();
    tap(*code)
}
