# SPDX-License-Identifier: GPL-2.0-or-later
"""A vasi-vswitch, and ports of it that are no QEMU.

    with Switch(directory) as switch:
        a, b = switch.port(), switch.port()
        a.send(frame(EVERYBODY, A, b"hello"))
        assert b.receive() == frame(EVERYBODY, A, b"hello")
        print(switch.statistics()["switch"]["macs"])
"""

import os
import signal
import socket
import struct
import subprocess

import lpm

LENGTH = struct.Struct(">I")
EVERYBODY = b"\xff" * 6
# Local experiments (IEEE Std 802)
TYPE = b"\x88\xb5"
MIN_FRAME, MAX_FRAME = 14, 4096 + 65536
PORTS = 64


def mac(number):
    """An address."""
    return b"\x52\x54\x00" + number.to_bytes(3, "big")


def frame(to, source, data=b""):
    return to + source + TYPE + data


def numbers(words):
    """["a", "1", "b", "2"] -> {"a": 1, "b": 2}"""
    return {name: int(value) for name, value in zip(words[::2], words[1::2])}


class Port:
    """A connection to a switch."""

    def __init__(self, path, timeout=None):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout or lpm.PATIENCE_S)
        self.socket.connect(path)

    def send(self, *frames):
        self.socket.sendall(b"".join(LENGTH.pack(len(f)) + f for f in frames))

    def exactly(self, count, may_end):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                assert may_end and not data, "ended within a frame"
                return None
            data += more
        return data

    def receive(self):
        """The next frame; None: the switch has closed the port."""
        header = self.exactly(LENGTH.size, True)
        return header and self.exactly(*LENGTH.unpack(header), False)

    def ended(self):
        """Wait for the switch to close it."""
        try:
            return self.receive() is None
        except ConnectionResetError:    # it had not read everything
            return True

    def close(self):
        self.socket.close()


class Switch:
    """A process; its socket is DIRECTORY/switch.

    @arguments: more of them
    @wrapper: words of a command that starts it
    """

    def __init__(self, directory, *arguments, wrapper=()):
        self.path = os.path.join(directory, "switch")
        self.log_path = self.path + ".log"
        self.argv = list(wrapper) + [os.path.join(lpm.BUILD, "vasi-vswitch"),
                                     "--socket", self.path] + list(arguments)
        self.ports = []
        self.process = None
        self.start()

    def start(self):
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=log, text=True)
        lpm.until("the switch is ready", self.ready)

    def ready(self):
        if "ready at " in self.log():
            return True
        if self.process.poll() is None:
            return False
        self.process.stdout.close()
        raise RuntimeError("vasi-vswitch: status %d: %s"
                           % (self.process.returncode, self.log()))

    def log(self):
        with open(self.log_path, encoding="utf-8") as file:
            return file.read()

    def connections(self):
        """How many there were, ever."""
        counts = self.statistics()
        return counts["switch"]["ports"] + counts["switch"]["turned_away"] + \
            counts["closed"]["closed"]

    def port(self, wait=True):
        """A new port; the switch knows of it."""
        before = self.connections() if wait else None
        port = Port(self.path)
        self.ports.append(port)
        if wait:
            lpm.until("the port is up", lambda: self.connections() > before)
        return port

    def read_statistics(self):
        """{"port": {number: {...}}, "closed": {...}, "switch": {...}}"""
        result = {"port": {}}
        while "switch" not in result:
            line = self.process.stdout.readline()
            assert line, "the switch ended: " + self.log()
            words = line.split()
            if words[0] == "port":
                result["port"][int(words[1])] = numbers(words[2:])
            elif words[0] == "closed":
                result["closed"] = numbers(words)
            else:
                result["switch"] = numbers(words[1:])
        return result

    def statistics(self):
        self.process.send_signal(signal.SIGUSR1)
        return self.read_statistics()

    def stop(self):
        """End it; what it printed last, if it was told to, is still to be read."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(lpm.STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("the switch ignored SIGTERM") from None
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for port in self.ports:
            port.close()
        status = self.stop()
        self.process.stdout.close()
        if kind is None:
            assert status == 0, "the switch ended with status %d: %s" \
                % (status, self.log())
        else:
            lpm.note(self.log())
