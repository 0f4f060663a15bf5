# SPDX-License-Identifier: GPL-2.0-or-later
"""A back-end of two threads that is slow: it looks like a deadlock and ends by itself."""

import unittest

import common


class SlowNotStuckTest(common.IntegrationTest):

    def test_at_most_a_stuck_wait(self):
        run = common.play("slow-not-stuck", "slow-not-stuck")
        report = common.Report(run.trace)
        log = common.Log(run.path("backend.jsonl"))
        # The scenario is what it claims to be: a MAP was answered only after the slow answer.
        took = max(answer["t"] - ask["t"] for ask, answer in pairs(log))
        self.assertGreater(took, 4e9, "no request had to wait")
        self.assertEqual(report.of("reply-commit-deadlock", "observed"), [], report.text)
        self.assertEqual(report.of("reply-commit-deadlock", "suspected"), [], report.text)
        self.assertLessEqual({finding["id"] for finding in report.alarms()}, {"stuck-wait"})


def pairs(log):
    """(sent, replied) of every request, by its number on the channel."""
    sent = {entry["seq"]: entry for entry in log.entries if entry.get("phase") == "sent"}
    return [(sent[entry["seq"]], entry) for entry in log.entries
            if entry.get("phase") == "replied"]


if __name__ == "__main__":
    unittest.main(verbosity=2)
