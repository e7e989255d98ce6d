# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs in a partition while it moves, and notices if it was not moved well.

Each says on the console, with a prefix of its own, that it goes on and that all is
well; what is wrong has a line that begins with "FAIL:".  It runs until it is told to end.
"""


class Workload:
    """A process of the partition.

    @name: short and unique in a partition
    @script: shell text; it ends when SIGTERM comes, with status 0 if all was well
    @programs: of selftests/guest/inside/ that it runs, in /guest
    @foreign: (package, path in it) of others
    @packages: where their libraries are
    @needs: workloads that start before it and end after it
    """

    def __init__(self, name, script, programs=(), foreign=(), packages=(), needs=()):
        self.name, self.script, self.programs = name, script, programs
        self.foreign, self.packages, self.needs = foreign, packages, needs


def ticker(interval_ms=20):
    """"tick N UPTIME REALTIME": when did the partition not run?"""
    return Workload("ticker", "exec /guest/ticker %d" % interval_ms, ["ticker"])


def checker(size=16 << 20, rate=0, seed=1):
    """"check COUNT ok": @size bytes of memory, of which @rate a second change."""
    return Workload("checker", "exec /guest/checker %d %d %d" % (size, rate, seed),
                    ["checker"])


def echod(port=7):
    """"echo: ...": a service that others talk to."""
    return Workload("echod", "exec /guest/echod %d" % port, ["echod"])


NAMES = {function.__name__: function for function in (ticker, checker, echod)}


def unfolded(workloads):
    """Workloads and names of such, with what they need before them."""
    result = {}
    for each in workloads:
        each = NAMES[each]() if isinstance(each, str) else each
        for one in [*unfolded(each.needs), each]:
            result[one.name] = one
    return list(result.values())
