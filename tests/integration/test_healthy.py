# SPDX-License-Identifier: GPL-2.0-or-later
"""A healthy run: every count of the report equals the back-end's log, strace's and each other."""

import time
import unittest

import common
import strace_counts
from harness import parts

PAIRS_AT_LEAST = 200
SECOND_RUN_S = 30


class HealthyTest(common.IntegrationTest):

    @classmethod
    def setUpClass(cls):
        cls.run_one = common.play("healthy", "healthy-1")
        cls.report = common.Report(cls.run_one.trace)
        cls.log = common.Log(cls.run_one.path("backend.jsonl"))

    def test_nothing_is_found(self):
        self.assert_clean(self.report)
        self.assertEqual(self.report.stderr, "")

    def test_counts_equal_the_log_and_each_other(self):
        log, counts = self.log, self.report.counts
        maps = len(log.maps_ok)
        self.assertGreaterEqual(maps, PAIRS_AT_LEAST)
        self.assertEqual(len(log.unmaps_ok), maps)
        self.assertEqual(log.refused, [])
        self.assertEqual((log.end()["maps_ok"], log.end()["unmaps_ok"]), (maps, maps))
        self.assertEqual(log.fds_sent, maps)
        self.assert_all_finalized(self.report, maps)
        self.assertEqual(counts["requests"], log.requests)
        self.assertEqual(counts["replies"], log.replies)
        self.assertEqual(sum(counts["refusals"].values()), 0)

    def test_nothing_is_left_by_proc(self):
        points = self.run_one.witness["points"]
        self.assertEqual(points["after"]["backend_fds"], 0)
        self.assertEqual(points["after"]["backend_maps"], 0)

    def test_no_event_was_lost(self):
        self.assertEqual(self.report.json["trace"]["lost"], 0)

    def test_second_run_is_quick_and_another_trace(self):
        began = time.monotonic()
        second = common.play("healthy", "healthy-2")
        report = common.Report(second.trace)
        took = time.monotonic() - began
        self.assertLess(took, SECOND_RUN_S)
        self.assert_clean(report)
        first_uuids = parts.trace_uuid(self.run_one.trace)
        second_uuids = parts.trace_uuid(second.trace)
        self.assertTrue(first_uuids and second_uuids)
        self.assertFalse(first_uuids & second_uuids)
        self.assertIn(report.json["trace"]["uuid"], second_uuids)
        self.assertGreater(report.json["trace"]["begin_ns"], self.report.json["trace"]["end_ns"])
        # How many descriptors wait for RCU at one time is a matter of time.
        self.assertEqual({**report.counts, "fds_waiting_most": None},
                         {**self.report.counts, "fds_waiting_most": None})

    def test_strace_counts_the_same(self):
        """A run of its own, not recorded: only strace looks, and counts what the report counts."""
        out = f"{common.RUNS}/healthy-strace"
        run = common.play("healthy", "healthy-strace", record=False,
                          wrapper=[*strace_counts.OPTIONS, "-o", f"{out}/strace.txt"])
        seen = strace_counts.count(run.path("strace.txt"))
        counts = self.report.counts
        self.assertGreaterEqual(seen["received"], PAIRS_AT_LEAST)
        self.assertEqual(seen, {"received": counts["fds_received"],
                                "duplicated": counts["fds_duplicated"],
                                "closed": counts["fds_closed"]})


if __name__ == "__main__":
    unittest.main(verbosity=2)
