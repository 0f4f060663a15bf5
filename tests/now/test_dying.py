# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes that die while `shmemscope now` looks at them: no crash, and no false alarm."""

import contextlib
import os
import subprocess
import threading
import unittest

from farm import BUILD, QEMU, RUNS, wait_until
from harness import choreography, parts
from harness.run import Run

LOOKS = 60
TIMEOUT_S = 60
RECONNECT_MS = 10


class Lookers:
    """Looks at all there is, with stacks and without, again and again. A context manager."""

    def __init__(self, vm):
        tool = parts.Programs(BUILD).tool
        self.commands = ([tool, "now", vm],
                         [tool, "now", "--stacks", vm])
        self.looks = []
        self.enough = threading.Event()
        self.threads = [threading.Thread(target=self.look, args=(command,))
                        for command in self.commands]

    def look(self, command):
        while not self.enough.is_set():
            self.looks.append(subprocess.run(command, check=False, text=True, timeout=TIMEOUT_S,
                                             capture_output=True, stdin=subprocess.DEVNULL))

    def live(self):
        return all(thread.is_alive() for thread in self.threads)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self.enough.set()
        for thread in self.threads:
            thread.join()
        return False


class DyingTest(unittest.TestCase):

    def test_back_ends_and_their_qemu(self):
        with Run(parts.Programs(BUILD), QEMU, choreography.path("healthy"),
                 os.path.join(RUNS, "now-dying"), record=False,
                 qemu_options={"reconnect_ms": RECONNECT_MS}) as run:
            run.start()
            run.start_driver()
            run.driver.do("start", TIMEOUT_S)
            with Lookers(run.vm) as lookers:
                deaths = 0
                while len(lookers.looks) < LOOKS and lookers.live():
                    self.replace(run)
                    deaths += 1
                self.assertTrue(run.monitor.running())
                run.qemu.stop(grace_s=0)
            print(f"{deaths} back-ends died in {len(lookers.looks)} looks", flush=True)
            self.judge(lookers.looks, run.vm)

    def replace(self, run):
        """The back-end is killed, and another one comes, to which QEMU connects by itself."""
        run.kill_backend()
        run.backend.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{run.directory}/vu0.sock")
        run.start_backend()
        wait_until(lambda: connected(run.backend.pid), TIMEOUT_S, "QEMU to connect again",
                   [run.qemu, run.backend])

    def judge(self, looks, vm):
        self.assertGreaterEqual(len(looks), LOOKS)
        for look in looks:
            said = f"{look.args} ended with {look.returncode}:\n{look.stdout}{look.stderr}"
            if look.returncode == 3:
                # Its QEMU was ended, or had not begun to be one yet.
                self.assertIn(vm, look.args, said)
                self.assertIn(vm, look.stderr, said)
                continue
            self.assertEqual((look.returncode, look.stderr), (0, ""), said)
            self.assertNotIn("observed", look.stdout, said)


def connected(pid):
    """Whether the back-end accepted a connection: it has more sockets than its listener."""
    sockets = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        # One that was closed meanwhile is none that it accepted.
        with contextlib.suppress(FileNotFoundError):
            sockets += os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:")
    return sockets >= 2


if __name__ == "__main__":
    unittest.main(verbosity=2)
