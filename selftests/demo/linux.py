#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A running Linux partition moves between two managed systems.

Two vasi-phypd and two mspd on this machine, and the commands that an operator types.
The partition is a Linux guest that checks its memory, counts ticks on its console, and
answers on one TCP connection; all of that goes on, on the other system.  The blackout is
measured from outside: by when the ticks come, and by how long the connection is silent.
Fails on a lost tick, a wrong byte, or a connection that does not live.  Leaves no process
and no file behind.
"""

import argparse
import contextlib
import os
import signal
import sys
import tempfile
import time

PARSER = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
PARSER.add_argument("--build", default="build", help="where the programs are")
PARSER.add_argument("--kernel", default="ppc64el-6.12", metavar="LABEL",
                    help="of the partition: ppc64el-6.1 or ppc64el-6.12")
PARSER.add_argument("--processors", type=int, default=1)
PARSER.add_argument("--memory", type=int, default=256, metavar="MIB")
PARSER.add_argument("--moves", type=int, default=2, help="there, back, there, ...")
PARSER.add_argument("--plant-stop", type=int, default=0, metavar="MS",
                    help="stop the target's QEMU for so long within the blackout")
PARSER.add_argument("--quick", action="store_true", help="no pauses to look at it")
ARGS = PARSER.parse_args()

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
os.environ["BUILD"] = os.path.abspath(ARGS.build)
sys.path[:0] = [HERE, os.path.join(TESTS, "lib"), os.path.join(TESTS, "guest")]

import gateway  # noqa: E402
import linux_lab  # noqa: E402
import lpm  # noqa: E402
import partition_guest  # noqa: E402
import pinger  # noqa: E402
import screen  # noqa: E402
import vswitch  # noqa: E402
import workload  # noqa: E402
from console import Console  # noqa: E402

ADDRESS = "10.0.2.15"
ECHO_PORT = 7
CHECKED = 64            # MiB that the partition checks
TICK_MS = 20
PAUSE_S = 0 if ARGS.quick else 2
# Of the kernel's asking once a second whether it may suspend
MOVE_S = 120


class Shown:
    """The partition's console: everything but most of the ticks."""

    def __init__(self, out):
        self.out, self.place = out, None

    def __call__(self, line):
        tick = linux_lab.TICK.match(line.text)
        arrived = line.place != self.place
        self.place = line.place
        # Beside those that show the move, about one a second
        if tick and not arrived and int(tick.group(1)) % (1000 // TICK_MS):
            return
        if line.text.strip() and not line.text.startswith("dmesg:"):
            self.out.tell("on " + "AB"[line.place % 2], line.text)


def plant(out, lab):
    """A stop of the target's QEMU between Suspended and the first tick there."""
    stream = lpm.until("the source is Suspended", lambda: next((
        s for s in lab.here.phyp("stream.list")["streams"]
        if s["state"] == "Suspended"), None), MOVE_S)
    pid = lab.there.partition(stream["partition"])["guest"]["pid"]
    out.say("  (planted: QEMU of system %s is stopped for %d ms)"
            % (lab.there.name, ARGS.plant_stop))
    os.kill(pid, 19)
    time.sleep(ARGS.plant_stop / 1000)
    os.kill(pid, 18)


def settle(lab):
    """The partition goes on there: it ticks, and has checked its memory again."""
    since = len(lab.console.lines)
    lab.console.wait(linux_lab.TICK, since)
    lab.console.wait(r"^check \d+ ok", since)
    time.sleep(PAUSE_S)


def move(out, lab, console, client):
    """One move, by the console; returns its blackout."""
    source, target = lab.here.name, lab.there.name
    began = time.monotonic_ns()
    words = ["migrlpar", "-o", "m", "-m", source, "-t", target, "-p", lab.name,
             "--downtime", "60"]
    with screen.Migration(out, console, words) as migration:
        if ARGS.plant_stop:
            plant(out, lab)
        migration.end(MOVE_S)
    lab.here = lab.there
    settle(lab)
    outside, inside = linux_lab.blackout(lab.console.ticks(), began)
    stamps = [s for s in client.stamps[:] if s >= began]
    silence = max((b - a for a, b in zip(stamps, stamps[1:])), default=0)
    out.say()
    out.say("  from %s to %s: blackout by the ticks %.0f ms, silence of the connection %.0f ms"
            % (source, target, outside / 1e6, silence / 1e6))
    out.say("  by the partition's own clock %.0f ms: it stands still while no processor runs"
            % (inside * 1e3))
    out.say("  (a tick is due every %d ms, a message every 10 ms)" % TICK_MS)
    out.say()
    return outside


def checks(out, lab, report, outsides):
    wrong = lab.wrong()
    ticks = lab.console.ticks()
    checked = [t for t in lab.console.texts() if t.startswith("check ")]
    out.check("no tick is lost", not any("tick" in w for w in wrong),
              "%d ticks" % len(ticks))
    out.check("the partition's memory is what it wrote", not wrong and checked,
              wrong[0] if wrong else checked[-1])
    out.check("one TCP connection lived", not report.error and not report.lost,
              str(report))
    if ARGS.plant_stop:
        out.check("the planted stop shows", min(outsides) >= ARGS.plant_stop * 1e6,
                  "%.0f ms, planted were %d" % (min(outsides) / 1e6, ARGS.plant_stop))


def demo(out):
    out.say("A Linux partition of %d MiB (%s, %d processors) moves between systems A and B."
            % (ARGS.memory, ARGS.kernel, ARGS.processors))
    machine = partition_guest.PartitionGuest(
        ARGS.kernel, [workload.ticker(TICK_MS), workload.checker(CHECKED << 20, 16 << 20),
                      workload.echod(ECHO_PORT)],
        address=ADDRESS + "/24", memory=ARGS.memory, processors=ARGS.processors)
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="lpm."))
        os.chmod(directory, 0o755)
        switch = stack.enter_context(vswitch.Switch(directory, "--socket-mode", "666"))
        lab = stack.enter_context(linux_lab.LinuxLab(machine, name="web", switch=switch,
                                                     show=Shown(out)))
        console = Console(lab)
        with out.step("start, until it checks"):
            lab.begin()
            lab.console.wait(r"^check \d+ ok")
        with out.step("its network"):
            way = stack.enter_context(gateway.Gateway(switch.path, ADDRESS, (ECHO_PORT,)))
            client = stack.enter_context(pinger.Pinger(way.ports[ECHO_PORT], window=1))
            client.wait_count(100)
        with out.step("validation"):
            out.sh(console, "lssyscfg -r lpar -m A -F name,state,rmc_state")
            out.sh(console, "migrlpar -o v -m A -t B -p web; echo $?")
        outsides = []
        for number in range(1, ARGS.moves + 1):
            with out.step("move %d" % number):
                outsides.append(move(out, lab, console, client))
        with out.step("its end"):
            client.stop()
            lab.end()
        checks(out, lab, client.report(), outsides)
    out.say("  where the time went")
    out.table([("  " + name, "%.1f s" % seconds) for name, seconds in out.steps])


def main():
    out = screen.Screen()
    try:
        demo(out)
    except (AssertionError, TimeoutError, lpm.RpcError, OSError) as error:
        out.check("it goes on to its end", False, error)
    return out.failed != 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lpm.interrupted)
    sys.exit(main())
