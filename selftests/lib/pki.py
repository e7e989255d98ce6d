# SPDX-License-Identifier: GPL-2.0-or-later
"""Authorities and certificates for tests, made by the openssl command."""

import os
import subprocess


def openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


def new_key(directory, name):
    """key.pem, and a request for a certificate."""
    os.makedirs(directory, exist_ok=True)
    key = os.path.join(directory, "key.pem")
    request = os.path.join(directory, "request.pem")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-keyout", key, "-out", request, "-subj", "/CN=" + name)
    os.chmod(key, 0o600)
    return key, request


def identity(certificate):
    text = openssl("x509", "-in", certificate, "-noout", "-fingerprint",
                   "-sha256")
    return "SHA256:" + text.split("=")[1].strip().replace(":", "").lower()


def self_signed(directory, name, days=2):
    """A mover's tls_dir; negative @days: it has expired.  Returns its identity."""
    key, request = new_key(directory, name)
    certificate = os.path.join(directory, "cert.pem")
    openssl("x509", "-req", "-in", request, "-signkey", key, "-days",
            str(days), "-out", certificate)
    return identity(certificate)


CA_CONFIGURATION = """
[ca]
default_ca = d
[d]
database = {0}/index
serial = {0}/serial
new_certs_dir = {0}
default_md = sha256
policy = p
[p]
commonName = supplied
"""


def self_signed_between(directory, name, start, end):
    """The same, valid from @start to @end (YYYYMMDDHHMMSSZ)."""
    key, request = new_key(directory, name)
    certificate = os.path.join(directory, "cert.pem")
    work = os.path.join(directory, "work")
    os.mkdir(work)
    for file, text in (("index", ""), ("serial", "01\n"),
                       ("conf", CA_CONFIGURATION.format(work))):
        with open(os.path.join(work, file), "w", encoding="ascii") as out:
            out.write(text)
    openssl("ca", "-batch", "-selfsign", "-config", work + "/conf", "-notext",
            "-keyfile", key, "-in", request, "-out", certificate,
            "-startdate", start, "-enddate", end)
    return identity(certificate)


class Authority:
    """Issues certificates."""

    def __init__(self, directory, name="authority"):
        self.directory = directory
        self.key, request = new_key(directory, name)
        self.certificate = os.path.join(directory, "cert.pem")
        extensions = os.path.join(directory, "extensions")
        with open(extensions, "w", encoding="ascii") as file:
            file.write("basicConstraints=critical,CA:TRUE\n"
                       "keyUsage=critical,keyCertSign\n"
                       "subjectKeyIdentifier=hash\n")
        openssl("x509", "-req", "-in", request, "-signkey", self.key, "-days",
                "2", "-extfile", extensions, "-out", self.certificate)

    def issue(self, directory, name, days=2, usage="serverAuth,clientAuth"):
        """A mover's tls_dir, with a key of its own; returns its identity."""
        _, request = new_key(directory, name)
        certificate = os.path.join(directory, "cert.pem")
        extensions = os.path.join(directory, "extensions")
        with open(extensions, "w", encoding="ascii") as file:
            file.write("basicConstraints=critical,CA:FALSE\n"
                       "keyUsage=critical,digitalSignature\n"
                       "extendedKeyUsage=%s\n" % usage)
        openssl("x509", "-req", "-in", request, "-CA", self.certificate,
                "-CAkey", self.key, "-CAcreateserial", "-days", str(days),
                "-extfile", extensions, "-out", certificate)
        return identity(certificate)

    def trust(self, directory):
        """Have the mover of this tls_dir trust it."""
        with open(self.certificate, encoding="ascii") as file:
            text = file.read()
        path = os.path.join(directory, "authorities.pem")
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
