# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS on a socket that one thread reads and another writes.

Tests have the keys of the movers they start, so that they can stand in for
one, or between two.  Python's own SSLSocket must not be used by two threads at a
time; here OpenSSL is held by a lock, and the socket is not.
"""

import os
import socket
import ssl
import threading

CHUNK = 262144


def context(directory, server, **limits):
    """TLS as the mover whose key is in @directory; nothing is verified.

    @limits: attributes of the context, to be other than a mover is
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server
                          else ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    if server:
        made.num_tickets = 0
    if directory:
        made.load_cert_chain(os.path.join(directory, "cert.pem"),
                             os.path.join(directory, "key.pem"))
    for name, value in limits.items():
        setattr(made, name, value)
    return made


class Secure:
    """A connected socket, TLS, and as much of a socket as tests need."""

    def __init__(self, sock, made, server):
        self.sock = sock
        self.lock = threading.Lock()        # OpenSSL
        self.sending = threading.Lock()     # records leave in order
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.tls = made.wrap_bio(self.incoming, self.outgoing, server)
        while not self.step(self.tls.do_handshake):
            pass

    def step(self, function):
        """Call OpenSSL; False: more was received, call again."""
        try:
            with self.lock:
                function()
        except ssl.SSLWantReadError:
            self.flush()
            self.more()
            return False
        except ssl.SSLError:
            self.flush()                    # the alert
            raise
        self.flush()
        return True

    def flush(self):
        with self.sending:
            with self.lock:
                data = self.outgoing.read()
            if data:
                self.sock.sendall(data)

    def more(self):
        data = self.sock.recv(CHUNK)
        with self.lock:
            if data:
                self.incoming.write(data)
            else:
                self.incoming.write_eof()

    def recv_into(self, view):
        got = []
        while not got:
            try:
                self.step(lambda: got.append(self.tls.read(len(view), view)))
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return 0
        return got[0]

    def recv(self, count):
        data = bytearray(count)
        return bytes(data[:self.recv_into(memoryview(data))])

    def sendall(self, data):
        with self.lock:
            self.tls.write(data)
        self.flush()

    def setsockopt(self, *arguments):
        self.sock.setsockopt(*arguments)

    def shutdown(self, how):
        self.sock.shutdown(how)

    def close(self):
        self.sock.close()


def connect(port, directory, timeout=None, **limits):
    """Connect to a mover as the one whose key is in @directory (None: no key)."""
    sock = socket.create_connection(("127.0.0.1", port), timeout)
    try:
        return Secure(sock, context(directory, False, **limits), False)
    except BaseException:
        sock.close()
        raise
