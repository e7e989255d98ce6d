#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad input gets a clear answer, and loses nothing."""

import ctypes
import fcntl
import json
import os
import random
import re
import signal
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import inventory  # noqa: E402
import lpm  # noqa: E402
import relay as relays  # noqa: E402
import secure  # noqa: E402
import tap  # noqa: E402
from console import unchanged  # noqa: E402

MIB = lpm.MIB
suite = tap.Suite()

# Documentation/vio-link.rst
VIO_HEADER = struct.Struct(">BBHIII")
VIO_HELLO = struct.Struct(">QHHHHII16s")
VIO_MAGIC = 0x5641534956494F4C
(T_HELLO, T_WELCOME, T_REFUSED, T_CRQ, T_HCALL, T_HRET, T_DMA_READ, T_DMA_DATA,
 T_DMA_WRITE, T_DMA_DONE, T_WINDOW, T_MAP, T_UNWINDOW, T_RESET,
 T_EVENT, T_MEMORY, T_TABLE) = range(1, 18)
CRQ, HCALL = 1, 2

PR_SET_DUMPABLE = 4

MOVER_MAGIC = b"VASIMOVR"
MOVER_STATE = 11


def still_moves(lab, **options):
    move = lab.move(memory=2 * MIB, program=lpm.program(0.1), **options).run()
    move.check_moved()
    move.check_equal()


# The management sockets

def ask(path, data):
    """Raw bytes to a management socket; returns the answers, parsed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(lpm.PATIENCE_S)
        sock.connect(path)
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass        # it has said what it had to say, and closed
        answers = b""
        try:
            while True:
                block = sock.recv(65536)
                if not block:
                    break
                answers += block
        except ConnectionResetError:
            pass
    return [json.loads(line) for line in answers.split(b"\n") if line]


@suite.test("malformed JSON")
def _():
    request = {"jsonrpc": "2.0", "id": 1, "method": "system.info",
               "params": {}}
    good = json.dumps(request).encode()
    cases = (
        (b"{", lpm.PARSE_ERROR),
        (b"not json", lpm.PARSE_ERROR),
        (good[:-1], lpm.PARSE_ERROR),
        (good + b"garbage", lpm.PARSE_ERROR),
        (b"\xff\xfe\x00\x01", lpm.PARSE_ERROR),
        (b'{"jsonrpc": "2.0", "id": 1, "id": 2}', None),
        (b"[" * 5000 + b"]" * 5000, None),
        (b'{"a":' * 40 + b"1" + b"}" * 40, None),
        (b"[]", lpm.INVALID_REQUEST),
        (b"1", None),
        (b"{}", lpm.INVALID_REQUEST),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "info"}',
         lpm.INVALID_REQUEST),
        (b'{"jsonrpc": "2.0", "id": 1, "method": 7}', lpm.INVALID_REQUEST),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "info", "params": 7}', None),
    )
    with lpm.Lab() as lab:
        for path in (lab.a.phyp_path, lab.a.msp_path):
            for data, code in cases:
                answers = ask(path, data + b"\n")
                assert len(answers) == 1, (data[:60], answers)
                error = answers[0].get("error")
                assert error and error["message"], (data[:60], answers)
                assert code is None or error["code"] == code, (data[:60],
                                                               answers)
        still_moves(lab)


@suite.test("oversized, unfinished and many requests")
def _():
    with lpm.Lab() as lab:
        for path, method in ((lab.a.phyp_path, b"system.info"),
                             (lab.a.msp_path, b"info")):
            line = b'{"jsonrpc":"2.0","id":1,"method":"%s"}' % method
            answers = ask(path, b'{"a": "' + b"x" * 70000 + b'"}\n')
            assert answers and "error" in answers[0], answers
            ask(path, b"x" * (1 << 20))
            # Half a line and gone
            ask(path, line[:20])
            # Longer than others, but within the limit
            padded = line[:-1] + b" " * 60000 + b"}\n"
            answers = ask(path, padded)
            assert "result" in answers[0], answers
            answers = ask(path, (line + b"\n") * 50)
            assert len(answers) == 50, len(answers)
        # Connections that say nothing stop nobody
        idle = []
        for _ in range(40):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.connect(lab.a.phyp_path)
            idle.append(sock)
        lab.a.phyp("system.info")
        for sock in idle:
            sock.close()
        still_moves(lab)


STRINGS = ["", "$(reboot);`id`|a&b>c<d*?'\"%n", "../../etc/passwd", "a\nb",
           "\x1b[31mred", "\u009b31mred", "x" * 60000]
DEEP = 1
for _ in range(25):
    DEEP = [DEEP]
# What a parameter of a type cannot be
WRONG = {
    str: STRINGS + [-1, 1.5, True, None, [], {}, DEEP],
    int: [-1, 1.5, 1e30, True, None, [], {}, DEEP, "1", "x"],
    bool: [0, "yes", None, [], {}, DEEP],
    dict: ["x", 1, True, None, [], DEEP, {"colour": 1}],
}
PROGRAM = {"seed": 1, "steps": 1, "processors": 1, "rate": 1, "write_bytes": 8}


def requests(lab, move):
    """Every method with parameters of the right types, by path of the socket."""
    moving = {"stream_id": move.stream_id}
    huge = {"name": "new", "lpar_id": 77, "memory": 1 << 62, "granule": 4096,
            "content": {"type": "seed", "seed": 1}, "program": PROGRAM}
    busy = {"name": "busy"}
    platform = {
        "system.info": {}, "partition.list": {}, "stream.list": {},
        "device.event": {"device": "msp9", "event": 1},
        "partition.create": huge, "partition.reserve": huge,
        "partition.suspend": busy, "partition.resume": busy,
        "partition.tell": dict(busy, phase="check", stream_id=move.stream_id,
                               timeout_ms=1),
        "partition.activate": busy, "partition.shutdown": busy,
        "partition.remove": busy, "partition.show": busy,
        "partition.describe": busy, "partition.digest": busy,
        "partition.wait": dict(busy, state="moved", timeout_ms=1),
        "partition.compare": {"name": "still", "file": "/nowhere"},
        "stream.create": {
            "stream_id": lab.next_id(), "role": "source", "partition": "still",
            "device": "msp0", "peer_stream_major": 1, "peer_stream_minor": 0,
            "all_pages_before_resume": False, "max_op_bytes": 65536,
            "park_timeout_ms": 0, "debug": {"hold_suspend": False}},
        "partition.dirty": {"name": "still", "interval_ms": 1, "samples": 1,
                            "cells": 1},
        "system.inventory": {}, "partition.config": busy,
        "partition.configure": dict(busy, config={}),
        "partition.history": busy,
        "partition.note": dict(busy, stream_id=move.stream_id, bytes=1,
                               blackout_ms=1, total_ms=1),
        "partition.stay": dict(busy, stream_id=move.stream_id),
        "partition.arrived": dict(busy, stream_id=move.stream_id),
        "vios.detach": {"vios": "vios-A", "slot_num": 11},
        "vios.change": {"name": "vios-A", "msp": False},
        "vios.settle": moving,
        "stream.show": moving, "stream.cancel": moving, "stream.end": moving,
        "stream.verdict": moving, "stream.release": moving,
        "stream.recover": dict(moving, verdict="never", received=False),
    }
    mover = {
        "info": {}, "list": {}, "status": moving, "suspend": moving,
        "stop": moving, "limit": dict(moving, bytes_per_second=1),
        "wait": dict(moving, phase="ended", timeout_ms=1),
        "check_peer": {"certificate": "x"},
        "start": {"stream_id": lab.next_id(), "role": "source",
                  "peer": "127.0.0.1:9", "peer_identity": lab.b.identity,
                  "device": "/nowhere", "sessions": 1, "connections": 1,
                  "limit": 0, "suspend": {"downtime_ms": 1}},
    }
    return {lab.a.phyp_path: platform, lab.a.msp_path: mover}


def spoiled(params):
    """These parameters with one of them wrong: its name, its value, all of them."""
    for name, good in params.items():
        # Any type would do, and is checked by hand
        kind = dict if name == "suspend" else type(good)
        for bad in WRONG[kind]:
            yield name, bad, dict(params, **{name: bad})
        if isinstance(good, dict):
            for inner, bad, wrong in spoiled(good):
                yield inner, bad, dict(params, **{name: wrong})
    for bad in STRINGS[1:4]:
        yield bad, bad, dict(params, **{bad: 1})


def line(method, params):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                       "params": params}).encode() + b"\n"


def refusal(path, method, data, *words):
    """One error, which names one of @words."""
    answers = ask(path, data)
    assert len(answers) == 1 and "error" in answers[0], (method, data[:200],
                                                         answers)
    message = answers[0]["error"]["message"]
    assert 0 < len(message) < 512, (method, message)
    assert any(str(word)[:20] in message for word in words), (
        method, [str(w)[:40] for w in words], message)


@suite.test("every method refuses parameters that are wrong, and changes nothing")
def _():
    # So that what only a test may ask for is looked at too
    with lpm.Lab(phyp=["--fault-injection"],
                 systems=inventory.pair([])) as lab:
        for name, activate in (("busy", True), ("still", False)):
            lab.a.phyp("partition.create", name=name, memory=MIB,
                       program=lpm.program(600, MIB))
            if activate:
                lab.a.phyp("partition.activate", name=name)
        move = lab.move(memory=2 * MIB, program=lpm.program(600, MIB),
                        source={"limit": 1000, "suspend": "manual"}).start()
        move.src.msp("wait", stream_id=move.stream_id, phase="moving",
                     timeout_ms=lpm.PATIENCE_S * 1000)
        documented = ["start"]          # both of its roles are in one row
        for page in ("management", "managed-system"):
            with open(os.path.join(lpm.TOP, "Documentation", page + ".rst"),
                      encoding="utf-8") as file:
                documented += re.findall(r"^``([a-z]+(?:[._][a-z]+)?)`` +\{",
                                         file.read(), re.M)
        tables = requests(lab, move)
        known = [m for table in tables.values() for m in table]
        # Of these any name is right: of a partition that is still to come, or of a peer
        known += ["partition.check", "partition.depart", "vios.attach"]
        assert sorted(known) == sorted(documented), set(known) ^ set(documented)
        before = unchanged(lab)
        for path, table in tables.items():
            for method, params in table.items():
                for name, bad, wrong in spoiled(params):
                    refusal(path, method, line(method, wrong), name, bad)
                refusal(path, method, line(method, []), "params must be")
                refusal(path, method, line(method, "x"), "params must be")
                for raw, word in ((b"\xff\xfe", "UTF-8"), (b"\0", "not JSON"),
                                  (b"[" * 40, "40"), (b"x" * MIB, "65536")):
                    data = line(method, {}).replace(b"{}", b'{"a": "%s"}' % raw)
                    if raw.startswith(b"["):
                        data = line(method, {}).replace(b"{}", raw)
                    refusal(path, method, data, word, "decode", "levels")
        for bad in STRINGS + ["/nowhere", "/tmp", "/dev/zero"]:
            refusal(lab.a.phyp_path, "partition.create", line(
                "partition.create", {"name": "new", "memory": MIB, "content": {
                    "type": "file", "path": bad}}), "content.path")
        assert unchanged(lab) == before
        move.src.msp("stop", stream_id=move.stream_id)
        move.wait("aborted", "failed")
        still_moves(lab)


# The movers' network protocol

def frame(kind, body=b"", flags=0, session=0, offset=0, argument=0,
          length=None):
    return relays.FRAME.pack(kind, flags, session,
                             len(body) if length is None else length,
                             offset, argument) + body


def hello(stream_id, magic=MOVER_MAGIC, major=2, security=1):
    body = struct.pack(">8sHHIQQHHI", magic, major, 0, security, 0,
                       int(stream_id, 16), 1, 1, MIB)
    return frame(relays.HELLO, body.ljust(64, b"\0"))


def poke(move, data, close=True):
    """Send @data to the target mover, as who has the source mover's key; returns
    the first frame of its answer, if any."""
    sock = secure.connect(move.port, move.src.tls_dir, lpm.PATIENCE_S)
    try:
        sock.sendall(data)
        if close:
            sock.shutdown(socket.SHUT_WR)
        header = relays.read_exactly(sock, relays.FRAME.size)
        if header is None:
            return None
        fields = relays.FRAME.unpack(header)
        return fields[0], bytes(relays.read_exactly(sock, fields[3]) or b"")
    except TimeoutError:
        raise
    except OSError:
        return None     # it was closed while we spoke
    finally:
        sock.close()


@suite.test("truncated, oversized and foreign frames before the move")
def _():
    noise = random.Random(1)
    with lpm.Lab() as lab:
        move = lab.move(memory=2 * MIB, program=lpm.program(0.5))
        move.create().create_streams().start_target()
        strange = [
            b"",
            b"\0",
            b"GET / HTTP/1.0\r\n\r\n" + b"\0" * 100,
            noise.randbytes(4096),
            frame(relays.HELLO)[:10],
            frame(relays.HELLO, b"\0" * 64),
            frame(relays.HELLO, b"\0" * 63),
            frame(relays.HELLO, length=0xFFFFFFFF),
            frame(relays.HELLO, b"\0" * 64, flags=1),
            hello(move.stream_id, magic=b"VASIMOVE"),
            hello("%016x" % 0xDEAD),
            hello(move.stream_id, security=0),
            hello(move.stream_id, security=3),
            hello(move.stream_id)[:60],
            frame(relays.ATTACH, b"\0" * 16),
            frame(relays.ATTACH, noise.randbytes(16), argument=99),
            frame(relays.DATA, b"\0" * 100),
            # Aborted; ended for a fault; a stranger may say neither
            frame(MOVER_STATE, argument=2 << 32),
            frame(relays.BYE, b"no", argument=1),
            frame(relays.PING, argument=1),
            frame(200, b""),
        ]
        for data in strange:
            answer = poke(move, data)
            assert answer is None or answer[0] in (relays.REFUSE,
                                                   relays.BYE), (data[:40],
                                                                 answer)
        answer = poke(move, hello(move.stream_id, major=9), close=False)
        assert answer and answer[0] == relays.REFUSE, answer
        assert b"9" in answer[1], answer
        # None of them was the source mover: it can still come
        move.start_source()
        move.wait()
        move.finish()
        move.check_moved()
        move.check_equal()


class Breaker:
    """Changes one DATA frame's header once enough has passed."""

    def __init__(self, change):
        self.change = change
        self.count = 0
        self.done = False

    def __call__(self, fields, header):
        if fields[0] != relays.DATA or self.done:
            return
        self.count += 1
        if self.count >= 3:
            self.done = True
            self.change(header)


def _broken(change):
    with lpm.Lab() as lab:
        move = lab.move(memory=8 * MIB, program=lpm.program(1, 10 * MIB),
                        relay={"on_header": Breaker(change)},
                        source={"suspend": "manual"})
        move.start()
        source, target = move.wait("failed", "aborted", "parked")
        assert target["error"], target
        lpm.until("it stays at the source", lambda: move.runs_on() == ["A"])
        move.finish(lab.a)
        move.check_equal(lab.a)
        still_moves(lab)


for _name, _format, _at, _value in (
        ("reserved flags", ">B", 1, 1),
        ("a session out of range", ">H", 2, 999),
        ("an oversized length", ">I", 4, 0x7FFFFFFF),
        ("an offset beyond the credit", ">Q", 8, 1 << 50),
        ("an unknown type", ">B", 0, 99)):
    suite.test("a DATA frame with " + _name,
               lambda f=_format, a=_at, v=_value: _broken(
                   lambda header: struct.pack_into(f, header, a, v)))


@suite.test("a source platform's stream that is damaged")
def _():
    def damage(fields, header, body):
        if fields[0] == relays.DATA and fields[4] == 0:
            body[relays.RECORD.size] ^= 0xFF    # START's magic

    with lpm.Lab() as lab:
        move = lab.move(memory=8 * MIB, program=lpm.program(1, 10 * MIB),
                        relay={"on_body": damage},
                        source={"sessions": 1, "suspend": "manual"},
                        target={"sessions": 1})
        move.start()
        move.wait("failed", "aborted")
        lpm.until("it stays at the source", lambda: move.runs_on() == ["A"])
        move.finish(lab.a)
        move.check_equal(lab.a)


# Peers that say nothing

for _side in "AB":
    def _stopped(side=_side):
        with lpm.Lab(msp=["--peer-timeout", "1"]) as lab:
            move = lab.move(memory=8 * MIB, source={"suspend": "manual"},
                            program=lpm.program(2, 10 * MIB)).start()
            lpm.until("bytes move", lambda: move.src.stream(
                move.stream_id)["bytes"] > 0)
            frozen = lab.a if side == "A" else lab.b
            other = lab.b if side == "A" else lab.a
            frozen.mspd.signal(signal.SIGSTOP)
            try:
                status = other.msp("wait", stream_id=move.stream_id,
                                   phase="ended",
                                   timeout_ms=lpm.PATIENCE_S * 1000)
                assert status["phase"] in ("failed", "aborted", "parked"), \
                    status
                assert status["error"], status
            finally:
                frozen.mspd.signal(signal.SIGCONT)
            move.wait("failed", "aborted", "parked")
            lpm.until("it stays at the source",
                      lambda: move.runs_on() == ["A"])
            move.finish(lab.a)
            move.check_equal(lab.a)
    suite.test("a %s mover that is stopped (SIGSTOP)"
               % ("source" if _side == "A" else "target"), _stopped)


# The VIO link

class Link:
    """A client of a VIO link that says what it likes."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(lpm.PATIENCE_S)
        self.socket.connect(path)

    def raw(self, data, fds=()):
        socket.send_fds(self.socket, [data], list(fds))

    def send(self, kind, body=b"", flags=0, count=0, tag=1, length=None,
             reserved=0, fds=()):
        self.raw(VIO_HEADER.pack(kind, flags, count, tag,
                                 len(body) if length is None else length,
                                 reserved) + body, fds)

    def hello(self, channel=CRQ, magic=VIO_MAGIC, major=1, entries=256,
              token=bytes(16), fds=(), minor=0):
        self.send(T_HELLO, VIO_HELLO.pack(magic, major, minor, channel, 0,
                                          entries, 0, token), fds=fds)

    def receive(self):
        """(type, body) or None when the server has closed."""
        try:
            data, fds, _, _ = socket.recv_fds(self.socket, 1 << 17, 4)
        except ConnectionResetError:
            return None
        for fd in fds:
            os.close(fd)
        if not data:
            return None
        return data[0], data[VIO_HEADER.size:]

    def expect_refused(self):
        """REFUSED with a reason, then the end."""
        while True:
            answer = self.receive()
            assert answer, "closed without a reason"
            if answer[0] == T_REFUSED:
                break
            assert answer[0] in (T_WELCOME, T_CRQ, T_EVENT), answer
        text = answer[1][4:].decode()
        assert text, "refused without a reason"
        assert self.receive() is None, "still open after REFUSED"
        self.socket.close()
        return text


def pane(size=1 << 20, seals=fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW):
    fd = os.memfd_create("pane", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    os.ftruncate(fd, size)
    if seals:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


def spare_device():
    """A lab whose platforms have a device that no mover uses."""
    return lpm.Lab(phyp=["--device", "spare={dir}/spare"])


@suite.test("a VIO link that talks garbage")
def _():
    noise = random.Random(2)
    with spare_device() as lab:
        path = lab.a.phyp_dir + "/spare"

        def broken(*steps):
            link = Link(path)
            for step in steps:
                step(link)
            return link.expect_refused()

        def welcome(link):
            fd = pane()
            link.hello(fds=[fd])
            os.close(fd)
            answer = link.receive()
            assert answer and answer[0] == T_WELCOME, answer

        broken(lambda l: l.raw(b"\1"))
        broken(lambda l: l.raw(noise.randbytes(100)))
        broken(lambda l: l.raw(noise.randbytes(60000)))
        broken(lambda l: l.send(T_CRQ, bytes(16), count=1))
        broken(lambda l: l.hello(magic=1))
        broken(lambda l: l.hello(major=9))
        broken(lambda l: l.hello(channel=7))
        broken(lambda l: l.hello(channel=HCALL, token=b"x" * 16))
        broken(lambda l: l.send(T_HELLO, bytes(39)))
        broken(lambda l: l.send(T_HELLO, bytes(40), length=41))
        for bad in (
                lambda l: l.send(99),
                lambda l: l.send(T_CRQ, bytes(16), flags=1, count=1),
                lambda l: l.send(T_CRQ, bytes(16), count=1, reserved=1),
                lambda l: l.send(T_CRQ, bytes(16), count=2),
                lambda l: l.send(T_CRQ, bytes(16 * 65), count=65),
                lambda l: l.send(T_CRQ),
                lambda l: l.send(T_CRQ, bytes(15), count=1),
                lambda l: l.send(T_HCALL, bytes(72)),
                lambda l: l.send(T_DMA_DATA, bytes(8)),
                lambda l: l.send(T_WELCOME, bytes(64)),
                lambda l: l.send(T_RESET, bytes(1)),
                lambda l: l.hello()):
            broken(welcome, bad)
        # A link that just ends, at any point
        for steps in ((), (welcome,)):
            link = Link(path)
            for step in steps:
                step(link)
            link.socket.close()
        # Garbage inside well-formed entries is the platform's to answer
        link = Link(path)
        welcome(link)
        for _ in range(200):
            link.send(T_CRQ, b"\x80" + noise.randbytes(15), count=1)
        link.socket.close()
        still_moves(lab)


@suite.test("a first pane that could shrink is refused")
def _():
    with spare_device() as lab:
        path = lab.a.phyp_dir + "/spare"
        for seals in (0, fcntl.F_SEAL_SHRINK, fcntl.F_SEAL_GROW):
            fd = pane(seals=seals)
            link = Link(path)
            link.hello(fds=[fd])
            text = link.expect_refused()
            assert "seal" in text.lower(), text
            os.close(fd)
        # Nor is anything else taken for a pane
        with open(lab.file("plain", bytes(8192)), "rb") as file:
            link = Link(path)
            link.hello(fds=[file.fileno()])
            link.expect_refused()
        for size in (0, 4095):
            fd = pane(size=size)
            link = Link(path)
            link.hello(fds=[fd])
            link.expect_refused()
            os.close(fd)
        still_moves(lab)


@suite.test("memory and tables that are not what they should be are refused")
def _():
    def offer(kind, size, seals, said=None):
        """MEMORY, or TABLE of as many entries as there is room for."""
        def send(link):
            fd = pane(size, seals)
            body = struct.pack(">QQ", said or size, 0) if kind == T_MEMORY else \
                struct.pack(">IIQ", said or size // 8, 0, 0)
            link.send(kind, body, tag=0, fds=[fd])
            os.close(fd)
        return send

    sealed = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
    memory = offer(T_MEMORY, MIB, sealed)
    table = offer(T_TABLE, 4096, sealed)
    with spare_device() as lab:
        path = lab.a.phyp_dir + "/spare"
        for minor, fds, steps in (
                (0, False, [memory]),
                (1, True, [memory]),
                (1, False, [table]),
                (1, False, [memory, memory]),
                (1, False, [memory, table, table]),
                (1, False, [offer(T_MEMORY, MIB, 0)]),
                (1, False, [offer(T_MEMORY, MIB, fcntl.F_SEAL_GROW)]),
                (1, False, [offer(T_MEMORY, MIB, sealed, 2 * MIB)]),
                (1, False, [memory, offer(T_TABLE, 4096, 0)]),
                (1, False, [memory, offer(T_TABLE, 4096, sealed, 513)]),
                (1, False, [memory, lambda l: l.send(T_TABLE, bytes(16), tag=0)])):
            link = Link(path)
            fd = pane()
            link.hello(minor=minor, fds=[fd] if fds else [])
            os.close(fd)
            for step in steps:
                step(link)
            link.expect_refused()
        # And what is right is taken, up to the last message
        link = Link(path)
        link.hello(minor=1)
        memory(link)
        table(link)
        link.send(T_CRQ, b"\xc0\1" + bytes(14), count=1)
        kinds = [link.receive()[0], link.receive()[0]]
        assert kinds == [T_WELCOME, T_CRQ], kinds
        link.socket.close()
        still_moves(lab)


@suite.test("a device has one mover")
def _():
    with lpm.Lab() as lab:
        fd = pane()
        link = Link(lab.a.device_path)
        link.hello(fds=[fd])
        os.close(fd)
        link.expect_refused()
        still_moves(lab)


@suite.test("a mover cannot write the partition's memory")
def _():
    with lpm.Lab(links=True) as lab:
        if not lab.root:
            raise tap.Skip("needs root for users of their own")
        windows = lab.a.link_relay.keep(T_WINDOW)
        move = lab.move(memory=8 * MIB).run()
        assert windows, "no window into the partition's memory"
        for window in windows:
            assert fcntl.fcntl(window, fcntl.F_GETFL) & os.O_ACCMODE == \
                os.O_RDONLY
            assert not writable_by(lpm.USERS["msp-A"], window)
        move.check_moved()
        move.check_equal()


def writable_by(user, descriptor):
    """Can a process of @user reopen what @descriptor shows for writing?"""
    path = "/proc/self/fd/%d" % descriptor
    child = os.fork()
    if not child:
        status = 2
        try:
            os.setgroups([])
            os.setgid(lpm.GROUP)
            os.setuid(user)
            # As a process that was started under this user is
            ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
            # The way itself is open: what is the user's own can be reopened
            os.open("/proc/self/fd/%d" % os.memfd_create("own"), os.O_RDWR)
            status = 3
            os.open(path, os.O_RDWR)
            status = 1
        except PermissionError:
            if status == 3:
                status = 0
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 1), "the child could not try: %d" % status
    return status == 1


lpm.main(suite)
