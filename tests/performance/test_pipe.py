# SPDX-License-Identifier: GPL-2.0-or-later
"""What the wire library adds to a read() and a write() that are none of its business.

Times need a quiet machine and belong to scripts/measure. Instructions are the same everywhere.
"""

import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

from harness.processes import HarnessError                           # noqa: E402
from performance import wire_pipe                                    # noqa: E402

BUILD = os.environ["SHMEMSCOPE_BUILD"]
COUNT = 1000
# Of one write and one read together, beside the C library's own.
MOST = 24


class PipeTest(unittest.TestCase):

    def setUp(self):
        self.pipe = wire_pipe.Pipe(BUILD)

    def a_round(self, kind, threads):
        """Instructions of one write and one read; what is done once cancels out."""
        self.pipe.threads = threads
        with tempfile.TemporaryDirectory(prefix="ss-pipe-") as out:
            few, many = (self.pipe.instructions(kind, count, out) for count in (COUNT, 3 * COUNT))
        return (many - few) / (2 * COUNT)

    def test_instructions(self):
        """In a program of one thread as well, which stays one: LTTng's are not there."""
        for threads in (1, 2):
            with self.subTest(threads=threads):
                without, dormant = (self.a_round(kind, threads)
                                    for kind in ("without", "dormant"))
                self.assertGreater(without, 10)
                self.assertGreater(dormant, without)
                self.assertLessEqual(dormant - without, MOST)

    def test_each_run_has_the_library_or_not(self):
        for kind in wire_pipe.KINDS:
            cpu, clock = self.pipe.run(kind, COUNT)
            self.assertGreater(cpu, 0)
            self.assertGreater(clock, 0)
        self.pipe.library = "/dev/null"
        with self.assertRaisesRegex(HarnessError, "was that of"):
            self.pipe.run("dormant", COUNT)

    def test_ratio(self):
        figures = {"without": [(100, 10), (200, 20)], "without again": [(100, 10), (100, 20)],
                   "dormant": [(110, 10), (150, 30)]}
        self.assertEqual(wire_pipe.times_as_long(figures, "dormant", 0), [1.1, 1.0])
        self.assertEqual(wire_pipe.times_as_long(figures, "dormant", 1), [1.0, 1.5])
        self.assertEqual(wire_pipe.times_as_long(figures, "without again", 0), [1.0, 0.5])


if __name__ == "__main__":
    unittest.main(verbosity=2)
