# SPDX-License-Identifier: GPL-2.0-or-later
"""The recording: read by babeltrace2 as it is, survives its recorder, keeps runs apart."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import common
from harness import choreography, parts
from harness.processes import Child, HarnessError, wait_until
from harness.run import Run


class RecordingTest(common.IntegrationTest):

    def test_babeltrace_reads_it_without_a_warning(self):
        run = common.play("healthy", "babeltrace")
        read = subprocess.run(["babeltrace2", run.trace], check=False, text=True,
                              capture_output=True, timeout=120)
        self.assertEqual((read.returncode, read.stderr), (0, ""))
        maps = len(common.Log(run.path("backend.jsonl")).maps_ok)
        self.assertEqual(read.stdout.count(" qemu:virtio_shmem_mapping_added:"), maps)
        for context in ("vpid", "vtid", "procname"):
            self.assertIn(f"{context} = ", read.stdout)

    def test_recorder_killed_in_the_middle(self):
        """SIGKILL takes the recorder; QEMU works on, and what was recorded can be read."""
        with Run(parts.Programs(common.BUILD), common.QEMU, choreography.path("stepped"),
                 os.path.join(common.RUNS, "recorder-killed")) as run:
            run.start()
            run.start_driver()
            run.driver.do("start")
            run.backend.await_signal("first", choreography.SCENARIO_TIMEOUT_S)
            recorder = run.recording.child
            recorder.signal(signal.SIGKILL)
            self.assertEqual(recorder.status(30), -signal.SIGKILL)
            # Its session ends with it: nothing records on with nobody to stop it.
            wait_until(lambda: run.session not in lttng("list"), 30, "the end of the session")
            # The back-end goes on against the same QEMU: all of its requests are answered.
            run.backend.give_signal("go")
            run.backend.await_signal("done", choreography.SCENARIO_TIMEOUT_S)
            run.await_gone()
            self.assertTrue(run.monitor.running())
            run.quit_qemu()
            run.end_backend()
        log = common.Log(run.path("backend.jsonl"))
        self.assertEqual((len(log.maps_ok), len(log.unmaps_ok)), (STEPPED * 2, STEPPED * 2))
        self.assertEqual(log.refused, [])
        report = common.Report(run.trace)
        self.assertEqual(report.counts["mappings_removed"], STEPPED, report.text)
        self.assertEqual(report.alarms(), [], report.text)

    def test_command_under_the_recording(self):
        """`record -- COMMAND` has COMMAND from its birth, and passes on how it ended."""
        out = os.path.join(common.RUNS, "record-command")
        os.makedirs(out, exist_ok=True)
        trace = os.path.join(out, "trace")
        run = common.play("short", "record-command", record=False, wrapper=[
            parts.Programs(common.BUILD).tool, "record", "--output", trace, "--"])
        report = common.Report(trace)
        log = common.Log(run.path("backend.jsonl"))
        self.assert_clean(report)
        self.assert_all_finalized(report, len(log.maps_ok))
        self.assertEqual(report.counts["requests"], log.requests)
        self.assertEqual([(d["pid"], d["id"]) for d in report.json["devices"]],
                         [(run.witness["qemu_pid"], "dev0")])

    def test_exit_status_of_the_command(self):
        with tempfile.TemporaryDirectory(prefix="ss-record-") as directory:
            for command, status in ((["sh", "-c", "exit 7"], 7),
                                    (["sh", "-c", "kill -9 $$"], 128 + signal.SIGKILL),
                                    (["/nonexistent/command"], 127)):
                trace = os.path.join(directory, str(status))
                run = common.tool("record", "--output", trace, "--", *command)
                self.assertEqual(run.returncode, status, run.stderr)

    def test_other_sessions_are_left_alone(self):
        name = f"not-ours-{os.getpid()}"
        with tempfile.TemporaryDirectory(prefix="ss-session-") as directory:
            lttng("create", name, f"--output={directory}")
            try:
                lttng("enable-event", "--userspace", "--session", name, "qemu:nothing")
                lttng("start", name)
                common.play("short", "other-session")
                self.assertRegex(lttng("list"), rf"{name} .*\[active\]")
            finally:
                lttng("destroy", name)

    def test_two_runs_at_once(self):
        outs = [os.path.join(common.RUNS, f"parallel-{i}") for i in (1, 2)]
        children = []
        try:
            for out in outs:
                os.makedirs(out, exist_ok=True)
                children.append(Child("run", [
                    sys.executable, common.RUN_SCENARIO, "--qemu", common.QEMU,
                    "--build", common.BUILD, "--out", out, "healthy"],
                    os.path.join(out, "run.log")))
            for child in children:
                self.assertEqual(child.status(240), 0, child.diagnosis())
        finally:
            for child in children:
                child.stop()
                child.close()
        witnesses = []
        for out in outs:
            with open(os.path.join(out, "witness.json"), encoding="utf-8") as witness:
                witnesses.append(json.load(witness))
        self.assertTrue(overlapped(*witnesses), "the runs were not at once")
        self.assertNotEqual(witnesses[0]["session"], witnesses[1]["session"])
        for out, witness in zip(outs, witnesses):
            report = common.Report(os.path.join(out, "trace"))
            log = common.Log(os.path.join(out, "backend.jsonl"))
            self.assert_clean(report)
            self.assert_all_finalized(report, len(log.maps_ok))
            self.assertEqual([p["pid"] for p in report.json["processes"]], [witness["qemu_pid"]])

    def test_interrupted_run_leaves_nothing(self):
        """Ctrl-C in the middle of a hang: no process, no session, no socket remains."""
        out = os.path.join(common.RUNS, "interrupted")
        shutil.rmtree(out, ignore_errors=True)
        os.makedirs(out)
        commands = os.path.join(out, "commands")
        child = Child("run", [sys.executable, common.RUN_SCENARIO, "--qemu", common.QEMU,
                              "--build", common.BUILD, "--out", out, "map-pipelined"],
                      os.path.join(out, "run.log"))
        try:
            log = os.path.join(out, "backend.jsonl")
            wait_until(lambda: os.path.exists(log) and common.Log(log).maps_ok, 60,
                              "the first MAP", [child])
            directory = sockets_of(commands)
            child.signal(signal.SIGINT)
            self.assertNotEqual(child.status(60), 0)
        finally:
            child.stop()
            child.close()
        self.assertFalse(os.path.exists(directory))
        self.assertEqual(processes_with(directory), [])
        with open(os.path.join(out, "witness.json"), encoding="utf-8") as witness:
            session = json.load(witness)["session"]
        self.assertNotIn(session, lttng("list"))


# Pairs of each half of the scenario "stepped".
STEPPED = 8


def lttng(*arguments):
    """Output of an lttng command."""
    return subprocess.run(["lttng", "--no-sessiond", *arguments], check=True, text=True,
                          capture_output=True, timeout=60).stdout


def overlapped(one, two):
    """True when the scenarios of two witnesses ran at the same time."""
    spans = [(w["points"]["before"]["t_ns"], w["points"]["after"]["t_ns"]) for w in (one, two)]
    return max(begin for begin, _ in spans) < min(end for _, end in spans)


def sockets_of(commands):
    """The directory of a run's sockets, from its command lines."""
    with open(commands, encoding="utf-8") as lines:
        for line in lines:
            if "--socket" in line:
                return os.path.dirname(line.split("--socket ")[1].split()[0])
    raise HarnessError(f"No socket in {commands}")


def processes_with(text):
    """Pids of processes with TEXT in their command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as line:
                if text in line.read():
                    found.append(int(pid))
        except OSError:
            continue
    return found


if __name__ == "__main__":
    unittest.main(verbosity=2)
