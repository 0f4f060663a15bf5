# SPDX-License-Identifier: GPL-2.0-or-later
"""filter.shmemscope.lifetimes: all passes, and lives and findings are added, in order."""

import collections
import json
import os
import re
import tempfile
import unittest

import common
from common import babeltrace, record, report

FILTER = "filter.shmemscope.lifetimes"
LINE = re.compile(r"^\[(\d+)\.(\d{9})\] \([^)]*\) (?:\S+ )?(\S+:\S+): (.*)$")
# Numbers, and texts in which quotes are escaped.
FIELD = re.compile(r'(\w+) = (?:"((?:[^"\\]|\\.)*)"|(-?\w+))')
Event = collections.namedtuple("Event", "ns name rest")


def read(*arguments):
    """The events as babeltrace2 prints them."""
    done = babeltrace("--clock-seconds", *arguments)
    if done.returncode != 0 or done.stderr:
        raise RuntimeError(f"babeltrace2 {arguments}: {done.stderr.decode()}")
    events = []
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        seconds, rest, name, text = LINE.match(line).groups()
        events.append(Event(int(seconds) * 10**9 + int(rest), name, text))
    return events


def fields(event):
    return {name: text if not number else int(number, 0)
            for name, text, number in FIELD.findall(event.rest)}


def alarms(data):
    return {f["id"] for f in data["findings"] if f["certainty"] in ("observed", "suspected")}


class Lifetimes(unittest.TestCase):

    def setUp(self):
        tmp = tempfile.TemporaryDirectory(prefix="shmemscope-test-")
        self.addCleanup(tmp.cleanup)
        self.tmp = tmp.name

    def out(self, *names):
        return os.path.join(self.tmp, *names)

    def check(self, name, times=1):
        """What holds of the output for any recording; returns lives, findings and the report."""
        trace, written = self.out(name), self.out(f"{name}-written")
        record(common.fixture(name), trace, times)
        before = read(trace)
        after = read(trace, "-c", FILTER)
        done = babeltrace(trace, "-c", FILTER, "-c", "sink.ctf.fs", "--params",
                          f'path="{written}",quiet=yes')
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        back = read(written)
        ours = [event for event in after if event.name.startswith("shmemscope:")]
        theirs = [event for event in after if not event.name.startswith("shmemscope:")]
        self.assertEqual(theirs, before)
        # The order of two events at one time is babeltrace2's own.
        self.assertEqual(sorted(back), sorted(after))
        self.assertEqual([event.ns for event in back], sorted(event.ns for event in back))
        self.assertEqual([event for event in back if event.name.startswith("shmemscope:")], ours)
        data = json.loads(report("--format=json", trace).stdout)
        # sink.ctf.fs leaves out of the metadata what never happened: less can be decided there.
        again = json.loads(report("--format=json", written).stdout)
        self.assertEqual(again["counts"].keys(), data["counts"].keys())
        self.assertLessEqual(alarms(again), alarms(data))
        lives = [fields(e) for e in ours if e.name == "shmemscope:mapping_life"]
        findings = [fields(e) for e in ours if e.name == "shmemscope:finding"]
        self.assertEqual(len(lives) + len(findings), len(ours))
        self.assertEqual([(f["id"], f["certainty"], f["count"]) for f in findings],
                         [(f["id"], f["certainty"], f["count"]) for f in data["findings"]])
        self.assert_ordered([e for e in ours if e.name == "shmemscope:mapping_life"])
        return lives, findings, data

    def assert_ordered(self, events):
        """Each life comes when it ends, and its times follow each other."""
        for event in events:
            life = fields(event)
            steps = [life[step] for step in ("requested", "born", "visible", "removed",
                                             "finalized", "closed") if life[step]]
            self.assertEqual(steps, sorted(steps), life)
            if life["closed"]:
                self.assertEqual(life["closed"], event.ns)

    def test_healthy(self):
        lives, findings, data = self.check("healthy", times=50)
        self.assertEqual(len(lives), data["counts"]["mappings_created"])
        self.assertGreater(len(lives), 100)
        self.assertEqual({life["state"] for life in lives}, {"closed"})
        self.assertTrue(all(life["visible"] and life["replied"] for life in lives))
        self.assertEqual({f["certainty"] for f in findings}, {"hazard"})

    def test_live_ones(self):
        """What is alive at the end is told then, in the state that the report tells."""
        lives, _, data = self.check("live")
        living = [life for life in lives if life["state"] == "visible"]
        self.assertEqual(sorted((m["shmid"], m["shm_offset"], m["len"]) for m in data["mappings"]),
                         sorted((m["shmid"], m["shm_offset"], m["len"]) for m in living))
        self.assertGreater(len(living), 0)

    def test_hang(self):
        _, findings, _ = self.check("map-pipelined")
        self.assertIn(("reply-commit-deadlock", "suspected"),
                      {(f["id"], f["certainty"]) for f in findings})

    def test_others(self):
        for name in ("hostile", "two-vms", "two-devices", "late", "losses", "wire-healthy"):
            with self.subTest(fixture=name):
                self.check(name)

    def test_trimmed(self):
        record(common.fixture("healthy"), self.out("trace"))
        times = [event.ns for event in read(self.out("trace"))]
        ns = times[len(times) // 2]
        events = read(self.out("trace"), f"--begin={ns // 10**9}.{ns % 10**9:09}", "-c", FILTER)
        self.assertLess(min(event.ns for event in events), max(times))
        self.assertGreaterEqual(min(event.ns for event in events), ns)
        self.assertTrue(any(event.name == "shmemscope:mapping_life" for event in events))

    def test_parameters(self):
        record(common.fixture("healthy"), self.out("trace"))
        done = babeltrace(self.out("trace"), "-c", FILTER, "--params", "depth=3")
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn('Cannot use parameter: name="depth": there is none of that name; there are '
                      'none', " ".join(done.stderr.decode().split()))
        done = babeltrace("help", FILTER)
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"shmemscope:mapping_life", done.stdout)


if __name__ == "__main__":
    common.begin()
    unittest.main(verbosity=2)
