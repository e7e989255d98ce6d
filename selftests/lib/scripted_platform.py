# SPDX-License-Identifier: GPL-2.0-or-later
"""A platform that says what a test wants: the server end of a VIO link.

For tests of drivers, which have to bear platforms that are wrong.  Link is the
link alone: entries, hcalls and DMA, nothing is answered by itself but the
handshake of the connection.  Platform answers as LoPAR has it, as long as
nothing else is said:

    with Platform(path) as platform:
        ...                                     # the driver opens a stream
        session = platform.session()
        platform.operation(session, b"data")    # and its response:
        response = platform.get(OPERATION | RESPONSE)
        # From now on a wrong one
        platform.answers[CLOSE] = lambda entry: [response_to(entry, 0x0D)]

Everything that a client sends is also kept, in order: get() takes the next
entry (of a format), calls are hcalls as (number, arguments).  DMA goes by
messages (Documentation/vio-link.rst).
"""

import collections
import os
import queue
import socket
import struct
import threading
import time

from vsp import (ADD_BUFFER, CAPABILITIES, CLOSE, CRQ, DMA_DATA, DMA_DONE, DMA_READ,
                 DMA_WRITE, DOWNLOAD, EVENT, HCALL, HEADER, HELLO, HELLO_MSG, HRET,
                 MAGIC, MESSAGE_DOWNLOAD, OPEN, OPERATION, PATIENCE_S, REFUSED,
                 RESET, RESPONSE, SIGNAL, WELCOME)

FREE_BUFFER, PROGRESS, ADD_BUFFER_INDIRECT = 0x05, 0x10, 0x11
COMMAND, INIT, TRANSPORT_EVENT = 0x80, 0xC0, 0xFF
INITIALIZE, INIT_COMPLETE = 1, 2
H_FREE_CRQ = 0x100
H_SUCCESS, H_FUNCTION, H_PARAMETER = 0, -2, -4
CHANNEL_CRQ, CHANNEL_HCALL = 1, 2
MAX_DMA = 65536 - 32
WRITE_ALWAYS = 0xA0     # operation: write, respond always

ENTRY = struct.Struct(">BBBBI8s")


class LinkEnded(Exception):
    """The client is not there, or has gone."""


class DmaError(Exception):
    """The client refused a DMA request; .errno says why."""

    def __init__(self, number):
        super().__init__(os.strerror(number))
        self.errno = number


def entry(kind, handle=0, data=bytes(8), byte2=0, byte3=0, header=COMMAND):
    """A CRQ entry."""
    return ENTRY.pack(header, kind, byte2, byte3, handle, data)


def response_to(request, status=0, handle=None, data=None):
    """The request with the response bit, a status, and what is given."""
    header, kind, _, byte3, old_handle, old_data = ENTRY.unpack(request)
    return ENTRY.pack(header, kind | RESPONSE, status, byte3,
                      old_handle if handle is None else handle,
                      old_data if data is None else data)


def descriptor(data):
    """(length, I/O address) of a buffer descriptor."""
    word, ioba = struct.unpack(">II", data)
    return word & 0xFFFFFF, ioba


class Link:
    """The server end; a client may come, go and come again.

    @crq_bytes, @pools, @streams, @pane2: what the device says it is
    @hcall: hcall(number, arguments) returns (code, results), or None: the call is
            never answered
    """

    def __init__(self, path, unit=0x30000000, crq_bytes=65536, pools=4, streams=16,
                 pane2=1 << 32):
        self.path = path
        self.properties = (unit, crq_bytes, pools, streams, 0, (1 << 32) - 4096, pane2)
        self.token = os.urandom(16)
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.crq = None             # socket of the CRQ channel
        self.channels = []          # every connection
        self.connections = self.resets = 0
        self.seen = []              # entries that nobody has taken
        self.calls = []             # every hcall
        self.announced = 0          # entries that the client can queue
        self.work = queue.Queue()
        self.answers_to_dma = {}    # tag -> queue
        self.tag = 0
        self.ended = False
        self.errors = []            # what went wrong in a thread
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(path)
        self.listener.listen(128)
        self.threads = [self.thread(self.accept), self.thread(self.serve)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @staticmethod
    def thread(target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        thread.start()
        return thread

    # ---- Connections ----

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.channels.append(sock)
                if self.ended:
                    sock.close()
                    return
            self.thread(self.channel, sock)

    @staticmethod
    def receive(sock):
        data = sock.recv(70000)
        if not data:
            raise LinkEnded("the client has gone")
        kind, _, count, tag, length, _ = HEADER.unpack_from(data)
        body = data[HEADER.size:]
        assert length == len(body), (length, len(body))
        return kind, count, tag, body

    @staticmethod
    def send(sock, kind, body, count=0, tag=0):
        sock.sendall(HEADER.pack(kind, 0, count, tag, len(body), 0) + body)

    def channel(self, sock):
        try:
            kind, _, _, body = self.receive(sock)
            assert kind == HELLO_MSG, kind
            magic, _, _, channel, _, entries, _, token = HELLO.unpack(body)
            assert magic == MAGIC, hex(magic)
            # Minor version 0: no memory is passed
            welcome = struct.pack(">QHHIIIIIQQ16s", MAGIC, 1, 0, *self.properties,
                                  self.token)
            if channel == CHANNEL_CRQ:
                self.crq_channel(sock, entries, welcome)
            else:
                assert token == self.token, "hcall channel with a wrong token"
                self.send(sock, WELCOME, welcome)
                self.hcall_channel(sock)
        except (LinkEnded, OSError):
            pass
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(error)
        finally:
            with self.changed:
                if self.crq is sock:
                    self.crq = None
                if sock in self.channels:
                    self.channels.remove(sock)
                self.changed.notify_all()
            sock.close()

    def crq_channel(self, sock, entries, welcome):
        with self.changed:
            assert self.crq is None, "two CRQ channels"
            self.crq = sock
            self.announced = entries
            self.connections += 1
            # Before anything else of this connection
            self.send(sock, WELCOME, welcome)
            self.changed.notify_all()
        while True:
            kind, count, tag, body = self.receive(sock)
            if kind == CRQ:
                assert len(body) == 16 * count, (count, len(body))
                for at in range(0, len(body), 16):
                    self.work.put(body[at:at + 16])
            elif kind == RESET:
                self.work.put(None)
            elif kind in (DMA_DATA, DMA_DONE):
                self.answers_to_dma.pop(tag).put(body)
            else:
                raise AssertionError("message %d on the CRQ channel" % kind)

    def hcall_channel(self, sock):
        while True:
            kind, _, tag, body = self.receive(sock)
            assert kind == HCALL, kind
            number, *arguments = struct.unpack(">9Q", body)
            # What came before on the CRQ is seen before
            self.work.join()
            with self.changed:
                self.calls.append((number, arguments))
                self.changed.notify_all()
            result = self.hcall(number, arguments)
            if result is not None:
                code, results = result
                padded = list(results) + [0] * (4 - len(results))
                self.send(sock, HRET, struct.pack(">q4Q", code, *padded), tag=tag)

    def hcall(self, number, arguments):
        """What an hcall returns; to be overridden, by assignment too."""
        del arguments
        return (H_SUCCESS if number == H_FREE_CRQ else H_FUNCTION), []

    def serve(self):
        """Entries and resets, in their order; handlers may use DMA."""
        while True:
            item = self.work.get()
            try:
                if item is StopIteration:
                    return
                if item is None:
                    self.reset()
                else:
                    self.handle(item)
                    with self.changed:
                        self.seen.append(item)
                        self.changed.notify_all()
            except (LinkEnded, DmaError, OSError):
                pass
            except Exception as error:  # pylint: disable=broad-except
                self.errors.append(error)
            finally:
                self.work.task_done()

    def handle(self, item):
        """An entry has come; overridden by those who answer."""

    def reset(self):
        with self.changed:
            self.resets += 1
            self.seen.clear()
            self.changed.notify_all()

    def drop(self):
        """End the connections, as a platform that dies does."""
        with self.lock:
            for sock in self.channels:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        with self.lock:
            self.ended = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.drop()
        self.work.put(StopIteration)
        for thread in self.threads:
            thread.join(PATIENCE_S)
        if os.path.exists(self.path):
            os.unlink(self.path)

    # ---- For tests ----

    def wait(self, what, condition):
        """Until @condition is true; returns its value.  Only what the link does
        makes it be asked again."""
        deadline = time.monotonic() + PATIENCE_S
        with self.changed:
            while True:
                value = condition()
                if value:
                    return value
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError("never: %s %r" % (what, self.errors))
                self.changed.wait(left)

    def wait_connected(self, times=1):
        """The client has connected (so often)."""
        self.wait("%d connections" % times,
                  lambda: self.connections >= times and self.crq)

    def wait_reset(self, times=1):
        """The client has reset its queue (so often)."""
        self.wait("%d resets" % times, lambda: self.resets >= times)

    def wait_call(self, number):
        """An hcall with this number has come; returns its last arguments."""
        def last():
            return [c[1] for c in self.calls if c[0] == number][-1:]
        return self.wait("hcall %#x" % number, last)[0]

    def get(self, *kinds):
        """The next entry (of these formats) that nobody has taken."""
        def find():
            for each in self.seen:
                if not kinds or (each[0] == COMMAND and each[1] in kinds):
                    self.seen.remove(each)
                    return each
            return None
        return self.wait("entry %s" % " or ".join(map(hex, kinds)), find)

    def socket(self):
        crq = self.crq
        if crq is None:
            raise LinkEnded("no client")
        return crq

    def put(self, *entries):
        """Entries for the client, in as few messages as there can be."""
        for at in range(0, len(entries), 64):
            some = entries[at:at + 64]
            self.send(self.socket(), CRQ, b"".join(some), count=len(some))

    def event(self, code):
        """A transport event."""
        self.send(self.socket(), EVENT, struct.pack(">II", code, 0))

    def refuse(self, number, text):
        """End the link, with a reason."""
        self.send(self.socket(), REFUSED, struct.pack(">I", number) + text.encode())
        self.drop()

    def raw(self, kind, body, **header):
        """Any message, right or wrong."""
        self.send(self.socket(), kind, body, **header)

    def dma(self, kind, ioba, length, data=b""):
        answer = queue.Queue()
        with self.lock:
            self.tag += 1
            tag = self.tag
            self.answers_to_dma[tag] = answer
        self.send(self.socket(), kind, struct.pack(">4I", 1, ioba, length, 0) + data,
                  tag=tag)
        try:
            body = answer.get(timeout=PATIENCE_S)
        except queue.Empty:
            raise LinkEnded("no answer to a DMA request") from None
        status = struct.unpack_from(">I", body)[0]
        if status:
            raise DmaError(status)
        return body[8:]

    def dma_read(self, ioba, length):
        """Bytes of the client's first pane."""
        data = b""
        while len(data) < length:
            piece = min(length - len(data), MAX_DMA)
            data += self.dma(DMA_READ, ioba + len(data), piece)
        return data

    def dma_write(self, ioba, data):
        for at in range(0, len(data), MAX_DMA):
            piece = data[at:at + MAX_DMA]
            self.dma(DMA_WRITE, ioba + at, len(piece), piece)


Buffer = collections.namedtuple("Buffer", "correlator length ioba")


class Session:
    """An open of a stream, as the platform sees it."""

    def __init__(self, top, bottom, stream, service):
        self.top, self.bottom = top, bottom
        self.stream, self.service = stream, service
        self.buffers = []       # those that wait for an operation
        self.downloads = []     # contents of buffers that were downloaded
        self.messages = []      # pass-through messages


class Platform(Link):
    """Answers as LoPAR has it; what is in answers comes first.

    answers[format](entry) returns the entries to be sent in place of the right
    answer; an empty list is silence.  answers[INIT] is for handshakes.
    """

    FIRST_BOTTOM = 0x1000

    def __init__(self, path, **properties):
        self.answers = {}
        self.sessions = {}
        self.operations = 0
        self.polite = {
            CAPABILITIES: self.capabilities, OPEN: self.open, CLOSE: self.closing,
            ADD_BUFFER: self.add_buffer, FREE_BUFFER: self.free_buffer,
            DOWNLOAD: self.download, SIGNAL: self.signal, PROGRESS: self.progress,
            MESSAGE_DOWNLOAD: self.message,
            ADD_BUFFER_INDIRECT: self.add_indirect,
        }
        self.next_bottom = self.FIRST_BOTTOM
        super().__init__(path, **properties)

    def handle(self, item):
        kind = item[1] if item[0] == COMMAND else item[0]
        if kind in self.answers:
            entries = self.answers[kind](item)
        elif item[0] == INIT:
            entries = [entry(INIT_COMPLETE, header=INIT)] \
                if item[1] == INITIALIZE else []
        elif item[0] != COMMAND or kind & RESPONSE:
            entries = []
        elif kind in self.polite:
            entries = self.polite[kind](item)
        else:
            entries = [response_to(item, 0x10)]
        if entries:
            self.put(*entries)

    def reset(self):
        self.sessions.clear()
        super().reset()

    def session(self, top=None):
        """The session (with this TOP) that the client has opened last."""
        def find():
            found = [s for s in self.sessions.values() if top in (None, s.top)]
            return found[-1] if found else None
        return self.wait("a session", find)

    def of(self, item):
        return self.sessions.get(ENTRY.unpack(item)[4])

    # ---- Right answers ----

    @staticmethod
    def capabilities(item):
        return [response_to(item)]

    def open(self, item):
        _, _, _, service, top, data = ENTRY.unpack(item)
        bottom = self.next_bottom
        self.next_bottom += 1
        self.sessions[bottom] = Session(top, bottom, struct.unpack(">Q", data)[0],
                                        service)
        return [response_to(item, handle=bottom)]

    def closing(self, item):
        session = self.of(item)
        if not session:
            return [response_to(item, 0x0D)]
        del self.sessions[session.bottom]
        return [response_to(item, handle=session.top)]

    def take_buffer(self, session, data):
        """Status of a descriptor; a good one is a buffer from now on."""
        length, ioba = descriptor(data)
        if data[0] != 0x80 or length < 16:
            return 0x04
        try:
            correlator = self.dma_read(ioba, 8)
            # The last byte, too, is to be there
            self.dma_read(ioba + length - 1, 1)
        except DmaError:
            return 0x04
        session.buffers.append(Buffer(correlator, length, ioba))
        return 0

    def add_buffer(self, item):
        session = self.of(item)
        if not session:
            return [response_to(item, 0x0D)]
        status = self.take_buffer(session, item[8:])
        if status:
            return [response_to(item, status, handle=session.top)]
        length = session.buffers[-1].length
        same = sum(b.length == length for b in session.buffers)
        return [response_to(item, handle=session.top, data=bytes(3) +
                            struct.pack(">H", same) + length.to_bytes(3, "big"))]

    def add_indirect(self, item):
        session = self.of(item)
        if not session:
            return [response_to(item, 0x0D)]
        count = item[3]
        length, ioba = descriptor(item[8:])
        if item[8] != 0x80 or length < 8 * (count + 1):
            return [response_to(item, 0x16, handle=session.top)]
        memory = self.dma_read(ioba, 8 * (count + 1))
        for done in range(count):
            at = 8 * (done + 1)
            status = self.take_buffer(session, memory[at:at + 8])
            if status:
                return [ENTRY.pack(COMMAND, ADD_BUFFER_INDIRECT | RESPONSE, status,
                                   done, session.top, memory[:8])]
        return [response_to(item, handle=session.top, data=memory[:8])]

    def free_buffer(self, item):
        session = self.of(item)
        if not session:
            return [response_to(item, 0x0D)]
        length = int.from_bytes(item[13:16], "big")
        for buffer in session.buffers:
            if buffer.length == length:
                session.buffers.remove(buffer)
                return [response_to(item, handle=session.top,
                                    data=buffer.correlator)]
        status = 0x06
        return [response_to(item, status, handle=session.top)]

    def download(self, item):
        session = self.of(item)
        if not session:
            return [response_to(item, 0x0D)]
        length, ioba = descriptor(item[8:])
        try:
            data = self.dma_read(ioba, length)
        except DmaError:
            return [response_to(item, 0x04, handle=session.top)]
        session.downloads.append(data)
        return [response_to(item, handle=session.top, data=data[:8])]

    def signal(self, item):
        session = self.of(item)
        if not session:
            return [response_to(item, 0x0D)]
        return [response_to(item, handle=session.top)]

    def progress(self, item):
        session = self.of(item)
        if not session:
            return [response_to(item, 0x0D)]
        return [response_to(item, handle=session.top, data=bytes(8))]

    def message(self, item):
        session = self.of(item)
        if not session:
            return [response_to(item, 0x0D)]
        session.messages.append(item[8:])
        header, kind, _, _, _, data = ENTRY.unpack(item)
        return [ENTRY.pack(header, kind | RESPONSE, 0, 0, session.top, data)]

    # ---- What a platform begins ----

    def operation_bytes(self, session, data, correlator, code=WRITE_ALWAYS, top=None):
        """Specifier and one immediate segment; all of it can be made wrong."""
        return struct.pack(">IIB7sQI", session.top if top is None else top,
                           session.bottom, code, bytes(7), correlator,
                           len(data)) + data + bytes(4)

    def operation(self, session, data, **wrong):
        """Fill the session's next buffer with an operation; returns its correlator."""
        buffer = self.wait("a buffer", lambda: session.buffers and
                           session.buffers.pop(0))
        self.operations += 1
        correlator = wrong.pop("correlator", self.operations)
        body = self.operation_bytes(session, data, correlator, **wrong)
        assert 8 + len(body) <= buffer.length, "the buffer is too small"
        self.dma_write(buffer.ioba + 8, body)
        self.put(entry(OPERATION, data=buffer.correlator))
        return correlator

    def state(self, session, state, reason=0):
        """A State request."""
        self.put(entry(0x09, session.top, struct.pack(">IHH", reason, state, 0)))
