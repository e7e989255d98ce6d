# SPDX-License-Identifier: GPL-2.0-or-later
"""How long is a TCP connection silent?

    with Pinger(port) as pinger:                # of an echo service
        pinger.wait_count(100)
        ... the service moves ...
        pinger.wait_count(100)
    print(pinger.report())

A thread sends a numbered message at every interval, whether or not earlier ones were
answered, and takes the time at which each comes back.  All of it is one connection.

With window=1 it asks and waits for the answer.  That is hardest on a network that loses
something: no later message makes the receiver ask for the one that is missing, so that
only a timer brings it back.
"""

import array
import select
import socket
import struct
import threading
import time

import lpm

HEADER = struct.Struct(">QQ")
# What a service holds back is not to grow without end
WINDOW = 1024
NS = 1_000_000_000


class Report:
    """What came of it; times in nanoseconds, stamps are time.monotonic_ns().

    @sent, @count: messages that were sent, that came back
    @lost: that did not come back, although there was time
    @error: of the connection, or None: text
    @longest: longest time between two answers
    @gaps: [(stamp of the answer before, length)] of those above the threshold, in order
    @longest_answer: longest time from a message to its answer
    @first, @last: stamps of answers
    """

    def __init__(self, pinger):
        stamps = pinger.stamps[:]
        self.sent, self.count = pinger.sent, len(stamps)
        self.error = pinger.error
        self.lost = self.sent - self.count if pinger.ended else 0
        steps = [(a, b - a) for a, b in zip(stamps, stamps[1:])]
        self.longest = max((length for _, length in steps), default=0)
        self.gaps = [step for step in steps if step[1] >= pinger.threshold_ns]
        self.longest_answer = pinger.longest_answer
        self.first, self.last = (stamps[0], stamps[-1]) if stamps else (None, None)

    def __str__(self):
        return "%d messages, %d answers, %d lost%s, longest gap %.1f ms, " \
            "longest answer %.1f ms, gaps [%s] ms" % (
                self.sent, self.count, self.lost,
                ", " + self.error if self.error else "", self.longest / 1e6,
                self.longest_answer / 1e6,
                ", ".join("%.1f" % (length / 1e6) for _, length in self.gaps))

    def check(self):
        """The connection lived, and everything came back."""
        assert self.error is None and not self.lost and self.count, str(self)


class Pinger:
    """A client of an echo service; see above.

    @port, @host: of the service
    @interval: seconds from message to message
    @size: bytes of a message
    @threshold: seconds without an answer that are a gap; default: 5 intervals
    @window: messages under way, after which it waits for an answer
    """

    def __init__(self, port, interval=0.01, size=64, host="127.0.0.1", threshold=None,
                 window=WINDOW):
        assert size >= HEADER.size and window >= 1
        self.window = window
        self.where = (host, port)
        self.interval_ns, self.size = int(interval * NS), size
        self.threshold_ns = int((threshold or 5 * interval) * NS)
        self.socket = None
        self.sent = 0
        self.stamps = array.array("q")
        self.longest_answer = 0
        self.error = None
        self.ended = False
        self.leave = threading.Event()
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def message(self, number, stamp):
        """Each byte of it is known from its number."""
        start = number % 251
        filling = bytes((start + i) % 251 for i in range(self.size - HEADER.size))
        return HEADER.pack(number, stamp) + filling

    def start(self):
        """Returns once the service has answered; before that it tries again and again."""
        lpm.until("an echo from port %d" % self.where[1], self.connect)
        self.socket.setblocking(False)
        self.thread.start()
        return self

    def connect(self):
        """A connection that has brought one message back; its number is 0."""
        try:
            connection = socket.create_connection(self.where, 1)
        except OSError:
            return False
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stamp = time.monotonic_ns()
        wanted, found = self.message(0, stamp), b""
        try:
            connection.sendall(wanted)
            while len(found) < len(wanted):
                more = connection.recv(len(wanted) - len(found))
                if not more:
                    raise ConnectionResetError
                found += more
        except OSError:         # a time-out, too: it may be lost on the way
            connection.close()
            return False
        self.socket = connection
        self.sent = 1
        self.answer(found)
        return True

    def answer(self, data):
        """One whole message came back."""
        now, number = time.monotonic_ns(), len(self.stamps)
        found, stamp = HEADER.unpack_from(data)
        if found != number or data != self.message(number, stamp):
            raise ValueError("answer %d is not message %d" % (number, number))
        self.longest_answer = max(self.longest_answer, now - stamp)
        with self.changed:
            self.stamps.append(now)
            self.changed.notify_all()

    def run(self):
        try:
            self.exchange()
        except (OSError, ValueError) as error:
            self.error = "%s: %s" % (type(error).__name__, error)
        finally:
            with self.changed:
                self.ended = True
                self.changed.notify_all()

    def exchange(self):
        """Until told to leave, and then until everything has come back."""
        received, unsent = bytearray(), bytearray()
        due = time.monotonic_ns()
        deadline = None
        while True:
            now = time.monotonic_ns()
            if self.leave.is_set():
                if len(self.stamps) == self.sent:
                    return
                deadline = deadline or now + lpm.PATIENCE_S * NS
                if now > deadline:
                    raise TimeoutError("no more answers")
            elif now >= due and self.sent - len(self.stamps) < self.window:
                unsent += self.message(self.sent, now)
                self.sent += 1
                # A late one moves those after it: there are no bursts
                due = max(due + self.interval_ns, now + self.interval_ns // 2)
            wait = due - now if now < due else self.interval_ns
            readable, writable, _ = select.select(
                [self.socket], [self.socket] if unsent else [], [], wait / NS)
            if writable:
                del unsent[:self.socket.send(unsent)]
            if readable:
                data = self.socket.recv(65536)
                if not data:
                    raise ConnectionResetError("closed by the service")
                received += data
            while len(received) >= self.size:
                self.answer(bytes(received[:self.size]))
                del received[:self.size]

    def count(self):
        return len(self.stamps)

    def wait_count(self, more, timeout=None):
        """Until as many more answers have come; returns how many came in all."""
        with self.changed:
            wanted = len(self.stamps) + more
            done = self.changed.wait_for(
                lambda: len(self.stamps) >= wanted or self.ended,
                timeout or lpm.PATIENCE_S + more * self.interval_ns / NS)
            if len(self.stamps) < wanted:
                raise TimeoutError("%d of %d answers%s: %s" % (
                    len(self.stamps), wanted, "" if done else " in time",
                    self.error))
            return len(self.stamps)

    def report(self):
        """Of all there was so far."""
        with self.changed:
            return Report(self)

    def stop(self):
        """Send nothing more, wait for what is under way; returns the report."""
        self.leave.set()
        if self.thread.is_alive():
            self.thread.join()
        if self.socket:
            self.socket.close()
        return self.report()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
