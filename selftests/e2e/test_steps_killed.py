#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Console, movers and management connections that go at each step of a migration.

Whatever it is, and wherever: a second command brings it to an end, and the partition
runs exactly once.
"""

import contextlib
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import interpose  # noqa: E402
import inventories  # noqa: E402
import inventory  # noqa: E402
import lpm  # noqa: E402
import tap  # noqa: E402
from console import Console, codes, describe  # noqa: E402

MIB = lpm.MIB
NAME = "lpar1"
suite = tap.Suite()
EXECUTES = ("Running", "Migrating - Running", "Finished")


class Scene:
    """Two described systems, a console that can be interposed, and a partition on A."""

    def __init__(self, lab):
        self.lab = lab
        self.interposer = interpose.Interposer(lab, describe(lab))
        self.faulty = Console(lab, self.interposer.description)
        self.sound = Console(lab)
        self.before = inventories.both(lab)
        self.process = None

    def migrate(self, source="A", target="B"):
        self.sound("migrlpar", "-o", "m", "-m", source, "-t", target, "-p",
                   NAME)

    def begin(self):
        """migrlpar -o m, as a process of its own."""
        self.process = subprocess.Popen(
            [self.faulty.bin + "/migrlpar", "-o", "m", "-m", "A", "-t", "B",
             "-p", NAME], env=self.faulty.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def end(self):
        output = self.process.communicate(timeout=lpm.PATIENCE_S)[0]
        self.process.stdout.close()
        return output

    def kill_console(self):
        self.process.kill()
        self.process.wait(lpm.PATIENCE_S)

    def revive(self):
        """Movers that are gone are started again."""
        for system in self.lab.systems:
            if not system.mspd.alive():
                system.start_mspd()
            lpm.until("its platform knows the mover", lambda s=system: all(
                d["connected"] for d in s.phyp("system.info")["devices"]))

    def over(self):
        """No stream and nothing half made on either system?"""
        now = inventories.both(self.lab)
        marked = [a for s in now.values() for v in s["vioses"].values()
                  for a in v["adapters"] if "stream_id" in a]
        states = [p["state"] for s in now.values()
                  for p in s["partitions"].values()]
        return not marked and not any(s["streams"] for s in now.values()) and \
            states in (["Running"], ["Not Activated"])

    def recover(self):
        """A second command, until there is nothing left to be done."""
        self.revive()

        def done():
            # The truth is shown at any time
            shown = self.sound("lslparmigr", "-r", "lpar", "-m", "A", "-F",
                               "name,migration_state")
            assert shown, shown
            recovery = self.sound.run("migrlpar", "-o", "r", "-m", "A", "-t",
                                      "B", "-p", NAME)
            assert recovery.returncode in (0, 1), recovery
            if recovery.returncode:
                assert codes(recovery.stderr), recovery
            return self.over()

        lpm.until("it has been recovered", done)

    def executes(self, system):
        return system.partition_state(NAME) in EXECUTES

    def check(self):
        """It runs once; both inventories are as before, or as after."""
        where = [s for s in self.lab.systems if self.executes(s)]
        assert len(where) == 1, [s.partition_state(NAME)
                                 for s in self.lab.systems]
        steps = where[0].partition(NAME)["steps"]
        lpm.until("it goes on", lambda:
                  where[0].partition(NAME)["steps"] > steps)
        after = inventories.both(self.lab)
        if where[0] is self.lab.a:
            inventories.check_same(self.lab, self.before)
        else:
            inventories.check_migrated(NAME, self.before, after)
        return where[0].name

    def back(self, where):
        """For the next one it is on A again; new movers do not remember."""
        if where == "B":
            self.migrate("B", "A")
        self.before = inventories.both(self.lab)


@contextlib.contextmanager
def scene(**options):
    options.setdefault("program", lpm.program(3600, 4 * MIB))
    pair = inventory.pair([inventory.partition(NAME, npiv=True, **options)])
    with lpm.Lab(systems=pair) as lab:
        yield Scene(lab)


def calls_of(stage):
    """The calls of a migration that change something."""
    with stage.interposer.record() as calls:
        stage.faulty("migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p", NAME)
    stage.back("B")
    assert len(calls) > 10, calls
    return calls


def sweep(fate, what, stays=False):
    """@what goes at each call in turn."""
    with scene() as stage:
        outcomes = []
        for number, call in enumerate(calls_of(stage)):
            with stage.interposer.fault(number, fate, what and
                                        (lambda _: what(stage)),
                                        stays) as reached:
                # A call that is made before begin() has returned waits for it
                with stage.interposer.lock:
                    stage.begin()
                stage.end()
            assert reached == [call], (number, reached, call)
            stage.recover()
            where = stage.check()
            outcomes.append("%s %s: %s" % (*call, where))
            stage.back(where)
        lpm.note("; ".join(outcomes))


for fate in (interpose.LOSE_REQUEST, interpose.LOSE_ANSWER):
    suite.test("the console is killed at each call, %s" % fate,
               lambda f=fate: sweep(f, Scene.kill_console))
    suite.test("the management connection is cut at each call, %s" % fate,
               lambda f=fate: sweep(f, None, True))

suite.test("the source's mover is killed at each call",
           lambda: sweep(interpose.PASS, lambda s: s.lab.a.mspd.kill()))
suite.test("the target's mover is killed at each call",
           lambda: sweep(interpose.PASS, lambda s: s.lab.b.mspd.kill()))


# Steps 4 to 6, in which the console only looks on

def moving(stage):
    """Step 4: memory is being copied, and that takes long."""
    stage.begin()
    stream = lpm.until("it moves", lambda: next(
        (m["stream_id"] for m in stage.lab.a.msp("list")["moves"]
         if m["phase"] == "moving"), None))
    stage.lab.a.msp("limit", stream_id=stream, bytes_per_second=2 * MIB)
    return stream


def suspended(stage):
    """Step 5: the hand-over is stuck."""
    stream = moving(stage)
    stage.lab.b.mspd.signal(signal.SIGSTOP)
    stage.lab.a.msp("suspend", stream_id=stream)
    lpm.until("it is suspended", lambda:
              stage.lab.a.stream(stream)["state"] == "Suspended")
    return stream


def resumed(stage):
    """Step 6: it runs on the target, which still lacks pages."""
    stream = moving(stage)
    stage.lab.a.msp("suspend", stream_id=stream)
    lpm.until("it goes on", lambda:
              stage.lab.b.stream(stream)["state"] == "Resumed")
    assert stage.lab.a.stream(stream)["state"] != "Completed"
    return stream


VICTIMS = {
    "the console": Scene.kill_console,
    "the source's mover": lambda s: s.lab.a.mspd.kill(),
    "the target's mover": lambda s: s.lab.b.mspd.kill(),
}


def strike(reach, kill):
    with scene(memory=64 * MIB) as stage:
        stream = reach(stage)
        kill(stage)
        if stage.lab.b.mspd.alive():
            stage.lab.b.mspd.signal(signal.SIGCONT)
        if stage.lab.a.mspd.alive():
            with contextlib.suppress(lpm.RpcError):
                stage.lab.a.msp("limit", stream_id=stream, bytes_per_second=0)
        stage.end() if stage.process.poll() is None else None
        stage.recover()
        where = stage.check()
        if reach is resumed:
            assert where == "B", where


for step, reach_it in ((4, moving), (5, suspended), (6, resumed)):
    for victim, kill_it in VICTIMS.items():
        suite.test("step %d: %s is killed" % (step, victim),
                   lambda r=reach_it, k=kill_it: strike(r, k))


if __name__ == "__main__":
    lpm.main(suite)
