#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Run the fuzzers, sum up what they did, and keep a small corpus.

Without --check each fuzzer runs for --seconds, the inputs that reach something
new go to selftests/fuzz/corpus/, and the exit status is zero only if nothing
was found.  With --check the output is TAP: each fuzzer runs its kept corpus,
and then for a few seconds; nothing is kept.
"""

import argparse
import concurrent.futures
import fnmatch
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
CORPUS = os.path.join(HERE, "corpus")
# Limits of a fuzzer's kept corpus
MAX_FILES = 190
MAX_BYTES = 280 << 10
MAX_INPUT = 2048
# Inputs with this in their name were findings, and stay
KEPT = "regress-"
CHECK_SECONDS = 4
CHECK_JOBS = 2


class Result:
    """What one run of a fuzzer came to."""

    def __init__(self, target):
        self.target = target
        self.executions = self.edges = self.features = 0
        self.seconds = 0.0
        self.new = 0
        self.findings = []
        self.failed = ""
        self.output = ""

    def read(self, output):
        self.output = output
        count = re.findall(r"^stat::number_of_executed_units: *(\d+)", output, re.M)
        cover = re.findall(r"cov: (\d+) ft: (\d+)", output)
        if count:
            self.executions = int(count[-1])
        if cover:
            self.edges, self.features = map(int, cover[-1])


def targets(build):
    """Names of the fuzzers that were built."""
    directory = os.path.join(build, "fuzz")
    if not os.path.isdir(directory):
        return []
    return sorted(name for name in os.listdir(directory)
                  if name.startswith("fuzz_") and
                  os.path.exists(os.path.join(HERE, name + ".c")))


def files(directory):
    if not os.path.isdir(directory):
        return []
    return sorted(os.path.join(directory, n) for n in os.listdir(directory))


def command(options, target, found, *arguments):
    argv = [os.path.join(options.build, "fuzz", target),
            "-artifact_prefix=%s/%s-" % (found, target), "-timeout=10",
            "-rss_limit_mb=2048", "-max_len=%d" % MAX_INPUT, "-len_control=0",
            # What the code under test logs is of no interest
            "-close_fd_mask=3", "-print_final_stats=1"]
    dictionary = os.path.join(HERE, target + ".dict")
    if os.path.exists(dictionary):
        argv.append("-dict=" + dictionary)
    return argv + list(arguments)


def run(options, target, arguments, limit):
    """One run of a fuzzer, to a Result."""
    found = os.path.join(options.build, "findings")
    os.makedirs(found, exist_ok=True)
    before = set(files(found))
    result = Result(target)
    started = time.monotonic()
    env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:allocator_may_return_null=1:"
                            "quarantine_size_mb=64",
               UBSAN_OPTIONS="print_stacktrace=1")
    try:
        done = subprocess.run(command(options, target, found, *arguments),
                              cwd=TOP, env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=limit, check=False)
        result.read(done.stdout.decode(errors="replace"))
        if done.returncode:
            result.failed = "exit status %d" % done.returncode
    except subprocess.TimeoutExpired as error:
        result.read((error.stdout or b"").decode(errors="replace"))
        result.failed = "no end after %d s" % limit
    result.seconds = time.monotonic() - started
    mine = os.path.join(found, target + "-")
    result.findings = [path for path in files(found) if path not in before and
                       path.startswith(mine) and "-slow-unit-" not in path]
    return result


def cover(options, target, merged, sources, how):
    """Inputs of sources that together reach as much, copied to merged."""
    return run(options, target, ["-set_cover_merge=1"] + how + [merged] + sources, 300)


def choose(kept, merged):
    """Copy what fits of merged into the kept corpus, the smallest first."""
    present = files(kept)
    room = MAX_BYTES - sum(os.path.getsize(path) for path in present)
    slots = MAX_FILES - len(present)
    for path in sorted(files(merged), key=os.path.getsize):
        copy = os.path.join(kept, os.path.basename(path))
        room -= os.path.getsize(path)
        if room < 0 or slots <= 0:
            break
        if not os.path.exists(copy):
            shutil.copyfile(path, copy)
            slots -= 1


def minimise(options, target, work):
    """Replace the kept corpus by a small one that reaches as much.

    What is far inside takes the longest inputs.  So first come those that reach
    every edge, and then, as far as there is room, how often each is reached.
    """
    kept = os.path.join(CORPUS, target)
    os.makedirs(kept, exist_ok=True)
    old = {os.path.basename(path) for path in files(kept)}
    with tempfile.TemporaryDirectory() as edges, \
         tempfile.TemporaryDirectory() as counts:
        for merged, how in ((edges, ["-use_counters=0"]), (counts, [])):
            result = cover(options, target, merged, [kept, work], how)
            if result.failed:
                return result
        for path in files(kept):
            if KEPT not in os.path.basename(path):
                os.unlink(path)
        choose(kept, edges)
        choose(kept, counts)
    result.new = len({os.path.basename(path) for path in files(kept)} - old)
    return result


def fuzz(options, target):
    """Run a fuzzer as long as asked, and keep what it learnt."""
    work = os.path.join(options.build, "corpus", target)
    kept = os.path.join(CORPUS, target)
    os.makedirs(work, exist_ok=True)
    os.makedirs(kept, exist_ok=True)
    result = run(options, target, ["-max_total_time=%d" % options.seconds, work, kept],
                 options.seconds + 120)
    if not result.failed and not options.no_keep:
        merged = minimise(options, target, work)
        result.new = merged.new
        if merged.failed:
            result.failed = "minimising: " + merged.failed
            result.findings = merged.findings
            result.output = merged.output
    return result


def show_failure(result, prefix=""):
    for line in result.output.splitlines()[-60:]:
        print("%s%s" % (prefix, line))
    for path in result.findings:
        print("%s%s: reproduce with: build-fuzz/fuzz/%s %s"
              % (prefix, result.target, result.target, os.path.relpath(path, TOP)))


def campaign(options, names):
    """Every fuzzer for a time; a table; exit status."""
    jobs = options.jobs or min(len(names), os.cpu_count() or 1)
    bad = 0
    print("%-14s %8s %12s %8s %8s %6s  %s" %
          ("fuzzer", "seconds", "executions", "edges", "features", "new", "findings"))
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for result in pool.map(lambda name: fuzz(options, name), names):
            print("%-14s %8.0f %12d %8d %8d %6d  %s" %
                  (result.target, result.seconds, result.executions, result.edges,
                   result.features, result.new,
                   len(result.findings) or result.failed or "none"), flush=True)
            if result.failed or result.findings:
                bad += 1
                show_failure(result)
    return 1 if bad else 0


def check_one(options, target):
    """Results of a fuzzer's two tests."""
    kept = files(os.path.join(CORPUS, target))
    corpus = run(options, target, kept, 60) if kept else Result(target)
    if not kept:
        corpus.failed = "no kept corpus"
    # New inputs go to a directory of their own, and are forgotten
    with tempfile.TemporaryDirectory() as work:
        short = run(options, target, ["-max_total_time=%d" % CHECK_SECONDS, work,
                                      os.path.join(CORPUS, target)], 60)
    return corpus, short


def check(options, names):
    """TAP for selftests/run."""
    if not names:
        print("1..0 # SKIP clang-14 with libFuzzer is not installed")
        return 0
    print("1..%d" % (2 * len(names)), flush=True)
    number = bad = 0
    with concurrent.futures.ThreadPoolExecutor(CHECK_JOBS) as pool:
        for pair in pool.map(lambda name: check_one(options, name), names):
            for result, what in zip(pair, ("kept corpus", "a few seconds")):
                number += 1
                failed = result.failed or result.findings
                if failed:
                    bad += 1
                    show_failure(result, "# ")
                print("%sok %d - %s: %s" % ("not " if failed else "", number,
                                            result.target, what), flush=True)
    return 1 if bad else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build-fuzz")
    parser.add_argument("--seconds", type=int, default=60, help="for each fuzzer")
    parser.add_argument("--jobs", type=int, default=0,
                        help="fuzzers at a time (default: one a processor)")
    parser.add_argument("--only", action="append", default=[],
                        help="pattern or part of a fuzzer's name")
    parser.add_argument("--no-keep", action="store_true",
                        help="leave the kept corpus as it is")
    parser.add_argument("--check", action="store_true", help="TAP for make check")
    options = parser.parse_args()
    options.build = os.path.join(TOP, options.build)
    names = [name for name in targets(options.build) if not options.only or
             any(fnmatch.fnmatch(name, p) or p in name for p in options.only)]
    if options.check:
        return check(options, names)
    if not names:
        sys.exit("no fuzzer in %s: make fuzz builds them" % options.build)
    return campaign(options, names)


if __name__ == "__main__":
    sys.exit(main())
