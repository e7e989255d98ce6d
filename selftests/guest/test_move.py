#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A partition moves between two pseries guests that are its movers.

Each guest has the driver, mspd and a VASI device, behind which is a vasi-phypd of its
own; between the guests is a cable, and TLS.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import lpm  # noqa: E402
import mover  # noqa: E402
import network  # noqa: E402

PORT = 30000
MEMORY = 32 * lpm.MIB
NOBODY = 65534
# A guest is many times slower than the machine it is on
OPTIONS = "--listen 0.0.0.0 --tcp-port-low %d --tcp-port-high %d --peer-timeout 60" \
    % (PORT, PORT)
MOVE_S = 300
# By label: parameters of the driver, and the operations that it agrees on: with
# indirect ones it fetches the data, with the others the platform copies them
FORMS = {"ppc64el-6.1": ("indirect_operations=1", 0x0C), "ppc64el-6.12": ("", 0x08)}

START = """
./vasimon --list >adapters
cat adapters
grep -q '^vasi0 adapter is .*, unit 0x%(unit)08x,' adapters
check 'vasimon knows the adapter'
grep -q 'device /dev/vasi0: unit 0x%(unit)08x,.* operations 0x%(operations)02x,' log
check 'mspd opened the adapter'
grep -q "^Uid:.%(nobody)d" /proc/$mspd/status
check 'and has no privilege now'
"""

END = """
check 'mspctl start'
./mspctl wait %(stream)s --timeout %(move_s)d >ended
moved=$?
( exit $moved )
check 'the move completed'
cat ended
# Nothing that is waited for below would come
[ $moved = 0 ] || { cat log events; exit 1; }
wait_for 'driver: stream %(stream)s is Completed' log
grep -q 'driver: stream %(stream)s is Completed' log
check 'mspd logged what the driver told'
missing=
for event in session-open state session-close; do
	pattern="\\"event\\":\\"$event\\".*\\"stream_id\\":\\"%(stream)s\\""
	wait_for "$pattern" events
	grep -q "$pattern" events || missing="$missing $event"
done
[ -z "$missing" ]
check 'vasimon printed it'
kill $mspd
wait $mspd
check 'mspd ends'
kill $monitor
cat log events
! grep -q lost events
check 'and nothing was lost'
"""

# What the target asks for comes first: then it listens, which a port tells
TARGET = "\necho 1..9" + START + """
./mspctl start %(stream)s target --peer-id %(peer_id)s
status=$?
mkfifo silence
nc -l -p 9 <silence >/dev/null &
: >silence
( exit $status )
""" + END

SOURCE = "\necho 1..9" + START + """
until nc %(peer)s 9 </dev/null; do
	:
done
./mspctl start %(stream)s source --peer-id %(peer_id)s --peer %(peer)s:%(port)d
""" + END


def machine(label, system, end, command, **words):
    parameters, operations = FORMS[label]
    words.update(unit=mover.UNIT, port=PORT, move_s=MOVE_S, nobody=NOBODY,
                 operations=operations)
    return mover.Mover(label, system, command % words, OPTIONS, end, parameters)


def prepare(suite, label, lab):
    """Two guests, and a move that waits for them."""
    for system in lab.systems:
        system.mspd.stop()
    first, second = network.cable()
    move = lab.move(memory=MEMORY, program=lpm.program(0.5, 4 * lpm.MIB))
    move.create().create_streams()
    words = {"stream": "0x%016x" % int(move.stream_id, 16)}
    suite.together({
        label + "-source": machine(label, lab.a, first, SOURCE, peer=second.address,
                                   peer_id=lab.b.identity, **words),
        label + "-target": machine(label, lab.b, second, TARGET,
                                   peer_id=lab.a.identity, **words)})

    def arrived():
        move.finish()
        move.check_moved()
        move.check_equal()

    suite.afterwards(label + "-target",
                     "the partition runs there, its memory is equal", arrived)


sys.exit(mover.main(prepare))
