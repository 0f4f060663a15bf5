# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the babeltrace2 plugin share: recordings of fixtures, and runs of both tools.

The environment tells the parts: SHMEMSCOPE_BUILD (meson build directory), SHMEMSCOPE_SOURCE.
babeltrace2 finds the plugin of the build by BABELTRACE_PLUGIN_PATH; tests/install has it
found without.
"""

import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
BUILD = os.environ["SHMEMSCOPE_BUILD"]
SOURCE = os.environ["SHMEMSCOPE_SOURCE"]
TESTS = os.path.join(SOURCE, "tests")
FIXTURES = os.path.join(TESTS, "analysis", "fixtures")
CATALOGUE = os.path.join(SOURCE, "tracepoints", "catalogue")
SHMEMSCOPE = os.path.join(BUILD, "analysis", "cli", "shmemscope")
PLUGIN_DIR = os.path.join(BUILD, "analysis", "babeltrace")
REPLAY = os.path.join(BUILD, "tests", "analysis", "generator", "replay")
CALLS = os.path.join(BUILD, "tests", "wire", "calls")
SINK = "sink.shmemscope.report"
TIMEOUT_S = 120

sys.path.insert(0, TESTS)

from harness import daemon                                           # noqa: E402


def fixture(name):
    return os.path.join(FIXTURES, f"{name}.fixture")


def run(command, **options):
    return subprocess.run(command, check=False, capture_output=True, timeout=TIMEOUT_S,
                          stdin=subprocess.DEVNULL, **options)


def environment():
    """Plain: neither another place for plugins nor colours."""
    return dict(os.environ, BABELTRACE_PLUGIN_PATH=PLUGIN_DIR)


def babeltrace(*arguments, env=None, **options):
    return run(["babeltrace2", *arguments], env=env or environment(), **options)


def parameters(**values):
    """For --params; `_` in a name stands for `-`."""
    def text(value):
        if isinstance(value, (list, tuple)):
            return "[" + ",".join(map(text, value)) + "]"
        return f'"{value}"' if isinstance(value, str) else str(value)
    return ",".join(f"{name.replace('_', '-')}={text(value)}" for name, value in values.items())


def sink(*traces, before=(), cwd=None, **params):
    """babeltrace2 TRACE -c sink.shmemscope.report with these parameters."""
    given = ["--params", parameters(**params)] if params else []
    return babeltrace(*traces, *before, "-c", SINK, *given, cwd=cwd)


def report(*arguments, cwd=None):
    return run([SHMEMSCOPE, "report", *arguments], cwd=cwd)


def lttng(*arguments):
    done = subprocess.run(["lttng", "--no-sessiond", *arguments], check=False, text=True,
                          capture_output=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError(f"lttng {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done.stdout


class Session:
    """An LTTng session of our own, of the processes it plays and no other."""

    count = 0

    def __init__(self, out=None, create=(), channel=()):
        Session.count += 1
        self.name = f"ss-test-babel-{os.getpid()}-{time.monotonic_ns()}-{Session.count}"
        self.started = False
        lttng("create", self.name, *(("--output", out) if out else ()), *create)
        lttng("enable-channel", "-u", "-s", self.name, *channel, "c")
        lttng("enable-event", "-u", "-s", self.name, "-c", "c", "qemu:*,shmemscope_wire:*")
        for context in ("vpid", "vtid", "procname"):
            lttng("add-context", "-u", "-s", self.name, "-c", "c", "-t", context)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Whole when it is stopped: for that it is waited, and not until the daemon has tidied up,
        of which word is lost now and then."""
        if self.started:
            lttng("stop", self.name)
        lttng("destroy", "--no-wait", self.name)

    def start_empty(self):
        """Before there is anything to record: of this process, which tells nothing."""
        lttng("track", "-u", "-s", self.name, f"--vpid={os.getpid()}")
        lttng("start", self.name)
        self.started = True

    def play(self, path, times=1, **environment):
        """Tells the fixture, as a process of which the session has each event."""
        return self.run([REPLAY, path, str(times), "wait"], **environment)

    def run(self, command, **environment):
        """A program that prints its pid, and begins when it is told a line."""
        program = subprocess.Popen(command, text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   env={**os.environ, "LTTNG_UST_REGISTER_TIMEOUT": "-1",
                                        **environment})
        pid = int(program.stdout.readline())
        lttng("track", "-u", "-s", self.name, f"--vpid={pid}")
        if not self.started:
            lttng("start", self.name)
            self.started = True
        program.communicate("go\n", timeout=TIMEOUT_S)
        if program.returncode != 0:
            raise RuntimeError(f"{command} ended with {program.returncode}")
        return pid


def record(path, out, times=1, channel=()):
    """Records the fixture into the directory OUT."""
    with Session(out, channel=channel) as session:
        return session.play(path, times)


def begin():
    daemon.ensure()
