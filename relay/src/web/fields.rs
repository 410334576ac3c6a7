//! Forms and queries as URLs have them.

use super::refusal::Refusal;

/// Fields of a form or a query.
const FIELDS_MAX: usize = 64;

/// Names with their values.
pub(super) type Fields = Vec<(String, String)>;

/// The fields of a form or a query.
pub(super) fn read(text: &str) -> Result<Fields, Refusal> {
    let pairs: Vec<_> = text.split('&').filter(|pair| !pair.is_empty()).collect();
    if pairs.len() > FIELDS_MAX {
        return Err(Refusal::Malformed("too many fields"));
    }
    let decoded = pairs.into_iter().map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decoded(name)?, decoded(value)?))
    });
    decoded.collect::<Option<_>>().ok_or(Refusal::Malformed("a field is not as URLs have it"))
}

/// A text as part of a path or a query.
pub fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut plain = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    // No database keeps a NUL.
    String::from_utf8(plain).ok().filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_as_urls_have_them() {
        let pairs = |list: &[(&str, &str)]| -> Result<Fields, Refusal> {
            Ok(list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect())
        };
        assert_eq!(
            read("a=1&b=x+y%20z&c&=&a=%C3%A9"),
            pairs(&[("a", "1"), ("b", "x y z"), ("c", ""), ("", ""), ("a", "\u{e9}")])
        );
        assert_eq!(
            read(&format!("a={}", encoded("x/?&=%+ \u{e9}"))),
            pairs(&[("a", "x/?&=%+ \u{e9}")])
        );
        for wrong in ["a=%", "a=%4", "a=%zz", "a=%ff", "a=x%00", &"a&".repeat(65)] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
