//! What voters are told of: the status of a ballot changed (`CloudEvents` 1.0, JSON event format).
//!
//! A body is byte-stable: the same event gives the same bytes, members in the order of the type below. Receivers ignore members
//! that they do not know; a member that is missing or has the wrong type is refused by its name.

use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt;

/// The media type of a body (`CloudEvents` 1.0, JSON event format, section 3).
pub const CONTENT_TYPE: &str = "application/cloudevents+json";

pub(crate) const SPECVERSION: &str = "1.0";
pub(crate) const DATACONTENTTYPE: &str = "application/json";

macro_rules! names {
    ($(#[$type_doc:meta])* $type:ident { $($(#[$doc:meta])* $name:ident = $text:literal,)* }) => {
        $(#[$type_doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $type {
            $($(#[$doc])* $name,)*
        }

        impl $type {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name in a body.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The one of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

names! {
    /// Where a ballot stands.
    Status {
        /// The voter was given a ballot; it is not known to have left.
        Issued = "issued",
        /// It was mailed to the voter.
        Mailed = "mailed",
        /// Its envelope is in the building. Nothing is said of its signature, nor of counting.
        Received = "received",
        /// The envelope passed the signature review.
        Accepted = "accepted",
        /// The voter must do something; the event's `reason` says what.
        NeedsAttention = "needs_attention",
        /// It will not be counted.
        Rejected = "rejected",
        /// The Postal Service could not deliver it to the voter.
        Undeliverable = "undeliverable",
        /// It no longer counts.
        Voided = "voided",
    }
}

names! {
    /// How the station learned of the change.
    Method {
        /// A scanner that decodes by itself.
        Scanner = "scanner",
        /// A picture, from a camera or a folder.
        Camera = "camera",
        /// Typed at the station.
        Manual = "manual",
        /// The county's mail ballot file.
        Import = "import",
        /// A supervisor set it.
        Supervisor = "supervisor",
    }
}

/// The status of a ballot changed. What else a body holds (`type`, `subject`, `source`) follows from these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeEvent {
    /// The event's id, the same at every attempt; also the `webhook-id`.
    pub id: String,
    /// The facility that sends.
    pub facility: String,
    /// Its station.
    pub station: String,
    /// When it happened, RFC 3339 with an offset.
    pub time: String,
    /// The election.
    pub election: String,
    /// The ballot, unique within its election.
    pub ballot: String,
    /// The voter, as the county numbers them.
    pub voter: String,
    /// Where the ballot stands now.
    pub status: Status,
    /// Where it stood before.
    pub previous: Status,
    /// Why, where the status has a reason.
    pub reason: Option<String>,
    /// Counts what is sent of this ballot: from 1 without a gap.
    pub sequence: u64,
    /// How the station learned of it.
    pub method: Method,
    /// The id of the sent event that this one corrects.
    pub corrects: Option<String>,
}

/// Why a body is no event.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Not JSON.
    #[error("the body is not JSON")]
    Json(#[source] serde_json::Error),
    /// JSON, but no object.
    #[error("the body is no JSON object")]
    NoObject,
    /// A member that every event has is not there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A member has the wrong type.
    #[error("{field} is not {expected}")]
    Type {
        /// The member.
        field: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
    /// A member says what it cannot say, or not what the others say.
    #[error("{0} has a value that it cannot have here")]
    Value(&'static str),
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
    #[serde(rename = "data")]
    change: Change<'a>,
}

#[derive(Serialize)]
struct Change<'a> {
    election: &'a str,
    ballot: &'a str,
    voter: &'a str,
    status: &'a str,
    previous: &'a str,
    reason: Option<&'a str>,
    sequence: u64,
    method: &'a str,
    corrects: Option<&'a str>,
}

impl ChangeEvent {
    /// The event's type: `ballot.<status>`.
    pub fn event_type(&self) -> String {
        format!("ballot.{}", self.status)
    }

    /// What it is about: `<election>/<ballot>`.
    pub fn subject(&self) -> String {
        format!("{}/{}", self.election, self.ballot)
    }

    /// Who sends: `/facility/<id>/station/<id>`, a URI reference, so that ids are percent-encoded (RFC 3986, section 2.1).
    pub fn source(&self) -> String {
        format!("/facility/{}/station/{}", encoded(&self.facility), encoded(&self.station))
    }

    /// The body, on one line.
    pub fn to_body(&self) -> String {
        let (source, event_type, subject) = (self.source(), self.event_type(), self.subject());
        let body = Body {
            specversion: SPECVERSION,
            id: &self.id,
            source: &source,
            r#type: &event_type,
            subject: &subject,
            time: &self.time,
            datacontenttype: DATACONTENTTYPE,
            change: Change {
                election: &self.election,
                ballot: &self.ballot,
                voter: &self.voter,
                status: self.status.name(),
                previous: self.previous.name(),
                reason: self.reason.as_deref(),
                sequence: self.sequence,
                method: self.method.name(),
                corrects: self.corrects.as_deref(),
            },
        };
        // Strings and a number in structs always have a JSON form; an empty body would be refused by every receiver.
        serde_json::to_string(&body).unwrap_or_default()
    }

    /// Reads a body.
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        let value: Value = serde_json::from_slice(body).map_err(ParseError::Json)?;
        let members = value.as_object().ok_or(ParseError::NoObject)?;
        let change = member(members, "data", "data")?
            .as_object()
            .ok_or(ParseError::Type { field: "data", expected: "an object" })?;
        let (facility, station) =
            parties(text(members, "source", "source")?).ok_or(ParseError::Value("source"))?;
        let event = Self {
            id: filled(members, "id", "id")?,
            facility,
            station,
            time: filled(members, "time", "time")?,
            election: filled(change, "election", "data.election")?,
            ballot: filled(change, "ballot", "data.ballot")?,
            voter: filled(change, "voter", "data.voter")?,
            status: named(change, "status", "data.status", Status::from_name)?,
            previous: named(change, "previous", "data.previous", Status::from_name)?,
            reason: optional(change, "reason", "data.reason")?,
            sequence: count(change, "sequence", "data.sequence")?,
            method: named(change, "method", "data.method", Method::from_name)?,
            corrects: optional(change, "corrects", "data.corrects")?,
        };
        if !is_rfc3339(&event.time) {
            return Err(ParseError::Value("time"));
        }
        event.agrees_with(members)?;
        Ok(event)
    }

    /// The members that follow from others must say the same.
    fn agrees_with(&self, members: &Map<String, Value>) -> Result<(), ParseError> {
        for (field, expected) in [
            ("specversion", SPECVERSION),
            ("type", &self.event_type()),
            ("subject", &self.subject()),
            ("datacontenttype", DATACONTENTTYPE),
        ] {
            if text(members, field, field)? != expected {
                return Err(ParseError::Value(field));
            }
        }
        Ok(())
    }
}

/// Percent-encodes all that is not unreserved, so that a slash in an id stays in its place.
pub(crate) fn encoded(id: &str) -> String {
    id.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
            bytes.push(high << 4 | low);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok().filter(|id| !id.is_empty() && !id.contains('\0'))
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// The facility and the station of a source.
pub(crate) fn parties(source: &str) -> Option<(String, String)> {
    let (facility, station) = source.strip_prefix("/facility/")?.split_once("/station/")?;
    if facility.contains('/') || station.contains('/') {
        return None;
    }
    Some((decoded(facility)?, decoded(station)?))
}

pub(crate) fn member<'a>(
    members: &'a Map<String, Value>,
    key: &str,
    field: &'static str,
) -> Result<&'a Value, ParseError> {
    members.get(key).ok_or(ParseError::Missing(field))
}

pub(crate) fn text<'a>(
    members: &'a Map<String, Value>,
    key: &str,
    field: &'static str,
) -> Result<&'a str, ParseError> {
    let text = member(members, key, field)?.as_str();
    let text = text.ok_or(ParseError::Type { field, expected: "a string" })?;
    // No database keeps a NUL.
    if text.contains('\0') { Err(ParseError::Value(field)) } else { Ok(text) }
}

pub(crate) fn filled(
    members: &Map<String, Value>,
    key: &str,
    field: &'static str,
) -> Result<String, ParseError> {
    match text(members, key, field)? {
        "" => Err(ParseError::Value(field)),
        text => Ok(text.to_owned()),
    }
}

fn named<T>(
    members: &Map<String, Value>,
    key: &str,
    field: &'static str,
    from_name: impl Fn(&str) -> Option<T>,
) -> Result<T, ParseError> {
    from_name(text(members, key, field)?).ok_or(ParseError::Value(field))
}

/// A string or null; null is written, never left out.
fn optional(
    members: &Map<String, Value>,
    key: &str,
    field: &'static str,
) -> Result<Option<String>, ParseError> {
    match member(members, key, field)? {
        Value::Null => Ok(None),
        Value::String(text) if text.contains('\0') => Err(ParseError::Value(field)),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(ParseError::Type { field, expected: "a string or null" }),
    }
}

pub(crate) fn count(
    members: &Map<String, Value>,
    key: &str,
    field: &'static str,
) -> Result<u64, ParseError> {
    match member(members, key, field)?.as_u64() {
        Some(0) => Err(ParseError::Value(field)),
        Some(count) => Ok(count),
        None => Err(ParseError::Type { field, expected: "a whole number" }),
    }
}

/// Whether the text has the form of RFC 3339, section 5.6; whether there is such a day is not asked.
pub(crate) fn is_rfc3339(text: &str) -> bool {
    let (Some(date_time), Some(rest)) = (text.get(..19), text.get(19..)) else { return false };
    let fits = |text: &str, form: &str| {
        text.len() == form.len()
            && text.bytes().zip(form.bytes()).all(|(byte, form)| match form {
                b'9' => byte.is_ascii_digit(),
                other => byte.eq_ignore_ascii_case(&other),
            })
    };
    let offset = match rest.strip_prefix('.') {
        None => rest,
        Some(fraction) => {
            let offset = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if offset.len() == fraction.len() {
                return false;
            }
            offset
        }
    };
    fits(date_time, "9999-99-99T99:99:99")
        && ["Z", "+99:99", "-99:99"].into_iter().any(|form| fits(offset, form))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest as _, Sha256};

    fn received() -> ChangeEvent {
        ChangeEvent {
            id: "0190f8a2-7b64-7c3e-9d53-1f0a5c2e7b11".to_owned(),
            facility: "boulder".to_owned(),
            station: "intake-1".to_owned(),
            time: "2026-10-27T15:04:05.123456Z".to_owned(),
            election: "202611".to_owned(),
            ballot: "000000001".to_owned(),
            voter: "601234567".to_owned(),
            status: Status::Received,
            previous: Status::Mailed,
            reason: None,
            sequence: 1,
            method: Method::Scanner,
            corrects: None,
        }
    }

    fn needs_attention() -> ChangeEvent {
        ChangeEvent {
            id: "0190f8b0-11aa-7f10-8a6b-3c9d2e4f5a60".to_owned(),
            status: Status::NeedsAttention,
            previous: Status::Received,
            reason: Some("no signature; \"sign\" & return \u{2713}".to_owned()),
            sequence: 2,
            method: Method::Camera,
            ..received()
        }
    }

    fn corrected() -> ChangeEvent {
        ChangeEvent {
            id: "0190f8c4-52d0-7a91-b3e7-6d8f9a0b1c22".to_owned(),
            facility: "clerk/annex".to_owned(),
            status: Status::Mailed,
            previous: Status::Received,
            reason: Some("wrong envelope".to_owned()),
            sequence: 2,
            method: Method::Supervisor,
            corrects: Some(received().id),
            ..received()
        }
    }

    fn golden() -> [(&'static str, ChangeEvent); 3] {
        [
            (include_str!("../fixtures/received.json"), received()),
            (include_str!("../fixtures/needs_attention.json"), needs_attention()),
            (include_str!("../fixtures/corrected.json"), corrected()),
        ]
    }

    #[test]
    fn an_event_gives_the_bytes_of_its_fixture() {
        for (fixture, event) in golden() {
            assert_eq!(event.to_body(), fixture.trim_end());
        }
    }

    #[test]
    fn a_fixture_reads_back_as_its_event() {
        for (fixture, event) in golden() {
            assert_eq!(ChangeEvent::parse(fixture.as_bytes()).unwrap(), event);
        }
    }

    /// Receivers elsewhere were built against these files. A change of the format is a new fixture, never an edited one.
    #[test]
    fn the_fixtures_have_not_changed() {
        let all = golden().map(|(fixture, _)| fixture).concat()
            + include_str!("../fixtures/signing.json");
        let digest: Vec<_> =
            Sha256::digest(all.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            digest.concat(),
            "64d5a029c13ea47976ac7190433ab7fe9976ce9879240e8f30da36505b8cf231"
        );
    }

    #[test]
    fn every_status_and_method_travels() {
        for status in Status::ALL {
            for method in Method::ALL {
                let event = ChangeEvent { status: *status, method: *method, ..received() };
                assert_eq!(ChangeEvent::parse(event.to_body().as_bytes()).unwrap(), event);
            }
        }
        assert_eq!((Status::ALL.len(), Method::ALL.len()), (8, 5));
    }

    #[test]
    fn unknown_members_are_ignored() {
        let body = received().to_body();
        let more = body.replacen('{', r#"{"traceparent":"00-1","#, 1);
        let more = more.replace(r#""data":{"#, r#""data":{"tray":[7],"#);
        assert_ne!(more, body);
        assert_eq!(ChangeEvent::parse(more.as_bytes()).unwrap(), received());
    }

    #[track_caller]
    fn refused(old: &str, new: &str, message: &str) {
        let body = received().to_body();
        let changed = body.replacen(old, new, 1);
        assert_ne!(changed, body, "{old} is not in the body");
        assert_eq!(ChangeEvent::parse(changed.as_bytes()).unwrap_err().to_string(), message);
    }

    #[test]
    fn a_member_that_is_missing_is_named() {
        for field in ["specversion", "id", "source", "type", "subject", "time", "datacontenttype"] {
            refused(&format!("\"{field}\":"), "\"x\":", &format!("{field} is missing"));
        }
        for field in ["election", "ballot", "voter", "status", "previous", "reason", "sequence"] {
            refused(&format!("\"{field}\":"), "\"x\":", &format!("data.{field} is missing"));
        }
        refused("\"method\":", "\"x\":", "data.method is missing");
        refused("\"corrects\":", "\"x\":", "data.corrects is missing");
        refused("\"data\":", "\"x\":", "data is missing");
    }

    #[test]
    fn a_member_that_says_what_it_cannot_is_named() {
        for (old, new, message) in [
            (r#""sequence":1"#, r#""sequence":"1""#, "data.sequence is not a whole number"),
            (r#""sequence":1"#, r#""sequence":1.5"#, "data.sequence is not a whole number"),
            (r#""sequence":1"#, r#""sequence":-1"#, "data.sequence is not a whole number"),
            (
                r#""sequence":1"#,
                r#""sequence":0"#,
                "data.sequence has a value that it cannot have here",
            ),
            (r#""reason":null"#, r#""reason":[]"#, "data.reason is not a string or null"),
            (r#""voter":"601234567""#, r#""voter":601234567"#, "data.voter is not a string"),
            (
                r#""voter":"601234567""#,
                r#""voter":"""#,
                "data.voter has a value that it cannot have here",
            ),
            (r#""scanner""#, r#""psychic""#, "data.method has a value that it cannot have here"),
            (r#""mailed""#, r#""lost""#, "data.previous has a value that it cannot have here"),
            ("ballot.received", "ballot.accepted", "type has a value that it cannot have here"),
            ("202611/", "202612/", "subject has a value that it cannot have here"),
            (r#""1.0""#, r#""0.3""#, "specversion has a value that it cannot have here"),
            ("/facility/", "/county/", "source has a value that it cannot have here"),
            ("intake-1", "", "source has a value that it cannot have here"),
            ("T15:04", " 15:04", "time has a value that it cannot have here"),
            ("05.123456Z", "05.123456", "time has a value that it cannot have here"),
        ] {
            refused(old, new, message);
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for (body, message) in [("", "the body is not JSON"), ("[]", "the body is no JSON object")]
        {
            assert_eq!(ChangeEvent::parse(body.as_bytes()).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn any_offset_and_fraction_is_a_time() {
        for (text, is_time) in [
            ("2026-11-03T19:00:00-07:00", true),
            ("2026-11-03t19:00:00z", true),
            ("2026-11-03T19:00:00.5+00:00", true),
            ("2026-11-03T19:00:00", false),
            ("2026-11-03T19:00:00.Z", false),
            ("2026-11-03", false),
            ("2026-11-03T19:00:0\u{e9}Z", false),
        ] {
            assert_eq!(is_rfc3339(text), is_time, "{text}");
        }
    }
}
