# SPDX-License-Identifier: GPL-2.0-or-later
"""A virtual server partition without a driver: the VIO link, by hand.

It passes no memory to the platform, which therefore reads and writes this
one's buffers by DMA messages (Documentation/vio-link.rst), and it moves a
stream in the simplest way there is: one session, one operation at a time.
"""

import os
import queue
import socket
import struct
import threading

HEADER = struct.Struct(">BBHIII")
HELLO = struct.Struct(">QHHHHII16s")
MAGIC = 0x5641534956494F4C
(HELLO_MSG, WELCOME, REFUSED, CRQ, HCALL, HRET, DMA_READ, DMA_DATA, DMA_WRITE,
 DMA_DONE, WINDOW, MAP, UNWINDOW, RESET, EVENT) = range(1, 16)

# LoPAR 2.9, "VASI CRQ Message Definition"
CAPABILITIES, OPEN, CLOSE, ADD_BUFFER = 1, 2, 3, 4
DOWNLOAD, OPERATION, SIGNAL, STATE = 6, 7, 8, 9
UPLOAD, MESSAGE_DOWNLOAD = 0x12, 0x13
RESPONSE = 0x80
SOURCE, TARGET = 1, 2
H_DONOR_OPERATION = 0x29C
SIGNAL_SUSPEND = 3

BUFFERS = 8
BUFFER_BYTES = 65536
PATIENCE_S = 60


class LinkError(Exception):
    """The platform refused something."""


class Vsp:
    """One VASI device's partition side, for one session of one stream."""

    def __init__(self, path):
        self.pane = bytearray((BUFFERS + 1) * BUFFER_BYTES)
        self.reads = 0
        self.writes = 0
        self.windows = []       # descriptors of partitions' memory
        self.entries = queue.Queue()
        self.lock = threading.Lock()
        self.tag = 0
        self.crq = self.connect(path)
        self.send(self.crq, HELLO_MSG, HELLO.pack(MAGIC, 1, 0, 1, 0, 4096, 0,
                                                  bytes(16)))
        token = self.receive(self.crq, WELCOME)[1][-16:]
        self.hcalls = self.connect(path)
        self.send(self.hcalls, HELLO_MSG, HELLO.pack(MAGIC, 1, 0, 2, 0, 0, 0,
                                                     token))
        self.receive(self.hcalls, WELCOME)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        self.put(struct.pack(">BB14x", 0xC0, 1))
        self.get()

    @staticmethod
    def connect(path):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.settimeout(PATIENCE_S)
        sock.connect(path)
        return sock

    def close(self):
        for sock in (self.hcalls, self.crq):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.thread.join(PATIENCE_S)
        for sock in (self.hcalls, self.crq):
            sock.close()
        for fd in self.windows:
            os.close(fd)

    @staticmethod
    def send(sock, kind, body, count=0, tag=0):
        sock.sendall(HEADER.pack(kind, 0, count, tag, len(body), 0) + body)

    def receive(self, sock, *kinds):
        data, fds, _, _ = socket.recv_fds(sock, 70000, 4)
        self.windows += fds
        if not data:
            raise LinkError("the platform closed the link")
        kind, _, _, tag, length, _ = HEADER.unpack_from(data)
        body = data[HEADER.size:]
        assert length == len(body), (length, len(body))
        if kind == REFUSED:
            raise LinkError(body[4:].decode())
        assert not kinds or kind in kinds, kind
        return kind, body, tag

    def serve(self):
        """The CRQ channel: DMA is served here, entries are queued."""
        try:
            while True:
                kind, body, tag = self.receive(self.crq)
                if kind == CRQ:
                    for at in range(0, len(body), 16):
                        self.entries.put(body[at:at + 16])
                elif kind == DMA_READ:
                    _, ioba, length, _ = struct.unpack(">4I", body)
                    self.reads += 1
                    self.answer(DMA_DATA, bytes(8) +
                                self.pane[ioba:ioba + length], tag)
                elif kind == DMA_WRITE:
                    _, ioba, length, _ = struct.unpack_from(">4I", body)
                    self.writes += 1
                    self.pane[ioba:ioba + length] = body[16:]
                    self.answer(DMA_DONE, bytes(8), tag)
                elif kind in (WINDOW, MAP, UNWINDOW):
                    pass
                else:
                    raise LinkError("message %d" % kind)
        except (LinkError, OSError) as error:
            self.entries.put(error)

    def answer(self, kind, body, tag):
        with self.lock:
            self.send(self.crq, kind, body, tag=tag)

    def put(self, entry):
        with self.lock:
            self.send(self.crq, CRQ, entry, count=1)

    def get(self, wait=True):
        """The next entry, or None."""
        try:
            entry = self.entries.get(wait, PATIENCE_S if wait else None)
        except queue.Empty:
            return None
        if isinstance(entry, Exception):
            raise entry
        return entry

    def hcall(self, number, *arguments):
        self.tag += 1
        padded = list(arguments) + [0] * (8 - len(arguments))
        self.send(self.hcalls, HCALL, struct.pack(">9Q", number, *padded),
                  tag=self.tag)
        _, body, tag = self.receive(self.hcalls, HRET)
        assert tag == self.tag, (tag, self.tag)
        return struct.unpack(">q4Q", body)

    def request(self, kind, handle=0, data=bytes(8), byte2=0, byte3=0):
        self.put(struct.pack(">BBBBI8s", 0x80, kind, byte2, byte3, handle,
                             data))

    def ask(self, kind, handle=0, data=bytes(8), byte3=0):
        """A request whose answer is the next entry."""
        self.request(kind, handle, data, byte3=byte3)
        entry = self.get()
        assert entry[1] == kind | RESPONSE, entry.hex()
        return entry


class Session(Vsp):
    """Opened for one stream, with buffers posted."""

    def __init__(self, path, stream_id, service, operations=0x08):
        super().__init__(path)
        # One open, sequential writes, downloads in both forms
        self.ask(CAPABILITIES, byte3=service,
                 data=struct.pack(">IBBBB", 0, 0, 0x03, operations, 1))
        self.top = 0x1234
        entry = self.ask(OPEN, self.top, struct.pack(">Q", stream_id), service)
        if entry[2]:
            raise LinkError("open: status %#x" % entry[2])
        self.bottom = struct.unpack_from(">I", entry, 4)[0]
        self.state = 1
        for index in range(BUFFERS):
            struct.pack_into(">Q", self.pane, index * BUFFER_BYTES, index + 1)
            entry = self.ask(ADD_BUFFER, self.bottom, self.descriptor(index))
            assert not entry[2], entry.hex()

    @staticmethod
    def descriptor(index, length=BUFFER_BYTES):
        return struct.pack(">II", 0x80 << 24 | length, index * BUFFER_BYTES)

    def donate(self):
        return self.hcall(H_DONOR_OPERATION, self.top << 32 | self.bottom)[0]

    def payload(self, index):
        """Stream bytes of the operation in a buffer, and its correlator."""
        at = index * BUFFER_BYTES
        end = at + BUFFER_BYTES
        assert self.pane[at + 16] & 0xC0 == 0x80, "no sequential write"
        correlator = bytes(self.pane[at + 24:at + 32])
        at += 32
        data = b""
        while at < end:
            word = struct.unpack_from(">I", self.pane, at)[0]
            at += 4
            if not word:
                return data, correlator
            assert word >> 24 == 0, "segment %#x is not immediate" % word
            data += self.pane[at:at + word]
            at += word
        raise LinkError("operation without an end")

    def download(self, data):
        """Give stream bytes to the platform, which takes cycles to read them."""
        segment = struct.pack(">QI", 0xD0, len(data)) + data + bytes(4)
        at = BUFFERS * BUFFER_BYTES
        self.pane[at:at + len(segment)] = segment
        self.request(DOWNLOAD, self.bottom,
                     self.descriptor(BUFFERS, len(segment)))

    def done(self, correlator, index):
        """An operation is done: its buffer may be used again."""
        self.request(OPERATION | RESPONSE, 0, correlator)
        struct.pack_into(">Q", self.pane, index * BUFFER_BYTES, index + 1)
        self.request(ADD_BUFFER, self.bottom, self.descriptor(index))

    def suspend(self):
        self.request(SIGNAL, self.bottom,
                     struct.pack(">IHH", 0, SIGNAL_SUSPEND, 0))


def pass_on(side, other, downloaded):
    """Handle what one side's platform has said; False when it said nothing."""
    entry = side.get(wait=False)
    if entry is None:
        return False
    kind = entry[1]
    if kind == OPERATION:
        index = struct.unpack_from(">Q", entry, 8)[0] - 1
        data, correlator = side.payload(index)
        other.download(data)
        while not downloaded(other):
            other.donate()
        side.done(correlator, index)
    elif kind == UPLOAD:
        other.request(MESSAGE_DOWNLOAD, other.bottom, entry[8:], byte2=1)
    elif kind == STATE:
        side.state = struct.unpack_from(">H", entry, 12)[0]
    else:
        assert not entry[2], "%#x: status %#x" % (kind, entry[2])
    return True


def move(source, target, suspend_when):
    """Until both sides are final; returns their states."""
    held = {source: [], target: []}

    def downloaded(side):
        """Has the Download response come?  Other entries keep their order."""
        entry = side.get(wait=False)
        if entry is None:
            return False
        if entry[1] == DOWNLOAD | RESPONSE:
            assert not entry[2], "download: status %#x" % entry[2]
            return True
        held[side].append(entry)
        return False

    suspended = False
    while source.state not in (2, 6) or target.state not in (2, 6):
        for side, other in ((source, target), (target, source)):
            side.donate()
            while pass_on(side, other, downloaded):
                pass
            for kept in (source, target):
                for entry in held[kept]:
                    kept.entries.put(entry)
                held[kept].clear()
        if not suspended and suspend_when():
            source.suspend()
            suspended = True
    return source.state, target.state
