# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest has instead of a disk: an archive of its files for the kernel.

The archive is cpio's "newc" format, which needs neither root nor a program:
owners and device nodes are only what the headers say.
"""

import glob
import lzma
import os
import stat
import subprocess

from elf import Elf, NotElf

ALIGN = 4


class Missing(Exception):
    """Something that a guest needs is not there; the text says what."""


class Archive:
    """Files of a guest, by their path there."""

    def __init__(self):
        self.entries = {}       # path -> (mode, bytes, device)
        self.entries["/"] = (stat.S_IFDIR | 0o755, b"", (0, 0))

    def add(self, path, mode, data=b"", device=(0, 0)):
        """An entry and the directories above it."""
        parent = os.path.dirname(path)
        if parent not in self.entries:
            self.directory(parent)
        self.entries[path] = (mode, data, device)

    def directory(self, path, mode=0o755):
        self.add(path, stat.S_IFDIR | mode)

    def file(self, path, data, mode=0o644):
        self.add(path, stat.S_IFREG | mode, data)

    def link(self, path, target):
        self.add(path, stat.S_IFLNK | 0o777, target.encode())

    def device(self, path, major, minor, mode=0o600):
        """A character device."""
        self.add(path, stat.S_IFCHR | mode, device=(major, minor))

    def copy(self, path, source):
        """A file or a tree of the host's, links followed."""
        if os.path.isdir(source):
            self.directory(path)
            for name in sorted(os.listdir(source)):
                self.copy(path + "/" + name, source + "/" + name)
            return
        with open(source, "rb") as file:
            self.file(path, file.read(), 0o755 if os.access(source, os.X_OK)
                      else 0o644)

    def write(self, path):
        with open(path, "wb") as out:
            for number, name in enumerate(sorted(self.entries), 1):
                out.write(entry(name.lstrip("/") or ".", number,
                                *self.entries[name]))
            out.write(entry("TRAILER!!!", 0, 0, b"", (0, 0)))


def padded(data):
    return data + bytes(-len(data) % ALIGN)


def entry(name, number, mode, data, device):
    """One entry: 13 fields in hexadecimal, the name, the data."""
    name = name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (number, mode, 0, 0, links, 0, len(data), 0, 0, device[0],
              device[1], len(name), 0)
    header = b"070701" + b"".join(b"%08X" % value for value in fields)
    return padded(header + name) + padded(data)


class Libraries:
    """Where shared libraries are found: directories like /, in order."""

    def __init__(self, roots=("/",)):
        self.roots = roots

    def find(self, name, triplet):
        for root in self.roots:
            for place in ("lib/" + triplet, "usr/lib/" + triplet, "lib64",
                          "usr/lib64", "lib", "usr/lib"):
                path = os.path.join(root, place, name)
                if os.path.isfile(path):
                    return path
        raise Missing("shared library %s for %s" % (name, triplet))

    def add(self, archive, data, name):
        """Everything that the program or library @data needs."""
        try:
            elf = Elf(data, name)
        except NotElf:
            return
        wanted = elf.needed()
        if elf.interpreter:
            wanted.append(os.path.basename(elf.interpreter))
        for library in wanted:
            path = "/lib/%s/%s" % (elf.triplet, library)
            if path in archive.entries:
                continue
            with open(self.find(library, elf.triplet), "rb") as file:
                archive.file(path, file.read(), 0o755)
            self.add(archive, archive.entries[path][1], library)
        if elf.interpreter and elf.interpreter not in archive.entries:
            archive.link(elf.interpreter, "/lib/%s/%s" % (
                elf.triplet, os.path.basename(elf.interpreter)))


class Modules:
    """The modules of an unpacked kernel package.

    The package has no modules.dep (depmod makes it when it is installed), so
    what a module needs is read from the module.
    """

    def __init__(self, package):
        found = glob.glob(package + "/lib/modules/*") + \
            glob.glob(package + "/usr/lib/modules/*")
        if len(found) != 1:
            raise Missing("one directory of modules in " + package)
        self.directory = found[0]
        self.release = os.path.basename(found[0])
        self.paths = {}
        for root, _, names in os.walk(self.directory):
            for name in names:
                stem, dot, _ = name.partition(".ko")
                if dot:
                    self.paths[key(stem)] = os.path.join(root, name)
        with open(self.directory + "/modules.builtin", encoding="ascii") as file:
            self.builtin = {key(os.path.basename(line.strip())[:-3])
                            for line in file}

    def load(self, name):
        """A module's bytes, as the kernel takes them."""
        path = self.paths[key(name)]
        if path.endswith(".zst"):
            return subprocess.run(["zstd", "-dcq", path], check=True,
                                  stdout=subprocess.PIPE).stdout
        with (lzma.open if path.endswith(".xz") else open)(path, "rb") as file:
            return file.read()

    def closure(self, names):
        """[(module, bytes)] of @names and all they need, in order of loading.

        A name that ends in .ko is the path of a module of another origin; what it
        needs comes from the kernel.
        """
        loaded = {}

        def visit(name):
            data = None
            if name.endswith(".ko"):
                with open(name, "rb") as file:
                    data = file.read()
            name = module_name(name)
            if name in loaded or name in self.builtin:
                return
            if data is None:
                if name not in self.paths:
                    raise Missing("module %s of kernel %s" % (name, self.release))
                data = self.load(name)
            info = Elf(data, name).modinfo()
            for other in info.get("depends", [""])[0].split(","):
                if other:
                    visit(other)
            for other in soft_before(info):
                # What is only recommended may be no module here
                if key(other) in self.paths:
                    visit(other)
            loaded[name] = data

        for name in names:
            visit(name)
        return list(loaded.items())


def soft_before(info):
    """Modules that softdeps put before: "pre: a b post: c" -> a, b."""
    for text in info.get("softdep", []):
        inside = False
        for word in text.split():
            if word.endswith(":"):
                inside = word == "pre:"
            elif inside:
                yield word


def key(name):
    """A module's name as the kernel has it."""
    return name.replace("-", "_")


def module_name(path):
    """The same of a module's file, or name."""
    return key(os.path.basename(path).removesuffix(".ko"))
