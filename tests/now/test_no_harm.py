# SPDX-License-Identifier: GPL-2.0-or-later
"""A VM that is looked at all the time notices nothing.

Its back-end sends more than 1,000 MAP/UNMAP pairs a second, and knows the answer to each of its
requests: one that is lost, doubled, or comes before another ends it. Blocks of them, each timed,
take turns: alone, while `shmemscope now` runs without a pause, and while it takes stacks as well.
"""

import os
import random
import statistics
import subprocess
import sys
import time
import unittest

import farm
from farm import BUILD, QEMU, RUNS, evidence

sys.path.insert(0, farm.TESTS)
from performance import pairs                                        # noqa: E402
from harness import parts                                            # noqa: E402

KINDS = ("alone", "now", "stacks")
ROUNDS = 25
# Runs of the tool in a block: of all together 1,000, and 100 that take stacks.
LOOKS = {"alone": 0, "now": 40, "stacks": 4}
ALONE_S = 0.3
PAIRS_A_SECOND = 1000
# Two processors, of which the tool takes one, and a margin: others may want them, too.
SLOWER_AT_MOST = 3.0

# Of the requests in flight at once no two neighbours have the same answer: MAP or UNMAP, done or
# refused. They are read-only ones, which are no concern of the memory table; QEMU hangs when
# others are sent this way.
WORK = """\
  timed 1000000 until stop
    map 0 $i%16*0x10000 0x4000 file=pages
    serve until ADD_MEM_REG
    unmap 0 $i%16*0x10000 0x4000
    serve until REM_MEM_REG
    map 0 0x100000+$i%16*0x10000 0x4000 file=pages ro nowait
    map 0 0x100000+$i%16*0x10000 0x4000 file=pages ro nowait tag=overlap
    unmap 0 0x100000+$i%16*0x10000 0x4000 nowait
    unmap 0 0x100000+$i%16*0x10000 0x4000 nowait tag=no-mapping
    map 0 0x200000+$i%16*0x10000 0x4000 file=pages ro nowait
    unmap 0 0x200000+$i%16*0x10000 0x2000 nowait tag=not-whole
    map 0 0x200000+$i%16*0x10000 0x1000 file=pages ro nowait tag=overlap
    unmap 0 0x200000+$i%16*0x10000 0x4000 nowait
    replies
  end
"""
PAIRS_EACH = 3


class NoHarmTest(unittest.TestCase):

    def test_round_trips(self):
        chance = random.Random(1)
        order = [kind for _ in range(ROUNDS) for kind in chance.sample(KINDS, len(KINDS))]
        out = os.path.join(RUNS, "now-no-harm")
        with pairs.blocks(parts.Programs(BUILD), QEMU, out, 1 + len(order), WORK) as blocks:
            run = blocks.run
            self.block(run, "alone")
            run.await_gone()
            open_before = [descriptors(pid) for pid in (run.qemu.pid, run.backend.pid)]
            for kind in order:
                self.block(run, kind)
            run.await_gone()
            open_after = [descriptors(pid) for pid in (run.qemu.pid, run.backend.pid)]
        self.assertEqual(open_after, open_before)
        times = [ns for _, ns in blocks.times()]
        self.judge_messages(run, sum(map(len, times)))
        self.judge_times(order, times[1:])

    def block(self, run, kind):
        """Pairs for as long as the tool runs, again and again, or for a time without it."""
        run.backend.give_signal("go")
        if kind == "alone":
            time.sleep(ALONE_S)
        for _ in range(LOOKS[kind]):
            look = subprocess.run(command(run, kind), check=False, text=True, timeout=60,
                                  capture_output=True, stdin=subprocess.DEVNULL)
            self.assertEqual((look.returncode, look.stderr), (0, ""), look.stdout)
        run.backend.give_signal("stop")
        run.backend.await_signal("block", pairs.BLOCK_TIMEOUT_S)
        self.assertTrue(run.monitor.running())

    def judge_messages(self, run, done):
        """Every request was answered, once, as it had to be, and in its turn."""
        end = run.backend.entries()[-1]
        self.assertEqual(end["op"], "end")
        self.assertTrue(end["ok"], end)
        self.assertEqual((end["maps_ok"], end["unmaps_ok"]), (3 * done, 3 * done))
        self.assertEqual(end["refused"],
                         {"overlap": 2 * done, "no-mapping": done, "not-whole": done})
        self.assertEqual((end["outstanding"], end["unanswered"], end["unsolicited"]), (0, 0, 0))

    def judge_times(self, order, blocks):
        self.assertEqual(len(blocks), len(order))
        each = {kind: [ns for of, block in zip(order, blocks) if of == kind for ns in block]
                for kind in KINDS}
        medians = {kind: statistics.median(times) for kind, times in each.items()}
        for kind, times in each.items():
            rate = PAIRS_EACH * len(times) / (sum(times) / 1e9)
            print(f"{kind:7} {LOOKS[kind] * ROUNDS:5} runs  {rate:6.0f} pairs/s  of three pairs "
                  f"and four refusals: median {medians[kind] / 1e3:.0f} us, 99 % below "
                  f"{statistics.quantiles(times, n=100)[-1] / 1e3:.0f} us, longest "
                  f"{max(times) / 1e6:.1f} ms", flush=True)
            if kind == "alone":
                self.assertGreater(rate, PAIRS_A_SECOND)
        for kind in ("now", "stacks"):
            self.assertLess(medians[kind] / medians["alone"], SLOWER_AT_MOST, kind)


def descriptors(pid):
    return sorted(os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd"))


def command(run, kind):
    """Two looks without a pause, so that 1,000 runs are looks and not pauses."""
    return [parts.Programs(BUILD).tool, "now", "--for", "0", run.vm,
            *(["--stacks"] if kind == "stacks" else [])]


if __name__ == "__main__":
    unittest.main(verbosity=2)
