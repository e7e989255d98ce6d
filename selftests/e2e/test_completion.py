#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The completion that bash has for the console's commands."""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import inventory  # noqa: E402
import lpm  # noqa: E402
import tap  # noqa: E402
from console import COMMANDS, Console, make  # noqa: E402

suite = tap.Suite()
FILE = os.path.join(lpm.TOP, "userspace/hmc/lpm.bash-completion")
# These are no commands that somebody types
UNTYPED = {"hmcrelay", "hmcsh"}
# Calls it as bash does when TAB is pressed behind the last word
ASK = r"""
source "$FILE" || exit
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_lpm "$1" "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"""
HOSTILE = "$(touch x);`touch y`*"


def offered(console, *words, script=ASK):
    done = subprocess.run(["bash", "--norc", "-c", script, "bash"] + list(words),
                          env=dict(console.env, FILE=FILE), text=True,
                          cwd=console.lab.directory, capture_output=True,
                          timeout=lpm.PATIENCE_S, check=True)
    assert not done.stderr, done.stderr
    return done.stdout.split("\n")[:-1]


def options(console, name):
    return set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*",
                          console(name, "--help")))


@suite.test("every command is completed, and with all options of its --help")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        known = offered(console, script='source "$FILE"; complete -p')
        names = {line.split()[-1] for line in known if "_lpm" in line}
        typed = set(COMMANDS) - UNTYPED
        assert names == typed | {"hmc", "lpmtop"}, names
        assert set(offered(console, "hmc", "")) == typed
        for name in typed | {"lpmtop"}:
            assert set(offered(console, name, "-")) == options(console, name)
        for name in typed:
            assert set(offered(console, "hmc", name, "-")) == \
                options(console, name)
        assert offered(console, "lssyscfg", "--fi") == ["--filter"]


@suite.test("what an option may be is what the command takes")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab:
        console = Console(lab)
        expected = {
            ("lssyscfg", "-r"): "sys lpar prof",
            ("lslparmigr", "-r"):
                "sys lpar history msp virtualio procpool sriov",
            ("lshwres", "-r"): "mem proc procpool virtualio sriov",
            ("lshwres", "--rsubtype"):
                "eth scsi fc vnic slot vswitch sea adapter logport physport",
            ("lshwres", "--level"): "sys lpar slot eth",
            ("lsrefcode", "-r"): "lpar sys", ("lsrefcode", "-s"): "p s",
            ("chsyscfg", "-r"): "lpar prof",
            ("chsysstate", "-o"): "on shutdown osshutdown suspend resume",
            ("migrlpar", "-o"): "v m s r set",
            ("chlparstate", "-o"): "suspend resume"}
        for words, values in expected.items():
            assert set(offered(console, *words, "")) == set(values.split()), \
                words
        # Each value is one that the command itself knows, and no other is
        for kind in offered(console, "lshwres", "--rsubtype", ""):
            for resource, *level in (("virtualio", "--level", "lpar"),
                                     ("virtualio",), ("sriov",),
                                     ("sriov", "--level", "eth")):
                done = console.run("lshwres", "-r", resource, "-m", "A",
                                   "--rsubtype", kind, *level)
                if not done.returncode:
                    break
            assert not done.returncode, (kind, done.stderr)
        for kind in offered(console, "lssyscfg", "-r", ""):
            console("lssyscfg", "-r", kind, "-m", "A")


@suite.test("systems, partitions and profiles are asked for, quietly")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab:
        console = Console(lab)
        assert offered(console, "migrlpar", "-o", "v", "-m", "") == ["A", "B"]
        assert offered(console, "migrlpar", "-m", "A", "-p", "w") == ["web1"]
        assert offered(console, "migrlpar", "-m", "A", "-p", "web1,d") == \
            ["web1,db1"]
        assert offered(console, "chsysstate", "-m", "A", "-n", "a") == ["app1"]
        assert offered(console, "chsysstate", "-m", "A", "-f", "") == \
            ["default"]
        assert offered(console, "rmsyscfg", "-m", "A", "--id", "10") == \
            ["101", "103"]
        filters = ["lssyscfg", "-r", "prof", "-m", "A", "--filter"]
        assert set(offered(console, *filters, "")) == \
            {"lpar_ids=", "lpar_names=", "profile_names="}
        assert offered(console, *filters, "lpar_names", "=", "web1,d") == \
            ["web1,db1"]
        assert offered(console, *filters, "profile_names", "=") == ["default"]
        # Nothing is known, and nothing said of it
        assert offered(console, "migrlpar", "-p", "w") == [""]
        assert offered(console, "migrlpar", "-m", "C", "-p", "w") == [""]
        lab.a.phypd.kill()
        assert offered(console, "migrlpar", "-m", "A", "-p", "w") == [""]


@suite.test("a name is completed as a word, whatever it is")
def _():
    with lpm.Lab() as lab:
        console = Console(lab)
        make(lab, memory=16 * lpm.MIB, name=HOSTILE, activate=False)
        make(lab, memory=16 * lpm.MIB, name="two words", activate=False)
        before = set(os.listdir(lab.directory))
        for words in (["migrlpar", "-m", "A", "-p"],
                      ["lssyscfg", "-r", "lpar", "-m", "A", "--filter",
                       "lpar_names", "="]):
            words = offered(console, *words, "")
            texts = [subprocess.run(
                ["bash", "--norc", "-c", "printf %s " + word], text=True,
                check=True, cwd=lab.directory, capture_output=True).stdout
                for word in words]
            assert {HOSTILE, "two words"} <= set(texts), (words, texts)
        assert set(os.listdir(lab.directory)) == before


lpm.main(suite)
