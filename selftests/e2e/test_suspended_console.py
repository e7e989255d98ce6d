#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Suspended partitions, by what an HMC user types."""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import lpm  # noqa: E402
import tap  # noqa: E402
from console import Console, codes, make, unchanged  # noqa: E402

MIB = lpm.MIB
suite = tap.Suite()


def change(console, move, operation, system="A", status=0, more=()):
    return console("chlparstate", "-o", operation, "-m", system, "-p", move.name,
                   *more, status=status)


def migrate(console, move, *more, operation="m", status=0):
    return console("migrlpar", "-o", operation, "-m", "A", "-t", "B",
                   "-p", move.name, *more, status=status)


def state(console, move, system="A"):
    return console("lssyscfg", "-r", "lpar", "-m", system, "-F", "state",
                   "--filter", "lpar_names=" + move.name).strip()


def migration(console, move, *fields, system="A"):
    return console("lslparmigr", "-r", "lpar", "-m", system, "-F",
                   ",".join(fields), "--filter",
                   "lpar_names=" + move.name).strip()


def images(system):
    return os.listdir(os.path.join(system.state_dir, "suspended"))


def suspended(lab, console, **options):
    options.setdefault("program", lpm.program(2, 20 * MIB, hot=0.5))
    options.setdefault("memory", 24 * MIB)
    move = make(lab, **options)
    lpm.until("it executes", lambda: lab.a.partition(move.name)["steps"])
    assert change(console, move, "suspend") == ""
    assert state(console, move) == "Suspended"
    return move


def resumed(lab, console, move, system):
    assert change(console, move, "resume", system.name) == ""
    assert state(console, move, system.name) == "Running"
    move.finish(system)
    move.check_equal(system)


def nothing_left(lab, move, system):
    """The partition is there, and nothing of its move anywhere."""
    for each in lab.systems:
        assert not each.phyp("stream.list")["streams"], each.name
        found = [p["name"] for p in each.phyp("partition.list")["partitions"]]
        assert found == ([move.name] if each is system else []), found
        want = [move.name + ".image"] if each is system else []
        assert images(each) == want, images(each)


@suite.test("suspended, validated, migrated, resumed")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        move = suspended(lab, console)
        before = unchanged(lab)
        text = migrate(console, move, "-v", operation="v")
        assert "partition %s is Hibernated" % move.name in text, text
        assert "passed: mover" in text, text
        assert unchanged(lab) == before
        text = migrate(console, move, "-v")
        assert "is now on system B" in text and "not executed" not in text, text
        nothing_left(lab, move, lab.b)
        assert state(console, move, "B") == "Suspended"
        assert migration(console, move, "migration_state", system="B") \
            == "Not Migrating"
        text = change(console, move, "resume", "B", more=["-v"])
        assert text == "partition %s is resumed on system B\n" % move.name, text
        move.finish(lab.b)
        move.check_equal(lab.b)


@suite.test("what is typed when it cannot be")
def _():
    with lpm.Lab(phyp=["--memory", "40M"]) as lab:
        console = Console(lab)
        move = suspended(lab, console)
        assert codes(change(console, move, "suspend", status=1)) == ["HSCL05DF"]
        lab.a.phyp("partition.create", name="other", memory=24 * MIB)
        assert codes(change(console, move, "resume", status=1)) == ["LPM0102"]
        text = migrate(console, move, operation="v", status=1)
        assert codes(text) == ["LPM0104"] and "System A" in text, text
        lab.a.phyp("partition.remove", name="other")
        for arguments in (["-m", "A", "-p", "x"], ["-o", "suspend", "-p", "x"],
                          ["-o", "suspend", "-m", "A"],
                          ["-o", "off", "-m", "A", "-p", "x"],
                          ["-o", "resume", "-m", "A", "-p", "x", "--id", "1"],
                          ["-o", "resume", "-m", "A", "--id", "0"],
                          ["-o", "resume", "-m", "A", "-p", "x", "y"],
                          ["-o", "resume", "-m", "A", "-p", "x", "-t", "B"]):
            assert codes(console("chlparstate", *arguments, status=2)) \
                == ["LPM0001"], arguments
        assert codes(console("chlparstate", "-o", "resume", "-m", "A", "-p",
                             "nobody", status=1)) == ["HSCL8012"]
        assert codes(console("chlparstate", "-o", "resume", "-m", "C", "-p",
                             "nobody", status=1)) == ["LPM0004"]
        number = str(lab.a.partition(move.name)["lpar_id"])
        console("chlparstate", "-o", "resume", "-m", "A", "--id", number)
        assert codes(change(console, move, "resume", status=1)) == ["HSCL05DF"]
        move.finish(lab.a)
        move.check_equal(lab.a)


@suite.test("an image that is damaged")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        move = suspended(lab, console)
        path = os.path.join(lab.a.state_dir, "suspended", move.name + ".image")
        os.truncate(path, os.stat(path).st_size - 4096)
        text = change(console, move, "resume", status=1)
        assert codes(text) == ["LPM0102"] and "image" in text, text
        lpm.until("it is told", lambda: state(console, move) == "Not Available")
        assert codes(migrate(console, move, operation="v", status=1)) == \
            ["HSCL05DF"]


def start_slow(lab, console):
    """Its move has begun, and does not get far."""
    move = suspended(lab, console, memory=64 * MIB)
    migrate(console, move, "--async", "--limit", "4M")
    move.stream_id = lab.a.phyp("stream.list")["streams"][0]["stream_id"]
    return move


def start_stuck(lab, console):
    """Likewise; the source is Suspended, and the target does not get the rest."""
    move = start_slow(lab, console)
    lab.b.mspd.signal(signal.SIGSTOP)
    lab.a.msp("suspend", stream_id=move.stream_id)
    move.wait_state(source=("Suspended",))
    return move


@suite.test("watched while it moves, and stopped")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        move = start_slow(lab, console)
        assert state(console, move) == "Migrating - Suspended"
        assert migration(console, move, "migration_state", "migration_type",
                         "dest_sys_name") == "Migration In Progress,suspended,B"
        lpm.until("bytes are counted", lambda: int(migration(
            console, move, "bytes_transmitted")) > 0)
        assert int(migration(console, move, "bytes_remaining")) > 0
        assert codes(change(console, move, "resume", status=1)) == ["HSCL05DF"]
        console("migrlpar", "-o", "s", "-m", "A", "-p", move.name)
        lpm.until("it is an image again",
                  lambda: state(console, move) == "Suspended")
        nothing_left(lab, move, lab.a)
        resumed(lab, console, move, lab.a)


@suite.test("stopped too late")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        move = start_stuck(lab, console)
        assert codes(console("migrlpar", "-o", "s", "-m", "A", "-p", move.name,
                             status=1)) == ["HSCL05DF"]
        lab.b.mspd.signal(signal.SIGCONT)
        lab.a.msp("limit", stream_id=move.stream_id, bytes_per_second=0)
        move.wait_state(source=("Completed",))
        # A query cleans up
        lpm.until("it is cleaned up", lambda: not console(
            "lslparmigr", "-r", "lpar", "-m", "A", "-F", "name").count(move.name))
        resumed(lab, console, move, lab.b)


def kill_and_recover(victims):
    with lpm.Lab() as lab:
        console = Console(lab)
        move = start_stuck(lab, console)
        daemons = {d.label: (s, d) for s in lab.systems
                   for d in (s.phypd, s.mspd)}
        for victim in victims:
            daemons[victim][1].kill()
        for system in lab.systems:
            if not system.phypd.alive():
                system.mspd.stop()
                system.start()
            elif system.mspd.alive():
                system.mspd.signal(signal.SIGCONT)
            else:
                system.start_mspd()
        lpm.until("nobody is at work", lambda: not sum(
            s["sessions"] for x in lab.systems
            for s in x.phyp("stream.list")["streams"]))
        if "phyp-A" in victims:
            # Without a stream it is shown all the same
            assert migration(console, move, "migration_state", "migration_type",
                             "dest_sys_name") == "Migration Failed,suspended,B"
            for text in (change(console, move, "resume", status=1),
                         migrate(console, move, operation="v", status=1)):
                assert "HSCL05DF" in codes(text) and "-o r" in text, text
        text = console("migrlpar", "-o", "r", "-m", "A", "-p", move.name)
        assert "never" in text and "suspended on system A" in text, text
        lpm.until("it is an image again",
                  lambda: state(console, move) == "Suspended")
        lpm.until("the shell is gone",
                  lambda: lab.b.partition_state(move.name) == "absent")
        nothing_left(lab, move, lab.a)
        assert codes(console("migrlpar", "-o", "r", "-m", "A", "-p", move.name,
                             status=1)) == ["HSCL05DF"]
        # It can migrate now
        migrate(console, move)
        nothing_left(lab, move, lab.b)
        resumed(lab, console, move, lab.b)


for _victims in (("phyp-A",), ("phyp-B",), ("phyp-A", "phyp-B"), ("msp-A",),
                 ("phyp-A", "msp-A", "phyp-B", "msp-B")):
    suite.test("%s killed, and migrlpar -o r" % " and ".join(_victims),
               lambda v=_victims: kill_and_recover(v))


@suite.test("the source killed when it had been told, and migrlpar -o r")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        move = suspended(lab, console)
        migrate(console, move, "--async")
        move.stream_id = lab.a.phyp("stream.list")["streams"][0]["stream_id"]
        move.wait_state(source=("Completed",), target=("Completed",))
        lab.a.phypd.kill()
        lab.a.mspd.stop()
        lab.a.start()
        # Both have an image; one of them can be resumed
        assert images(lab.b) == [move.name + ".image"], images(lab.b)
        assert codes(change(console, move, "resume", status=1)) == ["HSCL05DF"]
        text = console("migrlpar", "-o", "r", "-m", "A", "-p", move.name)
        assert "resumed" in text and "suspended on system B" in text, text
        nothing_left(lab, move, lab.b)
        resumed(lab, console, move, lab.b)


@suite.test("the target does not answer: nothing is changed")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        move = start_stuck(lab, console)
        for system in lab.systems:
            system.phypd.kill()
        lab.a.mspd.stop()
        lab.a.start()
        text = console("migrlpar", "-o", "r", "-m", "A", "-p", move.name, status=1)
        assert codes(text) == ["LPM0101"], text
        assert lab.a.partition(move.name)["departing"] == move.stream_id
        lab.b.mspd.signal(signal.SIGCONT)
        lab.b.mspd.stop()
        lab.b.start()
        console("migrlpar", "-o", "r", "-m", "A", "-p", move.name)
        nothing_left(lab, move, lab.a)
        resumed(lab, console, move, lab.a)


lpm.main(suite)
