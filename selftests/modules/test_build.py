#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The driver builds for every kernel, and nothing has anything to say about it.

Kernels and checkpatch.pl are fetched into CACHE, see Documentation/guests.rst.
"""

import glob
import os
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [TOP + "/selftests/guest", TOP + "/selftests/lib"]

import kbuild  # noqa: E402
import kernels  # noqa: E402
import tap  # noqa: E402

# A file with a mistake for each of the three
PLANTED = """// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>
#include <linux/types.h>

%s
MODULE_DESCRIPTION("Something to complain about");
MODULE_LICENSE("GPL");
"""
WARNS = "static int nobody_uses_this;\n"
SPARSE = """static int __init planted_init(void)
{
	__be32 big = 1;

	return big == 2;
}
module_init(planted_init);
"""

# What user space may not use, where it is offered to user space
UAPI_IGNORE = "PREFER_DEFINED_ATTRIBUTE_MACRO,BIT_MACRO"
# The form of tracepoints, and of the one file that knows versions of the kernel
FORM_IGNORE = {
    "driver/vasi_trace.h": "OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT",
    "driver/compat.h": "LINUX_VERSION_CODE,CONSTANT_COMPARISON",
}
# What the codec defines where user space compiles it, as the kernel itself does
IGNORE = "COMPLEX_MACRO"

suite = tap.Suite()


def labels():
    """The debug kernel is no other than Debian's of its series, but for options."""
    return [label for label in kernels.labels() if label != kernels.DEBUG]


def place(label, module=kbuild.DRIVER, build=None):
    return kbuild.Place(kernels.named(label), module, build)


def planted(directory, text):
    """A module with a mistake."""
    source = directory + "/planted"
    os.mkdir(source)
    with open(source + "/planted.c", "w", encoding="utf-8") as file:
        file.write(PLANTED % text)
    with open(source + "/Kbuild", "w", encoding="utf-8") as file:
        file.write("obj-m := planted.o\n")
    return kbuild.Module(source)


def style(paths, ignore):
    """What checkpatch.pl says."""
    return subprocess.run(
        ["perl", kernels.checkpatch(), "--no-tree", "--strict", "--terse",
         "--show-types", "--no-summary", "--color=never",
         "--ignore", ignore, "-f"] + paths, cwd=TOP, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout


def sources(*patterns):
    return sorted(path for pattern in patterns
                  for path in glob.glob(pattern, root_dir=TOP, recursive=True)
                  if not path.endswith(".mod.c"))


@suite.test("W=1: a warning is seen")
def _(label):
    with tempfile.TemporaryDirectory() as directory:
        try:
            place(label, planted(directory, WARNS), directory).built()
        except kbuild.BuildError as error:
            assert "nobody_uses_this" in str(error), error
        else:
            raise AssertionError("it was built")


@suite.test("sparse: a mixed up byte order is seen")
def _(label):
    with tempfile.TemporaryDirectory() as directory:
        said = place(label, planted(directory, SPARSE), directory).sparse()
    assert any("restricted __be32" in line for line in said), said


@suite.test("checkpatch: a mistake is seen")
def _(_label):
    with tempfile.TemporaryDirectory() as directory:
        path = directory + "/x.c"
        with open(path, "w", encoding="utf-8") as file:
            file.write("// SPDX-License-Identifier: GPL-2.0\nint f ( int a ) {}\n")
        assert "ERROR" in style([path], IGNORE)


@suite.test("checkpatch --strict: driver/")
def _(_label):
    paths = sources("driver/**/*.[ch]")
    said = style([path for path in paths if path not in FORM_IGNORE], IGNORE)
    for path, ignore in FORM_IGNORE.items():
        said += style([path], IGNORE + "," + ignore)
    assert not said, said


@suite.test("checkpatch --strict: uapi/")
def _(_label):
    said = style(sources("uapi/**/*.h"), IGNORE + "," + UAPI_IGNORE)
    assert not said, said


def built(label):
    def test(_label):
        place(label).built()
    return test


def checked(label):
    def test(_label):
        said = place(label).sparse()
        assert not said, "\n".join(said)
    return test


for name in labels():
    suite.test("W=1: " + name)(built(name))
    # All of the driver is built for pseries, and byte order is no other elsewhere
    if name.startswith("ppc64el"):
        suite.test("sparse: " + name)(checked(name))

sys.exit(suite.main(labels()[-1]))
