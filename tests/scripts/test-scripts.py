#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The other scripts a user runs: what they say of themselves, and what they refuse.

usage: test-scripts.py SCRIPTS_DIR [unittest arguments]
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

SCRIPTS = ''


def run(name, *arguments, **keywords):
    return subprocess.run([os.path.join(SCRIPTS, name), *arguments], capture_output=True,
                          text=True, timeout=60, check=False, **keywords)


class ScriptsTest(unittest.TestCase):
    def test_help(self):
        for name in ('build-qemu', 'check', 'demo', 'format', 'install-packages', 'measure',
                     'playwright', 'released-qemu', 'renew-uplot'):
            with self.subTest(name):
                done = run(name, '--help')
                self.assertEqual((done.returncode, done.stderr), (0, ''))
                self.assertTrue(done.stdout.startswith(f'Usage: scripts/{name}'), done.stdout)
                self.assertLessEqual(max(map(len, done.stdout.splitlines())), 99)

    def test_unknown_option(self):
        for name in ('build-qemu', 'check', 'demo', 'install-packages', 'measure', 'playwright',
                     'released-qemu', 'renew-uplot'):
            with self.subTest(name):
                done = run(name, '--nonsense')
                self.assertEqual((done.returncode, done.stdout), (2, ''))
                self.assertIn('--nonsense', done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_check_refuses(self):
        for arguments, reason in (
                (('--entry',), 'option --entry needs a value'),
                (('--suite',), 'option --suite needs a value'),
                (('--debian',), 'option --debian needs a value'),
                (('--debian', '11'), '--debian is 12 or 13, not "11"'),
                (('integration', 'menagerie'), 'there is no suite "menagerie"')):
            with self.subTest(arguments):
                done = run('check', *arguments)
                self.assertEqual((done.returncode, done.stdout), (2, ''))
                self.assertIn(reason, done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_released_qemu_is_not_made_by_asking(self):
        with tempfile.TemporaryDirectory() as cache:
            done = run('released-qemu', '--print-path', env=dict(os.environ, SHMEMSCOPE_CACHE=cache))
            self.assertEqual((done.returncode, done.stdout), (1, ''))
            self.assertIn('Not made yet', done.stderr)
            self.assertEqual(os.listdir(os.path.join(cache, 'entry')), [])

    def test_scenarios(self):
        listed = run('demo', '--list').stdout.split()
        self.assertLessEqual({'healthy', 'map-pipelined', 'channel-dies', 'refusals'}, set(listed))
        self.assertEqual(listed, sorted(set(listed)))
        self.assertEqual(run('demo', '--released', '--list').stdout.split(),
                         ['channel-dies', 'healthy', 'map-pipelined', 'request-at-stop',
                          'self-echo'])
        done = run('demo', '--released', 'refusals')
        self.assertEqual(done.returncode, 2)
        done = run('demo', '--qemu-only', 'healthy')
        self.assertEqual(done.returncode, 2)
        done = run('demo', 'nothing-of-the-kind')
        self.assertEqual(done.returncode, 2)
        self.assertIn('there is no scenario "nothing-of-the-kind"', done.stderr)

    def test_missing_packages_are_told_with_the_command(self):
        """A machine that has none of them: its dpkg database is empty."""
        with tempfile.TemporaryDirectory(prefix='ss-scripts-') as top:
            with open(os.path.join(top, 'status'), 'w', encoding='utf-8'):
                pass
            done = run('install-packages', '--tell', 'run',
                       env={**os.environ, 'DPKG_ADMINDIR': top})
        self.assertEqual((done.returncode, done.stdout), (1, ''))
        self.assertEqual(done.stderr.strip(),
                         'install-packages: Missing packages: apt-get install -y '
                         '--no-install-recommends lttng-tools babeltrace2 seabios gdb')

    def test_command_of_another_package(self):
        """npm comes with some builds of nodejs; where it does not, it is a package to install."""
        with tempfile.TemporaryDirectory(prefix='ss-scripts-') as top:
            shutil.copy(os.path.join(SCRIPTS, 'install-packages'), top)
            shutil.copytree(os.path.join(SCRIPTS, 'lib'), os.path.join(top, 'lib'))
            with open(os.path.join(top, 'packages'), 'w', encoding='utf-8') as packages:
                packages.write('ss-alone page\nss-there page true\nss-other page ss-not-there\n'
                               'ss-of-no-page build\n')
            done = subprocess.run([os.path.join(top, 'install-packages'), '--tell', 'page'],
                                  capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ''))
        self.assertEqual(done.stderr.strip(),
                         'install-packages: Missing packages: apt-get install -y '
                         '--no-install-recommends ss-alone ss-other')

    def test_nothing_missing_says_nothing(self):
        done = run('install-packages', '--tell', 'build', 'run', 'test')
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, '', ''))


if __name__ == '__main__':
    SCRIPTS = sys.argv[1]
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
