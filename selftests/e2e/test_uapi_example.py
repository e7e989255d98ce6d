#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The examples of Documentation/uapi.rst are C that compiles."""

import os
import re
import shlex
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import lpm  # noqa: E402
import tap  # noqa: E402

suite = tap.Suite()


def examples():
    with open(os.path.join(lpm.TOP, "Documentation/uapi.rst"),
              encoding="utf-8") as file:
        return re.findall(r"^\.\. code-block:: c\n\n((?:   .*\n|\n)+)",
                          file.read(), re.M)


def compiles(text):
    """What the compiler says of it: nothing if it is well."""
    done = subprocess.run(
        shlex.split(os.environ.get("CC") or "gcc") +
        ["-std=gnu11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
         "-Wno-sign-compare", "-I" + lpm.TOP + "/uapi", "-x", "c", "-"],
        input=text, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, check=False)
    assert bool(done.returncode) == bool(done.stdout), done
    return done.stdout


@suite.test("the examples of the interface compile")
def _():
    found = examples()
    assert len(found) == 3, len(found)
    said = compiles("".join(found))
    assert not said, said


@suite.test("and would not if the interface were another")
def _():
    assert compiles("".join(examples()).replace("generation", "generations"))


lpm.main(suite)
