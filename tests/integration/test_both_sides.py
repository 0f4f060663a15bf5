# SPDX-License-Identifier: GPL-2.0-or-later
"""The back-end tells its side by the wire library: together with QEMU's the deadlock is observed.

QEMU's side comes from its tracepoints in one run, and by the library alone in another, as of a
QEMU that nobody has built; recordings are one for both, or made apart.
"""

import json
import shutil
import signal
import unittest

import common
from harness import choreography, parts
from harness.processes import HarnessError, wait_until
from harness.run import START_TIMEOUT_S, Run

TRACEPOINTS = ("device", "channel", "backend-request", "refusal", "reply", "dispatch", "fd",
               "mapping", "transaction", "frontend-request", "wait")


class ApartRun(Run):
    """The library in both, no tracepoints, and of each its own recording: trace/, back-end/."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options, wire=("qemu", "backend"),
                         record_options=[word for one in TRACEPOINTS
                                         for word in ("--exclude-class", one)])
        self.other = None

    def __enter__(self):
        shutil.rmtree(self.path("back-end"), ignore_errors=True)
        return super().__enter__()

    def start_backend(self):
        super().start_backend()
        self.other = parts.Recording(self.programs, self.path("back-end"),
                                     ["--session", f"{self.session}-back-end",
                                      "--pid", str(self.backend.pid)])
        child = self.other.attach(self.path("back-end.log"), self.path("commands"))
        wait_until(self.other.started, START_TIMEOUT_S, "the back-end's recording", [child])
        del self.wire["backend"]  # QEMU's recording is of QEMU alone

    def stop_recording(self):
        super().stop_recording()
        child = self.other.child
        child.signal(signal.SIGINT)
        if child.status(START_TIMEOUT_S, "the end of the back-end's recording") != 0:
            raise HarnessError(f"The back-end's recording failed:\n{child.diagnosis()}")

    def record_late(self):
        pass

    def _stop_all(self):
        super()._stop_all()
        if self.other:
            self.other.child.stop()
            self.other.child.close()


def report(*traces):
    """(exit status, the findings that are observed or suspected, text) of traces read together."""
    run = common.tool("report", "--format", "json", *traces)
    if run.returncode not in (0, 1):
        raise HarnessError(f"report of {traces} ended with {run.returncode}: {run.stderr}")
    text = common.tool("report", *traces).stdout
    findings = json.loads(run.stdout)["findings"]
    return run.returncode, [f for f in findings if f["certainty"] in common.ALARMS], text


class BothSidesTest(common.IntegrationTest):

    def assert_names_both(self, finding, run, text):
        """The finding is QEMU's, and says what the back-end's pid waits for."""
        self.assertEqual(finding["process"]["pid"], run.witness["qemu_pid"])
        self.assertIsNone(finding["condition"])
        who = [statement["who"] for statement in finding["statements"]]
        self.assertIn(f"back-end {run.witness['backend_pid']}", who, text)

    def test_tracepoints_and_wire_in_one_recording(self):
        run = common.play("map-pipelined", "both-sides", wire=("backend",))
        status, alarms, text = report(run.trace)
        self.assertEqual(status, 1)
        self.assertEqual([(f["id"], f["certainty"]) for f in alarms],
                         [("reply-commit-deadlock", "observed")], text)
        self.assert_names_both(alarms[0], run, text)
        log = common.Log(run.path("backend.jsonl"))
        sent = [entry["seq"] for entry in log.entries if entry.get("phase") == "sent"]
        side = [row["text"] for row in alarms[0]["witness"] if row["side"] == "back-end"]
        for number in sent:
            self.assertTrue(any(row.startswith(f"SHMEM_MAP #{number} ") for row in side), text)

    def test_recordings_made_apart_join(self):
        path = choreography.path("request-at-stop")
        perform, usual = choreography.of("request-at-stop")
        with ApartRun(parts.Programs(common.BUILD), common.QEMU, path,
                      f"{common.RUNS}/both-sides-apart", **usual) as run:
            perform(run)
        both = report(run.trace, run.path("back-end"))
        qemu = report(run.trace)
        backend = report(run.path("back-end"))
        for (status, alarms, text), certainty in ((both, "observed"), (qemu, "suspected"),
                                                  (backend, "suspected")):
            self.assertEqual(status, 1)
            self.assertEqual([(f["id"], f["certainty"]) for f in alarms],
                             [("reply-commit-deadlock", certainty)], text)
        self.assert_names_both(both[1][0], run, both[2])
        # Alone, the back-end names itself, and says what it cannot see.
        alone = backend[1][0]
        self.assertEqual(alone["process"]["pid"], run.witness["backend_pid"])
        self.assertIn("not visible from the back-end alone", alone["condition"])

    def test_slow_is_not_stuck(self):
        run = common.play("slow-not-stuck", "both-sides-slow", wire=("backend",))
        _, alarms, text = report(run.trace)
        self.assertLessEqual({finding["id"] for finding in alarms}, {"stuck-wait"}, text)

    def test_healthy_run_knows_who_serves_both_channels(self):
        run = common.play("healthy", "both-sides-healthy", wire=("backend",))
        status, alarms, text = report(run.trace)
        self.assertEqual((status, alarms), (0, []), text)
        words = " ".join(text.split())
        self.assertIn(f"for one thread serves both channels, as was seen: the main thread of "
                      f"back-end {run.witness['backend_pid']}", words)


if __name__ == "__main__":
    unittest.main(verbosity=2)
