#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that were built for a pseries guest start in one."""

import os
import sys

import guest
import initramfs
import kernels
import sysroot

PROGRAMS = ("mspd", "mspctl", "vasi-phypd", "phypctl")

COMMAND = "echo 1..%d\n" % len(PROGRAMS) + "".join("""
./%(program)s --version >said
cat said
grep -q '^%(program)s ' said || printf 'not '
echo 'ok %(number)d - %(program)s --version'
""" % {"program": program, "number": number}
    for number, program in enumerate(PROGRAMS, 1))

suite = guest.Suite()
for series in kernels.SERIES:
    machine = guest.Guest(
        kernels.debian("ppc64el", series), COMMAND,
        libraries=initramfs.Libraries([sysroot.unpacked("ppc64el")]))
    for program in PROGRAMS:
        machine.program(os.path.join(guest.TOP, "build-ppc64el", program))
    suite.add(series, machine)
sys.exit(suite.main())
