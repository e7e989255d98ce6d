# SPDX-License-Identifier: GPL-2.0-or-later
"""Good systems, and cases that break one rule of validation each.

A case says which check and code it is for, and what it changes.  Three partitions are
validated then: one that runs, one that is shut down, one that is suspended.  How severe
the finding has to be for each is what "hmc checks" says, unless the case says otherwise.
The cases are in broken_systems.py, broken_partitions.py and broken_daemons.py.
"""

import collections

import inventory

KINDS = {"active": "act", "inactive": "ina", "suspended": "sus"}
ALL = tuple(KINDS)
Case = collections.namedtuple("Case", "check code change severity options "
                              "npiv vnic prepare about")
SYSTEMS, CONFIGS, SETUPS = [], [], []


class Systems:
    """Descriptions of both systems; the partitions are on A."""

    def __init__(self, npiv=False, vnic=False):
        parts = [inventory.partition(name, 31 + number, npiv=npiv, vnic=vnic,
                                     activate=name != "ina",
                                     activated=True)
                 for number, name in enumerate(KINDS.values())]
        pair = inventory.pair(parts)
        self.a, self.b = pair["A"], pair["B"]
        self.parts = self.a["partitions"]

    def pair(self):
        return {"A": self.a, "B": self.b}

    def vioses(self, system):
        return getattr(self, system)["vioses"]

    def luns(self, server):
        """LUNs of a VIOS that back the partitions."""
        return [lun for lun in server["luns"]
                if lun["udid"].startswith("UDID")]

    def logins(self, server):
        return [login for port in server["fc_ports"] for login in
                port["logins"] if login["luns"][:1] and
                login["luns"][0].startswith("NPIV")]

    def servers(self, server, kind):
        """Server adapters of a VIOS for the partitions."""
        return [a for a in server["adapters"] if a["adapter_type"] == kind]

    def configs(self):
        return [p["config"] for p in self.parts]


def case_of(cases, check, code, severity=None, options=(), npiv=False,
            vnic=False, prepare=None, about=None):
    def decorate(function):
        cases.append(Case(check, code, function, severity or {}, options,
                          npiv, vnic, prepare, about or function.__doc__))
        return function
    return decorate


def system(*arguments, **named):
    """A case that changes the description of the systems."""
    return case_of(SYSTEMS, *arguments, **named)


def config(*arguments, **named):
    """A case that changes a partition's config."""
    return case_of(CONFIGS, *arguments, **named)


def setup(*arguments, **named):
    """A case of daemons, sockets and the console file; returns a Console."""
    return case_of(SETUPS, *arguments, **named)


def only(**severity):
    """These kinds have a finding, the others none."""
    return {kind: severity.get(kind, "-") for kind in ALL}
