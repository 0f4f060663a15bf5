# SPDX-License-Identifier: GPL-2.0-or-later
"""`shmemscope record --wire -- QEMU` of a released QEMU, as its users start one: as a daemon, in
its sandbox, as another user, in another root; each of them recorded from the first message on."""

import os
import re
import signal
import subprocess
import tempfile
import unittest

from released_runs import common
from harness import qemu, released
from harness.processes import Watched, wait_until

TIMEOUT_S = 60
DENIALS = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
SET_OWNER = 3


class CommandTest(common.IntegrationTest):

    def setUp(self):
        top = tempfile.TemporaryDirectory(prefix="ss-command-")
        self.addCleanup(top.cleanup)
        self.top = top.name
        # Of a QEMU that gives up its rights, and looks from another root.
        os.chmod(self.top, 0o777)

    def path(self, name):
        return os.path.join(self.top, name)

    def start_backend(self):
        sock = self.path("vu0.sock")
        programs = common.parts.Programs(common.BUILD)
        backend = common.parts.Backend(
            programs, sock, released.path("healthy"), self.path("backend.jsonl"),
            self.path("backend.log"), None)
        self.addCleanup(backend.close)
        self.addCleanup(backend.stop)
        wait_until(lambda: os.path.exists(sock), TIMEOUT_S, "the back-end's socket", [backend])
        return backend

    def record(self, *options):
        """Records QEMU with these options until it is told to quit; returns the recorder."""
        backend = self.start_backend()
        command = qemu.command_line(common.QEMU, self.top, "test", more=options)
        with open(self.path("said"), "wb") as said:
            recorder = subprocess.Popen(
                [common.parts.Programs(common.BUILD).tool, "record", "--wire", "--output",
                 self.path("trace"), "--", *command], stdout=said, stderr=said,
                stdin=subprocess.DEVNULL)
        self.addCleanup(recorder.wait, TIMEOUT_S)
        self.addCleanup(recorder.kill)
        pid = wait_until(lambda: qemu.started_pid(self.top) or recorder.poll() is not None,
                         TIMEOUT_S, "QEMU's pid file")
        self.assertIs(recorder.poll(), None, self.said())
        process = Watched("QEMU", pid)
        self.addCleanup(process.close)
        self.addCleanup(process.signal, signal.SIGKILL)
        sock = self.path("monitor.sock")
        wait_until(lambda: qemu.listening(sock), TIMEOUT_S, "QEMU's monitor", [process])
        monitor = qemu.Monitor(sock, TIMEOUT_S)
        self.addCleanup(monitor.close)
        monitor.ask("quit")
        self.assertTrue(process.ended(TIMEOUT_S))
        self.assertEqual(recorder.wait(TIMEOUT_S), 0, self.said())
        backend.status(TIMEOUT_S, "the end of its channel")
        self.check_trace(backend, pid)

    def said(self):
        return common.text_of(self.path("said"))

    def check_trace(self, backend, pid):
        """Every request that the back-end read was told by that process, in its order."""
        read = [entry["number"] for entry in backend.entries() if entry.get("phase") == "read"]
        told = [int(number) for number in re.findall(
            rf" shmemscope_wire:message: .* vpid = {pid}, .* sent = [^,]*= 1 \), "
            r"request = [^=]*= (\d+) \)", common.babeltrace(self.path("trace")))]
        self.assertIn(SET_OWNER, read)
        self.assertEqual(told, read, self.said())

    def test_plain(self):
        self.record()

    def test_daemon(self):
        self.record("-daemonize")

    def test_sandbox(self):
        self.record("-sandbox", DENIALS)

    def test_another_user(self):
        self.record("-run-with", "user=nobody")

    def test_another_root(self):
        self.record("-run-with", f"chroot={self.top}")

    def test_daemon_of_another_user_in_its_sandbox(self):
        """As far as QEMU allows it: elevateprivileges and spawn keep it from all of that."""
        self.record("-daemonize", "-run-with", "user=nobody",
                    "-sandbox", "on,obsolete=deny,resourcecontrol=deny")


if __name__ == "__main__":
    unittest.main(verbosity=2)
