# SPDX-License-Identifier: GPL-2.0-or-later
"""`shmemscope now` by who may not look, and across the namespaces of containers: clear words."""

import contextlib
import os
import subprocess
import unittest

from farm import BUILD, QEMU, RUNS, wait_until
from harness import choreography, parts
from harness.run import Run

SYS_RECVMSG = 47
HANG_TIMEOUT_S = 60
AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
# As a container's runtime makes them: the processes keep their pids out here.
CONTAINER = ["unshare", "--user", "--map-root-user", "--mount", "--net", "--ipc", "--uts"]
OWN_PIDS = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]


def now(*arguments, wrapper=()):
    return subprocess.run([*wrapper, parts.Programs(BUILD).tool, "now", *arguments], check=False,
                          text=True, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)


def stands_in(pid):
    with open(f"/proc/{pid}/syscall", encoding="ascii") as call:
        return call.read().split()[0]


@contextlib.contextmanager
def hung(out, wrapper=()):
    """A QEMU that hangs, and that is freed at the end as by an administrator."""
    with Run(parts.Programs(BUILD), QEMU, choreography.path("map-pipelined"),
             os.path.join(RUNS, out), record=False, wrapper=wrapper) as run:
        run.start()
        run.start_driver()
        run.driver.tell("start")
        wait_until(lambda: {stands_in(run.qemu.pid), stands_in(run.backend.pid)}
                   == {str(SYS_RECVMSG)}, HANG_TIMEOUT_S, "both sides to wait for a reply",
                   [run.qemu, run.backend])
        question = run.await_silence()
        yield run
        run.kill_backend()
        run.monitor.answer(question, HANG_TIMEOUT_S)
        run.quit_qemu()


class RightsTest(unittest.TestCase):

    def assert_named(self, look, run):
        self.assertEqual((look.returncode, look.stderr), (1, ""), look.stdout)
        self.assertIn("DEADLOCK observed", look.stdout)
        self.assertIn(f"end process {run.backend.pid}", look.stdout)

    def assert_not_permitted(self, wrapper, run):
        """It says so of what it cannot see, and finds nothing in it."""
        for arguments in ((), (run.vm,), ("--stacks", run.vm)):
            look = now(*arguments, wrapper=wrapper)
            self.assertEqual((look.returncode, look.stderr), (0, ""), look.stdout)
            self.assertIn("CAP_SYS_PTRACE", look.stdout)
            self.assertNotIn("DEADLOCK observed", look.stdout)
            self.assertNotIn("DEADLOCK suspected", look.stdout)
            self.assertNotIn("no back-end is connected", look.stdout)
            its = [line for line in look.stdout.splitlines() if line.startswith(run.vm[:20])]
            self.assertFalse([line for line in its if "gone" in line or "healthy" in line], its)
        self.assertRegex(look.stdout,
                         rf"(?m)^stacks of process {run.qemu.pid}\n  not permitted: needs CAP_SYS")

    def test_who_looks(self):
        with hung("now-rights") as run:
            self.assert_named(now(run.vm), run)
            # A user namespace of its own takes all rights out here from whoever looks.
            self.assert_not_permitted(["unshare", "--user"], run)
            self.assert_not_permitted(["unshare", "--user", "--map-root-user", "--net"], run)
            if os.geteuid() == 0:
                self.assert_not_permitted(AS_NOBODY, run)
                # Its sockets are asked for where they live.
                self.assert_named(now(run.vm, wrapper=["unshare", "--net"]), run)
            # Where its pids are not to be seen it is not there.
            inside = now(run.vm, wrapper=OWN_PIDS)
            self.assertEqual((inside.returncode, inside.stdout), (3, ""), inside.stderr)
            self.assertIn(run.vm, inside.stderr)
            inside = now(wrapper=OWN_PIDS)
            self.assertEqual((inside.returncode, inside.stderr), (0, ""), inside.stdout)
            self.assertNotIn(run.vm, inside.stdout)

    def test_in_container(self):
        with hung("now-container", wrapper=CONTAINER) as run:
            look = now("--stacks", run.vm)
            self.assert_named(look, run)
            for function in ("vhost_user_read", "backend_read", "main", "vu_shmem_map"):
                self.assertRegex(look.stdout, rf"(?m)^ +#\d+ +{function}\+0x")


if __name__ == "__main__":
    unittest.main(verbosity=2)
