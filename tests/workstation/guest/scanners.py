"""Scanners as the clerk holds them: what each does with an envelope, over its gadget."""

import os
import select
import termios
import time
import tty

import usb
from suite import DEADLINE_S, check, now

GOOD, NOTICE, BAD = b"\x06", b"\x07", b"\x15"

# Of the profile honeywell-xenon-1900, which waits for its answer.
ESC_GOOD = b"\x1b7,"
ESC_FAULT = b"\x1b8," * 3


# Between two reports of a keyboard, as its descriptor says; `dummy_hcd` would fetch them as fast as they are written. The kernel
# keeps the last ten or so for who reads them, and drops them all when there are more.
KEY_INTERVAL_S = 0.004


def payload(ballot):
    """What stands on an envelope: the election, the ballot, a Luhn check digit."""
    body = f"202611{ballot:09}"
    total = 0
    for at, digit in enumerate(reversed(body)):
        doubled = int(digit) * (2 - at % 2)
        total += doubled - 9 * (doubled > 9)
    return f"{body}{-total % 10}"


def frame(ballot):
    return payload(ballot).encode() + b"\r"


class Serial:
    """A scanner on a serial port, which hears its answers."""

    # What the station's driver makes of it.
    subsystem = "tty"

    def __init__(self, gadget):
        self.gadget = gadget
        self.port = None

    def plug(self):
        """Switched on and plugged in, with nothing in its memory."""
        self.port = os.open(self.gadget.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self.port)
        termios.tcflush(self.port, termios.TCIOFLUSH)
        self.gadget.plug()

    def pull(self):
        """The cable is pulled: what the scanner has not sent is lost, and what it has not heard."""
        self.gadget.pull()
        if self.port is not None:
            os.close(self.port)
            self.port = None

    def send(self, frames):
        """Sends it all; returns once the scanner is rid of it."""
        rest = memoryview(frames)
        until = now() + DEADLINE_S
        while rest:
            rest = rest[self.send_some(rest, until - now()):]

    def send_some(self, frames, patience_s):
        """Sends what the line takes; returns how many bytes."""
        _, writable, _ = select.select([], [self.port], [], max(patience_s, 0))
        check(writable, "the scanner cannot send")
        return os.write(self.port, frames)

    def hear(self, patience_s):
        """The answers that come within that time; nothing once it is over."""
        readable, _, _ = select.select([self.port], [], [], max(patience_s, 0))
        return os.read(self.port, 4096) if readable else b""

    def answer(self, length=1, patience_s=DEADLINE_S):
        """The next answer of so many bytes, whole."""
        until, heard = now() + patience_s, b""
        while len(heard) < length:
            left = until - now()
            check(left > 0, f"no answer within {patience_s} s, but {heard!r}")
            readable, _, _ = select.select([self.port], [], [], left)
            heard += os.read(self.port, length - len(heard)) if readable else b""
        return heard

    def expect(self, answer, what):
        """The next answer must be this one."""
        heard = self.answer(len(answer))
        check(heard == answer, f"{what} is {heard + self.hear(1)!r} instead of {answer!r}")

    def ask(self, ballot):
        """Scans an envelope and waits for the answer."""
        self.send(frame(ballot))
        return self.answer()


class Reporting:
    """A scanner that sends reports and hears nothing."""

    def __init__(self, gadget, subsystem, reports, interval_s=0):
        self.interval_s = interval_s
        self.gadget = gadget
        self.subsystem = subsystem
        self.reports = reports
        self.port = None

    def plug(self):
        self.gadget.plug()
        self.port = os.open(self.gadget.port, os.O_RDWR)

    def pull(self):
        if self.port is not None:
            os.close(self.port)
            self.port = None
        self.gadget.pull()

    def scan(self, ballot):
        """Returns once the station's driver has fetched all but the last of the reports."""
        for report in self.reports(payload(ballot)):
            os.write(self.port, report)
            time.sleep(self.interval_s)


def keyboard(gadget):
    return Reporting(gadget, "input", usb.keystrokes, KEY_INTERVAL_S)


def point_of_sale(gadget):
    return Reporting(gadget, "hidraw", lambda text: usb.pos_reports(text.encode()))
