# SPDX-License-Identifier: GPL-2.0-or-later
"""Pseries guests that are movers: the driver, mspd, and a VASI device.

Behind the device is the vasi-phypd of a system of lpm.Lab, whose own mspd is stopped.
"""

import contextlib
import functools
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import guest  # noqa: E402
import initramfs  # noqa: E402
import kbuild  # noqa: E402
import kernels  # noqa: E402
import lpm  # noqa: E402
import sysroot  # noqa: E402

# 64 KiB pages, where no command of io_uring waits, and 4 KiB pages, where it does
LABELS = ("ppc64el-6.1", "ppc64el-6.12")
PROGRAMS = ("mspd", "mspctl", "vasimon")
UNIT = 0x71000010

# What commands begin with.  check NAME: a result, by the status of what came before;
# wait_for PATTERN FILE: until it is there, or mspd has ended.  vasimon and mspd run.
SHELL = """
count=0
check()
{
	[ $? = 0 ] || printf 'not '
	echo "ok $((count += 1)) - $1"
}
wait_for()
{
	until grep -q "$1" "$2"; do
		kill -0 $mspd || break
	done
}
chown -R nobody /etc/mspd
./vasimon --json >events 2>&1 &
monitor=$!
# It tells of adapters once it hears of events
until grep -q '"event":"adapter"' events; do
	kill -0 $monitor || break
done
./mspd --vasi /dev/vasi0 --user nobody --kernel-tls no $MSPD >log 2>&1 &
mspd=$!
wait_for ready log
"""


@functools.lru_cache(maxsize=None)
def module(label):
    """The kernel of that label and the driver for it; built if need be."""
    kernel = kernels.named(label)
    built, = kbuild.Place(kernel).built()
    return kernel, built


class Mover(guest.Guest):
    """A guest that is the mover of a system.

    @label: of its kernel
    @system: one of lpm.Lab
    @command: as of Guest; SHELL comes before it
    @options: more of mspd's
    @parameters: of the driver
    """

    memfd = True

    def __init__(self, label, system, command, options="", network=None,
                 parameters=""):
        kernel, driver = module(label)
        super().__init__(kernel, "MSPD='%s'" % options + SHELL + command,
                         own={driver: parameters}, network=network,
                         libraries=initramfs.Libraries(
                             [sysroot.unpacked("ppc64el")]))
        self.vasi = ("%s,reg=%#x" % (system.device_path, UNIT),)
        for program in PROGRAMS:
            self.program(os.path.join(guest.TOP, "build-ppc64el", program))
        for name, mode in (("key.pem", 0o600), ("cert.pem", 0o644),
                           ("peers", 0o644)):
            with open(os.path.join(system.tls_dir, name), "rb") as file:
                self.files.file("/etc/mspd/" + name, file.read(), mode)


def main(prepare):
    """A lab for each kernel, with what prepare(suite, label, lab) makes of it; run it."""
    suite = guest.Suite()
    with contextlib.ExitStack() as stack:
        for label in LABELS:
            prepare(suite, label, stack.enter_context(lpm.Lab()))
        return suite.main()
