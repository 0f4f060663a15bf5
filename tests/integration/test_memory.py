# SPDX-License-Identifier: GPL-2.0-or-later
"""20,000 MAP/UNMAP pairs leave nothing in QEMU: no memory, no descriptor, no map."""

import unittest

import common
from harness import choreography, evidence, parts
from harness.processes import wait_until
from harness.run import GONE_TIMEOUT_S, Run

WARM_UP = 40      # bursts
BURSTS = 400      # after the warm-up
PAIRS_EACH = 50
PAIRS = BURSTS * PAIRS_EACH
# Measured on a busy machine: the heap ends 0.02 to 1.5 MiB above where it was, in no relation
# to the number of pairs. The version of the feature that was posted for review leaves about
# 300 bytes a pair, 5.7 MiB.
NOISE = 3 << 20
TIMEOUT_S = 120


class MemoryTest(common.IntegrationTest):

    def test_pairs(self):
        with Run(parts.Programs(common.BUILD), common.QEMU, choreography.path("pairs"),
                 f"{common.RUNS}/pairs", record=False) as run:
            run.start()
            inodes = run.backend.inodes()
            run.start_driver()
            run.driver.do("start", TIMEOUT_S)
            for burst in range(1, WARM_UP + BURSTS + 1):
                run.backend.await_signal("burst", TIMEOUT_S)
                wait_until(lambda: not evidence.memfd_descriptors(run.qemu.pid, inodes),
                           GONE_TIMEOUT_S, "RCU to close the descriptors", [run.qemu])
                if burst == WARM_UP:
                    before = self.look(run, "before")
                if burst == WARM_UP + BURSTS:
                    after = self.look(run, "after")
                run.backend.give_signal("next")
            run.backend.await_signal("done", TIMEOUT_S)
            run.quit_qemu()
            run.end_backend()
        log = run.backend.entries()
        self.assertEqual(log[-1]["maps_ok"], (WARM_UP + BURSTS) * PAIRS_EACH)
        self.assertEqual(log[-1]["unmaps_ok"], log[-1]["maps_ok"])
        # The table went out with each of them.
        self.assertGreater(max(entry["seq"] for entry in log if entry["op"] == "serve"),
                           2 * PAIRS)
        self.assertEqual(after["held"], before["held"])
        for name in ("RssAnon", "VmRSS"):
            growth = after[name] - before[name]
            self.assertLess(growth, NOISE, f"{name} grew by {growth / PAIRS:.1f} bytes a pair")

    @staticmethod
    def look(run, point):
        seen = {"held": evidence.holdings(run.qemu.pid), **evidence.memory(run.qemu.pid)}
        run.witness["points"][point] = seen
        return seen


if __name__ == "__main__":
    unittest.main(verbosity=2)
