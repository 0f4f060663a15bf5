#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The examples of the manual pages do what the pages say, on real LTTng recordings.

usage: test_examples.py SHMEMSCOPE REPLAY EMIT FIXTURES PAGE...

In the literal blocks of EXAMPLES a line that begins with "$ " is a command; what follows up to
the next one is what it prints, among other things and in this order. "..." stands for any text.
"$ echo $?" gives the exit status of the command before; a command without it has to end with 0.
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

SHMEMSCOPE = REPLAY = EMIT = FIXTURES = ''
PAGES = []
PATIENCE = 60  # seconds
# The recordings that the pages speak of, by the fixture that is told through LTTng.
RECORDINGS = {'healthy': 'healthy', 'busy': 'live', 'hung': 'map-pipelined'}


class Example:
    def __init__(self, command):
        self.command = command
        self.lines = []
        self.status = 0


def blocks(page, section='EXAMPLES'):
    """The lines of each literal block in a section, as a reader sees them."""
    inside = block = None
    with open(page, encoding='utf-8') as source:
        for line in source.read().splitlines():
            if line.startswith('.Sh '):
                inside = line == f'.Sh {section}'
            elif inside and line.startswith('.Bd -literal'):
                block = []
            elif inside and line == '.Ed':
                yield block
                block = None
            elif block is not None:
                block.append(line.replace('\\e', '\\').replace('\\&', ''))


def examples(page, section='EXAMPLES'):
    for block in blocks(page, section):
        found = []
        status_of = None
        for line in block:
            if line == '$ echo $?':
                status_of = found[-1]
            elif status_of:
                status_of.status = int(line)
                status_of = None
            elif line.startswith('$ '):
                found.append(Example(line[2:]))
            else:
                found[-1].lines.append(line)
        yield from found


def squeezed(text):
    return re.sub(r'\s+', ' ', text).strip()


def pattern(line):
    return '.*'.join(re.escape(part) for part in squeezed(line).split('...'))


def missing(lines, output):
    """The first of the lines that is not in the output, after those before it; or None."""
    told = [squeezed(line) for line in output.splitlines()]
    at = 0
    for line in lines:
        wanted = re.compile(pattern(line))
        while at < len(told) and not wanted.search(told[at]):
            at += 1
        if at == len(told):
            return line
        at += 1
    return None


class ReaderTest(unittest.TestCase):
    """What reads the pages would notice."""

    def test_missing(self):
        self.assertIsNone(missing(['a ... c', 'd'], 'x\n  a  b   c\ny\nd\n'))
        self.assertEqual(missing(['d', 'a'], 'a\nd\n'), 'a')
        self.assertEqual(missing(['a.c'], 'abc\n'), 'a.c')


class ExamplesTest(unittest.TestCase):
    def setUp(self):
        top = tempfile.TemporaryDirectory(prefix='ss-man-')
        self.addCleanup(top.cleanup)
        self.top = top.name
        programs = os.path.join(self.top, '.bin')
        os.mkdir(programs)
        os.symlink(SHMEMSCOPE, os.path.join(programs, 'shmemscope'))
        # A QEMU's events without a QEMU: its provider, told by the generator.
        qemu = os.path.join(programs, 'qemu-system-x86_64')
        with open(qemu, 'w', encoding='utf-8') as script:
            # It may be built with a sanitizer, whose runtime does not come first then.
            script.write('#!/bin/sh\nexport ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0"\n'
                         f'exec "{REPLAY}" "{self.fixture("healthy")}"\n')
        os.chmod(qemu, 0o755)
        self.environment = dict(os.environ, PATH=f'{programs}:{os.environ["PATH"]}', LC_ALL='C',
                                NO_COLOR='')

    @staticmethod
    def fixture(name):
        return os.path.join(FIXTURES, f'{name}.fixture')

    def record(self, name):
        done = subprocess.run([SHMEMSCOPE, 'record', '--output', os.path.join(self.top, name),
                               '--', REPLAY, self.fixture(RECORDINGS[name])],
                              capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def start_one_that_runs(self):
        """A traced process for the examples that record one, its pid in qemu.pid."""
        process = subprocess.Popen([EMIT, '1'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   text=True)
        self.addCleanup(process.wait, PATIENCE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        process.stdout.readline()
        with open(os.path.join(self.top, 'qemu.pid'), 'w', encoding='utf-8') as pid:
            pid.write(f'{process.pid}\n')

    def run_example(self, example):
        done = subprocess.run(['/bin/sh', '-c', example.command], cwd=self.top,
                              env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, example.status,
                         f'{example.command}\n{done.stdout}')
        lost = missing(example.lines, done.stdout)
        self.assertIsNone(lost, f'{example.command}\ndoes not print "{lost}", but:\n{done.stdout}')

    def check_page(self, page):
        found = list(examples(page))
        self.assertTrue(found, 'the page has no example')
        words = ' '.join(example.command for example in found).split()
        for name in RECORDINGS:
            if name in words:
                self.record(name)
        if any('qemu.pid' in word for word in words):
            self.start_one_that_runs()
        for example in found:
            with self.subTest(command=example.command):
                self.run_example(example)


class HelpTest(unittest.TestCase):
    def test_options_are_the_same(self):
        """Each option of --help is in the verb's page, and no other."""
        for page in PAGES:
            verb = os.path.basename(page).removesuffix('.1').partition('-')[2]
            if not verb:
                continue
            with self.subTest(verb=verb):
                told = subprocess.run([SHMEMSCOPE, verb, '--help'], capture_output=True,
                                      text=True, timeout=PATIENCE, check=True).stdout
                with open(page, encoding='utf-8') as source:
                    text = source.read()
                described = re.findall(r'^\.It (?:Fl (\w) , )?Fl -([\w-]+)', text, re.MULTILINE)
                options = re.findall(r'^  (?:-(\w), )?--([\w-]+)', told, re.MULTILINE)
                self.assertEqual(sorted(described), sorted(options))

    def test_verbs_are_the_same(self):
        told = subprocess.run([SHMEMSCOPE, '--help'], capture_output=True, text=True,
                              timeout=PATIENCE, check=True).stdout
        verbs = re.findall(r'^  (\w+)  ', told, re.MULTILINE)
        pages = [os.path.basename(page) for page in PAGES]
        self.assertEqual(sorted(pages),
                         sorted(['shmemscope.1'] + [f'shmemscope-{verb}.1' for verb in verbs]))


if __name__ == '__main__':
    SHMEMSCOPE, REPLAY, EMIT, FIXTURES = (os.path.abspath(path) for path in sys.argv[1:5])
    PAGES = sys.argv[5:]
    for path in PAGES:
        name = os.path.basename(path).removesuffix('.1').replace('-', '_')
        setattr(ExamplesTest, f'test_{name}', lambda self, path=path: self.check_page(path))
    unittest.main(argv=sys.argv[:1], verbosity=2)
