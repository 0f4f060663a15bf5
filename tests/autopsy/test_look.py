# SPDX-License-Identifier: GPL-2.0-or-later
"""Looks at real QEMUs with real back-ends: hung, healthy, gone meanwhile, of another namespace."""

import os
import struct
import subprocess
import sys
import tempfile
import unittest

import stage
from harness.processes import wait_until

SHMEM_MAP = 9
SHMEM_UNMAP = 10
SET_MEM_TABLE = 5
SET_VRING_ENABLE = 18
ROLE_FRONT_END, ROLE_BACK_END = 1, 2
RECVMSG = 47
FREED_S = 60
PRETEND = os.path.join(os.path.dirname(os.path.realpath(__file__)), "pretend.py")


def descriptors(pid):
    return {number: os.readlink(f"/proc/{pid}/fd/{number}")
            for number in os.listdir(f"/proc/{pid}/fd")}


class HungTest(unittest.TestCase):
    """What a look tells of a hang, of whichever QEMU."""

    maxDiff = None

    def pids(self, on):
        return on.run.qemu.pid, on.run.backend.pid

    def check_ends(self, evidence, front_pid, back_pid, vm):
        """One main channel, one back-end channel of it; returns both."""
        channels = evidence.channels(evidence.last, front_pid)
        self.assertEqual([one["kind"] for one in channels], ["main", "back-end"])
        main, back = channels
        self.assertEqual(main["how"], "argv")
        self.assertEqual((main["device"], main["driver"], main["chardev"]),
                         ("dev0", "vhost-user-test-device-pci", "vu0"))
        self.assertTrue(main["path"].endswith("/vu0.sock"))
        self.assertEqual(back["how"], "pair")
        for channel in channels:
            self.assertEqual(channel["back_pid"], back_pid)
            for end, pid in (("front", front_pid), ("back", back_pid)):
                socket = evidence.socket(evidence.last, channel[f"{end}_inode"])
                self.assertEqual(socket["holders"], [[pid, channel[f"{end}_fd"]]])
                self.assertEqual(socket["peek"], "done")
        position = evidence.last["channels"].index(main)
        self.assertEqual(back["main"], position)
        for a_look in (evidence.first, evidence.last):
            front = evidence.process(a_look, front_pid)
            self.assertEqual(front["vm"], vm)
            self.assertTrue(front["is_qemu"])
            self.assertEqual(front["roles"], ROLE_FRONT_END)
            self.assertEqual(evidence.process(a_look, back_pid)["roles"], ROLE_BACK_END)
            for pid in (front_pid, back_pid):
                self.assertEqual(evidence.process(a_look, pid)["denied"], [])
        return main, back

    def check_waits(self, evidence, pid, fd):
        """The main thread stands in the read of that descriptor, and has for long."""
        self.assertTrue(evidence.stood(pid, pid))
        thread = evidence.thread(pid, pid)[1]
        self.assertEqual((thread["call"], thread["nr"], thread["fd"]), ("in", RECVMSG, fd))
        self.assertTrue(thread["timeout_known"])
        self.assertEqual(thread["timeout_ns"], -1)
        if os.path.exists("/proc/self/sched"):
            self.assertGreater(evidence.last["ns"] - thread["last_ran_ns"], 4e9)

    def check_stands_still(self, evidence, channel):
        for end in ("front_inode", "back_inode"):
            before, after = (evidence.socket(a_look, channel[end])
                             for a_look in (evidence.first, evidence.last))
            self.assertEqual(before, after)

    def look_at(self, on):
        """A look that changes nothing that can be seen."""
        before = [descriptors(pid) for pid in self.pids(on)]
        evidence = stage.look("--apart", "300")
        self.assertEqual([descriptors(pid) for pid in self.pids(on)], before)
        return evidence

    def check_pipelined(self, on):
        on.hang_at_start()
        front_pid, back_pid = self.pids(on)
        evidence = self.look_at(on)
        main, back = self.check_ends(evidence, front_pid, back_pid, on.run.vm)
        self.check_waits(evidence, front_pid, main["front_fd"])
        self.check_waits(evidence, back_pid, back["back_fd"])
        self.check_stands_still(evidence, main)
        self.check_stands_still(evidence, back)
        asked = evidence.socket(evidence.last, back["front_inode"])
        request, payload = stage.messages(asked)[0]
        self.assertEqual(request, SHMEM_MAP)
        # Region, offset in the file, in the region, length, flags: of the second MAP.
        self.assertEqual(struct.unpack("<B7xQQQQ", payload), (0, 0x1000, 0x1000, 0x1000, 1))
        self.assertEqual(asked["unread"], 52)
        self.assertEqual(asked["unread_fds"], 1)
        self.assertEqual((asked["recalled"], asked["recalled_tid"]), (40, back_pid))
        told = evidence.socket(evidence.last, main["back_inode"])
        request, payload = stage.messages(told)[-1]
        self.assertEqual(request, SET_MEM_TABLE)
        regions = struct.unpack_from("<I", payload)[0]
        self.assertEqual(len(payload), 8 + 32 * regions)
        self.assertGreaterEqual(regions, 2)
        self.assertEqual(len(bytes.fromhex(told["peeked"])), told["unread"])
        # Whoever needs QEMU's lock waits for the thread that hangs.
        locked = [thread["comm"] for thread in evidence.process(evidence.last, front_pid)["threads"]
                  if thread["futex_owner"] == front_pid]
        self.assertTrue(locked, "nobody waits for the lock")
        # The mapping that the hang is about, in QEMU: its file is one that the back-end has open.
        files = {one["inode"] for one in evidence.process(evidence.last, back_pid)["fds"]
                 if one["kind"] == "file"}
        mapped = [one for one in evidence.process(evidence.last, front_pid)["maps"]
                  if one["inode"] in files and "memory-backend" not in one["path"]]
        self.assertEqual(len(mapped), 1)

    def check_at_reset(self, on):
        on.hang_at_reset()
        front_pid, back_pid = self.pids(on)
        evidence = self.look_at(on)
        main, back = self.check_ends(evidence, front_pid, back_pid, on.run.vm)
        self.check_waits(evidence, front_pid, main["front_fd"])
        self.check_waits(evidence, back_pid, back["back_fd"])
        asked = evidence.socket(evidence.last, back["front_inode"])
        self.assertEqual([request for request, _ in stage.messages(asked)], [SHMEM_UNMAP])
        self.assertEqual((asked["unread_fds"], asked["recalled"]), (0, 0))
        told = evidence.socket(evidence.last, main["back_inode"])
        self.assertEqual([request for request, _ in stage.messages(told)], [SET_VRING_ENABLE])

    def test_map_pipelined(self):
        with stage.Stage("map-pipelined") as on:
            self.check_pipelined(on)

    def test_request_at_stop(self):
        with stage.Stage("request-at-stop") as on:
            self.check_at_reset(on)

    def test_backend_ends_meanwhile(self):
        with stage.Stage("map-pipelined") as on:
            on.hang_at_start()
            front_pid, back_pid = self.pids(on)

            def kill():
                on.run.kill_backend()
                wait_until(lambda: on.run.monitor.running(), FREED_S, "QEMU to answer",
                           [on.run.qemu])
            evidence = stage.look(between=kill)
            self.assertFalse(evidence.process(evidence.first, back_pid)["ended"])
            back = evidence.process(evidence.last, back_pid)
            self.assertTrue(back is None or back["ended"])
            front = evidence.process(evidence.last, front_pid)
            self.assertFalse(front["ended"])
            self.assertFalse(evidence.stood(front_pid, front_pid))
            # The device is there all the same, with nobody at its other end.
            main = evidence.channels(evidence.last, front_pid)[0]
            self.assertEqual((main["kind"], main["device"]), ("main", "dev0"))
            self.assertEqual((main["back_pid"], main["back_inode"]), (0, 0))

    def test_other_network_namespace(self):
        """The looker's namespace is another one than that of whom it looks at."""
        with stage.Stage("map-pipelined") as on:
            on.hang_at_start()
            front_pid, back_pid = self.pids(on)
            evidence = stage.look("--pid", str(front_pid), wrapper=["unshare", "--net"])
            self.assertEqual(evidence.last["denied"], [])
            netns = os.stat("/proc/self/ns/net").st_ino
            for pid in (front_pid, back_pid):
                self.assertEqual(evidence.process(evidence.last, pid)["netns"], netns)
            main, back = self.check_ends(evidence, front_pid, back_pid, on.run.vm)
            asked = evidence.socket(evidence.last, back["front_inode"])
            self.assertEqual(asked["netns"], netns)
            self.assertEqual(stage.messages(asked)[0][0], SHMEM_MAP)
            told = evidence.socket(evidence.last, main["back_inode"])
            self.assertEqual(stage.messages(told)[-1][0], SET_MEM_TABLE)


class HealthyTest(unittest.TestCase):

    def test_idle(self):
        """Nothing lies unread, and all wait for anything."""
        with stage.Stage("healthy") as on:
            on.run.start()
            front_pid, back_pid = on.run.qemu.pid, on.run.backend.pid
            wait_until(lambda: on.run.monitor.running(), FREED_S, "QEMU to answer",
                       [on.run.qemu])
            evidence = stage.look("--vm", on.run.vm)
            # Only that VM.
            self.assertEqual({one["pid"] for one in evidence.last["processes"]},
                             {front_pid, back_pid})
            for channel in evidence.channels(evidence.last, front_pid):
                for end in ("front_inode", "back_inode"):
                    socket = evidence.socket(evidence.last, channel[end])
                    self.assertEqual((socket["unread"], socket["peeked"], socket["peek"]),
                                     (0, "", "done"))
            main = evidence.channels(evidence.last, front_pid)[0]
            server = evidence.thread(back_pid, back_pid)[1]
            self.assertEqual(server["call"], "in")
            waits_for = [server["fd"], *(fd for fd, _ in server["polls"])]
            self.assertIn(main["back_fd"], waits_for)
            loop = evidence.thread(front_pid, front_pid)[1]
            self.assertTrue(loop["call"] == "running" or loop["polls_known"])

    def test_not_there(self):
        for option, value, said in (("--vm", "no-such-vm-on-this-host", "no such VM"),
                                    ("--pid", str(2 ** 30), "no such process")):
            run = subprocess.run([os.path.join(stage.BUILD, "tests", "autopsy", "take-look"),
                                  option, value, "/nowhere/at/all"], check=False, text=True,
                                 capture_output=True, timeout=60)
            self.assertEqual(run.returncode, 1)
            self.assertIn(said, run.stderr)
            self.assertRegex(run.stderr, "^Cannot find ")


class PretendTest(unittest.TestCase):
    """A front-end that no command line names, by the memory that both map."""

    def look_at(self, *arguments):
        with subprocess.Popen([sys.executable, PRETEND, *arguments], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as program:
            front_pid, back_pid = (int(word) for word in program.stdout.readline().split())
            evidence = stage.look("--pid", str(front_pid))
            program.stdin.close()
        return evidence, front_pid, back_pid

    def test_one_device(self):
        evidence, front_pid, back_pid = self.look_at("1")
        channels = evidence.channels(evidence.last, front_pid)
        self.assertEqual([(one["kind"], one["how"]) for one in channels],
                         [("main", "memory"), ("back-end", "pair")])
        self.assertEqual({one["back_pid"] for one in channels}, {back_pid})
        self.assertEqual(channels[1]["main"], 0)
        told = evidence.socket(evidence.last, channels[0]["back_inode"])
        self.assertEqual(stage.messages(told), [(1, b"")])

    def test_two_devices_of_one_backend(self):
        """Whose the pairs are cannot be told, and is not."""
        evidence, front_pid, back_pid = self.look_at("2")
        channels = evidence.channels(evidence.last, front_pid)
        self.assertEqual([one["kind"] for one in channels],
                         ["main", "main", "back-end", "back-end"])
        self.assertEqual([one["main"] for one in channels], [-1] * 4)
        self.assertEqual({one["back_pid"] for one in channels}, {back_pid})


    def test_pid_namespace(self):
        """Pids are the looker's, and what each is called inside is known, too."""
        apart = ["unshare", *(["--user"] if os.geteuid() else []), "--pid", "--fork"]
        with subprocess.Popen([*apart, sys.executable, PRETEND, "1"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as program:
            inside = [int(word) for word in program.stdout.readline().split()]
            with open(f"/proc/{program.pid}/task/{program.pid}/children", encoding="ascii") as text:
                front_pid = int(text.read())
            evidence = stage.look("--pid", str(front_pid))
            namespace = os.stat(f"/proc/{front_pid}/ns/pid").st_ino
            program.stdin.close()
        main, back = evidence.channels(evidence.last, front_pid)
        seen = [evidence.process(evidence.last, pid) for pid in (front_pid, main["back_pid"])]
        self.assertEqual([one["own_pid"] for one in seen], inside)
        self.assertEqual({one["pidns"] for one in seen}, {namespace})
        self.assertEqual(back["back_pid"], main["back_pid"])
        for process in seen:
            for thread in process["threads"]:
                if thread["tid"] == process["pid"]:
                    self.assertEqual(thread["own_tid"], process["own_pid"])

    def test_not_accepted_yet(self):
        """Who listens is known; and no pair of the front-end's own is taken for a channel."""
        with tempfile.TemporaryDirectory(prefix="ss-pending-") as directory:
            path = os.path.join(directory, "fs.sock")
            evidence, front_pid, back_pid = self.look_at("1", "--pending", "--fs", f"socket={path}")
        channels = evidence.channels(evidence.last, front_pid)
        main = channels[0]
        self.assertEqual((main["kind"], main["how"], main["driver"], main["path"]),
                         ("main", "argv", "fs", path))
        self.assertEqual((main["back_pid"], main["back_fd"], main["back_inode"]),
                         (back_pid, -1, 0))
        asks = evidence.socket(evidence.last, main["front_inode"])
        listener = evidence.socket(evidence.last, asks["pending_at"])
        self.assertTrue(listener["listens"])
        self.assertEqual(listener["holders"][0][0], back_pid)
        # What the back-end holds of a pair may be a channel; what nobody else holds is none.
        for channel in channels[1:]:
            self.assertNotEqual(channel["back_fd"], -1)

    def test_backend_of_another_network_namespace(self):
        evidence, front_pid, back_pid = self.look_at("1", "--apart")
        netns = evidence.process(evidence.last, back_pid)["netns"]
        self.assertNotIn(netns, (0, os.stat("/proc/self/ns/net").st_ino))
        self.assertEqual(evidence.process(evidence.last, front_pid)["netns"], 0)
        main, back = evidence.channels(evidence.last, front_pid)
        told = evidence.socket(evidence.last, main["back_inode"])
        # The kernel has what was accepted where the one is that connected.
        self.assertEqual((told["netns"], told["unread"]), (0, 12))
        self.assertEqual(stage.messages(told), [(1, b"")])
        self.assertEqual((back["kind"], back["back_pid"]), ("back-end", back_pid))


class DeniedTest(unittest.TestCase):
    """Who may not look is told what is missing, and the rest all the same."""

    def test_other_user(self):
        if os.geteuid() != 0:
            self.check_init()
            return
        with stage.Stage("map-pipelined") as on:
            on.hang_at_start()
            front_pid = on.run.qemu.pid
            os.chmod(on.run.directory, 0o755)
            evidence = stage.look(wrapper=["setpriv", "--reuid=65534", "--regid=65534",
                                           "--clear-groups"])
            front = evidence.process(evidence.last, front_pid)
            self.assertEqual(front["vm"], on.run.vm)
            denied = {one["what"]: one["needs"] for one in front["denied"]}
            for what in ("descriptors", "calls of threads", "memory maps"):
                self.assertIn("CAP_SYS_PTRACE", denied[what])
            # The kernel's list of sockets is everybody's.
            main = evidence.channels(evidence.last, front_pid)[0]
            self.assertEqual(main["front_fd"], -1)
            told = evidence.socket(evidence.last, main["back_inode"])
            self.assertEqual(told["peer"], main["front_inode"])
            self.assertGreater(told["unread"], 0)
            self.assertEqual((told["peek"], told["peeked"]), ("no-holder", ""))

    def check_init(self):
        """Nobody but root may look at the first process."""
        evidence = stage.look("--pid", "1")
        denied = {one["what"]: one["needs"]
                  for one in evidence.process(evidence.last, 1)["denied"]}
        for what in ("descriptors", "calls of threads", "memory maps"):
            self.assertIn("CAP_SYS_PTRACE", denied[what])


if os.environ.get("SHMEMSCOPE_QEMU_RELEASED"):
    class ReleasedTest(HungTest):
        """The same of a QEMU that nobody changed."""

        test_backend_ends_meanwhile = None
        test_other_network_namespace = None

        def test_map_pipelined(self):
            with stage.Stage("map-pipelined", is_released=True) as on:
                self.check_pipelined(on)

        def test_request_at_stop(self):
            with stage.Stage("request-at-stop", is_released=True) as on:
                self.check_at_reset(on)


if __name__ == "__main__":
    unittest.main(verbosity=2)
