#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A healthy run while a processor executes guest code, under TCG or KVM.

usage: accelerator.py tcg|kvm [unittest arguments]

With KVM each mapping becomes a memory slot of the kernel's, and each commit reaches it.
"""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))),
                                "integration"))
import common                                                        # noqa: E402
from harness import choreography, parts                              # noqa: E402
from harness.run import Run                                          # noqa: E402

ACCELERATOR = ""
FIRMWARE_SIZE = 0x10000
RESET_VECTOR = 0xfff0


def idle_firmware(path):
    """Firmware that halts at the first instruction: the driver, not a guest, sets up PCI."""
    image = bytearray(FIRMWARE_SIZE)
    image[RESET_VECTOR:RESET_VECTOR + 4] = b"\xfa\xf4\xeb\xfd"  # cli; hlt; jmp to the hlt
    with open(path, "wb") as firmware:
        firmware.write(image)
    return path


class AskingRun(Run):
    """A run that keeps what its QEMU says of KVM."""

    def note(self, point):
        self.witness["kvm"] = self.monitor.execute("query-kvm")
        return super().note(point)


class AcceleratorTest(common.IntegrationTest):

    def play(self, scenario):
        out = os.path.join(common.RUNS, f"{ACCELERATOR}-{scenario}")
        os.makedirs(out, exist_ok=True)
        perform, _ = choreography.of(scenario)
        more = ["-bios", idle_firmware(f"{out}/firmware")]
        with AskingRun(parts.Programs(common.BUILD), common.QEMU, choreography.path(scenario),
                       out, qemu_options={"accelerator": ACCELERATOR, "more": more}) as run:
            perform(run)
        self.assertEqual(run.witness["kvm"], {"present": True, "enabled": ACCELERATOR == "kvm"})
        return run

    def test_healthy(self):
        run = self.play("healthy")
        report = common.Report(run.trace)
        log = common.Log(run.path("backend.jsonl"))
        self.assert_clean(report)
        self.assertGreaterEqual(len(log.maps_ok), 200)
        self.assert_all_finalized(report, len(log.maps_ok))
        self.assertEqual(report.counts["requests"], log.requests)
        self.assertEqual(report.counts["replies"], log.replies)
        self.assertEqual(run.witness["points"]["after"]["backend_maps"], 0)

    def test_reset_with_mappings(self):
        run = self.play("reset-mapped")
        report = common.Report(run.trace)
        mapped = len(common.Log(run.path("backend.jsonl")).maps_ok)
        self.assertGreater(mapped, 0)
        self.assert_nothing_left(run, mapped)
        self.assert_all_finalized(report, mapped)
        self.assert_clean(report)


if __name__ == "__main__":
    ACCELERATOR = sys.argv[1]
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
