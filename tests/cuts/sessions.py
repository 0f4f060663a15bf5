# SPDX-License-Identifier: GPL-2.0-or-later
"""LTTng sessions of each way to record that leaves a cut or lossy trace, all of one process."""

import os
import re
import shutil
import subprocess
import time

CONTEXTS = ("vpid", "vtid", "procname")
TIMEOUT_S = 60
# Small packets: a cut at each of them is another one.
SMALL = ("--subbuf-size=4096", "--num-subbuf=512")
# Full at once, and then events are discarded.
TINY = ("--subbuf-size=4096", "--num-subbuf=2")
# What a CPU tells last, in so many packets.
SHORT = ("--subbuf-size=4096", "--num-subbuf=4")


def lttng(*arguments):
    return subprocess.run(["lttng", "--no-sessiond", *arguments], check=False, text=True,
                          capture_output=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL)


def events(catalogue):
    """The events a recording takes by default, from the catalogue."""
    with open(catalogue, encoding="utf-8") as lines:
        found = re.findall(r"^event (qemu:\w+) (\S+)$", lines.read(), re.M)
    return [name for name, event_class in found if event_class != "detail"]


class Sessions:
    """One session each of small, tiny, snapshot, crash and rotated, with their traces under OUT.

    A context manager: at its end every session of it is gone, and no other.
    """

    def __init__(self, out, catalogue):
        self.out = out
        self.events = ",".join(events(catalogue))
        self.names = {}
        self.unique = f"ss-cuts-{os.getpid()}-{time.monotonic_ns()}"

    def __enter__(self):
        shutil.rmtree(self.out, ignore_errors=True)
        os.makedirs(self.out)
        return self

    def __exit__(self, *_):
        for name in self.names.values():
            lttng("destroy", name)
        self.names = {}

    def path(self, kind):
        return os.path.join(self.out, kind)

    @staticmethod
    def must(*arguments):
        run = lttng(*arguments)
        if run.returncode != 0:
            raise RuntimeError(f"lttng {' '.join(arguments)}: {run.stdout}{run.stderr}")

    def _create(self, kind, options, channel):
        name = f"{self.unique}-{kind}"
        self.must("create", name, "--output", self.path(kind), *options)
        self.names[kind] = name
        self.must("enable-channel", "-u", "-s", name, *channel, "c")
        self.must("enable-event", "-u", "-s", name, "-c", "c", self.events)
        for context in CONTEXTS:
            self.must("add-context", "-u", "-s", name, "-c", "c", "-t", context)

    def start(self, pid):
        """Of that process, and of no other."""
        self._create("small", (), SMALL)
        self._create("tiny", (), TINY)
        self._create("snapshot", ("--snapshot",), SHORT)
        self._create("crash", ("--shm-path", self.path("shm")), SMALL)
        self._create("rotated", (), SMALL)
        for name in self.names.values():
            self.must("track", "-u", "-s", name, f"--vpid={pid}")
            self.must("start", name)

    def rotate(self):
        self.must("rotate", self.names["rotated"])

    def snapshot(self):
        self.must("snapshot", "record", "-s", self.names["snapshot"])

    def crash(self):
        """What a crash of the machine's software would leave: the buffers, read from outside."""
        copy = self.path("shm-copy")
        shutil.copytree(self.path("shm"), copy)
        subprocess.run(["lttng-crash", "-x", self.path("extract"), copy], check=True,
                       timeout=TIMEOUT_S, capture_output=True, stdin=subprocess.DEVNULL)

    def stop(self):
        for kind, name in list(self.names.items()):
            self.must("stop", name)
            self.must("destroy", name)
            del self.names[kind]
