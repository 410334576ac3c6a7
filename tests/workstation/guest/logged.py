"""A disk that logs what is written to it, and what such a disk may hold after a power cut: dm-log-writes.

The kernel's driver logs a write when it has become durable: at the next flush, or at once if it was forced through. So the log is
what the disk held for certain, moment by moment; of the writes that one flush made durable, a disk whose power went just before
may hold any and lack any. The format is that of the kernel's drivers/md/dm-log-writes.c.
"""

import os
import struct
from dataclasses import dataclass

from disk import MOUNT
from shell import must
from suite import check

# Disks in memory: the one that is logged, its log, and the one whose power was cut.
LOGGED, LOG, CUT = "/dev/ram0", "/dev/ram1", "/dev/ram2"
LOG_KIB = 256 * 1024

NAME = "logged"
DISK_BYTES = 32 << 20
SECTOR_BYTES = 512

MAGIC = 0x6A736677736872
VERSION = 1
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8

# The driver's own, when it ends.
END_MARK = "dm-log-writes-end"


@dataclass
class Entry:
    """A write or a flush, or a mark that the test has set."""

    at: int
    data: bytes
    # All that was logged before it is durable, and so is this.
    is_barrier: bool
    mark: str = ""


class LoggedDisk:
    """New and empty, mounted where the ledger lies. Nobody may use that mount while this one comes and goes."""

    def __init__(self):
        self._is_mounted = False
        # Of the machine's memory they take only what is written.
        must("modprobe", "brd", "rd_nr=3", f"rd_size={LOG_KIB}")
        must("modprobe", "dm-log-writes")
        # Whoever looks into the new log is gone before it is written past the cache.
        must("udevadm", "settle")
        must("dmsetup", "create", NAME, "--table", f"0 {DISK_BYTES // SECTOR_BYTES} log-writes {LOGGED} {LOG}")
        # Nothing is left for the kernel to do later.
        options = "nodiscard,lazy_itable_init=0,lazy_journal_init=0"
        must("mkfs.ext4", "-q", "-b", "4096", "-E", options, f"/dev/mapper/{NAME}")
        self._mount(f"/dev/mapper/{NAME}")

    @staticmethod
    def mark(text):
        """Puts a mark into the log: what comes before it came before this moment."""
        must("dmsetup", "message", NAME, "0", "mark", text)

    def end(self):
        """Unmounts it; the whole log."""
        self._unmount()
        must("dmsetup", "remove", "--retry", NAME)
        entries = list(_entries())
        check(entries[-1].mark == END_MARK, "the log does not go to the end")
        return entries

    def mount_cut(self, held, kept):
        """Mounts a disk that holds this, and these writes beside it."""
        with open(CUT, "wb") as cut:
            cut.write(held)
            for write in kept:
                cut.seek(write.at)
                cut.write(write.data)
            cut.flush()
            os.fsync(cut.fileno())
        self._mount(CUT)

    def unmount_cut(self):
        self._unmount()

    def close(self):
        """As the machine was before."""
        self._unmount()
        if os.path.exists(f"/dev/mapper/{NAME}"):
            must("dmsetup", "remove", "--retry", NAME)
        must("udevadm", "settle")
        must("modprobe", "-r", "brd")

    def _mount(self, device):
        must("mount", device, MOUNT)
        self._is_mounted = True

    def _unmount(self):
        if self._is_mounted:
            must("umount", MOUNT)
            self._is_mounted = False


def _entries():
    """What lies in the log: a sector of header for each entry, and what was written."""
    with open(LOG, "rb") as log:
        magic, version, entries, sector_bytes = struct.unpack_from("<QQQI", log.read(SECTOR_BYTES))
        check((magic, version, sector_bytes) == (MAGIC, VERSION, SECTOR_BYTES), "this is no log")
        for _ in range(entries):
            header = log.read(SECTOR_BYTES)
            sector, sectors, flags, length = struct.unpack_from("<QQQQ", header)
            check(not flags & DISCARD, "a discard is in the log")
            mark = header[32:32 + length].decode() if flags & MARK else ""
            yield Entry(sector * SECTOR_BYTES, log.read(sectors * SECTOR_BYTES), bool(flags & (FLUSH | FUA)), mark)


@dataclass
class Moment:
    """The power goes when all before `first` is durable; of the writes from there on any may be."""

    first: int
    writes: list
    # Set before the power went.
    marks: int


def moments(entries):
    """The moments at which something was under way, once the first mark was set."""
    found, first, writes, marks = [], 0, [], 0
    for at, entry in enumerate(entries):
        if entry.mark:
            marks += 1
        elif not entry.is_barrier:
            writes.append(entry)
        else:
            if marks and writes:
                found.append(Moment(first, writes, marks))
            first, writes = at + 1, []
    return found


class Replay:
    """What the disk holds for certain, further and further on in the log."""

    def __init__(self, entries):
        self.held = bytearray(DISK_BYTES)
        self._entries = entries
        self._next = 0

    def up_to(self, first):
        """All before that entry."""
        for entry in self._entries[self._next:first]:
            self.held[entry.at:entry.at + len(entry.data)] = entry.data
        check(len(self.held) == DISK_BYTES, "a write beyond the disk's end")
        self._next = max(self._next, first)
        return self.held
