# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of YAML that specifications of netlink families are written in.

Blocks of mappings and lists by indentation, lists in brackets, plain scalars, and
folded texts (">-").  Anything else is refused, so that nothing is read as something
that it is not.
"""

import re


class Error(ValueError):
    """Text that is not of this part of YAML."""


class Lines:
    """Lines that say something, with their indentation."""

    def __init__(self, text):
        self.lines = []
        self.at = 0
        for number, line in enumerate(text.split("\n"), 1):
            if "\t" in line:
                raise Error("line %d: a tab" % number)
            content = re.sub(r"(^|\s)#.*", "", line).rstrip()
            if content:
                indent = len(content) - len(content.lstrip())
                self.lines.append((number, indent, content.strip()))

    def peek(self):
        """(number, indentation, content); the end has indentation -1."""
        if self.at == len(self.lines):
            return None, -1, ""
        return self.lines[self.at]

    def take(self):
        self.at += 1
        return self.lines[self.at - 1]


def scalar(text, number):
    if re.match(r"\[ .* \]$", text):
        return [scalar(item.strip(), number) for item in text[2:-2].split(",")]
    if text[0] in "'\"[]{}&*!|>%@`":
        raise Error("line %d: not read here: %s" % (number, text))
    if re.match(r"-?\d+$|0x[0-9a-fA-F]+$", text):
        return int(text, 0)
    if text in ("true", "false"):
        return text == "true"
    if ": " in text:
        raise Error("line %d: a mapping in a scalar: %s" % (number, text))
    return text


def folded(lines, indent):
    """A text of several lines, which ">-" announced."""
    words = []
    while lines.peek()[1] > indent:
        words.append(lines.take()[2])
    return " ".join(words)


def value(lines, text, indent, number):
    """What stands behind "key:" or "-": here, or in a block below."""
    if text == ">-":
        return folded(lines, indent)
    if text:
        return scalar(text, number)
    below = lines.peek()[1]
    if below <= indent:
        raise Error("line %d: nothing below" % number)
    return block(lines, below)


def mapping(lines, indent):
    result = {}
    while lines.peek()[1] == indent:
        number, _, content = lines.take()
        match = re.match(r"([\w-]+):(?: (.*))?$", content)
        if not match:
            raise Error("line %d: not \"key: value\": %s" % (number, content))
        if match.group(1) in result:
            raise Error("line %d: %s again" % (number, match.group(1)))
        result[match.group(1)] = value(lines, match.group(2) or "", indent,
                                       number)
    return result


def sequence(lines, indent):
    result = []
    while lines.peek()[1] == indent:
        number, _, content = lines.take()
        if not re.match(r"-( |$)", content):
            raise Error("line %d: not an item: %s" % (number, content))
        result.append(value(lines, content[2:], indent, number))
    return result


def block(lines, indent):
    content = lines.peek()[2]
    result = (sequence if re.match(r"-( |$)", content) else mapping)(lines, indent)
    if lines.peek()[1] > indent:
        raise Error("line %d: indentation" % lines.peek()[0])
    return result


def load(text):
    """The mapping that @text is."""
    lines = Lines(text)
    result = block(lines, 0)
    if lines.peek()[1] != -1:
        raise Error("line %d: more than one block" % lines.peek()[0])
    return result
