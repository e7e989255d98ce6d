#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels for which the driver is built, and headers to build it with.

A Kernel has a label ("ppc64el-6.1"), the path of its unpacked package, which a
guest boots, and the directory that "make -C" takes to build modules for it.
Debian has all but one; "ppc64el-debug" is built from Debian's source with
debug.config, and looks like an unpacked package.

    CACHE/headers/NAME_VERSION_ARCH/    headers of a kernel, and the kernel's
                                        build programs for this machine
    CACHE/debug/VERSION-KEY/            the debug kernel; build/ are its headers
    CACHE/checkpatch/VERSION/           checkpatch.pl and its lists
    CACHE/kselftest/VERSION/            what the kernel's selftests share
"""

import argparse
import functools
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import packages

# What the driver is built for, besides the kernel that runs
SERIES = ("6.1", "6.12")

# Debian's name of an architecture -> the kernel's, and the compiler's prefix
BUILDS = {"amd64": ("x86", "x86_64-linux-gnu-"),
          "ppc64el": ("powerpc", "powerpc64le-linux-gnu-")}


DEBUG = "ppc64el-debug"
DEBUG_ARCH = "ppc64el"
DEBUG_CONFIG = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                            "debug.config")
SOURCE = "linux-source-" + SERIES[-1]
BUILD_S = 3600
# Who waits for a build is told that it goes on
TELL_S = 30

# Of the source, what a pseries kernel is not made of: unpacking takes long enough
NOT_UNPACKED = ("Documentation/*/*", "arch/*.dts", "arch/*.dtsi",
                "arch/[!px]*/*.[chS]",
                "sound/*.[ch]", "drivers/gpu/*.[ch]", "drivers/media/*.[ch]",
                "tools/testing/*")
# Of the built tree, what modules are built with
HEADERS = ("Makefile", ".config", "Module.symvers", "include", "scripts",
           "arch/powerpc/Makefile", "arch/powerpc/Makefile.postlink",
           "arch/powerpc/include", "arch/powerpc/tools",
           "arch/powerpc/kernel/module.lds", "arch/powerpc/lib/crtsavres.o")

# Of the source, by the name of their directory in CACHE: what is used by itself
PIECES = {
    "checkpatch": ("scripts/checkpatch.pl", "scripts/spelling.txt",
                   "scripts/const_structs.checkpatch"),
    "kselftest": ("tools/testing/selftests/kselftest.h",
                  "tools/testing/selftests/kselftest_harness.h",
                  "tools/testing/selftests/lib.mk"),
}


class Kernel:
    """A kernel to build modules for, and to boot.

    @label: short and unique: "ppc64el-6.1"
    @arch: Debian's name of its architecture
    @package: path of its unpacked package, or of what looks like one
    @headers: the directory for make -C
    """

    def __init__(self, label, arch, package, headers):
        self.label, self.arch = label, arch
        self.package, self.headers = package, headers

    def config(self, name):
        """Value of a CONFIG_ option ("y", "m", "" if it is not set)."""
        with open(self.headers + "/.config", encoding="utf-8") as file:
            found = re.search(r'^CONFIG_%s=(.*)' % name, file.read(), re.M)
        return found.group(1).strip('"') if found else ""

    def make(self):
        """The kernel's make, and what says for whom and with which compiler."""
        arch, prefix = BUILDS[self.arch]
        return ["make", "-C", self.headers, "ARCH=" + arch,
                "CROSS_COMPILE=" + prefix, "CC=%sgcc" % prefix,
                # No type information of modules: it needs the whole vmlinux
                "CONFIG_DEBUG_INFO_BTF_MODULES="]


def environment():
    """For the kernel's make: ours may have options of another meaning (O=, CC=)."""
    env = {name: value for name, value in os.environ.items()
           if name not in ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL",
                           "O", "CC", "ARCH", "CROSS_COMPILE")}
    return dict(env, LC_ALL="C.UTF-8")


def native():
    """Debian's name of this machine's architecture."""
    return packages.run(["dpkg", "--print-architecture"]).strip()


def choose(archive, series):
    """The newest kernel package of a series, of the smallest flavour."""
    seen = {}
    for flavour in packages.FLAVOURS.get(archive.arch, ()):
        seen = archive.kernels(flavour)
        if series in seen:
            return seen[series]
    raise packages.PackageError(
        "no package source offers a kernel %s for %s (offered: %s)%s" % (
            series, archive.arch, ", ".join(seen) or "none", archive.trouble))


def relative_makefiles(root):
    """Makefiles of headers name others where they would be installed."""
    for path in glob.glob(root + "/usr/src/linux-headers-*/Makefile"):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        here = "include $(dir $(lastword $(MAKEFILE_LIST)))../"
        moved = re.sub(r"^include /usr/src/", lambda _: here, text, flags=re.M)
        if moved != text:
            with open(path, "w", encoding="utf-8") as file:
                file.write(moved)


def unpack_headers(archive, image):
    """The directory with the headers of a kernel package; fetched if need be.

    They, what they share with other flavours, and the programs of this
    machine's architecture that build modules, are put together like installed.
    """
    name = image.name.replace("linux-image-", "linux-headers-")
    headers = packages.Package(name, image.version, image.arch)
    home = os.path.join(packages.CACHE, "headers")
    root = os.path.join(home, os.path.basename(headers.path))
    if not os.path.isdir(root):
        os.makedirs(home, exist_ok=True)
        own = packages.Archive(native())
        with tempfile.TemporaryDirectory(prefix="new.", dir=home) as work:
            os.mkdir(work + "/root")
            archive.extract(headers, work + "/root")
            for other in archive.depends(headers):
                if re.match(r"linux-headers-.*-common", other):
                    archive.extract(archive.package(other), work + "/root")
                elif other.startswith("linux-kbuild-"):
                    own.extract(own.package(other), work + "/root")
            relative_makefiles(work + "/root")
            os.rename(work + "/root", root)
    return os.path.join(root, "usr/src", name)


@functools.lru_cache(maxsize=None)
@packages.locked
def debian(arch, series):
    """The newest kernel of a series that Debian has, and its headers."""
    archive = packages.Archive(arch)
    archive.refresh()
    image = choose(archive, series)
    return Kernel("%s-%s" % (arch, series), arch, archive.unpack(image),
                  unpack_headers(archive, image))


def source():
    """The newest source package, and the archive that has it."""
    archive = packages.Archive(native())
    return archive, archive.package(SOURCE)


def tarball(archive, package):
    """Path of the kernel's source; fetched if need be."""
    found = glob.glob(archive.unpack(package) + "/usr/src/linux-source-*.tar.xz")
    if len(found) != 1:
        raise packages.PackageError("no source in %s" % package)
    return found[0]


def unpack_pieces(archive, package):
    """Have all PIECES of a source package; returns name -> directory."""
    paths = {name: os.path.join(packages.CACHE, name, package.version)
             for name in PIECES}
    missing = [name for name in PIECES if not os.path.isdir(paths[name])]
    if not missing:
        return paths
    # Once for all: it is a long way to the end of the source
    with tempfile.TemporaryDirectory(prefix="new.", dir=packages.CACHE) as work:
        packages.run(["tar", "-xf", tarball(archive, package), "-C", work,
                      "--strip-components=1", "--wildcards"] +
                     ["linux-source-*/" + name for piece in missing
                      for name in PIECES[piece]])
        for piece in missing:
            os.makedirs(os.path.dirname(paths[piece]), exist_ok=True)
            os.rename(os.path.join(work, os.path.dirname(PIECES[piece][0])),
                      paths[piece])
    return paths


@functools.lru_cache(maxsize=None)
@packages.locked
def pieces():
    """Name of a piece of the newest source -> its directory."""
    return unpack_pieces(*source())


def checkpatch():
    """Path of the newest checkpatch.pl."""
    return pieces()["checkpatch"] + "/checkpatch.pl"


def kselftest():
    """Directory of what the kernel's selftests share."""
    return pieces()["kselftest"]


def debug_make(directory):
    """The kernel's make for the debug kernel."""
    arch, prefix = BUILDS[DEBUG_ARCH]
    return ["make", "-C", directory, "-s", "-j%d" % (os.cpu_count() or 1),
            "ARCH=" + arch, "CROSS_COMPILE=" + prefix]


def debug_key(package):
    """What the debug kernel depends on."""
    digest = hashlib.sha256()
    with open(DEBUG_CONFIG, "rb") as file:
        digest.update(file.read())
    compiler = BUILDS[DEBUG_ARCH][1] + "gcc"
    digest.update(packages.run([compiler, "--version"]).encode())
    return "%s-%s" % (package.version, digest.hexdigest()[:12])


def follow(argv, log, what):
    """Run a command that takes long; its output goes to a file."""
    started = time.monotonic()
    with open(log, "ab") as out:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=subprocess.STDOUT, env=environment())
        try:
            while True:
                try:
                    status = process.wait(TELL_S)
                    break
                except subprocess.TimeoutExpired:
                    seconds = time.monotonic() - started
                    print("# %s: for %d s" % (what, seconds), flush=True)
                    if seconds > BUILD_S:
                        raise
        finally:
            process.kill()
            process.wait()
    if status:
        with open(log, encoding="utf-8", errors="replace") as file:
            raise packages.PackageError("%s: status %d: %s" % (
                what, status, file.read()[-3000:]))


def configure(tree, log):
    """Write .config; every line of ours has to be in it."""
    follow(debug_make(tree) + ["KCONFIG_ALLCONFIG=" + DEBUG_CONFIG, "allnoconfig"],
           log, "configuring the debug kernel")
    with open(tree + "/.config", encoding="utf-8") as file:
        there = set(file.read().splitlines())
    with open(DEBUG_CONFIG, encoding="utf-8") as file:
        lost = [line for line in file.read().splitlines()
                if line.startswith("CONFIG_") and line not in there]
    if lost:
        raise packages.PackageError("the kernel does not take %s of %s"
                                    % (", ".join(lost), DEBUG_CONFIG))


def pack(tree, root):
    """Make a built tree look like an unpacked package, with headers."""
    with open(tree + "/include/config/kernel.release", encoding="ascii") as file:
        release = file.read().strip()
    modules = root + "/lib/modules/" + release
    os.makedirs(modules)
    os.makedirs(root + "/boot")
    packages.run([BUILDS[DEBUG_ARCH][1] + "strip", "-o",
                  root + "/boot/vmlinux-" + release, tree + "/vmlinux"])
    shutil.copy(tree + "/modules.builtin", modules)
    for name in HEADERS:
        there = os.path.join(root, "build", name)
        if os.path.exists(os.path.join(tree, name)):
            os.makedirs(os.path.dirname(there), exist_ok=True)
            os.rename(os.path.join(tree, name), there)


def build_debug(tar, root, log):
    """Build the debug kernel from its source."""
    home = os.path.dirname(root)
    with tempfile.TemporaryDirectory(prefix="new.", dir=home) as work:
        tree = work + "/tree"
        os.mkdir(tree)
        packages.run(["tar", "-xf", tar, "-C", tree, "--strip-components=1"] +
                     ["--exclude=linux-source-*/" + name
                      for name in NOT_UNPACKED])
        configure(tree, log)
        follow(debug_make(tree) + ["vmlinux", "modules"], log,
               "building the debug kernel")
        os.mkdir(work + "/root")
        pack(tree, work + "/root")
        os.rename(work + "/root", root)


@functools.lru_cache(maxsize=None)
def debug():
    """The debug kernel; it takes minutes if it is not in the cache."""
    with packages.turn():
        archive, package = source()
    home = os.path.join(packages.CACHE, "debug")
    root = os.path.join(home, debug_key(package))
    os.makedirs(home, exist_ok=True)
    with packages.turn("debug.lock"):
        if not os.path.isdir(root):
            with packages.turn():
                tar = tarball(archive, package)
                unpack_pieces(archive, package)
            if os.path.exists(root + ".log"):
                os.unlink(root + ".log")
            build_debug(tar, root, root + ".log")
            # 150 MB that nobody needs until one of the three changes
            shutil.rmtree(package.path)
    return Kernel(DEBUG, DEBUG_ARCH, root, root + "/build")


def labels():
    """Names of all kernels."""
    return ["%s-%s" % (arch, series) for arch in BUILDS for series in SERIES] + \
        [DEBUG]


def named(label):
    """The kernel that a label names."""
    if label not in labels():
        raise packages.PackageError("no kernel %s; there are: %s"
                                    % (label, ", ".join(labels())))
    if label == DEBUG:
        return debug()
    return debian(*label.split("-"))


def main():
    parser = argparse.ArgumentParser(description="Have kernels in the cache.")
    parser.add_argument("kernels", nargs="*", metavar="KERNEL",
                        help="all: " + " ".join(labels()))
    parser.add_argument("--kselftest", action="store_true",
                        help="print the directory that the kernel's selftests share")
    options = parser.parse_args()
    if options.kselftest:
        print(kselftest())
        return 0
    for label in options.kernels or labels():
        try:
            started = time.monotonic()
            named(label)
            print("  %-7s %s (%.0f s)" % ("KERNEL", label,
                                          time.monotonic() - started), flush=True)
        except packages.PackageError as error:
            sys.exit("%s: %s" % (label, error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
