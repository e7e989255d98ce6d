#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A partition moves between two pseries guests that are its movers.

Each guest has the driver, mspd and a VASI device, behind which is a vasi-phypd of its
own; between the guests is a cable, and TLS.
"""

import contextlib
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import guest  # noqa: E402
import initramfs  # noqa: E402
import kbuild  # noqa: E402
import kernels  # noqa: E402
import lpm  # noqa: E402
import network  # noqa: E402
import sysroot  # noqa: E402

LABELS = ("ppc64el-6.1", "ppc64el-6.12")
PROGRAMS = ("mspd", "mspctl", "vasimon")
UNIT = 0x71000010
PORT = 30000
MEMORY = 32 * lpm.MIB
NOBODY = 65534
# A guest is many times slower than the machine it is on
PEER_S = 60
MOVE_S = 300

# Without --vasi a guest has nothing else to be a mover of; the user has no privilege
START = """
check()
{
	[ $? = 0 ] || printf 'not '
	echo "ok $((count += 1)) - $1"
}
wait_for()
{
	until grep -q "$1" "$2"; do
		kill -0 "$3" || break
	done
}
count=0
chown -R nobody /etc/mspd
./vasimon --list >adapters
cat adapters
grep -q '^vasi0 adapter is .*, unit 0x%(unit)08x,' adapters
check 'vasimon knows the adapter'
./vasimon --json >events 2>&1 &
monitor=$!
./mspd --vasi /dev/vasi0 --listen 0.0.0.0 --tcp-port-low %(port)d \\
	--tcp-port-high %(port)d --user nobody --peer-timeout %(peer_s)d \\
	--kernel-tls no >log 2>&1 &
mspd=$!
wait_for ready log $mspd
grep -q 'device /dev/vasi0: unit 0x%(unit)08x' log
check 'mspd opened the adapter'
grep -q "^Uid:.%(nobody)d" /proc/$mspd/status
check 'and has no privilege now'
"""

END = """
check 'mspctl start'
./mspctl wait %(stream)s --timeout %(move_s)d >ended
check 'the move completed'
cat ended
kill $mspd
wait $mspd
check 'mspd ends'
cat log
grep -q 'driver: stream %(stream)s is Completed' log
check 'mspd logged what the driver told'
kill $monitor
cat events
for event in session-open state session-close; do
	grep -q "\\"event\\":\\"$event\\".*\\"stream_id\\":\\"%(stream)s\\"" events ||
		false
done
check 'vasimon printed it'
! grep -q lost events
check 'and nothing was lost'
"""

# What the target asks for comes first: then it listens, which a port tells
TARGET = "echo 1..9" + START + """
./mspctl start %(stream)s target --peer-id %(peer_id)s
status=$?
mkfifo silence
nc -l -p 9 <silence >/dev/null &
: >silence
( exit $status )
""" + END

SOURCE = "echo 1..9" + START + """
until nc %(peer)s 9 </dev/null; do
	:
done
./mspctl start %(stream)s source --peer-id %(peer_id)s --peer %(peer)s:%(port)d
""" + END


def mover(label, system, end, command, **words):
    """A guest that is the mover of a system."""
    kernel = kernels.named(label)
    module, = kbuild.Place(kernel).built()
    words.update(unit=UNIT, port=PORT, peer_s=PEER_S, move_s=MOVE_S, nobody=NOBODY)
    machine = guest.Guest(kernel, command % words, own={module: ""}, network=end,
                          libraries=initramfs.Libraries(
                              [sysroot.unpacked("ppc64el")]))
    for program in PROGRAMS:
        machine.program(os.path.join(guest.TOP, "build-ppc64el", program))
    for name, mode in (("key.pem", 0o600), ("cert.pem", 0o644), ("peers", 0o644)):
        with open(os.path.join(system.tls_dir, name), "rb") as file:
            machine.files.file("/etc/mspd/" + name, file.read(), mode)
    machine.vasi = ("%s,reg=%#x" % (system.device_path, UNIT),)
    machine.memfd = True
    return machine


def prepare(suite, label, lab):
    """Two guests, and a move that waits for them."""
    for system in lab.systems:
        system.mspd.stop()
    first, second = network.cable()
    move = lab.move(memory=MEMORY, program=lpm.program(0.5, 4 * lpm.MIB))
    move.create().create_streams()
    words = {"stream": "0x%016x" % int(move.stream_id, 16)}
    suite.together({
        label + "-source": mover(label, lab.a, first, SOURCE, peer=second.address,
                                 peer_id=lab.b.identity, **words),
        label + "-target": mover(label, lab.b, second, TARGET,
                                 peer_id=lab.a.identity, **words)})

    def arrived():
        move.finish()
        move.check_moved()
        move.check_equal()

    suite.afterwards(label, "the partition runs at the target, its memory is equal",
                     arrived)


def main():
    suite = guest.Suite()
    with contextlib.ExitStack() as stack:
        for label in LABELS:
            prepare(suite, label, stack.enter_context(lpm.Lab()))
        return suite.main()


sys.exit(main())
