# SPDX-License-Identifier: GPL-2.0-or-later
"""What a back-end calls its files stands wherever QEMU has them mapped.

Once with QEMU's tracepoints, once with the library alone on both sides, and once of a back-end that
nobody traced, which calls its files something all the same.
"""

import json
import unittest

import common
from harness import choreography, parts
from harness.run import Run
from test_both_sides import TRACEPOINTS

HOSTILE = "\\x1b[31mred\\x0aand\\x80\\xff two lines"
LABELS = {0x0: "context 3 resource 41", 0x10000: "context 3 resource 42", 0x20000: None,
          0x30000: HOSTILE}


def record(out, wire, excluded=()):
    """The trace of a run that ends with all mappings in place."""
    options = [word for name in excluded for word in ("--exclude-class", name)]
    with Run(parts.Programs(common.BUILD), common.QEMU, choreography.path("labels"),
             f"{common.RUNS}/{out}", wire=wire, record_options=options) as run:
        run.start()
        run.start_driver()
        run.driver.do("start")
        choreography.await_mapped(run)
        run.stop_recording()
        return run.trace


def listed(verb, trace):
    run = common.tool(verb, "--format", "json", trace)
    return json.loads(run.stdout)[{"mappings": "mappings", "fds": "descriptors"}[verb]]


class LabelsTest(common.IntegrationTest):

    def assert_labels(self, trace):
        mappings = listed("mappings", trace)
        self.assertEqual({m["shm_offset"]: m["label"] for m in mappings}, LABELS)
        own = {m["fd"]: m["label"] for m in mappings}
        self.assertEqual({fd["fd"]: fd["label"] for fd in listed("fds", trace)}, own)
        for verb in ("mappings", "fds"):
            text = common.tool(verb, trace).stdout
            for label in filter(None, LABELS.values()):
                self.assertIn(f'      "{label}"\n', text)
            self.assertNotIn("\x1b", text)
        for offset, label in LABELS.items():
            why = common.tool("why", trace, f"{offset:#x}+0x10000").stdout
            self.assertEqual(f'  label       "{label}"\n' in why, label is not None, why)

    def test_tracepoints_and_library(self):
        self.assert_labels(record("labels-traced", ("backend",)))

    def test_library_alone(self):
        self.assert_labels(record("labels-wire", ("qemu", "backend"), TRACEPOINTS))

    def test_nobody_listens_to_the_back_end(self):
        trace = record("labels-untold", ())
        self.assertEqual({m["shm_offset"]: m["label"] for m in listed("mappings", trace)},
                         dict.fromkeys(LABELS))

    def test_left_out(self):
        trace = record("labels-left-out", ("backend",), ("note",))
        self.assertEqual({m["label"] for m in listed("mappings", trace)}, {None})
        self.assertEqual(common.Report(trace).undecided(), set())


if __name__ == "__main__":
    unittest.main(verbosity=2)
