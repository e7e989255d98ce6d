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


def reserve(move):
    """False while one of its name is just being removed, and not shown any more."""
    gone = move.dst.partition_state(move.name) == "absent"
    try:
        move.dst.phyp("partition.reserve", name=move.name, suspended=True,
                      **move.spec)
    except lpm.RpcError as error:
        if error.code != lpm.EXISTS or not gone:
            raise
        return False
    return True


def make(move, back=False):
    """Shell and streams of a suspended partition's move."""
    if back:
        move.src, move.dst = move.dst, move.src
    move.stream_id = move.lab.next_id()
    lpm.until("its shell is made", lambda: reserve(move))
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


@suite.test("two at a time, and each has its memory accounted for")
def _():
    with lpm.Lab() as lab:
        free = [free_memory(s) for s in lab.systems]
        moves = [begin(lab, content={"type": "seed", "seed": n}, memory=8 * MIB)
                 for n in range(2)]
        for move in moves:
            executing(lab.a, move.name)
        pending = [lab.a.phyp.begin("partition.suspend", name=m.name)
                   for m in moves]
        for each in pending:
            each.result()
        assert [free_memory(s) for s in lab.systems] == free
        for move in moves:
            make(move)
        # Each has memory on both systems while it moves
        assert [free_memory(s) for s in lab.systems] == \
            [f - 16 * MIB for f in free]
        for move in moves:
            move.start_target()
        for move in moves:
            move.start_source()
        for move in moves:
            move.wait()
            move.wait_state(source=("Completed",), target=("Completed",))
            wait_partition(lab.b, move.name, "Hibernated")
            clean(move)
        assert [free_memory(s) for s in lab.systems] == free
        pending = [lab.b.phyp.begin("partition.resume", name=m.name)
                   for m in moves]
        for each in pending:
            each.result()
        for move in moves:
            check_end(move, lab.b)


@suite.test("memory that is not there")
def _():
    with lpm.Lab(phyp=["--memory", "40M"]) as lab:
        move = suspended(lab)
        lab.a.phyp("partition.create", name="other", memory=MEMORY)
        text = lab.a.phyp.refused(lpm.NOT_ENOUGH, "partition.resume",
                                  name=move.name)
        assert "24" not in text or str(MEMORY) in text, text
        move.dst.phyp("partition.reserve", name=move.name, suspended=True,
                      **move.spec)
        move.stream_id = lab.next_id()
        lab.a.phyp.refused(lpm.NOT_ENOUGH, "stream.create", role="source",
                           stream_id=move.stream_id, partition=move.name,
                           device="msp0")
        lab.a.phyp("partition.remove", name="other")
        resume(lab.a, move.name)
        check_end(move, lab.a)


# What a system finds when it starts

def restart(system, kill=True):
    """Its platform is gone and comes again; so does its mover."""
    system.mspd.stop()
    if kill:
        system.phypd.kill()
    else:
        assert system.phypd.stop() == 0
    system.start()


for _kill in (True, False):
    def _restarted(kill=_kill):
        with lpm.Lab() as lab:
            move = suspended(lab, name="a b.c%d")
            show = lab.a.partition(move.name)
            describe = lab.a.phyp("partition.describe", name=move.name)
            lab.a.phyp("partition.create", name="first", memory=MIB)
            restart(lab.a, kill)
            assert [p["name"] for p in lab.a.phyp("partition.list")[
                "partitions"]] == [move.name]
            again = lab.a.partition(move.name)
            for key in ("state", "memory", "granule", "lpar_id"):
                assert again[key] == show[key], (again, show)
            assert lab.a.phyp("partition.describe", name=move.name) == describe
            resume(lab.a, move.name)
            check_end(move, lab.a)
            # Once it executes it is no image any more
            restart(lab.a, kill)
            assert not lab.a.phyp("partition.list")["partitions"]
            assert not files(lab.a), files(lab.a)
    suite.test("a system that was %s has its suspended partitions"
               % ("killed" if _kill else "stopped"), _restarted)


@suite.test("killed while it writes an image: none is there")
def _():
    with lpm.Lab(phyp=["--memory", "2G"]) as lab:
        # Large enough to be seen while it is written
        move = begin(lab, memory=768 * MIB)
        executing(lab.a, move.name)
        pending = lab.a.phyp.begin("partition.suspend", name=move.name)
        lpm.until("it is written", lambda: files(lab.a))
        lab.a.phypd.signal(9)
        lab.a.phypd.kill()
        pending.drop()
        left = files(lab.a)
        lab.a.mspd.stop()
        lab.a.start()
        if move.name + ".image" in left:
            raise tap.Skip("it was written too fast")
        assert left == [".new-%s.image" % move.name], left
        assert not files(lab.a), files(lab.a)
        assert not lab.a.phyp("partition.list")["partitions"]


def damage(path, how):
    size = os.stat(path).st_size
    with open(path, "r+b") as file:
        if how == "emptied":
            file.truncate(0)
        elif how == "cut":
            file.truncate(size - 1)
        elif how == "changed in its head":
            file.seek(20)
            file.write(b"\xff")
        elif how == "changed in its pages":
            file.seek(size - 5000)
            byte = file.read(1)[0]
            file.seek(size - 5000)
            file.write(bytes([byte ^ 1]))


DAMAGES = ("emptied", "cut", "changed in its head", "changed in its pages")

for _how in DAMAGES:
    def _damaged(how=_how):
        with lpm.Lab() as lab:
            free = free_memory(lab.a)
            move = suspended(lab)
            damage(image(lab.a, move.name), how)
            text = lab.a.phyp.refused(lpm.FAILED, "partition.resume",
                                      name=move.name)
            assert move.name in text and "image" in text, text
            # Of what was read nothing is left, and it can be told by name
            show = wait_partition(lab.a, move.name, "Damaged")
            assert "image" in show["problem"], show
            assert free_memory(lab.a) == free
            lab.a.phyp.refused(lpm.FAILED, "stream.create", role="source",
                               stream_id=lab.next_id(), device="msp0",
                               partition=move.name)
            lpm.until("its memory is free", lambda: free_memory(lab.a) == free)
            assert files(lab.a) == [move.name + ".image"], files(lab.a)
            restart(lab.a)
            if "pages" not in how:
                show = lab.a.partition(move.name)
                assert show["state"] == "Damaged" and show["problem"], show
                assert move.name in lab.a.phypd.log(), "not logged"
            text = lab.a.phyp.refused(lpm.FAILED, "partition.resume",
                                      name=move.name)
            assert move.name in text and "image" in text, text
            wait_partition(lab.a, move.name, "Damaged")
            lab.a.phyp("partition.remove", name=move.name)
            assert not files(lab.a), files(lab.a)
    suite.test("an image that was %s" % _how, _damaged)


@suite.test("no room for the image: it goes on, and the disk is as before")
def _():
    if os.geteuid():
        raise tap.Skip("only root mounts")
    with lpm.Lab() as lab:
        small = os.path.join(lab.a.phyp_dir, "small")
        os.mkdir(small)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700,uid=%d,"
                        "gid=%d" % (lpm.USERS["phyp-A"], lpm.GROUP), "none",
                        small], check=True)
        try:
            lab.a.mspd.stop()
            assert lab.a.phypd.stop() == 0
            argv = lab.a.phypd.argv
            argv[argv.index("--state-dir") + 1] = small
            lab.a.state_dir = small
            lab.a.start()
            move = begin(lab)
            executing(lab.a, move.name)
            text = lab.a.phyp.refused(lpm.FAILED, "partition.suspend",
                                      name=move.name)
            assert "No space left" in text and move.name in text, text
            assert not files(lab.a), files(lab.a)
            assert lab.a.partition_state(move.name) in lpm.RUNNING
            # Nor does one arrive there
            other = begin(lab, name="other")
            other.src, other.dst = lab.b, lab.a
            lab.a.phyp("partition.shutdown", name=other.name)
            lab.a.phyp("partition.remove", name=other.name)
            lab.b.phyp("partition.create", name=other.name, **other.spec)
            lab.b.phyp("partition.activate", name=other.name)
            executing(lab.b, other.name)
            lab.b.phyp("partition.suspend", name=other.name)
            make(other).start_target().start_source()
            other.wait_state(source=("Aborted",), target=("Aborted",))
            wait_partition(lab.b, other.name, "Hibernated")
            lpm.until("its shell is gone", lambda: lab.a.partition_state(
                other.name) == "absent")
            assert not files(lab.a), files(lab.a)
            resume(lab.b, other.name)
            check_end(other, lab.b)
            check_end(move, lab.a)
        finally:
            lab.a.mspd.stop()
            lab.a.phypd.stop()
            subprocess.run(["umount", "-l", small], check=True)


# Killed anywhere: in the end exactly one system has it

def reach_pages(move):
    """Some pages have crossed."""
    move.relay.wait_bytes(0, MIB, lpm.PATIENCE_S)


def reach_suspended(move):
    """Everything has been sent, and the hand-over does not arrive."""
    move.relay.wait_bytes(0, MIB, lpm.PATIENCE_S)
    move.relay.hold_session(0)
    move.src.msp("suspend", stream_id=move.stream_id)
    move.wait_state(source=("Suspended",))


def reach_kept(move):
    """The target has a whole image, and no record."""
    move.src.msp("limit", stream_id=move.stream_id, bytes_per_second=0)
    move.src.msp("suspend", stream_id=move.stream_id)
    lpm.until("it is held", lambda: move.dst.stream(move.stream_id)["held"])
    assert files(move.dst) == [move.name + ".image", move.name + ".note"]
    assert move.dst.stream(move.stream_id)["record"] == "none"


def reach_recorded(move):
    """The record is written, and the source does not hear of it."""
    reach_kept(move)
    move.relay.block()
    move.dst.phyp("stream.release", stream_id=move.stream_id)
    assert move.dst.stream(move.stream_id)["record"] == "resumed"
    assert move.src.stream(move.stream_id)["state"] == "Suspended"


def reach_completed(move):
    reach_kept(move)
    move.dst.phyp("stream.release", stream_id=move.stream_id)
    move.wait_state(source=("Completed",), target=("Completed",))


# phase -> who has it in the end
PHASES = {
    "pages": (reach_pages, "A"),
    "Suspended": (reach_suspended, "A"),
    "image kept": (reach_kept, "A"),
    "record written": (reach_recorded, "B"),
    "Completed": (reach_completed, "B"),
}


def show_or_none(call, **params):
    try:
        return call(**params)
    except lpm.RpcError as error:
        assert error.code == lpm.NOT_FOUND, error
        return None


def owners(move, steady=False):
    """Systems where it can be resumed; with @steady also: no other than these."""
    found, others = [], []
    for system in (move.src, move.dst):
        show = show_or_none(lambda **p: system.phyp("partition.show", **p),
                            name=move.name)
        if not show or show["state"] in ("Shell", "Moved"):
            continue
        if show["state"] == "Hibernated" and "departing" not in show \
                and "arriving" not in show:
            found.append(system.name)
        else:
            others.append(system)
    # As long as nobody has told them the target's record
    for system in others if steady else ():
        system.phyp.refused(lpm.STATE, "partition.resume", name=move.name)
    return found


def recover(move):
    """As migrlpar -o r: the target's record, and the source acts on it."""
    verdict = move.dst.phyp("stream.verdict", stream_id=move.stream_id)
    stream = show_or_none(lambda **p: move.src.phyp("stream.show", **p),
                          stream_id=move.stream_id)
    if stream and stream["state"] in ("Aborted", "Completed"):
        return verdict["verdict"]
    move.src.phyp("stream.recover", stream_id=move.stream_id,
                  verdict=verdict["verdict"])
    return verdict["verdict"]


def tidy(move):
    """Nothing of the move is left but the partition itself."""
    for system in (move.dst, move.src):
        if show_or_none(lambda **p: system.phyp("stream.show", **p),
                        stream_id=move.stream_id):
            lpm.until("movers let go", lambda s=system: not s.stream(
                move.stream_id)["sessions"])
            system.phyp("stream.end", stream_id=move.stream_id)
        if system.partition_state(move.name) in ("Moved", "Shell"):
            system.phyp("partition.remove", name=move.name)


def killed(phase, victim):
    reach, owner = PHASES[phase]
    hold = phase in ("image kept", "record written", "Completed")
    with lpm.Lab(phyp=["--fault-injection"]) as lab:
        move = suspended(lab, relay={}, target=SLOW, debug={"hold_resume": hold},
                         source=dict(SLOW, suspend="manual", limit=16 * MIB))
        make(move).start_target().start_source()
        reach(move)
        daemon = {d.label: d for s in lab.systems
                  for d in (s.phypd, s.mspd)}[victim]
        daemon.kill()
        move.relay.cut()
        for system in lab.systems:
            if daemon is system.phypd:
                system.mspd.stop()
                system.start()
            elif daemon is system.mspd:
                system.start_mspd()
        assert len(owners(move, steady=True)) <= 1, owners(move)
        verdict = recover(move)
        assert verdict == ("never" if owner == "A" else "resumed"), verdict
        lpm.until("one has it", lambda: owners(move) == [owner])
        tidy(move)
        assert owners(move) == [owner], owners(move)
        here, there = (lab.a, lab.b) if owner == "A" else (lab.b, lab.a)
        assert files(here) == [move.name + ".image"], files(here)
        lpm.until("no image is left", lambda: not files(there))
        assert there.partition_state(move.name) == "absent"
        resume(here, move.name)
        check_end(move, here)


for _phase in PHASES:
    for _victim in ("phyp-A", "phyp-B", "msp-A", "msp-B"):
        suite.test("%s: %s killed" % (_phase, _victim),
                   lambda p=_phase, v=_victim: killed(p, v))


@suite.test("both platforms killed, and what they find when they start")
def _():
    for phase in ("image kept", "record written"):
        owner = PHASES[phase][1]
        with lpm.Lab(phyp=["--fault-injection"]) as lab:
            move = suspended(lab, relay={}, target=SLOW,
                             debug={"hold_resume": True},
                             source=dict(SLOW, suspend="manual"))
            make(move).start_target().start_source()
            PHASES[phase][0](move)
            for system in lab.systems:
                system.phypd.kill()
            for system in lab.systems:
                system.mspd.stop()
                system.start()
            # The target knows at once; the source waits to be told
            want = ["B"] if owner == "B" else []
            assert owners(move, steady=True) == want, owners(move)
            show = lab.a.partition(move.name)
            assert show["departing"] == move.stream_id, show
            assert show["peer"] == "B", show
            lab.a.phyp.refused(lpm.STATE, "partition.remove", name=move.name)
            # Nor does it move again, or tell what the target's record says
            lab.a.phyp.refused(lpm.STATE, "stream.create", role="source",
                               stream_id=lab.next_id(), device="msp0",
                               partition=move.name)
            lab.a.phyp.refused(lpm.STATE, "stream.verdict",
                               stream_id=move.stream_id)
            recover(move)
            lpm.until("one has it", lambda: owners(move) == [owner])
            here, there = (lab.a, lab.b) if owner == "A" else (lab.b, lab.a)
            assert not files(there), files(there)
            resume(here, move.name)
            check_end(move, here)


@suite.test("a shell for the other kind is refused, and the source has it")
def _():
    with lpm.Lab() as lab:
        move = suspended(lab)
        move.stream_id = lab.next_id()
        lab.b.phyp("partition.reserve", name=move.name, **move.spec)
        move.create_streams().start_target().start_source()
        move.wait("aborted", "failed", "parked")
        move.wait_state(source=("Aborted",), target=("Aborted",))
        wait_partition(lab.a, move.name, "Hibernated")
        resume(lab.a, move.name)
        check_end(move, lab.a)


@suite.test("stopped by the user before everything was sent")
def _():
    with lpm.Lab() as lab:
        free = free_memory(lab.a)
        move = suspended(lab, relay={}, target=SLOW,
                         source=dict(SLOW, suspend="manual", limit=8 * MIB))
        make(move).start_target().start_source()
        reach_pages(move)
        status = lab.a.msp("status", stream_id=move.stream_id)
        assert 0 < status["bytes_remaining"] < MEMORY, status
        assert lab.a.partition_state(move.name) == "Migrating - Hibernated"
        lab.a.phyp.refused(lpm.STATE, "partition.resume", name=move.name)
        lab.a.msp("stop", stream_id=move.stream_id)
        move.wait("aborted", "failed")
        move.wait_state(source=("Aborted",), target=("Aborted",))
        wait_partition(lab.a, move.name, "Hibernated")
        assert free_memory(lab.a) == free
        assert files(lab.a) == [move.name + ".image"], files(lab.a)
        # It may be tried again
        tidy(move)
        move.source, move.target = {}, {}
        cross(move)
        clean(move)
        resume(lab.b, move.name)
        check_end(move, lab.b)


@suite.test("damaged notes and records: nothing is decided")
def _():
    with lpm.Lab(phyp=["--fault-injection"]) as lab:
        move = suspended(lab, relay={}, target=SLOW, debug={"hold_resume": True},
                         source=dict(SLOW, suspend="manual"))
        make(move).start_target().start_source()
        reach_kept(move)
        for system in lab.systems:
            system.phypd.kill()
            system.mspd.stop()
        with open(os.path.join(lab.a.state_dir, "suspended",
                               move.name + ".note"), "r+b") as file:
            file.truncate(10)
        record = os.path.join(lab.b.state_dir,
                              "stream-%s.record" % move.stream_id)
        with open(record, "wb") as file:
            file.write(b"res")
        lpm.own(lab, "phyp-B", record)
        for system in lab.systems:
            system.start()
        assert owners(move, steady=True) == [], owners(move)
        show = lab.a.partition(move.name)
        assert show["state"] == "Damaged" and "note" in show["problem"], show
        assert "arriving" in lab.b.partition(move.name)
        assert glob.glob(image(lab.a, move.name))
        assert glob.glob(image(lab.b, move.name))


lpm.main(suite)
