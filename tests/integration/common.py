# SPDX-License-Identifier: GPL-2.0-or-later
"""What the integration tests share: where the parts are, runs, reports, the back-end's log.

The environment tells the parts: SHMEMSCOPE_BUILD (meson build directory) and SHMEMSCOPE_QEMU
(directory printed by scripts/build-qemu). Runs leave their files under
SHMEMSCOPE_BUILD/tests/integration/runs/, to be looked at after a failure.
"""

import collections
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
TESTS = os.path.dirname(HERE)
SOURCE = os.path.dirname(TESTS)
sys.path.insert(0, TESTS)

from harness import choreography, parts                              # noqa: E402
from harness.processes import HarnessError, wait_until               # noqa: E402
from harness.run import Run                                          # noqa: E402


def setting(name):
    """A path the environment must tell."""
    if not os.environ.get(name):
        raise SystemExit(f"Cannot run the test: {name} is not set (meson test sets it)")
    return os.environ[name]


BUILD = setting("SHMEMSCOPE_BUILD")
QEMU = setting("SHMEMSCOPE_QEMU")
RUNS = os.path.join(BUILD, "tests", "integration", "runs")
RUN_SCENARIO = os.path.join(TESTS, "harness", "run-scenario")

SHMEM_MAP = 9
SHMEM_UNMAP = 10
ALARMS = ("observed", "suspected")
# Refusals that are the back-end's fault by where its range lies, and the check that says so.
OUTSIDE = {"overlap": "overlap", "no-mapping": "unmap-unknown", "not-whole": "unmap-unknown",
           **dict.fromkeys(("out-of-range", "beyond-file", "zero-length", "unaligned",
                            "bad-shmid", "no-region"), "out-of-range")}


def interrupted(_number, _frame):
    """The test runner's timeout ends a test by SIGTERM: what it started must end too.

    As an interrupt, which unittest does not take for one failed test among others.
    """
    raise KeyboardInterrupt


signal.signal(signal.SIGTERM, interrupted)


def lock_runs():
    """Until this process ends, no second one of the same test writes into the same runs."""
    os.makedirs(RUNS, exist_ok=True)
    name = os.path.basename(sys.argv[0])
    lock = os.open(os.path.join(RUNS, f".lock-{name}"), os.O_CREAT | os.O_RDWR, 0o666)
    fcntl.flock(lock, fcntl.LOCK_EX)


lock_runs()


def play(scenario, out, **options):
    """Runs a scenario to its end with what is usual for it; returns its Run."""
    perform, usual = choreography.of(scenario)
    with Run(parts.Programs(BUILD), QEMU, choreography.path(scenario), os.path.join(RUNS, out),
             **{**usual, **options}) as run:
        perform(run)
    return run


def tool(*arguments, timeout=120):
    """Runs shmemscope; returns the completed process."""
    return subprocess.run([parts.Programs(BUILD).tool, *arguments], check=False, text=True,
                          capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL)


def babeltrace(trace):
    """The trace as babeltrace2 prints it; its stderr must stay empty."""
    run = subprocess.run(["babeltrace2", trace], check=False, text=True, capture_output=True,
                         timeout=120, stdin=subprocess.DEVNULL)
    if run.returncode != 0 or run.stderr:
        raise HarnessError(f"babeltrace2 {trace} ended with {run.returncode}: {run.stderr}")
    return run.stdout


def text_of(path):
    """What a log holds so far; empty while there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            return log.read()
    except FileNotFoundError:
        return ""


class Report:
    """The report of a trace: its exit status, its JSON, and its text."""

    def __init__(self, trace):
        run = tool("report", "--format", "json", trace)
        if run.returncode not in (0, 1):
            raise HarnessError(f"report of {trace} ended with {run.returncode}: {run.stderr}")
        self.status = run.returncode
        self.stderr = run.stderr
        self.json = json.loads(run.stdout)
        text = tool("report", "--format", "text", trace)
        if text.returncode != self.status:
            raise HarnessError(f"report of {trace}: text ended with {text.returncode}, "
                               f"JSON with {self.status}")
        self.text = text.stdout
        with open(os.path.join(os.path.dirname(trace), "report.json"), "w",
                  encoding="utf-8") as out:
            out.write(run.stdout)
        with open(os.path.join(os.path.dirname(trace), "report.txt"), "w",
                  encoding="utf-8") as out:
            out.write(text.stdout)

    @property
    def counts(self):
        return self.json["counts"]

    @property
    def findings(self):
        return self.json["findings"]

    def of(self, check, certainty=None):
        """Findings of a check, of one certainty or of any."""
        return [finding for finding in self.findings if finding["id"] == check
                and certainty in (None, finding["certainty"])]

    def alarms(self):
        """Findings that are observed or suspected."""
        return [finding for finding in self.findings if finding["certainty"] in ALARMS]

    def undecided(self):
        """Ids of the checks that could not be decided, by either way of saying so."""
        return ({entry["check"] for entry in self.json["undecided"]}
                | {finding["id"] for finding in self.findings
                   if finding["certainty"] == "unknown"})


class Log:
    """What the back-end did, counted from its log's entries."""

    def __init__(self, path):
        self.entries = parts.read_log(path)
        sent = [entry for entry in self.entries if entry.get("phase") == "sent"]
        replied = [entry for entry in self.entries if entry.get("phase") == "replied"]
        self.maps_sent = [entry for entry in sent if entry["op"] == "map"]
        self.unmaps_sent = [entry for entry in sent if entry["op"] == "unmap"]
        self.maps_ok = [entry for entry in replied
                        if entry["op"] == "map" and entry["value"] == 0]
        self.unmaps_ok = [entry for entry in replied
                          if entry["op"] == "unmap" and entry["value"] == 0]
        self.refused = [entry for entry in replied if entry["value"] != 0]
        self.replies = len(replied)
        self.requests = len(sent)
        self.fds_sent = sum(entry["fds"] for entry in sent)

    def refusals_by_tag(self):
        return dict(collections.Counter(entry["tag"] for entry in self.refused))

    def end(self):
        """Its own sums, from the last line."""
        last = self.entries[-1]
        if last["op"] != "end":
            raise HarnessError(f"The back-end's log does not end with its sums but with {last}")
        return last


class IntegrationTest(unittest.TestCase):
    """A test on real runs, with the assertions that many share."""

    maxDiff = None

    def assert_clean(self, report):
        self.assertEqual(report.alarms(), [], report.text)
        self.assertEqual(report.status, 0, report.text)

    def assert_only_refused(self, report, also=()):
        """Nothing is wrong but what the back-end asked for, and QEMU refused all of that."""
        counted = collections.Counter()
        for finding in report.alarms():
            if finding["id"] in also:
                continue
            self.assertIn(finding["id"], set(OUTSIDE.values()), report.text)
            self.assertEqual(finding["certainty"], "observed", report.text)
            said = {entry["who"]: entry["text"] for entry in finding["statements"]}
            self.assertIn("its fault", said["back-end"])
            reason = re.fullmatch(r"refused it \(([a-z-]+)\), and changed nothing",
                                  said["QEMU"]).group(1)
            self.assertEqual(OUTSIDE[reason], finding["id"], report.text)
            counted[reason] += finding["count"]
        self.assertEqual(dict(counted), {reason: count for reason, count
                                         in report.counts["refusals"].items()
                                         if reason in OUTSIDE}, report.text)
        self.assertEqual(report.status, 1 if report.alarms() else 0, report.text)

    def assert_nothing_left(self, run, mapped):
        """By /proc: MAPPED mappings were there at the point "mapped", none at "after"."""
        points = run.witness["points"]
        self.assertEqual(points["before"]["backend_fds"], 0)
        self.assertEqual(points["mapped"]["backend_fds"], mapped)
        self.assertEqual(points["mapped"]["backend_maps"], mapped)
        self.assertEqual(points["after"]["backend_fds"], 0)
        self.assertEqual(points["after"]["backend_maps"], 0)

    def assert_all_finalized(self, report, mapped):
        """By the trace: MAPPED mappings were made, and all of them and their fds ended."""
        counts = report.counts
        for count in ("mappings_created", "mappings_visible", "mappings_removed",
                      "mappings_finalized", "fds_received", "fds_duplicated"):
            self.assertEqual(counts[count], mapped, f"{count}\n{report.text}")
        self.assertEqual(counts["fds_closed"], 2 * mapped, report.text)
        for total in ("mappings_total", "descriptors_total", "open_waits_total"):
            self.assertEqual(report.json[total], 0, f"{total}\n{report.text}")
