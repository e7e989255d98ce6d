# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels for which the driver is built, and headers to build it with.

A Kernel has a label ("ppc64el-6.1"), the path of its unpacked package, which a
guest boots, and the directory that "make -C" takes to build modules for it.

    CACHE/headers/NAME_VERSION_ARCH/    headers of a kernel, and the kernel's
                                        build programs for this machine
"""

import functools
import glob
import os
import re
import tempfile

import packages

# What the driver is built for, besides the kernel that runs
SERIES = ("6.1", "6.12")

# Debian's name of an architecture -> the kernel's, and the compiler's prefix
BUILDS = {"amd64": ("x86", "x86_64-linux-gnu-"),
          "ppc64el": ("powerpc", "powerpc64le-linux-gnu-")}


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


def labels():
    """Names of all kernels."""
    return ["%s-%s" % (arch, series) for arch in BUILDS for series in SERIES]


def named(label):
    """The kernel that a label names."""
    arch, _, series = label.partition("-")
    if label not in labels():
        raise packages.PackageError("no kernel %s; there are: %s"
                                    % (label, ", ".join(labels())))
    return debian(arch, series)
