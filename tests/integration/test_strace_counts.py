# SPDX-License-Identifier: GPL-2.0-or-later
"""The second opinion itself: strace_counts counts what a known program did, and nothing else."""

import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.realpath(__file__)),
                os.path.dirname(os.path.dirname(os.path.realpath(__file__)))]

import strace_counts                                                 # noqa: E402

# Two threads, so that calls of one interrupt those of the other; a file of QEMU's own; a
# duplicate and a close that fail.
PROGRAM = """
import fcntl, os, socket, threading
ours, theirs = socket.socketpair()
memfd = os.memfd_create("shmemscope-specimen")
ram = os.memfd_create("memory-backend-memfd")
def receive():
    for _ in range(40):
        _, fds, _, _ = socket.recv_fds(theirs, 1, 3)
        os.close(fcntl.fcntl(fds[0], fcntl.F_DUPFD_CLOEXEC, 0))
        for fd in fds:
            os.close(fd)
thread = threading.Thread(target=receive)
thread.start()
for _ in range(40):
    socket.send_fds(ours, [b"x"], [memfd, ram, memfd])
    os.close(os.dup(ram))
thread.join()
try:
    fcntl.fcntl(memfd, fcntl.F_DUPFD_CLOEXEC, 1 << 30)
except OSError:
    pass
os.close(memfd)
try:
    os.close(memfd)
except OSError:
    pass
"""


class StraceCountsTest(unittest.TestCase):

    def test_known_program(self):
        with tempfile.NamedTemporaryFile(prefix="ss-strace-") as out:
            subprocess.run([*strace_counts.OPTIONS, "-o", out.name, sys.executable, "-c", PROGRAM],
                           check=True, timeout=60)
            self.assertEqual(strace_counts.count(out.name),
                             {"received": 80, "duplicated": 40, "closed": 121})


if __name__ == "__main__":
    unittest.main(verbosity=2)
