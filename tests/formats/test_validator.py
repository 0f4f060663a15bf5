# SPDX-License-Identifier: GPL-2.0-or-later
"""SARIF read by the tool of those who made it: it validates without an error, and each result that
was written is there.

The environment tells SHMEMSCOPE_PLAYWRIGHT (the directory of scripts/playwright),
SHMEMSCOPE_FIXTURE_REPORT and SHMEMSCOPE_TESTS.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
TESTS = os.environ["SHMEMSCOPE_TESTS"]
TOOL = os.path.join(os.environ["SHMEMSCOPE_PLAYWRIGHT"], "node_modules", "@microsoft",
                    "sarif-multitool-linux", "Sarif.Multitool")
FIXTURES = ("analysis/fixtures/healthy", "analysis/fixtures/map-pipelined",
            "analysis/fixtures/two-vms", "analysis/fixtures/losses", "analysis/fixtures/hostile",
            "checks/reply-commit-deadlock.three-parties", "checks/out-of-range.refused",
            "checks/fd-leak.received", "checks/stale-mapping.killed")
# What it has to say of any such log: there is no site of the project, and no line of a source.
ADVICE = {"SARIF2005", "SARIF2017"}


def sarif(name):
    fixture = os.path.join(TESTS, f"{name}.fixture")
    return json.loads(subprocess.run([os.environ["SHMEMSCOPE_FIXTURE_REPORT"], "report-sarif",
                                      fixture], check=True, capture_output=True,
                                     timeout=120).stdout)


class Validator(unittest.TestCase):

    def setUp(self):
        tmp = tempfile.TemporaryDirectory(prefix="shmemscope-test-")
        self.addCleanup(tmp.cleanup)
        self.tmp = tmp.name

    def run_tool(self, *arguments):
        return subprocess.run([TOOL, *arguments], check=False, capture_output=True, timeout=240,
                              cwd=self.tmp, text=True,
                              env=dict(os.environ, DOTNET_SYSTEM_GLOBALIZATION_INVARIANT="1",
                                       DOTNET_CLI_HOME=self.tmp, HOME=self.tmp,
                                       DOTNET_BUNDLE_EXTRACT_BASE_DIR=self.tmp))

    def validated(self, logs):
        """What the validator says of each file: (rule, level, message)."""
        for name, log in logs.items():
            with open(os.path.join(self.tmp, name), "w", encoding="utf-8") as out:
                json.dump(log, out)
        done = self.run_tool("validate", *logs, "--output", "said.json", "--log", "ForceOverwrite")
        with open(os.path.join(self.tmp, "said.json"), encoding="utf-8") as source:
            run, = json.load(source)["runs"]
        self.assertIn(f"{len(logs)} files scanned", done.stdout)
        return {(result["ruleId"], result.get("level", "warning"), json.dumps(result["message"]))
                for result in run.get("results", ())}

    def test_valid(self):
        logs = {f"{name.replace('/', '-')}.sarif": sarif(name) for name in FIXTURES}
        said = self.validated(logs)
        self.assertEqual([one for one in said if one[1] == "error"], [])
        self.assertEqual({rule for rule, *_ in said} - ADVICE, set())

    def test_judges(self):
        """That one complains when there is something to complain of."""
        log = sarif("analysis/fixtures/map-pipelined")
        log["runs"][0]["results"][0]["ruleIndex"] = 9999
        log["runs"][0]["tool"]["driver"]["rules"][0]["helpUri"] = "docs/findings/a page.md"
        wrong = {rule for rule, level, _ in self.validated({"a.sarif": log, "b.sarif": log})
                 if level == "error"}
        self.assertGreaterEqual(len(wrong), 2, wrong)

    def test_nothing_is_lost(self):
        """Two logs merged by it have all results of both; what is in both alike it takes once."""
        logs = [sarif("analysis/fixtures/map-pipelined"), sarif("checks/out-of-range.refused")]
        for number, log in enumerate(logs):
            with open(os.path.join(self.tmp, f"{number}.sarif"), "w", encoding="utf-8") as out:
                json.dump(log, out)
        done = self.run_tool("merge", "0.sarif", "1.sarif", "--output-directory", self.tmp,
                             "--output-file", "merged.json", "--log", "ForceOverwrite")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(os.path.join(self.tmp, "merged.json"), encoding="utf-8") as source:
            merged = json.load(source)

        def results(runs):
            return sorted({(one["partialFingerprints"]["shmemscope/v1"], one["message"]["text"],
                            len(one.get("codeFlows", [{}])[0].get("threadFlows", ())))
                           for run in runs for one in run["results"]})
        self.assertEqual(results(merged["runs"]),
                         results([run for log in logs for run in log["runs"]]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
