#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What tracepoints/catalogue promises against what a built QEMU really offers.

usage: test-catalogue.py SHMEMSCOPE QEMU_DIR CATALOGUE SERIES_DIR [unittest arguments]

QEMU is started under a recording; the trace's metadata then tells each event that LTTng knows,
with its fields, whether or not it ever happened. Names alone would not do: QEMU's ust backend
can drop a field silently.
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

SHMEMSCOPE = QEMU = CATALOGUE = SERIES = ''

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
        body = re.search(r'fields := struct \{(.*?)^\s*\}', block, re.DOTALL | re.MULTILINE)
        fields = events[name] = []
        for line in body.group(1).splitlines() if body else []:
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
            found.append(f'{event}: QEMU does not offer it')
        elif offer[event] != fields:
            found.append(f'{event}: the catalogue has {fields}, QEMU offers {offer[event]}')
    return found


class CatalogueTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(CATALOGUE, encoding='utf-8') as stream:
            cls.text = stream.read()
        cls.catalogue = {name: fields for name, fields in promised(cls.text).items()
                         if name.startswith('qemu:')}
        cls.offer = cls.record()

    @staticmethod
    def record():
        qmp = '{"execute":"qmp_capabilities"}\n{"execute":"quit"}\n'
        with tempfile.TemporaryDirectory(prefix='ss-catalogue-') as top:
            trace = os.path.join(top, 'trace')
            run = subprocess.run(
                [SHMEMSCOPE, 'record', '--set', 'catalogue', '--output', trace, '--',
                 os.path.join(QEMU, 'qemu-system-x86_64'), '-nodefaults', '-no-user-config',
                 '-display', 'none', '-machine', 'q35', '-accel', 'qtest', '-S', '-L',
                 '/usr/share/seabios', '-qmp', 'stdio'],
                input=qmp, capture_output=True, text=True, timeout=120, check=False)
            if run.returncode != 0:
                raise AssertionError(f'QEMU did not run ({run.returncode}): {run.stderr}')
            directories = [path for path, _, files in os.walk(trace) if 'metadata' in files]
            if len(directories) != 1:
                raise AssertionError(f'one trace expected: {directories}: {run.stderr}')
            return offered(subprocess.run(
                ['babeltrace2', '--output-format=ctf-metadata', directories[0]],
                capture_output=True, text=True, check=True).stdout)

    def test_qemu_offers_what_the_catalogue_promises(self):
        self.assertGreater(len(self.catalogue), 30)
        self.assertEqual(differences(self.catalogue, self.offer), [])

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
            'one field more': ('  depth  u32  count  depth after it\n',
                               '  depth  u32  count  depth after it\n  more  u8  -  no\n'),
        }
        for what, (old, new) in changes.items():
            with self.subTest(what):
                self.assertIn(old, self.text)
                changed = promised(self.text.replace(old, new, 1))
                self.assertEqual(len(differences(changed, self.offer)), 1)


if __name__ == '__main__':
    SHMEMSCOPE, QEMU, CATALOGUE, SERIES = sys.argv[1:5]
    unittest.main(argv=[sys.argv[0], *sys.argv[5:]], verbosity=2)
