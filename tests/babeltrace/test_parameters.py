# SPDX-License-Identifier: GPL-2.0-or-later
"""Parameters of the components: what they do, and that others are refused by name."""

import os
import re
import tempfile
import unittest

import common
from common import babeltrace, record, report, sink


def words(done):
    """What babeltrace2 said on stderr, without its line breaks."""
    return " ".join(done.stderr.decode().split())


class Parameters(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        tmp = tempfile.TemporaryDirectory(prefix="shmemscope-test-")
        cls.addClassCleanup(tmp.cleanup)
        cls.tmp = tmp.name
        cls.trace = os.path.join(tmp.name, "trace")
        record(common.fixture("map-pipelined"), cls.trace)

    def refused(self, text, component=common.SINK):
        done = babeltrace(self.trace, "-c", component, "--params", text)
        self.assertEqual((done.returncode, done.stdout), (1, b""), text)
        return words(done)

    def test_unknown(self):
        said = self.refused('formt="json"')
        self.assertIn('Cannot use parameter: name="formt": there is none of that name', said)
        self.assertIn("there are format, output, fail-on", said)

    def test_hostile_name(self):
        done = babeltrace(self.trace, "-c", common.SINK, "--params", 'x.y_z-\\033="1"')
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn(b"\033[31m", done.stderr)

    def test_wrong_type(self):
        for text, name in (("format=3", "format"), ("output=yes", "output"),
                           ("fail-on=[\"never\"]", "fail-on")):
            self.assertIn(f'Cannot use parameter: name="{name}": it takes a string',
                          self.refused(text))

    def test_wrong_choice(self):
        for text, said in (('format="xml"', 'name="format": it takes text, json'),
                           ('fail-on="ever"', 'name="fail-on": it takes observed, suspected')):
            self.assertIn(said, self.refused(text))

    def test_fail_on(self):
        for word in ("observed", "suspected", "hazard", "unknown", "never"):
            done = sink(self.trace, fail_on=word)
            ours = report("--fail-on", word, self.trace)
            self.assertEqual(done.returncode, ours.returncode, word)
            self.assertEqual(done.stdout, ours.stdout, word)
            if ours.returncode:
                self.assertRegex(words(done), rf"Found: reply-commit-deadlock.*fail-on is {word}")

    def test_output(self):
        path = os.path.join(self.tmp, "out")
        done = sink(self.trace, output=path, fail_on="never")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))
        with open(path, "rb") as written:
            self.assertEqual(written.read(), report(self.trace).stdout)
        done = sink(self.trace, output=os.path.join(self.tmp, "nowhere", "out"), fail_on="never")
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn('Cannot write report: path="', words(done))

    def test_help(self):
        """Of each class, with each parameter of its table."""
        for component in ("sink.shmemscope.report",):
            done = babeltrace("help", component)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            text = done.stdout.decode()
            self.assertIn("Description: ", text)
            named = re.findall(r"(?m)^  ([a-z-]+)=", text)
            said = self.refused("nothing-of-that-name=1", component)
            listed = re.findall(r"[a-z-]+", re.sub(r".*there are ", "", said).replace(" and ", " "))
            self.assertEqual(listed, named)


if __name__ == "__main__":
    common.begin()
    unittest.main(verbosity=2)
