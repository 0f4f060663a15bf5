# SPDX-License-Identifier: GPL-2.0-or-later
"""The same cycle closed by other messages: the check knows no message pair by heart."""

import unittest

import common


class OtherCyclesTest(common.IntegrationTest):

    def check(self, scenario, waited, unread, inside):
        """QEMU waits for the reply to WAITED inside INSIDE, with UNREAD in its socket."""
        run = common.play(scenario, scenario)
        hang = run.witness["hang"]
        self.assertEqual(hang["unread"]["request"], unread)
        self.assertTrue(any("vhost_user_read" in frame for frame in hang["stack"]))
        report = common.Report(run.trace)
        self.assertEqual(report.status, 1)
        found = [f for f in report.of("reply-commit-deadlock")
                 if f["certainty"] in common.ALARMS]
        self.assertEqual(len(found), 1, report.text)
        self.assertEqual(report.alarms(), found, report.text)
        text = " ".join(report.text.split())
        self.assertRegex(text, f"waits for the reply to {waited}, sent inside {inside}")
        self.assertRegex(text, "SHMEM_UNMAP( #2)?,? which lies unread in QEMU's socket")
        return hang["stack"]

    def test_request_against_a_reset(self):
        stack = self.check("request-at-stop", "SET_VRING_ENABLE", common.SHMEM_UNMAP,
                           "the (stop|reset)")
        self.assertIn("vhost_dev_stop", stack)

    def test_unmap_behind_a_map(self):
        stack = self.check("unmap-pipelined", "ADD_MEM_REG", common.SHMEM_UNMAP,
                           "the deferred commit of SHMEM_MAP #1")
        self.assertIn("memory_region_transaction_commit", stack)


if __name__ == "__main__":
    unittest.main(verbosity=2)
