#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The documents agree with the sources they speak of.

usage: test_docs.py ROOT FIXTURE_REPORT [--update]

With --update the examples that come from fixtures are made anew instead.
"""

import email
import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path()
FIXTURE_REPORT = ''
CHECK_ID = re.compile(r'\.id = "([\w-]+)"')
NEEDS = re.compile(r'SS_NEEDS\((\w+)\)')
LINK = re.compile(r'\]\(([^)\s]+)\)')
REASON = re.compile(r'^\| ([a-z-]+) \| E[A-Z]+ \|', re.MULTILINE)
PATH = re.compile(r'(?:\./)?((?:scripts|analysis|tests|tracepoints|docs)/[\w./-]+)')
FIXTURE_EXAMPLE = re.compile(
    r'The\s+fixture\s+\[`[^`]+`\]\(\.\./\.\./(?P<fixture>\S+)\)\s+makes:\n\n'
    r'(?P<block>(?:(?:    .*)?\n)+)')


SOURCES = re.compile(r'(<!-- begin of tests/zoo/sources -->\n)(.*?)(<!-- end of tests/zoo/sources -->)',
                     re.DOTALL)


def sources_table():
    """What the wire library names in the zoo, as the document has it."""
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(ROOT / 'tests/zoo'))
    import sources
    return f'\n{sources.markdown(sources.read())}\n\n'


def documents():
    return [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').rglob('*.md'))]


def read(path):
    return path.read_text(encoding='utf-8')


def checks():
    """Source text of each check, by its id."""
    found = {}
    for source in (ROOT / 'analysis/checks').glob('*.c'):
        for name in CHECK_ID.findall(read(source)):
            found[name] = read(source)
    return found


def anchor(heading):
    words = re.sub(r'[^\w\s-]', '', heading.lower())
    return re.sub(r'\s', '-', words.strip())


def anchors(path):
    return {anchor(line.lstrip('#')) for line in read(path).splitlines() if line.startswith('#')}


def catalogue():
    return read(ROOT / 'tracepoints/catalogue')


def classes():
    return set(re.findall(r'^event \S+ (\S+)', catalogue(), re.MULTILINE))


def finding(fixture, check):
    """The first finding of that check in the report on a fixture, as a block of Markdown."""
    done = subprocess.run([FIXTURE_REPORT, 'report-text', ROOT / fixture], capture_output=True,
                          text=True, check=True)
    found = re.findall(r'^[A-Z]+ (?:.|\n)*?^  more .*\n', done.stdout, re.MULTILINE)
    text = next(one for one in found if one.endswith(f'/{check}.md\n'))
    return ''.join(f'    {line}'.rstrip() + '\n' for line in text.splitlines())


def update():
    for path in (ROOT / 'docs/findings').glob('*.md'):
        page = read(path)
        for match in FIXTURE_EXAMPLE.finditer(page):
            page = page.replace(match['block'], finding(match['fixture'], path.stem) + '\n')
        path.write_text(page, encoding='utf-8')
    wire = ROOT / 'docs/wire.md'
    wire.write_text(SOURCES.sub(lambda match: match[1] + sources_table() + match[3], read(wire)),
                    encoding='utf-8')


class FindingsTest(unittest.TestCase):
    def test_a_page_for_each_check(self):
        pages = {path.stem for path in (ROOT / 'docs/findings').glob('*.md')} - {'README'}
        self.assertEqual(pages, set(checks()))
        index = read(ROOT / 'docs/findings/README.md')
        for name in checks():
            self.assertIn(f'[{name}]({name}.md)', index)
            self.assertIn(f'\n# {name}\n', read(ROOT / f'docs/findings/{name}.md'))

    def test_event_classes(self):
        for name, source in checks().items():
            with self.subTest(check=name):
                page = read(ROOT / f'docs/findings/{name}.md')
                told = re.findall(r'`([\w-]+)`', page.partition('\n## Needs\n')[2])
                needed = [word.lower().replace('_', '-') for word in NEEDS.findall(source)]
                self.assertEqual(sorted(told), sorted(needed))
                self.assertTrue(needed)

    def test_examples(self):
        shown = 0
        for path in sorted((ROOT / 'docs/findings').glob('*.md')):
            for match in FIXTURE_EXAMPLE.finditer(read(path)):
                with self.subTest(page=path.name):
                    self.assertEqual(match['block'].rstrip('\n'),
                                     finding(match['fixture'], path.stem).rstrip('\n'))
                shown += 1
        self.assertGreaterEqual(shown, 7)


class ContractTest(unittest.TestCase):
    def test_reasons(self):
        """protocol.md has every reason of the catalogue, and no other."""
        text = re.search(r'reason +str +- +stable word:(.*?)\n\n', catalogue(), re.DOTALL)
        reasons = set(re.findall(r'[a-z-]+', text.group(1)))
        told = REASON.findall(read(ROOT / 'docs/protocol.md'))
        self.assertEqual(set(told), reasons)

    def test_reasons_of_the_series(self):
        """Each reason is told by the series."""
        series = '\n'.join(read(path) for path in (ROOT / 'tracepoints/qemu/10.0').glob('*.patch'))
        for word in REASON.findall(read(ROOT / 'docs/protocol.md')):
            self.assertTrue(f'"{word}"' in series, word)

    def test_classes(self):
        page = read(ROOT / 'docs/DESIGN.md')
        told = re.search(r'Events have classes: (.*?)\. A recording', page, re.DOTALL).group(1)
        self.assertEqual(set(re.findall(r'`([\w-]+)`', told)), classes())
        manual = read(ROOT / 'man/shmemscope-record.1').partition('The classes are\n')[2]
        self.assertEqual(set(re.findall(r'^\.Cm ([\w-]+) [,.]$', manual, re.MULTILINE)),
                         classes())

    def test_series(self):
        page = re.sub(r'\s+', ' ', read(ROOT / 'docs/qemu-series.md'))
        patches = read(ROOT / 'tracepoints/qemu/10.0/series').split()
        for name in patches:
            message = email.message_from_string(read(ROOT / 'tracepoints/qemu/10.0' / name))
            subject = re.sub(r'\s+', ' ', message['subject']).removeprefix('[PATCH] ')
            self.assertIn(f'- {name[:4]} **{subject}**:', page)
        self.assertEqual(len(re.findall(r'- \d{4} \*\*', page)), len(patches))

    def test_folders(self):
        """DESIGN.md has a paragraph for each folder of sources."""
        page = read(ROOT / 'docs/DESIGN.md')
        folders = ['tracepoints', 'scripts', 'tests', 'man', 'docs']
        folders += [f'analysis/{path.name}' for path in (ROOT / 'analysis').iterdir()
                    if path.is_dir()]
        for folder in folders:
            self.assertIn(f'**{folder}/**', page)


class SourcesTest(unittest.TestCase):
    def test_table_of_the_wire(self):
        """As tracked; a run of the zoo compares that with what is found."""
        self.assertEqual(SOURCES.search(read(ROOT / 'docs/wire.md'))[2], sources_table())


class TextTest(unittest.TestCase):
    def test_links(self):
        for path in documents():
            for link in LINK.findall(read(path)):
                if '://' in link:
                    continue
                with self.subTest(page=path.name, link=link):
                    name, _, part = link.partition('#')
                    target = (path.parent / name).resolve() if name else path
                    self.assertTrue(target.exists())
                    if part:
                        self.assertIn(part, anchors(target))

    def test_width(self):
        for path in [*documents(), *(ROOT / 'man').glob('*.1')]:
            for number, line in enumerate(read(path).splitlines(), 1):
                if line.startswith('| '):
                    continue  # a row of a table is one line
                self.assertLessEqual(len(line), 100, f'{path}:{number}')

    def test_commands_exist(self):
        """Every script and path that the documents name is there."""
        for path in documents():
            # The subjects of the series' patches name paths of QEMU's tree.
            text = re.sub(r'^- \d{4} \*\*[^*]*\*\*', '', read(path), flags=re.M)
            for name in PATH.findall(text):
                if 'some-thing' in name:  # CONTRIBUTING.md's check that is to be
                    continue
                with self.subTest(page=path.name, path=name):
                    self.assertTrue((ROOT / name.rstrip('.')).exists())


if __name__ == '__main__':
    ROOT = Path(sys.argv[1])
    FIXTURE_REPORT = os.path.abspath(sys.argv[2])
    if '--update' in sys.argv:
        update()
        sys.exit()
    unittest.main(argv=sys.argv[:1], verbosity=2)
