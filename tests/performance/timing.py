# SPDX-License-Identifier: GPL-2.0-or-later
"""Time of a MAP/UNMAP pair in one QEMU, with recordings switched on and off block by block."""

import random
import shutil
import statistics
from dataclasses import dataclass, field

from harness.processes import HarnessError

from . import pairs
from .awake import awake
from .recordings import recordings

# Two blocks with nothing on in each round: their ratio tells what the method cannot see.
KINDS = ("off", "off again", "default", "everything")
# Pairs at the begin of each block that do not count: a recording that starts has QEMU tell its
# state, which takes about 20 ms beside the pairs.
SETTLE_PAIRS = 150
WARM_BLOCKS = 3


@dataclass
class Times:
    """Mean and median time of a pair in ns, one figure a round for each kind of block."""
    means: dict = field(default_factory=lambda: {kind: [] for kind in KINDS})
    medians: dict = field(default_factory=lambda: {kind: [] for kind in KINDS})
    # {set: Counter of events}, of all pairs of that set's blocks
    events: dict = field(default_factory=dict)
    pairs_of_a_set: int = 0


def slower(figures, kind):
    """How much slower blocks of KIND are than blocks with nothing on, in per cent a round.

    FIGURES are the means or the medians of Times. Of "off again" it is the method's noise.
    """
    off = figures["off"]
    if kind != "off again":
        off = [(one + other) / 2 for one, other in zip(off, figures["off again"])]
    return [100 * (figure / base - 1) for figure, base in zip(figures[kind], off)]


def measure(programs, prefix, out, rounds, pairs_each, seed, say, before_all_else=False):
    """Times of ROUNDS rounds: in each, one block of every kind, in an order by chance."""
    chance = random.Random(seed)
    shutil.rmtree(out, ignore_errors=True)
    order = []
    for _ in range(rounds):
        order += chance.sample(KINDS, len(KINDS))
    total = SETTLE_PAIRS + pairs_each
    with pairs.blocks(programs, prefix, out, WARM_BLOCKS * len(KINDS) + len(order),
                      pairs.TIMED.format(pairs=total)) as blocks:
        if before_all_else:
            blocks.run_before_all_else()
        with recordings(programs, out, blocks.qemu_pid) as both, awake():
            for number, kind in enumerate((*KINDS * WARM_BLOCKS, *order)):
                both.switch(None if kind.startswith("off") else kind)
                blocks.perform()
                if number % len(KINDS) == 0:
                    say(f"round {max(0, number // len(KINDS) - WARM_BLOCKS + 1)} of {rounds}")
        timed = blocks.times()[WARM_BLOCKS * len(KINDS):]
    return _evaluate(order, timed, both, rounds, pairs_each)


def _evaluate(order, timed, both, rounds, pairs_each):
    if len(timed) != len(order):
        raise HarnessError(f"The back-end timed {len(timed)} blocks of {len(order)}")
    times = Times(pairs_of_a_set=rounds * pairs_each)
    windows = []
    for kind, (begin, each) in zip(order, timed):
        settled = begin + sum(each[:SETTLE_PAIRS])
        windows.append((settled, begin + sum(each), kind))
        times.means[kind].append(statistics.fmean(each[SETTLE_PAIRS:]))
        times.medians[kind].append(statistics.median(each[SETTLE_PAIRS:]))
    for name in ("default", "everything"):
        found = both.events(name, windows)
        strange = set(found) - {None, name}
        if strange:
            raise HarnessError(f"The recording \"{name}\" has events of blocks in which it was "
                               f"off: {', '.join(sorted(strange))}")
        if not found[name]:
            raise HarnessError(f"The recording \"{name}\" is empty")
        times.events[name] = found[name]
    return times
