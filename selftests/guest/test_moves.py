#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole moves with kernel TLS, in Debian's kernels."""

import os
import sys

import guest
import packages
import python

PROGRAMS = ("mspd", "mspctl", "vasi-phypd", "phypctl", "hmc")

arch = guest.native()
kernels = packages.kernels(arch)
suite = guest.Suite()
for series, kernel in kernels.items():
    command = "BUILD=/guest/build exec python3 -B selftests/guest/inside/moves.py"
    if series != list(kernels)[-1]:
        # One is enough to see that it works with the oldest kernel, too
        command += " --only 'on both sides'"
    machine = guest.Guest(kernel, command, modules=guest.TLS_MODULES[arch])
    python.add(machine, [os.path.join(guest.HERE, "inside/moves.py"),
                         os.path.join(guest.TOP, "selftests/lib")])
    for name in PROGRAMS:
        machine.program(os.path.join(guest.BUILD, name), "/guest/build/" + name)
    suite.add(series, machine)
sys.exit(suite.main())
