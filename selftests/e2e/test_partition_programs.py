#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs that run in a partition while it moves: they notice what they are for."""

import contextlib
import os
import re
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import lpm  # noqa: E402
import tap  # noqa: E402
from echoclient import EchoClients, EchoError  # noqa: E402
from kvclient import KvClient, KvError  # noqa: E402

suite = tap.Suite()
TICK = re.compile(r"^tick (\d+) (\d+\.\d+) (\d+\.\d+)$")
MIB = 1 << 20
PAGE = 4096


class Program:
    """One of them, and its lines."""

    def __init__(self, name, *words):
        self.lines = []
        self.process = subprocess.Popen(
            [os.path.join(lpm.BUILD, "inside", name), *map(str, words)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def line(self):
        line = self.process.stdout.readline()
        assert line, "it has ended: %r" % self.lines[-5:]
        self.lines.append(line.rstrip("\n"))
        return self.lines[-1]

    def wait(self, pattern):
        """Its next line that has a pattern."""
        while True:
            found = re.search(pattern, self.line())
            if found:
                return found

    def end(self):
        """Tell it to end; its status, and what it said then."""
        self.process.send_signal(signal.SIGTERM)
        rest = self.process.stdout.read().splitlines()
        self.lines += rest
        return self.process.wait(), rest


# ---- ticker ----

@suite.test("ticker: numbers have no gaps, and times show when it did not run")
def _():
    with Program("ticker", 10) as ticker:
        ticker.wait("^tick 20 ")
        ticker.process.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        lpm.until("half a second is over", lambda: time.monotonic() - stopped > 0.5)
        ticker.process.send_signal(signal.SIGCONT)
        # What it said before is still to be read
        ticker.wait("^tick 60 ")
        status, _ = ticker.end()
        assert status == 0
        ticks = [TICK.match(line) for line in ticker.lines]
        assert all(ticks), ticker.lines
        assert [int(t.group(1)) for t in ticks] == list(range(len(ticks)))
        for column in (2, 3):
            times = [float(t.group(column)) for t in ticks]
            gaps = [b - a for a, b in zip(times, times[1:])]
            assert min(gaps) > 0 and max(gaps) > 0.45, (min(gaps), max(gaps))
            # What was missed is not made up for
            assert sorted(gaps)[len(gaps) // 10] > 0.002, sorted(gaps)


# ---- checker ----

class Memory:
    """The checker's memory, from outside."""

    def __init__(self, program, start):
        self.pid, self.start = program.process.pid, start

    def transfer(self, page, data=None):
        with open("/proc/%d/mem" % self.pid, "r+b", buffering=0) as file:
            file.seek(self.start + page * PAGE)
            return file.write(data) if data else file.read(PAGE)


@contextlib.contextmanager
def checker(size=16 * MIB, rate=2 * MIB, seed=5):
    """A checker that has begun, and its memory."""
    with Program("checker", size, rate, seed) as program:
        start = program.wait("^check filled %d pages at 0x([0-9a-f]+)$" % (size // PAGE))
        program.wait("^check [0-9]+ ok$")
        yield program, Memory(program, int(start.group(1), 16))


@suite.test("checker: verifies all its memory at the end")
def _():
    with checker(rate=4 * MIB) as (program, _):
        program.wait("^check [0-9]+ ok$")
        status, rest = program.end()
        assert status == 0
        count = int(re.match("^check end ([0-9]+) ok$", rest[-1]).group(1))
        counts = [int(word) for word in re.findall(
            r"^check (\d+) ok$", "\n".join(program.lines), re.M)]
        assert counts == sorted(set(counts))
        # What it wrote in two seconds, and everything once more
        assert 4096 + 1024 < count < 4096 + 8192, count


@suite.test("checker: as fast as it can")
def _():
    with checker(size=MIB, rate=0) as (program, _):
        status, rest = program.end()
        assert status == 0 and int(rest[-1].split()[2]) > 4096, rest


def broken(harm, pages):
    """A checker whose memory is harmed, while it is stopped, finds just that."""
    with checker(rate=0) as (program, memory):
        program.process.send_signal(signal.SIGSTOP)
        harm(program, memory)
        program.process.send_signal(signal.SIGCONT)
        found = {int(program.wait(r"FAIL: check: CORRUPT at page (\d+) ").group(1))
                 for _ in pages}
        assert found == set(pages), (found, pages)
        program.wait(r"^check \d+ bad %d$" % len(pages))
        status, rest = program.end()
        assert status == 1
        assert re.match(r"^check end \d+ bad %d$" % len(pages), rest[-1]), rest


@suite.test("checker: one wrong bit anywhere in a page is seen")
def _():
    def flip(_, memory):
        for page, place in ((0, 0), (17, 2047), (4095, PAGE - 1)):
            data = bytearray(memory.transfer(page))
            data[place] ^= 0x10
            memory.transfer(page, bytes(data))

    broken(flip, [0, 17, 4095])


@suite.test("checker: a page of another place is seen, and a lost one")
def _():
    def swap(_, memory):
        one, other = memory.transfer(100), memory.transfer(200)
        memory.transfer(100, other)
        memory.transfer(200, one)
        memory.transfer(300, bytes(PAGE))

    broken(swap, [100, 200, 300])


@suite.test("checker: a page as it was before, or half of it, is seen")
def _():
    def turn_back(program, memory):
        # Of the hot ones, which change all the time
        old = {page: memory.transfer(page) for page in (1, 2)}
        program.process.send_signal(signal.SIGCONT)
        lpm.until("they change", lambda: all(
            memory.transfer(page)[:8] != data[:8] and
            memory.transfer(page)[-8:] != data[-8:] for page, data in old.items()))
        program.process.send_signal(signal.SIGSTOP)
        lpm.until("it has stopped", lambda: state(program) == "T")
        memory.transfer(1, old[1])
        memory.transfer(2, memory.transfer(2)[:PAGE // 2] + old[2][PAGE // 2:])

    broken(turn_back, [1, 2])


def state(program):
    with open("/proc/%d/stat" % program.process.pid, encoding="ascii") as file:
        return file.read().rpartition(")")[2].split()[0]


# ---- echod ----

def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def echod():
    port = free_port()
    with Program("echod", port) as program:
        program.wait("^echo: listens on %d$" % port)
        yield program, ("127.0.0.1", port)


@suite.test("echod: many connections, which only their clients close")
def _():
    with echod() as (program, address):
        with EchoClients(address, 40) as clients:
            clients.start(0.001)
            lpm.until("messages come back", lambda: clients.count > 1000)
            clients.stop()
            assert not [line for line in program.lines if "closed" in line]
        for _ in range(40):
            program.wait("^echo: [0-9]+ closed$")
        # More than fits anywhere, before anything is read
        with socket.create_connection(address) as one:
            data = os.urandom(8 * MIB)
            writer = threading.Thread(target=one.sendall, args=(data,), daemon=True)
            writer.start()
            got = b"".join(iter_blocks(one, len(data)))
            writer.join()
            assert got == data
        program.wait("^echo: 41 closed$")
        assert not [line for line in program.lines if "FAIL" in line]


def iter_blocks(connection, size):
    while size:
        block = connection.recv(min(size, 65536))
        assert block
        size -= len(block)
        yield block


@suite.test("echod: a connection that breaks is told, and the others go on")
def _():
    with echod() as (program, address):
        with EchoClients(address, 2) as clients:
            program.wait("^echo: 2 open$")
            reset(clients.sockets[0])
            program.wait("^FAIL: echo: 1: Connection reset by peer$")
            clients.exchange(1, 7)
        program.wait("^echo: 2 closed$")


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


# ---- Clients, of services that go wrong ----

class Service(socketserver.ThreadingTCPServer):
    """Calls a function with each connection's file for reading, and for writing."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, function):
        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                with contextlib.suppress(OSError):
                    function(self.rfile, self.wfile)

        super().__init__(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,),
                                       daemon=True)
        self.thread.start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


@suite.test("the client of echod notices a wrong byte, and a closed connection")
def _():
    def wrong(rfile, wfile):
        for number in range(20):
            data = rfile.read(50)
            wfile.write(data if number < 10 else data[:-1] + b"?")

    def closing(rfile, wfile):
        wfile.write(rfile.read(50))

    for function, text in ((wrong, "came back for"), (closing, "closed")):
        with Service(function) as service, \
                EchoClients(service.server_address, 1, 50) as clients:
            clients.start(0.001)
            lpm.until("an error", lambda c=clients: c.errors)
            try:
                clients.stop()
                raise AssertionError("it did not notice")
            except EchoError as error:
                assert text in str(error), error


class Store:
    """As much of memcached as its clients use.  @fault: (key, data) -> data or None."""

    def __init__(self, fault=None):
        self.values = {}
        self.fault = fault or (lambda key, data, old: data)

    def __call__(self, rfile, wfile):
        while True:
            words = rfile.readline().split()
            if not words:
                return
            if words[0] == b"set":
                data = rfile.read(int(words[4]) + 2)[:-2]
                kept = self.fault(words[1], data, self.values.get(words[1]))
                if kept is not None:
                    self.values[words[1]] = kept
                wfile.write(b"STORED\r\n")
            elif words[1] in self.values:
                data = self.values[words[1]]
                wfile.write(b"VALUE %s 0 %d\r\n%s\r\nEND\r\n"
                            % (words[1], len(data), data))
            else:
                wfile.write(b"END\r\n")


def lost(_key, _data, _old):
    return None


def stale(_key, data, old):
    return old or data


def changed(_key, data, _old):
    return data[:-1] + b"?"


@suite.test("the client of the key-value server reads back what it wrote")
def _():
    with Service(Store()) as service, KvClient(service.server_address) as client:
        client.start(1000)
        lpm.until("writes are acknowledged", lambda: client.count > 500)
        client.stop()
        assert client.verify() == len(client.acknowledged) > 100


@suite.test("and notices what was lost, is stale, is another, and the end")
def _():
    for fault in (lost, stale, changed):
        with Service(Store(fault)) as service, \
                KvClient(service.server_address, keys=4) as client:
            client.start(1000)
            lpm.until("an error", lambda c=client: c.error)
            try:
                client.stop()
                raise AssertionError("it did not notice: %s" % fault)
            except KvError as error:
                assert "get" in str(error), error
    with Service(lambda rfile, wfile: rfile.readline()) as service, \
            KvClient(service.server_address) as client:
        client.start()
        lpm.until("an error", lambda: client.error)
    # What went wrong after the last reading is found in the end
    store = Store()
    with Service(store) as service, KvClient(service.server_address) as client:
        for key in range(10):
            client.write(key)
        store.values[client.name(7)] = client.value(7, 2)
        try:
            client.verify()
            raise AssertionError("it did not notice")
        except KvError as error:
            assert str(error).startswith("get 7: "), error


@suite.test("kvcheck reads back what it wrote, and once more at the end")
def _():
    store = Store()
    with Service(store) as service, \
            Program("kvcheck", service.server_address[1], 500) as program:
        program.wait("^kv: [0-9]+ ok$")
        status, rest = program.end()
        assert status == 0 and re.match("^kv: end [0-9]+ ok$", rest[-1]), rest
        assert int(rest[-1].split()[2]) >= len(store.values) > 10


@suite.test("and notices what was lost, is stale, is another, and the end, too")
def _():
    for fault, text in ((lost, "get key [0-9]+: END"), (stale, "(get|hearing) key"),
                        (changed, "get key [0-9]+: another value")):
        with Service(Store(fault)) as service, \
                Program("kvcheck", service.server_address[1], 0) as program:
            program.wait("^FAIL: kv: " + text)
            assert program.process.wait() == 1
    with Service(lambda rfile, wfile: rfile.readline()) as service, \
            Program("kvcheck", service.server_address[1], 0) as program:
        program.wait("^FAIL: kv: (hearing|telling) key [0-9]+: ")
        assert program.process.wait() == 1
    with Program("kvcheck", "nonsense") as program:
        program.wait("^FAIL: .*kvcheck: not a number: nonsense$")
        assert program.process.wait() == 2


lpm.main(suite)
