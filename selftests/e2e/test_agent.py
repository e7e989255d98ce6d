#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""lpar-agent on a pseudoterminal, with a kernel and a drmgr of ours."""

import contextlib
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import lpm  # noqa: E402
import tap  # noqa: E402

suite = tap.Suite()
PROGRAM = os.path.join(lpm.BUILD, "lpar-agent")
ID, OTHER = "0123456789abcdef", "FEDCBA9876543210"
LINE_MAX = 127
HOOKS_MAX = 256

# Writes down how it was called.  Phase "pre" waits for what is to become of it.
DRMGR = """#!/bin/sh
echo "$*" >>%(directory)s/called
case $5 in
check)
	. %(directory)s/check
	;;
pre)
	read -r text <%(directory)s/go
	eval "$text"
	;;
*)
	echo 'not a phase'
	exit 1
	;;
esac
"""


class Agent:
    """The agent, and the platform's end of its terminal."""

    def __init__(self, *options, drmgr=False):
        self.directory = tempfile.mkdtemp(prefix="agent.", dir="/tmp")
        self.hooks = self.directory + "/hooks"
        self.mobility = self.directory + "/mobility"
        os.mkdir(self.hooks)
        self.options = ["--hooks", self.hooks, "--mobility", self.mobility,
                        "--drmgr", "none", *options]
        if drmgr:
            self.script("drmgr", DRMGR % {"directory": self.directory})
            self.script("check", "exit 0")
            os.mkfifo(self.directory + "/go")
            self.options += ["--drmgr", self.directory + "/drmgr"]
        self.rest = b""
        self.process = None

    def __enter__(self):
        self.end, self.terminal = pty.openpty()
        name = os.ttyname(self.terminal)
        with open(self.directory + "/log", "wb") as log:
            self.process = subprocess.Popen([PROGRAM, *self.options, name],
                                            stdin=subprocess.DEVNULL, stderr=log)
        lpm.until("the agent listens", lambda: "listens on " + name in self.log())
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        for descriptor in (self.end, self.terminal):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        shutil.rmtree(self.directory)

    def log(self):
        with open(self.directory + "/log", encoding="utf-8") as file:
            return file.read()

    def script(self, name, text, mode=0o755):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def hook(self, name, text, mode=0o755):
        return self.script("hooks/" + name, "#!/bin/sh\n" + text + "\n", mode)

    def called(self):
        with open(self.directory + "/called", encoding="utf-8") as file:
            return file.read().splitlines()

    def go(self, text):
        """Let phase "pre" of drmgr go on."""
        with open(self.directory + "/go", "w", encoding="utf-8") as file:
            file.write(text + "\n")

    def tell(self, line):
        data = line if isinstance(line, bytes) else line.encode()
        os.write(self.end, data + b"\n")

    def hear(self):
        """The next line."""
        deadline = time.monotonic() + lpm.PATIENCE_S
        while b"\n" not in self.rest:
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self.end], [], [], left)[0], \
                "no answer; so far %r; %s" % (self.rest, self.log())
            self.rest += os.read(self.end, 65536)
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode()

    def ask(self, line, *answers):
        """Say a line; these are the answers, and there are no others yet."""
        self.tell(line)
        for answer in answers:
            said = self.hear()
            assert said == answer, (line, said, answer)
        assert not self.rest, self.rest

    def children(self):
        path = "/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)
        with open(path, encoding="ascii") as file:
            return file.read().split()


def released(agent):
    """What was written into the FIFO that is the kernel's file."""
    with open(agent.mobility, encoding="ascii") as file:
        return file.read()


# ---- check ----

@suite.test("check: without hooks the partition may move")
def _():
    with Agent() as agent:
        agent.ask("check " + ID, "check %s ok" % ID)
        shutil.rmtree(agent.hooks)
        agent.ask("check " + OTHER, "check %s ok" % OTHER)


@suite.test("check: hooks run in the order of their names, until one refuses")
def _():
    with Agent() as agent:
        seen = agent.directory + "/seen"
        for name in ("20-b", "10-a", "30-c"):
            agent.hook(name, "echo %s $* >>%s" % (name, seen))
        agent.ask("check " + ID, "check %s ok" % ID)
        wanted = ["%s check %s" % (name, ID) for name in ("10-a", "20-b", "30-c")]
        with open(seen, encoding="ascii") as file:
            assert file.read().splitlines() == wanted
        os.unlink(seen)
        agent.hook("20-b", "echo a backup runs; exit 7")
        agent.ask("check " + ID, "check %s refused 20-b: a backup runs" % ID)
        with open(seen, encoding="ascii") as file:
            assert file.read().splitlines() == wanted[:1]


@suite.test("check: what is no hook does not run")
def _():
    with Agent() as agent:
        agent.hook("plain", "exit 1", 0o644)
        agent.hook(".hidden", "exit 1")
        agent.hook("old~", "exit 1")
        os.mkdir(agent.hooks + "/directory")
        os.symlink("nowhere", agent.hooks + "/dangling")
        agent.ask("check " + ID, "check %s ok" % ID)
        os.symlink("plain", agent.hooks + "/link")
        agent.ask("check " + ID, "check %s ok" % ID)
        os.chmod(agent.hooks + "/plain", 0o755)
        agent.ask("check " + ID, "check %s refused link: exit status 1" % ID)


@suite.test("check: the reason is the last line, printable and bounded")
def _():
    with Agent() as agent:
        for text, reason in (
                ("echo one; echo two >&2; exit 1", "two"),
                ("echo last; echo; printf '\\r\\n'; exit 1", "last"),
                ("printf 'no newline'; exit 1", "no newline"),
                ("printf 'a\\033[31mb\\tc\\303\\244\\n'; exit 1", "a?[31mb?c??"),
                ("exit 3", "exit status 3"),
                ("kill -9 $$", "ended by signal 9"),
                ("cat; exit 1", "exit status 1"),
                ("yes | head -c 1000000; echo enough; exit 1", "enough")):
            agent.hook("hook", text)
            agent.ask("check " + ID, "check %s refused hook: %s" % (ID, reason))
        agent.hook("hook", "printf %0999d 7; exit 1")
        agent.tell("check " + ID)
        assert re.fullmatch("check %s refused hook: 0{150,220}" % ID, agent.hear())
        agent.script("hooks/hook", "#!/nowhere\n")
        agent.ask("check " + ID,
                  "check %s refused hook: No such file or directory" % ID)


@suite.test("check: a directory that cannot be read refuses")
def _():
    with Agent() as agent:
        os.rmdir(agent.hooks)
        with open(agent.hooks, "wb"):
            pass
        agent.ask("check " + ID, "check %s refused %s: Not a directory"
                  % (ID, agent.hooks))
        os.unlink(agent.hooks)
        os.mkdir(agent.hooks)
        for number in range(HOOKS_MAX):
            agent.hook("%03d" % number, "exit 0")
        agent.ask("check " + ID, "check %s ok" % ID)
        agent.hook("one-more", "exit 0")
        agent.ask("check " + ID, "check %s refused %s: Argument list too long"
                  % (ID, agent.hooks))


@suite.test("check: a hook that hangs is ended, with what it has started")
def _():
    with Agent("--time-limit", "1") as agent:
        pids = agent.directory + "/pids"
        agent.hook("10-hangs", "sleep 1000 & echo $! $$ >%s; wait" % pids)
        agent.hook("20-fine", "exit 0")
        agent.ask("check " + ID, "check %s refused 10-hangs: did not end in time" % ID)
        with open(pids, encoding="ascii") as file:
            gone = file.read().split()
        assert len(gone) == 2
        lpm.until("they have ended", lambda: not any(
            os.path.exists("/proc/%s/exe" % pid) for pid in gone))
        os.unlink(agent.hooks + "/10-hangs")
        agent.ask("check " + ID, "check %s ok" % ID)


@suite.test("check: who is left in the background is not waited for")
def _():
    with Agent() as agent:
        pid = agent.directory + "/pid"
        agent.hook("hook", "sleep 1000 & echo $! >%s" % pid)
        agent.ask("check " + ID, "check %s ok" % ID)
        with open(pid, encoding="ascii") as file:
            os.kill(int(file.read()), signal.SIGKILL)


@suite.test("check: one at a time, and others are answered meanwhile")
def _():
    with Agent() as agent:
        os.mkfifo(agent.directory + "/wait")
        agent.hook("hook", "cat %s/wait" % agent.directory)
        agent.tell("check " + ID)
        agent.ask("check " + OTHER, "check %s refused a check is under way" % OTHER)
        agent.ask("post " + ID, "post %s failed there was no pre" % ID)
        with open(agent.mobility, "wb"):
            pass
        agent.ask("pre " + ID, "pre %s ok" % ID)
        with open(agent.directory + "/wait", "wb"):
            pass
        assert agent.hear() == "check %s ok" % ID
        assert not agent.children()


# ---- pre and post ----

@suite.test("pre: the kernel is told; post: when that returned")
def _():
    with Agent() as agent:
        os.mkfifo(agent.mobility)
        agent.ask("pre " + ID, "pre %s ok" % ID)
        agent.ask("check " + ID, "check %s ok" % ID)
        agent.tell("post " + ID)
        agent.ask("check " + ID, "check %s ok" % ID)
        assert released(agent) == "0x%s\n" % ID
        assert agent.hear() == "post %s ok" % ID
        # It may be asked again: an answer can be lost
        agent.ask("post " + ID, "post %s ok" % ID)
        agent.ask("post " + OTHER, "post %s failed there was no pre" % OTHER)
        agent.ask("pre " + OTHER, "pre %s ok" % OTHER)
        agent.ask("post " + ID, "post %s failed there was no pre" % ID)
        assert released(agent) == "0x%s\n" % OTHER
        agent.ask("post " + OTHER.lower(), "post %s ok" % OTHER)
        assert not agent.children()


@suite.test("pre: a second one fails while the first is under way")
def _():
    with Agent() as agent:
        os.mkfifo(agent.mobility)
        under_way = "pre %%s failed migration %s is under way" % ID
        # While it may yet fail, and later
        agent.tell("pre " + ID)
        agent.tell("pre " + OTHER)
        assert agent.hear() == under_way % OTHER
        assert agent.hear() == "pre %s ok" % ID
        agent.ask("pre " + OTHER, under_way % OTHER)
        agent.ask("pre " + ID, under_way % ID)
        agent.ask("post " + OTHER, "post %s failed there was no pre" % OTHER)
        agent.tell("post " + ID)
        assert released(agent) == "0x%s\n" % ID
        assert agent.hear() == "post %s ok" % ID


@suite.test("pre: the kernel refuses at once")
def _():
    with Agent() as agent:
        agent.ask("pre " + ID, "pre %s failed %s: No such file or directory"
                  % (ID, agent.mobility))
        os.symlink("/dev/full", agent.mobility)
        agent.ask("pre " + ID, "pre %s failed %s: No space left on device"
                  % (ID, agent.mobility))
        agent.ask("post " + ID, "post %s failed there was no pre" % ID)
        # "post" may have come before it was known
        agent.tell("pre %s\npost %s" % (ID, ID))
        assert agent.hear().startswith("pre %s failed " % ID)
        said = agent.hear()
        assert re.match("post %s failed (there was no pre$|.*: No space left)" % ID,
                        said), said
        os.unlink(agent.mobility)
        with open(agent.mobility, "wb"):
            pass
        agent.ask("pre " + OTHER, "pre %s ok" % OTHER)
        agent.ask("post " + OTHER, "post %s ok" % OTHER)
        assert released(agent) == "0x%s\n" % OTHER


@suite.test("post: several may wait, but not any number")
def _():
    with Agent() as agent:
        os.mkfifo(agent.mobility)
        agent.ask("pre " + ID, "pre %s ok" % ID)
        for _ in range(4):
            agent.tell("post " + ID)
        agent.ask("post " + ID, "post %s failed it was asked too often" % ID)
        assert released(agent)
        for _ in range(4):
            assert agent.hear() == "post %s ok" % ID
        agent.ask("check " + ID, "check %s ok" % ID)


@suite.test("the agent may end while the kernel is told: that goes on")
def _():
    with Agent() as agent:
        os.mkfifo(agent.mobility)
        agent.ask("pre " + ID, "pre %s ok" % ID)
        agent.process.terminate()
        assert agent.process.wait(lpm.PATIENCE_S) == 0
        assert released(agent) == "0x%s\n" % ID


# ---- drmgr ----

@suite.test("drmgr: is asked after the hooks, and may refuse")
def _():
    with Agent(drmgr=True) as agent:
        agent.ask("check " + ID, "check %s ok" % ID)
        assert agent.called() == ["-m -c pmig -p check -s " + ID]
        agent.script("check", "echo this kernel cannot; exit 255")
        agent.ask("check " + ID, "check %s refused drmgr: this kernel cannot" % ID)
        agent.hook("hook", "exit 1")
        agent.ask("check " + ID, "check %s refused hook: exit status 1" % ID)
        assert len(agent.called()) == 2
        os.unlink(agent.hooks + "/hook")
        os.unlink(agent.directory + "/drmgr")
        agent.ask("check " + ID,
                  "check %s refused drmgr: No such file or directory" % ID)
        agent.ask("pre " + ID, "pre %s failed drmgr: No such file or directory" % ID)


@suite.test("drmgr: pre waits for it, and post for its end")
def _():
    with Agent(drmgr=True) as agent:
        for text, answer in (("exit 0", "ok"), ("exit 4", "failed drmgr: exit status 4"),
                             ("echo cancelled; exit 125", "failed drmgr: cancelled"),
                             ("kill -9 $$", "failed drmgr: ended by signal 9")):
            agent.ask("pre " + ID, "pre %s ok" % ID)
            agent.ask("check " + ID, "check %s ok" % ID)
            agent.tell("post " + ID)
            agent.go(text)
            assert agent.hear() == "post %s %s" % (ID, answer)
            agent.ask("post " + ID, "post %s %s" % (ID, answer))
        # It has no phase "post", and tells the kernel by itself
        assert {line.split()[4] for line in agent.called()} == {"check", "pre"}
        assert not os.path.exists(agent.mobility)


# ---- The terminal ----

@suite.test("lines that are no commands are errors, and change nothing")
def _():
    with Agent() as agent:
        os.mkfifo(agent.mobility)
        agent.ask("pre " + ID, "pre %s ok" % ID)
        no_id = "error %s takes an id of 16 hexadecimal digits"
        for name in ("check", "pre", "post"):
            for rest in ("", " ", " " + ID[:-1], " " + ID + "0", "  " + ID,
                         " " + ID + " ", " 0x" + ID[2:], " " + ID[:-1] + "g"):
                agent.ask(name + rest, no_id % name)
        for line in ("", " ", "chec " + ID, "checks " + ID, "PRE " + ID, "stop",
                     "x" * LINE_MAX):
            agent.ask(line, "error not check, pre or post: " + line[:64])
        for length in (LINE_MAX + 1, 3000):
            agent.ask("x" * length, "error a line is longer than 127 bytes")
        for line in (b"pre\0" + ID.encode(), b"\x1b[A", b"\xff\xfe", b"a\rb"):
            agent.ask(line, "error a line is not text")
        agent.ask("check %s\r" % ID, "check %s ok" % ID)
        agent.tell("post " + ID)
        assert released(agent) == "0x%s\n" % ID
        assert agent.hear() == "post %s ok" % ID


@suite.test("every line is answered, in whatever pieces it comes")
def _():
    with Agent() as agent:
        for byte in ("check %s\n" % ID).encode():
            os.write(agent.end, bytes([byte]))
        assert agent.hear() == "check %s ok" % ID
        count = 3000

        def write():
            data = b"nonsense\n" * count
            while data:
                data = data[os.write(agent.end, data):]

        # The answers do not fit anywhere before somebody reads them
        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        for _ in range(count):
            assert agent.hear() == "error not check, pre or post: nonsense"
        writer.join()
        agent.ask("check " + ID, "check %s ok" % ID)


@suite.test("the terminal is raw")
def _():
    with Agent() as agent:
        flags = termios.tcgetattr(agent.terminal)
        assert not flags[1] & termios.OPOST, flags
        assert not flags[3] & (termios.ECHO | termios.ICANON | termios.ISIG), flags


@suite.test("it ends when it is told to, and when the terminal is gone")
def _():
    for number in (signal.SIGTERM, signal.SIGINT):
        with Agent() as agent:
            agent.process.send_signal(number)
            assert agent.process.wait(lpm.PATIENCE_S) == 0
    with Agent() as agent:
        os.close(agent.end)
        os.close(agent.terminal)
        assert agent.process.wait(lpm.PATIENCE_S) == 1
        assert "error: /dev/" in agent.log(), agent.log()


@suite.test("wrong usage is told")
def _():
    def refused(status, text, *words):
        done = subprocess.run([PROGRAM, *words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False,
                              timeout=lpm.PATIENCE_S)
        assert done.returncode == status and text in done.stderr and \
            not done.stdout and "\033" not in done.stderr, done

    refused(2, "no terminal")
    refused(2, "more than one terminal", "/dev/null", "/dev/null")
    refused(2, "an option needs a value: --hooks", "--hooks")
    refused(2, "no such option: --nonsense?", "--nonsense\033", "/dev/null")
    for limit in ("0", "-1", "3601", "1s", "", "99999999999999999999"):
        refused(2, "not a number of seconds, 1 to 3600", "-t", limit, "/dev/null")
    refused(1, "/dev/null: Inappropriate ioctl", "/dev/null")
    refused(1, "/nowhere: No such file", "/nowhere")


lpm.main(suite)
