# SPDX-License-Identifier: GPL-2.0-or-later
"""The ends a mapping can come to other than UNMAP: nothing is left, by the trace and by /proc."""

import signal
import unittest

import common

MAPPED = 50


class ClearingTest(common.IntegrationTest):

    def check(self, scenario, reason):
        run = common.play(scenario, scenario)
        report = common.Report(run.trace)
        log = common.Log(run.path("backend.jsonl"))
        self.assertEqual(len(log.maps_ok), MAPPED)
        self.assertEqual(log.unmaps_sent, [])
        self.assert_nothing_left(run, MAPPED)
        self.assert_all_finalized(report, MAPPED)
        self.assert_clean(report)
        self.assertEqual(removal_reasons(run.trace), {reason: MAPPED})
        return run

    def test_backend_is_killed(self):
        run = self.check("channel-dies", "disconnect")
        self.assertEqual(run.backend.popen.returncode, -signal.SIGKILL)

    def test_device_is_reset(self):
        self.check("reset-mapped", "reset")

    def test_device_is_unplugged(self):
        run = self.check("unplug-mapped", "unrealize")
        self.assertNotIn("dev0", run.path("qemu.log"))


def removal_reasons(trace):
    """{reason: count} of the removals, as babeltrace2 reads them: not by our own analysis."""
    counts = {}
    for line in common.babeltrace(trace).splitlines():
        if "qemu:virtio_shmem_mapping_removed" in line:
            reason = line.split('reason = "')[1].split('"')[0]
            counts[reason] = counts.get(reason, 0) + 1
    return counts


if __name__ == "__main__":
    unittest.main(verbosity=2)
