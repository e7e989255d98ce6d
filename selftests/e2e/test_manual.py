#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The manual pages, against what the commands say of themselves."""

import os
import re
import runpy
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import lpm  # noqa: E402
import tap  # noqa: E402
from console import COMMANDS, PROGRAMS  # noqa: E402

suite = tap.Suite()
PAGES = os.path.join(lpm.TOP, "Documentation/man")
SECTIONS = {"Synopsis", "Description", "See also"}
OF_A_COMMAND = {"Options", "Exit status", "Examples"}


def pages():
    """Name -> section, as Sphinx is told."""
    conf = runpy.run_path(os.path.join(lpm.TOP, "Documentation/conf.py"))
    for source, name, title, _, section in conf["man_pages"]:
        assert source == "man/" + name and title, (source, name)
    return {name: section for _, name, _, _, section in conf["man_pages"]}


def page(name):
    with open(os.path.join(PAGES, name + ".rst"), encoding="utf-8") as file:
        return file.read()


def said(name, option="--help"):
    """What a command says of itself."""
    done = subprocess.run([os.path.join(lpm.BUILD, name), option],
                          capture_output=True, text=True, check=True)
    assert done.stdout and not done.stderr, done
    return done.stdout


def described(text):
    """Options that have a paragraph: option -> what it says, without markup."""
    result = {}
    for terms, body in re.findall(r"^(``-.*)\n((?:    .*\n|\n)+)", text, re.M):
        plain = " ".join(re.sub(r"[`*]", "", body).split())
        for option in re.findall(r"``(--?[\w-]+)", terms):
            # -o v, -o m, ...
            result[option] = result.get(option, "") + " " + plain
    return result


@suite.test("every command has a page, which says what it is and where to go on")
def _():
    known = pages()
    files = {name[:-4] for name in os.listdir(PAGES)}
    assert files == set(known), files ^ set(known)
    assert files == set(COMMANDS + PROGRAMS) | {"console"}, files
    for name, section in known.items():
        text = page(name)
        heads = set(re.findall(r"^(.+)\n=+$", text, re.M))
        wanted = SECTIONS if section == 5 else SECTIONS | OF_A_COMMAND
        assert wanted <= heads, (name, wanted - heads)
        for other, number in re.findall(r"\*\*([\w-]+)\*\*\\ \((\d)\)", text):
            assert other in ("flock", "ssh", "sshd") or known.get(other) == int(number), \
                "%s: %s(%s)" % (name, other, number)
        if section != 5:
            assert said(name, "--version").split()[0] == name


@suite.test("the pages tell every option, and no other")
def _():
    for name in COMMANDS + PROGRAMS:
        told = described(page(name))
        options = set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", said(name)))
        assert len(options) > 1, options
        assert set(told) == options, (name, set(told) ^ options)
        assert all(told.values()), name


@suite.test("defaults are the same in the pages and in --help")
def _():
    count = 0
    for name in PROGRAMS:
        told = described(page(name))
        for option, default in re.findall(
                r"^ +(?:-\w, )?(--[\w-]+).*(\([^()\n]+\))$", said(name), re.M):
            assert default in told[option], (name, option, default)
            count += 1
    assert count > 30, count


@suite.test("the pages tell every command of mspctl and phypctl")
def _():
    for name in ("mspctl", "phypctl"):
        text = page(name)
        words = re.findall(r"^  ([a-z][a-z-]*)(?:, ([a-z][a-z-]*))?(?: |$)",
                           said(name), re.M)
        words = {word for pair in words for word in pair if word}
        assert len(words) > 8, words
        told = set(re.findall(r"^(``[a-z].*``)$", text, re.M))
        told = {word for line in told
                for word in re.findall(r"``([a-z-]+)", line)}
        assert told == words, (name, told ^ words)


@suite.test("the pages tell every field of the lists")
def _():
    tables = []
    directory = os.path.join(lpm.TOP, "userspace/hmc")
    for name in sorted(os.listdir(directory)):
        with open(os.path.join(directory, name), encoding="utf-8") as file:
            text = file.read()
        if re.search(r'"hmc/(query|list\w+|lshwres)\.h"', text):
            tables += re.findall(r"_fields\[\] = \{(.*?)NULL", text, re.S)
    fields = {f for table in tables for f in re.findall(r'"(\w+)"', table)}
    assert len(fields) > 20, fields
    rows = "".join(page(name) for name in COMMANDS)
    for field in fields:
        # Each with where its name is from
        row = re.search(r"^``%s`` +([^\n]*(?:\n {10,}[^\n]*)*)" % field, rows, re.M)
        assert row, field + " is in no page"
        assert re.search(r"\[(?:HMC|C|U|A|H|ours)\b", row.group(1)), row.group(0)


@suite.test("make install brings commands, pages and headers")
def _():
    directory = tempfile.mkdtemp(prefix="lpm.", dir="/tmp")
    try:
        subprocess.run(
            ["make", "-s", "install", "DESTDIR=" + directory, "PREFIX=/usr",
             "O=" + os.path.relpath(lpm.BUILD, lpm.TOP),
             "SANITIZE=" + lpm.SANITIZE], cwd=lpm.TOP, check=True,
            stdout=subprocess.DEVNULL)
        for name, section in pages().items():
            path = "%s/usr/share/man/man%d/%s.%d" % (directory, section, name,
                                                     section)
            with open(path, encoding="utf-8") as file:
                text = file.read()
            assert ".SH SYNOPSIS" in text and ".SH NAME" in text, path
            if section == 5:
                continue
            path = "%s/usr/%s/%s" % (directory, "bin" if section == 1 else
                                     "sbin", name)
            done = subprocess.run([path, "--help"], capture_output=True,
                                  text=True, check=True)
            assert done.stdout == said(name), path
        for name in set(COMMANDS) - {"hmcrelay", "hmcsh"} | {"hmc", "lpmtop"}:
            path = "%s/usr/share/bash-completion/completions/%s" % (directory,
                                                                    name)
            with open(path, encoding="ascii") as file:
                assert "complete -F" in file.read(), path
        for name in ("lib/libvasi.a", "include/vasi.h",
                     "include/linux/vasi_crq.h"):
            assert os.path.getsize(os.path.join(directory, "usr", name)), name
    finally:
        shutil.rmtree(directory)


lpm.main(suite)
