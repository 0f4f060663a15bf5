# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests of several devices and QEMUs share: each verb's word about one device, beside
what its back-end logged and the kernel shows."""

import json
import os
import re

import common
from harness import choreography, parts
from harness.fleet import Fleet
from harness.processes import HarnessError
from harness.qemu import Device

VERBS = ("report", "mappings", "fds", "waits")
COLUMNS = 80


def fleet(name):
    return Fleet(parts.Programs(common.BUILD), common.QEMU, os.path.join(common.RUNS, name))


def device(number, **options):
    """The device NUMBER of a machine, with its chardev."""
    return Device(**{"id": f"dev{number}", "chardev": f"vu{number}", **options})


def neighbours(names=("neighbour-large", "neighbour-small"), **options):
    """Devices with their scenarios, as Fleet.add() takes them."""
    return [(device(number, **options), choreography.path(name))
            for number, name in enumerate(names)]


class Verbs:
    """What all verbs say of a trace, in both formats. No verb may fail, and no line of text
    may be wider than a terminal."""

    def __init__(self, trace):
        self.json, self.text, self.status = {}, {}, None
        for verb in VERBS:
            for form, kept in (("json", self.json), ("text", self.text)):
                run = common.tool(verb, "--format", form, trace)
                if run.returncode not in (0, 1):
                    raise HarnessError(f"{verb} of {trace} ended with {run.returncode}: "
                                       f"{run.stderr}")
                with open(f"{trace}.{verb}.{form}", "w", encoding="utf-8") as out:
                    out.write(run.stdout)
                kept[verb] = json.loads(run.stdout) if form == "json" else run.stdout
                if verb == "report":
                    self.status = run.returncode
        self.report = self.json["report"]

    @property
    def counts(self):
        return self.report["counts"]

    def wide_lines(self):
        """Lines beyond 80 columns; a path that is longer has no other way."""
        return [line for text in self.text.values() for line in text.splitlines()
                if len(line) > COLUMNS and "/" not in line]

    def device(self, pid, name, chardev=None):
        """The one record of a device; of several that had an id, that of the chardev."""
        found = [entry for entry in self.report["devices"]
                 if (entry["pid"], entry["id"]) == (pid, name)
                 and chardev in (None, entry["chardev"])]
        if len(found) != 1:
            raise HarnessError(f"{len(found)} devices {name} of {pid} in the report")
        return found[0]

    def alarms(self):
        return [finding for finding in self.report["findings"]
                if finding["certainty"] in common.ALARMS]

    def records(self, verb, list_name, pid, name):
        """The records of a device that a verb lists; `report` has the same ones."""
        alone = self.json[verb][list_name]
        if alone != self.report[list_name]:
            raise HarnessError(f"report and {verb} disagree on {list_name}")
        return [entry for entry in alone if (entry["pid"], entry["device"]) == (pid, name)]

    def part(self, verb, vm):
        """The part of a verb's text below the heading of a VM, as lists of words."""
        lines, inside = [], False
        for line in self.text[verb].splitlines():
            if not line.startswith(" "):
                inside = line.startswith(f"{vm} (")
            elif inside:
                lines.append(line.split())
        return lines


class ApartTest(common.IntegrationTest):
    """Assertions on one device: what is said of it is what its back-end did, and no more."""

    def assert_counts(self, verbs, machine, chardev, name, of_chardev=None):
        """The counts of the device equal those of its back-end's log."""
        log = common.Log(machine.path(f"{chardev}.jsonl"))
        counts = verbs.device(machine.pid, name, of_chardev)["counts"]
        self.assertGreater(len(log.maps_ok), 0)
        self.assertEqual(counts["requests"], log.requests)
        self.assertEqual(counts["maps"], len(log.maps_sent))
        self.assertEqual(counts["unmaps"], len(log.unmaps_sent))
        self.assertEqual(counts["replies"], log.replies)
        self.assertEqual(counts["refusals"], log.refusals_by_tag())
        for count in ("mappings_created", "mappings_visible", "fds_duplicated"):
            self.assertEqual(counts[count], len(log.maps_ok), count)
        self.assertEqual(counts["fds_received"], log.fds_sent)
        return log, counts

    def assert_live(self, verbs, machine, chardev, name, expected):
        """`mappings` and `fds`, in both formats, list EXPECTED of the device and no more.

        EXPECTED is a set of (shmid, offset, length, file); the files' inodes are those that
        its back-end logged.
        """
        inodes = {entry["name"]: entry["ino"]
                  for entry in common.Log(machine.path(f"{chardev}.jsonl")).entries
                  if entry["op"] == "file"}
        expected = {(shmid, offset, length, inodes[file])
                    for shmid, offset, length, file in expected}
        mappings = verbs.records("mappings", "mappings", machine.pid, name)
        listed = {(entry["shmid"], entry["shm_offset"], entry["len"], entry["ino"])
                  for entry in mappings}
        self.assertEqual(listed, expected)
        self.assertEqual(len(mappings), len(expected))
        self.assertIn(len(expected), [entry["live_mappings"] for entry in verbs.report["devices"]
                                      if (entry["pid"], entry["id"]) == (machine.pid, name)])
        fds = verbs.records("fds", "descriptors", machine.pid, name)
        self.assertEqual(sorted(entry["fd"] for entry in fds),
                         sorted(entry["fd"] for entry in mappings))
        self.assertEqual({entry["ino"] for entry in fds}, {entry[3] for entry in expected})
        self.assertEqual({entry["role"] for entry in fds}, {"duplicate"} if fds else set())
        rows = {(int(row[1]), row[2], int(row[4])) for row in verbs.part("mappings", machine.vm)
                if row[0] == name}
        self.assertEqual(rows, {(shmid, f"0x{offset:x}+0x{length:x}", inode)
                                for shmid, offset, length, inode in expected})
        rows = {(int(row[1]), int(row[5]), row[6]) for row in verbs.part("fds", machine.vm)
                if len(row) > 6 and row[3] == name}
        self.assertEqual(rows, {(inode, shmid, f"0x{offset:x}+0x{length:x}")
                                for shmid, offset, length, inode in expected})

    def assert_readable(self, verbs):
        self.assertEqual(verbs.wide_lines(), [])


def removed(trace):
    """{(pid, vdev): {reason: count}} of the removals, as babeltrace2 reads them; vdev is
    written as in JSON."""
    found = {}
    for line in common.babeltrace(trace).splitlines():
        if "qemu:virtio_shmem_mapping_removed" in line:
            pid = int(re.search(r"vpid = (\d+)", line).group(1))
            vdev = re.search(r"vdev = (\w+)", line).group(1).lower()
            reason = re.search(r'reason = "([^"]*)"', line).group(1)
            reasons = found.setdefault((pid, vdev), {})
            reasons[reason] = reasons.get(reason, 0) + 1
    return found


def numbers_met(trace, key):
    """Descriptor numbers that were received under both values of a field ("dev", "vpid"), as
    babeltrace2 reads them."""
    numbers = {}
    for line in common.babeltrace(trace).splitlines():
        if "qemu:vhost_user_backend_fd:" in line:
            owner = re.search(rf"\b{key} = (\w+)", line).group(1)
            number = re.search(r"\bfd = (\d+)", line).group(1)
            numbers.setdefault(owner, set()).add(number)
    if len(numbers) != 2:
        raise HarnessError(f"{len(numbers)} values of {key} in {trace}, not two")
    return set.intersection(*numbers.values())
