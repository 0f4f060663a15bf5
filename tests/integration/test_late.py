# SPDX-License-Identifier: GPL-2.0-or-later
"""A recording that attaches to a QEMU in mid-life is told what is mapped, and what hangs."""

import json
import unittest

import common


class LateTest(common.IntegrationTest):

    def test_hang_is_told_though_nobody_recorded_it(self):
        run = common.play("map-pipelined", "late-hang")
        report = common.Report(run.path("late"))
        found = [f for f in report.of("reply-commit-deadlock") if f["certainty"] in common.ALARMS]
        self.assertEqual(report.status, 1, report.text)
        self.assertEqual(len(found), 1, report.text)
        self.assertEqual(found[0]["process"]["pid"], run.witness["qemu_pid"])
        self.assertEqual(found[0]["process"]["vm"], run.vm)
        text = " ".join(report.text.split())
        self.assertIn("waits for the reply to SET_MEM_TABLE", text)
        self.assertIn("which lies unread in QEMU's socket", text)
        # The hang is older than the recording, and the report says how old. With somebody else's
        # recording of all processes there QEMU may speak up by itself, too.
        told = [line for line in common.babeltrace(run.path("late")).splitlines()
                if "vhost_user_reply_wait_lasts" in line]
        self.assertTrue(told)
        for line in told:
            self.assertGreater(int(line.split("waited = ")[1].split(",")[0]),
                               run.witness["hang"]["held_s"] * 1000)

    def test_mappings_are_told_by_a_quiet_qemu(self):
        run = common.play("reset-mapped", "late-quiet")
        log = common.Log(run.path("backend.jsonl"))
        mapped = {(m["shmid"], m["shm_offset"], m["len"]) for m in log.maps_ok}
        self.assertEqual(len(mapped), 30)
        listed = common.tool("mappings", "--format", "json", run.path("late"))
        found = json.loads(listed.stdout)["mappings"]
        self.assertEqual({(m["shmid"], m["shm_offset"], m["len"]) for m in found}, mapped)
        report = common.Report(run.path("late"))
        # Nothing wrong is made up; and of waits it says that it cannot know.
        self.assertEqual(report.alarms(), [], report.text)
        self.assertIn("reply-commit-deadlock", report.undecided())


if __name__ == "__main__":
    unittest.main(verbosity=2)
