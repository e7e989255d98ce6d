#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a managed system has: served, configured, and carried along by moves."""

import copy
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import inventory  # noqa: E402
import lpm  # noqa: E402
import tap  # noqa: E402
from console import Console, codes  # noqa: E402

MIB = lpm.MIB
STREAM = "00000000000000aa"
OTHER = "00000000000000bb"
MAX_ANSWER = 1 << 20
suite = tap.Suite()


def scsi(name="web9", slot=4, **more):
    """What vios.attach takes."""
    return {"adapter_type": "scsi", "remote_lpar_name": name,
            "remote_lpar_id": 19, "remote_slot_num": slot, **more}


def server(system, name):
    return inventory.vios(system.phyp("system.inventory"), name)


def small(**more):
    """Parameters of a partition that does little."""
    return {"memory": 1 * MIB, "program": {"seed": 1, "steps": 1}, **more}


def start(lab, *arguments):
    """A vasi-phypd that must end by itself; returns status and what it says."""
    done = subprocess.run(
        [lpm.programs() + "/vasi-phypd", "--socket", lab + "/rpc",
         "--state-dir", lab + "/state", "--device", "msp0=" + lab + "/msp0",
         *arguments], capture_output=True, text=True, check=False,
        timeout=lpm.PATIENCE_S, stdin=subprocess.DEVNULL)
    return done.returncode, done.stderr


@suite.test("the description is served, with its defaults filled in")
def _():
    pair = inventory.pair()
    with lpm.Lab(systems=pair) as lab:
        told = lab.a.phyp("system.inventory")
        assert told.pop("described") is True
        assert "partitions" not in told
        assert told["state"] == "Operating" and told["mobility_edition"] is True
        assert told["power_source"] == "utility"
        for name, value in pair["A"].items():
            if name not in ("vioses", "partitions"):
                assert told[name] == value, (name, told[name], value)
        for one, described in zip(told["vioses"], pair["A"]["vioses"]):
            assert one["state"] == "Running" and one["rmc_state"] == "active"
            assert one["adapters"] == described["adapters"]
            assert one["luns"][0] == {"type": "lun", **described["luns"][0]}
            assert one["fc_ports"][0] == {"npiv": True,
                                          **described["fc_ports"][0]}
        info = lab.a.phyp("system.info")
        assert info["memory_total"] == pair["A"]["memory"] * MIB, info
        assert info["memory_region_size"] == \
            pair["A"]["mem_region_size"] * MIB, info
        assert info["active_migrations_max"] == 16, info
        assert info["inactive_migrations_max"] == 16, info
        assert info["inactive_migrations"] == 0, info
        listed = lab.a.phyp("partition.list", config=True)["partitions"]
        states = {p["name"]: p["state"] for p in listed}
        assert states == {"web1": "Running", "db1": "Running",
                          "app1": "Not Activated"}, states
        for one in listed:
            described = inventory.find(pair["A"], one["name"])["config"]
            config = lab.a.phyp("partition.config", name=one["name"])
            assert one["config"] == config
            assert config["activated"] is True
            assert config["lpar_env"] == "aixlinux"
            for member, value in described.items():
                if member not in ("profiles", "virtual_adapters"):
                    assert config[member] == value, (member, config[member])
            for kind in ("profiles", "virtual_adapters"):
                for have, want in zip(config[kind], described[kind]):
                    assert want.items() <= have.items(), (have, want)
                assert len(config[kind]) == len(described[kind])


@suite.test("a system without a description says so")
def _():
    with lpm.Lab() as lab:
        assert lab.a.phyp("system.inventory") == {"described": False}
        for method, params in (
                ("vios.attach", {"vios": "v", "adapter": scsi()}),
                ("vios.detach", {"vios": "v", "slot_num": 11}),
                ("vios.settle", {"stream_id": STREAM}),
                ("vios.change", {"name": "v", "msp": True})):
            message = lab.a.phyp.refused(lpm.NOT_FOUND, method, **params)
            assert "description" in message, message
        lab.a.phyp("partition.create", name="p", **small())
        lab.a.phyp.refused(lpm.NOT_FOUND, "partition.config", name="p")
        described = lab.a.phyp("partition.describe", name="p")
        assert "config" not in described and "history" not in described
        assert lab.a.phyp("partition.history", name="p") == {"moves": []}


@suite.test("server adapters are attached once, settled and detached")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab:
        call = lab.b.phyp
        for name in ("vios-B", "vios2-B"):
            assert not server(lab.b, name)["adapters"]
        asked = {"vios": "vios-B", "stream_id": STREAM,
                 "adapter": scsi(backing_devices=["hdisk2"])}
        first = call("vios.attach", **asked)
        assert first == {"slot_num": 11}, first
        assert call("vios.attach", **asked) == first, "not the same answer"
        assert len(server(lab.b, "vios-B")["adapters"]) == 1
        # Another stream, another slot of the client, another VIOS: all new
        for more in ({"stream_id": OTHER}, {"vios": "vios2-B"},
                     {"adapter": scsi(slot=5)}):
            call("vios.attach", **dict(asked, **more))
        assert [a["slot_num"] for a in server(lab.b, "vios-B")["adapters"]] \
            == [11, 12, 13]
        call("vios.settle", stream_id=STREAM)
        marks = [a.get("stream_id") for n in ("vios-B", "vios2-B")
                 for a in server(lab.b, n)["adapters"]]
        assert marks == [None, OTHER, None, None], marks
        have = server(lab.b, "vios-B")["adapters"][0]
        assert have == {"slot_num": 11, **asked["adapter"]}, have
        # Only the one that is meant
        seen = server(lab.b, "vios-B")["adapters"][1]
        call.refused(lpm.NOT_FOUND, "vios.detach", vios="vios-B", slot_num=12,
                     adapter=dict(seen, remote_lpar_name="another"))
        call("vios.detach", vios="vios-B", slot_num=12, adapter=seen)
        call.refused(lpm.NOT_FOUND, "vios.detach", vios="vios-B", slot_num=12)
        # The lowest that is free
        assert call("vios.attach", vios="vios-B", adapter=scsi("x"))[
            "slot_num"] == 12
        call("vios.attach", vios="vios-B", adapter=scsi("x", slot_num=200))
        assert [a["slot_num"] for a in server(lab.b, "vios-B")["adapters"]] \
            == [11, 13, 12, 200]
        assert server(lab.b, "vios2-B")["msp"] is False
        call("vios.change", name="vios2-B", msp=True)
        assert server(lab.b, "vios2-B")["msp"] is True
        call.refused(lpm.NOT_FOUND, "vios.change", name="vios9", msp=True)


@suite.test("what a VIOS has not is not attached")
def _():
    pair = inventory.pair()
    one = inventory.vios(pair["B"], "vios-B")
    one["max_virtual_slots"] = 13
    one["fc_ports"][0]["max_ports"] = 1
    with lpm.Lab(systems=pair) as lab:
        def refused(code, text, adapter, vios="vios-B"):
            message = lab.b.phyp.refused(code, "vios.attach", vios=vios,
                                         stream_id=STREAM, adapter=adapter)
            assert text in message, (text, message)

        def fc(slot=1, **more):
            return {"adapter_type": "fc", "remote_lpar_name": "a",
                    "remote_lpar_id": 9, "remote_slot_num": slot, **more}

        refused(lpm.NOT_FOUND, "vios9", scsi(), "vios9")
        refused(lpm.NOT_FOUND, "backing_devices[1]",
                scsi(backing_devices=["hdisk2", "hdisk99"]))
        refused(lpm.NOT_FOUND, "fc_port", fc(fc_port="fcs9"))
        refused(lpm.NOT_FOUND, "sriov_port",
                dict(fc(), adapter_type="vnic", sriov_port="ent9"))
        refused(lpm.INVALID_PARAMS, "adapter.fc_port", scsi(fc_port="fcs0"))
        refused(lpm.INVALID_PARAMS, "slot_num", scsi(slot_num=10))
        refused(lpm.INVALID_PARAMS, "slot_num", scsi(slot_num=13))
        refused(lpm.INVALID_PARAMS, "adapter.remote_lpar_id is missing",
                {k: v for k, v in scsi().items() if k != "remote_lpar_id"})
        refused(lpm.INVALID_PARAMS, "remote_lpar_name", scsi("a\x1b[2J"))
        refused(lpm.INVALID_PARAMS, "adapter.stream_id",
                scsi(stream_id=STREAM))
        refused(lpm.INVALID_PARAMS, "backing_devices[0]",
                scsi(backing_devices=[7]))
        assert not server(lab.b, "vios-B")["adapters"], "something was made"
        lab.b.phyp("vios.attach", vios="vios-B", adapter=fc(fc_port="fcs0"))
        refused(lpm.NOT_ENOUGH, "fcs0", fc(2, fc_port="fcs0"))
        refused(lpm.EXISTS, "slot 11", scsi(slot_num=11))
        lab.b.phyp("vios.attach", vios="vios-B", adapter=scsi())
        refused(lpm.NOT_ENOUGH, "no free slot", scsi("y"))


@suite.test("a config goes along, is changed in part and checked as a whole")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab:
        call = lab.a.phyp
        before = call("partition.config", name="app1")
        call("partition.configure", name="app1", config={
            "refcode": "B2001230", "os_version": "6.6", "uuid": None})
        after = call("partition.config", name="app1")
        assert "uuid" in before and "uuid" not in after, after
        assert after == {**{k: v for k, v in before.items() if k != "uuid"},
                         "refcode": "B2001230", "os_version": "6.6"}
        # Arrays are replaced
        call("partition.configure", name="app1",
             config={"virtual_adapters": before["virtual_adapters"][:1]})
        after = call("partition.config", name="app1")
        assert after["virtual_adapters"] == before["virtual_adapters"][:1]
        # A member that is removed has its default
        call("partition.configure", name="app1", config={"refcode": None})
        after = call("partition.config", name="app1")
        assert after["refcode"] == "", after
        for patch, text in (
                ({"profiles": None}, "config.profiles"),
                ({"profiles": []}, "config.profiles"),
                ({"curr_profile": "other"}, "config.curr_profile"),
                ({"colour": "red"}, "config.colour"),
                ({"virtual_adapters": [{"slot_num": 1, "adapter_type": "eth",
                                        "vswitch": "E", "port_vlan_id": 4095}]},
                 "config.virtual_adapters[0].port_vlan_id"),
                ({"virtual_adapters": before["virtual_adapters"][:1] * 2},
                 "config.virtual_adapters[1].slot_num"),
                ({"refcode": "\n"}, "config.refcode"),
                ({"virtual_adapters": before["virtual_adapters"] * 17},
                 "config.virtual_adapters")):
            message = call.refused(lpm.INVALID_PARAMS, "partition.configure",
                                   name="app1", config=patch)
            assert text in message, (text, message)
        assert call("partition.config", name="app1") == after
        # Made elsewhere from what it is described as, it has the same
        described = call("partition.describe", name="app1")
        assert described["config"] == after
        lab.b.phyp("partition.reserve", **described)
        assert lab.b.phyp("partition.config", name="app1") == after
        lab.b.phyp("partition.remove", name="app1")
        lab.b.phyp("partition.check", **described)
        broken = dict(described, config=dict(after, curr_profile="none"))
        for method in ("partition.reserve", "partition.check"):
            message = lab.b.phyp.refused(lpm.INVALID_PARAMS, method, **broken)
            assert "config.curr_profile" in message, message
        # One that has none gets one
        call("partition.create", name="bare", **small())
        call.refused(lpm.NOT_FOUND, "partition.config", name="bare")
        call.refused(lpm.INVALID_PARAMS, "partition.configure", name="bare",
                     config={"refcode": "1"})
        call("partition.configure", name="bare", config=after)
        assert call("partition.config", name="bare") == after


@suite.test("activated is set when it is")
def _():
    pair = inventory.pair([inventory.partition("one", activate=False)])
    with lpm.Lab(systems=pair) as lab:
        assert not lab.a.phyp("partition.config", name="one")["activated"]
        lab.a.phyp("partition.activate", name="one")
        assert lab.a.phyp("partition.config", name="one")["activated"] is True


@suite.test("names and ids of VIOSes are taken")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab:
        call = lab.b.phyp
        message = call.refused(lpm.EXISTS, "partition.create", name="vios-B",
                               **small())
        assert "VIOS" in message, message
        call.refused(lpm.EXISTS, "partition.create", name="p",
                     **small(lpar_id=102))
        assert call("partition.create", name="p", **small())["lpar_id"] == 1


def history(system, name):
    return system.phyp("partition.history", name=name)["moves"]


def move_of(lab, name, back=False):
    """A move of a partition that is there."""
    move = lab.move(name=name, back=back)
    described = move.src.phyp("partition.describe", name=name)
    move.dst.phyp("partition.reserve", **described)
    for system, peer, role in ((move.src, move.dst.name, "source"),
                               (move.dst, move.src.name, "target")):
        system.phyp("stream.create", stream_id=move.stream_id, role=role,
                    partition=name, device="msp0", peer=peer)
    return move


@suite.test("the history of a partition moves with it")
def _():
    pair = inventory.pair([inventory.partition("one", npiv=True)])
    with lpm.Lab(systems=pair) as lab:
        begun = int(time.time())
        config = lab.a.phyp("partition.config", name="one")
        # A move that is stopped is told by the source
        move = move_of(lab, "one")
        lab.a.phyp("stream.cancel", stream_id=move.stream_id)
        lab.b.phyp("stream.cancel", stream_id=move.stream_id)
        lpm.until("the shell is gone",
                  lambda: lab.b.partition_state("one") == "absent" and
                  lab.b.phyp("system.info")["memory_free"] ==
                  lab.b.phyp("system.info")["memory_total"])
        moves = history(lab.a, "one")
        assert len(moves) == 1, moves
        assert (moves[0]["stream_id"], moves[0]["type"], moves[0]["from"],
                moves[0]["to"], moves[0]["result"]) == (
                    move.stream_id, "active", "A", "B", "aborted"), moves
        assert begun <= moves[0]["started"] <= moves[0]["ended"], moves
        assert moves[0]["reason"] == \
            lab.a.stream(move.stream_id)["reason"], moves
        for system in lab.systems:
            system.phyp("stream.end", stream_id=move.stream_id)
        # One that arrives, by the target
        move = move_of(lab, "one").start_target().start_source()
        move.wait()
        move.wait_state(source=("Completed",), target=("Completed",))
        moves = history(lab.b, "one")
        assert [m["result"] for m in moves] == ["aborted", "completed"], moves
        assert moves[1]["stream_id"] == move.stream_id
        assert (moves[1]["from"], moves[1]["to"]) == ("A", "B"), moves
        assert moves[1]["bytes"] > 0 and "reason" not in moves[1], moves
        assert len(history(lab.a, "one")) == 1, "the source told it, too"
        assert lab.b.phyp("partition.config", name="one") == config
        # What the console knows of it
        lab.b.phyp("partition.note", name="one", stream_id=move.stream_id,
                   bytes=77, blackout_ms=5, total_ms=1000, by="hscroot")
        noted = history(lab.b, "one")[1]
        assert noted == {**moves[1], "bytes": 77, "blackout_ms": 5,
                         "total_ms": 1000, "by": "hscroot"}, noted
        lab.b.phyp.refused(lpm.NOT_FOUND, "partition.note", name="one",
                           stream_id=STREAM, by="hscroot")
        lab.b.phyp.refused(lpm.INVALID_PARAMS, "partition.note", name="one",
                           stream_id=move.stream_id, by="\x07")
        # And back: it has all of them
        for system in lab.systems:
            system.phyp("stream.end", stream_id=move.stream_id)
        lab.a.phyp("partition.remove", name="one")
        move = move_of(lab, "one", back=True).start_target().start_source()
        move.wait()
        move.wait_state(source=("Completed",), target=("Completed",))
        moves = history(lab.a, "one")
        assert [(m["from"], m["to"]) for m in moves] == \
            [("A", "B"), ("A", "B"), ("B", "A")], moves
        assert moves[1] == noted, moves


@suite.test("a history has a bound, and forgets the oldest")
def _():
    entry = {"stream_id": STREAM, "type": "active", "from": "A", "to": "B",
             "result": "completed", "started": 1, "ended": 2}
    moves = [dict(entry, started=n, ended=n) for n in range(64)]
    with lpm.Lab(systems=inventory.pair()) as lab:
        call = lab.a.phyp
        call("partition.create", name="p", history=moves, **small())
        assert history(lab.a, "p") == moves
        call.refused(lpm.INVALID_PARAMS, "partition.create", name="q",
                     history=moves + [entry], **small())
        message = call.refused(
            lpm.INVALID_PARAMS, "partition.create", name="q",
            history=[dict(entry, result="perhaps")], **small())
        assert "history[0].result" in message, message
        call("partition.depart", name="p", stream_id=OTHER, peer="B")
        call("partition.stay", name="p", stream_id=OTHER)
        now = history(lab.a, "p")
        assert len(now) == 64 and now[:63] == moves[1:], now
        assert now[63]["stream_id"] == OTHER and \
            now[63]["result"] == "aborted", now[63]


@suite.test("config and history are part of a suspended partition's image")
def _():
    pair = inventory.pair([inventory.partition("one", npiv=True)])
    with lpm.Lab(systems=pair) as lab:
        lab.a.phyp("partition.shutdown", name="one")
        lab.a.phyp("partition.depart", name="one", stream_id=STREAM, peer="B")
        lab.a.phyp("partition.stay", name="one", stream_id=STREAM)
        lab.a.phyp("partition.activate", name="one")
        config = lab.a.phyp("partition.config", name="one")
        moves = history(lab.a, "one")
        assert len(moves) == 1, moves
        lab.a.phyp("partition.suspend", name="one")
        lab.a.phypd.stop()
        lab.a.phypd.start(lab.a.phyp_path)
        # It is there: the description does not make another one
        assert lab.a.partition_state("one") == "Hibernated"
        assert lab.a.phyp("partition.config", name="one") == config
        assert history(lab.a, "one") == moves
        lab.a.phyp("partition.resume", name="one")
        assert lab.a.phyp("partition.describe", name="one")["config"] == config


@suite.test("a partition that does not execute departs and arrives")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab:
        src, dst = lab.a.phyp, lab.b.phyp
        described = src("partition.describe", name="app1")
        src.refused(lpm.STATE, "partition.depart", name="web1",
                    stream_id=STREAM, peer="B")
        for _ in range(2):      # asked again, the answer is the same
            src("partition.depart", name="app1", stream_id=STREAM, peer="B")
        shown = src("partition.show", name="app1")
        assert shown["state"] == "Migrating - Not Activated", shown
        assert shown["departing"] == STREAM and shown["peer"] == "B", shown
        assert src("system.info")["inactive_migrations"] == 1
        for method, more in (("partition.activate", {}),
                             ("partition.configure",
                              {"config": {"refcode": "1"}}),
                             ("partition.depart",
                              {"stream_id": OTHER, "peer": "B"}),
                             ("partition.stay", {"stream_id": OTHER}),
                             ("partition.arrived", {"stream_id": STREAM})):
            src.refused(lpm.STATE, method, name="app1", **more)
        dst.refused(lpm.INVALID_PARAMS, "partition.create", peer="A",
                    **described)
        dst("partition.create", arriving=STREAM, peer="A", **described)
        shown = dst("partition.wait", name="app1",
                    state="migrating - not activated", timeout_ms=10000)
        assert shown["arriving"] == STREAM and shown["peer"] == "A", shown
        dst.refused(lpm.STATE, "partition.activate", name="app1")
        dst.refused(lpm.STATE, "partition.arrived", name="app1",
                    stream_id=OTHER)
        dst("partition.arrived", name="app1", stream_id=STREAM)
        shown = dst("partition.show", name="app1")
        assert shown["state"] == "Not Activated", shown
        assert "arriving" not in shown and "peer" not in shown, shown
        again = dst("partition.describe", name="app1")
        moves = again.pop("history")
        assert again == described, (again, described)
        assert len(moves) == 1 and moves[0]["type"] == "inactive", moves
        assert (moves[0]["from"], moves[0]["to"], moves[0]["result"]) == \
            ("A", "B", "completed"), moves
        dst("partition.activate", name="app1")
        for more in ({}, {"stream_id": OTHER}):
            src.refused(lpm.STATE, "partition.remove", name="app1", **more)
        src("partition.remove", name="app1", stream_id=STREAM)
        assert src("system.info")["inactive_migrations"] == 0


@suite.test("an inactive migration that is given up leaves both as they were")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab:
        described = lab.a.phyp("partition.describe", name="app1")
        lab.a.phyp("partition.depart", name="app1", stream_id=STREAM, peer="B")
        lab.b.phyp("partition.create", arriving=STREAM, peer="A", **described)
        lab.b.phyp("partition.remove", name="app1", stream_id=STREAM)
        assert lab.b.phyp("system.info")["inactive_migrations"] == 0
        lab.a.phyp("partition.stay", name="app1", stream_id=STREAM)
        after = lab.a.phyp("partition.describe", name="app1")
        moves = after.pop("history")
        assert after == described
        assert [m["result"] for m in moves] == ["aborted"], moves
        lab.a.phyp("partition.activate", name="app1")


@suite.test("migrations are limited by what the system supports")
def _():
    pair = inventory.pair([inventory.partition("p%d" % n, activate=n < 2)
                           for n in range(4)])
    for system in pair.values():
        system["num_active_migrations_supported"] = 1
        system["num_inactive_migrations_supported"] = 1
    extra = ["--device", "msp1={dir}/msp1"]
    with lpm.Lab(systems=pair, phyp=extra) as lab:
        info = lab.a.phyp("system.info")
        assert (info["active_migrations_max"],
                info["inactive_migrations_max"]) == (1, 1), info

        def stream(system, name, number, device):
            return {"stream_id": "%016x" % number, "partition": name,
                    "role": "source" if system is lab.a else "target",
                    "device": device}

        for name in ("p0", "p1"):
            lab.b.phyp("partition.reserve",
                       **lab.a.phyp("partition.describe", name=name))
        for system in lab.systems:
            system.phyp("stream.create", **stream(system, "p0", 1, "msp0"))
            message = system.phyp.refused(lpm.NOT_ENOUGH, "stream.create",
                                          **stream(system, "p1", 2, "msp1"))
            assert "1 are supported" in message, message
            system.phyp("stream.cancel", stream_id="%016x" % 1)
            system.phyp("stream.create", **stream(system, "p1", 3, "msp1"))
        lab.a.phyp("partition.depart", name="p2", stream_id=STREAM, peer="B")
        lab.a.phyp.refused(lpm.NOT_ENOUGH, "partition.depart", name="p3",
                           stream_id=OTHER, peer="B")
        for number, name in enumerate(("p2", "p3")):
            described = lab.a.phyp("partition.describe", name=name)
            params = dict(described, arriving="%016x" % (number + 7), peer="A")
            if number:
                lab.b.phyp.refused(lpm.NOT_ENOUGH, "partition.create", **params)
            else:
                lab.b.phyp("partition.create", **params)


@suite.test("a large system can be asked for all that it has")
def _():
    with lpm.Lab(systems={"A": inventory.large()}) as lab:
        told = lab.a.phyp("system.inventory")
        assert [len(v["adapters"]) for v in told["vioses"]] == [200] * 4
        assert len(json.dumps(told)) < MAX_ANSWER
        listed = lab.a.phyp("partition.list", config=True)["partitions"]
        assert len(listed) == 64 and all("config" in p for p in listed)
        parts = [p for n in range(0, 70, 10)
                 for p in lab.a.phyp("partition.list", config=True, offset=n,
                                     count=10)["partitions"]]
        assert [p["name"] for p in parts] == [p["name"] for p in listed]


@suite.test("a list that is too long for an answer is refused")
def _():
    pair = inventory.pair([inventory.partition("one", activate=False)])
    with lpm.Lab(systems=pair) as lab:
        call = lab.a.phyp
        config = call("partition.config", name="one")
        profile = config["profiles"][0]
        config["virtual_adapters"] = [
            inventory.ethernet(n, n, 1, *range(100, 120)) for n in range(64)]
        config["profiles"] = [dict(profile, name="profile%d" % n)
                              for n in range(15)] + [profile]
        size = len(json.dumps(config, separators=(",", ":")))
        assert 16384 < size < 32768, size
        for number in range(MAX_ANSWER // size + 1):
            call("partition.create", name="p%d" % number, config=config,
                 memory=65536)
        message = call.refused(lpm.NOT_ENOUGH, "partition.list", config=True)
        assert "count" in message, message
        assert len(call("partition.list")["partitions"]) == number + 2
        assert len(call("partition.list", config=True, offset=1,
                        count=9)["partitions"]) == 9
        # The console asks for some of them at a time
        done = Console(lab).run("migrlpar", "-o", "v", "-m", "A", "-t", "B",
                                "-p", "no1,no2")
        assert codes(done.stderr) == ["HSCL8012", "HSCL8012", "LPM0246"], done
        too_long = copy.deepcopy(config)
        too_long["profiles"] = [
            dict(p, io_slots=[{"drc_index": "%08X%08X" % (n, n)}
                              for n in range(64)]) for p in config["profiles"]]
        message = call.refused(lpm.INVALID_PARAMS, "partition.create",
                               name="q", config=too_long, memory=65536)
        assert "config.profiles" in message and "32768" in message, message


@suite.test("a description that is none is told by its member")
def _():
    with lpm.Lab() as lab:
        directory = os.path.join(lab.directory, "other")
        os.mkdir(directory)
        path = os.path.join(directory, "system.json")

        def refused(text, description, *more):
            with open(path, "w", encoding="ascii") as file:
                file.write(description if isinstance(description, str) else
                           json.dumps(description))
            status, said = start(directory, "--system", path, *more)
            assert status in (1, 2) and text in said, (status, said)
            assert not os.path.exists(directory + "/rpc")

        good = inventory.example("alpha")
        refused("line 1", "{")
        refused("not an object", "[]")
        refused("colour", dict(good, colour="red"))
        refused("memory", good, "--memory", "1G")
        refused("region-size", good, "--region-size", "16M")
        # What partition.create finds
        bad = copy.deepcopy(good)
        bad["partitions"][1]["granule"] = 8192
        refused("partitions[1]: granule", bad)
        bad = copy.deepcopy(good)
        bad["memory"] = 100
        refused("partitions[1]: partition db1: memory", bad)
        os.unlink(path)
        status, said = start(directory, "--system", path)
        assert status == 1 and path in said, said


@suite.test("phypctl asks for all of it")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab:
        def ctl(*words, status=0, system=lab.a):
            return lpm.control("phypctl", "-S", system.phyp_path, "--json",
                               *words, status=status)

        assert json.loads(ctl("inventory"))["serial_num"] == "78A10F1"
        assert json.loads(ctl("config", "web1"))["os"] == "Linux"
        patch = lab.file("patch.json", b'{"refcode": "B2"}')
        ctl("configure", "web1", patch)
        assert json.loads(ctl("config", "web1"))["refcode"] == "B2"
        adapter = lab.file("adapter.json", json.dumps(
            {"vios": "vios-A", "stream_id": STREAM,
             "adapter": scsi()}).encode())
        slot = json.loads(ctl("vios-attach", adapter))["slot_num"]
        ctl("vios-settle", STREAM)
        assert "stream_id" not in inventory.adapter(server(lab.a, "vios-A"),
                                                    slot)
        ctl("vios-detach", "vios-A", slot)
        ctl("vios-detach", "vios-A", slot, status=1)
        ctl("vios-detach", "vios-A", "eleven", status=2)
        ctl("vios-msp", "vios-A", "no")
        assert server(lab.a, "vios-A")["msp"] is False
        ctl("vios-msp", "vios-A", "perhaps", status=2)
        ctl("depart", "app1", STREAM, "B")
        ctl("remove", "app1", status=1)
        ctl("remove", "app1", OTHER, status=1)
        ctl("stay", "app1", STREAM)
        described = dict(lab.a.phyp("partition.describe", name="app1"),
                         arriving=OTHER, peer="A")
        ctl("create", lab.file("app1.json", json.dumps(described).encode()),
            system=lab.b)
        ctl("arrived", "app1", OTHER, system=lab.b)
        moves = json.loads(ctl("history", "app1", system=lab.b))["moves"]
        assert [m["type"] for m in moves] == ["inactive"] * 2, moves
        ctl("remove", "app1")


lpm.main(suite)
