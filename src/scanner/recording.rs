//! Recorded scanner sessions: what a scanner sent, when, and what it was answered.
//!
//! A recording is UTF-8 text with one JSON object a line, in the order of time:
//!
//! ```json
//! {"ms": 760, "in": "]C02026112026114172\r", "expect": "good"}
//! {"ms": 980, "in_base64": "G1sySg0="}
//! ```
//!
//! `ms` are milliseconds since the session began. `in` are the bytes as text, `in_base64` bytes that are no text; a line has one
//! of them. `expect` is what each frame that ends in these bytes shall come to: the tone `good`, `notice` or `bad`; `repeat`, of
//! the scan before it; or `no_read` for half a frame after which the scanner falls silent.
//!
//! A recording of a real scanner never holds a real voter's code.

use crate::scan::Tone;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::fmt;
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
    /// Its bytes are missing, or there are two of them.
    #[error("there is not one of `in` and `in_base64`")]
    NotOneInput,
    /// It is no base64 of RFC 4648 with padding.
    #[error("`in_base64` is no base64")]
    Base64(#[source] base64::DecodeError),
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

/// Bytes that a scanner sent together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The line of the recording, from 1.
    pub line: usize,
    /// Since the session began.
    pub at: Duration,
    /// What was sent.
    pub bytes: Vec<u8>,
    /// What it shall come to.
    pub expect: Option<Expect>,
}

/// A recorded session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// In the order of time.
    pub steps: Vec<Step>,
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
        let whole = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let mut steps: Vec<Step> = Vec::new();
        if bytes.is_empty() {
            return Ok(Self { steps });
        }
        for (line, text) in (1..).zip(whole.split(|byte| *byte == b'\n')) {
            let earliest = steps.last().map_or(Duration::ZERO, |step| step.at);
            let step = step(line, text, earliest).map_err(|(column, fault)| RecordingError {
                line,
                column,
                fault,
            })?;
            steps.push(step);
        }
        Ok(Self { steps })
    }
}

/// A line as it is written down.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    ms: u64,
    #[serde(rename = "in")]
    input: Option<String>,
    in_base64: Option<String>,
    expect: Option<Expect>,
}

fn step(line: usize, text: &[u8], earliest: Duration) -> Result<Step, (usize, Fault)> {
    if text.len() > LINE_BYTES_MAX {
        return Err((LINE_BYTES_MAX, Fault::Long));
    }
    let text = str::from_utf8(text).map_err(|error| (error.valid_up_to() + 1, Fault::NotText))?;
    if !text.trim_start().starts_with('{') {
        return Err((1, Fault::NotObject));
    }
    let written: Written = serde_json::from_str(text)
        .map_err(|error| (error.column().max(1), Fault::Json(without_place(&error))))?;
    let at = Duration::from_millis(written.ms);
    if at < earliest {
        return Err((1, Fault::Backward));
    }
    if at > SESSION_MAX {
        return Err((1, Fault::Late));
    }
    let bytes = match (written.input, written.in_base64) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(text)) => STANDARD.decode(text).map_err(|e| (1, Fault::Base64(e)))?,
        _ => return Err((1, Fault::NotOneInput)),
    };
    Ok(Step { line, at, bytes, expect: written.expect })
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
            expect,
        };
        let steps = vec![
            step(1, 0, b"12\r", Some(Expect::Good)),
            step(2, 0, b"\xff\0", None),
            step(3, 9, b"\x1b", Some(Expect::NoRead)),
        ];
        assert_eq!(Recording::parse(text.as_bytes()), Ok(Recording { steps }));
        assert_eq!(Recording::parse(b""), Ok(Recording { steps: vec![] }));
    }

    type Case<'a> = (&'a [u8], &'a str);

    #[test]
    fn a_wrong_line_is_told_with_its_place() {
        let long = format!(r#"{{"ms": 1, "in": "{}"}}"#, "x".repeat(LINE_BYTES_MAX));
        let cases: [Case<'_>; 12] = [
            (b"\n", "line 1, column 1: no object"),
            (br#"[1, "", null, null]"#, "line 1, column 1: no object"),
            (br#"{"in": ""}"#, "line 1, column 10: missing field `ms`"),
            (br#"{"ms": 1, "in": "", "on": 1}"#, "line 1, column 24: unknown field `on`"),
            (br#"{"ms": -1, "in": ""}"#, "line 1, column 9: invalid value"),
            (br#"{"ms": 1, "in": "", "expect": "fine"}"#, "line 1, column 36: unknown variant"),
            (br#"{"ms": 1}"#, "line 1, column 1: there is not one of `in` and `in_base64`"),
            (br#"{"ms": 1, "in_base64": "?"}"#, "line 1, column 1: `in_base64` is no base64"),
            (br#"{"ms": 86400001, "in": ""}"#, "line 1, column 1: `ms` is more than a day"),
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
