# SPDX-License-Identifier: GPL-2.0-or-later
"""Keeps the processors from halting while something short is timed.

A pair is a dozen wake-ups of one process by another. A processor that halts between them,
above all a virtual one, takes longer to come back than many an event costs, by how much
depends on when it halted: that is most of the noise of an idle machine. A loop of the class
SCHED_IDLE on each processor gives way to everything else at once.
"""

import contextlib
import os
import subprocess
import sys

LOOP = "import os\nos.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\nwhile True: pass"


@contextlib.contextmanager
def awake():
    """One such loop for each processor this process may use, until the block ends."""
    loops = []
    try:
        for _ in os.sched_getaffinity(0):
            loops.append(subprocess.Popen([sys.executable, "-c", LOOP]))
        yield
    finally:
        for loop in loops:
            loop.kill()
        for loop in loops:
            loop.wait()
