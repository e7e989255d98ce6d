#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""LoPAR conformance: checks the table, and writes its page from it.

conformance.py                    write Documentation/conformance.rst
conformance.py --check            fail unless the page is what the table
                                  generates and every row that binds the
                                  platform or a server partition names code
                                  and tests that exist
conformance.py --check --log LOG  also fail unless every named test passed;
                                  LOG holds what selftests/run, TAP or
                                  cmocka print; repeatable
conformance.py --todo             what the rows still want, by test file

The table, Documentation/conformance.json, is edited by hand.  A row's "code"
and "test" are lists of FILE:FUNCTION; FILE is a file's name, which has to be
unique under userspace/, driver/ and uapi/, or under selftests/; directories in
front of it may tell two apart.
"""

import argparse
import json
import pathlib
import re
import sys

# R1 requirements of each section that the table covers, as LoPAR 2.9 numbers
# them; those of hibernation do not concern migration.
R1_COUNT = {
    "17.7.2": 6, "17.7.3": 2, "17.7.4": 32, "17.7.6.1": 1, "17.7.6.2": 1,
    "17.7.6.3": 1, "17.7.7.1": 8, "17.7.7.2": 6,
}
R1_MIGRATION = 51

KINDS = ("R1", "step", "text")
SCOPES = ("migration", "transport", "hibernation")
SIDES = ("platform", "both", "partition", "outside")
STATUSES = ("proposed", "done", "elsewhere")
ELSEWHERE = ("driver issue", "not applicable")
FIELDS = {
    "id": str, "kind": str, "section": str, "anchor": str, "scope": str,
    "side": str, "requirement": str, "code": list, "test": list,
    "status": str, "note": str,
}
ID = re.compile(r"(R1|Step|Text)-(17(?:\.\d+)+)-(\d+(?:\.\d+)*)$")
# A directory in front tells files of one name apart.  A test of the driver may have a
# fixture: FIXTURE.TEST.
REFERENCE = re.compile(r"((?:[\w.-]+/)*[\w.-]+\.(?:c|h|py)):(\w+(?:\.\w+)?)$")
CODE_DIRS = ("userspace", "driver", "uapi")
TEST_DIRS = ("selftests", "driver")
# Tests that the driver's side of a row can have, and the programs that run them
DRIVER_TESTS = {"driver/vasi_kunit.c": "test_driver", "vasi/": "test_driver"}


def binds_platform(row):
    """Must the row name code and tests?"""
    return row["side"] in ("platform", "both") and row["scope"] != "hibernation"


def binds_server(row):
    """Does it bind the driver of a server partition?  What only the partition that
    migrates has to do is marked as not applicable."""
    return row["side"] in ("partition", "both") and \
        row["scope"] == "migration" and row["test"] != ["not applicable"]


def driver_program(name):
    """The program that runs a file's tests, if these are the driver's."""
    return next((program for prefix, program in DRIVER_TESTS.items()
                 if name.startswith(prefix)), None)


def section_of(row):
    return ID.match(row["id"]).group(2)


# ---- the table by itself ----

def check_row(row, errors):
    """Fields of one row; True if the row can be looked at further."""
    name = row.get("id", "a row without id") if isinstance(row, dict) else row
    if not isinstance(row, dict) or set(row) != set(FIELDS):
        errors.append(f"{name}: fields must be {', '.join(FIELDS)}")
        return False
    for field, kind in FIELDS.items():
        if not isinstance(row[field], kind):
            errors.append(f"{name}: {field} must be a {kind.__name__}")
            return False
    match = ID.match(name)
    if not match or match.group(1).lower() != row["kind"].lower():
        errors.append(f"{name}: the id does not fit the kind {row['kind']}")
        return False
    for field, values in (("kind", KINDS), ("scope", SCOPES),
                          ("side", SIDES), ("status", STATUSES)):
        if row[field] not in values:
            errors.append(f"{name}: {field} {row[field]!r} is none of "
                          f"{', '.join(values)}")
    if not row["requirement"].strip():
        errors.append(f"{name}: no requirement")
    for field in ("code", "test"):
        for ref in row[field]:
            if not isinstance(ref, str):
                errors.append(f"{name}: {field}: {ref!r} is not a string")
                return False
    return True


def check_numbers(rows, errors):
    """Nothing is missing, nothing is there twice."""
    seen = set()
    for row in rows:
        if row["id"] in seen:
            errors.append(f"{row['id']}: there twice")
        seen.add(row["id"])

    for section, count in R1_COUNT.items():
        for n in range(1, count + 1):
            if f"R1-{section}-{n}" not in seen:
                errors.append(f"R1-{section}-{n}: missing")
    migration = sum(row["kind"] == "R1" and row["scope"] == "migration"
                    for row in rows)
    if migration != R1_MIGRATION:
        errors.append(f"{migration} R1 requirements concern migration, "
                      f"not {R1_MIGRATION}")

    steps = {}
    for row in rows:
        if row["kind"] == "step":
            _, section, number = ID.match(row["id"]).groups()
            parent, _, last = number.rpartition(".")
            steps.setdefault((section, parent), []).append(int(last))
    for (section, parent), numbers in steps.items():
        if numbers != list(range(1, len(numbers) + 1)):
            where = f"Step-{section}" + (f"-{parent}" if parent else "")
            errors.append(f"{where}: steps are numbered {numbers}")
        if parent and f"Step-{section}-{parent}" not in seen:
            errors.append(f"Step-{section}-{parent}: missing")


def load(path, errors):
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        rows = table["rows"]
    except (OSError, ValueError, KeyError, TypeError) as e:
        sys.exit(f"{path}: {e}")
    good = [row for row in rows if check_row(row, errors)]
    check_numbers(good, errors)
    return good


# ---- what the rows refer to ----

class Tree:
    """Finds FILE:FUNCTION in the source tree, each file read once."""

    def __init__(self, root, dirs):
        self.files = {}
        self.text = {}
        for top in dirs:
            for path in sorted((root / top).rglob("*")):
                if path.suffix in (".c", ".h", ".py"):
                    self.files.setdefault(path.name, []).append(path)

    def problem(self, ref):
        """Why the reference does not hold, or None."""
        match = REFERENCE.match(ref)
        if not match:
            return "is not FILE:FUNCTION"
        name, function = match.groups()
        paths = [path for path in self.files.get(name.rpartition("/")[2], [])
                 if f"/{path.as_posix()}".endswith(f"/{name}")]
        if len(paths) != 1:
            return f"{len(paths)} files have this name"
        if name not in self.text:
            self.text[name] = paths[0].read_text(encoding="utf-8")
        if name.endswith(".py"):
            pattern = rf"^\s*(?:async )?def {function}\("
        elif name.endswith(".h"):
            pattern = rf"\b{function}\b"
        elif "." in function:
            pattern = r"^TEST_F(?:_TIMEOUT)?\(%s, %s\b" % tuple(function.split("."))
        else:
            # Kernel style: a definition starts in the first column
            pattern = rf"^[a-z_][\w \t*]*\b{function}\([^;]*?\)\s*\n\{{"
        if not re.search(pattern, self.text[name], re.MULTILINE):
            return "is not defined there"
        return None


LOG_LINES = (
    (re.compile(r"\s*(not ok|ok)\s+(?:\d+\s*)?(?:-\s*)?(.*?)\s*(?:#\s*(\w*).*)?$"),
     {"ok": "passed", "not ok": "failed"}),
    (re.compile(r"\s*\[\s+(OK|FAILED|SKIPPED)\s+\]\s+(\S+)\s*()$"),
     {"OK": "passed", "FAILED": "failed", "SKIPPED": "skipped"}),
    (re.compile(r"\s*(PASS|FAIL|SKIP):?\s+(\S+)()"),
     {"PASS": "passed", "FAIL": "failed", "SKIP": "skipped"}),
)
# A test may run more than once: the worst result counts
BADNESS = ("passed", "skipped", "failed")


class Log:
    """Results of tests by function, with the program they ran in if it says."""

    def __init__(self):
        self.results = {}

    def read(self, path):
        with open(path, encoding="utf-8", errors="replace") as f:
            for line in f:
                self.read_line(line)

    def read_line(self, line):
        for pattern, words in LOG_LINES:
            match = pattern.match(line)
            if not match:
                continue
            names = re.findall(r"\w+", match.group(2))
            result = words[match.group(1)]
            if (match.group(3) or "").upper() in ("SKIP", "TODO"):
                result = "skipped"
            if names:
                program = next((n for n in names[:-1]
                                if n.startswith("test_")), None)
                for name in (names[-1], ".".join(names[-2:])):
                    self.results.setdefault(name, []).append((program, result))
            return

    def result(self, ref):
        name, function = REFERENCE.match(ref).groups()
        wanted = (driver_program(name),) if driver_program(name) else \
            (None, name.rpartition(".")[0])
        found = [result for program, result in self.results.get(function, [])
                 if program in wanted]
        return max(found, key=BADNESS.index) if found else "not run"


def check_references(rows, root, log, errors):
    code = Tree(root, CODE_DIRS)
    tests = Tree(root, TEST_DIRS)
    homes = {}
    for row in rows:
        if binds_server(row) and not any(map(driver_program, row["test"])):
            errors.append(f"{row['id']}: no test of the driver")
        if not binds_platform(row) and not binds_server(row):
            continue
        for field, tree in (("code", code), ("test", tests)):
            if not row[field]:
                errors.append(f"{row['id']}: no {field}")
            for ref in row[field]:
                problem = tree.problem(ref)
                if problem:
                    errors.append(f"{row['id']}: {field} {ref}: {problem}")
        if row["status"] != "done":
            errors.append(f"{row['id']}: its status is {row['status']}")
        for ref in row["test"]:
            match = REFERENCE.match(ref)
            if not match:
                continue
            home = homes.setdefault(match.group(2), match.group(1))
            if home != match.group(1):
                errors.append(f"{row['id']}: test {match.group(2)} is in "
                              f"{home} and in {match.group(1)}")
            if log:
                result = log.result(ref)
                if result != "passed":
                    errors.append(f"{row['id']}: test {ref}: {result}")


# ---- the page ----

PREAMBLE = """\
.. SPDX-License-Identifier: GPL-2.0-or-later
.. Generated by selftests/conformance.py from conformance.json: edit that.

=================
LoPAR conformance
=================

What the *Linux on Power Architecture Reference*, revision 2.9, chapter 17
(Virtualized Input/Output), demands of a device for partition migration, in this
project's words, and where the code and the tests are that answer it.

R1-*section*-*n*
   a requirement, numbered as in the reference.
Step-*section*-*n*
   one step of a message's or hcall's ordered semantics, numbered in the order
   in which the reference prints them.  An implementation has to appear to take
   them in this order.
Text-*section*-*n*
   what the reference says in prose or tables only; the number is ours.  For
   states it is the state's value.

Side says whom the row binds: the *platform* (here: libphyp), the *partition*
(the server partition's driver and mover, or the partition that migrates), *both*,
or something *outside* of both.  Tests in ``driver/vasi_kunit.c`` and in
``selftests/vasi/`` are the driver's.  ``make check`` fails when a row that binds the
platform or a server partition has no test, or one that did not pass; one that binds a
server partition needs a test of the driver.

"""


def table(columns, widths, rows):
    out = [".. list-table::", "   :header-rows: 1",
           "   :widths: " + " ".join(map(str, widths)), ""]
    for cells in [columns] + rows:
        for n, cell in enumerate(cells):
            out.append(f"   {'* -' if n == 0 else '  -'} {cell}".rstrip())
    return "\n".join(out) + "\n\n"


def escape(text):
    return re.sub(r"([\\*`|])", r"\\\1", re.sub(r"(\w)_(?=\W|$)", r"\1\\_", text))


def references(row, field):
    if row["side"] == "outside":
        return ""
    text = ", ".join(ref if ref in ELSEWHERE else f"``{ref}``"
                     for ref in row[field])
    if field == "test" and binds_platform(row) and row["status"] != "done":
        text += " (to be written)" if text else "to be written"
    return text


def summary(rows):
    counted = [
        ("R1 requirements that concern migration",
         lambda r: r["kind"] == "R1" and r["scope"] == "migration"),
        ("R1 requirements that concern hibernation only",
         lambda r: r["scope"] == "hibernation"),
        ("steps of VASI messages and hcalls",
         lambda r: r["kind"] == "step" and r["scope"] == "migration"),
        ("prose", lambda r: r["kind"] == "text"),
        ("transport that VASI relies on",
         lambda r: r["scope"] == "transport"),
    ]
    lines = []
    for title, wanted in counted:
        some = [row for row in rows if wanted(row)]
        lines.append([title, str(len(some))] + [
            str(sum(row["side"] == side for row in some)) for side in SIDES])
    return table(["rows", "all"] + list(SIDES), [50, 10, 10, 10, 10, 10], lines)


def page(rows):
    out = [PREAMBLE, summary(rows)]
    sections = {}
    for row in rows:
        sections.setdefault((section_of(row), row["section"]), []).append(row)
    for (number, title), members in sorted(
            sections.items(),
            key=lambda item: [int(n) for n in item[0][0].split(".")]):
        heading = f"{number} {title}"
        out.append(f"{heading}\n{'=' * len(heading)}\n\n")
        if all(row["scope"] == "hibernation" for row in members):
            out.append("Hibernation is not what this project does.\n\n")
        out.append(table(
            ["id", "demands", "side", "code", "test", "note"],
            [14, 26, 8, 16, 18, 18],
            [[row["id"], escape(row["requirement"]), row["side"],
              references(row, "code"), references(row, "test"),
              escape(row["note"])] for row in members]))
    return "".join(out).rstrip("\n") + "\n"


def todo(rows):
    wanted = {}
    for row in rows:
        if binds_platform(row) and row["status"] != "done":
            for ref in row["test"]:
                name, _, function = ref.partition(":")
                wanted.setdefault(name, {}).setdefault(
                    function, []).append(row["id"])
    for name in sorted(wanted):
        print(f"{name}: {len(wanted[name])} tests")
        for function, ids in sorted(wanted[name].items()):
            print(f"  {function}: {', '.join(ids)}")


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--todo", action="store_true")
    parser.add_argument("--log", action="append", default=[])
    parser.add_argument("--root", type=pathlib.Path, default=root,
                        help="source tree (default: the one this file is in)")
    args = parser.parse_args()
    if args.log and not args.check:
        parser.error("--log goes with --check")

    errors = []
    rows = load(args.root / "Documentation/conformance.json", errors)
    rst = args.root / "Documentation/conformance.rst"
    if args.check:
        log = Log() if args.log else None
        for path in args.log:
            try:
                log.read(path)
            except OSError as e:
                sys.exit(f"{path}: {e.strerror}")
        check_references(rows, args.root, log, errors)
        if not rst.exists() or rst.read_text(encoding="utf-8") != page(rows):
            errors.append(f"{rst.name}: not what the table generates; "
                          "run selftests/conformance.py")
    elif args.todo:
        todo(rows)
    elif not errors:
        rst.write_text(page(rows), encoding="utf-8")

    for error in errors:
        print(error, file=sys.stderr)
    if errors:
        print(f"{len(errors)} errors in {len(rows)} rows", file=sys.stderr)
        return 1
    if args.check:
        print(f"{len(rows)} rows, "
              f"{sum(map(binds_platform, rows))} bind the platform, "
              f"{sum(map(binds_server, rows))} a server partition: all hold")
    return 0


if __name__ == "__main__":
    sys.exit(main())
