# SPDX-License-Identifier: GPL-2.0-or-later
"""Parameters of the components: what they do, and that others are refused by name."""

import json
import os
import re
import tempfile
import unittest

import jsonschema

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
        for text, said in (('format="xml"', 'name="format": it takes text'),
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

    def test_selection(self):
        """The same option of both makes the same report; what is left out is said."""
        both = os.path.join(self.tmp, "two-devices")
        record(common.fixture("two-devices"), both)
        devices = [d["id"] for d in json.loads(report("--format=json", both).stdout)["devices"]]
        self.assertEqual(len(devices), 2)
        whole = json.loads(report("--format=json", self.trace).stdout)
        found, = [f for f in whole["findings"] if f["id"] == "reply-commit-deadlock"]
        after = found["last_t_ns"] / 1e9
        for trace, options, params in (
                (self.trace, ["--checks", "fd-leak,double-close"],
                 {"checks": ["fd-leak", "double-close"]}),
                (self.trace, ["--checks=reply-commit-deadlock"],
                 {"checks": "reply-commit-deadlock"}),
                (self.trace, ["--begin", "0.001"], {"begin": 0.001}),
                (self.trace, ["--begin", f"{after + 1:.9f}"], {"begin": after + 1}),
                (self.trace, ["--end=0"], {"end": 0}),
                (self.trace, ["--end=2100-01-31T12:00:00Z"], {"end": "2100-01-31T12:00:00Z"}),
                (self.trace, ["--begin=@4000000000"], {"begin": "@4000000000"}),
                (both, ["--device", devices[0]], {"device": devices[0]}),
                (both, ["--device", devices[0], "--device", devices[1]], {"device": devices})):
            for fmt in ("text", "json"):
                with self.subTest(options=options, format=fmt):
                    ours = report("--format", fmt, "--fail-on=never", *options, trace)
                    theirs = sink(trace, format=fmt, fail_on="never", **params)
                    self.assertEqual((ours.returncode, ours.stderr), (0, b""))
                    self.assertEqual(theirs.stdout, ours.stdout)
                    self.assertIn(b"asked" if fmt == "text" else b'"asked_for"', ours.stdout)

    def ids(self, *options):
        done = report("--format=json", *options, self.trace)
        data = json.loads(done.stdout)
        with open(os.path.join(common.SOURCE, "analysis/report/report.schema.json"),
                  encoding="utf-8") as schema:
            jsonschema.validate(data, json.load(schema))
        return done.returncode, {f["id"] for f in data["findings"]}, data["asked_for"]

    def test_what_is_left_out(self):
        """It is counted, and a clean report of a part does not look like one of the whole."""
        status, found, asked = self.ids("--checks=fd-leak")
        self.assertEqual((status, found), (0, set()))
        self.assertEqual(asked["checks"], ["fd-leak"])
        self.assertGreater(asked["findings_left_out"], 0)
        text = report("--checks=fd-leak", self.trace).stdout.decode()
        self.assertRegex(" ".join(text.split()), r"asked for findings by fd-leak; \d+ others? (is|"
                                                 r"are) left out.*Nothing found; asked for: by fd-")
        self.assertIn("1 of 1 checks could decide", text)
        status, found, _ = self.ids("--checks=reply-commit-deadlock")
        self.assertEqual((status, found), (1, {"reply-commit-deadlock"}))
        status, found, asked = self.ids("--begin=3600")
        self.assertEqual((status, asked["begin_t_ns"]), (0, 3600 * 10**9))
        self.assertNotIn("reply-commit-deadlock", found)
        status, found, asked = self.ids("--end=0")
        self.assertEqual((status, asked["end_t_ns"]), (0, 0))
        self.assertNotIn("reply-commit-deadlock", found)
        device = json.loads(report("--format=json", self.trace).stdout)["devices"][0]["id"]
        self.assertEqual(self.ids(f"--device={device}")[:2], self.ids("--begin=0")[:2])

    def test_selection_of_nothing(self):
        """What is not there is refused by name, so that a typing error is no clean bill."""
        for option, value, said in (
                ("checks", "fd-leek", 'check="fd-leek": there is none of that name'),
                ("device", "dev9", 'device="dev9": the recording has none of that name'),
                ("vm", "nobody", 'vm="nobody": the recording has none of that name'),
                ("begin", "noon", 'begin="noon": it takes seconds'),
                ("end", "1.2.3", 'end="1.2.3": it takes seconds'),
                ("end", "2999-01-31T12:00:00Z", 'end="2999-01-31T12:00:00Z": it takes seconds'),
                ("end", "1969-12-31T12:00:00Z", 'end="1969-12-31T12:00:00Z": it takes seconds'),
                ("end", "2020-01-31T12:00:00Z",
                 'end="@1580472000": the recording has no event up to then')):
            with self.subTest(option=option):
                ours = report(f"--{option}={value}", self.trace)
                self.assertEqual((ours.returncode, ours.stdout), (2, b""))
                self.assertIn(f"Cannot select: {said}", words(ours))
                theirs = sink(self.trace, **{option: value})
                self.assertEqual((theirs.returncode, theirs.stdout), (1, b""))
                self.assertIn(f"Cannot select: {said}", words(theirs))

    def test_no_time(self):
        """What begins after its end, also when only the recording tells that it does."""
        for begin, end in (("3", "2.5"), ("@4000000000.25", "@7"), ("@4000000000", "3")):
            ours = report("--begin", begin, "--end", end, self.trace)
            theirs = sink(self.trace, begin=begin, end=end)
            self.assertEqual((ours.returncode, ours.stdout), (2, b""))
            self.assertEqual((theirs.returncode, theirs.stdout), (1, b""))
            for done in (ours, theirs):
                self.assertIn(f'Cannot select: begin="{begin}": it is after the end, "{end}"',
                              words(done))

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
