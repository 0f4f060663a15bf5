#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the doctor reads of real QEMUs agrees with what they answer when they are run.

usage: test_qemus.py SHMEMSCOPE WIRE SCHEMA CATALOGUE PATCHED|RELEASED QEMU
"""

import os
import re
import subprocess
import sys
import unittest

from doctor import PATIENCE, ROOT, DoctorTest, as_nobody, mounts

CATALOGUE = KIND = QEMU = ''


def answer(*words):
    return subprocess.run([QEMU, *words], capture_output=True, text=True, check=True,
                          timeout=PATIENCE, stdin=subprocess.DEVNULL).stdout


def version():
    return re.match(r'QEMU emulator version (.*)', answer('-version')).group(1)


def known_events():
    with open(CATALOGUE, encoding='utf-8') as source:
        ours = re.findall(r'^event qemu:(\S+)', source.read(), re.MULTILINE)
    return len(set(ours) & set(answer('-trace', 'help').split())), len(ours)


class QemuTest(DoctorTest):
    def assert_feature(self, item):
        self.assertRegex(item['text'], 'SHMEM, bit 22; has vhost-user-test-device$')
        self.assertIn('"vhost-user-test-device"', answer('-device', 'help'))

    def patched(self):
        said = self.ask('--qemu', QEMU, '--ask', 'tracepoints', '--ask', 'wire')
        self.assert_item(said, 'qemu', 'program', 'good', re.escape(f'is QEMU {version()}') + '$')
        self.assert_feature(said.item('qemu', 'feature'))
        known, ours = known_events()
        self.assertEqual(known, ours)
        self.assert_item(said, 'qemu', 'tracepoints', 'good',
                         rf'all {ours} .*\(liblttng-ust\.so\.1; trace backends ust, log\)')
        self.assert_item(said, 'qemu', 'preload', 'good')
        self.assert_can(said, 'tracepoints', 'wire')
        self.assertEqual(said.status, 0)

    def patched_that_runs(self):
        start = (f'mount -t proc proc /proc\n"{QEMU}" -machine none -display none -serial none '
                 '-monitor none -S & last=$!\n'
                 'while ! grep -q qemu-system /proc/$last/cmdline; do :; done')
        said = self.ask('--ask', 'now', before=mounts(start, '--pid', '--fork', '--kill-child'))
        self.assert_item(said, 'running', 'qemus', 'good', '^1 QEMU runs here')
        self.assertFalse(said.items('running', 'untold'))

    def released(self):
        """As a script that starts it with its own libraries, and the program itself."""
        said = self.ask('--qemu', QEMU, '--ask', 'wire')
        self.assert_item(said, 'qemu', 'program', 'good',
                         re.escape(f'is a script that runs QEMU {version()}') + '$')
        self.assert_item(said, 'qemu', 'feature', 'good', 'vhost-user-test-device')
        self.assert_item(said, 'qemu', 'tracepoints', 'fails', 'has not the tracepoints',
                         'record --wire')
        self.assert_can(said, 'wire')
        self.assertEqual((said.can['tracepoints'], said.status), ('no', 0))
        program = os.path.join(os.path.dirname(QEMU), 'root/usr/bin/qemu-system-x86_64')
        said = self.ask('--qemu', program, '--ask', 'tracepoints')
        self.assert_item(said, 'qemu', 'program', 'good', re.escape(f'is QEMU {version()}') + '$')
        self.assert_feature(said.item('qemu', 'feature'))
        known, ours = known_events()
        self.assertLess(known, ours / 2)
        self.assert_item(said, 'qemu', 'tracepoints', 'fails', r'has not .*\(trace backends: log\)')
        self.assertEqual((said.can['tracepoints'], said.status), ('no', 1))

    def test_as_nobody(self):
        """Of a program nothing is needed but to read it."""
        before, path = (), QEMU
        if ROOT:  # and QEMU may lie where root alone may look, as root's cache does
            top = self.directory('qemu')
            path = os.path.join(top, os.path.basename(QEMU))
            before = mounts(f"mount --bind '{os.path.dirname(QEMU)}' {top}", shared=True) + as_nobody()
        said = self.ask('--qemu', path, before=before)
        self.assert_item(said, 'qemu', 'program', 'good', re.escape(version()))


class SetUserIdTest(DoctorTest):
    """A copy that is set-user-ID."""

    def test_set_user_id(self):
        path = self.path('qemu-system-suid')
        with open(QEMU, 'rb') as source, open(path, 'wb') as copy:
            copy.write(source.read())
        os.chmod(path, 0o4755)
        before = as_nobody() if ROOT else ()
        said = self.ask('--qemu', path, '--ask', 'wire', before=before)
        preload = said.item('qemu', 'preload')
        # Only another user's file is one: without root there is none.
        self.assertEqual((preload['state'], said.can['wire'] == 'no'),
                         ('fails', True) if ROOT else ('good', False))


if __name__ == '__main__':
    CATALOGUE, KIND, QEMU = sys.argv[4], sys.argv[5], os.path.abspath(sys.argv[6])
    DoctorTest.use(*sys.argv[1:4])
    if KIND == 'PATCHED':
        QemuTest.test_patched = QemuTest.patched
        QemuTest.test_patched_that_runs = QemuTest.patched_that_runs
    else:
        QemuTest.test_released = QemuTest.released
        del SetUserIdTest  # a script cannot be set-user-ID
    unittest.main(argv=sys.argv[:1], verbosity=2)
