#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the doctor says of a host: its daemons, groups, room, profiles and libraries, each made so
by the test.

usage: test_host.py SHMEMSCOPE WIRE SCHEMA HARNESS
"""

import glob
import grp
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import unittest

from doctor import NOBODY, PATIENCE, ROOT, WHOLE, DoctorTest, as_nobody, mounts

LIBRARIES = '/usr/lib/*-linux-gnu'


class HostTest(DoctorTest):
    """What several of them make."""

    def own_daemon(self, home):
        """A session daemon of an unprivileged user; it answers when this returns."""
        before = as_nobody() if ROOT else []
        # It returns when the daemon answers.
        subprocess.run([*before, 'lttng-sessiond', '--no-kernel', '--daemonize'], cwd=home,
                       env=self.environment(LTTNG_HOME=home), check=True, timeout=PATIENCE)
        with open(f'{home}/.lttng/lttng-sessiond.pid', encoding='ascii') as source:
            pid = int(source.read())
        process = os.pidfd_open(pid)
        self.addCleanup(os.close, process)
        self.addCleanup(select.select, [process], [], [], PATIENCE)
        self.addCleanup(signal.pidfd_send_signal, process, signal.SIGTERM)
        return pid

    def shm(self, options):
        return mounts(f'mount -t tmpfs -o {options} tmpfs /dev/shm')

    def disk(self, options, *before):
        where = self.directory('disk')
        return self.ask('--directory', f'{where}/new/trace',
                        before=mounts(f'mount -t tmpfs -o {options} tmpfs {where}') + [*before])


class DaemonTest(HostTest):
    def test_none(self):
        """One would be started."""
        said = self.ask('--ask', 'wire', before=mounts('true'))
        self.assert_item(said, 'daemon', 'session-daemon', 'limit', 'record starts one',
                         'lttng-sessiond --daemonize')
        self.assertEqual(said.status, 0)

    def test_none_installed(self):
        said = self.ask('--ask', 'wire', before=mounts('PATH=/nowhere'))
        self.assert_item(said, 'daemon', 'session-daemon', 'fails', 'not in PATH', 'lttng-tools')
        self.assertEqual((said.can['tracepoints'], said.can['wire'], said.status),
                         ('no', 'no', 1))

    def test_none_and_nowhere_to_start_one(self):
        said = self.ask('--ask', 'wire', before=mounts('true') + as_nobody(),
                        environment={'HOME': '/proc'})
        self.assert_item(said, 'daemon', 'session-daemon', 'fails', '"/proc/.lttng" cannot be wri',
                         'LTTNG_HOME')
        self.assertEqual(said.status, 1)

    def test_of_this_user(self):
        home = self.directory('lttng')
        daemon = self.own_daemon(home)
        said = self.ask('--ask', 'tracepoints', before=as_nobody() if ROOT else (),
                        environment={'LTTNG_HOME': home})
        self.assert_item(said, 'daemon', 'session-daemon', 'good', rf'process {daemon} of ')
        if said.item('daemon', 'group')['state'] == 'limit':
            self.assertEqual(said.can['tracepoints'], 'limited')
        self.assertEqual(said.status, 0)
        before = as_nobody() if ROOT else []
        subprocess.run([*before, 'prlimit', f'--pid={daemon}', '--nofile=1000:1000'], check=True)
        said = self.ask(before=before, environment={'LTTNG_HOME': home})
        self.assert_item(said, 'daemon', 'files', 'limit', '1000 files', f'--pid {daemon} ')


class GroupTest(DoctorTest):
    """Unprivileged users, and root's daemon: as root, who can be any of them."""

    def there(self, line):
        """Words before a command of nobody, where this is the line of the group."""
        with open('/etc/group', encoding='utf-8') as source:
            text = re.sub(r'(?m)^tracing:.*\n', '', source.read())
        return mounts(self.etc({'group': text + line})) + as_nobody()

    def test_not_in_it(self):
        said = self.ask('--ask', 'wire', before=self.there('tracing:x:12345:\n'))
        self.assert_item(said, 'daemon', 'group', 'limit', 'is not in the group tracing',
                         r'^sudo usermod -aG tracing nobody')
        self.assertEqual((said.can['wire'], said.status), ('limited', 0))
        self.assertEqual(said.document['can']['wire']['limited_to'], 'only programs of this user')

    def test_no_such_group(self):
        said = self.ask(before=self.there(''))
        self.assert_item(said, 'daemon', 'group', 'limit', 'there is no group', 'groupadd')

    def test_not_since_the_login(self):
        said = self.ask(before=self.there('tracing:x:12345:nobody\n'))
        self.assert_item(said, 'daemon', 'group', 'limit', 'not since', '^newgrp tracing$')

    def test_in_it_without_roots_daemon(self):
        said = self.ask(before=self.there(f'tracing:x:{NOBODY}:nobody\n'))
        self.assert_item(said, 'daemon', 'group', 'limit', 'does not run',
                         'sudo lttng-sessiond --daemonize')

    def test_in_it(self):
        """The daemon that other tests use, of whoever runs them."""
        before = []
        if ROOT:
            tracing = grp.getgrnam('tracing').gr_gid
            before = ['setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', f'--groups={tracing}']
        home = {'HOME': self.home} if ROOT else {'HOME': os.environ['HOME']}
        said = self.ask('--ask', 'tracepoints', before=before, environment=home)
        self.assert_item(said, 'daemon', 'session-daemon', 'good', 'process')
        if ROOT:
            self.assert_item(said, 'daemon', 'group', 'good', 'is in the group tracing')
            self.assert_can(said, 'tracepoints')

    def test_root(self):
        said = self.ask(before=mounts('true'))
        self.assert_item(said, 'daemon', 'group', 'good', 'root')


class RoomTest(HostTest):
    def test_no_room_for_buffers(self):
        said = self.ask('--ask', 'wire', before=self.shm('size=64k'))
        self.assert_item(said, 'room', 'buffers', 'fails', '64 KiB', 'remount,size=1G /dev/shm')
        self.assertEqual((said.can['wire'], said.can['now'], said.status), ('no', 'yes' if WHOLE else 'limited', 1))

    def test_little_room_for_buffers(self):
        size = os.cpu_count() * 4  # MiB: a quarter of it does not hold them
        said = self.ask('--ask', 'wire', before=self.shm(f'size={size}m'))
        self.assert_item(said, 'room', 'buffers', 'limit', f'{size} MiB', 'remount')
        self.assertEqual(said.status, 0)

    def test_no_buffers(self):
        said = self.ask(before=mounts('mount -t tmpfs tmpfs /dev'))
        self.assert_item(said, 'room', 'buffers', 'fails', 'No such file', 'mkdir -p /dev/shm')

    def test_disk(self):
        self.assert_item(self.disk('size=4g'), 'room', 'disk', 'good', '4 GiB free: 4 min')

    def test_full_disk(self):
        said = self.disk('size=1m')
        self.assert_item(said, 'room', 'disk', 'fails', '1 MiB free', '--output DIR')
        self.assertEqual(said.can['wire'], 'no')

    def test_disk_without_room_for_a_file(self):
        self.assert_item(self.disk('size=4g,nr_inodes=1'), 'room', 'disk', 'fails', 'another file')

    def test_little_disk(self):
        self.assert_item(self.disk('size=160m'), 'room', 'disk', 'limit', 'full after 10 s')

    def test_disk_that_cannot_be_written(self):
        self.assert_item(self.disk('ro'), 'room', 'disk', 'fails', 'Read-only')

    def test_no_directory(self):
        said = self.ask('--directory', self.tool)
        self.assert_item(said, 'room', 'disk', 'fails', 'no directory')

    def test_limits(self):
        said = self.ask(before=['prlimit', '--nofile=64:64', '--fsize=1048576:1048576'])
        self.assert_item(said, 'room', 'files', 'limit', '64 files', 'ulimit -n')
        self.assert_item(said, 'room', 'file-size', 'limit', '1 MiB', 'ulimit -f unlimited')
        self.assertFalse(said.items('room', 'limits'))


class LibraryTest(DoctorTest):
    def test_not_there(self):
        said = self.ask('--ask', 'wire', environment={'SHMEMSCOPE_WIRE': self.path('nothing.so')})
        self.assert_item(said, 'library', 'wire', 'fails', 'nothing', 'SHMEMSCOPE_WIRE')
        self.assertEqual((said.can['wire'], said.status), ('no', 1))

    def test_with_a_space(self):
        path = shutil.copy(self.wire, self.path('a b.so'))
        said = self.ask(environment={'SHMEMSCOPE_WIRE': path})
        self.assert_item(said, 'library', 'wire', 'fails', 'space', '^cp ')

    def test_no_library(self):
        said = self.ask(environment={'SHMEMSCOPE_WIRE': '/etc/passwd'})
        self.assert_item(said, 'library', 'wire', 'fails', 'no ELF file', '^unset')

    def test_without_its_provider(self):
        os.unlink(self.provider)
        said = self.ask('--ask', 'wire')
        self.assert_item(said, 'library', 'wire', 'fails', 'provider', 'SHMEMSCOPE_WIRE')
        self.assertEqual((said.can['wire'], said.status), ('no', 1))

    def test_without_lttng(self):
        path = shutil.copy(self.wire, self.path('libbroken.so'))
        with open(self.provider, 'rb') as text:
            changed = text.read().replace(b'liblttng-ust.so.1\0', b'liblttng-ust.so.9\0')
        with open(self.provider, 'wb') as provider:
            provider.write(changed)
        said = self.ask('--backend', 'cat', environment={'SHMEMSCOPE_WIRE': path})
        self.assert_item(said, 'library', 'wire', 'fails', r'liblttng-ust\.so\.9',
                         'apt install liblttng-ust1')
        self.assert_item(said, 'back-end', 'preload', 'fails', r'liblttng-ust\.so\.9')

    def test_without_the_fork_helper(self):
        helper = os.path.realpath(glob.glob(f'{LIBRARIES}/liblttng-ust-fork.so.1')[0])
        said = self.ask(before=mounts(f'mount --bind /dev/null {helper}'))
        self.assert_item(said, 'library', 'fork', 'limit', '-daemonize', 'apt install')
        self.assert_can(said, 'wire')

    def test_without_what_reads(self):
        plugins = glob.glob(f'{LIBRARIES}/babeltrace2/plugins')[0]
        said = self.ask('--ask', 'report', before=mounts(f'mount -t tmpfs tmpfs {plugins}'))
        self.assert_item(said, 'report', 'babeltrace', 'fails', 'CTF', 'libbabeltrace2-0')
        self.assertEqual((said.can['report'], said.status), ('no', 1))


class ConfinementTest(DoctorTest):
    RULES = '/etc/apparmor.d/abstractions'
    ON = ('mount -t tmpfs tmpfs /sys/module\nmkdir -p /sys/module/apparmor/parameters\n'
          'echo Y > /sys/module/apparmor/parameters/enabled\n')

    def apparmor(self, rules, local=None):
        """AppArmor is on, and libvirt's rules are there."""
        files = {'apparmor.d/abstractions/libvirt-qemu': rules}
        if local is not None:
            files['apparmor.d/local/abstractions/libvirt-qemu'] = local
        return self.ON + self.etc(files)

    def test_apparmor(self):
        rules = '#include <abstractions/base>\n'
        script = self.apparmor(rules)
        said = self.ask('--ask', 'wire', before=mounts(script))
        mend = self.assert_item(said, 'confinement', 'apparmor', 'limit', 'libvirt',
                                rf'tee -a {self.RULES}/libvirt-qemu, and')['mend']
        self.assertEqual((said.can['wire'], said.status), ('limited', 0))
        # What it says, done.
        command = mend.partition(', and start')[0].replace('sudo ', '')
        said = self.ask(before=mounts(f'{script}{command} > /dev/null'))
        self.assert_item(said, 'confinement', 'apparmor', 'good', 'with rules')
        with open(self.path('etc/apparmor.d/abstractions/libvirt-qemu'), encoding='utf-8') as text:
            self.assertEqual(text.read(), f'{rules}{self.library} mr,\n{self.provider} mr,\n'
                             '/{,var/}run/lttng/** rw,\n''/dev/shm/lttng-ust-* rw,\n')

    def test_apparmor_with_local_rules(self):
        script = self.apparmor('include if exists <local/abstractions/libvirt-qemu>\n', '')
        said = self.ask(before=mounts(script))
        mend = self.assert_item(said, 'confinement', 'apparmor', 'limit', 'libvirt',
                                r'tee -a /etc/apparmor\.d/local/abstractions/libvirt-qemu')['mend']
        command = mend.partition(', and start')[0].replace('sudo ', '')
        said = self.ask(before=mounts(f'{script}{command} > /dev/null'))
        self.assert_item(said, 'confinement', 'apparmor', 'good', 'with rules')

    def test_selinux(self):
        on = 'mount -t tmpfs tmpfs /sys/fs\nmkdir /sys/fs/selinux\nprintf {} > {}/enforce'
        said = self.ask(before=mounts(on.format(1, '/sys/fs/selinux')))
        self.assert_item(said, 'confinement', 'selinux', 'limit', 'svirt_t', 'semanage permissive')
        self.assertEqual(said.can['tracepoints'], 'limited')
        said = self.ask(before=mounts(on.format(0, '/sys/fs/selinux')))
        self.assert_item(said, 'confinement', 'selinux', 'good', 'permissive')

    def test_neither(self):
        said = self.ask(before=mounts('mount -t tmpfs tmpfs /sys'))
        self.assert_item(said, 'confinement', 'profiles', 'good')


class RootsTest(HostTest):
    """Where another user is needed, or a mount that is root's."""

    def test_that_sees_other_mounts(self):
        home = self.directory('lttng')
        daemon = self.own_daemon(home)
        # As root it is asked as who it belongs to, with its socket.
        run = self.directory('run')
        os.mkdir(f'{run}/lttng')
        os.symlink(f'{home}/.lttng/client-lttng-sessiond', f'{run}/lttng/client-lttng-sessiond')
        said = self.ask('--ask', 'tracepoints', before=mounts(f'mount --bind {run} /run', shared=True),
                        environment={'LTTNG_HOME': home})
        self.assert_item(said, 'daemon', 'session-daemon', 'good', f'process {daemon} of ')
        self.assert_item(said, 'daemon', 'namespace', 'limit', 'other mounts')
        self.assertEqual(said.can['tracepoints'], 'limited')

    def test_mend_of_no_room_for_buffers(self):
        """What it says, done: after it there is room."""
        said = self.ask(before=self.shm('size=64k'))
        mend = said.item('room', 'buffers')['mend'].removeprefix('sudo ')
        said = self.ask(before=mounts(f'mount -t tmpfs -o size=64k tmpfs /dev/shm\n{mend}'))
        self.assertNotEqual(said.item('room', 'buffers')['state'], 'fails')

    def test_buffers_that_cannot_be_written(self):
        before = self.shm('mode=700') + as_nobody()
        said = self.ask(before=before)
        self.assert_item(said, 'room', 'buffers', 'fails', 'Permission denied', 'chmod 1777')
        said = self.ask(before=self.shm('ro') + as_nobody())
        self.assert_item(said, 'room', 'buffers', 'fails', 'Read-only', 'remount,rw')

    def test_directory_of_others(self):
        self.assert_item(self.disk('mode=755', *as_nobody()), 'room', 'disk', 'fails',
                         'Permission denied')


if __name__ == '__main__':
    DoctorTest.use(*sys.argv[1:4])
    sys.path.insert(0, os.path.dirname(sys.argv[4]))
    from harness import daemon as shared
    shared.ensure()
    if not ROOT:
        del RootsTest  # nobody else can be another user
    unittest.main(argv=sys.argv[:1], verbosity=2)
