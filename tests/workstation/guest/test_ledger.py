"""What is left when all is done."""

from suite import say, test


@test
def the_ledger_verifies_while_the_daemon_runs_and_after_it_has_stopped(world):
    world.station.verify()
    world.station.stop()
    world.station.verify()
    world.station.start()
    report = world.station.report()
    say(report)
