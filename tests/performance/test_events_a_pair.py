# SPDX-License-Identifier: GPL-2.0-or-later
"""How many events a MAP/UNMAP pair tells: what recording costs, without a clock.

Times need a quiet machine and belong to scripts/measure. The number of events is the same
everywhere, and each costs about the same: one more in this path shows here.
"""

import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

from harness.parts import Programs                                   # noqa: E402
from performance import timing                                       # noqa: E402

BUILD = os.environ["SHMEMSCOPE_BUILD"]
QEMU = os.environ["SHMEMSCOPE_QEMU"]

PAIRS = 150
ROUNDS = 2
# What docs/performance.md measured its times with, but for what RCU's thread tells: the last of a
# mapping, in whatever block that is, and on a busy machine in none; and transactions of its own.
EVENTS = {"default": 19, "everything": 25}
LAST = {"qemu:virtio_shmem_mapping_finalized", "qemu:ram_block_reclaimed"}
OF_RCU = LAST | {"qemu:memory_region_finalized", "qemu:memory_transaction_begin"}
# Of the pairs at a block's begin and end, QEMU tells some before or after the back-end's time.
EDGE = 2 * ROUNDS / (ROUNDS * PAIRS)
# Neither told more than once, nor not at all.
ONCE = ("qemu:virtio_shmem_fd_dup", "qemu:virtio_shmem_mapping_added",
        "qemu:virtio_shmem_mapping_removed", "qemu:vhost_user_backend_fd")
TWICE = ("qemu:vhost_user_backend_shmem", "qemu:vhost_user_backend_reply",
         "qemu:vhost_user_request", "qemu:vhost_user_reply_read", "qemu:memory_commit_start",
         "qemu:memory_commit_end")
DETAIL = ("qemu:memory_transaction_begin", "qemu:vhost_user_backend_read",
          "qemu:vhost_user_reply_wait")


class EventsTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory(prefix="ss-pairs-") as out:
            cls.times = timing.measure(Programs(BUILD), QEMU, out, ROUNDS, PAIRS, 1,
                                       lambda _text: None)

    def a_pair(self, kind, event):
        return self.times.events[kind][event] / self.times.pairs_of_a_set

    def test_number_of_events(self):
        for kind, number in EVENTS.items():
            told = self.times.events[kind]
            total = sum(count for event, count in told.items() if event not in OF_RCU)
            self.assertAlmostEqual(total / self.times.pairs_of_a_set, number,
                                   delta=number * EDGE, msg=told)
            for event in LAST:
                self.assertLess(told[event], 2 * self.times.pairs_of_a_set, told)

    def test_what_the_main_loop_tells(self):
        for kind in EVENTS:
            for event in ONCE:
                self.assertAlmostEqual(self.a_pair(kind, event), 1, delta=EDGE, msg=event)
            for event in TWICE:
                self.assertAlmostEqual(self.a_pair(kind, event), 2, delta=EDGE, msg=event)

    def test_detail_only_when_asked_for(self):
        for event in DETAIL:
            self.assertEqual(self.a_pair("default", event), 0)
            self.assertGreater(self.a_pair("everything", event), 2 - EDGE)

    def test_every_kind_of_block_is_timed(self):
        for figures in (self.times.means, self.times.medians):
            self.assertEqual(sorted(figures), sorted(timing.KINDS))
            for kind in timing.KINDS:
                self.assertEqual(len(figures[kind]), ROUNDS)
                self.assertTrue(all(1_000 < ns < 1_000_000_000 for ns in figures[kind]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
