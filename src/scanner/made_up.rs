//! A machine that is made up, with devices plugged in as Linux tells of them: for tests.

use super::plugged::Machine;
use super::profile::UsbId;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Where its USB devices are.
const BUS: &str = "sys/devices/pci0000:00/0000:00:14.0/usb1";

/// The keys of a scanner that types, and those of its volume buttons.
pub(crate) const LETTERS: &str = "1000000000007 ff800000000007ff febeffdfffefffff fffffffffffffffe";
pub(crate) const BUTTONS: &str = "3e000b00000000 0 0 0";

/// A HID report descriptor of a scanner for points of sale.
pub(crate) const POINT_OF_SALE: &[u8] = &[5, 0x8c, 9, 2, 0xa1, 1, 0xc0];

/// A USB device.
#[derive(Clone, Copy)]
pub(crate) struct Usb<'a> {
    /// Where it is plugged in.
    pub(crate) port: &'a str,
    pub(crate) id: UsbId,
    pub(crate) serial: &'a str,
}

/// A folder with the machine's `/dev`, `/sys` and more.
#[derive(Debug)]
pub(crate) struct MadeUp {
    root: tempfile::TempDir,
}

impl MadeUp {
    pub(crate) fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn machine(&self) -> Machine {
        Machine::at(self.root.path())
    }

    pub(crate) fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.root.path().join(below)
    }

    pub(crate) fn file(&self, below: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn link(&self, below: impl AsRef<Path>, target: impl AsRef<Path>) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    /// Plugs a USB device in, and returns its folder.
    pub(crate) fn usb(&self, Usb { port, id, serial }: Usb<'_>) -> PathBuf {
        let device = Path::new(BUS).join(port);
        let files = [
            ("idVendor", format!("{:04x}\n", id.vendor)),
            ("idProduct", format!("{:04x}\n", id.product)),
            ("manufacturer", "Symbol\n".to_owned()),
            ("product", "Bar Code Scanner\n".to_owned()),
            ("serial", format!("{serial}\n")),
        ];
        for (name, text) in files {
            self.file(device.join(name), text);
        }
        device
    }

    /// A terminal of a USB device; `below` is what lies between: `1-1:1.0` or `1-1:1.0/ttyUSB0`.
    pub(crate) fn tty(&self, name: &str, usb: Usb<'_>, below: &str) {
        let interface = self.usb(usb).join(below);
        self.interface(&interface);
        self.node("sys/class/tty", name, &interface);
        self.file(Path::new("dev").join(name), "");
    }

    /// An input device of a USB device.
    pub(crate) fn keyboard(&self, name: &str, usb: Usb<'_>, interface: u8, keys: &str) {
        let folder = format!("{}:1.{interface}", usb.port);
        let interface = self.usb(usb).join(folder);
        self.interface(&interface);
        let device = interface.join("0003:05E0:1200.0001/input").join(name);
        self.file(device.join("id/bustype"), "0003\n");
        self.file(device.join("capabilities/key"), format!("{keys}\n"));
        self.node("sys/class/input", name, &device);
        self.file(Path::new("dev/input").join(name), "");
    }

    /// A HID device of a USB device.
    pub(crate) fn hidraw(&self, name: &str, usb: Usb<'_>, descriptor: &[u8]) {
        let folder = format!("{}:1.0/0003:05E0:1300.0002", usb.port);
        let device = self.usb(usb).join(folder);
        self.file(device.join("report_descriptor"), descriptor);
        self.node("sys/class/hidraw", name, &device);
        self.file(Path::new("dev").join(name), "");
    }

    /// A node of a camera.
    pub(crate) fn video(&self, name: &str, usb: Usb<'_>, index: u8) {
        let interface = self.usb(usb).join(format!("{}:1.0", usb.port));
        self.interface(&interface);
        self.file(
            Path::new("sys/class/video4linux").join(name).join("index"),
            format!("{index}\n"),
        );
        self.node("sys/class/video4linux", name, &interface);
        self.file(Path::new("dev").join(name), "");
    }

    fn interface(&self, folder: &Path) {
        let name =
            folder.components().find_map(|part| part.as_os_str().to_str()?.split_once(":1."));
        let number = name.map_or("0", |(_, number)| number);
        let usb: PathBuf = folder
            .components()
            .take_while(|part| !part.as_os_str().to_str().unwrap().starts_with("tty"))
            .collect();
        self.file(usb.join("bInterfaceNumber"), format!("{number:0>2}\n"));
    }

    fn node(&self, class: &str, name: &str, device: &Path) {
        fs::create_dir_all(self.path(device)).unwrap();
        self.link(Path::new(class).join(name).join("device"), self.path(device));
    }
}
