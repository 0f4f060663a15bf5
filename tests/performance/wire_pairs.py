# SPDX-License-Identifier: GPL-2.0-or-later
"""Time of a MAP/UNMAP pair without the wire library, with it dormant, and with it recording.

A library cannot be taken out of a process: each kind has a QEMU of its own, all of them alive at
once, and their blocks of pairs take turns. What one process has of its own (its memory's layout)
would be taken for the library's, so they are started anew again and again, and one kind has two.
"""

import contextlib
import os
import random
import re
import shutil
import statistics
from dataclasses import dataclass, field

from harness.processes import HarnessError

from . import pairs
from .awake import awake
from .recordings import events_within

KINDS = ("without", "without again", "dormant", "recording")
# Pairs at the begin of each block that do not count: these processes stood still meanwhile.
SETTLE_PAIRS = 20
WARM_BLOCKS = 3
CLASS = re.compile(r"^event \S+ (\S+)$", re.M)


@dataclass
class Times:
    """Median and mean time of a pair in ns, by block; by start, the ratios to blocks without."""
    medians: dict = field(default_factory=lambda: {kind: [] for kind in KINDS})
    means: dict = field(default_factory=lambda: {kind: [] for kind in KINDS})
    slower_median: dict = field(default_factory=lambda: {kind: [] for kind in KINDS[1:]})
    slower_mean: dict = field(default_factory=lambda: {kind: [] for kind in KINDS[1:]})
    events_a_pair: list = field(default_factory=list)


def options_of(kind):
    """Options of a Run: of a recording only the library's own events, from within QEMU."""
    if kind.startswith("without"):
        return {}
    if kind == "dormant":
        return {"wire": ("qemu",)}
    catalogue = os.path.join(os.path.dirname(__file__), "..", "..", "tracepoints", "catalogue")
    with open(catalogue, encoding="utf-8") as text:
        others = sorted(set(CLASS.findall(text.read())) - {"wire"})
    return {"wire": ("qemu",), "record": True,
            "record_options": [word for name in others for word in ("--exclude-class", name)]}


def measure(programs, prefix, out, starts, rounds, pairs_each, seed, say, before_all_else=False):
    """Times of STARTS times four QEMUs, each ROUNDS rounds: in each, a block of every kind."""
    chance = random.Random(seed)
    times = Times()
    for start in range(starts):
        say(f"pairs: start {start + 1} of {starts}")
        shutil.rmtree(out, ignore_errors=True)
        _one_start(programs, prefix, out, rounds, pairs_each, chance, times, before_all_else)
    return times


def _one_start(programs, prefix, out, rounds, pairs_each, chance, times, before_all_else):
    work = pairs.TIMED.format(pairs=SETTLE_PAIRS + pairs_each)
    place = {kind: os.path.join(out, kind.replace(" ", "-")) for kind in KINDS}
    with contextlib.ExitStack() as stack:
        blocks = {}
        for kind in chance.sample(KINDS, len(KINDS)):
            blocks[kind] = stack.enter_context(pairs.blocks(
                programs, prefix, place[kind], WARM_BLOCKS + rounds, work, **options_of(kind)))
            if before_all_else:
                blocks[kind].run_before_all_else()
            _check_library(blocks[kind].qemu_pid, programs.wire, kind)
        with awake():
            for _ in range(WARM_BLOCKS + rounds):
                for kind in chance.sample(KINDS, len(KINDS)):
                    blocks[kind].perform()
        timed = {kind: blocks[kind].times()[WARM_BLOCKS:] for kind in KINDS}
    _evaluate(timed, times, rounds)
    _count_events(os.path.join(place["recording"], "trace"), timed["recording"], times)


def _check_library(pid, library, kind):
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
        loaded = os.path.basename(library) in maps.read()
    if loaded == kind.startswith("without"):
        raise HarnessError(f"The library is {'' if loaded else 'not '}in the QEMU \"{kind}\"")


def _evaluate(timed, times, rounds):
    for figures, slower, of in ((times.medians, times.slower_median, statistics.median),
                                (times.means, times.slower_mean, statistics.fmean)):
        blocks = {}
        for kind in KINDS:
            if len(timed[kind]) != rounds:
                raise HarnessError(f"The back-end \"{kind}\" timed {len(timed[kind])} blocks "
                                   f"of {rounds}")
            blocks[kind] = [of(each[SETTLE_PAIRS:]) for _, each in timed[kind]]
            figures[kind] += blocks[kind]
        for kind in slower:
            slower[kind].append(statistics.median(ratios(blocks, kind)))


def ratios(blocks, kind):
    """How much slower the blocks of KIND are than those without, in per cent, one a round."""
    without = blocks["without"]
    if kind != "without again":
        without = [(one + other) / 2 for one, other in zip(without, blocks["without again"])]
    return [100 * (figure / base - 1) for figure, base in zip(blocks[kind], without)]


def _count_events(trace, timed, times):
    windows = [(begin, begin + sum(each), "pairs") for begin, each in timed]
    found = events_within(trace, windows)["pairs"]
    strange = [name for name in found if not name.startswith("shmemscope_wire:")]
    if strange or not found:
        raise HarnessError(f"The recording is not of the library's events alone: "
                           f"{', '.join(strange) or 'it is empty'}")
    times.events_a_pair.append(sum(found.values()) / sum(len(each) for _, each in timed))
