# SPDX-License-Identifier: GPL-2.0-or-later
"""The output of `strace -f`."""

import re

_RESUMED = re.compile(r"^(\d+)\s+<\.\.\. (\w+) resumed>(.*)$")
_UNFINISHED = re.compile(r"^(\d+)\s+(.*) <unfinished \.\.\.>$")


def whole_calls(lines):
    """Each call without its thread, in the order of their ends: joins the two halves of one that
    another thread interrupted."""
    begun = {}
    for line in lines:
        line = line.rstrip("\n")
        unfinished = _UNFINISHED.match(line)
        if unfinished:
            begun[unfinished.group(1)] = unfinished.group(2)
            continue
        resumed = _RESUMED.match(line)
        if resumed:
            thread, _, rest = resumed.groups()
            line = f"{thread} {begun.pop(thread)}{rest}"
        yield line.split(maxsplit=1)[1] if " " in line else line
