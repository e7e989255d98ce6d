# SPDX-License-Identifier: GPL-2.0-or-later
"""A link of a given rate and delay between two network namespaces.

    lpmbenchA                     lpmbenchB
    10.77.0.1 ---- veth, tbf ---- 10.77.0.2 delay_relay ---- 127.0.0.1
    source mover                                             target mover

The relay stands behind the shaper, so that the bytes it holds are those under
way on the link and no queue.
"""

import contextlib
import subprocess

NEAR, FAR = "lpmbenchA", "lpmbenchB"
NEAR_ADDRESS, FAR_ADDRESS = "10.77.0.1", "10.77.0.2"
# Large enough for the segments that the kernel hands over in one piece
BURST = "256kb"
LATENCY = "50ms"


def run(*argv, check=True):
    done = subprocess.run(argv, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    if check and done.returncode:
        raise RuntimeError("%s: %s" % (" ".join(argv), done.stdout.strip()))


def remove():
    for name in (NEAR, FAR):
        run("ip", "netns", "del", name, check=False)


@contextlib.contextmanager
def shaped(rate):
    """The two namespaces, joined at @rate bits per second each way."""
    remove()    # what a run that was killed left
    try:
        for name in (NEAR, FAR):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "link", "add", "bench0", "netns", NEAR, "type", "veth",
            "peer", "name", "bench0", "netns", FAR)
        for name, address in ((NEAR, NEAR_ADDRESS), (FAR, FAR_ADDRESS)):
            run("ip", "-n", name, "address", "add", address + "/24", "dev",
                "bench0")
            run("ip", "-n", name, "link", "set", "bench0", "up")
            run("tc", "-n", name, "qdisc", "add", "dev", "bench0", "root",
                "tbf", "rate", "%dbit" % rate, "burst", BURST, "latency",
                LATENCY)
        yield
    finally:
        remove()


@contextlib.contextmanager
def delayed(program, port, delay_us, rate):
    """delay_relay before @port of FAR's loopback; yields its own port.

    @rate: bits per second that the relay must be able to hold
    """
    argv = ["ip", "netns", "exec", FAR, program, "--listen", FAR_ADDRESS,
            "--to", "127.0.0.1:%d" % port, "--delay-us", str(delay_us),
            "--rate", str(rate // 8)]
    with subprocess.Popen(argv, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE) as relay:
        try:
            words = relay.stdout.readline().split()
            if len(words) != 3:
                raise RuntimeError("delay_relay did not start")
            yield int(words[2])
        finally:
            relay.kill()
