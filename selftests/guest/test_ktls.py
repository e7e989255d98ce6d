#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel TLS through io_uring, as the mover uses it, in Debian's kernels."""

import sys

import guest
import packages

arch = guest.native()
suite = guest.Suite()
for series, kernel in packages.kernels(arch).items():
    # The mover has no privilege, so neither has the test
    machine = guest.Guest(kernel, "exec su nobody -c ./ktls_uring",
                          modules=guest.TLS_MODULES[arch])
    machine.program(guest.BUILD + "/tools/ktls_uring")
    suite.add(series, machine)
sys.exit(suite.main())
