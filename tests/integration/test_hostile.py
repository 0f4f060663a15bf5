# SPDX-License-Identifier: GPL-2.0-or-later
"""A back-end that sends what no back-end should: QEMU refuses, lives, and keeps nothing of it."""

import collections
import os
import unittest

import common
from harness import choreography, hostile, parts
from harness.processes import HarnessError
from harness.run import Run

SEED = 20260
MESSAGES = 15000
# What QEMU takes of all devices together.
MAPPINGS = 1536
# What a QEMU may have that is to run out of them.
DESCRIPTORS = 110
KINDS = {"bad-fd-count", "short-payload", "bad-shmid", "zero-length", "unaligned",
         "out-of-range", "bad-flags", "overlap", "no-mapping", "not-whole", "bad-file",
         "beyond-file"}


class HostileTest(common.IntegrationTest):

    prefix = common.QEMU

    def out(self, name):
        return os.path.join(common.RUNS, f"hostile-{name}")

    def options(self, _out):
        """More options of the Run."""
        return {}

    def run_hostile(self, name, options, perform=hostile.messages, reconnect_ms=10, **usual):
        """Runs the hostile back-end to its end; returns the run and what PERFORM returned."""
        usual.setdefault("qemu_options", {"reconnect_ms": reconnect_ms})
        with hostile.HostileRun(parts.Programs(common.BUILD), self.prefix, self.out(name),
                                options, **self.options(self.out(name)), **usual) as run:
            result = perform(run)
        return run, result

    def assert_as_told(self, run, messages):
        """What the recording shows is what the back-end sent, kind by kind."""
        report = common.Report(run.trace)
        log = parts.read_log(run.path("backend.jsonl"))
        end = log[-1]
        self.assertTrue(end["ok"])
        self.assertGreaterEqual(end["messages"], messages)
        self.assertGreater(end["closed"], 0)
        self.assertEqual(end["connections"], end["closed"] + 1)
        self.assertEqual(report.json["trace"]["lost"], 0)
        # The back-end's two ways to count: its sums, and its lines.
        lines = collections.Counter(entry["tag"] for entry in log if entry.get("tag"))
        self.assertEqual(dict(lines), end["refused"])
        counts = report.counts
        self.assertEqual(counts["refusals"], end["refused"])
        self.assertGreaterEqual(set(counts["refusals"]), KINDS)
        self.assertEqual(counts["requests"], end["messages"] - end["closed"])
        self.assertEqual(counts["replies"], end["replies"])
        self.assertEqual(counts["mappings_removed"], end["maps_ok"])
        self.assertEqual(counts["mappings_visible"], end["maps_ok"])
        self.assertEqual(counts["fds_received"], end["fds"])
        self.assertEqual(counts["fds_close_failed"], 0)
        self.assertEqual(counts["fds_closed"], counts["fds_received"] + counts["fds_duplicated"])
        for total in ("mappings_total", "descriptors_total", "open_waits_total"):
            self.assertEqual(report.json[total], 0, total)
        # QEMU replies to other requests than SHMEM ones without REPLY_ACK, too; and a table that
        # is full, or that the back-end refuses, is told as such.
        self.assert_only_refused(report, {"unsolicited-reply", "memory-table-failed"})
        points = run.witness["points"]
        self.assertEqual(points["after"], points["started"])

    def play(self, name, *options, messages=5000, seed=SEED):
        run, _ = self.run_hostile(name, ["--seed", str(seed), "--messages", str(messages),
                                         *options])
        self.assert_as_told(run, messages)
        return run

    def test_messages(self):
        self.play("messages", messages=MESSAGES)

    def test_messages_to_which_nobody_replies(self):
        self.play("no-replies", "--no-reply-ack")

    def test_messages_of_a_back_end_without_memory_slots(self):
        """Its memory table is full with a few mappings, and stays behind from then on."""
        self.play("no-slots", "--no-mem-slots")

    def test_false_answers_to_the_memory_table(self):
        run = self.play("lies", "--lies")
        self.assertGreater(parts.read_log(run.path("backend.jsonl"))[-1]["lies"], 50)

    def disturb(self, name, how, **usual):
        run, _ = self.run_hostile(name, ["--seed", str(SEED), "--endless", "--one-region"],
                                  lambda run: hostile.disturbed(run, how), **usual)
        report = common.Report(run.trace)
        end = parts.read_log(run.path("backend.jsonl"))[-1]
        self.assertTrue(end["ok"])
        self.assertGreater(end["messages"], 5000)
        self.assertGreater(report.counts["requests"], 5000)
        self.assert_only_refused(report)

    def test_device_that_is_reset_and_unplugged_meanwhile(self):
        self.disturb("unplugged", hostile.reset_and_unplug, qemu_options={"hotplug": True})

    def test_machine_that_is_stopped_and_ends_meanwhile(self):
        self.disturb("stopped", hostile.stop_and_quit, qemu_options={})

    def test_regions_of_devices_that_are_added(self):
        _, results = self.run_hostile("added", ["--configs", "add"],
                                      hostile.added_devices, record=False,
                                      qemu_options={"devices": []})
        self.assertGreater(len(results), 40)
        for name, (works, error) in results.items():
            with self.subTest(name=name):
                self.assertEqual(error is None, works, error)
                self.assertRegex(error or "regions", "region|configuration space|reply")

    def test_regions_that_change_at_a_reconnect(self):
        """The back-end itself judges whether each of them was taken or left."""
        run, _ = self.run_hostile("reconnects", ["--configs", "reconnect"],
                                  hostile.reconnects, record=False)
        log = parts.read_log(run.path("backend.jsonl"))
        self.assertGreater(sum(entry["op"] == "config" for entry in log), 40)
        self.assertTrue(log[-1]["ok"])

    def test_mappings_without_end(self):
        """The device is started, and its back-end has room for eight in its memory table."""
        with Run(parts.Programs(common.BUILD), self.prefix, choreography.path("without-end"),
                 self.out("without-end"), **self.options(self.out("without-end"))) as run:
            choreography.reset_mapped(run)
        self.assert_nothing_left(run, MAPPINGS)
        report = common.Report(run.trace)
        self.assertEqual(report.json["trace"]["lost"], 0)
        self.assertEqual(report.counts["refusals"],
                         common.Log(run.path("backend.jsonl")).refusals_by_tag())
        self.assertEqual(report.counts["mappings_finalized"], MAPPINGS)
        self.assertEqual(report.json["descriptors_total"], 0)

    def run_out_of_descriptors(self, name, perform):
        """A QEMU that may have few of them, and a scenario of that name; returns the report and
        the back-end's log."""
        options = self.options(self.out(name))
        options["wrapper"] = [*options.get("wrapper", []), "prlimit",
                              f"--nofile={DESCRIPTORS}:{DESCRIPTORS}"]
        with Run(parts.Programs(common.BUILD), self.prefix,
                 choreography.path(name), self.out(name), **options) as run:
            perform(run)
        points = run.witness["points"]
        self.assertEqual((points["after"]["backend_fds"], points["after"]["backend_maps"]),
                         (0, 0))
        report = common.Report(run.trace)
        self.assert_only_refused(report)
        return report, common.Log(run.path("backend.jsonl"))

    def test_more_descriptors_than_qemu_may_have(self):
        report, log = self.run_out_of_descriptors("few-descriptors", hostile.reset_when_full)
        end = log.end()
        self.assertGreater(end["maps_ok"], 10)
        self.assertGreater(end["refused"]["one"], 50)
        counts = report.counts
        self.assertEqual(sum(counts["refusals"].values()), sum(end["refused"].values()))
        # The kernel drops what QEMU has no number for, and the rest cannot be duplicated.
        self.assertLessEqual(set(counts["refusals"]), {"bad-fd-count", "bad-file"})
        self.assertEqual(counts["mappings_finalized"], end["maps_ok"])
        self.assertEqual(counts["fds_closed"], counts["fds_received"] + counts["fds_duplicated"])
        self.assertFalse(report.json["trace"]["lost_uncounted"])

    def test_second_recording_of_a_qemu_without_descriptors(self):
        """The tracer of the first one is torn down, too, and set up again: what happened
        meanwhile, mappings that RCU has let go for example, is lost, and said to be, though no
        buffer counts it."""
        report, log = self.run_out_of_descriptors("no-descriptors", choreography.reset_mapped)
        self.assertGreater(log.end()["refused"]["one"], 50)
        self.assertTrue(report.json["trace"]["lost_uncounted"])
        self.assertIn("mapping-leak", report.undecided())

    def test_more_regions_than_fit(self):
        with Run(parts.Programs(common.BUILD), common.QEMU, choreography.path("many-regions"),
                 os.path.join(common.RUNS, "many-regions"), record=False) as run:
            with self.assertRaises(HarnessError):
                run.start()
            # No such device, then: an orderly end, and an error that a user can read.
            self.assertEqual(run.starter.status(30), 1, run.starter.diagnosis())
            self.assertRegex(run.starter.diagnosis(), "id=dev0.*: .*capability")


if __name__ == "__main__":
    unittest.main(verbosity=2)
