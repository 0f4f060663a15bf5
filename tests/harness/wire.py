# SPDX-License-Identifier: GPL-2.0-or-later
"""What the wire library told, as babeltrace2 prints it and not as our own analysis reads it."""

import collections
import re
import subprocess

from .processes import HarnessError

# A text is as it stands between its quotes.
Event = collections.namedtuple("Event", "name thread fields")

OF_LIBRARY = " shmemscope_wire:"
EVENT = re.compile(r' shmemscope_wire:(\w+): \{ cpu_id = \d+ \}, '
                   r'\{ vpid = \d+, vtid = \d+, procname = "([^"]*)" \}, \{ (.*) \}$')
# An enumeration is told by names and number; of two names that have one number babeltrace2 2.0
# tells ( "A", "B" : container = 1 ), and 2.1 ( { "A", "B" } : container = 1 ).
ENUMERATION = re.compile(r'\( [^()]*: container = (\d+) \)')
FIELD = re.compile(r'(\w+) = (?:"([^"]*)"|(-?\d+))')


def parsed(text):
    """The library's events in the text: (name, thread, {field: text}), as they come. One that is
    printed in no known way is an error: nobody shall take it for one that was not told."""
    events = []
    for line in text.splitlines():
        if OF_LIBRARY not in line:
            continue
        event = EVENT.search(line)
        if not event:
            raise HarnessError(f"babeltrace2 says what is no event of the library: {line}")
        name, thread, fields = event.groups()
        events.append(Event(name, thread, {
            field: words or number
            for field, words, number in FIELD.findall(ENUMERATION.sub(r"\1", fields))}))
    return events


def events(trace):
    """parsed() of a trace, which must read cleanly; in the order of time."""
    read = subprocess.run(["babeltrace2", trace], capture_output=True, text=True, check=False)
    if read.returncode != 0 or read.stderr:
        raise HarnessError(f"babeltrace2 complains ({read.returncode}): {read.stderr}")
    return parsed(read.stdout)
