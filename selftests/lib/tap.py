# SPDX-License-Identifier: GPL-2.0-or-later
"""Writing and reading the Test Anything Protocol."""

import fnmatch
import re
import sys
import time
import traceback


class Skip(Exception):
    """A test cannot run here; the text says why."""


class Suite:
    """Named tests of one program, run in the order they were defined."""

    def __init__(self):
        self.tests = []

    def test(self, name, function=None):
        """Register @function under @name; usable as a decorator."""
        if function is None:
            return lambda f: self.test(name, f) or f
        self.tests.append((name, function))
        return None

    def main(self, *args):
        """Run what the command line selects; the exit status says how it went.

        --only PATTERN (repeatable) selects by name, --list lists.
        """
        patterns = []
        argv = sys.argv[1:]
        if "--list" in argv:
            for name, _ in self.tests:
                print(name)
            return 0
        while argv:
            word = argv.pop(0)
            if word == "--only" and argv:
                patterns.append(argv.pop(0))
        chosen = [t for t in self.tests
                  if not patterns or any(fnmatch.fnmatch(t[0], p) or p in t[0]
                                         for p in patterns)]
        print("1..%d" % len(chosen), flush=True)
        bad = 0
        for number, (name, function) in enumerate(chosen, 1):
            start = time.monotonic()
            try:
                function(*args)
                line = "ok %d - %s" % (number, name)
            except Skip as reason:
                line = "ok %d - %s # SKIP %s" % (number, name, reason)
            except KeyboardInterrupt:
                raise
            except BaseException:
                bad += 1
                for text in traceback.format_exc().rstrip().split("\n"):
                    print("# " + text)
                line = "not ok %d - %s" % (number, name)
            print("# %.1f s" % (time.monotonic() - start))
            print(line, flush=True)
        return 1 if bad else 0


RESULT = re.compile(r"^(not )?ok (\d+)(?: -)?\s*(.*)$")
SKIP = re.compile(r"^(.*?)\s*#\s*SKIP\b\s*(.*)$", re.I)
PLAN = re.compile(r"^1\.\.(\d+)(?:\s*#\s*SKIP\b\s*(.*))?$", re.I)


class Parser:
    """Collects the results in one program's output.

    cmocka writes "not ok N # SKIP name" for a skip: whatever the first words,
    a SKIP directive is a skip.
    """

    def __init__(self):
        self.planned = None
        self.whole_skip = None
        self.results = []       # (name, "pass" | "fail" | "skip", text)

    def line(self, text):
        """Take one line; returns the result it carries, if any."""
        plan = PLAN.match(text)
        if plan:
            self.planned = int(plan.group(1))
            self.whole_skip = plan.group(2)
            return None
        match = RESULT.match(text)
        if not match:
            return None
        failed, name = match.group(1), match.group(3).strip()
        skip = SKIP.match(name)
        if skip:
            # cmocka puts the name where the reason belongs
            name, reason = skip.group(1), skip.group(2)
            result = (name or reason, "skip", reason if name else "")
        else:
            result = (name, "fail" if failed else "pass", "")
        self.results.append(result)
        return result
