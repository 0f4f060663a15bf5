# SPDX-License-Identifier: GPL-2.0-or-later
"""Three QEMUs that tell no more: killed inside a request, hung, and idle. The report knows them."""

import os
import signal
import sys
import unittest

import common
from harness import choreography, parts
from harness.processes import Child, wait_until
from harness.run import Run

sys.path.insert(0, os.path.join(common.TESTS, "analysis"))
import deadlock_text                                                 # noqa: E402

# Between the reading of the request and its reply.
PLACE = "virtio_add_shmem_map"


def state_of(test, run, report):
    """The state of the run's QEMU in the JSON, which the text tells with the same words."""
    found = [process for process in report.json["processes"]
             if process["pid"] == run.witness["qemu_pid"]]
    test.assertEqual(len(found), 1, report.text)
    test.assertIn(f"state {found[0]['state']['text']}", " ".join(report.text.split()))
    return found[0]["state"]


class ProcessStateTest(common.IntegrationTest):

    def test_killed_inside_a_request(self):
        with Run(parts.Programs(common.BUILD), common.QEMU, choreography.path("short"),
                 os.path.join(common.RUNS, "state-killed")) as run:
            run.start()
            log = run.path("gdb.log")
            if os.path.exists(log):
                os.unlink(log)
            debugger = Child("gdb", [
                "gdb", "-p", str(run.qemu.pid), "-batch", "-nx",
                "-iex", "set debuginfod enabled off", "-ex", f"break {PLACE}", "-ex", "continue",
                "-ex", f"shell kill -KILL {run.qemu.pid} $PPID"], log)
            try:
                wait_until(lambda: "Breakpoint 1 at" in common.text_of(log), 60,
                           "the debugger's breakpoint", [debugger])
                run.start_driver()
                run.driver.tell("start")
                self.assertEqual(run.starter.status(60), -signal.SIGKILL, common.text_of(log))
            finally:
                debugger.stop()
                debugger.close()
            run.stop_recording()
        report = common.Report(run.trace)
        state = state_of(self, run, report)
        self.assertEqual(state["kind"], "ended-in-request", report.text)
        self.assertRegex(state["text"], r"^(ended by signal 9|ended) inside SHMEM_MAP #\d+$")
        self.assertEqual({finding["id"] for finding in report.alarms()}, {"died-in-request"})

    def test_hung(self):
        run = common.play("map-pipelined", "state-hung")
        report = common.Report(run.trace)
        state = state_of(self, run, report)
        self.assertEqual(state["kind"], "hung", report.text)
        self.assertIn("waits for the reply to SET_MEM_TABLE, sent inside the deferred commit of "
                      "SHMEM_MAP #1", state["text"])
        self.assertEqual({finding["id"] for finding in report.alarms()},
                         {"reply-commit-deadlock"})
        # And from the text alone a script knows who waits for what, and inside of what.
        deadlocks, wrong = deadlock_text.examine(report.text, report.json)
        self.assertEqual((deadlocks, wrong), (1, []), report.text)
        qemu, backend = deadlock_text.parse(report.text)[0]["waiters"]
        self.assertEqual((qemu["request"], qemu["inside"][0]["what"],
                          qemu["inside"][0]["request"], qemu["inside"][0]["deferred"]),
                         ("SET_MEM_TABLE", "commit", "SHMEM_MAP", True))
        self.assertEqual((backend["request"], backend["how"]), ("SHMEM_MAP", "unread"))

    def test_idle(self):
        """Its mappings stand and nothing moves; the recording ends while it lives."""
        with Run(parts.Programs(common.BUILD), common.QEMU, choreography.path("reset-mapped"),
                 os.path.join(common.RUNS, "state-idle")) as run:
            run.start()
            run.start_driver()
            run.driver.do("start")
            run.backend.await_signal("mapped", choreography.SCENARIO_TIMEOUT_S)
            # The reply goes out before QEMU is done; the monitor is answered after that.
            self.assertTrue(run.monitor.running())
            run.stop_recording()
            run.driver.do("reset", choreography.SCENARIO_TIMEOUT_S)
            run.quit_qemu()
            run.end_backend()
        report = common.Report(run.trace)
        state = state_of(self, run, report)
        self.assertEqual(state["kind"], "idle", report.text)
        self.assertRegex(state["text"], r"^(alive and )?idle: in no request and no wait")
        self.assert_clean(report)


if __name__ == "__main__":
    unittest.main(verbosity=2)
