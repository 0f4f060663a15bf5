# SPDX-License-Identifier: GPL-2.0-or-later
"""A request of the back-end against a reset of the guest: another pair of messages, one cycle."""

import unittest

import common


class RequestAtStopTest(common.IntegrationTest):

    def test_hang_at_reset_is_named(self):
        run = common.play("request-at-stop", "request-at-stop")
        hang = run.witness["hang"]
        self.assertIn(hang["unread"]["request"], (common.SHMEM_MAP, common.SHMEM_UNMAP))
        self.assertTrue(any("vhost_user" in frame for frame in hang["stack"]), hang["stack"])
        report = common.Report(run.trace)
        self.assertEqual(report.status, 1)
        found = [f for f in report.of("reply-commit-deadlock")
                 if f["certainty"] in common.ALARMS]
        self.assertEqual(len(found), 1, report.text)
        self.assertRegex(report.text, "SET_VRING_ENABLE|GET_VRING_BASE")


if __name__ == "__main__":
    unittest.main(verbosity=2)
