# SPDX-License-Identifier: GPL-2.0-or-later
"""Names, labels and threads called by all that means something to somebody, in each format: no
harm, valid, and all of it is there, but what is cut after so many bytes.

usage: test_hostile.py SHMEMSCOPE REPLAY FIXTURE_REPORT FIXTURES CHECKS
In the environment SHMEMSCOPE_WIRE: the library that tells labels.
"""

import json
import os
import re
import sys
import unicodedata

import jsonschema

import findings
import rendered
from rendered import (CHECKS, FIXTURE_REPORT, HERE, PLUGINS, SHMEMSCOPE, Rendered, alarms, told)

WIRE = os.environ["SHMEMSCOPE_WIRE"]
MOST = 256  # bytes of a name; "..." stands for the rest
MOST_OF_LABEL = 255
SHOWN_OF_LABEL = 64  # characters, in running text
MOST_OF_THREAD = 15  # that the kernel takes
FIELDS = ("vm", "id", "chardev")
# Of the request before it nothing comes any more, however soon the recording is stopped.
NEXT = """+0.000360 4242 4242 qemu:vhost_user_backend_request dev=0x5000 vdev=0x6000 seq=2 request=2 \
flags=0x1 size=8 fds=0
+0.000370 4242 4242 qemu:vhost_user_backend_dispatched dev=0x5000 seq=2 request=2 depth=0 ret=0
"""
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
    "megabyte": ("<&" + "x" * (1 << 20), None),
    # The cut goes through a character, which is left out whole.
    "wide": ("y" + r"\342\202\254" * (1 << 18), "y" + "€" * (1 << 18)),
}


def raw(kind):
    return NAMES[kind][0].encode("ascii").decode("unicode_escape").encode("latin-1")


def shown(kind, most):
    """What is told of the first bytes of it; only what is long is told as it is."""
    name = NAMES[kind][1] or NAMES[kind][0]
    if len(raw(kind)) <= most:
        return name
    return name.encode()[:most].decode(errors="ignore") + "..."


def harmless(text):
    """As it has to be told, by Python's own knowledge of characters."""
    told_text, rest = "", text
    while rest:
        for length in range(1, 5):
            try:
                character = rest[:length].decode()
                break
            except UnicodeDecodeError:
                character = None
        number = ord(character) if character else rest[0]
        if character and unicodedata.category(character)[0] not in "CM" \
                and unicodedata.category(character) not in ("Zl", "Zp"):
            told_text += character
        elif character and number >= 128:
            told_text += f"\\u{{{number:x}}}"
        else:
            told_text += f"\\x{number:02x}"
        rest = rest[len(character.encode()) if character else 1:]
    return told_text


def in_running_text(label):
    return "labelled \"" + label[:SHOWN_OF_LABEL] + \
        ("..." if len(label) > SHOWN_OF_LABEL else "") + "\""


def closed_up(text):
    """Wherever it is wrapped."""
    return "".join(text.split())


class Hostile(Rendered):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        source = os.path.dirname(os.path.dirname(rendered.HERE))
        with open(os.path.join(source, "analysis", "report", "report.schema.json"),
                  encoding="utf-8") as schema:
            cls.schema = json.load(schema)

    def write(self, name, text):
        path = os.path.join(self.tmp, name)
        with open(path, "wb") as out:
            out.write(text if isinstance(text, bytes) else text.encode())
        return path

    def record_with(self, kind, name):
        """A leak, in which all that has a name has that one; and the file's label, by a process of
        its own, is that as well."""
        with open(os.path.join(CHECKS, "fd-leak.received.fixture"), encoding="utf-8") as source:
            text = source.read()
        file = self.write(f"{kind}.mapped", b"")
        is_now = os.stat(file)
        label = self.write(f"{kind}.label", raw(kind))
        changed = re.sub(rf"\b({'|'.join(FIELDS)})=[\w-]+",
                         lambda found: f'{found.group(1)}="{name}"', text)
        self.assertNotEqual(changed, text)
        changed = re.sub("^(thread .*) [^ ]+$", lambda found: f'{found.group(1)} "{name}"', changed,
                         flags=re.MULTILINE)
        of_file = f"fdev={is_now.st_dev} ino={is_now.st_ino} "
        self.assertIn("fdev=1 ino=7000 ", changed)
        changed, count = re.subn("^end .*$", lambda found: NEXT + found.group(0), changed,
                                 flags=re.MULTILINE)
        self.assertEqual(count, 1)
        fixture = self.write(f"{kind}.fixture", changed.replace("fdev=1 ino=7000 ", of_file))
        self.traces[kind] = os.path.join(self.tmp, kind)
        with self.common.Session(self.traces[kind],
                                 channel=("--subbuf-size=16M", "--num-subbuf=4")) as session:
            session.run([sys.executable, os.path.join(HERE, "noter.py"), file, label],
                        LD_PRELOAD=WIRE)
            session.play(fixture, SS_REPLAY_NAMES="yes")

    def test_names(self):
        for kind in NAMES:
            with self.subTest(kind=kind):
                self.record_with(kind, NAMES[kind][0])
                self.check(kind, shown(kind, MOST), shown(kind, MOST_OF_LABEL))

    def check(self, kind, name, label):
        trace = self.traces[kind]
        data = json.loads(self.render("json", kind))
        jsonschema.validate(data, self.schema)
        self.assertEqual(alarms(data), {"fd-leak"})
        self.assertEqual([process["vm"] for process in data["processes"]], [name])
        self.assertEqual([process["name"] for process in data["processes"]],
                         [harmless(raw(kind)[:MOST_OF_THREAD])])
        self.assertEqual([(device["id"], device["chardev"]) for device in data["devices"]],
                         [(name, name)])
        # Each format has those names, valid, with nothing in them that is not harmless; and the
        # label of the finding, and of the mapping.
        said = in_running_text(label)
        self.assertEqual([found["labels"] for found in data["findings"]
                          if found["certainty"] == "observed"], [[label]])
        self.assertIn(closed_up(said), closed_up(self.render("text", kind)))
        page = self.html(kind)
        self.assertEqual(page["report"], data)
        self.assertEqual({life[-1] for life in page["lives"]}, {label})
        cases = self.junit(kind)
        self.assertTrue(all(case.get("name") for case in cases))
        self.assertEqual(sum(said in (case.findtext("failure") or "") for case in cases), 1)
        results = self.sarif(kind)["results"]
        self.assertEqual({one["logicalLocations"][0]["fullyQualifiedName"]
                          for result in results if result["kind"] == "fail"
                          for one in result["locations"]}, {f"{name}/{name}"})
        self.assertEqual(sum(said in result["message"]["text"] for result in results), 1)
        events = [event for event in self.chrome(kind) if "args" in event]
        self.assertEqual({(event["args"]["vm"], event["args"]["device"])
                          for event in events if event["ph"] == "i"}, {(name, name)})
        self.assertEqual({event["args"]["label"] for event in events if "label" in event["args"]},
                         {label})
        self.assertEqual([event["args"]["labels"] for event in events if "labels" in event["args"]],
                         [said])
        if kind not in ("quotes", "ends"):  # what its reader here takes for its own brackets
            self.assertEqual(findings.compare(SHMEMSCOPE, PLUGINS, trace), [])
        if PLUGINS:
            self.check_written(trace, data, name, label)

    def check_written(self, trace, data, name, label):
        """By the filter into CTF, and from there: what was added has the names as they are told."""
        text = findings.written(PLUGINS, trace)
        for character in set(text):
            self.assertTrue(character == "\n" or unicodedata.category(character) not in
                            ("Cc", "Cf", "Co", "Zl", "Zp"), hex(ord(character)))
        read = list(findings.of_filter(text))
        self.assertEqual([(one.id, one.certainty, one.count) for one in read],
                         [(one["id"], one["certainty"], one["count"]) for one in data["findings"]])
        self.assertEqual({(one.vm, one.device) for one in read}, {(name, name)})
        labels = {of: {re.sub(r"\\(.)", r"\1", told_label) for told_label in
                       re.findall(rf' shmemscope:{of}: .* labels? = "((?:[^"\\]|\\.)*)" }}$', text,
                                  re.MULTILINE)} for of in ("mapping_life", "finding")}
        self.assertEqual(labels["mapping_life"], {label})
        self.assertLessEqual({in_running_text(label)}, labels["finding"])

    def test_thread_that_hangs(self):
        """In words of its own, beside labels of any length, and in the lists as well."""
        with open(os.path.join(CHECKS, "reply-commit-deadlock.three-parties.fixture"),
                  encoding="utf-8") as source:
            text = source.read()
        for kind in ("markup", "escapes", "lines", "bytes", "wide"):
            name = NAMES[kind][0]
            with self.subTest(kind=kind):
                changed = re.sub(r"^(thread .*) [\w-]+$|^(thread .*) \".*\"$",
                                 lambda found, to=name: f'{found[1] or found[2]} "{to}"', text,
                                 flags=re.MULTILINE)
                noted = "".join("+0.000001 5000 5000 shmemscope_wire:note fdev=1 "
                                f'ino={ino} label="{name}"\n'
                                for ino in sorted(set(re.findall(r"ino=(\d+)", text))))
                at = changed.index("+0.0")
                self.check_hang(kind, self.write(f"{kind}.hang.fixture",
                                                 changed[:at] + noted + changed[at:]))

    def check_hang(self, kind, fixture):
        who, label = "QEMU thread " + shown(kind, MOST), shown(kind, MOST_OF_LABEL)
        data = json.loads(self.render("json", fixture))
        jsonschema.validate(data, self.schema)
        self.assertEqual(alarms(data), {"reply-commit-deadlock"})
        hang = next(found for found in data["findings"] if found["id"] == "reply-commit-deadlock")
        self.assertIn(who, [statement["who"] for statement in hang["statements"]])
        self.assertEqual({one["label"] for one in data["mappings"]}, {label})
        self.assertIn(closed_up(who), closed_up(self.render("text", fixture)))
        page = self.html(fixture)
        self.assertEqual(page["report"], data)
        self.assertEqual({life[-1] for life in page["lives"]}, {label})
        self.assertTrue(all(case.get("name") for case in self.junit(fixture)))
        self.assertTrue(self.sarif(fixture)["results"])
        self.assertIn(label, {event.get("args", {}).get("label") for event in self.chrome(fixture)})
        for listing in ("mappings", "fds", "waits"):
            listed = self.run_report(f"{listing}-text", fixture)
            self.assertLessEqual(max(map(len, listed.splitlines())), 80)
            json.loads(self.run_report(f"{listing}-json", fixture))


if __name__ == "__main__":
    rendered.main()
