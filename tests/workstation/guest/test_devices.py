"""`devices`, as somebody uses it who has a scanner that is not read: what it says is done, and then it is read."""

import json
import subprocess
from pathlib import Path

from scanners import frame
from shell import run
from suite import check, equal, eventually, test

# Holds a port as programs do that want it for themselves, and says when it does.
HOLDER = """
import fcntl, os, sys, termios
port = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
fcntl.ioctl(port, termios.TIOCEXCL)
fcntl.flock(port, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""

RULES_OF_THE_SITE = Path("/etc/udev/rules.d/61-ballot-intake.rules")


def _row(scanner):
    """What `devices` says of the scanner, typed by root."""
    node = scanner.gadget.node(scanner.subsystem)
    said = run("ballot-intake", "devices", "--json")
    equal(said.returncode, 0, f"devices: {said.stdout}{said.stderr}")
    rows = [json.loads(line) for line in said.stdout.splitlines()]
    found = [row for row in rows if row.get("node") == node]
    equal(len(found), 1, f"rows with {node} in {rows}")
    return found[0]


def _settled(scanner, holds):
    """What `devices` says of the scanner once the daemon has tried it, and this holds."""
    return eventually("the row that is looked for", lambda: (row := _row(scanner)) and holds(row) and row)


def _why(row):
    return "; ".join(row["why"])


@test
def devices_names_the_group_and_the_rule_where_permission_lacks(world):
    world.station.remove_rules()
    try:
        world.left.plug()
        row = _settled(world.left, lambda row: "permission" in _why(row))
        for part in ("dialout", "60-ballot-intake.rules", "plug it in again"):
            check(part in _why(row), f"{part!r} is not in {_why(row)!r}")
    finally:
        world.station.install_rules()
    world.left.pull()
    world.plug(world.left)
    equal((_row(world.left)["state"], _row(world.left)["why"]), ("open", []), "state and why, once it is done")


@test
def devices_tells_who_has_claimed_a_scanner(world):
    world.station.stop()
    world.left.plug()
    node = world.left.gadget.node("tty")
    command = ["python3", "-c", HOLDER, node]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        equal(holder.stdout.readline(), "held\n", "the holder's word")
        world.station.start()
        row = _row(world.left)
        check("claimed by" in _why(row), f"why is {_why(row)!r}")
    finally:
        holder.communicate()
    world.wait_for(world.left)
    equal(_row(world.left)["why"], [], "why, once the other program is gone")


@test
def devices_prints_what_an_unknown_model_needs_and_then_it_is_read(world):
    ballot = world.next_ballots(1)[0]
    before = world.station.last_row()
    world.stranger.plug()
    row = _row(world.stranger)
    check("no profile knows 2745:9999" in _why(row), f"why is {_why(row)!r}")
    rule = next(why for why in row["why"] if "61-ballot-intake.rules" in why).split(": ", 1)[1]
    # As a person does: the profile into the file that is named, the table into the configuration, the rule into its file.
    profile = Path(row["profile_file"]["path"])
    profile.write_text(row["profile_file"]["text"])
    RULES_OF_THE_SITE.write_text(rule + "\n")
    try:
        world.station.configure(world.configuration() + row["config"])
        world.station.read_rules()
        world.stranger.pull()
        world.station.restart()
        world.plug(world.stranger)
        world.stranger.send(frame(ballot))
        eventually("the scan", lambda: world.station.n_scans(before))
        equal(world.station.received(before, "scanner-1"), [ballot], "received")
    finally:
        profile.unlink()
        RULES_OF_THE_SITE.unlink()
        world.station.configure(world.configuration())
        world.station.read_rules()
        world.station.restart()
