#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the doctor says of looking at what hangs: rights, filters of calls, containers; and of
QEMUs that run.

usage: test_rights.py SHMEMSCOPE WIRE SCHEMA
"""

import errno
import os
import shutil
import sys
import unittest

from doctor import (PIDFD_GETFD, PROCESS_VM_READV, ROOT, SETNS, SOCKET, DoctorTest, as_nobody,
                    mounts, refuse)

AF_NETLINK = 16
# A tool that is built with a sanitizer is loaded behind what is preloaded.
BEHIND_RUNTIME = {'ASAN_OPTIONS': ':'.join(filter(None, [os.environ.get('ASAN_OPTIONS'),
                                                         'verify_asan_link_order=0']))}
# The number that the doctor asks for of other processes, which none has.
NO_DESCRIPTOR = 0x7fffffff
# As Yama does it, which this kernel may have or not.
YAMA = refuse((PIDFD_GETFD, errno.EPERM, 1, NO_DESCRIPTOR))


def yama(scope):
    """A script: the setting is there."""
    return (f'mount -t tmpfs tmpfs /proc/sys/kernel\nmkdir /proc/sys/kernel/yama\n'
            f'echo {scope} > /proc/sys/kernel/yama/ptrace_scope')


class RightsTest(DoctorTest):
    def test_of_this_user(self):
        said = self.ask('--ask', 'now', before=mounts(yama(0)) + as_nobody())
        self.assert_item(said, 'now', 'rights', 'limit', 'only programs of this user.*scope is 0',
                         'sudo shmemscope now')
        self.assertEqual((said.can['now'], said.status), ('limited', 0))

    def test_with_capabilities(self):
        said = self.ask('--ask', 'now', before=mounts(yama(1)))
        self.assert_item(said, 'now', 'rights', 'good' if ROOT else 'limit',
                         'CAP_SYS_PTRACE.*scope is 1')
        self.assertNotEqual(said.can['now'], 'no')

    def test_with_capabilities_of_a_container(self):
        """They hold for its own processes."""
        said = self.ask('--ask', 'now', before=['unshare', '--map-root-user'])
        self.assert_item(said, 'now', 'rights', 'limit', 'this user namespace alone', 'host')
        self.assertEqual(said.document['can']['now']['limited_to'],
                         'only programs of this container')

    def test_yama(self):
        said = self.ask('--ask', 'now', before=mounts(yama(1)) + as_nobody(), preexec_fn=YAMA)
        self.assert_item(said, 'now', 'rights', 'fails', 'ptrace_scope is 1.*CAP_SYS_PTRACE',
                         '^sudo shmemscope now, or sudo sysctl kernel.yama.ptrace_scope=0$')
        self.assertEqual((said.can['now'], said.can['report'], said.status), ('no', 'yes', 1))

    def test_yama_for_administrators(self):
        said = self.ask(before=mounts(yama(2)) + as_nobody(), preexec_fn=YAMA)
        self.assert_item(said, 'now', 'rights', 'fails', 'scope is 2', '^sudo shmemscope now$')

    def test_yama_for_nobody(self):
        said = self.ask('--ask', 'now', before=mounts(yama(3)), preexec_fn=YAMA)
        self.assert_item(said, 'now', 'rights', 'fails', 'nobody may', 'reboot')
        self.assertEqual(said.status, 1)

    def test_that_may_not_be_looked_into_itself(self):
        """As a program with capabilities of its file: the trial is of ordinary processes."""
        library = self.build('libclosed.so', '#include <sys/prctl.h>\n__attribute__((constructor)) '
                             'static void begin(void) { (void)prctl(PR_SET_DUMPABLE, 0); }\n',
                             '-shared', '-fPIC')
        said = self.ask('--ask', 'now', before=[*(as_nobody() if ROOT else ()), 'env',
                                                f'LD_PRELOAD={library}'],
                        environment=BEHIND_RUNTIME)
        self.assertEqual(said.item('now', 'rights')['state'], 'limit')

    def test_filter_that_refuses_descriptors(self):
        for error, words in ((errno.EPERM, 'refused even of this process'),
                             (errno.ENOSYS, 'is not there')):
            with self.subTest(errno.errorcode[error]):
                said = self.ask('--ask', 'now', preexec_fn=refuse((PIDFD_GETFD, error)))
                self.assert_item(said, 'now', 'descriptors', 'fails', words, 'seccomp profile')
                self.assertFalse(said.items('now', 'rights'))
                self.assertEqual((said.can['now'], said.status), ('no', 1))

    def test_filter_that_refuses_diagnostics(self):
        said = self.ask('--ask', 'now',
                        preexec_fn=refuse((SOCKET, errno.EAFNOSUPPORT, 0, AF_NETLINK)))
        self.assert_item(said, 'now', 'sockets', 'fails', 'unix_diag.*not supported', 'netlink')
        self.assertEqual((said.can['now'], said.status), ('no', 1))

    def test_kernel_without_diagnostics(self):
        """What the kernel answers then: it finds nobody for the question."""
        said = self.ask('--ask', 'now', preexec_fn=refuse((SOCKET, errno.ENOENT, 0, AF_NETLINK)))
        self.assert_item(said, 'now', 'sockets', 'fails', 'unix_diag', '^sudo modprobe unix_diag$')

    def test_filter_that_refuses_namespaces(self):
        said = self.ask('--ask', 'now', before=mounts('true'),
                        preexec_fn=refuse((SETNS, errno.EPERM)))
        self.assert_item(said, 'now', 'namespaces', 'limit', 'network namespaces cannot be entered',
                         'CAP_SYS_ADMIN')
        self.assertNotEqual(said.can['now'], 'no')

    def test_filter_that_refuses_memory(self):
        said = self.ask('--ask', 'now', preexec_fn=refuse((PROCESS_VM_READV, errno.EPERM)))
        self.assert_item(said, 'now', 'memory', 'limit', 'polls is not told', 'process_vm_readv')
        self.assertNotEqual(said.can['now'], 'no')


class ProcTest(DoctorTest):
    def test_hidden(self):
        script = 'mount -t proc -o hidepid=2 proc /proc'
        said = self.ask('--ask', 'now', before=mounts(script, '--pid', '--fork') + as_nobody())
        self.assert_item(said, 'now', 'proc', 'limit', 'hidepid=(2|invisible)', 'remount,hidepid=0')
        self.assertEqual((said.can['now'], said.status), ('limited', 0))

    def test_container(self):
        said = self.ask('--ask', 'now', before=mounts('mount -t proc proc /proc', '--pid',
                                                      '--fork'))
        self.assert_item(said, 'now', 'container', 'limit', 'pid namespace of its own', 'host')
        for name in ('now', 'wire', 'tracepoints'):
            self.assertEqual(said.document['can'][name]['limited_to'],
                             'only programs of this container')

    def test_none(self):
        # A sanitizer's runtime misses /proc, too, and complains of it.
        said = self.ask('--ask', 'now', before=mounts('mount -t tmpfs tmpfs /proc\n'
                                                      'exec 2> /dev/null'))
        self.assert_item(said, 'now', 'proc', 'fails', 'not there', 'mount -t proc')
        self.assertEqual((said.can['now'], said.status), ('no', 1))


class RunningTest(DoctorTest):
    """Programs under QEMU's name, in a pid namespace where nobody else runs one."""

    # Its own name, and an end that comes with the first process of the namespace.
    START = ('mount -t proc proc /proc\n'
             'for i in 1 2 3 4 5 6 7; do\n'
             '  (exec -a qemu-system-x86_64 sleep 1000) & last=$!\n'
             'done\n'
             # Not the shell's name any more.
             'for pid in $(seq $((last - 6)) $last); do\n'
             '  while ! grep -q ^qemu /proc/$pid/cmdline; do :; done\n'
             'done\n')

    def ask_there(self, *before, more='', **keywords):
        words = mounts(self.START + more, '--pid', '--fork', '--kill-child')
        words[words.index('/bin/sh')] = '/bin/bash'
        return self.ask('--ask', 'now', before=words + list(before), **keywords)

    def test_that_may_be_looked_into(self):
        said = self.ask_there()
        self.assert_item(said, 'running', 'qemus', 'good', '^7 QEMUs run here')
        untold = self.assert_item(said, 'running', 'untold', 'limit', '^7 of 7 .* neither',
                                  'record --wire')
        self.assertLessEqual(len(f"{'->':>14} {untold['mend']}"), 80)  # no command: not so long

    def test_with_the_library(self):
        """Its name is in the map of their memory."""
        library = shutil.copy(self.wire, self.path('libshmemscope-wire.so'))
        said = self.ask_there(environment={'LD_PRELOAD': library, **BEHIND_RUNTIME})
        self.assert_item(said, 'running', 'qemus', 'good', '^7 QEMUs run here')
        self.assertFalse(said.items('running', 'untold'))

    def test_of_another_user(self):
        said = self.ask_there(*as_nobody())
        self.assert_item(said, 'running', 'qemus', 'limit',
                         r'^7 of 7 .*: process (\d+, ){5}\.\.\.$', 'sudo shmemscope now')
        self.assertEqual(said.can['now'], 'limited')

    def test_confined(self):
        said = self.ask_there(more='echo "libvirt-1 (enforce)" > $HOME/label\n'
                              'mount --bind $HOME/label /proc/$last/attr/current\n')
        self.assert_item(said, 'running', 'confined', 'limit', r'^1 of .*: process \d+$')

    def test_none(self):
        said = self.ask(before=mounts('mount -t proc proc /proc', '--pid', '--fork'))
        self.assert_item(said, 'running', 'qemus', 'good', 'no QEMU runs here')


if __name__ == '__main__':
    DoctorTest.use(*sys.argv[1:4])
    unittest.main(argv=sys.argv[:1], verbosity=2)
