#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What tracepoints/catalogue promises against what a built QEMU and the wire library really offer.

usage: test-catalogue.py SHMEMSCOPE QEMU_DIR WIRE_LIBRARY TRACEPOINTS_DIR [unittest arguments]

QEMU is started under a recording, with the wire library loaded; the trace's metadata then tells
each event that LTTng knows, with its fields, whether or not it ever happened. Names alone would
not do: QEMU's ust backend can drop a field silently. What the numbers of the wire library's
fields stand for is compared with tracepoints/names.
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

SHMEMSCOPE = QEMU = WIRE_LIBRARY = TRACEPOINTS = SERIES = ''

# TYPE of the catalogue -> (bits, signed) of an integer; a string is (0, False).
TYPES = {'u8': (8, False), 'u16': (16, False), 'u32': (32, False), 'u64': (64, False),
         'i32': (32, True), 'i64': (64, True), 'ptr': (64, False), 'str': (0, False)}


def promised(text):
    """{event: [(field, type)]} of a catalogue's text."""
    events = {}
    for line in text.splitlines():
        event = re.match(r'event (\S+) \S+$', line)
        if event:
            fields = events[event.group(1)] = []
            continue
        field = re.match(r'  ([a-z]\w*)\s+(\S+)\s+\S+(\s|$)', line)
        if field and field.group(2) in TYPES:
            fields.append((field.group(1), TYPES[field.group(2)]))
    return events


def offered(metadata):
    """{event: [(field, type)]} of a CTF 1.8 metadata text as LTTng-UST writes it."""
    events = {}
    for block in re.split(r'^event \{$', metadata, flags=re.MULTILINE)[1:]:
        name = re.search(r'^\s*name = "([^"]+)";', block, re.MULTILINE).group(1)
        body = re.search(r'fields := struct \{(.*?)^\s*\};', block, re.DOTALL | re.MULTILINE)
        fields = events[name] = []
        # An enumeration is an integer with names for some values.
        text = re.sub(r'enum : (integer \{.*?\}) \{.*?\}', r'\1', body.group(1) if body else '',
                      flags=re.DOTALL)
        for line in text.splitlines():
            integer = re.match(r'\s*integer \{(.*)\} _?(\w+);', line)
            string = re.match(r'\s*string(?: \{.*\})? _?(\w+);', line)
            if integer:
                size = int(re.search(r'\bsize = (\d+);', integer.group(1)).group(1))
                signed = re.search(r'\bsigned = (\w+);', integer.group(1)).group(1)
                fields.append((integer.group(2), (size, signed in ('1', 'true'))))
            elif string:
                fields.append((string.group(1), TYPES['str']))
            elif line.strip():
                raise AssertionError(f'{name}: a field this test cannot read: {line.strip()}')
    return events


def enumerations(metadata):
    """{(event, field): {name: number}} of such a text."""
    found = {}
    for block in re.split(r'^event \{$', metadata, flags=re.MULTILINE)[1:]:
        event = re.search(r'^\s*name = "([^"]+)";', block, re.MULTILINE).group(1)
        for names, field in re.findall(r'enum : integer \{.*?\} \{(.*?)\} _?(\w+);', block,
                                       re.DOTALL):
            found[event, field] = {name: int(number) for name, number
                                   in re.findall(r'"(\w+)" = (\d+)', names)}
    return found


def named(text):
    """{"names frontend": {name: number}, "enum role": ...} of the text of tracepoints/names."""
    lists = {}
    for line in text.splitlines():
        entry = re.match(r'  (\d+) (\w+)$', line)
        if entry:
            lists[heading][entry.group(2)] = int(entry.group(1))
        elif line and not line.startswith('#'):
            heading = line
            lists[heading] = {}
    return lists


def added_by_the_series():
    """Names of the trace-events that the patches add, less those that a later one takes out."""
    names = set()
    with open(os.path.join(SERIES, 'series'), encoding='utf-8') as series:
        patches = [line.strip() for line in series
                   if line.strip() and not line.startswith('#')]
    for patch in patches:
        in_events = False
        with open(os.path.join(SERIES, patch), encoding='utf-8') as lines:
            for line in lines:
                if line.startswith('+++ '):
                    in_events = os.path.basename(line.strip()) == 'trace-events'
                    continue
                change = re.match(r'([+-])(\w+)\(', line)
                if in_events and change:
                    (names.add if change.group(1) == '+' else names.discard)(change.group(2))
    return names


def differences(catalogue, offer):
    """What a reader of the catalogue would be told wrongly, one sentence each."""
    found = []
    for event, fields in catalogue.items():
        if event not in offer:
            found.append(f'{event}: nobody offers it')
        elif offer[event] != fields:
            found.append(f'{event}: the catalogue has {fields}, offered is {offer[event]}')
    return found


class CatalogueTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.path.join(TRACEPOINTS, 'catalogue'), encoding='utf-8') as stream:
            cls.text = stream.read()
        with open(os.path.join(TRACEPOINTS, 'names'), encoding='utf-8') as stream:
            cls.names = named(stream.read())
        cls.catalogue = promised(cls.text)
        metadata = cls.record()
        cls.offer, cls.enumerations = offered(metadata), enumerations(metadata)

    @staticmethod
    def record():
        qmp = '{"execute":"qmp_capabilities"}\n{"execute":"quit"}\n'
        with tempfile.TemporaryDirectory(prefix='ss-catalogue-') as top:
            trace = os.path.join(top, 'trace')
            run = subprocess.run(
                [SHMEMSCOPE, 'record', '--set', 'catalogue', '--output', trace, '--',
                 'env', f'LD_PRELOAD={WIRE_LIBRARY}',
                 os.path.join(QEMU, 'qemu-system-x86_64'), '-nodefaults', '-no-user-config',
                 '-display', 'none', '-machine', 'q35', '-accel', 'qtest', '-S', '-L',
                 '/usr/share/seabios', '-qmp', 'stdio'],
                input=qmp, capture_output=True, text=True, timeout=120, check=False)
            if run.returncode != 0:
                raise AssertionError(f'QEMU did not run ({run.returncode}): {run.stderr}')
            directories = [path for path, _, files in os.walk(trace) if 'metadata' in files]
            if len(directories) != 1:
                raise AssertionError(f'one trace expected: {directories}: {run.stderr}')
            return subprocess.run(
                ['babeltrace2', '--output-format=ctf-metadata', directories[0]],
                capture_output=True, text=True, check=True).stdout

    def test_what_the_catalogue_promises_is_offered(self):
        for provider, least in (('qemu:', 30), ('shmemscope_wire:', 15)):
            self.assertGreater(sum(name.startswith(provider) for name in self.catalogue), least)
        self.assertEqual(differences(self.catalogue, self.offer), [])

    def test_numbers_of_the_wire_have_their_names(self):
        backend = {f'BACKEND_{name}': number
                   for name, number in self.names['names backend'].items()}
        either = {**self.names['names frontend'], **backend}
        expected = {('message', 'request'): either, ('shmem', 'request'): backend,
                    ('wait_lasts', 'request'): either, ('wait_lasts', 'peek_request'): either}
        for event, field in (('channel', 'role'), ('channel', 'backend'), ('message', 'sent'),
                             ('fd', 'sent'), ('fd', 'access'), ('channel_closed', 'reason'),
                             ('fd_close', 'again'), ('fd_lost', 'how'), ('note', 'again'),
                             ('note', 'cut'),
                             ('wait_lasts', 'blocked')):
            expected[event, field] = self.names[f'enum {field}']
        self.assertEqual({(f'shmemscope_wire:{event}', field): names
                          for (event, field), names in expected.items()}, self.enumerations)

    def test_the_series_adds_nothing_that_the_catalogue_leaves_out(self):
        added = {f'qemu:{name}' for name in added_by_the_series()}
        self.assertGreater(len(added), 0)
        self.assertEqual(sorted(added - set(self.catalogue)), [])

    def test_the_recording_takes_the_catalogue_and_nothing_else(self):
        # The tracer's own says that it was set up again: what it told before may be lost.
        self.assertEqual(sorted(set(self.offer) - set(self.catalogue)),
                         ['lttng_ust_statedump:start'])

    def test_no_event_has_more_arguments_than_qemu_takes(self):
        self.assertEqual([e for e, fields in self.catalogue.items() if len(fields) > 10], [])

    def test_a_changed_catalogue_is_noticed(self):
        """Each kind of disagreement, one at a time, so that agreement above means something."""
        changes = {
            'another name of an event': ('event qemu:vhost_user_start ',
                                         'event qemu:vhost_user_begin '),
            'another name of a field': ('  ret    i32  errno  result at the end',
                                        '  result i32  errno  result at the end'),
            'another size': ('  started            u8 ', '  started            u16'),
            'another sign': ('  index  u32  count', '  index  i32  count'),
            'a string for a number': ('  chardev  str  -   label', '  chardev  u64  -   label'),
            'another size of a name\'s number': ('  again  u8   enum', '  again  u32  enum'),
            'one field more': ('  depth  u32  count  depth after it\n',
                               '  depth  u32  count  depth after it\n  more  u8  -  no\n'),
        }
        for what, (old, new) in changes.items():
            with self.subTest(what):
                self.assertIn(old, self.text)
                changed = promised(self.text.replace(old, new, 1))
                self.assertEqual(len(differences(changed, self.offer)), 1)


if __name__ == '__main__':
    SHMEMSCOPE, QEMU, WIRE_LIBRARY, TRACEPOINTS = sys.argv[1:5]
    SERIES = os.path.join(TRACEPOINTS, 'qemu/10.0')
    unittest.main(argv=[sys.argv[0], *sys.argv[5:]], verbosity=2)
