#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Moves to systems of another console: --ip and -u, over SSH on both sides."""

import concurrent.futures
import os
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import interpreter  # noqa: E402

interpreter.need("paramiko")

import inventories  # noqa: E402
import inventory  # noqa: E402
import lpm  # noqa: E402
import tap  # noqa: E402
from console import codes, describe, make  # noqa: E402
from sshd import Reach  # noqa: E402

MIB = lpm.MIB
suite = tap.Suite()


class Two:
    """A console for each system of a lab; anna and watch of the first are known to both."""

    def __init__(self, lab, **options):
        whole = describe(lab)
        sides = [{"systems": [system]} for system in whole["systems"]]
        self.there = Reach(lab, sides[1], **options)
        self.here = Reach(lab, sides[0], hosts={"console2": self.there})

    def __enter__(self):
        self.trust("anna", "anna")
        self.trust("anna", "watch")
        return self

    def trust(self, user, remote):
        with open(self.here.key(user) + ".pub", encoding="utf-8") as file:
            self.there.login(remote)("mkauthkeys -a '%s'" % file.read().strip())

    def __exit__(self, *error):
        self.here.__exit__(*error)
        self.there.__exit__(*error)


# As op-test's cross_hmc_migration() has it
LINE = "migrlpar -o %s -m A -t B -p %s -u %s --ip %s %s"


@suite.test("a described partition moves to the other console's system, and back from there")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab, Two(lab) as two:
        anna = two.here.login("anna")
        before = inventories.both(lab)
        assert anna("lssyscfg -r sys -F name") == "A\n"
        anna("mkauthkeys -u anna --ip console2 --test")
        for mode in "vm":
            anna(LINE % (mode, "web1", "anna", "console2", ""))
        after = inventories.both(lab)
        inventories.check_migrated("web1", before, after)
        other = two.there.login("anna")
        assert other("lssyscfg -m B -r lpar --filter lpar_names=web1 -F state") == \
            "Running\n"
        moves = lab.b.phyp("partition.history", name="web1")["moves"]
        assert [(m["from"], m["to"], m["result"]) for m in moves] == \
            [("A", "B", "completed")], moves
        # One that is not activated has no movers
        before = after
        anna(LINE % ("m", "app1", "anna", "console2", ""))
        inventories.check_migrated("app1", before, inventories.both(lab))
        # What was done there is recorded there
        audit = two.there.audit()
        for method in ("partition.reserve", "stream.create", "start", "vios.attach",
                       "partition.create"):
            assert re.search(r"user=anna uid=\d+ from=127\.0\.0\.1:\d+ pid=\d+ "
                             r"role=hmcoperator end relay system=B (msp=\S+ )?method=%s (name=\"\w+\" )?error=0"
                             % re.escape(method), audit), (method, audit)
        assert "command=migrlpar -o m -m A -t B -p web1 -u anna --ip console2" in \
            two.here.audit()
        # Nothing of it stays: the next command knows this console's systems only
        text = anna("migrlpar -o v -m A -t B -p db1", status=1)
        assert codes(text) == ["LPM0004"], text


@suite.test("several, one stopped, one whose console there goes away and is recovered")
def _():
    with lpm.Lab() as lab, Two(lab) as two:
        anna = two.here.login("anna")
        moves = [make(lab, memory=16 * MIB) for _ in range(3)]
        anna(LINE % ("m", ",".join(m.name for m in moves), "anna", "console2", "--quiet"))
        for move in moves:
            assert move.runs_on() == ["B"], move.name
        slow = make(lab, memory=192 * MIB, program=lpm.program(600, 16 * MIB))
        anna(LINE % ("m", slow.name, "anna", "console2", "--async --limit 1M"))
        assert "Migration In Progress" in anna("lslparmigr -r lpar -m A -F "
                                               "name,migration_state")
        anna("migrlpar -o s -m A -p %s -u anna --ip console2" % slow.name)
        assert slow.runs_on() == ["A"]
        assert slow.name not in [p["name"] for p in
                                 lab.b.phyp("partition.list")["partitions"]]
        # Movers die: whoever recovers reaches the target's record the same way
        anna(LINE % ("m", slow.name, "anna", "console2", "--async --limit 1M"))
        stream = lab.a.phyp("stream.list")["streams"][0]["stream_id"]
        lab.a.mspd.kill()
        lab.b.mspd.kill()
        lpm.until("the sessions are gone",
                  lambda: not lab.a.stream(stream)["sessions"])
        anna("migrlpar -o r -m A -t B -p %s -u anna --ip console2" % slow.name)
        assert slow.runs_on() == ["A"]
        for system in lab.systems:
            assert not system.phyp("stream.list")["streams"], system.name


@suite.test("a query here tidies up first: the move ends there all the same")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab, Two(lab) as two:
        anna = two.here.login("anna")
        before = inventories.both(lab)
        pids = []

        def pause():
            found = re.findall(r"pid=(\d+) role=hmcoperator begin command=migrlpar",
                               two.here.audit())
            streams = lab.a.phyp("stream.list")["streams"]
            if found and streams and streams[0]["state"] not in ("Enabled", "Completed"):
                os.kill(int(found[-1]), signal.SIGSTOP)
                pids.append(int(found[-1]))
            return pids

        def ended():
            return not lab.a.phyp("stream.list")["streams"] or \
                anna("lslparmigr -r lpar -m A") is None
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            moved = pool.submit(two.here.login("anna"),
                                LINE % ("m", "web1", "anna", "console2", "--limit 20M"))
            lpm.until("it moves", pause)
            lpm.until("a query forgets it here", ended)
            assert lab.b.phyp("stream.list")["streams"]
            os.kill(pids[0], signal.SIGCONT)
            moved.result(lpm.PATIENCE_S)
        assert not lab.b.phyp("stream.list")["streams"]
        inventories.check_migrated("web1", before, inventories.both(lab))


@suite.test("hmcrelay forwards every method that the console calls")
def _():
    directory = os.path.join(lpm.TOP, "userspace/hmc")
    called, forwarded = set(), set()
    for name in sorted(os.listdir(directory)):
        if not name.endswith(".c"):
            continue
        with open(os.path.join(directory, name), encoding="utf-8") as file:
            text = file.read()
        found = set(re.findall(r'"((?:system|partition|stream|vios)\.\w+)"', text)) | \
            set(re.findall(r'msp_call\([^;"]*?, *"(\w+)"', text))
        if name == "relay.c":
            forwarded = found | set(re.findall(r'"(\w+)"', "".join(re.findall(
                r"mover_\w+\[\] = \{(.*?)\}", text, re.S))))
        else:
            called |= found
    assert len(called) > 25 and {"status", "wait", "partition.reserve"} <= called, called
    assert called <= forwarded, called - forwarded


@suite.test("who may not there, who is not known there, and where there is nobody")
def _():
    with lpm.Lab() as lab, Two(lab) as two:
        move = make(lab, memory=16 * MIB, program=lpm.program(600, MIB))
        anna = two.here.login("anna")

        def refused(user, host, *expected, mode="m", target="B"):
            line = LINE % (mode, move.name, user, host, "")
            text = anna(line.replace("-t B", "-t " + target), status=1)
            assert codes(text) == list(expected), (user, host, text)
            assert move.runs_on() == ["A"]
            assert not lab.b.phyp("partition.list")["partitions"]
            assert not lab.a.phyp("stream.list")["streams"]
            return text

        # A viewer there may validate, and does not move
        text = refused("watch", "console2", "HSCLA318")
        assert "HSCL350B" in text and "hmcviewer" in text, text
        anna(LINE % ("v", move.name, "watch", "console2", ""))
        text = refused("nobodys", "console2", "HSCL3653")
        assert "Permission denied" in text, text
        refused("hscroot", "console2", "HSCL3653")
        refused("anna", "127.0.0.1", "LPM0506")
        refused("anna", "no-such-host.invalid", "LPM0506")
        refused("anna", "console2", "LPM0004", target="X")
        # The host key is another one
        path = two.here.directory + "/etc/ssh/ssh_known_hosts"
        with open(path, encoding="utf-8") as file:
            known = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write("console2 " + two.here.host_key())
        text = refused("anna", "console2", "HSCL3653")
        assert "ost key" in text or "HOST" in text, text
        with open(path, "w", encoding="utf-8") as file:
            file.write("")
        refused("anna", "console2", "HSCL3653")
        with open(path, "w", encoding="utf-8") as file:
            file.write(known)
        # Its platform does not answer, or its mover
        lab.b.mspd.kill()
        refused("anna", "console2", "LPM0110")
        lab.b.phypd.kill()
        line = LINE % ("m", move.name, "anna", "console2", "")
        text = anna(line, status=1)
        assert codes(text) == ["HSCLA318"] and "LPM0101" in text, text


lpm.main(suite)
