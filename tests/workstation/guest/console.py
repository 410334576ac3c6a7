"""Who else could see what a scanner types: somebody at the console, and a program that reads input devices."""

import os
import tty

from shell import must

CONSOLE = "/dev/tty1"
READ_BYTES = 65_536


class Witness:
    """Reads the console in the foreground, and the input devices of a scanner, from now on."""

    def __init__(self, nodes):
        must("chvt", "1")
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
        self.console = os.open(CONSOLE, flags)
        tty.setraw(self.console)
        self.devices = [os.open(node, flags) for node in nodes]

    def typed(self):
        """What has been typed at the console."""
        return _read(self.console)

    def events(self):
        """What the input devices have told this program, in bytes."""
        return b"".join(map(_read, self.devices))

    def close(self):
        for descriptor in [self.console, *self.devices]:
            os.close(descriptor)


def _read(descriptor):
    try:
        return os.read(descriptor, READ_BYTES)
    except BlockingIOError:
        return b""
