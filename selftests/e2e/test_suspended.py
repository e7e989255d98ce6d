#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Suspended partitions: an image instead of memory, resumed here or elsewhere.

What must hold (Documentation/suspended-partitions.rst): a partition that was suspended,
moved and resumed ends as one that was not; nothing executes meanwhile; and whoever is
killed, whenever, in the end exactly one system has a whole image that can be resumed.
"""

import glob
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import lpm  # noqa: E402
import tap  # noqa: E402

MIB = lpm.MIB
suite = tap.Suite()

MEMORY = 24 * MIB
SLOW = {"sessions": 1, "connections": 1}


def files(system):
    """Names in the directory of images, of a system that runs or not."""
    return sorted(os.listdir(os.path.join(system.state_dir, "suspended")))


def image(system, name):
    return os.path.join(system.state_dir, "suspended", name + ".image")


def free_memory(system):
    return system.phyp("system.info")["memory_free"]


def wait_partition(system, name, *states):
    """Until it is in one of these; returns partition.show."""
    def reached():
        show = system.phyp("partition.show", name=name)
        return show if show["state"] in states else None
    return lpm.until("%s is %s" % (name, " or ".join(states)), reached)


def begin(lab, seconds=2, name=None, **options):
    """A partition that executes on A; returns its move, of which nothing is made."""
    options.setdefault("memory", MEMORY)
    options.setdefault("program", lpm.program(seconds, 20 * MIB, hot=0.5))
    move = lab.move(name=name, **options)
    lab.a.phyp("partition.create", name=move.name, **move.spec)
    lab.a.phyp("partition.activate", name=move.name)
    return move


def executing(system, name, steps=1):
    lpm.until("it executes", lambda: system.partition(name)["steps"] >= steps)


def suspended(lab, **options):
    """Likewise, and suspended in the middle of its program."""
    move = begin(lab, **options)
    executing(lab.a, move.name)
    lab.a.phyp("partition.suspend", name=move.name)
    assert lab.a.partition_state(move.name) == "Hibernated"
    return move


def resume(system, name):
    system.phyp("partition.resume", name=name)
    show = system.partition(name)
    assert show["state"] in ("Running", "Finished"), show
    return show


def check_end(move, system):
    """It comes to its end there, as if nothing had been."""
    move.finish(system)
    move.check_equal(system)


def make(move, back=False):
    """Shell and streams of a suspended partition's move."""
    if back:
        move.src, move.dst = move.dst, move.src
    move.stream_id = move.lab.next_id()
    move.dst.phyp("partition.reserve", name=move.name, suspended=True,
                  **move.spec)
    for system, peer, role in ((move.dst, move.src, "target"),
                               (move.src, move.dst, "source")):
        system.phyp("stream.create", stream_id=move.stream_id, role=role,
                    partition=move.name, device="msp0", peer=peer.name,
                    **dict(move.stream, **({"debug": move.debug} if move.debug
                                           and role == "target" else {})))
    return move


def cross(move, back=False):
    """The whole move of a suspended partition."""
    make(move, back).start_target().start_source()
    move.wait()
    move.wait_state(source=("Completed",), target=("Completed",))
    wait_partition(move.dst, move.name, "Hibernated")
    return move


def clean(move):
    """What the console does after a move."""
    move.src.phyp("partition.remove", name=move.name)
    for system in (move.dst, move.src):
        lpm.until("movers let go", lambda s=system: not s.stream(
            move.stream_id)["sessions"])
        system.phyp("stream.end", stream_id=move.stream_id)


@suite.test("suspended and resumed in place")
def _():
    with lpm.Lab() as lab:
        free = free_memory(lab.a)
        move = begin(lab)
        executing(lab.a, move.name)
        assert free_memory(lab.a) == free - MEMORY
        lab.a.phyp("partition.suspend", name=move.name)
        show = lab.a.partition(move.name)
        assert show["state"] == "Hibernated", show
        assert show["memory"] == MEMORY and show["steps"] == 0, show
        # The memory is the machine's again
        assert free_memory(lab.a) == free
        assert files(lab.a) == [move.name + ".image"], files(lab.a)
        mode = os.stat(image(lab.a, move.name)).st_mode
        assert mode & 0o777 == 0o600, oct(mode)
        lab.a.phyp.refused(lpm.STATE, "partition.digest", name=move.name)
        lab.a.phyp.refused(lpm.STATE, "partition.suspend", name=move.name)
        lab.a.phyp.refused(lpm.STATE, "partition.activate", name=move.name)
        show = resume(lab.a, move.name)
        assert free_memory(lab.a) == free - MEMORY
        lpm.until("its image is gone", lambda: not files(lab.a))
        lab.a.phyp.refused(lpm.STATE, "partition.resume", name=move.name)
        check_end(move, lab.a)


@suite.test("one that has finished, and one whose memory is mostly never written")
def _():
    with lpm.Lab(phyp=["--memory", "1T", "--overcommit"]) as lab:
        move = begin(lab, memory=64 << 30, content={"type": "zero"},
                     program=lpm.program(0.2, hot=0.0001, hot_share=1.0))
        move.finish(lab.a)
        digest = move.digest(lab.a)
        lab.a.phyp("partition.suspend", name=move.name)
        size = os.stat(image(lab.a, move.name)).st_size
        assert 0 < size < 64 * MIB, size
        show = resume(lab.a, move.name)
        assert show["state"] == "Finished" and show["finished"], show
        assert move.digest(lab.a) == digest


@suite.test("moved there, moved back, resumed: as if it had not stopped")
def _():
    with lpm.Lab() as lab:
        free = [free_memory(s) for s in lab.systems]
        move = suspended(lab)
        cross(move)
        assert lab.b.partition_state(move.name) == "Hibernated"
        assert lab.a.partition_state(move.name) == "Moved"
        for system, role in ((lab.a, "source"), (lab.b, "target")):
            stream = system.stream(move.stream_id)
            assert stream["type"] == "suspended", stream
            assert not stream["resumed_ns"], stream
        assert lab.b.stream(move.stream_id)["record"] == "resumed"
        assert lab.a.stream(move.stream_id)["pages"] > 0
        clean(move)
        assert not files(lab.a), files(lab.a)
        assert files(lab.b) == [move.name + ".image"], files(lab.b)
        assert [free_memory(s) for s in lab.systems] == free
        cross(move, back=True)
        clean(move)
        assert not files(lab.b), files(lab.b)
        resume(lab.a, move.name)
        check_end(move, lab.a)


lpm.main(suite)
