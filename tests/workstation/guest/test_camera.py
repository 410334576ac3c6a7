"""A camera above the table, and envelopes that are laid under it one after the other."""

from camera import Camera, envelopes
from suite import check, equal, eventually, say, test

# Pictures that an envelope stays in view for after it was received.
STAYS = 10


@test
def each_envelope_under_the_camera_is_received_once(world):
    before = world.station.last_row()
    pictures = envelopes()
    # The daemon takes a camera as soon as there is one, and this one must be set up first.
    world.station.stop()
    camera = Camera()
    camera.start(pictures[0][1].read_bytes())
    world.station.start()
    try:
        eventually("the daemon at the camera", lambda: world.station.has_open(camera.node))
        for n, (ballot, path) in enumerate(pictures, start=1):
            camera.show(path.read_bytes())
            eventually(f"ballot {ballot}", lambda n=n: world.station.n_scans(before) >= n)
            until = camera.shown + STAYS
            eventually("some more pictures", lambda until=until: camera.shown >= until)
        scans = world.station.scans(before)
    finally:
        world.station.stop()
        camera.stop()
    wrong = [scan for scan in scans if scan.get("to") != "received"]
    check(not wrong, f"these are no envelopes that were shown, or were shown once: {wrong[:3]}")
    equal([int(scan["ballot"]) for scan in scans], [ballot for ballot, _ in pictures], "received, in order")
    say(f"{len(pictures)} envelopes, {camera.shown} pictures")
