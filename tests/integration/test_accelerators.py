# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that runs while its window changes: under TCG, and under KVM where there is one.

SHMEMSCOPE_ACCELERATORS has the accelerators that configure found.
"""

import re
import unittest

import apart
import common
from harness import guest
from harness.processes import wait_until

ACCELERATORS = common.setting("SHMEMSCOPE_ACCELERATORS").split(",")


class AcceleratorsTest(apart.ApartTest):

    def check(self, accelerator):
        with apart.fleet(f"accelerator-{accelerator}") as fleet:
            machine = fleet.add("guest", apart.neighbours(("guest-window",)),
                                accelerator=accelerator)
            machine.qemu_options["more"] = guest.options(machine.path("rom"))
            fleet.start()
            guest.await_rounds(machine)
            # The firmware has placed the window, where the guest can reach it.
            machine.on("vu0", "start")
            machine.await_signals("ready")
            window = int(re.search("address=(0x[0-9a-f]+)", machine.on("vu0", "bar")).group(1),
                         16)
            self.assertLess(window, 1 << 32)
            machine.driver.do(f"poke 0x{guest.WINDOW:x} 0x{window:x}")
            guest.await_rounds(machine)
            machine.give_signals("go")
            machine.await_signals("mapped", 180)
            wait_until(lambda: guest.peek32(machine, guest.SEEN) == 0x55667788, guest.BOOT_TIMEOUT_S,
                       "the guest to see the file", [machine.qemu])
            guest.await_rounds(machine)
            machine.give_signals("seen")
            machine.await_signals("done", 180)
            machine.settle()
            machine.await_held("vu0", 0)
            guest.await_rounds(machine)
            trace = fleet.end()
            machine.quit()
            machine.end_backends()
        verbs = apart.Verbs(trace)
        self.assertEqual(verbs.alarms(), [], verbs.text["report"])
        log, counts = self.assert_counts(verbs, machine, "vu0", "dev0")
        self.assertEqual(len(log.unmaps_ok), 201)
        self.assertEqual(counts["mappings_finalized"], 201)
        self.assertEqual(counts["fds_closed"], 402)
        self.assert_live(verbs, machine, "vu0", "dev0", set())

    def test_guest_runs_while_its_window_changes(self):
        for accelerator in ACCELERATORS:
            with self.subTest(accelerator=accelerator):
                self.check(accelerator)


if __name__ == "__main__":
    unittest.main(verbosity=2)
