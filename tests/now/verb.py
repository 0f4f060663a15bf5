# SPDX-License-Identifier: GPL-2.0-or-later
"""`shmemscope now` as the tests run it, and what it says of a VM."""

import json
import re
import resource
import subprocess
import time

from farm import BUILD, HarnessError, parts

TIMEOUT_S = 60
ALARMS = ("observed", "suspected")
DEADLOCK = "reply-commit-deadlock"
COLUMNS = 80
LINES_OF_ONE = 24
ENDS_NOW = re.compile(r"^end process (\d+)\b")


class Output:
    """One run of the tool: its exit status, what it printed, how long that took by the clock, and
    what of it was the processor's (nothing else may end meanwhile)."""

    def __init__(self, *arguments, wrapper=(), tool=None, **options):
        command = [*wrapper, tool or parts.Programs(BUILD).tool, *map(str, arguments)]
        used = cpu_of_children()
        begin = time.monotonic()
        done = subprocess.run(command, check=False, text=True, capture_output=True,
                              timeout=TIMEOUT_S, stdin=subprocess.DEVNULL, **options)
        self.seconds = time.monotonic() - begin
        self.cpu_seconds = cpu_of_children() - used
        self.command = command
        self.status, self.text, self.stderr = done.returncode, done.stdout, done.stderr

    def json(self):
        """What it printed, read; it must have printed JSON."""
        try:
            return json.loads(self.text)
        except ValueError as error:
            raise HarnessError(f"{self.command} ended with {self.status}: {error}\n"
                               f"{self.text}{self.stderr}") from error

    @property
    def lines(self):
        return self.text.splitlines()


def cpu_of_children():
    """Seconds of processor of the children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Look:
    """What `now` said as JSON. FILE keeps the evidence, when one is given."""

    def __init__(self, *arguments, file=None, **options):
        save = ["--save", file] if file else []
        self.output = Output("now", "--format", "json", *save, *arguments, **options)
        self.status = self.output.status
        self.json = self.output.json()

    def of(self, vm, *certainties):
        """Findings about a VM, by the pid of its QEMU."""
        return [finding for finding in self.json["findings"]
                if finding["process"] and finding["process"]["pid"] == vm.qemu.pid
                and finding["certainty"] in (certainties or ALARMS)]

    def ids(self, vm):
        return [(finding["id"], finding["certainty"]) for finding in self.of(vm)]


def ends_now(finding):
    """The pid that the finding says to end."""
    match = ENDS_NOW.match(finding["remedy"]["now"] or "")
    if not match:
        raise HarnessError(f"It does not say what to end: {finding['remedy']}")
    return int(match[1])
