"""Commands of the machine."""

import subprocess

from suite import check


def run(*command, **options):
    """Runs it to its end, whatever that is."""
    return subprocess.run(command, text=True, capture_output=True, check=False, **options)


def must(*command, **options):
    """Runs it; it must succeed. What it said."""
    done = run(*command, **options)
    check(done.returncode == 0, f"{' '.join(command)}: {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout
