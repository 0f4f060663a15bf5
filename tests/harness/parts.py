# SPDX-License-Identifier: GPL-2.0-or-later
"""The project's programs as the harness starts and speaks with them."""

import json
import os
import subprocess
import time

from .processes import Child, HarnessError

# A QEMU that starts later than this after its tracing library waits no longer for the session
# daemon to tell it what to record; a busy machine's daemon may take its time.
REGISTER_TIMEOUT_MS = "60000"


class Programs:
    """Where the built programs are."""

    def __init__(self, build):
        self.tool = f"{build}/analysis/cli/shmemscope"
        self.backend = f"{build}/tests/backend/shmemscope-backend"
        self.hostile = f"{build}/tests/backend/shmemscope-hostile"
        self.driver = f"{build}/tests/driver/shmemscope-drive"
        self.wire = f"{build}/plugin/wire/libshmemscope-wire.so"
        for program in (self.tool, self.backend, self.driver):
            if not os.access(program, os.X_OK):
                raise HarnessError(f"Cannot run: path=\"{program}\": not an executable "
                                   "(is it built, with -Dqemu_prefix?)")


class Backend(Child):
    """The test back-end: it signals on stdout, is stepped on stdin, and logs what it did."""

    def __init__(self, programs, sock, scenario, log, stderr, commands, preload=""):
        """PRELOAD is a library that is loaded into it, and is told of when the recording begins."""
        self.jsonl = log
        env = dict(Recording.environment(), LD_PRELOAD=preload) if preload else None
        super().__init__("back-end", [*self.command(programs, scenario), "--socket", sock,
                                      "--log", log],
                         stderr, pipes=True, env=env, commands=commands)

    @staticmethod
    def command(programs, scenario):
        return [programs.backend, "--scenario", scenario]

    def await_signal(self, name, timeout_s):
        """Reads its signals up to NAME; signals before it were for nobody."""
        deadline = time.monotonic() + timeout_s
        while self.read_line(deadline - time.monotonic(), f"the signal {name}") != name:
            pass

    def give_signal(self, name):
        self.write_line(name)

    def entries(self):
        """What it logged so far: a list of dictionaries."""
        return read_log(self.jsonl)

    def inodes(self):
        """Inodes of the files it maps."""
        return {entry["ino"] for entry in self.entries() if entry.get("ino")}


class HostileBackend(Backend):
    """The hostile back-end; in the place of a scenario it has options of its command line."""

    @staticmethod
    def command(programs, scenario):
        return [programs.hostile, *scenario]


class LegalBackend(HostileBackend):
    """The same one, that keeps to the protocol: stepped by commands, each with one answer."""

    def command_of(self, name, answer, timeout_s):
        """Gives a command and awaits its answer."""
        self.give_signal(name)
        self.await_signal(answer, timeout_s)


def read_log(path):
    """The entries of a back-end's log; a last line without its newline is still being written."""
    entries = []
    with open(path, encoding="utf-8") as log:
        for line in log:
            if line.endswith("\n"):
                entries.append(json.loads(line))
    return entries


class Driver(Child):
    """The qtest and QMP driver: one command a line, one answer a line."""

    def __init__(self, programs, directory, stderr, commands):
        super().__init__("driver", [programs.driver, "--qtest", f"{directory}/qtest.sock",
                                    "--qmp", f"{directory}/qmp.sock"],
                         stderr, pipes=True, commands=commands)

    def tell(self, command):
        """Sends a command whose answer is read later, or never."""
        self.write_line(command)

    def answer(self, timeout_s=30.0):
        """(True, text) of an ok, (False, reason) of an error."""
        kind, _, text = self.read_line(timeout_s, "its answer").partition(" ")
        if kind not in ("ok", "error"):
            raise HarnessError(f"The driver answers neither ok nor error: \"{kind} {text}\"")
        return kind == "ok", text

    def do(self, command, timeout_s=30.0):
        """Sends a command that must succeed, and returns the text after its ok."""
        self.tell(command)
        good, text = self.answer(timeout_s)
        if not good:
            raise HarnessError(f"The driver cannot {command}: {text}\n{self.diagnosis()}")
        return text


class Recording:
    """`shmemscope record` without a command: it records what starts, until told to end."""

    def __init__(self, programs, output, options=()):
        self.argv = [programs.tool, "record", "--output", output, *options]
        self.output = output
        self.child = None

    @staticmethod
    def environment():
        """Environment of a traced program that the recording does not start itself."""
        return dict(os.environ, LTTNG_UST_REGISTER_TIMEOUT=REGISTER_TIMEOUT_MS)

    def attach(self, log, commands):
        self.child = Child("recording", self.argv, log, commands=commands)
        return self.child

    def started(self):
        """True when an attached recording has said that it records."""
        with open(self.child.log, encoding="utf-8", errors="replace") as log:
            return "recording into" in log.read()


def trace_uuid(trace):
    """The UUIDs of the CTF traces below a directory, from their metadata."""
    uuids = set()
    for directory, _, files in os.walk(trace):
        if "metadata" in files:
            text = subprocess.run(["babeltrace2", "--output-format=ctf-metadata", directory],
                                  check=True, capture_output=True, text=True).stdout
            for line in text.splitlines():
                if line.strip().startswith("uuid ="):
                    uuids.add(line.split('"')[1])
                    break
    return uuids
