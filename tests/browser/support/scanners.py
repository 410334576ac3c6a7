"""Owns the lines of serial scanners: the far ends of pseudoterminals, found under paths that stay the same.

    scanners.py FOLDER NAME...

Standard input has one JSON object a line: {"scanner": NAME, "payload": TEXT} is scanned, with "hex" in place of "payload" as these
bytes. {"scanner": NAME, "measure": [TEXT...]} scans each as soon as the one before it is answered, and puts out one
{"scanner": NAME, "took": [microseconds...]}. Standard output has one for each answer byte: {"scanner": NAME, "answer": "06", "at": microseconds since 1970}, and
{"ready": true} once all lines are open. It ends with its input.
"""
import json
import os
import selectors
import sys
import time
import tty


def main(folder, names):
    lines = {}
    waiting = selectors.DefaultSelector()
    for name in names:
        far, near = os.openpty()
        tty.setraw(near)
        path = os.path.join(folder, name)
        os.symlink(os.ttyname(near), path)
        lines[name] = (far, near)
        waiting.register(far, selectors.EVENT_READ, name)
    waiting.register(sys.stdin.fileno(), selectors.EVENT_READ, None)
    say({"ready": True})
    half = b""
    while True:
        for key, _ in waiting.select():
            if key.data is not None:
                for byte in os.read(key.fd, 4096):
                    say({"scanner": key.data, "answer": f"{byte:02x}", "at": time.time_ns() // 1000})
                continue
            told = os.read(key.fd, 65536)
            if not told:
                return
            *whole, half = (half + told).split(b"\n")
            for line in whole:
                scan(lines, json.loads(line))


def scan(lines, told):
    if "measure" in told:
        measure(lines[told["scanner"]][0], told)
        return
    payload = bytes.fromhex(told["hex"]) if "hex" in told else told["payload"].encode()
    far, _ = lines[told["scanner"]]
    rest = payload + b"\r"
    while rest:
        rest = rest[os.write(far, rest):]


def measure(far, told):
    took = []
    for payload in told["measure"]:
        begun = time.perf_counter_ns()
        os.write(far, payload.encode() + b"\r")
        os.read(far, 1)
        took.append((time.perf_counter_ns() - begun) / 1000)
    say({"scanner": told["scanner"], "took": took})


def say(what):
    print(json.dumps(what), flush=True)


main(sys.argv[1], sys.argv[2:])
