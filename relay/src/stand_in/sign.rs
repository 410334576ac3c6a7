//! `X-Twilio-Signature`: HMAC-SHA1, keyed by the account's token, over the address and each field with its value in the fields'
//! order; base64. Written apart from what checks it, so that one mistake is not made twice.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

/// The header.
pub(super) const HEADER: &str = "x-twilio-signature";

/// The signature of a form that is posted there.
pub(super) fn signature(token: &str, url: &str, fields: &[(String, String)]) -> String {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(token.as_bytes()) else { return String::new() };
    mac.update(url.as_bytes());
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort();
    for (name, value) in sorted {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_example_gives_its_signature() {
        let fields = [
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+14158675309"),
            ("Digits", "1234"),
            ("From", "+14158675309"),
            ("To", "+18005551212"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        assert_eq!(signature("12345", url, &fields), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
    }
}
