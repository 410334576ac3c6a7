"""Scanners of three kinds, plugged in and scanning at the same time."""

import threading

from console import Witness
from scanners import GOOD, frame
from suite import check, count, equal, eventually, say, test

SCANS = 3_000

# Scans that a scanner may be ahead of the slowest; the serial one sends so many ahead of their answers.
AHEAD = 10


def _scan_serial(scanner, ballots):
    scanner.send(b"".join(map(frame, ballots)))
    for ballot in ballots:
        equal(scanner.answer(), GOOD, f"the answer to ballot {ballot}")


def _scan_reporting(scanner, ballots):
    for ballot in ballots:
        scanner.scan(ballot)


def _at_once(works):
    """Lets each scan its ballots, all at the same time and about equally far; the first failure among them is told."""
    failures = []
    abreast = threading.Barrier(len(works))

    def work(scan, scanner, ballots):
        try:
            for at in range(0, len(ballots), AHEAD):
                scan(scanner, ballots[at:at + AHEAD])
                abreast.wait()
        except threading.BrokenBarrierError:
            # Another has failed.
            pass
        except Exception as failure:
            failures.append(failure)
            abreast.abort()

    threads = [threading.Thread(target=work, args=each) for each in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@test
def three_scanners_at_once_lose_nothing_and_keep_their_order_unseen_by_anybody_else(world):
    scans = count(SCANS)
    before = world.station.last_row()
    ballots = {name: world.next_ballots(scans // 3) for name in ("left", "wedge", "pos")}
    for each in (world.left, world.wedge, world.pos):
        world.plug(each)
    witness = Witness(world.wedge.gadget.nodes("input"))
    _at_once([
        (_scan_serial, world.left, ballots["left"]),
        (_scan_reporting, world.wedge, ballots["wedge"]),
        (_scan_reporting, world.pos, ballots["pos"]),
    ])
    total = sum(map(len, ballots.values()))
    eventually("every scan in the ledger", lambda: world.station.n_scans(before) >= total)
    for name, mine in ballots.items():
        equal(world.station.received(before, name), mine, f"received by {name}, in order")
    _check_interleaved([scan["scanner"] for scan in world.station.scans(before)])
    equal((witness.typed(), witness.events()), (b"", b""), "what the console and another program saw")
    witness.close()
    say(f"{total} scans")


def _check_interleaved(scanners):
    """While all of them scan, none waits for another to end."""
    stretch = 6 * AHEAD
    for at in range(0, len(scanners) - stretch, stretch):
        among = set(scanners[at:at + stretch])
        check(len(among) == 3, f"only {among} from scan {at} on")


@test
def a_scanner_that_types_is_seen_by_others_only_while_no_daemon_has_it(world):
    ballot = world.next_ballots(1)[0]
    world.plug(world.wedge)
    witness = Witness(world.wedge.gadget.nodes("input"))
    world.station.stop()
    world.wedge.scan(ballot)
    typed = eventually("what was typed", witness.typed)
    check(typed.startswith(b"2"), f"the console saw {typed!r}")
    eventually("what the other program saw", witness.events)
    witness.close()
