#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of migrlpar: every option, what it takes and what it refuses."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import lpm  # noqa: E402
import tap  # noqa: E402
from console import Console, codes, make, unchanged  # noqa: E402

MIB = lpm.MIB
suite = tap.Suite()

VALIDATE = ["-o", "v", "-m", "A", "-t", "B"]
MAPPINGS = '"virtual_fc_mappings=4//1/14/fcs0,5/vios1/","virtual_scsi_mappings=3/vios1/1/20"'


class Orders:
    """Command lines of migrlpar; none of them changes anything.

    @move: a partition that can migrate; not activated, so that nothing is measured
    """

    def __init__(self, lab):
        self.lab = lab
        self.console = Console(lab)
        self.move = make(lab, activate=False, memory=16 * MIB)
        self.before = unchanged(lab)

    def valid(self, *words):
        self.console("migrlpar", *VALIDATE, "-p", self.move.name, *words)

    def refused(self, words, *parts, status=2, code="LPM0001"):
        """Words of a command, and what the message must have."""
        text = self.console("migrlpar", *words, status=status)
        assert codes(text) == [code], (words, text)
        for part in parts:
            assert part in text, (words, part, text)

    def check(self):
        assert unchanged(self.lab) == self.before


@suite.test("options of an HMC that ask for nothing unusual are taken")
def _():
    with lpm.Lab() as lab:
        orders = Orders(lab)
        for words in (
                ["-n", "normal"], ["-d", "0"], ["-d", "1"], ["--nodetails"], ["--force"],
                ["--redundantvios", "2"], ["--redundantmsps", "0"], ["--mpio", "1"],
                ["--mpio", "2"], ["--vlanbridge", "1"], ["--vlanbridge", "2"],
                ["--vsi", "1"], ["--vsi", "2"], ["--uuid", "1"], ["--uuid", "2"],
                ["--protectstorage", "2"], ["--npivval", "port"],
                ["--npivval", "portdisk"], ["--usecurrdata"], ["-w", "5"],
                ["--suspend", "platform"]):
            orders.valid(*words)
        # The last one of a kind counts
        orders.valid("-p", "other", "-p", orders.move.name)
        orders.console("migrlpar", *VALIDATE, "--id", "1")
        orders.check()


@suite.test("values that no option has are refused, with what there may be")
def _():
    with lpm.Lab() as lab:
        orders = Orders(lab)
        name = orders.move.name
        for option, bad, expected in (
                ("-d", "6", "0 to 5"), ("--redundantvios", "3", "0 to 2"),
                ("--redundantmsps", "-1", "0 to 2"), ("--mpio", "0", "1 to 2"),
                ("--vlanbridge", "yes", "1 to 2"), ("--vsi", "3", "1 to 2"),
                ("--uuid", "0", "1 to 2"), ("--protectstorage", "1", "Use 2"),
                ("--protectstorage", "0", "1 to 2"), ("--npivval", "disk", "portdisk"),
                ("-n", "a/b", "profile"), ("-n", "", "profile"),
                ("--ip", "-oProxyCommand=x", "console"), ("--ip", "a b", "console"),
                ("--ip", "", "console"), ("-u", "-x", "user"), ("-u", "a;b", "user"),
                ("-p", "a,,b", "names"), ("-p", "a,b,", "names"), ("-p", "a,a", "twice"),
                ("--id", "1,0", "65535"), ("--id", "1,,2", "65535"),
                ("--id", "2,2", "twice"), ("-r", "msp", "sys or lpar")):
            orders.refused(VALIDATE + ["-p", name, option, bad], option, expected)
        orders.refused(VALIDATE + ["-p", name, "--affinity"], "--affinity")
        orders.refused(VALIDATE + ["-p", ",".join("p%d" % n for n in range(700))
                                   + "," + ",".join("q%d" % n for n in range(400))],
                       "1024")
        orders.check()


@suite.test("options that are not for an operation, or not together, are refused")
def _():
    with lpm.Lab() as lab:
        orders = Orders(lab)
        name = orders.move.name
        for operation, words, expected in (
                ("s", ["-t", "B"], "-o v, -o m and -o r"), ("s", ["-w", "1"], "-o m"),
                ("s", ["--json"], "-o m"), ("r", ["-n", "x"], "-o m"),
                ("v", ["--quiet"], "-o m"), ("s", ["--force"], "-o r"),
                ("s", ["-i", "limit=1"], "-o set"), ("r", ["--mpio", "1"], "-o m"),
                ("v", ["-r", "sys"], "-o set"), ("set", ["-t", "B"], "-o v")):
            orders.refused(["-o", operation, "-m", "A", "-p", name] + words, words[0],
                           expected)
        for words, expected in (
                (["-p", name, "--all"], "only one"), (["--id", "1", "--all"], "only one"),
                (["-p", name, "-u", "hscroot"], "--ip"),
                (["-p", name, "-i", "dest_lpar_id=7", "-f", "/nowhere"], "only one"),
                ([], "-p, --id and --all")):
            orders.refused(VALIDATE + words, expected)
        for words, expected in (
                (["-p", name, "-i", "limit=1"], "-r"),
                (["-r", "lpar", "-p", name], "-i"),
                (["-r", "lpar", "-i", "limit=1"], "--all"),
                (["-r", "sys", "-p", name, "-i", "max_vasi_ops=4"], "-r sys")):
            orders.refused(["-o", "set", "-m", "A"] + words, expected)
        orders.check()


@suite.test("attributes of -i and -f: known ones, and what their values look like")
def _():
    with lpm.Lab() as lab:
        orders = Orders(lab)
        name = orders.move.name

        def bad(text, *parts, option="-i"):
            orders.refused(VALIDATE + ["-p", name, option, text], *parts)

        for attribute, values in (
                ("dest_lpar_id", ("0", "x", "65536", "")),
                ("shared_proc_pool_id", ("256", "-1")),
                ("source_msp_id", ("0",)), ("dest_msp_id", ("vios",)),
                ("source_msp_name", ("a/b",)), ("dest_msp_name", ("",)),
                ("source_msp_ipaddr", ("host",)), ("dest_msp_ipaddr", ("1.2.3",)),
                ("virtual_fc_mappings", ("4", "4/v", "x/v/1", "4//", "4/v/1/2/3/4",
                                         "4/v/0")),
                ("virtual_scsi_mappings", ("4/v/1/20/fcs0", "4//")),
                ("vswitch_mappings", ("2", "x/y", "2/")),
                ("source_msps", ("a", "a/1", "//127.0.0.1", "a/x/", "a/1/host", "a/1//")),
                ("dest_msps", ("a/0/", "", '"a/1/,b/2/"')),
                ("redundant_msps", ("1/a/1", "1/a/1/here/b/2/127.0.0.1",
                                    "1//////"))):
            for value in values:
                bad("%s=%s" % (attribute, value), attribute, "must be")
        bad("nonsense=1", "nonsense", "unknown")
        bad("limit=1", "limit", "unknown")
        bad("dest_lpar_id=1,dest_lpar_id=2", "twice")
        bad("dest_lpar_id", "attribute=value")
        # Of several partitions only one can have an id
        for words in (["-p", name + ",other"], ["--id", "1,2"], ["--all"]):
            orders.refused(VALIDATE + words + ["-i", "dest_lpar_id=7"], "one partition")
        for text in (MAPPINGS, "dest_lpar_id=7", "shared_proc_pool_id=0",
                     "redundant_msps=1/a/1/127.0.0.1//2/", "vswitch_mappings=2/ETHERNET0"):
            # Validation may know better; the command line is right
            done = orders.console.run("migrlpar", *VALIDATE, "-p", name, "-i", text)
            assert done.returncode in (0, 1) and "LPM0001" not in codes(done.stderr), done
        orders.valid("-f", lab.file("one", b"dest_lpar_id=7\n"))
        bad(lab.file("two", b"dest_lpar_id=7\ndest_lpar_id=8\n"), "2 lines", option="-f")
        bad("/nowhere", "No such file", option="-f")
        bad("/tmp", "regular", option="-f")
        # A file that is none of ours is not shown
        text = orders.console("migrlpar", *VALIDATE, "-p", name, "-f",
                              lab.file("secret", b"root:$6$secret:1:2\n"), status=2)
        assert "secret" not in text and codes(text) == ["LPM0001"], text
        orders.check()


@suite.test("-o set changes the limit of moves, suspends, and refuses what movers have")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        moves = [make(lab, memory=192 * MIB, program=lpm.program(600, MIB))
                 for _ in range(2)]
        still = make(lab, memory=MIB, program=lpm.program(600, MIB))

        def set_lpar(*words, status=0):
            return console("migrlpar", "-o", "set", "-r", "lpar", "-m", "A", *words,
                           status=status)

        text = set_lpar("-p", still.name, "-i", "limit=1M", status=1)
        assert codes(text) == ["HSCL05DF"], text
        for move in moves:
            console("migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p", move.name,
                    "--async", "--limit", "1M")
        streams = {s["partition"]: s["stream_id"]
                   for s in lab.a.phyp("stream.list")["streams"]}
        limits = lambda: [lab.a.msp("status", stream_id=streams[m.name])["limit"]
                          for m in moves]
        set_lpar("-p", moves[0].name, "-i", "limit=2M")
        assert limits() == [2 * 10 ** 6, 10 ** 6], limits()
        set_lpar("--all", "-i", "limit=3M")
        assert limits() == [3 * 10 ** 6] * 2, limits()
        for words in (["-r", "sys"], ["-r", "lpar", "-p", "vios-A"]):
            text = console("migrlpar", "-o", "set", "-m", "A", *words, "-i",
                           "concurrency_lvl=4,cfg_msp_lpm_ops=4,auto_tunnel=1", status=1)
            assert codes(text) == ["LPM0241"] * 3, text
            assert "mspd" in text and "max_vasi_ops" in text, text
        for text in ("limit=x", "suspend=0", "limit", "dest_lpar_id=1"):
            text = set_lpar("-p", moves[0].name, "-i", text, status=2)
            assert codes(text) == ["LPM0001"], text
        set_lpar("-p", moves[0].name, "-i", "suspend=1,limit=0")
        moves[0].stream_id = streams[moves[0].name]
        moves[0].wait()
        assert moves[0].runs_on() == ["B"]
        console("migrlpar", "-o", "s", "-m", "A", "--all")
        assert moves[1].runs_on() == ["A"]


@suite.test("several are validated, stopped and recovered; one that fails keeps no other")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        moves = [make(lab, memory=192 * MIB, program=lpm.program(600, MIB))
                 for _ in range(3)]
        names = ",".join(m.name for m in moves)
        console("migrlpar", "-o", "v", "-m", "A", "-t", "B", "--all")
        text = console("migrlpar", "-o", "v", "-m", "A", "-t", "B", "-p",
                       "nobody," + moves[0].name + ",nobody2", status=1)
        assert codes(text).count("HSCL8012") == 2, text
        for move in moves[:2]:
            console("migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p", move.name,
                    "--async", "--limit", "1M")
        text = console("migrlpar", "-o", "s", "-m", "A", "-p", names, status=1)
        assert codes(text) == ["HSCL05DF"] and moves[2].name in text, text
        assert all(m.runs_on() == ["A"] for m in moves)
        assert not lab.a.phyp("stream.list")["streams"]
        text = console("migrlpar", "-o", "r", "-m", "A", "-p", names, status=1)
        assert codes(text) == ["HSCL05DF"] * 3, text
        for operation in "sr":
            done = console("migrlpar", "-o", operation, "-m", "A", "--all")
            assert "No partition" in done, done


lpm.main(suite)
