#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Several partitions in one command: limits, order, failures, and what is told."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import inventories  # noqa: E402
import inventory  # noqa: E402
import lpm  # noqa: E402
import many  # noqa: E402
import tap  # noqa: E402
import usage  # noqa: E402
from console import Console, codes, make  # noqa: E402
from terminal import Terminal  # noqa: E402

MIB = lpm.MIB
suite = tap.Suite()

EVACUATED = 40
PER_MSP, PER_SYSTEM = 8, 16
SUMMARY = re.compile(
    r"^(\d+) of (\d+) partitions (?:migrated|move) in ([0-9.]+) s; each waited for "
    r"([0-9.]+) to ([0-9.]+) s and took ([0-9.]+) to ([0-9.]+) s$", re.M)


def partitions(lab, count, memory=2 * MIB, **options):
    options.setdefault("program", None)
    program = options.pop("program")
    return [make(lab, memory=memory,
                 program=program or lpm.program(4, MIB // 4, seed=n), **options)
            for n in range(count)]


def command(console, *more, operation="m"):
    """migrlpar, without waiting for its end."""
    return subprocess.Popen(
        [console.bin + "/migrlpar", "-o", operation, "-m", "A", "-t", "B"] + list(more),
        env=console.env, text=True, cwd="/", stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ended(process, status=0):
    """What it said, once it has ended."""
    out, err = process.communicate(timeout=lpm.PATIENCE_S)
    assert process.returncode == status, (process.returncode, out, err)
    return out, err


def names(moves):
    return ",".join(m.name for m in moves)


def clean(lab):
    """No stream, shell, or partition that has moved is left."""
    for system in lab.systems:
        assert not system.phyp("stream.list")["streams"], system.name
        states = {p["state"] for p in system.phyp("partition.list")["partitions"]}
        assert not states & {"Shell", "Moved"}, states


def movers(lab):
    return [(s, m) for s in lab.systems for m in [s.msp] +
            ([s.second.msp] if s.second else [])]


def watched(lab):
    """What systems and movers say of themselves while something happens."""
    functions = {("system", s.name): lambda s=s: s.phyp("system.info")["streams"]
                 for s in lab.systems}
    for number, (system, msp) in enumerate(movers(lab)):
        functions["mover", system.name, number] = \
            lambda m=msp: m("info")["operations"]
    return usage.Peaks(functions)


def events(out):
    return [json.loads(line) for line in out.splitlines()]


@suite.test("%d partitions are evacuated with one command, never more than %d at a "
            "mover and %d at a system" % (EVACUATED, PER_MSP, PER_SYSTEM))
def _():
    with lpm.Lab(second=True) as lab:
        console = Console(lab)
        moves = partitions(lab, EVACUATED)
        with watched(lab) as peaks:
            out, err = ended(command(console, "--all", "--limit", "2M", "-w", "5"))
        assert not err, err
        told = SUMMARY.search(out)
        assert told and told.group(1) == told.group(2) == str(EVACUATED), out
        lpm.note(told.group(0))
        for what, peak in sorted(peaks.peaks.items()):
            most = PER_SYSTEM if what[0] == "system" else PER_MSP
            assert peak <= most, (what, peak)
            # It was worth it: the queue has formed, and both movers had their share
            assert peak > most // 2, (what, peak)
        lpm.note("%d looks; at once at systems %s, at movers %s" % (
            peaks.samples,
            [p for w, p in sorted(peaks.peaks.items()) if w[0] == "system"],
            [p for w, p in sorted(peaks.peaks.items()) if w[0] == "mover"]))
        durations = [float(told.group(n)) for n in (6, 7)]
        lpm.note("fairness of the shortest and the longest: %.3f"
                 % many.jain(durations))
        assert not lab.a.phyp("partition.list")["partitions"]
        clean(lab)
        for move in moves:
            move.finish()
            move.check_equal()


@suite.test("two commands at once stay below the limits together, and both end well")
def _():
    with lpm.Lab(config={"max_vasi_ops": 3}) as lab:
        console = Console(lab)
        moves = partitions(lab, 16)
        with watched(lab) as peaks:
            both = [command(console, "-p", names(part), "--limit", "4M", "--json")
                    for part in (moves[:8], moves[8:])]
            outs = [ended(process)[0] for process in both]
        for what, peak in peaks.peaks.items():
            assert what[0] == "system" or peak == 3, (what, peak)
        lpm.note("came back to the queue: %s" % [
            sum(e["event"] == "again" for e in events(out)) for out in outs])
        for out in outs:
            assert events(out)[-1]["done"] == 8, out
        assert all(m.runs_on() == ["B"] for m in moves)
        clean(lab)


@suite.test("one that finds no place alone is refused; in a queue it waits for it")
def _():
    with lpm.Lab(config={"max_vasi_ops": 1}) as lab:
        console = Console(lab)
        first, second = partitions(lab, 2, memory=16 * MIB)
        console("migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p", first.name, "--async",
                "--limit", "1M")
        text = console("migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p", second.name,
                       status=1)
        assert codes(text) == ["LPM0113"] * 2, text
        process = command(console, "-p", second.name, "--json")
        line = json.loads(process.stdout.readline())
        assert line["event"] == "waiting" and line["partition"] == second.name, line
        stream = lab.a.phyp("stream.list")["streams"][0]["stream_id"]
        assert lab.a.msp("info")["operations"] == 1
        lab.a.msp("limit", stream_id=stream, bytes_per_second=0)
        out, err = ended(process)
        assert not err, err
        assert [e["event"] for e in events(out) if e["event"] != "status"] == \
            ["begun", "valid", "moving", "ended", "summary"], out
        console("lslparmigr", "-r", "lpar", "-m", "A")
        assert first.runs_on() == second.runs_on() == ["B"]
        clean(lab)


@suite.test("one that fails does not keep the others; what failed is told at the end")
def _():
    with lpm.Lab(config={"max_vasi_ops": 2}) as lab:
        console = Console(lab)
        moves = partitions(lab, 6)
        taken = moves[2]
        lab.b.phyp("partition.create", name=taken.name, **taken.spec)
        order = ",".join(["nobody", names(moves)])
        text = console.run("migrlpar", "-o", "v", "-m", "A", "-t", "B", "-p", order)
        assert text.returncode == 1 and "LPM0246 2 of 7" in text.stderr, text
        out, err = ended(command(console, "-p", order), 1)
        assert codes(err) == ["HSCL8012", "LPM0103", "LPM0246"], err
        assert re.search(r"^LPM0103 %s: " % taken.name, err, re.M), err
        assert re.search(r"^HSCL8012 nobody: ", err, re.M), err
        last = err.splitlines()[-1]
        assert "2 of 7" in last and "nobody, " + taken.name in last, err
        assert SUMMARY.search(out).group(1) == "5", out
        for move in moves:
            assert move.runs_on() == (["A"] if move is taken else ["B"]), move.name
        # The same as JSON: the last line has all of it
        out, _ = ended(command(console, "-p", "nobody," + taken.name, "--json"), 1)
        summary = events(out)[-1]
        assert summary["event"] == "summary" and summary["partitions"] == 2, summary
        assert summary["failed"] == ["nobody", taken.name] and not summary["done"]
        told = [e for e in events(out) if e["event"] == "message"]
        assert {(e["partition"], e["code"]) for e in told} == \
            {("nobody", "HSCL8012"), (taken.name, "LPM0103")}, told
        assert all(e["text"] and "LPM" not in e["text"] for e in told), told


@suite.test("one that needs no mover is not held up by those that wait for one")
def _():
    with lpm.Lab(config={"max_vasi_ops": 1}) as lab:
        console = Console(lab)
        moves = partitions(lab, 3)
        still = make(lab, activate=False, memory=MIB)
        out, _ = ended(command(console, "-p", names(moves + [still]), "--json",
                               "--limit", "4M"))
        told = [(e["event"], e.get("partition")) for e in events(out)]
        assert told.index(("ended", still.name)) < told.index(("begun", moves[1].name)), \
            told
        # The others in the order they were given
        order = [name for event, name in told if event == "begun" and name != still.name]
        assert order == [m.name for m in moves], order
        assert lab.b.partition_state(still.name) == "Not Activated"
        assert lab.a.partition_state(still.name) == "absent"
        clean(lab)


@suite.test("-w counts for the whole command: the rest stays where it was")
def _():
    with lpm.Lab(config={"max_vasi_ops": 2}) as lab:
        console = Console(lab)
        moves = partitions(lab, 4, memory=64 * MIB)
        begun = time.monotonic()
        out, err = ended(command(console, "--all", "--limit", "1M", "-w", "0.03"), 1)
        assert time.monotonic() - begun < 15 * lpm.SLOW
        assert codes(err) == ["LPM0202"] * 2 + ["LPM0203"] * 2 + ["LPM0204"] * 2 + \
            ["LPM0245", "LPM0246"], err
        assert "4 of 4" in err and "2 partitions had no turn" in err, err
        assert out == "none of 4 partitions has migrated\n", out
        assert all(m.runs_on() == ["A"] for m in moves)
        clean(lab)


@suite.test("a system that does not answer ends the whole command")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        moves = partitions(lab, 5)
        lab.b.phypd.stop()
        _, err = ended(command(console, "--all"), 1)
        assert "LPM0101" in codes(err) and "LPM0247" in codes(err), err
        assert "4 partitions were not tried" in err, err
        assert all(lab.a.partition_state(m.name) in lpm.RUNNING for m in moves)


@suite.test("--async: it returns when the last one moves, and all arrive")
def _():
    with lpm.Lab(config={"max_vasi_ops": 2}) as lab:
        console = Console(lab)
        moves = partitions(lab, 6)
        out, err = ended(command(console, "-p", names(moves), "--async",
                                 "--limit", "4M"))
        assert not err and SUMMARY.search(out).group(1) == "6", (out, err)
        lpm.until("all have arrived", lambda: "No results" in console(
            "lslparmigr", "-r", "lpar", "-m", "A"))
        assert all(m.runs_on() == ["B"] for m in moves)
        clean(lab)


def ours(console):
    """Processes of this console's commands."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/environ" % pid, "rb") as file:
                if console.file.encode() in file.read():
                    found.append(int(pid))
        except OSError:
            continue
    return found


def interrupted(lab, console, moves, interrupt):
    """A command that ends while two of its moves are under way; who comes next."""
    pid, terminal = pty.fork()
    if not pid:
        # Whoever runs the tests may ignore it, as a shell in the background does
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execve(console.bin + "/migrlpar",
                  ["migrlpar", "-o", "m", "-m", "A", "-t", "B", "--all",
                   "--limit", "2M"], console.env)
    streams = lambda: lab.a.phyp("stream.list")["streams"]
    lpm.until("two move", lambda: len([s for s in streams() if s["bytes"]]) == 2)
    interrupt(pid, terminal)
    status = lpm.until("it has been ended by a signal",
                       lambda: os.waitpid(pid, os.WNOHANG)[1])
    os.close(terminal)
    assert os.WIFSIGNALED(status), status
    lpm.until("all workers are gone", lambda: not ours(console))
    # The moves do not care; nobody begins another one
    assert len(streams()) == 2
    for stream in streams():
        assert stream["state"] == "Enabled", stream
        lab.a.msp("limit", stream_id=stream["stream_id"], bytes_per_second=0)
    out, err = ended(command(console, "--all"))
    assert not err and SUMMARY.search(out), (out, err)
    lpm.until("the first ones are cleaned up", lambda: "No results" in console(
        "lslparmigr", "-r", "lpar", "-m", "A"))
    assert all(m.runs_on() == ["B"] for m in moves)
    clean(lab)


@suite.test("Ctrl-C leaves the moves to themselves; another command does the rest")
def _():
    with lpm.Lab(config={"max_vasi_ops": 2}) as lab:
        interrupted(lab, Console(lab), partitions(lab, 5, memory=32 * MIB),
                    lambda pid, terminal: os.write(terminal, b"\x03"))


@suite.test("so does the death of the command alone: its workers die with it")
def _():
    with lpm.Lab(config={"max_vasi_ops": 2}) as lab:
        interrupted(lab, Console(lab), partitions(lab, 5, memory=32 * MIB),
                    lambda pid, terminal: os.kill(pid, signal.SIGKILL))


@suite.test("partitions of described systems, with all that hosts them, there and back")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab:
        console = Console(lab)
        start = inventories.both(lab)
        all_of_them = set(start["A"]["partitions"])
        assert len(all_of_them) == 3, all_of_them
        out, err = ended(command(console, "--all"))
        assert SUMMARY.search(out).group(1) == "3" and not err, (out, err)
        there = inventories.both(lab)
        assert set(there["B"]["partitions"]) == all_of_them, there["B"]["partitions"]
        assert not there["A"]["partitions"]
        out = console("migrlpar", "-o", "m", "-m", "B", "-t", "A", "--all", "--json")
        known = {"waiting", "begun", "valid", "mappings", "moving", "status", "ended",
                 "summary", "again", "prediction", "message", "said"}
        assert {e["event"] for e in events(out)} <= known, out
        assert events(out)[-1]["done"] == 3, out
        end = inventories.both(lab)
        assert end["B"] == start["B"]
        assert set(end["A"]["partitions"]) == all_of_them
        clean(lab)


@suite.test("a bar for each on a terminal, as many as it has lines for; messages above")
def _():
    with lpm.Lab(config={"max_vasi_ops": 6}) as lab:
        console = Console(lab)
        moves = partitions(lab, 9, memory=4 * MIB)
        with Terminal([console.bin + "/migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p",
                       "nobody," + names(moves), "--limit", "1M"], console.env,
                      rows=12, columns=70) as terminal:
            terminal.wait(r"^HSCL8012 nobody: ")
            for move in moves[:6]:
                terminal.wait(r"^%s +\[#* *\] +\d+ %% moving" % move.name)
            terminal.wait(r"^6 at work, 3 waiting, 0 done, 1 failed$")
            # Fewer lines: the rest is only counted
            terminal.resize(5, 70)
            terminal.wait(r"^6 at work")
            shown = [line for line in terminal.screen.lines() if "[" in line]
            assert 0 < len(shown) <= 3, terminal.screen.text()
            assert all(len(line) < 70 for line in shown), shown
            terminal.resize(24, 70)
            for stream in lab.a.phyp("stream.list")["streams"]:
                lab.a.msp("limit", stream_id=stream["stream_id"], bytes_per_second=0)
            text = terminal.wait(r"^9 of 10 partitions migrated in")
            assert terminal.end() == 1
            text = terminal.screen.text()
            assert "0 at work, 0 waiting, 9 done, 1 failed" in text, text
            assert re.search(r"^LPM0246 1 of 10", text, re.M), text


lpm.main(suite)
