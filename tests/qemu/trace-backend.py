#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A healthy run on a QEMU that was built with one trace backend alone: its events, as that
backend tells them, are as many as the test back-end's log says.

usage: trace-backend.py log|simple|ust QEMU_BUILD QEMU_SOURCE

QEMU_BUILD is QEMU's build directory, QEMU_SOURCE the tree it was built from. The environment
is that of the integration tests: SHMEMSCOPE_BUILD and SHMEMSCOPE_QEMU.
"""

import collections
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))),
                                "integration"))
import common                                                        # noqa: E402
from harness import choreography, parts                              # noqa: E402
from harness.processes import HarnessError                           # noqa: E402
from harness.run import Run                                          # noqa: E402

CATALOGUE = os.path.join(common.SOURCE, "tracepoints", "catalogue")
# Told at least once in any run of a device that starts and gets mappings.
ALWAYS = {"vhost_user_device", "vhost_user_start", "vhost_user_stop", "virtio_shmem_region",
          "vhost_user_channel_open", "vhost_user_backend_channel_open",
          "vhost_user_backend_dispatched", "memory_transaction_begin", "memory_commit_start",
          "memory_commit_end", "vhost_user_backend_read", "vhost_user_request",
          "vhost_user_reply_wait", "vhost_user_reply_read"}


def qemu_events():
    """The events of QEMU's that the catalogue lists."""
    with open(CATALOGUE, encoding="utf-8") as catalogue:
        return re.findall(r"^event qemu:(\S+)", catalogue.read(), re.MULTILINE)


def options(backend, out):
    """What QEMU is told for this backend; `ust` is told by the recording."""
    if backend == "ust":
        return []
    os.makedirs(out, exist_ok=True)
    events = f"{out}/events"
    with open(events, "w", encoding="utf-8") as listed:
        listed.writelines(f"{event}\n" for event in qemu_events())
    if backend == "simple":
        return ["-trace", f"events={events},file={out}/trace.simple"]
    return ["-trace", f"events={events}", "-D", f"{out}/trace.log"]


def run_healthy(backend, qemu, out):
    with Run(parts.Programs(common.BUILD), qemu, choreography.path("healthy"), out,
             record=backend == "ust", record_options=["--set", "catalogue"],
             qemu_options={"more": options(backend, out)}) as run:
        choreography.of("healthy")[0](run)
    return run


def told(backend, qemu, source, out):
    """The trace as text in which each event is a line, and the pattern of an event's line."""
    if backend == "log":
        return common.text_of(f"{out}/trace.log"), r"^(\w+) "
    if backend == "simple":
        done = subprocess.run([sys.executable, f"{source}/scripts/simpletrace.py",
                               f"{qemu}/trace/trace-events-all", f"{out}/trace.simple"],
                              capture_output=True, text=True, check=False, timeout=120)
        if done.returncode != 0:
            raise HarnessError(f"QEMU's simpletrace.py fails: {done.stderr}")
        return done.stdout, r"^(\w+) "
    return common.babeltrace(f"{out}/trace"), r" qemu:(\w+): "


def wrong(counts, log):
    """What of the counts is not as the log has it, a line each."""
    maps = len(log.maps_ok)
    expected = {"vhost_user_backend_reply": log.replies,
                "vhost_user_backend_shmem": log.requests,
                **{event: maps for event in (
                    "virtio_shmem_mapping_new", "virtio_shmem_mapping_ram",
                    "virtio_shmem_mapping_added", "virtio_shmem_mapping_removed",
                    "virtio_shmem_mapping_finalized", "virtio_shmem_fd_dup",
                    "vhost_user_backend_fd", "vhost_user_backend_fd_close")},
                "Dropped_Event": 0}
    lines = [f"{event}: {counts[event]} told, {number} expected"
             for event, number in expected.items() if counts[event] != number]
    lines += [f"{event}: never told" for event in sorted(ALWAYS) if not counts[event]]
    if maps < 200:
        lines.append(f"the back-end mapped only {maps} times")
    return lines


def main():
    backend, qemu, source = sys.argv[1:]
    out = os.path.join(common.RUNS, f"backend-{backend}")
    try:
        run = run_healthy(backend, qemu, out)
        text, pattern = told(backend, qemu, source, out)
    except HarnessError as error:
        print(f"trace-backend: {error}", file=sys.stderr)
        return 1
    counts = collections.Counter(re.findall(pattern, text, re.MULTILINE))
    lines = wrong(counts, common.Log(run.path("backend.jsonl")))
    for line in lines:
        print(f"trace-backend: {backend}: {line}", file=sys.stderr)
    print(f"{sum(counts[event] for event in qemu_events())} events told by {backend}")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
