# SPDX-License-Identifier: GPL-2.0-or-later
"""Real QEMUs that have connected to a real listener, which does not accept."""

import contextlib
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

import stage
from harness import qemu
from harness.processes import Child, wait_until

GET_FEATURES, GET_PROTOCOL_FEATURES = 1, 15
HEADER = struct.Struct("<III")
VERSION, REPLY = 1, 4
PROTOCOL_FEATURES = 1 << 30
RECVMSG = 47
TIMEOUT_S = 60
LONG_S = 1.1  # a wait of a second has a name
VM = f"pending-{os.getpid()}"
TOOL = os.path.join(stage.BUILD, "analysis", "cli", "shmemscope")
# Listens on a path in a network namespace of its own, and does nothing more.
LISTEN = ("import socket, sys\n"
          "listener = socket.socket(socket.AF_UNIX)\n"
          "listener.bind(sys.argv[1])\n"
          "listener.listen(1)\n"
          "print(flush=True)\n"
          "sys.stdin.read()\n")


def stands_in(pid):
    """The number of the call that the process's main thread stands in, and its first argument."""
    with open(f"/proc/{pid}/syscall", encoding="ascii") as text:
        words = text.read().split()
    return (int(words[0]), int(words[1], 16)) if words[0].isdigit() else (-1, -1)


class PendingTest(unittest.TestCase):

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="ss-pending-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = os.path.join(self.directory, "vu0.sock")

    def listen(self):
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(self.path)
        listener.listen(1)
        return listener

    def start_qemu(self):
        """A QEMU that waits for the first answer of its back-end, since when."""
        log = os.path.join(self.directory, "qemu.log")
        command = qemu.command_line(stage.setting("SHMEMSCOPE_QEMU"), self.directory, VM)
        child = Child("QEMU", command,
                      log, commands=os.path.join(self.directory, "commands"))
        self.addCleanup(child.close)
        self.addCleanup(child.stop)
        self.fd = wait_until(lambda: self.waits(child.pid), TIMEOUT_S, "QEMU to wait", [child])
        self.began = time.monotonic()
        return child

    def waits(self, pid):
        """The socket that its main thread reads, with its monitors made: before, that may be one
        of the tracer's."""
        nr, fd = stands_in(pid)
        made = qemu.listening(os.path.join(self.directory, "monitor.sock"))
        return fd if made and nr == RECVMSG else None

    def now(self, *arguments):
        """A look of a wait that has lasted for long enough to be named."""
        left = LONG_S + self.began - time.monotonic()
        # Where the kernel does not tell since when a thread stands, it is the looks that last.
        apart = f"{max(left, 0.2) if os.path.exists('/proc/self/sched') else LONG_S:.1f}"
        done = subprocess.run([TOOL, "now", *arguments, "--for", apart, VM], check=False, text=True,
                              capture_output=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL)
        self.assertEqual((done.returncode, done.stderr), (1, ""), done.stdout)
        return done.stdout

    def check_named(self, child, listener_pid):
        """It waits, and who does not accept is named."""
        report = json.loads(self.now("--format", "json"))
        finding, = [one for one in report["findings"] if one["certainty"] != "unknown"]
        self.assertEqual((finding["id"], finding["certainty"], finding["process"]["pid"]),
                         ("stuck-wait", "suspected", child.pid))
        self.assertIn("has not accepted the connection", finding["summary"])
        self.assertEqual(finding["remedy"]["now"], f"see what process {listener_pid} does: "
                                                   f"shmemscope now --stacks {listener_pid}")
        vm, = report["look"]["vms"]
        device, = vm["devices"]
        self.assertEqual((device["main_channel"], device["backend"]), ("pending", None))
        self.assertEqual(device["listener"]["pid"], listener_pid)
        return self.now()

    def test_nobody_accepts(self):
        listener = self.listen()
        child = self.start_qemu()
        text = self.check_named(child, os.getpid())
        self.assertRegex(text, rf"listener {os.getpid()} +has not accepted the connection; its ")
        # All that QEMU has sent is still there, and nothing of QEMU's is kept.
        channel, _ = listener.accept()
        with channel:
            channel.settimeout(TIMEOUT_S)
            self.assertEqual(HEADER.unpack(channel.recv(4096))[0], GET_FEATURES)
            child.stop()
            self.assertEqual(channel.recv(1), b"")

    def test_accepted_between_the_looks(self):
        """Who accepts late is not stuck: QEMU waits for the next answer then."""
        listener = self.listen()
        child = self.start_qemu()
        with contextlib.ExitStack() as stack:
            begun = time.monotonic()

            def accept():
                wait_until(lambda: time.monotonic() - begun > LONG_S, TIMEOUT_S, "a long time",
                           [child])
                channel = stack.enter_context(listener.accept()[0])
                channel.settimeout(TIMEOUT_S)
                self.assertEqual(HEADER.unpack(channel.recv(HEADER.size))[0], GET_FEATURES)
                channel.sendall(HEADER.pack(GET_FEATURES, VERSION | REPLY, 8)
                                + struct.pack("<Q", PROTOCOL_FEATURES))
                self.assertEqual(HEADER.unpack(channel.recv(HEADER.size))[0], GET_PROTOCOL_FEATURES)
                wait_until(lambda: self.waits(child.pid) is not None, TIMEOUT_S, "QEMU to wait",
                           [child])
            kept = os.path.join(self.directory, "evidence.json")
            evidence = stage.look("--vm", VM, between=accept, keep=kept)
            report = self.explained(kept)
        first, last = (evidence.socket(look, evidence.channels(look, child.pid)[0]["front_inode"])
                       for look in (evidence.first, evidence.last))
        self.assertNotEqual(first["pending_at"], 0)
        self.assertEqual((last["pending_at"], last["known"]), (0, True))
        device, = report["look"]["vms"][0]["devices"]
        self.assertEqual((device["main_channel"], device["listener"]), ("open", None))
        self.assertEqual([one["id"] for one in report["findings"]
                          if one["certainty"] in ("observed", "suspected")], [])

    def test_another_process_listens_between_the_looks(self):
        listener = self.listen()
        child = self.start_qemu()
        with contextlib.ExitStack() as stack:
            heirs = []

            def hand_over():
                heirs.append(stack.enter_context(subprocess.Popen(
                    ["cat"], stdin=subprocess.PIPE, pass_fds=[listener.fileno()])))
                listener.close()
            evidence = stage.look("--vm", VM, between=hand_over)
            heirs[0].stdin.close()
        before, after = (evidence.channels(look, child.pid)[0]["back_pid"]
                         for look in (evidence.first, evidence.last))
        self.assertEqual((before, after), (os.getpid(), heirs[0].pid))

    def explained(self, path):
        done = subprocess.run([TOOL, "report", "--format", "json", path], check=False, text=True,
                              capture_output=True, timeout=TIMEOUT_S)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return json.loads(done.stdout)

    def test_listener_of_another_network_namespace(self):
        """The kernel tells of the backlog in the listener's own namespace only."""
        apart = ["unshare", *(["--user"] if os.geteuid() else []), "--net"]
        with subprocess.Popen([*apart, sys.executable, "-c", LISTEN, self.path], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
            program.stdout.readline()
            child = self.start_qemu()
            self.assertNotEqual(os.stat(f"/proc/{program.pid}/ns/net").st_ino,
                                os.stat(f"/proc/{child.pid}/ns/net").st_ino)
            self.check_named(child, program.pid)
            program.stdin.close()
            self.assertTrue(child.ended(TIMEOUT_S))


if __name__ == "__main__":
    unittest.main(verbosity=2)
