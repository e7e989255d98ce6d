#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The switch for guests that move, with ports that are sockets of this program."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import lpm  # noqa: E402
import tap  # noqa: E402
import usage  # noqa: E402
from vswitch import (  # noqa: E402
    EVERYBODY, LENGTH, MAX_FRAME, MIN_FRAME, PORTS, Port, Switch, frame, mac)

suite = tap.Suite()
A, B, C = mac(1), mac(2), mac(3)
QUEUE, FLOOD = 2 << 20, 256 << 10
# Of the kernel's, for what a port does not read
SOCKET = 1 << 20


def hello(switch, *macs):
    """A port for each address; everybody has heard everybody."""
    ports = [switch.port() for _ in macs]
    for address, port in zip(macs, ports):
        port.send(frame(EVERYBODY, address))
        for other in ports:
            if other is not port:
                heard(other, frame(EVERYBODY, address))
    return ports


def heard(port, *frames):
    """These are next at a port."""
    for wanted in frames:
        found = port.receive()
        assert found == wanted, (found and found[:40], wanted[:40])


def test(name, *arguments, **options):
    """A test with a switch of its own."""
    def register(function):
        def run():
            with tempfile.TemporaryDirectory(prefix="lpm.", dir="/tmp") as directory, \
                    Switch(directory, *arguments, **options) as switch:
                function(switch)
        suite.test(name, run)
    return register


@test("what is unknown is flooded, what is known is not")
def _(switch):
    a, b, c = hello(switch, A, B, C)
    a.send(frame(mac(9), A, b"1"), frame(B, A, b"2"), frame(EVERYBODY, A, b"3"))
    heard(b, frame(mac(9), A, b"1"), frame(B, A, b"2"), frame(EVERYBODY, A, b"3"))
    heard(c, frame(mac(9), A, b"1"), frame(EVERYBODY, A, b"3"))
    b.send(frame(A, B, b"4"))
    heard(a, frame(A, B, b"4"))


@test("frames of all sizes, whole and in order, however they come")
def _(switch):
    a, b = hello(switch, A, B)
    sizes = [MIN_FRAME, MIN_FRAME + 1, 60, 1514, 9000, 65535, MAX_FRAME - 1, MAX_FRAME]
    frames = [frame(B, A, os.urandom(size - MIN_FRAME)) for size in sizes * 3]
    sender = threading.Thread(target=a.send, args=frames)
    sender.start()
    heard(b, *frames)
    sender.join()
    # A byte at a time
    whole = frame(B, A, b"slow")
    for byte in LENGTH.pack(len(whole)) + whole:
        a.socket.sendall(bytes([byte]))
    heard(b, whole)
    counts = switch.statistics()["port"]
    assert counts[1]["in_frames"] == len(frames) + 2, counts
    assert counts[1]["in_bytes"] == MIN_FRAME + sum(map(len, frames + [whole])), counts
    assert counts[2]["out_frames"] == len(frames) + 2, counts
    assert counts[2]["out_bytes"] == counts[1]["in_bytes"], counts
    assert counts[2]["dropped"] == 0, counts


@test("frames to an address that moves are replayed where it is heard, in order")
def _(switch):
    a, b = hello(switch, A, B)
    missed = [frame(A, B, b"missed %d" % n) for n in range(20)]
    b.send(*missed)
    heard(a, *missed)
    target = switch.port()
    target.send(frame(EVERYBODY, A, b"here"))
    heard(b, frame(EVERYBODY, A, b"here"))
    heard(target, *missed)
    b.send(frame(A, B, b"now"))
    heard(target, frame(A, B, b"now"))
    counts = switch.statistics()
    assert counts["port"][3]["moves"] == 1, counts
    assert counts["port"][3]["replayed"] == len(missed), counts
    assert counts["port"][1]["moves"] == counts["port"][2]["moves"] == 0, counts
    assert "52:54:00:00:00:01 is at port 3, and was at port 1: 20 frames replayed" \
        in switch.log(), switch.log()


@test("frames wait for an address whose port has gone")
def _(switch):
    a, b, c = hello(switch, A, B, C)
    a.close()
    # Closed, by the time that others are told of what comes after it
    lpm.until("port 1 is closed", lambda: "port 1: closed" in switch.log())
    missed = [frame(A, B, b"missed %d" % n) for n in range(20)]
    b.send(*missed, frame(EVERYBODY, B, b"end"))
    # Flooded, too: it may be there and silent
    heard(c, *missed, frame(EVERYBODY, B, b"end"))
    counts = switch.statistics()
    assert counts["switch"]["kept"] == len(missed), counts
    assert counts["closed"]["closed"] == 1, counts
    target = switch.port()
    target.send(frame(B, A, b"here"))
    heard(b, frame(B, A, b"here"))
    heard(target, *missed)
    # Only that, for B
    assert switch.statistics()["switch"]["kept"] == 1
    assert "one that has gone: 20 frames replayed" in switch.log(), switch.log()


@test("what was answered long ago is not replayed")
def _(switch):
    a, b = hello(switch, A, B)
    b.send(frame(A, B, b"old"))
    heard(a, frame(A, B, b"old"))

    def forgotten():
        """Heard again and again, it must have seen it at last."""
        a.send(frame(EVERYBODY, A, b"answer"))
        heard(b, frame(EVERYBODY, A, b"answer"))
        return not switch.statistics()["switch"]["kept"]

    lpm.until("the frame is forgotten", forgotten)
    target = switch.port()
    b.send(frame(A, B, b"new"))
    heard(a, frame(A, B, b"new"))
    target.send(frame(B, A, b"here"))
    heard(target, frame(A, B, b"new"))
    b.send(frame(A, B, b"last"))
    heard(target, frame(A, B, b"last"))


@test("a port that does not read costs the others nothing")
def _(switch):
    a, b = hello(switch, A, B)
    deaf = switch.port()
    noise = [frame(EVERYBODY, A, b"%08d" % n + bytes(60000)) for n in range(400)]
    for one in noise:
        a.send(one)
        heard(b, one)
    for n in range(2000):
        a.send(frame(B, A, b"ping %d" % n))
        heard(b, frame(B, A, b"ping %d" % n))
        b.send(frame(A, B, b"pong %d" % n))
        heard(a, frame(A, B, b"pong %d" % n))
    counts = switch.statistics()["port"]
    assert counts[3]["dropped"] > 300, counts
    assert counts[3]["out_bytes"] < SOCKET + FLOOD, counts
    assert counts[1]["dropped"] == counts[2]["dropped"] == 0, counts
    if not lpm.SANITIZE:
        used = usage.anonymous_bytes(switch.process.pid)
        assert used < 8 * lpm.MIB, used
    # What it got is whole, and the oldest there was
    taken = [deaf.receive() for _ in range(counts[3]["out_frames"])]
    assert taken == noise[:len(taken)]
    a.send(frame(EVERYBODY, A, b"reads again"))
    heard(deaf, frame(EVERYBODY, A, b"reads again"))


@test("broadcasts that nobody reads leave room for what is replayed")
def _(switch):
    a, b = hello(switch, A, B)
    target = switch.port()
    noise = [frame(EVERYBODY, B, bytes(60000)) for _ in range(50)]
    for one in noise:
        b.send(one)
        heard(a, one)
    assert switch.statistics()["port"][3]["dropped"] > 20
    missed = [frame(A, B, b"%04d" % n + bytes(1500)) for n in range(200)]
    b.send(*missed)
    heard(a, *missed)
    target.send(frame(EVERYBODY, A, b"here"))
    heard(b, frame(EVERYBODY, A, b"here"))
    counts = switch.statistics()["port"][3]
    assert counts["replayed"] == len(missed), counts
    first = counts["out_frames"] - len(missed)
    heard(target, *noise[:first])
    heard(target, *missed)


@test("a queue has an end for frames that are meant, too")
def _(switch):
    a, b, c = hello(switch, A, B, C)
    meant = frame(A, B, bytes(60000))
    for _ in range(80):
        b.send(meant)
    b.send(frame(EVERYBODY, B, b"end"))
    heard(c, frame(EVERYBODY, B, b"end"))
    counts = switch.statistics()
    port = counts["port"][1]
    assert port["dropped"] > 10, counts
    assert QUEUE - 2 * len(meant) < port["out_bytes"] < QUEUE + SOCKET, counts
    # One was kept for it as long as there was room; a mebibyte is 17 of them
    assert 10 < counts["switch"]["kept"] <= 17, counts
    assert counts["switch"]["kept_bytes"] <= 1 << 20, counts
    assert counts["switch"]["not_kept"] == 80 - counts["switch"]["kept"], counts
    heard(a, *[meant] * (port["out_frames"] - 2))


@test("a wrong length ends its port, and no other")
def _(switch):
    a, b = hello(switch, A, B)
    for length in (0, 1, MIN_FRAME - 1, MAX_FRAME + 1, 1 << 31, (1 << 32) - 1):
        bad = switch.port()
        bad.send(frame(EVERYBODY, C, b"good"))
        heard(a, frame(EVERYBODY, C, b"good"))
        heard(b, frame(EVERYBODY, C, b"good"))
        whole = frame(EVERYBODY, C, b"before")
        bad.socket.sendall(LENGTH.pack(len(whole)) + whole + LENGTH.pack(length))
        assert bad.ended(), length
        heard(a, whole)
        heard(b, whole)
        assert ": a frame of %d bytes; allowed are 14 to 69632\n" % length \
            in switch.log(), (length, switch.log())
    a.send(frame(B, A, b"still"))
    heard(b, frame(B, A, b"still"))
    assert switch.statistics()["switch"]["ports"] == 2


@test("ports that end in the middle of a frame, or hear nothing, harm nobody")
def _(switch):
    a, b = hello(switch, A, B)
    for count in range(1, 20, 3):
        part = switch.port()
        part.socket.sendall((LENGTH.pack(1000) + frame(B, C))[:count])
        part.close()
    mute = switch.port()
    mute.socket.shutdown(socket.SHUT_RD)
    mute.send(frame(EVERYBODY, C, b"mute"))
    heard(a, frame(EVERYBODY, C, b"mute"))
    heard(b, frame(EVERYBODY, C, b"mute"))
    for n in range(100):
        a.send(frame(EVERYBODY, A, b"%d" % n))
        heard(b, frame(EVERYBODY, A, b"%d" % n))
    lpm.until("all parts are gone", lambda:
              switch.statistics()["switch"]["ports"] == 3)
    counts = switch.statistics()
    assert counts["port"][10]["dropped"] == 100, counts
    mute.close()
    lpm.until("the mute one is gone", lambda:
              switch.statistics()["switch"]["ports"] == 2)
    # It does not spin for any of them
    before = usage.cpu_seconds(switch.process.pid)
    a.send(frame(B, A, b"still"))
    heard(b, frame(B, A, b"still"))
    assert usage.cpu_seconds(switch.process.pid) - before < 0.5


@test("addresses that nobody has are refused and counted")
def _(switch):
    a, b = hello(switch, A, B)
    for source in (EVERYBODY, b"\x01\x00\x5e\x00\x00\x01", b"\x33\x33" + A[2:],
                   bytes(6)):
        a.send(frame(EVERYBODY, source, b"nobody"))
    a.send(frame(EVERYBODY, A, b"end"))
    heard(b, frame(EVERYBODY, A, b"end"))
    counts = switch.statistics()
    assert counts["port"][1]["refused"] == 4, counts
    assert counts["switch"]["macs"] == 2, counts


@test("made-up addresses push out only those of their own port")
def _(switch):
    a, b, c = hello(switch, A, B, C)
    c.send(*[frame(B, mac(1000 + n), b"made up") for n in range(500)])
    heard(b, *[frame(B, mac(1000 + n), b"made up") for n in range(500)])
    assert switch.statistics()["switch"]["macs"] == 2 + 64
    a.send(frame(B, A, b"known"), frame(EVERYBODY, A, b"end"))
    heard(b, frame(B, A, b"known"))
    heard(c, frame(EVERYBODY, A, b"end"))


@test("there are 64 ports, and room again when one has gone")
def _(switch):
    a, b = hello(switch, A, B)
    ports = [switch.port() for _ in range(PORTS - 2)]
    lpm.until("64 ports", lambda: switch.statistics()["switch"]["ports"] == PORTS)
    for _ in range(3):
        assert switch.port().ended()
    assert switch.statistics()["switch"]["turned_away"] == 3
    assert "a connection was turned away: there are 64 ports" in switch.log()
    a.send(frame(EVERYBODY, A, b"all"))
    for port in [b] + ports:
        heard(port, frame(EVERYBODY, A, b"all"))
    ports[0].close()
    lpm.until("63 ports", lambda: switch.statistics()["switch"]["ports"] == PORTS - 1)
    late = switch.port()
    late.send(frame(A, C, b"late"))
    heard(a, frame(A, C, b"late"))


@test("without descriptors connections wait until there are some",
      wrapper=("sh", "-c", 'ulimit -n 16; exec "$0" "$@"'))
def _(switch):
    ports = [switch.port(wait=False) for _ in range(20)]
    lpm.until("some have to wait", lambda: "a connection has to wait" in switch.log())
    up = switch.statistics()["switch"]["ports"]
    assert 3 < up < 16, up
    before = usage.cpu_seconds(switch.process.pid)
    for port in ports[:up]:
        port.close()
    lpm.until("the others are there", lambda:
              switch.statistics()["switch"]["ports"] == min(20 - up, up))
    assert usage.cpu_seconds(switch.process.pid) - before < 1
    ports[up].send(frame(EVERYBODY, A, b"in"))
    heard(ports[up + 1], frame(EVERYBODY, A, b"in"))


@test("the log has no line for each of many, and nothing of what is in frames")
def _(switch):
    a, b = hello(switch, A, B)
    secret = b"top secret payload"
    for _ in range(300):
        port = switch.port()
        port.send(frame(EVERYBODY, C, secret))
        heard(a, frame(EVERYBODY, C, secret))
        heard(b, frame(EVERYBODY, C, secret))
        port.close()
    lpm.until("what was not logged is told", lambda:
              "more lines like these" in switch.log())
    lines = switch.log().split("\n")
    assert len(lines) < 600, len(lines)
    assert all(re.fullmatch(r"[\x20-\x7e]*", line) for line in lines)
    assert "secret" not in switch.log()


@suite.test("statistics at the end, status 0, and the socket is removed")
def _():
    for number in (signal.SIGTERM, signal.SIGINT):
        with tempfile.TemporaryDirectory(prefix="lpm.", dir="/tmp") as directory, \
                Switch(directory, "--statistics") as switch:
            a, b = hello(switch, A, B)
            a.close()
            lpm.until("port 1 is closed", lambda s=switch: "port 1: closed" in s.log())
            switch.process.send_signal(number)
            assert b.ended()
            assert switch.process.wait(lpm.STOP_S) == 0
            counts = switch.read_statistics()
            assert counts["port"][2]["in_frames"] == 1, counts
            assert counts["port"][2]["pid"] == os.getpid(), counts
            assert counts["closed"]["in_frames"] == 1, counts
            assert counts["switch"]["macs"] == 2, counts
            assert switch.process.stdout.read() == ""
            assert not os.path.exists(switch.path)


@suite.test("without --statistics nothing is printed")
def _():
    with tempfile.TemporaryDirectory(prefix="lpm.", dir="/tmp") as directory, \
            Switch(directory) as switch:
        hello(switch, A, B)
        assert switch.stop() == 0
        assert switch.process.stdout.read() == ""


@suite.test("the socket: permissions, a stale one, a live one")
def _():
    with tempfile.TemporaryDirectory(prefix="lpm.", dir="/tmp") as directory:
        with Switch(directory) as switch:
            assert stat.S_IMODE(os.stat(switch.path).st_mode) == 0o660
            done = subprocess.run(switch.argv, capture_output=True, text=True,
                                  timeout=lpm.PATIENCE_S, check=False)
            assert done.returncode == 1 and not done.stdout, done
            assert "Address already in use" in done.stderr, done
            hello(switch, A, B)
            switch.process.kill()
            switch.process.wait()
            assert os.path.exists(switch.path)
            switch.process.stdout.close()
            switch.argv += ["--socket-mode", "600"]
            switch.start()
            assert stat.S_IMODE(os.stat(switch.path).st_mode) == 0o600
            hello(switch, A, B)


@suite.test("wrong command lines are refused in one clear line")
def _():
    program = os.path.join(lpm.BUILD, "vasi-vswitch")
    for words, wanted in (
            ([], "--socket is missing"),
            (["--socket"], '"--socket" needs a value'),
            (["--socket", ""], "allowed are 1 to 107"),
            (["--socket", "/" + "x" * 107], "has 108 bytes"),
            (["--socket", "a\x1bb"], "control character"),
            (["--socket", "x", "--socket-mode", "8"], "--socket-mode 8: not an octal"),
            (["--socket", "x", "--socket-mode", "1777"], "--socket-mode 1777: not an"),
            (["--socket", "x", "--socket-mode", "-1"], "--socket-mode -1: not an"),
            (["--socket", "x", "--socket-mode", ""], "--socket-mode : not an"),
            (["--socket", "x", "--log-level", "loud"], "--log-level loud: not error"),
            (["--socket", "x", "--port", "1"], '"--port" is unknown'),
            (["--socket", "x", "y"], "unexpected argument y")):
        done = subprocess.run([program] + words, capture_output=True, text=True,
                              timeout=lpm.PATIENCE_S, check=False)
        assert done.returncode == 2 and not done.stdout, done
        line = done.stderr.split("\n")[0]
        assert line.startswith("vasi-vswitch: ") and wanted in line, (words, line)
        assert re.fullmatch(r"[\x20-\x7e]+", line), line


lpm.main(suite)
