# SPDX-License-Identifier: GPL-2.0-or-later
"""What the documents print of `now` is what it prints, on a host where web-17 hangs.

With --update the pages of web-17 are made anew instead; the list of VMs is not.

The VMs have names of their own run; what is printed is read with the names of the documents.
"""

import os
import re
import sys
import tempfile
import unittest

import farm as farms
from farm import BUILD, TESTS, Farm, parts
from verb import Output

sys.path.insert(0, os.path.join(TESTS, "man"))
import test_examples                                                 # noqa: E402

ROOT = os.path.dirname(TESTS)
PAGE = os.path.join(ROOT, "man", "shmemscope-now.1")
DOCUMENTS = ("README.md", "docs/now.md")
COMMAND = re.compile(r"^    \$ shmemscope (now .*|now)$")
FREED_WITHIN_S = 10
UPDATE = "--update" in sys.argv
if UPDATE:
    farms.OF_THIS_RUN = ""  # lines are folded by the width of names
# Stands before the tool: whoever follows the manual knows a VM by the name that it has there.
AS_IN_THE_MANUAL = """\
#!/bin/bash
set -o pipefail
for word; do
  case $word in web-*) word+={run} ;; esac
  words+=("$word")
done
"{tool}" "${{words[@]}}" | sed 's/{run}\\>//g'
"""


def outputs(document):
    """{command: what follows it} of the examples of a document; of one that is there twice, a
    list of both."""
    found = {}
    into = None
    with open(os.path.join(ROOT, document), encoding="utf-8") as source:
        for line in source.read().splitlines():
            match = COMMAND.match(line)
            if match:
                into = []
                found.setdefault(match[1], []).append(into)
            elif into is not None and (line.startswith("    ") or not line):
                into.append(line[4:])
            else:
                into = None
    return {command: ["\n".join(lines) for lines in each] for command, each in found.items()}


def indented(text):
    return "".join(f"    {line}".rstrip() + "\n" for line in text.splitlines())


def replace(document, shown, output):
    """Puts an output in the place of what is shown."""
    path = os.path.join(ROOT, document)
    with open(path, encoding="utf-8") as source:
        text = source.read()
    with open(path, "w", encoding="utf-8") as target:
        target.write(text.replace(indented(shown.rstrip("\n")), indented(output), 1))


def plain(text):
    """Without what differs from run to run: numbers, units of time, and how lines are folded."""
    text = re.sub(r"0x7[0-9a-f]{11}", "ADDRESS", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text)
    text = re.sub(r"\b\d+(\.\d+)? [mun]?s\b", "DURATION", text)
    text = re.sub(r"\b\d{2,}\b", "N", text)
    return " ".join(text.split())


def whole_words(line):
    """A line as plain; where it is cut depends on how long the pids are."""
    return re.sub(r"( \w+)? \w*\.\.\.$", "", plain(line))


class PagesTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.farm = cls.enterClassContext(Farm("now-pages"))
        for name, version, role in (("web-16", "released", "resident"),
                                    ("web-17", "released", "map-pipelined"),
                                    ("web-18", "ours", "resident"), ("build-3", "ours", "slow")):
            cls.farm.add(name, version, role)
        cls.farm.start()

    def test_pages(self):
        """In this order: the back-end is ended for what the document says of the time after."""
        self.run_manual()
        shown = {document: outputs(document) for document in DOCUMENTS}
        hung = self.told("web-17")
        for document in DOCUMENTS:
            self.check_page(document, shown[document]["now web-17"][0], hung)
        with self.subTest(document="docs/now.md", command="now"):
            self.check_list(shown["docs/now.md"]["now"][0], self.told("--for", "1.5").splitlines())
        vm = self.farm.vms["web-17"]
        vm.peer.stop()
        self.assertTrue(vm.answers(FREED_WITHIN_S))
        self.check_page("docs/now.md", shown["docs/now.md"]["now web-17"][1],
                        self.told("web-17"))

    @classmethod
    def told(cls, *words):
        """What `now` prints, with the names of the documents."""
        names = {name: vm.vm for name, vm in cls.farm.vms.items()}
        text = Output("now", *(names.get(word, word) for word in words)).text
        for name, own in names.items():
            text = text.replace(own, name)
        return text

    def check_page(self, document, shown, text):
        if UPDATE:
            replace(document, shown, text)
            return
        with self.subTest(document=document):
            self.assertEqual(plain(shown), plain(text))

    def check_list(self, shown, lines):
        """Each line of a VM is there, below those before; the host may have more VMs."""
        told = [whole_words(line) for line in lines]
        at = 0
        for line in shown.partition("\n\n")[2].splitlines():
            self.assertIn(whole_words(line), told[at:], "\n".join(lines))
            at = told.index(whole_words(line), at) + 1
        self.assertGreater(at, 10)

    def run_manual(self):
        with tempfile.TemporaryDirectory(prefix="ss-now-") as top:
            programs = os.path.join(top, ".bin")
            os.mkdir(programs)
            program = os.path.join(programs, "shmemscope")
            with open(program, "w", encoding="utf-8") as script:
                script.write(AS_IN_THE_MANUAL.format(tool=parts.Programs(BUILD).tool,
                                                     run=farms.OF_THIS_RUN))
            os.chmod(program, 0o755)
            runner = test_examples.ExamplesTest("run_example")
            runner.top = top
            runner.environment = dict(os.environ, LC_ALL="C", NO_COLOR="",
                                      PATH=f"{programs}:{os.environ['PATH']}")
            found = list(test_examples.examples(PAGE, "A VM THAT HANGS"))
            self.assertEqual(len(found), 4)
            for example in found:
                with self.subTest(command=example.command):
                    runner.run_example(example)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
