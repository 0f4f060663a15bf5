# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs made of orders of messages hang a real QEMU exactly as the orders say."""

import os
import signal
import unittest

import common
import reproduction
from reproduction import orders


class ReproduceTest(common.IntegrationTest):

    @classmethod
    def setUpClass(cls):
        cls.directory = reproduction.directory("reproduce")

    def program(self, order):
        return reproduction.from_order(order, os.path.join(self.directory, order))

    def test_hung_as_the_order_says(self):
        """By the program itself, and by the recording of that QEMU."""
        for order, expected in orders.HUNG.items():
            with self.subTest(order=order):
                trace = os.path.join(self.directory, f"{order}.trace")
                outcome = reproduction.run_recorded(self.program(order), trace)
                self.assertEqual(outcome.status, 0, outcome)
                self.assertEqual((outcome.verdict, outcome.text),
                                 ("HUNG", f"{expected} seconds=3"), outcome)
                self.check_recording(trace, order)

    def check_recording(self, trace, order):
        report = common.Report(trace)
        found = report.of("reply-commit-deadlock", "suspected")
        self.assertEqual(len(found), 1, report.text)
        with open(orders.path(order), encoding="utf-8") as text:
            self.assertEqual(found[0]["order"]["shape"], reproduction.shape(text.read()))

    def test_freed(self):
        """The end of the back-end frees it: it was the reply that QEMU waited for."""
        outcome = reproduction.run(self.program("map-pipelined"), "--free", "--seconds", "1")
        self.assertEqual((outcome.status, outcome.verdict), (0, "HUNG"), outcome)
        self.assertIn("the end of the back-end frees QEMU", outcome.stdout)

    def test_not_hung(self):
        """A QEMU that does not do what the order says is told so, and from a hang."""
        for order, expected in orders.NOT_HUNG.items():
            with self.subTest(order=order):
                outcome = reproduction.run(self.program(order))
                self.assertEqual(outcome.status, 1, outcome)
                self.assertEqual((outcome.verdict, outcome.text), ("NOT-HUNG", expected), outcome)

    def test_control(self):
        """The same messages, and a back-end that serves while it waits: no hang."""
        for order in orders.HUNG:
            with self.subTest(order=order):
                outcome = reproduction.run(self.program(order), "--serve")
                self.assertEqual(outcome.status, 1, outcome)
                self.assertEqual(outcome.verdict, "NOT-HUNG", outcome)
                self.assertRegex(outcome.text, "^reason=(replied|monitor-answers)")

    def test_another_device(self):
        """An option of the device is passed on; a device that is not there is told."""
        program = self.program("map-pipelined")
        outcome = reproduction.run(
            program, "--device", "vhost-user-test-device-pci,virtio-id=30,num_vqs=1,vq_size=16")
        self.assertEqual((outcome.status, outcome.verdict), (0, "HUNG"), outcome)
        outcome = reproduction.run(program, "--device", "no-such-device")
        self.assertEqual((outcome.status, outcome.verdict), (2, ""), outcome)
        self.assertIn("no-such-device", outcome.stderr)

    def test_nothing_is_left_by_a_signal(self):
        """Whatever ends the program, its QEMU ends too."""
        program = self.program("map-pipelined")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
            with self.subTest(signal=number):
                process = reproduction.start(program, "--seconds", "600",
                                             wrapper=["stdbuf", "--output=L"])
                # The last step is told before it is waited out.
                for line in process.stdout:
                    if "back-end waits for the reply to SHMEM_MAP #2" in line:
                        break
                self.assertEqual(len(reproduction.of_session(process.pid)), 2)
                process.send_signal(number)
                process.communicate(timeout=reproduction.TIMEOUT_S)
                self.assertEqual(process.returncode, -number)
                common.wait_until(lambda: not reproduction.of_session(process.pid), 10,
                                  "QEMU to end")


if __name__ == "__main__":
    unittest.main(verbosity=2)
