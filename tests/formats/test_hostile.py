# SPDX-License-Identifier: GPL-2.0-or-later
"""Names made of all that means something to somebody, in each format: no harm, valid, and all of
them is there, but what is cut after so many bytes.

usage: test_hostile.py SHMEMSCOPE REPLAY FIXTURE_REPORT FIXTURES CHECKS
"""

import json
import os
import re
import unicodedata

import jsonschema

import findings
import rendered
from rendered import PLUGINS, SHMEMSCOPE, Rendered, alarms, told

MOST = 256  # bytes of a name; "..." stands for the rest
FIELDS = ("vm", "id", "chardev")
# As a fixture writes them, and what is told of them; None: the same as it is.
NAMES = {
    "markup": (r"<b onclick='x()'>&amp;<!--]]></testcase><script>alert(1)</script>", None),
    "ends": (r"]]>]]&gt;</script ></SCRIPT><![CDATA[ --> <!DOCTYPE a [<!ENTITY b 'c'>]> &b;", None),
    "escapes": (r"\033[2J\033]0;owned\007\r\b\177\302\2331m",
                r"\x1b[2J\x1b]0;owned\x07\x0d\x08\x7f\u{9b}1m"),
    "lines": (r"one\ntwo\r\nthree\302\205four\342\200\250five\342\200\251six",
              r"one\x0atwo\x0d\x0athree\u{85}four\u{2028}five\u{2029}six"),
    "bytes": (r"\377\376\300\200\355\240\200 and a half \342\202",
              r"\xff\xfe\xc0\x80\xed\xa0\x80 and a half \xe2\x82"),
    "bidi": (r"a\342\200\256b\342\201\246c\342\200\213d\357\273\277e",
             r"a\u{202e}b\u{2066}c\u{200b}d\u{feff}e"),
    "marks": (r"e\314\201 \356\200\200 \357\277\277", r"e\u{301} \u{e000} \u{ffff}"),
    "controls": ("".join(rf"\{byte:03o}" for byte in range(1, 32)) + ".",
                 "".join(rf"\x{byte:02x}" for byte in range(1, 32)) + "."),
    "quotes": (r"\"} ] , \\ \\u0000 ${x} `id` $(id) %s %n {0} '' ||",
               "\"} ] , \\ \\u0000 ${x} `id` $(id) %s %n {0} '' ||"),
    "formulas": (r"=cmd|' /C calc'!A0", None),
    "megabyte": ("<&" + "x" * (1 << 20), "<&" + "x" * (MOST - 2) + "..."),
    # The cut goes through a character, which is left out whole.
    "wide": ("y" + r"\342\202\254" * (1 << 18), "y" + "€" * 85 + "..."),
}


class Hostile(Rendered):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        source = os.path.dirname(os.path.dirname(rendered.HERE))
        with open(os.path.join(source, "analysis", "report", "report.schema.json"),
                  encoding="utf-8") as schema:
            cls.schema = json.load(schema)

    def told_with(self, kind, name):
        """A recording of a hang, in which all that has a name has that one."""
        with open(told("map-pipelined"), encoding="utf-8") as source:
            text = source.read()
        changed = re.sub(rf"\b({'|'.join(FIELDS)})=[\w-]+",
                         lambda found: f'{found.group(1)}="{name}"', text)
        self.assertNotEqual(changed, text)
        fixture = os.path.join(self.tmp, f"{kind}.fixture")
        with open(fixture, "w", encoding="utf-8") as out:
            out.write(changed)
        self.record(kind, fixture, ("--subbuf-size=16M", "--num-subbuf=4"))
        return self.traces[kind]

    def test_names(self):
        for kind, (name, told_name) in NAMES.items():
            with self.subTest(kind=kind):
                trace = self.told_with(kind, name)
                self.check(kind, trace, told_name or name)

    def check(self, kind, trace, name):
        data = json.loads(self.render("json", kind))
        jsonschema.validate(data, self.schema)
        self.assertEqual(alarms(data), {"reply-commit-deadlock"})
        self.assertEqual([process["vm"] for process in data["processes"]], [name])
        self.assertEqual([(device["id"], device["chardev"]) for device in data["devices"]],
                         [(name, name)])
        # Each format has those names, valid, with nothing in them that is not harmless.
        self.render("text", kind)
        self.assertEqual(self.html(kind)["report"], data)
        self.assertTrue(all(case.get("name") for case in self.junit(kind)))
        self.assertEqual({one["logicalLocations"][0]["fullyQualifiedName"]
                          for result in self.sarif(kind)["results"] if result["kind"] == "fail"
                          for one in result["locations"]}, {f"{name}/{name}"})
        said = [event["args"] for event in self.chrome(kind) if event["ph"] == "i"]
        self.assertEqual({(one["vm"], one["device"]) for one in said}, {(name, name)})
        if kind not in ("quotes", "ends"):  # what its reader here takes for its own brackets
            self.assertEqual(findings.compare(SHMEMSCOPE, PLUGINS, trace), [])
        if PLUGINS:
            self.check_written(trace, data, name)

    def check_written(self, trace, data, name):
        """By the filter into CTF, and from there: what was added has the names as they are told."""
        text = findings.written(PLUGINS, trace)
        for character in set(text):
            self.assertTrue(character == "\n" or unicodedata.category(character) not in
                            ("Cc", "Cf", "Co", "Zl", "Zp"), hex(ord(character)))
        read = list(findings.of_filter(text))
        self.assertEqual([(one.id, one.certainty, one.count) for one in read],
                         [(one["id"], one["certainty"], one["count"]) for one in data["findings"]])
        self.assertEqual({(one.vm, one.device) for one in read}, {(name, name)})


if __name__ == "__main__":
    rendered.main()
