# SPDX-License-Identifier: GPL-2.0-or-later
"""A mover in a guest that is directed from this machine, like any other mspd.

    first, second = network.cable()
    with DirectedMover(label, lab.a, first) as mover:
        mover.wait_ready()
        lab.a.msp("info")               # the console's commands, too
        mover.end()
        assert not mover.wrong()

The control socket is QEMU's, the other end of a serial line of the guest; there ctlline
asks mspd what comes.  One client is served after the other, as they connect.
"""

import json
import os
import socket
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import guest  # noqa: E402
import lpm  # noqa: E402
import mover  # noqa: E402

MEMORY_MIB = 256
# The third serial line, where mspd has its control socket without being told
LINE, SOCKET = "/dev/hvc2", "/run/mspd.sock"
READY = "ctlline: ready"
# A guest is many times slower than the machine it is on.  It has AES in hardware, which is
# what an emulated processor is slowest at: twice as long for all of a move.
OPTIONS = "--listen %s --peer-timeout 60 --concurrency-lvl 4 " \
    "--tls-ciphersuites TLS_CHACHA20_POLY1305_SHA256"
PATIENCE_S = 180

# What is logged is shown as it comes: "# log: ...", "# events: ..."
COMMAND = """
echo 1..%(tests)d
for file in log events; do
	tail -n +1 -f $file | while read -r line; do
		echo "# $file: $line"
	done &
done
./vasimon --list >adapters
grep -q '^vasi0 adapter is .*, unit 0x%(unit)08x,' adapters
check 'vasimon knows the adapter'
grep -q 'device /dev/vasi0: unit 0x%(unit)08x,' log
check 'mspd opened the adapter'
grep -q "^Uid:.%(nobody)d" /proc/$mspd/status
check 'and has no privilege now'
[ "$(sed -n 's/^MemTotal: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo)" -le %(kib)d ]
check 'there is no more memory than it was given'
./ctlline %(line)s %(socket)s
check 'it was directed by others until it was told to end'
kill $mspd
wait $mspd
check 'mspd ends'
kill $monitor $(pidof tail)
! grep -q lost events
check 'no event was lost'
"""
TESTS = 7
NOBODY = 65534


class DirectedMover(mover.Mover):
    """A guest that runs until it is told to end; see above.

    @label: of its kernel
    @system: one of lpm.Lab; its own mspd is stopped, and this one takes its place
    @end: of a cable, network.py
    @show: called with each line that its mspd and vasimon log: (name of it, text)
    @options: more of mspd's

    @ready_s: how long it took to be ready
    """

    def __init__(self, label, system, end, show=None, options="",
                 memory=MEMORY_MIB):
        super().__init__(label, system, COMMAND % {
            "tests": TESTS, "unit": mover.UNIT, "nobody": NOBODY,
            "line": LINE, "socket": SOCKET, "kib": memory << 10},
            OPTIONS % end.address + " " + options, end)
        self.memory = memory
        self.program(os.path.join(guest.TOP, "build-ppc64el/inside/ctlline"))
        system.mspd.stop()
        self.control = system.msp_path = os.path.join(system.msp_dir, "control")
        system.msp = lpm.Rpc(self.control)
        self.label, self.system, self.show = label, system, show
        self.address = end.address
        self.changed = threading.Condition()
        self.ready_s = self.result_of = self.error = None
        self.thread = threading.Thread(target=self.live)

    def live(self):
        started = time.monotonic()
        error = result_of = None

        def tell(line):
            if line == READY:
                with self.changed:
                    self.ready_s = time.monotonic() - started
                    self.changed.notify_all()
            elif self.show and line.startswith("# "):
                self.show(*line[2:].split(": ", 1))

        try:
            result_of = self.run("msp-%s-%s" % (self.system.name, self.label), tell)
        except Exception as caught:     # for the thread that waits
            error = caught
        with self.changed:
            self.result_of, self.error = result_of, error
            self.changed.notify_all()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        """Whatever it does: it ends now."""
        while self.thread.is_alive():
            if self.process:
                self.process.kill()
            self.thread.join(0.1)

    def over(self):
        return self.result_of is not None or self.error is not None

    def wait_ready(self):
        with self.changed:
            self.changed.wait_for(lambda: self.ready_s or self.over(), PATIENCE_S)
        if not self.ready_s or self.over():
            raise RuntimeError("the mover of system %s does not start: %s" % (
                self.system.name, "; ".join(self.wrong()) if self.over()
                else "nothing is heard of it"))

    def end(self):
        """Tell it to end, and wait until it has."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE_S)
            client.connect(self.control)
            client.sendall(b"end\n")
            self.thread.join(PATIENCE_S)

    def wrong(self):
        """What speaks against this guest: tests that failed, and its kernel."""
        if self.error:
            return ["%s: %s" % (type(self.error).__name__, self.error)]
        if not self.result_of:
            return ["it has not ended"]
        return ["failed: " + name for name, outcome, _ in
                self.result_of.parser.results if outcome == "fail"] + \
            self.result_of.wrong()


def event(text):
    """A line of vasimon --json, as a person reads it."""
    try:
        words = json.loads(text)
    except ValueError:
        return text
    if "stream_id" not in words:
        return "%s is %s" % (words.get("adapter"), words.get("state", words.get("event")))
    return "%s, stream %s, %s: %s %s" % (
        words.get("adapter"), words["stream_id"], words.get("service"), words["event"],
        words.get("stream_state", ""))


def describe(lab, movers):
    """A console file (lib/console.py) for systems whose movers are guests."""
    return {"systems": [{
        "name": m.system.name, "socket": m.system.phyp_path,
        "msps": [{"name": "vios-" + m.system.name, "lpar_id": number,
                  "socket": m.control, "device": "msp0", "address": m.address}]}
        for number, m in enumerate(movers, 101)]}
