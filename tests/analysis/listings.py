# SPDX-License-Identifier: GPL-2.0-or-later
"""Recordings for the tests of the verbs that list, the verbs on a terminal, and a second account.

The recordings are real: fixtures, told through LTTng.
"""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

from harness import daemon                                           # noqa: E402

PATIENCE = 120  # seconds
FIRST = '/machine/peripheral-anon/device[0]/virtio-backend'
PLAIN = {name: value for name, value in os.environ.items()
         if name not in ('NO_COLOR', 'TERM', 'COLUMNS')}
TERMINAL = dict(PLAIN, TERM='xterm')
EVENT = re.compile(r'^\[(\d+)\.(\d{9})\] \S+ qemu:(\w+): \{[^}]*\}, '
                   r'\{ vpid = (\d+), vtid = (\d+), [^}]*\}, \{ (.*) \}$')
FIELD = re.compile(r'(\w+) = (?:"((?:[^"\\]|\\.)*)"|(-?\d+))')


class Recordings:
    """Of each name a fixture: (its name, how often it is told, what changes its text)."""

    def __init__(self, shmemscope, replay, fixtures, names):
        daemon.ensure()
        self.shmemscope = shmemscope
        self.directory = tempfile.TemporaryDirectory(prefix='shmemscope-test-')
        running = []
        for name, (fixture, repeat, change) in names.items():
            path = os.path.join(fixtures, f'{fixture}.fixture')
            if change:
                with open(path, encoding='utf-8') as source:
                    changed = change(source.read())
                path = self.path(f'{name}.fixture')
                with open(path, 'w', encoding='utf-8') as out:
                    out.write(changed)
            running.append(subprocess.Popen(
                [shmemscope, 'record', '--output', self.path(name), '--', replay, path,
                 str(repeat)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        for process in running:
            _, told = process.communicate(timeout=PATIENCE)
            if process.returncode != 0:
                raise RuntimeError(told)

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def run(self, verb, *args, **more):
        return subprocess.run([self.shmemscope, verb, *args], capture_output=True, text=True,
                              timeout=PATIENCE, check=False, **more)

    def close(self):
        self.directory.cleanup()


def drain(main, end, process):
    """All that the process showed on a terminal, which is closed.

    Its end stays open here until a mark is behind the last words: when the last one closes it, a
    kernel may tell the reader so before these arrive.
    """
    def mark():
        process.wait(PATIENCE)
        os.write(end, b'\0')

    marking = threading.Thread(target=mark)
    marking.start()
    shown = b''
    while not shown.endswith(b'\0'):
        shown += os.read(main, 65536)
    marking.join()
    os.close(end)
    os.close(main)
    return shown[:-1].decode()


def terminal(columns):
    """A terminal of so many columns: what shows, and what a program writes to."""
    main, end = pty.openpty()
    modes = termios.tcgetattr(end)
    modes[1] &= ~termios.OPOST  # a line ends as the program ends it
    termios.tcsetattr(end, termios.TCSANOW, modes)
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack('HHHH', 50, columns, 0, 0))
    return main, end


def on_terminal(args, columns=80, env=None):
    """Status, and what a terminal is shown; nothing else may be said."""
    main, end = terminal(columns)
    process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=end, stderr=subprocess.PIPE,
                               text=True, env=TERMINAL if env is None else env)
    shown = drain(main, end, process)
    _, said = process.communicate(timeout=PATIENCE)
    assert said == '', said
    return process.returncode, shown


def only(pid):
    """What one process told."""
    return lambda text: ''.join(line for line in text.splitlines(keepends=True)
                                if f' {pid} ' in line[:22])


class Account:
    """What was mapped, open and waited for when, by the events alone, as babeltrace2 prints them.

    All times are in ns since the epoch. Of everything that ends: [from, to), and None if it did
    not end.
    """

    def __init__(self, trace):
        text = subprocess.run(['babeltrace2', '--clock-seconds', trace], capture_output=True,
                              text=True, timeout=PATIENCE, check=True).stdout
        # "(+0.000000671)", the time since the one before, is none of our business.
        text = re.sub(r' \(\+[\d.?]+\)', '', text)
        self.events = [self._event(match) for match in map(EVENT.match, text.splitlines())
                       if match]
        self.first = self.events[0][0]
        self.mappings, self.fds, self.waits = [], [], []
        self._live, self._open, self._waiting = {}, {}, {}
        for ns, tid, name, field in self.events:
            self._take(ns, tid, name, field)

    @staticmethod
    def _event(match):
        fields = {name: int(number) if number else text
                  for name, text, number in FIELD.findall(match[6])}
        return int(match[1]) * 10**9 + int(match[2]), int(match[5]), match[3], fields

    def _opened(self, fd, ns, ino):
        self._open[fd] = {'fd': fd, 'ino': ino, 'from': ns, 'to': None}
        self.fds.append(self._open[fd])

    def _closed(self, fd, ns):
        self._open.pop(fd)['to'] = ns
        for mapping in list(self._live.values()):
            if mapping['fd'] == fd:
                mapping['to'] = ns
                del self._live[mapping['mapping']]

    def _take(self, ns, tid, name, field):
        if name == 'vhost_user_backend_fd':
            self._opened(field['fd'], ns, field['ino'])
        elif name == 'vhost_user_backend_fd_close':
            self._closed(field['fd'], ns)
        elif name == 'ram_block_reclaimed':
            self._closed(field['fd'], ns)
        elif name == 'virtio_shmem_fd_dup':
            ino = self._open[field['fd']]['ino']
            self._opened(field['newfd'], ns, ino)
            mapping = {'mapping': field['mapping'], 'fd': field['newfd'], 'ino': ino, 'from': ns,
                       'to': None, 'steps': [(ns, 'made')]}
            self._live[field['mapping']] = mapping
            self.mappings.append(mapping)
        elif name == 'virtio_shmem_mapping_added':
            mapping = self._live[field['mapping']]
            mapping.update({name: field[name] for name in ('shmid', 'shm_offset', 'len')})
            mapping['steps'].append((ns, 'added'))
        elif name == 'memory_commit_end':
            for mapping in self._live.values():
                if mapping['steps'][-1][1] == 'added':
                    mapping['steps'].append((ns, 'visible'))
        elif name == 'virtio_shmem_mapping_removed':
            self._live[field['mapping']]['steps'].append((ns, f'removed: {field["reason"]}'))
        elif name == 'virtio_shmem_mapping_finalized':
            self._live[field['mapping']]['steps'].append((ns, 'finalized, fd open'))
        elif name == 'vhost_user_request' and field['flags'] & 8:
            self._waiting[field['dev'], field['seq']] = {
                'dev': field['dev'], 'request': field['request'], 'tid': tid, 'from': ns,
                'to': None}
            self.waits.append(self._waiting[field['dev'], field['seq']])
        elif name == 'vhost_user_reply_read':
            self._waiting.pop((field['dev'], field['seq']))['to'] = ns

    @staticmethod
    def at(things, ns):
        return [thing for thing in things
                if thing['from'] <= ns and (thing['to'] is None or thing['to'] > ns)]

    @staticmethod
    def state(mapping, ns):
        return [state for since, state in mapping['steps'] if since <= ns][-1]
