# SPDX-License-Identifier: GPL-2.0-or-later
"""Moves at the same time between one pair of systems: what each of them gets.

    many = Many(moves)          # partitions and streams are there
    many.start()
    many.follow()
    assert many.fairness() > 0.95

What a move has had is what the target's platform says it has taken of the
stream; one answer of "stream.list" has it for all moves at one instant.
"""

import time

import lpm
import usage

# Of a session, in both directions; mspd's sources have the constants
REVERSE_BYTES = 64 << 10


def jain(shares):
    """Jain's fairness index: 1 where all are equal, 1/n where one has all."""
    return sum(shares) ** 2 / (len(shares) * sum(s * s for s in shares))


def buffer_bounds(moves, sessions, op_buffers, op_bytes, pool_max):
    """Bytes of buffers that mspd's settings allow: (source, target).

    See Documentation/mover.rst, "Memory".
    """
    return (moves * sessions * (op_buffers * op_bytes + REVERSE_BYTES),
            moves * (pool_max + sessions * REVERSE_BYTES))


class Look:
    """What the target's platform says about all streams at one instant."""

    def __init__(self, system, ids):
        streams = {s["stream_id"]: s
                   for s in system.phyp("stream.list")["streams"]}
        self.ns = time.monotonic_ns()
        self.bytes = [streams[i]["bytes"] for i in ids]
        states = [streams[i]["state"] for i in ids]
        self.moving = all(s == "Enabled" for s in states)
        self.completed = all(s == "Completed" for s in states)


class Many:
    """Moves with partitions and streams, all in the same direction."""

    def __init__(self, moves):
        self.moves = moves
        self.src, self.dst = moves[0].src, moves[0].dst
        self.ids = [m.stream_id for m in moves]
        self.looks = []
        self.peaks = {(s, w): 0 for s in (self.src, self.dst)
                      for w in ("anonymous", "buffers")}
        self.statuses = None

    def all_move(self):
        phases = {m["stream_id"]: m["phase"]
                  for m in self.src.msp("list")["moves"]}
        return all(phases[i] == "moving" for i in self.ids)

    def start(self, gate=0):
        """Until all of them move.

        @gate: bytes a second that each may send until then: the first ones of
            small partitions would else be through before the last ones begin
        """
        for move in self.moves:
            move.start_target()
        if gate:
            for move in self.moves:
                move.source["limit"] = gate
        for pending in [m.begin_source() for m in self.moves]:
            pending.result()
        lpm.until("all %d move" % len(self.moves), self.all_move)
        # All at once, as far as that goes
        for pending in [self.src.msp.begin("limit", stream_id=i,
                                           bytes_per_second=0)
                        for i in self.ids if gate]:
            pending.result()

    def look(self):
        """One look at everything; the one at the platform."""
        look = Look(self.dst, self.ids)
        self.looks.append(look)
        for system in (self.src, self.dst):
            self.peak(system, "anonymous",
                      usage.anonymous_bytes(system.mspd.process.pid))
            self.peak(system, "buffers", system.msp("info")["buffer_bytes_now"])
        return look

    def peak(self, system, what, count):
        self.peaks[system, what] = max(self.peaks[system, what], count)

    def follow(self, interval=0.02):
        """Until all have completed."""
        def through():
            if not self.look().completed:
                time.sleep(interval)
                return False
            return True
        lpm.until("all complete", through)
        self.statuses = [m.wait()[0] for m in self.moves]

    # What came of it

    def window(self):
        """What each has had while all of them moved: (bytes of each, seconds)."""
        moving = [look for look in self.looks if look.moving]
        assert len(moving) > 1, "the first was through before the last began"
        first, last = moving[0], moving[-1]
        return ([b - a for a, b in zip(first.bytes, last.bytes)],
                (last.ns - first.ns) / 1e9)

    def fairness(self):
        """Of the average rates while all of them moved."""
        return jain(self.window()[0])

    def seconds(self):
        """From the start of the first until both platforms of the last one
        said Completed."""
        ends = []
        for system in (self.src, self.dst):
            streams = {s["stream_id"]: s
                       for s in system.phyp("stream.list")["streams"]}
            ends += [streams[i]["completed_ns"] for i in self.ids]
        assert all(ends), "no time of completion: %r" % ends
        return (max(ends) - min(s["started_ns"] for s in self.statuses)) / 1e9
