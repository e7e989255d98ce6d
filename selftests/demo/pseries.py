#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Linux partition moves between two systems whose movers are Linux partitions, too.

Three pseries machines on QEMU: two mover service partitions with the kernel driver and
mspd, each with the VASI device of a vasi-phypd of its own, and the partition that moves,
which suspends itself through its own kernel.  All that an operator does is typed as on
the management console.  Leaves no process and no file behind but the movers' logs in the
build directory.
"""

import argparse
import contextlib
import fcntl
import glob
import os
import re
import signal
import sys
import tempfile
import time

PARSER = argparse.ArgumentParser(description=__doc__.split("\n")[0])
PARSER.add_argument("--build", default="build", help="where the programs are")
PARSER.add_argument("--kernel", default="ppc64el-6.12", metavar="LABEL",
                    help="of all three: ppc64el-6.1 or ppc64el-6.12")
PARSER.add_argument("--memory", type=int, default=64, metavar="MIB",
                    help="memory that the partition's checker writes and reads (64)")
PARSER.add_argument("--rate", type=float, default=1, metavar="MIB/S",
                    help="how much of it is written anew (1)")
PARSER.add_argument("--before", default="", metavar="NAME=SECONDS ...",
                    help="what was done before, for the table of times")
PARSER.add_argument("--short", action="store_true", help="a test: TAP, and less to see")
PARSER.add_argument("--only", action="append", help=argparse.SUPPRESS)

ARGS = PARSER.parse_args()

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ["BUILD"] = os.path.abspath(ARGS.build)
sys.path[:0] = [os.path.join(os.path.dirname(HERE), name) for name in ("lib", "guest")]

import directed  # noqa: E402
import linux_lab  # noqa: E402
import lpm  # noqa: E402
import mover  # noqa: E402
import network  # noqa: E402
import workload  # noqa: E402
from console import Console  # noqa: E402
from gateway import Gateway  # noqa: E402
from partition_guest import PartitionGuest  # noqa: E402
from pinger import Pinger  # noqa: E402
from screen import Migration, Screen  # noqa: E402
from vswitch import Switch  # noqa: E402

LABEL = ARGS.kernel
NAME = "web"
ADDRESS, ECHO = "10.0.2.15", 7
MIB = 1 << 20
PAGE = 4096
# All of it is emulated
MOVE_S = 300
# Messages before and after the move
PINGS = 5 if ARGS.short else 50
# Ticks that are shown before and after the move
TICKS = 4
# Of what is said all the time, one line of a kind is shown in so many seconds
ROUTINE = re.compile(r"^(tick|check) \d+( ok$| [0-9.]+ [0-9.]+$)")
ROUTINE_S = 5
# What its kernel says of it
SAID = ("calling ibm,suspend-me", "memory transfer completed")


def hear_console(screen):
    """What shows the partition's console as it comes, from its first program on."""
    shown = {}

    def hear(line):
        routine = ROUTINE.match(line.text)
        if routine:
            if line.ns - shown.get(routine.group(1), 0) < ROUTINE_S * 1e9:
                return
            shown[routine.group(1)] = line.ns
        if line.text.startswith("guest: "):
            shown["guest"] = line.ns
        if "guest" in shown and not line.text.startswith("dmesg: "):
            screen.tell(NAME, line.text)
    return hear


def hear_mover(screen, system):
    """What shows the lines of a mover's mspd and vasimon, without the date."""
    def hear(source, text):
        if source == "events":
            screen.tell("vios-" + system.name, "vasimon: " + directed.event(text))
        else:
            screen.tell("vios-" + system.name, re.sub(r"^\S+T\S+ mspd\[\d+\]", "mspd", text))
    return hear


class Look:
    """The move as the systems see it, before the console has cleaned up."""

    def __init__(self, lab, stream_id):
        self.move = lab.move(memory=lab.machine.memory_bytes, name=NAME)
        self.move.stream_id = stream_id
        lpm.until("the move is over", self.over, MOVE_S)
        self.move.check_moved()
        self.source, self.target = (system.stream(stream_id) for system in lab.systems)

    def over(self):
        states = self.move.states()
        assert "Aborted" not in states, states
        return states == ("Completed", "Completed")


def migrate(screen, lab, console):
    """The operator's part; returns a Look."""
    screen.sh(console, "migrlpar -o v -m A -t B -p %s; echo $?" % NAME)
    words = "migrlpar -o m -m A -t B -p %s -v" % NAME
    # Whoever holds the lock keeps the command from cleaning up, and from beginning
    with Migration(screen, console, words.split()) as migration, \
            open(console.file, "rb") as file:
        stream_id = migration.begun(lab.a)
        fcntl.flock(file, fcntl.LOCK_SH)
        look = Look(lab, stream_id)
        fcntl.flock(file, fcntl.LOCK_UN)
        migration.end()
    assert lab.a.partition_state(NAME) == "absent", "it is left on A"
    lab.here = lab.b
    screen.sh(console, "lssyscfg -r lpar -m B -F name,state,rmc_state --filter lpar_names="
              + NAME)
    return look


def content(system):
    """Bytes of the partition's memory that are not zero, by what its system maps."""
    zero, found, name = bytes(PAGE), 0, ""
    for path in glob.glob("/proc/%d/fd/*" % system.phypd.process.pid):
        with contextlib.suppress(FileNotFoundError):    # others come and go
            name = os.readlink(path)
        if not name.startswith("/memfd:"):
            continue
        with open(path, "rb") as file:
            pages = iter(lambda: file.read(PAGE), b"")
            found = max(found, sum(page != zero for page in pages) * PAGE)
    return found


def hand_over(ticks):
    """The last tick on the source and the first one on the target, (number, uptime, line)."""
    for pair in zip(ticks, ticks[1:]):
        if pair[0][2].place != pair[1][2].place:
            return pair
    raise AssertionError("the partition does not tick on the target")


def show_ticks(screen, ticks):
    """Those around the hand-over, on this machine's clock."""
    last, first = hand_over(ticks)
    at = ticks.index(first)
    for tick in ticks[max(at - TICKS, 0):at + TICKS]:
        line = tick[2]
        if tick is first:
            screen.say("             ... %.0f ms without a tick ..."
                       % ((line.ns - last[2].ns) / 1e6))
        screen.say("  %+8.0f ms  system %s: %s" % ((line.ns - last[2].ns) / 1e6,
                                                   "AB"[line.place], line.text))


def kernel_log(lab):
    """All that the partition's kernel has said."""
    since = len(lab.console.lines)
    lab.console.say("run dmesg | sed 's/^/dmesg: /'; echo dmesg: end")
    lab.console.wait("^dmesg: end$", since)
    return [text[len("dmesg: "):] for text in lab.console.texts()[since:]
            if text.startswith("dmesg: ")]


def silence(gaps, ticks):
    """ms without an answer: the longest that is not over before the hand-over's last tick."""
    last, first = hand_over(ticks)
    return max((length for stamp, length in gaps if stamp <= first[2].ns and
                stamp + length >= last[2].ns), default=0) / 1e6


def report(screen, look, ticks, silent_ms):
    """What the move was like."""
    source, target = look.source, look.target
    last, first = hand_over(ticks)
    total_ns = source["completed_ns"] - source["created_ns"]
    waits = target["demand_us"]
    screen.table([
        ("total time", "%.2f s, by system A's clock" % (total_ns / 1e9)),
        ("blackout, by its ticks", "%.0f ms on this machine's clock; %.0f ms on its own, "
         "which stands still while it is moved" % ((first[2].ns - last[2].ns) / 1e6,
                                                  (first[1] - last[1]) * 1e3)),
        ("blackout, by its service", "%.0f ms without an answer" % silent_ms),
        ("bytes sent", "%.1f MB, encrypted with TLS 1.3 by both movers"
         % (source["bytes"] / 1e6)),
        ("passes", "%d complete, then the hand-over" % source["passes"]),
        ("pages sent", "%d of %d bytes, %d of them again; %d as zero runs" % (
            source["pages"], PAGE, source["resent"], source["zero_pages"])),
        ("pages demanded", "%d after Resumed; waited %d us median, %d us p99, %d us at most"
         % (target["demanded"], waits["p50"], waits["p99"], waits["max"])),
    ])


def checks(screen, lab, pings, kernel):
    numbers = [number for number, _, _ in lab.console.ticks()]
    wrong = lab.wrong()
    lost = [text for text in wrong if text.startswith("tick ")]
    corrupt = [text for text in wrong if text not in lost]
    checked = [text for text in lab.console.texts() if text.startswith("check end")]
    said = [line.partition("mobility: ")[2] for line in kernel if "mobility: " in line]
    bad = [line for line in kernel if lab.machine.machine.splat(line)]
    screen.check("no tick is lost", numbers and not lost,
                 lost[0] if lost else "%d, one after the other" % len(numbers))
    screen.check("the checker found its memory as it was written", checked and not corrupt,
                 corrupt[0] if corrupt else "; ".join(checked) or "it said nothing")
    screen.check("one TCP connection lived on", pings.count and not pings.lost and
                 not pings.error, "%d messages, %d answers%s" % (
                     pings.sent, pings.count, ", " + pings.error if pings.error else ""))
    screen.check("the partition's kernel suspended itself", all(
        any(text in line for line in said) for text in SAID), "; ".join(
            line for line in said if any(text in line for text in SAID)) or "it is silent")
    screen.check("and complains of nothing", not bad, "; ".join(bad[:3]) or
                 "%d lines of its log" % len(kernel))


def check_movers(screen, movers):
    for each in movers:
        each.end()
        wrong = each.wrong()
        screen.check("mover %s ends well, and its kernel reports nothing"
                     % each.system.name, not wrong, "; ".join(wrong) or
                     "%d MiB of memory, up for %.0f s" % (
                         each.memory, each.result_of.total_s))


def show_systems(screen, console):
    screen.sh(console, "lssyscfg -r sys -F name,state")
    screen.sh(console, "lslparmigr -r msp -m A -t B")
    screen.sh(console, "lssyscfg -r lpar -m A -F name,state")


def move(screen, lab, movers, gateway):
    """From the moment that everything is up."""
    console = Console(lab, directed.describe(lab, movers))
    show_systems(screen, console)
    with Pinger(gateway.ports[ECHO], interval=0.02, window=1, threshold=0.1) as pinger:
        lab.console.wait("^check [0-9]+ ok")
        pinger.wait_count(PINGS)
        size = content(lab.a)
        screen.check("at least %d MiB of it are not zero" % ARGS.memory,
                     size >= ARGS.memory * MIB, "%.1f of %d MiB" % (
                         size / MIB, lab.machine.memory))
        with screen.step("the move, and its validation"):
            look = migrate(screen, lab, console)
        pinger.wait_count(PINGS)
        pings = pinger.stop()
    lab.console.wait(linux_lab.TICK, len(lab.console.lines))
    with screen.step("all of them end"):
        kernel = kernel_log(lab)
        lab.end()
        ticks = lab.console.ticks()
        show_ticks(screen, ticks)
        report(screen, look, ticks, silence(pings.gaps, ticks))
        checks(screen, lab, pings, kernel)
        check_movers(screen, movers)


def partition():
    """The partition to be."""
    return PartitionGuest(LABEL, [
        workload.ticker(), workload.checker(ARGS.memory * MIB, int(ARGS.rate * MIB)),
        workload.echod(ECHO)], address=ADDRESS + "/24")


def show_times(screen):
    before = [(name.replace("-", " "), float(seconds)) for name, _, seconds in
              (word.partition("=") for word in ARGS.before.split())]
    total = sum(seconds for _, seconds in before) + time.monotonic() - screen.began
    screen.say("Where the time went:")
    screen.table([(name, "%6.1f s" % seconds) for name, seconds in
                  before + screen.steps + [("all in all", total)]])


def start(screen, stack):
    """Everything, until it is up; returns a lab, movers and a gateway."""
    with screen.step("is the driver built"):
        mover.module(LABEL)
    with screen.step("two systems, a switch and a gateway"):
        directory = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="lpm.", dir="/tmp"))
        # Each system has a user of its own
        os.chmod(directory, 0o755)
        switch = stack.enter_context(Switch(directory, "--socket-mode", "666"))
        gateway = stack.enter_context(Gateway(switch.path, ADDRESS, (ECHO,)))
        lab = stack.enter_context(linux_lab.LinuxLab(
            partition(), NAME, switch, show=hear_console(screen)))
    with screen.step("three machines start, the movers and the partition"):
        movers = [stack.enter_context(directed.DirectedMover(
            LABEL, system, end, hear_mover(screen, system)))
            for system, end in zip(lab.systems, network.cable())]
        lab.begin()
        for each in movers:
            each.wait_ready()
    return lab, movers, gateway


def demo(screen):
    """Returns the exit status."""
    interrupt = None
    with contextlib.ExitStack() as stack:
        try:
            move(screen, *start(screen, stack))
        except KeyboardInterrupt as error:  # what follows is no failure of anybody's
            interrupt = error
    if interrupt:
        screen.say("interrupted; all of it is ended and removed")
        return 130
    show_times(screen)
    return screen.failed != 0


def interrupted(number, frame):
    """Once is enough: what follows is cleaning up."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    raise KeyboardInterrupt


def main():
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, interrupted)
    screen = Screen(ARGS.short)
    screen.say("A Linux partition moves from system A to system B.  Its movers are Linux, too.")
    try:
        status = demo(screen)
    except Exception as error:          # whatever it is, it is a failure that is shown
        screen.check("it went to its end", False, "%s: %s" % (
            type(error).__name__, error))
        status = 1
    if ARGS.short:
        print("1..%d" % screen.checks, flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
