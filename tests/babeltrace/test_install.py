# SPDX-License-Identifier: GPL-2.0-or-later
"""babeltrace2 finds the installed plugin without being told where it is."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import common

PLUGIN = "babeltrace-plugin-shmemscope.so"


def listed(env):
    """Paths of all plugins that babeltrace2 finds, by their name."""
    text = common.babeltrace("list-plugins", env=env).stdout.decode()
    return dict(re.findall(r"(?m)^(\S+):\n  Path: (\S+)", text))


class Install(unittest.TestCase):

    def setUp(self):
        tmp = tempfile.TemporaryDirectory(prefix="shmemscope-test-")
        self.addCleanup(tmp.cleanup)
        self.tmp = tmp.name
        self.plain = {name: value for name, value in os.environ.items()
                      if name != "BABELTRACE_PLUGIN_PATH"}

    def installed(self):
        """Where `meson install` puts each file."""
        text = subprocess.run(["meson", "introspect", "--installed", common.BUILD], check=True,
                              capture_output=True, text=True, timeout=common.TIMEOUT_S).stdout
        return json.loads(text)

    def test_where_babeltrace_looks(self):
        """The directory is the one that it takes its own plugins from."""
        place, = [path for path in self.installed().values() if path.endswith(PLUGIN)]
        own = listed(dict(self.plain, HOME=self.tmp))["ctf"]
        self.assertEqual(os.path.realpath(os.path.dirname(place)),
                         os.path.realpath(os.path.dirname(own)))

    def test_found_without_options(self):
        """What `meson install` writes works from where it is put: here a user's own place."""
        subprocess.run(["meson", "install", "-C", common.BUILD, "--no-rebuild", "--quiet"],
                       check=True, capture_output=True, timeout=common.TIMEOUT_S,
                       env=dict(self.plain, DESTDIR=os.path.join(self.tmp, "dest")))
        found = [os.path.join(top, PLUGIN) for top, _, files in os.walk(self.tmp)
                 if PLUGIN in files]
        self.assertEqual(len(found), 1)
        own = os.path.join(self.tmp, ".local", "lib", "babeltrace2", "plugins")
        os.makedirs(own)
        shutil.move(found[0], own)
        env = dict(self.plain, HOME=self.tmp)
        self.assertEqual(listed(env)["shmemscope"], os.path.join(own, PLUGIN))
        trace = os.path.join(self.tmp, "trace")
        common.record(common.fixture("healthy"), trace)
        done = common.babeltrace(trace, "-c", common.SINK, env=env)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, common.report(trace).stdout)


if __name__ == "__main__":
    common.begin()
    unittest.main(verbosity=2)
