# SPDX-License-Identifier: GPL-2.0-or-later
"""What `now` says that ends a hang is carried out, and what is left then is what it says."""

import os
import signal
import unittest

from farm import Farm, HarnessError, VERSIONS, wait_until
from verb import DEADLOCK, Look, ends_now

FREED_WITHIN_S = 10
HUNG = ("map-pipelined", "request-at-stop")
# Mappings of the dead back-end that the released QEMU still has, until the device is reset: it
# carries out what lay unread. The series' QEMU lets go of all of them.
STAY = {("released", "map-pipelined"): 2, ("released", "resident"): 4}
# 11.1.2, freed from a hang in a reset, fails an assertion.
LOST = {("released", "request-at-stop")}


def end(pid):
    """As an administrator does it: kill PID."""
    os.kill(pid, signal.SIGTERM)


class RemedyTest(unittest.TestCase):

    def test_remedies(self):
        with Farm("now-remedy") as farm:
            for version in VERSIONS:
                for role in (*HUNG, "resident"):
                    farm.add(f"{version}-{role}", version, role)
            farm.start()
            look = Look(file=farm.path("hung.json"))
            for vm in farm.of(*HUNG):
                with self.subTest(vm=vm.vm):
                    self.check_named(look, vm)
                    self.assertFalse(vm.answers(0.1))
                    end(ends_now(look.of(vm)[0]))
                    self.assertTrue(vm.peer.ended(FREED_WITHIN_S))
                    self.check_freed(vm)
            for vm in farm.of("resident"):
                self.assertEqual(look.of(vm), [], vm.vm)
                end(vm.peer.pid)
                self.assertTrue(vm.peer.ended(FREED_WITHIN_S))
                vm.settle()
            self.check_left(farm)

    def check_named(self, look, vm):
        self.assertEqual(look.ids(vm), [(DEADLOCK, "observed")])
        finding = look.of(vm)[0]
        self.assertEqual(ends_now(finding), vm.peer.pid)
        self.assertEqual("QEMU 11.1.2 aborts then" in finding["remedy"]["costs"],
                         vm.role == "request-at-stop")

    def check_freed(self, vm):
        """The monitor answers; or QEMU ends by its own bug, where the table says so."""
        if (vm.version, vm.role) in LOST:
            with self.assertRaisesRegex(HarnessError, "closed its connection"):
                vm.answers(FREED_WITHIN_S)
            self.assertTrue(vm.qemu.ended(FREED_WITHIN_S))
            with open(vm.path("qemu.log"), encoding="utf-8") as log:
                self.assertIn("memory_region_del_eventfd: Assertion", log.read())
        else:
            self.assertTrue(vm.answers(FREED_WITHIN_S))

    def check_left(self, farm):
        look = Look(file=farm.path("freed.json"))
        for vm in farm.vms.values():
            if (vm.version, vm.role) in LOST:
                continue
            with self.subTest(vm=vm.vm):
                stay = STAY.get((vm.version, vm.role), 0)
                self.assertEqual(vm.maps(), stay)
                self.check_told(look, vm, stay)
                self.check_reset(vm)

    def check_reset(self, vm):
        """The remedy for what is left: nothing is, once the guest has reset the device."""
        if vm.role == "request-at-stop":
            self.assertEqual(vm.driver.answer(), (True, ""))  # to the reset that hung
        vm.driver.do("reset")
        wait_until(lambda: vm.maps() == 0, FREED_WITHIN_S, "QEMU to let go of what is left",
                   [vm.qemu])
        self.assertEqual(Look(vm.qemu.pid).of(vm), [])

    def check_told(self, look, vm, stay):
        found = look.of(vm)
        self.assertEqual([(finding["id"], finding["count"]) for finding in found],
                         [("stale-mapping", stay)] if stay else [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
