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
