#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Build modules for kernels in the cache, each in a directory of its own.

Sources are linked into BUILD/modules/LABEL/src/, so that builds for several
kernels are not in each other's way (before 6.13 the kernel's build system
writes next to the sources).  All warnings are errors.  What comes out is
BUILD/modules/LABEL/NAME.ko, built again only if something changed.
"""

import argparse
import fcntl
import glob
import os
import re
import shutil
import subprocess
import sys

import kernels
import packages

BUILD = os.environ.get("BUILD", os.path.join(packages.TOP, "build"))

# Of the build system, about nothing that could be mended in the sources
HARMLESS = re.compile(r"warning: the compiler differs from the one used|"
                      r"^\s*(The kernel was built by|You are using):|"
                      r"Skipping BTF generation")
WARNING = re.compile(r"\b(warning|error)\b", re.I)

# Made by the kernel's build system, if somebody built in the sources
MADE = re.compile(r"\.mod\.c$")


class BuildError(Exception):
    """A build failed or warned; the text is what it said."""


class Module:
    """A module to be: its directory of sources and what these include.

    @source: directory with a Kbuild or Makefile
    @beside: directories that it reaches as ../NAME
    """

    def __init__(self, source, beside=()):
        self.source = source
        self.name = os.path.basename(source)
        self.beside = beside

    def promised(self):
        """Do the sources make a module at all?"""
        for name in ("Kbuild", "Makefile"):
            path = os.path.join(self.source, name)
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    return re.search(r"^obj-(m|\$)", file.read(), re.M)
        return False


DRIVER = Module(os.path.join(packages.TOP, "driver"),
                [os.path.join(packages.TOP, "uapi")])


def link(target, path):
    """Make @path a link to @target, if it is not one."""
    if os.path.islink(path) and os.readlink(path) == target:
        return
    if os.path.lexists(path):
        os.unlink(path)
    os.symlink(target, path)


def mirror(module, directory):
    """Links to the sources of a module; no links to those that are gone."""
    own = os.path.join(directory, module.name)
    os.makedirs(own, exist_ok=True)
    names = [name for name in os.listdir(module.source)
             if re.search(r"\.[chS]$|^(Kbuild|Makefile)$", name) and
             not MADE.search(name)]
    for name in names:
        link(os.path.join(module.source, name), os.path.join(own, name))
    for path in glob.glob(own + "/*"):
        if os.path.islink(path) and os.path.basename(path) not in names:
            os.unlink(path)
    for path in module.beside:
        link(path, os.path.join(directory, os.path.basename(path)))
    return own


def run_make(argv):
    """Output of the kernel's make; its status."""
    done = subprocess.run(argv, env=kernels.environment(), text=True,
                          errors="replace", stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    return done.stdout, done.returncode


class Place:
    """Where a module is built for a kernel."""

    def __init__(self, kernel, module=DRIVER, build=None):
        self.kernel, self.module = kernel, module
        self.path = os.path.join(build or BUILD, "modules", kernel.label)

    def make(self, *more):
        """Run the kernel's make; what it said and its status."""
        own = mirror(self.module, self.path + "/src")
        return run_make(self.kernel.make() + [
            "-j%d" % (os.cpu_count() or 1), "M=" + own, "W=1",
            "KCFLAGS=-Werror"] + self.options() + list(more) + ["modules"])

    def options(self):
        """The debug kernel has KUnit: there the driver has its unit tests."""
        return ["CONFIG_VASI_KUNIT_TEST=y"] \
            if self.kernel.label == kernels.DEBUG else []

    def turn(self):
        """A file whose lock is held by the one run that builds here."""
        os.makedirs(self.path, exist_ok=True)
        lock = open(self.path + "/." + self.module.name + ".lock", "ab")
        fcntl.flock(lock, fcntl.LOCK_EX)
        return lock

    def built(self):
        """Build; paths of the modules that came out, next to what they need."""
        with self.turn():
            out, status = self.make()
            own = os.path.join(self.path, "src", self.module.name)
            warned = warnings(out)
            if status or warned:
                self.forget(own)
                if not status:
                    # What only warned would not be built, and warn, again
                    shutil.rmtree(own)
                raise BuildError("%s for %s: %s" % (
                    self.module.name, self.kernel.label,
                    out if status else "\n".join(warned)))
            made = [self.put(path) for path in sorted(glob.glob(own + "/*.ko"))]
            if not made and self.module.promised():
                raise BuildError("%s for %s: no module came out\n%s" % (
                    self.module.name, self.kernel.label, out))
            return made

    def forget(self, own):
        """Remove what earlier builds left: nobody shall take it for this one's."""
        for path in glob.glob(own + "/*.ko"):
            there = os.path.join(self.path, os.path.basename(path))
            if os.path.exists(there):
                os.unlink(there)

    def put(self, path):
        """Copy a module to where it is used from, unless it is there."""
        there = os.path.join(self.path, os.path.basename(path))
        if not os.path.exists(there) or \
                os.stat(there).st_mtime_ns != os.stat(path).st_mtime_ns:
            shutil.copy2(path, there + ".new")
            os.rename(there + ".new", there)
        return there

    def sparse(self):
        """What sparse says about the module's own files."""
        with self.turn():
            out, status = self.make("C=2", "CF=-D__CHECK_ENDIAN__")
        return warnings(out) + (["status %d:" % status, out] if status else [])


def warnings(output):
    """Lines of a build's output that warn."""
    return [line for line in output.splitlines()
            if WARNING.search(line) and not HARMLESS.search(line)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kernels", nargs="*", metavar="KERNEL",
                        help="all: " + " ".join(kernels.labels()))
    parser.add_argument("--source", help="a module's directory in place of driver/")
    options = parser.parse_args()
    module = Module(os.path.abspath(options.source)) if options.source else DRIVER
    bad = False
    for label in options.kernels or kernels.labels():
        try:
            for path in Place(kernels.named(label), module).built():
                print("  %-7s %s" % ("MODULE", os.path.relpath(path)), flush=True)
        except (BuildError, packages.PackageError) as error:
            print(error, file=sys.stderr)
            bad = True
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
