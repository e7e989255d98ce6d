# SPDX-License-Identifier: GPL-2.0-or-later
"""What a partition in QEMU has at its platform's end, for tests: the guest link, the
memory, the faults on missing pages, the state.

Documentation/guest-partition.rst and userspace/guestlink/guestlink.h say what passes.
"""

import contextlib
import ctypes
import fcntl
import mmap
import os
import select
import shutil
import socket
import struct
import tempfile

import pseries

HELLO, SCAN, SCANNED, STREAM, STREAM_SET, SUSPENDED, SIGNAL, PAGER, PAGER_SET = \
    range(1, 10)
MAGIC, VERSION = 0x4C504152, 1
ENABLED, ABORTED, SUSPENDING, SUSPENDED_STATE, RESUMED, COMPLETED = range(1, 7)

PAGE = 4096
MESSAGE = struct.Struct(">II3Q")
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW


@contextlib.contextmanager
def directory():
    path = tempfile.mkdtemp(prefix="vasipart.", dir="/tmp")
    try:
        yield path
    finally:
        shutil.rmtree(path, True)


class Ended(Exception):
    """The other end has closed the link."""


class Memory:
    """RAM of a partition: a sealed memfd, mapped here as well."""

    def __init__(self, mib, name="partition"):
        self.bytes = mib << 20
        self.fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.truncate(self.fd, self.bytes)
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, SEALS | fcntl.F_SEAL_SEAL)
        self.map = mmap.mmap(self.fd, self.bytes)

    def options(self):
        """Of QEMU, which inherits the descriptor."""
        return ["-object", "memory-backend-file,id=ram,share=on,size=%d,"
                "mem-path=/proc/self/fd/%d" % (self.bytes, self.fd),
                "-machine", "memory-backend=ram"]

    def allocated(self):
        """[(start, end)] of what the file has."""
        areas, at = [], 0
        while True:
            try:
                start = os.lseek(self.fd, at, os.SEEK_DATA)
            except OSError:
                return areas
            at = os.lseek(self.fd, start, os.SEEK_HOLE)
            areas.append((start, at))

    def pages(self):
        """Numbers of the pages that the file has."""
        return [page for start, end in self.allocated()
                for page in range(start // PAGE, end // PAGE)]

    def punch(self, page=0, count=None):
        """Take pages away; default all."""
        self.map.madvise(mmap.MADV_REMOVE, page * PAGE,
                         self.bytes if count is None else count * PAGE)

    def page(self, number):
        return self.map[number * PAGE:(number + 1) * PAGE]

    def put(self, number, data):
        self.map[number * PAGE:(number + 1) * PAGE] = data

    def copy(self, other, pages):
        """Take @pages from @other."""
        for number in pages:
            self.put(number, other.page(number))

    def differences(self, other):
        """Numbers of the pages that differ."""
        step = 1 << 20
        return [page for at in range(0, self.bytes, step)
                if self.map[at:at + step] != other.map[at:at + step]
                for page in range(at // PAGE, (at + step) // PAGE)
                if self.page(page) != other.page(page)]

    def close(self):
        self.map.close()
        os.close(self.fd)


class Link:
    """The guest link.  What arrives is taken in order; nothing is skipped."""

    def __init__(self, timeout=pseries.PATIENCE_S):
        self.socket, self.theirs = socket.socketpair(socket.AF_UNIX,
                                                     socket.SOCK_SEQPACKET)
        self.socket.settimeout(timeout)
        self.dirty = None
        self.bytes = self.start = None

    def option(self, plugin=pseries.PLUGIN):
        return "%s,partition=%d" % (plugin, self.theirs.fileno())

    def started(self):
        """QEMU has its end."""
        self.theirs.close()

    def send(self, kind, first=0, second=0, third=0):
        self.raw(MESSAGE.pack(kind, 0, first, second, third))

    def raw(self, data, fds=()):
        socket.send_fds(self.socket, [data], list(fds))

    def receive(self):
        """(type, [values], descriptor or None)"""
        try:
            data, fds, flags, _ = socket.recv_fds(self.socket, MESSAGE.size + 1, 2)
        except ConnectionResetError as error:
            raise Ended from error
        if not data and not fds:
            raise Ended
        assert len(data) == MESSAGE.size and len(fds) <= 1, (data, fds)
        assert not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC), flags
        kind, reserved, *values = MESSAGE.unpack(data)
        assert reserved == 0
        return kind, values, fds[0] if fds else None

    def expect(self, wanted):
        """Values of the next message, which is of type @wanted and has no descriptor."""
        kind, values, fd = self.receive()
        assert kind == wanted and fd is None, (kind, values, fd)
        return values

    def nothing(self):
        """There is no message."""
        return not select.select([self.socket], [], [], 0)[0]

    def hello(self):
        kind, values, fd = self.receive()
        assert kind == HELLO and fd is not None, (kind, values, fd)
        assert values[0] == MAGIC << 32 | VERSION, values
        self.bytes, self.start = values[1:]
        seals = fcntl.fcntl(fd, fcntl.F_GET_SEALS)
        assert seals & SEALS == SEALS, seals
        size = os.fstat(fd).st_size
        assert size == self.bytes // PAGE // 8, size
        self.dirty = mmap.mmap(fd, size)
        os.close(fd)

    def take(self):
        """Pages of the bitmap, which is empty afterwards.  For a time in which no scan
        is under way: Python has no atomic exchange."""
        found = []
        for at in range(0, len(self.dirty), PAGE):
            block = self.dirty[at:at + PAGE]
            if not any(block):
                continue
            self.dirty[at:at + PAGE] = bytes(len(block))
            for word in range(0, len(block), 8):
                bits = struct.unpack_from("=Q", block, word)[0]
                while bits:
                    low = bits & -bits
                    found.append((at + word) * 8 + low.bit_length() - 1)
                    bits ^= low
        return found

    def scan(self):
        """Pages that were written since the last scan."""
        self.send(SCAN)
        added, self.took_ns, zero = self.expect(SCANNED)
        assert zero == 0
        pages = self.take()
        assert len(pages) == added, (len(pages), added)
        return pages

    def stream(self, identity, state):
        """What the guest is told from now on."""
        self.send(STREAM, identity, state)
        assert self.expect(STREAM_SET) == [identity, state, 0]

    def pager(self, path="/dev/userfaultfd"):
        """The userfaultfd; OSError with what QEMU says."""
        device = os.open(path, os.O_RDWR)
        try:
            self.raw(MESSAGE.pack(PAGER, 0, 0, 0, 0), [device])
        finally:
            os.close(device)
        kind, values, fd = self.receive()
        assert kind == PAGER_SET, (kind, values)
        if values[0]:
            assert fd is None
            raise OSError(values[0], os.strerror(values[0]))
        return Faults(fd, self.start, self.bytes)

    def close(self):
        self.socket.close()
        self.theirs.close()
        if self.dirty:
            self.dirty.close()


class Faults:
    """A userfaultfd over a partition's RAM in QEMU."""

    CONTINUE, UNREGISTER, ZEROPAGE, WAKE = 0xC020AA07, 0x8010AA01, 0xC020AA04, 0x8010AA02
    MINOR = 1 << 2
    EVENT = struct.Struct("=BBHIQQQ")

    def __init__(self, fd, start, size):
        self.fd, self.start, self.bytes = fd, start, size

    def wait(self, timeout=pseries.PATIENCE_S):
        """(page, minor) of the next fault."""
        if not select.select([self.fd], [], [], timeout)[0]:
            raise TimeoutError("no fault")
        event, _, _, _, flags, address, _ = self.EVENT.unpack(
            os.read(self.fd, self.EVENT.size))
        assert event == 0x12, event
        assert self.start <= address < self.start + self.bytes, hex(address)
        return (address - self.start) // PAGE, bool(flags & self.MINOR)

    def pending(self):
        return bool(select.select([self.fd], [], [], 0)[0])

    def ioctl(self, number, *values):
        block = ctypes.create_string_buffer(struct.pack("=%dq" % len(values), *values))
        fcntl.ioctl(self.fd, number, block)

    def finish(self, page):
        """Map what the file has, and wake who waits for it."""
        self.ioctl(self.CONTINUE, self.start + page * PAGE, PAGE, 0, 0)

    def empty(self, page):
        """It was never written."""
        self.ioctl(self.ZEROPAGE, self.start + page * PAGE, PAGE, 0, 0)

    def unregister(self):
        self.ioctl(self.UNREGISTER, self.start, self.bytes)

    def close(self):
        if self.fd is not None:
            os.close(self.fd)
        self.fd = None


class Partition:
    """A machine with a guest link and a memory, ready."""

    def __init__(self, make, mib=256):
        """@make(memory, link) starts QEMU.

        allocated: pages that the memory had when HELLO came
        """
        self.memory, self.link = Memory(mib), Link()
        self.machine = self.allocated = None
        try:
            self.machine = make(self.memory, self.link)
            self.link.started()
            self.hello()
            self.machine.start()
        except BaseException:
            self.close()
            raise
        self.qmp = self.machine.qmp

    def hello(self):
        try:
            self.link.hello()
            self.allocated = self.memory.pages()
        except Ended as ended:
            self.machine.process.wait(pseries.PATIENCE_S)
            raise RuntimeError(self.machine.said()) from ended

    def close(self):
        if self.machine:
            self.machine.end()
        self.link.close()
        self.memory.close()


def set_capabilities(qmp, **capabilities):
    qmp("migrate-set-capabilities", capabilities=[
        {"capability": name, "state": state} for name, state in capabilities.items()])


def save(qmp):
    """Device state of a machine, without its memory."""
    set_capabilities(qmp, **{"x-ignore-shared": True})
    ours, theirs = socket.socketpair()
    with ours, theirs:
        qmp.pass_fd("state", theirs.fileno())
        theirs.close()
        qmp("migrate", uri="fd:state")
        state = b""
        while True:
            data = ours.recv(1 << 20)
            if not data:
                break
            state += data
    assert migrated(qmp) == "completed", qmp("query-migrate")
    return state


def load(qmp, state):
    """The same into a machine that waits for it."""
    set_capabilities(qmp, **{"x-ignore-shared": True})
    ours, theirs = socket.socketpair()
    with ours, theirs:
        qmp.pass_fd("state", theirs.fileno())
        theirs.close()
        qmp("migrate-incoming", uri="fd:state")
        ours.sendall(state)
        ours.shutdown(socket.SHUT_WR)
        assert migrated(qmp) == "completed", qmp("query-migrate")


def migrated(qmp):
    """What became of a migration."""
    return pseries.until("the migration has ended", lambda: (
        status := qmp("query-migrate").get("status")) in (
            "completed", "failed", "cancelled") and status)
