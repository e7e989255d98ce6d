#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""As many moves at once as a mover allows: all arrive, none is starved, and the
mover's memory is what its settings say."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import lpm  # noqa: E402
import many  # noqa: E402
import tap  # noqa: E402

MIB = lpm.MIB
suite = tap.Suite()

MOVES = 32
# ThreadSanitizer makes it 30 times slower
MEMORY = (8 if lpm.SANITIZE == "thread" else 24) * MIB
FAIRNESS = 0.95
# Settings that bound the memory; the platform's operations are indirect
CONFIG = {"max_vasi_ops": MOVES, "sessions": 2, "connections": 2,
          "op_buffers": 16, "op_buffer_bytes": 16 << 10,
          "pool_min": 4 * MIB, "pool_max": 8 * MIB}
# What mspd's heap has: beside the moves, for each move, for each connection that
# is encrypted here and not by the kernel (buffers of 256 KiB each way, OpenSSL)
HEAP_BYTES = 2 * MIB
HEAP_BYTES_A_MOVE = 256 << 10
HEAP_BYTES_A_CONNECTION = 576 << 10


def check_memory(moves):
    """Both movers held no more than their settings allow."""
    bounds = many.buffer_bounds(MOVES, CONFIG["sessions"], CONFIG["op_buffers"],
                                CONFIG["op_buffer_bytes"], CONFIG["pool_max"])
    # One connection more is for control
    heap = HEAP_BYTES + MOVES * (HEAP_BYTES_A_MOVE + HEAP_BYTES_A_CONNECTION *
                                 (CONFIG["connections"] + 1))
    for system, buffers in zip((moves.src, moves.dst), bounds):
        lpm.note("mover %s, KiB: buffers %d, allowed %d; RssAnon %d, allowed %d"
                 % (system.name, moves.peaks[system, "buffers"] >> 10,
                    buffers >> 10, moves.peaks[system, "anonymous"] >> 10,
                    heap >> 10))
        assert 0 < moves.peaks[system, "buffers"] <= buffers
        # Sanitizers have a heap of their own
        if not lpm.SANITIZE:
            assert moves.peaks[system, "anonymous"] <= heap


@suite.test("%d at once, written while they move: equal digests, fair shares, "
            "bounded memory" % MOVES)
def _():
    with lpm.Lab(phyp=["--streams", MOVES], config=CONFIG) as lab:
        moves = many.Many([
            lab.move(memory=MEMORY, content={"type": "seed", "seed": n},
                     program=lpm.program(4, 2 * MIB, seed=n))
            for n in range(MOVES)])
        for move in moves.moves:
            move.create().create_streams()
        moves.start(gate=MIB)
        moves.follow()
        shares, seconds = moves.window()
        lpm.note("all moved for %.2f s; of %d MiB each had %.1f to %.1f MiB; "
                 "fairness %.4f" % (seconds, MEMORY // MIB, min(shares) / MIB,
                                    max(shares) / MIB, moves.fairness()))
        # Else the index says little
        assert sum(shares) >= MOVES * MEMORY / 3
        assert moves.fairness() >= FAIRNESS
        check_memory(moves)
        for system in (lab.a, lab.b):
            assert system.msp("info")["buffer_bytes_now"] == 0
        for move in moves.moves:
            move.finish()
            move.check_moved()
            move.check_equal()
        resent = [lab.a.stream(m.stream_id)["resent"] for m in moves.moves]
        lpm.note("pages sent again: %d to %d" % (min(resent), max(resent)))
        assert sum(resent) >= MOVES


@suite.test("one more than max_vasi_ops is refused, and disturbs none")
def _():
    with lpm.Lab(config={"max_vasi_ops": 1}) as lab:
        first = lab.move(memory=8 * MIB, source={"limit": MIB}).start()
        second = lab.move(memory=MIB, program=lpm.program(steps=0))
        second.create().create_streams()
        message = lab.b.msp.refused(lpm.NOT_ENOUGH, "start", role="target",
                                    stream_id=second.stream_id,
                                    peer_identity=lab.a.identity)
        assert "max_vasi_ops" in message, message
        lab.a.msp("limit", stream_id=first.stream_id, bytes_per_second=0)
        first.wait()
        first.finish()
        first.check_equal()


lpm.main(suite)
