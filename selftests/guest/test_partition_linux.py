#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Linux that suspends itself, is saved, loaded into another QEMU, and goes on.

The platform is the test: it has the other ends of the guest links, and brings the
pages.  Documentation/guest-partition.rst says what is expected here.
"""

import contextlib
import os
import select
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "qemu"))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import guest  # noqa: E402
import packages  # noqa: E402
import partition  # noqa: E402
import tap  # noqa: E402
from partition import (ABORTED, COMPLETED, ENABLED, RESUMED,  # noqa: E402
                       SUSPENDING, Memory, Partition, directory)
from pseries import Machine, until  # noqa: E402

STREAM = 0x1122334455667788
MIB = 256

suite = tap.Suite()


class Linux(Machine):
    """A guest of guest.py's as a partition, stopped until "cont"."""

    def __init__(self, path, image, memory, link, options=()):
        os.makedirs(path)
        self.directory = path
        self.errors = path + "/qemu"
        self.qmp_path = path + "/qmp"
        image.files.write(path + "/initramfs")
        argv = image.argv(path) + memory.options() + [
            "-plugin", link.option(), "-S",
            "-qmp", "unix:%s,server=on,wait=off" % self.qmp_path]
        with open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                argv + list(options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=errors, pass_fds=(memory.fd, link.theirs.fileno()))
        self.qmp = None
        self.rest = b""

    def line(self, timeout=guest.SILENCE_S):
        """The next line of its second terminal, or None at the end."""
        while b"\n" not in self.rest:
            if not select.select([self.process.stdout], [], [], timeout)[0]:
                raise TimeoutError("the guest is silent: " + self.console())
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                return None
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode(errors="replace").rstrip("\r")

    def until_line(self, wanted):
        """Lines before the one that begins with @wanted, and that one."""
        lines = []
        while not lines or not lines[-1].startswith(wanted):
            line = self.line()
            assert line is not None, (wanted, lines, self.said(), self.console())
            lines.append(line)
        return lines

    def console(self):
        with open(self.directory + "/console", encoding="utf-8",
                  errors="replace") as file:
            return file.read()

    def end(self):
        super().end()
        self.process.stdout.close()

COMMAND = r"""
echo 1..1
dd if=/dev/urandom of=/tmp/data bs=64k count=128 2>/dev/null
sum=$(md5sum </tmp/data)
turns() { cat /tmp/turns 2>/dev/null || echo 0; }
more() {
    last=$(turns)
    while [ "$(turns)" -lt $((last + 2)) ]; do :; done
}
# It writes, and finds what it has written, all the time
(
    n=0
    while :; do
        cp /tmp/data /tmp/copy
        [ "$(md5sum </tmp/copy)" = "$sum" ] || echo "corrupt: copy $n"
        n=$((n + 1))
        echo $n >/tmp/turns.new && mv /tmp/turns.new /tmp/turns
    done
) &
more
echo "asks"
if echo 0x%016x >/sys/kernel/mobility/migration 2>/tmp/error; then
    echo "written"
else
    echo "not written: $(cat /tmp/error)"
fi
more
[ "$(md5sum </tmp/data)" = "$sum" ] || echo "corrupt: data"
dmesg | sed -n 's/^.*\(mobility: \)/\1/p'
echo "ok 1 - done"
""" % STREAM


class Move:
    """A Linux that asks to be moved, and where it may go."""

    def __init__(self, path, image):
        self.path, self.image = path, image
        self.parts = []
        self.source = self.start("source")
        self.target = None

    def start(self, name, options=()):
        part = Partition(lambda memory, link: Linux(
            self.path + "/" + name, self.image, memory, link, options))
        return self.until_the_end(part)

    def until_the_end(self, what):
        self.parts.append(what)
        return what

    def close(self):
        for part in self.parts:
            part.close()


@contextlib.contextmanager
def linux(series, processors):
    """A Linux that has written its stream's id."""
    image = guest.Guest(packages.kernels("ppc64el")[series], COMMAND, arch="ppc64el",
                        memory=MIB, processors=processors)
    with directory() as path:
        move = Move(path, image)
        try:
            move.source.link.stream(STREAM, ENABLED)
            move.source.qmp("cont")
            move.source.machine.until_line("asks")
            yield move
        finally:
            move.close()


def live_copy(source, memory):
    """All that is there, and then what was written meanwhile, which it returns."""
    source.link.scan()
    memory.copy(source.memory, source.memory.pages())
    passes = []
    for _ in range(3):
        passes.append(until("pages were written", source.link.scan))
        memory.copy(source.memory, passes[-1])
    print("# pages in passes: %s; the last scan took %d us" % (
        [len(pages) for pages in passes], source.link.took_ns // 1000))
    return [page for pages in passes for page in pages]


def suspend(move):
    """The guest suspends itself; its state, and the last pages it has written."""
    source = move.source
    source.link.stream(STREAM, SUSPENDING)
    assert source.link.expect(partition.SUSPENDED) == [0, 0, 0]
    assert source.qmp("query-status")["status"] == "paused"
    state = partition.save(source.qmp)
    pages = source.link.scan()
    print("# %d bytes of state, %d pages in the last pass" % (len(state), len(pages)))
    return state, pages


def resume(move, state):
    """It goes on where it is now."""
    target = move.target
    partition.load(target.qmp, state)
    target.link.stream(STREAM, RESUMED)
    target.qmp("cont")


def went_on(part, word):
    """What a guest says until its end: it has found what it wrote, and its log."""
    lines = part.machine.until_line("guest: status")
    for line in lines:
        print("# " + line)
    assert lines[-1] == "guest: status 0", lines
    assert lines[0].startswith(word), lines
    assert not [line for line in lines if line.startswith("corrupt")], lines
    splats = [line for line in part.machine.console().split("\n")
              if guest.MACHINES["ppc64el"].splat(line)]
    assert not splats, splats
    return [line[len("mobility: "):] for line in lines if line.startswith("mobility: ")]


def wait_in_order(log, *wanted):
    """@wanted are in the log, one after the other."""
    at = 0
    for text in wanted:
        at = next((n for n in range(at, len(log)) if text in log[n]), None)
        assert at is not None, (text, log)


def moved(log):
    wait_in_order(log, "calling ibm,suspend-me", "waking all threads",
                  "memory transfer completed")
    # Of a join that did not hold
    assert not [line for line in log if "premature" in line or "error" in line], log


def move(series, processors):
    """A move with all pages there when the guest goes on."""
    with linux(series, processors) as it:
        it.target = it.start("target", ["-incoming", "defer"])
        it.target.memory.punch()
        live_copy(it.source, it.target.memory)
        state, pages = suspend(it)
        it.target.memory.copy(it.source.memory, pages)
        assert it.target.memory.differences(it.source.memory) == []
        resume(it, state)
        it.target.link.stream(STREAM, COMPLETED)
        moved(went_on(it.target, "written"))
        assert it.source.link.nothing()


for series in packages.kernels("ppc64el"):
    for count in (1, 2):
        suite.test("Linux %s, processors: %d: moves, with every byte" % (series, count),
                   lambda s=series, c=count: move(s, c))


class Pager(threading.Thread):
    """Brings pages from @source when they are asked for."""

    def __init__(self, part, source, missing):
        super().__init__()
        self.part, self.source, self.missing = part, source, set(missing)
        self.faults = part.link.pager()
        self.demanded = self.minor = self.empty = 0
        self.error = None
        self.wake, self.stop = os.pipe()

    def run(self):
        try:
            while True:
                ready = select.select([self.faults.fd, self.wake], [], [])[0]
                if self.wake in ready:
                    return
                self.fault(*self.faults.wait())
        except BaseException as error:
            self.error = error

    def fault(self, page, minor):
        if page in self.missing:
            self.demanded += 1
            assert not minor, page
            self.missing.remove(page)
            self.part.memory.copy(self.source, [page])
            self.faults.finish(page)
        elif minor:
            self.minor += 1
            self.faults.finish(page)
        else:
            self.empty += 1
            self.faults.empty(page)

    def end(self):
        """All is there now."""
        os.write(self.stop, b"x")
        self.join()
        os.close(self.wake)
        os.close(self.stop)
        if self.error:
            raise self.error
        self.part.memory.copy(self.source, self.missing)
        self.faults.unregister()
        self.faults.close()


def move_with_pager(series, processors):
    """The guest goes on when pages that it has written lately are not there."""
    with linux(series, processors) as it:
        it.target = it.start("target", ["-incoming", "defer"])
        it.target.memory.punch()
        pager = Pager(it.target, it.source.memory, [])
        pager.start()
        try:
            written = live_copy(it.source, it.target.memory)
            state, pages = suspend(it)
            missing = set(written + pages)
            for page in missing:
                it.target.memory.punch(page, 1)
            pager.missing.update(missing)
            resume(it, state)
            until("pages were demanded", lambda: pager.demanded > 100 or pager.error)
        finally:
            pager.end()
        print("# pages: %d demanded, %d minor faults, %d never written" % (
            pager.demanded, pager.minor, pager.empty))
        assert pager.minor
        it.target.link.stream(STREAM, COMPLETED)
        moved(went_on(it.target, "written"))


for series in packages.kernels("ppc64el"):
    suite.test("Linux %s: goes on while pages are missing" % series,
               lambda s=series: move_with_pager(s, 2))


@suite.test("Linux, aborted after it has suspended itself: goes on where it was")
def _():
    for series, processors in zip(packages.kernels("ppc64el"), (2, 1)):
        with linux(series, processors) as it:
            source = it.source
            memory = it.until_the_end(Memory(MIB))
            live_copy(source, memory)
            _, pages = suspend(it)
            memory.copy(source.memory, pages)
            assert memory.differences(source.memory) == []
            source.link.stream(STREAM, ABORTED)
            source.qmp("cont")
            # The pages that are written from here on are found as before
            live_copy(source, memory)
            source.qmp("stop")
            memory.copy(source.memory, source.link.scan())
            assert memory.differences(source.memory) == []
            source.qmp("cont")
            log = went_on(source, "not written")
            wait_in_order(log, "calling ibm,suspend-me", "9000")
            # H_VASI_SIGNAL is NOOP: it was no cancel of the guest's
            assert source.link.nothing()


@suite.test("Linux, aborted while it waits: goes on, and was never suspended")
def _():
    for series, processors in zip(packages.kernels("ppc64el"), (1, 2)):
        with linux(series, processors) as it:
            it.source.link.stream(STREAM, ABORTED)
            log = went_on(it.source, "not written")
            assert not [line for line in log if "suspend-me" in line], log
            assert it.source.link.nothing()


@suite.test("Linux cancels a move that does not suspend it")
def _():
    for series, processors in zip(packages.kernels("ppc64el"), (1, 2)):
        with linux(series, processors) as it:
            link = it.source.link
            link.stream(STREAM, SUSPENDING)
            tries = 0
            while True:
                kind, values, _ = link.receive()
                if kind == partition.SIGNAL:
                    break
                assert kind == partition.SUSPENDED
                tries += 1
                # It was not moved; the stream says that it still may be
                it.source.qmp("cont")
            print("# %d tries" % tries)
            assert tries > 1
            assert values[0] == STREAM and values[1] >> 24 == 6, values
            log = went_on(it.source, "not written")
            assert "9000" in "".join(log), log
            assert link.nothing()


sys.exit(suite.main())
