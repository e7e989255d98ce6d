#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The console moves a partition that runs Linux, and one that does not take part."""

import contextlib
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import console as consoles  # noqa: E402
import lpm  # noqa: E402
import linux_lab  # noqa: E402
import tap  # noqa: E402
import workload  # noqa: E402
from partition_guest import PartitionGuest  # noqa: E402

LABEL = "ppc64el-6.12"
NAME = "web"
BUSY = "a backup is running"
HOOK = "[ ! -e /tmp/busy ] || { echo '%s'; exit 1; }" % BUSY
# The agent is killed, and another one takes its place
AGENT = "kill -9 $(pidof lpar-agent); /guest/lpar-agent %s /dev/hvc1 </dev/null &"

suite = tap.Suite()


class Guests(linux_lab.LinuxLab):
    """A partition in two systems that is moved by the commands of the console."""

    def __init__(self):
        machine = PartitionGuest(LABEL, ["ticker", workload.checker(8 << 20)])
        machine.hook("backup", HOOK)
        super().__init__(machine, name=NAME)
        self.commands = consoles.Console(self)
        self.orders = 0

    def order(self, operation, *more, name=NAME, status=0):
        """migrlpar, from where it is to where it is not."""
        return self.commands("migrlpar", "-o", operation, "-m", self.here.name, "-t",
                             self.there.name, "-p", name, *more, status=status)

    def go_there(self, *more):
        """A whole migration; returns what the command said."""
        text = self.order("m", *more)
        assert self.there.partition_state(NAME) == "Running"
        assert self.here.partition_state(NAME) == "absent"
        self.here = self.there
        self.ticks_on()
        return text

    def ticks_on(self):
        """It executes: there is a tick that was not there yet."""
        self.console.wait(linux_lab.TICK, len(self.console.lines))

    def shell(self, text):
        """Run a command in the partition, to its end."""
        self.orders += 1
        # Whatever is said to a target that waits, or is being given up, is lost
        connection = self.console.connections[self.console.lines[-1].place]
        since = len(self.console.lines)
        connection.sendall(b"run %s%s echo order %d\r" % (
            text.encode(), b"" if text.endswith("&") else b";", self.orders))
        self.console.wait("^order %d$" % self.orders, since)

    def wrong(self):
        """A move that was given up is told by the kernel, perhaps amid a tick."""
        return [text for text in super().wrong() if not text.startswith("tick ")]

    def listed(self, *fields, name=NAME):
        line = self.commands("lssyscfg", "-r", "lpar", "-m", self.here.name, "-F",
                             ",".join(fields), "--filter", "lpar_names=" + name)
        return line.rstrip("\n").split(",")

    def nothing_left(self):
        for system in self.systems:
            assert not system.phyp("stream.list")["streams"], system.name
        assert self.there.partition_state(NAME) == "absent"


@suite.test("a partition that is asked agrees; one that refuses is not moved")
def _(lab):
    lab.begin()
    assert lab.listed("state", "rmc_state", "lpar_env") == \
        ["Running", "unknown", "aixlinux"]
    before = consoles.unchanged(lab)
    assert lab.order("v") == ""
    text = lab.order("v", "-v")
    assert "partition web agrees" in text and "what the guest is made of" in text, text
    assert lab.listed("rmc_state") == ["active"]
    lab.shell("touch /tmp/busy")
    for operation in "vm":
        text = lab.order(operation, status=1)
        assert consoles.codes(text) == ["LPM0121"] and BUSY in text, text
    # Who stops it from outside does not ask
    assert "not asked" in lab.order("v", "-v", "--suspend", "platform")
    lab.shell("rm /tmp/busy")
    assert consoles.unchanged(lab) == before


@suite.test("a kernel that is not told, and one that does not suspend: it is undone")
def _(lab):
    lab.shell(AGENT % "-m /nowhere")
    text = lab.order("m", status=1)
    assert consoles.codes(text) == ["LPM0211"] and "partition" in text, text
    assert lab.here.partition_state(NAME) == "Running"
    lab.nothing_left()
    lab.shell(AGENT % "-m /dev/null")
    text = lab.order("m", "--suspend-timeout", "1", status=1)
    assert consoles.codes(text) == ["LPM0202", "LPM0203", "LPM0212"], text
    assert "did not suspend itself" in text, text
    lab.nothing_left()
    lab.ticks_on()
    lab.shell(AGENT % "")


@suite.test("it moves and takes part, and -v tells what the move was like")
def _(lab):
    text = lab.go_there("-v")
    for pattern in (r"sent in [1-9]\d* passes: [1-9]\d* pages",
                    r"took \d+ ms; the partition was not executed for at most [0-9.]+ ms",
                    r"wait for on the target: \d+"):
        assert re.search(pattern, text), text
    lpm.note(text.rstrip())
    lab.nothing_left()
    # It said there what came of it
    assert lab.listed("state", "rmc_state") == ["Running", "active"]


@suite.test("an agent that cannot say what came of it is a warning")
def _(lab):
    order = [lab.commands.bin + "/migrlpar", "-o", "m", "-m", lab.here.name, "-t",
             lab.there.name, "-p", NAME, "--limit", "2M", "-v"]
    with subprocess.Popen(order, env=lab.commands.env, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        line = ""
        # It has been told then
        while "moves as stream" not in line:
            line = process.stdout.readline()
            assert line, process.stderr.read()
        lab.shell(AGENT % "")
        lab.here.msp("limit", stream_id=line.split()[-1], bytes_per_second=0)
        text = process.communicate(timeout=lpm.PATIENCE_S)[1]
    assert process.returncode == 0, text
    # That it may not converge at that limit is said beforehand
    found = [code for code in consoles.codes(text) if not code.startswith("LPM06")]
    assert found == ["LPM0213"] and "post" in text, text
    assert lab.there.partition_state(NAME) == "Running"
    lab.here = lab.there
    lab.nothing_left()
    lab.ticks_on()


@suite.test("it is stopped on its way, and recovered when a mover is gone")
def _(lab):
    for end in ("s", "r"):
        lab.order("m", "--async", "--limit", "2M")
        assert lab.listed("state") == ["Migrating - Running"]
        if end == "r":
            lab.there.mspd.kill()
            stream = lab.here.phyp("stream.list")["streams"][0]["stream_id"]
            lpm.until("it aborts", lambda s=stream: lab.here.stream(s)["state"] ==
                      "Aborted")
        lab.commands("migrlpar", "-o", end, "-m", lab.here.name, "-p", NAME)
        lab.nothing_left()
        lab.ticks_on()
    lab.there.restart_mspd()


@suite.test("it is stopped from outside and goes on with all of its memory")
def _(lab):
    text = lab.go_there("-v", "--suspend", "platform", "--all-pages")
    assert "wait for on the target: 0\n" in text, text
    lab.end()
    lab.check()


@suite.test("a partition without an agent moves while it boots")
def _(lab):
    name = "still"
    description = dict(lab.description, agent=False)
    del description["console"]
    lab.here.phyp("partition.create", name=name, memory=lab.machine.memory_bytes,
                  guest=description)
    lab.here.phyp("partition.activate", name=name)
    text = lab.order("v", "--suspend", "partition", name=name, status=1)
    assert consoles.codes(text) == ["LPM0120"], text
    lab.order("m", name=name)
    assert lab.there.partition_state(name) == "Running"
    assert lab.listed("rmc_state", name="nobody") == ["No results were found."]

    def ready():
        with open("%s/guests/%s.console" % (lab.there.state_dir, name),
                  encoding="utf-8", errors="replace") as file:
            return "guest: ready" in file.read()
    lpm.until("it is up where it is now", ready, linux_lab.PATIENCE_S)


def main():
    if "--list" in sys.argv:
        return suite.main(None)
    with contextlib.ExitStack() as stack:
        return suite.main(stack.enter_context(Guests()))


if __name__ == "__main__":
    sys.exit(main())
