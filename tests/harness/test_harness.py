# SPDX-License-Identifier: GPL-2.0-or-later
"""The harness itself: what it starts it ends, and what it reports is so."""

import os
import signal
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

from harness import evidence, wire                                   # noqa: E402
from harness.processes import Child, HarnessError, wait_until        # noqa: E402

PYTHON = sys.executable

# Deaf to SIGTERM, and says when it is.
DEAF = ("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('deaf', flush=True); time.sleep(1000)")

# A front-end and a back-end, as far as descriptors go: the child sends a SHMEM_MAP header with
# a memfd over a socketpair whose other end the parent keeps and does not read. Both write
# their line at once, into one pipe: each by a single write.
PAIR = """
import array, mmap, os, socket, struct, sys
ours, theirs = socket.socketpair()
memfd = os.memfd_create("specimen")
os.ftruncate(memfd, 8192)
child = os.fork()
if child == 0:
    ours.close()
    theirs.sendmsg([struct.pack("=III", 9, 9, 40) + bytes(40)],
                   [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [memfd]))])
    os.write(1, f"{os.getpid()}\\n".encode())
    sys.stdin.readline()
    os._exit(0)
theirs.close()
view = mmap.mmap(memfd, 4096)
os.write(1, f"{os.getpid()} {os.fstat(memfd).st_ino}\\n".encode())
os.waitpid(child, 0)
"""

# An event of the wire library as babeltrace2 prints it, less the two names of its request.
TOLD = ('[10:00:00.000000001] (+0.000000001) vm shmemscope_wire:{}: {{ cpu_id = 0 }}, {{ vpid = 1, '
        'vtid = 2, procname = "vhost evt" }}, {{ conn = 1, sent = ( "sent" : container = 1 ), '
        'request = ( {} : container = 5 ), ret = -32, name = "a {{ b }}", peer = "" }}\n')


class HarnessTest(unittest.TestCase):

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="ss-harness-")
        self.addCleanup(self.directory.cleanup)
        self.log = os.path.join(self.directory.name, "log")

    def child(self, program, pipes=True):
        child = Child("specimen", [PYTHON, "-c", program], self.log, pipes=pipes)
        self.addCleanup(child.close)
        self.addCleanup(child.stop)
        return child

    def test_stop_ends_a_deaf_process(self):
        child = self.child(DEAF)
        self.assertEqual(child.read_line(20, "its start"), "deaf")
        child.stop(grace_s=0.2)
        self.assertEqual(child.popen.returncode, -signal.SIGKILL)

    def test_stop_ends_what_the_child_started(self):
        child = self.child("import subprocess, sys, time;"
                           "p = subprocess.Popen([sys.executable, '-c', 'import time;"
                           " time.sleep(1000)']); print(p.pid, flush=True); time.sleep(1000)")
        grandchild = int(child.read_line(20, "the pid"))
        watch = os.pidfd_open(grandchild)
        self.addCleanup(os.close, watch)
        child.stop()
        # Dead, or already reaped by whoever adopted it.
        wait_until(lambda: not _runs(grandchild), 10, "the grandchild's end")

    def test_wait_ends_with_the_watched_process(self):
        child = self.child("import sys; sys.exit('no such scenario')")
        began = time.monotonic()
        with self.assertRaisesRegex(HarnessError, "no such scenario"):
            wait_until(lambda: False, 60, "what never comes", [child])
        self.assertLess(time.monotonic() - began, 30)
        self.assertEqual(child.status(5), 1)

    def test_silence_and_end_are_told_apart(self):
        silent = self.child("import time; print('one', flush=True); time.sleep(1000)")
        self.assertEqual(silent.read_line(20, "a line"), "one")
        with self.assertRaisesRegex(HarnessError, "said nothing within"):
            silent.read_line(0.2, "a second line")
        ended = self.child("print('half', end='')")
        with self.assertRaisesRegex(HarnessError, "closed its output"):
            ended.read_line(20, "a whole line")

    def test_a_program_that_is_not_there(self):
        with self.assertRaisesRegex(HarnessError, "Cannot start ghost.*No such file"):
            Child("ghost", ["/nonexistent/program"], self.log)

    def test_unread_request_descriptors_and_maps(self):
        child = self.child(PAIR)
        lines = sorted((child.read_line(20, "the pids").split() for _ in range(2)), key=len)
        sender, (parent, inode) = int(lines[0][0]), map(int, lines[1])
        unread = wait_until(lambda: evidence.unread_request(parent, sender), 10, "the request")
        self.assertEqual((unread["request"], unread["flags"], unread["size"]), (9, 9, 40))
        self.assertEqual(unread["unread"], 52)
        # A look takes nothing away, neither bytes nor descriptors.
        self.assertEqual(evidence.unread_request(parent, sender), unread)
        figures = evidence.count(parent, {inode})
        # Its own descriptor, and the one Python's mmap object keeps.
        self.assertEqual((figures["backend_fds"], figures["backend_maps"]), (2, 1))
        self.assertEqual(evidence.count(parent, {inode + 1})["backend_fds"], 0)
        self.assertEqual(evidence.memfd_maps(parent, {inode + 1}), [])
        child.write_line("")
        self.assertEqual(child.status(10), 0)

    def test_stack_of_the_main_thread(self):
        child = self.child("import threading, sys;"
                           "t = threading.Thread(target=threading.Event().wait, daemon=True);"
                           "t.start(); print('up', flush=True); sys.stdin.readline()")
        child.read_line(20, "its start")
        stack = evidence.main_thread_stack(child.pid)
        self.assertIn("main", " ".join(stack))
        self.assertTrue(any("read" in frame for frame in stack), stack)

    def test_events_as_each_babeltrace_prints_them(self):
        fields = {"conn": "1", "sent": "1", "request": "5", "ret": "-32", "name": "a { b }",
                  "peer": ""}
        other = TOLD.replace("shmemscope_wire", "qemu").format("message", "1")
        for request in ('"A", "B"', '{ "A", "B" }', '"A"', "<unknown>"):
            self.assertEqual(wire.parsed(other + TOLD.format("message", request)),
                             [("message", "vhost evt", fields)], request)
        with self.assertRaisesRegex(HarnessError, "no event of the library: .*cpu_id"):
            wire.parsed(TOLD.format("message", "1").replace("vtid", "tid"))


def _runs(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    unittest.main(verbosity=2)
