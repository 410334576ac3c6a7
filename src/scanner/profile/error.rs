//! Why a text is no profile: each condition with its subject.

use super::written::{BAUD, FEATURE_BYTES_MAX, NAME_BYTES_MAX, PIXELS, SILENCE_MS};
use super::{ANSWER_BYTES_MAX, FRAME_BYTES_MAX, IN_FLIGHT_MAX};
use crate::scan::Tone;
use std::num::NonZeroU16;

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
