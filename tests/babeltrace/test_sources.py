# SPDX-License-Identifier: GPL-2.0-or-later
"""The sink behind a live source and behind filter.utils.trimmer."""

import json
import os
import re
import socket
import subprocess
import tempfile
import unittest

import common
from common import record, report, sink
from harness.processes import wait_until

PARTS = 12


def alarms(data):
    return {(f["id"], f["certainty"]) for f in data["findings"]
            if f["certainty"] in ("observed", "suspected")}


class Trimmed(unittest.TestCase):
    """A recording that a trimmer cut is one that begins late and ends early."""

    @classmethod
    def setUpClass(cls):
        tmp = tempfile.TemporaryDirectory(prefix="shmemscope-test-")
        cls.addClassCleanup(tmp.cleanup)
        cls.traces = {}
        for name in ("healthy", "map-pipelined", "two-devices"):
            cls.traces[name] = os.path.join(tmp.name, name)
            record(common.fixture(name), cls.traces[name])

    def times(self, name):
        text = common.babeltrace("--clock-seconds", self.traces[name]).stdout.decode()
        return [int(ns.replace(".", "")) for ns in re.findall(r"(?m)^\[(\d+\.\d{9})\]", text)]

    @staticmethod
    def option(word, ns):
        return [f"--{word}={ns // 10**9}.{ns % 10**9:09}"]

    def trim(self, name, *options):
        done = sink(self.traces[name], before=options, format="json")
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return json.loads(done.stdout)

    def test_whole(self):
        """Nothing is cut away: the same bytes."""
        for name, trace in self.traces.items():
            times = self.times(name)
            options = self.option("begin", times[0] - 10**9) + self.option("end",
                                                                          times[-1] + 3600 * 10**9)
            ours = report("--format=json", trace)
            theirs = sink(trace, before=options, format="json")
            self.assertEqual(theirs.stdout, ours.stdout, name)

    def test_no_cut_raises_an_alarm(self):
        for name, trace in self.traces.items():
            whole = json.loads(report("--format=json", trace).stdout)
            times = self.times(name)
            for part in range(1, PARTS):
                ns = times[len(times) * part // PARTS]
                for word in ("begin", "end"):
                    with self.subTest(trace=name, word=word, part=part):
                        data = self.trim(name, *self.option(word, ns))
                        self.assertLess(data["trace"]["events"], whole["trace"]["events"])
                        self.assertLessEqual({check for check, _ in alarms(data)},
                                             {check for check, _ in alarms(whole)})

    def test_end_is_before_the_hang(self):
        times = self.times("map-pipelined")
        self.assertEqual({c for c, _ in alarms(self.trim("map-pipelined"))},
                         {"reply-commit-deadlock"})
        self.assertEqual(alarms(self.trim("map-pipelined", *self.option("end", times[5]))), set())


def free_ports(count):
    """Ports nobody listens to; they are let go just before they are used."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Live(unittest.TestCase):
    """From a real relay daemon, which writes the same trace to disk."""

    def setUp(self):
        tmp = tempfile.TemporaryDirectory(prefix="shmemscope-test-")
        self.addCleanup(tmp.cleanup)
        self.tmp = tmp.name
        self.control, self.data, self.viewer = free_ports(3)
        url = "tcp://127.0.0.1:{}"
        self.relayd = subprocess.Popen(
            ["lttng-relayd", "-o", self.tmp, "-C", url.format(self.control), "-D",
             url.format(self.data), "-L", url.format(self.viewer)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(self.relayd.wait, timeout=common.TIMEOUT_S)
        self.addCleanup(self.relayd.terminate)
        wait_until(self.listens, common.TIMEOUT_S, "the relay daemon")

    def listens(self):
        try:
            for port in (self.control, self.viewer):
                socket.create_connection(("127.0.0.1", port)).close()
            return True
        except ConnectionRefusedError:
            return False

    def session(self):
        return common.Session(create=[
            "--live=100000", "--ctrl-url", f"tcp://127.0.0.1:{self.control}",
            "--data-url", f"tcp://127.0.0.1:{self.data}"])

    def viewers_url(self, session):
        root = f"net://127.0.0.1:{self.viewer}"
        listed = common.babeltrace("--input-format=lttng-live", root).stdout.decode()
        urls = re.findall(r"net://\S+", listed)
        mine = [url for url in urls if session.name in url]
        return mine[0] if mine else None

    def attach(self, session, **params):
        """Reads as it is told, and ends when the session does."""
        wait_until(lambda: self.viewers_url(session), common.TIMEOUT_S, "the session at the relay")
        url = self.viewers_url(session)
        return subprocess.Popen(
            ["babeltrace2", "--input-format=lttng-live", url,
             "--params", 'session-not-found-action="end"', "-c", common.SINK,
             "--params", common.parameters(format="json", **params)],
            env=common.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)

    @staticmethod
    def alike(data):
        """But for the trace's path: a relay daemon's session has none here."""
        for trace in data["trace"]["traces"]:
            del trace["path"]
        return data

    def watch(self, name):
        with self.session() as session:
            session.start_empty()
            program = self.attach(session)
            self.addCleanup(program.stdout.close)
            self.addCleanup(program.stderr.close)
            session.play(common.fixture(name))
        out, err = program.communicate(timeout=common.TIMEOUT_S)
        self.assertNotEqual(out, "", err)
        disk = report("--format=json", self.tmp)
        return json.loads(out), json.loads(disk.stdout), program.returncode, disk.returncode

    def test_healthy(self):
        live, disk, ended, exited = self.watch("healthy")
        self.assertEqual((ended, exited), (0, 0))
        self.assertEqual(alarms(live), set())
        self.assertGreater(live["counts"]["mappings_created"], 0)
        self.assertEqual(self.alike(live), self.alike(disk))

    def test_hang(self):
        live, disk, ended, exited = self.watch("map-pipelined")
        self.assertEqual((ended, exited), (1, 1))
        self.assertEqual({check for check, _ in alarms(live)}, {"reply-commit-deadlock"})
        self.assertEqual(self.alike(live), self.alike(disk))


if __name__ == "__main__":
    common.begin()
    unittest.main(verbosity=2)
