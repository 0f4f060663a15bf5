# SPDX-License-Identifier: GPL-2.0-or-later
"""The driver against a real QEMU and the test back-end: test_drive.py DRIVER BACKEND QEMU_DIR"""

import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest

DRIVER = BACKEND = QEMU = None
TIMEOUT_S = 30

SCENARIO = """
region 0 1M
{}
file pages 64K
await start
write pages 0x2000 0x1122334455667788
map 0 0x8000 0x1000 file=pages fd_offset=0x2000
serve until ADD_MEM_REG
signal mapped
await signal written
check pages 0x2ff8 0x8877665544332211
signal checked
serve until stop
signal stopped
await start
map 0 0x8000 0x1000 file=pages fd_offset=0x2000
serve until ADD_MEM_REG
signal mapped
"""


class Program:
    """A program that is spoken to in lines."""

    def __init__(self, *command):
        self.popen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.unread = b""

    def tell(self, line):
        self.popen.stdin.write(line.encode() + b"\n")
        self.popen.stdin.flush()

    def line(self):
        deadline = time.monotonic() + TIMEOUT_S
        while b"\n" not in self.unread:
            left = deadline - time.monotonic()
            if not select.select([self.popen.stdout], [], [], max(0, left))[0]:
                raise TimeoutError("no line from " + self.popen.args[0])
            piece = os.read(self.popen.stdout.fileno(), 4096)
            if not piece:
                raise EOFError(self.popen.args[0] + " has ended")
            self.unread += piece
        line, self.unread = self.unread.split(b"\n", 1)
        return line.decode()

    def end(self):
        self.popen.kill()
        self.popen.wait()
        self.popen.stdin.close()
        self.popen.stdout.close()


class DriveTest(unittest.TestCase):
    def setUp(self):
        self.qemu = self.driver = self.backend = None
        directory = tempfile.TemporaryDirectory(prefix="ss-")
        self.addCleanup(directory.cleanup)
        self.path = directory.name

    def program(self, *command):
        program = Program(*command)
        self.addCleanup(program.end)
        return program

    def wait_until(self, condition, program):
        deadline = time.monotonic() + TIMEOUT_S
        while not condition():
            self.assertIsNone(program.popen.poll(), "it ended early")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.005)

    def listens(self, name):
        """By the kernel's list: QEMU's sockets have one place, not to be used up by trying."""
        with open("/proc/net/unix", encoding="utf-8", errors="replace") as sockets:
            return re.search(rf" 00010000 .* {re.escape(self.path)}/{name}$", sockets.read(),
                             re.MULTILINE)

    def start_qemu(self, bus="pcie.0"):
        with open(f"{self.path}/test.scn", "w", encoding="utf-8") as scenario:
            # Behind a port the configuration space has room for one region only.
            scenario.write(SCENARIO.format("region 9 64K" if bus == "pcie.0" else ""))
        self.backend = self.program(BACKEND, "--socket", f"{self.path}/vu0.sock",
                                    "--scenario", f"{self.path}/test.scn",
                                    "--log", f"{self.path}/log")
        # The back-end's socket has its name only when it listens.
        self.wait_until(lambda: os.path.exists(f"{self.path}/vu0.sock"), self.backend)
        self.qemu = self.program(
            f"{QEMU}/qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
            "-machine", "q35,memory-backend=ram", "-accel", "qtest", "-m", "64M",
            "-object", "memory-backend-memfd,id=ram,size=64M,share=on",
            "-L", f"{QEMU}/share", "-L", "/usr/share/seabios",
            "-qtest", f"unix:{self.path}/qtest.sock,server=on,wait=off",
            "-qtest-log", "/dev/null",
            "-qmp", f"unix:{self.path}/qmp.sock,server=on,wait=off",
            "-device", "pcie-root-port,id=rp0,chassis=1,slot=1",
            "-device", "pcie-root-port,id=rp1,chassis=2,slot=2",
            "-chardev", f"socket,id=vu0,path={self.path}/vu0.sock",
            "-device", "vhost-user-test-device-pci,id=dev0,chardev=vu0,virtio-id=26,num_vqs=1,"
                       f"vq_size=64,bus={bus}")
        self.wait_until(lambda: self.listens("qtest.sock") and self.listens("qmp.sock"),
                        self.qemu)
        self.driver = self.start_driver()

    def start_driver(self, *options):
        return self.program(DRIVER, "--qtest", f"{self.path}/qtest.sock",
                            "--qmp", f"{self.path}/qmp.sock", *options)

    def ask(self, command):
        self.driver.tell(command)
        return self.driver.line()

    def do(self, command):
        answer = self.ask(command)
        self.assertTrue(answer.startswith("ok"), f"{command}: {answer}")
        return answer[3:]

    def check_window(self):
        self.assertEqual(self.backend.line(), "mapped")
        self.assertEqual(self.do("read 0 0x8000"), "0x1122334455667788")
        self.do("write 0 0x8ff8 0x8877665544332211")
        self.backend.tell("written")
        self.assertEqual(self.backend.line(), "checked")

    def test_root_bus(self):
        self.start_qemu()
        self.do("start")
        self.assertEqual(self.do("status"), "0xf")
        self.check_window()
        self.assertIn("shmid=0 ", self.do("bar"))
        self.assertIn("size=0x10000", self.do("bar"))
        self.assertEqual(self.ask("read 0 0xffff9"), "error the offset is beyond the region")
        self.assertEqual(self.ask("read 1 0"), "error the device has no such region")
        self.assertTrue(self.ask("unplug dev0").startswith("error "))

    def test_reset_and_start_again(self):
        self.start_qemu()
        self.do("start")
        self.check_window()
        self.do("reset")
        self.assertEqual(self.backend.line(), "stopped")
        self.assertEqual(self.do("status"), "0x0")
        self.assertNotEqual(self.do("read 0 0x8000"), "0x1122334455667788")
        self.do("start")
        self.assertEqual(self.backend.line(), "mapped")
        self.assertEqual(self.do("read 0 0x8000"), "0x1122334455667788")

    def test_start_after_a_system_reset(self):
        """The device is nowhere then, and is placed again."""
        self.start_qemu()
        self.do("start")
        self.check_window()
        self.do('qmp {"execute": "system_reset"}')
        self.assertEqual(self.backend.line(), "stopped")
        self.do("start")
        self.assertEqual(self.backend.line(), "mapped")
        self.assertEqual(self.do("read 0 0x8000"), "0x1122334455667788")

    def test_behind_a_root_port(self):
        self.start_qemu("rp1")
        self.do("start")
        self.check_window()
        self.do("unplug dev0")
        devices = self.do('qmp {"execute": "qom-list", "arguments": {"path": '
                          '"/machine/peripheral"}}')
        self.assertIn("rp1", devices)
        self.assertNotIn("dev0", devices)
        self.assertEqual(self.ask("start"), "error no such PCI device")
        self.assertEqual(self.backend.line(), "stopped")

    def test_silent_qemu(self):
        self.start_qemu()
        self.do("start")
        self.check_window()
        self.do("timeout 200")
        os.kill(self.qemu.popen.pid, signal.SIGSTOP)
        self.assertEqual(self.ask("status"), "error timeout")
        self.assertEqual(self.ask('qmp {"execute": "query-status"}'), "error timeout")
        os.kill(self.qemu.popen.pid, signal.SIGCONT)
        self.do("timeout 20000")
        self.assertEqual(self.do("status"), "0xf")
        self.assertIn('"running"', self.do('qmp {"execute": "query-status"}'))

    def test_qemu_ends(self):
        self.start_qemu()
        self.do("start")
        # QEMU stops the device before it answers a quit, which hangs against a MAP on its way.
        self.assertEqual(self.backend.line(), "mapped")
        self.do('qmp {"execute": "quit"}')
        self.qemu.popen.wait(TIMEOUT_S)
        self.assertTrue(self.ask("status").startswith("error qtest is gone: "))
        self.driver.tell("quit")
        self.assertEqual(self.driver.line(), "ok")
        self.assertEqual(self.driver.popen.wait(TIMEOUT_S), 0)

    def test_device_by_its_id(self):
        self.start_qemu()
        self.driver.end()
        self.driver = self.start_driver("--device", "9")
        self.assertEqual(self.ask("start"), "error no such PCI device")
        self.driver.end()
        self.driver = self.start_driver("--device", "26")
        self.do("start")

    def test_the_second_device(self):
        """There is none: not the first one under another number."""
        self.start_qemu()
        self.do("device 1")
        self.assertEqual(self.ask("start"), "error no such PCI device")
        self.do("device 0")
        self.do("start")
        self.assertEqual(self.do("peek 0x2000000"), "0x0")
        self.do("poke 0x2000000 0x1122334455667788")
        self.assertEqual(self.do("peek 0x2000000"), "0x1122334455667788")

    def test_usage(self):
        for options in ([], ["--qtest", "x"], ["--device", "-1"], ["--colour"]):
            result = subprocess.run([DRIVER, *options], capture_output=True, text=True,
                                    timeout=TIMEOUT_S, check=False)
            self.assertEqual(result.returncode, 2)
            self.assertTrue(result.stderr.startswith("shmemscope-drive: "), result.stderr)


if __name__ == "__main__":
    DRIVER, BACKEND, QEMU = sys.argv[1:4]
    unittest.main(argv=sys.argv[:1] + sys.argv[4:])
