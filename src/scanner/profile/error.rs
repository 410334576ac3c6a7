//! Why a text is no profile: each condition with its subject.

use super::written::{BAUD, FEATURE_BYTES_MAX, NAME_BYTES_MAX, PIXELS, SILENCE_MS};
use super::{ANSWER_BYTES_MAX, FRAME_BYTES_MAX, IN_FLIGHT_MAX};
use crate::scan::Tone;
use std::num::NonZeroU16;
use toml::de::{DeTable, DeValue};

/// Why a text is no profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// It is no TOML, a key is misspelt or missing, or a value is of another kind.
    #[error("profile is malformed")]
    Malformed(#[source] Box<toml::de::Error>),
    /// It is no name that fits a file name and a configuration.
    #[error("name {0:?} is not 1 to {NAME_BYTES_MAX} lower-case letters, digits and hyphens")]
    Name(String),
    /// Nobody could check its facts.
    #[error("there are no `sources`, which only rules of our own (\"definition\") do without")]
    NoSource,
    /// A key or a table says something about another kind of scanner.
    #[error("`{what}` says nothing about a {kind} scanner")]
    Unused {
        /// The key or the table.
        what: &'static str,
        /// The kind: its transport as the profile names it, or its protocol.
        kind: &'static str,
    },
    /// Every port would be refused.
    #[error("baud is {0}, outside {min}..={max}", min = BAUD.start(), max = BAUD.end())]
    Baud(u32),
    /// Characters have 7 or 8 bits.
    #[error("data_bits is {0}, not 7 or 8")]
    DataBits(u8),
    /// Characters have 1 or 2 stop bits.
    #[error("stop_bits is {0}, not 1 or 2")]
    StopBits(u8),
    /// A byte of a packet has 8 bits.
    #[error("SSI has characters of 8 bits, and data_bits is 7")]
    SsiDataBits,
    /// XON and XOFF are bytes of packets.
    #[error("SSI packets hold any byte, so flow cannot be \"software\"")]
    SsiFlow,
    /// No frame would ever end.
    #[error("there is no terminator, so no frame ends")]
    NoTerminator,
    /// Only control characters can end a frame.
    #[error("terminator {0:#04x} is no control character, so a payload may contain it")]
    PrintableTerminator(u8),
    /// An STX cannot both begin and end a frame.
    #[error("terminator 0x02 is the STX that is stripped")]
    StxTerminator,
    /// A frame has at least one byte, and a bound.
    #[error("frame_bytes_max is {0}, outside 1..={FRAME_BYTES_MAX}")]
    FrameLimit(u16),
    /// Half frames would be dropped too early, or too late.
    #[error("silence_ms is {0}, outside {min}..={max}", min = SILENCE_MS.start(), max = SILENCE_MS.end())]
    Silence(u64),
    /// It is no report that a device takes.
    #[error("the feature report has {0} bytes, more than {FEATURE_BYTES_MAX}")]
    FeatureLength(usize),
    /// It is no picture in which a label can be read.
    #[error("the picture's {side} is {pixels}, outside {min}..={max}", min = PIXELS.start(), max = PIXELS.end())]
    Pixels {
        /// `width` or `height`.
        side: &'static str,
        /// What is written.
        pixels: u32,
    },
    /// The camera could send nothing.
    #[error("there are no `formats`, so a camera could send nothing")]
    NoFormat,
    /// An answer would take too long to send.
    #[error("the answer {tone:?} has {length} bytes, more than {ANSWER_BYTES_MAX}")]
    AnswerLength {
        /// For which tone.
        tone: Tone,
        /// How long it is, in bytes.
        length: usize,
    },
    /// A scan that marked nothing would sound like one that did.
    #[error("the answers Good and {0:?} are the same")]
    SoundsGood(Tone),
    /// A scanner that waits would wait for ever.
    #[error("it waits for an answer, and the answer {0:?} is empty")]
    NoAnswer(Tone),
    /// Nothing would be locked, or it would stay locked.
    #[error("the command `{0}` of [lock] is empty")]
    NoCommand(&'static str),
    /// A command would take too long to send.
    #[error("the command `{command}` of [lock] has {length} bytes, more than {ANSWER_BYTES_MAX}")]
    CommandLength {
        /// `lock` or `unlock`.
        command: &'static str,
        /// How long it is, in bytes.
        length: usize,
    },
    /// What locks does not unlock.
    #[error("the commands of [lock] are the same")]
    SameCommands,
    /// A packet does not begin so, or it would be taken for part of the handshake.
    #[error("{opcode:#04x}, with which `{command}` begins, is no opcode of an SSI command")]
    SsiOpcode {
        /// The answer or the command.
        command: &'static str,
        /// Its first byte.
        opcode: u8,
    },
    /// One scan at least, and a bound.
    #[error("in_flight_max is {0}, outside 1..={IN_FLIGHT_MAX}")]
    InFlight(u16),
    /// A scanner that waits for an answer has one scan in flight.
    #[error("it waits for an answer, and in_flight_max is {0}, not 1")]
    InFlightWaiting(NonZeroU16),
}

impl ProfileError {
    /// Where in the text of the profile it is wrong: line and column, from 1. What is missing has no place of its own.
    pub fn place(&self, text: &str) -> (usize, usize) {
        let offset = match self {
            Self::Malformed(error) => error.span().map(|span| span.start),
            other => offset_of(other.key(), text),
        };
        let before = text.get(..offset.unwrap_or(0)).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or(before);
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }

    /// The key that is at fault, with its tables.
    fn key(&self) -> &'static str {
        match self {
            Self::Malformed(_) | Self::NoSource => "sources",
            Self::Name(_) => "name",
            Self::Unused { what, .. } => what,
            Self::Baud(_) => "serial.baud",
            Self::DataBits(_) | Self::SsiDataBits => "serial.data_bits",
            Self::StopBits(_) => "serial.stop_bits",
            Self::SsiFlow => "serial.flow",
            Self::NoTerminator | Self::PrintableTerminator(_) | Self::StxTerminator => {
                "framing.terminators"
            }
            Self::FrameLimit(_) => "framing.frame_bytes_max",
            Self::Silence(_) => "framing.silence_ms",
            Self::FeatureLength(_) => "hid_pos.feature",
            Self::Pixels { side: "width", .. } => "camera.width",
            Self::Pixels { .. } => "camera.height",
            Self::NoFormat => "camera.formats",
            Self::AnswerLength { tone, .. } | Self::SoundsGood(tone) | Self::NoAnswer(tone) => {
                answer(*tone)
            }
            Self::NoCommand(_) | Self::CommandLength { .. } | Self::SameCommands => "lock",
            Self::SsiOpcode { command, .. } => command,
            Self::InFlight(_) | Self::InFlightWaiting(_) => "in_flight_max",
        }
    }
}

const fn answer(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "answers.good",
        Tone::Own | Tone::Notice => "answers.notice",
        Tone::Bad => "answers.bad",
        Tone::Fault => "answers.fault",
    }
}

/// Where the key is written, or the innermost of its tables that is.
fn offset_of(key: &str, text: &str) -> Option<usize> {
    let root = DeTable::parse(text).ok()?;
    let mut table = root.get_ref();
    let mut offset = None;
    for part in key.split('.') {
        let Some((name, value)) = table.get_key_value(part) else { break };
        offset = Some(name.span().start);
        let DeValue::Table(inner) = value.get_ref() else { break };
        table = inner;
    }
    offset
}

#[cfg(test)]
mod tests {
    use crate::scanner::profile::Profile;

    #[test]
    fn a_fault_has_its_place() {
        let profile = "name = 'a'\nmaker = 'A'\nmodel = 'B'\ntransport = 'serial'\nverified = 'vm'\n\
                       sources = ['C']\n";
        for (more, place) in [
            ("in_flight_max = 0", (7, 1)),
            ("[serial]\n  baud = 1", (8, 3)),
            ("protocol = 'ssi'\n[lock]\nlock = [0xea]\nunlock = [1]", (10, 1)),
            ("waits_for_answer = true\n[answers]\ngood = [7]", (8, 2)),
            ("[framing]\nterminators = [\n65]", (8, 1)),
            ("[framing]\nterminator = [13]", (8, 1)),
            ("[framing\n", (7, 9)),
        ] {
            let text = format!("{profile}{more}");
            let error = Profile::parse(&text).unwrap_err();
            assert_eq!(error.place(&text), place, "{error}: {more}");
        }
        let error = Profile::parse("").unwrap_err();
        assert_eq!(error.place(""), (1, 1));
    }
}
