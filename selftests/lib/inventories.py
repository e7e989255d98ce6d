# SPDX-License-Identifier: GPL-2.0-or-later
"""What two systems have, before and after a partition migrates, field by field."""

import copy

import inventory
import lpm

# What a system's answer has that no migration is about
VOLATILE = {"pid", "steps", "steps_here", "dirty_rate", "written_since_resume",
            "first_step_ns", "last_step_ns", "pages", "finished"}


def of(system):
    """Everything that a console may configure on a system of a lab."""
    listed = system.phyp("partition.list", config=True)["partitions"]
    return {
        "vioses": {v["name"]: v for v in
                   system.phyp("system.inventory")["vioses"]},
        "partitions": {p["name"]: {k: v for k, v in p.items()
                                   if k not in VOLATILE} for p in listed},
        "streams": len([s for s in system.phyp("stream.list")["streams"]]),
        "memory_free": system.phyp("system.info")["memory_free"],
    }


def both(lab):
    return {s.name: of(s) for s in lab.systems}


def check_same(lab, before):
    """Both systems are as they were; what a partition had is given back in a while."""
    lpm.until("memory has been given back", lambda: all(
        s.phyp("system.info")["memory_free"] == before[s.name]["memory_free"]
        for s in lab.systems))
    after = both(lab)
    for system in before:
        for what in before[system]:
            assert after[system][what] == before[system][what], \
                (system, what, after[system][what], before[system][what])


def hosted(config):
    """Its adapters that a VIOS hosts."""
    return [a for a in config["virtual_adapters"] if a["adapter_type"] != "eth"]


def without(vioses, name):
    """The same servers without the adapters of a partition."""
    result = copy.deepcopy(vioses)
    for vios in result.values():
        vios["adapters"] = [a for a in vios["adapters"]
                            if a["remote_lpar_name"] != name]
    return result


def server_adapter(vioses, client):
    return inventory.adapter(vioses[client["remote_lpar_name"]],
                             client["remote_slot_num"])


def udids(vios, adapter):
    """Which LUNs a server adapter has behind it, whatever they are called."""
    names = {lun["name"]: lun["udid"] for lun in vios["luns"]}
    return [names[n] for n in adapter["backing_devices"]]


def check_hosted(name, lpar_id, client, before, after):
    """The server adapter of a client adapter on the target is as it should be.

    @client: on the target
    @before: (client on the source, its server, that server's VIOS)
    """
    old_client, old_server, old_vios = before
    vios = after[client["remote_lpar_name"]]
    server = server_adapter(after, client)
    same = {"slot_num": client["remote_slot_num"],
            "adapter_type": client["adapter_type"], "remote_lpar_name": name,
            "remote_lpar_id": lpar_id, "remote_slot_num": client["slot_num"]}
    assert client["remote_lpar_id"] == vios["lpar_id"], (client, vios["name"])
    behind = {k: v for k, v in server.items() if k not in same}
    assert {k: server[k] for k in same} == same, (server, same)
    if client["adapter_type"] == "scsi":
        assert set(behind) == {"backing_devices"}, server
        assert udids(vios, server) == udids(old_vios, old_server), server
    elif client["adapter_type"] == "fc":
        assert set(behind) == {"fc_port"}, server
        port = next(p for p in vios["fc_ports"]
                    if p["name"] == behind["fc_port"])
        logins = {login["wwpn"] for login in port["logins"]}
        assert logins >= set(client["wwpns"]), (client, port)
    else:
        assert set(behind) == {"sriov_port"}, server
    changed = {"remote_lpar_name", "remote_lpar_id", "remote_slot_num"}
    assert {k: v for k, v in client.items() if k not in changed} == \
        {k: v for k, v in old_client.items() if k not in changed}


def check_migrated(name, before, after, source="A", target="B"):
    """@before and @after are both() around a whole migration of a partition."""
    was, now = before[source], before[target]
    old = was["partitions"][name]
    new = after[target]["partitions"][name]
    # The source has nothing of it any more, and is as before but for it
    assert after[source]["vioses"] == without(was["vioses"], name)
    rest = dict(was["partitions"])
    del rest[name]
    assert after[source]["partitions"] == rest
    assert after[source]["memory_free"] == was["memory_free"] + old["memory"]
    # The target has it and what hosts it, and is as before but for that
    assert without(after[target]["vioses"], name) == now["vioses"]
    rest = dict(after[target]["partitions"])
    del rest[name]
    assert rest == now["partitions"]
    assert not after[source]["streams"] and not after[target]["streams"]
    check_config(name, old, new, was["vioses"], after[target]["vioses"])


def check_config(name, old, new, old_vioses, new_vioses):
    olds, news = hosted(old["config"]), hosted(new["config"])
    assert [a["slot_num"] for a in olds] == [a["slot_num"] for a in news]
    for old_client, client in zip(olds, news):
        check_hosted(name, new["lpar_id"], client,
                     (old_client, server_adapter(old_vioses, old_client),
                      old_vioses[old_client["remote_lpar_name"]]), new_vioses)
    count = sum(a["remote_lpar_name"] == name for v in new_vioses.values()
                for a in v["adapters"])
    assert count == len(news), (count, news)
    # Multipath: what were two servers are two
    assert len({a["remote_lpar_name"] for a in news}) == \
        len({a["remote_lpar_name"] for a in olds})
    rest = {"virtual_adapters"}
    assert {k: v for k, v in new["config"].items() if k not in rest} == \
        {k: v for k, v in old["config"].items() if k not in rest}
    assert [a for a in new["config"]["virtual_adapters"]
            if a["adapter_type"] == "eth"] == \
        [a for a in old["config"]["virtual_adapters"]
         if a["adapter_type"] == "eth"]
