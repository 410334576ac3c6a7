"""When answers are given: after the commit, and the alarm when there can be none."""

import os

from scanners import ESC_FAULT, ESC_GOOD, frame
from suite import check, equal, eventually, now, say, test

WRITE_DELAY_MS = 400

SPEAKER = "/dev/input/by-path/platform-pcspkr-event-spkr"

# Of the kernel's input_event: after 16 bytes of time, the type EV_SND.
EVENT_BYTES = 24
EV_SND = b"\x12\x00"


@test
def the_good_answer_comes_only_after_the_commit(world):
    first, second = world.next_ballots(2)
    world.plug(world.host_ack)
    world.host_ack.send(frame(first))
    world.host_ack.expect(ESC_GOOD, "the answer on a quick disk")
    before = world.station.last_row()
    world.disk.delay_writes(WRITE_DELAY_MS)
    began = now()
    world.host_ack.send(frame(second))
    world.host_ack.expect(ESC_GOOD, "the answer on a slow disk")
    took = now() - began
    say(f"answered after {took:.2f} s, each write delayed by {WRITE_DELAY_MS} ms")
    check(took >= WRITE_DELAY_MS / 1_000, f"answered after {took:.2f} s, before anything was written")
    equal(world.station.received(before, "host-ack"), [second], "received")


@test
def a_disk_that_fails_is_answered_with_the_alarm_and_loses_nothing(world):
    answered, failed = world.next_ballots(2)
    before = world.station.last_row()
    world.plug(world.host_ack)
    world.host_ack.send(frame(answered))
    world.host_ack.expect(ESC_GOOD, "the answer while the disk works")
    world.disk.fail_writes()
    world.host_ack.send(frame(failed))
    world.host_ack.expect(ESC_FAULT, "the answer while the disk fails")
    world.disk.work()
    world.station.stop()
    world.disk.mend()
    world.station.start()
    _eventually_good(world, failed)
    equal(world.station.received(before, "host-ack"), [answered, failed], "received")


def _eventually_good(world, ballot):
    """The clerk scans what was answered with the alarm again."""
    world.wait_for(world.host_ack)
    world.host_ack.send(frame(ballot))
    world.host_ack.expect(ESC_GOOD, "the answer once the disk is mended")


@test
def the_speaker_sounds_what_a_scanner_cannot(world):
    world.plug(world.wedge)
    speaker = os.open(SPEAKER, os.O_RDONLY | os.O_NONBLOCK)
    try:
        world.wedge.scan(world.next_ballots(1)[0])
        eventually("a sound", lambda: _is_heard(speaker))
    finally:
        os.close(speaker)


def _is_heard(speaker):
    try:
        event = os.read(speaker, EVENT_BYTES)
    except BlockingIOError:
        return False
    return event[16:18] == EV_SND
