//! Signatures as Standard Webhooks 1.0.0 has them: HMAC-SHA256 over `<id>.<timestamp>.<body>`, version `v1`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::fmt;

/// Names the event, the same at every attempt.
pub const HEADER_ID: &str = "webhook-id";
/// When this attempt was signed, in seconds since 1970.
pub const HEADER_TIMESTAMP: &str = "webhook-timestamp";
/// The signatures, with a space between them.
pub const HEADER_SIGNATURE: &str = "webhook-signature";

/// How far a timestamp may be from now, either way: what the standard's own libraries allow.
pub const TIMESTAMP_TOLERANCE_SECONDS: i64 = 5 * 60;
/// How many signatures of one header are looked at: a rotation needs two.
pub const SIGNATURES_MAX: usize = 16;

const SECRET_PREFIX: &str = "whsec_";
const SECRET_BYTES_MIN: usize = 24;
const SECRET_BYTES_MAX: usize = 64;
const VERSION_PREFIX: &str = "v1,";

/// A key that station and relay share. Its `Debug` hides it.
#[derive(Clone)]
pub struct Secret(Hmac<Sha256>);

/// Why a text is no secret. It never says what the text was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It does not begin with `whsec_`.
    #[error("the secret does not begin with {SECRET_PREFIX}")]
    Prefix,
    /// What follows is not base64 (RFC 4648, section 4, with padding).
    #[error("what follows {SECRET_PREFIX} is not base64")]
    Base64,
    /// The key is too short to be safe, or longer than any should be.
    #[error("the secret has {0} bytes, outside {SECRET_BYTES_MIN}..={SECRET_BYTES_MAX}")]
    Length(usize),
}

/// What came with a body.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// [`HEADER_ID`].
    pub id: &'a str,
    /// [`HEADER_TIMESTAMP`].
    pub timestamp: &'a str,
    /// [`HEADER_SIGNATURE`].
    pub signature: &'a str,
    /// The body, as it came.
    pub body: &'a [u8],
}

/// Why a body is not taken for its sender's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The timestamp is no number.
    #[error("the timestamp is no number of seconds")]
    Timestamp,
    /// The attempt was signed too long ago: somebody may be playing it again.
    #[error("the timestamp is more than {TIMESTAMP_TOLERANCE_SECONDS} s old")]
    TooOld,
    /// The attempt claims to be signed in the future: one of the clocks is wrong.
    #[error("the timestamp is more than {TIMESTAMP_TOLERANCE_SECONDS} s ahead")]
    TooNew,
    /// None of the signatures is right for any of the secrets.
    #[error("no signature fits")]
    Signature,
}

impl Secret {
    /// Takes `whsec_` and the base64 of 24 to 64 bytes, as the standard writes it. White space around it is ignored: it comes
    /// from a file, whose last line has an end.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let encoded = text.trim().strip_prefix(SECRET_PREFIX).ok_or(SecretError::Prefix)?;
        // The decoder's error would show a byte of the secret.
        let Ok(key) = STANDARD.decode(encoded) else { return Err(SecretError::Base64) };
        if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&key.len()) {
            return Err(SecretError::Length(key.len()));
        }
        let Ok(keyed) = Hmac::new_from_slice(&key) else {
            return Err(SecretError::Length(key.len()));
        };
        Ok(Self(keyed))
    }

    /// Signs an attempt at `timestamp_seconds` since 1970: `v1,<base64>`.
    pub fn sign(&self, id: &str, timestamp_seconds: i64, body: &[u8]) -> String {
        let mac = self.mac(id, &timestamp_seconds.to_string(), body).finalize();
        format!("{VERSION_PREFIX}{}", STANDARD.encode(mac.into_bytes()))
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        mac
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Whether one of the signatures is right for one of the secrets, and the timestamp is near `now_seconds` since 1970. Several
/// of either are a rotation. Signatures of another version are passed over, as the standard asks.
pub fn verify(
    secrets: &[Secret],
    signed: &Signed<'_>,
    now_seconds: i64,
) -> Result<(), VerifyError> {
    let Ok(timestamp) = signed.timestamp.parse::<i64>() else { return Err(VerifyError::Timestamp) };
    if timestamp < now_seconds.saturating_sub(TIMESTAMP_TOLERANCE_SECONDS) {
        return Err(VerifyError::TooOld);
    }
    if timestamp > now_seconds.saturating_add(TIMESTAMP_TOLERANCE_SECONDS) {
        return Err(VerifyError::TooNew);
    }
    let fits = signed
        .signature
        .split(' ')
        .take(SIGNATURES_MAX)
        .filter_map(|signature| STANDARD.decode(signature.strip_prefix(VERSION_PREFIX)?).ok())
        .any(|tag| {
            secrets.iter().any(|secret| {
                // What was signed is the header's own text. The comparison takes the same time wherever it fails.
                let mac = secret.mac(signed.id, signed.timestamp, signed.body);
                mac.verify_slice(&tag).is_ok()
            })
        });
    if fits { Ok(()) } else { Err(VerifyError::Signature) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// The example of the standard's own test suites.
    fn vector() -> Value {
        serde_json::from_str(include_str!("../fixtures/signing.json")).unwrap()
    }

    fn secret() -> Secret {
        Secret::parse(vector()["secret"].as_str().unwrap()).unwrap()
    }

    fn other_secret() -> Secret {
        Secret::parse(&format!("whsec_{}", STANDARD.encode([7; 32]))).unwrap()
    }

    const NOW: i64 = 1_614_265_330;
    const BODY: &[u8] = b"{\"test\": 2432232314}";

    #[track_caller]
    fn check(signature: &str, timestamp: &str, now: i64, expected: Result<(), VerifyError>) {
        let signed = Signed { id: "msg_1", timestamp, signature, body: BODY };
        assert_eq!(verify(&[other_secret(), secret()], &signed, now), expected);
    }

    #[test]
    fn the_standards_example_gives_its_signature() {
        let vector = vector();
        let text = |key: &str| vector[key].as_str().unwrap();
        let timestamp = vector["timestamp"].as_i64().unwrap();
        let signature = secret().sign(text("id"), timestamp, text("body").as_bytes());
        assert_eq!(signature, text("signature"));
    }

    #[test]
    fn what_was_signed_verifies() {
        check(&secret().sign("msg_1", NOW, BODY), &NOW.to_string(), NOW, Ok(()));
    }

    #[test]
    fn a_rotation_has_several_signatures() {
        let right = secret().sign("msg_1", NOW, BODY);
        let stale = Secret::parse(&format!("whsec_{}", STANDARD.encode([9; 24]))).unwrap();
        let list = format!("{} v1a,bm90IG91cnM= {right}", stale.sign("msg_1", NOW, BODY));
        check(&list, &NOW.to_string(), NOW, Ok(()));
        let flood = format!("{}{right}", "v1,AAAA ".repeat(SIGNATURES_MAX));
        check(&flood, &NOW.to_string(), NOW, Err(VerifyError::Signature));
    }

    #[test]
    fn a_timestamp_is_at_most_five_minutes_off() {
        for (now, expected) in [
            (NOW + 300, Ok(())),
            (NOW + 301, Err(VerifyError::TooOld)),
            (NOW - 300, Ok(())),
            (NOW - 301, Err(VerifyError::TooNew)),
        ] {
            check(&secret().sign("msg_1", NOW, BODY), &NOW.to_string(), now, expected);
        }
        for timestamp in ["", "soon", "1614265330.0", "99999999999999999999"] {
            check("v1,AAAA", timestamp, NOW, Err(VerifyError::Timestamp));
        }
    }

    #[test]
    fn what_is_not_the_senders_does_not_verify() {
        let now = NOW.to_string();
        let right = secret().sign("msg_1", NOW, BODY);
        for signature in [
            String::new(),
            "v1,".to_owned(),
            right.replace("v1,", "v2,"),
            right.get(..right.len() - 4).unwrap().to_owned(),
            secret().sign("msg_2", NOW, BODY),
            secret().sign("msg_1", NOW + 1, BODY),
            secret().sign("msg_1", NOW, b"{}"),
        ] {
            check(&signature, &now, NOW, Err(VerifyError::Signature));
        }
        let signed = Signed { id: "msg_1", timestamp: &now, signature: &right, body: BODY };
        assert_eq!(verify(&[], &signed, NOW), Err(VerifyError::Signature));
        assert_eq!(verify(&[other_secret()], &signed, NOW), Err(VerifyError::Signature));
    }

    #[test]
    fn a_secret_is_24_to_64_bytes_of_base64() {
        let of = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![1; bytes]));
        for (text, expected) in [
            (of(24), None),
            (format!("{}\n", of(64)), None),
            (of(23), Some(SecretError::Length(23))),
            (of(65), Some(SecretError::Length(65))),
            ("hunter2".to_owned(), Some(SecretError::Prefix)),
            ("whsec_not base64".to_owned(), Some(SecretError::Base64)),
        ] {
            assert_eq!(Secret::parse(&text).err(), expected, "{text}");
        }
    }

    #[test]
    fn a_secret_is_in_no_debug_text() {
        assert_eq!(format!("{:?}", secret()), "Secret(..)");
    }
}
