# SPDX-License-Identifier: GPL-2.0-or-later
"""Refused requests of every kind: an error reply, a living QEMU, no descriptor left behind."""

import unittest

import common

EACH = 50


class RefusalsTest(common.IntegrationTest):

    @classmethod
    def setUpClass(cls):
        cls.run_one = common.play("refusals", "refusals")
        cls.report = common.Report(cls.run_one.trace)
        cls.log = common.Log(cls.run_one.path("backend.jsonl"))

    def test_every_kind_is_refused_with_an_error_reply(self):
        tagged = [e for e in self.log.entries if e.get("phase") == "sent" and e.get("tag")]
        kinds = {entry["tag"] for entry in tagged}
        self.assertGreaterEqual(kinds, {
            "bad-shmid", "bad-fd-count", "short-payload", "bad-flags", "zero-length",
            "unaligned", "out-of-range", "overlap", "no-mapping", "not-whole", "beyond-file",
            "bad-file"})
        refused = self.log.refusals_by_tag()
        for kind in kinds:
            asked = sum(entry["tag"] == kind for entry in tagged)
            self.assertGreaterEqual(asked, EACH, kind)
            self.assertEqual(refused[kind], asked, f"{kind}: every one an error reply")

    def test_counts_by_kind_equal_the_log(self):
        self.assertEqual(self.report.counts["refusals"], self.log.refusals_by_tag())

    def test_reasons_stand_in_the_report(self):
        for kind, times in self.log.refusals_by_tag().items():
            self.assertRegex(self.report.text, rf"{kind}\b.*\b{times}\b|\b{times}\b.*\b{kind}\b")

    def test_descriptors_are_as_before(self):
        points = self.run_one.witness["points"]
        self.assertEqual(points["after"]["backend_fds"], 0)
        self.assertEqual(points["after"]["backend_maps"], 0)
        counts = self.report.counts
        self.assertEqual(counts["fds_received"], self.log.fds_sent)
        self.assertEqual(counts["fds_closed"], counts["fds_received"] + counts["fds_duplicated"])

    def test_growth_is_that_of_a_run_without_refusals(self):
        """A started device has descriptors of its own: just as many as without refusals."""
        plain = common.play("two-threads", "refusals-none").witness["points"]
        points = self.run_one.witness["points"]
        self.assertEqual(points["after"]["fds"] - points["before"]["fds"],
                         plain["after"]["fds"] - plain["before"]["fds"])

    def test_back_ends_that_may_not_ask_at_all(self):
        for kind in ("no-region", "not-negotiated"):
            with self.subTest(kind=kind):
                run = common.play(f"refusals-{kind}", f"refusals-{kind}")
                report = common.Report(run.trace)
                log = common.Log(run.path("backend.jsonl"))
                self.assertEqual(log.refusals_by_tag(), {kind: EACH})
                self.assertEqual(log.requests, EACH)
                self.assertEqual(report.counts["refusals"], {kind: EACH})
                self.assertEqual(report.counts["mappings_created"], 0)
                self.assertEqual(report.counts["fds_closed"], log.fds_sent)
                self.assertEqual(run.witness["points"]["after"]["backend_fds"], 0)
                self.assert_only_refused(report)

    def test_nothing_is_wrong_with_refusing(self):
        """What the back-end asked for is wrong, each kind of it as often as it asked."""
        self.assert_only_refused(self.report)
        self.assertEqual({finding["id"] for finding in self.report.alarms()},
                         set(common.OUTSIDE.values()))


if __name__ == "__main__":
    unittest.main(verbosity=2)
