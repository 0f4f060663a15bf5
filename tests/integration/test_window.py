# SPDX-License-Identifier: GPL-2.0-or-later
"""The window is memory: what the guest writes is in the back-end's file, and the other way."""

import os
import unittest

import common
from harness import choreography, evidence, parts
from harness.run import Run

# As in the scenarios, which write the one and check for the other.
FROM_BACKEND = 0x1122334455667788
FROM_GUEST = 0x8877665544332211
READ_ONLY = 0x99AABBCCDDEEFF00


class WindowTest(common.IntegrationTest):

    def play(self, scenario, look):
        """Runs the scenario and calls LOOK with the run while its mappings stand."""
        timeout = choreography.SCENARIO_TIMEOUT_S
        with Run(parts.Programs(common.BUILD), common.QEMU, choreography.path(scenario),
                 os.path.join(common.RUNS, scenario)) as run:
            run.start()
            run.start_driver()
            run.driver.do("start")
            run.backend.await_signal("mapped", timeout)
            look(run)
            run.backend.give_signal("written")
            # The back-end itself compares its file with what the guest wrote.
            run.backend.await_signal("done", timeout)
            run.await_gone()
            run.quit_qemu()
            run.end_backend()
        self.assert_clean(common.Report(run.trace))

    def read(self, run, offset):
        return int(run.driver.do(f"read 0 {offset:#x}"), 0)

    def write(self, run, offset, value):
        run.driver.do(f"write 0 {offset:#x} {value:#x}")

    def test_both_ways(self):
        def look(run):
            self.assertEqual(self.read(run, 0x8000), FROM_BACKEND)
            self.assertEqual(self.read(run, 0x8008), 0)
            self.write(run, 0x8008, FROM_GUEST)
            self.assertEqual(self.read(run, 0x8008), FROM_GUEST)
            # Beyond the mapping there is nothing.
            self.assertNotEqual(self.read(run, 0x9000), FROM_BACKEND)
        self.play("window", look)

    def test_read_only_is_read_only(self):
        def look(run):
            self.write(run, 0x2010, FROM_GUEST)
            self.assertEqual(self.read(run, 0x4000), READ_ONLY)
            self.write(run, 0x4000, FROM_GUEST)
            self.assertEqual(self.read(run, 0x4000), READ_ONLY)
            maps = [line.split()[1] for line in
                    evidence.memfd_maps(run.qemu.pid, run.backend.inodes())]
            self.assertEqual(sorted(maps), ["r--s", "rw-s"])
        self.play("window-read-only", look)


if __name__ == "__main__":
    unittest.main(verbosity=2)
