"""The station under test: the daemon installed as a package would install it, run by systemd as its own user."""

import json
import os
import shutil
import signal
import sqlite3
from glob import glob
from pathlib import Path

from shell import must, run
from suite import SUITE, equal, eventually, now

UNIT = "ballot-intake"
CONFIG = Path("/etc/ballot-intake/config.toml")
LEDGER = "/var/lib/ballot-intake/ledger.sqlite"

BALLOTS = 12_000

JOURNAL_LINES = 500

INSTALLED = {
    "bin/ballot-intake": "/usr/bin/ballot-intake",
    "deploy/ballot-intake.service": "/usr/lib/systemd/system/ballot-intake.service",
    "deploy/ballot-intake.sysusers": "/usr/lib/sysusers.d/ballot-intake.conf",
    "deploy/ballot-intake.tmpfiles": "/usr/lib/tmpfiles.d/ballot-intake.conf",
}

RULES = Path("/usr/lib/udev/rules.d/60-ballot-intake.rules")

# What a site writes for cameras that are no USB device.
SITE_RULES = 'SUBSYSTEM=="video4linux", KERNEL=="video*", GROUP="ballot-intake", MODE="0660"\n'

# A clerk may scan the same envelope again at once: every frame is a scan of its own.
BASE = """
[facility]
id = "boulder"
timezone = "America/Denver"
[station]
id = "intake-1"
page = "off"
repeat_window = "0s"
[election]
id = "202611"
[ledger]
path = "/var/lib/ballot-intake/ledger.sqlite"
[[envelope]]
name = "county"
symbologies = ["code128"]
pattern = '^(?<election>\\d{6})(?<ballot>\\d{9})(?<check>\\d)$'
check = "luhn"
names = "ballot"
"""


class Station:
    def __init__(self):
        self.config = None
        # When the daemon was started, and whether it has not opened every port since.
        self.started = now()
        self.is_fresh = True
        self._pid = None
        self._pid = None

    def install(self):
        """What a package does."""
        for source, target in INSTALLED.items():
            shutil.copy(SUITE / source, target)
        os.chmod("/usr/bin/ballot-intake", 0o755)
        must("systemd-sysusers")
        must("systemd-tmpfiles", "--create", "ballot-intake.conf")
        must("systemctl", "daemon-reload")
        Path("/etc/udev/rules.d/62-cameras.rules").write_text(SITE_RULES)
        self.install_rules()
        # For what is there already, as the speaker is.
        must("udevadm", "trigger", "--settle", "--subsystem-match=input")

    def install_rules(self):
        shutil.copy(SUITE / "deploy" / RULES.name, RULES)
        self.read_rules()

    def remove_rules(self):
        RULES.unlink()
        self.read_rules()

    @staticmethod
    def read_rules():
        """Has udev read its rules again; they are for what is plugged in from then on."""
        must("udevadm", "control", "--reload")

    def issue_ballots(self, ballots=range(BALLOTS)):
        """The county's list, taken in before the daemon runs; the configuration is then to be written."""
        shutil.chown("/var/lib/ballot-intake", UNIT, UNIT)
        self.configure("")
        path = Path("/tmp/ballots.csv")
        rows = (f"{ballot:09},V{ballot}" for ballot in ballots)
        path.write_text("\n".join(["ballot,voter", *rows, ""]))
        must(*self.as_user("import", str(path), "--layout", "generic"))

    def configure(self, scanners):
        """Writes the configuration with these scanners; the daemon reads it when it starts."""
        self.config = BASE + scanners
        CONFIG.write_text(self.config)
        shutil.chown(CONFIG, "root", UNIT)
        CONFIG.chmod(0o640)

    @staticmethod
    def as_user(*arguments):
        """A command typed as the service's user."""
        return ("runuser", "-u", UNIT, "--", "ballot-intake", *arguments)

    def start(self):
        self._starts()
        must("systemctl", "start", UNIT)

    def stop(self):
        must("systemctl", "stop", UNIT)

    def restart(self):
        self._starts()
        must("systemctl", "restart", UNIT)

    def kill(self):
        """Kills the daemon at once, and waits until systemd has started another."""
        pid = self.pid()
        self._starts()
        os.kill(pid, signal.SIGKILL)
        eventually("the daemon's next start", lambda: self._main_pid() not in (0, pid) and self.is_active())

    def _starts(self):
        self.started = now()
        self.is_fresh = True
        self._pid = None

    def is_active(self):
        return run("systemctl", "is-active", UNIT).stdout.strip() == "active"

    def pid(self):
        """The running daemon's process."""
        if self._pid is None:
            self._pid = eventually("the daemon", self._main_pid)
        return self._pid

    @staticmethod
    def _main_pid():
        return int(must("systemctl", "show", "--property=MainPID", "--value", UNIT))

    def listens_to(self, node):
        """Whether the daemon has the node open and set up, and waits for what comes: it is in its epoll set."""
        opened = self._open_files()
        watched = [
            line.split()[1]
            for name, target in opened.items()
            if target == "anon_inode:[eventpoll]"
            for line in Path(f"/proc/{self.pid()}/fdinfo/{name}").read_text().splitlines()
            if line.startswith("tfd:")
        ]
        return any(opened.get(descriptor) == node for descriptor in watched)

    def has_open(self, node):
        return node in self._open_files().values()

    def _open_files(self):
        """What the daemon's descriptors lead to."""
        opened = {}
        for path in glob(f"/proc/{self.pid()}/fd/*"):
            try:
                opened[os.path.basename(path)] = os.readlink(path)
            except FileNotFoundError:
                # Closed meanwhile.
                pass
        return opened

    def processor_s(self):
        """Processor time that the daemon has used."""
        stat = Path(f"/proc/{self.pid()}/stat").read_text()
        user, system = stat.rsplit(") ", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def journal(self):
        """The end of what the daemon has logged: when, on the clock of `now`, and the line."""
        text = must("journalctl", "--unit", UNIT, "--output=json", "--no-pager", f"--lines={JOURNAL_LINES}")
        entries = [json.loads(line) for line in text.splitlines()]
        return [(int(entry["__MONOTONIC_TIMESTAMP"]) / 1e6, str(entry.get("MESSAGE"))) for entry in entries]

    def report(self):
        return json.loads(must(*self.as_user("report", "--json")))

    def scans(self, after=0):
        """The scans that are committed, with their rows, in the order of the ledger."""
        rows = self._ask("SELECT seq, body FROM event WHERE seq > ? ORDER BY seq", after)
        bodies = [{"seq": seq} | json.loads(body) for seq, body in rows]
        return [body for body in bodies if body["kind"] == "scan"]

    def n_scans(self, after):
        """How many scans are committed after that row."""
        return self._ask("SELECT count(*) FROM event WHERE seq > ? AND body ->> 'kind' = 'scan'", after)[0][0]

    def last_row(self):
        return self._ask("SELECT max(seq) FROM event")[0][0]

    @staticmethod
    def _ask(query, *values):
        """Looks into the ledger beside the daemon that writes it."""
        ledger = sqlite3.connect(f"file:{LEDGER}?mode=ro", uri=True, timeout=60)
        try:
            return ledger.execute(query, values).fetchall()
        finally:
            ledger.close()

    def received(self, after, scanner):
        """The ballots that this scanner's scans moved to received, in order."""
        return [
            int(scan["ballot"])
            for scan in self.scans(after)
            if scan["scanner"] == scanner and scan.get("to") == "received"
        ]

    def verify(self):
        done = run(*self.as_user("ledger", "verify"))
        equal(done.returncode, 0, f"ledger verify: {done.stdout}{done.stderr}")
