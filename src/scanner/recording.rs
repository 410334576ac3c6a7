//! Recorded scanner sessions: what a scanner sent, when, and what it was answered.
//!
//! A recording is UTF-8 text with one JSON object a line, in the order of time:
//!
//! ```json
//! {"profile": "generic-serial", "scanner": "left", "began": "2026-11-03T19:00:00.000000Z"}
//! {"ms": 760, "in": "]C02026112026114172\r", "expect": "good"}
//! {"ms": 980, "in_base64": "G1sySg0="}
//! {"ms": 991, "out": "\u0006"}
//! {"ms": 991, "scan": 0, "came": "good"}
//! {"ms": 1760, "read": {"identifier": "]C0", "length": 17, "hmac": "41f0..."}}
//! ```
//!
//! The first line may name the profile whose dialog the bytes are; else they are plain frames. `ms` are milliseconds since the
//! session began. `in` is what one read of the line returned, as text, `in_base64` the same where it is no text; `out` and
//! `out_base64` are what the scanner was sent. `expect`, written by hand, is what each frame that ends in these bytes shall come
//! to: the tone `good`, `notice` or `bad`; `repeat`, of the scan before it; or `no_read` for what is dropped and answered bad.
//! Of what sends pictures a recording has `picture`, the path of a file from where the recording lies, which is shown until it has its
//! verdict. `came` is what was seen to come of a scan, under its number from 0, or that there was a repeat or a no-read.
//!
//! A recording of which nobody asked to keep the payloads has `read` instead of bytes: the length of a payload and its HMAC under
//! a key that is nowhere kept, so that equal payloads are equal. Played, each is letters made of its HMAC, in a plain frame: digits could happen to be
//! an envelope's.
//!
//! A recording of a real scanner that is kept in `fixtures/` never holds a real voter's code.

mod record;

pub use record::{Payloads, RecordError, Recorder};

use super::profile::FRAME_BYTES_MAX;
use crate::scan::Tone;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Longest recording, in bytes: a long day of one scanner.
pub const RECORDING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Longest line, in bytes.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// The latest moment of a session.
const SESSION_MAX: Duration = Duration::from_hours(24);

/// Why a text is no recording: one line of it is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {fault}")]
pub struct RecordingError {
    /// The line, from 1.
    pub line: usize,
    /// The column, in bytes from 1.
    pub column: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is longer than [`LINE_BYTES_MAX`].
    #[error("longer than {LINE_BYTES_MAX} bytes")]
    Long,
    /// It is no UTF-8.
    #[error("not UTF-8")]
    NotText,
    /// It is no JSON object.
    #[error("no object")]
    NotObject,
    /// It is no JSON, or has other keys or values.
    #[error("{0}")]
    Json(String),
    /// It says nothing, or two things.
    #[error(
        "there is not one of `in`, `in_base64`, `picture`, `read`, `out`, `out_base64` and `came`"
    )]
    NotOneThing,
    /// It is no base64 of RFC 4648 with padding.
    #[error("`in_base64` is no base64")]
    Base64(#[source] base64::DecodeError),
    /// Payloads are kept, or they are not.
    #[error("`read` beside `in`: a recording has one or the other")]
    Mixed,
    /// What an HMAC is written with.
    #[error("`hmac` is not 16 to 64 hexadecimal digits")]
    Hmac,
    /// Longer than any symbol.
    #[error("`length` is more than {FRAME_BYTES_MAX}")]
    Length,
    /// Time goes back.
    #[error("`ms` is less than on the line before")]
    Backward,
    /// Nobody scans for so long.
    #[error("`ms` is more than a day")]
    Late,
}

/// What each frame that ends in a step shall come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// A scan with a good tone.
    Good,
    /// A scan with a notice.
    Notice,
    /// A scan with a bad tone.
    Bad,
    /// A repeat of the scan before it.
    Repeat,
    /// A half frame that is dropped.
    NoRead,
}

/// What a scanner sent together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The line of the recording, from 1.
    pub line: usize,
    /// Since the session began.
    pub at: Duration,
    /// What was sent.
    pub bytes: Vec<u8>,
    /// The picture that was shown instead.
    pub picture: Option<PathBuf>,
    /// What it shall come to.
    pub expect: Option<Expect>,
}

/// A recorded session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recording {
    /// The profile whose dialog the bytes are; plain frames where none is named.
    pub profile: Option<String>,
    /// In the order of time.
    pub steps: Vec<Step>,
    /// What was seen to come of them.
    pub came: Came,
}

/// What was seen to come of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Came {
    /// The tones of scans, by their numbers from 0.
    pub scans: BTreeMap<u64, Tone>,
    /// Repeats.
    pub repeats: u64,
    /// What was dropped and answered bad.
    pub no_reads: u64,
}

impl Expect {
    /// The name in a recording.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Notice => "notice",
            Self::Bad => "bad",
            Self::Repeat => "repeat",
            Self::NoRead => "no_read",
        }
    }

    /// The tone of a scan; none of what is no scan.
    pub const fn tone(self) -> Option<Tone> {
        match self {
            Self::Good => Some(Tone::Good),
            Self::Notice => Some(Tone::Notice),
            Self::Bad => Some(Tone::Bad),
            Self::Repeat | Self::NoRead => None,
        }
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Recording {
    /// Reads a recording; the first wrong line ends it.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordingError> {
        let mut recording = Self::default();
        let whole = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        if bytes.is_empty() {
            return Ok(recording);
        }
        let mut reading = Reading { earliest: Duration::ZERO, kept: None };
        for (line, text) in (1..).zip(whole.split(|byte| *byte == b'\n')) {
            let read = recording.read(&mut reading, line, text);
            read.map_err(|(column, fault)| RecordingError { line, column, fault })?;
        }
        if reading.kept == Some(Payloads::Hashed) {
            // The digits are no codes of the office, and half reads left nothing to play.
            recording.profile = None;
            recording.came.scans.clear();
            recording.came.no_reads = 0;
        }
        Ok(recording)
    }

    fn read(
        &mut self,
        reading: &mut Reading,
        line: usize,
        text: &[u8],
    ) -> Result<(), (usize, Fault)> {
        let written = written(text)?;
        if let (Some(profile), 1) = (&written.profile, line) {
            self.profile = Some(profile.clone());
            return Ok(());
        }
        let (at, what) = reading.what(written)?;
        match what {
            What::In(bytes, expect) => {
                self.steps.push(Step { line, at, bytes, picture: None, expect });
            }
            What::Shown(picture, expect) => {
                let (bytes, picture) = (Vec::new(), Some(picture));
                self.steps.push(Step { line, at, bytes, picture, expect });
            }
            What::Came(scan, came) => self.came.add(scan, came),
            What::Out => {}
        }
        Ok(())
    }
}

impl Came {
    fn add(&mut self, scan: Option<u64>, came: Seen) {
        let tone = match came {
            Seen::Good => Tone::Good,
            Seen::Notice => Tone::Notice,
            Seen::Bad => Tone::Bad,
            Seen::Fault => Tone::Fault,
            Seen::Repeat => {
                self.repeats += 1;
                return;
            }
            Seen::NoRead => {
                self.no_reads += 1;
                return;
            }
        };
        self.scans.extend(scan.map(|scan| (scan, tone)));
    }
}

/// What is remembered from line to line.
struct Reading {
    earliest: Duration,
    kept: Option<Payloads>,
}

/// What a line says.
enum What {
    In(Vec<u8>, Option<Expect>),
    Shown(PathBuf, Option<Expect>),
    Came(Option<u64>, Seen),
    Out,
}

/// A line as it is written down.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    profile: Option<String>,
    #[serde(rename = "scanner")]
    _scanner: Option<String>,
    #[serde(rename = "began")]
    _began: Option<String>,
    ms: Option<u64>,
    #[serde(rename = "in")]
    input: Option<String>,
    in_base64: Option<String>,
    picture: Option<PathBuf>,
    read: Option<WrittenRead>,
    out: Option<String>,
    out_base64: Option<String>,
    came: Option<Seen>,
    scan: Option<u64>,
    expect: Option<Expect>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRead {
    identifier: Option<String>,
    length: u16,
    hmac: String,
}

/// What was seen to come of a frame.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Seen {
    Good,
    Notice,
    Bad,
    Fault,
    Repeat,
    NoRead,
}

fn written(text: &[u8]) -> Result<Written, (usize, Fault)> {
    if text.len() > LINE_BYTES_MAX {
        return Err((LINE_BYTES_MAX, Fault::Long));
    }
    let text = str::from_utf8(text).map_err(|error| (error.valid_up_to() + 1, Fault::NotText))?;
    if !text.trim_start().starts_with('{') {
        return Err((1, Fault::NotObject));
    }
    serde_json::from_str(text)
        .map_err(|error| (error.column().max(1), Fault::Json(without_place(&error))))
}

impl Reading {
    fn what(&mut self, written: Written) -> Result<(Duration, What), (usize, Fault)> {
        let at = self.at(written.ms).map_err(|fault| (1, fault))?;
        let Written { input, in_base64, picture, read, out, out_base64, .. } = written;
        let (expect, out) = (written.expect, out.or(out_base64));
        let what = match (input, in_base64, picture, read, out, written.came) {
            (Some(text), None, None, None, None, None) => self.input(text.into_bytes(), expect),
            (None, None, Some(picture), None, None, None) => Ok(What::Shown(picture, expect)),
            (None, Some(text), None, None, None, None) => {
                let bytes = STANDARD.decode(text).map_err(|e| (1, Fault::Base64(e)))?;
                self.input(bytes, expect)
            }
            (None, None, None, Some(read), None, None) => {
                read.stand_in().and_then(|bytes| self.hashed(bytes, expect))
            }
            (None, None, None, None, Some(_), None) => Ok(What::Out),
            (None, None, None, None, None, Some(came)) => Ok(What::Came(written.scan, came)),
            _ => Err(Fault::NotOneThing),
        };
        Ok((at, what.map_err(|fault| (1, fault))?))
    }

    fn at(&mut self, ms: Option<u64>) -> Result<Duration, Fault> {
        let ms = ms.ok_or_else(|| Fault::Json("missing field `ms`".to_owned()))?;
        let at = Duration::from_millis(ms);
        if at < self.earliest {
            return Err(Fault::Backward);
        }
        if at > SESSION_MAX {
            return Err(Fault::Late);
        }
        self.earliest = at;
        Ok(at)
    }

    fn input(&mut self, bytes: Vec<u8>, expect: Option<Expect>) -> Result<What, Fault> {
        match self.kept.get_or_insert(Payloads::Kept) {
            Payloads::Kept => Ok(What::In(bytes, expect)),
            Payloads::Hashed => Err(Fault::Mixed),
        }
    }

    fn hashed(&mut self, bytes: Vec<u8>, expect: Option<Expect>) -> Result<What, Fault> {
        match self.kept.get_or_insert(Payloads::Hashed) {
            Payloads::Hashed => Ok(What::In(bytes, expect)),
            Payloads::Kept => Err(Fault::Mixed),
        }
    }
}

impl WrittenRead {
    /// A plain frame of letters made of the HMAC, as long as the payload was.
    fn stand_in(&self) -> Result<Vec<u8>, Fault> {
        let nibble = |byte: u8| u8::try_from(char::from(byte).to_digit(16)?).ok();
        let nibbles: Option<Vec<u8>> = self.hmac.bytes().map(nibble).collect();
        let nibbles = nibbles.filter(|nibbles| (16..=64).contains(&nibbles.len()));
        let nibbles = nibbles.ok_or(Fault::Hmac)?;
        if self.length > FRAME_BYTES_MAX {
            return Err(Fault::Length);
        }
        let letters = nibbles.iter().map(|nibble| char::from(b'a' + nibble));
        let mut frame = self.identifier.clone().unwrap_or_default();
        frame.extend(letters.cycle().take(self.length.into()));
        frame.push('\r');
        Ok(frame.into_bytes())
    }
}

/// The parser saw one line only, so the line that it names is always the first.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(what, _)| what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_moment_its_bytes_and_what_they_come_to() {
        let text = concat!(
            r#"{"ms": 0, "in": "12\r", "expect": "good"}"#,
            "\n",
            r#"{"in_base64": "/wA=", "ms": 0}"#,
            "\n",
            r#"{"ms": 9, "in": "\u001b", "expect": "no_read"}"#,
            "\n"
        );
        let step = |line, ms, bytes: &[u8], expect| Step {
            line,
            at: Duration::from_millis(ms),
            bytes: bytes.to_vec(),
            picture: None,
            expect,
        };
        let steps = vec![
            step(1, 0, b"12\r", Some(Expect::Good)),
            step(2, 0, b"\xff\0", None),
            step(3, 9, b"\x1b", Some(Expect::NoRead)),
        ];
        assert_eq!(
            Recording::parse(text.as_bytes()),
            Ok(Recording { steps, ..Recording::default() })
        );
        assert_eq!(Recording::parse(b""), Ok(Recording::default()));
    }

    #[test]
    fn what_was_seen_to_come_is_told_and_what_was_sent_is_passed_over() {
        let text = concat!(
            r#"{"profile": "zebra-ssi", "scanner": "left", "began": "2026-11-03T19:00:00Z"}"#,
            "\n",
            r#"{"ms": 0, "in": "1\r1\r2"}"#,
            "\n",
            r#"{"ms": 1, "out": "\u0006"}"#,
            "\n",
            r#"{"ms": 1, "scan": 0, "came": "good"}"#,
            "\n",
            r#"{"ms": 1, "came": "repeat"}"#,
            "\n",
            r#"{"ms": 501, "came": "no_read"}"#
        );
        let recording = Recording::parse(text.as_bytes()).unwrap();
        assert_eq!(recording.profile.as_deref(), Some("zebra-ssi"));
        assert_eq!(recording.steps.len(), 1);
        let scans = BTreeMap::from([(0, Tone::Good)]);
        assert_eq!(recording.came, Came { scans, repeats: 1, no_reads: 1 });
    }

    #[test]
    fn a_payload_that_was_not_kept_is_played_as_letters_of_its_length() {
        let text = concat!(
            r#"{"profile": "zebra-ssi"}"#,
            "\n",
            r#"{"ms": 0, "read": {"identifier": "]C0", "length": 18, "hmac": "0123456789abcdef"}}"#,
        );
        let recording = Recording::parse(text.as_bytes()).unwrap();
        assert_eq!(recording.profile, None);
        assert_eq!(recording.steps[0].bytes, b"]C0abcdefghijklmnopab\r");
    }

    type Case<'a> = (&'a [u8], &'a str);

    #[test]
    fn a_wrong_line_is_told_with_its_place() {
        let long = format!(r#"{{"ms": 1, "in": "{}"}}"#, "x".repeat(LINE_BYTES_MAX));
        let cases: [Case<'_>; 16] = [
            (b"\n", "line 1, column 1: no object"),
            (br#"[1, "", null, null]"#, "line 1, column 1: no object"),
            (br#"{"in": ""}"#, "line 1, column 1: missing field `ms`"),
            (br#"{"ms": 1, "in": "", "on": 1}"#, "line 1, column 24: unknown field `on`"),
            (br#"{"ms": -1, "in": ""}"#, "line 1, column 9: invalid value"),
            (br#"{"ms": 1, "in": "", "expect": "fine"}"#, "line 1, column 36: unknown variant"),
            (br#"{"ms": 1}"#, "line 1, column 1: there is not one of `in`"),
            (br#"{"ms": 1, "in_base64": "?"}"#, "line 1, column 1: `in_base64` is no base64"),
            (br#"{"ms": 86400001, "in": ""}"#, "line 1, column 1: `ms` is more than a day"),
            (br#"{"ms": 1, "out": "", "came": "good"}"#, "line 1, column 1: there is not one of"),
            (
                br#"{"ms": 1, "read": {"length": 3, "hmac": "0g"}}"#,
                "line 1, column 1: `hmac` is not 16 to 64 hexadecimal digits",
            ),
            (
                br#"{"ms": 1, "read": {"length": 4097, "hmac": "0123456789abcdef"}}"#,
                "line 1, column 1: `length` is more than 4096",
            ),
            (
                b"{\"ms\": 1, \"in\": \"\"}\n{\"ms\": 1, \"read\": {\"length\": 1, \"hmac\": \"0123456789abcdef\"}}",
                "line 2, column 1: `read` beside `in`",
            ),
            (b"{\"ms\": 1, \"in\": \"\xff\"}", "line 1, column 18: not UTF-8"),
            (long.as_bytes(), "line 1, column 65536: longer than 65536 bytes"),
            (
                b"{\"ms\": 2, \"in\": \"\"}\n{\"ms\": 1, \"in\": \"\"}",
                "line 2, column 1: `ms` is less than on the line before",
            ),
        ];
        for (text, expected) in cases {
            let error = Recording::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error} is not {expected}");
        }
    }
}
