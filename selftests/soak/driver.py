#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The driver is opened, reset and reloaded over and over, in guests.

1,000 opens, 100 resets under load, 100 reloads of the module; what they leave behind
is counted in slab objects, and searched for by kmemleak where the kernel has it.
"""

import argparse
import os
import sys

PARSER = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
PARSER.add_argument("--build", default="build", help="where the programs are")
PARSER.add_argument("--percent", type=int, default=100, help="of these numbers")
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


def main():
    results = [soak(label) for label in ARGS.kernels or driver_guest.labels()]
    return 0 if all(results) else 1


sys.exit(main())
