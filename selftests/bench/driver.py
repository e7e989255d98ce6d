#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Measure the kernel driver and the user-mode driver side by side, in a guest.

Documentation/performance.rst ("The kernel driver") says what each figure means and
how to read it.  A requirement that is not met ends with status 1.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile

PARSER = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
PARSER.add_argument("--build", default="build", help="where the programs are")
PARSER.add_argument("--kernel", default="ppc64el-6.12", help="of the guest")
PARSER.add_argument("--mib", type=int, default=32, help="of stream in one run")
PARSER.add_argument("--repeat", type=int, default=5, help="runs of each kind")
PARSER.add_argument("--json", help="file that gets all runs and the figures")
ARGS = PARSER.parse_args()

os.environ["BUILD"] = os.path.abspath(ARGS.build)
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../guest"), os.path.join(HERE, "../lib")]

import guest  # noqa: E402
import initramfs  # noqa: E402
import kbuild  # noqa: E402
import kernels  # noqa: E402
import lpm  # noqa: E402
import sysroot  # noqa: E402

import driver_platforms  # noqa: E402

MIB = 1 << 20
CONTROL = "/dev/hvc2"
PROGRAMS = ("tools/driver_bench", "vasi-phypd", "phypctl")
PATHS = {"kernel": "kernel driver", "user": "user-mode driver"}
ROLES = {"source": "operation", "target": "download"}
# A source that copies what it gets: what is found then must be seen
CONTROL_ROLE = "copy"
BYTES = (65536, MIB)
# Buffers that the platform has at a time: under load, and one, for what cannot wait
DEPTHS = {65536: 32, MIB: 8}
HOUR_S = 3600
# More than a run takes: what the mover has before it is measured
SPARE_MIB = 40
# Instructions of a copy, at least: a load and a store for 16 bytes
COPY_PER_MIB = 2 * MIB // 16
PATIENCE_S = 300

# Both ends' platforms for the user-mode driver run here, on processor 1; the mover,
# and interrupts, on processor 0.  new ROLE: makes a stream, its name in $id; end:
# forgets it.  Those of the kernel driver are made outside.
SHELL = """
exec 3<>%(control)s
stty -F %(control)s raw -echo
number=0
ask()
{
	number=$((number + 1))
	echo "$number $*" >&3
	read -r _ verdict id <&3
	[ "$verdict" = ok ] || echo "# $*: $verdict $id"
}
for name in A B; do
	mkdir -p /run/$name
	taskset 2 ./vasi-phypd --name $name --memory 256M --socket /run/$name/rpc \\
		--state-dir /run/$name --device msp0=/run/$name/link \\
		--no-indirect >/run/$name/log 2>&1 &
	while ! ./phypctl -S /run/$name/rpc info >/run/$name/info 2>/dev/null; do
		kill -0 $! || break
	done
done
version()
{
	./phypctl --json -S /run/A/rpc info | sed -n "s/.*\\"$1\\": *\\([0-9]*\\).*/\\1/p"
}
major=$(version stream_major)
minor=$(version stream_minor)
# What the interrupts' threads are
tasks=$(grep -l '^irq/.*vasi' /proc/[0-9]*/comm | sed 's,/proc/,,; s,/comm,,' |
	tr '\\n' ',' | sed 's/,$//')
echo "# threads of interrupts: $tasks"

call()
{
	./phypctl -S /run/$1/rpc call "$2" "$3" >/run/$1/answer 2>&1 ||
		echo "# $1 $2: $(cat /run/$1/answer)"
}
stream()
{
	call $1 stream.create '{"stream_id": "'$id'", "role": "'$2'", "device": "msp0",
		"partition": "'$id'", "peer_stream_major": '$major',
		"peer_stream_minor": '$minor'}'
}
user_new()
{
	number=$((number + 1))
	id=$(printf 'beef%%012x' $number)
	call A partition.create '{"name": "'$id'", "memory": %(memory)d, "granule": 4096,
		"content": {"type": "seed", "seed": '$number'}, "program": %(program)s}'
	call A partition.activate '{"name": "'$id'"}'
	if [ $1 = target ]; then
		call B partition.reserve '{"name": "'$id'", "memory": %(memory)d,
			"granule": 4096, "program": %(program)s}'
	fi
	stream A source
	[ $1 != target ] || stream B target
}
over()
{
	call $1 stream.cancel '{"stream_id": "'$id'"}'
	until ./phypctl -S /run/$1/rpc stream-show $id | grep -q Aborted; do
		usleep 10000
	done
	call $1 stream.end '{"stream_id": "'$id'"}'
}
user_end()
{
	# A shell goes with its stream
	[ $1 != target ] || over B
	over A
	call A partition.shutdown '{"name": "'$id'"}'
	call A partition.remove '{"name": "'$id'"}'
}
kernel_new()
{
	if [ $1 = target ]; then ask move %(kib)d; else ask source %(kib)d; fi
}
kernel_end()
{
	ask end $id
}
kernel_A=/dev/vasi0 kernel_B=/dev/vasi1 user_A=/run/A/link user_B=/run/B/link
run()
{
	${1}_new $2
	eval "a=\\$${1}_A b=\\$${1}_B"
	case $1 in
	kernel) with=$tasks;;
	*) with=none;;
	esac
	case $2 in
	source | copy) set -- "$@" $a;;
	target) set -- "$@" $b $a;;
	esac
	echo "begin $1 $2 $3 $4"
	taskset 1 ./driver_bench $2 $5 $id $3 %(mib)d $4 $with $6 ||
		printf 'not '
	echo "ok $((count = count + 1)) - $1 $2 $3 $4"
	${1}_end $2
}
count=0
"""


class Platforms(driver_platforms.Platforms):
    """Partitions that do nothing."""

    program = lpm.program(steps=0)


class BenchGuest(guest.Guest):
    """A guest whose mover runs alone on the first of two processors."""

    memfd = True
    # Processors take turns: with a thread for each they execute many times as much,
    # where one waits for another that the host does not run
    accelerator = "tcg,thread=single"

    def __init__(self, kernel, runs):
        module, = kbuild.Place(kernel).built()
        memory = ARGS.mib + SPARE_MIB
        command = SHELL % {
            "control": CONTROL, "memory": memory * MIB, "kib": memory * 1024,
            "mib": ARGS.mib, "program": json.dumps(Platforms.program)}
        command += "echo 1..%d\n" % len(runs)
        command += "".join("run %s %s %d %d\n" % run for run in runs)
        super().__init__(
            kernel, command, own={module: ""}, memory=1024,
            libraries=initramfs.Libraries([sysroot.unpacked("ppc64el")]),
            # An idle processor executes nothing
            options=("irqaffinity=0", "cpuidle.off=1"))
        for program in PROGRAMS:
            self.program(os.path.join(guest.TOP, "build-ppc64el", program))
        self.platforms = None
        self.log = None

    def hardware(self):
        return super().hardware() + [
            "-serial", "unix:" + self.platforms.control_path,
            "-plugin", "%s/qemu/count.so,log=%s" % (guest.BUILD, self.log)]

    def run(self, name, tell=None, silence=guest.SILENCE_S):
        directory = tempfile.mkdtemp(prefix="vasi.", dir="/tmp")
        os.chmod(directory, 0o755)
        self.log = os.path.join(directory, "counts")
        try:
            with Platforms(directory, ("--no-indirect",)) as self.platforms:
                self.vasi = self.platforms.links
                result = super().run(name, tell, silence)
                with open(self.log, encoding="ascii") as file:
                    result.counts = [[int(word) for word in line.split()]
                                     for line in file]
            if self.platforms.errors and not result.ended:
                result.ended = "; ".join(self.platforms.errors)
            return result
        finally:
            shutil.rmtree(directory, ignore_errors=True)


class Collector:
    """The lines of the guest's command."""

    def __init__(self):
        self.runs = []
        self.current = None

    def __call__(self, text):
        if text.startswith("begin "):
            path, role, size, depth = text.split()[1:]
            self.current = {"path": path, "role": role, "buffer": int(size),
                            "depth": int(depth)}
        elif text.startswith("{") and self.current:
            self.runs.append(dict(self.current, **json.loads(text)))
            print("  %(path)s, %(role)s, %(depth)d of %(buffer)d" % self.current, flush=True)
        elif not text.startswith("ok"):
            print("# " + text, flush=True)


def merge(runs, counts):
    """What QEMU counted, into the runs."""
    if len(counts) != 2 * len(runs):
        raise ValueError("%d marks of %d runs" % (len(counts), len(runs)))
    for run, before, after in zip(runs, counts[::2], counts[1::2]):
        if before[0] or after[0]:
            raise ValueError("a mover was not on processor 0")
        (_, run["user"], run["kernel"], run["system_calls"], run["hypervisor_calls"],
         user, kernel) = [b - a for a, b in zip(before, after)]
        run["elsewhere"] = user + kernel - run["user"] - run["kernel"]


# name -> what it says; a count by "each" is by operation or download
FIGURES = {
    "bytes": "bytes of stream data",
    "wall_us": "us, clock",
    "donation_us": "    in donations",
    "thread_us": "us, processor: the mover",
    "interrupt_us": "    interrupts' threads",
    "instructions": "instructions",
    "user": "    of the program",
    "kernel": "    of the kernel",
    "elsewhere": "    of other processors",
    "hypervisor_calls": "hypervisor calls",
    "instructions_per_mib": "instructions per MiB",
    "system_calls_per_mib": "system calls per MiB",
    "donations_per_mib": "    of them donations*",
    "each_per_call": "%ss per system call",
    "each_per_completion": "%ss per completion",
}


def figures(run):
    """One run by operation or download, and by MiB."""
    each = run["operations"] or run["downloads"]
    mib = run["bytes"] / MIB
    values = {name: run[name] / each for name in (
        "bytes", "user", "kernel", "elsewhere", "hypervisor_calls")}
    values.update({name + "_us": run[key + "_ns"] / 1e3 / each for name, key in (
        ("wall", "wall"), ("donation", "donation"), ("thread", "thread"),
        ("interrupt", "task"))})
    instructions = run["user"] + run["kernel"]
    values.update({
        "instructions": instructions / each,
        "instructions_per_mib": instructions / mib,
        "system_calls_per_mib": run["system_calls"] / mib,
        "donations_per_mib": run["donations"] / mib,
        "each_per_call": each / run["system_calls"],
        "each_per_completion": each / run["completions"],
    })
    return values


def medians(runs):
    """(path, role, buffer, whether several) -> figure -> median."""
    found = {}
    for run in runs:
        key = run["path"], run["role"], run["buffer"], run["depth"] > 1
        found.setdefault(key, []).append(figures(run))
    return {key: {name: statistics.median(f[name] for f in several)
                  for name in FIGURES} for key, several in found.items()}


def show_role(result, role, loaded):
    """A table: kernel and user-mode driver, side by side."""
    each = ROLES[role]
    print("\n%s, %s: each %s, median of %d" % (
        role, "%d and %d buffers" % tuple(DEPTHS.values()) if loaded else "one buffer",
        each, ARGS.repeat))
    print("  %-26s%s" % ("", "".join("%24s" % ("%d KiB" % (size >> 10))
                                     for size in BYTES)))
    print("  %-26s%s" % ("", "%12s%12s" % tuple(PATHS) * len(BYTES)))
    for name, text in FIGURES.items():
        values = [result[path, role, size, loaded][name] for size in BYTES
                  for path in PATHS]
        digits = 0 if max(values) >= 100 else 2
        print("  %-26s%s" % (text.replace("%s", each), "".join(
            "%12.*f" % (digits, value) for value in values)))


def show(result):
    for loaded in (True, False):
        for role in ROLES:
            show_role(result, role, loaded)
    print("\n* calls of libvasi; one is one system call of the kernel driver's, "
          "several of the\n  user-mode driver's")


def copies(result, path, role):
    """Copies of an operation's or a download's data: what a longer one costs more."""
    short, long = (result[path, role, size, False] for size in BYTES)
    return (long["instructions"] - short["instructions"]) / \
        (long["bytes"] - short["bytes"]) * MIB / COPY_PER_MIB


def judge(result):
    """The requirements: (text, good)."""
    for role, each in ROLES.items():
        kernel, user = (copies(result, path, role) for path in PATHS)
        yield "%.3f copies of the data of %ss; user-mode driver %.3f" % (
            kernel, each, user), kernel < 0.5 and round(kernel) <= round(user)
        for size in BYTES:
            batch = result["kernel", role, size, True]["each_per_call"]
            yield "%.1f %ss of %d KiB per system call" % (
                batch, each, size >> 10), batch > 1
    for size in BYTES:
        batch = result["kernel", "source", size, True]["each_per_completion"]
        yield "%.1f operations of %d KiB per fetch" % (batch, size >> 10), batch > 1
    copied, plain = (result["kernel", role, MIB, True]["instructions_per_mib"]
                     for role in (CONTROL_ROLE, "source"))
    seen = (copied - plain) / COPY_PER_MIB
    yield "a mover that copies is found out: %.1f copies" % seen, seen >= 1


def plan():
    """(path, role, buffer, buffers) of all runs, in order: what is compared is
    neighbours."""
    once = [(path, role, size, depth) for size in BYTES for role in ROLES
            for depth in (DEPTHS[size], 1) for path in PATHS]
    return (once + [("kernel", CONTROL_ROLE, MIB, DEPTHS[MIB])]) * ARGS.repeat


def main():
    guest.GUEST_S = HOUR_S
    collector = Collector()
    machine = BenchGuest(kernels.named(ARGS.kernel), plan())
    result = machine.run("bench-driver", collector, PATIENCE_S)
    wrong = result.wrong() + [r[0] for r in result.parser.results if r[1] == "fail"]
    if wrong:
        print("\n".join("# wrong: " + line for line in wrong))
        return 1
    merge(collector.runs, result.counts)
    found = medians(collector.runs)
    show(found)
    print()
    verdicts = list(judge(found))
    for text, good in verdicts:
        print("%s: %s" % ("met" if good else "NOT MET", text))
    if ARGS.json:
        with open(ARGS.json, "w", encoding="utf-8") as file:
            json.dump({"runs": collector.runs,
                       "figures": [dict(zip(("path", "role", "buffer", "several"), key), **value)
                                   for key, value in found.items()],
                       "requirements": dict(verdicts)}, file, indent=1)
    return 0 if all(good for _, good in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
