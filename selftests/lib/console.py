# SPDX-License-Identifier: GPL-2.0-or-later
"""The management console of a lab: its file, and its commands.

console.py COMMAND [ARGUMENT]...

Runs COMMAND with a lab around it, for tests in shell (lib/tap.sh).  It finds

BIN             directory of all programs, reachable for every user
LPM_CONSOLE     console file with the systems A and B, and two movers on B
PHYP_A, PHYP_B  management sockets of the platforms
MSP_A, MSP_B    control sockets of the movers
OPERATOR        words that run a command as an operator: a user of the sockets'
                group; empty where the tests do not run as root
STRANGER        likewise, as a user of no group; empty
"""

import itertools
import json
import os
import pty
import re
import signal
import subprocess
import sys

import lpm

COMMANDS = ("migrlpar", "lslparmigr", "lssyscfg", "lshwres",
            "lsrefcode", "chsyscfg", "chsysstate", "mksyscfg", "rmsyscfg",
            "chlparstate", "diagrmc", "lshmc", "lshmcusr", "mkauthkeys", "hmcrelay",
            "hmcsh")
PROGRAMS = ("vasi-phypd", "mspd", "phypctl", "mspctl", "lpmtop", "vasimon",
            "lpar-agent", "vasi-vswitch")
OPERATOR, STRANGER = 61098, 61099


def describe(lab):
    """The console file of a lab."""
    return {"systems": [{
        "name": s.name, "socket": s.phyp_path,
        "msps": [{"name": "vios-" + s.name, "lpar_id": number,
                  "socket": s.msp_path, "device": "msp0",
                  "address": "127.0.0.1"}] + second_mover(s, number + 100)}
        for number, s in enumerate(lab.systems, 101)]}


def second_mover(system, number):
    """What the console file has of a system's other mover, if there is one."""
    if not system.second:
        return []
    return [{"name": "vios2-" + system.name, "lpar_id": number,
             "socket": system.second.path, "device": "msp1",
             "address": "127.0.0.1"}]


def commands(lab):
    """A directory of all commands by their names, for every user."""
    directory = os.path.join(lab.directory, "bin")
    if not os.path.isdir(directory):
        os.mkdir(directory)
        os.chmod(directory, 0o755)
        for name in PROGRAMS + ("hmc",):
            os.symlink(os.path.join(lpm.programs(), name),
                       os.path.join(directory, name))
        for name in COMMANDS:
            os.symlink("hmc", os.path.join(directory, name))
    return directory


class Console:
    """Runs the commands against a lab.

    @description: what the console file holds; otherwise the lab

    @typed: the process of on_terminal()
    """

    typed = None
    numbers = itertools.count(1)

    def __init__(self, lab, description=None):
        data = json.dumps(description or describe(lab)).encode()
        self.lab = lab
        # A lab may have several, each with a file of its own
        self.file = lab.file("console-%d.json" % next(self.numbers), data)
        self.bin = commands(lab)
        self.env = dict(os.environ, LPM_CONSOLE=self.file,
                        PATH=self.bin + ":" + os.environ["PATH"])
        self.env.pop("LD_PRELOAD", None)

    def __call__(self, name, *arguments, status=0):
        """Standard output, or of a command that must fail the error.

        @status: the exit status that it must have
        """
        done = self.run(name, *arguments)
        assert done.returncode == status, "%s %s: status %d: %s%s" % (
            name, [str(a)[:80] for a in arguments], done.returncode,
            done.stdout, done.stderr)
        if status:
            assert not done.stdout, done.stdout
            return done.stderr
        return done.stdout

    def run(self, name, *arguments, user=None, group=None, stdin=None):
        """A command to its end, as @user if that is given."""
        extra = {"input": stdin} if stdin is not None else \
            {"stdin": subprocess.DEVNULL}
        if user is not None:
            extra.update(user=user, group=group or user, extra_groups=[])
        return subprocess.run([os.path.join(self.bin, name)] + list(arguments),
                              env=self.env, capture_output=True, text=True,
                              errors="replace", timeout=lpm.PATIENCE_S,
                              cwd="/", check=False, **extra)


    def on_terminal(self, name, *arguments, sink=None):
        """A command whose input and output are a terminal.

        @sink: called with each piece of output
        Returns its exit status and all it wrote, as bytes.
        """
        master, slave = pty.openpty()
        with open(master, "rb", 0) as terminal:
            process = self.typed = subprocess.Popen(
                [os.path.join(self.bin, name)] + list(arguments), cwd="/",
                env=self.env, stdin=slave, stdout=slave, stderr=slave)
            os.close(slave)
            seen = b""
            while True:
                try:
                    block = terminal.read(4096)
                except OSError:         # the other end is closed
                    block = b""
                if not block:
                    break
                seen += block
                if sink:
                    sink(block)
            return process.wait(lpm.PATIENCE_S), seen


def codes(text):
    """The codes of messages."""
    return sorted(re.findall(r"^((?:LPM|HSC)\w+) ", text, re.M))


def make(lab, activate=True, **options):
    """A partition on A only; the console does the rest."""
    options.setdefault("program", lpm.program(1, 8 * lpm.MIB))
    move = lab.move(**options)
    lab.a.phyp("partition.create", name=move.name, **move.spec)
    if activate:
        lab.a.phyp("partition.activate", name=move.name)
    return move


def only(objects, *names):
    return [{name: entry[name] for name in names} for entry in objects]


def state(system):
    moves = system.msp("list")["moves"] if system.mspd.alive() else []
    return [only([system.phyp("system.info")], "name", "memory_free", "streams",
                 "devices"),
            only(system.phyp("partition.list")["partitions"], "name", "lpar_id",
                 "state", "memory", "role"),
            only(system.phyp("stream.list")["streams"], "stream_id", "role",
                 "partition", "state", "parked", "sessions", "record"),
            only(moves, "stream_id", "role", "phase", "limit",
                 "peer_identity")]


def unchanged(lab):
    """What a refused command must leave as it was, of both systems."""
    return [state(system) for system in lab.systems]


def become(lab, user, group):
    """Words that run a command as a user."""
    if not lab.root:
        return ""
    return "setpriv --reuid %d --regid %d --clear-groups" % (user, group)


def main(argv):
    with lpm.Lab() as lab:
        description = describe(lab)
        movers = description["systems"][1]["msps"]
        movers.append(dict(movers[0], name="vios2-B", lpar_id=103))
        console = Console(lab, description)
        env = dict(console.env, BIN=console.bin,
                   OPERATOR=become(lab, OPERATOR, lpm.GROUP),
                   STRANGER=become(lab, STRANGER, STRANGER))
        for system in lab.systems:
            env["PHYP_" + system.name] = system.phyp_path
            env["MSP_" + system.name] = system.msp_path
        status = subprocess.run(argv, env=env, check=False).returncode
        if status:
            lab.dump()
        return status


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    signal.signal(signal.SIGTERM, lpm.interrupted)
    sys.exit(main(sys.argv[1:]))
