#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Partitions move to and fro between two systems, in random ways, for long.

Each round draws memory, granule, load, sessions, connections, forms and limits
from a seed, moves the partition, sometimes cuts it off after Suspended and lets
new movers finish, and compares it with one that never moved.  The daemons live
through many rounds; what they hold must not grow.  Prints a summary.
"""

import argparse
import os
import random
import sys
import time

PARSER = argparse.ArgumentParser(description=__doc__.split("\n")[0])
PARSER.add_argument("--build", default="build", help="where the programs are")
PARSER.add_argument("--seconds", type=float, default=600)
PARSER.add_argument("--seed", type=int, default=int(time.time()))
ARGS = PARSER.parse_args()

os.environ["BUILD"] = os.path.abspath(ARGS.build)
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import lpm  # noqa: E402

MIB = lpm.MIB
ROUNDS_PER_LAB = 30
# Daemons open some descriptors (a timer, say) when they first need them
WARM_UP_ROUNDS = 10


def draw(rng, lab):
    """A move of some kind."""
    granule = rng.choice((4096, 4096, 65536))
    memory = rng.choice((1, 7, 16, 48, 96)) * MIB
    wish = {"sessions": rng.choice((1, 1, 2, 3, 4)),
            "connections": rng.choice((1, 2, 4))}
    content = rng.choice(({"type": "zero"},
                          {"type": "seed", "seed": rng.randrange(1 << 30)}))
    program = lpm.program(
        rng.uniform(0.3, 1.5), rng.choice((1, 20, 100)) * MIB, page=granule,
        seed=rng.randrange(1 << 30), hot=rng.choice((0.05, 0.3, 1.0)))
    suspend = {"downtime_ms": rng.choice((1, 50, 300)),
               "pass_limit": rng.choice((1, 3, 10)), "timeout_s": 10}
    return lab.move(
        memory=memory, granule=granule, content=content, program=program,
        stream={"all_pages_before_resume": rng.random() < 0.25,
                "max_op_bytes": rng.choice((65536, 1 << 20))},
        source=dict(wish, suspend=suspend,
                    limit=rng.choice((0, 0, 30, 200)) * MIB),
        target=wish, back=rng.random() < 0.5, relay={})


def cut_and_take_over(lab, move, rng):
    """Lose the connections somewhere; returns whether movers had to go on."""
    reached = rng.randrange(1, 4 * MIB)
    try:
        lpm.until("bytes move", lambda: move.relay.total() >= reached or
                  move.states()[0] == "Completed")
    except TimeoutError:
        pass
    move.relay.cut()
    phases = [s["phase"] for s in move.wait("completed", "parked", "aborted",
                                            "failed")]
    if move.states() == ("Completed", "Completed"):
        return phases
    verdict = move.dst.phyp("stream.verdict", stream_id=move.stream_id) \
        if move.states()[0] == "Aborted" else None
    if verdict:
        assert verdict["verdict"] == "never", verdict
        return phases
    move.relay.close()
    move.start_target().start_source()
    move.wait()
    return phases


def one_round(lab, rng):
    """Returns what became of it."""
    move = draw(rng, lab).start()
    if rng.random() < 0.4:
        cut_and_take_over(lab, move, rng)
    else:
        move.wait()
    aborted = move.states()[0] == "Aborted"
    home = move.src if aborted else move.dst
    assert move.runs_on() == [home.name], (move.states(), move.runs_on())
    move.finish(home)
    move.check_equal(home)
    for system in (move.src, move.dst):
        system.phyp("stream.end", stream_id=move.stream_id)
        names = [p["name"] for p in system.phyp("partition.list")["partitions"]]
        if move.name in names:
            if system.partition(move.name)["state"] == "Finished":
                system.phyp("partition.shutdown", name=move.name)
            system.phyp("partition.remove", name=move.name)
    return "aborted" if aborted else "moved"


def descriptors(lab):
    return {d.label: len(os.listdir("/proc/%d/fd" % d.process.pid))
            for s in lab.systems for d in (s.phypd, s.mspd)}


def main():
    rng = random.Random(ARGS.seed)
    print("seed %d, %.0f s" % (ARGS.seed, ARGS.seconds), flush=True)
    end = time.monotonic() + ARGS.seconds
    counts = {"moved": 0, "aborted": 0}
    while time.monotonic() < end:
        with lpm.Lab() as lab:
            most = {}
            for n in range(ROUNDS_PER_LAB):
                if time.monotonic() >= end:
                    break
                counts[one_round(lab, rng)] += 1
                if n < WARM_UP_ROUNDS:
                    most = {label: max(count, most.get(label, 0)) for
                            label, count in descriptors(lab).items()}
            lpm.until("no more descriptors than before, %r" % most,
                      lambda: all(count <= most[label] for label, count
                                  in descriptors(lab).items()))
        lpm.Lab.references.clear()
        print("%d moved, %d aborted" % (counts["moved"], counts["aborted"]),
              flush=True)
    print("soak: %d passed, 0 failed" % sum(counts.values()))


main()
