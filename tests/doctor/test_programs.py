#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the doctor says of programs: QEMUs, back-ends, and what is neither.

usage: test_programs.py SHMEMSCOPE WIRE SCHEMA CATALOGUE
"""

import os
import re
import select
import shutil
import subprocess
import sys
import time
import unittest

from doctor import PATIENCE, ROOT, DoctorTest, as_nobody

CATALOGUE = ''
E_MACHINE = 18  # its place in an ELF header
LOADER = re.compile(rb'/lib[0-9]*/ld-linux[-a-z0-9_]*\.so\.[0-9]')
MAIN = 'int main(void) { return 0; }\n'
VERSION = '__attribute__((used)) static const char version[] = "QEMU emulator version 9.2 (made)\\n";\n'
FEATURE = ('__attribute__((used)) static const struct { int bit; const char *text; } table[] = {\n'
           '    { 3, "VHOST_USER_PROTOCOL_F_REPLY_ACK: other" },\n'
           '    { %d, "VHOST_USER_PROTOCOL_F_SHMEM: Backend shared memory mapping supported" } };\n')
DEVICE = '__attribute__((used)) static const char device[] = "vhost-user-test-device";\n'


def events():
    """Names of QEMU's events in the catalogue."""
    with open(CATALOGUE, encoding='utf-8') as source:
        return re.findall(r'^event qemu:(\S+)', source.read(), re.MULTILINE)


def words(name, section, texts):
    """Strings, one behind the other, in a section of their own."""
    where = f'section("{section}"), ' if section else ''
    return (f'__attribute__(({where}used)) static const char {name}[] =\n'
            + '\n'.join(f'    "{text}\\0"' for text in texts) + ';\n')


class QemuTest(DoctorTest):
    def qemu(self, *parts, flags=()):
        return self.build('qemu-made', ''.join([VERSION, *parts, MAIN]), *flags)

    def test_all_of_it(self):
        path = self.qemu(FEATURE % 22, DEVICE, words('strings', 'lttng_ust_tracepoints_strings',
                                                     ['qemu', *events()]))
        said = self.ask('--qemu', path, '--ask', 'tracepoints', '--ask', 'wire')
        self.assert_item(said, 'qemu', 'program', 'good', r'is QEMU 9\.2 \(made\)$')
        self.assert_item(said, 'qemu', 'feature', 'good', 'SHMEM, bit 22; has vhost-user-test-dev')
        self.assert_item(said, 'qemu', 'tracepoints', 'good',
                         rf'all {len(events())} tracepoints.*backends ust')
        self.assert_item(said, 'qemu', 'preload', 'good')
        self.assert_can(said, 'tracepoints', 'wire')
        self.assertEqual(said.status, 0)

    def test_stripped(self):
        path = self.qemu(FEATURE % 22, words('strings', 'lttng_ust_tracepoints_strings',
                                             ['qemu', *events()]), flags=['-s'])
        said = self.ask('--qemu', path)
        self.assert_item(said, 'qemu', 'tracepoints', 'good')

    def test_older_ust(self):
        path = self.qemu(words('strings', '__tracepoints_strings', ['qemu', *events()]))
        self.assert_item(self.ask('--qemu', path), 'qemu', 'tracepoints', 'good')

    def test_other_bit(self):
        for how in (['-pie', '-fPIE'], ['-no-pie', '-fno-pie'],
                    ['-pie', '-fPIE', '-Wl,-z,pack-relative-relocs']):
            with self.subTest(how):
                said = self.ask('--qemu', self.qemu(FEATURE % 20, flags=how))
                self.assert_item(said, 'qemu', 'feature', 'limit', 'bit 20; .*bit 22$', '11.1')

    def test_without_the_feature(self):
        said = self.ask('--qemu', self.qemu(DEVICE), '--ask', 'wire')
        self.assert_item(said, 'qemu', 'feature', 'fails', 'does not know', '11.1')
        self.assertEqual((said.can['wire'], said.status), ('no', 1))

    def test_one_tracepoint_missing(self):
        *most, last = events()
        path = self.qemu(FEATURE % 22, words('strings', 'lttng_ust_tracepoints_strings',
                                             ['qemu', *most, f'{last}_of_old', f'old_{last}']))
        said = self.ask('--qemu', path, '--ask', 'tracepoints')
        self.assert_item(said, 'qemu', 'tracepoints', 'limit',
                         rf'{len(most)} of {len(most) + 1}.*missing is {last}$')
        self.assertEqual((said.can['tracepoints'], said.status), ('limited', 0))

    def test_other_backend(self):
        path = self.qemu(FEATURE % 22, words('names', '', ['x', *events()]),
                         words('log', '', ['breakpoint_insert cpu=%d pc=0x%lx']),
                         words('stap', '.note.stapsdt', ['x']),
                         words('simple', '', ['Trace file \\"%s\\" %s.']),
                         words('ftrace', '', ['/sys/kernel/tracing/trace_marker']))
        said = self.ask('--qemu', path, '--ask', 'tracepoints')
        self.assert_item(said, 'qemu', 'tracepoints', 'fails',
                         "not LTTng-UST's.*backends: log, dtrace, simple, ftrace", 'backends=ust')
        self.assertEqual((said.can['tracepoints'], said.status), ('no', 1))

    def test_names_that_any_qemu_has(self):
        path = self.qemu(FEATURE % 22, words('names', '', ['x', *events()[:3]]))
        self.assert_item(self.ask('--qemu', path), 'qemu', 'tracepoints', 'fails',
                         'has not the tracepoints')

    def test_in_path(self):
        """Nobody asked for it: what it lacks counts for nothing."""
        path = self.qemu(DEVICE, flags=['-static'])
        os.rename(path, self.path(f'qemu-system-{os.uname().machine}'))
        said = self.ask(environment={'PATH': f'{self.top}:{os.environ["PATH"]}'})
        self.assert_item(said, 'qemu', 'feature', 'limit')
        self.assert_item(said, 'qemu', 'tracepoints', 'limit')
        self.assert_item(said, 'qemu', 'preload', 'limit', 'statically')
        self.assert_can(said, 'tracepoints', 'wire')

    def test_none_in_path(self):
        said = self.ask(environment={'PATH': '/nowhere'})
        self.assert_item(said, 'qemu', 'program', 'limit', 'no QEMU is in PATH', '--qemu')


class ScriptTest(DoctorTest):
    def script(self, text):
        path = self.path('qemu-script')
        with open(path, 'w', encoding='utf-8') as out:
            out.write(f'#!/bin/sh\n{text}\n')
        os.chmod(path, 0o755)
        return path

    def test_answers(self):
        told = '\\n'.join(events())
        path = self.script('case $* in -version) echo "QEMU emulator version 11.1.2 (made)";;\n'
                           f'"-trace help") printf "{told}\\n";;\n'
                           '"-device help") echo \'name "vhost-user-test-device", bus\';; esac')
        said = self.ask('--qemu', path)
        self.assert_item(said, 'qemu', 'program', 'good', r'script that runs QEMU 11\.1\.2 \(made')
        self.assert_item(said, 'qemu', 'feature', 'good', 'vhost-user-test-device')
        self.assert_item(said, 'qemu', 'tracepoints', 'limit', f'has all {len(events())}')
        self.assert_item(said, 'qemu', 'preload', 'good', 'script')

    def test_tells_no_version(self):
        said = self.ask('--qemu', self.script('echo something else'))
        self.assert_item(said, 'qemu', 'program', 'fails', 'tells no version')
        self.assertEqual(said.can['wire'], 'no')

    def test_never_ends(self):
        """Nor does what it started, which holds the pipe."""
        begin = time.monotonic()
        said = self.ask('--qemu', self.script('sleep 1000 & echo $! > "$HOME/pid"; wait'))
        self.assertLess(time.monotonic() - begin, 30)
        self.assert_item(said, 'qemu', 'program', 'fails', 'not end')
        with open(os.path.join(self.home, 'pid'), encoding='ascii') as source:
            pid = int(source.read())
        try:
            left = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        self.addCleanup(os.close, left)
        self.assertTrue(select.select([left], [], [], PATIENCE)[0], 'it runs on')

    def test_interpreter_that_is_static(self):
        interpreter = self.build('static', MAIN, '-static')
        path = self.path('script')
        with open(path, 'w', encoding='utf-8') as out:
            out.write(f'#!{interpreter}\n')
        os.chmod(path, 0o755)
        said = self.ask('--backend', path)
        self.assert_item(said, 'back-end', 'preload', 'fails', 'statically')


class BackendTest(DoctorTest):
    def refused(self, path, reason, mend='.', before=()):
        said = self.ask('--backend', path, '--ask', 'backend', before=before)
        self.assert_item(said, 'back-end', 'preload', 'fails', reason, mend)
        self.assertEqual((said.can['backend'], said.status), ('no', 1))

    def changed(self, name, change, source='/usr/bin/printenv'):
        path = self.path(name)
        with open(source, 'rb') as original, open(path, 'wb') as copy:
            copy.write(change(original.read()))
        os.chmod(path, 0o755)
        return path

    def test_ordinary(self):
        said = self.ask('--backend', 'cat', '--ask', 'backend')
        self.assert_item(said, 'back-end', 'preload', 'good')
        self.assert_can(said, 'backend')
        self.assertEqual(said.status, 0)

    def test_static(self):
        self.refused(self.build('static', MAIN, '-static'), 'linked statically', 'dynamically')

    def test_set_user_id(self):
        for mode, what in ((0o4755, 'set-user-ID'), (0o2755, 'set-group-ID')):
            with self.subTest(what):
                path = self.changed(what, lambda text: text)
                os.chmod(path, mode)
                if ROOT:
                    self.refused(path, what, 'install -m 755', as_nobody())
                else:
                    # It is this user's own, and changes nothing.
                    self.assert_item(self.ask('--backend', path), 'back-end', 'preload', 'good')

    def test_mend_of_set_user_id(self):
        """What it says, done: the copy can be recorded."""
        path = self.changed('suid', lambda text: text)
        os.chmod(path, 0o4755)
        before = as_nobody() if ROOT else ()
        if ROOT:
            said = self.ask('--backend', path, before=before)
            mend = said.item('back-end', 'preload')['mend']
            subprocess.run([*before, '/bin/sh', '-c', mend.partition(',')[0]], check=True,
                           cwd=self.home)
        else:
            subprocess.run(['install', '-m', '755', path, './traced'], check=True, cwd=self.home)
        self.assert_item(self.ask('--backend', './traced', before=before), 'back-end', 'preload',
                         'good')

    def test_file_with_capabilities(self):
        path = self.changed('capable', lambda text: text)
        # In a name space of its own anybody may.
        rights = [] if ROOT else ['unshare', '--map-root-user']
        subprocess.run([*rights, 'setcap', 'cap_net_admin+ep', path], check=True)
        self.refused(path, 'capabilities', 'install -m 755', as_nobody() if ROOT else ())

    def test_other_architecture(self):
        def change(text):
            return text[:E_MACHINE] + b'\x16\x00' + text[E_MACHINE + 2:]
        self.refused(self.changed('other', change), 'another architecture')

    def test_other_libc(self):
        def change(text):
            old = LOADER.search(text).group(0)
            return text.replace(old, b'/lib/ld-musl.so.1'.ljust(len(old), b'\0'))
        self.refused(self.changed('musl', change), r'ld-musl\.so\.1', 'glibc')

    def test_loader_that_others_can_change(self):
        """It would be run."""
        loader = self.path('ld.so')
        with open(loader, 'w', encoding='utf-8') as script:
            script.write(f'#!/bin/sh\ntouch {self.path("ran")}\n')
        os.chmod(loader, 0o777)
        self.refused(self.build('lured', MAIN, f'-Wl,--dynamic-linker={loader}'), 'was not asked')
        self.assertFalse(os.path.exists(self.path('ran')))

    def test_libraries_that_are_missing(self):
        other = self.build('libother.so', 'int other(void) { return 0; }\n', '-shared', '-fPIC')
        path = self.build('needs', 'int other(void);\nint main(void) { return other(); }\n', other)
        os.remove(other)
        self.refused(path, r'libother\.so', 'ldd')

    def test_built_by_go(self):
        said = self.ask('--backend', self.build('go', words('info', '.go.buildinfo', ['x']) + MAIN))
        self.assert_item(said, 'back-end', 'calls', 'fails', 'Go')
        self.assertEqual(said.can['backend'], 'no')

    def test_sandbox(self):
        sandbox = self.build('libseccomp.so.2', 'int seccomp_load(void) { return 0; }\n', '-shared',
                             '-fPIC', '-Wl,-soname,libseccomp.so.2')
        path = self.build('sandboxed', 'int seccomp_load(void);\n'
                          'int main(void) { return seccomp_load(); }\n', sandbox,
                          f'-Wl,-rpath,{self.top}')
        said = self.ask('--backend', path, '--ask', 'backend')
        self.assert_item(said, 'back-end', 'sandbox', 'limit', r'libseccomp\.so\.2', 'seccomp')
        self.assertEqual((said.can['backend'], said.status), ('limited', 0))


class NoProgramTest(DoctorTest):
    """What is named and is nothing that could be recorded."""

    def refused(self, path, reason):
        said = self.ask('--qemu', path, '--backend', path)
        for area in ('qemu', 'back-end'):
            found = [item for item in said.document['items']
                     if item['area'] == area and item['state'] == 'fails']
            self.assertTrue(any(re.search(reason, item['text']) for item in found), found)
        self.assertEqual((said.can['wire'], said.can['backend']), ('no', 'no'))
        return said

    def test_nothing(self):
        self.refused(self.path('nothing'), 'no file')

    def test_directory(self):
        self.refused(self.top, 'is no file')

    def test_pipe(self):
        os.mkfifo(self.path('pipe'), 0o777)
        self.refused(self.path('pipe'), 'is no file')

    def test_not_executable(self):
        path = self.path('plain')
        shutil.copyfile('/bin/cat', path)
        os.chmod(path, 0o644)
        self.refused(path, 'cannot be executed')

    def test_no_elf(self):
        path = self.path('text')
        with open(path, 'w', encoding='utf-8') as out:
            out.write('just text, and long enough to have been the header of a program: '
                      'nothing else\n')
        os.chmod(path, 0o755)
        self.refused(path, 'no ELF file')

    def test_empty(self):
        path = self.path('empty')
        with open(path, 'wb'):
            os.chmod(path, 0o755)
        self.refused(path, 'no ELF file')

    def test_no_qemu(self):
        said = self.ask('--qemu', '/bin/cat')
        self.assert_item(said, 'qemu', 'program', 'fails', 'no QEMU', '--qemu')
        self.assertEqual((said.can['tracepoints'], said.can['wire']), ('no', 'no'))

    def test_unreadable(self):
        path = shutil.copy('/bin/cat', self.path('secret'))
        os.chmod(path, 0o111)
        said = self.ask('--qemu', path, before=as_nobody() if ROOT else ())
        self.assert_item(said, 'qemu', 'program', 'fails', 'Permission denied')

    def test_hostile_headers(self):
        """Each byte of the headers, and the file cut at any place: it tells something, and ends."""
        with open('/bin/cat', 'rb') as source:
            text = source.read()
        path = self.path('hostile')
        for cut in (1, 63, 64, 100, 1000, len(text) // 2):
            with open(path, 'wb') as out:
                out.write(text[:cut])
            os.chmod(path, 0o755)
            self.ask('--qemu', path)
        for place in range(16, 64, 4):
            with open(path, 'wb') as out:
                out.write(text[:place] + b'\xff\xff\xff\xff' + text[place + 4:])
            self.ask('--qemu', path)

    def test_hostile_name(self):
        """No control character reaches the terminal, and the mend is still one word."""
        path = self.path('a\x1b[31m\n"$(touch x)\' b')
        with open(path, 'w', encoding='utf-8') as out:
            out.write('x')
        done = self.run_doctor('--qemu', path, '--backend', path)
        self.assertEqual((done.returncode, done.stderr), (1, ''))
        self.assertFalse(re.search(r'[^\n -~]', done.stdout))
        self.ask('--qemu', path)


if __name__ == '__main__':
    CATALOGUE = sys.argv[4]
    DoctorTest.use(*sys.argv[1:4])
    unittest.main(argv=sys.argv[:1], verbosity=2)
