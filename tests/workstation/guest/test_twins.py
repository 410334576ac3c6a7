"""Two scanners of one model."""

from scanners import GOOD
from suite import equal, test


@test
def two_of_one_model_are_told_apart(world):
    ballots = world.next_ballots(6)
    before = world.station.last_row()
    # Plugged in the other order than they were made, and again the other way round.
    for first, second, mine in [(world.right, world.left, ballots[:3]), (world.left, world.right, ballots[3:])]:
        world.plug(first)
        world.plug(second)
        equal(world.left.ask(mine[0]), GOOD, "left's answer")
        equal(world.right.ask(mine[1]), GOOD, "right's answer")
        equal(world.left.ask(mine[2]), GOOD, "left's answer")
        world.left.pull()
        world.right.pull()
    equal(world.station.received(before, "left"), [ballots[at] for at in (0, 2, 3, 5)], "received by left")
    equal(world.station.received(before, "right"), [ballots[at] for at in (1, 4)], "received by right")
