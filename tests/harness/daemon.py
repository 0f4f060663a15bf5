# SPDX-License-Identifier: GPL-2.0-or-later
"""The session daemon that tests record with."""

import fcntl
import os
import subprocess
import tempfile


def ensure():
    """One answers from here on: the one that runs, or else one that is started, and stays.

    Other tests may use it by the time this one ends, so nobody here may stop it; `scripts/check`
    stops the one it has started when nobody is left.
    """
    lock = os.path.join(tempfile.gettempdir(), f"shmemscope-test-daemon-{os.getuid()}")
    with open(lock, "w", encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if subprocess.run(["lttng", "--no-sessiond", "list"], capture_output=True,
                          check=False).returncode == 0:
            return
        subprocess.run(["lttng-sessiond", "--daemonize", "--no-kernel"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=True)
