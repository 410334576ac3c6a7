"""A cable that is pulled and plugged while envelopes are scanned."""

import time
from collections import Counter

from scanners import BAD, GOOD, NOTICE, frame
from suite import check, count, equal, eventually, now, say, test

PULLS = 200
BACK_MAX_S = 2.0
PROCESSOR_SHARE_MAX = 0.02
AWAY_S = 10

# Envelopes scanned between two pulls, at most.
ENVELOPES_MAX = 6


class Clerk:
    """Scans one envelope after the other, and again what was not answered."""

    def __init__(self, scanner, ballots):
        self.scanner = scanner
        self.todo = list(ballots)
        # Whole frames that left the scanner and are not answered yet, in order.
        self.unanswered = []
        self.sent = Counter()

    def scan(self, frames, cut=None):
        """Scans so many envelopes without a pause; of the frame after them only the first `cut` bytes leave the scanner."""
        again = self.unanswered + self.todo
        whole, half = again[:frames], again[frames:frames + 1]
        self.scanner.send(b"".join(map(frame, whole)) + b"".join(frame(ballot)[:cut or 0] for ballot in half))
        self.todo = again[frames:]
        self.unanswered = whole
        self.sent.update(whole)

    def hear(self, answers):
        """Each answer is to the oldest scan that has none; good, or that it was received the time before."""
        for at in range(len(answers)):
            answer = answers[at:at + 1]
            if not self.unanswered:
                # The half, when the cable was still plugged in after the time that a frame may take.
                equal(answer, BAD, "an answer to half a frame")
                continue
            check(answer in (GOOD, NOTICE), f"{answer!r} is the answer to ballot {self.unanswered[0]}")
            self.unanswered.pop(0)

    def pull(self):
        self.hear(self.scanner.hear(0))
        self.scanner.pull()
        self.todo = self.unanswered + self.todo
        self.unanswered = []


def _scan_and_pull(clerk, dice):
    """The cable goes at any moment: amid a frame, between frames, before, amid or after the answers."""
    frames = dice.randint(1, min(ENVELOPES_MAX, len(clerk.todo)))
    clerk.scan(frames, cut=dice.randint(0, len(frame(0)) - 1))
    until = now() + dice.choice([0, dice.uniform(0, 0.005), dice.uniform(0, 0.1)])
    while now() < until:
        clerk.hear(clerk.scanner.hear(until - now()))
    clerk.pull()


def _back(world, clerk):
    """Plugs in and scans: seconds from the plug to the first answer."""
    began = now()
    world.plug(clerk.scanner)
    clerk.scan(1)
    clerk.hear(clerk.scanner.answer())
    return now() - began


@test
def a_pulled_cable_loses_no_scan_and_invents_none(world):
    pulls = count(PULLS)
    ballots = world.next_ballots(pulls * ENVELOPES_MAX)
    before = world.station.last_row()
    clerk = Clerk(world.left, ballots)
    world.plug(world.left)
    backs = []
    for _ in range(pulls):
        _scan_and_pull(clerk, world.dice)
        # What may not be done while the scanner is away, is not.
        eventually("the end of the port", lambda: not world.left.gadget.nodes("tty"))
        backs.append(_back(world, clerk))
        clerk.scanner.hear(0)
    while clerk.todo:
        clerk.scan(min(len(clerk.todo), ENVELOPES_MAX))
        while clerk.unanswered:
            clerk.hear(clerk.scanner.answer())
    scans = world.station.scans(before)
    _check_counted_once(scans, ballots, clerk.sent)
    say(f"{pulls} pulls; back within {max(backs):.2f} s, median {sorted(backs)[pulls // 2]:.2f} s")
    check(max(backs) <= BACK_MAX_S, f"back after {max(backs):.2f} s")


def _check_counted_once(scans, ballots, sent):
    strange = [scan for scan in scans if scan.get("ballot") is None]
    check(not strange, f"half frames became scans: {strange[:3]}")
    received = Counter(int(scan["ballot"]) for scan in scans if scan.get("to") == "received")
    equal(received, Counter(ballots), "received, each once")
    scanned = Counter(int(scan["ballot"]) for scan in scans)
    more = {ballot: n for ballot, n in scanned.items() if n > sent[ballot]}
    check(not more, f"scanned more often than they were sent: {more}")


@test
def a_scanner_that_is_away_costs_no_processor_time(world):
    world.plug(world.left)
    world.left.ask(world.next_ballots(1)[0])
    world.left.pull()
    used = world.station.processor_s()
    began = now()
    # The one thing that is measured over a time, so the time must pass.
    time.sleep(AWAY_S)
    share = (world.station.processor_s() - used) / (now() - began)
    say(f"the daemon used {share:.2%} of a processor while its scanners were away")
    check(share <= PROCESSOR_SHARE_MAX, f"{share:.2%} of a processor")
