"""Runs in the virtual machine, as root, after it has booted: sets the station up and tests it."""

import suite
from world import World

# In the order in which they run.
import test_twins
import test_cable
import test_answers
import test_restart
import test_ledger

world = World()
world.set_up()
suite.run(world)
