# SPDX-License-Identifier: GPL-2.0-or-later
"""Device trees: a source compiled by dtc, and the properties of its nodes."""

import struct
import subprocess

MAGIC = 0xd00dfeed
BEGIN, END, PROP, NOP, FINISH = 1, 2, 3, 4, 9


def compiled(path):
    """The flattened tree of a source; dtc's warnings are errors."""
    done = subprocess.run(["dtc", "-I", "dts", "-O", "dtb", path],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode or done.stderr:
        raise ValueError("%s: %s" % (path, done.stderr.decode(errors="replace")))
    return done.stdout


def string(blob, offset):
    return blob[offset:blob.index(b"\0", offset)].decode()


def nodes(blob):
    """Path of a node -> its properties, name -> bytes."""
    magic, _, start, strings = struct.unpack_from(">IIII", blob)
    if magic != MAGIC:
        raise ValueError("no device tree: %#x" % magic)
    result, path, at = {}, [], start
    while True:
        token, = struct.unpack_from(">I", blob, at)
        at += 4
        if token == BEGIN:
            name = string(blob, at)
            at += (len(name) + 4) & ~3
            path.append(name)
            result["/".join(path) or "/"] = {}
        elif token == END:
            path.pop()
        elif token == PROP:
            length, name = struct.unpack_from(">II", blob, at)
            at += 8
            result["/".join(path) or "/"][string(blob, strings + name)] = \
                blob[at:at + length]
            at += (length + 3) & ~3
        elif token == FINISH:
            return result
        elif token != NOP:
            raise ValueError("token %#x in a device tree" % token)
