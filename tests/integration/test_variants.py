# SPDX-License-Identifier: GPL-2.0-or-later
"""Healthy back-ends of other kinds: nothing is found, and the counts are those of their logs."""

import unittest

import common


class VariantsTest(common.IntegrationTest):

    def play(self, scenario):
        run = common.play(scenario, scenario)
        report = common.Report(run.trace)
        self.assert_clean(report)
        return report, common.Log(run.path("backend.jsonl"))

    def test_two_threads(self):
        """One thread maps while the other serves: requests and commits interleave freely."""
        report, log = self.play("two-threads")
        maps = len(log.maps_ok)
        self.assertGreaterEqual(maps, 200)
        self.assert_all_finalized(report, maps)
        self.assertEqual(report.counts["replies"], log.replies)

    def test_without_replies(self):
        """Without REPLY_ACK no reply is sent, and none is missed."""
        report, log = self.play("no-reply-ack")
        self.assertEqual(log.replies, 0)
        self.assertEqual(report.counts["replies"], 0)
        self.assertEqual(report.counts["requests"], log.requests)
        self.assert_all_finalized(report, len(log.maps_sent))

    def test_more_mappings_than_qemu_takes(self):
        """From some number on MAP is refused; QEMU lives, and a reset clears all of them."""
        run = common.play("too-many", "too-many")
        report = common.Report(run.trace)
        log = common.Log(run.path("backend.jsonl"))
        maps, refused = len(log.maps_ok), len(log.refused)
        self.assertGreater(maps, 250)
        self.assertGreater(refused, 0)
        self.assertEqual(maps + refused, len(log.maps_sent))
        self.assert_nothing_left(run, maps)
        self.assert_clean(report)
        counts = report.counts
        self.assertEqual(counts["refusals"], {"too-many": refused})
        self.assertEqual(counts["mappings_finalized"], maps)
        self.assertEqual(counts["fds_received"], maps + refused)
        self.assertEqual(counts["fds_closed"], counts["fds_received"] + counts["fds_duplicated"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
