#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Migrations that other consoles, or others of the same name, get in the way of."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import interpose  # noqa: E402
import inventories  # noqa: E402
import inventory  # noqa: E402
import lpm  # noqa: E402
import tap  # noqa: E402
from interpose import Call  # noqa: E402
from console import Console, codes, describe  # noqa: E402

MIB = lpm.MIB
STREAM, OTHER = "00000000000000aa", "00000000000000bb"
suite = tap.Suite()


def blind(lab):
    """A console that does not have system B."""
    description = describe(lab)
    del description["systems"][1]
    return Console(lab, description)


def begin(console, *more):
    """A migration that takes long, and the command that watches it."""
    return subprocess.Popen(
        [console.bin + "/migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p",
         "web1", "--limit", "1M", "--quiet"] + list(more), env=console.env,
        text=True, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)


def phase(system):
    moves = system.msp("list")["moves"]
    return moves[0]["phase"] if moves else "none"


def marked(system):
    return [a for v in inventories.of(system)["vioses"].values()
            for a in v["adapters"] if "stream_id" in a]


@suite.test("who stops it may not know the target: who began it cleans up there")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab:
        console = Console(lab)
        before = inventories.both(lab)
        watching = begin(console)
        lpm.until("it moves", lambda: phase(lab.a) == "moving")
        assert marked(lab.b)
        done = blind(lab).run("migrlpar", "-o", "s", "-m", "A", "-p", "web1")
        assert codes(done.stderr) == ["LPM0205"], done
        out, err = watching.communicate(timeout=lpm.PATIENCE_S)
        assert watching.returncode == 1 and "LPM0203" in err, (out, err)
        inventories.check_same(lab, before)


@suite.test("its config cannot be changed while it migrates")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab:
        console = Console(lab)
        before = inventories.both(lab)
        console("migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p", "web1",
                "--async", "--limit", "1M")
        for system in lab.systems:
            system.phyp.refused(lpm.STATE, "partition.configure", name="web1",
                                config={"os": "changed"})
        console("migrlpar", "-o", "s", "-m", "A", "-p", "web1")
        inventories.check_same(lab, before)
        lab.a.phyp("partition.configure", name="web1", config={"os": "changed"})


def changed_at(lab, interposer, name, last):
    """A migration; when it comes to @last, somebody changes the partition."""
    console = Console(lab, interposer.description)
    done = []

    def decide(call):
        if call == last and not done:
            done.append(call)
            lab.a.phyp("partition.configure", name=name, config={"os": "x"})
        return interpose.PASS

    interposer.decide = decide
    text = console("migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p", name,
                   status=1)
    assert done and codes(text) == ["LPM0214"], (done, text)


@suite.test("what was changed since validation is not lost: it does not migrate")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab:
        before = inventories.both(lab)
        interposer = interpose.Interposer(lab, describe(lab))
        changed_at(lab, interposer, "web1", Call("B", "stream.create"))
        changed_at(lab, interposer, "app1", Call("A", "partition.depart"))
        for name in ("web1", "app1"):
            config = before["A"]["partitions"][name]["config"]
            before["A"]["partitions"][name]["config"] = dict(config, os="x")
        inventories.check_same(lab, before)


@suite.test("it is not recovered by who cannot ask the target")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab:
        console = Console(lab)
        before = inventories.both(lab)
        console("migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p", "web1",
                "--async", "--limit", "1M")
        stream = lab.a.phyp("stream.list")["streams"][0]["stream_id"]
        for system in lab.systems:
            system.mspd.kill()
        lpm.until("the sessions are gone",
                  lambda: not lab.a.stream(stream)["sessions"])
        begun = inventories.both(lab)
        text = blind(lab)("migrlpar", "-o", "r", "-m", "A", "-p", "web1",
                          status=1)
        assert codes(text) == ["LPM0210"], text
        inventories.check_same(lab, begun)
        console("migrlpar", "-o", "r", "-m", "A", "-p", "web1")
        inventories.check_same(lab, before)


@suite.test("adapters whose arrival was never cleaned up leave with their partition")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab:
        console = Console(lab)
        before = inventories.both(lab)
        for vios in before["A"]["vioses"].values():
            for adapter in vios["adapters"]:
                if adapter["remote_lpar_name"] != "web1":
                    continue
                lab.a.phyp("vios.detach", vios=vios["name"],
                           slot_num=adapter["slot_num"])
                lab.a.phyp("vios.attach", vios=vios["name"], adapter=adapter,
                           stream_id=STREAM)
        assert marked(lab.a)
        console("migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p", "web1")
        after = inventories.of(lab.a)["vioses"]
        assert not [a for v in after.values() for a in v["adapters"]
                    if a["remote_lpar_name"] == "web1"], after


@suite.test("one that was made anew on the source is not taken for the one that left")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab:
        console = Console(lab)
        ids = {"name": "app1", "stream_id": STREAM}
        made = lab.a.phyp("partition.describe", name="app1")
        lab.a.phyp("partition.depart", peer="B", **ids)
        lab.b.phyp("partition.create", arriving=STREAM, peer="A", **made)
        lab.a.phyp("partition.remove", **ids)
        lab.a.phyp("partition.create", **made)
        before = inventories.both(lab)
        recover = ("migrlpar", "-o", "r", "-m", "A", "-t", "B", "-p", "app1")
        text = console(*recover, status=1)
        assert codes(text) == ["LPM0207"], text
        inventories.check_same(lab, before)
        lab.a.phyp("partition.remove", name="app1")
        console(*recover)
        assert lab.b.partition_state("app1") == "Not Activated"
        # One that stayed is known by its history
        lab.b.phyp("partition.depart", peer="A", name="app1", stream_id=OTHER)
        lab.a.phyp("partition.create", arriving=OTHER, peer="B", **made)
        lab.b.phyp("partition.stay", name="app1", stream_id=OTHER)
        console("migrlpar", "-o", "r", "-m", "B", "-t", "A", "-p", "app1")
        assert "app1" not in inventories.of(lab.a)["partitions"]
        assert lab.b.partition_state("app1") == "Not Activated"


@suite.test("a target that is not there is not taken for a partition that is not")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab:
        console = Console(lab)
        ids = {"name": "app1", "stream_id": STREAM}
        before = inventories.of(lab.a)
        made = lab.a.phyp("partition.describe", name="app1")
        lab.a.phyp("partition.depart", peer="B", **ids)
        lab.b.phyp("partition.create", arriving=STREAM, peer="A", **made)
        text = console("migrlpar", "-o", "s", "-m", "A", "-p", "app1", status=1)
        assert codes(text) == ["HSCL05DF"] and "does not migrate" not in text, text
        # Nor is it enough that some other system has nothing of it
        text = blind(lab)("migrlpar", "-o", "r", "-m", "A", "-t", "A", "-p",
                          "app1", status=1)
        assert codes(text) == ["LPM0210"], text
        lab.b.phypd.stop()
        assert not os.path.exists(lab.b.phyp_path)
        text = console("migrlpar", "-o", "r", "-m", "A", "-t", "B", "-p",
                       "app1", status=1)
        assert codes(text) == ["LPM0101", "LPM0205"], text
        after = inventories.of(lab.a)
        assert after["vioses"] == before["vioses"], after["vioses"]


@suite.test("a shell is the stream's that it was reserved for")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab:
        made = lab.a.phyp("partition.describe", name="web1")
        lab.b.phyp("partition.reserve", stream_id=STREAM, **made)
        lab.b.phyp.refused(lpm.STATE, "partition.remove", name="web1",
                           stream_id=OTHER)
        lab.b.phyp.refused(lpm.STATE, "stream.create", stream_id=OTHER,
                           role="target", partition="web1", device="msp0")
        lab.b.phyp("partition.remove", name="web1", stream_id=STREAM)
        # A move that begins is stopped, and another console begins one: what is
        # the first one's is undone, and the second one's shell stays
        interposer = interpose.Interposer(lab, describe(lab))
        console = Console(lab, interposer.description)

        def take_over(call):
            lab.b.phyp("partition.remove", name="web1")
            lab.b.phyp("partition.reserve", stream_id=STREAM, **made)

        with interposer.fault(1, interpose.PASS, then=take_over) as reached:
            text = console("migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p",
                           "web1", status=1)
        assert reached == [Call("B", "vios.attach")], reached
        assert "is reserved for stream " + STREAM in text, text
        shown = lab.b.partition("web1")
        assert shown["state"] == "Shell", shown
        assert shown["reserved_for"] == STREAM, shown
        assert not marked(lab.b)


@suite.test("an answer that is lost leaves no shell behind")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab:
        before = inventories.both(lab)
        interposer = interpose.Interposer(lab, describe(lab))
        console = Console(lab, interposer.description)
        with interposer.fault(0, interpose.LOSE_ANSWER) as reached:
            console("migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p", "web1",
                    status=1)
        assert reached == [Call("B", "partition.reserve")], reached
        inventories.check_same(lab, before)


@suite.test("an inactive migration waits its turn if another one was faster")
def _():
    pair = inventory.pair()
    pair["B"]["num_inactive_migrations_supported"] = 1
    with lpm.Lab(systems=pair) as lab:
        before = inventories.both(lab)
        interposer = interpose.Interposer(lab, describe(lab))
        console = Console(lab, interposer.description)

        def be_faster(call):
            lab.b.phyp("partition.create", name="other", memory=MIB,
                       arriving=STREAM, peer="C")

        with interposer.fault(1, interpose.PASS, then=be_faster) as reached:
            text = console("migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p",
                           "app1", status=1)
        assert reached == [Call("B", "partition.create")], reached
        assert codes(text) == ["LPM0243"], text
        lab.b.phyp("partition.remove", name="other", stream_id=STREAM)
        inventories.check_same(lab, before)


@suite.test("several are not queued for a system that supports no migration")
def _():
    pair = inventory.pair()
    pair["B"]["num_active_migrations_supported"] = 0
    with lpm.Lab(systems=pair) as lab:
        text = Console(lab).run("migrlpar", "-o", "m", "-m", "A", "-t", "B",
                                "-p", "web1,db1", "--quiet")
        assert text.returncode == 1, text
        assert codes(text.stderr) == ["LPM0108", "LPM0108", "LPM0246"], \
            text.stderr


def restart(system):
    """The platform crashes, and is started with its description again."""
    system.mspd.kill()
    system.phypd.kill()
    system.start()


@suite.test("a platform that starts again does not make what has left, or may have")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab:
        console = Console(lab)
        move = ("-m", "A", "-t", "B")
        console("migrlpar", "-o", "m", *move, "-p", "web1")
        console("migrlpar", "-o", "m", *move, "-p", "app1")
        console("migrlpar", "-o", "m", *move, "-p", "db1", "--async",
                "--limit", "1M")
        restart(lab.a)
        assert not inventories.of(lab.a)["partitions"], "it is on both"
        # Its migration was given up before the next crash
        console("migrlpar", "-o", "m", "-m", "B", "-t", "A", "-p", "web1")
        console("migrlpar", "-o", "m", *move, "-p", "web1", "--async",
                "--limit", "1M")
        console("migrlpar", "-o", "s", "-m", "A", "-p", "web1")
        restart(lab.a)
        assert set(inventories.of(lab.a)["partitions"]) == {"web1"}


if __name__ == "__main__":
    lpm.main(suite)
