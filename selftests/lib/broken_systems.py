# SPDX-License-Identifier: GPL-2.0-or-later
"""Systems that break one rule of validation each (broken.py)."""

import inventory
import lpm
from broken import ALL, only, system

MIB = lpm.MIB


# ---- Systems ----

@system("capability", "LPM0301", only(active="error", suspended="error"))
def _(s):
    s.b["capabilities"].remove("active_lpar_mobility")


@system("capability", "LPM0301", only(inactive="error"))
def _(s):
    s.a["capabilities"].remove("inactive_lpar_mobility")


@system("capability", "LPM0301", only(suspended="error"))
def _(s):
    s.b["capabilities"].remove("lpar_suspend")


@system("system-state", "LPM0302")
def _(s):
    s.b["state"] = "Initializing"


@system("generation", "LPM0303")
def _(s):
    s.b["generation"] = 5


@system("edition", "LPM0304")
def _(s):
    s.a["mobility_edition"] = False


@system("battery", "LPM0307")
def _(s):
    s.a["power_source"] = "battery"


@system("vios-version", "LPM0305")
def _(s):
    s.vioses("b")[1]["version"] = "1.5.1.0"


@system("name", "LPM0103", only(active="error"), about="a VIOS has it")
def _(s):
    s.vioses("b").append(dict(s.vioses("b")[1], name="act", lpar_id=150,
                              msp=False, adapters=[], luns=[], fc_ports=[],
                              sriov_ports=[], seas=[]))


@system("vios", "LPM0341", about="its RMC connection")
def _(s):
    s.vioses("a")[1]["rmc_state"] = "inactive"


@system("vios", "LPM0341", about="it does not run")
def _(s):
    s.vioses("b")[1]["state"] = "Not Activated"


def arriving(lab):
    lab.b.phyp("partition.create", name="other", memory=MIB,
               program=lpm.program(1, MIB), arriving="00000000000000e1",
               peer="A")


@system("inactive-migrations", "LPM0308", prepare=arriving)
def _(s):
    s.b["num_inactive_migrations_supported"] = 1


@system("activated", "LPM0312")
def _(s):
    del s.parts[1]["config"]["activated"]


@system("memory", "LPM0104")
def _(s):
    s.b["memory"] = 16
    for part in s.parts:
        part["memory"] = 32 * MIB
        part["config"]["profiles"][0].update(desired_mem=32, max_mem=64)


@system("region-size", "LPM0105")
def _(s):
    s.b["mem_region_size"] = 32


@system("processors", "LPM0310")
def _(s):
    s.b["configurable_sys_proc_units"] = 0.4


def occupy(lab):
    other = inventory.partition("other", 77)
    config_of = other["config"]
    config_of["virtual_adapters"] = []
    config_of["profiles"][0].update(desired_proc_units=1.5)
    lab.b.phyp("partition.create", name="other", memory=8 * MIB,
               program=other["program"], config=config_of)
    lab.b.phyp("partition.activate", name="other")


@system("processors", "LPM0310", prepare=occupy, about="others have them")
def _(s):
    s.b["configurable_sys_proc_units"] = 1.75


@system("processor-pool", "LPM0311")
def _(s):
    s.a["shared_proc_pools"].append({"shared_proc_pool_id": 7, "name": "Seven",
                                     "max_pool_proc_units": 4})
    for part in s.configs():
        part["profiles"][0]["shared_proc_pool_id"] = 7


@system("compat-mode", "LPM0309", only(active="error", suspended="error"))
def _(s):
    """the mode that they run in"""
    s.b["lpar_proc_compat_modes"].remove("POWER9")


@system("compat-mode", "LPM0309")
def _(s):
    """the mode that they want"""
    s.a["lpar_proc_compat_modes"].append("POWER11")
    for part in s.configs():
        part["profiles"][0]["lpar_proc_compat_mode"] = "POWER11"


# ---- Networks ----

def other_vswitch(s):
    s.b["virtual_switches"][0]["name"] = "OTHER"
    for server in s.vioses("b"):
        for sea in server["seas"]:
            sea["vswitch"] = "OTHER"


@system("vswitch", "LPM0328")
def _(s):
    other_vswitch(s)


@system("vswitch", "LPM0328", only(),
        options=("-i", "vswitch_mappings=2/OTHER"))
def _(s):
    """another one is named"""
    other_vswitch(s)


def unbridged(s):
    for server in s.vioses("b"):
        server["seas"][0]["addl_vlan_ids"].remove(200)


@system("vlan", "LPM0327")
def _(s):
    unbridged(s)


@system("vlan", "LPM0327", {"active": "warning", "suspended": "warning"},
        options=("--vlanbridge", "2"))
def _(s):
    """overridden"""
    unbridged(s)


@system("vlan", "LPM0327", {"active": "warning", "suspended": "warning"},
        options=("--force",))
def _(s):
    """forced"""
    unbridged(s)


@system("vlan", "LPM0327")
def _(s):
    """bridged by adapters that have failed"""
    for server in s.vioses("b"):
        server["seas"][0]["state"] = "failed"


@system("vlan", "LPM0327", only())
def _(s):
    """one of two has failed"""
    s.vioses("b")[0]["seas"][0]["state"] = "failed"


# ---- Virtual SCSI ----

@system("scsi-server", "LPM0329")
def _(s):
    for adapter in s.servers(s.vioses("a")[0], "scsi"):
        adapter["remote_slot_num"] += 50


@system("scsi-backing", "LPM0330")
def _(s):
    """a logical volume"""
    for lun in s.luns(s.vioses("a")[1]):
        lun["type"] = "lv"


@system("scsi-backing", "LPM0330")
def _(s):
    """a file"""
    for lun in s.luns(s.vioses("a")[0]):
        lun["type"] = "file"


@system("scsi-backing", "LPM0330")
def _(s):
    """nothing"""
    for adapter in s.servers(s.vioses("a")[0], "scsi"):
        adapter["backing_devices"] = []


@system("reserve-policy", "LPM0331")
def _(s):
    """on the source"""
    for lun in s.luns(s.vioses("a")[0]):
        lun["reserve_policy"] = "single_path"


@system("reserve-policy", "LPM0331")
def _(s):
    """on the target"""
    for lun in s.luns(s.vioses("b")[1]):
        lun["reserve_policy"] = "PR_exclusive"


def unseen(s, *servers):
    for server in servers:
        server["luns"] = [lun for lun in server["luns"]
                          if not lun["udid"].startswith("UDID")]


@system("scsi-target", "LPM0332")
def _(s):
    unseen(s, *s.vioses("b"))


# ---- Virtual Fibre Channel ----

@system("fc-server", "LPM0333", npiv=True)
def _(s):
    for adapter in s.servers(s.vioses("a")[1], "fc"):
        adapter["remote_slot_num"] += 50


@system("fc-disk", "HSCLA27C", npiv=True)
def _(s):
    for login in s.logins(s.vioses("a")[0]):
        login["luns"] = []


@system("fc-host", "HSCLA319", npiv=True)
def _(s):
    """without NPIV"""
    for server in s.vioses("b"):
        server["fc_ports"][0]["npiv"] = False


@system("fc-host", "HSCLA319", npiv=True)
def _(s):
    """all of its virtual ports are used"""
    for server in s.vioses("b"):
        server["fc_ports"][0]["max_ports"] = 1
        server["adapters"].append({
            "slot_num": 90, "adapter_type": "fc", "remote_lpar_name": "x",
            "remote_lpar_id": 90, "remote_slot_num": 9, "fc_port": "fcs0"})


@system("fc-zoning", "LPM0334", npiv=True)
def _(s):
    for server in s.vioses("b"):
        port = server["fc_ports"][0]
        # The second of each pair
        port["logins"] = [login for login in port["logins"]
                          if int(login["wwpn"], 16) % 2 == 0]


@system("fc-transfer-size", "LPM0335", npiv=True)
def _(s):
    for server in s.vioses("b"):
        server["fc_ports"][0]["max_xfer_size"] = 262144


def other_disks(s):
    for server in s.vioses("b"):
        for login in s.logins(server):
            login["luns"] = ["OTHER"]


@system("fc-same-disks", "LPM0336", npiv=True,
        options=("--npivval", "portdisk"))
def _(s):
    other_disks(s)


@system("fc-same-disks", "LPM0336", only(), npiv=True,
        options=("--npivval", "port"))
def _(s):
    """not asked for"""
    other_disks(s)


# ---- Mappings ----

@system("vnic", "LPM0339", vnic=True)
def _(s):
    for server in s.vioses("b"):
        server["sriov_ports"] = []


@system("slots", "LPM0337")
def _(s):
    for server in s.vioses("b"):
        server["max_virtual_slots"] = 12
        server["adapters"].append({
            "slot_num": 11, "adapter_type": "scsi", "remote_lpar_name": "x",
            "remote_lpar_id": 90, "remote_slot_num": 9,
            "backing_devices": [server["luns"][0]["name"]]})


def one_vios(s):
    unseen(s, s.vioses("b")[1])


@system("multipath", "LPM0338")
def _(s):
    one_vios(s)


@system("multipath", "LPM0338", dict.fromkeys(ALL, "warning"),
        options=("--mpio", "2"))
def _(s):
    """it may be lost"""
    one_vios(s)


@system("multipath", "LPM0338", dict.fromkeys(ALL, "warning"),
        options=("--force",))
def _(s):
    """forced"""
    one_vios(s)


@system("multipath", "LPM0338", options=("--force", "--redundantvios", "1"))
def _(s):
    """it may not"""
    one_vios(s)


@system("multipath", "LPM0338", dict.fromkeys(ALL, "warning"),
        options=("--redundantvios", "0"))
def _(s):
    """it is not wanted"""


@system("mapping", "LPM0340",
        options=("-i", "virtual_scsi_mappings=4/nobody/"))
def _(s):
    """there is no such VIOS"""


@system("mapping", "LPM0340",
        options=("-i", "virtual_scsi_mappings=9/vios-B/102"))
def _(s):
    """there is no such adapter"""


@system("mapping", "LPM0340",
        options=("-i", "virtual_scsi_mappings=4/vios-B/102/400"))
def _(s):
    """the VIOS has no such slot"""


@system("mapping", "LPM0340", npiv=True,
        options=("-i", "virtual_fc_mappings=8//103//fcs9"))
def _(s):
    """there is no such port"""
