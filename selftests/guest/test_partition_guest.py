#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The Linux partition of the tests, by itself: under QEMU as it is, without a move.

QEMU has ibm,suspend-me of its own: the guest stops until it is woken.
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "qemu"))

import linux_lab  # noqa: E402
import partition_guest  # noqa: E402
import pseries  # noqa: E402
import tap  # noqa: E402
import workload  # noqa: E402
from echoclient import EchoClients  # noqa: E402
from kvclient import KvClient  # noqa: E402

LABELS = ("ppc64el-6.1", "ppc64el-6.12")
STREAM = "1234567800000042"
OTHER = "1234567800000043"
TICKS = 100

suite = tap.Suite()


class Booted:
    """A machine under QEMU, with its console, its agent's terminal, and QMP."""

    def __init__(self, machine, name, options=()):
        # Paths of sockets are short
        self.machine = machine
        self.directory = tempfile.mkdtemp(prefix="vasi.", dir="/tmp")
        kept = os.path.join(partition_guest.guest.BUILD, "guest", name)
        os.makedirs(kept, exist_ok=True)
        machine.write(self.directory)
        with contextlib.ExitStack() as stack:
            stack.callback(shutil.rmtree, self.directory)
            self.copy = stack.enter_context(
                open(kept + "/console", "w", encoding="utf-8"))
            self.console, self.agent = (
                stack.enter_context(contextlib.closing(linux_lab.Console(
                    os.path.join(self.directory, name), show)))
                for name, show in (("console", self.keep), ("agent", None)))
            errors = stack.enter_context(open(kept + "/qemu", "wb"))
            self.process = subprocess.Popen(
                machine.argv(self.directory) + list(options), stdin=subprocess.DEVNULL,
                stdout=errors, stderr=errors)
            stack.callback(self.end)
            self.stack = stack.pop_all()

    def keep(self, line):
        self.copy.write(line.text + "\n")
        self.copy.flush()

    def end(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        try:
            self.console.wait("^guest: ready")
            self.qmp = self.stack.enter_context(
                contextlib.closing(pseries.Qmp(self.directory + "/qmp")))
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        self.stack.close()

    def say(self, line):
        """To the agent, whose terminal is raw."""
        self.agent.connections[-1].sendall(line.encode() + b"\n")

    def ask(self, line, answer):
        """Say something to the agent; @answer: pattern of what it says."""
        mark = len(self.agent.lines)
        self.say(line)
        said = self.agent.wait("", mark).text
        assert re.fullmatch(answer, said), (line, said)

    def number(self, pattern):
        """The number in the one line of the console that matches."""
        found = [match for match in map(re.compile(pattern).search,
                                        self.console.texts()) if match]
        assert len(found) == 1, (pattern, found)
        return int(found[0].group(1))


def booted(label, *workloads, hook=None, options=(), **more):
    machine = partition_guest.PartitionGuest(label, workloads, **more)
    if hook:
        machine.hook("50-test", hook)
    return Booted(machine, "test_partition_guest-" + label, options)


def ended(guest):
    """All workloads end well when they are told to."""
    guest.console.say("end")
    guest.console.wait("^guest: end")
    wrong = [line for line in guest.console.texts()
             if "FAIL:" in line or guest.machine.machine.splat(line)]
    assert not wrong, wrong
    numbers = [number for number, _, _ in guest.console.ticks()]
    assert numbers == list(range(len(numbers))), numbers


def agent(label):
    with booted(label, "ticker", hook="[ -e /tmp/yes ] || { echo a backup runs; exit 1; }") \
            as guest:
        guest.ask("check " + STREAM, "check %s refused 50-test: a backup runs" % STREAM)
        guest.console.say("run touch /tmp/yes; echo done")
        guest.console.wait("^done")
        guest.ask("check " + STREAM, "check %s ok" % STREAM)
        guest.ask("check 12", "error check takes an id .*")
        guest.ask("post " + STREAM, "post %s failed there was no pre" % STREAM)
        # The whole of mobility.c, until the guest has suspended itself
        mark = len(guest.agent.lines)
        guest.say("pre " + STREAM)
        guest.qmp.event("SUSPEND")
        assert guest.qmp("query-status")["status"] == "suspended"
        assert len(guest.agent.lines) == mark, guest.agent.texts()
        ticks = len(guest.console.ticks())
        guest.qmp("system_wakeup")
        guest.agent.wait("^pre %s ok$" % STREAM, mark)
        # QEMU's has no state to be asked for
        guest.console.wait("^kernel: mobility: H_VASI_STATE return error")
        guest.ask("post " + STREAM, "post %s ok" % STREAM)
        guest.ask("post " + OTHER, "post %s failed there was no pre" % OTHER)
        guest.console.wait("^tick %d " % (ticks + TICKS))
        ended(guest)


# A platform says in the device tree that partitions may migrate; QEMU does not
MIGRATABLE = "run cp -a /sys/firmware/devicetree/base /tmp/tree && " \
    "touch /tmp/tree/ibm,migratable-partition && " \
    "mount -o bind /tmp/tree /sys/firmware/devicetree/base && echo done"


def drmgr(label):
    """Debian's: it waits 5 s before it tells the kernel, and ends when that returns."""
    with booted(label, "ticker", drmgr=True) as guest:
        guest.ask("check " + STREAM, "check %s refused drmgr: "
                  "Partition Mobility is not supported." % STREAM)
        guest.console.say(MIGRATABLE)
        guest.console.wait("^done$")
        guest.ask("check " + STREAM, "check %s ok" % STREAM)
        guest.ask("pre " + STREAM, "pre %s ok" % STREAM)
        guest.qmp.event("SUSPEND")
        mark = len(guest.agent.lines)
        guest.say("post " + STREAM)
        guest.qmp("system_wakeup")
        assert guest.agent.wait("", mark).text == "post %s ok" % STREAM
        guest.console.say("run cat /var/log/drmgr; echo log: end")
        guest.console.wait("^log: end$")
        for pattern, count in (("-m -c pmig -p check -s " + STREAM, 1),
                               ("-m -c pmig -p pre -s " + STREAM, 1), ("-p post", 0),
                               ("/mobility/migration with 0x" + STREAM, 1),
                               ("Kernel migration returned 0", 1)):
            seen = [line for line in guest.console.texts() if pattern in line]
            assert len(seen) == count, (pattern, seen)
        ended(guest)


def failing(label):
    with booted(label, hook=None) as guest:
        guest.console.say("run umount /sys; echo done")
        guest.console.wait("^done")
        guest.ask("pre " + STREAM, "pre %s failed /sys/kernel/mobility/migration: "
                  "No such file or directory" % STREAM)
        guest.ask("post " + STREAM, "post %s failed there was no pre" % STREAM)


def programs(label):
    with booted(label, "ticker", workload.checker(8 << 20, 4 << 20), "echod") as guest:
        guest.console.wait("^tick %d " % TICKS)
        guest.console.wait(r"^check \d+ ok")
        mark = len(guest.console.lines)
        guest.console.say("run echo back and forth | nc 127.0.0.1 7")
        guest.console.wait("^back and forth", mark)
        ended(guest)
        assert guest.number(r"^check end (\d+) ok") > 2048
        guest.console.wait("^guest: ticker ended")
        times = [uptime for _, uptime, _ in guest.console.ticks()]
        assert times == sorted(set(times)), times


def packaged(label):
    with booted(label, "kv", "sums", workload.stress(seconds=2)) as guest:
        for line in (r"^kv: \d+ ok", r"^sum: 2 ok", r"^stress: 1 ok"):
            guest.console.wait(line)
        ended(guest)
        for line in (r"^kv: end (\d+) ok", r"^sum: end (\d+) ok", r"^stress: end (\d+) ok"):
            assert guest.number(line), line
        for each in ("memcached", "kv", "sums", "stress"):
            guest.console.wait("^guest: %s ended$" % each)


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def connected(label, device):
    """QEMU's own network is 10.0.2.0/24, and leads nowhere else."""
    echo, kv = ports = free_ports(2)
    forward = "".join(",hostfwd=tcp:127.0.0.1:%d-10.0.2.15:%d" % pair
                      for pair in zip(ports, (7, 11211)))
    options = ["-netdev", "user,id=net,restrict=on" + forward,
               "-device", device + ",netdev=net"]
    with booted(label, "echod", "kv", options=options, address="10.0.2.15/24") as guest:
        guest.console.wait("^guest: eth0 is 10.0.2.15/24")
        guest.console.wait("^echo: listens on 7")
        guest.console.wait(r"^kv: \d+ ok")
        with EchoClients(("127.0.0.1", echo), 20) as clients, \
                KvClient(("127.0.0.1", kv)) as client:
            clients.start()
            client.start()
            pseries.until("answers", lambda: clients.count > 200 and client.count > 50 or
                          clients.errors or client.error)
            clients.stop()
            client.stop()
            assert client.verify() > 10
        for number in range(20):
            guest.console.wait("^echo: %d closed" % (number + 1))
        ended(guest)


for name, network_device in zip(LABELS, ("spapr-vlan", "virtio-net-pci")):
    suite.test(name + ": it is reached over its network",
               lambda label=name, device=network_device: connected(label, device))
for name in LABELS:
    suite.test(name + ": the agent checks, suspends the guest, and says how it went",
               lambda label=name: agent(label))
    suite.test(name + ": workloads run, and end when they are told to",
               lambda label=name: programs(label))
for name in LABELS:
    suite.test(name + ": so do Debian's key-value server, stress-ng, and checksums",
               lambda label=name: packaged(label))
suite.test("ppc64el-6.12: the agent leaves it to Debian's drmgr", lambda: drmgr(LABELS[-1]))
suite.test("ppc64el-6.12: a kernel that cannot be told", lambda: failing(LABELS[-1]))
sys.exit(suite.main())
