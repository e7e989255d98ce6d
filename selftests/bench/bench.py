#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Measure the mover on this machine, beside what it can be compared with.

Documentation/performance.rst says what each figure means.  Goals that are not
met are reported; the exit status is that of the measuring: not zero when a
stage failed.
"""

import argparse
import contextlib
import json
import os
import platform
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(TOP, "selftests", "lib"), HERE]
sys.dont_write_bytecode = True

import link  # noqa: E402
import lpm  # noqa: E402
import many  # noqa: E402
import parts  # noqa: E402
import predict  # noqa: E402
import qemu  # noqa: E402
import usage  # noqa: E402

STAGES = ("throughput", "many", "memory", "delay", "profile", "predict")
CONTENTS = ("random", "text", "zero")
CONNECTIONS = (1, 2, 4)
# Moves at once; together they have the same memory
MOVES = (1, 8, 32)

# Encryption of the data connections -> what is compared with it
RAW = {"plain": "raw_loopback", "TLS": "raw_tls"}
# Memory that says something about encryption: it is blind for content
TLS_CONTENT = "random"

MIB = 1 << 20
GIB = 1 << 30

# Text repeats after this many bytes: more than any cache or window holds
TEXT_BYTES = 32 * MIB

GOAL_OF_RAW = {"plain": 0.65, "TLS": 0.7}
GOAL_OF_QEMU = 3.0
GOAL_FAIRNESS = 0.95
GOAL_OF_LINK = 0.8
GOAL_MEMORY_SLACK = MIB

options = None


def say(text=""):
    print(text, flush=True)


def table(rows, head):
    """Rows of text, numbers to the right."""
    rows = [[cell if isinstance(cell, str) else format(cell, ".0f")
             for cell in row] for row in rows]
    widths = [max(len(r[n]) for r in [head] + rows) for n in range(len(head))]
    for row in [head] + rows:
        say("  " + "  ".join(
            cell.ljust(w) if n == 0 else cell.rjust(w)
            for n, (cell, w) in enumerate(zip(row, widths))).rstrip())
    say()


# Contents

def write_random(file, count):
    while count:
        count -= file.write(os.urandom(min(count, 16 * MIB)))


def write_text(file, count):
    """Words as a log or a program's output has them."""
    chance = random.Random(7)
    words = ["".join(chance.choices("etaoinshrdlucmfwypvbgkjqxz", k=k))
             for k in chance.choices(range(2, 11), k=4000)]
    weights = [1 / (n + 1) for n in range(len(words))]
    block = b""
    while len(block) < min(count, TEXT_BYTES):
        text = " ".join(chance.choices(words, weights, k=200000))
        block += text.encode() + b"\n"
    block = block[:TEXT_BYTES]
    while count:
        count -= file.write(block[:count])


def write_zero(file, count):
    """Pages of zeros that were written, not holes."""
    block = bytes(16 * MIB)
    while count:
        count -= file.write(block[:count])


WRITERS = {"random": write_random, "text": write_text, "zero": write_zero}


class Contents:
    """One file of content at a time, in memory, for everybody to read."""

    def __init__(self, directory):
        self.directory = directory
        self.kind = None
        self.path = os.path.join(directory, "content")
        self.path_of_copy = os.path.join(directory, "qemu")

    def file(self, kind):
        if kind != self.kind:
            for path in (self.path, self.path_of_copy):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
            with open(self.path, "wb") as file:
                WRITERS[kind](file, options.memory)
            os.chmod(self.path, 0o644)
            self.kind = kind
        return self.path

    def copy(self, kind):
        """For QEMU, whose firmware writes a little into it."""
        if kind != self.kind or not os.path.exists(self.path_of_copy):
            shutil.copyfile(self.file(kind), self.path_of_copy)
        return self.path_of_copy


# One measurement each

def tool(name):
    return os.path.join(options.build, "tools", name)


def modes():
    """What this mover can do with data connections."""
    shown = subprocess.run([os.path.join(options.build, "mspd"), "--help"],
                           text=True, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, check=True).stdout
    return tuple(RAW) if "--encrypt-data" in shown else ("plain",)


def new_lab(mode, phyp=(), config=None):
    """Two systems whose movers encrypt the data connections, or do not."""
    config = dict(config or {})
    if "TLS" in modes():
        config["encrypt_data"] = "yes" if mode == "TLS" else "no"
    return lpm.Lab(phyp=phyp, config=config)


def raw_once(mode, content, connections):
    """The reference: see selftests/tools/raw_loopback.c and raw_tls.c."""
    done = subprocess.run(
        [tool(RAW[mode]), "--bytes", str(options.memory),
         "--connections", str(connections), "--content", content],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def wishes(connections):
    result = {"connections": connections}
    if options.sessions:
        result["sessions"] = options.sessions
    return result


def pids(lab):
    return {"phypd A": lab.a.phypd.process.pid,
            "mspd A": lab.a.mspd.process.pid,
            "mspd B": lab.b.mspd.process.pid,
            "phypd B": lab.b.phypd.process.pid}


def new_move(lab, content, memory, connections):
    """A partition whose program has ended, and its shell on the other side."""
    wish = wishes(connections)
    return lab.move(memory=memory, program=lpm.program(steps=0),
                    content={"type": "file", "path": content},
                    source=dict(wish), target=dict(wish))


def seconds_of(move, statuses):
    """From the source mover's start until both platforms said Completed."""
    ends = [s.stream(move.stream_id)["completed_ns"]
            for s in (move.src, move.dst)]
    assert all(ends), "no time of completion: %r" % ends
    return (max(ends) - statuses[0]["started_ns"]) / 1e9


def figures(move, statuses, cpu):
    memory = move.spec["memory"]
    stream = move.src.stream(move.stream_id)
    seconds = seconds_of(move, statuses)
    return {"seconds": seconds, "mb_per_s": memory / seconds / 1e6,
            "stream_bytes": stream["bytes"], "passes": stream["passes"],
            "sessions": statuses[0]["sessions"],
            "connections": statuses[0]["connections"],
            "limited_by": statuses[0]["limited_by"],
            "cpu_s_per_gb": {n: s / (memory / 1e9) for n, s in cpu.items()}}


def mover_once(lab, content, connections, compare=False):
    """Move a partition whose memory is the file @content."""
    move = new_move(lab, content, options.memory, connections)
    move.create().create_streams().start_target()
    cpu = usage.Cpu(pids(lab))
    move.start_source()
    statuses = move.wait()
    result = figures(move, statuses, cpu.seconds())
    if compare:
        differing = move.dst.phyp("partition.compare", name=move.name,
                                  file=content)["differing"]
        assert differing == 0, "%d pages differ after the move" % differing
    move.end()
    return result


def best(results):
    return max(results, key=lambda r: r["mb_per_s"])


def of_raw(mover, raw):
    """Median of the ratios of what was measured one after the other: the
    machine's speed may change between turns, seldom within one."""
    return statistics.median(m["mb_per_s"] / r["mb_per_s"]
                             for m, r in zip(mover, raw))


# Stage: throughput

def qemu_rounds(contents, kind, found):
    """One migration with each setting."""
    for memory in qemu.MEMORY:
        for channels in qemu.CHANNELS:
            found.setdefault((memory, channels), []).append(
                qemu.migrate(contents.directory, contents.copy(kind),
                             options.memory, channels, memory))


def measure_mode(mode, lab, content, compare, result):
    """One turn: each mover right after what it is compared with."""
    for connections in CONNECTIONS:
        result["raw"].setdefault(connections, []).append(
            raw_once(mode, content, connections))
        if lab:
            result["mover"].setdefault(connections, []).append(
                mover_once(lab, content, connections, compare))


def measure_content(labs, contents, kind):
    """All rounds with one content: the kinds of measurement take turns."""
    found = {mode: {"raw": {}, "mover": {}} for mode in labs
             if mode == "plain" or kind == TLS_CONTENT}
    other = {}
    content = contents.file(kind)
    for turn in range(options.repeat):
        for mode, result in found.items():
            measure_mode(mode, labs[mode], content, turn == 0, result)
        # Content means little to QEMU, and its settings are many
        if options.qemu and (kind == "random" or turn == 0):
            qemu_rounds(contents, kind, other)
    return {
        "modes": {mode: {
            "raw": {c: best(r) for c, r in all_["raw"].items()},
            "mover": {c: best(r) for c, r in all_["mover"].items()},
            "ratio": {c: of_raw(all_["mover"][c], all_["raw"][c])
                      for c in all_["mover"]},
        } for mode, all_ in found.items()},
        "qemu": {memory: {c: best(other[memory, c]) for c in qemu.CHANNELS}
                 for memory in (qemu.MEMORY if options.qemu else ())},
        "all": {"modes": found, "qemu": list(other.values())},
    }


def show_mode(mode, result):
    rows = []
    for c in CONNECTIONS:
        row = ["%d connection%s" % (c, "s"[:c > 1]),
               result["raw"][c]["mb_per_s"]]
        if result["mover"]:
            row += [result["mover"][c]["mb_per_s"],
                    "%.0f %%" % (100 * result["ratio"][c])]
            row += ["%.2f" % s for s in
                    result["mover"][c]["cpu_s_per_gb"].values()]
        rows.append(row)
    head = [mode, "raw"]
    if result["mover"]:
        names = next(iter(result["mover"].values()))["cpu_s_per_gb"]
        head += ["mover", "of raw"] + list(names)
    table(rows, head)


def show_content(kind, found):
    say("%s memory, %d MiB: MB/s, best of %d; of raw, median of pairs;\n"
        "CPU seconds per GB of each process" % (
            kind.capitalize(), options.memory // MIB, options.repeat))
    for mode, result in found["modes"].items():
        show_mode(mode, result)
    if found["qemu"]:
        table([[memory] + [r[c]["mb_per_s"] for c in qemu.CHANNELS]
               for memory, r in found["qemu"].items()],
              ["QEMU, target's memory"] +
              ["multifd %d" % c if c else "plain" for c in qemu.CHANNELS])


def stage_throughput(contents, with_mover):
    found = {}
    with contextlib.ExitStack() as stack:
        labs = dict.fromkeys(RAW)
        if with_mover:
            labs = {mode: stack.enter_context(new_lab(mode))
                    for mode in modes()}
        for kind in options.content:
            found[kind] = measure_content(labs, contents, kind)
            show_content(kind, found[kind])
    return found


# Stage: many

# What a mover may hold, with the settings that mspd has by itself
MANY_CONFIG = {"sessions": 2, "op_buffers": 64, "op_buffer_bytes": 16 << 10,
               "pool_max": 64 * MIB}


def many_once(contents, mode, count, compare):
    """Move @count partitions at once that have options.many_memory together."""
    content = contents.file("random")
    memory = options.many_memory // count
    config = dict(MANY_CONFIG, max_vasi_ops=count)
    with new_lab(mode, ["--streams", count], config) as lab:
        moves = []
        for n in range(count):
            move = new_move(lab, content, memory, options.connections)
            move.spec["content"]["offset"] = n * memory % options.memory
            moves.append(move.create())
        digests = [m.digest(m.src) for m in moves if compare]
        for move in moves:
            move.create_streams()
        run = many.Many(moves)
        cpu = usage.Cpu(pids(lab))
        run.start()
        run.follow()
        seconds, used = run.seconds(), cpu.seconds()
        if compare:
            assert digests == [m.digest() for m in moves], "digests differ"
        shares, window = run.window()
        bounds = many.buffer_bounds(count, MANY_CONFIG["sessions"],
                                    MANY_CONFIG["op_buffers"],
                                    MANY_CONFIG["op_buffer_bytes"],
                                    MANY_CONFIG["pool_max"])
        return {"moves": count, "seconds": seconds,
                "mb_per_s": count * memory / seconds / 1e6,
                "fairness": many.jain(shares), "shares": shares,
                "window_s": window,
                "window_share": sum(shares) / (count * memory),
                "cpu_s_per_gb": {n: s / (count * memory / 1e9)
                                 for n, s in used.items()},
                "peaks": {"%s %s" % (system.name, what): peak for
                          (system, what), peak in run.peaks.items()},
                "bounds": dict(zip("AB", bounds))}


def many_summary(turns):
    """Best rate, median fairness, highest peaks."""
    found = dict(best(turns))
    found["fairness"] = statistics.median(t["fairness"] for t in turns)
    found["least_fairness"] = min(t["fairness"] for t in turns)
    found["peaks"] = {n: max(t["peaks"][n] for t in turns)
                      for n in found["peaks"]}
    return found


def stage_many(contents):
    found = {}
    for mode in modes():
        turns = {}
        for turn in range(options.repeat):
            for count in MOVES:
                turns.setdefault(count, []).append(
                    many_once(contents, mode, count, turn == 0))
        found[mode] = {"summary": {c: many_summary(t)
                                   for c, t in turns.items()}, "all": turns}
        show_many(mode, found[mode]["summary"])
    return found


def show_many(mode, found):
    say("Moves at once, %s, %d MiB random memory together, %d connections "
        "each:\nMB/s, best of %d; Jain's index, median and least; "
        "most of mspd's memory, KiB" % (
            mode, options.many_memory // MIB, options.connections,
            options.repeat))
    rows = []
    for count, f in found.items():
        row = ["%d" % count, f["mb_per_s"], "%.4f" % f["fairness"],
               "%.4f" % f["least_fairness"]]
        for name in "AB":
            row += [f["peaks"][name + " buffers"] >> 10, f["bounds"][name] >> 10,
                    f["peaks"][name + " anonymous"] >> 10]
        rows.append(row)
    table(rows, ["moves", "MB/s", "Jain", "least", "A buffers", "allowed",
                 "RssAnon", "B buffers", "allowed", "RssAnon"])


# Stage: memory

def big_content(contents, memory):
    """Random content where both sides' memory fits beside it."""
    with open("/proc/meminfo", encoding="ascii") as file:
        available = next(int(line.split()[1]) << 10 for line in file
                         if line.startswith("MemAvailable:"))
    kind = "random" if available > 2 * memory + 3 * GIB else "zero"
    if available <= memory // 4 + 3 * GIB:
        raise RuntimeError("not enough memory for partitions of %d MiB"
                           % (memory // MIB))
    return kind, contents.file(kind)


def memory_once(contents, memory):
    """What the movers hold while a partition of @memory bytes moves."""
    kind, content = big_content(contents, options.big_memory)
    result = {"memory": memory, "content": kind}
    # New daemons, so that neither size inherits the other's heap
    with new_lab(modes()[-1]) as lab:
        move = new_move(lab, content, memory, options.connections)
        if kind == "zero":
            # Too little memory for both sides: written pages only
            move.spec["content"] = {"type": "zero"}
            move.spec["program"]["steps"] = memory // 4096 // 25
            move.spec["program"]["rate"] = 0
        move.create()
        move.finish(move.src)
        move.create_streams().start_target()
        watched = {}
        for system in (lab.a, lab.b):
            watched["%s anonymous" % system.name] = \
                lambda pid=system.mspd.process.pid: usage.anonymous_bytes(pid)
            watched["%s buffers" % system.name] = \
                lambda msp=system.msp: msp("info")["buffer_bytes_now"]
        with usage.Peaks(watched) as peaks:
            move.start_source()
            move.wait()
        result["samples"] = peaks.samples
        result["peaks"] = peaks.peaks
        result["total"] = {n: peaks.peaks[n + " anonymous"] +
                           peaks.peaks[n + " buffers"] for n in "AB"}
        move.end()
    return result


def stage_memory(contents):
    found = [memory_once(contents, m)
             for m in (options.memory, options.big_memory)]
    say("Memory of mspd, KiB, highest while moving, %d connections"
        % options.connections)
    table([["%d MiB, %s" % (f["memory"] // MIB, f["content"])] +
           [f["peaks"]["%s %s" % (n, w)] / 1024
            for n in "AB" for w in ("anonymous", "buffers")]
           for f in found],
          ["partition", "A RssAnon", "A buffers", "B RssAnon", "B buffers"])
    return found


# Stage: delay

def start_in_namespace(system, name):
    """This system's mover again, in a network namespace, as its own user."""
    system.mspd.stop()
    daemon = lpm.Daemon(system.lab, system.mspd.label, None)
    system.start_mspd()     # for its command line
    argv = system.mspd.argv
    system.mspd.stop()
    user = str(lpm.USERS[daemon.label])
    daemon.argv = ["ip", "netns", "exec", name, "setpriv", "--reuid", user,
                   "--regid", str(lpm.GROUP), "--clear-groups", "--"] + argv
    system.mspd = daemon
    # ip needs root to enter; setpriv becomes the user
    root, system.lab.root = system.lab.root, False
    try:
        daemon.start(system.msp_path)
    finally:
        system.lab.root = root


def stage_delay(contents):
    if os.geteuid() != 0:
        raise RuntimeError("network namespaces need root")
    content = contents.file("random")
    memory = options.delay_memory
    with link.shaped(options.rate), new_lab(modes()[-1]) as lab:
        start_in_namespace(lab.a, link.NEAR)
        start_in_namespace(lab.b, link.FAR)
        move = new_move(lab, content, memory, options.connections)
        move.create().create_streams().start_target()
        cpu = usage.Cpu(pids(lab))
        with link.delayed(tool("delay_relay"), move.port,
                          options.delay_ms * 1000, options.rate) as port:
            lab.a.msp("start", stream_id=move.stream_id, role="source",
                      peer="%s:%d" % (link.FAR_ADDRESS, port),
                      peer_identity=lab.b.identity, **move.source)
            statuses = move.wait()
        result = figures(move, statuses, cpu.seconds())
        result["rtt_us"] = statuses[0]["rtt_us"]
        result["rate"] = options.rate
        result["share"] = result["mb_per_s"] * 8e6 / options.rate
        move.end()
    say("Shaped link of %d Mbit/s (%.0f MB/s) with %d ms each way, "
        "%d MiB, %d connections" % (
            options.rate // 10 ** 6, options.rate / 8e6, options.delay_ms,
            memory // MIB, options.connections))
    table([["mover", result["mb_per_s"], "%.0f %%" % (100 * result["share"]),
            result["rtt_us"], result["limited_by"]]],
          ["", "MB/s", "of the link", "RTT us", "limited by"])
    return result


# Stage: profile

def profile_once(contents, mode, profile):
    """Processor time of each process, and its samples to @profile."""
    content = contents.file("random")
    with new_lab(mode) as lab:
        move = new_move(lab, content, options.memory, options.connections)
        move.create().create_streams().start_target()
        profile.start(pids(lab))
        cpu = usage.Cpu(pids(lab))
        move.start_source()
        move.wait()
        seconds = cpu.seconds()
        profile.stop()
        move.end()
    return seconds


def stage_profile(contents):
    """Where the processor time goes."""
    try:
        parts.check_usable(contents.directory)
    except parts.NotUsable as error:
        say("profile: skipped: %s" % error)
        say()
        return {"skipped": str(error)}
    result = {}
    for mode in modes():
        profile = parts.Profile(contents.directory)
        turns = [profile_once(contents, mode, profile)
                 for _ in range(options.repeat)]
        gb = options.memory * len(turns) / 1e9
        result[mode] = {
            name: {"cpu_s_per_gb": sum(t[name] for t in turns) / gb,
                   "samples": sum(profile.parts[name].values()),
                   "shares": profile.shares(name),
                   "symbols": [[part, symbol, count] for (part, symbol), count
                               in profile.symbols[name].most_common(25)]}
            for name in turns[0]}
        show_profile(mode, result[mode])
    return result


def show_profile(mode, found):
    say("CPU seconds per GB by part, %s, random memory, %d connections, "
        "sum of %d" % (mode, options.connections, options.repeat))
    rows = [[name] + ["%.3f" % (f["cpu_s_per_gb"] * f["shares"][part])
                      for part in parts.PARTS] + ["%.3f" % f["cpu_s_per_gb"]]
            for name, f in found.items()]
    rows.append(["all"] + ["%.3f" % sum(float(row[n]) for row in rows)
                           for n in range(1, len(rows[0]))])
    table(rows, [""] + list(parts.PARTS) + ["sum"])


# Stage: predict

def stage_predict(_):
    found = predict.measure(options.predict_memory, options.repeat)
    for way, profiles in found.items():
        say("Predicted and real moves of %d MiB, %s: ms, medians of %d; error of real"
            % (options.predict_memory // MIB, way, options.repeat))
        table(list(predict.rows(profiles)), predict.HEAD)
    return found


# Goals

def throughput_goals(found):
    if not found or not found["modes"]["plain"]["mover"]:
        return
    for mode, result in found["modes"].items():
        wanted = GOAL_OF_RAW[mode]
        for c, ratio in result["ratio"].items():
            yield ("random, %s, %d connection%s: at least %.0f %% of raw" % (
                mode, c, "s"[:c > 1], 100 * wanted),
                "%.0f %%" % (100 * ratio), ratio >= wanted)
    mine = max(r["mb_per_s"] for r in found["modes"]["plain"]["mover"].values())
    for memory, others in found["qemu"].items():
        factor = mine / max(r["mb_per_s"] for r in others.values())
        yield ("random: at least %g times QEMU's best (target's memory %s)"
               % (GOAL_OF_QEMU, memory), "%.2f" % factor,
               factor >= GOAL_OF_QEMU)


def many_goals(mode, found):
    for count, f in found.items():
        if count > 1:
            yield ("%d moves at once, %s: Jain's index at least %g" % (
                count, mode, GOAL_FAIRNESS), "%.4f" % f["fairness"],
                f["fairness"] >= GOAL_FAIRNESS)
        for name in "AB":
            peak, bound = f["peaks"][name + " buffers"], f["bounds"][name]
            yield ("%d at once, %s: buffers of mspd %s at most what its "
                   "settings say" % (count, mode, name), "%d of %d KiB" % (
                       peak >> 10, bound >> 10), peak <= bound)


def goals(results):
    """(text, figure, met) of every goal that was measured."""
    yield from throughput_goals(results.get("throughput", {}).get("random"))
    for mode, found in results.get("many", {}).items():
        yield from many_goals(mode, found["summary"])
    found = results.get("memory")
    if found:
        for name in "AB":
            small, big = (f["total"][name] for f in found)
            yield ("mspd %s: as much memory for %d as for %d MiB (within 1 MiB)"
                   % (name, found[1]["memory"] // MIB,
                      found[0]["memory"] // MIB),
                   "%d and %d KiB" % (big >> 10, small >> 10),
                   abs(big - small) <= GOAL_MEMORY_SLACK)
    found = results.get("delay")
    if found:
        yield ("delayed link: at least %.0f %% of its rate"
               % (100 * GOAL_OF_LINK), "%.0f %%" % (100 * found["share"]),
               found["share"] >= GOAL_OF_LINK)
    yield from predict.goals(results.get("predict", {}))


# The run

def size(text):
    """Bytes, with K, M or G behind."""
    units = {"K": 1 << 10, "M": MIB, "G": GIB}
    if text[-1:].upper() in units:
        return int(text[:-1]) * units[text[-1].upper()]
    return int(text)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--json", metavar="FILE", help="all figures")
    parser.add_argument("--stage", action="append", choices=STAGES,
                        help="default: all of them")
    parser.add_argument("--content", action="append", choices=CONTENTS)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--memory", type=size, default=GIB)
    parser.add_argument("--big-memory", type=size, default=8 * GIB)
    parser.add_argument("--many-memory", type=size, default=2 * GIB,
                        help="of all moves at once together")
    parser.add_argument("--sessions", type=int,
                        help="wished of the movers; default: theirs")
    parser.add_argument("--connections", type=int, default=2,
                        help="of the other stages")
    parser.add_argument("--rate", type=int, default=800 * 10 ** 6,
                        help="of the delayed link, bits per second")
    parser.add_argument("--delay-ms", type=int, default=25, help="each way")
    parser.add_argument("--delay-memory", type=size, default=512 * MIB)
    parser.add_argument("--predict-memory", type=size, default=256 * MIB)
    parser.add_argument("--no-qemu", action="store_true")
    parser.add_argument("--no-mover", action="store_true",
                        help="throughput: only what it is compared with")
    found = parser.parse_args()
    found.build = os.path.abspath(found.build)
    found.stage = found.stage or list(STAGES)
    found.content = found.content or list(CONTENTS)
    return found


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.partition(":")[2].strip() for line in file
                      if line.startswith("model name")), "unknown")
    return {"processor": model, "processors": os.cpu_count(),
            "kernel": platform.release(),
            "load": os.getloadavg()[0]}


def run_stage(name, contents):
    if name == "throughput":
        return stage_throughput(contents, not options.no_mover)
    return {"many": stage_many, "memory": stage_memory, "delay": stage_delay,
            "profile": stage_profile, "predict": stage_predict}[name](contents)


def main():
    global options
    options = parse_options()
    lpm.BUILD = options.build
    options.qemu = not options.no_qemu and qemu.installed()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    results = {"machine": machine()}
    failed = []
    started = time.monotonic()
    say("%(processor)s, %(processors)d processors, Linux %(kernel)s, "
        "load %(load).1f" % results["machine"])
    say()
    directory = tempfile.mkdtemp(prefix="lpmbench.", dir="/dev/shm")
    os.chmod(directory, 0o755)
    try:
        contents = Contents(directory)
        for name in options.stage:
            try:
                results[name] = run_stage(name, contents)
            except Exception:
                failed.append(name)
                say("%s: failed" % name)
                traceback.print_exc()
    finally:
        shutil.rmtree(directory, ignore_errors=True)

    reached = [{"goal": text, "figure": figure, "met": met}
               for text, figure, met in goals(results)]
    for goal in reached:
        say("%-7s %s: %s" % ("met" if goal["met"] else "missed",
                             goal["goal"], goal["figure"]))
    if not options.qemu and not options.no_qemu:
        say("%s is not installed: no comparison" % qemu.PROGRAM)
    say("%.0f s" % (time.monotonic() - started))
    results["goals"] = reached
    results["failed"] = failed
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
            file.write("\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
