"""The daemon is killed and systemd starts it again."""

from scanners import GOOD, NOTICE, frame
from suite import check, count, equal, say, test

KILLS = 8
SCANS_MAX = 20


@test
def a_killed_daemon_comes_back_and_loses_nothing_that_it_answered(world):
    before = world.station.last_row()
    kills = count(KILLS)
    ballots = world.next_ballots((kills + 1) * SCANS_MAX)
    todo = list(ballots)
    world.plug(world.left)
    equal(world.left.ask(todo.pop(0)), GOOD, "the first answer")
    for _ in range(kills):
        answered = world.dice.randint(0, SCANS_MAX - 1)
        world.left.send(b"".join(map(frame, todo[:SCANS_MAX])))
        heard = b"".join(world.left.answer() for _ in range(answered))
        world.station.kill()
        world.wait_for(world.left)
        heard += world.left.hear(0)
        check(set(heard) <= set(GOOD + NOTICE), f"answers {heard!r}")
        todo = todo[len(heard):]
    for ballot in todo:
        check(world.left.ask(ballot) in (GOOD, NOTICE), f"the answer to ballot {ballot}")
    equal(sorted(world.station.received(before, "left")), ballots, "received, each once")
    say(f"{kills} kills")
