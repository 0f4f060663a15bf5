# SPDX-License-Identifier: GPL-2.0-or-later
"""A hung VM whose back-end belongs to another user. For root only: nobody else can start one."""

import os
import shutil
import tempfile
import unittest

import kinds
from farm import Farm, VERSIONS, parts, BUILD
from verb import DEADLOCK, Look, Output, ends_now


class OthersTest(unittest.TestCase):

    def test_back_end_of_another_user(self):
        with Farm("now-others") as farm:
            for version in VERSIONS:
                farm.add(f"{version}-hung", version, "map-pipelined", kinds.Others)
                farm.add(f"{version}-well", version, "resident", kinds.Others)
            farm.start()
            with self.subTest(by="root"):
                self.check_root(farm, Look())
            with self.subTest(by="the back-end's user"):
                self.check_other(farm)

    def check_root(self, farm, look):
        for vm in farm.of("map-pipelined"):
            self.assertEqual(look.ids(vm), [(DEADLOCK, "observed")])
            self.assertEqual(ends_now(look.of(vm)[0]), vm.peer.pid)
        for vm in farm.of("resident"):
            self.assertEqual(look.of(vm, "observed", "suspected", "unknown"), [])

    def check_other(self, farm):
        """It may not see what QEMU does: that is said, with what is missing, and no more."""
        with tempfile.TemporaryDirectory(prefix="ss-others-") as place:
            os.chmod(place, 0o755)
            tool = shutil.copy(parts.Programs(BUILD).tool, place)
            for vm in farm.vms.values():
                run = Output("now", vm.vm, wrapper=kinds.as_nobody([]), tool=tool)
                self.assertNotIn("DEADLOCK observed", run.text)
                self.assertIn("CAP_SYS_PTRACE", run.text + run.stderr)
                self.assertNotIn("healthy", run.text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
