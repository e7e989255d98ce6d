#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A running 1 GiB partition moves between two managed systems.

Two vasi-phypd and two mspd on this machine, each under a user id of its own.
The partition's memory starts from a real file and is written all the time, before,
during and after the move.  In the end it must be, byte for byte, what the same
partition is that never moved.  Leaves no process and no file behind.
"""

import argparse
import glob
import os
import sys
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

MB = 1000 * 1000
PAGE = 4096
WARM_UP_S = 1.0
ENDED = ("completed", "aborted", "parked", "failed")
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


def progress(status, started, last):
    """One line of progress; on a terminal it replaces the last."""
    total = status["bytes_total"] or 1
    left = status["bytes_remaining"]
    share = 1.0 if status["phase"] == "completed" else \
        max(0.0, min(1.0, 1 - left / total))
    bar = "#" * int(share * 30)
    line = "  [%-30s] %3d %%  %-10s %5.0f MB/s  dirtied %4.0f MB/s  %5.1f s" % (
        bar, share * 100, status["phase"], status["rate"] / MB,
        status["dirty_rate"] / MB, time.monotonic() - started)
    if TTY:
        print("\r" + line, end="", flush=True)
    elif line[:40] != last[:40]:
        say(line)
    return line


def watch(move):
    """Show the move until it has ended."""
    started = time.monotonic()
    line = ""
    while True:
        status = move.src.msp("status", stream_id=move.stream_id)
        line = progress(status, started, line)
        if status["phase"] in ENDED:
            break
        try:
            move.src.msp("wait", stream_id=move.stream_id, phase="ended",
                         timeout_ms=100)
        except lpm.RpcError:
            pass
    if TTY:
        say()
    return status


def table(rows):
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        say("  %-*s  %s" % (width, name, value))


def dirtied(there, steps_before, started_ns):
    """Bytes a second that the partition wrote on the source while it moved."""
    seconds = (there["last_step_ns"] - started_ns) / 1e9
    return (there["steps_here"] - steps_before) * PAGE / seconds


def report(move, source, target, status, steps_before):
    """What the move was like; returns the figures that are asserted."""
    here = move.dst.partition(move.name)
    there = move.src.partition(move.name)
    pages = here["memory"] // here["granule"]
    facts = {
        "passes": source["passes"],
        "steps": here["steps_here"] / here["steps_total"],
        "kept": 1 - here["written_since_resume"] / pages,
        "dirtied": dirtied(there, steps_before, status["started_ns"]),
    }
    total_ns = target["completed_ns"] - status["started_ns"]
    table([
        ("total time", "%.2f s" % (total_ns / 1e9)),
        ("blackout", "%.1f ms (last step there to first step here)" % (
            (here["first_step_ns"] - there["last_step_ns"]) / 1e6)),
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


def demo():
    path = memory_file()
    memory = ARGS.memory << 20
    say("A partition of %d MiB moves from system A to system B." % ARGS.memory)
    say("  memory starts from %s; %d MB/s of it are dirtied all the time"
        % (path, ARGS.rate))
    with lpm.Lab() as lab:
        copy = lab.file("content", open(path, "rb").read())
        move = lab.move(
            memory=memory, name="demo", content={"type": "file", "path": copy},
            program=lpm.program(ARGS.seconds, ARGS.rate * MB, hot=0.2,
                                hot_share=0.9),
            source={"limit": ARGS.limit * MB,
                    "suspend": {"downtime_ms": 60, "pass_limit": 8,
                                "timeout_s": 30}})
        move.create().create_streams()
        executed = int(WARM_UP_S * ARGS.rate * MB / PAGE)
        lpm.until("the partition warms up", lambda: move.src.partition(
            move.name)["steps_here"] >= executed)
        move.start_target()
        steps_before = move.src.partition(move.name)["steps_here"]
        move.start_source()
        status = watch(move)
        move.wait()
        source = move.src.stream(move.stream_id)
        target = move.dst.stream(move.stream_id)
        say("  moved; it runs to its end on system B ...")
        move.finish()
        facts = report(move, source, target, status, steps_before)
        move.check_moved()
        digest = move.digest()
        say("  the same partition runs without a move, for comparison ...")
        move.src.phyp("partition.remove", name=move.name)
        move.dst.phyp("partition.shutdown", name=move.name)
        move.dst.phyp("partition.remove", name=move.name)
        return checks(facts, digest, lab.reference(move.spec))


if __name__ == "__main__":
    try:
        sys.exit(0 if demo() else 1)
    except (AssertionError, TimeoutError, lpm.RpcError, OSError) as error:
        say("  FAIL %s" % error)
        sys.exit(1)
