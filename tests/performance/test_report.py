#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What `shmemscope report` takes does not grow faster than its recording.

Times of the processor, each the least of some runs, and beside babeltrace2 on the same trace:
the bounds are wide, so that a busy machine passes and a square does not.
"""

import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

from performance import reports                                      # noqa: E402

BUILD = os.environ["SHMEMSCOPE_BUILD"]
SHMEMSCOPE = os.path.join(BUILD, "analysis/cli/shmemscope")
MANY = os.path.join(BUILD, "tests/analysis/generator/many")
RUNS = 3


class Report(unittest.TestCase):
    def costs(self, events, live, reader="report"):
        """Least processor time and most memory, of a new recording."""
        with tempfile.TemporaryDirectory(prefix="shmemscope-test-") as directory:
            trace = os.path.join(directory, "trace")
            told = reports.record(MANY, trace, events, live)
            self.assertLess(abs(told - events), 500)
            costs = [reports.run(*reports.READERS[reader](SHMEMSCOPE, trace))
                     for _ in range(RUNS)]
        return min(c.processor for c in costs), max(c.memory for c in costs)

    def test_events(self):
        """Four times the events: at most four times the time, with room, and no more memory."""
        few, little = self.costs(20_000, 100)
        many, much = self.costs(80_000, 100)
        self.assertLess(many, 6 * few)
        self.assertLess(much - little, 4 * 1024)

    def test_live_mappings(self):
        """Ten times the live mappings in as many events."""
        few, _ = self.costs(150_000, 1_000)
        many, _ = self.costs(150_000, 10_000)
        self.assertLess(many, 2 * few)

    def test_memory(self):
        _, memory = self.costs(50_000, 1_000)
        self.assertLess(memory, 64 * 1024)


if __name__ == "__main__":
    unittest.main()
