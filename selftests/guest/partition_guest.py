# SPDX-License-Identifier: GPL-2.0-or-later
"""A partition that runs Linux: Debian's kernel, an agent, and workloads.

    machine = PartitionGuest("ppc64el-6.12", ["ticker", workload.checker(32 << 20)],
                             address="10.77.0.11/24")
    machine.write(directory)
    phypd.call("partition.create", name="web", memory=machine.memory_bytes,
               guest=machine.description())

What it says on its console, line by line:

    guest: ready            everything has been started
    tick, check, echo: ...  of the workloads (workload.py)
    guest: end              they have ended well, as they were told
    FAIL: ...               something is wrong
    kernel: ...             the kernel warns

The console takes lines, too: partition_init has them.
"""

import glob
import os

import guest
import initramfs
import kernels
import network
import packages
import sysroot
import workload

ARCH = "ppc64el"
PROGRAMS = os.path.join(guest.TOP, "build-ppc64el")
MEMORY_MIB = 256
# What migrates a Linux partition on PowerVM, where RMC calls it
DRMGR = ("powerpc-ibm-utils", "librtas2", "libnuma1")


def libraries(names):
    """Where the libraries of our programs and of packages are found."""
    return initramfs.Libraries([sysroot.unpacked(ARCH)] + [
        packages.unpacked(ARCH, name) for name in names])


class PartitionGuest(guest.Guest):
    """A partition to be.

    @label: of its kernel
    @workloads: of workload.py, or their names; they start in this order
    @address: of eth0, with the length of its prefix
    @memory, @processors: MiB, and how many
    @options: more of the kernel's options
    @drmgr: Debian's drmgr is there, for the agent
    """

    def __init__(self, label, workloads=("ticker",), address=None,
                 memory=MEMORY_MIB, processors=1, options=(), drmgr=False):
        self.workloads = workload.unfolded(workloads)
        self.address, self.directory = address, None
        modules = sorted({name for names in network.DEVICES.values()
                          for name in names})
        modules += [name for each in self.workloads for name in each.modules]
        super().__init__(
            kernels.named(label), "", modules, memory=memory,
            processors=processors, options=options,
            libraries=libraries([*(DRMGR if drmgr else ()), *(
                name for each in self.workloads for name in each.packages)]))
        here = os.path.dirname(os.path.abspath(__file__))
        self.files.copy("/init", here + "/partition_init")
        self.files.copy("/guest/workload", here + "/partition_workload")
        self.files.directory("/etc/lpar-agent.d")
        self.program(PROGRAMS + "/lpar-agent")
        self.program(PROGRAMS + "/inside/kmsg")
        if drmgr:
            self.program(packages.unpacked(ARCH, DRMGR[0]) + "/usr/sbin/drmgr",
                         "/usr/sbin/drmgr")
            for name in ("lock", "log"):
                self.files.directory("/var/" + name)
        for each in self.workloads:
            self.files.file("/guest/workloads/" + each.name,
                            each.script.encode() + b"\n")
            for name in each.programs:
                self.program(PROGRAMS + "/inside/" + name)
            for name, path in each.foreign:
                self.program(packages.unpacked(ARCH, name) + path, path)

    @property
    def memory_bytes(self):
        return self.memory << 20

    def hook(self, name, text):
        """A hook of the agent's: shell text that may refuse a move."""
        self.files.file("/etc/lpar-agent.d/" + name,
                        b"#!/bin/sh\n" + text.encode() + b"\n", 0o755)

    def write(self, directory):
        """Write the archive of its files; it has to stay there."""
        self.directory = os.path.abspath(directory)
        os.makedirs(directory, exist_ok=True)
        self.files.write(self.initrd)

    @property
    def initrd(self):
        return self.directory + "/initramfs"

    @property
    def vmlinux(self):
        found = glob.glob(os.path.join(self.kernel, self.machine.image))
        if len(found) != 1:
            raise initramfs.Missing("one kernel in " + self.kernel)
        return found[0]

    def append(self):
        """The kernel's command line."""
        words = ["console=" + self.machine.console, *guest.KERNEL_OPTIONS,
                 *self.options]
        if self.address:
            words.append("lpm.address=" + self.address)
        if self.workloads:
            words.append("lpm.workloads=" + ",".join(
                each.name for each in self.workloads))
        return " ".join(words)

    def description(self, **more):
        """What partition.create and partition.reserve take as "guest"; @more: of it."""
        return dict({"kernel": self.vmlinux, "initrd": self.initrd,
                     "append": self.append(), "processors": self.processors,
                     "agent": True}, **more)

    def argv(self, directory):
        """QEMU by itself: it connects to sockets "console" and "agent" of a directory."""
        argv = [self.machine.qemu, "-accel", self.accelerator,
                *self.machine.options, "-m", str(self.memory),
                "-smp", str(self.processors), "-nodefaults", "-display", "none",
                "-no-reboot", "-qmp",
                "unix:%s/qmp,server=on,wait=off" % directory]
        for name in ("console", "agent"):
            argv += ["-chardev", "socket,id=%s,path=%s/%s" % (name, directory, name),
                     "-serial", "chardev:" + name]
        return argv + ["-kernel", self.vmlinux, "-initrd", self.initrd,
                       "-append", self.append()]
