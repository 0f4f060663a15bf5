# SPDX-License-Identifier: GPL-2.0-or-later
"""Large recordings, made through the provider of the tests, and what reading them takes."""

import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass

from harness import daemon
from harness.processes import HarnessError


def lttng(*arguments):
    run = subprocess.run(["lttng", "--no-sessiond", *arguments], capture_output=True, text=True,
                         check=False)
    if run.returncode != 0:
        raise HarnessError(f"lttng {' '.join(arguments)}: {run.stdout}{run.stderr}")


def record(many, out, events, live):
    """A recording of about EVENTS events and LIVE live mappings, nothing lost; how many it has."""
    daemon.ensure()
    session = f"shmemscope-measure-{os.getpid()}-{events}-{live}"
    lttng("create", session, "--output", out)
    try:
        lttng("enable-channel", "-u", "-s", session, "--subbuf-size=1M", "--num-subbuf=4",
              "--blocking-timeout=inf", "c")
        lttng("enable-event", "-u", "-s", session, "-c", "c", "qemu:*")
        for context in ("vpid", "vtid", "procname"):
            lttng("add-context", "-u", "-s", session, "-c", "c", "-t", context)
        environment = {**os.environ, "LTTNG_UST_REGISTER_TIMEOUT": "-1",
                       "LTTNG_UST_ALLOW_BLOCKING": "1"}
        with subprocess.Popen([many, str(events), str(live)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True, env=environment) as teller:
            pid = int(teller.stdout.readline())
            lttng("track", "-u", "-s", session, f"--vpid={pid}")
            lttng("start", session)
            said, _ = teller.communicate("go\n", timeout=600)
        lttng("stop", session)
        if teller.returncode != 0:
            raise HarnessError(f"{many} ended with {teller.returncode}")
    finally:
        lttng("destroy", "--no-wait", session)
    return int(said.split()[0])


def remove(trace):
    shutil.rmtree(trace)


@dataclass(frozen=True)
class Cost:
    """Of one run: seconds of processor and of the clock, and KiB of memory at most."""
    processor: float
    wall: float
    memory: int


def run(*command):
    """The Cost of a command whose output nobody takes.

    Its memory is time's to tell: of a child of this process the kernel counts what this one has,
    too, until the child runs the command.
    """
    began = time.monotonic()
    with open(os.devnull, "wb") as nowhere, tempfile.NamedTemporaryFile("r") as memory, \
            subprocess.Popen(["time", "-q", "-f", "%M", "-o", memory.name, *command],
                             stdout=nowhere, stderr=nowhere) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        took = time.monotonic() - began
        if process.returncode not in (0, 1):
            raise HarnessError(f"{' '.join(command)} ended with {process.returncode}")
        return Cost(usage.ru_utime + usage.ru_stime, took, int(memory.read()))


READERS = {
    "report": lambda shmemscope, trace: (shmemscope, "report", trace),
    "dummy": lambda _, trace: ("babeltrace2", trace, "-c", "sink.utils.dummy"),
    "text": lambda _, trace: ("babeltrace2", trace),
}
