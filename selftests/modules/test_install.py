#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What make install puts around the driver is complete, and DKMS can build it."""

import os
import re
import shlex
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [TOP + "/selftests/guest", TOP + "/selftests/lib"]

import kbuild  # noqa: E402
import kernels  # noqa: E402
import packages  # noqa: E402
import tap  # noqa: E402

# What DKMS sets, and what it reads
READ_CONF = """
dkms_tree=%s kernel_source_dir=%s
. %s/dkms.conf
printf '%%s\\n' "$PACKAGE_NAME" "$PACKAGE_VERSION" "${MAKE[0]}" \\
	"${BUILT_MODULE_LOCATION[0]}/${BUILT_MODULE_NAME[0]}.ko"
"""

suite = tap.Suite()


def files(root):
    return {os.path.relpath(os.path.join(directory, name), root)
            for directory, _, names in os.walk(root) for name in names}


def version():
    with open(TOP + "/Makefile", encoding="utf-8") as file:
        return re.search(r"^VERSION := (.*)$", file.read(), re.M).group(1)


@suite.test("udev's rule, its group, and the sources are installed")
def _(root):
    there = files(root)
    wanted = {"usr/lib/udev/rules.d/60-vasi.rules", "usr/lib/sysusers.d/vasi.conf"}
    source = "usr/src/vasi-%s/" % version()
    wanted |= {source + "dkms.conf", source + "driver/Kbuild"}
    wanted |= {source + "driver/" + name for name in os.listdir(TOP + "/driver")
               if re.search(r"(?<!\.mod)\.[ch]$", name)}
    wanted |= {source + "uapi/linux/" + name for name in
               os.listdir(TOP + "/uapi/linux")}
    assert there == wanted, there ^ wanted


@suite.test("the rule names the group that is made")
def _(root):
    with open(root + "/usr/lib/udev/rules.d/60-vasi.rules", encoding="utf-8") as file:
        rule = [line for line in file if line.startswith("SUBSYSTEM")]
    with open(root + "/usr/lib/sysusers.d/vasi.conf", encoding="utf-8") as file:
        group = re.search(r"^g (\S+) ", file.read(), re.M).group(1)
    assert len(rule) == 1, rule
    assert 'GROUP="%s"' % group in rule[0] and 'MODE="0660"' in rule[0], rule


@suite.test("dkms.conf builds the installed sources")
def _(root):
    kernel = kernels.debian("ppc64el", kernels.SERIES[-1])
    source = root + "/usr/src/vasi-" + version()
    tree = root + "/dkms"
    build = "%s/vasi/%s/build" % (tree, version())
    os.makedirs(os.path.dirname(build))
    os.symlink(source, build)
    name, number, command, module = packages.run(
        ["bash", "-c", READ_CONF % (tree, kernel.headers, source)]).splitlines()
    assert (name, number) == ("vasi", version()), (name, number)
    # make -C HEADERS, and what DKMS leaves to the machine it runs on
    words = shlex.split(command)
    assert words[:3] == kernel.make()[:3], command
    out, status = kbuild.run_make(kernel.make() + words[3:])
    assert status == 0, out
    assert os.path.exists(os.path.join(build, module)) or \
        not kbuild.DRIVER.promised(), out


def main():
    with tempfile.TemporaryDirectory() as root:
        done = subprocess.run(
            ["make", "-C", TOP, "-s", "install-driver", "DESTDIR=" + root,
             "PREFIX=/usr"], env=kernels.environment(), text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            sys.exit(done.stdout)
        return suite.main(root)


sys.exit(main())
