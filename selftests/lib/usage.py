# SPDX-License-Identifier: GPL-2.0-or-later
"""What processes use: processor time and memory, from /proc."""

import os
import threading

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of all threads of @pid."""
    with open("/proc/%d/stat" % pid, encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def anonymous_bytes(pid):
    """RssAnon of @pid."""
    with open("/proc/%d/status" % pid, encoding="ascii") as file:
        for line in file:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) << 10
    raise ValueError("no RssAnon of process %d" % pid)


class Cpu:
    """Processor time that named processes take from now on."""

    def __init__(self, pids):
        self.pids = pids
        self.before = {n: cpu_seconds(p) for n, p in pids.items()}

    def seconds(self):
        return {n: cpu_seconds(p) - self.before[n]
                for n, p in self.pids.items()}


class Peaks:
    """Largest values of functions, sampled until it is left."""

    def __init__(self, functions, interval=0.02):
        self.functions = functions
        self.interval = interval
        self.peaks = dict.fromkeys(functions, 0)
        self.samples = 0
        self.error = None
        self.leave = threading.Event()
        self.thread = threading.Thread(target=self.sample, daemon=True)

    def sample_once(self):
        for name, function in self.functions.items():
            self.peaks[name] = max(self.peaks[name], function())
        self.samples += 1

    def sample(self):
        try:
            while not self.leave.wait(self.interval):
                self.sample_once()
        except Exception as error:      # told to who waits for the figures
            self.error = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.leave.set()
        self.thread.join()
        if kind is None:
            if self.error:
                raise self.error
            self.sample_once()
