#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may be a mover's peer, and who is refused (Documentation/security.rst)."""

import os
import pwd
import shutil
import socket
import ssl
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import lpm  # noqa: E402
import pki  # noqa: E402
import relay as relays  # noqa: E402
import secure  # noqa: E402
import tap  # noqa: E402

MIB = 1 << 20
TOKEN_BYTES = 16
ACCEPT_BYTES = 64

suite = tap.Suite()


def small(lab, **options):
    return lab.move(memory=2 * MIB, program=lpm.program(0.5), **options)


def frame(kind, body=b"", argument=0):
    return relays.FRAME.pack(kind, 0, 0, len(body), 0, argument) + body


def read_frame(sock):
    header = relays.read_exactly(sock, relays.FRAME.size)
    if header is None:
        return None, b""
    fields = relays.FRAME.unpack(header)
    return fields[0], bytes(relays.read_exactly(sock, fields[3]))


def hello(stream_id, encrypted=1):
    body = struct.pack(">8sHHIQQHHI", b"VASIMOVR", 2, 0, encrypted, 0,
                       int(stream_id, 16), 1, 2, MIB)
    return frame(relays.HELLO, body.ljust(64, b"\0"))


def log_has(system, *words, after=0):
    """Until a line of the mover's log has all of @words; @after: of what is behind
    so many characters."""
    def found():
        return any(all(w in line for w in words)
                   for line in system.mspd.log()[after:].split("\n"))
    try:
        lpm.until("in the log", found)
    except TimeoutError:
        raise AssertionError("the log of %s has no line with %r"
                             % (system.name, words)) from None


def source_fails(move, *words):
    """The source mover ends, and says why."""
    status = move.src.msp("wait", stream_id=move.stream_id, phase="ended",
                          timeout_ms=lpm.PATIENCE_S * 1000)
    assert status["phase"] == "failed", status
    for word in words:
        assert word.lower() in status["error"].lower(), status


def target_waits(move):
    status = move.dst.msp("status", stream_id=move.stream_id)
    assert status["phase"] == "listening", status


def still_comes(move):
    """Whoever was refused was not the source mover: it still can come."""
    target_waits(move)
    move.start_source()
    move.wait()
    move.finish()
    move.check_moved()
    move.check_equal()


def nothing_moved(move):
    target_waits(move)
    move.dst.msp("stop", stream_id=move.stream_id)
    lpm.until("it stays at the source", lambda: move.runs_on() == ["A"])


def replace_key(system, make):
    """Another key and certificate, by make(directory) -> identity, for a mover."""
    for name in os.listdir(system.tls_dir):
        if name.endswith(".pem"):
            os.unlink(os.path.join(system.tls_dir, name))
    system.identity = make(system.tls_dir)
    lpm.own(system.lab, "msp-" + system.name,
            *(os.path.join(system.tls_dir, name)
              for name in os.listdir(system.tls_dir)))


def expect_alert(port, directory, data, **limits):
    """Connect, say @data, and be refused by TLS; returns the reason."""
    try:
        sock = secure.connect(port, directory, lpm.PATIENCE_S, **limits)
    except ssl.SSLError as error:
        return str(error)
    try:
        sock.sendall(data)
        while sock.recv(4096):
            pass
    except ssl.SSLError as error:
        return str(error)
    finally:
        sock.close()
    raise AssertionError("not refused")


# Certificates

@suite.test("no certificate")
def _():
    with lpm.Lab() as lab:
        move = small(lab).create().create_streams().start_target()
        reason = expect_alert(move.port, None, hello(move.stream_id))
        assert "certificate required" in reason.lower().replace("_", " "), \
            reason
        log_has(lab.b, move.stream_id, "refused",
                "peer did not return a certificate")
        still_comes(move)


@suite.test("an expired certificate, though it is pinned")
def _():
    with lpm.Lab() as lab:
        replace_key(lab.a, lambda d: pki.self_signed(d, "old", days=-1))
        lab.b.trust(lab.a.identity)
        lab.a.restart_mspd()
        lab.b.restart_mspd()
        move = small(lab).start()
        source_fails(move, "the peer refuses", "certificate expired")
        log_has(lab.a, move.stream_id, "certificate expired")
        log_has(lab.b, move.stream_id, "refused", "certificate has expired")
        nothing_moved(move)


@suite.test("an expired certificate of a known authority")
def _():
    with lpm.Lab() as lab:
        authority = pki.Authority(lab.directory + "/ca")
        replace_key(lab.a,
                    lambda d: authority.issue(d, "msp-A", days=-1))
        authority.trust(lab.b.tls_dir)
        lab.b.trust()
        lab.a.restart_mspd()
        lab.b.restart_mspd()
        move = small(lab).start()
        source_fails(move, "certificate expired")
        log_has(lab.b, move.stream_id, "refused", "certificate has expired")
        nothing_moved(move)


@suite.test("movers that one authority knows")
def _():
    with lpm.Lab() as lab:
        authority = pki.Authority(lab.directory + "/ca")
        for system in (lab.a, lab.b):
            replace_key(system, lambda d, s=system: authority.issue(
                d, "msp-" + s.name))
            authority.trust(system.tls_dir)
            system.trust()
            system.restart_mspd()
        small(lab).run().check_equal()


@suite.test("a certificate of another authority")
def _():
    with lpm.Lab() as lab:
        ours = pki.Authority(lab.directory + "/ours")
        theirs = pki.Authority(lab.directory + "/theirs")
        replace_key(lab.a, lambda d: theirs.issue(d, "msp-A"))
        ours.trust(lab.b.tls_dir)
        lab.b.trust()
        lab.a.restart_mspd()
        lab.b.restart_mspd()
        move = small(lab).start()
        source_fails(move, "the peer refuses", "unknown ca")
        log_has(lab.b, move.stream_id, "refused", "unable to get local issuer")
        nothing_moved(move)


for _usage in ("codeSigning", "clientAuth", "serverAuth"):
    def _purpose(usage=_usage):
        with lpm.Lab() as lab:
            authority = pki.Authority(lab.directory + "/ca")
            replace_key(lab.a, lambda d: authority.issue(
                d, "msp-A", usage=usage))
            authority.trust(lab.b.tls_dir)
            lab.b.trust()
            lab.a.restart_mspd()
            lab.b.restart_mspd()
            # What check_peer says is what happens
            message = lab.b.msp.refused(
                lpm.NOT_AUTHORISED, "check_peer",
                certificate=lab.a.msp("info")["certificate"])
            assert "purpose" in message, message
            move = small(lab).start()
            source_fails(move, "the peer refuses", "unsupported certificate")
            log_has(lab.b, move.stream_id, "refused", "purpose")
            nothing_moved(move)

    suite.test("a certificate for " + _usage + " alone", _purpose)


@suite.test("a certificate that is not valid yet")
def _():
    with lpm.Lab() as lab:
        replace_key(lab.a, lambda d: pki.self_signed_between(
            d, "early", "20400101000000Z", "20410101000000Z"))
        lab.b.trust(lab.a.identity)
        lab.a.restart_mspd()
        lab.b.restart_mspd()
        move = small(lab).start()
        source_fails(move, "the peer refuses", "bad certificate")
        log_has(lab.b, move.stream_id, "refused", "not yet valid")
        nothing_moved(move)


@suite.test("a target that the source does not trust")
def _():
    with lpm.Lab() as lab:
        lab.a.trust()
        lab.a.restart_mspd()
        move = small(lab).start()
        source_fails(move, "certificate of the peer")
        log_has(lab.b, move.stream_id, "refused", "the peer refuses")
        nothing_moved(move)


# Identities

@suite.test("a third mover, trusted, comes in place of the source")
def _():
    with lpm.Lab() as lab:
        wanted = lab.a.identity
        replace_key(lab.a, lambda d: pki.self_signed(d, "third"))
        lab.b.trust(wanted, lab.a.identity)
        lab.a.restart_mspd()
        lab.b.restart_mspd()
        move = small(lab, target={"peer_identity": wanted}).start()
        source_fails(move, "refused", lab.a.identity, wanted)
        log_has(lab.a, move.stream_id, "refused", lab.a.identity)
        log_has(lab.b, move.stream_id, "refused", lab.a.identity, wanted)
        nothing_moved(move)


@suite.test("a third mover, trusted, is in place of the target")
def _():
    with lpm.Lab() as lab:
        wanted = lab.b.identity
        replace_key(lab.b, lambda d: pki.self_signed(d, "third"))
        lab.a.trust(wanted, lab.b.identity)
        lab.a.restart_mspd()
        lab.b.restart_mspd()
        move = small(lab, source={"peer_identity": wanted}).start()
        source_fails(move, lab.b.identity, wanted)
        log_has(lab.a, move.stream_id, lab.b.identity, wanted)
        log_has(lab.b, move.stream_id, "refuses", lab.b.identity, wanted)
        nothing_moved(move)


@suite.test("SIGHUP reads peers again; what cannot be read changes nothing")
def _():
    with lpm.Lab() as lab:
        with open(lab.a.tls_dir + "/cert.pem", encoding="ascii") as file:
            certificate = file.read()
        peers = lab.b.tls_dir + "/peers"
        lab.b.trust()
        lab.b.restart_mspd()
        message = lab.b.msp.refused(lpm.NOT_AUTHORISED, "check_peer",
                                    certificate=certificate)
        assert lab.a.identity in message, message
        lab.b.trust(lab.a.identity + " # the mover of A", "", "# none")
        before = len(lab.b.mspd.log())
        lab.b.mspd.signal(lpm.signal.SIGHUP)
        log_has(lab.b, "1 peers", after=before)
        assert lab.b.msp("check_peer", certificate=certificate)["identity"] \
            == lab.a.identity
        with open(peers, "a", encoding="ascii") as file:
            file.write("SHA1:1234\n")
        lab.b.mspd.signal(lpm.signal.SIGHUP)
        log_has(lab.b, peers + ":4", "SHA1:1234")
        lab.b.msp("check_peer", certificate=certificate)
        lab.b.msp.refused(lpm.INVALID_PARAMS, "check_peer",
                          certificate="-----BEGIN CERTIFICATE-----\nno\n")
        lab.b.msp.refused(lpm.INVALID_PARAMS, "check_peer",
                          certificate="x" * 20000)
        # One that asks for a password finds nobody to give it
        lab.b.msp.refused(
            lpm.INVALID_PARAMS, "check_peer", certificate=certificate.replace(
                "-----BEGIN CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----\n"
                "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
                "00112233445566778899AABBCCDDEEFF\n\n"))
        small(lab).run().check_equal()


# Tokens

class Source:
    """A source mover's control connection, by hand."""

    def __init__(self, move):
        self.move = move
        self.control = self.connect()
        self.control.sendall(hello(move.stream_id))
        kind, body = read_frame(self.control)
        assert kind == relays.ACCEPT, kind
        tokens = body[ACCEPT_BYTES:]
        self.tokens = [tokens[i:i + TOKEN_BYTES]
                       for i in range(0, len(tokens), TOKEN_BYTES)]

    def connect(self):
        return secure.connect(self.move.port, self.move.src.tls_dir,
                              lpm.PATIENCE_S)

    def attach(self, index, token):
        """Returns the answer's type and body."""
        sock = self.connect()
        sock.sendall(frame(relays.ATTACH, token, index))
        answer = read_frame(sock)
        sock.close()
        return answer


@suite.test("a token is good once, for its index, on its stream")
def _():
    with lpm.Lab() as lab:
        moves = [small(lab).create().create_streams().start_target()
                 for _ in range(2)]
        one, two = (Source(move) for move in moves)
        assert len(one.tokens) == 2 and len(set(one.tokens + two.tokens)) == 4
        for index, token in ((0, two.tokens[0]),        # another stream's
                             (1, one.tokens[0]),        # another index
                             (0, bytes(TOKEN_BYTES)),
                             (2, one.tokens[0])):
            kind, body = one.attach(index, token)
            assert kind == relays.REFUSE and b"token" in body, (kind, body)
        assert one.attach(0, one.tokens[0])[0] == relays.ATTACHED
        kind, body = one.attach(0, one.tokens[0])       # a second use
        assert kind == relays.REFUSE and b"token" in body, (kind, body)
        log_has(lab.b, moves[0].stream_id, "refused", "token")
        for move in moves:
            move.dst.msp("stop", stream_id=move.stream_id)
        text = lab.b.mspd.log()
        for token in one.tokens + two.tokens:
            assert token.hex() not in text


@suite.test("a token from another peer")
def _():
    with lpm.Lab() as lab:
        third = os.path.join(lab.directory, "third")
        lab.b.trust(lab.a.identity, pki.self_signed(third, "third"))
        lab.b.restart_mspd()
        move = small(lab).create().create_streams().start_target()
        source = Source(move)
        sock = secure.connect(move.port, third, lpm.PATIENCE_S)
        sock.sendall(frame(relays.ATTACH, source.tokens[0], 0))
        kind, body = read_frame(sock)
        assert kind == relays.REFUSE and b"identity" in body, (kind, body)
        # It was not used up by that
        assert source.attach(0, source.tokens[0])[0] == relays.ATTACHED
        move.dst.msp("stop", stream_id=move.stream_id)


# Encryption

class Tape:
    """Passes bytes on, and keeps what the connecting side says."""

    def __init__(self, port):
        self.target = ("127.0.0.1", port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.said = []          # of each connection
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(self.target)
            said = bytearray()
            self.said.append(said)
            for here, there, kept in ((near, far, said), (far, near, None)):
                threading.Thread(target=self.copy, args=(here, there, kept),
                                 daemon=True).start()

    @staticmethod
    def copy(here, there, kept):
        try:
            while True:
                data = here.recv(262144)
                if kept is not None:
                    kept += data
                if not data:
                    there.shutdown(socket.SHUT_WR)
                    return
                there.sendall(data)
        except OSError:
            here.close()
            there.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


MARK = b"Nobody but the partition is to read this. "


def taped(lab, **options):
    """A move of memory full of MARK; returns the move and what was said."""
    content = {"type": "file", "path": lab.file("marked", MARK * 4096)}
    move = small(lab, content=content, **options)
    move.create().create_streams().start_target()
    tape = Tape(move.port)
    move.port = tape.port
    move.start_source()
    source, target = move.wait()
    move.finish()
    move.check_equal()
    tape.close()
    return source, target, tape.said


@suite.test("data is encrypted, and no log has any of it")
def _():
    with lpm.Lab(msp=["--log-level", "debug"]) as lab:
        source, target, said = taped(lab)
        assert len(said) == 1 + source["connections"], len(said)
        assert sum(len(s) for s in said) > 2 * MIB
        assert not any(MARK in s or b"VASIMOVR" in s for s in said)
        assert source["encryption"] == target["encryption"] != "none", source
        for system in (lab.a, lab.b):
            with open(system.tls_dir + "/key.pem", encoding="ascii") as file:
                key = file.read().split("\n")[1]
            for daemon in (system.mspd, system.phypd):
                text = daemon.log()
                assert MARK.decode() not in text
                assert key not in text and "PRIVATE KEY" not in text


@suite.test("encryption off on both sides leaves authentication on")
def _():
    with lpm.Lab(msp=["--encrypt-data", "no"]) as lab:
        source, target, said = taped(lab)
        assert source["encryption"] == target["encryption"] == "none", source
        plain = [s for s in said if MARK in s]
        assert len(plain) == source["connections"], len(plain)
        # The control connection, tokens and ATTACH never are
        for one in said:
            assert one[:2] == b"\x16\x03" and b"VASIMOVR" not in one
        move = small(lab).create().create_streams().start_target()
        reason = expect_alert(move.port, None, hello(move.stream_id, 0))
        assert "certificate required" in reason.lower().replace("_", " ")
        still_comes(move)


for _plain, _other in (("A", "B"), ("B", "A")):
    def _one_side(plain=_plain):
        with lpm.Lab(msp={plain: ["--encrypt-data", "no"]}) as lab:
            move = small(lab).start()
            source_fails(move, "refused", "encryption of data is",
                         "encrypt_data")
            log_has(lab.a, move.stream_id, "encrypt_data")
            log_has(lab.b, move.stream_id, "encrypt_data")
            nothing_moved(move)

    suite.test("encryption off only at " + _plain, _one_side)


@suite.test("a peer without TLS")
def _():
    with lpm.Lab() as lab:
        move = small(lab).create().create_streams().start_target()
        with socket.create_connection(("127.0.0.1", move.port),
                                      lpm.PATIENCE_S) as sock:
            sock.sendall(hello(move.stream_id, 0))
            while sock.recv(4096):
                pass
        log_has(lab.b, move.stream_id, "refused", "TLS")
        still_comes(move)


@suite.test("a target without TLS")
def _():
    with lpm.Lab() as lab, \
            socket.create_server(("127.0.0.1", 0)) as listener:
        move = small(lab).create().create_streams()
        move.port = listener.getsockname()[1]
        move.start_source()
        sock, _ = listener.accept()
        with sock:
            sock.sendall(frame(relays.REFUSE, b"go away", 4))
            source_fails(move, "TLS")
        log_has(lab.a, move.stream_id, "TLS")
        lpm.until("it stays at the source", lambda: move.runs_on() == ["A"])


@suite.test("a downgrade to TLS 1.2, in both directions")
def _():
    old = {"minimum_version": ssl.TLSVersion.TLSv1_2,
           "maximum_version": ssl.TLSVersion.TLSv1_2}
    with lpm.Lab() as lab:
        move = small(lab).create().create_streams().start_target()
        reason = expect_alert(move.port, lab.a.tls_dir, b"", **old)
        assert "protocol version" in reason.lower().replace("_", " "), reason
        log_has(lab.b, move.stream_id, "refused", "unsupported protocol")
        still_comes(move)

        move = small(lab).create().create_streams()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            move.port = listener.getsockname()[1]
            move.start_source()
            sock, _ = listener.accept()
            with sock:
                try:
                    secure.Secure(sock, secure.context(lab.b.tls_dir, True,
                                                       **old), True)
                    raise AssertionError("TLS 1.2 was agreed on")
                except ssl.SSLError:
                    pass
                source_fails(move, "TLS", "protocol version")


def records(data):
    """Types of the TLS records that @data consists of."""
    types = []
    while data:
        types.append(data[0])
        data = data[5 + int.from_bytes(data[3:5], "big"):]
    return types


@suite.test("a recorded connection that is played again")
def _():
    with lpm.Lab() as lab:
        move = small(lab).create().create_streams().start_target()
        port = move.port
        tape = Tape(port)
        move.port = tape.port
        # A control connection that got its ACCEPT, and a data connection
        source = Source(move)
        assert source.attach(0, source.tokens[0])[0] == relays.ATTACHED
        tape.close()
        for said in tape.said:
            with socket.create_connection(("127.0.0.1", port),
                                          lpm.PATIENCE_S) as sock:
                sock.sendall(said)
                answer = b""
                while True:
                    data = sock.recv(4096)
                    if not data:
                        break
                    answer += data
                # ServerHello, and then an alert: the secrets are new
                assert answer[0] == 0x16, answer[:20]
                assert records(answer)[-1] in (0x15, 0x17), records(answer)
        lpm.until("both are told of", lambda: len(
            [line for line in lab.b.mspd.log().split("\n")
             if "refused: TLS" in line]) == len(tape.said))
        move.dst.msp("stop", stream_id=move.stream_id)


@suite.test("plain bytes after a handshake")
def _():
    with lpm.Lab() as lab:
        move = small(lab).create().create_streams().start_target()
        sock = secure.connect(move.port, lab.a.tls_dir, lpm.PATIENCE_S)
        sock.sock.sendall(hello(move.stream_id))
        try:
            while sock.recv(4096):
                pass
        except ssl.SSLError:
            pass
        sock.close()
        still_comes(move)


class Cutter:
    """Passes connections on; changes one record of a data connection."""

    def __init__(self, port, change):
        self.target = ("127.0.0.1", port)
        self.change = change
        self.done = threading.Event()
        self.count = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(self.target)
            threading.Thread(target=self.records, args=(near, far),
                             daemon=True).start()
            threading.Thread(target=Tape.copy, args=(far, near, None),
                             daemon=True).start()

    def records(self, near, far):
        """What the source mover says, record by record."""
        try:
            while True:
                header = relays.read_exactly(near, 5)
                if header is None:
                    far.shutdown(socket.SHUT_WR)
                    return
                body = relays.read_exactly(
                    near, int.from_bytes(header[3:5], "big"))
                # A long record is memory; some have to be before it
                self.count += len(body) > 10000
                if self.count == 4 and not self.done.is_set():
                    self.done.set()
                    header, body = self.change(header, body)
                far.sendall(header + body)
        except OSError:
            near.close()
            far.close()


def flip(header, body):
    body[len(body) // 2] ^= 1
    return header, body


for _what, _change in (("changed", flip),
                       ("left out", lambda h, b: (b"", b"")),
                       ("sent twice", lambda h, b: (h + b, h + b))):
    def _record(change=_change):
        with lpm.Lab() as lab:
            move = lab.move(memory=16 * MIB, program=lpm.program(1),
                            source={"suspend": "manual"})
            move.create().create_streams().start_target()
            cutter = Cutter(move.port, change)
            move.port = cutter.port
            move.start_source()
            source, target = move.wait("failed", "aborted", "parked")
            assert cutter.done.is_set()
            assert "a record was changed on its way" in target["error"], target
            assert "a record was changed on its way" in source["error"], source
            for text in (lab.a.mspd.log(), lab.b.mspd.log()):
                assert "frame type" not in text
            lpm.until("it stays at the source", lambda: move.runs_on() == ["A"])
            move.finish(lab.a)
            move.check_equal(lab.a)

    suite.test("a record of data that is " + _what, _record)


# Strangers

@suite.test("sixteen connections, and strangers that only wait")
def _():
    with lpm.Lab() as lab:
        wish = {"connections": 16}
        move = small(lab, source=dict(wish), target=dict(wish))
        move.create().create_streams().start_target()
        strangers = [socket.create_connection(("127.0.0.1", move.port),
                                              lpm.PATIENCE_S)
                     for _ in range(60)]
        move.start_source()
        source, _ = move.wait()
        assert source["connections"] == 16, source
        move.finish()
        move.check_moved()
        move.check_equal()
        for sock in strangers:
            sock.close()


@suite.test("a stranger is not listened to for long")
def _():
    with lpm.Lab() as lab:
        move = small(lab).create().create_streams().start_target()
        with socket.create_connection(("127.0.0.1", move.port),
                                      lpm.PATIENCE_S) as sock:
            sent = 0
            try:
                while sent < 256 * MIB:
                    sent += sock.send(bytes(65536))
            except OSError:
                pass
            assert sent < 256 * MIB, "all of it was read"
        still_comes(move)


class Target:
    """A target mover, by hand, with B's key."""

    def __init__(self, move, lab):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.lab = lab
        move.port = self.listener.getsockname()[1]
        move.start_source()
        self.control = self.accept()
        assert read_frame(self.control)[0] == relays.HELLO
        self.control.sendall(frame(relays.ACCEPT, struct.pack(
            ">8sHHIQQHHIQ", b"VASIMOVR", 2, 0, MIB, 0,
            int(move.stream_id, 16), 1, 1, 65536, 1 << 34).ljust(
                ACCEPT_BYTES, b"\0") + bytes(TOKEN_BYTES)))

    def accept(self):
        sock, _ = self.listener.accept()
        return secure.Secure(sock, secure.context(self.lab.b.tls_dir, True),
                             True)


@suite.test("a target that says ATTACHED again and again, and resets")
def _():
    with lpm.Lab(msp=["--encrypt-data", "no"]) as lab:
        move = lab.move(memory=64 * MIB, program=lpm.program(0.5),
                        source={"sessions": 1, "connections": 1})
        move.create().create_streams()
        target = Target(move, lab)
        data = target.accept()
        assert read_frame(data)[0] == relays.ATTACH
        data.sendall(frame(relays.ATTACHED))
        lab.a.msp("wait", stream_id=move.stream_id, phase="moving",
                  timeout_ms=lpm.PATIENCE_S * 1000)
        data.sock.sendall(frame(relays.ATTACHED) * 8000)
        data.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        data.close()
        status = lab.a.msp("wait", stream_id=move.stream_id, phase="ended",
                           timeout_ms=lpm.PATIENCE_S * 1000)
        assert status["phase"] in ("failed", "aborted"), status
        assert lab.a.mspd.alive()
        lpm.until("it stays at the source", lambda: move.runs_on() == ["A"])


# Keys and processes

@suite.test("mspd --init")
def _():
    with lpm.Lab() as lab:
        directory = os.path.join(lab.directory, "new")
        answer = lpm.control("mspd", "--init", "--tls-dir", directory,
                             "--name", "msp-new", "--days", "10")
        identity, name = answer.split()
        assert name == "msp-new"
        assert identity == pki.identity(directory + "/cert.pem")
        key = os.stat(directory + "/key.pem")
        assert key.st_mode & 0o7777 == 0o600, oct(key.st_mode)
        text = pki.openssl("x509", "-in", directory + "/cert.pem", "-noout",
                           "-text")
        assert "CN = msp-new" in text and "CA:FALSE" in text, text
        before = open(directory + "/key.pem", "rb").read()
        message = lpm.control("mspd", "--init", "--tls-dir", directory,
                              status=1)
        assert "key.pem" in message and "exists" in message, message
        assert open(directory + "/key.pem", "rb").read() == before
        # A certificate that is there keeps its key from being made
        os.unlink(directory + "/key.pem")
        lpm.control("mspd", "--init", "--tls-dir", directory, status=1)
        assert not os.path.exists(directory + "/key.pem")
        for option, word in (("--days=0", "days"), ("--days=x", "days"),
                             ("--name=" + "x" * 65, "name"),
                             ("--name=", "name")):
            message = lpm.control("mspd", "--init", "--tls-dir",
                                  directory + "2", option, status=(1, 2))
            assert word in message, message
            assert not os.path.exists(directory + "2/key.pem")


@suite.test("a key or certificate that cannot be used is named")
def _():
    with lpm.Lab() as lab:
        directory = os.path.join(lab.directory, "bad")
        other = os.path.join(lab.directory, "other")
        pki.self_signed(other, "other")

        def refused(*words, option=()):
            message = lpm.control(
                "mspd", "--vasi", "/nowhere", "--socket",
                lab.directory + "/rpc", "--tls-dir", directory, *option,
                status=(1, 2))
            for word in words:
                assert word in message, message

        refused("key.pem", "--init")
        pki.self_signed(directory, "bad")
        os.chmod(directory + "/key.pem", 0o640)
        refused("key.pem", "0640", "0600")
        os.chmod(directory + "/key.pem", 0o600)
        for suites in ("NONE", "", "TLS_AES_256_GCM_SHA384:NONE",
                       "TLS_AES_128_CCM_SHA256"):
            refused("tls_ciphersuites", suites,
                    option=("--tls-ciphersuites", suites))
        pki.openssl("ec", "-in", directory + "/key.pem", "-aes128", "-passout",
                    "pass:secret", "-out", other + "/locked.pem")
        shutil.copy(directory + "/key.pem", other + "/own.pem")
        shutil.copy(other + "/locked.pem", directory + "/key.pem")
        refused("key.pem")
        shutil.copy(other + "/own.pem", directory + "/key.pem")
        shutil.copy(other + "/cert.pem", directory + "/cert.pem")
        refused("cert.pem")
        shutil.copy(other + "/key.pem", directory + "/key.pem")
        with open(directory + "/peers", "w", encoding="ascii") as file:
            file.write("# fine\nSHA256:12\n")
        refused("peers:2", "SHA256:12")
        with open(directory + "/peers", "w", encoding="ascii") as file:
            file.write("x" * 1000)
        refused("peers:1", "longer")
        os.unlink(directory + "/peers")
        with open(directory + "/authorities.pem", "w",
                  encoding="ascii") as file:
            file.write("none\n")
        refused("authorities.pem")


def status_of(process, *names):
    with open("/proc/%d/status" % process.pid, encoding="ascii") as file:
        lines = dict(line.rstrip("\n").split(":\t", 1) for line in file
                     if ":\t" in line)
    return [lines[name] for name in names]


@suite.test("daemons have no capability, gain none, and dump no core")
def _():
    with lpm.Lab() as lab:
        for daemon in (lab.a.mspd, lab.a.phypd):
            with open("/proc/%d/limits" % daemon.process.pid,
                      encoding="ascii") as file:
                core = next(line.split() for line in file
                            if line.startswith("Max core file size"))
            # 1 is what also keeps a core from being piped (core(5))
            assert core[4:6] == ["1", "1"], core
        privileges, effective, bounded = status_of(
            lab.a.mspd.process, "NoNewPrivs", "CapEff", "CapPrm")
        assert privileges == "1"
        if lab.root:
            assert int(effective, 16) == int(bounded, 16) == 0


@suite.test("mspd started by root becomes another user")
def _():
    with lpm.Lab() as lab:
        if not lab.root:
            raise tap.Skip("needs root")
        nobody = pwd.getpwnam("nobody")
        directory = os.path.join(lab.directory, "nobody")
        os.mkdir(directory)
        lpm.control("mspd", "--init", "--tls-dir", directory + "/tls",
                    "--user", "nobody")
        assert os.stat(directory + "/tls/key.pem").st_uid == nobody.pw_uid
        daemon = lpm.Daemon(lab, "root", [
            lpm.programs() + "/mspd", "--socket", directory + "/rpc",
            "--vasi", directory + "/none", "--tls-dir", directory + "/tls",
            "--user", "nobody"])
        daemon.start(directory + "/rpc")
        try:
            lpm.Rpc(directory + "/rpc")("info")
            users, effective, permitted, privileges = status_of(
                daemon.process, "Uid", "CapEff", "CapPrm", "NoNewPrivs")
            assert users.split() == [str(nobody.pw_uid)] * 4, users
            assert int(effective, 16) == int(permitted, 16) == 0
            assert privileges == "1"
        finally:
            daemon.kill()
        message = lpm.control("mspd", "--socket", directory + "/rpc",
                              "--vasi", directory + "/none", "--tls-dir",
                              directory + "/tls", "--user", "no-such-user",
                              status=1)
        assert "no-such-user" in message, message


if __name__ == "__main__":
    lpm.main(suite)
