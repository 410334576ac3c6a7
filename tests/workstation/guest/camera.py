"""A camera that looks at what it is shown: vivid, whose output is a cable to its input."""

import re
import subprocess
import threading
from pathlib import Path

from shell import must, run
from suite import SUITE, check, eventually

# 1920 x 1080 pixels, 25 pictures a second, of the timings that the driver knows.
TIMINGS = "index=10"

FRAMES = SUITE / "frames"


class Camera:
    """What lies on the table is shown until something else does."""

    def __init__(self):
        must("modprobe", "vivid", "n_devs=1", "num_inputs=1", "input_types=0x3", "num_outputs=1", "output_types=0x1")
        self.node, self.output = eventually("the camera", _nodes)
        for node in (self.node, self.output):
            must("v4l2-ctl", "-d", node, "--set-dv-bt-timings", TIMINGS)
        # What the profile asks for first. The cable is one only while both ends have the same format.
        must("v4l2-ctl", "-d", self.node, "--set-fmt-video", "pixelformat=GREY")
        must("v4l2-ctl", "-d", self.output, "--set-fmt-video-out", "pixelformat=GREY")
        must("v4l2-ctl", "-d", self.node, "--set-ctrl", "loop_video=1")
        self.frame = None
        self.shown = 0
        self._stop = threading.Event()
        self._feeder = threading.Thread(target=self._feed, daemon=True)

    def show(self, frame):
        """From the next picture on."""
        self.frame = frame

    def start(self, frame):
        """Shows something before anybody looks; while nothing is shown, the driver makes noise of its own."""
        self.show(frame)
        self._feeder.start()

    def stop(self):
        """Takes the camera away; nobody may have it open."""
        self._stop.set()
        self._feeder.join()
        must("modprobe", "-r", "vivid")

    def _feed(self):
        command = ["v4l2-ctl", "-d", self.output, "--stream-out-mmap", "--stream-from=-"]
        cable = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not self._stop.is_set():
            cable.stdin.write(self.frame)
            self.shown += 1
        cable.stdin.close()
        cable.wait()


def _nodes():
    """The nodes of the camera and of what it is shown by."""
    nodes = sorted(str(path) for path in Path("/dev").glob("video*"))
    said = {node: run("v4l2-ctl", "-d", node, "--info").stdout for node in nodes}
    capture = [node for node in nodes if re.search(r"Device Caps[^\n]*\n(\t\tVideo Capture\n)", said[node])]
    output = [node for node in nodes if re.search(r"Device Caps[^\n]*\n(\t\tVideo Output\n)", said[node])]
    return (capture[0], output[0]) if capture and output else None


def envelopes():
    """The ballots whose envelopes were photographed, and each one's picture."""
    paths = sorted(FRAMES.glob("*.gray"))
    check(paths, "there are no pictures")
    return [(int(path.stem), path) for path in paths]
