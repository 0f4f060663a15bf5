# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU that commits first, seen while nothing hung: its program hangs that QEMU, no other."""

import dataclasses
import os
import unittest

import zoo
import specimens
from zoo import common

import reproduction                                                  # noqa: E402

PREFIXES = {"product": common.QEMU, "zoo": common.setting("SHMEMSCOPE_QEMU_ZOO")}


class CommitFirstTest(common.IntegrationTest):

    @classmethod
    def setUpClass(cls):
        stopped = next(specimen for specimen in specimens.WAITS
                       if specimen.name == "commit-first-stopped")
        cls.bug = stopped.bug
        cls.case = zoo.play(dataclasses.replace(stopped, name="commit-first-predicted"), PREFIXES)
        cls.finding, = cls.case.report.of("commit-before-reply", "hazard")
        cls.directory = reproduction.directory("commit-first")
        cls.program = reproduction.from_finding(cls.case.run.trace, "commit-before-reply",
                                                os.path.join(cls.directory, "repro"))

    def run_zoo(self, *arguments):
        os.environ["SHMEMSCOPE_ZOO"] = self.bug
        try:
            return reproduction.run_recorded(
                self.program, os.path.join(self.directory, f"trace{len(arguments)}"), *arguments,
                qemu=os.path.join(PREFIXES["zoo"], "qemu-system-x86_64"))
        finally:
            del os.environ["SHMEMSCOPE_ZOO"]

    def test_the_same_qemu_hangs(self):
        """With the device started, by the order that was predicted while it was stopped."""
        outcome = self.run_zoo()
        order = self.finding["order"]
        self.assertEqual((outcome.status, outcome.verdict, outcome.text),
                         (0, "HUNG", f"{reproduction.told(order)} seconds=3"), outcome)
        report = common.Report(os.path.join(self.directory, "trace0"))
        found, = report.of("reply-commit-deadlock", "suspected")
        self.assertEqual(found["order"]["shape"], order["shape"])

    def test_control(self):
        outcome = self.run_zoo("--serve")
        self.assertEqual((outcome.status, outcome.verdict), (1, "NOT-HUNG"), outcome)

    def test_a_qemu_that_replies_first_does_not(self):
        outcome = reproduction.run(self.program)
        self.assertEqual((outcome.status, outcome.text),
                         (1, "reason=replied-early back-end=SHMEM_MAP"), outcome)


if __name__ == "__main__":
    unittest.main(verbosity=2)
