#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that go wrong are seen to have gone wrong."""

import concurrent.futures
import sys

import guest
import packages
import tap

SILENCE_S = 1

suite = tap.Suite()


class Mute(guest.Guest):
    """In place of a machine, something that starts like one and then hangs."""

    def argv(self, directory):
        return ["sh", "-c", "echo guest: init after 1.0 s; echo 1..1; "
                "exec sleep 1000"]


def kernel():
    return list(packages.kernels(guest.native()).values())[0]


def unwell():
    """All tests pass, but the kernel warns and the command fails."""
    return guest.Guest(kernel(), """
        echo 1..1
        echo 'ok 1 - a test'
        echo '<4>WARNING: made by a test' >/dev/kmsg
        exit 3""").run("unwell")


def crashes():
    return guest.Guest(kernel(), """
        echo 1..1
        echo 'ok 1 - a test'
        echo c >/proc/sysrq-trigger
        sleep 1000""").run("crashes")


def has(result, *texts):
    wrong = result.wrong()
    for text in texts:
        assert any(text in line for line in wrong), (text, wrong)


@suite.test("a warning of the kernel")
def _(results):
    has(results[unwell].result(), "WARNING: made by a test")


@suite.test("a command that fails, although its tests pass")
def _(results):
    result = results[unwell].result()
    assert result.status == 3, result.status
    assert result.parser.results == [("a test", "pass", "")], result.lines
    has(result, "exit status 3")


@suite.test("a kernel that crashes")
def _(results):
    result = results[crashes].result()
    assert result.status is None, result.status
    has(result, "Kernel panic", "the guest ended before its command did")


@suite.test("a guest that hangs")
def _(results):
    result = Mute(kernel(), "true").run("mute", silence=SILENCE_S)
    assert result.boot_s is not None
    has(result, "silent for", "1 tests planned, 0 seen")


def main():
    # Both at the same time
    with concurrent.futures.ThreadPoolExecutor(guest.JOBS) as pool:
        results = {f: pool.submit(f) for f in (unwell, crashes)}
        return suite.main(results)


sys.exit(main())
