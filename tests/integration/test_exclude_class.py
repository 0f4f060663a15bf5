# SPDX-License-Identifier: GPL-2.0-or-later
"""Without any one class of events the report says what it could not decide: no false all-clear."""

import os
import unittest

import common


def events_by_class():
    """{class: events} of QEMU's provider, from the catalogue."""
    events = {}
    with open(os.path.join(common.SOURCE, "tracepoints", "catalogue"), encoding="utf-8") as lines:
        for line in lines:
            words = line.split()
            if len(words) == 3 and words[0] == "event" and words[1].startswith("qemu:"):
                events.setdefault(words[2], []).append(words[1])
    return events


class ExcludeClassTest(common.IntegrationTest):

    @classmethod
    def setUpClass(cls):
        cls.classes = events_by_class()
        # No check reads it, and it is left out anyway.
        del cls.classes["detail"]
        # What the same two scenarios give with everything recorded: without this the test could
        # not tell what the missing class takes away.
        cls.healthy = common.Report(common.play("short", "exclude-none-short").trace)
        cls.faulty = common.Report(common.play("map-pipelined", "exclude-none-faulty").trace)

    def play_without(self, scenario, name):
        run = common.play(scenario, f"exclude-{name}-{scenario}",
                          record_options=["--exclude-class", name])
        # The class really is absent, and the others are not.
        text = common.babeltrace(run.trace)
        for event in self.classes[name]:
            self.assertNotIn(f" {event}:", text)
        self.assertIn(" qemu:", text)
        return common.Report(run.trace)

    def test_all_classes_recorded(self):
        self.assertGreaterEqual(len(self.classes), 11)
        self.assert_clean(self.healthy)
        self.assertEqual(self.healthy.undecided(), set())
        self.assertEqual(self.faulty.status, 1)
        self.assertTrue(self.faulty.of("reply-commit-deadlock"))

    def assert_gap_is_told(self, report, name):
        """Some check says that it could not decide for want of this class."""
        reasons = [entry["why"] for entry in report.json["undecided"]]
        self.assertTrue(any(f"event class {name}" in why for why in reasons), report.text)
        self.assertIn(f"event class {name}", " ".join(report.text.split()))

    def test_healthy_run_is_no_all_clear(self):
        for name in self.classes:
            with self.subTest(excluded=name):
                report = self.play_without("short", name)
                # No alarm is made of what was not recorded.
                self.assertEqual(report.alarms(), [], report.text)
                self.assert_gap_is_told(report, name)

    def test_hang_is_named_or_said_to_be_undecided(self):
        for name in self.classes:
            with self.subTest(excluded=name):
                report = self.play_without("map-pipelined", name)
                named = [f for f in report.of("reply-commit-deadlock")
                         if f["certainty"] in common.ALARMS]
                self.assertTrue(named or "reply-commit-deadlock" in report.undecided(),
                                report.text)
                self.assert_gap_is_told(report, name)
                # The deadlock's window was open, whether or not this recording shows it.
                self.assertNotIn("never opened", " ".join(report.text.split()))


if __name__ == "__main__":
    unittest.main(verbosity=2)
