#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands alone: phypctl and mspctl move a partition without a console."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import lpm  # noqa: E402
import tap  # noqa: E402

MIB = lpm.MIB
suite = tap.Suite()


class Commands:
    """phypctl and mspctl towards one system."""

    def __init__(self, system):
        self.system = system

    def phyp(self, *arguments, status=0):
        return lpm.control("phypctl", "-S", self.system.phyp_path, *arguments,
                           status=status)

    def msp(self, *arguments, status=0):
        return lpm.control("mspctl", "-S", self.system.msp_path, *arguments,
                           status=status)

    def describe(self, name, description):
        """A JSON description as a file."""
        return self.system.lab.file(
            "%s-%s.json" % (self.system.name, name),
            json.dumps(description).encode())


def prepare(lab, move):
    """What an administrator does before a move."""
    a, b = Commands(lab.a), Commands(lab.b)
    shell = {k: move.spec[k] for k in ("memory", "granule", "program")}
    a.phyp("create", a.describe("lpar", dict(move.spec, name=move.name)))
    a.phyp("activate", move.name)
    b.phyp("reserve", b.describe("shell", dict(shell, name=move.name)))
    for side, role in ((a, "source"), (b, "target")):
        side.phyp("stream-create", side.describe("stream", {
            "stream_id": move.stream_id, "role": role,
            "partition": move.name, "device": "msp0"}))
    return a, b


def listening_port(a, b, move):
    answer = json.loads(b.msp("--json", "start", move.stream_id, "target",
                              "--peer-id", a.msp("identity").strip()))
    return answer["port"]


@suite.test("mspctl and phypctl alone")
def _():
    with lpm.Lab() as lab:
        move = lab.move(memory=16 * MIB, program=lpm.program(1, 8 * MIB))
        a, b = prepare(lab, move)
        port = listening_port(a, b, move)
        a.msp("start", move.stream_id, "source", "--peer-id",
              b.msp("identity").strip(), "--peer", "127.0.0.1:%d" % port, "--limit", "100M")
        a.msp("limit", move.stream_id, "0")
        a.msp("wait", move.stream_id, "--timeout", lpm.PATIENCE_S)
        b.msp("wait", move.stream_id, "--timeout", lpm.PATIENCE_S)
        assert "completed" in a.msp("status", move.stream_id)
        assert move.stream_id in b.msp("list")
        b.phyp("wait", move.name, "finished", lpm.PATIENCE_S)
        assert move.name in b.phyp("list")
        move.check_moved()
        digest = b.phyp("digest", move.name)
        assert lab.reference(move.spec) in digest, digest
        a.phyp("stream-end", move.stream_id)
        b.phyp("stream-end", move.stream_id)
        a.phyp("remove", move.name)
        assert move.name not in a.phyp("list")


@suite.test("suspended and stopped by hand")
def _():
    with lpm.Lab() as lab:
        move = lab.move(memory=16 * MIB, program=lpm.program(1, 8 * MIB))
        a, b = prepare(lab, move)
        port = listening_port(a, b, move)
        a.msp("start", move.stream_id, "source", "--peer-id",
              b.msp("identity").strip(), "--peer", "127.0.0.1:%d" % port, "--manual")
        a.msp("wait", move.stream_id, "--phase", "moving")
        a.msp("stop", move.stream_id)
        # wait says by its exit status that the move did not complete
        a.msp("wait", move.stream_id, status=1)
        lpm.until("it stays at the source", lambda: move.runs_on() == ["A"])
        move.finish(lab.a)
        move.check_equal(lab.a)


@suite.test("phypctl recover asks the target, and takes the partition back")
def _():
    with lpm.Lab() as lab:
        move = lab.move(memory=16 * MIB, relay={}, target={"sessions": 1},
                        source={"suspend": "manual", "sessions": 1}).start()
        move.relay.wait_bytes(0, MIB, lpm.PATIENCE_S)
        move.relay.hold_session(0)
        a, b = Commands(lab.a), Commands(lab.b)
        a.msp("suspend", move.stream_id)
        move.wait_state(source=("Suspended",))
        lab.a.mspd.kill()
        move.relay.cut()
        lpm.until("the source is parked",
                  lambda: move.src.stream(move.stream_id)["parked"])
        a.phyp("recover", move.stream_id, "--target", lab.b.phyp_path)
        assert "never" in b.phyp("verdict", move.stream_id)
        assert move.runs_on() == ["A"], move.runs_on()
        move.finish(lab.a)
        move.check_equal(lab.a)


@suite.test("wrong usage and failed calls have exit codes")
def _():
    with lpm.Lab() as lab:
        a = Commands(lab.a)
        for command in (a.phyp, a.msp):
            assert command("no-such-command", status=2)
            assert command("--no-such-option", status=2)
            assert command(status=2)
        assert "nobody" in a.phyp("show", "nobody", status=1)
        assert a.msp("status", lab.next_id(), status=1)
        assert "not-an-id" in a.msp("status", "not-an-id", status=1)
        # Nobody listens there
        for name in ("phypctl", "mspctl"):
            assert "/nowhere" in lpm.control(name, "-S", "/nowhere", "info",
                                             status=1)
        # A description that is no JSON
        bad = lab.file("bad.json", b"{")
        assert "bad.json" in a.phyp("create", bad, status=(1, 2))


for _name in ("vasi-phypd", "mspd"):
    def _usage(name=_name):
        for arguments in (["--no-such-option"], [], ["stray"]):
            # Without arguments mspd takes its defaults, and fails at them
            text = lpm.control(name, *arguments,
                               status=2 if arguments else (1, 2))
            assert name in text, text
        lpm.control(name, "--help")
    suite.test("%s refuses a wrong command line" % _name, _usage)


lpm.main(suite)
