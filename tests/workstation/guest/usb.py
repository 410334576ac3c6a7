"""USB devices that do not exist: gadgets of configfs on the controllers of dummy_hcd, seen by the kernel's real drivers.

A gadget has one function and a controller of its own, so each is plugged and pulled alone.
"""

import os
import struct
from glob import glob
from pathlib import Path

from shell import must
from suite import eventually

CONTROLLERS = 8

CONFIGFS = Path("/sys/kernel/config/usb_gadget")

LANGUAGE = "0x409"

# Where drivers put their nodes, below an interface in /sys and in /dev.
BELOW = {"tty": "/tty/*", "hidraw": "/*/hidraw/*", "input": "/*/input/*/event*"}
NODES = {"tty": "/dev/", "hidraw": "/dev/", "input": "/dev/input/"}

# HID 1.11, appendix B.1: a boot keyboard, without its lights.
KEYBOARD_REPORTS = bytes.fromhex(
    "05010906a101050719e029e71500250175019508810295017508810395067508150025650507190029658100c0"
)

# HID point of sale usage tables 1.02: a bar code scanner's input report 2 of 63 bytes, and an output report 4 of one byte.
POS_REPORTS = bytes.fromhex("058c0902a101850209fe1500 26ff00 7508953f8102 850409ff75089501 9102 c0".replace(" ", ""))


def load_drivers():
    """The controllers and every driver that a scanner may need."""
    must("modprobe", "dummy_hcd", f"num={CONTROLLERS}")
    must("modprobe", "-a", "libcomposite", "usb_f_acm", "usb_f_hid", "evdev", "hid-generic", "usbhid", "cdc-acm")


class Gadget:
    """A device that can be plugged and pulled."""

    def __init__(self, name, controller, ids, serial, function):
        vendor, product = ids
        self.root = CONFIGFS / name
        self.controller = f"dummy_udc.{controller}"
        self.is_plugged = False
        self.root.mkdir()
        # As most scanners are; a keyboard of high speed would type faster than any of them.
        self._write("max_speed", "full-speed")
        self._write("idVendor", vendor)
        self._write("idProduct", product)
        strings = self.root / "strings" / LANGUAGE
        strings.mkdir()
        self._write(f"strings/{LANGUAGE}/manufacturer", "Suite")
        self._write(f"strings/{LANGUAGE}/product", "Bar Code Scanner")
        if serial:
            self._write(f"strings/{LANGUAGE}/serialnumber", serial)
        self.function = self.root / "functions" / f"{function}.{name}"
        self.function.mkdir()

    def finish(self):
        """Puts the function into the gadget's only configuration; its attributes are fixed from here on."""
        configuration = self.root / "configs" / "c.1"
        configuration.mkdir()
        (configuration / self.function.name).symlink_to(self.function)

    def plug(self):
        self._write("UDC", self.controller)
        self.is_plugged = True

    def pull(self):
        if self.is_plugged:
            self._write("UDC", "\n")
            self.is_plugged = False

    def nodes(self, subsystem):
        """The device nodes that the station's drivers made of it; none while it is not plugged in."""
        interface = f"/sys/devices/platform/{self.controller.replace('udc', 'hcd')}/usb*/*-1/*:1.*"
        return sorted(NODES[subsystem] + os.path.basename(path) for path in glob(interface + BELOW[subsystem]))

    def node(self, subsystem):
        return eventually(f"a node of {self.root.name} in {subsystem}", lambda: self.nodes(subsystem))[0]

    def _write(self, attribute, value):
        (self.root / attribute).write_text(value)


class Acm(Gadget):
    """A scanner on a serial port of its own: CDC-ACM."""

    def __init__(self, name, controller, ids, serial):
        super().__init__(name, controller, ids, serial, "acm")
        self.port = "/dev/ttyGS" + (self.function / "port_num").read_text().strip()
        self.finish()


class Hid(Gadget):
    """A scanner that sends reports."""

    def __init__(self, name, controller, ids, serial, reports, length, boot_protocol):
        super().__init__(name, controller, ids, serial, "hid")
        (self.function / "protocol").write_text(str(boot_protocol))
        (self.function / "subclass").write_text("1" if boot_protocol else "0")
        # As scanners do it: what they are told comes over the control pipe.
        (self.function / "no_out_endpoint").write_text("1")
        (self.function / "report_length").write_text(str(length))
        (self.function / "report_desc").write_bytes(reports)
        self.finish()
        _, minor = (self.function / "dev").read_text().split(":")
        self.port = f"/dev/hidg{int(minor)}"


def keyboard(name, controller, ids, serial):
    return Hid(name, controller, ids, serial, KEYBOARD_REPORTS, 8, boot_protocol=1)


def point_of_sale(name, controller, ids, serial):
    return Hid(name, controller, ids, serial, POS_REPORTS, 64, boot_protocol=0)


# HID usage of the keys that the payloads need, without and with Shift.
_ENTER = 0x28
_SHIFT = 0x02
_KEYS = {"0": 0x27} | {str(n): 0x1D + n for n in range(1, 10)} | {chr(0x61 + n): 0x04 + n for n in range(26)}


def keystrokes(text):
    """The reports of typing a text and Enter: each key pressed and released."""
    reports = []
    for character in text:
        shift = _SHIFT if character.isupper() else 0
        reports += [_keys_down(shift, _KEYS[character.lower()]), bytes(8)]
    return reports + [_keys_down(0, _ENTER), bytes(8)]


def _keys_down(modifiers, key):
    return struct.pack("BBB5x", modifiers, 0, key)


POS_REPORT_ID = 2
POS_PAYLOAD_MAX = 56


def pos_reports(payload, identifier=b"]C0", code_id=b"j"):
    """The reports of one symbol, in the layout that @point-of-sale/webhid-barcode-scanner knows."""
    pieces = [payload[at:at + POS_PAYLOAD_MAX] for at in range(0, len(payload), POS_PAYLOAD_MAX)]
    reports = []
    for n, piece in enumerate(pieces, start=1):
        body = bytearray(63)
        body[0] = len(piece)
        body[1:4] = identifier
        body[4:4 + len(piece)] = piece
        body[60:61] = code_id
        body[62] = n < len(pieces)
        reports.append(bytes([POS_REPORT_ID]) + bytes(body))
    return reports
