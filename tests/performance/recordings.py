# SPDX-License-Identifier: GPL-2.0-or-later
"""Two recordings of one QEMU, of which at most one is on, and what they took down."""

import bisect
import collections
import contextlib
import os
import re
import shutil
import subprocess

from harness import parts
from harness.processes import HarnessError, wait_until

from . import pairs

START_TIMEOUT_S = 60
# What `shmemscope record` takes by itself, and all of the catalogue.
SETS = {"default": (), "everything": ("--set", "catalogue")}
EVENT = re.compile(r"\[0*(\d+)\] .*?([\w]+:[\w]+):")


def lttng(verb, session):
    pairs.command("lttng", "--no-sessiond", verb, session)


class Recordings:
    """`shmemscope record` of each set, attached to a QEMU, and stopped until it is asked for.

    Both stay: buffers once touched and files once opened are as in a recording that lasts.
    """

    def __init__(self, programs, out, pid):
        self.programs = programs
        self.out = out
        self.pid = pid
        self.on = None
        self.children = []

    def path(self, name):
        return os.path.join(self.out, f"trace-{name}")

    def session(self, name):
        return f"shmemscope-measure-{os.getpid()}-{name}"

    def attach(self):
        for name, options in SETS.items():
            shutil.rmtree(self.path(name), ignore_errors=True)
            recording = parts.Recording(self.programs, self.path(name),
                                        ["--session", self.session(name), "--pid",
                                         str(self.pid), *options])
            child = recording.attach(os.path.join(self.out, f"record-{name}.log"),
                                     os.path.join(self.out, "commands"))
            self.children.append(child)
            wait_until(recording.started, START_TIMEOUT_S, "the recording to start", [child])
            lttng("stop", self.session(name))

    def switch(self, name):
        """Turns on the recording NAME, and none when it is None; waits until it is so."""
        if name == self.on:
            return
        if self.on:
            lttng("stop", self.session(self.on))
        if name:
            lttng("start", self.session(name))
        self.on = name

    def end(self):
        """Ends both in their own way; what they wrote is whole then."""
        self.switch(None)
        for name, child in zip(SETS, self.children):
            lttng("start", self.session(name))
            child.signal(2)
            if child.status(START_TIMEOUT_S, "the recording's end") != 0:
                raise HarnessError(f"The recording failed:\n{child.diagnosis()}")

    def close(self):
        for child in self.children:
            child.stop()
            child.close()

    def events(self, name, windows):
        """events_within() of the recording NAME."""
        return events_within(self.path(name), windows)


def events_within(trace, windows):
    """Events of a trace within WINDOWS, and outside of them; a trace with losses is an error.

    WINDOWS is a sorted list of (begin, end, kind), in ns of CLOCK_MONOTONIC. Returns
    {kind: Counter of event names}; the kind None is for what is in no window.
    """
    argv = ["babeltrace2", "--clock-cycles", "--no-delta", "--names=none", trace]
    begins = [window[0] for window in windows]
    found = collections.defaultdict(collections.Counter)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as reader:
        for line in reader.stdout:
            match = EVENT.match(line)
            if not match:
                raise HarnessError(f"babeltrace2 says what is no event: {line.rstrip()}")
            at = bisect.bisect_right(begins, int(match.group(1))) - 1
            inside = at >= 0 and int(match.group(1)) < windows[at][1]
            found[windows[at][2] if inside else None][match.group(2)] += 1
        # Losses are told here, and only by words.
        complaint = reader.stderr.read()
        status = reader.wait()
    if status != 0 or complaint.strip():
        raise HarnessError(f"The recording is not whole: path=\"{trace}\": {complaint.strip()}")
    return found


@contextlib.contextmanager
def recordings(programs, out, pid):
    both = Recordings(programs, out, pid)
    try:
        both.attach()
        yield both
        both.end()
    finally:
        both.close()


def others():
    """Names of sessions that are active and not of this program: they may disturb."""
    listed = pairs.command("lttng", "--no-sessiond", "list")
    return [match.group(1) for match in re.finditer(r"^\s*\d+\)\s+(\S+).*\[active\]", listed, re.M)
            if not match.group(1).startswith(f"shmemscope-measure-{os.getpid()}-")]
