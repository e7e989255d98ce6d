#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Print a directory with the libraries and headers of another architecture.

With it our programs are built for a guest: make SYSROOT=DIR CROSS_COMPILE=PREFIX.
They cannot be installed beside this machine's own.

    CACHE/sysroot/ARCH-KEY/     unpacked over each other, as if it were /
"""

import functools
import hashlib
import os
import shutil
import sys
import tempfile

import packages

# What the programs are linked with, and the kernel's tests of the driver
WANTED = ("libc6-dev", "liburing-dev", "libjansson-dev", "libsystemd-dev",
          "libssl-dev", "libnl-3-dev", "libnl-genl-3-dev")


def relative_links(root):
    """Links to /lib/... shall stay within."""
    for directory, _, names in os.walk(root):
        for name in names:
            path = os.path.join(directory, name)
            if os.path.islink(path) and os.readlink(path).startswith("/"):
                target = root + os.readlink(path)
                os.unlink(path)
                os.symlink(os.path.relpath(target, directory), path)


@functools.lru_cache(maxsize=None)
@packages.locked
def unpacked(arch):
    """Path of the newest libraries of an architecture."""
    archive = packages.Archive(arch)
    found = archive.closure(WANTED)
    key = hashlib.sha256(" ".join(map(str, found)).encode()).hexdigest()[:12]
    home = os.path.join(packages.CACHE, "sysroot")
    path = os.path.join(home, "%s-%s" % (arch, key))
    if not os.path.isdir(path):
        os.makedirs(home, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="new.", dir=home) as work:
            root = work + "/root"
            os.mkdir(root)
            for package in found:
                archive.extract(package, root)
            for name in ("usr/share/doc", "usr/share/man"):
                shutil.rmtree(os.path.join(root, name), ignore_errors=True)
            relative_links(root)
            os.rename(root, path)
    return path


if __name__ == "__main__":
    print(unpacked(sys.argv[1]))
