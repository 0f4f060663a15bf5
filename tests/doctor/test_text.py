#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The doctor's text and command line.

usage: test_text.py SHMEMSCOPE WIRE SCHEMA
"""

import json
import re
import subprocess
import sys
import unittest

from doctor import ROOT, DoctorTest, as_nobody, mounts

HEADINGS = ['This host can:', 'In the way:', 'To be known:', 'As it should be:']


class TextTest(DoctorTest):
    def sick(self):
        """Arguments with which something is in the way and something to be known.

        QEMUs that come and go are not seen: what one run tells the next one has to tell, too.
        """
        return {'before': mounts('mount -t tmpfs -o size=64k tmpfs /dev/shm\n'
                                 'mount -t proc proc /proc', '--pid', '--fork') + as_nobody()}

    def test_worst_first(self):
        done = self.run_doctor('--qemu', 'cat', **self.sick())
        self.assertEqual((done.returncode, done.stderr), (1, ''))
        lines = done.stdout.splitlines()
        self.assertEqual([line for line in lines if line and line[0] != ' '], HEADINGS)
        self.assertRegex(done.stdout, r'(?m)^  record this QEMU, from inside: NO$')
        # The command that mends it is one line, whatever its length.
        for line in lines:
            if '-> ' not in line:
                self.assertLessEqual(len(line), 80, line)

    def test_every_item_is_in_it(self):
        sick = self.sick()
        text = re.sub(r'\s+', '', self.run_doctor('--qemu', 'cat', **sick).stdout)
        document = json.loads(self.run_doctor('--qemu', 'cat', '--format', 'json', **sick).stdout)
        for item in document['items']:
            # What is free changes from one run to the next.
            if item['id'] not in ('buffers', 'disk', 'versions'):
                self.assertIn(re.sub(r'\s+', '', item['text']), text)
            if item['mend']:
                self.assertIn('->' + re.sub(r'\s+', '', item['mend']), text)

    def test_what_the_verdict_says(self):
        done = self.run_doctor('--ask', 'now', before=as_nobody() if ROOT else ())
        self.assertEqual(done.returncode, 0)
        self.assertRegex(' '.join(done.stdout.split()), 'look at a VM that hangs, without a '
                         'recording: only programs of this (user|container) ')

    def test_without_what_fails_nothing_is_in_the_way(self):
        done = self.run_doctor('--backend', 'cat')
        self.assertRegex(done.stdout, 'record this back-end, through the wire library')
        if done.returncode == 0:
            self.assertNotIn('In the way:', done.stdout)

    def test_asked(self):
        """The exit status is about what is asked, and no more."""
        for ask, status in ((['report'], 0), (['tracepoints'], 1), (['report', 'wire'], 1), (['backend'], 0)):
            words = [word for one in ask for word in ('--ask', one)]
            with self.subTest(ask=ask):
                said = self.ask('--qemu', 'cat', *words)
                self.assertEqual(said.status, status)
                self.assertEqual([name for name, one in said.document['can'].items()
                                  if one['asked']],
                                 [name for name in ('tracepoints', 'wire', 'backend', 'now', 'report')
                                  if name in ask])

    def test_usage(self):
        for words in (['--ask', 'everything'], ['--format', 'xml'], ['cat'], ['--frobnicate'],
                      ['--qemu'], ['--', 'cat']):
            done = self.run_doctor(*words)
            self.assertEqual((done.returncode, done.stdout), (2, ''), words)
            self.assertRegex(done.stderr, r'^shmemscope doctor: .*\nTry: shmemscope doctor --help')

    def test_output_that_cannot_be_written(self):
        with open('/dev/full', 'w', encoding='ascii') as full:
            done = subprocess.run([self.tool, 'doctor'], stdout=full, stderr=subprocess.PIPE,
                                  text=True, check=False, env=self.environment())
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, 'No space left')


if __name__ == '__main__':
    DoctorTest.use(*sys.argv[1:4])
    unittest.main(argv=sys.argv[:1], verbosity=2)
