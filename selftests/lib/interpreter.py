# SPDX-License-Identifier: GPL-2.0-or-later
"""Modules that are Debian packages, also where another Python is in front."""

import importlib
import os
import sys

DEBIAN = "/usr/bin/python3"


def need(*modules):
    """Go on with Debian's Python if this one lacks a module that Debian has."""
    try:
        for name in modules:
            importlib.import_module(name)
    except ImportError:
        if os.path.realpath(sys.executable) == os.path.realpath(DEBIAN):
            raise
        os.execv(DEBIAN, [DEBIAN, "-B"] + sys.argv)
