#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What must not begin is refused, by name, and loses nothing."""

import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import lpm  # noqa: E402
import tap  # noqa: E402

MIB = lpm.MIB
suite = tap.Suite()


def still_moves(lab):
    """After any refusal the same systems move a partition."""
    move = lab.move(memory=2 * MIB, program=lpm.program(0.1)).run()
    move.check_moved()
    move.check_equal()


@suite.test("another major version of the platform's stream")
def _():
    with lpm.Lab() as lab:
        move = lab.move(memory=2 * MIB).create()
        info = lab.a.phyp("system.info")
        message = lab.a.phyp.refused(
            lpm.NOT_COMPATIBLE, "stream.create", stream_id=move.stream_id,
            role="source", partition=move.name, device="msp0",
            peer_stream_major=info["stream_major"] + 1, peer_stream_minor=0)
        assert str(info["stream_major"] + 1) in message, message
        # A newer minor is no reason
        lab.a.phyp("stream.create", stream_id=move.stream_id, role="source",
                   partition=move.name, device="msp0",
                   peer_stream_major=info["stream_major"],
                   peer_stream_minor=info["stream_minor"] + 7)


@suite.test("another major version of the movers' protocol")
def _():
    def other_version(body):
        struct.pack_into(">H", body, 8, 77)

    with lpm.Lab() as lab:
        move = lab.move(memory=2 * MIB, relay={"hello": other_version})
        move.start()
        source = move.src.msp("wait", stream_id=move.stream_id, phase="ended",
                              timeout_ms=lpm.PATIENCE_S * 1000)
        assert "77" in source["error"], source
        # Whoever came was not the source mover: the target waits on
        target = move.dst.msp("status", stream_id=move.stream_id)
        assert target["phase"] == "listening", target
        move.dst.msp("stop", stream_id=move.stream_id)
        move.wait("failed", "aborted")
        lpm.until("the partition stays",
                  lambda: move.runs_on() == ["A"])
        move.finish(lab.a)
        move.check_equal(lab.a)


@suite.test("not enough memory on the target")
def _():
    with lpm.Lab(phyp={"B": ["--memory", 64 * MIB]}) as lab:
        info = lab.b.phyp("system.info")
        assert info["memory_total"] == 64 * MIB, info
        message = lab.b.phyp.refused(
            lpm.NOT_ENOUGH, "partition.reserve", name="big",
            memory=info["memory_free"] + info["memory_region_size"],
            program=lpm.program())
        assert str(info["memory_free"]) in message or "memory" in message
        lab.b.phyp.refused(lpm.NOT_FOUND, "partition.show", name="big")
        still_moves(lab)


@suite.test("no slot left for another stream")
def _():
    with lpm.Lab() as lab:
        most = lab.a.phyp("system.info")["streams_max"]
        created = []
        for number in range(most + 1):
            name = "slot%d" % number
            lab.a.phyp("partition.create", name=name, memory=MIB,
                       program=lpm.program(steps=0))
            lab.a.phyp("partition.activate", name=name)
            parameters = {"stream_id": lab.next_id(), "role": "source",
                          "partition": name, "device": "msp0"}
            if number < most:
                lab.a.phyp("stream.create", **parameters)
                created.append(parameters["stream_id"])
            else:
                lab.a.phyp.refused(lpm.NOT_ENOUGH, "stream.create",
                                   **parameters)
        for stream_id in created:
            lab.a.phyp("stream.cancel", stream_id=stream_id)
            lab.a.phyp("stream.end", stream_id=stream_id)
        still_moves(lab)


@suite.test("no operation left on a mover")
def _():
    with lpm.Lab() as lab:
        info = lab.b.msp("info")
        most = info["operations_max"]
        streams = []
        for number in range(most + 1):
            name = "shell%d" % number
            stream_id = lab.next_id()
            lab.b.phyp("partition.reserve", name=name, memory=MIB,
                       program=lpm.program(steps=0))
            if number < lab.b.phyp("system.info")["streams_max"]:
                lab.b.phyp("stream.create", stream_id=stream_id,
                           role="target", partition=name, device="msp0")
            if number < most:
                lab.b.msp("start", stream_id=stream_id, role="target",
                          peer_identity=lab.a.identity)
                streams.append(stream_id)
            else:
                lab.b.msp.refused(lpm.NOT_ENOUGH, "start",
                                  stream_id=stream_id, role="target",
                                  peer_identity=lab.a.identity)
        for stream_id in streams:
            lab.b.msp("stop", stream_id=stream_id)


@suite.test("unknown partition, stream and device")
def _():
    with lpm.Lab() as lab:
        move = lab.move(memory=MIB).create()
        show = {"stream_id": lab.next_id()}
        for system in (lab.a, lab.b):
            for method in ("show", "activate", "shutdown", "remove", "digest"):
                system.phyp.refused(lpm.NOT_FOUND, "partition." + method,
                                    name="nobody")
            for method in ("show", "cancel", "end"):
                system.phyp.refused(lpm.NOT_FOUND, "stream." + method, **show)
            for method in ("status", "stop", "suspend"):
                system.msp.refused(lpm.NOT_FOUND, method, **show)
        lab.a.phyp.refused(lpm.NOT_FOUND, "stream.create", role="source",
                           partition="nobody", device="msp0", **show)
        lab.a.phyp.refused(lpm.NOT_FOUND, "stream.create", role="source",
                           partition=move.name, device="msp9", **show)


@suite.test("a stream that the platform does not know")
def _():
    with lpm.Lab() as lab:
        move = lab.move(memory=MIB).create()
        move.relay_options = None
        try:
            move.start_target()
        except lpm.RpcError as error:
            assert error.message, error
        else:
            status = lab.b.msp("wait", stream_id=move.stream_id,
                               phase="ended",
                               timeout_ms=lpm.PATIENCE_S * 1000)
            assert status["phase"] == "failed", status
            assert status["error"], status
        still_moves(lab)


@suite.test("a role that the mover is not authorised for")
def _():
    with lpm.Lab() as lab:
        move = lab.move(memory=2 * MIB).create().create_streams()
        # B's device serves this stream as target, not as source
        for system, role, more in (
                (lab.b, "source", {"peer": "127.0.0.1:9",
                                   "peer_identity": lab.a.identity}),
                (lab.a, "target", {"peer_identity": lab.b.identity})):
            try:
                system.msp("start", stream_id=move.stream_id, role=role,
                           **more)
            except lpm.RpcError as error:
                assert error.message, error
                continue
            status = system.msp("wait", stream_id=move.stream_id,
                                phase="ended",
                                timeout_ms=lpm.PATIENCE_S * 1000)
            assert status["phase"] in ("failed", "aborted"), status
            assert status["error"], status
        assert move.states() == ("Enabled", "Enabled"), move.states()
        move.start_target().start_source()
        move.wait()
        move.finish()
        move.check_moved()
        move.check_equal()


@suite.test("a granule that the target's shell does not have")
def _():
    with lpm.Lab() as lab:
        move = lab.move(memory=4 * MIB)
        lab.a.phyp("partition.create", name=move.name, **move.spec)
        lab.a.phyp("partition.activate", name=move.name)
        lab.b.phyp("partition.reserve", name=move.name, memory=4 * MIB,
                   granule=65536, program=move.spec["program"])
        move.create_streams().start_target().start_source()
        move.wait("failed", "aborted")
        assert move.runs_on() == ["A"], move.runs_on()
        move.finish(lab.a)
        move.check_equal(lab.a)


@suite.test("values out of range name the parameter and the limit")
def _():
    with lpm.Lab() as lab:
        for method, parameters, word in (
                ("partition.create", {"name": "x", "memory": -1}, "memory"),
                ("partition.create", {"name": "x", "memory": 4095}, "memory"),
                ("partition.create", {"name": "x", "memory": "much"},
                 "memory"),
                ("partition.create", {"name": "x", "memory": MIB,
                                      "granule": 12345}, "granule"),
                ("partition.create", {"name": "", "memory": MIB}, "name"),
                ("partition.create", {"name": "x" * 5000, "memory": MIB},
                 "name"),
                ("partition.create", {"name": "x", "memory": MIB,
                                      "colour": 1}, "colour"),
                ("partition.create", {"memory": MIB}, "name"),
                ("stream.show", {"stream_id": "12345"}, "stream_id"),
                ("stream.show", {"stream_id": 12345}, "stream_id")):
            message = lab.a.phyp.refused(lpm.INVALID_PARAMS, method,
                                         **parameters)
            assert word in message, "%r: %s" % (parameters, message)
        for parameters, word in (
                ({"stream_id": lab.next_id(), "role": "pager"}, "role"),
                ({"stream_id": lab.next_id(), "role": "source"}, "peer"),
                ({"stream_id": lab.next_id(), "role": "source",
                  "peer": "nowhere"}, "peer"),
                ({"stream_id": lab.next_id(), "role": "source",
                  "peer": "127.0.0.1:99999"}, "peer"),
                ({"stream_id": lab.next_id(), "role": "target",
                  "sessions": 100000}, "sessions"),
                ({"stream_id": lab.next_id(), "role": "target",
                  "peer_identity": lab.b.identity[:-1]}, "peer_identity"),
                ({"stream_id": lab.next_id(), "role": "target",
                  "peer_identity": lab.b.identity.upper()}, "peer_identity"),
                ({"stream_id": lab.next_id(), "role": "target",
                  "peer_identity": lab.a.identity}, "peer_identity"),
                ({"stream_id": lab.next_id(), "role": "target",
                  "connections": 0}, "connections")):
            message = lab.a.msp.refused(lpm.INVALID_PARAMS, "start", **{
                "peer_identity": lab.b.identity, **parameters})
            assert word in message, "%r: %s" % (parameters, message)
        lab.a.phyp.refused(lpm.METHOD_NOT_FOUND, "partition.explode")
        lab.a.msp.refused(lpm.METHOD_NOT_FOUND, "explode")


@suite.test("a partition twice, and twice in a stream")
def _():
    with lpm.Lab() as lab:
        move = lab.move(memory=MIB).create().create_streams()
        lab.a.phyp.refused(lpm.EXISTS, "partition.create", name=move.name,
                           **move.spec)
        lab.a.phyp.refused(lpm.EXISTS, "stream.create",
                           stream_id=move.stream_id, role="source",
                           partition=move.name, device="msp0")
        lab.a.phyp.refused(lpm.STATE, "stream.create",
                           stream_id=lab.next_id(), role="source",
                           partition=move.name, device="msp0")
        # What moves cannot be removed, and what was not moved not forgotten
        lab.a.phyp.refused(lpm.STATE, "partition.remove", name=move.name)
        lab.a.phyp.refused(lpm.STATE, "stream.end", stream_id=move.stream_id)


lpm.main(suite)
