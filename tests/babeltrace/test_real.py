# SPDX-License-Identifier: GPL-2.0-or-later
"""Recordings of a real QEMU, healthy and hung: the plugin's report, and the lives it adds."""

import importlib.util
import json
import os
import re
import sys
import unittest

import common as plugin


def integration():
    """What the integration tests share; its name is the one of what is shared here."""
    path = os.path.join(plugin.TESTS, "integration", "common.py")
    spec = importlib.util.spec_from_file_location("integration_common", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Real(unittest.TestCase):

    def same(self, trace):
        for name in ("text", "json", "sarif", "junit", "chrome"):
            ours = plugin.report("--format", name, trace)
            theirs = plugin.sink(trace, format=name)
            self.assertEqual(theirs.stdout, ours.stdout, name)
            self.assertEqual(theirs.returncode, ours.returncode, name)
        return json.loads(plugin.report("--format=json", trace).stdout)

    def lives(self, trace):
        done = plugin.babeltrace(trace, "-c", "filter.shmemscope.lifetimes")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return re.findall(r"shmemscope:mapping_life: .* state = \"([^\"]*)\"",
                          done.stdout.decode())

    def test_healthy(self):
        run = COMMON.play("healthy", "babeltrace-healthy")
        data = self.same(run.trace)
        self.assertGreaterEqual(data["counts"]["mappings_created"], 200)
        self.assertEqual(data["processes"][0]["end"], "exited")
        lives = self.lives(run.trace)
        self.assertEqual(len(lives), data["counts"]["mappings_created"])
        self.assertEqual(set(lives), {"closed"})

    def test_hung(self):
        run = COMMON.play("map-pipelined", "babeltrace-hung")
        data = self.same(run.trace)
        self.assertIn("reply-commit-deadlock",
                      {f["id"] for f in data["findings"]
                       if f["certainty"] in ("observed", "suspected")})
        self.assertEqual(len(self.lives(run.trace)), data["counts"]["mappings_created"])


if __name__ == "__main__":
    plugin.begin()
    COMMON = integration()
    unittest.main(verbosity=2)
