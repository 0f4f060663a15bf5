# SPDX-License-Identifier: GPL-2.0-or-later
"""VMs whose channel is of another network namespace than QEMU's. For root only."""

import unittest

import kinds
from farm import Farm, VERSIONS
from verb import DEADLOCK, Look, Output, ends_now


class NetworkTest(unittest.TestCase):

    def test_the_back_end_is_there(self):
        """Its namespace is known by who made the other end, and is asked."""
        with Farm("now-network") as farm:
            for version in VERSIONS:
                farm.add(f"{version}-hung", version, "map-pipelined", kinds.HandedFromBackend)
                farm.add(f"{version}-well", version, "resident", kinds.HandedFromBackend)
            farm.start()
            look = Look()
            for vm in farm.of("map-pipelined"):
                self.assertEqual(look.ids(vm), [(DEADLOCK, "observed")])
                self.assertEqual(ends_now(look.of(vm)[0]), vm.peer.pid)
            for vm in farm.of("resident"):
                self.assertEqual(look.of(vm, "observed", "suspected", "unknown"), [])
                self.assertEqual(self.device(look, vm)["backend"]["pid"], vm.peer.pid)

    def test_nobody_is_there(self):
        """Where nobody can be asked the back-end is not visible, and is not gone."""
        with Farm("now-network-none") as farm:
            for version in VERSIONS:
                farm.add(f"{version}-hung", version, "map-pipelined", kinds.HandedFrom)
                farm.add(f"{version}-well", version, "resident", kinds.HandedFrom)
            farm.start()
            look = Look("--for", "1.2")
            for vm in farm.vms.values():
                device = self.device(look, vm)
                self.assertEqual((device["main_channel"], device["backend"]), ("open", None))
                text = Output("now", vm.vm).text
                self.assertIn("not visible", text)
                self.assertNotIn("gone", text)
                self.assertNotIn("no back-end is connected", text)
            for vm in farm.of("map-pipelined"):
                self.assertEqual(look.ids(vm), [("stuck-wait", "suspected")])
            for vm in farm.of("resident"):
                self.assertEqual(look.of(vm, "observed", "suspected", "unknown"), [])

    @staticmethod
    def device(look, vm):
        seen, = [one for one in look.json["look"]["vms"] if one["pid"] == vm.qemu.pid]
        device, = seen["devices"]
        return device


if __name__ == "__main__":
    unittest.main(verbosity=2)
