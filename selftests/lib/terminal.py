# SPDX-License-Identifier: GPL-2.0-or-later
"""A small terminal: what a program has drawn on it, and keys for it.

    with Terminal([program], env, rows=24, columns=80) as terminal:
        terminal.wait("lpmtop")
        terminal.press("q")
        assert terminal.end() == 0

It knows what ncurses writes for TERM=xterm, and fails at anything else.
"""

import array
import fcntl
import os
import pty
import re
import select
import signal
import termios
import time

import lpm

KEYS = {"up": "\x1bOA", "down": "\x1bOB", "enter": "\r", "escape": "\x1b",
        "backspace": "\x7f"}
SEQUENCE = re.compile(
    r"\x1b(?:\[([?>]?)([\d;]*)([A-Za-z@`])|([()])[AB0]|([=>78MDEHc]))")
PART = re.compile(r"\x1b(?:\[[?>]?[\d;]*|[()])?\Z")


class Screen:
    """Characters in rows, a cursor, and the colour of each character."""

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.row = self.column = 0
        self.colour = 0
        self.rest = ""
        self.clear()

    def clear(self):
        self.cells = [[" "] * self.columns for _ in range(self.rows)]
        self.colours = [[0] * self.columns for _ in range(self.rows)]
        self.scrolled = (0, self.rows - 1)

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.row = self.column = 0
        self.clear()

    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]

    def text(self):
        return "\n".join(self.lines())

    def feed(self, text):
        text = self.rest + text
        self.rest = ""
        while text:
            if text[0] == "\x1b":
                match = SEQUENCE.match(text)
                if not match:
                    assert PART.match(text), "not known: %r" % text[:20]
                    self.rest = text
                    return
                self.sequence(match)
                text = text[match.end():]
            else:
                self.character(text[0])
                text = text[1:]

    def character(self, c):
        if c == "\r":
            self.column = 0
        elif c == "\n":
            self.down()
        elif c == "\b":
            self.column = max(self.column - 1, 0)
        elif c == "\t":
            self.column = min((self.column // 8 + 1) * 8, self.columns - 1)
        elif c in "\x07\x0e\x0f":
            pass
        else:
            assert c.isprintable(), "%r is drawn" % c
            if self.column == self.columns:
                self.column = 0
                self.down()
            self.cells[self.row][self.column] = c
            self.colours[self.row][self.column] = self.colour
            self.column += 1

    def down(self):
        if self.row == self.scrolled[1]:
            self.scroll(1)
        else:
            self.row = min(self.row + 1, self.rows - 1)

    def scroll(self, count, first=None):
        """Lines move up, or down if @count is negative."""
        first = self.scrolled[0] if first is None else first
        last = self.scrolled[1]
        for array_, blank in ((self.cells, " "), (self.colours, 0)):
            for _ in range(abs(count)):
                if count > 0:
                    del array_[first]
                    array_.insert(last, [blank] * self.columns)
                else:
                    del array_[last]
                    array_.insert(first, [blank] * self.columns)

    def erase(self, row, first, last):
        for column in range(first, last):
            self.cells[row][column] = " "
            self.colours[row][column] = 0

    def sequence(self, match):
        private, numbers, final, _, single = match.groups()
        if single == "M":
            if self.row == self.scrolled[0]:
                self.scroll(-1)
            else:
                self.row -= 1
        if not final or private:
            return
        values = [int(n or 0) for n in numbers.split(";")]
        count = max(values[0], 1)
        row = self.cells[self.row]
        column = min(self.column, self.columns - 1)
        if final == "H":
            self.row = min(count, self.rows) - 1
            self.column = min(max((values + [1])[1], 1), self.columns) - 1
        elif final in "AB":
            self.row = min(max(self.row + (count if final == "B" else -count), 0),
                           self.rows - 1)
        elif final in "CD":
            self.column = min(max(self.column + (count if final == "C" else -count), 0),
                              self.columns - 1)
        elif final in "G`":
            self.column = min(count, self.columns) - 1
        elif final == "d":
            self.row = min(count, self.rows) - 1
        elif final == "J":
            assert values[0] in (0, 2), numbers
            if values[0] == 0:
                self.erase(self.row, column, self.columns)
            for other in range(0 if values[0] else self.row + 1, self.rows):
                self.erase(other, 0, self.columns)
        elif final == "K":
            assert values[0] in (0, 1), numbers
            self.erase(self.row, *((column, self.columns) if not values[0]
                                   else (0, column + 1)))
        elif final == "X":
            self.erase(self.row, column, min(column + count, self.columns))
        elif final in "P@":
            for array_, blank in ((row, " "), (self.colours[self.row], 0)):
                for _ in range(min(count, self.columns - column)):
                    if final == "P":
                        del array_[column]
                        array_.append(blank)
                    else:
                        array_.pop()
                        array_.insert(column, blank)
        elif final in "LM":
            self.scroll(count if final == "M" else -count, self.row)
        elif final in "ST":
            self.scroll(count if final == "S" else -count)
        elif final == "r":
            last = (values + [0])[1] or self.rows
            self.scrolled = (count - 1, last - 1)
            self.row = self.column = 0
        elif final == "b":
            for _ in range(count):
                self.character(self.cells[self.row][self.column - 1])
        elif final == "m":
            for value in values:
                if value in (0, 39):
                    self.colour = 0
                elif 30 <= value <= 37:
                    self.colour = value - 30
        else:
            assert final in "hltn", "not known: %r" % match.group(0)


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, argv, env, rows=24, columns=80):
        self.screen = Screen(rows, columns)
        self.status = None
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.chdir("/")
            # Not before it has its size
            os.read(0, 1)
            os.execve(argv[0], argv, dict(env, TERM="xterm"))
        self.size(rows, columns)
        os.write(self.fd, b"\n")

    def size(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ,
                    array.array("H", [rows, columns, 0, 0]))

    def resize(self, rows, columns):
        self.screen.resize(rows, columns)
        self.size(rows, columns)

    def look(self, seconds=0.1):
        """Take what it draws; false at its end."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return True
        try:
            block = os.read(self.fd, 65536)
        except OSError:
            return False
        self.screen.feed(block.decode())
        return bool(block)

    def wait(self, pattern, absent=False):
        """Until the screen shows @pattern, a regular expression, or does not."""
        deadline = time.monotonic() + lpm.PATIENCE_S
        while bool(re.search(pattern, self.screen.text(), re.M)) == absent:
            assert time.monotonic() < deadline, "%sshown: %s\n%s" % (
                "still " if absent else "never ", pattern, self.screen.text())
            assert self.look(), "it ended: " + self.screen.text()
        return self.screen.text()

    def press(self, *keys):
        for key in keys:
            os.write(self.fd, KEYS.get(key, key).encode())

    def end(self):
        """Its exit status, once it has ended."""
        while self.look(lpm.PATIENCE_S):
            pass
        if self.status is None:
            self.status = os.waitpid(self.pid, 0)[1]
        return os.waitstatus_to_exitcode(self.status)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.status = os.waitpid(self.pid, 0)[1]
        os.close(self.fd)
