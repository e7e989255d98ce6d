#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A pseries guest: another architecture's kernel, modules and programs."""

import sys

import guest
import packages

COMMAND = """
echo 1..2
[ "$(uname -m)" = ppc64le ] || printf 'not '
echo 'ok 1 - runs as ppc64le'
grep -q ^tls /proc/modules || printf 'not '
echo 'ok 2 - modules are loaded'
"""

suite = guest.Suite()
for series, kernel in packages.kernels("ppc64el").items():
    suite.add(series, guest.Guest(kernel, COMMAND, modules=["tls"],
                                  arch="ppc64el"))
sys.exit(suite.main())
