# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU that tells by its tracepoints and by the wire library: both tell the same, and by the
sockets, which only the library knows, it is joined with its back-end."""

import unittest

import common

SIDES = ("qemu", "backend")


class TwoSourcesTest(common.IntegrationTest):

    def check(self, report, run):
        self.assertNotIn("sources-disagree", {finding["id"] for finding in report.findings},
                         report.text)
        self.assertNotIn("sources-disagree", report.undecided(), report.text)
        self.assertNotIn("one_source", report.json["worth"])
        connections = {process["pid"]: process.get("connections")
                       for process in report.json["processes"]}
        self.assertEqual([connection["device"] for connection
                          in connections[run.witness["backend_pid"]]], ["dev0"], report.text)

    def test_healthy(self):
        run = common.play("healthy", "two-sources-healthy", wire=SIDES)
        report = common.Report(run.trace)
        self.assert_clean(report)
        self.check(report, run)

    def test_refusals(self):
        run = common.play("refusals", "two-sources-refusals", wire=SIDES)
        report = common.Report(run.trace)
        self.assert_only_refused(report)
        self.check(report, run)

    def test_deadlock(self):
        run = common.play("map-pipelined", "two-sources-map-pipelined", wire=SIDES)
        report = common.Report(run.trace)
        self.assertEqual([(finding["id"], finding["certainty"]) for finding in report.alarms()],
                         [("reply-commit-deadlock", "observed")], report.text)
        self.check(report, run)


if __name__ == "__main__":
    unittest.main(verbosity=2)
