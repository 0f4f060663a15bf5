# SPDX-License-Identifier: GPL-2.0-or-later
"""The installed tool does all that it does, with neither its source nor its build in reach."""

import json
import os
import re
import shutil
import sys
import tempfile
import unittest
import urllib.parse

import jsonschema

import installed

sys.path.insert(0, str(installed.SOURCE / "tests" / "babeltrace"))

import common                                                        # noqa: E402


def setUpModule():
    global TOP, TREE, TRACE
    common.begin()
    TOP = tempfile.TemporaryDirectory(prefix="shmemscope-installed-")
    unittest.addModuleCleanup(TOP.cleanup)
    TREE = installed.Installed(TOP.name)
    TRACE = os.path.join(TOP.name, "trace")
    common.record(common.fixture("healthy"), TRACE)


def alone(*command):
    """Standard output of a run that has nothing to complain of."""
    done = TREE.alone(*command)
    if done.returncode != 0 or done.stderr:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def built(*arguments):
    return installed.checked(common.SHMEMSCOPE, *arguments).stdout


class Installed(unittest.TestCase):
    maxDiff = None

    def path(self, name):
        return os.path.join(TOP.name, name)

    def validate(self, text, schema):
        with open(TREE.at(TREE.datadir / "shmemscope" / f"{schema}.schema.json"),
                  encoding="utf-8") as source:
            jsonschema.validate(json.loads(text), json.load(source))
        return json.loads(text)

    def test_alone(self):
        """What these tests rely on: it is there, what it was made of is not."""
        self.assertEqual(alone("sh", "-c", "command -v shmemscope"), f"{TREE.program}\n")
        for place in (installed.SOURCE / "meson.build", installed.BUILD / "build.ninja"):
            self.assertTrue(place.exists())
            self.assertEqual(TREE.alone("test", "-e", place).returncode, 1)

    def test_help(self):
        text = alone("shmemscope", "--help")
        verbs = re.findall(r"(?m)^  (\w+) ", text)
        self.assertGreaterEqual(set(verbs), {"now", "record", "report", "waits", "doctor"})
        for verb in verbs:
            self.assertRegex(alone("shmemscope", verb, "--help"),
                             rf"^Usage:\s+shmemscope {verb} \S")
            page = TREE.mandir / "man1" / f"shmemscope-{verb}.1"
            self.assertTrue(TREE.at(page).exists(), page)
        place = re.search(r" is in (/.*)\n", text)[1]
        self.assertEqual(place, str(TREE.documents))
        self.assertTrue(TREE.at(TREE.documents / "docs" / "DESIGN.md").exists())

    def test_version(self):
        self.assertEqual(alone("shmemscope", "--version"), built("--version"))

    def test_report(self):
        for verb, *options in (["report"], ["report", "--format", "sarif"],
                               ["report", "--format", "html"], ["mappings"], ["fds"], ["waits"],
                               ["report", "--format", "json"]):
            told = alone("shmemscope", verb, *options, TRACE)
            self.assertEqual(told, built(verb, *options, TRACE))
        report = self.validate(told, "report")
        for finding in report["findings"]:
            page = TREE.documents / "docs" / "findings" / f"{finding['id']}.md"
            self.assertTrue(TREE.at(page).exists(), page)

    def test_pages(self):
        """Each rule of SARIF has a page where it says."""
        rules = json.loads(alone("shmemscope", "report", "--format", "sarif", TRACE))[
            "runs"][0]["tool"]["driver"]["rules"]
        self.assertGreater(len(rules), 20)
        for rule in rules:
            uri = urllib.parse.urlsplit(rule["helpUri"])
            self.assertEqual((uri.scheme, uri.netloc), ("file", ""))
            page = TREE.at(urllib.parse.unquote(uri.path))
            self.assertIn(f"# {rule['id']}\n", page.read_text(encoding="utf-8"))

    def test_reproduce(self):
        """The program that it writes needs nothing of ours, either."""
        source = self.path("order.c")
        alone("shmemscope", "waits", "--reproduce", "nested-wait:1", "--output", source, TRACE)
        alone("gcc", "-Wall", "-Werror", "-o", self.path("order"), source, "-lpthread")
        self.assertIn("sage: ", alone(self.path("order"), "--help"))

    def test_record(self):
        """A real process, recorded by the wire library that is found without being told."""
        program = shutil.copy(common.CALLS, self.path("calls"))
        out = self.path("wire")
        done = TREE.alone("shmemscope", "record", "--wire", "--set", "catalogue", "--output", out,
                          "--", program, "each-call", self.path("expected"))
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.path("expected"), encoding="utf-8") as lines:
            expected = [line.split()[0] for line in lines]
        self.assertGreater(len(expected), 100)
        told = re.findall(r" shmemscope_wire:(\w+): ", alone("babeltrace2", out))
        self.assertEqual([name for name in told if name != "library"],
                         [name for name in expected if name != "end"])
        report = self.validate(TREE.alone("shmemscope", "report", "--format", "json", out).stdout,
                               "report")
        self.assertIn("wire", json.dumps(report["processes"]))

    def test_doctor(self):
        for program, library in ((TREE.program, TREE.libdir),
                                 (TREE.at(TREE.program), TREE.at(TREE.libdir))):
            with self.subTest(program=program):
                done = TREE.alone(program, "doctor", "--format", "json")
                self.assertIn(done.returncode, (0, 1), done.stderr)
                said = self.validate(done.stdout, "doctor")
                wire, = [item for item in said["items"]
                         if (item["area"], item["id"]) == ("library", "wire")]
                self.assertEqual(wire["state"], "good")
                self.assertIn(f"{library}/libshmemscope-wire.so", wire["text"])

    def test_now(self):
        """Whatever runs here: what it sees is kept, and can be read again."""
        saved = self.path("look.json")
        self.assertIn(TREE.alone("shmemscope", "now", "--save", saved).returncode, (0, 1))
        again = TREE.alone("shmemscope", "report", "--format", "json", saved)
        self.assertIn(again.returncode, (0, 1), again.stderr)
        self.validate(again.stdout, "report")

    def test_babeltrace(self):
        """Without an option that says where the plugin is."""
        text = alone("babeltrace2", "list-plugins")
        listed = dict(re.findall(r"(?m)^(\S+):\n  Path: (\S+)", text))
        self.assertEqual(os.path.basename(listed["shmemscope"]), installed.PLUGIN)
        self.assertIn("ctf", listed)
        self.assertEqual(alone("babeltrace2", TRACE, "-c", common.SINK),
                         alone("shmemscope", "report", TRACE))
        lives = self.path("lives")
        alone("babeltrace2", TRACE, "-c", "filter.shmemscope.lifetimes", "-c", "sink.ctf.fs",
              "--params", f'path="{lives}",quiet=yes')
        self.assertIn(" shmemscope:mapping", alone("babeltrace2", lives))

    def test_references(self):
        """Names of pages in reports are those of files."""
        page, = set(re.findall(r"more +(\S+)", alone("shmemscope", "report", TRACE)))
        self.assertTrue(TREE.at(TREE.documents / page).exists(), page)


if __name__ == "__main__":
    unittest.main(verbosity=2)
