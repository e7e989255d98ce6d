# SPDX-License-Identifier: GPL-2.0-or-later
"""The platforms behind a guest's VASI adapters, and how its tests steer them.

    with Platforms(directory) as platforms:
        ... # a guest with platforms.links, and platforms.control_path as a serial line

There are three: vasi-phypd of system A and of system B, and a script (S) that says
what a test wants.  A test in the guest asks for things in lines over a serial line
(selftests/vasi/control.c, Documentation/kselftests.rst has the requests):

    17 source 1024              ->  17 ok c0de000000000001
    18 nonsense                 ->  18 error unknown request: nonsense
"""

import array
import contextlib
import fcntl
import itertools
import os
import socket
import termios
import threading
import time

import lpm
import scripted_platform as scripted
from scripted_platform import CAPABILITIES, COMMAND, INIT, RESPONSE

# Unit addresses of the guest's adapters
UNITS = {"A": 0x71000010, "B": 0x71000020, "S": 0x71000030}

DIRTY_MAP = 0x20
DIRTY_MAP_REQUEST, DIRTY_MAP_OFFER = b"DV", b"VM"
H_SIGNAL, H_STATE = 0x2A0, 0x2A4
FINAL = ("Completed", "Aborted")


class Script(scripted.Platform):
    """A polite platform, until it is told otherwise."""

    def __init__(self, path):
        self.results = {}           # hcall -> (code, results)
        super().__init__(path, unit=UNITS["S"])
        self.polite[DIRTY_MAP] = self.dirty_map
        os.chmod(path, 0o666)

    @staticmethod
    def capabilities(item):
        """Everything that was asked for; the Dirty Map, too."""
        data = item[8:]
        if data[2:4] == DIRTY_MAP_REQUEST:
            data = data[:2] + DIRTY_MAP_OFFER + data[4:]
        return [scripted.response_to(item, data=data)]

    def dirty_map(self, item):
        session = self.of(item)
        if not session:
            return [scripted.response_to(item, 0x0D)]
        _, ioba = scripted.descriptor(item[8:])
        return [scripted.response_to(item, handle=session.top,
                                     data=self.dma_read(ioba, 8))]

    def hcall(self, number, arguments):
        if number in self.results:
            return self.results[number]
        # It has no streams: QEMU asks the next device
        if number in (H_SIGNAL, H_STATE):
            return scripted.H_PARAMETER, []
        return super().hcall(number, arguments)

    def settle(self):
        """All that the client has sent has been seen."""
        pending = array.array("i", [1])
        deadline = time.monotonic() + lpm.PATIENCE_S
        while pending[0] and time.monotonic() < deadline:
            with contextlib.suppress(OSError, scripted.LinkEnded):
                fcntl.ioctl(self.socket(), termios.FIONREAD, pending)
                continue
            break
        self.work.join()

    def restore(self):
        """As at the start."""
        self.answers.clear()
        self.results.clear()
        with self.changed:
            self.seen.clear()
            self.calls.clear()

    def silence(self, kind):
        """Entries of a format are not answered from now on; earlier ones are
        forgotten."""
        self.settle()
        self.answers[kind] = lambda item: []
        with self.changed:
            self.seen[:] = [e for e in self.seen if e[0] != COMMAND or e[1] != kind]

    def count(self, kind):
        self.settle()
        with self.lock:
            return sum(e[0] == COMMAND and e[1] == kind for e in self.seen)


class Stream:
    """A stream that a test has asked for.

    @partition: its name, on both systems
    @spec: what the partition was made of
    @ends: system -> role
    """

    def __init__(self, partition, spec, ends):
        self.partition, self.spec, self.ends = partition, spec, ends


class System:
    """A managed system without a mover."""

    def __init__(self, platforms, name, options=()):
        self.name = name
        base = os.path.join(platforms.directory, "p" + name)
        for path in (base, base + "/state"):
            os.mkdir(path)
            if platforms.root:
                os.chown(path, lpm.USERS["phyp-" + name], lpm.GROUP)
        self.rpc_path, self.link = base + "/rpc", base + "/msp0"
        self.rpc = lpm.Rpc(self.rpc_path)
        self.phypd = lpm.Daemon(platforms, "phyp-" + name, [
            lpm.programs() + "/vasi-phypd", "--name", name, "--memory", "256M",
            "--socket", self.rpc_path, "--state-dir", base + "/state",
            "--device", "msp0=" + self.link] + list(options))

    def start(self):
        self.phypd.start(self.rpc_path)

    def state(self, stream_id):
        return self.rpc("stream.show", stream_id=stream_id)["state"]


class Platforms:
    """See the top of this file.

    @directory: an empty one, with a short path
    @options: more of vasi-phypd
    """

    numbers = itertools.count(1)
    # Slow: what is written while it moves is sent again
    program = lpm.program(seconds=1, rate=2 << 20)

    def __init__(self, directory, options=()):
        # What lpm.Daemon wants to know
        self.directory = directory
        self.root = os.geteuid() == 0
        self.tsan_suppressions = os.path.join(lpm.TOP, "selftests/lib/tsan.txt")
        self.errors = []
        self.streams = {}
        self.turned = False
        self.ended = False
        self.control_path = os.path.join(directory, "control")
        self.script_path = os.path.join(directory, "script")
        self.systems = {name: System(self, name, options) for name in "AB"}
        self.script = None
        self.listener = socket.socket(socket.AF_UNIX)
        self.connection = None
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self):
        try:
            for system in self.systems.values():
                system.start()
            self.script = Script(self.script_path)
            self.listener.bind(self.control_path)
            self.listener.listen(1)
            self.thread.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.ended = True
        for sock in (self.listener, self.connection):
            if sock:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
                sock.close()
        if self.thread.is_alive():
            self.thread.join(lpm.PATIENCE_S)
        if self.script:
            self.script.close()
            self.errors += ["script: %r" % e for e in self.script.errors]
        for system in self.systems.values():
            try:
                status = system.phypd.stop()
                if status and not system.phypd.killed:
                    self.errors.append("%s ended with status %d"
                                       % (system.phypd.label, status))
            except AssertionError as error:
                self.errors.append(str(error))
            if lpm.SANITIZER_REPORT.search(system.phypd.log()):
                self.errors.append("%s: see its log" % system.phypd.label)

    @property
    def links(self):
        """Of the guest's adapters, as guest.Guest.vasi has them."""
        paths = {"S": self.script_path,
                 **{name: s.link for name, s in self.systems.items()}}
        return ["%s,reg=%#x" % (paths[name], UNITS[name]) for name in sorted(paths)]

    @staticmethod
    def environment(control):
        """What the tests need to know: shell text."""
        return "export VASI_CONTROL=%s\n" % control + "".join(
            "export VASI_UNIT_%s=%#x\n" % unit for unit in UNITS.items())

    # The control channel

    def serve(self):
        try:
            self.connection, _ = self.listener.accept()
            with self.connection.makefile("rb") as lines:
                for line in lines:
                    self.connection.sendall(self.answer(line.decode(errors="replace")))
        except OSError as error:
            if not self.ended:
                self.errors.append("control channel: %r" % error)

    def answer(self, line):
        number, _, request = line.strip("\0\r\n ").partition(" ")
        words = request.split()
        try:
            method = getattr(self, "do_" + words[0], None) if words else None
            if not method:
                raise ValueError("unknown request: " + request)
            result = method(*words[1:])
            text = "ok" if result is None else "ok %s" % result
        except Exception as error:  # pylint: disable=broad-except
            text = "error %s: %s" % (request[:60], str(error).replace("\n", " ")
                                     or repr(error))
        return ("%s %s\n" % (number, text)).encode()

    # Streams

    def create(self, ends, kib):
        """A partition, and a stream with these ends: system -> role."""
        number = next(self.numbers)
        stream_id = "%016x" % (0xC0DE000000000000 + number)
        spec = {"memory": int(kib) << 10, "granule": 4096,
                "content": {"type": "seed", "seed": number},
                "program": self.program}
        stream = Stream("kself%d" % number, spec, ends)
        self.streams[stream_id] = stream
        for system, role in ends.items():
            call = self.systems[system].rpc
            if role == "source":
                call("partition.create", name=stream.partition, **spec)
                call("partition.activate", name=stream.partition)
            else:
                call("partition.reserve", name=stream.partition,
                     memory=spec["memory"], granule=spec["granule"],
                     program=spec["program"])
        for system, role in ends.items():
            call = self.systems[system].rpc
            info = call("system.info")
            call("stream.create", stream_id=stream_id, role=role,
                 partition=stream.partition, device="msp0",
                 peer_stream_major=info["stream_major"],
                 peer_stream_minor=info["stream_minor"])
        return stream_id

    def do_source(self, kib):
        return self.create({"A": "source"}, kib)

    def do_target(self, kib):
        return self.create({"B": "target"}, kib)

    def do_move(self, kib):
        ends = {"B": "source", "A": "target"} if self.turned else \
            {"A": "source", "B": "target"}
        self.turned = False
        return self.create(ends, kib)

    def do_backwards(self):
        """The next move goes from B to A."""
        self.turned = True

    def do_end(self, stream_id):
        """Forget a stream and its partition, whatever became of them."""
        stream_id = stream_id.zfill(16)
        stream = self.streams.pop(stream_id)
        for name, role in stream.ends.items():
            self.finish(self.systems[name], stream_id, role)
            call = self.systems[name].rpc
            with contextlib.suppress(lpm.RpcError):
                call("partition.shutdown", name=stream.partition)
            try:
                call("partition.remove", name=stream.partition)
            except lpm.RpcError as error:
                # A shell whose stream aborts removes itself
                if error.code != lpm.NOT_FOUND:
                    raise

    def finish(self, system, stream_id, role):
        call = system.rpc
        try:
            if system.state(stream_id) not in FINAL:
                self.give_up(call, stream_id, role)
            lpm.until("%s is final" % stream_id,
                      lambda: system.state(stream_id) in FINAL)
            call("stream.end", stream_id=stream_id)
        except lpm.RpcError as error:
            # It may have been killed, and know nothing
            if error.code != lpm.NOT_FOUND:
                raise

    @staticmethod
    def give_up(call, stream_id, role):
        try:
            call("stream.cancel", stream_id=stream_id)
        except lpm.RpcError:
            if role != "source":
                raise
            # Suspended: the target, which is none, has not got it
            call("stream.recover", stream_id=stream_id, verdict="never")

    def do_sessions(self, system, stream_id):
        show = self.systems[system].rpc("stream.show", stream_id=stream_id.zfill(16))
        return "%x" % show["sessions"]

    def do_until(self, system, stream_id, state):
        there = self.systems[system]
        lpm.until("%s is %s" % (stream_id, state),
                  lambda: there.state(stream_id.zfill(16)) == state)

    def do_cancel(self, system, stream_id):
        self.systems[system].rpc("stream.cancel", stream_id=stream_id.zfill(16))

    def target_of(self, stream):
        return next(self.systems[n] for n, role in stream.ends.items()
                    if role == "target")

    def do_equal(self, stream_id):
        """The partition runs to its end there, and is what it would be without a
        move."""
        stream = self.streams[stream_id.zfill(16)]
        system = self.target_of(stream)
        lpm.wait_finished(SystemOf(system.rpc), stream.partition)
        digest = system.rpc("partition.digest", name=stream.partition)["digest"]
        reference = self.reference(system.rpc, stream.spec)
        assert digest == reference, "digest %s, without a move %s" % (digest, reference)

    def reference(self, call, spec):
        name = "reference%d" % next(self.numbers)
        program = dict(spec["program"], rate=0)
        call("partition.create", name=name, **dict(spec, program=program))
        try:
            call("partition.activate", name=name)
            lpm.wait_finished(SystemOf(call), name)
            return call("partition.digest", name=name)["digest"]
        finally:
            call("partition.remove", name=name)

    def do_runs(self, system, stream_id):
        stream = self.streams[stream_id.zfill(16)]
        state = self.systems[system].rpc("partition.show",
                                         name=stream.partition)["state"]
        assert state in lpm.RUNNING, state

    def do_kill(self, system):
        self.systems[system].phypd.kill()

    def do_start(self, system):
        self.systems[system].start()

    # The script

    def do_script(self, command, *words):
        return getattr(self, "script_" + command)(*words)

    def script_reset(self):
        if self.script.ended:
            self.script_up()
        self.script.settle()
        self.script.restore()

    def script_manual(self, kind):
        """Messages of a format are not answered any more."""
        self.script.silence(int(kind, 16))

    def script_auto(self):
        self.script.answers.clear()

    def script_silent(self, on):
        """The handshake is not answered."""
        self.script.silence(INIT)
        if on == "0":
            del self.script.answers[INIT]

    def script_capabilities(self, string):
        """Bytes 4-15 of the answer to Capabilities."""
        data = bytes.fromhex(string)
        self.script.answers[CAPABILITIES] = lambda item: [
            bytes((COMMAND, CAPABILITIES | RESPONSE, 0, item[3])) + data]

    def script_send(self, *entries):
        self.script.put(*map(bytes.fromhex, entries))

    def script_wait(self, kind):
        return self.script.get(int(kind, 16)).hex()

    def script_count(self, kind):
        return "%x" % self.script.count(int(kind, 16))

    def script_event(self, code):
        self.script.event(int(code, 16))

    def script_read(self, ioba, length):
        return self.script.dma_read(int(ioba, 16), int(length, 16)).hex()

    def script_write(self, ioba, data):
        self.script.dma_write(int(ioba, 16), bytes.fromhex(data))

    def script_hcall(self, number, code, result):
        """What an hcall returns from now on; decimal, and R4 in hexadecimal."""
        self.script.results[int(number, 16)] = (int(code), [int(result, 16)])

    def script_argument(self, number):
        """The first argument of the last hcall of a number."""
        return "%x" % self.script.wait_call(int(number, 16))[0]

    def script_down(self):
        self.script.close()
        self.errors += ["script: %r" % e for e in self.script.errors]

    def script_up(self):
        self.script = Script(self.script_path)


class SystemOf:
    """What lpm.wait_finished() wants."""

    def __init__(self, rpc):
        self.phyp = rpc
