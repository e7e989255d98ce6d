#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Linux partition is suspended to a file, moves as that file, and is resumed.

Its ticks are numbered: none is lost, and none comes while it is suspended.  A program in
it checks its memory.  It has stopped from outside, and does not notice; afterwards it
still suspends itself for a live move, as before.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import linux_lab  # noqa: E402
import lpm  # noqa: E402
import partition_guest  # noqa: E402
import workload  # noqa: E402

LABEL = "ppc64el-6.12"
MIB = 1 << 20


def free_memory(system):
    return system.phyp("system.info")["memory_free"]


def images(system):
    return os.listdir(os.path.join(system.state_dir, "suspended"))


def suspend(lab):
    """It becomes a file, and QEMU goes; returns how much it has said until then."""
    free = free_memory(lab.here)
    pid = lab.here.partition(lab.name)["guest"]["pid"]
    lab.here.phyp("partition.suspend", name=lab.name)
    show = lab.here.partition(lab.name)
    assert show["state"] == "Hibernated" and "guest" not in show, show
    assert free_memory(lab.here) == free + lab.machine.memory_bytes
    lpm.until("QEMU is gone", lambda: not os.path.exists("/proc/%d" % pid))
    path = os.path.join(lab.here.state_dir, "suspended", lab.name + ".image")
    size = os.stat(path).st_size
    lpm.note("its image has %d of %d MiB" % (size / MIB, lab.machine.memory_bytes / MIB))
    assert 32 * MIB < size < lab.machine.memory_bytes, size
    return len(lab.console.lines)


def resume(lab, said):
    """It goes on where it was, and has said nothing since."""
    assert len(lab.console.lines) == said, [
        line.text for line in lab.console.lines[said:]]
    lab.here.phyp("partition.resume", name=lab.name)
    lab.console.wait(linux_lab.TICK, said)
    lab.console.wait(r"^check .*\bok\b", said)
    lpm.until("its image is gone", lambda: not images(lab.here))


def in_place(lab):
    resume(lab, suspend(lab))


def across(lab):
    said = suspend(lab)
    move = lab.move(memory=lab.machine.memory_bytes, name=lab.name,
                    back=lab.here is lab.b)
    move.dst.phyp("partition.reserve", name=lab.name, suspended=True,
                  memory=lab.machine.memory_bytes, guest=lab.description)
    # A shell that nothing is to execute in has no QEMU either
    assert "guest" not in move.dst.partition(lab.name)
    for system, role in ((move.dst, "target"), (move.src, "source")):
        system.phyp("stream.create", stream_id=move.stream_id, role=role,
                    partition=lab.name, device="msp0")
    move.start_target().start_source()
    move.wait()
    move.wait_state(source=("Completed",), target=("Completed",))
    stream = move.src.stream(move.stream_id)
    lpm.note("%d pages, %d bytes crossed" % (stream["pages"], stream["bytes"]))
    lpm.until("it is an image there", lambda: move.dst.partition_state(lab.name)
              == "Hibernated")
    for system in (move.src, move.dst):
        system.phyp("stream.end", stream_id=move.stream_id)
    move.src.phyp("partition.remove", name=lab.name)
    assert not images(move.src)
    # The system that has it may be switched off and on meanwhile
    move.dst.mspd.stop()
    assert move.dst.phypd.stop() == 0
    move.dst.start()
    lab.here = move.dst
    resume(lab, said)


def live(lab):
    report = lab.go("partition")
    lpm.note(report)
    lab.console.wait(r"^check .*\bok\b", len(lab.console.lines))


def refused(lab):
    """Its kernel is not where it was: the image stays, and can be resumed later."""
    said = suspend(lab)
    kernel = lab.description["kernel"]
    os.rename(kernel, kernel + ".away")
    try:
        text = lab.here.phyp.refused(lpm.FAILED, "partition.resume", name=lab.name)
        assert "kernel" in text, text
    finally:
        os.rename(kernel + ".away", kernel)
    assert lab.here.partition_state(lab.name) == "Hibernated"
    resume(lab, said)


def end(lab):
    lab.end()
    lab.check()


TESTS = (
    ("it is suspended and resumed in place", in_place),
    ("it moves as an image, and is resumed there", across),
    ("and back", across),
    ("what cannot be resumed now stays suspended", refused),
    ("then it moves live, suspending itself", live),
    ("nothing is lost, nothing is wrong", end),
)


def main():
    print("1..%d" % (1 + len(TESTS)), flush=True)
    suite = linux_lab.Suite()
    machine = partition_guest.PartitionGuest(
        LABEL, ["ticker", workload.checker(48 * MIB, 16 * MIB)], processors=2)
    with linux_lab.LinuxLab(machine) as lab:
        if suite.attempt("it starts", lab.begin):
            for name, function in TESTS:
                if not suite.attempt(name, function, lab):
                    break
    return suite.bad != 0 or suite.count != 1 + len(TESTS)


if __name__ == "__main__":
    sys.exit(main())
