# SPDX-License-Identifier: GPL-2.0-or-later
"""Relays that stand between two parties and do what networks do to them.

Relay stands between two movers.  It has their keys, and is each one's peer to
the other: what nobody can be who has not.  It knows their frames (the 24-byte header of Documentation/mover-protocol.rst) and, to find a page among them, the
records of the platform's stream (Documentation/platform-stream.rst).  LinkRelay
stands in a VIO link, and passes packets and descriptors on.
"""

import contextlib
import os
import queue
import socket
import struct
import threading
import time

import secure

FRAME = struct.Struct(">BBHIQQ")
HELLO, ACCEPT, REFUSE, ATTACH, ATTACHED, DATA, ACK = range(1, 8)
PING, PONG, BYE = 12, 13, 14

RECORD = struct.Struct(">BBHIQII")
PAGES, ZERO, PASS, BITMAP, STATE, HANDOVER, END = range(2, 9)
FINAL = 0x01

# The relay's own memory for one connection and direction
MAX_FRAME = 16 << 20


def read_exactly(sock, length):
    """@length bytes as a bytearray, or None at the end of the stream."""
    data = bytearray(length)
    view = memoryview(data)
    while view:
        count = sock.recv_into(view)
        if not count:
            return None
        view = view[count:]
    return data


class Records:
    """Follows one session's stream and reports each whole or part record.

    Frames must come in the order of their offsets.
    """

    def __init__(self):
        self.header = bytearray()
        self.fields = None
        self.left = 0       # payload bytes of the record still to come
        self.done = 0       # and those that came
        self.counts = {}

    def feed(self, data, found):
        """Calls found(fields, payload offset, view) for each piece of payload,
        and for each header without any; the views may be written to."""
        view = memoryview(data)
        while view:
            if self.left:
                count = min(self.left, len(view))
                found(self.fields, self.done, view[:count])
                self.left -= count
                self.done += count
                view = view[count:]
                continue
            count = min(RECORD.size - len(self.header), len(view))
            self.header += view[:count]
            view = view[count:]
            if len(self.header) < RECORD.size:
                return
            self.fields = RECORD.unpack(self.header)
            self.header.clear()
            kind, self.left, self.done = self.fields[0], self.fields[3], 0
            self.counts[kind] = self.counts.get(kind, 0) + 1
            found(self.fields, 0, memoryview(b""))


class Connection:
    """One TCP connection through the relay, with a thread each way."""

    def __init__(self, relay, near, far):
        self.relay = relay
        self.near = near
        self.far = far
        self.kind = None        # "control" or "data", after the first frame
        self.index = None       # of a data connection
        for sock in (near, far):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.threads = [
            threading.Thread(target=self.run, args=(self.forward,),
                             daemon=True),
            threading.Thread(target=self.run, args=(self.backward,),
                             daemon=True)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def run(self, function):
        try:
            function()
        except OSError:
            self.close()

    def close(self):
        for sock in (self.near, self.far):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def sender(self, sock):
        """A function that sends on @sock, now or after the relay's delay.

        No data means the end of this direction; the other one goes on.
        """
        def now(data):
            if data:
                sock.sendall(data)
            else:
                sock.shutdown(socket.SHUT_WR)

        if not self.relay.delay:
            return now
        backlog = queue.Queue()

        def later():
            while True:
                due, data = backlog.get()
                wait = due - time.monotonic()
                if wait > 0:
                    time.sleep(wait)
                now(data)
                if not data:
                    return

        threading.Thread(target=self.run, args=(later,), daemon=True).start()
        return lambda data: backlog.put((time.monotonic() + self.relay.delay,
                                         data))

    def forward(self):
        """From the source mover to the target mover, frame by frame."""
        send = self.sender(self.far)
        while True:
            header = read_exactly(self.near, FRAME.size)
            if header is None:
                break
            fields = FRAME.unpack(header)
            if fields[3] > MAX_FRAME:
                raise OSError("frame of %d bytes" % fields[3])
            body = read_exactly(self.near, fields[3])
            if body is None:
                break
            if self.kind is None:
                self.kind = "control" if fields[0] == HELLO else "data"
                self.index = fields[5] if fields[0] == ATTACH else None
            self.relay.pass_frame(self, fields, header, body)
            send(header)
            if body:
                send(body)
        send(b"")

    def backward(self):
        send = self.sender(self.near)
        while True:
            data = self.far.recv(262144)
            if not data:
                break
            self.relay.open.wait()
            send(data)
        send(b"")


class Relay:
    """Listens on a port of its own and passes every connection on.

    @keys: tls_dir of the source mover and of the target mover
    @delay: seconds that everything takes longer, each way
    @hello: function(bytearray) that may change the HELLO's body
    @on_header: function(fields, bytearray) that may change a frame's header
    @on_body: function(fields, header, bytearray) that may change its body
    @on_record: function(session, fields, payload offset, view) for each piece
        of each record of the source platform's stream; may change the view
    """

    def __init__(self, target, keys, delay=0.0, hello=None, on_record=None,
                 on_header=None, on_body=None):
        self.target = target
        self.keys = keys
        self.delay = delay
        self.hello = hello
        self.on_header = on_header
        self.on_body = on_body
        self.on_record = on_record
        self.lock = threading.Lock()
        self.moved = threading.Condition(self.lock)
        self.open = threading.Event()           # everything
        self.open.set()
        self.held_sessions = {}                 # session -> Event
        self.hold_after = {}                    # session -> bytes
        self.bytes = {}                         # session -> bytes passed on
        self.records = {}
        self.connections = []
        self.closed = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self.target)
            except OSError:
                near.close()
                continue
            threading.Thread(target=self.connect, args=(near, far),
                             daemon=True).start()

    def connect(self, near, far):
        """TLS on both sides; each handshake may wait for the other mover."""
        source, target = self.keys
        try:
            far_end = secure.Secure(far, secure.context(source, False), False)
            near_end = secure.Secure(near, secure.context(target, True), True)
        except OSError:         # as ssl's errors are
            near.close()
            far.close()
            return
        connection = Connection(self, near_end, far_end)
        with self.lock:
            self.connections.append(connection)
        connection.start()

    def pass_frame(self, connection, fields, header, body):
        """Look at a frame of the source mover; returns when it may go on."""
        kind, session = fields[0], fields[2]
        if kind == HELLO and self.hello:
            self.hello(body)
        if kind == DATA:
            gate = self.gate(session, len(body))
            if gate:
                gate.wait()
            if self.on_record:
                with self.lock:
                    records = self.records.setdefault(session, Records())
                    records.feed(body, lambda f, at, view: self.on_record(
                        session, f, at, view))
        if self.on_body:
            self.on_body(fields, header, body)
        if self.on_header:
            self.on_header(fields, header)
        self.open.wait()
        if self.closed:
            raise OSError("relay closed")
        if kind == DATA:
            with self.moved:
                self.bytes[session] = self.bytes.get(session, 0) + len(body)
                self.moved.notify_all()

    def gate(self, session, length):
        with self.lock:
            limit = self.hold_after.get(session)
            if limit is not None and \
                    self.bytes.get(session, 0) + length > limit:
                self.held_sessions.setdefault(session, threading.Event())
                del self.hold_after[session]
            return self.held_sessions.get(session)

    # What a test does

    def hold_session(self, session, after=0):
        """Stop this session's data once @after bytes of it have passed."""
        with self.lock:
            self.hold_after[session] = after

    def release_session(self, session):
        with self.lock:
            self.hold_after.pop(session, None)
            gate = self.held_sessions.pop(session, None)
        if gate:
            gate.set()

    def wait_bytes(self, session, count, timeout):
        """Until @count bytes of @session were passed on."""
        with self.moved:
            if not self.moved.wait_for(
                    lambda: self.bytes.get(session, 0) >= count, timeout):
                raise TimeoutError("session %d: %d of %d bytes"
                                   % (session, self.bytes.get(session, 0),
                                      count))

    def total(self):
        with self.lock:
            return sum(self.bytes.values())

    def block(self):
        """Nothing passes any more, but connections stay."""
        self.open.clear()

    def unblock(self):
        self.open.set()

    def cut(self):
        """End every connection; new ones are passed on."""
        with self.lock:
            connections, self.connections = self.connections, []
            gates = list(self.held_sessions.values())
            self.held_sessions.clear()
            self.hold_after.clear()
            self.records.clear()
            self.bytes.clear()
        for connection in connections:
            connection.close()
        for gate in gates:
            gate.set()
        self.open.set()

    def close(self):
        self.closed = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()


class LinkRelay:
    """Passes a VIO link's packets and descriptors on, until it is cut."""

    def __init__(self, path, target):
        self.target = target
        self.lock = threading.Lock()
        self.sockets = []
        self.kept_type = None
        self.kept = []
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(path)
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            try:
                far.connect(self.target)
            except OSError:
                near.close()
                far.close()
                continue
            with self.lock:
                self.sockets += [near, far]
            for here, there in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(here, there),
                                 daemon=True).start()

    def keep(self, message_type):
        """Copies of the descriptors that messages of this type bring from now
        on; returns the list that they will be in."""
        self.kept_type = message_type
        return self.kept

    def pump(self, here, there):
        with contextlib.suppress(OSError):
            while True:
                data, fds, _, _ = socket.recv_fds(here, 1 << 17, 4)
                if not data:
                    break
                if data[0] == self.kept_type:
                    self.kept += [os.dup(fd) for fd in fds]
                socket.send_fds(there, [data], fds)
                for fd in fds:
                    os.close(fd)
        for sock in (here, there):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def cut(self):
        """The link is lost; the mover may open it again."""
        with self.lock:
            sockets, self.sockets = self.sockets, []
        for sock in sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()
        for fd in self.kept:
            os.close(fd)
        self.kept.clear()
