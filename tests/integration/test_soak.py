# SPDX-License-Identifier: GPL-2.0-or-later
"""Silence: whatever is legal, at random, gives no finding, and every count is that of the
back-ends.

SHMEMSCOPE_SOAK_SEED is the seed, a fresh one when not set; SHMEMSCOPE_SOAK_OPERATIONS how many
MAPs and UNMAPs there are at least, shared by all configurations.
"""

import collections
import os
import random
import re
import sys
import time
import unittest

import apart
import common
from harness import parts
from harness.fleet import Fleet
from harness.soak import Config, Part, Soak

OPERATIONS = int(os.environ.get("SHMEMSCOPE_SOAK_OPERATIONS") or 5000)
SEED = int(os.environ.get("SHMEMSCOPE_SOAK_SEED") or random.SystemRandom().getrandbits(48))

CATALOGUE = ("--set", "catalogue")
# What only the whole catalogue can decide.
NEEDS_CATALOGUE = {"memory-region-leak"}

CONFIGS = (
    Config("threads", ((Part(),),), 3),
    Config("serving", ((Part("serving"),),), 2, record=CATALOGUE),
    Config("blocking", ((Part("blocking"),),), 2),
    Config("no-replies", ((Part(reply_ack=False),),), 2),
    # What the memory table has entries for is the limit of the whole machine.
    Config("few-slots", ((Part("serving", mem_slots=False, writable=3),),), 2),
    Config("few-slots-no-replies",
           ((Part("serving", reply_ack=False, mem_slots=False, writable=3),),), 1),
    Config("many", ((Part(live=500, writable=200, round=200, region=8 << 20),),), 3),
    Config("several", ((Part(port=True), Part("serving", port=True), Part("threads")),), 4),
    Config("several-few-slots", ((Part(port=True, mem_slots=False, writable=1),
                                  Part("serving", port=True, reply_ack=False, writable=1),
                                  Part(writable=1)),), 2, record=CATALOGUE),
    Config("machines", ((Part(port=True), Part("serving")),
                        (Part("serving", port=True, reply_ack=False), Part(live=8))), 4),
    *(Config(f"guest-{accelerator}", ((Part(), Part("serving")),), 1, accelerator=accelerator)
      for accelerator in common.setting("SHMEMSCOPE_ACCELERATORS").split(",")),
)
# Requests of the front-end that follow from a mapping.
TABLES = ("SET_MEM_TABLE", "ADD_MEM_REG", "REM_MEM_REG")
SUMS = ("maps_ok", "unmaps_ok", "replies", "live")
LINE_OF_DEVICE = re.compile(r"qemu:vhost_user_(channel_open|channel_close|reply_read|"
                            r"mem_table):.*vpid = (\d+).* dev = (\w+)")


def runs(name):
    return os.path.join(common.RUNS, f"soak-{name}")


def tell(text):
    print(f"soak: {text}", file=sys.stderr, flush=True)


class Told:
    """What the report does not tell of a trace, as babeltrace2 reads it."""

    def __init__(self, trace):
        self.removed = apart.removed(trace)
        self.unexplained = self._unexplained(trace)

    @staticmethod
    def _unexplained(trace):
        """Memory tables that a back-end did not get which stayed: it answers after that. One that
        leaves is found to have closed its channel before it answers anything."""
        closed, failed, unexplained = set(), {}, []
        for line in common.babeltrace(trace).splitlines():
            match = LINE_OF_DEVICE.search(line)
            if not match:
                continue
            event, device = match.group(1), match.group(2, 3)
            if event == "channel_open":
                closed.discard(device)
            elif event == "channel_close":
                closed.add(device)
                failed.pop(device, None)
            elif event == "mem_table" and "ret = 0 " not in line and device not in closed:
                failed.setdefault(device, line)
            elif event == "reply_read" and "ret = 0," in line and device in failed:
                unexplained.append(failed.pop(device))
        return unexplained


class SoakTest(common.IntegrationTest):

    def play(self, config, operations):
        """Plays it under one recording of all, and one that comes late."""
        def told(text):
            tell(f"{config.name}: {text}")
        with Fleet(parts.Programs(common.BUILD), common.QEMU, runs(config.name),
                   config.record) as fleet:
            soak = Soak(fleet, config, SEED)
            fleet.start()
            soak.begin()
            soak.play(operations // 2, operations, told)
            fleet.record("late")
            soak.play(operations, operations, told)
            soak.end()
            late = fleet.end()
            fleet.recordings.pop()
            trace = fleet.end()
            for machine in soak.machines:
                machine.quit()
                machine.end_backends()
        return soak, trace, late

    # -- what one back-end's log says of the device ----------------------------------------

    def assert_log(self, entries, end):
        """Its two ways to count agree: its sums, and its lines."""
        lines = collections.Counter(entry["op"] for entry in entries
                                    if entry.get("phase") == "sent")
        self.assertTrue(end["ok"], end)
        self.assertEqual(lines["map"], end["maps_ok"])
        self.assertEqual(lines["unmap"], end["unmaps_ok"])
        self.assertEqual(end["refused"], {})
        self.assertEqual(end["fds"], end["maps_ok"])
        self.assertEqual(end["messages"], end["maps_ok"] + end["unmaps_ok"])
        self.assertEqual(end["removed"].get("unmap", 0), end["unmaps_ok"])
        self.assertEqual(end["maps_ok"] - sum(end["removed"].values()), end["live"])

    def assert_counts(self, counts, end, text):
        gone = end["maps_ok"] - end["live"]
        expected = {
            "requests": end["messages"], "maps": end["maps_ok"], "unmaps": end["unmaps_ok"],
            "replies": end["replies"], "refusals": {},
            "mappings_created": end["maps_ok"], "mappings_visible": end["maps_ok"],
            "mappings_removed": gone, "mappings_finalized": gone,
            "fds_received": end["fds"], "fds_duplicated": end["maps_ok"],
            "fds_closed": end["fds"] + gone, "fds_close_failed": 0, "fds_implied_closed": 0,
            "replies_failed": 0,
        }
        self.assertEqual({name: counts.get(name) for name in expected}, expected, text)

    def assert_waits(self, report, life, logs):
        """QEMU waited as often for a memory table as the back-ends of a device answered one; at
        a reconnect the wait may have ended with the channel."""
        answered = collections.Counter(
            entry["request"] for entries in logs for entry in entries if entry["op"] == "serve"
            and entry["phase"] == "read" and entry["need_reply"] and entry["request"] in TABLES)
        waited = collections.Counter()
        for wait in report["device_waits"]:
            if (wait["pid"], wait["device"]) == (life.machine.pid, life.device.id):
                waited[wait["request"]] += wait["ended"]["count"]
        unanswered = sum(waited[request] - answered[request] for request in TABLES)
        self.assertGreaterEqual(unanswered, 0)
        self.assertLessEqual(unanswered, life.happened.get("reconnect", 0))

    def assert_removed(self, told, machine, ends):
        """Why mappings of a machine were removed. By the trace alone devices cannot be told
        apart here: one that is plugged may get the address of any that was unplugged."""
        expected, found = collections.Counter(), collections.Counter()
        for end in ends:
            expected.update(end["removed"])
        for (pid, _), reasons in told.removed.items():
            if pid == machine.pid:
                found.update(reasons)
        self.assertEqual(found, expected)

    def assert_live(self, report, pid, device, entries, with_inodes=True):
        """Mappings and descriptors that are listed are those that the back-end has; inodes of
        what was there before a recording began are not told."""
        def of_it(records):
            return [entry for entry in records if (entry["pid"], entry["device"]) == (pid, device)]
        expected = [entry for entry in entries if entry["op"] == "live"]
        mappings, descriptors = of_it(report["mappings"]), of_it(report["descriptors"])
        self.assertEqual(
            sorted((entry["shmid"], entry["shm_offset"], entry["len"], entry["fd_offset"],
                    entry["writable"], entry["ino"] if with_inodes else 0)
                   for entry in mappings),
            sorted((entry["shmid"], entry["shm_offset"], entry["len"], entry["fd_offset"],
                    entry["writable"], entry["of"] if with_inodes else 0)
                   for entry in expected))
        self.assertEqual(sorted(entry["fd"] for entry in descriptors),
                         sorted(entry["fd"] for entry in mappings))
        if with_inodes:
            self.assertEqual(sorted(entry["ino"] for entry in descriptors),
                             sorted(entry["of"] for entry in expected))
        return len(expected)

    # -- a whole run ---------------------------------------------------------------------

    def assert_silent(self, report):
        self.assertEqual(report.alarms(), [], report.text)
        self.assertEqual(report.status, 0, report.text)
        self.assertEqual(report.json["trace"]["lost"], 0)
        self.assertFalse(report.json["trace"]["lost_uncounted"])
        self.assertEqual(report.json["open_waits_total"], 0)

    def assert_decided(self, config, report):
        """What is not found was looked for. A back-end that serves its main channel now and then
        only could hang this QEMU, and nothing may disprove that."""
        undecided = {entry["check"] for entry in report.json["undecided"]}
        self.assertLessEqual(undecided, NEEDS_CATALOGUE if config.record != CATALOGUE else set())
        certainties = {finding["certainty"] for finding in report.findings
                       if finding["id"] not in undecided}
        self.assertLessEqual(certainties, {"hazard"}, report.text)
        if not config.serves:
            self.assertIn("hazard", certainties, report.text)
            self.assertEqual(report.json["worth"]["withdrawn"], [], report.text)

    def check_full(self, soak, trace):
        report = common.Report(trace)
        self.assert_silent(report)
        self.assert_decided(soak.config, report)
        found = report.json
        devices = {(device["pid"], device["id"], device["chardev"]): device
                   for device in found["devices"]}
        self.assertEqual(len(devices), len(found["devices"]))
        told = Told(trace)
        self.assertEqual(told.unexplained, [])
        live = 0
        ends = {}
        sums = collections.Counter()
        for life in soak.lives:
            pid = life.machine.pid
            logs = []
            for chardev, log in life.logs():
                entries = parts.read_log(log)
                end = entries[-1]
                logs.append(entries)
                self.assert_log(entries, end)
                device = devices.pop((pid, life.device.id, chardev))
                self.assert_counts(device["counts"], end, f"{log}\n{report.text}")
                self.assertEqual(device["live_mappings"], end["live"])
                live += end["live"]
                sums.update({name: end[name] for name in SUMS})
            self.assert_waits(found, life, logs)
            ends.setdefault(life.machine, []).extend(entries[-1] for entries in logs)
            self.assertEqual(self.assert_live(found, pid, life.device.id, logs[-1]),
                             logs[-1][-1]["live"])
        self.assertEqual(devices, {})
        for machine, of_machine in ends.items():
            self.assert_removed(told, machine, of_machine)
        self.assertEqual(found["mappings_total"], live)
        self.assertEqual(found["descriptors_total"], live)
        sums["live_most"] = max(end["live_most"] for of_machine in ends.values()
                                for end in of_machine)
        return sums

    def check_late(self, soak, trace):
        """One that came late knows less, and what it says is true."""
        report = common.Report(trace)
        self.assert_silent(report)
        for life in soak.lives:
            self.assert_live(report.json, life.machine.pid, life.device.id,
                             life.backend.entries(), with_inodes=False)

    def check(self, config):
        begin = time.monotonic()
        shares = sum(other.share for other in CONFIGS)
        soak, trace, late = self.play(config, -(-OPERATIONS * config.share // shares))
        self.check_late(soak, late)
        sums = self.check_full(soak, trace)
        happened = collections.Counter(soak.happened)
        for life in soak.lives:
            happened.update(life.happened)
        tell(f"{config.name}: {soak.operations()} operations, {dict(sums)}, {dict(happened)}, "
             f"{time.monotonic() - begin:.1f} s")


class SeedTest(common.IntegrationTest):

    def sent(self, name):
        """What each device's back-ends sent, in its order."""
        config = next(one for one in CONFIGS if one.name == "several")
        with Fleet(parts.Programs(common.BUILD), common.QEMU, runs(name)) as fleet:
            soak = Soak(fleet, config, SEED)
            fleet.start()
            soak.begin()
            soak.play(300, 300, tell)
            soak.end()
            fleet.end()
            logs = [[parts.read_log(log) for _, log in life.logs()] for life in soak.lives]
        return [[[{name: value for name, value in entry.items() if name != "t"}
                  for entry in entries if entry.get("phase") == "sent"] for entries in of_device]
                for of_device in logs]

    def test_seed_plays_the_same_again(self):
        first = self.sent("seed-first")
        self.assertGreater(sum(len(entries) for of_device in first for entries in of_device), 300)
        self.assertEqual(self.sent("seed-second"), first)


def add(config):
    def test(self):
        self.check(config)
    setattr(SoakTest, "test_" + re.sub(r"\W", "_", config.name), test)


for one in CONFIGS:
    add(one)


if __name__ == "__main__":
    tell(f"SHMEMSCOPE_SOAK_SEED={SEED} SHMEMSCOPE_SOAK_OPERATIONS={OPERATIONS}")
    unittest.main(verbosity=2)
