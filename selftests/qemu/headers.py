#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The headers of exactly the QEMU that is installed, to build a device for it.

    headers.py FLAGS
    headers.py --whole PROGRAM

Takes the source package that qemu-system-ppc64 was built from, configures it as
far as is needed and makes the headers that its build would make, and nothing
else.  All headers stay in the cache; FLAGS becomes a file of compiler options
("gcc @FLAGS"), which is only touched when it changes.

    CACHE/qemu/VERSION/src/       headers of the source package
    CACHE/qemu/VERSION/build/     headers that its build makes

With --whole the device is put into QEMU's tree and all of it is built, which
takes minutes: for where a plug-in cannot be loaded.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "guest"))

import packages  # noqa: E402

PACKAGE = "qemu-system-ppc"
PROGRAM = "/usr/bin/qemu-system-ppc64"
CONFIGURE = ("--meson=/usr/bin/meson", "--without-default-features",
             "--enable-tcg", "--enable-system", "--enable-plugins",
             "--enable-fdt=system", "--disable-werror",
             "--target-list=ppc64-softmmu")
# Not what only other programs need
UNNEEDED = re.compile(r"^(tests|qga|storage-daemon)/")
KEPT = (".h", ".inc", ".def")
OTHERS = ("roms", "tests", "pc-bios", "debian")
# The device in QEMU's tree, below hw/ppc/: where it is here -> there
TREE = {
    "selftests/qemu/spapr-vasi.c": "spapr-vasi.c",
    "selftests/qemu/spapr-vasi.h": "spapr-vasi.h",
    "selftests/qemu/announce.c": "spapr-vasi-announce.c",
    "userspace/violink/violink.c": "vasi/violink/violink.c",
    "userspace/violink/violink.h": "vasi/violink/violink.h",
    "userspace/common/unixsock.c": "vasi/common/unixsock.c",
    "userspace/common/unixsock.h": "vasi/common/unixsock.h",
    "userspace/common/util.h": "vasi/common/util.h",
    "uapi/linux/vasi_crq.h": "vasi/linux/vasi_crq.h",
}
MESON = """
vasi = declare_dependency(include_directories: include_directories('vasi'))
ppc_ss.add(when: ['CONFIG_PSERIES', vasi], if_true: files('spapr-vasi.c',
  'spapr-vasi-announce.c', 'vasi/violink/violink.c', 'vasi/common/unixsock.c'))
"""
LINK = [there for there in TREE.values() if there.startswith("vasi/") and
        there.endswith(".c")]
# Names that QEMU has, too.  In a plug-in they are hidden
RENAMED = "".join("#define %s vasi_%s\n" % (name, name) for name in (
    "unix_connect", "unix_listen", "unix_send_fd", "unix_unlisten"))
WHOLE_S = 3600
# What the plug-in can be built for, and what stands against others
SERIES = "7.2"
UNSUPPORTED = """QEMU %s is installed; spapr-vasi is for the series %s (Debian 12) only.
It is built against QEMU's internal headers, which have changed since: the dirty log's
functions report errors (from 8.2 on), the arrays of device properties are constant and
have no end marker (from 10.0 on), include/sysemu/ has become include/system/ (10.0).
Install Debian 12's own qemu-system-ppc beside it, for example in a container, or remove
the backport: apt-get install qemu-system-ppc/bookworm"""
# Debian's own Python, meson and ninja, whatever else is on this machine
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
BUILD_S = 600


def source():
    """Name and version of the source package of what is installed."""
    return packages.run(["dpkg-query", "-W", "-f",
                         "${source:Package} ${source:Version}",
                         PACKAGE]).split()


def check_series(version):
    """Refuse what the plug-in cannot be built for; @version is Debian's."""
    upstream = version.partition(":")[2] or version
    if not re.match(re.escape(SERIES) + r"\b(?!\.\d*rc)", upstream):
        raise packages.PackageError(UNSUPPORTED % (version, SERIES))


def build_id():
    out = packages.run(["readelf", "-n", PROGRAM])
    found = re.search(r"Build ID: ([0-9a-f]+)", out)
    if not found:
        raise packages.PackageError(PROGRAM + " has no build-id")
    return found.group(1)


def command(argv, directory, limit=BUILD_S):
    done = subprocess.run(argv, cwd=directory, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", timeout=limit,
                          env={"PATH": PATH, "LC_ALL": "C.UTF-8"}, check=False)
    if done.returncode:
        raise packages.PackageError("%s: status %d: %s" % (
            argv[0], done.returncode, done.stdout.strip()[-2000:]))
    return done.stdout


def configure(src, build):
    os.mkdir(build)
    command(["../" + os.path.basename(src) + "/configure"] + list(CONFIGURE),
            build)


def make(src, build):
    """Configure, and make the headers that are made."""
    configure(src, build)
    targets = re.findall(r"(?m)^(\S+\.h): CUSTOM_COMMAND$",
                         command(["ninja", "-t", "targets", "all"], build))
    command(["ninja"] + [t for t in targets if not UNNEEDED.match(t)], build)


def keep(source_dir, target_dir):
    """Of a tree only what is included; links that lead out of it are followed."""
    for directory, below, names in os.walk(source_dir):
        if directory == source_dir:
            below[:] = [b for b in below if b not in OTHERS]
        for name in names:
            path = os.path.join(directory, name)
            if not name.endswith(KEPT) or not os.path.isfile(path):
                continue
            to = os.path.join(target_dir, os.path.relpath(path, source_dir))
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copy(path, to)


@packages.locked
def headers():
    """Path of the headers, and the version that they are of."""
    name, version = source()
    check_series(version)
    path = os.path.join(packages.CACHE, "qemu", version.replace(":", "%3a"))
    if os.path.isdir(path):
        return path, version
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="new.",
                                     dir=os.path.dirname(path)) as work:
        packages.Sources().unpack_source(name, version, work + "/src")
        make(work + "/src", work + "/build")
        keep(work + "/src", work + "/kept/src")
        keep(work + "/build", work + "/kept/build")
        # Those that configure links into the build are of the source, too
        os.rename(work + "/kept", path)
    return path, version


def whole(program):
    """All of QEMU with the device in its tree."""
    name, version = source()
    check_series(version)
    os.makedirs(packages.CACHE, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="whole.", dir=packages.CACHE) as work:
        src = work + "/src"
        packages.Sources().unpack_source(name, version, src)
        for here, there in TREE.items():
            to = os.path.join(src, "hw/ppc", there)
            os.makedirs(os.path.dirname(to), exist_ok=True)
            with open(os.path.join(packages.TOP, here), encoding="utf-8") as file:
                text = file.read()
            with open(to, "w", encoding="utf-8") as file:
                file.write((RENAMED if there in LINK else "") + text)
        with open(src + "/hw/ppc/meson.build", "a", encoding="utf-8") as file:
            file.write(MESON)
        configure(src, work + "/build")
        command(["ninja", "qemu-system-ppc64"], work + "/build", WHOLE_S)
        os.makedirs(os.path.dirname(os.path.abspath(program)), exist_ok=True)
        shutil.copy(work + "/build/qemu-system-ppc64", program)


def flags(path, version):
    src, build = path + "/src", path + "/build"
    words = packages.run(["pkg-config", "--cflags", "glib-2.0", "pixman-1"]).split()
    words += ["-I" + d for d in (
        build, src, build + "/target/ppc", src + "/target/ppc", build + "/qapi",
        build + "/trace")]
    for directory in (src + "/linux-headers", build + "/linux-headers"):
        words += ["-isystem", directory]
    for directory in (build, src, src + "/include", src + "/tcg/i386"):
        words += ["-iquote", directory]
    words += ["-DNEED_CPU_H",
              '-DCONFIG_TARGET="ppc64-softmmu-config-target.h"',
              '-DCONFIG_DEVICES="ppc64-softmmu-config-devices.h"',
              '-DSPAPR_VASI_BUILD_ID="%s"' % build_id(),
              '-DSPAPR_VASI_VERSION="%s %s"' % (PACKAGE, version)]
    return "".join('"%s"\n' % w.replace("\\", "\\\\").replace('"', '\\"')
                   for w in words)


def main():
    target = sys.argv[-1]
    try:
        if sys.argv[1] == "--whole":
            whole(target)
            return
        text = flags(*headers())
    except (packages.PackageError, OSError, subprocess.SubprocessError) as error:
        sys.exit("QEMU: %s" % error)
    try:
        with open(target, encoding="utf-8") as file:
            same = file.read() == text
    except FileNotFoundError:
        same = False
    if not same:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(target + ".new", target)


if __name__ == "__main__":
    main()
