# SPDX-License-Identifier: GPL-2.0-or-later
"""SARIF, JUnit, Chrome's trace events and the page: valid, and of the same findings.

usage: test_formats.py SHMEMSCOPE REPLAY FIXTURE_REPORT FIXTURES CHECKS
"""

import glob
import json
import os
import re
import subprocess
import urllib.parse

import findings
import junitparser
import rendered
from rendered import (CHECKS, FIXTURES, HERE, PLUGINS, REPLAY, SHMEMSCOPE, Rendered, alarms,
                      told)

LOOKED = os.path.join(os.path.dirname(HERE), "autopsy", "explained", "base")
CALL_NOT_SEEN = {"call": "unknown", "nr": 0, "fd": -1, "args": ["0x0"] * 6, "sp": "0x0",
                 "pc": "0x0", "polls": [], "polls_known": False, "timeout_known": False}
SICK = ("reply-commit-deadlock.three-parties", "fd-leak.received", "double-close.received",
        "reply-commit-deadlock.both-sides", "overlap.accepted", "nested-wait.at-reset")
STABLE = ("out-of-range.refused", "stale-mapping.killed", "double-close.received", "overlap.wire",
          "reply-commit-deadlock.commit-first", "fd-leak.duplicate", "nested-wait.at-reset",
          "stuck-wait.half-message", "memory-table-failed.wire-full")
EACH_NTH = 8  # of all checks' fixtures
SMALL = ("--subbuf-size=4096", "--num-subbuf=2", "--discard")  # some will be lost


class Formats(Rendered):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        paths = [told(name) for name in ("healthy", "map-pipelined", "two-vms", "live", "losses",
                                         "hostile")]
        paths += [os.path.join(CHECKS, f"{name}.fixture") for name in SICK]
        for path in paths:
            cls.record(os.path.basename(path).removesuffix(".fixture"), path)
        cls.record("lossy", told("healthy"), SMALL, 500)

    def test_same_findings(self):
        """Each format names what JSON names, with the same certainty."""
        seen = set()
        for name in self.traces:
            with self.subTest(trace=name):
                data = json.loads(self.render("json", name))
                found = sorted((f["id"], f["certainty"]) for f in data["findings"])
                run = self.sarif(name)
                self.assertEqual(sorted((r["ruleId"], r["properties"]["certainty"])
                                        for r in run["results"]), found)
                for result in run["results"]:
                    rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
                    self.assertEqual(rule["id"], result["ruleId"])
                    self.assertEqual(result["kind"] == "fail",
                                     result["properties"]["certainty"] in ("observed",
                                                                           "suspected"))
                cases = self.junit(name)
                self.assertEqual({c.get("name") for c in cases if c.find("failure") is not None},
                                 alarms(data))
                events = self.chrome(name)
                self.assertEqual(sorted((e["name"], e["args"]["certainty"]) for e in events
                                        if e["ph"] == "i"), found)
                page = self.html(name)
                self.assertEqual(page["report"], data)
                self.assertEqual(len(page["more"]["titles"]), len(found))
                seen |= alarms(data)
        self.assertGreaterEqual(len(seen), 4, seen)

    def test_each_of_each(self):
        """Device, VM and number as well; by sink and filter, too, where they can be loaded."""
        seen = set()
        for name, trace in self.traces.items():
            with self.subTest(trace=name):
                self.assertEqual(findings.compare(SHMEMSCOPE, PLUGINS, trace), [])
                seen |= {(found.certainty, found.count > 1, bool(found.device))
                         for found in findings.of_json(self.render("json", name))}
        self.assertEqual({certainty for certainty, *_ in seen},
                         {"observed", "suspected", "hazard", "unknown"})
        self.assertIn(True, {several for _, several, _ in seen})

    def test_fixtures(self):
        """The same, of what no recording of ours can be: from outside, cut, lossy, in parts."""
        paths = sorted(glob.glob(os.path.join(FIXTURES, "*.fixture")))
        paths += sorted(glob.glob(os.path.join(CHECKS, "*.fixture")))[::EACH_NTH]
        self.assertGreater(len(paths), 40)
        for path in paths:
            with self.subTest(fixture=os.path.basename(path)):
                texts = {fmt: self.render(fmt, path) for fmt in findings.FORMATS}
                self.assertEqual(list(findings.differences(texts)), [])

    def test_junit_by_its_reader(self):
        """What others' library makes of the file."""
        for name in ("healthy", "map-pipelined", "losses", "fd-leak.received"):
            path = os.path.join(self.tmp, f"{name}.xml")
            with open(path, "w", encoding="utf-8") as out:
                out.write(self.render("junit", name))
            suite, = junitparser.JUnitXml.fromfile(path)
            verdicts = {case.name: case.result for case in suite}
            data = json.loads(self.render("json", name))
            failed = {name for name, result in verdicts.items()
                      if any(isinstance(one, junitparser.Failure) for one in result)}
            skipped = {name for name, result in verdicts.items()
                       if any(isinstance(one, junitparser.Skipped) for one in result)}
            self.assertEqual(failed, alarms(data))
            self.assertEqual((suite.tests, suite.failures, suite.skipped, suite.errors),
                             (len(verdicts), len(failed), len(skipped), 0))
            self.assertLessEqual(self.undecided(name) - failed, skipped)
            for result in verdicts.values():
                self.assertTrue(all(one.message for one in result))

    def test_rules_have_their_pages(self):
        rules = self.sarif("healthy")["tool"]["driver"]["rules"]
        source = os.path.dirname(os.path.dirname(HERE))
        for rule in rules:
            with open(os.path.join(source, "docs", "findings", f"{rule['id']}.md"),
                      encoding="utf-8") as page:
                self.assertEqual(rule["help"]["markdown"], page.read())
            # Where `meson install` puts that one.
            uri = urllib.parse.urlsplit(rule["helpUri"])
            self.assertEqual((uri.scheme, uri.netloc), ("file", ""))
            place = urllib.parse.unquote(uri.path)
            self.assertTrue(place.endswith(f"/doc/shmemscope/docs/findings/{rule['id']}.md"), place)
            self.assertIn(place.removesuffix(f"/findings/{rule['id']}.md"), self.installed())
        self.assertGreater(len(rules), 20)

    @staticmethod
    def installed():
        build = os.environ["SHMEMSCOPE_BUILD"]
        text = subprocess.run(["meson", "introspect", "--installed", build], check=True,
                              capture_output=True, text=True, timeout=120).stdout
        return set(json.loads(text).values())

    def test_thread_flow_of_each_party(self):
        for name, parties in (("map-pipelined", 2), ("reply-commit-deadlock.three-parties", 3)):
            result, = [r for r in self.sarif(name)["results"]
                       if r["ruleId"] == "reply-commit-deadlock"]
            flows = result["codeFlows"][0]["threadFlows"]
            self.assertEqual(len(flows), parties)
            self.assertEqual(len({flow["message"]["text"] for flow in flows}), parties)
            for flow in flows:
                orders = [at["executionOrder"] for at in flow["locations"]]
                self.assertEqual(orders, sorted(orders))
                self.assertTrue(flow["locations"][-1]["location"]["message"]["text"])
            said = json.dumps(flows)
            self.assertIn("waits for the reply to", said)

    def prints(self, name, kinds=("fail", "review", "open")):
        return [(r["ruleId"], r["partialFingerprints"]["shmemscope/v1"])
                for r in self.sarif(name)["results"] if r["kind"] in kinds]

    def test_fingerprints_are_stable(self):
        """The same trouble in another run has the same: of another process at another time, with
        other descriptors, files and addresses; from outside, of a socket in another directory."""
        changes = ((r"\b42(4\d)\b", lambda at: f"53{at[1]}"),
                   (r"(?m)^(\+|end )(\d+\.\d+)", lambda at: f"{at[1]}{float(at[2]) + 7:.6f}"),
                   (r"\b(dev|vdev|mapping|host|addr)=0x(\w+)", lambda at: f"{at[1]}=0x7a{at[2]}"),
                   (r"\b(fd|newfd|sock)=(\d+)", lambda at: f"{at[1]}={int(at[2]) + 100}"),
                   (r"\bino=(\d+)", lambda at: f"ino={int(at[1]) + 5000}"),
                   (r"/(?:tmp|run)/", lambda _: "/srv/build-2/"))
        changed = set()
        for name in STABLE:
            path = os.path.join(CHECKS, f"{name}.fixture")
            with open(path, encoding="utf-8") as source:
                text = source.read()
            for number, (pattern, by) in enumerate(changes):
                text, many = re.subn(pattern, by, text)
                changed |= {number} if many else set()
            other = os.path.join(self.tmp, f"{name}.fixture")
            with open(other, "w", encoding="utf-8") as out:
                out.write(text)
            with self.subTest(name=name):
                once, again = self.prints(path), self.prints(other)
                self.assertTrue(once)
                self.assertEqual(once, again)
        self.assertEqual(changed, set(range(len(changes))))

    def test_fingerprints_differ(self):
        """Those of other troubles do; and in one report no two are the same."""
        every = {}
        for name in self.traces:
            prints = self.prints(name)
            self.assertEqual(len(set(prints)), len(prints), name)
            every[name] = {one for one in self.prints(name, ("fail",)) if ":" not in one[1]}
        self.assertFalse(every["reply-commit-deadlock.three-parties"] &
                         every["reply-commit-deadlock.both-sides"])
        self.assertFalse(every["map-pipelined"] & every["reply-commit-deadlock.three-parties"])
        # Of one check, without a place in QEMU: what is wrong differs.
        several = [self.prints(os.path.join(CHECKS, f"out-of-range.{kind}.fixture"), ("fail",))
                   for kind in ("refused", "no-range", "grows-the-file")]
        together = [one for prints in several for one in prints]
        self.assertGreaterEqual(len(together), 3)
        self.assertEqual(len(set(together)), len(together))

    def test_lives_in_chrome(self):
        events = self.chrome("healthy")
        data = json.loads(self.render("json", "healthy"))
        lives = [e for e in events if e["ph"] == "b" and "args" in e]
        self.assertEqual(len(lives), data["counts"]["mappings_created"])
        self.assertEqual(len({e["id"] for e in lives}), len(lives))
        flows = self.check_chrome(events)
        self.assertEqual(len(flows), data["counts"]["mappings_visible"])
        self.assertTrue(all(len(flow) == 3 for flow in flows.values()))
        counters = [e for e in events if e["ph"] == "C" and e["name"] == "live mappings"]
        self.assertEqual(counters[-1]["args"]["mappings"], 0)
        self.assertGreater(max(e["args"]["mappings"] for e in counters), 0)
        live = json.loads(self.render("json", "live"))
        last = [e for e in self.chrome("live") if e["ph"] == "C" and e["name"] == "mapped bytes"]
        self.assertEqual(last[-1]["args"]["bytes"], sum(m["len"] for m in live["mappings"]))

    def undecided(self, name):
        """Checks that did not decide, by JSON."""
        worth = json.loads(self.render("json", name))["worth"]
        return {check for words in ("left_out", "not_from_outside", "no_front_end", "one_source")
                for check in worth.get(words, ())}

    def check_skipped(self, name, among=()):
        """Nothing passes that did not decide; why is in the words. AMONG are surely among them."""
        undecided = self.undecided(name)
        self.assertLessEqual(set(among), undecided)
        for case in self.junit(name):
            skipped = case.find("skipped")
            if case.get("name") in undecided and case.find("failure") is None:
                self.assertIsNotNone(skipped, case.get("name"))
            if skipped is not None:
                self.assertGreater(len(skipped.get("message")), 15)
        self.assertEqual(len(self.junit(name)), len(os.listdir(os.path.join(
            os.path.dirname(os.path.dirname(HERE)), "docs", "findings"))) - 1)

    def passed(self, name):
        return {case.get("name") for case in self.junit(name)
                if case.find("failure") is None and case.find("skipped") is None}

    def test_skipped_by_the_source(self):
        """What tracepoints alone, or the wire alone, cannot show."""
        self.check_skipped("healthy", ("sources-disagree",))
        self.assertIn("reply-commit-deadlock", self.passed("healthy"))
        self.check_skipped("wire-healthy.fixture", ("commit-without-begin", "sources-disagree"))
        self.assertIn("fd-leak", self.passed("wire-healthy.fixture"))

    def test_skipped_by_who_recorded(self):
        """A class that was left out takes away what needs it, and no more."""
        out = os.path.join(self.tmp, "without-waits")
        done = subprocess.run([SHMEMSCOPE, "record", "--exclude-class", "wait", "--output", out,
                               "--", REPLAY, told("healthy")], capture_output=True, text=True,
                              timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.traces["without-waits"] = out
        cases = {case.get("name"): case for case in self.junit("without-waits")}
        for check in ("reply-commit-deadlock", "stuck-wait"):
            self.assertIn("wait", cases[check].find("skipped").get("message"))
        self.assertIn("missing-reply", self.passed("without-waits"))
        self.check_skipped("without-waits", ("memory-region-leak", "sources-disagree"))

    def test_skipped_in_a_look(self):
        """Three checks can decide of a look; and none of a process that was not seen."""
        seen = {"reply-commit-deadlock", "stuck-wait", "stale-mapping"}
        self.traces["look"] = os.path.join(LOOKED, "idle.json")
        self.check_skipped("look", ("fd-leak", "nested-wait"))
        self.assertEqual(self.passed("look"), seen)
        with open(self.traces["look"], encoding="utf-8") as source:
            evidence = json.load(source)
        for look in evidence["looks"]:
            for process in look["processes"]:
                process["denied"] = [{"what": "calls of its threads", "needs": "CAP_SYS_PTRACE",
                                      "error": 1}]
                for thread in process["threads"]:
                    thread.update(CALL_NOT_SEEN)
        self.traces["unseen"] = os.path.join(self.tmp, "unseen.json")
        with open(self.traces["unseen"], "w", encoding="utf-8") as out:
            json.dump(evidence, out)
        self.assertEqual(self.passed("unseen"), set())
        for case in self.junit("unseen"):
            if case.get("name") in seen:
                self.assertIn("CAP_SYS_PTRACE", case.find("skipped").get("message"))
        self.sarif("unseen")
        self.sarif("look")


if __name__ == "__main__":
    rendered.main()
