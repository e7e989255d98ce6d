# SPDX-License-Identifier: GPL-2.0-or-later
"""A console that is reached over SSH, with users of its own.

An sshd on 127.0.0.1 in a mount namespace whose /etc holds the users, the console file
and nothing of the machine's: no user, key or file of the machine is touched, and none
is needed.  Ports are the kernel's choice.

    with Reach(lab) as reach:
        reach.login("anna")("lssyscfg -r sys -F name")
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile

import paramiko

import lpm
import tap
from console import describe

# Name -> uid, task role (None: the console file does not name it)
USERS = {
    "hscroot": (61100, "hmcsuperadmin"),
    "anna": (61101, "hmcoperator"),
    "watch": (61102, "hmcviewer"),
    "nobodys": (61103, None),
}
SFTP = "/usr/lib/openssh/sftp-server"


def documented_config():
    """What the manual says that sshd_config must have for the console's users."""
    path = os.path.join(lpm.TOP, "Documentation/console-access.rst")
    with open(path, encoding="utf-8") as file:
        block = re.search(r":name: sshd-config\n\n((?:   .*\n)+)", file.read())
    return re.sub(r"(?m)^   ", "", block.group(1))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_key(path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C",
                    os.path.basename(path), "-f", path], check=True)


class Reach:
    """See the top of this file.

    @description: what the console file holds beside users and audit
    @users: as USERS
    @hosts: other consoles: name -> Reach, known to ssh(1) of this one's users
    @options: more members of users' entries: name -> dict
    @shells: of users who do not have hmcsh: name -> path
    """

    def __init__(self, lab, description=None, users=None, hosts=None, options=None,
                 shells=None):
        if os.geteuid():
            raise tap.Skip("sshd with users of its own needs root")
        self.lab = lab
        self.users = users or USERS
        self.directory = tempfile.mkdtemp(prefix="reach.", dir=lab.directory)
        os.chmod(self.directory, 0o755)
        self.port = free_port()
        self.audit_path = self.directory + "/audit.log"
        self.logins = []
        description = dict(description or describe(lab))
        description["users"] = [
            {"name": name, "taskrole": role, **(options or {}).get(name, {})}
            for name, (_, role) in self.users.items() if role]
        description["audit"] = self.audit_path
        self.shells = shells or {}
        self.make_programs()
        self.make_etc(description, hosts or {})
        for name in self.users:
            self.make_home(name)
        self.start()

    # What the namespace has

    def file(self, name, text, mode=0o644, owner=0, group=0):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        os.chown(path, owner, group)
        return path

    def make_programs(self):
        """hmcsh by its name, where every user can reach it."""
        self.shell = self.directory + "/hmcsh"
        shutil.copy(os.path.join(lpm.programs(), "hmc"), self.shell)
        os.chmod(self.shell, 0o755)

    def make_etc(self, description, hosts):
        with open("/etc/passwd", encoding="utf-8") as file:
            kept = [line for line in file if line.split(":")[0] in
                    ("root", "sshd", "nobody")]
        self.file("etc/passwd", "".join(kept) + "".join(
            "%s:x:%d:%d::%s/home/%s:%s\n" % (name, uid, lpm.GROUP, self.directory,
                                             name, self.shells.get(name, self.shell))
            for name, (uid, _) in self.users.items()))
        self.file("etc/group", "root:x:0:\nnogroup:x:65534:\nlpm:x:%d:\n"
                  "hmcusers:x:61199:%s\n" % (lpm.GROUP, ",".join(self.users)))
        self.file("etc/shadow", "".join("%s:*:19000::::::\n" % name
                                        for name in self.users), 0o600)
        self.file("etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\n"
                  "hosts: files\n")
        self.file("etc/hosts", "127.0.0.1 localhost\n")
        self.file("etc/lpm/console.json", json.dumps(description), 0o640, 0, lpm.GROUP)
        self.file("audit.log", "", 0o620, 0, lpm.GROUP)
        if os.path.exists("/etc/ld.so.cache"):
            shutil.copy("/etc/ld.so.cache", self.directory + "/etc/ld.so.cache")
        self.file("etc/ssh/ssh_config", "".join(
            "Host %s\n HostName 127.0.0.1\n Port %d\n HostKeyAlias %s\n"
            % (name, other.port, name) for name, other in hosts.items()))
        self.file("etc/ssh/ssh_known_hosts", "".join(
            "%s %s" % (name, other.host_key()) for name, other in hosts.items()))
        make_key(self.directory + "/host_key")
        self.config = self.file("sshd_config", """\
Port %d
ListenAddress 127.0.0.1
HostKey %s/host_key
PidFile none
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthorizedKeysFile .ssh/authorized_keys
LogLevel VERBOSE
MaxStartups 100
MaxSessions 20
Subsystem sftp %s
%s""" % (self.port, self.directory, SFTP, documented_config()))

    def make_home(self, name):
        uid = self.users[name][0]
        home = "%s/home/%s" % (self.directory, name)
        os.makedirs(home + "/.ssh", mode=0o700)
        make_key(home + "/.ssh/id_ed25519")
        shutil.copy(home + "/.ssh/id_ed25519.pub", home + "/.ssh/authorized_keys")
        for path in (home, home + "/.ssh"):
            os.chmod(path, 0o700)
        for root, _, names in os.walk(home):
            for path in [root] + [os.path.join(root, n) for n in names]:
                os.chown(path, uid, lpm.GROUP)

    def key(self, name):
        return "%s/home/%s/.ssh/id_ed25519" % (self.directory, name)

    def host_key(self):
        with open(self.directory + "/host_key.pub", encoding="utf-8") as file:
            return " ".join(file.read().split()[:2]) + "\n"

    # Its life

    def start(self):
        script = ("mount --bind '%s/etc' /etc && mount -t tmpfs none /run && "
                  "mkdir -m 0755 /run/sshd && exec /usr/sbin/sshd -D -e -f '%s'"
                  % (self.directory, self.config))
        self.log_path = self.directory + "/sshd.log"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                start_new_session=True)
        lpm.until("sshd accepts", self.accepts)

    def accepts(self):
        if self.process.poll() is not None:
            raise RuntimeError("sshd ended: " + self.log())
        with socket.socket() as probe:
            return not probe.connect_ex(("127.0.0.1", self.port))

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for login in self.logins:
            login.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(lpm.PATIENCE_S)
        if kind is not None:
            lpm.note(self.log()[-4000:])
            lpm.note(self.audit()[-4000:])

    def login(self, name, key=None):
        login = Login(self, name, key)
        self.logins.append(login)
        return login

    def audit(self):
        with open(self.audit_path, encoding="utf-8") as file:
            return file.read()


class Login:
    """A connection as scripts make it; calling it runs a line."""

    def __init__(self, reach, name, key=None):
        self.client = paramiko.SSHClient()
        self.client.set_missing_host_key_policy(paramiko.RejectPolicy())
        kind, text = reach.host_key().split()
        self.client.get_host_keys().add(
            "[127.0.0.1]:%d" % reach.port, kind,
            paramiko.Ed25519Key(data=paramiko.py3compat.decodebytes(text.encode())))
        self.client.connect("127.0.0.1", reach.port, name,
                            key_filename=key or reach.key(name), timeout=lpm.PATIENCE_S,
                            allow_agent=False, look_for_keys=False)

    def run(self, line, stdin=None):
        """Exit status, standard output and error of a line."""
        channel = self.client.get_transport().open_session(timeout=lpm.PATIENCE_S)
        channel.settimeout(lpm.PATIENCE_S)
        channel.exec_command(line)
        try:
            channel.sendall(stdin or b"")
            channel.shutdown_write()
        except OSError:
            pass                # it has ended, whatever there is to come
        out = channel.makefile("rb").read()
        err = channel.makefile_stderr("rb").read()
        status = channel.recv_exit_status()
        channel.close()
        return status, out.decode(errors="replace"), err.decode(errors="replace")

    def __call__(self, line, status=0):
        """Standard output, or of a line that must fail the error."""
        code, out, err = self.run(line)
        assert code == status, "%r: status %d: %s%s" % (line[:200], code, out, err)
        return err if status else out

    def close(self):
        self.client.close()
