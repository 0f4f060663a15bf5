# SPDX-License-Identifier: GPL-2.0-or-later
"""What `meson install` makes of this build, and runs in which nothing but that is there.

The environment tells the parts: SHMEMSCOPE_BUILD (meson build directory), SHMEMSCOPE_SOURCE.
"""

import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
BUILD = pathlib.Path(os.environ["SHMEMSCOPE_BUILD"])
SOURCE = pathlib.Path(os.environ["SHMEMSCOPE_SOURCE"])
PLUGIN = "babeltrace-plugin-shmemscope.so"
TIMEOUT_S = 120
ROOT = os.getuid() == 0
# Meson tells the tests where the build's own libraries are.
PLAIN = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}


def run(*command, **options):
    return subprocess.run([str(word) for word in command], **{
        "check": False, "capture_output": True, "text": True, "timeout": TIMEOUT_S,
        "stdin": subprocess.DEVNULL, "env": PLAIN, **options})


def checked(*command, **options):
    done = run(*command, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def options():
    """Those of the build, by their names."""
    told = json.loads(checked("meson", "introspect", "--buildoptions", BUILD).stdout)
    return {one["name"]: one["value"] for one in told}


def plugins_of_babeltrace():
    """Where libbabeltrace2 looks for plugins without being told."""
    libdir = checked("pkg-config", "--variable=libdir", "babeltrace2").stdout.strip()
    return pathlib.Path(libdir, "babeltrace2", "plugins")


class Installed:
    """The tree that is installed into `dest`, below the directory `top`."""

    def __init__(self, top, name="dest"):
        self.top = pathlib.Path(top)
        self.dest = self.top / name
        option = options()
        self.prefix = pathlib.Path(option["prefix"])
        self.libdir = self.prefix / option["libdir"]
        self.datadir = self.prefix / option["datadir"]
        self.mandir = self.prefix / option["mandir"]
        self.includedir = self.prefix / option["includedir"]
        self.program = self.prefix / option["bindir"] / "shmemscope"
        self.documents = self.datadir / "doc" / "shmemscope"
        # Where an administrator's prefix is, it is found by the system's babeltrace2.
        self.of_system = str(self.prefix) in ("/usr", "/usr/local")
        self.plugins = option["babeltrace_plugindir"]
        if not self.plugins:
            self.plugins = plugins_of_babeltrace() if self.of_system else \
                self.prefix / "lib" / "babeltrace2" / "plugins"
        self.plugin = self.prefix / self.plugins / PLUGIN
        # For a prefix of a user's own, which babeltrace2 knows.
        self.home = self.top / f"home-{name}"
        self.home.mkdir()
        if not self.of_system:
            (self.home / ".local").symlink_to(self.prefix)
        # A view of the build with notes of its own about what was installed: `ninja uninstall`
        # takes away what the last `meson install` noted, and that may be somebody's.
        self.view = self.top / f"view-{name}"
        for directory in ("meson-logs", "meson-private"):
            (self.view / directory).mkdir(parents=True)
        for entry in BUILD.iterdir():
            if entry.name not in ("meson-logs", "meson-private"):
                (self.view / entry.name).symlink_to(entry)
        for entry in (BUILD / "meson-private").iterdir():
            (self.view / "meson-private" / entry.name).symlink_to(entry)
        checked("meson", "install", "-C", self.view, "--no-rebuild", "--quiet", "--destdir",
                self.dest)

    def uninstall(self):
        """What `ninja uninstall` runs."""
        command = checked("ninja", "-C", BUILD, "-t", "commands", "uninstall").stdout
        return checked(*shlex.split(command), cwd=self.view).stdout

    def at(self, path):
        """Where it lies before it is in its place."""
        return self.dest / pathlib.Path(path).relative_to("/")

    def files(self):
        return {pathlib.Path("/") / path.relative_to(self.dest)
                for path in self.dest.rglob("*") if not path.is_dir()}

    def environment(self):
        """Of somebody who has installed it and no more. LTTng's daemon is where it was."""
        lttng = {name: value for name, value in os.environ.items()
                 if name.startswith("LTTNG_")}
        return {"LTTNG_HOME": os.environ.get("HOME", "/"), **lttng, "HOME": str(self.home),
                "LC_ALL": "C.UTF-8", "PATH": f"{self.program.parent}:/usr/bin:/bin"}

    def alone(self, *command, **options):
        """Runs it where the installed tree is in its place, and source and build are nowhere."""
        lines = ["mount -t tmpfs tmpfs \"$1\"",
                 "if [ -d \"$2\" ]; then mount -t tmpfs tmpfs \"$2\"; fi"]
        tree = self.at(self.prefix)
        if str(self.prefix) == "/usr":
            # What is there has to stay: the tests themselves need it.
            lines.append(f"mount -t overlay overlay -o lowerdir={tree}:/usr /usr")
        else:
            lines += [f"mkdir -p {self.prefix}", f"mount --bind {tree} {self.prefix}"]
        if self.of_system and not self.plugin.is_relative_to(self.prefix):
            both = self.top / "plugins"
            if not both.exists():
                shutil.copytree(self.plugin.parent, both)
                shutil.copy(self.at(self.plugin), both)
            lines.append(f"mount --bind {both} {self.plugin.parent}")
        rights = [] if ROOT else ["--map-current-user", "--keep-caps"]
        script = "\n".join([*lines, "shift 2", "exec \"$@\""])
        return run("unshare", "--mount", *rights, "/bin/sh", "-euc", script, "sh", SOURCE, BUILD,
                   *command, env=self.environment(), cwd="/", **options)
