# SPDX-License-Identifier: GPL-2.0-or-later
"""Real QEMUs with real back-ends that stand where a test wants them, and looks at them.

The environment tells the parts: SHMEMSCOPE_BUILD, SHMEMSCOPE_QEMU, and SHMEMSCOPE_QEMU_RELEASED
where a released QEMU is to be looked at as well.
"""

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
TESTS = os.path.dirname(HERE)
sys.path.insert(0, TESTS)

from harness import choreography, parts, released                    # noqa: E402
from harness.run import Run                                          # noqa: E402


def setting(name):
    """A path the environment must tell."""
    if not os.environ.get(name):
        raise SystemExit(f"Cannot run the test: {name} is not set (meson test sets it)")
    return os.environ[name]


BUILD = setting("SHMEMSCOPE_BUILD")


def interrupted(_number, _frame):
    """The test runner's timeout ends a test by SIGTERM: what it started must end too."""
    raise KeyboardInterrupt


signal.signal(signal.SIGTERM, interrupted)


class Stage:
    """A run without a recording, under a directory of its own. A context manager."""

    def __init__(self, scenario, is_released=False, **options):
        self.is_released = is_released
        where = released if is_released else choreography
        prefix = setting("SHMEMSCOPE_QEMU_RELEASED" if is_released else "SHMEMSCOPE_QEMU")
        usual = choreography.of(scenario)[1] if not is_released else {}
        self.out = tempfile.mkdtemp(prefix="ss-stage-")
        self.run = Run(parts.Programs(BUILD), prefix, where.path(scenario), self.out,
                       **{**usual, "record": False, **options})

    def __enter__(self):
        self.run.__enter__()
        return self

    def __exit__(self, *trouble):
        self.run.__exit__(*trouble)
        shutil.rmtree(self.out, ignore_errors=True)
        return False

    def _start(self, is_awaited):
        """The device is started; a back-end of a released QEMU's waits to be told to go on."""
        self.run.start()
        self.run.start_driver()
        if is_awaited or self.is_released:
            self.run.driver.do("start", choreography.SCENARIO_TIMEOUT_S)
        else:
            self.run.driver.tell("start")
        if self.is_released:
            self.run.backend.give_signal("go")

    def hang_at_start(self):
        """Until QEMU hangs in the deferred commit of a MAP."""
        self._start(False)
        self.run.await_hang()

    def hang_at_reset(self):
        """Until QEMU hangs at a reset, while a request of the back-end is under way."""
        self._start(True)
        self.run.backend.await_signal("ready", choreography.SCENARIO_TIMEOUT_S)
        self.run.driver.tell("reset")
        self.run.await_hang()


def look(*options, wrapper=(), between=None, keep=None):
    """Evidence of two looks, as loaded from the file it was saved in.

    WRAPPER is put before the command; BETWEEN is called after the first look, before the second.
    KEEP is where the file is to stay.
    """
    take = os.path.join(BUILD, "tests", "autopsy", "take-look")
    with tempfile.TemporaryDirectory(prefix="ss-look-") as directory:
        os.chmod(directory, 0o777)  # for another user, too
        path = os.path.join(directory, "evidence.json")
        step = ("--step",) if between else ()
        with subprocess.Popen([*wrapper, take, *options, *step, path], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as program:
            if between:
                line = program.stdout.readline()
                if line == "looked\n":
                    between()
                    program.stdin.write("go\n")
            _, said = program.communicate(timeout=60)
        if program.returncode != 0:
            raise AssertionError(f"take-look ended with {program.returncode}: {said}")
        if keep:
            shutil.copy(path, keep)
        with open(path, encoding="utf-8") as text:
            return Evidence(json.load(text))


class Evidence:
    """What was saved, with what tests ask of it."""

    def __init__(self, saved):
        self.first, self.last = saved["looks"][0], saved["looks"][-1]
        self.n_looks = len(saved["looks"])

    @staticmethod
    def process(a_look, pid):
        found = [one for one in a_look["processes"] if one["pid"] == pid]
        return found[0] if found else None

    @staticmethod
    def channels(a_look, front_pid):
        return [one for one in a_look["channels"] if one["front_pid"] == front_pid]

    @staticmethod
    def socket(a_look, inode):
        found = [one for one in a_look["sockets"] if one["inode"] == inode]
        return found[0] if found else None

    def thread(self, pid, tid):
        """The thread in both looks."""
        return [next(one for one in self.process(a_look, pid)["threads"] if one["tid"] == tid)
                for a_look in (self.first, self.last)]

    def stood(self, pid, tid):
        before, after = self.thread(pid, tid)
        return before["counts_known"] and all(
            before[name] == after[name]
            for name in ("call", "nr", "args", "sp", "pc", "switches", "cpu_ns"))


def messages(socket):
    """(request, payload) of each message in what was peeked; a last payload may be cut."""
    left = bytes.fromhex(socket["peeked"])
    found = []
    while len(left) >= 12:
        request, _, size = struct.unpack_from("<III", left)
        found.append((request, left[12:12 + size]))
        left = left[12 + size:]
    return found
