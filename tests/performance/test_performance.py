# SPDX-License-Identifier: GPL-2.0-or-later
"""What scripts/measure computes, from figures that are known; and what it refuses."""

import os
import random
import re
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
sys.path.insert(0, TESTS)

from harness.processes import HarnessError                           # noqa: E402
from performance import instructions, recordings, timing             # noqa: E402
from performance import wire_pairs                                   # noqa: E402
from performance.estimates import Estimate, median_interval, table   # noqa: E402

MEASURE = os.path.join(os.path.dirname(TESTS), "scripts", "measure")

DUMP = """\
# callgrind format
version: 1
pid: 4711
thread: 4
events: Ir
fn=(1) call_rcu_thread
100 7
fn=(2) memory_region_finalize'2
cfn=(3) {called}
calls=2 0
+3 900
totals: 1234567
"""


class EstimatesTest(unittest.TestCase):

    def test_median_and_interval(self):
        one = median_interval([1.0] * 20 + [2.0] * 20 + [3.0] * 21, seed=7)
        self.assertEqual(one.median, 2.0)
        self.assertLessEqual(one.low, one.median)
        self.assertGreaterEqual(one.high, one.median)
        # More of the same narrows it; the same seed gives the same.
        few = median_interval([float(n) for n in range(10)], seed=7)
        many = median_interval([n / 100 for n in range(1000)], seed=7)
        self.assertLess(many.high - many.low, (few.high - few.low) / 4)
        self.assertEqual(few, median_interval([float(n) for n in range(10)], seed=7))
        self.assertNotEqual(few, median_interval([n * 1.1 for n in range(10)], seed=7))

    def test_interval_of_a_median_that_is_known(self):
        """Of sets drawn around 5, nearly all intervals hold 5: not half, as one side would."""
        chance = random.Random(11)
        held = 0
        for seed in range(25):
            samples = [chance.gauss(5, 2) for _ in range(20)]
            estimate = median_interval(samples, seed)
            held += estimate.low <= 5 <= estimate.high
        self.assertGreaterEqual(held, 20)

    def test_one_sample_is_no_interval(self):
        with self.assertRaises(ValueError):
            median_interval([1.0], seed=1)

    def test_verdict(self):
        self.assertEqual(Estimate(2.0, 1.5, 3.0).verdict(3.0), "met")
        self.assertEqual(Estimate(2.0, 1.5, 3.1).verdict(3.0), "not decided")
        self.assertEqual(Estimate(4.0, 3.1, 5.0).verdict(3.0), "missed")

    def test_within(self):
        self.assertTrue(Estimate(0.0, -1.0, 1.0).within(1.0))
        self.assertFalse(Estimate(0.0, -1.1, 0.5).within(1.0))
        self.assertFalse(Estimate(0.0, -0.5, 1.1).within(1.0))

    def test_table(self):
        self.assertEqual(table(("a", "bb"), [("1", "2"), ("333", "")]),
                         ["| a   | bb |", "|-----|----|", "| 1   | 2  |", "| 333 |    |"])


class TimesTest(unittest.TestCase):

    def test_slower(self):
        figures = {"off": [100.0, 200.0], "off again": [110.0, 200.0], "default": [105.0, 206.0]}
        self.assertEqual([round(f, 3) for f in timing.slower(figures, "default")], [0.0, 3.0])
        self.assertEqual([round(f, 3) for f in timing.slower(figures, "off again")], [10.0, 0.0])

    def test_event_of_babeltrace(self):
        match = recordings.EVENT.match("[00000012464271156713] vm qemu:memory_commit_end: "
                                       "{ 0 }, { 1, 2, \"x\" }, { 0, 1 }")
        self.assertEqual(match.groups(), ("12464271156713", "qemu:memory_commit_end"))
        self.assertIsNone(recordings.EVENT.match("WARNING: something is lost"))


class WirePairsTest(unittest.TestCase):

    def test_ratios(self):
        blocks = {"without": [100.0, 200.0], "without again": [110.0, 200.0],
                  "dormant": [105.0, 206.0]}
        self.assertEqual([round(f, 3) for f in wire_pairs.ratios(blocks, "dormant")], [0.0, 3.0])
        self.assertEqual([round(f, 3) for f in wire_pairs.ratios(blocks, "without again")],
                         [10.0, 0.0])

    def test_only_the_library_is_recorded(self):
        self.assertEqual(wire_pairs.options_of("without again"), {})
        self.assertNotIn("record", wire_pairs.options_of("dormant"))
        excluded = wire_pairs.options_of("recording")["record_options"]
        self.assertIn("transaction", excluded)
        self.assertNotIn("wire", excluded)


class DumpTest(unittest.TestCase):

    def dump(self, text):
        directory = tempfile.TemporaryDirectory(prefix="ss-performance-")
        self.addCleanup(directory.cleanup)
        path = os.path.join(directory.name, "callgrind.out.4711.1-04")
        with open(path, "w", encoding="ascii") as dump:
            dump.write(text)
        return instructions.read_dump(path)

    def test_totals_and_functions(self):
        count, functions = self.dump(DUMP.format(called="g_free"))
        self.assertEqual(count, 1234567)
        self.assertEqual(functions, {"call_rcu_thread", "memory_region_finalize", "g_free"})
        self.assertFalse([name for name in functions if instructions.TRACER.search(name)])

    def test_a_probe_that_ran_is_seen(self):
        _, functions = self.dump(DUMP.format(
            called="lttng_ust__event_probe__qemu___memory_commit_end"))
        self.assertTrue([name for name in functions if instructions.TRACER.search(name)])

    def test_a_dump_cut_short(self):
        with self.assertRaisesRegex(HarnessError, "it has no totals"):
            self.dump(DUMP.format(called="g_free").replace("totals", "total"))


class ScriptTest(unittest.TestCase):

    def run_script(self, *arguments):
        return subprocess.run([MEASURE, *arguments], capture_output=True, text=True, timeout=60,
                              check=False)

    def test_help(self):
        done = self.run_script("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(done.stdout.startswith("Usage: scripts/measure"))
        self.assertLessEqual(max(map(len, done.stdout.splitlines())), 99)
        page = os.path.join(os.path.dirname(TESTS), "docs", "performance.md")
        with open(page, encoding="utf-8") as text:
            told = set(re.findall(r"scripts/measure.*?(--[\w-]+)", text.read()))
        self.assertLessEqual(told, set(re.findall(r"--[\w-]+", done.stdout)))

    def test_refused(self):
        for arguments, reason in (
                ((), "it is instructions, time or wire"),
                (("--nonsense",), '"--nonsense"'),
                (("time", "instructions"), "one verb at a time"),
                (("time", "--pairs"), "--pairs needs a value"),
                (("time", "--pairs", "0"), '--pairs is a number, not "0"'),
                (("time", "--blocks", "3"), "time has no option --blocks"),
                (("wire", "--blocks", "3"), "wire has no option --blocks"),
                (("time", "--starts", "3"), "time has no option --starts"),
                (("instructions", "--rounds", "3"), "instructions has no option --rounds"),
                (("time", "--without", "/"), "time has no option --without")):
            with self.subTest(arguments):
                done = self.run_script(*arguments)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn(reason, done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
