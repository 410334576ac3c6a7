"""All that stands in the mail room: the station, its disk, and the scanners that lie there unplugged."""

import itertools
import time

import scanners
import usb
from disk import LedgerDisk
from shell import must, run
from station import Station
from suite import eventually

SYMBOL = "0x05e0"
HONEYWELL = "0x0c2e"

KERNEL_LINES = 25

# Of the profiles' `silence_ms`, and some more.
SILENCE_S = 0.7


def by_id(serial):
    return f"/dev/serial/by-id/usb-Suite_Bar_Code_Scanner_{serial}-if00"


def scanner(name, profile, where):
    """A scanner's part of the configuration."""
    return f'[[scanner]]\nname = "{name}"\nprofile = "{profile}"\n{where}\n'


class World:
    def __init__(self):
        usb.load_drivers()
        self.dice = None
        self.ballots = itertools.count()
        self.disk = LedgerDisk()
        self.station = Station()
        # Two of one model, told apart by nothing but their serial numbers.
        twin = (SYMBOL, "0x1701")
        self.left = scanners.Serial(usb.Acm("left", 0, twin, "S1"))
        self.right = scanners.Serial(usb.Acm("right", 1, twin, "S2"))
        self.host_ack = scanners.Serial(usb.Acm("hostack", 2, (HONEYWELL, "0x0b6a"), "S3"))
        self.wedge = scanners.keyboard(usb.keyboard("wedge", 3, (SYMBOL, "0x1200"), "S4"))
        self.pos = scanners.point_of_sale(usb.point_of_sale("pos", 4, (HONEYWELL, "0x0907"), "S5"))
        # Of a model that nobody has heard of.
        self.stranger = scanners.Serial(usb.Acm("stranger", 5, ("0x2745", "0x9999"), "S6"))
        self.scanners = [self.left, self.right, self.host_ack, self.wedge, self.pos, self.stranger]

    def set_up(self):
        """Installs and starts the station."""
        self.station.install()
        self.station.issue_ballots()
        self.station.configure(self.configuration())
        must("ballot-intake", "check-config")
        self.station.start()
        self.acquaint()

    def configuration(self):
        return "".join([
            scanner("left", "generic-serial", f'path = "{by_id("S1")}"'),
            scanner("right", "generic-serial", f'path = "{by_id("S2")}"'),
            scanner("host-ack", "honeywell-xenon-1900", f'path = "{by_id("S3")}"'),
            # Found by the USB ids of their profiles.
            scanner("wedge", "zebra-keyboard", ""),
            scanner("pos", "honeywell-hid-pos", ""),
            scanner("camera", "generic-camera", 'path = "/dev/video0"'),
        ])

    def reset(self):
        """The machine as each test finds it: nothing plugged in, a disk that works, a daemon that runs."""
        for each in self.scanners:
            each.pull()
        self.disk.work()
        if self.disk.is_failing:
            self.station.stop()
            self.disk.mend()
        if not self.station.is_active():
            self.station.restart()
        if self.station.is_fresh:
            self.acquaint()

    def acquaint(self):
        """Lets the daemon open each port once: what lies in a port at that moment belongs to nobody, and is dropped."""
        for each in (self.left, self.right, self.host_ack):
            self.plug(each)
            each.pull()
        self.station.is_fresh = False

    def plug(self, scanner):
        """Plugs a scanner in, and waits until the daemon listens to it.

        What a serial port gets before that is read, too, but the kernel's line discipline echoes it to the scanner, which would take
        the echo for an answer.
        """
        scanner.plug()
        self.wait_for(scanner)

    def wait_for(self, scanner):
        """Waits until the daemon listens to a scanner that is plugged in."""
        node = scanner.gadget.node(scanner.subsystem)
        eventually(f"the daemon at {node}", lambda: self.station.listens_to(node))
        if scanner.subsystem != "tty":
            # What begins within the silence that ends a scan may be the rest of one, and is doubted.
            time.sleep(SILENCE_S)

    def next_ballots(self, n):
        """So many ballots that no test has scanned."""
        return list(itertools.islice(self.ballots, n))

    def explain(self, since):
        """What may explain a failure: the daemon's log since then, and the end of the kernel's."""
        daemon = [f"[{at:12.6f}] {line}" for at, line in self.station.journal() if at >= since]
        kernel = run("dmesg").stdout.splitlines()[-KERNEL_LINES:]
        return "\n".join(["the daemon's log:", *daemon, "the kernel's log:", *kernel])
