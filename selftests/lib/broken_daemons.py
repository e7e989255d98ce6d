# SPDX-License-Identifier: GPL-2.0-or-later
"""Daemons, sockets and console files that break one rule of validation each (broken.py)."""

import copy
import json
import os

import lpm
from broken import only, setup
from console import Console, describe
from interpose import Interposer


class Answers(Interposer):
    """A platform's or a mover's answers, changed: (path, method) -> function."""

    changed = {}

    def forward(self, path, line):
        change = self.changed.get((path, json.loads(line)["method"]))
        answer = json.loads(Interposer.forward(path, line))
        if change:
            change(answer)
        return json.dumps(answer).encode() + b"\n"


def with_answers(lab, changed):
    """The lab's Answers stand between for all cases; see prepare()."""
    lab.answers.changed = changed
    return Console(lab, lab.answers.description)


def prepare(lab):
    """Once, before the cases."""
    lab.answers = Answers(lab, describe(lab))
    lab.undo = []


def restore(lab):
    """After each case."""
    lab.answers.changed = {}
    while lab.undo:
        lab.undo.pop()()


def set_result(**members):
    return lambda answer: answer["result"].update(members)


def refuse(answer):
    answer.pop("result", None)
    answer["error"] = {"code": 3, "message": "not now"}


def described(lab, change):
    """A console whose file is changed."""
    description = describe(lab)
    change(description["systems"])
    return Console(lab, description)


@setup("system", "LPM0101")
def _(lab):
    return described(lab, lambda systems: systems[1].update(socket="/nowhere",
                                                            msps=[]))


@setup("system", "LPM0102")
def _(lab):
    return with_answers(lab, {(lab.b.phyp_path, "system.info"): refuse})


@setup("system", "LPM0102")
def _(lab):
    """it does not tell what it has"""
    return with_answers(lab, {(lab.b.phyp_path, "system.inventory"): refuse})


# ---- Another console, reached by a stand-in for ssh(1) ----

SSH = """\
#!/usr/bin/python3
import json, socket, sys
config = json.load(open(%r))
for line in sys.stdin:
    request = json.loads(line)
    params = request["params"]
    answer = {"jsonrpc": "2.0", "id": request["id"]}
    if request["method"] == "hello":
        answer["result"] = config["hello"]
    elif params["method"] in config["errors"]:
        answer["result"] = {"error": config["errors"][params["method"]]}
    else:
        server = socket.socket(socket.AF_UNIX)
        server.connect(config["sockets"][params.get("msp", "")])
        server.sendall(json.dumps({"jsonrpc": "2.0", "id": 1,
            "method": params["method"], "params": params["params"]}).encode()
            + b"\\n")
        told = json.loads(server.makefile().readline())
        error = told.get("error")
        answer["result"] = {"result": told.get("result")} if not error else \\
            {"error": {"code": error["code"], "error": -5,
                       "text": error["message"]}}
    print(json.dumps(answer), flush=True)
"""


class OtherConsole(Console):
    """B is another console's; with a name space in which that is ssh(1)."""

    def run(self, name, *arguments, **_):
        return Console.run(self, os.path.abspath("/usr/bin/unshare"), "-m",
                           "sh", "-c", "mount --bind \"$0\" /usr/bin/ssh && "
                           "exec \"$@\"", self.ssh,
                           os.path.join(self.bin, name), *arguments)


def other_console(lab, capabilities=("lpar_uuid", "inventory"), **errors):
    """None where there can be no name space."""
    if not lab.root:
        return None
    description = describe(lab)
    other = description["systems"].pop()
    config = {"errors": {k.replace("_", "."): v for k, v in errors.items()},
              "sockets": {"": other["socket"]},
              "hello": {"version": 1, "capabilities": capabilities,
                        "systems": [{"name": "B", "msps": []}]}}
    for msp in other["msps"]:
        config["sockets"][msp["name"]] = msp.pop("socket")
        config["hello"]["systems"][0]["msps"].append(msp)
    path = lab.file("ssh.json", json.dumps(config).encode())
    console = OtherConsole(lab, description)
    console.ssh = lab.file("ssh", (SSH % path).encode())
    os.chmod(console.ssh, 0o755)
    return console


@setup("console", "HSCLA335", only(), options=("--ip", "other"))
def _(lab):
    """it can do all"""
    return other_console(lab)


@setup("console", "HSCLA335", options=("--ip", "other"))
def _(lab):
    """it keeps no UUID"""
    return other_console(lab, capabilities=["inventory"])


@setup("system", "HSCLA335", options=("--ip", "other"))
def _(lab):
    return other_console(lab, system_inventory={
        "code": lpm.METHOD_NOT_FOUND, "error": -5, "text": "unknown method"})


@setup("system", "HSCLA318", options=("--ip", "other"))
def _(lab):
    return other_console(lab, system_info={
        "code": lpm.STATE, "error": -5, "text": "not now"})


# ---- What is predicted ----

@setup("prediction", "LPM0601")
def _(lab):
    def change(answer):
        answer["result"]["config"]["max_freeze_ms"] = 1
    return with_answers(lab, {(lab.a.phyp_path, "partition.describe"): change})


@setup("prediction", "LPM0602")
def _(lab):
    def dirty(answer):
        for number, sample in enumerate(answer["result"]["samples"], 1):
            sample.update(dirtied=1500, unique=min(2000, 1000 + number))

    def link(answer):
        if "bytes_per_second" in answer["result"]:
            answer["result"]["bytes_per_second"] = 100000
    return with_answers(lab, {(lab.a.phyp_path, "partition.dirty"): dirty,
                              (lab.a.msp_path, "probe"): link})


@setup("prediction", "LPM0603")
def _(lab):
    return with_answers(lab, {(lab.a.phyp_path, "partition.dirty"): refuse})


@setup("state", "LPM0102")
def _(lab):
    return with_answers(lab, {(lab.a.phyp_path, "partition.describe"): refuse})


@setup("state", "HSCL05DF")
def _(lab):
    def change(answer):
        for entry in answer["result"]["partitions"]:
            entry["state"] = "Starting"
    # It would be checked as one that is shut down
    return with_answers(lab, {(lab.a.phyp_path, "partition.list"): change})


@setup("state", "HSCL8012")
def _(lab):
    def change(answer):
        answer["result"]["partitions"] = []
    return with_answers(lab, {(lab.a.phyp_path, "partition.list"): change})


@setup("name", "LPM0103")
def _(lab):
    def change(answer):
        answer.pop("error")
        answer["result"] = {"state": "Not Activated"}
    return with_answers(lab, {(lab.b.phyp_path, "partition.show"): change})


@setup("name", "LPM0102")
def _(lab):
    return with_answers(lab, {(lab.b.phyp_path, "partition.show"): refuse})


@setup("dest-id", "LPM0102", options=("-i", "dest_lpar_id=500"))
def _(lab):
    return with_answers(lab, {(lab.b.phyp_path, "partition.list"): refuse})


@setup("processors", "LPM0102")
def _(lab):
    return with_answers(lab, {(lab.b.phyp_path, "partition.list"): refuse})


@setup("page-size", "LPM0106")
def _(lab):
    return with_answers(lab, {(lab.b.phyp_path, "system.info"):
                              set_result(granules=[65536])})


@setup("stream-version", "LPM0107")
def _(lab):
    return with_answers(lab, {(lab.b.phyp_path, "system.info"):
                              set_result(stream_major=9)})


@setup("migrations", "LPM0108")
def _(lab):
    return with_answers(lab, {(lab.b.phyp_path, "system.info"):
                              set_result(streams=16)})


# A guest, as far as the console sees one.  Real ones are in test_console.py and
# guest/test_guest_console.py

def refuse_with(code):
    def change(answer):
        answer.pop("result", None)
        answer["error"] = {"code": code, "message": "it has no disk"}
    return change


def accept(answer):
    answer.pop("error", None)
    answer["result"] = {}


def with_guest(lab, agent=True, guests=True, check=accept, tell=accept):
    def change(answer):
        answer["result"]["guest"] = {"agent": agent}
    return with_answers(lab, {
        (lab.a.phyp_path, "partition.describe"): change,
        (lab.a.phyp_path, "partition.tell"): tell,
        (lab.b.phyp_path, "system.info"): set_result(guests=guests),
        (lab.b.phyp_path, "partition.check"): check})


@setup("guest", "LPM0118")
def _(lab):
    return with_guest(lab, guests=False)


@setup("guest", "LPM0119")
def _(lab):
    return with_guest(lab, check=refuse_with(lpm.FAILED))


@setup("guest", "LPM0102")
def _(lab):
    return with_guest(lab, check=refuse_with(lpm.NOT_ENOUGH))


@setup("agent", "LPM0120", options=("--suspend", "partition"))
def _(lab):
    return with_guest(lab, agent=False)


@setup("agent", "LPM0121")
def _(lab):
    return with_guest(lab, tell=refuse_with(lpm.FAILED))


@setup("agent", "LPM0102")
def _(lab):
    return with_guest(lab, tell=refuse_with(lpm.STATE))


@setup("agent", "LPM0121", only(), options=("--suspend", "platform"))
def _(lab):
    """it is not asked"""
    return with_guest(lab, tell=refuse_with(lpm.FAILED))


@setup("mover", "LPM0109")
def _(lab):
    return described(lab, lambda systems: systems[0].update(msps=[]))


@setup("mover", "LPM0110")
def _(lab):
    return described(lab, lambda systems: systems[0]["msps"][0].update(
        socket="/nowhere"))


@setup("mover", "LPM0111")
def _(lab):
    return described(lab, lambda systems: systems[1]["msps"][0].update(
        device="msp7"))


@setup("mover", "LPM0112")
def _(lab):
    def change(answer):
        answer["result"]["devices"][0]["connected"] = False
    return with_answers(lab, {(lab.a.phyp_path, "system.info"): change})


@setup("mover", "LPM0113")
def _(lab):
    return with_answers(lab, {(lab.a.msp_path, "info"):
                              set_result(operations=8, operations_max=8)})


@setup("mover", "LPM0342")
def _(lab):
    lab.b.phyp("vios.change", name="vios-B", msp=False)
    lab.undo.append(lambda: lab.b.phyp("vios.change", name="vios-B", msp=True))
    return Console(lab)


@setup("mover", "LPM0305")
def _(lab):
    # One that hosts nothing: it is the third
    return third_vios(lab, version="1.4")


@setup("mover", "LPM0341")
def _(lab):
    return third_vios(lab, rmc_state="none")


def third_vios(lab, **members):
    """The mover of A is a VIOS that hosts nothing, and is as @members say."""
    def change(answer):
        vioses = answer["result"]["vioses"]
        vioses.append(dict(vioses[0], name="mover", lpar_id=109, adapters=[],
                           **members))

    lab.answers.changed = {(lab.a.phyp_path, "system.inventory"): change}
    description = copy.deepcopy(lab.answers.description)
    description["systems"][0]["msps"][0]["name"] = "mover"
    return Console(lab, description)


@setup("peers", "LPM0114")
def _(lab):
    return with_answers(lab, {(lab.b.msp_path, "check_peer"): refuse})


@setup("peers", "LPM0117")
def _(lab):
    return with_answers(lab, {(lab.b.msp_path, "info"):
                              set_result(encrypt_data=False)})


@setup("peers", "LPM0116")
def _(lab):
    def trust(*identities):
        lab.b.trust(*identities)
        lab.b.restart_mspd()

    trust()
    lab.undo.append(lambda: trust(lab.a.identity))
    return Console(lab)
