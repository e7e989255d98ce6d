# SPDX-License-Identifier: GPL-2.0-or-later
"""A Python for a guest: Debian's of this machine, with what scripts import."""

import ast
import glob
import json
import os
import tempfile

import packages

PROGRAM = "/usr/bin/python3"

# Imported by name at run time
ALWAYS = {"encodings.idna", "encodings.ascii", "encodings.latin_1", "linecache"}

# Compiled here: a guest would take longer for that than for its tests
COMPILE = """
import importlib, importlib.util, json, os, py_compile, sys
work, own, names = json.load(sys.stdin)
for name in names:
    importlib.import_module(name)
files = {m.__file__: m.__file__ for m in sys.modules.values()
         if getattr(m, "__file__", None)}
files.update(own)
compiled = []
for number, (path, there) in enumerate(files.items()):
    if path.endswith(".py"):
        to = "%s/%d" % (work, number)
        py_compile.compile(path, to, there, doraise=True, invalidation_mode=
                           py_compile.PycInvalidationMode.UNCHECKED_HASH)
        compiled.append((to, importlib.util.cache_from_source(there)))
print(json.dumps({"files": list(files.items()), "compiled": compiled,
                  "program": os.path.realpath(sys.executable)}))
"""


def scripts(paths):
    """The .py files among files and directories."""
    for path in paths:
        if os.path.isdir(path):
            yield from sorted(glob.glob(path + "/*.py"))
        else:
            yield path


def imports(path):
    """Names of the modules that a script imports, anywhere in it."""
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read(), path)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module


def add(guest, paths):
    """Put scripts (files, directories) and a Python for them into a guest.

    They lie in /guest as in the tree: /guest/selftests/lib/lpm.py.
    """
    own = {path: "/guest/" + os.path.relpath(path, packages.TOP)
           for path in scripts(paths)}
    names = {os.path.basename(path)[:-len(".py")] for path in own}
    wanted = ALWAYS.union(*map(imports, own)) - names
    with tempfile.TemporaryDirectory() as work:
        found = json.loads(packages.run(
            [PROGRAM, "-I", "-B", "-c", COMPILE],
            input=json.dumps([work, own, sorted(wanted)])))
        for path, there in found["files"]:
            guest.program(path, there)
        for path, there in found["compiled"]:
            guest.files.copy(there, path)
    guest.program(found["program"], PROGRAM)
