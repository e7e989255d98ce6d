# SPDX-License-Identifier: GPL-2.0-or-later
"""A pseries guest with three VASI adapters, the driver, and tests of it.

The platforms behind the adapters are those of selftests/lib/driver_platforms.py.
Several programs of selftests/vasi run in it, one after the other, each with the
driver loaded anew.
"""

import glob
import os
import re
import shutil
import tempfile

import guest
import kbuild
import kernels
import tap

import driver_platforms

PROGRAMS = os.path.join(guest.TOP, "build-ppc64el", "vasi")
SOURCES = os.path.join(guest.TOP, "selftests", "vasi")

# Serial line of the control channel, as the guest sees it
CONTROL = "/dev/hvc2"

PROGRAM = re.compile(r"^program: (\S+)$")
# kselftest.h puts the name of a skipped test behind the directive
SKIPPED = re.compile(r"^(ok \d+) # SKIP (\S+) ?(.*)$")

# One program.  The driver is loaded before it and has to unload after it.  If a test
# failed, what the driver says of itself may help.
RUN = """
echo "program: %(name)s"
[ -d /sys/module/vasi ] || insmod $VASI_MODULE
./%(name)s%(tests)s || {
	status=1
	grep -r . /sys/kernel/debug/vasi | sed 's/^/# /'
}
rmmod vasi || status=1
"""


class Parser(tap.Parser):
    """Several programs' output, one after the other."""

    def __init__(self):
        super().__init__()
        self.program = "?"

    def line(self, text):
        program = PROGRAM.match(text)
        if program:
            self.program = program.group(1)
            return None
        before = self.planned or 0
        result = super().line(SKIPPED.sub(r"\1 \2 # SKIP \3", text))
        if tap.PLAN.match(text):
            self.planned += before
        if not result:
            return None
        name, outcome, why = result
        self.results[-1] = ("%s: %s" % (self.program, name), outcome, why)
        return self.results[-1]


def programs():
    """Names of the programs, but for the one that takes long."""
    sources = {os.path.basename(path)[:-2] for path in glob.glob(SOURCES + "/*.c")}
    return sorted(name for name in sources - {"soak"}
                  if os.path.exists(os.path.join(PROGRAMS, name)))


class DriverGuest(guest.Guest):
    """A guest with adapters, the driver, and its tests.

    @names: of the programs that run
    @tests: words for each of them: which tests
    @environment: shell text: more that they need to know
    """

    memfd = True

    def __init__(self, kernel, names, tests="", environment=""):
        module, = kbuild.Place(kernel).built()
        command = driver_platforms.Platforms.environment(CONTROL) + \
            environment + \
            "export VASI_MODULE=/guest/modules/vasi.ko\nstatus=0\n" + \
            "".join(RUN % {"name": name, "tests": tests} for name in names) + \
            "exit $status\n"
        super().__init__(kernel, command, own={module: ""})
        self.platforms = None
        for name in names:
            self.program(os.path.join(PROGRAMS, name))

    def hardware(self):
        return super().hardware() + \
            ["-serial", "unix:" + self.platforms.control_path]

    def result(self, console):
        result = super().result(console)
        result.parser = Parser()
        return result

    def run(self, name, tell=None, silence=guest.SILENCE_S):
        directory = tempfile.mkdtemp(prefix="vasi.", dir="/tmp")
        os.chmod(directory, 0o755)
        try:
            with driver_platforms.Platforms(directory) as self.platforms:
                self.vasi = self.platforms.links
                result = super().run(name, tell, silence)
            if self.platforms.errors and not result.ended:
                result.ended = "; ".join(self.platforms.errors)
            for path in glob.glob(directory + "/*.log"):
                shutil.copy(path, os.path.dirname(result.console))
            return result
        finally:
            shutil.rmtree(directory, ignore_errors=True)


# The results of both suites, as TAP; KUnit indents those of a suite
UNIT_TESTS = r"""
dmesg | sed -n 's/^\[ *[0-9.]*\] //p' | sed '1,/KTAP version 1/d' >log
echo 1..$(grep -cE '^    (not )?ok [0-9]+ ' log)
awk '/^    ok [0-9]/ { print "ok " ++n " - " $3; next }
     /^    not ok [0-9]/ { print "not ok " ++n " - " $4; next }
     { print "#" $0 }' log
"""


def unit_tests():
    """A guest with the debug kernel, where the driver has unit tests, which run when it
    is loaded."""
    kernel = kernels.named(kernels.DEBUG)
    return guest.Guest(kernel, UNIT_TESTS, options=("kunit.enable=1",),
                       own={path: "" for path in kbuild.Place(kernel).built()})


def labels():
    """Kernels that the driver is tested with, the slowest first: others run beside it."""
    return [kernels.DEBUG] + ["ppc64el-" + series for series in kernels.SERIES]
