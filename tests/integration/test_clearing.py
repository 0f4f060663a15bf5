# SPDX-License-Identifier: GPL-2.0-or-later
"""The ends a mapping can come to other than UNMAP: nothing is left, by the trace and by /proc."""

import signal
import unittest

import common



class ClearingTest(common.IntegrationTest):

    def check(self, scenario, mapped, reason):
        run = common.play(scenario, scenario)
        report = common.Report(run.trace)
        log = common.Log(run.path("backend.jsonl"))
        self.assertEqual(len(log.maps_ok), mapped)
        self.assertEqual(log.unmaps_sent, [])
        self.assert_nothing_left(run, mapped)
        self.assert_all_finalized(report, mapped)
        self.assert_clean(report)
        self.assertEqual(removal_reasons(run.trace), {reason: mapped})
        return run

    def test_backend_is_killed(self):
        run = self.check("channel-dies", 50, "disconnect")
        self.assertEqual(run.backend.popen.returncode, -signal.SIGKILL)

    def test_device_is_reset(self):
        self.check("reset-mapped", 30, "reset")

    def test_device_is_unplugged(self):
        run = self.check("unplug-mapped", 30, "unrealize")
        self.assertNotIn("dev0", run.path("qemu.log"))

    def test_backend_comes_again(self):
        """A connection that is lost takes its mappings along; the next one begins anew."""
        run = common.play("reconnect", "reconnect")
        report = common.Report(run.trace)
        log = common.Log(run.path("backend.jsonl"))
        self.assertEqual((len(log.maps_ok), len(log.unmaps_ok)), (20, 10))
        self.assert_all_finalized(report, 20)
        self.assert_clean(report)
        self.assertEqual(removal_reasons(run.trace), {"disconnect": 10, "unmap": 10})


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
