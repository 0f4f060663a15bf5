# SPDX-License-Identifier: GPL-2.0-or-later
"""A healthy run, what is predicted from it, and what the program of a prediction makes of it."""

import os
import random

import common
import healthy_seed
import reproduction

RUN_TIMEOUT_S = 60
SECONDS = 2


class Seed:
    """One healthy run, and its report."""

    def __init__(self, number):
        self.number = number
        self.directory = reproduction.directory(f"seed-{number}")
        scenario = healthy_seed.Scenario(number)
        path = self.path("healthy.scn")
        with open(path, "w", encoding="utf-8") as out:
            out.write(scenario.text())
        self.play(path, scenario.reset)
        self.trace = self.path("healthy/trace")
        self.report = common.Report(self.trace)
        self.hazards = self.report.of("nested-wait", "hazard")

    def path(self, name):
        return os.path.join(self.directory, name)

    def play(self, scenario, reset):
        with common.Run(common.parts.Programs(common.BUILD), common.QEMU, scenario,
                        self.path("healthy")) as run:
            run.start()
            run.start_driver()
            run.driver.do("start")
            run.backend.await_signal("done", RUN_TIMEOUT_S)
            # The reply comes before the commit, and the monitor's answer after that.
            if not run.monitor.running():
                raise common.HarnessError("QEMU does not run after the scenario")
            if reset:
                run.driver.do("reset")
            run.quit_qemu()
            run.end_backend()

    def chosen(self):
        """Numbers, from 1, of the hazards that are tried: one of each kind of nesting."""
        kinds = {}
        for number, finding in enumerate(self.hazards, 1):
            inside = tuple(step["kind"] for step in finding["order"]["steps"]
                           if step["kind"] in ("start", "stop", "reset", "commit"))
            kinds.setdefault(inside, []).append(number)
        drawn = random.Random(self.number)
        return sorted(drawn.choice(numbers) for numbers in kinds.values())

    def reproduce(self, number):
        """(the finding, its program's outcome, the report of that QEMU's recording)."""
        program = reproduction.from_finding(self.trace, f"nested-wait:{number}",
                                            self.path(f"nested-wait-{number}"))
        trace = f"{program}.trace"
        outcome = reproduction.run_recorded(program, trace, "--seconds", str(SECONDS))
        return self.hazards[number - 1], outcome, common.Report(trace), program


def check(test, seed):
    """Every prediction that is tried comes true, message for message; returns how many were."""
    test.assert_clean(seed.report)
    tried = seed.chosen()
    test.assertGreaterEqual(len(tried), 3, seed.report.text)
    for number in tried:
        with test.subTest(seed=seed.number, finding=f"nested-wait:{number}"):
            finding, outcome, report, program = seed.reproduce(number)
            test.assertEqual((outcome.status, outcome.verdict, outcome.text),
                             (0, "HUNG", f"{reproduction.told(finding['order'])} "
                                         f"seconds={SECONDS}"), outcome)
            found = report.of("reply-commit-deadlock")
            test.assertEqual([other["order"]["shape"] for other in found],
                             [finding["order"]["shape"]], report.text)
            test.assertEqual(report.alarms(), found, report.text)
            control = reproduction.run(program, "--serve")
            test.assertEqual((control.status, control.verdict), (1, "NOT-HUNG"), control)
    return len(tried)
