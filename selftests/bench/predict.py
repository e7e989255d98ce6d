# SPDX-License-Identifier: GPL-2.0-or-later
"""Predicted and real moves: how far apart they are, and how honest the interval is."""

import json
import re
import statistics

import lpm
from console import Console

MIB = lpm.MIB
RATE = 100 * 10 ** 6            # what --limit gives, so that every machine has it
FOREVER = 1 << 50
TOLD = re.compile(r"it took (\d+) ms; the partition was not executed for at "
                  r"most ([\d.]+) ms")
# name: bandwidth limit (0: none), dirtied bytes a second, share that is hot, share of the
# writes that hit it
PROFILES = {
    "idle": (RATE, 0, 0.1, 0.9),
    "small hot set": (RATE, 40 * 10 ** 6, 0.02, 1.0),
    "medium, uniform": (RATE, 30 * 10 ** 6, 0.0, 0.0),
    "near the limit": (RATE, 80 * 10 ** 6, 0.0, 0.0),
    "beyond the limit": (RATE, 200 * 10 ** 6, 0.0, 0.0),
    "medium, no limit": (0, 30 * 10 ** 6, 0.0, 0.0),
}
# What the goals are about: with a limit, the machine has less to say
LIMITED = [name for name in PROFILES if PROFILES[name][0]]
# Less than so much is not told apart from nothing
LEAST = {"total_ms": 50, "blackout_ms": 25}
GOAL = 0.25


def partition(profile, memory):
    _, rate, hot, hot_share = profile
    program = {"seed": 1, "steps": FOREVER if rate else 0, "rate": rate,
               "hot": hot, "hot_share": hot_share}
    return {"memory": memory, "content": {"type": "seed", "seed": 5},
            "program": program}


def once(lab, console, name, memory, all_pages):
    """One partition, predicted and moved in one command, and removed."""
    profile = PROFILES[name]
    move = lab.move(**partition(profile, memory))
    lab.a.phyp("partition.create", name=move.name, **move.spec)
    lab.a.phyp("partition.activate", name=move.name)
    words = ["-o", "m", "-v", "--json", "-m", "A", "-t", "B", "-p", move.name]
    if profile[0]:
        words += ["--limit", str(profile[0])]
    if all_pages:
        words += ["--all-pages"]
    text = console("migrlpar", *words)
    predicted = next(json.loads(line)["prediction"]
                     for line in text.splitlines() if '"event":"prediction"' in line)
    real = real_times(lab, move, text)
    lab.b.phyp("partition.shutdown", name=move.name)
    lab.b.phyp("partition.remove", name=move.name)
    return {"predicted": predicted, "real": real}


def real_times(lab, move, text):
    """As migrlpar tells them, or as the partition's history has them."""
    told = TOLD.search(text)
    if told:
        return {"total_ms": float(told[1]), "blackout_ms": float(told[2])}
    last = lab.b.phyp("partition.history", name=move.name)["moves"][-1]
    return {"total_ms": float(last["total_ms"]),
            "blackout_ms": float(last["blackout_ms"])}


def error(turn, what):
    """Of a prediction, as a share of what was real."""
    real = turn["real"][what]
    expected = turn["predicted"][what]["expected"]
    return abs(expected - real) / max(real, LEAST[what])


def inside(turn, what):
    bounds = turn["predicted"][what]
    return bounds["least"] <= turn["real"][what] <= bounds["most"]


def summary(turns):
    result = {"turns": turns}
    for what in LEAST:
        result[what] = {
            "predicted": statistics.median(t["predicted"][what]["expected"]
                                           for t in turns),
            "real": statistics.median(t["real"][what] for t in turns),
            "error": statistics.median(error(t, what) for t in turns),
            "worst": max(error(t, what) for t in turns),
            "inside": sum(inside(t, what) for t in turns),
        }
    result["confidence"] = [t["predicted"]["confidence"] for t in turns]
    result["converges"] = [t["predicted"]["converges"] for t in turns]
    return result


def measure(memory, repeat):
    """All profiles in turns; with pages behind, and with all of them before."""
    found = {}
    for all_pages in (False, True):
        turns = {}
        with lpm.Lab() as lab:
            console = Console(lab)
            for _ in range(repeat):
                for name in PROFILES:
                    turns.setdefault(name, []).append(
                        once(lab, console, name, memory, all_pages))
        found["all pages first" if all_pages else "pages behind"] = {
            name: summary(of) for name, of in turns.items()}
    return found


def rows(found):
    """Of one way to move, for a table."""
    for name, of in found.items():
        count = len(of["turns"])
        row = [name]
        for what in LEAST:
            f = of[what]
            row += ["%.0f" % f["predicted"], "%.0f" % f["real"],
                    "%.0f %%" % (100 * f["error"]),
                    "%.0f %%" % (100 * f["worst"]),
                    "%d of %d" % (f["inside"], count)]
        yield row + ["/".join(sorted(set(of["confidence"])))]


HEAD = ["", "total", "real", "error", "worst", "inside", "blackout", "real",
        "error", "worst", "inside", "sure"]


def goals(found):
    """(text, figure, met) for bench.py."""
    for way, profiles in found.items():
        for name in LIMITED:
            for what in LEAST:
                f = profiles[name][what]
                yield ("prediction, %s, %s: %s within %.0f %%" % (
                    way, name, what, 100 * GOAL),
                    "%.0f %%" % (100 * f["error"]), f["error"] <= GOAL)
        turns = [t for f in profiles.values() for t in f["turns"]]
        hits = sum(inside(t, what) for t in turns for what in LEAST)
        yield ("prediction, %s: nine of ten are in the interval" % way,
               "%d of %d" % (hits, 2 * len(turns)),
               hits >= 0.9 * 2 * len(turns))
