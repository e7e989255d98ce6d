# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian packages that are unpacked into a cache and never installed.

Kernels, and whatever else a guest needs, come from the package sources of this
machine, and from Debian's backports if these do not name them; apt checks the
signatures.  apt's state (lists, status, cache) is one of our own in the cache
folder, so that no privilege is needed, nothing of the machine changes, and
packages of other architectures are as good.

    CACHE/apt/ARCH/                       apt's state
    CACHE/packages/NAME_VERSION_ARCH/     a package, unpacked
    CACHE/apt/source/                     apt's state, for source packages
"""

import contextlib
import fcntl
import functools
import glob
import os
import re
import subprocess
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
CACHE = os.path.abspath(os.environ.get("CACHE") or os.path.join(TOP, ".cache"))

# Lists that are older are fetched again, if the network lets us
LISTS_AGE_S = 24 * 3600
COMMAND_S = 600

# Debian's architecture -> its flavours of kernels, small ones first
FLAVOURS = {"amd64": ("cloud-amd64", "amd64"), "ppc64el": ("powerpc64le",)}

APT = "/etc/apt"


class PackageError(Exception):
    """A package cannot be had; the text says why."""


def run(argv, input="", **more):
    """Output of a command that has to succeed."""
    done = subprocess.run(argv, input=input, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, errors="replace",
                          timeout=COMMAND_S, check=False,
                          env=dict(os.environ, LC_ALL="C.UTF-8"), **more)
    if done.returncode:
        raise PackageError("%s: status %d: %s" % (
            " ".join(argv[:1] + argv[-2:]), done.returncode,
            done.stderr.strip()[-1000:]))
    return done.stdout


def newer(one, other):
    """Is version @one newer than @other, by Debian's rules?"""
    return subprocess.run(["dpkg", "--compare-versions", one, "gt", other],
                          check=False).returncode == 0


def codename():
    """Debian's name of this machine's release, or ""."""
    with open("/etc/os-release", encoding="utf-8") as file:
        found = re.search(r'^VERSION_CODENAME="?([a-z]+)', file.read(), re.M)
    return found.group(1) if found else ""


def source_files():
    """The machine's files of package sources, but for sources.list."""
    return sorted(path for kind in ("list", "sources")
                  for path in glob.glob("%s/sources.list.d/*.%s" % (APT, kind)))


def backports(release):
    """Package sources for the backports: (kind of file, text).

    What the machine has for its release, with another suite.  The text is empty
    if it has the backports already, or nothing to start from.
    """
    suite = release + "-backports"
    texts = []
    for path in [APT + "/sources.list"] + source_files():
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                texts.append(re.sub(r"^#.*\n", "", file.read(), flags=re.M))
    if not release or any(re.search(r"\b%s\b" % suite, text) for text in texts):
        return "list", ""
    for text in texts:
        line = re.search(r"^deb\s+(\[[^]]*\]\s+)?(\S+)\s+%s\s+main\b" % release,
                         text, re.M)
        if line:
            return "list", "deb %s%s %s main\n" % (line.group(1) or "",
                                                   line.group(2), suite)
        for stanza in re.split(r"\n\s*\n", text):
            if re.search(r"^Types:.*\bdeb\b", stanza, re.M) and \
                    re.search(r"^Suites:(.*\s)?%s(\s|$)" % release, stanza, re.M):
                stanza = re.sub(r"^Suites:.*", "Suites: " + suite, stanza, flags=re.M)
                stanza = re.sub(r"^Types:.*", "Types: deb", stanza, flags=re.M)
                return "sources", stanza.strip() + "\n"
    return "list", ""


class Package:
    """A package of one version; unpacked where @path says."""

    def __init__(self, name, version, arch):
        self.name, self.version, self.arch = name, version, arch
        self.path = os.path.join(CACHE, "packages", "%s_%s_%s" % (
            name, version.replace(":", "%3a"), arch))

    def __str__(self):
        return "%s %s %s" % (self.name, self.version, self.arch)


class Archive:
    """What the machine's package sources offer for an architecture."""

    def __init__(self, arch):
        self.arch = arch
        self.trouble = ""
        self.state = os.path.join(CACHE, "apt", arch)
        for directory in ("lists/partial", "cache/archives/partial", "sources"):
            os.makedirs(os.path.join(self.state, directory), exist_ok=True)
        with open(self.state + "/status", "ab"):
            pass
        own = {"Dir::State": self.state, "Dir::State::Lists": self.state + "/lists",
               "Dir::State::status": self.state + "/status",
               "Dir::Cache": self.state + "/cache",
               "Dir::Cache::pkgcache": "pkgcache.bin",
               "Dir::Cache::srcpkgcache": "srcpkgcache.bin",
               "Dir::Etc::sourceparts": self.state + "/sources",
               "APT::Architecture": arch, "APT::Architectures": arch,
               "Acquire::Languages": "none",
               # What the machine has hooked to an update is for its own state
               "APT::Update::Pre-Invoke": "", "APT::Update::Post-Invoke": "",
               "APT::Update::Post-Invoke-Success": ""}
        self.options = [word for item in own.items()
                        for word in ("-o", "%s=%s" % item)]
        self.sources()

    def sources(self):
        """The machine's package sources, and backports."""
        wanted = {}
        for path in source_files():
            with open(path, encoding="utf-8") as file:
                wanted[os.path.basename(path)] = file.read()
        kind, text = backports(codename())
        if text:
            wanted["vasi-backports." + kind] = text
        directory = self.state + "/sources/"
        there = {}
        for name in os.listdir(directory):
            with open(directory + name, encoding="utf-8") as file:
                there[name] = file.read()
        if there == wanted:
            return
        for name in there:
            os.unlink(directory + name)
        for name, text in wanted.items():
            with open(directory + name, "w", encoding="utf-8") as file:
                file.write(text)
        # Lists of other sources say nothing about these
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.state + "/updated")

    def update(self):
        """Fetch the lists of packages.

        Some sources may not answer, and without a network none does: what is
        there has to do.  The reason is kept for when it does not.
        """
        try:
            run(["apt-get"] + self.options + ["-qq", "update"])
        except (PackageError, subprocess.TimeoutExpired) as error:
            self.trouble = " (%s)" % error
        with open(self.state + "/updated", "wb"):
            pass

    def refresh(self):
        """Have lists, no older than a day."""
        stamp = self.state + "/updated"
        if not os.path.exists(stamp) or \
                time.time() - os.stat(stamp).st_mtime > LISTS_AGE_S:
            self.update()

    def versions(self, names):
        """Package -> newest version offered."""
        result = {}
        out = run(["apt-cache"] + self.options + ["madison"] + list(names))
        for line in out.splitlines():
            name, version, source = (w.strip() for w in line.split("|"))
            if "Packages" in source and (name not in result or
                                         newer(version, result[name])):
                result[name] = version
        return result

    def depends(self, package):
        """Names of the packages that one cannot do without, the first of each choice."""
        out = run(["apt-cache"] + self.options + ["show", "%s=%s" % (
            package.name, package.version)])
        found = re.search(r"^Depends: (.*)", out, re.M)
        return [re.match(r"[^ (|]+", word.strip()).group()
                for word in found.group(1).split(",")] if found else []

    def closure(self, names):
        """The newest versions of packages, of the libraries they need, of what
        these need, and so on."""
        self.refresh()
        found = {}
        wanted = set(names)
        while wanted:
            versions = self.versions(sorted(wanted))
            for name in sorted(wanted):
                if name not in versions:
                    raise PackageError("no package source offers %s for %s%s"
                                       % (name, self.arch, self.trouble))
                found[name] = Package(name, versions[name], self.arch)
            wanted = {other for name in wanted for other in self.depends(found[name])
                      if re.match(r"lib|linux-libc-dev", other)} - set(found)
        return [found[name] for name in sorted(found)]

    def package(self, name):
        """The newest version of a package."""
        self.refresh()
        versions = self.versions([name])
        if name not in versions:
            raise PackageError("no package source offers %s for %s%s"
                               % (name, self.arch, self.trouble))
        return Package(name, versions[name], self.arch)

    def kernels(self, flavour):
        """Kernel series ("6.1") -> newest package of it, oldest series first."""
        self.refresh()
        # Three numbers: those with two are empty and depend on the newest
        pattern = r"^linux-image-[0-9]+\.[0-9]+\.[0-9]+[^ ]*-%s$" % flavour
        out = run(["apt-cache"] + self.options + ["search", "--names-only", pattern])
        names = [line.split(" ")[0] for line in out.splitlines()]
        # "6.1.0-50-cloud-amd64" is no kernel of flavour "amd64"
        names = [name for name in names if
                 re.fullmatch(r"linux-image-[^-]+(-[0-9]+)?-" + flavour, name)]
        result = {}
        for name, version in self.versions(names).items() if names else ():
            series = tuple(map(int, re.match(r"(\d+)\.(\d+)", version).groups()))
            if series not in result or newer(version, result[series].version):
                result[series] = Package(name, version, self.arch)
        return {"%d.%d" % series: result[series] for series in sorted(result)}

    def unpack(self, package):
        """Path of the unpacked package; fetched if it is not in the cache."""
        if os.path.isdir(package.path):
            return package.path
        os.makedirs(os.path.dirname(package.path), exist_ok=True)
        with tempfile.TemporaryDirectory(
                prefix="new.", dir=os.path.dirname(package.path)) as work:
            os.mkdir(work + "/root")
            self.extract(package, work + "/root")
            os.rename(work + "/root", package.path)
        return package.path

    def extract(self, package, directory):
        """Fetch a package and put its files into a directory."""
        with tempfile.TemporaryDirectory(prefix="deb.", dir=CACHE) as work:
            self.download(package, work)
            debs = [n for n in os.listdir(work) if n.endswith(".deb")]
            if len(debs) != 1:
                raise PackageError("%s: apt-get download left %r"
                                   % (package, os.listdir(work)))
            run(["dpkg-deb", "-x", os.path.join(work, debs[0]), directory])

    def download(self, package, directory):
        argv = ["apt-get"] + self.options + ["-qq", "download", "%s=%s" % (
            package.name, package.version)]
        try:
            run(argv, cwd=directory)
        except PackageError:
            # The lists may be older than what the server has
            self.update()
            run(argv, cwd=directory)


@contextlib.contextmanager
def turn(name="lock"):
    """Runs that share a cache take turns: none other is in the body.  Not to be nested."""
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, name), "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def locked(function):
    """A function that only one run at a time is in."""
    @functools.wraps(function)
    def inner(*args, **named):
        with turn():
            return function(*args, **named)
    return inner


@functools.lru_cache(maxsize=None)
@locked
def kernels(arch, least=(6, 1)):
    """Series ("6.1") -> path of its newest kernel, unpacked.

    Of the flavours the first that has a kernel of @least or later.  Only the
    oldest and the newest series are fetched: what works there is taken to work
    between them.
    """
    archive = Archive(arch)
    for flavour in FLAVOURS.get(arch, ()):
        found = [(series, package)
                 for series, package in archive.kernels(flavour).items()
                 if tuple(map(int, series.split("."))) >= least]
        if found:
            chosen = dict([found[0], found[-1]])
            return {series: archive.unpack(package)
                    for series, package in chosen.items()}
    raise PackageError("no package source offers a kernel for %s%s"
                       % (arch, archive.trouble))


@functools.lru_cache(maxsize=None)
@locked
def unpacked(arch, name):
    """Path of the newest version of a package, unpacked."""
    archive = Archive(arch)
    return archive.unpack(archive.package(name))


class Sources(Archive):
    """Source packages, from where the machine's own packages come."""

    LISTS = ("/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list",
             "/etc/apt/sources.list.d/*.sources")

    def __init__(self):
        super().__init__("source")
        parts = self.state + "/sources.list.d"
        os.makedirs(parts, exist_ok=True)
        for path in (p for pattern in self.LISTS for p in glob.glob(pattern)):
            with open(path, encoding="utf-8") as file:
                text = self.of_source(file.read(), path.endswith(".sources"))
            with open(os.path.join(parts, os.path.basename(path)), "w",
                      encoding="utf-8") as file:
                file.write(text)
        self.options += ["-o", "Dir::Etc::sourcelist=/dev/null",
                         "-o", "Dir::Etc::sourceparts=" + parts,
                         "-o", "APT::Architecture=" + run(
                             ["dpkg", "--print-architecture"]).strip(),
                         "-o", "APT::Architectures="]

    @staticmethod
    def of_source(text, stanzas):
        """The same places, but for source packages."""
        if stanzas:
            return re.sub(r"(?m)^Types:.*$", "Types: deb-src", text)
        return "".join("deb-src" + line[len("deb"):] + "\n"
                       for line in text.split("\n")
                       if re.match(r"deb[ \t]", line))

    def unpack_source(self, name, version, directory):
        """The patched source of exactly this version, in a new @directory."""
        work = os.path.dirname(directory)
        argv = ["apt-get"] + self.options + ["-qq", "--download-only", "source",
                                             "%s=%s" % (name, version)]
        self.refresh()
        try:
            run(argv, cwd=work)
        except PackageError:
            self.update()
            run(argv, cwd=work)
        found = glob.glob(work + "/*.dsc")
        if len(found) != 1:
            raise PackageError("%s %s: apt-get source left %r"
                               % (name, version, os.listdir(work)))
        # apt has checked it against signed lists
        run(["dpkg-source", "--no-check", "-x", found[0], directory], cwd=work)
