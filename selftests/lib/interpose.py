# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands between a console and the sockets of platforms and movers.

It sees each call in order, and may refuse it, or lose the request or the answer:

    interposer = Interposer(lab, describe(lab))
    console = Console(lab, interposer.description)
    with interposer.fault(Call("B", "vios.attach"), REFUSE): ...
"""

import collections
import contextlib
import copy
import json
import os
import socket
import threading

import lpm

# What happens to a call
PASS = "pass"
REFUSE = "refuse"               # answered with an error, nothing is done
LOSE_REQUEST = "lose-request"   # the connection ends, nothing is done
LOSE_ANSWER = "lose-answer"     # it ends when it was done

# Calls that ask and change nothing
QUESTIONS = {"system.info", "system.inventory", "info", "check_peer", "status",
             "list", "wait", "partition.list", "partition.show",
             "partition.describe", "partition.config", "partition.check",
             "partition.history", "partition.dirty", "stream.list",
             "stream.show", "stream.verdict", "probe"}

Call = collections.namedtuple("Call", "system method")


def changes(call):
    return call.method not in QUESTIONS


class Interposer:
    """Stands in all sockets of a console's description.

    @description: the same with its own sockets
    @calls: Call tuples, in the order in which they began
    """

    def __init__(self, lab, description):
        self.lab = lab
        self.description = copy.deepcopy(description)
        self.calls = []
        self.lock = threading.Lock()
        self.decide = None
        for number, system in enumerate(self.description["systems"]):
            self.stand_in(system, system["name"], "p%d" % number)
            for index, msp in enumerate(system.get("msps", [])):
                self.stand_in(msp, system["name"], "m%d-%d" % (number, index))

    def stand_in(self, entry, system, name):
        path = os.path.join(self.lab.directory, "interposed-" + name)
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        os.chmod(path, 0o666)
        server.listen(64)
        threading.Thread(target=self.accept, daemon=True,
                         args=(server, entry["socket"], system)).start()
        entry["socket"] = path

    def accept(self, server, path, system):
        while True:
            client = server.accept()[0]
            threading.Thread(target=self.serve, daemon=True,
                             args=(client, path, system)).start()

    def serve(self, client, path, system):
        with client, client.makefile("rb") as lines:
            for line in lines:
                if not self.one(client, path, system, line):
                    return

    def one(self, client, path, system, line):
        """One call; returns whether the connection goes on."""
        request = json.loads(line)
        call = Call(system, request["method"])
        with self.lock:
            self.calls.append(call)
            fate = self.decide(call) if self.decide else PASS
        if fate == LOSE_REQUEST:
            return False
        if fate == REFUSE:
            answer = {"jsonrpc": "2.0", "id": request.get("id"),
                      "error": {"code": 7, "message": "injected"}}
            client.sendall(json.dumps(answer).encode() + b"\n")
            return True
        try:
            answer = self.forward(path, line)
        except OSError:
            return False
        if fate == LOSE_ANSWER or not answer:
            return False
        with contextlib.suppress(OSError):
            client.sendall(answer)
        return True

    @staticmethod
    def forward(path, line):
        with socket.socket(socket.AF_UNIX) as server:
            server.settimeout(lpm.PATIENCE_S)
            server.connect(path)
            server.sendall(line)
            with server.makefile("rb") as lines:
                return lines.readline()

    @contextlib.contextmanager
    def record(self):
        """The calls meanwhile that change something, as a list."""
        seen = []
        start = len(self.calls)
        yield seen
        seen += [c for c in self.calls[start:] if changes(c)]

    @contextlib.contextmanager
    def fault(self, number, fate, then=None, stays=False):
        """The @number-th call from now that changes something meets @fate.

        @then: called when it is reached, before that
        @stays: from then on every request to that system is lost
        Yields a list that holds that call once it was reached.
        """
        reached = []
        count = 0

        def decide(call):
            nonlocal count
            if stays and reached and call.system == reached[0].system:
                return LOSE_REQUEST
            if not changes(call):
                return PASS
            count += 1
            if count - 1 != number:
                return PASS
            reached.append(call)
            if then:
                then(call)
            return fate

        with self.lock:
            self.decide = decide
        try:
            yield reached
        finally:
            with self.lock:
                self.decide = None
