#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A vhost-user program not of our making: the wire library sees all of it, and harms nothing."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

from harness import wire                                             # noqa: E402
from harness.parts import Programs                                   # noqa: E402
from packaged import testpmd                                         # noqa: E402

BUILD = os.environ["SHMEMSCOPE_BUILD"]
RUNS = os.path.join(BUILD, "tests", "packaged", "runs")
KINDS = ("without", "dormant", "recorded")
SIDES = ("back-end", "front-end")
OTHER = dict(zip(SIDES, reversed(SIDES)))
SET_MEM_TABLE = 5
NUMBER = re.compile(r"-?\d+")


def interrupted(_number, _frame):
    raise KeyboardInterrupt


def events(trace):
    """Events of the wire as (name, {field: number}), of testpmd and not of the strace beside."""
    return [(event.name, {field: int(text) for field, text in event.fields.items()
                          if NUMBER.fullmatch(text)})
            for event in wire.events(trace) if event.thread != "strace"]


class TestpmdTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        signal.signal(signal.SIGTERM, interrupted)
        shutil.rmtree(RUNS, ignore_errors=True)
        cls.tool = Programs(BUILD).tool
        cls.runs = {}
        for kind in KINDS:
            cls.runs[kind] = testpmd.Run(Programs(BUILD), os.path.join(RUNS, kind), kind)
            cls.runs[kind].perform()
        cls.recorded = cls.runs["recorded"]
        cls.events = {side: events(cls.recorded.trace(side)) for side in SIDES}

    def of(self, side, name):
        return [fields for event, fields in self.events[side] if event == name]

    def messages(self, side, sent):
        """What strace_sent() tells, from the trace."""
        return [(message["request"], message["flags"], message["size"], message["fds"])
                for message in self.of(side, "message") if message["sent"] == sent]

    def test_works_as_without(self):
        for kind in KINDS:
            self.assertEqual(self.runs[kind].received, dict.fromkeys(SIDES, testpmd.PACKETS))
        told = self.runs["without"].told_messages()
        self.assertGreater(len(told), 20)
        for kind in KINDS[1:]:
            self.assertEqual(self.runs[kind].told_messages(), told, kind)

    def test_messages_are_those_that_strace_counts(self):
        sent = self.recorded.strace_sent()
        self.assertEqual(len(sent["front-end"]), len(self.recorded.told_messages()))
        self.assertIn(SET_MEM_TABLE, [message[0] for message in sent["front-end"]])
        for side in SIDES:
            self.assertGreater(len(sent[side]), 5)
            self.assertEqual(self.messages(side, sent=1), sent[side])
            self.assertEqual(self.messages(OTHER[side], sent=0), sent[side])

    def test_channel(self):
        for side, role in (("back-end", 1), ("front-end", 0)):
            channel, = self.of(side, "channel")
            self.assertEqual((channel["role"], channel["backend"]), (role, 0))
            self.assertEqual(len(self.of(side, "channel_closed")), 1)
            self.assertEqual(self.of(side, "gap"), [])

    def test_descriptors(self):
        """The back-end maps the front-end's memory, and lets go of all that it was given."""
        came = self.of("back-end", "fd")
        sent = self.recorded.strace_sent()["front-end"]
        self.assertEqual(len(came), sum(message[3] for message in sent))
        self.assertEqual(sorted(fd["fd"] for fd in came),
                         sorted(close["fd"] for close in self.of("back-end", "fd_close")))
        self.assertEqual({close["ret"] for close in self.of("back-end", "fd_close")}, {0})
        mapped, = self.of("back-end", "map")
        unmapped, = self.of("back-end", "unmap")
        self.assertEqual((mapped["addr"], mapped["len"]), (unmapped["addr"], unmapped["len"]))
        for event in ("fd_lost", "fd_found"):
            self.assertEqual(self.of("back-end", event), [])

    def test_nothing_found(self):
        for sides in (SIDES, SIDES[:1], SIDES[1:]):
            report = subprocess.run([self.tool, "report", "--format", "json",
                                     *map(self.recorded.trace, sides)], check=False, text=True,
                                    capture_output=True, timeout=60)
            self.assertEqual((report.returncode, report.stderr), (0, ""), sides)
            self.assertEqual([finding for finding in json.loads(report.stdout)["findings"]
                              if finding["certainty"] not in ("hazard", "unknown")], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
