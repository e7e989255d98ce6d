# SPDX-License-Identifier: GPL-2.0-or-later
"""Many connections to an echo service, none of which may break or lose a byte.

    with EchoClients(("127.0.0.1", port), 20) as clients:
        clients.start()
        ...                         # the server's partition moves
        clients.stop()              # raises what went wrong
        assert clients.count
"""

import contextlib
import socket
import threading
import time

PATIENCE_S = 120


class EchoError(Exception):
    """A connection broke, or something else came back; the text says what."""


class EchoClients:
    """Connections, each of which sends a message when the last one has come back."""

    def __init__(self, address, connections=10, size=200, timeout=PATIENCE_S):
        self.size = size
        self.count = 0                  # of messages that came back
        self.longest_s = 0.0            # that one took
        self.errors = []
        self.leave = threading.Event()
        self.turn = threading.Lock()
        self.threads = []
        self.sockets = []
        for _ in range(connections):
            connection = socket.create_connection(address, timeout)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets.append(connection)

    def message(self, which, number):
        return (b"%d.%d " % (which, number) * self.size)[:self.size]

    def exchange(self, which, number):
        """One message there and back; no other bytes come."""
        connection, sent, got = self.sockets[which], self.message(which, number), b""
        started = time.monotonic()
        connection.sendall(sent)
        while len(got) < len(sent):
            block = connection.recv(len(sent) - len(got))
            if not block:
                raise EchoError("closed")
            got += block
        if got != sent:
            raise EchoError("%r came back for %r" % (got[:32], sent[:32]))
        with self.turn:
            self.count += 1
            self.longest_s = max(self.longest_s, time.monotonic() - started)

    def run(self, which, interval_s):
        number = 0
        try:
            while not self.leave.wait(interval_s):
                self.exchange(which, number)
                number += 1
        except (OSError, EchoError) as error:   # told to who stops it
            with self.turn:
                self.errors.append("connection %d, message %d: %s" % (
                    which, number, error))

    def start(self, interval_s=0.1):
        """Each sends every @interval_s at most."""
        self.leave.clear()
        self.threads = [threading.Thread(target=self.run, args=(which, interval_s),
                                         daemon=True)
                        for which in range(len(self.sockets))]
        for thread in self.threads:
            thread.start()

    def stop(self):
        """End that; raises what went wrong."""
        self.leave.set()
        for thread in self.threads:
            thread.join()
        self.threads = []
        if self.errors:
            raise EchoError("; ".join(self.errors))

    def close(self):
        self.leave.set()
        for connection in self.sockets:
            # What waits for an answer ends
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()
        for connection in self.sockets:
            connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
