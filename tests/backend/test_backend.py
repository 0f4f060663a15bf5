# SPDX-License-Identifier: GPL-2.0-or-later
"""The test back-end against a front-end of our own: test_backend.py BACKEND SCENARIOS"""

import glob
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

from front_end import (FrontEnd, BACKEND_REQ, GET_SHMEM_CONFIG, MEM_SLOTS, REPLY_ACK, SHMEM,
                       SHMEM_MAP, SHMEM_UNMAP, TIMEOUT_S)

BACKEND = None
SCENARIOS = None


class BackendTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="ss-")
        self.addCleanup(self.directory.cleanup)
        self.socket = f"{self.directory.name}/sock"
        self.log = f"{self.directory.name}/log"
        self.backend = None
        self.addCleanup(self.end)

    def write(self, text):
        path = f"{self.directory.name}/test.scn"
        with open(path, "w", encoding="utf-8") as scenario:
            scenario.write(text)
        return path

    def begin(self, text, **features):
        """Starts the back-end and connects to it."""
        self.backend = subprocess.Popen(
            [BACKEND, "--socket", self.socket, "--scenario", self.write(text),
             "--log", self.log],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not os.path.exists(self.socket):
            self.assertIsNone(self.backend.poll(), "the back-end ended before it listened")
            time.sleep(0.002)
        front_end = FrontEnd(self.socket, **features)
        self.addCleanup(front_end.close)
        return front_end

    def begun(self, text, **features):
        """As begin(), with the ring started."""
        front_end = self.begin(text, **features)
        front_end.start()
        return front_end

    def end(self):
        if self.backend:
            self.backend.kill()
            self.backend.wait()
            for pipe in (self.backend.stdin, self.backend.stdout, self.backend.stderr):
                pipe.close()

    def ended(self, status, reason=""):
        """Waits for the back-end and checks how it ended."""
        _, stderr = self.backend.communicate(timeout=TIMEOUT_S)
        self.assertEqual(self.backend.returncode, status, stderr)
        if reason:
            self.assertIn(reason, stderr)
        else:
            self.assertEqual(stderr, "")

    def entries(self, **wanted):
        with open(self.log, encoding="utf-8") as log:
            entries = [json.loads(line) for line in log]
        return [entry for entry in entries
                if all(entry.get(key) == value for key, value in wanted.items())]

    def last(self):
        return self.entries()[-1]

    # -- what is announced ------------------------------------------------------------

    def test_features(self):
        front_end = self.begin("region 3 1M")
        for bit in (REPLY_ACK, BACKEND_REQ, MEM_SLOTS, SHMEM):
            self.assertTrue(front_end.offered >> bit & 1)

    def test_features_off(self):
        front_end = self.begin("feature reply-ack off\nfeature mem-slots off\n"
                               "feature shmem-bit 20\n")
        for bit in (REPLY_ACK, MEM_SLOTS, SHMEM):
            self.assertFalse(front_end.offered >> bit & 1)
        self.assertTrue(front_end.offered >> 20 & 1)

    def test_config(self):
        front_end = self.begin("region 0 1M\nregion 255 64K\n")
        reply = front_end.ask(GET_SHMEM_CONFIG)
        self.assertEqual(len(reply), 8 + 256 * 8)
        count, _, *sizes = struct.unpack("=II256Q", reply)
        self.assertEqual((count, sizes[0], sizes[255], sum(sizes)),
                         (2, 1 << 20, 1 << 16, (1 << 20) + (1 << 16)))

    # -- requests ---------------------------------------------------------------------

    def test_map_and_unmap(self):
        front_end = self.begun("region 1 1M\nfile a 64K\nawait start\n"
                               "map 1 0x2000 0x1000 file=a fd_offset=0x3000\n"
                               "map 1 0x4000 0x1000 file=a ro\n"
                               "unmap 1 0x2000 0x1000\n")
        first, second, third = (front_end.serve() for _ in range(3))
        front_end.close()
        self.ended(0)
        ino = self.entries(op="file")[0]["ino"]
        self.assertEqual((first.request, first.shmid, first.fd_offset, first.shm_offset,
                          first.len, first.map_flags, first.inodes, first.need_reply),
                         (SHMEM_MAP, 1, 0x3000, 0x2000, 0x1000, 1, [ino], True))
        self.assertEqual((second.map_flags, second.inodes), (0, [ino]))
        self.assertEqual((third.request, third.fd_offset, third.map_flags, third.inodes),
                         (SHMEM_UNMAP, 0, 0, []))
        sent, replied = self.entries(seq=1, phase="sent"), self.entries(phase="replied")
        self.assertEqual([entry["shm_offset"] for entry in sent if entry["op"] == "map"],
                         [0x2000])
        self.assertEqual([(entry["op"], entry["seq"], entry["value"]) for entry in replied],
                         [("map", 1, 0), ("map", 2, 0), ("unmap", 3, 0)])
        end = self.last()
        self.assertEqual((end["op"], end["maps_ok"], end["unmaps_ok"], end["refused"],
                          end["outstanding"], end["unsolicited"], end["ok"]),
                         ("end", 2, 1, {}, 0, 0, True))

    def test_refusals_are_counted_by_tag(self):
        front_end = self.begun("region 0 1M\nfile a 64K\nawait start\nrepeat 3\n"
                               "  map 0 0 0x1000 file=a fds=2 flags=6 size=39 tag=bad-flags\n"
                               "end\nunmap 0 0 1 expect=refused\n")
        requests = [front_end.serve(22) for _ in range(4)]
        front_end.close()
        self.ended(0)
        self.assertEqual((len(requests[0].payload), len(requests[0].inodes)), (39, 2))
        self.assertEqual(self.last()["refused"], {"bad-flags": 3, "untagged": 1})
        self.assertEqual({entry["value"] for entry in self.entries(phase="replied")}, {22})

    def test_timed(self):
        front_end = self.begun("region 0 1M\nfile a 64K\nawait start\ntimed 3\n"
                               "  map 0 $i*0x1000 0x1000 file=a\nend\nunmap 0 0 0x1000\n")
        for _ in range(3):
            front_end.serve()
        front_end.serve()
        front_end.close()
        self.ended(0)
        timed, = self.entries(op="timed")
        unmap, = self.entries(op="unmap", phase="sent")
        self.assertEqual(len(timed["ns"]), 3)
        self.assertTrue(all(took > 0 for took in timed["ns"]))
        self.assertLessEqual(timed["t"] + sum(timed["ns"]), unmap["t"])
        self.assertEqual(self.entries(op="map"), [])
        self.assertEqual((self.last()["maps_ok"], unmap["seq"]), (3, 4))

    def test_repeat_until(self):
        front_end = self.begun("region 0 1M\nfile a 64K\nawait start\n"
                               "repeat 100 as n until stop\n"
                               "  map 0 $n*0x1000 0x1000 file=a\n"
                               "  signal mapped\n  await signal next\nend\nunmap 0 0 0x1000\n")
        for number in range(3):
            front_end.serve()
            self.assertEqual(self.backend.stdout.readline(), "mapped\n")
            self.backend.stdin.write("stop\nnext\n" if number == 2 else "next\n")
            self.backend.stdin.flush()
        self.assertEqual(front_end.serve().request, SHMEM_UNMAP)
        front_end.close()
        self.ended(0)
        self.assertEqual(self.last()["maps_ok"], 3)

    def test_no_reply(self):
        front_end = self.begun("feature reply-ack off\nregion 0 1M\nfile a 64K\nawait start\n"
                               "map 0 0 0x1000 file=a\nmap 0 0 0x1000 file=a tag=overlap\n")
        requests = [front_end.request() for _ in range(2)]
        front_end.close()
        self.ended(0)
        self.assertFalse(any(request.need_reply for request in requests))
        self.assertEqual((self.last()["unanswered"], self.last()["maps_ok"]), (2, 0))

    def test_cut_message(self):
        front_end = self.begun("region 0 1M\nfile a 64K\nawait start\n"
                               "map 0 0 0x1000 file=a cut=6\nsignal sent\n")
        self.assertEqual(self.backend.stdout.readline(), "sent\n")
        self.assertEqual(len(front_end.channel.recv(100)), 6)
        front_end.close()
        self.ended(0)

    def test_blocks_without_serving(self):
        front_end = self.begun("region 0 1M\nfile a 64K\nawait start\n"
                               "map 0 0 0x1000 file=a\nserve until GET_FEATURES\nsignal on\n")
        request = front_end.request()
        front_end.tell(1)  # GET_FEATURES: lies unread until the reply is there
        front_end.main.settimeout(0.2)
        self.assertRaises(TimeoutError, front_end.main.recv, 1)
        front_end.main.settimeout(TIMEOUT_S)
        front_end.reply(request)
        front_end.answer()
        self.assertEqual(self.backend.stdout.readline(), "on\n")

    def test_serving_while_it_waits(self):
        front_end = self.begun("region 0 1M\nfile a 64K\nawait start\n"
                               "map 0 0 0x1000 file=a serving\n")
        request = front_end.request()
        front_end.serves()
        front_end.reply(request)
        front_end.close()
        self.ended(0)

    def test_pipelined(self):
        front_end = self.begun("region 0 1M\nfile a 64K\nawait start\nrepeat 4\n"
                               "  map 0 $i*0x1000 0x1000 file=a nowait\nend\nreplies\n")
        requests = [front_end.request() for _ in range(4)]
        for request in requests:
            front_end.reply(request)
        front_end.close()
        self.ended(0)
        self.assertEqual(self.last()["maps_ok"], 4)

    # -- threads, signals, connections ------------------------------------------------

    def test_starts_only_when_the_ring_is_enabled(self):
        front_end = self.begin("region 0 1M\nfile a 64K\nawait start\nmap 0 0 0x1000 file=a\n")
        front_end.kick_only()
        front_end.serves()
        self.assertTrue(front_end.silent())
        front_end.enable(1)
        front_end.serve()
        front_end.close()
        self.ended(0)

    def test_two_threads(self):
        front_end = self.begun("region 0 1M\nfile a 64K\nthread mapper\n  repeat 5\n"
                               "    map 0 $i*0x1000 0x1000 file=a\n  end\nend\n"
                               "await start\nawait thread mapper\nsignal done\n")
        for _ in range(5):
            request = front_end.request()
            front_end.serves()
            front_end.reply(request)
        self.assertEqual(self.backend.stdout.readline(), "done\n")
        front_end.close()
        self.ended(0)
        self.assertEqual({entry["thread"] for entry in self.entries(op="map")}, {"mapper"})

    def test_thread_that_fails_ends_the_run(self):
        front_end = self.begun("region 0 1M\nfile a 64K\nthread mapper\n"
                               "  map 0 0 0x1000 file=a\nend\nawait start\nserve until close\n")
        front_end.serve(5)
        self.ended(1, 'line=4, statement="map", thread="mapper": map seq=1, shmid=0, '
                      "shm_offset=0x0, len=0x1000 was refused, and was to be done")

    def test_signals(self):
        front_end = self.begun("region 0 1M\nfile a 64K\nwrite a 8 0x1234\nawait start\n"
                               "signal ready\nawait signal go\ncheck a 8 0x1234\n"
                               "map 0 0 0x1000 file=a\n")
        self.assertEqual(self.backend.stdout.readline(), "ready\n")
        front_end.serves()
        self.assertTrue(front_end.silent())
        self.backend.stdin.write("go\n")
        self.backend.stdin.flush()
        front_end.serve()
        front_end.close()
        self.ended(0)

    def test_await_request_leaves_it_unread(self):
        front_end = self.begun("region 0 1M\nfile a 64K\nawait start\n"
                               "await request SET_VRING_ENABLE\nmap 0 0 0x1000 file=a\n")
        front_end.serves()
        front_end.enable(0)
        request = front_end.request()
        self.assertEqual(self.entries(op="stop"), [])
        front_end.reply(request)
        front_end.serves()
        self.assertEqual(len(self.entries(op="stop")), 1)

    def test_delay(self):
        front_end = self.begun("region 0 1M\nawait start\ndelay SET_VRING_ENABLE 300\n"
                               "signal set\n")
        self.assertEqual(self.backend.stdout.readline(), "set\n")
        self.assertEqual(front_end.acknowledged(18, struct.pack("=II", 0, 1)), 0)
        front_end.close()
        self.ended(0)
        read, answered = self.entries(op="serve", request="SET_VRING_ENABLE")[-2:]
        self.assertEqual((read["phase"], answered["phase"]), ("read", "answered"))
        self.assertGreaterEqual(answered["t"] - read["t"], 300_000_000)

    def test_stop_and_start_again(self):
        front_end = self.begun("region 0 1M\nfile a 64K\nawait start\nserve until stop\n"
                               "await start\nmap 0 0 0x1000 file=a\n")
        front_end.stop()
        self.assertTrue(front_end.silent())
        front_end.start()
        front_end.serve()
        front_end.close()
        self.ended(0)

    def test_reconnect(self):
        front_end = self.begun("region 0 1M\nfile a 64K\nawait start\nmap 0 0 0x1000 file=a\n"
                               "reconnect\nawait start\nunmap 0 0 0x1000\nexit\n")
        front_end.serve()
        self.assertIsNone(front_end.request())
        with socket.socket(socket.AF_UNIX) as visitor:  # without a word: it is left alone
            visitor.connect(self.socket)
        again = FrontEnd(self.socket)
        self.addCleanup(again.close)
        again.start()
        again.serve()
        self.ended(0)
        self.assertEqual(self.entries(op="unmap")[0]["seq"], 1)

    def test_close_backend(self):
        front_end = self.begun("region 0 1M\nfile a 64K\nawait start\n"
                               "map 0 0 0x1000 file=a nowait\nclose backend\nsignal closed\n")
        self.assertEqual(self.backend.stdout.readline(), "closed\n")
        self.assertEqual(front_end.request().request, SHMEM_MAP)
        self.assertIsNone(front_end.request())
        front_end.serves()
        front_end.close()
        self.ended(0)
        self.assertEqual(self.last()["outstanding"], 1)

    def test_kill(self):
        self.begun("await start\nkill\n")
        self.backend.communicate(timeout=TIMEOUT_S)
        self.assertEqual(self.backend.returncode, -signal.SIGKILL)
        self.assertEqual(self.last()["op"], "kill")

    # -- failures ---------------------------------------------------------------------

    def test_done_against_expectation(self):
        front_end = self.begun("region 0 1M\nfile a 64K\nawait start\n"
                               "map 0 0 0x1000 file=a tag=overlap\n")
        front_end.serve(0)
        self.ended(1, "line=4, statement=\"map\", thread=\"main\": map seq=1")
        self.assertFalse(self.last()["ok"])

    def test_unsolicited_reply(self):
        front_end = self.begun("region 0 1M\nfile a 64K\nawait start\nmap 0 0 0x1000 file=a\n"
                               "signal mapped\n")
        request = front_end.request()
        front_end.reply(request)
        front_end.reply(request)
        self.assertEqual(self.backend.stdout.readline(), "mapped\n")
        front_end.serves()
        front_end.main.close()
        self.ended(1, "20 bytes that nobody asked for lie in the back-end channel")

    def test_front_end_leaves_too_early(self):
        front_end = self.begin("await start\n")
        front_end.close()
        self.ended(1, "the front-end closed the main channel")

    def test_channel_closes_before_the_reply(self):
        front_end = self.begun("region 0 1M\nfile a 64K\nawait start\n"
                               "map 0 0 0x1000 file=a raw\n")
        front_end.request()
        front_end.close()
        self.ended(1, "Cannot read back-end channel: the front-end closed it")

    def test_check_of_a_file(self):
        self.begun("file a 64K\nawait start\ncheck a 0 1\n")
        self.ended(1, "the file has 0x0 at 0x0, not 0x1")

    def test_number_too_large(self):
        self.begun("region 0 1M\nfile a 64K\nawait start\nmap 256 0 0x1000 file=a\n")
        self.ended(1, "shmid 256 is above 255")


class UsageTest(unittest.TestCase):
    def run_backend(self, *arguments):
        result = subprocess.run([BACKEND, *arguments], stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        return result.returncode, result.stderr

    def test_usage(self):
        for arguments in ([], ["--colour"], ["--scenario", "x"], ["extra"]):
            status, stderr = self.run_backend(*arguments)
            self.assertEqual(status, 2)
            self.assertTrue(stderr.startswith("shmemscope-backend: "), stderr)

    def test_bad_scenario(self):
        with tempfile.NamedTemporaryFile("w", suffix=".scn") as scenario:
            scenario.write("region 0 1M\nmap 0 0\n")
            scenario.flush()
            status, stderr = self.run_backend("--check", "--scenario", scenario.name)
        self.assertEqual(status, 2)
        self.assertIn(f'file="{scenario.name}", line=2: expected "map', stderr)

    def test_unwritable_log(self):
        scenario = sorted(glob.glob(f"{SCENARIOS}/*.scn"))[0]
        status, stderr = self.run_backend("--socket", "/nonexistent/sock", "--log", "/dev/null",
                                          "--scenario", scenario)
        self.assertEqual(status, 1)
        self.assertIn('Cannot listen: path="/nonexistent/sock": ', stderr)

    def test_our_scenarios_can_be_read(self):
        scenarios = glob.glob(f"{SCENARIOS}/*.scn")
        self.assertGreaterEqual(len(scenarios), 12)
        for scenario in scenarios:
            self.assertEqual(self.run_backend("--check", "--scenario", scenario), (0, ""))


if __name__ == "__main__":
    BACKEND, SCENARIOS = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
