#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The demonstration with a Linux partition, and that it measures what it says."""

import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import linux_lab  # noqa: E402
import lpm  # noqa: E402

DEMO = os.path.join(os.path.dirname(HERE), "demo", "linux.py")
DEMO_S = 240
STOP_MS = 500
CHECKS = ("no tick is lost", "the partition's memory is what it wrote",
          "one TCP connection lived")


def run(*arguments):
    """(exit status, what it says)"""
    done = subprocess.run(
        [sys.executable, "-B", DEMO, "--build", lpm.BUILD, "--quick", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=DEMO_S, check=False)
    return done.returncode, done.stdout


def blackouts(text):
    return [int(ms) for ms in re.findall(r"blackout by the ticks (\d+) ms", text)]


def moves():
    """A stop of the target within the blackout has to be seen from outside."""
    status, text = run("--moves", "1", "--plant-stop", str(STOP_MS))
    for name in CHECKS + ("the planted stop shows",):
        assert re.search("^  ok   " + name, text, re.M), name + ":\n" + text
    assert status == 0, text
    found = blackouts(text)
    assert len(found) == 1 and found[0] >= STOP_MS, found
    lpm.note("planted %d ms, seen %s ms" % (STOP_MS, found))


def main():
    print("1..1", flush=True)
    suite = linux_lab.Suite()
    suite.attempt("a Linux partition moves, and a planted stop shows", moves)
    return suite.bad != 0


if __name__ == "__main__":
    sys.exit(main())
