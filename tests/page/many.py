# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures of many mappings: a device that maps and unmaps, always the same by its seed.

usage: many.py MAPPINGS > FIXTURE
"""

import random
import sys

LENGTH = 0x1000
BEGIN = """\
thread 4242 4242 qemu-system-x86
thread 4242 4243 rcu
+0.000010 4242 4242 qemu:vhost_user_channel_open dev=0x5000 chardev=vu0 fd=11
+0.000020 4242 4242 qemu:vhost_user_backend_channel_open dev=0x5000 fd=12
+0.000030 4242 4242 qemu:virtio_shmem_region vdev=0x6000 shmid=0 size=0x40000000
+0.000031 4242 4242 qemu:virtio_shmem_region vdev=0x6000 shmid=1 size=0x40000000
+0.000040 4242 4242 qemu:vhost_user_device dev=0x5000 vdev=0x6000 vm=web-17 id=dev0 \
virtio_id=26 chardev=vu0 features=0x170000000 protocol_features=0x40ee2b started=1
"""


class Fixture:
    """Events with their times in us, told in order of these."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.events = []
        self.now, self.seq, self.made = 100.0, 0, 0
        self.live, self.free = [], list(range(4096))

    def tell(self, event, after=0.0, tid=4242):
        self.events.append((self.now + after, f"4242 {tid} qemu:{event}"))

    def some(self, mean):
        """Times as they are: most short, few long."""
        return self.random.lognormvariate(0, .6) * mean

    def commit(self):
        self.now += self.some(8)
        self.tell("memory_commit_start depth=0 pending=1")
        self.now += self.some(60)
        self.tell("memory_commit_end depth=0 pending=1")

    def map(self):
        place = self.free.pop(self.random.randrange(len(self.free)))
        shmid, offset = place % 2, place // 2 * LENGTH
        self.seq += 1
        self.made += 1
        fd, pointer = 40 + place, 0x100000 + self.made * 0x100
        self.tell(f"vhost_user_backend_shmem dev=0x5000 seq={self.seq} request=9 "
                  f"header_flags=0x9 fds=1 shmid={shmid} shm_offset={offset:#x} "
                  f"len={LENGTH:#x} flags=1")
        self.tell(f"vhost_user_backend_fd dev=0x5000 seq={self.seq} fd=30 index=0 fdev=1 "
                  f"ino={7000 + self.made} size=0x100000", 2)
        self.tell(f"virtio_shmem_fd_dup mapping={pointer:#x} fd=30 newfd={fd}", 5)
        self.tell(f"virtio_shmem_mapping_added mapping={pointer:#x} vdev=0x6000 shmid={shmid} "
                  f"shm_offset={offset:#x} len={LENGTH:#x} gpa={0x800000000 + offset:#x} "
                  f"fd_offset=0 writable=1 fd={fd} host={0x7f0000000000 + self.made * LENGTH:#x}", 8)
        self.now += 8 + self.some(20)
        self.tell(f"vhost_user_backend_reply dev=0x5000 seq={self.seq} request=9 value=0 ret=0")
        self.commit()
        self.tell(f"vhost_user_backend_fd_close dev=0x5000 seq={self.seq} fd=30", 1)
        self.tell(f"vhost_user_backend_dispatched dev=0x5000 seq={self.seq} request=9 depth=0 ret=0",
                  2)
        self.now += 4 + self.some(15)
        self.live.append((place, shmid, offset, fd, pointer, self.made))

    def unmap(self):
        place, shmid, offset, fd, pointer, made = self.live.pop(
            self.random.randrange(len(self.live)))
        self.seq += 1
        where = f"shmid={shmid} shm_offset={offset:#x} len={LENGTH:#x}"
        self.tell(f"vhost_user_backend_shmem dev=0x5000 seq={self.seq} request=10 "
                  f"header_flags=0x9 fds=0 {where} flags=0")
        self.now += self.some(15)
        self.tell(f"vhost_user_backend_reply dev=0x5000 seq={self.seq} request=10 value=0 ret=0")
        self.tell(f"virtio_shmem_mapping_removed mapping={pointer:#x} vdev=0x6000 {where} fd={fd} "
                  "reason=unmap", 3)
        self.now += 3
        self.commit()
        self.tell(f"vhost_user_backend_dispatched dev=0x5000 seq={self.seq} request=10 depth=0 ret=0",
                  1)
        self.now += 2
        # RCU comes when it comes, but before the place is taken again.
        later = self.some(900)
        self.tell(f"virtio_shmem_mapping_finalized mapping={pointer:#x} vdev=0x6000 {where} fd={fd}",
                  later, 4243)
        later += self.some(400)
        self.tell(f"ram_block_reclaimed host={0x7f0000000000 + made * LENGTH:#x} "
                  f"len={LENGTH:#x} fd={fd}", later, 4243)
        self.now += self.some(15)
        self.waiting.append((self.now + later + 100, place))

    def make(self, mappings):
        self.waiting = []
        while self.made < mappings or self.live:
            self.free += [place for due, place in self.waiting if due <= self.now]
            self.waiting = [(due, place) for due, place in self.waiting if due > self.now]
            # How many there are rises and falls; now and then the device rests.
            wanted = 40 + 36 * ((self.made // 400) % 3)
            if self.made < mappings and len(self.live) < wanted * self.random.random() * 2:
                self.map()
            elif self.live:
                self.unmap()
            if self.random.random() < .002:
                self.now += 20000
        end = max(at for at, _ in self.events) + 5000
        lines = [f"+{at / 1e6:.9f} {event}" for at, event in sorted(self.events)]
        return BEGIN + "\n".join(lines) + f"\nend {end / 1e6:.6f}\n"


if __name__ == "__main__":
    sys.stdout.write(Fixture(7).make(int(sys.argv[1])))
