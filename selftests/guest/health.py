# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest tells of its kernel's health after its command (see checks)."""

import re

# What a module taints a kernel with by not being the kernel's own: O and E; and by its
# unit tests: N
HARMLESS_TAINT = 1 << 12 | 1 << 13 | 1 << 18
# A leak has about 20 lines; of many the first say enough
LINES = 60

LEAK = re.compile(r"^guest: leak: (.*)$")
LOADED = re.compile(r"^guest: stays loaded: (.*)$")
TAINT = re.compile(r"^guest: tainted (\d+)$")

# For a kernel that has the means to find out
DEBUG_OPTIONS = ("kasan.fault=panic", "kmemleak=on")


class Health:
    """Collects lines of one run."""

    def __init__(self):
        self.leaks = []
        self.loaded = []
        self.taint = None

    def take(self, text):
        """Is it a line about health?"""
        leak, loaded, taint = LEAK.match(text), LOADED.match(text), TAINT.match(text)
        if leak:
            self.leaks.append(leak.group(1))
        elif loaded:
            self.loaded.append(loaded.group(1))
        elif taint:
            self.taint = int(taint.group(1))
        return bool(leak or loaded or taint)

    def wrong(self):
        wrong = ["leak: " + line for line in self.leaks[:LINES]]
        wrong += ["module %s does not unload" % name for name in self.loaded]
        if self.taint is None:
            wrong.append("the guest did not say how its kernel is")
        elif self.taint & ~HARMLESS_TAINT:
            wrong.append("the kernel is tainted: %d" % self.taint)
        return wrong
