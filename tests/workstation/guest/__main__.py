"""Runs in the virtual machine, as root, after it has booted: sets the station up and tests it."""

import suite
from world import World

# In the order in which they run.
import test_twins
import test_together
import test_cable
import test_camera
import test_answers
import test_devices
import test_restart
import test_power
import test_ledger

world = World()
suite.run(world)
