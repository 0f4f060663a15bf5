# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the doctor where a test has made something of the host: other mounts, another user, a
filter of calls. What it says is held against the schema each time."""

import ctypes
import json
import os
import shutil
import struct
import subprocess
import tempfile
import unittest

import jsonschema

PATIENCE = 30  # seconds
NOBODY = 65534
ROOT = os.getuid() == 0
# Of the host, and not of a container, such as scripts/check makes for another Debian.
WHOLE = ROOT and os.readlink('/proc/self/ns/pid') == 'pid:[4026531836]'

PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
RET_ERRNO, RET_ALLOW = 0x50000, 0x7fff0000
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # instructions of a filter
PIDFD_GETFD = 438
SOCKET, SETNS, PROCESS_VM_READV = {'x86_64': (41, 308, 310),
                                    'aarch64': (198, 268, 270)}[os.uname().machine]


def refuse(*rules):
    """For preexec_fn: each rule is (call, errno) or (call, errno, argument, its value)."""
    code = [(LOAD, 0, 0, 0)]
    for call, error, *argument in rules:
        code.append((EQUAL, 0, 3 if argument else 1, call))
        if argument:
            code += [(LOAD, 0, 0, 16 + 8 * argument[0]), (EQUAL, 0, 1, argument[1])]
        code.append((RETURN, 0, 0, RET_ERRNO | error))
        code.append((LOAD, 0, 0, 0))
    code.append((RETURN, 0, 0, RET_ALLOW))
    text = ctypes.create_string_buffer(b''.join(struct.pack('=HBBI', *line) for line in code))
    program = ctypes.create_string_buffer(struct.pack('@HP', len(code), ctypes.addressof(text)))
    libc = ctypes.CDLL(None, use_errno=True)

    def install():
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or \
                libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0):
            raise OSError(ctypes.get_errno(), 'seccomp')
    install.keep = text
    return install


def as_nobody():
    """Words that begin a command which is to have no rights, inside of what mounts() gives, too."""
    if ROOT:
        return ['setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups',
                '--inh-caps=-all']
    return ['unshare', '--user', f'--map-user={NOBODY}', f'--map-group={NOBODY}']


def mounts(script, *more, shared=False):
    """Words that begin a command before which `script` has changed what is mounted; nothing of
    the session daemon that other tests use is there, unless it is `shared`."""
    rights = [] if ROOT else ['--map-root-user']
    begin = '' if shared else 'mount -t tmpfs tmpfs /run\n'
    return ['unshare', '--mount', *rights, *more, '/bin/sh', '-euc',
            f'{begin}{script}\nexec "$@"', 'sh']


class Said:
    """What it said: exit status and the document."""

    def __init__(self, status, document):
        self.status = status
        self.document = document
        self.can = {name: one['verdict'] for name, one in document['can'].items()}

    def items(self, area, name):
        return [item for item in self.document['items']
                if (item['area'], item['id']) == (area, name)]

    def item(self, area, name):
        found = self.items(area, name)
        if len(found) != 1:
            raise AssertionError(f'{area} {name}: {len(found)} of them in\n'
                                 + json.dumps(self.document['items'], indent=1))
        return found[0]


# The library's other half, beside it.
PROVIDER = 'libshmemscope-wire-provider.so'


class DoctorTest(unittest.TestCase):
    shmemscope = wire = ''  # of the build
    schema = None

    @classmethod
    def use(cls, shmemscope, wire, schema):
        """What all tests are about."""
        DoctorTest.shmemscope, DoctorTest.wire = os.path.abspath(shmemscope), os.path.abspath(wire)
        with open(schema, encoding='utf-8') as source:
            DoctorTest.schema = json.load(source)
        jsonschema.Draft7Validator.check_schema(DoctorTest.schema)

    def setUp(self):
        top = tempfile.TemporaryDirectory(prefix='ss-doctor-')
        self.addCleanup(top.cleanup)
        self.top = top.name
        os.chmod(self.top, 0o755)
        # Copies: any user may reach them, wherever the build is.
        self.tool = shutil.copy(self.shmemscope, self.path('shmemscope'))
        self.library = shutil.copy(self.wire, self.path('libwire.so'))
        self.provider = shutil.copy(os.path.join(os.path.dirname(self.wire), PROVIDER),
                                    self.path(PROVIDER))
        self.home = self.directory('home')

    def path(self, name):
        return os.path.join(self.top, name)

    def directory(self, name):
        path = self.path(name)
        os.mkdir(path)
        if ROOT:
            os.chown(path, NOBODY, NOBODY)
        return path

    def environment(self, **more):
        names = {name: value for name, value in os.environ.items()
                 if name not in ('LD_PRELOAD', 'LTTNG_HOME')}
        return {**names, 'SHMEMSCOPE_WIRE': self.library, 'HOME': self.home, 'LC_ALL': 'C', **more}

    def run_doctor(self, *arguments, before=(), environment=None, **keywords):
        keywords.setdefault('cwd', self.home)
        return subprocess.run([*before, self.tool, 'doctor', *arguments],
                              env=self.environment(**(environment or {})), capture_output=True,
                              text=True, timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL,
                              **keywords)

    def ask(self, *arguments, **keywords):
        done = self.run_doctor('--format', 'json', *arguments, **keywords)
        self.assertEqual(done.stderr, '')
        self.assertIn(done.returncode, (0, 1), done.stdout)
        document = json.loads(done.stdout)
        jsonschema.validate(document, self.schema)
        self.assertEqual(document['well'], done.returncode == 0)
        return Said(done.returncode, document)

    def assert_item(self, said, area, name, state, words='.', mend='.'):
        """The one item of that name, with these words (a pattern) in text and mend."""
        item = said.item(area, name)
        self.assertEqual(item['state'], state, item)
        self.assertRegex(item['text'], words)
        if state != 'good':
            self.assertRegex(item['mend'], mend)
        return item

    def assert_can(self, said, *abilities):
        """In full as root of a host, and else within limits."""
        for name in abilities:
            self.assertIn(said.can[name], ('yes',) if WHOLE else ('yes', 'limited'), name)

    def etc(self, files):
        """A script that puts an /etc with these files in place of the host's."""
        own = self.path('etc')
        os.mkdir(own)
        for name in ('passwd', 'group', 'nsswitch.conf', 'ld.so.cache'):
            if os.path.exists(f'/etc/{name}'):
                shutil.copyfile(f'/etc/{name}', f'{own}/{name}')
        for name, text in files.items():
            os.makedirs(os.path.dirname(f'{own}/{name}'), exist_ok=True)
            with open(f'{own}/{name}', 'w', encoding='utf-8') as out:
                out.write(text)
        return f'mount --bind {own} /etc\n'

    def build(self, name, source, *flags):
        """A program made of C text."""
        path = self.path(name)
        with open(path + '.c', 'w', encoding='utf-8') as text:
            text.write(source)
        subprocess.run(['gcc', '-o', path, path + '.c', *flags], check=True)
        return path
