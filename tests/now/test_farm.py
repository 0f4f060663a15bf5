# SPDX-License-Identifier: GPL-2.0-or-later
"""The host that `shmemscope now` is tested on is what its roles say, by other witnesses."""

import unittest

from farm import Farm, VERSIONS, evidence

HANGS_FOR_S = 2


class FarmTest(unittest.TestCase):

    def test_roles(self):
        with Farm("now-farm") as farm:
            for version in VERSIONS:
                for role in ("plain", "resident", "resident-table", "map-pipelined",
                             "request-at-stop", "slow"):
                    farm.add(f"{version}-{role}", version, role)
            farm.start()
            hung = farm.of("map-pipelined", "request-at-stop")
            slow = farm.of("slow")
            for vm in hung + slow:
                self.assertFalse(vm.answers(HANGS_FOR_S / len(hung + slow)), vm.vm)
            for vm in farm.of("resident"):
                self.assertEqual(vm.maps(), 4, vm.vm)
            for vm in farm.of("resident-table"):
                self.assertEqual(vm.maps(), 2, vm.vm)
            for vm in hung + slow:
                self.assertIsNotNone(evidence.unread_request(vm.qemu.pid, vm.peer.pid), vm.vm)


if __name__ == "__main__":
    unittest.main(verbosity=2)
