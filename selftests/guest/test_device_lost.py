#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A mover in a pseries guest loses its adapter's sessions, and goes on.

The platform is ended and started again while a session is open: the driver resets the
adapter, and mspd, which has no privilege any more, opens it anew for the next move.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import lpm  # noqa: E402
import mover  # noqa: E402

NOW = "# the platform may end"

COMMAND = """
echo 1..8
./mspctl start %(first)s target --peer-id %(peer_id)s
check 'a target mover has a session'

echo '%(now)s'
./mspctl wait %(first)s --timeout 200 >ended
[ $? = 1 ]
check 'the move ends without being completed'
grep -q 'device /dev/vasi0: the adapter was reset' log
check 'mspd lost the device'
wait_for 'driver: reset' log
grep -q 'device /dev/vasi0: driver: reset' log
check 'and logged why'

until ./mspctl start %(second)s target --peer-id %(peer_id)s 2>refusal; do
	kill -0 $mspd || break
done
./mspctl status %(second)s >status
grep -q listening status
check 'the next move has a session'
./mspctl stop %(second)s && ! ./mspctl wait %(second)s --timeout 200
check 'and is stopped'
wait_for '"event":"reset"' events
grep -q '"event":"reset".*"reason":"the platform' events
check 'vasimon printed the reset'
kill $mspd
wait $mspd
check 'mspd ends'
kill $monitor
cat ended refusal status log events
"""


class Told(mover.Mover):
    """A guest that has something done outside, with a line of its output."""

    line = act = None

    def run(self, name, tell=None, **named):
        def told(text):
            if tell:
                tell(text)
            if text == self.line:
                self.act()

        return super().run(name, told, **named)


def prepare(suite, label, lab):
    for system in lab.systems:
        system.mspd.stop()
    system = lab.b
    first = lab.move(memory=lpm.MIB).create().create_streams()
    second = lab.move(memory=lpm.MIB)

    def restart():
        system.phypd.kill()
        system.phypd.start(system.phyp_path)
        second.create().create_streams()

    machine = Told(label, system, COMMAND % {
        "first": first.stream_id, "second": second.stream_id,
        "peer_id": lab.a.identity, "now": NOW})
    machine.line, machine.act = NOW, restart
    suite.add(label, machine)


sys.exit(mover.main(prepare))
