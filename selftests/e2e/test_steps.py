#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The nine steps of a migration: what they leave on both systems, and what is undone."""

import os
import pwd
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import interpose  # noqa: E402
import inventories  # noqa: E402
import inventory  # noqa: E402
import lpm  # noqa: E402
import tap  # noqa: E402
from console import Console, codes, describe  # noqa: E402

MIB = lpm.MIB
suite = tap.Suite()
# In what of a migration the partition is still the source's
BEFORE_COMMIT = {"partition.reserve", "partition.depart", "partition.create",
                 "vios.attach", "partition.configure", "stream.create",
                 "start", "partition.tell"}


def slow(name, **more):
    """A partition that executes for as long as a test lasts."""
    more.setdefault("program", lpm.program(3600, 4 * MIB))
    return inventory.partition(name, **more)


def small(name, active=True):
    return slow(name, npiv=True, activate=active, activated=True)


def migrate(console, *more, operation="m", status=0, there="B"):
    here = "AB"[there == "A"]
    return console("migrlpar", "-o", operation, "-m", here, "-t", there, *more,
                   status=status)


def told_steps(text):
    return [int(n) for n in re.findall(r"^step (\d) of 9: ", text, re.M)]


@suite.test("partitions with vSCSI, NPIV, VLANs and vNIC leave both inventories as they should")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab:
        console = Console(lab)
        start = inventories.both(lab)
        for name, steps in (("web1", list(range(1, 10))),
                            ("db1", list(range(1, 10))),
                            ("app1", [1, 2, 9, 8, 7])):
            before = inventories.both(lab)
            text = migrate(console, "-p", name, "-v")
            assert told_steps(text) == steps, text
            after = inventories.both(lab)
            inventories.check_migrated(name, before, after)
            moves = lab.b.phyp("partition.history", name=name)["moves"]
            assert [(m["from"], m["to"], m["result"]) for m in moves] == \
                [("A", "B", "completed")], moves
            assert moves[0]["by"] == pwd.getpwuid(os.geteuid()).pw_name, moves
            if name != "app1":
                assert moves[0]["bytes"] > 0 and "blackout_ms" in moves[0]
        # And back, all of it
        for name in ("web1", "db1", "app1"):
            before = inventories.both(lab)
            migrate(console, "-p", name, there="A")
            inventories.check_migrated(name, before, inventories.both(lab),
                                       "B", "A")
        end = inventories.both(lab)
        assert end["B"] == start["B"]
        assert {n: p["config"]["profiles"]
                for n, p in end["A"]["partitions"].items()} == \
            {n: p["config"]["profiles"]
             for n, p in start["A"]["partitions"].items()}


@suite.test("-i and -n: mappings, an id, and a profile of another name")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab:
        console = Console(lab)
        migrate(console, "-p", "web1", "-n", "moved", "-i",
                'dest_lpar_id=77,"virtual_scsi_mappings='
                '4/vios2-B/103/31,5/vios-B/102/32"')
        partition = inventories.of(lab.b)["partitions"]["web1"]
        assert partition["lpar_id"] == 77, partition
        config = partition["config"]
        assert config["curr_profile"] == "moved"
        assert [p["name"] for p in config["profiles"]] == ["default", "moved"]
        where = [(a["slot_num"], a["remote_lpar_name"], a["remote_slot_num"])
                 for a in inventories.hosted(config)]
        assert where == [(4, "vios2-B", 31), (5, "vios-B", 32)], where
        vios = inventories.of(lab.b)["vioses"]["vios2-B"]
        assert inventory.adapter(vios, 31)["remote_lpar_id"] == 77
        # An id that is used is not another one
        before = inventories.both(lab)
        text = migrate(console, "-p", "db1", "-i", "dest_lpar_id=77", status=1)
        assert codes(text), text
        assert inventories.both(lab) == before


def begin_slow(lab, console, name):
    """Its memory is being copied, and that takes long; returns the stream."""
    migrate(console, "-p", name, "--async", "--limit", "2M")
    stream = lab.a.phyp("stream.list")["streams"][0]["stream_id"]
    assert inventories.of(lab.b)["partitions"][name]["state"] == "Shell"
    return stream


@suite.test("a stop leaves the source as it was and the target empty; too late, it is refused")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab:
        console = Console(lab)
        before = inventories.both(lab)
        begin_slow(lab, console, "web1")
        marked = [a for v in inventories.of(lab.b)["vioses"].values()
                  for a in v["adapters"] if "stream_id" in a]
        assert len(marked) == 2, marked
        console("migrlpar", "-o", "s", "-m", "A", "-p", "web1")
        inventories.check_same(lab, before)
        stream = begin_slow(lab, console, "web1")
        lab.a.msp("suspend", stream_id=stream)
        lpm.until("it goes on there", lambda:
                  lab.b.stream(stream)["state"] == "Resumed")
        assert lab.a.stream(stream)["state"] != "Completed"
        text = console("migrlpar", "-o", "s", "-m", "A", "-p", "web1",
                       status=1)
        assert codes(text) == ["HSCL05DF"], text
        lab.a.msp("limit", stream_id=stream, bytes_per_second=0)
        lpm.until("it is cleaned up", lambda: console(
            "lslparmigr", "-r", "lpar", "-m", "A") and
            not lab.a.phyp("stream.list")["streams"])
        inventories.check_migrated("web1", before, inventories.both(lab))


def changing_calls(console, interposer, name):
    """The calls of a migration that change something; it is then moved back."""
    with interposer.record() as calls:
        migrate(console, "-p", name)
    migrate(console, "-p", name, there="A")
    return calls


def recovered(console, lab, name):
    """Until a second command finds nothing that is left to be recovered."""
    for _ in range(20):
        done = console.run("migrlpar", "-o", "r", "-m", "A", "-t", "B", "-p",
                           name)
        console.run("lslparmigr", "-r", "lpar", "-m", "A")
        if not done.returncode or codes(done.stderr) in (["HSCL8012"],
                                                        ["HSCL05DF"]):
            return
    raise AssertionError(done.stderr)


def places(lab, name):
    return [s.name for s in lab.systems if s.partition_state(name) in
            ("Running", "Not Activated", "Hibernated")]


def check_whole(lab, name, before):
    """It is on one system, and both are as if it had always been there."""
    after = inventories.both(lab)
    where = places(lab, name)
    assert len(where) == 1, (where, after)
    if where == ["A"]:
        inventories.check_same(lab, before)
    else:
        inventories.check_migrated(name, before, after)
    return where[0]


def sweep(active, fate):
    """A fault at each call of a migration in turn."""
    pair = inventory.pair([small("lpar1", active)])
    with lpm.Lab(systems=pair) as lab:
        interposer = interpose.Interposer(lab, describe(lab))
        console = Console(lab, interposer.description)
        calls = changing_calls(console, interposer, "lpar1")
        assert {c.method for c in calls} & BEFORE_COMMIT
        outcomes = []
        for number, call in enumerate(calls):
            before = inventories.both(lab)
            with interposer.fault(number, fate) as reached:
                done = console.run("migrlpar", "-o", "m", "-m", "A", "-t", "B",
                                   "-p", "lpar1")
            assert reached == [call], (reached, call)
            early = call.method in BEFORE_COMMIT
            if fate == interpose.REFUSE and early:
                # Undone by the command itself, without help
                assert done.returncode == 1, (call, done)
                assert "injected" in done.stderr, done.stderr
                inventories.check_same(lab, before)
            recovered(console, lab, "lpar1")
            where = check_whole(lab, "lpar1", before)
            outcomes.append("%s %s: %s" % (call.system, call.method, where))
            if where == "B":
                migrate(console, "-p", "lpar1", there="A")
        lpm.note("; ".join(outcomes))


for kind, is_active in (("active", True), ("inactive", False)):
    for what in (interpose.REFUSE, interpose.LOSE_REQUEST,
                 interpose.LOSE_ANSWER):
        suite.test("%s: %s at each call leaves the partition whole, once"
                   % (kind, what),
                   lambda a=is_active, w=what: sweep(a, w))


if __name__ == "__main__":
    lpm.main(suite)
