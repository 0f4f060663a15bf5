# SPDX-License-Identifier: GPL-2.0-or-later
"""A second MAP behind the first hangs QEMU for real, and the report names it."""

import unittest

import common

# From the inside out: the reply wait of SET_MEM_TABLE, called by the memory listener at the
# commit that the MAP's end carries out.
STACK = ["vhost_user_set_mem_table", "vhost_commit", "memory_region_transaction_commit",
         "backend_read"]


class MapPipelinedTest(common.IntegrationTest):

    @classmethod
    def setUpClass(cls):
        cls.run_one = common.play("map-pipelined", "map-pipelined")
        cls.report = common.Report(cls.run_one.trace)
        cls.hang = cls.run_one.witness["hang"]

    def test_main_thread_waits_inside_the_deferred_commit(self):
        stack = self.hang["stack"]
        place = -1
        for function in STACK:
            found = [i for i, frame in enumerate(stack) if i > place and function in frame]
            self.assertTrue(found, f"{function} is not where it belongs in {stack}")
            place = found[0]

    def test_monitor_is_silent_until_the_backend_ends(self):
        self.assertGreaterEqual(self.hang["monitor_silent_s"], 2)
        self.assertIs(self.hang["freed_by_end_of_backend"], True)

    def test_a_map_lies_unread(self):
        unread = self.hang["unread"]
        self.assertEqual(unread["request"], common.SHMEM_MAP)
        self.assertGreaterEqual(unread["unread"], 12 + unread["size"])

    def test_report_names_the_cycle(self):
        report = self.report
        self.assertEqual(report.status, 1)
        found = [f for f in report.of("reply-commit-deadlock") if f["certainty"] in common.ALARMS]
        self.assertEqual(len(found), 1, report.text)
        finding = found[0]
        self.assertEqual(finding["process"]["pid"], self.run_one.witness["qemu_pid"])
        self.assertEqual(finding["process"]["vm"], self.run_one.vm)
        self.assertTrue(finding["witness"])
        self.assertTrue(finding["rule"])
        # One trouble, one alarm: nothing else is observed or suspected.
        self.assertEqual(report.alarms(), found, report.text)

    def test_text_names_wait_commit_and_unread_request(self):
        text = " ".join(self.report.text.split())
        self.assertRegex(text, "DEADLOCK (observed|suspected)")
        self.assertRegex(text, "waits for the reply to SET_MEM_TABLE, sent inside the deferred "
                               "commit of SHMEM_MAP #1")
        self.assertRegex(text, "SHMEM_MAP( #2)?,? which lies unread in QEMU's socket")
        self.assertIn("docs/findings/reply-commit-deadlock.md", text)

    def test_waits_lists_the_wait(self):
        waits = common.tool("waits", self.run_one.trace)
        self.assertIn("SET_MEM_TABLE", waits.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
