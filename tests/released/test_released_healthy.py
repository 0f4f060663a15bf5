# SPDX-License-Identifier: GPL-2.0-or-later
"""A healthy run of a released QEMU: by the wire library alone, counts are the log's and strace's;
and what is predicted from it hangs that QEMU."""

import glob
import os
import unittest

from released_runs import FROM_BOTH, FROM_INSIDE_ONLY, common, kinds, play
import reproduction
import strace_counts

PAIRS = 256
SECONDS = 2
# The order that a hazard needs, as far as QEMU stands in something that can be brought about.
PREDICTED = {("commit",), ("stop",)}


class HealthyTest(common.IntegrationTest):

    @classmethod
    def setUpClass(cls):
        cls.run_one = play("healthy", "released-healthy")
        cls.report = common.Report(cls.run_one.trace)
        cls.log = common.Log(cls.run_one.path("backend.jsonl"))

    def check_counts(self, report, log):
        maps = len(log.maps_ok)
        self.assertEqual((maps, len(log.unmaps_ok), log.refused), (PAIRS, PAIRS, []))
        counts = report.counts
        self.assertEqual({name: counts[name] for name in (
            "mappings_created", "mappings_removed", "mappings_finalized", "fds_received",
            "fds_duplicated", "fds_closed", "fds_close_failed", "requests", "maps", "unmaps",
            "replies", "replies_failed", "refused")},
            {"mappings_created": maps, "mappings_removed": maps, "mappings_finalized": maps,
             "fds_received": log.fds_sent, "fds_duplicated": maps, "fds_closed": 2 * maps,
             "fds_close_failed": 0, "requests": log.requests, "maps": maps, "unmaps": maps,
             "replies": log.replies, "replies_failed": 0, "refused": 0})
        for total in ("mappings_total", "descriptors_total", "open_waits_total"):
            self.assertEqual(report.json[total], 0, f"{total}\n{report.text}")

    def test_nothing_is_found(self):
        self.assert_clean(self.report)
        self.assertEqual(self.report.stderr, "")
        self.assertEqual(self.report.json["trace"]["lost"], 0)

    def test_what_is_not_seen_is_said(self):
        """And only that: of the rest it could decide."""
        self.assertLessEqual(FROM_INSIDE_ONLY, self.report.undecided(), self.report.text)
        for entry in self.report.json["undecided"]:
            self.assertIn("from outside of QEMU", entry["why"])
        self.assertEqual([finding for finding in self.report.findings
                          if finding["certainty"] == "unknown"], [], self.report.text)
        self.assertIsNone(self.report.counts["mappings_visible"])

    def test_counts_equal_the_log(self):
        self.check_counts(self.report, self.log)

    def test_nothing_is_left_by_proc(self):
        points = self.run_one.witness["points"]
        self.assertEqual((points["after"]["backend_fds"], points["after"]["backend_maps"]), (0, 0))

    def test_counts_equal_those_of_strace(self):
        """Of the same run: strace looks while the library does."""
        out = os.path.join(common.RUNS, "released-strace")
        run = play("healthy", "released-strace",
                   wrapper=[*strace_counts.OPTIONS, "-o", f"{out}/strace.txt"])
        seen = strace_counts.count(run.path("strace.txt"))
        report = common.Report(run.trace)
        counts = report.counts
        self.assertEqual(seen, {"received": PAIRS, "duplicated": PAIRS, "closed": 2 * PAIRS})
        self.assertEqual(seen, {"received": counts["fds_received"],
                                "duplicated": counts["fds_duplicated"],
                                "closed": counts["fds_closed"]})
        self.assert_clean(report)

    def test_back_end_on_a_raw_socket(self):
        """The control of a program has a back-end without any library, which serves and goes on."""
        directory = reproduction.directory("released-raw")
        program = reproduction.from_order("map-pipelined", os.path.join(directory, "raw"))
        trace, seen = f"{program}.trace", f"{program}.strace"
        outcome = reproduction.run_recorded(
            program, trace, "--serve", preload=common.parts.Programs(common.BUILD).wire,
            wrapper=[*strace_counts.OPTIONS, "-DDD", "-o", seen])
        # In a session of its own, strace ends after QEMU.
        common.wait_until(lambda: not any(seen in common.text_of(path) for path
                                          in glob.glob("/proc/[0-9]*/cmdline")),
                          10, "strace's end")
        self.assertEqual((outcome.status, outcome.verdict), (1, "NOT-HUNG"), outcome)
        asked = outcome.stdout.count("back-end asks SHMEM_MAP")
        report = common.Report(trace)
        # With the reply to the second one the program is done, and kills QEMU in the midst of it.
        self.assertLessEqual({finding["id"] for finding in report.alarms()}, {"died-in-request"},
                             report.text)
        counts = report.counts
        self.assertEqual((asked, counts["maps"]), (2, 2), report.text)
        # What it closes has one of the program's own among it, which it inherits.
        looked = strace_counts.count(seen, "mapped")
        self.assertEqual((looked["received"], looked["duplicated"]),
                         (counts["fds_received"], counts["fds_duplicated"]), report.text)
        self.assertEqual(looked["received"], 2)

    def test_both_sides_tell_the_same(self):
        run = play("healthy", "released-healthy-both", wire=FROM_BOTH)
        report = common.Report(run.trace)
        self.assert_clean(report)
        self.check_counts(report, common.Log(run.path("backend.jsonl")))

    def test_predictions_come_true(self):
        """The programs made of its hazards hang QEMU by the same messages; a control does not."""
        hazards = self.report.of("nested-wait", "hazard")
        directory = reproduction.directory("released-predictions")
        tried = set()
        for number, hazard in enumerate(hazards, 1):
            if kinds(hazard) not in PREDICTED:
                continue
            with self.subTest(order=hazard["order"]["shape"]):
                program = reproduction.from_finding(
                    self.run_one.trace, f"nested-wait:{number}",
                    os.path.join(directory, f"nested-wait-{number}"))
                outcome = reproduction.run(program, "--seconds", str(SECONDS))
                self.assertEqual((outcome.status, outcome.verdict, outcome.text),
                                 (0, "HUNG", f"{reproduction.told(hazard['order'])} "
                                             f"seconds={SECONDS}"), outcome)
                control = reproduction.run(program, "--serve")
                self.assertEqual((control.status, control.verdict), (1, "NOT-HUNG"), control)
                tried.add(kinds(hazard))
        self.assertEqual(tried, PREDICTED, self.report.text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
