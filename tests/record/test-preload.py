#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a recorded command is started with: the wire library, and what a daemon needs; and what
cannot work is told before anything is begun.

usage: test-preload.py SHMEMSCOPE EMIT WIRE_LIBRARY [unittest arguments]
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SHMEMSCOPE = EMIT = WIRE = PROVIDER = ''
PROVIDER_NAME = 'libshmemscope-wire-provider.so'
PATIENCE = 30  # seconds until a test calls something stuck
CANNOT_RECORD = 3
USAGE = 2
E_MACHINE = 18  # its place in an ELF header
LOADER = re.compile(rb'/lib[0-9]*/ld-linux[-a-z0-9_]*\.so\.[0-9]')


# A recorder that is built with a sanitizer is loaded behind these libraries, too.
RUNTIME_BEHIND = {'ASAN_OPTIONS': ':'.join(filter(None, [os.environ.get('ASAN_OPTIONS'),
                                                         'verify_asan_link_order=0']))}


class PreloadTest(unittest.TestCase):
    def setUp(self):
        top = tempfile.TemporaryDirectory(prefix='ss-preload-')
        self.addCleanup(top.cleanup)
        self.top = top.name
        os.chmod(self.top, 0o755)
        self.trace = self.path('trace')

    def path(self, name):
        return os.path.join(self.top, name)

    def record(self, *arguments, environment=None):
        base = {name: value for name, value in os.environ.items()
                if name not in ('LD_PRELOAD', 'SHMEMSCOPE_WIRE')}
        return subprocess.run([SHMEMSCOPE, 'record', '--output', self.trace, *arguments],
                              env={**base, **(environment or {})}, capture_output=True, text=True,
                              timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL)

    def assert_refused(self, done, reason, status=CANNOT_RECORD):
        """In one sentence, and before anything was begun."""
        self.assertEqual((done.returncode, done.stdout), (status, ''), done.stderr)
        self.assertRegex(done.stderr, reason)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertFalse(os.path.exists(self.trace))

    def program(self, name, change, mode=0o755, source='/usr/bin/printenv'):
        """A copy of a program with its bytes changed."""
        path = self.path(name)
        with open(source, 'rb') as original:
            text = original.read()
        with open(path, 'wb') as copy:
            copy.write(change(text))
        os.chmod(path, mode)
        return path

    def events(self, name):
        told = subprocess.run(['babeltrace2', self.trace], capture_output=True, text=True,
                              check=True).stdout
        return [line for line in told.splitlines() if f' {name}: ' in line]

    # ---- what it starts with --------------------------------------------------------

    def test_library_comes_first_and_the_rest_stays(self):
        done = self.record('--wire', '--', '/usr/bin/printenv', 'LD_PRELOAD',
                           environment={'LD_PRELOAD': 'libdl.so.2 libm.so.6', **RUNTIME_BEHIND})
        self.assertEqual((done.returncode, done.stdout),
                         (0, f'{WIRE}:{PROVIDER}:libdl.so.2:libm.so.6\n'), done.stderr)
        self.assertTrue(self.events('shmemscope_wire:library'))

    def test_library_is_named_once(self):
        done = self.record('--wire', '--', '/usr/bin/printenv', 'LD_PRELOAD',
                           environment={'LD_PRELOAD': f'libm.so.6:{WIRE}', **RUNTIME_BEHIND})
        self.assertEqual(done.stdout, f'{WIRE}:{PROVIDER}:libm.so.6\n', done.stderr)

    def test_without_it_nothing_is_preloaded(self):
        done = self.record('--', '/usr/bin/printenv', 'LD_PRELOAD')
        self.assertEqual((done.returncode, done.stdout), (1, ''), done.stderr)

    def test_library_that_is_given(self):
        other, provider = self.path('libother.so'), self.path(PROVIDER_NAME)
        shutil.copy(WIRE, other)
        shutil.copy(PROVIDER, provider)
        done = self.record('--wire', '/usr/bin/printenv', 'LD_PRELOAD',
                           environment={'SHMEMSCOPE_WIRE': other})
        self.assertEqual(done.stdout, f'{other}:{provider}\n', done.stderr)

    def test_runtime_of_a_sanitizer_stays_in_front(self):
        """It ends a program in which it is not."""
        source = self.path('sanitized.c')
        with open(source, 'w', encoding='utf-8') as text:
            text.write('#include <stdio.h>\n#include <stdlib.h>\n'
                       'int main(void) { return puts(getenv("LD_PRELOAD")) < 0; }\n')
        program = self.path('sanitized')
        subprocess.run(['gcc', '-fsanitize=address', '-o', program, source], check=True)
        done = self.record('--wire', program)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, rf'^/\S+/libasan\.so\.\d+:{re.escape(WIRE)}:'
                                      rf'{re.escape(PROVIDER)}\n$')

    def test_command_that_is_not_there(self):
        done = self.record('--wire', self.path('nothing'))
        self.assertEqual(done.returncode, 127, done.stderr)

    # ---- what cannot work -----------------------------------------------------------

    def test_static_program(self):
        source = self.path('static.c')
        with open(source, 'w', encoding='utf-8') as text:
            text.write('int main(void) { return 0; }\n')
        program = self.path('static')
        subprocess.run(['gcc', '-static', '-o', program, source], check=True)
        self.assert_refused(self.record('--wire', program), 'linked statically')

    def test_other_architecture(self):
        program = self.program('other', lambda text: text[:E_MACHINE] + b'\x16\x00'
                               + text[E_MACHINE + 2:])
        self.assert_refused(self.record('--wire', program), 'another architecture')

    def test_other_libc(self):
        def change(text):
            old = LOADER.search(text).group(0)
            return text.replace(old, b'/lib/ld-musl.so.1'.ljust(len(old), b'\0'))
        self.assert_refused(self.record('--wire', self.program('musl', change)),
                            r'another C library \(ld-musl\.so\.1\)')

    def test_set_user_id(self):
        for mode, what in ((0o4755, 'set-user-ID'), (0o2755, 'set-group-ID')):
            with self.subTest(what):
                program = self.program(what, lambda text: text)
                # Of another user than the one that records, whoever that is.
                os.chown(program, 65534 if os.getuid() == 0 else -1,
                         65534 if os.getuid() == 0 else -1)
                os.chmod(program, mode)
                if os.getuid() == 0:
                    self.assert_refused(self.record('--wire', program), what)
                else:
                    self.assertEqual(self.record('--wire', program).returncode, 0)
                    shutil.rmtree(self.trace)

    def test_library_that_does_not_load(self):
        """It needs what is not there: the loader is asked, and what it says is passed on."""
        broken = self.path('libbroken.so')
        shutil.copy(WIRE, broken)
        with open(PROVIDER, 'rb') as text, open(self.path(PROVIDER_NAME), 'wb') as copy:
            copy.write(text.read().replace(b'liblttng-ust.so.1\0', b'liblttng-xyz.so.1\0'))
        self.assert_refused(self.record('--wire', EMIT, '1',
                                        environment={'SHMEMSCOPE_WIRE': broken}),
                            r'liblttng-xyz\.so\.1')

    def test_library_that_is_not_there(self):
        self.assert_refused(self.record('--wire', EMIT, '1', environment={
            'SHMEMSCOPE_WIRE': self.path('nothing.so')}), r'Cannot find the wire library.*nothing')

    def test_library_without_its_provider(self):
        alone = self.path('libalone.so')
        shutil.copy(WIRE, alone)
        self.assert_refused(self.record('--wire', EMIT, '1',
                                        environment={'SHMEMSCOPE_WIRE': alone}),
                            rf'{alone}": its provider is not beside it, {PROVIDER_NAME}$')

    def test_library_whose_path_cannot_be_told(self):
        spaced = self.path('with space.so')
        shutil.copy(WIRE, spaced)
        self.assert_refused(self.record('--wire', EMIT, '1',
                                        environment={'SHMEMSCOPE_WIRE': spaced}), 'space')

    def test_interpreter_of_a_script(self):
        interpreter = self.program('other', lambda text: text[:E_MACHINE] + b'\x16\x00'
                                   + text[E_MACHINE + 2:])
        script = self.path('script')
        with open(script, 'w', encoding='utf-8') as text:
            text.write(f'#!{interpreter} -x\n')
        os.chmod(script, 0o755)
        self.assert_refused(self.record('--wire', script),
                            rf'program="{interpreter}" \(runs "{script}"\)')

    def test_usage(self):
        self.assert_refused(self.record('--wire'), '--wire is for a recording with a COMMAND',
                            USAGE)
        self.assert_refused(self.record('--wire', '--exclude-class', 'wire', EMIT),
                            'contradict', USAGE)

    # ---- daemons --------------------------------------------------------------------

    def daemon(self, *words):
        """A command that becomes a daemon as QEMU does, which then tells and waits for `end`."""
        program = self.path('qemu-system-test')
        os.mkfifo(self.path('end'))
        with open(program, 'w', encoding='utf-8') as script:
            script.write(f"""#!/usr/bin/python3
import os, sys
out = os.open({self.path('out')!r}, os.O_WRONLY | os.O_CREAT)
os.write(out, os.environ.get('LD_PRELOAD', '').encode())
begun, told = os.pipe()
if os.fork():
    os.read(begun, 1)
    os._exit(int({words!r}[-1]))
os.setsid()
if os.fork():
    os._exit(0)
os.write(told, b'1')
end = os.open({self.path('end')!r}, os.O_RDONLY)
os.dup2(end, 0)
os.dup2(out, 1)
os.execv({EMIT!r}, ['emit', '300'])
""")
        os.chmod(program, 0o755)
        return [program, *words]

    def start_daemon(self, *words, before=()):
        # Not a pipe: the daemon keeps its end of it open.
        with open(self.path('stderr'), 'wb') as stderr:
            recorder = subprocess.Popen([SHMEMSCOPE, 'record', '--output', self.trace, '--',
                                         *before, *self.daemon(*words)], stderr=stderr,
                                        stdin=subprocess.DEVNULL)
        self.addCleanup(recorder.wait, PATIENCE)
        self.addCleanup(recorder.kill)
        return recorder

    def said(self):
        with open(self.path('stderr'), encoding='utf-8') as stderr:
            return stderr.read()

    def wait_for_output(self, text):
        deadline = time.monotonic() + PATIENCE
        while True:
            if os.path.exists(self.path('out')):
                with open(self.path('out'), encoding='utf-8') as out:
                    if text in out.read():
                        return
            self.assertLess(time.monotonic(), deadline, f'never: {text}')
            time.sleep(0.05)

    def run_file(self):
        with open(os.path.join(self.trace, 'shmemscope-run.json'), encoding='utf-8') as stream:
            return json.load(stream)

    def wait_for_end_of_command(self):
        """The first process of the run file."""
        deadline = time.monotonic() + PATIENCE
        while not self.run_file()['processes'][0]['ended']:
            self.assertLess(time.monotonic(), deadline, 'the command does not end')
            time.sleep(0.05)

    def test_daemon_is_recorded_from_its_first_event_to_its_end(self):
        recorder = self.start_daemon('-daemonize', '0')
        with open(self.path('end'), 'w', encoding='ascii') as end:
            self.wait_for_output('fired 300')
            end.write('fire 50\nexit 7\n')
        self.assertEqual(recorder.wait(PATIENCE), 0, self.said())
        with open(self.path('out'), encoding='utf-8') as out:
            self.assertTrue(out.read().startswith('liblttng-ust-fork.so.1'))
        told = [int(re.search(r' seq = (\d+)', line).group(1))
                for line in self.events('qemu:vhost_user_reply_read')]
        self.assertEqual(told, list(range(1, 351)))
        # Also of the one that forked it, and ended at once, the session knew.
        self.assertEqual(len(self.run_file()['processes']), 3)

    def test_daemon_of_a_program_that_becomes_another(self):
        recorder = self.start_daemon('-daemonize', '0', before=('env', 'A=1', 'nice', '-n', '1'))
        with open(self.path('end'), 'w', encoding='ascii') as end:
            self.wait_for_output('fired 300')
            end.write('exit 7\n')
        self.assertEqual(recorder.wait(PATIENCE), 0, self.said())
        self.assertEqual(len(self.events('qemu:vhost_user_reply_read')), 300)

    def test_recording_of_a_daemon_ends_when_told_to(self):
        """And the daemon lives on."""
        recorder = self.start_daemon('-daemonize', '0')
        with open(self.path('end'), 'w', encoding='ascii') as end:
            self.wait_for_output('fired 300')
            self.wait_for_end_of_command()
            recorder.send_signal(signal.SIGINT)
            self.assertEqual(recorder.wait(PATIENCE), 0, self.said())
            end.write('fire 1\n')
            end.flush()
            self.wait_for_output('fired 301')
        self.assertNotIn('runs on', self.said())

    def test_command_that_fails_to_become_one(self):
        recorder = self.start_daemon('-daemonize', '9')
        with open(self.path('end'), 'w', encoding='ascii'):
            self.assertEqual(recorder.wait(PATIENCE), 9, self.said())

    def test_what_is_no_daemon_ends_with_the_command(self):
        recorder = self.start_daemon('-nodaemon', '5')
        with open(self.path('end'), 'w', encoding='ascii'):
            self.assertEqual(recorder.wait(PATIENCE), 5, self.said())


if __name__ == '__main__':
    SHMEMSCOPE, EMIT, WIRE = (os.path.abspath(path) for path in sys.argv[1:4])
    PROVIDER = os.path.join(os.path.dirname(WIRE), PROVIDER_NAME)
    del sys.argv[1:4]
    unittest.main(verbosity=2)
