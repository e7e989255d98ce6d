# SPDX-License-Identifier: GPL-2.0-or-later
"""A Linux partition between two managed systems, watched from outside.

    with LinuxLab(PartitionGuest("ppc64el-6.12", ["ticker", "checker"])) as lab:
        lab.begin()
        report = lab.go()           # from where it is to the other system
        lab.end()                   # its workloads have to end well
        lab.check()                 # nothing lost, nothing wrong

Console is what shows the partition's console: whatever QEMU the partition runs in
connects to it, and every line is stamped with this machine's clock when it comes.
"""

import os
import re
import selectors
import socket
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import guest  # noqa: E402
import lpm  # noqa: E402

# A guest is emulated, and so is everything that waits for it
PATIENCE_S = 180
# For the kernel of a partition to notice that it may suspend, and that it has moved:
# it asks once a second
SUSPEND_S = 30
TICK = re.compile(r"^tick (\d+) ([0-9.]+) ([0-9.]+)$")
MIB = 1 << 20


class Line:
    """@ns: when it came, of time.monotonic_ns(); @place: which connection; @text"""

    __slots__ = ("ns", "place", "text")

    def __init__(self, ns, place, text):
        self.ns, self.place, self.text = ns, place, text


class Console(threading.Thread):
    """The terminal server of one partition.

    @path: of its socket
    @lines: what came, in the order of its coming
    """

    def __init__(self, path, show=None):
        super().__init__(daemon=True)
        self.path, self.show = path, show
        self.lines = []
        self.changed = threading.Condition()
        self.selector = selectors.DefaultSelector()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o666)
        self.listener.listen(8)
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.rest = {}
        self.connections = []
        self.start()

    def run(self):
        while self.listener.fileno() >= 0:
            try:
                ready = self.selector.select(1)
            except (OSError, ValueError):
                return
            now = time.monotonic_ns()
            for key, _ in ready:
                if key.fileobj is self.listener:
                    self.accept()
                else:
                    self.take(key.fileobj, now)

    def accept(self):
        try:
            connection = self.listener.accept()[0]
        except OSError:
            return
        self.connections.append(connection)
        self.rest[connection] = b""
        self.selector.register(connection, selectors.EVENT_READ)

    def take(self, connection, now):
        try:
            data = connection.recv(65536)
        except OSError:
            data = b""
        if not data:
            self.selector.unregister(connection)
            connection.close()
            return
        place = self.connections.index(connection)
        *lines, self.rest[connection] = (self.rest[connection] + data).split(b"\n")
        with self.changed:
            for line in lines:
                # Half a line may have been written when the partition moved; between
                # the two there may have been targets that were given up
                before = self.connections[self.lines[-1].place if self.lines else place]
                if before is not connection and self.rest.get(before):
                    line = self.rest[before] + line
                    self.rest[before] = b""
                text = line.decode(errors="replace").strip("\r")
                self.lines.append(Line(now, place, text))
                if self.show:
                    self.show(self.lines[-1])
            self.changed.notify_all()

    def say(self, text):
        """To where the partition was heard last."""
        self.connections[self.lines[-1].place].sendall(text.encode() + b"\r")

    def wait(self, pattern, since=0, timeout=PATIENCE_S):
        """The first line from number @since on that matches, once it is there."""
        pattern = re.compile(pattern)
        deadline = time.monotonic() + timeout
        at = since
        with self.changed:
            while True:
                while at < len(self.lines):
                    if pattern.search(self.lines[at].text):
                        return self.lines[at]
                    at += 1
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError("the console never said %r; last: %r" % (
                        pattern.pattern, [l.text for l in self.lines[-5:]]))
                self.changed.wait(left)

    def texts(self):
        with self.changed:
            return [line.text for line in self.lines]

    def ticks(self):
        """[(number, uptime, Line)]"""
        with self.changed:
            lines = self.lines[:]
        found = [(TICK.match(line.text), line) for line in lines]
        return [(int(m.group(1)), float(m.group(2)), line) for m, line in found if m]

    def close(self):
        self.listener.close()
        for connection in self.connections:
            connection.close()


class Suite:
    """Counts and shows."""

    def __init__(self):
        self.count = self.bad = 0

    def result(self, name, wrong=None):
        self.count += 1
        self.bad += bool(wrong)
        if wrong:
            lpm.note(wrong)
        print("%sok %d - %s" % ("not " if wrong else "", self.count, name), flush=True)

    def attempt(self, name, function, *arguments):
        """A test that fails by raising; returns whether it passed."""
        try:
            function(*arguments)
        except Exception as error:      # whatever it is, the next one shall run
            self.result(name, "%s: %s" % (type(error).__name__, error))
            return False
        self.result(name)
        return True


def blackout(ticks, before):
    """The longest time between two ticks of which the first came after @before.

    Returns (ns from outside, seconds by the guest's own clock).
    """
    pairs = [(a, b) for a, b in zip(ticks, ticks[1:]) if a[2].ns >= before]
    if not pairs:
        raise AssertionError("no ticks since the move began")
    a, b = max(pairs, key=lambda pair: pair[1][2].ns - pair[0][2].ns)
    return b[2].ns - a[2].ns, b[1] - a[1]


class Report:
    """A move that is over: what both systems and the ticks say of it."""

    def __init__(self, source, target, seconds, statuses):
        self.source, self.target = source, target
        self.seconds, self.statuses = seconds, statuses
        self.outside_ns = self.inside_s = None

    def __str__(self):
        text = "%.2f s, %d passes, %d pages, %d again, %d demanded (%s us)" % (
            self.seconds, self.source["passes"], self.source["pages"],
            self.source["resent"], self.target["demanded"],
            "/".join(str(self.target["demand_us"][k]) for k in ("p50", "p99", "max")))
        if self.outside_ns is not None:
            text += ", blackout %.0f ms" % (self.outside_ns / 1e6)
        return text


class LinuxLab(lpm.Lab):
    """Two systems, and one Linux partition; see above.

    @machine: a PartitionGuest
    @switch: a Switch of lib/vswitch.py that its eth0 is plugged into, or None; QEMU's
        user has to reach its socket
    @more: of lpm.Lab
    """

    def __init__(self, machine, name="linux", switch=None, device="spapr-vlan",
                 show=None, description=None, **more):
        more.setdefault("phyp", ["--fault-injection"])
        super().__init__(**more)
        self.machine, self.name = machine, name
        self.console = Console(self.directory + "/console", show)
        self.here = self.a
        machine.write(self.directory + "/guest")
        os.chmod(self.directory + "/guest", 0o755)
        os.chmod(machine.initrd, 0o644)
        words = {"kernel": lpm.copied(machine.vmlinux), "console": self.console.path}
        if switch:
            words["network"] = [{"switch": switch.path, "device": device,
                                 "mac": "52:54:00:77:01:01"}]
        words.update(description or {})
        self.description = machine.description(**words)

    def close(self, failed):
        if failed and hasattr(self, "console"):
            for line in self.console.lines[-40:]:
                lpm.note("console: %s" % line.text)
        super().close(failed)
        if hasattr(self, "console"):
            self.console.close()

    @property
    def there(self):
        return self.b if self.here is self.a else self.a

    def begin(self, ready=r"^guest: ready"):
        """Make it and start it; returns when its workloads are started."""
        since = len(self.console.lines)     # it may have been started before
        self.here.phyp("partition.create", name=self.name,
                       memory=self.machine.memory_bytes, guest=self.description)
        self.here.phyp("partition.activate", name=self.name)
        self.console.wait(ready, since)
        return self

    def tell(self, system, phase, stream_id, seconds=SUSPEND_S):
        system.phyp("partition.tell", name=self.name, phase=phase, stream_id=stream_id,
                    timeout_ms=seconds * 1000)

    def reserve(self, system):
        """False while one of its name is just being removed, and not shown any more."""
        gone = system.partition_state(self.name) == "absent"
        try:
            system.phyp("partition.reserve", name=self.name,
                        memory=self.machine.memory_bytes, guest=self.description)
        except lpm.RpcError as error:
            if error.code != lpm.EXISTS or not gone:
                raise
            return False
        return True

    def prepare(self, suspend="partition", debug=None, target_debug=None, **stream):
        """Streams on both sides; the partition knows of it.  Returns a lpm.Move."""
        source, target = self.here, self.there
        move = self.move(memory=self.machine.memory_bytes, name=self.name,
                         back=source is self.b)
        if suspend == "partition":
            self.tell(source, "check", move.stream_id)
        lpm.until("the shell is made", lambda: self.reserve(target))
        for system, role, words in ((source, "source", debug),
                                    (target, "target", target_debug)):
            more = dict(stream, debug=words) if words else stream
            system.phyp("stream.create", stream_id=move.stream_id, role=role,
                        partition=self.name, device="msp0", suspend=suspend, **more)
        if suspend == "partition":
            self.tell(source, "pre", move.stream_id)
        move.suspend = suspend
        return move

    def go(self, suspend="partition", source=None, held=None, **more):
        """A whole move; returns a Report.

        @source: more of mspd's start on the source
        @held: called with the move when the target is whole and holds (with
               target_debug={"hold_resume": True}); it has to release it
        """
        began = time.monotonic_ns()
        move = self.prepare(suspend, **more)
        move.source.update(source or {})
        move.start_target().start_source()
        if held:
            lpm.until("everything is there", lambda: move.dst.stream(
                move.stream_id)["held"], PATIENCE_S)
            held(move)
        return self.finish(move, began)

    def finish(self, move, began):
        statuses = move.wait()
        report = Report(move.src.stream(move.stream_id), move.dst.stream(move.stream_id),
                        (time.monotonic_ns() - began) / 1e9, statuses)
        move.check_moved()
        if move.suspend == "partition":
            self.tell(move.dst, "post", move.stream_id, SUSPEND_S)
        for system in (move.src, move.dst):
            system.phyp("stream.end", stream_id=move.stream_id)
        move.src.phyp("partition.remove", name=self.name)
        self.here = move.dst
        self.measure(report, began)
        return report

    def measure(self, report, began):
        """Blackout by its ticks, if it ticks; the one after the move has to be there."""
        if not self.console.ticks():
            return
        for _ in range(2):
            self.console.wait(TICK, len(self.console.lines))
        report.outside_ns, report.inside_s = blackout(self.console.ticks(), began)

    def end(self):
        """Its workloads end; then they have said whether all was well."""
        since = len(self.console.lines)
        self.console.say("end")
        self.console.wait(r"^guest: end$", since)

    def wrong(self):
        """What the console says that it should not, and ticks that are lost."""
        wrong = [text for text in self.console.texts()
                 if "FAIL:" in text or "CORRUPT" in text or self.machine.machine.splat(text)]
        numbers = [number for number, _, _ in self.console.ticks()]
        wrong += ["tick %d comes after tick %d" % (b, a)
                  for a, b in zip(numbers, numbers[1:]) if b != a + 1]
        return wrong

    def check(self):
        wrong = self.wrong()
        assert not wrong, "; ".join(wrong[:5])
