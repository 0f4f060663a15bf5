# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs of a released QEMU for the tests; SHMEMSCOPE_QEMU is one of scripts/released-qemu."""

import os
import sys

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "integration"))
sys.path.insert(0, os.path.join(TESTS, "reproduce"))

import common                                                        # noqa: E402
from harness import released                                         # noqa: E402

FROM_QEMU = ("qemu",)
FROM_BOTH = ("qemu", "backend")
# What nothing that passes through the sockets, and no descriptor, tells of.
FROM_INSIDE_ONLY = {"memory-region-leak", "commit-without-begin", "transaction-left-open",
                    "refused-but-mapped"}


def play(scenario, out, wire=FROM_QEMU, **options):
    """Runs a scenario to its end; returns its Run."""
    perform, _ = released.of(scenario)
    with common.Run(common.parts.Programs(common.BUILD), common.QEMU, released.path(scenario),
                    os.path.join(common.RUNS, out), wire=wire, **options) as run:
        perform(run)
    return run


def kinds(finding):
    """What a hazard's or a deadlock's wait of QEMU stands in."""
    return tuple(step["kind"] for step in finding["order"]["steps"]
                 if step["kind"] in ("start", "stop", "reset", "unrealize", "commit"))
