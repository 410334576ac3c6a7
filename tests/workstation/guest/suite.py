"""The tests by name: how they are collected, what they check with, and how their outcomes are told.

Standard output is read by tests/workstation/run: `ok NAME`, `not ok NAME: why`, and lines that begin with `#` and explain.
"""

import os
import random
import time
import traceback
from functools import partial
from pathlib import Path

# Where the disk with the daemon, this program and the pictures is mounted.
SUITE = Path("/suite")

# How long what must come is waited for. The machine is emulated and shared: only a failing test waits so long.
DEADLINE_S = 90

# Between two looks at a level that cannot be waited for.
LOOK_AGAIN_S = 0.02

IS_LONG = os.environ.get("BALLOT_INTAKE_LONG") == "1"
SEED = int(os.environ.get("BALLOT_INTAKE_SEED", "1"))
ONLY = os.environ.get("BALLOT_INTAKE_ONLY", "")

_tests = []


class Failed(Exception):
    """A check did not hold."""


def test(function):
    """Adds a test; its name is the function's."""
    _tests.append(function)
    return function


def count(long):
    """How many rounds a test has: all with --long, else a quarter."""
    return long if IS_LONG else long // 4


def check(holds, why):
    if not holds:
        raise Failed(why)


def equal(got, expected, what):
    check(got == expected, f"{what}: {got!r} instead of {expected!r}")


def now():
    """Seconds on the clock that never goes back; the journal's monotonic times are of the same clock."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def eventually(what, level, deadline_s=DEADLINE_S):
    """Waits until `level` returns something that counts as true, and returns it."""
    until = now() + deadline_s
    while True:
        reached = level()
        if reached:
            return reached
        check(now() < until, f"{what}: not within {deadline_s} s")
        time.sleep(LOOK_AGAIN_S)


def say(text):
    """A line of explanation, or several."""
    for line in str(text).splitlines() or [""]:
        print(f"# {line}", flush=True)


def run(world):
    """Sets the station up, and runs the tests in the order in which they were written."""
    say(f"BALLOT_INTAKE_SEED={SEED} BALLOT_INTAKE_LONG={int(IS_LONG)}")
    chosen = [function for function in _tests if ONLY in function.__name__]
    if _passes("the_station_is_installed_and_starts", world.set_up, world):
        for function in chosen:
            # Of its own, so that a test alone does what it did among the others.
            world.dice = random.Random(f"{SEED} {function.__name__}")
            _passes(function.__name__, partial(_on_a_tidy_machine, function, world), world)
    print("done", flush=True)


def _on_a_tidy_machine(function, world):
    world.reset()
    function(world)


def _passes(name, work, world):
    began = now()
    try:
        work()
    except Exception as error:
        why = str(error) if isinstance(error, Failed) else f"{type(error).__name__}: {error}"
        print(f"not ok {name}: {why}", flush=True)
        say(traceback.format_exc())
        say(world.explain(began))
        return False
    print(f"ok {name} ({now() - began:.1f} s)", flush=True)
    return True
