//! What the relay keeps as a witness: a station signed the head of its ledger (`CloudEvents` 1.0, JSON event format).
//!
//! Whoever holds the newest of these can tell when a ledger was cut or rewritten: it must still have that row with that hash. A
//! receiver that keeps none may answer with any 2xx, or refuse it with 422: it is not about a ballot, and holds up none.

use crate::event::{
    DATACONTENTTYPE, ParseError, SPECVERSION, count, encoded, filled, is_rfc3339, member, parties,
    text,
};
use serde::Serialize;
use serde_json::{Map, Value};

/// The type of the event.
pub(crate) const TYPE: &str = "ledger.checkpoint";

/// Hexadecimal digits of a hash.
const HASH_DIGITS: usize = 64;

/// A station signed the head of its ledger. What else a body holds (`type`, `subject`, `source`) follows from these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointEvent {
    /// The event's id, the same at every attempt; also the `webhook-id`.
    pub id: String,
    /// The facility that sends.
    pub facility: String,
    /// Its station.
    pub station: String,
    /// When it was signed, RFC 3339 with an offset.
    pub time: String,
    /// The name under which the station signs: `ballot-intake/<facility>/<station>`. It is the event's subject.
    pub origin: String,
    /// The row of the ledger that is covered, and with it all before.
    pub seq: u64,
    /// The hash of that row, 64 hexadecimal digits.
    pub hash: String,
    /// Origin, row and hash, signed (C2SP signed-note).
    pub note: String,
}

/// The members of a body in their order.
#[derive(Serialize)]
struct Body<'a> {
    specversion: &'a str,
    id: &'a str,
    source: &'a str,
    r#type: &'a str,
    subject: &'a str,
    time: &'a str,
    datacontenttype: &'a str,
    data: Checkpoint<'a>,
}

#[derive(Serialize)]
struct Checkpoint<'a> {
    origin: &'a str,
    seq: u64,
    hash: &'a str,
    note: &'a str,
}

impl CheckpointEvent {
    /// Who sends: `/facility/<id>/station/<id>`.
    pub fn source(&self) -> String {
        format!("/facility/{}/station/{}", encoded(&self.facility), encoded(&self.station))
    }

    /// Whether it is about the ledger of the station that sends.
    pub fn is_of_its_station(&self) -> bool {
        let (facility, station) = (encoded(&self.facility), encoded(&self.station));
        self.origin == format!("ballot-intake/{facility}/{station}")
    }

    /// The body, on one line.
    pub fn to_body(&self) -> String {
        let source = self.source();
        let Self { id, time, origin, seq, hash, note, .. } = self;
        let body = Body {
            specversion: SPECVERSION,
            id,
            source: &source,
            r#type: TYPE,
            subject: origin,
            time,
            datacontenttype: DATACONTENTTYPE,
            data: Checkpoint { origin, seq: *seq, hash, note },
        };
        // Strings and a number in structs always have a JSON form; an empty body would be refused by every receiver.
        serde_json::to_string(&body).unwrap_or_default()
    }

    /// Reads a body. The note's signature is for whoever knows the station's key.
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        let value: Value = serde_json::from_slice(body).map_err(ParseError::Json)?;
        Self::read(value.as_object().ok_or(ParseError::NoObject)?)
    }

    pub(crate) fn read(members: &Map<String, Value>) -> Result<Self, ParseError> {
        let checkpoint = member(members, "data", "data")?
            .as_object()
            .ok_or(ParseError::Type { field: "data", expected: "an object" })?;
        let (facility, station) =
            parties(text(members, "source", "source")?).ok_or(ParseError::Value("source"))?;
        let event = Self {
            id: filled(members, "id", "id")?,
            facility,
            station,
            time: filled(members, "time", "time")?,
            origin: filled(checkpoint, "origin", "data.origin")?,
            seq: count(checkpoint, "seq", "data.seq")?,
            hash: filled(checkpoint, "hash", "data.hash")?,
            note: filled(checkpoint, "note", "data.note")?,
        };
        if !is_rfc3339(&event.time) {
            return Err(ParseError::Value("time"));
        }
        if event.hash.len() != HASH_DIGITS || event.hash.chars().any(|c| !c.is_ascii_hexdigit()) {
            return Err(ParseError::Value("data.hash"));
        }
        for (field, expected) in [
            ("specversion", SPECVERSION),
            ("type", TYPE),
            ("subject", &event.origin),
            ("datacontenttype", DATACONTENTTYPE),
        ] {
            if text(members, field, field)? != expected {
                return Err(ParseError::Value(field));
            }
        }
        Ok(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest as _, Sha256};

    const FIXTURE: &str = include_str!("../fixtures/checkpoint.json");

    fn signed() -> CheckpointEvent {
        CheckpointEvent {
            id: "0190f9d2-6c1e-7b40-8f22-4a5b6c7d8e9f".to_owned(),
            facility: "boulder".to_owned(),
            station: "intake-1".to_owned(),
            time: "2026-10-27T23:00:00.000000Z".to_owned(),
            origin: "ballot-intake/boulder/intake-1".to_owned(),
            seq: 1_234,
            hash: NOTED.1.to_owned(),
            note: NOTED.0.to_owned(),
        }
    }

    /// By the key of the seed 0x07 32 times, over the SHA-256 of `a row`.
    const NOTED: (&str, &str) = (
        "ballot-intake/boulder/intake-1\n1234\nrcN287Yy3jygLhtll9N8gUMUfC9Ch8jQ357PDuO9qfw=\n\n\u{2014} ballot-intake/boulder/intake-1 VczVooAK7VoyWHNXFQBUUGkZKpKAmRbmgmCIwmWgHXzj+MOw9nJbR6ZX2h/YViH4fZ1WMZ7o7HolU78PSR7qc0+eoQ8=\n",
        "adc376f3b632de3ca02e1b6597d37c8143147c2f4287c8d0df9ecf0ee3bda9fc",
    );

    #[test]
    fn an_event_gives_the_bytes_of_its_fixture_and_reads_back() {
        assert_eq!(signed().to_body(), FIXTURE.trim_end());
        assert_eq!(CheckpointEvent::parse(FIXTURE.as_bytes()).unwrap(), signed());
    }

    /// Receivers elsewhere were built against this file. A change of the format is a new fixture, never an edited one.
    #[test]
    fn the_fixture_has_not_changed() {
        let digest: Vec<_> =
            Sha256::digest(FIXTURE.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            digest.concat(),
            "d1055eb8d01d80ce0d9ff98e0e96bde3b98ddb3dc7ece540a3e209940945e7ce"
        );
    }

    #[test]
    fn a_member_that_is_missing_or_wrong_is_named() {
        for (old, new, message) in [
            ("\"data\":", "\"x\":", "data is missing"),
            ("\"note\":", "\"x\":", "data.note is missing"),
            ("\"seq\":1234", "\"seq\":0", "data.seq has a value that it cannot have here"),
            ("\"hash\":\"", "\"hash\":\"0", "data.hash has a value that it cannot have here"),
            ("ledger.checkpoint", "ledger.other", "type has a value that it cannot have here"),
            ("\"subject\":\"b", "\"subject\":\"c", "subject has a value that it cannot have here"),
            ("T23:00", " 23:00", "time has a value that it cannot have here"),
        ] {
            let changed = FIXTURE.replacen(old, new, 1);
            assert_ne!(changed, FIXTURE, "{old}");
            let error = CheckpointEvent::parse(changed.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }
}
