# SPDX-License-Identifier: GPL-2.0-or-later
"""A small machine with a kernel of its own, for what this machine's lacks.

    suite = Suite()
    for series, kernel in packages.kernels(native()).items():
        guest = Guest(kernel, "./ktls_uring", modules=["tls"])
        guest.program(BUILD + "/tools/ktls_uring")
        suite.add(series, guest)
    sys.exit(suite.main())

A guest has no disk, and no network but, if wanted, a cable to another guest
(network.py).  It boots under QEMU without hardware
support (so that any machine will do) from an archive of files, loads modules,
runs one command, and resets.  Two serial lines come out of it: the kernel's
console, which is kept in a file and searched for what a kernel says when it is
hurt, and the command's output, which is TAP.  Documentation/guests.rst has more.
"""

import concurrent.futures
import fnmatch
import glob
import os
import re
import selectors
import shutil
import subprocess
import sys
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import health  # noqa: E402
import initramfs  # noqa: E402
import kernels  # noqa: E402
import packages  # noqa: E402
import tap  # noqa: E402

BUILD = os.environ.get("BUILD", os.path.join(TOP, "build"))

# A guest that is silent for as long, or runs for as long, is ended
SILENCE_S = 120
GUEST_S = 600
MEMORY_MIB = 768
# Guests at a time: most of a guest's life is one processor's work
JOBS = 2

# What a kernel prints when it, or a driver, is broken
SPLAT = re.compile(r"\bBUG:|\bWARNING:|\bOops\b|Call Trace|Kernel panic|"
                   r"general protection fault|Unable to handle kernel|"
                   r"refcount_t:|UBSAN:|list_(add|del) corruption|KASAN:|DMA-API:|"
                   r"ODEBUG:|INFO: task .* blocked for more than|"
                   r"possible (recursive|circular) locking|inconsistent lock state|"
                   r"suspicious RCU usage|sleeping function called|"
                   r"kmemleak: (Cannot|Kernel memory leak detector disabled)")
# Warnings are shown, for SPLAT to find.  A machine without hardware support on a
# busy host looks stuck to those who watch the clock: they are off.  So is what only
# takes time.
KERNEL_OPTIONS = ("panic=-1", "oops=panic", "loglevel=5", "nowatchdog",
                  "rcupdate.rcu_cpu_stall_suppress=1", "mitigations=off",
                  "cryptomgr.notests", "random.trust_cpu=on")

# Kernel TLS: itself, its ciphers, and what makes them fast, by architecture
TLS_MODULES = {
    "amd64": ("tls", "gcm", "ctr", "ghash-generic", "chacha20poly1305",
              "aesni-intel", "ghash-clmulni-intel", "chacha-x86_64",
              "poly1305-x86_64"),
}

INIT = re.compile(r"^guest: init after ([0-9.]+) s$")
STATUS = re.compile(r"^guest: status (\d+)$")
# The command was not even started
INIT_FAILED = 255


class Machine:
    """How QEMU makes a machine of an architecture.

    @arch: Debian's name
    @qemu: the program
    @options: of the machine
    @lines: names of its first two serial lines, console and results
    @image: the kernel in its package
    @harmless: what its kernel always says, and would be taken for a SPLAT
    """

    def __init__(self, arch, qemu, options, lines, image, harmless=None):
        self.arch, self.qemu, self.options = arch, qemu, options
        self.console, self.results = lines
        self.image = image
        self.harmless = re.compile(harmless) if harmless else None

    def splat(self, line):
        return SPLAT.search(line) and not (self.harmless and
                                           self.harmless.search(line))


MACHINES = {machine.arch: machine for machine in (
    Machine("amd64", "qemu-system-x86_64", ["-M", "q35", "-cpu", "max,la57=off"],
            ("ttyS0", "ttyS1"), "boot/vmlinuz-*"),
    Machine("ppc64el", "qemu-system-ppc64",
            ["-M", "pseries,x-vof=on,cap-cfpc=broken,cap-sbbc=broken,"
             "cap-ibs=broken,cap-ccf-assist=off", "-cpu", "POWER9"],
            ("hvc0", "hvc1"), "boot/vmlinux-*",
            # It has no NVRAM's contents yet
            r"WARNING: nvram corruption detected: 0-length partition"),
)}


native = kernels.native


class Result:
    """What became of a guest."""

    def __init__(self, machine, console):
        self.machine = machine
        self.console = console  # path of the kernel's messages
        self.status = None      # of the command; None: the guest never said
        self.boot_s = None      # until process 1 ran
        self.total_s = 0.0
        self.ended = ""         # why it had to be ended, or what QEMU said
        self.health = health.Health()
        self.lines = []         # of the command
        self.parser = tap.Parser()

    def kernel_messages(self):
        try:
            with open(self.console, encoding="utf-8", errors="replace") as file:
                return file.read().replace("\r", "").split("\n")
        except FileNotFoundError:
            return []

    def splats(self):
        """What the kernel should not have had to say."""
        return [line for line in self.kernel_messages() if self.machine.splat(line)]

    def wrong(self):
        """Everything but failed tests that speaks against this run."""
        wrong = ["kernel: " + line.strip() for line in self.splats()[:10]]
        if self.ended:
            wrong.append(self.ended)
        if self.status is None:
            wrong.append("the guest ended before its command did")
        elif self.status and not any(r[1] == "fail" for r in self.parser.results):
            wrong.append("exit status %d" % self.status)
        # It says nothing more once it has crashed
        if self.status not in (None, INIT_FAILED):
            wrong += self.health.wrong()
        if self.parser.whole_skip is not None:
            wrong.append("skipped: " + self.parser.whole_skip)
        elif not self.parser.planned:
            wrong.append("no plan, or one without tests")
        elif self.parser.planned != len(self.parser.results):
            wrong.append("%d tests planned, %d seen" % (
                self.parser.planned, len(self.parser.results)))
        return wrong


class Guest:
    """A guest to be; see the top of this file.

    @kernel: one of kernels.py, or path of an unpacked kernel package
    @command: shell text that prints TAP; it runs in /guest
    @modules: loaded before, with what they need; built-in ones are fine too
    @arch: Debian's name of the architecture, if @kernel does not tell
    @libraries: where the programs' shared libraries are found
    @memory, @processors: MiB, and how many
    @own: paths of modules of ours -> parameters ("a=1 b=2"); they are loaded after
          all others, and have to unload when the command has ended
    @options: more of the kernel's options
    @network: an end of a cable, see network.py

    What a machine has beside that is set before it runs:

    @vasi: sockets of vasi-phypd, one for each VASI device (pseries only);
           options of the device may follow: "/run/msp0,reg=0x71000010"
    @memfd: its memory is a memfd, which QEMU can pass to vasi-phypd
    @qmp: path of a socket to be made, for QEMU's management protocol
    @control: path of a socket to be made, whose other end is the third serial line
    @accelerator: and whether each processor has a thread of QEMU's
    """

    accelerator = "tcg,thread=multi"
    vasi = ()
    memfd = False
    qmp = control = None
    # QEMU while it runs
    process = None

    def __init__(self, kernel, command, modules=(), arch=None, libraries=None,
                 memory=MEMORY_MIB, processors=2, own=None, options=(),
                 network=None):
        self.debug = False
        if isinstance(kernel, kernels.Kernel):
            arch, self.debug = kernel.arch, kernel.label == kernels.DEBUG
            kernel = kernel.package
        self.machine = MACHINES[arch or native()]
        self.kernel = kernel
        self.own = dict(own or {})
        self.options, self.network = tuple(options), network
        if self.debug:
            self.options = health.DEBUG_OPTIONS + self.options
        if network:
            modules = tuple(network.modules) + tuple(modules)
        self.memory, self.processors = memory, processors
        self.libraries = libraries or initramfs.Libraries()
        self.files = initramfs.Archive()
        self.base(command, modules)

    def base(self, command, modules):
        """What every guest has."""
        files = self.files
        busybox = packages.unpacked(self.machine.arch, "busybox-static")
        files.copy("/bin/busybox", busybox + "/bin/busybox")
        files.copy("/init", HERE + "/init")
        files.device("/dev/console", 5, 1)
        files.device("/dev/null", 1, 3, 0o666)
        for directory in ("/proc", "/sys", "/sbin", "/usr/bin", "/usr/sbin"):
            files.directory(directory)
        files.link("/bin/sh", "busybox")
        files.file("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"
                   b"nobody:x:65534:65534:nobody:/:/bin/sh\n")
        files.file("/etc/group", b"root:x:0:\nnogroup:x:65534:\n")
        files.file("/etc/hosts", b"127.0.0.1 localhost\n::1 localhost\n")
        files.file("/guest/command", command.encode() + b"\n")
        files.file("/guest/results", self.machine.results.encode() + b"\n")
        self.base_modules(modules)
        files.copy("/guest/checks", HERE + "/checks")
        if self.network:
            files.file("/guest/network", self.network.settings().encode())

    def base_modules(self, modules):
        """Modules and in which order they are loaded, and ours unloaded."""
        parameters = {initramfs.module_name(path): text
                      for path, text in self.own.items()}
        order = []
        for name, data in initramfs.Modules(self.kernel).closure(
                list(modules) + list(self.own)):
            order.append("%s %s\n" % (name, parameters.get(name, "")))
            self.files.file("/guest/modules/%s.ko" % name, data)
        self.files.file("/guest/order", "".join(order).encode())
        self.files.file("/guest/own", "".join(
            name + "\n" for name in reversed(parameters)).encode())

    def program(self, source, path=None):
        """A program of the host's and its shared libraries; default /guest/NAME."""
        path = path or "/guest/" + os.path.basename(source)
        self.files.copy(path, source)
        self.libraries.add(self.files, self.files.entries[path][1], source)

    def argv(self, directory):
        found = glob.glob(os.path.join(self.kernel, self.machine.image))
        if len(found) != 1:
            raise initramfs.Missing("one kernel in " + self.kernel)
        options = ("console=" + self.machine.console,) + KERNEL_OPTIONS + \
            self.options
        return [self.machine.qemu, "-accel", self.accelerator] + \
            self.machine.options + [
                "-m", str(self.memory), "-smp", str(self.processors),
                "-nodefaults", "-display", "none", "-no-reboot",
                "-serial", "file:" + directory + "/console",
                "-serial", "stdio", "-kernel", found[0],
                "-initrd", directory + "/initramfs",
                "-append", " ".join(options)] + self.hardware()

    def hardware(self):
        """QEMU's options for what only some guests have."""
        argv = []
        if self.vasi:
            argv += ["-plugin", BUILD + "/qemu/spapr-vasi.so"]
        for link in self.vasi:
            argv += ["-device", "spapr-vasi,link=" + link]
        if self.memfd:
            argv += ["-object", "memory-backend-memfd,id=ram,share=on,size=%dM"
                     % self.memory, "-machine", "memory-backend=ram"]
        if self.qmp:
            argv += ["-qmp", "unix:%s,server=on,wait=off" % self.qmp]
        if self.control:
            argv += ["-chardev", "socket,id=control,server=on,wait=off,path="
                     + self.control, "-serial", "chardev:control"]
        if self.debug:
            argv += ["-action", "panic=exit-failure"]
        if self.network:
            argv += self.network.options()
        return argv

    def result(self, console):
        """What a run is written down in."""
        return Result(self.machine, console)

    def run(self, name, tell=None, silence=SILENCE_S):
        """Boot it and run the command to its end; returns a Result.

        @name: of the directory in BUILD/guest/ that keeps what it said
        @tell: called with each line of the command
        @silence: a guest without a line of output for as long is ended
        """
        directory = os.path.join(BUILD, "guest", name)
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        self.files.write(directory + "/initramfs")
        result = self.result(directory + "/console")
        started = time.monotonic()
        with open(directory + "/qemu", "wb") as errors:
            process = self.process = subprocess.Popen(
                self.argv(directory), stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=errors,
                pass_fds=self.network.descriptors() if self.network else ())
        if self.network:
            self.network.close()
        try:
            self.follow(process, result, started, tell, silence)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        result.total_s = time.monotonic() - started
        if not result.ended and process.returncode:
            with open(directory + "/qemu", encoding="utf-8",
                      errors="replace") as errors:
                result.ended = "QEMU: status %d: %s" % (
                    process.returncode, errors.read().strip())
        return result

    def follow(self, process, result, started, tell, silence):
        """Read what the command writes until the guest has ended."""
        deadline = started + GUEST_S
        rest = b""
        with open(os.path.dirname(result.console) + "/results", "wb") as copy, \
                selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while True:
                wait = min(silence, deadline - time.monotonic())
                if wait <= 0 or not selector.select(wait):
                    result.ended = "not finished after %d s" % GUEST_S \
                        if wait <= 0 else "silent for %d s" % silence
                    return
                block = os.read(process.stdout.fileno(), 65536)
                copy.write(block)
                lines = (rest + block).split(b"\n")
                rest = lines.pop()
                if not block and rest:
                    lines.append(rest)
                for line in lines:
                    self.take(line, result, started, tell)
                if not block:
                    # It has closed its output, so it is about to end
                    process.wait(silence)
                    return

    @staticmethod
    def take(line, result, started, tell):
        text = line.decode(errors="replace").rstrip("\r")
        init, status = INIT.match(text), STATUS.match(text)
        if init:
            result.boot_s = time.monotonic() - started
        elif status:
            result.status = int(status.group(1))
        elif not result.health.take(text):
            result.lines.append(text)
            result.parser.line(text)
            if tell:
                tell(text)


class Suite:
    """Guests of one test program; what they print is put together into one TAP."""

    def __init__(self):
        self.program = os.path.basename(sys.argv[0])[:-len(".py")]
        self.groups = []        # of (label, guest): those that need each other
        self.checks = []        # (label, name, function)
        self.count = self.bad = 0
        self.free = JOBS        # guests that may be started
        self.turn = threading.Condition()

    def add(self, label, guest):
        self.groups.append([(label, guest)])

    def together(self, guests):
        """Guests (label -> guest) that run at the same time."""
        self.groups.append(list(guests.items()))

    def afterwards(self, label, name, function):
        """A test of the host's, when the guests have ended; @label: of one of them."""
        self.checks.append((label, name, function))

    def check(self, label, name, function):
        try:
            function()
        except Exception:
            for line in traceback.format_exc().splitlines():
                print("# " + line)
            self.result("%s: %s" % (label, name), False)
        else:
            self.result("%s: %s" % (label, name), True)

    @staticmethod
    def named(label):
        """Does --only PATTERN name a guest?"""
        words = sys.argv[1:]
        return any(a == "--only" and (b.startswith(label + ":") or
                                      fnmatch.fnmatch(label, b))
                   for a, b in zip(words, words[1:]))

    def chosen(self):
        """Those that are named; none: all."""
        return [group for group in self.groups
                if any(self.named(label) for label, _ in group)] or self.groups

    def main(self):
        """Run them; the exit status says how it went."""
        chosen = self.chosen()
        with concurrent.futures.ThreadPoolExecutor(
                sum(map(len, chosen)) + len(chosen)) as pool:
            running = [pool.submit(self.run_group, pool, group) for group in chosen]
            for future in running:
                for label, result in future.result():
                    self.show(label, result)
        ran = [label for group in chosen for label, _ in group]
        for check in self.checks:
            if check[0] in ran:
                self.check(*check)
        print("1..%d" % self.count, flush=True)
        return 1 if self.bad else 0

    def run_group(self, pool, group):
        """Wait until there is room for all of a group, and run it."""
        room = min(len(group), JOBS)
        with self.turn:
            self.turn.wait_for(lambda: self.free >= room)
            self.free -= room
        try:
            running = [(label, pool.submit(self.run, label, guest))
                       for label, guest in group]
            return [(label, future.result()) for label, future in running]
        finally:
            with self.turn:
                self.free += room
                self.turn.notify_all()

    def run(self, label, guest):
        def tell(line):
            print("# %s: %s" % (label, line), flush=True)
        return guest.run("%s-%s" % (self.program, label), tell)

    def show(self, label, result):
        """The guest's own tests, and one for the guest."""
        for name, outcome, text in result.parser.results:
            self.result("%s: %s" % (label, name), outcome != "fail",
                        " # SKIP " + text if outcome == "skip" else "")
        print("# %s: init after %.1f s, %.1f s in all"
              % (label, result.boot_s or 0, result.total_s))
        wrong = result.wrong()
        for line in wrong:
            print("# wrong: " + line)
        if wrong:
            for line in result.kernel_messages()[-40:]:
                print("# console: " + line)
        self.result(label + ": ends well, and its kernel reports nothing", not wrong)

    def result(self, name, good, text=""):
        self.count += 1
        self.bad += not good
        print("%sok %d - %s%s" % ("" if good else "not ", self.count, name, text),
              flush=True)
