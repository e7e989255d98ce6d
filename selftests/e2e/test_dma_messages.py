#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The VIO link of a client that passes no memory, and the window it is given."""

import mmap
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


def tries(fd):
    """Every way to write through a window; those that worked."""
    def reopen():
        os.close(os.open("/proc/self/fd/%d" % fd, os.O_RDWR))

    def remap():
        mmap.mmap(fd, 4096, mmap.MAP_SHARED,
                  mmap.PROT_READ | mmap.PROT_WRITE).close()

    ways = {"write": lambda: os.pwrite(fd, b"x", 0),
            "truncate": lambda: os.ftruncate(fd, 0),
            "chmod": lambda: os.fchmod(fd, 0o666),
            "reopen": reopen, "map": remap}
    worked = []
    for name, way in ways.items():
        try:
            way()
        except OSError:
            continue
        worked.append(name)
    return worked


def tries_as(user, fd):
    """tries() in a process of the mover's user."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setgid(lpm.GROUP)
            os.setuid(user)
            os.write(writer, " ".join(tries(fd)).encode() + b".")
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    assert answer.endswith("."), "the child could not try"
    return answer[:-1].split()


@suite.test("a window into the partition's memory can only be read")
def _():
    with lpm.Lab() as lab:
        if not lab.root:
            raise tap.Skip("needs root for users of their own")
        move = lab.move(memory=4 * MIB, program=lpm.program(1))
        move.create().create_streams()
        lab.a.mspd.stop()
        source = vsp.Session(lab.a.device_path, int(move.stream_id, 16),
                             vsp.SOURCE, operations=0x0C)
        while not source.windows:
            source.donate()
            source.get(wait=False)
        fd = source.windows[0]
        assert os.fstat(fd).st_size == 4 * MIB
        assert len(os.pread(fd, 4096, 0)) == 4096
        worked = tries_as(lpm.USERS["msp-A"], fd)
        assert not worked, worked
        source.close()
        move.finish(lab.a)
        move.check_equal(lab.a)


if __name__ == "__main__":
    lpm.main(suite)
