# SPDX-License-Identifier: GPL-2.0-or-later
"""A host with many QEMUs on it, which nobody records: healthy, hung and slow ones.

The environment tells the parts: SHMEMSCOPE_BUILD, SHMEMSCOPE_QEMU (directory printed by
scripts/build-qemu) and SHMEMSCOPE_RELEASED (directory printed by scripts/released-qemu).
"""

import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
TESTS = os.path.dirname(HERE)
SCENARIOS = os.path.join(HERE, "scenarios")
RELEASED_SCENARIOS = os.path.join(TESTS, "released", "scenarios")
sys.path.insert(0, os.path.join(TESTS, "integration"))

from common import BUILD, QEMU, RUNS, HarnessError, setting, wait_until  # noqa: E402
from harness import evidence, fleet, parts, qemu                         # noqa: E402

RELEASED = setting("SHMEMSCOPE_RELEASED")
VERSIONS = {"ours": QEMU, "released": RELEASED}
# So many QEMUs start at once: enough to keep the processors busy while one waits.
AT_ONCE = 8
ANSWER_TIMEOUT_S = 60
# Behind each VM's name: another run of the tests may have VMs on this host, too.
OF_THIS_RUN = f"-{os.getpid()}"


class Vm(fleet.Machine):
    """One QEMU of the host. ROLE tells what becomes of it once it has started.

    NAME is for the tests; `now` knows it by that and what makes it this run's, which is in `vm`.
    """

    ROLES = {
        "plain": None,
        "resident": "resident",
        "resident-table": "resident-table",
        "map-pipelined": "map-pipelined",
        "request-at-stop": "request-at-stop",
        "slow": "slow",
    }

    def __init__(self, out, name, version, role, prefix=None, **options):
        self.name = name
        self.version = version
        self.role = role
        self.question = None
        scenario = self.ROLES[role]
        devices = [(qemu.Device(), self.scenario(scenario))] if scenario else []
        super().__init__(parts.Programs(BUILD), prefix or VERSIONS[version],
                         os.path.join(out, name), name + OF_THIS_RUN, devices, **options)

    @staticmethod
    def scenario(name):
        """A scenario of these tests, or one that a released QEMU can play."""
        paths = [os.path.join(directory, f"{name}.scn")
                 for directory in (SCENARIOS, RELEASED_SCENARIOS)]
        return next(path for path in paths if os.path.exists(path))

    @property
    def peer(self):
        """Its back-end; a VM here has one at most."""
        return self.backends["vu0"]

    @property
    def hangs(self):
        return self.role in ("map-pipelined", "request-at-stop")

    # Each step is begun for several machines before it is awaited for one.

    def begin_device(self):
        if self.devices:
            self.driver.tell("start")

    def await_device(self):
        if self.devices:
            good, text = self.driver.answer(ANSWER_TIMEOUT_S)
            if not good:
                raise HarnessError(f"{self.vm}: the device does not start: {text}")

    def begin_role(self):
        if self.role == "slow":
            self.peer.give_signal("slow")
            self.peer.await_signal("slowed", ANSWER_TIMEOUT_S)
        if self.devices:
            self.peer.give_signal("go")
        if self.role == "request-at-stop":
            self.peer.await_signal("ready", ANSWER_TIMEOUT_S)
            self.driver.tell("reset")

    def await_role(self):
        if self.role.startswith("resident"):
            self.peer.await_signal("mapped", ANSWER_TIMEOUT_S)
        if self.hangs or self.role == "slow":
            wait_until(lambda: evidence.unread_request(self.qemu.pid, self.peer.pid),
                       ANSWER_TIMEOUT_S, f"a request to lie unread in the socket of {self.vm}",
                       [self.qemu, self.peer])
            self.question = self.monitor.ask("query-status")
        else:
            self.settle()

    def answers(self, timeout_s):
        """True when the monitor answers the question it has owed the answer to."""
        try:
            return "status" in self.monitor.answer(self.question, timeout_s)
        except qemu.NoAnswer:
            return False

    def maps(self):
        """How many maps QEMU has of its back-end's files."""
        return len(evidence.memfd_maps(self.qemu.pid, self.peer.inodes()))


class Farm:
    """The VMs of a host. A context manager: what was started is stopped, whatever happened."""

    def __init__(self, out):
        self.fleet = fleet.Fleet(parts.Programs(BUILD), QEMU, os.path.join(RUNS, out))
        self.vms = {}

    def __enter__(self):
        self.fleet.__enter__()
        return self

    def __exit__(self, *error):
        return self.fleet.__exit__(*error)

    @property
    def out(self):
        return self.fleet.out

    def path(self, name):
        return self.fleet.path(name)

    def add(self, name, version, role, kind=Vm, **options):
        vm = kind(self.out, name, version, role, **options)
        self.vms[name] = vm
        self.fleet.machines.append(vm)
        vm.prepare()
        return vm

    def of(self, *roles):
        return [vm for vm in self.vms.values() if vm.role in roles]

    def start(self):
        """Each VM until it is what its role says; the slow one last, for its time is short."""
        vms = sorted(self.vms.values(), key=lambda vm: (vm.role == "slow", vm.hangs))
        for first in range(0, len(vms), AT_ONCE):
            batch = vms[first:first + AT_ONCE]
            for step in ("hold", "set_off", "arrive", "begin_device", "await_device",
                         "begin_role", "await_role"):
                for vm in batch:
                    getattr(vm, step)()
