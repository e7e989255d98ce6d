# SPDX-License-Identifier: GPL-2.0-or-later
"""Two managed systems with a mover each, for end-to-end tests.

A Lab is a run directory, two ``vasi-phypd`` and two ``mspd`` (each under a
numeric user id of its own when the tests run as root), and clients of their
management sockets (Documentation/management.rst).  Leaving it stops every
process it started, by pid, and removes the directory.

    with Lab() as lab:
        move = lab.move(memory=64 << 20)
        move.run()
        move.check_equal()
"""

import atexit
import contextlib
import glob
import itertools
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time

import relay as relays

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(TOP, "build"))
SANITIZE = os.environ.get("SANITIZE", "")

# Sanitizers make everything several times slower
SLOW = 6 if SANITIZE else 1
# Longest wait for anything that is bound to happen
PATIENCE_S = 40 * SLOW
# Longest time that a daemon takes to end, leak check included
STOP_S = 20

MIB = 1 << 20

# Numeric users without names; one group, so that movers reach the sockets
GROUP = 61000
USERS = {"phyp-A": 61001, "phyp-B": 61002, "msp-A": 61003, "msp-B": 61004,
         "msp-A2": 61005, "msp-B2": 61006}

NOT_FOUND = 1
EXISTS = 2
STATE = 3
NOT_ENOUGH = 4
NOT_AUTHORISED = 5
NOT_COMPATIBLE = 6
FAILED = 7
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602

# States of a partition in which it executes, or has executed to its end
RUNNING = ("Running", "Migrating - Running", "Finished")


def note(text):
    """A TAP comment."""
    for line in str(text).split("\n"):
        print("# " + line, flush=True)


class RpcError(Exception):
    """An error answer; code and message as on the wire."""

    def __init__(self, method, code, message):
        super().__init__("%s: %d: %s" % (method, code, message))
        self.code = code
        self.message = message


class Pending:
    """A request whose answer is still to come, on a connection of its own."""

    numbers = itertools.count(1)

    def __init__(self, path, method, params):
        self.method = method
        self.number = next(self.numbers)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)
        line = json.dumps({"jsonrpc": "2.0", "id": self.number,
                           "method": method, "params": params})
        self.socket.sendall(line.encode() + b"\n")

    def result(self, timeout=None):
        """Wait for the answer; returns its result or raises RpcError."""
        self.socket.settimeout(timeout or PATIENCE_S)
        with self.socket, self.socket.makefile("rb") as file:
            line = file.readline()
        if not line:
            raise ConnectionError("%s: no answer" % self.method)
        answer = json.loads(line)
        if answer.get("jsonrpc") != "2.0" or answer.get("id") != self.number:
            raise ValueError("%s: not an answer: %r" % (self.method, line))
        if "error" in answer:
            raise RpcError(self.method, answer["error"]["code"],
                           answer["error"]["message"])
        return answer["result"]

    def drop(self):
        """No longer interested."""
        self.socket.close()


class Rpc:
    """A management socket."""

    def __init__(self, path):
        self.path = path

    def begin(self, method, **params):
        return Pending(self.path, method, params)

    def __call__(self, method, **params):
        return self.begin(method, **params).result()

    def refused(self, code, method, **params):
        """The call must fail with @code; returns the message."""
        try:
            result = self(method, **params)
        except RpcError as error:
            assert error.code == code, "expected code %d: %s" % (code, error)
            assert error.message.strip(), "an error without a message"
            return error.message
        raise AssertionError("%s%r was not refused: %r"
                             % (method, params, result))


def until(what, condition, timeout=None):
    """Poll @condition until it is true (returned) or patience ends.

    For conditions that nothing announces; intervals are short and bounded.
    """
    deadline = time.monotonic() + (timeout or PATIENCE_S)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError("never: " + what)
        time.sleep(0.005)


def programs():
    """A directory of the programs that every user can reach.

    The tree may lie in a home directory that only its owner may search.
    """
    if programs.directory is None:
        directory = tempfile.mkdtemp(prefix="lpmbin.", dir="/tmp")
        os.chmod(directory, 0o755)
        atexit.register(shutil.rmtree, directory, True)
        for name in ("vasi-phypd", "mspd", "phypctl", "mspctl", "hmc", "lpmtop"):
            shutil.copy(os.path.join(BUILD, name), directory)
            os.chmod(os.path.join(directory, name), 0o755)
        programs.directory = directory
    return programs.directory


programs.directory = None


def copied(path):
    """A file where every user can read it."""
    copy = os.path.join(programs(), os.path.basename(path))
    if not os.path.exists(copy):
        shutil.copy(path, copy)
        os.chmod(copy, 0o755)
    return copy

SANITIZER_REPORT = re.compile(
    r"ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:|"
    r"SUMMARY: \w+Sanitizer")


class Daemon:
    """One process that the lab started."""

    def __init__(self, lab, label, argv):
        self.lab = lab
        self.label = label
        self.argv = argv
        self.process = None
        self.killed = False
        self.starts = 0
        self.log_path = os.path.join(lab.directory, label + ".log")

    def start(self, socket_path):
        """Start it and wait until @socket_path accepts."""
        env = dict(os.environ)
        env.setdefault("ASAN_OPTIONS", "detect_leaks=1:exitcode=99")
        env.setdefault("TSAN_OPTIONS",
                       "halt_on_error=0:exitcode=99:suppressions="
                       + self.lab.tsan_suppressions)
        env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
        extra = {}
        if self.lab.root and self.label in USERS:
            extra = {"user": USERS[self.label], "group": GROUP,
                     "extra_groups": []}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.argv, cwd="/", env=env, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, umask=0o007, **extra)
        self.killed = False
        self.starts += 1
        until(self.label + " accepts on " + socket_path,
              lambda: self.accepts(socket_path))

    def accepts(self, path):
        if self.process.poll() is not None:
            raise RuntimeError("%s ended with status %d"
                               % (self.label, self.process.returncode))
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(path)
            except (FileNotFoundError, ConnectionRefusedError):
                return False
        return True

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        os.kill(self.process.pid, number)

    def kill(self):
        """End it the hard way, as a crash would."""
        self.killed = True
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def stop(self):
        """Ask it to end; returns its exit status."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            # One that a test has stopped has to hear it.  Not after SIGTERM:
            # SIGCONT would undo the stop that LeakSanitizer's tracer waits for.
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.describe_threads()
                self.kill()
                raise AssertionError("%s ignored SIGTERM" % self.label) \
                    from None
        return self.process.returncode

    def describe_threads(self):
        """Where a process hangs, as far as the kernel tells."""
        for task in glob.glob("/proc/%d/task/*" % self.process.pid):
            facts = []
            for name in ("comm", "wchan", "syscall"):
                with contextlib.suppress(OSError), \
                        open(task + "/" + name, encoding="ascii") as file:
                    facts.append(file.read().strip())
            note("%s hangs: %s" % (self.label, " ".join(facts)))

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8",
                      errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""


def own(lab, user, *paths):
    """These files belong to @user, where each daemon has a user of its own."""
    if lab.root:
        for path in paths:
            os.chown(path, USERS[user], GROUP)


def make_identity(lab, directory, user):
    """A key and a certificate in @directory; returns the identity."""
    answer = control("mspd", "--init", "--name", user, "--tls-dir", directory)
    own(lab, user, *glob.glob(directory + "/*.pem"))
    return answer.split()[0]


class SecondMover:
    """Another mover of a system, on a device of its own (msp1)."""

    def __init__(self, lab, system, msp_args):
        label = "msp-%s2" % system.name
        directory = os.path.join(lab.directory, "m%s2" % system.name)
        os.mkdir(directory)
        os.chmod(directory, 0o750)
        own(lab, label, directory)
        self.path = directory + "/rpc"
        self.device_path = system.phyp_dir + "/msp1"
        self.tls_dir = directory + "/tls"
        self.identity = make_identity(lab, self.tls_dir, label)
        self.msp = Rpc(self.path)
        self.mspd = Daemon(lab, label, [
            programs() + "/mspd", "--socket", self.path, "--vasi", self.device_path,
            "--listen", "127.0.0.1", "--tls-dir", self.tls_dir] +
            [a.replace("{dir}", directory) for a in msp_args])

    def start(self):
        self.mspd.start(self.path)
        self.msp("info")


class System:
    """A managed system: its platform, its mover, and where they are.

    @second: it has another mover, or None
    """

    def __init__(self, lab, name, phyp_args, msp_args, second=False):
        self.lab = lab
        self.name = name
        base = lab.directory
        self.phyp_dir = os.path.join(base, "p" + name)
        self.msp_dir = os.path.join(base, "m" + name)
        self.state_dir = os.path.join(self.phyp_dir, "state")
        for directory, user in ((self.phyp_dir, "phyp-" + name),
                                (self.state_dir, "phyp-" + name),
                                (self.msp_dir, "msp-" + name)):
            os.mkdir(directory)
            os.chmod(directory, 0o750)
            if lab.root:
                os.chown(directory, USERS[user], GROUP)
        self.phyp_path = self.phyp_dir + "/rpc"
        self.msp_path = self.msp_dir + "/rpc"
        self.device_path = self.phyp_dir + "/msp0"
        self.link_path = self.device_path
        self.link_relay = None
        self.phyp = Rpc(self.phyp_path)
        self.msp = Rpc(self.msp_path)
        self.phypd = Daemon(lab, "phyp-" + name, [
            programs() + "/vasi-phypd", "--name", name,
            "--socket", self.phyp_path, "--state-dir", self.state_dir,
            "--device", "msp0=" + self.device_path] +
            (["--device", "msp1=" + self.phyp_dir + "/msp1"] if second else []) +
            self.guests(lab, name) + [a.replace("{dir}", self.phyp_dir) for a in phyp_args])
        self.msp_args = [a.replace("{dir}", self.msp_dir) for a in msp_args]
        self.mspd = Daemon(lab, "msp-" + name, None)
        self.tls_dir = os.path.join(self.msp_dir, "tls")
        self.identity = make_identity(lab, self.tls_dir, "msp-" + name)
        self.second = SecondMover(lab, self, msp_args) if second else None

    def daemons(self):
        """Movers first: they have the platform's devices."""
        return [self.mspd] + ([self.second.mspd] if self.second else []) + [self.phypd]

    def identities(self):
        """Of its movers."""
        return [self.identity] + ([self.second.identity] if self.second else [])

    def guests(self, lab, name):
        """Options for a system that has guests, where the plug-in was built."""
        plugin = lab.qemu or os.path.join(BUILD, "qemu/spapr-vasi.so")
        if not lab.guests or not os.path.exists(plugin):
            return []
        options = ["--qemu-plugin", copied(plugin)]
        if lab.qemu:
            options += ["--qemu", copied(plugin)]
        if lab.root:
            # Its user may not open the system's
            path = self.phyp_dir + "/userfaultfd"
            device = os.stat("/dev/userfaultfd").st_rdev
            os.mknod(path, 0o600 | stat.S_IFCHR, device)
            own(lab, "phyp-" + name, path)
            options += ["--userfaultfd", path]
        return options

    def start(self):
        self.phypd.start(self.phyp_path)
        self.start_mspd()
        if self.second:
            self.second.start()

    def relay_link(self):
        """Put a relay into the VIO link of movers started from now on."""
        self.link_path = self.msp_dir + "/link"
        self.link_relay = relays.LinkRelay(self.link_path, self.device_path)
        if self.lab.root:
            os.chown(self.link_path, 0, GROUP)
        os.chmod(self.link_path, 0o660)

    def start_mspd(self, *more):
        self.mspd.argv = [programs() + "/mspd", "--socket", self.msp_path,
                          "--vasi", self.link_path, "--listen", "127.0.0.1",
                          "--tls-dir", self.tls_dir] \
            + self.msp_args + list(more)
        self.mspd.start(self.msp_path)
        # Answered once it has its device
        self.msp("info")

    def trust(self, *identities):
        """Its movers trust these, and no others, from their next start on."""
        for directory in [self.tls_dir] + ([self.second.tls_dir] if self.second else []):
            path = os.path.join(directory, "peers")
            with open(path, "w", encoding="ascii") as file:
                file.writelines(i + "\n" for i in identities)

    def restart_mspd(self):
        """A new mover in place of whatever is there."""
        if self.mspd.alive():
            self.mspd.stop()
        self.start_mspd()

    def stop(self):
        statuses = []
        for daemon in self.daemons():
            try:
                status = daemon.stop()
            except AssertionError as error:
                statuses.append(str(error))
                continue
            if status and not daemon.killed:
                statuses.append("%s ended with status %d"
                                % (daemon.label, status))
        if self.link_relay:
            self.link_relay.close()
        return statuses

    def partition(self, name):
        return self.phyp("partition.show", name=name)

    def partition_state(self, name):
        """Its state, or "absent": an aborted move leaves no shell behind."""
        try:
            return self.partition(name)["state"]
        except RpcError as error:
            if error.code != NOT_FOUND:
                raise
            return "absent"

    def stream(self, stream_id):
        return self.phyp("stream.show", stream_id=stream_id)


class Lab:
    """Two systems; see the top of this file.

    @phyp, @msp: command line additions for both, or a dict by system name;
        {dir} in them is the daemon's own directory
    @links: put relays into the VIO links
    @config: mspd's configuration, a dict for both
    @guests: partitions may be QEMU guests, if the plug-in was built
    @qemu: a program that is QEMU and plug-in in one
    @systems: descriptions of the systems by name (lib/inventory.py); they say how much
        memory there is, so that @phyp must not
    @second: each system has another mover
    """

    ids = itertools.count(1)
    references = {}

    def __init__(self, phyp=(), msp=(), links=False, config=None, guests=True,
                 qemu=None, systems=None, second=False):
        self.guests = guests
        self.qemu = qemu
        self.root = os.geteuid() == 0
        self.directory = tempfile.mkdtemp(prefix="lpm.", dir="/tmp")
        os.chmod(self.directory, 0o755)
        self.tsan_suppressions = os.path.join(TOP, "selftests/lib/tsan.txt")
        if self.root and SANITIZE:
            copy = os.path.join(self.directory, "tsan.txt")
            shutil.copy(self.tsan_suppressions, copy)
            os.chmod(copy, 0o644)
            self.tsan_suppressions = copy
        self.relays = []
        self.systems = []
        try:
            for name in "AB":
                self.systems.append(System(
                    self, name,
                    self.side(phyp, name) + self.describe(systems, name),
                    self.side(msp, name) + self.configure(config, name), second))
            self.a, self.b = self.systems
            self.a.trust(*self.b.identities())
            self.b.trust(*self.a.identities())
            if links:
                for system in self.systems:
                    system.phypd.start(system.phyp_path)
                    system.relay_link()
                    system.start_mspd()
            else:
                for system in self.systems:
                    system.start()
        except BaseException:
            self.close(failed=True)
            raise

    def configure(self, config, name):
        """mspd's arguments for settings that come from a file."""
        if not config:
            return []
        lines = "".join("%s = %s\n" % item for item in config.items())
        return ["--config", self.file("mspd-%s.conf" % name, lines.encode())]

    def describe(self, systems, name):
        """vasi-phypd's arguments for what a system has."""
        if not systems or name not in systems:
            return []
        data = json.dumps(systems[name]).encode()
        return ["--system", self.file("system-%s.json" % name, data)]

    @staticmethod
    def side(arguments, name):
        if isinstance(arguments, dict):
            arguments = arguments.get(name, ())
        return [str(a) for a in arguments]

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close(failed=kind is not None)

    def close(self, failed):
        """Stop everything, look for what went wrong, and clean up."""
        wrong = []
        for relay in self.relays:
            relay.close()
        for system in reversed(self.systems):
            wrong += system.stop()
        for system in self.systems:
            for daemon in system.daemons():
                report = SANITIZER_REPORT.search(daemon.log())
                if report:
                    wrong.append("%s: %s" % (daemon.label, report.group(0)))
        if failed or wrong:
            self.dump()
        shutil.rmtree(self.directory, ignore_errors=True)
        if wrong and not failed:
            raise AssertionError("; ".join(wrong))
        for text in wrong:
            note(text)

    def dump(self, lines=40):
        for system in self.systems:
            for daemon in system.daemons():
                note("---- %s:" % daemon.label)
                text = daemon.log().rstrip().split("\n")
                report = [n for n, line in enumerate(text)
                          if SANITIZER_REPORT.search(line)]
                text = text[report[0]:][:2 * lines] if report else \
                    text[-lines:]
                for line in text:
                    note(line)

    def relay(self, port, source, target, **options):
        """Between the movers of two systems, of which one listens on @port."""
        relay = relays.Relay(("127.0.0.1", port),
                             (source.tls_dir, target.tls_dir), **options)
        self.relays.append(relay)
        return relay

    def file(self, name, data):
        """A file that the platforms may read."""
        path = os.path.join(self.directory, name)
        with open(path, "wb") as file:
            file.write(data)
        os.chmod(path, 0o644)
        return path

    def next_id(self):
        return "%016x" % (0xC0DE000000000000 + next(self.ids))

    def move(self, **options):
        return Move(self, **options)

    def reference(self, spec):
        """Digest of a partition like @spec that ran to its end and never moved."""
        key = json.dumps(spec, sort_keys=True)
        if key not in self.references:
            spec = json.loads(key)
            spec["program"]["rate"] = 0
            name = "reference%d" % len(self.references)
            self.b.phyp("partition.create", name=name, **spec)
            self.b.phyp("partition.activate", name=name)
            wait_finished(self.b, name)
            self.references[key] = self.b.phyp("partition.digest",
                                               name=name)["digest"]
            self.b.phyp("partition.remove", name=name)
        return self.references[key]


def wait_finished(system, name):
    """Until the partition's program has ended there."""
    show = system.phyp("partition.wait", name=name, state="finished",
                       timeout_ms=PATIENCE_S * 1000)
    assert show["finished"], "%s has not finished: %r" % (name, show)
    return show


def program(seconds=1.5, rate=30 * MIB, page=4096, **more):
    """A partition's program that runs for about @seconds of its own time.

    One step dirties one page of @page bytes; @rate is bytes a second.
    """
    steps = more.pop("steps", int(seconds * rate / page))
    result = {"seed": 20090421, "steps": steps, "rate": rate, "hot": 0.1,
              "hot_share": 0.8}
    result.update(more)
    return result


class Move:
    """One partition, one stream, from system A to system B (or @back).

    @memory, @granule, @content, @program: the partition
    @stream: more parameters of stream.create on both sides
    @source, @target: more parameters of mspd's start on either side
    @relay: options of a TCP relay between the movers, or None
    """

    names = itertools.count(1)

    def __init__(self, lab, memory=64 * MIB, granule=4096, content=None,
                 program=None, stream=None, source=None, target=None,
                 relay=None, back=False, name=None, debug=None):
        self.lab = lab
        self.src, self.dst = (lab.b, lab.a) if back else (lab.a, lab.b)
        self.name = name or "lpar%d" % next(self.names)
        self.stream_id = lab.next_id()
        if program is None:
            program = globals()["program"]()
        self.spec = {"memory": memory, "granule": granule,
                     "content": content or {"type": "seed", "seed": 42},
                     "program": program}
        self.stream = stream or {}
        self.debug = debug
        self.source = source or {}
        self.target = target or {}
        self.relay_options = relay
        self.relay = None
        self.port = None

    # Steps of a move, in order

    def create(self, activate=True):
        """The partition on the source and its shell on the target."""
        self.src.phyp("partition.create", name=self.name, **self.spec)
        if activate:
            self.src.phyp("partition.activate", name=self.name)
        self.dst.phyp("partition.reserve", name=self.name,
                      memory=self.spec["memory"],
                      granule=self.spec["granule"],
                      program=self.spec["program"])
        return self

    def create_streams(self):
        info = {s: s.phyp("system.info") for s in (self.src, self.dst)}
        for system, peer, role in ((self.src, self.dst, "source"),
                                   (self.dst, self.src, "target")):
            more = dict(self.stream)
            if self.debug and role == "source":
                more["debug"] = self.debug
            system.phyp("stream.create", stream_id=self.stream_id, role=role,
                        partition=self.name, device="msp0",
                        peer_stream_major=info[peer]["stream_major"],
                        peer_stream_minor=info[peer]["stream_minor"], **more)
        return self

    def start_target(self):
        answer = self.dst.msp("start", **{
            "stream_id": self.stream_id, "role": "target",
            "peer_identity": self.src.identity, **self.target})
        self.port = answer["port"]
        if self.relay_options is not None:
            self.relay = self.lab.relay(self.port, self.src, self.dst,
                                        **self.relay_options)
        return self

    def begin_source(self):
        """The request that starts the source mover."""
        port = self.relay.port if self.relay else self.port
        return self.src.msp.begin("start", **{
            "stream_id": self.stream_id, "role": "source",
            "peer": "127.0.0.1:%d" % port,
            "peer_identity": self.dst.identity, **self.source})

    def start_source(self):
        self.begin_source().result()
        return self

    def start(self):
        return self.create().create_streams().start_target().start_source()

    def wait(self, *phases):
        """Until both movers have ended; @phases are what is accepted."""
        phases = phases or ("completed",)
        pending = [s.msp.begin("wait", stream_id=self.stream_id,
                               phase="ended", timeout_ms=PATIENCE_S * 1000)
                   for s in (self.src, self.dst)]
        statuses = [p.result(PATIENCE_S + 5) for p in pending]
        for system, status in zip((self.src, self.dst), statuses):
            assert status["phase"] in phases, \
                "mover %s ended as %r, not %s" % (system.name, status,
                                                  " or ".join(phases))
        return statuses

    def run(self):
        """The whole move, and the partition's program to its end."""
        self.start()
        self.wait()
        self.finish()
        return self

    def finish(self, system=None):
        return wait_finished(system or self.dst, self.name)

    # What is true

    def states(self):
        return tuple(s.stream(self.stream_id)["state"]
                     for s in (self.src, self.dst))

    def wait_state(self, source=None, target=None):
        """Until the platforms' streams have these states."""
        def reached():
            states = self.states()
            return (source is None or states[0] in source) and \
                   (target is None or states[1] in target)
        try:
            return until("states", reached) and self.states()
        except TimeoutError:
            raise TimeoutError("states are %r, not %r, %r"
                               % (self.states(), source, target)) from None

    def runs_on(self):
        """Names of the systems on which the partition executes or has ended."""
        return [s.name for s in (self.src, self.dst)
                if s.partition_state(self.name) in RUNNING]

    def digest(self, system=None):
        return (system or self.dst).phyp("partition.digest",
                                         name=self.name)["digest"]

    def check_equal(self, system=None):
        """The memory is that of a partition that never moved."""
        digest = self.digest(system)
        reference = self.lab.reference(self.spec)
        assert digest == reference, \
            "digest %s, without a move %s" % (digest, reference)

    def check_differs(self):
        assert self.digest() != self.lab.reference(self.spec), \
            "a difference was made and not found"

    def check_moved(self):
        """States, places and counts after a move that went well."""
        assert self.states() == ("Completed", "Completed"), self.states()
        assert self.runs_on() == [self.dst.name], self.runs_on()
        assert self.src.partition(self.name)["state"] == "Moved", \
            self.src.partition(self.name)
        stream = self.dst.stream(self.stream_id)
        assert stream["record"] == "resumed", stream

    def end(self):
        """Forget the stream and remove the partition everywhere."""
        for system in (self.src, self.dst):
            system.phyp("stream.end", stream_id=self.stream_id)
            with contextlib.suppress(RpcError):
                system.phyp("partition.shutdown", name=self.name)
            system.phyp("partition.remove", name=self.name)


def control(name, *arguments, status=0):
    """Run one of the programs to its end; returns its output.

    @status: the exit status it must have, or several that it may have
    """
    allowed = status if isinstance(status, tuple) else (status,)
    done = subprocess.run([programs() + "/" + name] +
                          [str(a) for a in arguments], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=PATIENCE_S,
                          check=False)
    assert done.returncode in allowed, \
        "%s %s: status %d, expected %s: %s" % (name, " ".join(
            map(str, arguments)), done.returncode, allowed, done.stdout)
    return done.stdout


def interrupted(number, frame):
    raise KeyboardInterrupt


def main(suite):
    """Runs a test program; asked to end, it still cleans up."""
    signal.signal(signal.SIGTERM, interrupted)
    sys.exit(suite.main())
