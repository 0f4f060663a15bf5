# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs with the hostile back-end."""

import os

from . import evidence, parts
from .choreography import SCENARIO_TIMEOUT_S
from .processes import HarnessError, wait_until
from .run import GONE_TIMEOUT_S, START_TIMEOUT_S, Run

HOSTILE_TIMEOUT_S = 900
LOG_OF_SOME_BYTES = 64 * 1024
# The mapping the back-end makes at the end: its region and offset, and what it holds.
GOOD_SHMID, GOOD_OFFSET, GOOD_PATTERN = 0, 0x1000, "0x6c6c65777368656d"


class HostileRun(Run):
    """A Run whose back-end is the hostile one, with OPTIONS of its command line."""

    def __init__(self, programs, prefix, out, options, **usual):
        super().__init__(programs, prefix, "hostile", out, **usual)
        self.options = list(options)

    def start_backend(self):
        sock = f"{self.directory}/vu0.sock"
        self.backend = parts.HostileBackend(self.programs, sock, self.options,
                                            self.path("backend.jsonl"),
                                            self.path("backend.log"), self.path("commands"),
                                            self.wire.get("backend", ""))
        wait_until(lambda: os.path.exists(sock), START_TIMEOUT_S, "the back-end's socket",
                   [self.backend])
        self.witness["backend_pid"] = self.backend.pid

    def await_more(self):
        """Until some messages more were sent, some hundred of them, by the length of the log."""
        enough = os.path.getsize(self.backend.jsonl) + LOG_OF_SOME_BYTES
        wait_until(lambda: os.path.getsize(self.backend.jsonl) > enough, SCENARIO_TIMEOUT_S,
                   "more messages", [self.qemu, self.backend])

    def hold(self, point):
        """Keeps what QEMU holds now in the witness."""
        self.witness["points"][point] = evidence.holdings(self.qemu.pid)

    def await_held(self, point):
        """Until QEMU holds what it held at that point: RCU lets go some time after the fact."""
        wanted = self.witness["points"][point]
        try:
            wait_until(lambda: evidence.holdings(self.qemu.pid) == wanted, GONE_TIMEOUT_S,
                       "QEMU to hold what it held", [self.qemu])
        except HarnessError as error:
            found = evidence.holdings(self.qemu.pid)
            changed = {kind: (wanted.get(kind, 0), found.get(kind, 0))
                       for kind in {*wanted, *found} if wanted.get(kind) != found.get(kind)}
            raise HarnessError(f"QEMU holds other things than before (before, now): {changed}\n"
                               f"{error}") from error


def messages(run):
    """All messages of the hostile back-end, and one good mapping at the end."""
    run.start()
    run.start_driver()
    run.driver.do(f"timeout {SCENARIO_TIMEOUT_S * 1000}")
    run.driver.do("start", SCENARIO_TIMEOUT_S)
    run.backend.await_signal("started", SCENARIO_TIMEOUT_S)
    run.hold("started")
    run.backend.give_signal("go")
    run.backend.await_signal("mapped", HOSTILE_TIMEOUT_S)
    seen = run.driver.do(f"read {GOOD_SHMID} {GOOD_OFFSET:#x}", SCENARIO_TIMEOUT_S)
    if seen != GOOD_PATTERN:
        raise HarnessError(f"The guest reads {seen} in the last mapping, not {GOOD_PATTERN}")
    run.backend.give_signal("go")
    run.backend.await_signal("done", SCENARIO_TIMEOUT_S)
    run.await_held("started")
    run.hold("after")
    if not run.monitor.running():
        raise HarnessError("QEMU does not run after the messages")
    run.quit_qemu()
    run.end_backend()


def disturbed(run, disturb):
    """DISTURB(run) while messages come without end: it ends QEMU, or takes the device away."""
    run.start()
    run.start_driver()
    run.driver.do("start", SCENARIO_TIMEOUT_S)
    run.backend.await_signal("started", SCENARIO_TIMEOUT_S)
    run.backend.give_signal("go")
    disturb(run)
    if not run.qemu.ended():
        run.await_gone()
        if not run.monitor.running():
            raise HarnessError("QEMU does not run after its device was disturbed")
        run.quit_qemu()
    run.end_backend()


def reset_and_unplug(run, times=20):
    for _ in range(times):
        for command in ("reset", "start"):
            run.driver.do(command, SCENARIO_TIMEOUT_S)
            run.await_more()
    run.driver.do("unplug dev0", SCENARIO_TIMEOUT_S)


def stop_and_quit(run, times=20):
    """The virtual machine is stopped and goes on, is reset, and ends."""
    for _ in range(times):
        for command in ("stop", "cont"):
            run.monitor.execute(command, timeout_s=SCENARIO_TIMEOUT_S)
            run.await_more()
    run.monitor.execute("system_reset", timeout_s=SCENARIO_TIMEOUT_S)
    run.await_more()
    if not run.monitor.running():
        raise HarnessError("QEMU does not run after its reset")
    run.quit_qemu()


def reset_when_full(run):
    """The back-end maps until it is refused; a reset of the device takes all of it out."""
    run.start()
    run.start_driver()
    run.driver.do("start", SCENARIO_TIMEOUT_S)
    run.backend.await_signal("mapped", SCENARIO_TIMEOUT_S)
    if not run.monitor.running():
        raise HarnessError("QEMU does not run with the mappings in place")
    run.driver.do("reset", SCENARIO_TIMEOUT_S)
    run.await_gone()
    run.note("after")
    run.quit_qemu()
    run.end_backend()


def reconnects(run):
    """A device whose back-end comes again and again, each time with other regions."""
    run.start()
    run.start_driver()
    run.driver.do("start", SCENARIO_TIMEOUT_S)
    run.backend.await_signal("started", SCENARIO_TIMEOUT_S)
    run.hold("started")
    run.backend.give_signal("go")
    run.backend.await_signal("done", HOSTILE_TIMEOUT_S)
    run.await_held("started")
    if not run.monitor.running():
        raise HarnessError("QEMU does not run after the reconnects")
    run.backend.give_signal("go")
    run.quit_qemu()
    run.end_backend()


def added_devices(run):
    """Devices that are added one after another: {name: (works as told, error or None)}.

    One that is there is started by a driver and unplugged again.
    """
    results = {}
    run.start()
    run.start_driver()
    while (told := run.backend.read_line(SCENARIO_TIMEOUT_S, "the next device")) != "done":
        name, _, wanted = told.partition(" ")
        results[name] = (wanted == "works", _add_device(run))
        if not run.monitor.running():
            raise HarnessError(f"QEMU does not run after: {name}")
        if len(results) == 1:
            run.hold("first")  # the driver is connected by now
    run.await_held("first")
    run.quit_qemu()
    run.end_backend()
    return results


def _add_device(run):
    """None for a device that came, worked and went; else the error by which it did not come."""
    backend = {"type": "socket", "data": {
        "addr": {"type": "unix", "data": {"path": f"{run.directory}/vu0.sock"}},
        "server": False}}
    run.monitor.execute("chardev-add", id="vu1", backend=backend)
    number = run.monitor.ask("device_add", driver="vhost-user-test-device-pci", id="dev1",
                             chardev="vu1", **{"virtio-id": 26, "bus": "rp0"})
    try:
        run.monitor.answer(number, SCENARIO_TIMEOUT_S)
    except HarnessError as error:
        run.monitor.execute("chardev-remove", id="vu1")
        return str(error)
    run.driver.do("start", SCENARIO_TIMEOUT_S)
    run.driver.do("unplug dev1", SCENARIO_TIMEOUT_S)
    run.monitor.execute("chardev-remove", id="vu1")
    return None
