#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""lpmtop: what it shows, on a terminal and without one, and what its keys do."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import lpm  # noqa: E402
import tap  # noqa: E402
from console import Console, codes, describe, make  # noqa: E402
from terminal import Terminal  # noqa: E402

MIB = lpm.MIB
NOBODY = 65534
suite = tap.Suite()


def begin(lab, console, count=3, limit="1M"):
    """Moves that do not get far, in the order in which they began."""
    moves = [make(lab, memory=64 * MIB, program=lpm.program(600, 4 * MIB, seed=n))
             for n in range(count)]
    for move in moves:
        console("migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p", move.name, "--async",
                "--limit", limit)
        move.stream_id = next(s["stream_id"] for s in
                              lab.a.phyp("stream.list")["streams"]
                              if s["partition"] == move.name)
    return moves


def top(console, *words, rows=24, columns=80, before=()):
    return Terminal([*before, lpm.programs() + "/lpmtop", "--interval", "100", *words],
                    console.env, rows, columns)


def limit_of(lab, move):
    return lab.a.msp("status", stream_id=move.stream_id)["limit"]


@suite.test("--once and --json tell the same without a terminal")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        assert console("lpmtop", "--once") == "No partition migrates.\n"
        assert json.loads(console("lpmtop", "--json")) == {
            "systems": [{"name": n, "answers": True, "problem": ""} for n in "AB"],
            "moves": []}
        move = begin(lab, console, 1)[0]
        line = console("lpmtop", "--once")
        assert re.fullmatch(
            r"%s: A > B, moving, \d+ %%, [\d.]+ MB/s, written [\d.]+ MB/s, pass \d+, "
            r"movers vios-A > vios-B\n" % move.name, line), line
        lpm.until("something is sent", lambda: lab.a.msp(
            "status", stream_id=move.stream_id)["bytes_transmitted"])
        told = json.loads(console("lpmtop", "--json", "-m", "A"))
        assert [s["name"] for s in told["systems"]] == ["A"], told
        status = lab.a.msp("status", stream_id=move.stream_id)
        told = told["moves"][0]
        for name, value in (("name", move.name), ("stream_id", move.stream_id),
                            ("source_sys_name", "A"), ("dest_sys_name", "B"),
                            ("source_msp_name", "vios-A"), ("dest_msp_name", "vios-B"),
                            ("state", "Enabled"), ("phase", "moving"), ("gone", False),
                            ("limit", 1000000), ("bytes_total", status["bytes_total"])):
            assert told[name] == value, (name, told)
        assert 0 < told["bytes_transmitted"] <= status["bytes_transmitted"], told
        # The target's stream is the same migration
        assert console("lpmtop", "--once", "-m", "B") == "No partition migrates.\n"
        lab.b.phypd.stop()
        done = console.run("lpmtop", "--once")
        assert done.returncode == 1 and move.name in done.stdout, done
        assert "system B does not answer" in done.stdout, done


@suite.test("wrong usage, no console file and no terminal are told")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        for words in (["-m"], ["--interval", "99"], ["--interval", "x"], ["-x"], ["stray"],
                      ["--once", "--json", "stray"]):
            assert codes(console("lpmtop", *words, status=2)) == ["LPM0001"], words
        assert codes(console("lpmtop", "--once", "-m", "C", status=1)) == ["LPM0004"]
        assert codes(console("lpmtop", "--console", "/nowhere", status=2)) == ["LPM0002"]
        assert codes(console("lpmtop", status=1)) == ["LPM0251"]


@suite.test("it shows all migrations, and of one its rates, passes and where it writes")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        with top(console) as terminal:
            terminal.wait(r"^No partition migrates\.")
            moves = begin(lab, console)
            for move in moves:
                terminal.wait(r"^%s +A > B +moving +\d+%% +[\d.]+ +[\d.]+ +0 +\d+ s"
                              % move.name)
            text = terminal.wait(r"3 migrations")
            lines = terminal.screen.lines()
            assert len(lines) == 24 and lines[0].startswith("lpmtop  A  B"), text
            assert lines[1].split()[:4] == ["PARTITION", "FROM", ">", "TO"], text
            assert [line.split()[0] for line in lines[2:5]] == [m.name for m in moves]
            # The first one is selected
            terminal.wait(r"^-- %s: A > B, movers vios-A > vios-B, limit 1.00 MB/s, stream %s"
                          % (moves[0].name, moves[0].stream_id[:4]))
            terminal.wait(r"^sent [\d.]+ MB/s, scale [125]0*(\.0*)? MB/s +written (?!0\.00)")
            # Both graphs reach the right of their half
            terminal.wait(r"^.{36,38}#.*#$")
            terminal.wait(r"^ +0 +\d+\.\d +\d+\.?\d* +\d+\.?\d* +\d")
            terminal.wait(r"WHERE IT WRITES\n.*[#*+]")
            heat = [(c, colour) for row, colours in zip(terminal.screen.cells,
                                                        terminal.screen.colours)
                    for c, colour in list(zip(row, colours))[46:] if colour == 1 and
                    c == "#"]
            assert heat, "nothing is hot: " + terminal.screen.text()
            terminal.press("down")
            terminal.wait(r"^-- %s:" % moves[1].name)
            terminal.press("j", "j", "j")
            terminal.wait(r"^-- %s:" % moves[2].name)
            terminal.press("up", "k", "k")
            terminal.wait(r"^-- %s:" % moves[0].name)
            terminal.press("h")
            terminal.wait(r"^s +stop it")
            terminal.press("x")
            terminal.wait("WHERE IT WRITES")
            terminal.press("q")
            assert terminal.end() == 0
        # Nobody has touched them
        assert all(m.states() == ("Enabled", "Enabled") for m in moves)


@suite.test("keys stop a migration, once confirmed, and change its limit")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        moves = begin(lab, console, 2)
        with top(console) as terminal:
            terminal.wait(r"^-- %s:" % moves[0].name)
            terminal.press("l")
            terminal.wait(r"^Bandwidth limit of %s .*: _$" % moves[0].name)
            terminal.press("7", "x", "9", "backspace", "M", "enter")
            terminal.wait("the limit is changed")
            assert limit_of(lab, moves[0]) == 7000000
            assert limit_of(lab, moves[1]) == 1000000
            terminal.wait("limit 7.00 MB/s")
            terminal.press("l", "K", "enter")
            terminal.wait('"K" is no number')
            terminal.press("l", "9", "escape")
            terminal.wait("down select")
            assert limit_of(lab, moves[0]) == 7000000
            terminal.press("down")
            terminal.wait(r"^-- %s:" % moves[1].name)
            terminal.press("s")
            terminal.wait(r"^Stop the migration of %s\? \(y/n\)$" % moves[1].name)
            terminal.press("n")
            terminal.wait("Stop the migration", absent=True)
            assert moves[1].states() == ("Enabled", "Enabled")
            terminal.press("s", "y")
            terminal.wait(r"^stopped")
            assert moves[1].runs_on() == ["A"]
            assert len(lab.a.phyp("stream.list")["streams"]) == 1
            terminal.wait(r"^%s +A > B +gone" % moves[1].name)
            terminal.press("s")
            terminal.wait("no migration to do that with")
            # One that cannot be stopped any more says why
            lab.a.msp("limit", stream_id=moves[0].stream_id, bytes_per_second=0)
            moves[0].wait()
            terminal.press("up")
            terminal.wait(r"^-- %s:" % moves[0].name)
            terminal.press("s", "y")
            terminal.wait(r"^HSC\w+ .*%s" % moves[0].name)
            terminal.press("q")
            assert terminal.end() == 0


@suite.test("what was asked about one that is forgotten is not answered for another")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        moves = begin(lab, console, 2)
        with top(console) as terminal:
            terminal.wait("2 migrations")
            terminal.press("down")
            terminal.wait(r"^-- %s:" % moves[1].name)
            terminal.press("s")
            terminal.wait(r"^Stop the migration of %s\?" % moves[1].name)
            console("migrlpar", "-o", "s", "-m", "A", "-p", moves[1].name)
            terminal.wait(r"^%s +A > B +gone" % moves[1].name)
            # It is shown for a while
            terminal.wait("1 migrations")
            terminal.wait("Stop the migration", absent=True)
            terminal.press("y", "q")
            assert terminal.end() == 0
        assert moves[0].states() == ("Enabled", "Enabled")


@suite.test("it survives another size, and a system that goes and comes back")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        moves = begin(lab, console)
        with top(console) as terminal:
            terminal.wait("WHERE IT WRITES")
            terminal.resize(30, 140)
            terminal.wait(r"MOVERS$")
            terminal.wait(r"vios-A > vios-B$")
            # From the first row to the last
            terminal.wait(r"\Alpmtop(.*\n){29}up/down select.*\Z")
            terminal.resize(8, 60)
            terminal.wait(r"^lpmtop(.*\n)+%s" % moves[0].name)
            terminal.wait("WHERE IT WRITES", absent=True)
            terminal.resize(3, 15)
            terminal.wait("^too small")
            terminal.resize(24, 80)
            terminal.wait("WHERE IT WRITES")
            description = describe(lab)
            assert description["systems"][1]["name"] == "B"
            lab.a.phypd.kill()
            terminal.wait(r"^lpmtop  A does not answer  B")
            # What was known is still there
            assert moves[0].name in terminal.screen.text()
            terminal.press("down")
            terminal.wait(r"^-- %s:" % moves[1].name)
            lab.a.mspd.stop()
            lab.a.start()
            terminal.wait("does not answer", absent=True)
            # It has forgotten its streams
            terminal.wait(r"^%s +A > B +gone" % moves[0].name)
            terminal.press("q")
            assert terminal.end() == 0


@suite.test("a user who may only look may not stop anything")
def _():
    with lpm.Lab() as lab:
        if not lab.root:
            raise tap.Skip("needs root for a user of its own")
        console = Console(lab)
        move = begin(lab, console, 1)[0]
        console = Console(lab, dict(describe(lab), users=[
            {"name": "nobody", "taskrole": "hmcviewer"}]))
        before = ["/usr/bin/setpriv", "--reuid", str(NOBODY), "--regid", str(lpm.GROUP),
                  "--clear-groups"]
        with top(console, before=before) as terminal:
            terminal.wait(r"^-- %s:" % move.name)
            for key in "sl":
                terminal.press(key)
                terminal.wait("User nobody may only look")
                terminal.press("up")
                terminal.wait("down select")
            terminal.press("q")
            assert terminal.end() == 0
        assert move.states() == ("Enabled", "Enabled")
        assert limit_of(lab, move) == 1000000


lpm.main(suite)
