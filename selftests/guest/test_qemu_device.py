#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The VASI device for QEMU, without a driver: the test makes the hcalls.

The platform is vasi-phypd, or a scripted one where it has to do something wrong
or late.  Documentation/qemu.rst says what is expected here.
"""

import contextlib
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "qemu"))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import dtb  # noqa: E402
import guest  # noqa: E402
import lpm  # noqa: E402
import packages  # noqa: E402
import pseries  # noqa: E402
import tap  # noqa: E402
import vsp  # noqa: E402
from pseries import (CLOSED, D_PARM, DROPPED, H_COPY_RDMA,  # noqa: E402
                     H_DONOR_OPERATION, H_ENABLE_CRQ, H_VASI_SIGNAL, H_VASI_STATE,
                     IN_PROGRESS, LONG_BUSY_10_MSEC, PAGE, PARAMETER, S_PARM, SUCCESS,
                     Driver, Machine, Monitored, until)
from scripted_platform import DmaError, Platform, entry  # noqa: E402

UNIT = 0x71000010
# How long QEMU may take for an answer while the platform is stopped: an hcall keeps a
# processor for 20 ms, a busy machine may take longer.  Who is blocked waits for ever.
PROMPT_S = 10
INITIALIZE = entry(1, header=0xC0)
COMPLETE = entry(2, header=0xC0)
STREAM = 0x1122334455667788

suite = tap.Suite()


@contextlib.contextmanager
def directory():
    path = tempfile.mkdtemp(prefix="vasiqemu.", dir="/tmp")
    try:
        yield path
    finally:
        shutil.rmtree(path, True)


class Phypd:
    """A vasi-phypd with one device."""

    def __init__(self, path):
        self.path = path
        self.link = path + "/msp0"
        self.rpc = lpm.Rpc(path + "/rpc")
        os.mkdir(path + "/state")
        self.process = None
        self.start()

    def start(self):
        with open(self.path + "/phypd.log", "ab") as log:
            self.process = subprocess.Popen(
                [os.path.join(guest.BUILD, "vasi-phypd"), "--name", "A", "--socket",
                 self.rpc.path, "--state-dir", self.path + "/state",
                 "--device", "msp0=" + self.link],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until("vasi-phypd listens", self.listens)

    def listens(self):
        assert self.process.poll() is None, "vasi-phypd has ended"
        try:
            return self.rpc("system.info")
        except (FileNotFoundError, ConnectionRefusedError):
            return None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(pseries.PATIENCE_S)


@contextlib.contextmanager
def real(**more):
    """vasi-phypd, a machine and a driver that has not done anything yet."""
    with directory() as path, Phypd(path) as phypd, \
            Monitored(path + "/m", ["%s,reg=%#x" % (phypd.link, UNIT)],
                      **more) as machine:
        yield phypd, machine, Driver(machine, UNIT)


@contextlib.contextmanager
def scripted(kind=Platform, **more):
    """The same with a scripted platform; the driver is connected."""
    with directory() as path, kind(path + "/p") as platform, \
            Monitored(path + "/m", ["%s,reg=%#x" % (platform.path, UNIT)],
                      **more) as machine:
        driver = Driver(machine, UNIT)
        assert driver.register() == SUCCESS
        driver.handshake()
        yield platform, machine, driver
        assert not platform.errors, platform.errors


def prompt(function, *args, **named):
    """@function has to answer at once."""
    began = time.monotonic()
    result = function(*args, **named)
    took = time.monotonic() - began
    assert took < PROMPT_S, "%.1f s" % took
    return result


def open_stream(driver, top=0x1234, stream=STREAM, service=vsp.SOURCE):
    """An open of a stream; returns BOTTOM."""
    answer = driver.ask(vsp.OPEN, top, struct.pack(">Q", stream), service)
    assert answer[2] == 0, answer.hex()
    return struct.unpack_from(">I", answer, 4)[0]


def refused(plugin, *links):
    """QEMU does not start; returns what it says."""
    with directory() as path:
        machine = Machine(path, links, plugin=plugin, options=["-S"])
        try:
            assert machine.process.wait(pseries.PATIENCE_S), "it started"
            return machine.said()
        finally:
            machine.end()


# ---- Loading ----

@suite.test("a plug-in for another QEMU is refused, with both build-ids")
def _():
    with open(pseries.PLUGIN, "rb") as file:
        image = file.read()
    at = image.index(b"build-id:") + len(b"build-id:")
    own = image[at:image.index(b"\0", at)]
    other = b"0123" + own[4:] if own[:4] != b"0123" else b"3210" + own[4:]
    with directory() as path:
        plugin = path + "/other.so"
        with open(plugin, "wb") as file:
            file.write(image[:at] + other + image[at + len(other):])
        said = refused(plugin, "/nonexistent")
    assert own.decode() in said and other.decode() in said, said
    assert "Not loaded" in said, said


@suite.test("a device without a platform is an error that names the socket")
def _():
    said = refused(pseries.PLUGIN, "/nonexistent/socket")
    assert "cannot connect to /nonexistent/socket" in said, said


@suite.test("devices whose LIOBNs are the same are refused")
def _():
    with directory() as path, Platform(path + "/p") as one, \
            Platform(path + "/q") as other:
        for regs in ((0x71000010, 0x31000010), (0x31000010, 0x71000010)):
            said = refused(pseries.PLUGIN, *("%s,reg=%#x" % (p.path, r) for p, r in
                                             zip((one, other), regs)))
            assert "its second pane is taken" in said, said


# ---- The device tree, as a kernel sees it ----

def expected_node(unit, location):
    """Properties by name, as dts/vasi.dts has them for one adapter."""
    tree = dtb.nodes(dtb.compiled(lpm.TOP + "/dts/vasi.dts"))
    node = dict(tree["/vdevice/IBM,VASI@%x" % UNIT], name=b"IBM,VASI\0")
    own, second = struct.pack(">I", unit), struct.pack(">I", unit ^ 0x40000000)
    window = node["ibm,my-dma-window"]
    node.update({
        "reg": own, "ibm,loc-code": location,
        "ibm,my-dma-window": own + window[4:20] + second + window[24:],
        "interrupts": struct.pack(">I", unit - UNIT + struct.unpack(
            ">I", node["interrupts"][:4])[0]) + node["interrupts"][4:]})
    if unit == UNIT:
        assert node == dict(tree["/vdevice/IBM,VASI@%x" % UNIT],
                            name=b"IBM,VASI\0"), "dts/vasi.dts"
    return node


TREE_COMMAND = r"""
echo 1..1
cd /proc/device-tree/vdevice
hex() { hexdump -v -e '1/1 "%02x"' "$1"; }
for node in IBM,VASI@*; do
    for file in $node/*; do
        [ -f $file ] && echo "property $file $(hex $file)"
    done
done
echo "property max $(hex ibm,max-virtual-dma-size)"
echo "property functions $(hex /proc/device-tree/rtas/ibm,hypertas-functions)"
for device in /sys/bus/vio/devices/*; do
    [ -f $device/modalias ] && echo "property $(basename $device) $(cat $device/modalias)"
done
echo 'ok 1 - printed'
"""


def printed(result):
    found = {}
    for line in result.lines:
        words = line.split()
        if words[:1] == ["property"]:
            found[words[1]] = words[2] if len(words) > 2 else ""
    return found


@suite.test("a kernel sees the nodes with exactly LoPAR's properties")
def _():
    with directory() as path, Platform(path + "/p") as one, \
            Platform(path + "/q") as other:
        kernel = list(packages.kernels("ppc64el").values())[-1]
        machine = guest.Guest(kernel, TREE_COMMAND, arch="ppc64el")
        machine.vasi = ["%s,reg=0x71000010" % one.path,
                        "%s,reg=0x71000011,loc-code=U1.T1" % other.path]
        result = machine.run("test_qemu_device-tree")
        assert not result.wrong(), result.wrong()
    found = printed(result)
    for unit, location in ((UNIT, b"U9119.MME.0000000-V1-C16\0"),
                           (UNIT + 1, b"U1.T1\0")):
        node = "IBM,VASI@%x/" % unit
        seen = {name[len(node):]: bytes.fromhex(value)
                for name, value in found.items() if name.startswith(node)}
        # The firmware's own, for those who refer to the node
        seen.pop("phandle", None)
        assert seen == expected_node(unit, location), seen
        assert found["%x" % unit] == "vio:TIBM,VASI-1SIBM,VASI-1", found
    assert found["max"] == "00020000", found["max"]
    functions = bytes.fromhex(found["functions"]).split(b"\0")
    for name in (b"hcall-crq", b"hcall-vio", b"hcall-vasi", b"hcall-rdma",
                 b"hcall-suspend"):
        assert functions.count(name) == 1, (name, functions)


# ---- The queue ----

@suite.test("before it is registered, and after, a queue takes nothing")
def _():
    with real() as (_, machine, driver):
        assert driver.send(INITIALIZE) == CLOSED
        assert driver.register() == SUCCESS
        driver.handshake()
        assert driver.send(bytes(16)) == PARAMETER
        assert driver.send(entry(1, header=0xFF)) == PARAMETER
        driver.free()
        assert driver.send(INITIALIZE) == CLOSED
        assert driver.poll() is None
        assert driver.register() == SUCCESS
        driver.handshake()


@suite.test("a queue of 64 KiB is used to its end")
def _():
    with scripted() as (platform, _, driver):
        driver.free()
        driver.queue_bytes = 65536
        driver.BUFFERS = 2 * 65536
        assert driver.register() == SUCCESS
        driver.handshake()
        total = 65536 // 16 + 10
        for first in range(0, total, 512):
            some = [entry(0x09, number)
                    for number in range(first, min(first + 512, total))]
            platform.put(*some)
            assert driver.take(len(some)) == some
        assert driver.at == (1 + total) * 16 % 65536


@suite.test("entries wait for room in the guest's queue; none is lost, none is early")
def _():
    with scripted() as (platform, _, driver):
        entries = [entry(0x09, number) for number in range(1000)]
        platform.put(*entries)
        assert driver.take(len(entries)) == entries
        assert driver.poll() is None


@suite.test("a guest that takes nothing loses the link, and is told")
def _():
    with scripted() as (platform, machine, driver):
        with contextlib.suppress(OSError):
            platform.put(*(entry(0x09, number) for number in range(20000)))
        platform.wait_connected(2)
        assert driver.take(256) == [entry(0x09, number) for number in range(256)]
        assert driver.get() == entry(1, header=0xFF)
        assert driver.get() == INITIALIZE
        assert "16384 entries" in machine.said(), machine.said()


@suite.test("a stopped machine's memory stays as it is")
def _():
    with scripted() as (platform, machine, driver):
        machine.qmp("stop")
        platform.put(entry(0x09, 7))
        # A DMA request is answered all the same, and after the entry
        assert platform.dma_read(driver.at, 16) == bytes(16)
        machine.qmp("cont")
        assert driver.get() == entry(0x09, 7)


# ---- DMA ----

@suite.test("DMA by messages goes through the TCEs of the first pane")
def _():
    with scripted() as (platform, machine, driver):
        # Pages that do not lie one behind the other, and two that lack a permission
        for page, target, access in ((16, 40, 3), (17, 20, 3), (18, 21, 1), (19, 22, 2)):
            assert machine.code(pseries.H_PUT_TCE, UNIT, page * PAGE,
                                driver.base + target * PAGE | access) == SUCCESS
        data = bytes(range(256)) * 32
        platform.dma_write(16 * PAGE, data)
        assert driver.read(40 * PAGE, PAGE) == data[:PAGE]
        assert driver.read(20 * PAGE, PAGE) == data[PAGE:]
        assert platform.dma_read(16 * PAGE + 9, 2 * PAGE - 9) == data[9:]
        driver.write(21 * PAGE, b"readable")
        assert platform.dma_read(18 * PAGE, 8) == b"readable"
        for refuse in (lambda: platform.dma_write(18 * PAGE, b"x"),
                       lambda: platform.dma_read(19 * PAGE, 1),
                       lambda: platform.dma_read(20 * PAGE, 1),
                       lambda: platform.dma_read(17 * PAGE, 2 * PAGE + 1 + PAGE),
                       lambda: platform.dma_read(0xFFFFF000, PAGE)):
            try:
                refuse()
            except DmaError as error:
                assert error.errno == 14, error
            else:
                raise AssertionError("it was not refused")


def operations(memfd, order):
    """The first operations of a stream, by the real platform; @order of the pages
    of a buffer says whether they lie one behind the other."""
    with real(memfd=memfd) as (phypd, machine, driver):
        phypd.rpc("partition.create", name="p", memory=16 << 20,
                  content={"type": "seed", "seed": 5}, program={"seed": 1, "steps": 1})
        phypd.rpc("partition.activate", name="p")
        phypd.rpc("partition.wait", name="p")
        phypd.rpc("stream.create", stream_id="%016x" % STREAM, role="source",
                  partition="p", device="msp0")
        assert driver.register() == SUCCESS
        driver.handshake()
        driver.ask(vsp.CAPABILITIES, byte3=vsp.SOURCE,
                   data=struct.pack(">IBBBB", 0, 0, 0x03, 0x08, 1))
        bottom = open_stream(driver)
        assert machine.patient(H_VASI_STATE, STREAM)[:2] == [SUCCESS, 1]
        assert machine.patient(H_VASI_STATE, STREAM + 1)[0] == PARAMETER
        where = {}
        for number in (1, 2):
            ioba = number * 65536
            for page in range(16):
                where[ioba + page * PAGE] = driver.base + ioba + order(page) * PAGE
        for ioba, address in where.items():
            assert machine.code(pseries.H_PUT_TCE, UNIT, ioba, address | 3) == SUCCESS

        def read(number):
            return b"".join(machine.read(where[number * 65536 + page * PAGE], PAGE)
                            for page in range(16))

        for number in (1, 2):
            machine.write(where[number * 65536], struct.pack(">Q", number))
            driver.ask(vsp.ADD_BUFFER, bottom, struct.pack(
                ">II", 0x80 << 24 | 65536, number * 65536))
        unmapped = driver.request
        unmapped(vsp.ADD_BUFFER, bottom, struct.pack(">II", 0x80 << 24 | 65536, 3 * 65536))
        assert driver.get()[2] == 0x04
        pair = 0x1234 << 32 | bottom
        buffers = []
        while len(buffers) < 2:
            code = machine.code(H_DONOR_OPERATION, pair)
            assert code in (IN_PROGRESS, 9900, 9901, 9902), code
            done = driver.poll()
            if done:
                assert done[:2] == b"\x80\x07", done.hex()
                buffers.append(read(struct.unpack_from(">Q", done, 8)[0]))
        assert machine.patient(H_DONOR_OPERATION, pair + 1)[0] == PARAMETER
        for number, buffer in enumerate(buffers, 1):
            assert buffer[:24] == struct.pack(">QIIB7x", number, 0x1234, bottom, 0xA0)
        assert machine.patient(H_VASI_SIGNAL, STREAM, 2)[0] == -55
        assert machine.patient(H_VASI_SIGNAL, STREAM, 1, 0x02000000)[0] == SUCCESS
        assert machine.patient(H_VASI_STATE, STREAM)[:2] == [SUCCESS, 2]
        return [buffer[24:] for buffer in buffers]


@suite.test("operations are the same by messages, by mapped and by scattered pages")
def _():
    def straight(page):
        return page

    def backwards(page):
        return 15 - page

    # Operation correlators are part of what is compared: the streams are equal
    by_messages = operations(False, straight)
    assert any(any(buffer) for buffer in by_messages)
    assert operations(False, backwards) == by_messages
    assert operations(True, straight) == by_messages
    assert operations(True, backwards) == by_messages


# ---- Hypercalls ----

class Late(Platform):
    """Answers hcalls after a while, but for those that confirm a reset."""

    delay = 0.0

    def hcall(self, number, arguments):
        if number == 0x100:
            return SUCCESS, []
        time.sleep(self.delay)
        return SUCCESS, [len(self.calls)]


@suite.test("an answer that is late is for whoever asks again")
def _():
    with scripted(Late) as (platform, machine, _):
        calls = len(platform.calls)
        assert machine.patient(H_VASI_STATE, 5)[:2] == [SUCCESS, calls + 1]
        platform.delay = 0.1
        assert machine.code(H_VASI_STATE, 6) == LONG_BUSY_10_MSEC
        result = machine.patient(H_VASI_STATE, 6)
        assert result[:2] == [SUCCESS, calls + 2], result
        # Asked once, however often it was called; another call is another question
        assert platform.calls[calls:] == [(H_VASI_STATE, [5] + [0] * 7),
                                          (H_VASI_STATE, [6] + [0] * 7)]


@suite.test("what an hcall causes is in the queue when it returns")
def _():
    class Causing(Platform):
        def hcall(self, number, arguments):
            if number == H_VASI_STATE:
                self.dma_write(65536, b"written")
                self.put(entry(0x09, 99))
            return SUCCESS, [1]

    with scripted(Causing) as (_, machine, driver):
        driver.map(16, 1)
        for _ in range(50):
            assert machine.patient(H_VASI_STATE, 5)[0] == SUCCESS
            assert driver.poll() == entry(0x09, 99)
        assert driver.read(65536, 7) == b"written"


@suite.test("each of two devices gets the hcalls that are its own")
def _():
    def knows(value):
        def hcall(number, arguments):
            del arguments
            return (PARAMETER, []) if number == H_VASI_STATE and not value \
                else (SUCCESS, [value])
        return hcall

    with directory() as path, Platform(path + "/p", unit=0x30000000) as one, \
            Platform(path + "/q", unit=0x30000005) as other, \
            Monitored(path + "/m", [one.path + ",reg=0x71000010",
                                    other.path + ",reg=0x71000011"]) as machine:
        drivers = [Driver(machine, 0x71000010), Driver(machine, 0x71000011, 0x2000000)]
        other.next_bottom = 0x2000
        bottoms = []
        for number, driver in enumerate(drivers):
            assert driver.register() == SUCCESS
            driver.handshake()
            bottoms.append(open_stream(driver, top=0x10 + number))
        assert bottoms == [0x1000, 0x2000]
        # A pair is known from its Open
        for number, platform in enumerate((one, other)):
            one.calls.clear()
            other.calls.clear()
            one.hcall, other.hcall = knows(0), knows(0)
            pair = (0x10 + number) << 32 | bottoms[number]
            assert machine.patient(H_DONOR_OPERATION, pair)[0] == SUCCESS
            assert [c[1][0] for c in one.calls + other.calls] == [pair]
            assert platform.calls
        # A stream is not: all are asked until one knows it
        for platform, other_one in ((one, other), (other, one)):
            platform.hcall, other_one.hcall = knows(3), knows(0)
            assert machine.patient(H_VASI_STATE, 7)[:2] == [SUCCESS, 3]
        other.hcall = one.hcall = knows(0)
        assert machine.patient(H_VASI_STATE, 7)[0] == PARAMETER
        one.calls.clear()
        # LIOBNs are turned into those of the platform
        assert machine.patient(H_COPY_RDMA, 64, 0x31000011, 4096, 0x71000011,
                               8192)[0] == SUCCESS
        assert not one.calls
        assert other.wait_call(H_COPY_RDMA)[:5] == [64, 0x30000006, 4096, 0x30000005, 8192]
        assert machine.code(H_COPY_RDMA, 64, 1, 0, 2, 0) == S_PARM
        # After Close the pair is nobody's, so it is for the platforms to say
        assert drivers[1].ask(vsp.CLOSE, 0x2000)[2] == 0
        pair = 0x11 << 32 | 0x2000
        one.hcall = lambda number, arguments: (-1, [])
        other.hcall = lambda number, arguments: (PARAMETER, [])
        assert machine.patient(H_DONOR_OPERATION, pair)[0] == -1
        assert one.wait_call(H_DONOR_OPERATION)[0] == pair
        for platform in (one, other):
            assert not platform.errors, platform.errors


@suite.test("H_COPY_RDMA copies from the second pane, by the real platform")
def _():
    with real() as (_, machine, driver):
        assert driver.register() == SUCCESS
        driver.handshake()
        driver.map(16, 1)
        second = UNIT ^ 0x40000000
        # Nothing has been shown in the second pane yet
        assert machine.code(H_COPY_RDMA, 64, second, 0, UNIT, 65536) == S_PARM
        assert machine.code(H_COPY_RDMA, 0, second, 0, UNIT, 65536) == PARAMETER
        assert machine.code(H_COPY_RDMA, 64, second, 0, 77, 65536) == D_PARM


# ---- A platform that is stopped ----

@suite.test("a stopped platform keeps nobody from QEMU's management")
def _():
    with real() as (phypd, machine, driver):
        assert driver.register() == SUCCESS
        driver.handshake()
        with pseries.stopped(phypd.process):
            # In an hcall all the time
            machine.say("t", "64", "%x" % H_VASI_STATE, "5")
            for _ in range(5):
                assert prompt(machine.qmp, "query-status")["running"]
            prompt(machine.qmp, "stop")
            assert not prompt(machine.qmp, "query-status")["running"]
            prompt(machine.qmp, "cont")
            code, each_us = (int(w, 16) for w in machine.line().split())
            assert code == LONG_BUSY_10_MSEC, code
            assert each_us
            # A queue that fills: entries are dropped then, not waited for
            codes = []

            def full():
                codes.append(machine.timed(100, pseries.H_SEND_CRQ, UNIT,
                                           *struct.unpack(">QQ", INITIALIZE))[0])
                return codes[-1] == DROPPED
            until("the link is full", full)
            assert set(codes) <= {SUCCESS, DROPPED}, codes
            prompt(machine.qmp, "query-status")
            assert prompt(driver.free_once) == LONG_BUSY_10_MSEC
            prompt(machine.reset)
            assert driver.register() == SUCCESS
            assert driver.send(INITIALIZE) == SUCCESS
        assert driver.get() == COMPLETE
        with pseries.stopped(phypd.process):
            machine.begin(H_DONOR_OPERATION, 5)
            prompt(machine.qmp, "quit")
            prompt(machine.process.wait)


@suite.test("H_FREE_CRQ is done when the platform has let go")
def _():
    with real() as (phypd, _, driver):
        assert driver.register() == SUCCESS
        driver.handshake()
        with pseries.stopped(phypd.process):
            for _ in range(3):
                assert driver.free_once() == LONG_BUSY_10_MSEC
            assert driver.send(INITIALIZE) == CLOSED
        until("it is free", lambda: driver.free_once() == SUCCESS)
        assert driver.register() == SUCCESS
        driver.handshake()


# ---- Reset, and platforms that go ----

@suite.test("after a guest's reset nothing old arrives")
def _():
    with scripted() as (platform, machine, driver):
        for turn in range(5):
            resets = platform.resets
            platform.put(*(entry(0x09, number) for number in range(600)))
            open_ended = platform.connections
            machine.reset()
            platform.wait_reset(resets + 1)
            assert driver.register() == SUCCESS
            driver.handshake()
            assert driver.poll() is None, turn
            assert platform.connections == open_ended


@suite.test("entries that were under way when the queue was freed do not arrive")
def _():
    class Chatty(Platform):
        """Says more and more until it has heard of the reset."""

        def hcall(self, number, arguments):
            self.put(*(entry(0x09, 0xBAD) for _ in range(64)))
            return SUCCESS, []

    with scripted(Chatty) as (platform, _, driver):
        for _ in range(8):
            platform.put(*(entry(0x09, 0xBAD) for _ in range(64)))
            driver.free()
            assert driver.register() == SUCCESS
            driver.handshake()
            assert driver.poll() is None


@suite.test("a platform that dies, and one that comes back")
def _():
    with real() as (phypd, machine, driver):
        assert driver.register() == SUCCESS
        driver.handshake()
        for _ in range(3):
            phypd.kill()
            assert driver.get() == entry(1, header=0xFF)
            assert driver.send(INITIALIZE) == CLOSED
            assert machine.code(H_VASI_STATE, STREAM) == PARAMETER
            phypd.start()
            assert driver.get() == INITIALIZE
            driver.put(COMPLETE)
            driver.handshake()
        # A driver that resets while nobody is there
        phypd.kill()
        assert driver.get() == entry(1, header=0xFF)
        driver.free()
        assert driver.register() == CLOSED
        phypd.start()
        assert driver.get() == INITIALIZE
        driver.handshake()


@suite.test("a platform that goes down in order has deregistered")
def _():
    with scripted() as (platform, _, driver):
        platform.refuse(108, "going down")
        assert driver.get() == entry(2, header=0xFF)
        assert driver.get() == INITIALIZE
        driver.handshake()


@suite.test("a platform that comes back as another device stays away")
def _():
    with scripted() as (platform, machine, driver):
        kept = platform.properties
        platform.properties = kept[:1] + (32768,) + kept[2:]
        platform.drop()
        assert driver.get() == entry(1, header=0xFF)
        platform.wait_connected(3)
        assert driver.send(INITIALIZE) == CLOSED
        platform.properties = kept
        assert driver.get() == INITIALIZE
        driver.handshake()
        machine.qmp("query-status")


@suite.test("transport events, by the management of the real platform")
def _():
    with real() as (phypd, machine, driver):
        phypd.rpc.refused(lpm.NOT_FOUND, "device.event", device="msp9", event=1)
        phypd.rpc.refused(lpm.INVALID_PARAMS, "device.event", device="msp0", event=0)
        assert driver.register() == SUCCESS
        driver.handshake()
        for code in (1, 2, 4):
            phypd.rpc("device.event", device="msp0", event=code)
            assert driver.get() == entry(code, header=0xFF)
            driver.handshake()
        phypd.rpc("device.event", device="msp0", event=6)
        assert driver.get() == entry(6, header=0xFF)
        assert driver.send(INITIALIZE) == CLOSED
        assert machine.code(H_ENABLE_CRQ, UNIT) == SUCCESS
        driver.handshake()


@suite.test("after a suspend event nothing passes until H_ENABLE_CRQ")
def _():
    with scripted() as (platform, machine, driver):
        platform.event(6)
        platform.put(entry(0x09, 1))
        assert driver.get() == entry(6, header=0xFF)
        # The entry is behind an answer that has come
        driver.map(16, 1)
        platform.dma_read(65536, 1)
        assert driver.poll() is None
        assert driver.send(INITIALIZE) == CLOSED
        assert machine.code(H_ENABLE_CRQ, UNIT) == SUCCESS
        assert driver.get() == entry(0x09, 1)
        driver.handshake()


@suite.test("H_ENABLE_CRQ may be busy for a while")
def _():
    with directory() as path, Platform(path + "/p") as platform, \
            Monitored(path + "/m", ["%s,reg=%#x,enable-busy=3" % (platform.path, UNIT)]
                      ) as machine:
        driver = Driver(machine, UNIT)
        assert driver.register() == SUCCESS
        driver.handshake()
        assert machine.code(H_ENABLE_CRQ, UNIT) == SUCCESS
        platform.event(6)
        assert driver.get() == entry(6, header=0xFF)
        codes = [machine.code(H_ENABLE_CRQ, UNIT) for _ in range(5)]
        assert codes == [LONG_BUSY_10_MSEC, IN_PROGRESS, LONG_BUSY_10_MSEC, SUCCESS,
                         SUCCESS], codes
        driver.handshake()


@suite.test("a platform that ends an hcall channel ends the link")
def _():
    class Cutting(Platform):
        cut = False

        def hcall(self, number, arguments):
            if self.cut:
                self.cut = False
                raise OSError("cut")
            return SUCCESS, []

    with scripted(Cutting) as (platform, machine, driver):
        # In a call: it is made again, on another channel
        platform.cut = True
        platform.calls.clear()
        assert machine.patient(H_VASI_STATE, 1)[0] == SUCCESS
        assert [c[0] for c in platform.calls] == [H_VASI_STATE] * 2
        assert platform.connections == 1
        # In a reset: there is no knowing any more
        platform.cut = True
        driver.free()
        platform.wait_connected(2)
        assert driver.register() in (SUCCESS, CLOSED)
        until("it works again", lambda: driver.send(INITIALIZE) == SUCCESS)
        assert driver.get() in (INITIALIZE, COMPLETE)


# ---- Platforms that are wrong ----

@suite.test("a platform's wrong messages end the link, not QEMU")
def _():
    wrong = [
        (99, b""), (1, bytes(40)), (vsp.CRQ, bytes(15)), (vsp.DMA_READ, bytes(16)),
        (vsp.MAP, struct.pack(">IIIIQQ", 1, 0, 4096, 0, 0, 0)),
        (vsp.WINDOW, struct.pack(">IIQ", 1, 0, 4096)),
        (vsp.HRET, bytes(40)), (vsp.WELCOME, bytes(64)), (vsp.EVENT, bytes(9)),
    ]
    with scripted() as (platform, machine, driver):
        for number, (kind, body) in enumerate(wrong, 2):
            platform.raw(kind, body)
            assert driver.get() == entry(1, header=0xFF), kind
            platform.wait_connected(number)
            assert driver.get() == INITIALIZE, kind
            driver.handshake()
        # The second pane is the platform's own
        platform.raw(vsp.DMA_READ, struct.pack(">4I", 2, 0, 16, 0), tag=77)
        answer = threading.Event()
        platform.answers_to_dma[77] = type("Q", (), {
            "put": lambda self, body: answer.set() if body[3] == 22 else None})()
        assert answer.wait(pseries.PATIENCE_S)
        machine.qmp("query-status")


sys.exit(suite.main())
