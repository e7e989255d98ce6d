#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Linux partition's move in which something is wrong, or is planted to be wrong.

The partition is left where it was, or can be recovered, and what is said names the thing.
"""

import glob
import os
import re
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import linux_lab  # noqa: E402
import lpm  # noqa: E402
import partition_guest  # noqa: E402
import workload  # noqa: E402

LABEL = "ppc64el-6.12"
MIB = 1 << 20
SLOW = 2 * MIB          # bytes a second: a move that does not end by itself


def make_lab(**more):
    load = workload.checker(32 * MIB)
    machine = partition_guest.PartitionGuest(LABEL, ["ticker", load])
    return linux_lab.LinuxLab(machine, **more)


def refused(pattern, code, system, method, **params):
    text = system.phyp.refused(code, method, **params)
    assert re.search(pattern, text), "%r does not say %r" % (text, pattern)


def create(lab, code, pattern, **guest):
    """Making a partition with these words in its description is refused."""
    refused(pattern, code, lab.a, "partition.create", name="other", memory=64 * MIB,
            guest=dict(lab.description, **guest))


def activate(lab, pattern, **guest):
    """It is made, but QEMU does not become what was asked for."""
    lab.a.phyp("partition.create", name="other", memory=256 * MIB,
               guest=dict(lab.description, **guest))
    refused(pattern, lpm.FAILED, lab.a, "partition.activate", name="other")
    assert lab.a.partition_state("other") == "Not Activated"
    lab.a.phyp("partition.remove", name="other")


# ---- Before it runs ----

def no_guests():
    with lpm.Lab(guests=False) as lab:
        refused("without --qemu-plugin", lpm.STATE, lab.a, "partition.create",
                name="other", memory=64 * MIB, guest={"kernel": "/vmlinux"})


def no_plugin_file():
    said = lpm.control("vasi-phypd", "--qemu-plugin", "/nowhere/spapr-vasi.so", status=2)
    assert "/nowhere/spapr-vasi.so: No such file" in said, said


def plugin_for_another_qemu():
    path = lpm.copied(os.path.join(lpm.BUILD, "qemu/spapr-vasi.so"))
    with open(path, "rb") as file:
        data = file.read()
    at = data.index(b"build-id:") + len(b"build-id:")
    other = os.path.join(lpm.programs(), "other.so")
    with open(other, "wb") as file:
        file.write(data[:at] + b"0123456789" + data[at + 10:])
    os.chmod(other, 0o755)
    with make_lab(phyp=["--qemu-plugin", other], guests=False) as lab:
        activate(lab, "ended with status 1: .*0123456789.*this one has build-id")


def no_qemu():
    said = lpm.control("vasi-phypd", "--qemu", "/nowhere/qemu", status=2)
    assert "--qemu /nowhere/qemu: " in said, said


def wrong_descriptions(lab):
    create(lab, lpm.FAILED, "guest.initrd: /nowhere: No such file", initrd="/nowhere")
    create(lab, lpm.FAILED, "guest.kernel: /nowhere: No such file", kernel="/nowhere")
    create(lab, lpm.INVALID_PARAMS, "no absolute path", kernel="vmlinux")
    create(lab, lpm.INVALID_PARAMS, "17 is out of range|processors.*16", processors=17)
    create(lab, lpm.INVALID_PARAMS, "no MAC address",
           network=[{"switch": "/run/x", "mac": "53:54:00:77:01:zz"}])
    create(lab, lpm.INVALID_PARAMS, "guest.console: terminal is no absolute path",
           console="terminal")
    create(lab, lpm.INVALID_PARAMS, "guest.network.switch: x is no absolute path",
           network=[{"switch": "x", "mac": "52:54:00:77:01:02"}])
    create(lab, lpm.INVALID_PARAMS, "element 0 is no string", arguments=[1])


def other_memory(lab):
    activate(lab, "memory|RAM", arguments=["-m", "512M"])


def wrong_argument(lab):
    activate(lab, "ended with status 1: .*no-such-option", arguments=["-no-such-option"])


# ---- While it moves ----

def begin_slowly(lab, **more):
    """A move that has begun and will take long; in state Enabled."""
    move = lab.prepare(**more)
    move.source["limit"] = SLOW
    move.start_target().start_source()
    lpm.until("some pages have moved", lambda: move.dst.stream(
        move.stream_id)["pages"] > 64)
    return move


def check_back(lab, move, target_gone=True):
    """The stream has aborted, the partition runs where it was, the shell is gone."""
    move.wait("aborted", "failed", "parked")
    lpm.until("the source's stream has aborted",
              lambda: move.src.stream(move.stream_id)["state"] == "Aborted")
    if target_gone:
        lpm.until("the shell is gone",
                  lambda: move.dst.partition_state(lab.name) == "absent")
    assert move.src.partition_state(lab.name) == "Running"
    refused("post .* failed", lpm.FAILED, move.src, "partition.tell", name=lab.name,
            phase="post", stream_id=move.stream_id)
    lab.console.wait(linux_lab.TICK, len(lab.console.lines))
    forget(move)


def forget(move):
    for system in (move.src, move.dst):
        lpm.until("the stream can be forgotten", lambda s=system: ended(s, move))


def ended(system, move):
    try:
        system.phyp("stream.end", stream_id=move.stream_id)
    except lpm.RpcError as error:
        if error.code != lpm.STATE:
            raise
        return False
    return True


def qemu_of(system, name):
    return system.partition(name)["guest"]["pid"]


def target_crashes(lab):
    move = begin_slowly(lab)
    os.kill(qemu_of(move.dst, lab.name), signal.SIGKILL)
    check_back(lab, move)
    assert "was ended by signal 9" in move.dst.phypd.log()


def target_crashes_loaded(lab):
    """All is there, the state is loaded, the record is not written: the last moment."""
    move = lab.prepare(target_debug={"hold_resume": True},
                       all_pages_before_resume=True)
    move.start_target().start_source()
    lpm.until("everything is there",
              lambda: move.dst.stream(move.stream_id)["held"])
    assert move.src.partition_state(lab.name) == "Suspended"
    os.kill(qemu_of(move.dst, lab.name), signal.SIGKILL)
    check_back(lab, move)
    assert move.dst.phyp("stream.verdict", stream_id=move.stream_id)["verdict"] == \
        "never"


def same_on_both_sides(lab):
    """Nothing differs after the last pass."""
    found = []

    def compare(move):
        found.append(differing(lab, move))
        move.dst.phyp("stream.release", stream_id=move.stream_id)

    report = lab.go(held=compare, target_debug={"hold_resume": True},
                    all_pages_before_resume=True)
    lpm.note(report)
    assert found == [0], found


def memory_of(daemon):
    """The memory of a system's one partition, as a path."""
    for path in glob.glob("/proc/%d/fd/*" % daemon.process.pid):
        if os.readlink(path).startswith("/memfd:partition"):
            return path
    raise AssertionError("no partition's memory")


def differing(lab, move):
    """How many pages of the target differ, by way of a copy that it may read."""
    copy = os.path.join(lab.directory, "memory")
    with open(memory_of(move.src.phypd), "rb") as source, open(copy, "wb") as file:
        while block := source.read(16 * MIB):
            file.write(block)
    os.chmod(copy, 0o644)
    pages = move.dst.phyp("partition.compare", name=lab.name, file=copy)["differing"]
    os.unlink(copy)
    return pages


def planted_difference(lab):
    """One page that was dirtied again is not sent again: exactly that one is found."""
    move = lab.prepare(debug={"skip_resend": 1}, target_debug={"hold_resume": True},
                       all_pages_before_resume=True)
    move.source["suspend"] = {"downtime_ms": 1, "pass_limit": 3, "timeout_s": 10}
    move.start_target().start_source()
    lpm.until("everything is there",
              lambda: move.dst.stream(move.stream_id)["held"])
    found = differing(lab, move)
    move.dst.phyp("stream.cancel", stream_id=move.stream_id)
    check_back(lab, move)
    assert found == 1, found


def demanded(lab):
    """It dirties faster than it may be sent; it moves in time, and pages are demanded."""
    report = lab.go(source={"limit": 16 * MIB,
                            "suspend": {"downtime_ms": 1, "pass_limit": 2,
                                        "timeout_s": 3}})
    lpm.note(report)
    assert report.target["demanded"] > 0, report
    waits = report.target["demand_us"]
    assert 0 < waits["p50"] <= waits["p99"] <= waits["max"] * 1.15, waits
    assert report.seconds < 60, report


def begin_resumed(lab):
    """It runs on the target, and most of what it has written last is missing there."""
    move = lab.prepare()
    move.source.update(limit=4 * MIB, suspend={"downtime_ms": 1, "pass_limit": 1,
                                               "timeout_s": 1})
    move.start_target().start_source()
    lpm.until("it runs there", lambda: move.dst.stream(
        move.stream_id)["state"] == "Resumed", 60)
    return move, time.monotonic_ns()


def source_stalls(lab):
    """Its mover stops after Resumed: processors wait, nobody else does."""
    move, began = begin_resumed(lab)
    with stopped(move.src.mspd):
        lpm.until("the log says that it waits",
                  lambda: "waits for the page at" in move.dst.phypd.log())
        # Its platform answers meanwhile
        assert move.dst.partition(lab.name)["guest"]["faults"] > 0
    move.src.msp("limit", stream_id=move.stream_id, bytes_per_second=0)
    report = lab.finish(move, began)
    lpm.note(report)
    assert report.target["demand_us"]["max"] >= 4000000, report.target["demand_us"]


def mover_is_lost(lab):
    """It is killed after Resumed: processors wait until there is a new one."""
    move, began = begin_resumed(lab)
    move.src.mspd.kill()
    lpm.until("the stream is parked", lambda: all(
        s.stream(move.stream_id)["parked"] for s in (move.src, move.dst)))
    move.src.start_mspd()
    del move.source["limit"], move.source["suspend"]
    move.start_target().start_source()
    report = lab.finish(move, began)
    lpm.note(report)
    assert report.target["incarnation"] == 2, report.target


class stopped:
    """A daemon that is stopped, for as long."""

    def __init__(self, daemon):
        self.daemon = daemon

    def __enter__(self):
        self.daemon.signal(signal.SIGSTOP)

    def __exit__(self, *_):
        self.daemon.signal(signal.SIGCONT)


# ---- The last ones: the partition does not survive them ----

def source_crashes(lab):
    move = begin_slowly(lab)
    os.kill(qemu_of(move.src, lab.name), signal.SIGKILL)
    check_gone(lab, move, "was ended by signal 9")


def guest_panics(lab):
    move = begin_slowly(lab)
    lab.console.say("run echo c >/proc/sysrq-trigger")
    check_gone(lab, move, "the guest's kernel panicked")


def check_gone(lab, move, said):
    """The partition is off where it was, and its stream has aborted because of it."""
    move.wait("aborted", "failed", "parked")
    lpm.until("the source's stream has aborted",
              lambda: move.src.stream(move.stream_id)["state"] == "Aborted")
    assert move.src.stream(move.stream_id)["reason"] >> 24 == 6
    assert move.src.partition_state(lab.name) == "Not Activated"
    lpm.until("the shell is gone",
              lambda: move.dst.partition_state(lab.name) == "absent")
    assert said in move.src.phypd.log()
    forget(move)
    move.src.phyp("partition.remove", name=lab.name)


FIRST = (
    ("a system without guests says so", no_guests),
    ("a plug-in that is not there is an error at the start", no_plugin_file),
    ("a plug-in for another QEMU is refused, with both build-ids",
     plugin_for_another_qemu),
    ("a QEMU that is not there is an error that names it", no_qemu),
)
WITH_LAB = (
    ("descriptions that cannot be are refused", wrong_descriptions),
    ("a QEMU with other memory is refused", other_memory),
    ("what QEMU says of a wrong argument is told", wrong_argument),
    ("it starts", lambda lab: lab.begin()),
    ("after the last pass no page differs", same_on_both_sides),
    ("one page that is planted to differ is found", planted_difference),
    ("the target's QEMU crashes: it runs on where it was", target_crashes),
    ("the target's QEMU crashes when all is loaded: the same", target_crashes_loaded),
    ("what is dirtied faster than sent moves in time, by demand", demanded),
    ("a source that stalls after Resumed is told of, and goes on", source_stalls),
    ("a mover that is lost after Resumed is replaced", mover_is_lost),
    ("nothing is lost, nothing is wrong", lambda lab: (lab.end(), lab.check())),
    ("the source's QEMU crashes: the stream aborts because of it", source_crashes),
    ("it starts again", lambda lab: lab.begin()),
    ("it panics: the stream aborts because of it", guest_panics),
)


def main():
    print("1..%d" % (len(FIRST) + len(WITH_LAB)), flush=True)
    suite = linux_lab.Suite()
    for name, test in FIRST:
        suite.attempt(name, test)
    with make_lab() as lab:
        for name, test in WITH_LAB:
            suite.attempt(name, test, lab)
    return suite.bad != 0


if __name__ == "__main__":
    sys.exit(main())
