# SPDX-License-Identifier: GPL-2.0-or-later
"""The little of ELF that is needed to put programs and modules into a guest.

64-bit files of either byte order: what a kernel module says of itself
(.modinfo), and what a program needs at run time (PT_INTERP, DT_NEEDED).
Nothing is executed, so files of another architecture are as good.
"""

import struct

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NULL, DT_NEEDED, DT_STRTAB = 0, 1, 5

# e_machine and byte order -> the directory of the architecture's libraries
TRIPLETS = {
    (62, "<"): "x86_64-linux-gnu",
    (21, "<"): "powerpc64le-linux-gnu",
}


class NotElf(Exception):
    """Not a file that this module reads; the text says why."""


class Elf:
    """One file, given as bytes."""

    def __init__(self, data, name="?"):
        self.data = data
        self.name = name
        if data[:4] != b"\x7fELF" or len(data) < 64:
            raise NotElf(name + ": not ELF")
        if data[4] != 2 or data[5] not in (1, 2):
            raise NotElf(name + ": not 64-bit ELF")
        self.order = "<" if data[5] == 1 else ">"
        (_, self.machine, _, _, self.phoff, self.shoff, _, _,
         self.phentsize, self.phnum, self.shentsize, self.shnum,
         self.shstrndx) = self.unpack("HHIQQQIHHHHHH", 16)

    def unpack(self, form, offset):
        try:
            return struct.unpack_from(self.order + form, self.data, offset)
        except struct.error:
            raise NotElf("%s: ends within a header" % self.name) from None

    def string(self, offset):
        end = self.data.find(b"\0", offset)
        if end < 0:
            raise NotElf("%s: a string without end" % self.name)
        return self.data[offset:end].decode()

    @property
    def triplet(self):
        """Name of the directory of the architecture's libraries."""
        try:
            return TRIPLETS[self.machine, self.order]
        except KeyError:
            raise NotElf("%s: machine %d is not known"
                         % (self.name, self.machine)) from None

    def section(self, wanted):
        """Bytes of a section, or none."""
        headers = [self.unpack("IIQQQQ", self.shoff + n * self.shentsize)
                   for n in range(self.shnum)]
        if self.shstrndx >= len(headers):
            return b""
        names = headers[self.shstrndx][4]
        for name, _, _, _, offset, size in headers:
            if self.string(names + name) == wanted:
                return self.data[offset:offset + size]
        return b""

    def modinfo(self):
        """What a kernel module says of itself: key -> list of values."""
        result = {}
        for entry in self.section(".modinfo").split(b"\0"):
            key, separator, value = entry.decode(errors="replace").partition("=")
            if separator:
                result.setdefault(key, []).append(value)
        return result

    def segments(self, wanted):
        """(offset, address, size in the file) of the segments of a type."""
        for n in range(self.phnum):
            kind, _, offset, address, _, size = self.unpack(
                "IIQQQQ", self.phoff + n * self.phentsize)
            if kind == wanted:
                yield offset, address, size

    @property
    def interpreter(self):
        """Path of the dynamic loader, or none: the program is static."""
        for offset, _, _ in self.segments(PT_INTERP):
            return self.string(offset)
        return None

    def file_offset(self, address):
        for offset, start, size in self.segments(PT_LOAD):
            if start <= address < start + size:
                return offset + address - start
        raise NotElf("%s: address %#x is not in the file" % (self.name, address))

    def needed(self):
        """Names of the libraries that it needs."""
        entries = []
        for offset, _, size in self.segments(PT_DYNAMIC):
            for position in range(offset, offset + size, 16):
                tag, value = self.unpack("QQ", position)
                if tag == DT_NULL:
                    break
                entries.append((tag, value))
        strings = [value for tag, value in entries if tag == DT_STRTAB]
        if not strings:
            return []
        base = self.file_offset(strings[0])
        return [self.string(base + value) for tag, value in entries
                if tag == DT_NEEDED]
