#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest moves from one QEMU to another, and its port of the switch with it.

Nothing of ours but the switch is in it: the guest is of this machine's architecture, and
QEMU migrates it.  A TCP connection from this machine is in use all the time.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "qemu"))

import guest  # noqa: E402
import lpm  # noqa: E402
import network  # noqa: E402
import packages  # noqa: E402
from gateway import Gateway  # noqa: E402
from pinger import Pinger  # noqa: E402
from pseries import Qmp  # noqa: E402
from vswitch import Switch  # noqa: E402

ECHO, ORDERS = 7, 8
READY = "# the echo service runs"
# Answers before the move and after it
MESSAGES = 100
# Of two connections: one is always in use, the other waits for each answer
WINDOWS = (1024, 1)
# What is not replayed, a gateway's timer brings back, after twice as long
TIMER_NS = 500 * 10 ** 6

COMMAND = """
echo 1..1
mkfifo silence
nc -ll -p %d -e cat &
echo '%s'
nc -l -p %d <>silence >order
[ "$(cat order)" = 'that was all' ] || printf 'not '
echo 'ok 1 - is asked where it has moved to'
""" % (ECHO, READY, ORDERS)


class Output:
    """What two processes write, as if it were one's."""

    def __init__(self):
        read, self.write = os.pipe()
        self.stdout = os.fdopen(read, "rb", 0)
        self.last = None        # the process that ends last

    def start(self, argv, errors):
        self.last = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                     stdout=self.write, stderr=errors)
        return self.last

    def no_more(self):
        if self.write is not None:
            os.close(self.write)
            self.write = None

    def wait(self, timeout):
        return self.last.wait(timeout)


class Moving(guest.Guest):
    """A guest that moves as soon as its service runs.

    @gateway: to it

    @before, @after: reports of the pingers, by WINDOWS
    @downtime_ms: that QEMU tells
    @error: what went wrong here
    """

    gateway = before = after = downtime_ms = error = None

    def argv(self, directory):
        self.qmp = directory + "/qmp.sock"
        return super().argv(directory)

    def run(self, name, tell=None, silence=guest.SILENCE_S):
        directories = [os.path.join(guest.BUILD, "guest", name + end)
                       for end in ("", "-target")]
        for directory in directories:
            os.makedirs(directory, exist_ok=True)
            for old in os.listdir(directory):
                os.unlink(os.path.join(directory, old))
            self.files.write(directory + "/initramfs")
        result = self.result(directories[0] + "/console")
        output, processes = Output(), []
        mover = threading.Thread(target=self.move,
                                 args=(directories, output, processes))

        def hear(line):
            if tell:
                tell(line)
            if line == READY:
                mover.start()

        with open(directories[0] + "/qemu", "wb") as errors:
            processes.append(output.start(self.argv(directories[0]), errors))
        started = time.monotonic()
        try:
            self.follow(output, result, started, hear, silence)
        finally:
            if mover.ident:
                mover.join()
            for process in processes:
                process.kill()
                process.wait()
            output.no_more()
            output.stdout.close()
        result.total_s = time.monotonic() - started
        with open(directories[1] + "/console", encoding="utf-8") as console:
            for line in console:
                assert not self.machine.splat(line), line
        return result

    def move(self, directories, output, processes):
        try:
            with contextlib.ExitStack() as stack:
                pingers = [stack.enter_context(
                    Pinger(self.gateway.ports[ECHO], window=window))
                           for window in WINDOWS]
                for pinger in pingers:
                    pinger.wait_count(MESSAGES)
                with open(directories[1] + "/qemu", "wb") as errors:
                    processes.append(output.start(
                        self.argv(directories[1]) + ["-incoming", "defer"], errors))
                self.before = [pinger.report() for pinger in pingers]
                self.migrate(*[self.connect(d, stack) for d in directories],
                             "unix:%s/migration" % directories[1])
                processes[0].kill()
                processes[0].wait()
                output.no_more()
                for pinger in pingers:
                    pinger.wait_count(MESSAGES)
                self.after = [pinger.stop() for pinger in pingers]
            self.gateway.say(ORDERS, b"that was all\n")
        except Exception as error:      # for the test that looks at it
            self.error = error
            for process in processes:
                process.kill()
            output.no_more()

    @staticmethod
    def connect(directory, stack):
        def attempt():
            try:
                return Qmp(directory + "/qmp.sock")
            except (FileNotFoundError, ConnectionRefusedError):
                return None
        qmp = lpm.until("QEMU listens", attempt)
        stack.callback(qmp.close)
        return qmp

    def migrate(self, source, target, uri):
        target("migrate-incoming", uri=uri)
        source("migrate", uri=uri)
        lpm.until("the source is done", lambda: source("query-migrate")["status"]
                  in ("completed", "failed"))
        done = source("query-migrate")
        assert done["status"] == "completed", done
        lpm.until("the target runs", lambda: target("query-status")["running"])
        self.downtime_ms = done["downtime"]


def checks(suite, label, machine, switch):
    def answered():
        assert machine.error is None, machine.error
        print("# not executed for %d ms" % machine.downtime_ms)
        for window, before, after in zip(WINDOWS, machine.before, machine.after):
            print("# window %d: %s" % (window, after))
            after.check()
            assert before.count >= MESSAGES, before
            assert after.count >= before.count + MESSAGES, after
        always, turns = machine.after
        assert turns.longest < always.longest + TIMER_NS, turns

    def replayed():
        # The gateway's port is left; the guest's old and its new one are not
        lpm.until("one port", lambda: switch.statistics()["switch"]["ports"] == 1)
        counts = switch.statistics()
        lines = [line for line in switch.log().split("\n") if " replayed" in line]
        print("# " + "\n# ".join(lines))
        assert counts["closed"]["closed"] == 2, counts
        assert counts["closed"]["moves"] == 1, counts
        assert counts["closed"]["replayed"] >= 1, counts
        assert counts["closed"]["dropped"] == 0, counts
        assert counts["switch"]["not_kept"] == 0, counts
        assert len(lines) == 1, lines

    suite.afterwards(label, "TCP connections live on, nothing of them is lost",
                     answered)
    suite.afterwards(label, "the switch sent again what the guest had missed",
                     replayed)


def main():
    suite = guest.Suite()
    series, kernel = list(packages.kernels(guest.native()).items())[-1]
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="lpm.", dir="/tmp"))
        switch = stack.enter_context(Switch(directory))
        port = network.SwitchPort(switch.path, device="virtio-net-pci")
        machine = Moving(kernel, COMMAND, network=port, memory=256, processors=1)
        machine.gateway = stack.enter_context(
            Gateway(switch.path, port.address, (ECHO, ORDERS)))
        suite.add(series, machine)
        checks(suite, series, machine, switch)
        return suite.main()


sys.exit(main())
