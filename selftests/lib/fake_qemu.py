#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Stands in for QEMU and its plug-in where only what vasi-phypd makes of them matters:
nothing executes.  A word of the partition's "arguments" makes it misbehave:

    fake=slow       the state is written at once, but it is saved for a second
    fake=refuse     "migrate" is answered with an error
    fake=large      the state has no end
    fake=mute       it says nothing
    fake=busy       each scan finds BUSY_PAGES written, from page BUSY_FROM on

Like QEMU it cannot go on between "completed" and the end of a migration; here that
lasts until it was asked for its status twice.
"""

import ctypes
import fcntl
import json
import mmap
import os
import select
import socket
import struct
import sys
import time

MEMORY, LINK, QMP, AGENT = 3, 4, 5, 6
HELLO, SCAN, SCANNED, STREAM, STREAM_SET, PAGER, PAGER_SET = 1, 2, 3, 4, 5, 8, 9
MESSAGE = struct.Struct(">II3Q")
IOC_NEW, UFFDIO_API, UFFDIO_REGISTER = 0xAA00, 0xC018AA3F, 0xC020AA00
MISSING_SHMEM, MINOR_SHMEM = 1 << 5, 1 << 10
STATE = b"state of devices" * 1000
SLOW_S = 1
PAGE = 4096
BUSY_FROM, BUSY_PAGES = 64, 128


def fail(text):
    print(text, file=sys.stderr, flush=True)
    os._exit(3)


class Fake:
    def __init__(self, words):
        self.words = words
        self.link = socket.socket(fileno=LINK)
        self.qmp = socket.socket(fileno=QMP)
        self.bytes = os.fstat(MEMORY).st_size
        self.memory = mmap.mmap(MEMORY, self.bytes)
        self.start = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        self.status = "inmigrate" if "-incoming" in words else "prelaunch"
        self.saved_at = None
        self.asked = 0
        self.rest = b""
        self.fd = None
        self.dirty = None

    # The guest link

    def say(self, kind, values=(0, 0, 0), fds=()):
        socket.send_fds(self.link, [MESSAGE.pack(kind, 0, *values)], fds)

    def hello(self):
        size = (self.bytes // 4096 + 63) // 64 * 8
        dirty = os.memfd_create("dirty", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.truncate(dirty, size)
        fcntl.fcntl(dirty, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        self.dirty = mmap.mmap(dirty, size)
        self.say(HELLO, (0x4C504152 << 32 | 1, self.bytes, self.start), [dirty])

    def take_link(self):
        data, fds, _, _ = socket.recv_fds(self.link, MESSAGE.size, 1)
        if not data:
            os._exit(1)
        kind, _, *values = MESSAGE.unpack(data)
        if kind == SCAN:
            if "fake=busy" in self.words:
                self.write()
            self.say(SCANNED)
        elif kind == STREAM:
            self.say(STREAM_SET, values)
        elif kind == PAGER:
            self.say(PAGER_SET, fds=[self.register(fds[0])])

    def write(self):
        self.memory[BUSY_FROM * PAGE:(BUSY_FROM + BUSY_PAGES) * PAGE] = \
            b"x" * (BUSY_PAGES * PAGE)
        self.dirty[BUSY_FROM // 8:(BUSY_FROM + BUSY_PAGES) // 8] = \
            b"\xff" * (BUSY_PAGES // 8)

    def register(self, device):
        fd = fcntl.ioctl(device, IOC_NEW, os.O_CLOEXEC | os.O_NONBLOCK)
        fcntl.ioctl(fd, UFFDIO_API, struct.pack("=3Q", 0xAA,
                                                MISSING_SHMEM | MINOR_SHMEM, 0))
        fcntl.ioctl(fd, UFFDIO_REGISTER, struct.pack("=4Q", self.start, self.bytes, 5, 0))
        return fd

    # QMP

    def send(self, **message):
        self.qmp.sendall(json.dumps(message).encode() + b"\n")

    def take_qmp(self):
        data, fds, _, _ = socket.recv_fds(self.qmp, 65536, 1)
        if not data:
            os._exit(1)
        if fds:
            self.fd = fds[0]
        self.rest += data
        while self.rest:
            try:
                command, end = json.JSONDecoder().raw_decode(self.rest.decode())
            except ValueError:
                return
            self.rest = self.rest[end:]
            self.command(command["execute"])

    def command(self, name):
        error = None
        if name == "query-status":
            self.asked += 1
            if self.status == "finish-migrate" and self.asked > 1:
                self.status = "postmigrate"
            self.send(**{"return": {"status": self.status}})
            return
        if name == "stop":
            self.status = "paused"
        elif name == "cont" and self.saved_at:
            fail("it was to go on while it was being saved")
        elif name == "cont" and self.status == "finish-migrate":
            error = "Migration is not finalized yet"
        elif name == "cont":
            self.status = "running"
        elif name == "migrate" and "fake=refuse" in self.words:
            error = "a device cannot be moved"
        if error:
            self.send(error={"class": "GenericError", "desc": error})
        else:
            self.send(**{"return": {}})
        if name == "migrate" and not error:
            self.save()
        elif name == "migrate-incoming":
            self.load()

    def migrated(self, status):
        self.asked = 0
        self.send(event="MIGRATION", data={"status": status})

    def save(self):
        state = socket.socket(fileno=self.fd)
        state.setblocking(True)
        status = "completed"
        self.status = "finish-migrate"
        try:
            state.sendall(STATE)
            while "fake=large" in self.words:
                state.sendall(STATE)
        except OSError:
            status = "failed"
        state.close()
        if "fake=slow" in self.words:
            self.saved_at = time.monotonic() + SLOW_S
        else:
            self.migrated(status)

    def load(self):
        state = socket.socket(fileno=self.fd)
        state.setblocking(True)
        data = b""
        while block := state.recv(65536):
            data += block
        state.close()
        if data != STATE:
            fail("it was given another state than it had saved")
        self.status = "paused"
        self.migrated("completed")

    def run(self):
        if "fake=mute" in self.words:
            select.select([self.link], [], [])
            os._exit(1)
        self.send(QMP={})
        self.hello()
        while True:
            wait = None
            if self.saved_at:
                wait = max(0, self.saved_at - time.monotonic())
            ready = select.select([self.link, self.qmp], [], [], wait)[0]
            if self.saved_at and time.monotonic() >= self.saved_at:
                self.saved_at = None
                self.migrated("completed")
            if self.link in ready:
                self.take_link()
            if self.qmp in ready:
                self.take_qmp()


Fake(sys.argv).run()
