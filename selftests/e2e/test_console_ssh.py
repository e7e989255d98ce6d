#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The console over SSH, as scripts written for an HMC use it.

A real sshd, the clients that such scripts use (paramiko, ssh(1), pexpect), and the lines
that they type.
"""

import concurrent.futures
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import interpreter  # noqa: E402

interpreter.need("paramiko", "pexpect")

import pexpect  # noqa: E402
import inventories  # noqa: E402
import inventory  # noqa: E402
import lpm  # noqa: E402
import tap  # noqa: E402
from console import codes, describe, make, unchanged  # noqa: E402
from sshd import Reach  # noqa: E402

MIB = lpm.MIB
suite = tap.Suite()
LARGE = 192 * MIB


SUKETE = ("migrlpar  -o %s -m A -t B -p %s --vlanbridge 1 --uuid 1  -i "
          '"\\"virtual_fc_mappings=%s\\",dest_lpar_id=%s,source_msps=%s/%s/%s,'
          'dest_msps=%s/%s/%s,dest_msp_id=%s,source_msp_id=%s"')


class CommandFailed(Exception):
    pass


class Script:
    """What op-test's OpTestSSH and OpTestHMC do with a console, with their lines."""

    def __init__(self, reach, user="hscroot"):
        self.login = reach.login(user)

    def run_command(self, line):
        status, out, err = self.login.run(line)
        if status:
            raise CommandFailed(err)
        return out.splitlines()

    def in_system(self, system, name):
        return name in self.run_command("lssyscfg -r lpar -m %s -F name" % system)

    def state(self, system, name):
        return self.run_command("lssyscfg -m %s -r lpar --filter lpar_names=%s -F state"
                                % (system, name))[-1]

    def migrate(self, source, target, name, param=""):
        assert self.in_system(source, name)
        for mode in ["v", "m"]:
            self.run_command("migrlpar -o %s -m %s -t %s -p %s %s"
                             % (mode, source, target, name, param))
        assert self.in_system(target, name) and not self.in_system(source, name)
        assert self.state(target, name) not in ("Migrating - Running",
                                                "Migrating - Not Activated")

    def recover(self, source, name):
        self.run_command("migrlpar -o r -m %s -p %s" % (source, name))


def poll(lab, login, polled):
    """Look at a move as scripts do, while it cannot end and when it has."""
    line = "lslparmigr -r lpar -m A -F name,migration_state,bytes_transmitted," \
        "bytes_remaining"
    moves = lpm.until("a move begins", lambda: lab.a.msp("list")["moves"])
    limit = {"stream_id": moves[0]["stream_id"]}
    lab.a.msp("limit", bytes_per_second=MIB, **limit)
    lpm.until("it moves", lambda: lab.a.msp("list")["moves"][0]["phase"] == "moving")
    polled += [login(line) for _ in range(3)]
    lab.a.msp("limit", bytes_per_second=0, **limit)
    lpm.until("the move has ended", lambda: login(line) == "No results were found.\n")


@suite.test("log in, validate, migrate and poll, look at the target, migrate back")
def _():
    with lpm.Lab() as lab, Reach(lab) as reach:
        move = make(lab, memory=LARGE)
        script = Script(reach)
        assert script.run_command("lssyscfg -m A -r sys -F state") == ["Operating"]
        assert script.run_command("lshwres -r mem -m A --level sys -F mem_region_size")
        polled, watch = [], reach.login("watch")
        thread = threading.Thread(target=poll, args=(lab, watch, polled))
        thread.start()
        script.migrate("A", "B", move.name)
        thread.join(lpm.PATIENCE_S)
        assert not thread.is_alive()
        sent = [int(re.fullmatch(r"%s,Migration In Progress,(\d+),\d+\n" % move.name,
                                 text).group(1)) for text in polled]
        assert len(sent) == 3 and sent == sorted(sent), polled
        assert move.runs_on() == ["B"]
        assert script.state("B", move.name) == "Running"
        script.migrate("B", "A", move.name)
        assert move.runs_on() == ["A"]
        move.finish(lab.a)
        move.check_equal(lab.a)


@suite.test("a move with chosen movers and mappings, from what lists say")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab, Reach(lab) as reach:
        anna = reach.login("anna")
        number = anna('lssyscfg -m A -r lpar --filter "lpar_names=db1" -F lpar_id').strip()
        profile = anna('lssyscfg -m A -r lpar --filter "lpar_names=db1" -F curr_profile') \
            .split()[0]

        def mover(system):
            """The last VIOS that is listed, as the script's grep and tail have it."""
            vioses = [line.split(",") for line in anna(
                "lssyscfg -m %s -r lpar -F name,lpar_env,lpar_id,msp" % system).splitlines()
                      if "vio" in line]
            name, _, lpar_id, _ = [v for v in vioses if v[3] == "1"][-1]
            return name, lpar_id, "127.0.0.1"
        adapters = anna("lssyscfg -m A -r prof -F virtual_fc_adapters --filter "
                        "profile_names=%s,lpar_names=db1" % profile)
        slots = re.findall(r'"(\d+)/client/\d+/[\w-]+/(\d+)/', adapters)
        assert len(slots) == 2, adapters
        mappings = ",".join("%s//%s/%d/fcs0" % (slot, vios, 40 + i) for i, ((slot, _), vios)
                            in enumerate(zip(slots, ("102", "103"))))
        words = ("db1", mappings, number) + mover("A") + mover("B") + \
            (mover("B")[1], mover("A")[1])
        before = inventories.both(lab)
        anna(SUKETE % (("v",) + words))
        assert inventories.both(lab) == before
        anna(SUKETE % (("m",) + words))
        inventories.check_migrated("db1", before, inventories.both(lab))
        config = inventories.of(lab.b)["partitions"]["db1"]["config"]
        assert sorted((a["slot_num"], a["remote_lpar_id"], a["remote_slot_num"])
                      for a in inventories.hosted(config)) == \
            [(int(slot), vios, 40 + i) for i, ((slot, _), vios) in
             enumerate(zip(slots, (102, 103)))]
        # A mover that is not there
        wrong = list(("v", "web1", "") + words[2:])
        line = (SUKETE % tuple(wrong)).replace('\\"virtual_fc_mappings=\\",', "") \
            .replace("dest_msps=%s/%s" % mover("B")[:2], "dest_msps=elsewhere/9") \
            .replace("dest_lpar_id=" + number, "dest_lpar_id=11")
        assert codes(anna(line, status=1)), line


@suite.test("what avocado-misc-tests asks before and after a move")
def _():
    with lpm.Lab(systems=inventory.pair()) as lab, Reach(lab) as reach:
        anna = reach.login("anna")
        question = "diagrmc -m %s --ip %s -p %s --autocorrect"

        def in_server(server, lpar):
            return "%s," % lpar in anna("lssyscfg -r lpar -m %s -F name,state" % server)
        assert anna("lssyscfg -r sys -F name").splitlines() == ["A", "B"]
        assert in_server("A", "web1")
        vios = anna("lssyscfg -m A -r lpar --filter lpar_names=vios-A \\\n"
                    "              -F lpar_id").strip()
        anna("chsyscfg -m A -r lpar -i lpar_id=%s,msp=1" % vios)
        assert anna(question % ("A", "192.0.2.11", "web1")) == \
            "192.0.2.11 has RMC connection.\n"
        anna("migrlpar -o m -m A -t B -p web1 ")
        assert in_server("B", "web1") and not in_server("A", "web1")
        anna("migrlpar -o m -m B -t A -p web1  --vlanbridge 2")
        assert in_server("A", "web1") and not in_server("B", "web1")
        # None, at that address or at all
        for state, address in (("active", "192.0.2.99"), ("inactive", "192.0.2.11")):
            lab.a.phyp("partition.configure", name="web1", config={"rmc_state": state})
            status, out, err = anna.run(question % ("A", address, "web1"))
            assert (status, out, err) == (
                1, address + " does not have RMC connection.\n", ""), (out, err)
        assert codes(anna(question % ("A", "192.0.2.11", "x"), status=1)) == ["HSCL8012"]
        for line in ("diagrmc -m A", "diagrmc -m A -p a/b", "diagrmc -p web1 -m A x"):
            assert codes(anna(line, status=2)) == ["LPM0001"], line


def begin_slowly(lab, login):
    move = make(lab, memory=LARGE, program=lpm.program(1, 16 * MIB))
    login("migrlpar -o m -m A -t B -p %s --async --limit 2M" % move.name)
    move.stream_id = lab.a.phyp("stream.list")["streams"][0]["stream_id"]
    return move


@suite.test("stop and recover")
def _():
    with lpm.Lab() as lab, Reach(lab) as reach:
        script = Script(reach)
        move = begin_slowly(lab, script.login)
        assert "Migration In Progress" in script.login(
            "lslparmigr -r lpar -m A -F name,migration_state")
        assert script.login("migrlpar -o s -m A -p %s; echo $?" % move.name) \
            .splitlines()[-1] == "0"
        assert script.in_system("A", move.name)
        assert not script.in_system("B", move.name)
        lab.a.phyp("partition.shutdown", name=move.name)
        # One whose movers die
        move = begin_slowly(lab, script.login)
        lab.a.mspd.kill()
        lab.b.mspd.kill()
        lpm.until("the sessions are gone",
                  lambda: not lab.a.stream(move.stream_id)["sessions"])
        script.recover("A", move.name)
        assert script.in_system("A", move.name)
        assert move.runs_on() == ["A"]
        assert not lab.b.phyp("partition.list")["partitions"]


def ssh_argv(reach, user, *options):
    known = reach.file("known_hosts", "[127.0.0.1]:%d %s" % (reach.port,
                                                            reach.host_key()))
    return ["ssh", "-F", "none", "-p", str(reach.port), "-i", reach.key(user),
            "-o", "UserKnownHostsFile=" + known, "-o", "IdentitiesOnly=yes",
            "-o", "IdentityAgent=none", *options, "%s@127.0.0.1" % user]


@suite.test("ssh(1) with a line in quotes, and many over one connection")
def _():
    with lpm.Lab() as lab, Reach(lab) as reach:
        move = make(lab, memory=16 * MIB, name="a b'c")
        other = make(lab, memory=16 * MIB)

        def shell(words):
            """ansible-power-hmc hands a text to a shell, in single quotes."""
            return subprocess.run(
                ["sh", "-c", '"$@" %s' % words, "sh"] + ssh_argv(
                    reach, "hscroot", "-o", "ControlMaster=auto", "-o",
                    "ControlPath=%s/mux" % reach.directory, "-o", "ControlPersist=yes"),
                capture_output=True, text=True, check=False, timeout=lpm.PATIENCE_S,
                stdin=subprocess.DEVNULL)
        try:
            done = shell("'lshmc -V '")
            assert [line.split(":")[1].strip() for line in done.stdout.split("\n")
                    if "Version" in line] == ["0"], done
            done = shell("'migrlpar -o v -m A -t B -p %s'" % other.name)
            assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done
            done = shell("'migrlpar -o v -m A -t B -p nothing'")
            assert done.returncode == 1 and codes(done.stderr) == ["HSCL8012"], done
            # avocado-misc-tests breaks its lines so
            done = shell("'lssyscfg -m A -r lpar --filter lpar_names=%s \\\n    "
                         "      -F lpar_id'" % other.name)
            assert done.stdout.strip().isdigit(), done
            # sukete/power10tools: quotes within quotes
            done = shell('lssyscfg -m A -r lpar --filter "lpar_names=%s" -F lpar_id'
                         % other.name)
            assert done.stdout.strip().isdigit(), done
            done = shell('"lssyscfg -r lpar -m A --filter \\"\\"lpar_names=a b\\\'c\\"\\" '
                         '-F state,name"')
            assert done.stderr.startswith("LPM0001"), done
            done = shell("\"lssyscfg -r lpar -m A --filter \\\"lpar_names=%s\\\" "
                         "-F state,name\"" % move.name.replace("'", "'"))
            assert done.stdout == "Running,%s\n" % move.name, done
            # The user's own habit
            done = shell("'migrlpar -o v -m A -t B -p %s; echo $?'" % other.name)
            assert done.stdout == "0\n" and not done.returncode, done
            done = shell("'migrlpar -o v -m A -t A -p %s; echo $?'" % other.name)
            assert done.stdout == "1\n" and not done.returncode, done
        finally:
            subprocess.run(ssh_argv(reach, "hscroot", "-o", "ControlPath=%s/mux"
                                    % reach.directory, "-O", "exit"), check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@suite.test("a session on a terminal, as op-test and fence agents drive it")
def _():
    with lpm.Lab() as lab, Reach(lab) as reach:
        move = make(lab, memory=16 * MIB)
        argv = ssh_argv(reach, "anna", "-tt")
        pty = pexpect.spawn(argv[0], argv[1:], encoding="utf-8",
                            timeout=lpm.PATIENCE_S)
        pty.setwinsize(1000, 1000)
        # What either waits for after it has logged in
        pty.expect([r".*#$", r".*# $", r".*\$$", "~>", "~ #"])
        assert pty.match.group(0) == "~>"
        prompt = r"\[ssh-expect\]#"
        for line in ("which bash && exec bash --norc --noprofile", "PS1=" + prompt,
                     "which stty && stty cols 300;which stty && stty rows 30",
                     "export LANG=C"):
            pty.sendline(line)
        pty.sendline("echo synchronised; echo $?")
        pty.expect("\r\nsynchronised\r\n0\r\n" + prompt + "$")

        def run_command(line):
            pty.sendline(line)
            pty.expect(prompt + "$")
            output = pty.before.replace("\r\r\n", "\n").splitlines()[1:]
            pty.sendline("echo $?")
            pty.expect(prompt + "$")
            return output, int(pty.before.replace("\r\r\n", "\n").splitlines()[1])
        assert run_command("lssyscfg -r sys -F name") == (["A", "B"], 0)
        assert run_command("migrlpar -o v -m A -t B -p " + move.name) == ([], 0)
        output, status = run_command("migrlpar -o m -m A -t B -p nothing")
        assert status == 1 and codes("\n".join(output)) == ["HSCL8012"], output
        output, status = run_command("date > /tmp/x")
        assert status == 2 and codes("\n".join(output)) == ["LPM0503"], output
        # Ctrl-C ends a command and not the session
        pty.sendline("hmcrelay")
        lpm.until("hmcrelay reads", lambda: "begin command=hmcrelay" in reach.audit())
        pty.sendintr()
        pty.expect(prompt + "$")
        pty.sendline("exit 7")
        pty.expect(pexpect.EOF)
        pty.close()
        assert pty.exitstatus == 7, pty
        # Input that is no terminal is a script
        done = subprocess.run(ssh_argv(reach, "anna", "-T"), text=True, check=False,
                              input="lssyscfg -r sys -F name\nfalse\n",
                              capture_output=True, timeout=lpm.PATIENCE_S)
        assert (done.stdout, done.stderr, done.returncode) == ("A\nB\n", "", 1), done


@suite.test("task roles, for every way in; resources; who did what")
def _():
    options = {"anna": {"resources": ["A"]}}
    with lpm.Lab() as lab, Reach(lab, options=options) as reach:
        move = make(lab, memory=16 * MIB, program=lpm.program(600, MIB))
        before = unchanged(lab)
        migrate = "migrlpar -o m -m A -t B -p " + move.name
        watch = reach.login("watch")
        assert watch("lssyscfg -r sys -F name") == "A\nB\n"
        assert watch("lslparmigr -r lpar -m A -F name") == move.name + "\n"
        for line in (migrate, migrate.replace("-o m", "-o v"), "migrlpar -o s -m A -p x",
                     "chlparstate -o suspend -m A -p " + move.name):
            text = watch(line, status=1)
            assert codes(text) == ["HSCL350B"] and "hmcviewer" in text, (line, text)
        # hmcrelay lets a viewer look only
        status, out, _ = watch.run("hmcrelay", b'{"id":1,"method":"call","params":{"system":'
                                   b'"A","method":"partition.list","params":{},'
                                   b'"timeout_ms":1000}}\n{"id":2,"method":"call","params":'
                                   b'{"system":"A","method":"partition.shutdown","params":'
                                   b'{"name":"%s"},"timeout_ms":1000}}\n'
                                   % move.name.encode())
        first, second = out.splitlines()
        assert not status and move.name in first and "hmcviewer" in second, out
        for line in ("lssyscfg -r sys", "lshmc -V", migrate, "hmcrelay",
                     "mkauthkeys -r x"):
            assert codes(reach.login("nobodys")(line, status=1)) == ["HSCL350B"], line
        anna = reach.login("anna")
        assert anna("lssyscfg -r sys -F name") == "A\n"
        for line in (migrate, "lssyscfg -r lpar -m B", "chlparstate -o resume -m B -p x"):
            text = anna(line, status=1)
            assert codes(text) == ["HSCL350B"] and "system B" in text, text
        assert codes(anna("lssyscfg -r lpar -m C", status=1)) == ["LPM0004"]
        assert unchanged(lab) == before
        anna("chlparstate -o suspend -m A -p " + move.name)
        reach.login("hscroot")("chlparstate -o resume -m A -p " + move.name)
        # On the machine itself it is the same user
        env = {"LPM_CONSOLE": reach.directory + "/etc/lpm/console.json",
               "USER": "hscroot", "LOGNAME": "hscroot"}
        argv = ["nsenter", "--mount=/proc/%d/ns/mnt" % reach.process.pid, "setpriv",
                "--reuid", str(reach.users["watch"][0]), "--regid", str(lpm.GROUP),
                "--clear-groups", os.path.join(lpm.programs(), "hmc")]
        done = subprocess.run(argv + migrate.split(), env=env, capture_output=True,
                              text=True, check=False)
        assert done.returncode == 1 and codes(done.stderr) == ["HSCL350B"], done
        assert "User watch" in done.stderr, done
        audit = reach.audit()
        for user, what in (
                ("watch", "role=hmcviewer refused command=" + re.escape(migrate)),
                ("watch", "role=hmcviewer refused relay system=A "
                          "method=partition.shutdown command=hmcrelay"),
                ("nobodys", "role=none refused command=lshmc -V"),
                ("anna", "role=hmcoperator begin command=chlparstate -o suspend"),
                ("anna", "role=hmcoperator end status=0 command=chlparstate -o suspend"),
                ("anna", "role=hmcoperator end status=1 command=" + re.escape(migrate))):
            assert re.search(r"^\S+Z user=%s uid=%d from=127\.0\.0\.1:\d+ pid=\d+ %s"
                             % (user, reach.users[user][0], what), audit, re.M), \
                (user, what, audit)
        assert re.search(r"user=watch uid=\d+ from=local pid=\d+ role=hmcviewer refused ",
                         audit), audit
        # What cannot be recorded is not done, as with a file that grows no more
        def full():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        for user in ("anna", "watch"):
            argv[4] = str(reach.users[user][0])
            done = subprocess.run(argv + ["lssyscfg", "-r", "sys"], env=env, preexec_fn=full,
                                  restore_signals=False, capture_output=True, text=True,
                                  check=False)
            assert done.returncode == 1 and not done.stdout, done
            assert codes(done.stderr) == ["LPM0504"], done
        os.unlink(reach.audit_path)
        assert codes(anna("lssyscfg -r sys", status=1)) == ["LPM0504"]
        os.symlink(reach.directory + "/other", reach.audit_path)
        reach.file("other", "", 0o666)
        assert codes(anna("lssyscfg -r sys", status=1)) == ["LPM0504"]
        os.unlink(reach.audit_path)
        reach.file("audit.log", "", 0o620, 0, lpm.GROUP)
        anna("lssyscfg -r sys")


@suite.test("a user of one end tidies up and stops at both, and sees one only")
def _():
    options = {"anna": {"resources": ["A"]}, "watch": {"resources": ["A"]}}
    with lpm.Lab() as lab, Reach(lab, options=options) as reach:
        root, anna, watch = [reach.login(n) for n in ("hscroot", "anna", "watch")]
        move = make(lab)
        root("migrlpar -o m -m A -t B -p %s --async" % move.name)
        lpm.until("its end", lambda: lab.a.phyp("stream.list")["streams"][0]["state"] ==
                  "Completed" and not lab.a.phyp("stream.list")["streams"][0]["sessions"])
        lpm.until("tidied up", lambda: watch("lslparmigr -r lpar -m A -F name") ==
                  "No results were found.\n")
        lpm.until("at the target, too", lambda: watch("lslparmigr -r lpar -m A") and
                  not lab.b.phyp("stream.list")["streams"])
        assert not lab.a.phyp("stream.list")["streams"]
        moves = lab.b.phyp("partition.history", name=move.name)["moves"]
        assert moves[-1]["by"] == "watch", moves
        assert watch("lssyscfg -r sys -F name") == "A\n"
        # What is stopped leaves nothing
        slow = make(lab, memory=64 * MIB, program=lpm.program(600, MIB))
        root("migrlpar -o m -m A -t B -p %s --async --limit 1M" % slow.name)
        assert lab.b.phyp("stream.list")["streams"]
        anna("migrlpar -o s -m A -p " + slow.name)
        assert not lab.b.phyp("stream.list")["streams"]
        assert slow.name not in [p["name"] for p in
                                 lab.b.phyp("partition.list")["partitions"]]
        assert codes(anna("migrlpar -o v -m A -t B -p " + slow.name, status=1)) == ["HSCL350B"]


@suite.test("a program with the group's rights lends them to users for the console's file only")
def _():
    if lpm.SANITIZE:
        raise tap.Skip("sanitizers do not run with the rights of others")
    with lpm.Lab() as lab, Reach(lab) as reach:
        move = make(lab, memory=16 * MIB, program=lpm.program(600, MIB))
        program = reach.directory + "/hmc"
        shutil.copy(reach.shell, program)
        os.chown(program, 0, lpm.GROUP)
        os.chmod(program, 0o2755)
        mine = reach.file("mine.json", json.dumps({"systems": describe(lab)["systems"]}))

        def run(user, *words, program=program, **env):
            return subprocess.run(
                ["nsenter", "--mount=/proc/%d/ns/mnt" % reach.process.pid, "setpriv",
                 "--reuid", str(reach.users[user][0]), "--regid", "61199",
                 "--clear-groups", program] + list(words), env=env, capture_output=True,
                text=True, check=False, timeout=lpm.PATIENCE_S)
        migrate = ["migrlpar", "-o", "m", "-m", "A", "-t", "B", "-p", move.name]
        before = unchanged(lab)
        done = run("watch", "lssyscfg", "-r", "sys", "-F", "name")
        if os.statvfs(reach.directory).f_flag & os.ST_NOSUID:
            raise tap.Skip("programs there have nobody's rights")
        assert (done.stdout, done.returncode) == ("A\nB\n", 0), done
        # Nor other files that the group may read
        secret = reach.file("secret", "name=x,secret=1\n", 0o640, 0, lpm.GROUP)
        for words in (["chsyscfg", "-r", "lpar", "-m", "A", "-f", secret],
                      ["chsyscfg", "-r", "lpar", "-m", "A", "-f", secret, "--console", mine]):
            done = run("hscroot", *words)
            assert done.returncode == 2 and "Permission denied" in done.stderr, done
        # Nor does the shell add its record to a file that the user chose
        spool = reach.file("spool", "", 0o660, 0, lpm.GROUP)
        forged = reach.file("forged.json", json.dumps({"audit": spool}))
        shell = os.path.join(reach.directory, "lent", "hmcsh")
        os.mkdir(os.path.dirname(shell))
        os.symlink(program, shell)
        done = run("watch", "--console", forged, "-c", "a | b", program=shell)
        assert codes(done.stderr) == ["LPM0503"], done
        assert not os.path.getsize(spool) and "line='a | b'" in reach.audit()
        # Without the group the sockets are not the user's
        os.chmod(program, 0o755)
        done = run("watch", "lssyscfg", "-r", "sys", "-F", "name", LPM_CONSOLE=mine)
        assert "A" not in done.stdout and codes(done.stderr) == ["HSCL350B"], done
        os.chmod(program, 0o2755)
        for words, env in ((migrate, {}), (migrate, {"LPM_CONSOLE": mine}),
                           (migrate, {"LPM_CONSOLE": mine, "USER": "hscroot"}),
                           (migrate + ["--console", mine], {}),
                           (["hmcsh", "--console", mine, "-c", " ".join(migrate)], {}),
                           (["lssyscfg", "-r", "sys", "--console", mine], {})):
            done = run("watch", *words, **env)
            if words[0] == "hmcsh":     # by that name it is no command
                assert codes(done.stderr) == ["LPM0001"], (words, env, done)
            else:
                assert codes(done.stderr) == ["HSCL350B"], (words, env, done)
            assert done.returncode and not done.stdout, (words, env, done)
        assert unchanged(lab) == before
        assert run("anna", *migrate).returncode == 0
        assert move.runs_on() == ["B"]


@suite.test("keys: added, used and removed; another console's trust is tried")
def _():
    with lpm.Lab() as lab, Reach(lab) as other, \
            Reach(lab, hosts={"console2": other}) as reach:
        anna = reach.login("anna")
        key = reach.file("extra", "")
        os.unlink(key)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C",
                        "anna@desk", "-f", key], check=True)
        with open(key + ".pub", encoding="utf-8") as file:
            line = file.read().strip()
        path = reach.directory + "/home/anna/.ssh/authorized_keys"

        def authorized():
            with open(path, encoding="utf-8") as file:
                return file.read().splitlines()
        before = authorized()
        # As ansible-power-hmc's play book quotes it
        anna("mkauthkeys -a '%s'" % line)
        anna("mkauthkeys -a \"%s\"" % line)
        assert authorized() == before + ["restrict,pty " + line], authorized()
        assert os.stat(path).st_mode & 0o777 == 0o600
        assert reach.login("anna", key)("lssyscfg -r sys -F name") == "A\nB\n"
        for bad in ("command=\"/bin/sh\" " + line, line.replace(" ", "\t"), "ssh-rsa x",
                    "no key", "", line[:40] + "$x" + line[40:]):
            text = anna("mkauthkeys -a '%s'" % bad, status=2)
            assert set(codes(text)) <= {"LPM0001", "LPM0503"}, text
        anna("mkauthkeys -r 'anna@desk'")
        assert authorized() == before
        assert codes(anna("mkauthkeys -r 'anna@desk'", status=1)) == ["LPM0509"]
        # What lies where the new file is to be is not written to, nor waited for
        home = reach.directory + "/home/anna/"
        audit = reach.audit()
        os.link(reach.audit_path, home + ".ssh/authorized_keys.new")
        anna("mkauthkeys -a '%s'" % line)
        assert reach.audit().startswith(audit)
        os.mkfifo(home + ".ssh/authorized_keys.new", 0o666)
        os.chown(home + ".ssh/authorized_keys.new", reach.users["anna"][0], lpm.GROUP)
        anna("mkauthkeys -r anna@desk")
        assert authorized() == before
        # ~/.ssh that leads elsewhere is not followed
        os.rename(home + ".ssh", home + "kept")
        os.symlink("../watch/.ssh", home + ".ssh")
        assert codes(anna("mkauthkeys -a '%s'" % line, status=1)) == ["LPM0509"]
        os.unlink(home + ".ssh")
        os.rename(home + "kept", home + ".ssh")
        # Trust: as op-test tries it, before and after
        test = "mkauthkeys -u anna --ip console2 --test"
        text = anna(test, status=1)
        assert codes(text) == ["HSCL3653"] and "Permission denied" in text, text
        text = anna("mkauthkeys -u anna --ip console2 --passwd s3cr3t", status=1)
        assert codes(text) == ["HSCL3653", "LPM0510"], text
        assert "s3cr3t" not in reach.audit() and "--passwd '***'" in reach.audit()
        # Nor what getopt_long() takes for it, nor lines and commands that are refused
        for line in ("mkauthkeys --ip '' -u anna --p s3cr3t", "mkauthkeys --pas=s3cr3t --ip x y",
                     "mkauthkeys --ip console2 --passwd s3cr3t | cat", "chhmcusr -v s3cr3t",
                     "mkauthkeys --passwd=s3cr3t > x", "mkhmcusr --passwd s3cr3t",
                     "migrlpar --localpass s3cr3t x"):
            anna.run(line)
        assert "s3cr3t" not in reach.audit(), reach.audit()
        assert "line='mkauthkeys --ip console2 --passwd' '***' why=" in reach.audit()
        public = anna("mkauthkeys -g").strip()
        other.login("anna")("mkauthkeys -a '%s'" % public)
        assert anna(test) == ""
        assert anna("mkauthkeys -u anna --ip console2 --passwd x") == ""
        assert "refused" not in other.audit().splitlines()[-1], other.audit()
        # Not a console, no host key, nobody there, no such user
        text = anna("mkauthkeys -u nobodys --ip console2 --test", status=1)
        assert codes(text) == ["HSCL3653"], text
        text = anna("mkauthkeys --ip 127.0.0.1 --test", status=1)
        assert codes(text) == ["LPM0506"], text
        for host in ("-oProxyCommand=id", "a b", "x;id", ""):
            text = anna("mkauthkeys --test --ip '%s'" % host, status=1)
            assert codes(text) == ["LPM0001"], text


@suite.test("keys of a user whose key has hmcsh as its command, and keys that come at once")
def _():
    with lpm.Lab() as lab, Reach(lab, shells={"anna": "/bin/sh"}) as reach:
        path = reach.directory + "/home/anna/.ssh/authorized_keys"
        with open(path, encoding="utf-8") as file:
            first = 'command="%s" %s' % (reach.shell, file.read())
        with open(path, "w", encoding="utf-8") as file:
            file.write(first)
        anna = reach.login("anna")
        anna("mkauthkeys -r nothing", status=1)
        assert codes(anna("id", status=127)) == ["LPM0502"]
        key = reach.directory + "/home/anna/.ssh/id_ed25519"
        added = key + "-added"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "mine",
                        "-f", added], check=True)
        with open(added + ".pub", encoding="utf-8") as file:
            line = file.read().strip()
        for _ in range(2):
            anna("mkauthkeys -a '%s'" % line)
        with open(path, encoding="utf-8") as file:
            assert file.read() == '%srestrict,pty,command="%s" %s\n' % (
                first, reach.shell, line)
        other = reach.login("anna", added)
        assert other("lssyscfg -r sys -F name") == "A\nB\n"
        assert codes(other("id", status=127)) == ["LPM0502"]
        anna("mkauthkeys -r mine")
        with open(path, encoding="utf-8") as file:
            assert file.read() == first
        # None of those that are added at once is lost
        bodies = ["ssh-ed25519 %s k%d" % ("A" * 40 + "%02d" % i, i) for i in range(12)]
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            list(pool.map(anna, ["mkauthkeys -a '%s'" % body for body in bodies]))
        with open(path, encoding="utf-8") as file:
            text = file.read()
        assert all(body + "\n" in text for body in bodies), text


lpm.main(suite)
