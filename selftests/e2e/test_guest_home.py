#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What vasi-phypd makes of a partition's QEMU that misbehaves or ends; without QEMU."""

import os
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))

import lpm  # noqa: E402
import tap  # noqa: E402

MIB = lpm.MIB
MEMORY = 16 * MIB
FAKE = os.path.join(HERE, "..", "lib", "fake_qemu.py")
suite = tap.Suite()


def guest_of(lab, *words):
    return {"kernel": lab.file("kernel", b"\x7fELF"), "agent": False,
            "arguments": ["fake=" + word for word in words]}


def prepare(lab, *words, target=None, **stream):
    """Streams of a partition that runs on A.  @words: how its QEMU misbehaves there."""
    move = lab.move(memory=MEMORY)
    lab.a.phyp("partition.create", name=move.name, memory=MEMORY,
               guest=guest_of(lab, *words))
    lab.a.phyp("partition.activate", name=move.name)
    lab.b.phyp("partition.reserve", name=move.name, memory=MEMORY, guest=guest_of(lab))
    for system, role, debug in ((lab.a, "source", None), (lab.b, "target", target)):
        more = dict(stream, debug=debug) if debug else stream
        system.phyp("stream.create", stream_id=move.stream_id, role=role,
                    partition=move.name, device="msp0", **more)
    move.pid = guest(lab.a, move)["pid"]
    return move


def guest(system, move):
    return system.partition(move.name)["guest"]


def is_back(move):
    """The stream has aborted; the partition goes on where it was, in the same QEMU."""
    move.wait("aborted", "failed", "parked")
    move.wait_state(source=("Aborted",))
    lpm.until("it goes on", lambda: guest(move.src, move)["state"] == "running")
    assert move.src.partition_state(move.name) == "Running"
    lpm.until("the shell is gone",
              lambda: move.dst.partition_state(move.name) == "absent")
    assert guest(move.src, move)["pid"] == move.pid


@suite.test("it moves, there and to its end")
def moves(lab):
    move = prepare(lab).start_target().start_source()
    move.wait()
    move.check_moved()
    assert guest(lab.b, move)["state"] == "running"


@suite.test("the source's QEMU ends after Suspended: nobody activates it here any more")
def ends_suspended(lab):
    move = prepare(lab, target={"hold_resume": True}, all_pages_before_resume=True)
    move.start_target().start_source()
    lpm.until("everything is there", lambda: lab.b.stream(move.stream_id)["held"])
    os.kill(guest(lab.a, move)["pid"], signal.SIGKILL)
    lpm.until("its end is known", lambda: guest(lab.a, move)["state"] == "off")
    assert lab.a.partition_state(move.name) == "Suspended"
    lab.a.phyp.refused(lpm.STATE, "partition.activate", name=move.name)
    lab.b.phyp("stream.release", stream_id=move.stream_id)
    move.wait()
    move.check_moved()
    lab.a.phyp.refused(lpm.STATE, "partition.activate", name=move.name)


@suite.test("the same, and the target gives it back: it is off, and can be activated")
def ends_suspended_back(lab):
    move = prepare(lab, target={"hold_resume": True}, all_pages_before_resume=True)
    move.start_target().start_source()
    lpm.until("everything is there", lambda: lab.b.stream(move.stream_id)["held"])
    os.kill(guest(lab.a, move)["pid"], signal.SIGKILL)
    lpm.until("its end is known", lambda: guest(lab.a, move)["state"] == "off")
    lab.b.phyp("stream.cancel", stream_id=move.stream_id)
    move.wait("aborted", "failed", "parked")
    lpm.until("it is off",
              lambda: lab.a.partition_state(move.name) == "Not Activated")
    lab.a.phyp("partition.activate", name=move.name)
    assert guest(lab.a, move)["state"] == "running"


@suite.test("a stream is cancelled while the state is saved: it goes on after that")
def cancelled_while_saving(lab):
    move = prepare(lab, "slow").start_target().start_source()
    lpm.until("it is being saved", lambda: guest(lab.a, move)["state"] == "saving")
    lab.a.phyp("stream.cancel", stream_id=move.stream_id)
    again = lab.next_id()
    text = lab.a.phyp.refused(lpm.STATE, "stream.create", stream_id=again,
                              role="source", partition=move.name, device="msp0")
    assert "has not gone on yet" in text, text
    text = lab.a.phyp.refused(lpm.STATE, "partition.digest", name=move.name)
    assert "it is executing" in text, text
    is_back(move)


@suite.test("QEMU refuses to save its state: the stream aborts, and the log says why")
def save_refused(lab):
    is_back(move := prepare(lab, "refuse").start_target().start_source())
    assert "a device cannot be moved" in lab.a.phypd.log()
    assert lab.a.stream(move.stream_id)["reason"] >> 24 == 6


@suite.test("a state that has no end: the same")
def save_endless(lab):
    is_back(prepare(lab, "large").start_target().start_source())
    assert "more than 64 MiB" in lab.a.phypd.log()


@suite.test("a target's QEMU ends and the record cannot be written: the shell stays")
def record_unwritable(lab):
    move = prepare(lab, target={"hold_resume": True}, all_pages_before_resume=True)
    move.start_target().start_source()
    lpm.until("everything is there", lambda: lab.b.stream(move.stream_id)["held"])
    os.chmod(lab.b.state_dir, 0o500)
    try:
        os.kill(guest(lab.b, move)["pid"], signal.SIGKILL)
        lpm.until("its end is known", lambda: guest(lab.b, move)["state"] == "off")
        assert lab.b.stream(move.stream_id)["state"] == "Enabled"
        assert lab.b.partition_state(move.name) == "Shell"
    finally:
        os.chmod(lab.b.state_dir, 0o700)
    is_back(move)


@suite.test("a system ends while a shell's QEMU gets ready: who waits for it is told")
def ends_while_making(lab):
    name = lab.move().name
    pending = lab.b.phyp.begin("partition.reserve", name=name, memory=MEMORY,
                               guest=guest_of(lab, "mute"))
    lpm.until("its QEMU was started",
              lambda: "partition %s: QEMU is process" % name in lab.b.phypd.log())
    lab.b.phypd.stop()
    try:
        pending.result(lpm.PATIENCE_S)
    except lpm.RpcError as error:
        assert "the system is going down" in str(error), error
    else:
        raise AssertionError("it was made")


def main():
    if not os.path.exists("/dev/userfaultfd"):
        suite.tests = [(name, skip) for name, _ in suite.tests]
        return suite.main(None)
    with lpm.Lab(phyp=["--fault-injection"], qemu=FAKE) as lab:
        return suite.main(lab)


def skip(_):
    raise tap.Skip("there is no /dev/userfaultfd")


if __name__ == "__main__":
    sys.exit(main())
