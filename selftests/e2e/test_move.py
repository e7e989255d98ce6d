#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Partitions that move, and arrive as if they had not."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import lpm  # noqa: E402
import relay as relays  # noqa: E402
import tap  # noqa: E402

MIB = lpm.MIB
suite = tap.Suite()


def simple(lab=None, **options):
    """One move with everything that must hold after it; returns the Move.

    @lab: how to set up the systems
    """
    with lpm.Lab(**(lab or {})) as lab:
        move = lab.move(**options).run()
        move.check_moved()
        move.check_equal()
        move.source_stream = move.src.stream(move.stream_id)
        move.target_stream = move.dst.stream(move.stream_id)
        move.here = move.dst.partition(move.name)
        return move


@suite.test("64 MiB, written while it moves, arrive with equal digest")
def _():
    move = simple(memory=64 * MIB)
    assert move.here["steps_here"] > 0, move.here
    assert move.target_stream["resumed_ns"], move.target_stream


@suite.test("there and back again")
def _():
    with lpm.Lab() as lab:
        move = lab.move(memory=16 * MIB, program=lpm.program(3)).start()
        move.wait()
        move.src.phyp("stream.end", stream_id=move.stream_id)
        move.dst.phyp("stream.end", stream_id=move.stream_id)
        move.src.phyp("partition.remove", name=move.name)
        back = lab.move(name=move.name, back=True)
        back.spec = move.spec
        back.dst.phyp("partition.reserve", name=back.name,
                      memory=16 * MIB, program=move.spec["program"])
        back.create_streams().start_target().start_source()
        back.wait()
        back.finish()
        back.check_moved()
        back.check_equal()


@suite.test("8 at once")
def _():
    with lpm.Lab() as lab:
        moves = [lab.move(memory=8 * MIB,
                          content={"type": "seed", "seed": n},
                          program=lpm.program(1, 8 * MIB, seed=n))
                 for n in range(8)]
        for move in moves:
            move.create().create_streams()
        for move in moves:
            move.start_target()
        for move in moves:
            move.start_source()
        for move in moves:
            move.wait()
            move.finish()
            move.check_moved()
            move.check_equal()


@suite.test("an empty partition")
def _():
    move = simple(memory=64 * MIB, content={"type": "zero"},
                  program=lpm.program(steps=0))
    # The processor state travels; memory that was never written does not
    assert move.source_stream["pages"] == 0, move.source_stream
    assert move.source_stream["bytes"] < MIB, move.source_stream


def allocated(system):
    """Bytes of partitions' memory that this platform has touched."""
    with open("/proc/%d/status" % system.phypd.process.pid,
              encoding="ascii") as file:
        return next(int(line.split()[1]) << 10 for line in file
                    if line.startswith("RssShmem:"))


@suite.test("64 GiB, nearly all of it never written, cost what was written")
def _():
    # Far more than this machine has; a program that stays within 64 MiB
    with lpm.Lab(phyp=["--memory", "1T", "--overcommit"]) as lab:
        move = lab.move(memory=64 << 30, content={"type": "zero"},
                        program=lpm.program(hot=0.001, hot_share=1.0)).run()
        move.check_moved()
        stream = move.src.stream(move.stream_id)
        written = (stream["pages"] + stream["zero_pages"]) * 4096
        assert 0 < written < 256 * MIB, stream
        assert stream["bytes"] < written + MIB, stream
        for system in (lab.a, lab.b):
            assert allocated(system) < 128 * MIB, allocated(system)
        move.check_equal()
        # Nor does looking at it allocate any
        assert allocated(lab.b) < 128 * MIB, allocated(lab.b)


@suite.test("memory of zeros travels as runs")
def _():
    with lpm.Lab() as lab:
        path = lab.file("zeros", bytes(MIB))
        move = lab.move(memory=32 * MIB, program=lpm.program(0.5, 4 * MIB),
                        content={"type": "file", "path": path}).run()
        move.check_moved()
        move.check_equal()
        stream = move.src.stream(move.stream_id)
        assert stream["zero_pages"] > 0, stream
        assert stream["bytes"] < 24 * MIB, stream


@suite.test("memory from a file")
def _():
    with lpm.Lab() as lab:
        path = os.path.join(lpm.programs(), "vasi-phypd")
        copy = lab.file("content", open(path, "rb").read())
        move = lab.move(memory=16 * MIB, program=lpm.program(steps=0),
                        content={"type": "file", "path": copy}).run()
        move.check_moved()
        move.check_equal()
        answer = move.dst.phyp("partition.compare", name=move.name, file=copy)
        assert answer["differing"] == 0, answer


@suite.test("a partition that never converges is stopped by the pass limit")
def _():
    move = simple(
        memory=16 * MIB, program=lpm.program(4, 400 * MIB, hot=1.0),
        source={"limit": 16 * MIB,
                "suspend": {"downtime_ms": 1, "pass_limit": 2,
                            "timeout_s": 60}})
    assert move.source_stream["passes"] >= 2, move.source_stream


@suite.test("a partition that never converges is stopped by the time limit")
def _():
    simple(memory=16 * MIB, program=lpm.program(4, 400 * MIB, hot=1.0),
           source={"limit": 16 * MIB,
                   "suspend": {"downtime_ms": 1, "pass_limit": 10000,
                               "timeout_s": 1}})


@suite.test("granule of 64 KiB")
def _():
    simple(memory=32 * MIB, granule=65536, program=lpm.program(page=65536))


for _sessions, _connections in ((1, 1), (1, 4), (2, 2), (4, 2), (4, 4)):
    def _many(sessions=_sessions, connections=_connections):
        wish = {"sessions": sessions, "connections": connections}
        simple(memory=24 * MIB, source=wish, target=wish)
    suite.test("%d session%s over %d connection%s" % (
        _sessions, "s"[:_sessions > 1], _connections,
        "s"[:_connections > 1]), _many)


@suite.test("immediate operations only: the platform offers nothing else")
def _():
    simple(lab={"phyp": ["--no-indirect"]}, memory=24 * MIB)


@suite.test("immediate operations only: the mover wants nothing else")
def _():
    simple(lab={"config": {"immediate_operations": "yes"}}, memory=24 * MIB)


for _form in ("immediate", "indirect"):
    suite.test("downloads in %s form" % _form, lambda f=_form: simple(
        lab={"config": {"download": f}}, memory=24 * MIB))


@suite.test("memory 1000 times the buffers")
def _():
    config = {"buffer_bytes": 16384, "pool_min": 65536, "pool_max": 65536,
              "op_buffer_bytes": 16384, "op_buffers": 4,
              "immediate_operations": "yes"}
    wish = {"sessions": 1, "connections": 1}
    memory = 512 * MIB
    with lpm.Lab(config=config) as lab:
        move = lab.move(memory=memory, source=wish, target=wish,
                        program=lpm.program(3, 8 * MIB)).start()
        most = {lab.a: 0, lab.b: 0}

        def ended():
            for system in most:
                most[system] = max(most[system],
                                   system.msp("info")["buffer_bytes_now"])
            return move.src.msp("status",
                                stream_id=move.stream_id)["ended_ns"]

        lpm.until("the move ends", ended)
        move.wait()
        move.finish()
        move.check_moved()
        move.check_equal()
        for system, count in most.items():
            lpm.note("mover %s: %d bytes of buffers" % (system.name, count))
            assert 0 < count * 1000 <= memory, count


@suite.test("one session a whole pass behind the other")
def _():
    wish = {"sessions": 2, "connections": 2}
    memory = 8 * MIB
    with lpm.Lab() as lab:
        move = lab.move(memory=memory, source=dict(wish, suspend="manual"),
                        target=wish, relay={},
                        program=lpm.program(4, 40 * MIB, hot=1.0))
        move.create().create_streams().start_target()
        move.relay.hold_session(1, after=MIB)
        move.start_source()
        # Half of the memory is session 0's: a second pass has gone by
        move.relay.wait_bytes(0, memory * 3 // 2, lpm.PATIENCE_S)
        assert move.relay.bytes.get(1, 0) <= MIB
        move.src.msp("suspend", stream_id=move.stream_id)
        move.wait_state(source=("Suspended",))
        # Session 0 has nothing more to send; the target must not act alone
        assert move.dst.stream(move.stream_id)["state"] == "Enabled"
        move.relay.release_session(1)
        move.wait()
        move.finish()
        move.check_moved()
        move.check_equal()


@suite.test("pages demanded after Resumed")
def _():
    # Few operations under way: the hand-over does not wait behind many pages
    with lpm.Lab(config={"op_buffers": 4}) as lab:
        move = lab.move(memory=64 * MIB,
                        source={"limit": 24 * MIB, "suspend": "manual"},
                        program=lpm.program(2, 30 * MIB, hot=1.0)).start()
        lpm.until("bytes move",
                  lambda: move.src.stream(move.stream_id)["bytes"] > MIB)
        move.src.msp("suspend", stream_id=move.stream_id)
        move.wait()
        move.finish()
        move.check_moved()
        move.check_equal()
        stream = move.dst.stream(move.stream_id)
        assert stream["demanded"] > 0, stream
        assert stream["demand_us"]["max"] > 0, stream


@suite.test("all pages before Resumed")
def _():
    move = simple(memory=32 * MIB, stream={"all_pages_before_resume": True},
                  program=lpm.program(2, 30 * MIB, hot=1.0))
    assert move.target_stream["demanded"] == 0, move.target_stream


@suite.test("the limit changes while it moves")
def _():
    with lpm.Lab() as lab:
        move = lab.move(memory=32 * MIB, source={"limit": MIB},
                        program=lpm.program(2, 4 * MIB)).start()
        lpm.until("bytes move",
                  lambda: move.src.stream(move.stream_id)["bytes"] > 0)
        status = move.src.msp("status", stream_id=move.stream_id)
        assert status["limit"] == MIB, status
        # 32 MiB at this limit would take half a minute
        move.src.msp("limit", stream_id=move.stream_id, bytes_per_second=0)
        move.wait()
        move.finish()
        move.check_moved()
        move.check_equal()


@suite.test("a link with 10 ms each way")
def _():
    with lpm.Lab() as lab:
        move = lab.move(memory=16 * MIB, relay={"delay": 0.01}).run()
        move.check_moved()
        move.check_equal()


@suite.test("stopped before Suspended: it runs on at the source")
def _():
    with lpm.Lab() as lab:
        move = lab.move(memory=32 * MIB, source={"suspend": "manual"}).start()
        lpm.until("bytes move",
                  lambda: move.src.stream(move.stream_id)["bytes"] > 0)
        move.src.msp("stop", stream_id=move.stream_id)
        move.wait("aborted", "failed")
        move.wait_state(source=("Aborted",), target=("Aborted",))
        assert move.runs_on() == ["A"], move.runs_on()
        move.finish(lab.a)
        move.check_equal(lab.a)


@suite.test("one page corrupted in flight is found")
def _():
    hit = []

    def corrupt(session, fields, offset, view):
        """All of one page that is sent once only: the first after HANDOVER."""
        if fields[0] == relays.HANDOVER:
            hit.append(None)
        elif hit and hit[-1] is None and fields[0] == relays.PAGES and view:
            for n in range(min(len(view), 4096)):
                view[n] ^= 0xFF
            hit.append(fields)

    with lpm.Lab() as lab:
        move = lab.move(memory=32 * MIB, relay={"on_record": corrupt},
                        source={"suspend": "manual", "sessions": 1,
                                "connections": 1, "limit": 16 * MIB},
                        target={"sessions": 1, "connections": 1},
                        program=lpm.program(2, 30 * MIB, write_bytes=64))
        move.start()
        lpm.until("bytes move",
                  lambda: move.src.stream(move.stream_id)["bytes"] > MIB)
        move.src.msp("suspend", stream_id=move.stream_id)
        move.wait()
        move.finish()
        assert any(hit), "no page came after the hand-over"
        move.check_differs()


@suite.test("one dirty page that is not sent again is found")
def _():
    with lpm.Lab(phyp=["--fault-injection"]) as lab:
        move = lab.move(memory=16 * MIB, debug={"skip_resend": 5},
                        source={"suspend": {"downtime_ms": 1, "pass_limit": 3,
                                            "timeout_s": 30}},
                        program=lpm.program(2, 40 * MIB)).run()
        assert move.src.stream(move.stream_id)["resent"] > 0
        move.check_differs()


@suite.test("debug parameters need --fault-injection")
def _():
    with lpm.Lab() as lab:
        move = lab.move(memory=MIB, debug={"skip_resend": 1}).create()
        try:
            move.create_streams()
        except lpm.RpcError as error:
            assert "fault-injection" in error.message, error
        else:
            raise AssertionError("accepted")


lpm.main(suite)
