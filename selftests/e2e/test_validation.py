#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Validation: each rule, broken alone, is found with its code; nothing else is.

The cases are in lib/broken.py.
"""

import concurrent.futures
import copy
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import broken_daemons  # noqa: E402
import broken_partitions  # noqa: E402,F401
import broken_systems  # noqa: E402
import inventory  # noqa: E402
import lpm  # noqa: E402
import tap  # noqa: E402
from broken import (ALL, CONFIGS, KINDS, SETUPS, SYSTEMS,  # noqa: E402
                    Systems)
from console import OPERATOR, STRANGER, Console, describe  # noqa: E402

suite = tap.Suite()
WORKERS = 4
PREDICTED = ("LPM0601", "LPM0602", "LPM0603")
HEADINGS = {"Errors:": "error", "Warnings:": "warning"}


def suspend(lab):
    lab.a.phyp("partition.suspend", name="sus")


def read(text):
    """What standard error says: code -> (severity, lines)."""
    found, severity, last = {}, None, None
    for line in text.splitlines():
        if line in HEADINGS:
            assert HEADINGS[line] not in [f[0] for f in found.values()], text
            severity = HEADINGS[line]
        elif line.startswith("    "):
            last.append(line)
        else:
            code = re.match(r"(?:HSC|LPM)\w+(?= )", line)
            assert code and severity, text
            last = found.setdefault(code.group(0), (severity, []))[1]
            last.append(line)
            assert found[code.group(0)][0] == severity, text
    return found


def validate(console, name, *options, predicted=None):
    """What was found, and all that was said.

    @predicted: code of the prediction that is wanted; what it warns of besides
        depends on the machine
    """
    done = console.run("migrlpar", "-o", "v", "-m", "A", "-t", "B", "-p", name,
                       *options)
    found = read(done.stderr)
    errors = [c for c, (severity, _) in found.items() if severity == "error"]
    assert done.returncode == (1 if errors else 0), done
    assert not errors or "suggested" not in done.stdout, done.stdout
    return {c: severity for c, (severity, _) in found.items()
            if c == predicted or c not in PREDICTED}, done


def catalogue(console, what):
    done = console.run("hmc", what, "--json")
    assert done.returncode == 0 and not done.stderr, done
    return json.loads(done.stdout)


def severities(console, case):
    """What the case's finding has to be, by kind."""
    row = next(r for r in catalogue(console, "checks")
               if r["name"] == case.check)
    assert case.code in row["codes"].split(","), (case.code, row)
    return {kind: case.severity.get(kind, row[kind]) for kind in ALL}


def try_case(console, case, wrong):
    """Validate all three; what is not as it should be is added to @wrong."""
    for kind, severity in severities(console, case).items():
        want = {} if severity == "-" else {case.code: severity}
        found, done = validate(console, KINDS[kind], *case.options,
                               predicted=case.code)
        if found != want:
            wrong.append("%s, %s (%s): %r, not %r: %s" % (
                case.check, case.about or case.code, kind, found, want,
                done.stderr))
        elif want:
            line = next(t for t in done.stderr.splitlines()
                        if t.startswith(case.code))
            # What was found; what was expected; what to do
            assert line.endswith(".") and len(line) > 60, line


# ---- The tests ----

@suite.test("the good descriptions give nothing, as they are shipped")
def _():
    pair = inventory.pair()
    with lpm.Lab(systems=pair) as lab:
        console = Console(lab)
        names = [p["name"] for p in pair["A"]["partitions"]]
        assert len(names) >= 3, names
        for name in names:
            found, done = validate(console, name)
            assert not found, done
            assert re.match(r'"suggested_virtual_(scsi|fc)_mappings=4/vios-B/'
                            r'102\S*,5/vios2-B/103\S*"\n$', done.stdout), done
        # For programs: an object a line
        done = console.run("migrlpar", "-o", "v", "-m", "A", "-t", "B", "-p",
                           names[0], "--json")
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert {"event": "mappings", "partition": names[0],
                "suggested_virtual_scsi_mappings":
                "4/vios-B/102,5/vios2-B/103"} in events, events
        lab.a.phyp("partition.suspend", name=names[0])
        found, done = validate(console, names[0])
        assert not found, done


@suite.test("active, inactive and suspended: good partitions give nothing")
def _():
    with lpm.Lab(systems=Systems(npiv=True, vnic=True).pair()) as lab:
        console = Console(lab)
        suspend(lab)
        states = [lab.a.partition_state(name) for name in KINDS.values()]
        assert states == ["Running", "Not Activated", "Hibernated"], states
        before = lab.a.phyp("system.inventory"), lab.b.phyp("system.inventory")
        for name in KINDS.values():
            found, done = validate(console, name, "--npivval", "portdisk",
                                   "-d", "5")
            assert not found, done
            for check in catalogue(console, "checks"):
                assert check["meaning"], check
        assert before == (lab.a.phyp("system.inventory"),
                          lab.b.phyp("system.inventory"))


def try_system(case):
    systems = Systems(npiv=case.npiv, vnic=case.vnic)
    case.change(systems)
    wrong = []
    with lpm.Lab(systems=systems.pair()) as lab:
        suspend(lab)
        if case.prepare:
            case.prepare(lab)
        try_case(Console(lab), case, wrong)
    return wrong


@suite.test("each rule about systems, their VIOSes, storage and networks")
def _():
    # They mostly wait for daemons to start
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        wrong = sum(pool.map(try_system, SYSTEMS), [])
    assert not wrong, "\n".join(wrong)


@suite.test("each rule about a partition, and what the user asks for")
def _():
    wrong = []
    with lpm.Lab(systems=Systems().pair()) as lab:
        console = Console(lab)
        suspend(lab)
        good = {name: lab.a.phyp("partition.config", name=name)
                for name in KINDS.values()}
        for case in CONFIGS:
            for name, was in good.items():
                changed = copy.deepcopy(was)
                case.change(changed)
                if changed != was:
                    lab.a.phyp("partition.configure", name=name,
                               config=changed)
            try_case(console, case, wrong)
            for name, was in good.items():
                restore(lab, name, was)
    assert not wrong, "\n".join(wrong)


def restore(lab, name, was):
    now = lab.a.phyp("partition.config", name=name)
    lab.a.phyp("partition.configure", name=name,
               config=dict(dict.fromkeys(set(now) - set(was)), **was))
    assert lab.a.phyp("partition.config", name=name) == was


@suite.test("each rule about daemons and movers")
def _():
    wrong = []
    with lpm.Lab(systems=Systems().pair()) as lab:
        suspend(lab)
        broken_daemons.prepare(lab)
        for case in SETUPS:
            console = case.change(lab)
            if console:
                try_case(console, case, wrong)
            broken_daemons.restore(lab)
        # And all is well again
        assert validate(Console(lab), "act")[0] == {}
    assert not wrong, "\n".join(wrong)


@suite.test("who may not ask is told so")
def _():
    with lpm.Lab(systems=Systems().pair()) as lab:
        if not lab.root:
            raise tap.Skip("only root can be somebody else")
        console = Console(lab)
        arguments = ["migrlpar", "-o", "v", "-m", "A", "-t", "B", "-p", "act"]
        done = console.run(*arguments, user=STRANGER)
        assert done.returncode == 1 and set(read(done.stderr)) == \
            {"HSCL350B"}, done
        done = console.run(*arguments, user=OPERATOR, group=lpm.GROUP)
        assert done.returncode == 0 and \
            set(read(done.stderr)) <= set(PREDICTED), done
        # Of a mover only
        os.chmod(lab.a.msp_path, 0o600)
        done = console.run(*arguments, user=OPERATOR, group=lpm.GROUP)
        assert done.returncode == 1 and set(read(done.stderr)) == \
            {"HSCL350B"}, done
        assert "Mover vios-A" in done.stderr, done.stderr


@suite.test("all findings in one run; errors and warnings apart; details")
def _():
    systems = Systems()
    broken_systems.unbridged(systems)
    systems.b["power_source"] = "battery"
    systems.a["power_source"] = "battery"
    with lpm.Lab(systems=systems.pair()) as lab:
        console = Console(lab)
        lab.a.phyp("partition.configure", name="act",
                   config={"vterm_open": True, "condition": "failed"})
        found, done = validate(console, "act", "--vlanbridge", "2")
        assert found == {"LPM0307": "error", "LPM0313": "error",
                         "LPM0323": "warning", "LPM0327": "warning"}, found
        lines = done.stderr.splitlines()
        assert lines[0] == "Errors:" and lines[4] == "Warnings:", lines
        # One line for each system
        assert [line[:7] for line in lines[1:4]] == ["LPM0307", "LPM0307",
                                                     "LPM0313"], lines
        assert lines[5:] and len(lines) == 7, lines
        # More with each level, and below the finding that they are about
        last = len(lines)
        for level in "1", "5":
            _, more = validate(console, "act", "--vlanbridge", "2", "-d",
                               level)
            text = more.stderr.splitlines()
            assert len(text) > last, text
            last = len(text)
            assert [t for t in text if not t.startswith("    ")] == lines, text
            assert text[2].startswith("    "), text
        assert "VLAN 200 of ETHERNET0: ent8 of VIOS vios-B" in more.stderr
        # Only what was found
        _, less = validate(console, "act", "--vlanbridge", "2", "--nodetails")
        text = less.stderr.splitlines()
        assert len(text) == len(lines), text
        for short, long in zip(text, lines):
            assert short == long or (short.endswith(".") and
                                     long.startswith(short[:-1]) and
                                     len(short) < len(long)), (short, long)
        # Warnings only: it could migrate
        lab.a.phyp("partition.configure", name="act",
                   config={"condition": "ok"})
        done = console.run("migrlpar", "-o", "v", "-m", "A", "-t", "B", "-p",
                           "act", "--vlanbridge", "2")
        assert done.returncode == 1 and "LPM0313" not in done.stderr, done


@suite.test("a mapping that the user wants is the one that is suggested")
def _():
    with lpm.Lab(systems=Systems(npiv=True).pair()) as lab:
        console = Console(lab)
        wanted = ("-i", '"virtual_scsi_mappings=4/vios2-B/,5//102/15",'
                  '"virtual_fc_mappings=8//103/14/fcs0"')
        found, done = validate(console, "act", *wanted)
        assert not found, done
        assert done.stdout == \
            '"suggested_virtual_scsi_mappings=4/vios2-B/103,5/vios-B/102",' \
            '"suggested_virtual_fc_mappings=8/vios2-B/103//fcs0,' \
            '9/vios-B/102//fcs0"\n', done.stdout
        # What is wanted cannot keep the layout
        found, done = validate(console, "act", "-i",
                               '"virtual_scsi_mappings=4/vios2-B/,'
                               '5/vios2-B/"')
        assert found == {"LPM0338": "error"}, done


@suite.test("lslparmigr -r virtualio tells what is possible, and what is suggested")
def _():
    with lpm.Lab(systems=Systems(npiv=True).pair()) as lab:
        console = Console(lab)
        rows = json.loads(console("lslparmigr", "-r", "virtualio", "-m", "A",
                                  "-t", "B", "--json", "--filter",
                                  "lpar_names=act,sus"))
        assert [r["name"] for r in rows] == ["act", "sus"], rows
        for row in rows:
            assert row["suggested_virtual_scsi_mappings"] == \
                "4/vios-B/102,5/vios2-B/103", row
            assert row["possible_virtual_scsi_mappings"] == \
                "4/vios-B/102,4/vios2-B/103,5/vios-B/102,5/vios2-B/103", row
            assert row["suggested_virtual_fc_mappings"] == \
                "8/vios-B/102//fcs0,9/vios2-B/103//fcs0", row
            # What it suggests, -i takes
            _, done = validate(console, row["name"], "-i", ",".join(
                '"%s=%s"' % (name, row["suggested_" + name])
                for name in ("virtual_scsi_mappings", "virtual_fc_mappings")))
            assert row["suggested_virtual_fc_mappings"] in done.stdout, done
        # Nothing is known of what is not described
        assert console("lslparmigr", "-r", "virtualio", "-m", "B", "-t",
                       "A") == "No results were found.\n"


@suite.test("several movers share the load: the least loaded one is chosen")
def _():
    pair = Systems().pair()
    with lpm.Lab(systems=pair) as lab:
        description = describe(lab)
        movers = description["systems"][0]["msps"]
        movers.append(dict(movers[0], name="vios2-A", lpar_id=103))
        lab.a.phyp("vios.change", name="vios2-A", msp=True)
        interposer = broken_daemons.Answers(lab, description)
        console = Console(lab, interposer.description)
        loads = iter(())

        def busy(answer):
            answer["result"]["operations"] = next(loads, 0)

        interposer.changed = {(lab.a.msp_path, "info"): busy}
        for order, want in (((3, 2, 0, 0), "vios2-A"), ((2, 3, 0, 0),
                            "vios-A"), ((2, 2, 0, 0), "vios-A"),
                            ((8, 7, 0, 0), "vios2-A")):
            loads = iter(order)
            _, done = validate(console, "act", "-v")
            assert "mover %s of system A is ready" % want in done.stdout, done


@suite.test("every check and every code of it has a case")
def _():
    with lpm.Lab(systems=Systems().pair()) as lab:
        console = Console(lab)
        checks = catalogue(console, "checks")
        messages = {m["code"]: m for m in catalogue(console, "messages")}
    have = {(c.check, c.code) for c in SYSTEMS + CONFIGS + SETUPS
            if set(c.severity.values()) != {"-"} or len(c.severity) < 3}
    # "who may not ask is told so"
    have |= {("system", "HSCL350B"), ("mover", "HSCL350B")}
    want = set()
    for check in checks:
        for code in check["codes"].split(","):
            want.add((check["name"], code))
            severity = messages[code]["severity"]
            found = {check[kind] for kind in ALL} - {"-"}
            assert severity == "error or warning" or found <= {severity} or \
                code == "LPM0345", (check, severity)
    assert have == want, have ^ want
    assert len(checks) == len({c["name"] for c in checks}) > 45, len(checks)


@suite.test("the catalogue of messages is what the sources say, and the page")
def _():
    with lpm.Lab(systems=Systems().pair()) as lab:
        console = Console(lab)
        messages = catalogue(console, "messages")
        checks = catalogue(console, "checks")
        lines = console("hmc", "messages").splitlines()
    known = [m["code"] for m in messages]
    assert len(known) == len(set(known)) == len(lines), known
    directory = os.path.join(lpm.TOP, "userspace/hmc")
    used = set()
    for name in sorted(os.listdir(directory)):
        if name in ("messages.c", "message.c") or not name.endswith(".c"):
            continue
        with open(os.path.join(directory, name), encoding="utf-8") as file:
            text = file.read()
        # A code is a literal, or one that was chosen from literals
        for code in re.findall(r"\bmessage\(([^,)]*),", text):
            assert code in ("code", "text_of(finding") or \
                re.fullmatch(r'"\w+"', code), (name, code)
        used |= set(re.findall(r'"((?:LPM\d{4}|HSC\w+))"', text))
    used.add("LPM0001")     # of usage_error()
    assert used == set(known), used ^ set(known)
    with open(os.path.join(lpm.TOP, "Documentation/console.rst"),
              encoding="utf-8") as file:
        page = file.read()
    rows = {code: " ".join(text.replace("``", "").split()) for code, text in
            re.findall(r"^``((?:LPM|HSC)\w+)`` +((?:.*\n)(?: {16}.*\n)*)",
                       page, re.M)}
    assert rows == {m["code"]: m["meaning"] for m in messages}, \
        [(m["code"], rows.get(m["code"])) for m in messages
         if rows.get(m["code"]) != m["meaning"]]
    check_page(page, checks)


def check_page(page, checks):
    """The table of what validation checks."""
    signs = {"error": "E", "warning": "W", "-": "\\-"}
    for check in checks:
        row = re.search(r"^``%s`` +(.*\n(?: {18}.*\n)*)" % check["name"], page,
                        re.M)
        assert row, check["name"] + " is not in the table"
        text = " ".join(row.group(1).split())
        assert text.startswith("%s %s %s " % tuple(signs[check[k]]
                                                   for k in ALL)), (check, text)
        for code in check["codes"].split(","):
            assert code in text, (check["name"], code)


lpm.main(suite)
