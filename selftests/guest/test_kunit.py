#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The driver's unit tests, which run when it is loaded into the debug kernel."""

import sys

import guest
import kbuild
import kernels

# The results of both suites, as TAP; KUnit indents those of a suite
COMMAND = r"""
dmesg | sed -n 's/^\[ *[0-9.]*\] //p' | sed '1,/KTAP version 1/d' >log
echo 1..$(grep -cE '^    (not )?ok [0-9]+ ' log)
awk '/^    ok [0-9]/ { print "ok " ++n " - " $3; next }
     /^    not ok [0-9]/ { print "not ok " ++n " - " $4; next }
     { print "#" $0 }' log
"""

suite = guest.Suite()
kernel = kernels.named(kernels.DEBUG)
suite.add(kernels.DEBUG, guest.Guest(
    kernel, COMMAND, own={path: "" for path in kbuild.Place(kernel).built()},
    options=("kunit.enable=1",)))
sys.exit(suite.main())
