# SPDX-License-Identifier: GPL-2.0-or-later
"""`babeltrace2 TRACE -c sink.shmemscope.report` and `shmemscope report TRACE` say the same."""

import glob
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import common
from common import FIXTURES, TESTS, record, report, sink
from cuts import sessions

# A few of each check's fixtures, beside all that have a fixed report.
EACH_NTH = 12
SMALL = ("--subbuf-size=4096", "--num-subbuf=2", "--discard")


def fixtures():
    fixed = sorted(glob.glob(os.path.join(FIXTURES, "*.fixture")))
    others = sorted(glob.glob(os.path.join(TESTS, "checks", "*.fixture")))
    return fixed + others[::EACH_NTH]


class Same(unittest.TestCase):

    def setUp(self):
        tmp = tempfile.TemporaryDirectory(prefix="shmemscope-test-")
        self.addCleanup(tmp.cleanup)
        self.tmp = tmp.name

    def out(self, *names):
        return os.path.join(self.tmp, *names)

    def assert_same(self, *traces, formats=("text", "json"), cwd=None):
        """Of each format the same bytes, the same words on stderr, and the same verdict."""
        for name in formats:
            ours = report("--format", name, *traces, cwd=cwd)
            theirs = sink(*traces, cwd=cwd, format=name)
            self.assertIn(ours.returncode, (0, 1), ours.stderr)
            self.assertEqual(theirs.stdout, ours.stdout)
            self.assertEqual(theirs.returncode, ours.returncode)
            if ours.returncode == 0:
                self.assertEqual(theirs.stderr, ours.stderr)
            else:
                self.assertIn(b"Found: ", theirs.stderr)
            self.assertGreater(len(ours.stdout), 100)
        return json.loads(ours.stdout)  # of the last one

    def test_fixtures(self):
        seen = {"found": 0, "clean": 0}
        for path in fixtures():
            name = os.path.basename(path)
            with self.subTest(fixture=name):
                record(path, self.out(name))
                data = self.assert_same(self.out(name))
                found = any(f["certainty"] in ("observed", "suspected") for f in data["findings"])
                seen["found" if found else "clean"] += 1
        self.assertGreater(min(seen.values()), 5, seen)

    def test_several_traces(self):
        for name in ("healthy", "map-pipelined", "two-vms"):
            record(common.fixture(name), self.out("all", name))
        data = self.assert_same(self.out("all"), formats=("sarif", "junit", "chrome", "json"))
        self.assertEqual(len(data["trace"]["traces"]), 3)
        given = [self.out("all", name) for name in ("two-vms", "healthy")]
        data = self.assert_same(*given)
        self.assertEqual(len(data["trace"]["traces"]), 2)

    def test_any_path(self):
        """However the way to it is written."""
        record(common.fixture("healthy"), self.out("trace"))
        os.symlink(self.out("trace"), self.out("link"))
        whole = self.assert_same(self.out("trace"))
        for path in ("trace", "./trace/../trace//", "link", self.out("link")):
            with self.subTest(path=path):
                self.assertEqual(self.assert_same(path, cwd=self.tmp), whole)

    def test_losses(self):
        record(common.fixture("healthy"), self.out("trace"), times=2000, channel=SMALL)
        data = self.assert_same(self.out("trace"))
        self.assertGreater(data["trace"]["lost"], 0)
        self.assertEqual({f["certainty"] for f in data["findings"]} - {"hazard"}, {"unknown"})

    def test_run_file(self):
        """What the recorder left beside the trace counts."""
        pid = record(common.fixture("hung-before"), self.out("trace"))
        before = self.assert_same(self.out("trace"))
        with open(self.out("trace", "shmemscope-run.json"), "w", encoding="utf-8") as run_file:
            json.dump({"processes": [{"pid": pid, "ended": True, "ended_ns": 1}]}, run_file)
        after = self.assert_same(self.out("trace"))
        self.assertNotEqual(after["processes"][0]["state"], before["processes"][0]["state"])
        with open(self.out("trace", "shmemscope-run.json"), "w", encoding="utf-8") as run_file:
            run_file.write("no record")
        self.assertIn(b"Cannot use run record", report(self.out("trace")).stderr)
        self.assert_same(self.out("trace"))

    def test_broken_recordings(self):
        """Snapshots, chunks of a rotation, extracts of a crash, streams that are missing."""
        with sessions.Sessions(self.out("kinds"), common.CATALOGUE) as run:
            program = subprocess.Popen([common.REPLAY, common.fixture("healthy"), "60", "wait"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                       env=dict(os.environ, LTTNG_UST_REGISTER_TIMEOUT="-1",
                                                SS_REPLAY_HOP="7"))
            run.start(int(program.stdout.readline()))
            program.communicate("go\n", timeout=common.TIMEOUT_S)
            run.snapshot()
            run.rotate()
            run.crash()
            run.stop()
        for kind in ("small", "tiny", "snapshot", "extract", "rotated"):
            with self.subTest(kind=kind):
                self.assert_same(run.path(kind))
        chunks = sorted(glob.glob(run.path("rotated/archives/*")))
        self.assertEqual(len(chunks), 2)
        for chunk in chunks:
            with self.subTest(chunk=chunk):
                self.assert_same(chunk)
        small = glob.glob(run.path("small/**/c_*"), recursive=True)
        streams = [path for path in small if os.path.getsize(path) and ".idx" not in path]
        for index in (True, False):
            with self.subTest(missing_stream_with_index=index):
                copy = self.out(f"missing-{index}")
                shutil.copytree(run.path("small"), copy)
                gone = streams[0].replace(run.path("small"), copy)
                os.remove(gone)
                if not index:
                    head, name = os.path.split(gone)
                    os.remove(os.path.join(head, "index", f"{name}.idx"))
                self.assert_same(copy)

    def test_unreadable(self):
        """Both end with an error, and neither with a report."""
        record(common.fixture("healthy"), self.out("trace"))
        metadata, = glob.glob(self.out("trace/**/metadata"), recursive=True)
        with open(metadata, "r+b") as damaged:
            damaged.seek(60)
            damaged.write(b"!!!! not CTF !!!!")
        ours, theirs = report(self.out("trace")), sink(self.out("trace"))
        self.assertEqual((ours.returncode, ours.stdout), (3, b""))
        self.assertNotEqual(theirs.returncode, 0)
        self.assertEqual(theirs.stdout, b"")

    def test_without_context(self):
        with common.Session(self.out("trace")) as session:
            common.lttng("enable-channel", "-u", "-s", session.name, "bare")
            common.lttng("disable-event", "-u", "-s", session.name, "-c", "c", "-a")
            common.lttng("enable-event", "-u", "-s", session.name, "-c", "bare", "qemu:*")
            session.play(common.fixture("healthy"))
        ours, theirs = report(self.out("trace")), sink(self.out("trace"))
        self.assertEqual((ours.returncode, ours.stdout), (3, b""))
        self.assertEqual((theirs.returncode, theirs.stdout), (1, b""))
        for text in (ours.stderr, theirs.stderr):
            self.assertIn(b"context vpid was not recorded", b" ".join(text.split()))


if __name__ == "__main__":
    common.begin()
    unittest.main(verbosity=2)
