#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/build-qemu: what it keeps, what it refuses, and what it leaves behind.

usage: test-build-qemu.py BUILD_QEMU [unittest arguments]

The source is a tree of a few files with the shape of QEMU's, which the script builds in
seconds by the same steps; the real one is built by scripts/check itself.
"""

import contextlib
import os
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

BUILD_QEMU = ''
PATIENCE = 60

CONFIGURE = r'''#!/bin/sh
# Makes a build.ninja of the targets that the script asks for.
mkdir -p pc-bios/optionrom
printf '%s\n' 'kvmvapic.bin linuxboot_dma.bin:' '\techo rom > $@' | sed 's/\\t/\t/' \
    > pc-bios/optionrom/Makefile
cat > build.ninja <<'END'
rule qemu
  command = sh ../qemu/@SLOW@ && cp ../qemu/toy-qemu $out && chmod +x $out
rule cc
  command = gcc -c $in -o $out
rule ar
  command = rm -f $out && ar csrDT $out $in
rule copy
  command = cp $in $out
build qemu-system-x86_64: qemu ../qemu/toy-qemu
build subprojects/libvhost-user/o.o: cc ../qemu/subprojects/libvhost-user/libvhost-user.c
build subprojects/libvhost-user/libvhost-user.a: ar subprojects/libvhost-user/o.o
build trace/trace-events-all: copy ../qemu/trace-events
build tests/qtest/vhost-user-shmem-test: copy ../qemu/tests/qtest/vhost-user-shmem-test.c
END
'''
# Instead of the last lines of it: trace-events-all tells what was asked of the build.
TELLING = r'''rule tell
  command = echo "$in $ARGS" > $out
rule join
  command = cat $in > $out
build util.p/generated_trace_trace-ust-all.c.o: tell ../qemu/trace-events
 ARGS = -fsanitize=address
build util.p/other.c.o: tell ../qemu/trace-events
 ARGS = -fsanitize=address
build trace/trace-events-all: join options util.p/generated_trace_trace-ust-all.c.o $
  util.p/other.c.o
END
echo "$*" > options
'''
TOY_QEMU = '''#!/bin/sh
[ "$1" != -device ] || echo 'name "pcie-root-port", bus PCI'
'''
SERIES_TEST = '''From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
From: A Developer <dev@shmemscope.example>
Date: Thu, 1 Jan 2026 00:00:00 +0000
Subject: [PATCH] tests/qtest: Add a test

---
diff --git a/tests/qtest/vhost-user-shmem-test.c b/tests/qtest/vhost-user-shmem-test.c
new file mode 100644
--- /dev/null
+++ b/tests/qtest/vhost-user-shmem-test.c
@@ -0,0 +1 @@
+/* test */
--
2.39.5
'''
PATCH = '''From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
From: A Developer <dev@shmemscope.example>
Date: Thu, 1 Jan 2026 00:00:00 +0000
Subject: [PATCH] {subject}

---
diff --git a/trace-events b/trace-events
--- a/trace-events
+++ b/trace-events
@@ -1 +1,2 @@
 {context}
+{added}
--
2.39.5
'''


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as stream:
        stream.write(text)
    os.chmod(path, mode)


class BuildTest(unittest.TestCase):
    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.top = stack.enter_context(tempfile.TemporaryDirectory(prefix='ss-build-'))
        self.cache = os.path.join(self.top, 'cache')
        self.source = os.path.join(self.top, 'source')
        self.series = os.path.join(self.top, 'series')
        os.mkdir(self.series)
        self.make_source()
        self.lend_downloads()

    def make_source(self, slow='true.sh'):
        write(f'{self.source}/configure', CONFIGURE.replace('@SLOW@', slow), 0o755)
        write(f'{self.source}/true.sh', 'true\n')
        # Tells its pid, then lasts until it is told to go on by that file's end.
        write(f'{self.source}/wait.sh', f'echo $$ > {self.top}/waits\nread go < {self.top}/go\n')
        write(f'{self.source}/fail.sh', 'echo "toy.c:1: error: it is broken" >&2; exit 1\n')
        write(f'{self.source}/toy-qemu', TOY_QEMU)
        write(f'{self.source}/trace-events', 'first(void) ""\n')
        write(f'{self.source}/pythondeps.toml', '[meson]\n')
        write(f'{self.source}/pc-bios/meson.build', '')
        write(f'{self.source}/hw/virtio/Kconfig', 'config VHOST_USER_TEST\n')
        write(f'{self.source}/configs/devices/x86_64-softmmu/default.mak', '')
        write(f'{self.source}/include/standard-headers/linux/types.h', '')
        write(f'{self.source}/include/qemu/qemu-plugin.h', '')
        write(f'{self.source}/subprojects/libvhost-user/libvhost-user.h', '')
        write(f'{self.source}/subprojects/libvhost-user/libvhost-user.c', 'int vu_toy;\n')

    def lend_downloads(self):
        """What the machine's own cache has fetched already need not be fetched again."""
        home = os.environ.get('SHMEMSCOPE_CACHE') or os.path.join(
            os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'shmemscope')
        for index in ('meson-trixie',):
            with contextlib.suppress(FileNotFoundError):
                with open(os.path.join(home, 'download', index), encoding='utf-8') as stream:
                    directory = stream.read().split()[0]
                shutil.copytree(os.path.join(home, 'download', directory),
                                os.path.join(self.cache, 'download', directory))
                shutil.copy(os.path.join(home, 'download', index),
                            os.path.join(self.cache, 'download', index))

    def patch(self, name, subject, context, added):
        write(os.path.join(self.series, name),
              PATCH.format(subject=subject, context=context, added=added))
        with open(os.path.join(self.series, 'series'), 'a', encoding='utf-8') as series:
            series.write(name + '\n')

    def environment(self, **more):
        return {**os.environ, 'SHMEMSCOPE_CACHE': self.cache, **more}

    def arguments(self, *more):
        return [BUILD_QEMU, '--source', self.source, '--series', self.series, '--jobs', '1',
                *more]

    def build(self, *more, env=None, **keywords):
        return subprocess.run(self.arguments(*more), capture_output=True, text=True,
                              timeout=PATIENCE, check=False, env=env or self.environment(),
                              **keywords)

    def built(self, *more):
        done = self.build(*more)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 1, done.stdout)
        return lines[0], done.stderr

    def assert_clean(self):
        """No entry, whole or half, and nothing of the work is left."""
        entries = os.listdir(os.path.join(self.cache, 'entry'))
        self.assertEqual([e for e in entries if not e.startswith('.lock-')], [])
        self.assertEqual([e for e in os.listdir(self.cache) if e.startswith('tmp.')], [])

    def assert_refused(self, done, sentence):
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stdout, '')
        last = done.stderr.splitlines()[-1]
        self.assertRegex(last, sentence)
        self.assertEqual(len(re.findall(r'Cannot', done.stderr)), 1, done.stderr)

    # ---- what it builds -----------------------------------------------------------

    def test_entry_and_second_call(self):
        self.patch('0001-a.patch', 'Add an event', 'first(void) ""', 'second(void) ""')
        entry, said = self.built()
        self.assertIn('applying patch 1 of 1', said)
        self.assertEqual(sorted(os.listdir(entry)),
                         ['include', 'inputs', 'libvhost-user.a', 'qemu-system-x86_64', 'share',
                          'trace-events-all'])
        with open(os.path.join(entry, 'trace-events-all'), encoding='utf-8') as events:
            self.assertEqual(events.read(), 'first(void) ""\nsecond(void) ""\n')
        self.assertEqual(sorted(os.listdir(os.path.join(entry, 'include'))),
                         ['libvhost-user.h', 'qemu-plugin.h', 'standard-headers'])
        # It stands alone: the objects it was made of are gone.
        symbols = subprocess.run(['nm', os.path.join(entry, 'libvhost-user.a')], check=True,
                                 capture_output=True, text=True).stdout
        self.assertIn(' vu_toy', symbols)
        born = os.stat(entry).st_mtime_ns
        again, said = self.built()
        self.assertEqual((again, os.stat(entry).st_mtime_ns), (entry, born))
        self.assertIn('already built', said)
        self.assertNotIn('compiling', said)
        self.assertEqual([e for e in os.listdir(self.cache) if e.startswith('tmp.')], [])

    def test_tests_of_the_series(self):
        plain, _ = self.built()
        write(f'{self.series}/0001-test.patch', SERIES_TEST)
        write(f'{self.series}/series', '0001-test.patch\n')
        entry, said = self.built()
        self.assertIn("compiling QEMU's tests of the series", said)
        with open(f'{entry}/tests/vhost-user-shmem-test', encoding='utf-8') as test:
            self.assertEqual(test.read(), '/* test */\n')
        self.assertFalse(os.path.exists(f'{plain}/tests'))

    def test_sanitize(self):
        write(f'{self.source}/configure',
              CONFIGURE.replace('@SLOW@', 'true.sh').split('build trace/trace-events-all')[0] +
              TELLING, 0o755)
        told = {}
        for options in ((), ('--sanitize',)):
            entry, _ = self.built(*options)
            with open(f'{entry}/trace-events-all', encoding='utf-8') as stream:
                told[options] = stream.read().splitlines()
            self.assertEqual(self.build('--print-path', *options).stdout.strip(), entry)
        plain, sanitized = told.values()
        for option in ('--enable-asan', '--enable-ubsan'):
            self.assertNotIn(option, plain[0].split())
            self.assertIn(option, sanitized[0].split())
        compiled = '../qemu/trace-events -fsanitize=address'
        self.assertEqual(plain[1:], [compiled, compiled])
        # The providers' file is spared, and no other.
        self.assertEqual(sanitized[1:], [f'{compiled} -fno-sanitize=all', compiled])

    def test_zoo(self):
        """The bugs lie on top of the series, in an entry of their own: here they do not fit."""
        self.assert_refused(self.build('--zoo'), 'Cannot apply patch: .*/tests/zoo/qemu/0001-')
        self.assert_clean()
        plain, _ = self.built()
        told = self.build('--print-path', '--zoo')
        self.assertEqual((told.returncode, told.stdout), (1, ''))
        self.assertIn('Not built yet', told.stderr)
        self.assertNotIn(plain, told.stderr)

    def test_each_input_makes_another_entry(self):
        entries = [self.built()[0]]
        self.patch('0001-a.patch', 'Add an event', 'first(void) ""', 'second(void) ""')
        entries.append(self.built()[0])
        entries.append(self.built('--config-extra', '--enable-debug')[0])
        write(f'{self.source}/hw/virtio/Kconfig', 'config OTHER\n')
        entries.append(self.built()[0])
        self.assertEqual(len(set(entries)), 4, entries)
        self.assertEqual(self.build('--print-path').stdout.strip(), entries[-1])

    def test_two_at_once_build_once(self):
        self.make_source(slow='wait.sh')
        os.mkfifo(f'{self.top}/go')
        first, second = (subprocess.Popen(self.arguments(), stdout=subprocess.PIPE,
                                          stderr=subprocess.PIPE, text=True,
                                          env=self.environment()) for _ in range(2))
        try:
            said = self.await_line((first, second), 'waiting for it')
            with open(f'{self.top}/go', 'w', encoding='utf-8') as go:
                go.write('go\n')
            outcomes = [p.communicate(timeout=PATIENCE) for p in (first, second)]
        finally:
            for process in (first, second):
                self.end(process)
        self.assertEqual((first.returncode, second.returncode), (0, 0), outcomes)
        self.assertEqual(outcomes[0][0], outcomes[1][0])
        said += ''.join(outcome[1] for outcome in outcomes)
        self.assertEqual(said.count('preparing the tree'), 1, said)

    def await_file(self, name, process):
        deadline = time.monotonic() + PATIENCE
        while not os.path.exists(f'{self.top}/{name}') or not os.path.getsize(
                f'{self.top}/{name}'):
            self.assertIsNone(process.poll(), 'the build ended early')
            self.assertLess(time.monotonic(), deadline, f'no {name}')
            time.sleep(0.05)
        with open(f'{self.top}/{name}', encoding='utf-8') as stream:
            return stream.read()

    def await_line(self, processes, text):
        """Reads what both say until one says that; returns all that was read."""
        said = ''
        deadline = time.monotonic() + PATIENCE
        while text not in said:
            self.assertLess(time.monotonic(), deadline, f'nobody said "{text}": {said}')
            ready, _, _ = select.select([p.stderr for p in processes], [], [], 1)
            said += ''.join(os.read(stream.fileno(), 4096).decode() for stream in ready)
        return said

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.terminate()
        for stream in (process.stdout, process.stderr):
            stream.close()
        process.wait(PATIENCE)

    # ---- what it refuses ----------------------------------------------------------

    def test_patch_that_does_not_apply(self):
        self.patch('0001-good.patch', 'Add an event', 'first(void) ""', 'second(void) ""')
        self.patch('0002-bad.patch', 'Add another', 'not there', 'third(void) ""')
        done = self.build()
        self.assert_refused(done, r'Cannot apply patch: path=".*/0002-bad\.patch": '
                                  r'error: .*trace-events')
        self.assert_clean()

    def test_patch_that_is_not_there(self):
        write(os.path.join(self.series, 'series'), '0001-nothing.patch\n')
        self.assert_refused(self.build(), r'Cannot read the series: path=".*0001-nothing\.patch"')
        self.assert_clean()

    def test_patches_without_an_order(self):
        write(os.path.join(self.series, '0001-a.patch'), '')
        self.assert_refused(self.build(), r'Cannot read the series: path=".*/series"')

    def test_source_that_is_not_there(self):
        for what in ('nothing', 'nothing.tar.xz'):
            done = self.build('--source', os.path.join(self.top, what))
            self.assert_refused(done, rf'Cannot read QEMU\'s source: path=".*/{what}"')
        done = self.build('--source', self.series)
        self.assert_refused(done, 'it has no configure')
        self.assert_clean()

    def test_source_that_is_no_archive(self):
        write(f'{self.top}/broken.tar.xz', 'this is no archive')
        done = self.build('--source', f'{self.top}/broken.tar.xz')
        self.assert_refused(done, r'Cannot unpack QEMU\'s source: path=".*/broken\.tar\.xz": .')
        self.assert_clean()

    def test_archive_out_of_reach(self):
        """Debian's archive cannot be reached: apt is sent to a port where nobody listens."""
        config = f'{self.top}/apt.conf'
        write(config, ''.join(f'Acquire::{scheme}::Proxy "http://127.0.0.1:9/";\n'
                              for scheme in ('http', 'https')))
        shutil.rmtree(os.path.join(self.cache, 'download'), ignore_errors=True)
        done = subprocess.run([BUILD_QEMU], capture_output=True, text=True, timeout=PATIENCE,
                              check=False, env=self.environment(APT_CONFIG=config))
        self.assert_refused(done, r'Cannot fetch Debian\'s package lists: suite=trixie: E: ')
        self.assert_clean()

    def test_source_that_does_not_compile(self):
        self.make_source(slow='fail.sh')
        done = self.build()
        self.assert_refused(done, r'Cannot compile QEMU: toy\.c:1: error: it is broken '
                                  r'\(log: .*\.log\)')
        with open(re.search(r'\(log: (.*)\)', done.stderr).group(1), encoding='utf-8') as log:
            self.assertIn('it is broken', log.read())
        self.assert_clean()

    def test_binary_that_does_not_run(self):
        write(f'{self.source}/toy-qemu', '#!/bin/sh\necho "error: no firmware" >&2\nexit 1\n')
        self.assert_refused(self.build(), 'Cannot run the QEMU that was built: .*no firmware')
        self.assert_clean()

    # ---- full disks ---------------------------------------------------------------

    def test_disk_too_small(self):
        """A small file system of our own, in a mount name space that ends with the test."""
        os.makedirs(self.cache, exist_ok=True)
        inside = f'''mount -t tmpfs -o size=16m none "{self.cache}" || exit 90
            "$0" "$@"; status=$?
            find "{self.cache}" -mindepth 1 -name 'tmp.*' -o -path '*/entry/qemu-*'
            exit $status'''
        unshare = ['unshare', '--mount'] if os.getuid() == 0 else ['unshare', '-r', '--mount']
        done = subprocess.run([*unshare, 'sh', '-c', inside, *self.arguments()],
                              capture_output=True, text=True, timeout=PATIENCE, check=False,
                              env=self.environment())
        self.assert_refused(done, r'Cannot build QEMU: no space left in ".*": \d+ MB are free, '
                                  r'\d+ MB are needed')

    def test_write_that_fails_midway(self):
        """The largest file of the tree finds no room; the cache's file system has plenty."""
        write(f'{self.source}/large', 'x' * 3000000)
        tarball = f'{self.top}/source.tar'
        subprocess.run(['tar', '-C', self.top, '-cf', tarball, 'source'], check=True)

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000000, 2000000))
        done = self.build('--source', tarball, preexec_fn=limit)
        self.assert_refused(done, r'Cannot unpack QEMU\'s source: .*(File too large|limit)')
        self.assert_clean()

    # ---- interruptions ------------------------------------------------------------

    def start_and_stand(self):
        self.make_source(slow='wait.sh')
        os.mkfifo(f'{self.top}/go')
        process = subprocess.Popen(self.arguments(), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=self.environment())
        return process, int(self.await_file('waits', process))

    def test_terminated(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                for name in ('waits', 'go'):
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(f'{self.top}/{name}')
                process, compiler = self.start_and_stand()
                process.send_signal(number)
                self.assertEqual(process.wait(PATIENCE), 128 + number)
                self.assert_gone(compiler)
                self.assert_clean()

    def assert_gone(self, pid):
        deadline = time.monotonic() + PATIENCE
        while os.path.exists(f'/proc/{pid}'):
            # It may end between the opening and the reading as well.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
                    open(f'/proc/{pid}/stat', encoding='utf-8') as stat:
                if stat.read().rsplit(')', 1)[1].split()[0] == 'Z':
                    return
            self.assertLess(time.monotonic(), deadline, 'the compiler lives on')
            time.sleep(0.05)

    def test_killed_and_tried_again(self):
        process, compiler = self.start_and_stand()
        process.kill()
        process.wait(PATIENCE)
        self.assertEqual(len([e for e in os.listdir(self.cache) if e.startswith('tmp.')]), 1)
        os.kill(compiler, signal.SIGKILL)
        self.assert_gone(compiler)
        self.make_source()
        entry, _ = self.built()
        self.assertTrue(os.path.exists(os.path.join(entry, 'qemu-system-x86_64')))
        self.assertEqual([e for e in os.listdir(self.cache) if e.startswith('tmp.')], [])


if __name__ == '__main__':
    BUILD_QEMU = sys.argv[1]
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
