#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The demonstration with movers that are guests (make demo-pseries), a short one.

Two mover service partitions with the driver and mspd move a Linux partition.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
DEMO = os.path.join(os.path.dirname(HERE), "demo", "pseries.py")
BUILD = os.environ.get("BUILD", os.path.join(os.path.dirname(os.path.dirname(HERE)),
                                             "build"))

# Half the memory, and as much of it less to move
os.execv(sys.executable, [sys.executable, "-B", DEMO, "--build", BUILD, "--short",
                          "--memory", "32"])
