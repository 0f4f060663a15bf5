# SPDX-License-Identifier: GPL-2.0-or-later
"""Real QEMUs with real back-ends that stand where a test wants them, and looks at them.

The environment tells the parts: SHMEMSCOPE_BUILD, SHMEMSCOPE_QEMU, and SHMEMSCOPE_QEMU_RELEASED
where a released QEMU is to be looked at as well.
"""

import json
import os
import shutil
import signal
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


def look(*options, program=None, wrapper=()):
    """Evidence of two looks, as loaded from the file it was saved in."""
    take = program or os.path.join(BUILD, "tests", "autopsy", "take-look")
    with tempfile.TemporaryDirectory(prefix="ss-look-") as directory:
        path = os.path.join(directory, "evidence.json")
        done = subprocess.run([*wrapper, take, *options, path], check=False, text=True,
                              capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise AssertionError(f"take-look ended with {done.returncode}: {done.stderr}")
        with open(path, encoding="utf-8") as text:
            return json.load(text)
