#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What selftests/lib/pinger.py says of services that are good, late, wrong and gone."""

import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))

import lpm  # noqa: E402
import tap  # noqa: E402
from pinger import NS, Pinger  # noqa: E402

suite = tap.Suite()


class Service:
    """Echoes; @change(data) may give back something else, or wait; None ends it."""

    def __init__(self, change=lambda data: data):
        self.change = change
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                self.echo(connection)

    def echo(self, connection):
        while True:
            data = connection.recv(65536)
            data = data and self.change(data)
            if not data:
                return
            connection.sendall(data)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class After:
    """Does something once, after some bytes."""

    def __init__(self, count, action):
        self.left, self.action = count, action

    def __call__(self, data):
        before = self.left
        self.left -= len(data)
        return self.action(data) if before > 0 >= self.left else data


@suite.test("a good service: everything is counted, over one connection")
def _():
    service = Service()
    for size in (16, 64, 5000):
        with Pinger(service.port, interval=0.002, size=size, threshold=20) as pinger:
            assert pinger.wait_count(100) >= 100
            report = pinger.stop()
        report.check()
        assert report.sent == report.count >= 101, report
        assert report.gaps == [], report
        assert 0 < report.longest < 20 * NS, report
        assert report.last - report.first >= 99 * 1_000_000, report
    assert service.connections == 3, service.connections
    service.close()


@suite.test("a service that is late is a gap")
def _():
    late = threading.Event()
    go = threading.Event()

    def wait(data):
        late.set()
        go.wait(lpm.PATIENCE_S)
        return data

    service = Service(After(2000, wait))
    with Pinger(service.port, interval=0.005) as pinger:
        assert late.wait(lpm.PATIENCE_S)
        before = pinger.sent
        # It goes on to send, but no further than its window
        lpm.until("it has sent 50 more", lambda: pinger.sent >= before + 50)
        go.set()
        pinger.wait_count(60)
        report = pinger.stop()
    report.check()
    assert len(report.gaps) >= 1, report
    assert report.longest >= 49 * 2_500_000, report
    assert report.longest in [length for _, length in report.gaps], report
    assert report.longest_answer >= 49 * 2_500_000, report
    service.close()


@suite.test("a wrong byte is found")
def _():
    def spoil(data):
        return data[:-1] + bytes([data[-1] ^ 1])

    service = Service(After(1000, spoil))
    with Pinger(service.port) as pinger:
        try:
            pinger.wait_count(1000)
        except TimeoutError as error:
            assert "is not message" in str(error), error
        else:
            raise AssertionError("nothing was found")
        report = pinger.stop()
    assert "is not message" in report.error, report
    refused(report)
    service.close()


@suite.test("a connection that ends is an error, with what was lost")
def _():
    service = Service(After(1000, lambda data: None))
    with Pinger(service.port) as pinger:
        try:
            pinger.wait_count(1000)
        except TimeoutError as error:
            assert "Connection" in str(error), error
        else:
            raise AssertionError("it never ended")
        report = pinger.stop()
    assert report.error.startswith("Connection"), report
    assert report.lost >= 1, report
    assert report.sent == report.count + report.lost, report
    refused(report)
    # It does not connect again
    assert service.connections == 1, service.connections
    service.close()


def refused(report):
    """Its check finds that."""
    try:
        report.check()
    except AssertionError:
        return
    raise RuntimeError("passes: %s" % report)


@suite.test("a service that comes later is waited for")
def _():
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        pinger = Pinger(reserved.getsockname()[1])
        starting = threading.Thread(target=pinger.start)
        starting.start()
        lpm.until("it is refused", lambda: not pinger.connect())
        reserved.listen()
        reserved.settimeout(lpm.PATIENCE_S)
        served = threading.Event()

        def serve():
            """Nothing for the first, which ends; then echoes."""
            reserved.accept()[0].close()
            while not served.is_set():
                try:
                    connection, _ = reserved.accept()
                except OSError:
                    return
                with connection:
                    while data := connection.recv(65536):
                        connection.sendall(data)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        starting.join(lpm.PATIENCE_S)
        assert not starting.is_alive()
        pinger.wait_count(10)
        served.set()
        pinger.stop().check()
        thread.join(lpm.PATIENCE_S)


lpm.main(suite)
