#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The specification of the netlink family, against the headers."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import lpm  # noqa: E402
import smallyaml  # noqa: E402
import tap  # noqa: E402

suite = tap.Suite()


def read(path):
    with open(os.path.join(lpm.TOP, path), encoding="utf-8") as file:
        return file.read()


SPEC = smallyaml.load(read("Documentation/netlink/specs/vasi.yaml"))
NETLINK = "linux/vasi_netlink.h"


def enum(header, name):
    """Enumerators of a header: name -> number, without the one that counts them."""
    text = re.sub(r"/\*.*?\*/", "", read("uapi/" + header), flags=re.S)
    body = re.search(r"enum %s \{(.*?)\}" % name, text, re.S).group(1)
    result = {}
    number = -1
    for entry in re.findall(r"(\w+)(?:\s*=\s*(\w+))?\s*(?:,|$)", body.strip()):
        number = int(entry[1], 0) if entry[1] else number + 1
        result[entry[0]] = number
    return {n: v for n, v in result.items() if not n.startswith("__")}


def define(name):
    return re.search(r"^#define %s\s+\"?([\w]+)\"?$" % name,
                     read("uapi/" + NETLINK), re.M).group(1)


def constant(prefix, name):
    return (prefix + name).upper().replace("-", "_")


def numbered(entries, prefix, start):
    """Constants as the kernel's generator numbers them."""
    result = {}
    number = start - 1
    for entry in entries:
        entry = entry if isinstance(entry, dict) else {"name": entry}
        number = entry.get("value", number + 1)
        result[constant(prefix, entry["name"])] = number
    return result


@suite.test("family and group")
def _():
    assert SPEC["protocol"] == "genetlink"
    assert SPEC["uapi-header"] == NETLINK
    assert SPEC["name"] == define("VASI_FAMILY_NAME")
    # What a specification without "version" means
    assert define("VASI_FAMILY_VERSION") == str(SPEC.get("version", 1))
    groups = [group["name"] for group in SPEC["mcast-groups"]["list"]]
    assert groups == [define("VASI_MCGRP_EVENTS")]


@suite.test("enumerations")
def _():
    assert len(SPEC["definitions"]) == 4
    for definition in SPEC["definitions"]:
        here = numbered(definition["entries"], definition["name-prefix"],
                        definition.get("value-start", 0))
        there = enum(definition.get("header", NETLINK),
                     definition["enum-name"].replace("-", "_"))
        assert here == there, (definition["name"], set(here.items()) ^
                               set(there.items()))


@suite.test("attributes, and their types")
def _():
    sets = SPEC["attribute-sets"]
    assert len(sets) == 1
    attributes = sets[0]["attributes"]
    here = numbered(attributes, sets[0]["name-prefix"], 1)
    there = enum(NETLINK, sets[0]["enum-name"].replace("-", "_"))
    assert there.pop("VASI_A_UNSPEC") == 0
    assert here == there, set(here.items()) ^ set(there.items())
    enums = {d["name"]: d["enum-name"].replace("-", "_")
             for d in SPEC["definitions"]}
    for attribute in attributes:
        name = constant(sets[0]["name-prefix"], attribute["name"])
        said = re.search(r"^ \* @%s:\s+(\w+)(.*)$" % name, read("uapi/" + NETLINK),
                         re.M)
        if attribute["type"] == "pad":
            assert said.group(1) == "padding", name
            continue
        assert said.group(1) == attribute["type"], name
        named = re.search(r"enum (\w+)", said.group(2))
        assert (named and named.group(1)) == enums.get(attribute.get("enum")), name


@suite.test("commands, and what they carry")
def _():
    operations = SPEC["operations"]
    here = numbered(operations["list"], operations["name-prefix"], 1)
    there = enum(NETLINK, operations["enum-name"].replace("-", "_"))
    assert there.pop("VASI_CMD_UNSPEC") == 0
    assert here == there, set(here.items()) ^ set(there.items())

    known = {a["name"] for a in SPEC["attribute-sets"][0]["attributes"]}
    used = set()
    for operation in operations["list"]:
        if "dump" in operation:
            used.update(operation["dump"]["reply"]["attributes"])
            continue
        assert operation["mcgrp"] == "events", operation
        if "notify" in operation:
            assert operation["notify"] == operations["list"][0]["name"]
        else:
            used.update(operation["event"]["attributes"])
    assert used == known - {"pad"}, used ^ known


@suite.test("what the programs expect is what the commands carry")
def _():
    text = read("userspace/common/driver_nl_parse.c")
    sets = {name: value for name, value in
            re.findall(r"^#define (OF_\w+)\s+(.+)$", text, re.M)}

    def attributes(expression):
        for name, value in sets.items():
            if re.search(r"\b%s\b" % name, expression):
                yield from attributes(value)
        yield from (n.lower().replace("_", "-")
                    for n in re.findall(r"HAS\((\w+)\)", expression))

    table = re.findall(r"\[VASI_CMD_(\w+)\] = \{(.*?)\}", text, re.S)
    expected = {n.lower().replace("_", "-"): set(attributes(v)) for n, v in table}
    operations = {o["name"]: o for o in SPEC["operations"]["list"]}
    assert set(expected) == set(operations)
    for name, operation in operations.items():
        operation = operations.get(operation.get("notify"), operation)
        carried = (operation.get("event") or operation["dump"]["reply"])["attributes"]
        assert expected[name] == set(carried), (name, expected[name] ^ set(carried))


@suite.test("what is not of this part of YAML is refused")
def _():
    assert smallyaml.load("a: 1\nb:\n  - x\n  - [ y, 0x10 ]\nc: >-\n  d\n  e\n") == \
        {"a": 1, "b": ["x", ["y", 16]], "c": "d e"}
    for text in ("a: 'b'", "a: {b: c}", "a: &x b", "a:\n\tb: c", "a: b\na: c",
                 "a: |\n  b", "a:\nb: c", "a: b: c", "a: b\n  c: d", "- a\nb: c",
                 "  a: b\nc: d"):
        try:
            smallyaml.load(text)
        except smallyaml.Error:
            continue
        raise AssertionError("read: %r" % text)


lpm.main(suite)
