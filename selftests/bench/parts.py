# SPDX-License-Identifier: GPL-2.0-or-later
"""Processor time by part, from samples of perf.

Each sample is the stack of a processor at one instant.  RULES are tried in
order; the first one that fits decides what the sample counts as.
"""

import collections
import contextlib
import os
import re
import shutil
import signal
import subprocess

import lpm

FREQUENCY = 1999
EVENT = "cpu-clock"         # virtual machines often have no other

# part: which frames are looked at (the innermost one, or any), object, symbol
INNERMOST, ANY = "innermost", "any"
RULES = (
    # What libcrypto calls for memory counts as copying, what it computes here
    ("TLS", INNERMOST, r"^lib(crypto|ssl)\.", r""),
    ("TLS", INNERMOST, r"^\[kernel|^\[tls|^\[aes|^\[gh", r"^tls_|aes|gcm|ghash"),
    ("page faults", ANY, r"^\[kernel", r"^(asm_)?exc_page_fault$|munmap|"
     r"^unmap_page_range$|^do_madvise|fallocate"),
    ("copying", INNERMOST, r"^\[kernel", r"^_?copy_(to|from)_(iter|user)|"
     r"^__?copy_|^rep_movs|^memcpy|^copy_page"),
    ("copying", INNERMOST, r"^libc\.", r"mem(cpy|move|set)"),
    ("calls, TCP", INNERMOST, r"^\[", r""),
    # Entering and leaving the kernel is done here
    ("calls, TCP", INNERMOST, r"^libc\.|^liburing\.", r""),
    ("own code", INNERMOST, r"", r""),
)
PARTS = tuple(dict.fromkeys(rule[0] for rule in RULES))

FRAME = re.compile(r"^\s+[0-9a-f]+ (?P<symbol>.+) \((?P<object>[^()]*)\)$")


class NotUsable(Exception):
    """perf cannot be used here; the text says why."""


def part_of(stack):
    """What a stack counts as: [(object, symbol), ...], innermost first."""
    for part, where, objects, symbols in RULES:
        frames = stack[:1] if where == INNERMOST else stack
        if any(re.search(objects, o) and re.search(symbols, s)
               for o, s in frames):
            return part
    raise AssertionError("the last rule fits everything")


def stacks(text):
    """Stacks of what "perf script -F ip,sym,dso" prints."""
    stack = []
    for line in text.split("\n") + [""]:
        frame = FRAME.match(line)
        if frame:
            symbol = re.sub(r"\+0x[0-9a-f]+$", "", frame["symbol"])
            stack.append((os.path.basename(frame["object"]), symbol))
        elif not line.strip() and stack:
            yield stack
            stack = []


def perf(*arguments):
    return subprocess.run(("perf",) + arguments, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)


def check_usable(directory):
    if not shutil.which("perf"):
        raise NotUsable("perf is not installed (Debian: linux-perf)")
    path = os.path.join(directory, "try.perf")
    tried = perf("record", "-q", "-g", "-e", EVENT, "-o", path, "--", "true")
    if tried.returncode:
        raise NotUsable("perf record: " + (tried.stderr.strip().split("\n")[0]
                                           or "fails"))


def has_events(pid):
    """Does this perf watch something already?"""
    with contextlib.suppress(FileNotFoundError):
        return any("perf_event" in os.readlink(entry.path)
                   for entry in os.scandir("/proc/%d/fd" % pid))
    return False


class Profile:
    """Samples of named processes; may be entered several times."""

    def __init__(self, directory):
        self.directory = directory
        self.parts = collections.defaultdict(collections.Counter)
        self.symbols = collections.defaultdict(collections.Counter)
        self.running = {}

    def start(self, pids):
        for name, pid in pids.items():
            path = os.path.join(self.directory,
                                name.replace(" ", "-") + ".perf")
            if os.path.exists(path):
                os.unlink(path)
            self.running[name] = path, subprocess.Popen(
                ["perf", "record", "-q", "-g", "-e", EVENT, "-F",
                 str(FREQUENCY), "-p", str(pid), "-o", path],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
        for _, process in self.running.values():
            lpm.until("perf records", lambda p=process.pid: has_events(p))

    def stop(self):
        for _, process in self.running.values():
            process.send_signal(signal.SIGINT)
        for _, process in self.running.values():
            process.wait(lpm.PATIENCE_S)
        for name, (path, _) in self.running.items():
            self.count(name, path)
        self.running = {}

    def count(self, name, path):
        done = perf("script", "-i", path, "-F", "ip,sym,dso")
        for stack in stacks(done.stdout):
            part = part_of(stack)
            self.parts[name][part] += 1
            self.symbols[name][part, stack[0][1]] += 1

    def shares(self, name):
        """Part -> share of the samples of @name."""
        total = sum(self.parts[name].values())
        return {part: self.parts[name][part] / total if total else 0
                for part in PARTS}
