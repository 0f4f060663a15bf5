# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the text of a deadlock's finding back: who waits, for which message, inside of what.

A script has nothing but the text of a report, as somebody has pasted it. parse() takes it apart;
examine() holds what it has found against the JSON of the same recording, and says what is wrong.
"""

import re

LINES, COLUMNS = 24, 80
BACKEND_COLUMN, TIME_WIDTH = 48, 16

BLOCK = re.compile(r'^DEADLOCK .*\n(?:.*\n)*?^  more .*\n', re.M)
HEADING = re.compile(r'DEADLOCK (?P<certainty>\w+)   (?:.*?\(.* (?P<vm_pid>\d+)\)|.*? (?P<pid>\d+))'
                     r'(?: device .*| stuck for .*|   .*|$)')
STATE = re.compile(r'  (?P<who>QEMU main loop|QEMU thread .+?|QEMU|front-end|'
                   r'back-end(?: \d+)?(?: of .+?)?) +'
                   r'(?P<text>(?:waits for the reply to|would read|is the process|the .*thread).*)')
WAITS = re.compile(r'waits for the reply to (?P<request>(?:a request behind )?(?:[A-Z_]+|request \d+))'
                   r'(?: #(?P<seq>\d+))?(?P<rest>.*)')
EXCHANGE = r'(?P<request>[A-Z_]+|request \d+) #(?P<seq>\d+)(?: of device (?P<device>.+))?'
INSIDE = [(re.compile(rf'the (?P<deferred>deferred )?commit of {EXCHANGE}'), 'commit'),
          (re.compile(r'a memory commit'), 'commit'),
          (re.compile(rf'the dispatch of {EXCHANGE}'), 'dispatch'),
          (re.compile(r'the start of (?:the device|device (?P<device>.+))'), 'start'),
          (re.compile(r'the stop of (?:the device|device (?P<device>.+))'), 'stop'),
          (re.compile(r'the reset of (?:the device|device (?P<device>.+))'), 'reset'),
          (re.compile(r'the unplug of (?:the device|device (?P<device>.+))'), 'unrealize')]
HOW = {", which lies unread in QEMU's socket": 'unread',
       ', which QEMU has read and not answered': 'unanswered'}


def parse_inside(rest):
    """What the request was sent inside of, the innermost first; None when nobody knows."""
    if not rest:
        return []
    if rest.startswith(', sent inside what: not recorded'):
        return None
    parts = rest.removeprefix(', sent inside ').split(', inside ')
    found = []
    for part in parts:
        match, what = next((regex.fullmatch(part), what) for regex, what in INSIDE
                           if regex.fullmatch(part))
        groups = match.groupdict()
        found.append({'what': what, 'request': groups.get('request'),
                      'seq': int(groups.get('seq') or 0), 'device': groups.get('device'),
                      'deferred': bool(groups.get('deferred'))})
    return found


def parse_state(who, text):
    """One party: what it waits for, and how that stands."""
    party = {'who': who, 'text': text, 'request': None}
    match = WAITS.fullmatch(text)
    if match:
        how = HOW.get(match['rest'])
        party |= {'request': match['request'], 'seq': int(match['seq'] or 0), 'how': how,
                  'inside': None if how else parse_inside(match['rest'])}
    return party


def parse_row(line):
    """(message of QEMU, message of the back-end) of a line of the witness, "" for none."""
    time = re.match(r'  (\+[\d.]+ ms)? *', line)
    begin = max(TIME_WIDTH, len(time[1] or '') + 3)
    if line[begin:BACKEND_COLUMN].strip() and line[BACKEND_COLUMN - 2:BACKEND_COLUMN] != '  ':
        return line[begin:].strip(), ''  # it runs on into the other's column
    return line[begin:BACKEND_COLUMN].strip(), line[BACKEND_COLUMN:].strip()


def parse_block(block):
    """One finding."""
    lines = block.splitlines()
    heading, rest = [lines[0]], lines[1:]
    while rest[0].startswith('    '):
        heading.append(rest.pop(0).strip())
    head = HEADING.match(' '.join(heading))
    found = {'certainty': head['certainty'], 'pid': int(head['vm_pid'] or head['pid']),
             'summary': rest.pop(0).strip(), 'lines': lines}
    parties = []
    while rest[0] and (STATE.fullmatch(rest[0]) or rest[0].startswith('   ')):
        match = STATE.fullmatch(rest[0])
        if match:
            parties.append([match['who'], match['text']])
        else:
            parties[-1][1] += ' ' + rest[0].strip()
        rest.pop(0)
    found['waiters'] = [parse_state(*party) for party in parties]
    start = next(i for i, line in enumerate(rest) if re.match(r'  time +QEMU +back-end$', line))
    rows = rest[start + 1:rest.index('', start)]
    found['rows'] = [parse_row(row) for row in rows]
    return found


def parse(text):
    """All deadlocks of a report."""
    return [parse_block(match[0]) for match in BLOCK.finditer(text)]


def same(shown, whole):
    """A text, and what was shown of it."""
    return shown == whole or shown.endswith('...') and whole.startswith(shown[:-3])


def examine_witness(found, witness):
    """Each message that is shown is one of the witness, in its order and on its side."""
    at, wrong = 0, []
    for sides in found['rows']:
        for side, shown in zip(('QEMU', 'back-end'), sides):
            if not shown or re.fullmatch(r'\(\d+ steps left out\)', shown):
                continue
            while at < len(witness) and not (witness[at]['side'] == side
                                             and same(shown, witness[at]['text'])):
                at += 1
            if at == len(witness):
                wrong.append(f'no such message of {side} in the JSON, or out of order: {shown}')
            at += 1
    return wrong


def expected_inside(order):
    """What QEMU stands in by the JSON's order of messages, the innermost first."""
    steps = order['steps']
    end = next(i for i, step in enumerate(steps) if step['kind'] == 'frontend-waits')
    inside = []
    for step in steps[:end]:
        if step['kind'] in ('start', 'stop', 'reset', 'unrealize'):
            inside.insert(0, (step['kind'], None, 0, False))
        elif step['kind'] == 'commit':
            replied = any(other['kind'] == 'reply' and other['device'] == step['device']
                          and other['number'] == step['number'] for other in steps[:end])
            inside.insert(0, ('commit', step['request'], step['seq'], replied))
    if not any(what == 'commit' for what, *_ in inside):
        reads = [step for step in steps[:end] if step['kind'] == 'read']
        inside[:0] = [('dispatch', step['request'], step['seq'], False) for step in reads[-1:]]
    return inside


def examine_order(found, order):
    """The waiters of the text are those of the JSON's order of messages."""
    wrong = []
    steps = order['steps']
    front = next(step for step in steps if step['kind'] == 'frontend-waits')
    back = next(step for step in steps if step['kind'] == 'backend-waits')
    read = any(step['kind'] == 'read' and step['device'] == back['device']
               and step['number'] == back['number'] for step in steps)
    qemu = [one for one in found['waiters'] if one['request'] and one['who'].startswith('QEMU')]
    other = [one for one in found['waiters'] if one['request'] and one not in qemu]
    if [one['request'] for one in qemu] != [front['request']]:
        wrong.append(f'QEMU waits for {qemu}, not for {front}')
    if [(one['request'], one['how']) for one in other] != [
            (back['request'], 'unanswered' if read else 'unread')]:
        wrong.append(f'the back-end waits for {other}, not for {back}')
    if other and other[0]['seq'] not in (0, back['seq']):
        wrong.append(f'the back-end waits for number {other[0]["seq"]}, not {back["seq"]}')
    ids = [device['id'] for device in order['devices']]
    inside = qemu[0]['inside'] if qemu else None
    if inside is not None:
        told = [(one['what'], one['request'], one['seq'], one['deferred']) for one in inside]
        if told != expected_inside(order):
            wrong.append(f'inside of {told}, not of {expected_inside(order)}')
        wrong += [f'no device {one["device"]} in {ids}' for one in inside
                  if one['device'] and not any(one['device'] in name for name in ids)]
    return wrong


def examine(text, document):
    """(deadlocks, what is wrong) with the text of a report and the JSON of the same recording."""
    found = parse(text)
    wanted = [finding for finding in document['findings']
              if finding['id'] == 'reply-commit-deadlock' and finding['process']]
    wrong = [] if len(found) == len(wanted) else [f'{len(found)} in text, {len(wanted)} in JSON']
    for one, finding in zip(found, wanted):
        wide = max(len(line) for line in one['lines'])
        if len(one['lines']) > LINES or wide > COLUMNS:
            wrong.append(f'{len(one["lines"])} lines of {wide} columns')
        if (one['certainty'], one['pid']) != (finding['certainty'],
                                                   finding['process']['pid']):
            wrong.append(f'{one["certainty"]} of {one["pid"]} is not what the JSON has')
        said = [(entry['who'], entry['text']) for entry in finding['statements']]
        told = [(party['who'], party['text']) for party in one['waiters']]
        if len(told) != len(said) or not all(same(a, c) and b == d for (a, b), (c, d)
                                             in zip(told, said)):
            wrong.append(f'parties {told}, in JSON {said}')
        if len([party for party in one['waiters'] if party['request']]) < 2:
            wrong.append('fewer than two wait')
        wrong += examine_witness(one, finding['witness'])
        if finding['order']:
            wrong += examine_order(one, finding['order'])
    return len(found), wrong
