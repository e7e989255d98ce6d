#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile input over SSH: refused clearly, nothing run, nothing changed.

What a shell would act upon, arguments and lines of a megabyte, text that is none, all
that SSH offers beside commands, requests to hmcrelay, and consoles that answer nonsense.
"""

import concurrent.futures
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import interpreter  # noqa: E402

interpreter.need("paramiko")

import paramiko  # noqa: E402
import lpm  # noqa: E402
import tap  # noqa: E402
from console import codes, make, unchanged  # noqa: E402
from sshd import Reach  # noqa: E402

MIB = lpm.MIB
suite = tap.Suite()
METACHARACTERS = "$(reboot);`id`|a&b>c<d*?'\"%n"
LONG = "x" * 60000
HOSTILE = ["", METACHARACTERS, "../../etc/passwd", "a\nb", "\x1b[31mred", "\u009b31mred",
           b"\xff\xfe\x80", "x" * 5000, LONG, "-x", "--", "\u20ac"]
MESSAGE = re.compile(r"[\x20-\x7e]{1,2100}")
HINT = re.compile(r"Try '[\w-]+ --help'\.")


def told(done, what):
    """What was said: clean lines, each with a code.  It must have failed."""
    status, out, err = done
    lines = [line for line in err.rstrip("\n").split("\n") if not HINT.fullmatch(line)]
    assert status in (1, 2, 127), (what, done)
    assert not out, (what, out[-300:])
    assert lines and all(MESSAGE.fullmatch(line) for line in lines), (what, lines)
    assert codes(err), (what, err[-300:])
    return codes(err)


class Target:
    """A lab with a partition on A, whose state must stay as it is."""

    def __init__(self, lab):
        self.lab = lab
        self.move = make(lab, memory=16 * MIB, program=lpm.program(600, MIB))
        self.before = unchanged(lab)

    def check(self):
        after = unchanged(self.lab)
        assert after == self.before, (self.before, after)


def quoted(words):
    """A line with these words in quotes, as a careful script sends it."""
    return b" ".join(b"'" + (w if isinstance(w, bytes) else w.encode()).replace(
        b"'", b"'\\''") + b"'" for w in words)


@suite.test("every argument, quoted: it is an argument, and a wrong one")
def _():
    with lpm.Lab() as lab, Reach(lab) as reach:
        target = Target(lab)
        login = reach.login("hscroot")
        order = ["migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p", "x"]
        templates = [order[:i] + [None] + order[i + 1:] for i in (2, 4, 6, 8)] + [
            ["lslparmigr", "-r", "lpar", "-m", None],
            ["lssyscfg", "-r", None], ["lssyscfg", "-r", "lpar", "-m", "A", "--filter", None],
            ["lshwres", "-r", "mem", "--level", None, "-m", "A"],
            ["chlparstate", "-o", "suspend", "-m", "A", "-p", None],
            ["mkauthkeys", "-a", None], ["mkauthkeys", "--test", "--ip", None],
            ["lshmcusr", "--filter", None], ["hmcrelay", None]]
        lines = [quoted([bad if word is None else word for word in template])
                 for template in templates for bad in HOSTILE]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for line, done in zip(lines, pool.map(login.run, lines)):
                told(done, line[:200])
        target.check()
        # A partition may be called so
        name = "$(reboot);`id`&b>c<d*?'%n"
        lab.a.phyp("partition.create", name=name, memory=16 * MIB)
        out = login(quoted(["lssyscfg", "-r", "lpar", "-m", "A", "-F", "name", "--filter",
                            "lpar_names=" + name]))
        assert out == name + "\n", out


def attacks(file):
    """Lines that would make a file with a shell behind them."""
    touch = "touch " + file
    for text in (
            "lssyscfg -r sys; %s", "lssyscfg -r sys && %s", "false || %s", "%s",
            "lssyscfg -r sys\n%s", "lssyscfg -r sys & %s", "lssyscfg -r sys | %s",
            "lssyscfg -r $(%s)", "lssyscfg -r `%s`", "lssyscfg -r \"$(%s)\"",
            "lssyscfg -r \"`%s`\"", "lssyscfg -m ${x:-`%s`}", "(%s)", "{ %s; }",
            "eval %s", "exec %s", "command %s", "env %s", "sh -c '%s'",
            "/bin/sh -c '%s'", "source /dev/stdin <<< '%s'", ". <(%s)", "x() { %s; }; x",
            "trap '%s' EXIT", "lssyscfg -r sys -F name;/bin/%s", "hmcsh -c '%s'",
            "hmc %s", "PS1='$(%s)'", "PATH=/bin %s", "LD_PRELOAD=/x %s",
            "LANG=C %s", "BASH_ENV=/x %s", "alias lssyscfg='%s'", "!%s", "coproc %s"):
        yield text % touch
    for text in ("echo x > %s", "echo x >> %s", "lssyscfg -r sys 2> %s", "cp /etc/passwd %s",
                 "tee %s", "lssyscfg -r sys >| %s", "lssyscfg -r sys &> %s"):
        yield text % file


@suite.test("lines that a shell would act upon: nothing is run but the console's commands")
def _():
    with lpm.Lab() as lab, Reach(lab) as reach:
        target = Target(lab)
        login = reach.login("hscroot")
        spool = reach.directory + "/spool"
        os.mkdir(spool)
        os.chmod(spool, 0o777)
        for line in attacks(spool + "/file"):
            status, _, err = login.run(line)
            assert not os.listdir(spool), line
            # A prompt may be any text
            if not line.startswith("PS1="):
                assert codes(err) and (status or ";" in line or "|" in line), \
                    (line, status, err)
            refused = [c for c in codes(err) if c in ("LPM0501", "LPM0502", "LPM0503",
                                                      "LPM0001")]
            assert refused == codes(err), (line, err)
        # Of a line that is refused nothing is run, also not what stands in front
        told(login.run("echo " + LONG + " > x"), "long")
        lines = reach.audit().count("begin command=lssyscfg")
        told(login.run("lssyscfg -r sys; lssyscfg -r sys > x"), "redirected")
        assert reach.audit().count("begin command=lssyscfg") == lines
        assert "shell refused line='lssyscfg -r sys; lssyscfg -r sys > x'" in reach.audit()
        assert re.search(r"shell refused line='echo x{900,}'\.\.\. why=", reach.audit())
        assert "shell refused line=eval touch " in reach.audit(), reach.audit()
        for bad in (b"a\xff\xfeb", "a\x1b[31mb", "a\rb", "echo \u009b31m", "'",
                    "\"", "\\", "echo " + LONG + "yyyyyy" * 1000, "echo" + " x" * 1024,
                    "true;" * 65):
            assert told(login.run(bad), bad[:40]) == ["LPM0503"], bad[:40]
        # More than Linux hands to a program: sshd cannot even start the shell
        # or what it takes in one message, or a NUL: it ends the connection
        for line in ("lssyscfg -r sys\0x", "y" * 130000, "y" * 200000, "lssyscfg -r sys -m " + "y" * MIB):
            try:
                status, out, _ = login.run(line)
                assert status and not out, len(line)
            except (EOFError, OSError):
                login = reach.login("hscroot")
        # On standard input a line may have any length
        status, out, err = login.run("hmcrelay; echo $?", b"z" * MIB)
        assert "longer than 65536" in out and out.endswith("\n1\n"), (out[:200], err)
        channel = login.client.get_transport().open_session()
        channel.settimeout(lpm.PATIENCE_S)
        channel.invoke_shell()
        channel.sendall(b"echo " + b"z" * MIB + b"\necho a\0b\necho \xff\nfalse\n")
        channel.shutdown_write()
        out = channel.makefile("rb").read()
        err = channel.makefile_stderr("rb").read().decode()
        assert (out, channel.recv_exit_status()) == (b"", 1), out[:200]
        assert codes(err) == ["LPM0503"] * 3, err
        target.check()


@suite.test("what SSH offers beside commands: not to these users")
def _():
    with lpm.Lab() as lab, Reach(lab) as reach:
        target = Target(lab)
        login = reach.login("hscroot")
        transport = login.client.get_transport()
        library = reach.file("library.so", "no library", 0o755)
        spool = reach.file("spool", "", 0o666)
        mine = reach.file("mine.json", json.dumps({"systems": [
            {"name": "X", "socket": lab.a.phyp_path}], "audit": spool}), 0o644)
        # The environment of commands is the shell's own
        channel = transport.open_session()
        channel.settimeout(lpm.PATIENCE_S)
        for name, value in (("LD_PRELOAD", library), ("LPM_CONSOLE", mine),
                            ("SSH_ORIGINAL_COMMAND", "echo forced"), ("LPM_SHELL", "")):
            try:
                channel.set_environment_variable(name, value)
            except paramiko.SSHException:
                pass
        channel.exec_command("lssyscfg -r sys -F name")
        assert channel.makefile("rb").read() == b"A\nB\n"
        assert channel.makefile_stderr("rb").read() == b""
        env = {"LD_PRELOAD": "", "LPM_CONSOLE": mine, "SSH_CONNECTION": "\x1b[31m 1 2 3",
               "LOGNAME": "root", "USER": "root", "TERM": "$(id)"}
        done = subprocess.run([reach.shell, "-c", "lssyscfg -r sys -F name"], env=env,
                              capture_output=True, text=True, check=False)
        assert done.returncode == 2 and codes(done.stderr) == ["LPM0002"], done
        assert "/etc/lpm/console.json" in done.stderr, done
        for line in ("lssyscfg -r sys --console " + mine, "lssyscfg -r sys --con=" + mine,
                     "migrlpar -o v -m X -t X -p x --console " + mine):
            assert told(login.run(line), line) == ["HSCL350B"], line
            assert "refused command=" + line in reach.audit(), reach.audit()
        # It is not looked at, and names no file that a record is added to
        assert not os.path.getsize(spool)
        for file in ("/etc/passwd", "/nowhere", "/dev/tty"):
            assert told(login.run("lssyscfg -r sys --console " + file), file) == ["HSCL350B"]
        # Files, other ports, sockets, terminals of others
        try:
            paramiko.SFTPClient.from_transport(transport).listdir("/")
            raise AssertionError("sftp was served")
        except (paramiko.SSHException, EOFError, OSError):
            pass
        for line in ("scp -t /tmp", "scp -f /etc/passwd", "rsync --server . /",
                     "/usr/lib/openssh/sftp-server", "git-upload-pack /"):
            assert told(login.run(line), line) == ["LPM0502"], line
        try:
            transport.open_channel("direct-tcpip", ("127.0.0.1", reach.port),
                                   ("127.0.0.1", 1), timeout=lpm.PATIENCE_S)
            raise AssertionError("a connection was forwarded")
        except paramiko.ChannelException:
            pass
        try:
            login.client.get_transport().request_port_forward("127.0.0.1", 0)
            raise AssertionError("a port was forwarded")
        except paramiko.SSHException:
            pass
        channel = login.client.get_transport().open_session()
        try:
            channel.request_x11()
            raise AssertionError("X11 was forwarded")
        except paramiko.SSHException:
            pass
        # ~/.ssh/rc is not run
        path = reach.directory + "/home/hscroot/.ssh/"
        with open(path + "rc", "w", encoding="ascii") as file:
            file.write("touch %sran\n" % path)
        with open(path + "environment", "w", encoding="ascii") as file:
            file.write("LPM_CONSOLE=%s\n" % mine)
        assert reach.login("hscroot")("lssyscfg -r sys -F name") == "A\nB\n"
        assert not os.path.exists(path + "ran")
        target.check()


def request(what, **params):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": what,
                       "params": params}).encode()


def call(system, method, msp=None, timeout_ms=2000, **params):
    more = {"msp": msp} if msp else {}
    return request("call", system=system, method=method, params=params,
                   timeout_ms=timeout_ms, **more)


@suite.test("requests to hmcrelay")
def _():
    with lpm.Lab(guests=False) as lab, Reach(lab) as reach:
        target = Target(lab)
        login = reach.login("hscroot")

        def relay(*lines):
            status, out, err = login.run("hmcrelay", b"\n".join(lines) + b"\n")
            assert not status, (lines, out, err)
            return [json.loads(line) for line in out.splitlines()]
        deep = b"[" * 30 + b"]" * 30
        for line in (b"", b"x", b"\xff\xfe", b"\0", b"[]", b"7", b'"x"', b"{", b"{}",
                     b"[" * 60000, b'{"params":' * 6000, b'{"id":1,"id":2}',
                     b'{"id":{},"method":"hello","params":{"version":1}}' [:20],
                     request("nothing"), request("hello"), request("hello", version=0),
                     request("hello", version="1"), request("hello", version=1, more=1),
                     request("call"), call("A" * 32, "system.info"), call("", "system.info"),
                     call("A", "x" * 64), call("A", "system.info", timeout_ms=0),
                     call("A", "system.info", timeout_ms=10 ** 9),
                     call("A", "system.info", msp="m" * 32),
                     request("call", system="A", method="system.info", params=[],
                             timeout_ms=1),
                     b'{"id":1,"method":"call","params":{"system":"A","method":"system.info",'
                     b'"timeout_ms":1,"params":{"x":' + deep + b"}}}"):
            (answer,) = relay(line)
            assert answer["error"]["code"] < -32000, (line[:80], answer)
            assert answer["error"]["message"], answer
        # What is well made and not forwarded, or not there, or refused by the system
        name = target.move.name
        for line in (call("A", "partition.digest", name=name),
                     call("A", "partition.compare", name=name, file="/etc/passwd"),
                     call("A", "device.event", device="msp0", event=1),
                     call("A", "status", stream_id="0" * 16),
                     call("A", "partition.list", msp="vios-A"),
                     call("X", "partition.list"), call("A", "list", msp="x"),
                     call("A", "system.info", more=1), call("A", "partition.show"),
                     call("A", "partition.show", name="\u009b31m"),
                     call("A", "partition.remove", name=name),
                     call("A", "partition.show", name=METACHARACTERS)):
            (answer,) = relay(line)
            error = answer["result"]["error"]
            assert error["text"] and (error["code"] or error["error"] < 0), (line, answer)
        # An operator does not get to the platform's files, nor to QEMU's arguments
        guest = {"kernel": "/etc/passwd", "arguments": ["-drive", "file=/etc/shadow"]}
        content = {"type": "file", "path": "/etc/passwd"}
        for more in ({"guest": guest}, {"content": content}, {"guest": None}):
            for method in ("partition.create", "partition.reserve"):
                line = call("A", method, name="g", memory=16 * MIB, **more) + b"\n"
                status, out, _ = reach.login("anna").run("hmcrelay", line)
                error = json.loads(out)["result"]["error"]
                assert "hmcsuperadmin" in error["text"] and not error["code"], (line, error)
        assert "refused relay system=A method=partition.reserve" in reach.audit()
        (answer,) = relay(call("A", "partition.create", name="g", memory=16 * MIB, guest=guest))
        assert "--qemu-plugin" in answer["result"]["error"]["text"], answer
        # It goes on after each of them, and answers in order
        answers = relay(b"x", request("hello", version=1), b"y", call("A", "system.info"))
        assert ["error" in a for a in answers] == [True, False, True, False], answers
        hello = answers[1]["result"]
        assert hello["version"] == 1 and [s["name"] for s in hello["systems"]] == ["A", "B"]
        assert "socket" not in json.dumps(hello) and lab.directory not in json.dumps(hello)
        assert answers[3]["result"]["result"]["name"] == "A", answers
        # Without a newline at its end it is no request
        status, out, _ = login.run("hmcrelay", request("hello", version=1))
        assert (status, out) == (0, ""), out
        target.check()


NONSENSE = """#!/usr/bin/python3
import sys, time
sys.stdin.readline()
kind = open("%s").read()
if kind == "long":
    sys.stdout.write("x" * (3 << 20))
elif kind == "deep":
    print("[" * 100000)
elif kind == "bytes":
    sys.stdout.buffer.write(b"\\xff\\x1b[31m\\n")
elif kind == "end":
    sys.stderr.write("\\x1b[31mlong ago\\n")
    sys.exit(3)
elif kind == "old":
    sys.stderr.write("hmcrelay: command not found\\n")
    sys.exit(127)
elif kind == "complaints":
    sys.stderr.write("x" * 10000)
else:
    print('{"jsonrpc":"2.0","id":1,"result":' + kind + '}')
sys.stdout.flush()
"""


@suite.test("another console that answers nonsense harms nobody")
def _():
    with lpm.Lab() as lab:
        kind = lab.file("kind", b"")
        script = lab.file("answers", (NONSENSE % kind).encode())
        os.chmod(script, 0o755)
        with Reach(lab, shells={"anna": script}) as other, \
                Reach(lab, hosts={"console2": other}) as reach:
            target = Target(lab)
            with open(reach.key("anna") + ".pub", encoding="utf-8") as file:
                key = file.read()
            path = other.directory + "/home/anna/.ssh/authorized_keys"
            with open(path, "a", encoding="utf-8") as file:
                file.write(key)
            anna = reach.login("anna")
            for answer, code in (
                    ("long", "HSCLA318"), ("deep", "HSCLA318"), ("bytes", "HSCLA318"),
                    ("end", "HSCLA318"), ("old", "HSCLA335"), ("complaints", "HSCLA318"),
                    ("7", "HSCLA335"), ("{}", "HSCLA335"), ('{"version":0}', "HSCLA335"),
                    ('{"version":"1"}', "HSCLA335")):
                with open(kind, "w", encoding="utf-8") as file:
                    file.write(answer)
                done = anna.run("mkauthkeys --test -u anna --ip console2")
                assert told(done, answer) == [code], (answer, done)
            target.check()


lpm.main(suite)
