#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""At every instant at most one system runs the partition.

Each participant is killed or cut at each state boundary; then both platforms
are asked (Documentation/handover.rst has the table of what they may answer).
After that the move is ended in the way that the state leaves open: the partition
runs on at the source, or new movers take the parked stream over and finish.  In
the end its memory is that of a partition that never moved.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import lpm  # noqa: E402
import tap  # noqa: E402

MIB = lpm.MIB
suite = tap.Suite()

MEMORY = 24 * MIB

# (source, target) -> where the partition runs; None: suspended, recoverable
OUTCOMES = {
    ("Enabled", "Enabled"): "A",
    ("Enabled", "Aborted"): "A",
    ("Suspending", "Enabled"): "A",
    ("Suspending", "Aborted"): "A",
    ("Aborted", "Enabled"): "A",
    ("Aborted", "Aborted"): "A",
    ("Suspended", "Enabled"): None,
    ("Suspended", "Aborted"): None,
    ("Suspended", "Resumed"): "B",
    ("Resumed", "Resumed"): "B",
    ("Completed", "Resumed"): "B",
    ("Completed", "Completed"): "B",
}


def kill_source_mspd(lab, move):
    lab.a.mspd.kill()


def kill_target_mspd(lab, move):
    lab.b.mspd.kill()


def cut_source_link(lab, move):
    lab.a.link_relay.cut()


def cut_target_link(lab, move):
    lab.b.link_relay.cut()


def cut_tcp(lab, move):
    move.relay.cut()


FAILURES = {
    "source mover killed": kill_source_mspd,
    "target mover killed": kill_target_mspd,
    "source platform's link cut": cut_source_link,
    "target platform's link cut": cut_target_link,
    "TCP connections cut": cut_tcp,
}


def reach_enabled(move):
    """Bytes flow, nobody has asked for Suspend."""
    move.relay.wait_bytes(0, MIB, lpm.PATIENCE_S)
    assert move.states() == ("Enabled", "Enabled"), move.states()


def reach_suspending(move):
    """Suspend is signalled; the partition stops, but never says it has."""
    move.relay.wait_bytes(0, MIB, lpm.PATIENCE_S)
    move.src.msp("suspend", stream_id=move.stream_id)
    move.wait_state(source=("Suspending",))
    assert move.states() == ("Suspending", "Enabled"), move.states()


def reach_suspended(move):
    """The partition is stopped, and the hand-over cannot arrive."""
    move.relay.wait_bytes(0, MIB, lpm.PATIENCE_S)
    move.relay.hold_session(0)
    move.src.msp("suspend", stream_id=move.stream_id)
    move.wait_state(source=("Suspended",))
    assert move.states() == ("Suspended", "Enabled"), move.states()


def reach_resumed(move):
    """The target runs it, and pages are still on the source."""
    move.relay.wait_bytes(0, MIB, lpm.PATIENCE_S)
    # Slow enough that much is left when the hand-over has arrived
    move.src.msp("limit", stream_id=move.stream_id, bytes_per_second=4 * MIB)
    move.src.msp("suspend", stream_id=move.stream_id)
    move.wait_state(source=("Resumed",), target=("Resumed",))
    move.relay.hold_session(0)
    stream = move.src.stream(move.stream_id)
    assert stream["state"] == "Resumed" and stream["bytes_left"] > 0, stream


def reach_completed(move):
    """Everything is there; the movers may just be ending."""
    move.src.msp("suspend", stream_id=move.stream_id)
    move.wait_state(source=("Completed",))


BOUNDARIES = {
    "Enabled": reach_enabled,
    "Suspending": reach_suspending,
    "Suspended": reach_suspended,
    "Resumed": reach_resumed,
    "Completed": reach_completed,
}


def check_owner(move):
    """One side or none; returns the states and where it runs."""
    def settled():
        # A transition may be under way between two answers: ask until two
        # rounds agree
        first = look(move)
        return first if first == look(move) else None
    states, places = lpm.until("the platforms settle", settled)
    running = [name for name, state in places.items() if state in lpm.RUNNING]
    assert len(running) <= 1, "runs on %r, states %r" % (places, states)
    assert states in OUTCOMES, "states %r" % (states,)
    owner = OUTCOMES[states]
    assert running == ([owner] if owner else []), \
        "states %r, but runs on %r" % (states, places)
    return states, owner


def look(move):
    states = move.states()
    return states, {s.name: s.partition_state(move.name)
                    for s in (move.src, move.dst)}


def parked_or_final(move):
    """Has every session's end reached both platforms?"""
    for system in (move.src, move.dst):
        stream = system.stream(move.stream_id)
        if not stream["parked"] and stream["sessions"]:
            return False
    return True


def renew(lab, move):
    """A new pair of movers in place of the old ones."""
    for system in (lab.a, lab.b):
        system.restart_mspd()
    move.relay.cut()
    move.relay.close()
    move.source = dict(move.source)
    move.source.pop("limit", None)
    move.start_target().start_source()


def end_at_source(move):
    """The stream is given up: the partition runs on where it was."""
    lpm.until("the source aborts",
              lambda: move.src.stream(move.stream_id)["state"] == "Aborted")
    answer = move.dst.phyp("stream.verdict", stream_id=move.stream_id)
    assert answer["verdict"] == "never", answer
    move.wait_state(target=("Aborted",))
    assert move.runs_on() == ["A"], move.runs_on()
    move.finish(move.src)
    move.check_equal(move.src)


def end_at_target(lab, move):
    """What is parked goes on with new movers, until all is there."""
    if move.states() != ("Completed", "Completed"):
        renew(lab, move)
        move.wait()
    move.wait_state(source=("Completed",), target=("Completed",))
    move.finish()
    move.check_moved()
    move.check_equal()


def matrix(boundary, failure):
    hold = boundary == "Suspending"
    with lpm.Lab(links="link" in failure, phyp=["--fault-injection"]) as lab:
        move = lab.move(
            memory=MEMORY, relay={}, debug={"hold_suspend": hold}, target={"sessions": 1, "connections": 1},
            source={"suspend": "manual", "sessions": 1, "connections": 1,
                    "limit": 24 * MIB},
            program=lpm.program(1.5, 20 * MIB, hot=0.5)).start()
        BOUNDARIES[boundary](move)
        FAILURES[failure](lab, move)
        states, owner = check_owner(move)
        lpm.until("every session is closed", lambda: parked_or_final(move))
        states, owner = check_owner(move)
        lpm.note("%s, %s: %s / %s" % (boundary, failure, *states))
        if owner == "A":
            end_at_source(move)
        else:
            end_at_target(lab, move)


for _boundary in BOUNDARIES:
    for _failure in FAILURES:
        suite.test("%s: %s" % (_boundary, _failure),
                   lambda b=_boundary, f=_failure: matrix(b, f))


@suite.test("recover takes a suspended partition back")
def _():
    with lpm.Lab() as lab:
        move = lab.move(memory=MEMORY, relay={}, target={"sessions": 1},
                        source={"suspend": "manual", "sessions": 1}).start()
        reach_suspended(move)
        move.relay.cut()
        lpm.until("every session is closed", lambda: parked_or_final(move))
        assert check_owner(move)[1] is None
        # Without an answer of the target the source cannot act
        move.src.phyp.refused(lpm.STATE, "stream.cancel",
                              stream_id=move.stream_id)
        verdict = move.dst.phyp("stream.verdict", stream_id=move.stream_id)
        assert verdict["verdict"] == "never", verdict
        move.src.phyp("stream.recover", stream_id=move.stream_id,
                      verdict="never")
        move.wait_state(source=("Aborted",), target=("Aborted",))
        assert move.runs_on() == ["A"], move.runs_on()
        move.finish(lab.a)
        move.check_equal(lab.a)


@suite.test("recover lets go of a partition that runs on the target")
def _():
    with lpm.Lab() as lab:
        move = lab.move(memory=MEMORY, relay={}, target={"sessions": 1},
                        source={"suspend": "manual", "sessions": 1,
                                "limit": 24 * MIB}).start()
        reach_resumed(move)
        move.relay.cut()
        lpm.until("every session is closed", lambda: parked_or_final(move))
        verdict = move.dst.phyp("stream.verdict", stream_id=move.stream_id)
        assert verdict["verdict"] == "resumed", verdict
        # It was resumed there: the source may never run it again
        message = move.src.phyp.refused(lpm.STATE, "stream.recover",
                                        stream_id=move.stream_id,
                                        verdict="never")
        assert message
        assert check_owner(move)[1] == "B"
        end_at_target(lab, move)


@suite.test("the record outlives the platform's daemon, and its id is used once")
def _():
    with lpm.Lab() as lab:
        move = lab.move(memory=4 * lpm.MIB, program=lpm.program(0.2)).run()
        move.check_moved()
        lab.b.mspd.stop()
        assert lab.b.phypd.stop() == 0
        lab.b.start()
        answer = lab.b.phyp("stream.verdict", stream_id=move.stream_id)
        assert answer["verdict"] == "resumed", answer
        again = lab.move(memory=4 * lpm.MIB, back=False)
        again.stream_id = move.stream_id
        lab.b.phyp("partition.reserve", name=again.name, memory=4 * lpm.MIB,
                   program=again.spec["program"])
        lab.b.phyp.refused(lpm.EXISTS, "stream.create",
                           stream_id=move.stream_id, role="target",
                           partition=again.name, device="msp0")


@suite.test("a target that was made anew cannot take what is left")
def _():
    with lpm.Lab() as lab:
        move = lab.move(memory=MEMORY, relay={}, target={"sessions": 1},
                        source={"suspend": "manual", "sessions": 1,
                                "limit": 24 * MIB}).start()
        lpm.until("the target has acknowledged a part",
                  lambda: lab.a.msp("status", stream_id=move.stream_id)
                  ["bytes_transmitted"] > 0)
        reach_suspended(move)
        lab.b.mspd.stop()
        assert lab.b.phypd.stop() == 0
        lab.b.start()
        lab.b.phyp("partition.reserve", name=move.name, memory=MEMORY,
                   program=move.spec["program"])
        lab.b.phyp("stream.create", stream_id=move.stream_id, role="target",
                   partition=move.name, device="msp0")
        lab.a.restart_mspd()
        move.relay.close()
        move.start_target().start_source()
        move.wait_state(target=("Aborted",))
        lpm.until("the source is parked",
                  lambda: lab.a.stream(move.stream_id)["parked"])
        assert move.states()[0] == "Suspended", move.states()
        assert not move.runs_on(), move.runs_on()
        answer = lab.b.phyp("stream.verdict", stream_id=move.stream_id)
        assert answer["verdict"] == "never", answer
        lab.a.phyp("stream.recover", stream_id=move.stream_id, verdict="never")
        move.finish(move.src)
        move.check_equal(move.src)


@suite.test("a stop after Suspended is refused")
def _():
    with lpm.Lab() as lab:
        move = lab.move(memory=MEMORY, relay={}, target={"sessions": 1},
                        source={"suspend": "manual", "sessions": 1}).start()
        reach_suspended(move)
        lab.a.msp.refused(lpm.STATE, "stop", stream_id=move.stream_id)
        lab.a.phyp.refused(lpm.STATE, "stream.cancel",
                           stream_id=move.stream_id)
        move.relay.release_session(0)
        move.wait()
        move.finish()
        move.check_moved()
        move.check_equal()


lpm.main(suite)
