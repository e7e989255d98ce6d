# SPDX-License-Identifier: GPL-2.0-or-later
"""A way for TCP from this machine to a guest on a vasi-vswitch.

    with Gateway("/run/vswitch", "10.0.2.15", (7,)) as gateway:
        socket.create_connection(("127.0.0.1", gateway.ports[7]))

It is a QEMU without a machine: its user-mode network and a port of the switch are on one
hub.  It needs no privilege, and lets nothing out: restrict=on leaves only the
connections from this machine that it is told to forward.
"""

import ipaddress
import json
import re
import socket
import subprocess
import tempfile

import lpm

# QEMU's user-mode network: itself is .2
NETWORK = ipaddress.ip_network("10.0.2.0/24")
OWN_ADDRESS = str(NETWORK[2])
QEMUS = ("qemu-system-ppc64", "qemu-system-x86_64")
FORWARD = re.compile(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+"
                     r"(\S+)\s+(\d+)")


class Gateway:
    """A process; see above.

    @switch: path of the switch's socket
    @address: of the guest, in NETWORK
    @forwards: ports of the guest; or a dictionary: port of the guest -> port of this
               machine, where 0 is any that is free
    @qemu: which program

    @ports: port of the guest -> port of this machine (127.0.0.1)
    """

    def __init__(self, switch, address, forwards, qemu=QEMUS[0]):
        assert ipaddress.ip_address(address) in NETWORK, address
        if not isinstance(forwards, dict):
            forwards = dict.fromkeys(forwards, 0)
        user = "user,id=user,net=%s,restrict=on" % NETWORK
        for guest, own in forwards.items():
            user += ",hostfwd=tcp:127.0.0.1:%d-%s:%d" % (own, address, guest)
        self.argv = [
            qemu, "-M", "none", "-nodefaults", "-display", "none", "-qmp", "stdio",
            "-netdev", user, "-netdev", "hubport,id=inside,hubid=0,netdev=user",
            "-netdev", "stream,id=switch,server=off,addr.type=unix,addr.path=" + switch,
            "-netdev", "hubport,id=outside,hubid=0,netdev=switch"]
        check_restricted(self.argv)
        self.address, self.forwards = address, forwards
        self.ports = {}
        self.process = self.errors = None

    def start(self):
        """Returns when it forwards."""
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.errors, text=True)
        try:
            assert "QMP" in self.line(), "no greeting"
            self.ask("qmp_capabilities")
            # The kernel has chosen where it was told 0
            shown = self.ask("human-monitor-command",
                             **{"command-line": "info usernet"})
            self.ports = {int(guest): int(own)
                          for own, address, guest in FORWARD.findall(shown)
                          if address == self.address}
            assert set(self.ports) == set(self.forwards), shown
        except BaseException:
            self.stop()
            raise
        return self

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the gateway ended: " + self.said())
        return json.loads(line)

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace").strip()

    def ask(self, command, **arguments):
        self.process.stdin.write(json.dumps(
            {"execute": command, "arguments": arguments}) + "\n")
        self.process.stdin.flush()
        while True:
            answer = self.line()
            if "error" in answer:
                raise RuntimeError("%s: %s" % (command, answer["error"]))
            if "return" in answer:
                return answer["return"]

    def say(self, port, data):
        """Send something to a port of the guest, and wait until it has closed.

        The gateway accepts before it knows whether the guest does: it is tried until
        nobody resets it.
        """
        def attempt():
            try:
                with socket.create_connection(("127.0.0.1", self.ports[port]),
                                              lpm.PATIENCE_S) as connection:
                    connection.sendall(data)
                    connection.shutdown(socket.SHUT_WR)
                    return not connection.recv(1)
            except OSError:
                return False

        lpm.until("the guest takes it", attempt)

    def stop(self):
        if not self.process:
            return
        self.process.terminate()
        try:
            self.process.wait(lpm.STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for file in (self.process.stdin, self.process.stdout, self.errors):
            file.close()
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def check_restricted(argv):
    """A user-mode network that is open to the outside must never be started."""
    for word in argv:
        options = word.split(",")
        if options[0] in ("user", "type=user"):
            restrict = [o for o in options if o.startswith("restrict")]
            assert restrict == ["restrict=on"], "not restricted: " + word
