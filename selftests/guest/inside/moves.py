# SPDX-License-Identifier: GPL-2.0-or-later
"""Moves whose data the kernel encrypts; runs in a guest whose kernel can."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "..", "lib"))

import lpm  # noqa: E402
import tap  # noqa: E402

MIB = 1 << 20
MEMORY = 4 * MIB

# A guest is many times slower than the machine it is on
lpm.PATIENCE_S = 200
PATIENT = ("--peer-timeout", "60")

suite = tap.Suite()


def counters():
    """What the kernel's TLS has done so far."""
    with open("/proc/net/tls_stat", encoding="ascii") as file:
        return {name: int(value) for name, value in map(str.split, file)}


def restart(lab, sides, *options):
    """New movers; @sides: who is to encrypt at A and at B."""
    for system, side in zip(lab.systems, sides):
        system.mspd.stop()
        system.start_mspd(*PATIENT, "--kernel-tls",
                          "yes" if side == "kernel" else "no", *options)
        assert system.msp("info")["kernel_tls"] == (side == "kernel")


def moved(lab, sides, *options, memory=MEMORY, wish=None):
    """A whole move."""
    restart(lab, sides, *options)
    before = counters()
    move = lab.move(memory=memory, program=lpm.program(0.5, 4 * MIB),
                    source=wish, target=wish).start()
    for status, side in zip(move.wait(), sides):
        assert status["encryption"] == side, status
    move.finish()
    move.check_moved()
    move.check_equal()
    move.end()
    after = counters()
    assert after["TlsDecryptError"] == before["TlsDecryptError"], after
    return {name: after[name] - before[name] for name in after}


@suite.test("the kernel encrypts on both sides")
def _(lab):
    used = moved(lab, ("kernel", "kernel"), memory=16 * MIB)
    # Both ends of a control connection and of two data connections
    assert used["TlsTxSw"] >= 6 and used["TlsRxSw"] >= 6, used


@suite.test("the kernel encrypts at the source, mspd at the target")
def _(lab):
    moved(lab, ("kernel", "tls"))


@suite.test("mspd encrypts at the source, the kernel at the target")
def _(lab):
    moved(lab, ("tls", "kernel"))


for _suite in ("TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"):
    suite.test("the kernel encrypts with " + _suite,
               lambda lab, s=_suite: moved(lab, ("kernel", "kernel"),
                                           "--tls-ciphersuites", s))


@suite.test("4 sessions over 4 connections")
def _(lab):
    used = moved(lab, ("kernel", "kernel"),
                 wish={"sessions": 4, "connections": 4})
    assert used["TlsTxSw"] >= 10 and used["TlsRxSw"] >= 10, used


@suite.test("stopped half-way: it runs on at the source")
def _(lab):
    restart(lab, ("kernel", "kernel"))
    move = lab.move(memory=MEMORY, program=lpm.program(0.5, 4 * MIB),
                    source={"suspend": "manual"}).start()
    lpm.until("bytes move",
              lambda: move.src.stream(move.stream_id)["bytes"] > 0)
    status = move.src.msp("status", stream_id=move.stream_id)
    assert status["encryption"] == "kernel", status
    move.src.msp("stop", stream_id=move.stream_id)
    move.wait("aborted", "failed")
    move.wait_state(source=("Aborted",), target=("Aborted",))
    assert move.runs_on() == ["A"], move.runs_on()
    move.finish(lab.a)
    move.check_equal(lab.a)


def main():
    with lpm.Lab(msp=PATIENT) as lab:
        return suite.main(lab)


sys.exit(main())
