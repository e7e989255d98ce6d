#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Predicting a move: the measurements under it, and what validation makes of them."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import inventory  # noqa: E402
import lpm  # noqa: E402
import tap  # noqa: E402
from console import Console, codes, make  # noqa: E402

MIB = lpm.MIB
suite = tap.Suite()
FOREVER = 1 << 40
STRANGER = "SHA256:" + "0" * 64


def hot(memory=16 * MIB, **more):
    """Writes an eighth of its memory, the first, and nothing else."""
    return {"memory": memory, "content": {"type": "seed", "seed": 3},
            "program": dict({"seed": 1, "steps": FOREVER, "rate": 64 * MIB,
                             "hot": 0.125, "hot_share": 1.0}, **more)}


def busy(memory=16 * MIB):
    """Writes all of its memory, as fast as it can."""
    return {"memory": memory, "content": {"type": "seed", "seed": 3},
            "program": {"seed": 1, "steps": FOREVER, "hot": 0.0}}


def dirty(lab, move, **more):
    return lab.a.phyp("partition.dirty", name=move.name, **more)


# ---- partition.dirty ----

@suite.test("the curve of a known hot set: no page beside it, and all of it in the end")
def _():
    with lpm.Lab() as lab:
        move = make(lab, **hot())
        pages = 16 * MIB // 4096

        def complete():
            answer = dirty(lab, move, interval_ms=10, samples=20, cells=8)
            assert answer["pages"] == pages and answer["granule"] == 4096
            assert answer["written"] == answer["filled"] == pages, answer
            assert answer["moving"] is False and "left" not in answer
            samples = answer["samples"]
            assert len(samples) == 20, samples
            before = {"ns": 0, "unique": 0}
            for sample in samples:
                assert sample["ns"] > before["ns"], samples
                assert sample["dirtied"] <= pages // 8, sample
                assert before["unique"] <= sample["unique"] <= \
                    before["unique"] + sample["dirtied"], samples
                before = sample
            assert samples[0]["unique"] == samples[0]["dirtied"]
            assert samples[-1]["unique"] <= pages // 8, samples
            # The heat map is of the last interval, and hot where the set is
            assert answer["cell_pages"] == pages // 8
            assert answer["cells"][0] == samples[-1]["dirtied"], answer
            assert not any(answer["cells"][1:]), answer
            return samples[-1]["unique"] > pages // 8 * 9 // 10

        lpm.until("all of the hot set was written", complete)


@suite.test("pages never written are not counted, nor anything of a program that has ended")
def _():
    with lpm.Lab() as lab:
        move = make(lab, memory=8 * MIB, content={"type": "zero"},
                    program={"seed": 1, "steps": 0})
        answer = dirty(lab, move, interval_ms=1, samples=3, cells=4096)
        assert answer["written"] == answer["filled"] == 0, answer
        assert [s["dirtied"] for s in answer["samples"]] == [0, 0, 0]
        assert len(answer["cells"]) == 4096 and not any(answer["cells"])
        # Written, but with zeros as far as anybody can tell
        move = make(lab, memory=8 * MIB, program={"seed": 1, "steps": 0},
                    content={"type": "file", "path": lab.file(
                        "zeros", bytes(MIB)), "offset": 0})
        answer = dirty(lab, move, interval_ms=1, samples=1)
        assert (answer["written"], answer["filled"]) == (2048, 0), answer


@suite.test("a measurement leaves no view behind; what cannot be measured is refused")
def _():
    with lpm.Lab(phyp={"B": ["--no-dirty-map"]}) as lab:
        move = make(lab, **hot())
        # A partition has four views: more than one of them left would be noticed
        for _ in range(12):
            dirty(lab, move, interval_ms=1, samples=1)
        two = [lab.a.phyp.begin("partition.dirty", name=move.name,
                                interval_ms=10000, samples=1)
               for _ in range(2)]

        def full():
            try:
                dirty(lab, move, interval_ms=1, samples=1)
            except lpm.RpcError as error:
                assert error.code == lpm.NOT_ENOUGH, error
                return True
            return False

        lpm.until("two are under way", full)
        refused = lab.a.phyp.refused
        name = {"name": move.name}
        assert "interval_ms" in refused(
            lpm.INVALID_PARAMS, "partition.dirty", **name, interval_ms=0)
        assert "samples" in refused(
            lpm.INVALID_PARAMS, "partition.dirty", **name, samples=65)
        assert "cells" in refused(
            lpm.INVALID_PARAMS, "partition.dirty", **name, cells=4097)
        refused(lpm.NOT_FOUND, "partition.dirty", name="nobody")
        # They end with the partition
        lab.a.phyp("partition.shutdown", **name)
        refused(lpm.STATE, "partition.dirty", **name)
        lab.a.phyp("partition.remove", **name)
        for pending in two:
            try:
                raise AssertionError(pending.result())
            except lpm.RpcError as error:
                assert error.code == lpm.STATE, error
        lab.b.phyp("partition.create", name=move.name, **move.spec)
        lab.b.phyp("partition.activate", **name)
        assert "Dirty Map" in lab.b.phyp.refused(
            lpm.STATE, "partition.dirty", **name)
        # Time that is too long together
        other = make(lab, **hot())
        assert "60000" in refused(lpm.INVALID_PARAMS, "partition.dirty",
                                  name=other.name, interval_ms=10000,
                                  samples=7)


@suite.test("a move while measuring: the heat map goes on, and the memory is the same")
def _():
    with lpm.Lab() as lab:
        program = lpm.program(2, 20 * MIB, page=65536)
        move = lab.move(memory=32 * MIB, granule=65536, program=program,
                        source={"limit": 12 * MIB})
        move.create()
        before = lab.a.phyp.begin("partition.dirty", name=move.name,
                                  interval_ms=20, samples=8)
        move.create_streams().start_target().start_source()
        answer = dirty(lab, move, interval_ms=5, samples=2, cells=64)
        assert answer["moving"] is True, answer
        assert len(answer["left"]) == 64 and sum(answer["left"]) > 0, answer
        assert sum(answer["left"]) <= answer["pages"]
        assert before.result()["samples"][-1]["unique"] > 0
        # One that is under way when the partition goes tells what became of it
        last = lab.a.phyp.begin("partition.dirty", name=move.name,
                                interval_ms=10000, samples=6)
        move.wait()
        move.finish()
        lab.a.phyp("stream.end", stream_id=move.stream_id)
        lab.a.phyp("partition.remove", name=move.name)
        try:
            raise AssertionError(last.result())
        except lpm.RpcError as error:
            assert error.code == lpm.STATE, error
        move.check_equal()
        assert lab.b.phyp("partition.dirty", name=move.name, interval_ms=1,
                          samples=1)["samples"][0]["dirtied"] == 0


@suite.test("a guest is asked what it has written, and moves afterwards as any other")
def _():
    if not os.path.exists("/dev/userfaultfd"):
        raise tap.Skip("there is no /dev/userfaultfd")
    fake = os.path.join(os.path.dirname(lpm.__file__), "fake_qemu.py")
    with lpm.Lab(qemu=fake) as lab:
        guest = {"kernel": lab.file("kernel", b"\x7fELF"), "agent": False,
                 "arguments": ["fake=busy"]}
        move = lab.move(memory=16 * MIB)
        lab.a.phyp("partition.create", name=move.name, memory=16 * MIB,
                   guest=guest)
        lab.a.phyp("partition.activate", name=move.name)
        answer = dirty(lab, move, interval_ms=2, samples=3, cells=64)
        assert [s["dirtied"] for s in answer["samples"]] == [128] * 3, answer
        assert [s["unique"] for s in answer["samples"]] == [128] * 3, answer
        # Pages 64 to 191 of cells of 64 pages
        assert answer["cells"] == [0, 64, 64] + [0] * 61, answer
        assert answer["written"] >= answer["filled"] >= 128, answer
        lab.b.phyp("partition.reserve", name=move.name, memory=16 * MIB,
                   guest=dict(guest, arguments=["fake=calm"]))
        move.create_streams()
        # Its stream asks; one that waits for a pass is answered all the same
        waiting = lab.a.phyp.begin("partition.dirty", name=move.name,
                                   interval_ms=1, samples=1, cells=64)
        move.start_target().start_source()
        try:
            answer = waiting.result()
            assert answer["moving"] is True and "left" in answer, answer
        except lpm.RpcError as error:
            assert error.code == lpm.STATE, error
        move.wait()
        move.check_moved()


# ---- probe ----

def listen(lab):
    return lab.b.msp("probe", role="target",
                     peer_identity=lab.a.identity)["port"]


def source(lab, port, identity=None):
    return {"role": "source", "peer": "127.0.0.1:%d" % port,
            "peer_identity": identity or lab.b.identity, "ms": 50}


@suite.test("a probe: encrypted as a move, or as little; with as many connections")
def _():
    for config, cipher in ((None, ("tls", "kernel")),
                           ({"encrypt_data": "no"}, ("none",))):
        with lpm.Lab(config=config) as lab:
            for connections in (1, 5):
                answer = lab.a.msp("probe", **source(lab, listen(lab)),
                                   connections=connections)
                assert answer["encryption"] in cipher, answer
                assert answer["connections"] == connections, answer
                assert answer["bytes"] > 0 and answer["rtt_us"] > 0, answer
                assert answer["ns"] >= 10 ** 6 * 50, answer
                assert 1 <= len(answer["rates"]) <= 8, answer
            assert lab.a.msp("list")["moves"] == []
            assert lab.a.phyp("stream.list")["streams"] == []


@suite.test("a probe is refused for whom it is not for, and where a move would be")
def _():
    with lpm.Lab(msp=["--max-vasi-ops", "1"]) as lab:
        refused = lab.a.msp.refused
        # Trusted, but another one is expected, by either side
        assert "identity" in refused(lpm.NOT_AUTHORISED, "probe",
                                     **source(lab, listen(lab), STRANGER))
        port = lab.b.msp("probe", role="target",
                         peer_identity=STRANGER)["port"]
        assert "identity" in refused(lpm.NOT_AUTHORISED, "probe",
                                     **source(lab, port))
        for wrong in ({"peer_identity": "me"}, {"peer": "nowhere"},
                      {"listen": "127.0.0.1"}, {"ms": 2001}, {"ms": 9},
                      {"peer_identity": lab.a.identity}):
            refused(lpm.INVALID_PARAMS, "probe", **dict(source(lab, port), **wrong))
        # A move's listener takes no probe, and its move does not notice
        move = lab.move(memory=8 * MIB)
        move.create().create_streams().start_target()
        lab.a.msp("info")
        text = refused(lpm.FAILED, "probe", **source(lab, move.port))
        assert "PROBE" in text, text
        assert "max_vasi_ops" in lab.b.msp.refused(
            lpm.NOT_ENOUGH, "probe", role="target",
            peer_identity=lab.a.identity)
        move.start_source()
        move.wait()
        move.finish()
        move.check_equal()
        # Not trusted at all, by either
        lab.a.trust(STRANGER)
        lab.a.restart_mspd()
        refused(lpm.NOT_AUTHORISED, "probe", **source(lab, listen(lab)))
        lab.a.trust(lab.b.identity)
        lab.a.restart_mspd()
        lab.b.trust(STRANGER)
        lab.b.restart_mspd()
        refused(lpm.NOT_AUTHORISED, "probe", **source(lab, listen(lab)))


# ---- The prediction ----

def validate(console, move, *more, status=0):
    done = console.run("migrlpar", "-o", "v", "-m", "A", "-t", "B", "-p",
                       getattr(move, "name", move), *more)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout, done.stderr


def predicted(text):
    return next(json.loads(line)["prediction"] for line in text.splitlines()
                if '"event":"prediction"' in line)


@suite.test("validation predicts, in words and for programs; what it cannot is a warning")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        move = make(lab, **hot(rate=4 * MIB))
        out, err = validate(console, move)
        assert "predict" not in out and not codes(err), out + err
        out, err = validate(console, move, "-v")
        assert not codes(err), err
        for pattern in (r"^predicted total time: [\d.]+ s \([\d.]+ to [\d.]+ s\)$",
                        r"^predicted blackout: \d+ ms \(\d+ to \d+ ms\)$",
                        r"^predicted course: converges; \d+ passes, [\d.]+ MB; "
                        r"confidence: (high|medium|low)",
                        r"^predicted from: dirty rate "):
            assert re.search(pattern, out, re.M), (pattern, out)
        # 16 MiB at 10 MB/s: whatever else this machine does, not less
        line = predicted(validate(console, move, "--json", "--limit", "10M")[0])
        assert line["converges"] is True and line["limited"] is True, line
        assert line["bandwidth"] == 10 ** 7 and line["bytes"] >= 16 * MIB
        assert line["total_ms"]["least"] <= line["total_ms"]["expected"] <= \
            line["total_ms"]["most"], line
        assert line["total_ms"]["expected"] >= 16 * MIB / 10 ** 4, line
        assert line["confidence"] in ("high", "medium", "low")
        # With -o m only with -v, and before anything is done
        out = console("migrlpar", "-o", "m", "-v", "-m", "A", "-t", "B", "-p",
                      move.name)
        assert out.index("predicted total time") < out.index("it took "), out
        # One that is suspended, or not active, has no course
        inactive = make(lab, activate=False)
        out, err = validate(console, inactive, "-v")
        assert "predict" not in out and not codes(err), out + err


@suite.test("LPM0601, LPM0602, LPM0603: warnings, and nothing but warnings")
def _():
    slow = inventory.partition("calm", program={"seed": 1, "steps": 0})
    limited = inventory.partition("strict", program={"seed": 1, "steps": 0},
                                  max_freeze_ms=1)
    with lpm.Lab(systems=inventory.pair([slow, limited])) as lab:
        console = Console(lab)
        assert not codes(validate(console, "calm")[1])
        err = validate(console, "strict")[1]
        assert codes(err) == ["LPM0601"], err
        assert "max_freeze_ms" in err and "is 1 ms" in err, err
    with lpm.Lab() as lab:
        console = Console(lab)
        # All of 16 MiB again and again at 4 MB/s: that never fits
        move = make(lab, **busy())
        err = validate(console, move, "--limit", "4M")[1]
        assert codes(err) == ["LPM0602"], err
        err = validate(console, move, "--limit", "4M", "--all-pages",
                       "--downtime", "100")[1]
        assert codes(err) == ["LPM0601", "LPM0602"], err
        assert "--downtime is 100 ms" in err, err
    with lpm.Lab(phyp=["--no-dirty-map"]) as lab:
        console = Console(lab)
        move = make(lab, **hot())
        err = validate(console, move)[1]
        assert codes(err) == ["LPM0603"] and "Dirty Map" in err, err
        console("migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p", move.name)


lpm.main(suite)
