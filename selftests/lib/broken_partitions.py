# SPDX-License-Identifier: GPL-2.0-or-later
"""Partitions, and wishes, that break one rule of validation each (broken.py)."""

from broken import config, only


@config("condition", "LPM0313")
def _(c):
    c["condition"] = "crashed"


@config("type", "LPM0315")
def _(c):
    c["lpar_env"] = "vioserver"


@config("type", "LPM0315")
def _(c):
    """the management partition"""
    c["service_partition"] = True


@config("disabled", "LPM0316")
def _(c):
    c["migration_disabled"] = True


@config("os-version", "LPM0306")
def _(c):
    c.update(os="AIX", os_version="5.3")


@config("os-version", "LPM0306", only())
def _(c):
    """new enough"""
    c.update(os="AIX", os_version="6.1")


@config("partition-rmc", "LPM0325")
def _(c):
    c["rmc_state"] = "inactive"


def slot(required):
    return [{"drc_index": "21010010", "required": required}]


@config("physical-io", "LPM0317")
def _(c):
    c["profiles"][0]["io_slots"] = slot(True)


@config("physical-io", "LPM0317", only())
def _(c):
    """only desired"""
    c["profiles"][0]["io_slots"] = slot(False)


@config("lhea", "LPM0318")
def _(c):
    c["profiles"][0]["lhea_logical_ports"] = 1


@config("huge-pages", "LPM0319")
def _(c):
    c["profiles"][0]["desired_num_huge_pages"] = 4


@config("bsr", "LPM0320")
def _(c):
    c["profiles"][0]["bsr_arrays"] = 2


@config("error-path", "LPM0321")
def _(c):
    c["profiles"][0]["redundant_err_path_reporting"] = True


@config("workload-group", "LPM0322")
def _(c):
    c["profiles"][0]["work_group_id"] = 3


@config("terminal", "LPM0323")
def _(c):
    c["vterm_open"] = True


@config("profile", "LPM0324", options=("-n", "night"))
def _(c):
    """another one that there is"""
    c["profiles"].append(dict(c["profiles"][0], name="night"))


@config("profile", "LPM0324")
def _(c):
    """its current one, which says something else"""
    c["profiles"][0]["desired_mem"] += 1


@config("profile", "LPM0324", only(), options=("-n", "new"))
def _(c):
    """a new one"""
    c["profiles"][0]["desired_mem"] += 1


@config("network", "LPM0326")
def _(c):
    c["virtual_adapters"] = [a for a in c["virtual_adapters"]
                             if a["adapter_type"] != "eth"]


@config("dest-id", "LPM0314", options=("-i", "dest_lpar_id=102"))
def _(c):
    """that of a VIOS"""


@config("dest-id", "LPM0314", only(), options=("-i", "dest_lpar_id=500"))
def _(c):
    """one that is free"""


@config("processor-pool", "LPM0311",
        options=("-i", "shared_proc_pool_id=99"))
def _(c):
    """of -i"""


@config("redundant-msps", "LPM0344", options=("--redundantmsps", "1"))
def _(c):
    """there must be two pairs"""


@config("redundant-msps", "LPM0345",
        {"active": "warning", "suspended": "warning"},
        options=("--redundantmsps", "2"))
def _(c):
    """there may be two pairs"""


@config("mover", "LPM0343", options=("-i", "source_msp_name=vios2-A"))
def _(c):
    """its name"""


@config("mover", "LPM0343", options=("-i", "dest_msp_id=7"))
def _(c):
    """its id"""


@config("mover", "LPM0343", options=("-i", "dest_msp_ipaddr=192.0.2.1"))
def _(c):
    """its address"""


@config("mover", "LPM0343", only(),
        options=("-i", "source_msp_name=vios-A,dest_msp_id=102,"
                 "dest_msp_ipaddr=127.0.0.1"))
def _(c):
    """the one that there is"""
