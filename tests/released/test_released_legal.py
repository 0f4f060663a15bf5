# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever is legal, at random, against a released QEMU: nothing may be found by the wire library
that should not be, and its counts are those of the back-end."""

import collections
import os
import random
import sys
import unittest

from released_runs import FROM_BOTH, FROM_QEMU, common
from harness import evidence, parts
from harness.hostile import HostileRun
from harness.soak import FILE_ON_DISK

OPERATIONS = int(os.environ.get("SHMEMSCOPE_SOAK_OPERATIONS") or 2000)
SEED = int(os.environ.get("SHMEMSCOPE_SOAK_SEED") or random.SystemRandom().getrandbits(48))
TIMEOUT_S = 120
# Rounds between two stops of the machine.
ROUNDS = 9


class LegalRun(HostileRun):

    def start_backend(self):
        sock = f"{self.directory}/vu0.sock"
        self.backend = parts.LegalBackend(self.programs, sock, self.options,
                                          self.path("backend.jsonl"), self.path("backend.log"),
                                          self.path("commands"), self.wire.get("backend", ""))
        common.wait_until(lambda: os.path.exists(sock), TIMEOUT_S, "the back-end's socket",
                          [self.backend])
        self.witness["backend_pid"] = self.backend.pid

    def round(self):
        self.backend.give_signal("round")
        word, _, number = self.backend.read_line(TIMEOUT_S, "the end of a round").partition(" ")
        if word != "done":
            raise common.HarnessError(f"The back-end says \"{word} {number}\"")
        return int(number)

    def await_held_as_told(self):
        """Until QEMU holds what the back-end says is mapped: RCU lets go of the rest."""
        entries = self.backend.entries()
        wanted = collections.Counter(entry["of"] for entry in entries if entry["op"] == "live")
        on_disk = {entry["ino"] for entry in entries
                   if entry["op"] == "file" and entry["name"] == FILE_ON_DISK}
        memfds = {entry["ino"] for entry in entries if entry["op"] == "file"} - on_disk
        common.wait_until(lambda: evidence.held(self.qemu.pid, memfds, on_disk) == (wanted, wanted),
                          TIMEOUT_S, "QEMU to hold what is mapped", [self.qemu])

    def play(self):
        """Rounds, and stops of the machine between them; ends with what is mapped in place. No
        reset: by that 11.1.2 ends with a segmentation fault, the library loaded or not."""
        self.start()
        self.start_driver()
        self.driver.do(f"timeout {TIMEOUT_S * 1000}")
        self.driver.do("start", TIMEOUT_S)
        self.backend.await_signal("started", TIMEOUT_S)
        operations = rounds = 0
        while operations < OPERATIONS:
            operations += self.round()
            rounds += 1
            if rounds % ROUNDS == 0:
                for command in ("stop", "cont"):
                    self.monitor.execute(command, timeout_s=TIMEOUT_S)
        self.backend.command_of("end", "ready", TIMEOUT_S)
        self.await_held_as_told()
        if not self.monitor.running():
            raise common.HarnessError("QEMU does not run after the rounds")


class LegalTest(common.IntegrationTest):

    def play(self, manner, wire):
        name = f"released-legal-{manner}-{len(wire)}"
        print(f"SHMEMSCOPE_SOAK_SEED={SEED}", file=sys.stderr)
        # Of several regions whose sizes make no power of two 11.1.2 dies at its start; and it
        # cannot map for reading what is not to be written.
        arguments = ["--legal", manner, "--one-region", "--plain", "--seed", str(SEED)]
        with LegalRun(parts.Programs(common.BUILD), common.QEMU, os.path.join(common.RUNS, name),
                      arguments, wire=wire) as run:
            run.play()
            run.stop_recording()
            run.quit_qemu()
            run.end_backend()
        return common.Report(run.trace), run.backend.entries()

    def check(self, manner, wire):
        report, entries = self.play(manner, wire)
        sent = [entry for entry in entries if entry.get("phase") == "sent"]
        live = [entry for entry in entries if entry["op"] == "live"]
        end = entries[-1]
        self.assertTrue(end["ok"], end)
        self.assertGreaterEqual(end["messages"], OPERATIONS)
        gone = end["maps_ok"] - len(live)
        self.assertEqual({name: report.counts[name] for name in (
            "requests", "maps", "unmaps", "replies", "mappings_created", "mappings_removed",
            "mappings_finalized", "fds_received", "fds_duplicated", "fds_closed",
            "fds_close_failed", "fds_implied_closed", "replies_failed")},
            {"requests": len(sent), "maps": end["maps_ok"], "unmaps": end["unmaps_ok"],
             "replies": end["replies"], "mappings_created": end["maps_ok"],
             "mappings_removed": gone, "mappings_finalized": gone, "fds_received": end["fds"],
             "fds_duplicated": end["maps_ok"], "fds_closed": end["fds"] + gone,
             "fds_close_failed": 0, "fds_implied_closed": 0, "replies_failed": 0}, report.text)
        places = ("shmid", "shm_offset", "len", "fd_offset")
        self.assertEqual(sorted([*(entry[name] for name in places), entry["ino"]]
                                for entry in report.json["mappings"]),
                         sorted([*(entry[name] for name in places), entry["of"]]
                                for entry in live))
        self.assertEqual(report.json["trace"]["lost"], 0)
        self.assertEqual(report.json["open_waits_total"], 0)
        # What it maps for reading only, 11.1 lets the guest write.
        read_only = sum(entry["op"] == "map" and not entry["flags"] for entry in sent)
        self.assertGreater(read_only, 0)
        self.assertEqual([(found["id"], found["certainty"], found["count"])
                          for found in report.alarms()],
                         [("readonly-writable", "observed", read_only)], report.text)
        # Somebody serves the main channel at all times.
        self.assertEqual(report.of("nested-wait", "hazard"), [], report.text)

    def test_threads(self):
        self.check("threads", FROM_QEMU)

    def test_serving(self):
        self.check("serving", FROM_BOTH)


if __name__ == "__main__":
    unittest.main(verbosity=2)
