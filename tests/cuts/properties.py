# SPDX-License-Identifier: GPL-2.0-or-later
"""What must hold for every cut of a recording, and for those that lost something themselves."""

import os
import random
import sys

from . import ctf, cutting

SEED = int(os.environ.get("SHMEMSCOPE_SEED") or random.randrange(1 << 32))
CUTS = 270
HANG = {"reply-commit-deadlock", "stuck-wait"}
# What may be said of a recording, however it was cut.
ALLOWED = {"healthy": set(), "sick": HANG}


class Properties:
    """Of the sessions (sessions.Sessions) "healthy" and "sick", two directories below `tmp`.

    For a TestCase that has made them, with `judge` (the program) and `checks` (all ids).
    """

    judge = checks = tmp = None
    # Of the cuts, those of which nothing tells what is missing.
    most_in_silence = CUTS // 8
    # What tells more than a snapshot's buffers hold.
    overwrites = ("healthy", "sick")
    # Each session has the very same events.
    same_events = True

    @classmethod
    def path(cls, *names):
        return os.path.join(cls.tmp, *names)

    def cut(self, name, look):
        """Cuts of the small recording: LOOK at each, and at what the tool says."""
        trace = ctf.Trace(ctf.directories(self.path(name, "small"))[0])
        self.assertFalse([p for s in trace.streams for p in s.packets if p.discarded])
        cuts = cutting.choose(trace, random.Random(SEED), CUTS)
        tally = dict.fromkeys(("alarms", "doubted", "unreadable", "nothing", "in silence"), 0)
        with cutting.Judge(self.judge) as judge:
            for cut in cuts:
                verdict = judge.of_cut(trace, cut, self.tmp)
                if cut.silent:
                    tally["in silence"] += 1
                    continue
                tally["unreadable" if not verdict["read"] else "alarms" if verdict["alarms"]
                      else "doubted" if verdict["doubted"] else "nothing"] += 1
                with self.subTest(seed=SEED, cut=cut.name):
                    # Only what ends inside of a packet may be beyond babeltrace.
                    self.assertTrue(verdict["read"] or "torn" in cut.options, verdict)
                    if cut.told and verdict["read"]:
                        self.assertTrue(verdict["doubted"], verdict)
                    look(trace, cut, verdict)
        self.assertLess(tally["in silence"], self.most_in_silence)
        print(f"seed {SEED}: {len(cuts)} cuts of a {name} recording of "
              f"{sum(len(s.packets) for s in trace.streams)} packets: {tally}", file=sys.stderr)

    def test_cuts_of_the_healthy(self):
        self.cut("healthy", lambda _trace, _cut, verdict:
                 self.assertEqual(verdict["alarms"], [], verdict))

    def test_cuts_of_the_sick(self):
        def look(trace, cut, verdict):
            self.assertFalse(set(verdict["alarms"]) - HANG, verdict)
            # The wait speaks up last of all: with the last packets the evidence is there.
            if verdict["read"] and all(cut.keep(s, s.packets[-1]) for s in trace.streams):
                self.assertTrue(verdict["alarms"] or verdict["doubted"], verdict)
        self.cut("sick", look)

    def verdict(self, *names):
        with cutting.Judge(self.judge) as judge:
            return judge.of(self.path(*names))

    def test_overflow(self):
        """Events that found no room: each check says that it cannot decide."""
        for name, allowed in ALLOWED.items():
            trace = ctf.Trace(ctf.directories(self.path(name, "tiny"))[0])
            discarded = sum(s.packets[-1].discarded for s in trace.streams)
            verdict = self.verdict(name, "tiny")
            self.assertFalse(set(verdict["alarms"]) - allowed, verdict)
            # The consumer may keep up; then nothing is lost, and nothing said to be.
            self.assertEqual(verdict["undecided"] == self.checks, discarded > 0, verdict)
            self.assertFalse(verdict["clear"] and discarded, verdict)

    def test_rotated(self):
        """All chunks are one trace; one of them alone begins or ends in mid-life."""
        for name, allowed in ALLOWED.items():
            chunks = ctf.directories(self.path(name, "rotated"))
            self.assertGreaterEqual(len(chunks), 2)
            whole = self.verdict(name, "rotated")
            small = self.verdict(name, "small")
            if not self.same_events:
                small["events"] = whole["events"]
            self.assertEqual(whole, small)
            self.assertEqual(whole["doubted"], [])
            events = 0
            for chunk in chunks:
                verdict = self.verdict(chunk)
                self.assertTrue(verdict["read"], verdict)
                self.assertFalse(set(verdict["alarms"]) - allowed, verdict)
                events += verdict["events"]
            self.assertEqual(events, whole["events"])

    def test_snapshot(self):
        """Each CPU's stream begins with what was not overwritten."""
        for name, allowed in ALLOWED.items():
            trace = ctf.Trace(ctf.directories(self.path(name, "snapshot"))[0])
            verdict = self.verdict(name, "snapshot")
            if name in self.overwrites:
                self.assertTrue(any(s.packets[0].number for s in trace.streams))
            self.assertFalse(set(verdict["alarms"]) - allowed, verdict)
            self.assertTrue(verdict["doubted"] or verdict["alarms"], verdict)
        self.assertTrue(HANG & set(verdict["found"]), verdict)

    def test_extract(self):
        """lttng-crash takes the buffers' packets as they lie, and closes none."""
        for name, allowed in ALLOWED.items():
            trace = ctf.Trace(ctf.directories(self.path(name, "extract"))[0])
            self.assertTrue(any(p.end == 0 for s in trace.streams for p in s.packets))
            verdict = self.verdict(name, "extract")
            self.assertTrue(verdict["read"], verdict)
            self.assertFalse(set(verdict["alarms"]) - allowed, verdict)
        self.assertTrue(HANG & set(verdict["found"]), verdict)

