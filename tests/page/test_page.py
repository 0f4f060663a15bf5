#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""test_page.py FIXTURE_REPORT SHMEMSCOPE TESTS: the page as a file, without a browser.

It asks for nothing, its programs are the ones that were built, and its data is the report's.
"""

import base64
import glob
import hashlib
import html.parser
import json
import os
import re
import subprocess
import sys
import tempfile
import unicodedata
import unittest

PROGRAM = COMMAND = TESTS = ""
# What fetches, or can be made to.
FETCHING = {"src", "srcset", "href", "action", "formaction", "poster", "background", "ping", "cite",
            "xlink:href", "longdesc", "manifest"}
NAMES = {
    "markup": r"</script><script>document.title='owned'</script><img src=x onerror=alert(1)>",
    "comment": r"<!--<script>",
    "separators": r"a\342\200\250b\342\200\251c",
    "bytes": r"\377\376\300\200\355\240\200 and a half \342\202",
    "quotes": r"\"} ] , \\ \\u0000 ${x} %s %n",
    "megabyte": "<&" + "x" * (1 << 20),
}


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.inside, self.texts = [], None, []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.inside = (tag, dict(attrs)) if tag in ("script", "style") else None
        if self.inside:
            self.texts.append((tag, dict(attrs), []))

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside:
            self.texts[-1][2].append(data)

    def all(self, tag):
        return [(attrs, "".join(parts)) for name, attrs, parts in self.texts if name == tag]

    def data(self, name):
        found = [text for attrs, text in self.all("script") if attrs.get("id") == name]
        assert len(found) == 1, f"{len(found)} elements have the id {name}"
        return json.loads(found[0])


def render(fmt, fixture):
    run = subprocess.run([PROGRAM, fmt, fixture], capture_output=True, check=True, timeout=120)
    return run.stdout.decode("utf-8")  # or it is no text


def fixtures():
    return sorted(glob.glob(os.path.join(TESTS, "analysis", "fixtures", "*.fixture")) +
                  glob.glob(os.path.join(TESTS, "checks", "*leak*.fixture")) +
                  glob.glob(os.path.join(TESTS, "checks", "reply-commit-deadlock*.fixture")))


class PageTests(unittest.TestCase):

    def check(self, fixture):
        """All that holds for every page; of a fixture."""
        return self.check_page(render("report-html", fixture),
                               json.loads(render("report-json", fixture)))

    def check_page(self, text, report):
        for character in set(text):
            self.assertTrue(character == "\n" or unicodedata.category(character) not in
                            ("Cc", "Cf", "Co", "Zl", "Zp"), hex(ord(character)))
        page = Page(text)
        self.assertEqual([attrs.get("id") for attrs, _ in page.all("script")],
                         ["report", "more", "lives", None])
        for tag, attrs in page.elements:
            self.assertNotIn(tag, ("iframe", "object", "embed", "img", "base"))
            for name, value in attrs.items():
                self.assertFalse(name.startswith("on"), (tag, name))
                if name in FETCHING:
                    self.assertRegex(value, r"^(#|data:,$)")
        self.assertEqual(page.data("report"), report)
        return page, report

    def test_each_fixture(self):
        paths = fixtures()
        self.assertGreater(len(paths), 40)
        for path in paths:
            with self.subTest(fixture=os.path.basename(path)):
                page, report = self.check(path)
                more, lives = page.data("more"), page.data("lives")
                self.assertEqual(len(more["titles"]), len(report["findings"]))
                self.assertTrue(all(len(life) == len(more["fields"]) for life in lives))
                if report["counts"]["mappings_created"] is not None:
                    self.assertGreaterEqual(len(lives), report["counts"]["mappings_created"])
                open_ones = sum(life[more["fields"].index("closed")] is None for life in lives)
                self.assertGreaterEqual(open_ones, report["mappings_total"])

    def test_each_look(self):
        """What was looked at has no lives, and the document of `now`."""
        cases = os.path.join(TESTS, "autopsy", "explained")
        names = [os.path.basename(path)[:-len(".case")] for path in glob.glob(f"{cases}/*.case")]
        self.assertGreater(len(names), 30)
        for name in names:
            with self.subTest(case=name), tempfile.TemporaryDirectory() as tmp:
                path = os.path.join(tmp, "look.json")
                with open(path, "wb") as out:
                    out.write(subprocess.run([os.path.join(cases, "run-explained"), "--evidence",
                                              cases, name], capture_output=True, check=True).stdout)
                said = []
                for fmt in ("html", "json"):
                    run = subprocess.run([COMMAND, "report", "--format", fmt, path],
                                         capture_output=True, check=False, timeout=120)
                    self.assertIn(run.returncode, (0, 1))
                    self.assertEqual(run.stderr, b"")
                    said.append(run.stdout.decode("utf-8"))
                page, report = self.check_page(said[0], json.loads(said[1]))
                self.assertIn("vms", report["look"])
                self.assertEqual(page.data("lives"), [])
                self.assertFalse(page.data("more")["has_lives"])

    def test_a_life(self):
        """The first mapping of the healthy fixture, as the fixture has it."""
        page, _ = self.check(os.path.join(TESTS, "analysis", "fixtures", "healthy.fixture"))
        life = dict(zip(page.data("more")["fields"], page.data("lives")[0]))
        us = {key: life[key] // 1000 for key in
              ("request", "birth", "added", "reply", "visible", "removed", "finalized", "closed")}
        begin = us["request"] - 160
        self.assertEqual({key: value - begin for key, value in us.items()},
                         {"request": 160, "birth": 200, "added": 230, "reply": 240, "visible": 340,
                          "removed": 1070, "finalized": 1690, "closed": 2190})
        self.assertEqual((life["seq"], life["fd"], life["ino"], life["len"], life["reason"]),
                         (1, 31, 7000, 0x1000, "unmap"))

    def test_losses_are_told(self):
        page, _ = self.check(os.path.join(TESTS, "analysis", "fixtures", "losses.fixture"))
        self.assertGreater(len(page.data("more")["losses"]), 0)
        page, _ = self.check(os.path.join(TESTS, "analysis", "fixtures", "healthy.fixture"))
        self.assertEqual(page.data("more")["losses"], [])

    def test_only_what_was_built_runs(self):
        """The policy names the hash of the one program and of the one style, and allows no other."""
        page, _ = self.check(os.path.join(TESTS, "analysis", "fixtures", "healthy.fixture"))
        policy, = [attrs["content"] for tag, attrs in page.elements
                   if tag == "meta" and attrs.get("http-equiv") == "Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)
        self.assertNotIn("http", policy)
        program = [text for attrs, text in page.all("script") if "id" not in attrs]
        for kind, found in (("script", program), ("style", [t for _, t in page.all("style")])):
            self.assertEqual(len(found), 1)
            digest = base64.b64encode(hashlib.sha256(found[0].encode()).digest()).decode()
            self.assertIn(f"{kind}-src 'sha256-{digest}'", policy)

    def test_library_has_its_licence(self):
        text = render("report-html", os.path.join(TESTS, "analysis", "fixtures", "healthy.fixture"))
        with open(os.path.join(os.path.dirname(TESTS), "third-party", "uplot", "LICENSE"),
                  encoding="utf-8") as licence:
            self.assertIn(licence.read(), text)

    def test_hostile_names(self):
        with open(os.path.join(TESTS, "analysis", "fixtures", "map-pipelined.fixture"),
                  encoding="utf-8") as source:
            text = source.read()
        for kind, name in NAMES.items():
            with self.subTest(kind=kind), tempfile.TemporaryDirectory() as tmp:
                path = os.path.join(tmp, "hostile.fixture")
                changed = re.sub(r"\b(vm|id|chardev)=[\w-]+",
                                 lambda found: f'{found.group(1)}="{name}"', text)
                self.assertNotEqual(changed, text)
                with open(path, "w", encoding="utf-8") as out:
                    out.write(changed)
                self.check(path)


if __name__ == "__main__":
    PROGRAM, COMMAND, TESTS = sys.argv[1:4]
    unittest.main(argv=sys.argv[:1] + sys.argv[4:], verbosity=2)
