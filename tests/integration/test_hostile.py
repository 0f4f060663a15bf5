# SPDX-License-Identifier: GPL-2.0-or-later
"""Numbers from a back-end that QEMU cannot satisfy: it says so, and is not killed by them."""

import os
import unittest

import common
from harness import choreography, parts
from harness.processes import HarnessError
from harness.run import Run


class HostileTest(common.IntegrationTest):

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
