# SPDX-License-Identifier: GPL-2.0-or-later
"""Hung VMs that are not found as the usual one is, and one whose back-end comes again."""

import unittest

import kinds
from farm import Farm, VERSIONS
from verb import DEADLOCK, Look, Output, ends_now

FREED_WITHIN_S = 10


class KindsTest(unittest.TestCase):

    def test_kinds(self):
        with Farm("now-kinds") as farm:
            for version in VERSIONS:
                for kind in (kinds.Unnamed, kinds.Renamed, kinds.HotPlugged, kinds.Handed):
                    farm.add(f"{kind.__name__.lower()}-{version[0]}", version, "map-pipelined", kind)
            farm.start()
            look = Look()
            for vm in farm.vms.values():
                with self.subTest(vm=vm.vm):
                    self.check_found(look, vm)

    def check_found(self, look, vm):
        self.assertEqual(look.ids(vm), [(DEADLOCK, "observed")])
        finding = look.of(vm)[0]
        self.assertEqual(ends_now(finding), vm.peer.pid)
        names = [] if isinstance(vm, kinds.Unnamed) else [vm.vm]
        self.assertEqual(finding["process"]["vm"], "".join(names))
        for name in (str(vm.qemu.pid), str(vm.peer.pid), *names):
            alone = Output("now", name)
            self.assertEqual((alone.status, alone.stderr), (1, ""))
            self.assertIn("DEADLOCK observed", alone.text)
            self.assertIn(name, alone.text)

    def test_a_back_end_that_comes_again(self):
        with Farm("now-again") as farm:
            vm = farm.add("web-1", "ours", "map-pipelined", kinds.Reconnecting)
            farm.start()
            look = Look()
            self.assertEqual(look.ids(vm), [(DEADLOCK, "observed")])
            vm.peer.stop()
            self.assertTrue(vm.answers(FREED_WITHIN_S))
            vm.come_again("resident")
            vm.peer.give_signal("go")
            vm.peer.await_signal("mapped", FREED_WITHIN_S)
            vm.settle()
            self.assertEqual(Look().of(vm, "observed", "suspected", "unknown"), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
