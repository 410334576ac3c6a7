//! The layout of France: AZERTY, as `fr(azerty)` in the X Keyboard Extension's xkeyboard-config and KBDFR.DLL of Windows.

use super::map::{CapsLock, Level, Map, RightAlt, Row};

/// The tilde and the grave accent are missing: with the right Alt key they are dead in Windows and not in X.
pub(super) const FR: Map = Map {
    rows: &[
        Row {
            first: 2,
            plain: b"&\xe9\"'(-\xe8_\xe7\xe0)=",
            shifted: b"1234567890\xb0+",
            third: b"\0\0#{[|\0\\^@]}",
        },
        Row {
            first: 16,
            plain: b"azertyuiop^$",
            shifted: b"AZERTYUIOP\xa8\xa3",
            third: b"\0\0\x80\0\0\0\0\0\0\0\0\xa4",
        },
        Row { first: 30, plain: b"qsdfghjklm\xf9\xb2", shifted: b"QSDFGHJKLM%", third: b"" },
        Row { first: 43, plain: b"*wxcvbn,;:!", shifted: b"\xb5WXCVBN?./\xa7", third: b"" },
        Row { first: 83, plain: b".", shifted: b"", third: b"" },
        Row { first: 86, plain: b"<", shifted: b">", third: b"" },
    ],
    dead: &[(26, Level::Plain), (26, Level::Shifted)],
    right_alt: RightAlt::Third,
    caps_lock: CapsLock::LettersAtLeast,
};
