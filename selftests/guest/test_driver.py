#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The driver in pseries guests: its unit tests (driver/vasi_kunit.c), and the kernel's
selftests of it (selftests/vasi).

PROGRAMS= and KSELFTESTS= in the environment name some of the programs, and of their
tests.
"""

import os
import sys

import guest
import kernels

import driver_guest


def main():
    suite = guest.Suite()
    names = os.environ.get("PROGRAMS", "").split() or driver_guest.programs()
    tests = "".join(" -t " + t for t in os.environ.get("KSELFTESTS", "").split())
    units = kernels.DEBUG + "-kunit"
    labels = driver_guest.labels() + [units]
    # No kernel is built that is not asked for
    for label in [label for label in labels if suite.named(label)] or labels:
        suite.add(label, driver_guest.unit_tests() if label == units else
                  driver_guest.DriverGuest(kernels.named(label), names, tests))
    return suite.main()


sys.exit(main())
