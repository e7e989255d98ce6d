# SPDX-License-Identifier: GPL-2.0-or-later
"""Descriptions of managed systems (Documentation/managed-system.rst) for tests.

The shipped good descriptions are Documentation/examples/system-alpha.json and
system-beta.json: two systems that fit together, of which alpha has the partitions web1
(vSCSI, VLANs), db1 (NPIV) and app1 (vSCSI, vNIC; not activated), and beta has none.
pair() loads them under the names that lib/console.py's describe() has for movers; tests
change what they are about:

    pair = inventory.pair()
    inventory.vios(pair["B"], "vios-B")["seas"][0]["state"] = "failed"
    with lpm.Lab(systems=pair) as lab:
"""

import copy
import itertools
import json
import os

import lpm

EXAMPLES = os.path.join(lpm.TOP, "Documentation/examples")
# Of a lab's systems: the example, and names and ids that its VIOSes have in tests
NAMES = {"A": ("alpha", {"vios1": ("vios-A", 101), "vios2": ("vios2-A", 103)}),
         "B": ("beta", {"vios1": ("vios-B", 102), "vios2": ("vios2-B", 103)})}
LUN_SIZE = 20480
FIRST_SLOT = 11


def example(name):
    """A description as it is shipped: "alpha" or "beta"."""
    with open(os.path.join(EXAMPLES, "system-%s.json" % name),
              encoding="ascii") as file:
        return json.load(file)


def rename(description, names):
    """Other names and ids for its VIOSes: old name -> (name, id)."""
    for server in description["vioses"]:
        if server["name"] in names:
            server["name"], server["lpar_id"] = names[server["name"]]
    for entry in description.get("partitions", []):
        for adapter in entry.get("config", {}).get("virtual_adapters", []):
            if adapter.get("remote_lpar_name") in names:
                adapter["remote_lpar_name"], adapter["remote_lpar_id"] = \
                    names[adapter["remote_lpar_name"]]
    return description


def system(name, partitions=None, movers=1):
    """The good description of the lab's system @name, "A" or "B".

    @partitions: made with partition(), in place of those of the example
    @movers: how many of its VIOSes are mover service partitions
    """
    source, names = NAMES[name]
    result = rename(example(source), names)
    for number, server in enumerate(result["vioses"]):
        server["msp"] = number < movers
    if partitions is not None:
        remove_partitions(result)
        for one in partitions:
            add(result, one)
    return result


def pair(partitions=None, movers=1, activate=None):
    """Good descriptions of both systems; the partitions are on A.

    @activate: whether those are activated, in place of what each says
    """
    result = {"A": system("A", movers=movers),
              "B": system("B", [], movers=movers)}
    if partitions is not None:
        remove_partitions(result["A"])
        for one in partitions:
            add(result["A"], one, result["B"])
    if activate is not None:
        for entry in result["A"]["partitions"]:
            entry["activate"] = activate
    return result


def vios(description, name):
    """A VIOS of a description."""
    return next(v for v in description["vioses"] if v["name"] == name)


def find(description, name):
    """A partition of a description."""
    return next(p for p in description["partitions"] if p["name"] == name)


def adapter(holder, slot):
    """The adapter in a slot of a VIOS, or of a partition or its config."""
    config = holder.get("config", holder)
    adapters = config.get("adapters", config.get("virtual_adapters"))
    return next(a for a in adapters if a["slot_num"] == slot)


def remove_partitions(description):
    description["partitions"] = []
    for server in description["vioses"]:
        server["adapters"] = []


numbers = itertools.count(21)


def partition(name, lpar_id=None, memory=8 << 20, program=None, vscsi=True,
              npiv=False, vnic=False, vlans=(1, 100, 200), activate=True,
              **config):
    """A partition for add(): its adapters are made there.

    @vscsi, @npiv: storage over the first two VIOSes
    @vnic: a vNIC adapter beside Ethernet
    @vlans: of its Ethernet adapter: its own, then those it is in besides
    @config: members of its config
    """
    number = lpar_id or next(numbers)
    made = copy.deepcopy(find(example("alpha"), "web1"))
    made.update(name=name, lpar_id=number, memory=memory,
                program=program or lpm.program(1, 8 * lpm.MIB),
                content={"type": "seed", "seed": number}, activate=activate)
    made["config"].update(uuid="5C0DE000-0000-4000-8000-%012d" % number,
                          rmc_ipaddr="192.0.2.%d" % (number % 250 + 1))
    mib = memory >> 20
    made["config"]["profiles"][0].update(min_mem=max(1, mib // 2),
                                         desired_mem=mib, max_mem=2 * mib)
    made["config"]["virtual_adapters"] = [ethernet(2, number, *vlans)]
    made["config"].update(config)
    made["storage"] = {"scsi": vscsi, "fc": npiv, "vnic": vnic}
    return made


def ethernet(slot, number, vlan, *more, vswitch="ETHERNET0"):
    """An Ethernet adapter of a partition."""
    return {"slot_num": slot, "adapter_type": "eth", "vswitch": vswitch,
            "port_vlan_id": vlan, "addl_vlan_ids": list(more),
            "ieee_virtual_eth": bool(more),
            "mac_addr": "fa5c0e%04x%02x" % (number, slot)}


def free_slot(server):
    used = {a["slot_num"] for a in server["adapters"]}
    return next(s for s in itertools.count(FIRST_SLOT) if s not in used)


def connect(server, made, slot, kind, backed_by, **more):
    """Client adapter @slot of a partition, and its server adapter.

    @backed_by: what the server adapter has behind it
    @more: members of the client adapter
    """
    number = free_slot(server)
    server["adapters"].append(
        {"slot_num": number, "adapter_type": kind,
         "remote_lpar_name": made["name"], "remote_lpar_id": made["lpar_id"],
         "remote_slot_num": slot, **backed_by})
    made["config"]["virtual_adapters"].append(
        {"slot_num": slot, "adapter_type": kind, "is_required": True,
         "remote_lpar_name": server["name"],
         "remote_lpar_id": server["lpar_id"], "remote_slot_num": number,
         **more})


def add_lun(description, number):
    """A LUN that each VIOS of a system sees; returns its name there."""
    name = "hdisk%d" % (100 + number)
    for server in description["vioses"]:
        server["luns"].append({"name": name, "udid": "UDID%08d" % number,
                               "size": LUN_SIZE,
                               "reserve_policy": "no_reserve"})
    return name


def add_logins(description, wwpns, number):
    """Every Fibre Channel port is zoned for these."""
    for server in description["vioses"]:
        for port in server["fc_ports"]:
            port["logins"] += [{"wwpn": w, "luns": ["NPIV%08d" % number]}
                               for w in wwpns]


def add(source, made, *targets):
    """A partition of partition() on @source, with all that it needs there.

    @targets: systems that see its LUNs, and are zoned for it
    """
    made = copy.deepcopy(made)
    storage = made.pop("storage", {})
    number = made["lpar_id"]
    servers = source["vioses"][:2]
    if storage.get("scsi"):
        disk = [add_lun(s, number) for s in (source,) + targets][0]
        for slot, server in enumerate(servers, 4):
            connect(server, made, slot, "scsi", {"backing_devices": [disk]})
    if storage.get("fc"):
        for slot, server in enumerate(servers, 8):
            wwpns = ["c05076%08x%02x" % (number, 2 * slot + i) for i in (0, 1)]
            for one in (source,) + targets:
                add_logins(one, wwpns, number)
            connect(server, made, slot, "fc", {"fc_port": "fcs0"},
                    wwpns=wwpns)
    if storage.get("vnic"):
        connect(servers[0], made, 12, "vnic", {"sriov_port": "ent0-p0"},
                port_vlan_id=200, mac_addr="fa5c0e%04x0c" % number)
    source.setdefault("partitions", []).append(made)
    return made


def large(partitions=64, vioses=4, adapters=200):
    """A description as large as a system may be expected to have."""
    result = example("beta")
    server = result["vioses"][0]
    result["vioses"] = []
    for number in range(1, vioses + 1):
        one = dict(copy.deepcopy(server), name="vios%d" % number,
                   lpar_id=number, luns=[])
        one["fc_ports"][0].update(wwpn="10000090fb%06x" % number, logins=[],
                                  max_ports=adapters)
        result["vioses"].append(one)
    for number in range(partitions):
        add(result, partition("part%d" % number, 21 + number, npiv=True,
                              vnic=True, activate=False, memory=1 << 20,
                              program={"seed": 1, "steps": 1}))
    for one in result["vioses"]:
        while len(one["adapters"]) < adapters:
            one["adapters"].append(
                {"slot_num": free_slot(one), "adapter_type": "fc",
                 "remote_lpar_name": "part0", "remote_lpar_id": 21,
                 "remote_slot_num": 20 + len(one["adapters"]),
                 "fc_port": "fcs0"})
    return result
