# SPDX-License-Identifier: GPL-2.0-or-later
"""What a demonstration shows: who says what, and when; and where the time goes."""

import contextlib
import re
import subprocess
import threading
import time

import lpm

# Between two looks at a progress bar
LOOK_S = 1.0


class Screen:
    """Lines of several threads.

    @tap: they are comments of a test's output, and checks are its results

    @checks, @failed: how many
    @steps: [(name, seconds)]
    """

    def __init__(self, tap=False):
        self.prefix = "# " if tap else ""
        self.tap = tap
        self.began = time.monotonic()
        self.turn = threading.Lock()
        self.checks = self.failed = 0
        self.steps = []

    def say(self, text=""):
        with self.turn:
            print((self.prefix + text).rstrip(), flush=True)

    def tell(self, who, text):
        """Something that was heard."""
        self.say("  %6.1f  %-7s %s" % (time.monotonic() - self.began, who, text))

    def table(self, rows):
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            self.say("  %-*s  %s" % (width, name, value))

    def check(self, name, good, detail):
        """Something that has to be true."""
        self.checks += 1
        self.failed += not good
        if not self.tap:
            self.say("  %-4s %s: %s" % ("ok" if good else "FAIL", name, detail))
            return
        self.say("%s: %s" % (name, detail))
        with self.turn:
            print("%sok %d - %s" % ("" if good else "not ", self.checks, name), flush=True)

    @contextlib.contextmanager
    def step(self, name):
        """What is done in it took its time."""
        began = time.monotonic()
        yield
        self.steps.append((name, time.monotonic() - began))

    def sh(self, console, line):
        """Show a command as it is typed, run it by a shell, and show what it says."""
        self.say("  $ " + line)
        done = subprocess.run(["sh", "-c", line], env=console.env, text=True,
                              cwd="/", stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=lpm.PATIENCE_S, check=False)
        for text in done.stdout.splitlines():
            self.say("  " + text)
        return done.stdout


class Migration(threading.Thread):
    """migrlpar -o m, typed on a terminal; its progress bar and what it says, as lines.

    @screen, @console: where it is shown, and lib/console.py
    @words: the command

    @status: once it has ended
    """

    def __init__(self, screen, console, words):
        super().__init__(daemon=True)
        self.screen, self.console, self.words = screen, console, words
        self.status, self.rest, self.shown = None, "", 0.0
        screen.say("  $ " + " ".join(words))
        self.start()

    def run(self):
        self.status = self.console.on_terminal(*self.words, sink=self.take)[0]

    def take(self, block):
        *looks, self.rest = (self.rest + block.decode()).replace(
            "\n", "\r").split("\r")
        for look in looks:
            # Without what erases the rest of a line
            self.look(re.sub("\x1b\\[[JK]", "", look).rstrip())

    def look(self, text):
        """A bar every second is enough; the rest is shown as it is."""
        now = time.monotonic()
        if text.startswith("["):
            if now - self.shown < LOOK_S and "completed" not in text:
                return
            self.shown = now
        if text:
            self.screen.tell("console", text)

    def begun(self, system):
        """The id of the stream, once the system's platform has it."""
        def find():
            assert self.status is None, "it ended with status %r" % self.status
            streams = system.phyp("stream.list")["streams"]
            return streams and streams[0]["stream_id"]
        return lpm.until("the move begins", find)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """It does not outlive who typed it."""
        while self.is_alive():
            if self.console.typed:
                self.console.typed.kill()
            self.join(0.1)

    def end(self, seconds=lpm.PATIENCE_S):
        self.join(seconds)
        assert self.status == 0, "migrlpar ended with status %r" % self.status
