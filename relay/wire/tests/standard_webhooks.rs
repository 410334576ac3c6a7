//! Signatures are those of an implementation that is not ours.
#![cfg(test)]

use relay_wire::{Secret, Signed, verify};
use standardwebhooks::Webhook;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NOW: i64 = 1_793_300_000;
const MESSAGES: [(&str, &str); 4] = [
    ("0190f8a2-7b64-7c3e-9d53-1f0a5c2e7b11", include_str!("../fixtures/received.json")),
    ("0190f8b0-11aa-7f10-8a6b-3c9d2e4f5a60", include_str!("../fixtures/needs_attention.json")),
    ("msg_p5jXN8AQM9LWM0D4loKWxJek", ""),
    ("a", "{\"text\":\"\u{2713}\\u0000\"}\n"),
];

#[test]
fn ours_are_theirs() {
    let (ours, theirs) = (Secret::parse(SECRET).unwrap(), Webhook::new(SECRET).unwrap());
    for (id, body) in MESSAGES {
        let expected = theirs.sign(id, NOW, body.as_bytes()).unwrap();
        assert_eq!(ours.sign(id, NOW, body.as_bytes()), expected);
    }
}

#[test]
fn theirs_verify_here() {
    let (ours, theirs) = (Secret::parse(SECRET).unwrap(), Webhook::new(SECRET).unwrap());
    for (id, body) in MESSAGES {
        let signature = theirs.sign(id, NOW, body.as_bytes()).unwrap();
        let timestamp = NOW.to_string();
        let signed =
            Signed { id, timestamp: &timestamp, signature: &signature, body: body.as_bytes() };
        assert_eq!(verify(std::slice::from_ref(&ours), &signed, NOW + 3), Ok(()));
    }
}
