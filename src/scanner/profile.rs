//! What is known of a scanner model, read from a TOML file: facts, not code.
//!
//! The files of `scanners/` are compiled in; a county's own stand in a directory of the configuration. A profile that
//! parses can be used: a terminator that a payload may contain, a scanner that waits for an answer it never gets, or an answer
//! to a scanner that cannot hear one, is refused here and not found out on election day.

pub mod udev;

mod error;
mod written;

use super::framing::Framing;
use super::{camera, hid_pos, keyboard};
use crate::scan::Tone;
use serde::Deserialize;
use std::fmt;
use std::num::NonZeroU16;

pub use error::ProfileError;

/// Upper bound of every profile's `frame_bytes_max`: more than the largest symbol holds in bytes (QR Code, 2,953).
pub const FRAME_BYTES_MAX: u16 = 4096;

/// Upper bound of every profile's `in_flight_max`.
pub const IN_FLIGHT_MAX: u16 = 256;

/// Longest answer or other command, in bytes: a string of beeps, sent while the clerk waits.
pub const ANSWER_BYTES_MAX: usize = 80;

/// Every built-in profile in the order of names: its name, and its text.
const BUILT_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/profiles.rs"));

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
    /// Where the facts stand; never empty unless they are our own rules.
    pub sources: Vec<String>,
    /// The USB ids it is found by; none where its maker publishes none, and of a scanner that is not on USB.
    pub usb: Vec<UsbId>,
    /// Makers whose serial ports on USB are all scanners: udev gives them to the daemon, but nothing is found by them.
    pub usb_vendors: Vec<u16>,
    /// How its serial port is set; nothing unless it has one. On USB it has no effect.
    pub line: Option<Line>,
    /// What is said on its line.
    pub protocol: Protocol,
    /// What it is sent after the commit.
    pub answers: Answers,
    /// How it is kept from scanning; nothing where it cannot be.
    pub lock: Option<LockCommands>,
    /// Whether it scans on without an answer.
    pub waits_for_answer: WaitsForAnswer,
    /// How many of its scans may wait for their answers before its port is no longer read, so that it is held back.
    pub in_flight_max: NonZeroU16,
    /// What to know about it, for the person who sets it up.
    pub notes: String,
}

/// How a scanner is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// RS-232, or a USB device that looks like it.
    Serial,
    /// A USB device that types what it scans.
    Keyboard,
    /// A USB device of the kind HID point of sale (usage page 0x8C).
    HidPos,
    /// A network connection, in either direction.
    Tcp,
    /// A camera that the kernel knows as one (V4L2).
    Camera,
    /// A directory into which pictures are put.
    Folder,
}

/// How a profile's facts are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verified {
    /// They are our own rules, to which a scanner is set up.
    Definition,
    /// From its maker's documents and the code of others; nobody has tried one here.
    Documentation,
    /// Tried on a device of the kernel in a virtual workstation, which says what the documents say.
    Vm,
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

impl fmt::Display for UsbId {
    /// `vendor:product`, as `lsusb` writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.vendor, self.product)
    }
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

/// What is said on a scanner's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protocol {
    /// A serial port or a connection: frames of text.
    Text(Framing),
    /// A serial port: packets of Zebra's Simple Serial Interface.
    Ssi {
        /// Longest payload, in bytes.
        frame_bytes_max: NonZeroU16,
    },
    /// A keyboard: keys that make frames of text.
    Keys {
        /// Which character a key is.
        layout: keyboard::Layout,
        /// How the text is framed.
        framing: Framing,
    },
    /// HID point of sale: input reports.
    Reports {
        /// What is particular to the model.
        settings: hid_pos::Settings,
        /// Of it only the bound and the silence matter: a report says itself where a symbol ends.
        framing: Framing,
    },
    /// A camera: pictures.
    Pictures(camera::Settings),
    /// A folder: files with pictures.
    Files,
}

/// What a scanner is sent after the commit; nothing where it has no such tone. In a text protocol it is the bytes themselves, in
/// SSI the opcode and the rest of one packet.
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

/// What keeps a scanner from scanning, and lets it scan again; written as answers are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockCommands {
    /// It scans nothing from here.
    pub lock: Vec<u8>,
    /// It scans again.
    pub unlock: Vec<u8>,
}

/// Whether a scanner scans on without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitsForAnswer {
    /// It is silent and scans nothing until it has its answer.
    Yes,
    /// It scans on.
    No,
}

impl Profile {
    /// Reads and checks a profile.
    pub fn parse(toml: &str) -> Result<Self, ProfileError> {
        written::read(toml)
    }

    /// The text of the built-in profile of that name.
    pub fn built_in(name: &str) -> Option<&'static str> {
        BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// The built-in profiles in the order of their names.
    pub fn all() -> impl Iterator<Item = Self> {
        BUILT_IN.iter().filter_map(|(_, text)| Self::parse(text).ok())
    }

    /// The names of the built-in profiles.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// How it frames text, where text is what it sends.
    pub const fn framing(&self) -> Option<&Framing> {
        match &self.protocol {
            Protocol::Text(framing) | Protocol::Keys { framing, .. } => Some(framing),
            Protocol::Ssi { .. }
            | Protocol::Reports { .. }
            | Protocol::Pictures(_)
            | Protocol::Files => None,
        }
    }
}

impl Answers {
    /// The bytes for that tone.
    pub fn bytes(&self, tone: Tone) -> &[u8] {
        match tone.at_scanner() {
            Tone::Good => &self.good,
            Tone::Own | Tone::Notice => &self.notice,
            Tone::Bad => &self.bad,
            Tone::Fault => &self.fault,
        }
    }
}

impl Transport {
    /// The name in profiles.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serial => "serial",
            Self::Keyboard => "keyboard",
            Self::HidPos => "hid_pos",
            Self::Tcp => "tcp",
            Self::Camera => "camera",
            Self::Folder => "folder",
        }
    }
}

impl Default for Line {
    /// 9600 8N1, to which scanners are set more often than to anything else.
    fn default() -> Self {
        Self {
            baud: 9600,
            data_bits: DataBits::Eight,
            parity: Parity::None,
            stop_bits: StopBits::One,
            flow: Flow::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;
    use std::time::Duration;

    fn built_in(name: &str) -> Profile {
        Profile::parse(Profile::built_in(name).unwrap()).unwrap()
    }

    #[test]
    fn every_file_of_scanners_is_a_built_in_profile_of_its_name() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scanners");
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
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
        assert_eq!(names, Profile::all().map(|profile| profile.name).collect::<Vec<_>>());
        assert_eq!(Profile::built_in("none-such"), None);
    }

    #[test]
    fn the_generic_profiles_are_as_the_manual_says() {
        for (name, transport) in
            [("generic-serial", Transport::Serial), ("generic-tcp", Transport::Tcp)]
        {
            let profile = built_in(name);
            assert_eq!(profile.transport, transport);
            let framing = profile.framing().unwrap();
            assert_eq!(framing.terminators, b"\r\n\t\x03");
            assert_eq!(framing.frame_bytes_max.get(), 4096);
            assert_eq!(framing.silence, Duration::from_millis(500));
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

    #[test]
    fn a_scanner_that_says_bad_has_a_sound_of_its_own_for_each() {
        let with_bad: Vec<_> = Profile::all().filter(|p| !p.answers.bad.is_empty()).collect();
        assert!(with_bad.len() > 6, "{}", with_bad.len());
        for profile in with_bad {
            let Answers { good, notice, bad, fault } = &profile.answers;
            let tones = BTreeSet::from([good, notice, bad, fault]);
            assert_eq!(tones.len(), 4, "{}", profile.name);
        }
    }

    #[test]
    fn a_keyboard_and_a_protocol_of_packets_are_as_written() {
        let keyboard = built_in("zebra-keyboard");
        assert_eq!(keyboard.usb, [UsbId { vendor: 0x05e0, product: 0x1200 }]);
        assert!(matches!(keyboard.protocol, Protocol::Keys { .. }), "{:?}", keyboard.protocol);
        let ssi = built_in("zebra-ssi");
        assert_eq!(ssi.answers.bad, [0xe6, 6]);
        let lock = LockCommands { lock: vec![0xea], unlock: vec![0xe9] };
        assert_eq!((ssi.protocol, ssi.lock), (built_in("generic-ssi").protocol, Some(lock)));
    }

    /// Between two `7E`, escaped, an opcode with all that follows it, and their exclusive or.
    #[test]
    fn every_command_of_a_cino_is_a_whole_frame() {
        let Answers { good, notice, bad, fault } = built_in("cino-fuzzyscan").answers;
        for frame in [good, notice, bad, fault] {
            let [0x7e, inside @ .., 0x7e] = &frame[..] else { panic!("{frame:?}") };
            let special = [0x7e, 0x5c, 0x06, 0x15, 0x11, 0x13];
            assert!(!inside.iter().any(|byte| special.contains(byte)), "{frame:?}");
            assert_eq!(inside.len(), 3 + 1 + 2 + 64 + 1);
            assert_eq!(inside[..6], [0x80, 0x01, 0x00, 0x04, 0x00, 0x40]);
            assert_eq!(inside.iter().fold(0, |lrc, byte| lrc ^ byte), 0);
        }
    }
}
