# SPDX-License-Identifier: GPL-2.0-or-later
"""Cuts of a recorded trace at the packets of its streams, chosen by a seed.

Each cut has a name, and says which of the trace's time all its streams still tell: a finding
whose evidence lies in there must stay.
"""

import json
import os
import shutil
import subprocess


class Cut:
    """KEEP and what goes with it to ctf.Trace.write(), and the time that is whole in the copy."""

    def __init__(self, name, keep, begin, end, told, **options):
        self.name = name
        self.keep = keep
        self.begin, self.end = begin, end
        # Whether the copy itself shows that something is missing.
        self.told = told
        self.options = options


def _ends(trace, rand):
    """A copy of a recording under way: of each CPU what was written by then."""
    time = rand.choice(trace.times())
    index = rand.choice(("fitting", "whole", "none"))
    return Cut(f"ends at {time}, index {index}", lambda _, p: p.end <= time, 0, time, False,
               index=index)


def _ends_apart(trace, rand):
    """Each stream ends at a packet of its own."""
    last = {s.name: rand.randrange(len(s.packets)) for s in trace.streams}
    times = [s.packets[last[s.name]].end for s in trace.streams]
    numbers = {s.name: s.packets[last[s.name]].number for s in trace.streams}
    return Cut(f"ends apart, {last}", lambda s, p: p.number <= numbers[s.name], 0, min(times),
               False, index=rand.choice(("fitting", "none")))


def _begins(trace, rand):
    """A snapshot, of which each CPU has what was not overwritten."""
    time = rand.choice(trace.times())
    return Cut(f"begins at {time}", lambda _, p: p.begin >= time, time, None, False,
               index=rand.choice(("fitting", "none")))


def _begins_apart(trace, rand):
    first = {s.name: rand.randrange(len(s.packets)) for s in trace.streams}
    times = [s.packets[first[s.name]].begin for s in trace.streams]
    numbers = {s.name: s.packets[first[s.name]].number for s in trace.streams}
    return Cut(f"begins apart, {first}", lambda s, p: p.number >= numbers[s.name], max(times),
               None, False, index=rand.choice(("fitting", "none")))


def _both(trace, rand):
    begin, end = sorted(rand.choice(trace.times()) for _ in range(2))
    return Cut(f"from {begin} to {end}", lambda _, p: begin <= p.begin and p.end <= end, begin,
               end, False, index=rand.choice(("fitting", "none")))


def _hole(trace, rand):
    """Packets of one stream that LTTng overwrote, or a disk lost."""
    stream = rand.choice([s for s in trace.streams if len(s.packets) > 2] or trace.streams)
    # Before the first and behind the last is another cut's.
    first = rand.randrange(1, max(2, len(stream.packets) - 1))
    last = rand.randrange(first, max(first + 1, len(stream.packets) - 1))
    numbers = {p.number for p in stream.packets[first:last + 1]}
    return Cut(f"without packets {first} to {last} of {stream.name}",
               lambda s, p: s is not stream or p.number not in numbers, None, None,
               last < len(stream.packets) - 1, index=rand.choice(("fitting", "none")))


def _no_stream(trace, rand):
    stream = rand.choice(trace.streams)
    index = rand.choice(("whole", "none"))
    # Of the last CPU's nothing tells but its index.
    told = index == "whole" or stream is not max(trace.streams, key=lambda s: s.packets[0].cpu)
    return Cut(f"without {stream.name}, index {index}", lambda s, _: s is not stream, None, None,
               told, index=index)


def _no_index(_trace, _rand):
    return Cut("without index", lambda *_: True, 0, None, False, index="none")


def _torn(trace, rand):
    stream = rand.choice(trace.streams)
    last = rand.randrange(len(stream.packets))
    number = stream.packets[last].number
    return Cut(f"{stream.name} torn in packet {last}",
               lambda s, p: s is not stream or p.number <= number, None, None, True,
               index=rand.choice(("fitting", "whole", "none")), torn=(stream.name,))


KINDS = (_ends, _ends_apart, _begins, _begins_apart, _both, _hole, _no_stream, _no_index, _torn)


def _silent(trace, cut):
    """Whether the last CPU's stream is gone with its index: then nothing tells that it was."""
    last = max(trace.streams, key=lambda stream: stream.packets[0].cpu)
    return (cut.options["index"] != "whole"
            and not any(cut.keep(last, packet) for packet in last.packets))


def choose(trace, rand, count):
    """COUNT cuts, of each kind in turn."""
    cuts = [KINDS[number % len(KINDS)](trace, rand) for number in range(count)]
    for cut in cuts:
        cut.silent = _silent(trace, cut)
    return cuts


class Judge:
    """tests/analysis/judge-traces: what the tool says, of many traces in one process."""

    def __init__(self, program):
        self.child = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.stdout.close()
        self.child.wait()

    def of(self, directory):
        """The verdict on the trace, a dictionary."""
        self.child.stdin.write(f"{directory}\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            raise RuntimeError(f"judge-traces ended with {self.child.wait()} at {directory}")
        path, _, verdict = line.partition("\t")
        if path != directory:
            raise RuntimeError(f"judge-traces says {line!r} of {directory}")
        return json.loads(verdict)

    def of_cut(self, trace, cut, directory, run_file=None):
        """Of a cut, which is written below DIRECTORY and removed again."""
        out = os.path.join(directory, "cut")
        shutil.rmtree(out, ignore_errors=True)
        trace.write(os.path.join(out, "trace"), cut.keep, **cut.options)
        if run_file:
            shutil.copy(run_file, out)
        return self.of(out)
