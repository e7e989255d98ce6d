#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""For which QEMU the plug-in is built, and what is said of others."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "guest"),
                os.path.join(TESTS, "qemu")]

import headers  # noqa: E402
import packages  # noqa: E402

GOOD = ("1:7.2+dfsg-7+deb12u18", "7.2.22", "7.2")
BAD = ("1:10.0.2+ds-2~bpo12+1", "1:8.2.0", "1:7.1", "1:7.20", "17.2", "")


def refused(version):
    try:
        headers.check_series(version)
    except packages.PackageError as error:
        return str(error)
    return None


def main():
    print("1..2", flush=True)
    wrong = [v for v in GOOD if refused(v)]
    print("%sok 1 - %s" % ("not " if wrong else "", "QEMU 7.2 is built for"), flush=True)
    wrong = [v for v in BAD if not (refused(v) or "").startswith(
        "QEMU %s is installed; spapr-vasi is for the series 7.2" % v)]
    for version in wrong:
        print("# %s: %s" % (version, refused(version)))
    print("%sok 2 - others are refused, by their version and with the reasons"
          % ("not " if wrong else ""), flush=True)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
