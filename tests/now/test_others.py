# SPDX-License-Identifier: GPL-2.0-or-later
"""Hung VMs whose QEMU or back-end belongs to another user. For root only: nobody else can start one."""

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
                self.assertNotIn("no back-end is connected", run.text)

    def test_qemu_of_another_user(self):
        """Who looks has QEMU, and may see of its back-end only that it is there."""
        with Farm("now-others-qemu") as farm, tempfile.TemporaryDirectory() as place:
            os.chmod(place, 0o755)
            tool = shutil.copy(parts.Programs(BUILD).tool, place)
            for version, prefix in VERSIONS.items():
                # Where its user may read it, which root's cache is not.
                prefix = shutil.copytree(prefix, os.path.join(place, version), symlinks=True)
                for role in ("map-pipelined", "resident", "plain"):
                    farm.add(f"{version}-{role}", version, role, kinds.OthersQemu, prefix=prefix)
            farm.start()
            look = Look(wrapper=kinds.as_nobody([]), tool=tool)
            table = Output("now", wrapper=kinds.as_nobody([]), tool=tool)
            for vm in farm.vms.values():
                with self.subTest(vm=vm.vm):
                    self.check_own(vm, look, table, Output("now", vm.vm, tool=tool,
                                                           wrapper=kinds.as_nobody([])))
            for vm in farm.of("map-pipelined"):
                self.assertEqual(Look(vm.qemu.pid).ids(vm), [(DEADLOCK, "observed")])

    def check_own(self, vm, look, table, run):
        """That it waits is seen; that nobody of the back-end answers is not."""
        self.assertEqual(run.stderr, "")
        line, = [line for line in table.lines if str(vm.qemu.pid) in line.split()[1:2]]
        self.assertNotIn("gone", line)
        self.assertNotIn("no back-end is connected", run.text)
        self.assertNotIn("DEADLOCK observed", run.text)
        certain = {"map-pipelined": [(DEADLOCK, "suspected")]}.get(vm.role, [])
        self.assertEqual(look.ids(vm), certain, run.text)
        if vm.hangs:
            self.assertIn("CAP_SYS_PTRACE", run.text)
        else:
            self.assertEqual(look.of(vm, "unknown"), [], run.text)
            self.assertIn("healthy", line)


if __name__ == "__main__":
    unittest.main(verbosity=2)
