#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands that change a system, and what they leave as it was."""

import csv
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import inventory  # noqa: E402
import lpm  # noqa: E402
import tap  # noqa: E402
from console import Console, codes, describe, make  # noqa: E402
from interpose import PASS, REFUSE, Interposer, changes  # noqa: E402

suite = tap.Suite()
MADE = "name=%s,profile_name=normal,lpar_env=aixlinux,desired_mem=16"


class Managed:
    """A described lab, and what is known of A before and after a command."""

    def __init__(self, lab):
        self.lab = lab
        self.console = Console(lab)

    def __call__(self, name, *arguments, status=0):
        return self.console(name, "-m", "A", *arguments, status=status)

    def config(self, name):
        return self.lab.a.phyp("partition.config", name=name)

    def state(self):
        """All that could change."""
        partitions = self.lab.a.phyp("partition.list", config=True)["partitions"]
        members = "name", "lpar_id", "state", "memory", "config"
        return json.dumps([
            self.lab.a.phyp("system.inventory"),
            [{m: p.get(m) for m in members} for p in partitions],
            self.lab.a.phyp("system.info")["memory_free"]], sort_keys=True)

    def refused(self, code, name, *arguments, status=1, says=""):
        """A command that changes nothing."""
        before = self.state()
        text = self(name, *arguments, status=status)
        assert codes(text) == [code] and says in text, (arguments, text)
        assert self.state() == before, arguments

    def states(self, *names):
        return [self.lab.a.partition(n)["state"] for n in names]


def managed(name):
    """Registers a test that is given a lab of its own."""
    def register(function):
        def run():
            with lpm.Lab(systems=inventory.pair()) as lab:
                function(Managed(lab))
        suite.test(name, run)
    return register


def same_but(before, after, **changes):
    """Of two objects only these members differ."""
    assert after == dict(before, **changes), (before, after)


@managed("chsyscfg -r lpar: a VIOS becomes a mover service partition, and no more")
def _(a):
    before = a.lab.a.phyp("system.inventory")
    a("chsyscfg", "-r", "lpar", "-i", "lpar_id=103,msp=1")
    after = a.lab.a.phyp("system.inventory")
    first, second = after["vioses"]
    assert first == before["vioses"][0]
    same_but(before["vioses"][1], second, msp=True)
    same_but(before, after, vioses=after["vioses"])
    assert a("lssyscfg", "-r", "lpar", "-F", "name,msp", "--filter",
             "lpar_ids=101,103") == "vios-A,1\nvios2-A,1\n"
    a("chsyscfg", "-r", "lpar", "-i", "name=vios2-A,msp=0")
    assert a.lab.a.phyp("system.inventory") == before
    for attributes in ("name=vios-A,time_ref=1", "name=vios-A,msp=1,time_ref=1"):
        a.refused("LPM0401", "chsyscfg", "-r", "lpar", "-i", attributes)
    a.refused("LPM0401", "chsyscfg", "-r", "prof", "-i",
              "name=x,lpar_name=vios-A,min_mem=1")
    a.refused("LPM0001", "chsyscfg", "-r", "lpar", "-i", "name=vios-A,msp=2",
              status=2)


@managed("chsyscfg -r lpar: a partition's attributes, one by one")
def _(a):
    before = a.config("web1")
    a("chsyscfg", "-r", "lpar", "-i",
      "name=web1,lpar_id=11,max_freeze_ms=500,migration_disabled=1,time_ref=1")
    after = a.config("web1")
    same_but(before, after, max_freeze_ms=500, migration_disabled=True,
             time_ref=True)
    a("chsyscfg", "-r", "lpar", "-i",
      "lpar_id=11,auto_start=1,boot_mode=sms,work_group_id=7,"
      "lpar_proc_compat_mode=POWER8,redundant_err_path_reporting=1")
    last = a.config("web1")
    same_but(after, last, profiles=last["profiles"])
    same_but(after["profiles"][0], last["profiles"][0], auto_start=True,
             boot_mode="sms", work_group_id=7, lpar_proc_compat_mode="POWER8",
             redundant_err_path_reporting=True)
    a("chsyscfg", "-r", "lpar", "-i", "lpar_id=11,work_group_id=none")
    assert a.config("web1")["profiles"][0]["work_group_id"] == 0
    for code, attributes, status in (
            ("LPM0403", "name=web1,msp=1", 1),
            ("HSCL8012", "name=web1,lpar_id=12,time_ref=1", 1),
            ("HSCL8012", "name=nobody,time_ref=1", 1),
            ("LPM0102", "name=web1,boot_mode=fast", 1),
            ("LPM0102", "name=web1,max_freeze_ms=99999999", 1),
            ("LPM0001", "name=web1", 2), ("LPM0001", "time_ref=1", 2),
            ("LPM0001", "name=web1,time_ref=yes", 2),
            ("LPM0001", "lpar_id=0,time_ref=1", 2),
            ("LPM0001", "lpar_id=x,time_ref=1", 2),
            ("LPM0001", "name=web1,max_freeze_ms=-1", 2),
            ("LPM0001", "name=web1,colour=red", 2),
            ("LPM0001", "name=web1,time_ref", 2)):
        a.refused(code, "chsyscfg", "-r", "lpar", "-i", attributes,
                  status=status)


@managed("chsyscfg -r prof: a profile, and adapters as lssyscfg has them")
def _(a):
    before = a.config("web1")
    a("chsyscfg", "-r", "prof", "-i",
      "name=default,lpar_name=web1,desired_procs=3,desired_proc_units=1.25,"
      "sharing_mode=cap")
    after = a.config("web1")
    same_but(before, after, profiles=after["profiles"])
    same_but(before["profiles"][0], after["profiles"][0], desired_procs=3,
             desired_proc_units=1.25, sharing_mode="cap")
    a("chsyscfg", "-r", "prof", "-i",
      "name=default,lpar_id=11,proc_mode=ded,sharing_mode=keep_idle_procs")
    assert "desired_proc_units" not in a.config("web1")["profiles"][0]
    # What a list says can be given back, quotes and all
    for name in ("web1", "db1"):
        described = a.config(name)
        for field in ("virtual_eth_adapters", "virtual_scsi_adapters",
                      "virtual_fc_adapters"):
            value = a("lssyscfg", "-r", "prof", "-F", field, "--filter",
                      "lpar_names=" + name).strip()
            value = next(csv.reader([value]))
            value = value[0] if len(value) == 1 else ",".join(value)
            pair = '"%s=%s"' % (field, value.replace('"', '""'))
            a("chsyscfg", "-r", "prof", "-i",
              "name=default,lpar_name=%s,%s" % (name, pair))
        assert by_slot(a.config(name)) == by_slot(described), name
    a("chsyscfg", "-r", "prof", "-i",
      "name=default,lpar_name=db1,virtual_fc_adapters=none")
    assert {x["adapter_type"] for x in a.config("db1")["virtual_adapters"]} == \
        {"eth"}


def by_slot(config):
    return sorted(config["virtual_adapters"], key=lambda x: x["slot_num"])


@managed("chsyscfg -r prof: what cannot be is refused, and nothing is changed")
def _(a):
    web = a.config("web1")
    web["profiles"].append(dict(web["profiles"][0], name="spare"))
    a.lab.a.phyp("partition.configure", name="web1",
                 config={"profiles": web["profiles"]})
    refused = [
        ("LPM0404", "name=none,lpar_name=web1,min_mem=1", 1),
        ("LPM0405", "name=spare,lpar_name=web1,virtual_scsi_adapters=none", 1),
        ("LPM0102", "name=default,lpar_name=web1,min_mem=1000", 1),
        ("LPM0001", "lpar_name=web1,min_mem=1", 2),
        ("LPM0001", "name=default,min_mem=1", 2),
        ("LPM0001", "name=default,lpar_name=web1,min_mem=1.5", 2),
        ("LPM0001", "name=default,lpar_name=web1,min_proc_units=1e3", 2),
        ("LPM0001", "name=default,lpar_name=web1,io_slots=none", 2)]
    for field, values in {
            "virtual_eth_adapters": ["x/0/1//0/0", "2/0/1", "2/0/1//1/0",
                                     "2/2/1//0/0", "2/0/1//0/0/E/m/a/n/x",
                                     '"2/0/1//0/0'],
            "virtual_scsi_adapters": ["4/server/101/vios-A/11/1",
                                      "4/client/101/vios2-A/11/1",
                                      "4/client/9//11/1", "4/client//nobody/11/1",
                                      "4/client//vios-A/any/1",
                                      "4/client//vios-A/11"],
            "virtual_fc_adapters": ["4/client//vios-A/11/c0/1",
                                    "4/client//vios-A/11/1"]}.items():
        for value in values:
            refused.append(("LPM0001", "name=default,lpar_name=web1,%s=%s"
                            % (field, value), 2))
    for code, attributes, status in refused:
        a.refused(code, "chsyscfg", "-r", "prof", "-i", attributes,
                  status=status)
    a.refused("LPM0102", "chsyscfg", "-r", "prof", "-i",
              'name=default,lpar_name=web1,"virtual_eth_adapters='
              '2/0/1//0/0,2/0/2//0/0"', says="slot_num")


@managed("mksyscfg and rmsyscfg: a partition comes as it was asked for, and goes")
def _(a):
    empty = a.state()
    a("mksyscfg", "-r", "lpar", "-i", MADE % "plain")
    config = a.config("plain")
    profile, = config["profiles"]
    assert (profile["min_mem"], profile["desired_mem"], profile["max_mem"]) == \
        (16, 16, 16)
    assert (profile["proc_mode"], profile["desired_proc_units"]) == ("shared", 0.1)
    assert config["curr_profile"] == "normal" and len(config["uuid"]) == 36
    assert a.lab.a.partition("plain")["memory"] == 16 << 20
    a("rmsyscfg", "-r", "lpar", "-n", "plain")
    assert a.state() == empty
    a("mksyscfg", "-r", "lpar", "-i", MADE % "full" + ",lpar_id=77,"
      "min_mem=8,max_mem=32,proc_mode=ded,min_procs=1,desired_procs=2,"
      "max_procs=4,boot_mode=norm,auto_start=1,max_virtual_slots=30,"
      '"virtual_eth_adapters=""2/1/1/100,200/0/1/ETHERNET0/fa5c0e770002/all/none"""'
      ',"virtual_scsi_adapters=4/client//vios-A/50/1,5/client/103//50/1",'
      "virtual_fc_adapters=6/client/101/vios-A/51//0")
    record, = json.loads(a("lssyscfg", "-r", "prof", "--json", "--filter",
                           "lpar_ids=77"))
    assert record["virtual_scsi_adapters"] == \
        "4/client/101/vios-A/50/1,5/client/103/vios2-A/50/1", record
    assert record["virtual_eth_adapters"] == \
        '"2/1/1/100,200/0/1/ETHERNET0/fa5c0e770002/all/none"', record
    assert (record["proc_mode"], record["max_procs"]) == ("ded", "4")
    wwpns = [x["wwpns"] for x in a.config("full")["virtual_adapters"]
             if x["adapter_type"] == "fc"][0]
    assert int(wwpns[1], 16) == int(wwpns[0], 16) + 1
    a("rmsyscfg", "-r", "lpar", "--id", "77")
    assert a.state() == empty


@managed("mksyscfg -f: several partitions, and what is wrong with a file")
def _(a):
    path = a.lab.file("records", "\n".join(
        [MADE % "one", "", MADE % "two"]).encode())
    a("mksyscfg", "-r", "lpar", "-f", path)
    assert a.states("one", "two") == ["Not Activated"] * 2
    path = a.lab.file("wrong", (MADE % "three" + "\nname=four\n").encode())
    a.refused("LPM0001", "mksyscfg", "-r", "lpar", "-f", path, status=2)
    for code, attributes, status in (
            ("LPM0102", MADE % "web1", 1),
            ("LPM0102", MADE % "odd" + ",min_mem=99", 1),
            ("LPM0102", (MADE % "huge").replace("=16", "=1000000"), 1),
            ("LPM0102", MADE % "odd" + ",lpar_id=70000", 1),
            ("LPM0001", MADE % "a/b", 2),
            ("LPM0001", (MADE % "vio").replace("aixlinux", "vioserver"), 2),
            ("LPM0001", "name=x,profile_name=y,lpar_env=aixlinux", 2),
            ("LPM0001", MADE % "x" + ",all_resources=1", 2)):
        a.refused(code, "mksyscfg", "-r", "lpar", "-i", attributes,
                  status=status)
    for order in ([], ["-i", "name=x", "-f", path], ["-f", "/nonexistent"],
                  ["-i", ""], ["-n", "x"], ["-i", MADE % "x", "stray"]):
        a.refused("LPM0001", "mksyscfg", "-r", "lpar", *order, status=2)


@managed("chsysstate: through all states, and back")
def _(a):
    names = "web1", "db1", "app1"
    assert a.states(*names) == ["Running", "Running", "Not Activated"]
    a("chsysstate", "-r", "lpar", "-o", "on", "-n", "app1", "-f", "default")
    a("chsysstate", "-r", "lpar", "-o", "suspend", "--id", "11,12")
    assert a.states(*names) == ["Hibernated", "Hibernated", "Running"]
    a("chsysstate", "-r", "lpar", "-o", "resume", "-n", "web1,db1")
    assert a.states(*names) == ["Running"] * 3
    a("chsysstate", "-r", "lpar", "-o", "shutdown", "--immed", "--restart",
      "-n", "web1")
    assert a.states("web1") == ["Running"]
    a("chsysstate", "-r", "lpar", "-o", "osshutdown", "--immed", "-n", "web1")
    # As scripts for an HMC wait for it
    assert a("lssyscfg", "-r", "lpar", "--filter", "lpar_names=web1", "-F",
             "state") == "Not Activated\n"
    # One that is refused keeps no other from what is done to it
    text = a("chsysstate", "-r", "lpar", "-o", "shutdown", "-n",
             "web1,nobody,vios-A,db1", status=1)
    assert codes(text) == ["HSCL05DF", "HSCL8012", "LPM0401"], text
    assert a.states(*names) == ["Not Activated", "Not Activated", "Running"]


@managed("chsysstate and rmsyscfg: states, profiles and words that do not fit")
def _(a):
    for operation, name in (("on", "web1"), ("resume", "web1"),
                            ("shutdown", "app1"), ("suspend", "app1")):
        a.refused("HSCL05DF", "chsysstate", "-r", "lpar", "-o", operation,
                  "-n", name)
    a.refused("HSCL05DF", "rmsyscfg", "-r", "lpar", "-n", "web1")
    a.lab.a.phyp("partition.create", name="comes", memory=lpm.MIB, peer="B",
                 program={"seed": 1, "steps": 1}, arriving="00000000000000e1")
    a.refused("HSCL05DF", "chsysstate", "-r", "lpar", "-o", "on", "-n", "comes",
              says="in a migration")
    a.refused("HSCL8012", "rmsyscfg", "-r", "lpar", "-n", "nobody")
    a.refused("LPM0401", "rmsyscfg", "-r", "lpar", "-n", "vios-A")
    a.refused("LPM0404", "chsysstate", "-r", "lpar", "-o", "on", "-n", "app1",
              "-f", "other")
    a("chsysstate", "-r", "lpar", "-o", "suspend", "-n", "web1")
    # Its memory is in a file: that is not removed by the way
    a.refused("HSCL05DF", "rmsyscfg", "-r", "lpar", "-n", "web1")
    for order in (["chsysstate", "-r", "lpar", "-o", "on"],
                  ["chsysstate", "-r", "lpar", "-o", "on", "-n", "a", "--id", "1"],
                  ["chsysstate", "-r", "lpar", "-o", "off", "-n", "a"],
                  ["chsysstate", "-r", "sys", "-o", "on", "-n", "a"],
                  ["chsysstate", "-r", "lpar", "-n", "a"],
                  ["chsysstate", "-r", "lpar", "-o", "resume", "-n", "a", "-f",
                   "b"],
                  ["chsysstate", "-r", "lpar", "-o", "on", "-n", "a",
                   "--restart"],
                  ["chsysstate", "-r", "lpar", "-o", "on", "--id", "0"],
                  ["chsysstate", "-r", "lpar", "-o", "on", "-n",
                   ",".join("p%d" % n for n in range(65))],
                  ["rmsyscfg", "-r", "lpar", "-n", "a,b"],
                  ["rmsyscfg", "-r", "prof", "-n", "a"],
                  ["rmsyscfg", "-r", "lpar", "-n", "a", "--immed"],
                  ["chsyscfg", "-r", "lpar", "--id", "1", "-i", "msp=1"],
                  ["chsyscfg", "-r", "sys", "-i", "name=a"]):
        a.refused("LPM0001", *order, status=2)


@managed("a profile is activated that wants the memory that there is")
def _(a):
    app = a.config("app1")
    small = dict(app["profiles"][0], name="small", desired_mem=32)
    a.lab.a.phyp("partition.configure", name="app1", config={
        "profiles": app["profiles"] + [small,
                                       dict(app["profiles"][0], name="same")]})
    a.refused("LPM0406", "chsysstate", "-r", "lpar", "-o", "on", "-n", "app1",
              "-f", "small", says="64 MiB")
    a("chsysstate", "-r", "lpar", "-o", "on", "-n", "app1", "-f", "same")
    assert a.config("app1")["curr_profile"] == "same"
    assert a.states("app1") == ["Running"]


@managed("an activation that fails leaves the profile that was current")
def _(a):
    app = a.config("app1")
    a.lab.a.phyp("partition.configure", name="app1", config={
        "profiles": app["profiles"] + [dict(app["profiles"][0], name="same")]})
    before = a.state()
    interposer = Interposer(a.lab, describe(a.lab))
    interposer.decide = lambda call: \
        REFUSE if call.method == "partition.activate" else PASS
    console = Console(a.lab, interposer.description)
    text = console("chsysstate", "-m", "A", "-r", "lpar", "-o", "on", "-n",
                   "app1", "-f", "same", status=1)
    assert codes(text) == ["LPM0102"], text
    assert [c.method for c in interposer.calls if changes(c)] == [
        "partition.configure", "partition.activate", "partition.configure"]
    assert a.state() == before


@suite.test("a partition without a config: its state can be changed, not more")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        make(lab, memory=16 * lpm.MIB, name="plain", activate=False)
        console("chsysstate", "-m", "A", "-r", "lpar", "-o", "on", "-n", "plain")
        for order in (["lpar", "-i", "name=plain,time_ref=1"],
                      ["prof", "-i", "name=x,lpar_name=plain,min_mem=1"]):
            assert codes(console("chsyscfg", "-m", "A", "-r", *order,
                                 status=1)) == ["LPM0402"]
        assert codes(console("chsyscfg", "-m", "C", "-r", *order,
                             status=1)) == ["LPM0004"]
        console("chsysstate", "-m", "A", "-r", "lpar", "-o", "shutdown", "-n",
                "plain")
        console("rmsyscfg", "-m", "A", "-r", "lpar", "-n", "plain")
        assert not lab.a.phyp("partition.list")["partitions"]


@managed("one that was made by mksyscfg is what a migration moves")
def _(a):
    a("mksyscfg", "-r", "lpar", "-i", MADE % "fresh" +
      ",virtual_eth_adapters=2/0/1//0/0/ETHERNET0/fa5c0e990002")
    # Nothing in it answers RMC: it migrates inactively, when it has run once
    for operation in "on", "shutdown":
        a("chsysstate", "-r", "lpar", "-o", operation, "-n", "fresh")
    a("migrlpar", "-o", "m", "-t", "B", "-p", "fresh")
    assert a.console("lssyscfg", "-r", "lpar", "-m", "B", "-F",
                     "name,state,curr_profile", "--filter",
                     "lpar_names=fresh") == "fresh,Not Activated,normal\n"
    assert a.console("lslparmigr", "-r", "history", "-m", "B", "-F",
                     "name,migration_type,result") == \
        "fresh,inactive,completed\n"
    a.console("chsysstate", "-r", "lpar", "-m", "B", "-o", "on", "-n", "fresh")


lpm.main(suite)
