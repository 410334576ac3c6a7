//! What is plugged in that could be a scanner, and which of it is the one that is meant.
//!
//! Linux tells it in files below `/sys`; nothing is opened to find it out, for that would disturb a scanner at work. What a
//! device says of itself is a stranger's text: cut at a bound, and without anything that could steer a terminal.

use super::point_of_sale::{self, DESCRIPTOR_BYTES_MAX};
use super::profile::{Transport, UsbId};
use crate::event::printable;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Entries of a folder that are looked at.
const ENTRIES_MAX: usize = 1_024;

/// Folders looked at from a device up to its USB device: an input device has its HID device and its interface between.
const LEVELS_MAX: usize = 8;

/// What is read of a file with one line, in bytes.
const LINE_BYTES_MAX: usize = 256;

/// Keys that every scanner types with, by the numbers of the kernel's `input-event-codes.h`: 1 to 0, Q to P, Enter, A to L, Z to M.
const KEYS: [std::ops::RangeInclusive<usize>; 5] = [2..=11, 16..=25, 28..=28, 30..=38, 44..=50];

/// Buses in `input.h`: a keyboard that is built in is no scanner.
const BUSES: [&str; 2] = ["0003", BLUETOOTH];
const BLUETOOTH: &str = "0005";

/// A device that could be a scanner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugged {
    /// How it is read.
    pub transport: Transport,
    /// What is opened, below `/dev`.
    pub node: PathBuf,
    /// A path that it has wherever it is plugged in, where udev makes one.
    pub link: Option<PathBuf>,
    /// What it says it is; nothing of a port that is built in.
    pub id: Option<UsbId>,
    /// Its serial number, where it has one.
    pub serial: Option<String>,
    /// Who made it, as it says.
    pub maker: Option<String>,
    /// What it is, as it says.
    pub product: Option<String>,
    /// The USB port that it is plugged into, such as `1-2.3`.
    pub port: Option<String>,
    /// Which of its USB interfaces this is.
    pub interface: Option<u8>,
}

/// Which device a scanner is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The one at this path.
    Path(PathBuf),
    /// The one that fits.
    Fits(Selector),
}

/// What tells one device from the others; it must fit exactly one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    /// It has any of these; if there are none, any.
    pub ids: Vec<UsbId>,
    /// It has this serial number.
    pub serial: Option<String>,
    /// It is plugged into this USB port.
    pub port: Option<String>,
}

/// Why no device is the one that is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// None fits.
    #[error("no {transport} device {wanted} is plugged in")]
    None {
        /// How it would be read.
        transport: &'static str,
        /// What was looked for.
        wanted: String,
    },
    /// More than one fits. Which is which must not hang on the order in which they were plugged in.
    #[error(
        "more than one {transport} device {wanted} is plugged in; `{key}` tells them apart: {found}"
    )]
    Several {
        /// How they are read.
        transport: &'static str,
        /// What was looked for.
        wanted: String,
        /// The key of the configuration that would do.
        key: &'static str,
        /// All of them, with what tells them apart.
        found: String,
    },
}

/// The machine, as far as it tells what is plugged in.
#[derive(Debug, Clone)]
pub struct Machine {
    /// What stands before `/dev`, `/sys` and `/proc`.
    root: PathBuf,
}

impl Machine {
    /// This one.
    pub fn this() -> Self {
        Self::at("/")
    }

    /// One whose `/dev`, `/sys` and `/proc` lie in a folder.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// A file of the machine.
    pub(super) fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.root.join(below)
    }

    /// Everything that could be a scanner, in the order of transports and names.
    pub fn plugged(&self) -> Vec<Plugged> {
        CLASSES.iter().flat_map(|class| self.of_class(class)).collect()
    }

    /// The one device that fits.
    pub fn find(&self, transport: Transport, selector: &Selector) -> Result<Plugged, FindError> {
        let class = CLASSES.iter().find(|class| class.transport == transport);
        let mut found = class.map(|class| self.of_class(class)).unwrap_or_default();
        found.retain(|device| selector.fits(device));
        let transport = transport.name();
        let wanted = selector.to_string();
        match (found.pop(), found.is_empty()) {
            (Some(device), true) => Ok(device),
            (Some(device), false) => {
                found.push(device);
                let key = distinction(&found);
                let each = found.iter().map(Plugged::marks).collect::<Vec<_>>();
                Err(FindError::Several { transport, wanted, key, found: each.join("; ") })
            }
            (None, _) => Err(FindError::None { transport, wanted }),
        }
    }

    /// The device at a path, if it could be a scanner of the transport.
    pub fn plugged_at(&self, transport: Transport, path: &Path) -> Option<Plugged> {
        let node = fs::canonicalize(path).ok()?;
        let class = CLASSES.iter().find(|class| class.transport == transport)?;
        self.of_class(class).into_iter().find(|device| device.node == node)
    }

    /// How what lies at a path is read, where Linux says.
    pub(super) fn transport_of(&self, path: &Path) -> Option<Transport> {
        let node = fs::canonicalize(path).ok()?;
        let name = node.file_name()?;
        CLASSES
            .iter()
            .find(|class| class.is_named(name) && self.path(class.sys).join(name).exists())
            .map(|class| class.transport)
    }

    fn of_class(&self, class: &Class) -> Vec<Plugged> {
        let folder = self.path(class.sys);
        let mut names = entries(&folder);
        names.retain(|name| class.is_named(name));
        names.sort();
        let mut found: Vec<_> = names
            .iter()
            .filter_map(|name| {
                let entry = folder.join(name);
                let device = fs::canonicalize(entry.join("device")).ok()?;
                if !class.is_of_interest(&entry, &device) {
                    return None;
                }
                Some(self.describe(class, name, &device))
            })
            .collect();
        if class.transport != Transport::Serial {
            one_of_each(&mut found);
        }
        found
    }

    fn describe(&self, class: &Class, name: &OsStr, device: &Path) -> Plugged {
        let Identity { id, serial, maker, product, port, interface } = Identity::of(device);
        let node = self.path("dev").join(class.dev).join(name);
        let link = self.link(class, name);
        let transport = class.transport;
        Plugged { transport, node, link, id, serial, maker, product, port, interface }
    }

    /// The link among those that udev makes that points at the node.
    fn link(&self, class: &Class, name: &OsStr) -> Option<PathBuf> {
        let folder = self.path(class.links?);
        let points_there = |link: &PathBuf| {
            fs::read_link(link).is_ok_and(|target| target.file_name() == Some(name))
        };
        let mut links = entries(&folder);
        links.sort();
        links.into_iter().map(|link| folder.join(link)).find(points_there)
    }
}

impl Plugged {
    /// Whether another is of the same model, and read the same way.
    pub fn is_like(&self, other: &Self) -> bool {
        self.transport == other.transport && self.id == other.id
    }

    /// What tells it from its like, for people: `/dev/ttyACM0 (serial number S1, USB port 1-2)`.
    pub fn marks(&self) -> String {
        let serial = self.serial.as_ref().map_or_else(
            || "no serial number".to_owned(),
            |serial| format!("serial number {serial}"),
        );
        let port = self.port.as_ref().map(|port| format!(", USB port {port}"));
        format!("{} ({serial}{})", self.node.display(), port.unwrap_or_default())
    }
}

impl Selector {
    /// Whether it fits a device of its transport.
    pub fn fits(&self, device: &Plugged) -> bool {
        (self.ids.is_empty() || device.id.is_some_and(|id| self.ids.contains(&id)))
            && (self.serial.is_none() || self.serial == device.serial)
            && (self.port.is_none() || self.port == device.port)
    }

    /// Whether a device that fits the other could fit this one, too, and nothing written here says otherwise.
    pub fn includes(&self, other: &Self) -> bool {
        let is_same_model = self.ids.is_empty()
            || other.ids.is_empty()
            || self.ids.iter().any(|id| other.ids.contains(id));
        is_same_model
            && (self.serial.is_none() || self.serial == other.serial)
            && (self.port.is_none() || self.port == other.port)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.ids.iter().map(UsbId::to_string).collect();
        f.write_str(if ids.is_empty() { "of any model" } else { "" })?;
        f.write_str(&ids.join(", "))?;
        if let Some(serial) = &self.serial {
            write!(f, " with serial number {serial}")?;
        }
        if let Some(port) = &self.port {
            write!(f, " at USB port {port}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Fits(selector) => write!(f, "{selector}"),
        }
    }
}

/// The key of the configuration that tells devices of one model apart.
pub fn distinction(devices: &[Plugged]) -> &'static str {
    let differ = |mark: fn(&Plugged) -> Option<&String>| {
        let mut marks: Vec<_> = devices.iter().filter_map(mark).collect();
        marks.sort();
        marks.dedup();
        marks.len() == devices.len()
    };
    if differ(|device| device.serial.as_ref()) {
        "serial"
    } else if differ(|device| device.port.as_ref()) {
        "port"
    } else {
        "path"
    }
}

/// Where Linux lists devices of one kind.
struct Class {
    transport: Transport,
    sys: &'static str,
    /// How the names begin; a number follows, or for terminals anything.
    prefix: &'static str,
    /// Where the nodes lie below `/dev`.
    dev: &'static str,
    /// Where udev links to them by what they are.
    links: Option<&'static str>,
}

static CLASSES: [Class; 4] = [
    Class {
        transport: Transport::Serial,
        sys: "sys/class/tty",
        prefix: "tty",
        dev: "",
        links: Some("dev/serial/by-id"),
    },
    Class {
        transport: Transport::Keyboard,
        sys: "sys/class/input",
        prefix: "event",
        dev: "input",
        links: Some("dev/input/by-id"),
    },
    Class {
        transport: Transport::HidPos,
        sys: "sys/class/hidraw",
        prefix: "hidraw",
        dev: "",
        links: None,
    },
    Class {
        transport: Transport::Camera,
        sys: "sys/class/video4linux",
        prefix: "video",
        dev: "",
        links: Some("dev/v4l/by-id"),
    },
];

impl Class {
    fn is_named(&self, name: &OsStr) -> bool {
        name.as_encoded_bytes().starts_with(self.prefix.as_bytes())
    }

    /// Whether an entry could be a scanner.
    fn is_of_interest(&self, entry: &Path, device: &Path) -> bool {
        match self.transport {
            // A port that is built in has a type if it is there for real; most of the 32 that Linux lists are not.
            Transport::Serial => {
                usb_device(device).is_some() || line(entry, "type").is_some_and(|kind| kind != "0")
            }
            Transport::Keyboard => {
                let bus = line(device, "id/bustype");
                bus.is_some_and(|bus| BUSES.contains(&&*bus)) && types(device)
            }
            Transport::HidPos => {
                let descriptor = read(&device.join("report_descriptor"), DESCRIPTOR_BYTES_MAX);
                descriptor.is_some_and(|descriptor| point_of_sale::is_scanner(&descriptor))
            }
            // A camera's other nodes give data about its pictures, or take pictures.
            Transport::Camera => line(entry, "index").is_none_or(|index| index == "0"),
            Transport::Tcp | Transport::Folder => false,
        }
    }
}

/// Whether an input device has the keys of letters and digits.
fn types(device: &Path) -> bool {
    let Some(bitmap) = line(device, "capabilities/key") else { return false };
    // Words of the kernel's own size, the highest first.
    let words: Vec<_> =
        bitmap.split(' ').rev().map(|word| usize::from_str_radix(word, 16).unwrap_or(0)).collect();
    let bits = usize::BITS as usize;
    let has =
        |key: usize| words.get(key / bits).is_some_and(|word| (word >> (key % bits)) & 1 == 1);
    KEYS.into_iter().flatten().all(has)
}

/// Of a device with several nodes of one kind only its first interface is a scanner.
fn one_of_each(found: &mut Vec<Plugged>) {
    found.sort_by(|a, b| (&a.port, a.interface, &a.node).cmp(&(&b.port, b.interface, &b.node)));
    found.dedup_by(|later, first| later.port.is_some() && later.port == first.port);
    found.sort_by(|a, b| a.node.cmp(&b.node));
}

/// What a device says it is.
#[derive(Debug, Default)]
struct Identity {
    id: Option<UsbId>,
    serial: Option<String>,
    maker: Option<String>,
    product: Option<String>,
    port: Option<String>,
    interface: Option<u8>,
}

impl Identity {
    fn of(device: &Path) -> Self {
        match usb_device(device).filter(|_| !is_bluetooth(device)) {
            Some((usb, id)) => Self {
                id: Some(id),
                serial: line(usb, "serial"),
                maker: line(usb, "manufacturer"),
                product: line(usb, "product"),
                port: usb.file_name().map(|name| printable(&name.to_string_lossy())),
                interface: above(device)
                    .find_map(|dir| line(dir, "bInterfaceNumber"))
                    .and_then(|number| u8::from_str_radix(&number, 16).ok()),
            },
            None => Self::of_input(device)
                .or_else(|| Self::of_hid(device))
                .unwrap_or(Self { product: line(device, "name"), ..Self::default() }),
        }
    }

    /// Of an input device without a cable.
    fn of_input(device: &Path) -> Option<Self> {
        Some(Self {
            id: id(device, ["id/vendor", "id/product"]),
            serial: line(device, "uniq"),
            product: Some(line(device, "name")?),
            ..Self::default()
        })
        .filter(|identity| identity.id.is_some())
    }

    /// Of a HID device without a cable: `HID_ID=0005:000005E0:00001200` and lines like it.
    fn of_hid(device: &Path) -> Option<Self> {
        let value = |key| uevent(device, key);
        let id = value("HID_ID")?;
        let mut numbers = id.split(':').skip(1).map(|number| {
            u32::from_str_radix(number, 16).ok().and_then(|number| u16::try_from(number).ok())
        });
        Some(Self {
            id: Some(UsbId { vendor: numbers.next()??, product: numbers.next()?? }),
            serial: value("HID_UNIQ").map(|serial| printable(&serial)),
            product: value("HID_NAME").map(|name| printable(&name)),
            ..Self::default()
        })
    }
}

/// Whether an input or a HID device has no cable. The USB device above it, if any, is then the adapter that it shares with others.
fn is_bluetooth(device: &Path) -> bool {
    let of_input = line(device, "id/bustype").is_some_and(|bus| bus == BLUETOOTH);
    let of_hid = || uevent(device, "HID_ID").is_some_and(|id| id.starts_with(BLUETOOTH));
    of_input || of_hid()
}

/// What the kernel says of a device under a key.
fn uevent(device: &Path, key: &str) -> Option<String> {
    let text = read(&device.join("uevent"), DESCRIPTOR_BYTES_MAX)?;
    let text = String::from_utf8_lossy(&text);
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
    Some(value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// The nearest folder above a device that has USB ids. A USB serial adapter has its port and its interface between.
fn usb_device(device: &Path) -> Option<(&Path, UsbId)> {
    above(device).find_map(|dir| Some((dir, id(dir, ["idVendor", "idProduct"])?)))
}

fn above(device: &Path) -> impl Iterator<Item = &Path> {
    device.ancestors().take(LEVELS_MAX)
}

fn id(dir: &Path, [vendor, product]: [&str; 2]) -> Option<UsbId> {
    let number = |name| u16::from_str_radix(&line(dir, name)?, 16).ok();
    Some(UsbId { vendor: number(vendor)?, product: number(product)? })
}

/// The one line of a file, printable; nothing if it is empty.
fn line(dir: &Path, name: &str) -> Option<String> {
    let bytes = read(&dir.join(name), LINE_BYTES_MAX)?;
    let text = String::from_utf8_lossy(&bytes);
    Some(printable(text.trim())).filter(|text| !text.is_empty())
}

fn read(path: &Path, bytes_max: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    File::open(path).ok()?.take(limit).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn entries(folder: &Path) -> Vec<std::ffi::OsString> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.take(ENTRIES_MAX).filter_map(|entry| Some(entry.ok()?.file_name())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scanner::made_up::{BUTTONS, LETTERS, MadeUp, POINT_OF_SALE, Usb};

    const SCANNER: UsbId = UsbId { vendor: 0x05e0, product: 0x1701 };
    const ONE: Usb<'_> = Usb { port: "1-1", id: SCANNER, serial: "S1" };
    const TWO: Usb<'_> = Usb { port: "1-2.3", id: SCANNER, serial: "S2" };

    fn nodes(made_up: &MadeUp) -> Vec<String> {
        let short = |device: Plugged| {
            let node = device.node.strip_prefix(made_up.path("dev")).unwrap().to_owned();
            format!("{} {}", device.transport.name(), node.display())
        };
        made_up.machine().plugged().into_iter().map(short).collect()
    }

    #[test]
    fn what_could_be_a_scanner_is_listed_and_nothing_else() {
        let made_up = MadeUp::new();
        assert_eq!(nodes(&made_up), [""; 0]);
        made_up.tty("ttyACM0", ONE, "1-1:1.0");
        made_up.tty("ttyUSB3", TWO, "1-2.3:1.0/ttyUSB3");
        made_up.file("sys/class/tty/tty1/active", "");
        for (port, kind) in [("ttyS0", "4"), ("ttyS1", "0")] {
            made_up.file(format!("sys/devices/platform/{port}/x"), "");
            made_up.file(format!("sys/class/tty/{port}/type"), kind);
            let device = made_up.path(format!("sys/devices/platform/{port}"));
            made_up.link(format!("sys/class/tty/{port}/device"), device);
        }
        made_up.keyboard("event3", Usb { port: "1-3", ..ONE }, 0, LETTERS);
        made_up.keyboard("event4", Usb { port: "1-3", ..ONE }, 0, BUTTONS);
        made_up.keyboard("event2", Usb { port: "1-3", ..ONE }, 1, LETTERS);
        made_up.hidraw("hidraw0", Usb { port: "1-4", ..ONE }, POINT_OF_SALE);
        made_up.hidraw("hidraw1", Usb { port: "1-5", ..ONE }, &[5, 1, 9, 6, 0xa1, 1, 0xc0]);
        made_up.video("video0", Usb { port: "1-6", ..ONE }, 0);
        made_up.video("video1", Usb { port: "1-6", ..ONE }, 1);
        let expected = [
            "serial ttyACM0",
            "serial ttyS0",
            "serial ttyUSB3",
            "keyboard input/event3",
            "hid_pos hidraw0",
            "camera video0",
        ];
        assert_eq!(nodes(&made_up), expected);
    }

    #[test]
    fn a_keyboard_that_is_built_in_is_no_scanner() {
        let made_up = MadeUp::new();
        made_up.keyboard("event0", ONE, 0, LETTERS);
        let bus = made_up.path("sys/class/input/event0/device/id/bustype");
        for (number, expected) in [("0011", 0), ("0003", 1), ("0005", 1), ("", 0)] {
            fs::write(&bus, number).unwrap();
            assert_eq!(nodes(&made_up).len(), expected, "{number}");
        }
    }

    #[test]
    fn a_device_is_described_by_its_usb_device() {
        let made_up = MadeUp::new();
        made_up.tty("ttyUSB3", TWO, "1-2.3:1.2/ttyUSB3");
        made_up.link("dev/serial/by-id/usb-Another-if00", "../../ttyUSB1");
        made_up.link("dev/serial/by-id/usb-Symbol_S2-if02", "../../ttyUSB3");
        let expected = Plugged {
            transport: Transport::Serial,
            node: made_up.path("dev/ttyUSB3"),
            link: Some(made_up.path("dev/serial/by-id/usb-Symbol_S2-if02")),
            id: Some(SCANNER),
            serial: Some("S2".to_owned()),
            maker: Some("Symbol".to_owned()),
            product: Some("Bar Code Scanner".to_owned()),
            port: Some("1-2.3".to_owned()),
            interface: Some(2),
        };
        assert_eq!(made_up.machine().plugged(), [expected]);
    }

    /// Plugs a scanner in that is both an input and a HID device below `above`.
    fn without_a_cable(made_up: &MadeUp, above: &Path, number: u8) {
        let serial = format!("c0:ff:ee:00:00:0{number}");
        let hid = above.join(format!("0005:05E0:1200.000{number}"));
        let input = hid.join(format!("input/input{number}"));
        for (name, text) in [
            ("id/bustype", "0005"),
            ("id/vendor", "05e0"),
            ("id/product", "1701"),
            ("name", "Scanner"),
            ("uniq", &serial),
            ("capabilities/key", LETTERS),
        ] {
            made_up.file(input.join(name), text);
        }
        made_up.link(format!("sys/class/input/event{number}/device"), made_up.path(&input));
        made_up.file(hid.join("report_descriptor"), POINT_OF_SALE);
        let uevent =
            format!("HID_ID=0005:000005E0:00001701\nHID_NAME=Scanner\nHID_UNIQ={serial}\n");
        made_up.file(hid.join("uevent"), uevent);
        made_up.link(format!("sys/class/hidraw/hidraw{number}/device"), made_up.path(hid));
    }

    #[test]
    fn a_device_without_a_cable_is_described_by_itself() {
        let made_up = MadeUp::new();
        let adapter = Usb { id: UsbId { vendor: 0x0a12, product: 1 }, ..ONE };
        let adapter = made_up.usb(adapter).join("1-1:1.0/bluetooth/hci0/hci0:256");
        without_a_cable(&made_up, Path::new("sys/devices/virtual/misc/uhid"), 1);
        without_a_cable(&made_up, &adapter, 2);
        without_a_cable(&made_up, &adapter, 3);
        let found = made_up.machine().plugged();
        let serials: Vec<_> = found.iter().map(|device| device.serial.as_deref()).collect();
        let each = ["c0:ff:ee:00:00:01", "c0:ff:ee:00:00:02", "c0:ff:ee:00:00:03"].map(Some);
        assert_eq!(serials, [each, each].concat());
        for device in found {
            assert_eq!((device.id, device.port), (Some(SCANNER), None), "{:?}", device.node);
            assert_eq!(device.product.as_deref(), Some("Scanner"));
        }
    }

    #[test]
    fn what_a_device_says_of_itself_steers_nothing_and_ends() {
        let made_up = MadeUp::new();
        made_up.tty("ttyACM0", ONE, "1-1:1.0");
        let usb = made_up.usb(ONE);
        made_up.file(usb.join("product"), "\u{1b}[2Jscanner\u{202e}\n\nsecond");
        made_up.file(usb.join("serial"), "S".repeat(10_000));
        made_up.file(usb.join("manufacturer"), b"\xff\xfe");
        let device = made_up.machine().plugged().remove(0);
        assert_eq!(device.product.as_deref(), Some("\\u{1b}[2Jscanner\\u{202e}\\n\\nsecond"));
        assert_eq!(device.serial.map(|serial| serial.len()), Some(200));
        assert_eq!(device.maker.as_deref(), Some("\u{fffd}\u{fffd}"));
        made_up.file(usb.join("idVendor"), "05e0nonsense");
        assert_eq!(made_up.machine().plugged(), []);
    }

    #[test]
    fn a_selector_finds_one_device_or_says_what_tells_them_apart() {
        let made_up = MadeUp::new();
        let machine = made_up.machine();
        let any = Selector { ids: vec![SCANNER], ..Selector::default() };
        let find = |selector: &Selector| {
            machine
                .find(Transport::Serial, selector)
                .map(|device| device.node.file_name().unwrap().to_str().unwrap().to_owned())
                .map_err(|error| error.to_string().replace(machine.root.to_str().unwrap(), ""))
        };
        let none = "no serial device 05e0:1701 is plugged in";
        assert_eq!(find(&any), Err(none.to_owned()));
        made_up.tty("ttyACM0", ONE, "1-1:1.0");
        assert_eq!(find(&any), Ok("ttyACM0".to_owned()));
        made_up.tty("ttyACM1", TWO, "1-2.3:1.0");
        let several = "more than one serial device 05e0:1701 is plugged in; `serial` tells them apart: \
            /dev/ttyACM0 (serial number S1, USB port 1-1); /dev/ttyACM1 (serial number S2, USB port 1-2.3)";
        assert_eq!(find(&any), Err(several.to_owned()));
        let serial = Selector { serial: Some("S2".to_owned()), ..any.clone() };
        assert_eq!(find(&serial), Ok("ttyACM1".to_owned()));
        let port = Selector { port: Some("1-1".to_owned()), ..Selector::default() };
        assert_eq!(find(&port), Ok("ttyACM0".to_owned()));
        let both = Selector { port: Some("1-1".to_owned()), ..serial };
        let none = "no serial device 05e0:1701 with serial number S2 at USB port 1-1 is plugged in";
        assert_eq!(find(&both), Err(none.to_owned()));
    }

    #[test]
    fn what_tells_devices_apart_is_what_all_have_and_none_shares() {
        let made_up = MadeUp::new();
        made_up.tty("ttyACM0", ONE, "1-1:1.0");
        made_up.tty("ttyACM1", Usb { serial: "S1", ..TWO }, "1-2.3:1.0");
        let devices = made_up.machine().plugged();
        assert_eq!(distinction(&devices), "port");
        made_up.tty("ttyACM2", ONE, "1-1:1.2");
        assert_eq!(distinction(&made_up.machine().plugged()), "path");
    }

    #[test]
    fn a_selector_includes_what_says_more() {
        let of = |product: Option<u16>, serial: Option<&str>, port: Option<&str>| Selector {
            ids: product.map(|product| UsbId { vendor: 1, product }).into_iter().collect(),
            serial: serial.map(str::to_owned),
            port: port.map(str::to_owned),
        };
        let one = of(Some(1), Some("A"), None);
        for (other, expected) in [
            (of(None, None, None), [false, true]),
            (of(Some(1), None, None), [false, true]),
            (of(Some(1), None, Some("1-2")), [false, false]),
            (of(Some(1), Some("A"), None), [true, true]),
            (of(None, Some("A"), Some("1-2")), [true, false]),
            (of(Some(1), Some("B"), None), [false, false]),
            (of(Some(2), Some("A"), None), [false, false]),
        ] {
            assert_eq!([one.includes(&other), other.includes(&one)], expected, "{other}");
        }
    }

    #[test]
    fn a_path_says_how_it_is_read() {
        let made_up = MadeUp::new();
        made_up.tty("ttyACM0", ONE, "1-1:1.0");
        made_up.keyboard("event3", TWO, 0, LETTERS);
        made_up.link("dev/serial/by-id/usb", "../../ttyACM0");
        made_up.file("dev/null", "");
        let of = |path| made_up.machine().transport_of(&made_up.path(path));
        assert_eq!(of("dev/serial/by-id/usb"), Some(Transport::Serial));
        assert_eq!(of("dev/input/event3"), Some(Transport::Keyboard));
        assert_eq!((of("dev/null"), of("dev/none")), (None, None));
    }
}
