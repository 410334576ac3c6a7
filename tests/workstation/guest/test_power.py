"""The power goes, and the daemon starts on what the disk holds."""

from logged import LoggedDisk, Replay, moments
from scanners import GOOD, frame
from suite import count, equal, now, say, test

SCANS = 480
CUTS = 120

# Envelopes that the clerk scans without waiting for an answer.
BURST_MAX = 4


@test
def no_power_cut_loses_what_was_answered(world):
    ballots = list(range(count(SCANS)))
    world.station.stop()
    disk = LoggedDisk()
    try:
        entries = _day(world, disk, ballots)
        world.left.pull()
        began = now()
        _cut_all_along(world, disk, entries, ballots)
        say(f"{count(CUTS)} cuts, in {now() - began:.1f} s, at {len(moments(entries))} moments of {len(entries)} entries")
        _check_that_a_loss_is_seen(world, disk, entries, ballots)
    finally:
        world.station.stop()
        disk.close()


def _day(world, disk, ballots):
    """Scans them all, marking each good answer in the disk's log, over a killed daemon and a daemon that is stopped; the log."""
    station, third = world.station, len(ballots) // 3
    station.issue_ballots(ballots)
    station.configure(world.configuration())
    station.start()
    world.acquaint()
    world.plug(world.left)
    _scan(world, disk, ballots[:third])
    station.kill()
    world.wait_for(world.left)
    _scan(world, disk, ballots[third:2 * third])
    station.restart()
    world.wait_for(world.left)
    _scan(world, disk, ballots[2 * third:-1])
    _scan(world, disk, ballots[-1:])
    station.stop()
    return disk.end()


def _scan(world, disk, ballots):
    """In bursts."""
    ballots = list(ballots)
    while ballots:
        size = world.dice.randint(1, BURST_MAX)
        burst, ballots = ballots[:size], ballots[size:]
        world.left.send(b"".join(map(frame, burst)))
        for ballot in burst:
            equal(world.left.answer(), GOOD, f"the answer to ballot {ballot}")
            disk.mark(str(ballot))


def _cut_all_along(world, disk, entries, ballots):
    """A cut in each of so many equal parts of the log."""
    found, cuts = moments(entries), count(CUTS)
    replay = Replay(entries)
    for part in range(cuts):
        moment = found[int((part + world.dice.random()) * len(found) / cuts)]
        share = world.dice.choice((0, 0.5, 1))
        kept = [write for write in moment.writes if world.dice.random() < share]
        answered = ballots[:moment.marks]
        disk.mount_cut(replay.up_to(moment.first), kept)
        lost = _lost(world, ballots, answered)
        disk.unmount_cut()
        where = f"before entry {moment.first} with {len(kept)} of {len(moment.writes)} writes"
        equal(lost, [], f"lost of {len(answered)} that were answered, cut {where}")


def _lost(world, ballots, answered):
    """Starts the daemon on what the cut left; what of the answered is not received then."""
    world.station.start()
    world.station.stop()
    world.station.verify()
    received = world.station.received(0, "left")
    equal(received, ballots[:len(received)], "received, in order")
    return answered[len(received):]


def _check_that_a_loss_is_seen(world, disk, entries, ballots):
    """A disk that forgot all since the answer before the last: the last one is missed."""
    marks = [at for at, entry in enumerate(entries) if entry.mark]
    before_last = marks[len(ballots) - 2]
    equal(entries[before_last].mark, str(ballots[-2]), "the mark before the last")
    disk.mount_cut(Replay(entries).up_to(before_last), [])
    equal(_lost(world, ballots, ballots), ballots[-1:], "seen to be lost")
    disk.unmount_cut()
