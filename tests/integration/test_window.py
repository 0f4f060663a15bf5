# SPDX-License-Identifier: GPL-2.0-or-later
"""The window is memory: what the guest writes is in the back-end's file, and the other way."""

import os
import unittest

import common
from harness import choreography, parts
from harness.run import Run

# As in scenarios/window.scn, which writes the one and checks for the other.
FROM_BACKEND = 0x1122334455667788
FROM_GUEST = 0x0102030405060708
READ_ONLY = 0x99AABBCCDDEEFF00


class WindowTest(common.IntegrationTest):

    def read(self, run, offset):
        return int(run.driver.do(f"read 0 {offset:#x}").split()[0], 0)

    def test_both_ways(self):
        timeout = choreography.SCENARIO_TIMEOUT_S
        with Run(parts.Programs(common.BUILD), common.QEMU, common.scenario_path("window"),
                 os.path.join(common.RUNS, "window")) as run:
            run.start()
            run.start_driver()
            run.driver.do("start")
            run.backend.await_signal("mapped", timeout)
            self.assertEqual(self.read(run, 0x2008), FROM_BACKEND)
            run.driver.do(f"write 0 0x2010 {FROM_GUEST:#x}")
            self.assertEqual(self.read(run, 0x2010), FROM_GUEST)
            # A mapping asked read-only is read-only for the guest.
            self.assertEqual(self.read(run, 0x4000), READ_ONLY)
            run.driver.do(f"write 0 0x4000 {FROM_GUEST:#x}")
            self.assertEqual(self.read(run, 0x4000), READ_ONLY)
            maps = [line.split()[1] for line in
                    common.evidence.memfd_maps(run.qemu.pid, run.backend.inodes())]
            self.assertEqual(sorted(maps), ["r--s", "rw-s"])
            run.backend.give_signal("go")
            # The back-end itself compares its file with what the guest wrote.
            run.backend.await_signal("done", timeout)
            run.await_gone()
            self.assertNotEqual(self.read(run, 0x2008), FROM_BACKEND)
            run.quit_qemu()
            run.end_backend()
        self.assert_clean(common.Report(run.trace))


if __name__ == "__main__":
    unittest.main(verbosity=2)
