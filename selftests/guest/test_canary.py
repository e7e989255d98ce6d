#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Mistakes in a module are found by the debug kernel, and seen by the harness."""

import concurrent.futures
import os
import sys

import guest
import kbuild
import kernels
import tap

MODULE = kbuild.Module(os.path.join(guest.HERE, "canary"))

# All that a kernel survives
SURVIVED = ("atomic-sleep", "inversion", "leak", "warning", "reference")

suite = tap.Suite()


def run(name, *mistakes):
    """A guest whose module makes mistakes."""
    kernel = kernels.named(kernels.DEBUG)
    module, = kbuild.Place(kernel, MODULE).built()
    command = "echo 1..1\necho 'ok 1 - a test'\n" + "".join(
        "echo %s >/sys/module/canary/parameters/plant\n" % mistake
        for mistake in mistakes)
    return guest.Guest(kernel, command, own={module: ""}).run("canary-" + name)


RUNS = {
    "nothing": lambda: run("nothing", "nothing"),
    "overflow": lambda: run("overflow", "overflow"),
    "survived": lambda: run("survived", *SURVIVED),
}


def has(result, *texts):
    wrong = result.wrong()
    for text in texts:
        assert any(text in line for line in wrong), (text, wrong)


@suite.test("no mistake: nothing is found")
def _(results):
    result = results["nothing"].result()
    assert not result.wrong(), result.wrong()
    assert result.health.taint, "the module is not the kernel's own"


@suite.test("an overflow ends the guest")
def _(results):
    result = results["overflow"].result()
    assert result.status is None, result.status
    has(result, "KASAN: slab-out-of-bounds", "QEMU: status 1")


@suite.test("sleeping with a spinlock held")
def _(results):
    has(results["survived"].result(), "BUG: sleeping function called")


@suite.test("locks in both orders")
def _(results):
    has(results["survived"].result(), "possible circular locking")


@suite.test("memory that nobody has a pointer to")
def _(results):
    result = results["survived"].result()
    has(result, "leak: unreferenced object")
    assert any("canary" in line for line in result.health.leaks), \
        result.health.leaks


@suite.test("a warning, and the taint it leaves")
def _(results):
    has(results["survived"].result(), "WARNING: CPU", "the kernel is tainted")


@suite.test("a module that does not unload")
def _(results):
    has(results["survived"].result(), "module canary does not unload")


def main():
    # What is built is built once
    kbuild.Place(kernels.named(kernels.DEBUG), MODULE).built()
    with concurrent.futures.ThreadPoolExecutor(guest.JOBS) as pool:
        return suite.main({name: pool.submit(function)
                           for name, function in RUNS.items()})


sys.exit(main())
