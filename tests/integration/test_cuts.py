# SPDX-License-Identifier: GPL-2.0-or-later
"""Cut and lossy recordings of a real QEMU: one whose back-end does well, and one that hangs."""

import os
import unittest

import common
from cuts import cutting, sessions
from cuts.properties import CUTS, Properties
from harness import choreography, daemon, parts
from harness.run import Run

CATALOGUE = os.path.join(common.SOURCE, "tracepoints", "catalogue")
SCENARIOS = {"healthy": "healthy", "sick": "map-pipelined"}


class RecordedRun(Run):
    """Recorded by the sessions of tests/cuts, not by shmemscope: small packets, and losses."""

    def __init__(self, *arguments, recorders, **options):
        super().__init__(*arguments, **options)
        self.recorders = recorders

    def start_recording(self, pid):
        self.recorders.start(pid)

    def stop_recording(self):
        self.recorders.snapshot()
        self.recorders.rotate()
        self.recorders.crash()
        self.recorders.stop()


class CutsTest(Properties, unittest.TestCase):

    judge = os.path.join(common.BUILD, "tests", "analysis", "judge-traces")
    # Two or more processors, of which QEMU may use one alone.
    most_in_silence = CUTS // 2
    # One that hangs tells little, and goes on telling while the sessions end one by one.
    overwrites = ("healthy",)
    same_events = False

    @classmethod
    def setUpClass(cls):
        cls.tmp = os.path.join(common.RUNS, "cuts")
        os.makedirs(cls.tmp, exist_ok=True)
        for name, scenario in SCENARIOS.items():
            perform, usual = choreography.of(scenario)
            with sessions.Sessions(cls.path(name), CATALOGUE) as recorders:
                with RecordedRun(parts.Programs(common.BUILD), common.QEMU,
                                 choreography.path(scenario), cls.path(f"run-{name}"),
                                 recorders=recorders, **usual) as run:
                    perform(run)
                    if recorders.names:
                        run.stop_recording()
        with cutting.Judge(cls.judge) as judge:
            # Of nothing at all, no check can say anything.
            empty = cls.path("empty")
            os.makedirs(empty, exist_ok=True)
            cls.checks = judge.of(empty)["undecided"]


if __name__ == "__main__":
    daemon.ensure()
    unittest.main(verbosity=2)
