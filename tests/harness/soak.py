# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices whose back-ends do all that is legal, at random, while all that can happen to a device
and a machine happens.

A seed gives each device the same life again: its messages, and what happens to it between two
rounds of them. How the lives of several devices meet is left to the machine they run on.

What keeps to the protocol and still hangs or breaks a QEMU is not in here; legal-run.h names it.
"""

import dataclasses
import random
import select
import time

from . import evidence, guest, parts, qemu
from .fleet import Machine
from .processes import HarnessError, wait_until
from .run import GONE_TIMEOUT_S

TIMEOUT_S = 120
TELL_S = 10
RECONNECT_MS = 10
# In so many of a hundred cases, after a round of one device or a step of all.
EVENTS = (("reset", 12), ("restart", 8), ("reconnect", 14), ("plug", 10))
PAUSES = 8
SYSTEM_RESETS = 25
ROUNDS_MOST = 4  # of a device in a step
FILE_ON_DISK = "on-disk"


@dataclasses.dataclass(frozen=True)
class Part:
    """What a device is. One behind a root port has one region, and can be unplugged."""

    manner: str = "threads"
    reply_ack: bool = True
    mem_slots: bool = True
    port: bool = False
    live: int = 64
    writable: int = 32
    round: int = 50
    region: int = 1 << 20  # bytes of the first one

    def options(self, seed):
        return ["--legal", self.manner, "--seed", str(seed), "--live", str(self.live),
                "--writable", str(self.writable), "--round", str(self.round),
                "--region", str(self.region),
                *([] if self.reply_ack else ["--no-reply-ack"]),
                *([] if self.mem_slots else ["--no-mem-slots"]),
                *(["--one-region"] if self.port else [])]


@dataclasses.dataclass(frozen=True)
class Config:
    """Machines that run side by side, each a list of Parts: those behind a port come first."""

    name: str
    machines: tuple
    share: int = 1  # of all operations, beside the shares of the others
    record: tuple = ()     # options of the recordings
    accelerator: str = ""  # a guest runs under it; the machine is not reset then

    @property
    def serves(self):
        """Whether somebody serves the main channel of each device at all times."""
        return all(part.manner != "blocking" for parts_of_one in self.machines
                   for part in parts_of_one)


class LegalMachine(Machine):

    backend_type = parts.LegalBackend
    what = staticmethod(list)


class Life:
    """One device of a machine, through all its back-ends."""

    def __init__(self, seed, vm, place, part):
        self.random = random.Random(f"{seed} {vm} {place}")
        self.part = part
        self.place = place
        self.device = self.next_device(0)
        self.machine = None
        self.past = []      # back-ends that were unplugged: (chardev, its log)
        self.rounds = 0     # still to come in this step
        self.operations = 0
        self.happened = {}  # what, to how often

    def next_device(self, number):
        chardev = f"vu{self.place}" + (f"x{number}" if number else "")
        return qemu.Device(f"dev{self.place}", chardev,
                           port=f"rp{self.place}" if self.part.port else "",
                           reconnect_ms=RECONNECT_MS)

    def options(self):
        return self.part.options(self.random.getrandbits(62))

    @property
    def backend(self):
        return self.machine.backend(self.device.chardev)

    def start(self):
        self.machine.on(self.device.chardev, "start", TIMEOUT_S)

    def logs(self):
        """(chardev, path of the log) of all its back-ends, the present one last."""
        return [*self.past, (self.device.chardev, self.backend.jsonl)]

    # -- what happens to it, between two rounds ------------------------------------------

    def reset(self):
        """The guest resets the device and leaves it alone for a moment."""
        self.machine.on(self.device.chardev, "reset", TIMEOUT_S)
        self.restart()

    def restart(self):
        """The guest's driver begins anew."""
        self.start()
        self.cleared()

    def cleared(self):
        self.backend.command_of("reset", "ready", TIMEOUT_S)

    def reconnect(self):
        self.backend.command_of("reconnect", "ready", TIMEOUT_S)

    def plug(self):
        """It is unplugged, and a new one comes into its place, with a new back-end."""
        chardev = self.device.chardev
        self.machine.on(chardev, f"unplug {self.device.id}", TIMEOUT_S)
        backend = self.backend
        backend.command_of("unplugged", "ready", TIMEOUT_S)
        self.machine.monitor.execute("chardev-remove", id=chardev)
        if backend.status(TIMEOUT_S, "the end of its channel") != 0:
            raise HarnessError(f"The back-end of {chardev} failed:\n{backend.diagnosis()}")
        backend.close()
        del self.machine.backends[chardev]
        self.past.append((chardev, backend.jsonl))
        self.device = self.next_device(len(self.past))
        self.machine.plug(self.device, self.options(), self.place)
        self.start()
        self.backend.await_signal("started", TIMEOUT_S)

    def happen(self):
        """One of the above, or nothing."""
        drawn = self.random.randrange(100)
        for name, odds in EVENTS:
            if drawn < odds:
                if name != "plug" or self.part.port:
                    getattr(self, name)()
                    self.happened[name] = self.happened.get(name, 0) + 1
                return
            drawn -= odds

    # -- rounds ------------------------------------------------------------------------------

    def go(self):
        self.backend.give_signal("round")

    def take_answer(self):
        """The end of a round, which is there to be read."""
        told = self.backend.read_line(TIMEOUT_S, "the end of a round")
        word, _, number = told.partition(" ")
        if word != "done":
            raise HarnessError(f"The back-end says \"{told}\"")
        self.operations += int(number)

    def next_round(self):
        """What is between two rounds; False after the last one of the step."""
        self.happen()
        self.rounds -= 1
        if self.rounds > 0:
            self.go()
        return self.rounds > 0


class Soak:
    """The lives of the devices of a Config, in a Fleet."""

    def __init__(self, fleet, config, seed):
        self.config = config
        self.random = random.Random(f"{seed} {config.name}")
        self.machines = []
        self.lives = []
        for number, described in enumerate(config.machines):
            vm = f"soak-{config.name}-{number}"
            lives = [Life(seed, vm, place, part) for place, part in enumerate(described)]
            options = {"accelerator": config.accelerator} if config.accelerator else {}
            machine = fleet.add(vm, [(life.device, life.options()) for life in lives],
                                kind=LegalMachine, **options)
            if config.accelerator:
                machine.qemu_options["more"] = guest.options(machine.path("rom"))
            for life in lives:
                life.machine = machine
            self.machines.append(machine)
            self.lives += lives
        self.happened = {}

    def operations(self):
        return sum(life.operations for life in self.lives)

    def lives_of(self, machine):
        return [life for life in self.lives if life.machine is machine]

    def begin(self):
        """All devices are started; a guest runs."""
        self.await_guests()
        for life in self.lives:
            life.start()
            life.backend.await_signal("started", TIMEOUT_S)

    def await_guests(self):
        if self.config.accelerator:
            for machine in self.machines:
                guest.await_rounds(machine)

    def note(self, what):
        self.happened[what] = self.happened.get(what, 0) + 1

    def pause(self, machine):
        """The machine is stopped and goes on, whatever its devices are at."""
        for command in ("stop", "cont"):
            machine.monitor.execute(command, timeout_s=TIMEOUT_S)
        self.note("stop and cont")

    def system_reset(self, machine):
        machine.monitor.execute_until("system_reset", "RESET", TIMEOUT_S)
        for life in self.lives_of(machine):
            life.start()
        for life in self.lives_of(machine):
            life.cleared()
        self.note("system reset")

    def can_pause(self, machine):
        """Not while a back-end that serves nobody meanwhile has a request under way."""
        return all(life.part.manner != "blocking" or life.rounds == 0
                   for life in self.lives_of(machine))

    def step(self):
        """Some rounds of all devices at the same time; all is quiet when this returns."""
        for life in self.lives:
            life.rounds = self.random.randint(1, ROUNDS_MOST)
            life.go()
        busy = {life.backend.popen.stdout.fileno(): life for life in self.lives}
        while busy:
            ready, _, _ = select.select(list(busy), [], [], TIMEOUT_S)
            if not ready:
                raise HarnessError(f"No round ended within {TIMEOUT_S} s")
            life = busy.pop(ready[0])
            life.take_answer()
            if life.next_round():
                busy[life.backend.popen.stdout.fileno()] = life
            machine = self.random.choice(self.machines)
            if self.random.randrange(100) < PAUSES and self.can_pause(machine):
                self.pause(machine)
        for machine in self.machines:
            if self.random.randrange(100) < SYSTEM_RESETS and not self.config.accelerator:
                self.system_reset(machine)

    def play(self, until, of, tell):
        """Steps until there were so many operations; TELL gets a line now and then of how many
        there were, of how many there will be."""
        told = time.monotonic()
        while self.operations() < until:
            self.step()
            if time.monotonic() > told + TELL_S:
                told = time.monotonic()
                tell(f"{self.operations()} of {of} operations")

    def end(self):
        """One round more, and until QEMU holds what the back-ends say is mapped, and nothing
        else of theirs."""
        for life in self.lives:
            life.go()
        for life in self.lives:
            life.take_answer()
            life.backend.command_of("end", "ready", TIMEOUT_S)
        self.await_guests()
        for machine in self.machines:
            machine.settle()
            wanted = self.wanted(machine)
            try:
                wait_until(lambda: self.held(machine) == (wanted, wanted),
                           GONE_TIMEOUT_S, "QEMU to hold what is mapped", [machine.qemu])
            except HarnessError as error:
                raise HarnessError(f"{error}\nwanted: {wanted}\nheld: {self.held(machine)}"
                                   ) from error

    def wanted(self, machine):
        """{inode: mappings of it} of all devices of a machine, by the back-ends' logs."""
        wanted = {}
        for life in self.lives_of(machine):
            for entry in life.backend.entries():
                if entry["op"] == "live":
                    wanted[entry["of"]] = wanted.get(entry["of"], 0) + 1
        return wanted

    def held(self, machine):
        """The same, by /proc: (descriptors, maps)."""
        memfds, on_disk = set(), set()
        for life in self.lives_of(machine):
            for _, log in life.logs():
                for entry in parts.read_log(log):
                    if entry["op"] == "file":
                        (on_disk if entry["name"] == FILE_ON_DISK else memfds).add(entry["ino"])
        return evidence.held(machine.qemu.pid, memfds, on_disk)
