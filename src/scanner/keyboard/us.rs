//! The layout of the United States: ANSI INCITS 154, as `us` in the X Keyboard Extension's xkeyboard-config.

use super::map::{CapsLock, Map, RightAlt, Row};

/// The key between the left Shift and Z is missing: keyboards of this layout do not have it.
pub(super) const US: Map = Map {
    rows: &[
        Row { first: 2, plain: b"1234567890-=", shifted: b"!@#$%^&*()_+", third: b"" },
        Row { first: 16, plain: b"qwertyuiop[]", shifted: b"QWERTYUIOP{}", third: b"" },
        Row { first: 30, plain: b"asdfghjkl;'`", shifted: b"ASDFGHJKL:\"~", third: b"" },
        Row { first: 43, plain: b"\\zxcvbnm,./", shifted: b"|ZXCVBNM<>?", third: b"" },
        Row { first: 83, plain: b".", shifted: b"", third: b"" },
    ],
    dead: &[],
    right_alt: RightAlt::Alt,
    caps_lock: CapsLock::Letters,
};
