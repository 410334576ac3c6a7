//! The layout of Germany: DIN 2137 (T1), as `de` in the X Keyboard Extension's xkeyboard-config and KBDGR.DLL of Windows.

use super::map::{CapsLock, Level, Map, RightAlt, Row};

/// What Windows and X do not agree on with the right Alt key is missing.
pub(super) const DE: Map = Map {
    rows: &[
        Row {
            first: 2,
            plain: b"1234567890\xdf\xb4",
            shifted: b"!\"\xa7$%&/()=?`",
            third: b"\0\xb2\xb3\0\0\0{[]}\\",
        },
        Row {
            first: 16,
            plain: b"qwertzuiop\xfc+",
            shifted: b"QWERTZUIOP\xdc*",
            third: b"@\0\x80\0\0\0\0\0\0\0\0~",
        },
        Row {
            first: 30,
            plain: b"asdfghjkl\xf6\xe4^",
            shifted: b"ASDFGHJKL\xd6\xc4\xb0",
            third: b"",
        },
        Row {
            first: 43,
            plain: b"#yxcvbnm,.-",
            shifted: b"'YXCVBNM;:_",
            third: b"\0\0\0\0\0\0\0\xb5",
        },
        Row { first: 83, plain: b",", shifted: b"", third: b"" },
        Row { first: 86, plain: b"<", shifted: b">", third: b"|" },
    ],
    dead: &[(13, Level::Plain), (13, Level::Shifted), (41, Level::Plain)],
    right_alt: RightAlt::Third,
    caps_lock: CapsLock::LettersAtLeast,
};
