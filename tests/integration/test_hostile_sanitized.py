# SPDX-License-Identifier: GPL-2.0-or-later
"""100,000 hostile messages against a QEMU with sanitizers, which see nothing amiss.

The seeds are printed; SHMEMSCOPE_SEED repeats the run of one of them.
"""

import glob
import os
import re
import time
import unittest

import common
import test_hostile
from harness import choreography, parts
from harness.run import Run

MESSAGES = 50000  # with one seed: enough for every pair of fields at their edges
# Back-ends that do as they should, or die: each way in which mappings come to an end.
SCENARIOS = ["healthy", "two-threads", "no-reply-ack", "refusals-no-region",
             "refusals-not-negotiated", "reply-fails", "reconnect", "channel-dies",
             "reset-mapped", "too-many", "unplug-mapped"]
FINDING = re.compile(r"ERROR: (AddressSanitizer|LeakSanitizer)|runtime error:")


def seeds():
    """One that is always the same, and one that nobody has tried yet."""
    if os.environ.get("SHMEMSCOPE_SEED"):
        return [int(os.environ["SHMEMSCOPE_SEED"])] * 2
    return [test_hostile.SEED, time.time_ns() % (1 << 32)]


class SanitizedTest(test_hostile.HostileTest):
    """The hostile runs, in which LeakSanitizer also has its say when QEMU has quit."""

    prefix = common.setting("SHMEMSCOPE_QEMU_SANITIZED")

    def out(self, name):
        return os.path.join(common.RUNS, f"sanitized-{name}")

    def options(self, out):
        os.makedirs(out, exist_ok=True)
        for report in glob.glob(f"{out}/sanitizer.*"):
            os.unlink(report)
        # By a status other than 0 as well as by a report: the harness looks at the first.
        self.addCleanup(self.assert_nothing_reported, out)
        common_options = f"halt_on_error=1:abort_on_error=1:log_path={out}/sanitizer"
        return {"wrapper": ["env", f"ASAN_OPTIONS={common_options}:detect_leaks=1",
                            f"UBSAN_OPTIONS={common_options}:print_stacktrace=1"]}

    def assert_nothing_reported(self, out):
        for path in [f"{out}/qemu.log", *glob.glob(f"{out}/sanitizer.*")]:
            text = common.text_of(path)
            self.assertIsNone(FINDING.search(text), f"{path}:\n{text[-8000:]}")

    def test_sanitizers_are_there(self):
        with open(f"{self.prefix}/qemu-system-x86_64", "rb") as program:
            code = program.read()
        for function in (b"__asan_init", b"__ubsan_handle_type_mismatch"):
            self.assertIn(function, code)

    def test_mappings_that_come_to_their_end(self):
        for scenario in SCENARIOS:
            with self.subTest(scenario=scenario):
                perform, usual = choreography.of(scenario)
                with Run(parts.Programs(common.BUILD), self.prefix,
                         choreography.path(scenario), self.out(scenario), record=False,
                         **usual, **self.options(self.out(scenario))) as run:
                    perform(run)

    def test_messages(self):
        sent = 0
        for number, seed in enumerate(seeds()):
            print(f"seed {seed}", flush=True)
            with self.subTest(seed=seed):
                run = self.play(f"messages-{number}", messages=MESSAGES, seed=seed)
                sent += parts.read_log(run.path("backend.jsonl"))[-1]["messages"]
        self.assertGreaterEqual(sent, 100000)


if __name__ == "__main__":
    unittest.main(verbosity=2)
