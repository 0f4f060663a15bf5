# SPDX-License-Identifier: GPL-2.0-or-later
"""The work that is measured: MAP/UNMAP pairs on a started device, in blocks on demand."""

import contextlib
import os
import shlex
import subprocess

from harness.processes import HarnessError
from harness.run import Run

BLOCK_TIMEOUT_S = 600

# A back-end with one thread, which serves the update of the memory table after each request,
# as libvhost-user's users do. Sixteen places, so that neither side meets the same one at once.
SCENARIO = """\
region 0 16M
file pages 64K

await start

repeat {blocks} as block
  await signal go
{work}  signal block
end
"""

PAIR = """\
    map 0 $i%16*0x10000 0x4000 file=pages
    serve until ADD_MEM_REG
    unmap 0 $i%16*0x10000 0x4000
    serve until REM_MEM_REG
"""

# All at once, and timed.
TIMED = "  timed {pairs}\n" + PAIR + "  end\n"

# QEMU walks its list of RAM blocks, and what RCU has not freed yet is in it: with pauses that
# list is as long in every block.
RESTED_PAIRS = 10
RESTED = f"  repeat {{rests}} as rest\n  repeat {RESTED_PAIRS}\n" + PAIR + \
         "  end\n  serve idle 150\n  end\n"


class Blocks:
    """A QEMU and its back-end that do one block of pairs each time they are told."""

    def __init__(self, run):
        self.run = run

    @property
    def qemu_pid(self):
        return self.run.qemu.pid

    def perform(self):
        """One block. Both sides are idle before and, but for RCU, after it."""
        self.run.backend.give_signal("go")
        self.run.backend.await_signal("block", BLOCK_TIMEOUT_S)
        # The last reply goes out before QEMU is done: the monitor answers after that.
        if not self.run.monitor.running():
            raise HarnessError("QEMU does not run after a block of pairs")

    def run_before_all_else(self):
        """QEMU and its back-end do not wait for what else the machine does (SCHED_FIFO)."""
        for pid in (self.qemu_pid, self.run.backend.pid):
            for task in os.listdir(f"/proc/{pid}/task"):
                try:
                    os.sched_setscheduler(int(task), os.SCHED_FIFO, os.sched_param(1))
                except PermissionError as error:
                    raise HarnessError("Cannot run before all else: only root may") from error

    def times(self):
        """For each block so far: (begin, [ns of each pair]), on CLOCK_MONOTONIC."""
        return [(entry["t"], entry["ns"]) for entry in self.run.backend.entries()
                if entry["op"] == "timed"]


@contextlib.contextmanager
def blocks(programs, prefix, out, count, work, **options):
    """Starts QEMU of PREFIX and its back-end for COUNT blocks of WORK; ends them after.

    WORK is the text of TIMED or RESTED, filled in. OPTIONS are those of a Run, which records
    nothing when they do not say so.
    """
    os.makedirs(out, exist_ok=True)
    scenario = os.path.join(out, "pairs.scn")
    with open(scenario, "w", encoding="ascii") as text:
        text.write(SCENARIO.format(blocks=count, work=work))
    with Run(programs, prefix, scenario, out, **{"record": False, **options}) as run:
        run.start()
        run.start_driver()
        run.driver.do("start", BLOCK_TIMEOUT_S)
        yield Blocks(run)
        run.await_gone()
        run.quit_qemu()
        run.end_backend()


def command(*argv):
    """stdout of a program that must succeed."""
    try:
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError as error:
        raise HarnessError(f"Cannot run: path=\"{argv[0]}\": {error.strerror}") from error
    except subprocess.CalledProcessError as error:
        raise HarnessError(f"Cannot run: command=\"{shlex.join(argv)}\": status "
                           f"{error.returncode}: {(error.stderr or error.stdout).strip()}"
                           ) from error
