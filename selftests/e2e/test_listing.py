#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The list commands, against the descriptions of the systems that they list."""

import contextlib
import csv
import functools
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import inventory  # noqa: E402
import lpm  # noqa: E402
import tap  # noqa: E402
from console import Console, codes, describe, make  # noqa: E402

suite = tap.Suite()
everything = contextlib.ExitStack()
NOTHING = "No results were found.\n"
# A stream that a server adapter was made for
STREAM = "00000000000000a1"


def pair():
    """The good descriptions, with one of everything that a list can show."""
    systems = inventory.pair()
    a = systems["A"]
    a["configurable_sys_proc_units"] = 12.25
    a["shared_proc_pools"][1]["max_pool_proc_units"] = 1
    a["virtual_switches"].append({"name": "STORAGE", "mode": "VEPA"})
    inventory.vios(a, "vios-A")["adapters"].append(
        {"slot_num": 40, "adapter_type": "scsi", "remote_lpar_name": "coming",
         "remote_lpar_id": 60, "remote_slot_num": 7, "backing_devices": [],
         "stream_id": STREAM})
    inventory.find(a, "db1")["config"].update(refcode="C2001150")
    web = inventory.find(a, "web1")["config"]
    web["profiles"][0].update(shared_proc_pool_id=1, work_group_id=3,
                              desired_proc_units=1)
    web["profiles"].append(dict(
        {k: v for k, v in web["profiles"][0].items()
         if not k.endswith("_proc_units") and
         k not in ("uncap_weight", "shared_proc_pool_id", "sharing_mode")},
        name="big", proc_mode="ded", lhea_logical_ports=2,
        io_slots=[{"drc_index": "21010002", "required": True},
                  {"drc_index": "21010003"}]))
    return systems


class Listing:
    """A console of a lab, and what its systems say that they have."""

    def __init__(self, lab):
        self.lab = lab
        self.console = Console(lab)
        self.inventory = lab.a.phyp("system.inventory")
        self.partitions = lab.a.phyp("partition.list", config=True)["partitions"]

    def table(self, name, *arguments):
        """What --json says, after the lines say the same."""
        objects = json.loads(self.console(name, *arguments, "--json"))
        lines = self.console(name, *arguments)
        if not objects:
            assert lines == NOTHING, lines
        else:
            assert [attributes(line) for line in lines.splitlines()] == objects
            compare_values(self.console(name, *arguments, "-F", "--header"),
                           objects)
        return objects


@functools.lru_cache
def shared():
    """The lab of all tests that only list."""
    return Listing(everything.enter_context(lpm.Lab(systems=pair())))


def listing(name):
    """Registers a test that is given it."""
    return lambda function: suite.test(name, lambda: function(shared()))


def compare_values(text, objects):
    """-F --header has the columns of all that any object has."""
    header, *rows = csv.reader(text.splitlines())
    assert set(header) == {key for entry in objects for key in entry}, header
    assert rows == [[entry.get(key, "null") for key in header] for entry in objects]


def attributes(line):
    """A line taken apart as clients of the HMC do."""
    pairs = [pair.partition("=") for pair in next(csv.reader([line]))]
    assert all(equals for _, equals, _ in pairs), line
    return {name: value for name, _, value in pairs}


def text(value):
    """A member of a description as a list shows it."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value)


def units(value):
    """Processors: at least one decimal, at most two."""
    result = "%.2f" % value
    return result[:-1] if result.endswith("0") else result


def same(record, described, *names):
    for name in names:
        assert record[name] == text(described[name]), (name, record, described)


def profile(partition):
    config = partition["config"]
    return next(p for p in config["profiles"]
                if p["name"] == config["curr_profile"])


@listing("lssyscfg -r sys: a system as it is described")
def _(lists):
    both = lists.table("lssyscfg", "-r", "sys")
    assert [entry["name"] for entry in both] == ["A", "B"]
    record = both[0]
    same(record, lists.inventory, "type_model", "serial_num", "state",
         "lpar_proc_compat_modes")
    for capability in lists.inventory["capabilities"]:
        assert record[capability + "_capable"] == "1"
    more = "mobility_edition", "generation", "firmware_level", "power_source"
    assert not set(more) & set(record)
    values = lists.console("lssyscfg", "-r", "sys", "-m", "A", "-F",
                           ",".join(more))
    assert values == ",".join(text(lists.inventory[m]) for m in more) + "\n"


@listing("-m takes machine type, model and serial number")
def _(lists):
    name = "%(type_model)s*%(serial_num)s" % lists.inventory
    assert lists.console("lssyscfg", "-r", "sys", "-m", name, "-F", "name") == \
        "A\n"
    for order in (["lslparmigr", "-r", "sys"], ["lsrefcode", "-r", "lpar"],
                  ["lshwres", "-r", "mem", "--level", "sys"]):
        assert lists.console(*order, "-m", name) == \
            lists.console(*order, "-m", "A")
    assert codes(lists.console("lssyscfg", "-r", "lpar", "-m",
                               name[:-1] + "X", status=1)) == ["LPM0004"]


@listing("lssyscfg -r lpar: servers and partitions as they are described")
def _(lists):
    records = lists.table("lssyscfg", "-r", "lpar", "-m", "A")
    servers = lists.inventory["vioses"]
    assert [r["name"] for r in records] == \
        [entry["name"] for entry in servers + lists.partitions]
    for record, server in zip(records, servers):
        same(record, server, "lpar_id", "state", "rmc_state", "msp")
        assert record["lpar_env"] == "vioserver"
        assert record["os_version"] == "VIOS " + server["version"]
    for record, entry in zip(records[len(servers):], lists.partitions):
        config = entry["config"]
        same(record, entry, "lpar_id")
        same(record, config, "lpar_env", "curr_profile", "rmc_state", "uuid",
             "rmc_ipaddr", "curr_lpar_proc_compat_mode", "time_ref",
             "migration_disabled")
        same(record, profile(entry), "auto_start", "boot_mode",
             "redundant_err_path_reporting")
        assert record["os_version"] == "%(os)s %(os_version)s" % config
        assert record["default_profile"] == config["profiles"][0]["name"]
        assert "msp" not in record
    groups = {r["name"]: r.get("work_group_id") for r in records}
    assert groups["web1"] == "3" and groups["db1"] == "none", groups
    values = lists.console("lssyscfg", "-r", "lpar", "-m", "A", "-F",
                           "refcode,condition,max_freeze_ms,mem", "--filter",
                           "lpar_names=db1")
    db1 = next(p for p in lists.partitions if p["name"] == "db1")
    assert values == "C2001150,%(condition)s,%(max_freeze_ms)d,%%d\n" % \
        db1["config"] % (db1["memory"] >> 20)


def adapter_texts(entry, kind):
    """A partition's adapters of a kind in the HMC's format."""
    remote = "%(slot_num)d/client/%(remote_lpar_id)d/%(remote_lpar_name)s/" \
             "%(remote_slot_num)d/"
    formats = {
        "scsi": remote + "%(is_required)d",
        "fc": remote + "%(wwpns)s/%(is_required)d",
        "eth": "%(slot_num)d/%(ieee_virtual_eth)d/%(port_vlan_id)d/"
               "%(addl_vlan_ids)s/0/%(is_required)d/%(vswitch)s/%(mac_addr)s/"
               "all/none",
        "vnic": "%(slot_num)d:ded:1:%(port_vlan_id)d:0:all:%(mac_addr)s:all:"
                "%(is_required)d:sriov/%(remote_lpar_name)s/"
                "%(remote_lpar_id)d/////"}
    return [formats[kind] % {n: text(v) if isinstance(v, list) else v
                             for n, v in adapter.items()}
            for adapter in entry["config"]["virtual_adapters"]
            if adapter["adapter_type"] == kind]


@listing("lssyscfg -r prof: profiles, and adapters in the HMC's format")
def _(lists):
    records = lists.table("lssyscfg", "-r", "prof", "-m", "A")
    fields = {"virtual_scsi_adapters": "scsi", "virtual_fc_adapters": "fc",
              "virtual_eth_adapters": "eth", "vnic_adapters": "vnic"}
    expected = [(entry, one) for entry in lists.partitions
                for one in entry["config"]["profiles"]]
    assert len(records) == len(expected) == len(lists.partitions) + 1
    for record, (entry, one) in zip(records, expected):
        assert record["lpar_name"] == entry["name"]
        same(record, entry, "lpar_id")
        same(record, one, "name", "min_mem", "desired_mem", "max_mem",
             "proc_mode", "min_procs", "desired_procs", "max_procs",
             "max_virtual_slots", "boot_mode", "auto_start",
             "lpar_proc_compat_mode", "bsr_arrays", "desired_num_huge_pages")
        for unit in ("min_proc_units", "desired_proc_units", "max_proc_units"):
            assert record.get(unit) == (units(one[unit]) if unit in one else None)
        for field, kind in fields.items():
            if one["name"] != entry["config"]["curr_profile"]:
                assert field not in record
                continue
            texts = adapter_texts(entry, kind)
            # Each is in quotes of its own that holds a comma
            value = next(csv.reader([record[field]]))
            assert value == (texts or ["none"]), (field, record[field])
    big = next(r for r in records if r["name"] == "big")
    assert big["io_slots"] == "21010002/none/1,21010003/none/0", big
    assert big["lhea_logical_ports"] == "2"
    assert records[0]["shared_proc_pool_name"] == \
        lists.inventory["shared_proc_pools"][1]["name"]
    # To the letter as clients of the HMC find it
    wwpns = adapter_texts(lists.partitions[1], "fc")
    assert lists.console("lssyscfg", "-r", "prof", "-m", "A", "-F",
                         "lpar_id:virtual_fc_adapters", "--filter",
                         "lpar_names=db1") == \
        '12:"%s"\n' % ",".join('""%s""' % w for w in wwpns)


@listing("lshwres: memory, processors and pools")
def _(lists):
    info = lists.lab.a.phyp("system.info")
    record, = lists.table("lshwres", "-r", "mem", "--level", "sys", "-m", "A")
    assert record == {
        "configurable_sys_mem": str(info["memory_total"] >> 20),
        "curr_avail_sys_mem": str(info["memory_free"] >> 20),
        "mem_region_size": str(lists.inventory["mem_region_size"])}
    records = lists.table("lshwres", "-r", "mem", "--level", "lpar", "-m", "A")
    processors = lists.table("lshwres", "-r", "proc", "--level", "lpar",
                             "-m", "A")
    used = 0
    for record, proc, entry in zip(records, processors, lists.partitions):
        one, running = profile(entry), entry["state"] != "Not Activated"
        mem = str(entry["memory"] >> 20)
        assert record["lpar_name"] == proc["lpar_name"] == entry["name"]
        assert record["curr_mem"] == mem
        assert record["run_mem"] == (mem if running else "0")
        assert record["curr_max_mem"] == str(one["max_mem"])
        assert proc["curr_procs"] == str(one["desired_procs"])
        assert proc["curr_proc_units"] == units(one["desired_proc_units"])
        assert proc["curr_sharing_mode"] == one["sharing_mode"]
        assert proc["run_procs"] == (proc["curr_procs"] if running else "0")
        used += one["desired_proc_units"] * running
    assert lists.table("lshwres", "-r", "proc", "--level", "sys", "-m", "A") == \
        [{"configurable_sys_proc_units": "12.25",
          "curr_avail_sys_proc_units": units(12.25 - used)}]
    pools = lists.table("lshwres", "-r", "procpool", "-m", "A")
    assert [p["lpar_names"] for p in pools] == ["db1,app1", "web1"]
    assert "max_pool_proc_units" not in pools[0]
    assert pools[1]["max_pool_proc_units"] == "1.0"
    pool, = lists.table("lshwres", "-r", "procpool", "-m", "A", "--filter",
                        "pool_names=" + pools[0]["name"])
    assert pool == pools[0]


@listing("lshwres -r virtualio: both ends of every adapter")
def _(lists):
    seen = 0
    for kind in ("eth", "scsi", "fc", "vnic"):
        records = lists.table("lshwres", "-r", "virtualio", "--rsubtype", kind,
                              "--level", "lpar", "-m", "A")
        described = [
            (owner, adapter) for owner in
            lists.inventory["vioses"] + lists.partitions for adapter in
            owner.get("adapters", owner.get("config", {}).get("virtual_adapters"))
            if adapter["adapter_type"] == kind]
        assert len(records) == len(described) > 1
        for record, (owner, adapter) in zip(records, described):
            assert record["lpar_name"] == owner["name"]
            same(record, owner, "lpar_id")
            same(record, adapter, *(set(adapter) - {"adapter_type"}))
            assert record["state"] == str(int(owner["state"] == "Running"))
            if kind != "eth":
                assert record["adapter_type"] == \
                    ("server" if "adapters" in owner else "client")
            seen += 1
    slots = lists.table("lshwres", "-r", "virtualio", "--rsubtype", "slot",
                        "--level", "slot", "-m", "A")
    assert len(slots) == seen
    first = lists.partitions[0]
    assert {"slot_num": "4", "lpar_name": "web1", "lpar_id": "11",
            "config": "scsi", "is_required": "1",
            "drc_name": "U9009.42A.%s-V11-C4" % lists.inventory["serial_num"]} \
        in slots
    holders = lists.table("lshwres", "-r", "virtualio", "--rsubtype", "slot",
                          "--level", "lpar", "-m", "A")
    free = {h["lpar_name"]: h["next_avail_virtual_slot"] for h in holders}
    used = {a["slot_num"] for a in first["config"]["virtual_adapters"]}
    assert free["web1"] == str(min(set(range(2, 20)) - used)), free
    used = {a["slot_num"] for a in lists.inventory["vioses"][0]["adapters"]}
    assert free["vios-A"] == str(min(set(range(11, 99)) - used)), free


@listing("lshwres -r virtualio: switches, and what bridges them")
def _(lists):
    records = lists.table("lshwres", "-r", "virtualio", "--rsubtype",
                          "vswitch", "-m", "A")
    assert [(r["vswitch"], r["switch_mode"]) for r in records] == \
        [(s["name"], s["mode"]) for s in lists.inventory["virtual_switches"]]
    assert records[-1]["vlan_ids"] == "none"
    assert set(records[0]["vlan_ids"].split(",")) == {"1", "100", "200"}
    seas = lists.table("lshwres", "-r", "virtualio", "--rsubtype", "sea",
                       "-m", "A")
    described = [(v, s) for v in lists.inventory["vioses"] for s in v["seas"]]
    assert len(seas) == len(described) > 1
    for record, (server, sea) in zip(seas, described):
        assert record["lpar_name"] == server["name"]
        same(record, sea, *sea)


@listing("lslparmigr: movers, pools and capabilities of what is described")
def _(lists):
    record, = lists.table("lslparmigr", "-r", "sys", "-m", "A")
    for kind in ("active", "inactive"):
        assert record[kind + "_lpar_mobility_capable"] == "1"
        assert record["num_%s_migrations_supported" % kind] == \
            str(lists.inventory["num_%s_migrations_supported" % kind])
        assert record["num_%s_migrations_in_progress" % kind] == "0"
    record, = lists.table("lslparmigr", "-r", "msp", "-m", "A", "-t", "B")
    assert (record["source_msp_name"], record["dest_msp_ids"]) == \
        ("vios-A", "102"), record
    # Without msp=1 it is none, though its mover answers
    lists.lab.a.phyp("vios.change", name="vios-A", msp=False)
    try:
        assert lists.table("lslparmigr", "-r", "msp", "-m", "A") == []
    finally:
        lists.lab.a.phyp("vios.change", name="vios-A", msp=True)
    # The pool with a limit of 1 there has no room for 0.5 more beside web1
    assert lists.table("lslparmigr", "-r", "procpool", "-m", "A", "-t", "A",
                       "--filter", "lpar_names=db1") == \
        [{"lpar_name": "db1", "lpar_id": "12", "shared_proc_pool_ids": "0",
          "shared_proc_pool_names": "DefaultPool"}]
    assert lists.table("lslparmigr", "-r", "sriov", "-m", "A", "-t", "B") == []
    # As clients ask before they migrate
    for words in (["adapter", "-F", "phys_loc:adapter_id"],
                  ["logport", "--level", "eth", "--filter", "lpar_names=web1",
                   "-F", "adapter_id,logical_port_id,phys_port_id,lpar_id,"
                   "location_code,drc_name"]):
        assert lists.console("lshwres", "-r", "sriov", "-m", "A", "--rsubtype",
                             *words) == "No results were found.\n"


@listing("lsrefcode: what partitions' panels show")
def _(lists):
    assert lists.table("lsrefcode", "-r", "lpar", "-m", "A", "-n", "2",
                       "--filter", "lpar_names=db1") == \
        [{"lpar_name": "db1", "lpar_id": "12", "refcode": "C2001150"}]
    # As op-test asks
    assert lists.console("lsrefcode", "-r", "lpar", "-m", "A", "-F",
                         "refcode") == "\nC2001150\n\n"
    assert lists.table("lsrefcode", "-r", "sys", "-m", "A", "-s", "p") == []
    for order in (["-r", "lpar", "-n", "0"], ["-r", "lpar", "-n", "101"],
                  ["-r", "lpar", "-s", "p"], ["-r", "sys", "-s", "x"]):
        assert codes(lists.console("lsrefcode", "-m", "A", *order,
                                   status=2)) == ["LPM0001"]


@listing("filters: several at once, quotes, and what is wrong with one")
def _(lists):
    def names(text, *more):
        return lists.console("lssyscfg", "-r", *(more or ["lpar"]), "-m", "A",
                             "-F", "name", "--filter", text).split()

    assert names("lpar_names=web1,db1") == ["web1", "db1"]
    assert names('"lpar_names=web1,db1"') == ["web1", "db1"]
    assert names("lpar_ids=12,101") == ["vios-A", "db1"]
    assert names('"lpar_names=web1,db1",lpar_ids=12') == ["db1"]
    assert names('lpar_ids=12,"lpar_names=web1,db1"') == ["db1"]
    assert names("lpar_names=web1,db1,lpar_ids=11,12") == ["web1", "db1"]
    assert names("lpar_names=web1,profile_names=big", "prof") == ["big"]
    assert names('"profile_names=big,default","lpar_names=web1"', "prof") == \
        ["default", "big"]
    assert lists.console("lssyscfg", "-r", "prof", "-m", "A", "--filter",
                         "profile_names=x") == NOTHING
    for wrong in ("", "lpar_names", "lpar_names=", "lpar_names=a,,b",
                  "lpar_ids=x", "lpar_ids=65536", "profile_names=x",
                  "lpar_names=a,lpar_names=b", '"lpar_names=a', "colour=red",
                  "lpar_ids=" + ",".join(map(str, range(1, 400))),
                  "lpar_names=" + "x" * 40000, "lpar_names=a\tb"):
        assert codes(lists.console(
            "lssyscfg", "-r", "lpar", "-m", "A", "--filter", wrong,
            status=2)) == ["LPM0001"], wrong


@listing("options that are not for a list are refused, and so are fields")
def _(lists):
    for order in (
            ["lssyscfg", "-r", "lpar", "-m", "A", "-t", "B"],
            ["lssyscfg", "-r", "lpar", "-m", "A", "-F", "name", "--header",
             "--json"],
            ["lssyscfg", "-r", "lpar", "-m", "A", "--rsubtype", "eth"],
            ["lssyscfg", "-r", "prof"],
            ["lslparmigr", "-r", "procpool", "-m", "A"],
            ["lslparmigr", "-r", "lpar", "-m", "A", "-t", "B"],
            ["lslparmigr", "-r", "lpar", "-m", "A", "-F", "phase,phases"],
            ["lshwres", "-r", "virtualio", "-m", "A"],
            ["lshwres", "-r", "virtualio", "--rsubtype", "eth", "-m", "A"],
            ["lshwres", "-r", "virtualio", "--rsubtype", "usb", "--level",
             "lpar", "-m", "A"],
            ["lshwres", "-r", "mem", "--level", "slot", "-m", "A"],
            ["lshwres", "-r", "mem", "--level", "sys", "-m", "A", "--filter",
             "lpar_names=a"]):
        assert codes(lists.console(*order, status=2)) == ["LPM0001"], order


@suite.test("what moves, and the history of what has moved")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        move = make(lab, memory=192 * lpm.MIB, name="mover",
                    program=lpm.program(1, 16 * lpm.MIB))
        console("migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p", "mover",
                "--async")
        move.stream_id = lab.a.phyp("stream.list")["streams"][0]["stream_id"]
        lab.a.msp("limit", stream_id=move.stream_id, bytes_per_second=4 << 20)
        for system in "A", "B":
            values = console("lslparmigr", "-r", "lpar", "-m", system, "-F",
                             "stream_id,stream_state,phase").strip()
            assert values == move.stream_id + ",Enabled,moving", values
            assert "stream_id" not in console("lslparmigr", "-r", "lpar", "-m",
                                              system)
        record, = json.loads(console(
            "lslparmigr", "-r", "lpar", "-m", "A", "--json", "-F",
            "limit,phase,pass,rate,dirty_rate,migration_state"))
        assert record["migration_state"] == "Migration In Progress", record
        assert record["limit"] == str(4 << 20) and int(record["pass"]) >= 0
        console("migrlpar", "-o", "s", "-m", "A", "-p", "mover")
        moved(lab, console)


def moved(lab, console):
    """One that was stopped and one that was done are in its history."""
    console("migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p", "mover")
    assert console("lslparmigr", "-r", "history", "-m", "A") == NOTHING
    moves = lab.b.phyp("partition.history", name="mover")["moves"]
    records = json.loads(console("lslparmigr", "-r", "history", "-m", "B",
                                 "--json"))
    assert [r["result"] for r in records] == ["aborted", "completed"], records
    for record, one in zip(records, moves):
        assert (record["source_sys_name"], record["dest_sys_name"]) == \
            ("A", "B"), record
        assert record["stream_id"] == one["stream_id"]
        assert record["migration_type"] == "active"
        assert record["end_time"][2] == "/" and len(record["end_time"]) == 19
    assert console("lslparmigr", "-r", "history", "-m", "B", "--filter",
                   "lpar_names=other") == NOTHING


@suite.test("both ends of an inactive migration under way are told")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab:
        console = Console(lab)
        lab.a.phyp("partition.depart", name="app1", stream_id=STREAM, peer="B")
        description = lab.a.phyp("partition.describe", name="app1")
        description.pop("lpar_id")
        lab.b.phyp("partition.create", arriving=STREAM, peer="A", **description)
        for system in "A", "B":
            record, = json.loads(console(
                "lslparmigr", "-r", "lpar", "-m", system, "--filter",
                "lpar_names=app1", "--json"))
            assert record["migration_state"] == "Migration In Progress", record
            assert record["migration_type"] == "inactive"
            assert (record["source_sys_name"], record["dest_sys_name"]) == \
                ("A", "B"), record
            assert console(
                "lslparmigr", "-r", "sys", "-m", system, "-F",
                "num_inactive_migrations_in_progress") == "1\n"
            assert console("lssyscfg", "-r", "lpar", "-m", system, "--filter",
                           "lpar_names=app1", "-F", "state") == \
                "Migrating - Not Activated\n"
        for order in (["chsyscfg", "-r", "lpar", "-i", "name=app1,time_ref=1"],
                      ["chsysstate", "-r", "lpar", "-o", "on", "-n", "app1"],
                      ["rmsyscfg", "-r", "lpar", "-n", "app1"]):
            text = console(*order, "-m", "A", status=1)
            assert codes(text) == ["HSCL05DF"], text
        assert lab.a.partition("app1")["departing"] == STREAM


@suite.test("a system without a description is listed as far as it goes")
def _():
    with lpm.Lab() as lab:
        description = describe(lab)
        console = Console(lab, description)
        make(lab, memory=16 * lpm.MIB, name="plain")
        assert console("lssyscfg", "-r", "sys", "-m", "A") == \
            "name=A,state=Operating\n"
        for order in (["lssyscfg", "-r", "prof"],
                      ["lshwres", "-r", "proc", "--level", "sys"],
                      ["lshwres", "-r", "proc", "--level", "lpar"],
                      ["lshwres", "-r", "virtualio", "--rsubtype", "scsi",
                       "--level", "lpar"],
                      ["lshwres", "-r", "virtualio", "--rsubtype", "vswitch"],
                      ["lshwres", "-r", "procpool"],
                      ["lslparmigr", "-r", "procpool", "-t", "B"]):
            assert console(*order, "-m", "A") == NOTHING, order
        assert console("lshwres", "-r", "mem", "--level", "lpar", "-m", "A") \
            == "lpar_name=plain,lpar_id=1,curr_mem=16,run_mem=16\n"


@suite.test("more partitions than an answer holds are listed, each once")
def _():
    systems = {"A": inventory.large()}
    with lpm.Lab(systems=systems) as lab:
        console = Console(lab)
        names = console("lssyscfg", "-r", "prof", "-m", "A", "-F", "lpar_name")
        assert names.split() == [p["name"] for p in systems["A"]["partitions"]]
        fc = console("lshwres", "-r", "virtualio", "--rsubtype", "fc", "--level",
                     "lpar", "-m", "A", "-F", "lpar_name,slot_num").split()
        owners = systems["A"]["vioses"] + [
            dict(p["config"], adapters=p["config"]["virtual_adapters"],
                 name=p["name"]) for p in systems["A"]["partitions"]]
        assert fc == ["%s,%d" % (owner["name"], a["slot_num"])
                      for owner in owners for a in owner["adapters"]
                      if a["adapter_type"] == "fc"]


try:
    lpm.main(suite)
finally:
    everything.close()
