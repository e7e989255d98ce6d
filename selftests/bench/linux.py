#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Move a Linux guest, and let QEMU migrate the same one: who is faster?

Documentation/performance.rst, "A Linux guest", says what each figure means.  Two guests
of one image: one is a partition that movers move to and fro between two systems, the
other one is in a QEMU of its own that migrates it to the next QEMU, over and over.
Only the one that is measured has a load.  Goals that are not met are printed as such;
the exit status says whether all was measured.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(TOP, "selftests", "lib"),
                os.path.join(TOP, "selftests", "guest"), HERE]
sys.dont_write_bytecode = True

import linux_lab  # noqa: E402
import partition_guest  # noqa: E402
import qemu  # noqa: E402

MIB = 1 << 20
# Ticks of the guest, by which it is seen not to execute
TICK_MS = 5
# Name -> bytes a second (0: as fast as it can; None: nothing), and of how much memory
# (0: of all that is left)
LOADS = {"idle": (None, 0), "50 MB/s": (50 * 10 ** 6, 64 * MIB), "all memory": (0, 0)}
# What the guest keeps for everything else when all of its memory is written
SPARE = 24 * MIB
READY = r"^guest: ready"
WRITTEN = r"^write (\d+) ([0-9.]+)$"
# As vasi-phypd has it for its guests
SMALL_WINDOW = "spapr-pci-host-bridge.dma_win_size=0x1000000"
# A migration that has not come to its end by itself by then is cancelled
CONVERGE_S = 30


class Ours:
    """A way to move it with movers.

    @encrypt: the data connections, which QEMU does not
    @suspend: who stops the guest: "platform", as QEMU does, or "partition"
    @at_once: it is stopped before anything was sent, and all is demanded or pushed
    """

    def __init__(self, encrypt, suspend, at_once=False):
        self.encrypt, self.suspend, self.at_once = encrypt, suspend, at_once
        self.name = "%s, %s%s" % ("TLS" if encrypt else "plain", suspend,
                                  ", at once" if at_once else "")


class Theirs:
    """A way that QEMU has.

    @channels: of multifd, or 0
    @after: post-copy begins after so many passes, or None
    """

    def __init__(self, name, channels=0, after=None):
        self.name, self.channels, self.after = "QEMU " + name, channels, after
        self.capabilities = {"events": True, "multifd": bool(channels),
                             "postcopy-ram": after is not None}


OURS = (Ours(False, "platform"), Ours(False, "platform", True),
        Ours(False, "partition"), Ours(True, "platform"))
THEIRS = (Theirs("plain"), Theirs("multifd 1", 1), Theirs("multifd 2", 2),
          Theirs("multifd 4", 4), Theirs("post-copy, 0 passes", after=0),
          Theirs("post-copy, 1 pass", after=1))
# What goals compare: the same job as QEMU's
COMPARED = (OURS[0].name, OURS[1].name)

options = None


def say(text=""):
    print(text, flush=True)


def new_machine():
    machine = partition_guest.PartitionGuest(options.kernel, (), memory=options.memory,
                                             processors=options.processors)
    for name in ("ticker", "writer"):
        machine.program(partition_guest.PROGRAMS + "/inside/" + name)
    return machine


class Load:
    """What the guest at a console does while it moves; the ticker is always there."""

    def __init__(self, console, name):
        self.console = console
        self.rate, self.size = LOADS[name]
        self.since = len(console.lines)
        self.start("ticker %d" % TICK_MS)
        if self.rate is not None:
            self.start("writer %d %d" % (self.size or self.all_memory(), self.rate))
            self.wait_written(2)
        next_tick(console)

    def start(self, program):
        self.console.say("run /guest/%s </dev/null & echo $! >>/tmp/load" % program)

    def all_memory(self):
        self.console.say("run grep MemAvailable /proc/meminfo")
        line = self.console.wait(r"^MemAvailable: +\d+ kB", self.since)
        self.size = int(line.text.split()[1]) * 1024 - SPARE
        return self.size

    def wait_written(self, more):
        for _ in range(more):
            self.console.wait(WRITTEN, len(self.console.lines))

    def written(self, since=0, until=None):
        """Bytes a second by the guest's clock, of lines that came between two times."""
        lines = self.console.lines[self.since:]
        found = [(int(words[1]), float(words[2])) for words in
                 (line.text.split() for line in lines if line.text.startswith("write ")
                  and line.ns >= since and (until is None or line.ns <= until))]
        if len(found) < 2:
            return None
        return (found[-1][0] - found[0][0]) / (found[-1][1] - found[0][1])

    def ticks(self):
        """Of this load's ticker: the one before may say a last word meanwhile."""
        found = [(int(m.group(1)), float(m.group(2)), line) for m, line in
                 ((linux_lab.TICK.match(line.text), line)
                  for line in self.console.lines[self.since:]) if m]
        first = next((n for n, tick in enumerate(found) if tick[0] == 0), 0)
        return found[first:]

    def blackout(self, began):
        """The longest time without a tick: (from, until), nanoseconds."""
        next_tick(self.console)
        ticks = self.ticks()
        times = [t[2].ns for t in ticks]
        return max(((a, b) for a, b in zip(times, times[1:]) if a >= began),
                   key=lambda pair: pair[1] - pair[0])

    def end(self):
        since = len(self.console.lines)
        self.console.say("run kill $(cat /tmp/load); rm /tmp/load; echo load: end")
        self.console.wait(r"^load: end$", since)

    def wrong(self):
        """What it said that it should not have, and the ticks around one that is lost."""
        lines = self.console.lines[self.since:]
        wrong = [line.text for line in lines if "FAIL:" in line.text]
        ticks = self.ticks()
        for (a, _, before), (b, _, after) in zip(ticks, ticks[1:]):
            if b != a + 1:
                at = lines.index(before)
                wrong.append("tick %d comes after tick %d: %r" % (b, a, [
                    (line.place, line.text) for line in
                    lines[max(at - 2, 0):lines.index(after) + 3]]))
        return wrong


class Partition:
    """The guest as a partition of two systems."""

    def __init__(self, machine):
        self.encrypts = True
        self.lab = linux_lab.LinuxLab(
            machine, phyp=options.log_level and ["--log-level", options.log_level] or ())
        self.console = self.lab.console

    def __enter__(self):
        self.lab.begin(READY)
        return self

    def __exit__(self, kind, value, trace):
        if options.keep_logs:
            for system in self.lab.systems:
                for daemon in (system.phypd, system.mspd):
                    shutil.copy(daemon.log_path, options.keep_logs)
        self.lab.__exit__(kind, value, trace)

    def encrypt(self, yes):
        if yes == self.encrypts:
            return
        for system in self.lab.systems:
            system.mspd.stop()
            system.start_mspd(*([] if yes else ["--encrypt-data", "no"]))
        self.encrypts = yes

    def move(self, way):
        """Returns what one move was like, but for its blackout."""
        self.encrypt(way.encrypt)
        return lambda: self.measured(way)

    def measured(self, way):
        prepared = time.monotonic_ns()
        move = self.lab.prepare(way.suspend)
        move.source["suspend"] = "manual" if way.at_once else {
            "downtime_ms": options.downtime_ms}
        move.start_target().start_source()
        if way.at_once:
            move.src.msp("suspend", stream_id=move.stream_id)
        move.wait()
        next_tick(self.console)
        report = self.lab.finish(move, prepared)
        ends = [report.source["completed_ns"], report.target["completed_ns"]]
        assert all(ends), report
        began = report.statuses[0]["started_ns"]
        return {"seconds": (max(ends) - began) / 1e9, "began_ns": began,
                "passes": report.source["passes"], "pages": report.source["pages"],
                "again": report.source["resent"], "demanded": report.target["demanded"],
                "source": report.source, "target": report.target,
                "mover": report.statuses[0]}


class Chain:
    """The guest in a QEMU that migrates it to the next one."""

    def __init__(self, machine, directory):
        self.machine, self.directory, self.number = machine, directory, 0
        self.console = linux_lab.Console(directory + "/console")
        self.agent = linux_lab.Console(directory + "/agent")
        self.here = self.there = None

    def __enter__(self):
        self.here = self.qemu()
        self.console.wait(READY)
        return self

    def __exit__(self, *_):
        for each in (self.here, self.there):
            if each:
                each.stop()
        self.console.close()
        self.agent.close()

    def qemu(self, *more):
        """One more; each has its own QMP socket, but the terminals of all."""
        self.number += 1
        place = "%s/%d" % (self.directory, self.number)
        os.mkdir(place)
        for name in ("console", "agent"):
            os.symlink("../" + name, place + "/" + name)
        plugin = os.path.join(options.build, "qemu/spapr-vasi.so")
        return qemu.Process(place, "qemu", place + "/qmp", self.machine.argv(place) +
                            ["-global", SMALL_WINDOW, "-plugin", plugin + ",processors", *more])

    def move(self, way):
        """Returns what one migration was like, but for its blackout."""
        self.there = self.qemu("-incoming", "defer")
        for each in (self.here, self.there):
            each.qmp("migrate-set-capabilities", capabilities=[
                {"capability": name, "state": state}
                for name, state in way.capabilities.items()])
            each.qmp("migrate-set-parameters", max_bandwidth=qemu.BANDWIDTH,
                     downtime_limit=options.downtime_ms,
                     **({"multifd_channels": way.channels} if way.channels else {}))
        uri = "unix:%s/migration" % self.directory
        self.there.qmp("migrate-incoming", uri=uri)
        return lambda: self.measured(way, uri)

    def measured(self, way, uri):
        began, real = time.monotonic_ns(), time.time_ns()
        self.here.qmp("migrate", uri=uri)
        if way.after is not None:
            self.post_copy(way.after)
        if not self.ended():
            return self.cancelled(began)
        ends = [self.time_of(qmp, "completed")
                for qmp in (self.here.qmp, self.there.qmp)]
        next_tick(self.console)
        info = self.here.qmp("query-migrate")
        self.here.stop()
        self.here, self.there = self.there, None
        # Events that are still to come are of this migration
        self.here.qmp.clear()
        return {"seconds": (max(ends) - real) / 1e9, "began_ns": began,
                "passes": info["ram"]["dirty-sync-count"] - 1,
                "info": info}

    def post_copy(self, passes):
        """From now on pages are demanded, unless everything is over there by then."""
        if passes:
            # The first one begins before anything was sent
            self.here.qmp.event(lambda e: status(e) in ("completed", "failed") or (
                e["event"] == "MIGRATION_PASS" and e["data"]["pass"] > passes))
        if not any(status(e) == "completed" for e in self.here.qmp.events):
            self.here.qmp("migrate-start-postcopy")

    def ended(self):
        """False: it would go on for ever."""
        words = ("completed", "failed")
        try:
            event = self.here.qmp.event(lambda e: status(e) in words, CONVERGE_S)
        except TimeoutError:
            return False
        assert status(event) == "completed", self.here.qmp("query-migrate")
        event = self.there.qmp.event(lambda e: status(e) in words)
        assert status(event) == "completed", event
        return True

    def cancelled(self, began):
        self.here.qmp("migrate_cancel")
        self.here.qmp.event(lambda e: status(e) == "cancelled")
        self.here.qmp.clear()
        self.there.stop()
        self.there = None
        return {"seconds": None, "began_ns": began}

    @staticmethod
    def time_of(qmp, word):
        """When it said so, of time.time_ns()."""
        at = next(e for e in qmp.events if status(e) == word)["timestamp"]
        return at["seconds"] * 10 ** 9 + at["microseconds"] * 1000


def status(event):
    """What a MIGRATION event says, or None."""
    return event["data"]["status"] if event["event"] == "MIGRATION" else None


def next_tick(console):
    """The guest goes on; until then nobody cleans up what would keep it from that."""
    console.wait(linux_lab.TICK, len(console.lines))


def once(place, way, name):
    """One move under one load."""
    run = place.move(way)
    load = Load(place.console, name)
    result = run()
    result["wrote"] = load.written(until=result["began_ns"])
    result["wrote_while"] = load.written(since=result["began_ns"])
    if result["seconds"] is not None:
        result["silent_ns"] = load.blackout(result["began_ns"])
        result["blackout"] = (result["silent_ns"][1] - result["silent_ns"][0]) / 1e9
    result["size"] = load.size
    load.end()
    result["wrong"] = load.wrong()
    return result


def turns(partition, chain):
    """Load -> way -> [result of each turn]; who comes first changes each turn."""
    found = {name: {way.name: [] for way in OURS + THEIRS} for name in options.load}
    jobs = [(partition, way) for way in OURS] + [(chain, way) for way in THEIRS]
    for turn in range(options.repeat):
        for name in options.load:
            start = turn * len(OURS) % len(jobs)
            for place, way in jobs[start:] + jobs[:start]:
                result = once(place, way, name)
                found[name][way.name].append(result)
                show_one(turn, name, way, result)
    return found


def show_one(turn, name, way, result):
    for text in result["wrong"]:
        say("wrong: turn %d, %s, %s: %s" % (turn + 1, name, way.name, text))
    if not options.verbose:
        return
    say("# turn %d, %s, %s: %s" % (turn + 1, name, way.name, ", ".join(
        "%s %.3f" % (key, value) for key, value in result.items()
        if isinstance(value, (int, float)))))


# What came of it

def median(results, key):
    """None where one of them has none: it never came to an end."""
    values = [r.get(key) for r in results]
    return None if None in values else statistics.median(values)


def milliseconds(results, key):
    values = [r.get(key) for r in results]
    if None in values:
        return "-"
    return "%.0f (%.0f-%.0f)" % (1e3 * statistics.median(values), 1e3 * min(values),
                                 1e3 * max(values))


def rows_of(found):
    for way, results in found.items():
        passes = median(results, "passes")
        yield [way, milliseconds(results, "seconds"), milliseconds(results, "blackout"),
               "-" if passes is None else "%.0f" % passes,
               "%.0f" % statistics.median(r.get("demanded", 0) for r in results)
               if "demanded" in results[0] else ""]


def table(rows, head):
    rows = [head] + rows
    widths = [max(len(row[n]) for row in rows) for n in range(len(head))]
    for row in rows:
        say("  " + "  ".join(cell.ljust(w) if n == 0 else cell.rjust(w) for n, (cell, w)
                             in enumerate(zip(row, widths))).rstrip())
    say()


def wrote(found):
    """What the guest really wrote, before the moves and during them."""
    results = [r for each in found.values() for r in each]
    texts = []
    for key, when in (("wrote", "before"), ("wrote_while", "during the moves")):
        values = [r[key] for r in results if r[key] is not None]
        if values:
            texts.append("%.0f MB/s %s" % (statistics.median(values) / 1e6, when))
    if not texts:
        return "nothing"
    return "%s, to %d MiB" % (", ".join(texts), results[0]["size"] // MIB)


def best_of_qemu(found, key):
    """(way, its results) with the least median, or None."""
    whole = [(median(found[way.name], key), way.name) for way in THEIRS]
    whole = [each for each in whole if each[0] is not None]
    return min(whole)[1] if whole else None


def goal(name, found, way, key, text):
    """Is it met for one load?  Ratios are of figures of the same turn."""
    best = best_of_qemu(found, key)
    ours = found[way]
    ratio = statistics.median(a[key] / b[key] for a, b in zip(ours, found[best])) \
        if best else 0
    met = median(ours, key) < median(found[best], key) if best else True
    return {"load": name, "way": way, "goal": text, "met": met, "ratio": ratio,
            "best": best, "ours_s": median(ours, key),
            "qemu_s": best and median(found[best], key)}


def goals(results):
    for name, found in results.items():
        for way in COMPARED:
            yield goal(name, found, way, "seconds", "total time")
            yield goal(name, found, way, "blackout", "blackout")


def show(results):
    for name, found in results.items():
        say("%s: the guest writes %s; median (least-most) of %d" % (
            name.capitalize(), wrote(found), options.repeat))
        table(list(rows_of(found)), ["", "total, ms", "blackout, ms", "passes",
                                     "demanded"])
    reached = list(goals(results))
    for each in reached:
        say("%-6s %s, %s, %s: %.2f of QEMU's best (%s)" % (
            "met" if each["met"] else "missed", each["load"], each["way"], each["goal"],
            each["ratio"], each["best"] or "none came to an end"))
    return reached


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--json", metavar="FILE", help="all figures")
    parser.add_argument("--kernel", default="ppc64el-6.12")
    parser.add_argument("--memory", type=int, default=256, metavar="MIB")
    parser.add_argument("--processors", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--load", action="append", choices=LOADS)
    parser.add_argument("--downtime-ms", type=int, default=300,
                        help="what is left has to fit, of both")
    parser.add_argument("--verbose", action="store_true", help="each move")
    parser.add_argument("--log-level", help="of vasi-phypd")
    parser.add_argument("--keep-logs", metavar="DIRECTORY", help="of all daemons")
    found = parser.parse_args()
    found.build = os.path.abspath(found.build)
    found.load = found.load or list(LOADS)
    return found


def main():
    global options
    options = parse_options()
    linux_lab.lpm.BUILD = options.build
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    load = os.getloadavg()[0]
    directory = tempfile.mkdtemp(prefix="lpmbench.", dir="/tmp")
    try:
        machine = new_machine()
        with Partition(machine) as partition:
            with Chain(machine, directory) as chain:
                results = turns(partition, chain)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    say("%s, %d MiB, %d processor%s; load of this machine %.1f" % (
        options.kernel, options.memory, options.processors,
        "s"[:options.processors > 1], load))
    say()
    reached = show(results)
    say("%.0f s" % (time.monotonic() - started))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"load": load, "kernel": options.kernel, "memory": options.memory,
                       "processors": options.processors,
                       "downtime_ms": options.downtime_ms, "results": results,
                       "goals": reached}, file, indent=1)
            file.write("\n")
    return any(r["wrong"] for found in results.values() for all_ in found.values()
               for r in all_)


if __name__ == "__main__":
    sys.exit(main())
