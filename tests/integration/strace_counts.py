# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts descriptors of memfds in the output of `strace -f -y`: a second opinion."""

import collections
import re

from harness.strace import whole_calls

# -s 16: also the arrays of descriptors are cut at this length, and eight are the most.
OPTIONS = ["strace", "-f", "-y", "-e", "trace=recvmsg,fcntl,dup,dup2,dup3,close,close_range",
           "-e", "signal=none", "-s", "16"]

# As the test back-end begins its memfds' names; QEMU has others of its own.
OURS = "shmemscope-"


def count(path, name=OURS):
    """{"received", "duplicated", "closed"}: descriptors in QEMU of memfds whose names begin so."""
    descriptor = re.compile(rf"\d+</memfd:{re.escape(name)}[^>]*>")
    figures = collections.Counter(received=0, duplicated=0, closed=0)
    with open(path, encoding="utf-8", errors="replace") as trace:
        for call in whole_calls(trace):
            name = call.split("(", 1)[0]
            arguments, _, result = call.rpartition(" = ")
            if name == "recvmsg" and "SCM_RIGHTS" in arguments:
                figures["received"] += len(descriptor.findall(arguments))
            elif name in ("fcntl", "dup", "dup2", "dup3"):
                if name != "fcntl" or "F_DUPFD" in arguments:
                    figures["duplicated"] += bool(descriptor.search(arguments)) and _good(result)
            elif name == "close":
                figures["closed"] += bool(descriptor.search(arguments)) and _good(result)
            elif name == "close_range":
                raise ValueError(f"What it closes cannot be told: {call}")
    return dict(figures)


def _good(result):
    return not result.lstrip().startswith("-1")
