# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes wrong in a released QEMU, named by what the wire library saw of it from outside."""

import os
import unittest

from released_runs import FROM_BOTH, FROM_QEMU, common, play
import reproduction


class HangTest(common.IntegrationTest):
    """It hangs for real; from its own side that is suspected, from both sides observed."""

    def check_hang(self, scenario, wait, unread):
        for wire, certainty in ((FROM_QEMU, "suspected"), (FROM_BOTH, "observed")):
            with self.subTest(scenario=scenario, wire=wire):
                run = play(scenario, f"released-{scenario}-{len(wire)}", wire=wire)
                hang = run.witness["hang"]
                self.assertEqual(hang["unread"]["request"], unread)
                self.assertIs(hang["freed_by_end_of_backend"], True)
                report = common.Report(run.trace)
                found = report.of("reply-commit-deadlock", certainty)
                self.assertEqual(len(found), 1, report.text)
                self.assertEqual(report.alarms(), found, report.text)
                self.assertEqual(found[0]["process"]["pid"], run.witness["qemu_pid"])
                self.assertTrue(found[0]["witness"])
                text = " ".join(report.text.split())
                self.assertIn(f"QEMU main loop waits for the reply to {wait}", text)
                self.assertRegex(text, "lies unread in QEMU's socket")
                if certainty == "observed":
                    self.assertIn(f"back-end {run.witness['backend_pid']}", text)
                self.check_late(run)

    def check_late(self, run):
        """A recording that began when it hung already."""
        report = common.Report(run.path("late"))
        found = report.of("reply-commit-deadlock", "suspected")
        self.assertEqual(len(found), 1, report.text)
        self.assertEqual(report.alarms(), found, report.text)

    def test_map_pipelined(self):
        self.check_hang("map-pipelined",
                        "SET_MEM_TABLE, sent inside the deferred commit of SHMEM_MAP #1",
                        common.SHMEM_MAP)

    def test_request_at_stop(self):
        self.check_hang("request-at-stop", "SET_VRING_ENABLE, sent inside the stop of the device",
                        common.SHMEM_UNMAP)

    def test_back_end_on_a_raw_socket(self):
        """The programs of orders bring their own back-end, without any library."""
        directory = reproduction.directory("released-orders")
        wire = common.parts.Programs(common.BUILD).wire
        for order in ("map-pipelined", "unmap-at-stop"):
            with self.subTest(order=order):
                program = reproduction.from_order(order, os.path.join(directory, order))
                trace = os.path.join(directory, f"{order}.trace")
                outcome = reproduction.run_recorded(program, trace, preload=wire)
                self.assertEqual((outcome.status, outcome.verdict), (0, "HUNG"), outcome)
                report = common.Report(trace)
                found = report.of("reply-commit-deadlock", "suspected")
                self.assertEqual(len(found), 1, report.text)
                self.assertEqual(report.alarms(), found, report.text)


class DeathTest(common.IntegrationTest):

    def test_mappings_of_a_dead_back_end_stay(self):
        run = play("channel-dies", "released-channel-dies")
        points = run.witness["points"]
        self.assertEqual((points["mapped"]["backend_maps"], points["after"]["backend_maps"]),
                         (50, 50))
        report = common.Report(run.trace)
        found = report.of("stale-mapping", "suspected")
        self.assertEqual([finding["count"] for finding in found], [50], report.text)
        self.assertEqual(report.alarms(), found, report.text)


class TableTest(common.IntegrationTest):

    def test_more_mappings_than_the_table_has_room_for(self):
        run = play("self-echo", "released-self-echo")
        self.assertEqual(run.witness["points"]["after"]["backend_maps"], 12)
        report = common.Report(run.trace)
        log = common.Log(run.path("backend.jsonl"))
        self.assertEqual(report.counts["mappings_created"], 12)
        self.assertEqual(report.counts["mappings_removed"], 0)
        tables = [entry for entry in log.entries if entry.get("phase") == "read"
                  and entry.get("request") == "SET_MEM_TABLE"]
        self.assertEqual(report.counts["mem_tables"], len(tables))
        self.assertLess(len(tables), 12)
        # QEMU sends nothing where it finds no room, for each mapping that comes after the last.
        found = report.of("memory-table-failed", "suspected")
        told = sum(entry.get("op") == "map" and entry.get("phase") == "replied"
                   for entry in log.entries[:log.entries.index(tables[-1])])
        self.assertEqual([finding["count"] for finding in found], [12 - told], report.text)
        self.assertEqual(report.alarms(), found, report.text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
