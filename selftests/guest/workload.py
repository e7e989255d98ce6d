# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs in a partition while it moves, and notices if it was not moved well.

Each says on the console, with a prefix of its own, that it goes on and that all is
well; what is wrong has a line that begins with "FAIL:".  It runs until it is told to end.
"""


class Workload:
    """A process of the partition.

    @name: short and unique in a partition
    @script: shell text; it ends when SIGTERM comes, with status 0 if all was well
    @programs: of selftests/guest/inside/ that it runs, in /guest
    @foreign: (package, path in it) of others
    @packages: where their libraries are
    @modules: of the kernel that it needs
    @needs: workloads that start before it and end after it
    """

    def __init__(self, name, script, programs=(), foreign=(), packages=(), needs=(),
                 modules=()):
        self.name, self.script, self.programs = name, script, programs
        self.foreign, self.packages, self.needs = foreign, packages, needs
        self.modules = modules


def ticker(interval_ms=20):
    """"tick N UPTIME REALTIME": when did the partition not run?"""
    return Workload("ticker", "exec /guest/ticker %d" % interval_ms, ["ticker"])


def checker(size=16 << 20, rate=0, seed=1):
    """"check COUNT ok": @size bytes of memory, of which @rate a second change."""
    return Workload("checker", "exec /guest/checker %d %d %d" % (size, rate, seed),
                    ["checker"])


def echod(port=7):
    """"echo: ...": a service that others talk to."""
    return Workload("echod", "exec /guest/echod %d" % port, ["echod"])


def memcached(port=11211, mib=24):
    """A key-value server that many know, Debian's; with -M it forgets nothing."""
    return Workload(
        "memcached", "exec /usr/bin/memcached -u root -t 1 -M -U 0 -p %d -m %d"
        % (port, mib), foreign=[("memcached", "/usr/bin/memcached")],
        packages=["memcached", "libevent-2.1-7", "libsasl2-2"])


def kv(port=11211, rate=100, seed=1):
    """"kv: COUNT ok": a client of it, which knows every write that was acknowledged."""
    return Workload("kv", "exec /guest/kvcheck %d %d %d" % (port, rate, seed),
                    ["kvcheck"], needs=[memcached(port)])


# Debian's stress-ng, in rounds.  One that is told to end has an end of another kind.
STRESS = """
told=
trap 'told=1' TERM
round=0
while [ -z "$told" ]; do
	stress-ng --vm %(processes)d --vm-bytes %(mib)dM --vm-keep --verify \\
		--timeout %(seconds)d --temp-path /tmp >/tmp/stress 2>&1
	status=$?
	if [ "$status" != 0 ] && [ -z "$told" ] || grep -q 'fail:' /tmp/stress; then
		sed 's/^/FAIL: stress: /' /tmp/stress
		echo "FAIL: stress: status $status"
		exit 1
	fi
	echo "stress: $((round += 1)) ok"
done
echo "stress: end $round ok"
"""

# What its program is linked with, though most of it has no use here
STRESS_LIBRARIES = (
    "libapparmor1", "libbsd0", "libmd0", "libcrypt1", "libegl1", "libglvnd0", "libgbm1",
    "libdrm2", "libexpat1", "libwayland-server0", "libffi8", "libxcb1", "libxcb-randr0",
    "libxau6", "libxdmcp6", "libgles2", "libjpeg62-turbo", "libjudydebian1", "libkmod2",
    "liblzma5", "libzstd1", "libsctp1", "libxxhash0", "zlib1g")


def stress(processes=1, mib=16, seconds=5):
    """"stress: ROUND ok": memory is written and verified in many patterns."""
    return Workload("stress", STRESS % {"processes": processes, "mib": mib,
                                        "seconds": seconds},
                    foreign=[("stress-ng", "/usr/bin/stress-ng")],
                    packages=STRESS_LIBRARIES)


# Files of a tmpfs are copied to and fro, and their checksums are what they were.  A
# round is not disturbed by SIGTERM, which all of this gets.
SUM = """
told=
trap 'told=1' TERM
mkdir -p /tmp/sum && cd /tmp/sum || exit 1
one_round()
{
	trap '' TERM
	for file in $files; do
		cp $file ../copy && rm $file && mv ../copy $file || exit 1
	done
	sha256sum -c ../sums >../result 2>&1 && return
	sed 's/^/FAIL: sum: /' ../result
	exit 1
}
files=$(seq %(files)d)
for file in $files; do
	head -c %(bytes)d /dev/urandom >$file || exit 1
done
sha256sum $files >../sums
round=0
while [ -z "$told" ]; do
	( one_round ) || exit 1
	echo "sum: $((round += 1)) ok"
done
echo "sum: end $round ok"
"""


def sums(files=16, size=256 << 10):
    """"sum: ROUND ok": checksums of files that are copied over and over."""
    return Workload("sums", SUM % {"files": files, "bytes": size})


# The disk that both systems reach keeps what was written to it: read past any cache
DISK = """
told=
trap 'told=1' TERM
one_round()
{
	trap '' TERM
	head -c 262144 /dev/urandom >/tmp/block &&
	dd if=/tmp/block of=/dev/sda bs=64k seek=$1 conv=fsync,notrunc 2>/tmp/said &&
	dd if=/dev/sda bs=64k skip=$1 count=4 iflag=direct 2>>/tmp/said |
		cmp - /tmp/block >>/tmp/said 2>&1 && return
	sed 's/^/FAIL: disk: /' /tmp/said
	exit 1
}
until [ -b /dev/sda ]; do
	:
done
round=0
while [ -z "$told" ]; do
	( one_round $((round %% %(places)d * 4)) ) || exit 1
	echo "disk: $((round += 1)) ok"
done
echo "disk: end $round ok"
"""


def disk(mib=16):
    """"disk: ROUND ok": /dev/sda, of @mib at least, is written and read back."""
    return Workload("disk", DISK % {"places": mib * 4},
                    modules=["ibmvscsi", "sd_mod"])


NAMES = {function.__name__: function
         for function in (ticker, checker, echod, memcached, kv, stress, sums, disk)}


def unfolded(workloads):
    """Workloads and names of such, with what they need before them."""
    result = {}
    for each in workloads:
        each = NAMES[each]() if isinstance(each, str) else each
        for one in [*unfolded(each.needs), each]:
            result[one.name] = one
    return list(result.values())
