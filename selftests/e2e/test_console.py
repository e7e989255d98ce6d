#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The console's commands, as an HMC user types them."""

import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import lpm  # noqa: E402
import tap  # noqa: E402
from console import Console, codes, describe, make, unchanged  # noqa: E402

MIB = lpm.MIB
suite = tap.Suite()
# Large enough to be still moving when a command has returned
LARGE = 192 * MIB


def start(console, move, *more):
    """migrlpar -o m, without waiting for its end."""
    return subprocess.Popen(
        [console.bin + "/migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p",
         move.name] + list(more), env=console.env, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)


def migrate(console, move, *more, operation="m", status=0):
    return console("migrlpar", "-o", operation, "-m", "A", "-t", "B",
                   "-p", move.name, *more, status=status)


def nothing_left(lab):
    """No stream on either system, and no shell."""
    for system in lab.systems:
        assert not system.phyp("stream.list")["streams"], system.name
        states = [p["state"] for p in
                  system.phyp("partition.list")["partitions"]]
        assert "Shell" not in states and "Moved" not in states, states


def start_slow(lab, console):
    """A move that has begun and does not get far."""
    move = make(lab, memory=LARGE, program=lpm.program(1, 16 * MIB))
    migrate(console, move, "--async")
    move.stream_id = lab.a.phyp("stream.list")["streams"][0]["stream_id"]
    lab.a.msp("limit", stream_id=move.stream_id, bytes_per_second=4 * MIB)
    assert move.states() == ("Enabled", "Enabled"), move.states()
    return move


def watch_slow(lab, console, move, *more):
    """The same with the command in the foreground, which is returned."""
    process = start(console, move, "-v", *more)
    # Not before the command itself knows that it moves
    line = ""
    while "moves as stream" not in line:
        line = process.stdout.readline()
        assert line, "it ended"
    move.stream_id = line.split()[-1]
    lab.a.msp("limit", stream_id=move.stream_id, bytes_per_second=4 * MIB)
    return process


def start_suspended(lab, console):
    """A move whose partition is suspended, and whose hand-over is stuck."""
    move = start_slow(lab, console)
    lab.b.mspd.signal(signal.SIGSTOP)
    lab.a.msp("suspend", stream_id=move.stream_id)
    move.wait_state(source=("Suspended",))
    return move


@suite.test("a partition that can migrate is valid, and stays where it is")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        move = make(lab, memory=16 * MIB, program=lpm.program(3600, 4 * MIB))
        before = unchanged(lab)
        assert migrate(console, move, operation="v") == ""
        text = migrate(console, move, "-v", operation="v")
        for what in ("answers", "unused", "MiB", "ready", "in progress"):
            assert what in text, text
        more = migrate(console, move, "-d", "5", operation="v")
        # What is predicted is measured each time
        assert re.sub("(?m)^predicted .*\n", "", more) == \
            re.sub("(?m)^predicted .*\n", "", text), more
        console("migrlpar", "-o", "v", "-m", "A", "-t", "B", "--id", "1")
        assert unchanged(lab) == before


@suite.test("validation tells all that stands against it in one run")
def _():
    phyp = {"A": ["--memory", "64M"],
            "B": ["--memory", "32M", "--region-size", "4M", "--streams", "1"]}
    with lpm.Lab(phyp=phyp) as lab:
        console = Console(lab)
        move = make(lab, memory=32 * MIB)
        other = {"memory": MIB, "program": lpm.program(1, MIB)}
        lab.b.phyp("partition.create", name=move.name, **other)
        lab.b.phyp("partition.reserve", name="shell", **other)
        lab.b.phyp("stream.create", stream_id=move.stream_id, role="target",
                   partition="shell", device="msp0")
        lab.b.mspd.stop()
        before = unchanged(lab)
        text = migrate(console, move, operation="v", status=1)
        # Name, memory, region size, no slot, no mover
        assert codes(text) == ["LPM0103", "LPM0104", "LPM0105", "LPM0108",
                               "LPM0110"], text
        assert codes(migrate(console, move, status=1)) == codes(text)
        assert unchanged(lab) == before


@suite.test("validation refuses states, names and systems that do not fit")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        move = make(lab, memory=16 * MIB)

        def refused(code, *arguments):
            text = console("migrlpar", "-o", "v", *arguments, status=1)
            assert code in codes(text), text

        refused("HSCL8012", "-m", "A", "-t", "B", "-p", "nobody")
        refused("HSCL8012", "-m", "A", "-t", "B", "--id", "77")
        refused("LPM0004", "-m", "A", "-t", "C", "-p", move.name)
        refused("LPM0004", "-m", "C", "-t", "B", "-p", move.name)
        refused("LPM0115", "-m", "A", "-t", "A", "-p", move.name)
        lab.a.phyp("partition.reserve", name="shell", memory=MIB,
                   program=lpm.program(1, MIB))
        refused("HSCL05DF", "-m", "A", "-t", "B", "-p", "shell")
        lab.b.phypd.stop()
        refused("LPM0101", "-m", "A", "-t", "B", "-p", move.name)
        # Without movers in the console file
        description = describe(lab)
        del description["systems"][0]["msps"]
        console = Console(lab, description)
        refused("LPM0109", "-m", "A", "-t", "B", "-p", move.name)


@suite.test("a validation that takes longer than -w fails in time")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        move = make(lab, memory=16 * MIB, program=lpm.program(600, MIB))
        # In time, with room to spare
        assert migrate(console, move, "-w", "1", operation="v") == ""
        before = unchanged(lab)
        lab.b.phypd.signal(signal.SIGSTOP)
        for operation in "vm":
            begun = time.monotonic()
            text = migrate(console, move, "-w", "0.02", operation=operation,
                           status=1)
            # Without -w a single call would wait for 10 s
            assert time.monotonic() - begun < 8, text
            assert codes(text) == ["LPM0101", "LPM0204"], text
            assert "System B" in text and "System A" not in text, text
        lab.b.phypd.signal(signal.SIGCONT)
        assert unchanged(lab) == before


@suite.test("a running partition migrates; nothing is left on the source")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        move = make(lab, memory=32 * MIB, program=lpm.program(1.5, 20 * MIB))
        assert migrate(console, move) == ""
        assert move.runs_on() == ["B"]
        assert lab.a.partition_state(move.name) == "absent"
        nothing_left(lab)
        assert console("lssyscfg", "-r", "lpar", "-m", "B", "-F", "name,state",
                       "--filter", "lpar_names=" + move.name) == \
            move.name + ",Running\n"
        move.finish()
        move.check_equal()
        # And back: the description has come with it
        text = console("migrlpar", "-o", "m", "-m", "B", "-t", "A", "-p",
                       move.name, "--all-pages", "-v")
        assert move.runs_on() == ["A"]
        nothing_left(lab)
        move.check_equal(lab.a)
        # What the move was like: 32 MiB of pages, none of which it had to wait for
        sent = re.search(r"sent in (\d+) passes: (\d+) pages .* (\d+) bytes$",
                         text, re.M)
        assert sent and int(sent.group(1)) >= 1, text
        assert int(sent.group(2)) >= 32 * MIB // 4096, text
        took = re.search(r"took (\d+) ms; .* at most ([0-9.]+) ms", text)
        assert took and 0 < float(took.group(2)) < int(took.group(1)), text
        assert "wait for on the target: 0\n" in text, text


@suite.test("a move is stopped, and leaves nothing behind")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        move = start_slow(lab, console)
        line = console("lslparmigr", "-r", "lpar", "-m", "A")
        for part in ("name=" + move.name, "migration_state=Migration In Progress",
                     "migration_type=active", "dest_sys_name=B",
                     "source_msp_name=vios-A", "source_msp_id=101",
                     "dest_msp_name=vios-B", "dest_msp_id=102"):
            assert part in line.rstrip("\n").split(","), line
        # At the target the arriving partition is seen too
        assert "Migration In Progress" in console("lslparmigr", "-r", "lpar",
                                                  "-m", "B")
        assert console("lssyscfg", "-r", "lpar", "-m", "A", "-F", "state",
                       "--filter", "lpar_ids=1") == "Migrating - Running\n"
        migrate_again = migrate(console, move, status=1)
        assert "HSCL05DF" in codes(migrate_again), migrate_again
        text = console("migrlpar", "-o", "r", "-m", "A", "-p", move.name,
                       status=1)
        assert codes(text) == ["HSCL05DF"], text
        console("migrlpar", "-o", "s", "-m", "A", "-p", move.name)
        assert move.runs_on() == ["A"]
        assert lab.b.partition_state(move.name) == "absent"
        nothing_left(lab)
        text = console("migrlpar", "-o", "s", "-m", "A", "-p", move.name,
                       status=1)
        assert codes(text) == ["HSCL05DF"], text
        move.finish(lab.a)
        move.check_equal(lab.a)


@suite.test("a move that takes longer than -w is stopped")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        move = make(lab, memory=LARGE)
        process = watch_slow(lab, console, move, "-w", "0.05")
        text = process.communicate(timeout=lpm.PATIENCE_S)[1]
        assert process.returncode == 1, text
        assert "LPM0204" in codes(text) and "LPM0203" in codes(text), text
        assert move.runs_on() == ["A"]
        nothing_left(lab)


@suite.test("suspended: stop is refused; recover asks the target, and takes it back")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        move = start_suspended(lab, console)
        text = console("migrlpar", "-o", "s", "-m", "A", "-p", move.name,
                       status=1)
        assert codes(text) == ["HSCL05DF"] and "Suspended" in text, text
        lab.a.mspd.kill()
        lab.b.mspd.kill()
        for system in lab.systems:
            lpm.until("the stream is parked", lambda s=system: s.stream(
                move.stream_id)["parked"])
        assert "Migration Failed" in console("lslparmigr", "-r", "lpar",
                                             "-m", "A")
        # A target that cannot be asked: nothing is changed
        lab.b.phypd.signal(signal.SIGSTOP)
        silent = describe(lab)
        silent["systems"][1]["socket"] = "/nowhere"
        text = Console(lab, silent)("migrlpar", "-o", "r", "-m", "A", "-p",
                                    move.name, status=1)
        assert codes(text) == ["LPM0208"], text
        lab.b.phypd.signal(signal.SIGCONT)
        assert move.states() == ("Suspended", "Enabled"), move.states()
        console = Console(lab)
        text = console("migrlpar", "-o", "r", "-m", "A", "-p", move.name)
        assert "never" in text and "system A" in text, text
        assert move.runs_on() == ["A"]
        nothing_left(lab)
        move.finish(lab.a)
        move.check_equal(lab.a)


@suite.test("a command that watches says when only recover may go on")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        move = make(lab, memory=LARGE, program=lpm.program(1, 16 * MIB))
        process = watch_slow(lab, console, move)
        lab.b.mspd.signal(signal.SIGSTOP)
        lab.a.msp("suspend", stream_id=move.stream_id)
        move.wait_state(source=("Suspended",))
        lab.a.mspd.kill()
        lab.b.mspd.kill()
        text = process.communicate(timeout=lpm.PATIENCE_S)[1]
        assert process.returncode == 1 and codes(text) == ["LPM0206"], text
        assert move.runs_on() == [], move.runs_on()
        lpm.until("the target is parked",
                  lambda: lab.b.stream(move.stream_id)["parked"])
        console("migrlpar", "-o", "r", "-m", "A", "-t", "B", "-p", move.name)
        assert move.runs_on() == ["A"]
        nothing_left(lab)


@suite.test("a command that is killed leaves a move that others bring to its end")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        move = make(lab, memory=LARGE, program=lpm.program(1, 16 * MIB))
        process = watch_slow(lab, console, move)
        process.kill()
        process.communicate()
        lab.a.msp("limit", stream_id=move.stream_id, bytes_per_second=0)
        move.wait()
        line = lpm.until("nothing is left to list", lambda: "No results" in
                         console("lslparmigr", "-r", "lpar", "-m", "A"))
        assert line and move.runs_on() == ["B"]
        nothing_left(lab)


@suite.test("resumed, and a mover killed: recover lets the movers go on")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        move = start_slow(lab, console)
        lab.a.msp("suspend", stream_id=move.stream_id)
        move.wait_state(source=("Resumed",), target=("Resumed",))
        lab.a.mspd.kill()
        lpm.until("parked", lambda: lab.a.stream(move.stream_id)["parked"] and
                  lab.b.stream(move.stream_id)["parked"])
        lab.a.restart_mspd()
        lab.b.restart_mspd()
        text = console("migrlpar", "-o", "r", "-m", "A", "-p", move.name)
        assert "resumed" in text and "system B" in text, text
        assert move.runs_on() == ["B"]
        assert lab.a.partition_state(move.name) == "absent"
        nothing_left(lab)
        move.finish()
        move.check_equal()


@suite.test("a mover killed before Suspended: the partition stays, and is moved again")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        move = start_slow(lab, console)
        lab.b.mspd.kill()
        lpm.until("the source aborts", lambda: lab.a.stream(
            move.stream_id)["state"] == "Aborted")
        assert "Migration Failed" in console("lslparmigr", "-r", "lpar",
                                             "-m", "A")
        text = console("migrlpar", "-o", "r", "-m", "A", "-p", move.name)
        assert "system A" in text, text
        nothing_left(lab)
        # A shell that a console left when it died
        def leave_shell():
            try:
                return lab.b.phyp("partition.reserve", name=move.name,
                                  memory=LARGE, program=move.spec["program"])
            except lpm.RpcError as error:       # the old one is just going
                assert error.code == lpm.EXISTS, error
                return None
        lpm.until("the name is free", leave_shell)
        assert "LPM0103" in migrate(console, move, operation="v", status=1)
        text = console("migrlpar", "-o", "r", "-m", "A", "-t", "B", "-p",
                       move.name)
        assert "shell" in text, text
        lab.b.restart_mspd()
        migrate(console, move)
        assert move.runs_on() == ["B"]


@suite.test("several migrations at once, and two for the same partition")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        moves = [make(lab, memory=24 * MIB) for _ in range(4)]
        processes = [start(console, m) for m in moves + moves[:1]]
        texts = [p.communicate(timeout=lpm.PATIENCE_S)[1] for p in processes]
        statuses = [p.returncode for p in processes]
        assert statuses[1:4] == [0, 0, 0], texts
        # Of the two one has moved it, and the other has changed nothing
        assert sorted([statuses[0], statuses[4]]) == [0, 1], texts
        for move in moves:
            assert move.runs_on() == ["B"]
            move.finish()
            move.check_equal()
        console("lslparmigr", "-r", "lpar", "-m", "A")
        nothing_left(lab)


@suite.test("a shut-down partition migrates without any mover")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        for system in lab.systems:
            system.mspd.stop()
        move = make(lab, activate=False, memory=16 * MIB)
        assert migrate(console, move, operation="v") == ""
        migrate(console, move)
        assert lab.a.partition_state(move.name) == "absent"
        assert lab.b.partition_state(move.name) == "Not Activated"
        # The definition is whole: it runs there as it would have run here
        lab.b.phyp("partition.activate", name=move.name)
        move.finish()
        move.check_equal()
        # A running one cannot
        text = console("migrlpar", "-o", "v", "-m", "B", "-t", "A", "-p",
                       move.name, status=1)
        assert set(codes(text)) == {"LPM0110"}, text
        # One that is refused stays
        other = make(lab, activate=False, memory=16 * MIB)
        lab.b.phyp("partition.create", name=other.name, **other.spec)
        assert codes(migrate(console, other, status=1)) == ["LPM0103"]
        assert lab.a.partition_state(other.name) == "Not Activated"


@suite.test("a guest needs a target that has guests, and what it is made of")
def _():
    # It is not activated: nothing loads the plug-in
    plugin = ["--qemu-plugin", "/dev/null"]
    with lpm.Lab(phyp=plugin) as lab:
        console = Console(lab)
        initrd = lab.file("initrd", b"nothing that boots")
        guest = {"kernel": lab.file("vmlinux", b"likewise"), "initrd": initrd,
                 "agent": False}
        lab.a.phyp("partition.create", name="web", memory=16 * MIB, guest=guest)

        def order(operation, status=0):
            return console("migrlpar", "-o", operation, "-m", "A", "-t", "B",
                           "-p", "web", status=status)

        assert lab.b.phyp("system.info")["guests"] is True
        assert order("v") == ""
        os.unlink(initrd)
        for operation in "vm":
            text = order(operation, 1)
            assert codes(text) == ["LPM0119"] and initrd in text, text
        guest["console"] = lab.directory + "/terminal"
        lab.file("initrd", b"again")
        lab.b.phyp.refused(lpm.FAILED, "partition.check", name="web",
                           memory=16 * MIB, guest=guest)
        order("m")
        assert lab.b.phyp("partition.describe", name="web")["guest"]["initrd"] == \
            initrd
        assert lab.a.partition_state("web") == "absent"
        assert console("lssyscfg", "-r", "lpar", "-m", "B", "-F",
                       "state,rmc_state,lpar_env", "--filter",
                       "lpar_names=web") == "Not Activated,none,aixlinux\n"
        # Back to one that has none
        lab.a.phypd.stop()
        lab.a.phypd.argv = [word for at, word in enumerate(lab.a.phypd.argv)
                            if "--qemu-plugin" not in lab.a.phypd.argv[max(at - 1, 0):at + 1]]
        lab.a.phypd.start(lab.a.phyp_path)
        assert lab.a.phyp("system.info")["guests"] is False
        text = console("migrlpar", "-o", "v", "-m", "B", "-t", "A", "-p", "web",
                       status=1)
        assert codes(text) == ["LPM0118"], text


@suite.test("lists follow the HMC's rules")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        description = describe(lab)
        b = description["systems"][1]
        b["msps"].append(dict(b["msps"][0], name="vios2-B", lpar_id=103))
        console = Console(lab, description)
        make(lab, memory=16 * MIB, name="a b;c")
        assert console("lssyscfg", "-r", "sys") == \
            "name=A,state=Operating\nname=B,state=Operating\n"
        assert console("lssyscfg", "-r", "sys", "-m", "A", "-F", "state,name",
                       "--header") == "state,name\nOperating,A\n"
        assert console("lssyscfg", "-r", "sys", "-m", "A", "-F") == \
            "A,Operating\n"
        info = lab.a.phyp("system.info")
        assert console("lshwres", "-r", "mem", "-m", "A", "--level", "sys",
                       "-F", "mem_region_size") == \
            "%d\n" % (info["memory_region_size"] // MIB)
        assert console("lslparmigr", "-r", "sys", "-m", "A") == \
            "inactive_lpar_mobility_capable=1," \
            "num_inactive_migrations_supported=%d," \
            "num_inactive_migrations_in_progress=0," \
            "active_lpar_mobility_capable=1," \
            "num_active_migrations_supported=%d," \
            "num_active_migrations_in_progress=0\n" % (
                info["inactive_migrations_max"], info["active_migrations_max"])
        assert console("lslparmigr", "-r", "msp", "-m", "A", "-t", "B") == \
            'source_msp_name=vios-A,source_msp_id=101,' \
            '"dest_msp_names=vios-B,vios2-B","dest_msp_ids=102,103",' \
            'source_msp_ipaddr=127.0.0.1,"ipaddr_mappings=' \
            '127.0.0.1//102/vios-B/127.0.0.1/,' \
            '127.0.0.1//103/vios2-B/127.0.0.1/"\n'
        assert console("lslparmigr", "-r", "msp", "-m", "A", "-t", "B", "-F",
                       "dest_msp_names,source_msp_id") == \
            '"vios-B,vios2-B",101\n'
        assert console("lslparmigr", "-r", "lpar", "-m", "A") == \
            "name=a b;c,lpar_id=1,migration_state=Not Migrating\n"
        assert console("lslparmigr", "-r", "lpar", "-m", "A", "-F",
                       "name,dest_sys_name,lpar_id") == "a b;c,null,1\n"
        for name in ("lslparmigr", "lssyscfg"):
            assert console(name, "-r", "lpar", "-m", "A", "--filter",
                           "lpar_names=x,y", "-F", "name", "--header") == \
                "No results were found.\n"
        assert console("lssyscfg", "-r", "lpar", "-m", "A", "--filter",
                       "lpar_ids=1,101", "-F", "name,msp,lpar_env,state") == \
            "vios-A,1,vioserver,Running\na b;c,null,aixlinux,Running\n"
        lab.a.phypd.kill()
        assert console("lssyscfg", "-r", "sys", "-F", "name,state") == \
            "A,No Connection\nB,Operating\n"
        assert "LPM0101" in console("lshwres", "-r", "mem", "-m", "A",
                                    "--level", "sys", status=1)


BAR = re.compile(r"\[(#* *)\] +(\d+) % ([a-z]+) +\d+ MB/s dirty +\d+ pass +\d+ +"
                 r"(~\d+ (?:s|min))? *")


@suite.test("a progress bar is drawn on a terminal, and only there")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        move = make(lab, memory=LARGE)
        order = ["migrlpar", "-o", "m", "-t", "B", "-p", move.name, "--limit",
                 "200M", "-m", "A"]
        status, seen = console.on_terminal(*order)
        assert status == 0, seen
        assert move.runs_on() == ["B"]
        # Each erases what is left of the line, and below it
        looks = [BAR.fullmatch(line.replace("\x1b[K\x1b[J", "")) for line in
                 seen.decode().strip("\r\n").split("\r") if line]
        assert len(looks) >= 3 and all(looks), seen
        # One line of a terminal, from the beginning to the end
        assert all(len(look.group(0)) < 80 for look in looks), seen
        assert int(looks[0].group(2)) < 50, seen
        assert looks[-1].group(2) == "100", seen
        assert looks[-1].group(3) == "completed", seen
        assert any(look.group(4) for look in looks), seen
        for look in looks:
            done = look.group(1).count("#") / len(look.group(1))
            assert abs(done - int(look.group(2)) / 100) < 0.05, look.group(0)
        # Elsewhere nothing is said
        done = console.run("migrlpar", "-o", "m", "-m", "B", "-t", "A", "-p",
                           move.name)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done


@suite.test("a limit and a downtime reach the mover; mspctl changes the limit")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        move = make(lab, memory=LARGE)
        migrate(console, move, "--async", "--limit", "4M", "--downtime", "20")
        move.stream_id = lab.a.phyp("stream.list")["streams"][0]["stream_id"]
        limit = lambda: lab.a.msp("status", stream_id=move.stream_id)["limit"]
        assert limit() == 4000 * 1000, limit()
        lpm.control("mspctl", "-S", lab.a.msp_path, "limit", move.stream_id,
                    "2G")
        assert limit() == 2 * 10 ** 9, limit()
        move.wait()
        console("lslparmigr", "-r", "lpar", "-m", "A")
        nothing_left(lab)
        for order in (["r", "--limit", "1M"], ["r", "--downtime", "1"],
                      ["m", "--limit", "1T"], ["m", "--limit", "-1"],
                      ["m", "--limit", ""], ["m", "--limit", "1 M"],
                      ["m", "--limit", "99999999999999999999"],
                      ["m", "--downtime", "3600001"],
                      ["m", "--downtime", "soon"]):
            text = migrate(console, move, *order[1:], operation=order[0],
                           status=2)
            assert codes(text) == ["LPM0001"] and order[1] in text, text


@suite.test("wrong usage is told, with exit status 2")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        for order in (
                [], ["-o", "m"], ["-o", "m", "-m", "A"],
                ["-o", "m", "-m", "A", "-t", "B"],
                ["-o", "m", "-m", "A", "-t", "B", "-p", "x", "--id", "1"],
                ["-o", "m", "-m", "A", "-t", "B", "-p", "x", "-d", "6"],
                ["-o", "m", "-m", "A", "-t", "B", "-p", "x,x"],
                ["-o", "m", "-m", "A", "-t", "B", "-p", "x", "stray"],
                ["-o", "v", "-m", "A", "-t", "B", "-p", "x", "--async"],
                ["-o", "m", "-m", "A", "-t", "B", "-p", "x", "--async",
                 "-w", "1"],
                ["-o", "s", "-m", "A", "-t", "B", "-p", "x"],
                ["-o", "m", "-m", "A", "-t", "B", "-p", "x", "--suspend", "me"],
                ["-o", "s", "-m", "A", "-p", "x", "--suspend", "platform"],
                ["-o", "s", "-m", "A", "-p", "x", "--all-pages"],
                ["-o", "m", "-m", "A", "-t", "B", "-p", "x",
                 "--suspend-timeout", "0"],
                ["-o", "v", "--no-such-option"], ["-o"]):
            assert codes(console("migrlpar", *order, status=2)) == ["LPM0001"]
        for order in ([], ["-r", "lpar"], ["-r", "sys", "-m"],
                      ["-r", "lpar", "-m", "A", "--header"],
                      ["-r", "lpar", "-m", "A", "-F", "name,nonsense"],
                      ["-r", "sys", "-m", "A", "--filter", "lpar_ids=1"],
                      ["-r", "lpar", "-m", "A", "--filter", "lpar_ids=0"],
                      ["-r", "lpar", "-m", "A", "--filter", "other=1"],
                      ["-r", "lpar", "-m", "A", "--level", "sys"]):
            assert codes(console("lslparmigr", *order, status=2)) == \
                ["LPM0001"], order
        assert "LPM0001" in console("hmc", status=2)
        assert "LPM0001" in console("hmc", "reboot", status=2)
        assert console("hmc", "lssyscfg", "-r", "sys", "-F", "name") == \
            "A\nB\n"


lpm.main(suite)
