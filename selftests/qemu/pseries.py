# SPDX-License-Identifier: GPL-2.0-or-later
"""pseries machines with VASI devices, as tests start and steer them.

Machine is QEMU with the spapr-vasi plug-in and a management socket (QMP).
Monitored is one whose firmware (monitor.c) makes hcalls and reads and writes
memory as a test says, and Driver is a VASI device's driver on top of that: the
guest's end of a CRQ, with buffers in the first pane.
"""

import contextlib
import json
import os
import socket
import struct
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("BUILD", os.path.join(TOP, "build"))
PLUGIN = os.path.join(BUILD, "qemu/spapr-vasi.so")
FIRMWARE = os.path.join(BUILD, "qemu/monitor.bin")
# Another one, with the device in its tree, needs no plug-in
QEMU = os.environ.get("QEMU_PPC64", "qemu-system-ppc64")
MACHINE = "pseries,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken," \
          "cap-ccf-assist=off"

# Longest wait for anything that is bound to happen
PATIENCE_S = 60

H_PUT_TCE = 0x20
H_REG_CRQ, H_FREE_CRQ, H_VIO_SIGNAL, H_SEND_CRQ = 0xFC, 0x100, 0x104, 0x108
H_COPY_RDMA, H_DONOR_OPERATION = 0x110, 0x29C
H_VASI_SIGNAL, H_VASI_STATE, H_ENABLE_CRQ = 0x2A0, 0x2A4, 0x2B0

SUCCESS, CLOSED, IN_PROGRESS, LONG_BUSY_10_MSEC = 0, 2, 14, 9901
PARAMETER, NOT_FOUND, DROPPED, S_PARM, D_PARM = -4, -7, -12, -13, -14

COMMAND, INIT, EVENT = 0x80, 0xC0, 0xFF
PAGE = 4096


def until(what, condition, timeout=PATIENCE_S):
    """Ask @condition until it is true; for what nothing announces."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError("never: " + what)
        time.sleep(0.002)


class QmpError(Exception):
    """A command that QEMU refused."""


class Qmp:
    """QEMU's management socket."""

    def __init__(self, path, timeout=PATIENCE_S):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")
        self.events = []
        self.line()
        self("qmp_capabilities")

    def line(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("QMP is closed")
        return json.loads(line)

    def __call__(self, command, **arguments):
        return self.ask(command, arguments)

    def pass_fd(self, name, fd):
        """Give QEMU a descriptor, for it to be used as "fd:NAME\"."""
        self.ask("getfd", {"fdname": name}, [fd])

    def ask(self, command, arguments, fds=()):
        request = {"execute": command, "arguments": arguments}
        socket.send_fds(self.socket, [json.dumps(request).encode() + b"\n"], list(fds))
        while True:
            answer = self.line()
            if "event" in answer:
                self.events.append(answer["event"])
            elif "error" in answer:
                raise QmpError(answer["error"]["desc"])
            else:
                return answer["return"]

    def event(self, name):
        """Wait for an event; those before it are forgotten."""
        while name not in self.events:
            answer = self.line()
            if "event" in answer:
                self.events.append(answer["event"])
        del self.events[:self.events.index(name) + 1]

    def close(self):
        self.file.close()
        self.socket.close()


class Machine:
    """QEMU, with a directory for its sockets and what it says."""

    def __init__(self, directory, links=(), memory=256, memfd=False,
                 processors=1, options=(), plugin=PLUGIN, pass_fds=()):
        """@links: sockets of VASI devices, or -device options after "link=\";
        @pass_fds: descriptors that QEMU inherits"""
        os.makedirs(directory, exist_ok=True)
        self.directory = directory
        self.errors = os.path.join(directory, "qemu")
        self.qmp_path = os.path.join(directory, "qmp")
        argv = [QEMU, "-accel", "tcg,thread=multi", "-M", MACHINE, "-cpu",
                "POWER9", "-m", str(memory), "-smp", str(processors),
                "-nodefaults", "-display", "none",
                "-qmp", "unix:%s,server=on,wait=off" % self.qmp_path]
        if "QEMU_PPC64" not in os.environ:
            argv += ["-plugin", plugin]
        for link in links:
            argv += ["-device", "spapr-vasi,link=" + link]
        if memfd:
            argv += ["-object", "memory-backend-memfd,id=ram,size=%dM,share=on"
                     % memory, "-machine", "memory-backend=ram"]
        with open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                argv + list(options), stdin=subprocess.DEVNULL, stdout=errors,
                stderr=errors, pass_fds=pass_fds)
        self.qmp = None

    def said(self):
        with open(self.errors, encoding="utf-8", errors="replace") as file:
            return file.read()

    def connect(self, path, make):
        """@make(path) as soon as QEMU listens there."""
        def attempt():
            if self.process.poll() is not None:
                raise RuntimeError("QEMU: status %d: %s" % (
                    self.process.returncode, self.said().strip()))
            try:
                return make(path)
            except (FileNotFoundError, ConnectionRefusedError):
                return None
        return until("QEMU listens on " + path, attempt)

    def start(self):
        self.qmp = self.connect(self.qmp_path, Qmp)
        return self

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.end()
            raise

    def __exit__(self, *_):
        self.end()

    def end(self):
        if self.qmp:
            self.qmp.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Monitored(Machine):
    """A machine whose guest does what the test says."""

    def __init__(self, directory, links=(), options=(), start=True, **more):
        """@start: with "cont"; otherwise the guest, another's, says nothing yet"""
        self.begins = start
        self.tty_path = os.path.join(directory, "tty")
        options = ["-bios", FIRMWARE, "-chardev",
                   "socket,id=tty,path=%s,server=on,wait=off" % self.tty_path,
                   "-device", "spapr-vty,chardev=tty,reg=0x30000000", "-S"] + \
            list(options)
        super().__init__(directory, links, options=options, **more)
        self.tty = self.file = self.fdt = None

    def start(self):
        super().start()

        def connect(path):
            self.tty = socket.socket(socket.AF_UNIX)
            self.tty.settimeout(PATIENCE_S)
            self.tty.connect(path)
            return True
        self.connect(self.tty_path, connect)
        self.file = self.tty.makefile("rb")
        # Not before somebody hears it
        if self.begins:
            self.qmp("cont")
            self.ready()
        return self

    def end(self):
        for each in (self.file, self.tty):
            if each:
                each.close()
        super().end()

    def line(self):
        line = self.file.readline()
        if not line.endswith(b"\n"):
            raise ConnectionError("the guest is gone: " + self.said())
        return line.decode().strip()

    def ready(self):
        """The firmware has started (again)."""
        word, self.fdt = self.line().split()
        assert word == "ready", word
        self.fdt = int(self.fdt, 16)

    def say(self, *words):
        # The terminal takes as much as it has room for
        self.tty.sendall((" ".join(words) + "\n").encode())

    def reset(self):
        self.qmp("system_reset")
        self.ready()

    def begin(self, number, *arguments):
        """An hcall; answer() is its return."""
        self.say("h", *("%x" % (a & (1 << 64) - 1)
                        for a in (number,) + arguments))

    def answer(self):
        """(return code, R4, R5, R6, R7) of the hcall begun."""
        values = [int(v, 16) for v in self.line().split()]
        code = values[0] - (1 << 64) if values[0] >> 63 else values[0]
        return [code] + values[1:]

    def hcall(self, number, *arguments):
        self.begin(number, *arguments)
        return self.answer()

    def code(self, number, *arguments):
        return self.hcall(number, *arguments)[0]

    def patient(self, number, *arguments):
        """An hcall, again and again while it is LongBusy: a platform in Python may
        take longer than an hcall waits.  Returns as hcall()."""
        return until("an answer to hcall %#x" % number, lambda: [
            result for result in [self.hcall(number, *arguments)]
            if result[0] != LONG_BUSY_10_MSEC])[0]

    def timed(self, count, number, *arguments):
        """The same hcall @count times: the last return code, microseconds each."""
        self.say("t", "%x" % count, *("%x" % a for a in (number,) + arguments))
        code, ticks = (int(v, 16) for v in self.line().split())
        return code - (code >> 63 << 64), ticks / 512 / count

    def read(self, address, length):
        data = b""
        while len(data) < length:
            piece = min(length - len(data), 2048)
            self.say("r", "%x" % (address + len(data)), "%x" % piece)
            data += bytes.fromhex(self.line())
        return data

    def write(self, address, data):
        for at in range(0, len(data), 2048):
            self.say("w", "%x" % (address + at), data[at:at + 2048].hex())
            assert self.line() == "ok"


class Driver:
    """The guest's end of a VASI device, driven hcall by hcall.

    @unit: unit address
    @base: guest memory for it: the queue, then buffers from BUFFERS on; the
           same I/O addresses, from 0
    """

    QUEUE_BYTES = PAGE
    BUFFERS = 64 * 1024

    def __init__(self, machine, unit, base=0x1000000, queue_bytes=QUEUE_BYTES):
        self.machine, self.unit, self.base = machine, unit, base
        self.queue_bytes = queue_bytes
        self.at = 0

    def map(self, first, pages, access=3):
        for page in range(first, first + pages):
            tce = (self.base + page * PAGE) | access if access else 0
            code = self.machine.code(H_PUT_TCE, self.unit, page * PAGE, tce)
            assert code == SUCCESS, code

    def register(self):
        """Map and register the queue; returns H_REG_CRQ's return code."""
        self.map(0, self.queue_bytes // PAGE)
        self.machine.write(self.base, bytes(self.queue_bytes))
        self.at = 0
        return self.machine.code(H_REG_CRQ, self.unit, 0, self.queue_bytes)

    def free(self):
        """H_FREE_CRQ until it is done."""
        code = LONG_BUSY_10_MSEC
        until("the queue is free", lambda: self.free_once() == SUCCESS)
        return code

    def free_once(self):
        code = self.machine.code(H_FREE_CRQ, self.unit)
        assert code in (SUCCESS, LONG_BUSY_10_MSEC), code
        return code

    def send(self, entry):
        return self.machine.code(H_SEND_CRQ, self.unit,
                                 *struct.unpack(">QQ", entry))

    def put(self, entry):
        code = self.send(entry)
        assert code == SUCCESS, code

    def poll(self):
        """The next entry, or None."""
        entry = self.machine.read(self.base + self.at, 16)
        if not entry[0]:
            return None
        self.machine.write(self.base + self.at, bytes(1))
        self.at = (self.at + 16) % self.queue_bytes
        return entry

    def get(self):
        return until("an entry", self.poll)

    def take(self, count):
        """The next @count entries, many at a time."""
        taken = []

        def some():
            room = min(count - len(taken), (self.queue_bytes - self.at) // 16, 128)
            data = self.machine.read(self.base + self.at, 16 * room)
            entries = [data[at:at + 16] for at in range(0, len(data), 16)]
            filled = next((n for n, e in enumerate(entries) if not e[0]), room)
            self.machine.write(self.base + self.at, bytes(16 * filled))
            self.at = (self.at + 16 * filled) % self.queue_bytes
            taken.extend(entries[:filled])
            return len(taken) == count
        until("%d entries" % count, some)
        return taken

    def handshake(self):
        self.put(struct.pack(">BB14x", INIT, 1))
        entry = self.get()
        assert entry == struct.pack(">BB14x", INIT, 2), entry.hex()

    def request(self, kind, handle=0, data=bytes(8), byte2=0, byte3=0):
        self.put(struct.pack(">BBBBI8s", COMMAND, kind, byte2, byte3, handle,
                             data))

    def ask(self, kind, handle=0, data=bytes(8), byte3=0):
        self.request(kind, handle, data, byte3=byte3)
        entry = self.get()
        assert entry[1] == kind | 0x80, entry.hex()
        return entry

    def write(self, ioba, data):
        self.machine.write(self.base + ioba, data)

    def read(self, ioba, length):
        return self.machine.read(self.base + ioba, length)


@contextlib.contextmanager
def stopped(process):
    """A process that is stopped, for as long."""
    process.send_signal(19)
    try:
        yield
    finally:
        process.send_signal(18)
