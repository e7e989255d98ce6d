#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The driver is opened, reset and reloaded over and over, in guests.

1,000 opens, 100 resets under load, 100 reloads of the module; what they leave behind
is counted in slab objects, and searched for by kmemleak where the kernel has it.  Then
partitions move between two guests that are movers, 20 times.
"""

import argparse
import os
import subprocess
import sys

PARSER = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
PARSER.add_argument("--build", default="build", help="where the programs are")
PARSER.add_argument("--percent", type=int, default=100, help="of these numbers")
PARSER.add_argument("--moves", type=int, default=20, help="between two guests")
PARSER.add_argument("kernels", nargs="*", metavar="KERNEL", help="default: all")
ARGS = PARSER.parse_args()

os.environ["BUILD"] = os.path.abspath(ARGS.build)
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../guest"), os.path.join(HERE, "../lib")]

import guest  # noqa: E402
import kernels  # noqa: E402

import driver_guest  # noqa: E402

HOURS_S = 3 * 3600
# No output for as long is no sign of anything
SILENCE_S = 3600

guest.GUEST_S = HOURS_S
guest.JOBS = 1


def soak(label):
    """One guest; True if all went well."""
    machine = driver_guest.DriverGuest(
        kernels.named(label), ["soak"],
        environment="export VASI_SOAK=%d\n" % ARGS.percent)
    result = machine.run("soak-" + label, lambda line: print("# " + line, flush=True),
                         SILENCE_S)
    wrong = result.wrong() + [r[0] for r in result.parser.results if r[1] == "fail"]
    for text in wrong:
        print("# wrong: " + text)
    print("%s: %d of %d well, %.0f s%s" % (
        label, sum(r[1] == "pass" for r in result.parser.results),
        result.parser.planned or 0, result.total_s, ", but see above" if wrong else ""),
        flush=True)
    return not wrong


def moves(count):
    """Moves between guests; the test makes several at a time.  True if all went well."""
    done = failed = 0
    while done < count:
        run = subprocess.run(
            [sys.executable, "-B", os.path.join(HERE, "../guest/test_move.py")],
            text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
        lines = run.stdout.splitlines()
        moved = [line for line in lines if "its memory is equal" in line]
        wrong = [line for line in lines if line.startswith("not ok")]
        done += max(len(moved), 1)
        failed += bool(wrong or run.returncode or not moved)
        for line in wrong:
            print("# wrong: " + line, flush=True)
    print("moves between guests: %d, %s" % (
        done, "%d runs failed" % failed if failed else "all well"), flush=True)
    return not failed


def main():
    results = [soak(label) for label in ARGS.kernels or driver_guest.labels()]
    results.append(moves(ARGS.moves))
    return 0 if all(results) else 1


sys.exit(main())
