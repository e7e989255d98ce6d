#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A partition moves where the platform cannot map the movers' memory."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import lpm  # noqa: E402
import tap  # noqa: E402
import vsp  # noqa: E402

MIB = lpm.MIB
suite = tap.Suite()


def sides(lab, move):
    """Movers by hand in place of mspd."""
    for system in (lab.a, lab.b):
        system.mspd.stop()
    stream_id = int(move.stream_id, 16)
    source = vsp.Session(lab.a.device_path, stream_id, vsp.SOURCE)
    target = vsp.Session(lab.b.device_path, stream_id, vsp.TARGET)
    return source, target


@suite.test("a move by DMA messages alone")
def _():
    with lpm.Lab() as lab:
        move = lab.move(memory=4 * MIB, program=lpm.program(3, rate=2 * MIB))
        move.create().create_streams()
        source, target = sides(lab, move)

        def two_passes():
            return lab.a.stream(move.stream_id)["passes"] >= 2

        states = vsp.move(source, target, two_passes)
        assert states == (6, 6), states
        assert source.writes > 100 and target.reads > 100, \
            (source.writes, target.reads)
        source.close()
        target.close()
        move.finish()
        move.check_moved()
        move.check_equal()


@suite.test("a mover that answers no DMA request is cut off, nobody else is")
def _():
    with lpm.Lab() as lab:
        move = lab.move(memory=4 * MIB, program=lpm.program(1))
        move.create().create_streams()
        source, target = sides(lab, move)
        source.answer = lambda *_: None
        try:
            while True:
                source.donate()
        except (vsp.LinkError, OSError):
            pass
        lpm.until("the source aborts", lambda: move.states()[0] == "Aborted")
        assert move.runs_on() == ["A"], move.runs_on()
        target.donate()
        source.close()
        target.close()
        move.finish(lab.a)
        move.check_equal(lab.a)


if __name__ == "__main__":
    lpm.main(suite)
