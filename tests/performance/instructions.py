# SPDX-License-Identifier: GPL-2.0-or-later
"""Instructions of QEMU for each MAP/UNMAP pair, counted by callgrind, thread by thread."""

import glob
import os
import re
import shutil
import statistics
from dataclasses import dataclass, field

from harness.processes import HarnessError

from . import pairs

# Functions that tell which thread a count is of. All others wait, and must not count for much.
THREADS = {"main loop": "main_loop_wait", "RCU": "call_rcu_thread"}
# What runs when an event is on, whichever it is: with all events off it must not.
TRACER = re.compile(r"lttng_ust__event_probe__|lttng_ust_tp_rcu_read_lock")
FUNCTION = re.compile(r"c?fn=\(\d+\) (.+)")


@dataclass
class Counts:
    """Instructions a pair of each thread, one figure for each block."""
    threads: dict = field(default_factory=lambda: {name: [] for name in THREADS})
    rest: list = field(default_factory=list)

    def add(self, other):
        for name, figures in other.threads.items():
            self.threads[name] += figures
        self.rest += other.rest

    def totals(self):
        """Of both threads together, block by block."""
        return [sum(block) for block in zip(*self.threads.values())]


def read_dump(path):
    """(instructions, names of the functions that ran) of one thread's dump."""
    count = None
    functions = set()
    with open(path, encoding="utf-8", errors="replace") as dump:
        for line in dump:
            if line.startswith("totals:"):
                count = int(line.split()[1])
                continue
            match = FUNCTION.match(line)
            if match:
                functions.add(match.group(1).split("'")[0])
    if count is None:
        raise HarnessError(f"Cannot read callgrind's dump: path=\"{path}\": it has no totals")
    return count, functions


def take_dump(blocks, directory, pairs_each, counts):
    """Ends the count of a block, and adds it to COUNTS when that is given."""
    for path in glob.glob(f"{directory}/callgrind.out.*"):
        os.unlink(path)
    pairs.command("callgrind_control", "--dump=block", str(blocks.qemu_pid))
    if counts is None:
        return
    rest = 0
    seen = {}
    for path in glob.glob(f"{directory}/callgrind.out.*.*-*"):
        count, functions = read_dump(path)
        traced = sorted(name for name in functions if TRACER.search(name))
        if traced:
            raise HarnessError(f"Somebody records this QEMU: {traced[0]}() ran")
        names = [name for name, function in THREADS.items() if function in functions]
        if len(names) > 1 or any(name in seen for name in names):
            raise HarnessError(f"Cannot tell the threads apart: path=\"{path}\"")
        if names:
            seen[names[0]] = count
        else:
            rest += count
    if set(seen) != set(THREADS):
        raise HarnessError(f"callgrind tells nothing of: {', '.join(set(THREADS) - set(seen))}")
    for name, count in seen.items():
        counts.threads[name].append(count / pairs_each)
    counts.rest.append(rest / pairs_each)


def count(programs, prefix, out, block_count, pairs_each, say):
    """Counts of BLOCK_COUNT blocks of PAIRS_EACH pairs with the QEMU of PREFIX.

    PAIRS_EACH is a multiple of pairs.RESTED_PAIRS. What callgrind wrote of the last block stays
    in OUT, for callgrind_annotate.
    """
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    wrapper = ["valgrind", "--tool=callgrind", "--quiet", "--trace-children=yes",
               "--separate-threads=yes", f"--callgrind-out-file={out}/callgrind.out.%p"]
    counts = Counts()
    # The first block is for warming up, and to have all code translated.
    work = pairs.RESTED.format(rests=pairs_each // pairs.RESTED_PAIRS)
    with pairs.blocks(programs, prefix, out, block_count + 1, work, wrapper=wrapper) as blocks:
        for number in range(block_count + 1):
            blocks.perform()
            take_dump(blocks, out, pairs_each, counts if number else None)
            if number:
                say(f"block {number} of {block_count}: {counts.totals()[-1]:.0f} a pair")
    return counts


def spread(samples):
    """Half of the distance between the quartiles."""
    if len(samples) < 2:
        return 0.0
    low, _, high = statistics.quantiles(samples, n=4)
    return (high - low) / 2
