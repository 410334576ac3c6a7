"""The disk that the ledger lies on: behind the device mapper, so that it can be slow or fail while it is in use."""

from shell import must, run

DEVICE = "/dev/vdc"
NAME = "ledger"
MOUNT = "/var/lib/ballot-intake"


class LedgerDisk:
    def __init__(self):
        self.sectors = int(must("blockdev", "--getsz", DEVICE))
        self.is_failing = False
        must("modprobe", "-a", "dm_mod", "dm-delay", "dm-flakey")
        must("dmsetup", "create", NAME, "--table", self._linear())
        must("mkfs.ext4", "-q", f"/dev/mapper/{NAME}")
        self.mount()

    def mount(self):
        must("mkdir", "-p", MOUNT)
        must("mount", f"/dev/mapper/{NAME}", MOUNT)

    def delay_writes(self, delay_ms):
        """Every write and every flush comes so much later."""
        device = f"{DEVICE} 0"
        self._become(f"0 {self.sectors} delay {device} 0 {device} {delay_ms} {device} {delay_ms}")

    def fail_writes(self):
        """No write succeeds any more; what is there can be read."""
        self.is_failing = True
        self._become(f"0 {self.sectors} flakey {DEVICE} 0 0 3600 1 error_writes")

    def work(self):
        """As it should."""
        self._become(self._linear())

    def mend(self):
        """After writes have failed: the file system's journal has given up and must be played back. Nobody may use it."""
        must("umount", MOUNT)
        run("e2fsck", "-p", f"/dev/mapper/{NAME}")
        self.mount()
        self.is_failing = False

    def _linear(self):
        return f"0 {self.sectors} linear {DEVICE} 0"

    def _become(self, table):
        # Without a flush of the file system, which would wait for the disk that is to be replaced.
        must("dmsetup", "suspend", "--nolockfs", "--noflush", NAME)
        must("dmsetup", "load", NAME, "--table", table)
        must("dmsetup", "resume", NAME)
