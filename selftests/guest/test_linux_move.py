#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Linux partition moves, live, between two managed systems with native movers.

A test for each move, and for what the partition itself and its kernel found: a pairwise
choice of kernels, processors, loads, page tables, who suspends it, and what is there
at Resumed.
"--matrix" runs all of them (make soak).
"""

import argparse
import contextlib
import itertools
import os
import re
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import linux_lab  # noqa: E402
import lpm  # noqa: E402
import partition_guest  # noqa: E402
import workload  # noqa: E402

KERNELS = ("ppc64el-6.1", "ppc64el-6.12")
MIB = 1 << 20
# Each partition goes there and back in these ways
WAYS = ("partition", "platform", "partition, all pages first")
# Kernel, processors, loads (drmgr is none: it is what the agent calls then), page
# tables: each pair of two of them is somewhere
SHORT = (("ppc64el-6.1", 1, "memory store disk", "radix"),
         ("ppc64el-6.1", 2, "stress sums", "hash"),
         ("ppc64el-6.12", 1, "stress sums drmgr", "radix"),
         ("ppc64el-6.12", 2, "memory store disk", "hash"),
         ("ppc64el-6.12", 2, "memory store", "radix"),
         ("ppc64el-6.1", 1, "stress sums", "hash"))
# What Linux says when it has moved itself, once a move
SAID = (r"mobility: calling ibm,suspend-me",
        r"mobility: waiting for memory transfer to complete",
        r"mobility: memory transfer completed")


# Beside the ticker
LOADS = {"memory": workload.checker(48 * MIB, 16 * MIB), "stress": workload.stress(),
         "store": workload.kv(), "sums": workload.sums(), "disk": workload.disk()}
SAYS = {"memory": "check", "stress": "stress", "store": "kv", "sums": "sum",
        "disk": "disk"}
DISK_BYTES = 16 * MIB
TABLES = {"radix": (), "hash": ("disable_radix",)}


def move(lab, way):
    suspend, _, all_first = way.partition(", ")
    report = lab.go(suspend, all_pages_before_resume=bool(all_first))
    lpm.note("%s: %s" % (way, report))
    if all_first:
        assert report.target["demanded"] == 0, report
    # It goes on there: it has looked at something since, and found it well
    lab.console.wait(r"^[a-z]+:? .*\bok\b", len(lab.console.lines))


def check_kernel_log(lab, suspended):
    """It has suspended and resumed itself so often, and complains of nothing."""
    since = len(lab.console.lines)
    lab.console.say("run dmesg; echo dmesg: end")
    lab.console.wait("^dmesg: end$", since)
    log = lab.console.texts()[since:]
    wrong = [line for line in log if lab.machine.machine.splat(line)]
    assert not wrong, wrong
    for pattern in SAID:
        seen = sum(bool(re.search(pattern, line)) for line in log)
        assert seen == suspended, "%r: %d times, not %d: %s" % (
            pattern, seen, suspended, [line for line in log if "mobility" in line])


def end(lab, loads):
    """All of its workloads are still at it, and end well."""
    since = len(lab.console.lines)
    for load in loads.split():
        if load in SAYS:
            lab.console.wait(r"^%s:? \d+ ok" % SAYS[load], since)
    lab.end()
    lab.check()


def begin(lab, tables):
    """It starts, and has the page tables that it was to have."""
    lab.begin()
    since = len(lab.console.lines)
    lab.console.say("run grep ^MMU /proc/cpuinfo")
    lab.console.wait("^MMU.*: %s" % tables.capitalize(), since)


def title(label, processors, loads, tables):
    return "%s, %d processors, %s, %s" % (label, processors, tables, loads)


@contextlib.contextmanager
def disk_image():
    """A file that both systems reach, like a LUN."""
    with tempfile.NamedTemporaryFile(prefix="lpm.", dir="/var/tmp") as file:
        file.truncate(DISK_BYTES)
        os.chmod(file.name, 0o666)
        yield file.name


def case(suite, label, processors, loads, tables):
    """One partition, several moves, and what it says in the end."""
    name = title(label, processors, loads, tables) + ": "
    machine = partition_guest.PartitionGuest(
        label, ["ticker", *(LOADS[load] for load in loads.split() if load in LOADS)],
        processors=processors, options=TABLES[tables], drmgr="drmgr" in loads)
    with contextlib.ExitStack() as stack:
        description = {}
        if "disk" in loads:
            description["disk"] = {"path": stack.enter_context(disk_image())}
        lab = stack.enter_context(linux_lab.LinuxLab(machine, description=description))
        if not suite.attempt(name + "it starts", begin, lab, tables):
            return
        for number, way in enumerate(WAYS, 1):
            if not suite.attempt("%smove %d, %s" % (name, number, way), move, lab, way):
                return
        suite.attempt(name + "its kernel has suspended and resumed itself",
                      check_kernel_log, lab, sum(w.startswith("partition") for w in WAYS))
        suite.attempt(name + "nothing is lost, nothing is wrong", end, lab, loads)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--matrix", action="store_true", help="everything")
    parser.add_argument("--only", action="append", default=[], metavar="TEXT",
                        help="cases whose name has it")
    options = parser.parse_args()
    cases = SHORT
    if options.matrix:
        cases = list(itertools.product(KERNELS, (1, 2), LOADS, TABLES))
    cases = [c for c in cases if all(t in title(*c) for t in options.only)]
    print("1..%d" % (len(cases) * (3 + len(WAYS))), flush=True)
    suite = linux_lab.Suite()
    for one in cases:
        case(suite, *one)
    return suite.bad != 0


if __name__ == "__main__":
    sys.exit(main())
