# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of memcached that knows every write that was acknowledged.

    with KvClient(("127.0.0.1", port)) as client:
        client.start()              # writes and reads, until it is stopped
        ...                         # the server's partition moves
        client.stop()
        client.verify()             # every acknowledged write is there

It has one connection, which nothing may break.
"""

import contextlib
import hashlib
import random
import socket
import threading
import time

# A server whose partition is suspended, or waits for memory, is silent for a while
PATIENCE_S = 120


class KvError(Exception):
    """The server lost something, or the connection; the text says what."""


class KvClient:
    """One connection to a server; @keys: how many it uses."""

    def __init__(self, address, seed=1, keys=512, timeout=PATIENCE_S):
        self.seed, self.keys = seed, keys
        self.random = random.Random(seed)
        self.acknowledged = {}          # key -> generation of the last such write
        self.count = 0                  # of acknowledged writes
        self.longest_s = 0.0            # that an answer took
        self.error = None
        self.leave = threading.Event()
        self.thread = None
        self.socket = socket.create_connection(address, timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def value(self, key, generation):
        """What a key is to have; its length differs, too."""
        digest = hashlib.sha256(b"%d %d %d" % (self.seed, key, generation)).hexdigest()
        return (digest * (1 + int(digest[:2], 16) % 32)).encode()

    def name(self, key):
        return b"host-%d-%d" % (self.seed, key)

    def line(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise KvError("the connection was closed")
        return line[:-2]

    def write(self, key):
        """A new value; it counts once the server has acknowledged it."""
        generation = self.acknowledged.get(key, 0) + 1
        value = self.value(key, generation)
        self.socket.sendall(b"set %s 0 0 %d\r\n%s\r\n" % (
            self.name(key), len(value), value))
        answer = self.line()
        if answer != b"STORED":
            raise KvError("set %d: %r" % (key, answer))
        self.acknowledged[key] = generation
        self.count += 1

    def read(self, key):
        """The last acknowledged write of a key has to be there."""
        wanted = self.value(key, self.acknowledged[key])
        self.socket.sendall(b"get %s\r\n" % self.name(key))
        answer = self.line()
        if answer != b"VALUE %s 0 %d" % (self.name(key), len(wanted)):
            raise KvError("get %d: %r, not generation %d" % (
                key, answer, self.acknowledged[key]))
        got = self.file.read(len(wanted) + 2)
        if got != wanted + b"\r\n":
            raise KvError("get %d: not what was written last" % key)
        answer = self.line()
        if answer != b"END":
            raise KvError("get %d: %r" % (key, answer))

    def step(self):
        started = time.monotonic()
        self.write(self.random.randrange(self.keys))
        middle = time.monotonic()
        self.read(self.random.choice(list(self.acknowledged)))
        self.longest_s = max(self.longest_s, middle - started,
                             time.monotonic() - middle)

    def run(self, interval_s):
        try:
            while not self.leave.wait(interval_s):
                self.step()
        except (OSError, KvError) as error:     # told to who stops it
            self.error = error

    def start(self, rate=100):
        """Write and read in the background, @rate times a second at most."""
        self.leave.clear()
        self.thread = threading.Thread(target=self.run, args=(1 / rate,), daemon=True)
        self.thread.start()

    def stop(self):
        """End that; raises what went wrong."""
        self.leave.set()
        if self.thread:
            self.thread.join()
            self.thread = None
        if self.error:
            raise KvError("after %d writes: %s" % (self.count, self.error)) \
                from self.error

    def verify(self):
        """Read back every acknowledged write; returns of how many keys."""
        for key in self.acknowledged:
            self.read(key)
        return len(self.acknowledged)

    def close(self):
        self.leave.set()
        # What waits for an answer ends
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        if self.thread:
            self.thread.join()
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
