# SPDX-License-Identifier: GPL-2.0-or-later
"""Healthy runs of a back-end with one thread, made from a seed.

It serves the update of the memory table before its next request, as such a back-end must: what
would hang it is only to be predicted. Regions, ranges, files and flags, memory slots and what
ends the run are drawn from the seed.
"""

import random

PAGE = 0x1000
LIVE_WRITABLE = 4  # without memory slots a table has eight entries, and QEMU's own take some


class Scenario:
    """The text of a scenario, and what the guest does after it."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.slots = self.random.random() < 0.6
        self.reset = self.random.random() < 0.5
        self.regions = {shmid: PAGE * self.random.choice([16, 64, 256, 4096, 16384])
                        for shmid in self.random.sample(range(10), self.random.randint(1, 3))}
        self.live = []  # (shmid, offset, length, writable)
        self.lines = [f"# A healthy run made from seed {seed}.",
                      *(f"region {shmid} {size:#x}" for shmid, size in self.regions.items()),
                      f"feature mem-slots {'on' if self.slots else 'off'}",
                      "file pages 4M", "", "await start"]
        for _ in range(self.random.randint(6, 16)):
            self.step()
        # At the least one of each, so that each can be predicted.
        self.map(True)
        self.unmap(len(self.live) - 1)
        self.lines.append("signal done")

    def text(self):
        return "\n".join(self.lines) + "\n"

    def step(self):
        writable = [entry for entry in self.live if entry[3]]
        if self.live and (self.random.random() < 0.4 or len(writable) >= LIVE_WRITABLE):
            self.unmap(self.live.index(self.random.choice(writable or self.live)))
        else:
            self.map(self.random.random() < 0.7)

    def free_range(self):
        """A range of whole pages that nothing is mapped in."""
        while True:
            shmid, size = self.random.choice(list(self.regions.items()))
            length = PAGE * self.random.randint(1, 8)
            offset = PAGE * self.random.randint(0, (size - length) // PAGE)
            if all(shmid != other or offset + length <= at or at + more <= offset
                   for other, at, more, _ in self.live):
                return shmid, offset, length

    def map(self, writable):
        shmid, offset, length = self.free_range()
        self.live.append((shmid, offset, length, writable))
        self.lines.append(f"map {shmid} {offset:#x} {length:#x} file=pages "
                          f"fd_offset={PAGE * self.random.randint(0, 1000):#x}"
                          + ("" if writable else " ro"))
        self.serve(writable, "ADD_MEM_REG")

    def unmap(self, index):
        shmid, offset, length, writable = self.live.pop(index)
        self.lines.append(f"unmap {shmid} {offset:#x} {length:#x}")
        self.serve(writable, "REM_MEM_REG")

    def serve(self, writable, with_slots):
        """A read-only mapping never enters the table."""
        if writable:
            self.lines.append(f"serve until {with_slots if self.slots else 'SET_MEM_TABLE'}")
