# SPDX-License-Identifier: GPL-2.0-or-later
"""Sphinx configuration; `make docs` builds with warnings as errors."""

project = "Live Partition Mobility for Linux"
author = "The maintainers"
copyright = author
root_doc = "index"
source_suffix = ".rst"
exclude_patterns = []
extensions = []
highlight_language = "none"
html_theme = "alabaster"
html_show_copyright = False
smartquotes = False
man_pages = [
    ("man/" + name, name, title, "", section) for name, title, section in (
        ("migrlpar", "perform a partition migration operation", 1),
        ("lslparmigr", "list partition migration information", 1),
        ("lssyscfg", "list managed systems and partitions", 1),
        ("lshwres", "list hardware resources of a managed system", 1),
        ("lsrefcode", "list reference codes", 1),
        ("chsyscfg", "change partitions and profiles", 1),
        ("chsysstate", "change the state of partitions", 1),
        ("mksyscfg", "make partitions", 1),
        ("rmsyscfg", "remove a partition", 1),
        ("chlparstate", "suspend and resume a partition", 1),
        ("diagrmc", "tell whether a partition is connected", 1),
        ("lshmc", "list the version of the console", 1),
        ("lshmcusr", "list the users of the console", 1),
        ("mkauthkeys", "change the keys that open the console", 1),
        ("hmcrelay", "serve another console", 1),
        ("hmcsh", "login shell of a user of the console", 1),
        ("lpmtop", "show partition migrations on a terminal", 1),
        ("mspctl", "direct a mover", 1),
        ("phypctl", "manage a managed system", 1),
        ("vasimon", "print events of the VASI driver", 1),
        ("console", "the systems that the management console knows", 5),
        ("lpar-agent", "take part in the migration of a partition", 8),
        ("mspd", "the mover daemon", 8),
        ("vasi-phypd", "a managed system", 8),
        ("vasi-vswitch", "an Ethernet switch for guests that move", 8))
]
