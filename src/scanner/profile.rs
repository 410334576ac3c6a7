//! What is known of a scanner model, read from a TOML file: facts, not code.
//!
//! The files of `scanners/` are compiled in; a county's own stand in a directory of the configuration. A profile that
//! parses can be used: a terminator that a payload may contain, or a scanner that waits for an answer it never gets, is
//! refused here and not found out on election day.

use super::framing::{Framing, Identifier, Stx};
use crate::scan::Tone;
use serde::Deserialize;
use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Upper bound of every profile's `frame_bytes_max`: more than the largest symbol holds in bytes (QR Code, 2,953).
pub const FRAME_BYTES_MAX: u16 = 4096;

/// Upper bound of every profile's `in_flight_max`.
pub const IN_FLIGHT_MAX: u16 = 256;

/// Longest answer, in bytes: a string of beeps, sent while the clerk waits.
pub const ANSWER_BYTES_MAX: usize = 64;

/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Below this a slow line looks silent in the middle of a frame; above it a half frame would be joined with the next scan.
const SILENCE_MS: RangeInclusive<u64> = 50..=5000;

/// From the slowest line that a scanner is still set to, to the fastest that Linux has on every port.
const BAUD: RangeInclusive<u32> = 300..=921_600;

/// Every built-in profile: its name, and its text.
const BUILT_IN: &[(&str, &str)] = &[
    ("folder", include_str!("../../scanners/folder.toml")),
    ("generic-serial", include_str!("../../scanners/generic-serial.toml")),
    ("generic-tcp", include_str!("../../scanners/generic-tcp.toml")),
    ("honeywell-xenon-1900", include_str!("../../scanners/honeywell-xenon-1900.toml")),
    ("symbol-rs232", include_str!("../../scanners/symbol-rs232.toml")),
];

/// The facts about one scanner model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// What the configuration calls it: lower-case letters, digits and hyphens.
    pub name: String,
    /// Who makes it.
    pub maker: String,
    /// Which models it is for.
    pub model: String,
    /// How it is connected.
    pub transport: Transport,
    /// How the facts are known.
    pub verified: Verified,
    /// The USB ids it is found by; none where its maker publishes none.
    pub usb: Vec<UsbId>,
    /// How its serial port is set; of a scanner on USB or TCP, of no effect.
    pub line: Line,
    /// How it frames its symbols.
    pub framing: Framing,
    /// What it is sent after the commit.
    pub answers: Answers,
    /// Whether it scans on without an answer.
    pub waits_for_answer: WaitsForAnswer,
    /// How many of its scans may wait for their answers before its port is no longer read, so that it is held back.
    pub in_flight_max: NonZeroU16,
    /// What to know about it, for the person who sets it up.
    pub notes: String,
}

/// How a scanner is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// RS-232, or a USB device that looks like it.
    Serial,
    /// A network connection, in either direction.
    Tcp,
    /// A directory into which pictures are put.
    Folder,
}

/// How a profile's facts are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verified {
    /// They are our own rules, to which a scanner is set up.
    Definition,
    /// From its maker's documents; nobody has tried one here.
    Documentation,
    /// Tried with the real thing.
    Device,
}

/// What a USB device says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsbId {
    /// The maker's number.
    pub vendor: u16,
    /// The maker's number for the model, and for the mode it is set to.
    pub product: u16,
}

/// How a serial port is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Bits a second.
    pub baud: u32,
    /// Bits a character.
    pub data_bits: DataBits,
    /// The parity bit.
    pub parity: Parity,
    /// Stop bits a character.
    pub stop_bits: StopBits,
    /// How either side says "wait".
    pub flow: Flow,
}

/// Bits a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataBits {
    /// 7.
    Seven,
    /// 8.
    Eight,
}

/// The parity bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parity {
    /// There is none.
    None,
    /// An even number of ones.
    Even,
    /// An odd number of ones.
    Odd,
}

/// Stop bits a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopBits {
    /// 1.
    One,
    /// 2.
    Two,
}

/// How either side says "wait".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flow {
    /// Not at all.
    None,
    /// XON and XOFF.
    Software,
    /// RTS and CTS.
    Hardware,
}

/// What a scanner is sent after the commit, as bytes; nothing where it has no such tone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answers {
    /// Green.
    pub good: Vec<u8>,
    /// Amber.
    pub notice: Vec<u8>,
    /// Red.
    pub bad: Vec<u8>,
    /// The alarm.
    pub fault: Vec<u8>,
}

/// Whether a scanner scans on without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitsForAnswer {
    /// It is silent and scans nothing until it has its answer.
    Yes,
    /// It scans on.
    No,
}

/// Why a text is no profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// It is no TOML, a key is misspelt or missing, or a value is of another kind.
    #[error("profile is malformed")]
    Malformed(#[source] Box<toml::de::Error>),
    /// It is no name that fits a file name and a configuration.
    #[error("name {0:?} is not 1 to {NAME_BYTES_MAX} lower-case letters, digits and hyphens")]
    Name(String),
    /// A table says something about a scanner of another transport.
    #[error("table [{table}] says nothing about a {transport} scanner")]
    Unused {
        /// The table.
        table: &'static str,
        /// The transport, as the profile names it.
        transport: &'static str,
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
    /// An answer would take too long to send.
    #[error("the answer {tone:?} has {length} bytes, more than {ANSWER_BYTES_MAX}")]
    AnswerLength {
        /// For which tone.
        tone: Tone,
        /// How long it is, in bytes.
        length: usize,
    },
    /// A scanner that waits would wait for ever.
    #[error("it waits for an answer, and the answer {0:?} is empty")]
    NoAnswer(Tone),
    /// One scan at least, and a bound.
    #[error("in_flight_max is {0}, outside 1..={IN_FLIGHT_MAX}")]
    InFlight(u16),
    /// A scanner that waits for an answer has one scan in flight.
    #[error("it waits for an answer, and in_flight_max is {0}, not 1")]
    InFlightWaiting(NonZeroU16),
}

impl Profile {
    /// Reads and checks a profile.
    pub fn parse(toml: &str) -> Result<Self, ProfileError> {
        let written: Written =
            toml::from_str(toml).map_err(|error| ProfileError::Malformed(Box::new(error)))?;
        let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if !written.name.bytes().all(is_plain)
            || !(1..=NAME_BYTES_MAX).contains(&written.name.len())
        {
            return Err(ProfileError::Name(written.name));
        }
        written.refuse_unused()?;
        let answers = written.answers.unwrap_or_default();
        let waits_for_answer =
            if written.waits_for_answer { WaitsForAnswer::Yes } else { WaitsForAnswer::No };
        answers.check(waits_for_answer)?;
        Ok(Self {
            line: written.serial.unwrap_or_default().into_line()?,
            framing: written.framing.unwrap_or_default().into_framing()?,
            in_flight_max: in_flight(written.in_flight_max, waits_for_answer)?,
            name: written.name,
            maker: written.maker,
            model: written.model,
            transport: written.transport,
            verified: written.verified,
            usb: written.usb,
            answers,
            waits_for_answer,
            notes: written.notes,
        })
    }

    /// The text of the built-in profile of that name.
    pub fn built_in(name: &str) -> Option<&'static str> {
        BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// The names of the built-in profiles.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }
}

impl Answers {
    /// The bytes for that tone.
    pub fn bytes(&self, tone: Tone) -> &[u8] {
        match tone {
            Tone::Good => &self.good,
            Tone::Notice => &self.notice,
            Tone::Bad => &self.bad,
            Tone::Fault => &self.fault,
        }
    }

    fn check(&self, waits_for_answer: WaitsForAnswer) -> Result<(), ProfileError> {
        for tone in [Tone::Good, Tone::Notice, Tone::Bad, Tone::Fault] {
            let length = self.bytes(tone).len();
            if length > ANSWER_BYTES_MAX {
                return Err(ProfileError::AnswerLength { tone, length });
            }
            if length == 0 && waits_for_answer == WaitsForAnswer::Yes {
                return Err(ProfileError::NoAnswer(tone));
            }
        }
        Ok(())
    }
}

impl Transport {
    /// The name in profiles.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serial => "serial",
            Self::Tcp => "tcp",
            Self::Folder => "folder",
        }
    }
}

/// A profile as it is written down.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    maker: String,
    model: String,
    transport: Transport,
    verified: Verified,
    #[serde(default)]
    usb: Vec<UsbId>,
    serial: Option<WrittenSerial>,
    framing: Option<WrittenFraming>,
    answers: Option<Answers>,
    #[serde(default)]
    waits_for_answer: bool,
    #[serde(default = "one")]
    in_flight_max: u16,
    #[serde(default)]
    notes: String,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenSerial {
    baud: u32,
    data_bits: u8,
    parity: Parity,
    stop_bits: u8,
    flow: Flow,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenFraming {
    terminators: Vec<u8>,
    stx: Stx,
    identifier: Identifier,
    frame_bytes_max: u16,
    silence_ms: u64,
}

impl Written {
    fn refuse_unused(&self) -> Result<(), ProfileError> {
        let is_serial = self.transport == Transport::Serial;
        let is_folder = self.transport == Transport::Folder;
        let unused = [
            ("serial", !is_serial && self.serial.is_some()),
            ("usb", !is_serial && !self.usb.is_empty()),
            ("framing", is_folder && self.framing.is_some()),
            ("answers", is_folder && self.answers.is_some()),
        ];
        match unused.into_iter().find(|(_, is_unused)| *is_unused) {
            Some((table, _)) => {
                Err(ProfileError::Unused { table, transport: self.transport.name() })
            }
            None => Ok(()),
        }
    }
}

impl Default for WrittenSerial {
    /// 9600 8N1, to which scanners are set more often than to anything else.
    fn default() -> Self {
        Self { baud: 9600, data_bits: 8, parity: Parity::None, stop_bits: 1, flow: Flow::None }
    }
}

impl WrittenSerial {
    fn into_line(self) -> Result<Line, ProfileError> {
        if !BAUD.contains(&self.baud) {
            return Err(ProfileError::Baud(self.baud));
        }
        let data_bits = match self.data_bits {
            7 => DataBits::Seven,
            8 => DataBits::Eight,
            other => return Err(ProfileError::DataBits(other)),
        };
        let stop_bits = match self.stop_bits {
            1 => StopBits::One,
            2 => StopBits::Two,
            other => return Err(ProfileError::StopBits(other)),
        };
        let Self { baud, parity, flow, .. } = self;
        Ok(Line { baud, data_bits, parity, stop_bits, flow })
    }
}

impl Default for WrittenFraming {
    /// What any scanner sends that is set up as its maker ships it.
    fn default() -> Self {
        Self {
            terminators: b"\r\n\t\x03".to_vec(),
            stx: Stx::Strip,
            identifier: Identifier::Use,
            frame_bytes_max: FRAME_BYTES_MAX,
            silence_ms: 500,
        }
    }
}

impl WrittenFraming {
    fn into_framing(self) -> Result<Framing, ProfileError> {
        if self.terminators.is_empty() {
            return Err(ProfileError::NoTerminator);
        }
        if let Some(odd) = self.terminators.iter().find(|byte| !byte.is_ascii_control()) {
            return Err(ProfileError::PrintableTerminator(*odd));
        }
        if self.stx == Stx::Strip && self.terminators.contains(&0x02) {
            return Err(ProfileError::StxTerminator);
        }
        if !SILENCE_MS.contains(&self.silence_ms) {
            return Err(ProfileError::Silence(self.silence_ms));
        }
        let frame_bytes_max = NonZeroU16::new(self.frame_bytes_max)
            .filter(|limit| limit.get() <= FRAME_BYTES_MAX)
            .ok_or(ProfileError::FrameLimit(self.frame_bytes_max))?;
        Ok(Framing {
            terminators: self.terminators,
            stx: self.stx,
            identifier: self.identifier,
            frame_bytes_max,
            silence: Duration::from_millis(self.silence_ms),
        })
    }
}

const fn one() -> u16 {
    1
}

fn in_flight(written: u16, waits: WaitsForAnswer) -> Result<NonZeroU16, ProfileError> {
    let in_flight_max = NonZeroU16::new(written)
        .filter(|limit| limit.get() <= IN_FLIGHT_MAX)
        .ok_or(ProfileError::InFlight(written))?;
    if waits == WaitsForAnswer::Yes && in_flight_max != NonZeroU16::MIN {
        return Err(ProfileError::InFlightWaiting(in_flight_max));
    }
    Ok(in_flight_max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn built_in(name: &str) -> Profile {
        Profile::parse(Profile::built_in(name).unwrap()).unwrap()
    }

    #[test]
    fn every_file_of_scanners_is_a_built_in_profile_of_its_name() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scanners");
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let profile =
                Profile::parse(&text).unwrap_or_else(|error| panic!("{path:?}: {error:?}"));
            assert_eq!(
                path.file_name().unwrap().to_str(),
                Some(&*format!("{}.toml", profile.name))
            );
            assert_eq!(Profile::built_in(&profile.name), Some(&*text));
            names.push(profile.name);
        }
        names.sort();
        assert_eq!(names, Profile::names().collect::<Vec<_>>());
        assert_eq!(Profile::built_in("none-such"), None);
    }

    #[test]
    fn the_generic_profiles_are_as_the_manual_says() {
        for (name, transport) in
            [("generic-serial", Transport::Serial), ("generic-tcp", Transport::Tcp)]
        {
            let profile = built_in(name);
            assert_eq!(profile.transport, transport);
            assert_eq!(profile.framing, WrittenFraming::default().into_framing().unwrap());
            assert_eq!(profile.framing.terminators, b"\r\n\t\x03");
            assert_eq!(profile.framing.frame_bytes_max.get(), 4096);
            assert_eq!(profile.framing.silence, Duration::from_millis(500));
            let answer = |tone| profile.answers.bytes(tone);
            assert_eq!(
                [Tone::Good, Tone::Notice, Tone::Bad, Tone::Fault].map(answer),
                [&[0x06][..], &[0x07], &[0x15], &[0x18]]
            );
            assert_eq!(profile.waits_for_answer, WaitsForAnswer::No);
            assert_eq!(profile.in_flight_max.get(), 256);
        }
    }

    #[test]
    fn a_host_ack_scanner_waits_and_has_one_scan_in_flight() {
        let profile = built_in("honeywell-xenon-1900");
        assert_eq!(profile.waits_for_answer, WaitsForAnswer::Yes);
        assert_eq!(profile.in_flight_max, NonZeroU16::MIN);
        assert_eq!(profile.answers.good, b"\x1b7,");
        assert_eq!(profile.answers.bad, b"\x1b8,\x1b8,");
    }

    const SERIAL: &str = r#"
        name = "left-1"
        maker = "A"
        model = "B"
        transport = "serial"
        verified = "device"
    "#;

    #[test]
    fn what_is_not_written_is_generic() {
        let profile = Profile::parse(SERIAL).unwrap();
        assert_eq!(profile.framing, built_in("generic-serial").framing);
        assert_eq!(profile.line, built_in("generic-serial").line);
        assert_eq!(profile.in_flight_max, NonZeroU16::MIN);
        assert_eq!(profile.answers, Answers::default());
        assert_eq!(profile.verified, Verified::Device);
    }

    #[test]
    fn everything_can_be_written() {
        let profile = Profile::parse(&format!(
            "{SERIAL}
            in_flight_max = 3
            notes = 'c'
            [[usb]]
            vendor = 0x0c2e
            product = 0x0001
            [serial]
            baud = 115200
            data_bits = 7
            parity = 'even'
            stop_bits = 2
            flow = 'hardware'
            [framing]
            terminators = [0x03]
            stx = 'keep'
            identifier = 'keep'
            frame_bytes_max = 64
            silence_ms = 100
            [answers]
            good = [0x07]"
        ))
        .unwrap();
        assert_eq!(profile.usb, [UsbId { vendor: 0x0c2e, product: 1 }]);
        let line = Line {
            baud: 115_200,
            data_bits: DataBits::Seven,
            parity: Parity::Even,
            stop_bits: StopBits::Two,
            flow: Flow::Hardware,
        };
        assert_eq!(profile.line, line);
        let framing = Framing {
            terminators: vec![3],
            stx: Stx::Keep,
            identifier: Identifier::Keep,
            frame_bytes_max: NonZeroU16::new(64).unwrap(),
            silence: Duration::from_millis(100),
        };
        assert_eq!(profile.framing, framing);
        assert_eq!((profile.answers.good, profile.answers.bad), (vec![7], vec![]));
    }

    #[test]
    fn a_profile_that_cannot_work_says_why() {
        let zero = "frame_bytes_max = 0";
        let long = format!("[answers]\nbad = {:?}", [7_u8; 65]);
        let table: Vec<(&str, ProfileError)> = vec![
            ("[serial]\nbaud = 0", ProfileError::Baud(0)),
            ("[serial]\nbaud = 1000000", ProfileError::Baud(1_000_000)),
            ("[serial]\ndata_bits = 9", ProfileError::DataBits(9)),
            ("[serial]\nstop_bits = 0", ProfileError::StopBits(0)),
            ("[framing]\nterminators = []", ProfileError::NoTerminator),
            ("[framing]\nterminators = [13, 0x41]", ProfileError::PrintableTerminator(0x41)),
            ("[framing]\nterminators = [0x20]", ProfileError::PrintableTerminator(0x20)),
            ("[framing]\nterminators = [0xff]", ProfileError::PrintableTerminator(0xff)),
            ("[framing]\nterminators = [2]", ProfileError::StxTerminator),
            ("[framing]\nframe_bytes_max = 0", ProfileError::FrameLimit(0)),
            ("[framing]\nframe_bytes_max = 4097", ProfileError::FrameLimit(4097)),
            ("[framing]\nsilence_ms = 49", ProfileError::Silence(49)),
            ("[framing]\nsilence_ms = 5001", ProfileError::Silence(5001)),
            ("in_flight_max = 0", ProfileError::InFlight(0)),
            ("in_flight_max = 257", ProfileError::InFlight(257)),
            (
                "waits_for_answer = true\n[answers]\ngood = [7]\nnotice = [7]\nfault = [7]",
                ProfileError::NoAnswer(Tone::Bad),
            ),
            (&long, ProfileError::AnswerLength { tone: Tone::Bad, length: 65 }),
            (
                "waits_for_answer = true\nin_flight_max = 2\n\
                 [answers]\ngood = [7]\nnotice = [7]\nbad = [7]\nfault = [7]",
                ProfileError::InFlightWaiting(NonZeroU16::new(2).unwrap()),
            ),
        ];
        for (text, expected) in table {
            let found = Profile::parse(&format!("{SERIAL}\n{text}"));
            assert_eq!(found, Err(expected), "{text}");
        }
        for name in ["", "Left", "a/b", "a b", &"n".repeat(65)] {
            let text = SERIAL.replace("left-1", name);
            assert_eq!(Profile::parse(&text), Err(ProfileError::Name(name.into())));
        }
        let misspelt = Profile::parse(&format!("{SERIAL}\n{zero}")).unwrap_err();
        assert!(matches!(misspelt, ProfileError::Malformed(_)), "{misspelt:?}");
    }

    #[test]
    fn a_table_that_says_nothing_about_the_transport_is_refused() {
        for (transport, table, text) in [
            ("tcp", "serial", "[serial]\nbaud = 9600"),
            ("tcp", "usb", "[[usb]]\nvendor = 1\nproduct = 2"),
            ("folder", "framing", "[framing]\nsilence_ms = 500"),
            ("folder", "answers", "[answers]\ngood = [7]"),
        ] {
            let profile = SERIAL.replace("\"serial\"", &format!("{transport:?}"));
            let found = Profile::parse(&format!("{profile}\n{text}"));
            assert_eq!(found, Err(ProfileError::Unused { table, transport }), "{text}");
        }
    }
}
