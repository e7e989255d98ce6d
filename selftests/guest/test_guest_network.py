#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A pseries guest on the switch, reached from this machine through a gateway.

200 messages go over one TCP connection and come back; nothing of the guest's gets out.
"""

import contextlib
import os
import socket
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import guest  # noqa: E402
import kernels  # noqa: E402
import lpm  # noqa: E402
import network  # noqa: E402
from gateway import OWN_ADDRESS, Gateway, check_restricted  # noqa: E402
from pinger import Pinger  # noqa: E402
from vswitch import Switch  # noqa: E402

LABEL = "ppc64el-6.12"
ECHO, ORDERS = 7, 8
MESSAGES, SIZE = 200, 64
READY = "# the echo service runs"
# Its turn may come late on a busy machine, but the emulated guest answers at once
LONGEST_NS = 5 * 10 ** 9

# nc ends with what it hears: a fifo that is open both ways has no end
COMMAND = """
echo 1..3
mkfifo silence
nc -ll -p %(echo)d -e cat &
echo '%(ready)s'
nc -l -p %(orders)d <>silence >order
[ "$(cat order)" = 'that was all' ] || printf 'not '
echo 'ok 1 - is asked by this machine'
ping -c 1 -W 5 %(gateway)s || printf 'not '
echo 'ok 2 - the gateway answers'
# The gateway is this machine to a guest of a network that is not restricted
nc -w 3 %(gateway)s %(outside)d <>silence && printf 'not '
echo 'ok 3 - a service of this machine cannot be reached'
"""


class Reached(guest.Guest):
    """A guest that is pinged from its service's start on.

    @gateway: to it

    @report: of the pinger
    @error: what went wrong here
    """

    gateway = report = error = None

    def run(self, name, tell=None, silence=guest.SILENCE_S):
        threads = []

        def hear(line):
            if tell:
                tell(line)
            if line == READY:
                threads.append(threading.Thread(target=self.exchange))
                threads[0].start()

        result = super().run(name, hear, silence)
        for thread in threads:
            thread.join()
        return result

    def exchange(self):
        try:
            with Pinger(self.gateway.ports[ECHO], size=SIZE) as pinger:
                pinger.wait_count(MESSAGES)
                self.report = pinger.stop()
            self.gateway.say(ORDERS, b"that was all\n")
        except Exception as error:      # for the test that looks at it
            self.error = error


def checks(suite, machine, switch, outside):
    def answered():
        assert machine.error is None, machine.error
        print("# " + str(machine.report))
        machine.report.check()
        assert machine.report.count > MESSAGES, machine.report
        assert machine.report.longest < LONGEST_NS, machine.report

    def restricted():
        for wrong in ("user,id=u", "user,id=u,restrict=off",
                      "user,restrict=on,restrict=off", "type=user,id=u"):
            try:
                check_restricted(["qemu", "-netdev", wrong])
            except AssertionError:
                continue
            raise RuntimeError("accepted: " + wrong)
        check_restricted(machine.gateway.argv)
        # Nobody has come
        outside.settimeout(0)
        try:
            connection, _ = outside.accept()
        except BlockingIOError:
            return
        connection.close()
        raise AssertionError("a guest has reached this machine")

    def counted():
        # The gateway is there, the guest is not
        lpm.until("one port", lambda: switch.statistics()["switch"]["ports"] == 1)
        counts = switch.statistics()
        # Each message went there and back; TCP may send several at once
        assert counts["closed"]["in_bytes"] > MESSAGES * SIZE, counts
        assert counts["closed"]["out_bytes"] > MESSAGES * SIZE, counts
        assert counts["closed"]["dropped"] == 0, counts
        assert counts["closed"]["moves"] == 0, counts

    suite.afterwards(LABEL, "%d messages come back, over one connection" % MESSAGES,
                     answered)
    suite.afterwards(LABEL, "nothing gets out through the gateway", restricted)
    suite.afterwards(LABEL, "the switch dropped nothing", counted)


def main():
    suite = guest.Suite()
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="lpm.", dir="/tmp"))
        switch = stack.enter_context(Switch(directory))
        port = network.SwitchPort(switch.path)
        gateway = stack.enter_context(
            Gateway(switch.path, port.address, (ECHO, ORDERS)))
        outside = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        machine = Reached(kernels.named(LABEL), COMMAND % {
            "echo": ECHO, "orders": ORDERS, "ready": READY, "gateway": OWN_ADDRESS,
            "outside": outside.getsockname()[1]}, network=port)
        machine.gateway = gateway
        suite.add(LABEL, machine)
        checks(suite, machine, switch, outside)
        return suite.main()


sys.exit(main())
