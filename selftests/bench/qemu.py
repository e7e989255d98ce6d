# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's own migration of the same memory, for comparison.

A pseries machine that never executes (-S): its memory is a file filled with
the content to be moved, its target a second QEMU.  Both run unaccelerated; a
stopped machine does not care.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time

PROGRAM = "qemu-system-ppc64"
# How often the source is asked; its own clock says how long it took
POLL_S = 0.02
PATIENCE_S = 120
# Enough to be no limit
BANDWIDTH = 100 * 10 ** 9
# Kinds of memory that the target may have; pages of the first are allocated as
# they arrive, those of the last in huge pages where the kernel does that
MEMORY = {
    "shared": "memory-backend-memfd,share=on",
    "shared, allocated": "memory-backend-memfd,share=on,prealloc=on",
    "anonymous": "memory-backend-ram",
}
# 0 is the plain path, otherwise multifd
CHANNELS = (0, 1, 2, 4)


class QmpError(Exception):
    """An error answer."""


class Qmp:
    """QEMU's machine protocol on a unix socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.rest = b""
        self.events = []
        self.answer()
        self("qmp_capabilities")

    def answer(self, timeout=PATIENCE_S):
        self.socket.settimeout(timeout)
        while b"\n" not in self.rest:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("QEMU closed its QMP socket")
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\n")
        return json.loads(line)

    def __call__(self, command, **arguments):
        request = {"execute": command}
        if arguments:
            request["arguments"] = {k.replace("_", "-"): v
                                    for k, v in arguments.items()}
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            answer = self.answer()
            if "error" in answer:
                raise QmpError("%s: %s" % (command, answer["error"]["desc"]))
            if "return" in answer:
                return answer["return"]
            self.events.append(answer)

    def event(self, wanted, timeout=PATIENCE_S):
        """The first event since the last clear() for which @wanted is true."""
        deadline = time.monotonic() + timeout
        at = 0
        while True:
            for event in self.events[at:]:
                if wanted(event):
                    return event
            at = len(self.events)
            # Nobody waits for no time at all
            left = max(deadline - time.monotonic(), 0.001)
            self.events.append(self.answer(left))

    def clear(self):
        """Forget what events there were."""
        self.events = []

    def close(self):
        self.socket.close()


class Process:
    """A QEMU with a QMP socket at @path; stopped by pid when left."""

    def __init__(self, directory, name, path, argv):
        self.log_path = os.path.join(directory, name + ".log")
        # Files, not pipes: a child of QEMU's must not keep one open
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.qmp = self.connect(path)

    def connect(self, path):
        deadline = time.monotonic() + PATIENCE_S
        while True:
            with contextlib.suppress(FileNotFoundError,
                                     ConnectionRefusedError):
                return Qmp(path)
            if self.process.poll() is not None:
                with open(self.log_path, encoding="utf-8",
                          errors="replace") as log:
                    raise RuntimeError("QEMU ended: " + log.read().strip())
            if time.monotonic() > deadline:
                self.stop()
                raise TimeoutError("QEMU does not answer")
            time.sleep(0.01)

    def stop(self):
        if hasattr(self, "qmp"):
            self.qmp.close()
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Machine(Process):
    """One that does not execute."""

    def __init__(self, directory, name, arguments, memory):
        path = os.path.join(directory, name + ".qmp")
        super().__init__(directory, name, path, [
            PROGRAM, "-M", "pseries,x-vof=on,cap-cfpc=broken,"
            "cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off,"
            "memory-backend=ram", "-cpu", "POWER9", "-accel", "tcg",
            "-m", "size=%dK" % (memory >> 10), "-nodefaults", "-display",
            "none", "-S", "-qmp", "unix:%s,server=on,wait=off" % path] + arguments)


def installed():
    return shutil.which(PROGRAM) is not None


def prepare(machine, channels):
    """Capabilities and parameters; @channels 0 is the plain path."""
    if channels:
        machine.qmp("migrate-set-capabilities", capabilities=[
            {"capability": "multifd", "state": True}])
        machine.qmp("migrate-set-parameters", multifd_channels=channels)


def migrate(directory, content, memory, channels, kind="shared"):
    """Migrate once; returns QEMU's own figures.

    @content: a file of @memory bytes, which QEMU's firmware may write into
    @channels: one of CHANNELS; @kind: one of MEMORY, for the target
    """
    backend = "memory-backend-file,id=ram,mem-path=%s,share=on,size=%d" % (
        content, memory)
    own = "%s,id=ram,size=%d" % (MEMORY[kind], memory)
    with Machine(directory, "source", ["-object", backend], memory) as source, \
            Machine(directory, "target", ["-object", own, "-incoming",
                                          "defer"], memory) as target:
        for machine in (source, target):
            prepare(machine, channels)
        source.qmp("migrate-set-parameters", max_bandwidth=BANDWIDTH)
        target.qmp("migrate-incoming", uri="tcp:127.0.0.1:0")
        port = target.qmp("query-migrate")["socket-address"][0]["port"]
        source.qmp("migrate", uri="tcp:127.0.0.1:%s" % port)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            info = source.qmp("query-migrate")
            # The total comes a moment after the status
            if info["status"] == "completed" and info["total-time"]:
                break
            if info["status"] in ("failed", "cancelled") or \
                    time.monotonic() > deadline:
                raise RuntimeError("QEMU's migration: %r" % info)
            time.sleep(POLL_S)
        seconds = info["total-time"] / 1000
        return {"channels": channels, "memory": kind, "seconds": seconds,
                "mb_per_s": memory / seconds / 1e6,
                "bytes_on_wire": info["ram"]["transferred"]}
