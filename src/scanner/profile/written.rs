//! A profile as it is written down, and what makes it one that can work.

use super::{
    ANSWER_BYTES_MAX, Answers, DataBits, FRAME_BYTES_MAX, Flow, IN_FLIGHT_MAX, Line, LockCommands,
    Parity, Profile, ProfileError, Protocol, StopBits, Transport, UsbId, Verified, WaitsForAnswer,
};
use crate::scan::Tone;
use crate::scanner::framing::{Framing, Identifier, Stx};
use crate::scanner::{camera, hid_pos, keyboard};
use serde::Deserialize;
use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Longest name, in bytes.
pub(super) const NAME_BYTES_MAX: usize = 64;

/// Below this a slow line looks silent in the middle of a frame; above it a half frame would be joined with the next scan.
pub(super) const SILENCE_MS: RangeInclusive<u64> = 50..=5000;

/// From the slowest line that a scanner is still set to, to the fastest that Linux has on every port.
pub(super) const BAUD: RangeInclusive<u32> = 300..=921_600;

/// Longest feature report, in bytes, its id among them: what a full-speed interrupt endpoint carries at once.
pub(super) const FEATURE_BYTES_MAX: usize = 64;

/// A picture's side, in pixels: from QVGA to 8K.
pub(super) const PIXELS: RangeInclusive<u32> = 240..=8192;

/// Opcodes are above ASCII ("Simple Serial Interface Programmer's Guide", table of opcodes).
const SSI_OPCODE_MIN: u8 = 0x80;

/// `CMD_ACK` and `CMD_NAK`: the handshake's own.
const SSI_HANDSHAKE: [u8; 2] = [0xd0, 0xd1];

const TONES: [Tone; 4] = [Tone::Good, Tone::Notice, Tone::Bad, Tone::Fault];

/// Reads and checks a profile.
pub(super) fn read(toml: &str) -> Result<Profile, ProfileError> {
    let written: Written =
        toml::from_str(toml).map_err(|error| ProfileError::Malformed(Box::new(error)))?;
    let kind = written.kind();
    written.check_name()?;
    written.refuse_unused(kind)?;
    if written.sources.is_empty() && written.verified != Verified::Definition {
        return Err(ProfileError::NoSource);
    }
    let answers = written.answers.unwrap_or_default();
    let waits_for_answer =
        if written.waits_for_answer { WaitsForAnswer::Yes } else { WaitsForAnswer::No };
    check_answers(&answers, waits_for_answer)?;
    check_lock(written.lock.as_ref())?;
    if kind == Kind::Ssi {
        check_opcodes(&answers, written.lock.as_ref())?;
    }
    let tables = Tables {
        framing: written.framing.unwrap_or_default(),
        keyboard: written.keyboard.unwrap_or_default(),
        hid_pos: written.hid_pos.unwrap_or_default(),
        camera: written.camera.unwrap_or_default(),
    };
    Ok(Profile {
        line: line(written.serial, kind)?,
        protocol: tables.into_protocol(kind)?,
        in_flight_max: in_flight(
            written.in_flight_max.unwrap_or(kind.in_flight_max()),
            waits_for_answer,
        )?,
        name: written.name,
        maker: written.maker,
        model: written.model,
        transport: written.transport,
        verified: written.verified,
        sources: written.sources,
        usb: written.usb,
        usb_vendors: written.usb_vendors,
        answers,
        lock: written.lock,
        waits_for_answer,
        notes: written.notes,
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    maker: String,
    model: String,
    transport: Transport,
    protocol: Option<SerialProtocol>,
    verified: Verified,
    #[serde(default)]
    sources: Vec<String>,
    #[serde(default)]
    usb: Vec<UsbId>,
    #[serde(default)]
    usb_vendors: Vec<u16>,
    serial: Option<WrittenSerial>,
    framing: Option<WrittenFraming>,
    keyboard: Option<WrittenKeyboard>,
    hid_pos: Option<hid_pos::Settings>,
    camera: Option<camera::Settings>,
    answers: Option<Answers>,
    lock: Option<LockCommands>,
    #[serde(default)]
    waits_for_answer: bool,
    in_flight_max: Option<u16>,
    #[serde(default)]
    notes: String,
}

/// What a scanner on a serial port can be set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SerialProtocol {
    Text,
    Ssi,
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

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenFraming {
    terminators: Option<Vec<u8>>,
    stx: Option<Stx>,
    identifier: Option<Identifier>,
    frame_bytes_max: Option<u16>,
    silence_ms: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenKeyboard {
    layout: keyboard::Layout,
}

/// What decides which keys and tables mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Serial,
    Ssi,
    Keyboard,
    HidPos,
    Tcp,
    Camera,
    Folder,
}

/// The tables that say how a scanner's bytes become symbols.
#[derive(Debug)]
struct Tables {
    framing: WrittenFraming,
    keyboard: WrittenKeyboard,
    hid_pos: hid_pos::Settings,
    camera: camera::Settings,
}

impl Written {
    fn kind(&self) -> Kind {
        match self.transport {
            Transport::Serial if self.protocol == Some(SerialProtocol::Ssi) => Kind::Ssi,
            Transport::Serial => Kind::Serial,
            Transport::Keyboard => Kind::Keyboard,
            Transport::HidPos => Kind::HidPos,
            Transport::Tcp => Kind::Tcp,
            Transport::Camera => Kind::Camera,
            Transport::Folder => Kind::Folder,
        }
    }

    fn check_name(&self) -> Result<(), ProfileError> {
        let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if self.name.bytes().all(is_plain) && (1..=NAME_BYTES_MAX).contains(&self.name.len()) {
            return Ok(());
        }
        Err(ProfileError::Name(self.name.clone()))
    }

    fn refuse_unused(&self, kind: Kind) -> Result<(), ProfileError> {
        use Kind::{Camera, HidPos, Keyboard, Serial, Ssi, Tcp};
        let frames: &[Kind] = &[Serial, Ssi, Tcp, Keyboard, HidPos];
        let text: &[Kind] = &[Serial, Tcp, Keyboard];
        let hears: &[Kind] = &[Serial, Ssi, Tcp];
        let framing = self.framing.as_ref();
        let in_framing = |is_written: fn(&WrittenFraming) -> bool| framing.is_some_and(&is_written);
        let keys = [
            ("protocol", self.protocol.is_some(), &[Serial, Ssi][..]),
            ("serial", self.serial.is_some(), &[Serial, Ssi]),
            ("usb", !self.usb.is_empty(), &[Serial, Ssi, Keyboard, HidPos, Camera]),
            ("usb_vendors", !self.usb_vendors.is_empty(), &[Serial, Ssi]),
            ("framing", framing.is_some(), frames),
            ("framing.terminators", in_framing(|table| table.terminators.is_some()), text),
            ("framing.stx", in_framing(|table| table.stx.is_some()), text),
            ("framing.identifier", in_framing(|table| table.identifier.is_some()), text),
            (
                "framing.silence_ms",
                in_framing(|table| table.silence_ms.is_some()),
                &[Serial, Tcp, Keyboard, HidPos],
            ),
            ("keyboard", self.keyboard.is_some(), &[Keyboard]),
            ("hid_pos", self.hid_pos.is_some(), &[HidPos]),
            ("camera", self.camera.is_some(), &[Camera]),
            ("answers", self.answers.is_some(), hears),
            ("lock", self.lock.is_some(), hears),
            ("waits_for_answer", self.waits_for_answer, hears),
        ];
        match keys.into_iter().find(|(_, is_written, of)| *is_written && !of.contains(&kind)) {
            Some((what, ..)) => Err(ProfileError::Unused { what, kind: kind.name() }),
            None => Ok(()),
        }
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Serial => Transport::Serial.name(),
            Self::Ssi => "Zebra SSI",
            Self::Keyboard => Transport::Keyboard.name(),
            Self::HidPos => Transport::HidPos.name(),
            Self::Tcp => Transport::Tcp.name(),
            Self::Camera => Transport::Camera.name(),
            Self::Folder => Transport::Folder.name(),
        }
    }

    /// What is meant where nothing is written. A scanner that cannot be held back scans on: the more it may, the less is lost.
    const fn in_flight_max(self) -> u16 {
        match self {
            Self::Keyboard | Self::HidPos => IN_FLIGHT_MAX,
            Self::Serial | Self::Ssi | Self::Tcp | Self::Camera | Self::Folder => 1,
        }
    }
}

fn check_answers(answers: &Answers, waits: WaitsForAnswer) -> Result<(), ProfileError> {
    for tone in TONES {
        let bytes = answers.bytes(tone);
        let length = bytes.len();
        if length > ANSWER_BYTES_MAX {
            return Err(ProfileError::AnswerLength { tone, length });
        }
        if length == 0 && waits == WaitsForAnswer::Yes {
            return Err(ProfileError::NoAnswer(tone));
        }
        if tone != Tone::Good && length > 0 && bytes == answers.good {
            return Err(ProfileError::SoundsGood(tone));
        }
    }
    Ok(())
}

fn check_lock(commands: Option<&LockCommands>) -> Result<(), ProfileError> {
    let Some(LockCommands { lock, unlock }) = commands else { return Ok(()) };
    for (command, bytes) in [("lock", lock), ("unlock", unlock)] {
        match bytes.len() {
            0 => return Err(ProfileError::NoCommand(command)),
            1..=ANSWER_BYTES_MAX => {}
            length => return Err(ProfileError::CommandLength { command, length }),
        }
    }
    if lock == unlock { Err(ProfileError::SameCommands) } else { Ok(()) }
}

fn check_opcodes(answers: &Answers, commands: Option<&LockCommands>) -> Result<(), ProfileError> {
    let Answers { good, notice, bad, fault } = answers;
    let locks = commands
        .map(|LockCommands { lock, unlock }| [("lock.lock", lock), ("lock.unlock", unlock)]);
    let answers = [
        ("answers.good", good),
        ("answers.notice", notice),
        ("answers.bad", bad),
        ("answers.fault", fault),
    ];
    for (command, bytes) in answers.into_iter().chain(locks.into_iter().flatten()) {
        match bytes.first() {
            Some(&opcode) if opcode < SSI_OPCODE_MIN || SSI_HANDSHAKE.contains(&opcode) => {
                return Err(ProfileError::SsiOpcode { command, opcode });
            }
            _ => {}
        }
    }
    Ok(())
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

fn line(written: Option<WrittenSerial>, kind: Kind) -> Result<Option<Line>, ProfileError> {
    if !matches!(kind, Kind::Serial | Kind::Ssi) {
        return Ok(None);
    }
    let line = written.map_or(Ok(Line::default()), WrittenSerial::into_line)?;
    match line {
        Line { data_bits: DataBits::Seven, .. } if kind == Kind::Ssi => {
            Err(ProfileError::SsiDataBits)
        }
        Line { flow: Flow::Software, .. } if kind == Kind::Ssi => Err(ProfileError::SsiFlow),
        line => Ok(Some(line)),
    }
}

impl Default for WrittenSerial {
    /// As [`Line::default`].
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

impl Tables {
    fn into_protocol(self, kind: Kind) -> Result<Protocol, ProfileError> {
        Ok(match kind {
            Kind::Serial | Kind::Tcp => Protocol::Text(self.framing.into_framing()?),
            Kind::Ssi => Protocol::Ssi { frame_bytes_max: self.framing.bound()? },
            Kind::Keyboard => Protocol::Keys {
                layout: self.keyboard.layout,
                framing: self.framing.into_framing()?,
            },
            Kind::HidPos => {
                let length = self.hid_pos.feature.len();
                if length > FEATURE_BYTES_MAX {
                    return Err(ProfileError::FeatureLength(length));
                }
                Protocol::Reports { settings: self.hid_pos, framing: self.framing.into_framing()? }
            }
            Kind::Camera => {
                check_camera(&self.camera)?;
                Protocol::Pictures(self.camera)
            }
            Kind::Folder => Protocol::Files,
        })
    }
}

fn check_camera(settings: &camera::Settings) -> Result<(), ProfileError> {
    for (side, pixels) in [("width", settings.width), ("height", settings.height)] {
        if !PIXELS.contains(&pixels) {
            return Err(ProfileError::Pixels { side, pixels });
        }
    }
    if settings.formats.is_empty() { Err(ProfileError::NoFormat) } else { Ok(()) }
}

impl Default for WrittenKeyboard {
    /// As scanners are shipped.
    fn default() -> Self {
        Self { layout: keyboard::Layout::Us }
    }
}

impl WrittenFraming {
    /// What is not written is as [`Framing::default`].
    fn into_framing(self) -> Result<Framing, ProfileError> {
        let frame_bytes_max = self.bound()?;
        let generic = Framing::default();
        let terminators = self.terminators.unwrap_or(generic.terminators);
        let stx = self.stx.unwrap_or(generic.stx);
        if terminators.is_empty() {
            return Err(ProfileError::NoTerminator);
        }
        if let Some(odd) = terminators.iter().find(|byte| !byte.is_ascii_control()) {
            return Err(ProfileError::PrintableTerminator(*odd));
        }
        if stx == Stx::Strip && terminators.contains(&0x02) {
            return Err(ProfileError::StxTerminator);
        }
        let identifier = self.identifier.unwrap_or(generic.identifier);
        let silence = match self.silence_ms {
            None => generic.silence,
            Some(ms) if SILENCE_MS.contains(&ms) => Duration::from_millis(ms),
            Some(ms) => return Err(ProfileError::Silence(ms)),
        };
        Ok(Framing { terminators, stx, identifier, frame_bytes_max, silence })
    }

    fn bound(&self) -> Result<NonZeroU16, ProfileError> {
        let written = self.frame_bytes_max.unwrap_or(FRAME_BYTES_MAX);
        NonZeroU16::new(written)
            .filter(|limit| limit.get() <= FRAME_BYTES_MAX)
            .ok_or(ProfileError::FrameLimit(written))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU8;

    const SERIAL: &str = r#"
        name = "left-1"
        maker = "A"
        model = "B"
        transport = "serial"
        verified = "vm"
        sources = ["C"]
    "#;

    fn of(transport: &str, text: &str) -> Result<Profile, ProfileError> {
        read(&format!("{}\n{text}", SERIAL.replace("\"serial\"", &format!("{transport:?}"))))
    }

    #[test]
    fn what_is_not_written_is_generic() {
        let profile = read(SERIAL).unwrap();
        let generic = read(Profile::built_in("generic-serial").unwrap()).unwrap();
        assert_eq!(profile.protocol, generic.protocol);
        assert_eq!((profile.line, profile.line), (generic.line, Some(Line::default())));
        assert_eq!(profile.in_flight_max, NonZeroU16::MIN);
        assert_eq!((profile.answers, profile.lock), (Answers::default(), None));
        assert_eq!(profile.verified, Verified::Vm);
        assert_eq!(profile.waits_for_answer, WaitsForAnswer::No);
    }

    #[test]
    fn everything_can_be_written() {
        let profile = read(&format!(
            "{SERIAL}
            protocol = 'text'
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
            good = [0x07]
            [lock]
            lock = [0x44]
            unlock = [0x45]"
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
        assert_eq!(profile.line, Some(line));
        let framing = Framing {
            terminators: vec![3],
            stx: Stx::Keep,
            identifier: Identifier::Keep,
            frame_bytes_max: NonZeroU16::new(64).unwrap(),
            silence: Duration::from_millis(100),
        };
        assert_eq!(profile.protocol, Protocol::Text(framing));
        assert_eq!((profile.answers.good, profile.answers.bad), (vec![7], vec![]));
        let lock = LockCommands { lock: b"D".to_vec(), unlock: b"E".to_vec() };
        assert_eq!(profile.lock, Some(lock));
    }

    #[test]
    fn each_transport_has_what_it_needs_and_nothing_else() {
        let bound = NonZeroU16::new(64).unwrap();
        let ssi = of("serial", "protocol = 'ssi'\n[framing]\nframe_bytes_max = 64").unwrap();
        assert_eq!(ssi.protocol, Protocol::Ssi { frame_bytes_max: bound });
        let keys = of("keyboard", "[keyboard]\nlayout = 'us'").unwrap();
        let Protocol::Keys { layout: keyboard::Layout::Us, framing } = keys.protocol else {
            panic!("{keys:?}");
        };
        assert_eq!((framing.terminators, keys.line), (b"\r\n\t\x03".to_vec(), None));
        assert_eq!(keys.in_flight_max.get(), IN_FLIGHT_MAX, "it cannot be held back");
        let text =
            "[hid_pos]\nfeature = [0xfe, 1]\ncode_ids = 'honeywell'\n[framing]\nsilence_ms = 50";
        let reports = of("hid_pos", text).unwrap();
        assert_eq!(reports.in_flight_max.get(), IN_FLIGHT_MAX, "it cannot be held back");
        let Protocol::Reports { settings, framing } = reports.protocol else {
            panic!("{reports:?}");
        };
        let expected = hid_pos::Settings {
            feature: vec![0xfe, 1],
            reports: hid_pos::Reports::Identified,
            code_ids: hid_pos::CodeIds::Honeywell,
        };
        assert_eq!((settings, framing.silence), (expected, Duration::from_millis(50)));
        let pictures = of("camera", "[camera]\nreadings = 2\nfocus = 7").unwrap();
        let readings = NonZeroU8::new(2).unwrap();
        let expected = camera::Settings { readings, focus: Some(7), ..camera::Settings::default() };
        assert_eq!(pictures.protocol, Protocol::Pictures(expected));
        assert_eq!(of("folder", "").unwrap().protocol, Protocol::Files);
    }

    #[track_caller]
    fn check(transport: &str, text: &str, expected: ProfileError) {
        assert_eq!(of(transport, text), Err(expected), "{text}");
    }

    #[test]
    fn a_line_or_a_framing_that_cannot_work_says_why() {
        for (text, expected) in [
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
            ("protocol = 'ssi'\n[serial]\ndata_bits = 7", ProfileError::SsiDataBits),
            ("protocol = 'ssi'\n[serial]\nflow = 'software'", ProfileError::SsiFlow),
        ] {
            check("serial", text, expected);
        }
    }

    #[test]
    fn answers_and_commands_that_cannot_work_say_why() {
        let long = format!("[answers]\nbad = {:?}", [7_u8; 81]);
        let long_lock = format!("[lock]\nlock = {:?}\nunlock = [1]", [7_u8; 81]);
        let two = NonZeroU16::new(2).unwrap();
        let handshake = ProfileError::SsiOpcode { command: "answers.bad", opcode: 0xd1 };
        for (text, expected) in [
            (
                "waits_for_answer = true\n[answers]\ngood = [7]\nnotice = [8]\nfault = [8]",
                ProfileError::NoAnswer(Tone::Bad),
            ),
            (&*long, ProfileError::AnswerLength { tone: Tone::Bad, length: 81 }),
            (
                "waits_for_answer = true\nin_flight_max = 2\n\
                 [answers]\ngood = [7]\nnotice = [8]\nbad = [8]\nfault = [8]",
                ProfileError::InFlightWaiting(two),
            ),
            ("[answers]\ngood = [7]\nbad = [7]", ProfileError::SoundsGood(Tone::Bad)),
            ("[answers]\ngood = [7]\nnotice = [7]", ProfileError::SoundsGood(Tone::Notice)),
            ("[lock]\nlock = []\nunlock = [1]", ProfileError::NoCommand("lock")),
            ("[lock]\nlock = [1]\nunlock = []", ProfileError::NoCommand("unlock")),
            ("[lock]\nlock = [1]\nunlock = [1]", ProfileError::SameCommands),
            (&*long_lock, ProfileError::CommandLength { command: "lock", length: 81 }),
            ("protocol = 'ssi'\n[answers]\nbad = [0xd1]", handshake),
            (
                "protocol = 'ssi'\n[lock]\nlock = [0xea]\nunlock = [0x45]",
                ProfileError::SsiOpcode { command: "lock.unlock", opcode: 0x45 },
            ),
        ] {
            check("serial", text, expected);
        }
    }

    #[test]
    fn settings_of_reports_and_pictures_that_cannot_work_say_why() {
        let long = format!("[hid_pos]\nfeature = {:?}", [1_u8; 65]);
        check("hid_pos", &long, ProfileError::FeatureLength(65));
        check("camera", "[camera]\nformats = []", ProfileError::NoFormat);
        let pixels = |side, pixels| ProfileError::Pixels { side, pixels };
        check("camera", "[camera]\nwidth = 0", pixels("width", 0));
        check("camera", "[camera]\nheight = 8193", pixels("height", 8193));
    }

    #[test]
    fn what_names_nothing_or_has_no_source_is_refused() {
        for name in ["", "Left", "a/b", "a b", &"n".repeat(65)] {
            let text = SERIAL.replace("left-1", name);
            assert_eq!(read(&text), Err(ProfileError::Name(name.into())));
        }
        let misspelt = read(&format!("{SERIAL}\nframe_bytes_max = 0")).unwrap_err();
        assert!(matches!(misspelt, ProfileError::Malformed(_)), "{misspelt:?}");
        let unsourced = SERIAL.replace("[\"C\"]", "[]");
        assert_eq!(read(&unsourced), Err(ProfileError::NoSource));
        let own_rules = read(&unsourced.replace("\"vm\"", "\"definition\"")).unwrap();
        assert_eq!(own_rules.verified, Verified::Definition);
    }

    #[test]
    fn what_says_nothing_about_the_kind_of_scanner_is_refused() {
        let usb = "[[usb]]\nvendor = 1\nproduct = 2";
        let silence = "[framing]\nsilence_ms = 500";
        let answers = "[answers]\ngood = [7]";
        for (transport, what, text) in [
            ("tcp", "serial", "[serial]\nbaud = 9600"),
            ("tcp", "usb", usb),
            ("folder", "usb", usb),
            ("keyboard", "usb_vendors", "usb_vendors = [1]"),
            ("folder", "framing", silence),
            ("camera", "framing", silence),
            ("folder", "answers", answers),
            ("keyboard", "answers", answers),
            ("hid_pos", "answers", answers),
            ("keyboard", "lock", "[lock]\nlock = [1]\nunlock = [2]"),
            ("keyboard", "waits_for_answer", "waits_for_answer = true"),
            ("tcp", "protocol", "protocol = 'text'"),
            ("keyboard", "serial", "[serial]\nbaud = 9600"),
            ("serial", "keyboard", "[keyboard]\nlayout = 'us'"),
            ("keyboard", "hid_pos", "[hid_pos]\nfeature = []"),
            ("hid_pos", "framing.terminators", "[framing]\nterminators = [13]"),
            ("hid_pos", "framing.stx", "[framing]\nstx = 'keep'"),
            ("hid_pos", "framing.identifier", "[framing]\nidentifier = 'keep'"),
            ("folder", "camera", "[camera]\nwidth = 640"),
        ] {
            check(transport, text, ProfileError::Unused { what, kind: transport });
        }
        let ssi = format!("protocol = 'ssi'\n{silence}");
        let kind = "Zebra SSI";
        check("serial", &ssi, ProfileError::Unused { what: "framing.silence_ms", kind });
    }
}
