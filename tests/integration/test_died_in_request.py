# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU is killed inside a MAP: its trace ends there, and the report says so."""

import os
import signal
import unittest

import common
from harness import choreography, parts
from harness.processes import Child, wait_until
from harness.run import Run

# Between the reading of the request and its reply.
PLACE = "virtio_add_shmem_map"


class DiedInRequestTest(common.IntegrationTest):

    def test_killed_inside_a_map(self):
        with Run(parts.Programs(common.BUILD), common.QEMU, choreography.path("short"),
                 os.path.join(common.RUNS, "died-in-request")) as run:
            run.start()
            log = run.path("gdb.log")
            if os.path.exists(log):
                os.unlink(log)
            debugger = Child("gdb", [
                "gdb", "-p", str(run.qemu.pid), "-batch", "-nx",
                "-iex", "set debuginfod enabled off", "-ex", f"break {PLACE}", "-ex", "continue",
                # gdb too: it may stumble over the end of what it is attached to.
                "-ex", f"shell kill -KILL {run.qemu.pid} $PPID"], log)
            try:
                wait_until(lambda: "Breakpoint 1 at" in common.text_of(log), 60,
                           "the debugger's breakpoint", [debugger])
                run.start_driver()
                run.driver.tell("start")
                self.assertEqual(run.starter.status(60), -signal.SIGKILL, common.text_of(log))
                self.assertIn(f", {PLACE} (", common.text_of(log))
            finally:
                debugger.stop()
                debugger.close()
            run.stop_recording()
        report = common.Report(run.trace)
        self.assertEqual(report.status, 1, report.text)
        found = report.of("died-in-request", "observed")
        self.assertEqual(len(found), 1, report.text)
        self.assertEqual(found[0]["process"]["pid"], run.witness["qemu_pid"])
        self.assertIn("SHMEM_MAP", found[0]["summary"])
        # One trouble, one alarm: what lay open when it died is no leak.
        self.assertEqual(report.alarms(), found, report.text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
