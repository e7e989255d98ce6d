#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A running 1 GiB partition moves between two managed systems.

Two vasi-phypd and two mspd on this machine, each under a user id of its own, and
the commands that an operator types.  The partition's memory starts from a real file
and is written all the time, before, during and after the move.  In the end it must
be, byte for byte, what the same partition is that never moved.  Leaves no process
and no file behind.
"""

import argparse
import fcntl
import glob
import os
import subprocess
import sys
import threading
import time

PARSER = argparse.ArgumentParser(description=__doc__.split("\n")[0])
PARSER.add_argument("--build", default="build", help="where the programs are")
PARSER.add_argument("--memory", type=int, default=1024, metavar="MIB")
PARSER.add_argument("--file", help="what the memory starts from")
PARSER.add_argument("--rate", type=int, default=150, metavar="MB/S",
                    help="memory that the partition dirties")
PARSER.add_argument("--limit", type=int, default=400, metavar="MB/S",
                    help="bandwidth limit of the move, 0 = none")
PARSER.add_argument("--seconds", type=float, default=14,
                    help="how long the partition's program runs")
ARGS = PARSER.parse_args()

os.environ["BUILD"] = os.path.abspath(ARGS.build)
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import lpm  # noqa: E402
from console import Console  # noqa: E402

MB = 1000 * 1000
PAGE = 4096
WARM_UP_S = 1.0
TTY = sys.stdout.isatty()


def memory_file():
    """A large real file: a kernel image, else a compiler, else an interpreter."""
    if ARGS.file:
        return ARGS.file
    found = [path for pattern in ("/boot/vmlinuz-*",
                                  "/usr/lib/gcc/*/*/cc1",
                                  os.path.realpath(sys.executable))
             for path in sorted(glob.glob(pattern))]
    return found[0]


def say(text=""):
    print(text, flush=True)


def sh(console, line):
    """Show a command as it is typed, run it by a shell, and show what it says."""
    say("  $ " + line)
    done = subprocess.run(["sh", "-c", line], env=console.env, text=True,
                          cwd="/", stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=lpm.PATIENCE_S, check=False)
    for text in done.stdout.rstrip("\n").split("\n"):
        say("  " + text)
    return done.stdout


class Bar:
    """Passes the command's progress bar on: to a terminal as it is, else by lines."""

    def __init__(self):
        self.rest = ""

    def __call__(self, block):
        if TTY:
            sys.stdout.buffer.write(block)
            sys.stdout.flush()
            return
        looks = (self.rest + block.decode()).replace("\n", "").split("\r")
        self.rest = looks.pop()
        for look in looks:
            if look:
                say("  " + look.rstrip())

    def end(self):
        if self.rest:
            say("  " + self.rest.rstrip())


class Migration(threading.Thread):
    """migrlpar -o m, typed on a terminal while the demo looks at the systems.

    The console cleans up as soon as a move has ended.  Whoever holds the console
    file's lock keeps it from that: how the move went can still be seen.
    """

    def __init__(self, console, words):
        super().__init__(daemon=True)
        self.console = console
        self.words = words
        self.status = None
        say("  $ " + " ".join(words))
        self.start()

    def run(self):
        bar = Bar()
        self.status = self.console.on_terminal(*self.words, sink=bar)[0]
        bar.end()

    def begun(self, system):
        """The id of the stream, once the system's mover is at work."""
        def find():
            assert self.status is None, "it ended with status %r" % self.status
            moves = system.msp("list")["moves"]
            return moves and moves[0]["stream_id"]
        return lpm.until("the move begins", find)

    def end(self):
        self.join(lpm.PATIENCE_S)
        assert self.status == 0, "migrlpar ended with status %r" % self.status


def table(rows):
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        say("  %-*s  %s" % (width, name, value))


class Look:
    """The move as the systems see it, before the console has cleaned up.

    @since: when it was first looked at, and the steps that were executed by then
    """

    def __init__(self, move, since):
        self.since_ns, self.steps_before = since
        self.status = move.wait()[0]
        move.check_moved()
        self.source = move.src.stream(move.stream_id)
        self.target = move.dst.stream(move.stream_id)
        self.there = move.src.partition(move.name)

    def dirtied(self):
        """Bytes a second that the partition wrote on the source while it moved."""
        seconds = (self.there["last_step_ns"] - self.since_ns) / 1e9
        return (self.there["steps_here"] - self.steps_before) * PAGE / seconds


def report(move, look):
    """What the move was like; returns the figures that are asserted."""
    here = move.dst.partition(move.name)
    source, target = look.source, look.target
    pages = here["memory"] // here["granule"]
    facts = {
        "passes": source["passes"],
        "steps": here["steps_here"] / here["steps_total"],
        "kept": 1 - here["written_since_resume"] / pages,
        "dirtied": look.dirtied(),
    }
    total_ns = target["completed_ns"] - look.status["started_ns"]
    table([
        ("total time", "%.2f s" % (total_ns / 1e9)),
        ("blackout", "%.1f ms (last step there to first step here)" % (
            (here["first_step_ns"] - look.there["last_step_ns"]) / 1e6)),
        ("bytes sent", "%.0f MB" % (source["bytes"] / MB)),
        ("rate", "%.0f MB/s" % (source["bytes"] / (total_ns / 1e9) / MB)),
        ("dirtied meanwhile", "%.0f MB/s" % (facts["dirtied"] / MB)),
        ("passes", "%d complete, then the hand-over" % facts["passes"]),
        ("pages sent", "%d, %d of them again; %d as zero runs" % (
            source["pages"], source["resent"], source["zero_pages"])),
        ("pages demanded", "%d after Resumed; waited %d us median, %d us at most"
         % (target["demanded"], target["demand_us"]["p50"],
            target["demand_us"]["max"])),
        ("steps on the target", "%.0f %% of %d" % (facts["steps"] * 100,
                                                   here["steps_total"])),
        ("memory not written again", "%.0f %% after Resumed"
         % (facts["kept"] * 100)),
    ])
    return facts


def check(name, good, detail):
    say("  %-4s %s: %s" % ("ok" if good else "FAIL", name, detail))
    return good


def checks(facts, digest, reference):
    return all([
        check("at least two passes", facts["passes"] >= 2, facts["passes"]),
        check("at least 100 MB/s dirtied", facts["dirtied"] >= 100 * MB,
              "%.0f" % (facts["dirtied"] / MB)),
        check("a third of the steps on the target", facts["steps"] >= 1 / 3,
              "%.2f" % facts["steps"]),
        check("a third of the memory not written again", facts["kept"] >= 1 / 3,
              "%.2f" % facts["kept"]),
        check("digest as without a move", digest == reference, digest),
    ])


def migrate(lab, console, move):
    """The operator's part; returns what the move was like."""
    sh(console, "migrlpar -o v -m A -t B -p %s; echo $?" % move.name)
    words = ["migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p", move.name,
             "--downtime", "60"]
    if ARGS.limit:
        words += ["--limit", "%dM" % ARGS.limit]
    migration = Migration(console, words)
    with open(console.file, "rb") as file:
        move.stream_id = migration.begun(lab.a)
        fcntl.flock(file, fcntl.LOCK_SH)
        look = Look(move, (time.monotonic_ns(),
                           lab.a.partition(move.name)["steps_here"]))
    migration.end()
    assert lab.a.partition_state(move.name) == "absent", "it is left on A"
    sh(console, "lssyscfg -r lpar -m B -F name,state --filter lpar_names="
       + move.name)
    return look


def demo():
    path = memory_file()
    say("A partition of %d MiB moves from system A to system B." % ARGS.memory)
    say("  memory starts from %s; %d MB/s of it are dirtied all the time"
        % (path, ARGS.rate))
    with lpm.Lab() as lab:
        console = Console(lab)
        copy = lab.file("content", open(path, "rb").read())
        move = lab.move(
            memory=ARGS.memory << 20, name="demo",
            content={"type": "file", "path": copy},
            program=lpm.program(ARGS.seconds, ARGS.rate * MB, hot=0.2,
                                hot_share=0.9))
        lab.a.phyp("partition.create", name=move.name, **move.spec)
        lab.a.phyp("partition.activate", name=move.name)
        executed = int(WARM_UP_S * ARGS.rate * MB / PAGE)
        lpm.until("the partition warms up", lambda: lab.a.partition(
            move.name)["steps_here"] >= executed)
        look = migrate(lab, console, move)
        say("  moved; it runs to its end on system B ...")
        move.finish()
        facts = report(move, look)
        digest = move.digest()
        say("  the same partition runs without a move, for comparison ...")
        lab.b.phyp("partition.shutdown", name=move.name)
        lab.b.phyp("partition.remove", name=move.name)
        return checks(facts, digest, lab.reference(move.spec))


if __name__ == "__main__":
    try:
        sys.exit(0 if demo() else 1)
    except (AssertionError, TimeoutError, lpm.RpcError, OSError) as error:
        say("  FAIL %s" % error)
        sys.exit(1)
