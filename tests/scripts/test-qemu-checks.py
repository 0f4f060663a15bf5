#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What scripts/check --qemu takes for a failure, on a tree and a test program of a few lines.

usage: test-qemu-checks.py SCRIPTS_DIR [unittest arguments]

The real ones take minutes; that they pass is for --qemu itself to show.
"""

import os
import subprocess
import sys
import tempfile
import unittest

SCRIPTS = ''
# The functions, with a counting that prints what is counted.
PROLOGUE = r'''
set -euo pipefail
root=$(cd "$SCRIPTS/.." && pwd)
for part in common archive download qemu-source qemu-recipe qemu-checks; do . "$SCRIPTS/lib/$part.sh"; done
quiet=yes work=$PWD logs=$PWD
note_pass() { echo passed; }
note_failure() { echo "failed: $*"; }
'''
LINES = ''.join(f'line {number}\n' for number in range(1, 31))
CHECKPATCH = r'''#!/bin/sh
echo "total: $(grep -c '^+.*bad' "$1") errors, $(grep -c '^+.*odd' "$1") warnings, 9 lines checked"
'''
TESTS = r'''#!/bin/sh
if [ "$1" = -l ]; then printf '/pc/%s\n' $LISTED; exit; fi
printf '%s\n' "$TOLD"
exit $STATUS
'''


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as stream:
        stream.write(text)
    os.chmod(path, mode)


class QemuChecksTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix='ss-checks-')
        self.addCleanup(directory.cleanup)
        self.top = directory.name

    def shell(self, script, **more):
        return subprocess.run(['bash', '-c', PROLOGUE + script], cwd=self.top, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                              check=False, env={**os.environ, 'SCRIPTS': SCRIPTS, **more})

    # ---- patches --------------------------------------------------------------------

    def judge(self, check, change, edit=lambda patch: patch):
        """(status, output) of CHECK on a patch that makes CHANGE in the text, edited after."""
        write(f'{self.top}/qemu/file', LINES)
        write(f'{self.top}/qemu/scripts/checkpatch.pl', CHECKPATCH, 0o755)
        write(f'{self.top}/new', change(LINES))
        made = self.shell('''
            start_tree && git_tree branch source
            git_tree worktree add -q --detach "$work/pristine" source
            cp new qemu/file
            git_tree commit -q -a -m "A change"
            git_tree format-patch -1 --stdout > patch''')
        self.assertEqual(made.returncode, 0, made.stdout)
        with open(f'{self.top}/patch', encoding='utf-8') as patch:
            text = edit(patch.read())
        write(f'{self.top}/patch', text)
        done = self.shell(f'start_pristine && {check} "$work/patch"')
        return done.returncode, done.stdout

    def test_patch_that_applies(self):
        status, said = self.judge('apply_clean', lambda text: text.replace('line 9', 'line nine'))
        self.assertEqual((status, said), (0, 'Applying: A change\n'))

    def test_patch_with_trailing_space(self):
        status, said = self.judge('apply_clean', lambda text: text.replace('line 9', 'line 9 '))
        self.assertEqual(status, 1)
        self.assertIn('trailing whitespace', said)

    def test_patch_that_moved(self):
        status, said = self.judge('apply_clean', lambda text: text.replace('line 9', 'line nine'),
                                  lambda patch: patch.replace('@@ -6,7 +6,7', '@@ -4,7 +4,7'))
        self.assertEqual(status, 1)
        self.assertIn('at other lines than it tells', said)

    def test_patch_that_does_not_apply(self):
        status, said = self.judge('apply_clean', lambda text: text.replace('line 9', 'line nine'),
                                  lambda patch: patch.replace(' line 10', ' line ten'))
        self.assertEqual(status, 1)
        self.assertIn('patch does not apply', said)

    def test_style(self):
        for word, expected in (('good', 0), ('bad', 1), ('odd', 1)):
            with self.subTest(word), tempfile.TemporaryDirectory(prefix='ss-checks-') as self.top:
                status, said = self.judge('obeys_style',
                                          lambda text, word=word: text.replace('line 9', word))
                self.assertEqual(status, expected, said)

    # ---- tests ----------------------------------------------------------------------

    def count(self, listed, told, status=0, least=2):
        write(f'{self.top}/build-gcc/tests/toy-test', TESTS, 0o755)
        done = self.shell(f'run_qtest gcc tests/toy-test {least} /pc/', LISTED=listed, TOLD=told,
                          STATUS=str(status))
        self.assertEqual(done.returncode, 0, done.stdout)
        lines = done.stdout.splitlines()
        return lines.count('passed'), [line for line in lines if line.startswith('failed: ')]

    def test_tests_that_pass(self):
        self.assertEqual(self.count('a b', '1..1\nok 1 /pc/a\n1..2\nok 2 /pc/b'), (2, []))

    def test_no_test(self):
        passed, failed = self.count('', '1..0')
        self.assertEqual(passed, 0)
        self.assertEqual(len(failed), 1, failed)

    def test_fewer_than_expected(self):
        passed, failed = self.count('a', 'ok 1 /pc/a')
        self.assertEqual((passed, failed), (0, [
            'failed: toy-test (gcc): 1 tests /pc/ are there, 2 are expected']))

    def test_skipped(self):
        passed, failed = self.count('a b', 'ok 1 /pc/a\nok 2 /pc/b # SKIP no device')
        self.assertEqual(passed, 1)
        self.assertIn('SKIP', failed[0])

    def test_failing(self):
        passed, failed = self.count('a b', 'ok 1 /pc/a\nnot ok 2 /pc/b', status=1)
        self.assertEqual((passed, len(failed)), (1, 2))

    def test_ended_early(self):
        passed, failed = self.count('a b', 'ok 1 /pc/a\nBail out!', status=134)
        self.assertEqual((passed, failed), (1, [
            'failed: toy-test (gcc): status 134, 1 of 2 tests passed']))

    def test_passed_with_a_bad_end(self):
        passed, failed = self.count('a b', 'ok 1 /pc/a\nok 2 /pc/b', status=1)
        self.assertEqual((passed, len(failed)), (2, 1))

    def test_under_a_command(self):
        write(f'{self.top}/build-gcc/tests/toy-test', TESTS, 0o755)
        done = self.shell("""qtest_title=', beside' qtest_under=(env TOLD='not ok 1 /pc/a')
                          run_qtest gcc tests/toy-test 1 /pc/""",
                          LISTED='a', TOLD='ok 1 /pc/a', STATUS='0')
        self.assertIn('failed: toy-test (gcc, beside): not ok 1 /pc/a\n', done.stdout)
        self.assertNotIn('passed', done.stdout.splitlines())

    def test_recording_of_both_sides(self):
        channel = 'vm shmemscope_wire:channel: {{ conn = 1, role = ( "{}" : container = 0 ) }}\n'
        for told, expected in ((('front_end', 'back_end'), 0), (('front_end',), 1),
                               (('back_end',), 1), ((), 1)):
            with self.subTest(told):
                write(f'{self.top}/bin/babeltrace2', '#!/bin/sh\ncat "$1"\n', 0o755)
                write(f'{self.top}/trace', ''.join(map(channel.format, told)))
                done = self.shell('PATH=$work/bin:$PATH\nrecorded_both_sides "$work/trace"')
                self.assertEqual(done.returncode, expected, done.stdout)


if __name__ == '__main__':
    SCRIPTS = os.path.abspath(sys.argv[1])
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
