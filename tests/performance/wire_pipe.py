# SPDX-License-Identifier: GPL-2.0-or-later
"""What the wire library costs reads and writes that are none of its business: of a pipe."""

import os
import random

from harness.processes import HarnessError

from . import instructions, pairs
from .awake import awake

COUNT = 1_000_000
# Two of the same: their ratio tells what the method cannot see.
KINDS = ("without", "without again", "dormant")


class Pipe:
    """The program, with the library or without, with one thread of its own or two."""

    def __init__(self, build, threads=2):
        self.program = f"{build}/tests/performance/pipe"
        self.library = f"{build}/plugin/wire/libshmemscope-wire.so"
        self.threads = threads

    def run(self, kind, count, before=()):
        """(ns of processor, ns by the clock); the read() was the one that KIND says."""
        preload = self.library if kind == "dormant" else ""
        cpu, clock, reader = pairs.command("env", f"LD_PRELOAD={preload}", *before, self.program,
                                           str(self.threads), str(count)).split()
        library = os.path.basename(self.library)
        if (os.path.basename(reader) == library) != (kind == "dormant"):
            raise HarnessError(f"The read() of a run \"{kind}\" was that of {reader}")
        return int(cpu), int(clock)

    def times(self, rounds, seed, say):
        """{kind: [(ns of processor, ns by the clock)]} of each round's COUNT reads and writes."""
        chance = random.Random(seed)
        figures = {kind: [] for kind in KINDS}
        with awake():
            for kind in KINDS:
                self.run(kind, COUNT)
            for number in range(rounds):
                say(f"pipe, threads: {self.threads}, round {number + 1} of {rounds}")
                for kind in chance.sample(KINDS, len(KINDS)):
                    figures[kind].append(self.run(kind, COUNT))
        return figures

    def instructions(self, kind, count, out):
        """Instructions of COUNT reads and writes, outside of the kernel, by callgrind."""
        path = os.path.join(out, f"callgrind.{kind}.{count}")
        self.run(kind, count, ["valgrind", "--tool=callgrind", "--quiet", "--separate-threads=yes",
                               "--toggle-collect=ss_pipe_rounds",
                               f"--callgrind-out-file={path}"])
        # The first thread's; what LTTng's threads do meanwhile is in others.
        return instructions.read_dump(f"{path}-01")[0]


def times_as_long(figures, kind, which):
    """How many times as long as without the library; WHICH: 0 processor, 1 clock.

    One figure a round. Of "without again" it is the method's noise.
    """
    without = [one[which] for one in figures["without"]]
    if kind != "without again":
        without = [(one + other[which]) / 2
                   for one, other in zip(without, figures["without again"])]
    return [one[which] / base for one, base in zip(figures[kind], without)]
