# SPDX-License-Identifier: GPL-2.0-or-later
"""The console of a Linux partition: a terminal server that reads it, and what it says.

    with Console(path) as console:      # partition.create: "console": path
        console.wait("guest: ready")
        console.tell("end")
        console.wait("guest: end")
        console.check()                 # nothing has failed

QEMU connects to it, on a target a second one: the partition's output goes on where it
stopped, and so do the lines, even one that began before a move.
"""

import os
import re
import selectors
import socket
import threading
import time

# Longest wait for anything that is bound to happen in a guest on a busy machine
PATIENCE_S = 120

TICK = re.compile(r"^tick (\d+) (\d+\.\d+) (\d+\.\d+)$")


class Tick:
    """One line of the ticker: its number, times in the partition, and of arrival."""

    def __init__(self, number, uptime, realtime, arrival):
        self.number, self.uptime = number, uptime
        self.realtime, self.arrival = realtime, arrival


class Console:
    """Listens on @path and keeps all lines; @copy: a file for all that came."""

    def __init__(self, path, copy=None):
        self.path = path
        self.lines = []         # (time of arrival, text)
        self.rest = b""
        self.copy = open(copy, "wb") if copy else None
        self.changed = threading.Condition()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(4)
        self.connections = []   # the newest is the last
        self.wake, self.woken = socket.socketpair()
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(self.woken, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.woken:
                    return
                if key.fileobj is self.listener:
                    self.accept()
                else:
                    self.receive(key.fileobj)

    def accept(self):
        connection, _ = self.listener.accept()
        with self.changed:
            self.connections.append(connection)
            self.changed.notify_all()
        self.selector.register(connection, selectors.EVENT_READ)

    def receive(self, connection):
        try:
            block = connection.recv(65536)
        except ConnectionError:
            block = b""
        if not block:
            self.selector.unregister(connection)
            with self.changed:
                self.connections.remove(connection)
            connection.close()
            return
        self.take(block)

    def take(self, block):
        now = time.monotonic()
        if self.copy:
            self.copy.write(block)
            self.copy.flush()
        lines = (self.rest + block).split(b"\n")
        self.rest = lines.pop()
        with self.changed:
            self.lines += [(now, line.decode(errors="replace").rstrip("\r"))
                           for line in lines]
            self.changed.notify_all()

    def tell(self, text):
        """A line for the partition."""
        with self.changed:
            connection = self.connections[-1]
        connection.sendall(text.encode() + b"\n")

    def mark(self):
        """Where the output is now, for wait()."""
        with self.changed:
            return len(self.lines)

    def find(self, pattern, since=0):
        """The first line that a pattern is in: its match, or none."""
        with self.changed:
            lines = self.lines[since:]
        for _, line in lines:
            match = re.search(pattern, line)
            if match:
                return match
        return None

    def wait(self, pattern, since=0, timeout=PATIENCE_S):
        """Wait for a line that a pattern is in; returns the match."""
        deadline = time.monotonic() + timeout
        with self.changed:
            while True:
                for _, line in self.lines[since:]:
                    match = re.search(pattern, line)
                    if match:
                        return match
                since = max(since, len(self.lines))
                left = deadline - time.monotonic()
                if left <= 0 or not self.changed.wait(left):
                    raise TimeoutError("the partition never said %r; its last lines: %s"
                                       % (pattern, "\n".join(
                                           line for _, line in self.lines[-20:])))

    def text(self):
        with self.changed:
            return [line for _, line in self.lines]

    def failures(self):
        """What went wrong, by the partition's own word."""
        return [line for line in self.text() if "FAIL:" in line]

    def ticks(self):
        """All lines of the ticker."""
        with self.changed:
            found = [(when, TICK.match(line)) for when, line in self.lines]
        return [Tick(int(match.group(1)), float(match.group(2)),
                     float(match.group(3)), when) for when, match in found if match]

    def check(self):
        """Nothing failed, and no line of the ticker is missing or came twice.

        Without a ticker there is none.
        """
        failed = self.failures()
        assert not failed, failed
        numbers = [tick.number for tick in self.ticks()]
        assert numbers == list(range(len(numbers))), [
            pair for pair in zip(numbers, numbers[1:]) if pair[0] + 1 != pair[1]]

    def longest_gap(self):
        """The longest time between two ticks: (in the partition, here), in seconds."""
        ticks = self.ticks()
        pairs = list(zip(ticks, ticks[1:]))
        return (max(b.uptime - a.uptime for a, b in pairs),
                max(b.arrival - a.arrival for a, b in pairs))

    def close(self):
        self.wake.close()
        self.thread.join()
        for one in [*self.connections, self.listener, self.woken, self.selector]:
            one.close()
        if self.copy:
            self.copy.close()
        os.unlink(self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
