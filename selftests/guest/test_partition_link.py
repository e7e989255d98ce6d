#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU as a partition's home: the guest link, whose other end is the test.

The guest does what the test says, hcall by hcall; test_partition_linux has a Linux.
Documentation/guest-partition.rst says what is expected here.
"""

import contextlib
import errno
import os
import random
import select
import socket
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "qemu"))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import dtb  # noqa: E402
import partition  # noqa: E402
import pseries  # noqa: E402
import tap  # noqa: E402
from partition import (ABORTED, COMPLETED, ENABLED, PAGE, RESUMED,  # noqa: E402
                       SUSPENDED_STATE, SUSPENDING, Link, Memory, Partition,
                       directory, set_capabilities)
from pseries import (H_VASI_SIGNAL, H_VASI_STATE, PARAMETER, SUCCESS,  # noqa: E402
                     Machine, Monitored, until)

P2, NOOP = -55, -63
STREAM = 0x1122334455667788
MIB = 256

suite = tap.Suite()


@contextlib.contextmanager
def monitored(processors=1, options=(), start=True):
    """A partition whose guest makes the test's hcalls."""
    with directory() as path:
        part = Partition(lambda memory, link: Monitored(
            path + "/m", plugin=link.option(), processors=processors, start=start,
            options=memory.options() + list(options),
            pass_fds=(memory.fd, link.theirs.fileno())))
        try:
            yield part
        finally:
            part.close()


@contextlib.contextmanager
def to_load(**more):
    """One that waits for a state."""
    with monitored(options=["-incoming", "defer"], start=False, **more) as part:
        yield part


def refused(plugin, *links, options=(), pass_fds=()):
    """QEMU does not start; returns what it says."""
    with directory() as path:
        machine = Machine(path, links, plugin=plugin, pass_fds=pass_fds,
                          options=["-S"] + list(options))
        try:
            assert machine.process.wait(pseries.PATIENCE_S), "it started"
            return machine.said()
        finally:
            machine.end()


def ends(part, why):
    """QEMU ends by itself, and says why."""
    status = part.machine.process.wait(pseries.PATIENCE_S)
    said = part.machine.said()
    assert status == 1 and "guest link: " in said and why in said, (status, said)


# ---- Loading ----

@suite.test("arguments that are unknown, wrong or there twice are refused")
def _():
    link = Link()
    with open("/dev/null", "rb") as null:
        inherited = (link.theirs.fileno(), null.fileno())
        for argument, text in (
                ("period=50", '"period=50" is not known'),
                ("partition=", "partition=: not a descriptor"),
                ("partition=-1", "partition=-1: not a descriptor"),
                ("partition=x", "partition=x: not a descriptor"),
                ("partition=%dx" % inherited[0], "not a descriptor"),
                ("partition=100000", "partition=100000: not a descriptor"),
                ("partition=%d" % inherited[1], "not a descriptor"),
                ("partition=%d,partition=%d" % (inherited[0], inherited[0]),
                 "there twice"),
                ("processors=off", '"processors=off" is not known'),
                ("processors,partition=%d" % inherited[0],
                 "has all that the latter does")):
            said = refused(pseries.PLUGIN + "," + argument, pass_fds=inherited)
            assert text in said, (argument, said)
    link.close()


@suite.test("memory that is not one shared file, all of it, is refused")
def _():
    memory, large = Memory(MIB), Memory(2 * MIB)
    private = [o.replace("share=on", "share=off") for o in memory.options()]
    part = [o.replace("size=%d" % large.bytes, "size=%d" % memory.bytes)
            for o in large.options()]
    more = memory.options() + ["-m", "%d,slots=1,maxmem=%dM" % (MIB, 2 * MIB)]
    for options, text in (([], "not a shared file"), (private, "not a shared file"),
                          (part, "not of the same size"),
                          (more, "not of the same size")):
        link = Link()
        said = refused(link.option(), options=options,
                       pass_fds=(memory.fd, large.fd, link.theirs.fileno()))
        assert "spapr-vasi: partition=" in said and text in said, (options, said)
        link.started()
        try:
            raise AssertionError(link.receive())
        except partition.Ended:
            pass
        link.close()
    memory.close()
    large.close()


@suite.test("a partition's home has no VASI device")
def _():
    memory, link = Memory(MIB), Link()
    said = refused(link.option(), "/nonexistent", options=memory.options(),
                   pass_fds=(memory.fd, link.theirs.fileno()))
    assert "it has no VASI device" in said, said
    link.close()
    memory.close()


# ---- The link ----

@suite.test("HELLO comes after the machine's reset: nothing is written any more")
def _():
    for _ in range(10):
        with to_load() as part:
            # The firmware, for one
            assert part.allocated
            assert part.link.scan()
            part.memory.punch()
            part.qmp("query-status")
            assert part.link.scan() == []
            assert part.memory.pages() == []


@suite.test("the memory is the guest's, and the platform's")
def _():
    with monitored() as part:
        assert part.link.bytes == MIB << 20
        assert part.link.start % PAGE == 0 and part.link.start
        assert part.link.nothing()
        part.machine.write(0x4000000, b"written by the guest")
        assert part.memory.page(0x4000).startswith(b"written by the guest")
        part.memory.put(0x4001, b"written by the platform".ljust(PAGE))
        assert part.machine.read(0x4001000, 23) == b"written by the platform"


@suite.test("wrong messages end QEMU, each with a reason")
def _():
    def message(kind, *values, reserved=0):
        return partition.MESSAGE.pack(kind, reserved, *(values + (0,) * 3)[:3])

    null = os.open("/dev/null", os.O_RDONLY)
    for data, fds, text in (
            (message(partition.SCAN)[:-1], (), "receiving"),
            (message(partition.SCAN) + b"x", (), "receiving"),
            (message(partition.SCAN, reserved=1), (), "receiving"),
            (message(0), (), "type 0 is wrong"),
            (message(partition.SCANNED), (), "type 3 is wrong"),
            (message(99), (), "type 99 is wrong"),
            (message(partition.SCAN, 1), (), "type 2 is wrong"),
            (message(partition.PAGER, 0, 0, 1), (), "type 8 is wrong"),
            (message(partition.STREAM, STREAM, 1, 1), (), "type 4 is wrong"),
            (message(partition.STREAM, STREAM, 0), (), "state 0"),
            (message(partition.STREAM, STREAM, 7), (), "state 7"),
            (message(partition.STREAM, 0, 1), (), "state 1"),
            (message(partition.SCAN), (null,), "type 2 is wrong"),
            (message(partition.STREAM, STREAM, 1), (null,), "type 4 is wrong"),
            (message(partition.PAGER), (), "type 8 is wrong"),
            (message(partition.PAGER), (null, null), "receiving"),
            (message(partition.SCAN), (null, null), "receiving")):
        with monitored() as part:
            part.link.raw(data, fds)
            ends(part, text)
    os.close(null)


@suite.test("without its platform a partition ends, running or stopped")
def _():
    for command in ("query-status", "stop"):
        with monitored() as part:
            part.qmp(command)
            part.link.socket.close()
            ends(part, "vasi-phypd has gone")


@suite.test("a platform that asks and does not listen blocks nobody: QEMU ends")
def _():
    with monitored() as part:
        part.link.socket.setblocking(False)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while part.machine.process.poll() is None:
                with contextlib.suppress(BlockingIOError):
                    part.link.send(partition.STREAM, STREAM, ENABLED)
                select.select([], [part.link.socket], [], 0.1)
        ends(part, "is not read")


# ---- Dirty pages ----

def random_pages(count):
    """Numbers of pages that nothing but the test uses."""
    return sorted(random.sample(range(0x2000, 0xF000), count))


def scan(part):
    """Of such pages those that were written since the last scan."""
    return [page for page in part.link.scan() if 0x2000 <= page < 0xF000]


def write(part, pages):
    for page in pages:
        part.machine.write(page * PAGE + random.randrange(PAGE), b"x")


@suite.test("what the guest writes is found once, and nothing else is")
def _():
    with monitored() as part:
        assert scan(part) == []
        for count in (1, 64, 300):
            pages = random_pages(count)
            write(part, pages)
            part.machine.read(pages[0] * PAGE + PAGE, 1)
            assert scan(part) == pages
            assert scan(part) == []
        # One that was found before, and is written again
        write(part, pages[:7])
        assert scan(part) == pages[:7]
        # What is not taken stays, and is added once
        write(part, pages[:2])
        part.link.send(partition.SCAN)
        assert part.link.expect(partition.SCANNED)[0] >= 2
        write(part, pages[1:3])
        part.link.send(partition.SCAN)
        part.link.expect(partition.SCANNED)
        assert [p for p in part.link.take() if p >= 0x2000] == pages[:3]


@suite.test("what QEMU writes for the guest is found, too")
def _():
    with monitored() as part:
        page = random_pages(1)[0]
        rtas = Rtas(part.machine, page * PAGE)
        rtas.prepare("ibm,suspend-me", 0, 1)
        assert scan(part) == [page]
        assert rtas.again() == [ABORTED_RC]
        assert scan(part) == [page]


@suite.test("scans in a row are answered in order, all of them")
def _():
    with monitored() as part:
        for number in range(50):
            part.link.send(partition.SCAN)
            part.link.send(partition.STREAM, number + 1, ENABLED)
        for number in range(50):
            part.link.expect(partition.SCANNED)
            assert part.link.expect(partition.STREAM_SET) == [number + 1, ENABLED, 0]


def cancelled(part):
    """A migration that is cancelled before its end."""
    set_capabilities(part.qmp, **{"pause-before-switchover": True})
    ours, theirs = socket.socketpair()
    with ours, theirs:
        part.qmp.pass_fd("state", theirs.fileno())
        part.qmp("migrate", uri="fd:state")
        until("it is where it stops", lambda: part.qmp("query-migrate").get(
            "status") == "pre-switchover")
        part.qmp("migrate_cancel")
        assert partition.migrated(part.qmp) == "cancelled"
    set_capabilities(part.qmp, **{"pause-before-switchover": False})


def failed(part):
    """One that nobody reads."""
    ours, theirs = socket.socketpair()
    with theirs:
        ours.close()
        part.qmp.pass_fd("state", theirs.fileno())
        part.qmp("migrate", uri="fd:state")
        assert partition.migrated(part.qmp) == "failed"


def completed(part):
    assert len(partition.save(part.qmp)) > 100000


@suite.test("saving the state, completely or not, costs no dirty page")
def _():
    with monitored() as part:
        set_capabilities(part.qmp, **{"x-ignore-shared": True})
        for number, migrate in enumerate((completed, cancelled, failed, completed) * 2):
            before, after = random_pages(100), random_pages(100)
            write(part, before)
            if number % 2:
                part.qmp("stop")
            migrate(part)
            if number < 4:
                assert scan(part) == before, migrate
                before = []
            part.qmp("cont")
            write(part, after)
            assert scan(part) == sorted(set(before + after)), migrate
            assert scan(part) == [], migrate


# ---- The stream, for the guest ----

@suite.test("H_VASI_STATE says what the platform has said, of that stream only")
def _():
    with monitored() as part:
        machine, link = part.machine, part.link
        for other in (0, STREAM):
            assert machine.code(H_VASI_STATE, other) == PARAMETER
        for state in (ENABLED, SUSPENDING, SUSPENDED_STATE, RESUMED, COMPLETED, ABORTED):
            link.stream(STREAM, state)
            assert machine.hcall(H_VASI_STATE, STREAM)[:2] == [SUCCESS, state]
            for other in (0, STREAM + 1, STREAM & 0xFFFFFFFF):
                assert machine.code(H_VASI_STATE, other) == PARAMETER
        link.stream(0, 0)
        for other in (0, STREAM):
            assert machine.code(H_VASI_STATE, other) == PARAMETER
        assert link.nothing()


@suite.test("H_VASI_SIGNAL cancels, once, as long as that is possible")
def _():
    with monitored() as part:
        machine, link = part.machine, part.link
        assert machine.code(H_VASI_SIGNAL, STREAM, 1, 0) == PARAMETER
        for number, state in enumerate((ENABLED, SUSPENDING)):
            link.stream(STREAM, state)
            assert machine.code(H_VASI_SIGNAL, STREAM + 1, 1, 0) == PARAMETER
            assert machine.code(H_VASI_SIGNAL, STREAM + 1, 2, 0) == PARAMETER
            for code in (0, 2, 3, 6, 1 << 32 | 1):
                assert machine.code(H_VASI_SIGNAL, STREAM, code, 0) == P2
            assert link.nothing()
            reason = 0x06000000 + number
            assert machine.code(H_VASI_SIGNAL, STREAM, 1, reason) == SUCCESS
            assert link.expect(partition.SIGNAL) == [STREAM, reason, 0]
            assert machine.hcall(H_VASI_STATE, STREAM)[:2] == [SUCCESS, ABORTED]
            assert machine.code(H_VASI_SIGNAL, STREAM, 1, reason) == NOOP
        for state in (ABORTED, SUSPENDED_STATE, RESUMED, COMPLETED):
            link.stream(STREAM, state)
            assert machine.code(H_VASI_SIGNAL, STREAM, 1, 0) == NOOP
            assert machine.code(H_VASI_SIGNAL, STREAM, 2, 0) == P2
            assert machine.hcall(H_VASI_STATE, STREAM)[:2] == [SUCCESS, state]
        assert link.nothing()


# ---- Suspending ----

H_RTAS, H_JOIN, H_PROD = 0xF000, 0x298, 0xE8
ABORTED_RC, ACTIVE_RC = 9000, -9005 & 0xFFFFFFFF


class Rtas:
    """Calls of RTAS, with their arguments at @address."""

    def __init__(self, machine, address=0x8000000):
        self.machine, self.address = machine, address
        size, = struct.unpack_from(">I", machine.read(machine.fdt, 8), 4)
        self.tree = dtb.nodes(machine.read(machine.fdt, size))
        self.at = self.count = 0

    def processors(self):
        """Numbers of the processors."""
        return sorted(struct.unpack(">I", node["reg"])[0]
                      for path, node in self.tree.items()
                      if path.startswith("/cpus/PowerPC"))

    def prepare(self, name, inputs, outputs, *arguments):
        assert len(arguments) == inputs
        token, = struct.unpack(">I", self.tree["/rtas"][name])
        self.at, self.count = self.address + 12 + 4 * inputs, outputs
        self.machine.write(self.address, struct.pack(
            ">%dI" % (3 + inputs + outputs), token, inputs, outputs, *arguments,
            *([0xFFFFFFFF] * outputs)))

    def results(self):
        return list(struct.unpack(">%dI" % self.count,
                                  self.machine.read(self.at, 4 * self.count)))

    def begin(self):
        self.machine.begin(H_RTAS, self.address)

    def again(self):
        """The call that was prepared; its results."""
        assert self.machine.code(H_RTAS, self.address) == SUCCESS
        return self.results()

    def __call__(self, name, outputs, *arguments):
        self.prepare(name, len(arguments), outputs, *arguments)
        return self.again()


@suite.test("ibm,suspend-me suspends in state Suspending only")
def _():
    with monitored() as part:
        rtas = Rtas(part.machine)
        assert rtas("ibm,suspend-me", 1) == [ABORTED_RC]
        for state in (ENABLED, ABORTED, SUSPENDED_STATE, RESUMED, COMPLETED):
            part.link.stream(STREAM, state)
            assert rtas("ibm,suspend-me", 1) == [ABORTED_RC]
        part.link.stream(STREAM, SUSPENDING)
        assert rtas("ibm,suspend-me", 2)[0] == -3 & 0xFFFFFFFF
        assert part.qmp("query-status")["status"] == "running"
        assert part.link.nothing()


@suite.test("a suspended guest goes on with what has become of its stream")
def _():
    with monitored() as part:
        rtas = Rtas(part.machine)
        rtas.prepare("ibm,suspend-me", 0, 1)
        for stream, state, result in (
                (STREAM, ABORTED, ABORTED_RC), (STREAM, RESUMED, 0),
                (STREAM, COMPLETED, 0), (STREAM, SUSPENDING, ABORTED_RC),
                (STREAM, SUSPENDED_STATE, ABORTED_RC), (0, 0, ABORTED_RC)):
            part.link.stream(STREAM, SUSPENDING)
            rtas.begin()
            assert part.link.expect(partition.SUSPENDED) == [0, 0, 0]
            assert part.qmp("query-status")["status"] == "paused"
            # What would go on elsewhere has moved
            at = rtas.at % PAGE
            assert part.memory.page(rtas.at // PAGE)[at:at + 4] == bytes(4)
            part.link.stream(stream, state)
            assert not select.select([part.machine.tty], [], [], 0)[0], "it goes on"
            part.qmp("cont")
            assert part.machine.answer()[0] == SUCCESS
            assert rtas.results() == [result], (state, rtas.results())
        # Stopping is not suspending
        part.qmp("stop")
        part.qmp("cont")
        part.machine.read(0, 1)
        assert part.link.nothing()


@suite.test("after a reset no call is left to return")
def _():
    with monitored() as part:
        rtas = Rtas(part.machine)
        rtas.prepare("ibm,suspend-me", 0, 1)
        part.link.stream(STREAM, SUSPENDING)
        rtas.begin()
        part.link.expect(partition.SUSPENDED)
        part.qmp("system_reset")
        part.link.stream(STREAM, ABORTED)
        part.qmp("cont")
        part.machine.ready()
        assert rtas.results() == [0]


# Joins, with a decrementer that is about to expire, and counts its returns at R3
JOINER = struct.pack(
    ">9I",
    0x7C7F1B78,         # mr    r31, r3
    0x38800001,         # li    r4, 1
    0x7C9603A6,         # mtdec r4
    0x38600298,         # li    r3, H_JOIN
    0x44000022,         # sc    1
    0xE8BF0000,         # ld    r5, 0(r31)
    0x38A50001,         # addi  r5, r5, 1
    0xF8BF0000,         # std   r5, 0(r31)
    0x4BFFFFE4)         # b     .-28
LOOP = struct.pack(">I", 0x48000000)


def joins(part):
    """A processor joins again and again; this one looks on, and wakes it."""
    machine, rtas = part.machine, Rtas(part.machine)
    other = rtas.processors()[1]
    counter = 0x9000000
    machine.write(counter, bytes(8))
    machine.write(0x9100000, JOINER)

    def joined():
        return rtas("ibm,suspend-me", 1) == [ABORTED_RC]

    assert rtas("start-cpu", 1, other, 0x9100000, counter) == [0]
    for turn in range(20):
        until("it has joined", joined)
        for _ in range(20):
            assert joined()
            value, = struct.unpack(">Q", machine.read(counter, 8))
            assert value == turn, value
        assert machine.code(H_PROD, other) == SUCCESS
        until("it has returned", lambda: machine.read(counter, 8) != struct.pack(
            ">Q", turn))


@suite.test("a processor that has joined sleeps until H_PROD, and then joins again")
def _():
    for model in ("POWER8", "POWER9", "POWER10"):
        with monitored(processors=2, options=["-cpu", model]) as part:
            joins(part)


@suite.test("ibm,suspend-me refuses while another processor is active")
def _():
    with monitored(processors=2) as part:
        machine, rtas = part.machine, Rtas(part.machine)
        machine.write(0x9100000, LOOP)
        part.link.stream(STREAM, SUSPENDING)
        assert rtas("start-cpu", 1, rtas.processors()[1], 0x9100000, 0) == [0]
        assert rtas("ibm,suspend-me", 1) == [ACTIVE_RC]
        assert part.qmp("query-status")["status"] == "running"
        assert part.link.nothing()


@suite.test("a suspended guest goes on in another QEMU")
def _():
    with monitored() as source, to_load() as target:
        target.memory.punch()
        rtas = Rtas(source.machine)
        source.link.stream(STREAM, SUSPENDING)
        rtas.prepare("ibm,suspend-me", 0, 1)
        rtas.begin()
        source.link.expect(partition.SUSPENDED)
        state = partition.save(source.qmp)
        target.memory.copy(source.memory, source.memory.pages())
        partition.load(target.qmp, state)
        assert target.qmp("query-status")["status"] == "paused"
        target.link.stream(STREAM, RESUMED)
        target.qmp("cont")
        rtas.machine = target.machine
        assert target.machine.answer()[0] == SUCCESS
        assert rtas.results() == [0]
        assert target.machine.hcall(H_VASI_STATE, STREAM)[:2] == [SUCCESS, RESUMED]
        assert source.link.nothing() and target.link.nothing()


# Sleeps, until its decrementer expires after a quarter of a second, and counts at R3
SLEEPER = struct.pack(
    ">9I",
    0x7C7F1B78,         # mr    r31, r3
    0x3C800800,         # lis   r4, 0x800
    0x7C9603A6,         # mtdec r4
    0x386000E0,         # li    r3, H_CEDE
    0x44000022,         # sc    1
    0xE8BF0000,         # ld    r5, 0(r31)
    0x38A50001,         # addi  r5, r5, 1
    0xF8BF0000,         # std   r5, 0(r31)
    0x4BFFFFE4)         # b     .-28


@suite.test("a processor that sleeps while it is moved is woken by its decrementer")
def _():
    counter = 0x9000

    def count(part):
        return struct.unpack_from(">Q", part.memory.page(counter))[0]

    with monitored(processors=2) as source, to_load(processors=2) as target:
        target.memory.punch()
        rtas = Rtas(source.machine)
        source.machine.write(counter * PAGE, bytes(8))
        source.machine.write(0x9100000, SLEEPER)
        assert rtas("start-cpu", 1, rtas.processors()[1], 0x9100000,
                    counter * PAGE) == [0]
        until("it has slept", lambda: count(source))
        source.qmp("stop")
        state = partition.save(source.qmp)
        target.memory.copy(source.memory, source.memory.pages())
        partition.load(target.qmp, state)
        before = count(target)
        assert before == count(source)
        target.qmp("cont")
        until("it is woken", lambda: count(target) > before + 1)
        # Where it was saved it goes on as well
        source.qmp("cont")
        until("it is woken", lambda: count(source) > before + 1)


# ---- Missing pages ----

@contextlib.contextmanager
def paged():
    """A partition and the faults of its guest, whose firmware has all its own pages."""
    with monitored() as part:
        part.machine.write(0x1000000, b"x")
        part.machine.read(0x1000000, PAGE)
        with contextlib.closing(part.link.pager()) as faults:
            yield part, faults


@suite.test("an access to a page that is missing waits until it has been filled")
def _():
    with paged() as (part, faults):
        for page in random_pages(20):
            part.memory.put(page, bytes(PAGE))
            part.memory.punch(page, 1)
            part.machine.say("r", "%x" % (page * PAGE + 8), "%x" % (PAGE - 8))
            assert faults.wait() == (page, False)
            data = os.urandom(PAGE)
            part.memory.put(page, data)
            assert not select.select([part.machine.tty], [], [], 0)[0], "no wait"
            faults.finish(page)
            assert bytes.fromhex(part.machine.line()) == data[8:]
        assert not faults.pending()


@suite.test("a page that is in the file, but not mapped, is a minor fault")
def _():
    with paged() as (part, faults):
        for page in random_pages(20):
            part.memory.punch(page, 1)
            data = os.urandom(PAGE)
            part.memory.put(page, data)
            part.machine.say("w", "%x" % (page * PAGE), "2a")
            fault = faults.wait()
            assert fault == (page, True), (page, fault)
            faults.finish(page)
            assert part.machine.line() == "ok"
            assert part.memory.page(page) == b"*" + data[1:]
            assert part.machine.read(page * PAGE, PAGE) == b"*" + data[1:]
        assert not faults.pending()


@suite.test("what cannot be registered is an error, and no more")
def _():
    with monitored() as part:
        try:
            part.link.pager("/dev/null").close()
            raise AssertionError("it is no userfaultfd")
        except OSError as error:
            assert error.errno == errno.ENOTTY, error
        part.link.pager().close()


@suite.test("the registration can be taken away, and be made anew")
def _():
    with paged() as (part, faults):
        page, = random_pages(1)
        try:
            part.link.pager().close()
            raise AssertionError("two at a time")
        except OSError as error:
            assert error.errno == errno.EBUSY, error
        faults.unregister()
        part.memory.punch(page, 1)
        assert part.machine.read(page * PAGE, 1) == bytes(1)
        assert not faults.pending()
        with contextlib.closing(part.link.pager()) as faults:
            part.memory.punch(page, 1)
            part.machine.say("r", "%x" % (page * PAGE), "1")
            assert faults.wait() == (page, False)
            part.memory.put(page, b"new".ljust(PAGE))
            faults.finish(page)
            assert part.machine.line() == "6e"


@suite.test("a platform that dies leaves no page empty that is missing")
def _():
    with paged() as (part, faults):
        page, = random_pages(1)
        part.memory.punch(page, 1)
        part.machine.say("r", "%x" % (page * PAGE), "1")
        assert faults.wait() == (page, False)
        faults.close()
        part.link.socket.close()
        ends(part, "vasi-phypd has gone")
        assert page not in part.memory.pages()
        assert not part.machine.file.read(), "it went on"


sys.exit(suite.main())
