#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile input to every command: refused in one clear line, nothing changed.

Shell metacharacters, control characters, text that is not UTF-8, arguments of a
megabyte, files of all kinds, daemons that answer nonsense, users without
authority.  The sockets themselves are test_hostile.py's.
"""

import concurrent.futures
import contextlib
import json
import os
import re
import signal
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import lpm  # noqa: E402
import tap  # noqa: E402
from console import (  # noqa: E402
    PROGRAMS, STRANGER, Console, codes, describe, make, unchanged)

MIB = lpm.MIB
suite = tap.Suite()

# What a word of a command line may be, at worst.  Linux takes 128 KiB in one
METACHARACTERS = "$(reboot);`id`|a&b>c<d*?'\"%n"
LONG = "x" * 131000
HOSTILE = ["", METACHARACTERS, "../../etc/passwd", "a\nb", "\x1b[31mred",
           "\u009b31mred", b"\xff\xfe\x80", "x" * 5000, LONG]
# These can be nothing that is meant
NEVER = [h for h in HOSTILE if h not in ("", METACHARACTERS,
                                         "../../etc/passwd")]
IDENTITY = "SHA256:" + "0123456789abcdef" * 4
# Of a message; a daemon's log line has time, program and level in front
MESSAGE = re.compile(r"[\x20-\x7e]{1,2100}")
HINT = re.compile(r"Try '[\w-]+ --help'\.")


# Of what a validation found
HEADINGS = ("Errors:", "Warnings:")


def told(done, what):
    """What a command said: one clean line, perhaps a hint.  It must have failed."""
    assert done.returncode in (1, 2), (what, done.returncode, done.stderr[-500:])
    assert not done.stdout, (what, done.stdout[-500:])
    lines = [line for line in done.stderr.rstrip("\n").split("\n")
             if not HINT.fullmatch(line) and line not in HEADINGS]
    assert lines and all(MESSAGE.fullmatch(line) for line in lines), \
        (what, lines)
    return lines


def names(text, bad):
    """Does a message name what was wrong: the beginning of it, or the argument?"""
    if isinstance(bad, bytes) or not bad.isprintable() or not bad.isascii() \
            or len(bad) > 4096:
        return re.search(r'argument \d+ |"?\?|"x{30}', text) is not None
    return '"%s' % bad[:20] in text or bad[:20] in text


class Commands:
    """Runs many command lines against a lab, several at a time.

    Between them the lab must not change.
    """

    def __init__(self, lab):
        self.lab = lab
        self.console = Console(lab)
        make(lab, memory=16 * MIB, name="busy",
             program=lpm.program(600, MIB))
        make(lab, activate=False, memory=16 * MIB, name="still")
        self.move = make(lab, memory=32 * MIB, program=lpm.program(600, MIB))
        self.console("migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p",
                     self.move.name, "--async", "--limit", "1K")
        self.move.stream_id = \
            lab.a.phyp("stream.list")["streams"][0]["stream_id"]
        for system in lab.systems:
            lpm.until("it moves", lambda s=system: s.msp("list")["moves"][0]["phase"]
                      == "moving")
        self.before = unchanged(lab)

    def refused(self, orders, check=lambda order, lines: None):
        """Each of @orders (a list of words) must fail; @check looks at the lines."""
        def run(order):
            try:
                lines = told(self.console.run(*order), [w[:40] for w in order])
                check(order, lines)
            except AssertionError as error:
                return str(error)
            return None
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            wrong = [text for text in pool.map(run, orders) if text]
        assert not wrong, "%d: %s" % (len(wrong), "\n".join(wrong[:20]))
        after = unchanged(self.lab)
        assert after == self.before, (self.before, after)


def with_each(bad_words, *templates):
    """Command lines, with each bad word in the place of None."""
    return [[bad if word is None else word for word in template]
            for template in templates for bad in bad_words]


def naming(bad_words):
    """A check that one line names the bad word, and the limit if it is too long."""
    def check(order, lines):
        bad = next(word for word in order if word in bad_words)
        text = " ".join(lines)
        assert not bad or names(text, bad), (bad[:40], text)
        if len(bad) > 4096 and not text.startswith("LPM"):
            assert "4096" in text, text
    return check


@suite.test("the console's commands")
def _():
    with lpm.Lab() as lab:
        commands = Commands(lab)
        migrate = ["migrlpar", "-m", "A", "-t", "B", "--id", "1", "-o"]
        orders = with_each(
            HOSTILE,
            ["migrlpar", "-o", "v", "-m", "A", "-t", "B", "-p", None],
            ["migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p", None],
            ["migrlpar", "-o", "s", "-m", "A", "-p", None],
            ["migrlpar", "-o", "r", "-m", "A", "-p", None],
            ["migrlpar", "-o", "m", "-m", None, "-t", "B", "-p", "busy"],
            ["migrlpar", "-o", "m", "-m", "A", "-t", None, "-p", "busy"],
            ["migrlpar", "-o", "m", "-m", "A", "-t", "B", "--id", None],
            migrate + [None], migrate + ["m", "-w", None],
            migrate + ["v", "-d", None], migrate + ["m", "--limit", None],
            migrate + ["m", "--downtime", None], migrate + ["m", None],
            migrate + ["v", "-i", None],
            migrate + ["v", "-f", None], migrate + ["v", "-n", None],
            migrate + ["v", "--ip", None], migrate + ["v", "--ip", "host", "-u", None],
            migrate + ["v", "--npivval", None], migrate + ["v", "--mpio", None],
            migrate + ["v", "--vlanbridge", None],
            migrate + ["v", "--redundantvios", None],
            migrate + ["v", "--redundantmsps", None],
            ["migrlpar", "-o", "v", "-m", "A", "-t", "B", "-p", "busy", "-p", None],
            ["migrlpar", "-o", "set", "-m", "A", "-r", None, "-i", "limit=1"],
            ["migrlpar", "-o", "set", "-m", "A", "-r", "lpar", "-p", "busy", "-i", None],
            ["lpmtop", "--once", "-m", None], ["lpmtop", "--once", "--interval", None],
            ["lpmtop", None],
            ["lslparmigr", "-r", None, "-m", "A"],
            ["lslparmigr", "-r", "lpar", "-m", None],
            ["lslparmigr", "-r", "msp", "-m", "A", "-t", None],
            ["lslparmigr", "-r", "lpar", "-m", "A", "--filter", None],
            ["lssyscfg", "-r", None], ["lssyscfg", "-r", "sys", "-m", None],
            ["lshwres", "-r", "mem", "--level", None, "-m", "A"],
            ["lshwres", "-r", "mem", "--level", "sys", "-m", None],
            ["chlparstate", "-o", None, "-m", "A", "-p", "busy"],
            ["chlparstate", "-o", "suspend", "-m", None, "-p", "busy"],
            ["chlparstate", "-o", "resume", "-m", "A", "-p", None],
            ["chlparstate", "-o", "resume", "-m", "A", "--id", None],
            ["lshmc", None], ["lshmcusr", "--filter", None], ["lshmcusr", "-t", None],
            ["hmcrelay", None], ["mkauthkeys", "-a", None], ["mkauthkeys", "-r", None],
            ["mkauthkeys", "--test", "--ip", None], ["hmcsh", None],
            ["mkauthkeys", "--test", "--ip", "x", "-u", None],
            ["lsrefcode", "-r", "lpar", "-m", "A", "-n", None],
            ["lssyscfg", "-r", "prof", "-m", "A", "--filter", None],
            ["lshwres", "-r", "virtualio", "--rsubtype", None, "--level",
             "lpar", "-m", "A"],
            ["chsyscfg", "-r", None, "-m", "A", "-i", "name=busy,time_ref=1"],
            ["chsyscfg", "-r", "lpar", "-m", None, "-i",
             "name=busy,time_ref=1"],
            ["chsyscfg", "-r", "lpar", "-m", "A", "-i", None],
            ["chsyscfg", "-r", "lpar", "-m", "A", "-f", None],
            ["mksyscfg", "-r", "lpar", "-m", "A", "-i", None],
            ["mksyscfg", "-r", "lpar", "-m", "A", "-f", None],
            ["chsysstate", "-r", "lpar", "-m", "A", "-o", None, "-n", "busy"],
            ["chsysstate", "-r", "lpar", "-m", "A", "-o", "shutdown", "-n",
             None],
            ["chsysstate", "-r", "lpar", "-m", "A", "-o", "on", "--id", None],
            ["rmsyscfg", "-r", "lpar", "-m", "A", "-n", None],
            ["rmsyscfg", "-r", "lpar", "-m", "A", "--id", None],
            ["hmc", None])
        # Without a list -F shows all
        orders += with_each([h for h in HOSTILE if h],
                            ["lslparmigr", "-r", "lpar", "-m", "A", "-F", None])

        def check(order, lines):
            assert codes("\n".join(lines)), (order, lines)
        commands.refused(orders, check)


@suite.test("mspctl")
def _():
    with lpm.Lab() as lab:
        commands = Commands(lab)
        to = ["mspctl", "-S", lab.a.msp_path]
        # The stream that moves, and one that might
        moving, other = commands.move.stream_id, lab.next_id()
        source = to + ["start", other, "source", "--peer-id", lab.b.identity,
                       "--peer"]
        target = to + ["start", other, "target", "--peer-id", lab.b.identity]
        orders = with_each(
            HOSTILE,
            to + [None], to + [None, moving], to + ["status", None], to + ["wait", None], to + ["suspend", None],
            to + ["stop", None], to + ["limit", None, "1"],
            to + ["limit", moving, None],
            to + ["start", None, "target", "--peer-id", lab.b.identity],
            to + ["start", other, None, "--peer-id", lab.b.identity],
            to + ["start", other, "target", "--peer-id", None],
            source + [None], source + ["127.0.0.1:9", "--device", None],
            source + ["127.0.0.1:9", "--limit", None],
            source + ["127.0.0.1:9", "--downtime", None],
            source + ["127.0.0.1:9", "--passes", None],
            source + ["127.0.0.1:9", "--suspend-after", None],
            target + ["--listen", None], target + ["--device", None],
            target + ["--sessions", None], target + ["--connections", None],
            to + ["wait", moving, "--phase", None],
            to + ["wait", moving, "--timeout", None],
            ["mspctl", "-S", None, "info"])
        commands.refused(orders, naming(HOSTILE))
        commands.refused([to + ["--" + METACHARACTERS], to + ["--" + "x" * 4000],
                          to + ["suspend", moving, "--sessions", "1"],
                          to + ["limit", moving, "1", "--json", "1"]] +
                         with_each(HOSTILE, to + ["info", None],
                                   to + ["check", None]))
        commands.refused([["mspctl"] + ["y" * 131000] * 8])


@suite.test("phypctl")
def _():
    with lpm.Lab() as lab:
        commands = Commands(lab)
        to = ["phypctl", "-S", lab.a.phyp_path]
        moving = commands.move.stream_id
        orders = with_each(
            HOSTILE,
            to + [None], to + ["create", None],
            to + ["reserve", None], to + ["stream-create", None],
            to + ["activate", None], to + ["shutdown", None],
            to + ["remove", None], to + ["show", None], to + ["wait", None],
            to + ["wait", "busy", None], to + ["wait", "busy", "moved", None],
            to + ["digest", None], to + ["compare", None, "/etc/passwd"],
            to + ["compare", "busy", None], to + ["stream-show", None],
            to + ["stream-cancel", None], to + ["stream-end", None],
            to + ["verdict", None],
            to + ["recover", None, "--target", lab.b.phyp_path],
            to + ["recover", moving, "--target", None],
            to + ["recover", moving, None, lab.b.phyp_path],
            to + ["event", None, "1"], to + ["event", "msp0", None],
            to + ["call", None], ["phypctl", "-S", None, "info"])
        # What a file holds is told, not its name; and it is there
        orders = [o for o in orders if "../../etc/passwd" not in o or
                  o[3] not in ("create", "reserve", "stream-create", "compare")]
        commands.refused(orders, naming(HOSTILE))
        # JSON on the command line may be long, and have lines
        commands.refused(with_each(
            HOSTILE + ["[" * 100000, "[" * 100, '{"a":' * 40 + "1" + "}" * 40,
                       '{"a": "%s"}' % ("x" * 70000), "7", "null", '"a"',
                       '{"a": 1, "a": 2}', '{"name": "\\u0000"}'],
            to + ["call", "partition.show", None]))
        commands.refused([to + ["--" + METACHARACTERS], to + ["recover", moving],
                          to + ["recover", moving, "--target"],
                          ["phypctl"] + ["y" * 131000] * 8] +
                         with_each(HOSTILE, to + ["info", None]))


def files(lab, texts):
    """Files with these texts, and what else a path may lead to."""
    paths = [lab.file("bad%d" % number, text)
             for number, text in enumerate(texts)]
    fifo = os.path.join(lab.directory, "fifo")
    os.mkfifo(fifo, 0o666)
    return paths, [fifo, "/tmp", lab.a.link_path, "/nowhere"]


@suite.test("descriptions for phypctl: megabytes, depth, text that is none")
def _():
    with lpm.Lab() as lab:
        commands = Commands(lab)
        to = ["phypctl", "-S", lab.a.phyp_path]
        deep = b'{"a":' * 100 + b"1" + b"}" * 100
        texts = [b"", b"x", b"{}", b"[]", b"7", b"\xff\xfe", b"{\"a\": \"\xff\"}",
                 b"{\"name\": \"a\nb\"}", b"[" * 60000, deep,
                 b'{"name": "%s"}' % (b"x" * 60000), b" " * MIB,
                 b'{"name": "%s"}' % (b"x" * MIB), b"\0" * 100,
                 json.dumps({"name": METACHARACTERS, "memory": 1 << 62}).encode(),
                 json.dumps({"name": "\x1b[31m", "memory": MIB}).encode(),
                 json.dumps({"name": "../../x", "memory": MIB}).encode()]
        good, others = files(lab, texts)
        # A FIFO waits for its writer, as for any program
        for word in ("create", "reserve", "stream-create"):
            commands.refused([to + [word, path] for path in good + others[1:]])
        for size, limit in ((60000, "255"), (MIB, "65536")):
            done = commands.console.run(
                *(to + ["create", "-"]), stdin='{"name": "%s"}' % ("x" * size))
            text = " ".join(told(done, size))
            assert limit in text or "31" in text, text
        done = commands.console.run(*(to + ["create", "-"]), stdin=deep.decode())
        assert "101 levels deep; limit 32" in done.stderr, done.stderr


def daemon_orders(name, base, numbers, texts, hostile=HOSTILE):
    """Command lines of a daemon that cannot start in any case."""
    orders = with_each(hostile, *[[name] + base + ["--" + n, None]
                                  for n in numbers])
    return orders + with_each(NEVER, *[[name] + base + ["--" + t, None]
                                       for t in texts])


def options_of(console, name):
    """Long options that take a value, as --help tells them."""
    text = console.run(name, "--help").stdout
    return set(re.findall(r"^ +(?:-\w, )?--([a-z-]+)(?:=|(?: [A-Z=]+)?  )", text,
                          re.M))


@suite.test("mspd's command line")
def _():
    with lpm.Lab() as lab:
        commands = Commands(lab)
        base = ["--vasi", "/nowhere/vasi", "--socket", "/nowhere/socket",
                "--tls-dir", lab.a.tls_dir]
        texts = {"vasi", "socket", "tls-dir", "config", "listen", "user",
                 "tls-ciphersuites"}
        known = options_of(commands.console, "mspd")
        numbers = known - texts - {"init", "name", "days", "help", "version"}
        assert texts <= known and len(numbers) > 15, known

        def check(order, lines):
            naming(HOSTILE)(order, lines)
            option = order[-2].lstrip("-")
            assert any(option in line or option.replace("-", "_") in line or
                       "argument" in line for line in lines), (order, lines)
        commands.refused(daemon_orders("mspd", base, numbers | {"listen"},
                                       texts), check)
        empty = [["mspd"] + base + ["--" + t, ""] for t in texts - {"config"}]
        commands.refused(empty, lambda order, lines: check(order, lines))
        commands.refused([
            ["mspd", METACHARACTERS], ["mspd", "--" + METACHARACTERS],
            ["mspd"], ["mspd"] + base + ["--name", "x"],
            ["mspd"] + base + ["--days", "1"],
            ["mspd"] + ["--vasi", "x"] * 17 + base,
            ["mspd"] + ["y" * 131000] * 8] + with_each(
                NEVER + [""], ["mspd", "--tls-dir", lab.directory + "/new",
                               "--init", "--name", None]) + with_each(
                HOSTILE, ["mspd", "--tls-dir", lab.directory + "/new",
                          "--init", "--days", None]))
        assert not os.path.exists(lab.directory + "/new/key.pem")


@suite.test("mspd's configuration file")
def _():
    with lpm.Lab() as lab:
        commands = Commands(lab)
        base = ["--vasi", "/nowhere/vasi", "--socket", "/nowhere/socket",
                "--tls-dir", lab.a.tls_dir, "--config"]
        cases = (
            (b"x\n", "expected"), (b"colour = red\n", "colour"),
            (b"\x1b[31m = 1\n", "unknown key"),
            (b"workers = \x1b[31m\n", "0x1b"),
            (b"workers = \xff\n", "UTF-8"), (b"workers = 0\n", "1 to 64"),
            (b"workers = 1\0\n", "NUL"), (b"\0" * MIB, "NUL"),
            (b"# " + b"x" * MIB, "1022"), (b"= 1\n", "unknown key"),
            (b"listen = $(reboot)\n", "listen"), (b"user =\n", "user"),
            (b"vasi = x\n" * 20, "16"))
        paths, others = files(lab, [text for text, _ in cases])
        for path, (_, what) in zip(paths, cases):
            def check(order, lines, what=what):
                assert len(lines) == 1 and what in lines[0] and (
                    path in lines[0] or "listen" in lines[0]), (lines, what)
            commands.refused([["mspd"] + base + [path]], check)
        for path in others:
            def named(order, lines, path=path):
                assert len(lines) == 1 and path in lines[0], lines
            commands.refused([["mspd"] + base + [path]], named)


@suite.test("vasi-phypd's command line")
def _():
    with lpm.Lab() as lab:
        commands = Commands(lab)
        state = os.path.join(lab.directory, "no-state")
        base = ["--state-dir", state, "--device", "d=/nowhere/device",
                "--socket", "/nowhere/socket"]
        known = options_of(commands.console, "vasi-phypd")
        texts = {"name", "socket", "state-dir"}
        plain = {"no-indirect", "no-dirty-map", "dirty-map-echo",
                 "fault-injection", "help", "version"}
        assert texts <= known, known

        def check(order, lines):
            naming(HOSTILE)(order, lines)
            option = order[-2].lstrip("-")
            assert any(option in line or "argument" in line
                       for line in lines), (order, lines)
        commands.refused(daemon_orders("vasi-phypd", base,
                                       known - texts - plain, texts), check)
        commands.refused([
            ["vasi-phypd"], ["vasi-phypd", METACHARACTERS],
            ["vasi-phypd"] + base + ["--name", ""],
            ["vasi-phypd"] + base + ["--socket", ""],
            ["vasi-phypd"] + base + ["--socket", "/" + "x" * 107],
            ["vasi-phypd"] + base + ["--device", "x" * 256 + "=/nowhere/x"],
            ["vasi-phypd"] + base + ["--device", "x=/" + "x" * 107],
            ["vasi-phypd"] + base + ["--device", "x="],
            ["vasi-phypd"] + base + ["--device", "=x"],
            ["vasi-phypd", "--" + METACHARACTERS],
            ["vasi-phypd"] + ["--device", "x=/nowhere/x"] * 65,
            ["vasi-phypd"] + ["y" * 131000] * 8])


@suite.test("names of sockets and files in the environment")
def _():
    with lpm.Lab() as lab:
        commands = Commands(lab)
        for variable, order in (("MSPD_SOCKET", ["mspctl", "info"]),
                                ("PHYPD_SOCKET", ["phypctl", "info"]),
                                ("LPM_CONSOLE", ["lssyscfg", "-r", "sys"])):
            for bad in HOSTILE:
                commands.console.env[variable] = bad
                lines = told(commands.console.run(*order), (variable, bad[:40]))
                assert len(lines) == 1, lines
        assert unchanged(lab) == commands.before


@suite.test("a console file that does not hold together is refused")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        good = json.dumps(describe(lab))

        def refused(data, what):
            path = lab.file("bad.json", data if isinstance(data, bytes)
                            else data.encode())
            for name, arguments in {
                    "migrlpar": ["-o", "v", "-m", "A", "-t", "B", "-p", "x"],
                    "lslparmigr": ["-r", "sys", "-m", "A"],
                    "lssyscfg": ["-r", "sys"],
                    "lshwres": ["-r", "mem", "--level", "sys", "-m", "A"],
                    "lsrefcode": ["-r", "lpar", "-m", "A"],
                    "chsyscfg": ["-r", "lpar", "-m", "A", "-i",
                                 "name=x,time_ref=1"],
                    "chsysstate": ["-r", "lpar", "-m", "A", "-o", "on", "-n",
                                   "x"],
                    "mksyscfg": ["-r", "lpar", "-m", "A", "-i",
                                 "name=x,profile_name=y,lpar_env=aixlinux,"
                                 "desired_mem=16"],
                    "rmsyscfg": ["-r", "lpar", "-m", "A", "-n", "x"],
                    "chlparstate": ["-o", "resume", "-m", "A", "-p", "x"],
                    }.items():
                text = console(name, *arguments, "--console", path, status=2)
                assert codes(text) == ["LPM0002"] and what in text, text
            # These are told by the environment only
            chosen = Console(lab)
            chosen.env["LPM_CONSOLE"] = path
            for name, *arguments in (["lshmc", "-V"], ["lshmcusr"], ["hmcrelay"],
                                     ["mkauthkeys", "-r", "x"]):
                text = chosen(name, *arguments, status=2)
                assert codes(text) == ["LPM0002"] and what in text, text

        def changed(**members):
            description = describe(lab)
            description["systems"][0].update(members)
            return json.dumps(description)

        def with_users(users):
            return json.dumps(dict(describe(lab), users=users))

        user = {"name": "x", "taskrole": "hmcviewer"}
        msp = describe(lab)["systems"][0]["msps"][0]
        for data, what in (
                ("", "line 1"), (good[:-1], "line 1"),
                ("[" * 100000, "depth"), ('{"systems":' * 3000, "depth"),
                (b'{"systems": "\xff"}', "decode"),
                ("[]", "object"), ("{}", "systems is missing"),
                ('{"systems": []}', "elements"),
                ('{"systems": [], "systems": []}', "duplicate"),
                ('{"systems": ["A"]}', "object"),
                (good[:-1] + ', "more": 1}', "more"),
                (with_users(7), "users"), (with_users([7]), "users[0]"),
                (with_users([{"name": "x"}]), "users[0].taskrole"),
                (with_users([dict(user, taskrole="root")]), "taskrole"),
                (with_users([dict(user, resources=[])]), "resources"),
                (with_users([dict(user, resources=["a/b"])]), "resources"),
                (with_users([dict(user, more=1)]), "more"),
                (with_users([user, user]), "earlier"),
                (with_users([user] * 1025), "1025"),
                (good[:-1] + ', "audit": ["x"]}', "audit"),
                (changed(more=1), "systems[0].more"),
                (changed(name=7), "systems[0].name"),
                (changed(name="a/b"), "printable"),
                (changed(name="B"), "earlier"),
                (changed(name="x" * 32), "32 bytes"),
                (changed(socket="/" + "x" * 200), "201 bytes"),
                (changed(msps=[msp] * 17), "17 elements"),
                (changed(msps=[msp, msp]), "earlier"),
                (changed(msps=[dict(msp, lpar_id=0)]), "lpar_id"),
                (changed(msps=[dict(msp, address="host;reboot")]), "address"),
                (" " * (MIB + 1) + good, "1 MiB")):
            refused(data, what)
        for path in ("/nowhere", "/tmp", "/dev/null", "x" * 5000):
            text = console("lssyscfg", "-r", "sys", "--console", path,
                           status=2)
            assert codes(text) == ["LPM0002"], text
        fifo = os.path.join(lab.directory, "fifo")
        os.mkfifo(fifo)
        assert "regular" in console("lssyscfg", "-r", "sys", "--console", fifo,
                                    status=2)


@suite.test("sockets that are none, or of something else, are named")
def _():
    with lpm.Lab() as lab:
        move = make(lab, memory=16 * MIB)
        for bad in ("/etc/passwd", lab.a.link_path):
            description = describe(lab)
            description["systems"][1]["socket"] = bad
            console = Console(lab, description)
            text = console("migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p",
                           move.name, status=1)
            assert "LPM0101" in codes(text) and bad in text, text
            for name in ("mspctl", "phypctl"):
                assert bad in console(name, "-S", bad, "info", status=1)
        assert move.runs_on() == ["A"]


@suite.test("a user without the sockets' group")
def _():
    with lpm.Lab() as lab:
        if not lab.root:
            raise tap.Skip("needs root for users of their own")
        commands = Commands(lab)
        console = commands.console
        # The way to the sockets is open: it is they that are not
        for directory in (lab.a.phyp_dir, lab.a.msp_dir, lab.b.phyp_dir,
                          lab.b.msp_dir):
            os.chmod(directory, 0o755)
        moving = commands.move.stream_id
        console_orders = [
            ["migrlpar", "-o", o, "-m", "A", "-p", "busy"] +
            (["-t", "B"] if o in "vmr" else []) for o in "vmsr"] + [
            ["lslparmigr", "-r", "sys", "-m", "A"],
            ["lslparmigr", "-r", "lpar", "-m", "A"],
            ["lslparmigr", "-r", "msp", "-m", "A", "-t", "B"],
            ["lssyscfg", "-r", "sys"], ["lssyscfg", "-r", "lpar", "-m", "A"],
            ["lshwres", "-r", "mem", "--level", "sys", "-m", "A"],
            ["chlparstate", "-o", "suspend", "-m", "A", "-p", "busy"]]
        for order in console_orders:
            lines = told(console.run(*order, user=STRANGER), order)
            assert {line.split()[0] for line in lines} == {"HSCL350B"}, lines
            assert all("permission" in line for line in lines), lines
        # The platforms', but not the movers'
        for system in lab.systems:
            os.chmod(system.phyp_path, 0o666)
        for order in (["migrlpar", "-o", "v", "-m", "A", "-t", "B", "-p",
                       "busy"],
                      ["lslparmigr", "-r", "sys", "-m", "A"],
                      ["lslparmigr", "-r", "msp", "-m", "A"],
                      ["lssyscfg", "-r", "lpar", "-m", "A"]):
            lines = told(console.run(*order, user=STRANGER), order)
            assert {line.split()[0] for line in lines} == {"HSCL350B"}, lines
        for system in lab.systems:
            os.chmod(system.phyp_path, 0o660)
        for order in (["mspctl", "-S", lab.a.msp_path, "info"],
                      ["mspctl", "-S", lab.a.msp_path, "stop", moving],
                      ["mspctl", "-S", lab.a.msp_path, "limit", moving, "0"],
                      ["phypctl", "-S", lab.a.phyp_path, "info"],
                      ["phypctl", "-S", lab.a.phyp_path, "remove", "still"],
                      ["phypctl", "-S", lab.a.phyp_path, "stream-cancel",
                       moving]):
            lines = told(console.run(*order, user=STRANGER), order)
            assert len(lines) == 1 and "permission" in lines[0] and \
                order[2] in lines[0], lines
        # Nor may they start a daemon in our places, or read our keys
        for order in (["vasi-phypd", "--socket", lab.a.phyp_dir + "/rpc2",
                       "--state-dir", lab.a.state_dir, "--device",
                       "d=" + lab.a.phyp_dir + "/d"],
                      ["mspd", "--vasi", lab.a.link_path, "--socket",
                       lab.a.msp_dir + "/rpc2", "--tls-dir", lab.a.tls_dir],
                      ["mspd", "--vasi", lab.a.link_path, "--socket",
                       lab.directory + "/rpc2", "--tls-dir", lab.a.tls_dir],
                      ["mspd", "--init", "--tls-dir", lab.a.msp_dir + "/new"]):
            lines = told(console.run(*order, user=STRANGER), order)
            assert any("ermission denied" in line for line in lines), lines
        assert unchanged(lab) == commands.before


class Liar(threading.Thread):
    """A management socket that gives every call the same answer."""

    def __init__(self, path, answer):
        super().__init__(daemon=True)
        self.answer = answer
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(path)
        self.socket.listen(16)
        self.start()

    def run(self):
        while True:
            try:
                connection = self.socket.accept()[0]
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(self.answer)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.join(lpm.PATIENCE_S)
        self.socket.close()


PARTITION = {"name": "\x1b[31mred\u009b", "\x1b[0m": 1, "lpar_id": 10 ** 18, "state": "Running",
             "memory": -1, "granule": "x"}
RESULTS = [7, [], {}, "text", None, {"partitions": 7, "streams": "x"},
           {"partitions": [7, [], {"name": 5}], "streams": [[], 3, {"role": 1}],
            "devices": [0], "granules": {}, "memory_free": "much"},
           {"partitions": [PARTITION], "name": PARTITION["name"],
            "streams": [{"stream_id": "z" * 9999, "role": "source",
                         "state": "Completed", "partition": "\n" * 99}]}]
# Of which much is believed, and told with -v
BELIEVED = [
    {"partitions": [dict(PARTITION, lpar_id=7)], "state": "Aborted",
     "streams": [{"stream_id": "1" * 16, "role": "source", "state": "Aborted",
                  "partition": PARTITION["name"]}]},
    {"described": True, "partitions": [{"name": "red", "lpar_id": 7, "state": "Running"}],
     "config": {"os": "AIX", "os_version": "9.9\x1b[31m", "lpar_env": "aixlinux",
                "curr_profile": "p", "profiles": [{"name": "p"}]}}]
LIES = [b"", b"\n", b"no JSON\n", b"[" * 99999 + b"\n", b"x" * (3 * MIB)] + [
    json.dumps({"jsonrpc": "2.0", "id": 1, "result": r}).encode() + b"\n"
    for r in RESULTS + BELIEVED]


@suite.test("a system or a mover that answers nonsense harms nobody")
def _():
    with lpm.Lab() as lab:
        move = make(lab, memory=16 * MIB, program=lpm.program(600, MIB))
        before = unchanged(lab)
        path = os.path.join(lab.directory, "liar")
        systems = describe(lab)["systems"]
        systems.append(dict(systems[1], name="L", socket=path))
        systems.append(dict(systems[1], name="M", msps=[
            dict(systems[1]["msps"][0], socket=path)]))
        console = Console(lab, {"systems": systems})
        for lie in LIES:
            liar = Liar(path, lie)
            for order in (["lssyscfg", "-r", "sys"],
                          ["lssyscfg", "-r", "lpar", "-m", "L"],
                          ["lssyscfg", "-r", "lpar", "-m", "M"],
                          ["lshwres", "-r", "mem", "--level", "sys", "-m", "L"],
                          ["lslparmigr", "-r", "sys", "-m", "L"],
                          ["lssyscfg", "-r", "prof", "-m", "L"],
                          ["lshwres", "-r", "proc", "--level", "lpar", "-m",
                           "L"],
                          ["lshwres", "-r", "virtualio", "--rsubtype", "fc",
                           "--level", "lpar", "-m", "L"],
                          ["lsrefcode", "-r", "lpar", "-m", "L"],
                          ["lslparmigr", "-r", "history", "-m", "L"],
                          ["chsysstate", "-r", "lpar", "-m", "L", "-o", "on",
                           "-n", "x"],
                          ["lslparmigr", "-r", "lpar", "-m", "L"],
                          ["lslparmigr", "-r", "lpar", "-m", "A"],
                          ["lslparmigr", "-r", "msp", "-m", "M"]):
                done = console.run(*order)
                assert done.returncode in (0, 1), (order, lie[:99], done)
                assert "\x1b" not in done.stdout + done.stderr, (order, done)
            for operation, source, target in ("vAL", "mAL", "vLB", "mLB",
                                              "rAL", "rLB"):
                done = console.run("migrlpar", "-o", operation, "-m", source,
                                   "-t", target, "-p", move.name)
                assert done.returncode == 1, (operation, lie[:99], done)
                assert codes(done.stderr), done.stderr
            for operation in "vmsr":
                done = console.run("migrlpar", "-o", operation, "-m", "L", "--id", "7",
                                   *(["-t", "B", "-v"] if operation in "vm" else []))
                assert done.returncode == 1 and codes(done.stderr), (operation, lie[:99], done)
                assert "\x1b" not in done.stdout + done.stderr, (operation, done)
            done = console.run("migrlpar", "-o", "s", "-m", "L", "-p",
                               move.name)
            assert done.returncode == 1 and codes(done.stderr), done
            for order in (["mspctl", "-S", path, "info"],
                          ["mspctl", "-S", path, "list"],
                          ["mspctl", "-S", path, "status", lab.next_id()],
                          ["mspctl", "-S", path, "--json", "identity"],
                          ["phypctl", "-S", path, "info"],
                          ["phypctl", "-S", path, "list"],
                          ["phypctl", "-S", path, "stream-list"],
                          ["phypctl", "-S", path, "--json", "list"],
                          ["phypctl", "-S", path, "digest", "busy"]):
                done = console.run(*order)
                assert done.returncode in (0, 1), (order, lie[:99], done)
                assert re.fullmatch(r"[\x20-\x7e\n]*",
                                    done.stdout + done.stderr), (order, done)
            liar.close()
            os.unlink(path)
        assert unchanged(lab) == before


lpm.main(suite)
