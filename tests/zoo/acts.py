# SPDX-License-Identifier: GPL-2.0-or-later
"""What is done to QEMU and its back-end in a specimen's run.

Each function gets a Run that has been entered, and leaves it with its recording ended and, in
run.witness["end"], what QEMU held at that moment by /proc; in run.witness["held"] what it held
after a while, before a reset. What is left running then is ended by the Run.
"""

import os
import resource
import signal

from harness import evidence, hostile
from harness.processes import HarnessError, wait_until
from harness.run import START_TIMEOUT_S

TIMEOUT_S = 120
DEATH_TIMEOUT_S = 30
# A mapping or a descriptor that is still there after the second that the checks give RCU, and
# something that QEMU tells after it.
GRACE_S = 1.3
# Where QEMU has no room for a mapping of 64 MiB.
ROOM = 32 << 20


def begin(run, start=True):
    """Back-end, recording, QEMU and driver; with START the device is started."""
    run.start()
    run.start_driver()
    if start:
        run.driver.do("start", TIMEOUT_S)
    else:
        run.backend.give_signal("go")


def settle(run):
    """Until QEMU is done with what it has replied to: its main loop answers after that."""
    if not run.monitor.running():
        raise HarnessError(f"QEMU does not run\n{run.qemu.diagnosis()}")


def look(run, point):
    """Keeps what QEMU holds of the back-end's files now, and what its monitor tells."""
    inodes = run.backend.inodes()
    fds = evidence.memfd_descriptors(run.qemu.pid, inodes)
    run.witness[point] = {
        "fds": sorted((number, entry[1]) for number, entry in fds.items()),
        "sizes": [os.stat(f"/proc/{run.qemu.pid}/fd/{number}").st_size for number in sorted(fds)],
        "maps": sorted(evidence.memfd_maps(run.qemu.pid, inodes)),
        "unread_by_backend": ([] if run.backend.ended() else
                              evidence.unread_in_sockets(run.backend.pid, run.qemu.pid)),
        "tree": monitor(run, "info mtree"),
        "flat": monitor(run, "info mtree -f"),
    }


def monitor(run, command):
    """What the human monitor says, as text."""
    return run.monitor.execute("human-monitor-command", **{"command-line": command})


def pass_by(run):
    """The time in which what is given up ends, and then one that is given up and does end."""
    if run.qemu.ended(GRACE_S):
        raise HarnessError(f"QEMU ended\n{run.qemu.diagnosis()}")


def end_recording(run):
    settle(run)
    look(run, "end")
    run.stop_recording()


def leave(run):
    """After a while, a reset as the last event; the recording ends before QEMU."""
    settle(run)
    pass_by(run)
    look(run, "held")
    run.driver.do("reset", TIMEOUT_S)
    end_recording(run)


def stay(run):
    """After a while the recording ends; the device is left as it is."""
    settle(run)
    pass_by(run)
    look(run, "held")
    end_recording(run)


# -- acts ------------------------------------------------------------------------------


def through(run):
    """Started, to the scenario's end, and a reset after a while."""
    begin(run)
    run.backend.await_signal("done", TIMEOUT_S)
    leave(run)


def mapped_then_unmapped(run):
    """As through, with the step between that the scenario has."""
    begin(run)
    run.backend.await_signal("mapped", TIMEOUT_S)
    run.backend.give_signal("go")
    run.backend.await_signal("done", TIMEOUT_S)
    leave(run)


def stopped(run):
    """The device is never started."""
    begin(run, start=False)
    run.backend.await_signal("done", TIMEOUT_S)
    stay(run)


def stopped_without_room(run):
    """As stopped, where QEMU may have little more memory than it has; started after a while."""
    run.start()
    with open(f"/proc/{run.qemu.pid}/statm", encoding="ascii") as statm:
        size = int(statm.read().split()[0]) * resource.getpagesize()
    resource.prlimit(run.qemu.pid, resource.RLIMIT_AS, (size + ROOM, resource.RLIM_INFINITY))
    run.start_driver()
    run.backend.give_signal("go")
    run.backend.await_signal("done", TIMEOUT_S)
    settle(run)
    pass_by(run)
    look(run, "held")
    resource.prlimit(run.qemu.pid, resource.RLIMIT_AS,
                     (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    run.driver.do("start", TIMEOUT_S)
    end_recording(run)


def churn(run):
    """As through; the heap is looked at before most of it and after it."""
    begin(run)
    run.backend.await_signal("warm", TIMEOUT_S)
    settle(run)
    pass_by(run)
    run.witness["heap"] = [evidence.heap(run.qemu.pid, run.qemu_log)]
    run.backend.give_signal("go")
    run.backend.await_signal("done", TIMEOUT_S)
    settle(run)
    pass_by(run)
    run.witness["heap"].append(evidence.heap(run.qemu.pid, run.qemu_log))
    run.witness["structure"] = evidence.size_of(run.qemu.pid, "MemoryRegion")
    leave(run)


def through_warm(run):
    """As through, with the step between that the scenario has."""
    begin(run)
    run.backend.await_signal("warm", TIMEOUT_S)
    run.backend.give_signal("go")
    run.backend.await_signal("done", TIMEOUT_S)
    leave(run)


def started(run):
    """Started, and left with what is mapped at the scenario's end."""
    begin(run)
    run.backend.await_signal("done", TIMEOUT_S)
    stay(run)


def reset(run):
    """Started, mapped, reset."""
    begin(run)
    run.backend.await_signal("mapped", TIMEOUT_S)
    settle(run)
    run.driver.do("reset", TIMEOUT_S)
    stay(run)


def reset_twice(run):
    """Started, mapped, reset, and reset again after a while."""
    begin(run)
    run.backend.await_signal("mapped", TIMEOUT_S)
    settle(run)
    run.driver.do("reset", TIMEOUT_S)
    leave(run)


def backend_killed(run):
    """Started, mapped, and the back-end is killed; a reset after a while."""
    begin(run)
    run.backend.await_signal("mapped", TIMEOUT_S)
    settle(run)
    run.backend.signal(signal.SIGKILL)
    run.backend.status(TIMEOUT_S)
    leave(run)


def dies(run, start=True):
    """QEMU ends by itself: its status is in run.witness["status"]."""
    run.start()
    run.start_driver()
    if start:
        run.driver.tell("start")
    else:
        run.backend.give_signal("go")
    run.witness["status"] = run.starter.status(DEATH_TIMEOUT_S, "the end it comes to by itself")
    run.stop_recording()


def dies_stopped(run):
    """As dies; the device is never started."""
    dies(run, start=False)


def dies_when_a_device_is_added(run):
    """Devices are added one after another, each with other regions, until QEMU ends."""
    try:
        hostile.added_devices(run)
    except (HarnessError, OSError):
        if not run.qemu.ended(TIMEOUT_S):
            raise
    run.witness["status"] = run.starter.status(TIMEOUT_S, "the end it comes to by itself")
    run.stop_recording()


def hangs_at_start(run):
    """QEMU hangs once the device is started; it is looked at and freed."""
    run.start()
    run.start_driver()
    run.driver.tell("start")
    hang(run)


def hangs_at_reset(run):
    run.start()
    run.start_driver()
    run.driver.do("start", TIMEOUT_S)
    run.backend.await_signal("ready", TIMEOUT_S)
    run.driver.tell("reset")
    hang(run)


def hangs_with_read_request(run):
    """As hangs_at_start, where the back-end's request was read: nothing lies unread."""
    run.start()
    run.start_driver()
    run.driver.tell("start")
    silent(run)


def half_message(run):
    begin(run)
    run.backend.await_signal("ready", TIMEOUT_S)
    run.backend.give_signal("go")
    silent(run)


def silent(run):
    """The monitor does not answer while the back-end lives, and does when it has ended."""
    # The back-end tells its request before it sends it.
    wait_until(lambda: any(entry.get("phase") == "sent" for entry in run.backend.entries()),
               START_TIMEOUT_S, "the request", [run.qemu, run.backend])
    question = run.await_silence()
    run.witness["unread"] = evidence.unread_request(run.qemu.pid, run.backend.pid)
    free(run, question)


def hang(run):
    question = run.await_hang()
    free(run, question)


def free(run, question):
    run.stop_recording()
    run.note_stack()
    run.kill_backend()
    run.monitor.answer(question, TIMEOUT_S)
    run.witness["freed"] = True
