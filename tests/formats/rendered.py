# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of formats share: each format of a report, checked by all that holds of each.

usage of each: test_....py SHMEMSCOPE REPLAY FIXTURE_REPORT FIXTURES CHECKS
"""

import collections
import json
import os
import re
import subprocess
import sys
import tempfile
import unicodedata
import unittest
import xml.etree.ElementTree

import jsonschema

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.append(os.path.join(os.path.dirname(HERE), "babeltrace"))

SHMEMSCOPE, REPLAY, FIXTURE_REPORT, FIXTURES, CHECKS = sys.argv[1:6]
PLUGINS = os.environ.get("SHMEMSCOPE_PLUGINS")  # not where a sanitizer is
# Since its ninth version Jenkins' schema lets a skipped test say why as a failed one does.
OF_SKIPPED = '<xs:element name="skipped" type="xs:string"/>'
LATER_OF_SKIPPED = ('<xs:element name="skipped"><xs:complexType mixed="true">'
                    '<xs:attribute name="type" type="xs:string" use="optional"/>'
                    '<xs:attribute name="message" type="xs:string" use="optional"/>'
                    '</xs:complexType></xs:element>')


def told(fixture):
    return os.path.join(FIXTURES, f"{fixture}.fixture")


def alarms(data):
    return {f["id"] for f in data["findings"] if f["certainty"] in ("observed", "suspected")}


class Rendered(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        import common
        cls.common = common
        common.begin()
        tmp = tempfile.TemporaryDirectory(prefix="shmemscope-test-")
        cls.addClassCleanup(tmp.cleanup)
        cls.tmp = tmp.name
        with open(os.path.join(HERE, "sarif-2.1.0-rtm.5.json"), encoding="utf-8") as schema:
            cls.sarif_schema = jsonschema.Draft4Validator(json.load(schema))
        cls.jenkins_schema = os.path.join(cls.tmp, "jenkins-junit.xsd")
        with open(os.path.join(HERE, "jenkins-junit.xsd"), encoding="utf-8") as schema, \
                open(cls.jenkins_schema, "w", encoding="utf-8") as later:
            text = schema.read()
            assert text.count(OF_SKIPPED) == 1
            later.write(text.replace(OF_SKIPPED, LATER_OF_SKIPPED))
        cls.traces = {}

    @classmethod
    def record(cls, name, path, channel=(), times=1):
        cls.traces[name] = os.path.join(cls.tmp, name)
        cls.common.record(path, cls.traces[name], times, channel)

    def render(self, fmt, name):
        """By the tool; of a name that ends as a fixture does, from the fixture itself: the
        generator has QEMU's tracepoints, and a trace of it is never of the wire alone."""
        fixture = name if os.path.isabs(name) else told(name.removesuffix(".fixture"))
        if name.endswith(".fixture"):
            return self.run_report(f"report-{fmt}", fixture)
        return self.printed([SHMEMSCOPE, "report", "--format", fmt, self.traces[name]])

    def run_report(self, listing, fixture):
        return self.printed([FIXTURE_REPORT, listing, fixture])

    def printed(self, command):
        """What it prints, which no terminal takes for anything but text."""
        run = subprocess.run(command, capture_output=True, timeout=120)
        self.assertIn(run.returncode, (0, 1), run.stderr)
        text = run.stdout.decode("utf-8")  # or it is no text
        for character in text:
            self.assertTrue(character == "\n" or unicodedata.category(character) not in
                            ("Cc", "Cf", "Co", "Zl", "Zp"), hex(ord(character)))
        return text

    def sarif(self, name):
        data = json.loads(self.render("sarif", name))
        self.sarif_schema.validate(data)
        return data["runs"][0]

    def junit(self, name):
        path = os.path.join(self.tmp, "junit.xml")
        text = self.render("junit", name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        for schema in (os.path.join(HERE, "junit.xsd"), self.jenkins_schema):
            lint = subprocess.run(["xmllint", "--noout", "--schema", schema, path],
                                  capture_output=True, text=True, timeout=120)
            self.assertEqual(lint.returncode, 0, lint.stderr)
        suite = xml.etree.ElementTree.fromstring(text).find("testsuite")
        cases = suite.findall("testcase")
        self.assertEqual(int(suite.get("tests")), len(cases))
        for word, tag in (("failures", "failure"), ("skipped", "skipped")):
            self.assertEqual(int(suite.get(word)),
                             sum(case.find(tag) is not None for case in cases))
        return cases

    def chrome(self, name):
        events = json.loads(self.render("chrome", name))["traceEvents"]
        self.check_chrome(events)
        return events

    def html(self, name):
        """The data of the page: what a browser parses it to."""
        parts = re.findall(r'<script type="application/json" id="(\w+)">(.*?)</script>',
                           self.render("html", name), re.DOTALL)
        self.assertEqual([part for part, _ in parts], ["report", "more", "lives"])
        return {part: json.loads(data) for part, data in parts}

    def check_chrome(self, events):
        """What the format asks for: begins and ends pair and nest, arrows have both ends."""
        open_ones = collections.defaultdict(list)
        flows = collections.defaultdict(list)
        points = set()
        for event in events:
            self.assertIn(event["ph"], "MbeXstfCi")
            for word, kind in (("name", str), ("pid", int), ("tid", int), ("ts", (int, float))):
                self.assertIsInstance(event[word], kind)
            key = (event["pid"], event.get("cat"), event.get("id"))
            if event["ph"] == "b":
                open_ones[key].append((event["name"], event["ts"]))
            elif event["ph"] == "e":
                begun, ts = open_ones[key].pop()
                self.assertEqual(begun, event["name"])
                self.assertGreaterEqual(event["ts"], ts)
            elif event["ph"] == "X":
                points.add((event["pid"], event["tid"], event["ts"]))
            elif event["ph"] in "stf":
                self.assertIn((event["pid"], event["tid"], event["ts"]), points)
                flows[key].append((event["ph"], event["ts"]))
            elif event["ph"] == "C":
                self.assertTrue(all(value >= 0 for value in event["args"].values()))
        self.assertFalse([name for name, left in open_ones.items() if left])
        for flow in flows.values():
            self.assertRegex("".join(sorted((ph for ph, _ in flow), key="stf".index)), "^st*f$")
        return flows


def main():
    unittest.main(argv=sys.argv[:1] + sys.argv[6:], verbosity=2)
