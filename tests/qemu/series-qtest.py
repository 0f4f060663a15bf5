#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The qtest that the series brings to QEMU, run on the QEMU it was built with.

usage: series-qtest.py ENTRY [WIRE_LIBRARY]
ENTRY is a directory printed by scripts/build-qemu. Each test must run and pass; with a
WIRE_LIBRARY, which QEMU and the test's own back-end have loaded, too.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile

TIMEOUT_S = 300
PROGRAMS = ("vhost-user-shmem-test", "qemu-system-x86_64")
SANITIZERS = {"ASAN_OPTIONS": "halt_on_error=1:abort_on_error=1:detect_leaks=1",
              "UBSAN_OPTIONS": "halt_on_error=1:abort_on_error=1:print_stacktrace=1"}


def complaints(output, status):
    """What is wrong with a run that printed this, a line each. TAP: "1..N", "ok N", "not ok N"."""
    wrong = [line for line in output.splitlines()
             if re.match(r"not ok|Bail out", line) or re.match(r"ok .*#\s*[A-Z]{4}\b", line)]
    planned = sum(int(plan) for plan in re.findall(r"^1\.\.(\d+)", output, re.MULTILINE))
    passed = len(re.findall(r"^ok ", output, re.MULTILINE))
    if planned == 0:
        wrong.append("no test was planned")
    if passed != planned:
        wrong.append(f"{passed} of {planned} tests passed")
    if status != 0:
        wrong.append(f"exit status {status}")
    wrong += re.findall(r"ERROR: \w+Sanitizer.*|runtime error:.*", output)
    return wrong


def not_loaded(library, directory):
    """Programs that started without the library, a line each, by the loader's own words: one that
    it cannot load it leaves out, and goes on."""
    started = {}
    for name in os.listdir(directory):
        if name.startswith("loader."):
            with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as told:
                parts = re.split(r"initialize program: (\S+)", told.read())
            # A process that becomes another program goes on in its file.
            for before, program in zip(parts[::2], parts[1::2]):
                started.setdefault(os.path.basename(program), []).append(
                    f"calling init: {library}\n" in before)
    wrong = [f"{program} never started" for program in PROGRAMS if program not in started]
    return wrong + [f"{program} started without {library}" for program, loaded in started.items()
                    if not all(loaded)]


def main():
    entry = os.path.abspath(sys.argv[1])
    library = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else ""
    preload = {"LD_PRELOAD": library, "LD_DEBUG": "files"} if library else {}
    with tempfile.TemporaryDirectory(prefix="ss-qtest-") as directory, \
            subprocess.Popen([f"{entry}/tests/vhost-user-shmem-test", "--tap", "-k"],
                             cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, start_new_session=True,
                             env={**os.environ, **SANITIZERS, **preload, "TMPDIR": directory,
                                  "LD_DEBUG_OUTPUT": f"{directory}/loader",
                                  "QTEST_QEMU_BINARY": f"{entry}/qemu-system-x86_64"}) as test:
        try:
            output, _ = test.communicate(timeout=TIMEOUT_S)
        finally:
            # A test that aborted leaves its QEMU behind.
            try:
                os.killpg(test.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        unloaded = not_loaded(library, directory) if library else []
    print(output)
    wrong = complaints(output, test.returncode) + unloaded
    for line in wrong:
        print(f"series-qtest: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
