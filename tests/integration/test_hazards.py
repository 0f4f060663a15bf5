# SPDX-License-Identifier: GPL-2.0-or-later
"""Hazards of real runs: what hangs was predicted by a healthy run, and what cannot is withdrawn."""

import os
import unittest

import common

NEAR = "nested-wait"
DEADLOCK = "reply-commit-deadlock"
NO_SLOTS = """# SPDX-License-Identifier: GPL-2.0-or-later
region 0 1M
feature mem-slots off
file pages 64K

await start
map 0 0x0 0x1000 file=pages
serve until SET_MEM_TABLE
unmap 0 0x0 0x1000
serve until SET_MEM_TABLE
signal done
"""


class HazardsTest(common.IntegrationTest):

    def test_what_the_scenarios_do_is_predicted(self):
        """By a healthy run of the same back-end, with and without CONFIGURE_MEM_SLOTS."""
        healthy = {"slots": common.Report(common.play("healthy", "hazards-healthy").trace)}
        path = os.path.join(common.RUNS, "no-slots.scn")
        with open(path, "w", encoding="utf-8") as out:
            out.write(NO_SLOTS)
        healthy["no-slots"] = common.Report(common.play(path, "hazards-no-slots").trace)
        for scenario, predicted_by in {"map-pipelined": "no-slots", "unmap-pipelined": "slots",
                                       "request-at-stop": "slots"}.items():
            with self.subTest(scenario=scenario):
                report = common.Report(common.play(scenario, f"hazards-{scenario}").trace)
                found = report.of(DEADLOCK, "suspected")
                self.assertEqual(len(found), 1, report.text)
                self.assertIn(found[0]["order"]["shape"],
                              [f["order"]["shape"] for f in healthy[predicted_by].of(NEAR)])
                self.assertEqual(healthy[predicted_by].status, 0)

    def test_withdrawn(self):
        """Two threads: no hazard, and the messages that prove it, as the back-end has them."""
        run = common.play("two-threads", "hazards-two-threads")
        report = common.Report(run.trace)
        self.assert_clean(report)
        self.assertEqual(report.of(NEAR), [], report.text)
        (proof,) = report.json["worth"]["withdrawn"]
        self.assertGreater(proof["hazards"], 0)
        self.assertFalse(proof["read"])
        log = common.Log(run.path("backend.jsonl"))
        sent = {entry["seq"]: entry for entry in log.entries if entry.get("phase") == "sent"}
        self.assertEqual(f"SHMEM_{sent[proof['backend_seq']]['op'].upper()}",
                         proof["backend_request"])
        self.assertRegex(" ".join(report.text.split()),
                         f"withdrawn {proof['hazards']} hazards of device dev0: .* "
                         f"{proof['backend_request']} #{proof['backend_seq']} lay unread, and "
                         f"{proof['frontend_request']} #{proof['frontend_seq']} was answered")


if __name__ == "__main__":
    unittest.main(verbosity=2)
